/* schema_words_object.c - the keywords of objects. */
#include "grammar/schema_words.h"

/* ---- properties, patternProperties, additionalProperties ------------------------------------- */

static bool is_map(schema_at *at, const ingle_json *v)
{
    if (v && v->kind != INGLE_JSON_OBJECT) ingle_schema_malformed(at, "must be an object");
    return !v || v->kind == INGLE_JSON_OBJECT;
}

static schema_layer *layer_new(schema_at *at)
{
    schema *c = at->run->c;
    const ingle_json *properties = ingle_json_get(at->node, "properties"),
                     *patterns = ingle_json_get(at->node, "patternProperties"),
                     *rest = ingle_json_get(at->node, "additionalProperties");
    if (!is_map(at, properties) || !is_map(at, patterns)) return NULL;
    size_t n = 0, n_names = properties ? properties->len : 0,
           n_patterns = patterns ? patterns->len : 0;
    schema_layer *layer = ingle_schema_new(c, 1, sizeof *layer);
    schema_named *names = ingle_schema_new(c, n_names, sizeof *names);
    schema_patterned *list = ingle_schema_new(c, n_patterns, sizeof *list);
    if (!layer || !names || !list || !ingle_schema_work(c, 1 + n_names + n_patterns)) return NULL;
    for (ingle_json_walk w = ingle_json_items(properties); ingle_json_step(&w); n++)
        names[n] =
            (schema_named){ingle_schema_name(c, w.name), ingle_schema_sub(at, w.value, false)};
    n = 0;
    for (ingle_json_walk w = ingle_json_items(patterns); ingle_json_step(&w); n++)
        list[n] = (schema_patterned){w.name, ingle_schema_sub(at, w.value, false)};
    *layer = (schema_layer){.names = names,
                            .n_names = n_names,
                            .patterns = list,
                            .n_patterns = n_patterns,
                            .covers = rest != NULL,
                            .where = at->node};
    layer->rest = rest ? ingle_schema_sub(at, rest, false) : GOAL_TRUE;
    return c->status ? NULL : layer;
}

/* The layer of a schema, made once. */
static const schema_layer *layer_of(schema_at *at)
{
    schema *c = at->run->c;
    struct {
        const ingle_json *node;
        uint64_t scope;
    } key = {at->node, at->scope};
    bool made;
    char *copy = ingle_schema_copy(&c->memory, &key, sizeof key);
    schema_key *k = copy ? ingle_schema_map_put(&c->layers, copy, sizeof key, 0, &made) : NULL;
    if (!k || !ingle_grow(&c->all_layers, &c->cap_layers, c->n_layers + 1, sizeof *c->all_layers)) {
        ingle_schema_no_memory(c);
        return NULL;
    }
    if (!made) return c->all_layers[k->value];
    k->value = (uint32_t)c->n_layers;
    c->all_layers[c->n_layers++] = NULL;
    uint32_t number = (uint32_t)c->n_layers - 1;
    return c->all_layers[number] = layer_new(at);
}

static void not_layer(schema_at *at, const schema_layer *layer)
{
    schema *c = at->run->c;
    at->forked = true;
    for (size_t i = 0; i < layer->n_names; i++) {
        if (layer->names[i].goal == GOAL_TRUE) continue;
        schema_run_state *s = ingle_schema_fork_types(at, TYPE_OBJECT);
        ingle_schema_require(at, s, c->names[layer->names[i].name], true);
        ingle_schema_fact(at, s,
                          (schema_fact){.kind = FACT_PROPERTY,
                                        .name = layer->names[i].name,
                                        .goal = ingle_schema_goal_not(c, layer->names[i].goal)});
    }
    for (size_t i = 0; i < layer->n_patterns; i++) {
        if (layer->patterns[i].goal == GOAL_TRUE) continue;
        ingle_schema_fact(at, ingle_schema_fork_types(at, TYPE_OBJECT),
                          (schema_fact){.kind = FACT_SOME_PATTERN,
                                        .node = layer->patterns[i].pattern,
                                        .goal = ingle_schema_goal_not(c, layer->patterns[i].goal)});
    }
    if (layer->rest == GOAL_TRUE) return;
    ingle_schema_fact(at, ingle_schema_fork_types(at, TYPE_OBJECT),
                      (schema_fact){.kind = FACT_SOME_REST,
                                    .layer = layer,
                                    .goal = ingle_schema_goal_not(c, layer->rest)});
}

void ingle_schema_word_properties(schema_at *at)
{
    const schema_layer *layer = layer_of(at);
    if (!layer) return;
    if (at->negated) not_layer(at, layer);
    else ingle_schema_fact(at, at->state, (schema_fact){.kind = FACT_LAYER, .layer = layer});
}

/* ---- required, minProperties, maxProperties, propertyNames ----------------------------------- */

static bool names_in(schema_at *at, const ingle_json *list)
{
    if (!ingle_json_is(list, INGLE_JSON_ARRAY)) {
        ingle_schema_malformed(at, "must be an array of names");
        return false;
    }
    for (ingle_json_walk w = ingle_json_items(list); ingle_json_step(&w);)
        if (w.value->kind != INGLE_JSON_STRING) {
            ingle_schema_malformed(at, "must be an array of names");
            return false;
        }
    return ingle_schema_work(at->run->c, 1 + list->len * (size_t)list->len / 64);
}

void ingle_schema_word_required(schema_at *at)
{
    bool flag;
    if (ingle_json_bool(at->value, &flag)) { /* draft 3 has it in the property */
        if (!ingle_schema_drop(at->run->c, at->node, "required", "must be an array of names"))
            return;
        if (at->negated) at->state->shape.types = 0;
        return;
    }
    if (!names_in(at, at->value)) return;
    at->forked = at->negated;
    for (ingle_json_walk w = ingle_json_items(at->value); ingle_json_step(&w);) {
        schema_run_state *s = at->negated ? ingle_schema_fork_types(at, TYPE_OBJECT) : at->state;
        ingle_schema_require(at, s, w.value, !at->negated);
    }
}

void ingle_schema_word_n_members(schema_at *at)
{
    schema_shape *s = &at->state->shape;
    bool least = ingle_json_is_text(at->name, "minProperties");
    uint32_t n;
    if (!ingle_schema_count(at, at->value, &n)) return;
    if (at->negated) {
        s->types &= TYPE_OBJECT;
        if (least && !n) s->types = 0;
        else n = least ? n - 1 : n + 1;
        least = !least;
    }
    if (least && s->min_members < n) s->min_members = n;
    if (!least && s->max_members > n) s->max_members = n;
}

void ingle_schema_word_names(schema_at *at)
{
    schema_goal_id goal = ingle_schema_sub(at, at->value, at->negated);
    if (!at->negated) {
        ingle_schema_fact(at, at->state, (schema_fact){.kind = FACT_NAMES, .goal = goal});
        return;
    }
    at->state->shape.types &= TYPE_OBJECT;
    if (!at->state->shape.min_members) at->state->shape.min_members = 1;
    ingle_schema_fact(at, at->state, (schema_fact){.kind = FACT_SOME_KEY, .keys = goal});
}

/* ---- dependentRequired, dependentSchemas, dependencies --------------------------------------- */

/* With the property there: what it asks for then. */
static void when_there(schema_at *at, schema_run_state *s)
{
    if (!s) return;
    if (at->value->kind != INGLE_JSON_ARRAY) {
        ingle_schema_then(at, s, ingle_schema_sub(at, at->value, false), false);
        return;
    }
    for (ingle_json_walk w = ingle_json_items(at->value); ingle_json_step(&w);)
        ingle_schema_require(at, s, w.value, true);
}

/* One property with what depends on it. */
static void dependency(schema_at *at)
{
    if (at->value->kind == INGLE_JSON_ARRAY && !names_in(at, at->value)) return;
    int known = ingle_schema_presence(at->state, ingle_schema_name(at->run->c, at->name));
    if (known < 0) return;
    if (known > 0 && !(at->state->shape.types & ~(uint32_t)TYPE_OBJECT)) {
        when_there(at, at->state);
        return;
    }
    ingle_schema_require(at, ingle_schema_fork_types(at, TYPE_ALL), at->name, false);
    schema_run_state *s = ingle_schema_fork_types(at, TYPE_OBJECT);
    ingle_schema_require(at, s, at->name, true);
    when_there(at, s);
}

static void not_dependency(schema_at *at)
{
    at->forked = true;
    if (at->value->kind != INGLE_JSON_ARRAY) {
        schema_run_state *s = ingle_schema_fork_types(at, TYPE_OBJECT);
        ingle_schema_require(at, s, at->name, true);
        ingle_schema_then(at, s, ingle_schema_sub(at, at->value, true), true);
        return;
    }
    if (!names_in(at, at->value)) return;
    for (ingle_json_walk w = ingle_json_items(at->value); ingle_json_step(&w);) {
        schema_run_state *s = ingle_schema_fork_types(at, TYPE_OBJECT);
        ingle_schema_require(at, s, at->name, true);
        ingle_schema_require(at, s, w.value, false);
    }
}

void ingle_schema_word_dependent(schema_at *at)
{
    static const schema_word one = {"dependencies", WORD_LATER, dependency, NULL};
    if (!is_map(at, at->value)) return;
    at->forked = at->negated;
    for (ingle_json_walk w = ingle_json_items(at->value); ingle_json_step(&w);) {
        if (!at->negated) {
            ingle_schema_then_word(at, at->state, &one, w.name, w.value);
            continue;
        }
        schema_at member = *at;
        member.name = w.name;
        member.value = w.value;
        not_dependency(&member);
    }
}
