/* matmul_f.inc.h - matmuls of F32, F16 and BF16 weights (class F of quant/quant.h) over tile.inc.h.
 * Included once per level.
 *
 * The tiles read weights and activations as they are: converting in the tile costs less than
 * writing a panel in f32 and reading it again. MATMUL_KC columns at a time, so that the weights
 * all tokens pass over stay in the second-level cache; the sums travel between chunks in f32, so
 * the chain is the same. */

enum {
    MATMUL_KC = 1024,
    MATMUL_PANELS = 4 /* of one pass over the tokens, where they are few; else two */
};

/* out (+ bias) (+ old out) of the sums c [m][16 n_panels] */
static void matmul_store(const ingle_matmul *job, size_t panel, size_t n_panels, const float *c)
{
    for (size_t t = 0; t < job->x->m; t++) {
        for (size_t p = 0; p < n_panels; p++, c += 16) {
            size_t row = 16 * (panel + p), n = job->w->n_rows - row;
            float *out = job->out + t * job->ld_out + row;
            v16 v = v_load(c);
            if (job->bias) v = v_add(v, v_load_n(job->bias + row, n));
            if (job->add) v = v_add(v, v_load_n(out, n));
            v_store_n(out, v, n);
        }
    }
}

static inline void matmul_f(const ingle_matmul *job, int type, size_t first, size_t n_panels,
                            void *scratch)
{
    const ingle_packed *w = job->w;
    const ingle_acts *x = job->x;
    const size_t unit = tile_unit(type), end = first + n_panels;
    for (size_t p = first, n; p < end; p += n) {
        n = min_size(end - p, x->m <= TILE_ROWS ? MATMUL_PANELS : 2);
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
                      .c = scratch,
                      .ld_c = 16 * n,
                      .start = k == 0};
            tile_all(type, x->m, n, &t);
        }
        matmul_store(job, p, n, scratch);
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

/* The sums. */
static size_t matmul_f_scratch_bytes(size_t m, size_t n_cols)
{
    (void)n_cols;
    return m * 16 * (m <= TILE_ROWS ? MATMUL_PANELS : 2) * sizeof(float);
}

static void matmul_f_init(ingle_kern *k)
{
    k->gemv[INGLE_TYPE_F32] = k->gemm[INGLE_TYPE_F32] = matmul_f32;
    k->gemv[INGLE_TYPE_F16] = k->gemm[INGLE_TYPE_F16] = matmul_f16;
    k->gemv[INGLE_TYPE_BF16] = k->gemm[INGLE_TYPE_BF16] = matmul_bf16;
    k->scratch_bytes = matmul_f_scratch_bytes;
    k->gemm_panels = 2;
}
