/* test_choices.c - several answers to one prompt: their events and their ends. That each says what a
 * request of its own says is in test_reuse.c, for every kind of layer. */
#include "requests.h"

enum { MOST_CHOICES = 5 };

typedef struct choices {
    trail of[MOST_CHOICES];
    size_t n_ends;
    ingle_status status;
    ingle_error error;
} choices;

static bool note_choice(void *user, const ingle_event *e)
{
    choices *c = user;
    assert_true(e->i_choice < MOST_CHOICES);
    for (size_t i = 1; e->kind == INGLE_EVENT_PROMPT && i < MOST_CHOICES; i++)
        c->of[i].n_done = e->n_done; /* the prompt is read once */
    note_event(&c->of[e->i_choice], e);
    c->n_ends += e->kind == INGLE_EVENT_END;
    return true;
}

/* Until nothing is left; why. */
static ingle_status read_choices(ingle_request *r, choices *c)
{
    for (;;) {
        ingle_event event = {.size = sizeof event};
        ingle_status st = ingle_request_next(r, -1, &event, &c->error);
        if (st) return c->status = st;
        note_choice(c, &event);
    }
}

static ingle_generate_options several(int32_t n, int32_t max_tokens,
                                      const ingle_sampler_options *so)
{
    ingle_generate_options go = options_of(max_tokens);
    go.n = n;
    go.ignore_eog = true;
    go.sampling = so;
    return go;
}

static void assert_all_end(const choices *c, size_t n, ingle_finish finish)
{
    assert_int_equal(c->status, INGLE_ENOTFOUND);
    assert_int_equal(c->n_ends, n);
    for (size_t i = 0; i < n; i++) assert_int_equal(c->of[i].finish, finish);
}

/* The caller's sampler draws for the first, copies of it for the others. */
static void generate_gives_all(void **state)
{
    static choices c, want;
    house h = house_of(128, 2);
    const prompt p = prompt_of(&h, STORY);
    const ingle_sampler_options so = sampling_of(2, 11);
    ingle_sampler *sampler = sampler_of(&h, &so);
    ingle_generate_options go = several(4, 12, NULL);
    ingle_generate_result result = {.size = sizeof result};
    ingle_error err;
    (void)state;
    go.on_event = note_choice;
    go.user = &c;
    must(ingle_generate(h.session, sampler, p.tokens, p.n, &go, &result, &err), &err);
    assert_int_equal(c.n_ends, 4); /* more than may run at once */
    assert_int_equal(result.n_prompt, p.n);
    assert_int_equal(result.n_generated, 12);
    assert_int_equal(n_held(h.session), p.n + 12);
    for (size_t i = 0; i < 4; i++) {
        const ingle_sampler_options own = sampling_of(2, 11 + i);
        const ingle_generate_options one = several(1, 12, &own);
        memset(&want, 0, sizeof want);
        run_request(h.session, &p, &one, &want.of[0]);
        assert_int_equal(c.of[i].n_tokens, 12);
        assert_string_equal(c.of[i].text, want.of[0].text);
        assert_int_equal(c.of[i].usage.n_prompt, p.n);
        if (i) assert_string_not_equal(c.of[i].text, c.of[0].text);
    }
    ingle_sampler_close(&sampler);
    house_close(&h);
}

static size_t n_calls;

static bool stop_at_third(void *user, const ingle_event *e)
{
    note_choice(user, e);
    return e->kind == INGLE_EVENT_END || ++n_calls < 4;
}

/* Cancelled before it ran, in its prompt, among its answers; out of time; nothing to generate. */
static void all_end_alike(void **state)
{
    static choices c;
    ingle_engine_options eo = small_engine(256, 3);
    eo.n_batch = 16;
    house h = house_open(&eo);
    const prompt p = noise(40, 3);
    ingle_error err;
    (void)state;
    for (size_t n_steps = 0; n_steps < 6; n_steps++) {
        ingle_generate_options go = several(3, 20, NULL);
        memset(&c, 0, sizeof c);
        go.no_reuse = true;
        must(ingle_session_truncate(h.session, 0, &err), &err);
        ingle_request *r = start(h.session, &p, &go);
        for (size_t i = 0; i < n_steps; i++) assert_true(step(&h) > 0);
        must(ingle_request_cancel(r, &err), &err);
        read_choices(r, &c);
        assert_all_end(&c, 3, INGLE_FINISH_CANCELLED);
        ingle_request_close(&r);
        assert_int_equal(n_held(h.session), n_steps < 3 ? n_steps * 16 : 40 + n_steps - 2);
        assert_int_equal(stats_of(&h).n_cancelled, n_steps + 1);
        assert_int_equal(stats_of(&h).n_requests, n_steps + 1);
    }
    ingle_generate_options go = several(3, 200, NULL);
    memset(&c, 0, sizeof c);
    go.deadline_s = 1e-9;
    ingle_request *r = start(another_session(&h), &p, &go);
    read_choices(r, &c);
    assert_all_end(&c, 3, INGLE_FINISH_TIMEOUT);
    ingle_session *s = r->session;
    ingle_request_close(&r);
    ingle_session_close(&s);

    go = several(3, 0, NULL);
    memset(&c, 0, sizeof c);
    must(ingle_session_truncate(h.session, 0, &err), &err);
    r = start(h.session, &p, &go);
    read_choices(r, &c);
    assert_all_end(&c, 3, INGLE_FINISH_LENGTH);
    ingle_request_close(&r);
    assert_int_equal(n_held(h.session), 40);

    const ingle_sampler_options so = sampling_of(1, 1);
    ingle_sampler *sampler = sampler_of(&h, &so);
    go = several(3, 20, NULL);
    memset(&c, 0, sizeof c);
    go.on_event = stop_at_third;
    go.user = &c;
    must(ingle_session_truncate(h.session, 0, &err), &err);
    must(ingle_generate(h.session, sampler, p.tokens, p.n, &go, NULL, &err), &err);
    c.status = INGLE_ENOTFOUND;
    assert_all_end(&c, 3, INGLE_FINISH_CANCELLED);
    ingle_sampler_close(&sampler);
    house_close(&h);
}

/* A deadline that passes while one choice waits for a seat and nobody steps. */
static void waiting_choices_end_in_time(void **state)
{
    static choices c;
    house h = house_of(256, 1);
    const prompt p = noise(20, 4);
    ingle_generate_options go = several(3, 230, NULL);
    (void)state;
    memset(&c, 0, sizeof c);
    go.deadline_s = 0.15;
    ingle_request *r = start(h.session, &p, &go);
    while (!c.of[0].n_tokens) {
        ingle_event event = {.size = sizeof event};
        ingle_error err;
        must(ingle_request_next(r, -1, &event, &err), &err);
        note_choice(&c, &event);
    }
    read_choices(r, &c);
    assert_int_equal(c.status, INGLE_ENOTFOUND);
    assert_int_equal(c.n_ends, 3);
    assert_true(c.of[0].finish == INGLE_FINISH_TIMEOUT || c.of[0].finish == INGLE_FINISH_LENGTH);
    ingle_request_close(&r);
    house_close(&h);
}

static void out_of_range(void **state)
{
    static const int32_t bad[] = {0, -1, 129};
    house h = house_of(64, 1);
    const prompt p = noise(4, 1);
    ingle_request *r;
    ingle_error err;
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        ingle_generate_options go = several(bad[i], 4, NULL);
        assert_int_equal(ingle_request_start(&r, h.session, p.tokens, p.n, &go, &err),
                         INGLE_EINVAL);
        assert_null(r);
        assert_text(&err, "option 'n' is");
    }
    house_close(&h);
}

/* ---- one fails ---- */

typedef struct brittle {
    ingle_constraint base;
    size_t n_left, n_clones;
} brittle;

static ingle_status all(ingle_constraint *c, const uint32_t **bits, ingle_error *err)
{
    (void)c, (void)err;
    *bits = NULL;
    return INGLE_OK;
}

static ingle_status accept(ingle_constraint *c, int32_t token, ingle_error *err)
{
    brittle *b = (brittle *)c;
    (void)token, (void)err;
    return b->n_left-- > 0 ? INGLE_OK : INGLE_EFORMAT;
}

static bool never(const ingle_constraint *c)
{
    (void)c;
    return false;
}

static void free_brittle(ingle_constraint *c)
{
    free(c);
}

/* The second clone admits three tokens and then refuses one. */
static ingle_constraint *clone(const ingle_constraint *c)
{
    brittle *from = (brittle *)c, *b = malloc(sizeof *b);
    assert_non_null(b);
    *b = *from;
    b->n_left = ++from->n_clones == 2 ? 3 : 1000;
    return &b->base;
}

static const ingle_constraint_ops brittle_ops = {.mask = all,
                                                 .accept = accept,
                                                 .may_end = never,
                                                 .must_end = never,
                                                 .clone = clone,
                                                 .free = free_brittle};

static void one_fails_all_do(void **state)
{
    static choices c;
    house h = house_of(128, 4);
    const prompt p = noise(20, 5);
    ingle_error err;
    (void)state;
    must(ingle_session_eval(h.session, p.tokens, 5, INGLE_ROWS_LAST, &err), &err);
    for (int32_t max = 2; max <= 40; max += 19) { /* the first has ended when the third fails */
        brittle *b = malloc(sizeof *b);
        assert_non_null(b);
        *b = (brittle){.base = {&brittle_ops}, .n_left = 1000};
        const ingle_request_inside inside = {.constraint = &b->base};
        const ingle_generate_options go = several(4, max, NULL);
        ingle_request *r;
        memset(&c, 0, sizeof c);
        must(ingle_request_begin(&r, h.session, p.tokens, p.n, &go, &inside, &err), &err);
        read_choices(r, &c);
        ingle_request_close(&r);
        if (max == 2) {
            assert_all_end(&c, 4, INGLE_FINISH_LENGTH);
            must(ingle_session_truncate(h.session, 5, &err), &err);
            continue;
        }
        assert_int_equal(c.status, INGLE_EFORMAT);
        assert_text(&c.error, "refuses");
        assert_int_equal(c.n_ends, 3);
        assert_int_equal(c.of[2].n_tokens, 3);
        assert_int_equal(c.of[2].n_ends, 0);
        assert_int_equal(stats_of(&h).n_queued + stats_of(&h).n_running, 0);
        assert_holds(h.session, p.tokens, 5);
    }
    house_close(&h);
}

/* ---- closed meanwhile ---- */

static void session_closed(void **state)
{
    static choices c;
    house h = house_of(128, 2);
    const prompt p = noise(20, 6);
    const ingle_generate_options go = several(3, 50, NULL);
    (void)state;
    for (size_t n_steps = 0; n_steps < 4; n_steps++) {
        ingle_session *s = another_session(&h);
        memset(&c, 0, sizeof c);
        ingle_request *r = start(s, &p, &go);
        for (size_t i = 0; i < n_steps; i++) step(&h);
        ingle_session_close(&s);
        read_choices(r, &c);
        assert_all_end(&c, 3, INGLE_FINISH_CANCELLED);
        ingle_request_close(&r);
    }
    house_close(&h);
}

static void engine_closed(void **state)
{
    static choices c;
    (void)state;
    for (size_t n_steps = 0; n_steps < 4; n_steps++) {
        house h = house_of(128, 2);
        const prompt p = noise(20, 6);
        const ingle_generate_options go = several(3, 50, NULL);
        memset(&c, 0, sizeof c);
        ingle_request *r = start(h.session, &p, &go);
        for (size_t i = 0; i < n_steps; i++) step(&h);
        ingle_engine_close(&h.engine);
        read_choices(r, &c);
        assert_int_equal(c.status, INGLE_ECLOSED);
        assert_int_equal(c.n_ends, 0);
        ingle_request_close(&r);
        house_close(&h);
    }
}

/* ---- readers ---- */

static void count_ready(void *user)
{
    (*(size_t *)user)++;
}

/* A choice whose events nobody reads waits; it is called for, once a ring was empty. */
static void slow_readers(void **state)
{
    static choices c;
    house h = house_of(256, 3);
    const prompt p = noise(20, 7);
    ingle_generate_options go = several(3, 200, NULL);
    size_t n_ready = 0;
    (void)state;
    memset(&c, 0, sizeof c);
    go.on_ready = count_ready;
    go.user = &n_ready;
    ingle_request *r = start(h.session, &p, &go);
    for (size_t i = 0; i < 100; i++) step(&h);
    assert_int_equal(step(&h), 0); /* all rings are full */
    assert_true(n_ready >= 60);
    read_choices(r, &c);
    assert_all_end(&c, 3, INGLE_FINISH_LENGTH);
    for (size_t i = 0; i < 3; i++) assert_int_equal(c.of[i].n_tokens, 200);
    ingle_request_close(&r);
    house_close(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(generate_gives_all),
        cmocka_unit_test(all_end_alike),
        cmocka_unit_test(waiting_choices_end_in_time),
        cmocka_unit_test(out_of_range),
        cmocka_unit_test(one_fails_all_do),
        cmocka_unit_test(session_closed),
        cmocka_unit_test(engine_closed),
        cmocka_unit_test(slow_readers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
