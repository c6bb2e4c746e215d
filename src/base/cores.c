#define _GNU_SOURCE
#include "base/cgroup.h"
#include "base/cpu.h"
#include "base/file.h"

#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_CPUS  8192 /* what Linux can be built for */
#define PATH_ROOM 4096

/* A set of logical processors. */
typedef struct cpu_set {
    uint64_t words[MAX_CPUS / 64];
} cpu_set;

static bool has_cpu(const cpu_set *set, unsigned cpu)
{
    return cpu < MAX_CPUS && (set->words[cpu / 64] >> cpu % 64 & 1);
}

static int count_cpus(const cpu_set *set)
{
    int n = 0;
    for (size_t i = 0; i < MAX_CPUS / 64; i++) n += __builtin_popcountll(set->words[i]);
    return n;
}

/* Reads decimal digits; false if there are none or the number is absurd. */
static bool parse_number(const char **s, unsigned *out)
{
    const char *p = *s;
    unsigned n = 0;
    for (; *p >= '0' && *p <= '9'; p++) {
        if (n > 100000000) return false;
        n = n * 10 + (unsigned)(*p - '0');
    }
    if (p == *s) return false;
    *s = p;
    *out = n;
    return true;
}

/* "0-3,8"; stops at the first thing that is not part of a list. */
static void parse_list(const char *s, cpu_set *set)
{
    memset(set, 0, sizeof *set);
    unsigned first, last;
    while (parse_number(&s, &first)) {
        last = first;
        if (*s == '-') {
            s++;
            if (!parse_number(&s, &last)) return;
        }
        for (unsigned i = first; i <= last && i < MAX_CPUS; i++)
            set->words[i / 64] |= 1ull << i % 64;
        if (*s != ',') return;
        s++;
    }
}

static void allowed_cpus(const char *affinity, cpu_set *set)
{
    if (affinity) {
        parse_list(affinity, set);
        return;
    }
    memset(set, 0, sizeof *set);
    /* Bit i of the kernel's mask is bit i % 64 of word i / 64 on every little-endian machine. */
    sched_getaffinity(0, sizeof set->words, (cpu_set_t *)(void *)set->words);
}

static bool read_topology(char *text, size_t cap, const char *root, const char *path, unsigned cpu)
{
    char full[PATH_ROOM];
    int n =
        snprintf(full, sizeof full, "%s/sys/devices/system/cpu/cpu%u/topology/%s", root, cpu, path);
    return n > 0 && (size_t)n < sizeof full && ingle_file_read_text(full, text, cap);
}

/* ---- cores of different sizes ---- */

static bool read_root(char *text, size_t cap, const char *root, const char *path)
{
    char full[PATH_ROOM];
    int n = snprintf(full, sizeof full, "%s%s", root, path);
    return n > 0 && (size_t)n < sizeof full && ingle_file_read_text(full, text, cap);
}

static void intersect(cpu_set *set, const cpu_set *with)
{
    for (size_t i = 0; i < MAX_CPUS / 64; i++) set->words[i] &= with->words[i];
}

/* Relative speed as the kernel sees it, 1024 for the fastest kind of core. Nothing said: 1024. */
static unsigned capacity_of(const char *root, unsigned cpu)
{
    char path[128], text[64];
    const char *s = text;
    unsigned capacity;
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%u/cpu_capacity", cpu);
    bool known = read_root(text, sizeof text, root, path) && parse_number(&s, &capacity);
    return known && capacity ? capacity : 1024;
}

/* On hybrid processors only cores of the fast kind compute. The small ones have half the vector
 * width and two thirds of the clock, or less, and every step ends with the slowest thread; what they
 * would add to a prompt they take away from writing, which memory bounds. If only small ones are
 * allowed, they are what there is. */
static void keep_fast(const char *root, cpu_set *allowed)
{
    char text[PATH_ROOM];
    cpu_set fast, both;
    if (read_root(text, sizeof text, root, "/sys/devices/cpu_core/cpus")) { /* Intel */
        parse_list(text, &fast);
        both = *allowed;
        intersect(&both, &fast);
        if (count_cpus(&both)) *allowed = both;
        return;
    }
    unsigned most = 0;
    for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++) {
        unsigned capacity = has_cpu(allowed, cpu) ? capacity_of(root, cpu) : 0;
        if (capacity > most) most = capacity;
    }
    for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++)
        if (has_cpu(allowed, cpu) && capacity_of(root, cpu) < most / 2)
            allowed->words[cpu / 64] &= ~(1ull << cpu % 64);
}

/* ---- physical cores ---- */

/* Package and core number: what tells cores apart where the list of siblings is missing. */
typedef struct core_name {
    unsigned package, core;
} core_name;

static bool read_name(const char *root, unsigned cpu, core_name *name)
{
    char text[64];
    const char *s = text;
    if (!read_topology(text, sizeof text, root, "physical_package_id", cpu)) return false;
    if (!parse_number(&s, &name->package)) return false;
    s = text;
    return read_topology(text, sizeof text, root, "core_id", cpu) && parse_number(&s, &name->core);
}

static int count_cores(const char *root, const cpu_set *allowed)
{
    enum { MAX_NAMES = 1024 };
    core_name names[MAX_NAMES];
    int n_names = 0, n_cores = 0;
    cpu_set done = {0}; /* processors whose core is counted */
    for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++) {
        if (!has_cpu(allowed, cpu) || has_cpu(&done, cpu)) continue;
        char text[PATH_ROOM];
        core_name name;
        cpu_set siblings = {0};
        if (read_topology(text, sizeof text, root, "thread_siblings_list", cpu))
            parse_list(text, &siblings);
        if (has_cpu(&siblings, cpu)) {
            for (size_t i = 0; i < MAX_CPUS / 64; i++) done.words[i] |= siblings.words[i];
        } else if (n_names < MAX_NAMES && read_name(root, cpu, &name)) {
            bool known = false;
            for (int i = 0; i < n_names && !known; i++)
                known = names[i].package == name.package && names[i].core == name.core;
            if (known) continue;
            names[n_names++] = name;
        }
        n_cores++;
    }
    return n_cores;
}

/* ---- quota ---- */

/* Quotas are counted in thousandths of a core. */
#define NO_QUOTA INGLE_CGROUP_NONE

static long long milli_cores(long long quota, long long period)
{
    if (quota <= 0 || period <= 0) return NO_QUOTA;
    if (quota / period > INT_MAX) return (long long)INT_MAX * 1000;
    /* quota/period is small here; a quota past 2^63 / 1000 then has a period as large */
    if (quota > LLONG_MAX / 1000) return quota / period * 1000;
    return quota * 1000 / period;
}

/* "max 100000" or "150000 100000". */
static long long quota_v2(const char *folder)
{
    char path[PATH_ROOM + 64], text[64];
    long long quota, period;
    snprintf(path, sizeof path, "%s/cpu.max", folder);
    if (!ingle_file_read_text(path, text, sizeof text)) return NO_QUOTA;
    return sscanf(text, "%18lld %18lld", &quota, &period) == 2 ? milli_cores(quota, period)
                                                               : NO_QUOTA;
}

static long long quota_v1(const char *folder)
{
    char path[PATH_ROOM + 64], text[64];
    long long quota, period;
    snprintf(path, sizeof path, "%s/cpu.cfs_quota_us", folder);
    if (!ingle_file_read_text(path, text, sizeof text) || sscanf(text, "%18lld", &quota) != 1)
        return NO_QUOTA;
    snprintf(path, sizeof path, "%s/cpu.cfs_period_us", folder);
    if (!ingle_file_read_text(path, text, sizeof text) || sscanf(text, "%18lld", &period) != 1)
        return NO_QUOTA;
    return milli_cores(quota, period);
}

static long long quota_of_process(const char *root)
{
    return ingle_cgroup_least(root, "cpu", quota_v2, quota_v1);
}

static int at_most(int n, long long limit)
{
    if (n > limit) n = (int)limit;
    return n < 1 ? 1 : n;
}

/* A quota is used up by however many threads run, so a thread more than whole cores uses what the
 * fraction is worth, and costs about 5 % (threads are stopped at different moments, and wait for
 * each other). It pays where the fraction adds a tenth. */
int ingle_cpu_cores(const char *root, const char *affinity)
{
    cpu_set allowed;
    allowed_cpus(affinity, &allowed);
    keep_fast(root, &allowed);
    long long quota = quota_of_process(root), whole = quota / 1000, part = quota % 1000;
    return at_most(count_cores(root, &allowed), whole + (part * 10 >= whole * 1000 && part));
}

int ingle_cpu_threads(const char *root, const char *affinity)
{
    cpu_set allowed;
    allowed_cpus(affinity, &allowed);
    return at_most(count_cpus(&allowed), quota_of_process(root) / 1000);
}

int ingle_cpu_processors(const char *affinity)
{
    cpu_set allowed;
    allowed_cpus(affinity, &allowed);
    return at_most(count_cpus(&allowed), INT_MAX);
}

int ingle_default_threads(void)
{
    return ingle_cpu_cores("", NULL);
}
