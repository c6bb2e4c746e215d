/* gemv.inc.h - few tokens: the weights are unpacked in registers, a panel of 16 rows at a time, and
 * meet up to GROUP tokens there; memory is read once whatever their number. The sums and their
 * order are gemm's.
 * Parameters: the words of matmul.inc.h, which is included first, and
 *
 *     GROUP  tokens that meet the weights at a time: 2 or 4 */
#ifndef KC
#error "include matmul.inc.h first"
#endif
#ifndef GROUP
#error "define GROUP"
#endif

#define SLICES (ROWS / VL)

/* acc + dots of unpacked bytes with k = 4i.. of y. */
INLINE vi dot_line(ingle_type type, vi acc, vi u, const int8_t *y, int i)
{
    vi a = vi_repeat(y + 4 * i);
    return shape_of(type).wide ? vi_dot_wide(acc, u, a) : vi_dot(acc, u, a);
}

/* Tokens t.. of a block: activations, what sums start from (GROUP consecutive rows each), and the
 * results so far. */
typedef struct few {
    const ingle_acts *x;
    const int32_t *start; /* [tokens][ld_start] */
    size_t t, ld_start;
    vf *f; /* [tokens][SLICES] */
} few;

/* The int32 sums of a class K block over its sub-blocks, for n tokens. */
#if BOOKS
INLINE void sum_block_k(ingle_type type, int n, const source *s, size_t b, const few *w,
                        const int8_t *sc, int r, vi blk[])
{
    const int n_subs = shape_of(type).n_subs, n_lines = 64 / n_subs;
    const int8_t *y = w->x->q + w->t * w->x->ld_q + b * 256;
    const int32_t *start = w->start + w->t * w->ld_start + b * (size_t)n_subs;
    (void)r;
    for (int t = 0; t < n; t++) blk[t] = vi_zero();
    for (int c = 0; c < 8; c++) {
        vi u[8];
        if (w->t == 0) prefetch_lines(type, s, b, c, 8);
        unpack_32(type, s, b, c, u);
#pragma GCC unroll 2
        for (int i = 0; i < n_subs / 8; i++, start++, sc += ROWS) {
            vi scale = vi_load_s8(sc);
            for (int t = 0; t < n; t++) {
                vi acc = vi_repeat(start + (size_t)t * w->ld_start);
#pragma GCC unroll 8
                for (int j = 0; j < n_lines; j++)
                    acc = vi_dot(
                        acc, u[n_lines * i + j],
                        vi_repeat(y + (size_t)t * w->x->ld_q + 4 * (8 * c + n_lines * i + j)));
                blk[t] = vi_add(blk[t], vi_mul(acc, scale));
            }
        }
    }
}
#else
INLINE void sum_block_k(ingle_type type, int n, const source *s, size_t b, const few *w,
                        const int8_t *sc, int r, vi blk[])
{
    const shape g = shape_of(type);
    const int8_t *y = w->x->q + w->t * w->x->ld_q + b * 256;
    const int32_t *start = w->start + w->t * w->ld_start + b * (size_t)g.n_subs;
    for (int t = 0; t < n; t++) blk[t] = vi_zero();
#pragma GCC unroll 8
    for (int c = 0; c < g.n_chunks; c++) {
        vi acc[GROUP][MAX_PARTS];
        for (int t = 0; t < n; t++)
            for (int j = 0; j < g.n_parts; j++)
                acc[t][j] = g.zero && (j == 0 || sub_of(g, c, j) != sub_of(g, c, j - 1))
                                ? vi_repeat(start + (size_t)t * w->ld_start + sub_of(g, c, j))
                                : vi_zero();
#pragma GCC unroll 8
        for (int i = 0; i < g.n_steps; i++) {
            vi u[MAX_PARTS];
            if (r == 0 && w->t == 0)
                prefetch_lines(type, s, b, c * g.n_steps + i, g.n_chunks * g.n_steps);
            unpack_few(type, s, b, c, i, r, u);
            for (int t = 0; t < n; t++)
                for (int j = 0; j < g.n_parts; j++)
                    acc[t][j] = dot_line(type, acc[t][j], u[j], y + (size_t)t * w->x->ld_q,
                                         line_of(g, c, j, i));
        }
        for (int j = 0; j < g.n_parts; j++) {
            vi scale = vi_load_s8(sc + sub_of(g, c, j) * ROWS + r);
            for (int t = 0; t < n; t++) {
                vi sum = j && stays_high(type) ? vi_sra(acc[t][j], 4) : acc[t][j];
                blk[t] = vi_add(blk[t], vi_mul(sum, scale));
            }
        }
    }
}
#endif

INLINE void few_k(ingle_type type, int n, const source *s, size_t b, const few *w, const scales *q)
{
    const shape g = shape_of(type);
    const ingle_acts *x = w->x;
    for (int i = 0; i < SLICES; i++) {
        int r = i * VL;
        vi blk[GROUP];
        sum_block_k(type, n, s, b, w, q->sc, r, blk);
        for (int t = 0; t < n; t++) {
            size_t row = w->t + (size_t)t;
            const int16_t *sum = x->sum16 + row * x->ld_s16 +
                                 (g.n_subs == 16 ? 0 : x->n_cols / 16) + b * (size_t)g.n_subs;
            const vf dy = vf_1(x->d[row * x->ld_d + b]);
            vf *f = w->f + row * SLICES + i;
            *f = vf_fma(vf_int(blk[t]), vf_mul(block_d(type, s, b, r), dy), *f);
            if (!g.min_field) continue;
            vi mn = vi_zero();
            for (int j = 0; j < g.n_subs; j += 2)
                mn = vi_dot16(mn, pair_of(q->mn, j, r), vi_repeat(sum + j));
            *f = vf_fnma(vf_int(mn), vf_mul(block_min(type, s, b, r), dy), *f);
        }
    }
}

/* Run c of a block of class B. */
INLINE void few_run(ingle_type type, int n, const source *s, size_t b, int c, const few *w)
{
    const shape g = shape_of(type);
    const ingle_acts *x = w->x;
    const size_t run = b * (size_t)g.n_chunks + (size_t)c, at = run * (size_t)run_of(g);
    const int8_t *y = x->q + w->t * x->ld_q + at;
    const int32_t *start = w->start + w->t * w->ld_start + run;
    for (int k = 0; k < SLICES; k++) {
        int r = k * VL;
        vi acc[GROUP], high[GROUP]; /* high: if stays_high() */
        for (int t = 0; t < n; t++) high[t] = vi_zero();
        for (int t = 0; t < n; t++)
            acc[t] = g.zero ? vi_repeat(start + (size_t)t * w->ld_start) : vi_zero();
#pragma GCC unroll 8
        for (int i = 0; i < g.n_steps; i++) {
            vi u[MAX_PARTS];
            if (r == 0 && w->t == 0)
                prefetch_lines(type, s, b, c * g.n_steps + i, g.n_chunks * g.n_steps);
            unpack_few(type, s, b, c, i, r, u);
            for (int t = 0; t < n; t++)
                for (int j = 0; j < g.n_parts; j++) {
                    vi *sum = j && stays_high(type) ? &high[t] : &acc[t];
                    *sum = dot_line(type, *sum, u[j], y + (size_t)t * x->ld_q, line_of(g, 0, j, i));
                }
        }
        for (int t = 0; stays_high(type) && t < n; t++) acc[t] = vi_add(acc[t], vi_sra(high[t], 4));
        for (int t = 0; t < n; t++) {
            size_t row = w->t + (size_t)t, i = row * x->ld_d + at / 32;
            vf *f = w->f + row * SLICES + k;
            *f = vf_fma(vf_int(acc[t]), vf_mul(run_d(type, s, b, c, r), vf_1(x->d[i])), *f);
            if (g.min_field) *f = vf_fma(block_min(type, s, b, r), vf_1(x->s[i]), *f);
        }
    }
}

INLINE void few_b(ingle_type type, int n, const source *s, size_t b, const few *w)
{
#pragma GCC unroll 4
    for (int c = 0; c < shape_of(type).n_chunks; c++) few_run(type, n, s, b, c, w);
}

INLINE void few_blocks(ingle_type type, int n, const source *s, size_t b, const few *w,
                       const scales *q)
{
    if (is_k(type)) few_k(type, n, s, b, w, q);
    else few_b(type, n, s, b, w);
}

/* -zero * (sum of y) of every sub-block, or run, of one token. */
INLINE void start_all(shape g, bool k, const ingle_acts *x, size_t t, size_t n_blocks,
                      int32_t *start)
{
    const size_t n = n_blocks * (size_t)(k ? g.n_subs : g.n_chunks);
    if (k) {
        const int16_t *sum = x->sum16 + t * x->ld_s16 + (g.n_subs == 16 ? 0 : x->n_cols / 16);
        start_k(start, sum, n, g.zero);
    } else if (run_of(g) == 32) {
        for (size_t i = 0; i < n; i++) start[i] = -g.zero * x->sum32[t * x->ld_s32 + i];
    } else {
        for (size_t i = 0; i < n; i += 2) {
            sums_of_halves(x->q + t * x->ld_q + 16 * i, start + i);
            start[i] *= -g.zero, start[i + 1] *= -g.zero;
        }
    }
}

/* n panels and m tokens, at most FEW. Where m is the constant 1, sums stay in registers. */
INLINE void few_panels(ingle_type type, const ingle_matmul *job, size_t m, size_t first, size_t n,
                       const int32_t *start, size_t ld_start)
{
    const ingle_packed *p = job->w;
    vf f[FEW * SLICES];
    few w = {.x = job->x, .start = start, .ld_start = ld_start, .f = f};
    for (size_t panel = first; panel < first + n; panel++) {
        source s = source_of(p, panel, job->fetch);
        for (size_t i = 0; i < m * SLICES; i++) f[i] = vf_zero();
        for (size_t b = 0; b < p->n_blocks; b++) {
            _Alignas(64) scales q;
            if (is_k(type)) read_scales(type, &s, b, &q);
            for (w.t = 0; m - w.t >= GROUP; w.t += GROUP) few_blocks(type, GROUP, &s, b, &w, &q);
            for (; GROUP > 2 && m - w.t >= 2; w.t += 2) few_blocks(type, 2, &s, b, &w, &q);
            if (w.t < m) few_blocks(type, 1, &s, b, &w, &q);
        }
        for (size_t t = 0; t < m; t++)
            for (size_t i = 0; i < SLICES; i++)
                finish(job, t, panel * ROWS + i * VL, f[t * SLICES + i]);
    }
}

INLINE void gemv(ingle_type type, const ingle_matmul *job, size_t first, size_t n, void *scratch)
{
    const shape g = shape_of(type);
    const size_t m = job->x->m, ld_start = start_size(job->x->n_cols);
    int32_t *start = scratch;
    for (size_t t = 0; g.zero && t < m; t++)
        start_all(g, is_k(type), job->x, t, job->w->n_blocks, start + t * ld_start);
    /* Class K touches its sums once in 256 weights, and gains nothing. */
    if (m == 1 && !is_k(type)) few_panels(type, job, 1, first, n, start, ld_start);
    else few_panels(type, job, m, first, n, start, ld_start);
}
