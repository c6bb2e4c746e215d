/* requests.h - for tests of requests: the bundled model, sampler settings that between them use
 * every stage, and what a request's events say, written down so that two of them can be compared.
 * */
#ifndef INGLE_TESTS_REQUESTS_H
#define INGLE_TESTS_REQUESTS_H

#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <ingle.h>

#include "engine/request.h"
#include "must.h"

#define TINY  INGLE_SOURCE_DIR "/models/tiny-chat.gguf"
#define STORY "Once upon a time"
enum { N_VOCAB = 2048, MOST_TOKENS = 600, MOST_TEXT = 8192, MOST_BYTES = 1 << 17 };

/* ---- an engine ---- */

typedef struct house {
    ingle_model *model;
    ingle_engine *engine;
    ingle_session *session;
} house;

static inline ingle_engine_options small_engine(int32_t n_ctx, int32_t n_sessions)
{
    ingle_engine_options eo;
    ingle_engine_options_init(&eo);
    eo.n_ctx = n_ctx;
    eo.n_sessions = n_sessions;
    eo.n_batch = 64;
    eo.n_threads = 2;
    return eo;
}

static inline house house_open(const ingle_engine_options *eo)
{
    house h = {.model = NULL};
    ingle_error err;
    must(ingle_model_open(&h.model, TINY, NULL, &err), &err);
    must(ingle_engine_open(&h.engine, h.model, eo, &err), &err);
    must(ingle_session_open(&h.session, h.engine, &err), &err);
    return h;
}

static inline house house_of(int32_t n_ctx, int32_t n_sessions)
{
    ingle_engine_options eo = small_engine(n_ctx, n_sessions);
    return house_open(&eo);
}

static inline void house_close(house *h)
{
    ingle_session_close(&h->session);
    ingle_engine_close(&h->engine);
    ingle_model_close(&h->model);
}

static inline ingle_session *another_session(const house *h)
{
    ingle_session *s;
    ingle_error err;
    must(ingle_session_open(&s, h->engine, &err), &err);
    return s;
}

static inline size_t step(const house *h)
{
    size_t n;
    ingle_error err;
    must(ingle_engine_step(h->engine, &n, &err), &err);
    return n;
}

static inline ingle_stats stats_of(const house *h)
{
    ingle_stats stats = {.size = sizeof stats};
    ingle_error err;
    must(ingle_engine_stats_get(h->engine, &stats, &err), &err);
    return stats;
}

/* ---- tokens ---- */

typedef struct prompt {
    int32_t tokens[MOST_TOKENS];
    size_t n;
} prompt;

static inline prompt prompt_of(const house *h, const char *text)
{
    prompt p;
    ingle_error err;
    must(ingle_tokenize(h->model, text, strlen(text), INGLE_ADD_SPECIAL | INGLE_PARSE_SPECIAL,
                        p.tokens, MOST_TOKENS, &p.n, &err),
         &err);
    return p;
}

/* Tokens that mean nothing, no control tokens among them. */
static inline prompt noise(size_t n, uint32_t seed)
{
    prompt p = {.n = n};
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        p.tokens[i] = (int32_t)(300 + (seed >> 8) % 1500);
    }
    return p;
}

static inline size_t n_held(const ingle_session *s)
{
    size_t n;
    ingle_error err;
    must(ingle_session_tokens(s, NULL, &n, &err), &err);
    return n;
}

static inline void assert_holds(const ingle_session *s, const int32_t *want, size_t n_want)
{
    const int32_t *tokens;
    size_t n;
    ingle_error err;
    must(ingle_session_tokens(s, &tokens, &n, &err), &err);
    assert_int_equal(n, n_want);
    if (n) assert_memory_equal(tokens, want, n * sizeof *want);
}

/* ---- sampler settings ---- */

/* A sanitizer finds in some of them what it finds in all. */
#if defined(__SANITIZE_THREAD__)
enum { N_SAMPLINGS = 16, SAMPLING_STEP = 7 };
#elif defined(__SANITIZE_ADDRESS__)
enum { N_SAMPLINGS = 16, SAMPLING_STEP = 3 };
#else
enum { N_SAMPLINGS = 16, SAMPLING_STEP = 1 };
#endif

static inline ingle_sampler_options sampling_of(size_t i, uint64_t seed)
{
    static const ingle_logit_bias bias[] = {{302, 2.5f}, {410, -INFINITY}, {700, 1.0f}};
    static const char *const breakers[] = {"\n", ". ", "said"};
    ingle_sampler_options so;
    ingle_sampler_options_init(&so);
    so.seed = seed;
    switch (i) {
    case 0: so.temperature = 0; break;
    case 1: break;
    case 2: so.temperature = 1.3f, so.top_k = 0, so.top_p = 0.9f, so.min_p = 0; break;
    case 3: so.repeat_penalty = 1.3f, so.frequency_penalty = 0.1f, so.penalty_last_n = -1; break;
    case 4: so.dry_multiplier = 0.8f, so.dry_breakers = breakers, so.n_dry_breakers = 3; break;
    case 5: so.xtc_probability = 0.5f, so.temperature = 1; break;
    case 6: so.typical_p = 0.7f; break;
    case 7: so.top_n_sigma = 1, so.top_k = 0; break;
    case 8: so.dynatemp_range = 0.5f; break;
    case 9: so.mirostat = 1; break;
    case 10: so.mirostat = 2; break;
    case 11: so.adaptive_target = 0.3f, so.temperature = 1; break;
    case 12: so.logit_bias = bias, so.n_logit_bias = 3, so.temperature = 1; break;
    case 13: so.min_p = 0.2f, so.min_keep = 3, so.top_k = 0; break;
    case 14: so.order = "temperature;top_k;penalties", so.presence_penalty = 0.5f; break;
    default: so.temperature = 0, so.repeat_penalty = 1.2f, so.dry_multiplier = 0.5f; break;
    }
    return so;
}

static inline ingle_sampler *sampler_of(const house *h, const ingle_sampler_options *so)
{
    ingle_sampler *s;
    ingle_error err;
    must(ingle_sampler_open(&s, so, N_VOCAB, h->model, &err), &err);
    return s;
}

static inline ingle_generate_options options_of(int32_t max_tokens)
{
    ingle_generate_options go;
    ingle_generate_options_init(&go);
    go.max_tokens = max_tokens;
    return go;
}

/* ---- events ---- */

/* What the events of a request said. `bytes` holds the fields of all but INGLE_EVENT_PROMPT, whose
 * number depends on the time. */
typedef struct trail {
    char text[MOST_TEXT];
    size_t len, n_tokens, n_prompts, n_scores, n_ends;
    int32_t tokens[MOST_TOKENS];
    size_t n_done; /* of the last INGLE_EVENT_PROMPT */
    ingle_finish finish;
    ingle_usage usage;
    ingle_status status; /* other than INGLE_OK: the request has failed */
    ingle_error error;
    size_t n_bytes;
    unsigned char *bytes; /* [MOST_BYTES], if wanted */
} trail;

static inline void note_bytes(trail *t, const void *from, size_t n)
{
    if (!t->bytes || !n) return;
    assert_true(t->n_bytes + n <= MOST_BYTES);
    memcpy(t->bytes + t->n_bytes, from, n);
    t->n_bytes += n;
}

static inline void note_fields(trail *t, const ingle_event *e)
{
    note_bytes(t, &e->kind, sizeof e->kind);
    note_bytes(t, &e->token, sizeof e->token);
    note_bytes(t, &e->text_len, sizeof e->text_len);
    note_bytes(t, e->text, e->text_len);
    note_bytes(t, &e->logprob, sizeof e->logprob);
    note_bytes(t, &e->logit, sizeof e->logit);
    note_bytes(t, &e->prob, sizeof e->prob);
    note_bytes(t, &e->n_top, sizeof e->n_top);
    note_bytes(t, e->top, e->n_top * sizeof *e->top);
    note_bytes(t, &e->finish, sizeof e->finish);
    note_bytes(t, &e->i_stop, sizeof e->i_stop);
    note_bytes(t, &e->n_done, sizeof e->n_done);
}

/* In the order that the header promises: progress, scores, tokens, the end. */
static inline void note_event(trail *t, const ingle_event *e)
{
    assert_int_equal(t->n_ends, 0);
    assert_true(t->len + e->text_len < MOST_TEXT);
    if (e->text_len) memcpy(t->text + t->len, e->text, e->text_len);
    t->len += e->text_len;
    t->text[t->len] = 0;
    if (e->kind == INGLE_EVENT_PROMPT) {
        assert_int_equal(t->n_tokens, 0);
        assert_true(e->n_done >= t->n_done && e->n_done <= e->n_prompt);
        t->n_done = e->n_done;
        t->n_prompts++;
        return;
    }
    note_fields(t, e);
    if (e->kind == INGLE_EVENT_SCORE) {
        assert_int_equal(t->n_tokens, 0);
        assert_int_equal(e->n_done, t->n_scores++);
    } else if (e->kind == INGLE_EVENT_TOKEN) {
        assert_int_equal(t->n_done, e->n_prompt);
        assert_true(t->n_tokens < MOST_TOKENS);
        t->tokens[t->n_tokens++] = e->token;
    } else {
        t->n_ends++;
        t->finish = e->finish;
        t->usage = e->usage;
    }
}

/* Reads one event; false: it was no event, and *st says why. */
static inline bool read_one(ingle_request *r, double timeout_s, trail *t, ingle_status *st)
{
    ingle_event event = {.size = sizeof event};
    *st = ingle_request_next(r, timeout_s, &event, &t->error);
    if (*st) return false;
    assert_int_equal(event.size, sizeof event);
    note_event(t, &event);
    return true;
}

/* What is there now. Returns the status that there was nothing more for. */
static inline ingle_status read_there(ingle_request *r, trail *t)
{
    ingle_status st;
    while (read_one(r, 0, t, &st)) {}
    return st;
}

/* To its end, or to its failure. */
static inline void read_all(ingle_request *r, trail *t)
{
    ingle_status st = INGLE_OK;
    ingle_event event = {.size = sizeof event};
    while (!t->n_ends && read_one(r, -1, t, &st)) {}
    if (!t->n_ends) t->status = st;
    assert_int_equal(ingle_request_next(r, -1, &event, NULL), INGLE_ENOTFOUND);
}

static inline ingle_request *start(ingle_session *s, const prompt *p,
                                   const ingle_generate_options *go)
{
    ingle_request *r;
    ingle_error err;
    must(ingle_request_start(&r, s, p->tokens, p->n, go, &err), &err);
    return r;
}

/* A whole request on an empty session. */
static inline void run_request(ingle_session *s, const prompt *p, const ingle_generate_options *go,
                               trail *t)
{
    ingle_error err;
    must(ingle_session_truncate(s, 0, &err), &err);
    ingle_request *r = start(s, p, go);
    read_all(r, t);
    ingle_request_close(&r);
    assert_null(r);
    if (t->status) fail_msg("%s: %s", ingle_status_name(t->status), t->error.text);
}

static inline bool note_in_callback(void *user, const ingle_event *e)
{
    note_event(user, e);
    return true;
}

/* The same by ingle_generate(). */
static inline void run_generate(ingle_session *s, ingle_sampler *sampler, const prompt *p,
                                const ingle_generate_options *go, trail *t)
{
    ingle_error err;
    ingle_generate_options own = *go;
    ingle_generate_result result = {.size = sizeof result};
    own.on_event = note_in_callback;
    own.user = t;
    must(ingle_session_truncate(s, 0, &err), &err);
    must(ingle_generate(s, sampler, p->tokens, p->n, &own, &result, &err), &err);
    assert_int_equal(t->n_ends, 1);
    assert_int_equal(result.finish, t->finish);
    assert_int_equal(result.n_generated, t->usage.n_generated);
    assert_int_equal(result.n_prompt, p->n);
}

static inline trail trail_open(void)
{
    trail t = {.bytes = malloc(MOST_BYTES)};
    assert_non_null(t.bytes);
    return t;
}

static inline void trail_close(trail *t)
{
    free(t->bytes);
    *t = (trail){.bytes = NULL};
}

static inline void same_trail(const char *what, const trail *want, const trail *got)
{
    if (want->n_tokens != got->n_tokens)
        fail_msg("%s: %zu tokens, should be %zu", what, got->n_tokens, want->n_tokens);
    for (size_t i = 0; i < want->n_tokens; i++)
        if (want->tokens[i] != got->tokens[i])
            fail_msg("%s: token %zu is %d, should be %d", what, i, got->tokens[i], want->tokens[i]);
    if (want->n_bytes != got->n_bytes || memcmp(want->bytes, got->bytes, want->n_bytes))
        fail_msg("%s: the events differ", what);
    assert_string_equal(want->text, got->text);
    assert_int_equal(want->finish, got->finish);
}

#endif
