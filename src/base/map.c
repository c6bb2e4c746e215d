#define _GNU_SOURCE
#include "base/map.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

/* The two halves of a 64 x 64 bit product, folded: one multiplication mixes every bit into every
 * other. */
static uint64_t fold(uint64_t a, uint64_t b)
{
    __extension__ unsigned __int128 p = (unsigned __int128)a * b;
    return (uint64_t)p ^ (uint64_t)(p >> 64);
}

static uint64_t load(const char *p, size_t n)
{
    uint64_t v = 0;
    memcpy(&v, p, n);
    return v;
}

static uint64_t hash(const ingle_map *map, const char *key, size_t len)
{
    uint64_t h = map->seed[0] ^ len;
    size_t left = len;
    for (; left > 8; left -= 8, key += 8) h = fold(h ^ load(key, 8), map->seed[1]);
    h = fold(h ^ load(key, left), map->seed[1]);
    return fold(h ^ map->seed[0], 0x9e3779b97f4a7c15u);
}

/* Without the system's generator (a very early boot) time and addresses have to do. */
static void make_seed(ingle_map *map)
{
    if (getrandom(map->seed, sizeof map->seed, GRND_NONBLOCK) != (ssize_t)sizeof map->seed) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        map->seed[0] = fold((uint64_t)now.tv_nsec ^ (uintptr_t)map->slots, 0xd1342543de82ef95u);
        map->seed[1] = fold((uint64_t)now.tv_sec ^ (uintptr_t)map, 0xaf251af3b0f025b5u);
    }
    map->seed[1] |= 1;
}

bool ingle_map_init(ingle_map *map, size_t n_max)
{
    *map = (ingle_map){.n_max = n_max};
    size_t n_slots = 8, want;
    if (!ingle_add_ok(n_max, n_max / 2 + 1, &want)) return false;
    while (n_slots < want)
        if (!ingle_mul_ok(n_slots, 2, &n_slots)) return false;
    map->slots = ingle_new(n_slots, sizeof *map->slots);
    if (!map->slots) return false;
    map->mask = n_slots - 1;
    make_seed(map);
    return true;
}

void ingle_map_free(ingle_map *map)
{
    free(map->slots);
    *map = (ingle_map){0};
}

size_t ingle_map_bytes(const ingle_map *map)
{
    return map->slots ? (map->mask + 1) * sizeof *map->slots : 0;
}

/* The slot of the key, or the free one where it belongs. */
static ingle_map_slot *probe(const ingle_map *map, const char *key, size_t len)
{
    for (size_t i = hash(map, key, len) & map->mask;; i = (i + 1) & map->mask) {
        ingle_map_slot *slot = &map->slots[i];
        if (!slot->key) return slot;
        if (slot->len == len && !memcmp(slot->key, key, len)) return slot;
    }
}

bool ingle_map_put(ingle_map *map, const char *key, size_t len, uint32_t value, uint32_t *old)
{
    assert(len <= UINT32_MAX);
    ingle_map_slot *slot = probe(map, key, len);
    if (slot->key) {
        if (old) *old = slot->value;
        return false;
    }
    assert(map->n < map->n_max);
    map->n++;
    *slot = (ingle_map_slot){.key = key, .len = (uint32_t)len, .value = value};
    return true;
}

bool ingle_map_find(const ingle_map *map, const char *key, size_t len, uint32_t *value)
{
    if (!map->slots) return false;
    const ingle_map_slot *slot = probe(map, key, len);
    if (!slot->key) return false;
    *value = slot->value;
    return true;
}
