/* test_bf16_dots.c - products with BF16 weights at the level AVX512BF16 against its arithmetic in
 * plain C (quant.h), bit for bit, whatever the number of tokens and the cut into tasks. With the
 * level's two instructions emulated (bf16_emulated.c), and with themselves where the processor has
 * them. */
#define _GNU_SOURCE
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#if defined(__x86_64__)
#include "float_case.h"
#include "kern/x86/x86.h"

void test_bf16_emulated(ingle_kern *k);

static ingle_kern level;
static bool runs;        /* else the tests of this level are skipped */
static size_t n_flushed; /* sums that came out subnormal */

/* ---- the arithmetic ---- */

static uint32_t bits(float f)
{
    uint32_t u;
    memcpy(&u, &f, 4);
    return u;
}

static float number(uint32_t u)
{
    float f;
    memcpy(&f, &u, 4);
    return f;
}

static uint32_t without_subnormal(uint32_t u)
{
    return u & 0x7f800000 ? u : u & 0x80000000;
}

static float rounded(float f)
{
    uint32_t u = without_subnormal(bits(f));
    if (isnan(f)) return NAN;
    return number((u + 0x7fff + (u >> 16 & 1)) & 0xffff0000);
}

/* fmaf() that knows no subnormal numbers. What rounds to less than the smallest normal number, of
 * whatever exponent, is 0: a double holds sums that small exactly, or rounds them where it makes no
 * difference to 24 bits. */
static float fma_flushed(float w, float x, float f)
{
    float r = fmaf(w, x, f);
    if (!(fabsf(r) <= FLT_MIN) || r == 0) {
        /* fmaf() makes 0 of what is far below all subnormal numbers */
        if (r == 0 && w != 0 && x != 0 && f == 0) n_flushed++;
        return r;
    }
    double sum = (double)w * (double)x + (double)f;
    if (fabsf((float)(sum * 0x1p64)) >= FLT_MIN * 0x1p64f) return r;
    n_flushed++;
    return copysignf(0, (float)(sum * 0x1p64));
}

static float dot(const uint16_t *w, const float *x, size_t n)
{
    float f = 0;
    for (size_t k = 0; k < n; k += 2) {
        float w1 = 0, x1 = 0;
        if (k + 1 < n) {
            w1 = number(without_subnormal((uint32_t)w[k + 1] << 16));
            x1 = rounded(x[k + 1]);
        }
        f = fma_flushed(w1, x1, f);
        f = fma_flushed(number(without_subnormal((uint32_t)w[k] << 16)), rounded(x[k]), f);
    }
    return f;
}

static bool same(float a, float b)
{
    return (isnan(a) && isnan(b)) || bits(a) == bits(b);
}

/* ---- problems ---- */

/* Plain numbers; halves between two bf16 numbers; products and sums at the edge of the subnormal;
 * few that are not finite; any bits. */
enum { PLAIN, TIES, TINY, NOT_FINITE, ANY, N_KINDS };

static uint16_t weight(int kind, uint64_t *seed)
{
    static const uint16_t lone[] = {0x7f80, 0xff80, 0x7fc0, 0x7f81, 0x7f7f, 0xff7f};
    uint32_t r = test_random(seed), sign = r & 0x8000;
    if (kind == ANY) return (uint16_t)r;
    if (kind == NOT_FINITE && r % 97 == 0) return lone[(r >> 16) % 6];
    if (kind == TINY && r % 8 == 0) return (uint16_t)(r & 0x807f);            /* subnormal, 0 */
    if (kind == TINY) return (uint16_t)(sign | (0x1f80 + (r >> 16) % 0x100)); /* 2^-64 .. 2^-62 */
    return ingle_f32_to_bf16(test_uniform(seed));
}

static float activation(int kind, uint64_t *seed)
{
    static const uint32_t lone[] = {0x7f7fffff, 0xff7fffff, 0x7f7f7fff, 0x7f800000,
                                    0xff800000, 0x7fc00001, 0xff800001};
    uint32_t r = test_random(seed), sign = r << 16 & 0x80000000;
    if (kind == ANY) return number(r << 1 ^ test_random(seed));
    if (kind == TIES) /* on a half, beside it, below the next power of two */
        return number(((bits(test_uniform(seed)) | (r % 5 ? 0 : 0x7f0000)) & 0xffff0000) + 0x7fff +
                      (r >> 4) % 3);
    if (kind == NOT_FINITE && r % 89 == 0) return number(lone[(r >> 16) % 7]);
    if (kind == TINY && r % 8 == 0) return number(sign | (r & 0x7fffff)); /* subnormal, or 0 */
    if (kind == TINY) return number(sign | (0x1f800000 + (r >> 4) % 0x01000000));
    return test_uniform(seed);
}

static void problem_pack(problem *p)
{
    for (size_t i = 0; i < p->w.n_panels; i++)
        ingle_pack_panel(&p->w, (uint16_t *)p->rows + 16 * i * p->n_cols,
                         p->n_rows - 16 * i < 16 ? p->n_rows - 16 * i : 16,
                         p->data.at + i * p->w.panel_bytes);
}

static problem problem_new(int kind, size_t m, size_t n_rows, size_t n_cols, uint64_t seed)
{
    problem p = problem_of(INGLE_TYPE_BF16, m, n_rows, n_cols, sizeof(uint16_t), &seed, seed & 1);
    for (size_t i = 0; i < n_rows * n_cols; i++) ((uint16_t *)p.rows)[i] = weight(kind, &seed);
    problem_pack(&p);
    for (size_t i = 0; i < (m - 1) * p.x.ld_x + n_cols; i++)
        ((float *)p.x_mem.at)[i] = activation(kind, &seed);
    return p;
}

static void run(ingle_matmul_fn *fn, problem *p, bool bias, bool add, size_t step, bool low)
{
    problem_run(&level, fn, p, bias, add, step, low);
}

/* Between rows nothing is written. */
static void check(const problem *p, bool bias, bool add)
{
    const float *out = (float *)p->out.at;
    for (size_t i = 0; i < out_floats(p); i++) {
        size_t t = i / p->ld_out, r = i % p->ld_out;
        float want = old_value(i);
        if (r < p->n_rows) {
            want = dot((uint16_t *)p->rows + r * p->n_cols, p->x.x + t * p->x.ld_x, p->n_cols);
            if (bias) want = want * scale + ((float *)p->bias.at)[r];
            if (add) want += old_value(i);
        }
        if (!same(out[i], want))
            fail_msg("%s: m %zu rows %zu cols %zu: [%zu][%zu] is %a, not %a", level.name, p->m,
                     p->n_rows, p->n_cols, t, r, (double)out[i], (double)want);
    }
}

static void one(int kind, size_t m, size_t n_rows, size_t n_cols, uint64_t seed)
{
    static const size_t steps[] = {1, 2, 3, 4, 5};
    const bool low = seed & 1, bias = seed & 2, add = seed & 4;
    problem p = problem_new(kind, m, n_rows, n_cols, seed);
    run(level.gemm[INGLE_TYPE_BF16], &p, bias, add, p.w.n_panels, low);
    check(&p, bias, add);
    float *want = malloc(out_floats(&p) * 4);
    memcpy(want, p.out.at, out_floats(&p) * 4);
    for (size_t s = 0; s < (m > 100 ? 1 : 5); s++) {
        const bool few = m <= level.gemv_tokens;
        run((few ? level.gemv : level.gemm)[INGLE_TYPE_BF16], &p, bias, add, steps[s], !low);
        assert_memory_equal(want, p.out.at, out_floats(&p) * 4);
    }
    free(want);
    problem_free(&p);
}

/* ---- tests ---- */

static void test_sizes(void **state)
{
    static const size_t ms[] = {1, 2, 3, 7, 8, 31, 32, 33},
                        cols[] = {1, 2, 3, 31, 32, 33, 64, 191, 192, 193, 300, 385},
                        rows[] = {1, 15, 16, 17, 33, 64, 70, 100, 130};
    (void)state;
    if (!runs) skip();
    uint64_t seed = 1;
    for (size_t m = 0; m < 8; m++)
        for (size_t c = 0; c < 12; c++)
            for (size_t r = (m + c) % 3; r < 9; r += 3, seed++)
                one((int)(seed % N_KINDS), ms[m], rows[r], cols[c], seed);
}

static void test_values(void **state)
{
    (void)state;
    if (!runs) skip();
    n_flushed = 0;
    for (int kind = 0; kind < N_KINDS; kind++) {
        for (uint64_t seed = 1; seed < 12; seed++) {
            one(kind, 1 + seed % 8, 40, 1 + seed * 5, seed);
            one(kind, 33, 33, 17, seed);
        }
        one(kind, 512, 70, kind % 2 ? 193 : 32, 3);
        one(kind, 34, 290, 194, kind % 8u); /* more rows than a task */
    }
    assert_true(n_flushed > 1000); /* the edge was reached */
}

/* 2^-126 - 1.5 * 2^-151 rounds to 24 bits below 2^-126, but to 2^-126 among subnormal numbers. An
 * activation that would round to 2^-126 is 0 before. */
static void test_edge(void **state)
{
    (void)state;
    if (!runs) skip();
    problem p = problem_new(PLAIN, 1, 16, 4, 0);
    float *x = (float *)p.x_mem.at;
    for (size_t r = 0; r < 16; r++) {
        uint16_t *w = (uint16_t *)p.rows + 4 * r;
        w[0] = w[2] = 0;
        w[1] = ingle_f32_to_bf16(0x1p-63f);
        w[3] = ingle_f32_to_bf16(r % 2 ? -0x1.8p-75f : -0x1.8p-76f);
    }
    problem_pack(&p);
    x[0] = x[2] = 1, x[1] = 0x1p-63f, x[3] = 0x1p-76f;
    run(level.gemm[INGLE_TYPE_BF16], &p, false, false, 1, false);
    for (size_t r = 0; r < 16; r++) assert_true(((float *)p.out.at)[r] == (r % 2 ? 0.0f : FLT_MIN));
    check(&p, false, false);
    for (size_t i = 0; i < 64; i++)
        ((uint16_t *)p.rows)[i] = i / 4 % 2 ? 0x3f80 : 0x4000; /* 1 or 2 */
    problem_pack(&p);
    x[0] = x[1] = x[2] = 0, x[3] = number(0x007fffff);
    run(level.gemm[INGLE_TYPE_BF16], &p, false, false, 1, false);
    for (size_t r = 0; r < 16; r++) assert_true(((float *)p.out.at)[r] == 0);
    check(&p, false, false);
    problem_free(&p);
}

/* A token's product does not depend on which tokens stand beside it, whatever its bits. */
static void test_alone(void **state)
{
    (void)state;
    if (!runs) skip();
    for (int kind = 0; kind < N_KINDS; kind++) {
        problem p = problem_new(kind, 45, 48, 201, 9);
        run(level.gemm[INGLE_TYPE_BF16], &p, true, false, 2, false);
        float *want = malloc(out_floats(&p) * 4);
        memcpy(want, p.out.at, out_floats(&p) * 4);
        const float *x = p.x.x;
        for (size_t i = 0; i < 45; i++) {
            p.m = p.x.m = 1;
            p.x.x = x + i * p.x.ld_x;
            run(level.gemv[INGLE_TYPE_BF16], &p, true, false, 3, false);
            assert_memory_equal(want + i * p.ld_out, p.out.at, 48 * 4);
        }
        free(want);
        problem_free(&p);
    }
}

/* What rounding the activations costs. Each is off by at most 2^-9 of itself, up and down at random,
 * and so is, of its root mean square, a sum of many products. */
static void test_error(void **state)
{
    (void)state;
    if (!runs) skip();
    problem p = problem_new(PLAIN, 8, 64, 2048, 4);
    double off = 0, off_f32 = 0, all = 0;
    ingle_kern ref;
    ingle_kern_init(&ref, INGLE_ISA_REF);
    run(ref.gemm[INGLE_TYPE_BF16], &p, false, false, 4, false);
    float *f32 = malloc(out_floats(&p) * 4);
    memcpy(f32, p.out.at, out_floats(&p) * 4);
    run(level.gemm[INGLE_TYPE_BF16], &p, false, false, 4, false);
    for (size_t t = 0; t < p.m; t++)
        for (size_t r = 0; r < p.n_rows; r++) {
            size_t at = t * p.ld_out + r;
            double want = 0, got = (double)((float *)p.out.at)[at], plain = (double)f32[at];
            for (size_t k = 0; k < p.n_cols; k++)
                want += (double)ingle_bf16_to_f32(((uint16_t *)p.rows)[r * p.n_cols + k]) *
                        (double)p.x.x[t * p.x.ld_x + k];
            off += (got - want) * (got - want), all += want * want;
            off_f32 += (plain - want) * (plain - want);
        }
    printf("%s: products of 2048 are off by 2^%.2f of their root mean square, in f32 by 2^%.2f\n",
           level.name, log2(off / all) / 2, log2(off_f32 / all) / 2);
    assert_true(off < 0x1p-18 * all);
    assert_true(off > 0x1p-24 * all);
    free(f32);
    problem_free(&p);
}

static void test_peak(void **state)
{
    (void)state;
    if (!runs) skip();
    assert_true(level.peak_bf16(10) > 0 && level.peak_bf16(20) == 2 * level.peak_bf16(10));
}

/* The level has AVX512's slots but for its own, and scratch for both. */
static void test_slots(void **state)
{
    (void)state;
    if (!ingle_isa_runs_here(INGLE_ISA_AVX512)) skip(); /* its installers may use its registers */
    ingle_kern below, own, k;
    ingle_kern_init(&below, INGLE_ISA_AVX512);
    ingle_kern_init(&k, INGLE_ISA_AVX512BF16);
    own = below;
    ingle_kern_avx512bf16_matmul(&own);
    assert_ptr_not_equal(k.gemv[INGLE_TYPE_BF16], below.gemv[INGLE_TYPE_BF16]);
    assert_true(k.peak_bf16 && !below.peak_bf16);
    for (size_t m = 1; m < 5000; m = 3 * m + 1) {
        assert_true(k.scratch_bytes(m, 4096) >= below.scratch_bytes(m, 4096));
        assert_true(k.scratch_bytes(m, 4096) >= own.scratch_bytes(m, 4096));
    }
    own.isa = INGLE_ISA_AVX512BF16;
    own.name = k.name;
    own.scratch_bytes = k.scratch_bytes;
    assert_string_equal(k.name, "avx512bf16");
    assert_memory_equal(&own, &k, sizeof k);
}

static int test_level(const char *name, bool here)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sizes), cmocka_unit_test(test_values),
                                       cmocka_unit_test(test_edge),  cmocka_unit_test(test_alone),
                                       cmocka_unit_test(test_error), cmocka_unit_test(test_peak)};
    level.name = name;
    runs = here;
    if (!here) printf("%s: skipped: not a processor for it\n", name);
    fflush(stdout);
    return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_slots)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    bool close = ingle_isa_runs_here(INGLE_ISA_AVX512),
         here = ingle_isa_runs_here(INGLE_ISA_AVX512BF16);
    ingle_kern_init(&level, close ? INGLE_ISA_AVX512 : INGLE_ISA_REF);
    if (close) test_bf16_emulated(&level);
    failed += test_level("avx512bf16, emulated", close);
    if (here) ingle_kern_init(&level, INGLE_ISA_AVX512BF16);
    failed += test_level("avx512bf16", here);
    return failed;
}

#else

int main(void)
{
    printf("skipped: a level of x86-64\n");
    return 0;
}

#endif
