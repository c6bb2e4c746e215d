/* cgroup.h - what the control groups of this process allow, v1 and v2.
 * Depends on base/file.h. */
#ifndef INGLE_BASE_CGROUP_H
#define INGLE_BASE_CGROUP_H

#include <limits.h>
#include <stdint.h>

#define INGLE_CGROUP_NONE LLONG_MAX

/* What the group in this folder sets; INGLE_CGROUP_NONE if nothing. */
typedef long long ingle_cgroup_fn(const char *folder);

/* The least that `controller` ("cpu", "memory") sets from the process's group up to the mount, in
 * each hierarchy it is in. Read below `root` as in base/cpu.h. */
long long ingle_cgroup_least(const char *root, const char *controller, ingle_cgroup_fn *v2,
                             ingle_cgroup_fn *v1);

/* Bytes the process's groups would still give it, caches of files given up; INGLE_CGROUP_NONE
 * without a limit. */
long long ingle_cgroup_memory(const char *root);

#endif
