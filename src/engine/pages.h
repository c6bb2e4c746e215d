/* pages.h - the pool of key/value pages of one engine.
 * Owns       the counts, the free list and the list of idle pages; the bytes belong to the backend.
 * Depends on base/mem.h. Knows no model, no sequence, no tree.
 * Invariant  a page is free if its count is 0 and only then. The count is that of its owners, of
 *            which some are kept for later use: the prefix tree's. A page that has no owners but
 *            those is idle; idle pages are in one list, in the order in which they became idle or
 *            were refreshed. On the stack, pages that had an owner lie above those that never had
 *            one, and these ascend towards the bottom. */
#ifndef INGLE_ENGINE_PAGES_H
#define INGLE_ENGINE_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ingle_idle_page {
    uint32_t older, younger; /* its neighbours in the list */
    uint64_t stamp;          /* grows from the oldest to the youngest */
} ingle_idle_page;

typedef struct ingle_pages {
    uint32_t *refs; /* [n] owners */
    uint32_t *kept; /* [n] of them, those of the prefix tree */
    uint32_t *free; /* [n_free] stack of ids */
    /* [n + 1] number n stands for both ends of the list: the oldest is idle[n].younger. */
    ingle_idle_page *idle;
    size_t n, n_free, n_idle;
    size_t n_touched; /* pages from here on were never taken: they are as the backend opened them */
    uint64_t stamp;
} ingle_pages;

bool ingle_pages_open(ingle_pages *p, size_t n); /* false: no memory */
void ingle_pages_close(ingle_pages *p);
size_t ingle_pages_own_bytes(size_t n); /* what open() takes for its lists */
/* Takes n pages, all or none. The first *n_used of them were somebody's before. */
bool ingle_pages_take(ingle_pages *p, size_t n, uint32_t *ids, size_t *n_used);
/* One more owner of pages that have one. */
void ingle_pages_hold(ingle_pages *p, const uint32_t *ids, size_t n);
/* One owner less, from the last page to the first: of pages that follow one another in a sequence,
 * the last become idle first. */
void ingle_pages_drop(ingle_pages *p, const uint32_t *ids, size_t n);
/* The same of the prefix tree: one more owner of a page that somebody else holds; one less. */
void ingle_pages_keep(ingle_pages *p, uint32_t id);
void ingle_pages_release(ingle_pages *p, uint32_t id);
/* An idle page becomes the youngest; of others nothing changes. */
void ingle_pages_refresh(ingle_pages *p, uint32_t id);

static inline bool ingle_pages_is_idle(const ingle_pages *p, uint32_t id)
{
    return p->kept[id] && p->refs[id] == p->kept[id];
}

/* The invariant, but for who the owners are: for builds with assertions, after every change. Large
 * pools are looked at in part. */
bool ingle_pages_is_sound(const ingle_pages *p);

#endif
