/* bf16_emulated.c - the kernels of AVX512BF16 with instructions of AVX-512 in place of its two, so
 * that test_bf16_dots can prove them on processors without. Compiled with flags of its own
 * (CMakeLists.txt). What the two do: Intel's manual of instructions, VDPBF16PS and
 * VCVTNE2PS2BF16. */
#if defined(__x86_64__)
#include <immintrin.h>

/* Two fused steps, the upper halves' first; to nearest even, subnormal inputs and results are zeros
 * whatever MXCSR says. In one block: compilers may move arithmetic past a write of MXCSR. */
static inline __m512 emulated_dot(__m512 sum, __m512bh a, __m512bh b)
{
    const unsigned zeros = 0x9fc0; /* flush to zero, denormals are zeros, nearest, no exceptions */
    const __m512i upper = _mm512_set1_epi32(-65536);
    unsigned old;
    __m512i a1 = _mm512_and_si512((__m512i)a, upper), a0 = _mm512_slli_epi32((__m512i)a, 16),
            b1 = _mm512_and_si512((__m512i)b, upper), b0 = _mm512_slli_epi32((__m512i)b, 16);
    __asm__("vstmxcsr %1\n\tvldmxcsr %2\n\tvfmadd231ps %4, %3, %0\n\tvfmadd231ps %6, %5, %0\n\t"
            "vldmxcsr %1"
            : "+v"(sum), "=&m"(old)
            : "m"(zeros), "v"(a1), "v"(b1), "v"(a0), "v"(b0));
    return sum;
}

static inline __m256i emulated_half(__m512 f)
{
    const __m512i exponent = _mm512_set1_epi32(0x7f800000);
    __m512i u = _mm512_castps_si512(f),
            odd = _mm512_and_si512(_mm512_srli_epi32(u, 16), _mm512_set1_epi32(1)),
            r = _mm512_add_epi32(_mm512_add_epi32(u, _mm512_set1_epi32(0x7fff)), odd);
    r = _mm512_mask_or_epi32(r, _mm512_cmp_ps_mask(f, f, _CMP_UNORD_Q), u,
                             _mm512_set1_epi32(0x400000));
    r = _mm512_mask_and_epi32(r, _mm512_testn_epi32_mask(u, exponent), u,
                              _mm512_set1_epi32((int)0x80000000));
    return _mm512_cvtepi32_epi16(_mm512_srli_epi32(r, 16));
}

static inline __m512bh emulated_round(__m512 high, __m512 low)
{
    return (__m512bh)_mm512_inserti64x4(_mm512_castsi256_si512(emulated_half(low)),
                                        emulated_half(high), 1);
}

#define _mm512_dpbf16_ps             emulated_dot
#define _mm512_cvtne2ps_pbh          emulated_round
#define ingle_kern_avx512bf16_matmul test_bf16_emulated
#include "kern/x86/bf16_avx512bf16.c"
#else
typedef int nothing_here;
#endif
