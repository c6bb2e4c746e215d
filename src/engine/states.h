/* states.h - the recurrent states of one session: which slots of the pool it names, and which
 * positions they cover.
 * Owns       a count of every slot it names; the backend holds their bytes.
 * Depends on engine/pages.h: slots are pages of a pool of their own. Knows no model, no token.
 * Invariant  slot 0 is live: every batch moves it on, in place while the session is its only owner.
 *            The others are checkpoints: what it was at positions before. INGLE_NO_STATE: none. A
 *            session that is cut back goes on from the latest one that is left and computes the
 *            tokens after it again, which gives the same bits.
 *
 * What going back costs. A session of n positions, never cut, that goes back by b computes at most
 *     max(b + EVERY + the largest batch, (n^2 / 1280)^(1/5) (b + NEAR))
 * positions again: 7 times b + NEAR at 4,096, 9 times at 8,192, 27 times at 131,072; measured, 4.4,
 * 5.5 and 18.3. Let d1 < .. < d5 be how far the checkpoints lie back when one has to go for that at
 * d0 = 0, and d6 = n. Without number i the dearest way back between its neighbours is d[i+1], for
 * going back by more than d[i-1]: times r[i] = d[i+1] / (d[i-1] + NEAR). The five r[i] multiply to
 * less than d5 d6 / (NEAR (d1 + NEAR)), at most n^2 / 1280, so the least is at most its fifth root,
 * and that one goes. Later d[i+1] and d[i-1] grow by the same, which only lowers r. After a cut b
 * counts from the furthest position there was. Where slots are short there are fewer checkpoints. */
#ifndef INGLE_ENGINE_STATES_H
#define INGLE_ENGINE_STATES_H

#include "engine/pages.h"

#define INGLE_STATE_SLOTS 6  /* of a session, at most */
#define INGLE_STATE_EVERY 64 /* positions from a checkpoint to the next, at least */
#define INGLE_STATE_NEAR  16 /* so far back a step costs no more than from the last checkpoint */
#define INGLE_NO_STATE    UINT32_MAX

typedef struct ingle_states {
    uint32_t slot[INGLE_STATE_SLOTS];
    size_t at[INGLE_STATE_SLOTS]; /* positions a checkpoint covers; 0: none. at[0] is not used */
} ingle_states;

void ingle_states_init(ingle_states *s); /* no slot is named */
/* Positions from n on are gone; the live slot covered n_live. Returns what it covers now, 0: there
 * is none. */
size_t ingle_states_rewind(ingle_states *s, ingle_pages *pool, size_t n_live, size_t n);
/* Whether the live slot, which covers n_live positions, should be kept as a checkpoint. */
bool ingle_states_due(const ingle_states *s, size_t n_live);
/* A step goes on in `fresh`, of which the session is the owner, from the live slot, which covers
 * n_live positions. With `keep` that becomes a checkpoint, and the one that will be missed least
 * goes. Returns the slot that is to be dropped when the step has ended; INGLE_NO_STATE: none. */
uint32_t ingle_states_move(ingle_states *s, ingle_pages *pool, size_t n_live, uint32_t fresh,
                           bool keep);
/* The live slot moved on in vain: the checkpoint that covers n_live positions is live again. */
void ingle_states_back(ingle_states *s, ingle_pages *pool, size_t n_live);
/* Gives up a checkpoint that nobody else has; false: there is none. */
bool ingle_states_give(ingle_states *s, ingle_pages *pool);
/* Another session has the same, `to` naming none. */
void ingle_states_share(ingle_states *to, const ingle_states *from, ingle_pages *pool);
/* The invariant of a session with n_live positions: for builds with assertions. */
bool ingle_states_is_sound(const ingle_states *s, const ingle_pages *pool, size_t n_live);

#endif
