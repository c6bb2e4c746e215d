/* decode.h - the block readers that types.c puts into its table. Private to src/quant.
 * Depends on quant/quant.h. */
#ifndef INGLE_QUANT_DECODE_H
#define INGLE_QUANT_DECODE_H

#include "quant/quant.h"

#include <string.h>

typedef void ingle_decode_fn(const void *src, float *dst, size_t n_blocks);
typedef void ingle_plain_fn(const uint8_t *block, ingle_plain *out);

ingle_decode_fn ingle_decode_f32, ingle_decode_f16, ingle_decode_bf16;
ingle_decode_fn ingle_decode_q4_0, ingle_decode_q4_1, ingle_decode_q5_0, ingle_decode_q5_1;
ingle_decode_fn ingle_decode_q8_0, ingle_decode_iq4_nl, ingle_decode_mxfp4;
ingle_decode_fn ingle_decode_q2_k, ingle_decode_q3_k, ingle_decode_q4_k, ingle_decode_q5_k;
ingle_decode_fn ingle_decode_q6_k, ingle_decode_iq4_xs;
ingle_decode_fn ingle_decode_q1_0, ingle_decode_q2_0, ingle_decode_nvfp4;
ingle_decode_fn ingle_decode_tq1_0, ingle_decode_tq2_0, ingle_decode_iq1_s, ingle_decode_iq1_m;
ingle_decode_fn ingle_decode_iq2_xxs, ingle_decode_iq2_xs, ingle_decode_iq2_s;
ingle_decode_fn ingle_decode_iq3_xxs, ingle_decode_iq3_s, ingle_decode_iq2_k, ingle_decode_iq3_k;
ingle_decode_fn ingle_decode_iq4_k, ingle_decode_iq5_k, ingle_decode_iq6_k;
ingle_decode_fn ingle_decode_iq4_ks, ingle_decode_iq5_ks;

ingle_plain_fn ingle_plain_q4_0, ingle_plain_q4_1, ingle_plain_q5_0, ingle_plain_q5_1;
ingle_plain_fn ingle_plain_q8_0, ingle_plain_iq4_nl, ingle_plain_mxfp4;
ingle_plain_fn ingle_plain_q2_k, ingle_plain_q3_k, ingle_plain_q4_k, ingle_plain_q5_k;
ingle_plain_fn ingle_plain_q6_k, ingle_plain_iq4_xs;
ingle_plain_fn ingle_plain_q1_0, ingle_plain_q2_0, ingle_plain_nvfp4;
ingle_plain_fn ingle_plain_tq1_0, ingle_plain_tq2_0, ingle_plain_iq1_s, ingle_plain_iq1_m;
ingle_plain_fn ingle_plain_iq2_xxs, ingle_plain_iq2_xs, ingle_plain_iq2_s;
ingle_plain_fn ingle_plain_iq3_xxs, ingle_plain_iq3_s, ingle_plain_iq2_k, ingle_plain_iq3_k;
ingle_plain_fn ingle_plain_iq4_k, ingle_plain_iq5_k, ingle_plain_iq6_k;
ingle_plain_fn ingle_plain_iq4_ks, ingle_plain_iq5_ks;

static inline uint16_t ingle_u16_at(const uint8_t *p)
{
    uint16_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline uint32_t ingle_u32_at(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline float ingle_f16_at(const uint8_t *p)
{
    return ingle_f16_to_f32(ingle_u16_at(p));
}

#endif
