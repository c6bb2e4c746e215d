/* breakers.h - DRY breakers: texts to the token sequences that can spell them.
 * Owns nothing. Depends on sample/sample.h, text/text.h. */
#ifndef INGLE_ENGINE_BREAKERS_H
#define INGLE_ENGINE_BREAKERS_H

#include "sample/sample.h"
#include "text/text.h"

/* The longest text of a breaker in bytes. */

typedef struct ingle_breaker_list {
    ingle_breaker *seq;
    size_t n, cap;
} ingle_breaker_list;

/* Appends what breaks a repeat for n texts of 1..INGLE_BREAKER_TEXT bytes: every token whose bytes
 * hold a text, alone; and every token whose end is a beginning of a text, followed by the tokens of
 * the rest. On failure the list is empty. */
ingle_status ingle_breakers_find(ingle_breaker_list *list, const ingle_vocab *v,
                                 const char *const *texts, size_t n, ingle_error *err);
void ingle_breakers_free(ingle_breaker_list *list);

/* ingle_sampler_open() of a sampler without a scratch. */
ingle_status ingle_sampler_make(ingle_sampler **out, const ingle_sampler_options *opt,
                                int32_t n_vocab, const ingle_model *model, ingle_error *err);

#endif
