/* logprob.h - log-probabilities of one row of logits: the model's own, at temperature 1.
 * Owns       nothing.
 * Depends on cand.h.
 * Invariant  results depend on the row alone: sums have a fixed order and our own exponential. A
 *            row with NaN in it gives a sum without a meaning, in the time of any other row; NaN is
 *            never listed and never ranks before a number. */
#ifndef INGLE_SAMPLE_LOGPROB_H
#define INGLE_SAMPLE_LOGPROB_H

#include "base/status.h"

/* ln of the sum of e^logit over n logits: what to take from a logit for its log-probability. Off by
 * less than 1e-6; -INFINITY if all logits are. */
double ingle_logprob_sum(const float *logits, size_t n);

/* The n best of [n_vocab] logits, best first, of equal ones the lower token first; -infinity is
 * left out. Returns how many there are, at most n. */
size_t ingle_logprob_top(const float *logits, size_t n_vocab, double log_sum, ingle_top *top,
                         size_t n);

/* How many tokens have a larger logit, or the same and a lower id: 0 for the best. */
size_t ingle_logprob_rank(const float *logits, size_t n_vocab, int32_t token);

#endif
