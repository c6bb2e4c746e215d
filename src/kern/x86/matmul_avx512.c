/* matmul_avx512.c - products with quantised weights on AVX-512 with VNNI (Ice Lake, Zen 4 and
 * later). Depends on matmul.h (the task), weights.h (the types). Tiles are 32 rows x NR tokens: two
 * loads of weights and NR broadcasts feed 2 NR vpdpbusd, which Ice Lake issues two a cycle on the
 * only two ports that take any 512-bit arithmetic. So every other operation costs as much as a dot,
 * and scales are applied with one vpdpwssd (16-bit sums) where the activations allow it; vpmulld,
 * two operations, else. */
#include "kern/x86/vec_avx512.h"
#define NR 6
#include "kern/x86/matmul.h"
#include "kern/x86/tile_avx512.h"

INLINE vi dot(vi acc, vi w, vi y)
{
    return _mm512_dpbusd_epi32(acc, w, y);
}

/* Starting values -zero * (sum of y) of n sub-blocks, 16 at a time. */
INLINE void start_k(int32_t *start, const int16_t *sums, size_t n, int zero)
{
    for (size_t i = 0; i < n; i += VL)
        vi_store(start + i, vi_mul(vi_load_s16(sums + i), vi_32(-zero)));
}

/* acc + s16 pairs of a times those of b; in place, which gcc does not see by itself. */
INLINE vi dot16(vi acc, vi a, vi b)
{
    __asm__("vpdpwssd %2, %1, %0" : "+v"(acc) : "v"(a), "v"(b));
    return acc;
}

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
            sum[t][0] = dot16(sum[t][0], p0, a);
            sum[t][1] = dot16(sum[t][1], p1, a);
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

/* ---- gemv: the same sums, with the weights unpacked in registers ---- */

#define PREFETCH 2048 /* bytes of the stream of lines */

INLINE vi broadcast_line(const int8_t *y, int i)
{
    return vi_repeat(y + 4 * i);
}

INLINE vf gemv_block_k(ingle_type type, const source *s, size_t b, const ingle_acts *x,
                       const int32_t *start, vf f)
{
    const shape g = shape_of(type);
    const int8_t *y = x->q + b * 256;
    _Alignas(64) scales q;
    read_scales(type, s, b, &q);
    vi blk = vi_zero();
#pragma GCC unroll 8
    for (int c = 0; c < g.n_chunks; c++) {
        vi acc[MAX_PARTS];
        for (int j = 0; j < g.n_parts; j++)
            acc[j] = g.zero && (j == 0 || sub_of(g, c, j) != sub_of(g, c, j - 1))
                         ? vi_repeat(start + sub_of(g, c, j))
                         : vi_zero();
#pragma GCC unroll 8
        for (int i = 0; i < g.n_steps; i++) {
            vi u[MAX_PARTS];
            unpack(type, s, b, c, i, 0, u);
            for (int j = 0; j < g.n_parts; j++)
                acc[j] = dot(acc[j], u[j], broadcast_line(y, line_of(g, c, j, i)));
        }
        for (int j = 0; j < g.n_parts; j++)
            blk = vi_add(blk, vi_mul(acc[j], vi_load_s8(q.sc + sub_of(g, c, j) * ROWS)));
    }
    vf dy = vf_1(x->d[b]);
    f = vf_fma(vf_int(blk), vf_mul(block_d(type, s, b, 0), dy), f);
    if (!g.has_min) return f;
    const int16_t *sum = x->sum16 + (g.n_subs == 16 ? 0 : x->n_cols / 16) + b * (size_t)g.n_subs;
    vi mn = vi_zero();
    for (int j = 0; j < g.n_subs; j += 2) mn = dot16(mn, pair_of(q.mn, j, 0), vi_repeat(sum + j));
    return vf_fnma(vf_int(mn), vf_mul(block_min(type, s, b, 0), dy), f);
}

INLINE vf gemv_block_b(ingle_type type, const source *s, size_t b, const ingle_acts *x,
                       const int32_t *start, vf f)
{
    const shape g = shape_of(type);
    vi acc = g.zero ? vi_repeat(start) : vi_zero();
#pragma GCC unroll 8
    for (int i = 0; i < g.n_steps; i++) {
        vi u[MAX_PARTS];
        unpack(type, s, b, 0, i, 0, u);
        for (int j = 0; j < g.n_parts; j++)
            acc = dot(acc, u[j], broadcast_line(x->q + b * 32, line_of(g, 0, j, i)));
    }
    vf dy = vf_1(x->d[b]);
    f = vf_fma(vf_int(acc), vf_mul(block_d(type, s, b, 0), dy), f);
    if (g.has_min) f = vf_fma(vf_1((float)x->sum32[b]), vf_mul(block_min(type, s, b, 0), dy), f);
    return f;
}

INLINE int lines_field(ingle_type type)
{
    switch (type) {
    case INGLE_TYPE_Q4_1:
    case INGLE_TYPE_Q5_0: return 2;
    case INGLE_TYPE_Q5_1:
    case INGLE_TYPE_Q4_K:
    case INGLE_TYPE_IQ4_XS: return 3;
    case INGLE_TYPE_Q5_K: return 4;
    case INGLE_TYPE_Q6_K: return 0;
    default: return 1;
    }
}

INLINE void gemv(ingle_type type, const ingle_matmul *job, size_t first, size_t n, void *scratch)
{
    const ingle_packed *w = job->w;
    const ingle_acts *x = job->x;
    const shape g = shape_of(type);
    int32_t *start = scratch;
    if (g.zero && is_k(type))
        start_k(start, x->sum16 + (g.n_subs == 16 ? 0 : x->n_cols / 16),
                w->n_blocks * (size_t)g.n_subs, g.zero);
    else if (g.zero)
        for (size_t b = 0; b < w->n_blocks; b++) start[b] = -g.zero * x->sum32[b];
    const size_t line_bytes = (size_t)(is_k(type) ? 64 : 8) * 64 /
                              (type == INGLE_TYPE_Q8_0                              ? 1
                               : type == INGLE_TYPE_Q2_K || type == INGLE_TYPE_Q3_K ? 4
                                                                                    : 2);
    for (size_t p = first; p < first + n; p++) {
        source s = source_of(w, p);
        vf f = vf_zero();
        for (size_t b = 0; b < w->n_blocks; b++) {
            const char *ahead =
                (const char *)s.field[lines_field(type)] + b * line_bytes + PREFETCH;
            for (size_t i = 0; i < line_bytes; i += 64) _mm_prefetch(ahead + i, _MM_HINT_T0);
            if (is_k(type)) f = gemv_block_k(type, &s, b, x, start + b * (size_t)g.n_subs, f);
            else f = gemv_block_b(type, &s, b, x, start + b, f);
        }
        finish(job, 0, p * ROWS, f);
    }
}

/* ---- the table ---- */

#define TYPE(name, NAME, tiles)                                                                    \
    static void gemv_##name(const ingle_matmul *job, size_t first, size_t n, void *scratch)        \
    {                                                                                              \
        gemv(INGLE_TYPE_##NAME, job, first, n, scratch);                                           \
    }                                                                                              \
    static void gemm_##name(const ingle_matmul *job, size_t first, size_t n, void *scratch)        \
    {                                                                                              \
        gemm(INGLE_TYPE_##NAME, &tiles, job, first, n, scratch);                                   \
    }

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

static size_t scratch_bytes(size_t m, size_t n_cols)
{
    size_t gemm_bytes = sizeof(work) + m * MR * sizeof(float), gemv_bytes = n_cols / 4 + 64;
    return gemm_bytes > gemv_bytes ? gemm_bytes : gemv_bytes;
}

#define SET(name, NAME)                                                                            \
    k->gemv[INGLE_TYPE_##NAME] = gemv_##name, k->gemm[INGLE_TYPE_##NAME] = gemm_##name

void ingle_kern_avx512_matmul(ingle_kern *k)
{
    SET(q4_0, Q4_0);
    SET(q4_1, Q4_1);
    SET(q5_0, Q5_0);
    SET(q5_1, Q5_1);
    SET(q8_0, Q8_0);
    SET(iq4_nl, IQ4_NL);
    SET(mxfp4, MXFP4);
    SET(q2_k, Q2_K);
    SET(q3_k, Q3_K);
    SET(q4_k, Q4_K);
    SET(q5_k, Q5_K);
    SET(q6_k, Q6_K);
    SET(iq4_xs, IQ4_XS);
    k->quantise = quantise;
    k->gemm_panels = 2;
    k->scratch_bytes = scratch_bytes;
}
