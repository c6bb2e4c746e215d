/* schema_words_scalar.c - type, enum, const, and the keywords of numbers and strings. */
#include "grammar/schema_words.h"
#include "grammar/schema_decimal.h"
#include "grammar/schema_format.h"

/* ---- type ------------------------------------------------------------------------------------ */

static uint32_t type_named(schema_at *at, const ingle_json *name)
{
    static const struct {
        const char *name;
        uint32_t types;
    } types[] = {
        {"null", TYPE_NULL},     {"boolean", TYPE_BOOL},  {"integer", TYPE_INTEGER},
        {"number", TYPE_NUMBER}, {"string", TYPE_STRING}, {"array", TYPE_ARRAY},
        {"object", TYPE_OBJECT}, {"any", TYPE_ALL}, /* draft 3 */
    };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (ingle_json_is_text(name, types[i].name)) return types[i].types;
    ingle_schema_malformed(at, "must name JSON's types");
    return 0;
}

void ingle_schema_word_type(schema_at *at)
{
    uint32_t types = 0;
    bool nullable = false;
    if (ingle_json_is(at->value, INGLE_JSON_ARRAY))
        for (ingle_json_walk w = ingle_json_items(at->value); ingle_json_step(&w);)
            types |= type_named(at, w.value);
    else types = type_named(at, at->value);
    if (ingle_json_bool(ingle_json_get(at->node, "nullable"), &nullable) && nullable)
        types |= TYPE_NULL;
    at->state->shape.types &= at->negated ? ~types : types;
}

/* ---- values ---------------------------------------------------------------------------------- */

static uint32_t type_of(schema_at *at, const ingle_json *v)
{
    schema *c = at->run->c;
    switch ((ingle_json_kind)v->kind) {
    case INGLE_JSON_NULL: return TYPE_NULL;
    case INGLE_JSON_BOOL: return v->text[0] == 't' ? TYPE_TRUE : TYPE_FALSE;
    case INGLE_JSON_STRING: return TYPE_STRING;
    case INGLE_JSON_ARRAY: return TYPE_ARRAY;
    case INGLE_JSON_OBJECT: return TYPE_OBJECT;
    case INGLE_JSON_NUMBER: break;
    }
    ingle_status status;
    const schema_decimal *d = ingle_schema_decimal(&c->memory, v, &status);
    if (!d) {
        if (status == INGLE_ENOMEM) ingle_schema_no_memory(c);
        else
            ingle_schema_fail(c, status, at->node, at->word ? at->word->name : NULL,
                              "a number beyond all doubles");
        return 0;
    }
    return ingle_schema_decimal_whole(d) ? TYPE_INTEGER : TYPE_FRACTION;
}

/* The members of an object that const asks for, and no others. */
static const schema_layer *layer_of(schema_at *at, const ingle_json *value)
{
    schema *c = at->run->c;
    schema_layer *layer = ingle_schema_new(c, 1, sizeof *layer);
    schema_named *names = ingle_schema_new(c, 2 * (size_t)value->len, sizeof *names);
    size_t n = 0;
    if (!layer || !names || !ingle_schema_work(c, value->len)) return NULL;
    for (ingle_json_walk w = ingle_json_items(value); ingle_json_step(&w); n++)
        names[n] =
            (schema_named){ingle_schema_name(c, w.name), ingle_schema_goal_value(c, w.value)};
    *layer = (schema_layer){.names = names, .n_names = n, .rest = GOAL_FALSE};
    return layer;
}

static void object_value(schema_at *at)
{
    const schema_layer *layer = layer_of(at, at->value);
    if (!layer) return;
    if (!at->negated) {
        at->state->shape.types &= TYPE_OBJECT;
        ingle_schema_fact(at, at->state, (schema_fact){.kind = FACT_LAYER, .layer = layer});
        for (ingle_json_walk w = ingle_json_items(at->value); ingle_json_step(&w);)
            ingle_schema_require(at, at->state, w.name, true);
        return;
    }
    ingle_schema_fork_types(at, TYPE_ALL & ~TYPE_OBJECT);
    ingle_schema_fact(at, ingle_schema_fork_types(at, TYPE_OBJECT),
                      (schema_fact){.kind = FACT_SOME_REST, .layer = layer});
    for (ingle_json_walk w = ingle_json_items(at->value); ingle_json_step(&w);) {
        ingle_schema_require(at, ingle_schema_fork_types(at, TYPE_OBJECT), w.name, false);
        schema_goal_id other =
            ingle_schema_goal_not(at->run->c, ingle_schema_goal_value(at->run->c, w.value));
        schema_run_state *s = ingle_schema_fork_types(at, TYPE_OBJECT);
        ingle_schema_require(at, s, w.name, true);
        ingle_schema_fact(at, s,
                          (schema_fact){.kind = FACT_PROPERTY,
                                        .name = ingle_schema_name(at->run->c, w.name),
                                        .goal = other});
    }
}

static void array_value(schema_at *at)
{
    schema *c = at->run->c;
    uint32_t n = at->value->len, i = 0;
    schema_items *items = ingle_schema_new(c, 1, sizeof *items);
    schema_goal_id *prefix = ingle_schema_new(c, n, sizeof *prefix);
    if (!items || !prefix || !ingle_schema_work(c, n)) return;
    for (ingle_json_walk w = ingle_json_items(at->value); ingle_json_step(&w);)
        prefix[i++] = ingle_schema_goal_value(c, w.value);
    *items = (schema_items){prefix, n, GOAL_FALSE, false};
    if (!at->negated) {
        schema_shape *s = &at->state->shape;
        s->types &= TYPE_ARRAY;
        if (s->min_items < n) s->min_items = n;
        if (s->max_items > n) s->max_items = n;
        ingle_schema_fact(at, at->state, (schema_fact){.kind = FACT_ITEMS, .items = items});
        return;
    }
    ingle_schema_fork_types(at, TYPE_ALL & ~TYPE_ARRAY);
    schema_run_state *longer = ingle_schema_fork_types(at, TYPE_ARRAY);
    if (longer && longer->shape.min_items <= n) longer->shape.min_items = n + 1;
    schema_run_state *shorter = n ? ingle_schema_fork_types(at, TYPE_ARRAY) : NULL;
    if (shorter && shorter->shape.max_items >= n) shorter->shape.max_items = n - 1;
    for (i = 0; i < n; i++) {
        schema_run_state *s = ingle_schema_fork_types(at, TYPE_ARRAY);
        if (s && s->shape.min_items <= i) s->shape.min_items = i + 1;
        ingle_schema_fact(at, s,
                          (schema_fact){.kind = FACT_ITEM,
                                        .from = i,
                                        .goal = ingle_schema_goal_not(c, prefix[i])});
    }
}

void ingle_schema_value(schema_at *at)
{
    uint32_t type = type_of(at, at->value);
    schema_fact_kind set = type & TYPE_STRING ? FACT_STRINGS : FACT_NUMBERS;
    if (type == TYPE_OBJECT) {
        object_value(at);
    } else if (type == TYPE_ARRAY) {
        array_value(at);
    } else {
        bool simple = !(type & (TYPE_NUMBER | TYPE_STRING));
        if (!at->negated) at->state->shape.types &= type;
        else if (simple) at->state->shape.types &= ~type;
        if (!simple)
            ingle_schema_fact(
                at, at->state,
                (schema_fact){.kind = set, .node = at->value, .negated = at->negated});
    }
}

/* ---- enum, const ----------------------------------------------------------------------------- */

static bool is_container(const ingle_json *v)
{
    return v->kind == INGLE_JSON_ARRAY || v->kind == INGLE_JSON_OBJECT;
}

/* Facts about those values of an enum that are strings or numbers. */
static void enum_facts(schema_at *at, schema_run_state *s, uint32_t types)
{
    if (types & TYPE_NUMBER)
        ingle_schema_fact(
            at, s, (schema_fact){.kind = FACT_NUMBERS, .node = at->value, .negated = at->negated});
    if (types & TYPE_STRING)
        ingle_schema_fact(
            at, s, (schema_fact){.kind = FACT_STRINGS, .node = at->value, .negated = at->negated});
}

static void one_of_enum(schema_at *at, uint32_t types, size_t n_containers)
{
    if (!n_containers) {
        at->state->shape.types &= types;
        enum_facts(at, at->state, types);
        return;
    }
    enum_facts(at, ingle_schema_fork_types(at, types), types);
    for (ingle_json_walk w = ingle_json_items(at->value); ingle_json_step(&w);) {
        if (!is_container(w.value)) continue;
        uint32_t type = w.value->kind == INGLE_JSON_ARRAY ? TYPE_ARRAY : TYPE_OBJECT;
        schema_run_state *s = ingle_schema_fork_types(at, type);
        ingle_schema_then(at, s, ingle_schema_goal_value(at->run->c, w.value), true);
    }
}

static void none_of_enum(schema_at *at, uint32_t types)
{
    at->state->shape.types &= ~(types & (TYPE_NULL | TYPE_BOOL));
    enum_facts(at, at->state, types);
    for (ingle_json_walk w = ingle_json_items(at->value); ingle_json_step(&w);) {
        if (!is_container(w.value)) continue;
        schema_goal_id value = ingle_schema_goal_value(at->run->c, w.value);
        ingle_schema_then(at, at->state, ingle_schema_goal_not(at->run->c, value), true);
    }
}

void ingle_schema_word_enum(schema_at *at)
{
    uint32_t types = 0;
    size_t n_containers = 0;
    if (ingle_json_is_text(at->name, "const")) {
        schema_goal_id value = ingle_schema_goal_value(at->run->c, at->value);
        if (at->negated) value = ingle_schema_goal_not(at->run->c, value);
        ingle_schema_then(at, at->state, value, true);
        return;
    }
    if (!ingle_json_is(at->value, INGLE_JSON_ARRAY)) {
        ingle_schema_malformed(at, "must be an array");
        return;
    }
    if (!ingle_schema_work(at->run->c, 1 + at->value->len / 8)) return;
    for (ingle_json_walk w = ingle_json_items(at->value); ingle_json_step(&w);) {
        if (is_container(w.value)) n_containers++;
        else types |= type_of(at, w.value);
    }
    if (at->negated) none_of_enum(at, types);
    else one_of_enum(at, types, n_containers);
}

/* ---- numbers --------------------------------------------------------------------------------- */

static const schema_decimal *decimal(schema_at *at, const ingle_json *v)
{
    schema *c = at->run->c;
    ingle_status status;
    if (!ingle_json_is(v, INGLE_JSON_NUMBER)) {
        ingle_schema_malformed(at, "must be a number");
        return NULL;
    }
    const schema_decimal *d = ingle_schema_decimal(&c->memory, v, &status);
    if (status == INGLE_ENOMEM) ingle_schema_no_memory(c);
    else if (!d) ingle_schema_fail(c, status, at->node, at->word->name, "is too large");
    return d;
}

static void at_least(schema_shape *s, const schema_decimal *d, bool open)
{
    int order = s->low ? ingle_schema_decimal_compare(d, s->low) : 1;
    if (order > 0 || (!order && open)) {
        s->low = d;
        s->low_open = open;
    }
}

static void at_most(schema_shape *s, const schema_decimal *d, bool open)
{
    int order = s->high ? ingle_schema_decimal_compare(d, s->high) : -1;
    if (order < 0 || (!order && open)) {
        s->high = d;
        s->high_open = open;
    }
}

/* The bound that a keyword means: draft 4 has "exclusiveMinimum": true beside "minimum". */
static const schema_decimal *bound_of(schema_at *at, const char *plain, bool *open)
{
    bool flag;
    *open = !ingle_json_is_text(at->name, plain);
    if (!*open || !ingle_json_bool(at->value, &flag)) return decimal(at, at->value);
    const ingle_json *v = ingle_json_get(at->node, plain);
    return flag && v ? decimal(at, v) : NULL;
}

void ingle_schema_word_minimum(schema_at *at)
{
    bool open;
    const schema_decimal *d = bound_of(at, "minimum", &open);
    if (!d) {
        if (at->negated) at->state->shape.types = 0;
        return;
    }
    if (!at->negated) {
        at_least(&at->state->shape, d, open);
        return;
    }
    at->state->shape.types &= TYPE_NUMBER;
    at_most(&at->state->shape, d, !open);
}

void ingle_schema_word_maximum(schema_at *at)
{
    bool open;
    const schema_decimal *d = bound_of(at, "maximum", &open);
    if (!d) {
        if (at->negated) at->state->shape.types = 0;
        return;
    }
    if (!at->negated) {
        at_most(&at->state->shape, d, open);
        return;
    }
    at->state->shape.types &= TYPE_NUMBER;
    at_least(&at->state->shape, d, !open);
}

void ingle_schema_word_multiple(schema_at *at)
{
    const schema_decimal *d = decimal(at, at->value);
    if (!d) return;
    if (!d->n || d->negative) {
        ingle_schema_malformed(at, "must be greater than 0");
        return;
    }
    if (at->negated) at->state->shape.types &= TYPE_NUMBER;
    ingle_schema_fact(at, at->state,
                      (schema_fact){.kind = FACT_MULTIPLE, .decimal = d, .negated = at->negated});
}

/* ---- strings --------------------------------------------------------------------------------- */

void ingle_schema_word_length(schema_at *at)
{
    schema_shape *s = &at->state->shape;
    bool least = ingle_json_is_text(at->name, "minLength");
    uint32_t n;
    if (!ingle_schema_count(at, at->value, &n)) return;
    if (at->negated) {
        s->types &= TYPE_STRING;
        if (least && !n) s->types = 0;
        else n = least ? n - 1 : n + 1;
        least = !least;
    }
    if (least && s->min_len < n) s->min_len = n;
    if (!least && s->max_len > n) s->max_len = n;
}

void ingle_schema_word_pattern(schema_at *at)
{
    if (!ingle_json_is(at->value, INGLE_JSON_STRING)) {
        ingle_schema_malformed(at, "must be a string");
        return;
    }
    if (at->negated) at->state->shape.types &= TYPE_STRING;
    ingle_schema_fact(
        at, at->state,
        (schema_fact){.kind = FACT_PATTERN, .node = at->value, .negated = at->negated});
}

void ingle_schema_word_format(schema_at *at)
{
    bool exact, known = ingle_schema_format_known(at->value, &exact);
    if (!ingle_json_is(at->value, INGLE_JSON_STRING)) {
        ingle_schema_malformed(at, "must be a string");
        return;
    }
    if (!known || (at->negated && !exact)) {
        ingle_schema_drop(at->run->c, at->node, "format",
                          known ? "cannot be enforced under 'not'" : "is not a known one");
        if (at->negated) at->state->shape.types = 0;
        return;
    }
    if (at->negated) at->state->shape.types &= TYPE_STRING;
    ingle_schema_fact(
        at, at->state,
        (schema_fact){.kind = FACT_FORMAT, .node = at->value, .negated = at->negated});
}
