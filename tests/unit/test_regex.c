/* test_regex.c - patterns: what they match, as an engine of ECMAScript has it, and what is said
 * about those that are wrong or that no term can say. */
#include "grammar/regex.h"
#include "grammar/regex_set.h"
#include "grammar/term.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <utf8proc.h>

#define N_OF(array) (sizeof(array) / sizeof *(array))

static ingle_status compile(ingle_terms *t, const char *pattern, size_t len,
                            const ingle_regex_options *opt, ingle_term *e, ingle_error *err)
{
    char *copy = malloc(len ? len : 1); /* no NUL follows */
    if (len) memcpy(copy, pattern, len);
    ingle_status st = ingle_regex_compile(t, copy, len, opt, e, err);
    free(copy);
    return st;
}

static bool matches(const char *pattern, const ingle_regex_options *opt, const char *text,
                    size_t len)
{
    ingle_terms *t = ingle_terms_open(NULL);
    ingle_term e;
    ingle_error err = {""};
    bool yes = false;
    if (compile(t, pattern, strlen(pattern), opt, &e, &err)) fail_msg("%s: %s", pattern, err.text);
    ingle_status st = ingle_term_matches(t, e, text, len, &yes);
    if (st) fail_msg("%s: %s", pattern, ingle_status_name(st));
    ingle_terms_close(t);
    return yes;
}

static const struct {
    const char *pattern, *text;
    size_t len;
    bool anywhere, all;
} facts[] = {
#include "regex_facts.inc"
};

static void test_facts(void **state)
{
    (void)state;
    ingle_regex_options anywhere = {.search = true};
    for (size_t i = 0; i < N_OF(facts); i++) {
        const char *p = facts[i].pattern, *text = facts[i].text;
        if (matches(p, &anywhere, text, facts[i].len) != facts[i].anywhere)
            fail_msg("%s in '%s': not %d", p, text, facts[i].anywhere);
        if (matches(p, NULL, text, facts[i].len) != facts[i].all)
            fail_msg("%s, all of '%s': not %d", p, text, facts[i].all);
    }
}

/* Without the flag u, or as browsers have it. */
static void test_lenient(void **state)
{
    (void)state;
    assert_true(matches("\\-\\_\\@\\ \\%\\'", NULL, "-_@ %'", 6));
    assert_true(matches("\\\xc3\xa4", NULL, "\xc3\xa4", 2));
    assert_true(matches("a{", NULL, "a{", 2));
    assert_true(matches("{a}{1,x}{,2}", NULL, "{a}{1,x}{,2}", 12));
    assert_true(matches("]}", NULL, "]}", 2));
    assert_true(matches("[\\w-.]+", NULL, "a-.", 3));
    assert_true(matches("[a-\\d]+", NULL, "a-5", 3));
    assert_true(matches("\\p{Digit}", NULL, "5", 1));
}

/* Every character, though not every one is looked up. */
static void test_properties(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint32_t members;
    } some[] = {{"Lo", 1u << UTF8PROC_CATEGORY_LO},
                {"Cn", 1u << UTF8PROC_CATEGORY_CN},
                {"Co", 1u << UTF8PROC_CATEGORY_CO},
                {"Cs", 1u << UTF8PROC_CATEGORY_CS},
                {"Nd", 1u << UTF8PROC_CATEGORY_ND}};
    regex_properties properties = {0};
    for (size_t i = 0; i < N_OF(some); i++) {
        bool failed;
        const regex_set *set =
            ingle_regex_property(&properties, some[i].name, strlen(some[i].name), &failed);
        assert_non_null(set);
        size_t k = 0;
        for (uint32_t c = 0; c <= 0x10ffff; c++) {
            while (k < set->n && set->p[k].high < c) k++;
            bool in = k < set->n && set->p[k].low <= c;
            bool expected = some[i].members >> (unsigned)utf8proc_category((int32_t)c) & 1;
            if (in != expected) fail_msg("%s: U+%04X", some[i].name, (unsigned)c);
        }
    }
    ingle_regex_properties_close(&properties);
}

/* ---- messages -------------------------------------------------------------------------------- */

static const struct {
    const char *pattern, *message;
    ingle_status status;
} wrong[] = {
    {"(a", "column 1: the group that begins here has no end", INGLE_EFORMAT},
    {"a(b|(c)", "column 2: the group that begins here has no end", INGLE_EFORMAT},
    {"\xc3\xa4)", "column 2: found ')', which closes no group", INGLE_EFORMAT},
    {"(?a)", "column 3: found 'a', expected ':', '=', '!' or '<'", INGLE_EFORMAT},
    {"(?i:a)", "column 3: found 'i', expected ':'", INGLE_EFORMAT},
    {"(?<a", "column 5: found the end, expected a group's name and '>'", INGLE_EFORMAT},
    {"(?<>a)", "column 4: found '>', expected a group's name and '>'", INGLE_EFORMAT},
    {"*a", "column 1: found '*', expected a character, a class or a group before it",
     INGLE_EFORMAT},
    {"a**", "column 3: found '*', expected a character", INGLE_EFORMAT},
    {"^*", "column 2: found '*', expected a character", INGLE_EFORMAT},
    {"(?=a)*", "column 6: found '*', expected a character", INGLE_EFORMAT},
    {"a|{2}", "column 3: found '{', expected a character", INGLE_EFORMAT},
    {"a{3,1}", "column 2: at least 3 times and at most 1", INGLE_EFORMAT},
    {"a{4294967295}", "column 2: a count beyond 4294967294", INGLE_EUNSUPPORTED},
    {"a{1,99999999999}", "column 2: a count beyond 4294967294", INGLE_EUNSUPPORTED},
    {"[a", "column 1: the class that begins here has no end", INGLE_EFORMAT},
    {"x[z-a]", "column 3: the range begins with U+007A and ends before it, with U+0061",
     INGLE_EFORMAT},
    {"a\\", "column 3: found the end, expected a character after '\\'", INGLE_EFORMAT},
    {"\\q", "column 1: found the escape '\\q', expected one of", INGLE_EFORMAT},
    {"\\Z", "column 1: found the escape '\\Z', expected one of", INGLE_EFORMAT},
    {"[\\B]", "column 2: found the escape '\\B', expected one of", INGLE_EFORMAT},
    {"(\\bfoo)", "column 2: '\\b' or '\\B' that may look farther back", INGLE_EUNSUPPORTED},
    {"\\b*", "column 3: found '*', expected a character", INGLE_EFORMAT},
    {"(a)\\1", "column 4: the backreference '\\1'", INGLE_EUNSUPPORTED},
    {"(?<a>a)\\k<a>", "column 8: the backreference '\\k'", INGLE_EUNSUPPORTED},
    {"\\01", "column 1: a digit follows '\\0'", INGLE_EFORMAT},
    {"\\c1", "column 3: found '1', expected a letter after '\\c'", INGLE_EFORMAT},
    {"\\x4", "column 4: found the end, expected 2 hexadecimal digits", INGLE_EFORMAT},
    {"\\u123g", "column 6: found 'g', expected 4 hexadecimal digits", INGLE_EFORMAT},
    {"\\u{}", "column 4: found '}', expected 1 hexadecimal digits", INGLE_EFORMAT},
    {"\\u{41", "column 6: found the end, expected '}'", INGLE_EFORMAT},
    {"\\u{110000}", "column 1: U+110000 is beyond U+10FFFF", INGLE_EFORMAT},
    {"\\u{99999999999}", "column 1: U+999999 is beyond U+10FFFF", INGLE_EFORMAT},
    {"\\uD83D", "column 1: U+D83D is half of a surrogate pair", INGLE_EFORMAT},
    {"\\uD83D\\u0041", "column 1: U+D83D is half of a surrogate pair", INGLE_EFORMAT},
    {"\\pL", "column 3: found 'L', expected '{' and the name of a property", INGLE_EFORMAT},
    {"\\p{L", "column 5: found the end, expected '}'", INGLE_EFORMAT},
    {"a\\p{Script=Greek}", "column 2: the property 'Script=Greek'; general categories",
     INGLE_EUNSUPPORTED},
    {"[\\p{Emoji}]", "column 2: the property 'Emoji'; general categories", INGLE_EUNSUPPORTED},
    {"\\p{}", "column 1: the property ''", INGLE_EUNSUPPORTED},
    {"x((?<=a)b)", "column 3: a look-behind that may look farther back", INGLE_EUNSUPPORTED},
    {"(a(?<!ab))", "column 3: a look-behind that may look farther back", INGLE_EUNSUPPORTED},
    {"(?=a|bc)a(?<=.*)", "column 10: a look-behind that may look farther back", INGLE_EUNSUPPORTED},
    {"^(a(?!b))*c", "column 10: a group that repeats with a look-ahead in it", INGLE_EUNSUPPORTED},
    {"(?=(?=(?=(?=(?=(?=(?=(?=(?=a)))))))))",
     "column 25: more than 8 look-aheads and look-behinds in one another", INGLE_EUNSUPPORTED},
    {"a\xff", "column 2: the byte 0xff is not UTF-8", INGLE_EFORMAT},
};

static void test_messages(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_OF(wrong); i++) {
        const char *p = wrong[i].pattern, *message = wrong[i].message;
        ingle_terms *t = ingle_terms_open(NULL);
        ingle_term e;
        ingle_error err = {""};
        ingle_status st = compile(t, p, strlen(p), NULL, &e, &err);
        if (st != wrong[i].status) fail_msg("%s: status %d: %s", p, (int)st, err.text);
        if (strncmp(err.text, message, strlen(message)) != 0)
            fail_msg("%s:\n  %s\nis not\n  %s", p, err.text, message);
        assert_int_equal(e, INGLE_TERM_NONE);
        assert_int_equal(ingle_terms_status(t), INGLE_OK); /* the table can still be used */
        ingle_terms_close(t);
    }
}

/* ---- how characters are spelled -------------------------------------------------------------- */

/* 'a' as 'A' too, as strings in JSON have more than one spelling of a character. */
static ingle_term two_spellings(ingle_terms *t, const ingle_range *ranges, size_t n, bool outside)
{
    bool a = outside;
    for (size_t i = 0; i < n; i++)
        if (ranges[i].low <= 'a' && 'a' <= ranges[i].high) a = !outside;
    ingle_range upper = {'A', 'A'};
    ingle_term no_upper = ingle_term_minus(t, ingle_term_chars(t, ranges, n, outside),
                                           ingle_term_chars(t, &upper, 1, false));
    return a ? ingle_term_alt(t, no_upper, ingle_term_chars(t, &upper, 1, false)) : no_upper;
}

static void test_spellings(void **state)
{
    (void)state;
    ingle_regex_options opt = {.search = true, .chars = two_spellings};
    assert_true(matches("^a[^b]$", &opt, "aA", 2));
    assert_true(matches("^a[^b]$", &opt, "Ac", 2));
    assert_false(matches("^b[^a]$", &opt, "bA", 2));
    assert_false(matches("^(?!a).", &opt, "A", 1));
    assert_true(matches("b(?=a)", &opt, "xbAx", 4));
    assert_false(matches("b(?!a)", &opt, "xbAx", 4));
    assert_true(matches("^$|A", &opt, "", 0));
    assert_false(matches("A", &opt, "A", 1)); /* there is no spelling of it */
}

/* ---- sizes ----------------------------------------------------------------------------------- */

static char *repeated(char *to, const char *what, size_t n)
{
    for (size_t i = 0; i < n; i++, to += strlen(what)) memcpy(to, what, strlen(what));
    return to;
}

static void test_large(void **state)
{
    (void)state;
    enum { N = 50000 };
    char *text = malloc(INGLE_REGEX_MAX_BYTES + 1);
    ingle_terms *t = ingle_terms_open(NULL);
    ingle_term e;
    ingle_error err = {""};
    bool yes = false;
    char *p = repeated(text, "(", N);
    p = repeated(p, "a", 1);
    p = repeated(p, ")", N);
    assert_int_equal(ingle_regex_compile(t, text, (size_t)(p - text), NULL, &e, &err), INGLE_OK);
    assert_int_equal(ingle_term_matches(t, e, "a", 1, &yes), INGLE_OK);
    assert_true(yes);
    p = repeated(text, "(a|", N); /* deep for good */
    p = repeated(p, ")?", N);
    ingle_status st = ingle_regex_compile(t, text, (size_t)(p - text), NULL, &e, &err);
    if (st) assert_int_equal(st, INGLE_EUNSUPPORTED);
    ingle_terms_close(t);

    t = ingle_terms_open(NULL); /* many alternatives, with and without a look-ahead */
    p = repeated(text, "ab|cd|ef|", 20000);
    assert_int_equal(ingle_regex_compile(t, text, (size_t)(p - text), NULL, &e, &err), INGLE_OK);
    p = repeated(p, "x(?!.*y)", 1);
    assert_int_equal(ingle_regex_compile(t, text, (size_t)(p - text), NULL, &e, &err), INGLE_OK);
    assert_int_equal(ingle_term_matches(t, e, "cd", 2, &yes), INGLE_OK);
    assert_true(yes);
    ingle_terms_close(t);

    t = ingle_terms_open(NULL);
    p = repeated(text, "[\\p{L}\\p{N}]", 20000);
    assert_int_equal(ingle_regex_compile(t, text, (size_t)(p - text), NULL, &e, &err),
                     INGLE_EUNSUPPORTED);
    assert_non_null(strstr(err.text, "the classes up to here have more than 2097152 ranges"));
    repeated(text, "a", INGLE_REGEX_MAX_BYTES + 1);
    assert_int_equal(ingle_regex_compile(t, text, INGLE_REGEX_MAX_BYTES + 1, NULL, &e, &err),
                     INGLE_EUNSUPPORTED);
    assert_string_equal(err.text, "a pattern of 262145 bytes; at most 262144");
    ingle_terms_close(t);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_facts),    cmocka_unit_test(test_lenient),
        cmocka_unit_test(test_messages), cmocka_unit_test(test_spellings),
        cmocka_unit_test(test_large),    cmocka_unit_test(test_properties),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
