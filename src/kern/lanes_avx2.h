/* lanes_avx2.h - the vocabulary of lanes_ref.h in two 256-bit registers (AVX2, FMA, F16C).
 * Included only by translation units compiled for that level. */
#ifndef INGLE_KERN_LANES_AVX2_H
#define INGLE_KERN_LANES_AVX2_H

#include <immintrin.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

typedef struct v16 {
    __m256 lo, hi;
} v16;

/* 12 accumulators of 16 registers. */
#define TILE_ROWS       6
#define TILE_VECS(rows) ((rows) > 3 ? 1 : 2)
#define TILE_LIST(X)    X(1, 1) X(1, 2) X(2, 1) X(2, 2) X(3, 1) X(3, 2) X(4, 1) X(5, 1) X(6, 1)

#define LANES_BOTH(expr_lo, expr_hi)                                                               \
    v16 r = {expr_lo, expr_hi};                                                                    \
    return r
#define LANES_OP2(op) LANES_BOTH(op(a.lo, b.lo), op(a.hi, b.hi))

static inline v16 v_set(float x)
{
    __m256 v = _mm256_set1_ps(x);
    LANES_BOTH(v, v);
}
static inline v16 v_add(v16 a, v16 b)
{
    LANES_OP2(_mm256_add_ps);
}
static inline v16 v_sub(v16 a, v16 b)
{
    LANES_OP2(_mm256_sub_ps);
}
static inline v16 v_mul(v16 a, v16 b)
{
    LANES_OP2(_mm256_mul_ps);
}
static inline v16 v_div(v16 a, v16 b)
{
    LANES_OP2(_mm256_div_ps);
}
static inline v16 v_max(v16 a, v16 b)
{
    LANES_OP2(_mm256_max_ps);
}
static inline v16 v_min(v16 a, v16 b)
{
    LANES_OP2(_mm256_min_ps);
}
static inline v16 v_fma(v16 a, v16 b, v16 c)
{
    LANES_BOTH(_mm256_fmadd_ps(a.lo, b.lo, c.lo), _mm256_fmadd_ps(a.hi, b.hi, c.hi));
}
static inline v16 v_pick_lt(v16 a, v16 b, v16 x, v16 y)
{
    LANES_BOTH(_mm256_blendv_ps(y.lo, x.lo, _mm256_cmp_ps(a.lo, b.lo, _CMP_LT_OQ)),
               _mm256_blendv_ps(y.hi, x.hi, _mm256_cmp_ps(a.hi, b.hi, _CMP_LT_OQ)));
}
static inline v16 v_abs(v16 a)
{
    __m256 sign = _mm256_set1_ps(-0.0f);
    LANES_BOTH(_mm256_andnot_ps(sign, a.lo), _mm256_andnot_ps(sign, a.hi));
}
static inline v16 v_copysign(v16 a, v16 s)
{
    __m256 sign = _mm256_set1_ps(-0.0f);
    LANES_BOTH(_mm256_or_ps(_mm256_andnot_ps(sign, a.lo), _mm256_and_ps(sign, s.lo)),
               _mm256_or_ps(_mm256_andnot_ps(sign, a.hi), _mm256_and_ps(sign, s.hi)));
}

/* Lanes from .. from + 7 whose number is below n: all bits set. */
static inline __m256i v_below(int from, int n)
{
    __m256i lane =
        _mm256_add_epi32(_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7), _mm256_set1_epi32(from));
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), lane);
}
static inline __m256 v_keep8(__m256 a, int from, int lo, int hi, float fill)
{
    __m256i in = _mm256_andnot_si256(v_below(from, lo), v_below(from, hi));
    return _mm256_blendv_ps(_mm256_set1_ps(fill), a, _mm256_castsi256_ps(in));
}
static inline v16 v_keep(v16 a, int lo, int hi, float fill)
{
    LANES_BOTH(v_keep8(a.lo, 0, lo, hi, fill), v_keep8(a.hi, 8, lo, hi, fill));
}

static inline __m256 v_pow2_8(__m256 p, __m256 n)
{
    __m256i e = _mm256_cvtps_epi32(n), half = _mm256_srai_epi32(e, 1), one = _mm256_set1_epi32(127);
    __m256i a = _mm256_slli_epi32(_mm256_add_epi32(half, one), 23);
    __m256i b = _mm256_slli_epi32(_mm256_add_epi32(_mm256_sub_epi32(e, half), one), 23);
    return _mm256_mul_ps(_mm256_mul_ps(p, _mm256_castsi256_ps(a)), _mm256_castsi256_ps(b));
}
static inline v16 v_pow2(v16 p, v16 n)
{
    LANES_BOTH(v_pow2_8(p.lo, n.lo), v_pow2_8(p.hi, n.hi));
}

static inline float v_sum(v16 a)
{
    __m256 b = _mm256_add_ps(a.lo, a.hi);
    __m128 c = _mm_add_ps(_mm256_castps256_ps128(b), _mm256_extractf128_ps(b, 1));
    c = _mm_add_ps(c, _mm_movehl_ps(c, c));
    return _mm_cvtss_f32(_mm_add_ss(c, _mm_movehdup_ps(c)));
}
static inline float v_hmax(v16 a)
{
    __m256 b = _mm256_max_ps(a.lo, a.hi);
    __m128 c = _mm_max_ps(_mm256_castps256_ps128(b), _mm256_extractf128_ps(b, 1));
    c = _mm_max_ps(c, _mm_movehl_ps(c, c));
    return _mm_cvtss_f32(_mm_max_ss(c, _mm_movehdup_ps(c)));
}
static inline float v_first(v16 a)
{
    return _mm256_cvtss_f32(a.lo);
}

static inline v16 v_load(const float *p)
{
    LANES_BOTH(_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8));
}
static inline void v_store(float *p, v16 a)
{
    _mm256_storeu_ps(p, a.lo);
    _mm256_storeu_ps(p + 8, a.hi);
}
/* Masked-out lanes do not fault. */
static inline v16 v_load_n(const float *p, size_t n)
{
    if (n >= 16) return v_load(p);
    LANES_BOTH(_mm256_maskload_ps(p, v_below(0, (int)n)),
               _mm256_maskload_ps(p + 8, v_below(8, (int)n)));
}
static inline void v_store_n(float *p, v16 a, size_t n)
{
    if (n >= 16) {
        v_store(p, a);
        return;
    }
    _mm256_maskstore_ps(p, v_below(0, (int)n), a.lo);
    _mm256_maskstore_ps(p + 8, v_below(8, (int)n), a.hi);
}

/* 8 pairs: shuffles pick within 128-bit halves, a permutation puts the quarters in order. */
static inline void v_load2_8(const float *p, __m256 *even, __m256 *odd)
{
    __m256 a = _mm256_loadu_ps(p), b = _mm256_loadu_ps(p + 8);
    __m256d e = _mm256_castps_pd(_mm256_shuffle_ps(a, b, 0x88)),
            o = _mm256_castps_pd(_mm256_shuffle_ps(a, b, 0xdd));
    *even = _mm256_castpd_ps(_mm256_permute4x64_pd(e, 0xd8));
    *odd = _mm256_castpd_ps(_mm256_permute4x64_pd(o, 0xd8));
}
static inline void v_store2_8(float *p, __m256 even, __m256 odd)
{
    __m256 a = _mm256_unpacklo_ps(even, odd), b = _mm256_unpackhi_ps(even, odd);
    _mm256_storeu_ps(p, _mm256_permute2f128_ps(a, b, 0x20));
    _mm256_storeu_ps(p + 8, _mm256_permute2f128_ps(a, b, 0x31));
}
static inline void v_load2(const float *p, v16 *even, v16 *odd)
{
    v_load2_8(p, &even->lo, &odd->lo);
    v_load2_8(p + 16, &even->hi, &odd->hi);
}
static inline void v_store2(float *p, v16 even, v16 odd)
{
    v_store2_8(p, even.lo, odd.lo);
    v_store2_8(p + 16, even.hi, odd.hi);
}

static inline v16 v_load_f16(const uint16_t *p)
{
    LANES_BOTH(_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p)),
               _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(p + 8))));
}
static inline __m256 v_load_bf16_8(const uint16_t *p)
{
    __m256i x = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)p));
    return _mm256_castsi256_ps(_mm256_slli_epi32(x, 16));
}
static inline v16 v_load_bf16(const uint16_t *p)
{
    LANES_BOTH(v_load_bf16_8(p), v_load_bf16_8(p + 8));
}
static inline v16 v_load_s8(const int8_t *p)
{
    __m128i x = _mm_loadu_si128((const __m128i *)p);
    LANES_BOTH(_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(x)),
               _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_srli_si128(x, 8))));
}
static inline void v_store_f16(uint16_t *p, v16 a)
{
    _mm_storeu_si128((__m128i *)p,
                     _mm256_cvtps_ph(a.lo, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
    _mm_storeu_si128((__m128i *)(p + 8),
                     _mm256_cvtps_ph(a.hi, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
/* 8 halves of 16 bits in the low ends of 32 */
static inline __m256i v_to_bf16_8(__m256 a)
{
    __m256i u = _mm256_castps_si256(a),
            odd = _mm256_and_si256(_mm256_srli_epi32(u, 16), _mm256_set1_epi32(1));
    __m256i r = _mm256_add_epi32(_mm256_add_epi32(u, _mm256_set1_epi32(0x7fff)), odd);
    __m256i nan = _mm256_or_si256(u, _mm256_set1_epi32(0x400000)); /* quiet, and not rounded away */
    r = _mm256_blendv_epi8(r, nan, _mm256_castps_si256(_mm256_cmp_ps(a, a, _CMP_UNORD_Q)));
    return _mm256_srli_epi32(r, 16);
}
static inline void v_store_bf16(uint16_t *p, v16 a)
{
    __m256i x = _mm256_packus_epi32(v_to_bf16_8(a.lo), v_to_bf16_8(a.hi));
    _mm256_storeu_si256((__m256i *)p, _mm256_permute4x64_epi64(x, 0xd8));
}
static inline __m256i v_to_s32_8(__m256 a)
{
    __m256i ordered = _mm256_castps_si256(_mm256_cmp_ps(a, a, _CMP_ORD_Q));
    return _mm256_and_si256(_mm256_cvtps_epi32(a), ordered);
}
static inline void v_store_s8(int8_t *p, v16 a)
{
    __m256i x =
        _mm256_permute4x64_epi64(_mm256_packs_epi32(v_to_s32_8(a.lo), v_to_s32_8(a.hi)), 0xd8);
    _mm_storeu_si128((__m128i *)p,
                     _mm_packs_epi16(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1)));
}

#endif
