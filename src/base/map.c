#include "base/map.h"
#include "base/entropy.h"

#include <stdlib.h>

static void put(ingle_map *map, uint32_t hash, uint32_t id)
{
    uint32_t i = hash & map->mask;
    while (map->slots[i].id != INGLE_NO_ID) i = (i + 1) & map->mask;
    map->slots[i] = (ingle_map_slot){hash, id};
}

static bool resize(ingle_map *map, size_t n_slots)
{
    size_t bytes;
    if (n_slots > (size_t)UINT32_MAX || !ingle_mul_ok(n_slots, sizeof *map->slots, &bytes))
        return false;
    ingle_map_slot *old = map->slots, *slots = malloc(bytes);
    size_t n_old = old ? (size_t)map->mask + 1 : 0;
    if (!slots) return false;
    memset(slots, 0xff, bytes);
    map->slots = slots;
    map->mask = (uint32_t)(n_slots - 1);
    for (size_t i = 0; i < n_old; i++)
        if (old[i].id != INGLE_NO_ID) put(map, old[i].hash, old[i].id);
    free(old);
    return true;
}

bool ingle_map_open(ingle_map *map, size_t n)
{
    *map = (ingle_map){.seed = {ingle_entropy(), ingle_entropy() | 1}};
    size_t n_slots = 16;
    while (n_slots / 2 < n && n_slots < UINT32_MAX) n_slots *= 2;
    return resize(map, n_slots);
}

void ingle_map_close(ingle_map *map)
{
    free(map->slots);
    *map = (ingle_map){0};
}

size_t ingle_map_bytes(const ingle_map *map)
{
    return map->slots ? ((size_t)map->mask + 1) * sizeof *map->slots : 0;
}

bool ingle_map_add(ingle_map *map, uint64_t hash, uint32_t id)
{
    if (map->n > map->mask / 2 && !resize(map, ((size_t)map->mask + 1) * 2)) return false;
    put(map, (uint32_t)hash, id);
    map->n++;
    return true;
}
