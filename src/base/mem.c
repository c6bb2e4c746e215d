#define _GNU_SOURCE
#include "base/mem.h"

#include "base/cgroup.h"
#include "base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

void *ingle_new(size_t n, size_t size)
{
    size_t bytes;
    if (!ingle_mul_ok(n, size, &bytes)) return NULL;
    return calloc(1, bytes ? bytes : 1);
}

bool ingle_grow(void *array, size_t *cap, size_t n, size_t size)
{
    if (n <= *cap) return true;
    size_t want = *cap < 8 ? 8 : *cap;
    while (want < n)
        if (!ingle_add_ok(want, want / 2, &want)) return false;
    size_t bytes;
    if (!ingle_mul_ok(want, size, &bytes)) return false;
    void *p;
    memcpy(&p, array, sizeof p);
    void *larger = realloc(p, bytes);
    if (!larger) return false;
    memcpy(array, &larger, sizeof larger);
    *cap = want;
    return true;
}

#define HUGE_PAGE ((size_t)2 << 20)

size_t ingle_pages_bytes(size_t bytes)
{
    return ingle_round_up(bytes ? bytes : 1, INGLE_PAGE_BYTES);
}

void *ingle_pages_new(size_t bytes)
{
    if (bytes > SIZE_MAX - 2 * HUGE_PAGE) return NULL;
    size_t want = ingle_pages_bytes(bytes);
    size_t extra = bytes >= HUGE_PAGE ? HUGE_PAGE : 0;
    char *p = mmap(NULL, want + extra, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) return NULL;
    if (extra) { /* give back what lies before and after the aligned part */
        char *aligned = (char *)ingle_round_up((size_t)p, HUGE_PAGE);
        size_t before = (size_t)(aligned - p);
        if (before) munmap(p, before);
        if (extra - before) munmap(aligned + want, extra - before);
        p = aligned;
        madvise(p, want, MADV_HUGEPAGE);
    }
    return p;
}

void ingle_pages_free(void *pages, size_t bytes)
{
    if (pages) munmap(pages, ingle_pages_bytes(bytes));
}

void ingle_pages_touch(void *pages, size_t bytes)
{
    volatile char *p = pages;
    for (size_t i = 0; i < bytes; i += INGLE_PAGE_BYTES) p[i] = 0;
}

/* A line of /proc/meminfo in bytes. */
static bool find_bytes(const char *text, const char *name, uint64_t *bytes)
{
    unsigned long long kib;
    const char *line = strstr(text, name);
    if (!line || sscanf(line + strlen(name), ": %18llu", &kib) != 1) return false;
    *bytes = kib > UINT64_MAX / 4096 ? UINT64_MAX / 4 : (uint64_t)kib * 1024;
    return true;
}

uint64_t ingle_memory_available(const char *root, bool with_swap)
{
    char path[4096], text[4096];
    uint64_t memory, swap = 0;
    int n = snprintf(path, sizeof path, "%s/proc/meminfo", root);
    if (n < 0 || (size_t)n >= sizeof path || !ingle_file_read_text(path, text, sizeof text))
        return UINT64_MAX;
    if (!find_bytes(text, "MemAvailable", &memory)) return UINT64_MAX;
    if (with_swap && !find_bytes(text, "SwapFree", &swap)) swap = 0;
    long long group = ingle_cgroup_memory(root);
    return (uint64_t)group < memory ? (uint64_t)group : memory + swap;
}

const char *ingle_memory_source(const char *root)
{
    long long group = ingle_cgroup_memory(root);
    bool limits =
        group != INGLE_CGROUP_NONE && (uint64_t)group <= ingle_memory_available(root, false);
    return limits ? " to the control group" : "";
}
