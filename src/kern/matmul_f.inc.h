/* matmul_f.inc.h - matmuls of F32, F16 and BF16 weights (class F of quant/quant.h) over tile.inc.h.
 * Included once per level.
 *
 * Up to TILE_ROWS tokens read the packed weights directly. More tokens work on a chunk of MATMUL_KC
 * columns at a time: two panels are converted to f32, the tokens' activations are gathered tile by
 * tile into rows that do not fall into one cache set, and the sums travel between chunks in f32, so
 * the chain is the same. */

enum {
    MATMUL_KC = 256,
    MATMUL_X_LD = MATMUL_KC + 16,
    MATMUL_PANELS = 4 /* of one direct pass; two when converting */
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

static void matmul_direct(const ingle_matmul *job, int type, size_t unit, size_t panel,
                          size_t n_panels, float *c)
{
    const ingle_packed *w = job->w;
    tile t = {.n = w->n_cols,
              .a = w->data + panel * w->panel_bytes,
              .a_step = 16,
              .a_vec = w->panel_bytes / unit,
              .b = job->x->x,
              .ld_b = job->x->ld_x,
              .c = c,
              .ld_c = 16 * n_panels,
              .start = true};
    tile_all(type, job->x->m, n_panels, &t);
}

static void matmul_chunks(const ingle_matmul *job, int type, size_t unit, size_t panel,
                          size_t n_panels, float *scratch)
{
    const ingle_packed *w = job->w;
    const ingle_acts *x = job->x;
    float *wide = scratch, *rows = wide + 2 * 16 * MATMUL_KC, *c = rows + TILE_ROWS * MATMUL_X_LD;
    for (size_t k = 0, n; k < w->n_cols; k += n) {
        n = min_size(w->n_cols - k, MATMUL_KC);
        for (size_t p = 0; p < n_panels; p++)
            lines_to_f32(type, w->data + (panel + p) * w->panel_bytes + 16 * k * unit,
                         wide + p * 16 * MATMUL_KC, n);
        for (size_t i = 0, m; i < x->m; i += m) {
            m = min_size(x->m - i, TILE_ROWS);
            for (size_t r = 0; r < m; r++)
                for (size_t j = 0; j < n; j += 16)
                    v_store(rows + r * MATMUL_X_LD + j,
                            v_load_n(x->x + (i + r) * x->ld_x + k + j, n - j));
            tile t = {.n = n,
                      .a = wide,
                      .a_step = 16,
                      .a_vec = 16 * MATMUL_KC,
                      .b = rows,
                      .ld_b = MATMUL_X_LD,
                      .c = c + i * 16 * n_panels,
                      .ld_c = 16 * n_panels,
                      .start = k == 0};
            tile_all(TILE_F32, m, n_panels, &t);
        }
    }
    matmul_store(job, panel, n_panels, c);
}

static inline void matmul_f(const ingle_matmul *job, int type, size_t first, size_t n_panels,
                            void *scratch)
{
    const size_t unit = type == TILE_F32 ? 4 : 2, end = first + n_panels;
    const bool direct = job->x->m <= TILE_ROWS;
    for (size_t p = first, n; p < end; p += n) {
        n = min_size(end - p, direct ? MATMUL_PANELS : 2);
        if (direct) {
            matmul_direct(job, type, unit, p, n, scratch);
            matmul_store(job, p, n, scratch);
        } else {
            matmul_chunks(job, type, unit, p, n, scratch);
        }
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

/* What the sums and conversions above need. */
static size_t matmul_f_scratch_bytes(size_t m, size_t n_cols)
{
    (void)n_cols;
    if (m <= TILE_ROWS) return TILE_ROWS * 16 * MATMUL_PANELS * sizeof(float);
    return (2 * 16 * MATMUL_KC + TILE_ROWS * MATMUL_X_LD + m * 2 * 16) * sizeof(float);
}

static void matmul_f_init(ingle_kern *k)
{
    k->gemv[INGLE_TYPE_F32] = k->gemm[INGLE_TYPE_F32] = matmul_f32;
    k->gemv[INGLE_TYPE_F16] = k->gemm[INGLE_TYPE_F16] = matmul_f16;
    k->gemv[INGLE_TYPE_BF16] = k->gemm[INGLE_TYPE_BF16] = matmul_bf16;
    k->scratch_bytes = matmul_f_scratch_bytes;
    k->gemm_panels = 2;
}
