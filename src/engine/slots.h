/* slots.h - which sequences have page tables on the backend, and what it knows of them.
 * Owns       the slots, and of each table what the backend has.
 * Depends on backend/backend.h. Knows no session: an owner is an address.
 * Invariant  a slot has one owner or none; an owner has one slot at most. */
#ifndef INGLE_ENGINE_SLOTS_H
#define INGLE_ENGINE_SLOTS_H

#include "backend/backend.h"

typedef struct ingle_slot {
    const void *owner;             /* NULL: free */
    uint64_t used;                 /* number of the step that used it last */
    uint32_t *table[INGLE_GROUPS]; /* [n_table] */
} ingle_slot;

typedef struct ingle_slots {
    ingle_slot *slot; /* [n] */
    size_t n, n_table;
    uint64_t step;
    ingle_table_change *change; /* [n * INGLE_GROUPS] of this step */
    size_t n_changes;
} ingle_slots;

bool ingle_slots_open(ingle_slots *s, size_t n, size_t n_table); /* false: no memory */
void ingle_slots_close(ingle_slots *s);
/* Another step begins: there are no changes, and no slot is in use. */
void ingle_slots_begin(ingle_slots *s);
/* The owner's slot, which is in use from now on. One that has none gets a free one, or that of
 * whoever has not been in a step for longest: at most n owners have a part in a step. */
uint32_t ingle_slots_take(ingle_slots *s, const void *owner);
/* The first n entries of the owner's table: what the backend does not have yet becomes a change.
 * The table stays as it is until the step has begun. */
void ingle_slots_update(ingle_slots *s, uint32_t slot, ingle_group group, const uint32_t *table,
                        size_t n);
/* The owner is gone, or the backend's tables are. */
void ingle_slots_drop(ingle_slots *s, const void *owner);
/* Bytes that open() takes. */
size_t ingle_slots_bytes(size_t n, size_t n_table);

#endif
