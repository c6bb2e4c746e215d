/* wrap_alloc.h - makes the n-th allocation of the code under test fail, and counts what is held.
 * A test that includes this is linked with --wrap for malloc, calloc, realloc, free, mmap, munmap
 * and pthread_create (see CMakeLists.txt); a thread that cannot be started counts as an allocation
 * that failed. Usage:
 *
 *     for (long n = 1;; n++) {
 *         wrap_alloc_begin(n);            the n-th call from now on fails; 0: none
 *         status = ingle_something_open(&x, ...);
 *         ingle_something_close(&x);
 *         bool reached = wrap_alloc_end();
 *         assert_int_equal(wrap_alloc_live(), 0);
 *         if (!reached) break;            every call has failed once; status is INGLE_OK now
 *         assert_int_equal(status, INGLE_ENOMEM);
 *     }
 *
 * Safe with threads. Blocks that existed before wrap_alloc_begin() must not be freed before
 * wrap_alloc_end(). */
#ifndef INGLE_TESTS_WRAP_ALLOC_H
#define INGLE_TESTS_WRAP_ALLOC_H

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/types.h>

static struct {
    atomic_bool on;
    atomic_long fail_at, n_calls, n_live;
    atomic_size_t n_bytes;  /* asked for, in all */
    atomic_size_t n_mapped; /* bytes of maps held: those may be given back in pieces */
    atomic_long held,
        peak; /* bytes of blocks held, now and at most; below 0: older ones were freed */
} wrap_alloc;

static inline void wrap_alloc_begin(long fail_at)
{
    atomic_store(&wrap_alloc.fail_at, fail_at);
    atomic_store(&wrap_alloc.n_calls, 0);
    atomic_store(&wrap_alloc.n_live, 0);
    atomic_store(&wrap_alloc.n_bytes, 0);
    atomic_store(&wrap_alloc.n_mapped, 0);
    atomic_store(&wrap_alloc.held, 0);
    atomic_store(&wrap_alloc.peak, 0);
    atomic_store(&wrap_alloc.on, true);
}

/* True if the call that was to fail was reached. */
static inline bool wrap_alloc_end(void)
{
    atomic_store(&wrap_alloc.on, false);
    return wrap_alloc.fail_at && wrap_alloc.n_calls >= wrap_alloc.fail_at;
}

/* Blocks and bytes of maps taken since begin and not given back. */
static inline long wrap_alloc_live(void)
{
    return atomic_load(&wrap_alloc.n_live);
}

static inline size_t wrap_alloc_mapped(void)
{
    return atomic_load(&wrap_alloc.n_mapped);
}

/* Calls seen since begin. */
static inline long wrap_alloc_calls(void)
{
    return atomic_load(&wrap_alloc.n_calls);
}

static inline size_t wrap_alloc_bytes(void)
{
    return atomic_load(&wrap_alloc.n_bytes);
}

/* The most bytes of blocks that were held at once since begin. */
static inline long wrap_alloc_peak(void)
{
    return atomic_load(&wrap_alloc.peak);
}

/* Whether this call works. */
static inline bool wrap_alloc_passes(size_t bytes)
{
    if (!atomic_load(&wrap_alloc.on)) return true;
    atomic_fetch_add(&wrap_alloc.n_bytes, bytes);
    return atomic_fetch_add(&wrap_alloc.n_calls, 1) + 1 != atomic_load(&wrap_alloc.fail_at);
}

static inline void wrap_alloc_count(long change)
{
    if (atomic_load(&wrap_alloc.on)) atomic_fetch_add(&wrap_alloc.n_live, change);
}

static inline long wrap_alloc_size(void *p)
{
    return p && atomic_load(&wrap_alloc.on) ? (long)malloc_usable_size(p) : 0;
}

static inline void wrap_alloc_hold(long bytes)
{
    if (!atomic_load(&wrap_alloc.on)) return;
    long held = atomic_fetch_add(&wrap_alloc.held, bytes) + bytes;
    long peak = atomic_load(&wrap_alloc.peak);
    while (held > peak && !atomic_compare_exchange_weak(&wrap_alloc.peak, &peak, held)) continue;
}

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void __real_free(void *p);
void *__real_mmap(void *at, size_t n, int prot, int flags, int fd, off_t offset);
int __real_munmap(void *at, size_t n);
int __real_pthread_create(pthread_t *t, const pthread_attr_t *attr, void *(*fn)(void *), void *arg);

void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void __wrap_free(void *p);
void *__wrap_mmap(void *at, size_t n, int prot, int flags, int fd, off_t offset);
int __wrap_munmap(void *at, size_t n);
int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *attr, void *(*fn)(void *), void *arg);

void *__wrap_malloc(size_t n)
{
    void *p = wrap_alloc_passes(n) ? __real_malloc(n) : NULL;
    if (p) wrap_alloc_count(1);
    wrap_alloc_hold(wrap_alloc_size(p));
    return p;
}

void *__wrap_calloc(size_t n, size_t size)
{
    void *p = wrap_alloc_passes(n * size) ? __real_calloc(n, size) : NULL;
    if (p) wrap_alloc_count(1);
    wrap_alloc_hold(wrap_alloc_size(p));
    return p;
}

void *__wrap_realloc(void *p, size_t n)
{
    bool fresh = !p;
    long old = wrap_alloc_size(p);
    void *q = wrap_alloc_passes(n) ? __real_realloc(p, n) : NULL; /* p stays valid when it fails */
    if (q && fresh) wrap_alloc_count(1);
    if (q) wrap_alloc_hold(wrap_alloc_size(q) - old);
    return q;
}

void __wrap_free(void *p)
{
    if (p) wrap_alloc_count(-1);
    wrap_alloc_hold(-wrap_alloc_size(p));
    __real_free(p);
}

void *__wrap_mmap(void *at, size_t n, int prot, int flags, int fd, off_t offset)
{
    if (!wrap_alloc_passes(0)) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    void *p = __real_mmap(at, n, prot, flags, fd, offset);
    if (p != MAP_FAILED && atomic_load(&wrap_alloc.on)) atomic_fetch_add(&wrap_alloc.n_mapped, n);
    return p;
}

int __wrap_munmap(void *at, size_t n)
{
    if (atomic_load(&wrap_alloc.on)) atomic_fetch_sub(&wrap_alloc.n_mapped, n);
    return __real_munmap(at, n);
}

int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *attr, void *(*fn)(void *), void *arg)
{
    return wrap_alloc_passes(0) ? __real_pthread_create(t, attr, fn, arg) : EAGAIN;
}

#endif
