/* matmul_avx512.c - products with quantised weights on AVX-512 with VNNI (Ice Lake, Zen 4, later).
 * Depends on matmul.inc.h, gemv.inc.h (the tasks), weights.inc.h (the types), tile_avx512.inc.h (the
 * inner loops). */
#include "kern/x86/vec_avx512.h"
#define NR    3
#define BOOKS 0
#define GROUP 4
#include "kern/x86/matmul.inc.h"
#include "kern/x86/gemv.inc.h"
#include "kern/x86/tile_avx512.inc.h"

/* Rows t .. t + n - 1 of y from block b on, and what of the next tile hardware does not foresee:
 * its sums and, from row to row, its activations. */
#define ROWS_OF_Y(n, bytes)                                                                        \
    const int8_t *y0 = x->q + t * x->ld_q + b * (bytes), *y1 = n > 1 ? y0 + x->ld_q : y0,          \
                 *y2 = n > 2 ? y1 + x->ld_q : y1;                                                  \
    prefetch_next(c, y2 + x->ld_q, x->ld_q)
INLINE void prefetch_next(const float *c, const int8_t *y, size_t ld_q)
{
    for (int i = 0; i < NR * MR; i += 16)
        _mm_prefetch((const char *)(c + NR * MR + i), _MM_HINT_T0);
    for (int t = 0; t < NR; t++, y += ld_q)
        for (int i = 0; i < KC; i += 64) _mm_prefetch((const char *)(y + i), _MM_HINT_T0);
}

/* The same of what a row has beside y. */
INLINE void prefetch_rows(const void *first, size_t bytes)
{
    for (size_t t = NR; t < 2 * NR; t++) _mm_prefetch((const char *)first + t * bytes, _MM_HINT_T0);
}

/* ---- gemm, class K ---- */

/* What the sums of n tokens of a block start from, per sub-block, or for the whole block if the
 * scales are folded into the weights. */
INLINE void starts_k(int n, int zero, bool folded, const int16_t *sum, size_t ld_sum,
                     token_k token[NR])
{
    for (int t = 0; zero && t < n; t++, sum += ld_sum) { /* rows of sums end in enough others */
        __m512i s = _mm512_cvtepi16_epi32(_mm256_loadu_si256((const void *)sum));
        if (folded) token[t].start[0] = -zero * _mm512_reduce_add_epi32(s);
        else _mm512_storeu_si512(token[t].start, _mm512_mullo_epi32(s, _mm512_set1_epi32(-zero)));
    }
}

/* n_subs: of the sums wanted; zero: what weights count from.
 *                 name        kind  n_subs zero folded */
#define KINDS_K(X)                                                                                 \
    X(tile_q2_k, Q2_K, 16, 0, true)                                                                \
    X(tile_q3_k, Q3_K, 16, 127, true)                                                              \
    X(tile_q4_k_calm, Q4_K_CALM, 8, 0, false)                                                      \
    X(tile_q5_k_calm, Q5_K_CALM, 8, 16, false)                                                     \
    X(tile_q45_k_loud, Q45_K_LOUD, 8, 0, false)                                                    \
    X(tile_q6_k_calm, Q6_K_CALM, 16, 32, false)                                                    \
    X(tile_q6_k_loud, Q6_K_LOUD, 16, 32, false)                                                    \
    X(tile_k32_calm, K32_CALM, 8, 128, false)                                                      \
    X(tile_k32_loud, K32_LOUD, 8, 128, false)                                                      \
    X(tile_k16_narrow, Q6_K_CALM, 16, 128, false)                                                  \
    X(tile_k16_wide, Q6_K_LOUD, 16, 128, false)                                                    \
    X(tile_tq, Q3_K, 16, 1, true)

#define TILE_K(name, n, KIND, n_subs, zero, folded)                                                \
    static void name##_##n(const step *p, const ingle_acts *x, size_t t, size_t b,                 \
                           size_t n_blocks, float *c)                                              \
    {                                                                                              \
        _Alignas(64) token_k token[NR];                                                            \
        const int16_t *sum =                                                                       \
            x->sum16 + t * x->ld_s16 + (n_subs == 16 ? 0 : x->n_cols / 16) + b * n_subs;           \
        const float *d = x->d + t * x->ld_d + b;                                                   \
        ROWS_OF_Y(n, KC);                                                                          \
        prefetch_rows(sum, x->ld_s16 * sizeof *sum);                                               \
        prefetch_rows(d, x->ld_d * sizeof *d);                                                     \
        (void)n_blocks;                                                                            \
        starts_k(n, zero, folded, sum, x->ld_s16, token);                                          \
        BLOCK_K(KIND, TOKENS_##n);                                                                 \
    }
#define TILES_K(name, KIND, n_subs, zero, folded)                                                  \
    TILE_K(name, 1, KIND, n_subs, zero, folded)                                                    \
    TILE_K(name, 2, KIND, n_subs, zero, folded)                                                    \
    TILE_K(name, 3, KIND, n_subs, zero, folded)
KINDS_K(TILES_K)

#define TILES(name)                                                                                \
    {                                                                                              \
        NULL, name##_1, name##_2, name##_3                                                         \
    }
#define TABLE(tile, loud, calm)                                                                    \
    static const tile_table tiles_##tile = {TILES(tile_##loud), TILES(tile_##calm)};
TABLE(q2_k, q2_k, q2_k)
TABLE(q3_k, q3_k, q3_k)
TABLE(q4_k, q45_k_loud, q4_k_calm)
TABLE(q5_k, q45_k_loud, q5_k_calm)
TABLE(q6_k, q6_k_loud, q6_k_calm)
TABLE(tq, tq, tq)
/* Tables of values. Sums of 32 products fit 16 bits if calm with weights of +-15, not with more; of
 * 16 products with +-31, and always with +-9. */
TABLE(k32_127, k32_loud, k32_loud)
TABLE(k32_62, k32_loud, k32_loud)
TABLE(k32_15, k32_loud, k32_calm)
TABLE(k16_127, k16_wide, k16_wide)
TABLE(k16_62, k16_wide, k16_wide)
TABLE(k16_31, k16_wide, k16_narrow)
TABLE(k16_9, k16_narrow, k16_narrow)

/* ---- gemm, class B ---- */

INLINE void tokens_b(int n, int zero, bool has_min, const ingle_acts *x, size_t t0, size_t b,
                     token_b token[NR])
{
    for (int t = 0; t < n; t++) {
        size_t row = t0 + (size_t)t;
        _mm256_store_ps(token[t].d, _mm256_loadu_ps(x->d + row * x->ld_d + b));
        if (has_min) {
            _mm256_store_ps(token[t].s, _mm256_loadu_ps(x->s + row * x->ld_d + b));
        } else {
            __m256i sum = _mm256_loadu_si256((const void *)(x->sum32 + row * x->ld_s32 + b));
            sum = _mm256_mullo_epi32(sum, _mm256_set1_epi32(-zero));
            _mm256_store_si256((void *)token[t].start, sum);
        }
    }
}

/* The same for runs of 16, n_blocks blocks of 32. */
INLINE void tokens_b16(int n, int zero, const ingle_acts *x, size_t t0, size_t b, size_t n_blocks,
                       token_b token[NR])
{
    for (int t = 0; t < n; t++) {
        size_t row = t0 + (size_t)t;
        const int8_t *y = x->q + row * x->ld_q + b * 32;
        for (size_t i = 0; i < n_blocks; i++) {
            sums_of_halves(y + 32 * i, token[t].start16 + 2 * i);
            token[t].d[2 * i] = token[t].d[2 * i + 1] = x->d[row * x->ld_d + b + i];
        }
        for (size_t i = 0; i < 2 * n_blocks; i++) token[t].start16[i] *= -zero;
    }
}

#define TILE_B(name, n, KIND, zero, has_min, run)                                                  \
    static void name##_##n(const step *p, const ingle_acts *x, size_t t, size_t b,                 \
                           size_t n_blocks, float *c)                                              \
    {                                                                                              \
        _Alignas(64) token_b token[NR];                                                            \
        ROWS_OF_Y(n, 32);                                                                          \
        prefetch_rows(x->d + t * x->ld_d + b, x->ld_d * sizeof *x->d);                             \
        if (has_min) prefetch_rows(x->s + t * x->ld_d + b, x->ld_d * sizeof *x->s);                \
        else prefetch_rows(x->sum32 + t * x->ld_s32 + b, x->ld_s32 * sizeof *x->sum32);            \
        if (run == 32) tokens_b(n, zero, has_min, x, t, b, token);                                 \
        else tokens_b16(n, zero, x, t, b, n_blocks, token);                                        \
        STEP_B(KIND, TOKENS_##n, n_blocks * 32);                                                   \
    }
#define TILES_B(name, KIND, zero, has_min, run)                                                    \
    TILE_B(tile_##name, 1, KIND, zero, has_min, run)                                               \
    TILE_B(tile_##name, 2, KIND, zero, has_min, run)                                               \
    TILE_B(tile_##name, 3, KIND, zero, has_min, run)

TILES_B(b1, PLAIN_B, 1, false, 32)
TILES_B(b8, PLAIN_B, 8, false, 32)
TILES_B(b16, PLAIN_B, 16, false, 32)
TILES_B(b128, PLAIN_B, 128, false, 32)
TILES_B(b_min, MIN_B, 0, true, 32)
TILES_B(b128_runs_16, RUNS_16, 128, false, 16)

TABLE(q4_0, b8, b8)
TABLE(q4_1, b_min, b_min)
TABLE(q5_0, b16, b16)
TABLE(q5_1, b_min, b_min)
TABLE(q8_0, b128, b128)
TABLE(q1_0, b1, b1)
TABLE(nvfp4, b128_runs_16, b128_runs_16)

/* ---- the table ---- */

#define KERNELS(NAME, fn, number, tile, ...) KERNELS_OF(NAME, fn, &tiles_##tile)
INGLE_TYPES_QUANTISED(KERNELS)

const tile_table *avx512_tiles(ingle_type type)
{
#define TILES_OF(NAME, fn, number, tile, ...)                                                      \
    if (type == INGLE_TYPE_##NAME) return &tiles_##tile;
    INGLE_TYPES_BOOK(TILES_OF)
    ingle_never(); /* no codebook type */
}

void ingle_kern_avx512_matmul(ingle_kern *k)
{
    INGLE_TYPES_QUANTISED(SET)
    install(k);
}
