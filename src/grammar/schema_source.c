/* schema_source.c - see schema_source.h. */
#include "grammar/schema_source.h"
#include "grammar/schema.h"

#include <stdio.h>

/* ---- which values are schemas ---------------------------------------------------------------- */

static const struct {
    const char *name;
    schema_holds holds;
} holders[] = {
    {"$defs", HOLDS_MAP},
    {"additionalItems", HOLDS_SCHEMA},
    {"additionalProperties", HOLDS_SCHEMA},
    {"allOf", HOLDS_LIST},
    {"anyOf", HOLDS_LIST},
    {"contains", HOLDS_SCHEMA},
    {"contentSchema", HOLDS_SCHEMA},
    {"definitions", HOLDS_MAP},
    {"dependencies", HOLDS_MAP},
    {"dependentSchemas", HOLDS_MAP},
    {"else", HOLDS_SCHEMA},
    {"if", HOLDS_SCHEMA},
    {"items", HOLDS_SCHEMA},
    {"not", HOLDS_SCHEMA},
    {"oneOf", HOLDS_LIST},
    {"patternProperties", HOLDS_MAP},
    {"prefixItems", HOLDS_LIST},
    {"properties", HOLDS_MAP},
    {"propertyNames", HOLDS_SCHEMA},
    {"then", HOLDS_SCHEMA},
    {"unevaluatedItems", HOLDS_SCHEMA},
    {"unevaluatedProperties", HOLDS_SCHEMA},
};

schema_holds ingle_schema_holds(const ingle_json *name)
{
    size_t low = 0, high = sizeof holders / sizeof *holders;
    while (low < high) {
        size_t mid = (low + high) / 2;
        int order = strcmp(name->text, holders[mid].name);
        if (!order) return strlen(name->text) == name->len ? holders[mid].holds : HOLDS_DATA;
        if (order < 0) high = mid;
        else low = mid + 1;
    }
    return HOLDS_DATA;
}

/* ---- resources and anchors ------------------------------------------------------------------- */

typedef struct visit {
    ingle_json_walk walk;
    schema_holds holds; /* of the value whose members these are */
    uint32_t resource;
} visit;

typedef struct indexing {
    schema_source *s;
    schema_memory *m;
    size_t i_doc;
    bool old_id; /* drafts 3 and 4: "id" */
} indexing;

static bool add_resource(indexing *x, schema_uri base, const ingle_json *root, uint32_t *number)
{
    schema_source *s = x->s;
    bool made;
    schema_key *k = ingle_schema_map_put(&s->by_uri, base.p, base.n, 0, &made);
    if (!k ||
        !ingle_grow(&s->resources, &s->cap_resources, s->n_resources + 1, sizeof *s->resources))
        return false;
    if (made) k->value = (uint32_t)s->n_resources; /* the first of a name counts */
    s->resources[s->n_resources] = (schema_resource){.base = base, .root = root};
    *number = (uint32_t)s->n_resources++;
    return true;
}

static bool add_anchor(indexing *x, const ingle_json *name, const ingle_json *node,
                       uint32_t resource, bool dynamic)
{
    schema_source *s = x->s;
    bool made;
    schema_key *k = ingle_schema_map_put(&s->by_anchor, name->text, name->len, resource, &made);
    if (!k || !ingle_grow(&s->anchors, &s->cap_anchors, s->n_anchors + 1, sizeof *s->anchors))
        return false;
    if (made || dynamic) k->value = (uint32_t)s->n_anchors;
    s->anchors[s->n_anchors] =
        (schema_anchor){.name = name, .node = node, .resource = resource, .dynamic = dynamic};
    if (dynamic) {
        s->anchors[s->n_anchors].next = s->resources[resource].first_dynamic;
        s->resources[resource].first_dynamic = (uint32_t)s->n_anchors + 1;
        s->dynamic = true;
    }
    s->n_anchors++;
    return true;
}

static const ingle_json *id_of(const indexing *x, const ingle_json *v)
{
    const ingle_json *id = ingle_json_get(v, "$id");
    if (!id && x->old_id) id = ingle_json_get(v, "id");
    return ingle_json_is(id, INGLE_JSON_STRING) ? id : NULL;
}

/* What a schema says about itself: $id, $anchor, $dynamicAnchor. *resource becomes its own. */
static bool see_schema(indexing *x, const ingle_json *v, uint32_t *resource)
{
    const ingle_json *id = id_of(x, v), *anchor = ingle_json_get(v, "$anchor"),
                     *dynamic = ingle_json_get(v, "$dynamicAnchor");
    if (id) {
        schema_uri uri, fragment;
        if (!ingle_schema_uri_split(x->m, (schema_uri){id->text, id->len}, &uri, &fragment))
            return false;
        if (uri.n) {
            uri = ingle_schema_uri_resolve(x->m, x->s->resources[*resource].base, uri);
            if (!uri.p || !add_resource(x, uri, v, resource)) return false;
        }
        if (fragment.n) { /* draft 6 and 7: "$id": "#name" */
            ingle_json *name = ingle_schema_take(x->m, 1, sizeof *name);
            if (!name) return false;
            *name = (ingle_json){.text = fragment.p,
                                 .len = (uint32_t)fragment.n,
                                 .kind = INGLE_JSON_STRING,
                                 .skip = 1};
            if (!add_anchor(x, name, v, *resource, false)) return false;
        }
    }
    if (ingle_json_is(anchor, INGLE_JSON_STRING) && !add_anchor(x, anchor, v, *resource, false))
        return false;
    return !ingle_json_is(dynamic, INGLE_JSON_STRING) || add_anchor(x, dynamic, v, *resource, true);
}

static schema_holds holds_of_child(const visit *v, const ingle_json *name, const ingle_json *child)
{
    schema_holds holds = HOLDS_DATA;
    if (v->holds == HOLDS_SCHEMA) holds = name ? ingle_schema_holds(name) : HOLDS_DATA;
    else if (v->holds != HOLDS_DATA) holds = HOLDS_SCHEMA;
    if (holds == HOLDS_SCHEMA && child->kind == INGLE_JSON_ARRAY)
        holds = v->holds == HOLDS_SCHEMA ? HOLDS_LIST : HOLDS_DATA; /* items of old: a list */
    return holds;
}

static bool enter(indexing *x, visit *v, const ingle_json *node, schema_holds holds,
                  uint32_t resource)
{
    const ingle_json_doc *doc = &x->s->docs[x->i_doc];
    if (holds == HOLDS_SCHEMA && node->kind == INGLE_JSON_OBJECT && !see_schema(x, node, &resource))
        return false;
    x->s->resource_of[x->i_doc][node - doc->root] = resource;
    *v = (visit){ingle_json_items(node), holds, resource};
    return true;
}

static bool walk_doc(indexing *x, uint32_t resource)
{
    visit stack[INGLE_JSON_MAX_DEPTH + 2];
    size_t depth = 1;
    if (!enter(x, &stack[0], x->s->docs[x->i_doc].root, HOLDS_SCHEMA, resource)) return false;
    while (depth) {
        visit *v = &stack[depth - 1];
        if (!ingle_json_step(&v->walk)) {
            depth--;
            continue;
        }
        schema_holds holds = holds_of_child(v, v->walk.name, v->walk.value);
        if (!enter(x, &stack[depth++], v->walk.value, holds, v->resource)) return false;
    }
    return true;
}

static bool is_old(const ingle_json *root)
{
    const ingle_json *draft = ingle_json_get(root, "$schema");
    return ingle_json_is(draft, INGLE_JSON_STRING) &&
           (strstr(draft->text, "draft-04") || strstr(draft->text, "draft-03"));
}

static bool index_doc(schema_source *s, schema_memory *m, size_t i, schema_uri uri)
{
    indexing x = {s, m, i, is_old(s->docs[i].root)};
    uint32_t resource;
    s->resource_of[i] = ingle_new(s->docs[i].n_nodes, sizeof **s->resource_of);
    return s->resource_of[i] && add_resource(&x, uri, s->docs[i].root, &resource) &&
           walk_doc(&x, resource);
}

/* ---- opening --------------------------------------------------------------------------------- */

static ingle_status open_doc(schema_source *s, schema_memory *m, const ingle_schema_document *d,
                             ingle_error *err)
{
    ingle_json_limits limits = {.max_depth = INGLE_JSON_MAX_DEPTH, .unique_names = true};
    ingle_error why;
    size_t i = s->n_docs;
    ingle_status st = ingle_json_open(&s->docs[i], d->text, d->len, &limits, &why);
    if (st && !d->uri) return ingle_fail(err, st, "schema: %s", why.text);
    if (st) return ingle_fail(err, st, "schema document %.80s: %s", d->uri, why.text);
    s->n_docs++;
    schema_uri whole = {d->uri ? d->uri : "", d->uri ? strlen(d->uri) : 0}, uri, fragment;
    if (!ingle_schema_uri_split(m, whole, &uri, &fragment) || !index_doc(s, m, i, uri))
        return ingle_fail(err, INGLE_ENOMEM, "schema: no memory");
    return INGLE_OK;
}

ingle_status ingle_schema_source_open(schema_source *s, schema_memory *m, const char *text,
                                      size_t len, const ingle_schema_document *documents, size_t n,
                                      ingle_error *err)
{
    *s = (schema_source){0};
    s->docs = ingle_new(n + 1, sizeof *s->docs);
    s->resource_of = ingle_new(n + 1, sizeof *s->resource_of);
    if (!s->docs || !s->resource_of) return ingle_fail(err, INGLE_ENOMEM, "schema: no memory");
    ingle_schema_document own = {NULL, text, len};
    ingle_status st = open_doc(s, m, &own, err);
    for (size_t i = 0; !st && i < n; i++) st = open_doc(s, m, &documents[i], err);
    return st;
}

void ingle_schema_source_close(schema_source *s)
{
    for (size_t i = 0; i < s->n_docs; i++) {
        ingle_json_close(&s->docs[i]);
        free(s->resource_of[i]);
    }
    free(s->docs);
    free(s->resource_of);
    free(s->resources);
    free(s->anchors);
    ingle_schema_map_free(&s->by_uri);
    ingle_schema_map_free(&s->by_anchor);
    ingle_schema_map_free(&s->wide);
    ingle_schema_map_free(&s->indexed);
    *s = (schema_source){0};
}

/* ---- questions ------------------------------------------------------------------------------- */

static size_t doc_of(const schema_source *s, const ingle_json *node)
{
    for (size_t i = 0; i < s->n_docs; i++)
        if ((uintptr_t)node >= (uintptr_t)s->docs[i].root &&
            (uintptr_t)node < (uintptr_t)(s->docs[i].root + s->docs[i].n_nodes))
            return i;
    ingle_never();
}

uint32_t ingle_schema_resource(const schema_source *s, const ingle_json *node)
{
    size_t i = doc_of(s, node);
    return s->resource_of[i][node - s->docs[i].root];
}

/* The token of a JSON pointer that begins at p, decoded into out; returns its bytes. */
static size_t token_of(schema_uri pointer, size_t from, char *out, size_t *n)
{
    size_t i = from;
    *n = 0;
    for (; i < pointer.n && pointer.p[i] != '/'; i++) {
        char c = pointer.p[i];
        if (c == '~' && i + 1 < pointer.n) c = pointer.p[++i] == '0' ? '~' : '/';
        out[(*n)++] = c;
    }
    return i - from;
}

static const ingle_json *element(const ingle_json *v, const char *p, size_t n)
{
    size_t i = 0;
    if (!n || n > 9 || (n > 1 && p[0] == '0')) return NULL;
    for (size_t k = 0; k < n; k++) {
        if (p[k] < '0' || p[k] > '9') return NULL;
        i = 10 * i + (size_t)(p[k] - '0');
    }
    return ingle_json_at(v, i);
}

enum { WIDE = 32 /* members; more are looked up in a map */ };

/* Object and name as a key; false: no memory. */
static schema_key *wide_key(schema_source *s, schema_memory *m, const ingle_json *v, const char *p,
                            size_t n, bool *made)
{
    char *key = ingle_schema_take(m, sizeof v + n, 1);
    if (!key) return NULL;
    memcpy(key, &v, sizeof v);
    if (n) memcpy(key + sizeof v, p, n);
    return ingle_schema_map_put(&s->wide, key, sizeof v + n, 0, made);
}

static bool index_members(schema_source *s, schema_memory *m, const ingle_json *v)
{
    bool made;
    for (ingle_json_walk w = ingle_json_items(v); ingle_json_step(&w);) {
        schema_key *k = wide_key(s, m, v, w.name->text, w.name->len, &made);
        if (!k) return false;
        k->value = (uint32_t)(w.value - v);
    }
    return true;
}

static const ingle_json *member(schema_source *s, schema_memory *m, const ingle_json *v,
                                const char *p, size_t n, ingle_status *status)
{
    bool made;
    if (!ingle_json_is(v, INGLE_JSON_OBJECT) || v->len <= WIDE) return ingle_json_find(v, p, n);
    schema_key *mark = ingle_schema_map_put(&s->indexed, &v, sizeof v, 0, &made);
    if (mark && made) {
        const char *copy = ingle_schema_copy(m, &v, sizeof v);
        mark->p = copy ? copy : "";
        mark->n = copy ? sizeof v : 0;
        if (!copy || !index_members(s, m, v)) mark = NULL;
    }
    schema_key *k = mark ? wide_key(s, m, v, p, n, &made) : NULL;
    if (!k) *status = INGLE_ENOMEM;
    return k && k->value ? v + k->value : NULL;
}

static const ingle_json *by_pointer(schema_source *s, const ingle_json *v, schema_memory *m,
                                    schema_uri pointer, ingle_status *status)
{
    char *token = ingle_schema_take(m, pointer.n, 1);
    if (!token) {
        *status = INGLE_ENOMEM;
        return NULL;
    }
    for (size_t i = 0, n; v && i < pointer.n;) {
        i += 1 + token_of(pointer, i + 1, token, &n);
        v = v->kind == INGLE_JSON_ARRAY ? element(v, token, n) : member(s, m, v, token, n, status);
    }
    return v;
}

static const ingle_json *by_fragment(schema_source *s, schema_memory *m, uint32_t resource,
                                     schema_uri fragment, const schema_anchor **anchor,
                                     ingle_status *status)
{
    const ingle_json *root = s->resources[resource].root;
    if (!fragment.n) return root;
    if (fragment.p[0] == '/') return by_pointer(s, root, m, fragment, status);
    const schema_key *k = ingle_schema_map_get(&s->by_anchor, fragment.p, fragment.n, resource);
    if (k && s->anchors[k->value].dynamic) *anchor = &s->anchors[k->value];
    return k ? s->anchors[k->value].node : NULL;
}

const ingle_json *ingle_schema_find(schema_source *s, schema_memory *m, uint32_t resource,
                                    const ingle_json *ref, const schema_anchor **anchor,
                                    ingle_status *status)
{
    schema_uri uri, fragment;
    const schema_anchor *found = NULL;
    *status = INGLE_OK;
    if (anchor) *anchor = NULL;
    if (!ingle_schema_uri_split(m, (schema_uri){ref->text, ref->len}, &uri, &fragment)) {
        *status = INGLE_ENOMEM;
        return NULL;
    }
    if (uri.n) {
        uri = ingle_schema_uri_resolve(m, s->resources[resource].base, uri);
        if (!uri.p) *status = INGLE_ENOMEM;
        const schema_key *k = uri.p ? ingle_schema_map_get(&s->by_uri, uri.p, uri.n, 0) : NULL;
        if (!k) return NULL;
        resource = k->value;
        /* A document that gives itself another name: what is in it belongs to that. */
        resource = ingle_schema_resource(s, s->resources[resource].root);
    }
    const ingle_json *node = by_fragment(s, m, resource, fragment, &found, status);
    if (anchor) *anchor = found;
    return node;
}

/* ---- pointers of nodes ----------------------------------------------------------------------- */

typedef struct path_out {
    char *p;
    size_t n, cap;
} path_out;

static void put(path_out *o, char c)
{
    if (o->n + 1 < o->cap) o->p[o->n++] = c;
    o->p[o->n] = 0;
}

static void put_token(path_out *o, const ingle_json *name, size_t i)
{
    char number[24];
    snprintf(number, sizeof number, "%zu", i);
    const char *p = name ? name->text : number;
    size_t n = name ? name->len : strlen(number);
    put(o, '/');
    for (size_t k = 0; k < n; k++) {
        if (p[k] == '~' || p[k] == '/') put(o, '~');
        put(o, p[k] == '~' ? '0' : p[k] == '/' ? '1' : p[k]);
    }
}

void ingle_schema_path(const schema_source *s, const ingle_json *node, char *out, size_t cap)
{
    path_out o = {out, 0, cap};
    size_t i_doc = doc_of(s, node);
    const ingle_json *v = s->docs[i_doc].root;
    char number[40] = "";
    out[0] = 0;
    if (i_doc) snprintf(number, sizeof number, "document %zu ", i_doc);
    for (const char *p = number; *p; p++) put(&o, *p);
    put(&o, '#');
    while (v != node) {
        size_t i = 0;
        ingle_json_walk w = ingle_json_items(v);
        while (ingle_json_step(&w) && node >= w.value + w.value->skip) i++;
        if (node < w.value) return; /* a name */
        put_token(&o, w.name, i);
        v = w.value;
    }
}
