/* schema_members.c - see schema_members.h. */
#include "grammar/schema_fit.h"
#include "grammar/schema_expand.h"
#include "grammar/schema_goal.h"
#include "grammar/schema_set.h"
#include "grammar/schema_keys.h"
#include "grammar/schema_property.h"
#include "grammar/schema_string.h"

/* What divides keys: a pattern, or the strings of a goal. */
typedef struct splitter {
    const ingle_json *pattern, *where;
    schema_goal_id keys;
} splitter;

enum { MAX_SPLITTERS = 32 };

typedef struct plan {
    schema *c;
    schema_shape *s;
    schema_members *m;
    uint32_t *place;       /* of a name among the members, plus 1 */
    schema_goal_id *goals; /* [n_members] */
    size_t cap_members;
    const schema_fact *some[SCHEMA_MAX_SOME];
    splitter splitters[MAX_SPLITTERS];
    size_t n_splitters;
} plan;

/* ---- names ----------------------------------------------------------------------------------- */

static bool add_name(plan *p, uint32_t name)
{
    schema_members *m = p->m;
    if (p->place[name]) return true;
    m->members[m->n_members] = (schema_member){.name = name};
    p->place[name] = (uint32_t)++m->n_members;
    return ingle_schema_work(p->c, 1);
}

static size_t names_of(const schema_fact *f)
{
    if (f->kind == FACT_LAYER || f->kind == FACT_SOME_REST) return f->layer->n_names;
    return f->kind == FACT_REQUIRE || f->kind == FACT_FORBID || f->kind == FACT_PROPERTY;
}

/* Names in the order of the schema: those of layers, then those that are only asked for. */
static bool add_names(plan *p, bool layers)
{
    for (const schema_fact *f = p->s->facts; f; f = f->next) {
        bool layer = f->kind == FACT_LAYER || f->kind == FACT_SOME_REST;
        if ((f->kind == FACT_LAYER || f->placed) != layers || !names_of(f)) continue;
        for (size_t i = 0; i < names_of(f); i++)
            if (!add_name(p, layer ? f->layer->names[i].name : f->name)) return false;
    }
    return true;
}

/* The set of strings that propertyNames lists; NULL: it is no such list. */
static const ingle_json *listed(schema *c, const schema_fact *f)
{
    if (f->kind != FACT_NAMES || !ingle_schema_expand(c, f->goal)) return NULL;
    const schema_goal *g = &c->goals[f->goal];
    const ingle_json *set = NULL;
    for (size_t i = 0; i < g->n_shapes; i++) {
        if (!(g->shapes[i]->types & TYPE_STRING)) continue;
        if (set) return NULL;
        for (const schema_fact *x = g->shapes[i]->facts; x && !set; x = x->next)
            if (x->kind == FACT_STRINGS && !x->negated) set = x->node;
        if (!set) return NULL;
    }
    return set;
}

/* Gives the names numbers, and a place among the members if `place`. */
static bool add_listed(plan *p, const ingle_json *set, bool place, size_t *n)
{
    ingle_json_walk w;
    bool first = true, ok = true;
    for (const ingle_json *v; ok && (v = ingle_schema_set_next(set, &w, &first));) {
        if (v->kind != INGLE_JSON_STRING) continue;
        uint32_t name = ingle_schema_name(p->c, v);
        ++*n;
        ok = !p->c->status && (!place || add_name(p, name));
    }
    return ok;
}

static bool collect_names(plan *p)
{
    size_t n = 0, again = 0;
    for (const schema_fact *f = p->s->facts; f; f = f->next) {
        const ingle_json *set = listed(p->c, f);
        if (set && !add_listed(p, set, false, &n)) return false;
        n += names_of(f);
    }
    if (n > p->c->n_names) n = p->c->n_names;
    p->place = ingle_new(p->c->n_names, sizeof *p->place);
    p->m->members = ingle_schema_new(p->c, n, sizeof *p->m->members);
    p->goals = ingle_schema_new(p->c, n, sizeof *p->goals);
    if (!p->place) return ingle_schema_no_memory(p->c);
    if (!p->m->members || !p->goals || !add_names(p, true) || !add_names(p, false)) return false;
    for (const schema_fact *f = p->s->facts; f; f = f->next) {
        const ingle_json *set = listed(p->c, f);
        if (set && !add_listed(p, set, true, &again)) return false;
    }
    for (const schema_fact *f = p->s->facts; f; f = f->next)
        if (f->kind == FACT_REQUIRE) p->m->members[p->place[f->name] - 1].required = true;
    return true;
}

/* ---- goals of names -------------------------------------------------------------------------- */

static void more(plan *p, size_t i, schema_goal_id goal)
{
    p->goals[i] = ingle_schema_goal_and(p->c, p->goals[i], goal);
}

static bool apply_layer(plan *p, const schema_layer *layer)
{
    schema *c = p->c;
    const schema_goal_id **named = ingle_new(p->m->n_members, sizeof(void *));
    if (!named) return ingle_schema_no_memory(c);
    for (size_t i = 0; i < layer->n_names; i++)
        named[p->place[layer->names[i].name] - 1] = &layer->names[i].goal;
    bool ok = ingle_schema_work(c, layer->n_names + p->m->n_members);
    for (size_t i = 0; ok && i < p->m->n_members; i++) {
        more(p, i, ingle_schema_layer_goal(c, layer, p->m->members[i].name, named[i]));
        ok = !c->status;
    }
    free(named);
    return ok;
}

static bool apply_names(plan *p, schema_goal_id keys)
{
    for (size_t i = 0; i < p->m->n_members; i++)
        if (!ingle_schema_key_is(p->c, keys, p->m->members[i].name)) p->goals[i] = GOAL_FALSE;
    return ingle_schema_work(p->c, p->m->n_members);
}

static bool goals_of_names(plan *p)
{
    for (const schema_fact *f = p->s->facts; f && !p->c->status; f = f->next) {
        bool ok = true;
        if (f->kind == FACT_LAYER) ok = apply_layer(p, f->layer);
        if (f->kind == FACT_NAMES) ok = apply_names(p, f->goal);
        if (f->kind == FACT_PROPERTY) more(p, p->place[f->name] - 1, f->goal);
        if (f->kind == FACT_FORBID) p->goals[p->place[f->name] - 1] = GOAL_FALSE;
        if (!ok) return false;
    }
    return !p->c->status;
}

/* ---- "some member" --------------------------------------------------------------------------- */

static bool collect_some(plan *p)
{
    for (const schema_fact *f = p->s->facts; f; f = f->next) {
        if (f->kind != FACT_SOME_REST && f->kind != FACT_SOME_PATTERN && f->kind != FACT_SOME_KEY)
            continue;
        if (p->m->n_some == SCHEMA_MAX_SOME)
            return ingle_schema_fail(p->c, INGLE_EUNSUPPORTED, f->where, NULL,
                                     "asks for too many members that are not named");
        p->some[p->m->n_some++] = f;
    }
    return true;
}

static bool named_by(const schema_layer *layer, uint32_t name)
{
    for (size_t i = 0; i < layer->n_names; i++)
        if (layer->names[i].name == name) return true;
    return false;
}

/* Whether the fact may be met by members of this name. */
static bool some_name(plan *p, const schema_fact *f, uint32_t name)
{
    schema *c = p->c;
    if (f->kind == FACT_SOME_KEY) return ingle_schema_key_is(c, f->keys, name);
    if (f->kind == FACT_SOME_PATTERN)
        return ingle_schema_pattern_matches(c, f->node, c->names[name], f->where,
                                            "patternProperties");
    if (named_by(f->layer, name)) return false;
    for (size_t i = 0; i < f->layer->n_patterns; i++)
        if (ingle_schema_pattern_matches(c, f->layer->patterns[i].pattern, c->names[name], f->where,
                                         "patternProperties"))
            return false;
    return true;
}

/* The values of a member whose goal is known, for each set of the facts that it may meet. */
static bool make_options(plan *p, schema_goal_id goal, uint32_t about, schema_option **list,
                         size_t *n)
{
    schema *c = p->c;
    *list = ingle_schema_new(c, (size_t)1 << p->m->n_some, sizeof **list);
    if (!*list || goal == GOAL_FALSE) return !c->status;
    for (uint32_t set = 0; set < 1u << p->m->n_some; set++) {
        schema_goal_id both = goal;
        if (set & ~about) continue;
        for (unsigned i = 0; i < p->m->n_some; i++)
            if (set >> i & 1) both = ingle_schema_goal_and(c, both, p->some[i]->goal);
        if (both == GOAL_FALSE) continue;
        if (!ingle_schema_queue(c, both)) return false;
        (*list)[(*n)++] = (schema_option){both, set};
    }
    return !c->status;
}

static bool options_of_names(plan *p)
{
    for (size_t i = 0; i < p->m->n_members; i++) {
        schema_member *member = &p->m->members[i];
        uint32_t about = 0;
        if (p->goals[i] == GOAL_FALSE) continue;
        for (unsigned k = 0; k < p->m->n_some; k++)
            if (some_name(p, p->some[k], member->name)) about |= 1u << k;
        if (!make_options(p, p->goals[i], about, &member->options, &member->n_options))
            return false;
    }
    return true;
}

/* ---- other keys ------------------------------------------------------------------------------ */

static bool add_splitter(plan *p, const ingle_json *where, const ingle_json *pattern,
                         schema_goal_id keys)
{
    for (size_t i = 0; i < p->n_splitters; i++) {
        const splitter *o = &p->splitters[i];
        if (pattern ? ingle_json_is_bytes(o->pattern, pattern->text, pattern->len)
                    : !o->pattern && o->keys == keys)
            return true;
    }
    if (p->n_splitters == MAX_SPLITTERS)
        return ingle_schema_fail(p->c, INGLE_EUNSUPPORTED, where, "patternProperties",
                                 "more than %d patterns for one object", MAX_SPLITTERS);
    p->splitters[p->n_splitters++] = (splitter){pattern, where, keys};
    return true;
}

static bool collect_splitters(plan *p)
{
    for (const schema_fact *f = p->s->facts; f; f = f->next) {
        const schema_layer *layer = f->layer;
        if (f->kind == FACT_SOME_PATTERN && !add_splitter(p, f->where, f->node, 0)) return false;
        if (f->kind == FACT_SOME_KEY && !add_splitter(p, f->where, NULL, f->keys)) return false;
        for (size_t i = 0; layer && i < layer->n_patterns; i++)
            if (!add_splitter(p, f->where, layer->patterns[i].pattern, 0)) return false;
    }
    return true;
}

static bool inside(const plan *p, const schema_cell *cell, const ingle_json *pattern,
                   schema_goal_id keys)
{
    for (size_t i = 0; i < p->n_splitters; i++) {
        const splitter *o = &p->splitters[i];
        if (pattern ? ingle_json_is_bytes(o->pattern, pattern->text, pattern->len)
                    : !o->pattern && o->keys == keys)
            return cell->inside >> i & 1;
    }
    return false;
}

static bool matched(const plan *p, const schema_cell *cell, const schema_layer *layer)
{
    for (size_t i = 0; i < layer->n_patterns; i++)
        if (inside(p, cell, layer->patterns[i].pattern, 0)) return true;
    return false;
}

static schema_goal_id cell_goal(plan *p, const schema_cell *cell)
{
    schema_goal_id goal = GOAL_TRUE;
    for (const schema_fact *f = p->s->facts; f && goal != GOAL_FALSE; f = f->next) {
        if (f->kind != FACT_LAYER) continue;
        for (size_t i = 0; i < f->layer->n_patterns; i++)
            if (inside(p, cell, f->layer->patterns[i].pattern, 0))
                goal = ingle_schema_goal_and(p->c, goal, f->layer->patterns[i].goal);
        if (!matched(p, cell, f->layer)) goal = ingle_schema_goal_and(p->c, goal, f->layer->rest);
    }
    return goal;
}

static uint32_t cell_about(plan *p, const schema_cell *cell)
{
    uint32_t about = 0;
    for (unsigned k = 0; k < p->m->n_some; k++) {
        const schema_fact *f = p->some[k];
        bool is = f->kind == FACT_SOME_REST      ? !matched(p, cell, f->layer)
                  : f->kind == FACT_SOME_PATTERN ? inside(p, cell, f->node, 0)
                                                 : inside(p, cell, NULL, f->keys);
        if (is) about |= 1u << k;
    }
    return about;
}

/* All keys that are no member's name and that propertyNames allow. */
static ingle_term other_keys(plan *p)
{
    schema *c = p->c;
    ingle_term names = INGLE_TERM_NONE, keys;
    bool limited = p->m->n_members || p->n_splitters, by_names = false;
    for (const schema_fact *f = p->s->facts; f; f = f->next) by_names |= f->kind == FACT_NAMES;
    if (!limited && !by_names) return INGLE_TERM_ANY;
    ingle_term *list = ingle_schema_new(c, p->m->n_members, sizeof *list);
    if (!list) return INGLE_TERM_NONE;
    for (size_t i = 0; i < p->m->n_members; i++)
        list[i] = ingle_schema_inside_text(c, c->names[p->m->members[i].name]);
    names = ingle_term_alt_of(c->t, list, p->m->n_members);
    keys = ingle_schema_inside(c, 0, INGLE_TERM_MANY);
    for (const schema_fact *f = p->s->facts; f; f = f->next)
        if (f->kind == FACT_NAMES)
            keys = ingle_term_and(c->t, keys, ingle_schema_key_term(c, f->goal));
    if (p->m->n_members) keys = ingle_term_minus(c->t, keys, names);
    return by_names && ingle_schema_empty(c, keys) ? INGLE_TERM_NONE : keys;
}

/* Cuts each cell in two by one splitter; parts without a key go. */
static bool split(plan *p, size_t i)
{
    schema *c = p->c;
    schema_members *m = p->m;
    const splitter *by = &p->splitters[i];
    ingle_term e = by->pattern
                       ? ingle_schema_inside_pattern(c, by->pattern, by->where, "patternProperties")
                       : ingle_schema_key_term(c, by->keys);
    size_t n = m->n_cells;
    for (size_t k = 0; k < n && !c->status; k++) {
        ingle_term in = ingle_term_and(c->t, m->cells[k].key, e),
                   out = ingle_term_minus(c->t, m->cells[k].key, e);
        if (ingle_schema_empty(c, in)) continue;
        schema_cell both = {.key = in, .inside = m->cells[k].inside | 1u << i};
        if (ingle_schema_empty(c, out)) {
            m->cells[k] = both;
            continue;
        }
        if (m->n_cells == SCHEMA_MAX_CELLS)
            return ingle_schema_fail(c, INGLE_EUNSUPPORTED, by->where, "patternProperties",
                                     "too many patterns that overlap");
        m->cells[k].key = out;
        m->cells[m->n_cells++] = both;
    }
    return !c->status;
}

static bool needs_others(const plan *p)
{
    for (const schema_fact *f = p->s->facts; f; f = f->next)
        if (f->kind == FACT_LAYER && f->layer->rest == GOAL_FALSE && !f->layer->n_patterns)
            return false;
    return p->m->max > 0;
}

static bool make_cells(plan *p)
{
    schema_members *m = p->m;
    if (!needs_others(p)) return true;
    m->cells = ingle_schema_new(p->c, SCHEMA_MAX_CELLS, sizeof *m->cells);
    if (!m->cells || !collect_splitters(p)) return false;
    m->cells[0].key = other_keys(p);
    m->n_cells = m->cells[0].key != INGLE_TERM_NONE;
    for (size_t i = 0; i < p->n_splitters; i++)
        if (!split(p, i)) return false;
    size_t n = 0;
    for (size_t k = 0; k < m->n_cells; k++) {
        schema_cell *cell = &m->cells[k];
        if (!make_options(p, cell_goal(p, cell), cell_about(p, cell), &cell->options,
                          &cell->n_options))
            return false;
        if (cell->n_options) m->cells[n++] = *cell;
    }
    m->n_cells = n;
    return true;
}

bool ingle_schema_members_plan(schema *c, schema_shape *s)
{
    schema_members *m = ingle_schema_new(c, 1, sizeof *m);
    plan p = {.c = c, .s = s, .m = m};
    if (!m) return false;
    m->min = s->min_members;
    m->max = s->max_members;
    bool ok = collect_names(&p) && goals_of_names(&p) && collect_some(&p) && options_of_names(&p) &&
              make_cells(&p);
    free(p.place);
    s->members = m;
    return ok && !c->status;
}

/* ---- alive ----------------------------------------------------------------------------------- */

uint32_t ingle_schema_meetings(const schema *c, const schema_option *options, size_t n)
{
    uint32_t sets = 0;
    for (size_t i = 0; i < n; i++)
        if (c->goals[options[i].goal].alive) sets |= 1u << options[i].meets;
    return sets;
}

bool ingle_schema_members_alive(const schema *c, const schema_members *m)
{
    schema_fit fit;
    ingle_schema_fit_start(&fit, m->n_some, 0);
    for (size_t i = 0; i < m->n_members; i++) {
        const schema_member *x = &m->members[i];
        uint32_t sets = ingle_schema_meetings(c, x->options, x->n_options);
        if (x->required && !sets) return false;
        if (sets) ingle_schema_fit_member(&fit, sets, x->required);
    }
    for (size_t i = 0; i < m->n_cells; i++) {
        uint32_t sets = ingle_schema_meetings(c, m->cells[i].options, m->cells[i].n_options);
        if (sets) ingle_schema_fit_cell(&fit, sets);
    }
    return ingle_schema_fit_ok(&fit, 0, m->min, m->max);
}
