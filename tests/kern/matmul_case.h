/* matmul_case.h - for tests: weights of any type in file and packed form, activations in all their
 * forms, one call.
 * Include after cmocka.h. */
#ifndef INGLE_TESTS_MATMUL_CASE_H
#define INGLE_TESTS_MATMUL_CASE_H

#include "blocks.h"
#include "kern/kern.h"
#include "kern/ref/ref.h"

#include <stdlib.h>

typedef struct matmul_case {
    unsigned type;
    const ingle_type_info *t;
    size_t n_rows, n_cols, m, n_blocks, row_bytes, ld_out;
    uint8_t *rows, *packed;
    ingle_packed w;
    float *x; /* [m][a.ld_x] */
    ingle_acts a;
    float *bias; /* [n_rows] */
    float scale; /* of the product; goes with the bias */
    float *old;  /* [m][ld_out]: what lies in the output before */
} matmul_case;

/* 64-byte aligned, filled with a byte that makes no sense as any of the numbers. */
static inline void *garbage(size_t bytes)
{
    size_t all = ingle_round_up(bytes ? bytes : 1, 64);
    void *p = aligned_alloc(64, all);
    assert_non_null(p);
    memset(p, 0xdb, all);
    return p;
}

static inline ingle_acts acts_new(ingle_act act, size_t m, size_t n_cols)
{
    size_t block = act == INGLE_ACT_Q32 ? 32 : 256;
    ingle_acts a = {.act = act, .m = m, .n_cols = n_cols, .ld_x = ingle_round_up(n_cols, 16)};
    if (act == INGLE_ACT_F32) return a;
    a.ld_q = ingle_round_up(n_cols, 64);
    a.ld_d = ingle_round_up(n_cols / block, 16);
    a.q = garbage(m * a.ld_q);
    a.d = garbage(m * a.ld_d * 4);
    if (act == INGLE_ACT_Q32) {
        a.ld_s32 = ingle_round_up(n_cols / 32, 16);
        a.s = garbage(m * a.ld_d * 4);
        a.sum32 = garbage(m * a.ld_s32 * 4);
    } else {
        a.ld_s16 = ingle_round_up(n_cols / 16 + n_cols / 32 + n_cols / 256, 32);
        a.sum16 = garbage(m * a.ld_s16 * 2);
    }
    return a;
}

static inline void acts_free(ingle_acts *a)
{
    free(a->q);
    free(a->d);
    free(a->s);
    free(a->sum32);
    free(a->sum16);
}

static inline uint8_t *case_block(const matmul_case *c, size_t row, size_t b)
{
    return c->rows + row * c->row_bytes + c->t->row_head + b * c->t->block_bytes;
}

/* All scales of a block, or the one of its row. */
static inline void case_set_scales(const matmul_case *c, size_t row, size_t b, unsigned half)
{
    set_head(c->t, c->rows + row * c->row_bytes, half);
    set_scales(c->type, case_block(c, row, b), half);
}

static inline void case_pack(matmul_case *c)
{
    for (size_t i = 0; i < c->w.n_panels; i++) {
        size_t n = c->n_rows - 16 * i < 16 ? c->n_rows - 16 * i : 16;
        ingle_pack_panel(&c->w, c->rows + 16 * i * c->row_bytes, n,
                         c->packed + i * c->w.panel_bytes);
    }
}

static inline void case_quantise(matmul_case *c, const ingle_kern *k)
{
    for (size_t t = 0; t < c->a.m; t++) k->quantise(&c->a, t, c->x + t * c->a.ld_x);
}

/* Random everything, packed; not quantised yet. */
static inline matmul_case case_open(unsigned type, size_t n_rows, size_t n_blocks, size_t m,
                                    uint64_t *seed)
{
    const ingle_type_info *t = ingle_type_get(type);
    matmul_case c = {.type = type, .t = t, .n_rows = n_rows, .m = m, .n_blocks = n_blocks};
    c.n_cols = n_blocks * t->block_elems;
    c.row_bytes = t->row_head + n_blocks * t->block_bytes;
    c.ld_out = n_rows + 3;
    c.rows = garbage(n_rows * c.row_bytes);
    random_rows(type, c.rows, n_rows, n_blocks, seed);
    assert_true(ingle_packed_init(&c.w, (ingle_type)type, n_rows, c.n_cols));
    c.packed = garbage(ingle_packed_bytes(&c.w));
    c.w.data = c.packed;
    case_pack(&c);
    c.a = acts_new(t->act, m, c.n_cols);
    c.x = garbage(m * c.a.ld_x * 4);
    c.a.x = c.x;
    for (size_t i = 0; i < m; i++)
        for (size_t k = 0; k < c.n_cols; k++) c.x[i * c.a.ld_x + k] = 3 * random_float(seed);
    c.scale = 1.37f;
    c.bias = garbage(n_rows * 4);
    for (size_t i = 0; i < n_rows; i++) c.bias[i] = random_float(seed);
    c.old = garbage(m * c.ld_out * 4);
    for (size_t i = 0; i < m * c.ld_out; i++) c.old[i] = random_float(seed);
    return c;
}

static inline void case_close(matmul_case *c)
{
    free(c->rows);
    free(c->packed);
    free(c->x);
    free(c->bias);
    free(c->old);
    acts_free(&c->a);
}

/* Runs a slot for the first m tokens in tasks of `step` panels; returns out [m][ld_out], to be
 * freed. */
static inline float *case_run(const matmul_case *c, const ingle_kern *k, ingle_matmul_fn *fn,
                              size_t m, size_t step, bool bias, bool add)
{
    ingle_acts a = c->a;
    a.m = m;
    size_t bytes = m * c->ld_out * 4;
    float *out = malloc(bytes);
    assert_non_null(out);
    memcpy(out, c->old, bytes);
    ingle_matmul job = {.w = &c->w, .x = &a, .out = out, .ld_out = c->ld_out, .add = add};
    if (bias) job.bias = c->bias, job.scale = &c->scale;
    for (size_t p = 0; p < c->w.n_panels; p += step) {
        void *scratch = garbage(k->scratch_bytes(m, c->n_cols));
        fn(&job, p, c->w.n_panels - p < step ? c->w.n_panels - p : step, scratch);
        free(scratch);
    }
    for (size_t t = 0; t < m; t++) /* what is no output stays */
        assert_memory_equal(out + t * c->ld_out + c->n_rows, c->old + t * c->ld_out + c->n_rows,
                            12);
    return out;
}

/* Equal bits, or both NaN. */
static inline bool same_float(float a, float b)
{
    return (isnan(a) && isnan(b)) || !memcmp(&a, &b, sizeof a);
}

#endif
