/* Snippets of templates and what Jinja2 3.1.2 makes of them, with the settings that transformers
 * uses: tests/golden/data/jinja-conformance.json. */
#define _GNU_SOURCE
#include "template_case.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void test_snippets(void **state)
{
    (void)state;
    ingle_json_doc doc = json_file(INGLE_SOURCE_DIR "/tests/golden/data/jinja-conformance.json");
    ingle_json_doc none = json_parse("{}", 2, "{}");
    assert_non_null(doc.root);
    size_t n = 0, n_wrong = 0;
    for (ingle_json_walk w = ingle_json_items(json_get(doc.root, "cases")); ingle_json_step(&w);
         n++) {
        const json *template = json_get(w.value, "template"),
                   *context = json_get(w.value, "context");
        ingle_jinja_input in = {.context = context ? context : none.root, .now = case_now};
        ingle_jinja_output out = {0};
        ingle_jinja *j = NULL;
        ingle_error err = {""};
        char text[1000];
        ingle_status st = ingle_jinja_open(&j, template->text, template->len, NULL, &err);
        if (!st) st = ingle_jinja_render(j, &in, &out, &err);
        case_check(w.value, st, &out, &err, text);
        if (text[0])
            print_error("%s: %s: %s\n", json_str(json_get(w.value, "id")), template->text, text);
        n_wrong += text[0] != 0;
        ingle_jinja_output_free(&out);
        ingle_jinja_close(j);
    }
    print_message("%zu snippets, %zu wrong\n", n, n_wrong);
    ingle_json_close(&doc);
    ingle_json_close(&none);
    assert_int_equal(n_wrong, 0);
    assert_int_equal(n, 475);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_snippets)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
