/* Several sessions in one step, and the profile of steps, on the bundled model. */
#include <ingle_tools.h>

#include "golden/run.h"

#include <string.h>

#define TINY INGLE_SOURCE_DIR "/models/tiny-chat.gguf"

enum { N_SESSIONS = 4, N_VOCAB = 2048, N_LAYERS = 5 };

typedef struct bench {
    ingle_model *model;
    ingle_engine *engine;
    ingle_session *session[N_SESSIONS];
} bench;

static void open_engine(bench *b, int n_threads)
{
    ingle_error err;
    ingle_engine_options eo;
    ingle_engine_options_init(&eo);
    eo.n_ctx = 128;
    eo.n_sessions = N_SESSIONS;
    eo.n_batch = 64;
    eo.n_threads = n_threads;
    must(ingle_engine_open(&b->engine, b->model, &eo, &err), &err);
    for (int i = 0; i < N_SESSIONS; i++)
        must(ingle_session_open(&b->session[i], b->engine, &err), &err);
}

static bench open_bench(int n_threads)
{
    bench b;
    ingle_error err;
    must(ingle_model_open(&b.model, TINY, NULL, &err), &err);
    open_engine(&b, n_threads);
    return b;
}

static void close_bench(bench *b)
{
    for (int i = 0; i < N_SESSIONS; i++) ingle_session_close(&b->session[i]);
    ingle_engine_close(&b->engine);
    ingle_model_close(&b->model);
}

static size_t length(const ingle_session *s)
{
    size_t n;
    assert_int_equal(ingle_session_tokens(s, NULL, &n, NULL), INGLE_OK);
    return n;
}

static ingle_profile total_of(bench *b)
{
    ingle_profile t = {.size = sizeof t};
    ingle_error err;
    must(ingle_engine_profile_total(b->engine, &t, &err), &err);
    return t;
}

/* ---- several sessions ---- */

static int32_t token_at(int session, int i)
{
    return (session * 331 + i * 17) % N_VOCAB;
}

/* Prompts of different lengths and then single tokens, together: the same bits as alone, in fewer
 * steps. */
static void together_equals_alone(void **state)
{
    (void)state;
    static float alone[N_SESSIONS][N_VOCAB];
    int32_t tokens[N_SESSIONS][40];
    ingle_error err;
    const float *row;
    bench b = open_bench(2);
    for (int s = 0; s < N_SESSIONS; s++) {
        for (int i = 0; i < 40; i++) tokens[s][i] = token_at(s, i);
        size_t n = 5 + 11 * (size_t)s;
        must(ingle_session_eval(b.session[s], tokens[s], n, INGLE_ROWS_LAST, &err), &err);
        must(ingle_session_eval(b.session[s], tokens[s], 1, INGLE_ROWS_LAST, &err), &err);
        must(ingle_session_logits(b.session[s], 0, &row, &err), &err);
        memcpy(alone[s], row, sizeof alone[s]);
        must(ingle_session_truncate(b.session[s], 0, &err), &err);
    }
    close_bench(&b);
    b = open_bench(2); /* another engine: this one knows the prompts */
    ingle_eval evals[N_SESSIONS];
    for (int s = 0; s < N_SESSIONS; s++)
        evals[s] = (ingle_eval){b.session[s], tokens[s], 5 + 11 * (size_t)s, INGLE_ROWS_LAST};
    must(ingle_engine_profile(b.engine, true, &err), &err);
    must(ingle_sessions_eval(evals, N_SESSIONS, &err), &err);
    assert_int_equal(total_of(&b).n_tokens, 5 + 16 + 27 + 38);
    assert_int_equal(total_of(&b).n_steps, 2); /* of at most 64 tokens */
    for (int s = 0; s < N_SESSIONS; s++) evals[s].n = 1;
    must(ingle_sessions_eval(evals, N_SESSIONS, &err), &err);
    assert_int_equal(total_of(&b).n_steps, 3);
    for (int s = 0; s < N_SESSIONS; s++) {
        assert_int_equal(length(b.session[s]), 6 + 11 * s);
        must(ingle_session_logits(b.session[s], 0, &row, &err), &err);
        assert_memory_equal(row, alone[s], sizeof alone[s]);
    }
    close_bench(&b);
}

/* Whatever is wrong with one of them, none moves, and all can be used afterwards. */
static void all_or_nothing(void **state)
{
    (void)state;
    bench b = open_bench(2), other;
    ingle_error err;
    int32_t good[100] = {1, 2, 3}, bad[1] = {N_VOCAB};
    const float *row;
    other.model = b.model;
    open_engine(&other, 1);
    must(ingle_session_eval(b.session[0], good, 3, INGLE_ROWS_LAST, &err), &err);
    must(ingle_session_logits(b.session[0], 0, &row, &err), &err);
    const float before = row[7];
    const struct {
        ingle_eval eval;
        ingle_status status;
    } wrong[] = {
        {{b.session[3], bad, 1, INGLE_ROWS_LAST}, INGLE_EINVAL},
        {{b.session[3], good, 0, INGLE_ROWS_LAST}, INGLE_EINVAL},
        {{b.session[3], NULL, 1, INGLE_ROWS_LAST}, INGLE_EINVAL},
        {{b.session[3], good, 1, (ingle_rows)9}, INGLE_EINVAL},
        {{b.session[3], good, 129, INGLE_ROWS_NONE}, INGLE_EFULL},
        {{b.session[0], good, 1, INGLE_ROWS_LAST}, INGLE_EBUSY}, /* named twice */
        {{other.session[0], good, 1, INGLE_ROWS_LAST}, INGLE_EINVAL},
        {{NULL, good, 1, INGLE_ROWS_LAST}, INGLE_ECLOSED},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ingle_eval evals[3] = {{b.session[0], good, 90, INGLE_ROWS_ALL},
                               {b.session[1], good, 100, INGLE_ROWS_LAST},
                               wrong[i].eval};
        assert_int_equal(ingle_sessions_eval(evals, 3, &err), wrong[i].status);
        for (int s = 0; s < N_SESSIONS; s++) assert_int_equal(length(b.session[s]), s == 0 ? 3 : 0);
        must(ingle_session_logits(b.session[0], 0, &row, &err), &err);
        assert_true(row[7] == before);
    }
    assert_int_equal(ingle_sessions_eval(NULL, 1, &err), INGLE_EINVAL);
    /* every page is back: all four sessions can be filled to the end */
    must(ingle_session_truncate(b.session[0], 0, &err), &err);
    for (int s = 0; s < N_SESSIONS; s++) {
        must(ingle_session_eval(b.session[s], good, 100, INGLE_ROWS_NONE, &err), &err);
        must(ingle_session_eval(b.session[s], good, 28, INGLE_ROWS_NONE, &err), &err);
    }
    for (int s = 0; s < N_SESSIONS; s++) ingle_session_close(&other.session[s]);
    ingle_engine_close(&other.engine);
    close_bench(&b);
}

/* ---- profile ---- */

typedef struct sums {
    size_t n;
    double seconds, bytes, macs, f32_macs;
} sums;

static sums sum_rows(bench *b)
{
    sums s = {0};
    ingle_profile_row row = {.size = sizeof row};
    ingle_error err;
    for (; ingle_engine_profile_row(b->engine, s.n, &row, &err) == INGLE_OK; s.n++) {
        assert_true(row.work_s >= 0 && row.uneven_s >= 0 && row.barrier_s >= 0);
        assert_true(row.layer >= 0 && row.layer <= N_LAYERS);
        assert_true(strlen(row.what) < sizeof row.what);
        s.seconds += row.work_s + row.uneven_s + row.barrier_s;
        s.bytes += row.bytes;
        s.macs += row.int8_macs;
        s.f32_macs += row.f32_macs;
        assert_true(row.bf16_macs == 0);
    }
    return s;
}

/* What a step has to do is what ingle_engine_cost() tells, and the time of its instructions and
 * dispatch is the time of the step. */
static void sums_are_the_step(void **state)
{
    (void)state;
    for (int n_threads = 1; n_threads <= 3; n_threads++) {
        bench b = open_bench(n_threads);
        ingle_error err;
        ingle_cost cost = {.size = sizeof cost};
        int32_t tokens[64] = {0};
        must(ingle_engine_cost(b.engine, &cost, &err), &err);
        sums none = sum_rows(&b);
        assert_true(none.n > 0 && none.seconds == 0 && none.bytes == 0);
        assert_int_equal(total_of(&b).n_steps, 0);

        must(ingle_session_eval(b.session[0], tokens, 10, INGLE_ROWS_NONE, &err), &err);
        must(ingle_engine_profile(b.engine, true, &err), &err);
        must(ingle_session_eval(b.session[0], tokens, 1, INGLE_ROWS_LAST, &err), &err);
        sums one = sum_rows(&b);
        ingle_profile total = total_of(&b);
        assert_int_equal(one.n, none.n);
        assert_int_equal(total.n_steps, 1);
        assert_int_equal(total.n_tokens, 1);
        assert_true(one.macs == cost.matmul_macs + cost.head_macs);
        assert_true(one.f32_macs == 11 * cost.attend_macs);
        assert_true(one.bytes > cost.weight_bytes + 11 * cost.kv_bytes);
        assert_true(one.bytes < 1.05 * (cost.weight_bytes + 12 * cost.kv_bytes));
        assert_true(total.dispatch_s > 0 && total.dispatch_s < total.step_s);
        double difference = one.seconds + total.dispatch_s - total.step_s;
        assert_true(difference < 1e-6 * total.step_s && -difference < 1e-6 * total.step_s);

        /* stopped: the sums stay; begun again: they start at nothing */
        must(ingle_engine_profile(b.engine, false, &err), &err);
        must(ingle_session_eval(b.session[0], tokens, 1, INGLE_ROWS_LAST, &err), &err);
        assert_int_equal(total_of(&b).n_steps, 1);
        assert_true(sum_rows(&b).macs == one.macs);
        must(ingle_engine_profile(b.engine, true, &err), &err);
        assert_int_equal(total_of(&b).n_steps, 0);
        must(ingle_session_eval(b.session[1], tokens, 64, INGLE_ROWS_ALL, &err), &err);
        assert_true(sum_rows(&b).macs == 64 * (cost.matmul_macs + cost.head_macs));
        assert_true(sum_rows(&b).f32_macs == 64 * 65 / 2 * cost.attend_macs);
        close_bench(&b);
    }
}

/* Looking changes no bit. */
static void same_logits(void **state)
{
    (void)state;
    bench b = open_bench(3);
    ingle_error err;
    int32_t tokens[50] = {7, 8, 9};
    const float *row;
    static float plain[N_VOCAB];
    must(ingle_session_eval(b.session[0], tokens, 50, INGLE_ROWS_LAST, &err), &err);
    must(ingle_session_logits(b.session[0], 0, &row, &err), &err);
    memcpy(plain, row, sizeof plain);
    must(ingle_engine_profile(b.engine, true, &err), &err);
    must(ingle_session_eval(b.session[1], tokens, 50, INGLE_ROWS_LAST, &err), &err);
    must(ingle_session_logits(b.session[1], 0, &row, &err), &err);
    assert_memory_equal(row, plain, sizeof plain);
    close_bench(&b);
}

static void names_and_errors(void **state)
{
    (void)state;
    bench b = open_bench(1);
    ingle_error err;
    ingle_profile total = {.size = sizeof total};
    ingle_profile_row row = {.size = sizeof row};
    must(ingle_engine_profile_row(b.engine, 1, &row, &err), &err);
    assert_string_equal(row.op, "MATMUL");
    assert_string_equal(row.what, "attn_q, attn_k, attn_v Q8_0");
    assert_int_equal(ingle_engine_profile_row(b.engine, 1000, &row, &err), INGLE_ENOTFOUND);
    assert_int_equal(ingle_engine_profile_row(b.engine, 0, NULL, &err), INGLE_EINVAL);
    assert_int_equal(ingle_engine_profile_total(b.engine, NULL, &err), INGLE_EINVAL);
    assert_int_equal(ingle_engine_profile(NULL, true, &err), INGLE_ECLOSED);
    assert_int_equal(ingle_engine_profile_total(NULL, &total, &err), INGLE_ECLOSED);
    assert_int_equal(ingle_engine_profile_row(NULL, 0, &row, &err), INGLE_ECLOSED);
    must(ingle_engine_profile(b.engine, false, &err), &err); /* never begun */
    close_bench(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(together_equals_alone), cmocka_unit_test(all_or_nothing),
        cmocka_unit_test(sums_are_the_step),     cmocka_unit_test(same_logits),
        cmocka_unit_test(names_and_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
