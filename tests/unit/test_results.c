/* What a session tells about its results, and how long what it told is good: beside a call that is
 * under way, in its callback, and behind the engine's end. */
#define _GNU_SOURCE
#include "golden/run.h"

#include "engine/engine.h"

#include <pthread.h>
#include <sched.h>

enum { N_VOCAB = 2048, N_BATCH = 16 };

static const int32_t tokens[64] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18};

static runner tiny(void)
{
    runner r = {.n_vocab = N_VOCAB};
    ingle_error err;
    ingle_engine_options eo;
    ingle_engine_options_init(&eo);
    eo.n_ctx = 128;
    eo.n_sessions = 2;
    eo.n_batch = N_BATCH;
    eo.n_threads = 2;
    must(ingle_model_open(&r.model, INGLE_SOURCE_DIR "/models/tiny-chat.gguf", NULL, &err), &err);
    must(ingle_engine_open(&r.engine, r.model, &eo, &err), &err);
    must(ingle_session_open(&r.session, r.engine, &err), &err);
    return r;
}

/* All three questions get the same answer, and nothing is written. */
static void all_answer(const ingle_session *s, ingle_status want)
{
    static const float mark = 1;
    const float *row = &mark, *vector = &mark;
    const int32_t *held = tokens;
    size_t n = 77, n_vector = 77;
    ingle_error err = {""};
    assert_int_equal(ingle_session_logits(s, 0, &row, &err), want);
    assert_int_equal(ingle_session_tokens(s, &held, &n, &err), want);
    assert_int_equal(ingle_session_embedding(s, 0, &vector, &n_vector, &err), want);
    assert_true(row == &mark && vector == &mark && held == tokens && n == 77 && n_vector == 77);
    assert_true(err.text[0] != 0);
}

/* ---- behind the engine's end ---- */

static void pointers_outlive_the_engine(void **state)
{
    runner r = tiny();
    ingle_session *other;
    const float *row, *vector;
    const int32_t *held;
    float row_was[N_VOCAB], vector_was[4096];
    size_t n, n_vector;
    ingle_error err;
    (void)state;
    must(ingle_session_open(&other, r.engine, &err), &err);
    must(ingle_session_eval(r.session, tokens, 5, INGLE_ROWS_ALL, &err), &err);
    must(ingle_session_embed(other, tokens, 4, NULL, &err), &err);
    must(ingle_session_logits(r.session, 4, &row, &err), &err);
    must(ingle_session_tokens(r.session, &held, &n, &err), &err);
    must(ingle_session_embedding(other, 0, &vector, &n_vector, &err), &err);
    assert_true(n == 5 && n_vector <= 4096);
    memcpy(row_was, row, sizeof row_was);
    memcpy(vector_was, vector, n_vector * sizeof *vector);
    ingle_model_close(&r.model);
    ingle_engine_close(&r.engine);
    all_answer(r.session, INGLE_ECLOSED);
    all_answer(other, INGLE_ECLOSED);
    assert_int_equal(ingle_session_eval(r.session, tokens, 9, INGLE_ROWS_ALL, &err), INGLE_ECLOSED);
    assert_memory_equal(row, row_was, sizeof row_was);
    assert_memory_equal(held, tokens, n * sizeof *held);
    assert_memory_equal(vector, vector_was, n_vector * sizeof *vector);
    ingle_session_close(&r.session);
    ingle_session_close(&other);
}

/* ---- beside a call ---- */

typedef struct caller {
    ingle_session *session;
    size_t n;
    ingle_status status;
} caller;

static void *eval_all(void *arg)
{
    caller *c = arg;
    c->status = ingle_session_eval(c->session, tokens, c->n, INGLE_ROWS_ALL, NULL);
    return NULL;
}

/* Somebody else seems to be stepping, so the call waits with its task queued; the lock is held. */
static pthread_t call_that_waits(runner *r, caller *c)
{
    pthread_t thread;
    *c = (caller){.session = r->session, .n = 3 * N_BATCH};
    ingle_engine_lock(r->engine);
    ingle_wheel_take(r->engine);
    assert_int_equal(pthread_create(&thread, NULL, eval_all, c), 0);
    while (r->session->task.state != INGLE_TASK_QUEUED) {
        ingle_engine_unlock(r->engine);
        sched_yield();
        ingle_engine_lock(r->engine);
    }
    return thread;
}

static void busy_during_a_call(void **state)
{
    runner r = tiny();
    caller c;
    const float *row;
    ingle_error err;
    (void)state;
    must(ingle_session_eval(r.session, tokens, 1, INGLE_ROWS_LAST, &err), &err);
    pthread_t thread = call_that_waits(&r, &c);
    ingle_engine_unlock(r.engine);
    all_answer(r.session, INGLE_EBUSY);
    ingle_engine_lock(r.engine);
    assert_int_equal(ingle_engine_step_once(r.engine), N_BATCH); /* the rest is the caller's */
    ingle_wheel_put(r.engine);
    ingle_engine_unlock(r.engine);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(c.status, INGLE_OK);
    must(ingle_session_logits(r.session, c.n - 1, &row, &err), &err);
    runner_close(&r);
}

/* Some of a call's rows are there when the engine ends; nobody can take them for those before
 * it. */
static void closed_half_way(void **state)
{
    runner r = tiny();
    caller c;
    ingle_error err;
    (void)state;
    must(ingle_session_eval(r.session, tokens, 1, INGLE_ROWS_LAST, &err), &err);
    pthread_t thread = call_that_waits(&r, &c);
    assert_int_equal(ingle_engine_step_once(r.engine), N_BATCH);
    r.engine->closed = true; /* as ingle_engine_close() below, but before anybody else can step */
    ingle_wheel_put(r.engine);
    ingle_engine_unlock(r.engine);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(c.status, INGLE_ECLOSED);
    assert_int_equal(r.session->n, 1);
    ingle_engine_close(&r.engine);
    all_answer(r.session, INGLE_ECLOSED);
    runner_close(&r);
}

static void *eval_again_and_again(void *arg)
{
    caller *c = arg;
    for (size_t n = 1; n <= c->n && !c->status; n++) { /* more rows every time */
        do c->status = ingle_session_truncate(c->session, 0, NULL);
        while (c->status == INGLE_EBUSY);
        if (c->status) break;
        do c->status = ingle_session_eval(c->session, tokens, n, INGLE_ROWS_ALL, NULL);
        while (c->status == INGLE_EBUSY);
    }
    return NULL;
}

/* A thread may ask at any moment; it is answered or told to wait (for the thread sanitizer). */
static void asked_at_any_moment(void **state)
{
    runner r = tiny();
    caller c = {.session = r.session, .n = 24};
    pthread_t thread;
    size_t n = 0, n_told = 0;
    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, eval_again_and_again, &c), 0);
    while (n < c.n) {
        const float *row;
        const int32_t *held;
        ingle_status st = ingle_session_logits(r.session, 0, &row, NULL);
        assert_true(st == INGLE_OK || st == INGLE_EBUSY || st == INGLE_ENOTFOUND);
        st = ingle_session_tokens(r.session, &held, &n, NULL);
        assert_true(st == INGLE_OK || st == INGLE_EBUSY);
        n_told += st == INGLE_OK;
        sched_yield();
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(c.status, INGLE_OK);
    assert_true(n_told > 0);
    runner_close(&r);
}

/* ---- in the callback ---- */

static bool ask(void *user, const ingle_event *event)
{
    (void)event;
    all_answer(user, INGLE_EBUSY);
    return true;
}

static void busy_in_the_callback(void **state)
{
    runner r = tiny();
    ingle_error err;
    ingle_sampler *sampler;
    ingle_generate_options go;
    const int32_t *held;
    size_t n;
    (void)state;
    ingle_generate_options_init(&go);
    go.max_tokens = 3;
    go.ignore_eog = true;
    go.on_event = ask;
    go.user = r.session;
    must(ingle_sampler_open(&sampler, NULL, N_VOCAB, NULL, &err), &err);
    must(ingle_generate(r.session, sampler, tokens, 4, &go, NULL, &err), &err);
    must(ingle_session_tokens(r.session, &held, &n, &err), &err);
    assert_int_equal(n, 7);
    ingle_sampler_close(&sampler);
    runner_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pointers_outlive_the_engine),
        cmocka_unit_test(busy_during_a_call),
        cmocka_unit_test(closed_half_way),
        cmocka_unit_test(asked_at_any_moment),
        cmocka_unit_test(busy_in_the_callback),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
