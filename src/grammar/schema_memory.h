/* schema_memory.h - memory of one compilation: an arena, and maps from bytes to numbers.
 * Owns       its blocks; a map, its slots and keys, but not the bytes of the keys.
 * Depends on base/mem.h. */
#ifndef INGLE_GRAMMAR_SCHEMA_MEMORY_H
#define INGLE_GRAMMAR_SCHEMA_MEMORY_H

#include "base/mem.h"

typedef struct schema_block schema_block;

/* {0} is an empty one. */
typedef struct schema_memory {
    schema_block *blocks;
    size_t total;
    bool full; /* SCHEMA_MAX_MEMORY was reached */
} schema_memory;

enum { SCHEMA_MAX_MEMORY = 1 << 25 };

/* Zeroed, for any type; NULL: no memory, or more than SCHEMA_MAX_MEMORY in all. */
void *ingle_schema_take(schema_memory *m, size_t n, size_t size);
void *ingle_schema_copy(schema_memory *m, const void *p, size_t n);
void ingle_schema_memory_free(schema_memory *m);

typedef struct schema_key {
    const char *p;
    size_t n;
    uint32_t salt, value;
    uint64_t hash;
} schema_key;

/* {0} is an empty one. Keys are numbered from 0 in the order of their coming. */
typedef struct schema_map {
    schema_key *keys;
    uint32_t *slots; /* number of the key + 1 */
    size_t n, cap, n_slots;
} schema_map;

/* NULL if it is not there. */
schema_key *ingle_schema_map_get(const schema_map *m, const void *p, size_t n, uint32_t salt);
/* The key, made with the value 0 if it is new; NULL: no memory. It refers to p, which the caller
 * may replace by equal bytes that stay. Valid until the next key is made. */
schema_key *ingle_schema_map_put(schema_map *m, const void *p, size_t n, uint32_t salt, bool *made);
void ingle_schema_map_free(schema_map *m);

#endif
