/* grids.c - the codebooks of the IQ1, IQ2 and IQ3 types: facts of the GGUF file format.
 * Owns       the tables.
 * Depends on quant/quant.h, and on grid_*.inc for the codes.
 * Invariant  the codes of each ascend strictly (a test checks it, and what they decode to).
 *
 * IQ1 and IQ2: eight weights of three values an entry, here two bits each, the first weight lowest;
 * in the table every weight is a nibble: weights 0 .. 3 are the low ones of bytes 0 .. 3, weights
 * 4 .. 7 the high ones, so that two masks give bytes that index a table of 16 values.
 * IQ3: four weights of eight values an entry, here an octal digit each, the first weight last; in
 * the table they are bytes, the values themselves. */
#include "quant/quant.h"

const int8_t ingle_iq2_values[16] = {8, 25, 43};
/* Eighths: 8 g + 1 for g of -1, 0, 1, then 8 g - 1. */
const int8_t ingle_iq1_values[16] = {-7, 1, 9, 0, -9, -1, 7};

#define NIBBLE(c, k) ((uint32_t)((c) >> 2 * (k)&3) << ((k) % 4 * 8 + (k) / 4 * 4))
#define NIBBLES(c)                                                                                 \
    (NIBBLE(c, 0) | NIBBLE(c, 1) | NIBBLE(c, 2) | NIBBLE(c, 3) | NIBBLE(c, 4) | NIBBLE(c, 5) |     \
     NIBBLE(c, 6) | NIBBLE(c, 7))
#define DIGIT(c, k) ((uint32_t)((c) >> 3 * (k)&7))
#define BYTES(c, V)                                                                                \
    (V(DIGIT(c, 0)) | V(DIGIT(c, 1)) << 8 | V(DIGIT(c, 2)) << 16 | V(DIGIT(c, 3)) << 24)
#define VALUE_IQ3_XXS(digit) (8 * (digit) + 4 + (digit) / 7 * 2) /* the last is 62 */
#define VALUE_IQ3_S(digit)   (2 * (digit) + 1)

/* Each grid_*.inc is a list of G(code). */
#define G(code) NIBBLES(0x##code),
const uint32_t ingle_grid_iq2xxs[256] = {
#include "quant/grid_iq2xxs.inc"
};

const uint32_t ingle_grid_iq2xs[512] = {
#include "quant/grid_iq2xs.inc"
};

const uint32_t ingle_grid_iq2s[1024] = {
#include "quant/grid_iq2s.inc"
};

const uint32_t ingle_grid_iq1s[2048] = {
#include "quant/grid_iq1s.inc"
};

#undef G
#define G(code) BYTES(0##code, VALUE_IQ3_XXS),
const uint32_t ingle_grid_iq3xxs[256] = {
#include "quant/grid_iq3xxs.inc"
};

#undef G
#define G(code) BYTES(0##code, VALUE_IQ3_S),
const uint32_t ingle_grid_iq3s[512] = {
#include "quant/grid_iq3s.inc"
};
