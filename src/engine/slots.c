#include "engine/slots.h"

#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>

#define UNKNOWN (UINT32_MAX - 1) /* no page has this number */

bool ingle_slots_open(ingle_slots *s, size_t n, size_t n_table)
{
    *s = (ingle_slots){.n = n, .n_table = n_table};
    s->slot = ingle_new(n, sizeof *s->slot);
    s->change = ingle_new(n * INGLE_GROUPS, sizeof *s->change);
    bool ok = s->slot && s->change;
    for (size_t i = 0; ok && i < n * INGLE_GROUPS; i++) {
        uint32_t **table = &s->slot[i / INGLE_GROUPS].table[i % INGLE_GROUPS];
        ok = (*table = ingle_new(n_table, sizeof **table)) != NULL;
    }
    if (!ok) ingle_slots_close(s);
    return ok;
}

void ingle_slots_close(ingle_slots *s)
{
    for (size_t i = 0; s->slot && i < s->n * INGLE_GROUPS; i++)
        free(s->slot[i / INGLE_GROUPS].table[i % INGLE_GROUPS]);
    free(s->slot);
    free(s->change);
    *s = (ingle_slots){0};
}

size_t ingle_slots_bytes(size_t n, size_t n_table)
{
    return n * (sizeof(ingle_slot) +
                INGLE_GROUPS * (sizeof(ingle_table_change) + n_table * sizeof(uint32_t)));
}

#ifndef NDEBUG
static size_t slots_of(const ingle_slots *s, const void *owner)
{
    size_t n = 0;
    for (size_t i = 0; i < s->n; i++) n += s->slot[i].owner == owner;
    return n;
}
#endif

void ingle_slots_begin(ingle_slots *s)
{
    s->step++;
    s->n_changes = 0;
}

uint32_t ingle_slots_take(ingle_slots *s, const void *owner)
{
    size_t best = 0;
    for (size_t i = 0; i < s->n; i++) {
        if (s->slot[i].owner == owner) {
            s->slot[i].used = s->step;
            assert(slots_of(s, owner) == 1);
            return (uint32_t)i;
        }
        if (s->slot[i].used < s->slot[best].used) best = i;
    }
    assert(s->slot[best].used < s->step); /* not in use */
    s->slot[best].owner = owner;
    s->slot[best].used = s->step;
    for (size_t i = 0; i < INGLE_GROUPS * s->n_table; i++)
        s->slot[best].table[i / s->n_table][i % s->n_table] = UNKNOWN;
    return (uint32_t)best;
}

void ingle_slots_update(ingle_slots *s, uint32_t slot, ingle_group group, const uint32_t *table,
                        size_t n)
{
    uint32_t *has = s->slot[slot].table[group];
    size_t first = 0;
    assert(n <= s->n_table && s->slot[slot].used == s->step);
    while (first < n && has[first] == table[first]) first++;
    while (n > first && has[n - 1] == table[n - 1]) n--;
    if (n == first) return;
    for (size_t i = first; i < n; i++) has[i] = table[i];
    assert(s->n_changes < s->n * INGLE_GROUPS);
    s->change[s->n_changes++] = (ingle_table_change){.slot = slot,
                                                     .first = (uint32_t)first,
                                                     .n = (uint32_t)(n - first),
                                                     .group = group,
                                                     .pages = table + first};
}

void ingle_slots_drop(ingle_slots *s, const void *owner)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->slot[i].owner == owner) {
            s->slot[i].owner = NULL;
            s->slot[i].used = 0;
        }
    assert(!slots_of(s, owner));
}
