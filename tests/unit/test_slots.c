/* test_slots.c - slots of page tables against a backend that only carries out the changes it is
 * told: in every step it has the tables of all that have a part in it, and nobody loses a slot in
 * use. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "engine/slots.h"

enum { MOST_SLOTS = 6, N_TABLE = 9, MOST_OWNERS = 14, N_STEPS = 4000 };

/* A sequence: its tables, of which the first n[group] entries are there. */
typedef struct owner {
    uint32_t table[INGLE_GROUPS][N_TABLE];
    size_t n;
    uint64_t used; /* the last step it had a part in; 0: it has no slot as far as we know */
    uint32_t slot;
} owner;

typedef struct world {
    ingle_slots slots;
    size_t n_slots, n_owners;
    owner owner[MOST_OWNERS];
    uint32_t backend[MOST_SLOTS][INGLE_GROUPS][N_TABLE];
    uint64_t step;
    uint32_t seed;
} world;

static uint32_t draw(world *w, size_t n)
{
    w->seed = w->seed * 1664525u + 1013904223u;
    return (w->seed >> 8) % (uint32_t)n;
}

/* ---- a step ---- */

/* Who has no slot gets a free one, or that of whoever has been idle for longest. */
static void check_slot(world *w, size_t who, uint32_t slot)
{
    owner *o = &w->owner[who];
    uint64_t oldest = UINT64_MAX;
    size_t n_held = 0, loser = MOST_OWNERS;
    assert_true(slot < w->n_slots);
    if (o->used) { /* it keeps the one it has */
        assert_int_equal(slot, o->slot);
        o->used = w->step;
        return;
    }
    for (size_t i = 0; i < w->n_owners; i++) {
        if (!w->owner[i].used) continue;
        n_held++;
        if (w->owner[i].used < oldest) oldest = w->owner[i].used;
        if (w->owner[i].slot == slot) loser = i;
    }
    if (n_held < w->n_slots) assert_int_equal(loser, MOST_OWNERS);
    else {
        assert_true(loser < MOST_OWNERS);
        assert_true(w->owner[loser].used < w->step); /* it has no part in this step */
        assert_int_equal(w->owner[loser].used, oldest);
        w->owner[loser].used = 0;
    }
    memset(w->backend[slot], 0xee, sizeof w->backend[0]); /* nothing of it is of use */
    o->slot = slot;
    o->used = w->step;
}

/* The table grows, is cut back, or has other pages here and there; none may be missing. */
static void change(world *w, owner *o)
{
    uint32_t what = draw(w, 6);
    if (what == 0) o->n = 1 + draw(w, o->n);
    if (what >= 3 && o->n < N_TABLE) o->n++;
    for (int g = 0; g < INGLE_GROUPS; g++) {
        for (size_t p = 0; p < N_TABLE; p++) {
            bool beyond = p >= o->n - (what >= 3); /* nobody is told what waits there */
            if (beyond || draw(w, what == 1 ? 2 : 12) == 0)
                o->table[g][p] = draw(w, 4) ? draw(w, 1000) : INGLE_NO_PAGE;
        }
    }
}

static void carry_out(world *w)
{
    bool seen[MOST_SLOTS][INGLE_GROUPS] = {{false}};
    for (size_t i = 0; i < w->slots.n_changes; i++) {
        const ingle_table_change *c = &w->slots.change[i];
        assert_true(c->slot < w->n_slots && (unsigned)c->group < INGLE_GROUPS);
        assert_true(c->n && c->first + c->n <= N_TABLE);
        assert_false(seen[c->slot][c->group]); /* one change says it all */
        seen[c->slot][c->group] = true;
        uint32_t *table = w->backend[c->slot][c->group];
        assert_true(table[c->first] != c->pages[0]); /* it begins and ends with news */
        assert_true(table[c->first + c->n - 1] != c->pages[c->n - 1]);
        memcpy(table + c->first, c->pages, c->n * sizeof *table);
    }
}

static void check_tables(const world *w)
{
    for (size_t i = 0; i < w->n_owners; i++) {
        const owner *o = &w->owner[i];
        for (int g = 0; o->used == w->step && g < INGLE_GROUPS; g++)
            assert_memory_equal(w->backend[o->slot][g], o->table[g], o->n * sizeof(uint32_t));
    }
}

/* Some of the owners, at most as many as there are slots, in any order; all take their slots before
 * the first is told, or each is told at once. */
static void step(world *w)
{
    size_t who[MOST_OWNERS], n = 1 + draw(w, w->n_slots);
    bool at_once = draw(w, 2) == 0;
    for (size_t i = 0; i < w->n_owners; i++) who[i] = i;
    for (size_t i = 0; i < w->n_owners; i++) {
        size_t k = draw(w, w->n_owners), other = who[i];
        who[i] = who[k], who[k] = other;
    }
    if (n > w->n_owners) n = w->n_owners;
    w->step++;
    ingle_slots_begin(&w->slots);
    for (size_t i = 0; i < 2 * n; i++) {
        owner *o = &w->owner[who[i % n]];
        if (i < n) {
            change(w, o);
            check_slot(w, who[i], ingle_slots_take(&w->slots, o));
        }
        if (at_once == (i < n))
            for (int g = 0; g < INGLE_GROUPS; g++)
                ingle_slots_update(&w->slots, o->slot, (ingle_group)g, o->table[g], o->n);
    }
    for (size_t i = 0; i < n; i++) /* asking again changes nothing */
        assert_int_equal(ingle_slots_take(&w->slots, &w->owner[who[i]]), w->owner[who[i]].slot);
    carry_out(w);
    check_tables(w);
}

/* Owners that are gone, of whom some never had a slot; now and then a step failed, and the
 * backend's tables of all its members are rubbish. */
static void drop(world *w)
{
    bool failed = draw(w, 3) == 0;
    size_t one = draw(w, w->n_owners);
    for (size_t i = 0; i < w->n_owners; i++) {
        owner *o = &w->owner[i];
        if (failed ? o->used != w->step : i != one) continue;
        ingle_slots_drop(&w->slots, o);
        if (o->used && failed) memset(w->backend[o->slot], 0xee, sizeof w->backend[0]);
        o->used = 0;
        if (!failed) o->n = 1;
    }
}

static void test_random(void **state)
{
    (void)state;
    for (uint32_t k = 0; k < 60; k++) {
        static world w;
        memset(&w, 0, sizeof w);
        w.seed = k;
        w.n_slots = 1 + k % MOST_SLOTS;
        w.n_owners = 1 + k / 4 % MOST_OWNERS;
        for (size_t i = 0; i < w.n_owners; i++) w.owner[i].n = 1;
        memset(w.backend, 0xee, sizeof w.backend);
        assert_true(ingle_slots_open(&w.slots, w.n_slots, N_TABLE));
        for (int i = 0; i < N_STEPS; i++) {
            step(&w);
            if (draw(&w, 8) == 0) drop(&w);
        }
        ingle_slots_close(&w.slots);
    }
}

/* ---- what a change is ---- */

static void test_changes(void **state)
{
    ingle_slots s;
    uint32_t table[N_TABLE] = {5, 6, 7, 8};
    int a, b;
    (void)state;
    assert_true(ingle_slots_open(&s, 2, N_TABLE));
    ingle_slots_begin(&s);
    uint32_t slot = ingle_slots_take(&s, &a);
    ingle_slots_update(&s, slot, INGLE_GROUP_ALL, table, 4);
    assert_int_equal(s.n_changes, 1); /* the whole table */
    assert_true(s.change[0].slot == slot && s.change[0].first == 0 && s.change[0].n == 4);
    assert_ptr_equal(s.change[0].pages, table);
    ingle_slots_begin(&s);
    assert_int_equal(ingle_slots_take(&s, &a), slot);
    ingle_slots_update(&s, slot, INGLE_GROUP_ALL, table, 4);
    ingle_slots_update(&s, slot, INGLE_GROUP_ALL, table, 2);
    assert_int_equal(s.n_changes, 0); /* nothing new */
    table[1] = 60, table[2] = 70, table[4] = 9;
    ingle_slots_update(&s, slot, INGLE_GROUP_ALL, table, 4);
    assert_int_equal(s.n_changes, 1);
    assert_true(s.change[0].first == 1 && s.change[0].n == 2);
    assert_ptr_equal(s.change[0].pages, table + 1);
    ingle_slots_begin(&s);
    ingle_slots_update(&s, ingle_slots_take(&s, &a), INGLE_GROUP_ALL, table, 5);
    assert_true(s.n_changes == 1 && s.change[0].first == 4 && s.change[0].n == 1);
    ingle_slots_update(&s, slot, INGLE_GROUP_WINDOW, table, 1); /* a table of its own */
    assert_true(s.n_changes == 2 && s.change[1].group == INGLE_GROUP_WINDOW);
    ingle_slots_drop(&s, &b); /* has none */
    ingle_slots_drop(&s, &a);
    ingle_slots_begin(&s);
    slot = ingle_slots_take(&s, &a);
    ingle_slots_update(&s, slot, INGLE_GROUP_ALL, table, 5);
    assert_true(s.n_changes == 1 && s.change[0].first == 0 && s.change[0].n == 5);
    ingle_slots_close(&s);
    ingle_slots_close(&s); /* a no-op */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
