#include "engine/window.h"

#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static size_t pages_of(size_t n)
{
    return (n + INGLE_PAGE - 1) / INGLE_PAGE;
}

/* Pages that n positions in a row touch at most. */
static size_t span(size_t n)
{
    return pages_of(n) + 1;
}

size_t ingle_window_most(size_t width, size_t n_batch, size_t n_ctx)
{
    size_t all = pages_of(n_ctx);
    if (!width) return 0;
    if (width >= n_ctx || n_batch >= n_ctx) return all;
    size_t most = span(width + n_batch) + 2 * span(width + INGLE_PAGE);
    return most < all ? most : all;
}

bool ingle_window_open(ingle_window *w, size_t width, size_t n_batch, size_t n_ctx)
{
    *w = (ingle_window){.width = width, .most = ingle_window_most(width, n_batch, n_ctx)};
    if (!width) return true;
    w->n_table = pages_of(n_ctx);
    w->ids = ingle_new(w->n_table, sizeof *w->ids);
    for (size_t p = 0; w->ids && p < w->n_table; p++) w->ids[p] = INGLE_NO_PAGE;
    return w->ids != NULL;
}

void ingle_window_close(ingle_window *w)
{
    free(w->ids);
    *w = (ingle_window){0};
}

size_t ingle_window_want(const ingle_window *w, size_t n)
{
    size_t all = pages_of(n);
    return all < w->most ? all : w->most;
}

size_t ingle_window_first(const ingle_window *w, size_t pos)
{
    return pos + 1 > w->width ? (pos + 1 - w->width) / INGLE_PAGE : 0;
}

size_t ingle_window_need(const ingle_window *w, const ingle_pages *pool, size_t pos, size_t end)
{
    size_t n = 0;
    if (!w->width) return 0;
    for (size_t p = pos / INGLE_PAGE; p * INGLE_PAGE < end; p++)
        n += w->ids[p] == INGLE_NO_PAGE || pool->refs[w->ids[p]] > 1;
    return n;
}

/* Whether page p is seen from `mark`, or from up to a page before it: who answers a prompt again
 * comes back to its last token, not after it. */
static bool seen_from(const ingle_window *w, size_t mark, size_t p)
{
    size_t from = mark > INGLE_PAGE ? mark - INGLE_PAGE : 0;
    return mark && p * INGLE_PAGE < mark && p >= ingle_window_first(w, from);
}

static bool can_go(const ingle_window *w, size_t p)
{
    return w->ids[p] != INGLE_NO_PAGE && !seen_from(w, w->begin, p) && !seen_from(w, w->end, p);
}

size_t ingle_window_spare(const ingle_window *w, const ingle_pages *pool, size_t pos)
{
    size_t n = 0, first = w->width ? ingle_window_first(w, pos) : 0;
    for (size_t p = 0; p < first; p++) n += can_go(w, p) && pool->refs[w->ids[p]] == 1;
    return n;
}

bool ingle_window_give(ingle_window *w, ingle_pages *pool, size_t pos)
{
    size_t first = ingle_window_first(w, pos), p = 0;
    while (p < first && !can_go(w, p)) p++;
    if (p == first) return false;
    ingle_pages_drop(pool, &w->ids[p], 1);
    w->ids[p] = INGLE_NO_PAGE;
    w->n--;
    return true;
}

void ingle_window_place(ingle_window *w, size_t p, uint32_t id)
{
    w->n += w->ids[p] == INGLE_NO_PAGE;
    w->ids[p] = id;
    assert(w->n <= w->most);
}

/* The most positions, n at most, whose last ones that the next one sees are all there. */
static size_t whole(const ingle_window *w, size_t n)
{
    while (n) {
        size_t p = pages_of(n), first = ingle_window_first(w, n);
        while (p > first && w->ids[p - 1] != INGLE_NO_PAGE) p--;
        if (p <= first) return n;
        n = (p - 1) * INGLE_PAGE;
    }
    return 0;
}

void ingle_window_begin(ingle_window *w, size_t n)
{
    if (w->end != n) w->begin = n;
    w->end = 0;
}

void ingle_window_end(ingle_window *w, size_t n)
{
    w->end = n;
}

size_t ingle_window_rewind(ingle_window *w, ingle_pages *pool, size_t n, size_t live)
{
    if (!w->width) return live;
    size_t n_whole = whole(w, live);
    for (size_t p = w->n_table; p-- > pages_of(n_whole);) {
        if (w->ids[p] == INGLE_NO_PAGE) continue;
        ingle_pages_drop(pool, &w->ids[p], 1);
        w->ids[p] = INGLE_NO_PAGE;
        w->n--;
    }
    if (w->begin > n) w->begin = n;
    if (w->end > n) w->end = n;
    assert(ingle_window_is_sound(w, pool));
    return n_whole;
}

void ingle_window_share(ingle_window *to, const ingle_window *from, ingle_pages *pool)
{
    if (!from->width) return;
    memcpy(to->ids, from->ids, from->n_table * sizeof *to->ids);
    to->n = from->n;
    to->begin = from->begin;
    to->end = from->end;
    for (size_t p = 0; p < to->n_table; p++)
        if (to->ids[p] != INGLE_NO_PAGE) ingle_pages_hold(pool, &to->ids[p], 1);
}

bool ingle_window_is_sound(const ingle_window *w, const ingle_pages *pool)
{
    size_t n = 0;
    for (size_t p = 0; p < w->n_table; p++) {
        if (w->ids[p] == INGLE_NO_PAGE) continue;
        if (w->ids[p] >= pool->n || pool->refs[w->ids[p]] <= pool->kept[w->ids[p]]) return false;
        n++;
    }
    return n == w->n && n <= w->most;
}

bool ingle_window_holds(const ingle_window *w, size_t pos, size_t end)
{
    for (size_t p = ingle_window_first(w, pos); p * INGLE_PAGE < end; p++)
        if (w->ids[p] == INGLE_NO_PAGE) return false;
    return true;
}
