/* sample.h - the sampler chain on bare logits, and the matcher of stop strings.
 * Depends on base/. Knows no text (stop strings are bytes; DRY breakers arrive as token sequences)
 * and no model. The public face (ingle_sampler_*) is implemented here; ingle_sampler_open() lives
 * in engine/ because it needs the vocabulary. */
#ifndef INGLE_SAMPLE_SAMPLE_H
#define INGLE_SAMPLE_SAMPLE_H

#include "base/status.h"

#define INGLE_BREAKER_TEXT 64 /* bytes of a breaker's text, at most */

/* A DRY breaker: a token sequence; matching stops at it (head token, then tail). */
typedef struct ingle_breaker {
    int32_t *tokens;
    size_t n;
} ingle_breaker;

/* As ingle_sampler_open(), breakers already tokens (copied). */
ingle_status ingle_sampler_new(ingle_sampler **out, const ingle_sampler_options *opt,
                               int32_t n_vocab, const ingle_breaker *breakers, size_t n_breakers,
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
void ingle_stopper_close(ingle_stopper **s);
/* Feeds bytes. Returns the number of bytes that are now safe to emit; they are at *safe (valid
 * until the next call). *hit is the index of the stop that matched (its bytes and all after are
 * dropped), or SIZE_MAX. flush: nothing more will come, what is held is safe. */
ingle_status ingle_stopper_feed(ingle_stopper *s, const char *bytes, size_t n, bool flush,
                                const char **safe, size_t *n_safe, size_t *hit, ingle_error *err);
/* Bytes fed so far, and bytes emitted so far: the caller maps them to tokens to rewind. */
size_t ingle_stopper_held(const ingle_stopper *s);

#endif
