/* threads.c - how callers that generate at once share steps: N threads in ingle_generate(), and N
 * requests of one thread, and N threads with loops of their own that evaluate, sample and accept,
 * beside one call that evaluates the same number of sessions in lock-step and samples nothing. By
 * turns, several rounds, medians.
 *
 *   build/bench/threads MODEL [ROUNDS [TOKENS [THREADS]]] */
#define _GNU_SOURCE /* clock_gettime() */
#include <ingle.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { MOST = 16, PROMPT = 8, ROUNDS = 15 };

typedef struct bench {
    ingle_model *model;
    ingle_engine *engine;
    ingle_session *session[MOST];
    ingle_sampler *sampler[MOST];
    int n_vocab, n_tokens;
} bench;

typedef struct caller {
    bench *b;
    int i;
} caller;

static ingle_error err;

static void must(ingle_status st)
{
    if (!st) return;
    fprintf(stderr, "%s: %s\n", ingle_status_name(st), err.text);
    exit(1);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int32_t token(const bench *b, int i, int k)
{
    return (int32_t)((unsigned)(i * 7919 + k * 104729 + 17) % (unsigned)b->n_vocab);
}

static void start_over(bench *b, int n)
{
    for (int i = 0; i < n; i++) {
        int32_t prompt[PROMPT];
        for (int k = 0; k < PROMPT; k++) prompt[k] = token(b, i, k);
        must(ingle_session_truncate(b->session[i], 0, &err));
        must(ingle_session_eval(b->session[i], prompt, PROMPT, INGLE_ROWS_NONE, &err));
    }
}

static void lock_step(bench *b, int n)
{
    ingle_eval evals[MOST];
    int32_t tokens[MOST];
    for (int t = 0; t < b->n_tokens; t++) {
        for (int i = 0; i < n; i++) {
            tokens[i] = token(b, i, t);
            evals[i] = (ingle_eval){b->session[i], &tokens[i], 1, INGLE_ROWS_LAST};
        }
        must(ingle_sessions_eval(evals, (size_t)n, &err));
    }
}

static ingle_generate_options options(const bench *b)
{
    ingle_generate_options go;
    ingle_generate_options_init(&go);
    go.max_tokens = b->n_tokens;
    go.ignore_eog = true;
    return go;
}

static void *generate(void *arg)
{
    const caller *c = arg;
    const bench *b = c->b;
    ingle_generate_options go = options(b);
    int32_t first = token(b, c->i, 0);
    must(ingle_generate(b->session[c->i], b->sampler[c->i], &first, 1, &go, NULL, &err));
    return NULL;
}

static void *loop(void *arg)
{
    const caller *c = arg;
    const bench *b = c->b;
    ingle_error error;
    ingle_candidate next = {.token = token(b, c->i, 0)};
    const float *logits;
    for (int t = 0; t < b->n_tokens; t++) {
        must(ingle_session_eval(b->session[c->i], &next.token, 1, INGLE_ROWS_LAST, &error));
        must(ingle_session_logits(b->session[c->i], 0, &logits, &error));
        must(ingle_sampler_sample(b->sampler[c->i], logits, &next, &error));
        must(ingle_sampler_accept(b->sampler[c->i], next.token, &error));
    }
    return NULL;
}

static void run(bench *b, int n, void *(*fn)(void *))
{
    pthread_t thread[MOST];
    caller c[MOST];
    for (int i = 0; i < n; i++) {
        c[i] = (caller){b, i};
        pthread_create(&thread[i], NULL, fn, &c[i]);
    }
    for (int i = 0; i < n; i++) pthread_join(thread[i], NULL);
}

static void threads(bench *b, int n)
{
    run(b, n, generate);
}

static void loops(bench *b, int n)
{
    run(b, n, loop);
}

static void requests(bench *b, int n)
{
    ingle_request *r[MOST];
    ingle_generate_options go = options(b);
    ingle_event e = {.size = sizeof e};
    for (int i = 0; i < n; i++) {
        int32_t first = token(b, i, 0);
        must(ingle_request_start(&r[i], b->session[i], &first, 1, &go, &err));
    }
    for (int left = n; left;) {
        must(ingle_engine_step(b->engine, NULL, &err));
        for (int i = 0; i < n; i++)
            while (r[i] && !ingle_request_next(r[i], 0, &e, &err))
                if (e.kind == INGLE_EVENT_END) ingle_request_close(&r[i]), left--;
    }
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *x, int n)
{
    qsort(x, (size_t)n, sizeof *x, by_value);
    return n % 2 ? x[n / 2] : (x[n / 2 - 1] + x[n / 2]) / 2;
}

typedef void way(bench *b, int n);

static void compare(bench *b, int n, int rounds)
{
    enum { WAYS = 4 };
    static way *const ways[WAYS] = {lock_step, threads, requests, loops};
    static const char *const names[WAYS] = {"lock-step", "threads", "requests", "own loops"};
    static double rate[WAYS][ROUNDS], ratio[WAYS][ROUNDS];
    double per_step[WAYS] = {0};
    for (int r = 0; r < rounds; r++)
        for (int w = 0; w < WAYS; w++) {
            ingle_stats before = {.size = sizeof before}, after = {.size = sizeof after};
            start_over(b, n);
            must(ingle_engine_stats_get(b->engine, &before, &err));
            double t0 = now();
            ways[w](b, n);
            rate[w][r] = n * b->n_tokens / (now() - t0);
            must(ingle_engine_stats_get(b->engine, &after, &err));
            per_step[w] += (double)(after.n_tokens - before.n_tokens) /
                           (double)(after.n_steps - before.n_steps) / rounds;
            ratio[w][r] = rate[w][r] / rate[0][r];
        }
    for (int w = 0; w < WAYS; w++)
        printf("%2d %-10s %8.1f t/s  %.3f of lock-step (%.3f .. %.3f)  %5.2f tokens a step\n", n,
               names[w], median(rate[w], rounds), median(ratio[w], rounds), ratio[w][0],
               ratio[w][rounds - 1], per_step[w]);
}

int main(int argc, char **argv)
{
    bench b = {.n_tokens = argc > 3 ? atoi(argv[3]) : 48};
    int rounds = argc > 2 ? atoi(argv[2]) : 3;
    ingle_engine_options eo;
    ingle_model_info info = {.size = sizeof info};
    if (argc < 2 || rounds < 1 || rounds > ROUNDS || b.n_tokens < 1) return 2;
    ingle_engine_options_init(&eo);
    eo.n_ctx = PROMPT + b.n_tokens + 8;
    eo.n_sessions = MOST;
    eo.n_threads = argc > 4 ? atoi(argv[4]) : 0;
    must(ingle_model_open(&b.model, argv[1], NULL, &err));
    must(ingle_model_info_get(b.model, &info, &err));
    b.n_vocab = info.n_vocab;
    must(ingle_engine_open(&b.engine, b.model, &eo, &err));
    must(ingle_engine_warm_up(b.engine, &err));
    for (int i = 0; i < MOST; i++) {
        ingle_sampler_options so;
        ingle_sampler_options_init(&so);
        must(ingle_session_open(&b.session[i], b.engine, &err));
        must(ingle_sampler_open(&b.sampler[i], &so, info.n_vocab, b.model, &err));
    }
    static const int counts[] = {1, 2, 4, 16};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) compare(&b, counts[i], rounds);
    for (int i = 0; i < MOST; i++) {
        ingle_session_close(&b.session[i]);
        ingle_sampler_close(&b.sampler[i]);
    }
    ingle_engine_close(&b.engine);
    ingle_model_close(&b.model);
    return 0;
}
