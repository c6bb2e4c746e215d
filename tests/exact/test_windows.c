/* test_windows.c - models with sliding windows, whose sessions keep few pages of windowed layers: the
 * bits are those of an engine that keeps all, however long the session grows and wherever it is cut
 * back to. */
#include <ingle_tools.h>

#include "exact/fixture.h"

#define N_TOKENS 700
#define N_CTX    704
#define N_BATCH  32

static const char *const models[] = {"gemma2",   "gemma3",  "gpt-oss",
                                     "gemma4-e", "gemma3n", "cohere2"};
enum { N_MODELS = sizeof models / sizeof *models };

static const setup all_kept = {
    .n_batch = N_CTX, .n_threads = 2, .split = N_TOKENS, .kv = INGLE_TYPE_F16};
static const setup few_kept = {.n_batch = N_BATCH, .n_threads = 2, .kv = INGLE_TYPE_F16};

static const float *want_row(const fixture *f, size_t i)
{
    return f->want + i * f->g.n_vocab;
}

static void eval(ingle_session *s, const int32_t *tokens, size_t n)
{
    ingle_error err;
    must(ingle_session_eval(s, tokens, n, INGLE_ROWS_LAST, &err), &err);
}

static void same_row(const fixture *f, ingle_session *s, size_t n, const char *what)
{
    const float *row;
    ingle_error err;
    must(ingle_session_logits(s, 0, &row, &err), &err);
    same(&f->g, what, want_row(f, n - 1), row, 1);
}

/* In pieces of many sizes; then answers of one token at a time. */
static void grow(fixture *f)
{
    static const size_t pieces[] = {1, 7, 32, 33, 100, 5, 250, 64};
    runner r;
    size_t n = 0;
    open_with(&r, &f->g, &few_kept, N_CTX, 1);
    for (size_t i = 0; n < 600; i++) {
        size_t part = pieces[i % 8];
        eval(r.session, f->tokens + n, part);
        same_row(f, r.session, n += part, "in pieces");
    }
    for (; n < N_TOKENS; n++) {
        eval(r.session, f->tokens + n, 1);
        same_row(f, r.session, n + 1, "one by one");
    }
    runner_close(&r);
}

/* After a prompt and an answer, the session goes elsewhere, is cut back and goes on. */
static void cut_back(fixture *f)
{
    static const size_t keep[] = {400, 399, 380, 650, 390, 640, 100, 32, 31, 1, 0, 330, 0, 401};
    runner r;
    open_with(&r, &f->g, &few_kept, N_CTX, 1);
    size_t at = 0;
    for (size_t i = 0; i < sizeof keep / sizeof *keep; i++) {
        ingle_error err;
        if (at < 330) eval(r.session, f->tokens + at, 330 - at), at = 330;
        if (at < 400) eval(r.session, f->tokens + at, 400 - at), at = 400;
        for (; at < 500 + 10 * i; at++) eval(r.session, f->tokens + at, 1);
        if (i % 2) eval(r.session, f->other, 40), at += 40;
        size_t n = keep[i] < at ? keep[i] : at - (i % 2 ? 41 : 1);
        must(ingle_session_truncate(r.session, n + (at - n) / 2, &err), &err);
        must(ingle_session_truncate(r.session, n, &err), &err);
        eval(r.session, f->tokens + n, 1);
        same_row(f, r.session, at = n + 1, "cut back");
        eval(r.session, f->tokens + at, 20);
        same_row(f, r.session, at += 20, "cut back and on");
    }
    runner_close(&r);
}

/* Sessions share the pools: one more than there are pages for takes those of the one that has been
 * idle longest, which computes its tokens again when it goes on. */
static void neighbours(fixture *f)
{
    ingle_error err;
    runner r;
    ingle_session *b, *c;
    open_with(&r, &f->g, &few_kept, N_CTX, 2);
    must(ingle_session_open(&b, r.engine, &err), &err);
    must(ingle_session_open(&c, r.engine, &err), &err);
    r.session->shares = b->shares = c->shares = false; /* each has pages of its own */
    for (size_t n = 0; n < 600; n += 50) {
        ingle_eval both[] = {{r.session, f->tokens + n, 50, INGLE_ROWS_LAST},
                             {b, f->tokens + n, 50, INGLE_ROWS_LAST}};
        must(ingle_sessions_eval(both, 2, &err), &err);
        same_row(f, r.session, n + 50, "beside another");
        same_row(f, b, n + 50, "beside another");
    }
    /* there are pages enough for layers that see everything, not for the others */
    size_t n_free = r.engine->pool[INGLE_GROUP_ALL].n_free;
    assert_true(n_free > 3);
    assert_int_equal(r.engine->stats.n_relaxed, 0);
    for (size_t n = 0; n < 600; n += 150) {
        eval(c, f->tokens + n, 150);
        same_row(f, c, n + 150, "on another's pages");
    }
    assert_int_equal(r.engine->stats.n_relaxed, 1);
    assert_int_equal(r.session->n_live, 0);
    eval(b, f->tokens + 600, 100);
    same_row(f, b, 700, "beside a session that lost its pages");
    eval(r.session, f->tokens + 600, 100);
    same_row(f, r.session, 700, "having lost its pages");
    ingle_session_close(&b);
    ingle_session_close(&c);
    runner_close(&r);
}

/* A prompt of many batches and an answer, taken back at once: nothing has to be computed again. */
static void answer_again(fixture *f)
{
    runner r;
    open_with(&r, &f->g, &few_kept, N_CTX, 1);
    eval(r.session, f->tokens, 200);
    for (size_t n = 200; n < 230; n++) eval(r.session, f->tokens + n, 1);
    for (int round = 0; round < 2; round++) {
        ingle_error err;
        for (size_t n = 230; n < 530; n += 30) eval(r.session, f->tokens + n, 30);
        for (size_t n = 530; n < 690; n++) eval(r.session, f->tokens + n, 1);
        must(ingle_session_truncate(r.session, 529, &err), &err);
        assert_int_equal(r.session->n_live, 529);
        must(ingle_session_truncate(r.session, 230, &err), &err);
        assert_int_equal(r.session->n_live, 230);
    }
    eval(r.session, f->tokens + 230, 1);
    same_row(f, r.session, 231, "answered twice");
    runner_close(&r);
}

/* Sixteen times the context costs the windowed layers nothing. */
static void memory(fixture *f)
{
    ingle_error err;
    runner r;
    size_t kv[3];
    open_with(&r, &f->g, &few_kept, N_CTX, 1);
    for (int i = 0; i < 3; i++) {
        ingle_engine_options eo;
        ingle_memory mem = {.size = sizeof mem};
        ingle_engine_options_init(&eo);
        eo.n_batch = N_BATCH;
        eo.n_ctx = i == 0 ? 1 << 16 : i == 1 ? 1 << 17 : 1 << 18;
        must(ingle_model_memory(r.model, &eo, &mem, &err), &err);
        kv[i] = mem.kv;
    }
    /* linear in the context, by less than half of what every layer would take */
    ingle_cost cost = {.size = sizeof cost};
    must(ingle_engine_cost(r.engine, &cost, &err), &err);
    assert_true(kv[2] - kv[1] == 2 * (kv[1] - kv[0]));
    double per_token = (double)(kv[1] - kv[0]) / (1 << 16);
    print_message("%-10s %4.0f bytes of %4.0f a token\n", f->g.name, per_token, cost.kv_bytes);
    assert_true(per_token <= 0.67 * cost.kv_bytes);
    runner_close(&r);
}

static void each(void (*test)(fixture *f))
{
    fixture f;
    for (size_t m = 0; m < N_MODELS; m += GOLDEN_STEP)
        if (fixture_open(&f, models[m], &all_kept, N_TOKENS, N_CTX)) test(&f), fixture_close(&f);
}

static void growing(void **state)
{
    (void)state, each(grow);
}

static void cutting(void **state)
{
    (void)state, each(cut_back);
}

static void sharing(void **state)
{
    (void)state, each(neighbours);
}

static void answering(void **state)
{
    (void)state, each(answer_again);
}

static void remembering(void **state)
{
    (void)state, each(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(growing),   cmocka_unit_test(cutting),     cmocka_unit_test(sharing),
        cmocka_unit_test(answering), cmocka_unit_test(remembering),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
