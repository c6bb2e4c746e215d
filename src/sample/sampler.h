/* sampler.h - the inside of samplers: what one remembers (options, generator, history), and the
 * candidates of one draw, which lie in a scratch that many samplers use one after the other.
 * Owns       every buffer below. A sampler's are sized by ingle_sampler_new() from its windows;
 *            only a history whose window is the whole context (-1) grows, doubling, in
 *            ingle_sampler_accept(). A scratch is sized by the vocabulary.
 * Depends on base/, cand.h, rng.h.
 * Invariant  candidates are in ascending token order, and their logits are finite: a token that is
 *            banned or filtered out is gone. While `dense`, candidate i is token i and -INFINITY
 *            marks those that are gone. */
#ifndef INGLE_SAMPLE_SAMPLER_H
#define INGLE_SAMPLE_SAMPLER_H

#include "sample/cand.h"
#include "sample/rng.h"
#include "sample/sample.h"

#include <stdatomic.h>

typedef enum sample_stage {
    STAGE_PENALTIES,
    STAGE_DRY,
    STAGE_TOP_N_SIGMA,
    STAGE_TOP_K,
    STAGE_TYPICAL_P,
    STAGE_TOP_P,
    STAGE_MIN_P,
    STAGE_XTC,
    STAGE_TEMPERATURE,
    N_STAGES
} sample_stage;

/* The tokens accepted last, as far back as any stage looks. */
typedef struct sample_history {
    int32_t *ring;
    size_t cap;  /* 0: nobody looks back */
    size_t n;    /* tokens held, <= cap */
    size_t next; /* where the next one goes */
    bool grows;  /* a window is the whole context */
} sample_history;

/* One breaker: its tokens are n from place `at` on. */
typedef struct breaker_seq {
    uint32_t at, n;
} breaker_seq;

/* Breakers as they are looked up; one block, never written again, shared by a sampler's clones. */
typedef struct breaker_set {
    atomic_size_t refs;
    size_t n;
    const breaker_seq *seq; /* sorted by head token, of equal heads the shorter first */
    const int32_t *tokens;
    const uint32_t *heads; /* [n_vocab] bits: some sequence begins with the token */
} breaker_set;

struct ingle_sampler {
    ingle_sampler_options opt; /* its pointers are NULL: copied below or not needed */
    int32_t n_vocab;
    uint8_t order[N_STAGES];
    size_t n_order;
    ingle_logit_bias *bias;
    size_t n_bias;
    int32_t *banned;
    size_t n_banned;

    ingle_rng rng;
    float mu;           /* mirostat's state; 2 tau at the start */
    float drawn_sum;    /* adaptive-p: decayed sum of probabilities drawn, */
    float drawn_weight; /* and of their weights */
    int mirostat_m;     /* candidates for version 1's slope: 100, at most INGLE_SORT_SMALL */

    sample_history hist;
    size_t penalty_window; /* 0: stage off; SIZE_MAX: whole context */
    size_t dry_window;
    int32_t *repeat;       /* [hist.cap] repeat length ending at each place; NULL without DRY */
    breaker_set *breakers; /* NULL without DRY */

    ingle_sample_scratch *own; /* of the public calls; NULL until one is needed */
};

/* One block; every array has room for cap tokens. */
struct ingle_sample_scratch {
    size_t cap;
    bool dense, filtered; /* filtered: a stage that may drop candidates has run */
    float *logits;        /* [n_vocab] while dense; then free for a stage's weights */
    uint64_t *cur;        /* keys of token order otherwise */
    size_t n;             /* keys in cur; n_vocab while dense */
    uint64_t *tmp;        /* of selections */
    ingle_candidate
        *out;      /* the result of apply: lies over tmp and logits, which are done with by then */
    int32_t *mark; /* by token, for the stages that look back; zero between them */
};

/* options.c: fills opt from a caller's struct of any known size, checks every field, parses the
 * order into s. */
ingle_status ingle_sample_options(ingle_sampler *s, const ingle_sampler_options *opt,
                                  ingle_error *err);

/* history.c */
ingle_status ingle_sample_history_open(ingle_sampler *s, const ingle_breaker *seq, size_t n,
                                       ingle_error *err);
void ingle_sample_history_close(ingle_sampler *s);
void ingle_sample_history_clear(ingle_sampler *s);
ingle_status ingle_sample_history_add(ingle_sampler *s, int32_t token, ingle_error *err);
/* Room for n tokens in all, if the history grows. */
ingle_status ingle_sample_history_reserve(ingle_sampler *s, size_t n, ingle_error *err);
/* Gives s, a bitwise copy of `from`, buffers of its own; on failure it has none of from's. */
ingle_status ingle_sample_history_clone(ingle_sampler *s, const ingle_sampler *from,
                                        ingle_error *err);
void ingle_sample_penalties(const ingle_sampler *s, ingle_sample_scratch *x);
void ingle_sample_dry(ingle_sampler *s, ingle_sample_scratch *x);

/* filter.c: each leaves at least one candidate if it found one. */
void ingle_sample_top_n_sigma(const ingle_sampler *s, ingle_sample_scratch *x);
void ingle_sample_top_k(ingle_sample_scratch *x, size_t k);
void ingle_sample_typical_p(const ingle_sampler *s, ingle_sample_scratch *x);
void ingle_sample_top_p(const ingle_sampler *s, ingle_sample_scratch *x);
void ingle_sample_min_p(const ingle_sampler *s, ingle_sample_scratch *x);
void ingle_sample_xtc(ingle_sampler *s, ingle_sample_scratch *x);
void ingle_sample_temperature(const ingle_sampler *s, ingle_sample_scratch *x);
void ingle_sample_greedy(ingle_sample_scratch *x);
void ingle_sample_mirostat(const ingle_sampler *s, ingle_sample_scratch *x);
/* Moves logits towards the target; leaves in x->logits[token] what each candidate's probability
 * was. */
void ingle_sample_adaptive(const ingle_sampler *s, ingle_sample_scratch *x);
/* Corrects mu by the surprise of the drawn token. */
void ingle_sample_mirostat_learn(ingle_sampler *s, float prob);

/* The largest logit and the sum of the weights against it (in double, eight fixed lanes). */
typedef struct sample_softmax {
    float max;
    double sum;
} sample_softmax;
sample_softmax ingle_sample_softmax(const ingle_sample_scratch *x);

/* The i-th candidate's logit; only while not dense. */
static inline float logit_at(const ingle_sample_scratch *x, size_t i)
{
    return ingle_key_score(x->cur[i]);
}

/* A stage's result as a logit: never infinite, so that no arithmetic on logits makes a NaN. */
static inline float ingle_sample_bounded(double x)
{
    return (float)(x < -1e38 ? -1e38 : x > 1e38 ? 1e38 : x);
}

#endif
