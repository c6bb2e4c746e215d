/* test_grammars.c - $INGLE_DATA/grammars: grammars in use and hard ones, with texts that belong to
 * them and texts that do not; and grammars that must be refused. */
#define _GNU_SOURCE
#include "grammar/gbnf.h"
#include "grammar/term.h"
#include "json_test.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static const char *data;

static ingle_status compile(ingle_terms *t, const char *text, size_t len, ingle_term *root,
                            ingle_error *err)
{
    ingle_status st = ingle_gbnf_compile(t, text, len, NULL, root, err);
    return st ? st : ingle_terms_finish(t, root, err);
}

/* ---- grammars with texts --------------------------------------------------------------------- */

static size_t n_texts, n_wrong;

static void check_texts(const char *name, ingle_terms *t, ingle_term root, const json *texts)
{
    for (ingle_json_walk w = ingle_json_items(texts); ingle_json_step(&w); n_texts++) {
        const json *text = json_get(w.value, "text");
        bool expected = json_num(json_get(w.value, "accept")) != 0, matches = !expected;
        ingle_status st = ingle_term_matches(t, root, text->text, text->len, &matches);
        if (!st && matches == expected) continue;
        n_wrong++;
        print_error("%s: '%.60s' should%s belong to it: %s\n", name, text->text,
                    expected ? "" : " not", ingle_status_name(st));
    }
}

/* The grammar of NAME.strings.json. */
static void check_grammar(const char *folder, const char *name, const json *texts)
{
    char path[4096];
    size_t n = 0;
    snprintf(path, sizeof path, "%s/grammars/%s/%s", data, folder, name);
    char *grammar = json_slurp(path, &n);
    assert_non_null(grammar);
    ingle_terms *t = ingle_terms_open(NULL);
    ingle_term root;
    ingle_error err = {""};
    if (compile(t, grammar, n, &root, &err)) fail_msg("%s: %s", name, err.text);
    check_texts(name, t, root, texts);
    ingle_terms_close(t);
    free(grammar);
}

static size_t check_folder(const char *folder)
{
    char path[4096];
    size_t n = 0;
    snprintf(path, sizeof path, "%s/grammars/%s", data, folder);
    DIR *dir = opendir(path);
    if (!dir) return 0;
    for (struct dirent *e; (e = readdir(dir));) {
        if (!strstr(e->d_name, ".strings.json")) continue;
        snprintf(path, sizeof path, "%s/grammars/%s/%s", data, folder, e->d_name);
        ingle_json_doc doc = json_file(path);
        check_grammar(folder, json_str(json_get(doc.root, "grammar")),
                      json_get(doc.root, "strings"));
        ingle_json_close(&doc);
        n++;
    }
    closedir(dir);
    return n;
}

static void test_texts(void **state)
{
    (void)state;
    if (!data) {
        print_message("skipped: no corpus\n");
        return;
    }
    size_t n = check_folder("llama.cpp") + check_folder("stress");
    print_message("%zu grammars, %zu texts, %zu wrong\n", n, n_texts, n_wrong);
    assert_int_equal(n_wrong, 0);
}

/* ---- grammars to refuse ---------------------------------------------------------------------- */

/* Legal, if large; all others are refused. */
static const char *const legal[] = {"deep_parens_60000", "rule_chain_5000"};

static bool is_legal(const char *name)
{
    for (size_t i = 0; i < sizeof legal / sizeof *legal; i++)
        if (!strcmp(legal[i], name)) return true;
    return false;
}

/* prefix, what opens, how often, middle, what closes, how often, suffix */
static char *write_repeated(const json *parts)
{
    size_t n[2] = {(size_t)json_num(json_at(parts, 2)), (size_t)json_num(json_at(parts, 5))}, size;
    char *text = NULL;
    FILE *f = open_memstream(&text, &size);
    fputs(json_str(json_at(parts, 0)), f);
    for (size_t i = 0; i < n[0]; i++) fputs(json_str(json_at(parts, 1)), f);
    fputs(json_str(json_at(parts, 3)), f);
    for (size_t i = 0; i < n[1]; i++) fputs(json_str(json_at(parts, 4)), f);
    fputs(json_str(json_at(parts, 6)), f);
    fclose(f);
    return text;
}

static char *write_chain(size_t n)
{
    size_t size;
    char *text = NULL;
    FILE *f = open_memstream(&text, &size);
    fputs("root ::= r0\n", f);
    for (size_t i = 0; i < n; i++) fprintf(f, "r%zu ::= r%zu\n", i, i + 1);
    fprintf(f, "r%zu ::= \"a\"\n", n);
    fclose(f);
    return text;
}

static char *write_grammar(const json *grammar)
{
    if (ingle_json_is(grammar, INGLE_JSON_STRING)) return strdup(grammar->text);
    const json *parts = json_get(grammar, "repeat");
    return parts ? write_repeated(parts)
                 : write_chain((size_t)json_num(json_get(grammar, "chain")));
}

static void check_case(const char *name, const char *text)
{
    ingle_terms *t = ingle_terms_open(NULL);
    ingle_term root;
    ingle_error err = {""};
    ingle_status st = compile(t, text, strlen(text), &root, &err);
    print_message("%s: %s\n", name, st ? err.text : "compiled");
    if (!st != is_legal(name)) fail_msg("%s: %s", name, st ? err.text : "is not refused");
    if (st && strncmp(name, "unproductive", 12) != 0) assert_memory_equal(err.text, "line ", 5);
    if (st) assert_true(strlen(err.text) > 20);
    ingle_terms_close(t);
}

static void test_refused(void **state)
{
    (void)state;
    char path[4096];
    size_t n = 0;
    snprintf(path, sizeof path, "%s/grammars/invalid_grammars.json", data ? data : "");
    ingle_json_doc doc = data ? json_file(path) : (ingle_json_doc){0};
    if (!doc.root) {
        print_message("skipped: no corpus\n");
        return;
    }
    for (ingle_json_walk w = ingle_json_items(json_get(doc.root, "cases")); ingle_json_step(&w);
         n++) {
        char *text = write_grammar(json_get(w.value, "grammar"));
        check_case(json_str(json_get(w.value, "name")), text);
        free(text);
    }
    assert_int_equal(n, 30);
    ingle_json_close(&doc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_texts),
                                       cmocka_unit_test(test_refused)};
    data = getenv("INGLE_DATA");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
