/* pages.h - the pool of key/value pages of one engine.
 * Owns       reference counts and the free list; the bytes belong to the backend.
 * Depends on base/mem.h. Knows no model, no sequence.
 * Invariant  a page is free, or its count equals the sequences naming it; on the stack, pages that
 *            had an owner lie above those that never had one, and these ascend towards the bottom.
 */
#ifndef INGLE_ENGINE_PAGES_H
#define INGLE_ENGINE_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ingle_pages {
    uint32_t *refs; /* [n] */
    uint32_t *free; /* [n_free] stack of ids */
    size_t n, n_free;
    size_t n_touched; /* pages from here on were never taken: they are as the backend opened them */
} ingle_pages;

bool ingle_pages_open(ingle_pages *p, size_t n); /* false: no memory */
void ingle_pages_close(ingle_pages *p);
/* Takes n pages, all or none. The first *n_used of them were somebody's before. */
bool ingle_pages_take(ingle_pages *p, size_t n, uint32_t *ids, size_t *n_used);
void ingle_pages_drop(ingle_pages *p, const uint32_t *ids, size_t n);
/* The invariant, but for who names a page: for builds with assertions. */
bool ingle_pages_is_sound(const ingle_pages *p);

#endif
