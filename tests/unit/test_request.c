/* test_request.c - requests on the bundled model: what their events say, that they say the same as
 * ingle_generate() and a caller's own loop, that requests share steps, wait in line, and make room
 * for one another. How requests end is in test_request_ends.c. */
#define _GNU_SOURCE
#include "requests.h"

/* ---- events ---- */

/* B42 B58 B61 B80 B85 B91 */
static void events_in_order(void **state)
{
    ingle_engine_options eo = small_engine(256, 1);
    eo.n_batch = 16;
    house h = house_open(&eo);
    const prompt p = noise(40, 1);
    const ingle_sampler_options so = sampling_of(1, 5);
    ingle_generate_options go = options_of(20);
    trail t = {.len = 0};
    size_t n_before_end = 0;
    (void)state;
    go.ignore_eog = true;
    go.sampling = &so;
    go.prompt_logprobs = 0;
    ingle_request *r = start(h.session, &p, &go);
    assert_int_equal(read_there(r, &t), INGLE_ETIMEOUT); /* nothing is computed yet */
    while (!t.n_ends) {
        assert_true(step(&h) > 0);
        read_there(r, &t);
        if (t.n_tokens && !t.n_ends) n_before_end++;
    }
    assert_true(t.n_prompts >= 3); /* pieces of at most 16 */
    assert_int_equal(t.n_done, 40);
    assert_int_equal(t.n_scores, 40);
    assert_int_equal(n_before_end, 19);
    assert_int_equal(t.finish, INGLE_FINISH_LENGTH);
    assert_int_equal(t.usage.n_prompt, 40);
    assert_int_equal(t.usage.n_generated, 20);
    assert_int_equal(t.usage.n_computed, 40 + 19); /* the last one is not computed */
    assert_int_equal(t.usage.n_drafted, 0);
    assert_true(t.usage.queue_s >= 0 && t.usage.prompt_s > 0 && t.usage.decode_s > 0);
    assert_int_equal(step(&h), 0);
    ingle_request_close(&r);
    assert_int_equal(n_held(h.session), 60);
    house_close(&h);
}

/* A caller compiled with a shorter struct gets what it knows. */
static void older_event_structs(void **state)
{
    house h = house_of(64, 1);
    const prompt p = prompt_of(&h, STORY);
    ingle_generate_options go = options_of(2);
    ingle_event event;
    ingle_error err;
    (void)state;
    ingle_request *r = start(h.session, &p, &go);
    memset(&event, 0x55, sizeof event);
    event.size = offsetof(ingle_event, text);
    must(ingle_request_next(r, -1, &event, &err), &err);
    assert_int_equal(event.kind, INGLE_EVENT_PROMPT);
    assert_int_equal(event.text_len, 0x5555555555555555);
    event.size = sizeof event + 8;
    assert_int_equal(ingle_request_next(r, -1, &event, &err), INGLE_EINVAL);
    event.size = 0;
    assert_int_equal(ingle_request_next(r, -1, &event, &err), INGLE_EINVAL);
    assert_int_equal(ingle_request_next(r, -1, NULL, &err), INGLE_EINVAL);
    assert_int_equal(ingle_request_next(r, NAN, &event, &err), INGLE_EINVAL);
    ingle_request_close(&r);
    house_close(&h);
}

/* ---- the same as other ways ---- */

/* Eval, sample, accept: what every caller can write. */
static void run_loop(const house *h, const prompt *p, const ingle_sampler_options *so, size_t n,
                     trail *t)
{
    ingle_error err;
    const float *logits;
    ingle_token_info info = {.size = sizeof info};
    ingle_sampler *sampler = sampler_of(h, so);
    must(ingle_session_truncate(h->session, 0, &err), &err);
    for (size_t i = 0; i < p->n; i++) must(ingle_sampler_accept(sampler, p->tokens[i], &err), &err);
    must(ingle_session_eval(h->session, p->tokens, p->n, INGLE_ROWS_LAST, &err), &err);
    for (t->n_tokens = 0; t->n_tokens < n;) {
        ingle_candidate c;
        must(ingle_session_logits(h->session, 0, &logits, &err), &err);
        must(ingle_sampler_sample(sampler, logits, &c, &err), &err);
        must(ingle_token_info_get(h->model, c.token, &info, &err), &err);
        if (info.eog) break;
        must(ingle_sampler_accept(sampler, c.token, &err), &err);
        note_bytes(t, &logits[c.token], sizeof *logits);
        note_bytes(t, &c.prob, sizeof c.prob);
        t->tokens[t->n_tokens++] = c.token;
        must(ingle_session_eval(h->session, &c.token, 1, INGLE_ROWS_LAST, &err), &err);
    }
    must(ingle_detokenize(h->model, t->tokens, t->n_tokens, INGLE_CONTINUE, t->text, MOST_TEXT,
                          &t->len, &err),
         &err);
    t->text[t->len] = 0;
    ingle_sampler_close(&sampler);
}

static void compare_with_loop(const trail *loop, const trail *got, const char *what)
{
    assert_int_equal(loop->n_tokens, got->n_tokens);
    assert_memory_equal(loop->tokens, got->tokens, loop->n_tokens * sizeof *loop->tokens);
    if (strcmp(loop->text, got->text))
        fail_msg("%s: \"%s\", not \"%s\"", what, got->text, loop->text);
}

/* B46 B47 B56 B57 B67 B81, with every stage of the sampler */
static void equals_generate_and_loop(void **state)
{
    house h = house_of(256, 1);
    const prompt p = prompt_of(&h, STORY ", there was a small");
    (void)state;
    for (size_t i = 0; i < N_SAMPLINGS; i += SAMPLING_STEP) {
        const ingle_sampler_options so = sampling_of(i, 100 + i);
        ingle_sampler *sampler = sampler_of(&h, &so);
        ingle_generate_options go = options_of(60);
        trail request = trail_open(), again = trail_open(), called = trail_open(),
              loop = trail_open();
        char what[32];
        snprintf(what, sizeof what, "sampling %zu", i);
        run_loop(&h, &p, &so, 60, &loop);
        go.sampling = &so;
        run_request(h.session, &p, &go, &request);
        run_request(h.session, &p, &go, &again);
        run_generate(h.session, sampler, &p, &go, &called);
        same_trail(what, &request, &again);
        same_trail(what, &request, &called);
        compare_with_loop(&loop, &request, what);
        assert_int_equal(n_held(h.session), p.n + request.n_tokens);
        trail_close(&request), trail_close(&again), trail_close(&called), trail_close(&loop);
        ingle_sampler_close(&sampler);
    }
    house_close(&h);
}

/* B49 B50 B51 B52 B53: the matcher's own cases are in test_engine.c and test_stopper.c. */
static void stops_of_requests(void **state)
{
    house h = house_of(256, 1);
    const prompt p = prompt_of(&h, STORY);
    const ingle_sampler_options so = sampling_of(0, 1);
    ingle_generate_options go = options_of(40);
    trail plain = {.len = 0};
    (void)state;
    go.sampling = &so;
    run_request(h.session, &p, &go, &plain);
    for (size_t at = 3; at + 9 < plain.len; at += 17) {
        char needle[10] = {0};
        memcpy(needle, plain.text + at, 9);
        ingle_stop stops[] = {{"not in there", 12}, {needle, 9}};
        trail t = {.len = 0};
        go.stops = stops, go.n_stops = 2;
        ingle_request *r = NULL;
        ingle_error err;
        must(ingle_session_truncate(h.session, 0, &err), &err);
        r = start(h.session, &p, &go);
        memset(needle, '~', 9); /* the request has a copy */
        stops[0] = stops[1] = (ingle_stop){NULL, 0};
        read_all(r, &t);
        ingle_request_close(&r);
        memcpy(needle, plain.text + at, 9);
        size_t before = (size_t)(strstr(plain.text, needle) - plain.text);
        assert_int_equal(t.finish, INGLE_FINISH_STOP);
        assert_int_equal(t.len, before);
        assert_memory_equal(t.text, plain.text, before);
        assert_int_equal(n_held(h.session), p.n + t.usage.n_generated);
    }
    house_close(&h);
}

/* B48 */
static void stop_tokens_of_requests(void **state)
{
    house h = house_of(256, 1);
    const prompt p = prompt_of(&h, STORY);
    const ingle_sampler_options so = sampling_of(0, 1);
    ingle_generate_options go = options_of(30);
    trail plain = {.len = 0};
    (void)state;
    go.sampling = &so;
    run_request(h.session, &p, &go, &plain);
    int32_t tokens[2] = {plain.tokens[12], 5};
    size_t before = 0;
    while (plain.tokens[before] != tokens[0]) before++;
    go.stop_tokens = tokens, go.n_stop_tokens = 2;
    trail t = {.len = 0};
    run_request(h.session, &p, &go, &t);
    assert_int_equal(t.finish, INGLE_FINISH_STOP);
    assert_int_equal(t.usage.n_generated, before);
    assert_int_equal(t.n_tokens, before);
    assert_int_equal(n_held(h.session), p.n + before);
    house_close(&h);
}

/* B55: natural logarithms of the model's own distribution. */
static void log_probabilities(void **state)
{
    house h = house_of(128, 1);
    ingle_session *other = another_session(&h);
    const prompt p = prompt_of(&h, STORY);
    const ingle_sampler_options so = sampling_of(1, 3);
    ingle_generate_options go = options_of(12);
    ingle_event event = {.size = sizeof event};
    ingle_error err;
    const float *row;
    (void)state;
    go.sampling = &so, go.logprobs = 7, go.ignore_eog = true;
    ingle_request *r = start(h.session, &p, &go);
    must(ingle_session_eval(other, p.tokens, p.n, INGLE_ROWS_LAST, &err), &err);
    for (event.kind = INGLE_EVENT_PROMPT; event.kind != INGLE_EVENT_END;) {
        must(ingle_request_next(r, -1, &event, &err), &err);
        if (event.kind != INGLE_EVENT_TOKEN) continue;
        double sum = 0;
        must(ingle_session_logits(other, 0, &row, &err), &err);
        for (size_t i = 0; i < N_VOCAB; i++) sum += exp((double)row[i]);
        assert_true(event.logit == row[event.token]);
        assert_true(fabs((double)event.logprob - ((double)row[event.token] - log(sum))) < 2e-6);
        assert_int_equal(event.n_top, 7);
        assert_true(event.prob > 0 && event.prob <= 1);
        for (size_t i = 0; i < 7; i++) {
            double want = (double)row[event.top[i].token] - log(sum);
            assert_true(fabs((double)event.top[i].logprob - want) < 2e-6);
            assert_true(!i || event.top[i].logprob <= event.top[i - 1].logprob);
        }
        must(ingle_session_eval(other, &event.token, 1, INGLE_ROWS_LAST, &err), &err);
    }
    ingle_request_close(&r);
    ingle_session_close(&other);
    house_close(&h);
}

/* ---- options ---- */

/* B43 B51 B74: each by its name. */
static void options_are_checked(void **state)
{
    static const int32_t beyond[] = {N_VOCAB};
    static const ingle_stop none[] = {{"", 0}}, many[21] = {{"a", 1}};
    static char long_text[501];
    const ingle_stop longest[] = {{long_text, 501}};
    house h = house_of(64, 1);
    const prompt p = prompt_of(&h, STORY);
    ingle_sampler_options bad = sampling_of(0, 1);
    (void)state;
    bad.top_p = 2;
#define CASE(name, field, value)                                                                   \
    {                                                                                              \
        name, offsetof(ingle_generate_options, field), sizeof(value), &(value)                     \
    }
    static const int32_t minus = -2, large = 101;
    static const ingle_class class = (ingle_class)3;
    static const double negative = -1, nan = NAN, huge = 1e300;
    const ingle_sampler_options *sampling = &bad;
    const struct {
        const char *name;
        size_t at, n;
        const void *value;
    } cases[] = {
        CASE("max_tokens", max_tokens, minus),
        CASE("logprobs", logprobs, minus),
        CASE("logprobs", logprobs, large),
        CASE("prompt_logprobs", prompt_logprobs, minus),
        CASE("prompt_logprobs", prompt_logprobs, large),
        CASE("priority", priority, class),
        CASE("queue_s", queue_s, negative),
        CASE("queue_s", queue_s, nan),
        CASE("queue_s", queue_s, huge),
        CASE("deadline_s", deadline_s, negative),
        CASE("deadline_s", deadline_s, nan),
        CASE("top_p", sampling, sampling),
    };
#undef CASE
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ingle_generate_options go = options_of(4);
        ingle_request *r = (ingle_request *)&h;
        ingle_error err;
        memcpy((char *)&go + cases[i].at, cases[i].value, cases[i].n);
        assert_int_equal(ingle_generate_options_check(&go, &err), INGLE_EINVAL);
        assert_text(&err, cases[i].name);
        assert_int_equal(ingle_request_start(&r, h.session, p.tokens, p.n, &go, &err),
                         INGLE_EINVAL);
        assert_text(&err, cases[i].name);
        assert_null(r);
    }
    const struct {
        const char *name;
        const ingle_stop *stops;
        size_t n_stops;
        const int32_t *tokens;
        size_t n_tokens;
    } lists[] = {{"stop", none, 1, NULL, 0},        {"stop", many, 21, NULL, 0},
                 {"stop", longest, 1, NULL, 0},     {"stop", NULL, 1, NULL, 0},
                 {"stop_tokens", NULL, 0, NULL, 1}, {"stop_tokens", NULL, 0, beyond, 1}};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        ingle_generate_options go = options_of(4);
        ingle_request *r;
        ingle_error err;
        go.stops = lists[i].stops, go.n_stops = lists[i].n_stops;
        go.stop_tokens = lists[i].tokens, go.n_stop_tokens = lists[i].n_tokens;
        assert_int_equal(ingle_request_start(&r, h.session, p.tokens, p.n, &go, &err),
                         INGLE_EINVAL);
        assert_text(&err, lists[i].name);
        assert_null(r);
    }
    assert_int_equal(stats_of(&h).n_steps, 0);
    assert_int_equal(stats_of(&h).n_requests, 0);
    assert_int_equal(n_held(h.session), 0);
    house_close(&h);
}

static void statuses_have_names(void **state)
{
    static const char *const last[] = {"INGLE_EDEVICE", "INGLE_ETIMEOUT", "INGLE_EQUEUE"};
    (void)state;
    for (size_t i = 0; i < 3; i++)
        assert_string_equal(ingle_status_name((ingle_status)(INGLE_EDEVICE + i)), last[i]);
}

static void refuses(const house *h, const prompt *p, const ingle_generate_options *go,
                    ingle_status want, const char *text)
{
    ingle_request *r;
    ingle_error err;
    assert_int_equal(ingle_request_start(&r, h->session, p->tokens, p->n, go, &err), want);
    assert_text(&err, text);
    assert_null(r);
}

/* B44 B45 B63 B107: nothing is computed of what cannot be done, and nothing changes. */
static void prompts_are_checked(void **state)
{
    house h = house_of(100, 1);
    prompt p = noise(30, 3), long_one = noise(71, 4), empty = {.n = 0};
    ingle_generate_options go = options_of(4);
    ingle_error err;
    ingle_request *r;
    (void)state;
    refuses(&h, &empty, NULL, INGLE_EINVAL, "empty prompt");
    must(ingle_session_eval(h.session, p.tokens, p.n, INGLE_ROWS_LAST, &err), &err);
    uint64_t n_steps = stats_of(&h).n_steps;
    refuses(&h, &long_one, NULL, INGLE_EFULL,
            "71 tokens do not fit: the session holds 30 of at most 100");
    p.tokens[29] = N_VOCAB;
    refuses(&h, &p, NULL, INGLE_EINVAL, "2048");
    p.tokens[29] = -1;
    refuses(&h, &p, NULL, INGLE_EINVAL, "-1");
    assert_int_equal(ingle_request_start(&r, h.session, NULL, 3, NULL, &err), INGLE_EINVAL);
    assert_int_equal(ingle_request_start(NULL, h.session, p.tokens, 3, NULL, &err), INGLE_EINVAL);
    assert_int_equal(ingle_request_start(&r, NULL, p.tokens, 3, NULL, &err), INGLE_ECLOSED);
    go.on_event = note_in_callback;
    refuses(&h, &p, &go, INGLE_EINVAL, "on_event");
    assert_int_equal(ingle_request_next(NULL, -1, NULL, &err), INGLE_ECLOSED);
    assert_int_equal(ingle_request_cancel(NULL, &err), INGLE_ECLOSED);
    ingle_request_close(NULL);
    r = NULL;
    ingle_request_close(&r);
    const float *row;
    must(ingle_session_logits(h.session, 0, &row, &err), &err);
    assert_int_equal(n_held(h.session), 30);
    assert_int_equal(stats_of(&h).n_steps, n_steps);
    assert_int_equal(stats_of(&h).n_requests, 0);
    house_close(&h);
}

/* B42 B64: on until the context is full; the prompt alone; a prompt that fills the context. */
static void lengths(void **state)
{
    static const struct {
        size_t n_prompt;
        int32_t max_tokens;
        size_t n_generated;
    } cases[] = {{10, -1, 90}, {10, 0, 0},  {10, 1, 1}, {99, -1, 1},
                 {100, -1, 0}, {100, 5, 0}, {99, 7, 1}, {1, 99, 99}};
    house h = house_of(100, 1);
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const prompt p = noise(cases[i].n_prompt, 7);
        ingle_generate_options go = options_of(cases[i].max_tokens);
        trail t = {.len = 0};
        go.ignore_eog = true;
        run_request(h.session, &p, &go, &t);
        assert_int_equal(t.finish, INGLE_FINISH_LENGTH);
        assert_int_equal(t.n_tokens, cases[i].n_generated);
        assert_int_equal(t.usage.n_generated, cases[i].n_generated);
        assert_int_equal(t.n_done, p.n);
        assert_int_equal(n_held(h.session), p.n + cases[i].n_generated);
    }
    house_close(&h);
}

/* B62 B78 B83: a failure reaches the reader once, and the session is as it was. */
static void failures_reach_the_reader(void **state)
{
    house h = house_of(100, 1);
    const prompt p = noise(20, 5);
    ingle_logit_bias *bias = calloc(N_VOCAB, sizeof *bias);
    ingle_sampler_options so = sampling_of(1, 1);
    ingle_generate_options go = options_of(5);
    ingle_error err;
    const float *row;
    float first[4];
    (void)state;
    assert_non_null(bias);
    for (int32_t i = 0; i < N_VOCAB; i++) bias[i] = (ingle_logit_bias){i, -INFINITY};
    so.logit_bias = bias, so.n_logit_bias = N_VOCAB;
    go.sampling = &so;
    must(ingle_session_eval(h.session, p.tokens, 7, INGLE_ROWS_LAST, &err), &err);
    must(ingle_session_logits(h.session, 0, &row, &err), &err);
    memcpy(first, row, sizeof first);
    trail t = {.len = 0};
    ingle_request *r = start(h.session, &p, &go);
    read_all(r, &t);
    assert_int_equal(t.status, INGLE_EINVAL);
    assert_true(t.error.text[0] != 0);
    assert_int_equal(t.n_tokens, 0);
    assert_holds(h.session, p.tokens, 7);
    must(ingle_session_logits(h.session, 0, &row, &err), &err); /* it is free before the close */
    assert_memory_equal(row, first, sizeof first);
    assert_int_equal(stats_of(&h).n_failed, 1);
    ingle_request_close(&r);
    free(bias);
    house_close(&h);
}

/* ---- sessions ---- */

/* B92 B93 B95 B96 B98: the timeline holds what was said; parts of it are gone on from. */
static void timelines(void **state)
{
    house h = house_of(256, 1);
    const prompt p = prompt_of(&h, STORY), none = {.n = 0};
    const ingle_sampler_options so = sampling_of(0, 1);
    ingle_generate_options go = options_of(30);
    trail whole = {.len = 0}, parts = {.len = 0};
    ingle_error err;
    (void)state;
    assert_int_equal(n_held(h.session), 0);
    go.sampling = &so, go.ignore_eog = true;
    run_request(h.session, &p, &go, &whole);
    assert_int_equal(n_held(h.session), p.n + 30);
    must(ingle_session_truncate(h.session, p.n + 10, &err), &err);
    go.max_tokens = 20; /* on from the tokens that are there: no other start token comes */
    ingle_request *r = start(h.session, &none, &go);
    read_all(r, &parts);
    ingle_request_close(&r);
    assert_memory_equal(parts.tokens, whole.tokens + 10, 20 * sizeof *parts.tokens);
    must(ingle_session_truncate(h.session, p.n - 1, &err), &err); /* a common prefix */
    prompt last = {.tokens = {p.tokens[p.n - 1]}, .n = 1};
    trail again = {.len = 0};
    go.max_tokens = 30;
    r = start(h.session, &last, &go);
    read_all(r, &again);
    ingle_request_close(&r);
    assert_memory_equal(again.tokens, whole.tokens, 30 * sizeof *again.tokens);
    must(ingle_session_truncate(h.session, 0, &err), &err);
    assert_int_equal(n_held(h.session), 0);
    house_close(&h);
}

/* An eval of no tokens gives the row of the last one, also where it was never computed. */
static void eval_of_none(void **state)
{
    house h = house_of(128, 1);
    ingle_session *other = another_session(&h);
    const prompt p = prompt_of(&h, STORY);
    ingle_generate_options go = options_of(9);
    const int32_t *tokens;
    const float *row, *want;
    size_t n;
    ingle_error err;
    trail t = {.len = 0};
    (void)state;
    assert_int_equal(ingle_session_eval(other, NULL, 0, INGLE_ROWS_LAST, &err), INGLE_EINVAL);
    run_request(h.session, &p, &go, &t);
    assert_int_equal(ingle_session_logits(h.session, 0, &row, &err), INGLE_ENOTFOUND);
    assert_int_equal(ingle_session_eval(h.session, NULL, 0, INGLE_ROWS_ALL, &err), INGLE_EINVAL);
    assert_int_equal(ingle_session_eval(h.session, NULL, 0, INGLE_ROWS_NONE, &err), INGLE_EINVAL);
    must(ingle_session_tokens(h.session, &tokens, &n, &err), &err);
    must(ingle_session_eval(other, tokens, n, INGLE_ROWS_LAST, &err), &err);
    must(ingle_session_logits(other, 0, &want, &err), &err);
    for (int i = 0; i < 2; i++) {
        must(ingle_session_eval(h.session, NULL, 0, INGLE_ROWS_LAST, &err), &err);
        must(ingle_session_logits(h.session, 0, &row, &err), &err);
        assert_memory_equal(row, want, N_VOCAB * sizeof *row);
    }
    ingle_session_close(&other);
    house_close(&h);
}

/* All or nothing for all sessions of a call: one is closed while the call is under way. What the
 * other says of its logits then is not made of those that the call had begun to write. */
static void *eval_both(void *arg)
{
    ingle_session **s = arg;
    const prompt p = noise(100, 3);
    const ingle_eval evals[] = {{s[0], p.tokens, 20, INGLE_ROWS_ALL},
                                {s[1], p.tokens, p.n, INGLE_ROWS_LAST}};
    return ingle_sessions_eval(evals, 2, NULL) == INGLE_ECLOSED ? arg : NULL;
}

static void eval_that_fails_half_way(void **state)
{
    ingle_engine_options eo = small_engine(128, 2);
    eo.n_batch = 32;
    house h = house_open(&eo);
    ingle_session *s[2] = {h.session, another_session(&h)}, *other = s[1];
    const prompt p = noise(10, 1);
    const float *row;
    float before[N_VOCAB];
    pthread_t thread;
    void *closed;
    ingle_error err;
    (void)state;
    must(ingle_session_eval(h.session, p.tokens, p.n, INGLE_ROWS_LAST, &err), &err);
    must(ingle_session_logits(h.session, 0, &row, &err), &err);
    memcpy(before, row, sizeof before);
    ingle_engine_lock(h.engine);
    ingle_wheel_take(h.engine);
    assert_int_equal(pthread_create(&thread, NULL, eval_both, s), 0);
    while (other->task.state != INGLE_TASK_QUEUED) {
        ingle_engine_unlock(h.engine);
        ingle_engine_lock(h.engine);
    }
    while (h.session->task.state != INGLE_TASK_DONE) ingle_engine_step_once(h.engine);
    ingle_engine_unlock(h.engine);
    ingle_session_close(&other);
    ingle_engine_lock(h.engine);
    ingle_wheel_put(h.engine);
    ingle_engine_unlock(h.engine);
    assert_int_equal(pthread_join(thread, &closed), 0);
    assert_non_null(closed);
    assert_holds(h.session, p.tokens, p.n);
    ingle_status st = ingle_session_logits(h.session, 0, &row, &err);
    if (st) assert_int_equal(st, INGLE_ENOTFOUND);
    else assert_memory_equal(row, before, sizeof before);
    must(ingle_session_eval(h.session, NULL, 0, INGLE_ROWS_LAST, &err), &err);
    must(ingle_session_logits(h.session, 0, &row, &err), &err);
    assert_memory_equal(row, before, sizeof before);
    house_close(&h);
}

/* B97: sessions at rest lose their pages to others and go on to the same bits. */
static void sessions_at_rest(void **state)
{
    enum { N = 5, ROUNDS = 4 };
    house big = house_of(128, N), small = house_of(128, 1);
    const ingle_sampler_options so = sampling_of(3, 9);
    ingle_generate_options go = options_of(8);
    ingle_session *a[N], *b[N];
    (void)state;
    go.sampling = &so, go.ignore_eog = true;
    for (int i = 0; i < N; i++) a[i] = another_session(&big), b[i] = another_session(&small);
    for (uint32_t k = 0; k < N * ROUNDS; k++) {
        const prompt p = noise(15 + k % 7, k);
        trail want = trail_open(), got = trail_open();
        ingle_request *r = start(a[k % N], &p, &go);
        read_all(r, &want);
        ingle_request_close(&r);
        r = start(b[k % N], &p, &go);
        read_all(r, &got);
        ingle_request_close(&r);
        same_trail("a session that lost its pages", &want, &got);
        trail_close(&want), trail_close(&got);
    }
    assert_int_equal(stats_of(&big).n_relaxed, 0);
    assert_true(stats_of(&small).n_relaxed > N);
    for (int i = 0; i < N; i++) ingle_session_close(&a[i]), ingle_session_close(&b[i]);
    house_close(&big);
    house_close(&small);
}

/* ---- several at once ---- */

/* B86 B175: a reader that never reads holds up its own request and no other. */
static void slow_reader(void **state)
{
    house h = house_of(512, 3);
    ingle_session *other = another_session(&h), *third = another_session(&h);
    const prompt p = noise(12, 2);
    const ingle_sampler_options so = sampling_of(1, 77);
    ingle_generate_options go = options_of(300);
    trail want = trail_open(), slow = trail_open(), quick = trail_open();
    ingle_error err;
    (void)state;
    go.sampling = &so, go.ignore_eog = true;
    run_request(third, &p, &go, &want);
    ingle_request *a = start(h.session, &p, &go), *b = start(other, &p, &go);
    read_all(b, &quick);
    same_trail("beside a slow reader", &want, &quick);
    assert_int_equal(step(&h), 0); /* the slow one has no room for another event */
    assert_int_equal(a->ring.n_shown, INGLE_RING);
    assert_false(a->ended);
    int32_t token = 5;
    must(ingle_session_eval(other, &token, 1, INGLE_ROWS_LAST, &err), &err);
    read_all(a, &slow);
    same_trail("a slow reader", &want, &slow);
    ingle_request_close(&a), ingle_request_close(&b);
    trail_close(&want), trail_close(&slow), trail_close(&quick);
    ingle_session_close(&other), ingle_session_close(&third);
    house_close(&h);
}

/* B108 B173 B174 B175: started together, they go in lock-step, each as if it were alone. */
static void lock_step(void **state)
{
    enum { N = 6, TOKENS = 60 };
    house h = house_of(128, N + 1);
    ingle_session *s[N];
    ingle_request *r[N];
    trail got[N], want[N];
    (void)state;
    for (size_t i = 0; i < N; i++) {
        const prompt p = noise(8, (uint32_t)i);
        const ingle_sampler_options so = sampling_of(i, i);
        ingle_generate_options go = options_of(TOKENS);
        go.sampling = &so, go.ignore_eog = true;
        want[i] = trail_open(), got[i] = trail_open();
        run_request(h.session, &p, &go, &want[i]);
        s[i] = another_session(&h);
    }
    for (size_t i = 0; i < N; i++) {
        const prompt p = noise(8, (uint32_t)i);
        const ingle_sampler_options so = sampling_of(i, i);
        ingle_generate_options go = options_of(TOKENS);
        go.sampling = &so, go.ignore_eog = true;
        r[i] = start(s[i], &p, &go);
    }
    size_t n_all = 0, n_full = 0;
    for (size_t n; (n = step(&h)) > 0; n_all++) {
        n_full += n == N;
        for (size_t i = 0; i < N; i++) read_there(r[i], &got[i]);
    }
    assert_true(n_full >= TOKENS - 8); /* prompts may have come in pieces */
    assert_true(n_all <= TOKENS + 8);
    for (size_t i = 0; i < N; i++) {
        same_trail("in lock-step", &want[i], &got[i]);
        trail_close(&want[i]), trail_close(&got[i]);
        ingle_request_close(&r[i]);
        ingle_session_close(&s[i]);
    }
    house_close(&h);
}

typedef struct caller {
    const house *h;
    size_t n_tokens;
    ingle_status status;
    pthread_barrier_t *together;
} caller;

static bool count_tokens(void *user, const ingle_event *e)
{
    *(size_t *)user += e->kind == INGLE_EVENT_TOKEN;
    return true;
}

static void *generate_long(void *arg)
{
    caller *c = arg;
    ingle_session *s;
    const prompt p = noise(8, 1);
    const ingle_sampler_options so = sampling_of(1, 4);
    ingle_generate_options go = options_of(400);
    ingle_sampler *sampler = NULL;
    go.ignore_eog = true, go.on_event = count_tokens, go.user = &c->n_tokens;
    c->status = ingle_session_open(&s, c->h->engine, NULL);
    if (!c->status) c->status = ingle_sampler_open(&sampler, &so, N_VOCAB, c->h->model, NULL);
    pthread_barrier_wait(c->together);
    if (!c->status) c->status = ingle_generate(s, sampler, p.tokens, p.n, &go, NULL, NULL);
    ingle_sampler_close(&sampler);
    ingle_session_close(&s);
    return NULL;
}

/* B172 B173: threads in ingle_generate() share their steps. */
static void threads_share_steps(void **state)
{
    enum { N = 4 };
    house h = house_of(512, N);
    pthread_t thread[N];
    pthread_barrier_t together;
    caller callers[N];
    (void)state;
    pthread_barrier_init(&together, NULL, N);
    for (int i = 0; i < N; i++) {
        callers[i] = (caller){.h = &h, .together = &together};
        assert_int_equal(pthread_create(&thread[i], NULL, generate_long, &callers[i]), 0);
    }
    for (int i = 0; i < N; i++) {
        assert_int_equal(pthread_join(thread[i], NULL), 0);
        assert_int_equal(callers[i].status, INGLE_OK);
        assert_int_equal(callers[i].n_tokens, 400);
    }
    const ingle_stats stats = stats_of(&h);
    assert_int_equal(stats.n_tokens, N * (8 + 399));
    assert_true((double)stats.n_tokens / (double)stats.n_steps >= 0.9 * N);
    pthread_barrier_destroy(&together);
    house_close(&h);
}

/* B176: more than there are seats for wait, and all come to their end. */
static void more_than_seats(void **state)
{
    enum { N = 9 };
    ingle_engine_options eo = small_engine(128, 2);
    eo.n_parallel = 2;
    house h = house_open(&eo);
    ingle_session *s[N];
    ingle_request *r[N];
    trail want = trail_open();
    const prompt p = noise(20, 2);
    ingle_generate_options go = options_of(30);
    (void)state;
    go.ignore_eog = true;
    run_request(h.session, &p, &go, &want);
    for (int i = 0; i < N; i++) r[i] = start(s[i] = another_session(&h), &p, &go);
    assert_true(step(&h) > 0);
    assert_int_equal(stats_of(&h).n_running, 2);
    assert_int_equal(stats_of(&h).n_queued, N - 2);
    for (int i = N - 1; i >= 0; i--) { /* the last one first: it waits for all */
        trail t = trail_open();
        read_all(r[i], &t);
        same_trail("one of many", &want, &t);
        trail_close(&t);
    }
    for (int i = 0; i < N; i++) ingle_request_close(&r[i]), ingle_session_close(&s[i]);
    trail_close(&want);
    house_close(&h);
}

/* Steps until one of the requests has shown a token; says which. */
static size_t first_to_run(const house *h, ingle_request **r, size_t n)
{
    for (;;) {
        assert_true(step(h) > 0);
        for (size_t i = 0; i < n; i++)
            if (r[i] && r[i]->n_generated) return i;
    }
}

/* Requests of a higher class come first, whoever came first; within a class the one that came
 * first; and 10 s of waiting lift one by a class. */
static void classes(void **state)
{
    ingle_engine_options eo = small_engine(128, 5);
    eo.n_parallel = 1;
    house h = house_open(&eo);
    enum { N = 5 };
    static const ingle_class class[N] = {INGLE_CLASS_LOW, INGLE_CLASS_NORMAL, INGLE_CLASS_NORMAL,
                                         INGLE_CLASS_HIGH, INGLE_CLASS_LOW};
    static const size_t order[] = {3, 0, 1, 2, 4};
    ingle_session *s[N];
    ingle_request *r[N];
    const prompt p = noise(5, 2);
    ingle_generate_options go = options_of(2);
    (void)state;
    go.ignore_eog = true;
    for (size_t i = 0; i < N; i++) {
        go.priority = class[i];
        r[i] = start(s[i] = another_session(&h), &p, &go);
    }
    s[0]->task.arrived -= 11; /* as if it had waited so long */
    for (size_t i = 0; i < N; i++) {
        trail t = {.len = 0};
        assert_int_equal(first_to_run(&h, r, N), order[i]);
        read_all(r[order[i]], &t);
        ingle_request_close(&r[order[i]]);
    }
    for (int i = 0; i < N; i++) ingle_session_close(&s[i]);
    house_close(&h);
}

/* B187: as many wait as option n_queue says; those for which there is a seat do not wait. */
static void queue_is_bounded(void **state)
{
    ingle_engine_options eo = small_engine(64, 4);
    eo.n_parallel = 2;
    eo.n_queue = 1;
    house h = house_open(&eo);
    ingle_session *s[4];
    ingle_request *r[4];
    const prompt p = noise(5, 2);
    ingle_generate_options go = options_of(3);
    ingle_error err;
    (void)state;
    for (int i = 0; i < 4; i++) s[i] = another_session(&h);
    for (int i = 0; i < 3; i++) r[i] = start(s[i], &p, &go);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(ingle_request_start(&r[3], s[3], p.tokens, p.n, &go, &err), INGLE_EQUEUE);
        assert_text(&err, "n_queue");
        assert_null(r[3]);
        step(&h);
    }
    assert_int_equal(n_held(s[3]), 0);
    trail t = {.len = 0};
    read_all(r[0], &t);
    r[3] = start(s[3], &p, &go);
    for (int i = 0; i < 4; i++) ingle_request_close(&r[i]), ingle_session_close(&s[i]);
    house_close(&h);
}

/* ---- callbacks ---- */

typedef struct inner {
    ingle_session *own, *other;
    size_t n;
} inner;

static bool use_sessions(void *user, const ingle_event *e)
{
    inner *in = user;
    int32_t token = 7;
    if (e->kind != INGLE_EVENT_TOKEN) return true;
    in->n++;
    return ingle_session_eval(in->own, &token, 1, INGLE_ROWS_LAST, NULL) == INGLE_EBUSY &&
           ingle_session_truncate(in->own, 0, NULL) == INGLE_EBUSY &&
           ingle_session_eval(in->other, &token, 1, INGLE_ROWS_LAST, NULL) == INGLE_OK;
}

/* A callback of ingle_generate() may use the engine, other sessions, and not its own. */
static void callbacks_call_in(void **state)
{
    house h = house_of(128, 2);
    inner in = {h.session, another_session(&h), 0};
    const prompt p = prompt_of(&h, STORY);
    const ingle_sampler_options so = sampling_of(0, 1);
    ingle_sampler *sampler = sampler_of(&h, &so);
    ingle_generate_options go = options_of(20);
    ingle_generate_result result = {.size = sizeof result};
    ingle_error err;
    (void)state;
    go.ignore_eog = true, go.on_event = use_sessions, go.user = &in;
    must(ingle_generate(h.session, sampler, p.tokens, p.n, &go, &result, &err), &err);
    assert_int_equal(result.finish, INGLE_FINISH_LENGTH);
    assert_int_equal(in.n, 20);
    assert_int_equal(n_held(in.other), 20);
    ingle_sampler_close(&sampler);
    ingle_session_close(&in.other);
    house_close(&h);
}

/* ---- counting ---- */

static uint64_t n_in(const ingle_histogram *histogram)
{
    uint64_t n = 0;
    for (size_t i = 0; i < INGLE_HISTOGRAM; i++) n += histogram->count[i];
    return n;
}

/* B188 */
static void counters(void **state)
{
    house h = house_of(128, 2);
    const prompt p = noise(10, 1);
    ingle_generate_options go = options_of(5);
    ingle_error err;
    trail t = {.len = 0};
    (void)state;
    go.ignore_eog = true;
    run_request(h.session, &p, &go, &t);
    ingle_stats stats = stats_of(&h);
    assert_true(stats.n_steps >= 5 && stats.n_steps <= 6);
    assert_int_equal(stats.n_tokens, 14);
    assert_int_equal(stats.n_generated, 5);
    assert_int_equal(stats.n_requests, 1);
    assert_int_equal(stats.n_cancelled, 0);
    assert_int_equal(stats.n_failed, 0);
    assert_int_equal(n_in(&stats.queue), 1);
    assert_int_equal(n_in(&stats.first_token), 1);
    assert_int_equal(n_in(&stats.gap), 4);
    assert_int_equal(n_in(&stats.step), stats.n_steps);
    assert_true(stats.step.sum > 0 && stats.queue.sum >= 0);
    assert_int_equal(stats.n_running + stats.n_queued, 0);
    assert_int_equal(stats.n_pages, 8);
    assert_int_equal(stats.n_pages_free, 7);
    must(ingle_session_truncate(h.session, 0, &err), &err);
    ingle_request *r = start(h.session, &p, &go);
    step(&h);
    must(ingle_request_cancel(r, &err), &err);
    must(ingle_request_cancel(r, &err), &err);
    ingle_request_close(&r);
    assert_int_equal(stats_of(&h).n_cancelled, 1);
    must(ingle_engine_stats_reset(h.engine, &err), &err);
    stats = stats_of(&h);
    assert_true(!stats.n_steps && !stats.n_requests && !n_in(&stats.step) && stats.n_pages == 8);
    assert_int_equal(ingle_engine_stats_get(NULL, &stats, &err), INGLE_ECLOSED);
    assert_int_equal(ingle_engine_stats_reset(NULL, &err), INGLE_ECLOSED);
    assert_int_equal(ingle_engine_stats_get(h.engine, NULL, &err), INGLE_EINVAL);
    house_close(&h);
}

/* ---- callers with loops of their own ---- */

static void *eval_later(void *arg)
{
    const struct timespec pause = {0, 50 * 1000 * 1000};
    const int32_t token = 301;
    ingle_error err;
    nanosleep(&pause, NULL);
    must(ingle_session_eval(arg, &token, 1, INGLE_ROWS_LAST, &err), &err);
    return NULL;
}

/* Who steps first waits for those that shared the last step, for a share of what it took. */
static void loops_share_steps(void **state)
{
    house h = house_of(64, 2);
    const prompt p = noise(3, 1);
    ingle_session *other = another_session(&h);
    ingle_error err;
    pthread_t thread;
    (void)state;
    must(ingle_session_eval(h.session, p.tokens, 1, INGLE_ROWS_LAST, &err), &err);
    for (size_t i = 0; i < 2; i++) {
        uint64_t before = stats_of(&h).n_steps;
        h.engine->n_loops = 2;
        h.engine->ended = ingle_now();
        h.engine->took = i ? 0 : 1000; /* as if the last step had taken that long */
        assert_int_equal(pthread_create(&thread, NULL, eval_later, other), 0);
        must(ingle_session_eval(h.session, p.tokens + 1, 1, INGLE_ROWS_LAST, &err), &err);
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_int_equal(stats_of(&h).n_steps - before, 1 + i);
        assert_int_equal(h.engine->n_loops, i ? 1 : 2);
    }
    ingle_session_close(&other);
    house_close(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loops_share_steps),
        cmocka_unit_test(events_in_order),
        cmocka_unit_test(older_event_structs),
        cmocka_unit_test(equals_generate_and_loop),
        cmocka_unit_test(stops_of_requests),
        cmocka_unit_test(stop_tokens_of_requests),
        cmocka_unit_test(log_probabilities),
        cmocka_unit_test(options_are_checked),
        cmocka_unit_test(statuses_have_names),
        cmocka_unit_test(prompts_are_checked),
        cmocka_unit_test(lengths),
        cmocka_unit_test(failures_reach_the_reader),
        cmocka_unit_test(timelines),
        cmocka_unit_test(eval_of_none),
        cmocka_unit_test(eval_that_fails_half_way),
        cmocka_unit_test(sessions_at_rest),
        cmocka_unit_test(slow_reader),
        cmocka_unit_test(lock_step),
        cmocka_unit_test(threads_share_steps),
        cmocka_unit_test(more_than_seats),
        cmocka_unit_test(classes),
        cmocka_unit_test(queue_is_bounded),
        cmocka_unit_test(callbacks_call_in),
        cmocka_unit_test(counters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
