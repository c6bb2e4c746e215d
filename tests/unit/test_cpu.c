#define _GNU_SOURCE
#include "base/cpu.h"
#include "base/mem.h"

#include <ftw.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

/* ---- fixture trees below a folder of our own ---- */

static char root[] = "/tmp/ingle-test-cpu-XXXXXX";
static char root_pattern[sizeof root];

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st, (void)kind, (void)ftw;
    return remove(path);
}

static int make_root(void **state)
{
    (void)state;
    memcpy(root, root_pattern, sizeof root);
    return mkdtemp(root) ? 0 : -1;
}

static int remove_root(void **state)
{
    (void)state;
    return nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Writes root/path, making its folders. */
static void put(const char *path, const char *text)
{
    char full[512];
    snprintf(full, sizeof full, "%s/%s", root, path);
    for (char *p = full + strlen(root) + 1; (p = strchr(p, '/')); p++) {
        *p = 0;
        mkdir(full, 0700);
        *p = '/';
    }
    FILE *f = fopen(full, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void put_cpu(int cpu, const char *file, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "sys/devices/system/cpu/cpu%d/topology/%s", cpu, file);
    put(path, text);
}

/* n processors, as Linux numbers them on a server: i and i + n/2 are siblings. */
static void put_smt(int n)
{
    char text[32];
    for (int i = 0; i < n; i++) {
        snprintf(text, sizeof text, "%d,%d\n", i % (n / 2), i % (n / 2) + n / 2);
        put_cpu(i, "thread_siblings_list", text);
    }
}

/* ---- topology ---- */

static void test_siblings(void **state)
{
    (void)state;
    put_smt(8);
    assert_int_equal(ingle_cpu_cores(root, "0-7"), 4);
    assert_int_equal(ingle_cpu_threads(root, "0-7"), 8);
    assert_int_equal(ingle_cpu_cores(root, "0-3"), 4);   /* one of each */
    assert_int_equal(ingle_cpu_cores(root, "0,4"), 1);   /* both halves of one core */
    assert_int_equal(ingle_cpu_cores(root, "4-7\n"), 4); /* only second siblings */
    assert_int_equal(ingle_cpu_cores(root, "1,2,6"), 2);
    assert_int_equal(ingle_cpu_threads(root, "1,2,6"), 3);
}

static void test_siblings_in_ranges(void **state)
{
    (void)state;
    for (int i = 0; i < 8; i++)
        put_cpu(i, "thread_siblings_list", i < 4 ? "0-3\n" : "4-7\n"); /* SMT 4 */
    assert_int_equal(ingle_cpu_cores(root, "0-7"), 2);
    assert_int_equal(ingle_cpu_cores(root, "2,3,5"), 2);
}

static void test_package_and_core(void **state)
{
    (void)state;
    /* Two packages whose cores have the same numbers, two threads each. */
    for (int i = 0; i < 8; i++) {
        put_cpu(i, "physical_package_id", i % 4 < 2 ? "0\n" : "1\n");
        put_cpu(i, "core_id", i % 2 ? "17\n" : "3\n");
    }
    assert_int_equal(ingle_cpu_cores(root, "0-7"), 4);
    assert_int_equal(ingle_cpu_cores(root, "0,4"), 1);
    assert_int_equal(ingle_cpu_cores(root, "0,2"), 2);
}

static void test_missing_topology(void **state)
{
    (void)state;
    assert_int_equal(ingle_cpu_cores(root, "0-4"), 5);
    put_cpu(0, "core_id", "0\n"); /* no package: each processor is a core */
    put_cpu(1, "core_id", "0\n");
    assert_int_equal(ingle_cpu_cores(root, "0,1"), 2);
}

static void test_garbage_topology(void **state)
{
    (void)state;
    put_cpu(0, "thread_siblings_list", "");
    put_cpu(1, "thread_siblings_list", "banana");
    put_cpu(2, "thread_siblings_list", "99999999999999999999,2");
    put_cpu(3, "thread_siblings_list", "5-1,3"); /* runs backwards, but names cpu 3 */
    put_cpu(4, "thread_siblings_list", "7\n");   /* does not name cpu 4 itself */
    put_cpu(5, "thread_siblings_list", "5-4000000000");
    assert_int_equal(ingle_cpu_cores(root, "0-5"), 6);
}

static void test_odd_affinity(void **state)
{
    (void)state;
    const char *none[] = {"", "x", "-", ",", "99999", "-3", "3-"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        assert_int_equal(ingle_cpu_cores(root, none[i]), 1);
        assert_int_equal(ingle_cpu_threads(root, none[i]), 1);
    }
    assert_int_equal(ingle_cpu_cores(root, "0-2,x,5"), 3);
    assert_int_equal(ingle_cpu_cores(root, "8190-9000"), 2); /* the table ends at 8192 */
}

/* ---- cores of different sizes ---- */

/* Four fast cores of two threads each, then eight small ones. */
static void put_hybrid(void)
{
    char text[32];
    for (int i = 0; i < 16; i++) {
        if (i < 8) snprintf(text, sizeof text, "%d-%d\n", i & ~1, i | 1);
        else snprintf(text, sizeof text, "%d\n", i);
        put_cpu(i, "thread_siblings_list", text);
    }
}

static void test_hybrid_intel(void **state)
{
    (void)state;
    put_hybrid();
    assert_int_equal(ingle_cpu_cores(root, "0-15"), 12); /* nothing tells them apart */
    put("sys/devices/cpu_core/cpus", "0-7\n");
    put("sys/devices/cpu_atom/cpus", "8-15\n");
    assert_int_equal(ingle_cpu_cores(root, "0-15"), 4);
    assert_int_equal(ingle_cpu_threads(root, "0-15"), 16);
    assert_int_equal(ingle_cpu_cores(root, "2-3,8-11"), 1);
    assert_int_equal(ingle_cpu_cores(root, "8-11"), 4); /* only small ones are allowed */
    put("sys/devices/cpu_core/cpus", "rubbish");
    assert_int_equal(ingle_cpu_cores(root, "0-15"), 12);
}

static void put_capacity(int cpu, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "sys/devices/system/cpu/cpu%d/cpu_capacity", cpu);
    put(path, text);
}

static void test_hybrid_capacity(void **state)
{
    (void)state;
    for (int i = 0; i < 8; i++) put_capacity(i, i < 4 ? "250\n" : i < 7 ? "700\n" : "1024\n");
    assert_int_equal(ingle_cpu_cores(root, "0-7"), 4); /* the big one and the middle ones */
    assert_int_equal(ingle_cpu_cores(root, "0-4"), 1);
    assert_int_equal(ingle_cpu_cores(root, "0-3"), 4);
    const char *odd[] = {"", "0", "-7", "x", "99999999999999999999"}; /* as fast as any */
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        put_capacity(0, odd[i]);
        assert_int_equal(ingle_cpu_cores(root, "0-7"), 5);
    }
    for (int i = 0; i < 8; i++) put_capacity(i, "100000000\n");
    assert_int_equal(ingle_cpu_cores(root, "0-7"), 8);
}

/* ---- quota ---- */

static void test_v2_quota(void **state)
{
    (void)state;
    put("proc/self/cgroup", "0::/box\n");
    put("sys/fs/cgroup/box/cpu.max", "300000 100000\n");
    assert_int_equal(ingle_cpu_cores(root, "0-15"), 3);
    assert_int_equal(ingle_cpu_threads(root, "0-15"), 3);
    assert_int_equal(ingle_cpu_cores(root, "0-1"), 2); /* the mask is tighter */
    put("sys/fs/cgroup/box/cpu.max", "250000 100000\n");
    assert_int_equal(ingle_cpu_cores(root, "0-15"), 3); /* the half is worth a thread */
    assert_int_equal(ingle_cpu_threads(root, "0-15"), 2);
    put("sys/fs/cgroup/box/cpu.max", "10000 100000\n");
    assert_int_equal(ingle_cpu_cores(root, "0-15"), 1);
    assert_int_equal(ingle_cpu_threads(root, "0-15"), 1);
    put("sys/fs/cgroup/box/cpu.max", "max 100000\n");
    assert_int_equal(ingle_cpu_cores(root, "0-15"), 16);
}

/* A part of a core counts where it adds at least a tenth to the whole ones. */
static void test_fractional_quota(void **state)
{
    (void)state;
    const struct {
        const char *max;
        int cores, threads;
    } cases[] = {{"100000 100000\n", 1, 1},
                 {"109900 100000\n", 1, 1},
                 {"110000 100000\n", 2, 1},
                 {"199000 100000\n", 2, 1},
                 {"415000 100000\n", 4, 4},
                 {"440000 100000\n", 5, 4},
                 {"999000 100000\n", 10, 9},
                 {"1250000 100000\n", 12, 12},
                 {"1 100000\n", 1, 1},
                 {"1 1000000\n", 1, 1},
                 {"999999999999999999 999999999999999998\n", 1, 1}};
    put("proc/self/cgroup", "0::/box\n");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        put("sys/fs/cgroup/box/cpu.max", cases[i].max);
        assert_int_equal(ingle_cpu_cores(root, "0-15"), cases[i].cores);
        assert_int_equal(ingle_cpu_threads(root, "0-15"), cases[i].threads);
    }
    /* the least of several, compared before rounding */
    put("proc/self/cgroup", "0::/a/b\n");
    put("sys/fs/cgroup/a/b/cpu.max", "150000 100000\n");
    put("sys/fs/cgroup/a/cpu.max", "105000 100000\n");
    assert_int_equal(ingle_cpu_cores(root, "0-15"), 1);
}

static void test_v2_nested(void **state)
{
    (void)state;
    put("proc/self/cgroup", "0::/a/b/c\n");
    put("sys/fs/cgroup/a/b/c/cpu.max", "800000 100000\n");
    put("sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
    put("sys/fs/cgroup/a/cpu.max", "100000 50000\n"); /* the tightest is an outer one */
    assert_int_equal(ingle_cpu_cores(root, "0-15"), 2);
    put("sys/fs/cgroup/cpu.max", "100000 100000\n");
    assert_int_equal(ingle_cpu_cores(root, "0-15"), 1);
}

static void test_v2_other_namespace(void **state)
{
    (void)state;
    /* A container sees its own group as the mount's root, and a path that leads out of it. */
    put("proc/self/cgroup", "0::/../../kubepods/pod1\n");
    put("sys/fs/cgroup/cpu.max", "200000 100000\n");
    assert_int_equal(ingle_cpu_cores(root, "0-15"), 2);
    put("proc/self/cgroup", "0::/docker/0123456789abcdef\n"); /* a path of the host's */
    assert_int_equal(ingle_cpu_cores(root, "0-15"), 2);
}

static void test_v2_beside_v1(void **state)
{
    (void)state;
    put("proc/self/cgroup", "1:name=systemd:/x\n0::/x\n");
    put("sys/fs/cgroup/unified/x/cpu.max", "500000 100000\n");
    assert_int_equal(ingle_cpu_cores(root, "0-15"), 5);
}

static void test_v1_quota(void **state)
{
    (void)state;
    put("proc/self/cgroup", "9:memory:/m\n3:cpu,cpuacct:/box/in\n1:cpuset:/\n");
    put("sys/fs/cgroup/cpu,cpuacct/box/in/cpu.cfs_quota_us", "-1\n");
    put("sys/fs/cgroup/cpu,cpuacct/box/in/cpu.cfs_period_us", "100000\n");
    assert_int_equal(ingle_cpu_cores(root, "0-15"), 16);
    put("sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_quota_us", "400000\n");
    put("sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_period_us", "100000\n");
    assert_int_equal(ingle_cpu_cores(root, "0-15"), 4);
    put("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "150000\n");
    put("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "50000\n");
    assert_int_equal(ingle_cpu_cores(root, "0-15"), 3);
}

static void test_v1_short_mount(void **state)
{
    (void)state;
    put("proc/self/cgroup", "3:cpuacct,cpu:/box\n");
    put("sys/fs/cgroup/cpu/box/cpu.cfs_quota_us", "600000\n");
    put("sys/fs/cgroup/cpu/box/cpu.cfs_period_us", "100000\n");
    assert_int_equal(ingle_cpu_cores(root, "0-15"), 6);
    put("proc/self/cgroup", "3:cpuset,cpuacct:/box\n"); /* no cpu controller in this hierarchy */
    assert_int_equal(ingle_cpu_cores(root, "0-15"), 16);
}

static void test_garbage_quota(void **state)
{
    (void)state;
    const char *quotas[] = {"",         "max",      "x y",       "200000",
                            "0 100000", "200000 0", "-5 100000", "200000 -1"};
    put("proc/self/cgroup", "\n::\nno colons\n5:\n0::/a\n0::\n0::relative\n");
    for (size_t i = 0; i < sizeof quotas / sizeof *quotas; i++) {
        put("sys/fs/cgroup/a/cpu.max", quotas[i]);
        assert_int_equal(ingle_cpu_cores(root, "0-15"), 16);
    }
    put("sys/fs/cgroup/a/cpu.max", "999999999999999999 1\n");
    assert_int_equal(ingle_cpu_cores(root, "0-15"), 16);

    char *line = malloc(20001); /* longer than a path may be */
    assert_non_null(line);
    memset(line, 'a', 20000);
    memcpy(line, "0::/", 4);
    line[20000] = 0;
    put("proc/self/cgroup", line);
    assert_int_equal(ingle_cpu_cores(root, "0-15"), 16);
    memset(line + 4, '/', 4000); /* thousands of levels */
    put("proc/self/cgroup", line);
    assert_int_equal(ingle_cpu_cores(root, "0-15"), 16);
    free(line);
}

static void test_no_files_at_all(void **state)
{
    (void)state;
    assert_int_equal(ingle_cpu_cores("/nonexistent/ingle", "0-3"), 4);
    char long_root[8192];
    memset(long_root, 'r', sizeof long_root - 1);
    long_root[sizeof long_root - 1] = 0;
    assert_int_equal(ingle_cpu_cores(long_root, "0-3"), 4);
}

/* ---- the real machine ---- */

static void test_this_machine(void **state)
{
    (void)state;
    int threads = ingle_cpu_threads("", NULL), cores = ingle_cpu_cores("", NULL);
    assert_in_range(threads, 1, sysconf(_SC_NPROCESSORS_ONLN));
    assert_in_range(cores, 1, threads + 1); /* a fraction of a core in the quota */
    assert_int_equal(ingle_default_threads(), cores);
}

static void test_processors_by_list(void **state)
{
    (void)state;
    assert_int_equal(ingle_cpu_processors("0-7"), 8);
    assert_int_equal(ingle_cpu_processors("1,2,6\n"), 3);
    assert_int_equal(ingle_cpu_processors("4"), 1);
    assert_int_equal(ingle_cpu_processors("0-99,4096-4099"), 104);
    assert_int_equal(ingle_cpu_processors(""), 1); /* whoever asks runs on something */
}

/* This thread is kept to fewer and fewer processors, from either end. */
static void test_processors_by_mask(void **state)
{
    cpu_set_t all;
    (void)state;
    assert_int_equal(sched_getaffinity(0, sizeof all, &all), 0);
    int n_all = CPU_COUNT(&all);
    assert_int_equal(ingle_cpu_processors(NULL), n_all);
    for (int last = 0; last < 2; last++) {
        cpu_set_t some = all;
        for (int i = 0, n = n_all; i < CPU_SETSIZE && n > 1; i++) {
            int cpu = last ? CPU_SETSIZE - 1 - i : i;
            if (!CPU_ISSET(cpu, &some)) continue;
            CPU_CLR(cpu, &some);
            n--;
            assert_int_equal(sched_setaffinity(0, sizeof some, &some), 0);
            int got = ingle_cpu_processors(NULL);
            assert_int_equal(sched_setaffinity(0, sizeof all, &all), 0);
            assert_int_equal(got, n);
        }
    }
    assert_int_equal(ingle_cpu_processors(NULL), n_all);
}

static void test_isa(void **state)
{
    (void)state;
    ingle_cpu cpu = ingle_cpu_detect();
    assert_true(cpu.has[INGLE_ISA_AUTO] && cpu.has[INGLE_ISA_REF]);
    assert_true(cpu.isa != INGLE_ISA_AUTO && cpu.has[cpu.isa]);
    for (int i = INGLE_ISA_AUTO; i <= INGLE_ISA_I8MM; i++) {
        assert_int_equal(ingle_isa_runs_here((ingle_isa)i), cpu.has[i]);
        assert_int_equal(ingle_isa_from_name(ingle_isa_name((ingle_isa)i)), i);
        /* only what is asked for by name: it computes other bits */
        if (i == INGLE_ISA_AVX512BF16) continue;
        if (cpu.has[i] && i > INGLE_ISA_REF) assert_true(cpu.isa >= (ingle_isa)i);
    }
    assert_true(cpu.isa != INGLE_ISA_AVX512BF16);
    if (cpu.has[INGLE_ISA_AVX512BF16]) assert_true(cpu.has[INGLE_ISA_AVX512]);
    assert_int_equal(ingle_isa_from_name("sse"), INGLE_ISA_AUTO);
    assert_int_equal(ingle_isa_from_name(""), INGLE_ISA_AUTO);
    assert_int_equal(ingle_isa_from_name(NULL), INGLE_ISA_AUTO);
    assert_false(ingle_isa_runs_here((ingle_isa)99));
    assert_string_equal(ingle_isa_name((ingle_isa)99), "unknown");
#if defined(__x86_64__)
    assert_false(cpu.has[INGLE_ISA_NEON]);
    if (cpu.has[INGLE_ISA_AVX512]) assert_true(cpu.has[INGLE_ISA_AVX2]);
#endif
}

/* The kernel's own list of flags is an independent judge of CPUID. */
static void test_isa_against_kernel(void **state)
{
    (void)state;
#if defined(__x86_64__)
    static char text[65536];
    FILE *f = fopen("/proc/cpuinfo", "r");
    if (!f) skip();
    size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[n] = 0;
    char *flags = strstr(text, "flags"), *end = flags ? strchr(flags, '\n') : NULL;
    if (!end) skip();
    end[0] = ' ';
    end[1] = 0;
    const char *needs_avx2[] = {" avx2 ", " fma ", " f16c ", " bmi2 ", " popcnt "};
    const char *needs_512[] = {" avx512f ", " avx512dq ", " avx512bw ", " avx512vl ",
                               " avx512_vnni "};
    bool avx2 = true, avx512 = true;
    for (int i = 0; i < 5; i++) {
        avx2 = avx2 && strstr(flags, needs_avx2[i]);
        avx512 = avx512 && strstr(flags, needs_512[i]);
    }
    ingle_cpu cpu = ingle_cpu_detect();
    assert_int_equal(cpu.has[INGLE_ISA_AVX2], avx2);
    assert_int_equal(cpu.has[INGLE_ISA_AVXVNNI], avx2 && strstr(flags, " avx_vnni "));
    assert_int_equal(cpu.has[INGLE_ISA_AVX512], avx2 && avx512);
    assert_int_equal(!!(cpu.features & INGLE_CPU_VBMI_BITALG),
                     avx2 && avx512 && strstr(flags, " avx512vbmi ") &&
                         strstr(flags, " avx512_bitalg "));
    assert_int_equal(cpu.has[INGLE_ISA_AVX512BF16],
                     avx2 && avx512 && strstr(flags, " avx512_bf16 "));
#endif
}

/* ---- memory of control groups ---- */

static void test_memory_v2(void **state)
{
    (void)state;
    put("proc/meminfo", "MemAvailable: 1000 kB\nSwapFree: 500 kB\n");
    put("proc/self/cgroup", "0::/outer/inner\n");
    assert_true(ingle_memory_available(root, true) == 1500 * 1024);
    put("sys/fs/cgroup/outer/inner/memory.max", "max\n");
    put("sys/fs/cgroup/outer/inner/memory.current", "1000\n");
    assert_true(ingle_memory_available(root, true) == 1500 * 1024);
    assert_string_equal(ingle_memory_source(root), "");
    put("sys/fs/cgroup/outer/memory.max", "100000\n"); /* the outer group is the tighter */
    put("sys/fs/cgroup/outer/memory.current", "60000\n");
    assert_true(ingle_memory_available(root, true) == 40000);
    assert_string_equal(ingle_memory_source(root), " to the control group");
    put("sys/fs/cgroup/outer/memory.stat", "anon 20000\ninactive_anon 5\ninactive_file 30000\n");
    assert_true(ingle_memory_available(root, false) == 70000);
    put("sys/fs/cgroup/outer/memory.stat",
        "active_file 4000\ninactive_file 30000\nactive_anon 9\n");
    assert_true(ingle_memory_available(root, false) == 74000); /* a file that was read twice */
    put("sys/fs/cgroup/outer/memory.stat", "inactive_file 50000\nactive_file 50000\n");
    assert_true(ingle_memory_available(root, false) == 100000); /* read while it changed */
    put("sys/fs/cgroup/outer/inner/memory.high", "31000\n");
    assert_true(ingle_memory_available(root, false) == 30000);
    put("sys/fs/cgroup/outer/inner/memory.current", "31001\n"); /* beyond it */
    assert_true(ingle_memory_available(root, false) == 0);
}

static void test_memory_v1(void **state)
{
    (void)state;
    put("proc/meminfo", "MemAvailable: 1000 kB\n");
    put("proc/self/cgroup", "5:cpu,cpuacct:/x\n4:memory:/box\n");
    put("sys/fs/cgroup/memory/box/memory.limit_in_bytes", "50000\n");
    put("sys/fs/cgroup/memory/box/memory.usage_in_bytes", "20000\n");
    put("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"); /* none */
    put("sys/fs/cgroup/memory/memory.usage_in_bytes", "70000\n");
    assert_true(ingle_memory_available(root, false) == 30000);
    put("sys/fs/cgroup/memory/box/memory.stat",
        "inactive_file 1\nactive_file 2\ntotal_inactive_file 5000\ntotal_active_file 700\n");
    assert_true(ingle_memory_available(root, false) == 35700);
}

static void test_memory_garbage(void **state)
{
    (void)state;
    put("proc/meminfo", "MemAvailable: 1000 kB\n");
    put("proc/self/cgroup", "0::/box\n");
    put("sys/fs/cgroup/box/memory.current", "500\n");
    const char *texts[] = {"", "-1\n", "lots\n", "\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        put("sys/fs/cgroup/box/memory.max", texts[i]);
        assert_true(ingle_memory_available(root, false) == 1000 * 1024);
    }
    put("sys/fs/cgroup/box/memory.max", "1000");
    put("sys/fs/cgroup/box/memory.stat", "inactive_file\ninactive_file lots\ninactive_filet 9\n");
    assert_true(ingle_memory_available(root, false) == 500);
    put("sys/fs/cgroup/box/memory.current", "rubbish");
    assert_true(ingle_memory_available(root, false) == 1000 * 1024);
}

#define IN_TREE(test) cmocka_unit_test_setup_teardown(test, make_root, remove_root)

/* Distances are a processor's own; whoever is not in the table gets one that serves all. */
static void test_fetch(void **state)
{
    (void)state;
    const ingle_fetch sapphire = ingle_cpu_fetch("GenuineIntel", 6, 0x8f);
    assert_true(sapphire.near && sapphire.far > sapphire.near);
    assert_int_equal(ingle_cpu_fetch("GenuineIntel", 6, 0xcf).far, sapphire.far);
    const struct {
        const char *vendor;
        unsigned family, model;
    } others[] = {{"GenuineIntel", 6, 0x6a}, {"AuthenticAMD", 6, 0x8f}, {"", 0, 0}};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        ingle_fetch f = ingle_cpu_fetch(others[i].vendor, others[i].family, others[i].model);
        assert_int_equal(f.near, 2048);
        assert_int_equal(f.far, 0);
    }
}

int main(void)
{
    memcpy(root_pattern, root, sizeof root);
    const struct CMUnitTest tests[] = {
        IN_TREE(test_siblings),
        IN_TREE(test_siblings_in_ranges),
        IN_TREE(test_package_and_core),
        IN_TREE(test_missing_topology),
        IN_TREE(test_garbage_topology),
        IN_TREE(test_odd_affinity),
        IN_TREE(test_hybrid_intel),
        IN_TREE(test_hybrid_capacity),
        IN_TREE(test_v2_quota),
        IN_TREE(test_fractional_quota),
        IN_TREE(test_v2_nested),
        IN_TREE(test_v2_other_namespace),
        IN_TREE(test_v2_beside_v1),
        IN_TREE(test_v1_quota),
        IN_TREE(test_v1_short_mount),
        IN_TREE(test_garbage_quota),
        IN_TREE(test_memory_v2),
        IN_TREE(test_memory_v1),
        IN_TREE(test_memory_garbage),
        cmocka_unit_test(test_fetch),
        cmocka_unit_test(test_no_files_at_all),
        cmocka_unit_test(test_this_machine),
        cmocka_unit_test(test_processors_by_list),
        cmocka_unit_test(test_processors_by_mask),
        cmocka_unit_test(test_isa),
        cmocka_unit_test(test_isa_against_kernel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
