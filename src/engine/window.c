#include "engine/window.h"

#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>

/* Pages that n positions in a row touch at most. */
static size_t span(size_t n)
{
    return (n + INGLE_PAGE - 1) / INGLE_PAGE + 1;
}

size_t ingle_window_most(size_t width, size_t n_batch, size_t n_ctx)
{
    size_t all = (n_ctx + INGLE_PAGE - 1) / INGLE_PAGE;
    if (!width) return 0;
    if (width >= n_ctx || n_batch >= n_ctx) return all;
    size_t most = span(width + n_batch) + 2 * span(width + INGLE_PAGE);
    return most < all ? most : all;
}

bool ingle_window_open(ingle_window *w, size_t width, size_t n_batch, size_t n_ctx)
{
    *w = (ingle_window){.width = width, .most = ingle_window_most(width, n_batch, n_ctx)};
    if (!width) return true;
    w->n_table = (n_ctx + INGLE_PAGE - 1) / INGLE_PAGE;
    w->ids = ingle_new(w->n_table, sizeof *w->ids);
    w->spare = ingle_new(w->most, sizeof *w->spare);
    if (!w->ids || !w->spare) {
        ingle_window_close(w);
        return false;
    }
    for (size_t p = 0; p < w->n_table; p++) w->ids[p] = INGLE_NO_PAGE;
    return true;
}

void ingle_window_close(ingle_window *w)
{
    free(w->ids);
    free(w->spare);
    *w = (ingle_window){0};
}

size_t ingle_window_want(const ingle_window *w, size_t n)
{
    size_t all = (n + INGLE_PAGE - 1) / INGLE_PAGE;
    return all < w->most ? all : w->most;
}

size_t ingle_window_first(const ingle_window *w, size_t pos)
{
    return pos + 1 > w->width ? (pos + 1 - w->width) / INGLE_PAGE : 0;
}

/* Whether page p is seen from `mark`, or from up to a page before it: who answers a prompt again
 * comes back to its last token, not after it. */
static bool seen_from(const ingle_window *w, size_t mark, size_t p)
{
    size_t from = mark > INGLE_PAGE ? mark - INGLE_PAGE : 0;
    return mark && p * INGLE_PAGE < mark && p >= ingle_window_first(w, from);
}

bool ingle_window_place(ingle_window *w, size_t p, uint32_t *id)
{
    if (w->ids[p] != INGLE_NO_PAGE) return false;
    if (w->n_spare) {
        w->ids[p] = *id = w->spare[--w->n_spare];
        return true;
    }
    size_t q = 0; /* the lowest that is free to go lies below all that the batch sees */
    while (w->ids[q] == INGLE_NO_PAGE || seen_from(w, w->begin, q) || seen_from(w, w->end, q)) q++;
    assert(q < p);
    *id = w->ids[q];
    w->ids[q] = INGLE_NO_PAGE;
    w->ids[p] = *id;
    return true;
}

/* The most positions, n at most, whose last ones that the next one sees are all there. */
static size_t whole(const ingle_window *w, size_t n)
{
    while (n) {
        size_t p = (n + INGLE_PAGE - 1) / INGLE_PAGE, first = ingle_window_first(w, n);
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

size_t ingle_window_rewind(ingle_window *w, size_t n, size_t live)
{
    if (!w->width) return live;
    size_t n_whole = whole(w, live);
    for (size_t p = (n_whole + INGLE_PAGE - 1) / INGLE_PAGE; p < w->n_table; p++) {
        if (w->ids[p] == INGLE_NO_PAGE) continue;
        w->spare[w->n_spare++] = w->ids[p];
        w->ids[p] = INGLE_NO_PAGE;
    }
    if (w->begin > n) w->begin = n;
    if (w->end > n) w->end = n;
    assert(ingle_window_is_sound(w));
    return n_whole;
}

bool ingle_window_is_sound(const ingle_window *w)
{
    size_t n = w->n_spare;
    for (size_t p = 0; p < w->n_table; p++) n += w->ids[p] != INGLE_NO_PAGE;
    return n == w->n_own && n <= w->most;
}

bool ingle_window_holds(const ingle_window *w, size_t pos, size_t end)
{
    for (size_t p = ingle_window_first(w, pos); p * INGLE_PAGE < end; p++)
        if (w->ids[p] == INGLE_NO_PAGE) return false;
    return true;
}
