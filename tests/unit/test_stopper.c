/* test_stopper.c - stop strings in a stream: against a plain search, whatever the pieces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sample/sample.h"

static uint32_t state = 1;

static uint32_t roll(uint32_t n)
{
    state = state * 1664525u + 1013904223u;
    return (state >> 8) % n;
}

static ingle_stopper *open_stops(const ingle_stop *stops, size_t n)
{
    ingle_stopper *s;
    ingle_error err = {""};
    if (ingle_stopper_open(&s, stops, n, &err) != INGLE_OK) fail_msg("%s", err.text);
    return s;
}

/* Feeds text in one call and checks what comes out. */
static void expect(ingle_stopper *s, const char *text, bool flush, const char *safe, size_t hit)
{
    const char *got;
    size_t n, got_hit;
    assert_int_equal(ingle_stopper_feed(s, text, strlen(text), flush, &got, &n, &got_hit, NULL),
                     INGLE_OK);
    assert_int_equal(n, strlen(safe));
    assert_memory_equal(got, safe, n);
    assert_int_equal(got_hit, hit);
}

static void test_holds_back(void **unused)
{
    (void)unused;
    const ingle_stop stops[] = {{"STOP", 4}, {"</s>", 4}};
    ingle_stopper *s = open_stops(stops, 2);
    expect(s, "Hello S", false, "Hello ", SIZE_MAX);
    assert_int_equal(ingle_stopper_held(s), 1);
    expect(s, "T", false, "", SIZE_MAX);
    assert_int_equal(ingle_stopper_held(s), 2);
    expect(s, "A<", false, "STA", SIZE_MAX);
    expect(s, "", false, "", SIZE_MAX);
    expect(s, "/", false, "", SIZE_MAX);
    expect(s, "s> and more", false, "", 1);
    assert_int_equal(ingle_stopper_held(s), strlen("</s> and more"));
    expect(s, "late", true, "", 1);
    assert_int_equal(ingle_stopper_held(s), strlen("</s> and morelate"));
    ingle_stopper_close(&s);
    assert_null(s);
    ingle_stopper_close(&s);
}

static void test_flush(void **unused)
{
    (void)unused;
    const ingle_stop stops[] = {{"abc", 3}};
    ingle_stopper *s = open_stops(stops, 1);
    expect(s, "xab", false, "x", SIZE_MAX);
    expect(s, "", true, "ab", SIZE_MAX);
    assert_int_equal(ingle_stopper_held(s), 0);
    expect(s, "c", false, "c", SIZE_MAX); /* what was flushed takes part in no match */
    expect(s, "abc", false, "", 0);
    ingle_stopper_close(&s);
}

static void test_first_to_end(void **unused)
{
    (void)unused;
    const ingle_stop overlap[] = {{"abcd", 4}, {"bc", 2}};
    ingle_stopper *s = open_stops(overlap, 2);
    expect(s, "xabcd", false, "xa", 1);
    ingle_stopper_close(&s);
    const ingle_stop same_end[] = {{"lo", 2}, {"hello", 5}, {"llo", 3}, {"hello", 5}};
    s = open_stops(same_end, 4);
    expect(s, "say hello", false, "say ", 1);
    ingle_stopper_close(&s);
}

static void test_no_stops_and_nul_bytes(void **unused)
{
    (void)unused;
    ingle_stopper *s = open_stops(NULL, 0);
    expect(s, "anything", false, "anything", SIZE_MAX);
    ingle_stopper_close(&s);
    const ingle_stop stops[] = {{"\0\n", 2}};
    const char *got;
    size_t n, hit;
    s = open_stops(stops, 1);
    assert_int_equal(ingle_stopper_feed(s, "a\0\0", 3, false, &got, &n, &hit, NULL), INGLE_OK);
    assert_int_equal(n, 2);
    assert_int_equal(hit, SIZE_MAX);
    assert_int_equal(ingle_stopper_feed(s, "\n", 1, false, &got, &n, &hit, NULL), INGLE_OK);
    assert_int_equal(n, 0);
    assert_int_equal(hit, 0);
    ingle_stopper_close(&s);
}

/* ---- against a plain search ------------------------------------------------------------------ */

/* Does text[0..end) end with the stop? */
static bool ends_with(const char *text, size_t end, ingle_stop stop)
{
    return stop.len <= end && !memcmp(text + end - stop.len, stop.text, stop.len);
}

/* First end of a stop; the longest there, the first of equal ones. */
static size_t plain_hit(const char *text, size_t len, const ingle_stop *stops, size_t n, size_t *at)
{
    for (size_t end = 1; end <= len; end++) {
        size_t hit = SIZE_MAX;
        for (size_t i = 0; i < n; i++)
            if (ends_with(text, end, stops[i]) &&
                (hit == SIZE_MAX || stops[i].len > stops[hit].len))
                hit = i;
        if (hit != SIZE_MAX) {
            *at = end - stops[hit].len;
            return hit;
        }
    }
    *at = len;
    return SIZE_MAX;
}

/* Longest end of the text that begins a stop without being all of it. */
static size_t plain_held(const char *text, size_t len, const ingle_stop *stops, size_t n)
{
    size_t held = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 1; k < stops[i].len; k++)
            if (k > held && ends_with(text, len, (ingle_stop){stops[i].text, k})) held = k;
    return held;
}

static void check_stream(const char *text, size_t len, const ingle_stop *stops, size_t n,
                         size_t piece)
{
    ingle_stopper *s = open_stops(stops, n);
    char out[2048];
    size_t n_out = 0, at, hit = SIZE_MAX, fed = 0;
    size_t want = plain_hit(text, len, stops, n, &at);
    while (fed < len && hit == SIZE_MAX) {
        size_t take = 1 + roll((uint32_t)piece), n_safe;
        const char *safe;
        if (take > len - fed) take = len - fed;
        char *exact = malloc(take); /* so that reading past the piece is seen */
        memcpy(exact, text + fed, take);
        assert_int_equal(ingle_stopper_feed(s, exact, take, false, &safe, &n_safe, &hit, NULL),
                         INGLE_OK);
        free(exact);
        fed += take;
        assert_true(n_out + n_safe <= sizeof out);
        memcpy(out + n_out, safe, n_safe);
        n_out += n_safe;
        assert_int_equal(ingle_stopper_held(s), fed - n_out);
        if (hit == SIZE_MAX) assert_int_equal(fed - n_out, plain_held(text, fed, stops, n));
    }
    assert_int_equal(hit, want);
    if (hit == SIZE_MAX) {
        const char *safe;
        size_t n_safe;
        assert_int_equal(ingle_stopper_feed(s, NULL, 0, true, &safe, &n_safe, &hit, NULL),
                         INGLE_OK);
        memcpy(out + n_out, safe, n_safe);
        n_out += n_safe;
        assert_int_equal(ingle_stopper_held(s), 0);
    }
    assert_int_equal(n_out, at);
    assert_memory_equal(out, text, at);
    ingle_stopper_close(&s);
}

static void test_random_streams(void **unused)
{
    (void)unused;
    size_t n_hits = 0;
    for (int round = 0; round < 3000; round++) {
        char text[400], stop_text[20][24];
        ingle_stop stops[20];
        size_t len = 1 + roll(sizeof text), n = 1 + roll(20), at;
        uint32_t letters = 2 + roll(3);
        for (size_t i = 0; i < len; i++) text[i] = (char)('a' + roll(letters));
        for (size_t i = 0; i < n; i++) {
            stops[i] = (ingle_stop){stop_text[i], 4 + roll(20)};
            for (size_t j = 0; j < stops[i].len; j++) stop_text[i][j] = (char)('a' + roll(letters));
        }
        n_hits += plain_hit(text, len, stops, n, &at) != SIZE_MAX;
        check_stream(text, len, stops, n, 1 + roll(30));
    }
    assert_true(n_hits > 500 && n_hits < 2900);
}

/* a^499 b over a long run of a: held back throughout, and never found until the b comes. */
static void test_longest_stops(void **unused)
{
    (void)unused;
    static char text[1600], stop_text[20][500];
    ingle_stop stops[20];
    memset(text, 'a', sizeof text);
    memset(stop_text, 'a', sizeof stop_text);
    for (size_t i = 0; i < 20; i++) {
        stops[i] = (ingle_stop){stop_text[i], 500 - i};
        stop_text[i][499 - i] = 'b';
    }
    check_stream(text, sizeof text, stops, 20, 7);
    text[1500] = 'b';
    check_stream(text, sizeof text, stops, 20, 7);
    check_stream(text, sizeof text, stops, 20, 1600);
}

/* ---- refusals -------------------------------------------------------------------------------- */

static void test_refuses(void **unused)
{
    (void)unused;
    static char long_text[501];
    ingle_stop many[21];
    for (size_t i = 0; i < 21; i++) many[i] = (ingle_stop){"x", 1};
    ingle_stop empty = {"", 0}, no_text = {NULL, 3}, too_long = {long_text, 501};
    ingle_stopper *s;
    ingle_error err;
    assert_int_equal(ingle_stopper_open(&s, many, 21, &err), INGLE_EINVAL);
    assert_null(s);
    assert_non_null(strstr(err.text, "21"));
    assert_int_equal(ingle_stopper_open(&s, &empty, 1, &err), INGLE_EINVAL);
    assert_non_null(strstr(err.text, "stop string 0"));
    assert_int_equal(ingle_stopper_open(&s, &no_text, 1, &err), INGLE_EINVAL);
    assert_int_equal(ingle_stopper_open(&s, &too_long, 1, &err), INGLE_EINVAL);
    assert_non_null(strstr(err.text, "501"));
    assert_int_equal(ingle_stopper_open(&s, NULL, 1, &err), INGLE_EINVAL);
    const char *safe;
    size_t n, hit;
    assert_int_equal(ingle_stopper_feed(NULL, "a", 1, false, &safe, &n, &hit, &err), INGLE_ECLOSED);
    s = open_stops(many, 20);
    assert_int_equal(ingle_stopper_feed(s, NULL, 1, false, &safe, &n, &hit, &err), INGLE_EINVAL);
    ingle_stopper_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_holds_back),     cmocka_unit_test(test_flush),
        cmocka_unit_test(test_first_to_end),   cmocka_unit_test(test_no_stops_and_nul_bytes),
        cmocka_unit_test(test_random_streams), cmocka_unit_test(test_longest_stops),
        cmocka_unit_test(test_refuses),
    };
    return cmocka_run_group_tests_name("stopper", tests, NULL, NULL);
}
