/* profile.c - see profile.h. Tables: by kind of instruction for people, by instruction for
 * programs. */
#include "profile.h"
#include "out.h"

#include <stdlib.h>
#include <string.h>

ingle_status profile_fetch(profile *p, ingle_engine *engine, ingle_error *err)
{
    ingle_profile_row row = {.size = sizeof row};
    size_t n = 0;
    p->total.size = sizeof p->total;
    ingle_status status = ingle_engine_profile_total(engine, &p->total, err);
    while (status == INGLE_OK && ingle_engine_profile_row(engine, n, &row, NULL) == INGLE_OK) n++;
    if (status != INGLE_OK) return status;
    p->rows = calloc(n ? n : 1, sizeof *p->rows);
    if (!p->rows) {
        snprintf(err->text, sizeof err->text, "no memory for the profile");
        return INGLE_ENOMEM;
    }
    p->n_rows = n;
    for (size_t i = 0; i < n && status == INGLE_OK; i++) {
        p->rows[i].size = sizeof p->rows[i];
        status = ingle_engine_profile_row(engine, i, &p->rows[i], err);
    }
    return status;
}

void profile_free(profile *p)
{
    free(p->rows);
    *p = (profile){.n_rows = 0};
}

double profile_row_s(const ingle_profile_row *row)
{
    return row->work_s + row->uneven_s + row->barrier_s;
}

double profile_engine_s(const profile *p)
{
    double rest = p->wall_s - p->total.step_s - p->sampling_s;
    return rest > 0 ? rest : 0;
}

static double ratio(double a, double b)
{
    return b > 0 ? a / b : 0;
}

double profile_limit(const ingle_profile_row *row, const ingle_limits *peak)
{
    double bf16 = peak->bf16_gmacs > 0 ? peak->bf16_gmacs : peak->f32_gmacs;
    double read = ratio(row->bytes, peak->read_gbs * 1e9);
    double compute = ratio(row->int8_macs, peak->int8_gmacs * 1e9) +
                     ratio(row->bf16_macs, bf16 * 1e9) +
                     ratio(row->f32_macs, peak->f32_gmacs * 1e9);
    return read > compute ? read : compute;
}

static double macs_of(const ingle_profile_row *row)
{
    return row->int8_macs + row->bf16_macs + row->f32_macs;
}

static void add(ingle_profile_row *sum, const ingle_profile_row *row)
{
    sum->work_s += row->work_s;
    sum->uneven_s += row->uneven_s;
    sum->barrier_s += row->barrier_s;
    sum->bytes += row->bytes;
    sum->int8_macs += row->int8_macs;
    sum->bf16_macs += row->bf16_macs;
    sum->f32_macs += row->f32_macs;
}

static ingle_profile_row sum_of(const profile *p)
{
    ingle_profile_row sum = {.op = ""};
    for (size_t i = 0; i < p->n_rows; i++) add(&sum, &p->rows[i]);
    return sum;
}

double profile_overhead(const profile *p)
{
    double outside = sum_of(p).barrier_s + p->total.dispatch_s + p->sampling_s;
    return ratio(outside, p->wall_s);
}

/* ---- for people ------------------------------------------------------------------------------ */

static bool same_kind(const ingle_profile_row *a, const ingle_profile_row *b)
{
    return strcmp(a->op, b->op) == 0 && strcmp(a->what, b->what) == 0;
}

/* A line for everything of row i's kind; false if an earlier row has told it. */
static bool sum_kind(const profile *p, size_t i, const ingle_limits *peak, ingle_profile_row *sum,
                     double *limit_s, size_t *n)
{
    for (size_t k = 0; k < i; k++) {
        if (same_kind(&p->rows[k], &p->rows[i])) return false;
    }
    *sum = p->rows[i];
    *limit_s = profile_limit(&p->rows[i], peak);
    *n = 1;
    for (size_t k = i + 1; k < p->n_rows; k++) {
        if (!same_kind(&p->rows[k], &p->rows[i])) continue;
        add(sum, &p->rows[k]);
        *limit_s += profile_limit(&p->rows[k], peak);
        ++*n;
    }
    return true;
}

/* A line about time that is not an instruction's. */
static void print_rest(const profile *p, const char *what, double seconds)
{
    printf("| %s | | %.4f | %.1f %% | | | | | |\n", what, 1e3 * seconds / (double)p->total.n_steps,
           100 * ratio(seconds, p->wall_s));
}

void profile_print_md(const profile *p, const ingle_limits *peak)
{
    double n_steps = (double)p->total.n_steps, limits = 0;
    if (!p->total.n_steps) return;
    printf("\n%s: where a step of %.4f ms goes (mean of %zu)\n\n", p->name,
           1e3 * p->wall_s / n_steps, p->total.n_steps);
    printf("| instruction | layers | ms | share | waiting | MB | GMAC | limit ms | of limit |\n"
           "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n");
    for (size_t i = 0; i < p->n_rows; i++) {
        ingle_profile_row sum = {.size = sizeof sum};
        double limit_s;
        size_t n;
        if (!sum_kind(p, i, peak, &sum, &limit_s, &n)) continue;
        double s = profile_row_s(&sum);
        limits += limit_s;
        printf("| %s ", sum.op);
        out_plain(sum.what, 0);
        printf(" | %zu | %.4f | %.1f %% | %.1f %% | %.3f | %.4f | %.4f | %.1f %% |\n", n,
               1e3 * s / n_steps, 100 * ratio(s, p->wall_s),
               100 * ratio(sum.uneven_s + sum.barrier_s, s), sum.bytes / n_steps * 1e-6,
               macs_of(&sum) / n_steps * 1e-9, 1e3 * limit_s / n_steps, 100 * ratio(limit_s, s));
    }
    ingle_profile_row all = sum_of(p);
    print_rest(p, "dispatch", p->total.dispatch_s);
    print_rest(p, "sampling", p->sampling_s);
    print_rest(p, "engine", profile_engine_s(p));
    printf("| **all** | | %.4f | 100.0 %% | %.1f %% | %.3f | %.4f | %.4f | %.1f %% |\n",
           1e3 * p->wall_s / n_steps, 100 * ratio(all.uneven_s + all.barrier_s, p->wall_s),
           all.bytes / n_steps * 1e-6, macs_of(&all) / n_steps * 1e-9, 1e3 * limits / n_steps,
           100 * ratio(limits, p->wall_s));
    printf("\nwithin the instructions: barriers %.1f %%, uneven shares %.1f %% of a step; "
           "barriers + dispatch + sampling: %.1f %%\n",
           100 * ratio(all.barrier_s, p->wall_s), 100 * ratio(all.uneven_s, p->wall_s),
           100 * profile_overhead(p));
}

/* ---- for programs ---------------------------------------------------------------------------- */

static void put_instruction(ingle_json_writer *w, const ingle_profile_row *row, double n_steps,
                            double limit_s)
{
    double s = profile_row_s(row);
    ingle_json_begin_object(w);
    ingle_json_put_text(ingle_json_name(w, "op"), row->op);
    ingle_json_put_text(ingle_json_name(w, "what"), row->what);
    ingle_json_put_i64(ingle_json_name(w, "layer"), row->layer);
    out_json_fixed(ingle_json_name(w, "ms"), 1e3 * s / n_steps, 6);
    out_json_fixed(ingle_json_name(w, "work_ms"), 1e3 * row->work_s / n_steps, 6);
    out_json_fixed(ingle_json_name(w, "uneven_ms"), 1e3 * row->uneven_s / n_steps, 6);
    out_json_fixed(ingle_json_name(w, "barrier_ms"), 1e3 * row->barrier_s / n_steps, 6);
    out_json_fixed(ingle_json_name(w, "bytes"), row->bytes / n_steps, 0);
    out_json_fixed(ingle_json_name(w, "macs"), macs_of(row) / n_steps, 0);
    out_json_fixed(ingle_json_name(w, "limit_ms"), 1e3 * limit_s / n_steps, 6);
    out_json_fixed(ingle_json_name(w, "of_limit"), ratio(limit_s, s), 4);
    ingle_json_end_object(w);
}

void profile_put(ingle_json_writer *w, const profile *p, const ingle_limits *peak)
{
    double n = p->total.n_steps ? (double)p->total.n_steps : 1;
    ingle_json_begin_object(w);
    ingle_json_put_text(ingle_json_name(w, "name"), p->name);
    ingle_json_put_u64(ingle_json_name(w, "steps"), p->total.n_steps);
    out_json_fixed(ingle_json_name(w, "step_ms"), 1e3 * p->wall_s / n, 6);
    out_json_fixed(ingle_json_name(w, "dispatch_ms"), 1e3 * p->total.dispatch_s / n, 6);
    out_json_fixed(ingle_json_name(w, "sampling_ms"), 1e3 * p->sampling_s / n, 6);
    out_json_fixed(ingle_json_name(w, "engine_ms"), 1e3 * profile_engine_s(p) / n, 6);
    out_json_fixed(ingle_json_name(w, "overhead"), profile_overhead(p), 4);
    ingle_json_begin_array(ingle_json_name(w, "instructions"));
    for (size_t i = 0; i < p->n_rows; i++)
        put_instruction(w, &p->rows[i], n, profile_limit(&p->rows[i], peak));
    ingle_json_end_array(w);
    ingle_json_end_object(w);
}

static void csv_rest(const profile *p, const char *what, double seconds)
{
    printf("%s,,%s,,,%.6f,,,,,,,\n", p->name, what, 1e3 * seconds / (double)p->total.n_steps);
}

void profile_print_csv(const profile *p, const ingle_limits *peak, bool head)
{
    double n = (double)p->total.n_steps;
    if (head) {
        printf("name,instruction,op,what,layer,ms,work_ms,uneven_ms,barrier_ms,bytes,macs,limit_ms,"
               "of_limit\n");
    }
    if (!p->total.n_steps) return;
    for (size_t i = 0; i < p->n_rows; i++) {
        const ingle_profile_row *row = &p->rows[i];
        double limit_s = profile_limit(row, peak), s = profile_row_s(row);
        printf("%s,%zu,%s,", p->name, i, row->op);
        out_csv_field(row->what);
        printf(",%d,%.6f,%.6f,%.6f,%.6f,%.0f,%.0f,%.6f,%.4f\n", row->layer, 1e3 * s / n,
               1e3 * row->work_s / n, 1e3 * row->uneven_s / n, 1e3 * row->barrier_s / n,
               row->bytes / n, macs_of(row) / n, 1e3 * limit_s / n, ratio(limit_s, s));
    }
    csv_rest(p, "dispatch", p->total.dispatch_s);
    csv_rest(p, "sampling", p->sampling_s);
    csv_rest(p, "engine", profile_engine_s(p));
}
