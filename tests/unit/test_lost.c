/* test_lost.c - steps that fail: a CPU whose n-th call of an operation fails, and whose pages and
 * states of the step's sequences hold no numbers afterwards. A failed job leaves its session as it
 * was; a device that is lost is lost for every call. */
#define _GNU_SOURCE
#include "exact/exact.h"

#include <sched.h>

enum { N_CTX = 192, N_BATCH = 24, N_SESSIONS = 3, N_BEGUN = 50, N_MORE = 60 };
enum { N_ALL = N_BEGUN + N_MORE, N_TABLE = N_CTX / INGLE_PAGE, MOST_PAGES = 64 };

/* ---- a CPU that fails ---- */

typedef enum where { BEGIN, PART, END } where;

static const char *const where_name[] = {"begin", "part", "end"};

static struct {
    size_t left;  /* calls of `at` until one fails; 0: none does */
    size_t every; /* and then again after so many; 0: not again */
    where at;
    ingle_status status;
    ingle_session **until_queued; /* the failing call waits for jobs of these two sessions */
    const ingle_batch *batch;
    uint32_t table[N_SESSIONS][INGLE_GROUPS][N_TABLE]; /* as the backend was told */
    bool spoilt[INGLE_GROUPS][MOST_PAGES];             /* what spoil() wrote and nobody cleared */
    size_t n_failed, n_unclean;
} fault;

static void arm(where at, size_t n, ingle_status status)
{
    fault.at = at;
    fault.left = n;
    fault.every = 0;
    fault.status = status;
    fault.n_failed = 0;
}

/* Visits the pages that hold the step's sequences, or only those that it writes. */
static void each_page(const ingle_backend *b, const ingle_batch *batch, bool written,
                      void (*visit)(ingle_backend *b, ingle_group group, uint32_t page))
{
    int n_groups = b->program->plan.window ? INGLE_GROUPS : 1;
    for (size_t i = 0; i < batch->n_seqs; i++) {
        const ingle_batch_seq *s = &batch->seqs[i];
        size_t n = (s->pos0 + s->n + INGLE_PAGE - 1) / INGLE_PAGE;
        for (size_t p = written ? s->pos0 / INGLE_PAGE : 0; p < n; p++)
            for (int g = 0; g < n_groups; g++)
                if (fault.table[s->slot][g][p] != INGLE_NO_PAGE)
                    visit((ingle_backend *)b, (ingle_group)g, fault.table[s->slot][g][p]);
    }
}

/* A backend may read positions that nobody has written, and weigh them by 0: they have to be
 * numbers. */
static void expect_clean(ingle_backend *b, ingle_group group, uint32_t page)
{
    (void)b;
    if (fault.spoilt[group][page]) fault.n_unclean++;
}

static void note_tables(const ingle_batch *batch)
{
    for (int g = 0; g < INGLE_GROUPS; g++)
        for (size_t i = 0; i < batch->clear[g].n; i++)
            fault.spoilt[g][batch->clear[g].pages[i]] = false;
    for (size_t i = 0; i < batch->n_changes; i++) {
        const ingle_table_change *c = &batch->changes[i];
        assert_true(c->first + c->n <= N_TABLE);
        memcpy(&fault.table[c->slot][c->group][c->first], c->pages, c->n * sizeof *c->pages);
    }
    fault.batch = batch;
}

static uint8_t rubbish[1 << 20];

static void spoil_page(ingle_backend *b, ingle_group group, uint32_t page)
{
    ingle_error err;
    assert_true(cpu_page_bytes(b, group) <= sizeof rubbish && page < MOST_PAGES);
    must(ingle_backend_cpu.write_pages(b, group, &page, 1, rubbish, &err), &err);
    fault.spoilt[group][page] = true;
}

/* What a failed step may leave of what it writes. */
static void spoil(ingle_backend *b)
{
    ingle_error err;
    memset(rubbish, 0xff, sizeof rubbish);
    assert_true(b->state_bytes <= sizeof rubbish);
    each_page(b, fault.batch, true, spoil_page);
    for (size_t i = 0; i < fault.batch->n_seqs; i++) {
        const ingle_batch_seq *s = &fault.batch->seqs[i];
        must(ingle_backend_cpu.write_state(b, s->state, rubbish, &err), &err);
    }
}

/* With the engine's lock held. */
static bool is_queued(const ingle_session *s)
{
    return s->task.state == INGLE_TASK_QUEUED || s->task.state == INGLE_TASK_RUNS;
}

/* Whether this call is the one; `st` is what it came to. */
static ingle_status fail_at(ingle_backend *b, where at, ingle_status st, ingle_error *err)
{
    if (st || at != fault.at || !fault.left || --fault.left) return st;
    fault.left = fault.every;
    fault.n_failed++;
    for (ingle_session **s = fault.until_queued; fault.until_queued;) {
        pthread_mutex_lock(&s[0]->engine->lock);
        if (is_queued(s[0]) && is_queued(s[1])) fault.until_queued = NULL;
        pthread_mutex_unlock(&s[0]->engine->lock);
        sched_yield();
    }
    spoil(b);
    return ingle_fail(err, fault.status, "the wire broke at %s", where_name[at]);
}

static ingle_status begin(ingle_backend *b, const ingle_batch *batch, ingle_error *err)
{
    note_tables(batch);
    each_page(b, batch, false, expect_clean);
    ingle_status st = fail_at(b, BEGIN, INGLE_OK, err);
    return st ? st : ingle_backend_cpu.begin(b, batch, err);
}

static ingle_status part(ingle_backend *b, size_t i_stretch, ingle_error *err)
{
    return fail_at(b, PART, ingle_backend_cpu.part(b, i_stretch, err), err);
}

static ingle_status end(ingle_backend *b, ingle_error *err)
{
    return fail_at(b, END, ingle_backend_cpu.end(b, err), err);
}

static ingle_status copy_pages(ingle_backend *b, ingle_group group, const uint32_t *to,
                               const uint32_t *from, size_t n, ingle_error *err)
{
    for (size_t i = 0; i < n; i++) fault.spoilt[group][to[i]] = fault.spoilt[group][from[i]];
    return ingle_backend_cpu.copy_pages(b, group, to, from, n, err);
}

static ingle_backend_ops faulty;

/* ---- a model, an engine, sessions, and what they should give ---- */

typedef struct world {
    ingle_model *m;
    ingle_engine *e;
    ingle_session *s[N_SESSIONS];
    size_t n_vocab;
    int32_t tokens[N_SESSIONS][N_ALL + 2];
    float *rows[N_SESSIONS]; /* [N_ALL + 2][n_vocab] of sessions that nothing happens to */
} world;

static void open_engine(world *w)
{
    ingle_error err;
    ingle_engine_options eo;
    ingle_engine_options_init(&eo);
    eo.n_ctx = N_CTX, eo.n_batch = N_BATCH, eo.n_sessions = N_SESSIONS, eo.n_threads = 2;
    must(ingle_engine_open(&w->e, w->m, &eo, &err), &err);
    w->e->shares = false; /* every session computes all of its own: steps are counted */
    for (int i = 0; i < N_SESSIONS; i++) must(ingle_session_open(&w->s[i], w->e, &err), &err);
}

static void close_engine(world *w)
{
    assert_int_equal(fault.n_unclean, 0);
    for (int i = 0; i < N_SESSIONS; i++) ingle_session_close(&w->s[i]);
    ingle_engine_close(&w->e);
}

static bool open_world(world *w, const char *name)
{
    golden g;
    ingle_error err;
    runner r;
    if (!golden_open(&g, "models", name)) return false;
    must(ingle_model_open(&w->m, g.model, NULL, &err), &err);
    golden_close(&g);
    w->n_vocab = (size_t)w->m->n_vocab;
    faulty = ingle_backend_cpu;
    faulty.begin = begin, faulty.part = part, faulty.end = end;
    faulty.copy_pages = copy_pages;
    w->m->placement.home[0].backend = &faulty;
    memset(&fault, 0, sizeof fault);
    open_engine(w);
    r = (runner){.model = w->m, .engine = w->e, .n_vocab = w->n_vocab};
    for (int i = 0; i < N_SESSIONS; i++) {
        fill(w->tokens[i], N_ALL + 2, (size_t)w->m->program.plan.n_tokens, (uint32_t)i + 20);
        w->rows[i] = malloc((N_ALL + 2) * w->n_vocab * sizeof(float));
        assert_non_null(w->rows[i]);
        eval_split(&r, w->s[i], w->tokens[i], N_ALL + 2, N_ALL + 2, w->rows[i]);
        all_finite(w->rows[i], (N_ALL + 2) * w->n_vocab);
    }
    close_engine(w);
    memset(fault.spoilt, 0, sizeof fault.spoilt);
    open_engine(w);
    return true;
}

static void close_world(world *w)
{
    close_engine(w);
    for (int i = 0; i < N_SESSIONS; i++) free(w->rows[i]);
    ingle_model_close(&w->m);
}

static void check_rows(const world *w, int i, size_t first, size_t n, const char *what)
{
    ingle_error err;
    const float *row;
    for (size_t k = 0; k < n; k++) {
        must(ingle_session_logits(w->s[i], k, &row, &err), &err);
        if (memcmp(row, w->rows[i] + (first + k) * w->n_vocab, w->n_vocab * sizeof *row))
            fail_msg("%s: %s: session %d: other logits of token %zu", w->m->family->name, what, i,
                     first + k);
    }
}

static void good_eval(const world *w, int i, size_t first, size_t n, const char *what)
{
    ingle_error err;
    must(ingle_session_eval(w->s[i], w->tokens[i] + first, n, INGLE_ROWS_ALL, &err), &err);
    check_rows(w, i, first, n, what);
}

static void holds(const world *w, int i, size_t n, size_t n_rows)
{
    ingle_error err;
    const int32_t *tokens;
    const float *row;
    size_t n_tokens;
    must(ingle_session_tokens(w->s[i], &tokens, &n_tokens, &err), &err);
    assert_int_equal(n_tokens, n);
    assert_memory_equal(tokens, w->tokens[i], n * sizeof *tokens);
    if (n_rows) must(ingle_session_logits(w->s[i], n_rows - 1, &row, &err), &err);
    assert_int_equal(ingle_session_logits(w->s[i], n_rows, &row, &err), INGLE_ENOTFOUND);
}

static void fails(ingle_status st, const ingle_error *err)
{
    char text[64];
    snprintf(text, sizeof text, "the wire broke at %s", where_name[fault.at]);
    assert_int_equal(st, fault.status);
    assert_string_equal(err->text, text);
    assert_int_equal(fault.n_failed, 1);
}

static void forget(const world *w)
{
    ingle_error err;
    for (int i = 0; i < N_SESSIONS; i++) must(ingle_session_truncate(w->s[i], 0, &err), &err);
}

/* ---- INGLE_EIO: the job has failed, nothing else ---- */

/* A prompt needs three steps, and the n-th fails; then the session goes on, cut back to `keep`. */
static void fail_prompt(const world *w, where at, size_t n, size_t keep)
{
    ingle_error err;
    good_eval(w, 0, 0, N_BEGUN, "before");
    good_eval(w, 1, 0, 20, "before");
    arm(at, n, INGLE_EIO);
    fails(ingle_session_eval(w->s[0], w->tokens[0] + N_BEGUN, N_MORE, INGLE_ROWS_ALL, &err), &err);
    holds(w, 0, N_BEGUN, 0);
    holds(w, 1, 20, 20);
    check_rows(w, 1, 0, 20, "another after the failure");
    good_eval(w, 1, 20, 1, "another after the failure");
    must(ingle_session_truncate(w->s[0], keep, &err), &err);
    good_eval(w, 0, keep, N_ALL - keep, "after the failure");
    good_eval(w, 1, 21, 30, "another, later");
    good_eval(w, 0, N_ALL, 1, "later");
    must(ingle_session_truncate(w->s[0], 80, &err), &err); /* behind the step that failed */
    good_eval(w, 0, 80, 20, "cut back, after the failure");
    forget(w);
}

/* A single token fails, and then once more, when all before it is computed again. */
static void fail_twice(const world *w, where at)
{
    ingle_error err;
    good_eval(w, 0, 0, N_ALL, "before");
    for (int i = 0; i < 2; i++) {
        arm(at, 1 + (size_t)i, INGLE_ENOMEM);
        fails(ingle_session_eval(w->s[0], w->tokens[0] + N_ALL, 1, INGLE_ROWS_LAST, &err), &err);
        holds(w, 0, N_ALL, 0);
    }
    good_eval(w, 0, N_ALL, 2, "after two failures");
    forget(w);
}

/* Two of one call fail together; the third, which had no part in it, does not. */
static void fail_call(const world *w, where at, size_t n)
{
    ingle_error err;
    good_eval(w, 0, 0, N_BEGUN, "before");
    good_eval(w, 2, 0, 40, "before");
    const ingle_eval evals[2] = {
        {.session = w->s[0], .tokens = w->tokens[0] + N_BEGUN, .n = N_MORE, .rows = INGLE_ROWS_ALL},
        {.session = w->s[1], .tokens = w->tokens[1], .n = 30}};
    arm(at, n, INGLE_EIO);
    fails(ingle_sessions_eval(evals, 2, &err), &err);
    holds(w, 0, N_BEGUN, 0);
    holds(w, 1, 0, 0);
    good_eval(w, 2, 40, 1, "another after the failure");
    must(ingle_sessions_eval(evals, 2, &err), &err);
    check_rows(w, 0, N_BEGUN, N_MORE, "after the failure");
    check_rows(w, 1, 29, 1, "after the failure");
    forget(w);
}

static void fail_embedding(const world *w, where at, size_t n)
{
    ingle_error err;
    const float *v;
    size_t width;
    must(ingle_session_embed(w->s[2], w->tokens[2], N_BEGUN, NULL, &err), &err);
    must(ingle_session_embedding(w->s[2], 0, &v, &width, &err), &err);
    float *want = malloc(width * sizeof *want);
    assert_non_null(want);
    memcpy(want, v, width * sizeof *want);
    must(ingle_session_embed(w->s[0], w->tokens[1], 9, NULL, &err), &err);
    must(ingle_session_embedding(w->s[0], 0, &v, &width, &err), &err);
    float *held = malloc(width * sizeof *held);
    assert_non_null(held);
    memcpy(held, v, width * sizeof *held);
    arm(at, n, INGLE_EIO);
    fails(ingle_session_embed(w->s[0], w->tokens[2], N_BEGUN, NULL, &err), &err);
    holds(w, 0, 0, 0);
    must(ingle_session_embedding(w->s[0], 0, &v, &width, &err), &err);
    assert_memory_equal(v, held, width * sizeof *held);
    free(held);
    must(ingle_session_embed(w->s[0], w->tokens[2], N_BEGUN, NULL, &err), &err);
    must(ingle_session_embedding(w->s[0], 0, &v, &width, &err), &err);
    assert_memory_equal(v, want, width * sizeof *want);
    free(want);
    forget(w);
}

static ingle_status generate(const world *w, int i, ingle_error *err)
{
    ingle_sampler *sampler;
    ingle_sampler_options so;
    ingle_generate_options go;
    ingle_sampler_options_init(&so);
    so.temperature = 0;
    must(ingle_sampler_open(&sampler, &so, (int32_t)w->n_vocab, w->m, err), err);
    ingle_generate_options_init(&go);
    go.max_tokens = 8;
    go.ignore_eog = true;
    ingle_status st = ingle_generate(w->s[i], sampler, NULL, 0, &go, NULL, err);
    ingle_sampler_close(&sampler);
    return st;
}

/* "On failure the session is as it was, its logits too." */
static void fail_generation(world *w, where at, size_t n)
{
    ingle_error err;
    const int32_t *tokens;
    int32_t want[N_BEGUN + 8];
    size_t n_tokens;
    good_eval(w, 1, 0, N_BEGUN, "before");
    must(generate(w, 1, &err), &err);
    must(ingle_session_tokens(w->s[1], &tokens, &n_tokens, &err), &err);
    assert_int_equal(n_tokens, N_BEGUN + 8);
    memcpy(want, tokens, sizeof want);
    must(ingle_session_truncate(w->s[1], 0, &err), &err);
    must(ingle_session_eval(w->s[1], w->tokens[1], N_BEGUN, INGLE_ROWS_LAST, &err), &err);
    check_rows(w, 1, N_BEGUN - 1, 1, "before");
    arm(at, n, INGLE_EIO);
    fails(generate(w, 1, &err), &err);
    holds(w, 1, N_BEGUN, 1);
    check_rows(w, 1, N_BEGUN - 1, 1, "after the generation failed");
    must(generate(w, 1, &err), &err);
    must(ingle_session_tokens(w->s[1], &tokens, &n_tokens, &err), &err);
    assert_int_equal(n_tokens, N_BEGUN + 8);
    assert_memory_equal(tokens, want, sizeof want);
    forget(w);
}

static const char *const families[] = {"llama-Q4_K", "gpt-oss", "mistral", "qwen35",    "gemma4-e",
                                       "mamba2",     "lfm2",    "gemma3",  "qwen3next", "cohere2"};

static void test_failed_steps(void **state)
{
    world w;
    (void)state;
    for (size_t i = 0; i < sizeof families / sizeof *families; i += GOLDEN_STEP) {
        if (!open_world(&w, families[i])) continue;
        for (int at = BEGIN; at <= END; at++)
            for (size_t n = 1; n <= 3; n++) {
                fail_prompt(&w, (where)at, n, N_BEGUN);
                if (n > 1) fail_prompt(&w, (where)at, n, n == 2 ? 40 : 5);
                if (n == 1) fail_twice(&w, (where)at);
                fail_call(&w, (where)at, n);
                fail_embedding(&w, (where)at, n);
                fail_generation(&w, (where)at, n);
            }
        close_world(&w);
    }
}

/* Callers that try again, while every few steps one fails. */
typedef struct caller {
    const world *w;
    int i;
    size_t n_refused;
} caller;

static void *keep_trying(void *arg)
{
    static const size_t pieces[] = {1, 30, 1, 1, 7, 26, 1, 33};
    caller *c = arg;
    ingle_error err;
    size_t at = 0, i = (size_t)c->i;
    while (at < N_ALL) {
        size_t n = pieces[i++ % 8];
        if (n > N_ALL - at) n = N_ALL - at;
        ingle_status st =
            ingle_session_eval(c->w->s[c->i], c->w->tokens[c->i] + at, n, INGLE_ROWS_ALL, &err);
        if (st) {
            if (st != INGLE_EIO || strcmp(err.text, "the wire broke at part")) abort();
            c->n_refused++;
            holds(c->w, c->i, at, 0);
            i--;
            continue;
        }
        check_rows(c->w, c->i, at, n, "among callers that fail");
        at += n;
    }
    return NULL;
}

static void test_callers(void **state)
{
    static const char *const names[] = {"llama-Q4_K", "gpt-oss", "qwen35"};
    world w;
    (void)state;
    for (size_t k = 0; k < 3; k++) {
        caller c[N_SESSIONS];
        pthread_t thread[N_SESSIONS];
        size_t n_refused = 0;
        if (!open_world(&w, names[k])) continue;
        arm(PART, 7, INGLE_EIO);
        fault.every = 7;
        for (int i = 0; i < N_SESSIONS; i++) {
            c[i] = (caller){.w = &w, .i = i};
            assert_int_equal(pthread_create(&thread[i], NULL, keep_trying, &c[i]), 0);
        }
        for (int i = 0; i < N_SESSIONS; i++) {
            pthread_join(thread[i], NULL);
            n_refused += c[i].n_refused;
        }
        assert_true(fault.n_failed && n_refused >= fault.n_failed);
        close_world(&w);
    }
}

/* ---- INGLE_EDEVICE: for good ---- */

typedef struct waiting {
    world *w;
    ingle_status status;
    ingle_error err;
    bool generates;
} waiting;

static void *wait_for_the_step(void *arg)
{
    waiting *c = arg;
    if (c->generates) c->status = generate(c->w, 1, &c->err);
    else
        c->status =
            ingle_session_eval(c->w->s[1], c->w->tokens[1] + 20, 3, INGLE_ROWS_LAST, &c->err);
    return NULL;
}

#define LOST(call)                                                                                 \
    do {                                                                                           \
        ingle_error err = {""};                                                                    \
        assert_int_equal(call, INGLE_EDEVICE);                                                     \
        assert_text(&err, "the wire broke at");                                                    \
    } while (0)

static void every_call_is_lost(world *w)
{
    const int32_t *tokens = w->tokens[0];
    const float *floats;
    const ingle_eval evals[2] = {{.session = w->s[1], .tokens = tokens, .n = 1},
                                 {.session = w->s[2], .tokens = tokens, .n = 1}};
    ingle_limits limits = {.size = sizeof limits};
    ingle_profile total = {.size = sizeof total};
    ingle_profile_row row = {.size = sizeof row};
    ingle_session *fresh;
    for (int i = 0; i < N_SESSIONS; i++) {
        LOST(ingle_session_eval(w->s[i], tokens, 1, INGLE_ROWS_LAST, &err));
        LOST(generate(w, i, &err));
        LOST(ingle_session_embed(w->s[i], tokens, 1, NULL, &err));
        LOST(ingle_session_truncate(w->s[i], 0, &err));
        LOST(ingle_session_logits(w->s[i], 0, &floats, &err));
        LOST(ingle_session_tokens(w->s[i], NULL, NULL, &err));
        LOST(ingle_session_embedding(w->s[i], 0, &floats, NULL, &err));
    }
    LOST(ingle_sessions_eval(evals, 2, &err));
    LOST(ingle_engine_step(w->e, NULL, &err));
    LOST(ingle_engine_warm_up(w->e, &err));
    LOST(ingle_engine_limits(w->e, &limits, &err));
    LOST(ingle_engine_profile(w->e, true, &err));
    LOST(ingle_engine_profile(w->e, false, &err));
    LOST(ingle_engine_profile_total(w->e, &total, &err));
    LOST(ingle_engine_profile_row(w->e, 0, &row, &err));
    ingle_status st = ingle_session_open(&fresh, w->e, NULL);
    if (st) assert_int_equal(st, INGLE_EDEVICE);
    else LOST(ingle_session_eval(fresh, tokens, 1, INGLE_ROWS_LAST, &err));
    ingle_session_close(&fresh);
}

static void lose(const char *name, where at, size_t n, bool generates)
{
    world w;
    ingle_error err;
    waiting c = {.w = &w, .generates = generates};
    pthread_t thread;
    if (!open_world(&w, name)) return;
    good_eval(&w, 0, 0, N_BEGUN, "before");
    good_eval(&w, 1, 0, 20, "before");
    arm(at, n, INGLE_EDEVICE);
    fault.until_queued = w.s;
    assert_int_equal(pthread_create(&thread, NULL, wait_for_the_step, &c), 0);
    ingle_status st =
        ingle_session_eval(w.s[0], w.tokens[0] + N_BEGUN, N_MORE, INGLE_ROWS_LAST, &err);
    pthread_join(thread, NULL);
    fails(st, &err);
    fails(c.status, &c.err);
    every_call_is_lost(&w);
    fault.left = 0;
    if (n == 1) ingle_engine_close(&w.e); /* sessions may outlive it */
    close_world(&w);
}

static void test_lost(void **state)
{
    static const char *const names[] = {"llama-Q4_K", "gpt-oss", "mamba2"};
    (void)state;
    for (size_t i = 0; i < 3; i++)
        for (int at = BEGIN; at <= END; at++) {
            lose(names[i], (where)at, 1, false);
            lose(names[i], (where)at, 2, true);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_failed_steps),
        cmocka_unit_test(test_callers),
        cmocka_unit_test(test_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
