/* test_alloc_grammar.c - every allocation of compiling a grammar or a pattern fails once:
 * INGLE_ENOMEM, and nothing is left behind. */
#define _GNU_SOURCE
#include "grammar/gbnf.h"
#include "grammar/regex.h"
#include "grammar/term.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "must.h"
#include "wrap_alloc.h"

typedef ingle_status compiler(ingle_terms *t, const char *text, ingle_term *e, ingle_error *err);

static ingle_status compile_gbnf(ingle_terms *t, const char *text, ingle_term *e, ingle_error *err)
{
    ingle_status st = ingle_gbnf_compile(t, text, strlen(text), NULL, e, err);
    if (st) return st;
    ingle_term root = *e;
    st = ingle_terms_finish(t, &root, err);
    *e = st ? INGLE_TERM_NONE : root;
    return st;
}

static ingle_status compile_regex(ingle_terms *t, const char *text, ingle_term *e, ingle_error *err)
{
    ingle_regex_options opt = {.search = true};
    return ingle_regex_compile(t, text, strlen(text), &opt, e, err);
}

static void fail_each(compiler *compile, const char *text)
{
    for (long n = 1;; n++) {
        ingle_error err = {"no memory"};
        ingle_status st = INGLE_ENOMEM;
        ingle_term e = INGLE_TERM_NONE;
        wrap_alloc_begin(n);
        ingle_terms *t = ingle_terms_open(NULL);
        if (t) st = compile(t, text, &e, &err);
        ingle_terms_close(t);
        bool reached = wrap_alloc_end();
        assert_int_equal(wrap_alloc_live(), 0);
        if (!reached) {
            must(st, &err);
            assert_true(n > 20);
            return;
        }
        assert_int_equal(st, INGLE_ENOMEM);
        assert_text(&err, "no memory");
        assert_int_equal(e, INGLE_TERM_NONE);
    }
}

static void test_gbnf(void **state)
{
    (void)state;
    fail_each(compile_gbnf,
              "root ::= a (b | \"x\"{2,3} \"y\" \"z\"+)* | \"\\u00e4\" [a-c\\n-] [^x] .\n"
              "a ::= ((((((((((\"1\"))))))))))\n"
              "b ::= c | d | e | f | g | h | i | j\nc ::= \"2\"\nd ::= \"3\"\ne ::= \"4\"\n"
              "f ::= \"5\"\ng ::= \"6\"\nh ::= \"7\"\ni ::= \"8\"\nj ::= \"9\" | b \"0\"\n");
}

static void test_regex(void **state)
{
    (void)state;
    fail_each(compile_regex, "(?<n>a|b)+?c{2,3}[\\w.-]\\p{Lu}(((((((((d)))))))))x(?<=[xy])e\\b"
                             "|^(?=.*f)(?!g|h(?=i)).{4,}$|^((?!jk).)*$|l(?:m(?=.*n)|o|p|q){0,2}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_gbnf), cmocka_unit_test(test_regex)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
