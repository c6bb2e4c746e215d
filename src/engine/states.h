/* states.h - the recurrent state of one session: which slots of the backend are its own, and which
 * positions they cover.
 * Owns       nothing: the engine hands out slots, the backend holds their bytes.
 * Depends on base/mem.h. Knows no model, no token.
 * Invariant  slot 0 is live: every batch moves it on. The others are checkpoints, copies of it at
 *            positions before it, or empty. A session that is cut back goes on from the latest one
 *            that is left and computes the tokens after it again, which gives the same bits.
 *
 * What going back costs. A session of n positions, never cut, that goes back by b computes at most
 *     max(b + EVERY + the largest batch, (n^2 / 1280)^(1/5) (b + NEAR))
 * positions again: 7 times b + NEAR at 4,096, 9 times at 8,192, 27 times at 131,072; measured, 4.4,
 * 5.5 and 18.3. Let d1 < .. < d5 be how far the checkpoints lie back when one has to go for that at
 * d0 = 0, and d6 = n. Without number i the dearest way back between its neighbours is d[i+1], for
 * going back by more than d[i-1]: times r[i] = d[i+1] / (d[i-1] + NEAR). The five r[i] multiply to
 * less than d5 d6 / (NEAR (d1 + NEAR)), at most n^2 / 1280, so the least is at most its fifth root,
 * and that one goes. Later d[i+1] and d[i-1] grow by the same, which only lowers r. After a cut b
 * counts from the furthest position there was. */
#ifndef INGLE_ENGINE_STATES_H
#define INGLE_ENGINE_STATES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INGLE_STATE_SLOTS 6  /* of a session */
#define INGLE_STATE_EVERY 64 /* positions from a checkpoint to the next, at least */
#define INGLE_STATE_NEAR  16 /* so far back a step costs no more than from the last checkpoint */

typedef struct ingle_states {
    uint32_t slot[INGLE_STATE_SLOTS];
    size_t at[INGLE_STATE_SLOTS]; /* positions a checkpoint covers; 0: empty. at[0] is not used */
} ingle_states;

/* Slots first .. first + INGLE_STATE_SLOTS - 1, all empty. */
void ingle_states_init(ingle_states *s, uint32_t first);
/* Positions from n on are gone; the live slot covered n_live. Returns what it covers now, 0: it has
 * to begin afresh. */
size_t ingle_states_rewind(ingle_states *s, size_t n_live, size_t n);
/* The checkpoint that the live slot, which covers n_live positions, should be copied to now: its
 * index; 0: none is due. */
size_t ingle_states_save(ingle_states *s, size_t n_live);
/* The live slot, which covers n_live positions, is to stay whatever it comes to, for
 * ingle_states_back(): the index of a slot to go on in. */
size_t ingle_states_hold(ingle_states *s, size_t n_live);
/* The live slot moved on in vain: the one that covers n_live positions is live again. */
void ingle_states_back(ingle_states *s, size_t n_live);
/* The invariant of a session with slots first .. first + INGLE_STATE_SLOTS - 1 and n_live
 * positions: for builds with assertions. */
bool ingle_states_is_sound(const ingle_states *s, uint32_t first, size_t n_live);

#endif
