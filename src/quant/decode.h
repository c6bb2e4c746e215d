/* decode.h - the block readers that types.c puts into its table. Private to src/quant.
 * Depends on quant/quant.h, quant/types.h. */
#ifndef INGLE_QUANT_DECODE_H
#define INGLE_QUANT_DECODE_H

#include "quant/quant.h"
#include "quant/types.h"

#include <string.h>

typedef void ingle_decode_fn(const void *src, float *dst, size_t n_blocks);
typedef void ingle_plain_fn(const uint8_t *block, ingle_plain *out);

#define INGLE_DECODE(NAME, fn, ...) ingle_decode_fn ingle_decode_##fn;
#define INGLE_PLAIN(NAME, fn, ...)  ingle_plain_fn ingle_plain_##fn;
INGLE_TYPES(INGLE_DECODE)
INGLE_TYPES_QUANTISED(INGLE_PLAIN)

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
