/* matmul.inc.h - matrix products with quantised weights: what AVX2 and AVX-512 do alike.
 * Depends on weights.inc.h, x86.h, books.inc.h or quantise.inc.h.
 * Parameters: the words of a vec_*.h, which is included first, and
 *
 *     NR     tokens of a tile
 *     BOOKS  1: codebook types only, unpacked by books.inc.h; 0: all types, by weights.inc.h
 *
 * gemm: a task is four panels, 64 rows. For every 256 weights of K they are unpacked once into a
 * `step` (bytes, in L1, and int scales), and all tokens pass over it in tiles of NR. Between steps
 * sums live in a tile c[m][64] of floats in the thread's scratch: one fma chain per output in K
 * order, as in gemv, so both give the same bits.
 *
 * Invariant: int32 sums are exact; only the fma per block rounds. */
#if !defined(NR) || !defined(BOOKS)
#error "define NR and BOOKS"
#endif

#include "kern/x86/weights.inc.h"
#include "kern/x86/x86.h"
#if BOOKS
#include "kern/x86/books.inc.h"
#else
#include "kern/x86/quantise.inc.h"
#endif

#define KC     256 /* weights of K unpacked at a time */
#define PANELS 4   /* of a task */
#define MR     (PANELS * ROWS)
#define FEW    8 /* tokens that gemv takes */

/* 64 rows x KC. Class K, one block: a scale is what vi_narrow() makes of it; a pair holds the mins
 * of two neighbouring sub-blocks, or their scales times PAIR_FACTOR(type), which with sums of y
 * make up for sums that did not start at the type's zero. Class B: d and min by run. */
typedef struct step {
    uint8_t w[KC / 4][MR][4];
    int32_t scale[KC / 16][MR];
    int32_t min_pair[KC / 32][MR], scale_pair[KC / 32][MR];
    float d[KC / 16][MR], min[KC / 32][MR];
} step;

/* One tile of tokens t.. over a step, n_blocks blocks of activations from block b on; c:
 * [tokens][MR]. */
typedef void tile_fn(const step *p, const ingle_acts *x, size_t t, size_t b, size_t n_blocks,
                     float *c);

/* ---- unpacking a step ---- */

/* Scales of sub-blocks i and i + 1 as s16 pairs, rows r.. */
INLINE vi pair_of(const int8_t *s, int i, int r)
{
    vi low = vi_and(vi_load_s8(s + i * ROWS + r), vi_32(0xffff));
    return vi_or(low, vi_sll(vi_load_s8(s + (i + 1) * ROWS + r), 16));
}

/* w: the step's lines of a block, at the panel's first row. */
#if BOOKS
INLINE void unpack_lines(ingle_type type, const source *s, size_t b, const scales *q,
                         uint8_t (*w)[MR][4])
{
    (void)q;
    for (int c = 0; c < 8; c++) {
        vi u[8];
        unpack_32(type, s, b, c, u);
        for (int i = 0; i < 8; i++) vi_store(w[8 * c + i][0], u[i]);
    }
}
#else
INLINE void unpack_lines(ingle_type type, const source *s, size_t b, const scales *q,
                         uint8_t (*w)[MR][4])
{
    shape g = shape_of(type);
    for (int r = 0; r < ROWS; r += VL)
        for (int c = 0; c < g.n_chunks; c++) {
            fold f[MAX_PARTS];
            if (FOLDS(type))
                for (int j = 0; j < g.n_parts; j++)
                    f[j] = fold_of(type, q->sc + sub_of(g, c, j) * ROWS + r);
#pragma GCC unroll 8
            for (int i = 0; i < g.n_steps; i++) {
                vi u[MAX_PARTS];
                unpack(type, s, b, c, i, r, u);
                for (int j = 0; j < g.n_parts; j++)
                    vi_store(w[line_of(g, c, j, i)][r],
                             FOLDS(type) ? fold_in(type, f[j], u[j]) : u[j]);
            }
        }
}
#endif

/* Block b of a panel to rows `row`.. of the step. */
INLINE void unpack_k(ingle_type type, const source *s, size_t b, step *p, size_t row)
{
    shape g = shape_of(type);
    _Alignas(64) scales q;
    read_scales(type, s, b, &q);
    for (int r = 0; r < ROWS; r += VL) {
        size_t at = row + (size_t)r;
        for (int j = 0; !FOLDS(type) && j < g.n_subs; j++)
            vi_store(p->scale[j] + at, vi_narrow(vi_load_s8(q.sc + j * ROWS + r)));
        for (int j = 0; g.min_field && j < g.n_subs; j += 2)
            vi_store(p->min_pair[j / 2] + at, pair_of(q.mn, j, r));
        for (int j = 0; PAIR_FACTOR(type) && j < g.n_subs; j += 2)
            vi_store(p->scale_pair[j / 2] + at, vi_mul16(pair_of(q.sc, j, r), PAIR_FACTOR(type)));
        vf_store(p->d[0] + at, block_d(type, s, b, r));
        if (g.min_field) vf_store(p->min[0] + at, block_min(type, s, b, r));
    }
    unpack_lines(type, s, b, &q, (uint8_t(*)[MR][4])p->w[0][row]);
}

/* Block b of a panel to the i-th of the step, rows `row`.. of it. */
INLINE void unpack_b(ingle_type type, const source *s, size_t b, step *p, size_t i, size_t row)
{
    shape g = shape_of(type);
    for (int r = 0; r < ROWS; r += VL) {
        size_t at = row + (size_t)r;
        for (int j = 0; j < g.n_chunks; j++)
            vf_store(p->d[i * (size_t)g.n_chunks + (size_t)j] + at, run_d(type, s, b, j, r));
        if (g.min_field) vf_store(p->min[i] + at, block_min(type, s, b, r));
    }
    unpack_lines(type, s, b, NULL, (uint8_t(*)[MR][4])p->w[i * (size_t)block_of(type) / 4][row]);
}

/* Sums of the two halves of 32 values. */
INLINE void sums_of_halves(const int8_t *q, int32_t sum[2])
{
    __m256i v = _mm256_xor_si256(_mm256_loadu_si256((const void *)q), _mm256_set1_epi8(-128));
    v = _mm256_sad_epu8(v, _mm256_setzero_si256());
    v = _mm256_add_epi64(v, _mm256_shuffle_epi32(v, 0x4e));
    sum[0] = _mm256_cvtsi256_si32(v) - 16 * 128;
    sum[1] = _mm_cvtsi128_si32(_mm256_extracti128_si256(v, 1)) - 16 * 128;
}

/* ---- results ---- */

/* Row r.. of a panel: v (* scale) (+ bias) (+ old); n of the VL rows exist. */
INLINE void finish(const ingle_matmul *job, size_t t, size_t row, vf v)
{
    if (row >= job->w->n_rows) return;
    size_t n = job->w->n_rows - row < VL ? job->w->n_rows - row : VL;
    float *out = job->out + t * job->ld_out + row;
    if (job->scale) v = vf_mul(v, vf_1(*job->scale));
    if (job->bias) v = vf_add(v, vf_load_n(job->bias + row, n));
    if (job->add) v = vf_add(v, vf_load_n(out, n));
    vf_store_n(out, v, n);
}

/* The lines of out are far apart: they are asked for some tokens ahead. */
static void finish_task(const ingle_matmul *job, size_t row, size_t n_rows, const float *c)
{
    for (size_t t = 0; t < job->x->m; t++, c += MR) {
        const char *ahead = (const char *)(job->out + (t + 8) * job->ld_out + row);
        for (size_t r = 0; t + 8 < job->x->m && r < n_rows; r += 16)
            __builtin_prefetch(ahead + 4 * r, 1);
        for (size_t r = 0; r < n_rows; r += VL) finish(job, t, row + r, vf_load(c + r));
    }
}

/* Starting values -zero * (sum of y) of n sub-blocks, 16 at a time. */
INLINE void start_k(int32_t *start, const int16_t *sums, size_t n, int zero)
{
    for (size_t i = 0; i < n; i += 16)
        for (size_t j = i; j < i + 16; j += VL)
            vi_store(start + j, vi_mul(vi_load_s16(sums + j), vi_32(-zero)));
}

/* ---- the task ---- */

typedef struct work {
    step step;
    float c[]; /* [m][MR] */
} work;

/* tile[calm][n]: for n tokens of which all keep, or not all keep, their sums within 16 bits. */
typedef tile_fn *const tile_table[2][NR + 1];

/* Whether block b of no token t..t+n-1 is loud (ingle_acts.sum16). */
static bool is_calm(const ingle_acts *x, size_t t, size_t n, size_t b)
{
    const int16_t *loud = x->sum16 + t * x->ld_s16 + x->n_cols / 16 + x->n_cols / 32 + b;
    int any = 0;
    for (size_t i = 0; i < n; i++, loud += x->ld_s16) {
        any |= *loud;
        __builtin_prefetch(loud + 2 * NR * x->ld_s16);
    }
    return !any;
}

static void pass_tokens(work *w, const ingle_acts *x, size_t b, size_t n_blocks,
                        const tile_table *tiles, bool k)
{
    size_t n;
    for (size_t t = 0; t < x->m; t += n) {
        n = x->m - t;
        if (n > NR)
            n = n < 2 * NR ? (n + 1) / 2 : NR; /* two tiles alike beat a full one and a rest */
        bool calm = k && is_calm(x, t, n, b);
        (*tiles)[calm][n](&w->step, x, t, b, n_blocks, w->c + t * MR);
    }
}

INLINE void gemm_task(ingle_type type, const tile_table *tiles, const ingle_matmul *job,
                      size_t panel, size_t n, work *w)
{
    const size_t per_step = (size_t)(KC / block_of(type));
    const size_t n_acts = is_k(type) ? 1 : (size_t)block_of(type) / 32; /* blocks of y in one */
    const bool cold = job->x->m <= 32; /* few tokens: weights come straight from memory */
    const ingle_fetch next_step = {.near = per_step * stream_of(type, 0).bytes, .far = 0};
    source s[PANELS];
    for (size_t h = 0; h < n; h++) s[h] = source_of(job->w, panel + h, next_step);
    if (n < PANELS) memset(&w->step, 0, sizeof w->step); /* rows that no panel fills */
    memset(w->c, 0, job->x->m * MR * sizeof *w->c);
    for (size_t b = 0; b < job->w->n_blocks; b += per_step) {
        size_t n_blocks = job->w->n_blocks - b < per_step ? job->w->n_blocks - b : per_step;
        for (size_t h = 0; h < n; h++)
            for (size_t i = 0; i < n_blocks; i++) {
                if (cold) prefetch_lines(type, &s[h], b + i, 0, 1);
                if (is_k(type)) unpack_k(type, &s[h], b, &w->step, h * ROWS);
                else unpack_b(type, &s[h], b + i, &w->step, i, h * ROWS);
            }
        pass_tokens(w, job->x, b * n_acts, n_blocks * n_acts, tiles, is_k(type));
    }
    finish_task(job, panel * ROWS, n * ROWS, w->c);
    _mm256_zeroupper(); /* the compiler does not see what tiles in assembly leave */
}

INLINE void gemm(ingle_type type, const tile_table *tiles, const ingle_matmul *job, size_t first,
                 size_t n, void *scratch)
{
    for (size_t p = 0; p < n; p += PANELS)
        gemm_task(type, tiles, job, first + p, n - p < PANELS ? n - p : PANELS, scratch);
}

/* int32s that gemv's starts of one token take. */
static size_t start_size(size_t n_cols)
{
    return ingle_round_up(n_cols / 16, 16);
}

#if !BOOKS
static size_t scratch_bytes(size_t m, size_t n_cols)
{
    size_t gemm_bytes = sizeof(work) + m * MR * sizeof(float);
    size_t gemv_bytes = (m < FEW ? m : FEW) * start_size(n_cols) * sizeof(int32_t);
    return gemm_bytes > gemv_bytes ? gemm_bytes : gemv_bytes;
}

/* All slots but the types'. */
static void install(ingle_kern *k)
{
    k->quantise = quantise;
    k->gemv_tokens = FEW;
    k->gemm_panels = PANELS;
    k->scratch_bytes = scratch_bytes;
}
#endif

/* For use after gemv.inc.h: the two kernels of a type, and their slots. Entries of codebooks are dear:
 * gemm fetches them once for all tokens. */
#define KERNELS_OF(NAME, fn, tiles)                                                                \
    static void gemm_##fn(const ingle_matmul *job, size_t first, size_t n, void *scratch)          \
    {                                                                                              \
        gemm(INGLE_TYPE_##NAME, tiles, job, first, n, scratch);                                    \
    }                                                                                              \
    static void gemv_##fn(const ingle_matmul *job, size_t first, size_t n, void *scratch)          \
    {                                                                                              \
        if (has_book(INGLE_TYPE_##NAME) && job->x->m > GROUP) gemm_##fn(job, first, n, scratch);   \
        else gemv(INGLE_TYPE_##NAME, job, first, n, scratch);                                      \
    }

#define SET(NAME, fn, ...)                                                                         \
    k->gemv[INGLE_TYPE_##NAME] = gemv_##fn, k->gemm[INGLE_TYPE_##NAME] = gemm_##fn;
