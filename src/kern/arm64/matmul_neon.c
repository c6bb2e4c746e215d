/* matmul_neon.c - products with quantised weights on any AArch64.
 * Depends on lines.inc.h, matmul.inc.h, gemv.inc.h (the tasks), weights.h (the types).
 *
 * Products of bytes are summed in 16 bits over all lines that share a scale: 8 lines of weights
 * below 32, 4 below 64, as long as 127 times them fits. Wide weights go on to 32 bits after every
 * second line: 2 * 128 * 127 fits, 3 do not. */
#include "kern/arm64/weights.h"

typedef const int8_t *quad; /* four bytes are repeated on the way from memory */
typedef struct sum {
    int16x8_t low, high; /* products of rows r, r + 1 and r + 2, r + 3: [row][4] */
    int32x4_t wide_low, wide_high, start;
} sum;

INLINE quad quad_of(const int8_t *y)
{
    return y;
}
INLINE sum sum_start(int32_t start)
{
    int16x8_t z = vdupq_n_s16(0);
    int32x4_t z32 = vdupq_n_s32(0);
    return (sum){z, z, z32, z32, vdupq_n_s32(start)};
}
INLINE sum sum_line(bool wide, sum s, int8x16_t w, quad q, int i)
{
    int32_t four;
    memcpy(&four, q + 4 * i, sizeof four);
    int8x16_t y = vreinterpretq_s8_s32(vdupq_n_s32(four));
    if (wide && i % 2 == 0) {
        s.low = vmull_s8(vget_low_s8(w), vget_low_s8(y));
        s.high = vmull_high_s8(w, y);
        return s;
    }
    s.low = vmlal_s8(s.low, vget_low_s8(w), vget_low_s8(y));
    s.high = vmlal_high_s8(s.high, w, y);
    if (wide) {
        s.wide_low = vpadalq_s16(s.wide_low, s.low);
        s.wide_high = vpadalq_s16(s.wide_high, s.high);
    }
    return s;
}
INLINE int32x4_t sum_total(bool wide, sum s)
{
    int32x4_t a = wide ? s.wide_low : vpaddlq_s16(s.low),
              b = wide ? s.wide_high : vpaddlq_s16(s.high);
    return vaddq_s32(s.start, vpaddq_s32(a, b));
}

#include "kern/arm64/lines.inc.h"
#include "kern/arm64/matmul.inc.h"
#include "kern/arm64/gemv.inc.h"

void ingle_kern_neon_matmul(ingle_kern *k)
{
    install_gemm(k);
    install_gemv(k);
}
