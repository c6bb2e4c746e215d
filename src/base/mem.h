/* mem.h - memory: checked sizes, zeroed arrays, aligned arenas of whole pages.
 * Owns       nothing; every block belongs to whoever asked for it.
 * Depends on base/file.h. Tests make the n-th call of malloc, calloc, realloc or mmap fail by
 *            wrapping them at link time. */
#ifndef INGLE_BASE_MEM_H
#define INGLE_BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define INGLE_ALIGN 64 /* one cache line, one AVX-512 register */

/* A place that no value leads to: builds with assertions end there. */
static inline _Noreturn void ingle_never(void)
{
#ifdef NDEBUG
    __builtin_unreachable();
#else
    abort();
#endif
}

/* a*b and a+b; false if they do not fit size_t. */
static inline bool ingle_mul_ok(size_t a, size_t b, size_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}
static inline bool ingle_add_ok(size_t a, size_t b, size_t *out)
{
    return !__builtin_add_overflow(a, b, out);
}
/* Rounds up to a multiple of a power of two; the caller has bounded n. */
static inline size_t ingle_round_up(size_t n, size_t to)
{
    return (n + to - 1) & ~(to - 1);
}

/* n <= 8 bytes as a number, in the machine's order. */
static inline uint64_t ingle_load(const char *p, size_t n)
{
    uint64_t x = 0;
    memcpy(&x, p, n);
    return x;
}

/* Zeroed array of n elements; NULL when it does not fit or n * size wraps. n == 0 gives a valid
 * pointer. Freed by free(). */
void *ingle_new(size_t n, size_t size);
/* Grows *array (elements of `size`) so that it holds at least n; *cap is the capacity.
 * False: no memory, nothing changed. */
bool ingle_grow(void *array, size_t *cap, size_t n, size_t size);

#define INGLE_PAGE_BYTES ((size_t)4096)

/* Zeroed anonymous pages, 2 MiB-aligned with huge pages advised when large. NULL on failure. */
void *ingle_pages_new(size_t bytes);
void ingle_pages_free(void *pages, size_t bytes);
/* What so many bytes take in whole pages. */
size_t ingle_pages_bytes(size_t bytes);
/* Takes the memory now that the system would give page by page: fresh pages only, a page's first
 * byte becomes zero. */
void ingle_pages_touch(void *pages, size_t bytes);
/* Bytes that could be taken now, caches given up: without swapping, or with it; where a control
 * group sets a lower limit, that, and no swap. Read below `root` as in base/cpu.h; UINT64_MAX if
 * the system does not tell. */
uint64_t ingle_memory_available(const char *root, bool with_swap);
/* " to the control group" where that is what limits; else "". */
const char *ingle_memory_source(const char *root);

#endif
