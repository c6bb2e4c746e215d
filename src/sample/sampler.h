/* sampler.h - the inside of one sampler: options, history, generator, and the candidates of the
 * token being drawn. Owns       every buffer below; all are sized by ingle_sampler_new() from
 * n_vocab and the windows. Only a history whose window is the whole context (-1) grows, doubling,
 * in ingle_sampler_accept(). Depends on base/, cand.h, rng.h. Invariant  candidates are in
 * ascending token order, and their logits are finite: a token that is banned or filtered out is
 * gone. While `dense`, candidate i is token i and -INFINITY marks those that are gone. */
#ifndef INGLE_SAMPLE_SAMPLER_H
#define INGLE_SAMPLE_SAMPLER_H

#include "sample/cand.h"
#include "sample/rng.h"
#include "sample/sample.h"

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

typedef struct breaker_set {
    ingle_breaker *seq; /* sorted by head token */
    size_t n;
    uint8_t *is_head; /* [n_vocab] 1: head of a sequence, 2: a sequence by itself */
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
    float mu; /* mirostat's state; 2 tau at the start */
    float drawn_sum,
        drawn_weight; /* adaptive-p: decayed sum of probabilities drawn, and of weights */
    int mirostat_m; /* candidates that estimate the slope (version 1): 100, at most INGLE_SORT_SMALL
                     */

    sample_history hist;
    size_t penalty_window; /* 0: stage off; SIZE_MAX: whole context */
    size_t dry_window;
    int32_t *count;   /* [n_vocab] occurrences in the penalty window; NULL if off */
    int32_t *longest; /* [n_vocab] zero between calls: 1 + the longest repeat the token would
                         extend; NULL if off */
    int32_t *repeat;  /* [hist.cap] repeat length ending at each place */
    breaker_set breakers;

    bool dense, filtered; /* filtered: a stage that may drop candidates has run */
    float *logits;        /* [n_vocab] while dense; then free for a stage's weights */
    uint64_t *cur;        /* [n_vocab] keys of token order otherwise */
    size_t n;             /* keys in cur */
    uint64_t *tmp;        /* [n_vocab] scratch of selections */
    ingle_candidate
        *out;    /* the result of apply: lies over logits and tmp, which are done with by then */
    void *block; /* holds logits, tmp, out */
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
void ingle_sample_penalties(ingle_sampler *s);
void ingle_sample_dry(ingle_sampler *s);

/* filter.c: each leaves at least one candidate if it found one. */
void ingle_sample_top_n_sigma(ingle_sampler *s);
void ingle_sample_top_k(ingle_sampler *s, size_t k);
void ingle_sample_typical_p(ingle_sampler *s);
void ingle_sample_top_p(ingle_sampler *s);
void ingle_sample_min_p(ingle_sampler *s);
void ingle_sample_xtc(ingle_sampler *s);
void ingle_sample_temperature(ingle_sampler *s);
void ingle_sample_greedy(ingle_sampler *s);
void ingle_sample_mirostat(ingle_sampler *s);
/* Moves logits towards the target; leaves in s->logits[token] what each candidate's probability was. */
void ingle_sample_adaptive(ingle_sampler *s);
/* Corrects mu by the surprise of the drawn token. */
void ingle_sample_mirostat_learn(ingle_sampler *s, float prob);

/* The largest logit and the sum of the weights against it (in double, eight fixed lanes). */
typedef struct sample_softmax {
    float max;
    double sum;
} sample_softmax;
sample_softmax ingle_sample_softmax(const ingle_sampler *s);

/* The i-th candidate's logit; only while not dense. */
static inline float logit_at(const ingle_sampler *s, size_t i)
{
    return ingle_key_score(s->cur[i]);
}

/* A stage's result as a logit: never infinite, so that no arithmetic on logits makes a NaN. */
static inline float ingle_sample_bounded(double x)
{
    return (float)(x < -1e38 ? -1e38 : x > 1e38 ? 1e38 : x);
}

#endif
