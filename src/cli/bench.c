/* bench.c - `ingle bench`: tokens per second, and the share of what the machine could do.
 * Depends on open.h, out.h, bench.h (the report), profile.h.
 *
 * Limits are probed before and after every repetition with the engine's own threads: a shared
 * machine's speed changes from second to second, so a ratio only holds within one repetition. */
#include "bench.h"
#include "out.h"
#include "outfile.h"
#include "platform.h"
#include "verbs.h"

#include "base/clock.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    RETRIES = 3, /* of a repetition whose probes disagree */
    MAX_RUNS = 1000,
    MAX_SEQS = 256
};
static const double STEADY = 0.10; /* probes may differ by this share */

#define AT(field) offsetof(bench_options, field)

static const arg_choice FORMATS[] = {
    {"md", FORMAT_MD}, {"json", FORMAT_JSON}, {"csv", FORMAT_CSV}, {NULL, 0}};

static const arg_option ROWS[] = {
    {"-p --n-prompt", "N", ARG_STRING, AT(prompt_text), 0, 0, NULL,
     "prompt tokens of row ppN; 0 leaves it out; with --requests also A:B, drawn for every request "
     "(default 512)"},
    {"-n --n-gen", "N", ARG_STRING, AT(gen_text), 0, 0, NULL,
     "generated tokens of row tgN; 0 leaves it out; with --requests also A:B (default 64)"},
    {"-d --n-depth", "N", ARG_INT, AT(depth), 0, ARG_MAX, NULL,
     "tokens that are in the context before (default 0)"},
    {"-r --repetitions", "N", ARG_INT, AT(repeats), 1, MAX_RUNS, NULL, "repetitions (default 5)"},
    {"--sequences", "N", ARG_INT, AT(n_seqs), 1, MAX_SEQS, NULL,
     "adds row tgM xN: N sequences that generate at once, their tokens counted together (default "
     "1)"},
    {"--profile", NULL, ARG_FLAG, AT(profile), 0, 0, NULL,
     "shows for every row where the time of a step goes: by kind of instruction, with -o json or "
     "csv by instruction of the plan"},
    {"--profile-svg", "FILE", ARG_STRING, AT(svg), 0, 0, NULL,
     "writes the same as a picture; every box tells its figures when pointed at"},
    {"-o --output", "FORMAT", ARG_CHOICE, AT(format), 0, 0, FORMATS,
     "md, json or csv (default md)"},
};

/* Rows that a load test has no use for: depth to profile-svg. */
enum { FIRST_ALONE = 2, LAST_ALONE = 6 };

static ingle_status check_row(const void *options, const arg_option *row, ingle_error *err)
{
    const bench_options *opt = options;
    load_range unused;
    if (row->offset == AT(prompt_text)) return load_parse_range(opt->prompt_text, &unused, err);
    if (row->offset == AT(gen_text)) return load_parse_range(opt->gen_text, &unused, err);
    return INGLE_OK;
}

static const arg_group GROUPS[] = {
    {"Model", open_rows_model, OPEN_N_MODEL, AT(open), open_check_model, 0},
    {"Bench", ROWS, sizeof ROWS / sizeof *ROWS, 0, check_row, AT(given)},
    {"Load", load_rows, LOAD_N_ROWS, AT(load), load_check, offsetof(load_options, given)},
    {"Computing", open_rows_compute, sizeof open_rows_compute / sizeof *open_rows_compute, AT(open),
     open_check_compute, 0},
};

/* ---- one row --------------------------------------------------------------------------------- */

/* Most tokens per second that the machine's peaks allow: compute for a prompt (products of weights
 * in int8, or f32 where the weights are floats, the head once; of BF16 weights and of attention in
 * bf16 if the level has it), bandwidth for generation (of many sequences at once it may be compute
 * again). A token attends on average to the tokens before the row and half of the row. */
static double product_s(double macs, double float_macs, double bf16_macs, const ingle_limits *peak)
{
    double bf16_gmacs = peak->bf16_gmacs > 0 ? peak->bf16_gmacs : peak->f32_gmacs;
    return (macs - float_macs) / (peak->int8_gmacs * 1e9) +
           (float_macs - bf16_macs) / (peak->f32_gmacs * 1e9) + bf16_macs / (bf16_gmacs * 1e9);
}

static double limit_of(const bench *b, const bench_row *row, const ingle_limits *peak)
{
    double attended = row->depth + (row->n + 1) / 2.0, n_seqs = row->n_seqs;
    const ingle_cost *c = &b->cost;
    double body_s = product_s(c->matmul_macs, c->matmul_float_macs, c->matmul_bf16_macs, peak),
           head_s = product_s(c->head_macs, c->head_float_macs, c->head_bf16_macs, peak);
    if (row->decode) {
        double bytes = b->cost.weight_bytes + n_seqs * b->cost.kv_bytes * attended;
        double read_s = bytes / (peak->read_gbs * 1e9);
        double macs_s = n_seqs * (body_s + head_s);
        return n_seqs / (n_seqs > 1 && macs_s > read_s ? macs_s : read_s);
    }
    double attend_gmacs = peak->bf16_gmacs > 0 ? peak->bf16_gmacs : peak->f32_gmacs;
    double seconds = body_s + head_s / row->n + c->attend_macs * attended / (attend_gmacs * 1e9);
    return 1 / seconds;
}

static ingle_status probe(bench *b, ingle_limits *peak)
{
    peak->size = sizeof *peak;
    ingle_status status = ingle_engine_limits(b->h.engine, peak, &b->err);
    if (status != INGLE_OK) return status;
    b->sum.read_gbs += peak->read_gbs;
    b->sum.int8_gmacs += peak->int8_gmacs;
    b->sum.bf16_gmacs += peak->bf16_gmacs;
    b->sum.f32_gmacs += peak->f32_gmacs;
    b->n_probes++;
    return platform_interrupted() ? INGLE_ECANCELLED : INGLE_OK;
}

/* Fills a session to the row's depth; what is there already is the same tokens. */
static ingle_status fill_session(bench *b, const bench_row *row, ingle_session *session)
{
    const int32_t *tokens = NULL;
    size_t n = 0, depth = (size_t)row->depth;
    ingle_status status = ingle_session_tokens(session, &tokens, &n, &b->err);
    if (status != INGLE_OK) return status;
    if (n > depth) return ingle_session_truncate(session, depth, &b->err);
    size_t n_batch = (size_t)b->h.engine_info.n_batch;
    while (n < depth && status == INGLE_OK) {
        size_t step = depth - n < n_batch ? depth - n : n_batch;
        status = ingle_session_eval(session, b->tokens + n, step, INGLE_ROWS_NONE, &b->err);
        n += step;
        out_progress_show(&b->progress, "filling the context", (double)n / (double)depth);
        if (platform_interrupted()) status = INGLE_ECANCELLED;
    }
    return status;
}

static ingle_status go_to_depth(bench *b, const bench_row *row)
{
    ingle_status status = INGLE_OK;
    for (int32_t i = 0; status == INGLE_OK && i < row->n_seqs; i++) {
        status = fill_session(b, row, b->evals[i].session);
    }
    return status;
}

/* One token of every sequence, each a different one. */
static ingle_status step_all(bench *b, const bench_row *row, size_t i)
{
    for (int32_t s = 0; s < row->n_seqs; s++) {
        size_t at = (size_t)row->depth + (i + (size_t)s) % (size_t)row->n;
        b->evals[s].tokens = b->tokens + at;
        b->evals[s].n = 1;
        b->evals[s].rows = INGLE_ROWS_LAST;
    }
    return ingle_sessions_eval(b->evals, (size_t)row->n_seqs, &b->err);
}

static ingle_status run_once(bench *b, const bench_row *row, double *tps)
{
    const int32_t *tokens = b->tokens + row->depth;
    size_t n = (size_t)row->n;
    ingle_status status = go_to_depth(b, row);
    double start = ingle_now();
    if (status == INGLE_OK && !row->decode) {
        status = ingle_session_eval(b->h.session, tokens, n, INGLE_ROWS_LAST, &b->err);
    }
    for (size_t i = 0; row->decode && status == INGLE_OK && i < n; i++) {
        status = row->n_seqs > 1
                     ? step_all(b, row, i)
                     : ingle_session_eval(b->h.session, tokens + i, 1, INGLE_ROWS_LAST, &b->err);
        if (platform_interrupted()) status = INGLE_ECANCELLED;
    }
    *tps = (double)row->n * row->n_seqs / (ingle_now() - start);
    return status;
}

/* One repetition between two probes, again (a few times) when these disagree. *before is the probe
 * that ended the repetition before it. */
static ingle_status repeat_row(bench *b, bench_row *row, ingle_limits *before)
{
    for (int attempt = 0;; attempt++) {
        ingle_limits after = {.size = sizeof after};
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
    ingle_limits before = {.size = sizeof before};
    char name[64];
    bench_row_name(row, name, sizeof name);
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

/* ---- where the time goes --------------------------------------------------------------------- */

/* Draws from the last logits as `ingle run` does without options; the token itself is not used. */
static ingle_status sample(bench *b, double *seconds)
{
    ingle_candidate c;
    const float *logits = NULL;
    double start = ingle_now();
    ingle_status status = ingle_session_logits(b->h.session, 0, &logits, &b->err);
    if (status == INGLE_OK) status = ingle_sampler_sample(b->sampler, logits, &c, &b->err);
    if (status == INGLE_OK) status = ingle_sampler_accept(b->sampler, c.token, &b->err);
    *seconds += ingle_now() - start;
    return status;
}

static ingle_status profile_once(bench *b, const bench_row *row, profile *p)
{
    double start, unused;
    ingle_status status = go_to_depth(b, row);
    start = ingle_now();
    if (status != INGLE_OK) return status;
    if (!row->decode || row->n_seqs > 1) { status = run_once(b, row, &unused); }
    for (int32_t i = 0; row->decode && row->n_seqs == 1 && status == INGLE_OK && i < row->n; i++) {
        status = ingle_session_eval(b->h.session, b->tokens + row->depth + i, 1, INGLE_ROWS_LAST,
                                    &b->err);
        if (status == INGLE_OK) status = sample(b, &p->sampling_s);
        if (platform_interrupted()) status = INGLE_ECANCELLED;
    }
    p->wall_s += ingle_now() - start;
    return status;
}

/* The row once more, apart from the measurement, since looking takes time too. */
static ingle_status profile_row(bench *b, const bench_row *row, profile *p)
{
    bench_row_name(row, p->name, sizeof p->name);
    ingle_status status = ingle_sampler_reset(b->sampler, &b->err);
    if (status == INGLE_OK) status = go_to_depth(b, row);
    if (status == INGLE_OK) status = ingle_engine_profile(b->h.engine, true, &b->err);
    for (int32_t i = 0; status == INGLE_OK && i < b->opt->repeats; i++) {
        out_progress_show(&b->progress, "profiling", (double)i / b->opt->repeats);
        status = profile_once(b, row, p);
    }
    if (status == INGLE_OK) status = profile_fetch(p, b->h.engine, &b->err);
    ingle_engine_profile(b->h.engine, false, NULL);
    return status;
}

static ingle_status profile_all(bench *b)
{
    ingle_sampler_options opt;
    ingle_sampler_options_init(&opt);
    if (!b->opt->profile && !b->opt->svg) return INGLE_OK;
    ingle_status status =
        ingle_sampler_open(&b->sampler, &opt, b->h.info.n_vocab, b->h.model, &b->err);
    for (size_t i = 0; status == INGLE_OK && i < b->n_rows; i++) {
        status = profile_row(b, &b->rows[i], &b->profiles[i]);
    }
    out_progress_clear(&b->progress);
    return status;
}

static int write_svg(const bench *b, outfile *o)
{
    if (!b->opt->svg) return EXIT_DONE;
    char title[600];
    ingle_limits peak = bench_mean_limits(b);
    snprintf(title, sizeof title, "%.500s, %d threads, %s", bench_model_name(b),
             b->h.engine_info.n_threads, b->h.info.isa);
    profile_print_svg(o->f, title, b->profiles, b->n_rows, &peak);
    return outfile_written(o) ? EXIT_DONE : EXIT_WORK;
}

/* ---- the verb -------------------------------------------------------------------------------- */

static bool add_row(bench *b, bool decode, int32_t n, int32_t n_seqs)
{
    if (n == 0) return true;
    bench_row *row = &b->rows[b->n_rows++];
    size_t repeats = (size_t)b->opt->repeats;
    *row = (bench_row){.decode = decode, .n = n, .depth = b->opt->depth, .n_seqs = n_seqs};
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

/* The engine's first session is one of the sequences. */
static int open_sequences(bench *b)
{
    size_t n = (size_t)b->opt->n_seqs;
    ingle_status status = INGLE_OK;
    b->evals = calloc(n, sizeof *b->evals);
    if (!b->evals) {
        out_error("no memory for %zu sequences", n);
        return EXIT_WORK;
    }
    b->evals[0].session = b->h.session;
    for (size_t i = 1; status == INGLE_OK && i < n; i++) {
        status = ingle_session_open(&b->evals[i].session, b->h.engine, &b->err);
    }
    return status == INGLE_OK ? EXIT_DONE : open_failed("bench", status, &b->err);
}

static int prepare(bench *b)
{
    const bench_options *opt = b->opt;
    int32_t longest = opt->n_prompt > opt->n_gen ? opt->n_prompt : opt->n_gen;
    if (opt->depth > INT32_MAX - longest) {
        out_error("bench: -d %d and %d tokens more are too many", opt->depth, longest);
        return EXIT_USAGE;
    }
    int code = open_generator(&b->h, &opt->open);
    if (code == EXIT_DONE) code = open_engine(&b->h, &opt->open, opt->depth + longest);
    if (code == EXIT_DONE) code = open_sequences(b);
    if (code != EXIT_DONE) return code;
    bool ok = make_tokens(b, (size_t)opt->depth + (size_t)longest);
    ok = ok && add_row(b, false, opt->n_prompt, 1) && add_row(b, true, opt->n_gen, 1);
    if (opt->n_seqs > 1) ok = ok && add_row(b, true, opt->n_gen, opt->n_seqs);
    if (!ok) {
        out_error("no memory for the bench");
        return EXIT_WORK;
    }
    return EXIT_DONE;
}

static int measure(bench *b, outfile *svg)
{
    b->cost.size = sizeof b->cost;
    ingle_status status = ingle_engine_cost(b->h.engine, &b->cost, &b->err);
    if (status == INGLE_OK) status = ingle_engine_warm_up(b->h.engine, &b->err);
    out_progress_start(&b->progress);
    for (size_t i = 0; status == INGLE_OK && i < b->n_rows; i++) status = run_row(b, &b->rows[i]);
    out_progress_clear(&b->progress);
    if (status == INGLE_OK) status = profile_all(b);
    if (status != INGLE_OK) return open_failed("bench", status, &b->err);
    bench_report(b);
    return write_svg(b, svg);
}

static void refuse_alone(const cli_verb *verb, const arg_option *row, bool with_requests)
{
    char name[64];
    const char *names = row->names;
    help_next_name(&names, name, sizeof name);
    if (with_requests)
        out_error("%s: options '--requests' and '%s' exclude each other", verb->name, name);
    else out_error("%s: option '%s' needs --requests", verb->name, name);
}

/* What is for a load test alone, and what is not for it. */
static bool check_load(const cli_verb *verb, const bench_options *opt)
{
    const load_options *load = &opt->load;
    for (size_t i = 0; !load->requests && i < LOAD_N_ROWS; i++) {
        if (!(load->given >> i & 1)) continue;
        refuse_alone(verb, &load_rows[i], false);
        return false;
    }
    for (size_t i = FIRST_ALONE; load->requests && i <= LAST_ALONE; i++) {
        if (!(opt->given >> i & 1)) continue;
        refuse_alone(verb, &ROWS[i], true);
        return false;
    }
    bool ranges = opt->prompt.least != opt->prompt.most || opt->gen.least != opt->gen.most;
    const char *why = NULL;
    if (!load->requests && ranges) why = "ranges of -p and -n need --requests";
    else if (load->requests && (!opt->prompt.least || !opt->gen.least))
        why = "--requests needs at least one token of prompt (-p) and of answer (-n)";
    else if (load->shared > opt->prompt.least)
        why = "option '--shared': more tokens than the shortest prompt (-p) has";
    if (why) out_error("%s: %s", verb->name, why);
    return !why;
}

static bool check(const cli_verb *verb, bench_options *opt)
{
    ingle_error err;
    if (opt->prompt_text) load_parse_range(opt->prompt_text, &opt->prompt, &err);
    if (opt->gen_text) load_parse_range(opt->gen_text, &opt->gen, &err);
    opt->n_prompt = opt->prompt.most;
    opt->n_gen = opt->gen.most;
    if (!check_load(verb, opt)) return false;
    const char *why = NULL;
    if (!opt->n_prompt && !opt->n_gen) why = "-p 0 and -n 0 together leave nothing to measure";
    else if (opt->n_seqs > 1 && !opt->n_gen) why = "--sequences needs tokens to generate (-n)";
    if (why) out_error("%s: %s", verb->name, why);
    return !why;
}

static int run_load(const bench_options *opt, outfile *svg)
{
    load_bench b = {.opt = &opt->load, .prompt = opt->prompt, .gen = opt->gen};
    load_options load = opt->load;
    if (!(load.seconds > 0) && !load.count) load.seconds = LOAD_DEFAULT_S;
    b.opt = &load;
    int code = load_measure(&b, &opt->open);
    if (code == EXIT_DONE) {
        switch ((bench_format)opt->format) {
        case FORMAT_MD: load_print_md(&b); break;
        case FORMAT_JSON: load_print_json(&b); break;
        case FORMAT_CSV: load_print_csv(&b); break;
        }
        if (load.svg) load_print_svg(svg->f, &b);
        if (load.svg && !outfile_written(svg)) code = EXIT_WORK;
    }
    load_free(&b);
    return code;
}

static int run_rows(bench *b, outfile *svg)
{
    int code = prepare(b);
    return code == EXIT_DONE ? measure(b, svg) : code;
}

static void free_bench(bench *b)
{
    ingle_sampler_close(&b->sampler);
    for (int32_t i = 1; b->evals && i < b->opt->n_seqs; i++)
        ingle_session_close(&b->evals[i].session);
    free(b->evals);
    open_close(&b->h);
    for (size_t i = 0; i < b->n_rows; i++) {
        free(b->rows[i].tps);
        free(b->rows[i].limit);
        free(b->rows[i].ratio);
        profile_free(&b->profiles[i]);
    }
    free(b->tokens);
}

static int bench_main(const cli_verb *verb, int argc, char **argv)
{
    bench_options opt = {.open = OPEN_OPTIONS_DEFAULT,
                         .prompt = {512, 512},
                         .gen = {64, 64},
                         .repeats = 5,
                         .n_seqs = 1,
                         .format = FORMAT_MD};
    bench b = {.opt = &opt};
    outfile svg = {0};
    const char *positional = NULL, *picture;
    args_status parsed = args_parse(verb, &opt, argc, argv, &positional);
    int code = parsed == ARGS_HELP ? EXIT_DONE : EXIT_USAGE;
    if (parsed != ARGS_OK) goto end;
    if (!check(verb, &opt)) goto end;
    if ((code = open_check(verb, &opt.open, positional)) != EXIT_DONE) goto end;
    picture = opt.load.requests ? opt.load.svg : opt.svg;
    opt.open.n_sessions = opt.n_seqs;
    opt.open.output = picture;
    opt.open.output_option = opt.load.requests ? "--svg" : "--profile-svg";
    platform_catch_interrupt();
    if ((code = open_path(&b.h, &opt.open)) != EXIT_DONE) goto end;
    code = EXIT_WORK;
    if (picture && !outfile_open(&svg, picture)) goto end;
    code = opt.load.requests ? run_load(&opt, &svg) : run_rows(&b, &svg);
end:
    code = out_finish(outfile_close(&svg, code));
    free_bench(&b);
    open_options_free(&opt.open);
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
             "made up; nothing is sampled. Without MODEL the bundled model is measured.\n\nWith "
             "--requests N the engine has N requests in flight, with made-up prompts of -p and "
             "answers of -n tokens, and what they would see of it is measured: tokens per second, "
             "the time from a request's arrival to its first token, the gaps between tokens, the "
             "time in queues, and how many tokens a step computes. Prompt tokens that the engine "
             "had computed before, as those of --shared, count as well.",
    .groups = GROUPS,
    .n_groups = sizeof GROUPS / sizeof *GROUPS,
    .max_positional = 1,
    .main = bench_main,
};
