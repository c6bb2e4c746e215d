/* sample.h - the sampler chain on bare logits, and the matcher of stop strings.
 * Owns       a sampler: kilobytes, by its windows; a scratch: by the vocabulary.
 * Depends on base/. Knows no text (stop strings are bytes; DRY breakers arrive as token sequences)
 *            and no model. The public face (ingle_sampler_*) is implemented here;
 *            ingle_sampler_open() lives in engine/ because it needs the vocabulary.
 * Invariant  a draw depends on the sampler and the row, never on the scratch. */
#ifndef INGLE_SAMPLE_SAMPLE_H
#define INGLE_SAMPLE_SAMPLE_H

#include "base/status.h"

#define INGLE_BREAKER_TEXT 64 /* bytes of a breaker's text, at most */

/* A DRY breaker: a token sequence; matching stops at it (head token, then tail). */
typedef struct ingle_breaker {
    int32_t *tokens;
    size_t n;
} ingle_breaker;

/* ---- scratch: what a draw needs and nobody keeps ---- */

/* 24 bytes per token of the vocabulary. One serves any number of samplers, one draw at a time: one
 * per thread is enough. */
typedef struct ingle_sample_scratch ingle_sample_scratch;
ingle_sample_scratch *ingle_sample_scratch_new(int32_t n_vocab); /* NULL: no memory */
void ingle_sample_scratch_free(ingle_sample_scratch *scratch);
size_t ingle_sample_scratch_bytes(int32_t n_vocab);

/* ---- samplers ---- */

/* As ingle_sampler_open(), breakers already tokens (copied), but without a scratch: the sampler is
 * for ingle_sampler_draw(). ingle_sampler_apply() and ingle_sampler_sample() give it a scratch of
 * its own when they are first called, and may answer INGLE_ENOMEM then. */
ingle_status ingle_sampler_new(ingle_sampler **out, const ingle_sampler_options *opt,
                               int32_t n_vocab, const ingle_breaker *breakers, size_t n_breakers,
                               ingle_error *err);
/* Makes that scratch now. */
ingle_status ingle_sampler_own_scratch(ingle_sampler *s, ingle_error *err);
/* Another sampler with the same options, bans, history and state, its history as large. Its seed is
 * seed_plus further, and its generator begins there; with seed_plus 0 it goes on where that of s
 * stands. */
ingle_status ingle_sampler_clone(ingle_sampler **out, const ingle_sampler *s, uint64_t seed_plus,
                                 ingle_error *err);
/* After this ingle_sampler_accept() takes no memory for n_tokens more than it has been given. */
ingle_status ingle_sampler_reserve(ingle_sampler *s, size_t n_tokens, ingle_error *err);
/* ingle_sampler_sample() with a scratch for at least the sampler's vocabulary, and a mask: token t
 * is admitted if bit t % 32 of mask[t / 32] is set; NULL admits all. The mask comes first, then
 * bias, bans and the chain. A token that is alone in the mask is taken without a random number (its
 * probability is 1): the chain is not run, nothing is learnt from it, and of the row only its own
 * logit is looked at. INGLE_EINVAL: mask and bans leave none. Never takes memory. */
ingle_status ingle_sampler_draw(ingle_sampler *s, ingle_sample_scratch *scratch,
                                const float *logits, const uint32_t *mask, ingle_candidate *out,
                                ingle_error *err);
int32_t ingle_sampler_n_vocab(const ingle_sampler *s); /* as it was opened for */
/* Tokens that are never drawn (end tokens under ignore_eog); NULL, 0 to lift. Copied. */
ingle_status ingle_sampler_ban(ingle_sampler *s, const int32_t *tokens, size_t n, ingle_error *err);

/* ---- stop strings ---- */

/* Watches a byte stream for the first occurrence of any stop string; holds back what may become
 * one. */
typedef struct ingle_stopper ingle_stopper;
/* At most 20 stops of 1..500 bytes, else EINVAL, as ingle_stopper_check() says. Copied. */
ingle_status ingle_stopper_open(ingle_stopper **out, const ingle_stop *stops, size_t n,
                                ingle_error *err);
ingle_status ingle_stopper_check(const ingle_stop *stops, size_t n, ingle_error *err);
/* After this no feed of up to n bytes takes memory. */
ingle_status ingle_stopper_reserve(ingle_stopper *s, size_t n, ingle_error *err);
void ingle_stopper_close(ingle_stopper **s);
/* Feeds bytes. Returns the number of bytes that are now safe to emit; they are at *safe (valid
 * until the next call). *hit is the index of the stop that matched (its bytes and all after are
 * dropped), or SIZE_MAX. flush: nothing more will come, what is held is safe. */
ingle_status ingle_stopper_feed(ingle_stopper *s, const char *bytes, size_t n, bool flush,
                                const char **safe, size_t *n_safe, size_t *hit, ingle_error *err);
/* Bytes fed so far, and bytes emitted so far: the caller maps them to tokens to rewind. */
size_t ingle_stopper_held(const ingle_stopper *s);

#endif
