/* lanes_ref.h - the vocabulary of the float kernels, 16 float lanes in four short vectors.
 * Owns       nothing.
 * Depends on quant/quant.h for the 16-bit formats, the vector extension of gcc and clang.
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

/* Four lanes: what every 64-bit processor has registers for. */
typedef float f32x4 __attribute__((vector_size(16)));
typedef int32_t s32x4 __attribute__((vector_size(16)));
typedef uint16_t u16x4 __attribute__((vector_size(8)));

typedef struct v16 {
    f32x4 q[4];
} v16;

/* Register tiles of the multiply kernel: up to TILE_ROWS rows x TILE_VECS(rows) vectors of
 * accumulators. */
#define TILE_ROWS       4
#define TILE_VECS(rows) ((rows) > 1 ? 1 : 2)
#define TILE_LIST(X)    X(1, 1) X(1, 2) X(2, 1) X(3, 1) X(4, 1)

#define LANES_EACH(expr)                                                                           \
    v16 res;                                                                                       \
    for (int i = 0; i < 4; i++) res.q[i] = (expr);                                                 \
    return res

/* mask ? a : b, a mask being all ones or all zeros */
static inline f32x4 f32x4_pick(s32x4 mask, f32x4 a, f32x4 b)
{
    return (f32x4)((mask & (s32x4)a) | (~mask & (s32x4)b));
}

static inline v16 v_set(float x)
{
    LANES_EACH(((f32x4){x, x, x, x}));
}
static inline v16 v_add(v16 a, v16 b)
{
    LANES_EACH(a.q[i] + b.q[i]);
}
static inline v16 v_sub(v16 a, v16 b)
{
    LANES_EACH(a.q[i] - b.q[i]);
}
static inline v16 v_mul(v16 a, v16 b)
{
    LANES_EACH(a.q[i] * b.q[i]);
}
static inline v16 v_div(v16 a, v16 b)
{
    LANES_EACH(a.q[i] / b.q[i]);
}

static inline f32x4 f32x4_fma(f32x4 a, f32x4 b, f32x4 c)
{
    return (f32x4){fmaf(a[0], b[0], c[0]), fmaf(a[1], b[1], c[1]), fmaf(a[2], b[2], c[2]),
                   fmaf(a[3], b[3], c[3])};
}

/* a * b + c, rounded once */
static inline v16 v_fma(v16 a, v16 b, v16 c)
{
    LANES_EACH(f32x4_fma(a.q[i], b.q[i], c.q[i]));
}
/* a > b ? a : b and a < b ? a : b, so b where either is NaN */
static inline v16 v_max(v16 a, v16 b)
{
    LANES_EACH(f32x4_pick(a.q[i] > b.q[i], a.q[i], b.q[i]));
}
static inline v16 v_min(v16 a, v16 b)
{
    LANES_EACH(f32x4_pick(a.q[i] < b.q[i], a.q[i], b.q[i]));
}
/* a < b ? x : y */
static inline v16 v_pick_lt(v16 a, v16 b, v16 x, v16 y)
{
    LANES_EACH(f32x4_pick(a.q[i] < b.q[i], x.q[i], y.q[i]));
}
static inline v16 v_abs(v16 a)
{
    LANES_EACH((f32x4)((s32x4)a.q[i] & 0x7fffffff));
}
/* |a| with the sign of s */
static inline v16 v_copysign(v16 a, v16 s)
{
    LANES_EACH(f32x4_pick((s32x4){} + 0x7fffffff, a.q[i], s.q[i]));
}
/* Lanes lo <= i < hi of a, fill elsewhere. */
static inline v16 v_keep(v16 a, int lo, int hi, float fill)
{
    for (int i = 0; i < 16; i++)
        if (i < lo || i >= hi) a.q[i / 4][i % 4] = fill;
    return a;
}

/* p * 2^n for integral n in [-252, 252], rounded once when the result is subnormal (|p| near 1). */
static inline f32x4 f32x4_pow2(f32x4 p, f32x4 n)
{
    n = f32x4_pick(n == n, n, (f32x4){}); /* a NaN is in p too */
    s32x4 e = __builtin_convertvector(n, s32x4), half = e >> 1;
    return p * (f32x4)((half + 127) << 23) * (f32x4)((e - half + 127) << 23);
}
static inline v16 v_pow2(v16 p, v16 n)
{
    LANES_EACH(f32x4_pow2(p.q[i], n.q[i]));
}

static inline float v_sum(v16 a)
{
    f32x4 s = (a.q[0] + a.q[2]) + (a.q[1] + a.q[3]);
    return (s[0] + s[2]) + (s[1] + s[3]);
}
static inline float v_hmax(v16 a)
{
    f32x4 m = a.q[0];
    for (int i = 1; i < 4; i++) m = f32x4_pick(a.q[i] > m, a.q[i], m);
    float x = m[0] > m[1] ? m[0] : m[1], y = m[2] > m[3] ? m[2] : m[3];
    return x > y ? x : y;
}
static inline float v_first(v16 a)
{
    return a.q[0][0];
}

static inline v16 v_load(const float *p)
{
    v16 r;
    memcpy(&r, p, sizeof r);
    return r;
}
static inline void v_store(float *p, v16 a)
{
    memcpy(p, &a, sizeof a);
}
/* The first n (any n >= 1) of 16 elements; the others are not touched and read as 0. */
static inline v16 v_load_n(const float *p, size_t n)
{
    if (n >= 16) return v_load(p);
    float buf[16] = {0};
    memcpy(buf, p, n * sizeof *p);
    return v_load(buf);
}
static inline void v_store_n(float *p, v16 a, size_t n)
{
    if (n >= 16) v_store(p, a);
    else memcpy(p, &a, n * sizeof *p);
}
/* 16 interleaved pairs */
static inline void v_load2(const float *p, v16 *even, v16 *odd)
{
    for (int i = 0; i < 16; i++)
        even->q[i / 4][i % 4] = p[2 * i], odd->q[i / 4][i % 4] = p[2 * i + 1];
}
static inline void v_store2(float *p, v16 even, v16 odd)
{
    for (int i = 0; i < 16; i++)
        p[2 * i] = even.q[i / 4][i % 4], p[2 * i + 1] = odd.q[i / 4][i % 4];
}

/* Exponent and fraction move up 13 bits, and 2^112 makes up for the exponents' biases. */
static inline f32x4 f32x4_load_f16(const uint16_t *p)
{
    u16x4 h;
    memcpy(&h, p, sizeof h);
    s32x4 u = __builtin_convertvector(h, s32x4), low = (u & 0x7fff) << 13;
    s32x4 bits = (s32x4)((f32x4)low * 0x1p112f);
    bits |= (low >= 0x0f800000) & 0x7f800000; /* infinity and NaN */
    return (f32x4)(bits | (s32x4)((u & 0x8000) << 16));
}
static inline v16 v_load_f16(const uint16_t *p)
{
    LANES_EACH(f32x4_load_f16(p + 4 * i));
}
static inline v16 v_load_bf16(const uint16_t *p)
{
    float f[16];
    for (int i = 0; i < 16; i++) f[i] = ingle_bf16_to_f32(p[i]);
    return v_load(f);
}
static inline v16 v_load_s8(const int8_t *p)
{
    float f[16];
    for (int i = 0; i < 16; i++) f[i] = (float)p[i];
    return v_load(f);
}
/* Rounds to nearest even. */
static inline void v_store_f16(uint16_t *p, v16 a)
{
    for (int i = 0; i < 16; i++) p[i] = ingle_f32_to_f16(a.q[i / 4][i % 4]);
}
static inline void v_store_bf16(uint16_t *p, v16 a)
{
    for (int i = 0; i < 16; i++) p[i] = ingle_f32_to_bf16(a.q[i / 4][i % 4]);
}
/* Values in [-127, 127], rounded to nearest even; NaN stores 0. */
static inline void v_store_s8(int8_t *p, v16 a)
{
    for (int i = 0; i < 16; i++) {
        float x = a.q[i / 4][i % 4];
        p[i] = (int8_t)(x == x ? rintf(x) : 0);
    }
}

#endif
