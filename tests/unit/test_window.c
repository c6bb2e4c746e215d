/* test_window.c - the page table of windowed layers against a model that remembers what was written
 * where: a batch finds everything its tokens see, out of as few pages as were promised. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "engine/window.h"
#include "kern/kern.h"

enum { N_CTX = 2048, N_PAGES = 256 };

typedef struct world {
    ingle_window w;
    uint32_t page[N_PAGES][INGLE_PAGE]; /* what a page's positions hold: a token's name */
    uint32_t line[N_CTX];               /* the token at each position */
    ingle_pages pool;
    size_t n, live, most;
    uint32_t name, seed;
} world;

static size_t draw(world *w, size_t n)
{
    w->seed = w->seed * 1664525u + 1013904223u;
    return (w->seed >> 8) % n;
}

static void world_open(world *w, size_t width, size_t n_batch)
{
    memset(w, 0, sizeof *w);
    assert_true(ingle_window_open(&w->w, width, n_batch, N_CTX));
    w->most = ingle_window_most(width, n_batch, N_CTX);
    assert_true(w->most <= N_PAGES);
    assert_true(ingle_pages_open(&w->pool, w->most));
}

static void world_close(world *w)
{
    assert_int_equal(w->pool.n_free, w->pool.n);
    ingle_pages_close(&w->pool);
    ingle_window_close(&w->w);
}

/* As sequence.c does. */
static void reserve(world *w, size_t pos, size_t end)
{
    size_t need = ingle_window_need(&w->w, &w->pool, pos, end), any;
    while (w->w.n + need > w->most || w->pool.n_free < need)
        if (!ingle_window_give(&w->w, &w->pool, pos)) break;
    for (size_t p = pos / INGLE_PAGE; p * INGLE_PAGE < end; p++) {
        uint32_t id = w->w.ids[p];
        if (id != INGLE_NO_PAGE) continue;
        assert_true(ingle_pages_take(&w->pool, 1, &id, &any));
        memset(w->page[id], 0, sizeof w->page[id]);
        ingle_window_place(&w->w, p, id);
    }
    assert_true(w->w.n <= ingle_window_want(&w->w, end > w->n ? end : w->n));
}

/* One batch, from what is live on. */
static void batch(world *w, size_t n)
{
    size_t pos0 = w->live;
    reserve(w, pos0, pos0 + n);
    for (size_t t = pos0; t < pos0 + n; t++) {
        size_t from = t + 1 > w->w.width ? t + 1 - w->w.width : 0;
        w->page[w->w.ids[t / INGLE_PAGE]][t % INGLE_PAGE] = w->line[t];
        for (size_t s = from; s <= t; s++) {
            assert_int_not_equal(w->w.ids[s / INGLE_PAGE], INGLE_NO_PAGE);
            assert_int_equal(w->page[w->w.ids[s / INGLE_PAGE]][s % INGLE_PAGE], w->line[s]);
        }
    }
    w->live += n;
}

static void job(world *w, size_t n, size_t n_batch)
{
    if (n > 1) ingle_window_begin(&w->w, w->n);
    for (size_t i = 0; i < n; i++) w->line[w->n + i] = ++w->name;
    w->n += n;
    while (w->live < w->n) batch(w, w->n - w->live < n_batch ? w->n - w->live : n_batch);
    if (n > 1) ingle_window_end(&w->w, w->n);
}

static void cut(world *w, size_t n)
{
    w->live = ingle_window_rewind(&w->w, &w->pool, n, n < w->live ? n : w->live);
    assert_true(w->live <= n);
    w->n = n;
}

static void any_order(void **state)
{
    static const size_t widths[] = {1, 2, 8, 31, 32, 33, 64, 100, 500, 3000};
    static const size_t batches[] = {1, 16, 32, 100, 512, 3000};
    static world w;
    (void)state;
    for (size_t i = 0; i < 60; i++) {
        size_t n_batch = batches[i % 6];
        world_open(&w, widths[i / 6], n_batch);
        w.seed = (uint32_t)i;
        for (int step = 0; step < 1500; step++) {
            size_t kind = draw(&w, 16), n = kind ? 1 + draw(&w, kind < 3 ? 600 : 4) : 1;
            if (w.n + n > N_CTX || kind == 15)
                cut(&w, draw(&w, 3) ? w.n - draw(&w, w.n < 60 ? w.n + 1 : 60) : draw(&w, w.n + 1));
            else job(&w, n, n_batch);
        }
        cut(&w, 0);
        world_close(&w);
    }
}

/* The two ends of the last prompt can be gone back to, however long the answer; what lies a batch
 * back too. */
static void comes_back(void **state)
{
    static world w;
    (void)state;
    for (size_t cut_to = 0; cut_to < 4; cut_to++) {
        static const size_t to[] = {799, 800, 500, 1999};
        world_open(&w, 100, 64);
        job(&w, 490, 64);
        while (w.n < 500) job(&w, 1, 64);
        for (int i = 0; i < 3; i++) job(&w, 100, 64); /* one prompt in pieces */
        while (w.n < 2000) job(&w, 1, 64);
        cut(&w, to[cut_to]);
        assert_int_equal(w.live, to[cut_to]);
        cut(&w, 300); /* there is nothing of it left */
        assert_int_equal(w.live, 0);
        world_close(&w);
    }
}

static void counts(void **state)
{
    (void)state;
    assert_int_equal(ingle_window_most(0, 512, 8192), 0);
    assert_int_equal(ingle_window_most(8192, 512, 8192), 256);
    assert_int_equal(ingle_window_most(1024, 8192, 8192), 256);
    assert_int_equal(ingle_window_most(100, 64, 96), 3);
    /* 1,024 and a batch, and twice 1,024 and a page */
    assert_int_equal(ingle_window_most(1024, 512, 1 << 20), 49 + 2 * 34);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_order),
        cmocka_unit_test(comes_back),
        cmocka_unit_test(counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
