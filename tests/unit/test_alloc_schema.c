/* test_alloc_schema.c - every allocation of compiling a schema fails once: INGLE_ENOMEM, and nothing
 * is left behind. */
#define _GNU_SOURCE
#include "grammar/schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "must.h"
#include "wrap_alloc.h"

static const char SCHEMA[] =
    "{\"$id\":\"http://example.com/a\",\"type\":\"object\",\"properties\":{\"n\":{\"minimum\":-3,"
    "\"maximum\":99.5,\"multipleOf\":0.5},\"s\":{\"enum\":[\"a\",1,null,[1],{\"k\":2}]},\"p\":"
    "{\"type\":\"string\",\"pattern\":\"^a+$\",\"maxLength\":4},\"a\":{\"type\":\"array\","
    "\"contains\":"
    "{\"const\":1},\"maxContains\":2,\"prefixItems\":[{\"$ref\":\"b#x\"}]},\"u\":{\"items\":{"
    "\"enum\":"
    "[1,2]},\"uniqueItems\":true}},\"required\":[\"n\"],\"patternProperties\":{\"^z\":{\"$ref\":\"#"
    "\"}},"
    "\"propertyNames\":{\"maxLength\":9},\"oneOf\":[{\"required\":[\"s\"]},{\"required\":[\"p\"]}],"
    "\"dependentRequired\":{\"a\":[\"u\"]},\"if\":{\"minProperties\":2},\"then\":{\"required\":["
    "\"s\"]},"
    "\"unevaluatedProperties\":{\"$dynamicRef\":\"#d\"},\"$defs\":{\"d\":{\"$dynamicAnchor\":\"d\","
    "\"not\":{\"type\":\"null\"}}}}";
static const char OTHER[] = "{\"$defs\":{\"x\":{\"$anchor\":\"x\",\"type\":\"integer\"}}}";

static void test_compile(void **state)
{
    (void)state;
    const ingle_schema_document other = {"http://example.com/b", OTHER, sizeof OTHER - 1};
    ingle_schema_options opt = {.documents = &other, .n_documents = 1};
    long n = 1;
    for (;; n++) {
        ingle_term root = 1;
        ingle_error err = {""};
        wrap_alloc_begin(n);
        ingle_terms *t = ingle_terms_open(NULL);
        ingle_status st = INGLE_ENOMEM;
        if (t) st = ingle_schema_compile(t, SCHEMA, sizeof SCHEMA - 1, &opt, &root, &err);
        ingle_terms_close(t);
        bool reached = wrap_alloc_end();
        assert_int_equal(wrap_alloc_live(), 0);
        if (!reached) {
            must(st, &err);
            break;
        }
        assert_int_equal(st, INGLE_ENOMEM);
        if (t) {
            assert_int_equal(root, INGLE_TERM_NONE);
            if (!strstr(err.text, "memory")) fail_msg("%ld: %s", n, err.text);
        }
    }
    assert_true(n > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_compile)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
