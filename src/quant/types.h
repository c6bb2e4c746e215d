/* types.h - the list of weight types. All that is done type by type is made from it: the table of
 * types.c, the decoders of decode.c, the kernels of every level.
 * Depends on include/ingle.h. Field offsets are facts of the GGUF file format.
 *
 * A new type takes a constant in ingle.h, a row here, its ingle_plain_*() in decode*.c, how it
 * unpacks in kern/x86/weights.inc.h, and its name in ingle_type_supported_list(). If one of these
 * is missing the compiler says so, or test_quant.
 *
 *     NAME    of INGLE_TYPE_NAME, and what people call it
 *     fn      suffix of its functions
 *     no.     in GGUF files
 *     tile    what multiplies it in gemm: the table tiles_* of the level (kern/x86/matmul_*.c,
 *             kern/arm64/matmul.inc.h). kSUB_MOST: weights from a table, SUB to a scale, none above
 *             MOST or below -MOST (-128 where MOST is 127)
 *     arm64   ARM64: AArch64 has kernels of its own; PORTABLE: it takes those of kern/ref
 *     elems   weights of a block
 *     bytes   of a block
 *     sub     weights per scale: class K 16 or 32, class B a run
 *     zero    what the unsigned weight is offset by: a power of two, or 0
 *     min     whether a block has one
 *     head    bytes in front of a row's blocks: 0, or 4 with the d of all of them
 *     fields  {offset, units, bytes per unit}, in the order of the block, as are their sections */
#ifndef INGLE_QUANT_TYPES_H
#define INGLE_QUANT_TYPES_H

#include <ingle.h>

/* clang-format off */
/*    NAME     fn       no.  tile     arm64     elems bytes sub zero min   head, fields */

/* Class F. Its products are not of this kind: kern/matmul_f.inc.h. */
#define INGLE_TYPES_F(X)                                                                           \
    X(F32,     f32,     0,   none,    PORTABLE, 1,   4,   0,  0,   false, 0,                       \
      {0, 1, 4})                                                                                   \
    X(F16,     f16,     1,   none,    PORTABLE, 1,   2,   0,  0,   false, 0,                       \
      {0, 1, 2})                                                                                   \
    X(BF16,    bf16,    30,  none,    PORTABLE, 1,   2,   0,  0,   false, 0,                       \
      {0, 1, 2})

/* Class B. */
#define INGLE_TYPES_B(X)                                                                           \
    X(Q4_0,    q4_0,    2,   q4_0,    ARM64,    32,  18,  32, 8,   false, 0,                       \
      {0, 1, 2} /* d */, {2, 4, 4} /* qs */)                                                       \
    X(Q4_1,    q4_1,    3,   q4_1,    ARM64,    32,  20,  32, 0,   true,  0,                       \
      {0, 1, 2} /* d */, {2, 1, 2} /* m */, {4, 4, 4} /* qs */)                                    \
    X(Q5_0,    q5_0,    6,   q5_0,    ARM64,    32,  22,  32, 16,  false, 0,                       \
      {0, 1, 2} /* d */, {2, 1, 4} /* qh */, {6, 4, 4} /* qs */)                                   \
    X(Q5_1,    q5_1,    7,   q5_1,    ARM64,    32,  24,  32, 0,   true,  0,                       \
      {0, 1, 2} /* d */, {2, 1, 2} /* m */, {4, 1, 4} /* qh */, {8, 4, 4} /* qs */)                \
    X(Q8_0,    q8_0,    8,   q8_0,    ARM64,    32,  34,  32, 128, false, 0,                       \
      {0, 1, 2} /* d */, {2, 8, 4} /* qs */)                                                       \
    X(IQ4_NL,  iq4_nl,  20,  q8_0,    ARM64,    32,  18,  32, 128, false, 0,                       \
      {0, 1, 2} /* d */, {2, 4, 4} /* qs */)                                                       \
    X(MXFP4,   mxfp4,   39,  q5_0,    ARM64,    32,  17,  32, 16,  false, 0,                       \
      {0, 1, 1} /* e */, {1, 4, 4} /* qs */)                                                       \
    X(NVFP4,   nvfp4,   40,  nvfp4,   PORTABLE, 64,  36,  16, 16,  false, 0,                       \
      {0, 4, 1} /* d */, {4, 8, 4} /* qs */)                                                       \
    X(Q1_0,    q1_0,    41,  q1_0,    PORTABLE, 128, 18,  32, 1,   false, 0,                       \
      {0, 1, 2} /* d */, {2, 4, 4} /* qs */)                                                       \
    X(Q2_0,    q2_0,    42,  q1_0,    PORTABLE, 64,  18,  32, 1,   false, 0,                       \
      {0, 1, 2} /* d */, {2, 4, 4} /* qs */)

/* Class K, as far as weights are entries of a codebook. */
#define INGLE_TYPES_BOOK(X)                                                                        \
    X(IQ2_XXS, iq2_xxs, 16,  k32_62,  PORTABLE, 256, 66,  32, 128, false, 0,                       \
      {0, 1, 2} /* d */, {2, 16, 4} /* qs */)                                                      \
    X(IQ2_XS,  iq2_xs,  17,  k16_62,  PORTABLE, 256, 74,  16, 128, false, 0,                       \
      {0, 1, 2} /* d */, {2, 16, 4} /* qs */, {66, 8, 1} /* scales */)                             \
    X(IQ3_XXS, iq3_xxs, 18,  k32_62,  PORTABLE, 256, 98,  32, 128, false, 0,                       \
      {0, 1, 2} /* d */, {2, 16, 4} /* qs */, {66, 8, 4} /* signs and scales */)                   \
    X(IQ1_S,   iq1_s,   19,  k32_15,  PORTABLE, 256, 50,  32, 128, false, 0,                       \
      {0, 1, 2} /* d */, {2, 8, 4} /* qs */, {34, 8, 2} /* qh */)                                  \
    X(IQ3_S,   iq3_s,   21,  k32_15,  PORTABLE, 256, 110, 32, 128, false, 0,                       \
      {0, 1, 2} /* d */, {2, 16, 4} /* qs */, {66, 8, 1} /* qh */, {74, 8, 4} /* signs */,         \
      {106, 4, 1} /* scales */)                                                                    \
    X(IQ2_S,   iq2_s,   22,  k16_62,  PORTABLE, 256, 82,  16, 128, false, 0,                       \
      {0, 1, 2} /* d */, {2, 8, 4} /* qs */, {34, 8, 4} /* signs */, {66, 8, 1} /* qh */,          \
      {74, 8, 1} /* scales */)                                                                     \
    X(IQ1_M,   iq1_m,   29,  k16_9,   PORTABLE, 256, 56,  16, 128, false, 0,                       \
      {0, 8, 4} /* qs */, {32, 16, 1} /* qh */, {48, 4, 2} /* scales */)

/* Class K. */
#define INGLE_TYPES_K(X)                                                                           \
    X(Q2_K,    q2_k,    10,  q2_k,    ARM64,    256, 84,  16, 0,   true,  0,                       \
      {0, 16, 1} /* scales */, {16, 16, 4} /* qs */, {80, 1, 2} /* d */, {82, 1, 2} /* dmin */)    \
    X(Q3_K,    q3_k,    11,  q3_k,    ARM64,    256, 110, 16, 4,   false, 0,                       \
      {0, 8, 4} /* hmask */, {32, 16, 4} /* qs */, {96, 12, 1} /* scales */, {108, 1, 2} /* d */)  \
    X(Q4_K,    q4_k,    12,  q4_k,    ARM64,    256, 144, 32, 0,   true,  0,                       \
      {0, 1, 2} /* d */, {2, 1, 2} /* dmin */, {4, 12, 1} /* scales */, {16, 32, 4} /* qs */)      \
    X(Q5_K,    q5_k,    13,  q5_k,    ARM64,    256, 176, 32, 0,   true,  0,                       \
      {0, 1, 2} /* d */, {2, 1, 2} /* dmin */, {4, 12, 1} /* scales */, {16, 8, 4} /* qh */,       \
      {48, 32, 4} /* qs */)                                                                        \
    X(Q6_K,    q6_k,    14,  q6_k,    ARM64,    256, 210, 16, 32,  false, 0,                       \
      {0, 32, 4} /* ql */, {128, 16, 4} /* qh */, {192, 16, 1} /* scales */, {208, 1, 2} /* d */)  \
    X(IQ4_XS,  iq4_xs,  23,  k32_127, ARM64,    256, 136, 32, 128, false, 0,                       \
      {0, 1, 2} /* d */, {2, 1, 2} /* scales_h */, {4, 4, 1} /* scales_l */, {8, 32, 4} /* qs */)  \
    X(TQ1_0,   tq1_0,   34,  tq,      PORTABLE, 256, 54,  32, 1,   false, 0,                       \
      {0, 12, 4} /* qs */, {48, 1, 4} /* qh */, {52, 1, 2} /* d */)                                \
    X(TQ2_0,   tq2_0,   35,  tq,      PORTABLE, 256, 66,  32, 1,   false, 0,                       \
      {0, 16, 4} /* qs */, {64, 1, 2} /* d */)                                                     \
    X(IQ2_K,   iq2_k,   137, k16_31,  PORTABLE, 256, 76,  16, 128, false, 0,                       \
      {0, 2, 2} /* d, shifts */, {4, 8, 1} /* scales */, {12, 16, 4} /* qs */)                     \
    X(IQ3_K,   iq3_k,   138, k16_62,  PORTABLE, 256, 110, 16, 128, false, 0,                       \
      {0, 3, 2} /* d, shifts, signs of scales */, {6, 8, 1} /* scales */, {14, 16, 4} /* qs */,    \
      {78, 8, 4} /* qh */)                                                                         \
    X(IQ4_K,   iq4_k,   139, k16_127, PORTABLE, 256, 144, 16, 128, false, 0,                       \
      {0, 2, 2} /* d, shifts */, {4, 4, 1} /* scales_h */, {8, 8, 1} /* scales_l */,               \
      {16, 32, 4} /* qs */)                                                                        \
    X(IQ5_K,   iq5_k,   140, k16_127, PORTABLE, 256, 176, 16, 128, false, 0,                       \
      {0, 2, 2} /* d, shifts */, {4, 4, 1} /* scales_h */, {8, 8, 1} /* scales_l */,               \
      {16, 32, 4} /* qs */, {144, 8, 4} /* qh */)                                                  \
    X(IQ6_K,   iq6_k,   141, k16_127, PORTABLE, 256, 212, 16, 128, false, 0,                       \
      {0, 2, 2} /* d, shifts */, {4, 16, 1} /* scales */, {20, 32, 4} /* qs */,                    \
      {148, 16, 4} /* qh */)                                                                       \
    X(IQ4_KS,  iq4_ks,  144, k32_127, PORTABLE, 256, 136, 32, 128, false, 4,                       \
      {0, 8, 1} /* scales and shifts */, {8, 32, 4} /* qs */)                                      \
    X(IQ5_KS,  iq5_ks,  152, k32_127, PORTABLE, 256, 168, 32, 128, false, 4,                       \
      {0, 8, 1} /* scales and shifts */, {8, 32, 4} /* qs */, {136, 8, 4} /* qh */)                \
    INGLE_TYPES_BOOK(X)
/* clang-format on */

#define INGLE_TYPES_QUANTISED(X) INGLE_TYPES_B(X) INGLE_TYPES_K(X)
#define INGLE_TYPES(X)           INGLE_TYPES_F(X) INGLE_TYPES_QUANTISED(X)

/* Whether `type` is in a list: INGLE_TYPES_K(INGLE_TYPE_IS_OR) false. */
#define INGLE_TYPE_IS_OR(NAME, ...) type == INGLE_TYPE_##NAME ||

/* What a switch over types leaves out, so that it needs no default and a missing case is an error:
 * `case INGLE_NOT_QUANTISED: break;`. */
#define INGLE_OR_CASE(NAME, ...) : case INGLE_TYPE_##NAME
#define INGLE_NOT_QUANTISED INGLE_TYPE_COUNT INGLE_TYPES_F(INGLE_OR_CASE)
#define INGLE_NOT_K         INGLE_NOT_QUANTISED INGLE_TYPES_B(INGLE_OR_CASE)

#endif
