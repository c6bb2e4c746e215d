/* constraint.h - what narrows the choice of a generation's next token: where grammars meet the
 * step. The engine calls it, on whichever thread has the row's turn, one call at a time.
 * Owns nothing. Depends on base/status.h.
 *
 * The mask comes before the sampler's chain. A token that alone is admitted is taken without a
 * draw; so no random number goes for it, whether it comes by itself or in a proposed chain. */
#ifndef INGLE_ENGINE_CONSTRAINT_H
#define INGLE_ENGINE_CONSTRAINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct ingle_constraint ingle_constraint;

typedef struct ingle_constraint_ops {
    /* A step begins that will have a row for it: a chance to work while the backend does. May be
     * NULL. */
    void (*prepare)(ingle_constraint *c);
    /* Bit t % 32 of word t / 32: token t is admitted. NULL: all are. Good until the next call. A
     * failure ends the generation. */
    ingle_status (*mask)(ingle_constraint *c, const uint32_t **bits, ingle_error *err);
    /* The token was taken. INGLE_EFORMAT: it is not admitted. On a failure nothing has changed. */
    ingle_status (*accept)(ingle_constraint *c, int32_t token, ingle_error *err);
    /* Tokens that would come next, if the model agrees or has no choice: at most cap of them.
     * Nothing changes. May be NULL. */
    size_t (*propose)(const ingle_constraint *c, int32_t *tokens, size_t cap);
    /* Whether the text may end here; and whether it has to. */
    bool (*may_end)(const ingle_constraint *c);
    bool (*must_end)(const ingle_constraint *c);
    /* Another one in the same state; NULL: no memory. */
    ingle_constraint *(*clone)(const ingle_constraint *c);
    void (*free)(ingle_constraint *c);
} ingle_constraint_ops;

/* The first member of every kind of constraint. */
struct ingle_constraint {
    const ingle_constraint_ops *ops;
};

#endif
