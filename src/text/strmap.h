/* strmap.h - a hash and a table from byte strings to numbers; the strings lie elsewhere.
 * Owns       the slots. The caller keeps the strings as data[at[id] .. at[id + 1]).
 * Depends on base/mem.h.
 * Invariant  at least half of the slots are empty, so every search ends. */
#ifndef INGLE_TEXT_STRMAP_H
#define INGLE_TEXT_STRMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define INGLE_NO_ID UINT32_MAX

/* Strings one after the other: number i is data[at[i] .. at[i + 1]). */
typedef struct ingle_strings {
    char *data;
    uint32_t *at;
} ingle_strings;

typedef struct ingle_strmap_slot {
    uint32_t hash, id; /* INGLE_NO_ID: empty */
} ingle_strmap_slot;

typedef struct ingle_strmap {
    ingle_strmap_slot *slots; /* [mask + 1] */
    uint32_t mask, n;
    uint64_t seed;
} ingle_strmap;

static inline uint64_t ingle_mix(uint64_t a, uint64_t b)
{
    __extension__ typedef unsigned __int128 wide;
    wide r = (wide)a * b;
    return (uint64_t)r ^ (uint64_t)(r >> 64);
}

static inline uint64_t ingle_load(const char *p, size_t n)
{
    uint64_t x = 0;
    memcpy(&x, p, n);
    return x;
}

/* Not cryptographic; the seed comes from the content of the file, so that a file cannot easily
 * carry keys chosen to collide. */
static inline uint64_t ingle_hash(const char *p, size_t n, uint64_t seed)
{
    const uint64_t k0 = 0x9e3779b97f4a7c15u, k1 = 0xd6e8feb86659fd93u;
    uint64_t h = seed ^ (n * k0);
    for (; n > 8; p += 8, n -= 8) h = ingle_mix(h ^ ingle_load(p, 8), k1);
    uint64_t tail;
    if (n == 8) tail = ingle_load(p, 8);
    else if (n >= 4) tail = ingle_load(p, 4) | ingle_load(p + n - 4, 4) << 32;
    else
        tail = n ? (unsigned char)p[0] | (uint64_t)(unsigned char)p[n / 2] << 8 |
                       (uint64_t)(unsigned char)p[n - 1] << 16
                 : 0;
    return ingle_mix(h ^ tail ^ k0, k1);
}

/* Room for n entries; false without memory. */
bool ingle_strmap_open(ingle_strmap *map, size_t n, uint64_t seed);
void ingle_strmap_close(ingle_strmap *map);
size_t ingle_strmap_bytes(const ingle_strmap *map);
/* Adds an id whose string is not in the map yet; false without memory. */
bool ingle_strmap_add(ingle_strmap *map, uint64_t hash, uint32_t id);

/* The id of the string, or INGLE_NO_ID. hash is ingle_hash(key, len, map->seed). */
static inline uint32_t ingle_strmap_find(const ingle_strmap *map, const ingle_strings *s,
                                         uint64_t hash, const char *key, size_t len)
{
    for (uint32_t i = (uint32_t)hash & map->mask;; i = (i + 1) & map->mask) {
        ingle_strmap_slot slot = map->slots[i];
        if (slot.id == INGLE_NO_ID) return INGLE_NO_ID;
        if (slot.hash != (uint32_t)hash) continue;
        uint32_t at = s->at[slot.id];
        if (s->at[slot.id + 1] - at == len && memcmp(s->data + at, key, len) == 0) return slot.id;
    }
}

#endif
