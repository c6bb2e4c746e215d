/* KV pages between sessions: what one left behind, the next never finds; and who owns a page. */
#define _GNU_SOURCE
#include "backend/cpu/cpu.h"
#include "engine/engine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "must.h"

#define TINY INGLE_SOURCE_DIR "/models/tiny-chat.gguf"

enum { N_CTX = 96, N_VOCAB = 2048 };

static ingle_engine *open_engine(ingle_model *m, ingle_type kv_type)
{
    ingle_engine *e;
    ingle_error err;
    ingle_engine_options eo;
    ingle_engine_options_init(&eo);
    eo.n_ctx = N_CTX;
    eo.n_threads = 2;
    eo.kv_type = kv_type;
    must(ingle_engine_open(&e, m, &eo, &err), &err);
    e->shares = false; /* every session computes all of its own */
    return e;
}

static ingle_session *eval(ingle_engine *e, const int32_t *tokens, size_t n)
{
    ingle_session *s;
    ingle_error err;
    must(ingle_session_open(&s, e, &err), &err);
    int32_t small[N_CTX]; /* vocabularies differ */
    for (size_t i = 0; i < n; i++) small[i] = tokens[i] % e->model->n_vocab;
    must(ingle_session_eval(s, small, n, INGLE_ROWS_LAST, &err), &err);
    return s;
}

static const int32_t secret[N_CTX] = {100, 200, 300, 400, 500, 600, 700, 800, 900, 1000, 1100};
static const int32_t mine[35] = {17, 4, 950, 1313, 2, 8, 61};

static void same_page(const ingle_backend *a, const ingle_backend *b, ingle_group group,
                      uint32_t id_a, uint32_t id_b)
{
    size_t bytes = a->pools.page_bytes[group];
    assert_memory_equal(a->pages + a->pools.at[group] + id_a * bytes,
                        b->pages + b->pools.at[group] + id_b * bytes, bytes);
}

/* Every byte of the pages and every bit of the logits is as in an engine that saw nothing else. */
static void compare(ingle_engine *used, ingle_engine *fresh, size_t n)
{
    ingle_session *a = eval(used, mine, n), *b = eval(fresh, mine, n);
    ingle_backend *ua = used->backend, *ub = fresh->backend;
    assert_int_equal(a->n_pages, b->n_pages);
    for (size_t i = 0; i < a->n_pages; i++) {
        same_page(ua, ub, INGLE_GROUP_ALL, a->pages[i], b->pages[i]);
        if (a->window.width)
            same_page(ua, ub, INGLE_GROUP_WINDOW, a->window.ids[i], b->window.ids[i]);
    }
    assert_memory_equal(a->logits, b->logits, (size_t)a->engine->model->n_vocab * sizeof(float));
    ingle_session_close(&a);
    ingle_session_close(&b);
}

static void leaves_nothing(const char *model)
{
    static const ingle_type types[] = {INGLE_TYPE_F32, INGLE_TYPE_F16, INGLE_TYPE_BF16,
                                       INGLE_TYPE_Q8_0};
    ingle_model *m;
    ingle_error err;
    must(ingle_model_open(&m, model, NULL, &err), &err);
    for (size_t t = 0; t < 4; t++)
        for (size_t n = 1; n <= 35; n += 34) {
            ingle_engine *used = open_engine(m, types[t]), *fresh = open_engine(m, types[t]);
            ingle_session *other = eval(used, secret, N_CTX); /* every page of the pool */
            ingle_session_close(&other);
            compare(used, fresh, n);
            /* not even what is not a number */
            memset(used->backend->pages, 0xff, used->backend->pools.bytes);
            compare(used, fresh, n);
            ingle_engine_close(&used);
            ingle_engine_close(&fresh);
        }
    ingle_model_close(&m);
}

static void nothing_is_left_of_others(void **state)
{
    const char *corpus = getenv("INGLE_DATA");
    char path[600];
    (void)state;
    leaves_nothing(TINY);
    if (!corpus) {
        print_message("windowed layers: skipped: no corpus\n");
        return;
    }
    snprintf(path, sizeof path, "%s/golden/models/gemma2.gguf", corpus);
    leaves_nothing(path);
}

/* A page that is kept is not cleared; one that was given up and taken again is. */
static void rewinding(void **state)
{
    (void)state;
    ingle_model *m;
    ingle_error err;
    must(ingle_model_open(&m, TINY, NULL, &err), &err);
    ingle_engine *e = open_engine(m, INGLE_TYPE_F16), *fresh = open_engine(m, INGLE_TYPE_F16);
    ingle_session *s = eval(e, secret, 70), *want = eval(fresh, secret, 20);
    must(ingle_session_truncate(s, 20, &err), &err);
    assert_int_equal(s->n_pages, 1);
    must(ingle_session_eval(s, mine, 35, INGLE_ROWS_LAST, &err), &err);
    must(ingle_session_eval(want, mine, 35, INGLE_ROWS_LAST, &err), &err);
    assert_memory_equal(s->logits, want->logits, N_VOCAB * sizeof(float));
    assert_int_equal(s->n_pages, 2);
    same_page(e->backend, fresh->backend, INGLE_GROUP_ALL, s->pages[1], want->pages[1]);
    ingle_session_close(&s);
    ingle_session_close(&want);
    ingle_engine_close(&e);
    ingle_engine_close(&fresh);
    ingle_model_close(&m);
}

static void check_pool(const ingle_pages *p, size_t n_free, size_t n_idle)
{
    assert_true(ingle_pages_is_sound(p));
    assert_int_equal(p->n_free, n_free);
    assert_int_equal(p->n_idle, n_idle);
}

static uint32_t oldest(const ingle_pages *p)
{
    return p->idle[p->n].younger;
}

/* A page is free when its last owner goes, and idle while only the prefix tree owns it. */
static void owners(void **state)
{
    ingle_pages p;
    uint32_t ids[4];
    size_t n_used;
    (void)state;
    assert_true(ingle_pages_open(&p, 5));
    assert_true(ingle_pages_take(&p, 4, ids, &n_used));
    assert_int_equal(n_used, 0);
    assert_false(ingle_pages_take(&p, 2, ids, &n_used));
    ingle_pages_hold(&p, ids, 2);
    ingle_pages_drop(&p, ids, 4);
    check_pool(&p, 3, 0);
    for (int i = 0; i < 2; i++) ingle_pages_keep(&p, ids[i]);
    ingle_pages_keep(&p, ids[0]);
    check_pool(&p, 3, 0);
    ingle_pages_drop(&p, ids, 2); /* the last is the first to be idle */
    check_pool(&p, 3, 2);
    assert_int_equal(oldest(&p), ids[1]);
    ingle_pages_refresh(&p, ids[1]);
    assert_int_equal(oldest(&p), ids[0]);
    ingle_pages_hold(&p, ids, 1);
    ingle_pages_refresh(&p, ids[0]); /* is not idle */
    check_pool(&p, 3, 1);
    ingle_pages_release(&p, ids[0]);
    ingle_pages_drop(&p, ids, 1);
    check_pool(&p, 3, 2); /* it was kept twice */
    ingle_pages_release(&p, ids[0]);
    ingle_pages_release(&p, ids[1]);
    check_pool(&p, 5, 0);
    assert_true(ingle_pages_take(&p, 3, ids, &n_used));
    assert_int_equal(n_used, 3); /* of the five one was never taken */
    ingle_pages_drop(&p, ids, 3);
    ingle_pages_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_left_of_others),
        cmocka_unit_test(rewinding),
        cmocka_unit_test(owners),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
