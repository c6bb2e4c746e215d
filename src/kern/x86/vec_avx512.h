/* vec_avx512.h - the vector words that the templates of this folder are written in: 16 rows a
 * vector.
 * Depends on AVX-512 F/BW/DQ/VL. vec_avx2.inc.h spells the same words for 8 rows. */
#ifndef INGLE_KERN_X86_VEC_AVX512_H
#define INGLE_KERN_X86_VEC_AVX512_H

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#include <ingle.h>

#define INLINE static inline __attribute__((always_inline))

#define VL        16  /* rows, or 32-bit lanes */
#define VB        64  /* bytes */
#define WIDE_ZERO 128 /* what 8-bit weights are offset by to become unsigned */
typedef __m512i vi;
typedef __m512 vf;

/* Integers. vi_8 and vi_32 repeat a byte or a dword. */
INLINE vi vi_load(const void *p)
{
    return _mm512_loadu_si512(p);
}
INLINE void vi_store(void *p, vi v)
{
    _mm512_storeu_si512(p, v);
}
INLINE vi vi_zero(void)
{
    return _mm512_setzero_si512();
}
INLINE vi vi_8(int b)
{
    return _mm512_set1_epi8((char)b);
}
INLINE vi vi_32(int32_t d)
{
    return _mm512_set1_epi32(d);
}
INLINE vi vi_and(vi a, vi b)
{
    return _mm512_and_si512(a, b);
}
INLINE vi vi_or(vi a, vi b)
{
    return _mm512_or_si512(a, b);
}
INLINE vi vi_xor(vi a, vi b)
{
    return _mm512_xor_si512(a, b);
}
INLINE vi vi_or_and(vi a, vi x, vi mask)
{
    return _mm512_ternarylogic_epi32(a, x, mask, 0xf8);
}
INLINE vi vi_sll(vi a, int n)
{
    return _mm512_slli_epi32(a, (unsigned)n);
}
INLINE vi vi_srl(vi a, int n)
{
    return _mm512_srli_epi32(a, (unsigned)n);
}
INLINE vi vi_sra(vi a, int n)
{
    return _mm512_srai_epi32(a, (unsigned)n);
}
INLINE vi vi_add(vi a, vi b)
{
    return _mm512_add_epi32(a, b);
}
INLINE vi vi_sub(vi a, vi b)
{
    return _mm512_sub_epi32(a, b);
}
INLINE vi vi_mul(vi a, vi b)
{
    return _mm512_mullo_epi32(a, b);
}
INLINE vi vi_add8(vi a, vi b)
{
    return _mm512_add_epi8(a, b);
}
INLINE vi vi_sub8(vi a, vi b)
{
    return _mm512_sub_epi8(a, b);
}
/* Byte i of every 16-byte lane of table at the low 4 bits of index. */
INLINE vi vi_lookup(vi table, vi index)
{
    return _mm512_shuffle_epi8(table, index);
}
/* 16 bytes in every 16-byte lane. */
INLINE vi vi_lanes(const void *p16)
{
    return _mm512_broadcast_i32x4(_mm_loadu_si128(p16));
}
/* 0x10 in every byte where a & bits is not 0. */
INLINE vi vi_test16(vi a, vi bits)
{
    return _mm512_maskz_mov_epi8(_mm512_test_epi8_mask(a, bits), vi_8(16));
}
/* Minus a where signs & bits is not 0. */
INLINE vi vi_minus(vi a, vi signs, vi bits)
{
    return _mm512_mask_sub_epi8(a, _mm512_test_epi8_mask(signs, bits), vi_zero(), a);
}
/* b where bits & bit, else a; of every byte. */
INLINE vi vi_pick(vi a, vi b, vi bits, int bit)
{
    return _mm512_mask_mov_epi8(a, _mm512_test_epi8_mask(bits, vi_8(bit)), b);
}
/* Rounded up. */
INLINE vi vi_avg8(vi a, vi b)
{
    return _mm512_avg_epu8(a, b);
}
INLINE vi vi_gather(const uint32_t *table, vi index)
{
    return _mm512_i32gather_epi32(index, table, 4);
}
/* VL narrow integers to dwords, and back. */
INLINE vi vi_load_s8(const void *p)
{
    return _mm512_cvtepi8_epi32(_mm_loadu_si128(p));
}
INLINE vi vi_load_u8(const void *p)
{
    return _mm512_cvtepu8_epi32(_mm_loadu_si128(p));
}
INLINE vi vi_load_s16(const void *p)
{
    return _mm512_cvtepi16_epi32(_mm256_loadu_si256(p));
}
INLINE vi vi_load_u16(const void *p)
{
    return _mm512_cvtepu16_epi32(_mm256_loadu_si256(p));
}
INLINE void vi_store_s8(int8_t *p, vi v)
{
    _mm_storeu_si128((__m128i *)p, _mm512_cvtepi32_epi8(v));
}
INLINE vi vi_max(vi a, vi b)
{
    return _mm512_max_epi32(a, b);
}
INLINE __m256i vi_fold_max(vi v)
{
    return _mm256_max_epi32(_mm512_castsi512_si256(v), _mm512_extracti64x4_epi64(v, 1));
}
/* x < bound ? a : b */
INLINE vi vi_select_small(vi x, int bound, vi a, vi b)
{
    return _mm512_mask_mov_epi32(b, _mm512_cmplt_epi32_mask(x, vi_32(bound)), a);
}
/* All bits where a != b. */
INLINE vi vi_differ(vi a, vi b)
{
    return _mm512_maskz_mov_epi32(_mm512_cmpneq_epi32_mask(a, b), vi_32(-1));
}
INLINE vi vi_mul16(vi a, int by)
{
    return _mm512_mullo_epi16(a, _mm512_set1_epi16((short)by));
}
/* acc + s16 pairs of a times those of b; in place, which gcc does not see by itself. */
INLINE vi vi_dot16(vi acc, vi a, vi b)
{
    __asm__("vpdpwssd %2, %1, %0" : "+v"(acc) : "v"(a), "v"(b));
    return acc;
}
/* acc + unsigned w times signed y, four bytes a lane; `wide`: w is a weight with zero WIDE_ZERO. */
INLINE vi vi_dot(vi acc, vi w, vi y)
{
    return _mm512_dpbusd_epi32(acc, w, y);
}
#define DOT_TAKES_BYTES true /* w up to 255 */
INLINE vi vi_dot_wide(vi acc, vi w, vi y)
{
    return vi_dot(acc, w, y);
}
/* What a dword sum is multiplied with by vpdpwssd: the scale below a zero. */
INLINE vi vi_narrow(vi scale)
{
    return vi_and(scale, vi_32(0xffff));
}
#define PAIR_FACTOR(type) ((type) == INGLE_TYPE_Q5_K ? 16 : 0)

/* Scales multiplied into the weights, where the product fits a byte: Q2_K w * scale; Q3_K (w - 4) *
 * scale + 127. As a table of 4 products for every row, and for Q3_K a second one for weights that
 * have their high bit. Types whose scales are 1 have nothing to multiply. */
#define SCALES_ARE_1(type) ((type) == INGLE_TYPE_TQ1_0 || (type) == INGLE_TYPE_TQ2_0)
#define FOLDS(type)        ((type) == INGLE_TYPE_Q2_K || (type) == INGLE_TYPE_Q3_K || SCALES_ARE_1(type))
typedef struct fold {
    vi low, high;
} fold;
INLINE fold fold_of(ingle_type type, const int8_t *scale)
{
    if (SCALES_ARE_1(type)) return (fold){vi_zero(), vi_zero()};
    vi s = vi_mul(vi_load_u8(scale), vi_32(0x01010101)), s2 = vi_add8(s, s);
    vi high =
        vi_add8(vi_and(s, vi_32((int32_t)0xff00ff00)), vi_and(s2, vi_32((int32_t)0xffff0000)));
    if (type == INGLE_TYPE_Q2_K) return (fold){high, high};
    high = vi_add8(high, vi_8(127));
    return (fold){vi_sub8(high, vi_add8(s2, s2)), high};
}
INLINE vi fold_in(ingle_type type, fold f, vi w)
{
    if (SCALES_ARE_1(type)) return w;
    vi row = vi_lanes(((const uint8_t[16]){0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12}));
    vi index = vi_or_and(row, w, vi_8(3));
    if (type == INGLE_TYPE_Q2_K) return vi_lookup(f.low, index);
    __mmask64 high = _mm512_test_epi8_mask(w, vi_8(4));
    return _mm512_mask_shuffle_epi8(vi_lookup(f.low, index), high, f.high, index);
}
/* One dword of memory in all lanes. */
INLINE vi vi_repeat(const void *p)
{
    int32_t d;
    memcpy(&d, p, sizeof d);
    return _mm512_set1_epi32(d);
}

/* Floats. */
INLINE vf vf_load(const float *p)
{
    return _mm512_loadu_ps(p);
}
INLINE void vf_store(float *p, vf v)
{
    _mm512_storeu_ps(p, v);
}
INLINE void vf_store_n(float *p, vf v, size_t n)
{
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), v);
}
INLINE vf vf_load_n(const float *p, size_t n)
{
    return _mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p);
}
INLINE vf vf_zero(void)
{
    return _mm512_setzero_ps();
}
INLINE vf vf_1(float x)
{
    return _mm512_set1_ps(x);
}
INLINE vf vf_load_f16(const void *p)
{
    return _mm512_cvtph_ps(_mm256_loadu_si256(p));
}
/* The low words of dwords. */
INLINE vf vf_f16(vi v)
{
    return _mm512_cvtph_ps(_mm512_cvtepi32_epi16(v));
}
INLINE vf vf_bits(vi v)
{
    return _mm512_castsi512_ps(v);
}
INLINE vi vi_bits(vf v)
{
    return _mm512_castps_si512(v);
}
INLINE vf vf_int(vi v)
{
    return _mm512_cvtepi32_ps(v);
}
/* To the nearest integers, as VL bytes. */
INLINE void vf_store_s8(int8_t *p, vf v)
{
    vi_store_s8(p, _mm512_cvtps_epi32(v));
}
INLINE vf vf_add(vf a, vf b)
{
    return _mm512_add_ps(a, b);
}
INLINE vf vf_mul(vf a, vf b)
{
    return _mm512_mul_ps(a, b);
}
INLINE vf vf_fma(vf a, vf b, vf c)
{
    return _mm512_fmadd_ps(a, b, c);
}
INLINE vf vf_fnma(vf a, vf b, vf c)
{
    return _mm512_fnmadd_ps(a, b, c);
}

#endif
