/* overflow.h - prompts that do not fit the context: which whole messages are dropped to make room.
 * Depends on engine/engine.h. */
#ifndef INGLE_ENGINE_OVERFLOW_H
#define INGLE_ENGINE_OVERFLOW_H

#include "engine/engine.h"

/* Positions from .. to - 1 of the timeline go; none if they are equal. */
typedef struct ingle_drop {
    size_t from, to;
} ingle_drop;

/* What goes of the timeline that the session's tokens and n of a prompt make, if it does not fit with
 * an answer after it. INGLE_EFULL: there are no ends of messages to drop enough by. */
ingle_status ingle_overflow_plan(const ingle_session *s, const int32_t *prompt, size_t n,
                                 const ingle_generate_options *opt, ingle_drop *drop,
                                 ingle_error *err);

/* What of a drop concerns the session's own n tokens, and what a prompt after them. */
static inline ingle_drop ingle_drop_before(ingle_drop d, size_t n)
{
    return (ingle_drop){d.from < n ? d.from : n, d.to < n ? d.to : n};
}
static inline ingle_drop ingle_drop_after(ingle_drop d, size_t n)
{
    return (ingle_drop){d.from > n ? d.from - n : 0, d.to > n ? d.to - n : 0};
}

/* Takes what is dropped out of ascending ends of messages; returns how many are left. */
size_t ingle_drop_marks(size_t *marks, size_t n, ingle_drop d);

/* With the lock held, and no task: what the request's drop takes from its session; the session as it
 * was before; the ends of messages that the request gave, for which there is room. */
void ingle_drop_do(ingle_request *r);
void ingle_drop_undo(ingle_request *r);
void ingle_marks_keep(ingle_request *r);

#endif
