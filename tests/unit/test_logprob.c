/* test_logprob.c - sums, the best and ranks of rows of logits against plain definitions in double
 * precision: ties, -infinity, huge and tiny values, NaN, and rows in the worst order. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sample/logprob.h"

#define MAX 20000

static uint32_t state = 11;

static uint32_t roll(uint32_t n)
{
    state = state * 1664525u + 1013904223u;
    return (uint32_t)(((uint64_t)(state >> 4) * n) >> 28);
}

static float uniform(float low, float high)
{
    return low + (high - low) * (float)roll(1 << 24) * 0x1p-24f;
}

/* Shapes: smooth, ties, ascending, descending, mostly banned, huge, tiny differences. */
static void random_row(float *row, size_t n, int shape)
{
    for (size_t i = 0; i < n; i++) {
        row[i] = uniform(-8, 8);
        if (shape == 1) row[i] = (float)roll(5);
        if (shape == 2) row[i] = (float)i * 0.01f;
        if (shape == 3) row[i] = -(float)i * 0.01f;
        if (shape == 4 && roll(20)) row[i] = -INFINITY;
        if (shape == 5) row[i] *= 4e37f;
        if (shape == 6) row[i] = 1000 + row[i] * 1e-5f;
        if (shape == 7 && roll(3)) row[i] = roll(2) ? 0.0f : -0.0f;
    }
}

static double plain_sum(const float *row, size_t n)
{
    double max = -INFINITY, sum = 0;
    for (size_t i = 0; i < n; i++) max = (double)row[i] > max ? (double)row[i] : max;
    if (max == -INFINITY) return max;
    for (size_t i = 0; i < n; i++) sum += exp((double)row[i] - max);
    return max + log(sum);
}

static const float *sorted_by;

static int best_first(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    float p = sorted_by[x], q = sorted_by[y];
    return p != q ? (p < q) - (p > q) : (x > y) - (x < y);
}

static void check_row(const float *row, size_t n)
{
    static int32_t order[MAX];
    static ingle_top top[MAX + 50];
    const size_t wanted[] = {0, 1, 2, 5, 20, 100, n, n + 50};
    double log_sum = ingle_logprob_sum(row, n), plain = plain_sum(row, n);
    size_t n_alive = 0;
    if (plain == -INFINITY) assert_true(log_sum == plain);
    else assert_true(fabs(log_sum - plain) < 1e-6 + 1e-15 * fabs(plain));
    for (size_t i = 0; i < n; i++) order[i] = (int32_t)i, n_alive += row[i] > -INFINITY;
    sorted_by = row;
    qsort(order, n, sizeof *order, best_first);
    for (size_t w = 0; w < sizeof wanted / sizeof *wanted; w++) {
        size_t want = wanted[w] < n_alive ? wanted[w] : n_alive;
        assert_int_equal(ingle_logprob_top(row, n, log_sum, top, wanted[w]), want);
        for (size_t i = 0; i < want; i++) {
            assert_int_equal(top[i].token, order[i]);
            assert_true(top[i].logprob == (float)((double)row[order[i]] - log_sum));
        }
    }
    for (size_t i = 0; i < n; i += 1 + n / 50)
        assert_int_equal(ingle_logprob_rank(row, n, order[i]), i);
    assert_int_equal(ingle_logprob_rank(row, n, order[n - 1]), n - 1);
}

static void test_rows(void **unused)
{
    (void)unused;
    static float row[MAX];
    static const size_t sizes[] = {1, 2, 3, 63, 64, 65, 127, 129, 1000, 4097, MAX};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (int shape = 0; shape < 8; shape++) {
            random_row(row, sizes[s], shape);
            check_row(row, sizes[s]);
        }
    for (size_t i = 0; i < MAX; i++) row[i] = -INFINITY;
    check_row(row, 1000);
    row[999] = -3e38f;
    check_row(row, 1000);
    row[0] = 3e38f;
    check_row(row, 1000);
    for (size_t i = 0; i < MAX; i++) row[i] = 1e-40f;
    check_row(row, MAX);
}

/* Whoever shifts all logits shifts the sum, and probabilities add up to 1. */
static void test_probabilities(void **unused)
{
    (void)unused;
    static float row[1000];
    static ingle_top top[1000];
    random_row(row, 1000, 0);
    double log_sum = ingle_logprob_sum(row, 1000), sum = 0;
    size_t n = ingle_logprob_top(row, 1000, log_sum, top, 1000);
    for (size_t i = 0; i < n; i++) sum += exp((double)top[i].logprob);
    assert_true(fabs(sum - 1) < 1e-6);
    for (size_t i = 0; i < 1000; i++) row[i] = roundf(row[i] * 1024) / 1024;
    log_sum = ingle_logprob_sum(row, 1000);
    for (size_t i = 0; i < 1000; i++) row[i] += 64;
    assert_true(fabs(ingle_logprob_sum(row, 1000) - log_sum - 64) < 1e-12);
}

/* Nothing is promised of a row with NaN but an end, and that the others are listed right. */
static void test_nan(void **unused)
{
    (void)unused;
    static float row[1000];
    ingle_top top[1000];
    const float nans[] = {NAN, -NAN};
    for (int round = 0; round < 100; round++) {
        float first = nans[round % 2];
        random_row(row, 1000, round % 8);
        for (int i = 0; i < 20; i++) row[roll(1000)] = first;
        (void)ingle_logprob_sum(row, 1000);
        size_t n = ingle_logprob_top(row, 1000, 0, top, roll(2) ? 10 : 1000);
        for (size_t i = 0; i < n; i++) {
            assert_true(!isnan(row[top[i].token]));
            assert_int_equal(ingle_logprob_rank(row, 1000, top[i].token), i);
        }
    }
    for (size_t i = 0; i < 1000; i++) row[i] = NAN;
    (void)ingle_logprob_sum(row, 1000);
    assert_int_equal(ingle_logprob_top(row, 1000, 0, top, 20), 0);
    assert_int_equal(ingle_logprob_rank(row, 1000, 500), 0);
    for (size_t i = 0; i < 1000; i++) row[i] = i % 3 ? 1 : INFINITY;
    assert_true(ingle_logprob_sum(row, 1000) == INFINITY);
    assert_int_equal(ingle_logprob_top(row, 1000, 0, top, 20), 20);
    assert_int_equal(top[19].token, 57);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_probabilities),
        cmocka_unit_test(test_nan),
    };
    return cmocka_run_group_tests_name("logprob", tests, NULL, NULL);
}
