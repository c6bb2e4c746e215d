/* store.h - the weights as they lie in memory of this host: matrices packed for the kernels or
 * mapped, vectors as f32.
 * Owns       the arena and the mapped files.
 * Depends on model/weights.h. Only backends of this host read what it holds.
 * Invariant  places are planned before anything is allocated: `bytes` is exact. Every mapped row
 *            lies within a mapping, which the checks of gguf.h found to lie within its file. */
#ifndef INGLE_MODEL_STORE_H
#define INGLE_MODEL_STORE_H

#include "model/weights.h"

/* What is mapped of one file: whole pages that hold all its matrices. */
typedef struct ingle_mapping {
    uint64_t from, end; /* in the file; end 0: none of it */
    const uint8_t *data;
} ingle_mapping;

typedef struct ingle_store {
    ingle_packed *matrix;   /* [n_matrix] of the weights; no data and no rows: none of it is here */
    const float **vector;   /* [n_vector] NULL: it is not here */
    size_t *matrix_at;      /* [n_matrix] in the arena; SIZE_MAX: it is not there */
    size_t *vector_at;      /* [n_vector] likewise */
    uint8_t *mem;           /* the arena: NULL while only planned */
    size_t bytes;           /* of it */
    ingle_mapping *mapping; /* [n_files] */
    size_t n_files;
    size_t packed_bytes; /* of what is packed, as it is in files */
} ingle_store;

/* Which weights a home has: bit h of the byte of each is home h. */
typedef struct ingle_homes_of {
    uint8_t *matrix, *vector;
} ingle_homes_of;

/* Plans where all lies that home `home` has. Frees nothing of a store that was planned before. */
ingle_status ingle_store_plan(ingle_store *s, const ingle_weights *w, size_t n_files,
                              const ingle_homes_of *homes, size_t home, ingle_error *err);
void ingle_store_free(ingle_store *s);
/* Bytes of the files that are mapped. */
uint64_t ingle_store_mapped(const ingle_store *s);
/* Takes the arena and maps what is mapped. */
ingle_status ingle_store_take(ingle_store *s, const ingle_weights *w, const ingle_gguf *g,
                              ingle_error *err);

/* Where packed pieces of a home's matrices go. room: where `bytes` of matrix m from byte `at` on
 * of its packed form are to be written by this thread; keep: they have been. A device gives
 * staging memory and queues the copy; no home ever holds two. */
typedef struct ingle_sink {
    void *self;
    uint8_t *(*room)(void *self, int thread, uint32_t matrix, size_t at, size_t bytes);
    ingle_status (*keep)(void *self, int thread, uint32_t matrix, size_t at, size_t bytes,
                         ingle_error *err);
    /* The floats of a vector. */
    ingle_status (*vector)(void *self, uint32_t vector, const float *data, size_t n,
                           ingle_error *err);
} ingle_sink;

/* A store's own: room is the arena. */
ingle_sink ingle_store_sink(ingle_store *s);

/* Reads all matrices that are not mapped and all vectors, packs, and gives each to the sinks of its
 * homes, with n_threads threads. progress may be NULL; it runs on the calling thread. */
ingle_status ingle_weights_load(const ingle_weights *w, const ingle_gguf *g,
                                const ingle_homes_of *homes, const ingle_sink *sinks,
                                size_t n_sinks, bool forget, int n_threads,
                                bool (*progress)(void *user, double share), void *user,
                                ingle_error *err);

#endif
