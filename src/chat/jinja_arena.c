/* jinja_arena.c - see jinja_arena.h. */
#include "chat/jinja_arena.h"

enum { FIRST_BLOCK = 16 << 10, LARGEST_STEP = 4 << 20 };

bool ingle_jinja_arena_block(jinja_arena *a, size_t n)
{
    size_t cap = a->blocks ? 2 * a->blocks->cap : FIRST_BLOCK;
    if (cap > LARGEST_STEP) cap = LARGEST_STEP;
    if (cap < 2 * n) cap = 2 * n; /* what grows at the end of a block has room to go on */
    if (cap > a->max - a->used) cap = a->max - a->used;
    if (cap < n) {
        a->full = true;
        return false;
    }
    jinja_block *b = malloc(sizeof *b + cap);
    if (!b) return false;
    *b = (jinja_block){a->blocks, cap};
    a->blocks = b;
    a->used += cap;
    a->at = (char *)(b + 1);
    a->end = a->at + cap;
    return true;
}

void ingle_jinja_arena_close(jinja_arena *a)
{
    for (jinja_block *b = a->blocks, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    *a = (jinja_arena){.max = a->max};
}
