/* matmul_avx2.c - products with quantised weights on AVX2.
 * Depends on matmul.inc.h, gemv.inc.h (the tasks), weights.inc.h (the types).
 *
 * Tiles are 8 rows x NR tokens, one register of sums a token. Products are summed in 16 bits over
 * as many lines as the type's largest weight allows, then multiplied by the scale into 32 bits with
 * one vpmaddwd. */
#define VNNI 0
#include "kern/x86/vec_avx2.inc.h"
#define NR    6
#define BOOKS 0
#define GROUP 2
#include "kern/x86/matmul.inc.h"
#include "kern/x86/gemv.inc.h"

/* How a type's sums are taken. n_lines: lines of 4 k whose products fit 16 bits together; wide:
 * signed 8-bit weights. */
typedef struct sums {
    int n_lines;
    bool wide;
} sums;

/* target[t] += scale * (products of lines first.. with y[t]), 16-bit sums in between. w: the step's
 * lines from row r on. */
INLINE void add_lines(sums k, int n, vi target[NR], const uint8_t *w, const int8_t *const y[NR],
                      size_t first, vi scale)
{
    vi sum[NR];
#pragma GCC unroll 8
    for (int i = 0; i < k.n_lines; i++) {
        vi line = vi_load(w + (first + (size_t)i) * MR * 4),
           magnitude = k.wide ? vi_abs8(line) : line;
#pragma GCC unroll 6
        for (int t = 0; t < n; t++) {
            vi a = vi_repeat(y[t] + (first + (size_t)i) * 4);
            a = k.wide ? vi_pairs_signed(magnitude, line, a) : vi_pairs(line, a);
            sum[t] = i ? vi_add16(sum[t], a) : a;
        }
    }
#pragma GCC unroll 6
    for (int t = 0; t < n; t++) target[t] = vi_dot16(target[t], sum[t], scale);
}

/* ---- gemm, class K ---- */

typedef struct k_class {
    sums sums;
    int n_subs; /* per block */
    bool scale_pairs, min_pairs;
} k_class;

/* The tokens of a tile: activations, their sums per sub-block and scale, of one block. */
typedef struct tile {
    const int8_t *y[NR];
    const int16_t *sum[NR];
    float d[NR];
} tile;

/* target[t] += (pairs of scales or mins) . (pairs of sums) */
INLINE void add_pairs(int n, int n_pairs, vi target[NR], const int32_t (*pair)[MR], int r,
                      const tile *v)
{
    for (int i = 0; i < n_pairs; i++) {
        vi p = vi_load(pair[i] + r);
#pragma GCC unroll 6
        for (int t = 0; t < n; t++)
            target[t] = vi_dot16(target[t], p, vi_repeat(v->sum[t] + 2 * i));
    }
}

/* Rows r..r+7 of the step. */
INLINE void block_k(k_class k, int n, const step *p, const tile *v, int r, float *c)
{
    const int n_groups = 64 / k.sums.n_lines;
    vi sum[NR];
    for (int t = 0; t < n; t++) sum[t] = vi_zero();
    for (int i = 0; i < n_groups; i++)
        add_lines(k.sums, n, sum, p->w[0][r], v->y, (size_t)(i * k.sums.n_lines),
                  vi_load(p->scale[i * k.n_subs / n_groups] + r));
    if (k.scale_pairs) add_pairs(n, k.n_subs / 2, sum, p->scale_pair, r, v);
    vf d = vf_load(p->d[0] + r);
#pragma GCC unroll 6
    for (int t = 0; t < n; t++) {
        float *f = c + t * MR + r;
        vf_store(f, vf_fma(vf_int(sum[t]), vf_mul(d, vf_1(v->d[t])), vf_load(f)));
    }
    if (!k.min_pairs) return;
    for (int t = 0; t < n; t++) sum[t] = vi_zero();
    add_pairs(n, k.n_subs / 2, sum, p->min_pair, r, v);
    d = vf_load(p->min[0] + r);
#pragma GCC unroll 6
    for (int t = 0; t < n; t++) {
        float *f = c + t * MR + r;
        vf_store(f, vf_fnma(vf_int(sum[t]), vf_mul(d, vf_1(v->d[t])), vf_load(f)));
    }
}

INLINE void tile_k(k_class k, int n, const step *p, const ingle_acts *x, size_t t0, size_t b,
                   float *c)
{
    tile v;
    for (int t = 0; t < n; t++) {
        size_t row = t0 + (size_t)t;
        v.y[t] = x->q + row * x->ld_q + b * 256;
        v.d[t] = x->d[row * x->ld_d + b];
        v.sum[t] = x->sum16 + row * x->ld_s16 + (k.n_subs == 16 ? 0 : x->n_cols / 16) +
                   b * (size_t)k.n_subs;
    }
    for (int r = 0; r < MR; r += VL) block_k(k, n, p, &v, r, c);
}

#define TILE_K(name, n, ...)                                                                       \
    static void name##_##n(const step *p, const ingle_acts *x, size_t t, size_t b,                 \
                           size_t n_blocks, float *c)                                              \
    {                                                                                              \
        (void)n_blocks;                                                                            \
        tile_k((k_class)__VA_ARGS__, n, p, x, t, b, c);                                            \
    }
#define TILES_K(name, ...)                                                                         \
    TILE_K(name, 1, __VA_ARGS__)                                                                   \
    TILE_K(name, 2, __VA_ARGS__)                                                                   \
    TILE_K(name, 3, __VA_ARGS__)                                                                   \
    TILE_K(name, 4, __VA_ARGS__)                                                                   \
    TILE_K(name, 5, __VA_ARGS__)                                                                   \
    TILE_K(name, 6, __VA_ARGS__)                                                                   \
    static const tile_table name = {TILES(name), TILES(name)};
#define TILES(name)                                                                                \
    {                                                                                              \
        NULL, name##_1, name##_2, name##_3, name##_4, name##_5, name##_6                           \
    }

/*                    lines  wide   subs  pairs: scale  min */
TILES_K(tiles_q2_k, {{4, false}, 16, false, true})
TILES_K(tiles_q3_k, {{4, false}, 16, true, false})
TILES_K(tiles_q4_k, {{8, false}, 8, false, true})
TILES_K(tiles_q5_k, {{4, false}, 8, false, true})
TILES_K(tiles_q6_k, {{2, false}, 16, true, false})
TILES_K(tiles_k32_127, {{1, true}, 8, false, false})
TILES_K(tiles_tq, {{4, false}, 16, true, false})
TILES_K(tiles_k32_62, {{2, true}, 8, false, false})
TILES_K(tiles_k16_62, {{2, true}, 16, false, false})
TILES_K(tiles_k32_15, {{8, true}, 8, false, false})
TILES_K(tiles_k16_31, {{4, true}, 16, false, false})
TILES_K(tiles_k16_127, {{1, true}, 16, false, false})
static const tile_table tiles_k16_9 = {TILES(tiles_k16_31), TILES(tiles_k16_31)};

/* ---- gemm, class B ---- */

/* run: lines of one. */
INLINE void tile_b(sums k, int run, int zero, bool has_min, int n, const step *p,
                   const ingle_acts *x, size_t t0, size_t b0, size_t n_blocks, float *c)
{
    const int8_t *y[NR];
    const float *dy[NR], *s[NR];
    const int32_t *of32[NR];
    for (int t = 0; t < n; t++) {
        size_t row = t0 + (size_t)t;
        y[t] = x->q + row * x->ld_q + b0 * 32;
        dy[t] = x->d + row * x->ld_d + b0;
        s[t] = x->s + row * x->ld_d + b0;
        of32[t] = x->sum32 + row * x->ld_s32 + b0;
    }
    for (size_t i = 0; i < n_blocks * 8 / (size_t)run; i++) {
        const size_t first = i * (size_t)run, b = first / 8; /* line, block */
        for (int r = 0; r < MR; r += VL) {
            vi sum[NR];
#pragma GCC unroll 6
            for (int t = 0; t < n; t++) sum[t] = zero ? vi_32(-zero * of32[t][b]) : vi_zero();
#pragma GCC unroll 8
            for (int l = 0; l < run; l += k.n_lines)
                add_lines(k, n, sum, p->w[0][r], y, first + (size_t)l, _mm256_set1_epi16(1));
            vf d = vf_load(p->d[i] + r), min = has_min ? vf_load(p->min[i] + r) : vf_zero();
#pragma GCC unroll 6
            for (int t = 0; t < n; t++) {
                float *out = c + t * MR + r;
                vf a = vf_1(dy[t][b]), f = vf_fma(vf_int(sum[t]), vf_mul(d, a), vf_load(out));
                if (has_min) f = vf_fma(min, vf_1(s[t][b]), f);
                vf_store(out, f);
            }
        }
    }
}

#define TILE_B(name, n, run, zero, has_min, ...)                                                   \
    static void name##_##n(const step *p, const ingle_acts *x, size_t t, size_t b,                 \
                           size_t n_blocks, float *c)                                              \
    {                                                                                              \
        tile_b((sums)__VA_ARGS__, run, zero, has_min, n, p, x, t, b, n_blocks, c);                 \
    }
#define TILES_B(name, run, zero, has_min, ...)                                                     \
    TILE_B(name, 1, run, zero, has_min, __VA_ARGS__)                                               \
    TILE_B(name, 2, run, zero, has_min, __VA_ARGS__)                                               \
    TILE_B(name, 3, run, zero, has_min, __VA_ARGS__)                                               \
    TILE_B(name, 4, run, zero, has_min, __VA_ARGS__)                                               \
    TILE_B(name, 5, run, zero, has_min, __VA_ARGS__)                                               \
    TILE_B(name, 6, run, zero, has_min, __VA_ARGS__)                                               \
    static const tile_table name = {TILES(name)};

/*                 run zero min    lines wide */
TILES_B(tiles_q4_0, 8, 8, false, {8, false})
TILES_B(tiles_q4_1, 8, 0, true, {8, false})
TILES_B(tiles_q5_0, 8, 16, false, {4, false}) /* MXFP4 too: at most 12 + 16 */
TILES_B(tiles_q5_1, 8, 0, true, {4, false})
TILES_B(tiles_q1_0, 8, 1, false, {8, false})
TILES_B(tiles_nvfp4, 4, 0, false, {4, true})
TILES_B(tiles_q8_0, 8, 0, false, {1, true})

/* ---- the table ---- */

#define KERNELS(NAME, fn, number, tile, ...) KERNELS_OF(NAME, fn, &tiles_##tile)
INGLE_TYPES_QUANTISED(KERNELS)

void ingle_kern_avx2_matmul(ingle_kern *k)
{
    INGLE_TYPES_QUANTISED(SET)
    install(k);
}
