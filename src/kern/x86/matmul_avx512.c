/* matmul_avx512.c - products with quantised weights on AVX-512 with VNNI (Ice Lake, Zen 4 and
 * later). Depends on matmul.h (the task), weights.h (the types). Tiles are 32 rows x NR tokens: two
 * loads of weights and NR broadcasts feed 2 NR vpdpbusd, which Ice Lake issues two a cycle on the
 * only two ports that take any 512-bit arithmetic. So every other operation costs as much as a dot,
 * and scales are applied with one vpdpwssd (16-bit sums) where the activations allow it; vpmulld,
 * two operations, else. */
#include "kern/x86/vec_avx512.h"
#define NR 6
#include "kern/x86/matmul.h"
#include "kern/x86/gemv.h"
#include "kern/x86/tile_avx512.h"

/* ---- gemm, class K ---- */

/* What differs between the K types once they are unpacked. */
typedef struct k_class {
    int n_subs;                  /* per block */
    int zero;                    /* sums start at -zero * sum of y ... */
    bool scale_pairs, min_pairs; /* ... and the scale pairs put back what was not the type's zero */
    bool narrow;                 /* sums fit 16 bits */
} k_class;

/* Some tokens of a tile. */
typedef struct tile {
    const int8_t *y[NR];    /* activations at the step's first block */
    const int16_t *sum[NR]; /* their sums per sub-block */
    const float *d[NR];     /* their scales */
} tile;

INLINE tile tile_at(const ingle_acts *x, size_t t0, size_t b0, int n, size_t block, int sub)
{
    tile v;
    for (int t = 0; t < NR; t++) {
        size_t row = t0 + (size_t)(t < n ? t : 0);
        v.y[t] = x->q + row * x->ld_q + b0 * block;
        v.d[t] = x->d + row * x->ld_d + b0;
        v.sum[t] = NULL;
        if (sub)
            v.sum[t] = x->sum16 + row * x->ld_s16 + (sub == 16 ? 0 : x->n_cols / 16) +
                       b0 * (256 / (size_t)sub);
    }
    return v;
}

/* sum[t][h] += (pairs of scales or mins) . (pairs of sums), the n_pairs pairs of a block from
 * `first` on. */
INLINE void add_pairs(int n, int n_pairs, vi sum[NR][2], const int32_t (*pair)[MR], const tile *v,
                      size_t first)
{
#pragma GCC unroll 8
    for (int i = 0; i < n_pairs; i++) {
        vi p0 = vi_load(pair[first + (size_t)i]), p1 = vi_load(pair[first + (size_t)i] + 16);
#pragma GCC unroll 6
        for (int t = 0; t < n; t++) {
            vi a = vi_repeat(v->sum[t] + 2 * (first + (size_t)i));
            sum[t][0] = vi_dot16(sum[t][0], p0, a);
            sum[t][1] = vi_dot16(sum[t][1], p1, a);
        }
    }
}

INLINE void tile_k(k_class k, int n, const step *p, const ingle_acts *x, size_t t0, size_t b0,
                   size_t n_blocks, float *c)
{
    const int n_lines = 64 / k.n_subs, n_pairs = k.n_subs / 2;
    const tile v = tile_at(x, t0, b0, n, 256, 256 / k.n_subs);
    _Alignas(64) int32_t start[NR][KC / 16], sums[NR][MR];
    for (int t = 0; t < n && k.zero; t++)
        start_k(start[t], v.sum[t], n_blocks * (size_t)k.n_subs, k.zero);
    for (size_t b = 0; b < n_blocks; b++) {
        size_t sub = b * (size_t)k.n_subs;
        vi blk[NR][2], mn[NR][2];
        block_k(n, n_lines, k.narrow, sums, p->w[b * 64], v.y, b * 256,
                k.zero ? &start[0][sub] : NULL, p->scale[sub], (size_t)k.n_subs);
        for (int t = 0; t < n; t++) {
            blk[t][0] = vi_load(sums[t]), blk[t][1] = vi_load(sums[t] + 16);
            mn[t][0] = mn[t][1] = vi_zero();
        }
        if (k.scale_pairs) add_pairs(n, n_pairs, blk, p->scale_pair, &v, b * (size_t)n_pairs);
        if (k.min_pairs) add_pairs(n, n_pairs, mn, p->min_pair, &v, b * (size_t)n_pairs);
#pragma GCC unroll 12
        for (int i = 0; i < 2 * n; i++) {
            int t = i / 2, h = i % 2;
            float *f = c + t * MR + 16 * h;
            vf dy = vf_1(v.d[t][b]), sum = vf_load(f);
            sum = vf_fma(vf_int(blk[t][h]), vf_mul(vf_load(p->d[b] + 16 * h), dy), sum);
            if (k.min_pairs)
                sum = vf_fnma(vf_int(mn[t][h]), vf_mul(vf_load(p->min[b] + 16 * h), dy), sum);
            vf_store(f, sum);
        }
    }
}

#define TILE_K(name, n, ...)                                                                       \
    static void name##_##n(const step *p, const ingle_acts *x, size_t t, size_t b,                 \
                           size_t n_blocks, float *c)                                              \
    {                                                                                              \
        tile_k((k_class){__VA_ARGS__}, n, p, x, t, b, n_blocks, c);                                \
    }
#define TILES_K(name, ...)                                                                         \
    TILE_K(name, 1, __VA_ARGS__)                                                                   \
    TILE_K(name, 2, __VA_ARGS__)                                                                   \
    TILE_K(name, 3, __VA_ARGS__)                                                                   \
    TILE_K(name, 4, __VA_ARGS__)                                                                   \
    TILE_K(name, 5, __VA_ARGS__)                                                                   \
    TILE_K(name, 6, __VA_ARGS__)
#define TILES(name)                                                                                \
    {                                                                                              \
        NULL, name##_1, name##_2, name##_3, name##_4, name##_5, name##_6                           \
    }

/*                      subs zero pairs: scale  min    narrow */
TILES_K(tile_q2_k, 16, 0, false, true, true)
TILES_K(tile_q3_k, 16, 4, false, false, true)
TILES_K(tile_q4_k_calm, 8, 0, false, true, true)
TILES_K(tile_q5_k_calm, 8, 16, true, true, true)
TILES_K(tile_q45_k_loud, 8, 0, false, true, false)
TILES_K(tile_q6_k_calm, 16, 32, false, false, true)
TILES_K(tile_q6_k_loud, 16, 32, false, false, false)
TILES_K(tile_iq4_xs, 8, 128, false, false, false)

static const tile_table tiles_q2_k = {TILES(tile_q2_k), TILES(tile_q2_k)};
static const tile_table tiles_q3_k = {TILES(tile_q3_k), TILES(tile_q3_k)};
static const tile_table tiles_q4_k = {TILES(tile_q45_k_loud), TILES(tile_q4_k_calm)};
static const tile_table tiles_q5_k = {TILES(tile_q45_k_loud), TILES(tile_q5_k_calm)};
static const tile_table tiles_q6_k = {TILES(tile_q6_k_loud), TILES(tile_q6_k_calm)};
static const tile_table tiles_iq4_xs = {TILES(tile_iq4_xs), TILES(tile_iq4_xs)};

/* ---- gemm, class B ---- */

INLINE void tile_b(int zero, bool has_min, int n, const step *p, const ingle_acts *x, size_t t0,
                   size_t b0, size_t n_blocks, float *c)
{
    const tile v = tile_at(x, t0, b0, n, 32, 0);
    _Alignas(64) token_b table[NR];
    for (int t = 0; t < n; t++) {
        vi sum = vi_load(x->sum32 + (t0 + (size_t)t) * x->ld_s32 + b0);
        vi_store(table[t].start, has_min ? (vi)vf_int(sum) : vi_mul(sum, vi_32(-zero)));
        vf_store(table[t].d, vf_load(v.d[t]));
    }
    step_b(n, has_min, c, p->w, v.y, table, p->d[0], p->min[0], n_blocks);
}

#define TILE_B(name, n, ...)                                                                       \
    static void name##_##n(const step *p, const ingle_acts *x, size_t t, size_t b,                 \
                           size_t n_blocks, float *c)                                              \
    {                                                                                              \
        tile_b(__VA_ARGS__, n, p, x, t, b, n_blocks, c);                                           \
    }
#define TILES_B(name, ...)                                                                         \
    TILE_B(name, 1, __VA_ARGS__)                                                                   \
    TILE_B(name, 2, __VA_ARGS__)                                                                   \
    TILE_B(name, 3, __VA_ARGS__)                                                                   \
    TILE_B(name, 4, __VA_ARGS__)                                                                   \
    TILE_B(name, 5, __VA_ARGS__)                                                                   \
    TILE_B(name, 6, __VA_ARGS__)

TILES_B(tile_b8, 8, false)
TILES_B(tile_b16, 16, false)
TILES_B(tile_b128, 128, false)
TILES_B(tile_b_min, 0, true)

static const tile_table tiles_b8 = {TILES(tile_b8)}, tiles_b16 = {TILES(tile_b16)};
static const tile_table tiles_b128 = {TILES(tile_b128)}, tiles_b_min = {TILES(tile_b_min)};

/* ---- the table ---- */

TYPE(q4_0, Q4_0, tiles_b8)
TYPE(q4_1, Q4_1, tiles_b_min)
TYPE(q5_0, Q5_0, tiles_b16)
TYPE(q5_1, Q5_1, tiles_b_min)
TYPE(q8_0, Q8_0, tiles_b128)
TYPE(iq4_nl, IQ4_NL, tiles_b128)
TYPE(mxfp4, MXFP4, tiles_b16)
TYPE(q2_k, Q2_K, tiles_q2_k)
TYPE(q3_k, Q3_K, tiles_q3_k)
TYPE(q4_k, Q4_K, tiles_q4_k)
TYPE(q5_k, Q5_K, tiles_q5_k)
TYPE(q6_k, Q6_K, tiles_q6_k)
TYPE(iq4_xs, IQ4_XS, tiles_iq4_xs)

void ingle_kern_avx512_matmul(ingle_kern *k)
{
    INSTALL(k);
}
