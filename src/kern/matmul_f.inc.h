/* matmul_f.inc.h - matmuls of F32, F16 and BF16 weights (class F of quant/quant.h) over tile.inc.h.
 * Included once per level.
 * Parameters: the words of tile.inc.h and of a lanes_*.h, which are included first.
 *
 * For few tokens the tiles read the weights as they are: memory is the limit. For many, pieces of a
 * few panels by some columns are spread out as f32 into the first-level cache, and all tokens pass
 * over each; the sums travel from piece to piece in f32, so the chain is the same. The tokens' own
 * columns lie in the second-level cache meanwhile, gathered once for all panels of a task. */

#ifndef TILE_INLINE
#error "include tile.inc.h first"
#endif

#include "kern/store.inc.h"
#include "quant/types.h"

enum {
    MATMUL_KC = 1024,    /* columns of a piece, read as they are */
    MATMUL_PANELS = 4,   /* of one pass over the tokens */
    MATMUL_TASK = 16,    /* that share gathered columns */
    MATMUL_TOKENS = 256, /* in the second-level cache: sums of 256 KiB, columns of 128 */
    MATMUL_NEAR = 128,   /* columns of a piece that is spread */
    MATMUL_GATHER = 192, /* from so many tokens on gathering costs less than it saves, */
    MATMUL_SPREAD = 32   /* and from so many on spreading */
};

/* n panels from p on, columns k .. k + n_k - 1, as [column][16 MATMUL_PANELS] f32. */
TILE_INLINE void matmul_spread(const ingle_packed *w, int type, size_t p, size_t n, size_t k,
                               size_t n_k, float *dst)
{
    const size_t line = 16 * tile_unit(type);
    for (size_t i = 0; i < n; i++) {
        const char *a = (const char *)w->data + (p + i) * w->panel_bytes + k * line;
        for (size_t j = 0; j < n_k; j++)
            v_store(dst + 16 * (j * MATMUL_PANELS + i), tile_load(type, a + j * line));
    }
}

/* Columns k .. k + n - 1 of every token, side by side: [token][MATMUL_NEAR]. Where rows are powers of
 * two apart they would push one another out of the caches. */
TILE_INLINE void matmul_gather(const ingle_acts *x, size_t k, size_t n, float *dst)
{
    for (size_t t = 0; t < x->m; t++, dst += MATMUL_NEAR) {
        const float *from = x->x + t * x->ld_x + k;
        for (size_t i = 0; i < n; i += 16) {
            __builtin_prefetch((const void *)((uintptr_t)(from + i) + 4 * x->ld_x * sizeof *from));
            v_store_n(dst + i, v_load_n(from + i, n - i), n - i);
        }
    }
}

/* n panels from p on, at most MATMUL_TASK, for many tokens. */
TILE_INLINE void matmul_many(const ingle_matmul *job, int type, size_t p, size_t n, float *sums)
{
    const ingle_packed *w = job->w;
    const size_t m = job->x->m;
    const bool gather = m >= MATMUL_GATHER;
    float *x = sums + m * 16 * MATMUL_TASK, *near = x + m * MATMUL_NEAR;
    for (size_t k = 0, n_k; k < w->n_cols; k += n_k) {
        n_k = min_size(w->n_cols - k, MATMUL_NEAR);
        if (gather) matmul_gather(job->x, k, n_k, x);
        for (size_t i = 0, n_i; i < n; i += n_i) {
            const char *lines[2] = {(const char *)near};
            n_i = min_size(n - i, MATMUL_PANELS);
            matmul_spread(w, type, p + i, n_i, k, n_k, near);
            tile t = {.pages = lines,
                      .page_rows = n_k,
                      .a_step = 16 * MATMUL_PANELS,
                      .a_vec = 16,
                      .n = n_k,
                      .b = gather ? x : job->x->x + k,
                      .ld_b = gather ? MATMUL_NEAR : job->x->ld_x,
                      .c = sums + m * 16 * i,
                      .ld_c = 16 * n_i,
                      .start = k == 0};
            tile_all(TILE_NEAR, m, n_i, &t);
        }
    }
    for (size_t i = 0; i < n; i += MATMUL_PANELS)
        matmul_store(job, p + i, min_size(n - i, MATMUL_PANELS), sums + m * 16 * i);
}

/* n panels from p on, at most MATMUL_PANELS, for few tokens. */
TILE_INLINE void matmul_few(const ingle_matmul *job, int type, size_t p, size_t n, float *sums)
{
    const ingle_packed *w = job->w;
    const ingle_acts *x = job->x;
    const size_t unit = tile_unit(type);
    for (size_t k = 0, n_k; k < w->n_cols; k += n_k) {
        n_k = min_size(w->n_cols - k, MATMUL_KC);
        const char *lines[2] = {(const char *)w->data + p * w->panel_bytes + 16 * k * unit};
        tile t = {.pages = lines,
                  .page_rows = n_k,
                  .a_step = 16,
                  .a_vec = w->panel_bytes / unit,
                  .n = n_k,
                  .b = x->x + k,
                  .ld_b = x->ld_x,
                  .c = sums,
                  .ld_c = 16 * n,
                  .start = k == 0};
        tile_all(type, x->m, n, &t);
    }
    matmul_store(job, p, n, sums);
}

TILE_INLINE void matmul_f(const ingle_matmul *job, int type, size_t first, size_t n_panels,
                          void *scratch)
{
    const size_t m = job->x->m, end = first + n_panels;
    if (m < MATMUL_SPREAD) {
        for (size_t p = first; p < end; p += MATMUL_PANELS)
            matmul_few(job, type, p, min_size(end - p, MATMUL_PANELS), scratch);
        return;
    }
    /* Tokens in equal parts. */
    const size_t n_parts = (m + MATMUL_TOKENS - 1) / MATMUL_TOKENS;
    for (size_t part = 0; part < n_parts; part++) {
        const size_t t = m * part / n_parts;
        ingle_acts x = *job->x;
        ingle_matmul some = *job;
        x.x += t * x.ld_x;
        x.m = m * (part + 1) / n_parts - t;
        some.x = &x;
        some.out += t * some.ld_out;
        for (size_t p = first; p < end; p += MATMUL_TASK)
            matmul_many(&some, type, p, min_size(end - p, MATMUL_TASK), scratch);
    }
}

#define MATMUL_F(NAME, fn, ...)                                                                    \
    static void matmul_##fn(const ingle_matmul *job, size_t first, size_t n_panels, void *scratch) \
    {                                                                                              \
        matmul_f(job, TILE_##NAME, first, n_panels, scratch);                                      \
    }
#define MATMUL_F_SET(NAME, fn, ...)                                                                \
    k->gemv[INGLE_TYPE_##NAME] = k->gemm[INGLE_TYPE_##NAME] = matmul_##fn;
INGLE_TYPES_F(MATMUL_F)

/* The sums; of many tokens the gathered columns and a piece as well. */
static size_t matmul_f_scratch_bytes(size_t m, size_t n_cols)
{
    (void)n_cols;
    if (m < MATMUL_SPREAD) return m * 16 * MATMUL_PANELS * sizeof(float);
    m = min_size(m, MATMUL_TOKENS);
    return (m * (16 * MATMUL_TASK + MATMUL_NEAR) + 16 * MATMUL_PANELS * MATMUL_NEAR) *
           sizeof(float);
}

static void matmul_f_init(ingle_kern *k)
{
    INGLE_TYPES_F(MATMUL_F_SET)
    k->scratch_bytes = matmul_f_scratch_bytes;
    k->gemm_panels_f = MATMUL_TASK;
}
