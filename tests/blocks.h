/* blocks.h - for tests: random blocks of any weight type, and a second reading of the formats, one
 * weight at a time in double precision, written from the format's description and sharing nothing
 * with src/quant.
 * Include after cmocka.h. */
#ifndef INGLE_TESTS_BLOCKS_H
#define INGLE_TESTS_BLOCKS_H

#include "quant/quant.h"

#include <math.h>
#include <string.h>

/* Types in tests' loops: for (unsigned type = next_type(-1); type < INGLE_TYPE_COUNT; type =
 * next_type((int)type)) */
static inline unsigned next_type(int type)
{
    unsigned t = (unsigned)(type + 1);
    while (t < INGLE_TYPE_COUNT && !ingle_type_get(t)) t++;
    return t;
}

static inline uint32_t random_u32(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u; /* splitmix64 */
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (uint32_t)(z >> 32);
}

/* In [-1, 1), sum of three uniforms. */
static inline float random_float(uint64_t *state)
{
    double s = 0;
    for (int i = 0; i < 3; i++) s += (double)random_u32(state) * 0x1p-32;
    return (float)(s / 1.5 - 1);
}

/* ---- independent reading ---- */

static inline double half_at(const uint8_t *p)
{
    unsigned h = p[0] | (unsigned)p[1] << 8, e = h >> 10 & 31, m = h & 1023;
    double v = e == 31 ? (m ? NAN : INFINITY) : e ? ldexp(1024 + m, (int)e - 25) : ldexp(m, -24);
    return h & 0x8000 ? -v : v;
}

static inline unsigned bit(const uint8_t *p, unsigned i)
{
    return p[i / 8] >> i % 8 & 1;
}

/* Weight k of 32 nibbles: low ones are the first half. */
static inline unsigned nib32(const uint8_t *p, unsigned k)
{
    return k < 16 ? p[k] & 15 : p[k - 16] >> 4;
}

static inline void scale_min_6bit(const uint8_t *s, unsigned i, double *sc, double *mn)
{
    *sc = i < 4 ? s[i] & 63 : (s[i + 4] & 15) | (s[i - 4] >> 6) << 4;
    *mn = i < 4 ? s[i + 4] & 63 : s[i + 4] >> 4 | (s[i] >> 6) << 4;
}

/* Sign of weight k of those that 7 bits at bit `at` give: the eighth makes their product 1. */
static inline double even_sign(const uint8_t *p, unsigned at, unsigned k)
{
    unsigned n = 0;
    for (unsigned i = 0; i < 7; i++) n += bit(p, at + i);
    return (k < 7 ? bit(p, at + k) : n % 2) ? -1 : 1;
}

static inline unsigned bits(const uint8_t *p, unsigned at, unsigned n)
{
    unsigned v = 0;
    for (unsigned i = 0; i < n; i++) v |= bit(p, at + i) << i;
    return v;
}

/* Weight k of a codebook's entry: 0, 1, 2 of eight; or the byte of four. */
static inline unsigned digit_of(uint32_t entry, unsigned k)
{
    return entry >> (8 * (k % 4) + (k < 4 ? 0 : 4)) & 15;
}

static inline double e4m3(uint8_t b)
{
    unsigned e = b >> 3 & 15, m = b & 7;
    return b == 0x7f ? 0 : e ? ldexp(8 + m, (int)e - 10) : ldexp(m, -9);
}

/* d of a block, or of its run with several; as the file has it. */
static inline double scale_at(unsigned type, const uint8_t *p, unsigned run)
{
    uint8_t d[2];
    switch (type) {
    case INGLE_TYPE_MXFP4: return ldexp(1, p[0] - 127);
    case INGLE_TYPE_NVFP4: return e4m3(p[run]);
    case INGLE_TYPE_IQ1_M:
        d[0] = (uint8_t)(p[49] >> 4 | (p[51] & 0xf0));
        d[1] = (uint8_t)(p[53] >> 4 | (p[55] & 0xf0));
        return half_at(d);
    case INGLE_TYPE_TQ1_0: return half_at(p + 52);
    case INGLE_TYPE_TQ2_0: return half_at(p + 64);
    case INGLE_TYPE_Q2_K: return half_at(p + 80);
    case INGLE_TYPE_Q3_K: return half_at(p + 108);
    case INGLE_TYPE_Q6_K: return half_at(p + 208);
    case INGLE_TYPE_IQ4_KS:
    case INGLE_TYPE_IQ5_KS: return 1; /* stands in front of the row */
    default: return half_at(p);
    }
}

/* Weights of a block whose d is 1 are multiples of one over this. */
static inline unsigned parts_of_one(unsigned type)
{
    switch (type) {
    case INGLE_TYPE_MXFP4:
    case INGLE_TYPE_NVFP4: return 2;
    case INGLE_TYPE_IQ3_XXS: return 4;
    case INGLE_TYPE_IQ1_S:
    case INGLE_TYPE_IQ1_M:
    case INGLE_TYPE_IQ2_XXS:
    case INGLE_TYPE_IQ2_XS:
    case INGLE_TYPE_IQ2_S: return 8;
    default: return 1;
    }
}

typedef struct value {
    double scaled; /* d * sc * w, exact; without the d that stands in front of a row */
    double offset; /* what is added: the min, exact */
} value;

static inline value value_at(unsigned type, const uint8_t *p, unsigned k)
{
    static const double iq4[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                   1,    13,   25,  38,  53,  69,  89,  113};
    static const double e2m1[8] = {0, .5, 1, 1.5, 2, 3, 4, 6}, iq2[3] = {8, 25, 43};
    unsigned h = k / 128, l = k % 32, q;
    double sc, mn;
    switch (type) {
    case INGLE_TYPE_F32: {
        float f;
        memcpy(&f, p, 4);
        return (value){f, 0};
    }
    case INGLE_TYPE_F16: return (value){half_at(p), 0};
    case INGLE_TYPE_BF16: {
        unsigned b = p[0] | (unsigned)p[1] << 8, e = b >> 7 & 255, m = b & 127;
        double v = e ? ldexp(128 + m, (int)e - 134) : ldexp(m, -133);
        return (value){b & 0x8000 ? -v : v, 0};
    }
    case INGLE_TYPE_Q4_0: return (value){half_at(p) * ((int)nib32(p + 2, k) - 8), 0};
    case INGLE_TYPE_Q4_1: return (value){half_at(p) * nib32(p + 4, k), half_at(p + 2)};
    case INGLE_TYPE_Q5_0:
        return (value){half_at(p) * ((int)(nib32(p + 6, k) + 16 * bit(p + 2, k)) - 16), 0};
    case INGLE_TYPE_Q5_1:
        return (value){half_at(p) * (nib32(p + 8, k) + 16 * bit(p + 4, k)), half_at(p + 2)};
    case INGLE_TYPE_Q8_0:
        return (value){half_at(p) * (p[2 + k] < 128 ? p[2 + k] : p[2 + k] - 256), 0};
    case INGLE_TYPE_IQ4_NL: return (value){half_at(p) * iq4[nib32(p + 2, k)], 0};
    case INGLE_TYPE_MXFP4:
        q = nib32(p + 1, k);
        return (value){ldexp(q & 8 ? -e2m1[q & 7] : e2m1[q & 7], p[0] - 127), 0};
    case INGLE_TYPE_Q2_K:
        q = p[16 + 32 * h + l] >> 2 * (k % 128 / 32) & 3;
        return (value){half_at(p + 80) * (p[k / 16] & 15) * q, -half_at(p + 82) * (p[k / 16] >> 4)};
    case INGLE_TYPE_Q3_K: {
        unsigned i = k / 16, low = i < 8 ? p[96 + i] & 15 : p[96 + i - 8] >> 4;
        sc = (int)(low + 16 * (p[104 + i % 4] >> 2 * (i / 4) & 3)) - 32;
        q = (p[32 + 32 * h + l] >> 2 * (k % 128 / 32) & 3) + 4 * (p[l] >> k / 32 & 1);
        return (value){half_at(p + 108) * sc * ((int)q - 4), 0};
    }
    case INGLE_TYPE_Q4_K:
        scale_min_6bit(p + 4, k / 32, &sc, &mn);
        q = p[16 + 32 * (k / 64) + l] >> 4 * (k / 32 % 2) & 15;
        return (value){half_at(p) * sc * q, -half_at(p + 2) * mn};
    case INGLE_TYPE_Q5_K:
        scale_min_6bit(p + 4, k / 32, &sc, &mn);
        q = (p[48 + 32 * (k / 64) + l] >> 4 * (k / 32 % 2) & 15) + 16 * (p[16 + l] >> k / 32 & 1);
        return (value){half_at(p) * sc * q, -half_at(p + 2) * mn};
    case INGLE_TYPE_Q6_K: {
        unsigned quarter = k % 128 / 32;
        q = p[64 * h + 32 * (quarter & 1) + l] >> 4 * (quarter >> 1) & 15;
        q += 16 * (p[128 + 32 * h + l] >> 2 * quarter & 3);
        sc = p[192 + k / 16] < 128 ? p[192 + k / 16] : p[192 + k / 16] - 256;
        return (value){half_at(p + 208) * sc * ((int)q - 32), 0};
    }
    case INGLE_TYPE_IQ4_XS: {
        unsigned i = k / 32, low = p[4 + i / 2] >> 4 * (i % 2) & 15;
        unsigned high = bit(p + 2, 2 * i) + 2 * bit(p + 2, 2 * i + 1);
        return (value){half_at(p) * ((int)(low + 16 * high) - 32) * iq4[nib32(p + 8 + 16 * i, l)],
                       0};
    }
    case INGLE_TYPE_Q1_0: return (value){half_at(p) * (bit(p + 2, k) ? 1 : -1), 0};
    case INGLE_TYPE_Q2_0: return (value){half_at(p) * ((int)bits(p + 2, 2 * k, 2) - 1), 0};
    case INGLE_TYPE_NVFP4:
        q = p[4 + k / 16 * 8 + k % 8] >> (k % 16 < 8 ? 0 : 4) & 15;
        return (value){e4m3(p[k / 16]) * (q & 8 ? -e2m1[q & 7] : e2m1[q & 7]) + 0.0, 0};
    case INGLE_TYPE_TQ1_0: {
        unsigned byte = k < 160 ? k % 32 : k < 240 ? 32 + k % 16 : 48 + k % 4;
        unsigned trit = k < 160 ? k / 32 : k < 240 ? (k - 160) / 16 : (k - 240) / 4;
        for (q = p[byte]; trit; trit--) q = q * 3 % 256;
        return (value){half_at(p + 52) * ((int)(q * 3 / 256) - 1), 0};
    }
    case INGLE_TYPE_TQ2_0:
        return (value){half_at(p + 64) * ((int)bits(p, 8 * (32 * h + l) + 2 * (k / 32 % 4), 2) - 1),
                       0};
    case INGLE_TYPE_IQ1_S:
        q = p[2 + k / 8] + 256 * bits(p + 34, 16 * (k / 32) + 3 * (k / 8 % 4), 3);
        mn = bit(p + 34, 16 * (k / 32) + 15) ? -0.125 : 0.125;
        sc = 2 * bits(p + 34, 16 * (k / 32) + 12, 3) + 1;
        return (value){half_at(p) * sc * ((int)digit_of(ingle_grid_iq1s[q], k % 8) - 1 + mn), 0};
    case INGLE_TYPE_IQ1_M:
        q = p[k / 8] + 256 * bits(p + 32, 4 * (k / 8), 3);
        mn = bit(p + 32, 4 * (k / 8) + 3) ? -0.125 : 0.125;
        sc = 2 * bits(p + 48, 16 * (k / 64) + 3 * (k / 16 % 4), 3) + 1;
        return (value){
            scale_at(type, p, 0) * sc * ((int)digit_of(ingle_grid_iq1s[q], k % 8) - 1 + mn), 0};
    case INGLE_TYPE_IQ2_XXS:
        q = digit_of(ingle_grid_iq2xxs[p[2 + k / 32 * 8 + k / 8 % 4]], k % 8);
        sc = (0.5 + bits(p + 6 + k / 32 * 8, 28, 4)) / 4;
        mn = even_sign(p + 6 + k / 32 * 8, 7 * (k / 8 % 4), k % 8);
        return (value){half_at(p) * sc * iq2[q] * mn, 0};
    case INGLE_TYPE_IQ2_XS:
        q = digit_of(ingle_grid_iq2xs[bits(p + 2, 16 * (k / 8), 9)], k % 8);
        sc = (0.5 + bits(p + 66, 4 * (k / 16), 4)) / 4;
        return (value){half_at(p) * sc * iq2[q] * even_sign(p + 2, 16 * (k / 8) + 9, k % 8), 0};
    case INGLE_TYPE_IQ2_S:
        q = p[2 + k / 8] + 256 * bits(p + 66, 2 * (k / 8), 2);
        sc = (0.5 + bits(p + 74, 4 * (k / 16), 4)) / 4;
        mn = bit(p + 34, k) ? -1 : 1;
        return (value){half_at(p) * sc * iq2[digit_of(ingle_grid_iq2s[q], k % 8)] * mn, 0};
    case INGLE_TYPE_IQ3_XXS:
        q = ingle_grid_iq3xxs[p[2 + k / 4]] >> 8 * (k % 4) & 255;
        sc = (0.5 + bits(p + 66 + k / 32 * 4, 28, 4)) / 2;
        return (value){half_at(p) * sc * q * even_sign(p + 66 + k / 32 * 4, 7 * (k / 8 % 4), k % 8),
                       0};
    case INGLE_TYPE_IQ2_K: {
        static const double v[4] = {-31, -13, 1, 17};
        q = p[12 + 32 * h + l] >> 2 * (k % 128 / 32) & 3;
        sc = (int)bits(p + 4, 4 * (k / 16), 4) - 8;
        return (value){half_at(p) * sc * (v[q] + 5 * bit(p + 2, k / 16)), 0};
    }
    case INGLE_TYPE_IQ3_K: {
        static const double v[8] = {-63, -40, -23, -10, 1, 13, 28, 47};
        q = (p[14 + 32 * h + l] >> 2 * (k % 128 / 32) & 3) + 4 * bit(p + 78 + l, k / 32);
        sc = (2 * bits(p + 6, 4 * (k / 16), 4) + 1) * (bit(p + 4, k / 16) ? -1.0 : 1.0);
        return (value){half_at(p) * sc * (v[q] + 4 * bit(p + 2, k / 16)), 0};
    }
    case INGLE_TYPE_IQ4_K:
        q = nib32(p + 16 + 16 * (k / 32), l);
        sc = (int)(bits(p + 8, 4 * (k / 16), 4) + 16 * bits(p + 4, 2 * (k / 16), 2)) - 32;
        return (value){half_at(p) * sc * (iq4[q] + 4 * bit(p + 2, k / 16)), 0};
    case INGLE_TYPE_IQ5_K: {
        static const double v[32] = {-126, -114, -103, -92, -83, -74, -65, -57, -50, -43, -36,
                                     -30,  -24,  -18,  -12, -6,  -1,  5,   11,  17,  23,  29,
                                     36,   43,   51,   59,  68,  77,  87,  97,  109, 121};
        q = (p[16 + 32 * (k / 64) + l] >> 4 * (k / 32 % 2) & 15) + 16 * bit(p + 144 + l, k / 32);
        sc = (int)(bits(p + 8, 4 * (k / 16), 4) + 16 * bits(p + 4, 2 * (k / 16), 2)) - 32;
        return (value){half_at(p) * sc * (v[q] + 2 * bit(p + 2, k / 16)), 0};
    }
    case INGLE_TYPE_IQ6_K: {
        q = p[20 + 32 * (k / 64) + l] >> 4 * (k / 32 % 2) & 15;
        q += 16 * (p[148 + 32 * h + l] >> 2 * (k / 32 % 4) & 3);
        sc = p[4 + k / 16] < 128 ? p[4 + k / 16] : p[4 + k / 16] - 256;
        /* the integer below the polynomial that values are made with, or the nearest */
        mn = floor(-127 + q * (6.2568 + q * (-0.11218 + q * 0.0011972)) + 0.5);
        return (value){half_at(p) * sc * (mn + bit(p + 2, k / 16)), 0};
    }
    case INGLE_TYPE_IQ4_KS:
        sc = (p[k / 32] & 254) - 127;
        return (value){sc * (iq4[nib32(p + 8 + 16 * (k / 32), l)] + 4 * (p[k / 32] & 1)), 0};
    case INGLE_TYPE_IQ5_KS: {
        static const double v[32] = {-126, -114, -103, -92, -83, -74, -65, -57, -50, -43, -36,
                                     -30,  -24,  -18,  -12, -6,  -1,  5,   11,  17,  23,  29,
                                     36,   43,   51,   59,  68,  77,  87,  97,  109, 121};
        q = (p[8 + 32 * (k / 64) + l] >> 4 * (k / 32 % 2) & 15) + 16 * bit(p + 136 + l, k / 32);
        sc = (p[k / 32] & 254) - 127;
        return (value){sc * (v[q] + 2 * (p[k / 32] & 1)), 0};
    }
    case INGLE_TYPE_IQ3_S:
        q = ingle_grid_iq3s[p[2 + k / 4] + 256 * bit(p + 66, k / 4)] >> 8 * (k % 4) & 255;
        sc = 1 + 2 * bits(p + 106, 4 * (k / 32), 4);
        return (value){half_at(p) * sc * q * (bit(p + 74, k) ? -1 : 1), 0};
    }
    fail_msg("no reading of type %u", type);
    return (value){0, 0};
}

/* What stands in front of a row's blocks: a factor on all of them. */
static inline double head_at(const ingle_type_info *t, const uint8_t *row)
{
    float d = 1;
    if (t->row_head) memcpy(&d, row, sizeof d);
    return (double)d;
}

/* ---- making blocks ---- */

/* Offsets of the block's 16-bit scales; -1: none. */
static inline void scale_offsets(unsigned type, int *d, int *dmin)
{
    *d = *dmin = -1;
    switch (type) {
    case INGLE_TYPE_F32:
    case INGLE_TYPE_IQ1_M:
    case INGLE_TYPE_NVFP4:
    case INGLE_TYPE_IQ4_KS:
    case INGLE_TYPE_IQ5_KS:
    case INGLE_TYPE_MXFP4: break;
    case INGLE_TYPE_Q4_1:
    case INGLE_TYPE_Q5_1:
    case INGLE_TYPE_Q4_K:
    case INGLE_TYPE_Q5_K: *d = 0, *dmin = 2; break;
    case INGLE_TYPE_Q2_K: *d = 80, *dmin = 82; break;
    case INGLE_TYPE_Q3_K: *d = 108; break;
    case INGLE_TYPE_Q6_K: *d = 208; break;
    case INGLE_TYPE_TQ1_0: *d = 52; break;
    case INGLE_TYPE_TQ2_0: *d = 64; break;
    default: *d = 0;
    }
}

static inline void put_u16(uint8_t *p, unsigned v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

/* Puts one f16 value into all scales of a block; for MXFP4 its exponent, for NVFP4 what E4M3 holds
 * of it, for F32 the value itself. */
static inline void set_scales(unsigned type, uint8_t *block, unsigned half)
{
    int d, dmin;
    scale_offsets(type, &d, &dmin);
    if (type == INGLE_TYPE_MXFP4) block[0] = (uint8_t)((half >> 10 & 31) + 112);
    int narrow = (int)(half >> 7 & 0xff) - (8 << 3);
    for (int i = 0; type == INGLE_TYPE_NVFP4 && i < 4; i++)
        block[i] = (uint8_t)(narrow < 0 ? 0 : narrow > 0x7e ? 0x7e : narrow);
    for (int i = 0; type == INGLE_TYPE_IQ1_M && i < 4; i++)
        block[49 + 2 * i] = (uint8_t)((block[49 + 2 * i] & 15) | (half >> 4 * i & 15) << 4);
    if (type == INGLE_TYPE_F32) {
        float f = ingle_f16_to_f32((uint16_t)half);
        memcpy(block, &f, 4);
    } else if (type == INGLE_TYPE_BF16) {
        put_u16(block, ingle_f32_to_bf16(ingle_f16_to_f32((uint16_t)half)));
    } else if (d >= 0) {
        put_u16(block + d, half);
    }
    if (dmin >= 0) put_u16(block + dmin, half);
}

/* Blocks of random bits with finite scales of either sign between 2^-9 and 2^-2. */
static inline void random_blocks(unsigned type, uint8_t *dst, size_t n, uint64_t *state)
{
    const ingle_type_info *t = ingle_type_get(type);
    for (size_t b = 0; b < n; b++, dst += t->block_bytes) {
        for (size_t i = 0; i < t->block_bytes; i++) dst[i] = (uint8_t)random_u32(state);
        uint32_t r = random_u32(state);
        set_scales(type, dst, (6 + r % 8) << 10 | (r >> 8 & 0x83ff));
        int d, dmin;
        scale_offsets(type, &d, &dmin);
        r = random_u32(state);
        for (int i = 0; type == INGLE_TYPE_NVFP4 && i < 4; i++)
            dst[i] = (uint8_t)(r >> 8 * i & 0xbf);
        if (dmin >= 0) put_u16(dst + dmin, (6 + r % 8) << 10 | (r >> 8 & 0x83ff));
    }
}

/* The same with what stands in front of a row. */
static inline void set_head(const ingle_type_info *t, uint8_t *row, unsigned half)
{
    float d = ingle_f16_to_f32((uint16_t)half);
    if (t->row_head) memcpy(row, &d, sizeof d);
}

/* Rows as in a file. */
static inline void random_rows(unsigned type, uint8_t *dst, size_t n_rows, size_t n_blocks,
                               uint64_t *state)
{
    const ingle_type_info *t = ingle_type_get(type);
    for (size_t i = 0; i < n_rows; i++, dst += n_blocks * t->block_bytes) {
        uint32_t r = t->row_head ? random_u32(state) : 0;
        set_head(t, dst, (6 + r % 8) << 10 | (r >> 8 & 0x83ff));
        dst += t->row_head;
        random_blocks(type, dst, n_blocks, state);
    }
}

#endif
