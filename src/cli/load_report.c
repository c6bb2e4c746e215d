/* load_report.c - the figures of a load test as a table, JSON or CSV. Depends on load.h, out.h. */
#include "load.h"
#include "out.h"

#include <string.h>

static double per_second(size_t n, const load_run *run)
{
    return run->seconds > 0 ? (double)n / run->seconds : 0;
}

static const char *model_name(const load_bench *b)
{
    const char *slash = strrchr(b->h.path, '/');
    return slash ? slash + 1 : b->h.path;
}

/* ---- table ----------------------------------------------------------------------------------- */

static void md_times(const load_times *t)
{
    printf(" | %.2f / %.2f / %.2f / %.2f", 1e3 * load_quantile(t, 0.5), 1e3 * load_quantile(t, 0.9),
           1e3 * load_quantile(t, 0.99), 1e3 * load_quantile(t, 1));
}

void load_print_md(const load_bench *b)
{
    size_t n_waiting = 0;
    printf(
        "| model | in flight | requests | prompt t/s | generated t/s | first token ms | gap ms | "
        "queue ms | tokens/step |\n"
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n");
    for (size_t i = 0; i < b->n_runs; i++) {
        const load_run *r = &b->runs[i];
        fputs("| ", stdout);
        out_plain(model_name(b), 0);
        printf(" | %d | %zu | %.2f | %.2f", r->n_requests, r->n_done, per_second(r->n_prompt, r),
               per_second(r->n_generated, r));
        md_times(&r->first);
        md_times(&r->gap);
        md_times(&r->queue);
        printf(" | %.2f |\n", r->tokens_per_step);
        n_waiting += r->n_waiting;
    }
    printf("\ntimes: p50 / p90 / p99 / the longest; prompts of %d to %d tokens, answers of %d to "
           "%d, %d threads, %s\n",
           b->prompt.least, b->prompt.most, b->gen.least, b->gen.most, b->h.engine_info.n_threads,
           b->h.info.isa);
    if (n_waiting) printf("requests that came and were not begun in time: %zu\n", n_waiting);
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static void put_range(ingle_json_writer *w, load_range range)
{
    ingle_json_begin_array(w);
    ingle_json_put_i64(w, range.least);
    ingle_json_put_i64(w, range.most);
    ingle_json_end_array(w);
}

static void put_times(ingle_json_writer *w, const load_times *t)
{
    ingle_json_begin_object(w);
    out_json_fixed(ingle_json_name(w, "p50"), load_quantile(t, 0.5), 6);
    out_json_fixed(ingle_json_name(w, "p90"), load_quantile(t, 0.9), 6);
    out_json_fixed(ingle_json_name(w, "p99"), load_quantile(t, 0.99), 6);
    out_json_fixed(ingle_json_name(w, "max"), load_quantile(t, 1), 6);
    ingle_json_end_object(w);
}

static void put_run(ingle_json_writer *w, const load_bench *b, const load_run *r)
{
    ingle_json_begin_object(w);
    ingle_json_put_i64(ingle_json_name(w, "in_flight"), r->n_requests);
    ingle_json_put_u64(ingle_json_name(w, "requests"), r->n_done);
    out_json_fixed(ingle_json_name(w, "seconds"), r->seconds, 6);
    ingle_json_put_u64(ingle_json_name(w, "prompt_tokens"), r->n_prompt);
    ingle_json_put_u64(ingle_json_name(w, "generated_tokens"), r->n_generated);
    out_json_fixed(ingle_json_name(w, "prompt_tps"), per_second(r->n_prompt, r), 4);
    out_json_fixed(ingle_json_name(w, "generated_tps"), per_second(r->n_generated, r), 4);
    put_times(ingle_json_name(w, "first_token_s"), &r->first);
    put_times(ingle_json_name(w, "gap_s"), &r->gap);
    put_times(ingle_json_name(w, "queue_s"), &r->queue);
    out_json_fixed(ingle_json_name(w, "tokens_per_step"), r->tokens_per_step, 4);
    if (b->opt->rate > 0) ingle_json_put_u64(ingle_json_name(w, "waiting"), r->n_waiting);
    ingle_json_end_object(w);
}

void load_print_json(const load_bench *b)
{
    ingle_json_writer w = out_json();
    ingle_json_begin_object(&w);
    ingle_json_put_text(ingle_json_name(&w, "model"), b->h.path);
    ingle_json_put_text(ingle_json_name(&w, "isa"), b->h.info.isa);
    ingle_json_put_i64(ingle_json_name(&w, "threads"), b->h.engine_info.n_threads);
    put_range(ingle_json_name(&w, "prompt"), b->prompt);
    put_range(ingle_json_name(&w, "answer"), b->gen);
    ingle_json_put_i64(ingle_json_name(&w, "shared"), b->opt->shared);
    if (b->opt->rate > 0) out_json_number(ingle_json_name(&w, "rate"), (double)b->opt->rate);
    ingle_json_begin_array(ingle_json_name(&w, "runs"));
    for (size_t i = 0; i < b->n_runs; i++) put_run(&w, b, &b->runs[i]);
    ingle_json_end_array(&w);
    ingle_json_end_object(&w);
    out_json_line(&w);
    ingle_json_writer_free(&w);
}

/* ---- CSV ------------------------------------------------------------------------------------- */

static void csv_times(const load_times *t)
{
    printf(",%.6f,%.6f,%.6f,%.6f", load_quantile(t, 0.5), load_quantile(t, 0.9),
           load_quantile(t, 0.99), load_quantile(t, 1));
}

void load_print_csv(const load_bench *b)
{
    static const char *const times[] = {"first_token", "gap", "queue"};
    printf("model,threads,in_flight,requests,seconds,prompt_tps,generated_tps");
    for (size_t i = 0; i < sizeof times / sizeof *times; i++)
        printf(",%s_p50,%s_p90,%s_p99,%s_max", times[i], times[i], times[i], times[i]);
    printf(",tokens_per_step,waiting\n");
    for (size_t i = 0; i < b->n_runs; i++) {
        const load_run *r = &b->runs[i];
        out_csv_field(b->h.path);
        printf(",%d,%d,%zu,%.6f,%.4f,%.4f", b->h.engine_info.n_threads, r->n_requests, r->n_done,
               r->seconds, per_second(r->n_prompt, r), per_second(r->n_generated, r));
        csv_times(&r->first);
        csv_times(&r->gap);
        csv_times(&r->queue);
        printf(",%.4f,%zu\n", r->tokens_per_step, r->n_waiting);
    }
}
