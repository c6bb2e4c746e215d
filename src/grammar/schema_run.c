/* schema_run.c - see schema_run.h. */
#include "grammar/schema_run.h"
#include "grammar/schema_decimal.h"

schema_run_state *ingle_schema_fork(schema_at *at)
{
    schema_run *r = at->run;
    at->forked = true;
    if (r->c->status) return NULL;
    if (r->n_states >= SCHEMA_MAX_SHAPES) {
        ingle_schema_fail(r->c, INGLE_EUNSUPPORTED, at->node, at->word ? at->word->name : NULL,
                          "too many alternatives");
        return NULL;
    }
    if (!ingle_grow(&r->states, &r->cap_states, r->n_states + 1, sizeof *r->states)) {
        ingle_schema_no_memory(r->c);
        return NULL;
    }
    r->states[r->n_states] = *at->state;
    return &r->states[r->n_states++];
}

schema_run_state *ingle_schema_fork_types(schema_at *at, uint32_t types)
{
    at->forked = true;
    if (!(at->state->shape.types & types)) return NULL;
    schema_run_state *s = ingle_schema_fork(at);
    if (s) s->shape.types &= types;
    return s;
}

static void cons(schema_at *at, schema_run_state *s, schema_step step)
{
    schema_step *copy = ingle_schema_new(at->run->c, 1, sizeof *copy);
    if (!copy) return;
    *copy = step;
    copy->next = s->todo;
    s->todo = copy;
}

void ingle_schema_then(schema_at *at, schema_run_state *s, schema_goal_id goal, bool mute)
{
    if (!s) return;
    if (goal == GOAL_FALSE) {
        s->shape.types = 0;
        return;
    }
    const schema_goal *g = &at->run->c->goals[goal];
    for (size_t i = g->n_atoms; i-- > 0;)
        cons(at, s, (schema_step){.atom = g->atoms[i], .frame = at->frame, .mute = mute});
}

void ingle_schema_then_late(schema_at *at, schema_run_state *s, const schema_word *late)
{
    schema_ref atom = at->run->frames[at->frame].atom & ~1u;
    cons(at, s, (schema_step){.atom = atom, .frame = at->frame, .mute = true, .late = late});
}

void ingle_schema_then_word(schema_at *at, schema_run_state *s, const schema_word *word,
                            const ingle_json *name, const ingle_json *value)
{
    if (!s) return;
    cons(at, s,
         (schema_step){.word = word,
                       .negated = at->negated,
                       .frame = at->frame,
                       .scope = at->scope,
                       .node = at->node,
                       .name = name,
                       .value = value});
}

void ingle_schema_fact(schema_at *at, schema_run_state *s, schema_fact fact)
{
    if (!s) return;
    schema_fact *copy = ingle_schema_new(at->run->c, 1, sizeof *copy);
    if (!copy) return;
    fact.frame = at->frame;
    fact.where = at->node;
    fact.next = s->shape.facts;
    *copy = fact;
    s->shape.facts = copy;
}

int ingle_schema_presence(const schema_run_state *s, uint32_t name)
{
    for (const schema_fact *f = s->shape.facts; f; f = f->next)
        if ((f->kind == FACT_REQUIRE || f->kind == FACT_FORBID) && f->name == name)
            return f->kind == FACT_REQUIRE ? 1 : -1;
    return 0;
}

void ingle_schema_require(schema_at *at, schema_run_state *s, const ingle_json *name, bool there)
{
    if (!s) return;
    uint32_t number = ingle_schema_name(at->run->c, name);
    int known = ingle_schema_presence(s, number);
    if (known == (there ? -1 : 1)) s->shape.types &= ~(uint32_t)TYPE_OBJECT;
    if (!known)
        ingle_schema_fact(at, s,
                          (schema_fact){.kind = there ? FACT_REQUIRE : FACT_FORBID,
                                        .placed = at->word && at->word->kind == WORD_LATER,
                                        .name = number});
}

schema_goal_id ingle_schema_sub(schema_at *at, const ingle_json *node, bool negated)
{
    schema *c = at->run->c;
    if (node->kind != INGLE_JSON_OBJECT && node->kind != INGLE_JSON_BOOL) {
        ingle_schema_malformed(at, "must be a schema: an object, true or false");
        return GOAL_FALSE;
    }
    schema_goal_id goal = ingle_schema_goal(c, node, at->scope);
    return negated && !c->status ? ingle_schema_goal_not(c, goal) : goal;
}

void ingle_schema_malformed(schema_at *at, const char *must)
{
    ingle_schema_fail(at->run->c, INGLE_EFORMAT, at->node, at->word ? at->word->name : NULL, "%s",
                      must);
}

bool ingle_schema_count(schema_at *at, const ingle_json *value, uint32_t *out)
{
    uint64_t n;
    double x;
    if (!ingle_json_u64(value, &n)) {
        if (!ingle_json_f64(value, &x) || x < 4e9) {
            ingle_schema_malformed(at, "must be a whole number that is not negative");
            return false;
        }
        n = UINT32_MAX;
    }
    *out = n < UINT32_MAX ? (uint32_t)n : UINT32_MAX - 1;
    return true;
}

void ingle_schema_settle(schema_shape *s)
{
    if (s->low && s->high) {
        int order = ingle_schema_decimal_compare(s->low, s->high);
        if (order > 0 || (!order && (s->low_open || s->high_open)))
            s->types &= ~(uint32_t)TYPE_NUMBER;
    }
    if (s->min_len > s->max_len) s->types &= ~(uint32_t)TYPE_STRING;
    if (s->min_items > s->max_items) s->types &= ~(uint32_t)TYPE_ARRAY;
    if (s->min_members > s->max_members) s->types &= ~(uint32_t)TYPE_OBJECT;
}
