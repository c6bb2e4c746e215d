/* test_alloc_jinja.c - every allocation of compiling and of rendering fails once: INGLE_ENOMEM, and
 * nothing is left behind. */
#define _GNU_SOURCE
#include "chat/jinja.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "must.h"
#include "wrap_alloc.h"

static const char TEMPLATE[] =
    "{% macro f(a, b='x', c=1) %}<{{ a | upper }}{{ b }}{{ caller() if caller else '' }}>{% "
    "endmacro "
    "%}{% set ns = namespace(t='', l=[]) %}{% for m in messages if m.role %}{% set ns.t = ns.t ~ "
    "f(m.content, b=loop.index) %}{{ ns.l.append(m) or '' }}{{ m | tojson(indent=2, "
    "sort_keys=true) "
    "}}{{ ns.t }}{% else %}none{% endfor %}{% filter trim %}{% set x %} {{ d }} {% endset %}{{ x "
    "}}{% endfilter %}{{ ns.l | map(attribute='role') | unique | sort | join(', ') }}{{ '%s' % d }}"
    "{{ '[1, {\"a\": 2}]' | from_json }}{{ 2 ** 99 }}{% call f(1) %}in{% endcall %}{{ d.items() | "
    "list }}";
static const char CONTEXT[] =
    "{\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"},{\"role\":\"assistant\",\"content\":"
    "\"Yo\"}"
    "],\"d\":{\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"e\":5,\"f\":6,\"g\":7,\"h\":8,\"i\":9,\"j\":[10]}}";

static void test_open(void **state)
{
    (void)state;
    long n = 1;
    for (;; n++) {
        ingle_jinja *j;
        ingle_error err = {""};
        wrap_alloc_begin(n);
        ingle_status st = ingle_jinja_open(&j, TEMPLATE, sizeof TEMPLATE - 1, NULL, &err);
        ingle_jinja_close(j);
        bool reached = wrap_alloc_end();
        assert_int_equal(wrap_alloc_live(), 0);
        if (!reached) {
            must(st, &err);
            break;
        }
        assert_int_equal(st, INGLE_ENOMEM);
        assert_null(j);
        assert_text(&err, "no memory");
    }
    assert_true(n > 20);
}

static void test_render(void **state)
{
    (void)state;
    ingle_jinja *j;
    ingle_json_doc doc;
    ingle_error err = {""};
    long n = 1;
    must(ingle_jinja_open(&j, TEMPLATE, sizeof TEMPLATE - 1, NULL, &err), &err);
    must(ingle_json_open(&doc, CONTEXT, sizeof CONTEXT - 1, NULL, &err), &err);
    for (;; n++) {
        ingle_jinja_input in = {.context = doc.root};
        ingle_jinja_output out;
        wrap_alloc_begin(n);
        ingle_status st = ingle_jinja_render(j, &in, &out, &err);
        bool has_text = out.text;
        ingle_jinja_output_free(&out);
        bool reached = wrap_alloc_end();
        assert_int_equal(wrap_alloc_live(), 0);
        if (!reached) {
            must(st, &err);
            break;
        }
        assert_int_equal(st, INGLE_ENOMEM);
        assert_false(has_text);
    }
    assert_true(n > 10);
    ingle_json_close(&doc);
    ingle_jinja_close(j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_open), cmocka_unit_test(test_render)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
