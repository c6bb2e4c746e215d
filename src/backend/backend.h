/* backend.h - the narrow face of a device: it holds the KV pages and runs a model's plan on a
 * batch. Owns       pages, activations, compute threads or streams. Depends on model/plan.h. Has
 * never heard of sessions, text or requests. Invariant  a run cannot fail: everything it needs was
 * taken at open. One caller at a time, but for clear(): pages that no run names
 * may be cleared meanwhile. */
#ifndef INGLE_BACKEND_BACKEND_H
#define INGLE_BACKEND_BACKEND_H

#include <ingle_tools.h>
#include "model/plan.h"

#define INGLE_NO_PAGE UINT32_MAX

typedef struct ingle_backend ingle_backend;

typedef struct ingle_backend_options {
    size_t n_batch;               /* most tokens of one run */
    size_t n_seqs;                /* most sequences of one run */
    size_t n_ctx;                 /* most positions of a sequence, a multiple of INGLE_PAGE */
    size_t n_pages[INGLE_GROUPS]; /* of each pool */
    size_t n_states;              /* slots of recurrent state */
    int n_threads;
    ingle_type kv_type;
} ingle_backend_options;

/* Consecutive tokens [first, first + n) of the batch are positions pos0 .. of one sequence. */
typedef struct ingle_batch_seq {
    /* Page ids of positions 0 .. pos0 + n - 1, 32 each; of windowed layers those that no token of the
     * batch sees may be INGLE_NO_PAGE. NULL: no cache is of this group. */
    const uint32_t *pages[INGLE_GROUPS];
    size_t pos0, first, n;
    size_t n_first; /* positions from there on are of the second segment; 0: none is */
    uint32_t state; /* slot of what positions 0 .. pos0 - 1 left, which becomes what all leave; its
                     * bytes mean nothing when pos0 is 0. Ignored without recurrent layers */
} ingle_batch_seq;

/* A text that is embedded and has rows in this batch, which follow one another. */
typedef struct ingle_batch_text {
    size_t first_row, n_rows;
    size_t n;   /* tokens of the whole text */
    bool ends;  /* its rows all were in this batch or those before */
    float *sum; /* [n_embd] the mean is added up here, row by row; NULL: the first row is taken */
    float *out; /* the vector or rank, when it ends */
} ingle_batch_text;

typedef struct ingle_batch {
    size_t n_tokens;
    const int32_t *tokens;
    size_t n_seqs;
    const ingle_batch_seq *seqs; /* in order, covering every token */
    size_t n_rows;
    const uint32_t *row_token; /* [n_rows] ascending: which tokens want logits */
    float *const *row_out;     /* [n_rows] each [n_vocab], or [n_embd] of hidden states */
    /* AUTO: the rows are logits. NONE: hidden states. Else hidden states, pooled: */
    ingle_pooling pooling;
    size_t n_texts;
    const ingle_batch_text *texts;
} ingle_batch;

typedef struct ingle_backend_ops {
    const char *name;
    ingle_status (*open)(ingle_backend **out, const ingle_program *program,
                         const ingle_backend_options *opt, ingle_error *err);
    void (*close)(ingle_backend *b);
    /* Bytes that open() takes: pages, recurrent state, and everything else. Needs no weights. */
    ingle_status (*memory)(const ingle_program *program, const ingle_backend_options *opt,
                           size_t *kv, size_t *state, size_t *scratch, ingle_error *err);
    /* Zeroes pages of a pool by id; open() leaves all of them zero. */
    void (*clear)(ingle_backend *b, ingle_group group, const uint32_t *pages, size_t n);
    /* Copies a slot of recurrent state, between runs. */
    void (*copy_state)(ingle_backend *b, uint32_t to, uint32_t from);
    void (*run)(ingle_backend *b, const ingle_batch *batch);
    ingle_status (*limits)(ingle_backend *b, ingle_limits *limits, ingle_error *err);
    /* Begins afresh to add up where the time of runs goes, or stops and keeps the sums. */
    ingle_status (*profile)(ingle_backend *b, bool on, ingle_error *err);
    /* The sums so far; row: of instruction i, false past the end of the plan. */
    void (*profile_total)(const ingle_backend *b, ingle_profile *total);
    bool (*profile_row)(const ingle_backend *b, size_t i, ingle_profile_row *row);
} ingle_backend_ops;

extern const ingle_backend_ops ingle_backend_cpu;

#endif
