/* float_case.h - one product with F32, F16 or BF16 weights between guard pages, for kernel tests.
 * Include after cmocka.h. */
#ifndef TESTS_KERN_FLOAT_CASE_H
#define TESTS_KERN_FLOAT_CASE_H

#include "guard.h"

#include <string.h>

typedef struct problem {
    ingle_packed w;
    ingle_acts x;
    guard data, x_mem, bias, out;
    void *rows; /* the weights as the test wants to see them, [n_rows][n_cols] */
    size_t m, n_rows, n_cols, ld_out;
} problem;

static inline size_t out_floats(const problem *p)
{
    return (p->m - 1) * p->ld_out + p->n_rows;
}

/* All but the weights, which are still to be packed; inputs and bias are uniform. */
static inline problem problem_of(ingle_type type, size_t m, size_t n_rows, size_t n_cols,
                                 size_t row_unit, uint64_t *seed, bool low)
{
    problem p = {.m = m, .n_rows = n_rows, .n_cols = n_cols, .ld_out = n_rows + 7};
    assert_true(ingle_packed_init(&p.w, type, n_rows, n_cols));
    p.data = guard_new(ingle_packed_bytes(&p.w), low);
    memset(p.data.at, 0xff, ingle_packed_bytes(&p.w)); /* what packing leaves out: NaN */
    p.w.data = p.data.at;
    p.rows = malloc(n_rows * n_cols * row_unit);
    assert_non_null(p.rows);
    size_t ld_x = ingle_round_up(n_cols, 16), n_x = (m - 1) * ld_x + n_cols;
    p.x_mem = guard_new(n_x * 4, low);
    for (size_t i = 0; i < n_x; i++) ((float *)p.x_mem.at)[i] = test_uniform(seed);
    p.x = (ingle_acts){
        .act = INGLE_ACT_F32, .m = m, .n_cols = n_cols, .x = (float *)p.x_mem.at, .ld_x = ld_x};
    p.bias = guard_new(n_rows * 4, low);
    for (size_t i = 0; i < n_rows; i++) ((float *)p.bias.at)[i] = test_uniform(seed);
    p.out = guard_new(out_floats(&p) * 4, low);
    return p;
}

static inline void problem_free(problem *p)
{
    guard_free(&p->data), guard_free(&p->x_mem), guard_free(&p->bias), guard_free(&p->out);
    free(p->rows);
}

static inline float old_value(size_t i)
{
    return (float)(i % 17) - 8.0f;
}

static const float scale = 0.83f; /* of the product; goes with the bias */

/* Tasks of `step` panels over fresh scratch between guards. */
static inline void problem_run(const ingle_kern *k, ingle_matmul_fn *fn, problem *p, bool bias,
                               bool add, size_t step, bool low)
{
    size_t bytes = ingle_round_up(k->scratch_bytes(p->m, p->n_cols), 64);
    guard scratch = guard_new(bytes, low);
    memset(scratch.at, 0xff, bytes);
    for (size_t i = 0; i < out_floats(p); i++) ((float *)p->out.at)[i] = old_value(i);
    ingle_matmul job = {.w = &p->w,
                        .x = &p->x,
                        .out = (float *)p->out.at,
                        .ld_out = p->ld_out,
                        .scale = bias ? &scale : NULL,
                        .bias = bias ? (float *)p->bias.at : NULL,
                        .add = add};
    for (size_t i = 0; i < p->w.n_panels; i += step) {
        size_t n = p->w.n_panels - i < step ? p->w.n_panels - i : step;
        fn(&job, i, n, scratch.at);
    }
    guard_free(&scratch);
}

#endif
