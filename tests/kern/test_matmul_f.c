/* test_matmul_f.c - products with F32, F16 and BF16 weights: the portable level against double with
 * a bound from the data, every other level against the portable one bit for bit, whatever the
 * number of tokens and the cut into tasks. */
#define _GNU_SOURCE
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "float_case.h"

#define EPS 0x1p-24 /* half an ulp of 1 */

static const ingle_type types[] = {INGLE_TYPE_F32, INGLE_TYPE_F16, INGLE_TYPE_BF16};
#define N_TYPES 3

static problem problem_new(ingle_type type, size_t m, size_t n_rows, size_t n_cols, uint64_t seed,
                           bool low)
{
    problem p = problem_of(type, m, n_rows, n_cols, sizeof(float), &seed, low);
    size_t unit = type == INGLE_TYPE_F32 ? 4 : 2;
    uint8_t *rows = malloc(16 * n_cols * unit);
    for (size_t r = 0; r < n_rows; r++) {
        for (size_t k = 0; k < n_cols; k++) {
            float f = test_uniform(&seed), *wide = (float *)p.rows + r * n_cols + k;
            uint8_t *at = rows + (r % 16 * n_cols + k) * unit;
            uint16_t h = type == INGLE_TYPE_F16 ? ingle_f32_to_f16(f) : ingle_f32_to_bf16(f);
            *wide = unit == 4                ? f
                    : type == INGLE_TYPE_F16 ? ingle_f16_to_f32(h)
                                             : ingle_bf16_to_f32(h);
            if (unit == 4) memcpy(at, &f, 4);
            else memcpy(at, &h, 2);
        }
        if (r % 16 == 15 || r + 1 == n_rows)
            ingle_pack_panel(&p.w, rows, r % 16 + 1, p.data.at + r / 16 * p.w.panel_bytes);
    }
    free(rows);
    return p;
}

/* gemv for one token. */
static void run(const ingle_kern *k, problem *p, bool bias, bool add, size_t step, bool low)
{
    problem_run(k, (p->m == 1 ? k->gemv : k->gemm)[p->w.type], p, bias, add, step, low);
}

/* A chain of n_cols rounded steps, then one rounding each for scale, bias and residual. Between rows
 * nothing is written. */
static void check(const problem *p, bool bias, bool add)
{
    const float *out = (float *)p->out.at, *wide = p->rows;
    for (size_t t = 0; t < p->m; t++) {
        for (size_t r = 0; r < p->ld_out && (t + 1 < p->m || r < p->n_rows); r++) {
            size_t at = t * p->ld_out + r;
            if (r >= p->n_rows) {
                assert_true(out[at] == old_value(at));
                continue;
            }
            double want = 0, mag = 0;
            for (size_t k = 0; k < p->n_cols; k++) {
                double e = (double)wide[r * p->n_cols + k] * (double)p->x.x[t * p->x.ld_x + k];
                want += e, mag += fabs(e);
            }
            double b = bias ? (double)((float *)p->bias.at)[r] : 0,
                   old = add ? (double)old_value(at) : 0;
            if (bias) want *= (double)scale, mag *= (double)scale;
            want += b + old;
            double bound = ((double)p->n_cols + 3) * EPS * 1.01 * (mag + fabs(b) + fabs(old));
            if (!(fabs(out[at] - want) <= bound))
                fail_msg("type %d m %zu rows %zu cols %zu: [%zu][%zu] is %.9g, not %.9g",
                         (int)p->w.type, p->m, p->n_rows, p->n_cols, t, r, (double)out[at], want);
        }
    }
}

static void one(ingle_type type, size_t m, size_t n_rows, size_t n_cols, uint64_t seed)
{
    ingle_kern ref, levels[TEST_MAX_LEVELS];
    ingle_kern_init(&ref, INGLE_ISA_REF);
    int n_levels = test_levels(levels);
    bool low = seed & 1, bias = seed & 2, add = seed & 4;
    problem p = problem_new(type, m, n_rows, n_cols, seed, low);
    run(&ref, &p, bias, add, p.w.n_panels, low);
    check(&p, bias, add);
    float *want = malloc(out_floats(&p) * 4);
    memcpy(want, p.out.at, out_floats(&p) * 4);
    for (int l = 0; l < n_levels; l++) {
        /* rounds these activations (quant.h): test_bf16_dots */
        if (levels[l].isa == INGLE_ISA_AVX512BF16 && type == INGLE_TYPE_BF16) continue;
        static const size_t steps[] = {1, 2, 3, 5, 100};
        for (int s = 0; s < 5; s++) {
            run(&levels[l], &p, bias, add, steps[s], low);
            if (memcmp(want, p.out.at, out_floats(&p) * 4))
                fail_msg("%s: type %d m %zu rows %zu cols %zu by %zu panels", levels[l].name,
                         (int)type, m, n_rows, n_cols, steps[s]);
        }
    }
    free(want);
    problem_free(&p);
}

static void every_small_size(void **state)
{
    (void)state;
    uint64_t seed = 1;
    for (int t = 0; t < N_TYPES; t++) {
        for (size_t n = 1; n <= 67; n++) {
            one(types[t], 1, n, 40, seed++);
            one(types[t], 1, 33, n, seed++);
            one(types[t], n, 35, 17, seed++);
            one(types[t], 1 + n % 14, 1 + n * 5 % 67, n, seed++);
            one(types[t], n, 1 + n * 7 % 67, 1 + n * 11 % 67, seed++);
        }
    }
}

static void typical_sizes(void **state)
{
    (void)state;
    static const size_t ms[] = {1, 2, 4, 6, 7, 12, 13, 25, 48},
                        cols[] = {128, 255, 256, 257, 300, 512, 896};
    uint64_t seed = 1;
    for (int t = 0; t < N_TYPES; t++)
        for (int m = 0; m < 9; m++)
            for (int c = 0; c < 7; c += 2 - (m == c), seed++)
                one(types[t], ms[m], 80 + (seed % 3), cols[c], seed);
}

/* Tokens in several parts, with their columns gathered or not; rows of more than one task. */
static void many_tokens(void **state)
{
    (void)state;
    static const size_t sizes[][3] = {{193, 270, 150}, {257, 35, 131}, {520, 300, 129}};
    uint64_t seed = 1;
    for (int t = 0; t < N_TYPES; t++)
        for (int i = 0; i < 3; i++) one(types[t], sizes[i][0], sizes[i][1], sizes[i][2], seed++);
}

/* A token's product does not depend on which tokens stand beside it. */
static void tokens_are_alone(void **state)
{
    (void)state;
    ingle_kern levels[TEST_MAX_LEVELS + 1];
    ingle_kern_init(&levels[0], INGLE_ISA_REF);
    int n_levels = 1 + test_levels(levels + 1);
    for (int l = 0; l < n_levels; l++) {
        for (int t = 0; t < N_TYPES; t++) {
            problem p = problem_new(types[t], 29, 48, 300, 9, false);
            run(&levels[l], &p, true, false, 2, false);
            float *want = malloc(out_floats(&p) * 4);
            memcpy(want, p.out.at, out_floats(&p) * 4);
            const float *x = p.x.x;
            for (size_t i = 0; i < 29; i++) {
                p.m = p.x.m = 1;
                p.x.x = x + i * p.x.ld_x;
                run(&levels[l], &p, true, false, 3, false);
                assert_memory_equal(want + i * p.ld_out, p.out.at, 48 * 4);
            }
            free(want);
            problem_free(&p);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_small_size), cmocka_unit_test(typical_sizes),
        cmocka_unit_test(many_tokens), cmocka_unit_test(tokens_are_alone)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
