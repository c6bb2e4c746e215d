/* types.c - the table of weight types, and the names of those we know but do not read.
 * Depends on quant/quant.h, quant/decode.h. Field offsets are facts of the GGUF file format. */
#include "quant/quant.h"
#include "quant/decode.h"

/* One row per class of types: name, function suffix, bytes of a block, then what differs. */
/* clang-format off */
#define FIELDS(...) {__VA_ARGS__}
#define F(NAME, fn, bytes, fields)                                                                 \
    [INGLE_TYPE_##NAME] = {#NAME, 1, bytes, INGLE_ACT_F32, 0, 0, false, fields,                    \
                           ingle_decode_##fn, NULL, 0}
#define B(NAME, fn, bytes, zero, has_min, fields)                                                  \
    [INGLE_TYPE_##NAME] = {#NAME, 32, bytes, INGLE_ACT_Q32, 32, zero, has_min, fields,             \
                           ingle_decode_##fn, ingle_plain_##fn, 0}
#define RUNS(NAME, fn, elems, bytes, sub, zero, fields)                                            \
    [INGLE_TYPE_##NAME] = {#NAME, elems, bytes, INGLE_ACT_Q32, sub, zero, false, fields,           \
                           ingle_decode_##fn, ingle_plain_##fn, 0}
#define K(NAME, fn, bytes, sub, zero, has_min, fields)                                             \
    [INGLE_TYPE_##NAME] = {#NAME, 256, bytes, INGLE_ACT_Q256, sub, zero, has_min, fields,          \
                           ingle_decode_##fn, ingle_plain_##fn, 0}
#define ROWS(NAME, fn, bytes, fields)                                                              \
    [INGLE_TYPE_##NAME] = {#NAME, 256, bytes, INGLE_ACT_Q256, 32, 128, false, fields,              \
                           ingle_decode_##fn, ingle_plain_##fn, 4}
/* clang-format on */

/* Fields {offset, units, bytes per unit} stand in the order of the block, as do their sections. */
static const ingle_type_info table[INGLE_TYPE_COUNT] = {
    F(F32, f32, 4, FIELDS({0, 1, 4})),
    F(F16, f16, 2, FIELDS({0, 1, 2})),
    F(BF16, bf16, 2, FIELDS({0, 1, 2})),
    B(Q4_0, q4_0, 18, 8, false, FIELDS({0, 1, 2} /* d */, {2, 4, 4} /* qs */)),
    B(Q4_1, q4_1, 20, 0, true, FIELDS({0, 1, 2} /* d */, {2, 1, 2} /* m */, {4, 4, 4} /* qs */)),
    B(Q5_0, q5_0, 22, 16, false, FIELDS({0, 1, 2} /* d */, {2, 1, 4} /* qh */, {6, 4, 4} /* qs */)),
    B(Q5_1, q5_1, 24, 0, true,
      FIELDS({0, 1, 2} /* d */, {2, 1, 2} /* m */, {4, 1, 4} /* qh */, {8, 4, 4} /* qs */)),
    B(Q8_0, q8_0, 34, 128, false, FIELDS({0, 1, 2} /* d */, {2, 8, 4} /* qs */)),
    B(IQ4_NL, iq4_nl, 18, 128, false, FIELDS({0, 1, 2} /* d */, {2, 4, 4} /* qs */)),
    B(MXFP4, mxfp4, 17, 16, false, FIELDS({0, 1, 1} /* e */, {1, 4, 4} /* qs */)),
    RUNS(Q1_0, q1_0, 128, 18, 32, 1, FIELDS({0, 1, 2} /* d */, {2, 4, 4} /* qs */)),
    RUNS(Q2_0, q2_0, 64, 18, 32, 1, FIELDS({0, 1, 2} /* d */, {2, 4, 4} /* qs */)),
    RUNS(NVFP4, nvfp4, 64, 36, 16, 16, FIELDS({0, 4, 1} /* d */, {4, 8, 4} /* qs */)),
    K(Q2_K, q2_k, 84, 16, 0, true,
      FIELDS({0, 16, 1} /* scales */, {16, 16, 4} /* qs */, {80, 1, 2} /* d */,
             {82, 1, 2} /* dmin */)),
    K(Q3_K, q3_k, 110, 16, 4, false,
      FIELDS({0, 8, 4} /* hmask */, {32, 16, 4} /* qs */, {96, 12, 1} /* scales */,
             {108, 1, 2} /* d */)),
    K(Q4_K, q4_k, 144, 32, 0, true,
      FIELDS({0, 1, 2} /* d */, {2, 1, 2} /* dmin */, {4, 12, 1} /* scales */,
             {16, 32, 4} /* qs */)),
    K(Q5_K, q5_k, 176, 32, 0, true,
      FIELDS({0, 1, 2} /* d */, {2, 1, 2} /* dmin */, {4, 12, 1} /* scales */, {16, 8, 4} /* qh */,
             {48, 32, 4} /* qs */)),
    K(Q6_K, q6_k, 210, 16, 32, false,
      FIELDS({0, 32, 4} /* ql */, {128, 16, 4} /* qh */, {192, 16, 1} /* scales */,
             {208, 1, 2} /* d */)),
    K(IQ4_XS, iq4_xs, 136, 32, 128, false,
      FIELDS({0, 1, 2} /* d */, {2, 1, 2} /* scales_h */, {4, 4, 1} /* scales_l */,
             {8, 32, 4} /* qs */)),
    K(TQ1_0, tq1_0, 54, 32, 1, false,
      FIELDS({0, 12, 4} /* qs */, {48, 1, 4} /* qh */, {52, 1, 2} /* d */)),
    K(TQ2_0, tq2_0, 66, 32, 1, false, FIELDS({0, 16, 4} /* qs */, {64, 1, 2} /* d */)),
    K(IQ1_S, iq1_s, 50, 32, 128, false,
      FIELDS({0, 1, 2} /* d */, {2, 8, 4} /* qs */, {34, 8, 2} /* qh */)),
    K(IQ1_M, iq1_m, 56, 16, 128, false,
      FIELDS({0, 8, 4} /* qs */, {32, 16, 1} /* qh */, {48, 4, 2} /* scales */)),
    K(IQ2_XXS, iq2_xxs, 66, 32, 128, false, FIELDS({0, 1, 2} /* d */, {2, 16, 4} /* qs */)),
    K(IQ2_XS, iq2_xs, 74, 16, 128, false,
      FIELDS({0, 1, 2} /* d */, {2, 16, 4} /* qs */, {66, 8, 1} /* scales */)),
    K(IQ2_S, iq2_s, 82, 16, 128, false,
      FIELDS({0, 1, 2} /* d */, {2, 8, 4} /* qs */, {34, 8, 4} /* signs */, {66, 8, 1} /* qh */,
             {74, 8, 1} /* scales */)),
    K(IQ3_XXS, iq3_xxs, 98, 32, 128, false,
      FIELDS({0, 1, 2} /* d */, {2, 16, 4} /* qs */, {66, 8, 4} /* signs and scales */)),
    K(IQ3_S, iq3_s, 110, 32, 128, false,
      FIELDS({0, 1, 2} /* d */, {2, 16, 4} /* qs */, {66, 8, 1} /* qh */, {74, 8, 4} /* signs */,
             {106, 4, 1} /* scales */)),
    K(IQ2_K, iq2_k, 76, 16, 128, false,
      FIELDS({0, 2, 2} /* d, shifts */, {4, 8, 1} /* scales */, {12, 16, 4} /* qs */)),
    K(IQ3_K, iq3_k, 110, 16, 128, false,
      FIELDS({0, 3, 2} /* d, shifts, signs of scales */, {6, 8, 1} /* scales */,
             {14, 16, 4} /* qs */, {78, 8, 4} /* qh */)),
    K(IQ4_K, iq4_k, 144, 16, 128, false,
      FIELDS({0, 2, 2} /* d, shifts */, {4, 4, 1} /* scales_h */, {8, 8, 1} /* scales_l */,
             {16, 32, 4} /* qs */)),
    K(IQ5_K, iq5_k, 176, 16, 128, false,
      FIELDS({0, 2, 2} /* d, shifts */, {4, 4, 1} /* scales_h */, {8, 8, 1} /* scales_l */,
             {16, 32, 4} /* qs */, {144, 8, 4} /* qh */)),
    K(IQ6_K, iq6_k, 212, 16, 128, false,
      FIELDS({0, 2, 2} /* d, shifts */, {4, 16, 1} /* scales */, {20, 32, 4} /* qs */,
             {148, 16, 4} /* qh */)),
    ROWS(IQ4_KS, iq4_ks, 136, FIELDS({0, 8, 1} /* scales and shifts */, {8, 32, 4} /* qs */)),
    ROWS(IQ5_KS, iq5_ks, 168,
         FIELDS({0, 8, 1} /* scales and shifts */, {8, 32, 4} /* qs */, {136, 8, 4} /* qh */)),
};

/* Every number that was ever written into GGUF files. 4, 5, 31-33 and 36-38 are withdrawn. */
static const char *const known[] = {
    "F32",   "F16",        "Q4_0",       "Q4_1",       "Q4_2",     "Q4_3",     "Q5_0",
    "Q5_1",  "Q8_0",       "Q8_1",       "Q2_K",       "Q3_K",     "Q4_K",     "Q5_K",
    "Q6_K",  "Q8_K",       "IQ2_XXS",    "IQ2_XS",     "IQ3_XXS",  "IQ1_S",    "IQ4_NL",
    "IQ3_S", "IQ2_S",      "IQ4_XS",     "I8",         "I16",      "I32",      "I64",
    "F64",   "IQ1_M",      "BF16",       "Q4_0_4_4",   "Q4_0_4_8", "Q4_0_8_8", "TQ1_0",
    "TQ2_0", "IQ4_NL_4_4", "IQ4_NL_4_8", "IQ4_NL_8_8", "MXFP4",    "NVFP4",    "Q1_0",
    "Q2_0",
};

/* Of ik_llama.cpp, from FIRST_IK on; NULL where none was found in files. */
#define FIRST_IK 134
static const char *const known_ik[] = {
    "IQ1_BN", "IQ2_BN", NULL,     "IQ2_K",   "IQ3_K",  "IQ4_K",  "IQ5_K",  "IQ6_K", NULL,
    NULL,     "IQ4_KS", "IQ2_KS", "IQ4_KSS", NULL,     NULL,     NULL,     NULL,    NULL,
    "IQ5_KS", "IQ2_KT", "IQ3_KT", "IQ4_KT",  "IQ3_KS", "IQ2_KL", "IQ1_KT",
};

const ingle_type_info *ingle_type_get(unsigned type)
{
    return type < INGLE_TYPE_COUNT && table[type].name ? &table[type] : NULL;
}

bool ingle_type_bytes(const ingle_type_info *t, uint64_t n_rows, uint64_t n_cols, uint64_t *bytes)
{
    uint64_t row;
    return !__builtin_mul_overflow(n_cols / t->block_elems, t->block_bytes, &row) &&
           !__builtin_add_overflow(row, t->row_head, &row) &&
           !__builtin_mul_overflow(row, n_rows, bytes);
}

const char *ingle_type_known_name(unsigned type)
{
    if (type < sizeof known / sizeof *known) return known[type];
    if (type < FIRST_IK || type - FIRST_IK >= sizeof known_ik / sizeof *known_ik) return NULL;
    return known_ik[type - FIRST_IK];
}

const char *ingle_type_supported_list(void)
{
    return "F32 F16 BF16 Q1_0 Q2_0 Q4_0 Q4_1 Q5_0 Q5_1 Q8_0 Q2_K-Q6_K IQ1_S IQ1_M IQ2_XXS IQ2_XS "
           "IQ2_S IQ3_XXS IQ3_S IQ4_NL IQ4_XS IQ2_K-IQ6_K IQ4_KS IQ5_KS MXFP4 NVFP4 TQ1_0 TQ2_0";
}

const char *ingle_type_name(ingle_type type)
{
    const ingle_type_info *info = ingle_type_get((unsigned)type);
    return info ? info->name : NULL;
}
