/* test_gbnf.c - GBNF: what grammars mean, and what is said about those that are wrong. */
#include "grammar/gbnf.h"
#include "grammar/term.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define N_OF(array) (sizeof(array) / sizeof *(array))

static int32_t find_token(const void *self, const char *text, size_t len)
{
    const char *const *tokens = self;
    for (int32_t i = 0; tokens[i]; i++)
        if (strlen(tokens[i]) == len && !memcmp(tokens[i], text, len)) return i;
    return -1;
}

static const char *const tokens[] = {"a", "<think>", "</think>", NULL};
static const ingle_token_names names = {find_token, tokens, 3};

static ingle_status compile(ingle_terms *t, const char *text, size_t len,
                            const ingle_token_names *n, ingle_term *root, ingle_error *err)
{
    char *copy = malloc(len ? len : 1); /* no NUL follows */
    if (len) memcpy(copy, text, len);
    ingle_status st = ingle_gbnf_compile(t, copy, len, n, root, err);
    free(copy);
    return st ? st : ingle_terms_finish(t, root, err);
}

/* ---- meaning --------------------------------------------------------------------------------- */

static const struct {
    const char *grammar;
    const char *yes[8], *no[8];
} rows[] = {
    {"root ::= \"abc\"", {"abc"}, {"", "ab", "abcd"}},
    {"root ::= \"a\" \"b\"\t\"c\"", {"abc"}, {"ab", "a b c"}},
    {"root ::= \"ab\" \"cd\"*", {"ab", "abcd", "abcdcd"}, {"abcdabcd", "abc"}},
    {"root ::= \"ab\" \"cd\"+ \"e\"", {"abcde", "abcdcde"}, {"abe", "ababcde"}},
    {"root ::= \"\"* \"a\"", {"a"}, {"", "aa"}},
    {"root ::=", {""}, {"a"}},
    {"root ::= \"a\" |", {"", "a"}, {"aa"}},
    {"root ::= | \"a\"", {"", "a"}, {"aa"}},
    {"root ::= () \"a\"", {"a"}, {""}},
    {"root ::= \"a\" | \"b\" | \"cd\"", {"a", "b", "cd"}, {"c", "ab"}},
    {"root ::= (\"a\" | \"b\") \"c\"", {"ac", "bc"}, {"a", "c", "abc"}},
    {"root ::= (\"a\" | \"b\")+", {"a", "abba"}, {"", "abc"}},
    {"root ::= \"a\"**", {"", "aaaa"}, {"b"}},
    {"root ::= \"a\"{3}", {"aaa"}, {"aa", "aaaa"}},
    {"root ::= \"a\"{2,}", {"aa", "aaaaa"}, {"a"}},
    {"root ::= \"a\"{1,3}", {"a", "aaa"}, {"", "aaaa"}},
    {"root ::= \"a\"{ 1 , 3 }", {"a", "aaa"}, {"", "aaaa"}},
    {"root ::= \"a\"{0,0} \"b\"", {"b"}, {"ab"}},
    {"root ::= \"a\"{0,4000000000}", {"", "aaaa"}, {"b"}},
    {"root ::= [a-c]", {"a", "b", "c"}, {"d", "", "ab"}},
    {"root ::= [^a-c]", {"d", "\n", "\xc3\xa4", "\xf0\x9f\x98\x80"}, {"a", "", "\xc3"}},
    {"root ::= [-a]", {"-", "a"}, {"b"}},
    {"root ::= [a-]", {"-", "a"}, {"b"}},
    {"root ::= [a-c-e]", {"-", "b", "e"}, {"d"}},
    {"root ::= [\\]\\[\\\\\"\\-x]", {"]", "[", "\\", "\"", "-", "x"}, {"a"}},
    {"root ::= [+--]", {"+", ",", "-"}, {"."}},
    {"root ::= [\\x41-\\u0043\\U0001F600]", {"A", "C", "\xf0\x9f\x98\x80"}, {"D"}},
    {"root ::= \"\\x41\\u00e4\\U0001F600\\n\\r\\t\\\"\\\\\\[\\]\\-\"",
     {"A\xc3\xa4\xf0\x9f\x98\x80\n\r\t\"\\[]-"},
     {"A"}},
    {"root ::= \"\xc3\xa4\" [\xc3\xa4-\xc3\xbc]", {"\xc3\xa4\xc3\xb6"}, {"\xc3\xa4"}},
    {"root ::= \"a\nb\"", {"a\nb"}, {"ab"}},
    {"root ::= .", {"a", "\n", "\xc3\xa4"}, {"", "ab", "\xff"}},
    {"root ::= . .*", {"a", "abc"}, {""}},
    {"root ::= a b\na ::= \"x\"\nb ::= \"y\"", {"xy"}, {"x", "yx"}},
    {"b ::= \"y\"\n\n\nroot ::= A-1_b b\r\nA-1_b ::= \"x\"\r\n", {"xy"}, {"x"}},
    {"\xef\xbb\xbf# comment\nroot ::= \"a\" # more \"\n# end", {"a"}, {"a "}},
    {"root ::=\n  \"a\"\n", {"a"}, {""}},
    {"root ::= \"a\" |\n\n  \"b\" # c\n", {"a", "b"}, {"ab"}},
    {"root ::= \"a\"\n  # c\n  | \"b\"\n", {"a", "b"}, {"ab"}},
    {"root ::= (\n \"a\" # c\n \"b\"\n | \"c\"\n)\n", {"ab", "c"}, {"a"}},
    {"root ::= (\"a\"\n)* \"b\"", {"b", "aab"}, {"a"}},
    {"root ::= ((\"a\"\n)\n* \"b\"\n)", {"b", "aab"}, {"a"}},
    {"root ::= <think> \"x\"", {"<think>x"}, {"x"}},
};

static void check_text(ingle_terms *t, ingle_term root, const char *grammar, const char *text,
                       bool expected)
{
    bool matches = !expected;
    assert_int_equal(ingle_term_matches(t, root, text, strlen(text), &matches), INGLE_OK);
    if (matches != expected) fail_msg("%s: '%s' is %s", grammar, text, matches ? "in" : "out");
}

static void test_meaning(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_OF(rows); i++) {
        ingle_terms *t = ingle_terms_open(NULL);
        ingle_term root;
        ingle_error err = {""};
        const char *grammar = rows[i].grammar;
        if (compile(t, grammar, strlen(grammar), NULL, &root, &err))
            fail_msg("%s: %s", grammar, err.text);
        for (size_t k = 0; k < N_OF(rows[i].yes) && rows[i].yes[k]; k++)
            check_text(t, root, grammar, rows[i].yes[k], true);
        for (size_t k = 0; k < N_OF(rows[i].no) && rows[i].no[k]; k++)
            check_text(t, root, grammar, rows[i].no[k], false);
        ingle_terms_close(t);
    }
}

/* ---- messages -------------------------------------------------------------------------------- */

#define ITEM "expected a string, a class, '(', '.', '<', a rule's name, a repetition, '|'"

static const struct {
    const char *grammar, *message;
    ingle_status status;
} wrong[] = {
    {"", "line 1, column 1: found the end, expected a rule 'root ::= ...'", INGLE_EFORMAT},
    {"foo ::= \"a\"\n",
     "line 2, column 1: found the end, expected a rule 'root ::=", INGLE_EFORMAT},
    {"root ::= \"a\"\n  ::= \"b\"", "line 2, column 3: found ':', expected a rule's name",
     INGLE_EFORMAT},
    {"root \"a\"", "line 1, column 6: found '\"', expected '::='", INGLE_EFORMAT},
    {"root := \"a\"", "line 1, column 6: found ':', expected '::='", INGLE_EFORMAT},
    {"root\n::= \"a\"", "line 1, column 5: found the end of the line, expected '::='",
     INGLE_EFORMAT},
    {"root ::= \"a\" @", "line 1, column 14: found '@', " ITEM " or the end of the line",
     INGLE_EFORMAT},
    {"root ::= \"\xc3\xa4\" \xc3\xa4", "line 1, column 14: found '\xc3\xa4', " ITEM, INGLE_EFORMAT},
    {"root ::= \"a\")", "line 1, column 13: found ')', " ITEM, INGLE_EFORMAT},
    {"root ::= a\r\nb ::= \"x\"\r\r\r@", "line 5, column 1: found '@', expected a rule's name",
     INGLE_EFORMAT},
    {"root ::= (\"a\"\nb ::= \"c\"",
     "line 2, column 3: found ':', " ITEM " or the ')' for line 1, column 10", INGLE_EFORMAT},
    {"root ::= (\"a\" | (\"b\")\n",
     "line 2, column 1: found the end, " ITEM " or the ')' for line 1, column 10", INGLE_EFORMAT},
    {"root ::= bar", "line 1, column 10: found the rule 'bar', which is not defined anywhere",
     INGLE_EFORMAT},
    {"root ::= a\na ::= \"a\"\na ::= \"b\"",
     "line 3, column 1: the rule 'a' is defined already, in line 2", INGLE_EFORMAT},
    {"root ::= \"abc\n", "line 1, column 10: the string that begins here has no end",
     INGLE_EFORMAT},
    {"root ::= [abc\n", "line 1, column 10: the class that begins here has no end", INGLE_EFORMAT},
    {"root ::= []", "line 1, column 11: found ']', expected a character or a range in the class",
     INGLE_EFORMAT},
    {"root ::= [^]", "line 1, column 12: found ']', expected a character", INGLE_EFORMAT},
    {"root ::= [z-a]",
     "line 1, column 11: the range begins with U+007A and ends before it, with U+0061",
     INGLE_EFORMAT},
    {"root ::= \"\\q\"", "line 1, column 12: found 'q', expected one of nrtxuU\\\"[]- after '\\'",
     INGLE_EFORMAT},
    {"root ::= \"\\", "line 1, column 12: found the end, expected one of", INGLE_EFORMAT},
    {"root ::= \"\\x4\"", "line 1, column 14: found '\"', expected 2 hexadecimal digits",
     INGLE_EFORMAT},
    {"root ::= \"\\u12\"", "line 1, column 15: found '\"', expected 4 hexadecimal digits",
     INGLE_EFORMAT},
    {"root ::= \"\\U0000004", "line 1, column 20: found the end, expected 8 hexadecimal digits",
     INGLE_EFORMAT},
    {"root ::= \"a\\uD800\"", "line 1, column 12: U+D800 is half of a surrogate pair",
     INGLE_EFORMAT},
    {"root ::= [\\U00110000]", "line 1, column 11: U+110000 is beyond U+10FFFF", INGLE_EFORMAT},
    {"root ::= *",
     "line 1, column 10: found '*', expected a string, a class, '(' or a rule's name "
     "before it: there is nothing to repeat",
     INGLE_EFORMAT},
    {"root ::= \"a\" | +", "line 1, column 16: found '+', expected", INGLE_EFORMAT},
    {"root ::= (?)", "line 1, column 11: found '?', expected", INGLE_EFORMAT},
    {"root ::= \"a\"\n*", "line 2, column 1: found '*', expected a rule's name", INGLE_EFORMAT},
    {"root ::= \"a\"{}", "line 1, column 14: found '}', expected a number", INGLE_EFORMAT},
    {"root ::= \"a\"{,2}", "line 1, column 14: found ',', expected a number", INGLE_EFORMAT},
    {"root ::= \"a\"{-1}", "line 1, column 14: found '-', expected a number", INGLE_EFORMAT},
    {"root ::= \"a\"{2", "line 1, column 15: found the end, expected ',' or '}'", INGLE_EFORMAT},
    {"root ::= \"a\"{2,x}", "line 1, column 16: found 'x', expected a number or '}'",
     INGLE_EFORMAT},
    {"root ::= \"a\"{2,3", "line 1, column 17: found the end, expected '}'", INGLE_EFORMAT},
    {"root ::= \"a\"{3,1}",
     "line 1, column 14: at least 3 times and at most 1: expected a larger number last",
     INGLE_EFORMAT},
    {"root ::= \"a\"{0,4294967296}", "line 1, column 16: a count beyond 4294967294",
     INGLE_EUNSUPPORTED},
    {"root ::= \"a\"{99999999999999999999999}", "line 1, column 14: a count beyond",
     INGLE_EUNSUPPORTED},
    {"root ::= ((\"a\"{1,70000})\n{1,70000})",
     "line 2, column 1: a repetition of a repetition counts beyond 4294967294", INGLE_EUNSUPPORTED},
    {"root ::= <[5]>",
     "line 1, column 12: a token by its number, <[5]>, where there is no vocabulary",
     INGLE_EUNSUPPORTED},
    {"root ::= !<a>", "line 1, column 11: 'any token but this' where there is no vocabulary",
     INGLE_EUNSUPPORTED},
    {"root ::= <a", "line 1, column 12: found the end, expected '>', which ends", INGLE_EFORMAT},
    {"root ::= !a", "line 1, column 11: found 'a', expected '<', which begins a token",
     INGLE_EFORMAT},
    {"root ::= \"a\xff\"", "line 1, column 12: the byte 0xff is not UTF-8", INGLE_EFORMAT},
    {"root ::= \x1b[a]", "line 1, column 10: found '\\x1b', expected", INGLE_EFORMAT},
};

static void check_wrong(const char *grammar, const ingle_token_names *n, const char *message,
                        ingle_status status)
{
    ingle_terms *t = ingle_terms_open(NULL);
    ingle_term root;
    ingle_error err = {""};
    ingle_status st = compile(t, grammar, strlen(grammar), n, &root, &err);
    if (st != status) fail_msg("%s: status %d: %s", grammar, (int)st, err.text);
    if (strncmp(err.text, message, strlen(message)) != 0)
        fail_msg("%s:\n  %s\nis not\n  %s", grammar, err.text, message);
    assert_int_equal(root, INGLE_TERM_NONE);
    ingle_terms_close(t);
}

static void test_messages(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_OF(wrong); i++)
        check_wrong(wrong[i].grammar, NULL, wrong[i].message, wrong[i].status);
}

/* A NUL is a character of strings and nowhere else. */
static void test_nul(void **state)
{
    (void)state;
    static const char string[] = "root ::= \"a\0b\"", outside[] = "root ::= \"a\" \0 \"b\"";
    ingle_terms *t = ingle_terms_open(NULL);
    ingle_term root;
    ingle_error err = {""};
    bool matches = false;
    assert_int_equal(compile(t, string, sizeof string - 1, NULL, &root, &err), INGLE_OK);
    assert_int_equal(ingle_term_matches(t, root, "a\0b", 3, &matches), INGLE_OK);
    assert_true(matches);
    ingle_terms_close(t);
    t = ingle_terms_open(NULL);
    assert_int_equal(compile(t, outside, sizeof outside - 1, NULL, &root, &err), INGLE_EFORMAT);
    assert_non_null(strstr(err.text, "line 1, column 14: found '\\x00', expected"));
    ingle_terms_close(t);
}

/* ---- tokens ---------------------------------------------------------------------------------- */

static void test_tokens(void **state)
{
    (void)state;
    static const char *const right[] = {
        "root ::= <think> .* </think>",
        "root ::= <[1]> (!<[2]>)* <[2]>",
        "root ::= <think> !</think>* </think> \"a\"?",
    };
    for (size_t i = 0; i < N_OF(right); i++) {
        ingle_terms *t = ingle_terms_open(NULL);
        ingle_term root;
        ingle_error err = {""};
        if (compile(t, right[i], strlen(right[i]), &names, &root, &err))
            fail_msg("%s: %s", right[i], err.text);
        ingle_terms_close(t);
    }
    check_wrong("root ::= <none>", &names,
                "line 1, column 10: found '<none>', expected the text of a token", INGLE_EFORMAT);
    check_wrong("root ::= <[3]>", &names, "line 1, column 12: found token 3, expected one below 3",
                INGLE_EFORMAT);
    check_wrong("root ::= <[99999999999]>", &names, "line 1, column 12: found token 4294967295",
                INGLE_EFORMAT);
    check_wrong("root ::= <[]>", &names, "line 1, column 12: found ']', expected a number",
                INGLE_EFORMAT);
    check_wrong("root ::= <[1>", &names, "line 1, column 13: found '>', expected ']>'",
                INGLE_EFORMAT);
}

/* ---- sizes ----------------------------------------------------------------------------------- */

static char *repeated(char *to, char c, size_t n)
{
    memset(to, c, n);
    return to + n;
}

static void test_deep_groups(void **state)
{
    (void)state;
    enum { N = 60000 };
    char *text = malloc(2 * N + 100), *p = text;
    p += sprintf(p, "root ::= ");
    p = repeated(p, '(', N);
    p += sprintf(p, "\"a\"");
    p = repeated(p, ')', N);
    ingle_terms *t = ingle_terms_open(NULL);
    ingle_term root;
    bool matches = false;
    assert_int_equal(compile(t, text, (size_t)(p - text), NULL, &root, NULL), INGLE_OK);
    assert_int_equal(ingle_term_matches(t, root, "a", 1, &matches), INGLE_OK);
    assert_true(matches);
    ingle_terms_close(t);
    t = ingle_terms_open(NULL);
    ingle_error err = {""};
    assert_int_equal(compile(t, text, (size_t)(p - text) - 1, NULL, &root, &err), INGLE_EFORMAT);
    assert_non_null(strstr(err.text, "the ')' for line 1, column 10"));
    ingle_terms_close(t);
    free(text);
}

static void test_rule_chain(void **state)
{
    (void)state;
    enum { N = 5000 };
    char *text = malloc(N * 40), *p = text;
    p += sprintf(p, "root ::= r0\n");
    for (int i = 0; i < N; i++) p += sprintf(p, "r%d ::= r%d\n", i, i + 1);
    p += sprintf(p, "r%d ::= \"a\"\n", N);
    ingle_terms *t = ingle_terms_open(NULL);
    ingle_term root;
    ingle_error err = {""};
    if (compile(t, text, (size_t)(p - text), NULL, &root, &err)) fail_msg("%s", err.text);
    ingle_terms_close(t);
    free(text);
}

static void test_too_large(void **state)
{
    (void)state;
    size_t n = INGLE_GBNF_MAX_BYTES + 1;
    char *text = malloc(n);
    memset(text, ' ', n);
    ingle_terms *t = ingle_terms_open(NULL);
    ingle_term root;
    ingle_error err = {""};
    assert_int_equal(ingle_gbnf_compile(t, text, n, NULL, &root, &err), INGLE_EUNSUPPORTED);
    assert_string_equal(err.text, "a grammar of 8388609 bytes; at most 8388608");
    ingle_terms_close(t);
    t = ingle_terms_open(NULL);
    char *p = text;
    for (size_t i = 0; i <= INGLE_GBNF_MAX_RULES; i++) p += sprintf(p, "r%zu ::= \"a\"\n", i);
    assert_int_equal(ingle_gbnf_compile(t, text, (size_t)(p - text), NULL, &root, &err),
                     INGLE_EUNSUPPORTED);
    assert_string_equal(err.text, "line 100001, column 1: more than 100000 rules");
    ingle_terms_close(t);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_meaning),     cmocka_unit_test(test_messages),
        cmocka_unit_test(test_nul),         cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_deep_groups), cmocka_unit_test(test_rule_chain),
        cmocka_unit_test(test_too_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
