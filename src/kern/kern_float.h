/* kern_float.h - the float half of each level: rows, F32/F16/BF16 matmuls, KV pages, attention, and
 *                the machine's limits.
 * Depends on kern/kern.h. Private to src/kern. */

#ifndef INGLE_KERN_FLOAT_H
#define INGLE_KERN_FLOAT_H

#include "kern/kern.h"

void ingle_kern_float_ref(ingle_kern *k);
void ingle_kern_float_avx2(ingle_kern *k);
void ingle_kern_float_avx512(ingle_kern *k);

#endif
