/* schema_memory.c - see schema_memory.h. */
#include "grammar/schema_memory.h"

struct schema_block {
    schema_block *next;
    size_t used, cap;
    max_align_t data[];
};

static schema_block *block_new(schema_memory *m, size_t n)
{
    size_t cap = n > 32768 ? n : 32768;
    m->full |= m->total + cap > SCHEMA_MAX_MEMORY;
    if (m->full) return NULL;
    schema_block *b = malloc(sizeof *b + cap);
    if (!b) return NULL;
    *b = (schema_block){.next = m->blocks, .cap = cap};
    m->total += cap;
    m->blocks = b;
    return b;
}

void *ingle_schema_take(schema_memory *m, size_t n, size_t size)
{
    size_t bytes;
    if (!ingle_mul_ok(n, size, &bytes) || bytes > SCHEMA_MAX_MEMORY) return NULL;
    bytes = ingle_round_up(bytes + !bytes, sizeof(max_align_t));
    schema_block *b = m->blocks;
    if ((!b || b->cap - b->used < bytes) && !(b = block_new(m, bytes))) return NULL;
    void *p = (char *)b->data + b->used;
    b->used += bytes;
    return memset(p, 0, bytes);
}

void *ingle_schema_copy(schema_memory *m, const void *p, size_t n)
{
    void *copy = ingle_schema_take(m, n, 1);
    if (copy && n) memcpy(copy, p, n);
    return copy;
}

void ingle_schema_memory_free(schema_memory *m)
{
    while (m->blocks) {
        schema_block *next = m->blocks->next;
        free(m->blocks);
        m->blocks = next;
    }
    *m = (schema_memory){0};
}

static uint64_t hash_of(const char *p, size_t n, uint32_t salt)
{
    uint64_t h = 0x9e3779b97f4a7c15u ^ ((uint64_t)salt << 32) ^ n;
    for (; n >= 8; p += 8, n -= 8) {
        h = (h ^ ingle_load(p, 8)) * 0xff51afd7ed558ccdu;
        h ^= h >> 29;
    }
    h = (h ^ (n ? ingle_load(p, n) : 0)) * 0xc4ceb9fe1a85ec53u;
    return h ^ h >> 32;
}

static uint32_t *find(const schema_map *m, const schema_key *k)
{
    size_t i = k->hash & (m->n_slots - 1);
    for (;; i = (i + 1) & (m->n_slots - 1)) {
        if (!m->slots[i]) return &m->slots[i];
        const schema_key *o = &m->keys[m->slots[i] - 1];
        if (o->hash == k->hash && o->salt == k->salt && o->n == k->n && !memcmp(o->p, k->p, k->n))
            return &m->slots[i];
    }
}

schema_key *ingle_schema_map_get(const schema_map *m, const void *p, size_t n, uint32_t salt)
{
    if (!m->n) return NULL;
    uint32_t *slot = find(m, &(schema_key){p, n, salt, 0, hash_of(p, n, salt)});
    return *slot ? &m->keys[*slot - 1] : NULL;
}

static bool widen(schema_map *m)
{
    if (m->n_slots > 2 * m->n) return true;
    size_t n_slots = m->n_slots ? 2 * m->n_slots : 16;
    uint32_t *slots = ingle_new(n_slots, sizeof *slots);
    if (!slots) return false;
    free(m->slots);
    m->slots = slots;
    m->n_slots = n_slots;
    for (size_t i = 0; i < m->n; i++) *find(m, &m->keys[i]) = (uint32_t)i + 1;
    return true;
}

schema_key *ingle_schema_map_put(schema_map *m, const void *p, size_t n, uint32_t salt, bool *made)
{
    schema_key key = {p, n, salt, 0, hash_of(p, n, salt)};
    *made = false;
    if (m->n >= UINT32_MAX / 4 || !ingle_grow(&m->keys, &m->cap, m->n + 1, sizeof *m->keys) ||
        !widen(m))
        return NULL;
    uint32_t *slot = find(m, &key);
    if (!*slot) {
        m->keys[m->n++] = key;
        *slot = (uint32_t)m->n;
        *made = true;
    }
    return &m->keys[*slot - 1];
}

void ingle_schema_map_free(schema_map *m)
{
    free(m->keys);
    free(m->slots);
    *m = (schema_map){0};
}
