/* matmul_avxvnni.c - products with quantised weights on AVX2 with VNNI (Alder Lake and later without
 * AVX-512, Zen 5 in 256 bits).
 * Depends on matmul.inc.h, gemv.inc.h (the tasks), weights.inc.h (the types).
 *
 * Tiles are 8 rows x NR tokens: a register of sums a token, from the type's zero on, and one of what
 * they go to, scaled, at the end of a sub-block. */
#define VNNI 1
#include "kern/x86/vec_avx2.inc.h"
#define NR    6
#define BOOKS 0
#define GROUP 2
#include "kern/x86/matmul.inc.h"
#include "kern/x86/gemv.inc.h"

/* sum[t] += dots of n_lines lines from w on with y[t]. w: the step's lines from row r on. */
INLINE void add_lines(int n, vi sum[NR], const uint8_t *w, const int8_t *const y[NR], size_t first,
                      int n_lines)
{
#pragma GCC unroll 8
    for (int i = 0; i < n_lines; i++) {
        vi line = vi_load(w + (first + (size_t)i) * MR * 4);
#pragma GCC unroll 6
        for (int t = 0; t < n; t++)
            sum[t] = vi_dot(sum[t], line, vi_repeat(y[t] + (first + (size_t)i) * 4));
    }
}

/* ---- gemm, class K ---- */

/* The tokens of a tile: activations, their sums per sub-block and scale, of one block. */
typedef struct tile {
    const int8_t *y[NR];
    const int16_t *sum[NR];
    float d[NR];
} tile;

INLINE void sub_block(int n, vi target[NR], const step *p, const tile *v, int r, int i, int n_subs,
                      int zero)
{
    vi sum[NR], scale = vi_load(p->scale[i] + r);
#pragma GCC unroll 6
    for (int t = 0; t < n; t++) sum[t] = zero ? vi_32(-zero * v->sum[t][i]) : vi_zero();
    if (n_subs == 8) add_lines(n, sum, p->w[0][r], v->y, (size_t)i * 8, 8);
    else add_lines(n, sum, p->w[0][r], v->y, (size_t)i * 4, 4);
#pragma GCC unroll 6
    for (int t = 0; t < n; t++) target[t] = vi_add(target[t], vi_mul(sum[t], scale));
}

/* Rows r..r+7 of the step. */
INLINE void block_k(ingle_type type, int n, const step *p, const tile *v, int r, float *c)
{
    const shape g = shape_of(type);
    vi sum[NR];
    for (int t = 0; t < n; t++) sum[t] = vi_zero();
    for (int i = 0; i < g.n_subs; i++) sub_block(n, sum, p, v, r, i, g.n_subs, g.zero);
    vf d = vf_load(p->d[0] + r);
#pragma GCC unroll 6
    for (int t = 0; t < n; t++) {
        float *f = c + t * MR + r;
        vf_store(f, vf_fma(vf_int(sum[t]), vf_mul(d, vf_1(v->d[t])), vf_load(f)));
    }
    if (!g.min_field) return;
    for (int t = 0; t < n; t++) sum[t] = vi_zero();
    for (int i = 0; i < g.n_subs / 2; i++) {
        vi pair = vi_load(p->min_pair[i] + r);
#pragma GCC unroll 6
        for (int t = 0; t < n; t++) sum[t] = vi_dot16(sum[t], pair, vi_repeat(v->sum[t] + 2 * i));
    }
    d = vf_load(p->min[0] + r);
#pragma GCC unroll 6
    for (int t = 0; t < n; t++) {
        float *f = c + t * MR + r;
        vf_store(f, vf_fnma(vf_int(sum[t]), vf_mul(d, vf_1(v->d[t])), vf_load(f)));
    }
}

INLINE void tile_k(ingle_type type, int n, const step *p, const ingle_acts *x, size_t t0, size_t b,
                   float *c)
{
    const size_t n_subs = (size_t)shape_of(type).n_subs;
    tile v;
    for (int t = 0; t < n; t++) {
        size_t row = t0 + (size_t)t;
        v.y[t] = x->q + row * x->ld_q + b * 256;
        v.d[t] = x->d[row * x->ld_d + b];
        v.sum[t] = x->sum16 + row * x->ld_s16 + (n_subs == 16 ? 0 : x->n_cols / 16) + b * n_subs;
    }
    for (int r = 0; r < MR; r += VL) block_k(type, n, p, &v, r, c);
}

/* ---- gemm, class B ---- */

INLINE void tile_b(ingle_type type, int n, const step *p, const ingle_acts *x, size_t t0, size_t b0,
                   size_t n_blocks, float *c)
{
    const shape g = shape_of(type);
    const int n_lines = run_of(g) / 4;
    const int8_t *y[NR];
    const float *dy[NR], *s[NR];
    const int32_t *sums[NR];     /* of y by run */
    int32_t halves[NR][KC / 16]; /* where they are 16 */
    for (int t = 0; t < n; t++) {
        size_t row = t0 + (size_t)t;
        y[t] = x->q + row * x->ld_q + b0 * 32;
        dy[t] = x->d + row * x->ld_d + b0;
        s[t] = x->s + row * x->ld_d + b0;
        sums[t] = n_lines == 8 ? x->sum32 + row * x->ld_s32 + b0 : halves[t];
        for (size_t b = 0; n_lines == 4 && b < n_blocks; b++)
            sums_of_halves(y[t] + 32 * b, halves[t] + 2 * b);
    }
    for (size_t i = 0; i < n_blocks * 8 / (size_t)n_lines; i++) {
        const size_t b = i * (size_t)n_lines / 8;
        for (int r = 0; r < MR; r += VL) {
            vi sum[NR];
#pragma GCC unroll 6
            for (int t = 0; t < n; t++) sum[t] = g.zero ? vi_32(-g.zero * sums[t][i]) : vi_zero();
            if (n_lines == 8) add_lines(n, sum, p->w[0][r], y, i * 8, 8);
            else add_lines(n, sum, p->w[0][r], y, i * 4, 4);
            vf d = vf_load(p->d[i] + r), min = g.min_field ? vf_load(p->min[i] + r) : vf_zero();
#pragma GCC unroll 6
            for (int t = 0; t < n; t++) {
                float *out = c + t * MR + r;
                vf a = vf_1(dy[t][b]), f = vf_fma(vf_int(sum[t]), vf_mul(d, a), vf_load(out));
                if (g.min_field) f = vf_fma(min, vf_1(s[t][b]), f);
                vf_store(out, f);
            }
        }
    }
}

/* ---- the table ---- */

#define TILE(NAME, fn, n)                                                                          \
    static void tile_##fn##_##n(const step *p, const ingle_acts *x, size_t t, size_t b,            \
                                size_t n_blocks, float *c)                                         \
    {                                                                                              \
        if (is_k(INGLE_TYPE_##NAME)) tile_k(INGLE_TYPE_##NAME, n, p, x, t, b, c);                  \
        else tile_b(INGLE_TYPE_##NAME, n, p, x, t, b, n_blocks, c);                                \
    }
#define TILES(fn)                                                                                  \
    {                                                                                              \
        NULL, tile_##fn##_1, tile_##fn##_2, tile_##fn##_3, tile_##fn##_4, tile_##fn##_5,           \
            tile_##fn##_6                                                                          \
    }
#define KERNELS(NAME, fn, ...)                                                                     \
    TILE(NAME, fn, 1)                                                                              \
    TILE(NAME, fn, 2)                                                                              \
    TILE(NAME, fn, 3)                                                                              \
    TILE(NAME, fn, 4)                                                                              \
    TILE(NAME, fn, 5)                                                                              \
    TILE(NAME, fn, 6)                                                                              \
    static const tile_table tiles_##fn = {TILES(fn), TILES(fn)};                                   \
    KERNELS_OF(NAME, fn, &tiles_##fn)
INGLE_TYPES_QUANTISED(KERNELS)

void ingle_kern_avxvnni_matmul(ingle_kern *k)
{
    INGLE_TYPES_QUANTISED(SET)
    install(k);
}
