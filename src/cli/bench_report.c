/* bench_report.c - the figures of `ingle bench` as a table, JSON or CSV. Depends on bench.h. */
#include "bench.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void bench_row_name(const bench_row *row, char *name, size_t cap)
{
    int len = snprintf(name, cap, "%s%d", row->decode ? "tg" : "pp", row->n);
    if (row->n_seqs > 1) len += snprintf(name + len, cap - (size_t)len, " x%d", row->n_seqs);
    if (row->depth > 0) snprintf(name + len, cap - (size_t)len, " @ d%d", row->depth);
}

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

/* ---- report ---------------------------------------------------------------------------------- */

typedef struct row_result {
    char name[64];
    double tps, sd, median, limit, of_limit;
} row_result;

static row_result summarise(const bench_row *row)
{
    row_result r = {.tps = mean_of(row->tps, row->n_runs), .sd = sd_of(row->tps, row->n_runs)};
    bench_row_name(row, r.name, sizeof r.name);
    r.median = median_of(row->tps, row->n_runs);
    r.limit = median_of(row->limit, row->n_runs);
    r.of_limit = median_of(row->ratio, row->n_runs);
    return r;
}

const char *bench_model_name(const bench *b)
{
    const char *slash = strrchr(b->h.path, '/');
    return slash ? slash + 1 : b->h.path;
}

static double step_ms(const bench_row *row, const row_result *r)
{
    return r->median > 0 ? 1e3 * row->n_seqs / r->median : 0;
}

/* What a step of many costs, beside a step of one. */
static void md_sequences(const bench *b)
{
    const bench_row *many = &b->rows[b->n_rows - 1];
    if (many->n_seqs < 2) return;
    row_result m = summarise(many), one = summarise(many - 1);
    double ms = step_ms(many, &m), single = step_ms(many - 1, &one);
    printf("\n%s: %.4f ms a step, %.2f times that of %s (%.4f ms)\n", m.name, ms,
           single > 0 ? ms / single : 0, one.name, single);
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
        out_plain(bench_model_name(b), 0);
        printf(" | %s | %d | %s | %.2f ± %.2f | %.2f | %.1f %% |\n", size,
               b->h.engine_info.n_threads, r.name, r.tps, r.sd, r.limit, 100 * r.of_limit);
    }
    printf("\nlimits of this machine with these threads (%s): read %.2f GB/s, int8 %.1f GMAC/s, "
           "bf16 %.1f GMAC/s, f32 %.1f GMAC/s\n",
           b->h.info.isa, mean->read_gbs, mean->int8_gmacs, mean->bf16_gmacs, mean->f32_gmacs);
    md_sequences(b);
    for (size_t i = 0; b->opt->profile && i < b->n_rows; i++) {
        profile_print_md(&b->profiles[i], mean);
    }
}

static void put_limits(ingle_json_writer *w, const ingle_limits *mean)
{
    ingle_json_begin_object(w);
    out_json_fixed(ingle_json_name(w, "read_gbs"), mean->read_gbs, 3);
    out_json_fixed(ingle_json_name(w, "int8_gmacs"), mean->int8_gmacs, 2);
    out_json_fixed(ingle_json_name(w, "bf16_gmacs"), mean->bf16_gmacs, 2);
    out_json_fixed(ingle_json_name(w, "f32_gmacs"), mean->f32_gmacs, 2);
    ingle_json_end_object(w);
}

static void put_row(ingle_json_writer *w, const bench_row *row)
{
    row_result r = summarise(row);
    ingle_json_begin_object(w);
    ingle_json_put_text(ingle_json_name(w, "name"), r.name);
    out_json_fixed(ingle_json_name(w, "tps"), r.tps, 4);
    out_json_fixed(ingle_json_name(w, "sd"), r.sd, 4);
    out_json_fixed(ingle_json_name(w, "median"), r.median, 4);
    out_json_fixed(ingle_json_name(w, "limit"), r.limit, 4);
    out_json_fixed(ingle_json_name(w, "of_limit"), r.of_limit, 4);
    if (row->n_seqs > 1) {
        ingle_json_put_i64(ingle_json_name(w, "sequences"), row->n_seqs);
        out_json_fixed(ingle_json_name(w, "step_ms"), step_ms(row, &r), 6);
    }
    ingle_json_end_object(w);
}

static void report_json(const bench *b, const ingle_limits *mean)
{
    ingle_json_writer w = out_json();
    ingle_json_begin_object(&w);
    ingle_json_put_text(ingle_json_name(&w, "model"), b->h.path);
    ingle_json_put_text(ingle_json_name(&w, "isa"), b->h.info.isa);
    ingle_json_put_i64(ingle_json_name(&w, "threads"), b->h.engine_info.n_threads);
    put_limits(ingle_json_name(&w, "limits"), mean);
    ingle_json_begin_array(ingle_json_name(&w, "rows"));
    for (size_t i = 0; i < b->n_rows; i++) put_row(&w, &b->rows[i]);
    ingle_json_end_array(&w);
    if (b->opt->profile) {
        ingle_json_begin_array(ingle_json_name(&w, "profile"));
        for (size_t i = 0; i < b->n_rows; i++) profile_put(&w, &b->profiles[i], mean);
        ingle_json_end_array(&w);
    }
    ingle_json_end_object(&w);
    out_json_line(&w);
    ingle_json_writer_free(&w);
}

static void report_csv(const bench *b, const ingle_limits *mean)
{
    printf("model,threads,name,tps,sd,median,limit,of_limit,read_gbs,int8_gmacs,bf16_gmacs\n");
    for (size_t i = 0; i < b->n_rows; i++) {
        row_result r = summarise(&b->rows[i]);
        out_csv_field(b->h.path);
        printf(",%d,%s,%.4f,%.4f,%.4f,%.4f,%.4f,%.3f,%.2f,%.2f\n", b->h.engine_info.n_threads,
               r.name, r.tps, r.sd, r.median, r.limit, r.of_limit, mean->read_gbs, mean->int8_gmacs,
               mean->bf16_gmacs);
    }
    for (size_t i = 0; b->opt->profile && i < b->n_rows; i++) {
        if (i == 0) putchar('\n');
        profile_print_csv(&b->profiles[i], mean, i == 0);
    }
}

ingle_limits bench_mean_limits(const bench *b)
{
    double n = b->n_probes ? (double)b->n_probes : 1;
    return (ingle_limits){.read_gbs = b->sum.read_gbs / n,
                          .int8_gmacs = b->sum.int8_gmacs / n,
                          .bf16_gmacs = b->sum.bf16_gmacs / n,
                          .f32_gmacs = b->sum.f32_gmacs / n};
}

void bench_report(const bench *b)
{
    ingle_limits mean = bench_mean_limits(b);
    switch ((bench_format)b->opt->format) {
    case FORMAT_MD: report_md(b, &mean); break;
    case FORMAT_JSON: report_json(b, &mean); break;
    case FORMAT_CSV: report_csv(b, &mean); break;
    }
}
