/* api_docs.c - docs/api.md, from the table of endpoints and the tables of their fields. */
#include "api_docs.h"
#include "serve.h"

#include <stdio.h>

enum { MAX_TABLES = 64, MAX_NAME = 200 };

/* Tables that others refer to, each printed once. */
typedef struct shared_tables {
    const field_table *table[MAX_TABLES];
    size_t n;
} shared_tables;

static void share(shared_tables *s, const field_table *table)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->table[i] == table) return;
    if (s->n < MAX_TABLES) s->table[s->n++] = table;
}

/* ---- words ----------------------------------------------------------------------------------- */

static void put_cell(bytes *out, const char *text)
{
    for (; text && *text; text++) {
        if (*text == '|') bytes_text(out, "\\");
        bytes_put(out, text, 1);
    }
    bytes_text(out, " | ");
}

static void put_types(bytes *out, const field_row *row)
{
    static const struct {
        unsigned type;
        const char *name;
    } names[] = {{FIELD_BOOL, "boolean"},  {FIELD_INT, "integer"}, {FIELD_NUMBER, "number"},
                 {FIELD_STRING, "string"}, {FIELD_ARRAY, "array"}, {FIELD_OBJECT, "object"}};
    unsigned types = row->types & FIELD_NUMBER ? row->types & ~(unsigned)FIELD_INT : row->types;
    const char *between = "";
    if (row->class != FIELD_HONOURED || row->types == FIELD_ANY) {
        bytes_text(out, "any | ");
        return;
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!(types & names[i].type)) continue;
        bytes_text(out, between);
        bytes_text(out, names[i].name);
        between = ", ";
    }
    bytes_text(out, " | ");
}

static const char *class_name(field_class class)
{
    switch (class) {
    case FIELD_HONOURED: return "honoured";
    case FIELD_REFUSED: return "refused";
    case FIELD_INERT: return "inert";
    case FIELD_ONLY: return "only";
    }
    return "";
}

/* What the range counts, of a field that may be several things. */
static const char *unit_of(unsigned types)
{
    if (types & (FIELD_INT | FIELD_NUMBER)) return "";
    if (types & FIELD_STRING) return types & FIELD_ARRAY ? " bytes or elements" : " bytes";
    return types & FIELD_ARRAY ? " elements" : " members";
}

static void put_range(bytes *out, const field_row *row)
{
    if (row->class == FIELD_ONLY) bytes_format(out, "`%s`", row->only);
    for (size_t i = 0; row->class == FIELD_HONOURED && row->choices && row->choices[i]; i++)
        bytes_format(out, "%s`%s`", i ? ", " : "", row->choices[i]);
    if (row->class == FIELD_HONOURED && !row->choices && (row->min != 0 || row->max != 0))
        bytes_format(out, "%.10g to %.10g%s", row->min, row->max, unit_of(row->types));
    bytes_text(out, " | ");
}

/* ---- tables ---------------------------------------------------------------------------------- */

static void put_rows(bytes *out, const field_table *table, const char *prefix,
                     const table_path *up);

static void put_row(bytes *out, const field_row *row, const char *prefix, const table_path *path)
{
    char name[MAX_NAME];
    bool list = row->types & FIELD_ARRAY;
    bytes_format(out, "| `%s%s` | ", prefix, row->name);
    put_types(out, row);
    put_cell(out, class_name(row->class));
    put_range(out, row);
    put_cell(out, row->help);
    if (!out->failed) out->p[out->n - 1] = '\n';
    if (row->class != FIELD_HONOURED || !row->members) return;
    snprintf(name, sizeof name, "%s%s%s.", prefix, row->name, list ? "[]" : "");
    put_rows(out, row->members, name, path);
}

static void put_rows(bytes *out, const field_table *table, const char *prefix, const table_path *up)
{
    const table_path path = {up, table};
    if (table_path_has(up, table)) {
        bytes_format(out, "| `%s...` | | | | as above |\n", prefix);
        return;
    }
    for (size_t i = 0; i < table->n_rows; i++) put_row(out, &table->rows[i], prefix, &path);
    if (*prefix && table->more) put_rows(out, table->more, prefix, &path);
}

static void put_table(bytes *out, const field_table *table)
{
    if (!table->n_rows) return;
    bytes_text(out, "| field | type | class | range | meaning |\n|---|---|---|---|---|\n");
    put_rows(out, table, "", NULL);
    bytes_text(out, "\n");
}

/* "All generation" as [All generation](#all-generation). */
static void put_link(bytes *out, const char *title)
{
    bytes_format(out, "[%s](#", title);
    for (; *title; title++) {
        char c = *title >= 'A' && *title <= 'Z' ? (char)(*title + 'a' - 'A') : *title;
        if (c == ' ') c = '-';
        if (c == '-' || c == '_' || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
            bytes_put(out, &c, 1);
    }
    bytes_text(out, ")");
}

static void put_more(bytes *out, const field_table *table, shared_tables *shared)
{
    if (!table->more) return;
    bytes_text(out, "Also those of ");
    for (const field_table *t = table->more; t; t = t->more) {
        if (t != table->more) bytes_text(out, t->more ? ", " : " and ");
        put_link(out, t->title);
        share(shared, t);
    }
    bytes_text(out, ".\n\n");
}

/* ---- endpoints ------------------------------------------------------------------------------- */

static const char *role_text(gate_role role)
{
    switch (role) {
    case GATE_PUBLIC: return "Needs no key.";
    case GATE_METRICS: return "Needs a key of any role, where there are keys.";
    case GATE_USER: return "Needs a key, where there are keys.";
    case GATE_ADMIN: return "Needs a key of role admin, where there are keys.";
    }
    return "";
}

/* The endpoint before that has the same body; NULL: there is none. */
static const endpoint *same_body(size_t i)
{
    const field_table *fields = route_at(i)->fields;
    for (size_t k = 0; fields && k < i; k++)
        if (route_at(k)->fields == fields) return route_at(k);
    return NULL;
}

static void put_endpoint(bytes *out, size_t i, shared_tables *shared)
{
    const endpoint *e = route_at(i), *same = same_body(i);
    char first = *e->summary;
    if (first >= 'a' && first <= 'z') first = (char)(first - ('a' - 'A'));
    bytes_format(out, "## %s %s\n\n%c%s. %s\n\n", e->method, e->path, first, e->summary + 1,
                 role_text(e->needs));
    if (same) {
        bytes_format(out, "The body is that of `%s %s`.\n\n", same->method, same->path);
        return;
    }
    if (!e->fields) return;
    put_table(out, e->fields);
    put_more(out, e->fields, shared);
}

void serve_print_api(bytes *out)
{
    shared_tables shared = {.n = 0};
    bytes_text(
        out,
        "# The HTTP interface of ingle serve\n\n"
        "Written by `ingle serve --print-api` from the tables that requests are read with.\n\n"
        "Fields of bodies have a class:\n\n"
        "- *honoured*: the field has its effect. A value of another type or out of range is "
        "answered with 400, and `param` is its path.\n"
        "- *refused*: answered with 400; the meaning says what to use instead.\n"
        "- *inert*: accepted without effect, and named in the header `Ingle-Ignored`.\n"
        "- *only*: accepted with this value, which is what happens anyway; others are refused.\n\n"
        "`null` is the same as a field that is not there. A name that an object has twice is "
        "refused. Fields that are not listed are accepted, and named in `Ingle-Ignored`; with the "
        "header `Ingle-Strict: 1` or the option `--strict`, and where a name is one letter away "
        "from an honoured one, they are refused.\n\n");
    for (size_t i = 0; route_at(i); i++) put_endpoint(out, i, &shared);
    for (size_t i = 0; i < shared.n; i++) {
        bytes_format(out, "## %s\n\n", shared.table[i]->title);
        put_table(out, shared.table[i]);
    }
    while (out->n && out->p[out->n - 1] == '\n') out->n--;
    bytes_text(out, "\n");
}
