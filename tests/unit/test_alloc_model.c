/* Every allocation on the way from a file to text fails once: heap blocks, maps and threads. Each
 * time there is a status with a text, nothing is left behind, and what lived before the call is as
 * it was, to the bit. */
#define _GNU_SOURCE
#include <dirent.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <ingle.h>
#include <ingle_tools.h>

#include "must.h"
#include "wrap_alloc.h"

#define TINY INGLE_SOURCE_DIR "/models/tiny-chat.gguf"

enum { N_CTX = 96, N_BATCH = 16, N_VOCAB = 2048, N_THREADS = 3 };

static int open_files(void)
{
    int n = 0;
    DIR *dir = opendir("/proc/self/fd");
    assert_non_null(dir);
    while (readdir(dir)) n++;
    closedir(dir);
    return n;
}

/* A thread that could not be started is the system's refusal, everything else is memory. */
static void check_refusal(long n, ingle_status st, const ingle_error *err)
{
    bool thread = st == INGLE_EIO && strstr(err->text, "could not be started");
    if (st != INGLE_ENOMEM && !thread)
        fail_msg("allocation %ld: %s: \"%s\"", n, ingle_status_name(st), err->text);
    if (!strstr(err->text, thread ? "thread" : "memory"))
        fail_msg("allocation %ld: the text \"%s\" does not say what is missing", n, err->text);
}

/* ---- the options that take memory ---- */

static const ingle_logit_bias bias[] = {{5, -1.5f}, {9, -INFINITY}};
static const ingle_stop stops[] = {{"never to be found", 17}, {"nor is this", 11}};
static const int32_t stop_tokens[] = {2046};
static const char *const breakers[] = {"\n", ". ", "said"};

static void sampler_options(ingle_sampler_options *so)
{
    ingle_sampler_options_init(so);
    so->seed = 7;
    so->repeat_penalty = 1.2f;
    so->penalty_last_n = -1;
    so->dry_multiplier = 0.8f;
    so->dry_breakers = breakers;
    so->n_dry_breakers = 3;
    so->logit_bias = bias;
    so->n_logit_bias = 2;
    so->mirostat = 1;
}

static bool take(void *user, const ingle_event *event)
{
    size_t *len = user;
    *len += event->text_len;
    return true;
}

static void generate_options(ingle_generate_options *go, size_t *len)
{
    ingle_generate_options_init(go);
    go->max_tokens = 6;
    go->logprobs = 3;
    go->ignore_eog = true;
    go->stops = stops;
    go->n_stops = 2;
    go->stop_tokens = stop_tokens;
    go->n_stop_tokens = 1;
    go->on_event = take;
    go->user = len;
}

/* ---- the whole way, from nothing to nothing ---- */

typedef struct house {
    bool in_place;
    ingle_model *model;
    ingle_engine *engine;
    ingle_session *session;
    ingle_sampler *sampler;
} house;

static ingle_status open_model(house *h, ingle_error *err)
{
    ingle_model_options mo;
    ingle_model_options_init(&mo);
    mo.n_threads = N_THREADS;
    mo.in_place = h->in_place;
    return ingle_model_open(&h->model, TINY, &mo, err);
}

static ingle_status open_engine(house *h, ingle_error *err)
{
    ingle_engine_options eo;
    ingle_engine_options_init(&eo);
    eo.n_ctx = N_CTX;
    eo.n_batch = N_BATCH;
    eo.n_threads = N_THREADS;
    return ingle_engine_open(&h->engine, h->model, &eo, err);
}

static ingle_status open_sampler(house *h, ingle_error *err)
{
    ingle_sampler_options so;
    sampler_options(&so);
    return ingle_sampler_open(&h->sampler, &so, N_VOCAB, h->model, err);
}

static void close_house(house *h)
{
    ingle_sampler_close(&h->sampler);
    ingle_session_close(&h->session);
    ingle_engine_close(&h->engine);
    ingle_model_close(&h->model);
}

static house open_house(void)
{
    house h = {0};
    ingle_error err;
    must(open_model(&h, &err), &err);
    must(open_engine(&h, &err), &err);
    must(ingle_session_open(&h.session, h.engine, &err), &err);
    must(open_sampler(&h, &err), &err);
    return h;
}

#define STORY "Once upon a time there was a dog, and the dog said: "

/* Everything a user does, in order; the first refusal ends it. */
static ingle_status whole_way(house *h, ingle_error *err)
{
    ingle_status st;
    int32_t tokens[64];
    size_t n, len = 0;
    char text[256];
    ingle_generate_options go;
    ingle_generate_result result = {.size = sizeof result};
    generate_options(&go, &len);
    if ((st = open_model(h, err))) return st;
    if ((st = open_engine(h, err))) return st;
    if ((st = ingle_engine_warm_up(h->engine, err))) return st;
    if ((st = ingle_session_open(&h->session, h->engine, err))) return st;
    if ((st = open_sampler(h, err))) return st;
    if ((st = ingle_tokenize(h->model, STORY, strlen(STORY), INGLE_PARSE_SPECIAL, tokens, 64, &n,
                             err)))
        return st;
    if ((st = ingle_generate(h->session, h->sampler, tokens, n, &go, &result, err))) return st;
    if ((st = ingle_generate(h->session, h->sampler, NULL, 0, &go, &result, err))) return st;
    if ((st = ingle_session_truncate(h->session, 3, err))) return st;
    if ((st = ingle_session_eval(h->session, tokens, 4, INGLE_ROWS_ALL, err))) return st;
    return ingle_detokenize(h->model, tokens, n, INGLE_CLEAN_SPACES, text, sizeof text, &len, err);
}

static void check_whole_way(bool in_place)
{
    house warm = open_house(); /* what libraries take once is taken now */
    close_house(&warm);
    int n_files = open_files();
    long n_refused = 0;
    for (long n = 1;; n++) {
        house h = {.in_place = in_place};
        ingle_error err = {""};
        wrap_alloc_begin(n);
        ingle_status st = whole_way(&h, &err);
        close_house(&h);
        bool reached = wrap_alloc_end();
        if (wrap_alloc_live() || wrap_alloc_mapped())
            fail_msg("allocation %ld: %ld blocks and %zu mapped bytes are left (%s)", n,
                     wrap_alloc_live(), wrap_alloc_mapped(), err.text);
        if (open_files() != n_files) fail_msg("allocation %ld: a file is left open", n);
        if (!reached) {
            must(st, &err);
            print_message("%ld allocations, %ld of them refused\n", n - 1, n_refused);
            assert_true(n_refused > 100);
            return;
        }
        if (!st)
            continue; /* PCRE2's JIT does without its memory, read-ahead is given back or not */
        check_refusal(n, st, &err);
        n_refused++;
    }
}

static void whole_way_fails_everywhere(void **state)
{
    (void)state;
    check_whole_way(false);
}

static void whole_way_in_place(void **state)
{
    (void)state;
    check_whole_way(true);
}

/* ---- calls on what lives ---- */

/* What a caller can see of a session. */
typedef struct view {
    int32_t tokens[N_CTX];
    size_t n, n_rows;
    float rows[4][N_VOCAB];
} view;

static void look(const house *h, view *v)
{
    const int32_t *tokens;
    const float *row;
    memset(v, 0, sizeof *v);
    must(ingle_session_tokens(h->session, &tokens, &v->n, NULL), &(ingle_error){""});
    memcpy(v->tokens, tokens, v->n * sizeof *tokens);
    while (v->n_rows < 4 && !ingle_session_logits(h->session, v->n_rows, &row, NULL))
        memcpy(v->rows[v->n_rows++], row, sizeof v->rows[0]);
}

static const int32_t history[] = {17, 300, 45, 1200, 9, 77, 640, 31, 2, 5, 900, 41, 8, 8, 100, 1999,
                                  4,  61,  12, 700,  3, 90, 33,  7,  6, 5, 4,   3,  2, 1, 0,   50};

/* 30 tokens held, n_rows rows of logits (0, 1 or 3 of the last). */
static void start_over(house *h, size_t n_rows)
{
    ingle_error err;
    size_t n = n_rows == 3 ? 27 : 30;
    must(ingle_session_truncate(h->session, 0, &err), &err);
    must(ingle_session_eval(h->session, history, n, n_rows == 1 ? INGLE_ROWS_LAST : INGLE_ROWS_NONE,
                            &err),
         &err);
    if (n_rows == 3)
        must(ingle_session_eval(h->session, history + n, 3, INGLE_ROWS_ALL, &err), &err);
    must(ingle_sampler_reset(h->sampler, &err), &err);
}

typedef ingle_status call(house *h, ingle_error *err);

static ingle_status generate_more(house *h, ingle_error *err)
{
    size_t len = 0;
    ingle_generate_options go;
    generate_options(&go, &len);
    return ingle_generate(h->session, h->sampler, history, 20, &go, NULL, err);
}

static ingle_status generate_on(house *h, ingle_error *err)
{
    size_t len = 0;
    ingle_generate_options go;
    generate_options(&go, &len);
    return ingle_generate(h->session, h->sampler, NULL, 0, &go, NULL, err);
}

static ingle_status eval_all(house *h, ingle_error *err)
{
    return ingle_session_eval(h->session, history, 32, INGLE_ROWS_ALL, err);
}

static ingle_status warm_up(house *h, ingle_error *err)
{
    return ingle_engine_warm_up(h->engine, err);
}

static ingle_status another_session(house *h, ingle_error *err)
{
    ingle_session *s;
    ingle_status st = ingle_session_open(&s, h->engine, err);
    if (st) assert_null(s);
    ingle_session_close(&s);
    return st;
}

static ingle_status another_engine(house *h, ingle_error *err)
{
    house other = {.model = h->model};
    ingle_status st = open_engine(&other, err);
    if (st) assert_null(other.engine);
    ingle_engine_close(&other.engine);
    return st;
}

static ingle_status another_sampler(house *h, ingle_error *err)
{
    house other = {.model = h->model};
    ingle_status st = open_sampler(&other, err);
    if (st) assert_null(other.sampler);
    ingle_sampler_close(&other.sampler);
    return st;
}

static ingle_status longer_history(house *h, ingle_error *err)
{
    house other = {.model = h->model};
    ingle_status st = open_sampler(&other, err);
    for (int32_t i = 0; i < 3000 && !st; i++) st = ingle_sampler_accept(other.sampler, i % 50, err);
    ingle_sampler_close(&other.sampler);
    return st;
}

static ingle_status tokenize(house *h, ingle_error *err)
{
    static char text[3000];
    static int32_t tokens[3000];
    size_t n = 1;
    memset(text, 'a', sizeof text);
    ingle_status st =
        ingle_tokenize(h->model, text, sizeof text, INGLE_PARSE_SPECIAL, tokens, 3000, &n, err);
    if (st) assert_int_equal(n, 0);
    return st;
}

/* One after the other every allocation of the call fails; each time the session looks as before,
 * and at the end it goes on as one that never saw a failure. */
static void check_call(house *h, const char *name, call *fn, size_t n_rows, long n_least)
{
    static view before, after, want;
    ingle_error err = {""};
    start_over(h, n_rows);
    look(h, &before);
    assert_int_equal(before.n, 30);
    assert_int_equal(before.n_rows, n_rows);
    must(fn(h, &err), &err);
    look(h, &want);
    start_over(h, n_rows);
    for (long n = 1;; n++) {
        must(ingle_sampler_reset(h->sampler, &err), &err);
        err.text[0] = 0;
        wrap_alloc_begin(n);
        ingle_status st = fn(h, &err);
        bool reached = wrap_alloc_end();
        if (wrap_alloc_live() || wrap_alloc_mapped())
            fail_msg("%s, allocation %ld: %ld blocks and %zu mapped bytes are left", name, n,
                     wrap_alloc_live(), wrap_alloc_mapped());
        look(h, &after);
        if (reached) check_refusal(n, st, &err);
        else must(st, &err);
        if (memcmp(&after, reached ? &before : &want, sizeof after) != 0)
            fail_msg("%s, allocation %ld: %zu tokens and %zu rows, were %zu and %zu (%s)", name, n,
                     after.n, after.n_rows, reached ? before.n : want.n,
                     reached ? before.n_rows : want.n_rows, err.text);
        if (reached) continue;
        if (n - 1 < n_least) fail_msg("%s: only %ld allocations", name, n - 1);
        return;
    }
}

static void failed_calls_change_nothing(void **state)
{
    (void)state;
    house h = open_house();
    static const struct {
        const char *name;
        call *fn;
        long n_least;
    } calls[] = {
        {"generate", generate_more, 10},
        {"eval of all rows", eval_all, 0},
        {"warm up", warm_up, 5},
        {"another session", another_session, 3},
        {"another engine", another_engine, 10},
        {"another sampler", another_sampler, 20},
        {"a longer history", longer_history, 24},
        {"tokenize", tokenize, 3},
    };
    for (size_t rows = 0; rows <= 3; rows += rows ? 2 : 1) {
        for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
            check_call(&h, calls[i].name, calls[i].fn, rows, calls[i].n_least);
        if (rows) check_call(&h, "generate on", generate_on, rows, 10);
    }
    close_house(&h);
}

static void limits_need_memory(void **state)
{
    (void)state;
    house h = open_house();
    ingle_error err;
    ingle_limits limits = {.size = sizeof limits, .read_gbs = -1};
    wrap_alloc_begin(1); /* one block to read from: the bundled model is too small */
    ingle_status st = ingle_engine_limits(h.engine, &limits, &err);
    assert_true(wrap_alloc_end());
    check_refusal(1, st, &err);
    assert_true(limits.read_gbs == -1);
    assert_int_equal(wrap_alloc_mapped(), 0);
    must(warm_up(&h, &err), &err); /* the engine is not left at work */
    close_house(&h);
}

/* The rows of a larger eval need room of their own: the first time that can fail, and then the
 * logits of the eval before it are still there. */
static void room_for_rows(void **state)
{
    (void)state;
    static view before, after;
    house h = open_house();
    ingle_error err;
    start_over(&h, 1);
    look(&h, &before);
    wrap_alloc_begin(1);
    ingle_status st = ingle_session_eval(h.session, history, 9, INGLE_ROWS_ALL, &err);
    assert_true(wrap_alloc_end());
    check_refusal(1, st, &err);
    look(&h, &after);
    assert_memory_equal(&before, &after, sizeof before);
    close_house(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_way_fails_everywhere),
        cmocka_unit_test(whole_way_in_place),
        cmocka_unit_test(failed_calls_change_nothing),
        cmocka_unit_test(limits_need_memory),
        cmocka_unit_test(room_for_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
