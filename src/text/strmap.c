#include "text/strmap.h"
#include "base/mem.h"

#include <stdlib.h>

static void put(ingle_strmap *map, uint32_t hash, uint32_t id)
{
    uint32_t i = hash & map->mask;
    while (map->slots[i].id != INGLE_NO_ID) i = (i + 1) & map->mask;
    map->slots[i] = (ingle_strmap_slot){hash, id};
}

static bool resize(ingle_strmap *map, size_t n_slots)
{
    size_t bytes;
    if (n_slots > (size_t)UINT32_MAX || !ingle_mul_ok(n_slots, sizeof *map->slots, &bytes))
        return false;
    ingle_strmap_slot *old = map->slots;
    size_t n_old = old ? (size_t)map->mask + 1 : 0;
    map->slots = malloc(bytes);
    if (!map->slots) {
        map->slots = old;
        return false;
    }
    memset(map->slots, 0xff, bytes);
    map->mask = (uint32_t)(n_slots - 1);
    for (size_t i = 0; i < n_old; i++)
        if (old[i].id != INGLE_NO_ID) put(map, old[i].hash, old[i].id);
    free(old);
    return true;
}

bool ingle_strmap_open(ingle_strmap *map, size_t n, uint64_t seed)
{
    *map = (ingle_strmap){.seed = seed};
    size_t n_slots = 16;
    while (n_slots / 2 < n) n_slots *= 2;
    return resize(map, n_slots);
}

void ingle_strmap_close(ingle_strmap *map)
{
    free(map->slots);
    map->slots = NULL;
}

size_t ingle_strmap_bytes(const ingle_strmap *map)
{
    return map->slots ? ((size_t)map->mask + 1) * sizeof *map->slots : 0;
}

bool ingle_strmap_add(ingle_strmap *map, uint64_t hash, uint32_t id)
{
    if (map->n >= map->mask / 2 && !resize(map, ((size_t)map->mask + 1) * 2)) return false;
    put(map, (uint32_t)hash, id);
    map->n++;
    return true;
}
