/* schema_prune.c - see schema_prune.h. What makes schemas large is often one property by which
 * variants differ: "if kind is a", "if kind is b" and so on. */
#include "grammar/schema_prune.h"
#include "grammar/schema_number.h"
#include "grammar/schema_property.h"
#include "grammar/schema_set.h"
#include "grammar/schema_string.h"

enum { SMALL_LAYER = 4, SMALL_SET = 200 };

static bool is_required(const schema_shape *s, uint32_t name)
{
    for (const schema_fact *f = s->facts; f; f = f->next)
        if (f->kind == FACT_REQUIRE && f->name == name) return true;
    return false;
}

/* Layers of few names, and properties by name. */
static size_t names_of(const schema_fact *f)
{
    if (f->kind == FACT_LAYER) return f->layer->n_names <= SMALL_LAYER ? f->layer->n_names : 0;
    return f->kind == FACT_PROPERTY;
}

schema_goal_id ingle_schema_prune_next(schema *c, const schema_shape *s, const schema_fact **at)
{
    for (const schema_fact *f = *at ? (*at)->next : s->facts; f && !c->status; f = f->next) {
        *at = f;
        for (size_t i = 0; i < names_of(f); i++) {
            uint32_t name = f->kind == FACT_LAYER ? f->layer->names[i].name : f->name;
            if (!ingle_schema_work(c, 1) || !is_required(s, name)) continue;
            schema_goal_id goal = ingle_schema_property_goal(c, s, name);
            if (goal == GOAL_FALSE || c->goals[goal].n_atoms > 1) return goal;
        }
    }
    return GOAL_TRUE;
}

static bool none_left(schema *c, const schema_shape *s, const ingle_json *set, bool numbers)
{
    ingle_json_walk w;
    bool first = true;
    if (ingle_schema_set_len(set) > SMALL_SET) return false;
    for (const ingle_json *v; (v = ingle_schema_set_next(set, &w, &first));) {
        if (numbers ? v->kind == INGLE_JSON_NUMBER && ingle_schema_number_is(c, s, v)
                    : v->kind == INGLE_JSON_STRING && ingle_schema_string_is(c, s, v))
            return false;
    }
    return !c->status;
}

void ingle_schema_prune_sets(schema *c, schema_shape *s)
{
    for (const schema_fact *f = s->facts; f; f = f->next) {
        if (f->negated) continue;
        if (f->kind == FACT_NUMBERS && (s->types & TYPE_NUMBER) && none_left(c, s, f->node, true))
            s->types &= ~(uint32_t)TYPE_NUMBER;
        if (f->kind == FACT_STRINGS && (s->types & TYPE_STRING) && none_left(c, s, f->node, false))
            s->types &= ~(uint32_t)TYPE_STRING;
    }
}
