/* schema_late.c - see schema_late.h. */
#include "grammar/schema_late.h"

/* Whether what a fact evaluates counts for a frame around it. */
static bool counts(const schema_run *r, const schema_fact *f, uint32_t frame)
{
    uint32_t at = f->frame;
    while (at != frame) {
        if (!at || r->frames[at].mute) return false;
        at = r->frames[at].parent;
    }
    return true;
}

static bool add(schema_run *r, schema_run_state *s, const schema_fact *late, schema_fact fact)
{
    schema_at at = {.run = r, .state = s, .node = late->where, .frame = late->frame};
    ingle_schema_fact(&at, s, fact);
    return !r->c->status;
}

/* ---- properties ------------------------------------------------------------------------------ */

static void add_names(const schema_layer *from, schema_named *names, schema_patterned *patterns,
                      schema_layer *layer)
{
    for (size_t i = 0; i < from->n_names; i++)
        names[layer->n_names++] = (schema_named){from->names[i].name, GOAL_TRUE};
    for (size_t i = 0; i < from->n_patterns; i++)
        patterns[layer->n_patterns++] = (schema_patterned){from->patterns[i].pattern, GOAL_TRUE};
}

static bool late_properties(schema_run *r, schema_run_state *s, const schema_fact *late)
{
    schema *c = r->c;
    size_t n_names = 0, n_patterns = 0;
    bool covered = false;
    for (const schema_fact *f = s->shape.facts; f; f = f->next) {
        if (f->kind != FACT_LAYER || !counts(r, f, late->frame)) continue;
        n_names += f->layer->n_names;
        n_patterns += f->layer->n_patterns;
        covered |= f->layer->covers;
    }
    schema_layer *layer = ingle_schema_new(c, 1, sizeof *layer);
    schema_named *names = ingle_schema_new(c, n_names, sizeof *names);
    schema_patterned *patterns = ingle_schema_new(c, n_patterns, sizeof *patterns);
    if (!layer || !names || !patterns || !ingle_schema_work(c, n_names + n_patterns)) return false;
    *layer = (schema_layer){.names = names,
                            .patterns = patterns,
                            .covers = true,
                            .rest = covered ? GOAL_TRUE : late->goal,
                            .where = late->where};
    for (const schema_fact *f = s->shape.facts; f && !covered; f = f->next)
        if (f->kind == FACT_LAYER && counts(r, f, late->frame))
            add_names(f->layer, names, patterns, layer);
    if (!late->negated) return add(r, s, late, (schema_fact){.kind = FACT_LAYER, .layer = layer});
    if (covered) s->shape.types &= ~(uint32_t)TYPE_OBJECT;
    return add(r, s, late,
               (schema_fact){.kind = FACT_SOME_REST,
                             .layer = layer,
                             .goal = ingle_schema_goal_not(c, late->goal)});
}

/* ---- items ----------------------------------------------------------------------------------- */

/* Elements that `contains` matched are evaluated, the others are not. */
static schema_goal_id rest_goal(schema_run *r, schema_run_state *s, const schema_fact *late)
{
    schema *c = r->c;
    size_t n = 1, i = 0;
    for (const schema_fact *f = s->shape.facts; f; f = f->next) n += f->kind == FACT_CONTAINS;
    schema_goal_id *goals = ingle_schema_new(c, n, sizeof *goals);
    if (!goals) return GOAL_FALSE;
    for (const schema_fact *f = s->shape.facts; f; f = f->next)
        if (f->kind == FACT_CONTAINS && counts(r, f, late->frame)) goals[i++] = f->goal;
    goals[i++] = late->goal;
    return ingle_schema_goal_or(c, goals, i);
}

static bool late_items(schema_run *r, schema_run_state *s, const schema_fact *late)
{
    schema *c = r->c;
    size_t n = 0;
    bool covered = false;
    for (const schema_fact *f = s->shape.facts; f; f = f->next) {
        if (f->kind != FACT_ITEMS || !counts(r, f, late->frame)) continue;
        if (f->items->n_prefix > n) n = f->items->n_prefix;
        covered |= f->items->covers;
    }
    schema_items *items = ingle_schema_new(c, 1, sizeof *items);
    schema_goal_id *prefix = ingle_schema_new(c, n, sizeof *prefix); /* all GOAL_TRUE */
    if (!items || !prefix || !ingle_schema_work(c, n)) return false;
    *items = (schema_items){.prefix = prefix,
                            .n_prefix = n,
                            .covers = true,
                            .rest = covered ? GOAL_TRUE : rest_goal(r, s, late)};
    if (!late->negated) return add(r, s, late, (schema_fact){.kind = FACT_ITEMS, .items = items});
    if (covered) s->shape.types &= ~(uint32_t)TYPE_ARRAY;
    if (s->shape.min_items <= n) s->shape.min_items = (uint32_t)n + 1;
    return add(r, s, late,
               (schema_fact){.kind = FACT_CONTAINS,
                             .from = (uint32_t)n,
                             .min = 1,
                             .max = INGLE_TERM_MANY,
                             .goal = ingle_schema_goal_not(c, items->rest)});
}

bool ingle_schema_late(schema_run *r, schema_run_state *s)
{
    /* From the newest on: those of inner schemas before those around them. */
    const schema_fact *facts = s->shape.facts;
    for (const schema_fact *f = facts; f; f = f->next) {
        if (f->kind == FACT_LATE_PROPERTIES && !late_properties(r, s, f)) return false;
        if (f->kind == FACT_LATE_ITEMS && !late_items(r, s, f)) return false;
    }
    return !r->c->status;
}
