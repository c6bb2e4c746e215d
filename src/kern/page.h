/* page.h - the pages of keys and values: how many positions, and where the bytes of a head lie.
 * Depends on quant/quant.h. */
#ifndef INGLE_KERN_PAGE_H
#define INGLE_KERN_PAGE_H

#include "quant/quant.h"

#define INGLE_PAGE 32 /* positions per KV page */
#define INGLE_PAGE_GROUP                                                                           \
    8 /* pages per attention group: 256 positions, aligned to absolute position */

/* One page of one layer and kv head, kernel-ready. Element type T by kv_type (F32, F16, BF16):
 *     K [head_dim][32 positions] T                         lanes are positions
 *     V [32 positions][head_dim rounded up to 16] T         lanes are dimensions
 * Q8_0: int8 in the same shapes; then f32 scales K [ceil(head_dim/32)][32], V [32][ceil(head_dim/32)].
 * The parts follow one another, each 64-byte aligned: K, K scales, V, V scales. */
typedef struct ingle_kv_shape {
    ingle_type type;
    size_t head_dim_k, head_dim_v;
    size_t k_scale, v, v_scale, bytes; /* byte offsets in a page slot, and its size */
} ingle_kv_shape;
/* False if the type is not one of F32 F16 BF16 Q8_0. */
bool ingle_kv_shape_init(ingle_kv_shape *s, ingle_type type, size_t head_dim_k, size_t head_dim_v);

#endif
