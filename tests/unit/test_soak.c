/* test_soak.c - eight threads do this and that in one engine, for INGLE_SOAK seconds (2): whatever
 * their neighbours do, texts, scores and vectors are those of a sequential run. Beside them a
 * second engine comes and goes, with a thread of its own, behind the same turnstile. `make soak`
 * takes 10 minutes. */
#define _GNU_SOURCE
#include "requests.h"

#include <sched.h>
#include <stdatomic.h>
#include <time.h>

enum { N_THREADS = 8, N_JOBS = 12, N_SCORED = 40, N_TEXT = 24, MOST_WORDS = 100 };

/* Threads must not jump out of a test. */
#define CHECK(good)                                                                                \
    do {                                                                                           \
        if (!(good)) {                                                                             \
            fprintf(stderr, "test_soak.c:%d: %s\n", __LINE__, #good);                              \
            abort();                                                                               \
        }                                                                                          \
    } while (0)
#define CHECK_OK(call) CHECK(!(call))

/* ---- what a sequential run gives ---- */

typedef struct job {
    prompt p;
    ingle_sampler_options so;
    ingle_generate_options go;
    ingle_stop stop;
    trail want;
} job;

static struct {
    house h;
    ingle_turns *turns;
    job jobs[N_JOBS];
    ingle_score scores[N_SCORED];
    prompt scored, text;
    float *vector;
    size_t n_vector;
    atomic_bool off;
    atomic_size_t n_done;
} world;

static void make_job(job *j, uint32_t i)
{
    j->p = noise(3 + i * 7 % 60, i);
    j->so = sampling_of(i * 5 % N_SAMPLINGS, i);
    j->go = options_of((int32_t)(5 + i * 11 % MOST_WORDS));
    j->go.sampling = &j->so;
    j->go.ignore_eog = true;
    j->go.logprobs = i % 3 ? -1 : 2;
    j->go.prompt_logprobs = i % 4 ? -1 : 1;
    j->go.priority = (ingle_class)(i % 3);
    j->stop = (ingle_stop){"ing", 3};
    if (i % 2) j->go.stops = &j->stop, j->go.n_stops = 1;
}

static int run_alone(void **state)
{
    (void)state;
    house h = house_of(256, 1);
    ingle_error err;
    const float *v;
    for (uint32_t i = 0; i < N_JOBS; i++) {
        job *j = &world.jobs[i];
        make_job(j, i);
        run_request(h.session, &j->p, &j->go, &j->want);
    }
    world.scored = noise(N_SCORED, 77);
    world.text = noise(N_TEXT, 78);
    must(ingle_session_truncate(h.session, 0, &err), &err);
    must(ingle_session_score(h.session, world.scored.tokens, N_SCORED, 0, world.scores, NULL, &err),
         &err);
    must(ingle_session_truncate(h.session, 0, &err), &err);
    must(ingle_session_embed(h.session, world.text.tokens, N_TEXT, NULL, &err), &err);
    must(ingle_session_embedding(h.session, 0, &v, &world.n_vector, &err), &err);
    world.vector = malloc(world.n_vector * sizeof *v);
    assert_non_null(world.vector);
    memcpy(world.vector, v, world.n_vector * sizeof *v);
    house_close(&h);
    return 0;
}

static int forget(void **state)
{
    (void)state;
    free(world.vector);
    return 0;
}

/* ---- what threads do ---- */

typedef struct worker {
    uint32_t seed;
    ingle_session *s;
} worker;

static uint32_t dice(worker *w, uint32_t n)
{
    w->seed = w->seed * 1664525u + 1013904223u;
    return (w->seed >> 8) % n;
}

static const job *any_job(worker *w)
{
    return &world.jobs[dice(w, N_JOBS)];
}

/* What was seen of a job's events so far. */
typedef struct progress {
    const job *j;
    size_t len, n_tokens, stop_after;
    ingle_finish finish;
    bool ended;
} progress;

static bool see(void *user, const ingle_event *e)
{
    progress *g = user;
    CHECK(!g->ended && g->len + e->text_len <= g->j->want.len);
    CHECK(!e->text_len || !memcmp(g->j->want.text + g->len, e->text, e->text_len));
    g->len += e->text_len;
    if (e->kind == INGLE_EVENT_TOKEN) CHECK(e->token == g->j->want.tokens[g->n_tokens++]);
    g->ended = e->kind == INGLE_EVENT_END;
    if (g->ended) g->finish = e->finish;
    return g->n_tokens != g->stop_after;
}

static void came_to_its_end(const progress *g)
{
    CHECK(g->ended && g->finish == g->j->want.finish);
    CHECK(g->len == g->j->want.len && g->n_tokens == g->j->want.n_tokens);
}

static void generate(worker *w)
{
    progress g = {.j = any_job(w), .stop_after = SIZE_MAX};
    ingle_sampler *sampler;
    ingle_generate_options go = g.j->go;
    go.on_event = see, go.user = &g;
    CHECK_OK(ingle_sampler_open(&sampler, &g.j->so, N_VOCAB, world.h.model, NULL));
    CHECK_OK(ingle_generate(w->s, sampler, g.j->p.tokens, g.j->p.n, &go, NULL, NULL));
    came_to_its_end(&g);
    ingle_sampler_close(&sampler);
}

static ingle_request *start_job(const worker *w, const job *j)
{
    ingle_request *r;
    CHECK_OK(ingle_request_start(&r, w->s, j->p.tokens, j->p.n, &j->go, NULL));
    return r;
}

/* Reads up to n events with timeouts of all kinds; false: the request is over. */
static bool read_some(worker *w, ingle_request *r, progress *g, size_t n)
{
    static const double timeouts[] = {0, 1e-5, 0.001, -1};
    ingle_event event = {.size = sizeof event};
    while (n > 0 && !g->ended) {
        ingle_status st = ingle_request_next(r, timeouts[dice(w, 4)], &event, NULL);
        CHECK(!st || st == INGLE_ETIMEOUT);
        if (st) continue;
        see(g, &event);
        n--;
        if (dice(w, 8) == 0) sched_yield();
    }
    return !g->ended;
}

static void read_slowly(worker *w)
{
    progress g = {.j = any_job(w)};
    ingle_request *r = start_job(w, g.j);
    while (read_some(w, r, &g, SIZE_MAX)) {}
    came_to_its_end(&g);
    ingle_request_close(&r);
}

static void cancel(worker *w)
{
    progress g = {.j = any_job(w)};
    ingle_request *r = start_job(w, g.j);
    read_some(w, r, &g, dice(w, 30));
    CHECK_OK(ingle_request_cancel(r, NULL));
    while (read_some(w, r, &g, SIZE_MAX)) {}
    CHECK(g.ended && (g.finish == INGLE_FINISH_CANCELLED || g.finish == g.j->want.finish));
    ingle_request_close(&r);
}

static void close_early(worker *w)
{
    progress g = {.j = any_job(w)};
    ingle_request *r = start_job(w, g.j);
    read_some(w, r, &g, dice(w, 30));
    ingle_request_close(&r);
}

/* Half the answer is taken back and computed again. */
static void go_back(worker *w, const job *j, size_t n)
{
    size_t half = n / 2;
    CHECK_OK(ingle_session_truncate(w->s, j->p.n + half, NULL));
    if (n == half) return;
    CHECK_OK(ingle_session_eval(w->s, j->want.tokens + half, n - half, INGLE_ROWS_NONE, NULL));
}

/* A caller's own loop; now and then it goes back. */
static void loop(worker *w)
{
    const job *j = any_job(w);
    const float *row;
    ingle_sampler *sampler;
    ingle_candidate c;
    CHECK_OK(ingle_sampler_open(&sampler, &j->so, N_VOCAB, world.h.model, NULL));
    for (size_t i = 0; i < j->p.n; i++)
        CHECK_OK(ingle_sampler_accept(sampler, j->p.tokens[i], NULL));
    CHECK_OK(ingle_session_eval(w->s, j->p.tokens, j->p.n, INGLE_ROWS_LAST, NULL));
    for (size_t i = 0; i < j->want.n_tokens; i++) {
        CHECK_OK(ingle_session_logits(w->s, 0, &row, NULL));
        CHECK_OK(ingle_sampler_sample(sampler, row, &c, NULL));
        if (c.token != j->want.tokens[i]) break; /* an end token that requests were to ignore */
        CHECK_OK(ingle_sampler_accept(sampler, c.token, NULL));
        if (dice(w, 10) == 0) go_back(w, j, i);
        CHECK_OK(ingle_session_eval(w->s, &c.token, 1, INGLE_ROWS_LAST, NULL));
    }
    ingle_sampler_close(&sampler);
}

static void score(worker *w)
{
    ingle_score scores[N_SCORED];
    memset(scores, 0, sizeof scores);
    CHECK_OK(ingle_session_score(w->s, world.scored.tokens, N_SCORED, 0, scores, NULL, NULL));
    CHECK(!memcmp(scores + 1, world.scores + 1, sizeof scores - sizeof scores[0]));
}

static void embed(worker *w)
{
    const float *v;
    size_t n;
    CHECK_OK(ingle_session_embed(w->s, world.text.tokens, N_TEXT, NULL, NULL));
    CHECK_OK(ingle_session_embedding(w->s, 0, &v, &n, NULL));
    CHECK(n == world.n_vector && !memcmp(v, world.vector, n * sizeof *v));
}

static void *close_session(void *arg)
{
    ingle_session *s = arg;
    sched_yield();
    ingle_session_close(&s);
    return NULL;
}

/* Its session is closed by another thread while it is read. */
static void lose_session(worker *w)
{
    progress g = {.j = any_job(w)};
    pthread_t thread;
    ingle_request *r = start_job(w, g.j);
    CHECK_OK(pthread_create(&thread, NULL, close_session, w->s));
    w->s = NULL;
    while (read_some(w, r, &g, SIZE_MAX)) {}
    CHECK(g.finish == INGLE_FINISH_CANCELLED || g.finish == g.j->want.finish);
    CHECK_OK(pthread_join(thread, NULL));
    ingle_request_close(&r);
}

static void ask(worker *w)
{
    (void)w;
    ingle_stats stats = {.size = sizeof stats};
    size_t n;
    CHECK_OK(ingle_engine_stats_get(world.h.engine, &stats, NULL));
    CHECK(stats.n_pages_free <= stats.n_pages);
    CHECK_OK(ingle_engine_step(world.h.engine, &n, NULL));
}

static void run_out_of_time(worker *w)
{
    progress g = {.j = any_job(w)};
    job late = *g.j;
    late.go.deadline_s = 0.001 * (1 + dice(w, 20));
    late.go.stops = late.go.n_stops ? &late.stop : NULL;
    late.go.sampling = &late.so;
    ingle_request *r = start_job(w, &late);
    while (read_some(w, r, &g, SIZE_MAX)) {}
    CHECK(g.finish == INGLE_FINISH_TIMEOUT || g.finish == g.j->want.finish);
    ingle_request_close(&r);
}

static void *work(void *arg)
{
    static void (*const things[])(worker *) = {generate, read_slowly,    cancel, close_early,
                                               loop,     score,          embed,  lose_session,
                                               ask,      run_out_of_time};
    worker *w = arg;
    while (!atomic_load(&world.off)) {
        if (!w->s) CHECK_OK(ingle_session_open(&w->s, world.h.engine, NULL));
        CHECK_OK(ingle_session_truncate(w->s, 0, NULL));
        things[dice(w, sizeof things / sizeof *things)](w);
        atomic_fetch_add(&world.n_done, 1);
        if (dice(w, 12) == 0) ingle_session_close(&w->s);
    }
    ingle_session_close(&w->s);
    return NULL;
}

/* ---- a second engine ---- */

static void *serve(void *arg)
{
    CHECK_OK(ingle_engine_serve(arg, NULL));
    return NULL;
}

/* A thread that serves the engine, and does so from now on. */
static pthread_t start_server(ingle_engine *e)
{
    pthread_t thread;
    CHECK_OK(pthread_create(&thread, NULL, serve, e));
    for (bool there = false; !there; sched_yield()) {
        ingle_engine_lock(e);
        there = e->wheel.server;
        ingle_engine_unlock(e);
    }
    return thread;
}

static void *come_and_go(void *arg)
{
    worker w = {.seed = 99};
    (void)arg;
    while (!atomic_load(&world.off)) {
        ingle_engine_options eo = small_engine(256, 1);
        ingle_engine *e;
        eo.turns = world.turns;
        CHECK_OK(ingle_engine_open(&e, world.h.model, &eo, NULL));
        CHECK_OK(ingle_session_open(&w.s, e, NULL));
        pthread_t server = start_server(e);
        if (dice(&w, 2)) generate(&w);
        else read_slowly(&w);
        CHECK_OK(ingle_session_truncate(w.s, 0, NULL));
        ingle_request *r = start_job(&w, any_job(&w)); /* under way when all is closed */
        ingle_engine_close(&e);
        ingle_session_close(&w.s);
        ingle_request_close(&r);
        CHECK_OK(pthread_join(server, NULL));
    }
    return NULL;
}

/* Of each of the two. */
static double seconds(void)
{
    const char *text = getenv("INGLE_SOAK");
    return (text ? atof(text) : 2) / 2;
}

/* With a thread that serves, or with none. */
static void soak(bool served)
{
    pthread_t thread[N_THREADS], server = 0, second;
    worker w[N_THREADS];
    ingle_error err;
    ingle_engine_options eo = small_engine(256, 3);
    eo.n_batch = 32, eo.n_parallel = 5;
    must(ingle_turns_open(&world.turns, &err), &err);
    eo.turns = world.turns;
    world.h = house_open(&eo);
    atomic_store(&world.off, false);
    atomic_store(&world.n_done, 0);
    if (served) server = start_server(world.h.engine);
    for (uint32_t i = 0; i < N_THREADS; i++) {
        w[i] = (worker){.seed = i + 100 * served};
        assert_int_equal(pthread_create(&thread[i], NULL, work, &w[i]), 0);
    }
    assert_int_equal(pthread_create(&second, NULL, come_and_go, NULL), 0);
    const double until = ingle_now() + seconds();
    while (ingle_now() < until) nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    atomic_store(&world.off, true);
    for (int i = 0; i < N_THREADS; i++) assert_int_equal(pthread_join(thread[i], NULL), 0);
    assert_int_equal(pthread_join(second, NULL), 0);
    assert_true(world.n_done > N_THREADS);
    ingle_stats stats = stats_of(&world.h);
    assert_int_equal(stats.n_running + stats.n_queued, 0);
    assert_int_equal(stats.n_pages_free + stats.n_pages_idle, stats.n_pages);
    ingle_session_close(&world.h.session);
    ingle_turns_close(&world.turns);
    print_message("%zu things done, %llu steps\n", (size_t)world.n_done,
                  (unsigned long long)stats.n_steps);
    ingle_engine_close(&world.h.engine);
    if (served) assert_int_equal(pthread_join(server, NULL), 0);
    house_close(&world.h);
}

static void nobody_serves(void **state)
{
    (void)state;
    soak(false);
}

static void one_serves(void **state)
{
    (void)state;
    soak(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_serves),
        cmocka_unit_test(one_serves),
    };
    return cmocka_run_group_tests(tests, run_alone, forget);
}
