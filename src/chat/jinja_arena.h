/* jinja_arena.h - memory that is given back all at once: of a program, or of one rendering.
 * Owns       its blocks. Depends on base/mem.h.
 * Invariant  no more than `max` bytes are taken; `full`: this was the limit that was
 *            reached. */
#ifndef INGLE_CHAT_JINJA_ARENA_H
#define INGLE_CHAT_JINJA_ARENA_H

#include "base/mem.h"

typedef struct jinja_block {
    struct jinja_block *next;
    size_t cap;
} jinja_block;

typedef struct jinja_arena {
    jinja_block *blocks;
    char *at, *end; /* free bytes of the newest block */
    size_t used, max;
    bool full;
} jinja_arena;

/* A block with room for n bytes at a->at. */
bool ingle_jinja_arena_block(jinja_arena *a, size_t n);
void ingle_jinja_arena_close(jinja_arena *a);

/* n bytes for values of any type, not zeroed; NULL: see above. */
static inline void *ingle_jinja_new(jinja_arena *a, size_t n)
{
    size_t pad = (size_t)(-(uintptr_t)a->at & 15);
    if ((size_t)(a->end - a->at) < pad || (size_t)(a->end - a->at) - pad < n) {
        if (n > SIZE_MAX / 4 || !ingle_jinja_arena_block(a, n + 16)) return NULL;
        pad = (size_t)(-(uintptr_t)a->at & 15);
    }
    void *p = a->at + pad;
    a->at += pad + n;
    return p;
}

/* The same for text, end to end with what was taken before. */
static inline char *ingle_jinja_new_bytes(jinja_arena *a, size_t n)
{
    if ((size_t)(a->end - a->at) < n || !a->at)
        if (n > SIZE_MAX / 4 || !ingle_jinja_arena_block(a, n + 1)) return NULL;
    char *p = a->at;
    a->at += n;
    return p;
}

#endif
