/* schema_array.c - see schema_array.h. */
#include "grammar/schema_array.h"
#include "grammar/schema_choices.h"
#include "grammar/schema_counting.h"
#include "grammar/schema_text.h"

typedef ingle_term value_of(schema *c, schema_goal_id goal);

/* Elements after the n_prefix-th: min to max elements in all. */
static ingle_term rest_of(schema *c, const schema_elements *e, ingle_term comma, value_of *value)
{
    uint32_t n = (uint32_t)e->n_prefix;
    ingle_term rest = e->max > n ? value(c, e->rest) : INGLE_TERM_NONE;
    uint32_t max = e->max == INGLE_TERM_MANY ? INGLE_TERM_MANY : e->max - n;
    if (rest == INGLE_TERM_NONE) return e->min <= n ? INGLE_TERM_EMPTY : INGLE_TERM_NONE;
    return ingle_term_repeat(c->t, ingle_term_seq(c->t, comma, rest), e->min > n ? e->min - n : 0,
                             max);
}

/* All elements from number 0 on, none of them with a comma before the first. */
static ingle_term elements(schema *c, const schema_elements *e, value_of *value)
{
    ingle_terms *t = c->t;
    ingle_term comma = ingle_schema_sign(c, ',', true, true), all;
    if (!e->n_prefix) {
        ingle_term first = e->max ? value(c, e->rest) : INGLE_TERM_NONE;
        ingle_term next = ingle_term_seq(t, comma, first);
        uint32_t max = e->max == INGLE_TERM_MANY ? INGLE_TERM_MANY : e->max - !!e->max;
        if (first == INGLE_TERM_NONE) return e->min ? INGLE_TERM_NONE : INGLE_TERM_EMPTY;
        all = ingle_term_seq(t, first, ingle_term_repeat(t, next, e->min ? e->min - 1 : 0, max));
        all = ingle_term_seq(t, ingle_schema_space(c), all);
        return e->min ? all : ingle_term_alt(t, INGLE_TERM_EMPTY, all);
    }
    all = rest_of(c, e, comma, value);
    for (size_t i = e->n_prefix; i-- > 0;) {
        ingle_term before = i ? comma : ingle_schema_space(c);
        ingle_term list[] = {before, value(c, e->prefix[i]), all};
        all = ingle_term_seq_of(t, list, 3);
        if (i >= e->min) all = ingle_term_alt(t, INGLE_TERM_EMPTY, all);
    }
    return all;
}

ingle_term ingle_schema_array_term(schema *c, const schema_elements *e, value_of *value)
{
    if (e->n_counts) return ingle_schema_counting_term(c, e, value);
    if (e->choices) return ingle_schema_choices_term(c, e);
    ingle_term all[] = {ingle_term_literal(c->t, "[", 1), elements(c, e, value),
                        ingle_schema_sign(c, ']', true, false)};
    return ingle_term_seq_of(c->t, all, 3);
}
