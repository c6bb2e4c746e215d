/* matmul.inc.h - many tokens with quantised weights: what NEON, DOTPROD and I8MM do alike.
 * Depends on weights.h.
 * Parameters: words of the level, defined before this file is included; NEON and DOTPROD take most of
 * them from lines.inc.h, I8MM has its own
 *
 *     V_ROWS, V_TOKENS     a vector of four sums is V_ROWS rows x V_TOKENS tokens
 *     sum, sum_start(), sum_total()
 *     put_lines()          two lines of bytes into a step, in the order dots() wants
 *     token_bytes()        the bytes of one vector's tokens, in the order dots() wants
 *     dots()               4 n_lines consecutive k of the whole tile
 *     spread_rows(), spread_tokens(), result()
 *     TILES_MORE(), TILES_MORE_NAMES()
 *                          tiles of 3 and 4 vectors of tokens, if the level has them
 *
 * gemm: a task is four panels, 64 rows. For every 256 weights of K they are unpacked once into a
 * `step` (signed bytes less the zero, in L1, and int scales), and all tokens pass over it in tiles
 * of 8 rows x NR tokens: 8 vectors of sums and 8 of scaled sums stay in registers. Between steps
 * results live in c, floats in the order of the vectors, in the thread's scratch: one fma chain per
 * output in K order, as in gemv, so both give the same bits.
 *
 * Invariant: int32 sums are exact; only the fma per block rounds. */
#if !defined(V_ROWS) || !defined(V_TOKENS) || !defined(TILES_MORE) || !defined(TILES_MORE_NAMES)
#error "include lines.inc.h first, or define its words"
#endif

#include "kern/arm64/arm64.h"
#include "kern/arm64/weights.h"

#define KC     256 /* weights of K unpacked at a time */
#define PANELS 4   /* of a task */
#define MR     (PANELS * ROWS)
#define NR     4 /* tokens of a tile */
#define FEW    8 /* tokens that gemv takes */
#define TV     (NR / V_TOKENS)
#define RV     (8 / V_ROWS)

/* 64 rows x KC. Class K, one block: scales by sub-block, mins as lines. Class B: d and min by
 * block. */
typedef struct step {
    int8_t w[KC * MR];
    int8_t min_line[16 * MR];
    int32_t scale[16][MR];
    float d[KC / 32][MR], min[KC / 32][MR];
} step;

/* ---- unpacking a step ---- */

/* Block b of a panel to the 64 lines, or 8 of class B, that start at w. */
INLINE void unpack_lines(ingle_type type, const source *s, size_t b, int8_t *w, size_t row)
{
    const shape g = shape_of(type);
    const uint8x16_t zero = vdupq_n_u8((uint8_t)g.zero);
    for (int c = 0; c < g.n_chunks; c++)
        for (int r = 0; r < ROWS; r += 4) {
#pragma GCC unroll 4
            for (int i = 0; i < g.n_steps; i += 2) {
                uint8x16_t u[MAX_PARTS], v[MAX_PARTS];
                unpack(type, s, b, c, i, r, u);
                unpack(type, s, b, c, i + 1, r, v);
                for (int j = 0; j < g.n_parts; j++)
                    put_lines(w + line_of(g, c, j, i) * MR * 4, row + (size_t)r,
                              vreinterpretq_s8_u8(vsubq_u8(u[j], zero)),
                              vreinterpretq_s8_u8(vsubq_u8(v[j], zero)));
            }
        }
}

INLINE void unpack_floats(ingle_type type, const source *s, size_t b, float *d, float *min)
{
    for (int r = 0; r < ROWS; r += 4) {
        vst1q_f32(d + r, block_d(type, s, b, r));
        if (shape_of(type).min_field) vst1q_f32(min + r, block_min(type, s, b, r));
    }
}

/* Block b of a panel to rows `row`.. of the step. */
INLINE void unpack_k(ingle_type type, const source *s, size_t b, step *p, size_t row)
{
    const shape g = shape_of(type);
    scales q;
    read_scales(type, s, b, &q);
    for (int i = 0; i < g.n_subs; i++)
        for (int r = 0; r < ROWS; r += 8) {
            int16x8_t sc = vmovl_s8(vld1_s8(q.sc + i * ROWS + r));
            vst1q_s32(p->scale[i] + row + r, vmovl_s16(vget_low_s16(sc)));
            vst1q_s32(p->scale[i] + row + r + 4, vmovl_s16(vget_high_s16(sc)));
        }
    for (int i = 0; g.min_field && i < g.n_subs; i += 8) {
        int8x16_t u[4], v[4];
        line_of_subs(q.mn, i, u);
        line_of_subs(q.mn, i + 4, v);
        for (int j = 0; j < 4; j++)
            put_lines(p->min_line + i * MR, row + 4 * (size_t)j, u[j], v[j]);
    }
    unpack_floats(type, s, b, p->d[0] + row, p->min[0] + row);
    unpack_lines(type, s, b, p->w, row);
}

/* ---- a tile of tokens ---- */

/* Sums of y per sub-block as 128 high + low, so that bytes multiply with the mins. */
#define SPLIT 7 /* bits of low, which is -64 .. 63; high is -32 .. 32 */

typedef struct tile {
    const int8_t *y[TV];
    _Alignas(64) int8_t bytes[TV][KC * V_TOKENS]; /* y, where the level has an order of its own */
    int8_t low[TV][16 * V_TOKENS], high[TV][16 * V_TOKENS];
    float d[KC / 32][TV][4], s[KC / 32][TV][4];
} tile;

/* n_subs sums of each token of a vector. */
INLINE void split_sums(const int16_t *const sums[V_TOKENS], int n_subs, int8_t *low, int8_t *high)
{
    for (int i = 0; i < n_subs; i += 8) {
        int8x8_t h[V_TOKENS], l[V_TOKENS];
        for (int t = 0; t < V_TOKENS; t++) {
            int16x8_t v = vld1q_s16(sums[t] + i);
            int16x8_t up = vshrq_n_s16(vaddq_s16(v, vdupq_n_s16(1 << (SPLIT - 1))), SPLIT);
            h[t] = vmovn_s16(up);
            l[t] = vmovn_s16(vsubq_s16(v, vshlq_n_s16(up, SPLIT)));
        }
        for (int t = 0; t < V_TOKENS; t++) {
            vst1_s8(low + i * V_TOKENS + 8 * t, l[t]);
            vst1_s8(high + i * V_TOKENS + 8 * t, h[t]);
        }
    }
}

/* n tokens t0.. and n_blocks blocks from b on. Lanes of tokens that do not exist repeat the last. */
INLINE void tile_of(ingle_type type, int n, const ingle_acts *x, size_t t0, size_t b,
                    size_t n_blocks, tile *v)
{
    const shape g = shape_of(type);
    const size_t block = is_k(type) ? 256 : 32;
    for (int i = 0; i * V_TOKENS < n; i++) {
        const int8_t *q[V_TOKENS];
        const float *d[V_TOKENS], *s[V_TOKENS];
        const int16_t *sums[V_TOKENS];
        for (int j = 0; j < V_TOKENS; j++) {
            int t = i * V_TOKENS + j;
            size_t row = t0 + (size_t)(t < n ? t : n - 1);
            q[j] = x->q + row * x->ld_q + b * block;
            d[j] = x->d + row * x->ld_d + b;
            if (!g.min_field) continue;
            if (is_k(type))
                sums[j] = x->sum16 + row * x->ld_s16 + (g.n_subs == 16 ? 0 : x->n_cols / 16) +
                          b * (size_t)g.n_subs;
            else s[j] = x->s + row * x->ld_d + b;
        }
        v->y[i] = token_bytes(q, n_blocks * block, v->bytes[i]);
        for (size_t k = 0; k < n_blocks; k++) {
            vst1q_f32(v->d[k][i], spread_tokens(d, k));
            if (g.min_field && !is_k(type)) vst1q_f32(v->s[k][i], spread_tokens(s, k));
        }
        if (g.min_field && is_k(type)) split_sums(sums, g.n_subs, v->low[i], v->high[i]);
    }
}

/* Where vector (i, j) of the tile at row r lies in c, which starts at the tile's first token. */
INLINE float *c_of(float *c, size_t r, int i, int j)
{
    return c + (size_t)i * V_TOKENS * MR + (r + (size_t)(j * V_ROWS)) * V_TOKENS;
}

/* total = sums of products over 4 n_lines k, from line `at` of w on and its k in y. */
INLINE void tile_sums(bool wide, int tv, const int8_t *w, const int8_t *const y[TV], int at,
                      int n_lines, size_t r, int32x4_t total[TV][RV])
{
    sum acc[TV][RV];
#pragma GCC unroll 4
    for (int i = 0; i < tv; i++)
#pragma GCC unroll 4
        for (int j = 0; j < RV; j++) acc[i][j] = sum_start(0);
#pragma GCC unroll 2
    for (int l = 0; l < n_lines; l += 4)
        dots(wide, tv, n_lines - l < 4 ? 2 : 4, acc, w + (at + l) * MR * 4, r, y,
             (size_t)(at + l) * 4);
#pragma GCC unroll 4
    for (int i = 0; i < tv; i++)
#pragma GCC unroll 4
        for (int j = 0; j < RV; j++) total[i][j] = sum_total(wide, acc[i][j]);
}

/* f -= (mins . sums of y) * (min * dy) */
INLINE void block_mins(int n_subs, int tv, const step *p, const tile *v, size_t r,
                       float32x4_t f[TV][RV])
{
    int32x4_t low[TV][RV], high[TV][RV];
    const int8_t *y_low[TV], *y_high[TV];
    for (int i = 0; i < tv; i++) y_low[i] = v->low[i], y_high[i] = v->high[i];
    tile_sums(false, tv, p->min_line, y_high, 0, n_subs / 4, r, high);
    tile_sums(false, tv, p->min_line, y_low, 0, n_subs / 4, r, low);
#pragma GCC unroll 4
    for (int j = 0; j < RV; j++) {
        float32x4_t min = spread_rows_f(p->min[0] + r + j * V_ROWS);
#pragma GCC unroll 4
        for (int i = 0; i < tv; i++) {
            int32x4_t mins = vaddq_s32(vshlq_n_s32(high[i][j], SPLIT), low[i][j]);
            f[i][j] =
                vfmsq_f32(f[i][j], vcvtq_f32_s32(mins), vmulq_f32(min, vld1q_f32(v->d[0][i])));
        }
    }
}

/* 8 rows from r on of the step, one block. */
INLINE void rows_k(ingle_type type, int tv, const step *p, const tile *v, size_t r, float *c)
{
    const shape g = shape_of(type);
    const int n_lines = 64 / g.n_subs;
    int32x4_t blk[TV][RV];
    float32x4_t f[TV][RV];
#pragma GCC unroll 4
    for (int i = 0; i < tv; i++)
#pragma GCC unroll 4
        for (int j = 0; j < RV; j++) blk[i][j] = vdupq_n_s32(0);
    for (int s = 0; s < g.n_subs; s++) {
        int32x4_t total[TV][RV];
        tile_sums(g.wide, tv, p->w, v->y, s * n_lines, n_lines, r, total);
#pragma GCC unroll 4
        for (int j = 0; j < RV; j++) {
            int32x4_t scale = spread_rows(p->scale[s] + r + j * V_ROWS);
#pragma GCC unroll 4
            for (int i = 0; i < tv; i++) blk[i][j] = vmlaq_s32(blk[i][j], total[i][j], scale);
        }
    }
#pragma GCC unroll 4
    for (int j = 0; j < RV; j++) {
        float32x4_t d = spread_rows_f(p->d[0] + r + j * V_ROWS);
#pragma GCC unroll 4
        for (int i = 0; i < tv; i++)
            f[i][j] = vfmaq_f32(vld1q_f32(c_of(c, r, i, j)), vcvtq_f32_s32(blk[i][j]),
                                vmulq_f32(d, vld1q_f32(v->d[0][i])));
    }
    if (g.min_field) block_mins(g.n_subs, tv, p, v, r, f);
#pragma GCC unroll 4
    for (int i = 0; i < tv; i++)
#pragma GCC unroll 4
        for (int j = 0; j < RV; j++) vst1q_f32(c_of(c, r, i, j), f[i][j]);
}

/* 8 rows from r on of the step, n_blocks blocks of 32. */
INLINE void rows_b(ingle_type type, int tv, const step *p, const tile *v, size_t r, size_t n_blocks,
                   float *c)
{
    const shape g = shape_of(type);
    float32x4_t f[TV][RV];
#pragma GCC unroll 4
    for (int i = 0; i < tv; i++)
#pragma GCC unroll 4
        for (int j = 0; j < RV; j++) f[i][j] = vld1q_f32(c_of(c, r, i, j));
    for (size_t b = 0; b < n_blocks; b++) {
        int32x4_t total[TV][RV];
        tile_sums(g.wide, tv, p->w, v->y, (int)b * 8, 8, r, total);
#pragma GCC unroll 4
        for (int j = 0; j < RV; j++) {
            float32x4_t d = spread_rows_f(p->d[b] + r + j * V_ROWS), min = d;
            if (g.min_field) min = spread_rows_f(p->min[b] + r + j * V_ROWS);
#pragma GCC unroll 4
            for (int i = 0; i < tv; i++) {
                f[i][j] = vfmaq_f32(f[i][j], vcvtq_f32_s32(total[i][j]),
                                    vmulq_f32(d, vld1q_f32(v->d[b][i])));
                if (g.min_field) f[i][j] = vfmaq_f32(f[i][j], min, vld1q_f32(v->s[b][i]));
            }
        }
    }
#pragma GCC unroll 4
    for (int i = 0; i < tv; i++)
#pragma GCC unroll 4
        for (int j = 0; j < RV; j++) vst1q_f32(c_of(c, r, i, j), f[i][j]);
}

/* Tokens t.. (n of them, in tv vectors) over the n_rows rows of a step that exist. Functions of
 * their own for each class of types, not for each type: `type` is any of the class. */
INLINE void pass(ingle_type type, int tv, const step *p, const ingle_acts *x, size_t t, int n,
                 size_t b, size_t n_blocks, size_t n_rows, float *c)
{
    tile v;
    tile_of(type, n, x, t, b, n_blocks, &v);
    for (size_t r = 0; r < n_rows; r += 8)
        if (is_k(type)) rows_k(type, tv, p, &v, r, c);
        else rows_b(type, tv, p, &v, r, n_blocks, c);
}

typedef void tile_fn(const step *p, const ingle_acts *x, size_t t, int n, size_t b, size_t n_blocks,
                     size_t n_rows, float *c);

#define TILE(name, NAME, tv)                                                                       \
    static void name##_##tv(const step *p, const ingle_acts *x, size_t t, int n, size_t b,         \
                            size_t n_blocks, size_t n_rows, float *c)                              \
    {                                                                                              \
        pass(INGLE_TYPE_##NAME, tv, p, x, t, n, b, n_blocks, n_rows, c);                           \
    }
/* name: what the class shares; NAME: any type of it. */
#define TILES(name, NAME)                                                                          \
    TILE(name, NAME, 1)                                                                            \
    TILE(name, NAME, 2)                                                                            \
    TILES_MORE(name, NAME)                                                                         \
    static tile_fn *const name[] = {NULL, name##_1, name##_2, TILES_MORE_NAMES(name)};

/* ---- the task ---- */

typedef struct work {
    step step;
    float c[]; /* [m][MR], in the order of c_of() */
} work;

static inline size_t tokens_of_tile(size_t left)
{
    if (left <= NR) return left;
    if (left >= 2 * NR) return NR;
    return ((left + 1) / 2 + V_TOKENS - 1) / V_TOKENS * V_TOKENS; /* no small rest */
}

/* Rows row .. row + 3 of token t: v (* scale) (+ bias) (+ old), those that exist. */
INLINE void finish(const ingle_matmul *job, size_t t, size_t row, float32x4_t v)
{
    if (row >= job->w->n_rows) return;
    size_t n = job->w->n_rows - row;
    float *out = job->out + t * job->ld_out + row;
    if (job->scale) v = vmulq_n_f32(v, *job->scale);
    if (n >= 4) {
        if (job->bias) v = vaddq_f32(v, vld1q_f32(job->bias + row));
        if (job->add) v = vaddq_f32(v, vld1q_f32(out));
        vst1q_f32(out, v);
        return;
    }
    float lane[4];
    vst1q_f32(lane, v);
    for (size_t i = 0; i < n; i++) {
        if (job->bias) lane[i] += job->bias[row + i];
        if (job->add) lane[i] += out[i];
        out[i] = lane[i];
    }
}

INLINE void gemm_task(ingle_type type, tile_fn *const *tiles, const ingle_matmul *job, size_t panel,
                      size_t n, work *w)
{
    const ingle_acts *x = job->x;
    const size_t per_step = is_k(type) ? 1 : KC / 32;
    source s[PANELS];
    for (size_t h = 0; h < n; h++) s[h] = source_of(job->w, panel + h);
    memset(w->c, 0, (x->m + V_TOKENS - 1) / V_TOKENS * V_TOKENS * MR * sizeof *w->c);
    for (size_t b = 0; b < job->w->n_blocks; b += per_step) {
        size_t n_blocks = job->w->n_blocks - b < per_step ? job->w->n_blocks - b : per_step;
        for (size_t h = 0; h < n; h++) {
            size_t row = h * ROWS;
            if (is_k(type)) unpack_k(type, &s[h], b, &w->step, row);
            for (size_t i = 0; !is_k(type) && i < n_blocks; i++) {
                unpack_floats(type, &s[h], b + i, w->step.d[i] + row, w->step.min[i] + row);
                unpack_lines(type, &s[h], b + i, w->step.w + i * 32 * MR, row);
            }
        }
        for (size_t t = 0, m; t < x->m; t += m) {
            m = tokens_of_tile(x->m - t);
            tiles[(m + V_TOKENS - 1) / V_TOKENS](&w->step, x, t, (int)m, b, n_blocks, n * ROWS,
                                                 w->c + t * MR);
        }
    }
    for (size_t t = 0; t < x->m; t++)
        for (size_t r = 0; r < n * ROWS; r += 4)
            finish(job, t, panel * ROWS + r, result(w->c, t, r, MR));
}

INLINE void gemm(ingle_type type, tile_fn *const *tiles, const ingle_matmul *job, size_t first,
                 size_t n, void *scratch)
{
    for (size_t p = 0; p < n; p += PANELS)
        gemm_task(type, tiles, job, first + p, n - p < PANELS ? n - p : PANELS, scratch);
}

static size_t scratch_bytes(size_t m, size_t n_cols)
{
    (void)n_cols;
    return sizeof(work) + (m + 1) / 2 * 2 * MR * sizeof(float); /* pairs of tokens at I8MM */
}

/* ---- the table ---- */

TILES(tiles_q4_0, Q4_0)
TILES(tiles_q4_1, Q4_1)
TILES(tiles_q8_0, Q8_0)
TILES(tiles_q2_k, Q2_K)
TILES(tiles_q4_k, Q4_K)
TILES(tiles_q6_k, Q6_K)
TILES(tiles_k32_127, IQ4_XS)
/* Weights come without their zero, so these types need the same code. */
static tile_fn *const *const tiles_q5_0 = tiles_q4_0, *const *const tiles_q5_1 = tiles_q4_1;
static tile_fn *const *const tiles_q3_k = tiles_q6_k, *const *const tiles_q5_k = tiles_q4_k;

#define GEMM_PORTABLE(NAME, fn, tile)
#define GEMM_ARM64(NAME, fn, tile)                                                                 \
    static void gemm_##fn(const ingle_matmul *job, size_t first, size_t n, void *scratch)          \
    {                                                                                              \
        gemm(INGLE_TYPE_##NAME, tiles_##tile, job, first, n, scratch);                             \
    }
#define GEMM(NAME, fn, number, tile, arm64, ...) GEMM_##arm64(NAME, fn, tile)
INGLE_TYPES_QUANTISED(GEMM)

#define SET_GEMM_PORTABLE(NAME, fn)
#define SET_GEMM_ARM64(NAME, fn)                     k->gemm[INGLE_TYPE_##NAME] = gemm_##fn;
#define SET_GEMM(NAME, fn, number, tile, arm64, ...) SET_GEMM_##arm64(NAME, fn)

static void install_gemm(ingle_kern *k)
{
    INGLE_TYPES_QUANTISED(SET_GEMM)
    k->gemm_panels = PANELS;
    k->scratch_bytes = scratch_bytes;
}
