/* mask.c - the tokens that a state admits. The alternatives of a state are looked at one by one:
 *
 * - A run, such as the inside of a JSON string, admits all tokens that stay inside of a class of
 *   characters, which are known beforehand (trie.h), and of the others those whose exit from the
 *   class leads on; so only exits are walked. A state that the class leads back to itself is one as
 *   a whole.
 * - A difference, such as any name but the known ones, admits what its first part admits, but for
 *   tokens along the texts of its second part; so only those are walked.
 * - For all the rest the vocabulary's tree is walked from its root, where a byte that leads nowhere
 *   ends a whole subtree, and one that only goes round in a state is taken whole. */
#include "grammar/mask.h"

enum { MAX_DEPTH = 4 }; /* of differences in one another */

/* A node under way: its subtree ends at `end`, its state is `at`. */
typedef struct ingle_descent {
    uint32_t end;
    ingle_term at;
} ingle_descent;

bool ingle_masker_open(ingle_masker *m, ingle_terms *terms, const ingle_trie *trie)
{
    *m = (ingle_masker){.terms = terms, .trie = trie};
    m->bits = ingle_new(trie->n_words, sizeof *m->bits);
    m->list = ingle_new(INGLE_MASK_FEW, sizeof *m->list);
    m->stack = ingle_new(trie->longest + 2, sizeof *m->stack);
    return m->bits && m->list && m->stack;
}

void ingle_masker_close(ingle_masker *m)
{
    free(m->bits);
    free(m->list);
    free(m->stack);
    free(m->rest.at);
}

/* ---- sets of tokens -------------------------------------------------------------------------- */

static void add_token(ingle_masker *m, uint32_t token)
{
    uint32_t bit = 1u << token % 32, *word = &m->bits[token / 32];
    if (*word & bit) return;
    *word |= bit;
    if (m->n < INGLE_MASK_FEW) m->list[m->n] = token;
    m->n++;
}

static void add_ranks(ingle_masker *m, uint32_t from, uint32_t to)
{
    for (uint32_t r = from; r < to; r++) add_token(m, m->trie->token[r]);
}

static void add_bits(ingle_masker *m, const uint32_t *bits)
{
    for (size_t i = 0; i < m->trie->n_words; i++) m->bits[i] |= bits[i];
    m->n = INGLE_MASK_FEW + 1;
}

/* ---- where most characters lead -------------------------------------------------------------- */

enum { LEADS_KNOWN = 60 };
_Static_assert((int)LEADS_KNOWN < (int)INGLE_GROUP_CUT, "a bit that is no group");

/* The state that letters lead to; INGLE_TERM_NONE: none do. */
static ingle_term next_of(ingle_masker *m, ingle_term e)
{
    static const char probe[] = {'h', 'H', ' '};
    ingle_term to = INGLE_TERM_NONE;
    for (size_t i = 0; i < sizeof probe && to == INGLE_TERM_NONE; i++)
        to = ingle_term_step(m->terms, e, (unsigned char)probe[i]);
    return to;
}

/* Groups of characters all of which lead there; remembered if the state has a row. */
static uint64_t leads_of(ingle_masker *m, ingle_term e, ingle_term to)
{
    ingle_terms *t = m->terms;
    const uint32_t row = t->node[e].row;
    uint64_t known = row ? t->leads[row - 1] : 0;
    if (!known) {
        bool high;
        ingle_byte_set s = ingle_term_leading(t, e, to, &high);
        known = ingle_groups_inside(s.word) | (uint64_t)high << INGLE_GROUP_HIGH |
                (uint64_t)1 << LEADS_KNOWN;
        if (row) t->leads[row - 1] = known;
    }
    return known & ~((uint64_t)1 << LEADS_KNOWN);
}

/* ---- walking --------------------------------------------------------------------------------- */

enum { LARGE = 64 }; /* nodes of a subtree that is worth a look at loops */

/* Whether all tokens of the subtree only go round in the state. */
static bool goes_round(ingle_masker *m, uint32_t node, ingle_term at)
{
    return m->trie->end[node] - node > LARGE &&
           ingle_term_step(m->terms, at, m->trie->byte[node]) == at && next_of(m, at) == at &&
           !(m->trie->below[node] & ~leads_of(m, at, at));
}

/* The tokens of the subtree below a node, from the state after it. */
static void walk(ingle_masker *m, uint32_t node, ingle_term at)
{
    const ingle_trie *trie = m->trie;
    const uint32_t last = trie->end[node];
    ingle_descent *top = m->stack;
    *top = (ingle_descent){last, at};
    for (uint32_t i = node + 1; i < last;) {
        while (top->end <= i) top--;
        ingle_term to = ingle_term_step(m->terms, top->at, trie->byte[i]);
        m->n_nodes++;
        if (to == INGLE_TERM_NONE) {
            i = trie->end[i];
            continue;
        }
        if (goes_round(m, i, to)) {
            add_ranks(m, trie->rank[i], trie->rank[trie->end[i]]);
            i = trie->end[i];
            continue;
        }
        add_ranks(m, trie->rank[i], trie->rank[i + 1]);
        if (trie->end[i] > i + 1) *++top = (ingle_descent){trie->end[i], to};
        i++;
    }
}

/* ---- runs ------------------------------------------------------------------------------------ */

/* What a part that begins with a repetition of characters is: e{min,max} tail. */
typedef struct ingle_run_state {
    ingle_term whole; /* INGLE_TERM_NONE, or the state during all of it */
    ingle_term e, tail;
    uint32_t min, max;
    uint64_t inside, leave;
} ingle_run_state;

static const ingle_char_class *class_of(const ingle_terms *t, ingle_term e)
{
    return t->node[e].kind == TERM_CHARS ? &t->class[t->node[e].a] : NULL;
}

/* The alternative of e that is the largest class of characters; what the others begin with. */
static const ingle_char_class *main_class(ingle_terms *t, ingle_term e, ingle_byte_set *others)
{
    const ingle_node x = t->node[e];
    const ingle_char_class *best = class_of(t, e);
    ingle_term chosen = e;
    int most = -1;
    if (x.kind != TERM_ALT) return best;
    for (uint32_t i = 0; i < x.b; i++) {
        ingle_term part = t->words.at[x.a + i];
        const ingle_char_class *c = class_of(t, part);
        int n = c ? __builtin_popcountll(c->ascii[0]) + __builtin_popcountll(c->ascii[1]) : -1;
        if (n > most) best = c, most = n, chosen = part;
    }
    for (uint32_t i = 0; i < x.b && best; i++)
        if (t->words.at[x.a + i] != chosen)
            ingle_set_or(others, ingle_term_first(t, t->words.at[x.a + i]));
    return best;
}

/* Groups of characters that begin with a byte of the set. */
static uint64_t touched(const ingle_byte_set *s)
{
    uint64_t high = s->word[2] | s->word[3] ? (uint64_t)3 << INGLE_GROUP_HIGH : 0;
    return high | ingle_groups_touched(s->word);
}

/* Whether a run is worth it: one with most letters, or all that is not ASCII. */
static bool is_wide(uint64_t inside)
{
    return inside >> ingle_group_of('g') & 1 || inside >> ingle_group_of('G') & 1 ||
           inside >> INGLE_GROUP_HIGH & 1;
}

/* Whether a state is one by itself: it stays what it is, however many of the characters come. */
static bool as_loop(ingle_masker *m, ingle_term state, ingle_run_state *r)
{
    ingle_terms *t = m->terms;
    if (next_of(m, state) != state || t->status) return false;
    *r = (ingle_run_state){
        .whole = state, .max = INGLE_TERM_MANY, .inside = leads_of(m, state, state)};
    r->leave = touched(ingle_term_first(t, state)) & ~r->inside;
    return !t->status && is_wide(r->inside);
}

/* Whether a part is a run. */
static bool as_run(ingle_terms *t, ingle_term part, ingle_run_state *r)
{
    const ingle_node x = t->node[ingle_term_head(t, part)];
    ingle_byte_set out = {{0}};
    if (x.kind != TERM_REPEAT) return false;
    *r = (ingle_run_state){.e = x.a, .min = x.b, .max = x.c, .tail = ingle_term_tail(t, part)};
    const ingle_char_class *c = main_class(t, r->e, &out);
    if (!c) return false;
    ingle_set_or(&out, ingle_term_first(t, r->tail));
    const uint64_t plain[2] = {c->ascii[0] & ~out.word[0], c->ascii[1] & ~out.word[1]};
    r->inside = ingle_groups_inside(plain);
    if (c->all_high && !(out.word[2] | out.word[3])) r->inside |= (uint64_t)1 << INGLE_GROUP_HIGH;
    ingle_byte_set class = {{c->ascii[0], c->ascii[1], c->all_high ? 0 : ~0ull, 0}};
    if (!c->all_high && t->words.at[c->range + 2 * c->n - 1] < 0x80) class.word[2] = 0;
    ingle_set_or(&out, &class);
    r->leave = touched(&out) & ~r->inside;
    return !t->status && is_wide(r->inside);
}

static void add_inside(ingle_masker *m, const ingle_run *run, uint32_t max)
{
    bool all = !run->n_tokens || run->chars[run->n_tokens - 1] <= max;
    size_t k = all ? 0 : max <= INGLE_RUN_SHORT ? max : INGLE_RUN_SHORT;
    const uint32_t *bits = ingle_trie_run_bits(m->trie, run, k);
    if (!bits) {
        ingle_terms_fail(m->terms, INGLE_ENOMEM, "no memory for a mask");
        return;
    }
    add_bits(m, bits);
    for (size_t i = all ? 0 : run->n_tokens; i-- && run->chars[i] > INGLE_RUN_SHORT;)
        if (run->chars[i] <= max) add_token(m, run->token[i]);
}

/* The state after so many characters of the run. */
static ingle_term after_chars(ingle_terms *t, const ingle_run_state *r, uint32_t n)
{
    if (r->whole) return r->whole;
    uint32_t max = r->max == INGLE_TERM_MANY ? r->max : r->max - n;
    return ingle_term_seq(t, ingle_term_repeat(t, r->e, r->min > n ? r->min - n : 0, max), r->tail);
}

/* The tokens that leave a run with the byte of a node, from the state before it. */
static void add_exit(ingle_masker *m, uint32_t node, ingle_term at)
{
    ingle_term to = ingle_term_step(m->terms, at, m->trie->byte[node]);
    m->n_nodes++;
    if (to == INGLE_TERM_NONE) return;
    add_ranks(m, m->trie->rank[node], m->trie->rank[node + 1]);
    if (m->trie->end[node] > node + 1) walk(m, node, to);
}

static bool add_run(ingle_masker *m, const ingle_run_state *r)
{
    const ingle_run *run = ingle_trie_run(m->trie, r->inside, r->leave);
    ingle_term at = INGLE_TERM_NONE;
    uint32_t chars = UINT32_MAX;
    if (!run) return false;
    if (r->max) add_inside(m, run, r->max);
    for (size_t i = 0; i < run->n_exits && run->exit[i].chars <= r->max; i++) {
        uint32_t node = run->exit[i].node;
        if (run->exit[i].chars != chars) {
            chars = run->exit[i].chars;
            at = after_chars(m->terms, r, chars);
        }
        add_exit(m, node, at);
    }
    return true;
}

/* ---- chains ---------------------------------------------------------------------------------- */

enum { CHAIN_MAX = 24, CHAIN_WORK = 4000 };

/* The states after 0, 1, 2 ... characters of some groups, whichever these are: as where the length
 * of what a pattern allows is bounded. */
typedef struct ingle_chain {
    ingle_term at[CHAIN_MAX];
    uint32_t n;      /* states */
    uint64_t inside; /* groups that lead from each to the next */
    uint64_t leave;  /* other groups that one of them admits */
    bool loops;      /* from the last to itself */
    bool cut;        /* it may go on beyond the last */
} ingle_chain;

static bool as_chain(ingle_masker *m, ingle_term state, ingle_chain *c)
{
    ingle_terms *t = m->terms;
    const uint64_t enough = t->work + CHAIN_WORK;
    *c = (ingle_chain){.inside = ~0ull};
    for (ingle_term at = state;; c->n++) {
        if (t->work > enough || t->status) return false;
        c->at[c->n] = at;
        c->leave |= touched(ingle_term_first(t, at));
        ingle_term to = next_of(m, at);
        if (to == INGLE_TERM_NONE) break;
        c->inside &= leads_of(m, at, to);
        if (!is_wide(c->inside)) return false;
        c->loops = to == at;
        c->cut = !c->loops && c->n + 1 == CHAIN_MAX;
        if (c->loops || c->cut) break;
        at = to;
    }
    c->n++;
    c->leave &= ~c->inside;
    uint64_t last = touched(ingle_term_first(t, c->at[c->n - 1]));
    return !t->status && c->n > 1 && (c->loops || c->cut || !(last & c->inside));
}

/* The state after n bytes of a token. */
static ingle_term after_bytes(ingle_masker *m, ingle_term at, uint32_t token, size_t n)
{
    return ingle_term_after(m->terms, at, m->trie->bytes + m->trie->start[token], n);
}

/* Where a token leaves the chain beyond its end. */
static void add_far_exit(ingle_masker *m, const ingle_chain *c, const ingle_exit *x)
{
    ingle_term at = c->at[c->n - 1];
    if (c->cut) at = after_bytes(m, c->at[0], m->trie->token[m->trie->rank[x->node]], x->depth);
    if (c->loops || c->cut) add_exit(m, x->node, at);
}

static bool add_chain(ingle_masker *m, const ingle_chain *c)
{
    const ingle_run *run = ingle_trie_run(m->trie, c->inside, c->leave);
    if (!run) return false;
    add_inside(m, run, c->loops ? INGLE_TERM_MANY : c->n - 1);
    for (size_t i = run->n_tokens; c->cut && i-- && run->chars[i] >= c->n;) {
        uint32_t token = run->token[i];
        size_t n = m->trie->start[token + 1] - m->trie->start[token];
        if (after_bytes(m, c->at[0], token, n) != INGLE_TERM_NONE) add_token(m, token);
    }
    for (size_t i = 0; i < run->n_exits; i++) {
        const ingle_exit *x = &run->exit[i];
        if (x->chars < c->n) add_exit(m, x->node, c->at[x->chars]);
        else add_far_exit(m, c, x);
    }
    return true;
}

/* ---- differences ----------------------------------------------------------------------------- */

/* Whether a difference is still under way in a state. */
static bool has_difference(const ingle_terms *t, ingle_term e)
{
    const ingle_node *x = &t->node[e];
    if (!(x->flags & TERM_NARROW)) return false;
    if (x->kind != TERM_ALT) return t->node[ingle_term_head(t, e)].kind == TERM_MINUS;
    for (uint32_t i = 0; i < x->b; i++)
        if (t->node[ingle_term_head(t, t->words.at[x->a + i])].kind == TERM_MINUS) return true;
    return false;
}

static void clear_ranks(ingle_masker *m, uint32_t from, uint32_t to)
{
    for (uint32_t r = from; r < to; r++)
        m->bits[m->trie->token[r] / 32] &= ~(1u << m->trie->token[r] % 32);
}

/* Takes away the tokens that the difference ends, among those of its first part. */
static void walk_difference(ingle_masker *m, ingle_term state)
{
    const ingle_trie *trie = m->trie;
    ingle_descent *top = m->stack;
    *top = (ingle_descent){(uint32_t)trie->n_nodes, state};
    for (uint32_t i = 1; i < trie->n_nodes;) {
        while (top->end <= i) top--;
        ingle_term to = ingle_term_step(m->terms, top->at, trie->byte[i]);
        m->n_nodes++;
        if (to != INGLE_TERM_NONE && has_difference(m->terms, to)) {
            if (trie->end[i] > i + 1) *++top = (ingle_descent){trie->end[i], to};
            i++;
            continue;
        }
        if (to == INGLE_TERM_NONE) clear_ranks(m, trie->rank[i], trie->rank[trie->end[i]]);
        i = trie->end[i];
    }
}

static void add_state(ingle_masker *m, ingle_term state);

static bool add_difference(ingle_masker *m, ingle_term part)
{
    ingle_terms *t = m->terms;
    const ingle_node x = t->node[ingle_term_head(t, part)];
    if (x.kind != TERM_MINUS || m->depth == MAX_DEPTH) return false;
    uint32_t *sum = m->bits;
    uint32_t *own = ingle_new(m->trie->n_words, sizeof *own);
    if (!own) return false;
    m->bits = own;
    m->depth++;
    add_state(m, ingle_term_seq(t, x.a, ingle_term_tail(t, part)));
    m->depth--;
    walk_difference(m, part);
    m->bits = sum;
    add_bits(m, own);
    free(own);
    return true;
}

/* ---- states ---------------------------------------------------------------------------------- */

/* All alternatives; those that are neither runs nor differences together. The rest of an outer call
 * lies below on the same list. */
static void add_state(ingle_masker *m, ingle_term state)
{
    ingle_terms *t = m->terms;
    const ingle_node x = t->node[state];
    size_t base = m->rest.n, n = x.kind == TERM_ALT ? x.b : 1;
    ingle_run_state r;
    if (as_loop(m, state, &r) && add_run(m, &r)) return;
    for (size_t i = 0; i < n && !t->status; i++) {
        ingle_term part = x.kind == TERM_ALT ? t->words.at[x.a + i] : state;
        if (as_run(t, part, &r) && add_run(m, &r)) continue;
        if (!add_difference(m, part)) ingle_words_push(t, &m->rest, part);
    }
    if (m->rest.n > base) {
        ingle_term rest = ingle_term_alt_of(t, m->rest.at + base, m->rest.n - base);
        ingle_chain chain;
        if (!as_chain(m, rest, &chain) || !add_chain(m, &chain)) walk(m, 0, rest);
    }
    m->rest.n = base;
}

/* Tokens by their number: the terms that begin with one are looked for. */
static void add_tokens(ingle_masker *m, ingle_term state)
{
    ingle_terms *t = m->terms;
    size_t base = m->rest.n;
    ingle_words_push(t, &m->rest, state);
    while (m->rest.n > base && !t->status) {
        ingle_term e = m->rest.at[--m->rest.n];
        const ingle_node x = t->node[e];
        if (x.kind == TERM_TOKEN && !x.b && x.a < m->trie->n_vocab) add_token(m, x.a);
        for (uint32_t i = 0; x.kind == TERM_TOKEN && x.b && i < m->trie->n_vocab; i++)
            if (i != x.a && !(m->trie->ends[i / 32] >> i % 32 & 1)) add_token(m, i);
        for (uint32_t i = 0; x.kind >= TERM_SEQ; i++) {
            ingle_term c = ingle_term_child(t, e, i, false);
            if (c == INGLE_UNKNOWN || t->status) break;
            if (ingle_term_takes_tokens(t, c)) ingle_words_push(t, &m->rest, c);
        }
    }
    m->rest.n = base;
}

static void add_ends(ingle_masker *m)
{
    for (size_t i = 0; i < m->trie->n_words; i++)
        for (uint32_t bits = m->trie->ends[i]; bits; bits &= bits - 1)
            add_token(m, (uint32_t)(32 * i) + (uint32_t)__builtin_ctz(bits));
}

/* Takes the tokens out of the scratch, which is empty afterwards. */
static ingle_mask *take(ingle_masker *m)
{
    bool few = m->n <= INGLE_MASK_FEW;
    size_t n = few ? m->n : m->trie->n_words;
    ingle_mask *mask = m->terms->status ? NULL : malloc(sizeof *mask + n * sizeof *mask->data);
    if (mask) {
        mask->n_refs = 1;
        mask->n = few ? (uint32_t)n : INGLE_UNKNOWN;
        memcpy(mask->data, few ? m->list : m->bits, n * sizeof *mask->data);
    } else ingle_terms_fail(m->terms, INGLE_ENOMEM, "no memory for a mask");
    for (size_t i = 0; few && i < n; i++) m->bits[m->list[i] / 32] = 0;
    if (!few) memset(m->bits, 0, m->trie->n_words * sizeof *m->bits);
    m->n = 0;
    return mask;
}

ingle_mask *ingle_mask_make(ingle_masker *m, ingle_term state)
{
    add_state(m, state);
    if (ingle_term_takes_tokens(m->terms, state)) add_tokens(m, state);
    if (ingle_term_nullable(m->terms, state)) add_ends(m);
    return take(m);
}
