/* backend.h - the contract of whatever runs plans: a home for weights, pages and states, and
 * steps on them. Version 2; the CPU is its first user, mixed.c puts several homes after one
 * another.
 * Owns       pages, states, activations, compute threads or queues.
 * Depends on model/plan.h, kern/page.h. Has never heard of models, sessions, text or requests.
 * Invariant  one caller at a time. begin() .. part() .. end() are one step; everything else is
 *            called between steps, and takes effect in the order of the calls.
 *
 * A step that fails leaves the pages and states that it writes undefined, and all others as they
 * were. Layout "r32.1": pages hold 32 positions; of a group, one cache after the other, of a
 * cache one head after the other, of a head the slot that kern/page.h describes. Every home
 * keeps these bytes. */
#ifndef INGLE_BACKEND_BACKEND_H
#define INGLE_BACKEND_BACKEND_H

#include "kern/page.h"
#include "model/place.h"

#define INGLE_LAYOUT  "r32.1"
#define INGLE_NO_PAGE UINT32_MAX

typedef struct ingle_backend ingle_backend;

typedef struct ingle_backend_options {
    size_t n_batch;               /* most tokens of one step */
    size_t n_seqs;                /* most sequences of one step, and as many slots of page tables */
    size_t n_ctx;                 /* most positions of a sequence, a multiple of INGLE_PAGE */
    size_t n_pages[INGLE_GROUPS]; /* of each pool */
    size_t n_states;              /* slots of recurrent state */
    int n_threads;
    ingle_type kv_type;
} ingle_backend_options;

/* Entries first .. first + n - 1 of the page table in `slot` are `pages` from now on. Tables of
 * windowed groups may hold INGLE_NO_PAGE below what the step's tokens see. */
typedef struct ingle_table_change {
    uint32_t slot, first, n;
    ingle_group group;
    const uint32_t *pages;
} ingle_table_change;

/* Pages of a pool by id. */
typedef struct ingle_page_list {
    const uint32_t *pages;
    size_t n;
} ingle_page_list;

/* Consecutive tokens [first, first + n) of the batch are positions pos0 .. of one sequence. */
typedef struct ingle_batch_seq {
    uint32_t slot; /* of its page tables */
    size_t pos0, first, n;
    size_t n_first; /* positions from there on are of the second segment; 0: none is */
    /* Attention sees every position below pos0 + n, and windows have two sides; else a token sees
     * none after it. Whoever sets it has all of the text in the step. */
    bool both;
    /* Slots of state: `state_from` holds what positions 0 .. pos0 - 1 left (it means nothing
     * when pos0 is 0), and stays; `state` takes what all leave. They may be the same. */
    uint32_t state_from, state;
} ingle_batch_seq;

/* A token and what was made of it, one of the n best. */
typedef struct ingle_pick {
    int32_t token;
    float logit;
} ingle_pick;

/* What is wanted of one token; whatever is NULL is not. Logits are after the model's scale and
 * cap, and -infinity for rows of a padded vocabulary that have no token. */
typedef struct ingle_batch_row {
    uint32_t token;       /* of the batch */
    float *out;           /* all logits [n_vocab]; or the hidden state [n_embd] */
    const uint32_t *mask; /* bit t: token t is admitted to `pick` and `lse`; NULL: all are */
    ingle_pick *pick;   /* [n_pick] of those admitted the best first, of equals the lower token; */
    size_t n_pick;      /* token -1 where there are fewer */
    const int32_t *ask; /* [n_ask] tokens whose logits go into asked */
    size_t n_ask;
    float *asked;
    float *lse; /* ln of the sum of exp(logit) over those admitted */
} ingle_batch_row;

/* A text that is embedded and has rows in this batch, which follow one another. */
typedef struct ingle_batch_text {
    size_t first_row, n_rows;
    size_t n;   /* tokens of the whole text */
    bool ends;  /* all its rows were in this batch or those before */
    float *sum; /* [n_embd] the mean is added up here, row by row; NULL: the first row is taken */
    float *out; /* the vector or rank, when it ends */
} ingle_batch_text;

/* One step. First the changes of page tables and the clears are carried out, then tokens run. */
typedef struct ingle_batch {
    const ingle_table_change *changes;
    size_t n_changes;
    ingle_page_list
        clear[INGLE_GROUPS]; /* pages that become zero; open() leaves all of them zero */
    size_t n_tokens;
    const int32_t *tokens;
    size_t n_seqs;
    const ingle_batch_seq *seqs; /* in order, covering every token, no slot twice */
    size_t n_rows;
    const ingle_batch_row *rows; /* [n_rows] */
    /* So many rows, the first, want logits; the others want hidden states. Both ascend by token. */
    size_t n_logits;
    ingle_pooling
        pooling; /* what becomes of hidden states: NONE, they go out as they are; else pooled */
    size_t n_texts;
    const ingle_batch_text *texts;
    /* Called once for every row of logits [n_vocab] as soon as it is final, on some thread of this
     * host and before end() returns: for rows of one sequence in their order, of several at the
     * same time. NULL: nobody waits for them. */
    void (*turn)(void *user, size_t i_row, const float *logits, int i_thread);
    void *user;
} ingle_batch;

/* Where the time of a step went, in seconds: on tokens without attention, on attention, on wanted
 * rows and texts. */
typedef struct ingle_step_times {
    double body, attend, rows;
} ingle_step_times;

typedef struct ingle_backend_ops {
    const char *name;
    /* A home of the placement, which outlives the backend, as do its program and stores. */
    ingle_status (*open)(ingle_backend **out, const ingle_placement *placement, size_t home,
                         const ingle_backend_options *opt, ingle_error *err);
    void (*close)(ingle_backend *b);
    /* Bytes that open() takes, beside the weights that are there. Needs no weights. */
    ingle_status (*memory)(const ingle_placement *placement, size_t home,
                           const ingle_backend_options *opt, ingle_home_memory *mem,
                           ingle_error *err);

    /* A step: its description, which stays valid until end(); then the stretches of this home in
     * the order of the plan, queued; end() waits, and rows are there. A status but INGLE_OK ends
     * the step at once; INGLE_EDEVICE is for good. */
    ingle_status (*begin)(ingle_backend *b, const ingle_batch *batch, ingle_error *err);
    ingle_status (*part)(ingle_backend *b, size_t i_stretch, ingle_error *err);
    ingle_status (*end)(ingle_backend *b, ingle_error *err);
    /* Of the step that ended last. */
    void (*times)(const ingle_backend *b, ingle_step_times *times);
    /* A value that crosses homes, all rows of its domain: out of this home; into it. */
    ingle_status (*take)(ingle_backend *b, ingle_val v, float *to, ingle_error *err);
    ingle_status (*put)(ingle_backend *b, ingle_val v, const float *from, ingle_error *err);

    /* Pages of a pool; bytes as `page_bytes` of the group says. `shift`: keys of positions that
     * a page holds are rotated on by `by` positions. */
    ingle_status (*copy_pages)(ingle_backend *b, ingle_group group, const uint32_t *to,
                               const uint32_t *from, size_t n, ingle_error *err);
    ingle_status (*read_pages)(ingle_backend *b, ingle_group group, const uint32_t *pages, size_t n,
                               void *to, ingle_error *err);
    ingle_status (*write_pages)(ingle_backend *b, ingle_group group, const uint32_t *pages,
                                size_t n, const void *from, ingle_error *err);
    ingle_status (*shift_pages)(ingle_backend *b, ingle_group group, const uint32_t *pages,
                                size_t n, int32_t by, ingle_error *err);
    size_t (*page_bytes)(const ingle_backend *b, ingle_group group);
    /* A slot of recurrent state, state_bytes() of it. */
    ingle_status (*read_state)(ingle_backend *b, uint32_t slot, void *to, ingle_error *err);
    ingle_status (*write_state)(ingle_backend *b, uint32_t slot, const void *from,
                                ingle_error *err);
    size_t (*state_bytes)(const ingle_backend *b);

    /* Memory that rows of logits go to without another copy, by any thread at any time. NULL:
     * there is none. */
    float *(*rows_new)(ingle_backend *b, size_t n);
    void (*rows_free)(ingle_backend *b, float *rows);

    ingle_status (*limits)(ingle_backend *b, ingle_limits *limits, ingle_error *err);
    /* Begins afresh to add up where the time of steps goes, or stops and keeps the sums. */
    ingle_status (*profile)(ingle_backend *b, bool on, ingle_error *err);
    /* The sums so far; row: of instruction i as this home runs them, false after the last. */
    void (*profile_total)(const ingle_backend *b, ingle_profile *total);
    bool (*profile_row)(const ingle_backend *b, size_t i, ingle_profile_row *row);
} ingle_backend_ops;

extern const ingle_backend_ops ingle_backend_cpu;
extern const ingle_backend_ops
    ingle_backend_mixed; /* all homes of a placement; `home` is ignored */

/* What runs a placement: its only home's backend, or mixed.c. */
const ingle_backend_ops *ingle_backend_of(const ingle_placement *placement);

#endif
