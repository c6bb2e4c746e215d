#define _GNU_SOURCE
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

void *ingle_new(size_t n, size_t size)
{
    size_t bytes;
    if (!ingle_mul_ok(n, size, &bytes)) return NULL;
    return calloc(1, bytes ? bytes : 1);
}

bool ingle_grow(void *array, size_t *cap, size_t n, size_t size)
{
    if (n <= *cap) return true;
    size_t want = *cap < 8 ? 8 : *cap;
    while (want < n)
        if (!ingle_add_ok(want, want / 2, &want)) return false;
    size_t bytes;
    if (!ingle_mul_ok(want, size, &bytes)) return false;
    void *p;
    memcpy(&p, array, sizeof p);
    void *larger = realloc(p, bytes);
    if (!larger) return false;
    memcpy(array, &larger, sizeof larger);
    *cap = want;
    return true;
}

#define HUGE_PAGE ((size_t)2 << 20)

static size_t span(size_t bytes)
{
    size_t unit = bytes >= HUGE_PAGE ? HUGE_PAGE : 4096;
    return ingle_round_up(bytes ? bytes : 1, unit);
}

void *ingle_pages_new(size_t bytes)
{
    if (bytes > SIZE_MAX - 2 * HUGE_PAGE) return NULL;
    size_t want = span(bytes);
    size_t extra = bytes >= HUGE_PAGE ? HUGE_PAGE : 0;
    char *p = mmap(NULL, want + extra, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) return NULL;
    if (extra) { /* give back what lies before and after the aligned part */
        char *aligned = (char *)ingle_round_up((size_t)p, HUGE_PAGE);
        size_t before = (size_t)(aligned - p);
        if (before) munmap(p, before);
        if (extra - before) munmap(aligned + want, extra - before);
        p = aligned;
        madvise(p, want, MADV_HUGEPAGE);
    }
    return p;
}

void ingle_pages_free(void *pages, size_t bytes)
{
    if (pages) munmap(pages, span(bytes));
}
