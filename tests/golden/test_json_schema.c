/* test_json_schema.c - the official suite of JSON Schema, draft 2020-12, in $INGLE_DATA: each schema
 * as a grammar, each instance as a text.
 * No instance that is not valid may be admitted. Of the valid ones those are refused that the
 * grammar does not write: numbers as 1.0 or 1e2 where the schema asks for integers, and strings that
 * break a format, which the suite takes for a mere note. Schemas that cannot be enforced are refused
 * by keyword. */
#define _GNU_SOURCE
#include "json_test.h"
#include "grammar/automaton.h"
#include "grammar/schema.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define BASE "http://localhost:1234/"

typedef struct tally {
    size_t n, right, refused, false_refusals, false_accepts;
} tally;

/* ---- the documents that the suite refers to -------------------------------------------------- */

enum { MAX_DOCUMENTS = 200 };
static ingle_schema_document documents[MAX_DOCUMENTS];
static size_t n_documents;

static void add_remotes(const char *folder, const char *uri)
{
    DIR *d = opendir(folder);
    struct dirent *e;
    while (d && (e = readdir(d))) {
        char *path, *name;
        if (e->d_name[0] == '.') continue;
        if (asprintf(&path, "%s/%s", folder, e->d_name) < 0 ||
            asprintf(&name, "%s%s", uri, e->d_name) < 0)
            exit(1);
        size_t n = strlen(name), len = 0;
        if (n > 5 && !strcmp(name + n - 5, ".json")) {
            char *text = json_slurp(path, &len);
            assert_true(n_documents < MAX_DOCUMENTS && text);
            documents[n_documents++] = (ingle_schema_document){name, text, len};
        } else {
            char *inner;
            if (asprintf(&inner, "%s/", name) < 0) exit(1);
            add_remotes(path, inner);
            free(inner);
            free(name);
        }
        free(path);
    }
    if (d) closedir(d);
}

static void free_remotes(void)
{
    for (size_t i = 0; i < n_documents; i++) {
        free((char *)documents[i].uri);
        free((char *)documents[i].text);
    }
}

/* ---- refusals by keyword --------------------------------------------------------------------- */

enum { MAX_KEYWORDS = 100 };
static struct {
    char keyword[80];
    size_t n;
} refusals[MAX_KEYWORDS];

/* The keyword between quotes in an error's text, else all of it. */
static void count_refusal(const char *text)
{
    char keyword[80];
    const char *open = strchr(text, '\''), *close = open ? strchr(open + 1, '\'') : NULL;
    if (close) snprintf(keyword, sizeof keyword, "%.*s", (int)(close - open - 1), open + 1);
    else snprintf(keyword, sizeof keyword, "%.79s", text);
    for (size_t i = 0; i < MAX_KEYWORDS; i++) {
        if (refusals[i].n && strcmp(refusals[i].keyword, keyword) != 0) continue;
        strcpy(refusals[i].keyword, keyword);
        refusals[i].n++;
        return;
    }
}

/* ---- cases ----------------------------------------------------------------------------------- */

static ingle_automaton *compile(const json *schema, ingle_error *err)
{
    ingle_json_writer w = {0};
    ingle_schema_options opt = {
        .any_order = true, .compact = true, .documents = documents, .n_documents = n_documents};
    ingle_terms *t = ingle_terms_open(NULL);
    ingle_automaton *a = NULL;
    ingle_term root;
    ingle_json_put(&w, schema);
    assert_int_equal(ingle_json_finish(&w), INGLE_OK);
    ingle_status st = ingle_schema_compile(t, w.text, w.n, &opt, &root, err);
    ingle_json_writer_free(&w);
    if (!st) st = ingle_terms_finish(t, &root, err);
    if (!st) st = ingle_automaton_open(&a, t, root, NULL, NULL, err);
    else ingle_terms_close(t);
    return st ? NULL : a;
}

static bool admits(ingle_automaton *a, const json *data)
{
    ingle_json_writer w = {0};
    ingle_error err;
    size_t n_good;
    ingle_json_put(&w, data);
    assert_int_equal(ingle_json_finish(&w), INGLE_OK);
    ingle_matcher *m = ingle_matcher_open(a);
    ingle_status st = ingle_matcher_text(m, w.text, w.n, &n_good, &err);
    bool is = !st && n_good == w.n && ingle_matcher_may_end(m);
    if (st && st != INGLE_EFORMAT) print_error("%s\n", err.text);
    ingle_matcher_close(m);
    ingle_json_writer_free(&w);
    return is;
}

static void run_case(const char *file, const json *c, tally *total)
{
    ingle_error err = {""};
    const json *tests = json_get(c, "tests");
    ingle_automaton *a = compile(json_get(c, "schema"), &err);
    bool nothing = !a && strstr(err.text, "no value is valid");
    if (!a && !nothing) count_refusal(err.text);
    for (ingle_json_walk w = ingle_json_items(tests); ingle_json_step(&w);) {
        bool valid = json_num(json_get(w.value, "valid")) != 0;
        total->n++;
        if (!a && !nothing) {
            total->refused++;
            continue;
        }
        bool is = a && admits(a, json_get(w.value, "data"));
        total->right += is == valid;
        total->false_accepts += is && !valid;
        total->false_refusals += !is && valid;
        if (is && !valid)
            print_error("%s: %s: %s: admitted, but not valid\n", file,
                        json_str(json_get(c, "description")),
                        json_str(json_get(w.value, "description")));
    }
    ingle_automaton_close(a);
}

static void run_file(const char *folder, const char *name, tally *total)
{
    char *path;
    if (asprintf(&path, "%s/%s", folder, name) < 0) exit(1);
    ingle_json_doc doc = json_file(path);
    for (ingle_json_walk w = ingle_json_items(doc.root); ingle_json_step(&w);)
        run_case(name, w.value, total);
    ingle_json_close(&doc);
    free(path);
}

static int is_json(const struct dirent *e)
{
    return strstr(e->d_name, ".json") != NULL;
}

static void test_suite(void **state)
{
    (void)state;
    const char *data = getenv("INGLE_DATA");
    char *folder, *remotes;
    struct dirent **files;
    tally t = {0};
    if (asprintf(&folder, "%s/json-schema-test-suite/tests/draft2020-12", data ? data : "") < 0 ||
        asprintf(&remotes, "%s/json-schema-test-suite/remotes", data ? data : "") < 0)
        exit(1);
    int n = scandir(folder, &files, is_json, alphasort);
    if (n <= 0) {
        print_message("skipped: no corpus\n");
        free(folder);
        free(remotes);
        return;
    }
    add_remotes(remotes, BASE);
    for (int i = 0; i < n; i++) {
        run_file(folder, files[i]->d_name, &t);
        free(files[i]);
    }
    free(files);
    free_remotes();
    free(folder);
    free(remotes);
    print_message("%zu tests: %zu right (%.1f %%), %zu refused with their schemas, %zu false "
                  "refusals, %zu false accepts\n",
                  t.n, t.right, 100.0 * (double)t.right / (double)t.n, t.refused, t.false_refusals,
                  t.false_accepts);
    for (size_t i = 0; i < MAX_KEYWORDS && refusals[i].n; i++)
        print_message("%4zu schemas refused: %s\n", refusals[i].n, refusals[i].keyword);
    assert_int_equal(t.false_accepts, 0);
    assert_true(10 * t.right > 9 * t.n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_suite)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
