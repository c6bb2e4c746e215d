/* test_digest.c - digests: published values of SipHash, pieces, and which JSON values are the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <ingle.h>

#include "base/digest.h"
#include "must.h"

static const uint64_t key[2] = {0x0706050403020100u, 0x0f0e0d0c0b0a0908u};

/* As the reference implementation and OpenSSL have them. */
static void published(void **state)
{
    static const struct {
        const char *text, *hex;
    } cases[] = {
        {"", "A3817F04BA25A8E66DF67214C7550293"},
        {"a", "0EA4F2FB02AD21D92D5FC91684F26426"},
        {"12345678", "86DA31E21D1241E0E933A215F9E2FAAE"},
        {"The quick brown fox jumps", "2C99225816B042C6D5E13007C47699BF"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (size_t piece = 1; piece < 12; piece++) {
            ingle_digest d;
            uint64_t out[2];
            char hex[33];
            size_t n = strlen(cases[i].text);
            ingle_digest_begin(&d, key);
            for (size_t at = 0; at < n; at += piece)
                ingle_digest_add(&d, cases[i].text + at, n - at < piece ? n - at : piece);
            ingle_digest_end(&d, out);
            for (int k = 0; k < 16; k++)
                snprintf(hex + 2 * k, 3, "%02X", (unsigned)(out[k / 8] >> 8 * (k % 8) & 255));
            assert_string_equal(hex, cases[i].hex);
        }
    }
}

static void digest_of(const char *text, uint64_t out[2])
{
    ingle_json_doc doc;
    ingle_error err;
    must(ingle_json_open(&doc, text, strlen(text), NULL, &err), &err);
    ingle_digest_json(key, doc.root, out);
    ingle_json_close(&doc);
}

static bool same(const char *a, const char *b)
{
    uint64_t x[2], y[2];
    digest_of(a, x);
    digest_of(b, y);
    return x[0] == y[0] && x[1] == y[1];
}

static void values(void **state)
{
    static const char *const equal[][2] = {
        {"{\"a\":1,\"b\":[1,{}]}", " { \"b\" : [ 1 , { } ] , \"a\" : 1.0 } "},
        {"\"\\u00e4\\n\"", "\"\xc3\xa4\\u000a\""},
        {"1", "1.0"},
        {"100", "1e2"},
        {"0.5", "5e-1"},
        {"18446744073709551615", "18446744073709551615"},
        {"{\"a\":1,\"a\":2}", "{\"a\":2}"},
        {"{\"a\":{\"x\":1},\"b\":3,\"a\":[]}", "{\"b\":3,\"a\":[]}"},
    };
    static const char *const others[] = {"null",
                                         "true",
                                         "false",
                                         "0",
                                         "1",
                                         "-1",
                                         "\"\"",
                                         "\"1\"",
                                         "\"null\"",
                                         "[]",
                                         "{}",
                                         "[[]]",
                                         "[{}]",
                                         "{\"\":{}}",
                                         "{\"a\":null}",
                                         "{\"a\":\"b\"}",
                                         "{\"b\":\"a\"}",
                                         "[\"a\",\"b\"]",
                                         "[\"b\",\"a\"]",
                                         "[\"ab\"]",
                                         "[[\"a\"],\"b\"]",
                                         "[[\"a\",\"b\"]]",
                                         "[\"a\",[\"b\"]]",
                                         "{\"a\":1,\"b\":2}",
                                         "{\"a\":2,\"b\":1}",
                                         "{\"a\":{\"b\":1},\"c\":{}}",
                                         "{\"a\":{},\"c\":{\"b\":1}}",
                                         "0.1",
                                         "0.10000001",
                                         "9007199254740993",
                                         "9007199254740992",
                                         "123456789012345678901",
                                         "123456789012345678902",
                                         "1e999",
                                         "[0,0]",
                                         "[0]",
                                         "[0,0,0]",
                                         "{\"a\":0,\"b\":0}"};
    enum { N = sizeof others / sizeof *others };
    (void)state;
    for (size_t i = 0; i < sizeof equal / sizeof *equal; i++)
        if (!same(equal[i][0], equal[i][1])) fail_msg("%s, %s", equal[i][0], equal[i][1]);
    for (size_t i = 0; i < N; i++)
        for (size_t k = 0; k < N; k++)
            if (same(others[i], others[k]) != (i == k)) fail_msg("%s, %s", others[i], others[k]);
}

/* As deep as JSON may be, and a wide object in two orders. */
static void extremes(void **state)
{
    static char a[1 << 16], b[1 << 16];
    size_t n = 0, m = 0;
    (void)state;
    for (int i = 0; i < 127; i++) n += (size_t)sprintf(a + n, i % 2 ? "[" : "{\"a\":");
    n += (size_t)sprintf(a + n, "1");
    for (int i = 127; i--;) n += (size_t)sprintf(a + n, i % 2 ? "]" : "}");
    memcpy(b, a, n + 1);
    assert_true(same(a, b));
    *strchr(b, '1') = '2';
    assert_false(same(a, b));
    for (int i = 0; i < 1000; i++) {
        n = (i ? n : 0) + (size_t)sprintf(a + (i ? n : 0), "%s\"k%d\":%d", i ? "," : "{", i, i);
        m = (i ? m : 0) +
            (size_t)sprintf(b + (i ? m : 0), "%s\"k%d\":%d", i ? "," : "{", 999 - i, 999 - i);
    }
    strcpy(a + n, "}");
    strcpy(b + m, "}");
    assert_true(same(a, b));
    b[m - 1]++;
    assert_false(same(a, b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(published), cmocka_unit_test(values),
                                       cmocka_unit_test(extremes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
