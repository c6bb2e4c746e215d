#include "engine/states.h"

#include <assert.h>

void ingle_states_init(ingle_states *s)
{
    for (size_t i = 0; i < INGLE_STATE_SLOTS; i++) s->slot[i] = INGLE_NO_STATE, s->at[i] = 0;
}

static void drop(ingle_states *s, ingle_pages *pool, size_t i)
{
    if (s->slot[i] != INGLE_NO_STATE) ingle_pages_drop(pool, &s->slot[i], 1);
    s->slot[i] = INGLE_NO_STATE;
    s->at[i] = 0;
}

/* Checkpoint i is live in place of what was. */
static void revive(ingle_states *s, ingle_pages *pool, size_t i)
{
    drop(s, pool, 0);
    s->slot[0] = s->slot[i];
    s->slot[i] = INGLE_NO_STATE;
    s->at[i] = 0;
}

size_t ingle_states_rewind(ingle_states *s, ingle_pages *pool, size_t n_live, size_t n)
{
    size_t best = 0;
    for (size_t i = 1; i < INGLE_STATE_SLOTS; i++) {
        if (s->at[i] > n) drop(s, pool, i);
        if (s->at[i] && (!best || s->at[i] > s->at[best])) best = i;
    }
    if (n_live <= n && n_live) return n_live;
    if (!best) {
        drop(s, pool, 0);
        return 0;
    }
    n_live = s->at[best];
    revive(s, pool, best);
    return n_live;
}

/* The checkpoint that will be missed least: without it, going back just past the one after it
 * means to compute from the one before it; least times as much, that is (states.h). */
static size_t least(const ingle_states *s, size_t n_live)
{
    size_t best = 1;
    uint64_t best_far = 0, best_near = 1;
    for (size_t i = 1; i < INGLE_STATE_SLOTS; i++) {
        size_t before = 0, after = n_live;
        if (!s->at[i]) return i;
        for (size_t k = 1; k < INGLE_STATE_SLOTS; k++) {
            if (s->at[k] < s->at[i] && s->at[k] > before) before = s->at[k];
            if (s->at[k] > s->at[i] && s->at[k] < after) after = s->at[k];
        }
        uint64_t far = n_live - before, near = n_live - after + INGLE_STATE_NEAR;
        if (i == 1 || far * best_near < best_far * near) best = i, best_far = far, best_near = near;
    }
    return best;
}

bool ingle_states_due(const ingle_states *s, size_t n_live)
{
    size_t last = 0;
    for (size_t i = 1; i < INGLE_STATE_SLOTS; i++)
        if (s->at[i] > last) last = s->at[i];
    return n_live >= last + INGLE_STATE_EVERY;
}

uint32_t ingle_states_move(ingle_states *s, ingle_pages *pool, size_t n_live, uint32_t fresh,
                           bool keep)
{
    uint32_t live = s->slot[0];
    s->slot[0] = fresh;
    if (!keep || live == INGLE_NO_STATE) return live;
    size_t i = least(s, n_live);
    drop(s, pool, i);
    s->slot[i] = live;
    s->at[i] = n_live;
    return INGLE_NO_STATE;
}

void ingle_states_back(ingle_states *s, ingle_pages *pool, size_t n_live)
{
    size_t i = 1;
    while (s->at[i] != n_live) i++;
    revive(s, pool, i);
}

bool ingle_states_give(ingle_states *s, ingle_pages *pool)
{
    for (size_t i = 1; i < INGLE_STATE_SLOTS; i++) {
        if (!s->at[i] || pool->refs[s->slot[i]] > 1) continue;
        drop(s, pool, i);
        return true;
    }
    return false;
}

void ingle_states_share(ingle_states *to, const ingle_states *from, ingle_pages *pool)
{
    *to = *from;
    for (size_t i = 0; i < INGLE_STATE_SLOTS; i++)
        if (to->slot[i] != INGLE_NO_STATE) ingle_pages_hold(pool, &to->slot[i], 1);
}

bool ingle_states_is_sound(const ingle_states *s, const ingle_pages *pool, size_t n_live)
{
    if (n_live && s->slot[0] == INGLE_NO_STATE) return false;
    for (size_t i = 0; i < INGLE_STATE_SLOTS; i++) {
        if (i && (s->at[i] > n_live || (s->slot[i] == INGLE_NO_STATE) != !s->at[i])) return false;
        if (s->slot[i] != INGLE_NO_STATE &&
            (s->slot[i] >= pool->n || pool->refs[s->slot[i]] <= pool->kept[s->slot[i]]))
            return false;
        for (size_t k = 0; k < i; k++)
            if (s->slot[i] != INGLE_NO_STATE && s->slot[i] == s->slot[k]) return false;
    }
    return true;
}
