/* schema_apart.c - see schema_apart.h. Properties are looked into to a depth of MAX_DEPTH; that is
 * as deep as the functions here call one another. */
#include "grammar/schema_apart.h"
#include "grammar/schema_decimal.h"
#include "grammar/schema_expand.h"
#include "grammar/schema_goal.h"
#include "grammar/schema_number.h"
#include "grammar/schema_set.h"
#include "grammar/schema_property.h"
#include "grammar/schema_string.h"

enum { MAX_DEPTH = 3 };

static bool goals_apart(schema *c, schema_goal_id a, schema_goal_id b, unsigned depth);

/* ---- numbers, strings ------------------------------------------------------------------------ */

static const ingle_json *set_of(const schema_shape *s, schema_fact_kind kind)
{
    for (const schema_fact *f = s->facts; f; f = f->next)
        if (f->kind == kind && !f->negated) return f->node;
    return NULL;
}

/* Whether no value of the set, which a has, belongs to both. */
static bool set_apart(schema *c, const schema_shape *a, const schema_shape *b,
                      const ingle_json *set, bool numbers)
{
    ingle_json_walk w;
    bool first = true;
    for (const ingle_json *v; (v = ingle_schema_set_next(set, &w, &first));) {
        if (v->kind != (numbers ? INGLE_JSON_NUMBER : INGLE_JSON_STRING)) continue;
        if (numbers ? ingle_schema_number_is(c, a, v) && ingle_schema_number_is(c, b, v)
                    : ingle_schema_string_is(c, a, v) && ingle_schema_string_is(c, b, v))
            return false;
    }
    return true;
}

static bool below(const schema_shape *a, const schema_shape *b)
{
    if (!a->high || !b->low) return false;
    int order = ingle_schema_decimal_compare(a->high, b->low);
    return order < 0 || (!order && (a->high_open || b->low_open));
}

static bool numbers_apart(schema *c, const schema_shape *a, const schema_shape *b)
{
    const ingle_json *x = set_of(a, FACT_NUMBERS), *y = set_of(b, FACT_NUMBERS);
    if (x) return set_apart(c, a, b, x, true);
    if (y) return set_apart(c, b, a, y, true);
    return below(a, b) || below(b, a);
}

static bool strings_apart(schema *c, const schema_shape *a, const schema_shape *b)
{
    const ingle_json *x = set_of(a, FACT_STRINGS), *y = set_of(b, FACT_STRINGS);
    if (x) return set_apart(c, a, b, x, false);
    if (y) return set_apart(c, b, a, y, false);
    return a->max_len < b->min_len || b->max_len < a->min_len;
}

/* ---- arrays, objects ------------------------------------------------------------------------- */

static schema_goal_id item_goal(schema *c, const schema_shape *s, size_t i)
{
    schema_goal_id goal = GOAL_TRUE;
    for (const schema_fact *f = s->facts; f; f = f->next) {
        if (f->kind == FACT_ITEMS)
            goal = ingle_schema_goal_and(
                c, goal, i < f->items->n_prefix ? f->items->prefix[i] : f->items->rest);
        else if (f->kind == FACT_ITEM && f->from == i)
            goal = ingle_schema_goal_and(c, goal, f->goal);
    }
    return goal;
}

static bool arrays_apart(schema *c, const schema_shape *a, const schema_shape *b, unsigned depth)
{
    uint32_t n = a->min_items > b->min_items ? a->min_items : b->min_items;
    if (a->max_items < b->min_items || b->max_items < a->min_items) return true;
    for (uint32_t i = 0; i < n && i < 4; i++)
        if (goals_apart(c, item_goal(c, a, i), item_goal(c, b, i), depth + 1)) return true;
    return false;
}

/* Whether a property that a requires rules b out. */
static bool required_apart(schema *c, const schema_shape *a, const schema_shape *b, unsigned depth)
{
    for (const schema_fact *f = a->facts; f && !c->status; f = f->next) {
        if (f->kind != FACT_REQUIRE || !ingle_schema_work(c, 1)) continue;
        schema_goal_id x = ingle_schema_property_goal(c, a, f->name),
                       y = ingle_schema_property_goal(c, b, f->name);
        if (x == GOAL_FALSE || y == GOAL_FALSE || goals_apart(c, x, y, depth + 1))
            return !c->status;
    }
    return false;
}

static bool objects_apart(schema *c, const schema_shape *a, const schema_shape *b, unsigned depth)
{
    return a->max_members < b->min_members || b->max_members < a->min_members ||
           required_apart(c, a, b, depth) || required_apart(c, b, a, depth);
}

/* ---- goals ----------------------------------------------------------------------------------- */

static bool shapes_apart(schema *c, const schema_shape *a, const schema_shape *b, unsigned depth,
                         uint32_t among)
{
    uint32_t types = a->types & b->types & among;
    if (types & (TYPE_NULL | TYPE_BOOL) || !ingle_schema_work(c, 1)) return false;
    return (!(types & TYPE_NUMBER) || numbers_apart(c, a, b)) &&
           (!(types & TYPE_STRING) || strings_apart(c, a, b)) &&
           (!(types & TYPE_ARRAY) || arrays_apart(c, a, b, depth)) &&
           (!(types & TYPE_OBJECT) || objects_apart(c, a, b, depth));
}

static bool look(schema *c, schema_goal_id a, schema_goal_id b, unsigned depth, uint32_t types)
{
    if (!ingle_schema_try(c, a) || !ingle_schema_try(c, b)) return false;
    for (size_t i = 0; i < c->goals[a].n_shapes; i++)
        for (size_t j = 0; j < c->goals[b].n_shapes; j++)
            if (!shapes_apart(c, c->goals[a].shapes[i], c->goals[b].shapes[j], depth, types))
                return false;
    return !c->status;
}

static bool goals_apart(schema *c, schema_goal_id a, schema_goal_id b, unsigned depth)
{
    if (a == GOAL_FALSE || b == GOAL_FALSE) return !c->status;
    if (a == b || a == GOAL_TRUE || b == GOAL_TRUE || depth > MAX_DEPTH || c->status) return false;
    return look(c, a, b, depth, TYPE_ALL);
}

bool ingle_schema_apart(schema *c, schema_goal_id a, schema_goal_id b, uint32_t types)
{
    schema_goal_id pair[2] = {a < b ? a : b, a < b ? b : a};
    const schema_key *known = ingle_schema_map_get(&c->disjoint, pair, sizeof pair, types);
    if (known) return known->value;
    if (a == GOAL_FALSE || b == GOAL_FALSE) return !c->status;
    bool made, apart = a != b && a != GOAL_TRUE && b != GOAL_TRUE && look(c, a, b, 0, types);
    char *copy = ingle_schema_copy(&c->memory, pair, sizeof pair);
    schema_key *k =
        copy ? ingle_schema_map_put(&c->disjoint, copy, sizeof pair, types, &made) : NULL;
    if (!k) return ingle_schema_no_memory(c);
    k->value = apart;
    return apart;
}

bool ingle_schema_excludes(schema *c, const schema_shape *s, schema_goal_id goal)
{
    if (goal <= GOAL_FALSE) return goal == GOAL_FALSE;
    if (!ingle_schema_try(c, goal)) return false;
    for (size_t i = 0; i < c->goals[goal].n_shapes; i++)
        if (!shapes_apart(c, s, c->goals[goal].shapes[i], 0, TYPE_ALL)) return false;
    return !c->status;
}
