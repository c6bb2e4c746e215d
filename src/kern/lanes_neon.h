/* lanes_neon.h - the vocabulary of lanes_ref.h in four 128-bit registers (ARMv8.0).
 * Included only by translation units of AArch64. */
#ifndef INGLE_KERN_LANES_NEON_H
#define INGLE_KERN_LANES_NEON_H

#include <arm_neon.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

typedef struct v16 {
    float32x4_t a, b, c, d;
} v16;

/* 24 accumulators of 32 registers at most: a vector of a and one element of b must fit beside. */
#define TILE_ROWS       6
#define TILE_VECS(rows) ((rows) > 2 ? 1 : 2)
#define TILE_LIST(X)    X(1, 1) X(1, 2) X(2, 1) X(2, 2) X(3, 1) X(4, 1) X(5, 1) X(6, 1)

#define LANES_ALL(op, ...)                                                                         \
    v16 r = {op(a, __VA_ARGS__), op(b, __VA_ARGS__), op(c, __VA_ARGS__), op(d, __VA_ARGS__)};      \
    return r
#define LANES_1(q, f, x)       f(x.q)
#define LANES_2(q, f, x, y)    f(x.q, y.q)
#define LANES_3(q, f, x, y, z) f(x.q, y.q, z.q)

static inline v16 v_set(float x)
{
    float32x4_t v = vdupq_n_f32(x);
    return (v16){v, v, v, v};
}
static inline v16 v_add(v16 x, v16 y)
{
    LANES_ALL(LANES_2, vaddq_f32, x, y);
}
static inline v16 v_sub(v16 x, v16 y)
{
    LANES_ALL(LANES_2, vsubq_f32, x, y);
}
static inline v16 v_mul(v16 x, v16 y)
{
    LANES_ALL(LANES_2, vmulq_f32, x, y);
}
static inline v16 v_div(v16 x, v16 y)
{
    LANES_ALL(LANES_2, vdivq_f32, x, y);
}
/* x * y + z */
static inline v16 v_fma(v16 x, v16 y, v16 z)
{
    LANES_ALL(LANES_3, vfmaq_f32, z, x, y);
}
/* Not fmax and fmin, which return the NaN. */
static inline float32x4_t max_4(float32x4_t x, float32x4_t y)
{
    return vbslq_f32(vcgtq_f32(x, y), x, y);
}
static inline float32x4_t min_4(float32x4_t x, float32x4_t y)
{
    return vbslq_f32(vcltq_f32(x, y), x, y);
}
static inline v16 v_max(v16 x, v16 y)
{
    LANES_ALL(LANES_2, max_4, x, y);
}
static inline v16 v_min(v16 x, v16 y)
{
    LANES_ALL(LANES_2, min_4, x, y);
}
/* x < y ? yes : no */
static inline v16 v_pick_lt(v16 x, v16 y, v16 yes, v16 no)
{
    return (v16){
        vbslq_f32(vcltq_f32(x.a, y.a), yes.a, no.a), vbslq_f32(vcltq_f32(x.b, y.b), yes.b, no.b),
        vbslq_f32(vcltq_f32(x.c, y.c), yes.c, no.c), vbslq_f32(vcltq_f32(x.d, y.d), yes.d, no.d)};
}
static inline v16 v_abs(v16 x)
{
    LANES_ALL(LANES_1, vabsq_f32, x);
}
static inline float32x4_t copysign_4(float32x4_t x, float32x4_t s)
{
    return vbslq_f32(vdupq_n_u32(0x7fffffff), x, s);
}
static inline v16 v_copysign(v16 x, v16 s)
{
    LANES_ALL(LANES_2, copysign_4, x, s);
}

/* Lanes from .. from + 3 of 16: those within lo .. hi - 1 stay. */
static inline float32x4_t keep_4(float32x4_t x, int from, int lo, int hi, float fill)
{
    static const int32_t lanes[4] = {0, 1, 2, 3};
    int32x4_t lane = vaddq_s32(vld1q_s32(lanes), vdupq_n_s32(from));
    uint32x4_t in = vandq_u32(vcgeq_s32(lane, vdupq_n_s32(lo)), vcltq_s32(lane, vdupq_n_s32(hi)));
    return vbslq_f32(in, x, vdupq_n_f32(fill));
}
static inline v16 v_keep(v16 x, int lo, int hi, float fill)
{
    return (v16){keep_4(x.a, 0, lo, hi, fill), keep_4(x.b, 4, lo, hi, fill),
                 keep_4(x.c, 8, lo, hi, fill), keep_4(x.d, 12, lo, hi, fill)};
}

static inline float32x4_t pow2_4(float32x4_t p, float32x4_t n)
{
    int32x4_t e = vcvtnq_s32_f32(n), half = vshrq_n_s32(e, 1), one = vdupq_n_s32(127);
    int32x4_t x = vshlq_n_s32(vaddq_s32(half, one), 23);
    int32x4_t y = vshlq_n_s32(vaddq_s32(vsubq_s32(e, half), one), 23);
    return vmulq_f32(vmulq_f32(p, vreinterpretq_f32_s32(x)), vreinterpretq_f32_s32(y));
}
static inline v16 v_pow2(v16 p, v16 n)
{
    LANES_ALL(LANES_2, pow2_4, p, n);
}

static inline float v_sum(v16 x)
{
    float32x4_t s = vaddq_f32(vaddq_f32(x.a, x.c), vaddq_f32(x.b, x.d));
    return vpadds_f32(vadd_f32(vget_low_f32(s), vget_high_f32(s)));
}
static inline float v_hmax(v16 x)
{
    float32x4_t m = max_4(max_4(x.a, x.c), max_4(x.b, x.d));
    m = max_4(m, vextq_f32(m, m, 2));
    m = max_4(m, vextq_f32(m, m, 1));
    return vgetq_lane_f32(m, 0);
}
static inline float v_first(v16 x)
{
    return vgetq_lane_f32(x.a, 0);
}

static inline v16 v_load(const float *p)
{
    return (v16){vld1q_f32(p), vld1q_f32(p + 4), vld1q_f32(p + 8), vld1q_f32(p + 12)};
}
static inline void v_store(float *p, v16 x)
{
    vst1q_f32(p, x.a), vst1q_f32(p + 4, x.b);
    vst1q_f32(p + 8, x.c), vst1q_f32(p + 12, x.d);
}
/* There are no masked loads: a tail goes through memory. */
static inline v16 v_load_n(const float *p, size_t n)
{
    if (n >= 16) return v_load(p);
    float buf[16] = {0};
    memcpy(buf, p, n * sizeof *p);
    return v_load(buf);
}
static inline void v_store_n(float *p, v16 x, size_t n)
{
    float buf[16];
    if (n >= 16) {
        v_store(p, x);
        return;
    }
    v_store(buf, x);
    memcpy(p, buf, n * sizeof *p);
}
static inline void v_load2(const float *p, v16 *even, v16 *odd)
{
    float32x4x2_t a = vld2q_f32(p), b = vld2q_f32(p + 8), c = vld2q_f32(p + 16),
                  d = vld2q_f32(p + 24);
    *even = (v16){a.val[0], b.val[0], c.val[0], d.val[0]};
    *odd = (v16){a.val[1], b.val[1], c.val[1], d.val[1]};
}
static inline void v_store2(float *p, v16 even, v16 odd)
{
    vst2q_f32(p, ((float32x4x2_t){{even.a, odd.a}}));
    vst2q_f32(p + 8, ((float32x4x2_t){{even.b, odd.b}}));
    vst2q_f32(p + 16, ((float32x4x2_t){{even.c, odd.c}}));
    vst2q_f32(p + 24, ((float32x4x2_t){{even.d, odd.d}}));
}

static inline v16 v_load_f16(const uint16_t *p)
{
    uint16x8_t x = vld1q_u16(p), y = vld1q_u16(p + 8);
    return (v16){vcvt_f32_f16(vreinterpret_f16_u16(vget_low_u16(x))),
                 vcvt_f32_f16(vreinterpret_f16_u16(vget_high_u16(x))),
                 vcvt_f32_f16(vreinterpret_f16_u16(vget_low_u16(y))),
                 vcvt_f32_f16(vreinterpret_f16_u16(vget_high_u16(y)))};
}
static inline v16 v_load_bf16(const uint16_t *p)
{
    uint16x8_t x = vld1q_u16(p), y = vld1q_u16(p + 8);
    return (v16){vreinterpretq_f32_u32(vshll_n_u16(vget_low_u16(x), 16)),
                 vreinterpretq_f32_u32(vshll_n_u16(vget_high_u16(x), 16)),
                 vreinterpretq_f32_u32(vshll_n_u16(vget_low_u16(y), 16)),
                 vreinterpretq_f32_u32(vshll_n_u16(vget_high_u16(y), 16))};
}
static inline v16 v_load_s8(const int8_t *p)
{
    int8x16_t v = vld1q_s8(p);
    int16x8_t x = vmovl_s8(vget_low_s8(v)), y = vmovl_s8(vget_high_s8(v));
    return (v16){
        vcvtq_f32_s32(vmovl_s16(vget_low_s16(x))), vcvtq_f32_s32(vmovl_s16(vget_high_s16(x))),
        vcvtq_f32_s32(vmovl_s16(vget_low_s16(y))), vcvtq_f32_s32(vmovl_s16(vget_high_s16(y)))};
}
static inline uint16x8_t to_f16_8(float32x4_t x, float32x4_t y)
{
    return vcombine_u16(vreinterpret_u16_f16(vcvt_f16_f32(x)),
                        vreinterpret_u16_f16(vcvt_f16_f32(y)));
}
static inline void v_store_f16(uint16_t *p, v16 x)
{
    vst1q_u16(p, to_f16_8(x.a, x.b));
    vst1q_u16(p + 8, to_f16_8(x.c, x.d));
}
static inline uint16x4_t to_bf16_4(float32x4_t x)
{
    uint32x4_t u = vreinterpretq_u32_f32(x), odd = vandq_u32(vshrq_n_u32(u, 16), vdupq_n_u32(1));
    uint32x4_t rounded = vaddq_u32(vaddq_u32(u, vdupq_n_u32(0x7fff)), odd);
    uint32x4_t nan = vorrq_u32(u, vdupq_n_u32(0x400000)); /* quiet, and not rounded away */
    return vshrn_n_u32(vbslq_u32(vceqq_f32(x, x), rounded, nan), 16);
}
static inline void v_store_bf16(uint16_t *p, v16 x)
{
    vst1q_u16(p, vcombine_u16(to_bf16_4(x.a), to_bf16_4(x.b)));
    vst1q_u16(p + 8, vcombine_u16(to_bf16_4(x.c), to_bf16_4(x.d)));
}
/* The conversion gives 0 for NaN. */
static inline int16x8_t to_s16_8(float32x4_t x, float32x4_t y)
{
    return vcombine_s16(vmovn_s32(vcvtnq_s32_f32(x)), vmovn_s32(vcvtnq_s32_f32(y)));
}
static inline void v_store_s8(int8_t *p, v16 x)
{
    vst1q_s8(p, vcombine_s8(vmovn_s16(to_s16_8(x.a, x.b)), vmovn_s16(to_s16_8(x.c, x.d))));
}

#endif
