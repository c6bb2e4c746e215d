/* memory.c - is `ingle inspect --memory` right? Compares what it tells with the peak of resident
 * memory of `ingle run`, less that of a run that opens nothing.
 *     build/bench/memory build/ingle FILE... [-- OPTIONS of both, as -c 4096]
 * With --in-place, what is mapped counts as well: all of it is read if the embedding is the head.
 * Fails when a file of 1 GB or more is off by more than 1 %, a smaller one by more than ALLOWANCE.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <math.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { MAX_ARGS = 64 };
/* The program's own code and tables, buffers of loading, stacks: there at any size. */
static const double ALLOWANCE = 4 << 20, GIGABYTE = 1e9;

/* Runs argv to its end; its standard output goes to out_fd. Peak of resident bytes, or -1. Spawned
 * from a small process: what is measured includes the moment before exec. */
static double peak_of(const char **argv, int out_fd)
{
    posix_spawn_file_actions_t actions;
    pid_t pid;
    int status = 0;
    struct rusage usage;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, out_fd, 1);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    int rc = posix_spawn(&pid, argv[0], &actions, NULL, (char **)(size_t)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (rc || wait4(pid, &status, 0, &usage) < 0 || status) return -1;
    return (double)usage.ru_maxrss * 1024;
}

static double told_by(const char **argv)
{
    char text[16384] = "";
    FILE *f = tmpfile();
    if (!f || peak_of(argv, fileno(f)) < 0) return -1;
    rewind(f);
    size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[n] = 0;
    const char *total = strstr(text, "\"total\":"), *mapped = strstr(text, "\"mapped\":");
    return total && mapped ? strtod(total + 8, NULL) + strtod(mapped + 9, NULL) : -1;
}

/* True if the two agree. */
static bool check(const char *ingle, const char *file, const char **options, int n_options)
{
    const char *run[MAX_ARGS] = {ingle, "run", "-m", file, "-n", "1", "Once"};
    const char *inspect[MAX_ARGS] = {ingle, "inspect", "--memory", "--json", file};
    const char *empty[] = {ingle, "--version", NULL};
    memcpy(run + 7, options, (size_t)n_options * sizeof *options);
    memcpy(inspect + 5, options, (size_t)n_options * sizeof *options);
    int nowhere = open("/dev/null", O_WRONLY);
    double told = told_by(inspect), base = peak_of(empty, nowhere), peak = peak_of(run, nowhere);
    close(nowhere);
    if (told < 0 || base < 0 || peak < 0) {
        printf("%s: %s failed\n", file, told < 0 ? "inspect" : "run");
        return false;
    }
    double taken = peak - base, difference = taken - told;
    bool ok = fabs(difference) <= (told >= GIGABYTE ? 0.01 * told : ALLOWANCE);
    printf("%-40s told %8.1f MiB, taken %8.1f MiB, difference %+6.2f MiB (%+.2f %%) %s\n", file,
           told / 1048576, taken / 1048576, difference / 1048576, 100 * difference / told,
           ok ? "ok" : "WRONG");
    return ok;
}

int main(int argc, char **argv)
{
    int n_files = 2;
    bool ok = true;
    while (n_files < argc && strcmp(argv[n_files], "--") != 0) n_files++;
    int n_options = argc > n_files ? argc - n_files - 1 : 0;
    if (n_files < 3 || n_options > MAX_ARGS - 10) {
        fprintf(stderr, "usage: memory INGLE FILE... [-- OPTIONS]\n");
        return 2;
    }
    const char *options[MAX_ARGS] = {NULL};
    for (int i = 0; i < n_options; i++) options[i] = argv[n_files + 1 + i];
    for (int i = 2; i < n_files; i++) ok = check(argv[1], argv[i], options, n_options) && ok;
    return ok ? 0 : 1;
}
