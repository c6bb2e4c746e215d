/* map.h - a set of byte strings, each with a number: finds duplicates and looks names up.
 * Owns       its slots; the keys are borrowed and must stay where they are.
 * Depends on base/mem.h.
 * Invariant  at most two thirds of the slots are taken, so a probe ends. The hash is seeded per map
 *            from the system's generator: no file can be built to make it slow. */
#ifndef INGLE_BASE_MAP_H
#define INGLE_BASE_MAP_H

#include "base/mem.h"

typedef struct ingle_map_slot {
    const char *key; /* NULL: free */
    uint32_t len, value;
} ingle_map_slot;

typedef struct ingle_map {
    ingle_map_slot *slots;
    size_t mask; /* slots - 1, a power of two minus one; 0 slots before init */
    size_t n, n_max;
    uint64_t seed[2];
} ingle_map;

/* Room for n_max keys (fixed). False: no memory. */
bool ingle_map_init(ingle_map *map, size_t n_max);
void ingle_map_free(ingle_map *map);
/* Bytes held. */
size_t ingle_map_bytes(const ingle_map *map);

/* False if the key is there already; *old is then its value (old may be NULL). Keys shorter than 4
 * GiB. */
bool ingle_map_put(ingle_map *map, const char *key, size_t len, uint32_t value, uint32_t *old);
bool ingle_map_find(const ingle_map *map, const char *key, size_t len, uint32_t *value);

#endif
