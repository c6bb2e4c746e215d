/* test_request_ends.c - how requests end: cancelled, closed, out of time, drained, with their
 * session or their engine, at every stage; and who may read them, who hears of their events. */
#define _GNU_SOURCE
#include "requests.h"

#include <sched.h>
#include <time.h>

static void sleep_ms(long ms)
{
    const struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}

/* ---- the stages of a request ---- */

typedef enum stage {
    BEFORE,    /* no step has seen it */
    IN_PROMPT, /* a part of its prompt is computed */
    BETWEEN,   /* tokens were read, none waits */
    UNREAD,    /* tokens wait for their reader */
    PARKED,    /* as many as may wait */
    ENDED,     /* its last event waits */
    END_READ,  /* it was read */
    N_STAGES
} stage;

static const char *const stage_name[] = {"before", "in its prompt", "between tokens", "unread",
                                         "parked", "ended",         "end read"};

enum { N_PROMPT = 40, N_WORDS = 90 };

static house open_house(void)
{
    ingle_engine_options eo = small_engine(256, 2);
    eo.n_batch = 16;
    return house_open(&eo);
}

static ingle_generate_options options(stage at)
{
    ingle_generate_options go = options_of(at == ENDED || at == END_READ ? 3 : N_WORDS);
    go.ignore_eog = true;
    return go;
}

/* Steps and reads until the request is there. */
static ingle_request *start_to(const house *h, stage at, trail *t)
{
    const prompt p = noise(N_PROMPT, 1);
    const ingle_generate_options go = options(at);
    ingle_request *r = start(h->session, &p, &go);
    ingle_status st;
    *t = (trail){.len = 0};
    if (at == BEFORE) return r;
    step(h);
    if (at == IN_PROMPT) return r;
    while (!r->n_generated) step(h);
    if (at == BETWEEN || at == END_READ) read_there(r, t);
    while (at == BETWEEN && t->n_tokens < 5) step(h), read_there(r, t);
    if (at == UNREAD) step(h), step(h);
    while (at >= PARKED && step(h)) {}
    while (at == END_READ && read_one(r, 0, t, &st)) {}
    return r;
}

/* The session is free and holds what was returned: the rest of the engine has not noticed. */
static void goes_on(const house *h, const char *what)
{
    static const int32_t *tokens;
    ingle_error err;
    size_t n;
    const float *row, *want;
    int32_t own[8200];
    ingle_session *fresh = another_session(h);
    must(ingle_session_tokens(h->session, &tokens, &n, &err), &err);
    memcpy(own, tokens, n * sizeof *own);
    own[n] = 17;
    must(ingle_session_eval(fresh, own, n + 1, INGLE_ROWS_LAST, &err), &err);
    must(ingle_session_eval(h->session, &own[n], 1, INGLE_ROWS_LAST, &err), &err);
    must(ingle_session_logits(fresh, 0, &want, &err), &err);
    must(ingle_session_logits(h->session, 0, &row, &err), &err);
    if (memcmp(row, want, N_VOCAB * sizeof *row)) fail_msg("%s: other logits afterwards", what);
    ingle_session_close(&fresh);
}

/* B59 B82: cancelled at every stage, twice; the end follows once. */
static void cancelled_at_every_stage(void **state)
{
    (void)state;
    for (stage at = BEFORE; at < N_STAGES; at++) {
        house h = open_house();
        trail t;
        ingle_event event = {.size = sizeof event};
        ingle_error err;
        ingle_request *r = start_to(&h, at, &t);
        must(ingle_request_cancel(r, &err), &err);
        must(ingle_request_cancel(r, &err), &err);
        if (at != END_READ) {
            uint64_t n_steps = stats_of(&h).n_steps;
            read_all(r, &t);
            assert_int_equal(stats_of(&h).n_steps, n_steps); /* nothing more is computed */
        }
        must(ingle_request_cancel(r, &err), &err);
        assert_int_equal(ingle_request_next(r, 0, &event, &err), INGLE_ENOTFOUND);
        assert_int_equal(t.status, INGLE_OK);
        assert_int_equal(t.finish, at < ENDED ? INGLE_FINISH_CANCELLED : INGLE_FINISH_LENGTH);
        assert_int_equal(t.usage.n_generated, t.n_tokens);
        assert_int_equal(stats_of(&h).n_cancelled, at < ENDED);
        if (at >= BETWEEN) assert_int_equal(n_held(h.session), N_PROMPT + t.n_tokens);
        goes_on(&h, stage_name[at]); /* before the close, as its end was read */
        ingle_request_close(&r);
        house_close(&h);
    }
}

/* B82: closed at every stage: the session is free at once. */
static void closed_at_every_stage(void **state)
{
    (void)state;
    for (stage at = BEFORE; at < N_STAGES; at++) {
        house h = open_house();
        trail t;
        int32_t token = 3;
        ingle_request *r = start_to(&h, at, &t);
        if (at != END_READ)
            assert_int_equal(ingle_session_eval(h.session, &token, 1, INGLE_ROWS_LAST, NULL),
                             INGLE_EBUSY);
        ingle_request_close(&r);
        assert_null(r);
        assert_int_equal(step(&h), 0);
        goes_on(&h, stage_name[at]);
        house_close(&h);
    }
}

/* ---- time ---- */

/* B178: what is there; a little; without end. */
static void timeouts_of_next(void **state)
{
    house h = open_house();
    trail t = {.len = 0};
    ingle_status st;
    ingle_request *r = start_to(&h, BEFORE, &t);
    (void)state;
    assert_false(read_one(r, 0, &t, &st)); /* 0 does not step */
    assert_int_equal(st, INGLE_ETIMEOUT);
    assert_int_equal(stats_of(&h).n_steps, 0);
    for (size_t i = 0; i < 10000 && !t.n_tokens; i++) /* any time at all comes to an event */
        if (!read_one(r, 1e-9, &t, &st)) assert_int_equal(st, INGLE_ETIMEOUT);
    assert_true(t.n_tokens > 0);
    assert_true(read_one(r, 1e300, &t, &st));
    assert_true(read_one(r, -0.001, &t, &st));
    read_all(r, &t);
    assert_int_equal(t.n_tokens, N_WORDS);
    ingle_request_close(&r);
    house_close(&h);
}

/* A caller that steps for others keeps its own time. */
static void timeout_beside_work(void **state)
{
    ingle_engine_options eo = small_engine(4096, 3);
    eo.n_parallel = 2;
    house h = house_open(&eo);
    ingle_session *s[2] = {another_session(&h), another_session(&h)};
    prompt p = noise(500, 1);
    const ingle_generate_options go = options(BEFORE);
    ingle_request *r[2], *last;
    trail t = {.len = 0};
    ingle_status st;
    (void)state;
    for (int i = 0; i < 2; i++) r[i] = start(s[i], &p, &go);
    last = start(h.session, &p, &go); /* there is no seat for it */
    assert_false(read_one(last, 1e-6, &t, &st));
    assert_int_equal(st, INGLE_ETIMEOUT);
    assert_int_equal(stats_of(&h).n_steps, 1);
    for (int i = 0; i < 2; i++) ingle_request_close(&r[i]), ingle_session_close(&s[i]);
    ingle_request_close(&last);
    house_close(&h);
}

/* B88: option deadline_s ends it, wherever it is. */
static void deadlines(void **state)
{
    house h = house_of(8192, 1);
    const prompt p = noise(N_PROMPT, 1);
    ingle_generate_options go = options_of(-1);
    (void)state;
    go.ignore_eog = true;
    for (int i = 0; i < 3;
         i++) { /* over before the first step, while it runs, while it is parked */
        trail t = {.len = 0};
        ingle_error err;
        ingle_status st = INGLE_OK;
        must(ingle_session_truncate(h.session, 0, &err), &err);
        go.deadline_s = i == 0 ? 1e-6 : i == 1 ? 0.05 : 0.3;
        uint64_t n_steps = stats_of(&h).n_steps;
        ingle_request *r = start(h.session, &p, &go);
        if (i == 0) sleep_ms(2);
        for (; i == 2 && !r->ended; sleep_ms(1)) step(&h);
        ingle_event event = {.size = sizeof event};
        while (!t.n_ends && !st) {
            st = ingle_request_next(r, -1, &event, &err);
            assert_int_equal(st, INGLE_OK);
            t.n_ends = event.kind == INGLE_EVENT_END;
            t.n_tokens += event.kind == INGLE_EVENT_TOKEN;
        }
        assert_int_equal(event.finish, INGLE_FINISH_TIMEOUT);
        assert_int_equal(event.usage.n_generated, t.n_tokens);
        if (i == 0) assert_int_equal(stats_of(&h).n_steps, n_steps);
        if (t.n_tokens) assert_int_equal(n_held(h.session), N_PROMPT + t.n_tokens);
        ingle_request_close(&r);
    }
    goes_on(&h, "after a deadline");
    house_close(&h);
}

/* A running request that somebody seems to step: nobody else can, until let_go(). */
static void hold_wheel(const house *h)
{
    ingle_engine_lock(h->engine);
    ingle_wheel_take(h->engine);
    ingle_engine_unlock(h->engine);
}

static void let_go(const house *h)
{
    ingle_engine_lock(h->engine);
    ingle_wheel_put(h->engine);
    ingle_engine_unlock(h->engine);
}

/* B178: option queue_s is for the wait until it runs; a request that runs in time is not ended by
 * it. */
static void waiting_too_long(void **state)
{
    ingle_engine_options eo = small_engine(256, 2);
    eo.n_parallel = 1;
    house h = house_open(&eo);
    ingle_session *other = another_session(&h);
    const prompt p = noise(5, 1);
    ingle_generate_options go = options(BEFORE);
    trail t = {.len = 0}, first = {.len = 0};
    (void)state;
    go.queue_s = 0.01;
    ingle_request *a = start(h.session, &p, &go);
    step(&h); /* the first has the seat */
    ingle_request *b = start(other, &p, &go);
    sleep_ms(12);
    read_all(b, &t);
    assert_int_equal(t.status, INGLE_EQUEUE);
    assert_text(&t.error, "queue_s");
    assert_int_equal(n_held(other), 0);
    assert_int_equal(stats_of(&h).n_failed, 1);
    read_all(a, &first);
    assert_int_equal(first.n_tokens, N_WORDS);
    ingle_request_close(&a), ingle_request_close(&b);
    ingle_session_close(&other);
    house_close(&h);
}

/* ---- several threads at one request ---- */

typedef struct reader {
    ingle_request *r;
    house *h;
    trail t;
    ingle_status status;
    atomic_bool goes;
} reader;

static void *read_in_thread(void *arg)
{
    reader *a = arg;
    ingle_event event = {.size = sizeof event};
    atomic_store(&a->goes, true);
    while (!a->status && !a->t.n_ends) {
        a->status = ingle_request_next(a->r, -1, &event, &a->t.error);
        if (!a->status) a->t.n_tokens += event.kind == INGLE_EVENT_TOKEN;
        if (!a->status && event.kind == INGLE_EVENT_END) a->t.n_ends++, a->t.finish = event.finish;
    }
    return NULL;
}

/* One next() that waits, until its answer is there. */
static void *read_one_event(void *arg)
{
    reader *a = arg;
    ingle_event event = {.size = sizeof event};
    a->status = ingle_request_next(a->r, -1, &event, NULL);
    return NULL;
}

static void wait_for_reader(const house *h, const ingle_request *r)
{
    for (bool there = false; !there; sched_yield()) {
        ingle_engine_lock(h->engine);
        there = r->reading;
        ingle_engine_unlock(h->engine);
    }
}

static void second_reader(void **state)
{
    house h = open_house();
    pthread_t thread;
    trail t;
    ingle_status st;
    reader a = {.r = start_to(&h, BEFORE, &t)};
    (void)state;
    hold_wheel(&h);
    assert_int_equal(pthread_create(&thread, NULL, read_one_event, &a), 0);
    wait_for_reader(&h, a.r);
    assert_false(read_one(a.r, -1, &t, &st));
    assert_int_equal(st, INGLE_EBUSY);
    let_go(&h);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(a.status, INGLE_OK);
    assert_true(read_one(a.r, -1, &t, &st));
    ingle_request_close(&a.r);
    house_close(&h);
}

/* Many readers at the end of a request: one gets it, the session is given back once. */
static void readers_at_the_end(void **state)
{
    enum { N = 4, ROUNDS = 20 };
    house h = open_house();
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        pthread_t thread[N];
        reader a[N];
        trail t;
        ingle_request *r = start_to(&h, ENDED, &t);
        for (int i = 0; i < N; i++) {
            a[i] = (reader){.r = r};
            assert_int_equal(pthread_create(&thread[i], NULL, read_in_thread, &a[i]), 0);
        }
        size_t n_ends = 0;
        for (int i = 0; i < N; i++) {
            assert_int_equal(pthread_join(thread[i], NULL), 0);
            n_ends += a[i].t.n_ends;
            assert_true(a[i].t.n_ends || a[i].status == INGLE_ENOTFOUND ||
                        a[i].status == INGLE_EBUSY);
        }
        assert_true(n_ends <= 1);
        ingle_request_close(&r);
        assert_int_equal(atomic_load(&h.session->refs), 1);
        assert_int_equal(ingle_session_truncate(h.session, 0, NULL), INGLE_OK);
    }
    house_close(&h);
}

/* B59 B82: cancelled by another thread at any moment. */
static void cancelled_by_another(void **state)
{
    house h = open_house();
    const prompt p = noise(N_PROMPT, 1);
    ingle_generate_options go = options(BEFORE);
    (void)state;
    for (long i = 0; i < 25; i++) {
        pthread_t thread;
        ingle_error err;
        must(ingle_session_truncate(h.session, 0, &err), &err);
        reader a = {.r = start(h.session, &p, &go)};
        assert_int_equal(pthread_create(&thread, NULL, read_in_thread, &a), 0);
        while (!atomic_load(&a.goes)) sched_yield();
        sleep_ms(i % 5);
        must(ingle_request_cancel(a.r, &err), &err);
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_int_equal(a.status, INGLE_OK);
        assert_true(a.t.finish == INGLE_FINISH_CANCELLED || a.t.n_tokens == N_WORDS);
        ingle_request_close(&a.r);
    }
    goes_on(&h, "after cancelling");
    house_close(&h);
}

/* Closed while a reader waits: the reader gets an end, and the close waits for the reader. */
static void closed_beside_a_reader(void **state)
{
    house h = open_house();
    const prompt p = noise(N_PROMPT, 1);
    ingle_generate_options go = options(BEFORE);
    (void)state;
    for (int i = 0; i < 10; i++) {
        pthread_t thread;
        ingle_error err;
        must(ingle_session_truncate(h.session, 0, &err), &err);
        reader a = {.r = start(h.session, &p, &go)};
        hold_wheel(&h);
        assert_int_equal(pthread_create(&thread, NULL, read_one_event, &a), 0);
        wait_for_reader(&h, a.r);
        ingle_request *r = a.r;
        ingle_request_close(&r);
        let_go(&h);
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_int_equal(a.status, INGLE_OK);
        assert_int_equal(atomic_load(&h.session->refs), 1);
    }
    house_close(&h);
}

/* ---- who is woken ---- */

/* The seat of a parked request that is closed goes to one whose reader sleeps. */
/* A reader that does not read holds up its own request: the only seat is free for others. */
static void parked_without_a_seat(void **state)
{
    ingle_engine_options eo = small_engine(256, 2);
    eo.n_parallel = 1;
    house h = house_open(&eo);
    ingle_session *other = another_session(&h);
    const prompt p = noise(5, 1);
    ingle_generate_options go = options(BEFORE);
    trail one = {.len = 0}, two = {.len = 0};
    (void)state;
    ingle_request *parked = start(h.session, &p, &go);
    while (step(&h)) {}
    ingle_request *b = start(other, &p, &go);
    read_all(b, &two);
    assert_int_equal(two.n_tokens, N_WORDS);
    read_all(parked, &one);
    assert_int_equal(one.n_tokens, N_WORDS);
    assert_int_equal(one.len, two.len);
    assert_memory_equal(one.text, two.text, one.len);
    ingle_request_close(&parked), ingle_request_close(&b);
    ingle_session_close(&other);
    house_close(&h);
}

typedef struct bell {
    house *h;
    ingle_request *r;
    atomic_size_t n_rung, n_locked;
    atomic_bool stays, inside;
} bell;

static void ring(void *user)
{
    bell *b = user;
    if (pthread_mutex_trylock(&b->h->engine->lock)) atomic_fetch_add(&b->n_locked, 1);
    else pthread_mutex_unlock(&b->h->engine->lock);
    atomic_fetch_add(&b->n_rung, 1);
    atomic_store(&b->inside, true);
    while (atomic_load(&b->stays)) sched_yield();
}

/* Told without the lock, every time that events came which it was not told of. */
static void owners_are_told(void **state)
{
    house h = open_house();
    const prompt p = noise(N_PROMPT, 1);
    ingle_generate_options go = options(BEFORE);
    bell b = {.h = &h};
    trail t = {.len = 0};
    (void)state;
    go.on_ready = ring, go.user = &b;
    ingle_request *r = start(h.session, &p, &go);
    while (!t.n_ends) {
        size_t before = atomic_load(&b.n_rung);
        step(&h);
        assert_int_equal(atomic_load(&b.n_rung), before + 1);
        const ingle_status st = read_there(r, &t);
        assert_int_equal(st, t.n_ends ? INGLE_ENOTFOUND : INGLE_ETIMEOUT);
    }
    assert_int_equal(atomic_load(&b.n_locked), 0);
    ingle_request_close(&r);
    for (int how = 0; how < 2; how++) { /* of ends that no step makes */
        ingle_error err;
        must(ingle_session_truncate(h.session, 0, &err), &err);
        r = start(h.session, &p, &go);
        size_t before = atomic_load(&b.n_rung);
        if (how) must(ingle_request_cancel(r, &err), &err);
        else ingle_session_close(&h.session);
        assert_int_equal(atomic_load(&b.n_rung), before + 1);
        ingle_request_close(&r);
        if (!how) h.session = another_session(&h);
    }
    r = start(h.session, &p, &go);
    size_t before = atomic_load(&b.n_rung);
    ingle_engine *engine = h.engine;
    ingle_engine_close(&engine); /* `h.engine` is what ring() looks at; the session keeps it */
    assert_int_equal(atomic_load(&b.n_rung), before + 1);
    assert_int_equal(atomic_load(&b.n_locked), 0);
    ingle_request_close(&r);
    h.engine = NULL;
    house_close(&h);
}

static void *step_in_thread(void *arg)
{
    step(arg);
    return NULL;
}

/* Events that come while it is being told of earlier ones. */
static void told_again(void **state)
{
    house h = open_house();
    const prompt p = noise(5, 1);
    ingle_generate_options go = options(BEFORE);
    bell b = {.h = &h};
    trail t = {.len = 0};
    ingle_error err;
    pthread_t thread;
    (void)state;
    go.on_ready = ring, go.user = &b;
    ingle_request *r = start(h.session, &p, &go);
    atomic_store(&b.stays, true);
    assert_int_equal(pthread_create(&thread, NULL, step_in_thread, &h), 0);
    while (!atomic_load(&b.inside)) sched_yield();
    assert_int_equal(read_there(r, &t), INGLE_ETIMEOUT); /* it reads what it was told of */
    must(ingle_request_cancel(r, &err), &err);           /* the end comes while it is being told */
    atomic_store(&b.stays, false);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(atomic_load(&b.n_rung), 2);
    read_all(r, &t);
    ingle_request_close(&r);
    house_close(&h);
}

/* ---- draining ---- */

/* B179: nothing more is started, and what runs comes to its end. */
static void drained(void **state)
{
    house h = open_house();
    trail t = {.len = 0};
    ingle_error err;
    const prompt p = noise(5, 1);
    ingle_request *none;
    ingle_session *other = another_session(&h);
    ingle_generate_options go = options_of(20);
    (void)state;
    go.ignore_eog = true;
    assert_int_equal(ingle_engine_drain(NULL, 0, &err), INGLE_ECLOSED);
    assert_int_equal(ingle_engine_drain(h.engine, NAN, &err), INGLE_EINVAL);
    ingle_request *r = start(h.session, &p, &go);
    must(ingle_engine_drain(h.engine, -1, &err), &err);
    assert_int_equal(ingle_request_start(&none, other, p.tokens, p.n, &go, &err), INGLE_ECLOSED);
    assert_null(none);
    uint64_t n_steps = stats_of(&h).n_steps;
    read_all(r, &t);
    assert_int_equal(t.finish, INGLE_FINISH_LENGTH);
    assert_int_equal(t.n_tokens, 20);
    must(ingle_engine_drain(h.engine, 0, &err), &err);
    assert_int_equal(stats_of(&h).n_steps, n_steps);
    must(ingle_session_eval(other, p.tokens, 2, INGLE_ROWS_LAST, &err), &err); /* evals go on */
    ingle_request_close(&r);
    ingle_session_close(&other);
    house_close(&h);
}

/* B179: with force, where a request waits for a reader who does not come. */
static void drained_with_force(void **state)
{
    (void)state;
    for (stage at = BEFORE; at <= PARKED; at++) {
        house h = open_house();
        trail t;
        ingle_error err;
        ingle_request *r = start_to(&h, at, &t);
        uint64_t n_steps = stats_of(&h).n_steps;
        must(ingle_engine_drain(h.engine, 0, &err), &err);
        assert_true(stats_of(&h).n_steps <= n_steps + 1);
        read_all(r, &t);
        assert_int_equal(t.finish, INGLE_FINISH_CANCELLED);
        if (at == PARKED) assert_int_equal(t.n_tokens, INGLE_RING);
        goes_on(&h, stage_name[at]);
        ingle_request_close(&r);
        house_close(&h);
    }
}

/* The drain keeps its time also while it is the one that steps. */
static void drained_by_its_own_steps(void **state)
{
    house h = house_of(4096, 1);
    ingle_error err;
    pthread_t thread;
    const prompt p = noise(5, 1);
    ingle_generate_options go = options_of(-1);
    (void)state;
    go.ignore_eog = true;
    reader a = {.r = start(h.session, &p, &go)};
    assert_int_equal(pthread_create(&thread, NULL, read_in_thread, &a), 0);
    must(ingle_engine_drain(h.engine, 0.02, &err), &err);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(a.t.finish, INGLE_FINISH_CANCELLED);
    ingle_request_close(&a.r);
    house_close(&h);
}

/* ---- the engine's end, the session's end ---- */

/* B179 B180: the engine closed at every stage: events that were there can be read, then it fails.
 * */
static void engine_closed_at_every_stage(void **state)
{
    (void)state;
    for (stage at = BEFORE; at < N_STAGES; at++) {
        house h = open_house();
        trail t;
        const int32_t token = 3;
        ingle_request *r = start_to(&h, at, &t), *none;
        ingle_engine_close(&h.engine);
        ingle_engine_close(&h.engine);
        if (at != END_READ) read_all(r, &t);
        assert_int_equal(t.status, at < ENDED ? INGLE_ECLOSED : INGLE_OK);
        if (at < ENDED) assert_text(&t.error, "closed");
        ingle_error err;
        must(ingle_request_cancel(r, &err), &err);
        ingle_request_close(&r);
        assert_int_equal(ingle_session_eval(h.session, &token, 1, INGLE_ROWS_LAST, &err),
                         INGLE_ECLOSED);
        assert_int_equal(ingle_request_start(&none, h.session, &token, 1, NULL, &err),
                         INGLE_ECLOSED);
        house_close(&h);
    }
}

/* The session closed at every stage: the request ends as cancelled; both orders of closing. */
static void session_closed_at_every_stage(void **state)
{
    (void)state;
    for (int i = 0; i < 2 * N_STAGES; i++) {
        stage at = (stage)(i / 2);
        house h = open_house();
        trail t;
        ingle_request *r = start_to(&h, at, &t);
        ingle_session_close(&h.session);
        if (i % 2) ingle_engine_close(&h.engine);
        if (at != END_READ && i % 2 == 0) {
            read_all(r, &t);
            assert_int_equal(t.status, INGLE_OK);
            assert_int_equal(t.finish, at < ENDED ? INGLE_FINISH_CANCELLED : INGLE_FINISH_LENGTH);
        }
        ingle_request_close(&r);
        if (h.engine)
            assert_int_equal(stats_of(&h).n_pages_free + stats_of(&h).n_pages_idle,
                             stats_of(&h).n_pages);
        house_close(&h);
    }
}

/* By another thread, at any moment, while a reader steps. */
static void closed_by_another(void **state)
{
    const prompt p = noise(200, 1);
    ingle_generate_options go = options_of(40);
    (void)state;
    go.ignore_eog = true;
    for (long i = 0; i < 30; i++) {
        house h = open_house();
        pthread_t thread;
        reader a = {.r = start(h.session, &p, &go)};
        assert_int_equal(pthread_create(&thread, NULL, read_in_thread, &a), 0);
        while (!atomic_load(&a.goes)) sched_yield();
        sleep_ms(i / 2 % 8);
        if (i % 2) ingle_engine_close(&h.engine);
        else ingle_session_close(&h.session);
        assert_int_equal(pthread_join(thread, NULL), 0);
        if (i % 2) assert_true(a.status == INGLE_ECLOSED || a.t.finish == INGLE_FINISH_LENGTH);
        else assert_true(a.t.finish == INGLE_FINISH_CANCELLED || a.t.finish == INGLE_FINISH_LENGTH);
        ingle_request_close(&a.r);
        house_close(&h);
    }
}

typedef struct evaluator {
    ingle_session *s;
    ingle_status status;
    prompt p;
    atomic_bool goes;
} evaluator;

static void *eval_in_thread(void *arg)
{
    evaluator *v = arg;
    atomic_store(&v->goes, true);
    v->status = ingle_session_eval(v->s, v->p.tokens, v->p.n, INGLE_ROWS_ALL, NULL);
    return NULL;
}

/* The same of an eval. */
static void closed_during_an_eval(void **state)
{
    (void)state;
    for (long i = 0; i < 30; i++) {
        house h = open_house();
        pthread_t thread;
        evaluator v = {.s = h.session, .p = noise(220, 1)};
        assert_int_equal(pthread_create(&thread, NULL, eval_in_thread, &v), 0);
        while (!atomic_load(&v.goes)) sched_yield();
        for (bool queued = false; !queued; sched_yield()) { /* so that its session is still there */
            ingle_engine_lock(h.engine);
            queued = h.session->task.kind == INGLE_TASK_EVAL && h.session->task.n_end > 0;
            ingle_engine_unlock(h.engine);
        }
        sleep_ms(i / 2 % 5);
        if (i % 2) ingle_engine_close(&h.engine);
        else ingle_session_close(&h.session);
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_true(v.status == INGLE_ECLOSED || v.status == INGLE_OK);
        house_close(&h);
    }
}

/* ---- a thread of the engine's own ---- */

typedef struct server {
    ingle_engine *engine;
    ingle_status status;
    atomic_bool ended;
} server;

static void *serve(void *arg)
{
    server *v = arg;
    v->status = ingle_engine_serve(v->engine, NULL);
    atomic_store(&v->ended, true);
    return NULL;
}

static void wait_for_server(const house *h)
{
    for (bool there = false; !there; sched_yield()) {
        ingle_engine_lock(h->engine);
        there = h->engine->wheel.server;
        ingle_engine_unlock(h->engine);
    }
}

/* It steps for all, sees to their deadlines, and goes when the engine closes. */
static void served(void **state)
{
    house h = open_house();
    server v = {.engine = h.engine};
    pthread_t thread;
    ingle_error err;
    trail t = {.len = 0}, late = {.len = 0};
    const prompt p = noise(20, 1);
    ingle_generate_options go = options(BEFORE);
    (void)state;
    assert_int_equal(ingle_engine_serve(NULL, &err), INGLE_ECLOSED);
    assert_int_equal(pthread_create(&thread, NULL, serve, &v), 0);
    wait_for_server(&h);
    assert_int_equal(ingle_engine_serve(h.engine, &err), INGLE_EBUSY);
    ingle_request *r = start(h.session, &p, &go);
    for (; !t.n_ends; sched_yield()) read_there(r, &t);
    assert_int_equal(t.n_tokens, N_WORDS);
    ingle_request_close(&r);
    must(ingle_session_truncate(h.session, 0, &err), &err);
    go.max_tokens = -1, go.deadline_s = 0.2; /* parks; nobody waits for it but the server */
    r = start(h.session, &p, &go);
    for (bool ended = false; !ended; sleep_ms(1)) {
        ingle_engine_lock(h.engine);
        ended = r->ended;
        ingle_engine_unlock(h.engine);
    }
    read_all(r, &late);
    assert_int_equal(late.finish, INGLE_FINISH_TIMEOUT);
    ingle_request_close(&r);
    ingle_engine_close(&h.engine);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(v.status, INGLE_OK);
    house_close(&h);
}

typedef struct asker {
    house *h;
    atomic_bool off;
} asker;

static void *step_again_and_again(void *arg)
{
    asker *a = arg;
    while (!atomic_load(&a->off)) step(a->h);
    return NULL;
}

/* Deadlines that are due while others wait for the wheel at rest. */
static void served_beside_others(void **state)
{
    enum { N = 3 };
    house h = open_house();
    server v = {.engine = h.engine};
    pthread_t thread, others[N];
    asker a = {.h = &h};
    const prompt p = noise(20, 1);
    ingle_generate_options go = options_of(60);
    (void)state;
    go.ignore_eog = true;
    assert_int_equal(pthread_create(&thread, NULL, serve, &v), 0);
    wait_for_server(&h);
    for (int i = 0; i < N; i++)
        assert_int_equal(pthread_create(&others[i], NULL, step_again_and_again, &a), 0);
    for (int i = 0; i < 200; i++) {
        trail t = {.len = 0};
        ingle_error err;
        must(ingle_session_truncate(h.session, 0, &err), &err);
        go.deadline_s = 0.0005 * (1 + i % 8);
        ingle_request *r = start(h.session, &p, &go);
        read_all(r, &t);
        assert_true(t.finish == INGLE_FINISH_TIMEOUT || t.finish == INGLE_FINISH_LENGTH);
        ingle_request_close(&r);
    }
    atomic_store(&a.off, true);
    for (int i = 0; i < N; i++) assert_int_equal(pthread_join(others[i], NULL), 0);
    ingle_engine_close(&h.engine);
    assert_int_equal(pthread_join(thread, NULL), 0);
    house_close(&h);
}

/* The last of several handles closes it. */
static void retained(void **state)
{
    house h = open_house();
    ingle_engine *more = ingle_engine_retain(h.engine);
    ingle_error err;
    trail t = {.len = 0};
    const prompt p = noise(20, 1);
    ingle_generate_options go = options_of(5);
    (void)state;
    assert_null(ingle_engine_retain(NULL));
    assert_ptr_equal(more, h.engine);
    ingle_request *r = start(h.session, &p, &go);
    ingle_engine_close(&more);
    read_all(r, &t);
    assert_int_equal(t.status, INGLE_OK);
    ingle_request_close(&r);
    must(ingle_session_eval(h.session, p.tokens, 3, INGLE_ROWS_LAST, &err), &err);
    house_close(&h);
}

/* ---- the log ---- */

typedef struct heard {
    house *h;
    char text[4][256];
    int n_of[3], n_locked;
} heard;

static void hear(void *user, ingle_log_level level, const char *text)
{
    heard *w = user;
    snprintf(w->text[level], sizeof w->text[level], "%s", text);
    w->n_of[level]++;
    if (!w->h->engine) return; /* it is being opened */
    if (pthread_mutex_trylock(&w->h->engine->lock)) w->n_locked++;
    else pthread_mutex_unlock(&w->h->engine->lock);
}

/* An engine says how it was opened, how requests ended and whose pages went, and to its owner only. */
static void engines_say(void **state)
{
    house h = {.engine = NULL};
    heard w = {.h = &h};
    ingle_engine_options eo = small_engine(256, 1);
    trail t = {.len = 0};
    (void)state;
    eo.log = hear;
    eo.log_user = &w;
    h = house_open(&eo);
    assert_int_equal(w.n_of[INGLE_LOG_INFO], 1);
    assert_non_null(strstr(w.text[INGLE_LOG_INFO], "256 positions"));
    const prompt p = noise(200, 1), q = noise(200, 2);
    ingle_generate_options go = options(BEFORE);
    go.max_tokens = 2;
    ingle_request *r = start(h.session, &p, &go);
    read_all(r, &t);
    ingle_request_close(&r);
    assert_int_equal(w.n_of[INGLE_LOG_INFO], 2);
    assert_non_null(strstr(w.text[INGLE_LOG_INFO], "prompt of 200 tokens"));
    ingle_session *other = another_session(&h);
    r = start(other, &q, &go);
    t = (trail){.len = 0};
    read_all(r, &t);
    ingle_request_close(&r);
    assert_true(w.n_of[INGLE_LOG_DEBUG] > 0);
    assert_int_equal(w.n_of[INGLE_LOG_ERROR], 0);
    assert_int_equal(w.n_locked, 0);
    ingle_session_close(&other);
    house_close(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cancelled_at_every_stage),
        cmocka_unit_test(closed_at_every_stage),
        cmocka_unit_test(timeouts_of_next),
        cmocka_unit_test(timeout_beside_work),
        cmocka_unit_test(deadlines),
        cmocka_unit_test(waiting_too_long),
        cmocka_unit_test(second_reader),
        cmocka_unit_test(readers_at_the_end),
        cmocka_unit_test(cancelled_by_another),
        cmocka_unit_test(closed_beside_a_reader),
        cmocka_unit_test(parked_without_a_seat),
        cmocka_unit_test(owners_are_told),
        cmocka_unit_test(told_again),
        cmocka_unit_test(drained),
        cmocka_unit_test(drained_with_force),
        cmocka_unit_test(drained_by_its_own_steps),
        cmocka_unit_test(engine_closed_at_every_stage),
        cmocka_unit_test(session_closed_at_every_stage),
        cmocka_unit_test(closed_by_another),
        cmocka_unit_test(closed_during_an_eval),
        cmocka_unit_test(served),
        cmocka_unit_test(served_beside_others),
        cmocka_unit_test(retained),
        cmocka_unit_test(engines_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
