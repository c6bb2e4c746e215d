/* thinking.h - thinking that comes to an end: a constraint that closes it after a number of tokens,
 * or when it is asked to, by the family's own mark.
 * Owns       the constraint it makes, and the one inside of it.
 * Depends on engine/constraint.h, chat/profile.h, text/text.h.
 * Invariant  what the answer may be is left to the constraint inside: the mark is written only as
 *            far as that one admits it. Once it is made, nothing is allocated. */
#ifndef INGLE_ENGINE_THINKING_H
#define INGLE_ENGINE_THINKING_H

#include <stdatomic.h>

#include "chat/profile.h"
#include "engine/constraint.h"
#include "text/text.h"

typedef struct ingle_thinking_limit {
    const ingle_thinking *syntax;
    const ingle_vocab *vocab; /* its request keeps the model */
    size_t n_vocab;           /* rows of logits */
    bool thinks;              /* the answer begins in the middle of thinking */
    int32_t n_tokens;         /* of thinking at most; -1: any number */
    const atomic_bool *ended; /* true: thinking is closed with the next token */
} ingle_thinking_limit;

/* `inner` may be NULL: anything; it is handed over, also on failure. INGLE_EUNSUPPORTED: the
 * vocabulary cannot spell the mark, or it has a token that ends answers. */
ingle_status ingle_thinking_constrain(ingle_constraint **out, ingle_constraint *inner,
                                      const ingle_thinking_limit *limit, ingle_error *err);

#endif
