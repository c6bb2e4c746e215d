/* test_json.c - what is JSON and what is not, what it means, and writing it (base/json.h). */
#include "base/json.h"
#include "base/number.h"

#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "must.h"
#include "wrap_alloc.h"

#define N_OF(array)     (sizeof(array) / sizeof *(array))
#define TEXT(s)         s, sizeof(s) - 1
#define RAW(w, s)       ingle_json_put_raw(w, s, strlen(s))
#define OPEN(doc, s, l) ingle_json_open(doc, s, strlen(s), l, &err)

static ingle_error err;

/* What is read lies in memory of just its size, so the address sanitizer sees reads past it. */
static ingle_status open_copy(ingle_json_doc *doc, const char *text, size_t n,
                              const ingle_json_limits *limits)
{
    char *copy = malloc(n ? n : 1);
    assert_non_null(copy);
    memcpy(copy, text, n);
    err.text[0] = 0;
    ingle_status st = ingle_json_open(doc, copy, n, limits, &err);
    free(copy);
    return st;
}

static ingle_json_doc must_open(const char *text)
{
    ingle_json_doc doc;
    must(open_copy(&doc, text, strlen(text), NULL), &err);
    return doc;
}

/* ---- what is JSON ---------------------------------------------------------------------------- */

/* Texts, and how the writer writes what they mean; NULL: as they are. */
static const struct {
    const char *text, *again;
} accepted[] = {
    {"null", NULL},
    {"true", NULL},
    {"false", NULL},
    {" \t\r\n7 \t\r\n", "7"},
    {"\"\"", NULL},
    {"[]", NULL},
    {"{}", NULL},
    {" [ ] ", "[]"},
    {" { } ", "{}"},
    {"[[],{},[[]]]", NULL},
    {"[ 1 , 2\t,\n3 ]", "[1,2,3]"},
    {"{ \"a\" : 1 , \"b\" : [ { \"c\" : null } ] }", "{\"a\":1,\"b\":[{\"c\":null}]}"},
    {"{\"\":0}", NULL},
    {"{\"a\":1,\"a\":2}", NULL},
    {"{\"a\":{\"a\":{\"a\":[]}}}", NULL},
    /* numbers stay as they were written */
    {"0", NULL},
    {"-0", NULL},
    {"-0.0", NULL},
    {"0e0", NULL},
    {"1E+2", NULL},
    {"1.50e-07", NULL},
    {"123456789012345678901234567890.5", NULL},
    {"1e400", NULL},
    {"[-1,0.1,10]", NULL},
    /* strings */
    {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\\"\\\\/\\b\\f\\n\\r\\t\""},
    {"\"\\u0041\\u00e4\\u20AC\"", "\"A\xc3\xa4\xe2\x82\xac\""},
    {"\"\\ud83d\\uDE00\"", "\"\xf0\x9f\x98\x80\""},
    {"\"\\udbff\\udfff\"", "\"\xf4\x8f\xbf\xbf\""},
    {"\"\\uffff\\ufeff\"", "\"\xef\xbf\xbf\xef\xbb\xbf\""},
    {"\"\\u0000\\u001f\"", "\"\\u0000\\u001f\""},
    {"\"\x7f\"", NULL},
    {"\"\xc2\x80 \xdf\xbf \xe0\xa0\x80 \xed\x9f\xbf \xee\x80\x80 \xf0\x90\x80\x80\"", NULL},
    {"\"\xe2\x80\xa8\xe2\x80\xa9\"", NULL}, /* separators of lines are no controls */
    {"\"12345678\\n12345678\\n1234567\\n123456\\n\"", NULL},
    {"\"\\\\u0041\"", NULL},
    {"\"[1,{]\"", NULL},
};

static void test_accepted(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_OF(accepted); i++) {
        const char *want = accepted[i].again ? accepted[i].again : accepted[i].text;
        ingle_json_writer w = {0};
        ingle_json_doc doc = must_open(accepted[i].text);
        ingle_json_put(&w, doc.root);
        must(ingle_json_finish(&w), &err);
        assert_string_equal(w.text, want);
        assert_int_equal(w.n, strlen(want));
        assert_int_equal(doc.root->skip, doc.n_nodes);
        ingle_json_writer_free(&w);
        ingle_json_close(&doc);
        assert_null(doc.root);
    }
}

static const struct {
    const char *text;
    size_t len;
    const char *says;
} refused[] = {
    {TEXT(""), "byte 0: a value should be here, not the end"},
    {TEXT("  "), "byte 2: a value should be here, not the end"},
    {TEXT("\xef\xbb\xbf[]"), "byte 0: a byte order mark"},
    {TEXT("\xff\xfe["), "byte 0: a value should be here, not the byte 0xff"},
    {TEXT("\0"), "byte 0: a value should be here, not the byte 0x00"},
    {TEXT("[]\0"), "byte 2: the end should be here, not the byte 0x00"},
    {TEXT("\v1"), "byte 0: a value should be here, not the byte 0x0b"},
    {TEXT("1\f"), "byte 1: the end should be here, not the byte 0x0c"},
    {TEXT("\xc2\xa0"), "byte 0: a value should be here"},
    {TEXT("1 2"), "byte 2: the end should be here, not '2'"},
    {TEXT("[]]"), "byte 2: the end should be here, not ']'"},
    {TEXT("nul"), "byte 0: a value should be here, not 'n'"},
    {TEXT("nUll"), "byte 0: a value"},
    {TEXT("True"), "byte 0: a value should be here, not 'T'"},
    {TEXT("truex"), "byte 4: the end should be here, not 'x'"},
    {TEXT("NaN"), "byte 0: a value should be here, not 'N'"},
    {TEXT("[Infinity]"), "byte 1: a value should be here, not 'I'"},
    {TEXT("-Infinity"), "byte 1: a digit should be here, not 'I'"},
    {TEXT("undefined"), "byte 0: a value should be here, not 'u'"},
    {TEXT("// a\n1"), "byte 0: a value should be here, not '/'"},
    {TEXT("'a'"), "byte 0: a value should be here, not '''"},
    /* numbers */
    {TEXT("-"), "byte 1: a digit should be here, not the end"},
    {TEXT("+1"), "byte 0: a value should be here, not '+'"},
    {TEXT("--1"), "byte 1: a digit should be here, not '-'"},
    {TEXT("01"), "byte 0: a number should not begin with 0"},
    {TEXT("-012"), "byte 1: a number should not begin with 0"},
    {TEXT(".5"), "byte 0: a value should be here, not '.'"},
    {TEXT("5."), "byte 2: a digit should be here, not the end"},
    {TEXT("1.e5"), "byte 2: a digit should be here, not 'e'"},
    {TEXT("1e"), "byte 2: a digit should be here, not the end"},
    {TEXT("1e+"), "byte 3: a digit should be here, not the end"},
    {TEXT("1e5.2"), "byte 3: the end should be here, not '.'"},
    {TEXT("0x10"), "byte 1: the end should be here, not 'x'"},
    {TEXT("1_000"), "byte 1: the end should be here, not '_'"},
    {TEXT("1,5"), "byte 1: the end should be here, not ','"},
    {TEXT("\xef\xbc\x91"), "byte 0: a value"}, /* a digit of full width */
    /* arrays and objects */
    {TEXT("["), "byte 1: a value should be here, not the end"},
    {TEXT("[1"), "byte 2: ',' or ']' should be here, not the end"},
    {TEXT("[1,"), "byte 3: a value should be here, not the end"},
    {TEXT("[1,]"), "byte 3: a value should be here, not ']'"},
    {TEXT("[,1]"), "byte 1: a value should be here, not ','"},
    {TEXT("[1,,2]"), "byte 3: a value should be here, not ','"},
    {TEXT("[1 2]"), "byte 3: ',' or ']' should be here, not '2'"},
    {TEXT("[1}"), "byte 2: ',' or ']' should be here, not '}'"},
    {TEXT("[\"a\":1]"), "byte 4: ',' or ']' should be here, not ':'"},
    {TEXT("{"), "byte 1: the name of a member, in quotes, should be here, not the end"},
    {TEXT("{]"), "byte 1: the name of a member, in quotes, should be here, not ']'"},
    {TEXT("{a:1}"), "byte 1: the name of a member, in quotes, should be here, not 'a'"},
    {TEXT("{1:1}"), "byte 1: the name of a member"},
    {TEXT("{\"a\"}"), "byte 4: ':' should be here, not '}'"},
    {TEXT("{\"a\",1}"), "byte 4: ':' should be here, not ','"},
    {TEXT("{\"a\":}"), "byte 5: a value should be here, not '}'"},
    {TEXT("{\"a\":1"), "byte 6: ',' or '}' should be here, not the end"},
    {TEXT("{\"a\":1,}"), "byte 7: the name of a member, in quotes, should be here, not '}'"},
    {TEXT("{\"a\":1]"), "byte 6: ',' or '}' should be here, not ']'"},
    {TEXT("{\"a\":1 \"b\":2}"), "byte 7: ',' or '}' should be here, not '\"'"},
    {TEXT("]"), "byte 0: a value should be here, not ']'"},
    /* strings */
    {TEXT("\""), "byte 1: '\"', which ends a string, should be here, not the end"},
    {TEXT("\"abc"), "byte 4: '\"', which ends a string, should be here, not the end"},
    {TEXT("\"a\\"), "byte 3: one of \"\\/bfnrtu should be here, not the end"},
    {TEXT("\"a\\\""), "byte 4: '\"', which ends a string"},
    {TEXT("\"\\x41\""), "byte 2: one of \"\\/bfnrtu should be here, not 'x'"},
    {TEXT("\"\\'\""), "byte 2: one of"},
    {TEXT("\"\\U0041\""), "byte 2: one of"},
    {TEXT("\"\\\0\""), "byte 2: one of \"\\/bfnrtu should be here, not the byte 0x00"},
    {TEXT("\"\\u\""), "byte 1: four hexadecimal digits should follow"},
    {TEXT("\"\\u12"), "byte 1: four hexadecimal digits should follow"},
    {TEXT("\"\\u12g4\""), "byte 1: four hexadecimal digits should follow"},
    {TEXT("\"\\u12@4\""), "byte 1: four hexadecimal digits should follow"},
    {TEXT("\"\\ud83d\""), "byte 1: the first half of a character comes without the second"},
    {TEXT("\"\\ud83d\\n\""), "byte 1: the first half"},
    {TEXT("\"\\ud83d\\ud83d\""), "byte 1: the first half"},
    {TEXT("\"\\ud83d\\u00e4\""), "byte 1: the first half"},
    {TEXT("\"\\ud83d\\ude0"), "byte 1: the first half"},
    {TEXT("\"\\ud83d\\"), "byte 1: the first half"},
    {TEXT("\"1234567\\ude00\""), "byte 8: the second half of a character comes without the first"},
    {TEXT("\"a\nb\""), "byte 2: the control character 0x0a should be an escape"},
    {TEXT("\"12345678\tb\""), "byte 9: the control character 0x09"},
    {TEXT("\"\0\""), "byte 1: the control character 0x00"},
    {TEXT("\"\x1f\""), "byte 1: the control character 0x1f"},
    {TEXT("\"\x80\""), "byte 1: 0x80 is not UTF-8 here"},
    {TEXT("\"a\xff\""), "byte 2: 0xff is not UTF-8 here"},
    {TEXT("\"\xc3\""), "byte 1: 0xc3 is not UTF-8 here"},
    {TEXT("\"\xe2\x82"), "byte 1: 0xe2"},
    {TEXT("\"\xc0\xaf\""), "byte 1: 0xc0"},                 /* too long */
    {TEXT("\"\xe0\x80\xaf\""), "byte 1: 0xe0"},             /* too long */
    {TEXT("\"\xed\xa0\xbd\xed\xb8\x80\""), "byte 1: 0xed"}, /* halves of a character */
    {TEXT("\"\xf4\x90\x80\x80\""), "byte 1: 0xf4"},         /* beyond the last one */
    {TEXT("{\"\xff\":1}"), "byte 2: 0xff"},
};

static void test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_OF(refused); i++) {
        ingle_json_doc doc;
        ingle_status st = open_copy(&doc, refused[i].text, refused[i].len, NULL);
        if (st != INGLE_EFORMAT) fail_msg("row %zu, '%s', is not refused", i, refused[i].text);
        assert_text(&err, refused[i].says);
        assert_null(doc.root);
        ingle_json_close(&doc);
    }
    ingle_json_doc doc;
    assert_int_equal(ingle_json_open(&doc, NULL, 0, NULL, NULL), INGLE_EFORMAT);
    ingle_json_close(NULL);
}

/* Every beginning of a text is refused, at its end. */
static void test_cut(void **state)
{
    (void)state;
    const char text[] =
        "{\"a\\u00e4\\ud83d\\ude00\":[1,-2.5e+3,true,null,{\"\xe2\x82\xac\":\"\"}]}";
    ingle_json_doc doc;
    for (size_t n = 0; n < sizeof text - 1; n++)
        assert_int_equal(open_copy(&doc, text, n, NULL), INGLE_EFORMAT);
    must(open_copy(&doc, text, sizeof text - 1, NULL), &err);
    ingle_json_close(&doc);
}

/* ---- limits ---------------------------------------------------------------------------------- */

/* n brackets, or n times {"": , and as many that close them. */
static char *nest(size_t n, const char *begin, const char *inside, char close)
{
    size_t len = strlen(begin);
    char *text = malloc(n * (len + 1) + strlen(inside) + 1), *p = text;
    assert_non_null(text);
    for (size_t i = 0; i < n; i++, p += len) memcpy(p, begin, len);
    strcpy(p, inside);
    p += strlen(inside);
    memset(p, close, n);
    p[n] = 0;
    return text;
}

static void check_depth(size_t n, const ingle_json_limits *limits, bool ok)
{
    char *texts[] = {nest(n, "[", "", ']'), nest(n, "{\"a\":", "0", '}')};
    for (size_t i = 0; i < N_OF(texts); i++) {
        ingle_json_doc doc;
        ingle_status st = OPEN(&doc, texts[i], limits);
        assert_int_equal(st, ok ? INGLE_OK : INGLE_EUNSUPPORTED);
        if (!ok) assert_text(&err, "arrays and objects in one another");
        ingle_json_close(&doc);
        free(texts[i]);
    }
}

static void test_depth(void **state)
{
    (void)state;
    ingle_json_doc doc;
    check_depth(128, NULL, true);
    check_depth(129, NULL, false);
    check_depth(1000000, NULL, false);
    check_depth(1, &(ingle_json_limits){.max_depth = 1}, true);
    check_depth(2, &(ingle_json_limits){.max_depth = 1}, false);
    check_depth(512, &(ingle_json_limits){.max_depth = SIZE_MAX}, true);
    check_depth(513, &(ingle_json_limits){.max_depth = SIZE_MAX}, false);
    assert_int_equal(OPEN(&doc, "[[1],[[2]]]", &(ingle_json_limits){.max_depth = 2}),
                     INGLE_EUNSUPPORTED);
    assert_text(&err, "byte 6: more than 2 arrays");
}

static void test_counts(void **state)
{
    (void)state;
    ingle_json_doc doc;
    ingle_json_limits five = {.max_values = 5};
    must(OPEN(&doc, "[1,2,3,4]", &five), &err);
    assert_int_equal(doc.n_nodes, 5);
    ingle_json_close(&doc);
    must(OPEN(&doc, "{\"a\":1,\"b\":[2],\"c\":3}", &five), &err);
    assert_int_equal(doc.n_nodes, 8);
    ingle_json_close(&doc);
    assert_int_equal(OPEN(&doc, "[1,2,3,4,5]", &five), INGLE_EUNSUPPORTED);
    assert_text(&err, "byte 9: more than 5 values");

    ingle_json_limits bytes = {.max_bytes = 4};
    must(OPEN(&doc, "[10]", &bytes), &err);
    ingle_json_close(&doc);
    assert_int_equal(OPEN(&doc, "[100]", &bytes), INGLE_EUNSUPPORTED);
    assert_text(&err, "JSON text of 5 bytes; at most 4");

    size_t n = 2000001;
    char *many = malloc(n);
    assert_non_null(many);
    memset(many, ',', n);
    for (size_t i = 1; i < n; i += 2) many[i] = '1';
    many[0] = '[';
    many[n - 1] = ']'; /* 1,000,000 elements: one value too many */
    assert_int_equal(ingle_json_open(&doc, many, n, NULL, &err), INGLE_EUNSUPPORTED);
    assert_text(&err, "more than 1000000 values");
    many[n - 3] = ']';
    must(ingle_json_open(&doc, many, n - 2, NULL, &err), &err);
    assert_int_equal(doc.root->len, 999999);
    assert_ptr_equal(ingle_json_at(doc.root, 999998), doc.root + 999999);
    ingle_json_close(&doc);
    free(many);
}

/* ---- values ---------------------------------------------------------------------------------- */

static const struct {
    const char *text;
    bool has_i64, has_u64;
    int64_t i64;
    uint64_t u64;
    double f64; /* infinite: none */
} numbers[] = {
    {"0", true, true, 0, 0, 0.0},
    {"-0", true, true, 0, 0, -0.0},
    {"-0.000e5", true, true, 0, 0, -0.0},
    {"0e999999999999999999999", true, true, 0, 0, 0.0},
    {"1", true, true, 1, 1, 1},
    {"-1", true, false, -1, 0, -1},
    {"1.0", true, true, 1, 1, 1},
    {"1.5e1", true, true, 15, 15, 15},
    {"1e2", true, true, 100, 100, 100},
    {"1200e-2", true, true, 12, 12, 12},
    {"0.00001e5", true, true, 1, 1, 1},
    {"1.5", false, false, 0, 0, 1.5},
    {"1e-1", false, false, 0, 0, 0.1},
    {"9007199254740993", true, true, 9007199254740993, 9007199254740993, 9007199254740992.0},
    {"9223372036854775807", true, true, INT64_MAX, INT64_MAX, 0x1p63},
    {"9223372036854775808", false, true, 0, (uint64_t)INT64_MAX + 1, 0x1p63},
    {"-9223372036854775808", true, false, INT64_MIN, 0, -0x1p63},
    {"-9223372036854775809", false, false, 0, 0, -0x1p63},
    {"18446744073709551615", false, true, 0, UINT64_MAX, 0x1p64},
    {"18446744073709551616", false, false, 0, 0, 0x1p64},
    {"18446744073709551615.5", false, false, 0, 0, 0x1p64},
    {"1e19", false, true, 0, 10000000000000000000u, 1e19},
    {"1e20", false, false, 0, 0, 1e20},
    {"100000000000000000000000000000000000000", false, false, 0, 0, 1e38},
    {"0.1", false, false, 0, 0, 0.1},
    {"3.141592653589793238462643383279", false, false, 0, 0, 0x1.921fb54442d18p+1},
    {"1e22", false, false, 0, 0, 1e22},
    {"1e23", false, false, 0, 0, 1e23},
    {"8.5e-23", false, false, 0, 0, 8.5e-23},
    {"123456789012345e22", false, false, 0, 0, 123456789012345e22},
    {"1.7976931348623157e308", false, false, 0, 0, 0x1.fffffffffffffp+1023},
    {"1.7976931348623159e308", false, false, 0, 0, INFINITY},
    {"-1e309", false, false, 0, 0, INFINITY},
    {"1e999999999999999999999", false, false, 0, 0, INFINITY},
    {"5e-324", false, false, 0, 0, 0x1p-1074},
    {"2e-324", false, false, 0, 0, 0.0},
    {"2.2250738585072011e-308", false, false, 0, 0, 0x0.fffffffffffffp-1022},
    {"1e-999999999999999999999", false, false, 0, 0, 0.0},
    /* half way between 1 and the next double, to the even one, and a little above */
    {"1.00000000000000011102230246251565404236316680908203125", false, false, 0, 0, 1.0},
    {"1.00000000000000011102230246251565404236316680908203126", false, false, 0, 0,
     0x1.0000000000001p+0},
};

static void test_numbers(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_OF(numbers); i++) {
        ingle_json_doc doc = must_open(numbers[i].text);
        int64_t i64 = 77;
        uint64_t u64 = 77;
        double f64 = 77;
        assert_int_equal(ingle_json_i64(doc.root, &i64), numbers[i].has_i64);
        assert_int_equal(ingle_json_u64(doc.root, &u64), numbers[i].has_u64);
        assert_int_equal(ingle_json_f64(doc.root, &f64), !isinf(numbers[i].f64));
        assert_true(i64 == (numbers[i].has_i64 ? numbers[i].i64 : 77));
        assert_true(u64 == (numbers[i].has_u64 ? numbers[i].u64 : 77));
        double want = isinf(numbers[i].f64) ? 77 : numbers[i].f64;
        if (memcmp(&f64, &want, sizeof f64) != 0)
            fail_msg("%s is %a, not %a", numbers[i].text, f64, want);
        assert_int_equal(doc.root->len, strlen(numbers[i].text));
        ingle_json_close(&doc);
    }
}

/* Digits without end: a point half way between two doubles, and one digit far after it. */
static void test_long_numbers(void **state)
{
    (void)state;
    const char half[] = "9007199254740993."; /* between ...992 and ...994 */
    char text[3000];
    double x;
    memset(text, '0', sizeof text);
    memcpy(text, half, sizeof half - 1);
    assert_true(ingle_number_read(text, sizeof text) == 9007199254740992.0);
    text[sizeof text - 1] = '1';
    assert_true(ingle_number_read(text, sizeof text) == 9007199254740994.0);
    memset(text, '1', sizeof text); /* the exponent makes good for the length */
    size_t n = sizeof text - (size_t)snprintf(NULL, 0, "e-2999");
    memcpy(text + n, "e-2993", 6);
    x = ingle_number_read(text, sizeof text);
    assert_true(x == 1.1111111111111111111);
    bool negative;
    uint64_t whole;
    assert_false(ingle_number_whole(text, sizeof text, &negative, &whole));
    memset(text, '0', sizeof text);
    text[0] = '5';
    memcpy(text + n, "e-2993", 6);
    assert_true(ingle_number_whole(text, sizeof text, &negative, &whole) && whole == 5);
}

/* Doubles of all sizes are read as the C library reads them, and survive being written. */
static void test_random_numbers(void **state)
{
    (void)state;
    uint64_t bits = 88172645463325252u;
    for (int i = 0; i < 200000; i++) {
        char text[64];
        double x, y;
        bits ^= bits << 13, bits ^= bits >> 7, bits ^= bits << 17;
        memcpy(&x, &bits, sizeof x);
        if (!isfinite(x)) continue;
        int n = snprintf(text, sizeof text, i % 2 ? "%.17g" : "%.12g", x);
        y = strtod(text, NULL);
        double got = ingle_number_read(text, (size_t)n);
        assert_true(!memcmp(&got, &y, sizeof y) || (isinf(got) && isinf(y)));
        ingle_number_text(x, false, text);
        got = ingle_number_read(text, strlen(text));
        assert_memory_equal(&got, &x, sizeof x);
    }
}

/* Where the decimal point is a comma, JSON has a point all the same. */
static void test_locale(void **state)
{
    (void)state;
    const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "de_DE"};
    size_t i = 0;
    while (i < N_OF(names) && !setlocale(LC_NUMERIC, names[i])) i++;
    ingle_json_doc doc = must_open("[1.5,1.00000000000000011102230246251565404236316680908203126]");
    ingle_json_writer w = {0};
    double x = 0;
    assert_true(ingle_json_f64(ingle_json_at(doc.root, 0), &x) && x == 1.5);
    assert_true(ingle_json_f64(ingle_json_at(doc.root, 1), &x) && x == 0x1.0000000000001p+0);
    ingle_json_put_f64(&w, 1.5);
    must(ingle_json_finish(&w), &err);
    assert_string_equal(w.text, "1.5");
    ingle_json_writer_free(&w);
    ingle_json_close(&doc);
    setlocale(LC_NUMERIC, "C");
}

static void test_strings(void **state)
{
    (void)state;
    ingle_json_doc doc = must_open("[\"a\\u0000b\", \"\\u0000\", \"\", \"x\\ty\\ud83d\\ude00\"]");
    const ingle_json *v = ingle_json_at(doc.root, 0);
    assert_int_equal(v->len, 3);
    assert_memory_equal(v->text, "a\0b", 4);
    assert_true(ingle_json_is_bytes(v, "a\0b", 3));
    assert_false(ingle_json_is_text(v, "a"));
    v = ingle_json_at(doc.root, 1);
    assert_int_equal(v->len, 1);
    assert_false(ingle_json_is_text(v, ""));
    assert_true(ingle_json_is_text(ingle_json_at(doc.root, 2), ""));
    assert_string_equal(ingle_json_at(doc.root, 3)->text, "x\ty\xf0\x9f\x98\x80");
    assert_null(ingle_json_at(doc.root, 4));
    ingle_json_close(&doc);
}

static void test_questions(void **state)
{
    (void)state;
    int64_t i;
    uint64_t u;
    double f;
    bool b = false;
    ingle_json_doc doc = must_open("{\"s\":\"1\",\"t\":true,\"n\":null,\"a\":[[1,2],{\"x\":3},4]}");
    const ingle_json *root = doc.root, *a = ingle_json_get(root, "a");
    assert_false(ingle_json_i64(ingle_json_get(root, "s"), &i)); /* a string is no number */
    assert_false(ingle_json_f64(ingle_json_get(root, "t"), &f));
    assert_false(ingle_json_bool(ingle_json_get(root, "n"), &b));
    assert_true(ingle_json_bool(ingle_json_get(root, "t"), &b) && b);
    assert_true(ingle_json_is(ingle_json_get(root, "n"), INGLE_JSON_NULL));
    assert_true(ingle_json_i64(ingle_json_get(ingle_json_at(a, 1), "x"), &i) && i == 3);
    assert_true(ingle_json_u64(ingle_json_at(a, 2), &u) && u == 4);
    assert_true(ingle_json_u64(ingle_json_at(ingle_json_at(a, 0), 1), &u) && u == 2);
    /* nothing comes of nothing */
    assert_null(ingle_json_get(root, "A"));
    assert_null(ingle_json_get(a, "x"));
    assert_null(ingle_json_at(root, 0));
    assert_null(ingle_json_at(NULL, 0));
    assert_null(ingle_json_get(ingle_json_get(ingle_json_get(root, "?"), "x"), "y"));
    assert_false(ingle_json_is(NULL, INGLE_JSON_NULL));
    assert_false(ingle_json_is_text(NULL, ""));
    assert_false(ingle_json_i64(NULL, &i) || ingle_json_u64(NULL, &u) || ingle_json_f64(NULL, &f) ||
                 ingle_json_bool(NULL, &b));
    /* where values began */
    assert_int_equal(ingle_json_offset(&doc, root), 0);
    assert_int_equal(ingle_json_offset(&doc, ingle_json_get(root, "s")), 5);
    assert_int_equal(ingle_json_offset(&doc, ingle_json_get(root, "t")), 13);
    assert_int_equal(ingle_json_offset(&doc, ingle_json_at(a, 1)), 38);
    ingle_json_close(&doc);
}

static void test_walk(void **state)
{
    (void)state;
    ingle_json_doc doc = must_open("{\"b\":[1,[2,3],{}],\"a\":{\"c\":4},\"\":5}");
    const char *const names[] = {"b", "a", ""};
    size_t n = 0;
    for (ingle_json_walk w = ingle_json_items(doc.root); ingle_json_step(&w); n++) {
        assert_true(ingle_json_is_text(w.name, names[n]));
        assert_ptr_equal(w.value, ingle_json_get(doc.root, names[n]));
    }
    assert_int_equal(n, 3);
    const ingle_json *b = ingle_json_get(doc.root, "b");
    n = 0;
    for (ingle_json_walk w = ingle_json_items(b); ingle_json_step(&w); n++) {
        assert_null(w.name);
        assert_ptr_equal(w.value, ingle_json_at(b, n));
    }
    assert_int_equal(n, 3);
    const ingle_json *const empty[] = {NULL, ingle_json_at(b, 0), ingle_json_at(b, 2)};
    for (size_t i = 0; i < N_OF(empty); i++) {
        ingle_json_walk w = ingle_json_items(empty[i]);
        assert_false(ingle_json_step(&w));
    }
    ingle_json_close(&doc);
}

/* ---- names that are there twice -------------------------------------------------------------- */

static void test_duplicates(void **state)
{
    (void)state;
    ingle_json_limits unique = {.unique_names = true};
    ingle_json_doc doc = must_open("{\"a\":1,\"b\":2,\"a\":{\"a\":3}}");
    assert_int_equal(doc.root->len, 3);
    assert_true(ingle_json_is(ingle_json_get(doc.root, "a"), INGLE_JSON_OBJECT)); /* the last */
    ingle_json_close(&doc);
    assert_int_equal(OPEN(&doc, "{\"a\":1,\"b\":2,\"a\":{\"a\":3}}", &unique), INGLE_EFORMAT);
    assert_text(&err, "byte 13: the name 'a' is there twice");
    assert_int_equal(OPEN(&doc, "[{\"\\u0061\":1,\"a\":2}]", &unique), INGLE_EFORMAT);
    assert_text(&err, "byte 13: the name 'a' is there twice");
    must(OPEN(&doc, "[{\"a\":{\"a\":1}},{\"a\":[{\"a\":1}],\"A\":2,\"\":3}]", &unique), &err);
    ingle_json_close(&doc);
    assert_int_equal(OPEN(&doc, "{\"x\\u0000y\":1,\"x\":2,\"x\\u0000y\":3}", &unique),
                     INGLE_EFORMAT);
}

/* Many names, all different but for `twice`. */
static void test_many_names(void **state)
{
    (void)state;
    ingle_json_limits unique = {.unique_names = true};
    for (size_t n = 14; n < 100000; n = n < 20 ? n + 1 : 7 * n)
        for (int twice = 0; twice < 2; twice++) {
            ingle_json_writer w = {0};
            ingle_json_doc doc;
            ingle_json_begin_object(&w);
            for (size_t i = 0; i < n; i++) {
                char name[32];
                snprintf(name, sizeof name, "name %zu", twice && i == n - 1 ? n / 2 : i);
                ingle_json_name(&w, name);
                ingle_json_put_null(&w);
            }
            ingle_json_end_object(&w);
            must(ingle_json_finish(&w), &err);
            assert_int_equal(ingle_json_open(&doc, w.text, w.n, &unique, &err),
                             twice ? INGLE_EFORMAT : INGLE_OK);
            if (twice) assert_text(&err, "is there twice");
            ingle_json_close(&doc);
            ingle_json_writer_free(&w);
        }
}

/* ---- writing --------------------------------------------------------------------------------- */

static void put_all(ingle_json_writer *w)
{
    ingle_json_begin_object(w);
    ingle_json_name(w, "null");
    ingle_json_put_null(w);
    ingle_json_name(w, "bools");
    ingle_json_begin_array(w);
    ingle_json_put_bool(w, true);
    ingle_json_put_bool(w, false);
    ingle_json_end_array(w);
    ingle_json_name(w, "numbers");
    ingle_json_begin_array(w);
    ingle_json_put_i64(w, INT64_MIN);
    ingle_json_put_u64(w, UINT64_MAX);
    ingle_json_put_f64(w, 0.1);
    ingle_json_put_f32(w, 0.1f);
    ingle_json_put_f64(w, -0.0);
    ingle_json_put_f64(w, 1e300);
    ingle_json_put_f64(w, (double)NAN);
    ingle_json_put_f32(w, -INFINITY);
    ingle_json_end_array(w);
    ingle_json_name_bytes(w, "a\0\"b", 4);
    ingle_json_begin_object(w);
    ingle_json_end_object(w);
    ingle_json_name(w, "raw");
    RAW(w, "{\"x\":[]}");
    ingle_json_name(w, "empty");
    ingle_json_begin_array(w);
    ingle_json_begin_array(w);
    ingle_json_end_array(w);
    ingle_json_put_text(w, "\xc3\xa4");
    ingle_json_end_array(w);
    ingle_json_end_object(w);
}

#define ALL                                                                                        \
    "{\"null\":null,\"bools\":[true,false],\"numbers\":[-9223372036854775808,"                     \
    "18446744073709551615,0.1,0.1,-0,1e+300,null,null],\"a\\u0000\\\"b\":{},\"raw\":{\"x\":[]},"   \
    "\"empty\":[[],\"\xc3\xa4\"]}"

static void test_write(void **state)
{
    (void)state;
    ingle_json_writer w = {0};
    put_all(&w);
    must(ingle_json_finish(&w), &err);
    assert_string_equal(w.text, ALL);
    w.n = 0; /* taken: the next text */
    ingle_json_begin_array(&w);
    ingle_json_put_u64(&w, 1);
    w.n = 0; /* taken half way: the comma is still due */
    ingle_json_put_u64(&w, 2);
    ingle_json_end_array(&w);
    must(ingle_json_finish(&w), &err);
    assert_string_equal(w.text, ",2]");
    ingle_json_writer_free(&w);
    assert_null(w.text);
    ingle_json_writer_free(&w);
    ingle_json_writer_free(NULL);

    ingle_json_writer spaced = {.spaces = true};
    ingle_json_doc doc = must_open("{\"a\":[1,2,{}],\"b\":{\"c\":[]}}");
    ingle_json_put(&spaced, doc.root);
    must(ingle_json_finish(&spaced), &err);
    assert_string_equal(spaced.text, "{\"a\": [1, 2, {}], \"b\": {\"c\": []}}");
    ingle_json_writer_free(&spaced);
    ingle_json_begin_array(&w);
    ingle_json_put(&w, NULL);
    ingle_json_put(&w, ingle_json_get(ingle_json_get(doc.root, "b"), "c"));
    ingle_json_put(&w, ingle_json_get(doc.root, "b"));
    ingle_json_end_array(&w);
    must(ingle_json_finish(&w), &err);
    assert_string_equal(w.text, "[null,[],{\"c\":[]}]");
    ingle_json_writer_free(&w);
    ingle_json_close(&doc);
}

/* The caller's memory, of every size. */
static void test_fixed(void **state)
{
    (void)state;
    const size_t n = sizeof ALL - 1;
    for (size_t cap = 0; cap <= n + 1; cap++) {
        char *text = malloc(cap ? cap : 1);
        assert_non_null(text);
        ingle_json_writer w = {.text = cap ? text : NULL, .cap = cap, .fixed = true};
        put_all(&w);
        assert_int_equal(ingle_json_finish(&w), cap > n ? INGLE_OK : INGLE_ERANGE);
        assert_int_equal(w.n, n);
        if (cap) assert_int_equal(text[cap - 1], 0);
        if (cap) assert_memory_equal(text, ALL, cap - 1);
        ingle_json_writer_free(&w);
        free(text);
    }
}

static const struct {
    const char *bytes;
    size_t len;
    const char *usual, *shown; /* NULL: the same */
} strings[] = {
    {TEXT("plain"), "plain", NULL},
    {TEXT("\"\\/"), "\\\"\\\\/", NULL},
    {TEXT("\n\t"), "\\n\\t", NULL},
    {TEXT("\b\f\r"), "\\b\\f\\r", "\\u0008\\u000c\\u000d"},
    {TEXT("a\0b\x1f"), "a\\u0000b\\u001f", NULL},
    {TEXT("\x7f"), "\x7f", "\\u007f"},
    {TEXT("\xc2\x9b\xe2\x80\xa8"), "\xc2\x9b\xe2\x80\xa8", "\\u009b\\u2028"},
    {TEXT("\xc3\xa4\xf0\x9f\x98\x80"), "\xc3\xa4\xf0\x9f\x98\x80", NULL},
    {TEXT("a\xff"
          "b"),
     "a\xef\xbf\xbd"
     "b",
     NULL},
    {TEXT("\xe2\x82"), "\xef\xbf\xbd\xef\xbf\xbd", NULL},
    {TEXT("\xed\xa0\x80"), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", NULL},
};

static void test_escapes(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_OF(strings); i++)
        for (int shown = 0; shown < 2; shown++) {
            char want[100];
            ingle_json_writer w = {.shown = shown};
            const char *inside = shown && strings[i].shown ? strings[i].shown : strings[i].usual;
            snprintf(want, sizeof want, "\"%s\"", inside);
            ingle_json_put_bytes(&w, strings[i].bytes, strings[i].len);
            must(ingle_json_finish(&w), &err);
            assert_string_equal(w.text, want);
            ingle_json_doc doc; /* what is written is JSON */
            must(ingle_json_open(&doc, w.text, w.n, NULL, &err), &err);
            ingle_json_close(&doc);
            ingle_json_writer_free(&w);
        }
}

/* Every byte, at every place of eight, is plain or not. */
static void test_plain(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++)
        for (size_t i = 0; i < 24; i++) {
            char text[24];
            memset(text, 'x', sizeof text);
            text[i] = (char)c;
            bool plain = c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
            assert_int_equal(ingle_json_plain(text, sizeof text), plain ? sizeof text : i);
        }
    assert_int_equal(ingle_json_plain("", 0), 0);
}

static void test_too_deep(void **state)
{
    (void)state;
    ingle_json_writer w = {0};
    for (int i = 0; i < INGLE_JSON_MAX_DEPTH; i++) ingle_json_begin_array(&w);
    for (int i = 0; i < INGLE_JSON_MAX_DEPTH; i++) ingle_json_end_array(&w);
    must(ingle_json_finish(&w), &err);
    assert_int_equal(w.n, 2 * INGLE_JSON_MAX_DEPTH);
    ingle_json_writer_free(&w);

    for (int i = 0; i < INGLE_JSON_MAX_DEPTH - 1; i++) ingle_json_begin_array(&w);
    ingle_json_doc doc = must_open("[{\"a\":[1]}]");
    ingle_json_put(&w, doc.root);
    ingle_json_name(&w, "passed over");
    ingle_json_put_u64(&w, 1);
    ingle_json_end_object(&w);
    assert_int_equal(ingle_json_finish(&w), INGLE_EUNSUPPORTED);
    ingle_json_writer_free(&w);
    ingle_json_close(&doc);
}

/* ---- memory ---------------------------------------------------------------------------------- */

/* An object with many names, so that all of the reader's memory is used. */
static void put_members(ingle_json_writer *w, int n)
{
    ingle_json_begin_object(w);
    for (int i = 0; i < n; i++) {
        char name[24];
        snprintf(name, sizeof name, "name %d", i);
        ingle_json_name(w, name);
        put_all(w);
    }
    ingle_json_end_object(w);
}

/* Every allocation fails once. */
static void test_memory(void **state)
{
    (void)state;
    ingle_json_limits unique = {.unique_names = true};
    ingle_json_writer text = {0};
    put_members(&text, 50);
    must(ingle_json_finish(&text), &err);
    for (long n = 1;; n++) {
        ingle_json_doc doc;
        wrap_alloc_begin(n);
        ingle_status st = ingle_json_open(&doc, text.text, text.n, &unique, &err);
        ingle_json_close(&doc);
        bool reached = wrap_alloc_end();
        assert_int_equal(wrap_alloc_live(), 0);
        assert_int_equal(st, reached ? INGLE_ENOMEM : INGLE_OK);
        if (!reached) break;
        assert_text(&err, "no memory for JSON text");
    }
    for (long n = 1;; n++) {
        ingle_json_writer w = {0};
        wrap_alloc_begin(n);
        put_members(&w, 50);
        ingle_status st = ingle_json_finish(&w);
        if (!st) assert_memory_equal(w.text, text.text, text.n + 1);
        ingle_json_writer_free(&w);
        bool reached = wrap_alloc_end();
        assert_int_equal(wrap_alloc_live(), 0);
        assert_int_equal(st, reached ? INGLE_ENOMEM : INGLE_OK);
        if (!reached) break;
    }
    ingle_json_writer_free(&text);
}

/* Blocks do not go with values: one for the text, one that grows for the nodes. */
static void test_few_calls(void **state)
{
    (void)state;
    ingle_json_writer text = {0};
    ingle_json_doc doc;
    put_members(&text, 1000);
    must(ingle_json_finish(&text), &err);
    wrap_alloc_begin(0);
    must(ingle_json_open(&doc, text.text, text.n, NULL, &err), &err);
    assert_int_equal(wrap_alloc_live(), 2);
    assert_true(doc.n_nodes > 20000 && wrap_alloc_calls() < 30);
    ingle_json_close(&doc);
    wrap_alloc_end();
    assert_int_equal(sizeof(ingle_json), sizeof(void *) + 8);
    ingle_json_writer_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepted),     cmocka_unit_test(test_refused),
        cmocka_unit_test(test_cut),          cmocka_unit_test(test_depth),
        cmocka_unit_test(test_counts),       cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_long_numbers), cmocka_unit_test(test_random_numbers),
        cmocka_unit_test(test_locale),       cmocka_unit_test(test_strings),
        cmocka_unit_test(test_questions),    cmocka_unit_test(test_walk),
        cmocka_unit_test(test_duplicates),   cmocka_unit_test(test_many_names),
        cmocka_unit_test(test_write),        cmocka_unit_test(test_fixed),
        cmocka_unit_test(test_escapes),      cmocka_unit_test(test_plain),
        cmocka_unit_test(test_too_deep),     cmocka_unit_test(test_memory),
        cmocka_unit_test(test_few_calls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
