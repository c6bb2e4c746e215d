/* weights.h - how each quantised type unpacks: lines of a panel to bytes, scales to int8.
 * Depends on quant/quant.h (layout), quant/types.h, ARMv8.0.
 *
 * A line is 16 rows x 4 consecutive k; a vector is the quarter of it that holds rows r .. r + 3.
 * unpack() reads the stored vectors of step i of chunk c and gives n_parts vectors of bytes: part j
 * holds k = 4 line_of(c, j, i) .. + 3 and belongs to scale sub_of(c, j). The true weight is the byte
 * (signed where the type is wide or looked up) minus the shape's zero. */
#ifndef INGLE_KERN_ARM64_WEIGHTS_H
#define INGLE_KERN_ARM64_WEIGHTS_H

#include "quant/quant.h"
#include "quant/types.h"

#include <arm_neon.h>
#include <stdlib.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))

#define ROWS      16 /* of a packed panel */
#define MAX_PARTS 4

typedef struct source {
    const uint8_t *field[INGLE_MAX_FIELDS]; /* the panel's sections */
} source;

INLINE source source_of(const ingle_packed *p, size_t i_panel)
{
    source s;
    const uint8_t *panel = p->data + i_panel * p->panel_bytes;
    for (int i = 0; i < INGLE_MAX_FIELDS; i++) s.field[i] = panel + p->section[i];
    return s;
}

/* What switches leave out: types that the portable kernels multiply, or those of floats. */
#define NOT_HERE INGLE_NOT_QUANTISED INGLE_TYPES_QUANTISED(OR_PORTABLE)

#define OR_PORTABLE(NAME, fn, number, tile, arm64, ...) OR_CASE_##arm64(NAME)

#define OR_CASE_ARM64(NAME)
#define OR_CASE_PORTABLE(NAME) : case INGLE_TYPE_##NAME

/* ---- shape ---- */

typedef struct shape {
    int n_chunks, n_steps, n_parts; /* per block */
    int n_subs;                     /* scales per block; class B: 1 */
    int zero;
    int min_field; /* 0: no min */
    bool wide;     /* weights take all 8 bits: products of two lines, no more, sum to 16 bits */
} shape;

INLINE shape shape_of(ingle_type type)
{
    switch (type) {
    case INGLE_TYPE_Q4_0: return (shape){1, 4, 2, 1, 8, 0, false};
    case INGLE_TYPE_Q4_1: return (shape){1, 4, 2, 1, 0, 1, false};
    case INGLE_TYPE_Q5_0: return (shape){1, 4, 2, 1, 16, 0, false};
    case INGLE_TYPE_Q5_1: return (shape){1, 4, 2, 1, 0, 1, false};
    case INGLE_TYPE_Q8_0: return (shape){1, 8, 1, 1, 0, 0, true};
    case INGLE_TYPE_IQ4_NL: return (shape){1, 4, 2, 1, 0, 0, true};
    case INGLE_TYPE_MXFP4: return (shape){1, 4, 2, 1, 0, 0, false};
    case INGLE_TYPE_Q2_K: return (shape){4, 4, 4, 16, 0, 3, false};
    case INGLE_TYPE_Q3_K: return (shape){4, 4, 4, 16, 4, 0, false};
    case INGLE_TYPE_Q4_K: return (shape){4, 8, 2, 8, 0, 1, false};
    case INGLE_TYPE_Q5_K: return (shape){4, 8, 2, 8, 0, 1, false};
    case INGLE_TYPE_Q6_K: return (shape){4, 4, 4, 16, 32, 0, false};
    case INGLE_TYPE_IQ4_XS: return (shape){8, 4, 2, 8, 0, 0, true};
    case NOT_HERE: break;
    }
    ingle_never();
}

INLINE bool is_k(ingle_type type)
{
    return INGLE_TYPES_K(INGLE_TYPE_IS_OR) false;
}

/* Q2_K, Q3_K, Q6_K: chunk c is half c % 2 of every sub-block pair in the 128 weights c / 2. */
INLINE int line_of(shape s, int c, int j, int i)
{
    if (s.n_parts == 4) return 32 * (c / 2) + 8 * j + 4 * (c % 2) + i;
    return (c * s.n_parts + j) * s.n_steps + i;
}

INLINE int sub_of(shape s, int c, int j)
{
    if (s.n_parts == 4) return 8 * (c / 2) + 2 * j + c % 2;
    return s.n_subs == s.n_chunks ? c : 2 * c + j;
}

/* ---- lines ---- */

/* Rows r.. of line u of block b in field f, which has n of them a block. */
INLINE uint8x16_t line(const source *s, int f, size_t b, int n, int u, int r)
{
    return vld1q_u8(s->field[f] + (b * (size_t)n + (size_t)u) * 64 + (size_t)r * 4);
}

/* Bytes shifted by a constant, once loops are unrolled: left, or right where n is negative. The
 * instructions want it as part of themselves. */
INLINE uint8x16_t shifted(uint8x16_t v, int n)
{
    switch (n) {
    case 1: return vshlq_n_u8(v, 1);
    case 2: return vshlq_n_u8(v, 2);
    case 3: return vshlq_n_u8(v, 3);
    case 4: return vshlq_n_u8(v, 4);
    case -1: return vshrq_n_u8(v, 1);
    case -2: return vshrq_n_u8(v, 2);
    case -3: return vshrq_n_u8(v, 3);
    case -4: return vshrq_n_u8(v, 4);
    case -6: return vshrq_n_u8(v, 6);
    default: return v;
    }
}

/* v | (x shifted by n & mask) */
INLINE uint8x16_t with_bits(uint8x16_t v, uint8x16_t x, int n, int mask)
{
    return vorrq_u8(v, vandq_u8(shifted(x, n), vdupq_n_u8((uint8_t)mask)));
}

INLINE void nibbles(uint8x16_t v, uint8x16_t u[])
{
    u[0] = vandq_u8(v, vdupq_n_u8(15));
    u[1] = vshrq_n_u8(v, 4);
}

/* Bit 4 of the four bytes from the dword's bits 4i.. and 16 + 4i.. */
INLINE void fifth_bits(uint8x16_t qh, int i, uint8x16_t u[])
{
    static const uint8_t byte0[16] = {0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12};
    uint8x16_t at = vaddq_u8(vld1q_u8(byte0), vdupq_n_u8((uint8_t)(i / 2)));
    uint8x16_t bits = vreinterpretq_u8_u32(vdupq_n_u32(i % 2 ? 0x80402010 : 0x08040201));
    for (int j = 0; j < 2; j++) {
        uint8x16_t byte = vqtbl1q_u8(qh, vaddq_u8(at, vdupq_n_u8((uint8_t)(2 * j))));
        u[j] = with_bits(u[j], vtstq_u8(byte, bits), 0, 16);
    }
}

INLINE void look_up(const int8_t *values, uint8x16_t u[])
{
    uint8x16_t table = vreinterpretq_u8_s8(vld1q_s8(values));
    u[0] = vqtbl1q_u8(table, u[0]);
    u[1] = vqtbl1q_u8(table, u[1]);
}

INLINE void unpack_q5_k(const source *s, size_t b, int c, int i, int r, uint8x16_t u[])
{
    uint8x16_t qh = line(s, 3, b, 8, i, r);
    nibbles(line(s, 4, b, 32, 8 * c + i, r), u);
    for (int j = 0; j < 2; j++) u[j] = with_bits(u[j], qh, 4 - (2 * c + j), 16);
}

INLINE void unpack_2bit(uint8x16_t v, uint8x16_t u[])
{
    for (int j = 0; j < 4; j++) u[j] = vandq_u8(shifted(v, -2 * j), vdupq_n_u8(3));
}

INLINE void unpack_q3_k(const source *s, size_t b, int c, int i, int r, uint8x16_t u[])
{
    uint8x16_t hmask = shifted(line(s, 0, b, 8, 4 * (c % 2) + i, r), c / 2 * -4);
    unpack_2bit(line(s, 1, b, 16, 4 * c + i, r), u);
    for (int j = 0; j < 4; j++) u[j] = with_bits(u[j], hmask, 2 - j, 4);
}

INLINE void unpack_q6_k(const source *s, size_t b, int c, int i, int r, uint8x16_t u[])
{
    int at = c / 2 * 16 + c % 2 * 4 + i;
    uint8x16_t low = line(s, 0, b, 32, at, r), high = line(s, 0, b, 32, at + 8, r);
    uint8x16_t qh = line(s, 1, b, 16, 4 * c + i, r);
    u[0] = with_bits(vandq_u8(low, vdupq_n_u8(15)), qh, 4, 0x30);
    u[1] = with_bits(vandq_u8(high, vdupq_n_u8(15)), qh, 2, 0x30);
    u[2] = with_bits(vshrq_n_u8(low, 4), qh, 0, 0x30);
    u[3] = with_bits(vshrq_n_u8(high, 4), qh, -2, 0x30);
}

/* Gives shape_of(type).n_parts vectors; see the head of this file. */
INLINE void unpack(ingle_type type, const source *s, size_t b, int c, int i, int r, uint8x16_t u[])
{
    switch (type) {
    case INGLE_TYPE_Q4_0: nibbles(line(s, 1, b, 4, i, r), u); break;
    case INGLE_TYPE_Q4_1: nibbles(line(s, 2, b, 4, i, r), u); break;
    case INGLE_TYPE_Q5_0:
        nibbles(line(s, 2, b, 4, i, r), u);
        fifth_bits(line(s, 1, b, 1, 0, r), i, u);
        break;
    case INGLE_TYPE_Q5_1:
        nibbles(line(s, 3, b, 4, i, r), u);
        fifth_bits(line(s, 2, b, 1, 0, r), i, u);
        break;
    case INGLE_TYPE_Q8_0: u[0] = line(s, 1, b, 8, i, r); break;
    case INGLE_TYPE_IQ4_NL:
        nibbles(line(s, 1, b, 4, i, r), u);
        look_up(ingle_iq4nl_values, u);
        break;
    case INGLE_TYPE_MXFP4:
        nibbles(line(s, 1, b, 4, i, r), u);
        look_up(ingle_mxfp4_values, u);
        break;
    case INGLE_TYPE_Q2_K: unpack_2bit(line(s, 1, b, 16, 4 * c + i, r), u); break;
    case INGLE_TYPE_Q3_K: unpack_q3_k(s, b, c, i, r, u); break;
    case INGLE_TYPE_Q4_K: nibbles(line(s, 3, b, 32, 8 * c + i, r), u); break;
    case INGLE_TYPE_Q5_K: unpack_q5_k(s, b, c, i, r, u); break;
    case INGLE_TYPE_Q6_K: unpack_q6_k(s, b, c, i, r, u); break;
    case INGLE_TYPE_IQ4_XS:
        nibbles(line(s, 3, b, 32, 4 * c + i, r), u);
        look_up(ingle_iq4nl_values, u);
        break;
    case NOT_HERE: ingle_never();
    }
}

/* ---- scales ---- */

typedef struct scales {
    int8_t sc[16 * ROWS], mn[16 * ROWS]; /* class K: [sub-block][row] */
} scales;

INLINE void put(int8_t *p, uint8x16_t v)
{
    vst1q_s8(p, vreinterpretq_s8_u8(v));
}

/* Four bytes of scales of 16 rows are 64 bytes, and lie as the result does. */
INLINE void scales_q4_k(const uint8_t *p, scales *out)
{
    uint8x16_t m4 = vdupq_n_u8(15), m6 = vdupq_n_u8(63);
    for (int o = 0; o < 64; o += 16) {
        uint8x16_t a = vld1q_u8(p + o), b = vld1q_u8(p + 64 + o), c = vld1q_u8(p + 128 + o);
        put(out->sc + o, vandq_u8(a, m6));
        put(out->mn + o, vandq_u8(b, m6));
        put(out->sc + 64 + o, with_bits(vandq_u8(c, m4), a, -2, 0x30));
        put(out->mn + 64 + o, with_bits(vshrq_n_u8(c, 4), b, -2, 0x30));
    }
}

INLINE void scales_q3_k(const uint8_t *p, scales *out)
{
    uint8x16_t m4 = vdupq_n_u8(15), z = vdupq_n_u8(32);
    for (int o = 0; o < 64; o += 16) {
        uint8x16_t a = vld1q_u8(p + o), b = vld1q_u8(p + 64 + o), c = vld1q_u8(p + 128 + o);
        put(out->sc + o, vsubq_u8(with_bits(vandq_u8(a, m4), c, 4, 0x30), z));
        put(out->sc + 64 + o, vsubq_u8(with_bits(vandq_u8(b, m4), c, 2, 0x30), z));
        put(out->sc + 128 + o, vsubq_u8(with_bits(vshrq_n_u8(a, 4), c, 0, 0x30), z));
        put(out->sc + 192 + o, vsubq_u8(with_bits(vshrq_n_u8(b, 4), c, -2, 0x30), z));
    }
}

INLINE void scales_q2_k(const uint8_t *p, scales *out)
{
    for (int o = 0; o < 256; o += 16) {
        uint8x16_t v = vld1q_u8(p + o);
        put(out->sc + o, vandq_u8(v, vdupq_n_u8(15)));
        put(out->mn + o, vshrq_n_u8(v, 4));
    }
}

/* high: 16 bits a row, two for each sub-block; low: four bytes a row, a nibble for each. */
INLINE void scales_iq4_xs(const uint8_t *high, const uint8_t *low, scales *out)
{
    uint8x16_t a = vld1q_u8(high), b = vld1q_u8(high + 16);
    uint8x16_t h[2] = {vuzp1q_u8(a, b), vuzp2q_u8(a, b)};
    for (int i = 0; i < 8; i += 2) {
        uint8x16_t l = vld1q_u8(low + i / 2 * 16), x = h[i / 4];
        uint8x16_t even = vandq_u8(l, vdupq_n_u8(15)), odd = vshrq_n_u8(l, 4);
        even = with_bits(even, x, i % 4 ? 0 : 4, 0x30);
        odd = with_bits(odd, x, i % 4 ? -2 : 2, 0x30);
        put(out->sc + i * ROWS, vsubq_u8(even, vdupq_n_u8(32)));
        put(out->sc + (i + 1) * ROWS, vsubq_u8(odd, vdupq_n_u8(32)));
    }
}

INLINE void read_scales(ingle_type type, const source *s, size_t b, scales *out)
{
    switch (type) {
    case INGLE_TYPE_Q2_K: scales_q2_k(s->field[0] + b * 256, out); break;
    case INGLE_TYPE_Q3_K: scales_q3_k(s->field[2] + b * 192, out); break;
    case INGLE_TYPE_Q4_K:
    case INGLE_TYPE_Q5_K: scales_q4_k(s->field[2] + b * 192, out); break;
    case INGLE_TYPE_Q6_K: memcpy(out->sc, s->field[2] + b * 256, 256); break;
    case INGLE_TYPE_IQ4_XS: scales_iq4_xs(s->field[1] + b * 32, s->field[2] + b * 64, out); break;
    case INGLE_TYPE_Q4_0:
    case INGLE_TYPE_Q4_1:
    case INGLE_TYPE_Q5_0:
    case INGLE_TYPE_Q5_1:
    case INGLE_TYPE_Q8_0:
    case INGLE_TYPE_IQ4_NL:
    case INGLE_TYPE_MXFP4: /* class B */
    case NOT_HERE: ingle_never();
    }
}

/* Four bytes of each of rows r .. r + 3, from [sub-block][row] of sub-blocks i .. i + 3: what a
 * line looks like. */
INLINE void line_of_subs(const int8_t *s, int i, int8x16_t rows[4])
{
    int8x16_t a = vld1q_s8(s + i * ROWS), b = vld1q_s8(s + (i + 1) * ROWS);
    int8x16_t c = vld1q_s8(s + (i + 2) * ROWS), d = vld1q_s8(s + (i + 3) * ROWS);
    int16x8_t ab0 = vreinterpretq_s16_s8(vzip1q_s8(a, b)),
              ab8 = vreinterpretq_s16_s8(vzip2q_s8(a, b));
    int16x8_t cd0 = vreinterpretq_s16_s8(vzip1q_s8(c, d)),
              cd8 = vreinterpretq_s16_s8(vzip2q_s8(c, d));
    rows[0] = vreinterpretq_s8_s16(vzip1q_s16(ab0, cd0));
    rows[1] = vreinterpretq_s8_s16(vzip2q_s16(ab0, cd0));
    rows[2] = vreinterpretq_s8_s16(vzip1q_s16(ab8, cd8));
    rows[3] = vreinterpretq_s8_s16(vzip2q_s16(ab8, cd8));
}

/* Four f16 or four bytes that are aligned to their own size. */
INLINE float32x4_t load_f16_4(const uint8_t *p)
{
    return vcvt_f32_f16(vreinterpret_f16_u8(vld1_u8(p)));
}

/* 2^(e - 128); the two smallest are denormal. */
INLINE float32x4_t e8m0_4(const uint8_t *p)
{
    uint32_t four;
    memcpy(&four, p, sizeof four);
    uint32x4_t e = vmovl_u16(vget_low_u16(vmovl_u8(vcreate_u8(four))));
    uint32x4_t normal = vshlq_n_u32(vsubq_u32(e, vdupq_n_u32(1)), 23);
    uint32x4_t denormal = vshlq_n_u32(vaddq_u32(e, vdupq_n_u32(1)), 21);
    return vreinterpretq_f32_u32(vbslq_u32(vcltq_u32(e, vdupq_n_u32(2)), denormal, normal));
}

/* Block scale of rows r .. r + 3. */
INLINE float32x4_t block_d(ingle_type type, const source *s, size_t b, int r)
{
    int f = 0;
    switch (type) {
    case INGLE_TYPE_MXFP4: return e8m0_4(s->field[0] + b * ROWS + (size_t)r);
    case INGLE_TYPE_Q2_K: f = 2; break;
    case INGLE_TYPE_Q3_K:
    case INGLE_TYPE_Q6_K: f = 3; break;
    case INGLE_TYPE_Q4_0:
    case INGLE_TYPE_Q4_1:
    case INGLE_TYPE_Q5_0:
    case INGLE_TYPE_Q5_1:
    case INGLE_TYPE_Q8_0:
    case INGLE_TYPE_IQ4_NL:
    case INGLE_TYPE_Q4_K:
    case INGLE_TYPE_Q5_K:
    case INGLE_TYPE_IQ4_XS: break;
    case NOT_HERE: ingle_never();
    }
    return load_f16_4(s->field[f] + (b * ROWS + (size_t)r) * 2);
}

/* Block min of a type that has one. */
INLINE float32x4_t block_min(ingle_type type, const source *s, size_t b, int r)
{
    return load_f16_4(s->field[shape_of(type).min_field] + (b * ROWS + (size_t)r) * 2);
}

#endif
