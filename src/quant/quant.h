/* quant.h - block formats: layout facts, reference decode, packing, the arithmetic of each type.
 * Owns       nothing; pure functions over bytes.
 * Depends on base/mem.h, include/ingle.h.
 *
 * PACKED LAYOUT ("R16"). A panel is 16 consecutive output rows. Within it every *field* of the
 * type's block has a section of its own, 64-byte aligned: the plain transpose of the 16 rows,
 *
 *     section f = [n_blocks][n units of the field][16 rows] units
 *
 * where a unit is 1, 2 or 4 bytes as in the file; so one 4-byte unit of 16 rows is a 64-byte line.
 * Nothing is recoded; packing and unpacking are exact inverses, and a panel is as large as the rows
 * were (plus alignment, zeros behind each section). What stands in front of a row's blocks, an f32
 * d of all of them (IQ4_KS, IQ5_KS), is a line in front of the sections. Rows are padded with zero
 * bytes to a multiple of 16. F16, BF16, F32 are blocks of one element: sections [K][16 rows] of 2-
 * or 4-byte units. Inside a unit of 4 bytes the order is the file's: for Q4_K line i of group g
 * holds, per row, bytes 32g+4i .. 32g+4i+3 of qs: low nibbles are k = 64g+4i.., high nibbles k =
 * 64g+32+4i...
 *
 * ARITHMETIC (one definition, obeyed bit for bit by every kernel at every ISA level, save one pair
 * of level and type; y is the quantised activation, dy its scale, s its block's sum, z the zero
 * point; f starts at 0, blocks ascend).
 *
 *   class F  F32 F16 BF16; activations stay f32
 *       per weight           f = fmaf(w[k], x[k], f)
 *       BF16 at the level AVX512BF16, which runs only where it is asked for: activations are
 *       rounded to bf16, nearest even, and in place of the step above
 *       per pair, k even     f = fmaf(w[k+1], x[k+1], f), then f = fmaf(w[k], x[k], f)
 *       Subnormal w and x count as 0, an f that would be subnormal after rounding is 0; signs stay.
 *       A row of odd length goes on with one more w and x of 0.
 *   class B  Q8_0 Q4_0 Q5_0 IQ4_NL MXFP4 Q4_1 Q5_1 Q1_0 Q2_0 NVFP4; activations in blocks of 32:
 *            y int8, dy s f32
 *       per run              f = fmaf((float)sum_k (w-z)[k]*y[k], d*dy, f)
 *       then, if min m       f = fmaf(m, s, f)
 *       A run is 32 weights, with NVFP4 16: a whole block, or one of several that make a block of
 *       Q1_0 (four, of one d), Q2_0 (two, of one d) or NVFP4 (four, each with its own d).
 *   class K  Q2_K .. Q6_K, IQ1_* to IQ3_*, IQ4_XS, IQ2_K .. IQ6_K, IQ4_KS IQ5_KS, TQ1_0 TQ2_0
 *   (whose
 *            sc are 1); activations in blocks of 256: y int8, dy f32
 *       per block            f = fmaf((float)sum_s sc[s] * sum_{k in s} (w-z)[k]*y[k], d*dy, f)
 *       then, if min         f = fmaf((float)sum_s m[s] * sum_{k in s} y[k], -(dmin*dy), f)
 *
 *   Sums are exact in int32; d*dy, dmin*dy are rounded to f32. Q4_1 Q5_1, Q2_K Q4_K Q5_K
 *   have a min.
 *
 *   Activations: scale = 127/amax, u = x*scale, y = rint(u) to nearest even, which lies within
 *   +-127. Class K: dy = amax/127. Class B: dy = round11(amax/127) and s = round11((amax/127) *
 *   (float)sum y), where ingle_round11() keeps 11 significant bits: the scale and sum that
 *   llama.cpp keeps as f16 in its Q8_0 and Q8_1 blocks, but with f32's exponents. dy is normal; s
 *   is 0 or no smaller than dy, and infinite where it would pass FLT_MAX.
 *   An amax below INGLE_ACT_TINY counts as 0 (127/amax would overflow, dy be subnormal) and gives
 *   dy = s = 0, y = 0. A non-finite x makes its block's dy and s NaN and y 0, so that NaN reaches
 *   the output instead of undefined conversions. Which NaN is not promised. */
#ifndef INGLE_QUANT_QUANT_H
#define INGLE_QUANT_QUANT_H

#include "base/mem.h"
#include <ingle.h>

typedef enum ingle_act {
    INGLE_ACT_F32, /* class F */
    INGLE_ACT_Q32, /* class B: int8 in blocks of 32 */
    INGLE_ACT_Q256 /* class K: int8 in blocks of 256 */
} ingle_act;

/* The smallest amax of a block of activations that is not taken for zero. */
#define INGLE_ACT_TINY 0x1p-119f

/* One block of a class B or K type as the plain numbers its bytes stand for:
 *
 *     class B   weight k = d * w[k] + dmin                              (dmin holds the min m)
 *               weight k = run_d[k/sub] * w[k]                          (blocks of several runs)
 *     class K   weight k = d * sc[k/sub] * w[k] - dmin * mn[k/sub]      (mn: with min)
 *
 * w is already less the zero point: w[k] + zero is the unsigned weight of the kernels. */
typedef struct ingle_plain {
    float d, dmin;
    int8_t w[256]; /* the first block_elems */
    int8_t sc[16]; /* class K: the first 256 / sub */
    int8_t mn[16]; /* class K with min: the same number */
    float run_d[4];
} ingle_plain;

typedef struct ingle_field {
    uint16_t offset; /* of the field in the block */
    uint8_t n;       /* units; 0 ends the list */
    uint8_t unit;    /* bytes per unit: 1, 2, 4 */
} ingle_field;

#define INGLE_MAX_FIELDS 5

typedef struct ingle_type_info {
    const char *name;
    uint16_t block_elems; /* weights per block */
    uint16_t block_bytes;
    ingle_act act;
    uint8_t sub;  /* weights per scale: class K 16 or 32, class B a run */
    uint8_t zero; /* z: what the unsigned weight is offset by (power of two or 0) */
    bool has_min;
    ingle_field fields[INGLE_MAX_FIELDS];
    /* n_blocks blocks, behind their row's head if the type has one -> n_blocks*block_elems floats;
     * any alignment of src. */
    void (*decode)(const void *src, float *dst, size_t n_blocks);
    /* One block; NULL for class F. Of a type with heads d is 1. */
    void (*plain)(const uint8_t *block, ingle_plain *out);
    uint8_t row_head; /* bytes in front of a row's blocks: 0, or 4 with the d of all of them */
} ingle_type_info;

/* NULL for a type number that is not supported. */
const ingle_type_info *ingle_type_get(unsigned type);
/* Bytes in a file of n_rows rows of n_cols weights, a multiple of the block; false if they wrap. */
bool ingle_type_bytes(const ingle_type_info *t, uint64_t n_rows, uint64_t n_cols, uint64_t *bytes);
/* Name of a number that exists in GGUF files, supported or not ("Q8_1"); NULL if nobody's. */
const char *ingle_type_known_name(unsigned type);
/* "F32 F16 BF16 ... Q2_K-Q6_K ...": what is supported, for messages: short enough for one. */
const char *ingle_type_supported_list(void);

/* ---- packed weights ---- */

typedef struct ingle_packed {
    ingle_type type;
    size_t n_rows, n_cols;            /* output rows, K */
    size_t n_blocks;                  /* n_cols / block_elems */
    size_t n_panels;                  /* ceil(n_rows / 16) */
    size_t panel_bytes;               /* multiple of 64 */
    size_t section[INGLE_MAX_FIELDS]; /* byte offset of each field's section in a panel */
    size_t row_bytes;                 /* of a row in the file */
    /* Both NULL while only planned; of a model in place `data` stays so. */
    const uint8_t *data; /* [n_panels][panel_bytes], 64-byte aligned */
    const uint8_t *rows; /* [n_rows][row_bytes] as in the file, aligned to nothing */
    /* What will be read after this panel, about as large, if that is not the panel behind it: a
     * kernel may fetch it ahead. Else NULL. */
    const uint8_t *next;
} ingle_packed;

/* Fills everything but data and rows. False if n_cols is not a multiple of the block or sizes
 * wrap. */
bool ingle_packed_init(ingle_packed *p, ingle_type type, size_t n_rows, size_t n_cols);
/* Bytes of all panels. */
size_t ingle_packed_bytes(const ingle_packed *p);

/* Packs one panel. rows: n (1..16) consecutive rows as in the file, aligned to nothing. */
void ingle_pack_panel(const ingle_packed *p, const void *rows, size_t n, void *dst);
/* The exact inverse for one row: as in the file. */
void ingle_unpack_row(const ingle_packed *p, size_t row, void *dst);
/* Part of a row: n blocks from block `first` on. */
void ingle_unpack_blocks(const ingle_packed *p, size_t row, size_t first, size_t n, void *dst);
/* What stands in front of a packed row: the d of its blocks. */
float ingle_row_d(const ingle_packed *p, size_t row);
/* One row as floats [n_cols] (embedding lookup), of data or else of rows. */
void ingle_decode_row(const ingle_packed *p, size_t row, float *dst);

/* ---- scalar helpers shared by decode, encode and kernels ---- */

float ingle_f16_to_f32(uint16_t h);
uint16_t ingle_f32_to_f16(float f); /* to nearest even */
static inline float ingle_bf16_to_f32(uint16_t h)
{
    union {
        uint32_t u;
        float f;
    } v = {(uint32_t)h << 16};
    return v.f;
}
uint16_t ingle_f32_to_bf16(float f); /* to nearest even */
/* To 11 significant bits, to nearest even: 13 bits of the pattern are rounded off, and a carry into
 * the exponent is the next power of two, or infinity above all. Infinity stays; of subnormal
 * numbers (none arise here) fewer bits are left; not for NaN. */
static inline float ingle_round11(float f)
{
    union {
        float f;
        uint32_t u;
    } v = {f};
    v.u = (v.u + 0xfff + (v.u >> 13 & 1)) & ~UINT32_C(0x1fff);
    return v.f;
}

/* What indices stand for (values.c). */
extern const int8_t ingle_iq4nl_values[16];
extern const int8_t ingle_mxfp4_values[16]; /* doubled: 0 1 2 3 4 6 8 12 0 -1 .. */
/* 2^(e-128), the MXFP4 scale of the doubled values; for 255 too. */
float ingle_e8m0_half(uint8_t e);
/* Half of an E4M3 number without its sign, the NVFP4 scale of the doubled values; 0x7f is 0. */
float ingle_e4m3_half(uint8_t e);

/* Codebooks (grids.c). Eight weights an entry, weight k the nibble 4 * (k / 4) of byte k % 4: an
 * index of the values; of IQ1_* plus 4 where the shift is down. */
extern const uint32_t ingle_grid_iq2xxs[256], ingle_grid_iq2xs[512], ingle_grid_iq2s[1024];
extern const uint32_t ingle_grid_iq1s[2048];
extern const int8_t ingle_iq2_values[16], ingle_iq1_values[16];
/* Four weights an entry, as bytes. */
extern const uint32_t ingle_grid_iq3xxs[256], ingle_grid_iq3s[512];

/* The same for lookups of bytes (books.c), [0]: the first half of an entry's weights, [1]: the
 * second. IQ1 and IQ2: the indices of four weights, two bits each, the first lowest. IQ3: those of
 * two weights, a nibble each. The second halves of IQ1: entries 16i .. 16i + [0][i] have [1][i],
 * the rest to 16i + 15 have [2][i]. */
extern const uint8_t ingle_book_iq2xxs[2][256], ingle_book_iq2xs[2][512], ingle_book_iq2s[2][1024];
extern const uint8_t ingle_book_iq3xxs[2][256], ingle_book_iq3s[2][512];
extern const uint8_t ingle_book_iq1s[2048], ingle_book_iq1s_high[3][128];

/* Values of ik_llama.cpp's types (IQ4_K has those of IQ4_NL), and what shifts 16 of them up. */
extern const int8_t ingle_iq2k_values[16], ingle_iq3k_values[16];
extern const int8_t ingle_iq5k_values[32], ingle_iq6k_values[64];
enum {
    INGLE_IQ2K_SHIFT = 5,
    INGLE_IQ3K_SHIFT = 4,
    INGLE_IQ4K_SHIFT = 4,
    INGLE_IQ5K_SHIFT = 2,
    INGLE_IQ6K_SHIFT = 1
};

#endif
