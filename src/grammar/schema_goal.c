/* schema_goal.c - see schema_goal.h and schema_state.h. */
#include "grammar/schema_goal.h"

#include <stdarg.h>
#include <stdio.h>

/* ---- failures -------------------------------------------------------------------------------- */

bool ingle_schema_fail(schema *c, ingle_status status, const ingle_json *where, const char *keyword,
                       const char *format, ...)
{
    char path[140] = "", text[160];
    if (c->status) return false;
    if (c->t && ingle_terms_status(c->t) == INGLE_ENOMEM) status = INGLE_ENOMEM;
    if (status == INGLE_ENOMEM && c->memory.full) {
        c->status =
            ingle_fail(c->err, INGLE_EUNSUPPORTED, "schema: too large with all it combines");
        return false;
    }
    if (status == INGLE_ENOMEM) {
        c->status = ingle_fail(c->err, status, "schema: no memory");
        return false;
    }
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (where) ingle_schema_path(&c->source, where, path, sizeof path);
    c->status = status;
    ingle_fail(c->err, status, "schema%s%s%s%s%s: %s", path[0] ? " " : "", path,
               keyword ? ": '" : "", keyword ? keyword : "", keyword ? "'" : "", text);
    return false;
}

bool ingle_schema_no_memory(schema *c)
{
    return ingle_schema_fail(c, INGLE_ENOMEM, NULL, NULL, "no memory");
}

bool ingle_schema_drop(schema *c, const ingle_json *where, const char *keyword, const char *why)
{
    if (!c->opt->lenient)
        return ingle_schema_fail(c, INGLE_EUNSUPPORTED, where, keyword, "%s", why);
    char path[1024];
    bool made;
    ingle_schema_path(&c->source, where, path, sizeof path);
    size_t n = strlen(path);
    snprintf(path + n, sizeof path - n, "\t%s", keyword);
    char *key = ingle_schema_copy(&c->memory, path, strlen(path) + 1);
    if (!key || !ingle_schema_map_put(&c->dropped, key, strlen(key), 0, &made))
        return ingle_schema_no_memory(c);
    path[n] = 0;
    if (made && c->opt->dropped) c->opt->dropped(c->opt->context, path, keyword, why);
    return true;
}

bool ingle_schema_work(schema *c, size_t n)
{
    c->steps += n;
    if (c->steps <= SCHEMA_MAX_STEPS) return !c->status;
    return ingle_schema_fail(c, INGLE_EUNSUPPORTED, NULL, NULL, "too much work for one schema");
}

void *ingle_schema_new(schema *c, size_t n, size_t size)
{
    void *p = ingle_schema_take(&c->memory, n, size);
    if (!p) ingle_schema_no_memory(c);
    return p;
}

/* ---- tables ---------------------------------------------------------------------------------- */

static schema_key *put(schema *c, schema_map *m, const void *p, size_t n, bool *made)
{
    schema_key *k = ingle_schema_map_put(m, p, n, 0, made);
    if (!k) ingle_schema_no_memory(c);
    if (k && *made) {
        char *copy = ingle_schema_copy(&c->memory, p, n);
        if (!copy) {
            *k = (schema_key){.p = ""};
            ingle_schema_no_memory(c);
            return NULL;
        }
        k->p = copy;
    }
    return k;
}

uint32_t ingle_schema_name(schema *c, const ingle_json *name)
{
    bool made;
    schema_key *k = ingle_schema_map_put(&c->by_name, name->text, name->len, 0, &made);
    if (!k || !ingle_grow(&c->names, &c->cap_names, c->n_names + 1, sizeof *c->names)) {
        ingle_schema_no_memory(c);
        return 0;
    }
    if (made) {
        k->value = (uint32_t)c->n_names;
        c->names[c->n_names++] = name;
    }
    return k->value;
}

static schema_ref atom(schema *c, const schema_atom *a)
{
    bool made;
    schema_key *k = put(c, &c->by_atom, a, sizeof *a, &made);
    if (!k || !ingle_grow(&c->atoms, &c->cap_atoms, c->n_atoms + 1, sizeof *c->atoms)) {
        ingle_schema_no_memory(c);
        return 0;
    }
    if (made) {
        k->value = (uint32_t)c->n_atoms;
        c->atoms[c->n_atoms++] = *a;
    }
    return k->value << 1;
}

static schema_goal_id goal_of(schema *c, const schema_ref *refs, size_t n)
{
    bool made;
    if (c->n_goals >= SCHEMA_MAX_GOALS) {
        ingle_schema_fail(c, INGLE_EUNSUPPORTED, NULL, NULL, "too many different combinations");
        return GOAL_FALSE;
    }
    schema_key *k = put(c, &c->by_goal, refs, n * sizeof *refs, &made);
    if (!k || !ingle_grow(&c->goals, &c->cap_goals, c->n_goals + 1, sizeof *c->goals)) {
        ingle_schema_no_memory(c);
        return GOAL_FALSE;
    }
    if (made) {
        k->value = (uint32_t)c->n_goals;
        c->goals[c->n_goals++] = (schema_goal){.atoms = (const void *)k->p, .n_atoms = n};
    }
    return k->value;
}

bool ingle_schema_goals_open(schema *c)
{
    schema_atom never = {.kind = ATOM_NEVER};
    schema_ref ref = atom(c, &never);
    goal_of(c, &ref, 0);
    goal_of(c, &ref, 1);
    if (!ingle_grow(&c->scopes, &c->cap_scopes, 1, sizeof *c->scopes))
        return ingle_schema_no_memory(c);
    c->scopes[c->n_scopes++] = (schema_scope){0};
    return !c->status;
}

/* ---- combining ------------------------------------------------------------------------------- */

schema_goal_id ingle_schema_goal_atom(schema *c, schema_ref ref)
{
    if (ref == 0) return GOAL_FALSE;
    return ref == 1 ? GOAL_TRUE : goal_of(c, &ref, 1);
}

schema_goal_id ingle_schema_goal_value(schema *c, const ingle_json *value)
{
    return ingle_schema_goal_atom(c, atom(c, &(schema_atom){.kind = ATOM_VALUE, .node = value}));
}

schema_goal_id ingle_schema_goal_and(schema *c, schema_goal_id a, schema_goal_id b)
{
    if (a == GOAL_FALSE || b == GOAL_FALSE || c->status) return GOAL_FALSE;
    if (a == GOAL_TRUE || a == b) return b;
    if (b == GOAL_TRUE) return a;
    const schema_goal *x = &c->goals[a], *y = &c->goals[b];
    schema_ref *refs = ingle_schema_new(c, x->n_atoms + y->n_atoms, sizeof *refs);
    size_t n = 0;
    if (!refs || !ingle_schema_work(c, x->n_atoms + y->n_atoms)) return GOAL_FALSE;
    for (size_t i = 0, j = 0; i < x->n_atoms || j < y->n_atoms;) {
        bool left = j == y->n_atoms || (i < x->n_atoms && x->atoms[i] <= y->atoms[j]);
        schema_ref ref = left ? x->atoms[i++] : y->atoms[j++];
        if (n && refs[n - 1] == ref) continue;
        if (n && refs[n - 1] == (ref ^ 1)) return GOAL_FALSE;
        refs[n++] = ref;
    }
    return goal_of(c, refs, n);
}

schema_goal_id ingle_schema_goal_or(schema *c, const schema_goal_id *goals, size_t n)
{
    schema_goal_id *list = ingle_schema_new(c, n, sizeof *list);
    size_t n_list = 0;
    bool made;
    if (!list) return GOAL_FALSE;
    for (size_t i = 0; i < n; i++) {
        if (goals[i] == GOAL_TRUE) return GOAL_TRUE;
        if (goals[i] != GOAL_FALSE) list[n_list++] = goals[i];
    }
    if (!n_list) return GOAL_FALSE;
    if (n_list == 1) return list[0];
    schema_key *k = put(c, &c->by_list, list, n_list * sizeof *list, &made);
    if (!k) return GOAL_FALSE;
    schema_atom a = {.kind = ATOM_OR, .goals = (const void *)k->p, .n_goals = n_list};
    return ingle_schema_goal_atom(c, atom(c, &a));
}

schema_goal_id ingle_schema_goal_not(schema *c, schema_goal_id a)
{
    if (a <= GOAL_FALSE) return a == GOAL_TRUE ? GOAL_FALSE : GOAL_TRUE;
    size_t n = c->goals[a].n_atoms;
    const schema_ref *atoms = c->goals[a].atoms;
    if (n == 1) return ingle_schema_goal_atom(c, atoms[0] ^ 1);
    schema_goal_id *list = ingle_schema_new(c, n, sizeof *list);
    if (!list) return GOAL_FALSE;
    for (size_t i = 0; i < n; i++) list[i] = ingle_schema_goal_atom(c, atoms[i] ^ 1);
    return ingle_schema_goal_or(c, list, n);
}

bool ingle_schema_queue(schema *c, schema_goal_id goal)
{
    if (c->status) return false;
    if (c->goals[goal].queued) return true;
    if (!ingle_grow(&c->queue, &c->cap_queue, c->n_queue + 1, sizeof *c->queue))
        return ingle_schema_no_memory(c);
    c->goals[goal].queued = true;
    c->queue[c->n_queue++] = goal;
    return true;
}

/* ---- references ------------------------------------------------------------------------------ */

static bool bound(const schema *c, schema_scope scope, const ingle_json *name, uint32_t *anchor)
{
    for (size_t i = 0; i < scope.n; i++) {
        const schema_anchor *a = &c->source.anchors[scope.anchors[i]];
        if (!ingle_json_is_bytes(a->name, name->text, name->len)) continue;
        *anchor = scope.anchors[i];
        return true;
    }
    return false;
}

uint32_t ingle_schema_enter(schema *c, uint32_t scope, uint32_t resource)
{
    uint32_t at = c->source.resources[resource].first_dynamic, known;
    if (!at) return scope;
    schema_scope old = c->scopes[scope];
    size_t n = old.n;
    uint32_t *anchors = ingle_schema_new(c, n + c->source.n_anchors, sizeof *anchors);
    bool made;
    if (!anchors) return scope;
    if (n) memcpy(anchors, old.anchors, n * sizeof *anchors);
    for (; at; at = c->source.anchors[at - 1].next)
        if (!bound(c, old, c->source.anchors[at - 1].name, &known)) anchors[n++] = at - 1;
    if (n == old.n || !ingle_schema_work(c, n)) return scope;
    schema_key *k = put(c, &c->by_scope, anchors, n * sizeof *anchors, &made);
    if (!k || !ingle_grow(&c->scopes, &c->cap_scopes, c->n_scopes + 1, sizeof *c->scopes)) {
        ingle_schema_no_memory(c);
        return scope;
    }
    if (made) {
        k->value = (uint32_t)c->n_scopes;
        c->scopes[c->n_scopes++] = (schema_scope){(const void *)k->p, n};
    }
    return k->value;
}

const ingle_json *ingle_schema_follow(schema *c, const ingle_json *node, const ingle_json *ref,
                                      bool dynamic, uint32_t scope)
{
    const char *keyword = dynamic ? "$dynamicRef" : "$ref";
    const schema_anchor *anchor;
    ingle_status status;
    uint32_t outer;
    if (!ingle_json_is(ref, INGLE_JSON_STRING)) {
        ingle_schema_fail(c, INGLE_EFORMAT, node, keyword, "must be a string");
        return NULL;
    }
    const ingle_json *to = ingle_schema_find(
        &c->source, &c->memory, ingle_schema_resource(&c->source, node), ref, &anchor, &status);
    if (status) ingle_schema_no_memory(c);
    else if (!to && memchr(ref->text, '#', ref->len) == ref->text)
        ingle_schema_fail(c, INGLE_EFORMAT, node, keyword, "there is no %.90s", ref->text);
    else if (!to)
        ingle_schema_fail(c, INGLE_EUNSUPPORTED, node, keyword,
                          "%.90s is not among the documents given", ref->text);
    if (to && dynamic && anchor && bound(c, c->scopes[scope], anchor->name, &outer))
        to = c->source.anchors[outer].node;
    return c->status ? NULL : to;
}

/* Whether a member of a schema asks for nothing. */
static bool is_note(const ingle_json *name)
{
    static const char *const notes[] = {"$comment", "$defs",    "definitions", "title",
                                        "default",  "examples", "description", "$anchor"};
    for (size_t i = 0; i < sizeof notes / sizeof *notes; i++)
        if (ingle_json_is_text(name, notes[i])) return true;
    return false;
}

/* The $ref of a schema that has nothing else; NULL: it has, or has none. */
static const ingle_json *only_ref(const ingle_json *node)
{
    const ingle_json *ref = NULL;
    for (ingle_json_walk w = ingle_json_items(node); ingle_json_step(&w);) {
        if (ingle_json_is_text(w.name, "$ref")) ref = w.value;
        else if (!is_note(w.name)) return NULL;
    }
    return ref;
}

schema_goal_id ingle_schema_goal(schema *c, const ingle_json *node, uint32_t scope)
{
    for (size_t hops = 0; hops < 64 && node && !c->status; hops++) {
        bool truth;
        if (ingle_json_bool(node, &truth)) return truth ? GOAL_TRUE : GOAL_FALSE;
        const ingle_json *ref =
            node->kind == INGLE_JSON_OBJECT && node->len <= 8 ? only_ref(node) : NULL;
        if (node->kind == INGLE_JSON_OBJECT && !node->len) return GOAL_TRUE;
        if (!ref) break;
        scope = ingle_schema_enter(c, scope, ingle_schema_resource(&c->source, node));
        node = ingle_schema_follow(c, node, ref, false, scope);
    }
    if (!node || c->status) return GOAL_FALSE;
    schema_atom a = {.kind = ATOM_SCHEMA, .node = node, .scope = scope};
    return ingle_schema_goal_atom(c, atom(c, &a));
}
