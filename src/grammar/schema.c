/* schema.c - see schema.h: from a schema to the root term. Goals that are reached are taken apart
 * until no new one comes; those that no finite text belongs to are found; each of the others becomes
 * a term, or a rule if it holds arrays or objects. */
#include "grammar/schema_apart.h"
#include "grammar/schema_array.h"
#include "grammar/schema_expand.h"
#include "grammar/schema_goal.h"
#include "grammar/schema_number.h"
#include "grammar/schema_object.h"
#include "grammar/schema_raw.h"
#include "grammar/schema_text.h"

#include <stdio.h>

/* ---- plans ----------------------------------------------------------------------------------- */

static ingle_term scalar_term(schema *c, const schema_shape *s)
{
    ingle_terms *t = c->t;
    ingle_term list[5] = {0};
    for (unsigned i = 0; i < 3; i++) /* TYPE_NULL, TYPE_TRUE, TYPE_FALSE */
        if (s->types >> i & 1) list[i] = ingle_schema_word_text(c, i);
    if (s->types & TYPE_NUMBER) list[3] = ingle_schema_number_term(c, s);
    if (s->types & TYPE_STRING) list[4] = ingle_schema_string_of(c, s);
    return ingle_term_alt_of(t, list, 5);
}

static bool plan_goal(schema *c, schema_goal_id goal)
{
    if (!ingle_schema_expand(c, goal)) return false;
    if (goal != GOAL_TRUE && ingle_schema_is_any(&c->goals[goal]))
        return ingle_schema_queue(c, GOAL_TRUE);
    for (size_t i = 0; i < c->goals[goal].n_shapes; i++) {
        schema_shape *s = c->goals[goal].shapes[i];
        s->scalar = scalar_term(c, s);
        if ((s->types & TYPE_ARRAY) && !ingle_schema_elements_plan(c, s)) return false;
        if ((s->types & TYPE_OBJECT) && !ingle_schema_members_plan(c, s)) return false;
        if (ingle_terms_status(c->t)) return false;
    }
    return !c->status;
}

/* ---- which goals have texts ------------------------------------------------------------------ */

static bool is_alive(schema *c, schema_goal_id goal)
{
    if (goal != GOAL_TRUE && ingle_schema_is_any(&c->goals[goal])) return true;
    for (size_t i = 0; i < c->goals[goal].n_shapes; i++) {
        const schema_shape *s = c->goals[goal].shapes[i];
        if (s->scalar != INGLE_TERM_NONE ||
            ((s->types & TYPE_ARRAY) && ingle_schema_elements_alive(c, s->elements)) ||
            ((s->types & TYPE_OBJECT) && ingle_schema_members_alive(c, s->members)))
            return true;
    }
    return false;
}

static bool find_alive(schema *c)
{
    for (bool found = true; found && !c->status;) {
        found = false;
        for (size_t i = c->n_queue; i-- > 0;) {
            schema_goal *g = &c->goals[c->queue[i]];
            if (g->alive || !ingle_schema_work(c, 1)) continue;
            found |= g->alive = is_alive(c, c->queue[i]);
        }
    }
    return !c->status;
}

/* ---- terms ----------------------------------------------------------------------------------- */

static bool is_scalar(const schema_goal *g)
{
    for (size_t i = 0; i < g->n_shapes; i++)
        if (g->shapes[i]->types & (TYPE_ARRAY | TYPE_OBJECT)) return false;
    return true;
}

static ingle_term scalars(schema *c, const schema_goal *g)
{
    ingle_term *list = ingle_schema_new(c, g->n_shapes, sizeof *list);
    if (!list) return INGLE_TERM_NONE;
    for (size_t i = 0; i < g->n_shapes; i++) list[i] = g->shapes[i]->scalar;
    return ingle_term_alt_of(c->t, list, g->n_shapes);
}

enum { MANY_RULES = 1000 }; /* their places are not looked for */

/* The name of a goal's rule, for messages: where its first schema stands. */
static uint32_t rule_of(schema *c, const schema_goal *g)
{
    char path[80] = "value";
    for (size_t i = 0; i < g->n_atoms && c->n_queue < MANY_RULES; i++) {
        const schema_atom *a = &c->atoms[g->atoms[i] >> 1];
        if (a->kind != ATOM_SCHEMA) continue;
        ingle_schema_path(&c->source, a->node, path, sizeof path);
        break;
    }
    return ingle_rule_new(c->t, path, strlen(path));
}

static ingle_term value_of(schema *c, schema_goal_id goal)
{
    schema_goal *g = &c->goals[goal];
    return g->alive ? g->term : INGLE_TERM_NONE;
}

static void give_term(schema *c, schema_goal_id goal)
{
    schema_goal *g = &c->goals[goal];
    if (!g->alive) return;
    if (goal != GOAL_TRUE && ingle_schema_is_any(g)) {
        g->term = c->goals[GOAL_TRUE].term;
    } else if (is_scalar(g)) {
        g->term = scalars(c, g);
    } else {
        g->rule = rule_of(c, g);
        g->has_rule = true;
        g->term = ingle_term_rule(c->t, g->rule);
    }
}

static void give_body(schema *c, schema_goal_id goal)
{
    const schema_goal *g = &c->goals[goal];
    if (!g->has_rule) return;
    ingle_term *list = ingle_schema_new(c, 3 * g->n_shapes, sizeof *list);
    size_t n = 0;
    if (!list) return;
    for (size_t i = 0; i < g->n_shapes; i++) {
        const schema_shape *s = g->shapes[i];
        list[n++] = s->scalar;
        if ((s->types & TYPE_ARRAY) && ingle_schema_elements_alive(c, s->elements))
            list[n++] = ingle_schema_array_term(c, s->elements, value_of);
        if ((s->types & TYPE_OBJECT) && ingle_schema_members_alive(c, s->members))
            list[n++] = ingle_schema_object_term(c, s->members, value_of);
    }
    ingle_rule_set(c->t, g->rule, ingle_term_alt_of(c->t, list, n));
}

static bool make_terms(schema *c)
{
    if (c->goals[GOAL_TRUE].queued) give_term(c, GOAL_TRUE);
    for (size_t i = 0; i < c->n_queue; i++)
        if (c->queue[i] != GOAL_TRUE) give_term(c, c->queue[i]);
    for (size_t i = 0; i < c->n_queue && !c->status && !ingle_terms_status(c->t); i++)
        give_body(c, c->queue[i]);
    return !c->status;
}

/* The objects of a goal, in the notation's frame. */
static ingle_term arguments(schema *c, schema_goal_id goal)
{
    const schema_goal *g = &c->goals[goal];
    ingle_term e = INGLE_TERM_NONE;
    if (ingle_schema_is_any(g)) g = &c->goals[GOAL_TRUE];
    for (size_t i = 0; i < g->n_shapes && !c->status; i++) {
        const schema_shape *s = g->shapes[i];
        if ((s->types & TYPE_OBJECT) && ingle_schema_members_alive(c, s->members))
            e = ingle_term_alt(c->t, e, ingle_schema_arguments_term(c, s->members, value_of));
    }
    return e;
}

/* ---- compiling ------------------------------------------------------------------------------- */

static bool compile(schema *c, ingle_term *root)
{
    schema_goal_id goal;
    const ingle_json *node = c->source.docs[0].root;
    c->apart = ingle_schema_apart;
    c->excludes = ingle_schema_excludes;
    if (!ingle_schema_goals_open(c)) return false;
    ingle_schema_raw_open(c);
    goal = ingle_schema_goal(c, node, 0);
    if (!ingle_schema_queue(c, goal)) return false;
    for (size_t i = 0; i < c->n_queue; i++)
        if (!plan_goal(c, c->queue[i])) return false;
    if (!find_alive(c)) return false;
    if (!c->goals[goal].alive)
        return ingle_schema_fail(c, INGLE_EFORMAT, node, NULL, "no value is valid");
    if (!make_terms(c)) return false;
    *root = c->opt->notation && c->opt->notation->frame ? arguments(c, goal) : c->goals[goal].term;
    return *root != INGLE_TERM_NONE ||
           ingle_schema_fail(c, INGLE_EUNSUPPORTED, node, NULL, "no value can be written");
}

static void close(schema *c)
{
    ingle_schema_source_close(&c->source);
    schema_map *maps[] = {&c->by_name, &c->by_atom,  &c->by_goal, &c->by_list,  &c->by_scope,
                          &c->dropped, &c->patterns, &c->layers,  &c->disjoint, &c->sets};
    for (size_t i = 0; i < sizeof maps / sizeof *maps; i++) ingle_schema_map_free(maps[i]);
    free(c->names);
    free(c->atoms);
    free(c->goals);
    free(c->scopes);
    free(c->queue);
    free(c->all_layers);
    ingle_schema_memory_free(&c->memory);
}

ingle_status ingle_schema_compile(ingle_terms *t, const char *text, size_t len,
                                  const ingle_schema_options *opt, ingle_term *root,
                                  ingle_error *err)
{
    static const ingle_schema_options defaults = {0};
    schema c = {.t = t, .opt = opt ? opt : &defaults, .err = err};
    *root = INGLE_TERM_NONE;
    ingle_status st = ingle_schema_source_open(&c.source, &c.memory, text, len, c.opt->documents,
                                               c.opt->n_documents, err);
    if (!st) {
        bool ok = compile(&c, root);
        st = c.status;
        if (!st && ingle_terms_status(t)) st = ingle_terms_finish(t, root, err); /* says why */
        if (!st && !ok) st = ingle_fail(err, INGLE_ENOMEM, "schema: no memory");
    }
    if (st) *root = INGLE_TERM_NONE;
    close(&c);
    return st;
}

ingle_term ingle_schema_any(ingle_terms *t, const ingle_schema_options *opt, bool object)
{
    const char *text = object ? "{\"type\":\"object\"}" : "true";
    ingle_schema_options plain = {.compact = opt && opt->compact};
    ingle_term root;
    ingle_error err;
    ingle_status st = ingle_schema_compile(t, text, strlen(text), &plain, &root, &err);
    if (st) ingle_terms_fail(t, st, "%s", err.text);
    return root;
}
