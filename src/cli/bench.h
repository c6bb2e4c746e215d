/* bench.h - `ingle bench` from inside: what is measured (bench.c; load.c with --requests) and how it
 * is reported (bench_report.c). */
#ifndef INGLE_CLI_BENCH_H
#define INGLE_CLI_BENCH_H

#include <ingle_tools.h>
#include "load.h"
#include "open.h"
#include "out.h"
#include "profile.h"

typedef enum bench_format { FORMAT_MD, FORMAT_JSON, FORMAT_CSV } bench_format;

typedef struct bench_options {
    open_options open;
    const char *prompt_text, *gen_text; /* as given */
    load_range prompt, gen;
    int32_t n_prompt, n_gen, depth, repeats, n_seqs; /* the first two: without --requests */
    int format;
    bool profile;
    const char *svg;
    load_options load;
    uint64_t given; /* rows that were, of those that are not for --requests alone */
} bench_options;

typedef struct bench_row {
    bool decode;
    int32_t n, depth;
    int32_t n_seqs;              /* that generate at once */
    double *tps, *limit, *ratio; /* [repeats] */
    size_t n_runs, n_unsteady;
} bench_row;

enum { BENCH_ROWS = 3 };

typedef struct bench {
    open_handles h;
    const bench_options *opt;
    ingle_cost cost;
    ingle_limits sum; /* over all probes */
    size_t n_probes;
    out_progress progress;
    bench_row rows[BENCH_ROWS];
    profile profiles[BENCH_ROWS];
    size_t n_rows;
    int32_t *tokens;   /* [depth + n] of the longest row */
    ingle_eval *evals; /* [n_seqs]; owns the sessions but the first */
    ingle_sampler *sampler;
    ingle_error err;
} bench;

void bench_row_name(const bench_row *row, char *name, size_t cap); /* "tg64 x4 @ d512" */
const char *bench_model_name(const bench *b);                      /* without its folder */
ingle_limits bench_mean_limits(const bench *b);
void bench_report(const bench *b);

#endif
