/* lines.inc.h - the words of matmul.inc.h where a vector is four rows of a line, and a token's four
 * bytes of k meet all of them.
 * Depends on weights.h.
 * Parameters: words of the level, defined before this file is included; all are types or functions,
 * so that the compiler itself misses them
 *
 *     quad, quad_of()      16 bytes of a token, wherever the level wants them
 *     sum, sum_start(), sum_total()
 *     sum_line()           sum + products of a vector with bytes 4 i .. 4 i + 3 of a quad */
#include "kern/arm64/weights.h"

#define V_ROWS   4
#define V_TOKENS 1

#define TILES_MORE(name, NAME) TILE(name, NAME, 3) TILE(name, NAME, 4)
#define TILES_MORE_NAMES(name) name##_3, name##_4

INLINE void put_lines(int8_t *w, size_t row, int8x16_t a, int8x16_t b)
{
    vst1q_s8(w + row * 4, a);
    vst1q_s8(w + 64 * 4 + row * 4, b);
}

INLINE const int8_t *token_bytes(const int8_t *const q[1], size_t n, int8_t *bytes)
{
    (void)n, (void)bytes;
    return q[0];
}

INLINE int32x4_t spread_rows(const int32_t *p)
{
    return vld1q_s32(p);
}
INLINE float32x4_t spread_rows_f(const float *p)
{
    return vld1q_f32(p);
}
INLINE float32x4_t spread_tokens(const float *const p[1], size_t i)
{
    return vld1q_dup_f32(p[0] + i);
}

/* Rows r .. r + 3 of token t of c. */
INLINE float32x4_t result(const float *c, size_t t, size_t r, size_t ld)
{
    return vld1q_f32(c + t * ld + r);
}

/* Lines of 64 rows from w on, rows r .. r + 7, k of y[]. */
INLINE void dots(bool wide, int tv, int n_lines, sum acc[4][2], const int8_t *w, size_t r,
                 const int8_t *const y[4], size_t k)
{
    quad q[4];
#pragma GCC unroll 4
    for (int i = 0; i < tv; i++) q[i] = quad_of(y[i] + k);
#pragma GCC unroll 4
    for (int l = 0; l < n_lines; l++) {
        const int8_t *p = w + (size_t)l * 64 * 4 + r * 4;
        int8x16_t u = vld1q_s8(p), v = vld1q_s8(p + 16);
#pragma GCC unroll 4
        for (int i = 0; i < tv; i++) {
            acc[i][0] = sum_line(wide, acc[i][0], u, q[i], l);
            acc[i][1] = sum_line(wide, acc[i][1], v, q[i], l);
        }
    }
}
