/* schema_words_logic.c - the keywords that apply further schemas to the same value. */
#include "grammar/schema_words.h"

enum { MAX_OBSERVED = 6 /* members of anyOf whose combinations are looked at */ };

void ingle_schema_word_ref(schema_at *at)
{
    schema *c = at->run->c;
    bool dynamic = ingle_json_is_text(at->name, "$dynamicRef");
    const ingle_json *to = ingle_schema_follow(c, at->node, at->value, dynamic, at->scope);
    if (!to) return;
    schema_goal_id goal = ingle_schema_sub(at, to, at->negated);
    ingle_schema_then(at, at->state, goal, at->negated);
}

/* The members of allOf, anyOf or oneOf as goals; NULL: failed. */
static schema_goal_id *members(schema_at *at, size_t *n)
{
    *n = 0;
    if (!ingle_json_is(at->value, INGLE_JSON_ARRAY) || !at->value->len) {
        ingle_schema_malformed(at, "must be an array of schemas, not an empty one");
        return NULL;
    }
    schema_goal_id *goals = ingle_schema_new(at->run->c, at->value->len, sizeof *goals);
    if (!goals || !ingle_schema_work(at->run->c, at->value->len)) return NULL;
    for (ingle_json_walk w = ingle_json_items(at->value); ingle_json_step(&w);)
        goals[(*n)++] = ingle_schema_sub(at, w.value, false);
    return at->run->c->status ? NULL : goals;
}

static void then_not(schema_at *at, schema_run_state *s, schema_goal_id goal)
{
    ingle_schema_then(at, s, ingle_schema_goal_not(at->run->c, goal), true);
}

/* ---- allOf, anyOf, not ----------------------------------------------------------------------- */

void ingle_schema_word_all(schema_at *at)
{
    size_t n;
    const schema_goal_id *goals = members(at, &n);
    if (!goals) return;
    for (size_t i = n; i-- > 0;) {
        if (at->negated) then_not(at, ingle_schema_fork(at), goals[i]);
        else ingle_schema_then(at, at->state, goals[i], false);
    }
}

/* Every set of members that hold: what they evaluate together. */
static void any_observed(schema_at *at, const schema_goal_id *goals, size_t n)
{
    if (n > MAX_OBSERVED) {
        ingle_schema_fail(at->run->c, INGLE_EUNSUPPORTED, at->node, "anyOf",
                          "has more than %d members beside unevaluated ones", MAX_OBSERVED);
        return;
    }
    for (unsigned set = 1; set < 1u << n; set++) {
        schema_run_state *s = ingle_schema_fork(at);
        for (size_t i = n; i-- > 0;) {
            if (set >> i & 1) ingle_schema_then(at, s, goals[i], false);
            else if (at->run->frames[at->frame].exact) then_not(at, s, goals[i]);
        }
    }
}

enum { MAX_COMPARED = 256 };

/* Takes out members that are there twice. */
static size_t different(schema_goal_id *goals, size_t n)
{
    size_t n_out = 0;
    for (size_t i = 0; i < n; i++) {
        size_t k = n > MAX_COMPARED ? n_out : 0;
        while (k < n_out && goals[k] != goals[i]) k++;
        if (k == n_out) goals[n_out++] = goals[i];
    }
    return n_out;
}

void ingle_schema_word_any(schema_at *at)
{
    size_t n;
    schema_goal_id *goals = members(at, &n);
    if (!goals) return;
    n = different(goals, n);
    if (!at->negated && n > 1 && at->run->frames[at->frame].observed) {
        any_observed(at, goals, n);
        return;
    }
    for (size_t i = n; i-- > 0;) {
        if (at->negated) then_not(at, at->state, goals[i]);
        else ingle_schema_then(at, ingle_schema_fork(at), goals[i], false);
    }
}

void ingle_schema_word_not(schema_at *at)
{
    ingle_schema_then(at, at->state, ingle_schema_sub(at, at->value, !at->negated), true);
}

/* ---- oneOf ----------------------------------------------------------------------------------- */

static void exactly_one(schema_at *at, const schema_goal_id *goals, size_t n)
{
    schema *c = at->run->c;
    at->forked = true;
    for (size_t i = 0; i < n && !c->status; i++) {
        schema_run_state *s = ingle_schema_fork(at);
        for (size_t j = n; s && j-- > 0;) {
            if (j == i) continue;
            bool apart = c->apart(c, goals[i], goals[j], at->state->shape.types);
            if (!apart) then_not(at, s, goals[j]);
        }
        ingle_schema_then(at, s, goals[i], false);
    }
}

static void none_or_two(schema_at *at, const schema_goal_id *goals, size_t n)
{
    schema_run_state *none = ingle_schema_fork(at);
    for (size_t i = 0; i < n; i++) then_not(at, none, goals[i]);
    for (size_t i = 0; i < n; i++)
        for (size_t j = i + 1; j < n; j++) {
            if (!ingle_schema_work(at->run->c, 1)) return;
            if (at->run->c->apart(at->run->c, goals[i], goals[j], at->state->shape.types)) continue;
            schema_run_state *two = ingle_schema_fork(at);
            ingle_schema_then(at, two, goals[j], true);
            ingle_schema_then(at, two, goals[i], true);
        }
}

void ingle_schema_word_one(schema_at *at)
{
    size_t n;
    const schema_goal_id *goals = members(at, &n);
    if (!goals) return;
    if (at->negated) none_or_two(at, goals, n);
    else exactly_one(at, goals, n);
}

/* ---- if, then, else -------------------------------------------------------------------------- */

void ingle_schema_word_if(schema_at *at)
{
    const ingle_json *yes = ingle_json_get(at->node, "then"),
                     *no = ingle_json_get(at->node, "else"),
                     *condition = ingle_json_get(at->node, "if");
    bool idle = !yes && !no && !at->run->frames[at->frame].observed;
    if (!condition || idle) {
        if (at->negated) at->state->shape.types = 0;
        return;
    }
    at->forked = true;
    schema_goal_id when = ingle_schema_sub(at, condition, false);
    if (!at->negated || yes) {
        schema_run_state *s = ingle_schema_fork(at);
        if (yes) ingle_schema_then(at, s, ingle_schema_sub(at, yes, at->negated), at->negated);
        ingle_schema_then(at, s, when, at->negated);
    }
    if (!at->negated || no) {
        schema_run_state *s = ingle_schema_fork(at);
        if (no) ingle_schema_then(at, s, ingle_schema_sub(at, no, at->negated), at->negated);
        then_not(at, s, when);
    }
}

/* ---- unevaluatedProperties, unevaluatedItems ------------------------------------------------- */

void ingle_schema_word_unevaluated(schema_at *at)
{
    bool items = ingle_json_is_text(at->name, "unevaluatedItems");
    schema_goal_id goal = ingle_schema_sub(at, at->value, false);
    if (at->negated) {
        at->state->shape.types &= items ? TYPE_ARRAY : TYPE_OBJECT;
        if (goal == GOAL_TRUE) at->state->shape.types = 0;
        else ingle_schema_then_late(at, at->state, at->word);
        return;
    }
    if (at->late && at->late != at->word) return; /* whatever it says, the schema does not hold */
    ingle_schema_fact(at, at->state,
                      (schema_fact){.kind = items ? FACT_LATE_ITEMS : FACT_LATE_PROPERTIES,
                                    .negated = at->late != NULL,
                                    .goal = goal});
}
