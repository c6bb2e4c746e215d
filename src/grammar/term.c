/* term.c - the table: interning, pools, and the constructors of terms. */
#include "grammar/table.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

enum {
    LITERAL_MAX = 64,  /* longer ones are sequences */
    FACTOR_DEPTH = 200 /* alternatives in alternatives that are factored */
};
static const uint64_t COMPILE_WORK = 30000000;

/* ---- failures -------------------------------------------------------------------------------- */

ingle_status ingle_terms_status(const ingle_terms *t)
{
    return t->status;
}

ingle_status ingle_terms_report(const ingle_terms *t, ingle_error *err)
{
    return t->status ? ingle_fail(err, t->status, "%s", t->error.text) : INGLE_OK;
}

void ingle_terms_fail(ingle_terms *t, ingle_status status, const char *format, ...)
{
    if (t->status) return;
    char text[sizeof t->error.text];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    t->status = ingle_fail(&t->error, status, "%s", text);
}

static bool no_memory(ingle_terms *t)
{
    ingle_terms_fail(t, INGLE_ENOMEM, "no memory for a grammar");
    return false;
}

/* ---- pools ----------------------------------------------------------------------------------- */

bool ingle_words_push(ingle_terms *t, ingle_words *w, uint32_t x)
{
    if (w->n == w->cap && !ingle_grow(&w->at, &w->cap, w->n + 1, sizeof *w->at))
        return no_memory(t);
    w->at[w->n++] = x;
    return true;
}

static uint64_t mix(uint64_t h, uint64_t x)
{
    h = (h ^ x) * 0x9e3779b97f4a7c15u;
    return h ^ h >> 29;
}

static uint64_t hash_bytes(const char *p, size_t n)
{
    uint64_t h = n;
    for (; n >= 8; p += 8, n -= 8) h = mix(h, ingle_load(p, 8));
    return mix(h, ingle_load(p, n));
}

static uint64_t hash_words(const uint32_t *w, size_t n)
{
    uint64_t h = n;
    for (size_t i = 0; i < n; i++) h = mix(h, w[i]);
    return h;
}

uint32_t ingle_byte_set_intern(ingle_terms *t, const ingle_byte_set *set)
{
    uint64_t h = 0;
    for (size_t i = 0; i < 4; i++) h = mix(h, set->word[i]);
    if (2 * t->n_sets >= t->n_set_buckets) { /* doubled, and filled again */
        size_t n = t->n_set_buckets ? 2 * t->n_set_buckets : 64;
        uint32_t *bucket = ingle_new(n, sizeof *bucket);
        if (!bucket) return no_memory(t), 0;
        for (uint32_t s = 0; s < t->n_sets; s++) {
            uint64_t g = 0;
            for (size_t i = 0; i < 4; i++) g = mix(g, t->set[s].word[i]);
            while (bucket[g & (n - 1)]) g++;
            bucket[g & (n - 1)] = s + 1;
        }
        free(t->set_bucket);
        t->set_bucket = bucket;
        t->n_set_buckets = n;
    }
    for (;; h++) {
        uint32_t s = t->set_bucket[h & (t->n_set_buckets - 1)];
        if (!s) break;
        if (memcmp(&t->set[s - 1], set, sizeof *set) == 0) return s - 1;
    }
    if (!ingle_grow(&t->set, &t->cap_sets, t->n_sets + 1, sizeof *t->set)) return no_memory(t), 0;
    t->set[t->n_sets] = *set;
    t->set_bucket[h & (t->n_set_buckets - 1)] = (uint32_t)++t->n_sets;
    return (uint32_t)t->n_sets - 1;
}

/* ---- interning ------------------------------------------------------------------------------- */

static uint64_t hash_node(const ingle_terms *t, unsigned kind, uint32_t a, uint32_t b, uint32_t c)
{
    if (kind == TERM_LITERAL) return mix(kind, hash_bytes(t->bytes + a, b));
    if (kind == TERM_ALT) return mix(kind, hash_words(t->words.at + a, b));
    if (kind == TERM_PRODUCED) return mix(a, hash_words(t->words.at + b + 1, c));
    return mix(mix(kind, (uint64_t)a << 32 | b), c);
}

static bool same_node(const ingle_terms *t, const ingle_node *x, unsigned kind, uint32_t a,
                      uint32_t b, uint32_t c)
{
    if (x->kind != kind) return false;
    if (kind == TERM_LITERAL) return x->b == b && memcmp(t->bytes + x->a, t->bytes + a, b) == 0;
    if (kind == TERM_ALT)
        return x->b == b && memcmp(t->words.at + x->a, t->words.at + a, b * sizeof(uint32_t)) == 0;
    if (kind == TERM_PRODUCED)
        return x->a == a && x->c == c &&
               memcmp(t->words.at + x->b + 1, t->words.at + b + 1, c * sizeof(uint32_t)) == 0;
    return x->a == a && x->b == b && x->c == c;
}

/* Links every term again: after the table grew, or terms went. */
static bool rehash(ingle_terms *t, size_t n_buckets)
{
    uint32_t *bucket = ingle_new(n_buckets, sizeof *bucket);
    if (!bucket) return no_memory(t);
    free(t->bucket);
    t->bucket = bucket;
    t->n_buckets = n_buckets;
    for (uint32_t e = 0; e < t->n; e++) {
        ingle_node *x = &t->node[e];
        uint32_t *head = &bucket[hash_node(t, x->kind, x->a, x->b, x->c) & (n_buckets - 1)];
        x->next = *head;
        *head = e + 1;
    }
    return true;
}

static unsigned flags_of(const ingle_terms *t, unsigned kind, uint32_t a, uint32_t b, uint32_t c)
{
    const unsigned kept = TERM_IRREGULAR | TERM_NARROW;
    unsigned fa, fb, flags = 0;
    switch ((ingle_term_kind)kind) {
    case TERM_EMPTY:
    case TERM_ANY: return TERM_NULLABLE;
    case TERM_MULTIPLE: return c >> 31 && (c & INT32_MAX) == b ? TERM_NULLABLE : 0;
    case TERM_UNTIL: return c ? 0 : TERM_NULLABLE;
    case TERM_SEQ:
        fa = t->node[a].flags, fb = t->node[b].flags;
        return ((fa | fb) & kept) | (fa & fb & TERM_NULLABLE);
    case TERM_ALT:
        for (uint32_t i = 0; i < b; i++) flags |= t->node[t->words.at[a + i]].flags;
        return flags & (kept | TERM_NULLABLE);
    case TERM_REPEAT:
        fa = t->node[a].flags;
        return (fa & kept) | (b ? fa & TERM_NULLABLE : TERM_NULLABLE);
    case TERM_AND:
        fa = t->node[a].flags, fb = t->node[b].flags;
        return ((fa | fb) & kept) | (fa & fb & TERM_NULLABLE) | TERM_NARROW;
    case TERM_MINUS:
        fa = t->node[a].flags, fb = t->node[b].flags;
        return ((fa | fb) & kept) | (fa & ~fb & TERM_NULLABLE) | TERM_NARROW;
    case TERM_SOME: return t->node[a].flags & kept;
    case TERM_RULE: return TERM_IRREGULAR;
    case TERM_PRODUCED: return TERM_IRREGULAR;
    case TERM_NONE:
    case TERM_LITERAL:
    case TERM_SET:
    case TERM_CHARS:
    case TERM_PART:
    case TERM_TOKEN: break;
    }
    return 0;
}

ingle_term ingle_term_intern(ingle_terms *t, ingle_term_kind kind, uint32_t a, uint32_t b,
                             uint32_t c)
{
    if (t->status) return INGLE_TERM_NONE;
    uint64_t h = hash_node(t, kind, a, b, c);
    for (uint32_t e = t->bucket[h & (t->n_buckets - 1)]; e; e = t->node[e - 1].next)
        if (same_node(t, &t->node[e - 1], kind, a, b, c)) return e - 1;
    if (!t->n_static && t->n >= t->max_terms)
        return ingle_terms_fail(t, INGLE_EUNSUPPORTED, "the grammar has more than %zu parts",
                                t->max_terms),
               INGLE_TERM_NONE;
    if (!ingle_grow(&t->node, &t->cap, t->n + 1, sizeof *t->node) || t->n >= INT32_MAX)
        return no_memory(t), INGLE_TERM_NONE;
    t->work++;
    ingle_node *x = &t->node[t->n];
    *x = (ingle_node){.kind = (unsigned char)kind, .a = a, .b = b, .c = c};
    x->flags = (unsigned char)flags_of(t, kind, a, b, c);
    uint32_t *head = &t->bucket[h & (t->n_buckets - 1)];
    x->next = *head;
    *head = (uint32_t)++t->n;
    if (t->n > t->n_buckets && !rehash(t, 2 * t->n_buckets)) return INGLE_TERM_NONE;
    return (ingle_term)t->n - 1;
}

/* ---- open and close -------------------------------------------------------------------------- */

ingle_terms *ingle_terms_open(const ingle_term_limits *limits)
{
    ingle_terms *t = ingle_new(1, sizeof *t);
    if (!t) return NULL;
    t->max_bytes = limits && limits->max_bytes ? limits->max_bytes : (size_t)32 << 20;
    t->max_terms = limits && limits->max_terms ? limits->max_terms : 1000000;
    t->work_limit = COMPILE_WORK;
    ingle_byte_set none = {{0}};
    if (!rehash(t, 256) || ingle_byte_set_intern(t, &none) ||
        ingle_term_intern(t, TERM_NONE, 0, 0, 0) != INGLE_TERM_NONE ||
        ingle_term_intern(t, TERM_EMPTY, 0, 0, 0) != INGLE_TERM_EMPTY ||
        ingle_term_intern(t, TERM_ANY, 0, 0, 0) != INGLE_TERM_ANY || t->status) {
        ingle_terms_close(t);
        return NULL;
    }
    return t;
}

void ingle_terms_close(ingle_terms *t)
{
    if (!t) return;
    for (size_t i = 0; i < t->n_producers; i++)
        if (t->producer[i]->free) t->producer[i]->free(t->producer[i]);
    for (size_t i = 0; i < t->n_searchers; i++) free(t->searcher[i].row);
    free(t->node);
    free(t->bucket);
    free(t->set);
    free(t->set_bucket);
    free(t->class);
    free(t->rule);
    free(t->producer);
    free(t->searcher);
    free(t->bytes);
    free(t->words.at);
    free(t->group);
    free(t->row);
    free(t->leads);
    free(t->search);
    ingle_terms_forget_memo(t);
    free(t->list.at);
    free(t->frame);
    free(t);
}

/* ---- literals -------------------------------------------------------------------------------- */

static bool add_bytes(ingle_terms *t, const char *p, size_t n, uint32_t *at)
{
    if (t->n_bytes + n > t->max_bytes) {
        ingle_terms_fail(t, INGLE_EUNSUPPORTED, "the grammar's texts have more than %zu bytes",
                         t->max_bytes);
        return false;
    }
    if (!ingle_grow(&t->bytes, &t->cap_bytes, t->n_bytes + n + 1, 1)) return no_memory(t);
    if (n) memcpy(t->bytes + t->n_bytes, p, n);
    *at = (uint32_t)t->n_bytes;
    t->n_bytes += n;
    return true;
}

/* At most LITERAL_MAX bytes; given back to the pool if there is such a literal. */
static ingle_term short_literal(ingle_terms *t, const char *p, size_t n)
{
    uint32_t at;
    size_t n_terms = t->n, n_bytes = t->n_bytes;
    if (!add_bytes(t, p, n, &at)) return INGLE_TERM_NONE;
    ingle_term e = ingle_term_intern(t, TERM_LITERAL, at, (uint32_t)n, 0);
    if (t->n == n_terms) t->n_bytes = n_bytes;
    return e;
}

ingle_term ingle_term_literal(ingle_terms *t, const char *bytes, size_t n)
{
    if (t->status) return INGLE_TERM_NONE;
    ingle_term e = INGLE_TERM_EMPTY;
    while (n) { /* from the end */
        size_t last = n % LITERAL_MAX ? n % LITERAL_MAX : LITERAL_MAX;
        e = ingle_term_seq(t, short_literal(t, bytes + n - last, last), e);
        n -= last;
    }
    return e;
}

ingle_term ingle_term_bytes(ingle_terms *t, const uint64_t set[4])
{
    ingle_byte_set s;
    memcpy(s.word, set, sizeof s.word);
    if (t->status || ingle_set_is_empty(&s)) return INGLE_TERM_NONE;
    return ingle_term_intern(t, TERM_SET, ingle_byte_set_intern(t, &s), 0, 0);
}

/* ---- sequences ------------------------------------------------------------------------------- */

/* Two heads that are one: literals side by side, the same thing repeated twice. */
static bool join_heads(ingle_terms *t, ingle_term a, ingle_term b, ingle_term *joined)
{
    const ingle_node x = t->node[a], y = t->node[b];
    if (x.kind == TERM_LITERAL && y.kind == TERM_LITERAL && x.b + y.b <= LITERAL_MAX) {
        char text[LITERAL_MAX];
        memcpy(text, t->bytes + x.a, x.b);
        memcpy(text + x.b, t->bytes + y.a, y.b);
        *joined = short_literal(t, text, x.b + y.b);
        return true;
    }
    if (x.kind == TERM_REPEAT && y.kind == TERM_REPEAT && x.a == y.a) {
        uint64_t min = (uint64_t)x.b + y.b, max = (uint64_t)x.c + y.c;
        bool many = x.c == INGLE_TERM_MANY || y.c == INGLE_TERM_MANY;
        if (min >= INGLE_TERM_MANY || (!many && max >= INGLE_TERM_MANY)) return false;
        *joined = ingle_term_repeat(t, x.a, (uint32_t)min, many ? INGLE_TERM_MANY : (uint32_t)max);
        return true;
    }
    return false;
}

/* A head that is no sequence, and what follows. */
static ingle_term prepend(ingle_terms *t, ingle_term head, ingle_term tail)
{
    if (head == INGLE_TERM_NONE || tail == INGLE_TERM_NONE) return INGLE_TERM_NONE;
    if (head == INGLE_TERM_EMPTY) return tail;
    if (tail == INGLE_TERM_EMPTY) return head;
    const ingle_node *x = &t->node[tail];
    ingle_term joined, second = x->kind == TERM_SEQ ? x->a : tail,
                       rest = x->kind == TERM_SEQ ? x->b : INGLE_TERM_EMPTY;
    if (join_heads(t, head, second, &joined)) {
        if (rest == INGLE_TERM_EMPTY || t->status) return joined;
        return ingle_term_intern(t, TERM_SEQ, joined, rest, 0);
    }
    return ingle_term_intern(t, TERM_SEQ, head, tail, 0);
}

ingle_term ingle_term_seq(ingle_terms *t, ingle_term a, ingle_term b)
{
    if (t->status || a == INGLE_TERM_NONE || b == INGLE_TERM_NONE) return INGLE_TERM_NONE;
    if (b == INGLE_TERM_EMPTY) return a;
    size_t base = t->list.n;
    for (; t->node[a].kind == TERM_SEQ; a = t->node[a].b)
        if (!ingle_words_push(t, &t->list, t->node[a].a)) return INGLE_TERM_NONE;
    b = prepend(t, a, b);
    while (t->list.n > base) b = prepend(t, t->list.at[--t->list.n], b);
    return b;
}

ingle_term ingle_term_seq_of(ingle_terms *t, const ingle_term *list, size_t n)
{
    ingle_term e = INGLE_TERM_EMPTY;
    while (n--) e = ingle_term_seq(t, list[n], e);
    return t->status ? INGLE_TERM_NONE : e;
}

ingle_term ingle_term_spread(ingle_terms *t, ingle_term a, ingle_term b)
{
    if (t->status || a == INGLE_TERM_NONE || b == INGLE_TERM_NONE) return INGLE_TERM_NONE;
    if (t->node[a].kind != TERM_ALT) return ingle_term_seq(t, a, b);
    size_t base = t->list.n, n = t->node[a].b;
    for (size_t i = 0; i < n; i++) {
        ingle_term part = ingle_term_seq(t, t->words.at[t->node[a].a + i], b);
        if (!ingle_words_push(t, &t->list, part)) return INGLE_TERM_NONE;
    }
    ingle_term e = ingle_term_alt_of(t, t->list.at + base, n);
    t->list.n = base;
    return e;
}

/* ---- alternatives ---------------------------------------------------------------------------- */

typedef struct ingle_part {
    ingle_term head, tail;
} ingle_part;

static int by_head(const void *a, const void *b)
{
    const ingle_part *x = a, *y = b;
    if (x->head != y->head) return x->head < y->head ? -1 : 1;
    return (x->tail > y->tail) - (x->tail < y->tail);
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* The list from base on, sorted and with no term twice, as one term. */
static ingle_term alternatives(ingle_terms *t, size_t base)
{
    size_t n = t->list.n - base, kept = 0;
    if (!n) return INGLE_TERM_NONE;
    uint32_t *list = t->list.at + base;
    qsort(list, n, sizeof *list, by_number);
    for (size_t i = 0; i < n; i++)
        if (!kept || list[kept - 1] != list[i]) list[kept++] = list[i];
    if (kept < 2) return kept ? list[0] : INGLE_TERM_NONE;
    size_t n_terms = t->n, at = t->words.n;
    for (size_t i = 0; i < kept; i++)
        if (!ingle_words_push(t, &t->words, list[i])) return INGLE_TERM_NONE;
    ingle_term e = ingle_term_intern(t, TERM_ALT, (uint32_t)at, (uint32_t)kept, 0);
    if (t->n == n_terms) t->words.n = at;
    return e;
}

/* Parts with one head become one part, whose tail is the alternative of theirs: so states are as
 * many as heads, whatever lies below them. */
static bool factor(ingle_terms *t, size_t base)
{
    size_t n = t->list.n - base;
    ingle_part *part = ingle_new(n, sizeof *part);
    if (!part) return no_memory(t);
    for (size_t i = 0; i < n; i++)
        part[i] = (ingle_part){ingle_term_head(t, t->list.at[base + i]),
                               ingle_term_tail(t, t->list.at[base + i])};
    qsort(part, n, sizeof *part, by_head);
    t->list.n = base;
    for (size_t i = 0, next; i < n && !t->status; i = next) {
        size_t mark = t->list.n;
        for (next = i; next < n && part[next].head == part[i].head; next++)
            ingle_words_push(t, &t->list, part[next].tail);
        ingle_term tail = part[i].tail;
        if (next > i + 1 && part[i].head != INGLE_TERM_EMPTY)
            tail = ingle_term_alt_of(t, t->list.at + mark, next - i);
        t->list.n = mark;
        ingle_words_push(t, &t->list, prepend(t, part[i].head, tail));
    }
    free(part);
    return !t->status;
}

/* Whether two parts of the list from base on have one head. */
static bool has_twins(ingle_terms *t, size_t base)
{
    enum { FEW = 16 };
    size_t n = t->list.n - base;
    if (n > FEW) return true; /* sorting finds out */
    for (size_t i = 1; i < n; i++)
        for (size_t j = 0; j < i; j++)
            if (ingle_term_head(t, t->list.at[base + i]) ==
                ingle_term_head(t, t->list.at[base + j]))
                return true;
    return false;
}

/* What alternatives with common heads became, the last ones: their tails are alternatives again,
 * and one tail may be reached in two ways at each of many levels. The first is remembered when the
 * second asks. */
enum { MEMO_PARTS = 24 };

struct ingle_memo {
    uint32_t n; /* 0: free */
    ingle_term part[MEMO_PARTS], to;
};

static struct ingle_memo *memo_of(ingle_terms *t, const ingle_term *part, size_t n)
{
    if (n > MEMO_PARTS) return NULL;
    if (!t->memo && !(t->memo = ingle_new(INGLE_MEMOS, sizeof *t->memo))) no_memory(t);
    return t->memo ? &t->memo[hash_words(part, n) & (INGLE_MEMOS - 1)] : NULL;
}

void ingle_terms_forget_memo(ingle_terms *t)
{
    free(t->memo);
    t->memo = NULL;
}

/* The list from base on, in which parts have common heads. */
static ingle_term join(ingle_terms *t, size_t base)
{
    size_t n = t->list.n - base;
    struct ingle_memo *memo = memo_of(t, t->list.at + base, n), now = {.n = (uint32_t)n};
    if (memo) {
        memcpy(now.part, t->list.at + base, n * sizeof *now.part);
        if (memo->n == n && !memcmp(memo->part, now.part, n * sizeof *now.part)) return memo->to;
    }
    if (!factor(t, base)) return INGLE_TERM_NONE;
    now.to = alternatives(t, base);
    if (memo && !t->status) *memo = now;
    return now.to;
}

/* Work that makes no new terms counts too, so that it ends. */
static bool work(ingle_terms *t, size_t n)
{
    t->work += n;
    if (t->work <= t->work_limit) return true;
    ingle_terms_fail(t, INGLE_EUNSUPPORTED, "the grammar needs too much work");
    return false;
}

ingle_term ingle_term_alt_of(ingle_terms *t, const ingle_term *list, size_t n)
{
    if (t->status || !work(t, n)) return INGLE_TERM_NONE;
    size_t base = t->list.n;
    ptrdiff_t own = t->list.at && list >= t->list.at && list < t->list.at + t->list.cap
                        ? list - t->list.at
                        : -1; /* the list may move as it grows */
    for (size_t i = 0; i < n; i++) {
        ingle_term e = own >= 0 ? t->list.at[(size_t)own + i] : list[i];
        const ingle_node *x = &t->node[e];
        if (e == INGLE_TERM_ANY) return t->list.n = base, e;
        if (e == INGLE_TERM_NONE) continue;
        if (x->kind != TERM_ALT) ingle_words_push(t, &t->list, e);
        else
            for (uint32_t j = 0; j < x->b; j++)
                ingle_words_push(t, &t->list, t->words.at[x->a + j]);
        if (t->status) return INGLE_TERM_NONE;
    }
    bool twins = t->alt_depth < FACTOR_DEPTH && has_twins(t, base);
    t->alt_depth++;
    ingle_term e = twins ? join(t, base) : alternatives(t, base);
    t->alt_depth--;
    t->list.n = base;
    return e;
}

ingle_term ingle_term_alt(ingle_terms *t, ingle_term a, ingle_term b)
{
    if (a == b || b == INGLE_TERM_NONE) return a;
    if (a == INGLE_TERM_NONE) return b;
    ingle_term both[2] = {a, b};
    return ingle_term_alt_of(t, both, 2);
}

/* ---- repetition, intersection, the rest ------------------------------------------------------ */

/* (x{a,b}){c,d} is x{ac,bd} if no count in between is left out. */
static bool collapse(ingle_terms *t, const ingle_node *inner, uint32_t min, uint32_t max,
                     ingle_term *e)
{
    uint64_t a = inner->b, b = inner->c, c = min, d = max;
    if (b != INGLE_TERM_MANY && a > 1 && (c ? (b - a) * c < a - 1 : true)) return false;
    if (b == INGLE_TERM_MANY && !c && a > 1) return false;
    bool many = b == INGLE_TERM_MANY || d == INGLE_TERM_MANY;
    if (a * c >= INGLE_TERM_MANY || (!many && b * d >= INGLE_TERM_MANY)) {
        ingle_terms_fail(t, INGLE_EUNSUPPORTED,
                         "a repetition of a repetition counts beyond 4294967294");
        return *e = INGLE_TERM_NONE, true;
    }
    *e = ingle_term_repeat(t, inner->a, (uint32_t)(a * c),
                           many ? INGLE_TERM_MANY : (uint32_t)(b * d));
    return true;
}

ingle_term ingle_term_repeat(ingle_terms *t, ingle_term e, uint32_t min, uint32_t max)
{
    if (t->status) return INGLE_TERM_NONE;
    if (min > max)
        return ingle_terms_fail(t, INGLE_EINVAL, "a repetition of %u to %u times", min, max),
               INGLE_TERM_NONE;
    if (e == INGLE_TERM_NONE) return min ? INGLE_TERM_NONE : INGLE_TERM_EMPTY;
    if (e == INGLE_TERM_EMPTY || !max) return INGLE_TERM_EMPTY;
    if (min == 1 && max == 1) return e;
    if (e == INGLE_TERM_ANY) return e;
    const ingle_node x = t->node[e];
    ingle_term collapsed;
    if (x.kind == TERM_REPEAT && collapse(t, &x, min, max, &collapsed)) return collapsed;
    return ingle_term_intern(t, TERM_REPEAT, e, min, max);
}

/* What is left of ingle_term_within() after some text is one again. */
static bool is_regular(ingle_terms *t, ingle_term a, ingle_term b)
{
    if (t->n_static || !((t->node[a].flags | t->node[b].flags) & TERM_IRREGULAR)) return true;
    ingle_terms_fail(t, INGLE_EUNSUPPORTED, "an intersection with a part that may recur");
    return false;
}

ingle_term ingle_term_and(ingle_terms *t, ingle_term a, ingle_term b)
{
    if (t->status || a == INGLE_TERM_NONE || b == INGLE_TERM_NONE || !is_regular(t, a, b))
        return INGLE_TERM_NONE;
    if (a == b || b == INGLE_TERM_ANY) return a;
    if (a == INGLE_TERM_ANY) return b;
    if (a == INGLE_TERM_EMPTY || b == INGLE_TERM_EMPTY)
        return ingle_term_nullable(t, a) && ingle_term_nullable(t, b) ? INGLE_TERM_EMPTY
                                                                      : INGLE_TERM_NONE;
    return ingle_term_intern(t, TERM_AND, a < b ? a : b, a < b ? b : a, 0);
}

ingle_term ingle_term_minus(ingle_terms *t, ingle_term a, ingle_term b)
{
    if (t->status || a == INGLE_TERM_NONE || b == INGLE_TERM_ANY || a == b || !is_regular(t, a, b))
        return INGLE_TERM_NONE;
    if (b == INGLE_TERM_NONE) return a;
    if (a == INGLE_TERM_EMPTY) return ingle_term_nullable(t, b) ? INGLE_TERM_NONE : a;
    if (b == INGLE_TERM_EMPTY && !ingle_term_nullable(t, a)) return a;
    return ingle_term_intern(t, TERM_MINUS, a, b, 0);
}

ingle_term ingle_term_within(ingle_terms *t, ingle_term e, ingle_term guard)
{
    if (t->status || e == INGLE_TERM_NONE || guard == INGLE_TERM_NONE) return INGLE_TERM_NONE;
    if (!ingle_term_has(t, e, TERM_IRREGULAR)) return ingle_term_and(t, e, guard);
    if (!is_regular(t, guard, guard)) return INGLE_TERM_NONE;
    if (guard == INGLE_TERM_ANY) return e;
    return ingle_term_intern(t, TERM_AND, e < guard ? e : guard, e < guard ? guard : e, 0);
}

ingle_term ingle_term_some(ingle_terms *t, ingle_term e)
{
    if (t->status || e == INGLE_TERM_EMPTY) return INGLE_TERM_NONE;
    if (!ingle_term_nullable(t, e)) return e;
    return ingle_term_intern(t, TERM_SOME, e, 0, 0);
}

ingle_term ingle_term_multiple(ingle_terms *t, uint32_t by, uint32_t rest)
{
    if (t->status) return INGLE_TERM_NONE;
    if (!by || by > INT32_MAX || rest >= by)
        return ingle_terms_fail(t, INGLE_EINVAL, "a rest of %u at a division by %u", rest, by),
               INGLE_TERM_NONE;
    return ingle_term_intern(t, TERM_MULTIPLE, by, rest, 0);
}

ingle_term ingle_term_token(ingle_terms *t, int32_t token, bool other)
{
    if (t->status) return INGLE_TERM_NONE;
    return ingle_term_intern(t, TERM_TOKEN, (uint32_t)token, other, 0);
}

bool ingle_term_nullable(const ingle_terms *t, ingle_term e)
{
    return t->node[e].flags & TERM_NULLABLE;
}

/* ---- rules and producers --------------------------------------------------------------------- */

uint32_t ingle_rule_new(ingle_terms *t, const char *name, size_t len)
{
    uint32_t at;
    if (t->status) return 0;
    if (t->n_static) {
        ingle_terms_fail(t, INGLE_EINVAL, "a rule after the grammar is finished");
        return 0;
    }
    if (!add_bytes(t, name, len, &at)) return 0;
    if (!ingle_grow(&t->rule, &t->cap_rules, t->n_rules + 1, sizeof *t->rule))
        return no_memory(t), 0;
    t->rule[t->n_rules] = (ingle_rule){INGLE_UNKNOWN, at, (uint32_t)len};
    return (uint32_t)t->n_rules++;
}

ingle_term ingle_term_rule(ingle_terms *t, uint32_t rule)
{
    if (t->status) return INGLE_TERM_NONE;
    return ingle_term_intern(t, TERM_RULE, rule, 0, 0);
}

void ingle_rule_set(ingle_terms *t, uint32_t rule, ingle_term body)
{
    if (!t->status) t->rule[rule].body = body;
}

uint32_t ingle_producer_add(ingle_terms *t, ingle_producer *p)
{
    if (!ingle_grow(&t->producer, &t->cap_producers, t->n_producers + 1, sizeof *t->producer)) {
        if (p->free) p->free(p);
        return no_memory(t), 0;
    }
    t->producer[t->n_producers] = p;
    return (uint32_t)t->n_producers++;
}

ingle_term ingle_term_produced(ingle_terms *t, uint32_t producer, const uint32_t *state, size_t n,
                               bool nullable)
{
    if (t->status) return INGLE_TERM_NONE;
    if (producer >= t->n_producers || n > 64)
        return ingle_terms_fail(t, INGLE_EINVAL, "producer %u with %zu words", producer, n),
               INGLE_TERM_NONE;
    size_t at = t->words.n, n_terms = t->n;
    ingle_words_push(t, &t->words, INGLE_UNKNOWN);
    for (size_t i = 0; i < n; i++) ingle_words_push(t, &t->words, state[i]);
    ingle_term e = ingle_term_intern(t, TERM_PRODUCED, producer, (uint32_t)at, (uint32_t)n);
    if (t->n == n_terms) t->words.n = at;
    else if (nullable) t->node[e].flags |= TERM_NULLABLE;
    return e;
}

ingle_term ingle_term_body(ingle_terms *t, ingle_term e)
{
    const ingle_node x = t->node[e];
    if (x.kind == TERM_RULE) return t->rule[x.a].body;
    assert(x.kind == TERM_PRODUCED);
    if (t->words.at[x.b] != INGLE_UNKNOWN) return t->words.at[x.b];
    uint32_t state[64];
    memcpy(state, t->words.at + x.b + 1, x.c * sizeof *state);
    ingle_term body = t->producer[x.a]->body(t->producer[x.a], t, state, x.c);
    if (!t->status) t->words.at[x.b] = body; /* else it is made again */
    return body;
}
