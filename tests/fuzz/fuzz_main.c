/* fuzz_main.c - drives a fuzz target without a fuzzer.
 *
 *     fuzz_NAME [-m N] [-s SEED] [FILE or FOLDER ...]
 *         replays the target's seeds and the files, each as it is and N times changed
 *     fuzz_NAME -w FOLDER
 *         writes the seeds as files, for libFuzzer to begin with
 *
 * The changes are drawn from a generator with a fixed seed, so a failure can be repeated; and when
 * the process dies, by a signal or by a sanitizer's word, the input it was working on is kept in
 * the file fuzz-crash-fuzz_NAME in the working folder. */
#define _GNU_SOURCE
#include "fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define INPUT_ROOM ((size_t)1 << 20)
#define MAX_GROW   64

static struct {
    long n_changes;
    uint64_t random;
    uint8_t input[INPUT_ROOM + MAX_GROW]; /* the one being run */
    size_t size;
    char crash_file[64];
    size_t n_seeds, n_files, n_runs;
} fuzz;

/* xorshift64* */
static uint64_t draw(uint64_t below)
{
    fuzz.random ^= fuzz.random >> 12;
    fuzz.random ^= fuzz.random << 25;
    fuzz.random ^= fuzz.random >> 27;
    return (fuzz.random * 0x2545f4914f6cdd1du >> 11) % below;
}

static void keep_input(void)
{
    int fd = open(fuzz.crash_file, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (fd >= 0 && write(fd, fuzz.input, fuzz.size) == (ssize_t)fuzz.size)
        dprintf(2, "the input is in %s\n", fuzz.crash_file);
}

static void die(int signal_number)
{
    keep_input();
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

/* There in sanitizer builds only: called when one has found something. */
__attribute__((weak)) void __sanitizer_set_death_callback(void (*callback)(void));

static void keep_input_on_death(void)
{
    const int deadly[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
    for (size_t i = 0; i < sizeof deadly / sizeof *deadly; i++) signal(deadly[i], die);
    if (__sanitizer_set_death_callback) __sanitizer_set_death_callback(keep_input);
}

static void run(void)
{
    /* A copy of just this size, so that the address sanitizer sees reads past its end. */
    uint8_t *copy = malloc(fuzz.size ? fuzz.size : 1);
    if (!copy) exit(2);
    memcpy(copy, fuzz.input, fuzz.size);
    LLVMFuzzerTestOneInput(copy, fuzz.size);
    free(copy);
    fuzz.n_runs++;
}

/* Numbers at which lengths and counts go wrong. */
static uint64_t odd_number(void)
{
    static const uint64_t odd[] = {0,     1,     2,         3,          7,         8,
                                   31,    32,    127,       128,        255,       256,
                                   65535, 65536, INT32_MAX, UINT32_MAX, INT64_MAX, UINT64_MAX};
    uint64_t v = odd[draw(sizeof odd / sizeof *odd)];
    return draw(4) ? v : v + (uint64_t)1 - draw(3) + ((uint64_t)1 << draw(64));
}

static void change_once(void)
{
    size_t at = (size_t)draw(fuzz.size + 1);
    if (at == fuzz.size) { /* at the end: cut or grow */
        if (draw(2)) fuzz.size = (size_t)draw(fuzz.size + 1);
        else if (fuzz.size < INPUT_ROOM) fuzz.input[fuzz.size++] = (uint8_t)draw(256);
        return;
    }
    size_t left = fuzz.size - at, n = (size_t)draw(left < 32 ? left : 32) + 1;
    uint64_t v = odd_number();
    size_t width = (size_t)1 << draw(4);
    switch (draw(6)) {
    case 0: fuzz.input[at] ^= (uint8_t)(1u << draw(8)); break;
    case 1: fuzz.input[at] = (uint8_t)draw(256); break;
    case 2: memcpy(fuzz.input + at, &v, width < left ? width : left); break;
    case 3: /* take bytes out */
        memmove(fuzz.input + at, fuzz.input + at + n, left - n);
        fuzz.size -= n;
        break;
    case 4: /* put bytes in */
        if (fuzz.size + n > INPUT_ROOM) break;
        memmove(fuzz.input + at + n, fuzz.input + at, left);
        fuzz.size += n;
        break;
    default: { /* copy bytes from elsewhere */
        size_t from = (size_t)draw(fuzz.size - n + 1);
        memmove(fuzz.input + at, fuzz.input + from, n);
        break;
    }
    }
}

/* The input in fuzz.input as it is, then n_changes times with one to four changes. */
static void replay(size_t size)
{
    uint8_t *original = malloc(size ? size : 1);
    if (!original) exit(2);
    memcpy(original, fuzz.input, size);
    fuzz.size = size;
    run();
    for (long i = 0; i < fuzz.n_changes; i++) {
        memcpy(fuzz.input, original, size);
        fuzz.size = size;
        for (uint64_t k = draw(4) + 1; k; k--) change_once();
        run();
    }
    free(original);
}

static bool replay_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return false;
    }
    size_t n = fread(fuzz.input, 1, INPUT_ROOM, f);
    fclose(f);
    replay(n);
    fuzz.n_files++;
    return true;
}

static bool replay_path(const char *path)
{
    struct stat st;
    if (stat(path, &st)) return true; /* a target without files has no corpus folder */
    if (!S_ISDIR(st.st_mode)) return replay_file(path);
    struct dirent **names;
    int n = scandir(path, &names, NULL, alphasort);
    bool ok = n >= 0;
    for (int i = 0; i < n; i++) {
        char full[4096];
        snprintf(full, sizeof full, "%s/%s", path, names[i]->d_name);
        if (names[i]->d_name[0] != '.' && !stat(full, &st) && S_ISREG(st.st_mode))
            ok &= replay_file(full);
        free(names[i]);
    }
    if (n >= 0) free(names);
    return ok;
}

static int write_seeds(const char *folder)
{
    for (size_t i = 0, n; fuzz_seed && (n = fuzz_seed(i, fuzz.input, INPUT_ROOM)); i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/seed-%03zu", folder, i);
        FILE *f = fopen(path, "wb");
        if (!f || fwrite(fuzz.input, 1, n, f) != n || fclose(f)) {
            fprintf(stderr, "%s: %s\n", path, strerror(errno));
            return 1;
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    fuzz.random = 1;
    const char *name = strrchr(argv[0], '/');
    snprintf(fuzz.crash_file, sizeof fuzz.crash_file, "fuzz-crash-%.40s",
             name ? name + 1 : argv[0]);
    for (int option; (option = getopt(argc, argv, "m:s:w:")) != -1;) {
        switch (option) {
        case 'm': fuzz.n_changes = strtol(optarg, NULL, 10); break;
        case 's': fuzz.random = strtoull(optarg, NULL, 10) | 1; break;
        case 'w': return write_seeds(optarg);
        default:
            fprintf(stderr, "usage: %s [-m N] [-s SEED] [-w FOLDER] [FILE or FOLDER ...]\n",
                    argv[0]);
            return 2;
        }
    }
    keep_input_on_death();

    for (size_t n; fuzz_seed && (n = fuzz_seed(fuzz.n_seeds, fuzz.input, INPUT_ROOM));
         fuzz.n_seeds++)
        replay(n);
    bool ok = true;
    for (int i = optind; i < argc; i++) ok &= replay_path(argv[i]);
    printf("%s: %zu seeds, %zu files, %zu inputs\n", argv[0], fuzz.n_seeds, fuzz.n_files,
           fuzz.n_runs);
    if (!fuzz.n_runs) fprintf(stderr, "%s: nothing to replay\n", argv[0]);
    return ok && fuzz.n_runs ? 0 : 1;
}
