/* load.h - `ingle bench --requests` from inside: what is asked for, what was measured (load.c), and
 * how it is reported (load_report.c, load_svg.c).
 * Depends on open.h. */
#ifndef INGLE_CLI_LOAD_H
#define INGLE_CLI_LOAD_H

#include "open.h"

#include <stdio.h>

typedef struct load_range {
    int32_t least, most;
} load_range;

/* "N" or "A:B" with A <= B, both at least 0. */
ingle_status load_parse_range(const char *text, load_range *out, ingle_error *err);

typedef struct load_options {
    const char *requests; /* "1,4,16"; NULL: no load test */
    float rate, seconds;  /* 0: not given */
    int32_t count, shared;
    arg_seed seed;
    const char *svg;
    uint64_t given; /* rows that were */
} load_options;

enum { LOAD_N_ROWS = 7, LOAD_MOST_RUNS = 32, LOAD_MOST_REQUESTS = 1024, LOAD_DEFAULT_S = 10 };
extern const arg_option load_rows[LOAD_N_ROWS];
/* arg_group.check of these rows. */
ingle_status load_check(const void *options, const arg_option *row, ingle_error *err);

/* Times in seconds; grows as they are added. */
typedef struct load_times {
    double *v; /* [n]; sorted after the run */
    size_t n, cap;
} load_times;

/* The smallest that a share q of the times does not exceed; 0 of none. */
double load_quantile(const load_times *t, double q);

/* A run with at most n_requests in flight. */
typedef struct load_run {
    int32_t n_requests;
    size_t n_done, n_waiting;     /* requests that ended; that came and were not begun */
    size_t n_prompt, n_generated; /* tokens, also of requests that the end cut off */
    double seconds, tokens_per_step;
    load_times first, gap, queue; /* first: from the arrival of a request on */
} load_run;

typedef struct load_bench {
    open_handles h;
    const load_options *opt;
    load_range prompt, gen;
    uint64_t seed;
    load_run runs[LOAD_MOST_RUNS];
    size_t n_runs;
} load_bench;

/* Opens all it needs and measures; b was {0} but for its options. The exit code. */
int load_measure(load_bench *b, const open_options *open);
void load_free(load_bench *b);

void load_print_md(const load_bench *b);
void load_print_json(const load_bench *b);
void load_print_csv(const load_bench *b);
void load_print_svg(FILE *f, const load_bench *b);

#endif
