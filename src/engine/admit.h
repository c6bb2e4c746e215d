/* admit.h - who may take what of the pools, so that everybody who was let in can finish.
 * Owns       nothing: claims are the caller's.
 * Depends on nothing.
 * Invariant  kept by callers who ask first: there is an order of the claims in which each gets all
 *            that it may still need out of what is free and what those before it have returned. */
#ifndef INGLE_ENGINE_ADMIT_H
#define INGLE_ENGINE_ADMIT_H

#include <stdbool.h>
#include <stddef.h>

typedef enum ingle_resource {
    INGLE_RESOURCE_PAGES,   /* of layers that see everything */
    INGLE_RESOURCE_WINDOWS, /* pages of windowed layers */
    INGLE_RESOURCE_STATES,  /* slots of recurrent layers */
    INGLE_RESOURCE_DRAFTS   /* pages of a draft model */
} ingle_resource;

enum { INGLE_RESOURCES = 4, INGLE_MOST_CLAIMS = 1024 };

typedef struct ingle_claim {
    size_t has[INGLE_RESOURCES]; /* what it gives back when it ends */
    size_t may[INGLE_RESOURCES]; /* what it may need beyond that, at worst */
} ingle_claim;

/* Whether such an order exists; a task is let in when it does with the task's claim among the
 * others. False of more than INGLE_MOST_CLAIMS. */
bool ingle_is_safe(const ingle_claim *claims, size_t n, const size_t free[INGLE_RESOURCES]);
/* Whether claim i may take `want` now: it is free, was announced, and i and all who could finish can
 * still do so after that. Others are waited for by nobody: what several have is in no claim, and
 * counts again when all of these have ended. Changes nothing. */
bool ingle_may_take(const ingle_claim *claims, size_t n, size_t i,
                    const size_t free[INGLE_RESOURCES], const size_t want[INGLE_RESOURCES]);

#endif
