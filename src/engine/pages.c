#include "engine/pages.h"

#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>

bool ingle_pages_open(ingle_pages *p, size_t n)
{
    *p = (ingle_pages){.n = n, .n_free = n};
    p->refs = ingle_new(n, sizeof *p->refs);
    p->free = ingle_new(n, sizeof *p->free);
    if (!p->refs || !p->free) {
        ingle_pages_close(p);
        return false;
    }
    for (size_t i = 0; i < n; i++) p->free[i] = (uint32_t)(n - 1 - i);
    assert(ingle_pages_is_sound(p));
    return true;
}

void ingle_pages_close(ingle_pages *p)
{
    free(p->refs);
    free(p->free);
    *p = (ingle_pages){0};
}

bool ingle_pages_take(ingle_pages *p, size_t n, uint32_t *ids, size_t *n_used)
{
    *n_used = 0;
    if (n > p->n_free) return false;
    for (size_t i = 0; i < n; i++) {
        ids[i] = p->free[--p->n_free];
        p->refs[ids[i]] = 1;
        if (ids[i] < p->n_touched) *n_used = i + 1;
        else p->n_touched = ids[i] + 1;
    }
    assert(ingle_pages_is_sound(p));
    return true;
}

void ingle_pages_drop(ingle_pages *p, const uint32_t *ids, size_t n)
{
    for (size_t i = n; i-- > 0;) {
        assert(ids[i] < p->n && p->refs[ids[i]]);
        if (--p->refs[ids[i]] == 0) p->free[p->n_free++] = ids[i];
    }
    assert(ingle_pages_is_sound(p));
}

bool ingle_pages_is_sound(const ingle_pages *p)
{
    size_t n_new = p->n - p->n_touched, n_free = 0;
    if (p->n_touched > p->n || p->n_free > p->n || p->n_free < n_new) return false;
    for (size_t i = 0; i < p->n; i++) n_free += !p->refs[i];
    for (size_t i = 0; i < p->n_free; i++) {
        if (i < n_new ? p->free[i] != p->n - 1 - i : p->free[i] >= p->n_touched) return false;
        if (p->refs[p->free[i]]) return false;
    }
    return n_free == p->n_free;
}
