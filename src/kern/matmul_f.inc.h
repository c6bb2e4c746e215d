/* matmul_f.inc.h - matmuls of F32, F16 and BF16 weights (class F of quant/quant.h) over tile.inc.h.
 * Included once per level.
 *
 * For few tokens the tiles read the weights as they are: memory is the limit. For many, pieces of a
 * few panels by some columns are spread out as f32 into the first-level cache, and all tokens pass
 * over each; the sums travel from piece to piece in f32, so the chain is the same. */

#include "kern/store.inc.h"

enum {
    MATMUL_KC = 1024,  /* columns of a piece, read as they are */
    MATMUL_PANELS = 4, /* of one pass over the tokens */
    MATMUL_NEAR = 128, /* columns of a piece that is spread */
    MATMUL_SPREAD = 32 /* from so many tokens on spreading costs less than it saves */
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

TILE_INLINE void matmul_f(const ingle_matmul *job, int type, size_t first, size_t n_panels,
                          void *scratch)
{
    const ingle_packed *w = job->w;
    const ingle_acts *x = job->x;
    const size_t unit = tile_unit(type), end = first + n_panels;
    const bool spread = x->m >= MATMUL_SPREAD;
    float *sums = scratch, *near = sums + x->m * 16 * MATMUL_PANELS;
    for (size_t p = first, n; p < end; p += n) {
        n = min_size(end - p, MATMUL_PANELS);
        for (size_t k = 0, n_k; k < w->n_cols; k += n_k) {
            n_k = min_size(w->n_cols - k, spread ? MATMUL_NEAR : MATMUL_KC);
            const char *lines[2] = {(const char *)w->data + p * w->panel_bytes + 16 * k * unit};
            if (spread) {
                matmul_spread(w, type, p, n, k, n_k, near);
                lines[0] = (const char *)near;
            }
            tile t = {.pages = lines,
                      .page_rows = n_k,
                      .a_step = spread ? 16 * MATMUL_PANELS : 16,
                      .a_vec = spread ? 16 : w->panel_bytes / unit,
                      .n = n_k,
                      .b = x->x + k,
                      .ld_b = x->ld_x,
                      .c = sums,
                      .ld_c = 16 * n,
                      .start = k == 0};
            tile_all(spread ? TILE_NEAR : type, x->m, n, &t);
        }
        matmul_store(job, p, n, sums);
    }
}

static void matmul_f32(const ingle_matmul *job, size_t first, size_t n_panels, void *scratch)
{
    matmul_f(job, TILE_F32, first, n_panels, scratch);
}
static void matmul_f16(const ingle_matmul *job, size_t first, size_t n_panels, void *scratch)
{
    matmul_f(job, TILE_F16, first, n_panels, scratch);
}
static void matmul_bf16(const ingle_matmul *job, size_t first, size_t n_panels, void *scratch)
{
    matmul_f(job, TILE_BF16, first, n_panels, scratch);
}

/* The sums, and a piece. */
static size_t matmul_f_scratch_bytes(size_t m, size_t n_cols)
{
    (void)n_cols;
    return (m + MATMUL_NEAR) * 16 * MATMUL_PANELS * sizeof(float);
}

static void matmul_f_init(ingle_kern *k)
{
    k->gemv[INGLE_TYPE_F32] = k->gemm[INGLE_TYPE_F32] = matmul_f32;
    k->gemv[INGLE_TYPE_F16] = k->gemm[INGLE_TYPE_F16] = matmul_f16;
    k->gemv[INGLE_TYPE_BF16] = k->gemm[INGLE_TYPE_BF16] = matmul_bf16;
    k->scratch_bytes = matmul_f_scratch_bytes;
    k->gemm_panels_f = MATMUL_PANELS;
}
