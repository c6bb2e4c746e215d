/* schema_property.c - see schema_property.h. */
#include "grammar/schema_property.h"
#include "grammar/schema_goal.h"
#include "grammar/schema_string.h"

schema_goal_id ingle_schema_layer_goal(schema *c, const schema_layer *layer, uint32_t name,
                                       const schema_goal_id *named)
{
    schema_goal_id goal = named ? *named : GOAL_TRUE;
    bool matched = named != NULL;
    for (size_t i = 0; i < layer->n_patterns; i++) {
        const schema_patterned *p = &layer->patterns[i];
        if (!ingle_schema_pattern_matches(c, p->pattern, c->names[name], layer->where,
                                          "patternProperties"))
            continue;
        goal = ingle_schema_goal_and(c, goal, p->goal);
        matched = true;
    }
    return matched ? goal : layer->rest;
}

static const schema_goal_id *named_in(schema *c, const schema_layer *layer, uint32_t name)
{
    ingle_schema_work(c, layer->n_names / 16);
    for (size_t i = 0; i < layer->n_names; i++)
        if (layer->names[i].name == name) return &layer->names[i].goal;
    return NULL;
}

schema_goal_id ingle_schema_property_goal(schema *c, const schema_shape *s, uint32_t name)
{
    schema_goal_id goal = GOAL_TRUE;
    for (const schema_fact *f = s->facts; f && goal != GOAL_FALSE; f = f->next) {
        schema_goal_id more = GOAL_TRUE;
        if (f->kind == FACT_LAYER)
            more = ingle_schema_layer_goal(c, f->layer, name, named_in(c, f->layer, name));
        else if (f->kind == FACT_PROPERTY && f->name == name) more = f->goal;
        else if (f->kind == FACT_FORBID && f->name == name) more = GOAL_FALSE;
        goal = ingle_schema_goal_and(c, goal, more);
    }
    return goal;
}
