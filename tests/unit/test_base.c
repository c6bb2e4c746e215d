/* test_base.c - small helpers: names that are near, numbers as text, the heap. */
#include "base/distance.h"
#include "base/heap.h"
#include "base/number.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static size_t distance(const char *a, const char *b)
{
    size_t d = ingle_distance(a, strlen(a), b, strlen(b));
    assert_int_equal(ingle_distance(b, strlen(b), a, strlen(a)), d);
    return d;
}

static void test_distance(void **state)
{
    (void)state;
    assert_int_equal(distance("", ""), 0);
    assert_int_equal(distance("", "run"), 3);
    assert_int_equal(distance("threads", "threads"), 0);
    assert_int_equal(distance("thread", "threads"), 1);
    assert_int_equal(distance("thraeds", "threads"), 1); /* a swap */
    assert_int_equal(distance("treads", "threads"), 1);
    assert_int_equal(distance("kitten", "sitting"), 3);
    static char a[200], b[500];
    memset(a, 'x', sizeof a);
    memset(b, 'x', sizeof b);
    assert_int_equal(ingle_distance(a, sizeof a, b, sizeof b), 300);
    assert_int_equal(ingle_distance(a, 3, b, sizeof b), 497);
}

static void test_numbers(void **state)
{
    (void)state;
    static const struct {
        double x;
        bool is_float;
        const char *text;
    } rows[] = {
        {0, true, "0"},
        {0.1, false, "0.1"},
        {(double)0.1f, true, "0.1"},
        {-1.5, true, "-1.5"},
        {1e300, false, "1e+300"},
        {16777216, true, "16777216"},
        {0.1 + 0.2, false, "0.30000000000000004"},
    };
    char text[INGLE_NUMBER_MAX];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ingle_number_text(rows[i].x, rows[i].is_float, text);
        assert_string_equal(text, rows[i].text);
    }
    ingle_number_text((double)-INFINITY, true, text);
    assert_string_equal(text, "-inf");
}

static void test_heap(void **state)
{
    (void)state;
    uint64_t heap[200], x = 1, last = 0;
    size_t n = 0;
    for (int i = 0; i < 200; i++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        ingle_heap_push(heap, &n, x >> 57); /* many alike */
    }
    for (int i = 0; i < 200; i++) {
        uint64_t top = ingle_heap_pop(heap, &n);
        assert_true(top >= last);
        last = top;
    }
    assert_int_equal(n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_distance),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_heap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
