#define _GNU_SOURCE
#include "base/cpu.h"
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
    (void)pool, (void)n_threads;
    runs[i_thread]++;
}

/* As many of n threads as can run at once. */
static int few(int n_threads)
{
    int n_cpus = ingle_cpu_processors(NULL);
    return n_threads < n_cpus ? n_threads : n_cpus;
}

static void test_every_thread_runs_once(void **state)
{
    (void)state;
    for (size_t k = 0; k < 4; k++) {
        int n_threads = thread_counts[k], runs[8] = {0}, want[8] = {0};
        ingle_pool *pool = open_pool(n_threads);
        for (int i = 0; i < 300; i++) {
            if (i == 100) ingle_pool_use_all(pool);
            int n = ingle_pool_run(pool, count_self, runs);
            assert_int_equal(n, i < 100 ? few(n_threads) : n_threads);
            for (int t = 0; t < n; t++) want[t]++;
            for (int t = 0; t < 8; t++) assert_int_equal(runs[t], want[t]);
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
        for (int i = 0; i < 6; i++) { /* some threads come late */
            if (i == 3) ingle_pool_use_all(pool);
            ingle_pool_run(pool, relay_fn, &r);
        }
        for (int t = 0; t < 8; t++) assert_int_equal(r.n_wrong[t], 0);
        ingle_pool_close(&pool);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open_and_close),
        cmocka_unit_test(test_every_thread_runs_once),
        cmocka_unit_test(test_open_fails_cleanly),
        cmocka_unit_test(test_barrier_orders_writes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
