/* schema_counting.c - see schema_counting.h. A state is the number of elements so far and of those
 * that count; each stops where more of them mean the same. A table has all states. */
#include "grammar/schema_counting.h"
#include "grammar/schema_text.h"

enum { MAX_STATES = 100000 };

typedef struct producer {
    ingle_producer head;                          /* first */
    uint32_t last;                                /* the length from which on all is the same */
    bool endless;                                 /* elements may follow there */
    uint32_t n_counts, stop[SCHEMA_MAX_CONTAINS]; /* where each count stops */
    schema_count counts[SCHEMA_MAX_CONTAINS];
    uint32_t min, number;
    size_t n_prefix, n_states;
    ingle_term *values; /* [n_prefix + 1][1 << n_counts] */
    bool *alive;        /* [n_states]; of the values while there are no terms: the goals' */
    ingle_term end, separator, space;
} producer;

static void producer_free(ingle_producer *head)
{
    producer *p = (producer *)head;
    free(p->values);
    free(p->alive);
    free(p);
}

static size_t index_of(const producer *p, const uint32_t *state)
{
    size_t i = state[0];
    for (uint32_t k = 0; k < p->n_counts; k++) i = i * (p->stop[k] + 1) + state[1 + k];
    return i;
}

/* The state after an element that counts for `set`; false: one too many. */
static bool after(const producer *p, const uint32_t *state, unsigned set, uint32_t *next)
{
    if (state[0] == p->last && !p->endless) return false;
    next[0] = state[0] < p->last ? state[0] + 1 : p->last;
    for (uint32_t k = 0; k < p->n_counts; k++) {
        next[1 + k] = state[1 + k];
        if (!(set >> k & 1)) continue;
        if (state[1 + k] < p->stop[k]) next[1 + k]++;
        else if (p->counts[k].max != INGLE_TERM_MANY) return false;
    }
    return true;
}

static ingle_term value_at(const producer *p, const uint32_t *state, unsigned set)
{
    size_t place = state[0] < p->n_prefix ? state[0] : p->n_prefix;
    return p->values[(place << p->n_counts) + set];
}

static bool may_end(const producer *p, const uint32_t *state)
{
    if (state[0] < p->min) return false;
    for (uint32_t k = 0; k < p->n_counts; k++)
        if (state[1 + k] < p->counts[k].min) return false;
    return true;
}

static bool leads_on(const producer *p, const uint32_t *state)
{
    uint32_t next[1 + SCHEMA_MAX_CONTAINS];
    if (may_end(p, state)) return true;
    for (unsigned set = 0; set < 1u << p->n_counts; set++)
        if (value_at(p, state, set) && after(p, state, set, next) && p->alive[index_of(p, next)])
            return true;
    return false;
}

static void state_at(const producer *p, size_t i, uint32_t *state)
{
    for (uint32_t k = p->n_counts; k-- > 0;) {
        state[1 + k] = (uint32_t)(i % (p->stop[k] + 1));
        i /= p->stop[k] + 1;
    }
    state[0] = (uint32_t)i;
}

/* From the last state to the first: an element leads to a later one, or to the same, which adds
 * nothing. */
static void find_alive(producer *p)
{
    uint32_t state[1 + SCHEMA_MAX_CONTAINS];
    for (size_t i = p->n_states; i-- > 0;) {
        state_at(p, i, state);
        p->alive[i] = leads_on(p, state);
    }
}

static ingle_term body(const ingle_producer *head, ingle_terms *t, const uint32_t *state, size_t n)
{
    const producer *p = (const producer *)head;
    ingle_term all = INGLE_TERM_NONE;
    for (unsigned set = 0; set < 1u << p->n_counts; set++) {
        uint32_t next[1 + SCHEMA_MAX_CONTAINS];
        ingle_term value = value_at(p, state, set);
        if (!value || !after(p, state, set, next) || !p->alive[index_of(p, next)]) continue;
        all = ingle_term_alt(
            t, all, ingle_term_seq(t, value, ingle_term_produced(t, p->number, next, n, false)));
    }
    all = ingle_term_seq(t, state[0] ? p->separator : p->space, all);
    return may_end(p, state) ? ingle_term_alt(t, all, p->end) : all;
}

/* ---- making it ------------------------------------------------------------------------------- */

static bool measure(schema *c, producer *p, const schema_elements *e)
{
    uint64_t last = e->n_prefix > e->min ? e->n_prefix : e->min, n;
    p->endless = e->max == INGLE_TERM_MANY;
    if (!p->endless) last = e->max;
    if (p->endless && !last) last = 1; /* the first has no comma before it */
    n = last + 1;
    for (uint32_t k = 0; k < p->n_counts && n <= MAX_STATES; k++) {
        p->stop[k] = e->counts[k].max != INGLE_TERM_MANY ? e->counts[k].max : e->counts[k].min;
        if (p->stop[k] > last && !p->endless) p->stop[k] = (uint32_t)last;
        n *= (uint64_t)p->stop[k] + 1;
    }
    if (n > MAX_STATES)
        return ingle_schema_fail(c, INGLE_EUNSUPPORTED, e->counts[0].where, "contains",
                                 "too many elements to count");
    p->last = (uint32_t)last;
    p->n_states = (size_t)n;
    return ingle_schema_work(c, 1 + p->n_states / 16);
}

static producer *producer_new(schema *c, const schema_elements *e,
                              ingle_term (*value)(schema *c, schema_goal_id goal))
{
    producer *p = ingle_new(1, sizeof *p);
    size_t n_values = (e->n_prefix + 1) << e->n_counts;
    if (!p) {
        ingle_schema_no_memory(c);
        return NULL;
    }
    *p = (producer){.head = {body, producer_free},
                    .n_counts = (uint32_t)e->n_counts,
                    .min = e->min,
                    .n_prefix = e->n_prefix};
    memcpy(p->counts, e->counts, sizeof p->counts);
    if (!measure(c, p, e)) goto fail;
    p->values = ingle_new(n_values, sizeof *p->values);
    p->alive = ingle_new(p->n_states, sizeof *p->alive);
    if (!p->values || !p->alive) {
        ingle_schema_no_memory(c);
        goto fail;
    }
    for (size_t i = 0; i < n_values; i++) {
        schema_goal_id goal = e->sorted[i];
        if (!c->goals[goal].alive) continue;
        p->values[i] = value ? value(c, goal) : INGLE_TERM_ANY;
    }
    find_alive(p);
    return p;
fail:
    producer_free(&p->head);
    return NULL;
}

bool ingle_schema_counting_alive(schema *c, const schema_elements *e)
{
    producer *p = producer_new(c, e, NULL);
    bool alive = p && p->alive[0];
    if (p) producer_free(&p->head);
    return alive;
}

ingle_term ingle_schema_counting_term(schema *c, const schema_elements *e,
                                      ingle_term (*value)(schema *c, schema_goal_id goal))
{
    producer *p = producer_new(c, e, value);
    uint32_t start[1 + SCHEMA_MAX_CONTAINS] = {0};
    if (!p) return INGLE_TERM_NONE;
    p->end = ingle_schema_sign(c, ']', true, false);
    p->separator = ingle_schema_sign(c, ',', true, true);
    p->space = ingle_schema_space(c);
    uint32_t number = ingle_producer_add(c->t, &p->head);
    if (ingle_terms_status(c->t)) return INGLE_TERM_NONE; /* and p may be gone */
    p->number = number;
    return ingle_term_seq(c->t, ingle_term_literal(c->t, "[", 1),
                          ingle_term_produced(c->t, p->number, start, 1 + p->n_counts, false));
}
