/* lanes_avx512.h - the vocabulary of lanes_ref.h in one 512-bit register (AVX-512 F, BW, DQ, VL).
 * Included only by translation units compiled for that level. */
#ifndef INGLE_KERN_LANES_AVX512_H
#define INGLE_KERN_LANES_AVX512_H

#include <immintrin.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

typedef __m512 v16;

/* 24 accumulators of 32 registers: two vectors for many rows, four when there are few. */
#define TILE_ROWS       12
#define TILE_NEAR_ROWS  6 /* 10 loads for 24 products: twelve rows of two vectors take 14 */
#define TILE_VECS(rows) ((rows) > 6 ? 2 : 4)
#define TILE_LIST(X)                                                                               \
    X(1, 1)                                                                                        \
    X(1, 2)                                                                                        \
    X(1, 4)                                                                                        \
    X(2, 1)                                                                                        \
    X(2, 2)                                                                                        \
    X(2, 4)                                                                                        \
    X(3, 1)                                                                                        \
    X(3, 2)                                                                                        \
    X(3, 4)                                                                                        \
    X(4, 1)                                                                                        \
    X(4, 2)                                                                                        \
    X(4, 4)                                                                                        \
    X(5, 1)                                                                                        \
    X(5, 2)                                                                                        \
    X(5, 4)                                                                                        \
    X(6, 1)                                                                                        \
    X(6, 2)                                                                                        \
    X(6, 4)                                                                                        \
    X(7, 1)                                                                                        \
    X(7, 2)                                                                                        \
    X(8, 1)                                                                                        \
    X(8, 2)                                                                                        \
    X(9, 1)                                                                                        \
    X(9, 2)                                                                                        \
    X(10, 1)                                                                                       \
    X(10, 2)                                                                                       \
    X(11, 1)                                                                                       \
    X(11, 2)                                                                                       \
    X(12, 1)                                                                                       \
    X(12, 2)

static inline v16 v_set(float x)
{
    return _mm512_set1_ps(x);
}
static inline v16 v_add(v16 a, v16 b)
{
    return _mm512_add_ps(a, b);
}
static inline v16 v_sub(v16 a, v16 b)
{
    return _mm512_sub_ps(a, b);
}
static inline v16 v_mul(v16 a, v16 b)
{
    return _mm512_mul_ps(a, b);
}
static inline v16 v_div(v16 a, v16 b)
{
    return _mm512_div_ps(a, b);
}
static inline v16 v_fma(v16 a, v16 b, v16 c)
{
    return _mm512_fmadd_ps(a, b, c);
}
static inline v16 v_max(v16 a, v16 b)
{
    return _mm512_max_ps(a, b);
}
static inline v16 v_min(v16 a, v16 b)
{
    return _mm512_min_ps(a, b);
}
static inline v16 v_pick_lt(v16 a, v16 b, v16 x, v16 y)
{
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), y, x);
}
static inline v16 v_abs(v16 a)
{
    return _mm512_andnot_ps(_mm512_set1_ps(-0.0f), a);
}
static inline v16 v_copysign(v16 a, v16 s)
{
    v16 sign = _mm512_set1_ps(-0.0f);
    return _mm512_or_ps(_mm512_andnot_ps(sign, a), _mm512_and_ps(sign, s));
}

/* Lanes 0 .. n - 1 (none if n <= 0, all if n >= 16). */
static inline __mmask16 v_first_lanes(int n)
{
    return (__mmask16)(n >= 16 ? 0xffff : n <= 0 ? 0 : (1u << n) - 1);
}
static inline v16 v_keep(v16 a, int lo, int hi, float fill)
{
    __mmask16 in = v_first_lanes(hi) & (__mmask16)~v_first_lanes(lo);
    return _mm512_mask_blend_ps(in, _mm512_set1_ps(fill), a);
}

/* vscalefps rounds once, as the two exact steps of the others do. */
static inline v16 v_pow2(v16 p, v16 n)
{
    return _mm512_scalef_ps(p, n);
}

static inline float v_sum(v16 a)
{
    __m256 b = _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
    __m128 c = _mm_add_ps(_mm256_castps256_ps128(b), _mm256_extractf128_ps(b, 1));
    c = _mm_add_ps(c, _mm_movehl_ps(c, c));
    return _mm_cvtss_f32(_mm_add_ss(c, _mm_movehdup_ps(c)));
}
static inline float v_hmax(v16 a)
{
    __m256 b = _mm256_max_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
    __m128 c = _mm_max_ps(_mm256_castps256_ps128(b), _mm256_extractf128_ps(b, 1));
    c = _mm_max_ps(c, _mm_movehl_ps(c, c));
    return _mm_cvtss_f32(_mm_max_ss(c, _mm_movehdup_ps(c)));
}
static inline float v_first(v16 a)
{
    return _mm512_cvtss_f32(a);
}

static inline v16 v_load(const float *p)
{
    return _mm512_loadu_ps(p);
}
static inline void v_store(float *p, v16 a)
{
    _mm512_storeu_ps(p, a);
}
static inline v16 v_load_n(const float *p, size_t n)
{
    if (n >= 16) return _mm512_loadu_ps(p);
    return _mm512_maskz_loadu_ps(v_first_lanes((int)n), p);
}
static inline void v_store_n(float *p, v16 a, size_t n)
{
    if (n >= 16) _mm512_storeu_ps(p, a);
    else _mm512_mask_storeu_ps(p, v_first_lanes((int)n), a);
}
static inline void v_load2(const float *p, v16 *even, v16 *odd)
{
    const __m512i e = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    const __m512i o = _mm512_setr_epi32(1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
    v16 a = _mm512_loadu_ps(p), b = _mm512_loadu_ps(p + 16);
    *even = _mm512_permutex2var_ps(a, e, b);
    *odd = _mm512_permutex2var_ps(a, o, b);
}
static inline void v_store2(float *p, v16 even, v16 odd)
{
    const __m512i lo = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    const __m512i hi =
        _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    _mm512_storeu_ps(p, _mm512_permutex2var_ps(even, lo, odd));
    _mm512_storeu_ps(p + 16, _mm512_permutex2var_ps(even, hi, odd));
}

static inline v16 v_load_f16(const uint16_t *p)
{
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p));
}
static inline v16 v_load_bf16(const uint16_t *p)
{
    __m512i x = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)p));
    return _mm512_castsi512_ps(_mm512_slli_epi32(x, 16));
}
static inline v16 v_load_s8(const int8_t *p)
{
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)p)));
}
static inline void v_store_f16(uint16_t *p, v16 a)
{
    _mm256_storeu_si256((__m256i *)p,
                        _mm512_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
static inline void v_store_bf16(uint16_t *p, v16 a)
{
    __m512i u = _mm512_castps_si512(a),
            odd = _mm512_and_si512(_mm512_srli_epi32(u, 16), _mm512_set1_epi32(1));
    __m512i r = _mm512_add_epi32(_mm512_add_epi32(u, _mm512_set1_epi32(0x7fff)), odd);
    __m512i nan = _mm512_or_si512(u, _mm512_set1_epi32(0x400000)); /* quiet, and not rounded away */
    r = _mm512_mask_blend_epi32(_mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q), r, nan);
    _mm256_storeu_si256((__m256i *)p, _mm512_cvtepi32_epi16(_mm512_srli_epi32(r, 16)));
}
static inline void v_store_s8(int8_t *p, v16 a)
{
    __m512i i = _mm512_maskz_cvtps_epi32(_mm512_cmp_ps_mask(a, a, _CMP_ORD_Q), a);
    _mm_storeu_si128((__m128i *)p, _mm512_cvtepi32_epi8(i));
}

#endif
