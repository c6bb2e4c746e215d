/* The bits of a token's logits depend on the tokens before it and on nothing else: compared with
 * memcmp over batch sizes, splits, threads, fused and plain plans, instruction-set levels,
 * neighbours in the batch, and re-use of a timeline. */
#include "exact/exact.h"

#include <pthread.h>

#define N_TOKENS 300 /* crosses pages of 32, attention groups of 256, and every kernel's tiles */
#define N_LONG   560 /* and a batch of 512 */
#define N_CTX    576

static const char *const models[] = {
    "llama3",     "qwen3",      "llama-F16",    "llama-BF16",   "llama-Q4_0",  "llama-Q4_1",
    "llama-Q5_0", "llama-Q5_1", "llama-Q8_0",   "llama-Q2_K",   "llama-Q3_K",  "llama-Q4_K",
    "llama-Q5_K", "llama-Q6_K", "llama-IQ4_NL", "llama-IQ4_XS", "llama-MXFP4", "qwen2moe",
    "qwen3moe",   "gpt-oss",    "deepseek2",    "gemma4-e",     "gemma3n",     "gemma4-moe",
};

static float *logits_of(const golden *g, const setup *s, const int32_t *tokens, size_t n)
{
    runner r;
    float *out = malloc(n * g->n_vocab * sizeof *out);
    open_with(&r, g, s, N_CTX, 1);
    eval_split(&r, r.session, tokens, n, s->split, out);
    runner_close(&r);
    return out;
}

/* Every type sees every split and every number of threads; `every` also all pairs of them, every
 * split at every level, and a prompt longer than any batch. */
static void check_model(golden *g, size_t turn, bool every)
{
    static const size_t splits[] = {1, 2, 3, 7, 8, 31, 32, 512};
    static const int32_t threads[] = {1, 2, 3, 8};
    const size_t n = every ? N_LONG : N_TOKENS;
    int32_t tokens[N_LONG];
    char what[96];
    fill(tokens, n, g->n_vocab, 7);
    setup base = {INGLE_ISA_AUTO, false, false, 512, 1, 512, INGLE_TYPE_F16};
    float *want = logits_of(g, &base, tokens, n);
    all_finite(want, n * g->n_vocab);
    for (size_t i = 0; i < 8; i++)
        for (size_t t = 0; t < 4; t++) {
            if (!every && t != (i + turn) % 4) continue;
            setup s = base;
            s.split = splits[i];
            s.n_threads = threads[t];
            if (t % 2) s.n_batch = (int32_t)splits[i], s.split = 512; /* the scheduler splits */
            float *got = logits_of(g, &s, tokens, n);
            snprintf(what, sizeof what, "split %zu, %d threads", splits[i], threads[t]);
            same(g, what, want, got, n);
            free(got);
        }
    for (ingle_isa isa = INGLE_ISA_REF; isa <= INGLE_ISA_I8MM; isa++) {
        if (!ingle_isa_runs_here(isa)) continue;
        float *own = NULL;
        if (isa == INGLE_ISA_AVX512BF16 && has_bf16(g)) {
            setup s = base;
            s.isa = isa;
            own = logits_of(g, &s, tokens, n);
        }
        for (size_t i = 0; i < (every || own ? 8 : 1); i++) {
            setup s = {isa, isa == INGLE_ISA_REF,           false,         512,
                       2,   every || own ? splits[i] : 100, INGLE_TYPE_F16};
            float *got = logits_of(g, &s, tokens, n);
            snprintf(what, sizeof what, "level %s, split %zu", ingle_isa_name(isa), s.split);
            same(g, what, own ? own : want, got, n);
            free(got);
        }
        free(own);
    }
    for (size_t i = 0; i < 4; i++) {
        static const size_t parts[] = {1, 3, 33, 512};
        setup s = base;
        s.in_place = true;
        s.split = parts[i];
        s.n_threads = 1 + (int32_t)(i + turn) % 2;
        float *got = logits_of(g, &s, tokens, n);
        snprintf(what, sizeof what, "in place, split %zu", parts[i]);
        same(g, what, want, got, n);
        free(got);
    }
    free(want);
}

static void batch_threads_levels(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof models / sizeof models[0]; i += GOLDEN_STEP) {
        golden g;
        if (!golden_open(&g, "models", models[i])) { /* some stay in the corpus */
            assert_int_equal(strncmp(models[i], "gemma", 5), 0);
            continue;
        }
        bool every =
            GOLDEN_STEP == 1 && (!strcmp(models[i], "qwen3") || !strcmp(models[i], "llama-Q4_K"));
        check_model(&g, i, every);
        golden_close(&g);
    }
}

static void kv_types(void **state)
{
    static const ingle_type types[] = {INGLE_TYPE_F32, INGLE_TYPE_F16, INGLE_TYPE_BF16,
                                       INGLE_TYPE_Q8_0};
    golden g;
    int32_t tokens[N_TOKENS];
    (void)state;
    assert_true(golden_open(&g, "models", "qwen3"));
    fill(tokens, N_TOKENS, g.n_vocab, 9);
    for (size_t i = 0; i < 4; i++) {
        setup a = {INGLE_ISA_AUTO, false, false, 512, 1, 512, types[i]};
        setup b = {INGLE_ISA_AUTO, true, false, 512, 3, 5, types[i]};
        setup c = {INGLE_ISA_REF, false, false, 33, 2, 512, types[i]};
        float *x = logits_of(&g, &a, tokens, N_TOKENS), *y = logits_of(&g, &b, tokens, N_TOKENS);
        float *z = logits_of(&g, &c, tokens, N_TOKENS);
        all_finite(x, N_TOKENS * g.n_vocab);
        same(&g, ingle_type_name(types[i]), x, y, N_TOKENS);
        same(&g, ingle_type_name(types[i]), x, z, N_TOKENS);
        free(x), free(y), free(z);
    }
    golden_close(&g);
}

/* Sessions of several callers share batches and do not notice one another. */
typedef struct caller {
    runner *r;
    ingle_session *session;
    int32_t tokens[N_TOKENS];
    size_t split;
    float *out;
} caller;

static void *call(void *arg)
{
    caller *c = arg;
    eval_split(c->r, c->session, c->tokens, N_TOKENS, c->split, c->out);
    return NULL;
}

static void neighbours(void **state)
{
    enum { N = 4 };
    golden g;
    runner r;
    caller c[N];
    pthread_t thread[N];
    (void)state;
    assert_true(golden_open(&g, "models", "llama-Q4_K"));
    setup s = {INGLE_ISA_AUTO, false, false, 64, 2, 512, INGLE_TYPE_F16};
    open_with(&r, &g, &s, N_CTX, N + 1);
    for (size_t i = 0; i < N; i++) {
        c[i] = (caller){.r = &r, .split = i == 0 ? 1 : 30 * i};
        c[i].out = malloc(N_TOKENS * g.n_vocab * sizeof(float));
        fill(c[i].tokens, N_TOKENS, g.n_vocab, 100 + (uint32_t)i);
        assert_int_equal(ingle_session_open(&c[i].session, r.engine, NULL), INGLE_OK);
    }
    for (size_t i = 0; i < N; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, call, &c[i]), 0);
    for (size_t i = 0; i < N; i++) pthread_join(thread[i], NULL);
    for (size_t i = 0; i < N; i++) {
        float *alone = logits_of(&g, &s, c[i].tokens, N_TOKENS);
        same(&g, "with neighbours", alone, c[i].out, N_TOKENS);
        ingle_session_close(&c[i].session);
        free(alone);
        free(c[i].out);
    }
    runner_close(&r);
    golden_close(&g);
}

/* A truncated timeline goes on as if its tail had never been; the last row alone is the same row.
 */
static void truncated(void **state)
{
    static const size_t keep[] = {0, 1, 31, 32, 33, 255, 256, 257, 299};
    golden g;
    runner r;
    int32_t tokens[N_TOKENS], other[N_TOKENS];
    (void)state;
    assert_true(golden_open(&g, "models", "llama-Q6_K"));
    setup s = {INGLE_ISA_AUTO, false, false, 512, 2, 512, INGLE_TYPE_F16};
    fill(tokens, N_TOKENS, g.n_vocab, 1);
    fill(other, N_TOKENS, g.n_vocab, 2);
    float *want = logits_of(&g, &s, tokens, N_TOKENS);
    open_with(&r, &g, &s, N_CTX, 1);
    for (size_t i = 0; i < sizeof keep / sizeof keep[0]; i++) {
        const float *row;
        assert_int_equal(ingle_session_truncate(r.session, 0, NULL), INGLE_OK);
        assert_int_equal(ingle_session_eval(r.session, tokens, keep[i] + 1, INGLE_ROWS_NONE, NULL),
                         INGLE_OK);
        assert_int_equal(ingle_session_eval(r.session, other, 100, INGLE_ROWS_LAST, NULL),
                         INGLE_OK);
        assert_int_equal(ingle_session_truncate(r.session, keep[i], NULL), INGLE_OK);
        assert_int_equal(ingle_session_eval(r.session, tokens + keep[i], N_TOKENS - keep[i],
                                            INGLE_ROWS_LAST, NULL),
                         INGLE_OK);
        assert_int_equal(ingle_session_logits(r.session, 0, &row, NULL), INGLE_OK);
        same(&g, "after truncating", want + (N_TOKENS - 1) * g.n_vocab, row, 1);
    }
    free(want);
    runner_close(&r);
    golden_close(&g);
}

/* Of models whose last layers keep nothing only the wanted rows go through them: whatever is wanted,
 * of whatever sessions in a batch, a row is the same. */
static void wanted_rows(void **state)
{
    static const char *const wants[] = {"gemma4-e", "gemma3n", "llama3"};
    static const size_t steps[] = {1, 40, 33, 2, 64, 70, 7};
    static const ingle_rows rows[] = {INGLE_ROWS_NONE, INGLE_ROWS_LAST, INGLE_ROWS_ALL};
    (void)state;
    for (size_t m = 0; m < sizeof wants / sizeof *wants; m++) {
        golden g;
        runner r;
        int32_t tokens[2][N_TOKENS];
        float *want[2];
        ingle_session *s[2];
        size_t at[2] = {0, 0};
        if (!golden_open(&g, "models", wants[m])) continue;
        setup base = {INGLE_ISA_AUTO, false, false, 512, 2, 512, INGLE_TYPE_F16};
        for (int i = 0; i < 2; i++) {
            fill(tokens[i], N_TOKENS, g.n_vocab, 20 + (uint32_t)i);
            want[i] = logits_of(&g, &base, tokens[i], N_TOKENS);
        }
        setup few = base;
        few.n_batch = 48;
        open_with(&r, &g, &few, N_CTX, 2);
        s[0] = r.session;
        assert_int_equal(ingle_session_open(&s[1], r.engine, NULL), INGLE_OK);
        for (size_t i = 0; at[0] < N_TOKENS && at[1] < N_TOKENS; i++) {
            ingle_eval evals[2];
            for (size_t k = 0; k < 2; k++) {
                size_t left = N_TOKENS - at[k], n = steps[(i + 3 * k) % 7];
                evals[k] = (ingle_eval){s[k], tokens[k] + at[k], n < left ? n : left,
                                        rows[(i / (1 + 2 * k) + k) % 3]};
            }
            assert_int_equal(ingle_sessions_eval(evals, 2, NULL), INGLE_OK);
            for (size_t k = 0; k < 2; k++) {
                size_t n = evals[k].n;
                for (size_t t = 0; t < n; t++) {
                    bool last = evals[k].rows == INGLE_ROWS_LAST;
                    const float *row;
                    if (evals[k].rows == INGLE_ROWS_NONE || (last && t + 1 < n)) continue;
                    assert_int_equal(ingle_session_logits(s[k], last ? 0 : t, &row, NULL),
                                     INGLE_OK);
                    same(&g, "wanted alone", want[k] + (at[k] + t) * g.n_vocab, row, 1);
                }
                at[k] += n;
            }
        }
        ingle_session_close(&s[1]);
        runner_close(&r);
        free(want[0]), free(want[1]);
        golden_close(&g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batch_threads_levels), cmocka_unit_test(kv_types),
        cmocka_unit_test(neighbours),           cmocka_unit_test(truncated),
        cmocka_unit_test(wanted_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
