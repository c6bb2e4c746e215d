/* schema_expand.c - see schema_expand.h. States lie on a stack of the run's own; what branches,
 * branches there. */
#include "grammar/schema_expand.h"
#include "grammar/schema_late.h"
#include "grammar/schema_prune.h"
#include "grammar/schema_words.h"

#include "base/utf8.h"

enum { MAX_FRAMES = 2000 /* in one another */ };

/* ---- atoms ----------------------------------------------------------------------------------- */

/* A frame for an atom inside another one. False: it refers to itself, or failed. */
static bool enter(schema_run *r, const schema_step *step, const ingle_json *node, uint32_t *frame)
{
    schema *c = r->c;
    size_t depth = 0;
    for (uint32_t f = step->frame; f; f = r->frames[f].parent, depth++) {
        if (r->frames[f].atom == step->atom && node)
            return ingle_schema_fail(c, INGLE_EFORMAT, node, NULL, "refers to itself without end");
        if (depth > MAX_FRAMES)
            return ingle_schema_fail(c, INGLE_EUNSUPPORTED, node, NULL, "nested too deeply");
    }
    if (!ingle_schema_work(c, depth / 16)) return false;
    if (!ingle_grow(&r->frames, &r->cap_frames, r->n_frames + 1, sizeof *r->frames))
        return ingle_schema_no_memory(c);
    bool mute = step->mute || (step->atom & 1);
    r->frames[r->n_frames] = (schema_frame){.parent = step->frame,
                                            .atom = step->atom,
                                            .mute = mute,
                                            .observed = !mute && r->frames[step->frame].observed,
                                            .exact = !mute && r->frames[step->frame].exact};
    if (step->late) r->frames[r->n_frames].observed = r->frames[r->n_frames].exact = true;
    *frame = (uint32_t)r->n_frames++;
    return true;
}

static void expand_or(schema_at *at, const schema_atom *a)
{
    schema *c = at->run->c;
    for (size_t i = 0; i < a->n_goals; i++) {
        if (at->negated)
            ingle_schema_then(at, at->state, ingle_schema_goal_not(c, a->goals[i]), true);
        else ingle_schema_then(at, ingle_schema_fork(at), a->goals[i], true);
    }
}

/* A keyword that is not known; names that begin with "x-" are for others. */
static void unknown(schema_at *at)
{
    if (at->name->len >= 2 && !memcmp(at->name->text, "x-", 2)) return;
    char name[80];
    size_t n = at->name->len < sizeof name - 1 ? at->name->len : sizeof name - 1;
    n = ingle_utf8_valid(at->name->text, n); /* no part of a character */
    memcpy(name, at->name->text, n);
    name[n] = 0;
    ingle_schema_drop(at->run->c, at->node, name, "is not a known keyword");
}

/* The word that stands for a member; NULL: none, or one that has been seen for this schema. */
static const schema_word *word_of(schema_at *at, const char **seen, size_t *n_seen)
{
    const schema_word *word = ingle_schema_word(at->name);
    if (!word) unknown(at);
    if (!word || word->kind == WORD_NOTE) return NULL;
    for (size_t i = 0; word->with && i < *n_seen; i++)
        if (seen[i] == word->with) return NULL;
    if (word->with) seen[(*n_seen)++] = word->with;
    return word;
}

static bool is_observed(const ingle_json *node)
{
    return ingle_json_get(node, "unevaluatedProperties") ||
           ingle_json_get(node, "unevaluatedItems");
}

enum { MAX_WORDS = 64 };

/* The members of a schema that ask for something, in its order; those of one group once. */
static size_t words_of(schema_at *at, schema_step list[MAX_WORDS])
{
    const char *seen[MAX_WORDS];
    size_t n_seen = 0, n = 0;
    for (ingle_json_walk w = ingle_json_items(at->node); ingle_json_step(&w) && n < MAX_WORDS;) {
        at->name = w.name;
        at->value = w.value;
        at->word = word_of(at, seen, &n_seen);
        if (at->word) list[n++] = (schema_step){.word = at->word, .name = w.name, .value = w.value};
    }
    return n;
}

/* Whether what is known of the value rules the schema out, which must not hold. */
static bool excluded(schema_at *at)
{
    schema *c = at->run->c;
    schema_ref ref = at->run->frames[at->frame].atom & ~1u;
    return c->excludes(c, &at->state->shape, ingle_schema_goal_atom(c, ref));
}

static void expand_schema(schema_at *at)
{
    schema_step list[MAX_WORDS];
    if (at->node->kind == INGLE_JSON_BOOL) {
        if ((at->node->text[0] == 't') == at->negated) at->state->shape.types = 0;
        return;
    }
    if (at->node->kind != INGLE_JSON_OBJECT) {
        ingle_schema_malformed(at, "must be a schema: an object, true or false");
        return;
    }
    schema *c = at->run->c;
    if (!ingle_schema_work(c, 1 + at->node->len / 4)) return;
    at->scope = ingle_schema_enter(c, at->scope, ingle_schema_resource(&c->source, at->node));
    if (!at->negated && is_observed(at->node)) at->run->frames[at->frame].observed = true;
    if (at->negated && excluded(at)) return;
    size_t n = words_of(at, list);
    if (at->negated) {
        at->forked = true;
        for (size_t i = 0; i < n; i++)
            ingle_schema_then_word(at, ingle_schema_fork(at), list[i].word, list[i].name,
                                   list[i].value);
        return;
    }
    for (size_t i = n; i-- > 0;)
        if (list[i].word->kind == WORD_LATER)
            ingle_schema_then_word(at, at->state, list[i].word, list[i].name, list[i].value);
    for (size_t i = 0; i < n && !c->status; i++) {
        if (list[i].word->kind != WORD_LOCAL) continue;
        at->word = list[i].word;
        at->name = list[i].name;
        at->value = list[i].value;
        at->word->does(at);
    }
}

static void expand_atom(schema_run *r, schema_run_state *s, const schema_step *step, bool *forked)
{
    const schema_atom a = r->c->atoms[step->atom >> 1];
    schema_at at = {.run = r,
                    .state = s,
                    .node = a.node,
                    .scope = (uint32_t)a.scope,
                    .value = a.node,
                    .late = step->late,
                    .negated = step->atom & 1};
    if (!enter(r, step, a.kind == ATOM_SCHEMA ? a.node : NULL, &at.frame)) return;
    switch ((schema_atom_kind)a.kind) {
    case ATOM_NEVER:
        if (!at.negated) s->shape.types = 0;
        break;
    case ATOM_SCHEMA: expand_schema(&at); break;
    case ATOM_VALUE:
        r->frames[at.frame].mute = true;
        ingle_schema_value(&at);
        break;
    case ATOM_OR: expand_or(&at, &a); break;
    }
    *forked = at.forked;
}

static void expand_word(schema_run *r, schema_run_state *s, const schema_step *step, bool *forked)
{
    schema_at at = {.run = r,
                    .state = s,
                    .word = step->word,
                    .node = step->node,
                    .name = step->name,
                    .value = step->value,
                    .frame = step->frame,
                    .scope = step->scope,
                    .negated = step->negated};
    step->word->does(&at);
    *forked = at.forked;
}

/* ---- finished shapes ------------------------------------------------------------------------- */

/* The types of which a shape takes every value. */
static uint32_t free_types(const schema_shape *s)
{
    uint32_t types = TYPE_ALL;
    if (s->low || s->high) types &= ~(uint32_t)TYPE_NUMBER;
    if (s->min_len || s->max_len != INGLE_TERM_MANY) types &= ~(uint32_t)TYPE_STRING;
    if (s->min_items || s->max_items != INGLE_TERM_MANY) types &= ~(uint32_t)TYPE_ARRAY;
    if (s->min_members || s->max_members != INGLE_TERM_MANY) types &= ~(uint32_t)TYPE_OBJECT;
    for (const schema_fact *f = s->facts; f; f = f->next) {
        uint32_t about = f->kind <= FACT_NUMBERS  ? TYPE_NUMBER
                         : f->kind <= FACT_FORMAT ? TYPE_STRING
                         : f->kind <= FACT_UNIQUE ? TYPE_ARRAY
                                                  : TYPE_OBJECT;
        types &= ~about;
    }
    return types & s->types;
}

/* Leaves each type to the first shape that takes all its values; drops shapes without types. */
static size_t absorb(schema_shape **shapes, size_t n)
{
    uint32_t taken = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t whole = free_types(shapes[i]) & ~taken;
        for (size_t j = 0; whole && j < n; j++)
            if (j != i) shapes[j]->types &= ~whole;
        taken |= whole;
    }
    size_t n_left = 0;
    for (size_t i = 0; i < n; i++)
        if (shapes[i]->types) shapes[n_left++] = shapes[i];
    return n_left;
}

/* A copy of the shape, its facts in the order in which they came. */
static schema_shape *finish(schema_run *r, schema_run_state *s)
{
    schema *c = r->c;
    if (!ingle_schema_late(r, s)) return NULL;
    schema_shape *shape = ingle_schema_new(c, 1, sizeof *shape);
    const schema_fact *facts = NULL;
    if (!shape) return NULL;
    for (const schema_fact *f = s->shape.facts; f; f = f->next) {
        if (f->kind == FACT_LATE_PROPERTIES || f->kind == FACT_LATE_ITEMS) continue;
        schema_fact *copy = ingle_schema_new(c, 1, sizeof *copy);
        if (!copy || !ingle_schema_work(c, 1)) return NULL;
        *copy = *f;
        copy->next = facts;
        facts = copy;
    }
    *shape = s->shape;
    shape->facts = facts;
    ingle_schema_prune_sets(c, shape);
    return shape;
}

/* The first schema of the goal that is taken apart, for messages. */
static const ingle_json *where_of(const schema_run *r)
{
    const schema_goal *g = &r->c->goals[r->goal];
    for (size_t i = 0; i < g->n_atoms; i++)
        if (r->c->atoms[g->atoms[i] >> 1].kind == ATOM_SCHEMA)
            return r->c->atoms[g->atoms[i] >> 1].node;
    return NULL;
}

static bool keep(schema_run *r, schema_run_state *s, schema_shape ***list, size_t *n, size_t *cap)
{
    if (*n >= SCHEMA_MAX_SHAPES)
        return ingle_schema_fail(r->c, INGLE_EUNSUPPORTED, where_of(r), NULL,
                                 "too many alternatives");
    if (!ingle_grow(list, cap, *n + 1, sizeof **list)) return ingle_schema_no_memory(r->c);
    schema_shape *shape = finish(r, s);
    if (shape) (*list)[(*n)++] = shape;
    return shape;
}

/* Whether a property that must be there cannot be: then no object is left. */
static void prune(schema_run *r, schema_run_state *s)
{
    schema *c = r->c;
    const schema_fact *at = NULL;
    if (s->pruned == s->shape.facts || !(s->shape.types & TYPE_OBJECT)) return;
    s->pruned = s->shape.facts;
    for (;;) {
        schema_goal_id goal = ingle_schema_prune_next(c, &s->shape, &at);
        if (goal == GOAL_TRUE || c->status) return;
        bool known = goal == GOAL_FALSE || ingle_schema_try(c, goal);
        if (known && (goal == GOAL_FALSE || !c->goals[goal].n_shapes)) {
            s->shape.types &= ~(uint32_t)TYPE_OBJECT;
            return;
        }
    }
}

/* Takes one state as far as it goes without branching. */
static bool advance(schema_run *r, schema_run_state s, schema_shape ***list, size_t *n, size_t *cap)
{
    while (s.todo) {
        const schema_step *step = s.todo;
        bool forked = false;
        s.todo = step->next;
        if (!ingle_schema_work(r->c, 1)) return false;
        if (step->word) prune(r, &s);
        if (!s.shape.types) return true;
        if (step->word) expand_word(r, &s, step, &forked);
        else expand_atom(r, &s, step, &forked);
        if (r->c->status) return false;
        if (forked) return true;
        ingle_schema_settle(&s.shape);
        if (!s.shape.types) return true;
    }
    prune(r, &s);
    if (!s.shape.types) return true;
    return keep(r, &s, list, n, cap);
}

static bool start(schema_run *r, schema_goal_id goal)
{
    schema_shape all = {.types = TYPE_ALL,
                        .max_len = INGLE_TERM_MANY,
                        .max_items = INGLE_TERM_MANY,
                        .max_members = INGLE_TERM_MANY};
    if (!ingle_grow(&r->frames, &r->cap_frames, 1, sizeof *r->frames) ||
        !ingle_grow(&r->states, &r->cap_states, 1, sizeof *r->states))
        return ingle_schema_no_memory(r->c);
    r->frames[r->n_frames++] = (schema_frame){0};
    r->states[r->n_states++] = (schema_run_state){.shape = all};
    schema_at at = {.run = r, .state = &r->states[0]};
    ingle_schema_then(&at, at.state, goal, false);
    return !r->c->status;
}

bool ingle_schema_try(schema *c, schema_goal_id goal)
{
    if (c->nesting >= SCHEMA_MAX_NESTING || c->status || c->goals[goal].state == GOAL_HARD)
        return false;
    if (!ingle_schema_expand(c, goal) && c->status == INGLE_EUNSUPPORTED && !c->memory.full) {
        c->status = INGLE_OK; /* it need not be known */
        if (c->err) c->err->text[0] = 0;
    }
    return c->goals[goal].state == GOAL_DONE;
}

bool ingle_schema_expand(schema *c, schema_goal_id goal)
{
    schema_run r = {.c = c, .goal = goal};
    schema_shape **list = NULL;
    size_t n = 0, cap = 0;
    if (c->goals[goal].state == GOAL_BUSY || c->goals[goal].state == GOAL_DONE) return !c->status;
    c->goals[goal].state = GOAL_BUSY;
    c->nesting++;
    bool ok = start(&r, goal);
    while (ok && r.n_states) {
        schema_run_state s = r.states[--r.n_states];
        ok = s.shape.types == 0 || advance(&r, s, &list, &n, &cap);
    }
    c->nesting--;
    free(r.frames);
    free(r.states);
    schema_shape **kept = ok ? ingle_schema_new(c, n, sizeof *kept) : NULL;
    if (kept && n) memcpy(kept, list, n * sizeof *kept);
    free(list);
    if (!kept) {
        c->goals[goal].state = GOAL_HARD;
        return false;
    }
    c->goals[goal].shapes = kept;
    c->goals[goal].n_shapes = absorb(kept, n);
    c->goals[goal].state = GOAL_DONE;
    return true;
}
