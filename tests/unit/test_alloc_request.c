/* test_alloc_request.c - every allocation of starting a request fails once: nothing has changed
 * then and nothing is left behind. Once a request runs there are none, whatever it was asked for:
 * not for its tokens, nor for scores. */
#include "requests.h"

#include "wrap_alloc.h"

enum { N_LONG = 1400 };

static const ingle_stop stops[] = {{"never to be found", 17}, {"nor is this", 11}, {"\xff", 1}};
static const int32_t stop_tokens[] = {2046, 2045};
static const ingle_logit_bias bias[] = {{5, -1.5f}, {9, -INFINITY}};
static const char *const breakers[] = {"\n", ". ", "said"};

static ingle_sampler_options much_sampling(void)
{
    ingle_sampler_options so;
    ingle_sampler_options_init(&so);
    so.seed = 7;
    so.repeat_penalty = 1.2f;
    so.penalty_last_n = -1;
    so.dry_multiplier = 0.8f;
    so.dry_breakers = breakers;
    so.n_dry_breakers = 3;
    so.logit_bias = bias;
    so.n_logit_bias = 2;
    return so;
}

static ingle_generate_options much(const ingle_sampler_options *so, int32_t max_tokens)
{
    ingle_generate_options go = options_of(max_tokens);
    go.sampling = so;
    go.logprobs = 3;
    go.prompt_logprobs = 2;
    go.ignore_eog = true;
    go.stops = stops;
    go.n_stops = 3;
    go.stop_tokens = stop_tokens;
    go.n_stop_tokens = 2;
    return go;
}

static ingle_chat *thinking_chat(const house *h)
{
    ingle_chat_options co;
    ingle_chat *chat;
    ingle_error err;
    ingle_chat_options_init(&co);
    co.family = "qwen3";
    must(ingle_chat_open(&chat, h->model, &co, &err), &err);
    return chat;
}

/* Thinking that comes to an end, and a least length. */
static void limit(ingle_generate_options *go, ingle_chat *chat)
{
    go->chat = chat;
    go->thinks = true;
    go->n_thinking = 4;
    go->min_tokens = go->max_tokens;
}

/* ---- starting ---- */

static void start_fails_with(bool limited)
{
    house h = house_of(128, 1);
    const prompt p = noise(20, 1);
    const ingle_sampler_options so = much_sampling();
    ingle_generate_options go = much(&so, 10);
    ingle_error err;
    const float *row;
    float first[8];
    long n = 1;
    ingle_chat *chat = thinking_chat(&h);
    go.n = 3;
    if (limited) limit(&go, chat);
    must(ingle_session_eval(h.session, p.tokens, 7, INGLE_ROWS_LAST, &err), &err);
    must(ingle_session_logits(h.session, 0, &row, &err), &err);
    memcpy(first, row, sizeof first);
    for (bool reached = true; reached; n++) {
        ingle_request *r;
        wrap_alloc_begin(n);
        ingle_status st = ingle_request_start(&r, h.session, p.tokens, p.n, &go, &err);
        ingle_request_close(&r);
        reached = wrap_alloc_end();
        assert_int_equal(wrap_alloc_live(), 0);
        assert_int_equal(st, reached ? INGLE_ENOMEM : INGLE_OK);
        if (reached) assert_text(&err, "memory");
        assert_holds(h.session, p.tokens, 7);
        must(ingle_session_logits(h.session, 0, &row, &err), &err);
        assert_memory_equal(row, first, sizeof first);
        assert_int_equal(stats_of(&h).n_requests, !reached);
        assert_int_equal(stats_of(&h).n_queued, 0);
    }
    assert_true(n > 15);                          /* it is told what is missing, many times */
    ingle_request *r = start(h.session, &p, &go); /* and it still works */
    for (size_t n_ends = 0; n_ends < 3;) {
        ingle_event event = {.size = sizeof event};
        must(ingle_request_next(r, -1, &event, &err), &err);
        if (event.kind != INGLE_EVENT_END) continue;
        assert_int_equal(event.usage.n_generated, 10);
        n_ends++;
    }
    ingle_request_close(&r);
    ingle_chat_close(&chat);
    house_close(&h);
}

static void start_fails(void **state)
{
    (void)state;
    start_fails_with(false);
    start_fails_with(true);
}

/* ---- running ---- */

/* From the first event to the last there is no allocation, nor is there one in closing. */
static void none_while_it_runs(void **state)
{
    house h = house_of(256, 1);
    const prompt p = noise(60, 1);
    ingle_chat *chat = thinking_chat(&h);
    (void)state;
    for (size_t i = 0; i <= N_SAMPLINGS; i += SAMPLING_STEP) {
        const ingle_sampler_options so = i < N_SAMPLINGS ? sampling_of(i, i) : much_sampling();
        ingle_generate_options go = much(&so, 100);
        if (i % 2) limit(&go, chat);
        trail t = {.len = 0};
        ingle_error err;
        must(ingle_session_truncate(h.session, 0, &err), &err);
        ingle_request *r = start(h.session, &p, &go);
        wrap_alloc_begin(0);
        read_all(r, &t);
        wrap_alloc_end();
        assert_int_equal(wrap_alloc_calls(), 0);
        assert_int_equal(t.n_tokens, 100);
        assert_int_equal(t.n_scores, 60);
        ingle_request_close(&r);
    }
    ingle_chat_close(&chat);
    house_close(&h);
}

typedef struct count {
    size_t n_tokens;
    long n_calls;
} count;

static bool count_calls(void *user, const ingle_event *e)
{
    count *c = user;
    if (e->kind == INGLE_EVENT_PROMPT) wrap_alloc_begin(0);
    c->n_tokens += e->kind == INGLE_EVENT_TOKEN;
    if (e->kind != INGLE_EVENT_END) return true;
    wrap_alloc_end();
    c->n_calls += wrap_alloc_calls();
    return true;
}

/* A lent sampler whose history grows from one generation to the next. */
static void none_with_a_lent_sampler(void **state)
{
    house h = house_of(N_LONG, 1);
    const ingle_sampler_options so = much_sampling();
    ingle_sampler *sampler = sampler_of(&h, &so);
    const prompt p = noise(100, 1);
    count c = {0};
    ingle_error err;
    (void)state;
    ingle_generate_options go = much(NULL, 0);
    go.on_event = count_calls, go.user = &c;
    for (size_t n = 0; n < N_LONG; n += (size_t)go.max_tokens) {
        bool first = n == 0;
        go.prompt_logprobs = -1;
        go.max_tokens = (int32_t)(first ? 400 : 500);
        must(ingle_generate(h.session, sampler, p.tokens, first ? p.n : 0, &go, NULL, &err), &err);
    }
    assert_int_equal(c.n_tokens, N_LONG - 100);
    assert_int_equal(c.n_calls, 0);
    ingle_sampler_close(&sampler);
    house_close(&h);
}

/* Rows of logits are reduced where they are made. */
static void none_for_scores(void **state)
{
    house h = house_of(512, 1);
    const prompt p = noise(500, 1);
    ingle_score *scores = calloc(500, sizeof *scores);
    ingle_top *tops = calloc(500 * 10, sizeof *tops);
    ingle_error err;
    (void)state;
    assert_true(scores && tops);
    wrap_alloc_begin(1); /* and so none can fail */
    ingle_status st = ingle_session_score(h.session, p.tokens, 500, 10, scores, tops, &err);
    wrap_alloc_end();
    must(st, &err);
    assert_int_equal(wrap_alloc_calls(), 0);
    free(scores), free(tops);
    house_close(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(start_fails),
        cmocka_unit_test(none_while_it_runs),
        cmocka_unit_test(none_with_a_lent_sampler),
        cmocka_unit_test(none_for_scores),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
