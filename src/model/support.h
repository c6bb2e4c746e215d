/* support.h - what the table of families makes of a file, also of one that cannot run.
 * Owns       nothing. Depends on model/plan.h: a family is tried on a file by planning a few
 *             layers.
 * Invariant  needs no tensor data and refuses no file: what is wrong only counts against a
 *             family. */
#ifndef INGLE_MODEL_SUPPORT_H
#define INGLE_MODEL_SUPPORT_H

#include <ingle_tools.h>
#include "model/families.h"

/* The features of a row in words: "RMS norm, RoPE in halves, ..."; with hp also what the file's
 * keys say of them. As snprintf. */
int ingle_family_describe(const ingle_family *family, const ingle_hparams *hp, char *out,
                          size_t cap);

/* How a family and the tensors of a file fit. Names of layers count once: "blk.*.attn_q.weight". */
typedef struct ingle_fit {
    const ingle_family *family; /* NULL: no family could be tried */
    size_t n_known, n_missing;  /* names both have; names the family needs and the file has not */
    size_t n_unknown;           /* names of the file that mean nothing to the family */
    char unknown[512];          /* as many of them as fit, with commas */
} ingle_fit;

/* One family; or of all the one that fits best, and of equals the one with the most similar
 * name. */
ingle_status ingle_fit_family(ingle_fit *fit, const ingle_family *family, const ingle_gguf *g,
                              ingle_error *err);
ingle_status ingle_fit_nearest(ingle_fit *fit, const ingle_gguf *g, ingle_error *err);

#endif
