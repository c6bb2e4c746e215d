/* schema_elements.c - see schema_elements.h: the plan. */
#include "grammar/schema_elements.h"
#include "grammar/schema_choices.h"
#include "grammar/schema_counting.h"
#include "grammar/schema_goal.h"

/* ---- places ---------------------------------------------------------------------------------- */

static size_t longest(const schema_shape *s)
{
    size_t n = 0;
    for (const schema_fact *f = s->facts; f; f = f->next) {
        if (f->kind == FACT_ITEMS && f->items->n_prefix > n) n = f->items->n_prefix;
        if (f->kind == FACT_ITEM && f->from + (size_t)1 > n) n = f->from + (size_t)1;
        if (f->kind == FACT_CONTAINS && f->from > n) n = f->from;
    }
    return n;
}

static bool places(schema *c, const schema_shape *s, schema_elements *e)
{
    e->n_prefix = longest(s);
    if (e->n_prefix > SCHEMA_MAX_PREFIX)
        return ingle_schema_fail(c, INGLE_EUNSUPPORTED, NULL, "prefixItems", "more than %d items",
                                 SCHEMA_MAX_PREFIX);
    e->prefix = ingle_schema_new(c, e->n_prefix, sizeof *e->prefix);
    if (!e->prefix) return false;
    for (const schema_fact *f = s->facts; f; f = f->next) {
        if (f->kind == FACT_ITEM)
            e->prefix[f->from] = ingle_schema_goal_and(c, e->prefix[f->from], f->goal);
        if (f->kind != FACT_ITEMS) continue;
        if (!ingle_schema_work(c, e->n_prefix)) return false;
        e->rest = ingle_schema_goal_and(c, e->rest, f->items->rest);
        for (size_t i = 0; i < e->n_prefix; i++)
            e->prefix[i] = ingle_schema_goal_and(
                c, e->prefix[i], i < f->items->n_prefix ? f->items->prefix[i] : f->items->rest);
    }
    return !c->status;
}

/* Cuts the length where no element can be. */
static void cut(schema_elements *e)
{
    for (size_t i = 0; i < e->n_prefix; i++)
        if (e->prefix[i] == GOAL_FALSE) {
            if (e->max > i) e->max = (uint32_t)i;
            break;
        }
    if (e->rest == GOAL_FALSE && e->max > e->n_prefix) e->max = (uint32_t)e->n_prefix;
    if (e->n_prefix > e->max) e->n_prefix = e->max;
}

/* ---- contains -------------------------------------------------------------------------------- */

static bool counts(schema *c, const schema_shape *s, schema_elements *e)
{
    for (const schema_fact *f = s->facts; f; f = f->next) {
        if (f->kind != FACT_CONTAINS || (!f->min && f->max == INGLE_TERM_MANY)) continue;
        if (f->goal == GOAL_TRUE && !f->from) { /* counts them all */
            if (e->min < f->min) e->min = f->min;
            if (e->max > f->max) e->max = f->max;
            continue;
        }
        if (e->n_counts == SCHEMA_MAX_CONTAINS)
            return ingle_schema_fail(c, INGLE_EUNSUPPORTED, f->where, "contains",
                                     "more than %d for one array", SCHEMA_MAX_CONTAINS);
        e->counts[e->n_counts++] = (schema_count){f->goal, f->min, f->max, f->from, f->where};
    }
    return true;
}

/* The goal of an element that counts for the set of counts, and for no other that has a maximum. */
static schema_goal_id sorted_goal(schema *c, const schema_elements *e, size_t place, unsigned set)
{
    schema_goal_id goal = place < e->n_prefix ? e->prefix[place] : e->rest;
    for (unsigned k = 0; k < e->n_counts; k++) {
        const schema_count *x = &e->counts[k];
        bool is = set >> k & 1;
        if (place < x->from) {
            if (is) return GOAL_FALSE;
        } else if (is) {
            goal = ingle_schema_goal_and(c, goal, x->goal);
        } else if (x->max != INGLE_TERM_MANY) {
            goal = ingle_schema_goal_and(c, goal, ingle_schema_goal_not(c, x->goal));
        }
    }
    return goal;
}

static bool sort_elements(schema *c, schema_elements *e)
{
    size_t n_sets = (size_t)1 << e->n_counts;
    e->sorted = ingle_schema_new(c, (e->n_prefix + 1) * n_sets, sizeof *e->sorted);
    if (!e->sorted) return false;
    for (size_t place = 0; place <= e->n_prefix; place++)
        for (unsigned set = 0; set < n_sets; set++) {
            schema_goal_id goal = sorted_goal(c, e, place, set);
            e->sorted[place * n_sets + set] = goal;
            if (!ingle_schema_queue(c, goal)) return false;
        }
    return true;
}

/* ---- uniqueItems ----------------------------------------------------------------------------- */

/* All elements that there can be have the same values. */
static bool alike(schema *c, schema_elements *e)
{
    size_t n = e->max <= e->n_prefix ? e->n_prefix : e->n_prefix + 1;
    schema_elements other = {0};
    for (size_t i = 0; i < n; i++) {
        schema_goal_id goal = i < e->n_prefix ? e->prefix[i] : e->rest;
        if (!ingle_schema_choices(c, goal, i ? &other : e)) return false;
        if (!i) continue;
        if (other.n_choices != e->n_choices ||
            memcmp(other.choices, e->choices, e->n_choices * sizeof *e->choices) != 0)
            return false;
    }
    return true;
}

static bool unique(schema *c, const schema_shape *s, schema_elements *e)
{
    for (const schema_fact *f = s->facts; f; f = f->next) {
        if (f->kind != FACT_UNIQUE || (!f->negated && e->max <= 1) || e->choices) continue;
        bool can = !f->negated && !e->n_counts && alike(c, e);
        if (c->status) return false;
        if (!can) e->choices = NULL;
        if (!can &&
            !ingle_schema_drop(c, f->where, "uniqueItems",
                               f->negated ? "cannot be enforced where it must not hold"
                                          : "can be enforced only for items of a few values"))
            return false;
    }
    return true;
}

bool ingle_schema_elements_plan(schema *c, schema_shape *s)
{
    schema_elements *e = ingle_schema_new(c, 1, sizeof *e);
    if (!e) return false;
    e->min = s->min_items;
    e->max = s->max_items;
    if (!places(c, s, e) || !counts(c, s, e)) return false;
    cut(e);
    if (!unique(c, s, e)) return false;
    s->elements = e;
    if (e->n_counts) return sort_elements(c, e);
    for (size_t i = 0; i < e->n_prefix; i++)
        if (!ingle_schema_queue(c, e->prefix[i])) return false;
    return e->max <= e->n_prefix || ingle_schema_queue(c, e->rest);
}

bool ingle_schema_elements_alive(schema *c, const schema_elements *e)
{
    if (e->min > e->max) return false;
    if (e->n_counts) return ingle_schema_counting_alive(c, e);
    if (e->choices) return e->n_numbers >= e->min;
    for (size_t i = 0; i < e->n_prefix && i < e->min; i++)
        if (!c->goals[e->prefix[i]].alive) return false;
    return e->min <= e->n_prefix || c->goals[e->rest].alive;
}
