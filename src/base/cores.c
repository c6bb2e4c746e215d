#define _GNU_SOURCE
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

static bool read_at(char *text, size_t cap, const char *root, const char *path, unsigned cpu)
{
    char full[PATH_ROOM];
    int n =
        snprintf(full, sizeof full, "%s/sys/devices/system/cpu/cpu%u/topology/%s", root, cpu, path);
    return n > 0 && (size_t)n < sizeof full && ingle_file_read_text(full, text, cap);
}

/* Package and core number: what tells cores apart where the list of siblings is missing. */
typedef struct core_name {
    unsigned package, core;
} core_name;

static bool read_name(const char *root, unsigned cpu, core_name *name)
{
    char text[64];
    const char *s = text;
    if (!read_at(text, sizeof text, root, "physical_package_id", cpu)) return false;
    if (!parse_number(&s, &name->package)) return false;
    s = text;
    return read_at(text, sizeof text, root, "core_id", cpu) && parse_number(&s, &name->core);
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
        if (read_at(text, sizeof text, root, "thread_siblings_list", cpu))
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

/* Whole cores in quota/period; INT_MAX when there is no limit to be read. */
static int whole_cores(long long quota, long long period)
{
    if (quota <= 0 || period <= 0) return INT_MAX;
    long long n = quota / period;
    return n < 1 ? 1 : n > INT_MAX ? INT_MAX : (int)n;
}

/* "max 100000" or "150000 100000". */
static int quota_v2(const char *folder)
{
    char path[PATH_ROOM + 64], text[64];
    long long quota, period;
    snprintf(path, sizeof path, "%s/cpu.max", folder);
    if (!ingle_file_read_text(path, text, sizeof text)) return INT_MAX;
    return sscanf(text, "%18lld %18lld", &quota, &period) == 2 ? whole_cores(quota, period)
                                                               : INT_MAX;
}

static int quota_v1(const char *folder)
{
    char path[PATH_ROOM + 64], text[64];
    long long quota, period;
    snprintf(path, sizeof path, "%s/cpu.cfs_quota_us", folder);
    if (!ingle_file_read_text(path, text, sizeof text) || sscanf(text, "%18lld", &quota) != 1)
        return INT_MAX;
    snprintf(path, sizeof path, "%s/cpu.cfs_period_us", folder);
    if (!ingle_file_read_text(path, text, sizeof text) || sscanf(text, "%18lld", &period) != 1)
        return INT_MAX;
    return whole_cores(quota, period);
}

/* The least quota from mount/group up to the mount itself. A group named outside our view (another
 * namespace's) simply is not there, and the walk ends at what we can see. */
static int least_quota(const char *root, const char *mount, const char *group,
                       int (*quota)(const char *folder))
{
    char folder[PATH_ROOM];
    int base = snprintf(folder, sizeof folder, "%s/sys/fs/cgroup%s", root, mount);
    if (base < 0 || (size_t)base >= sizeof folder) return INT_MAX;
    if (!strstr(group, "..") && strlen(group) < sizeof folder - (size_t)base)
        strcpy(folder + base, group);
    int least = INT_MAX;
    for (;;) {
        int n = quota(folder);
        if (n < least) least = n;
        char *slash = strrchr(folder + base, '/');
        if (!slash) return least;
        *slash = 0;
    }
}

/* One line of /proc/self/cgroup: "hierarchy:controllers:group". */
static int quota_of_line(const char *root, char *line)
{
    char *controllers = strchr(line, ':');
    char *group = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!group) return INT_MAX;
    *controllers++ = 0;
    *group++ = 0;
    if (!*controllers) { /* v2, alone or beside v1 */
        int a = least_quota(root, "", group, quota_v2);
        int b = least_quota(root, "/unified", group, quota_v2);
        return a < b ? a : b;
    }
    char mount[128], copy[128], *rest = NULL;
    if (strlen(controllers) + 2 > sizeof mount) return INT_MAX;
    strcpy(copy, controllers);
    bool cpu = false;
    for (char *c = strtok_r(copy, ",", &rest); c; c = strtok_r(NULL, ",", &rest))
        cpu |= !strcmp(c, "cpu");
    if (!cpu) return INT_MAX;
    snprintf(mount, sizeof mount, "/%s",
             controllers); /* "cpu,cpuacct"; "cpu" is often a link to it */
    int a = least_quota(root, mount, group, quota_v1);
    int b = least_quota(root, "/cpu", group, quota_v1);
    return a < b ? a : b;
}

static int quota_cores(const char *root)
{
    char path[PATH_ROOM], text[16384], *rest = NULL;
    int n = snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    if (n < 0 || (size_t)n >= sizeof path || !ingle_file_read_text(path, text, sizeof text))
        return INT_MAX;
    int least = INT_MAX;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        int cores = quota_of_line(root, line);
        if (cores < least) least = cores;
    }
    return least;
}

static int within_quota(const char *root, int n)
{
    int quota = quota_cores(root);
    if (n > quota) n = quota;
    return n < 1 ? 1 : n;
}

int ingle_cpu_cores(const char *root, const char *affinity)
{
    cpu_set allowed;
    allowed_cpus(affinity, &allowed);
    return within_quota(root, count_cores(root, &allowed));
}

int ingle_cpu_threads(const char *root, const char *affinity)
{
    cpu_set allowed;
    allowed_cpus(affinity, &allowed);
    return within_quota(root, count_cpus(&allowed));
}

int ingle_default_threads(void)
{
    return ingle_cpu_cores("", NULL);
}
