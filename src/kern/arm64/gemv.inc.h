/* gemv.inc.h - few tokens: the weights are unpacked in registers and meet up to four tokens there;
 * memory is read once whatever their number.
 * The sums and their order are gemm's. Weights stay unsigned here: sums start at -zero * (sum of
 * y), which costs less than a subtraction for every vector.
 * Depends on quantise.h.
 * Parameters: the words of lines.inc.h and matmul.inc.h, which are included first. */
#if !defined(KC) || V_ROWS != 4
#error "include lines.inc.h and matmul.inc.h first"
#endif

#include "kern/arm64/quantise.h"

/* Sums in flight: n tokens x n_vecs vectors of rows x n_parts. */
#define FLIGHT 8
#define GROUP  4 /* tokens, and vectors of rows, at most */

/* Tokens t .. t + n - 1, with results so far. */
typedef struct few {
    const ingle_acts *x;
    size_t t;
    float32x4_t (*f)[4]; /* [FEW][rows / 4] */
} few;

INLINE int vecs_of(shape g, int n)
{
    int v = FLIGHT / (n * g.n_parts);
    return v > GROUP ? GROUP : v < 1 ? 1 : v;
}

/* Sums of chunk c of a block, rows 4 r0.., and of the block of class B: start + dots, by part.
 * y: the block's of token 0; start: [token][sub-block]. */
INLINE void chunk_sums(ingle_type type, int n, const source *s, size_t b, int c, int r0,
                       const int8_t *y, size_t ld_y, const int32_t start[GROUP][MAX_PARTS],
                       int32x4_t total[GROUP][GROUP][MAX_PARTS])
{
    const shape g = shape_of(type);
    const int n_vecs = vecs_of(g, n);
    sum acc[GROUP][GROUP][MAX_PARTS];
#pragma GCC unroll 4
    for (int t = 0; t < n; t++)
#pragma GCC unroll 4
        for (int v = 0; v < n_vecs; v++)
#pragma GCC unroll 4
            for (int j = 0; j < g.n_parts; j++) acc[t][v][j] = sum_start(g.zero ? start[t][j] : 0);
#pragma GCC unroll 8
    for (int i = 0; i < g.n_steps; i += 4) {
        quad q[GROUP][MAX_PARTS];
#pragma GCC unroll 4
        for (int t = 0; t < n; t++)
#pragma GCC unroll 4
            for (int j = 0; j < g.n_parts; j++)
                q[t][j] = quad_of(y + (size_t)t * ld_y + 4 * line_of(g, c, j, i));
#pragma GCC unroll 4
        for (int l = 0; l < 4; l++)
#pragma GCC unroll 4
            for (int v = 0; v < n_vecs; v++) {
                uint8x16_t u[MAX_PARTS];
                unpack(type, s, b, c, i + l, 4 * (r0 + v), u);
#pragma GCC unroll 4
                for (int j = 0; j < g.n_parts; j++)
#pragma GCC unroll 4
                    for (int t = 0; t < n; t++)
                        acc[t][v][j] =
                            sum_line(g.wide, acc[t][v][j], vreinterpretq_s8_u8(u[j]), q[t][j], l);
            }
    }
#pragma GCC unroll 4
    for (int t = 0; t < n; t++)
#pragma GCC unroll 4
        for (int v = 0; v < n_vecs; v++)
#pragma GCC unroll 4
            for (int j = 0; j < g.n_parts; j++) total[t][v][j] = sum_total(g.wide, acc[t][v][j]);
}

INLINE int32x4_t load_s8_4(const int8_t *p)
{
    int32_t four;
    memcpy(&four, p, sizeof four);
    return vmovl_s16(vget_low_s16(vmovl_s8(vcreate_s8((uint32_t)four))));
}

/* Mins times sums of y, rows 4 r0 .. of the block. */
INLINE int32x4_t mins_of(int n_subs, const int8_t *mn, int r0, const int16_t *sums)
{
    int32x4_t total = vdupq_n_s32(0);
#pragma GCC unroll 16
    for (int i = 0; i < n_subs; i++) {
        int32_t four;
        memcpy(&four, mn + i * ROWS + 4 * r0, sizeof four);
        int16x4_t m = vget_low_s16(vmovl_s8(vcreate_s8((uint32_t)four)));
        total = vmlal_n_s16(total, m, sums[i]);
    }
    return total;
}

INLINE void few_k(ingle_type type, int n, const source *s, size_t b, const few *w, const scales *q)
{
    const shape g = shape_of(type);
    const ingle_acts *x = w->x;
    const int n_vecs = vecs_of(g, n);
    const int8_t *y = x->q + w->t * x->ld_q + b * 256;
    const int16_t *sums =
        x->sum16 + w->t * x->ld_s16 + (g.n_subs == 16 ? 0 : x->n_cols / 16) + b * (size_t)g.n_subs;
    for (int r0 = 0; r0 < ROWS / 4; r0 += n_vecs) {
        int32x4_t blk[GROUP][GROUP];
#pragma GCC unroll 4
        for (int t = 0; t < n; t++)
#pragma GCC unroll 4
            for (int v = 0; v < n_vecs; v++) blk[t][v] = vdupq_n_s32(0);
#pragma GCC unroll 8
        for (int c = 0; c < g.n_chunks; c++) {
            int32_t start[GROUP][MAX_PARTS];
            int32x4_t total[GROUP][GROUP][MAX_PARTS];
            for (int t = 0; g.zero && t < n; t++)
                for (int j = 0; j < g.n_parts; j++)
                    start[t][j] = -g.zero * sums[(size_t)t * x->ld_s16 + (size_t)sub_of(g, c, j)];
            chunk_sums(type, n, s, b, c, r0, y, x->ld_q, start, total);
            __asm__ volatile("" ::: "memory"); /* or the next chunk's loads fill the registers */
#pragma GCC unroll 4
            for (int v = 0; v < n_vecs; v++)
#pragma GCC unroll 4
                for (int j = 0; j < g.n_parts; j++) {
                    int32x4_t scale = load_s8_4(q->sc + sub_of(g, c, j) * ROWS + 4 * (r0 + v));
#pragma GCC unroll 4
                    for (int t = 0; t < n; t++)
                        blk[t][v] = vmlaq_s32(blk[t][v], total[t][v][j], scale);
                }
        }
        for (int t = 0; t < n; t++)
            for (int v = 0; v < n_vecs; v++) {
                const float dy = x->d[(w->t + (size_t)t) * x->ld_d + b];
                float32x4_t *f = w->f[w->t + (size_t)t] + r0 + v;
                *f = vfmaq_f32(*f, vcvtq_f32_s32(blk[t][v]),
                               vmulq_n_f32(block_d(type, s, b, 4 * (r0 + v)), dy));
                if (!g.min_field) continue;
                int32x4_t mn = mins_of(g.n_subs, q->mn, r0 + v, sums + (size_t)t * x->ld_s16);
                *f = vfmsq_f32(*f, vcvtq_f32_s32(mn),
                               vmulq_n_f32(block_min(type, s, b, 4 * (r0 + v)), dy));
            }
    }
}

INLINE void few_b(ingle_type type, int n, const source *s, size_t b, const few *w)
{
    const shape g = shape_of(type);
    const ingle_acts *x = w->x;
    const int n_vecs = vecs_of(g, n);
    const int8_t *y = x->q + w->t * x->ld_q + b * 32;
    for (int r0 = 0; r0 < ROWS / 4; r0 += n_vecs) {
        int32_t start[GROUP][MAX_PARTS] = {{0}};
        int32x4_t total[GROUP][GROUP][MAX_PARTS];
        for (int t = 0; g.zero && t < n; t++)
            start[t][0] = -g.zero * x->sum32[(w->t + (size_t)t) * x->ld_s32 + b];
        chunk_sums(type, n, s, b, 0, r0, y, x->ld_q, start, total);
#pragma GCC unroll 4
        for (int v = 0; v < n_vecs; v++)
#pragma GCC unroll 4
            for (int t = 0; t < n; t++) {
                size_t at = (w->t + (size_t)t) * x->ld_d + b;
                float32x4_t *f = w->f[w->t + (size_t)t] + r0 + v;
                int32x4_t all = total[t][v][0];
                if (g.n_parts == 2) all = vaddq_s32(all, total[t][v][1]);
                *f = vfmaq_f32(*f, vcvtq_f32_s32(all),
                               vmulq_n_f32(block_d(type, s, b, 4 * (r0 + v)), x->d[at]));
                if (g.min_field)
                    *f = vfmaq_n_f32(*f, block_min(type, s, b, 4 * (r0 + v)), x->s[at]);
            }
    }
}

INLINE void few_blocks(ingle_type type, int n, const source *s, size_t b, const few *w,
                       const scales *q)
{
    if (is_k(type)) few_k(type, n, s, b, w, q);
    else few_b(type, n, s, b, w);
}

/* At most FEW tokens. */
INLINE void gemv(ingle_type type, const ingle_matmul *job, size_t first, size_t n)
{
    const ingle_packed *p = job->w;
    const size_t m = job->x->m, group = shape_of(type).n_parts == 4 ? 2 : 4;
    float32x4_t f[FEW][ROWS / 4];
    few w = {.x = job->x, .f = f};
    for (size_t panel = first; panel < first + n; panel++) {
        source s = source_of(p, panel);
        for (size_t t = 0; t < m; t++)
            for (int v = 0; v < ROWS / 4; v++) f[t][v] = vdupq_n_f32(0.0f);
        for (size_t b = 0; b < p->n_blocks; b++) {
            scales q;
            if (is_k(type)) read_scales(type, &s, b, &q);
            for (w.t = 0; group == 4 && m - w.t >= 4; w.t += 4) few_blocks(type, 4, &s, b, &w, &q);
            for (; m - w.t >= 2; w.t += 2) few_blocks(type, 2, &s, b, &w, &q);
            if (w.t < m) few_blocks(type, 1, &s, b, &w, &q);
        }
        for (size_t t = 0; t < m; t++)
            for (size_t v = 0; v < ROWS / 4; v++) finish(job, t, panel * ROWS + 4 * v, f[t][v]);
    }
}

#define GEMV_PORTABLE(NAME, fn)
#define GEMV_ARM64(NAME, fn)                                                                       \
    static void gemv_##fn(const ingle_matmul *job, size_t first, size_t n, void *scratch)          \
    {                                                                                              \
        (void)scratch;                                                                             \
        gemv(INGLE_TYPE_##NAME, job, first, n);                                                    \
    }
#define GEMV(NAME, fn, number, tile, arm64, ...) GEMV_##arm64(NAME, fn)
INGLE_TYPES_QUANTISED(GEMV)

#define SET_GEMV_PORTABLE(NAME, fn)
#define SET_GEMV_ARM64(NAME, fn)                     k->gemv[INGLE_TYPE_##NAME] = gemv_##fn;
#define SET_GEMV(NAME, fn, number, tile, arm64, ...) SET_GEMV_##arm64(NAME, fn)

static void install_gemv(ingle_kern *k)
{
    INGLE_TYPES_QUANTISED(SET_GEMV)
    k->quantise = quantise;
    k->gemv_tokens = FEW;
}
