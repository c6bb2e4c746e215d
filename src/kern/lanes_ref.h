/* lanes_ref.h - the vocabulary of the float kernels, 16 float lanes as a plain array.
 * Owns       nothing.
 * Depends on quant/quant.h for the 16-bit formats, libm.
 * Invariant  every operation is one correctly rounded IEEE operation per lane, so the levels agree
 *            bit for bit; only the payload of a NaN may differ.
 *
 * The algorithms (rows.inc.h, tile.inc.h, matmul_f.inc.h, attend.inc.h) are written once over these
 * names and instantiated by one translation unit per level; lanes_avx2.h and lanes_avx512.h give
 * the same names another width. */
#ifndef INGLE_KERN_LANES_REF_H
#define INGLE_KERN_LANES_REF_H

#include "quant/quant.h"
#include <math.h>
#include <string.h>

typedef struct v16 {
    float f[16];
} v16;

/* Register tiles of the multiply kernel: up to TILE_ROWS rows x TILE_VECS(rows) vectors of
 * accumulators. */
#define TILE_ROWS       4
#define TILE_VECS(rows) ((rows) > 1 ? 1 : 2)
#define TILE_LIST(X)    X(1, 1) X(1, 2) X(2, 1) X(3, 1) X(4, 1)

#define LANES_EACH(expr)                                                                           \
    v16 r;                                                                                         \
    for (int i = 0; i < 16; i++) r.f[i] = (expr);                                                  \
    return r

static inline v16 v_set(float x)
{
    LANES_EACH(x);
}
static inline v16 v_add(v16 a, v16 b)
{
    LANES_EACH(a.f[i] + b.f[i]);
}
static inline v16 v_sub(v16 a, v16 b)
{
    LANES_EACH(a.f[i] - b.f[i]);
}
static inline v16 v_mul(v16 a, v16 b)
{
    LANES_EACH(a.f[i] * b.f[i]);
}
static inline v16 v_div(v16 a, v16 b)
{
    LANES_EACH(a.f[i] / b.f[i]);
}
/* a * b + c, rounded once */
static inline v16 v_fma(v16 a, v16 b, v16 c)
{
    LANES_EACH(fmaf(a.f[i], b.f[i], c.f[i]));
}
/* a > b ? a : b and a < b ? a : b, so b where either is NaN */
static inline v16 v_max(v16 a, v16 b)
{
    LANES_EACH(a.f[i] > b.f[i] ? a.f[i] : b.f[i]);
}
static inline v16 v_min(v16 a, v16 b)
{
    LANES_EACH(a.f[i] < b.f[i] ? a.f[i] : b.f[i]);
}
/* a < b ? x : y */
static inline v16 v_pick_lt(v16 a, v16 b, v16 x, v16 y)
{
    LANES_EACH(a.f[i] < b.f[i] ? x.f[i] : y.f[i]);
}
static inline v16 v_abs(v16 a)
{
    LANES_EACH(fabsf(a.f[i]));
}
/* |a| with the sign of s */
static inline v16 v_copysign(v16 a, v16 s)
{
    LANES_EACH(copysignf(a.f[i], s.f[i]));
}
/* Lanes lo <= i < hi of a, fill elsewhere. */
static inline v16 v_keep(v16 a, int lo, int hi, float fill)
{
    LANES_EACH(i >= lo && i < hi ? a.f[i] : fill);
}

/* p * 2^n for integral n in [-252, 252], rounded once when the result is subnormal (|p| near 1). */
static inline v16 v_pow2(v16 p, v16 n)
{
    v16 r;
    for (int i = 0; i < 16; i++) {
        int e = n.f[i] == n.f[i] ? (int)n.f[i] : 0;
        int half = e >> 1;
        union {
            uint32_t u;
            float f;
        } a = {(uint32_t)(half + 127) << 23}, b = {(uint32_t)(e - half + 127) << 23};
        r.f[i] = p.f[i] * a.f * b.f;
    }
    return r;
}

static inline float v_sum(v16 a)
{
    for (int n = 8; n; n /= 2)
        for (int i = 0; i < n; i++) a.f[i] += a.f[i + n];
    return a.f[0];
}
static inline float v_hmax(v16 a)
{
    for (int n = 8; n; n /= 2)
        for (int i = 0; i < n; i++) a.f[i] = a.f[i] > a.f[i + n] ? a.f[i] : a.f[i + n];
    return a.f[0];
}
static inline float v_first(v16 a)
{
    return a.f[0];
}

static inline v16 v_load(const float *p)
{
    v16 r;
    memcpy(r.f, p, sizeof r.f);
    return r;
}
static inline void v_store(float *p, v16 a)
{
    memcpy(p, a.f, sizeof a.f);
}
/* The first n (any n >= 1) of 16 elements; the others are not touched and read as 0. */
static inline v16 v_load_n(const float *p, size_t n)
{
    v16 r = {{0}};
    memcpy(r.f, p, (n < 16 ? n : 16) * sizeof *p);
    return r;
}
static inline void v_store_n(float *p, v16 a, size_t n)
{
    memcpy(p, a.f, (n < 16 ? n : 16) * sizeof *p);
}
/* 16 interleaved pairs */
static inline void v_load2(const float *p, v16 *even, v16 *odd)
{
    for (int i = 0; i < 16; i++) even->f[i] = p[2 * i], odd->f[i] = p[2 * i + 1];
}
static inline void v_store2(float *p, v16 even, v16 odd)
{
    for (int i = 0; i < 16; i++) p[2 * i] = even.f[i], p[2 * i + 1] = odd.f[i];
}

static inline v16 v_load_f16(const uint16_t *p)
{
    LANES_EACH(ingle_f16_to_f32(p[i]));
}
static inline v16 v_load_bf16(const uint16_t *p)
{
    LANES_EACH(ingle_bf16_to_f32(p[i]));
}
static inline v16 v_load_s8(const int8_t *p)
{
    LANES_EACH((float)p[i]);
}
/* Rounds to nearest even. */
static inline void v_store_f16(uint16_t *p, v16 a)
{
    for (int i = 0; i < 16; i++) p[i] = ingle_f32_to_f16(a.f[i]);
}
static inline void v_store_bf16(uint16_t *p, v16 a)
{
    for (int i = 0; i < 16; i++) p[i] = ingle_f32_to_bf16(a.f[i]);
}
/* Values in [-127, 127], rounded to nearest even; NaN stores 0. */
static inline void v_store_s8(int8_t *p, v16 a)
{
    for (int i = 0; i < 16; i++) p[i] = (int8_t)(a.f[i] == a.f[i] ? rintf(a.f[i]) : 0);
}

#endif
