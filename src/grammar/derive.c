/* derive.c - what is left of a language after a byte (Brzozowski, Derivatives of regular
 * expressions, 1964), with rules and producers followed, and each result kept for all bytes that
 * have it. A stack of its own instead of recursion. */
#include "grammar/table.h"

enum { MAX_FRAMES = 1 << 20, SEARCH_STATES = 20000 };

static bool no_memory(ingle_terms *t)
{
    ingle_terms_fail(t, INGLE_ENOMEM, "no memory for the states of a grammar");
    return false;
}

static bool push(ingle_terms *t, ingle_term e, bool all)
{
    if (t->n_frames == MAX_FRAMES) {
        ingle_terms_fail(t, INGLE_EUNSUPPORTED, "the grammar is nested too deeply");
        return false;
    }
    if (t->n_frames == t->cap_frames &&
        !ingle_grow(&t->frame, &t->cap_frames, t->n_frames + 1, sizeof *t->frame))
        return no_memory(t);
    t->frame[t->n_frames++] = (ingle_frame){
        .e = e, .mark = (uint32_t)t->list.n, .set = all ? ingle_set_all() : (ingle_byte_set){{0}}};
    return true;
}

/* ---- first bytes ----------------------------------------------------------------------------- */

/* What follows a search's byte: INGLE_FOUND of another text leads nowhere. */
static bool search_dies(const ingle_node *x, uint16_t to)
{
    return to >= INGLE_FOUND && (uint32_t)(to - INGLE_FOUND) + 1 != x->c;
}

static ingle_byte_set until_first(const ingle_terms *t, const ingle_node *x)
{
    ingle_byte_set s = ingle_set_all();
    const uint16_t *row = t->searcher[x->a].row[x->b];
    for (size_t i = 0; i < 256; i++)
        if (search_dies(x, row[i])) s.word[i >> 6] &= ~((uint64_t)1 << (i & 63));
    return s;
}

/* False: it has parts. */
static bool leaf_first(ingle_terms *t, ingle_term e, ingle_byte_set *s)
{
    const ingle_node *x = &t->node[e];
    *s = (ingle_byte_set){{0}};
    switch ((ingle_term_kind)x->kind) {
    case TERM_NONE:
    case TERM_EMPTY:
    case TERM_TOKEN: return true;
    case TERM_ANY: return *s = ingle_set_all(), true;
    case TERM_LITERAL: return ingle_set_add(s, (unsigned char)t->bytes[x->a]), true;
    case TERM_SET: return *s = t->set[x->a], true;
    case TERM_CHARS:
    case TERM_PART: return *s = ingle_chars_first(t, e), true;
    case TERM_MULTIPLE: return s->word[0] = (uint64_t)0x3ff << '0', true;
    case TERM_UNTIL: return *s = until_first(t, x), true;
    case TERM_SEQ:
    case TERM_ALT:
    case TERM_REPEAT:
    case TERM_AND:
    case TERM_MINUS:
    case TERM_SOME:
    case TERM_RULE:
    case TERM_PRODUCED: break;
    }
    return false;
}

ingle_term ingle_term_child(ingle_terms *t, ingle_term e, uint32_t i, bool both)
{
    const ingle_node *x = &t->node[e];
    switch ((ingle_term_kind)x->kind) {
    case TERM_SEQ:
        if (i == 0) return x->a;
        return i == 1 && ingle_term_nullable(t, x->a) ? x->b : INGLE_UNKNOWN;
    case TERM_ALT: return i < x->b ? t->words.at[x->a + i] : INGLE_UNKNOWN;
    case TERM_AND: return i < 2 ? (i ? x->b : x->a) : INGLE_UNKNOWN;
    case TERM_MINUS: return i == 0 ? x->a : i == 1 && both ? x->b : INGLE_UNKNOWN;
    case TERM_REPEAT:
    case TERM_SOME: return i ? INGLE_UNKNOWN : x->a;
    case TERM_RULE:
    case TERM_PRODUCED: return i ? INGLE_UNKNOWN : ingle_term_body(t, e);
    default: return INGLE_UNKNOWN;
    }
}

/* Keeps the answer; 0 is the empty set's number plus 1 and never INGLE_UNKNOWN. */
static void keep_first(ingle_terms *t, ingle_term e, const ingle_byte_set *s, bool takes)
{
    uint32_t number = ingle_byte_set_intern(t, s);
    if (takes) t->node[e].flags |= TERM_TAKES;
    t->node[e].first = t->status ? 0 : number + 1;
}

static void merge_first(ingle_frame *f, unsigned kind, const ingle_byte_set *s, bool takes)
{
    bool both = kind == TERM_AND && f->i;
    if (both) ingle_set_and(&f->set, s);
    else ingle_set_or(&f->set, s);
    f->takes = both ? f->takes && takes : f->takes || takes;
    f->i++;
}

/* The first frame above base is asked about; the others wait for it. */
static void find_first(ingle_terms *t, size_t base)
{
    while (t->n_frames > base && !t->status) {
        ingle_frame *f = &t->frame[t->n_frames - 1];
        ingle_term e = f->e, c = ingle_term_child(t, e, f->i, false);
        if (c == INGLE_UNKNOWN) {
            ingle_byte_set s = f->set;
            keep_first(t, e, &s, f->takes);
            t->n_frames--;
        } else if (t->node[c].first == INGLE_UNKNOWN) {
            ingle_terms_fail(t, INGLE_EFORMAT, "a part of the grammar begins with itself");
        } else if (t->node[c].first) {
            merge_first(f, t->node[e].kind, &t->set[t->node[c].first - 1],
                        t->node[c].flags & TERM_TAKES);
        } else {
            ingle_byte_set s;
            if (leaf_first(t, c, &s)) keep_first(t, c, &s, t->node[c].kind == TERM_TOKEN);
            else if (push(t, c, false)) t->node[c].first = INGLE_UNKNOWN;
        }
    }
}

const ingle_byte_set *ingle_term_first(ingle_terms *t, ingle_term e)
{
    ingle_byte_set s;
    size_t base = t->n_frames;
    if (!t->node[e].first) {
        if (leaf_first(t, e, &s)) keep_first(t, e, &s, t->node[e].kind == TERM_TOKEN);
        else if (push(t, e, false)) {
            t->node[e].first = INGLE_UNKNOWN;
            find_first(t, base);
        }
    }
    while (t->n_frames > base) t->node[t->frame[--t->n_frames].e].first = 0; /* after a failure */
    return &t->set[t->node[e].first ? t->node[e].first - 1 : 0];
}

bool ingle_term_takes_tokens(ingle_terms *t, ingle_term e)
{
    ingle_term_first(t, e);
    return t->node[e].flags & TERM_TAKES;
}

/* ---- derivatives ----------------------------------------------------------------------------- */

/* By a byte, or by a token as a token. */
typedef struct ingle_input {
    int byte; /* -1: the token */
    int32_t token;
} ingle_input;

static ingle_term literal_derive(ingle_terms *t, const ingle_node *x, unsigned char b,
                                 ingle_byte_set *same)
{
    *same = (ingle_byte_set){{0}};
    ingle_set_add(same, (unsigned char)t->bytes[x->a]);
    if ((unsigned char)t->bytes[x->a] == b)
        return x->b == 1 ? INGLE_TERM_EMPTY
                         : ingle_term_intern(t, TERM_LITERAL, x->a + 1, x->b - 1, 0);
    for (size_t i = 0; i < 4; i++) same->word[i] = ~same->word[i];
    return INGLE_TERM_NONE;
}

static ingle_term multiple_derive(ingle_terms *t, const ingle_node *x, unsigned char b,
                                  ingle_byte_set *same)
{
    *same = (ingle_byte_set){{0}};
    if (b < '0' || b > '9') {
        same->word[0] = ~((uint64_t)0x3ff << '0');
        same->word[1] = same->word[2] = same->word[3] = ~0ull;
        return INGLE_TERM_NONE;
    }
    ingle_set_add(same, b);
    uint32_t rest = (uint32_t)(((uint64_t)(x->c & INT32_MAX) * 10 + (b - '0')) % x->a);
    return ingle_term_intern(t, TERM_MULTIPLE, x->a, x->b, rest | 1u << 31);
}

static ingle_term until_derive(ingle_terms *t, const ingle_node *x, unsigned char b,
                               ingle_byte_set *same)
{
    const uint16_t *row = t->searcher[x->a].row[x->b];
    *same = (ingle_byte_set){{0}};
    for (size_t i = 0; i < 256; i++)
        if (row[i] == row[b]) ingle_set_add(same, (unsigned char)i);
    if (row[b] >= INGLE_FOUND) return search_dies(x, row[b]) ? INGLE_TERM_NONE : INGLE_TERM_EMPTY;
    return ingle_term_intern(t, TERM_UNTIL, x->a, row[b], x->c);
}

/* False: it has parts. */
static bool leaf_derive(ingle_terms *t, ingle_term e, ingle_input in, ingle_byte_set *same,
                        ingle_term *to)
{
    const ingle_node x = t->node[e];
    unsigned char b = (unsigned char)in.byte;
    *same = ingle_set_all();
    *to = INGLE_TERM_NONE;
    if (in.byte < 0 && x.kind < TERM_SEQ) {
        if (x.kind == TERM_TOKEN && ((int32_t)x.a == in.token) != (bool)x.b) *to = INGLE_TERM_EMPTY;
        return true;
    }
    switch ((ingle_term_kind)x.kind) {
    case TERM_NONE:
    case TERM_EMPTY:
    case TERM_TOKEN: return true;
    case TERM_ANY: return *to = e, true;
    case TERM_LITERAL: return *to = literal_derive(t, &x, b, same), true;
    case TERM_SET:
        *same = t->set[x.a];
        if (ingle_set_has(same, b)) return *to = INGLE_TERM_EMPTY, true;
        for (size_t i = 0; i < 4; i++) same->word[i] = ~same->word[i];
        return true;
    case TERM_CHARS:
    case TERM_PART: return *to = ingle_chars_derive(t, e, b, same), true;
    case TERM_MULTIPLE: return *to = multiple_derive(t, &x, b, same), true;
    case TERM_UNTIL: return *to = until_derive(t, &x, b, same), true;
    case TERM_SEQ:
    case TERM_ALT:
    case TERM_REPEAT:
    case TERM_AND:
    case TERM_MINUS:
    case TERM_SOME:
    case TERM_RULE:
    case TERM_PRODUCED: break;
    }
    return false;
}

/* A leaf's, or one that is known. */
static bool known(ingle_terms *t, ingle_term e, ingle_input in, ingle_byte_set *same,
                  ingle_term *to)
{
    if (t->node[e].kind < TERM_SEQ) return leaf_derive(t, e, in, same, to);
    if (in.byte < 0) return false;
    for (uint32_t g = t->node[e].groups; g; g = t->group[g - 1].next) {
        const ingle_group *group = &t->group[g - 1];
        if (!ingle_set_has(&group->set, (unsigned char)in.byte)) continue;
        *same = group->set;
        *to = group->to;
        return true;
    }
    return false;
}

enum {
    GROUPS_COMPILING = 200000
}; /* what compiling may derive, to ask whether something is empty */

static void keep_group(ingle_terms *t, ingle_term e, const ingle_byte_set *same, ingle_term to)
{
    t->work++;
    if (t->work > t->work_limit || (!t->n_static && t->n_groups >= GROUPS_COMPILING))
        ingle_terms_fail(t, INGLE_EUNSUPPORTED, "the grammar needs too much work");
    if (t->status) return;
    if (t->n_groups == t->cap_groups &&
        !ingle_grow(&t->group, &t->cap_groups, t->n_groups + 1, sizeof *t->group)) {
        no_memory(t);
        return;
    }
    t->group[t->n_groups] = (ingle_group){*same, to, t->node[e].groups};
    t->node[e].groups = (uint32_t)++t->n_groups;
}

/* The answers about the parts lie on the list from the frame's mark on. */
static ingle_term combine(ingle_terms *t, const ingle_frame *f)
{
    const ingle_node x = t->node[f->e];
    const uint32_t *got = t->list.at + f->mark;
    ingle_term to;
    switch ((ingle_term_kind)x.kind) {
    case TERM_SEQ:
        to = f->i > 1 ? got[1] : INGLE_TERM_NONE;
        return ingle_term_alt(t, ingle_term_spread(t, got[0], x.b), to);
    case TERM_ALT: return ingle_term_alt_of(t, got, t->list.n - f->mark);
    case TERM_REPEAT:
        to = ingle_term_repeat(t, x.a, x.b && !ingle_term_nullable(t, x.a) ? x.b - 1 : 0,
                               x.c == INGLE_TERM_MANY ? x.c : x.c - 1);
        return ingle_term_spread(t, t->list.at[f->mark], to);
    case TERM_AND: return ingle_term_and(t, got[0], got[1]);
    case TERM_MINUS: return ingle_term_minus(t, got[0], got[1]);
    default: return got[0];
    }
}

/* Alternatives that cannot begin with the byte need no answer. */
static bool passes_over(ingle_terms *t, ingle_frame *f, ingle_term c, ingle_input in)
{
    if (in.byte < 0 || t->node[f->e].kind != TERM_ALT || t->node[c].kind < TERM_SEQ) return false;
    size_t at = (size_t)(f - t->frame);
    const ingle_byte_set *first = ingle_term_first(t, c);
    if (t->status || ingle_set_has(first, (unsigned char)in.byte)) return false;
    ingle_set_minus(&t->frame[at].set, first);
    t->frame[at].i++;
    return true;
}

static ingle_term run(ingle_terms *t, ingle_term e, ingle_input in, ingle_byte_set *same)
{
    size_t base = t->n_frames, list = t->list.n;
    ingle_term to = INGLE_TERM_NONE;
    if (known(t, e, in, same, &to)) return t->status ? INGLE_TERM_NONE : to;
    push(t, e, true);
    while (t->n_frames > base && !t->status) {
        ingle_frame *f = &t->frame[t->n_frames - 1];
        ingle_term c = ingle_term_child(t, f->e, f->i, true);
        if (t->status) break;
        if (c == INGLE_UNKNOWN) {
            ingle_frame done = *f;
            to = combine(t, &done);
            if (in.byte >= 0) keep_group(t, done.e, &done.set, to);
            t->list.n = done.mark;
            *same = done.set;
            if (--t->n_frames == base) break;
        } else if (passes_over(t, f, c, in)) {
            continue;
        } else if (!known(t, c, in, same, &to)) {
            push(t, c, true);
            continue;
        }
        f = &t->frame[t->n_frames - 1];
        ingle_set_and(&f->set, same);
        f->i++;
        ingle_words_push(t, &t->list, to);
    }
    t->n_frames = base;
    t->list.n = list;
    return t->status ? INGLE_TERM_NONE : to;
}

ingle_term ingle_term_derive(ingle_terms *t, ingle_term e, unsigned char b, ingle_byte_set *same)
{
    ingle_byte_set own;
    return run(t, e, (ingle_input){.byte = b}, same ? same : &own);
}

/* ---- emptiness ------------------------------------------------------------------------------- */

/* A search through the states that e leads to, breadth first, until one has the empty text. */
enum { SLOTS = 1 << 16 };
typedef struct ingle_search {
    uint32_t state[SEARCH_STATES]; /* in the order they were found */
    uint32_t from[SEARCH_STATES];  /* the place of the one before */
    uint32_t place[SEARCH_STATES]; /* its slot */
    uint32_t slot[SLOTS];          /* hash table of places, plus 1; all 0 between searches */
    size_t n;
} ingle_search;

static bool visit(ingle_search *s, ingle_term e, size_t from)
{
    uint32_t h = (e * 0x9e3779b1u) >> 16;
    for (; s->slot[h]; h = (h + 1) & (SLOTS - 1))
        if (s->state[s->slot[h] - 1] == e) return true;
    if (s->n == SEARCH_STATES) return false;
    s->state[s->n] = e;
    s->from[s->n] = (uint32_t)from;
    s->place[s->n] = h;
    s->slot[h] = (uint32_t)++s->n;
    return true;
}

static bool is_narrow(const ingle_terms *t, ingle_term e)
{
    return t->node[e].kind == TERM_AND || t->node[e].kind == TERM_MINUS;
}

/* A part that may recur, between two occurrences of what is not to be in it: it is taken for live,
 * for a search through its states would not end. */
static bool is_open(const ingle_terms *t, ingle_term e)
{
    const ingle_node *x = &t->node[e];
    if (x->kind != TERM_AND || !(x->flags & TERM_IRREGULAR)) return false;
    bool first = ingle_term_has(t, x->a, TERM_IRREGULAR);
    const ingle_node *guard = &t->node[ingle_term_head(t, first ? x->b : x->a)];
    return guard->kind == TERM_UNTIL && !guard->b && !guard->c &&
           !ingle_term_has(t, first ? x->a : x->b, TERM_NARROW);
}

/* Known without a search. Once rules are made, what follows a head leads somewhere. */
static bool surely_live(const ingle_terms *t, ingle_term e)
{
    const ingle_node *x = &t->node[e];
    if (e == INGLE_TERM_NONE) return false;
    if (x->flags & (TERM_NULLABLE | TERM_LIVE) || !(x->flags & TERM_NARROW)) return true;
    if (!t->n_static) return false;
    if (x->kind != TERM_ALT) return !is_narrow(t, ingle_term_head(t, e)) || is_open(t, e);
    for (uint32_t i = 0; i < x->b; i++) {
        ingle_term part = t->words.at[x->a + i];
        if (!is_narrow(t, ingle_term_head(t, part)) || is_open(t, part)) return true;
    }
    return false;
}

static bool go_on(ingle_terms *t, ingle_search *s, size_t at, size_t *live)
{
    ingle_byte_set same, left = *ingle_term_first(t, s->state[at]);
    if (t->node[s->state[at]].flags & TERM_TAKES) return *live = at, true;
    while (!ingle_set_is_empty(&left) && !t->status) {
        unsigned b = 0;
        while (!left.word[b >> 6]) b += 64;
        b += (unsigned)__builtin_ctzll(left.word[b >> 6]);
        ingle_term to = ingle_term_derive(t, s->state[at], (unsigned char)b, &same);
        ingle_set_add(&same, (unsigned char)b);
        ingle_set_minus(&left, &same);
        if (to == INGLE_TERM_NONE || t->node[to].flags & TERM_DEAD) continue;
        if (!visit(s, to, at)) return false;
        if (surely_live(t, to)) return *live = s->n - 1, true;
    }
    return true;
}

static void mark_dead(ingle_terms *t, const ingle_search *s)
{
    for (size_t i = 0; i < s->n; i++)
        if (is_narrow(t, s->state[i])) t->node[s->state[i]].flags |= TERM_DEAD;
}

static void mark_live(ingle_terms *t, const ingle_search *s, size_t i)
{
    for (;; i = s->from[i]) {
        if (is_narrow(t, s->state[i])) t->node[s->state[i]].flags |= TERM_LIVE;
        if (!i) return;
    }
}

ingle_status ingle_term_is_empty(ingle_terms *t, ingle_term e, bool *empty)
{
    *empty = e == INGLE_TERM_NONE || t->node[e].flags & TERM_DEAD;
    if (*empty || t->status || surely_live(t, e)) return t->status;
    if (!t->search && !(t->search = ingle_new(1, sizeof *t->search))) no_memory(t);
    ingle_search *s = t->search;
    size_t live = SIZE_MAX;
    bool decided = s && visit(s, e, 0);
    for (size_t i = 0; decided && i < s->n && live == SIZE_MAX && !t->status; i++)
        decided = go_on(t, s, i, &live);
    if (!t->status && decided) {
        if (live == SIZE_MAX) mark_dead(t, s);
        else mark_live(t, s, live);
        *empty = live == SIZE_MAX;
    }
    for (size_t i = 0; s && i < s->n; i++) s->slot[s->place[i]] = 0;
    if (s) s->n = 0;
    return t->status ? t->status : decided ? INGLE_OK : INGLE_EUNSUPPORTED;
}

ingle_status ingle_term_matches(ingle_terms *t, ingle_term e, const char *bytes, size_t n,
                                bool *matches)
{
    for (size_t i = 0; i < n && e != INGLE_TERM_NONE; i++)
        e = ingle_term_derive(t, e, (unsigned char)bytes[i], NULL);
    *matches = !t->status && ingle_term_nullable(t, e);
    return t->status;
}

/* ---- states ---------------------------------------------------------------------------------- */

/* Whether a part leads somewhere. Only what an intersection has become is in doubt, and that is a
 * head. */
static bool leads_on(ingle_terms *t, ingle_term part)
{
    ingle_term head = ingle_term_head(t, part);
    bool empty = false;
    if (!is_narrow(t, head)) return true;
    if (ingle_term_is_empty(t, head, &empty) == INGLE_EUNSUPPORTED && !t->status)
        t->node[head].flags |=
            TERM_LIVE; /* too many states to tell; if not, the text will not end */
    return !empty;
}

static ingle_term prune(ingle_terms *t, ingle_term e)
{
    if (!(t->node[e].flags & TERM_NARROW) || t->status) return e;
    if (t->node[e].kind != TERM_ALT) return leads_on(t, e) ? e : INGLE_TERM_NONE;
    size_t base = t->list.n, n = t->node[e].b;
    for (size_t i = 0; i < n; i++) {
        ingle_term part = t->words.at[t->node[e].a + i];
        if (leads_on(t, part)) ingle_words_push(t, &t->list, part);
    }
    if (t->list.n - base < n) e = ingle_term_alt_of(t, t->list.at + base, t->list.n - base);
    t->list.n = base;
    return t->status ? INGLE_TERM_NONE : e;
}

static bool new_row(ingle_terms *t, ingle_term e)
{
    if (t->n_rows == t->cap_rows &&
        !ingle_grow(&t->row, &t->cap_rows, t->n_rows + 1, sizeof *t->row))
        return no_memory(t);
    if (!ingle_grow(&t->leads, &t->cap_leads, t->n_rows + 1, sizeof *t->leads)) return no_memory(t);
    t->leads[t->n_rows] = 0;
    memset(t->row[t->n_rows], 0xff, sizeof *t->row);
    t->node[e].row = (uint32_t)++t->n_rows;
    return true;
}

ingle_term ingle_term_step_slowly(ingle_terms *t, ingle_term e, unsigned char b)
{
    ingle_byte_set same;
    ingle_term to = prune(t, ingle_term_derive(t, e, b, &same));
    if (!t->status && !t->node[e].row && t->n_rows >= INGLE_MANY_ROWS) return to;
    if (t->status || (!t->node[e].row && !new_row(t, e))) return INGLE_TERM_NONE;
    uint32_t *row = t->row[t->node[e].row - 1];
    ingle_set_add(&same, b);
    for (size_t w = 0; w < 4; w++)
        for (uint64_t bits = same.word[w]; bits; bits &= bits - 1)
            row[64 * w + (size_t)__builtin_ctzll(bits)] = to;
    return to;
}

/* ---- characters that lead to one state ------------------------------------------------------- */

static bool all_lead(ingle_terms *t, ingle_term from, unsigned low, unsigned high, ingle_term to)
{
    for (unsigned b = low; b <= high; b++)
        if (ingle_term_step(t, from, (unsigned char)b) != to) return false;
    return true;
}

/* Whether every character that is not ASCII leads there (Unicode, table 3-7). */
static bool high_leads(ingle_terms *t, ingle_term e, ingle_term to)
{
    static const unsigned char range[][4] = {/* first bytes, second bytes */
                                             {0xc2, 0xdf, 0x80, 0xbf}, {0xe0, 0xe0, 0xa0, 0xbf},
                                             {0xe1, 0xec, 0x80, 0xbf}, {0xed, 0xed, 0x80, 0x9f},
                                             {0xee, 0xef, 0x80, 0xbf}, {0xf0, 0xf0, 0x90, 0xbf},
                                             {0xf1, 0xf3, 0x80, 0xbf}, {0xf4, 0xf4, 0x80, 0x8f}};
    for (size_t i = 0; i < sizeof range / sizeof *range; i++) {
        ingle_term after = ingle_term_step(t, e, range[i][0]);
        if (after == INGLE_TERM_NONE || !all_lead(t, e, range[i][0], range[i][1], after))
            return false;
        unsigned low = range[i][2], high = range[i][3];
        for (unsigned rest = i == 0 ? 1 : i < 5 ? 2 : 3; rest; rest--, low = 0x80, high = 0xbf) {
            ingle_term next = ingle_term_step(t, after, (unsigned char)low);
            if (next == INGLE_TERM_NONE || !all_lead(t, after, low, high, next)) return false;
            after = next;
        }
        if (after != to) return false;
    }
    return !t->status;
}

ingle_byte_set ingle_term_leading(ingle_terms *t, ingle_term e, ingle_term to, bool *high)
{
    ingle_byte_set s = {{0}};
    for (unsigned b = 0; b < 128; b++)
        if (ingle_term_step(t, e, (unsigned char)b) == to) ingle_set_add(&s, (unsigned char)b);
    *high = high_leads(t, e, to);
    return s;
}

/* ---- texts ----------------------------------------------------------------------------------- */

ingle_term ingle_term_after(ingle_terms *t, ingle_term e, const char *bytes, size_t n)
{
    for (size_t i = 0; i < n && e != INGLE_TERM_NONE; i++)
        e = ingle_term_step(t, e, (unsigned char)bytes[i]);
    return e;
}

ingle_term ingle_term_after_token(ingle_terms *t, ingle_term e, int32_t token)
{
    ingle_byte_set same;
    return prune(t, run(t, e, (ingle_input){.byte = -1, .token = token}, &same));
}
