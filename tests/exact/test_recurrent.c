/* test_recurrent.c - what test_exact.c asks of every model, of models with a recurrent state: the bits
 * of a token's logits depend on the tokens before it, not on how they were cut into batches, on
 * threads, levels or neighbours, nor on what the session held before it was cut back. */
#include "exact/fixture.h"

#define N_TOKENS 300
#define N_CTX    320

static const char *const models[] = {"mamba2",    "qwen35",        "lfm2",
                                     "qwen3next", "granitehybrid", "lfm2moe"};
enum { N_MODELS = sizeof models / sizeof *models };

static const setup usual = {INGLE_ISA_AUTO, false, false, 512, 2, N_TOKENS, INGLE_TYPE_F16};

static bool open_model(fixture *f, size_t i_model)
{
    return fixture_open(f, models[i_model], &usual, N_TOKENS, N_CTX);
}

static void split_and_compare(fixture *f, const setup *s, size_t split, const char *what)
{
    runner r;
    open_with(&r, &f->g, s, N_CTX, 1);
    eval_split(&r, r.session, f->tokens, N_TOKENS, split, f->got);
    same(&f->g, what, f->want, f->got, N_TOKENS);
    runner_close(&r);
}

static void batches_threads_levels(void **state)
{
    static const size_t splits[] = {1, 2, 3, 5, 31, 64, 100};
    fixture f;
    char what[64];
    (void)state;
    for (size_t m = 0; m < N_MODELS; m += GOLDEN_STEP) {
        if (!open_model(&f, m)) continue;
        for (size_t i = 0; i < 7; i++) {
            setup s = usual;
            s.n_threads = 1 + (int32_t)(i + m) % 4;
            if (i % 2) s.n_batch = (int32_t)splits[i]; /* the scheduler splits */
            snprintf(what, sizeof what, "split %zu, %d threads", splits[i], s.n_threads);
            split_and_compare(&f, &s, i % 2 ? N_TOKENS : splits[i], what);
        }
        for (ingle_isa isa = INGLE_ISA_REF; isa <= INGLE_ISA_I8MM; isa++) {
            setup s = usual;
            if (!ingle_isa_runs_here(isa)) continue;
            if (isa == INGLE_ISA_AVX512BF16 && has_bf16(&f.g)) continue;
            s.isa = isa, s.plain = isa == INGLE_ISA_REF;
            snprintf(what, sizeof what, "level %s", ingle_isa_name(isa));
            split_and_compare(&f, &s, 77, what);
        }
        fixture_close(&f);
    }
}

/* Cut back to any length, by one or by all, at once or after going elsewhere, the session goes on as
 * if the rest had never been. */
static void cut_back(void **state)
{
    static const size_t keep[] = {299, 298, 290, 257, 256, 200, 129, 128, 127,
                                  64,  63,  33,  32,  31,  2,   1,   0};
    static const size_t splits[] = {N_TOKENS, 1, 50};
    fixture f;
    (void)state;
    for (size_t m = 0; m < N_MODELS; m += GOLDEN_STEP) {
        runner r;
        if (!open_model(&f, m)) continue;
        const size_t n_vocab = f.g.n_vocab;
        open_with(&r, &f.g, &usual, N_CTX, 1);
        for (size_t i = 0; i < 3 * sizeof keep / sizeof *keep; i++) {
            size_t n = keep[i / 3], split = splits[i % 3], n_held;
            if (split == 1 && N_TOKENS - n > 100) split = 9; /* steps cost more than tokens */
            const int32_t *held;
            /* the session holds what the round before left: all tokens */
            if (!i) eval_split(&r, r.session, f.tokens, N_TOKENS, 40, f.got);
            assert_int_equal(ingle_session_truncate(r.session, n, NULL), INGLE_OK);
            if (i % 2) { /* elsewhere and back, twice */
                size_t way = N_TOKENS - n < 70 ? N_TOKENS - n : 70;
                assert_int_equal(ingle_session_eval(r.session, f.other, way, INGLE_ROWS_NONE, NULL),
                                 INGLE_OK);
                assert_int_equal(ingle_session_truncate(r.session, n + way / 2, NULL), INGLE_OK);
                assert_int_equal(ingle_session_truncate(r.session, n, NULL), INGLE_OK);
            }
            assert_int_equal(ingle_session_tokens(r.session, &held, &n_held, NULL), INGLE_OK);
            assert_int_equal(n_held, n);
            assert_memory_equal(held, f.tokens, n * sizeof *held);
            eval_split(&r, r.session, f.tokens + n, N_TOKENS - n, split, f.got);
            same(&f.g, "after cutting back", f.want + n * n_vocab, f.got, N_TOKENS - n);
        }
        runner_close(&r);
        fixture_close(&f);
    }
}

/* Timelines that branch off again and again, often from the state of a checkpoint, against sessions
 * that never were anywhere else; both in one engine, so that a wrong slot may be anybody's. */
static void restored(void **state)
{
    fixture f;
    (void)state;
    for (size_t m = 0; m < N_MODELS; m++) {
        runner r;
        int32_t line[N_TOKENS];
        size_t n = 0, n_restored = 0;
        uint32_t seed = 3;
        if (!open_model(&f, m)) continue;
        open_with(&r, &f.g, &usual, N_CTX, 2);
        for (int round = 0; round < 40; round++) {
            ingle_session *fresh;
            const float *got, *want;
            size_t keep = n, to;
            seed = seed * 1664525u + 1013904223u;
            if (round % 8 == 7) keep = (seed >> 8) % (n + 1);
            else keep = n - (seed >> 8) % 70 * n / N_TOKENS;
            assert_int_equal(ingle_session_truncate(r.session, keep, NULL), INGLE_OK);
            n_restored += r.session->n_live && r.session->n_live < n;
            to = keep + 40 + (seed >> 20) % 60;
            if (to > N_TOKENS) to = keep < N_TOKENS ? N_TOKENS : keep;
            fill(line + keep, to - keep, f.g.n_vocab, seed);
            for (size_t at = keep; at < to; at += 33) {
                size_t part = to - at < 33 ? to - at : 33;
                assert_int_equal(
                    ingle_session_eval(r.session, line + at, part, INGLE_ROWS_LAST, NULL),
                    INGLE_OK);
            }
            n = to;
            if (to == keep) continue; /* no room: nothing was computed */
            assert_int_equal(ingle_session_open(&fresh, r.engine, NULL), INGLE_OK);
            assert_int_equal(ingle_session_eval(fresh, line, n, INGLE_ROWS_LAST, NULL), INGLE_OK);
            assert_int_equal(ingle_session_logits(r.session, 0, &got, NULL), INGLE_OK);
            assert_int_equal(ingle_session_logits(fresh, 0, &want, NULL), INGLE_OK);
            same(&f.g, "a branch", want, got, 1);
            ingle_session_close(&fresh);
        }
        assert_true(n_restored > 10);
        runner_close(&r);
        fixture_close(&f);
    }
}

/* Calls that fail leave the session as it was. */
static void failures(void **state)
{
    fixture f;
    (void)state;
    for (size_t m = 0; m < N_MODELS; m += GOLDEN_STEP) {
        runner r;
        int32_t bad[3] = {1, 2, -1};
        ingle_error err;
        if (!open_model(&f, m)) continue;
        open_with(&r, &f.g, &usual, N_CTX, 1);
        eval_split(&r, r.session, f.tokens, 150, 150, f.got);
        assert_int_equal(ingle_session_eval(r.session, bad, 3, INGLE_ROWS_LAST, &err),
                         INGLE_EINVAL);
        assert_int_equal(ingle_session_eval(r.session, f.other, 171, INGLE_ROWS_LAST, &err),
                         INGLE_EFULL);
        assert_int_equal(ingle_session_truncate(r.session, 151, &err), INGLE_EINVAL);
        assert_int_equal(ingle_session_truncate(r.session, 140, &err), INGLE_OK);
        assert_int_equal(ingle_session_eval(r.session, bad, 3, INGLE_ROWS_LAST, &err),
                         INGLE_EINVAL);
        eval_split(&r, r.session, f.tokens + 140, N_TOKENS - 140, 60, f.got + 140 * f.g.n_vocab);
        same(&f.g, "after failures", f.want, f.got, N_TOKENS);
        runner_close(&r);
        fixture_close(&f);
    }
}

/* Sessions at other positions of other texts share the batches; those that lag behind too. */
static void neighbours(void **state)
{
    fixture f;
    (void)state;
    for (size_t m = 0; m < N_MODELS; m += GOLDEN_STEP) {
        runner r;
        setup s = usual;
        ingle_session *more[2];
        if (!open_model(&f, m)) continue;
        s.n_batch = 48;
        open_with(&r, &f.g, &s, N_CTX, 3);
        for (int i = 0; i < 2; i++)
            assert_int_equal(ingle_session_open(&more[i], r.engine, NULL), INGLE_OK);
        for (size_t at = 0, step = 30; at < N_TOKENS; at += step) {
            ingle_eval evals[3] = {{r.session, f.tokens + at, step, INGLE_ROWS_LAST},
                                   {more[0], f.other + at, step, INGLE_ROWS_NONE},
                                   {more[1], f.tokens + at / 2, step / 2, INGLE_ROWS_NONE}};
            const float *row;
            assert_int_equal(ingle_sessions_eval(evals, at % 60 ? 2 : 3, NULL), INGLE_OK);
            assert_int_equal(ingle_session_logits(r.session, 0, &row, NULL), INGLE_OK);
            same(&f.g, "with neighbours", f.want + (at + step - 1) * f.g.n_vocab, row, 1);
            assert_int_equal(ingle_session_truncate(more[0], at + 3, NULL), INGLE_OK);
            assert_int_equal(ingle_session_eval(more[0], f.other, step - 3, INGLE_ROWS_NONE, NULL),
                             INGLE_OK);
        }
        for (int i = 0; i < 2; i++) ingle_session_close(&more[i]);
        runner_close(&r);
        fixture_close(&f);
    }
}

/* As many sessions as the engine was opened for hold state; a further one takes that of another,
 * which computes its tokens again. */
static void slots(void **state)
{
    fixture f;
    runner r;
    ingle_session *second;
    (void)state;
    assert_true(open_model(&f, 0));
    open_with(&r, &f.g, &usual, N_CTX, 1);
    assert_int_equal(ingle_session_open(&second, r.engine, NULL), INGLE_OK);
    assert_int_equal(ingle_session_eval(r.session, f.other, 9, INGLE_ROWS_NONE, NULL), INGLE_OK);
    eval_split(&r, second, f.tokens, N_TOKENS, 100, f.got); /* in a slot that was used */
    same(&f.g, "in a used slot", f.want, f.got, N_TOKENS);
    assert_int_equal(r.session->n_live, 0);
    assert_int_equal(r.session->n, 9);
    assert_int_equal(ingle_session_truncate(r.session, 0, NULL), INGLE_OK);
    ingle_session_close(&second);
    eval_split(&r, r.session, f.tokens, N_TOKENS, 100, f.got);
    same(&f.g, "in a slot used twice", f.want, f.got, N_TOKENS);
    runner_close(&r);
    fixture_close(&f);
}

/* mamba2: in each of two layers three inputs of 160 channels and 8 heads of 16 by 16, six times a
 * session; no keys and values. */
static void memory(void **state)
{
    golden g;
    runner r;
    ingle_memory mem = {.size = sizeof mem};
    ingle_engine_options eo;
    (void)state;
    assert_true(golden_open(&g, "models", "mamba2"));
    open_with(&r, &g, &usual, N_CTX, 1);
    ingle_engine_options_init(&eo);
    eo.n_sessions = 5;
    assert_int_equal(ingle_model_memory(r.model, &eo, &mem, NULL), INGLE_OK);
    size_t want = 2 * (3 * 160 + 8 * 16 * 16) * sizeof(float) * 6 * 5;
    assert_true(mem.state >= want && mem.state < want + 4096);
    assert_true(mem.kv <= 4096);
    assert_int_equal(mem.total, mem.weights + mem.vocab + mem.kv + mem.state + mem.scratch);
    runner_close(&r);
    golden_close(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batches_threads_levels),
        cmocka_unit_test(cut_back),
        cmocka_unit_test(restored),
        cmocka_unit_test(failures),
        cmocka_unit_test(neighbours),
        cmocka_unit_test(slots),
        cmocka_unit_test(memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
