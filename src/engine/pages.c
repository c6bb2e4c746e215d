#include "engine/pages.h"

#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>

bool ingle_pages_open(ingle_pages *p, size_t n)
{
    *p = (ingle_pages){.n = n, .n_free = n};
    p->refs = ingle_new(n, sizeof *p->refs);
    p->kept = ingle_new(n, sizeof *p->kept);
    p->free = ingle_new(n, sizeof *p->free);
    p->idle = ingle_new(n + 1, sizeof *p->idle);
    if (!p->refs || !p->kept || !p->free || !p->idle) {
        ingle_pages_close(p);
        return false;
    }
    for (size_t i = 0; i < n; i++) p->free[i] = (uint32_t)(n - 1 - i);
    p->idle[n] = (ingle_idle_page){.older = (uint32_t)n, .younger = (uint32_t)n};
    assert(ingle_pages_is_sound(p));
    return true;
}

size_t ingle_pages_own_bytes(size_t n)
{
    return n * 3 * sizeof(uint32_t) + (n + 1) * sizeof(ingle_idle_page);
}

void ingle_pages_close(ingle_pages *p)
{
    free(p->refs);
    free(p->kept);
    free(p->free);
    free(p->idle);
    *p = (ingle_pages){0};
}

/* Into the list as the youngest; out of it. */
static void list(ingle_pages *p, uint32_t id)
{
    uint32_t ends = (uint32_t)p->n, last = p->idle[ends].older;
    p->idle[id] = (ingle_idle_page){.older = last, .younger = ends, .stamp = ++p->stamp};
    p->idle[last].younger = p->idle[ends].older = id;
    p->n_idle++;
}

static void unlist(ingle_pages *p, uint32_t id)
{
    ingle_idle_page at = p->idle[id];
    p->idle[at.older].younger = at.younger;
    p->idle[at.younger].older = at.older;
    p->n_idle--;
}

bool ingle_pages_take(ingle_pages *p, size_t n, uint32_t *ids, size_t *n_used)
{
    *n_used = 0;
    if (n > p->n_free) return false;
    for (size_t i = 0; i < n; i++) {
        ids[i] = p->free[--p->n_free];
        assert(!p->refs[ids[i]] && !p->kept[ids[i]]);
        p->refs[ids[i]] = 1;
        if (ids[i] < p->n_touched) *n_used = i + 1;
        else p->n_touched = ids[i] + 1;
    }
    assert(ingle_pages_is_sound(p));
    return true;
}

void ingle_pages_hold(ingle_pages *p, const uint32_t *ids, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        assert(ids[i] < p->n && p->refs[ids[i]]);
        if (ingle_pages_is_idle(p, ids[i])) unlist(p, ids[i]);
        p->refs[ids[i]]++;
    }
    assert(ingle_pages_is_sound(p));
}

void ingle_pages_drop(ingle_pages *p, const uint32_t *ids, size_t n)
{
    for (size_t i = n; i-- > 0;) {
        assert(ids[i] < p->n && p->refs[ids[i]] > p->kept[ids[i]]);
        if (--p->refs[ids[i]] == 0) p->free[p->n_free++] = ids[i];
        else if (ingle_pages_is_idle(p, ids[i])) list(p, ids[i]);
    }
    assert(ingle_pages_is_sound(p));
}

void ingle_pages_keep(ingle_pages *p, uint32_t id)
{
    assert(id < p->n && p->refs[id] > p->kept[id]);
    p->refs[id]++;
    p->kept[id]++;
}

void ingle_pages_release(ingle_pages *p, uint32_t id)
{
    assert(id < p->n && p->kept[id]);
    bool was_idle = ingle_pages_is_idle(p, id);
    p->refs[id]--;
    p->kept[id]--;
    if (!was_idle || p->kept[id]) return;
    unlist(p, id);
    p->free[p->n_free++] = id;
}

void ingle_pages_refresh(ingle_pages *p, uint32_t id)
{
    if (!ingle_pages_is_idle(p, id)) return;
    unlist(p, id);
    list(p, id);
}

/* Pages, places on the stack and places in the list that is_sound() looks at. */
#define LOOK 1024

static bool is_stack_sound(const ingle_pages *p)
{
    size_t n_new = p->n - p->n_touched, from = p->n_free > LOOK ? p->n_free - LOOK : 0;
    for (size_t i = from; i < p->n_free; i++) {
        uint32_t id = p->free[i];
        if (i < n_new ? id != p->n - 1 - i : id >= p->n_touched) return false;
        if (p->refs[id] || p->kept[id]) return false;
    }
    return true;
}

static bool is_list_sound(const ingle_pages *p)
{
    uint32_t ends = (uint32_t)p->n, id = p->idle[ends].younger, older = ends;
    size_t n = 0;
    for (; id != ends && n < LOOK; n++) {
        if (id > ends || p->idle[id].older != older || !ingle_pages_is_idle(p, id)) return false;
        if (older != ends && p->idle[older].stamp >= p->idle[id].stamp) return false;
        older = id;
        id = p->idle[id].younger;
    }
    return n == LOOK || (n == p->n_idle && p->idle[ends].older == older);
}

bool ingle_pages_is_sound(const ingle_pages *p)
{
    size_t n_free = 0, n_idle = 0, n = p->n < LOOK ? p->n : LOOK;
    if (p->n_touched > p->n || p->n_free > p->n || p->n_free < p->n - p->n_touched) return false;
    for (size_t i = 0; i < n; i++) {
        if (p->kept[i] > p->refs[i]) return false;
        n_free += !p->refs[i];
        n_idle += ingle_pages_is_idle(p, (uint32_t)i);
    }
    if (n == p->n ? n_free != p->n_free || n_idle != p->n_idle
                  : n_free > p->n_free || n_idle > p->n_idle)
        return false;
    return is_stack_sound(p) && is_list_sound(p);
}
