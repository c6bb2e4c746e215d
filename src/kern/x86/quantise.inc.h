/* quantise.inc.h - rows of floats to int8 blocks, as quant.h defines them, and the sums that
 * products want.
 * Depends on kern/kern.h.
 * Parameters: the words of a vec_*.h, which is included first. */
#ifndef VL
#error "include a vec_*.h first"
#endif

#include "kern/kern.h"

#include <math.h>

/* Largest of 16 non-negative lanes (two vectors of 8, or one of 16). */
INLINE int32_t greatest(vi v)
{
    __m256i a = vi_fold_max(v);
    __m128i b = _mm_max_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
    b = _mm_max_epi32(b, _mm_shuffle_epi32(b, 0x4e));
    b = _mm_max_epi32(b, _mm_shuffle_epi32(b, 0xb1));
    return _mm_cvtsi128_si32(b);
}

/* Sum of 32 int8. */
INLINE int32_t sum_32(const int8_t *q)
{
    __m256i v = _mm256_xor_si256(_mm256_loadu_si256((const void *)q), _mm256_set1_epi8(-128));
    v = _mm256_sad_epu8(v, _mm256_setzero_si256());
    __m128i a = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    return _mm_cvtsi128_si32(a) + _mm_extract_epi32(a, 2) - 32 * 128;
}

/* n is 32 or 256; d: amax / 127, not rounded further. */
INLINE void quantise_block(const float *x, int n, int8_t *q, float *d)
{
    vi magnitude = vi_zero(), no_sign = vi_32(0x7fffffff);
#pragma GCC unroll 4
    for (int i = 0; i < n; i += VL) magnitude = vi_max(magnitude, vi_and(vi_load(x + i), no_sign));
    int32_t bits = greatest(magnitude);
    float amax;
    memcpy(&amax, &bits, sizeof amax);
    bool finite = bits < 0x7f800000; /* NaN and infinity have the largest bits of all */
    if (!finite || amax < INGLE_ACT_TINY) {
        *d = finite ? 0 : NAN;
        memset(q, 0, (size_t)n);
        return;
    }
    vf scale = vf_1(127.0f / amax);
#pragma GCC unroll 4
    for (int i = 0; i < n; i += VL) vf_store_s8(q + i, vf_mul(vf_load(x + i), scale));
    *d = amax / 127.0f;
}

/* Sums of 16 values and of their magnitudes are those of the two quarters of a 32-byte vector's
 * half. */
INLINE void sums_of_block(const int8_t *q, int16_t *of16, int16_t *of32, int16_t *loud)
{
    const __m256i bias = _mm256_set1_epi8(-128), zero = _mm256_setzero_si256();
    __m256i most = zero;
    for (int i = 0; i < 8; i++) {
        __m256i v = _mm256_loadu_si256((const void *)(q + 32 * i));
        __m256i s = _mm256_sad_epu8(_mm256_xor_si256(v, bias), zero);
        __m256i m = _mm256_sad_epu8(_mm256_abs_epi8(v), zero);
        s = _mm256_add_epi64(s, _mm256_shuffle_epi32(s, 0x4e));
        most = _mm256_max_epi32(most, _mm256_add_epi64(m, _mm256_shuffle_epi32(m, 0x4e)));
        int a = _mm256_cvtsi256_si32(s) - 16 * 128;
        int b = _mm_cvtsi128_si32(_mm256_extracti128_si256(s, 1)) - 16 * 128;
        of16[2 * i] = (int16_t)a, of16[2 * i + 1] = (int16_t)b;
        of32[i] = (int16_t)(a + b);
    }
    int a = _mm256_cvtsi256_si32(most), b = _mm_cvtsi128_si32(_mm256_extracti128_si256(most, 1));
    *loud = a > INGLE_QUIET || b > INGLE_QUIET;
}

/* Sums and rounded scales of a row of class B whose d are amax / 127 so far. A pass of its own,
 * in which a block's bytes, stored in parts, need not be waited for: nearly twice as fast. */
INLINE void finish_q32(const int8_t *q, size_t n_blocks, float *d, float *s, int32_t *sum)
{
    for (size_t b = 0; b < n_blocks; b++) {
        sum[b] = sum_32(q + 32 * b);
        s[b] = isnan(d[b]) ? d[b] : ingle_round11(d[b] * (float)sum[b]);
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
