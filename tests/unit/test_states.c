/* test_states.c - checkpoints of a recurrent session against a model that remembers everything: what
 * a slot holds is always what its bookkeeping says. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "engine/states.h"

/* What the slots hold: the positions that were run through them, the timeline's name in the high
 * half. A timeline gets a new name whenever it is cut. */
typedef struct world {
    ingle_states s;
    uint64_t slot[INGLE_STATE_SLOTS + 3];
    uint64_t line[4096]; /* what a state after n positions of the current timeline is */
    size_t n, live;
    uint64_t name;
} world;

static void advance(world *w, size_t n)
{
    size_t to = ingle_states_save(&w->s, w->live);
    if (to) w->slot[w->s.slot[to]] = w->slot[w->s.slot[0]];
    for (; n; n--) {
        if (w->live == w->n) w->line[++w->n] = ++w->name;
        w->live++;
    }
    w->slot[w->s.slot[0]] = w->line[w->live];
}

static void check(const world *w)
{
    unsigned seen = 0;
    if (w->live) assert_true(w->slot[w->s.slot[0]] == w->line[w->live]);
    for (size_t i = 0; i < INGLE_STATE_SLOTS; i++) {
        assert_true(w->s.slot[i] >= 3 && w->s.slot[i] < 3 + INGLE_STATE_SLOTS);
        seen |= 1u << w->s.slot[i];
        if (!i || !w->s.at[i]) continue;
        assert_true(w->s.at[i] <= w->n);
        assert_true(w->slot[w->s.slot[i]] == w->line[w->s.at[i]]);
    }
    assert_int_equal(seen, ((1u << INGLE_STATE_SLOTS) - 1) << 3);
    assert_true(w->live <= w->n);
}

static void any_order(void **state)
{
    static world w;
    uint32_t seed = 1;
    (void)state;
    ingle_states_init(&w.s, 3);
    for (int i = 0; i < 200000; i++) {
        seed = seed * 1664525u + 1013904223u;
        size_t r = seed >> 12;
        if (r % 8 == 0) {
            w.n = r / 8 % 3 ? w.n - (w.n < 40 ? w.n : r / 32 % 40) : r / 32 % (w.n + 1);
            w.live = ingle_states_rewind(&w.s, w.live, w.n);
        } else {
            size_t n = r % 8 < 6 ? 1 : r / 8 % 200;
            if (w.n + n < 4000) advance(&w, n);
        }
        check(&w);
    }
}

/* Copies are rare, and going back costs no more than states.h derives: dearest is always the position
 * just before a checkpoint. Every length up to 131,072; the second bound is what the first 4,096 come
 * to, so that a worse choice shows where most sessions are. */
static void near_ones_stay(void **state)
{
    world *w = &(world){.name = 1};
    size_t n_saved = 0;
    (void)state;
    ingle_states_init(&w->s, 3);
    for (size_t n = 1; n <= 131072; n++) {
        n_saved += ingle_states_save(&w->s, n) != 0;
        double most = pow((double)n * (double)n / 1280, 0.2);
        for (size_t i = 1; i < INGLE_STATE_SLOTS; i++) {
            ingle_states copy = w->s;
            size_t at = copy.at[i], back = n - at + 1;
            if (!at) continue;
            size_t again = n - ingle_states_rewind(&copy, n, at - 1);
            double times = (double)again / (double)(back + INGLE_STATE_NEAR);
            assert_true(again <= back + INGLE_STATE_EVERY || times <= most);
            assert_true(n > 4096 || times <= 4.5);
        }
    }
    assert_int_equal(n_saved, 131072 / INGLE_STATE_EVERY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_order),
        cmocka_unit_test(near_ones_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
