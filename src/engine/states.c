#include "engine/states.h"

void ingle_states_init(ingle_states *s, uint32_t first)
{
    *s = (ingle_states){{0}, {0}};
    for (uint32_t i = 0; i < INGLE_STATE_SLOTS; i++) s->slot[i] = first + i;
}

size_t ingle_states_rewind(ingle_states *s, size_t n_live, size_t n)
{
    size_t best = 0;
    for (size_t i = 1; i < INGLE_STATE_SLOTS; i++) {
        if (s->at[i] > n) s->at[i] = 0;
        if (s->at[i] > s->at[best] || !best) best = i;
    }
    if (n_live <= n) return n_live;
    uint32_t live = s->slot[0];
    n_live = s->at[best];
    s->slot[0] = s->slot[best];
    s->slot[best] = live;
    s->at[best] = 0;
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

size_t ingle_states_save(ingle_states *s, size_t n_live)
{
    size_t last = 0;
    for (size_t i = 1; i < INGLE_STATE_SLOTS; i++)
        if (s->at[i] > last) last = s->at[i];
    if (n_live < last + INGLE_STATE_EVERY) return 0;
    size_t i = least(s, n_live);
    s->at[i] = n_live;
    return i;
}

size_t ingle_states_hold(ingle_states *s, size_t n_live)
{
    size_t i = least(s, n_live);
    s->at[i] = n_live;
    return i;
}

void ingle_states_back(ingle_states *s, size_t n_live)
{
    size_t i = 1;
    while (s->at[i] != n_live) i++;
    uint32_t live = s->slot[0];
    s->slot[0] = s->slot[i];
    s->slot[i] = live;
    s->at[i] = 0;
}

bool ingle_states_is_sound(const ingle_states *s, uint32_t first, size_t n_live)
{
    unsigned seen = 0;
    for (size_t i = 0; i < INGLE_STATE_SLOTS; i++) {
        if (s->slot[i] < first || s->slot[i] >= first + INGLE_STATE_SLOTS) return false;
        if (i && s->at[i] > n_live) return false;
        seen |= 1U << (s->slot[i] - first);
    }
    return seen == (1U << INGLE_STATE_SLOTS) - 1;
}
