/* vec_avx2.inc.h - the vector words of vec_avx512.h with 8 rows a vector.
 * Depends on AVX2, FMA, F16C.
 * Parameters:
 *
 *     VNNI  1: with 256-bit vpdpbusd, in the encoding of AVX-VNNI or of AVX-512; 0: without */
#ifndef VNNI
#error "define VNNI"
#endif

#include <immintrin.h>
#include <stdint.h>
#include <stdbool.h>
#include <string.h>

#include <ingle.h>

#define INLINE static inline __attribute__((always_inline))

#define VL 8  /* rows, or 32-bit lanes */
#define VB 32 /* bytes */
#if VNNI
#define WIDE_ZERO 128
#else
#define WIDE_ZERO 0 /* 8-bit weights stay signed: vi_dot_wide() */
#endif
typedef __m256i vi;
typedef __m256 vf;

/* Integers. vi_8 and vi_32 repeat a byte or a dword. */
INLINE vi vi_load(const void *p)
{
    return _mm256_loadu_si256(p);
}
INLINE void vi_store(void *p, vi v)
{
    _mm256_storeu_si256(p, v);
}
INLINE vi vi_zero(void)
{
    return _mm256_setzero_si256();
}
INLINE vi vi_8(int b)
{
    return _mm256_set1_epi8((char)b);
}
INLINE vi vi_32(int32_t d)
{
    return _mm256_set1_epi32(d);
}
INLINE vi vi_and(vi a, vi b)
{
    return _mm256_and_si256(a, b);
}
INLINE vi vi_or(vi a, vi b)
{
    return _mm256_or_si256(a, b);
}
INLINE vi vi_xor(vi a, vi b)
{
    return _mm256_xor_si256(a, b);
}
INLINE vi vi_or_and(vi a, vi x, vi mask)
{
    return vi_or(a, vi_and(x, mask));
}
INLINE vi vi_sll(vi a, int n)
{
    return _mm256_slli_epi32(a, n);
}
INLINE vi vi_srl(vi a, int n)
{
    return _mm256_srli_epi32(a, n);
}
INLINE vi vi_sra(vi a, int n)
{
    return _mm256_srai_epi32(a, n);
}
INLINE vi vi_add(vi a, vi b)
{
    return _mm256_add_epi32(a, b);
}
INLINE vi vi_sub(vi a, vi b)
{
    return _mm256_sub_epi32(a, b);
}
INLINE vi vi_mul(vi a, vi b)
{
    return _mm256_mullo_epi32(a, b);
}
INLINE vi vi_add8(vi a, vi b)
{
    return _mm256_add_epi8(a, b);
}
INLINE vi vi_sub8(vi a, vi b)
{
    return _mm256_sub_epi8(a, b);
}
INLINE vi vi_add16(vi a, vi b)
{
    return _mm256_add_epi16(a, b);
}
/* Byte i of every 16-byte lane of table at the low 4 bits of index. */
INLINE vi vi_lookup(vi table, vi index)
{
    return _mm256_shuffle_epi8(table, index);
}
/* 16 bytes in every 16-byte lane. */
INLINE vi vi_lanes(const void *p16)
{
    return _mm256_broadcastsi128_si256(_mm_loadu_si128(p16));
}
/* 0x10 in every byte where a & bits is not 0; bits has one bit a byte. */
INLINE vi vi_test16(vi a, vi bits)
{
    return vi_and(_mm256_cmpeq_epi8(vi_and(a, bits), bits), vi_8(16));
}
/* Minus a where signs & bits is not 0; bits has one bit a byte. */
INLINE vi vi_minus(vi a, vi signs, vi bits)
{
    vi minus = _mm256_cmpeq_epi8(vi_and(signs, bits), bits);
    return vi_sub8(vi_xor(a, minus), minus);
}
/* b where bits & bit, else a; of every byte. */
INLINE vi vi_pick(vi a, vi b, vi bits, int bit)
{
    vi v = vi_8(bit);
    return _mm256_blendv_epi8(a, b, _mm256_cmpeq_epi8(vi_and(bits, v), v));
}
/* Rounded up. */
INLINE vi vi_avg8(vi a, vi b)
{
    return _mm256_avg_epu8(a, b);
}
/* Loads one by one take 3 ns where vpgatherdd takes 8 (Ice Lake), more since what Downfall costs. */
INLINE vi vi_gather(const uint32_t *table, vi index)
{
    uint32_t i[VL], v[VL];
    vi_store(i, index);
    for (int k = 0; k < VL; k++) v[k] = table[i[k]];
    return _mm256_setr_epi32((int)v[0], (int)v[1], (int)v[2], (int)v[3], (int)v[4], (int)v[5],
                             (int)v[6], (int)v[7]);
}
/* VL narrow integers to dwords, and back. */
INLINE vi vi_load_s8(const void *p)
{
    return _mm256_cvtepi8_epi32(_mm_loadl_epi64(p));
}
INLINE vi vi_load_u8(const void *p)
{
    return _mm256_cvtepu8_epi32(_mm_loadl_epi64(p));
}
INLINE vi vi_load_s16(const void *p)
{
    return _mm256_cvtepi16_epi32(_mm_loadu_si128(p));
}
INLINE vi vi_load_u16(const void *p)
{
    return _mm256_cvtepu16_epi32(_mm_loadu_si128(p));
}
/* Of numbers that fit. */
INLINE void vi_store_s8(int8_t *p, vi v)
{
    __m128i s = _mm_packs_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    _mm_storel_epi64((__m128i *)p, _mm_packs_epi16(s, s));
}
INLINE vi vi_max(vi a, vi b)
{
    return _mm256_max_epi32(a, b);
}
INLINE __m256i vi_fold_max(vi v)
{
    return v;
}
/* x < bound ? a : b */
INLINE vi vi_select_small(vi x, int bound, vi a, vi b)
{
    return _mm256_blendv_epi8(b, a, _mm256_cmpgt_epi32(vi_32(bound), x));
}
/* All bits where a != b. */
INLINE vi vi_differ(vi a, vi b)
{
    return vi_xor(_mm256_cmpeq_epi32(a, b), vi_32(-1));
}
INLINE vi vi_mul16(vi a, int by)
{
    return _mm256_mullo_epi16(a, _mm256_set1_epi16((short)by));
}
/* s16 pairs of a times those of b. */
INLINE vi vi_madd16(vi a, vi b)
{
    return _mm256_madd_epi16(a, b);
}
INLINE vi vi_dot16(vi acc, vi a, vi b)
{
    return vi_add(acc, vi_madd16(a, b));
}
#if VNNI
INLINE vi vi_dot(vi acc, vi w, vi y)
{
#ifdef __AVXVNNI__
    return _mm256_dpbusd_avx_epi32(acc, w, y);
#else
    return _mm256_dpbusd_epi32(acc, w, y);
#endif
}
#define DOT_TAKES_BYTES true /* w up to 255 */
INLINE vi vi_dot_wide(vi acc, vi w, vi y)
{
    return vi_dot(acc, w, y);
}
/* Sums are multiplied as they are. */
INLINE vi vi_narrow(vi scale)
{
    return scale;
}
#define PAIR_FACTOR(type) 0
#else
/* Unsigned w, at most 128, times signed y: neighbours added, 4 sums of 2 a qword. */
INLINE vi vi_pairs(vi w, vi y)
{
    return _mm256_maddubs_epi16(w, y);
}
/* Signed w: |w| times y with the sign of w. No sum passes 2 * 128 * 127. */
INLINE vi vi_pairs_signed(vi magnitude, vi w, vi y)
{
    return _mm256_maddubs_epi16(magnitude, _mm256_sign_epi8(y, w));
}
INLINE vi vi_abs8(vi w)
{
    return _mm256_abs_epi8(w);
}
INLINE vi vi_dot(vi acc, vi w, vi y)
{
    return vi_dot16(acc, vi_pairs(w, y), _mm256_set1_epi16(1));
}
#define DOT_TAKES_BYTES false
INLINE vi vi_dot_wide(vi acc, vi w, vi y)
{
    return vi_dot16(acc, vi_pairs_signed(vi_abs8(w), w, y), _mm256_set1_epi16(1));
}
/* What pairs of 16-bit sums are multiplied with: the scale twice. */
INLINE vi vi_narrow(vi scale)
{
    return vi_or(vi_and(scale, vi_32(0xffff)), vi_sll(scale, 16));
}
#define PAIR_FACTOR(type)                                                                          \
    ((type) == INGLE_TYPE_Q3_K                                  ? -4                               \
     : (type) == INGLE_TYPE_Q6_K                                ? -32                              \
     : (type) == INGLE_TYPE_TQ1_0 || (type) == INGLE_TYPE_TQ2_0 ? -1                               \
                                                                : 0)
#endif
/* Scales are not multiplied into weights here: 7 bits would be left of 8. */
#define FOLDS(type) false
typedef struct fold {
    vi none;
} fold;
INLINE fold fold_of(ingle_type type, const int8_t *scale)
{
    (void)type, (void)scale;
    return (fold){vi_zero()};
}
INLINE vi fold_in(ingle_type type, fold f, vi w)
{
    (void)type, (void)f;
    return w;
}
/* One dword of memory in all lanes. */
INLINE vi vi_repeat(const void *p)
{
    int32_t d;
    memcpy(&d, p, sizeof d);
    return _mm256_set1_epi32(d);
}

/* Floats. */
INLINE vf vf_load(const float *p)
{
    return _mm256_loadu_ps(p);
}
INLINE void vf_store(float *p, vf v)
{
    _mm256_storeu_ps(p, v);
}
INLINE vi first_lanes(size_t n)
{
    return _mm256_cmpgt_epi32(vi_32((int32_t)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
INLINE void vf_store_n(float *p, vf v, size_t n)
{
    _mm256_maskstore_ps(p, first_lanes(n), v);
}
INLINE vf vf_load_n(const float *p, size_t n)
{
    return _mm256_maskload_ps(p, first_lanes(n));
}
INLINE vf vf_zero(void)
{
    return _mm256_setzero_ps();
}
INLINE vf vf_1(float x)
{
    return _mm256_set1_ps(x);
}
INLINE vf vf_load_f16(const void *p)
{
    return _mm256_cvtph_ps(_mm_loadu_si128(p));
}
/* The low words of dwords, whose high ones are 0. */
INLINE vf vf_f16(vi v)
{
    return _mm256_cvtph_ps(
        _mm_packus_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1)));
}
INLINE vf vf_bits(vi v)
{
    return _mm256_castsi256_ps(v);
}
INLINE vi vi_bits(vf v)
{
    return _mm256_castps_si256(v);
}
INLINE vf vf_int(vi v)
{
    return _mm256_cvtepi32_ps(v);
}
/* To the nearest integers, as VL bytes. */
INLINE void vf_store_s8(int8_t *p, vf v)
{
    vi_store_s8(p, _mm256_cvtps_epi32(v));
}
INLINE vf vf_add(vf a, vf b)
{
    return _mm256_add_ps(a, b);
}
INLINE vf vf_mul(vf a, vf b)
{
    return _mm256_mul_ps(a, b);
}
INLINE vf vf_fma(vf a, vf b, vf c)
{
    return _mm256_fmadd_ps(a, b, c);
}
INLINE vf vf_fnma(vf a, vf b, vf c)
{
    return _mm256_fnmadd_ps(a, b, c);
}
