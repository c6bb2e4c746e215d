/* bf16_avx512bf16.c - products with BF16 weights on processors with AVX512_BF16 (Zen 4, Cooper Lake,
 * Sapphire Rapids): VDPBF16PS adds two products to each of 16 sums where an FMA adds one, but on
 * Sapphire Rapids four FMAs begin in the time of one.
 * Depends on lanes_avx512.h, store.inc.h.
 * Invariant  the bits are those that quant.h writes down for this level, for any number of tokens
 *            and any cut into tasks: one chain per sum, two columns a step.
 *
 * As in matmul_f.inc.h, pieces of a few panels by some columns meet all tokens one after the other,
 * and the sums travel from piece to piece. A piece's activations are rounded once for its tokens. A
 * step wants the two weights of a row side by side, panels have the rows of one column so: a
 * permutation, in registers for few tokens (memory is the limit), once per piece for many. */
#include "kern/lanes_avx512.h"
#include "kern/x86/x86.h"
#include "kern/store.inc.h"

#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 32")
#endif
#define INLINE static inline __attribute__((always_inline))

enum {
    TOKENS = 6,  /* of a tile: 24 sums, 4 weights; 10 loads for 24 dots */
    PANELS = 4,  /* of a tile, and of one pass over the tokens */
    TASK = 16,   /* that share rounded activations */
    PIECE = 192, /* columns: 24 KiB of weights, so that 32 hold the activations and sums as well */
    SPREAD = 32  /* from so many tokens on the weights of a piece are permuted once */
};

/* Panels by columns by tokens. */
typedef struct piece {
    const char *w;      /* the first two columns of the first panel */
    size_t step, panel; /* bytes from two columns to the next, from panel to panel */
    size_t n_cols;
    const uint16_t *x; /* bf16 [tokens][PIECE], 0 behind the last column */
    float *sums;       /* [tokens][ld_sums] */
    size_t ld_sums;
    bool start; /* sums start at 0 */
} piece;

/* Two columns of a panel, as [16 rows][2 columns]. Behind an odd last one packing leaves zeros. */
INLINE __m512i pair_of(const char *panel)
{
    const __m512i order =
        _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6,
                         21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    return _mm512_permutexvar_epi16(order, _mm512_loadu_si512(panel));
}

/* tokens and panels are constants in every instance, so acc lives in registers. */
INLINE void tile_run(const piece *t, bool spread, int tokens, int panels)
{
    v16 acc[TOKENS][PANELS];
    const size_t step = t->step, panel = t->panel, n_cols = t->n_cols, ld_sums = t->ld_sums;
    const bool start = t->start;
    const char *at = t->w;
    float *c = t->sums;
    UNROLL
    for (int r = 0; r < tokens; r++, c += ld_sums) {
        UNROLL
        for (int p = 0; p < panels; p++) acc[r][p] = start ? v_set(0.0f) : v_load(c + 16 * p);
    }
    for (size_t k = 0; k < n_cols; k += 2, at += step) {
        __m512i w[PANELS];
        UNROLL
        for (int p = 0; p < panels; p++) {
            const char *from = at + (size_t)p * panel;
            w[p] = spread ? _mm512_loadu_si512(from) : pair_of(from);
        }
        UNROLL
        for (int r = 0; r < tokens; r++) {
            int32_t two;
            memcpy(&two, t->x + (size_t)r * PIECE + k, sizeof two);
            __m512i x = _mm512_set1_epi32(two);
            UNROLL
            for (int p = 0; p < panels; p++)
                acc[r][p] = _mm512_dpbf16_ps(acc[r][p], (__m512bh)w[p], (__m512bh)x);
        }
    }
    c = t->sums;
    UNROLL
    for (int r = 0; r < tokens; r++, c += ld_sums) {
        UNROLL
        for (int p = 0; p < panels; p++) v_store(c + 16 * p, acc[r][p]);
    }
}

#define TILE(tokens, panels)                                                                       \
    static void tile_##tokens##x##panels(const piece *t, bool spread)                              \
    {                                                                                              \
        if (spread) tile_run(t, true, tokens, panels);                                             \
        else tile_run(t, false, tokens, panels);                                                   \
    }
#define TILES(X)        X(1) X(2) X(3) X(4) X(5) X(6)
#define TILE_OF(tokens) TILE(tokens, 1) TILE(tokens, 2) TILE(tokens, 3) TILE(tokens, 4)
TILES(TILE_OF)

typedef void tile_fn(const piece *t, bool spread);
#define TILE_ROW(tokens)                                                                           \
    [tokens] = {NULL, tile_##tokens##x1, tile_##tokens##x2, tile_##tokens##x3, tile_##tokens##x4},
static tile_fn *const tiles[TOKENS + 1][PANELS + 1] = {TILES(TILE_ROW)};

/* All tokens, in tiles without a small one at the end. */
static void piece_run(piece *t, bool spread, size_t n_tokens, size_t n_panels)
{
    for (size_t left = n_tokens, n; left; left -= n) {
        n = left <= TOKENS ? left : left < 2 * TOKENS ? (left + 1) / 2 : TOKENS;
        tiles[n][n_panels](t, spread);
        t->x += n * PIECE;
        t->sums += n * t->ld_sums;
    }
}

/* Columns k .. k + n - 1 of every token, rounded. */
static void piece_round(const ingle_acts *x, size_t k, size_t n, uint16_t *dst)
{
    for (size_t t = 0; t < x->m; t++, dst += PIECE) {
        const float *from = x->x + t * x->ld_x + k;
        for (size_t i = 0; i < n; i += 32) {
            v16 low = v_load_n(from + i, n - i),
                high = n - i > 16 ? v_load_n(from + i + 16, n - i - 16) : v_set(0.0f);
            _mm512_store_si512(dst + i, (__m512i)_mm512_cvtne2ps_pbh(high, low));
        }
    }
}

/* Columns k .. k + n - 1 of some panels as [pair of columns][PANELS][16 rows][2]. */
static void piece_spread(const ingle_packed *w, size_t panel, size_t n_panels, size_t k, size_t n,
                         char *dst)
{
    for (size_t p = 0; p < n_panels; p++) {
        const char *from = (const char *)w->data + (panel + p) * w->panel_bytes + 32 * k;
        for (size_t i = 0; i < n; i += 2, from += 64)
            _mm512_store_si512(dst + 32 * PANELS * i + 64 * p, pair_of(from));
    }
}

static void matmul_bf16(const ingle_matmul *job, size_t first, size_t n_panels, void *scratch)
{
    const ingle_packed *w = job->w;
    const size_t m = job->x->m, end = first + n_panels;
    const bool spread = m >= SPREAD;
    float *sums = scratch;
    uint16_t *x = (uint16_t *)(sums + m * 16 * TASK);
    char *near = (char *)(x + m * PIECE);
    for (size_t p = first, n; p < end; p += n) {
        n = end - p < TASK ? end - p : TASK;
        for (size_t k = 0, n_k; k < w->n_cols; k += n_k) {
            n_k = w->n_cols - k < PIECE ? w->n_cols - k : PIECE;
            piece_round(job->x, k, n_k, x);
            for (size_t i = 0, n_i; i < n; i += n_i) {
                const char *from = (const char *)w->data + (p + i) * w->panel_bytes + 32 * k;
                n_i = n - i < PANELS ? n - i : PANELS;
                if (spread) piece_spread(w, p + i, n_i, k, n_k, near);
                piece t = {.w = spread ? near : from,
                           .step = spread ? 64 * PANELS : 64,
                           .panel = spread ? 64 : w->panel_bytes,
                           .n_cols = n_k,
                           .x = x,
                           .sums = sums + m * 16 * i,
                           .ld_sums = 16 * n_i,
                           .start = k == 0};
                piece_run(&t, spread, m, n_i);
            }
        }
        for (size_t i = 0; i < n; i += PANELS)
            matmul_store(job, p + i, n - i < PANELS ? n - i : PANELS, sums + m * 16 * i);
    }
}

/* The sums, a piece's activations, its weights. */
static size_t bf16_scratch_bytes(size_t m, size_t n_cols)
{
    (void)n_cols;
    return m * (16 * TASK * sizeof(float) + PIECE * sizeof(uint16_t)) +
           16 * PANELS * PIECE * sizeof(uint16_t);
}

/* As the other limits, float_avx512.c. */
static double peak_bf16(size_t n)
{
    enum { CHAINS = 28 };
    v16 acc[CHAINS];
    const __m512bh a = (__m512bh)_mm512_set1_epi32(0x3f003f00),
                   b = (__m512bh)_mm512_set1_epi32(0x3e803e80);
    UNROLL
    for (int i = 0; i < CHAINS; i++) acc[i] = v_set((float)i);
    for (size_t k = 0; k < n; k++) {
        UNROLL
        for (int i = 0; i < CHAINS; i++) acc[i] = _mm512_dpbf16_ps(acc[i], a, b);
    }
    UNROLL
    for (int i = 0; i < CHAINS; i++) __asm__ volatile("" : : "v"(acc[i]));
    return 32.0 * CHAINS * (double)n;
}

void ingle_kern_avx512bf16_matmul(ingle_kern *k)
{
    k->gemv[INGLE_TYPE_BF16] = k->gemm[INGLE_TYPE_BF16] = matmul_bf16;
    k->scratch_bytes = bf16_scratch_bytes;
    k->peak_bf16 = peak_bf16;
}
