/* Chat templates of models as they are in use, rendered by Jinja2 3.1.2: $INGLE_DATA/chat-templates.
 * Every text byte for byte, every error as an error, what a template raises with its message. */
#define _GNU_SOURCE
#include "template_case.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static char folder[1000];

static ingle_jinja *open_template(const char *name)
{
    char path[1500];
    ingle_jinja *j = NULL;
    ingle_error err = {""};
    size_t n = 0;
    snprintf(path, sizeof path, "%s/templates/%s", folder, name);
    char *text = json_slurp(path, &n);
    if (!text) fail_msg("%s is not there", path);
    if (ingle_jinja_open(&j, text, n, NULL, &err)) fail_msg("%s: %s", name, err.text);
    free(text);
    return j;
}

static size_t run_cases(const char *name, size_t *n_cases)
{
    char path[1500], file[300];
    size_t n_wrong = 0;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    snprintf(file, sizeof file, "%.*s.jinja", (int)(strlen(name) - strlen(".json")), name);
    ingle_json_doc doc = json_file(path);
    ingle_jinja *j = open_template(file);
    for (ingle_json_walk w = ingle_json_items(json_get(doc.root, "cases")); ingle_json_step(&w);) {
        ingle_jinja_input in = {.context = json_get(w.value, "context"), .now = case_now};
        ingle_jinja_output out = {0};
        ingle_error err = {""};
        char text[1000];
        ingle_status st = ingle_jinja_render(j, &in, &out, &err);
        case_check(w.value, st, &out, &err, text);
        if (text[0] && n_wrong < 5)
            print_error("%s, %s: %s\n", name, json_str(json_get(w.value, "name")), text);
        n_wrong += text[0] != 0;
        ++*n_cases;
        ingle_jinja_output_free(&out);
    }
    ingle_jinja_close(j);
    ingle_json_close(&doc);
    return n_wrong;
}

static bool ends_with(const char *name, const char *end)
{
    size_t n = strlen(name), m = strlen(end);
    return n > m && !strcmp(name + n - m, end);
}

static void test_cases(void **state)
{
    (void)state;
    size_t n_files = 0, n_cases = 0, n_wrong = 0;
    DIR *d = opendir(folder);
    if (!d) {
        print_message("skipped: set INGLE_DATA to the folder of the reference data\n");
        skip();
        return;
    }
    for (struct dirent *e; (e = readdir(d));) {
        if (!ends_with(e->d_name, ".json")) continue;
        n_wrong += run_cases(e->d_name, &n_cases);
        n_files++;
    }
    closedir(d);
    print_message("%zu templates, %zu cases, %zu wrong\n", n_files, n_cases, n_wrong);
    assert_true(n_cases > 0);
    assert_int_equal(n_wrong, 0);
}

static void test_all_compile(void **state)
{
    (void)state;
    char path[1100];
    size_t n = 0;
    snprintf(path, sizeof path, "%s/templates", folder);
    DIR *d = opendir(path);
    if (!d) {
        skip();
        return;
    }
    for (struct dirent *e; (e = readdir(d));) {
        if (!ends_with(e->d_name, ".jinja")) continue;
        ingle_jinja *j = open_template(e->d_name);
        assert_true(ingle_jinja_mentions(j, "messages"));
        ingle_jinja_close(j);
        n++;
    }
    closedir(d);
    print_message("%zu templates compiled\n", n);
}

int main(void)
{
    const char *data = getenv("INGLE_DATA");
    snprintf(folder, sizeof folder, "%s/chat-templates", data ? data : "/nonexistent");
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_all_compile),
                                       cmocka_unit_test(test_cases)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
