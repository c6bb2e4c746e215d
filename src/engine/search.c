/* search.c - how near vectors are, and the nearest of many, read through once.
 * Sums are doubles in eight lanes: the order of additions depends on the length alone. A sum is
 * finite if and only if all values are: products of floats do not overflow a double. */
#include "engine/engine.h"

#include "base/mem.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define LANES 8

const char *ingle_metric_name(ingle_metric metric)
{
    static const char *const names[] = {"cosine", "dot", "euclidean"};
    return (unsigned)metric < sizeof names / sizeof names[0] ? names[metric] : NULL;
}

/* ---- sums ------------------------------------------------------------------------------------ */

static double total(const double *lane)
{
    return ((lane[0] + lane[1]) + (lane[2] + lane[3])) +
           ((lane[4] + lane[5]) + (lane[6] + lane[7]));
}

static double dot(const float *a, const float *b, size_t n)
{
    double lane[LANES] = {0};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (size_t k = 0; k < LANES; k++) lane[k] += (double)a[i + k] * (double)b[i + k];
    for (; i < n; i++) lane[i % LANES] += (double)a[i] * (double)b[i];
    return total(lane);
}

static double square_distance(const float *a, const float *b, size_t n)
{
    double lane[LANES] = {0};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (size_t k = 0; k < LANES; k++) {
            double d = (double)a[i + k] - (double)b[i + k];
            lane[k] += d * d;
        }
    for (; i < n; i++) {
        double d = (double)a[i] - (double)b[i];
        lane[i % LANES] += d * d;
    }
    return total(lane);
}

/* aa = a . a, for the cosine. Not finite if a value of a or b is not. */
static double compare(ingle_metric metric, const float *a, double aa, const float *b, size_t n)
{
    if (metric == INGLE_METRIC_DOT) return dot(a, b, n);
    if (metric == INGLE_METRIC_EUCLIDEAN) return sqrt(square_distance(a, b, n));
    double bb = dot(b, b, n);
    if (!isfinite(bb)) return bb;
    if (aa == 0 || bb == 0) return 0;
    double cosine = dot(a, b, n) / sqrt(aa * bb);
    return cosine < -1 ? -1 : cosine > 1 ? 1 : cosine;
}

/* ---- refusals -------------------------------------------------------------------------------- */

static ingle_status check_metric(ingle_metric metric, ingle_error *err)
{
    if (ingle_metric_name(metric)) return INGLE_OK;
    return ingle_fail(err, INGLE_EINVAL, "metric is %d, should be %d to %d", (int)metric,
                      (int)INGLE_METRIC_COSINE, (int)INGLE_METRIC_EUCLIDEAN);
}

static ingle_status check_values(const char *name, const float *v, size_t n, ingle_error *err)
{
    if (isfinite(dot(v, v, n))) return INGLE_OK;
    size_t i = 0;
    while (isfinite(v[i])) i++;
    return ingle_fail(err, INGLE_EFORMAT, "value %zu of %s is %s, no number", i, name,
                      isnan(v[i]) ? "NaN" : "infinite");
}

static ingle_status check_row(const float *row, size_t i_row, size_t n, ingle_error *err)
{
    char name[32];
    snprintf(name, sizeof name, "row %zu", i_row);
    return check_values(name, row, n, err);
}

ingle_status ingle_vector_compare(ingle_metric metric, const float *a, size_t n_a, const float *b,
                                  size_t n_b, double *value, ingle_error *err)
{
    ingle_status st = check_metric(metric, err);
    if (st) return st;
    if (!a || !b || !value) return ingle_fail(err, INGLE_EINVAL, "a, b or value is NULL");
    if (n_a != n_b)
        return ingle_fail(err, INGLE_EINVAL, "the vectors have %zu and %zu values", n_a, n_b);
    if (!n_a) return ingle_fail(err, INGLE_EINVAL, "the vectors have no values");
    if ((st = check_values("a", a, n_a, err))) return st;
    if ((st = check_values("b", b, n_a, err))) return st;
    *value = compare(metric, a, dot(a, a, n_a), b, n_a);
    return INGLE_OK;
}

/* ---- search ---------------------------------------------------------------------------------- */

/* Scores are such that larger ones are better until the hits are handed over. */
static bool worse(ingle_hit a, ingle_hit b)
{
    return a.score < b.score || (a.score == b.score && a.i_row > b.i_row);
}

/* Puts a hit at the root of a heap of n, whose root is the worst. */
static void sink(ingle_hit *heap, size_t n, ingle_hit hit)
{
    size_t at = 0;
    for (size_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && worse(heap[child + 1], heap[child])) child++;
        if (!worse(heap[child], hit)) break;
        heap[at] = heap[child];
    }
    heap[at] = hit;
}

static void rise(ingle_hit *heap, size_t n, ingle_hit hit)
{
    size_t at = n;
    for (; at && worse(hit, heap[(at - 1) / 2]); at = (at - 1) / 2) heap[at] = heap[(at - 1) / 2];
    heap[at] = hit;
}

/* What is asked: the nearest of [n_rows][n] to query. */
typedef struct question {
    ingle_metric metric;
    const float *query, *rows;
    size_t n_rows, n;
} question;

/* The k best rows as a heap, 1 <= k <= n_rows. */
static ingle_status collect(const question *q, ingle_hit *heap, size_t k, ingle_error *err)
{
    double qq = dot(q->query, q->query, q->n);
    size_t have = 0;
    for (size_t i = 0; i < q->n_rows; i++) {
        const float *row = q->rows + i * q->n;
        double value = compare(q->metric, q->query, qq, row, q->n);
        if (!isfinite(value)) return check_row(row, i, q->n, err);
        value = value > FLT_MAX ? FLT_MAX : value < -FLT_MAX ? -FLT_MAX : value;
        ingle_hit hit = {i, (float)(q->metric == INGLE_METRIC_EUCLIDEAN ? -value : value)};
        if (have < k) rise(heap, have++, hit);
        else if (worse(heap[0], hit)) sink(heap, k, hit);
    }
    return INGLE_OK;
}

/* Best first, with the scores that the caller knows. */
static void hand_over(const question *q, ingle_hit *hits, ingle_hit *heap, size_t k)
{
    for (size_t m = k; m; m--) {
        hits[m - 1] = heap[0];
        if (q->metric == INGLE_METRIC_EUCLIDEAN) hits[m - 1].score = -hits[m - 1].score;
        sink(heap, m - 1, heap[m - 1]);
    }
}

ingle_status ingle_vector_search(ingle_metric metric, const float *query, const float *rows,
                                 size_t n_rows, size_t n, size_t k, ingle_hit *hits, size_t *n_hits,
                                 ingle_error *err)
{
    question q = {metric, query, rows, n_rows, n};
    ingle_status st = check_metric(metric, err);
    if (st) return st;
    if (!query || (!rows && n_rows) || (!hits && k && n_rows) || !n_hits)
        return ingle_fail(err, INGLE_EINVAL, "query, rows, hits or n_hits is NULL");
    if (!n) return ingle_fail(err, INGLE_EINVAL, "the vectors have no values");
    if ((st = check_values("the query", query, n, err))) return st;
    if (k > n_rows) k = n_rows;
    ingle_hit *heap = ingle_new(k, sizeof *heap); /* a refused row leaves the caller's hits alone */
    if (!heap) return ingle_fail(err, INGLE_ENOMEM, "no memory for %zu hits", k);
    if (k) st = collect(&q, heap, k, err);
    if (!st) hand_over(&q, hits, heap, k);
    if (!st) *n_hits = k;
    free(heap);
    return st;
}
