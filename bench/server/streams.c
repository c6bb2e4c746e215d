/* streams.c - streams: how fast they are together, how even, what they cost, what disturbs them. */
#define _GNU_SOURCE
#include "bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHAT "/v1/chat/completions"

enum { PROMPT = 64, WARM_TOKENS = 8, FEW = 24 };

/* ---- many at once ---------------------------------------------------------------------------- */

typedef struct crowd {
    int n, n_prompt, n_tokens;
    library words; /* for prompts; its engine, if there is one, is measured too */
    clients set;
    client *clients;  /* [n] */
    buffer *messages; /* [n] of the round */
    series gaps;      /* milliseconds, of all rounds */
    series slowest;   /* client's rate over the mean, of every round */
} crowd;

static void crowd_open(crowd *c, const process *server)
{
    clients_open(&c->set);
    c->clients = need(calloc((size_t)c->n, sizeof *c->clients));
    c->messages = need(calloc((size_t)c->n, sizeof *c->messages));
    for (int i = 0; i < c->n; i++) {
        client_open(&c->clients[i], &c->set, server->port, 1 + (unsigned)i / 200);
        c->clients[i].gaps = &c->gaps;
    }
}

static void crowd_close(crowd *c)
{
    for (int i = 0; i < c->n; i++) {
        client_close(&c->clients[i]);
        buffer_free(&c->messages[i]);
    }
    clients_close(&c->set);
    free(c->clients);
    free(c->messages);
    series_free(&c->gaps);
    series_free(&c->slowest);
}

static void crowd_prompts(crowd *c)
{
    for (int i = 0; i < c->n; i++) {
        buffer_free(&c->messages[i]);
        c->messages[i] = bodies_messages_of(&c->words, (size_t)c->n_prompt, bench_seed());
    }
}

static void note_slowest(crowd *c)
{
    double least = INFINITY, sum = 0;
    for (int i = 0; i < c->n; i++) {
        const client *one = &c->clients[i];
        double rate = (double)one->n_generated / (one->t_end - one->t_sent);
        sum += rate;
        if (rate < least) least = rate;
    }
    series_add(&c->slowest, least / (sum / c->n));
}

/* From the first byte sent to the last byte read; *n_tokens were written. */
static double by_server(crowd *c, size_t *n_tokens)
{
    buffer *bodies = need(calloc((size_t)c->n, sizeof *bodies));
    for (int i = 0; i < c->n; i++)
        bodies[i] = bodies_chat(
            &(ask){.messages = c->messages[i].p, .max_tokens = c->n_tokens, .stream = true});
    double from = now(), to = from;
    for (int i = 0; i < c->n; i++) client_send(&c->clients[i], CHAT, bodies[i].p, bodies[i].n);
    clients_finish(&c->set);
    *n_tokens = 0;
    for (int i = 0; i < c->n; i++) {
        const client *one = &c->clients[i];
        if (one->state != CLIENT_DONE) fail("a stream was broken off");
        *n_tokens += one->n_generated;
        if (one->t_end > to) to = one->t_end;
        buffer_free(&bodies[i]);
    }
    free(bodies);
    note_slowest(c);
    return to - from;
}

/* The same by one thread, which starts requests, steps, and reads events. */
static double by_library(crowd *c, size_t *n_tokens)
{
    ingle_error err = {{0}};
    answer *answers = need(calloc((size_t)c->n, sizeof *answers));
    tokens *prompts = need(calloc((size_t)c->n, sizeof *prompts));
    int n_running = c->n;
    for (int i = 0; i < c->n; i++) prompts[i] = library_render(&c->words, c->messages[i].p, NULL);
    double from = now();
    for (int i = 0; i < c->n; i++) answer_start(&answers[i], &c->words, prompts[i], c->n_tokens);
    while (n_running) {
        library_must(ingle_engine_step(c->words.engine, NULL, &err), &err);
        for (int i = 0; i < c->n; i++)
            if (answers[i].request && !answer_read(&answers[i], 0)) n_running--;
    }
    double took = now() - from;
    *n_tokens = 0;
    for (int i = 0; i < c->n; i++) {
        *n_tokens += answers[i].n_tokens;
        free(prompts[i].p);
    }
    free(answers);
    free(prompts);
    return took;
}

static void warm(crowd *c)
{
    size_t n;
    int n_tokens = c->n_tokens;
    c->n_tokens = WARM_TOKENS;
    crowd_prompts(c);
    by_server(c, &n);
    if (c->words.engine) by_library(c, &n);
    c->n_tokens = n_tokens;
    c->gaps.n = c->slowest.n = 0;
}

static void round_of_streams(crowd *c, bool server_first, double *server, double *own)
{
    size_t n;
    double took = 0;
    crowd_prompts(c);
    if (server_first) took = by_server(c, &n), *server = (double)n / took;
    took = by_library(c, &n);
    *own = (double)n / took;
    if (!server_first) took = by_server(c, &n), *server = (double)n / took;
}

void measure_streams(const bench *b)
{
    process server;
    crowd c = {.n = bench_or(b->n_clients, 64),
               .n_prompt = bench_or(b->n_prompt, PROMPT),
               .n_tokens = bench_or(b->n_tokens, 256)};
    series by_http = {0}, own = {0}, ratios = {0};
    const int n = bench_or(b->n_rounds, 9), n_ctx = c.n_prompt + c.n_tokens + 64;
    bench_serve(b, &server, n_ctx, c.n, NULL);
    library_open(&c.words, b->model, n_ctx, c.n, false);
    crowd_open(&c, &server);
    warm(&c);
    for (int i = 0; i < n; i++) {
        double x = 0, y = 0;
        round_of_streams(&c, i % 2, &x, &y);
        series_add(&by_http, x);
        series_add(&own, y);
        series_add(&ratios, x / y);
    }
    double p50 = 1e3 * series_at(&c.gaps, 0.5), p99 = 1e3 * series_at(&c.gaps, 0.99);
    const char *goal = c.n <= 16 ? "0.97 of a large model" : "0.70 of a small model";
    printf("streams: %d clients, %d tokens each, %d rounds: %.0f t/s, the library %.0f t/s: %.3f "
           "(%.3f to %.3f) (goal %s); gaps p50 %.2f ms, p99 %.2f ms: %.2f (goal 3); slowest client "
           "%.2f of "
           "the mean (goal 0.8)\n",
           c.n, c.n_tokens, n, series_at(&by_http, 0.5), series_at(&own, 0.5),
           series_at(&ratios, 0.5), series_at(&ratios, 0), series_at(&ratios, 1), goal, p50, p99,
           p99 / p50, series_at(&c.slowest, 0));
    crowd_close(&c);
    library_close(&c.words);
    process_stop(&server);
    series_free(&by_http), series_free(&own), series_free(&ratios);
}

void measure_load(const bench *b)
{
    process server;
    crowd c = {.n = bench_or(b->n_clients, 16),
               .n_prompt = bench_or(b->n_prompt, 128),
               .n_tokens = bench_or(b->n_tokens, 64)};
    size_t n_tokens;
    bench_serve(b, &server, c.n_prompt + c.n_tokens + 64, c.n, NULL);
    library_open_words(&c.words, b->model);
    crowd_open(&c, &server);
    crowd_prompts(&c);
    double took = by_server(&c, &n_tokens);
    printf("{\"seconds\":%.6f,\"prompt\":%zu,\"generated\":%zu}\n", took,
           c.clients[0].n_prompt * (size_t)c.n, n_tokens);
    crowd_close(&c);
    library_close(&c.words);
    process_stop(&server);
}

/* ---- what an event costs --------------------------------------------------------------------- */

typedef struct event_cost {
    double us, rate; /* processor time of the HTTP thread for an event; tokens a second */
    double busy;     /* share of the time that the thread ran */
} event_cost;

static event_cost cost_of(crowd *c, const process *server)
{
    size_t n_tokens, n_events = 0;
    crowd_prompts(c);
    uint64_t from = process_main_ns(server);
    double took = by_server(c, &n_tokens), ns = (double)(process_main_ns(server) - from);
    for (int i = 0; i < c->n; i++) n_events += c->clients[i].n_events;
    return (event_cost){1e-3 * ns / (double)n_events, (double)n_tokens / took, 1e-9 * ns / took};
}

static void print_event_cost(const bench *b, int n_clients, int n_tokens)
{
    process server;
    crowd c = {.n = n_clients, .n_prompt = PROMPT, .n_tokens = n_tokens};
    series us = {0}, rate = {0}, busy = {0};
    const int n = bench_or(b->n_rounds, 5);
    bench_serve(b, &server, PROMPT + n_tokens + 64, n_clients, NULL);
    library_open_words(&c.words, b->model);
    crowd_open(&c, &server);
    warm(&c);
    for (int i = 0; i < n; i++) {
        event_cost cost = cost_of(&c, &server);
        series_add(&us, cost.us);
        series_add(&rate, cost.rate);
        series_add(&busy, 100 * cost.busy);
    }
    printf("event: %d stream%s of %d tokens, %d rounds: %.2f us of the HTTP thread for an event "
           "(goal 15), which ran %.1f %% of the time; %.0f t/s%s\n",
           n_clients, n_clients > 1 ? "s" : "", n_tokens, n, series_at(&us, 0.5),
           series_at(&busy, 0.5), series_at(&rate, 0.5), n_clients > 1 ? "" : " (goal 1000)");
    crowd_close(&c);
    library_close(&c.words);
    process_stop(&server);
    series_free(&us), series_free(&rate), series_free(&busy);
}

void measure_event(const bench *b)
{
    print_event_cost(b, 1, bench_or(b->n_tokens, 1000));
    print_event_cost(b, bench_or(b->n_clients, 64), 256);
}

/* ---- a stream beside a long prompt ----------------------------------------------------------- */

void measure_gap(const bench *b)
{
    process server;
    clients set;
    client stream, reader;
    library words;
    series alone = {0}, beside = {0};
    const int n_prompt = bench_or(b->n_prompt, 8000), n_tokens = 16000;
    bench_serve(b, &server, n_prompt + n_tokens, 2, NULL);
    library_open_words(&words, b->model);
    clients_open(&set);
    client_open(&stream, &set, server.port, 0);
    client_open(&reader, &set, server.port, 0);
    buffer few = bodies_messages_of(&words, PROMPT, bench_seed());
    buffer many = bodies_messages_of(&words, (size_t)n_prompt, bench_seed());
    buffer one = bodies_chat(&(ask){.messages = few.p, .max_tokens = n_tokens, .stream = true});
    buffer other = bodies_chat(&(ask){.messages = many.p, .max_tokens = 1, .stream = true});
    client_send(&stream, CHAT, one.p, one.n);
    client_read_texts(&stream, FEW);
    stream.gaps = &alone;
    client_read_texts(&stream, 3 * FEW);
    stream.gaps = &beside;
    client_send(&reader, CHAT, other.p, other.n);
    client_finish(&reader);
    if (stream.state != CLIENT_BODY) fail("the stream ended before the prompt was read");
    printf("gap: prompt of %zu tokens read in %.1f s beside a stream: gaps p50 %.0f ms, longest "
           "%.0f ms (goal 400); without it p50 %.0f ms\n",
           reader.n_prompt, reader.t_end - reader.t_sent, 1e3 * series_at(&beside, 0.5),
           1e3 * series_at(&beside, 1), 1e3 * series_at(&alone, 0.5));
    client_close(&stream);
    client_close(&reader);
    clients_close(&set);
    library_close(&words);
    buffer_free(&few), buffer_free(&many), buffer_free(&one), buffer_free(&other);
    series_free(&alone), series_free(&beside);
    process_stop(&server);
}
