/* quantise.h - rows of floats to int8 blocks, as quant.h defines them, and the sums the products
 * want. Depends on kern/kern.h, ARMv8.0. */
#ifndef INGLE_KERN_ARM64_QUANTISE_H
#define INGLE_KERN_ARM64_QUANTISE_H

#include "kern/kern.h"

#include <arm_neon.h>
#include <math.h>
#include <string.h>

/* To the nearest integers, ties to even. */
static inline int16x8_t scaled_8(const float *x, float32x4_t scale)
{
    int32x4_t a = vcvtnq_s32_f32(vmulq_f32(vld1q_f32(x), scale));
    int32x4_t b = vcvtnq_s32_f32(vmulq_f32(vld1q_f32(x + 4), scale));
    return vcombine_s16(vmovn_s32(a), vmovn_s32(b));
}

/* n is 32 or 256; d: amax / 127, not rounded further. */
static inline void quantise_block(const float *x, size_t n, int8_t *q, float *d)
{
    float32x4_t magnitude = vdupq_n_f32(0.0f);
    for (size_t i = 0; i < n; i += 4) magnitude = vmaxq_f32(magnitude, vabsq_f32(vld1q_f32(x + i)));
    float amax = vmaxvq_f32(magnitude); /* NaN if any is */
    bool finite = amax < INFINITY;
    if (!finite || amax < INGLE_ACT_TINY) {
        *d = finite ? 0 : NAN;
        memset(q, 0, n);
        return;
    }
    float32x4_t scale = vdupq_n_f32(127.0f / amax);
    for (size_t i = 0; i < n; i += 16)
        vst1q_s8(q + i, vcombine_s8(vmovn_s16(scaled_8(x + i, scale)),
                                    vmovn_s16(scaled_8(x + i + 8, scale))));
    *d = amax / 127.0f;
}

/* Sums of 16 and of 32 values, and whether the magnitudes of some 16 sum to more than QUIET. */
static inline void sums_of_block(const int8_t *q, int16_t *of16, int16_t *of32, int16_t *loud)
{
    unsigned most = 0;
    for (int i = 0; i < 16; i++) {
        int8x16_t v = vld1q_s8(q + 16 * i);
        unsigned magnitude = vaddlvq_u8(vreinterpretq_u8_s8(vabsq_s8(v)));
        most = magnitude > most ? magnitude : most;
        of16[i] = vaddlvq_s8(v);
    }
    for (int i = 0; i < 8; i++) of32[i] = (int16_t)(of16[2 * i] + of16[2 * i + 1]);
    *loud = most > INGLE_QUIET;
}

/* Sums and rounded scales of a row of class B whose d are amax / 127 so far. */
static inline void finish_q32(const int8_t *q, size_t n_blocks, float *d, float *s, int32_t *of32)
{
    for (size_t b = 0; b < n_blocks; b++) {
        of32[b] = vaddlvq_s8(vld1q_s8(q + 32 * b)) + vaddlvq_s8(vld1q_s8(q + 32 * b + 16));
        s[b] = isnan(d[b]) ? d[b] : ingle_round11(d[b] * (float)of32[b]);
        d[b] = isnan(d[b]) ? d[b] : ingle_round11(d[b]);
    }
}

static void quantise(const ingle_acts *a, size_t t, const float *x)
{
    int8_t *q = a->q + t * a->ld_q;
    float *d = a->d + t * a->ld_d;
    if (a->act == INGLE_ACT_Q32) {
        for (size_t b = 0; b < a->n_cols / 32; b++)
            quantise_block(x + 32 * b, 32, q + 32 * b, d + b);
        finish_q32(q, a->n_cols / 32, d, a->s + t * a->ld_d, a->sum32 + t * a->ld_s32);
    } else if (a->act == INGLE_ACT_Q256) {
        int16_t *of16 = a->sum16 + t * a->ld_s16, *of32 = of16 + a->n_cols / 16;
        int16_t *loud = of32 + a->n_cols / 32;
        for (size_t b = 0; b < a->n_cols / 256; b++) {
            quantise_block(x + 256 * b, 256, q + 256 * b, d + b);
            sums_of_block(q + 256 * b, of16 + 16 * b, of32 + 8 * b, loud + b);
        }
    }
}

#endif
