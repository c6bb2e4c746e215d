/* types.c - the table of weight types, made of the list, and the names of those we know but do not
 * read.
 * Depends on quant/quant.h, quant/types.h, quant/decode.h. */
#include "quant/quant.h"
#include "quant/decode.h"
#include "quant/types.h"

#define CHECK(NAME, fn, number, ...)                                                               \
    _Static_assert(INGLE_TYPE_##NAME == number, #NAME " has another number in ingle.h");
INGLE_TYPES(CHECK)

/* clang-format off */
#define ROW(act, plain, NAME, fn, number, tile, arm64, elems, bytes, sub, zero, min, head, ...)    \
    [INGLE_TYPE_##NAME] = {#NAME, elems, bytes, act, sub, zero, min, {__VA_ARGS__},                \
                           ingle_decode_##fn, plain, head},
/* clang-format on */
#define ROW_F(NAME, fn, ...) ROW(INGLE_ACT_F32, NULL, NAME, fn, __VA_ARGS__)
#define ROW_B(NAME, fn, ...) ROW(INGLE_ACT_Q32, ingle_plain_##fn, NAME, fn, __VA_ARGS__)
#define ROW_K(NAME, fn, ...) ROW(INGLE_ACT_Q256, ingle_plain_##fn, NAME, fn, __VA_ARGS__)

static const ingle_type_info table[INGLE_TYPE_COUNT] = {INGLE_TYPES_F(ROW_F) INGLE_TYPES_B(ROW_B)
                                                            INGLE_TYPES_K(ROW_K)};

/* Other numbers that were ever written into GGUF files. 4, 5, 31-33 and 36-38 are withdrawn, those
 * from 134 on are of ik_llama.cpp. */
static const char *const not_read[] = {
    [4] = "Q4_2",        [5] = "Q4_3",        [9] = "Q8_1",        [15] = "Q8_K",
    [24] = "I8",         [25] = "I16",        [26] = "I32",        [27] = "I64",
    [28] = "F64",        [31] = "Q4_0_4_4",   [32] = "Q4_0_4_8",   [33] = "Q4_0_8_8",
    [36] = "IQ4_NL_4_4", [37] = "IQ4_NL_4_8", [38] = "IQ4_NL_8_8", [134] = "IQ1_BN",
    [135] = "IQ2_BN",    [145] = "IQ2_KS",    [146] = "IQ4_KSS",   [153] = "IQ2_KT",
    [154] = "IQ3_KT",    [155] = "IQ4_KT",    [156] = "IQ3_KS",    [157] = "IQ2_KL",
    [158] = "IQ1_KT",
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
    const ingle_type_info *info = ingle_type_get(type);
    if (info) return info->name;
    return type < sizeof not_read / sizeof *not_read ? not_read[type] : NULL;
}

const char *ingle_type_supported_list(void)
{
    return "F32 F16 BF16 Q1_0 Q2_0 Q4_0 Q4_1 Q5_0 Q5_1 Q8_0 Q2_K-Q6_K IQ1_S IQ1_M IQ2_XXS IQ2_XS "
           "IQ2_S IQ3_XXS IQ3_S IQ4_NL IQ4_XS IQ2_K-IQ6_K IQ4_KS IQ5_KS MXFP4 NVFP4 TQ1_0 TQ2_0";
}

#define NAME_OF(NAME, ...)                                                                         \
    case INGLE_TYPE_##NAME: return #NAME;

/* No default: a type of ingle.h that the list lacks is a missing case. */
const char *ingle_type_name(ingle_type type)
{
    switch (type) {
        INGLE_TYPES(NAME_OF)
    case INGLE_TYPE_COUNT: break;
    }
    return NULL;
}
