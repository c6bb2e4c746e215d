/* test_api_docs.c - the documentation that is printed from the tables: all of their fields are in it,
 * the OpenAPI document is one, and docs/api.md is what is printed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "server/api_docs.h"
#include "server/serve.h"
/* after the others */
#include "json_test.h"

static char *markdown, *openapi;
static size_t n_markdown, n_openapi;
static ingle_json_doc doc;

static int print_both(void **state)
{
    bytes a = {0}, b = {0};
    ingle_json_limits limits = {.unique_names = true};
    ingle_error err;
    (void)state;
    serve_print_api(&a);
    serve_print_openapi(&b);
    markdown = bytes_give(&a, &n_markdown);
    openapi = bytes_give(&b, &n_openapi);
    assert_non_null(markdown);
    assert_non_null(openapi);
    if (ingle_json_open(&doc, openapi, n_openapi, &limits, &err)) fail_msg("%s", err.text);
    return 0;
}

static int free_both(void **state)
{
    (void)state;
    ingle_json_close(&doc);
    free(markdown);
    free(openapi);
    return 0;
}

/* ---- Markdown -------------------------------------------------------------------------------- */

static size_t n_rows; /* that were looked for */

static void find_rows(const field_table *table, const char *prefix, const table_path *up)
{
    const table_path path = {up, table};
    char text[300];
    if (table_path_has(up, table)) return;
    for (size_t i = 0; i < table->n_rows; i++) {
        const field_row *row = &table->rows[i];
        snprintf(text, sizeof text, "\n| `%s%s` | ", prefix, row->name);
        const char *line = strstr(markdown, text);
        if (!line) fail_msg("docs/api.md lacks %s%s", prefix, row->name);
        n_rows++;
        if (row->class != FIELD_HONOURED || !row->members) continue;
        snprintf(text, sizeof text, "%s%s%s.", prefix, row->name,
                 row->types & FIELD_ARRAY ? "[]" : "");
        find_rows(row->members, text, &path);
    }
    if (table->more) find_rows(table->more, prefix, up);
}

static void test_markdown_has_every_field(void **state)
{
    (void)state;
    n_rows = 0;
    for (size_t i = 0; route_at(i); i++) {
        char text[200];
        snprintf(text, sizeof text, "\n## %s %s\n", route_at(i)->method, route_at(i)->path);
        if (!strstr(markdown, text)) fail_msg("no '%s'", text);
        if (route_at(i)->fields) find_rows(route_at(i)->fields, "", NULL);
    }
    assert_true(n_rows > 200);
}

/* Every line of a table has as many cells as its head. */
static void test_markdown_tables(void **state)
{
    size_t n_lines = 0;
    (void)state;
    for (const char *line = strchr(markdown, '\n'); line && line[1];
         line = strchr(line + 1, '\n')) {
        size_t n = 0;
        if (line[1] != '|') continue;
        for (const char *c = line + 1; *c && *c != '\n'; c++) n += *c == '|' && c[-1] != '\\';
        if (n != 6) fail_msg("%zu bars in %.80s", n, line + 1);
        n_lines++;
    }
    assert_true(n_lines > 200);
}

static void test_file_is_what_is_printed(void **state)
{
    size_t n = 0;
    char *file = json_slurp(INGLE_SOURCE_DIR "/docs/api.md", &n);
    (void)state;
    assert_non_null(file);
    bool same = n == n_markdown && !memcmp(file, markdown, n);
    free(file);
    if (!same) fail_msg("it is older than the tables: make api writes it");
}

/* ---- OpenAPI --------------------------------------------------------------------------------- */

static const json *schema_of(const json *v)
{
    static const char prefix[] = "#/components/schemas/";
    const char *reference = json_str(json_get(v, "$ref"));
    if (!*reference) return v;
    assert_memory_equal(reference, prefix, sizeof prefix - 1);
    return json_get(json_get(json_get(doc.root, "components"), "schemas"),
                    reference + sizeof prefix - 1);
}

static void find_properties(const field_table *table, const json *schema, const table_path *up)
{
    const table_path path = {up, table};
    const json *properties = json_get(schema, "properties");
    size_t offset;
    if (table_path_has(up, table)) return;
    for (const field_table *t = table; t; t = t->more)
        for (size_t i = 0; i < t->n_rows; i++) {
            const field_row *row = &t->rows[i];
            const json *property = json_get(properties, row->name);
            if (field_find(table, row->name, strlen(row->name), &offset) != row) continue;
            if (!property) fail_msg("no property %s of %s", row->name, table->title);
            assert_string_equal(json_str(json_get(property, "description")), row->help);
            n_rows++;
            if (row->class != FIELD_HONOURED || !row->members) continue;
            bool list = !(row->types & FIELD_OBJECT);
            find_properties(row->members, list ? json_get(property, "items") : property, &path);
        }
}

static void test_openapi_has_every_field(void **state)
{
    (void)state;
    n_rows = 0;
    assert_string_equal(json_str(json_get(doc.root, "openapi")), "3.1.0");
    assert_string_equal(json_str(json_get(json_get(doc.root, "info"), "version")), ingle_version());
    for (size_t i = 0; route_at(i); i++) {
        const endpoint *e = route_at(i);
        char method[8];
        size_t n = strlen(e->method);
        for (size_t k = 0; k <= n; k++) method[k] = (char)(k < n ? e->method[k] + ('a' - 'A') : 0);
        const json *m = json_get(json_get(json_get(doc.root, "paths"), e->path), method);
        if (!m) fail_msg("no %s %s", e->method, e->path);
        assert_true(ingle_json_is(json_get(json_get(m, "responses"), "200"), INGLE_JSON_OBJECT));
        assert_int_equal(!strchr(e->path, '{'), !json_get(m, "parameters"));
        const json *content = json_get(json_get(m, "requestBody"), "content");
        const json *schema = json_get(json_get(content, "application/json"), "schema");
        assert_int_equal(!e->fields, !schema);
        if (e->fields) find_properties(e->fields, schema_of(schema), NULL);
    }
    assert_true(n_rows > 200);
}

static void test_openapi_types(void **state)
{
    const json *schemas = json_get(json_get(doc.root, "components"), "schemas");
    const json *chat = json_get(json_get(schemas, "Chat_completions"), "properties");
    (void)state;
    const json *n = json_get(chat, "n"), *modalities = json_get(chat, "modalities");
    assert_string_equal(json_str(json_at(json_get(n, "type"), 0)), "integer");
    assert_true(json_num(json_get(n, "minimum")) == 1 && json_num(json_get(n, "maximum")) == 16);
    assert_string_equal(json_str(json_get(modalities, "x-ingle-class")), "only");
    assert_string_equal(json_str(json_at(json_at(json_get(modalities, "enum"), 0), 0)), "text");
    assert_string_equal(json_str(json_get(json_get(chat, "functions"), "x-ingle-class")),
                        "refused");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_markdown_has_every_field),
        cmocka_unit_test(test_markdown_tables),
        cmocka_unit_test(test_file_is_what_is_printed),
        cmocka_unit_test(test_openapi_has_every_field),
        cmocka_unit_test(test_openapi_types),
    };
    return cmocka_run_group_tests(tests, print_both, free_both);
}
