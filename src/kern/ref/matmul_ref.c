/* matmul_ref.c - products of packed weights with quantised activations, as quant.h defines them
 * (ARITHMETIC).
 * Depends on kern/kern.h, quant/quant.h.
 * Invariant  an output is one chain of fmaf in K order from 0, whatever the number of tokens or the
 *            tiling; all sums below a block are exact integers. So gemv and gemm are one function.
 */
#include "kern/ref/ref.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ROWS 16 /* of a panel */
#define TILE 16 /* tokens served by one reading of the weights */

/* ---- activations ---- */

/* d: amax / 127, not rounded further. */
static void quantise_block(const float *x, size_t n, int8_t *q, float *d)
{
    float amax = 0;
    bool finite = true;
    for (size_t i = 0; i < n; i++) {
        float v = fabsf(x[i]);
        finite &= v <= FLT_MAX;
        amax = v > amax ? v : amax;
    }
    if (!finite || amax < INGLE_ACT_TINY) {
        *d = finite ? 0 : NAN;
        memset(q, 0, n);
        return;
    }
    float scale = 127.0f / amax;
    /* amax * scale is off 127 by two roundings at most, so no result leaves -127 .. 127. */
    for (size_t i = 0; i < n; i++) q[i] = (int8_t)rintf(x[i] * scale);
    *d = amax / 127.0f;
}

static int32_t sum_of(const int8_t *q, size_t n)
{
    int32_t sum = 0;
    for (size_t i = 0; i < n; i++) sum += q[i];
    return sum;
}

static bool is_loud(const int8_t *q)
{
    for (size_t i = 0; i < 256; i += 16) {
        int sum = 0;
        for (size_t k = 0; k < 16; k++) sum += abs(q[i + k]);
        if (sum > INGLE_QUIET) return true;
    }
    return false;
}

/* A class B row's scales, which are amax / 127 so far, and its sums. */
static void finish_q32(const int8_t *q, size_t n_blocks, float *d, float *s, int32_t *sum)
{
    for (size_t b = 0; b < n_blocks; b++) {
        sum[b] = sum_of(q + 32 * b, 32);
        s[b] = isnan(d[b]) ? d[b] : ingle_round11(d[b] * (float)sum[b]);
        d[b] = isnan(d[b]) ? d[b] : ingle_round11(d[b]);
    }
}

void ingle_ref_quantise(const ingle_acts *a, size_t t, const float *x)
{
    if (a->act == INGLE_ACT_F32) return;
    size_t n = a->act == INGLE_ACT_Q32 ? 32 : 256;
    int8_t *q = a->q + t * a->ld_q;
    float *d = a->d + t * a->ld_d;
    for (size_t b = 0; b < a->n_cols / n; b++) quantise_block(x + b * n, n, q + b * n, d + b);
    if (a->act == INGLE_ACT_Q32) {
        finish_q32(q, a->n_cols / 32, d, a->s + t * a->ld_d, a->sum32 + t * a->ld_s32);
    } else {
        int16_t *sum = a->sum16 + t * a->ld_s16; /* [K/16] per 16, [K/32] per 32, [K/256] loud */
        for (size_t i = 0; i < a->n_cols / 16; i++) sum[i] = (int16_t)sum_of(q + 16 * i, 16);
        sum += a->n_cols / 16;
        for (size_t i = 0; i < a->n_cols / 32; i++) sum[i] = (int16_t)sum_of(q + 32 * i, 32);
        sum += a->n_cols / 32;
        for (size_t i = 0; i < a->n_cols / 256; i++) sum[i] = is_loud(q + 256 * i);
    }
}

/* ---- one block of weights with one block of activations: f -> f ---- */

static inline int32_t dot(const int8_t *w, const int8_t *y, int n)
{
    int32_t sum = 0;
    for (int k = 0; k < n; k++) sum += w[k] * y[k];
    return sum;
}

static float step_b(const ingle_plain *w, const ingle_type_info *type, const ingle_acts *a,
                    size_t t, size_t b, float f)
{
    const size_t n = type->block_elems, run = type->sub;
    const int8_t *y = a->q + t * a->ld_q + n * b;
    const float *dy = a->d + t * a->ld_d + n / 32 * b;
    if (n == 32) {
        f = fmaf((float)dot(w->w, y, 32), w->d * *dy, f);
        if (type->has_min) f = fmaf(w->dmin, a->s[t * a->ld_d + b], f);
        return f;
    }
    for (size_t k = 0; k < n; k += run)
        f = fmaf((float)dot(w->w + k, y + k, (int)run), w->run_d[k / run] * dy[k / 32], f);
    return f;
}

static float step_k(const ingle_plain *w, const ingle_type_info *type, const ingle_acts *a,
                    size_t t, size_t b, float f)
{
    const int8_t *y = a->q + t * a->ld_q + 256 * b;
    float dy = a->d[t * a->ld_d + b];
    int32_t sum = 0;
    if (type->sub == 16)
        for (int i = 0; i < 16; i++) sum += w->sc[i] * dot(w->w + 16 * i, y + 16 * i, 16);
    else
        for (int i = 0; i < 8; i++) sum += w->sc[i] * dot(w->w + 32 * i, y + 32 * i, 32);
    f = fmaf((float)sum, w->d * dy, f);
    if (!type->has_min) return f;

    const int16_t *sums = a->sum16 + t * a->ld_s16;
    sums += type->sub == 16 ? 16 * b : a->n_cols / 16 + 8 * b;
    int32_t mins = 0;
    for (int i = 0; i < 256 / type->sub; i++) mins += w->mn[i] * sums[i];
    return fmaf((float)mins, -(w->dmin * dy), f);
}

/* ---- products ---- */

/* A panel's results for tokens t0 .. t0+n-1, f [TILE][ROWS], with the epilogue; padding rows are
 * dropped. */
static void store(const ingle_matmul *job, size_t panel, size_t t0, size_t n, float (*f)[ROWS])
{
    size_t row0 = panel * ROWS,
           n_rows = job->w->n_rows - row0 < ROWS ? job->w->n_rows - row0 : ROWS;
    for (size_t t = 0; t < n; t++) {
        float *out = job->out + (t0 + t) * job->ld_out + row0;
        for (size_t r = 0; r < n_rows; r++) {
            float v = f[t][r];
            if (job->scale) v *= *job->scale;
            if (job->bias) v += job->bias[row0 + r];
            if (job->add) v += out[r];
            out[r] = v;
        }
    }
}

static void tile_q(const ingle_matmul *job, size_t panel, size_t t0, size_t n, float (*f)[ROWS])
{
    const ingle_type_info *type = ingle_type_get((unsigned)job->w->type);
    size_t row0 = panel * ROWS,
           n_rows = job->w->n_rows - row0 < ROWS ? job->w->n_rows - row0 : ROWS;
    uint8_t block[256];
    ingle_plain w;
    for (size_t b = 0; b < job->w->n_blocks;
         b++) /* blocks outside: 16 rows share their cache lines */
        for (size_t r = 0; r < n_rows; r++) {
            ingle_unpack_blocks(job->w, row0 + r, b, 1, block);
            type->plain(block, &w);
            if (type->row_head) w.d = ingle_row_d(job->w, row0 + r);
            for (size_t t = 0; t < n; t++)
                f[t][r] = type->act == INGLE_ACT_Q32 ? step_b(&w, type, job->x, t0 + t, b, f[t][r])
                                                     : step_k(&w, type, job->x, t0 + t, b, f[t][r]);
        }
}

static void tile_f(const ingle_matmul *job, size_t panel, size_t t0, size_t n, float (*f)[ROWS])
{
    const ingle_type_info *type = ingle_type_get((unsigned)job->w->type);
    const uint8_t *line = job->w->data + panel * job->w->panel_bytes; /* [K][ROWS] */
    float w[ROWS];
    for (size_t k = 0; k < job->w->n_cols; k++, line += ROWS * type->block_bytes) {
        type->decode(line, w, ROWS);
        for (size_t t = 0; t < n; t++) {
            float x = job->x->x[(t0 + t) * job->x->ld_x + k];
            for (int r = 0; r < ROWS; r++) f[t][r] = fmaf(w[r], x, f[t][r]);
        }
    }
}

static void matmul(const ingle_matmul *job, size_t first, size_t n_panels, void *scratch)
{
    (void)scratch;
    bool floats = ingle_type_get((unsigned)job->w->type)->act == INGLE_ACT_F32;
    for (size_t panel = first; panel < first + n_panels; panel++)
        for (size_t t0 = 0; t0 < job->x->m; t0 += TILE) {
            float f[TILE][ROWS] = {{0}};
            size_t n = job->x->m - t0 < TILE ? job->x->m - t0 : TILE;
            (floats ? tile_f : tile_q)(job, panel, t0, n, f);
            store(job, panel, t0, n, f);
        }
}

static size_t scratch_bytes(size_t m, size_t n_cols)
{
    (void)m;
    (void)n_cols;
    return 0;
}

void ingle_kern_ref_matmul(ingle_kern *k)
{
    k->quantise = ingle_ref_quantise;
    for (unsigned t = 0; t < INGLE_TYPE_COUNT; t++)
        k->gemv[t] = k->gemm[t] = ingle_type_get(t) ? matmul : NULL;
    k->gemv_tokens = 1;
    k->gemm_panels = k->gemm_panels_f = 1;
    k->scratch_bytes = scratch_bytes;
}
