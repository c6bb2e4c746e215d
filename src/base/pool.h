/* pool.h - the compute threads of one engine (or of one model being packed).
 * Owns       n-1 pthreads; the caller of ingle_pool_run() is thread 0.
 * Depends on base/mem.h, base/status.h, base/cpu.h. Knows nothing of what it runs.
 * Invariant  whoever waits, for the next run or at a barrier, spins briefly (at most 50 us, less
 *            while that does not help; with more threads than can run at once it yields instead),
 *            then sleeps on a futex: an idle pool costs nothing, and a step that follows soon finds
 *            its threads awake. */
#ifndef INGLE_BASE_POOL_H
#define INGLE_BASE_POOL_H

#include <stdatomic.h>

#include "base/status.h"

typedef struct ingle_pool ingle_pool;

/* What every thread of a run runs. i_thread is 0 .. n_threads-1. */
typedef void ingle_pool_fn(void *arg, ingle_pool *pool, int i_thread, int n_threads);

/* n_threads in 1..1024. */
ingle_status ingle_pool_open(ingle_pool **out, int n_threads, ingle_error *err);
void ingle_pool_close(ingle_pool **pool);
int ingle_pool_n_threads(const ingle_pool *pool);

/* Runs fn once on every thread, but on no more than there are processors: the others sleep. Returns
 * their number when all are done. One caller at a time. */
int ingle_pool_run(ingle_pool *pool, ingle_pool_fn *fn, void *arg);
/* From now on runs are on every thread, processors or not: what tests want to see. */
void ingle_pool_use_all(ingle_pool *pool);

/* Inside fn: waits until every thread of the run is here; all see what was written before. */
void ingle_pool_barrier(ingle_pool *pool, int i_thread);

/* Inside fn: waits until *count is at least `least`; the caller sees what was written before the
 * releases that brought it there. Whoever brings it there must be running: never a thread that may
 * itself be at a barrier. Spins, then yields; does not sleep. */
void ingle_pool_await(const ingle_pool *pool, const atomic_size_t *count, size_t least);

#endif
