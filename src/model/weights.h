/* weights.h - what a plan claims of a file's tensors: matrices and vectors by number.
 * Owns       the lists; store.h says where the bytes lie.
 * Depends on gguf/gguf.h, quant/quant.h. */
#ifndef INGLE_MODEL_WEIGHTS_H
#define INGLE_MODEL_WEIGHTS_H

#include "gguf/gguf.h"
#include "quant/quant.h"

typedef struct ingle_matrix {
    const ingle_gguf_tensor *tensor;
    size_t first_row; /* of the tensor; a fused tensor is several matrices */
    bool pair;        /* of two rows of the tensor, first_row and second_row */
    size_t second_row;
    bool mapped;         /* stays rows of the file */
    ingle_packed packed; /* its shape, without data */
} ingle_matrix;

typedef struct ingle_vector {
    const ingle_gguf_tensor *tensor;
    size_t first; /* element of the tensor */
    size_t turn;  /* rows it was in the file, which are columns here; 0: as in the file */
    size_t n;
} ingle_vector;

typedef struct ingle_weights {
    bool in_place;    /* all matrices are mapped */
    bool map_experts; /* those of experts are */
    bool probe;       /* claims of any name and shape succeed and take nothing: only counted */
    size_t n_missing; /* of them: names the file lacks, those of the first layer for all */
    ingle_matrix *matrix;
    size_t n_matrix, cap_matrix;
    ingle_vector *vector;
    size_t n_vector, cap_vector;
    bool *used;
    size_t n_tensors; /* by index in the GGUF: claimed by the plan */
} ingle_weights;

ingle_status ingle_weights_init(ingle_weights *w, const ingle_gguf *g, bool in_place,
                                bool map_experts, ingle_error *err);
void ingle_weights_free(ingle_weights *w);

/* Claim a tensor by name, or a part of it; *index names that from now on. The tensor should be
 * [n_cols] fastest by [n_all]; the matrix is its rows first .. first + n_rows - 1. */
ingle_status ingle_weights_matrix(ingle_weights *w, const ingle_gguf *g, const char *name,
                                  size_t first, size_t n_rows, size_t n_all, size_t n_cols,
                                  uint32_t *index, ingle_error *err);
/* The matrix of two rows of a tensor [n_cols] fastest by [n_all], wherever they are; never
 * mapped. */
ingle_status ingle_weights_pair(ingle_weights *w, const ingle_gguf *g, const char *name,
                                const uint32_t rows[2], size_t n_all, size_t n_cols,
                                uint32_t *index, ingle_error *err);
/* The experts of a tensor [n_cols] fastest by [n_all] by [n]: n matrices of rows first .. first +
 * n_rows - 1 of each, indices *index and on. */
ingle_status ingle_weights_experts(ingle_weights *w, const ingle_gguf *g, const char *name,
                                   size_t n, size_t first, size_t n_rows, size_t n_all,
                                   size_t n_cols, uint32_t *index, ingle_error *err);
/* The same of whole matrices, never mapped apart. */
ingle_status ingle_weights_matrices(ingle_weights *w, const ingle_gguf *g, const char *name,
                                    size_t n, size_t n_rows, size_t n_cols, uint32_t *index,
                                    ingle_error *err);
/* Elements first .. first + n - 1 of n_all. */
ingle_status ingle_weights_vector(ingle_weights *w, const ingle_gguf *g, const char *name,
                                  size_t first, size_t n, size_t n_all, uint32_t *index,
                                  ingle_error *err);
/* A tensor [n] fastest by [n_vectors], as one vector after the other. */
ingle_status ingle_weights_vectors(ingle_weights *w, const ingle_gguf *g, const char *name,
                                   size_t n, size_t n_vectors, uint32_t *index, ingle_error *err);

/* Row `row` of a tensor [n] fastest by any number of rows, as a vector. */
ingle_status ingle_weights_row(ingle_weights *w, const ingle_gguf *g, const char *name, size_t n,
                               size_t row, uint32_t *index, ingle_error *err);
/* A tensor [n] fastest by [n_vectors] turned over: n runs of one element of each vector. */
ingle_status ingle_weights_turned(ingle_weights *w, const ingle_gguf *g, const char *name, size_t n,
                                  size_t n_vectors, uint32_t *index, ingle_error *err);

#endif
