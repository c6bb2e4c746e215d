/* exact.h - what tests that compare bits share: a model opened in one way or another, made-up tokens, and
 * their logits. */
#ifndef INGLE_TESTS_EXACT_EXACT_H
#define INGLE_TESTS_EXACT_EXACT_H

#include "backend/cpu/cpu.h"
#include "engine/engine.h"
#include "golden/run.h"

typedef struct setup {
    ingle_isa isa;
    bool plain; /* the list unfused */
    bool in_place;
    int32_t n_batch, n_threads;
    size_t split; /* tokens per eval */
    ingle_type kv;
} setup;

static inline void open_with(runner *r, const golden *g, const setup *s, int32_t n_ctx,
                             int32_t n_sessions)
{
    ingle_error err;
    ingle_model_options mo;
    ingle_engine_options eo;
    ingle_model_options_init(&mo);
    ingle_engine_options_init(&eo);
    mo.isa = s->isa;
    mo.fuse = !s->plain;
    mo.in_place = s->in_place;
    eo.n_ctx = n_ctx;
    eo.n_sessions = n_sessions;
    eo.n_batch = s->n_batch;
    eo.n_threads = s->n_threads;
    eo.kv_type = s->kv;
    r->n_vocab = g->n_vocab;
    must(ingle_model_open(&r->model, g->model, &mo, &err), &err);
    must(ingle_engine_open(&r->engine, r->model, &eo, &err), &err);
    ingle_pool_use_all(r->engine->backend->pool);
    must(ingle_session_open(&r->session, r->engine, &err), &err);
}

static inline void fill(int32_t *tokens, size_t n, size_t n_vocab, uint32_t seed)
{
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        tokens[i] = (int32_t)((seed >> 8) % n_vocab);
    }
}

/* Logits of all n tokens, evaluated `split` at a time. */
static inline void eval_split(runner *r, ingle_session *session, const int32_t *tokens, size_t n,
                              size_t split, float *out)
{
    ingle_error err;
    for (size_t at = 0; at < n; at += split) {
        size_t part = n - at < split ? n - at : split;
        must(ingle_session_eval(session, tokens + at, part, INGLE_ROWS_ALL, &err), &err);
        for (size_t i = 0; i < part; i++) {
            const float *row;
            must(ingle_session_logits(session, i, &row, &err), &err);
            memcpy(out + (at + i) * r->n_vocab, row, r->n_vocab * sizeof *out);
        }
    }
}

static inline void same(const golden *g, const char *what, const float *a, const float *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (memcmp(a + i * g->n_vocab, b + i * g->n_vocab, g->n_vocab * sizeof *a))
            fail_msg("%s: %s: logits of token %zu differ", g->name, what, i);
}

/* At the level AVX512BF16 the products of such weights have other bits than elsewhere (quant.h). */
static inline bool has_bf16(const golden *g)
{
    ingle_error err;
    ingle_model *m;
    ingle_model_options mo;
    ingle_model_info info = {.size = sizeof info};
    bool found = false;
    ingle_model_options_init(&mo);
    mo.parts = INGLE_PARTS_META;
    must(ingle_model_open(&m, g->model, &mo, &err), &err);
    must(ingle_model_info_get(m, &info, &err), &err);
    for (size_t i = 0; i < info.n_tensors; i++) {
        ingle_tensor_info t = {.size = sizeof t};
        must(ingle_model_tensor(m, i, &t, &err), &err);
        found |= !strcmp(t.type, "BF16");
    }
    ingle_model_close(&m);
    return found;
}

/* A NaN would be equal to itself and prove nothing. */
static inline void all_finite(const float *a, size_t n)
{
    for (size_t i = 0; i < n; i++) assert_true(a[i] - a[i] == 0);
}

#endif
