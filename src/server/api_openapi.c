/* api_openapi.c - the same as an OpenAPI document, version 3.1. */
#include "api_docs.h"
#include "serve.h"

#include <stdio.h>

enum { MAX_NAME = 80 };

/* ---- schemas --------------------------------------------------------------------------------- */

static void put_object(ingle_json_writer *w, const field_table *table, const table_path *up);

static void put_string(ingle_json_writer *w, const char *name, const char *text)
{
    ingle_json_put_text(ingle_json_name(w, name), text);
}

/* Names of components, as references have them. */
static const char *component(const field_table *table, char name[MAX_NAME])
{
    size_t n = 0;
    for (const char *c = table->title; *c && n + 1 < MAX_NAME; c++) {
        bool word =
            (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9');
        name[n++] = word ? *c : '_';
    }
    name[n] = 0;
    return name;
}

static void put_types(ingle_json_writer *w, unsigned types)
{
    static const struct {
        unsigned type;
        const char *name;
    } names[] = {{FIELD_BOOL, "boolean"},  {FIELD_INT, "integer"}, {FIELD_NUMBER, "number"},
                 {FIELD_STRING, "string"}, {FIELD_ARRAY, "array"}, {FIELD_OBJECT, "object"}};
    if (types == FIELD_ANY) return;
    if (types & FIELD_NUMBER) types &= ~(unsigned)FIELD_INT;
    ingle_json_begin_array(ingle_json_name(w, "type"));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (types & names[i].type) ingle_json_put_text(w, names[i].name);
    ingle_json_put_text(w, "null");
    ingle_json_end_array(w);
}

/* Keywords of a range say nothing of values of other types. */
static void put_range(ingle_json_writer *w, const field_row *row)
{
    static const struct {
        unsigned types;
        const char *min, *max;
    } words[] = {{FIELD_INT | FIELD_NUMBER, "minimum", "maximum"},
                 {FIELD_ARRAY, "minItems", "maxItems"},
                 {FIELD_OBJECT, "minProperties", "maxProperties"}};
    if (row->min == 0 && row->max == 0) return;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (!(row->types & words[i].types)) continue;
        ingle_json_put_f64(ingle_json_name(w, words[i].min), row->min);
        ingle_json_put_f64(ingle_json_name(w, words[i].max), row->max);
    }
}

/* Of strings alone: other types have other values. */
static void put_choices(ingle_json_writer *w, const field_row *row)
{
    if (!row->choices || row->types != FIELD_STRING) return;
    ingle_json_begin_array(ingle_json_name(w, "enum"));
    for (size_t i = 0; row->choices[i]; i++) ingle_json_put_text(w, row->choices[i]);
    ingle_json_put_null(w);
    ingle_json_end_array(w);
}

static void put_members(ingle_json_writer *w, const field_row *row, const table_path *path)
{
    if (!row->members || table_path_has(path, row->members)) return;
    if (row->types & FIELD_OBJECT) put_object(w, row->members, path);
    if (!(row->types & FIELD_ARRAY)) return;
    ingle_json_begin_object(ingle_json_name(w, "items"));
    ingle_json_put_text(ingle_json_name(w, "type"), "object");
    put_object(w, row->members, path);
    ingle_json_end_object(w);
}

static void put_row(ingle_json_writer *w, const field_row *row, const table_path *path)
{
    static const char *const classes[] = {[FIELD_HONOURED] = "honoured",
                                          [FIELD_REFUSED] = "refused",
                                          [FIELD_INERT] = "inert",
                                          [FIELD_ONLY] = "only"};
    ingle_json_begin_object(ingle_json_name(w, row->name));
    put_string(w, "description", row->help ? row->help : "");
    put_string(w, "x-ingle-class", classes[row->class]);
    if (row->class == FIELD_REFUSED) put_string(w, "type", "null");
    if (row->class == FIELD_ONLY) {
        ingle_json_begin_array(ingle_json_name(w, "enum"));
        ingle_json_put_raw(w, row->only, strlen(row->only));
        ingle_json_put_null(w);
        ingle_json_end_array(w);
    }
    if (row->class == FIELD_HONOURED) {
        put_types(w, row->types);
        put_range(w, row);
        put_choices(w, row);
        put_members(w, row, path);
    }
    ingle_json_end_object(w);
}

/* Whether an earlier row of a table within the same properties has the name. */
static bool is_hidden(const field_table *first, const field_row *row)
{
    size_t offset;
    return field_find(first, row->name, strlen(row->name), &offset) != row;
}

/* Members of the object that is open. */
static void put_object(ingle_json_writer *w, const field_table *table, const table_path *up)
{
    const table_path path = {up, table};
    ingle_json_begin_object(ingle_json_name(w, "properties"));
    for (const field_table *t = table; t; t = t->more)
        for (size_t i = 0; i < t->n_rows; i++)
            if (!is_hidden(table, &t->rows[i])) put_row(w, &t->rows[i], &path);
    ingle_json_end_object(w);
}

/* ---- components ------------------------------------------------------------------------------ */

static bool is_first(size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (route_at(k)->fields == route_at(i)->fields) return false;
    return route_at(i)->fields != NULL;
}

static void put_components(ingle_json_writer *w)
{
    char name[MAX_NAME];
    ingle_json_begin_object(ingle_json_name(w, "components"));
    ingle_json_begin_object(ingle_json_name(w, "securitySchemes"));
    ingle_json_begin_object(ingle_json_name(w, "key"));
    put_string(w, "type", "http");
    put_string(w, "scheme", "bearer");
    ingle_json_end_object(w);
    ingle_json_end_object(w);
    ingle_json_begin_object(ingle_json_name(w, "schemas"));
    for (size_t i = 0; route_at(i); i++) {
        if (!is_first(i)) continue;
        ingle_json_begin_object(ingle_json_name(w, component(route_at(i)->fields, name)));
        put_string(w, "type", "object");
        put_object(w, route_at(i)->fields, NULL);
        ingle_json_end_object(w);
    }
    ingle_json_end_object(w);
    ingle_json_end_object(w);
}

/* ---- paths ----------------------------------------------------------------------------------- */

static void put_parameters(ingle_json_writer *w, const char *path)
{
    const char *open = strchr(path, '{'), *close = open ? strchr(open, '}') : NULL;
    if (!close) return;
    ingle_json_begin_array(ingle_json_name(w, "parameters"));
    ingle_json_begin_object(w);
    ingle_json_put_bytes(ingle_json_name(w, "name"), open + 1, (size_t)(close - open - 1));
    put_string(w, "in", "path");
    ingle_json_put_bool(ingle_json_name(w, "required"), true);
    ingle_json_begin_object(ingle_json_name(w, "schema"));
    put_string(w, "type", "string");
    ingle_json_end_object(w);
    ingle_json_end_object(w);
    ingle_json_end_array(w);
}

static void put_body(ingle_json_writer *w, const field_table *fields)
{
    char name[MAX_NAME], reference[MAX_NAME + 32];
    if (!fields) return;
    snprintf(reference, sizeof reference, "#/components/schemas/%s", component(fields, name));
    ingle_json_begin_object(ingle_json_name(w, "requestBody"));
    ingle_json_put_bool(ingle_json_name(w, "required"), true);
    ingle_json_begin_object(ingle_json_name(w, "content"));
    ingle_json_begin_object(ingle_json_name(w, "application/json"));
    ingle_json_begin_object(ingle_json_name(w, "schema"));
    put_string(w, "$ref", reference);
    ingle_json_end_object(w);
    ingle_json_end_object(w);
    ingle_json_end_object(w);
    ingle_json_end_object(w);
}

static void put_response(ingle_json_writer *w, const char *code, const char *about)
{
    ingle_json_begin_object(ingle_json_name(w, code));
    put_string(w, "description", about);
    ingle_json_end_object(w);
}

static void put_method(ingle_json_writer *w, const endpoint *e)
{
    char method[16];
    size_t n = 0;
    for (; e->method[n] && n + 1 < sizeof method; n++)
        method[n] = (char)(e->method[n] + ('a' - 'A'));
    method[n] = 0;
    ingle_json_begin_object(ingle_json_name(w, method));
    put_string(w, "summary", e->summary);
    if (e->needs != GATE_PUBLIC) {
        ingle_json_begin_array(ingle_json_name(w, "security"));
        ingle_json_begin_object(w);
        ingle_json_begin_array(ingle_json_name(w, "key"));
        ingle_json_end_array(w);
        ingle_json_end_object(w);
        ingle_json_begin_object(w); /* or none, where the server has no keys */
        ingle_json_end_object(w);
        ingle_json_end_array(w);
    }
    put_parameters(w, e->path);
    put_body(w, e->fields);
    ingle_json_begin_object(ingle_json_name(w, "responses"));
    put_response(w, "200", "the answer");
    put_response(w, "default", "an error, which says what is wrong and where");
    ingle_json_end_object(w);
    ingle_json_end_object(w);
}

/* Endpoint k is the first of its path, and of its method there, of those before n. */
static bool seen(size_t n, const char *path, const char *method)
{
    for (size_t k = 0; k < n; k++)
        if (!strcmp(route_at(k)->path, path) && (!method || !strcmp(route_at(k)->method, method)))
            return true;
    return false;
}

static void put_paths(ingle_json_writer *w)
{
    ingle_json_begin_object(ingle_json_name(w, "paths"));
    for (size_t i = 0; route_at(i); i++) {
        const char *path = route_at(i)->path;
        if (seen(i, path, NULL)) continue;
        ingle_json_begin_object(ingle_json_name(w, path));
        for (size_t k = i; route_at(k); k++)
            if (!strcmp(route_at(k)->path, path) && !seen(k, path, route_at(k)->method))
                put_method(w, route_at(k));
        ingle_json_end_object(w);
    }
    ingle_json_end_object(w);
}

void serve_print_openapi(bytes *out)
{
    ingle_json_writer w = {0};
    ingle_json_begin_object(&w);
    put_string(&w, "openapi", "3.1.0");
    ingle_json_begin_object(ingle_json_name(&w, "info"));
    put_string(&w, "title", "ingle serve");
    put_string(&w, "version", ingle_version());
    ingle_json_end_object(&w);
    put_paths(&w);
    put_components(&w);
    ingle_json_end_object(&w);
    bytes_take_json(out, &w);
    bytes_text(out, "\n");
    ingle_json_writer_free(&w);
}
