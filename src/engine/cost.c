/* cost.c - tables of seconds with knots, and one rule by which everything learns. */
#include "engine/cost.h"

#include <assert.h>
#include <math.h>
#include <string.h>

static const double most_weight = 7, least_seconds = 1e-12;

/* ---- one estimate ---- */

static double positive(double seconds)
{
    return isfinite(seconds) && seconds > least_seconds ? seconds : least_seconds;
}

/* A step took `ratio` times what was predicted; `share` (0..1) of it is this estimate's. The first
 * step counts fully, the second half, and so on down to 1/8. A step that was kept from moving the
 * estimate as far as it would has not been reached, so it gives no weight: a wrong guess is left in
 * doublings. */
static void learn(ingle_cost_value *v, double share, double ratio)
{
    if (share <= 0) return;
    double factor = 1 + share / (v->weight + share) * (ratio - 1);
    bool bounded = factor < 0.5 || factor > 2;
    v->seconds = positive(v->seconds * fmin(fmax(factor, 0.5), 2));
    if (!bounded) v->weight = fmin(v->weight + share, most_weight);
}

static bool is_time(double seconds)
{
    return isfinite(seconds) && seconds >= 0;
}

/* ---- knots ---- */

/* Sizes of steps at which kernels change their ways, then two for every doubling. */
static size_t place_knots(size_t *at, size_t n_batch)
{
    static const size_t small[] = {1, 2, 3, 4, 6, 8, 9, 12};
    size_t n = 0;
    for (size_t i = 0; i < sizeof small / sizeof *small && small[i] < n_batch; i++)
        at[n++] = small[i];
    for (size_t size = 16; size < n_batch && n + 2 < INGLE_COST_KNOTS; size *= 2) {
        at[n++] = size;
        if (size + size / 2 < n_batch) at[n++] = size + size / 2;
    }
    at[n++] = n_batch;
    return n;
}

/* The last knot that is not beyond n; *part is how far n lies on the way to the next one. */
static size_t find_knot(const ingle_cost_model *m, size_t n, double *part)
{
    size_t low = 0, high = m->n_knots;
    while (high - low > 1) {
        size_t mid = low + (high - low) / 2;
        if (m->at[mid] <= n) low = mid;
        else high = mid;
    }
    *part = high < m->n_knots ? (double)(n - m->at[low]) / (double)(m->at[high] - m->at[low]) : 0;
    return low;
}

static double between(const double *y, size_t k, double part)
{
    return part > 0 ? y[k] + part * (y[k + 1] - y[k]) : y[k];
}

/* ---- a table ---- */

static double scale_at(const ingle_cost_table *t, size_t k)
{
    return t->knot[k].seconds / t->guess[k];
}

/* Of a knot that was never measured: on the line between those measured to its left and right. To
 * one side of all of them the guess keeps its shape, and is as wrong as at the nearest. */
static double expected(const ingle_cost_model *m, const ingle_cost_table *t, size_t k)
{
    size_t left = k, right = k + 1;
    while (left > 0 && t->knot[left - 1].seconds <= 0) left--;
    while (right < m->n_knots && t->knot[right].seconds <= 0) right++;
    if (left == 0) return right < m->n_knots ? t->guess[k] * scale_at(t, right) : t->guess[k];
    if (right == m->n_knots) return t->guess[k] * scale_at(t, left - 1);
    double a = t->knot[left - 1].seconds, b = t->knot[right].seconds;
    double from = (double)m->at[left - 1], to = (double)m->at[right];
    return a + (b - a) * ((double)m->at[k] - from) / (to - from);
}

static void update(const ingle_cost_model *m, ingle_cost_table *t)
{
    double most = 0;
    for (size_t k = 0; k < m->n_knots; k++) {
        double known = t->knot[k].seconds;
        t->value[k] = known > 0 ? known : positive(expected(m, t, k));
        t->curve[k] = most = fmax(most, t->value[k]);
    }
}

static void init_table(const ingle_cost_model *m, ingle_cost_table *t, double first, double next)
{
    for (size_t k = 0; k < m->n_knots; k++)
        t->guess[k] = positive(first) + (double)(m->at[k] - 1) * positive(next);
    update(m, t);
}

static double table_at(const ingle_cost_model *m, const ingle_cost_table *t, size_t n)
{
    double part;
    if (!n) return 0;
    size_t k = find_knot(m, n, &part);
    return between(t->curve, k, part);
}

static void learn_knot(ingle_cost_table *t, size_t k, double share, double ratio)
{
    if (share > 0 && t->knot[k].seconds <= 0) t->knot[k].seconds = t->value[k];
    learn(&t->knot[k], share, ratio);
}

/* A step of n took that long: both knots beside n learn, each as much as it counts there. The
 * ratio is that to the values themselves, not to the curve over them. */
static void learn_table(const ingle_cost_model *m, ingle_cost_table *t, size_t n, double seconds)
{
    double part;
    if (!n || !is_time(seconds)) return;
    size_t k = find_knot(m, n, &part);
    double ratio = seconds / between(t->value, k, part);
    learn_knot(t, k, 1 - part, ratio);
    if (part > 0) learn_knot(t, k + 1, part, ratio);
    update(m, t);
}

/* ---- the model ---- */

void ingle_cost_init(ingle_cost_model *m, size_t n_batch, const ingle_cost_guess *guess)
{
    assert(n_batch);
    memset(m, 0, sizeof *m);
    m->n_knots = place_knots(m->at, n_batch);
    init_table(m, &m->body, guess->step, guess->token);
    init_table(m, &m->head, guess->head, guess->row);
    m->few.seconds = positive(guess->few);
    m->many.seconds = positive(guess->many);
}

void ingle_shape_add(ingle_shape *shape, size_t pos, size_t n, size_t n_rows)
{
    double attended = (double)n * (double)pos + (double)n * ((double)n + 1) / 2;
    *(n == 1 ? &shape->few : &shape->many) += attended;
    shape->n_tokens += n;
    shape->n_rows += n_rows;
}

double ingle_cost_predict(const ingle_cost_model *m, const ingle_shape *shape)
{
    return table_at(m, &m->body, shape->n_tokens) + table_at(m, &m->head, shape->n_rows) +
           shape->few * m->few.seconds + shape->many * m->many.seconds;
}

/* Attention is measured as a whole; each kind learns as much as it was predicted to be of it. */
static void learn_attention(ingle_cost_model *m, const ingle_shape *shape, double seconds)
{
    double few = shape->few * m->few.seconds, many = shape->many * m->many.seconds;
    if (!is_time(seconds) || few + many <= 0) return;
    double ratio = seconds / (few + many), share = few / (few + many);
    learn(&m->few, share, ratio);
    learn(&m->many, 1 - share, ratio);
}

void ingle_cost_learn(ingle_cost_model *m, const ingle_shape *shape, const ingle_step_times *times)
{
    learn_table(m, &m->body, shape->n_tokens, times->body);
    learn_table(m, &m->head, shape->n_rows, times->rows);
    learn_attention(m, shape, times->attend);
}
