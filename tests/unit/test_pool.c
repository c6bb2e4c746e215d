#define _GNU_SOURCE
#include "base/pool.h"
#include "wrap_alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const int thread_counts[] = {1, 2, 3, 8};

static ingle_pool *open_pool(int n_threads)
{
    ingle_pool *pool;
    ingle_error err;
    assert_int_equal(ingle_pool_open(&pool, n_threads, &err), INGLE_OK);
    assert_int_equal(ingle_pool_n_threads(pool), n_threads);
    return pool;
}

/* ---- runs ---- */

static void count_self(void *arg, ingle_pool *pool, int i_thread, int n_threads)
{
    int *runs = arg; /* [n_threads]: plain memory, so a missing ordering is a race for the thread
                        sanitizer */
    runs[i_thread] += ingle_pool_n_threads(pool) == n_threads;
}

static void test_every_thread_runs_once(void **state)
{
    (void)state;
    for (size_t k = 0; k < 4; k++) {
        int n_threads = thread_counts[k], runs[8] = {0};
        ingle_pool *pool = open_pool(n_threads);
        for (int i = 0; i < 300; i++) {
            ingle_pool_run(pool, count_self, runs);
            for (int t = 0; t < 8; t++) assert_int_equal(runs[t], t < n_threads ? i + 1 : 0);
        }
        ingle_pool_close(&pool);
        assert_null(pool);
    }
}

static void test_open_and_close(void **state)
{
    (void)state;
    ingle_error err;
    ingle_pool *pool = NULL;
    ingle_pool_close(&pool);
    const int bad[] = {0, -1, 1025};
    for (size_t i = 0; i < 3; i++) {
        pool = (ingle_pool *)&err;
        assert_int_equal(ingle_pool_open(&pool, bad[i], &err), INGLE_EINVAL);
        assert_null(pool);
        assert_non_null(strstr(err.text, "n_threads"));
    }
    pool = open_pool(8); /* never run */
    ingle_pool_close(&pool);
}

/* No memory, or the k-th thread cannot be started: those that run are stopped again. */
static void test_open_fails_cleanly(void **state)
{
    (void)state;
    for (long n = 1;; n++) {
        ingle_pool *pool;
        ingle_error err = {""};
        wrap_alloc_begin(n);
        ingle_status status = ingle_pool_open(&pool, 4, &err);
        ingle_pool_close(&pool);
        bool reached = wrap_alloc_end();
        assert_int_equal(wrap_alloc_live(), 0);
        if (!reached) {
            assert_int_equal(status, INGLE_OK);
            assert_int_equal(n, 5); /* one block, three threads */
            return;
        }
        assert_int_equal(status, n == 1 ? INGLE_ENOMEM : INGLE_EIO);
        if (n == 3) assert_non_null(strstr(err.text, "thread 3 of 4 could not be started"));
    }
}

/* ---- barriers ---- */

enum { N_ROUNDS = 200 };

typedef struct relay {
    int values[2][8]; /* [round parity][thread] */
    int n_wrong[8];
} relay;

/* Each round every thread writes its own cell, and after the barrier reads all the others'. */
static void relay_fn(void *arg, ingle_pool *pool, int i_thread, int n_threads)
{
    relay *r = arg;
    for (int round = 0; round < N_ROUNDS; round++) {
        r->values[round & 1][i_thread] = round * 8 + i_thread;
        ingle_pool_barrier(pool, i_thread);
        for (int t = 0; t < n_threads; t++)
            r->n_wrong[i_thread] += r->values[round & 1][t] != round * 8 + t;
    }
}

static void test_barrier_orders_writes(void **state)
{
    (void)state;
    for (size_t k = 0; k < 4; k++) {
        relay r = {0};
        ingle_pool *pool = open_pool(thread_counts[k]);
        for (int i = 0; i < 3; i++) ingle_pool_run(pool, relay_fn, &r);
        for (int t = 0; t < 8; t++) assert_int_equal(r.n_wrong[t], 0);
        ingle_pool_close(&pool);
    }
}

/* ---- shares ---- */

enum { MAX_TASKS = 5000 };

typedef struct job {
    size_t n_tasks, unit;
    bool lazy;                   /* thread 0 takes nothing: its share must be stolen */
    _Atomic int done[MAX_TASKS]; /* times each task was handed out */
    _Atomic int n_bad, n_taken;  /* pieces out of bounds; tasks in all */
} job;

static void run_job(void *arg, ingle_pool *pool, int i_thread, int n_threads)
{
    job *j = arg;
    (void)n_threads;
    size_t first, n;
    for (int round = 0; round < 2; round++) {
        ingle_pool_share(pool, i_thread, j->n_tasks);
        ingle_pool_barrier(pool, i_thread);
        while (!(j->lazy && i_thread == 0) &&
               ingle_pool_next(pool, i_thread, j->unit, &first, &n)) {
            if (n < 1 || n > j->unit || first + n > j->n_tasks) {
                j->n_bad++;
                break;
            }
            for (size_t i = first; i < first + n; i++) j->done[i]++;
            j->n_taken += (int)n;
        }
        ingle_pool_barrier(pool, i_thread);
    }
}

static void check_job(int n_threads, size_t n_tasks, size_t unit, bool lazy)
{
    job *j = calloc(1, sizeof *j);
    assert_non_null(j);
    j->n_tasks = n_tasks;
    j->unit = unit;
    j->lazy = lazy;
    ingle_pool *pool = open_pool(n_threads);
    ingle_pool_run(pool, run_job, j);
    ingle_pool_close(&pool);
    assert_int_equal(j->n_bad, 0);
    assert_int_equal(j->n_taken, 2 * n_tasks);
    for (size_t i = 0; i < MAX_TASKS; i++) assert_int_equal(j->done[i], i < n_tasks ? 2 : 0);
    free(j);
}

static void test_shares_cover_every_task_once(void **state)
{
    (void)state;
    const size_t tasks[] = {0, 1, 2, 7, 8, 9, 100, 4999};
    const size_t units[] = {1, 3, 64, 100000};
    for (size_t k = 0; k < 4; k++)
        for (size_t t = 0; t < sizeof tasks / sizeof *tasks; t++)
            for (size_t u = 0; u < 4; u++) check_job(thread_counts[k], tasks[t], units[u], false);
}

static void test_idle_thread_is_robbed(void **state)
{
    (void)state;
    for (size_t k = 1; k < 4; k++) check_job(thread_counts[k], 1000, 7, true);
}

/* One thread: its own share, in order, in pieces of `unit`. */
static void take_in_order(void *arg, ingle_pool *pool, int i_thread, int n_threads)
{
    (void)arg, (void)n_threads;
    size_t first, n, expect = 0;
    ingle_pool_share(pool, i_thread, 10);
    while (ingle_pool_next(pool, i_thread, 4, &first, &n)) {
        assert_int_equal(first, expect);
        assert_int_equal(n, expect == 8 ? 2 : 4);
        expect += n;
    }
    assert_int_equal(expect, 10);
}

/* Thread 1 of 2 has nothing of its own left and takes from the end of thread 0's share. */
static void steal_from_tail(void *arg, ingle_pool *pool, int i_thread, int n_threads)
{
    size_t *pieces = arg, first, n;
    (void)n_threads;
    ingle_pool_share(pool, i_thread, 20);
    ingle_pool_barrier(pool, i_thread);
    for (int i = 0; i_thread == 1 && i < 4 && ingle_pool_next(pool, 1, 5, &first, &n); i++) {
        pieces[2 * i] = first;
        pieces[2 * i + 1] = n;
    }
    ingle_pool_barrier(pool, i_thread);
    if (i_thread == 0) pieces[8] = ingle_pool_next(pool, 0, 5, &first, &n);
}

static void test_order_of_pieces(void **state)
{
    (void)state;
    ingle_pool *pool = open_pool(1);
    ingle_pool_run(pool, take_in_order, NULL);
    ingle_pool_close(&pool);

    size_t pieces[9] = {0};
    const size_t want[9] = {10, 5, 15, 5, 5, 5, 0, 5, 0};
    pool = open_pool(2);
    ingle_pool_run(pool, steal_from_tail, pieces);
    ingle_pool_close(&pool);
    assert_memory_equal(pieces, want, sizeof want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open_and_close),
        cmocka_unit_test(test_every_thread_runs_once),
        cmocka_unit_test(test_open_fails_cleanly),
        cmocka_unit_test(test_barrier_orders_writes),
        cmocka_unit_test(test_shares_cover_every_task_once),
        cmocka_unit_test(test_idle_thread_is_robbed),
        cmocka_unit_test(test_order_of_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
