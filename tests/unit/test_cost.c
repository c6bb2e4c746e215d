/* test_cost.c - the time of a step: what the model predicts from a guess, from recorded times, and
 * after times that make no sense. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <string.h>

#include <cmocka.h>

#include "engine/cost.h"

enum { N_BATCH = 512 };

static const ingle_cost_guess guess = {
    .step = 0.04, .token = 0.004, .head = 0.004, .row = 0.001, .few = 1e-7, .many = 2e-8};

static uint32_t seed;

static double draw(void) /* 0 .. 1 */
{
    seed = seed * 1664525u + 1013904223u;
    return (double)(seed >> 8) / (1 << 24);
}

static size_t draw_size(size_t most)
{
    return 1 + (size_t)(draw() * (double)most) % most;
}

/* Steps of n tokens without rows and attention. */
static double body(const ingle_cost_model *m, size_t n)
{
    return ingle_cost_predict(m, &(ingle_shape){.n_tokens = n});
}

static void learn_body(ingle_cost_model *m, size_t n, double seconds)
{
    ingle_cost_learn(m, &(ingle_shape){.n_tokens = n}, &(ingle_step_times){.body = seconds});
}

/* As measured with a model of 1B parameters on two cores, in steps of one token: linear between
 * the sizes at which kernels change. */
static double recorded(size_t n)
{
    static const double at[][2] = {{1, 1},    {2, 1.03},   {3, 1.06},   {4, 1.1},   {6, 1.45},
                                   {8, 1.79}, {9, 1.84},   {12, 2.1},   {16, 2.67}, {32, 3.3},
                                   {64, 5.9}, {128, 11.1}, {256, 21.4}, {512, 42},  {513, 42.1}};
    size_t i = 0;
    while (at[i + 1][0] <= (double)n) i++;
    double part = ((double)n - at[i][0]) / (at[i + 1][0] - at[i][0]);
    return 0.038 * (at[i][1] + part * (at[i + 1][1] - at[i][1]));
}

#define assert_near(a, b, part)                                                                    \
    do {                                                                                           \
        double a_ = (a), b_ = (b);                                                                 \
        if (!(fabs(a_ - b_) <= (part)*fabs(b_))) fail_msg("%.9g, not %.9g", a_, b_);               \
    } while (0)

/* ---- sizes ---- */

static void test_knots(void **state)
{
    static const size_t known[] = {1,  2,  3,  4,  6,   8,   9,   12,  16, 24,
                                   32, 48, 64, 96, 128, 192, 256, 384, 512};
    static const size_t batches[] = {1, 2, 5, 9, 16, 17, 100, 700, 4096, 1u << 30, SIZE_MAX};
    ingle_cost_model m;
    (void)state;
    ingle_cost_init(&m, N_BATCH, &guess);
    assert_int_equal(m.n_knots, sizeof known / sizeof *known);
    assert_memory_equal(m.at, known, sizeof known);
    for (size_t i = 0; i < sizeof batches / sizeof *batches; i++) {
        ingle_cost_init(&m, batches[i], &guess);
        assert_in_range(m.n_knots, 1, INGLE_COST_KNOTS);
        assert_true(m.at[0] == 1 && m.at[m.n_knots - 1] == batches[i]);
        for (size_t k = 1; k < m.n_knots; k++) assert_true(m.at[k - 1] < m.at[k]);
    }
}

static void test_shape(void **state)
{
    ingle_shape s = {0};
    (void)state;
    ingle_shape_add(&s, 99, 1, 1); /* one token that sees 100 positions */
    assert_true(s.n_tokens == 1 && s.n_rows == 1 && s.few == 100 && s.many == 0);
    ingle_shape_add(&s, 10, 3, 0); /* 11 + 12 + 13 */
    assert_true(s.n_tokens == 4 && s.n_rows == 1 && s.few == 100 && s.many == 36);
}

/* ---- the guess ---- */

static void test_guess(void **state)
{
    ingle_cost_model m;
    ingle_shape s = {.n_tokens = 40, .n_rows = 3, .few = 1000, .many = 5000};
    (void)state;
    ingle_cost_init(&m, N_BATCH, &guess);
    assert_true(ingle_cost_predict(&m, &(ingle_shape){0}) == 0);
    for (size_t n = 1; n <= N_BATCH; n++)
        assert_near(body(&m, n), 0.04 + 0.004 * (double)(n - 1), 1e-12);
    assert_near(ingle_cost_predict(&m, &s), 0.04 + 39 * 0.004 + 0.006 + 1e-4 + 1e-4, 1e-12);
    ingle_cost_init(&m, N_BATCH, &(ingle_cost_guess){.step = -1, .token = NAN, .few = INFINITY});
    for (size_t n = 1; n <= N_BATCH; n++) assert_true(body(&m, n) > 0 && body(&m, n) < 1e-8);
}

/* A guess that is 1000 times off is left in ten doublings, and the next time counts fully. */
static void test_wrong_guess(void **state)
{
    (void)state;
    for (int up = 0; up < 2; up++) {
        ingle_cost_model m;
        double t = up ? 40 : 4e-5;
        ingle_cost_init(&m, N_BATCH, &guess);
        for (int i = 1; i < 10; i++) {
            learn_body(&m, 1, t);
            assert_near(body(&m, 1), 0.04 * pow(up ? 2 : 0.5, i), 1e-12);
        }
        learn_body(&m, 1, t);
        assert_near(body(&m, 1), t, 1e-12);
        assert_near(body(&m, 33), t / 0.04 * (0.04 + 0.004 * 32), 1e-12); /* the shape is kept */
    }
}

/* ---- times ---- */

static void test_between(void **state)
{
    ingle_cost_model m;
    (void)state;
    ingle_cost_init(&m, N_BATCH, &guess);
    learn_body(&m, 4, 0.06);
    assert_near(body(&m, 4), 0.06, 1e-12);
    assert_near(body(&m, 512), (0.04 + 0.004 * 511) * 0.06 / 0.052, 1e-12); /* as at 4 */
    learn_body(&m, 6, 0.075);
    assert_near(body(&m, 5), 0.0675, 1e-12);
    learn_body(&m, 9, 0.108); /* 1.5 times the guess; 8 was never measured */
    assert_near(body(&m, 8), 0.075 + 0.033 * 2 / 3, 1e-12);
    assert_near(body(&m, 12), (0.04 + 0.004 * 11) * 1.5, 1e-12);
}

/* A size between two knots is a matter of both, and of no other. */
static void test_shares(void **state)
{
    ingle_cost_model m, before;
    (void)state;
    ingle_cost_init(&m, N_BATCH, &guess);
    for (size_t k = 0; k < m.n_knots; k++) learn_body(&m, m.at[k], 0.001 * (double)m.at[k]);
    before = m;
    learn_body(&m, 112, 0.12);
    for (size_t k = 0; k < m.n_knots; k++) {
        bool near = m.at[k] == 96 || m.at[k] == 128;
        assert_true(near == (m.body.value[k] > before.body.value[k]));
        if (!near) assert_true(m.body.value[k] == before.body.value[k]);
    }
    for (int i = 0; i < 400; i++) learn_body(&m, 112, 0.12);
    assert_near(body(&m, 112), 0.12, 1e-9); /* two halves of an eighth each: 15/16 are left */
}

/* Times of any size find the curve they lie on. */
static void test_converges(void **state)
{
    ingle_cost_model m;
    (void)state;
    seed = 1;
    ingle_cost_init(&m, N_BATCH, &guess);
    for (int i = 0; i < 20000; i++) {
        size_t n = draw_size(draw() < 0.5 ? 16 : N_BATCH);
        learn_body(&m, n, recorded(n));
    }
    for (size_t n = 1; n <= N_BATCH; n++) assert_near(body(&m, n), recorded(n), 0.01);
}

/* A mean of times that are off by up to a tenth is off by a tenth at most, and so is the highest
 * mean up to a size. */
static void test_noise(void **state)
{
    ingle_cost_model m;
    (void)state;
    seed = 2;
    ingle_cost_init(&m, N_BATCH, &guess);
    for (int i = 0; i < 5000; i++) {
        size_t n = m.at[draw_size(m.n_knots) - 1];
        learn_body(&m, n, recorded(n) * (0.9 + 0.2 * draw()));
    }
    for (size_t n = 1; n <= N_BATCH; n++) assert_near(body(&m, n), recorded(n), 0.1 + 1e-9);
}

/* One step of 1000 times its time doubles the estimate; k steps later 7/8 to the k is left. */
static void test_outlier(void **state)
{
    ingle_cost_model m;
    (void)state;
    ingle_cost_init(&m, N_BATCH, &guess);
    for (int i = 0; i < 20; i++) learn_body(&m, 64, 0.2);
    learn_body(&m, 64, 200);
    assert_near(body(&m, 64), 0.4, 1e-12);
    for (int k = 1; k < 30; k++) {
        learn_body(&m, 64, 0.2);
        assert_near(body(&m, 64), 0.2 * (1 + pow(0.875, k)), 1e-9);
    }
    learn_body(&m, 64, 0); /* a clock that stood still */
    assert_true(body(&m, 64) > 0.17);
}

/* A smaller step that takes longer lifts what is predicted, not what is learnt: once it is quicker,
 * the larger one is back at its own time. */
static void test_plateau(void **state)
{
    ingle_cost_model m;
    (void)state;
    ingle_cost_init(&m, N_BATCH, &guess);
    for (int i = 0; i < 40; i++) {
        learn_body(&m, 6, 0.1);
        learn_body(&m, 8, 0.08);
    }
    assert_near(body(&m, 6), 0.1, 1e-9);
    assert_near(body(&m, 8), 0.1, 1e-9);
    for (int i = 0; i < 400; i++) learn_body(&m, 6, 0.05);
    assert_near(body(&m, 8), 0.08, 1e-9);
}

static void test_no_times(void **state)
{
    static const double none[] = {-1, -1e-300, NAN, INFINITY, -INFINITY};
    ingle_cost_model m, before;
    ingle_shape s = {.n_tokens = 5, .n_rows = 2, .few = 10, .many = 20};
    (void)state;
    ingle_cost_init(&m, N_BATCH, &guess);
    learn_body(&m, 5, 0.1);
    before = m;
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        ingle_cost_learn(&m, &s, &(ingle_step_times){none[i], none[i], none[i]});
    ingle_cost_learn(&m, &(ingle_shape){0}, &(ingle_step_times){1, 1, 1}); /* nobody took that */
    assert_memory_equal(&m, &before, sizeof m);
}

/* ---- rows and attention ---- */

static void test_rows(void **state)
{
    ingle_cost_model m;
    (void)state;
    ingle_cost_init(&m, N_BATCH, &guess);
    ingle_shape s = {.n_tokens = 8, .n_rows = 8};
    double before = body(&m, 8);
    for (int i = 0; i < 10; i++)
        ingle_cost_learn(&m, &s, &(ingle_step_times){.body = before, .rows = 0.02});
    assert_near(body(&m, 8), before, 1e-9);
    assert_near(ingle_cost_predict(&m, &s), before + 0.02, 1e-9);
}

/* Steps of one kind teach their kind; mixed ones of changing parts teach both. */
static void test_attention(void **state)
{
    const double few = 4e-7, many = 5e-8;
    ingle_cost_model m;
    (void)state;
    seed = 3;
    ingle_cost_init(&m, N_BATCH, &guess);
    ingle_cost_learn(&m, &(ingle_shape){.n_tokens = 1, .few = 1000},
                     &(ingle_step_times){.body = 0.04, .attend = 1.5e-4});
    assert_near(m.few.seconds, 1.5e-7, 1e-12);
    assert_true(m.many.seconds == guess.many);
    for (int i = 0; i < 20000; i++) {
        ingle_shape s = {.n_tokens = 2, .few = 1e4 * draw(), .many = 1e5 * draw()};
        ingle_cost_learn(&m, &s,
                         &(ingle_step_times){.body = 0.04, .attend = s.few * few + s.many * many});
    }
    assert_near(m.few.seconds, few, 0.01);
    assert_near(m.many.seconds, many, 0.01);
    for (int i = 0; i < 2000; i++) /* a model without attention */
        ingle_cost_learn(&m, &(ingle_shape){.n_tokens = 2, .few = 5, .many = 5},
                         &(ingle_step_times){0});
    assert_true(m.few.seconds > 0 && m.many.seconds > 0);
}

/* ---- any times at all ---- */

static double any_time(void)
{
    double kind = draw();
    return kind < 0.02 ? 0 : kind < 0.04 ? 1e300 : exp(30 * draw() - 25);
}

/* Larger steps are never cheaper, and no step changes a prediction by more than a factor of 2. */
static void test_any_times(void **state)
{
    static double before[N_BATCH + 1];
    (void)state;
    for (uint32_t k = 0; k < 20; k++) {
        ingle_cost_model m;
        seed = k;
        size_t n_batch = draw_size(N_BATCH);
        ingle_cost_init(&m, n_batch, &guess);
        for (int i = 0; i < 200; i++) {
            for (size_t n = 0; n <= n_batch; n++) before[n] = body(&m, n);
            learn_body(&m, draw_size(n_batch), any_time());
            for (size_t n = 1; n <= n_batch; n++) {
                double t = body(&m, n);
                assert_true(isfinite(t) && t > 0 && t >= body(&m, n - 1));
                assert_true(t <= 2.000001 * before[n] && t >= 0.499999 * before[n]);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_knots),     cmocka_unit_test(test_shape),
        cmocka_unit_test(test_guess),     cmocka_unit_test(test_wrong_guess),
        cmocka_unit_test(test_between),   cmocka_unit_test(test_shares),
        cmocka_unit_test(test_converges), cmocka_unit_test(test_noise),
        cmocka_unit_test(test_outlier),   cmocka_unit_test(test_plateau),
        cmocka_unit_test(test_no_times),  cmocka_unit_test(test_rows),
        cmocka_unit_test(test_attention), cmocka_unit_test(test_any_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
