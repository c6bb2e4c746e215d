/* turns.h - the turnstile that engines share so that they do not compete for processors: one steps
 * at a time, in the order they came.
 * Owns       its queue; an engine holds it while it is open.
 * Depends on the public header, pthreads. Knows no engine: whoever waits is an address. */
#ifndef INGLE_ENGINE_TURNS_H
#define INGLE_ENGINE_TURNS_H

#include <stdatomic.h>
#include <stdbool.h>

#include "ingle.h"

/* One more owner. NULL is fine in all of these: then there is no turnstile. */
void ingle_turns_retain(ingle_turns *turns);
void ingle_turns_drop(ingle_turns *turns);
/* Waits for a turn; without one when *off is or becomes true. */
void ingle_turns_take(ingle_turns *turns, const void *who, const atomic_bool *off);
/* Gives the turn back; nothing if `who` has none. */
void ingle_turns_give(ingle_turns *turns, const void *who);
/* Somebody's *off has become true. */
void ingle_turns_call_off(ingle_turns *turns);
/* Whether somebody waits for a turn. */
bool ingle_turns_others_wait(ingle_turns *turns);

#endif
