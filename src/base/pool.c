#define _GNU_SOURCE
#include "base/pool.h"
#include "base/clock.h"
#include "base/cpu.h"
#include "base/mem.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define MAX_THREADS 1024
#define MAX_PAUSES  2000
#define N_YIELDS    64
#define N_SHORT     15     /* spins kept short after one that failed */
#define SHORT_SHARE 16     /* what is left of them */
#define MAX_SPIN_NS 50000  /* a pause takes 10 to 140 cycles, so the number alone says little */
#define LONG_NS     500000 /* a yield that took longer gave the processor to some other program */

/* What one thread owns; a line of its own. */
typedef struct worker {
    _Alignas(INGLE_ALIGN) uint32_t n_barriers; /* passed so far, over all runs */
    int n_short;                               /* spins at barriers still to be kept short */
    int n_short_start;                         /* the same before runs */
    bool crowded;                              /* of the last run it was part of */
    int index;
    ingle_pool *pool;
    pthread_t thread;
} worker;

/* A word threads wait on, and how many of them went to sleep doing so. */
typedef struct gate {
    _Alignas(INGLE_ALIGN) _Atomic uint32_t word;
    _Atomic uint32_t n_asleep;
} gate;

struct ingle_pool {
    gate start;                                       /* number of runs begun */
    gate start_all;                                   /* of those with every thread */
    gate finish;                                      /* workers of the current run still in fn */
    gate passed;                                      /* barriers completed, over all runs */
    _Alignas(INGLE_ALIGN) _Atomic uint32_t n_arrived; /* at the current barrier */
    int n_threads;
    int n_started; /* pthreads running */
    int n_few;     /* of these as many as there are processors */
    int n_calm;    /* of these as many as a quota lets run without end */
    int n_pauses;  /* to see a word move before sleeping */
    bool all;      /* every run on every thread */
    /* Of the run: written before start.word, read after it. */
    int n_running;
    bool crowded; /* more threads than can run at once: waiting makes room for the others */
    bool stop;
    ingle_pool_fn *fn;
    void *arg;
    void *block; /* what malloc gave */
    worker workers[];
};

static inline void pause_briefly(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile(
        "isb" ::
            : "memory"); /* yield is a no-op on most cores; isb takes about as long as pause */
#endif
}

static void futex_wait(_Atomic uint32_t *word, uint32_t seen)
{
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
}

/* Sleeps until the word is no longer `seen`. The counter goes up before the kernel compares the
 * word, and whoever changes the word looks at the counter afterwards: one of the two sees the
 * other. */
static void gate_sleep(gate *g, uint32_t seen)
{
    atomic_fetch_add(&g->n_asleep, 1);
    while (atomic_load(&g->word) == seen) futex_wait(&g->word, seen);
    atomic_fetch_sub(&g->n_asleep, 1);
}

/* After a change of the word. */
static void gate_wake(gate *g)
{
    if (atomic_load(&g->n_asleep))
        syscall(SYS_futex, &g->word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

static bool moved(gate *g, uint32_t seen)
{
    return atomic_load_explicit(&g->word, memory_order_acquire) != seen;
}

static bool gate_spin(gate *g, uint32_t seen, int n_tries)
{
    for (int i = 0; i < n_tries; i++) {
        if (moved(g, seen)) return true;
        pause_briefly();
    }
    return false;
}

/* False if the processor was long with somebody else. */
static bool yield_briefly(void)
{
    int64_t before = ingle_now_ns();
    sched_yield();
    return ingle_now_ns() - before < LONG_NS;
}

/* *others: another program wants the processors. */
static bool gate_yield(gate *g, uint32_t seen, int n_tries, bool *others)
{
    for (int i = 0; i < n_tries && !*others; i++) {
        if (moved(g, seen)) return true;
        *others = !yield_briefly();
    }
    return moved(g, seen);
}

/* Spins, then sleeps. A spin that failed most often means that whoever we wait for is not running
 * at all (other programs, a quota that is used up), and then the next ones would fail as well: they
 * are kept short for a while. With more threads than processors a spin would keep whoever we wait
 * for from running; a yield lets it, and comes back sooner than a sleep and its wake-up: with 8
 * threads on 2 processors the steps of a tiny model take a third of the time. But a yield also lets
 * every other program run for its whole slice, milliseconds: then only sleeping keeps our share, and
 * the next waits sleep at once. */
static void wait_for(const worker *w, int *n_short, gate *g, uint32_t seen)
{
    int n_pauses = *n_short ? w->pool->n_pauses / SHORT_SHARE : w->pool->n_pauses;
    bool others = false;
    if (w->crowded ? !*n_short && gate_yield(g, seen, N_YIELDS, &others)
                   : gate_spin(g, seen, n_pauses)) {
        *n_short = others ? N_SHORT : 0;
        return;
    }
    if (*n_short) --*n_short;
    else if (others || !w->crowded) *n_short = N_SHORT;
    gate_sleep(g, seen);
}

/* Barriers are counted over all runs, and a worker may have missed some. */
static void begin_run(worker *w)
{
    w->crowded = w->pool->crowded;
    w->n_barriers = atomic_load_explicit(&w->pool->passed.word, memory_order_relaxed);
}

static void *worker_main(void *arg)
{
    worker *w = arg;
    ingle_pool *pool = w->pool;
    gate *start = w->index < pool->n_few ? &pool->start : &pool->start_all;
    for (uint32_t n_runs = 0;; n_runs++) {
        wait_for(w, &w->n_short_start, start, n_runs);
        if (pool->stop) return NULL;
        begin_run(w);
        pool->fn(pool->arg, pool, w->index, pool->n_running);
        if (atomic_fetch_sub(&pool->finish.word, 1) == 1) gate_wake(&pool->finish);
    }
}

/* How many pauses fit the time we allow; the best of three, since a preempted measurement says
 * nothing. */
static int count_pauses(void)
{
    enum { SAMPLE = 50 };
    int64_t best = INT64_MAX;
    for (int i = 0; i < 3; i++) {
        int64_t before = ingle_now_ns();
        for (int k = 0; k < SAMPLE; k++) pause_briefly();
        int64_t ns = ingle_now_ns() - before;
        if (ns < best) best = ns;
    }
    int64_t fits = MAX_SPIN_NS * SAMPLE / (best > 0 ? best : 1);
    return fits < MAX_PAUSES ? (int)fits : MAX_PAUSES;
}

/* Signals are for the application's own threads, so ours block them all. */
static int start_thread(worker *w)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&w->thread, NULL, worker_main, w);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc) return rc;
    char name[16];
    snprintf(name, sizeof name, "ingle-%d", w->index);
    pthread_setname_np(w->thread, name);
    return 0;
}

ingle_status ingle_pool_open(ingle_pool **out, int n_threads, ingle_error *err)
{
    *out = NULL;
    if (n_threads < 1 || n_threads > MAX_THREADS)
        return ingle_fail(err, INGLE_EINVAL, "n_threads: %d is not in 1..%d", n_threads,
                          MAX_THREADS);
    size_t bytes = sizeof(ingle_pool) + (size_t)n_threads * sizeof(worker);
    void *block = ingle_new(1, bytes + INGLE_ALIGN);
    if (!block) return ingle_fail(err, INGLE_ENOMEM, "no memory for %d threads", n_threads);
    ingle_pool *pool = (ingle_pool *)ingle_round_up((size_t)block, INGLE_ALIGN);
    pool->block = block;
    pool->n_threads = n_threads;
    int n_cpus = ingle_cpu_processors(NULL);
    pool->n_few = n_threads < n_cpus ? n_threads : n_cpus;
    pool->n_calm = ingle_cpu_threads("", NULL);
    pool->n_pauses = count_pauses();
    for (int i = 0; i < n_threads; i++) {
        worker *w = &pool->workers[i];
        w->index = i;
        w->pool = pool;
        w->crowded = n_threads > pool->n_calm;
    }
    for (int i = 1; i < n_threads; i++) {
        int rc = start_thread(&pool->workers[i]);
        if (rc) {
            ingle_pool_close(&pool);
            errno = rc;
            return ingle_fail(err, rc == ENOMEM ? INGLE_ENOMEM : INGLE_EIO,
                              "thread %d of %d could not be started: %m", i + 1, n_threads);
        }
        pool->n_started++;
    }
    *out = pool;
    return INGLE_OK;
}

static void start(ingle_pool *pool, bool all)
{
    atomic_fetch_add(&pool->start.word, 1);
    gate_wake(&pool->start);
    if (!all) return;
    atomic_fetch_add(&pool->start_all.word, 1);
    gate_wake(&pool->start_all);
}

void ingle_pool_close(ingle_pool **pool)
{
    ingle_pool *p = *pool;
    *pool = NULL;
    if (!p) return;
    p->stop = true;
    start(p, true);
    for (int i = 1; i <= p->n_started; i++) pthread_join(p->workers[i].thread, NULL);
    free(p->block);
}

int ingle_pool_n_threads(const ingle_pool *pool)
{
    return pool->n_threads;
}

static void run(ingle_pool *pool, ingle_pool_fn *fn, void *arg)
{
    worker *w = &pool->workers[0];
    pool->fn = fn;
    pool->arg = arg;
    pool->crowded = pool->n_running > pool->n_calm;
    atomic_store(&pool->finish.word, (uint32_t)pool->n_running - 1);
    begin_run(w);
    start(pool, pool->n_running > pool->n_few);
    fn(arg, pool, 0, pool->n_running);
    for (;;) {
        uint32_t left = atomic_load(&pool->finish.word);
        if (!left) return;
        wait_for(w, &w->n_short, &pool->finish, left);
    }
}

/* Threads that take turns on a processor cost a change of thread at every barrier and gain nothing:
 * with 8 on 2 processors the steps of a tiny model took more than twice as long. */
int ingle_pool_run(ingle_pool *pool, ingle_pool_fn *fn, void *arg)
{
    pool->n_running = pool->all ? pool->n_threads : pool->n_few;
    run(pool, fn, arg);
    return pool->n_running;
}

void ingle_pool_use_all(ingle_pool *pool)
{
    pool->all = true;
}

void ingle_pool_barrier(ingle_pool *pool, int i_thread)
{
    worker *w = &pool->workers[i_thread];
    uint32_t seen = w->n_barriers++;
    if (atomic_fetch_add(&pool->n_arrived, 1) + 1 == (uint32_t)pool->n_running) {
        /* Nobody can arrive at the next barrier before the word moves. */
        atomic_store_explicit(&pool->n_arrived, 0, memory_order_relaxed);
        atomic_fetch_add(&pool->passed.word, 1);
        gate_wake(&pool->passed);
    } else {
        wait_for(w, &w->n_short, &pool->passed, seen);
    }
}

void ingle_pool_await(const ingle_pool *pool, const atomic_size_t *count, size_t least)
{
    static const struct timespec brief = {0, 50000};
    bool others = false;
    for (int i = 0; atomic_load_explicit(count, memory_order_acquire) < least; i++) {
        if (others) nanosleep(&brief, NULL);
        else if (pool->crowded || i >= pool->n_pauses) others = !yield_briefly();
        else pause_briefly();
    }
}
