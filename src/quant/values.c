/* values.c - what the indices of IQ4, MXFP4, NVFP4 and ik_llama.cpp's IQ2_K to IQ6_K stand for:
 * facts of the GGUF file format.
 * Owns       the tables.
 * Depends on quant/quant.h. */
#include "quant/quant.h"

const int8_t ingle_iq4nl_values[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                       1,    13,   25,  38,  53,  69,  89,  113};
const int8_t ingle_mxfp4_values[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};
const int8_t ingle_iq2k_values[16] = {-31, -13, 1, 17};
const int8_t ingle_iq3k_values[16] = {-63, -40, -23, -10, 1, 13, 28, 47};
const int8_t ingle_iq5k_values[32] = {-126, -114, -103, -92, -83, -74, -65, -57, -50, -43, -36,
                                      -30,  -24,  -18,  -12, -6,  -1,  5,   11,  17,  23,  29,
                                      36,   43,   51,   59,  68,  77,  87,  97,  109, 121};
const int8_t ingle_iq6k_values[64] = {
    -127, -121, -115, -109, -104, -98, -93, -88, -84, -79, -74, -70, -66, -62, -58, -54,
    -51,  -47,  -44,  -40,  -37,  -34, -31, -28, -25, -22, -19, -16, -13, -11, -8,  -5,
    -2,   0,    3,    6,    9,    12,  14,  17,  20,  23,  27,  30,  33,  36,  40,  44,
    47,   51,   55,   59,   63,   68,  72,  77,  82,  87,  92,  98,  103, 109, 115, 121};
