/* test_rows.c - row kernels: the portable level against long double with bounds from the data,
 * every other level against the portable one bit for bit; nothing outside a row is touched. */
#define _GNU_SOURCE
#include "guard.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define EPS 0x1p-24 /* half an ulp of 1 */

static const size_t sizes[] = {1,  2,  3,  4,  5,  7,  8,   9,   12,  15,   16,
                               17, 23, 24, 31, 32, 33, 40,  47,  48,  49,   63,
                               64, 65, 66, 67, 80, 96, 127, 128, 896, 2048, 4096};
#define N_SIZES (sizeof sizes / sizeof *sizes)

/* Equal bits, or both NaN: the payload of a NaN is nobody's promise. */
static void assert_same(const float *a, const float *b, size_t n, const char *what,
                        const char *level)
{
    for (size_t i = 0; i < n; i++)
        if (memcmp(a + i, b + i, 4) && !(isnan(a[i]) && isnan(b[i])))
            fail_msg("%s at %s: element %zu of %zu is %a, not %a", what, level, i, n, (double)b[i],
                     (double)a[i]);
}

enum {
    NORM,
    NORM_PLAIN,
    LAYER,
    ADD,
    MUL,
    SCALE,
    SILU,
    SILU_MUL,
    ADD_SCALED,
    SWIGLU_GATE,
    SWIGLU_UP,
    GELU,
    GELU_MUL,
    GELU_ERF,
    GELU_ERF_MUL,
    RELU2,
    XIELU,
    CLAMP,
    SOFTCAP,
    ROPE,
    ROPE_NEOX,
    EXP,
    N_OPS
};
static const char *const names[] = {"norm_rms",     "norm_rms without weight",
                                    "norm_layer",   "add",
                                    "mul",          "scale",
                                    "silu",         "silu_mul",
                                    "add_scaled",   "swiglu_gate",
                                    "swiglu_up",    "gelu",
                                    "gelu_mul",     "gelu_erf",
                                    "gelu_erf_mul", "relu2",
                                    "xielu",        "clamp",
                                    "softcap",      "rope",
                                    "rope neox",    "exp"};

static const float xielu[4] = {0.9f, 1.2f, 0.5f, -1e-6f};

static void apply(const ingle_kern *k, int op, float *dst, const float *a, const float *b, size_t n)
{
    switch (op) {
    case NORM: k->norm_rms(dst, a, b, n, 1e-5f); break;
    case NORM_PLAIN: k->norm_rms(dst, a, NULL, n, 1e-5f); break;
    case LAYER: k->norm_layer(dst, a, b, b, n, 1e-5f); break;
    case GELU: k->gelu(dst, a, n); break;
    case GELU_MUL: k->gelu_mul(dst, a, b, n); break;
    case GELU_ERF: k->gelu_erf(dst, a, n); break;
    case GELU_ERF_MUL: k->gelu_erf_mul(dst, a, b, n); break;
    case RELU2: k->relu2(dst, a, n); break;
    case XIELU: k->xielu(dst, a, xielu, n); break;
    case CLAMP: k->clamp(dst, a, 3.0f, n); break;
    case SOFTCAP: k->softcap(dst, a, 3.0f, n); break;
    case ADD: k->add(dst, a, b, n); break;
    case MUL: k->mul(dst, a, b, n); break;
    case SCALE: k->scale(dst, a, b[0], n); break;
    case SILU: k->silu(dst, a, n); break;
    case SILU_MUL: k->silu_mul(dst, a, b, n); break;
    case SWIGLU_GATE: k->swiglu_gate(dst, a, n); break;
    case SWIGLU_UP: k->swiglu_up(dst, a, n); break;
    case ADD_SCALED:
        if (dst != a) memcpy(dst, a, n * sizeof *a);
        k->add_scaled(dst, b, 0.7f, n);
        break;
    case EXP: k->exp(dst, a, n); break;
    case ROPE:
    case ROPE_NEOX:
        if (dst != a) memcpy(dst, a, n * sizeof *a);
        k->rope(dst, b, n & ~(size_t)1, op == ROPE_NEOX);
        break;
    }
}

/* What op promises, in long double; *mag is what the rounding errors scale with. */
static long double truth(int op, const float *a, const float *b, size_t n, size_t i,
                         long double *mag)
{
    long double x = a[i], y = b[i], sum = 0;
    size_t h = n / 2, p;
    switch (op) {
    case NORM:
    case NORM_PLAIN:
        for (size_t j = 0; j < n; j++) sum += (long double)a[j] * a[j];
        x /= sqrtl(sum / (long double)n + (long double)1e-5f);
        if (op == NORM) x *= y;
        return *mag = fabsl(x), x;
    case LAYER: {
        long double mean = 0, top = 0, var = 0;
        for (size_t j = 0; j < n; j++) mean += a[j], top = fmaxl(top, fabsl((long double)a[j]));
        mean /= (long double)n;
        for (size_t j = 0; j < n; j++) var += (a[j] - mean) * (a[j] - mean);
        long double s = 1 / sqrtl(var / (long double)n + (long double)1e-5f);
        *mag =
            (fabsl(x - mean) + top) * s * fabsl(y) + fabsl(y); /* the mean's error counts fully */
        return (x - mean) * s * y + y;
    }
    case GELU:
    case GELU_MUL: {
        long double t = tanhl((long double)0.79788456f * x * (1 + (long double)0.044715f * x * x));
        if (op == GELU) y = 1;
        return *mag = fabsl(x * y), x / 2 * (1 + t) * y;
    }
    case GELU_ERF: return *mag = fabsl(x), x / 2 * erfcl(-x / sqrtl(2)); /* of x (1 + erf) */
    case GELU_ERF_MUL: return *mag = fabsl(x * y), x / 2 * erfcl(-x / sqrtl(2)) * y;
    case RELU2: return *mag = x * x, x > 0 ? x * x : 0;
    case XIELU: {
        long double above = xielu[0], q = xielu[1], beta = xielu[2], m = fminl(x, xielu[3]);
        if (x > 0) return *mag = above * x * x + beta * x, *mag;
        *mag = q * (1 + fabsl(x)) + beta * fabsl(x);
        return (expm1l(m) - x) * q + beta * x;
    }
    case CLAMP: return *mag = 0, fmaxl(-3, fminl(3, x));
    case SOFTCAP: return *mag = 3 * fabsl(tanhl(x / 3)), 3 * tanhl(x / 3);
    case ADD: return *mag = fabsl(x + y), x + y;
    case MUL: return *mag = fabsl(x * y), x * y;
    case SCALE: return *mag = fabsl(x * b[0]), x * b[0];
    case SILU: return *mag = fabsl(x / (1 + expl(-x))), x / (1 + expl(-x));
    case SILU_MUL: return *mag = fabsl(x / (1 + expl(-x)) * y), x / (1 + expl(-x)) * y;
    case ADD_SCALED: return *mag = fabsl(x + y * 0.7f), x + y * 0.7f;
    case SWIGLU_GATE:
        x = fminl(x, 7);
        x /= 1 + expl(-(long double)1.702f * x);
        return *mag = fabsl(x), x;
    case SWIGLU_UP: x = fminl(7, fmaxl(-7, x)) + 1; return *mag = fabsl(x), x;
    case EXP: return *mag = expl(x), expl(x);
    default: break;
    }
    if (i >= 2 * h) return *mag = fabsl(x), x;
    p = op == ROPE ? i / 2 : i % h;
    long double u = a[op == ROPE ? 2 * p : p], v = a[op == ROPE ? 2 * p + 1 : p + h], c = b[2 * p],
                s = b[2 * p + 1];
    bool second = op == ROPE ? i & 1 : i >= h;
    *mag = fabsl(u * c) + fabsl(v * s);
    if (second) return *mag = fabsl(u * s) + fabsl(v * c), u * s + v * c;
    return u * c - v * s;
}

/* Roundings of one result in half ulps, counted from the formulas in kern.h; exp itself is good to
 * 2 ulp = 4. The norm sums n / 16 + 4 rounded terms of one sign, which the square root halves. */
static double roundings(int op, size_t n)
{
    switch (op) {
    case NORM:
    case NORM_PLAIN: return ((double)n / 16 + 4 + 3) / 2 + 4;
    case LAYER: return ((double)n / 16 + 4 + 3) / 2 + 4 + ((double)n / 16 + 6);
    case GELU:
    case GELU_MUL: return 4 + 4; /* tanh 4; its argument's 5 roundings weigh at most 0.45 each */
    case GELU_ERF: return 4 + 2; /* 1 + erf, which is at most 2, halved; the product */
    case GELU_ERF_MUL: return 4 + 3;
    case XIELU: return 4 + 5;
    case SOFTCAP: return 4 + 2;
    case SILU: return 4 + 2 + 1;
    case SILU_MUL: return 4 + 3 + 1;
    case SWIGLU_GATE: return 4 + 14 + 2 + 1; /* exp's argument, up to 13.6, is rounded */
    case EXP: return 4;
    case ROPE:
    case ROPE_NEOX: return 2;
    default: return 1;
    }
}

static void ref_is_right(void **state)
{
    (void)state;
    ingle_kern ref;
    ingle_kern_init(&ref, INGLE_ISA_REF);
    static float a[4096], b[4096], out[4096];
    uint64_t seed = 1;
    for (size_t s = 0; s < N_SIZES; s++) {
        size_t n = sizes[s];
        for (size_t i = 0; i < n; i++)
            a[i] = 8 * test_uniform(&seed), b[i] = 2 * test_uniform(&seed);
        for (int op = 0; op < N_OPS; op++) {
            apply(&ref, op, out, a, b, n);
            for (size_t i = 0; i < n; i++) {
                long double mag, want = truth(op, a, b, n, i, &mag);
                double bound = (double)mag * roundings(op, n) * EPS * 1.001 + 0x1p-149;
                if (!(fabsl(want - out[i]) <= bound))
                    fail_msg("%s: element %zu of %zu is %.9g, not %.9Lg (bound %g)", names[op], i,
                             n, (double)out[i], want, bound);
            }
        }
    }
}

static void levels_agree(void **state)
{
    (void)state;
    ingle_kern ref, levels[TEST_MAX_LEVELS];
    ingle_kern_init(&ref, INGLE_ISA_REF);
    int n_levels = test_levels(levels);
    static float want[4096];
    uint64_t seed = 2;
    for (size_t s = 0; s < N_SIZES; s++) {
        size_t n = sizes[s], n_b = n + 1;
        for (int low = 0; low < 2; low++) {
            guard a = guard_new(4 * n, low), b = guard_new(4 * n_b, low),
                  dst = guard_new(4 * n, low);
            float *pa = (float *)a.at, *pb = (float *)b.at, *pd = (float *)dst.at;
            for (size_t i = 0; i < n; i++) pa[i] = 8 * test_uniform(&seed);
            for (size_t i = 0; i < n_b; i++) pb[i] = 2 * test_uniform(&seed);
            for (int op = 0; op < N_OPS; op++) {
                apply(&ref, op, want, pa, pb, n);
                for (int l = 0; l < n_levels; l++) {
                    apply(&levels[l], op, pd, pa, pb, n);
                    assert_same(want, pd, n, names[op], levels[l].name);
                    memcpy(pd, pa, 4 * n); /* in place */
                    apply(&levels[l], op, pd, pd, pb, n);
                    assert_same(want, pd, n, names[op], levels[l].name);
                }
            }
            guard_free(&a), guard_free(&b), guard_free(&dst);
        }
    }
}

/* Distance in units of the last place of the float nearest to want. */
static double ulps(float got, long double want)
{
    float near = (float)want;
    if (isinf(near) || isinf(got)) return got == near ? 0 : INFINITY;
    int e;
    frexp((double)near, &e);
    long double ulp = ldexpl(1, (e < -125 ? -125 : e) - 24);
    return (double)(fabsl(want - got) / ulp);
}

static void exp_is_within_two_ulp(void **state)
{
    (void)state;
    ingle_kern ref;
    ingle_kern_init(&ref, INGLE_ISA_REF);
    float x[64], y[64];
    double worst = 0;
    uint64_t seed = 3;
    for (int i = 0; i < 20000; i++) {
        for (int j = 0; j < 64; j++)
            x[j] = i < 10000 ? 105 * test_uniform(&seed) : 2 * test_uniform(&seed);
        ref.exp(y, x, 64);
        for (int j = 0; j < 64; j++) {
            double u = ulps(y[j], expl(x[j]));
            if (u > worst) worst = u;
            if (u > 2) fail_msg("exp(%a) = %a, %g ulp off", (double)x[j], (double)y[j], u);
        }
    }
    print_message("exp: at most %.3f ulp over 1280000 values\n", worst);
}

static void exp_at_the_edges(void **state)
{
    (void)state;
    static const float x[] = {-INFINITY, -1e30f, -1000,     -104.5f, -103.9f, -87.5f,
                              -0.0f,     0.0f,   0x1p-149f, 88.72f,  88.73f,  89.5f,
                              1000,      1e30f,  INFINITY,  NAN,     -NAN};
    enum { N = sizeof x / sizeof *x };
    ingle_kern ref, levels[TEST_MAX_LEVELS];
    float y[N], z[N];
    ingle_kern_init(&ref, INGLE_ISA_REF);
    ref.exp(y, x, N);
    for (size_t i = 0; i < N; i++) {
        if (isnan(x[i])) assert_true(isnan(y[i]));
        else assert_true(ulps(y[i], expl(x[i])) <= 2);
    }
    assert_true(y[0] == 0 && y[1] == 0 && y[2] == 0 && isinf(y[11]) && isinf(y[14]) && y[6] == 1 &&
                y[7] == 1);
    int n_levels = test_levels(levels);
    for (int l = 0; l < n_levels; l++) {
        levels[l].exp(z, x, N);
        assert_same(y, z, N, "exp", levels[l].name);
    }
}

/* The whole range of floats, coarsely: levels agree on subnormal results, overflow and everything
 * between. */
static void exp_agrees_everywhere(void **state)
{
    (void)state;
    ingle_kern ref, levels[TEST_MAX_LEVELS];
    ingle_kern_init(&ref, INGLE_ISA_REF);
    int n_levels = test_levels(levels);
    enum { N = 4096 };
    static float x[N], y[N], z[N];
    for (uint32_t at = 0; at < 0xff000000u; at += 0x01000000u) {
        for (uint32_t i = 0; i < N; i++) {
            uint32_t u = at + i * 4099;
            memcpy(x + i, &u, 4);
        }
        ref.exp(y, x, N);
        for (int l = 0; l < n_levels; l++) {
            levels[l].exp(z, x, N);
            assert_same(y, z, N, "exp", levels[l].name);
        }
    }
}

/* Far outside, and everywhere between: no cliff where a formula ends. */
static void activations_everywhere(void **state)
{
    (void)state;
    ingle_kern levels[TEST_MAX_LEVELS + 1];
    ingle_kern_init(&levels[0], INGLE_ISA_REF);
    int n_levels = 1 + test_levels(levels + 1);
    enum { N = 4096 };
    static float x[N], y[N], z[N];
    double worst = 0;
    for (int part = 0; part < 40; part++) {
        for (int i = 0; i < N; i++) x[i] = (float)(part - 20) + (float)i / N;
        for (int op = GELU_ERF; op <= XIELU; op++) {
            apply(&levels[0], op, y, x, x, N);
            for (int i = 0; i < N; i++) {
                long double mag, want = truth(op, x, x, N, (size_t)i, &mag);
                double off = (double)fabsl(want - y[i]);
                if (op == GELU_ERF) worst = fmax(worst, off / fabs((double)x[i]));
                if (!(off <= (double)mag * roundings(op, N) * EPS * 1.001 + 0x1p-149))
                    fail_msg("%s(%a) = %a", names[op], (double)x[i], (double)y[i]);
            }
            for (int l = 1; l < n_levels; l++) {
                apply(&levels[l], op, z, x, x, N);
                assert_same(y, z, N, names[op], levels[l].name);
            }
        }
    }
    print_message("gelu_erf: at most %.2g of its argument off\n", worst);
    static const float far[] = {-1e30f, -300, 300, NAN};
    for (int l = 0; l < n_levels; l++) {
        levels[l].gelu_erf(z, far, 4);
        assert_true(z[0] == 0 && z[1] == 0 && z[2] == 300 && isnan(z[3]));
        levels[l].relu2(z, far, 4);
        assert_true(z[0] == 0 && z[1] == 0 && z[2] == 90000 && isnan(z[3]));
        levels[l].clamp(z, far, 2, 4);
        assert_true(z[0] == -2 && z[1] == -2 && z[2] == 2 && isnan(z[3]));
        levels[l].xielu(z, far, xielu, 4);
        assert_true(z[0] > 0 && z[1] > 0 && z[2] > 0 && isnan(z[3]));
    }
}

/* A NaN in a row reaches what depends on it and nothing else. */
static void nan_stays_visible(void **state)
{
    (void)state;
    ingle_kern levels[TEST_MAX_LEVELS + 1];
    ingle_kern_init(&levels[0], INGLE_ISA_REF);
    int n_levels = 1 + test_levels(levels + 1);
    float a[33], b[33], out[33];
    for (int i = 0; i < 33; i++) a[i] = b[i] = 1;
    a[20] = NAN;
    for (int l = 0; l < n_levels; l++) {
        levels[l].norm_rms(out, a, b, 33, 1e-5f);
        for (int i = 0; i < 33; i++) assert_true(isnan(out[i]));
        levels[l].silu_mul(out, a, b, 33);
        for (int i = 0; i < 33; i++) assert_true(isnan(out[i]) == (i == 20));
    }
}

/* ---- layouts that all levels share ---- */

static void acts_are_laid_out(void **state)
{
    (void)state;
    for (int act = INGLE_ACT_F32; act <= INGLE_ACT_Q256; act++) {
        for (size_t n = 256; n <= 8192; n *= 2) {
            size_t m = 5, bytes = ingle_acts_bytes((ingle_act)act, m, n);
            uint8_t *mem = aligned_alloc(64, bytes + 64);
            ingle_acts a;
            ingle_acts_place(&a, (ingle_act)act, m, n, mem);
            assert_true(a.m == m && a.n_cols == n && (int)a.act == act);
            assert_true(bytes % 64 == 0 && a.ld_q % 64 == 0 && a.ld_d % 16 == 0 &&
                        a.ld_s32 % 16 == 0 && a.ld_s16 % 32 == 0);
            uint8_t *end = mem;
            if (act != INGLE_ACT_F32) {
                assert_ptr_equal(a.q, mem);
                assert_true(a.ld_q >= n && a.ld_d >= n / (act == INGLE_ACT_Q32 ? 32 : 256));
                assert_true((uint8_t *)a.d >= mem + m * a.ld_q);
                end = (uint8_t *)(a.d + m * a.ld_d);
            }
            if (act == INGLE_ACT_Q32) {
                assert_true((uint8_t *)a.s >= end);
                end = (uint8_t *)(a.s + m * a.ld_d);
                assert_true((uint8_t *)a.sum32 >= end && a.ld_s32 >= n / 32);
                end = (uint8_t *)(a.sum32 + m * a.ld_s32);
            } else if (act == INGLE_ACT_Q256) {
                assert_true((uint8_t *)a.sum16 >= end && a.ld_s16 >= n / 16 + n / 32 + n / 256);
                end = (uint8_t *)(a.sum16 + m * a.ld_s16);
            }
            assert_true(end <= mem + bytes);
            free(mem);
        }
    }
}

/* Limits are for the bench; here only that they do what they say they count. */
static void limits_count(void **state)
{
    (void)state;
    ingle_kern levels[TEST_MAX_LEVELS + 1];
    ingle_kern_init(&levels[0], INGLE_ISA_REF);
    int n_levels = 1 + test_levels(levels + 1);
    static uint64_t mem[1024] __attribute__((aligned(64)));
    uint64_t seed = 5, want = 0;
    for (int i = 0; i < 1024; i++)
        want ^= mem[i] = ((uint64_t)test_random(&seed) << 32) ^ test_random(&seed);
    for (int l = 0; l < n_levels; l++) {
        const ingle_kern *k = &levels[l];
        assert_true(k->read_all(mem, sizeof mem) == want);
        assert_true(k->peak_int8(1000) > 1000 && k->peak_f32(1000) > 1000);
        assert_true(k->peak_f32(2000) == 2 * k->peak_f32(1000));
        if (k->peak_bf16) assert_true(k->peak_bf16(1000) > 1000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ref_is_right),          cmocka_unit_test(levels_agree),
        cmocka_unit_test(exp_is_within_two_ulp), cmocka_unit_test(exp_at_the_edges),
        cmocka_unit_test(exp_agrees_everywhere), cmocka_unit_test(activations_everywhere),
        cmocka_unit_test(nan_stays_visible),     cmocka_unit_test(acts_are_laid_out),
        cmocka_unit_test(limits_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
