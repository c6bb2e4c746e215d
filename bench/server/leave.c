/* leave.c - clients that leave: how long it takes until their request has ended and all that it
 * held is free, which is when its line of the log is written. */
#define _GNU_SOURCE
#include "bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHAT "/v1/chat/completions"

enum { MANY = 8000, PROMPT = 64 };

typedef struct leaving {
    process server;
    clients set;
    library words;
    uint64_t random;
    series freed, step; /* milliseconds */
    int n_prompt;       /* of prompts that are long */
    double t_progress;  /* of the last event about a prompt */
    int n_progress;
} leaving;

static double uniform(leaving *l)
{
    return (double)(next_random(&l->random) >> 11) * 0x1p-53;
}

static void send_prompt(leaving *l, client *c, int n_prompt, bool progress)
{
    buffer messages = bodies_messages_of(&l->words, (size_t)n_prompt, bench_seed());
    buffer body = bodies_chat(
        &(ask){.messages = messages.p, .max_tokens = MANY, .stream = true, .progress = progress});
    client_send(c, CHAT, body.p, body.n);
    buffer_free(&messages);
    buffer_free(&body);
}

/* Goes on with what comes, for so many seconds. */
static void poll_for(clients *set, double seconds)
{
    for (double end = now() + seconds, t; (t = now()) < end;) clients_poll(set, end - t);
}

/* Milliseconds from the client's closing to the end of its request. */
static double leave(leaving *l, client *c)
{
    if (c->state != CLIENT_BODY) fail("the answer ended before its client left");
    size_t from = process_n_lines(&l->server);
    double t = now();
    client_close(c);
    process_line line = process_wait_line(&l->server, from, "\"finish\":\"cancelled\"");
    return 1e3 * (line.t - t);
}

static void note_gaps(leaving *l, series *gaps)
{
    for (size_t i = 0; i < gaps->n; i++) series_add(&l->step, 1e3 * gaps->x[i]);
    series_free(gaps);
}

/* ---- where they leave ------------------------------------------------------------------------ */

static void leave_decode(leaving *l)
{
    client c;
    series gaps = {0};
    client_open(&c, &l->set, l->server.port, 0);
    c.gaps = &gaps;
    send_prompt(l, &c, PROMPT, false);
    client_read_texts(&c, 8);
    poll_for(&l->set, 0.01 + 0.2 * uniform(l));
    c.gaps = NULL;
    series_add(&l->freed, leave(l, &c));
    note_gaps(l, &gaps);
}

static void note_progress(client *c, const char *data, double t)
{
    leaving *l = c->user;
    if (!strstr(data, "\"prompt_progress\"")) return;
    if (l->n_progress++) series_add(&l->step, 1e3 * (t - l->t_progress));
    l->t_progress = t;
}

/* After the second of its steps, somewhere in the next. */
static void leave_prefill(leaving *l)
{
    client c;
    client_open(&c, &l->set, l->server.port, 0);
    c.on_event = note_progress;
    c.user = l;
    l->n_progress = 0;
    send_prompt(l, &c, l->n_prompt, true);
    while (l->n_progress < 3 && !c.n_reads) clients_poll(&l->set, -1);
    if (c.n_reads) fail("the prompt was read too soon: give a longer one by --prompt");
    poll_for(&l->set, 1e-3 * series_at(&l->step, 0.5) * uniform(l));
    series_add(&l->freed, leave(l, &c));
}

/* The server has room for one: the second waits. */
static void leave_queue(leaving *l)
{
    client runs, waits;
    series gaps = {0};
    client_open(&runs, &l->set, l->server.port, 0);
    client_open(&waits, &l->set, l->server.port, 0);
    runs.gaps = &gaps;
    send_prompt(l, &runs, PROMPT, false);
    client_read_texts(&runs, 8);
    send_prompt(l, &waits, PROMPT, false);
    while (!waits.n_events) clients_poll(&l->set, -1);
    poll_for(&l->set, 0.01 + 0.1 * uniform(l));
    if (waits.n_reads) fail("the second request did not wait");
    runs.gaps = NULL;
    series_add(&l->freed, leave(l, &waits));
    note_gaps(l, &gaps);
    leave(l, &runs);
}

static void print_leaving(leaving *l, const char *where, int n, void (*once)(leaving *l))
{
    l->freed.n = l->step.n = 0;
    for (int i = 0; i < n; i++) once(l);
    printf("leave: in %s, %d times: freed after p50 %.1f ms, longest %.1f ms; a step takes p50 "
           "%.1f ms, longest %.1f ms (goal: a step and 10 ms)\n",
           where, n, series_at(&l->freed, 0.5), series_at(&l->freed, 1), series_at(&l->step, 0.5),
           series_at(&l->step, 1));
}

void measure_leave(const bench *b)
{
    leaving l = {.random = bench_seed(), .n_prompt = bench_or(b->n_prompt, 4000)};
    const int n = bench_or(b->n_rounds, 20);
    bench_serve(b, &l.server, l.n_prompt + MANY + 64, 1, NULL);
    library_open_words(&l.words, b->model);
    clients_open(&l.set);
    print_leaving(&l, "decode", n, leave_decode);
    print_leaving(&l, "queue", n, leave_queue);
    print_leaving(&l, "prefill", n / 2 ? n / 2 : 1, leave_prefill);
    clients_close(&l.set);
    library_close(&l.words);
    process_stop(&l.server);
    series_free(&l.freed);
    series_free(&l.step);
}
