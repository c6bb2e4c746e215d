/* test_states.c - checkpoints of a recurrent session against a model that remembers everything: what
 * a slot holds is always what its bookkeeping says. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "engine/states.h"

/* What the slots hold: the positions that were run through them, the timeline's name in the high
 * half. A timeline gets a new name whenever it is cut. */
typedef struct world {
    ingle_states s;
    ingle_pages pool;
    uint64_t slot[INGLE_STATE_SLOTS + 1];
    uint64_t line[4096]; /* what a state after n positions of the current timeline is */
    size_t n, live;
    uint64_t name;
} world;

static void world_open(world *w)
{
    memset(w, 0, sizeof *w);
    ingle_states_init(&w->s);
    assert_true(ingle_pages_open(&w->pool, INGLE_STATE_SLOTS + 1));
}

static void world_close(world *w)
{
    assert_int_equal(ingle_states_rewind(&w->s, &w->pool, w->live, 0), 0);
    assert_int_equal(w->pool.n_free, w->pool.n);
    ingle_pages_close(&w->pool);
}

static void move(world *w, bool keep)
{
    uint32_t fresh;
    size_t any;
    assert_true(ingle_pages_take(&w->pool, 1, &fresh, &any));
    if (w->s.slot[0] != INGLE_NO_STATE) w->slot[fresh] = w->slot[w->s.slot[0]];
    uint32_t late = ingle_states_move(&w->s, &w->pool, w->live, fresh, keep);
    if (late != INGLE_NO_STATE) ingle_pages_drop(&w->pool, &late, 1);
}

static void advance(world *w, size_t n)
{
    if (w->s.slot[0] == INGLE_NO_STATE) move(w, false);
    else if (ingle_states_due(&w->s, w->live)) move(w, true);
    for (; n; n--) {
        if (w->live == w->n) w->line[++w->n] = ++w->name;
        w->live++;
    }
    w->slot[w->s.slot[0]] = w->line[w->live];
}

static void check(const world *w)
{
    assert_true(ingle_states_is_sound(&w->s, &w->pool, w->live));
    if (w->live) assert_true(w->slot[w->s.slot[0]] == w->line[w->live]);
    for (size_t i = 1; i < INGLE_STATE_SLOTS; i++) {
        if (!w->s.at[i]) continue;
        assert_true(w->s.at[i] <= w->n);
        assert_true(w->slot[w->s.slot[i]] == w->line[w->s.at[i]]);
    }
    assert_true(w->live <= w->n);
}

/* What a step does with a proposed chain that breaks. */
static void in_vain(world *w)
{
    if (!w->live) return;
    move(w, true);
    w->slot[w->s.slot[0]] = ++w->name; /* what nobody wants */
    ingle_states_back(&w->s, &w->pool, w->live);
}

static void any_order(void **state)
{
    static world w;
    uint32_t seed = 1;
    (void)state;
    world_open(&w);
    for (int i = 0; i < 200000; i++) {
        seed = seed * 1664525u + 1013904223u;
        size_t r = seed >> 12;
        if (r % 8 == 0) {
            w.n = r / 8 % 3 ? w.n - (w.n < 40 ? w.n : r / 32 % 40) : r / 32 % (w.n + 1);
            w.live = ingle_states_rewind(&w.s, &w.pool, w.live, w.n);
        } else if (r % 64 == 63) {
            in_vain(&w);
        } else if (r % 64 == 55) {
            ingle_states_give(&w.s, &w.pool);
        } else {
            size_t n = r % 8 < 6 ? 1 : r / 8 % 200;
            if (w.n + n < 4000) advance(&w, n);
        }
        check(&w);
    }
    world_close(&w);
}

/* Copies are rare, and going back costs no more than states.h derives: dearest is always the position
 * just before a checkpoint. Every length up to 131,072; the second bound is what the first 4,096 come
 * to, so that a worse choice shows where most sessions are. */
static void near_ones_stay(void **state)
{
    static world all, *w = &all;
    size_t n_saved = 0;
    (void)state;
    world_open(w);
    move(w, false);
    for (size_t n = 1; n <= 131072; n++) {
        w->live = n;
        if (ingle_states_due(&w->s, n)) move(w, true), n_saved++;
        double most = pow((double)n * (double)n / 1280, 0.2);
        for (size_t i = 1; i < INGLE_STATE_SLOTS; i++) {
            size_t at = w->s.at[i], back = n - at + 1, before = 0;
            if (!at) continue;
            for (size_t k = 1; k < INGLE_STATE_SLOTS; k++)
                if (w->s.at[k] < at && w->s.at[k] > before) before = w->s.at[k];
            size_t again = n - before;
            double times = (double)again / (double)(back + INGLE_STATE_NEAR);
            assert_true(again <= back + INGLE_STATE_EVERY || times <= most);
            assert_true(n > 4096 || times <= 4.5);
        }
    }
    assert_int_equal(n_saved, 131072 / INGLE_STATE_EVERY);
    world_close(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_order),
        cmocka_unit_test(near_ones_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
