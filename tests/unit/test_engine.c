/* Sessions and generation on the bundled model: what a caller can rely on. */
#include "golden/run.h"
#include "engine/engine.h"

#include <pthread.h>

#define TINY INGLE_SOURCE_DIR "/models/tiny-chat.gguf"

static runner tiny_batch(int n_ctx, int n_sessions, int n_batch)
{
    runner r = {.n_vocab = 2048};
    ingle_error err;
    ingle_engine_options eo;
    ingle_engine_options_init(&eo);
    eo.n_ctx = n_ctx;
    eo.n_sessions = n_sessions;
    eo.n_batch = n_batch;
    must(ingle_model_open(&r.model, TINY, NULL, &err), &err);
    must(ingle_engine_open(&r.engine, r.model, &eo, &err), &err);
    must(ingle_session_open(&r.session, r.engine, &err), &err);
    return r;
}

static runner tiny(int n_ctx, int n_sessions)
{
    return tiny_batch(n_ctx, n_sessions, 64);
}

static ingle_sampler *greedy(const runner *r)
{
    ingle_error err;
    ingle_sampler *s;
    ingle_sampler_options so;
    ingle_sampler_options_init(&so);
    so.temperature = 0;
    must(ingle_sampler_open(&s, &so, 2048, r->model, &err), &err);
    return s;
}

static size_t length(const runner *r)
{
    size_t n;
    assert_int_equal(ingle_session_tokens(r->session, NULL, &n, NULL), INGLE_OK);
    return n;
}

/* ---- options and errors ---- */

static void bad_options(void **state)
{
    ingle_error err;
    ingle_model *m;
    ingle_engine *e;
    ingle_model_options mo;
    ingle_engine_options eo;
    (void)state;
    assert_int_equal(ingle_model_open(&m, "/nowhere/x.gguf", NULL, &err), INGLE_ENOTFOUND);
    assert_text(&err, "/nowhere/x.gguf");
    assert_null(m);
    assert_int_equal(ingle_model_open(NULL, TINY, NULL, &err), INGLE_EINVAL);
    ingle_model_options_init(&mo);
    mo.n_threads = -1;
    assert_int_equal(ingle_model_open(&m, TINY, &mo, &err), INGLE_EINVAL);
    assert_text(&err, "n_threads");
    must(ingle_model_open(&m, TINY, NULL, &err), &err);
    struct {
        const char *name;
        int32_t value;
        size_t offset;
    } bad[] = {
        {"n_ctx", -1, offsetof(ingle_engine_options, n_ctx)},
        {"n_sessions", 0, offsetof(ingle_engine_options, n_sessions)},
        {"n_batch", 0, offsetof(ingle_engine_options, n_batch)},
        {"n_threads", -2, offsetof(ingle_engine_options, n_threads)},
        {"kv_type", INGLE_TYPE_Q4_0, offsetof(ingle_engine_options, kv_type)},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ingle_engine_options_init(&eo);
        memcpy((char *)&eo + bad[i].offset, &bad[i].value, sizeof bad[i].value);
        assert_int_not_equal(ingle_engine_open(&e, m, &eo, &err), INGLE_OK);
        assert_text(&err, bad[i].name);
        assert_null(e);
    }
    eo.size = sizeof eo + sizeof eo.size;
    assert_int_equal(ingle_engine_open(&e, m, &eo, &err), INGLE_EINVAL);
    ingle_model_close(&m);
    ingle_model_close(&m);
    assert_int_equal(ingle_engine_open(&e, NULL, NULL, &err), INGLE_ECLOSED);
}

/* Memory is taken when the engine opens, so more than there is is refused then. */
static void more_memory_than_there_is(void **state)
{
    (void)state;
    ingle_error err;
    ingle_model *m;
    ingle_engine *e;
    ingle_engine_options eo;
    must(ingle_model_open(&m, TINY, NULL, &err), &err);
    ingle_engine_options_init(&eo);
    eo.n_ctx = 1 << 24;
    eo.n_sessions = 2000; /* 86 TB */
    assert_int_equal(ingle_engine_open(&e, m, &eo, &err), INGLE_ENOMEM);
    assert_text(&err, "KV pages");
    assert_null(e);
    ingle_model_close(&m);
}

static bool stop_loading(void *user, double share)
{
    ++*(int *)user;
    return share < 0;
}

static void loading_can_be_cancelled(void **state)
{
    ingle_error err;
    ingle_model *m;
    ingle_model_options mo;
    int n_calls = 0;
    (void)state;
    ingle_model_options_init(&mo);
    mo.n_threads = 1;
    mo.progress = stop_loading;
    mo.user = &n_calls;
    assert_int_equal(ingle_model_open(&m, TINY, &mo, &err), INGLE_ECANCELLED);
    assert_int_equal(n_calls, 1);
    assert_null(m);
}

static void failed_eval_changes_nothing(void **state)
{
    runner r = tiny(100, 1);
    ingle_error err;
    int32_t tokens[101] = {1, 2, 3};
    const float *row, *again;
    (void)state;
    assert_int_equal(ingle_session_logits(r.session, 0, &row, &err), INGLE_ENOTFOUND);
    must(ingle_session_eval(r.session, tokens, 3, INGLE_ROWS_LAST, &err), &err);
    must(ingle_session_logits(r.session, 0, &row, &err), &err);
    float first = row[17];
    tokens[1] = 2048;
    assert_int_equal(ingle_session_eval(r.session, tokens, 3, INGLE_ROWS_LAST, &err), INGLE_EINVAL);
    assert_text(&err, "2048");
    tokens[1] = -1;
    assert_int_equal(ingle_session_eval(r.session, tokens, 3, INGLE_ROWS_LAST, &err), INGLE_EINVAL);
    tokens[1] = 2;
    assert_int_equal(ingle_session_eval(r.session, tokens, 98, INGLE_ROWS_ALL, &err), INGLE_EFULL);
    assert_int_equal(ingle_session_eval(r.session, NULL, 1, INGLE_ROWS_LAST, &err), INGLE_EINVAL);
    assert_int_equal(ingle_session_eval(r.session, tokens, 0, INGLE_ROWS_ALL, &err), INGLE_EINVAL);
    assert_int_equal(ingle_session_eval(r.session, tokens, 1, (ingle_rows)7, &err), INGLE_EINVAL);
    assert_int_equal(ingle_session_truncate(r.session, 4, &err), INGLE_EINVAL);
    assert_int_equal(length(&r), 3);
    must(ingle_session_logits(r.session, 0, &again, &err), &err);
    assert_true(again[17] == first);
    must(ingle_session_eval(r.session, tokens, 97, INGLE_ROWS_NONE, &err), &err);
    assert_int_equal(length(&r), 100);
    assert_int_equal(ingle_session_logits(r.session, 0, &row, &err), INGLE_ENOTFOUND);
    assert_int_equal(ingle_session_eval(r.session, tokens, 1, INGLE_ROWS_LAST, &err), INGLE_EFULL);
    runner_close(&r);
}

/* Sessions at rest keep their tokens; their pages go to who needs them, and what was computed is
 * computed again to the same bits. */
static void pool_is_shared(void **state)
{
    runner r = tiny(128, 1);
    ingle_error err;
    ingle_session *other;
    const float *row;
    float *before = malloc(2048 * sizeof *before);
    int32_t tokens[128] = {0}, others[128] = {1};
    ingle_stats stats = {.size = sizeof stats};
    (void)state;
    must(ingle_session_open(&other, r.engine, &err), &err);
    must(ingle_session_eval(r.session, tokens, 65, INGLE_ROWS_LAST, &err), &err); /* 3 of 4 pages */
    must(ingle_session_logits(r.session, 0, &row, &err), &err);
    memcpy(before, row, 2048 * sizeof *before);
    must(ingle_session_eval(other, others, 32, INGLE_ROWS_NONE, &err), &err);
    must(ingle_engine_stats_get(r.engine, &stats, &err), &err);
    assert_int_equal(stats.n_relaxed, 0);
    assert_int_equal(stats.n_pages_free, 0);
    must(ingle_session_eval(other, others, 65, INGLE_ROWS_NONE, &err), &err);
    must(ingle_engine_stats_get(r.engine, &stats, &err), &err);
    assert_int_equal(stats.n_relaxed, 1);
    assert_int_equal(length(&r), 65);
    must(ingle_session_logits(r.session, 0, &row, &err), &err); /* they are still there */
    assert_memory_equal(row, before, 2048 * sizeof *before);
    must(ingle_session_eval(r.session, NULL, 0, INGLE_ROWS_LAST, &err), &err);
    must(ingle_session_logits(r.session, 0, &row, &err), &err);
    assert_memory_equal(row, before, 2048 * sizeof *before);
    must(ingle_session_eval(r.session, tokens, 63, INGLE_ROWS_NONE, &err), &err);
    assert_int_equal(ingle_session_eval(r.session, tokens, 1, INGLE_ROWS_NONE, &err), INGLE_EFULL);
    ingle_session_close(&other);
    free(before);
    runner_close(&r);
}

static void close_in_any_order(void **state)
{
    runner r = tiny(64, 1);
    ingle_error err;
    int32_t token = 5;
    (void)state;
    must(ingle_session_eval(r.session, &token, 1, INGLE_ROWS_LAST, &err), &err);
    ingle_model_close(&r.model);
    must(ingle_session_eval(r.session, &token, 1, INGLE_ROWS_LAST, &err), &err);
    ingle_engine_close(&r.engine);
    assert_int_equal(ingle_session_eval(r.session, &token, 1, INGLE_ROWS_LAST, &err),
                     INGLE_ECLOSED);
    assert_int_equal(ingle_session_truncate(r.session, 0, &err), INGLE_ECLOSED);
    ingle_session_close(&r.session);
    ingle_session_close(&r.session);
    assert_int_equal(ingle_session_eval(r.session, &token, 1, INGLE_ROWS_LAST, &err),
                     INGLE_ECLOSED);
    assert_int_equal(ingle_engine_step(NULL, NULL, &err), INGLE_ECLOSED);
    assert_int_equal(ingle_generate(NULL, NULL, &token, 1, NULL, NULL, &err), INGLE_ECLOSED);
}

static void memory_is_told_before(void **state)
{
    ingle_error err;
    ingle_model *m;
    ingle_model_options mo;
    ingle_engine_options eo;
    ingle_memory mem = {.size = sizeof mem};
    (void)state;
    ingle_model_options_init(&mo);
    mo.parts = INGLE_PARTS_PLAN;
    must(ingle_model_open(&m, TINY, &mo, &err), &err);
    ingle_engine_options_init(&eo);
    eo.n_ctx = 1000;
    must(ingle_model_memory(m, &eo, &mem, &err), &err);
    /* 32 pages of 32 positions; 5 layers, 2 kv heads, 64 + 64 values of 2 bytes */
    assert_int_equal(mem.kv, 32 * 32 * 5 * 2 * 128 * 2);
    assert_int_equal(mem.total, mem.weights + mem.vocab + mem.kv + mem.scratch);
    assert_true(mem.weights > 4700000 && mem.weights < 4900000);
    ingle_model_close(&m);
}

/* ---- generation ---- */

typedef struct seen {
    char text[4096];
    size_t len, n_tokens, n_ends;
    ingle_finish finish;
    size_t stop_after; /* tokens; 0 = never */
    runner *r;
    ingle_status inner;
    float logprob[64];
    ingle_top top[64];
    bool prompt_only; /* stop in the prompt */
} seen;

static bool take(void *user, const ingle_event *e)
{
    seen *s = user;
    if (e->kind == INGLE_EVENT_PROMPT) return !s->prompt_only;
    memcpy(s->text + s->len, e->text, e->text_len);
    s->len += e->text_len;
    s->text[s->len] = 0;
    if (e->kind == INGLE_EVENT_END) {
        s->n_ends++;
        s->finish = e->finish;
        return true;
    }
    if (e->n_top && s->n_tokens < 64)
        s->logprob[s->n_tokens] = e->logprob, s->top[s->n_tokens] = e->top[0];
    s->n_tokens++;
    int32_t token = 0;
    if (s->r) s->inner = ingle_session_eval(s->r->session, &token, 1, INGLE_ROWS_LAST, NULL);
    return s->n_tokens != s->stop_after;
}

static size_t prompt_of(const runner *r, const char *text, int32_t *tokens, size_t cap)
{
    ingle_error err;
    size_t n;
    must(ingle_tokenize(r->model, text, strlen(text), INGLE_ADD_SPECIAL | INGLE_PARSE_SPECIAL,
                        tokens, cap, &n, &err),
         &err);
    return n;
}

static ingle_generate_result run(runner *r, const char *text, ingle_generate_options *go, seen *s)
{
    ingle_error err;
    ingle_generate_result result = {.size = sizeof result};
    int32_t tokens[256];
    ingle_sampler *sampler = greedy(r);
    size_t n = prompt_of(r, text, tokens, 256);
    go->on_event = take;
    go->user = s;
    must(ingle_session_truncate(r->session, 0, &err), &err);
    must(ingle_generate(r->session, sampler, tokens, n, go, &result, &err), &err);
    assert_int_equal(s->n_ends, 1);
    assert_int_equal(s->finish, result.finish);
    assert_int_equal(result.n_prompt, n);
    assert_int_equal(length(r), n + result.n_generated);
    ingle_sampler_close(&sampler);
    return result;
}

#define STORY "Once upon a time"

/* Between the places stop strings are taken from. Looking for races, one thread's work is not worth
 * forty times its time. */
#if defined(__SANITIZE_THREAD__)
#define STRIDE 53
#else
#define STRIDE 7
#endif

static void stops(void **state)
{
    runner r = tiny(256, 1);
    ingle_generate_options go;
    seen plain = {.n_tokens = 0};
    (void)state;
    ingle_generate_options_init(&go);
    go.max_tokens = 40;
    run(&r, STORY, &go, &plain);
    assert_true(plain.len > 60);
    /* every substring of some length is a stop string: what comes out is what came before its first
     * place */
    for (size_t len = 1; len <= 24; len += 4)
        for (size_t at = 0; at + len < plain.len; at += STRIDE) {
            char needle[32] = {0};
            memcpy(needle, plain.text + at, len);
            ingle_stop stop = {needle, len};
            seen s = {.n_tokens = 0};
            go.stops = &stop;
            go.n_stops = 1;
            ingle_generate_result result = run(&r, STORY, &go, &s);
            size_t before = (size_t)(strstr(plain.text, needle) - plain.text);
            assert_int_equal(result.finish, INGLE_FINISH_STOP);
            assert_int_equal(result.i_stop, 0);
            assert_int_equal(s.len, before);
            assert_memory_equal(s.text, plain.text, before);
            /* what the session holds past the prompt is a prefix of the returned text, at most one
             * token shorter */
            const int32_t *tokens;
            size_t n, n_text;
            char text[1024];
            assert_int_equal(ingle_session_tokens(r.session, &tokens, &n, NULL), INGLE_OK);
            assert_int_equal(ingle_detokenize(r.model, tokens + result.n_prompt, result.n_generated,
                                              0, text, sizeof text, &n_text, NULL),
                             INGLE_OK);
            assert_true(n_text <= s.len);
            assert_memory_equal(text, s.text, n_text);
        }
    runner_close(&r);
}

static void never_matching_stop_loses_nothing(void **state)
{
    runner r = tiny(256, 1);
    ingle_generate_options go;
    seen plain = {.n_tokens = 0}, s = {.n_tokens = 0};
    (void)state;
    ingle_generate_options_init(&go);
    go.max_tokens = 20;
    run(&r, STORY, &go, &plain);
    char needle[64]; /* the very last bytes and one more: held back till the end */
    snprintf(needle, sizeof needle, "%s~", plain.text + plain.len - 9);
    ingle_stop stop = {needle, strlen(needle)};
    go.stops = &stop;
    go.n_stops = 1;
    ingle_generate_result result = run(&r, STORY, &go, &s);
    assert_int_equal(result.finish, INGLE_FINISH_LENGTH);
    assert_int_equal(result.n_generated, 20);
    assert_string_equal(s.text, plain.text);
    runner_close(&r);
}

static void stop_tokens_limits_and_cancel(void **state)
{
    runner r = tiny(64, 1);
    ingle_generate_options go;
    seen s = {.n_tokens = 0};
    const int32_t *tokens;
    size_t n;
    (void)state;
    ingle_generate_options_init(&go);
    go.max_tokens = 10;
    ingle_generate_result result = run(&r, STORY, &go, &s);
    assert_int_equal(result.n_generated, 10);
    assert_int_equal(ingle_session_tokens(r.session, &tokens, &n, NULL), INGLE_OK);
    int32_t stop = tokens[n - 4];
    size_t before = 0;
    while (tokens[result.n_prompt + before] != stop) before++;
    go.stop_tokens = &stop;
    go.n_stop_tokens = 1;
    s = (seen){.n_tokens = 0};
    result = run(&r, STORY, &go, &s);
    assert_int_equal(result.finish, INGLE_FINISH_STOP);
    assert_int_equal(result.n_generated, before);

    ingle_generate_options_init(&go); /* to the end of the context */
    go.ignore_eog = true;
    s = (seen){.n_tokens = 0};
    result = run(&r, STORY, &go, &s);
    assert_int_equal(result.finish, INGLE_FINISH_LENGTH);
    assert_int_equal(length(&r), 64);

    go.max_tokens = 0;
    s = (seen){.n_tokens = 0};
    result = run(&r, STORY, &go, &s);
    assert_int_equal(result.n_generated, 0);
    assert_int_equal(s.n_tokens, 0);

    go.max_tokens = 30;
    s = (seen){.stop_after = 5};
    result = run(&r, STORY, &go, &s);
    assert_int_equal(result.finish, INGLE_FINISH_CANCELLED);
    assert_int_equal(result.n_generated, 5);

    s = (seen){.prompt_only = true};
    result = run(&r, STORY, &go, &s);
    assert_int_equal(result.finish, INGLE_FINISH_CANCELLED);
    assert_int_equal(s.n_tokens, 0);
    runner_close(&r);
}

static void going_on_equals_one_go(void **state)
{
    runner r = tiny(256, 1);
    ingle_error err;
    ingle_generate_options go;
    ingle_generate_result result = {.size = sizeof result};
    seen whole = {.n_tokens = 0}, parts = {.n_tokens = 0};
    (void)state;
    ingle_generate_options_init(&go);
    go.max_tokens = 30;
    run(&r, STORY, &go, &whole);
    go.max_tokens = 10;
    run(&r, STORY, &go, &parts);
    ingle_sampler *sampler = greedy(&r);
    for (int i = 0; i < 2; i++)
        must(ingle_generate(r.session, sampler, NULL, 0, &go, &result, &err), &err);
    assert_string_equal(parts.text, whole.text);
    must(ingle_session_truncate(r.session, 0, &err), &err);
    assert_int_equal(ingle_generate(r.session, sampler, NULL, 0, &go, &result, &err), INGLE_EINVAL);
    assert_int_equal(ingle_session_eval(r.session, NULL, 0, INGLE_ROWS_LAST, &err), INGLE_EINVAL);
    ingle_sampler_close(&sampler);
    runner_close(&r);
}

static void calls_from_the_callback(void **state)
{
    runner r = tiny(256, 1);
    ingle_generate_options go;
    seen s = {.r = &r, .stop_after = 2};
    (void)state;
    ingle_generate_options_init(&go);
    run(&r, STORY, &go, &s);
    assert_int_equal(s.inner, INGLE_EBUSY);
    runner_close(&r);
}

static void log_probabilities(void **state)
{
    runner r = tiny(256, 1);
    ingle_generate_options go;
    seen s = {.n_tokens = 0};
    (void)state;
    ingle_generate_options_init(&go);
    go.max_tokens = 16;
    go.logprobs = 5;
    run(&r, STORY, &go, &s);
    for (size_t i = 0; i < 16; i++) {
        assert_true(s.logprob[i] <= 0);
        assert_true(s.top[i].logprob == s.logprob[i]); /* greedy takes the best */
    }
    go.logprobs = 101;
    ingle_error err;
    int32_t token = 1;
    ingle_sampler *sampler = greedy(&r);
    assert_int_equal(ingle_generate(r.session, sampler, &token, 1, &go, NULL, &err), INGLE_EINVAL);
    assert_text(&err, "logprobs");
    ingle_sampler_close(&sampler);
    runner_close(&r);
}

/* ---- several threads ---- */

typedef struct job {
    runner *r;
    char text[4096];
} job;

static void *generate_in_thread(void *arg)
{
    job *j = arg;
    seen s = {.n_tokens = 0};
    ingle_generate_options go;
    ingle_generate_options_init(&go);
    go.max_tokens = 24;
    runner own = *j->r;
    if (ingle_session_open(&own.session, own.engine, NULL)) return NULL;
    run(&own, STORY, &go, &s);
    snprintf(j->text, sizeof j->text, "%s", s.text);
    ingle_session_close(&own.session);
    return NULL;
}

static void many_callers(void **state)
{
    enum { N = 6 };
    runner r = tiny(128, N + 1);
    job jobs[N];
    pthread_t thread[N];
    seen alone = {.n_tokens = 0};
    ingle_generate_options go;
    (void)state;
    ingle_generate_options_init(&go);
    go.max_tokens = 24;
    run(&r, STORY, &go, &alone);
    for (int i = 0; i < N; i++) {
        jobs[i] = (job){.r = &r};
        assert_int_equal(pthread_create(&thread[i], NULL, generate_in_thread, &jobs[i]), 0);
    }
    for (int i = 0; i < N; i++) pthread_join(thread[i], NULL);
    for (int i = 0; i < N; i++) assert_string_equal(jobs[i].text, alone.text);
    runner_close(&r);
}

static void warm_up_leaves_no_trace(void **state)
{
    runner r = tiny(128, 1);
    ingle_error err;
    size_t n_run;
    int32_t tokens[128] = {0};
    (void)state;
    must(ingle_engine_warm_up(r.engine, &err), &err);
    must(ingle_engine_step(r.engine, &n_run, &err), &err);
    assert_int_equal(n_run, 0);
    must(ingle_session_eval(r.session, tokens, 128, INGLE_ROWS_LAST, &err), &err);
    runner_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_options),
        cmocka_unit_test(more_memory_than_there_is),
        cmocka_unit_test(loading_can_be_cancelled),
        cmocka_unit_test(failed_eval_changes_nothing),
        cmocka_unit_test(pool_is_shared),
        cmocka_unit_test(close_in_any_order),
        cmocka_unit_test(memory_is_told_before),
        cmocka_unit_test(stops),
        cmocka_unit_test(never_matching_stop_loses_nothing),
        cmocka_unit_test(stop_tokens_limits_and_cancel),
        cmocka_unit_test(going_on_equals_one_go),
        cmocka_unit_test(calls_from_the_callback),
        cmocka_unit_test(log_probabilities),
        cmocka_unit_test(many_callers),
        cmocka_unit_test(warm_up_leaves_no_trace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
