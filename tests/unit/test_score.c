/* test_score.c - log-probabilities of given tokens: of ingle_session_score() and of a request's
 * prompt, against the logits of an eval and libm's own sums. */
#define _GNU_SOURCE
#include "requests.h"

enum { N = 50, N_BEFORE = 17, MOST_TOP = 100 };

/* ln of the sum over a row, from its largest logit on. */
static double sum_of(const float *row)
{
    double most = -INFINITY, sum = 0;
    for (size_t i = 0; i < N_VOCAB; i++) most = fmax(most, (double)row[i]);
    for (size_t i = 0; i < N_VOCAB; i++) sum += exp((double)row[i] - most);
    return most + log(sum);
}

static int32_t rank_in(const float *row, int32_t token)
{
    int32_t rank = 0;
    for (int32_t i = 0; i < N_VOCAB; i++)
        rank += row[i] > row[token] || (row[i] == row[token] && i < token);
    return rank;
}

/* What the row of logits says of the token that came next. */
static void expect(const float *row, int32_t token, const ingle_score *score, const ingle_top *top,
                   int32_t n_top)
{
    double sum = sum_of(row);
    assert_true(fabs((double)score->logprob - ((double)row[token] - sum)) < 2e-6);
    assert_true(score->logprob <= 0);
    assert_int_equal(score->rank, rank_in(row, token));
    assert_int_equal(score->n_top, n_top);
    for (int32_t i = 0; i < n_top; i++) {
        assert_int_equal(rank_in(row, top[i].token), i);
        assert_true(fabs((double)top[i].logprob - ((double)row[top[i].token] - sum)) < 2e-6);
    }
}

typedef struct scored {
    ingle_score scores[N];
    ingle_top tops[N * MOST_TOP];
} scored;

static void score(ingle_session *s, const int32_t *tokens, size_t n, int32_t n_top, scored *out)
{
    ingle_error err;
    must(ingle_session_score(s, tokens, n, n_top, out->scores, n_top ? out->tops : NULL, &err),
         &err);
}

static void nothing_before(const ingle_score *score)
{
    assert_true(isnan(score->logprob));
    assert_int_equal(score->rank, -1);
    assert_int_equal(score->n_top, 0);
}

/* B55: with and without earlier tokens, in one piece and in many, whatever was left uncomputed. */
static void scores_are_those_of_rows(void **state)
{
    static const int32_t n_tops[] = {0, 1, 5, MOST_TOP};
    ingle_engine_options eo = small_engine(128, 2);
    eo.n_batch = 16;
    house h = house_open(&eo);
    ingle_session *other = another_session(&h);
    const prompt p = noise(N + N_BEFORE, 3);
    ingle_error err;
    const float *row;
    scored *got = malloc(sizeof *got);
    (void)state;
    assert_non_null(got);
    must(ingle_session_eval(other, p.tokens, p.n, INGLE_ROWS_ALL, &err), &err);
    for (size_t k = 0; k < 8; k++) {
        size_t before = k % 2 ? N_BEFORE : 0;
        int32_t n_top = n_tops[k / 2];
        must(ingle_session_truncate(h.session, 0, &err), &err);
        if (before)
            must(ingle_session_eval(h.session, p.tokens, before, INGLE_ROWS_LAST, &err), &err);
        score(h.session, p.tokens + before, N, n_top, got);
        assert_holds(h.session, p.tokens, before + N);
        if (!before) nothing_before(&got->scores[0]);
        for (size_t i = !before; i < N; i++) {
            must(ingle_session_logits(other, before + i - 1, &row, &err), &err);
            expect(row, p.tokens[before + i], &got->scores[i], got->tops + i * (size_t)n_top,
                   n_top);
        }
        /* it leaves no logits, and goes on like any session */
        assert_int_equal(ingle_session_logits(h.session, 0, &row, &err), INGLE_ENOTFOUND);
        must(ingle_session_eval(h.session, NULL, 0, INGLE_ROWS_LAST, &err), &err);
        const float *want;
        must(ingle_session_logits(h.session, 0, &row, &err), &err);
        must(ingle_session_logits(other, before + N - 1, &want, &err), &err);
        assert_memory_equal(row, want, N_VOCAB * sizeof *row);
    }
    free(got);
    ingle_session_close(&other);
    house_close(&h);
}

/* One token after another gives what all at once give. */
static void scores_one_by_one(void **state)
{
    house h = house_of(128, 2);
    ingle_session *other = another_session(&h);
    const prompt p = noise(N, 4);
    scored *all = calloc(1, sizeof *all), *one = calloc(1, sizeof *one);
    (void)state;
    assert_true(all && one);
    score(h.session, p.tokens, N, 3, all);
    for (size_t i = 0; i < N; i++) {
        score(other, p.tokens + i, 1, 3, one);
        if (i) assert_memory_equal(&one->scores[0], &all->scores[i], sizeof one->scores[0]);
        if (i) assert_memory_equal(one->tops, all->tops + 3 * i, 3 * sizeof *one->tops);
    }
    free(all), free(one);
    ingle_session_close(&other);
    house_close(&h);
}

/* All or nothing. */
static void refused_scores(void **state)
{
    house h = house_of(64, 1);
    prompt p = noise(20, 4);
    ingle_score scores[64];
    ingle_top tops[64];
    ingle_error err;
    const float *row;
    (void)state;
    must(ingle_session_eval(h.session, p.tokens, 10, INGLE_ROWS_LAST, &err), &err);
    uint64_t n_steps = stats_of(&h).n_steps;
    const int32_t bad = N_VOCAB, *t = p.tokens;
#define REFUSED(st, session, tokens, n, n_top, s, to, text)                                        \
    do {                                                                                           \
        assert_int_equal(ingle_session_score(session, tokens, n, n_top, s, to, &err), st);         \
        assert_text(&err, text);                                                                   \
    } while (0)
    REFUSED(INGLE_ECLOSED, NULL, t, 1, 0, scores, NULL, "closed");
    REFUSED(INGLE_EINVAL, h.session, t, 0, 0, scores, NULL, "no tokens");
    REFUSED(INGLE_EINVAL, h.session, t, 1, -1, scores, tops, "n_top");
    REFUSED(INGLE_EINVAL, h.session, t, 1, 101, scores, tops, "n_top");
    REFUSED(INGLE_EINVAL, h.session, t, 1, 1, scores, NULL, "NULL");
    REFUSED(INGLE_EINVAL, h.session, t, 1, 0, NULL, NULL, "NULL");
    REFUSED(INGLE_EINVAL, h.session, NULL, 1, 0, scores, NULL, "NULL");
    REFUSED(INGLE_EINVAL, h.session, &bad, 1, 0, scores, NULL, "2048");
    p = noise(60, 1);
    REFUSED(INGLE_EFULL, h.session, p.tokens, 55, 0, scores, NULL, "do not fit");
#undef REFUSED
    must(ingle_session_logits(h.session, 0, &row, &err), &err);
    assert_int_equal(n_held(h.session), 10);
    assert_int_equal(stats_of(&h).n_steps, n_steps);
    house_close(&h);
}

typedef struct scorer {
    ingle_session *s;
    prompt p;
    ingle_score scores[200];
    ingle_status status;
} scorer;

static void *score_in_thread(void *arg)
{
    scorer *v = arg;
    v->status = ingle_session_score(v->s, v->p.tokens, 200, 0, v->scores, NULL, NULL);
    return NULL;
}

/* Ended half-way by its engine: nothing of it is left. */
static void scoring_ended_half_way(void **state)
{
    ingle_engine_options eo = small_engine(256, 1);
    eo.n_batch = 16;
    house h = house_open(&eo);
    ingle_error err;
    pthread_t thread;
    scorer v = {.s = h.session, .p = noise(200, 2)};
    (void)state;
    must(ingle_session_eval(h.session, v.p.tokens, 5, INGLE_ROWS_LAST, &err), &err);
    ingle_engine_lock(h.engine);
    ingle_wheel_take(h.engine);
    assert_int_equal(pthread_create(&thread, NULL, score_in_thread, &v), 0);
    while (h.session->task.state != INGLE_TASK_QUEUED) {
        ingle_engine_unlock(h.engine);
        ingle_engine_lock(h.engine);
    }
    assert_true(ingle_engine_step_once(h.engine) > 0);
    h.engine->closed = true;
    ingle_wheel_put(h.engine);
    ingle_engine_unlock(h.engine);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(v.status, INGLE_ECLOSED);
    assert_int_equal(h.session->n, 5);
    house_close(&h);
}

/* ---- of a request's prompt ---- */

/* B54 B55: an event for every token of the prompt, before the first of the answer. */
static void prompt_scores(void **state)
{
    static const int32_t n_tops[] = {0, 4, MOST_TOP}, most[] = {0, 1, 10};
    ingle_engine_options eo = small_engine(128, 2);
    eo.n_batch = 16;
    house h = house_open(&eo);
    ingle_session *other = another_session(&h);
    const prompt p = noise(N, 6);
    ingle_error err;
    const float *row;
    (void)state;
    must(ingle_session_eval(other, p.tokens, p.n, INGLE_ROWS_ALL, &err), &err);
    for (size_t k = 0; k < 9; k++) {
        ingle_generate_options go = options_of(most[k / 3]);
        ingle_event event = {.size = sizeof event};
        trail t = {.len = 0};
        go.ignore_eog = true, go.prompt_logprobs = n_tops[k % 3];
        must(ingle_session_truncate(h.session, 0, &err), &err);
        ingle_request *r = start(h.session, &p, &go);
        while (event.kind != INGLE_EVENT_END) {
            must(ingle_request_next(r, -1, &event, &err), &err);
            note_event(&t, &event);
            if (event.kind != INGLE_EVENT_SCORE) continue;
            size_t i = event.n_done;
            const ingle_score got = {event.logprob, i ? 0 : -1, (int32_t)event.n_top};
            assert_int_equal(event.token, p.tokens[i]);
            assert_int_equal(event.text_len, 0);
            if (!i) {
                nothing_before(&got);
                continue;
            }
            must(ingle_session_logits(other, i - 1, &row, &err), &err);
            ingle_score score = got;
            score.rank = rank_in(row, event.token);
            expect(row, event.token, &score, event.top, n_tops[k % 3]);
        }
        assert_int_equal(t.n_scores, N);
        assert_int_equal(t.n_tokens, (size_t)most[k / 3]);
        ingle_request_close(&r);
    }
    ingle_session_close(&other);
    house_close(&h);
}

/* Asking for them changes nothing else. */
static void scores_beside_tokens(void **state)
{
    house h = house_of(128, 1);
    const prompt p = prompt_of(&h, STORY);
    const ingle_sampler_options so = sampling_of(1, 8);
    ingle_generate_options go = options_of(30);
    trail plain = {.len = 0}, asked = {.len = 0};
    (void)state;
    go.sampling = &so, go.ignore_eog = true;
    run_request(h.session, &p, &go, &plain);
    go.prompt_logprobs = 2;
    run_request(h.session, &p, &go, &asked);
    assert_int_equal(plain.n_scores, 0);
    assert_int_equal(asked.n_scores, p.n);
    assert_string_equal(plain.text, asked.text);
    house_close(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scores_are_those_of_rows),
        cmocka_unit_test(scores_one_by_one),
        cmocka_unit_test(refused_scores),
        cmocka_unit_test(scoring_ended_half_way),
        cmocka_unit_test(prompt_scores),
        cmocka_unit_test(scores_beside_tokens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
