/* guard.h - memory whose first and last byte touch pages that may not be touched, for kernel tests;
 * and which levels run. */
#ifndef TESTS_KERN_GUARD_H
#define TESTS_KERN_GUARD_H

#include "kern/kern.h"
#include <stdlib.h>
#include <sys/mman.h>

#define GUARD_PAGE 4096u

typedef struct guard {
    uint8_t *map;
    size_t map_bytes;
    uint8_t *at; /* the buffer */
} guard;

/* At the end of its pages (low = false: bytes past the end fault) or at their start (bytes before
 * it fault). */
static inline guard guard_new(size_t bytes, bool low)
{
    size_t body = ingle_round_up(bytes ? bytes : 1, GUARD_PAGE);
    guard g = {.map_bytes = body + 2 * GUARD_PAGE};
    g.map = mmap(NULL, g.map_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (g.map == MAP_FAILED) abort();
    mprotect(g.map, GUARD_PAGE, PROT_NONE);
    mprotect(g.map + GUARD_PAGE + body, GUARD_PAGE, PROT_NONE);
    g.at = g.map + GUARD_PAGE + (low ? 0 : body - bytes);
    return g;
}

static inline void guard_free(guard *g)
{
    munmap(g->map, g->map_bytes);
}

static inline uint32_t test_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33);
}

/* Uniform in [-1, 1). */
static inline float test_uniform(uint64_t *state)
{
    return (float)test_random(state) / 0x1p30f - 1.0f;
}

/* The levels above REF that run here; returns how many. */
static inline int test_levels(ingle_kern *levels)
{
    static const ingle_isa all[] = {INGLE_ISA_AVX2,       INGLE_ISA_AVXVNNI, INGLE_ISA_AVX512,
                                    INGLE_ISA_AVX512BF16, INGLE_ISA_NEON,    INGLE_ISA_DOTPROD,
                                    INGLE_ISA_I8MM};
    int n = 0;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (ingle_isa_runs_here(all[i])) ingle_kern_init(&levels[n++], all[i]);
    return n;
}
#define TEST_MAX_LEVELS 7

#endif
