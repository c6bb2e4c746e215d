/* run.h - for tests: a golden case from tests/golden/data or $INGLE_DATA/golden, and an engine that
 * runs it. */
#ifndef INGLE_TESTS_GOLDEN_RUN_H
#define INGLE_TESTS_GOLDEN_RUN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ingle.h>

#include "json_test.h"
#include "must.h"

typedef struct golden {
    char name[64];
    char model[512]; /* path of the GGUF */
    ingle_json_doc doc;
    const json *json; /* doc.root */
    int32_t *tokens;  /* NULL if the case has no plain list */
    size_t n_tokens, n_vocab, n_ctx;
    float *logits, *exact; /* exact: NULL if there is none */
} golden;

/* For long loops over models: a sanitizer looks for what shows in some of them as well. */
#if defined(__SANITIZE_THREAD__)
enum { GOLDEN_STEP = 6 };
#elif defined(__SANITIZE_ADDRESS__)
enum { GOLDEN_STEP = 3 };
#else
enum { GOLDEN_STEP = 1 };
#endif

static inline int32_t *json_tokens(const json *list, size_t *n)
{
    *n = list ? list->len : 0;
    if (!list) return NULL;
    int32_t *tokens = malloc((*n ? *n : 1) * sizeof *tokens);
    for (size_t i = 0; i < *n; i++) tokens[i] = (int32_t)json_num(json_at(list, i));
    return tokens;
}

/* The folder that holds NAME.json: the repository's own, else the corpus. False: neither. */
static inline bool golden_folder(char *out, size_t cap, const char *part, const char *name)
{
    const char *corpus = getenv("INGLE_DATA");
    char path[600];
    for (int i = 0; i < 2; i++) {
        if (i == 0) snprintf(out, cap, "%s/tests/golden/data", INGLE_SOURCE_DIR);
        else if (corpus) snprintf(out, cap, "%s/golden/%s", corpus, part);
        else return false;
        snprintf(path, sizeof path, "%s/%s.json", out, name);
        FILE *f = fopen(path, "rb");
        if (f) return fclose(f), true;
    }
    return false;
}

static inline float *golden_floats(const char *folder, const json *file)
{
    char path[800];
    if (!file) return NULL;
    snprintf(path, sizeof path, "%s/%s", folder, json_str(file));
    float *floats = (float *)(void *)json_slurp(path, NULL);
    assert_non_null(floats);
    return floats;
}

static inline bool golden_open(golden *g, const char *part, const char *name)
{
    char folder[512], path[600];
    memset(g, 0, sizeof *g);
    if (!golden_folder(folder, sizeof folder, part, name)) {
        print_message("%-24s skipped: no corpus\n", name);
        return false;
    }
    snprintf(g->name, sizeof g->name, "%s", name);
    snprintf(path, sizeof path, "%s/%s.json", folder, name);
    g->doc = json_file(path);
    g->json = g->doc.root;
    assert_non_null(g->json);
    const char *model = json_str(json_get(g->json, "model_file")), *base = strrchr(model, '/');
    snprintf(g->model, sizeof g->model, "%.300s/%.200s", folder,
             strstr(folder, "/tests/golden/data") && base ? base + 1 : model);
    g->tokens = json_tokens(json_get(g->json, "tokens"), &g->n_tokens);
    g->n_vocab = (size_t)json_num(json_get(g->json, "n_vocab"));
    /* Where the reference rounds GELU to f16 there is a second one that does not. */
    const json *exact = json_get(g->json, "logits_exact_file");
    g->logits = golden_floats(folder, exact ? exact : json_get(g->json, "logits_file"));
    const json *n_ctx = json_get(json_get(g->json, "settings"), "n_ctx");
    g->n_ctx = n_ctx ? (size_t)json_num(n_ctx) : 512;
    g->exact = golden_floats(folder, json_get(g->json, "logits_deq_file"));
    return true;
}

static inline void golden_close(golden *g)
{
    ingle_json_close(&g->doc);
    free(g->tokens);
    free(g->logits);
    free(g->exact);
}

typedef struct runner {
    ingle_model *model;
    ingle_engine *engine;
    ingle_session *session;
    size_t n_vocab;
} runner;

/* f32 K and V, as the goldens were made. */
static inline runner runner_open(const golden *g, ingle_isa isa, bool fuse)
{
    runner r = {.n_vocab = g->n_vocab};
    ingle_error err;
    ingle_model_options mo;
    ingle_engine_options eo;
    ingle_model_options_init(&mo);
    ingle_engine_options_init(&eo);
    mo.isa = isa;
    mo.fuse = fuse;
    eo.n_ctx = g->n_ctx;
    eo.n_sessions = 2;
    eo.kv_type = INGLE_TYPE_F32;
    must(ingle_model_open(&r.model, g->model, &mo, &err), &err);
    must(ingle_engine_open(&r.engine, r.model, &eo, &err), &err);
    must(ingle_session_open(&r.session, r.engine, &err), &err);
    return r;
}

static inline void runner_close(runner *r)
{
    ingle_model_close(&r->model);
    ingle_engine_close(&r->engine);
    ingle_session_close(&r->session);
}

/* Logits of every token, [n][n_vocab]; the caller frees them. */
static inline float *runner_eval(runner *r, const int32_t *tokens, size_t n)
{
    ingle_error err;
    float *out = malloc(n * r->n_vocab * sizeof *out);
    must(ingle_session_eval(r->session, tokens, n, INGLE_ROWS_ALL, &err), &err);
    for (size_t i = 0; i < n; i++) {
        const float *row;
        must(ingle_session_logits(r->session, i, &row, &err), &err);
        memcpy(out + i * r->n_vocab, row, r->n_vocab * sizeof *out);
    }
    return out;
}

#endif
