/* bench.c - `ingle bench`: tokens per second, and the share of what the machine could do.
 * Depends on open.h, out.h, stats in this file.
 *
 * Limits are probed before and after every repetition with the engine's own threads: a shared
 * machine's speed changes from second to second, so a ratio only holds within one repetition. */
#include "open.h"
#include "out.h"
#include "platform.h"
#include "verbs.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    RETRIES = 3, /* of a repetition whose probes disagree */
    MAX_RUNS = 1000
};
static const double STEADY = 0.10; /* probes may differ by this share */

typedef enum bench_format { FORMAT_MD, FORMAT_JSON, FORMAT_CSV } bench_format;

typedef struct bench_options {
    open_options open;
    int32_t n_prompt, n_gen, depth, repeats;
    int format;
} bench_options;

#define AT(field) offsetof(bench_options, field)

static const arg_choice FORMATS[] = {
    {"md", FORMAT_MD}, {"json", FORMAT_JSON}, {"csv", FORMAT_CSV}, {NULL, 0}};

static const arg_option ROWS[] = {
    {"-p --n-prompt", "N", ARG_INT, AT(n_prompt), 0, ARG_MAX, NULL,
     "prompt tokens of row ppN; 0 leaves it out (default 512)"},
    {"-n --n-gen", "N", ARG_INT, AT(n_gen), 0, ARG_MAX, NULL,
     "generated tokens of row tgN; 0 leaves it out (default 64)"},
    {"-d --n-depth", "N", ARG_INT, AT(depth), 0, ARG_MAX, NULL,
     "tokens that are in the context before (default 0)"},
    {"-r --repetitions", "N", ARG_INT, AT(repeats), 1, MAX_RUNS, NULL, "repetitions (default 5)"},
    {"-o --output", "FORMAT", ARG_CHOICE, AT(format), 0, 0, FORMATS,
     "md, json or csv (default md)"},
};

static const arg_group GROUPS[] = {
    {"Model", open_rows_model, 1, AT(open)},
    {"Bench", ROWS, sizeof ROWS / sizeof *ROWS, 0},
    {"Computing", open_rows_compute, sizeof open_rows_compute / sizeof *open_rows_compute,
     AT(open)},
};

/* ---- statistics ------------------------------------------------------------------------------ */

static double mean_of(const double *v, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += v[i];
    return n ? sum / (double)n : 0;
}

static double sd_of(const double *v, size_t n)
{
    double mean = mean_of(v, n), sum = 0;
    for (size_t i = 0; i < n; i++) sum += (v[i] - mean) * (v[i] - mean);
    return n > 1 ? sqrt(sum / (double)(n - 1)) : 0;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median_of(double *v, size_t n)
{
    qsort(v, n, sizeof *v, by_value);
    return n ? (v[(n - 1) / 2] + v[n / 2]) / 2 : 0;
}

/* ---- one row --------------------------------------------------------------------------------- */

typedef struct bench_row {
    bool decode;
    int32_t n, depth;
    double *tps, *limit, *ratio; /* [repeats] */
    size_t n_runs, n_unsteady;
} bench_row;

typedef struct bench {
    open_handles h;
    const bench_options *opt;
    ingle_cost cost;
    ingle_limits sum; /* over all probes */
    size_t n_probes;
    out_progress progress;
    bench_row rows[2];
    size_t n_rows;
    int32_t *tokens; /* [depth + n] of the longest row */
    ingle_error err;
} bench;

static void row_name(const bench_row *row, char *name, size_t cap)
{
    int len = snprintf(name, cap, "%s%d", row->decode ? "tg" : "pp", row->n);
    if (row->depth > 0) snprintf(name + len, cap - (size_t)len, " @ d%d", row->depth);
}

/* Most tokens per second that the machine's peaks allow: compute for a prompt (products of weights
 * in int8, the head once, attention in bf16 or, without it, in f32), bandwidth for generation. A
 * token attends on average to the tokens before the row and half of the row. */
static double limit_of(const bench *b, const bench_row *row, const ingle_limits *peak)
{
    double attended = row->depth + (row->n + 1) / 2.0;
    if (row->decode) {
        return peak->read_gbs * 1e9 / (b->cost.weight_bytes + b->cost.kv_bytes * attended);
    }
    double attend_gmacs = peak->bf16_gmacs > 0 ? peak->bf16_gmacs : peak->f32_gmacs;
    double seconds = b->cost.matmul_macs / (peak->int8_gmacs * 1e9) +
                     b->cost.head_macs / row->n / (peak->int8_gmacs * 1e9) +
                     b->cost.attend_macs * attended / (attend_gmacs * 1e9);
    return 1 / seconds;
}

static ingle_status probe(bench *b, ingle_limits *peak)
{
    ingle_status status = ingle_engine_limits(b->h.engine, peak, &b->err);
    if (status != INGLE_OK) return status;
    b->sum.read_gbs += peak->read_gbs;
    b->sum.int8_gmacs += peak->int8_gmacs;
    b->sum.bf16_gmacs += peak->bf16_gmacs;
    b->sum.f32_gmacs += peak->f32_gmacs;
    b->n_probes++;
    return platform_interrupted() ? INGLE_ECANCELLED : INGLE_OK;
}

/* Fills the context to the row's depth; what is there already is the same tokens. */
static ingle_status go_to_depth(bench *b, const bench_row *row)
{
    const int32_t *tokens = NULL;
    size_t n = 0, depth = (size_t)row->depth;
    ingle_status status = ingle_session_tokens(b->h.session, &tokens, &n, &b->err);
    if (status != INGLE_OK) return status;
    if (n > depth) return ingle_session_truncate(b->h.session, depth, &b->err);
    size_t n_batch = (size_t)b->h.engine_info.n_batch;
    while (n < depth && status == INGLE_OK) {
        size_t step = depth - n < n_batch ? depth - n : n_batch;
        status = ingle_session_eval(b->h.session, b->tokens + n, step, INGLE_ROWS_NONE, &b->err);
        n += step;
        out_progress_show(&b->progress, "filling the context", (double)n / (double)depth);
        if (platform_interrupted()) status = INGLE_ECANCELLED;
    }
    return status;
}

static ingle_status run_once(bench *b, const bench_row *row, double *tps)
{
    const int32_t *tokens = b->tokens + row->depth;
    size_t n = (size_t)row->n;
    ingle_status status = go_to_depth(b, row);
    double start = platform_now();
    if (status == INGLE_OK && !row->decode) {
        status = ingle_session_eval(b->h.session, tokens, n, INGLE_ROWS_LAST, &b->err);
    }
    for (size_t i = 0; row->decode && status == INGLE_OK && i < n; i++) {
        status = ingle_session_eval(b->h.session, tokens + i, 1, INGLE_ROWS_LAST, &b->err);
        if (platform_interrupted()) status = INGLE_ECANCELLED;
    }
    *tps = row->n / (platform_now() - start);
    return status;
}

/* One repetition between two probes, again (a few times) when these disagree. *before is the probe
 * that ended the repetition before it. */
static ingle_status repeat_row(bench *b, bench_row *row, ingle_limits *before)
{
    for (int attempt = 0;; attempt++) {
        ingle_limits after;
        double tps;
        ingle_status status = run_once(b, row, &tps);
        if (status == INGLE_OK) status = go_to_depth(b, row);
        if (status == INGLE_OK) status = probe(b, &after);
        if (status != INGLE_OK) return status;
        double x = limit_of(b, row, before), y = limit_of(b, row, &after), mean = (x + y) / 2;
        bool steady = fabs(x - y) <= STEADY * mean;
        *before = after;
        if (!steady && attempt < RETRIES) continue;
        row->n_unsteady += !steady;
        row->tps[row->n_runs] = tps;
        row->limit[row->n_runs] = mean;
        row->ratio[row->n_runs] = tps / mean;
        row->n_runs++;
        return INGLE_OK;
    }
}

static ingle_status run_row(bench *b, bench_row *row)
{
    ingle_limits before;
    char name[64];
    row_name(row, name, sizeof name);
    ingle_status status = go_to_depth(b, row);
    if (status == INGLE_OK) status = probe(b, &before);
    for (int32_t i = 0; status == INGLE_OK && i < b->opt->repeats; i++) {
        out_progress_show(&b->progress, name, (double)i / b->opt->repeats);
        status = repeat_row(b, row, &before);
    }
    out_progress_clear(&b->progress);
    if (row->n_unsteady > 0) {
        out_note("%s: in %zu of %zu repetitions the machine's own speed changed by more than "
                 "%.0f %%",
                 name, row->n_unsteady, row->n_runs, 100 * STEADY);
    }
    return status;
}

/* ---- report ---------------------------------------------------------------------------------- */

typedef struct row_result {
    char name[64];
    double tps, sd, median, limit, of_limit;
} row_result;

static row_result summarise(const bench_row *row)
{
    row_result r = {.tps = mean_of(row->tps, row->n_runs), .sd = sd_of(row->tps, row->n_runs)};
    row_name(row, r.name, sizeof r.name);
    r.median = median_of(row->tps, row->n_runs);
    r.limit = median_of(row->limit, row->n_runs);
    r.of_limit = median_of(row->ratio, row->n_runs);
    return r;
}

static const char *model_name(const bench *b)
{
    const char *slash = strrchr(b->h.path, '/');
    return slash ? slash + 1 : b->h.path;
}

static void report_md(const bench *b, const ingle_limits *mean)
{
    char size[32];
    out_format_bytes((double)b->h.info.n_bytes, size, sizeof size);
    printf("| model | size | threads | test | t/s | limit | of limit |\n"
           "| --- | ---: | ---: | --- | ---: | ---: | ---: |\n");
    for (size_t i = 0; i < b->n_rows; i++) {
        row_result r = summarise(&b->rows[i]);
        fputs("| ", stdout);
        out_plain(model_name(b), 0);
        printf(" | %s | %d | %s | %.2f ± %.2f | %.2f | %.1f %% |\n", size,
               b->h.engine_info.n_threads, r.name, r.tps, r.sd, r.limit, 100 * r.of_limit);
    }
    printf("\nlimits of this machine with these threads (%s): read %.2f GB/s, int8 %.1f GMAC/s, "
           "bf16 %.1f GMAC/s, f32 %.1f GMAC/s\n",
           b->h.info.isa, mean->read_gbs, mean->int8_gmacs, mean->bf16_gmacs, mean->f32_gmacs);
}

static void report_json(const bench *b, const ingle_limits *mean)
{
    fputs("{\"model\":", stdout);
    out_json_string(b->h.path, strlen(b->h.path));
    printf(",\"isa\":\"%s\",\"threads\":%d,\"limits\":{\"read_gbs\":%.3f,\"int8_gmacs\":%.2f,"
           "\"bf16_gmacs\":%.2f,\"f32_gmacs\":%.2f},\"rows\":[",
           b->h.info.isa, b->h.engine_info.n_threads, mean->read_gbs, mean->int8_gmacs,
           mean->bf16_gmacs, mean->f32_gmacs);
    for (size_t i = 0; i < b->n_rows; i++) {
        row_result r = summarise(&b->rows[i]);
        printf("%s{\"name\":\"%s\",\"tps\":%.4f,\"sd\":%.4f,\"median\":%.4f,\"limit\":%.4f,"
               "\"of_limit\":%.4f}",
               i ? "," : "", r.name, r.tps, r.sd, r.median, r.limit, r.of_limit);
    }
    fputs("]}\n", stdout);
}

static void print_csv_field(const char *text)
{
    putchar('"');
    for (; *text; text++) printf("%s%c", *text == '"' ? "\"" : "", *text);
    putchar('"');
}

static void report_csv(const bench *b, const ingle_limits *mean)
{
    printf("model,threads,name,tps,sd,median,limit,of_limit,read_gbs,int8_gmacs,bf16_gmacs\n");
    for (size_t i = 0; i < b->n_rows; i++) {
        row_result r = summarise(&b->rows[i]);
        print_csv_field(b->h.path);
        printf(",%d,%s,%.4f,%.4f,%.4f,%.4f,%.4f,%.3f,%.2f,%.2f\n", b->h.engine_info.n_threads,
               r.name, r.tps, r.sd, r.median, r.limit, r.of_limit, mean->read_gbs, mean->int8_gmacs,
               mean->bf16_gmacs);
    }
}

static void report(const bench *b)
{
    double n = (double)b->n_probes;
    ingle_limits mean = {b->sum.read_gbs / n, b->sum.int8_gmacs / n, b->sum.bf16_gmacs / n,
                         b->sum.f32_gmacs / n};
    switch ((bench_format)b->opt->format) {
    case FORMAT_MD: report_md(b, &mean); break;
    case FORMAT_JSON: report_json(b, &mean); break;
    case FORMAT_CSV: report_csv(b, &mean); break;
    }
}

/* ---- the verb -------------------------------------------------------------------------------- */

static bool add_row(bench *b, bool decode, int32_t n)
{
    if (n == 0) return true;
    bench_row *row = &b->rows[b->n_rows++];
    size_t repeats = (size_t)b->opt->repeats;
    *row = (bench_row){.decode = decode, .n = n, .depth = b->opt->depth};
    row->tps = calloc(repeats, sizeof *row->tps);
    row->limit = calloc(repeats, sizeof *row->limit);
    row->ratio = calloc(repeats, sizeof *row->ratio);
    return row->tps && row->limit && row->ratio;
}

/* Tokens spread over the vocabulary (a linear congruential generator), the same in every run. */
static bool make_tokens(bench *b, size_t n)
{
    uint64_t state = 1;
    b->tokens = calloc(n, sizeof *b->tokens);
    if (!b->tokens) return false;
    for (size_t i = 0; i < n; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        b->tokens[i] = (int32_t)((state >> 33) % (uint64_t)b->h.info.n_vocab);
    }
    return true;
}

static int prepare(bench *b)
{
    const bench_options *opt = b->opt;
    int32_t longest = opt->n_prompt > opt->n_gen ? opt->n_prompt : opt->n_gen;
    if (opt->depth > INT32_MAX - longest) {
        out_error("bench: -d %d and %d tokens more are too many", opt->depth, longest);
        return EXIT_USAGE;
    }
    int code = open_model(&b->h, &opt->open, INGLE_PARTS_ALL);
    if (code == EXIT_DONE) code = open_engine(&b->h, &opt->open, opt->depth + longest);
    if (code != EXIT_DONE) return code;
    bool ok = make_tokens(b, (size_t)opt->depth + (size_t)longest);
    if (!ok || !add_row(b, false, opt->n_prompt) || !add_row(b, true, opt->n_gen)) {
        out_error("no memory for the bench");
        return EXIT_WORK;
    }
    return EXIT_DONE;
}

static int measure(bench *b)
{
    ingle_status status = ingle_engine_cost(b->h.engine, &b->cost, &b->err);
    if (status == INGLE_OK) status = ingle_engine_warm_up(b->h.engine, &b->err);
    out_progress_start(&b->progress);
    for (size_t i = 0; status == INGLE_OK && i < b->n_rows; i++) status = run_row(b, &b->rows[i]);
    out_progress_clear(&b->progress);
    if (status != INGLE_OK) return open_failed("bench", status, &b->err);
    report(b);
    return EXIT_DONE;
}

static int bench_main(const cli_verb *verb, int argc, char **argv)
{
    bench_options opt = {.open = OPEN_OPTIONS_DEFAULT,
                         .n_prompt = 512,
                         .n_gen = 64,
                         .repeats = 5,
                         .format = FORMAT_MD};
    bench b = {.opt = &opt};
    const char *positional = NULL;
    args_status parsed = args_parse(verb, &opt, argc, argv, &positional);
    int code = parsed == ARGS_HELP ? EXIT_DONE : EXIT_USAGE;
    if (parsed != ARGS_OK) goto end;
    if (opt.n_prompt == 0 && opt.n_gen == 0) {
        out_error("bench: -p 0 and -n 0 together leave nothing to measure");
        goto end;
    }
    if ((code = open_check(verb, &opt.open, positional)) != EXIT_DONE) goto end;
    platform_catch_interrupt();
    if ((code = prepare(&b)) == EXIT_DONE) code = measure(&b);
end:
    code = out_finish(code);
    open_close(&b.h);
    for (size_t i = 0; i < b.n_rows; i++) {
        free(b.rows[i].tps);
        free(b.rows[i].limit);
        free(b.rows[i].ratio);
    }
    free(b.tokens);
    return code;
}

const cli_verb cli_verb_bench = {
    .name = "bench",
    .synopsis = "[OPTIONS] [MODEL]",
    .summary = "measure tokens per second",
    .about = "Measures prompt processing (row pp) and generation (row tg) in tokens per second, "
             "and what share of the machine's own limits they reach: of its int8 "
             "multiply-accumulate peak (prompt) and of its read bandwidth (generation). The limits "
             "are probed in the same run, before and after every repetition.\n\nThe tokens are "
             "made up; nothing is sampled. Without MODEL the bundled model is measured.",
    .groups = GROUPS,
    .n_groups = sizeof GROUPS / sizeof *GROUPS,
    .max_positional = 1,
    .main = bench_main,
};
