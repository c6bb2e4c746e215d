/* main.c - what `ingle serve` costs and keeps to: each measure prints a line or two of figures, with
 * goals. server.sh runs all of them with the models they are meant for.
 *
 *     build/bench/server MEASURE -m MODEL.gguf [--ingle PROGRAM] [--bare PROGRAM] [--clients N]
 *                        [--prompt TOKENS] [--tokens N] [--rounds N]
 *
 * Programs are looked for where the build puts them, beside this one. Depends on bench.h. */
#define _GNU_SOURCE
#include "bench.h"

#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

typedef struct measure {
    const char *name;
    void (*run)(const bench *b);
    const char *what;
} measure;

static const measure MEASURES[] = {
    {"first", measure_first, "first byte and first token over the library's own"},
    {"health", measure_health, "/health under wrk beside a bare libmicrohttpd program"},
    {"memory", measure_memory, "memory of a connection: idle, after a request, streaming"},
    {"streams", measure_streams, "many streams at once beside the library"},
    {"event", measure_event, "processor time of the HTTP thread for an event of a stream"},
    {"body", measure_body, "parse, render, tokenize 100 KB of tools and history"},
    {"gap", measure_gap, "longest gap of a stream beside a long prompt"},
    {"leave", measure_leave, "from a client's leaving to the end of its request"},
    {"turn", measure_turn, "first token of an agent's second turn beside its first turn's"},
    {"load", measure_load, "many clients once; prints {\"seconds\"}"},
};
enum { N_MEASURES = sizeof MEASURES / sizeof *MEASURES };

int bench_or(int given, int usual)
{
    return given ? given : usual;
}

uint64_t bench_seed(void)
{
    static uint64_t seed;
    if (!seed) seed = (uint64_t)time(NULL) << 20 ^ (uint64_t)getpid();
    return next_random(&seed);
}

void bench_serve(const bench *b, process *p, int n_ctx, int n_parallel, const char *const *more)
{
    char ctx[16], parallel[16];
    const char *args[32] = {
        "-m", b->model, "-c", ctx, "-np", parallel, "--chat-template", "model-or-plain"};
    size_t n = 8;
    snprintf(ctx, sizeof ctx, "%d", n_ctx);
    snprintf(parallel, sizeof parallel, "%d", n_parallel);
    while (more && *more && n + 1 < sizeof args / sizeof *args) args[n++] = *more++;
    process_serve(p, b->program, args);
}

static void usage(void)
{
    fprintf(stderr, "usage: server MEASURE -m MODEL.gguf [--ingle PROGRAM] [--bare PROGRAM] "
                    "[--clients N] [--prompt TOKENS] [--tokens N] [--rounds N]\n\n");
    for (size_t i = 0; i < N_MEASURES; i++)
        fprintf(stderr, "  %-8s %s\n", MEASURES[i].name, MEASURES[i].what);
    exit(2);
}

static int count(const char *text)
{
    char *end;
    long n = strtol(text, &end, 10);
    if (*end || n < 1 || n > 1000000) fail("'%s' is no number from 1 to 1000000", text);
    return (int)n;
}

static void read_option(bench *b, const char *name, const char *value)
{
    if (!strcmp(name, "-m")) b->model = value;
    else if (!strcmp(name, "--ingle")) b->program = value;
    else if (!strcmp(name, "--bare")) b->bare = value;
    else if (!strcmp(name, "--clients")) b->n_clients = count(value);
    else if (!strcmp(name, "--prompt")) b->n_prompt = count(value);
    else if (!strcmp(name, "--tokens")) b->n_tokens = count(value);
    else if (!strcmp(name, "--rounds")) b->n_rounds = count(value);
    else usage();
}

/* FOLDER/../ingle and FOLDER/server_bare, where FOLDER has this program. */
static void find_programs(bench *b)
{
    static char self[4096], ingle[4200], bare[4200];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n < 0) fail("/proc/self/exe cannot be read");
    self[n] = 0;
    const char *folder = dirname(self);
    snprintf(ingle, sizeof ingle, "%s/../ingle", folder);
    snprintf(bare, sizeof bare, "%s/server_bare", folder);
    b->program = ingle;
    b->bare = bare;
}

int main(int argc, char **argv)
{
    bench b = {0};
    find_programs(&b);
    if (argc < 2 || argc % 2) usage();
    for (int i = 2; i + 1 < argc; i += 2) read_option(&b, argv[i], argv[i + 1]);
    if (!b.model) usage();
    process_raise_descriptors();
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (size_t i = 0; i < N_MEASURES; i++)
        if (!strcmp(argv[1], MEASURES[i].name)) {
            MEASURES[i].run(&b);
            return 0;
        }
    usage();
}
