/* fuzz_prefix.c - sequences that share pages by the prefix tree, in any order of operations,
 * against a plain model. A fake backend writes into every position a hash of the tokens up to
 * there, and into a state that of all its tokens: after every operation each sequence finds what
 * its own tokens would have left, whoever computed it; and every page has as many owners as name
 * it.
 * Input: kind of model, number of nodes (a byte each), then operations of four bytes. */
#include "engine/prefix.h"
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

enum { N_SEQS = 6, N_TABLE = 5, N_CTX = N_TABLE * INGLE_PAGE, WIDTH = 40, N_WINDOW = 3 };
enum { N_LEADERS = 3, MOST_PAGES = 26 };

static const size_t N_PAGES[INGLE_POOLS] = {MOST_PAGES, 18, 9};

typedef struct seq {
    ingle_prefix_key key;
    int32_t tokens[N_CTX];
    uint64_t hash[N_CTX + 1]; /* of the first n tokens */
    uint32_t table[INGLE_GROUPS][N_TABLE], state, node;
    size_t n; /* 0: it has nothing */
    bool leads;
    int32_t prompt[N_CTX]; /* of which it is the leader */
    size_t n_prompt;
} seq;

typedef struct world {
    bool full; /* windows and recurrent layers */
    ingle_pages pool[INGLE_POOLS];
    ingle_prefix tree;
    uint64_t page[INGLE_GROUPS][MOST_PAGES][INGLE_PAGE], slot[MOST_PAGES];
    seq seqs[N_SEQS];
    size_t n_leaders;
} world;

static void must(bool ok)
{
    if (!ok) abort();
}

static uint64_t mix(uint64_t h, uint64_t x)
{
    h = (h ^ x) * 0x9e3779b97f4a7c15u;
    return h ^ h >> 29;
}

static size_t pages_of(size_t n)
{
    return (n + INGLE_PAGE - 1) / INGLE_PAGE;
}

/* The first window page that position n sees. */
static size_t first_seen(size_t n)
{
    return n + 1 > WIDTH ? (n + 1 - WIDTH) / INGLE_PAGE : 0;
}

static void open_world(world *w, bool full, size_t n_nodes)
{
    ingle_prefix_options opt = {.n_nodes = n_nodes,
                                .n_checkpoints = 4,
                                .n_window = N_WINDOW,
                                .n_leaders = N_LEADERS,
                                .seed = 3};
    memset(w, 0, sizeof *w);
    w->full = full;
    for (size_t i = 0; i < INGLE_POOLS; i++) {
        must(ingle_pages_open(&w->pool[i], N_PAGES[i]));
        if (full || i == INGLE_GROUP_ALL) opt.pool[i] = &w->pool[i];
    }
    must(ingle_prefix_open(&w->tree, &opt));
    for (size_t i = 0; i < N_SEQS; i++) {
        w->seqs[i].node = INGLE_NO_NODE;
        memset(w->seqs[i].table, 0xff, sizeof w->seqs[i].table);
    }
}

/* ---- what is true at every moment ---- */

static void check_group(const world *w, const seq *s, size_t g)
{
    size_t first = g == INGLE_GROUP_WINDOW ? first_seen(s->n) : 0;
    for (size_t i = 0; i < N_TABLE; i++)
        must((s->table[g][i] != INGLE_NO_PAGE) == (i >= first && i < pages_of(s->n)));
    for (size_t i = first * INGLE_PAGE; i < s->n; i++)
        must(w->page[g][s->table[g][i / INGLE_PAGE]][i % INGLE_PAGE] == s->hash[i + 1]);
}

static void check_counts(const world *w, size_t pool)
{
    const ingle_pages *p = &w->pool[pool];
    size_t n[MOST_PAGES] = {0}, n_free = 0, n_idle = 0;
    for (const seq *s = w->seqs; s < w->seqs + N_SEQS; s++) {
        if (!s->n) continue;
        if (pool == INGLE_POOL_STATES) {
            n[s->state]++;
            continue;
        }
        for (size_t i = 0; i < N_TABLE; i++)
            if (s->table[pool][i] != INGLE_NO_PAGE) n[s->table[pool][i]]++;
    }
    for (size_t i = 0; i < p->n; i++) {
        must(p->refs[i] == n[i] + p->kept[i]);
        n_free += !p->refs[i];
        n_idle += p->refs[i] && !n[i];
    }
    must(n_free == p->n_free && n_idle == p->n_idle);
}

/* The pages down to its node are those of the tree. */
static void check_node(const world *w, const seq *s)
{
    size_t depth = ingle_prefix_depth(&w->tree, s->node);
    must(depth <= s->n / INGLE_PAGE);
    for (size_t i = 0; i < depth; i++)
        must(w->tree.node_of[s->table[INGLE_GROUP_ALL][i]] ==
             ingle_prefix_up(&w->tree, s->node, i + 1));
}

static void check(const world *w)
{
    must(ingle_prefix_is_sound(&w->tree));
    for (size_t i = 0; i < INGLE_POOLS; i++) {
        must(ingle_pages_is_sound(&w->pool[i]));
        if (i == INGLE_GROUP_ALL || w->full) check_counts(w, i);
    }
    for (const seq *s = w->seqs; s < w->seqs + N_SEQS; s++) {
        if (!s->n) continue;
        check_group(w, s, INGLE_GROUP_ALL);
        check_node(w, s);
        if (!w->full) continue;
        check_group(w, s, INGLE_GROUP_WINDOW);
        must(w->slot[s->state] == s->hash[s->n]);
    }
}

/* ---- sequences ---- */

/* Those that are there follow one another. */
static void drop_pages(world *w, seq *s, size_t g, size_t from, size_t to)
{
    uint32_t *table = s->table[g];
    while (from < to && table[from] == INGLE_NO_PAGE) from++;
    while (to > from && table[to - 1] == INGLE_NO_PAGE) to--;
    ingle_pages_drop(&w->pool[g], table + from, to - from);
    for (size_t i = from; i < to; i++) table[i] = INGLE_NO_PAGE;
}

/* Tokens from n on are forgotten; a model with states keeps all or nothing. */
static void cut(world *w, seq *s, size_t n)
{
    if (n >= s->n) return;
    if (w->full) {
        n = 0;
        drop_pages(w, s, INGLE_GROUP_WINDOW, 0, N_TABLE);
        ingle_pages_drop(&w->pool[INGLE_POOL_STATES], &s->state, 1);
    }
    drop_pages(w, s, INGLE_GROUP_ALL, pages_of(n), N_TABLE);
    s->n = n;
    s->node = ingle_prefix_up(&w->tree, s->node, n / INGLE_PAGE);
}

static void stop_leading(world *w, seq *s)
{
    ingle_prefix_done(&w->tree, s);
    w->n_leaders -= s->leads;
    s->leads = false;
}

/* Pages of a table that the next n tokens write to and that are not there, or not its own. */
static size_t lacking(const world *w, const seq *s, size_t g, size_t n)
{
    size_t first = s->n / INGLE_PAGE, n_new = pages_of(s->n + n) - first;
    return n_new - (s->n % INGLE_PAGE && w->pool[g].refs[s->table[g][first]] == 1);
}

static uint32_t take(world *w, size_t pool)
{
    uint32_t id;
    size_t n_used;
    must(ingle_pages_take(&w->pool[pool], 1, &id, &n_used));
    return id;
}

static void write_pages(world *w, seq *s, size_t g, size_t n)
{
    for (size_t i = s->n; i < s->n + n; i++) {
        uint32_t *at = &s->table[g][i / INGLE_PAGE], old = *at;
        if (old == INGLE_NO_PAGE) *at = take(w, g);
        else if (w->pool[g].refs[old] > 1) { /* P2 */ *at = take(w, g);
            memcpy(w->page[g][*at], w->page[g][old], sizeof w->page[g][old]);
            ingle_pages_drop(&w->pool[g], &old, 1);
        }
        w->page[g][*at][i % INGLE_PAGE] = s->hash[i + 1];
    }
}

static void write_state(world *w, seq *s, size_t n)
{
    bool shared = s->n && w->pool[INGLE_POOL_STATES].refs[s->state] > 1;
    uint32_t old = s->state;
    if (!s->n || shared) s->state = take(w, INGLE_POOL_STATES);
    if (shared) ingle_pages_drop(&w->pool[INGLE_POOL_STATES], &old, 1);
    w->slot[s->state] = s->hash[s->n + n];
}

/* Computes n tokens more, or nothing if there are not the pages. */
static void compute(world *w, seq *s, const int32_t *tokens, size_t n)
{
    if (n > N_CTX - s->n) n = N_CTX - s->n;
    if (!n || !ingle_prefix_evict(&w->tree, INGLE_GROUP_ALL, lacking(w, s, INGLE_GROUP_ALL, n)))
        return;
    if (w->full) {
        bool is_shared = s->n && w->pool[INGLE_POOL_STATES].refs[s->state] > 1;
        size_t n_window = lacking(w, s, INGLE_GROUP_WINDOW, n), n_states = !s->n || is_shared;
        if (!ingle_prefix_evict(&w->tree, INGLE_GROUP_WINDOW, n_window) ||
            !ingle_prefix_evict(&w->tree, INGLE_POOL_STATES, n_states))
            return;
    }
    s->hash[0] = mix(mix(1, s->key.salt), s->key.set);
    for (size_t i = s->n; i < s->n + n; i++) {
        s->tokens[i] = tokens[i - s->n];
        s->hash[i + 1] = mix(s->hash[i], (uint64_t)s->tokens[i]);
    }
    write_pages(w, s, INGLE_GROUP_ALL, n);
    if (w->full) {
        write_pages(w, s, INGLE_GROUP_WINDOW, n);
        write_state(w, s, n);
        drop_pages(w, s, INGLE_GROUP_WINDOW, 0, first_seen(s->n + n));
    }
    s->n += n;
}

static size_t common(const int32_t *a, const int32_t *b, size_t n)
{
    size_t i = 0;
    while (i < n && a[i] == b[i]) i++;
    return i;
}

/* What the leaders say of a prompt, by looking at each. */
static void check_blocked(const world *w, ingle_prefix_key key, const int32_t *prompt, size_t n,
                          size_t n_reused)
{
    size_t best = 0, n_common;
    for (const seq *s = w->seqs; s < w->seqs + N_SEQS; s++) {
        if (!s->leads || !n || s->key.salt != key.salt || s->key.set != key.set) continue;
        size_t same = common(s->prompt, prompt, s->n_prompt < n - 1 ? s->n_prompt : n - 1);
        if (same >= n_reused + INGLE_PREFIX_WAIT && same > best) best = same;
    }
    const seq *owner = ingle_prefix_blocked(&w->tree, key, prompt, n, INGLE_PREFIX_WAIT, &n_common);
    must(n_common == best && (owner != NULL) == (best != 0));
    must(!owner || common(owner->prompt, prompt, best) == best);
}

/* Takes over what there is of a prompt. */
static void reuse(world *w, seq *s, const int32_t *prompt, size_t n)
{
    ingle_prefix_path path;
    size_t before[INGLE_POOLS];
    ingle_prefix_match(&w->tree, s->key, prompt, n, &path);
    must(path.n_known <= n && path.n_reused <= path.n_known && (!n || path.n_reused < n));
    must(w->full || path.n_reused + 1 >= path.n_known);
    check_blocked(w, s->key, prompt, n, path.n_reused);
    for (size_t i = 0; i < INGLE_POOLS; i++) before[i] = w->pool[i].n_idle;
    ingle_prefix_hold(&w->tree, &path, s->table[INGLE_GROUP_ALL], s->table[INGLE_GROUP_WINDOW],
                      &s->state);
    for (size_t i = 0; i < INGLE_POOLS; i++) must(w->pool[i].n_idle + path.n_idle[i] == before[i]);
    s->node = path.node;
    s->n = path.n_reused;
    s->hash[0] = mix(mix(1, s->key.salt), s->key.set);
    for (size_t i = 0; i < s->n; i++) {
        s->tokens[i] = prompt[i];
        s->hash[i + 1] = mix(s->hash[i], (uint64_t)prompt[i]);
    }
}

/* Whoever holds published pages can be sure that they are found. */
static void check_found(world *w, const seq *s)
{
    ingle_prefix_path path;
    ingle_prefix_match(&w->tree, s->key, s->tokens, s->n, &path);
    must(path.n_known >= ingle_prefix_depth(&w->tree, s->node) * INGLE_PAGE);
}

static void publish(world *w, seq *s)
{
    for (size_t i = ingle_prefix_depth(&w->tree, s->node); i < s->n / INGLE_PAGE; i++) {
        uint32_t node = ingle_prefix_publish(&w->tree, s->key, s->node, s->tokens + i * INGLE_PAGE,
                                             INGLE_PAGE, &s->table[INGLE_GROUP_ALL][i]);
        if (node == INGLE_NO_NODE) return;
        s->node = node;
        must(ingle_prefix_depth(&w->tree, node) == i + 1);
    }
}

/* The node that ends where the sequence does. */
static uint32_t publish_all(world *w, seq *s)
{
    publish(w, s);
    size_t at = ingle_prefix_depth(&w->tree, s->node), n = s->n - at * INGLE_PAGE;
    if (!n) return s->node;
    if (n >= INGLE_PAGE) return INGLE_NO_NODE;
    return ingle_prefix_publish(&w->tree, s->key, s->node, s->tokens + at * INGLE_PAGE, n,
                                &s->table[INGLE_GROUP_ALL][at]);
}

static void put_checkpoint(world *w, seq *s)
{
    uint32_t node = publish_all(w, s);
    size_t first = first_seen(s->n);
    if (node == INGLE_NO_NODE || !w->full) return;
    ingle_prefix_checkpoint_put(&w->tree, node, s->table[INGLE_GROUP_WINDOW] + first, first,
                                pages_of(s->n) - first, s->state);
}

static void fork_seq(world *w, const seq *from, seq *to, size_t n)
{
    if (from == to || !from->n) return;
    stop_leading(w, to);
    cut(w, to, 0);
    *to = *from;
    to->leads = false;
    for (size_t g = 0; g < INGLE_GROUPS; g++)
        for (size_t i = 0; i < N_TABLE; i++)
            if (to->table[g][i] != INGLE_NO_PAGE)
                ingle_pages_hold(&w->pool[g], &to->table[g][i], 1);
    if (w->full) ingle_pages_hold(&w->pool[INGLE_POOL_STATES], &to->state, 1);
    else cut(w, to, n);
}

static void evict(world *w, size_t pool, size_t n)
{
    const ingle_pages *p = &w->pool[pool];
    size_t n_free = p->n_free, most = n_free + p->n_idle;
    if (pool != INGLE_GROUP_ALL && !w->full) return;
    must(ingle_prefix_evict(&w->tree, pool, n) == (n <= most));
    if (pool == INGLE_GROUP_ALL) must(p->n_free == (n <= n_free ? n_free : n <= most ? n : most));
}

static void lead(world *w, seq *s, const int32_t *prompt, size_t n)
{
    stop_leading(w, s);
    memcpy(s->prompt, prompt, n * sizeof *prompt);
    s->n_prompt = n;
    ingle_prefix_expect(&w->tree, s->key, s->prompt, n, s);
    s->leads = w->n_leaders < N_LEADERS;
    w->n_leaders += s->leads;
}

/* One operation. A prompt begins as another sequence's tokens, and goes on with those of a few
 * texts; a sequence of its own goes on so, too. */
static void step(world *w, const uint8_t op[4])
{
    seq *s = &w->seqs[op[1] % N_SEQS], *other = &w->seqs[op[1] / N_SEQS % N_SEQS];
    int32_t prompt[N_CTX];
    size_t n = (size_t)op[2] % (N_CTX + 1), same = (size_t)op[3] % (N_CTX + 1);
    if (same > other->n) same = other->n;
    for (size_t i = 0; i < N_CTX; i++) prompt[i] = i < same ? other->tokens[i] : op[3] % 3;
    switch (op[0] % 16) {
    case 0:
    case 1:
    case 2: /* a request begins */
        stop_leading(w, s);
        cut(w, s, 0);
        s->key = (ingle_prefix_key){.salt = op[0] / 16 % 4 == 1, .set = op[0] / 16 % 4 == 2};
        reuse(w, s, prompt, n);
        if (op[0] / 64 % 2) lead(w, s, prompt, n);
        if (op[0] / 128) break;
        compute(w, s, prompt + s->n, n - s->n);
        break;
    case 3:
    case 4: compute(w, s, prompt + same, n / 3 < N_CTX - same ? n / 3 : N_CTX - same); break;
    case 5: compute(w, s, prompt + same, same < N_CTX); break;
    case 6:
    case 7: publish(w, s); break;
    case 8:
        if (s->n) publish_all(w, s);
        break;
    case 9:
        if (s->n) put_checkpoint(w, s);
        break;
    case 10: fork_seq(w, other, s, n); break;
    case 11: cut(w, s, n); break;
    case 12: /* a request ends */
        if (s->n && op[2] % 2) publish_all(w, s);
        stop_leading(w, s);
        cut(w, s, 0);
        break;
    case 13: evict(w, op[2] % INGLE_POOLS, op[3] % (MOST_PAGES + 2)); break;
    case 14: check_found(w, s); break;
    default: stop_leading(w, s); break;
    }
    check(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static world w;
    if (size < 2) return 0;
    open_world(&w, data[0] % 2, data[1] % 48);
    for (size_t i = 2; i + 4 <= size && i < 4000; i += 4) step(&w, data + i);
    for (size_t i = 0; i < N_SEQS; i++) cut(&w, &w.seqs[i], 0);
    check(&w);
    must(ingle_prefix_evict(&w.tree, INGLE_GROUP_ALL, N_PAGES[INGLE_GROUP_ALL]));
    must(!w.tree.n_used && !w.tree.n_checkpoints);
    ingle_prefix_close(&w.tree);
    for (size_t i = 0; i < INGLE_POOLS; i++) {
        must(w.pool[i].n_free == N_PAGES[i]);
        ingle_pages_close(&w.pool[i]);
    }
    return 0;
}

/* Operations in no order, for both kinds of model. */
size_t fuzz_seed(size_t i, uint8_t *data, size_t cap)
{
    uint64_t h = i;
    size_t n = 2 + 4 * 600;
    if (i >= 8 || n > cap) return 0;
    for (size_t k = 0; k < n; k++) {
        h = mix(h, k + 1);
        data[k] = (uint8_t)(h >> 32);
    }
    data[0] = (uint8_t)i;
    return n;
}
