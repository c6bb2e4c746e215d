/* task.h - what a session wants computed: one task at a time, which belongs to a call or to a
 * request.
 * Depends on engine/cost.h for classes of rows, backend/backend.h.
 * Invariant  a task is in the engine's list from the moment it is queued until it is done; only a
 *            task that runs has a part in steps. While `frozen` it is in the batch that runs:
 *            whoever steps alone touches it, but for `cancelled`. */
#ifndef INGLE_ENGINE_TASK_H
#define INGLE_ENGINE_TASK_H

#include "backend/backend.h"

typedef enum ingle_task_kind {
    INGLE_TASK_EVAL,
    INGLE_TASK_EMBED,
    INGLE_TASK_SCORE,
    INGLE_TASK_GENERATE
} ingle_task_kind;

typedef enum ingle_task_state {
    INGLE_TASK_NONE = 0, /* the session rests */
    INGLE_TASK_QUEUED,   /* waits to be admitted */
    INGLE_TASK_RUNS,     /* has a part in steps, if it can go on */
    INGLE_TASK_DONE      /* its owner has not seen yet that it ended */
} ingle_task_state;

/* A text to embed. */
typedef struct ingle_embed_task {
    float *fresh; /* its vectors, after them [n_embd] for sums, until its call has succeeded */
    size_t n_vectors, n_vector;
    size_t n_first;        /* tokens of the first segment; 0: all */
    ingle_pooling pooling; /* never AUTO */
    bool both;             /* every token sees all of the text, which is computed in one step */
} ingle_embed_task;

/* Tokens to score: those given, each by the row before it. */
typedef struct ingle_score_task {
    ingle_score *scores; /* [n] */
    ingle_top *tops;     /* [n][n_top] */
    size_t n_top;
} ingle_score_task;

typedef struct ingle_task {
    ingle_task_kind kind;
    ingle_task_state state;
    bool prepared; /* by a call, which has not seen to its end yet */
    bool frozen, cancelled;
    bool heads;    /* the first of its call */
    size_t before; /* tokens that the session held when it began */
    size_t first;  /* the position of the first given token; after `before` unless some come anew */
    size_t n_end;  /* tokens of the timeline when all known ones are computed */
    size_t worst;  /* and at most, ever */
    size_t chunk;  /* tokens that the running batch computes, proposed ones among them */
    size_t n_draft; /* proposed ones */
    ingle_class class;
    double arrived, started;       /* seconds of the monotonic clock; started: admitted */
    double queue_until, run_until; /* INFINITY: no limit */
    uint64_t paused;               /* number of the step in which it waited for a page, plus 1 */
    uint64_t passed_over;          /* round of admission in which it waited for a leader */
    bool leads, waited;            /* others wait for what it computes; it has waited for others */
    size_t n_known, n_reused;      /* tokens that were known when it was admitted, and taken over */
    size_t cut;                    /* where its next piece ends at the latest; 0: anywhere */
    size_t branch;                 /* a position after which others go on; 0: none is known */
    uint64_t served;               /* number of the step that had it last */
    ingle_rows rows;               /* of an eval */
    size_t n_rows;                 /* rows of logits it will leave */
    float *fresh;                  /* a larger array for them, until the task is queued */
    ingle_embed_task embed;
    ingle_score_task score;
    struct ingle_request *request; /* of a generation */
    ingle_status status;           /* why it ended early */
    ingle_error error;
} ingle_task;

#endif
