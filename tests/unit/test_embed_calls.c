/* Embedding calls: what is refused and with which words, what stays as it was, every allocation
 * that fails, and files whose parts do not fit one another. */
#define _GNU_SOURCE
#include "encoder_build.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <ingle.h>
#include "engine/engine.h"
#include "must.h"
#include "wrap_alloc.h"

#include <pthread.h>
#include <sched.h>

static const eb_spec full = {.arch = "modern-bert",
                             .n_layer = 1,
                             .n_head = 4,
                             .window = 8,
                             .cls = true,
                             .cls_norm = true,
                             .cls_out = true,
                             .n_labels = 1,
                             .bad_token = 90};
static const eb_spec bert = {.arch = "bert", .n_layer = 1, .n_head = 4, .pooling = 1};
static const int32_t tokens[80] = {1, 2, 3, 4, 5, 6, 7};

typedef struct house {
    int fd;
    ingle_model *model;
    ingle_engine *engine;
    ingle_session *session, *other;
} house;

static ingle_status open_model(const eb_spec *s, ingle_model **m, int *fd, ingle_error *err)
{
    char path[32];
    *fd = eb_file(s, path);
    return ingle_model_open(m, path, NULL, err);
}

static void open_house(house *h, const eb_spec *s)
{
    ingle_error err;
    ingle_engine_options eo;
    ingle_engine_options_init(&eo);
    eo.n_ctx = 96, eo.n_batch = 64, eo.n_sessions = 2, eo.n_threads = 2;
    must(open_model(s, &h->model, &h->fd, &err), &err);
    must(ingle_engine_open(&h->engine, h->model, &eo, &err), &err);
    must(ingle_session_open(&h->session, h->engine, &err), &err);
    must(ingle_session_open(&h->other, h->engine, &err), &err);
}

static void close_house(house *h)
{
    ingle_session_close(&h->session);
    ingle_session_close(&h->other);
    ingle_engine_close(&h->engine);
    ingle_model_close(&h->model);
    close(h->fd);
}

static void refused(ingle_status st, const ingle_error *err, ingle_status want, const char *part)
{
    assert_int_equal(st, want);
    assert_text(err, part);
}

static void wrong_calls(void **state)
{
    house h;
    ingle_error err;
    ingle_embed_options o;
    const float *v;
    size_t n;
    (void)state;
    open_house(&h, &bert);
    refused(ingle_session_embed(NULL, tokens, 3, NULL, &err), &err, INGLE_ECLOSED, "session");
    refused(ingle_session_embed(h.session, tokens, 0, NULL, &err), &err, INGLE_EINVAL, "no tokens");
    refused(ingle_sessions_embed(NULL, 0, NULL, &err), &err, INGLE_EINVAL, "no texts");
    refused(ingle_session_embed(h.session, (int32_t[]){EB_VOCAB}, 1, NULL, &err), &err,
            INGLE_EINVAL, "token 0");
    refused(ingle_session_embed(h.session, tokens, 65, NULL, &err), &err, INGLE_EFULL, "n_batch");
    refused(ingle_session_embed(h.session, tokens, 97, NULL, &err), &err, INGLE_EFULL, "97");
    ingle_embed_options_init(&o);
    o.pooling = INGLE_POOLING_RANK;
    refused(ingle_session_embed(h.session, tokens, 3, &o, &err), &err, INGLE_EUNSUPPORTED, "rank");
    o.pooling = (ingle_pooling)9;
    refused(ingle_session_embed(h.session, tokens, 3, &o, &err), &err, INGLE_EINVAL, "pooling");
    ingle_embed_options_init(&o);
    o.size = 3;
    refused(ingle_session_embed(h.session, tokens, 3, &o, &err), &err, INGLE_EINVAL, "size");
    refused(ingle_session_eval(h.session, tokens, 3, INGLE_ROWS_LAST, &err), &err,
            INGLE_EUNSUPPORTED, "bert");
    refused(ingle_session_eval(h.session, tokens, 3, INGLE_ROWS_NONE, &err), &err,
            INGLE_EUNSUPPORTED, "bert");
    const ingle_text same[2] = {{h.session, tokens, 3, 0}, {h.session, tokens, 3, 0}};
    refused(ingle_sessions_embed(same, 2, NULL, &err), &err, INGLE_EBUSY, "session");
    assert_int_equal(ingle_session_embedding(h.session, 0, &v, &n, &err), INGLE_ENOTFOUND);
    must(ingle_session_embed(h.session, tokens, 64, NULL, &err), &err); /* all is as it was */
    must(ingle_session_embedding(h.session, 0, &v, &n, &err), &err);
    assert_int_equal(n, EB_EMBD);
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (double)v[i] * (double)v[i];
    assert_true(fabs(sum - 1) < 1e-6);
    assert_int_equal(ingle_session_embedding(h.session, 1, &v, &n, &err), INGLE_ENOTFOUND);
    must(ingle_engine_warm_up(h.engine, &err), &err);
    ingle_model_info info = {.size = sizeof info};
    must(ingle_model_info_get(h.model, &info, &err), &err);
    assert_true(!info.logits && !info.causal && info.n_vector == EB_EMBD && !info.n_rank);
    assert_string_equal(ingle_pooling_name(info.pooling), "mean");
    close_house(&h);

    ingle_engine_options eo;
    ingle_engine_options_init(&eo);
    eo.n_ctx = EB_CTX + 1;
    must(open_model(&bert, &h.model, &h.fd, &err), &err);
    refused(ingle_engine_open(&h.engine, h.model, &eo, &err), &err, INGLE_EINVAL, "positions");
    ingle_model_close(&h.model);
    close(h.fd);
}

/* A decoder's timeline is not to be embedded into; an empty session of it is. */
static void a_decoder(void **state)
{
    house h = {0};
    ingle_error err;
    const float *row;
    size_t n;
    (void)state;
    must(ingle_model_open(&h.model, INGLE_SOURCE_DIR "/models/tiny-chat.gguf", NULL, &err), &err);
    must(ingle_engine_open(&h.engine, h.model, NULL, &err), &err);
    must(ingle_session_open(&h.session, h.engine, &err), &err);
    must(ingle_session_eval(h.session, tokens, 5, INGLE_ROWS_LAST, &err), &err);
    refused(ingle_session_embed(h.session, tokens, 3, NULL, &err), &err, INGLE_EINVAL, "holds 5");
    must(ingle_session_logits(h.session, 0, &row, &err), &err);
    must(ingle_session_truncate(h.session, 0, &err), &err);
    must(ingle_session_embed(h.session, tokens, 3, NULL, &err), &err);
    must(ingle_session_tokens(h.session, NULL, &n, &err), &err);
    assert_int_equal(n, 0);
    must(ingle_session_eval(h.session, tokens, 5, INGLE_ROWS_LAST, &err), &err);
    ingle_session_close(&h.session);
    ingle_engine_close(&h.engine);
    ingle_model_close(&h.model);
}

/* A classifier in place of a head: what the embeddings would make instead is no logits. */
static void a_reranker(void **state)
{
    static const eb_spec spec = {
        .arch = "qwen3", .n_layer = 1, .n_head = 4, .pooling = 4, .cls_out = true, .n_labels = 2};
    static const eb_spec plain = {.arch = "qwen3", .n_layer = 1, .n_head = 4, .pooling = 3};
    house h;
    ingle_error err;
    ingle_model_info info = {.size = sizeof info};
    const float *v;
    size_t n;
    (void)state;
    open_house(&h, &spec);
    must(ingle_model_info_get(h.model, &info, &err), &err);
    assert_true(!info.logits && info.causal && info.n_rank == 2);
    assert_int_equal(info.pooling, INGLE_POOLING_RANK);
    refused(ingle_session_eval(h.session, tokens, 3, INGLE_ROWS_LAST, &err), &err,
            INGLE_EUNSUPPORTED, "'qwen3' with a classifier in place of a head ranks texts");
    must(ingle_engine_warm_up(h.engine, &err), &err);
    must(ingle_session_embed(h.session, tokens, 64, NULL, &err), &err);
    must(ingle_session_embedding(h.session, 0, &v, &n, &err), &err);
    assert_true(n == 2 && fabsf(v[0] + v[1] - 1) < 1e-6f);
    close_house(&h);
    open_house(&h, &plain); /* tied, and no classifier: the embeddings are the head */
    must(ingle_model_info_get(h.model, &info, &err), &err);
    assert_true(info.logits && !info.n_rank);
    must(ingle_session_eval(h.session, tokens, 3, INGLE_ROWS_LAST, &err), &err);
    close_house(&h);
}

static void every_allocation_fails(void **state)
{
    static const eb_spec jina = {
        .arch = "jina-bert-v2", .n_layer = 1, .n_head = 4, .separate_gate = true};
    const eb_spec *specs[] = {&full, &jina, &bert};
    ingle_model_options mo;
    (void)state;
    ingle_model_options_init(&mo);
    mo.n_threads = 1;
    for (size_t i = 0; i < 3; i++) {
        char path[32];
        int fd = eb_file(specs[i], path);
        for (long n = 1;; n++) {
            ingle_model *m;
            ingle_error err = {""};
            wrap_alloc_begin(n);
            ingle_status st = ingle_model_open(&m, path, &mo, &err);
            ingle_model_close(&m);
            bool reached = wrap_alloc_end();
            assert_int_equal(wrap_alloc_live(), 0);
            if (!reached) break;
            if (!st) continue; /* read-ahead is given or not */
            if (st != INGLE_ENOMEM && st != INGLE_EIO)
                fail_msg("%ld: %s: %s", n, ingle_status_name(st), err.text);
            assert_true(err.text[0]);
        }
        close(fd);
    }
}

/* What a session holds of its last text. */
typedef struct held {
    size_t n_rows, n;
    float *v;
} held;

static held hold(const ingle_session *s)
{
    held h = {0};
    const float *row;
    for (; !ingle_session_embedding(s, h.n_rows, &row, &h.n, NULL); h.n_rows++) {
        h.v = realloc(h.v, (h.n_rows + 1) * h.n * sizeof *h.v);
        memcpy(h.v + h.n_rows * h.n, row, h.n * sizeof *row);
    }
    return h;
}

static void still_holds(const ingle_session *s, const held *h)
{
    held now = hold(s);
    assert_int_equal(now.n_rows, h->n_rows);
    assert_int_equal(now.n, h->n);
    assert_memory_equal(now.v, h->v, h->n_rows * h->n * sizeof *h->v);
    free(now.v);
}

/* Two texts of two sessions that hold vectors already, of other texts and other numbers of rows. */
typedef struct scene {
    house h;
    held held[2];
    ingle_text texts[2];
    ingle_embed_options o;
} scene;

static void open_scene(scene *s)
{
    ingle_error err;
    open_house(&s->h, &full);
    ingle_embed_options_init(&s->o);
    s->o.pooling = INGLE_POOLING_MEAN;
    must(ingle_session_embed(s->h.session, tokens + 2, 4, &s->o, &err), &err);
    s->o.pooling = INGLE_POOLING_NONE;
    must(ingle_session_embed(s->h.other, tokens + 1, 3, &s->o, &err), &err);
    s->held[0] = hold(s->h.session), s->held[1] = hold(s->h.other);
    assert_true(s->held[0].n_rows == 1 && s->held[1].n_rows == 3);
    /* too long for one batch: two steps */
    s->texts[0] = (ingle_text){.session = s->h.session, .tokens = tokens, .n = 40};
    s->texts[1] = (ingle_text){.session = s->h.other, .tokens = tokens, .n = 41};
}

static void as_before(const scene *s)
{
    still_holds(s->h.session, &s->held[0]);
    still_holds(s->h.other, &s->held[1]);
}

static void close_scene(scene *s)
{
    close_house(&s->h);
    free(s->held[0].v);
    free(s->held[1].v);
}

static void no_memory_changes_nothing(void **state)
{
    scene s;
    long n = 1;
    (void)state;
    open_scene(&s);
    for (;; n++) {
        ingle_error err = {""};
        wrap_alloc_begin(n);
        ingle_status st = ingle_sessions_embed(s.texts, 2, &s.o, &err);
        wrap_alloc.on = false;
        if (wrap_alloc.n_calls < n) {
            must(st, &err);
            break;
        }
        assert_int_equal(st, INGLE_ENOMEM);
        as_before(&s);
    }
    assert_int_equal(n, 3); /* the vectors of each text */
    held now = hold(s.h.session);
    assert_int_equal(now.n_rows, 40);
    free(now.v);
    close_scene(&s);
}

/* The second text is at fault, before the first one is computed or after both are. */
static void a_bad_text_changes_nothing(void **state)
{
    int32_t bad[41] = {0};
    scene s;
    ingle_error err;
    (void)state;
    open_scene(&s);
    s.texts[1].tokens = bad;
    bad[30] = EB_VOCAB;
    refused(ingle_sessions_embed(s.texts, 2, &s.o, &err), &err, INGLE_EINVAL, "token 30");
    as_before(&s);
    bad[30] = (int32_t)full.bad_token;
    refused(ingle_sessions_embed(s.texts, 2, &s.o, &err), &err, INGLE_EFORMAT, "text 1");
    as_before(&s);
    bad[30] = 0;
    must(ingle_sessions_embed(s.texts, 2, &s.o, &err), &err);
    close_scene(&s);
}

static void *embed_scene(void *arg)
{
    scene *s = arg;
    ingle_error err;
    ingle_status st = ingle_sessions_embed(s->texts, 2, &s->o, &err);
    return st == INGLE_ECLOSED && strstr(err.text, "during the call") ? s : NULL;
}

static bool is_queued(const ingle_session *s)
{
    return s->task.state == INGLE_TASK_QUEUED || s->task.state == INGLE_TASK_RUNS;
}

/* Somebody else seems to step until both texts are queued, steps once, and closes the engine. */
static void closing_changes_nothing(void **state)
{
    scene s;
    pthread_t thread;
    void *ended;
    (void)state;
    open_scene(&s);
    ingle_engine *e = s.h.engine;
    ingle_engine_lock(e);
    ingle_wheel_take(e);
    assert_int_equal(pthread_create(&thread, NULL, embed_scene, &s), 0);
    while (!is_queued(s.h.session) || !is_queued(s.h.other)) {
        ingle_engine_unlock(e);
        sched_yield();
        ingle_engine_lock(e);
    }
    assert_int_equal(ingle_engine_step_once(e), 40);
    assert_true(!is_queued(s.h.session) && is_queued(s.h.other));
    e->closed = true; /* as ingle_engine_close() below, but before anybody else can step */
    ingle_wheel_put(e);
    ingle_engine_unlock(e);
    assert_int_equal(pthread_join(thread, &ended), 0);
    assert_ptr_equal(ended, &s);
    const float *v;
    assert_int_equal(ingle_session_embedding(s.h.session, 0, &v, NULL, NULL), INGLE_ECLOSED);
    e->closed = false; /* to see what the sessions hold */
    as_before(&s);
    ingle_engine_close(&s.h.engine);
    close_scene(&s);
}

/* Segments that are not there, and what no classifier gives. */
static void pairs(void **state)
{
    static const eb_spec others[] = {
        {.arch = "modern-bert", .n_layer = 1, .n_head = 4, .window = 8},
        {.arch = "bert", .n_layer = 1, .n_head = 4, .one_type = true},
        {.arch = "qwen3", .n_layer = 1, .n_head = 4, .pooling = 4}};
    house h;
    ingle_error err;
    (void)state;
    open_house(&h, &bert);
    ingle_text text = {.session = h.session, .tokens = tokens, .n = 5, .n_first = 6};
    refused(ingle_sessions_embed(&text, 1, NULL, &err), &err, INGLE_EINVAL, "n_first");
    held one, two;
    text.n_first = 5;
    must(ingle_sessions_embed(&text, 1, NULL, &err), &err);
    one = hold(h.session);
    text.n_first = 0;
    must(ingle_sessions_embed(&text, 1, NULL, &err), &err);
    still_holds(h.session, &one);
    text.n_first = 2;
    must(ingle_sessions_embed(&text, 1, NULL, &err), &err);
    two = hold(h.session);
    assert_memory_not_equal(one.v, two.v, one.n * sizeof *one.v);
    free(one.v), free(two.v);
    close_house(&h);
    for (size_t i = 0; i < 3; i++) {
        open_house(&h, &others[i]);
        text.session = h.session;
        ingle_embed_options o;
        ingle_embed_options_init(&o);
        o.pooling = INGLE_POOLING_MEAN;
        refused(ingle_sessions_embed(&text, 1, &o, &err), &err, INGLE_EUNSUPPORTED,
                "token_types.weight");
        text.n_first = 0;
        must(ingle_sessions_embed(&text, 1, &o, &err), &err);
        o.pooling = INGLE_POOLING_RANK;
        refused(ingle_sessions_embed(&text, 1, &o, &err), &err, INGLE_EUNSUPPORTED, "classifier");
        text.n_first = 2;
        close_house(&h);
    }
}

/* Heads whose widths do not fit; a tensor nobody uses. */
static void parts_that_do_not_fit(void **state)
{
    static const struct {
        eb_spec spec;
        const char *part;
    } cases[] = {
        {{.arch = "bert", .n_layer = 1, .n_head = 4, .cls_norm = true}, "cls.norm.weight"},
        {{.arch = "bert", .n_layer = 1, .n_head = 4, .two_norms = true, .pooling = 5},
         "pooling_type"},
        {{.arch = "bert", .n_layer = 1, .n_head = 4, .qk_norms = true}, "attn_q_norm"},
        {{.arch = "bert", .n_layer = 1, .n_head = 4, .cls_out = true, .n_labels = 0},
         "cls.output.weight"},
        {{.arch = "qwen3", .n_layer = 1, .n_head = 4, .cls_out = true, .n_labels = 0},
         "cls.output.weight"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ingle_model *m;
        ingle_error err = {""};
        int fd;
        ingle_status st = open_model(&cases[i].spec, &m, &fd, &err);
        assert_true(st == INGLE_EFORMAT || st == INGLE_EUNSUPPORTED);
        if (!strstr(err.text, cases[i].part)) fail_msg("%zu: %s", i, err.text);
        close(fd);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_calls),
        cmocka_unit_test(a_decoder),
        cmocka_unit_test(a_reranker),
        cmocka_unit_test(every_allocation_fails),
        cmocka_unit_test(no_memory_changes_nothing),
        cmocka_unit_test(a_bad_text_changes_nothing),
        cmocka_unit_test(closing_changes_nothing),
        cmocka_unit_test(pairs),
        cmocka_unit_test(parts_that_do_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
