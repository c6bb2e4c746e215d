/* test_recur.c - recurrences and their small functions: the portable level against double with error
 * bounds that are carried along, every other level and every way to cut the tokens against it bit
 * for bit; nothing outside the rows is touched. */
#define _GNU_SOURCE
#include "guard.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define EPS 0x1p-24 /* half an ulp of 1 */

static const size_t sizes[] = {1, 2, 7, 15, 16, 17, 31, 33, 48, 49, 63, 64, 65, 80, 128, 130};
#define N_SIZES (sizeof sizes / sizeof *sizes)

/* n floats that end (or begin) where memory does. */
static guard floats(size_t n, bool low)
{
    return guard_new(n * sizeof(float), low);
}

static float *at(const guard *g)
{
    return (float *)(void *)g->at;
}

static void fill(float *p, size_t n, float by, uint64_t *seed)
{
    for (size_t i = 0; i < n; i++) p[i] = by * test_uniform(seed);
}

static int all_levels(ingle_kern *levels)
{
    ingle_kern_init(&levels[0], INGLE_ISA_REF);
    return 1 + test_levels(levels + 1);
}

static void near(double got, double want, double bound, const char *what, size_t i)
{
    if (!(fabs(got - want) <= bound))
        fail_msg("%s: element %zu is %.9g, should be %.9g to %.2g", what, i, got, want, bound);
}

/* ---- rows ---- */

enum { SOFTPLUS, SIGMOID, SIGMOID_MUL, NORM_L2, N_ROWS };
static const char *const row_names[] = {"softplus", "sigmoid", "sigmoid_mul", "norm_l2"};

static void apply(const ingle_kern *k, int op, float *dst, const float *a, const float *b, size_t n)
{
    switch (op) {
    case SOFTPLUS: k->softplus(dst, a, n); break;
    case SIGMOID: k->sigmoid(dst, a, n); break;
    case SIGMOID_MUL: k->sigmoid_mul(dst, a, b, n); break;
    default: k->norm_l2(dst, a, n, 1e-6f); break;
    }
}

/* Half ulps: exp 4, its sums and quotients 1 each; what the logarithm leaves out is below 1. */
static double row_truth(int op, const float *a, const float *b, size_t n, size_t i, double *bound)
{
    double x = (double)a[i], y, sum = 0;
    switch (op) {
    case SOFTPLUS:
        y = x > 0 ? x + log1p(exp(-x)) : log1p(exp(x));
        *bound = 10 * EPS * y + 0x1p-145; /* below 2^-126 numbers have fewer digits */
        return y;
    case SIGMOID:
    case SIGMOID_MUL:
        y = 1 / (1 + exp(-x)) * (op == SIGMOID ? 1 : (double)b[i]);
        *bound = 8 * EPS * fabs(y) + 0x1p-126; /* exp(-x) is infinite below -88.73 */
        return y;
    default:
        for (size_t j = 0; j < n; j++) sum += (double)a[j] * (double)a[j];
        y = x / fmax(sqrt(sum), (double)1e-6f);
        *bound = (((double)n / 16 + 5) / 2 + 4) * EPS * fabs(y);
        return y;
    }
}

static void rows(void **state)
{
    static const float scales[] = {1e-9f, 0.3f, 4, 30, 120};
    ingle_kern levels[TEST_MAX_LEVELS + 1];
    int n_levels = all_levels(levels);
    uint64_t seed = 3;
    (void)state;
    for (size_t i = 0; i < N_SIZES * 10; i++) {
        size_t n = sizes[i / 10];
        guard a = floats(n, i & 1), b = floats(n, i & 1), want = floats(n, i & 1),
              got = floats(n, i & 1);
        fill(at(&a), n, scales[i / 2 % 5], &seed);
        fill(at(&b), n, 2, &seed);
        for (int op = 0; op < N_ROWS; op++) {
            apply(&levels[0], op, at(&want), at(&a), at(&b), n);
            for (size_t j = 0; j < n; j++) {
                double bound, y = row_truth(op, at(&a), at(&b), n, j, &bound);
                near((double)at(&want)[j], y, bound, row_names[op], j);
            }
            for (int l = 1; l < n_levels; l++) {
                apply(&levels[l], op, at(&got), at(&a), at(&b), n);
                if (memcmp(at(&want), at(&got), n * sizeof(float)))
                    fail_msg("%s at %s differs, %zu elements", row_names[op], levels[l].name, n);
            }
        }
        guard_free(&a), guard_free(&b), guard_free(&want), guard_free(&got);
    }
}

/* softplus(x) is x far to the right, NaN stays NaN. */
static void edges(void **state)
{
    const float x[6] = {25, 1000, INFINITY, -INFINITY, NAN, 0};
    float y[6], z[6];
    ingle_kern levels[TEST_MAX_LEVELS + 1];
    int n_levels = all_levels(levels);
    (void)state;
    for (int l = 0; l < n_levels; l++) {
        levels[l].softplus(y, x, 6);
        levels[l].sigmoid(z, x, 6);
        assert_true(y[0] == 25 && y[1] == 1000 && y[2] == INFINITY && y[3] == 0 && y[4] != y[4]);
        assert_true(z[0] == 1 && z[1] == 1 && z[2] == 1 && z[3] == 0 && z[4] != z[4]);
        assert_true(fabs((double)y[5] - log(2)) < 1e-7 && z[5] == 0.5f);
    }
}

/* ---- short convolution ---- */

static void conv(void **state)
{
    ingle_kern levels[TEST_MAX_LEVELS + 1];
    int n_levels = all_levels(levels);
    uint64_t seed = 5;
    (void)state;
    for (size_t i = 0; i < N_SIZES * 8; i++) {
        size_t n = sizes[i / 8], n_taps = 2 + i % 4, first = n > 20 ? 16 : 0;
        guard x[5], w = floats(n_taps * n, false), bias = floats(n, false), want = floats(n, false),
                    got = floats(n, false);
        const float *taps[5];
        fill(at(&w), n_taps * n, 1, &seed);
        fill(at(&bias), n, 1, &seed);
        for (size_t k = 0; k < n_taps; k++) {
            x[k] = floats(n, false);
            fill(at(&x[k]), n, 2, &seed);
            taps[k] = at(&x[k]);
        }
        ingle_conv job = {.taps = taps,
                          .w = at(&w),
                          .n_taps = n_taps,
                          .ld_w = n,
                          .bias = i & 4 ? at(&bias) : NULL,
                          .silu = i & 2,
                          .dst = at(&want)};
        levels[0].conv(&job, 0, n);
        for (size_t c = 0; c < n; c++) {
            double y = 0, mag = 0;
            for (size_t k = 0; k < n_taps; k++) {
                y += (double)taps[k][c] * (double)at(&w)[k * n + c];
                mag += fabs((double)taps[k][c] * (double)at(&w)[k * n + c]);
            }
            if (job.bias) y += (double)job.bias[c], mag += fabs((double)job.bias[c]);
            double bound = (double)(n_taps + 1) * EPS * mag; /* silu's slope is below 1.1 */
            if (job.silu) y = y / (1 + exp(-y)), bound = 1.1 * bound + 7 * EPS * fabs(y);
            near((double)at(&want)[c], y, bound, "conv", c);
        }
        for (int l = 0; l < n_levels; l++) { /* in two parts */
            job.dst = at(&got);
            levels[l].conv(&job, first, n - first);
            if (first) levels[l].conv(&job, 0, first);
            if (memcmp(at(&want), at(&got), n * sizeof(float)))
                fail_msg("conv at %s differs, %zu channels", levels[l].name, n);
        }
        for (size_t k = 0; k < n_taps; k++) guard_free(&x[k]);
        guard_free(&w), guard_free(&bias), guard_free(&want), guard_free(&got);
    }
}

/* ---- selective scan ---- */

enum { TOKENS = 11, KEYS = 19 };

typedef struct scan_case {
    size_t n, ld_state;
    guard x, dt, bc, a, d, state, out;
    ingle_scan job;
} scan_case;

static void scan_open(scan_case *s, size_t n, bool by_channel, uint64_t seed)
{
    size_t n_dt = by_channel ? n : 1, n_a = by_channel ? KEYS * n : 1;
    s->n = n;
    s->ld_state = ingle_round_up(n, 16);
    s->x = floats(TOKENS * n, false), s->dt = floats(TOKENS * n_dt, false);
    s->bc = floats(TOKENS * 2 * KEYS, false), s->a = floats(n_a, false);
    s->d = floats(n_dt, false), s->state = floats(KEYS * s->ld_state, false);
    s->out = floats(TOKENS * n, false);
    fill(at(&s->x), TOKENS * n, 2, &seed);
    fill(at(&s->dt), TOKENS * n_dt, 0.5f, &seed);
    fill(at(&s->bc), TOKENS * 2 * KEYS, 1, &seed);
    fill(at(&s->a), n_a, 2, &seed);
    fill(at(&s->d), n_dt, 1, &seed);
    for (size_t i = 0; i < TOKENS * n_dt; i++) at(&s->dt)[i] += 0.5f; /* a step is positive */
    for (size_t i = 0; i < n_a; i++) at(&s->a)[i] -= 2;               /* a decay negative */
    s->job = (ingle_scan){.by_channel = by_channel,
                          .state = at(&s->state),
                          .n_state = KEYS,
                          .ld_state = s->ld_state,
                          .n = n,
                          .n_tokens = TOKENS,
                          .x = at(&s->x),
                          .dt = at(&s->dt),
                          .b = at(&s->bc),
                          .c = at(&s->bc) + KEYS,
                          .a = at(&s->a),
                          .d = at(&s->d),
                          .out = at(&s->out),
                          .ld_x = n,
                          .ld_dt = n_dt,
                          .ld_bc = 2 * KEYS,
                          .ld_a = n,
                          .ld_out = n};
}

static void scan_close(scan_case *s)
{
    guard_free(&s->x), guard_free(&s->dt), guard_free(&s->bc), guard_free(&s->a);
    guard_free(&s->d), guard_free(&s->state), guard_free(&s->out);
}

static void scan_truth(const scan_case *s)
{
    const ingle_scan *j = &s->job;
    for (size_t c = 0; c < s->n; c++) {
        double h[KEYS] = {0}, e[KEYS] = {0}; /* state, and its error so far */
        for (size_t t = 0; t < TOKENS; t++) {
            double x = (double)j->x[t * j->ld_x + c];
            double dt = (double)j->dt[t * j->ld_dt + (j->by_channel ? c : 0)];
            double y = 0, err = 0, mag = 0, d = (double)j->d[j->by_channel ? c : 0];
            for (size_t k = 0; k < KEYS; k++) {
                double a = (double)j->a[j->by_channel ? k * j->ld_a + c : 0];
                double keep = exp(dt * a), b = (double)j->b[t * j->ld_bc + k],
                       cc = (double)j->c[t * j->ld_bc + k];
                e[k] =
                    keep * e[k] + EPS * (fabs(keep * h[k]) * (5 + fabs(dt * a)) + fabs(b * x * dt));
                h[k] = h[k] * keep + b * x * dt;
                e[k] += EPS * fabs(h[k]);
                y += cc * h[k], mag += fabs(cc * h[k]), err += fabs(cc) * e[k];
            }
            y += x * d, mag += fabs(x * d);
            near((double)j->out[t * j->ld_out + c], y, 1.01 * (err + EPS * (KEYS + 1) * mag),
                 "scan", t * s->n + c);
        }
    }
}

static void scan(void **state)
{
    ingle_kern levels[TEST_MAX_LEVELS + 1];
    int n_levels = all_levels(levels);
    (void)state;
    for (size_t i = 0; i < N_SIZES * 2; i++) {
        scan_case want, got;
        scan_open(&want, sizes[i / 2], i & 1, 40 + i);
        levels[0].scan(&want.job);
        scan_truth(&want);
        for (int l = 0; l < n_levels; l++)
            for (size_t part = 1; part <= TOKENS; part += 3) {
                scan_open(&got, sizes[i / 2], i & 1, 40 + i);
                ingle_scan job = got.job;
                for (size_t t = 0; t < TOKENS; t += part) {
                    job.n_tokens = TOKENS - t < part ? TOKENS - t : part;
                    levels[l].scan(&job);
                    job.x += part * job.ld_x, job.dt += part * job.ld_dt;
                    job.b += part * job.ld_bc, job.c += part * job.ld_bc;
                    job.out += part * job.ld_out;
                }
                if (memcmp(at(&want.out), at(&got.out), TOKENS * want.n * sizeof(float)) ||
                    memcmp(at(&want.state), at(&got.state), KEYS * want.ld_state * sizeof(float)))
                    fail_msg("scan at %s differs, %zu channels, %zu tokens at once", levels[l].name,
                             want.n, part);
                scan_close(&got);
            }
        scan_close(&want);
    }
}

/* ---- gated delta rule ---- */

typedef struct delta_case {
    size_t n, ld_state;
    guard qk, v, gate, beta, state, out;
    ingle_delta job;
} delta_case;

static void delta_open(delta_case *s, size_t n, uint64_t seed)
{
    s->n = n;
    s->ld_state = ingle_round_up(n, 16);
    s->qk = floats(TOKENS * 2 * KEYS, false), s->v = floats(TOKENS * n, false);
    s->gate = floats(TOKENS, false), s->beta = floats(TOKENS, false);
    s->state = floats(KEYS * s->ld_state, false), s->out = floats(TOKENS * n, false);
    fill(at(&s->qk), TOKENS * 2 * KEYS, 0.4f, &seed);
    fill(at(&s->v), TOKENS * n, 2, &seed);
    fill(at(&s->gate), TOKENS, 1, &seed);
    fill(at(&s->beta), TOKENS, 0.5f, &seed);
    for (size_t t = 0; t < TOKENS; t++) at(&s->gate)[t] += 1, at(&s->beta)[t] += 0.5f;
    s->job = (ingle_delta){.state = at(&s->state),
                           .n_key = KEYS,
                           .ld_state = s->ld_state,
                           .n = n,
                           .n_tokens = TOKENS,
                           .q = at(&s->qk),
                           .k = at(&s->qk) + KEYS,
                           .v = at(&s->v),
                           .gate = at(&s->gate),
                           .beta = at(&s->beta),
                           .a = -0.7f,
                           .scale = 0.25f,
                           .out = at(&s->out),
                           .ld_qk = 2 * KEYS,
                           .ld_v = n,
                           .ld_gate = 1,
                           .ld_beta = 1,
                           .ld_out = n};
}

static void delta_close(delta_case *s)
{
    guard_free(&s->qk), guard_free(&s->v), guard_free(&s->gate), guard_free(&s->beta);
    guard_free(&s->state), guard_free(&s->out);
}

static void delta_truth(const delta_case *s)
{
    const ingle_delta *j = &s->job;
    for (size_t c = 0; c < s->n; c++) {
        double h[KEYS] = {0}, e[KEYS] = {0};
        for (size_t t = 0; t < TOKENS; t++) {
            const float *k = j->k + t * j->ld_qk, *q = j->q + t * j->ld_qk;
            double ag = (double)j->a * (double)j->gate[t], keep = exp(ag),
                   beta = (double)j->beta[t], m = 0, em = 0, mag = 0, y = 0, ey = 0;
            for (size_t r = 0; r < KEYS; r++) {
                h[r] *= keep;
                e[r] = keep * e[r] + EPS * fabs(h[r]) * (5 + fabs(ag));
                m += (double)k[r] * h[r], mag += fabs((double)k[r] * h[r]);
                em += fabs((double)k[r]) * e[r];
            }
            em += EPS * KEYS * mag;
            double v = (double)j->v[t * j->ld_v + c], d = (v - m) * beta;
            double ed = beta * em + EPS * 2 * fabs(d);
            mag = 0;
            for (size_t r = 0; r < KEYS; r++) {
                h[r] += (double)k[r] * d;
                e[r] += fabs((double)k[r]) * ed + EPS * fabs(h[r]);
                y += (double)q[r] * h[r], mag += fabs((double)q[r] * h[r]);
                ey += fabs((double)q[r]) * e[r];
            }
            ey = (ey + EPS * (KEYS + 1) * mag) * (double)j->scale;
            near((double)j->out[t * j->ld_out + c], y * (double)j->scale, 1.01 * ey, "delta",
                 t * s->n + c);
        }
    }
}

static void delta(void **state)
{
    ingle_kern levels[TEST_MAX_LEVELS + 1];
    int n_levels = all_levels(levels);
    (void)state;
    for (size_t i = 0; i < N_SIZES; i++) {
        delta_case want, got;
        delta_open(&want, sizes[i], 90 + i);
        levels[0].delta(&want.job);
        delta_truth(&want);
        for (int l = 0; l < n_levels; l++)
            for (size_t part = 1; part <= TOKENS; part += 5) {
                delta_open(&got, sizes[i], 90 + i);
                ingle_delta job = got.job;
                for (size_t t = 0; t < TOKENS; t += part) {
                    job.n_tokens = TOKENS - t < part ? TOKENS - t : part;
                    levels[l].delta(&job);
                    job.q += part * job.ld_qk, job.k += part * job.ld_qk;
                    job.v += part * job.ld_v, job.out += part * job.ld_out;
                    job.gate += part, job.beta += part;
                }
                if (memcmp(at(&want.out), at(&got.out), TOKENS * want.n * sizeof(float)) ||
                    memcmp(at(&want.state), at(&got.state), KEYS * want.ld_state * sizeof(float)))
                    fail_msg("delta at %s differs, %zu columns, %zu tokens at once", levels[l].name,
                             want.n, part);
                delta_close(&got);
            }
        delta_close(&want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows), cmocka_unit_test(edges), cmocka_unit_test(conv),
        cmocka_unit_test(scan), cmocka_unit_test(delta),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
