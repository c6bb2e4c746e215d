/* half.c - 16-bit floats and the power-of-two scales of MXFP4, as integers and back, bit for bit
 * what the processors' own conversions give (round to nearest even; a signalling NaN becomes quiet
 * and keeps its payload).
 * Depends on quant/quant.h. */
#include "quant/quant.h"

#include <string.h>

static float float_of(uint32_t u)
{
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

static uint32_t bits_of(float f)
{
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    return u;
}

float ingle_f16_to_f32(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16;
    uint32_t exponent = h >> 10 & 31;
    uint32_t fraction = h & 0x3ff;
    if (exponent == 31)
        return float_of(sign | 0x7f800000 | fraction << 13 | (fraction ? 1u << 22 : 0));
    if (exponent) return float_of(sign | (exponent + 112) << 23 | fraction << 13);
    float f = (float)fraction * 0x1p-24f; /* zero and subnormals: exact */
    return float_of(sign | bits_of(f));
}

uint16_t ingle_f32_to_f16(float f)
{
    uint32_t u = bits_of(f);
    uint16_t sign = (uint16_t)(u >> 16 & 0x8000);
    u &= 0x7fffffff;
    if (u > 0x7f800000) return (uint16_t)(sign | 0x7e00 | (u >> 13 & 0x3ff)); /* NaN */
    if (u >= 0x477ff000) return sign | 0x7c00; /* rounds to infinity */
    if (u <
        0x38800000) { /* subnormal: adding 0.5 leaves the 24th bit below the point as the last */
        uint32_t rounded = bits_of(float_of(u) + 0.5f);
        return (uint16_t)(sign | (rounded - 0x3f000000));
    }
    u += 0xfff + (u >> 13 & 1); /* half of the last bit, less one if the last bit is even */
    return (uint16_t)(sign | ((u >> 13) - (112u << 10)));
}

uint16_t ingle_f32_to_bf16(float f)
{
    uint32_t u = bits_of(f);
    if ((u & 0x7fffffff) > 0x7f800000) return (uint16_t)(u >> 16 | 64);
    return (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16);
}

float ingle_e8m0_half(uint8_t e)
{
    return float_of(e < 2 ? 0x00200000u << e : (uint32_t)(e - 1) << 23);
}

float ingle_e4m3_half(uint8_t e)
{
    if (e == 0x7f) return 0;
    uint32_t bits = e & 0x7f;
    return bits < 8 ? (float)bits * 0x1p-10f : float_of((bits + (119 << 3)) << 20);
}
