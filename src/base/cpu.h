/* cpu.h - what processor this is: instruction-set levels, and how many cores we may use.
 * Depends on base/status.h, base/file.h. */
#ifndef INGLE_BASE_CPU_H
#define INGLE_BASE_CPU_H

#include <ingle.h>

/* Features beside the level. */
enum { INGLE_CPU_VBMI_BITALG = 1 /* both */ };

/* How far after the weights in hand few tokens ask memory for more, in bytes: for lines `near` after
 * them, to the first-level cache, and for lines `far` after them, to the second (0: for none).
 * Changes no result. */
typedef struct ingle_fetch {
    size_t near, far;
} ingle_fetch;

typedef struct ingle_cpu {
    ingle_isa isa;     /* best level this processor and operating system run; never AVX512BF16 */
    unsigned features; /* INGLE_CPU_* */
    /* By ingle_isa: runs here. Not monotone: server processors have AVX-512 VNNI without AVX-VNNI.
     */
    bool has[9];
    ingle_fetch fetch;
} ingle_cpu;

/* Pure apart from CPUID/XGETBV or HWCAP. */
ingle_cpu ingle_cpu_detect(void);

/* What was measured best on such a processor (numbers as CPUID has them, family and model with their
 * extensions), or what serves all where nothing was. */
ingle_fetch ingle_cpu_fetch(const char *vendor, unsigned family, unsigned model);

/* How many threads should compute: physical cores within the affinity mask, of the fast kind where
 * there are several, bounded by the cgroup (v1, v2) quota, the least from the process's group up.
 * Read below `root` ("" for the real system, a fixture tree in tests). At least 1. affinity: a list
 * like "0-3,8" that replaces the process's mask, or NULL for the real one. A fraction of a core in
 * the quota counts as one where it adds at least a tenth. */
int ingle_cpu_cores(const char *root, const char *affinity);

/* How many threads can run at once without end: logical processors within the affinity mask,
 * bounded by the whole cores of the quota. */
int ingle_cpu_threads(const char *root, const char *affinity);

/* Logical processors within the affinity mask, whatever the quota. At least 1. */
int ingle_cpu_processors(const char *affinity);

#endif
