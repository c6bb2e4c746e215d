/* test_search.c - comparing vectors and finding the nearest, against plain definitions. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <ingle.h>

#include "must.h"

enum { N_METRICS = 3 };

static uint32_t state = 5;

static uint32_t roll(uint32_t n)
{
    state = state * 1664525u + 1013904223u;
    return (uint32_t)(((uint64_t)(state >> 4) * n) >> 28);
}

static float uniform(float low, float high)
{
    return low + (high - low) * (float)roll(1 << 24) * 0x1p-24f;
}

static double plain(ingle_metric metric, const float *a, const float *b, size_t n)
{
    double ab = 0, aa = 0, bb = 0, dd = 0;
    for (size_t i = 0; i < n; i++) {
        ab += (double)a[i] * (double)b[i];
        aa += (double)a[i] * (double)a[i];
        bb += (double)b[i] * (double)b[i];
        dd += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
    }
    if (metric == INGLE_METRIC_DOT) return ab;
    if (metric == INGLE_METRIC_EUCLIDEAN) return sqrt(dd);
    return aa == 0 || bb == 0 ? 0 : ab / (sqrt(aa) * sqrt(bb));
}

static double compare(ingle_metric metric, const float *a, const float *b, size_t n)
{
    double value;
    ingle_error err;
    must(ingle_vector_compare(metric, a, n, b, n, &value, &err), &err);
    return value;
}

/* ---- two vectors ----------------------------------------------------------------------------- */

static void test_names(void **unused)
{
    (void)unused;
    assert_string_equal(ingle_metric_name(INGLE_METRIC_COSINE), "cosine");
    assert_string_equal(ingle_metric_name(INGLE_METRIC_DOT), "dot");
    assert_string_equal(ingle_metric_name(INGLE_METRIC_EUCLIDEAN), "euclidean");
    assert_null(ingle_metric_name((ingle_metric)3));
    assert_null(ingle_metric_name((ingle_metric)-1));
}

/* B167 */
static void test_compare(void **unused)
{
    (void)unused;
    static float a[1000], b[1000];
    for (int round = 0; round < 300; round++) {
        size_t n = 1 + roll(round % 10 ? 40 : 999);
        float size = round % 3 == 0 ? 1e-30f : round % 3 == 1 ? 1 : 1e30f;
        for (size_t i = 0; i < n; i++) a[i] = uniform(-size, size), b[i] = uniform(-size, size);
        for (int m = 0; m < N_METRICS; m++) {
            double want = plain((ingle_metric)m, a, b, n), got = compare((ingle_metric)m, a, b, n);
            double scale = m == INGLE_METRIC_COSINE ? 1 : (double)size * (double)n;
            if (m == INGLE_METRIC_DOT) scale *= (double)size;
            assert_true(fabs(got - want) <= 1e-14 * scale);
            assert_true(compare((ingle_metric)m, b, a, n) == got);
        }
        assert_true(compare(INGLE_METRIC_COSINE, a, a, n) == 1);
        assert_true(compare(INGLE_METRIC_EUCLIDEAN, a, a, n) == 0);
        for (size_t i = 0; i < n; i++) b[i] = -a[i];
        assert_true(compare(INGLE_METRIC_COSINE, a, b, n) == -1);
    }
    const float x[] = {3, 4}, y[] = {4, -3}, zero[] = {0, 0};
    assert_true(compare(INGLE_METRIC_COSINE, x, y, 2) == 0);
    assert_true(compare(INGLE_METRIC_COSINE, x, zero, 2) == 0);
    assert_true(compare(INGLE_METRIC_COSINE, zero, zero, 2) == 0);
    assert_true(compare(INGLE_METRIC_DOT, x, x, 2) == 25);
    assert_true(compare(INGLE_METRIC_EUCLIDEAN, x, zero, 2) == 5);
    for (size_t i = 0; i < 1000; i++) a[i] = FLT_MAX, b[i] = -FLT_MAX; /* no double overflows */
    assert_true(compare(INGLE_METRIC_COSINE, a, b, 1000) == -1);
    assert_true(isfinite(compare(INGLE_METRIC_DOT, a, b, 1000)));
    assert_true(isfinite(compare(INGLE_METRIC_EUCLIDEAN, a, b, 1000)));
}

static void refused(ingle_status got, ingle_status want, const ingle_error *err, const char *part)
{
    assert_int_equal(got, want);
    assert_text(err, part);
}

/* B167 */
static void test_compare_refuses(void **unused)
{
    (void)unused;
    float a[3] = {1, 2, 3}, b[3] = {1, 2, 3};
    double value = 7;
    ingle_error err;
    refused(ingle_vector_compare(INGLE_METRIC_DOT, a, 3, b, 2, &value, &err), INGLE_EINVAL, &err,
            "3 and 2");
    refused(ingle_vector_compare(INGLE_METRIC_DOT, a, 0, b, 0, &value, &err), INGLE_EINVAL, &err,
            "no values");
    refused(ingle_vector_compare((ingle_metric)3, a, 3, b, 3, &value, &err), INGLE_EINVAL, &err,
            "metric is 3");
    refused(ingle_vector_compare(INGLE_METRIC_DOT, NULL, 3, b, 3, &value, &err), INGLE_EINVAL, &err,
            "NULL");
    refused(ingle_vector_compare(INGLE_METRIC_DOT, a, 3, b, 3, NULL, &err), INGLE_EINVAL, &err,
            "NULL");
    for (int m = 0; m < N_METRICS; m++) {
        a[1] = NAN;
        refused(ingle_vector_compare((ingle_metric)m, a, 3, b, 3, &value, &err), INGLE_EFORMAT,
                &err, "value 1 of a is NaN");
        a[1] = 2, b[2] = -INFINITY;
        refused(ingle_vector_compare((ingle_metric)m, a, 3, b, 3, &value, &err), INGLE_EFORMAT,
                &err, "value 2 of b is infinite");
        b[2] = 3;
    }
    assert_true(value == 7);
}

/* ---- many ------------------------------------------------------------------------------------ */

/* B168 */
static void test_search(void **unused)
{
    (void)unused;
    static float rows[300 * 20], query[20];
    static ingle_hit hits[400];
    for (int round = 0; round < 400; round++) {
        size_t n = 1 + roll(20), n_rows = roll(300), n_hits = 99;
        size_t k = round % 3 ? roll(12) : round % 2 ? n_rows : n_rows + roll(100);
        ingle_metric metric = (ingle_metric)(round % N_METRICS);
        ingle_error err;
        bool coarse = roll(2); /* then many are equal */
        for (size_t i = 0; i < n; i++) query[i] = coarse ? (float)roll(3) : uniform(-1, 1);
        for (size_t i = 0; i < n_rows * n; i++) rows[i] = coarse ? (float)roll(2) : uniform(-1, 1);
        must(ingle_vector_search(metric, query, rows, n_rows, n, k, hits, &n_hits, &err), &err);
        assert_int_equal(n_hits, k < n_rows ? k : n_rows);
        bool taken[300] = {false};
        for (size_t i = 0; i < n_hits; i++) {
            size_t row = hits[i].i_row;
            assert_true(row < n_rows && !taken[row]);
            taken[row] = true;
            assert_true(hits[i].score == (float)compare(metric, query, rows + row * n, n));
        }
        for (size_t i = 0; n_hits && i < n_rows; i++) {
            float score = (float)compare(metric, query, rows + i * n, n);
            ingle_hit last = hits[n_hits - 1];
            bool better =
                metric == INGLE_METRIC_EUCLIDEAN ? score < last.score : score > last.score;
            bool before = better || (score == last.score && i <= last.i_row);
            assert_true(taken[i] == before);
        }
        for (size_t i = 1; i < n_hits; i++) {
            ingle_hit p = hits[i - 1], q = hits[i];
            bool better = metric == INGLE_METRIC_EUCLIDEAN ? p.score < q.score : p.score > q.score;
            assert_true(better || (p.score == q.score && p.i_row < q.i_row));
        }
    }
}

/* B168 */
static void test_search_edges(void **unused)
{
    (void)unused;
    float rows[6] = {1, 0, 0, 1, 1, 1}, query[2] = {0, 2}, huge[2] = {FLT_MAX, FLT_MAX};
    ingle_hit hits[9], untouched[9];
    size_t n_hits = 99;
    ingle_error err;
    must(ingle_vector_search(INGLE_METRIC_COSINE, query, rows, 3, 2, 9, hits, &n_hits, &err), &err);
    assert_int_equal(n_hits, 3);
    assert_int_equal(hits[0].i_row, 1);
    assert_int_equal(hits[1].i_row, 2);
    assert_int_equal(hits[2].i_row, 0);
    assert_true(hits[0].score == 1 && hits[2].score == 0);
    must(ingle_vector_search(INGLE_METRIC_DOT, query, NULL, 0, 2, 9, hits, &n_hits, &err), &err);
    assert_int_equal(n_hits, 0);
    n_hits = 99;
    must(ingle_vector_search(INGLE_METRIC_DOT, query, rows, 3, 2, 0, NULL, &n_hits, &err), &err);
    assert_int_equal(n_hits, 0);
    must(ingle_vector_search(INGLE_METRIC_EUCLIDEAN, rows, rows, 3, 2, 1, hits, &n_hits, &err),
         &err);
    assert_true(hits[0].i_row == 0 && hits[0].score == 0 && !signbit(hits[0].score));
    must(ingle_vector_search(INGLE_METRIC_DOT, huge, huge, 1, 2, 1, hits, &n_hits, &err), &err);
    assert_true(hits[0].score == FLT_MAX);

    memset(hits, 0x5a, sizeof hits);
    memcpy(untouched, hits, sizeof hits);
    n_hits = 99;
    for (int m = 0; m < N_METRICS; m++)
        for (int zero = 0; zero < 2; zero++) { /* a query of zeros looks at every row, too */
            float q[2] = {0, zero ? 0 : 2};
            rows[5] = NAN;
            refused(ingle_vector_search((ingle_metric)m, q, rows, 3, 2, 2, hits, &n_hits, &err),
                    INGLE_EFORMAT, &err, "value 1 of row 2 is NaN");
            rows[5] = 1, q[0] = INFINITY;
            refused(ingle_vector_search((ingle_metric)m, q, rows, 3, 2, 2, hits, &n_hits, &err),
                    INGLE_EFORMAT, &err, "value 0 of the query is infinite");
        }
    refused(ingle_vector_search((ingle_metric)-1, query, rows, 3, 2, 2, hits, &n_hits, &err),
            INGLE_EINVAL, &err, "metric is -1");
    refused(ingle_vector_search(INGLE_METRIC_DOT, query, rows, 3, 0, 2, hits, &n_hits, &err),
            INGLE_EINVAL, &err, "no values");
    refused(ingle_vector_search(INGLE_METRIC_DOT, NULL, rows, 3, 2, 2, hits, &n_hits, &err),
            INGLE_EINVAL, &err, "NULL");
    refused(ingle_vector_search(INGLE_METRIC_DOT, query, NULL, 3, 2, 2, hits, &n_hits, &err),
            INGLE_EINVAL, &err, "NULL");
    refused(ingle_vector_search(INGLE_METRIC_DOT, query, rows, 3, 2, 2, NULL, &n_hits, &err),
            INGLE_EINVAL, &err, "NULL");
    refused(ingle_vector_search(INGLE_METRIC_DOT, query, rows, 3, 2, 2, hits, NULL, &err),
            INGLE_EINVAL, &err, "NULL");
    assert_int_equal(n_hits, 99);
    assert_memory_equal(hits, untouched, sizeof hits);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),           cmocka_unit_test(test_compare),
        cmocka_unit_test(test_compare_refuses), cmocka_unit_test(test_search),
        cmocka_unit_test(test_search_edges),
    };
    return cmocka_run_group_tests_name("search", tests, NULL, NULL);
}
