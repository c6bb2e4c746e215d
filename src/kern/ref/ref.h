/* ref.h - the portable kernels: every slot of the table in plain C, which the other levels are
 * compared with.
 * Depends on kern/kern.h. Private to src/kern and its tests. */
#ifndef INGLE_KERN_REF_H
#define INGLE_KERN_REF_H

#include "kern/kern.h"

/* Fills quantise, gemv, gemm, gemm_panels and scratch_bytes. */
void ingle_kern_ref_matmul(ingle_kern *k);

/* The quantise slot (quant.h, ARITHMETIC). Nothing to do for class F, whose rows are used as they
 * are. */
void ingle_ref_quantise(const ingle_acts *a, size_t t, const float *x);

#endif
