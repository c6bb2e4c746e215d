/* test_admit.c - claims on pools against every order in which they could finish, and tasks that
 * only ask before they take: nobody is ever stuck. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "engine/admit.h"

enum { MOST_TRIED = 6, N_POOL = 12, N_TASKS = 6 };

static uint32_t seed;

static size_t draw(size_t n)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % n;
}

/* ---- every order ---- */

static bool can_finish(const ingle_claim *c, const size_t have[INGLE_RESOURCES])
{
    for (int r = 0; r < INGLE_RESOURCES; r++)
        if (c->may[r] > have[r]) return false;
    return true;
}

/* Tries every one of those left (a bit each) as the next to finish, and never thinks ahead. */
static bool some_order(const ingle_claim *claims, size_t n, unsigned left,
                       const size_t have[INGLE_RESOURCES])
{
    bool found = !left;
    for (size_t i = 0; i < n && !found; i++) {
        size_t after[INGLE_RESOURCES];
        if (!(left >> i & 1) || !can_finish(&claims[i], have)) continue;
        for (int r = 0; r < INGLE_RESOURCES; r++) after[r] = have[r] + claims[i].has[r];
        found = some_order(claims, n, left & ~(1u << i), after);
    }
    return found;
}

/* Amounts are small, so that about half of the cases are safe. */
static void draw_amounts(size_t to[INGLE_RESOURCES], size_t n)
{
    for (int r = 0; r < INGLE_RESOURCES; r++) to[r] = draw(3) ? draw(n) : 0;
}

static void take(ingle_claim *c, size_t free[INGLE_RESOURCES], const size_t want[INGLE_RESOURCES])
{
    for (int r = 0; r < INGLE_RESOURCES; r++) {
        c->has[r] += want[r];
        c->may[r] -= want[r];
        free[r] -= want[r];
    }
}

static bool may_take(const ingle_claim *claims, size_t n, size_t i, const size_t *free,
                     const size_t *want)
{
    ingle_claim after[MOST_TRIED];
    size_t rest[INGLE_RESOURCES];
    for (int r = 0; r < INGLE_RESOURCES; r++)
        if (want[r] > free[r] || want[r] > claims[i].may[r]) return false;
    memcpy(after, claims, n * sizeof *after);
    memcpy(rest, free, sizeof rest);
    take(&after[i], rest, want);
    unsigned most =
        0; /* of those who could finish before: any two such sets can one after the other */
    for (unsigned set = 0; set < 1u << n; set++)
        if ((set | most) != most && some_order(claims, n, set, free)) most |= set;
    return most >> i & 1 && some_order(after, n, most, rest);
}

static void test_every_order(void **state)
{
    size_t n_safe = 0, n_may = 0;
    (void)state;
    seed = 1;
    for (int k = 0; k < 20000; k++) {
        ingle_claim claims[MOST_TRIED], copy[MOST_TRIED];
        size_t free[INGLE_RESOURCES], want[INGLE_RESOURCES], n = 1 + draw(MOST_TRIED);
        for (size_t i = 0; i < n; i++) {
            draw_amounts(claims[i].has, 4);
            draw_amounts(claims[i].may, 5);
        }
        draw_amounts(free, 5);
        draw_amounts(want, 3);
        memcpy(copy, claims, sizeof copy);
        bool safe = some_order(claims, n, (1u << n) - 1, free);
        assert_true(ingle_is_safe(claims, n, free) == safe);
        size_t i = draw(n);
        bool may = may_take(claims, n, i, free, want);
        assert_true(ingle_may_take(claims, n, i, free, want) == may);
        assert_memory_equal(claims, copy, n * sizeof *claims);
        n_safe += safe;
        n_may += may;
    }
    assert_true(n_safe > 2000 && n_safe < 18000 && n_may > 500 && n_may < 18000);
}

/* ---- cases ---- */

static void test_cases(void **state)
{
    /* Two tasks of up to 10 pages in a pool of 12. */
    ingle_claim two[2] = {{.has = {4}, .may = {6}}, {.has = {4}, .may = {6}}};
    size_t four[INGLE_RESOURCES] = {4}, one[INGLE_RESOURCES] = {1}, none[INGLE_RESOURCES] = {0};
    size_t free[INGLE_RESOURCES] = {6};
    (void)state;
    assert_true(ingle_is_safe(NULL, 0, none));
    assert_false(ingle_is_safe(two, 2, four)); /* each waits for the other */
    assert_true(ingle_is_safe(two, 2, free));
    assert_true(ingle_may_take(two, 2, 0, free, one));
    take(&two[0], free, one);
    assert_true(ingle_may_take(two, 2, 0, free, one));
    assert_false(ingle_may_take(two, 2, 1, free, one)); /* then neither could end */
    assert_true(ingle_may_take(two, 2, 1, free, none));
    one[INGLE_RESOURCE_STATES] = 1; /* never announced, not there */
    assert_false(ingle_may_take(two, 2, 0, free, one));
}

/* A chain in which every task needs all that those before it return, in the worst order. */
static void test_many(void **state)
{
    enum { LAST = INGLE_MOST_CLAIMS - 1 };
    static ingle_claim claims[INGLE_MOST_CLAIMS + 1];
    size_t free[INGLE_RESOURCES] = {1, 1, 1, 1};
    (void)state;
    for (size_t i = 0; i <= LAST; i++)
        for (int r = 0; r < INGLE_RESOURCES; r++)
            claims[i].has[r] = 1, claims[i].may[r] = INGLE_MOST_CLAIMS - i;
    assert_true(ingle_is_safe(claims, INGLE_MOST_CLAIMS, free));
    assert_true(ingle_may_take(claims, INGLE_MOST_CLAIMS, LAST, free, free));
    assert_false(ingle_may_take(claims, INGLE_MOST_CLAIMS, LAST - 1, free, free));
    claims[5].may[3]++;
    assert_false(ingle_is_safe(claims, INGLE_MOST_CLAIMS, free));
    claims[5].may[3]--;
    assert_true(ingle_is_safe(claims, INGLE_MOST_CLAIMS, free));
    assert_false(ingle_is_safe(claims, INGLE_MOST_CLAIMS + 1, free));
}

/* ---- tasks that ask before they take ---- */

typedef struct bank {
    ingle_claim claims[N_TASKS];
    size_t n, free[INGLE_RESOURCES], n_done;
} bank;

/* A task is let in if everybody can still finish. Alone it always can. */
static void let_in(bank *b)
{
    ingle_claim *c = &b->claims[b->n];
    memset(c, 0, sizeof *c);
    draw_amounts(c->may, N_POOL + 1);
    if (b->n + 1 < N_TASKS && ingle_is_safe(b->claims, b->n + 1, b->free)) b->n++;
    else assert_true(b->n > 0);
}

static void end(bank *b, size_t i)
{
    for (int r = 0; r < INGLE_RESOURCES; r++) b->free[r] += b->claims[i].has[r];
    b->claims[i] = b->claims[--b->n];
    b->n_done++;
}

/* Takes one thing of a kind it still may need, if it is let; ends when it has all. */
static bool go_on(bank *b, size_t i)
{
    ingle_claim *c = &b->claims[i];
    size_t want[INGLE_RESOURCES] = {0};
    int r = 0;
    while (r < INGLE_RESOURCES && !c->may[r]) r++;
    if (r == INGLE_RESOURCES) return end(b, i), true;
    want[r] = 1;
    if (!ingle_may_take(b->claims, b->n, i, b->free, want)) return false;
    take(c, b->free, want);
    return true;
}

static void test_nobody_is_stuck(void **state)
{
    size_t n_paused = 0;
    bank b = {.free = {N_POOL, N_POOL, N_POOL, N_POOL}};
    (void)state;
    seed = 2;
    for (int k = 0; k < 20000; k++) {
        if (draw(2)) let_in(&b);
        if (b.n && !go_on(&b, draw(b.n))) n_paused++;
        assert_true(ingle_is_safe(b.claims, b.n, b.free));
        size_t i = 0;
        for (bank copy = b; i < b.n && !go_on(&copy, i); i++) {}
        assert_true(!b.n || i < b.n); /* somebody can go on */
    }
    assert_true(n_paused > 1000 && b.n_done > 200);
    while (b.n)
        for (size_t i = b.n; i > 0; i--) go_on(&b, i - 1);
    for (int r = 0; r < INGLE_RESOURCES; r++) assert_int_equal(b.free[r], N_POOL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_order),
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_nobody_is_stuck),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
