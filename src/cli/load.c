/* load.c - `ingle bench --requests`: many made-up requests at a time, as a server would have them.
 * One thread starts them, steps the engine and notes when tokens come.
 * Depends on load.h, platform.h, out.h. */
#include "load.h"
#include "out.h"
#include "platform.h"

#include "base/clock.h"
#include "base/entropy.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_TOKENS = 1 << 24, SEED_ROW = 5 };

#define AT(field) offsetof(load_options, field)

const arg_option load_rows[LOAD_N_ROWS] = {
    {"--requests", "N[,N...]", ARG_STRING, AT(requests), 0, 0, NULL,
     "a load test instead: N requests in flight, a new one whenever one ends; a run for every N"},
    {"--rate", "R", ARG_FLOAT, AT(rate), 0.001, 1e6, NULL,
     "requests come at random, R a second on average, and wait while N are in flight"},
    {"--shared", "P", ARG_INT, AT(shared), 0, ARG_MAX, NULL,
     "the first P prompt tokens are the same in all requests (default 0)"},
    {"--seconds", "S", ARG_FLOAT, AT(seconds), 0.01, 1e6, NULL,
     "length of a run; what is in flight at its end is cut off (default 10, with --count no "
     "limit)"},
    {"--count", "C", ARG_INT, AT(count), 1, ARG_MAX, NULL, "a run ends after C requests"},
    {"--seed", "N", ARG_SEED, AT(seed), 0, 0, NULL,
     "seed of lengths, tokens and arrivals; -1 is a fresh one (default 1)"},
    {"--svg", "FILE", ARG_STRING, AT(svg), 0, 0, NULL,
     "writes a picture: generated tokens per second and the time to the first token (90 % are "
     "faster) over N"},
};

/* ---- options --------------------------------------------------------------------------------- */

static bool parse_count(const char **text, int32_t *out)
{
    char *end;
    if (**text < '0' || **text > '9') return false;
    long value = strtol(*text, &end, 10);
    if (value > MOST_TOKENS) return false;
    *text = end;
    *out = (int32_t)value;
    return true;
}

ingle_status load_parse_range(const char *text, load_range *out, ingle_error *err)
{
    const char *p = text;
    bool ok = parse_count(&p, &out->least);
    out->most = out->least;
    if (ok && *p == ':') p++, ok = parse_count(&p, &out->most);
    if (ok && !*p && out->least <= out->most) return INGLE_OK;
    snprintf(err->text, sizeof err->text,
             "'%.60s' is neither a whole number of 0 to %d nor a range A:B of them", text,
             MOST_TOKENS);
    return INGLE_EINVAL;
}

/* Writes up to LOAD_MOST_RUNS numbers. */
static ingle_status parse_requests(const char *text, int32_t *out, size_t *n, ingle_error *err)
{
    const char *p = text;
    bool ok;
    *n = 0;
    do {
        ok = *n < LOAD_MOST_RUNS && parse_count(&p, &out[*n]) && out[*n] >= 1 &&
             out[*n] <= LOAD_MOST_REQUESTS;
        ++*n;
    } while (ok && *p == ',' && *++p);
    if (ok && !*p && p[-1] != ',') return INGLE_OK;
    snprintf(err->text, sizeof err->text,
             "'%.60s' is no list of up to %d whole numbers of 1 to %d, as in 1,4,16", text,
             LOAD_MOST_RUNS, LOAD_MOST_REQUESTS);
    return INGLE_EINVAL;
}

ingle_status load_check(const void *options, const arg_option *row, ingle_error *err)
{
    const load_options *opt = options;
    int32_t list[LOAD_MOST_RUNS];
    size_t n;
    if (row->offset != AT(requests)) return INGLE_OK;
    return parse_requests(opt->requests, list, &n, err);
}

/* ---- times ----------------------------------------------------------------------------------- */

static bool add_time(load_times *t, double seconds)
{
    if (t->n == t->cap) {
        size_t cap = t->cap ? 2 * t->cap : 1024;
        double *larger = realloc(t->v, cap * sizeof *larger);
        if (!larger) return false;
        t->v = larger;
        t->cap = cap;
    }
    t->v[t->n++] = seconds;
    return true;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void sort(load_times *t)
{
    if (t->n) qsort(t->v, t->n, sizeof *t->v, by_value);
}

double load_quantile(const load_times *t, double q)
{
    size_t i = (size_t)ceil(q * (double)t->n);
    return t->n ? t->v[i ? i - 1 : 0] : 0;
}

/* ---- requests -------------------------------------------------------------------------------- */

/* Every request has generators of its own: that of its lengths is the same in every run, that of
 * its tokens is not, as an engine may know prompts that it has seen before. */
static uint64_t next_random(uint64_t *state)
{
    uint64_t x = *state += 0x9e3779b97f4a7c15u; /* splitmix64 */
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static int32_t draw(uint64_t *state, load_range range)
{
    uint64_t span = (uint64_t)(range.most - range.least) + 1;
    return range.least + (int32_t)(next_random(state) % span);
}

typedef struct load_slot {
    ingle_session *session;
    ingle_request *request; /* NULL: free */
    double arrival, start, last;
    size_t n_prompt, n_read, n_tokens; /* prompt tokens, those computed, tokens generated */
} load_slot;

/* One run while it is measured. */
typedef struct load_state {
    load_bench *b;
    load_run *run;
    load_slot *slots; /* [run->n_requests] */
    int32_t *tokens;  /* [prompt.most] of the request that starts next; the shared ones stay */
    uint64_t seed, words, arrivals; /* of lengths, of tokens, of arrivals */
    size_t n_started, n_running;
    double begin, arrival; /* arrival: of the request that starts next */
    ingle_error err;
} load_state;

static void draw_tokens(load_state *s, uint64_t random, size_t from, size_t n)
{
    for (size_t i = from; i < n; i++)
        s->tokens[i] = (int32_t)(next_random(&random) % (uint64_t)s->b->h.info.n_vocab);
}

/* When the request after this one comes. */
static void draw_arrival(load_state *s)
{
    double u = (double)(next_random(&s->arrivals) >> 11) * 0x1p-53;
    s->arrival += -log1p(-u) / (double)s->b->opt->rate;
}

static ingle_status start(load_state *s, load_slot *slot, double now)
{
    uint64_t apart = 0x5851f42d4c957f2du * (s->n_started + 1), random = s->seed + apart;
    ingle_generate_options gen;
    ingle_sampler_options sampling;
    size_t n = (size_t)draw(&random, s->b->prompt);
    ingle_generate_options_init(&gen);
    ingle_sampler_options_init(&sampling);
    gen.max_tokens = draw(&random, s->b->gen);
    gen.ignore_eog = true;
    gen.sampling = &sampling;
    sampling.seed = next_random(&random);
    draw_tokens(s, s->words + apart, (size_t)s->b->opt->shared, n);
    ingle_status status = INGLE_OK;
    if (!slot->session) status = ingle_session_open(&slot->session, s->b->h.engine, &s->err);
    else status = ingle_session_truncate(slot->session, 0, &s->err);
    if (status == INGLE_OK)
        status = ingle_request_start(&slot->request, slot->session, s->tokens, n, &gen, &s->err);
    if (status != INGLE_OK) return status;
    slot->arrival = s->b->opt->rate > 0 ? s->arrival : now;
    slot->start = now;
    slot->n_prompt = n;
    slot->n_read = slot->n_tokens = 0;
    s->n_started++;
    s->n_running++;
    if (s->b->opt->rate > 0) draw_arrival(s);
    return INGLE_OK;
}

static bool all_started(const load_state *s)
{
    return s->b->opt->count > 0 && s->n_started >= (size_t)s->b->opt->count;
}

static ingle_status start_all(load_state *s)
{
    ingle_status status = INGLE_OK;
    for (int32_t i = 0; i < s->run->n_requests && status == INGLE_OK; i++) {
        double now = ingle_now();
        if (s->slots[i].request) continue;
        if (all_started(s) || (s->b->opt->rate > 0 && s->arrival > now)) break;
        status = start(s, &s->slots[i], now);
    }
    return status;
}

static bool take_event(load_state *s, load_slot *slot, const ingle_event *e, double now)
{
    load_run *run = s->run;
    bool ok = true;
    size_t n_read = e->kind == INGLE_EVENT_PROMPT ? e->n_done : slot->n_prompt;
    if (e->kind != INGLE_EVENT_END && n_read > slot->n_read) {
        run->n_prompt += n_read - slot->n_read;
        slot->n_read = n_read;
    }
    if (e->kind == INGLE_EVENT_TOKEN) {
        run->n_generated++;
        ok = slot->n_tokens++ ? add_time(&run->gap, now - slot->last)
                              : add_time(&run->first, now - slot->arrival);
        slot->last = now;
    } else if (e->kind == INGLE_EVENT_END) {
        run->n_done++;
        ok = add_time(&run->queue, slot->start - slot->arrival + e->usage.queue_s);
        ingle_request_close(&slot->request);
        s->n_running--;
    }
    return ok;
}

static ingle_status read_events(load_state *s, load_slot *slot, double wait_s, size_t *n_events)
{
    while (slot->request) {
        ingle_event e = {.size = sizeof e};
        ingle_status status = ingle_request_next(slot->request, wait_s, &e, &s->err);
        if (status == INGLE_ETIMEOUT) break;
        if (status != INGLE_OK) return status;
        ++*n_events;
        wait_s = 0;
        if (take_event(s, slot, &e, ingle_now())) continue;
        snprintf(s->err.text, sizeof s->err.text, "no memory for the times");
        return INGLE_ENOMEM;
    }
    return INGLE_OK;
}

static ingle_status step(load_state *s)
{
    size_t n_run = 0, n_events = 0;
    ingle_status status = ingle_engine_step(s->b->h.engine, &n_run, &s->err);
    for (int pass = 0; pass < 2; pass++) { /* the second waits, if nothing was computed at all */
        for (int32_t i = 0; i < s->run->n_requests && status == INGLE_OK; i++)
            status = read_events(s, &s->slots[i], pass && !n_events ? 0.01 : 0, &n_events);
        if (n_run || n_events) break;
    }
    return status;
}

/* ---- a run ----------------------------------------------------------------------------------- */

static bool is_over(const load_state *s, double now)
{
    double seconds = (double)s->b->opt->seconds;
    if (seconds > 0 && now - s->begin >= seconds) return true;
    return all_started(s) && !s->n_running;
}

static ingle_status run_until_over(load_state *s, out_progress *progress, const char *name)
{
    ingle_status status = INGLE_OK;
    while (status == INGLE_OK && !is_over(s, ingle_now())) {
        if (platform_interrupted()) return INGLE_ECANCELLED;
        status = start_all(s);
        if (status == INGLE_OK && s->n_running) status = step(s);
        else if (status == INGLE_OK) platform_sleep(fmin(s->arrival - ingle_now(), 0.05));
        out_progress_count(progress, name, s->run->n_done);
    }
    return status;
}

static void finish_run(load_state *s)
{
    load_run *run = s->run;
    ingle_stats stats = {.size = sizeof stats};
    run->seconds = ingle_now() - s->begin;
    if (ingle_engine_stats_get(s->b->h.engine, &stats, NULL) == INGLE_OK && stats.n_steps)
        run->tokens_per_step = (double)stats.n_tokens / (double)stats.n_steps;
    for (; s->b->opt->rate > 0 && !all_started(s) && s->arrival < s->begin + run->seconds;
         s->n_started++) {
        run->n_waiting++;
        draw_arrival(s);
    }
    sort(&run->first);
    sort(&run->gap);
    sort(&run->queue);
}

static ingle_status run_one(load_bench *b, load_run *run, out_progress *progress)
{
    char name[64];
    load_state s = {.b = b, .run = run, .seed = b->seed, .arrivals = ~b->seed};
    s.words = b->seed + 0xd1342543de82ef95u * (uint64_t)(run - b->runs + 1);
    ingle_status status = INGLE_ENOMEM;
    snprintf(name, sizeof name, "%d in flight, requests", run->n_requests);
    s.slots = calloc((size_t)run->n_requests, sizeof *s.slots);
    s.tokens = calloc((size_t)b->prompt.most, sizeof *s.tokens);
    if (s.slots && s.tokens) {
        draw_tokens(&s, s.words, 0, (size_t)b->opt->shared);
        status = ingle_engine_stats_reset(b->h.engine, &s.err);
        s.begin = s.arrival = ingle_now();
        if (b->opt->rate > 0) draw_arrival(&s);
        if (status == INGLE_OK) status = run_until_over(&s, progress, name);
        finish_run(&s);
    }
    for (int32_t i = 0; s.slots && i < run->n_requests; i++) {
        ingle_request_close(&s.slots[i].request);
        ingle_session_close(&s.slots[i].session);
    }
    free(s.slots);
    free(s.tokens);
    out_progress_clear(progress);
    if (status != INGLE_OK) open_failed("bench", status, &s.err);
    return status;
}

int load_measure(load_bench *b, const open_options *open)
{
    int32_t list[LOAD_MOST_RUNS], most = 0;
    ingle_error err = {{0}};
    out_progress progress;
    parse_requests(b->opt->requests, list, &b->n_runs, &err); /* checked before */
    b->seed = b->opt->seed.given              ? b->opt->seed.value
              : b->opt->given >> SEED_ROW & 1 ? ingle_entropy()
                                              : 1;
    for (size_t i = 0; i < b->n_runs; i++) {
        b->runs[i].n_requests = list[i];
        if (list[i] > most) most = list[i];
    }
    open_options o = *open;
    o.n_sessions = most;
    int code = open_generator(&b->h, &o);
    if (code == EXIT_DONE) code = open_engine(&b->h, &o, b->prompt.most + b->gen.most);
    if (code != EXIT_DONE) return code;
    if (b->prompt.most + b->gen.most > b->h.engine_info.n_ctx) {
        out_error("bench: prompts of %d tokens (-p) and answers of %d (-n) do not fit a context of "
                  "%d (-c)",
                  b->prompt.most, b->gen.most, b->h.engine_info.n_ctx);
        return EXIT_WORK;
    }
    ingle_status status = ingle_engine_warm_up(b->h.engine, &err);
    if (status != INGLE_OK) return open_failed("bench", status, &err);
    out_progress_start(&progress);
    for (size_t i = 0; i < b->n_runs && status == INGLE_OK; i++)
        status = run_one(b, &b->runs[i], &progress);
    if (status == INGLE_ECANCELLED) return EXIT_INTERRUPTED;
    return status == INGLE_OK ? EXIT_DONE : EXIT_WORK;
}

void load_free(load_bench *b)
{
    for (size_t i = 0; i < b->n_runs; i++) {
        free(b->runs[i].first.v);
        free(b->runs[i].gap.v);
        free(b->runs[i].queue.v);
    }
    open_close(&b->h);
}
