/* requests.c - what requests cost beside each other and beside plain calls. One line for each test:
 *
 *   build/bench/requests MODEL gap N     a prompt of N tokens is read while another request generates: the
 *                                        longest gap between two of its tokens, the prompt's speed
 *   build/bench/requests MODEL share N   prompts of N common tokens and 32 of their own, one after the other,
 *                                        then 16 at once: time to the first token, tokens computed
 *   build/bench/requests MODEL fork N    a fork of a session of N tokens
 *   build/bench/requests MODEL score N   scores of N tokens beside their prompt alone, and memory for them
 *   build/bench/requests MODEL loop N    N tokens by a request, by ingle_generate(), and by eval, sample, accept,
 *                                        nine rounds by turns */
#define _GNU_SOURCE /* clock_gettime() */
#include <ingle.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { AT_ONCE = 16, OWN = 32, FEW = 24, ROUNDS = 9 };

static ingle_error err;
static ingle_model *model;
static ingle_engine *engine;
static int n_vocab;

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

/* Tokens that mean nothing, others for another seed. */
static void fill(int32_t *tokens, size_t n, unsigned seed)
{
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        tokens[i] = (int32_t)((seed >> 8) % (unsigned)(n_vocab < 100000 ? n_vocab : 100000));
    }
}

static int32_t *some(size_t n, unsigned seed)
{
    int32_t *tokens = malloc((n + 1) * sizeof *tokens);
    if (!tokens) exit(1);
    fill(tokens, n, seed);
    return tokens;
}

static void open_engine(int32_t n_ctx, int32_t n_sessions)
{
    ingle_engine_options eo;
    ingle_engine_options_init(&eo);
    eo.n_ctx = n_ctx;
    eo.n_sessions = n_sessions;
    must(ingle_engine_open(&engine, model, &eo, &err));
    must(ingle_engine_warm_up(engine, &err));
}

static ingle_session *session(void)
{
    ingle_session *s;
    must(ingle_session_open(&s, engine, &err));
    return s;
}

static ingle_request *start(ingle_session *s, const int32_t *tokens, size_t n, int32_t most)
{
    ingle_generate_options go;
    ingle_request *r;
    ingle_generate_options_init(&go);
    const size_t mark = n > OWN ? n - OWN : n;
    go.max_tokens = most;
    go.ignore_eog = true;
    go.marks = &mark;
    go.n_marks = 1;
    must(ingle_request_start(&r, s, tokens, n, &go, &err));
    return r;
}

/* Until the next event of this kind; what else comes is passed over. */
static ingle_event wait_for(ingle_request *r, ingle_event_kind kind)
{
    ingle_event e = {.size = sizeof e};
    do must(ingle_request_next(r, -1, &e, &err));
    while (e.kind != kind);
    return e;
}

static uint64_t n_computed(void)
{
    ingle_stats stats = {.size = sizeof stats};
    must(ingle_engine_stats_get(engine, &stats, &err));
    return stats.n_tokens;
}

/* ---- tests ---- */

static void gap(size_t n)
{
    int32_t *tokens = some(2 * n, 1);
    open_engine((int32_t)n + 4096, 2);
    ingle_session *a = session(), *b = session();
    double t0 = now();
    must(ingle_session_eval(b, tokens, n, INGLE_ROWS_LAST, &err));
    double alone = now() - t0, worst = 0, last, beside = 0;
    must(ingle_session_truncate(b, 0, &err));
    ingle_request *r = start(a, tokens + n, 1, 4000);
    for (int i = 0; i < FEW; i++) wait_for(r, INGLE_EVENT_TOKEN);
    ingle_request *q = start(b, tokens + n, n, 1);
    for (last = t0 = now(); !beside;) {
        ingle_event e = {.size = sizeof e};
        wait_for(r, INGLE_EVENT_TOKEN);
        double t = now();
        if (t - last > worst) worst = t - last;
        last = t;
        while (!ingle_request_next(q, 0, &e, &err))
            if (e.kind == INGLE_EVENT_TOKEN) beside = t - t0;
    }
    printf("gap: prompt of %zu tokens %.2f s alone, %.2f s beside a decoder (%.0f %% of its "
           "speed); longest gap %.0f ms\n",
           n, alone, beside, 100 * alone / beside, 1e3 * worst);
    ingle_request_close(&r);
    ingle_request_close(&q);
    ingle_session_close(&a);
    ingle_session_close(&b);
    free(tokens);
}

static void share(size_t n)
{
    int32_t *tokens = some(n + OWN, 2);
    ingle_request *r[AT_ONCE];
    ingle_session *s[AT_ONCE];
    double first[2];
    open_engine((int32_t)n + OWN + FEW + 8, AT_ONCE + 1);
    for (int i = 0; i < 2; i++) {
        ingle_session *one = session();
        fill(tokens + n, OWN, 10u + (unsigned)i);
        double t0 = now();
        ingle_request *q = start(one, tokens, n + OWN, 2);
        wait_for(q, INGLE_EVENT_TOKEN);
        first[i] = now() - t0;
        ingle_request_close(&q);
        ingle_session_close(&one);
    }
    printf("share: %zu common tokens: first token after %.1f ms, then %.1f ms (%.1f %%)\n", n,
           1e3 * first[0], 1e3 * first[1], 100 * first[1] / first[0]);
    uint64_t before = n_computed();
    fill(tokens, n, 3);
    double t0 = now();
    for (int i = 0; i < AT_ONCE; i++) {
        s[i] = session();
        fill(tokens + n, OWN, 100u + (unsigned)i);
        r[i] = start(s[i], tokens, n + OWN, FEW);
    }
    for (int i = 0; i < AT_ONCE; i++) {
        wait_for(r[i], INGLE_EVENT_END);
        ingle_request_close(&r[i]);
        ingle_session_close(&s[i]);
    }
    uint64_t all = n_computed() - before, answers = AT_ONCE * (FEW - 1);
    printf("share: %d at once with %zu common tokens: %.2f s, %llu tokens of prompts computed; "
           "once and own parts are %zu\n",
           AT_ONCE, n, now() - t0, (unsigned long long)(all - answers), n + AT_ONCE * OWN);
    free(tokens);
}

static void fork_session(size_t n)
{
    int32_t *tokens = some(n, 4);
    double best = 1e9;
    open_engine((int32_t)n + 8, 1);
    ingle_session *s = session(), *fork;
    must(ingle_session_eval(s, tokens, n, INGLE_ROWS_NONE, &err));
    for (int i = 0; i < 100; i++) {
        double t0 = now();
        must(ingle_session_fork(&fork, s, n, &err));
        double t = now() - t0;
        if (t < best) best = t;
        ingle_session_close(&fork);
    }
    printf("fork: %zu tokens in %.1f us\n", n, 1e6 * best);
    ingle_session_close(&s);
    free(tokens);
}

static long peak(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return u.ru_maxrss;
}

static void score(size_t n)
{
    int32_t *tokens = some(n, 5);
    ingle_score *scores = malloc(n * sizeof *scores);
    if (!scores) exit(1);
    open_engine((int32_t)n + 8, 1);
    ingle_session *s = session();
    double t0 = now();
    must(ingle_session_eval(s, tokens, n, INGLE_ROWS_LAST, &err));
    double prompt = now() - t0;
    must(ingle_session_truncate(s, 0, &err));
    memset(scores, 0, n * sizeof *scores);
    fill(tokens, n, 6);
    long before = peak();
    t0 = now();
    must(ingle_session_score(s, tokens, n, 0, scores, NULL, &err));
    double scoring = now() - t0;
    printf(
        "score: %zu tokens: prompt %.2f s, scored %.2f s (%.2f times), %.1f MiB more at the peak\n",
        n, prompt, scoring, scoring / prompt, (double)(peak() - before) / 1024);
    ingle_session_close(&s);
    free(scores);
    free(tokens);
}

/* ---- one generation, three ways ---- */

static void by_request(ingle_session *s, size_t n)
{
    int32_t first = 1;
    ingle_request *r = start(s, &first, 1, (int32_t)n);
    wait_for(r, INGLE_EVENT_END);
    ingle_request_close(&r);
}

static void by_generate(ingle_session *s, size_t n)
{
    int32_t first = 1;
    ingle_sampler *sampler;
    ingle_generate_options go;
    ingle_generate_options_init(&go);
    go.max_tokens = (int32_t)n;
    go.ignore_eog = true;
    must(ingle_sampler_open(&sampler, NULL, n_vocab, model, &err));
    must(ingle_generate(s, sampler, &first, 1, &go, NULL, &err));
    ingle_sampler_close(&sampler);
}

static void by_loop(ingle_session *s, size_t n)
{
    ingle_candidate next = {.token = 1};
    ingle_sampler *sampler;
    const float *logits;
    must(ingle_sampler_open(&sampler, NULL, n_vocab, model, &err));
    for (size_t i = 0; i < n; i++) {
        must(ingle_session_eval(s, &next.token, 1, INGLE_ROWS_LAST, &err));
        must(ingle_session_logits(s, 0, &logits, &err));
        must(ingle_sampler_sample(sampler, logits, &next, &err));
        must(ingle_sampler_accept(sampler, next.token, &err));
    }
    ingle_sampler_close(&sampler);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void loop(size_t n)
{
    static void (*const ways[])(ingle_session *, size_t) = {by_loop, by_request, by_generate};
    static const char *const names[] = {"eval, sample, accept", "a request", "ingle_generate()"};
    double rate[3][ROUNDS], ratio[3][ROUNDS];
    open_engine((int32_t)n + 8, 1);
    ingle_session *s = session();
    for (int r = 0; r < ROUNDS; r++)
        for (int w = 0; w < 3; w++) {
            must(ingle_session_truncate(s, 0, &err));
            double t0 = now();
            ways[w](s, n);
            rate[w][r] = (double)n / (now() - t0);
            ratio[w][r] = rate[w][r] / rate[0][r];
        }
    for (int w = 0; w < 3; w++) {
        qsort(rate[w], ROUNDS, sizeof **rate, by_value);
        qsort(ratio[w], ROUNDS, sizeof **ratio, by_value);
        printf("loop: %-20s %8.1f t/s, %.3f of the loop (%.3f to %.3f)\n", names[w],
               rate[w][ROUNDS / 2], ratio[w][ROUNDS / 2], ratio[w][0], ratio[w][ROUNDS - 1]);
    }
    ingle_session_close(&s);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(size_t n);
    } tests[] = {
        {"gap", gap}, {"share", share}, {"fork", fork_session}, {"score", score}, {"loop", loop}};
    ingle_model_info info = {.size = sizeof info};
    if (argc != 4 || atoi(argv[3]) < 1) {
        fprintf(stderr, "usage: requests MODEL gap|share|fork|score|loop N\n");
        return 2;
    }
    must(ingle_model_open(&model, argv[1], NULL, &err));
    must(ingle_model_info_get(model, &info, &err));
    n_vocab = info.n_vocab;
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
        if (!strcmp(argv[2], tests[i].name)) tests[i].run((size_t)atoi(argv[3]));
    ingle_engine_close(&engine);
    ingle_model_close(&model);
    return 0;
}
