/* sampler.c - nanoseconds per sampled token (load, chain, draw, accept) over a vocabulary of 128k
 * tokens, and per row of log-probabilities. build/bench/sampler [N_VOCAB [REPEATS]]
 * Logits are normal with standard deviation 2.5 and 30 tokens raised, about what a language model
 * gives; a fresh row per token out of 16. Prints the median and the best of the repeats. */
#define _GNU_SOURCE
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "sample/logprob.h"
#include "sample/sample.h"

#define N_ROWS 16

static uint64_t state = 88172645463325252u;

static double uniform(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return ((double)(state >> 11) + 0.5) * 0x1p-53;
}

static float *make_rows(size_t n)
{
    float *rows = malloc(N_ROWS * n * sizeof *rows);
    if (!rows) return NULL;
    for (size_t i = 0; i < N_ROWS * n; i++)
        rows[i] = (float)(2 * sqrt(-2 * log(uniform())) * cos(6.283185307179586 * uniform()));
    for (size_t i = 0; i < N_ROWS * 30; i++)
        rows[i / 30 * n + (size_t)(uniform() * (double)n)] = (float)(12 + 10 * uniform());
    return rows;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int run(const char *name, const ingle_sampler_options *opt, const float *rows, size_t n,
               int repeats)
{
    ingle_error err;
    ingle_sampler *s;
    double *ns = malloc((size_t)repeats * sizeof *ns);
    if (!ns) return 1;
    if (ingle_sampler_new(&s, opt, (int32_t)n, NULL, 0, &err) != INGLE_OK) goto fail;
    for (int i = 0; i < repeats; i++) {
        ingle_candidate c;
        double start = now();
        if (ingle_sampler_sample(s, rows + (size_t)(i % N_ROWS) * n, &c, &err) != INGLE_OK)
            goto fail;
        if (ingle_sampler_accept(s, c.token, &err) != INGLE_OK) goto fail;
        ns[i] = now() - start;
    }
    qsort(ns, (size_t)repeats, sizeof *ns, ascending);
    printf("%-34s %10.0f %10.0f\n", name, ns[repeats / 2], ns[0]);
    ingle_sampler_close(&s);
    free(ns);
    return 0;
fail:
    fprintf(stderr, "%s: %s\n", name, err.text);
    ingle_sampler_close(&s);
    free(ns);
    return 1;
}

typedef double row_call(const float *row, size_t n);

static double logprob_sum(const float *row, size_t n)
{
    return ingle_logprob_sum(row, n);
}

static double logprob_top(const float *row, size_t n)
{
    ingle_top top[20];
    ingle_logprob_top(row, n, 0, top, 20);
    return (double)top[19].logprob;
}

static double logprob_rank(const float *row, size_t n)
{
    return (double)ingle_logprob_rank(row, n, (int32_t)(n / 2));
}

static int run_row(const char *name, row_call *call, const float *rows, size_t n, int repeats)
{
    static volatile double result; /* or the calls might be left out */
    double *ns = malloc((size_t)repeats * sizeof *ns);
    if (!ns) return 1;
    for (int i = 0; i < repeats; i++) {
        double start = now();
        result = call(rows + (size_t)(i % N_ROWS) * n, n);
        ns[i] = now() - start;
    }
    (void)result;
    qsort(ns, (size_t)repeats, sizeof *ns, ascending);
    printf("%-34s %10.0f %10.0f\n", name, ns[repeats / 2], ns[0]);
    free(ns);
    return 0;
}

int main(int argc, char **argv)
{
    size_t n = argc > 1 ? (size_t)strtoul(argv[1], NULL, 10) : 128256;
    int repeats = argc > 2 ? atoi(argv[2]) : 400, failed = 0;
    if (repeats < 1 || n < 1000) return 2;
    float *rows = make_rows(n);
    if (!rows) return 1;
    printf("%zu tokens\n%-34s %10s %10s\n", n, "ns per token", "median", "best");
    ingle_sampler_options o;
    ingle_sampler_options_init(&o);
    failed |= run("default", &o, rows, n, repeats);
    o.repeat_penalty = 1.1f;
    failed |= run("default, repeat penalty", &o, rows, n, repeats);
    o.dry_multiplier = 0.8f;
    failed |= run("default, repeat penalty, DRY", &o, rows, n, repeats);
    ingle_sampler_options_init(&o);
    o.temperature = 0;
    failed |= run("greedy", &o, rows, n, repeats);
    ingle_sampler_options_init(&o);
    o.top_k = 0;
    failed |= run("no top-k: top-p, min-p", &o, rows, n, repeats);
    o.top_p = 1;
    failed |= run("min-p only", &o, rows, n, repeats);
    o.min_p = 0;
    failed |= run("temperature only", &o, rows, n, repeats);
    o.typical_p = 0.9f;
    failed |= run("typical only", &o, rows, n, repeats);
    o.typical_p = 1;
    o.top_n_sigma = 1;
    failed |= run("top-n-sigma only", &o, rows, n, repeats);
    o.top_n_sigma = -1;
    o.mirostat = 2;
    failed |= run("mirostat 2", &o, rows, n, repeats);
    failed |= run_row("log-probability: sum", logprob_sum, rows, n, repeats);
    failed |= run_row("log-probability: 20 best", logprob_top, rows, n, repeats);
    failed |= run_row("log-probability: rank", logprob_rank, rows, n, repeats);
    free(rows);
    return failed;
}
