#define _GNU_SOURCE
#include "base/cgroup.h"
#include "base/file.h"

#include <stdio.h>
#include <string.h>

#define PATH_ROOM 4096

/* ---- the walk ---- */

/* From mount/group up to the mount itself. A group named outside our view (another namespace's)
 * simply is not there, and the walk ends at what we can see. */
static long long least_upward(const char *root, const char *mount, const char *group,
                              ingle_cgroup_fn *value)
{
    char folder[PATH_ROOM];
    int base = snprintf(folder, sizeof folder, "%s/sys/fs/cgroup%s", root, mount);
    if (base < 0 || (size_t)base >= sizeof folder) return INGLE_CGROUP_NONE;
    if (!strstr(group, "..") && strlen(group) < sizeof folder - (size_t)base)
        strcpy(folder + base, group);
    long long least = INGLE_CGROUP_NONE;
    for (;;) {
        long long n = value(folder);
        if (n < least) least = n;
        char *slash = strrchr(folder + base, '/');
        if (!slash) return least;
        *slash = 0;
    }
}

/* In two places: systemd mounts v2 at the top or beside v1, and v1 by its list of controllers
 * ("cpu,cpuacct"), with a link by name. */
static long long least_of_mounts(const char *root, const char *first, const char *second,
                                 const char *group, ingle_cgroup_fn *value)
{
    long long a = least_upward(root, first, group, value);
    long long b = least_upward(root, second, group, value);
    return a < b ? a : b;
}

/* One line of /proc/self/cgroup: "hierarchy:controllers:group". */
static long long least_of_line(const char *root, const char *controller, char *line,
                               ingle_cgroup_fn *v2, ingle_cgroup_fn *v1)
{
    char *controllers = strchr(line, ':');
    char *group = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!group) return INGLE_CGROUP_NONE;
    *controllers++ = 0;
    *group++ = 0;
    if (!*controllers) return least_of_mounts(root, "", "/unified", group, v2);
    char mount[128], link[64], copy[128], *rest = NULL;
    if (strlen(controllers) + 2 > sizeof mount) return INGLE_CGROUP_NONE;
    strcpy(copy, controllers);
    bool ours = false;
    for (char *c = strtok_r(copy, ",", &rest); c; c = strtok_r(NULL, ",", &rest))
        ours |= !strcmp(c, controller);
    if (!ours) return INGLE_CGROUP_NONE;
    snprintf(mount, sizeof mount, "/%s", controllers);
    snprintf(link, sizeof link, "/%s", controller);
    return least_of_mounts(root, mount, link, group, v1);
}

long long ingle_cgroup_least(const char *root, const char *controller, ingle_cgroup_fn *v2,
                             ingle_cgroup_fn *v1)
{
    char path[PATH_ROOM], text[16384], *rest = NULL;
    int n = snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    if (n < 0 || (size_t)n >= sizeof path || !ingle_file_read_text(path, text, sizeof text))
        return INGLE_CGROUP_NONE;
    long long least = INGLE_CGROUP_NONE;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        long long value = least_of_line(root, controller, line, v2, v1);
        if (value < least) least = value;
    }
    return least;
}

/* ---- memory ---- */

/* A file with one number; INGLE_CGROUP_NONE for "max", or if there is none. */
static long long read_number(const char *folder, const char *name)
{
    char path[PATH_ROOM + 64], text[64];
    long long n;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (!ingle_file_read_text(path, text, sizeof text)) return INGLE_CGROUP_NONE;
    return sscanf(text, "%18lld", &n) == 1 && n >= 0 ? n : INGLE_CGROUP_NONE;
}

/* The number behind `key` at the start of a line of memory.stat; 0 if there is none. */
static long long read_stat(const char *folder, const char *key)
{
    char path[PATH_ROOM + 64], text[16384];
    long long n;
    size_t len = strlen(key);
    snprintf(path, sizeof path, "%s/memory.stat", folder);
    if (!ingle_file_read_text(path, text, sizeof text)) return 0;
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (!strncmp(line, key, len) && sscanf(line + len, " %18lld", &n) == 1 && n >= 0) return n;
    }
    return 0;
}

/* What of `limit` is not used, or used by the cache of files: that goes before the group runs out,
 * also the part of it that was read twice and counts as active. */
static long long left_of(const char *folder, long long limit, long long used, const char *inactive,
                         const char *active)
{
    if (limit == INGLE_CGROUP_NONE || used == INGLE_CGROUP_NONE) return INGLE_CGROUP_NONE;
    long long first = read_stat(folder, inactive), second = read_stat(folder, active);
    used -= first < used ? first : used;
    used -= second < used ? second : used;
    return limit > used ? limit - used : 0;
}

/* memory.high is no wall, but beyond it every page is paid for with a pause. */
static long long memory_v2(const char *folder)
{
    long long most = read_number(folder, "memory.max"), high = read_number(folder, "memory.high");
    return left_of(folder, most < high ? most : high, read_number(folder, "memory.current"),
                   "inactive_file", "active_file");
}

static long long memory_v1(const char *folder)
{
    return left_of(folder, read_number(folder, "memory.limit_in_bytes"),
                   read_number(folder, "memory.usage_in_bytes"), "total_inactive_file",
                   "total_active_file");
}

long long ingle_cgroup_memory(const char *root)
{
    return ingle_cgroup_least(root, "memory", memory_v2, memory_v1);
}
