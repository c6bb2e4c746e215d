/* test_utf8.c - how characters are written into JSON and for people (base/utf8.h). */
#include "base/status.h"
#include "base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static const struct {
    const char *text, *json, *plain;
    size_t len;
} rows[] = {
    {"a", "a", "a", 1},
    {"\"", "\\\"", "\"", 1},
    {"\\", "\\\\", "\\", 1},
    {"\n", "\\n", "\\x0a", 1},
    {"\t", "\\t", "\\x09", 1},
    {"\x1b", "\\u001b", "\\x1b", 1},
    {"\x7f", "\\u007f", "\\x7f", 1},
    {"\xc2\x9b", "\\u009b", "\\u009b", 2},     /* C1: a control sequence in one character */
    {"\xe2\x80\xae", "\\u202e", "\\u202e", 3}, /* right-to-left override */
    {"\xe2\x81\xa7", "\\u2067", "\\u2067", 3}, /* right-to-left isolate */
    {"\xe2\x80\xa8", "\\u2028", "\\u2028", 3}, /* line separator */
    {"\xef\xbb\xbf", "\\ufeff", "\\ufeff", 3}, /* byte order mark */
    {"\xf3\xa0\x81\x81", "\\udb40\\udc41", "\\ue0041", 4}, /* a tag: beyond 16 bits */
    {"\xc3\xa4", "\xc3\xa4", "\xc3\xa4", 2},
    {"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80", 4},
    {"\xff", "\xef\xbf\xbd", "\\xff", 1},         /* never in UTF-8 */
    {"\xe2\x82", "\xef\xbf\xbd", "\\xe2", 1},     /* cut in half */
    {"\xed\xa0\x80", "\xef\xbf\xbd", "\\xed", 1}, /* a surrogate */
};

static void test_escapes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char out[INGLE_ESCAPE_MAX];
        size_t n = strlen(rows[i].text);
        assert_int_equal(ingle_utf8_to_json(rows[i].text, n, out), rows[i].len);
        assert_string_equal(out, rows[i].json);
        assert_int_equal(ingle_utf8_to_plain(rows[i].text, n, out), rows[i].len);
        assert_string_equal(out, rows[i].plain);
    }
    char out[INGLE_ESCAPE_MAX];
    assert_int_equal(ingle_utf8_to_json("", 1, out), 1); /* NUL is a character */
    assert_string_equal(out, "\\u0000");
    assert_int_equal(ingle_utf8_to_plain("", 1, out), 1);
    assert_string_equal(out, "\\x00");
}

/* Names from files get into error texts, and these to terminals. */
static void test_errors(void **state)
{
    (void)state;
    ingle_error err;
    ingle_fail(&err, INGLE_EFORMAT, "key 'a\x1b[2J\xc2\x9b\xe2\x80\xae\xff\xc3\xa4'");
    assert_string_equal(err.text, "key 'a?[2J?????"
                                  "?\xc3\xa4'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_escapes),
                                       cmocka_unit_test(test_errors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
