/* matmul_dotprod.c - products with quantised weights on ARMv8.2 with the dot product.
 * Depends on lines.inc.h, matmul.inc.h, gemv.inc.h (the tasks), weights.h (the types).
 *
 * One sdot multiplies four rows of a line with four bytes of a token, which it picks from a
 * register of 16: 8 loads of weights and 4 of tokens serve 32 of them. */
#include "kern/arm64/weights.h"

typedef int8x16_t quad;
typedef int32x4_t sum;

INLINE quad quad_of(const int8_t *y)
{
    return vld1q_s8(y);
}
INLINE sum sum_start(int32_t start)
{
    return vdupq_n_s32(start);
}
INLINE sum sum_line(bool wide, sum s, int8x16_t w, quad y, int i)
{
    (void)wide;
    switch (i) { /* a constant, once loops are unrolled */
    case 0: return vdotq_laneq_s32(s, w, y, 0);
    case 1: return vdotq_laneq_s32(s, w, y, 1);
    case 2: return vdotq_laneq_s32(s, w, y, 2);
    default: return vdotq_laneq_s32(s, w, y, 3);
    }
}
INLINE int32x4_t sum_total(bool wide, sum s)
{
    (void)wide;
    return s;
}

#include "kern/arm64/lines.inc.h"
#include "kern/arm64/matmul.inc.h"
#include "kern/arm64/gemv.inc.h"

static double peak_int8(size_t n)
{
    enum { CHAINS = 16 };
    int32x4_t acc[CHAINS];
    int8x16_t w = vdupq_n_s8(3), y = vdupq_n_s8(5);
#pragma GCC unroll 16
    for (int i = 0; i < CHAINS; i++) acc[i] = vdupq_n_s32(i);
    for (size_t k = 0; k < n; k++) {
#pragma GCC unroll 16
        for (int i = 0; i < CHAINS; i++) acc[i] = vdotq_s32(acc[i], w, y);
    }
#pragma GCC unroll 16
    for (int i = 0; i < CHAINS; i++) __asm__ volatile("" : : "w"(acc[i]));
    return 16.0 * CHAINS * (double)n;
}

void ingle_kern_dotprod_matmul(ingle_kern *k)
{
    install_gemm(k);
    install_gemv(k);
    k->peak_int8 = peak_int8;
}
