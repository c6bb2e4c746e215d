/* schema_words_array.c - the keywords of arrays. */
#include "grammar/schema_words.h"

/* ---- prefixItems, items, additionalItems ----------------------------------------------------- */

static const schema_items *items_of(schema_at *at)
{
    schema *c = at->run->c;
    const ingle_json *prefix = ingle_json_get(at->node, "prefixItems"),
                     *items = ingle_json_get(at->node, "items"), *rest = items;
    if (ingle_json_is(items, INGLE_JSON_ARRAY)) { /* before 2020-12 */
        prefix = items;
        rest = ingle_json_get(at->node, "additionalItems");
    }
    if (prefix && prefix->kind != INGLE_JSON_ARRAY) {
        ingle_schema_malformed(at, "must be an array of schemas");
        return NULL;
    }
    schema_items *out = ingle_schema_new(c, 1, sizeof *out);
    schema_goal_id *list = ingle_schema_new(c, prefix ? prefix->len : 0, sizeof *list);
    if (!out || !list || !ingle_schema_work(c, 1 + (prefix ? prefix->len : 0))) return NULL;
    size_t n = 0;
    for (ingle_json_walk w = ingle_json_items(prefix); ingle_json_step(&w);)
        list[n++] = ingle_schema_sub(at, w.value, false);
    *out = (schema_items){.prefix = list, .n_prefix = n, .covers = rest != NULL};
    out->rest = rest ? ingle_schema_sub(at, rest, false) : GOAL_TRUE;
    return c->status ? NULL : out;
}

static void not_items(schema_at *at, const schema_items *items)
{
    schema *c = at->run->c;
    for (size_t i = 0; i < items->n_prefix; i++) {
        if (items->prefix[i] == GOAL_TRUE) continue;
        schema_run_state *s = ingle_schema_fork_types(at, TYPE_ARRAY);
        if (s && s->shape.min_items <= i) s->shape.min_items = (uint32_t)i + 1;
        ingle_schema_fact(at, s,
                          (schema_fact){.kind = FACT_ITEM,
                                        .from = (uint32_t)i,
                                        .goal = ingle_schema_goal_not(c, items->prefix[i])});
    }
    at->forked = true;
    if (items->rest == GOAL_TRUE) return;
    uint32_t n = (uint32_t)items->n_prefix;
    schema_run_state *s = ingle_schema_fork_types(at, TYPE_ARRAY);
    if (s && s->shape.min_items <= n) s->shape.min_items = n + 1;
    ingle_schema_fact(at, s,
                      (schema_fact){.kind = FACT_CONTAINS,
                                    .from = n,
                                    .min = 1,
                                    .max = INGLE_TERM_MANY,
                                    .goal = ingle_schema_goal_not(c, items->rest)});
}

void ingle_schema_word_items(schema_at *at)
{
    const schema_items *items = items_of(at);
    if (!items) return;
    if (at->negated) not_items(at, items);
    else ingle_schema_fact(at, at->state, (schema_fact){.kind = FACT_ITEMS, .items = items});
}

/* ---- contains, minContains, maxContains ------------------------------------------------------ */

void ingle_schema_word_contains(schema_at *at)
{
    const ingle_json *min_node = ingle_json_get(at->node, "minContains"),
                     *max_node = ingle_json_get(at->node, "maxContains"),
                     *contains = ingle_json_get(at->node, "contains");
    uint32_t min = 1, max = INGLE_TERM_MANY;
    if (!contains) {
        if (at->negated) at->state->shape.types = 0;
        return;
    }
    if ((min_node && !ingle_schema_count(at, min_node, &min)) ||
        (max_node && !ingle_schema_count(at, max_node, &max)))
        return;
    schema_fact fact = {.kind = FACT_CONTAINS,
                        .min = min,
                        .max = max,
                        .goal = ingle_schema_sub(at, contains, false)};
    if (!at->negated) {
        ingle_schema_fact(at, at->state, fact);
        return;
    }
    at->forked = true;
    if (min) {
        fact.min = 0;
        fact.max = min - 1;
        ingle_schema_fact(at, ingle_schema_fork_types(at, TYPE_ARRAY), fact);
    }
    if (max == INGLE_TERM_MANY) return;
    fact.min = max + 1;
    fact.max = INGLE_TERM_MANY;
    ingle_schema_fact(at, ingle_schema_fork_types(at, TYPE_ARRAY), fact);
}

/* ---- minItems, maxItems, uniqueItems --------------------------------------------------------- */

void ingle_schema_word_n_items(schema_at *at)
{
    schema_shape *s = &at->state->shape;
    bool least = ingle_json_is_text(at->name, "minItems");
    uint32_t n;
    if (!ingle_schema_count(at, at->value, &n)) return;
    if (at->negated) {
        s->types &= TYPE_ARRAY;
        if (least && !n) s->types = 0;
        else n = least ? n - 1 : n + 1;
        least = !least;
    }
    if (least && s->min_items < n) s->min_items = n;
    if (!least && s->max_items > n) s->max_items = n;
}

void ingle_schema_word_unique(schema_at *at)
{
    bool unique;
    if (!ingle_json_bool(at->value, &unique)) {
        ingle_schema_malformed(at, "must be true or false");
        return;
    }
    if (!unique) {
        if (at->negated) at->state->shape.types = 0;
        return;
    }
    if (at->negated) {
        at->state->shape.types &= TYPE_ARRAY;
        if (at->state->shape.max_items < 2) at->state->shape.types = 0;
        else if (at->state->shape.min_items < 2) at->state->shape.min_items = 2;
    }
    ingle_schema_fact(at, at->state, (schema_fact){.kind = FACT_UNIQUE, .negated = at->negated});
}
