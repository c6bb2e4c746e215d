/* map.h - finds strings of bytes by a hash: which of the caller's strings is this one, if any?
 * Owns       its slots, a hash and a number for each string. The strings are the caller's and
 *            may move.
 * Depends on base/mem.h, base/entropy.h.
 * Invariant  at most half of the slots are taken, so a search ends. The hash has a secret seed for
 *            each map, so no file can carry strings that it makes collide. */
#ifndef INGLE_BASE_MAP_H
#define INGLE_BASE_MAP_H

#include "base/mem.h"

#define INGLE_NO_ID UINT32_MAX

typedef struct ingle_map_slot {
    uint32_t hash, id; /* INGLE_NO_ID: free */
} ingle_map_slot;

typedef struct ingle_map {
    ingle_map_slot *slots; /* [mask + 1] */
    uint32_t mask, n;
    uint64_t seed[2];
} ingle_map;

/* Room for n strings; more may be added. False: no memory. */
bool ingle_map_open(ingle_map *map, size_t n);
void ingle_map_close(ingle_map *map);
/* Bytes held. */
size_t ingle_map_bytes(const ingle_map *map);
/* Adds the number of a string that is not there yet. False: no memory, nothing changed. */
bool ingle_map_add(ingle_map *map, uint64_t hash, uint32_t id);

/* The two halves of a product, folded: one multiplication mixes every bit into every other. */
static inline uint64_t ingle_fold(uint64_t a, uint64_t b)
{
    __extension__ unsigned __int128 p = (unsigned __int128)a * b;
    return (uint64_t)p ^ (uint64_t)(p >> 64);
}

static inline uint64_t ingle_map_hash(const ingle_map *map, const char *p, size_t n)
{
    const uint64_t secret = map->seed[1];
    uint64_t h = map->seed[0] ^ n * secret, tail = 0;
    for (; n > 8; p += 8, n -= 8) h = ingle_fold(h ^ ingle_load(p, 8), secret);
    if (n == 8) tail = ingle_load(p, 8);
    else if (n >= 4) tail = ingle_load(p, 4) | ingle_load(p + n - 4, 4) << 32;
    else if (n)
        tail = (unsigned char)p[0] | (uint64_t)(unsigned char)p[n / 2] << 8 |
               (uint64_t)(unsigned char)p[n - 1] << 16;
    return ingle_fold(h ^ tail, secret);
}

/* The same of a number. */
static inline uint64_t ingle_map_hash_number(const ingle_map *map, uint64_t x)
{
    return ingle_fold(x ^ map->seed[0], map->seed[1]);
}

/* The numbers that were added with this hash, one at each call, then INGLE_NO_ID. The caller
 * compares their strings with the one it looks for. *i begins as 0. */
static inline uint32_t ingle_map_next(const ingle_map *map, uint64_t hash, uint32_t *i)
{
    for (;;) {
        ingle_map_slot slot = map->slots[((uint32_t)hash + (*i)++) & map->mask];
        if (slot.id == INGLE_NO_ID || slot.hash == (uint32_t)hash) return slot.id;
    }
}

#endif
