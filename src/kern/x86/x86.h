/* x86.h - the matmul kernels of x86-64, one installer per ISA level.
 * Owns       nothing.
 * Depends on kern/kern.h. */
#ifndef INGLE_KERN_X86_X86_H
#define INGLE_KERN_X86_X86_H

#include "kern/kern.h"

/* Overwrite what the level does with quantised weights: quantise, gemv, gemm, gemm_panels,
 * scratch_bytes. */
void ingle_kern_avx2_matmul(ingle_kern *k);
void ingle_kern_avxvnni_matmul(ingle_kern *k);
void ingle_kern_avx512_matmul(ingle_kern *k);
/* The codebook types once more, over ingle_kern_avx512_matmul(), with VBMI and BITALG. */
void ingle_kern_avx512vbmi_books(ingle_kern *k);
/* BF16 weights once more, over the float kernels: gemv, gemm and peak_bf16. scratch_bytes is what
 * these alone need. */
void ingle_kern_avx512bf16_matmul(ingle_kern *k);

#endif
