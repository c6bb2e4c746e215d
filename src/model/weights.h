/* weights.h - the tensors of a model: matrices packed for the kernels, vectors as f32.
 * Owns       one arena with all of them.
 * Depends on gguf/gguf.h, quant/quant.h, base/pool.h.
 * Invariant  offsets are planned before anything is allocated: ingle_weights_bytes() is exact. */
#ifndef INGLE_MODEL_WEIGHTS_H
#define INGLE_MODEL_WEIGHTS_H

#include "base/pool.h"
#include "gguf/gguf.h"
#include "quant/quant.h"

typedef struct ingle_matrix {
    const ingle_gguf_tensor *tensor;
    size_t offset; /* in the arena */
    ingle_packed packed;
} ingle_matrix;

typedef struct ingle_vector {
    const ingle_gguf_tensor *tensor;
    size_t offset, n;
    const float *data;
} ingle_vector;

typedef struct ingle_weights {
    ingle_matrix *matrix;
    size_t n_matrix, cap_matrix;
    ingle_vector *vector;
    size_t n_vector, cap_vector;
    bool *used;
    size_t n_tensors; /* by index in the GGUF: claimed by the plan */
    size_t bytes;
    uint8_t *mem;
} ingle_weights;

ingle_status ingle_weights_init(ingle_weights *w, const ingle_gguf *g, ingle_error *err);
void ingle_weights_free(ingle_weights *w);

/* Claim a tensor by name; *index names it from now on. A matrix is [n_cols] fastest by [n_rows]. */
ingle_status ingle_weights_matrix(ingle_weights *w, const ingle_gguf *g, const char *name,
                                  size_t n_rows, size_t n_cols, uint32_t *index, ingle_error *err);
ingle_status ingle_weights_vector(ingle_weights *w, const ingle_gguf *g, const char *name, size_t n,
                                  uint32_t *index, ingle_error *err);

/* Reads and packs everything with n_threads threads. progress may be NULL; it runs on the calling
 * thread. */
ingle_status ingle_weights_load(ingle_weights *w, const ingle_gguf *g, int n_threads,
                                bool (*progress)(void *user, double share), void *user,
                                ingle_error *err);

#endif
