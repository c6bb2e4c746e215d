/* arm64.h - the kernels of AArch64, one installer per ISA level.
 * Owns       nothing.
 * Depends on kern/kern.h. */
#ifndef INGLE_KERN_ARM64_ARM64_H
#define INGLE_KERN_ARM64_ARM64_H

#include "kern/kern.h"

/* Rows, products with float weights, KV pages, attention: the same at every level. */
void ingle_kern_float_neon(ingle_kern *k);

/* Overwrite what the level does with quantised weights: quantise, gemv, gemm, gemm_panels,
 * scratch_bytes; I8MM only gemm, over DOTPROD's. */
void ingle_kern_neon_matmul(ingle_kern *k);
void ingle_kern_dotprod_matmul(ingle_kern *k);
void ingle_kern_i8mm_matmul(ingle_kern *k);

#endif
