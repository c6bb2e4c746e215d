/* The bits of a token's logits depend on the tokens before it and on nothing else: compared with
 * memcmp over splits, threads, instruction-set levels, fused and plain plans, packed and mapped
 * weights, neighbours in the batch, and re-use of a timeline.
 *
 *   weights    every type x every level that runs here (against the portable one): all 32 pairs of
 *              split and threads, over 43 tokens: an edge of pages, and tiles and rests of the
 *              products, all of which depend on the type. Weights in place, a plain plan, batches
 *              cut by the engine: every split once, with a number of threads that turns with the
 *              type; so does the portable level, which knows no tiles, over 34 tokens.
 *   attention  every type of keys and values x every level: all 32 pairs, over 600 tokens: groups
 *              of 256 positions, a batch of 512 and its rest. Weights are of one type, which
 *              attention does not see. Batches cut by the engine, and the portable level over 290
 *              tokens: every split once.
 *   families   what of splits and threads a family's own instructions could see: every split once.
 *
 * Under a sanitizer, which makes a run 20 times as long, "all 32 pairs" are every split once; what
 * others are compared with is the best level's first answer, and the portable one is left out; a
 * type of weights meets one of packed, in place, plain and cut by the engine at a level, a type of
 * keys and values one of packed and cut. */
#define _GNU_SOURCE
#include "golden/run.h"

#include "exact/exact.h"

#include <pthread.h>

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define SLOW true
#elif defined(__has_feature)
#define SLOW (__has_feature(thread_sanitizer) || __has_feature(address_sanitizer))
#else
#define SLOW false
#endif

static const size_t splits[] = {1, 2, 3, 7, 8, 31, 32, 512};
static const int32_t threads[] = {1, 2, 3, 8};
enum { N_SPLITS = 8, N_THREADS = 4 };

/* The next level that runs here and is to be checked; 0 past the last. From 0 on: the first. */
static int next_isa(int isa)
{
    while (++isa <= INGLE_ISA_I8MM)
        if (ingle_isa_runs_here((ingle_isa)isa) && !(SLOW && isa == INGLE_ISA_REF)) return isa;
    return 0;
}

/* Whether the i-th of n checks takes place: all do, but where time is short one in turn. */
static bool one_of(size_t turn, size_t n, size_t i)
{
    return !SLOW || turn % n == i;
}

/* What all runs of one model must give. */
typedef struct subject {
    const char *name, *path;
    const int32_t *tokens;
    size_t n, n_vocab;
    float *want, *got; /* [n][n_vocab] */
} subject;

static void compare(const subject *s, const float *got, size_t n, const char *what)
{
    for (size_t i = 0; i < n; i++)
        if (memcmp(s->want + i * s->n_vocab, got + i * s->n_vocab, s->n_vocab * sizeof *got))
            fail_msg("%s: %s: logits of token %zu differ", s->name, what, i);
}

static const char *describe(const ex_setup *e, size_t split)
{
    static char text[160];
    snprintf(text, sizeof text, "%s%s%s, keys %s, %zu at a time, batches of %d, %d threads",
             ingle_isa_name(e->isa), e->plain ? ", plain" : "", e->in_place ? ", in place" : "",
             ingle_type_name(e->kv), split, (int)e->n_batch, (int)e->n_threads);
    return text;
}

/* The first answer is the one that others are compared with. A NaN would be equal to itself and
 * prove nothing, and so would rows that are all alike. */
static void subject_open(subject *s, const ex_setup *setup)
{
    s->want = malloc(s->n * s->n_vocab * sizeof *s->want);
    s->got = malloc(s->n * s->n_vocab * sizeof *s->got);
    ingle_model *model = ex_open(s->path, setup);
    ingle_engine *engine = ex_engine(model, setup);
    ingle_session *session = ex_session(engine);
    ex_eval(session, s->tokens, s->n, s->n, s->n_vocab, s->want);
    ingle_session_close(&session);
    ingle_engine_close(&engine);
    ingle_model_close(&model);
    for (size_t i = 0; i < s->n * s->n_vocab; i++) assert_true(s->want[i] - s->want[i] == 0);
    for (size_t i = 1; i < s->n; i++)
        assert_memory_not_equal(s->want + i * s->n_vocab, s->want + (i - 1) * s->n_vocab,
                                s->n_vocab * sizeof *s->want);
}

static void subject_close(subject *s)
{
    free(s->want);
    free(s->got);
}

/* All pairs of split and threads; else every split once, threads turning with `turn`. */
static void check_pairs(const subject *s, ex_setup e, bool all, size_t turn)
{
    ingle_model *model = ex_open(s->path, &e);
    for (size_t t = 0; t < N_THREADS; t++) {
        e.n_threads = threads[t];
        ingle_engine *engine = ex_engine(model, &e);
        for (size_t i = 0; i < N_SPLITS; i++) {
            if ((!all || SLOW) && (i + i / 4 + turn) % N_THREADS != t) continue;
            ingle_session *session = ex_session(engine);
            ex_eval(session, s->tokens, s->n, splits[i], s->n_vocab, s->got);
            ingle_session_close(&session);
            compare(s, s->got, s->n, describe(&e, splits[i]));
        }
        ingle_engine_close(&engine);
    }
    ingle_model_close(&model);
}

/* The engine cuts what it is given at once. */
static void check_batches(const subject *s, ex_setup e, size_t turn)
{
    ingle_model *model = ex_open(s->path, &e);
    for (size_t i = 0; i < N_SPLITS; i++) {
        e.n_batch = (int32_t)splits[i];
        e.n_threads = threads[(i + i / 4 + turn) % N_THREADS];
        ingle_engine *engine = ex_engine(model, &e);
        ingle_session *session = ex_session(engine);
        ex_eval(session, s->tokens, s->n, s->n, s->n_vocab, s->got);
        ingle_session_close(&session);
        ingle_engine_close(&engine);
        compare(s, s->got, s->n, describe(&e, s->n));
    }
    ingle_model_close(&model);
}

static void weights(void **state)
{
    enum { N = 43, N_REF = 34 };
    int32_t tokens[N];
    size_t turn = 0;
    (void)state;
    ex_tokens(tokens, N, EX_VOCAB, 7);
    for (unsigned type = next_type(-1); type < INGLE_TYPE_COUNT; type = next_type((int)type)) {
        ex_model m = {(ingle_type)type, 256, 512, 4, 2, 64};
        char path[32];
        int fd = ex_file(&m, path);
        ex_setup e = {.isa = SLOW ? INGLE_ISA_AUTO : INGLE_ISA_REF,
                      .kv = INGLE_TYPE_F16,
                      .n_ctx = 96,
                      .n_batch = 512};
        subject s = {ingle_type_name((ingle_type)type), path, tokens, N, EX_VOCAB, NULL, NULL};
        e.n_threads = 2;
        subject_open(&s, &e);
        for (int isa = next_isa(INGLE_ISA_AUTO); isa > 0; isa = next_isa(isa)) {
            ex_setup level = e, in_place, plain;
            bool tiled = isa != INGLE_ISA_REF;
            level.isa = (ingle_isa)isa;
            in_place = plain = level;
            in_place.in_place = plain.plain = true;
            s.n = tiled ? N : N_REF;
            turn++;
            if (one_of(turn, 4, 0)) check_pairs(&s, level, tiled, turn);
            if (tiled && one_of(turn, 4, 1)) check_pairs(&s, in_place, false, turn + 1);
            if (tiled && one_of(turn, 4, 2)) check_pairs(&s, plain, false, turn + 2);
            if (tiled && one_of(turn, 4, 3)) check_batches(&s, level, turn + 3);
        }
        subject_close(&s);
        close(fd);
    }
}

static void attention(void **state)
{
    enum { N = 600, N_REF = 290 };
    static const ingle_type types[] = {INGLE_TYPE_F32, INGLE_TYPE_F16, INGLE_TYPE_BF16,
                                       INGLE_TYPE_Q8_0};
    const ex_model m = {INGLE_TYPE_F32, 64, 64, 4, 2, 48};
    int32_t tokens[N];
    char path[32];
    size_t turn = 0;
    (void)state;
    ex_tokens(tokens, N, EX_VOCAB, 9);
    int fd = ex_file(&m, path);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        ex_setup e = {.isa = SLOW ? INGLE_ISA_AUTO : INGLE_ISA_REF,
                      .kv = types[i],
                      .n_ctx = 640,
                      .n_batch = 512};
        subject s = {"attention", path, tokens, N, EX_VOCAB, NULL, NULL};
        e.n_threads = 2;
        subject_open(&s, &e);
        for (int isa = next_isa(INGLE_ISA_AUTO); isa > 0; isa = next_isa(isa)) {
            e.isa = (ingle_isa)isa;
            bool tiled = isa != INGLE_ISA_REF;
            s.n = tiled ? N : N_REF;
            turn++;
            if (one_of(turn, 2, 0)) check_pairs(&s, e, tiled, turn);
            if (tiled && one_of(turn, 2, 1)) check_batches(&s, e, turn + 1);
        }
        subject_close(&s);
    }
    close(fd);
}

static void families(void **state)
{
    static const char *const names[] = {
        "llama2",   "llama3",        "mistral",    "mistral3",
        "qwen2",    "qwen3",         "qwen3-yarn", "llama-linear-bias",
        "gemma",    "gemma2",        "gemma3",     "phi2",
        "phi3",     "phi3.longctx",  "glm4",       "minicpm",
        "granite",  "olmo2",         "olmo3",      "smollm3",
        "stablelm", "stablelm2-12b", "starcoder2", "command-r",
        "cohere2"};
    enum { N = 300 };
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        golden g;
        int32_t tokens[N];
        if (!golden_open(&g, "models", names[i])) continue;
        ex_tokens(tokens, N, g.n_vocab, i);
        ex_setup e = {.kv = INGLE_TYPE_F16, .n_ctx = 320, .n_batch = 512, .n_threads = 1};
        subject s = {g.name, g.model, tokens, N, g.n_vocab, NULL, NULL};
        subject_open(&s, &e);
        check_pairs(&s, e, false, i);
        subject_close(&s);
        golden_close(&g);
    }
}

/* ---- several sessions ---- */

enum { N_CALLERS = 5, N_EACH = 300 };

typedef struct caller {
    ingle_session *session;
    int32_t tokens[N_EACH];
    size_t split;
    float *want, *got;
} caller;

static void *call(void *arg)
{
    caller *c = arg;
    ex_eval(c->session, c->tokens, N_EACH, c->split, EX_VOCAB, c->got);
    return NULL;
}

static void callers_open(caller *c, ingle_engine *engine)
{
    for (size_t i = 0; i < N_CALLERS; i++) {
        c[i].split = i == 0 ? 1 : 30 * i;
        c[i].want = malloc(sizeof(float) * N_EACH * EX_VOCAB);
        c[i].got = malloc(sizeof(float) * N_EACH * EX_VOCAB);
        ex_tokens(c[i].tokens, N_EACH, EX_VOCAB, 100 + i);
        c[i].session = ex_session(engine);
        ex_eval(c[i].session, c[i].tokens, N_EACH, N_EACH, EX_VOCAB, c[i].want); /* alone */
        assert_int_equal(ingle_session_truncate(c[i].session, 0, NULL), INGLE_OK);
    }
}

static void callers_close(caller *c)
{
    for (size_t i = 0; i < N_CALLERS; i++) {
        subject s = {"sessions", NULL, NULL, N_EACH, EX_VOCAB, c[i].want, NULL};
        compare(&s, c[i].got, N_EACH, "with neighbours");
        ingle_session_close(&c[i].session);
        free(c[i].want);
        free(c[i].got);
    }
}

/* From threads of their own, whose tokens meet in a batch as it happens. */
static void neighbours(void **state)
{
    const ex_model m = {INGLE_TYPE_Q4_K, 256, 256, 4, 2, 64};
    const ex_setup e = {
        .kv = INGLE_TYPE_F16, .n_ctx = 320, .n_batch = 64, .n_threads = 2, .n_sessions = N_CALLERS};
    char path[32];
    static caller c[N_CALLERS];
    pthread_t thread[N_CALLERS];
    (void)state;
    int fd = ex_file(&m, path);
    ingle_model *model = ex_open(path, &e);
    ingle_engine *engine = ex_engine(model, &e);
    callers_open(c, engine);
    for (size_t i = 0; i < N_CALLERS; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, call, &c[i]), 0);
    for (size_t i = 0; i < N_CALLERS; i++) pthread_join(thread[i], NULL);
    callers_close(c);
    ingle_engine_close(&engine);
    ingle_model_close(&model);
    close(fd);
}

/* In one call, at depths that are not alike: some with a token at a time (the plan has shorter ways
 * for batches of single tokens), others with more, in turns. */
static void together(void **state)
{
    const ex_model m = {INGLE_TYPE_Q6_K, 256, 256, 4, 2, 64};
    ex_setup e = {.kv = INGLE_TYPE_F16, .n_ctx = 320, .n_batch = 512, .n_sessions = N_CALLERS};
    static caller c[N_CALLERS];
    char path[32];
    (void)state;
    int fd = ex_file(&m, path);
    ingle_model *model = ex_open(path, &e);
    for (size_t t = 0; t < N_THREADS; t++) {
        size_t at[N_CALLERS] = {0}, n_left = N_CALLERS;
        ingle_error err;
        e.n_threads = threads[t];
        ingle_engine *engine = ex_engine(model, &e);
        callers_open(c, engine);
        for (size_t step = 0; n_left; step++) {
            ingle_eval evals[N_CALLERS];
            size_t who[N_CALLERS], n = 0;
            for (size_t i = 0; i < N_CALLERS; i++) {
                size_t part = step % 20 < 16 ? 1 : 20 * i + 1, rest = N_EACH - at[i];
                part = part < rest ? part : rest;
                if (!part || step % (i + 2) == i + 1) continue; /* now and then one sits out */
                evals[n] = (ingle_eval){c[i].session, c[i].tokens + at[i], part, INGLE_ROWS_ALL};
                who[n++] = i;
            }
            if (n) must(ingle_sessions_eval(evals, n, &err), &err);
            for (size_t k = 0; k < n; k++) {
                size_t i = who[k];
                ex_rows(c[i].session, evals[k].n, EX_VOCAB, c[i].got + at[i] * EX_VOCAB);
                at[i] += evals[k].n;
                n_left -= at[i] == N_EACH;
            }
        }
        callers_close(c);
        ingle_engine_close(&engine);
    }
    ingle_model_close(&model);
    close(fd);
}

/* ---- one session ---- */

/* A truncated timeline goes on as if its tail had never been; the last row alone is the same row. */
static void truncated(void **state)
{
    static const size_t keep[] = {0, 1, 31, 32, 33, 255, 256, 257, 299};
    const ex_model m = {INGLE_TYPE_Q5_K, 256, 256, 4, 2, 64};
    const ex_setup e = {.kv = INGLE_TYPE_F16, .n_ctx = 512, .n_batch = 512, .n_threads = 2};
    int32_t tokens[N_EACH], other[N_EACH];
    char path[32];
    ingle_error err;
    (void)state;
    ex_tokens(tokens, N_EACH, EX_VOCAB, 1);
    ex_tokens(other, N_EACH, EX_VOCAB, 2);
    int fd = ex_file(&m, path);
    subject s = {"truncated", path, tokens, N_EACH, EX_VOCAB, NULL, NULL};
    subject_open(&s, &e);
    s.want += (N_EACH - 1) * EX_VOCAB; /* of the last row alone */
    ingle_model *model = ex_open(path, &e);
    ingle_engine *engine = ex_engine(model, &e);
    ingle_session *session = ex_session(engine);
    for (size_t i = 0; i < sizeof keep / sizeof keep[0]; i++) {
        must(ingle_session_truncate(session, 0, &err), &err);
        must(ingle_session_eval(session, tokens, keep[i] + 1, INGLE_ROWS_NONE, &err), &err);
        must(ingle_session_eval(session, other, 100, INGLE_ROWS_LAST, &err), &err);
        must(ingle_session_truncate(session, keep[i], &err), &err);
        must(ingle_session_eval(session, tokens + keep[i], N_EACH - keep[i], INGLE_ROWS_LAST, &err),
             &err);
        ex_rows(session, 1, EX_VOCAB, s.got);
        compare(&s, s.got, 1, "last row");
    }
    s.want -= (N_EACH - 1) * EX_VOCAB;
    subject_close(&s);
    ingle_session_close(&session);
    ingle_engine_close(&engine);
    ingle_model_close(&model);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights),    cmocka_unit_test(attention), cmocka_unit_test(families),
        cmocka_unit_test(neighbours), cmocka_unit_test(together),  cmocka_unit_test(truncated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
