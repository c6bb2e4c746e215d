/* matmul_i8mm.c - products of many tokens with quantised weights on ARMv8.2 with int8 matrices.
 * Depends on matmul.inc.h (the tasks), weights.h (the types).
 *
 * One smmla multiplies 2 rows with 2 tokens over 8 k: twice a dot product's work. A packed line has
 * only 4 k of a row, but weights are unpacked into a step anyway, and two zips there put the 8 k of
 * a row side by side, once for all tokens; pairs of tokens are zipped once per tile. Few tokens
 * would have to zip for themselves, and half of the work would be thrown away for one: gemv stays
 * DOTPROD's. */
#include "kern/arm64/weights.h"

#define V_ROWS   2
#define V_TOKENS 2 /* a vector: [token][row] */

#define TILES_MORE(name, NAME)
#define TILES_MORE_NAMES(name)

typedef int32x4_t sum;

INLINE sum sum_start(int32_t start)
{
    return vdupq_n_s32(start);
}
INLINE int32x4_t sum_total(bool wide, sum s)
{
    (void)wide;
    return s;
}

/* Two lines become [row][8]. */
INLINE void put_lines(int8_t *w, size_t row, int8x16_t a, int8x16_t b)
{
    int32x4_t x = vreinterpretq_s32_s8(a), y = vreinterpretq_s32_s8(b);
    vst1q_s8(w + row * 8, vreinterpretq_s8_s32(vzip1q_s32(x, y)));
    vst1q_s8(w + row * 8 + 16, vreinterpretq_s8_s32(vzip2q_s32(x, y)));
}

/* Two tokens become [k / 8][token][8]. */
INLINE const int8_t *token_bytes(const int8_t *const q[2], size_t n, int8_t *bytes)
{
    for (size_t k = 0; k < n; k += 16) {
        int64x2_t x = vreinterpretq_s64_s8(vld1q_s8(q[0] + k)),
                  y = vreinterpretq_s64_s8(vld1q_s8(q[1] + k));
        vst1q_s8(bytes + 2 * k, vreinterpretq_s8_s64(vzip1q_s64(x, y)));
        vst1q_s8(bytes + 2 * k + 16, vreinterpretq_s8_s64(vzip2q_s64(x, y)));
    }
    return bytes;
}

INLINE int32x4_t spread_rows(const int32_t *p)
{
    int32x2_t v = vld1_s32(p);
    return vcombine_s32(v, v);
}
INLINE float32x4_t spread_rows_f(const float *p)
{
    float32x2_t v = vld1_f32(p);
    return vcombine_f32(v, v);
}
INLINE float32x4_t spread_tokens(const float *const p[2], size_t i)
{
    return vcombine_f32(vld1_dup_f32(p[0] + i), vld1_dup_f32(p[1] + i));
}

/* Rows r .. r + 3 of token t of c. */
INLINE float32x4_t result(const float *c, size_t t, size_t r, size_t ld)
{
    const float *p = c + t / 2 * 2 * ld + 2 * r + t % 2 * 2;
    return vcombine_f32(vld1_f32(p), vld1_f32(p + 4));
}

/* Lines of 64 rows from w on, rows r .. r + 7, k of y[]. */
INLINE void dots(bool wide, int tv, int n_lines, sum acc[2][4], const int8_t *w, size_t r,
                 const int8_t *const y[2], size_t k)
{
    (void)wide;
#pragma GCC unroll 2
    for (int l = 0; l < n_lines; l += 2) {
        const int8_t *p = w + (size_t)l * 64 * 4 + r * 8;
        int8x16_t a[2];
#pragma GCC unroll 2
        for (int i = 0; i < tv; i++) a[i] = vld1q_s8(y[i] + 2 * (k + 4 * (size_t)l));
#pragma GCC unroll 4
        for (int j = 0; j < 4; j++) {
            int8x16_t b = vld1q_s8(p + 16 * j);
#pragma GCC unroll 2
            for (int i = 0; i < tv; i++) acc[i][j] = vmmlaq_s32(acc[i][j], a[i], b);
        }
    }
}

#include "kern/arm64/matmul.inc.h"

static double peak_int8(size_t n)
{
    enum { CHAINS = 16 };
    int32x4_t acc[CHAINS];
    int8x16_t w = vdupq_n_s8(3), y = vdupq_n_s8(5);
#pragma GCC unroll 16
    for (int i = 0; i < CHAINS; i++) acc[i] = vdupq_n_s32(i);
    for (size_t k = 0; k < n; k++) {
#pragma GCC unroll 16
        for (int i = 0; i < CHAINS; i++) acc[i] = vmmlaq_s32(acc[i], w, y);
    }
#pragma GCC unroll 16
    for (int i = 0; i < CHAINS; i++) __asm__ volatile("" : : "w"(acc[i]));
    return 32.0 * CHAINS * (double)n;
}

void ingle_kern_i8mm_matmul(ingle_kern *k)
{
    install_gemm(k);
    k->peak_int8 = peak_int8;
}
