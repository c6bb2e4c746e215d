/* connections.c - many connections: how fast small answers are, and what a connection takes. */
#define _GNU_SOURCE
#include "bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHAT "/v1/chat/completions"

enum { IDLE = 5000, PER_SOURCE = 200, SECONDS = 3, KIB = 1024 };

/* ---- connections that do nothing ------------------------------------------------------------- */

typedef struct idlers {
    clients set;
    client *c; /* [n] */
    int n;
} idlers;

static void idlers_open(idlers *i, int port, int n)
{
    i->n = n;
    i->c = need(calloc((size_t)n, sizeof *i->c));
    clients_open(&i->set);
    for (int k = 0; k < n; k++) client_open(&i->c[k], &i->set, port, 1 + (unsigned)k / PER_SOURCE);
}

/* Every one of them has had an answer afterwards. */
static void idlers_ask(idlers *i)
{
    for (int k = 0; k < i->n; k++) {
        client_send(&i->c[k], "/health", NULL, 0);
        while (i->set.n_busy > 16) clients_poll(&i->set, -1);
    }
    clients_finish(&i->set);
}

static void idlers_close(idlers *i)
{
    for (int k = 0; k < i->n; k++) client_close(&i->c[k]);
    clients_close(&i->set);
    free(i->c);
}

/* ---- small answers --------------------------------------------------------------------------- */

typedef struct load {
    double rate, p99_ms; /* requests a second */
} load;

static double milliseconds(const char *text)
{
    char *unit;
    double x = strtod(text, &unit);
    return !strncmp(unit, "us", 2) ? 1e-3 * x : !strncmp(unit, "ms", 2) ? x : 1e3 * x;
}

static load run_wrk(int port)
{
    char line[512], command[160];
    load l = {NAN, NAN};
    snprintf(command, sizeof command,
             "wrk -t1 -c32 -d%ds --latency http://127.0.0.1:%d/health 2>&1", SECONDS, port);
    FILE *f = popen(command, "r");
    if (!f) fail("wrk does not run (scripts/deps.sh bench)");
    while (fgets(line, sizeof line, f)) {
        const char *p99 = strstr(line, "99%"), *rate = strstr(line, "Requests/sec:");
        if (p99) l.p99_ms = milliseconds(p99 + 3);
        if (rate) l.rate = strtod(rate + strlen("Requests/sec:"), NULL);
        if (strstr(line, "Non-2xx") || strstr(line, "Socket errors")) fail("wrk: %s", line);
    }
    pclose(f);
    if (!(l.rate > 0)) fail("wrk gave no figures (scripts/deps.sh bench)");
    return l;
}

typedef struct rates {
    series ratio, rate, p99, bare_p99;
} rates;

static void health_round(rates *r, int port, int bare, bool bare_first)
{
    load other = {0, 0}, own;
    if (bare_first) other = run_wrk(bare);
    own = run_wrk(port);
    if (!bare_first) other = run_wrk(bare);
    series_add(&r->ratio, own.rate / other.rate);
    series_add(&r->rate, own.rate);
    series_add(&r->p99, own.p99_ms);
    series_add(&r->bare_p99, other.p99_ms);
}

static double health_rounds(const char *what, int n, int port, int bare)
{
    rates r = {.ratio = {0}};
    for (int i = 0; i < n; i++) health_round(&r, port, bare, i % 2);
    double p99 = series_at(&r.p99, 0.5);
    printf("health: %s, %d rounds: %.0f requests/s, %.3f of the bare program (%.3f to %.3f) (goal "
           "0.8); p99 %.2f ms, the bare program's %.2f ms",
           what, n, series_at(&r.rate, 0.5), series_at(&r.ratio, 0.5), series_at(&r.ratio, 0),
           series_at(&r.ratio, 1), p99, series_at(&r.bare_p99, 0.5));
    series_free(&r.ratio), series_free(&r.rate), series_free(&r.p99), series_free(&r.bare_p99);
    return p99;
}

void measure_health(const bench *b)
{
    static const char *const silent[] = {"--log-file", "", "--idle-timeout", "3600", NULL};
    static const char *const logs[] = {"--log-file", "/dev/null", NULL};
    process server, logging, bare;
    idlers own, other;
    char what[80];
    const int n = bench_or(b->n_rounds, 5);
    int n_idle = bench_or(b->n_clients, IDLE);
    const int most = ((int)process_raise_descriptors() - 200) / 2;
    if (n_idle > most) n_idle = most;
    bench_serve(b, &server, 1024, 2, silent);
    bench_serve(b, &logging, 1024, 2, logs);
    process_bare(&bare, b->bare);
    double p99 = health_rounds("without a log", n, server.port, bare.port);
    printf("\n");
    health_rounds("with a log of requests", n, logging.port, bare.port);
    printf("\n");
    idlers_open(&own, server.port, n_idle);
    idlers_ask(&own);
    idlers_open(&other, bare.port, n_idle);
    idlers_ask(&other);
    snprintf(what, sizeof what, "without a log, %d idle connections", n_idle);
    double idle_p99 = health_rounds(what, n, server.port, bare.port);
    printf(", %.2f times that without them (goal 2)\n", idle_p99 / p99);
    idlers_close(&own);
    idlers_close(&other);
    process_stop(&server);
    process_stop(&logging);
    process_stop(&bare);
}

/* ---- memory ---------------------------------------------------------------------------------- */

static double kib_each(size_t before, size_t after, int n)
{
    return ((double)after - (double)before) / KIB / n;
}

static size_t settled(const process *p)
{
    sleep_s(0.5);
    return process_resident(p->pid);
}

/* All of them stream; returns what is resident when each has had its first token, or, if they wait
 * for each other, its first event. */
static size_t stream_all(idlers *i, const process *server, const library *words, int n_tokens,
                         bool queued)
{
    for (int k = 0; k < i->n; k++) {
        buffer messages = bodies_messages_of(words, 32, bench_seed());
        buffer body =
            bodies_chat(&(ask){.messages = messages.p, .max_tokens = n_tokens, .stream = true});
        client_send(&i->c[k], CHAT, body.p, body.n);
        buffer_free(&messages);
        buffer_free(&body);
        clients_poll(&i->set, 0);
    }
    for (int k = 0; k < i->n; k++)
        while (queued ? !i->c[k].n_events : !i->c[k].n_reads) clients_poll(&i->set, -1);
    size_t resident = process_resident(server->pid);
    int n_ended = 0;
    for (int k = 0; k < i->n; k++) n_ended += i->c[k].state != CLIENT_BODY;
    if (n_ended && !queued) fail("%d streams ended too soon: give more --tokens", n_ended);
    return resident;
}

/* One of each kind, so that what is there once is there before. */
static void warm(const process *server, const library *words)
{
    idlers one;
    idlers_open(&one, server->port, 1);
    idlers_ask(&one);
    stream_all(&one, server, words, 8, true);
    clients_finish(&one.set);
    idlers_close(&one);
}

/* What the library alone takes for such a request and its session. */
static double of_library(const bench *b, int n, int n_ctx)
{
    library l;
    ingle_error err = {{0}};
    answer *answers = need(calloc((size_t)n, sizeof *answers));
    library_open(&l, b->model, n_ctx, n, false);
    buffer messages = bodies_messages_of(&l, 32, bench_seed());
    tokens prompt = library_render(&l, messages.p, NULL);
    answer warm_up;
    answer_start(&warm_up, &l, prompt, 8);
    while (answer_read(&warm_up, -1)) continue;
    size_t before = process_resident(getpid());
    for (int i = 0; i < n; i++) answer_start(&answers[i], &l, prompt, n_ctx / 2);
    for (int waits = n; waits;) {
        library_must(ingle_engine_step(l.engine, NULL, &err), &err);
        waits = 0;
        for (int i = 0; i < n; i++) {
            answer_read(&answers[i], 0);
            waits += !answers[i].n_tokens;
        }
    }
    double each = kib_each(before, process_resident(getpid()), n);
    for (int i = 0; i < n; i++) answer_close(&answers[i]);
    free(answers);
    free(prompt.p);
    buffer_free(&messages);
    library_close(&l);
    return each;
}

static double queued_each(const bench *b, const library *words, int n, int n_ctx)
{
    static const char *const more[] = {"--queue", "0", NULL};
    process server;
    idlers i;
    bench_serve(b, &server, n_ctx, 1, more);
    warm(&server, words);
    idlers_open(&i, server.port, n);
    idlers_ask(&i);
    size_t before = settled(&server);
    size_t after = stream_all(&i, &server, words, n_ctx / 2, true);
    idlers_close(&i);
    process_stop(&server);
    return kib_each(before, after, n);
}

void measure_memory(const bench *b)
{
    process server;
    library words;
    idlers i;
    const int n = bench_or(b->n_clients, 500), n_ctx = bench_or(b->n_tokens, 1024);
    library_open_words(&words, b->model);
    bench_serve(b, &server, n_ctx, n, NULL);
    warm(&server, &words);
    size_t empty = settled(&server);
    idlers_open(&i, server.port, n);
    size_t idle = settled(&server);
    idlers_ask(&i);
    size_t asked = settled(&server);
    size_t streaming = stream_all(&i, &server, &words, n_ctx / 2, false);
    idlers_close(&i);
    process_stop(&server);
    double queued = queued_each(b, &words, n, n_ctx), own = of_library(b, n, n_ctx);
    double each = kib_each(empty, streaming, n), positions = 8.0 * n_ctx / KIB;
    printf("memory: %d connections, context of %d: idle %.1f KiB (goal 8), after a request %.1f "
           "KiB (goal 20), streaming %.1f KiB, %.1f without 8 bytes a position (goal 64; the "
           "library's request alone takes %.1f), queued %.1f KiB more than after a request\n",
           n, n_ctx, kib_each(empty, idle, n), kib_each(empty, asked, n), each, each - positions,
           own, queued);
    library_close(&words);
}
