/* bench.h - what the measures share, and the measures.
 * Depends on bodies.h, client.h, library.h, process.h.
 * Invariant  each measure starts what it needs, prints its figures, and ends what it started. */
#ifndef INGLE_BENCH_BENCH_H
#define INGLE_BENCH_BENCH_H

#include "bodies.h"
#include "process.h"

typedef struct bench {
    const char *model;   /* a GGUF file */
    const char *program; /* ingle */
    const char *bare;    /* server_bare */
    /* 0: the measure's own */
    int n_clients, n_prompt, n_tokens, n_rounds;
} bench;

int bench_or(int given, int usual);
/* Begins `ingle serve` of the model with this context, at most n_parallel requests at once, and
 * further arguments, ended by NULL, or NULL. */
void bench_serve(const bench *b, process *p, int n_ctx, int n_parallel, const char *const *more);
/* Another number for every prompt, so that none is known to a cache. */
uint64_t bench_seed(void);

/* latency.c */
void measure_first(const bench *b); /* first byte and first token over the library's own */
void measure_body(const bench *b);  /* from a large body's last byte to the prompt's tokens */
void measure_turn(const bench *b);  /* an agent's second turn beside its first */
/* streams.c */
void measure_streams(const bench *b); /* many streams at once, beside the library */
void measure_event(const bench *b);   /* processor time of the HTTP thread for an event */
void measure_gap(const bench *b);     /* a stream while another client's long prompt is read */
void measure_load(const bench *b);    /* many clients once: seconds, as JSON */
/* connections.c */
void measure_health(const bench *b); /* /health beside a bare program, and with idle connections */
void measure_memory(const bench *b); /* of a connection in each state */
/* leave.c */
void measure_leave(const bench *b); /* from a client's leaving to the end of its request */

#endif
