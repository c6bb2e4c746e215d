/* schedule.h - who takes part in the next step, with how many tokens.
 * Owns       nothing: a decision about the caller's list of wants.
 * Depends on engine/cost.h and the public header. No clock: moments and seconds are arguments.
 * Invariant  if anybody wants something, somebody gets a token; the step keeps the limits of
 *            tokens and sequences; its predicted time keeps the budget, but for one token of each
 *            decoding sequence and the least that the oldest longer task gets. */
#ifndef INGLE_ENGINE_SCHEDULE_H
#define INGLE_ENGINE_SCHEDULE_H

#include "engine/cost.h"
#include "ingle.h"

/* A running task: a decoding sequence wants its last token and the chain proposed after it;
 * everybody else (prompt, eval, text) is a longer task that comes in pieces. */
typedef struct ingle_want {
    int class;       /* as ingle_class_at() says */
    bool decoding;   /* all n tokens, or the first alone, or nothing */
    bool whole;      /* all n tokens or nothing; n is at most n_batch */
    bool hidden;     /* its rows are hidden states, which are pooled: no logits */
    int pooling;     /* of hidden states; those of a step are pooled in one way */
    ingle_rows rows; /* of logits; LAST: of the last of the n tokens */
    size_t n;        /* tokens it wants computed, at least 1 */
    size_t pos;      /* positions before them */
    size_t cut;      /* tokens up to where a piece must end, at least 1; SIZE_MAX: nowhere */
    double arrived;  /* seconds */
    uint64_t served; /* number of the step that it had a part in last; 0: none yet */
    size_t take;     /* out: tokens that it gets; 0: it is not in the step */
} ingle_want;

typedef struct ingle_schedule_limits {
    size_t n_batch, n_seqs; /* most tokens and sequences of a step, at least 1 */
    double step_s;          /* seconds of a step beside decoding sequences; 0.2 */
    double most_s;          /* no step is planned longer than that; INFINITY: no matter */
} ingle_schedule_limits;

/* Decides and returns what the step is made of. `order` [n] is scratch. */
ingle_shape ingle_schedule(const ingle_cost_model *model, ingle_want *wants, size_t n,
                           const ingle_schedule_limits *limits, size_t *order);

/* The class of a task that has waited since `arrived`: every 10 s lift it by one. */
int ingle_class_at(int class, double arrived, double now);

#endif
