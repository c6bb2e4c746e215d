/* test_overflow.c - prompts that do not fit the context: refused, or whole messages are dropped. What
 * is computed then is what a session computes that never had them. */
#include "requests.h"

enum { N_CTX = 128 };

/* Messages of 40 tokens. */
static const size_t marks[] = {40, 80, 120, 160, 200};

static ingle_generate_options dropping(size_t n_keep, size_t n_marks)
{
    ingle_generate_options go = options_of(10);
    go.overflow = INGLE_OVERFLOW_DROP;
    go.n_keep = n_keep;
    go.marks = marks;
    go.n_marks = n_marks;
    go.ignore_eog = true;
    return go;
}

/* Runs the request on the session; then the same answer must come of `want` alone. */
static ingle_usage equals(house *h, ingle_session *s, const prompt *p,
                          const ingle_generate_options *go, const prompt *want)
{
    trail got = trail_open(), alone = trail_open();
    ingle_generate_options plain = *go;
    ingle_request *r = start(s, p, go);
    read_all(r, &got);
    ingle_request_close(&r);
    assert_int_equal(got.status, INGLE_OK);
    ingle_session *fresh = another_session(h);
    plain.overflow = INGLE_OVERFLOW_ERROR;
    plain.n_marks = 0;
    plain.no_reuse = true;
    run_request(fresh, want, &plain, &alone);
    same_trail("after a drop", &alone, &got);
    const int32_t *tokens;
    size_t n;
    ingle_error err;
    must(ingle_session_tokens(fresh, &tokens, &n, &err), &err);
    assert_int_equal(n, want->n + alone.n_tokens);
    assert_holds(s, tokens, n);
    ingle_session_close(&fresh);
    ingle_usage usage = got.usage;
    trail_close(&got);
    trail_close(&alone);
    return usage;
}

static prompt without(const prompt *p, size_t from, size_t to)
{
    prompt q = *p;
    memmove(q.tokens + from, q.tokens + to, (p->n - to) * sizeof *q.tokens);
    q.n -= to - from;
    return q;
}

static prompt joined(const prompt *a, const prompt *b)
{
    prompt q = *a;
    memcpy(q.tokens + a->n, b->tokens, b->n * sizeof *b->tokens);
    q.n += b->n;
    return q;
}

/* ---- in one prompt ---- */

static void of_a_prompt(void **state)
{
    static const struct {
        size_t n, n_keep, n_marks, from, to;
    } cases[] = {
        {100, 0, 2, 0, 0},   /* it fits with its answer */
        {119, 0, 2, 0, 80},  /* it fits, but with no room for 10 tokens */
        {119, 0, 0, 0, 0},   /* nothing is known that could go: there is room for 9 */
        {200, 0, 4, 0, 160}, /* till half of the context is free */
        {150, 0, 3, 0, 120},
        {180, 40, 4, 40, 160},
        {180, 1, 4, 40, 160}, /* the message goes on */
        {180, 41, 4, 80, 160},
        {168, 81, 4, 120, 160}, /* 128 tokens are too many: refused, see below */
        {200, 40, 5, 40, 160},  /* the mark at the end is none: something has to be left */
    };
    house h = house_of(N_CTX, 3);
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const prompt p = noise(cases[i].n, 7), q = without(&p, cases[i].from, cases[i].to);
        const ingle_generate_options go = dropping(cases[i].n_keep, cases[i].n_marks);
        ingle_session *s = another_session(&h);
        if (q.n < N_CTX) {
            ingle_usage usage = equals(&h, s, &p, &go, &q);
            assert_int_equal(usage.n_dropped, cases[i].to - cases[i].from);
            if (usage.n_dropped) assert_int_equal(usage.i_dropped, cases[i].from);
            assert_int_equal(usage.n_prompt, p.n);
        } else {
            ingle_request *r;
            ingle_error err;
            assert_int_equal(ingle_request_start(&r, s, p.tokens, p.n, &go, &err), INGLE_EFULL);
            assert_text(&err, "'overflow' may drop 40");
            assert_int_equal(n_held(s), 0);
        }
        ingle_session_close(&s);
    }
    house_close(&h);
}

/* ---- over turns ---- */

static void of_a_session(void **state)
{
    house h = house_of(N_CTX, 3);
    const prompt system = noise(20, 1), one = noise(20, 2), two = noise(30, 3),
                 long_ = noise(60, 4);
    const size_t ends[] = {20, 40}, end[] = {4, 30}, last[] = {3};
    ingle_generate_options go = dropping(20, 2);
    ingle_error err;
    (void)state;
    prompt first = joined(&system, &one);
    go.marks = ends;
    equals(&h, h.session, &first, &go, &first); /* 50 tokens, ends at 20 and 40 */
    prompt all = {.n = n_held(h.session)};
    const int32_t *tokens;
    must(ingle_session_tokens(h.session, &tokens, NULL, &err), &err);
    memcpy(all.tokens, tokens, all.n * sizeof *tokens);
    go.marks = end;
    prompt want = joined(&all, &two);
    equals(&h, h.session, &two, &go, &want); /* 90 tokens, ends at 54 and 80 too */

    all.n = n_held(h.session);
    must(ingle_session_tokens(h.session, &tokens, NULL, &err), &err);
    memcpy(all.tokens, tokens, all.n * sizeof *tokens);
    ingle_session *fork;
    must(ingle_session_fork(&fork, h.session, all.n, &err), &err);
    go.marks = last;
    go.n_marks = 1;
    want = joined(&all, &long_);
    want = without(&want, 20, 93); /* into the prompt */
    ingle_usage usage = equals(&h, h.session, &long_, &go, &want);
    assert_int_equal(usage.n_dropped, 73);
    assert_int_equal(usage.i_dropped, 20);

    /* A fork has the ends too; those that were cut off are none any more. */
    go.n_marks = 0;
    want = joined(&all, &long_);
    want = without(&want, 20, 80);
    assert_int_equal(equals(&h, fork, &long_, &go, &want).n_dropped, 60);
    must(ingle_session_truncate(fork, 79, &err), &err);
    must(ingle_session_truncate(fork, 19, &err), &err);
    ingle_request *r;
    const prompt more = noise(110, 9);
    assert_int_equal(ingle_request_start(&r, fork, more.tokens, more.n, &go, &err), INGLE_EFULL);
    ingle_session_close(&fork);
    house_close(&h);
}

/* ---- failures ---- */

/* A request that fails has dropped nothing. */
static void fails(void **state)
{
    house h = house_of(N_CTX, 1);
    const prompt p = noise(100, 5), more = noise(60, 6);
    ingle_generate_options go = dropping(0, 2);
    trail t = {.len = 0};
    (void)state;
    go.max_tokens = 0;
    ingle_request *r = start(h.session, &p, &go);
    read_all(r, &t);
    ingle_request_close(&r);
    assert_holds(h.session, p.tokens, 100);
    go.queue_s = 1e-9;
    go.n_marks = 1;
    go.max_tokens = 4;
    for (size_t i = 0; i < 2; i++) {
        t = (trail){.len = 0};
        r = start(h.session, &more, &go);
        read_all(r, &t);
        ingle_request_close(&r);
        assert_int_equal(t.status, INGLE_EQUEUE);
        assert_holds(h.session, p.tokens, 100);
    }
    go.queue_s = 0;
    prompt want = joined(&p, &more);
    want = without(&want, 0, 140); /* as the only mark below half */
    assert_int_equal(equals(&h, h.session, &more, &go, &want).n_dropped, 140);
    house_close(&h);
}

static void is_refused(void **state)
{
    house h = house_of(N_CTX, 1);
    const prompt p = noise(200, 5);
    ingle_generate_options go = dropping(0, 5);
    ingle_request *r;
    ingle_error err;
    (void)state;
    go.overflow = INGLE_OVERFLOW_ERROR;
    assert_int_equal(ingle_request_start(&r, h.session, p.tokens, p.n, &go, &err), INGLE_EFULL);
    assert_text(&err, "do not fit");
    go.overflow = (ingle_overflow)2;
    assert_int_equal(ingle_request_start(&r, h.session, p.tokens, p.n, &go, &err), INGLE_EINVAL);
    assert_text(&err, "option 'overflow' is 2");
    go.overflow = INGLE_OVERFLOW_DROP;
    go.prompt_logprobs = 0;
    assert_int_equal(ingle_request_start(&r, h.session, p.tokens, p.n, &go, &err), INGLE_EINVAL);
    assert_text(&err, "exclude each other");
    go.prompt_logprobs = -1;
    go.n_marks = 0;
    assert_int_equal(ingle_request_start(&r, h.session, p.tokens, p.n, &go, &err), INGLE_EFULL);
    assert_text(&err, "option 'marks'");
    /* a count that cannot be right is refused before the tokens are looked at */
    assert_int_equal(ingle_request_start(&r, h.session, p.tokens, SIZE_MAX, &go, &err),
                     INGLE_EFULL);
    prompt bad = p;
    bad.tokens[150] = N_VOCAB;
    go.n_marks = 5;
    assert_int_equal(ingle_request_start(&r, h.session, bad.tokens, bad.n, &go, &err),
                     INGLE_EINVAL);
    assert_text(&err, "token 150 is");
    assert_int_equal(n_held(h.session), 0);
    house_close(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_a_prompt),
        cmocka_unit_test(of_a_session),
        cmocka_unit_test(fails),
        cmocka_unit_test(is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
