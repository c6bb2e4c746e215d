/* trie.c - sorting a vocabulary, the nodes, the runs. */
#include "grammar/trie.h"

#include "base/mem.h"

#include <pthread.h>

enum {
    MAX_RUNS = 256,
    MAX_RUN_BYTES = 64 << 20,
    MAX_CHARS = 1023
}; /* of a token that are told apart */

/* ---- groups ---------------------------------------------------------------------------------- */

/* Each string is a group. */
static const char *const group_text[] = {
    "\t", "\n", "\r",    " ",       "!",         "\"",  "#", "$",
    "%",  "&",  "'",     "(",       ")",         "*",   "+", ",",
    "-",  ".",  "/",     "0",       "123456789", ":",   ";", "<",
    "=",  ">",  "?",     "@",       "ABCD",      "E",   "F", "GHIJKLMNOPQRSTUVWXYZ",
    "[",  "\\", "]",     "^",       "_",         "`",   "a", "b",
    "cd", "e",  "f",     "ghijklm", "n",         "opq", "r", "s",
    "t",  "u",  "vwxyz", "{",       "|",         "}",   "~", "\x7f"};
enum { N_GROUPS = sizeof group_text / sizeof *group_text, GROUP_CONTROL = N_GROUPS };
_Static_assert((int)GROUP_CONTROL < (int)INGLE_GROUP_CUT, "the groups are bits of one word");

static void groups_by_byte(unsigned char out[256])
{
    memset(out, GROUP_CONTROL, 0x80);
    memset(out + 0x80, INGLE_GROUP_BROKEN, 0x80);
    memset(out + 0xc2, INGLE_GROUP_HIGH, 0xf5 - 0xc2);
    for (unsigned g = 0; g < N_GROUPS; g++)
        for (const char *p = group_text[g]; *p; p++) out[(unsigned char)*p] = (unsigned char)g;
}

unsigned ingle_group_of(unsigned char b)
{
    if (b >= 0x80) return b >= 0xc2 && b < 0xf5 ? INGLE_GROUP_HIGH : INGLE_GROUP_BROKEN;
    for (unsigned g = 0; b && g < N_GROUPS; g++)
        if (strchr(group_text[g], b)) return g;
    return GROUP_CONTROL;
}

uint64_t ingle_groups_touched(const uint64_t ascii[2])
{
    uint64_t groups = 0;
    unsigned char of[256];
    groups_by_byte(of);
    for (unsigned b = 0; b < 0x80; b++)
        if (ascii[b >> 6] >> (b & 63) & 1) groups |= (uint64_t)1 << of[b];
    return groups;
}

uint64_t ingle_groups_inside(const uint64_t ascii[2])
{
    const uint64_t others[2] = {~ascii[0], ~ascii[1]};
    return ingle_groups_touched(ascii) & ~ingle_groups_touched(others);
}

/* ---- sorting --------------------------------------------------------------------------------- */

typedef struct ingle_key {
    uint64_t head; /* the first eight bytes, as a number that sorts as they do */
    const char *p;
    uint32_t n, token;
} ingle_key;

static int by_bytes(const void *a, const void *b)
{
    const ingle_key *x = a, *y = b;
    if (x->head != y->head) return x->head < y->head ? -1 : 1;
    uint32_t n = x->n < y->n ? x->n : y->n;
    int c = n > 8 ? memcmp(x->p + 8, y->p + 8, n - 8) : 0;
    if (c) return c;
    if (x->n != y->n) return x->n < y->n ? -1 : 1;
    return (x->token > y->token) - (x->token < y->token);
}

static uint64_t head_of(const char *p, size_t n)
{
    uint64_t head = 0;
    for (size_t i = 0; i < 8; i++) head = head << 8 | (i < n ? (unsigned char)p[i] : 0);
    return head;
}

static ingle_key *sorted_keys(ingle_trie *t)
{
    ingle_key *key = ingle_new(t->n_vocab, sizeof *key);
    if (!key) return NULL;
    for (uint32_t i = 0; i < t->n_vocab; i++) {
        uint32_t n = t->start[i + 1] - t->start[i];
        const char *p = t->bytes + t->start[i];
        if (n > t->longest) t->longest = n;
        if (n) key[t->n_ranks++] = (ingle_key){head_of(p, n), p, n, i};
    }
    qsort(key, t->n_ranks, sizeof *key, by_bytes);
    return key;
}

/* ---- nodes ----------------------------------------------------------------------------------- */

/* Bytes of two keys that are the same. */
static size_t shared(const ingle_key *x, const ingle_key *y)
{
    size_t n = x->n < y->n ? x->n : y->n, i = 0;
    while (i < n && x->p[i] == y->p[i]) i++;
    return i;
}

static size_t count_nodes(const ingle_key *key, size_t n)
{
    size_t nodes = 1;
    for (size_t i = 0; i < n; i++) nodes += key[i].n - (i ? shared(&key[i - 1], &key[i]) : 0);
    return nodes;
}

/* Where a decoder of UTF-8 stands after a node: bytes to come of a character, and the range that
 * the next of them must lie in. */
typedef struct ingle_utf8_place {
    unsigned char rest, low, high;
} ingle_utf8_place;

/* The groups of what byte b begins. */
static uint64_t decode(const unsigned char of[256], unsigned char b, ingle_utf8_place *at)
{
    uint64_t cut = 0;
    if (at->rest && b >= at->low && b <= at->high) {
        *at = (ingle_utf8_place){(unsigned char)(at->rest - 1), 0x80, 0xbf};
        return 0;
    }
    if (at->rest) cut = (uint64_t)1 << INGLE_GROUP_CUT;
    *at = (ingle_utf8_place){0, 0x80, 0xbf};
    if (of[b] == INGLE_GROUP_HIGH) {
        at->rest = b < 0xe0 ? 1 : b < 0xf0 ? 2 : 3;
        if (b == 0xe0) at->low = 0xa0;
        if (b == 0xf0) at->low = 0x90;
        if (b == 0xed) at->high = 0x9f;
        if (b == 0xf4) at->high = 0x8f;
    }
    return cut | (uint64_t)1 << of[b];
}

/* The path to the node that is being made. */
typedef struct ingle_step_down {
    uint32_t node;
    ingle_utf8_place at;
    uint64_t groups;
    uint16_t chars;
} ingle_step_down;

static void add_key(ingle_trie *t, const unsigned char of[256], const ingle_key *key, size_t from,
                    ingle_step_down *path)
{
    for (size_t d = from; d < key->n; d++) {
        const ingle_step_down *up = &path[d];
        ingle_step_down *down = &path[d + 1];
        *down = *up;
        down->node = (uint32_t)t->n_nodes++;
        uint64_t begun = decode(of, (unsigned char)key->p[d], &down->at);
        t->byte[down->node] = (unsigned char)key->p[d];
        t->begun[down->node] = begun;
        t->rank[down->node] = (uint32_t)t->n_ranks;
        down->groups |= begun;
        if (begun && down->chars < MAX_CHARS) down->chars++;
    }
    t->token[t->n_ranks] = key->token;
    t->groups[t->n_ranks] = path[key->n].groups;
    t->chars[t->n_ranks++] = path[key->n].chars;
}

/* Subtrees deeper than `depth` on the path are whole. */
static void close_path(ingle_trie *t, const ingle_step_down *path, size_t from, size_t depth)
{
    for (size_t d = from; d > depth; d--) {
        uint32_t node = path[d].node, up = path[d - 1].node;
        t->end[node] = (uint32_t)t->n_nodes;
        t->below[up] |= t->below[node] | t->begun[node];
    }
}

static bool make_nodes(ingle_trie *t, const ingle_key *key)
{
    unsigned char of[256];
    size_t n_keys = t->n_ranks, n = count_nodes(key, n_keys), depth = 0;
    ingle_step_down *path = ingle_new(t->longest + 1, sizeof *path);
    t->byte = ingle_new(n, sizeof *t->byte);
    t->end = ingle_new(n, sizeof *t->end);
    t->rank = ingle_new(n + 1, sizeof *t->rank);
    t->begun = ingle_new(n, sizeof *t->begun);
    t->below = ingle_new(n, sizeof *t->below);
    t->token = ingle_new(n_keys, sizeof *t->token);
    t->groups = ingle_new(n_keys, sizeof *t->groups);
    t->chars = ingle_new(n_keys, sizeof *t->chars);
    bool ok = path && t->byte && t->end && t->rank && t->begun && t->below && t->token &&
              t->groups && t->chars;
    if (ok) {
        groups_by_byte(of);
        path[0].at = (ingle_utf8_place){0, 0x80, 0xbf};
        t->n_nodes = 1;
        t->n_ranks = 0;
        for (size_t i = 0; i < n_keys; i++) {
            size_t same = i ? shared(&key[i - 1], &key[i]) : 0;
            close_path(t, path, depth, same);
            add_key(t, of, &key[i], same, path);
            depth = key[i].n;
        }
        close_path(t, path, depth, 0);
        t->end[0] = (uint32_t)t->n_nodes;
        t->rank[n] = (uint32_t)t->n_ranks;
    }
    free(path);
    return ok;
}

/* ---- runs ------------------------------------------------------------------------------------ */

struct ingle_runs {
    pthread_mutex_t lock;
    ingle_run *run[MAX_RUNS];
    size_t n, bytes;
};

static void run_close(ingle_run *r)
{
    if (!r) return;
    for (size_t i = 0; i <= INGLE_RUN_SHORT; i++) free(r->bits[i]);
    free(r->token);
    free(r->chars);
    free(r->exit);
    free(r);
}

/* Sorts by the number of characters: counted, then placed. */
static bool stay_inside(const ingle_trie *t, ingle_run *r)
{
    uint32_t at[MAX_CHARS + 2] = {0};
    uint32_t *rank = malloc((t->n_ranks + 1) * sizeof *rank), n = 0;
    if (!rank) return false;
    for (uint32_t node = 1; node < t->n_nodes; node = t->end[node]) { /* by the first byte */
        if (t->begun[node] & ~r->inside) continue;
        for (uint32_t i = t->rank[node]; i < t->rank[t->end[node]]; i++) {
            rank[n] = i;
            n += !(t->groups[i] & ~r->inside);
        }
    }
    for (uint32_t i = 0; i < n; i++) at[t->chars[rank[i]] + 1]++;
    for (size_t k = 0; k <= MAX_CHARS; k++) at[k + 1] += at[k];
    r->n_tokens = n;
    r->token = malloc((n + 1) * sizeof *r->token);
    r->chars = malloc((n + 1) * sizeof *r->chars);
    bool ok = r->token && r->chars;
    for (uint32_t i = 0; ok && i < n; i++) {
        uint32_t place = at[t->chars[rank[i]]]++;
        r->token[place] = t->token[rank[i]];
        r->chars[place] = t->chars[rank[i]];
    }
    free(rank);
    return ok;
}

/* The lock is held. */
static bool make_bits(const ingle_trie *t, ingle_run *r, size_t k)
{
    uint32_t *bits = r->bits[k] = ingle_new(t->n_words, sizeof *bits);
    t->runs->bytes += t->n_words * sizeof *bits;
    size_t n = k ? 0 : r->n_tokens;
    if (!bits) return false;
    while (k && n < r->n_tokens && r->chars[n] <= k) n++;
    bool fewer = r->bits[0] && k && n > r->n_tokens / 2; /* to take away than to add */
    if (fewer) memcpy(bits, r->bits[0], t->n_words * sizeof *bits);
    for (size_t i = fewer ? n : 0; i < (fewer ? r->n_tokens : n); i++)
        bits[r->token[i] / 32] ^= 1u << r->token[i] % 32;
    return true;
}

const uint32_t *ingle_trie_run_bits(const ingle_trie *t, const ingle_run *run, size_t k)
{
    ingle_run *r = (ingle_run *)run;
    pthread_mutex_lock(&t->runs->lock);
    if (!r->bits[k]) make_bits(t, r, k);
    pthread_mutex_unlock(&t->runs->lock);
    return r->bits[k];
}

static int by_chars(const void *a, const void *b)
{
    const ingle_exit *x = a, *y = b;
    if (x->chars != y->chars) return x->chars < y->chars ? -1 : 1;
    return (x->node > y->node) - (x->node < y->node);
}

/* Walks through the nodes that lie inside and have something of `leave` below. */
static bool find_exits(const ingle_trie *t, ingle_run *r)
{
    struct {
        uint32_t end, chars;
    } *stack = ingle_new(t->longest + 1, sizeof *stack);
    size_t depth = 0, cap = 0;
    if (!stack) return false;
    stack[0].end = (uint32_t)t->n_nodes;
    bool ok = true;
    for (uint32_t i = 1; ok && i < t->n_nodes;) {
        while (stack[depth].end <= i) depth--;
        uint32_t chars = stack[depth].chars;
        if (t->begun[i] & ~r->inside) {
            bool cut = t->begun[i] >> INGLE_GROUP_CUT & 1;
            if (!cut && t->begun[i] & r->leave) {
                ok = ingle_grow(&r->exit, &cap, r->n_exits + 1, sizeof *r->exit);
                if (ok) r->exit[r->n_exits++] = (ingle_exit){i, (uint16_t)chars, (uint16_t)depth};
            }
            i = t->end[i];
        } else if (t->below[i] & r->leave) {
            stack[++depth].end = t->end[i];
            stack[depth].chars = chars + (t->begun[i] != 0);
            i++;
        } else i = t->end[i];
    }
    free(stack);
    if (ok && r->n_exits) qsort(r->exit, r->n_exits, sizeof *r->exit, by_chars);
    return ok;
}

static ingle_run *run_open(const ingle_trie *t, uint64_t inside, uint64_t leave)
{
    ingle_run *r = ingle_new(1, sizeof *r);
    if (!r) return NULL;
    r->inside = inside;
    r->leave = leave;
    if (stay_inside(t, r) && find_exits(t, r)) return r;
    run_close(r);
    return NULL;
}

const ingle_run *ingle_trie_run(const ingle_trie *t, uint64_t inside, uint64_t leave)
{
    struct ingle_runs *runs = t->runs;
    ingle_run *found = NULL;
    pthread_mutex_lock(&runs->lock);
    for (size_t i = 0; !found && i < runs->n; i++)
        if (runs->run[i]->inside == inside && runs->run[i]->leave == leave) found = runs->run[i];
    if (!found && runs->n < MAX_RUNS && runs->bytes < MAX_RUN_BYTES &&
        (found = run_open(t, inside, leave))) {
        runs->run[runs->n++] = found;
        runs->bytes += found->n_tokens * 6 + found->n_exits * sizeof *found->exit;
    }
    pthread_mutex_unlock(&runs->lock);
    return found;
}

/* ---- open and close -------------------------------------------------------------------------- */

static bool copy(ingle_trie *t, const char *bytes, const uint32_t *start, const int32_t *ends,
                 size_t n_ends)
{
    size_t n = t->n_vocab, n_bytes = start[n];
    t->start = ingle_new(n + 1, sizeof *t->start);
    t->bytes = ingle_new(n_bytes, 1);
    t->ends = ingle_new(t->n_words, sizeof *t->ends);
    t->runs = ingle_new(1, sizeof *t->runs);
    if (!t->start || !t->bytes || !t->ends || !t->runs) return false;
    memcpy(t->start, start, (n + 1) * sizeof *start);
    if (n_bytes) memcpy(t->bytes, bytes, n_bytes);
    for (size_t i = 0; i < n_ends; i++)
        t->ends[(uint32_t)ends[i] / 32] |= 1u << (uint32_t)ends[i] % 32;
    pthread_mutex_init(&t->runs->lock, NULL);
    return true;
}

/* The inside of a JSON string, which most structured text is. */
static bool prepare_strings(const ingle_trie *t)
{
    const uint64_t plain[2] = {~0ull << 32 & ~(1ull << '"'), ~(1ull << ('\\' - 64))};
    const uint64_t leave[2] = {1ull << '"', 1ull << ('\\' - 64)};
    const ingle_run *run =
        ingle_trie_run(t, ingle_groups_inside(plain) | (uint64_t)1 << INGLE_GROUP_HIGH,
                       ingle_groups_touched(leave));
    for (size_t k = 0; run && k <= INGLE_RUN_SHORT; k++)
        if (!ingle_trie_run_bits(t, run, k)) return false;
    return run;
}

ingle_status ingle_trie_open(ingle_trie **out, const char *bytes, const uint32_t *start,
                             size_t n_vocab, const int32_t *ends, size_t n_ends, ingle_error *err)
{
    ingle_trie *t = ingle_new(1, sizeof *t);
    ingle_key *key = NULL;
    bool ok = t;
    *out = NULL;
    if (ok) {
        t->n_vocab = n_vocab;
        t->n_words = (n_vocab + 31) / 32;
        ok = copy(t, bytes, start, ends, n_ends) && (key = sorted_keys(t)) && make_nodes(t, key) &&
             prepare_strings(t);
    }
    free(key);
    if (ok) return *out = t, INGLE_OK;
    ingle_trie_close(t);
    return ingle_fail(err, INGLE_ENOMEM, "no memory for the tree of %zu tokens", n_vocab);
}

void ingle_trie_close(ingle_trie *t)
{
    if (!t) return;
    if (t->runs) {
        for (size_t i = 0; i < t->runs->n; i++) run_close(t->runs->run[i]);
        pthread_mutex_destroy(&t->runs->lock);
    }
    free(t->runs);
    free(t->byte);
    free(t->end);
    free(t->rank);
    free(t->begun);
    free(t->below);
    free(t->token);
    free(t->groups);
    free(t->chars);
    free(t->start);
    free(t->bytes);
    free(t->ends);
    free(t);
}

size_t ingle_trie_bytes(const ingle_trie *t)
{
    size_t n = t->n_nodes * (1 + 4 + 4 + 8 + 8) + t->n_ranks * (4 + 8 + 2) + t->n_vocab * 4 +
               t->start[t->n_vocab];
    pthread_mutex_lock(&t->runs->lock);
    n += t->runs->bytes;
    pthread_mutex_unlock(&t->runs->lock);
    return n;
}
