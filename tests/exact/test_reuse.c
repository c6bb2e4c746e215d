/* test_reuse.c - sessions that take over what others computed: prompts that begin alike, forks,
 * prompts that are started together. The bits are those of an engine in which nobody shares
 * anything, whatever became of the pages meanwhile. */
#include "exact/exact.h"

#include <stdlib.h>

/* ---- an engine that shares nothing ---- */

typedef struct known {
    int32_t token;
    uint32_t child, next; /* 0: none */
    float *row;           /* logits after the tokens up to this one */
} known;

/* Logits by the tokens before them, as far as somebody has asked. */
typedef struct oracle {
    golden g;
    runner r;
    known *node; /* [cap], the first: no tokens */
    size_t n, cap, n_ctx;
} oracle;

/* n tokens of a prompt in one batch, and no page is anybody else's. */
static bool oracle_open(oracle *o, const char *model, size_t n_ctx)
{
    const setup s = {.n_batch = (int32_t)n_ctx, .n_threads = 1, .kv = INGLE_TYPE_F16};
    ingle_error err;
    *o = (oracle){.n = 1, .cap = 1024, .n_ctx = n_ctx};
    if (!golden_open(&o->g, "models", model)) return false;
    open_with(&o->r, &o->g, &s, (int32_t)n_ctx, 1);
    ingle_session_close(&o->r.session);
    o->r.engine->shares = false;
    must(ingle_session_open(&o->r.session, o->r.engine, &err), &err);
    o->node = calloc(o->cap, sizeof *o->node);
    assert_non_null(o->node);
    return true;
}

static void oracle_close(oracle *o)
{
    for (size_t i = 0; i < o->n; i++) free(o->node[i].row);
    free(o->node);
    runner_close(&o->r);
    golden_close(&o->g);
}

static uint32_t child_of(oracle *o, uint32_t at, int32_t token)
{
    uint32_t i = o->node[at].child;
    while (i && o->node[i].token != token) i = o->node[i].next;
    if (i) return i;
    if (o->n == o->cap) {
        o->node = realloc(o->node, 2 * o->cap * sizeof *o->node);
        assert_non_null(o->node);
        o->cap *= 2;
    }
    o->node[o->n] = (known){.token = token, .next = o->node[at].child};
    return o->node[at].child = (uint32_t)o->n++;
}

static void note_rows(oracle *o, const int32_t *tokens, size_t n)
{
    ingle_error err;
    uint32_t at = 0;
    must(ingle_session_truncate(o->r.session, 0, &err), &err);
    must(ingle_session_eval(o->r.session, tokens, n, INGLE_ROWS_ALL, &err), &err);
    for (size_t i = 0; i < n; i++) {
        const float *row;
        at = child_of(o, at, tokens[i]);
        if (o->node[at].row) continue;
        must(ingle_session_logits(o->r.session, i, &row, &err), &err);
        all_finite(row, o->g.n_vocab);
        o->node[at].row = malloc(o->g.n_vocab * sizeof *row);
        assert_non_null(o->node[at].row);
        memcpy(o->node[at].row, row, o->g.n_vocab * sizeof *row);
    }
}

/* The logits after n tokens. */
static const float *right_row(oracle *o, const int32_t *tokens, size_t n)
{
    uint32_t at = 0;
    for (size_t i = 0; i < n; i++) at = child_of(o, at, tokens[i]);
    if (!o->node[at].row) note_rows(o, tokens, n);
    return o->node[at].row;
}

static const int32_t *held(const ingle_session *s, size_t *n)
{
    const int32_t *tokens;
    ingle_error err;
    must(ingle_session_tokens(s, &tokens, n, &err), &err);
    return tokens;
}

/* Row i of the session is that of its first n tokens. */
static void is_right(oracle *o, const ingle_session *s, size_t i, size_t n, const char *what)
{
    size_t n_held;
    const int32_t *tokens = held(s, &n_held);
    const float *row;
    ingle_error err;
    assert_true(n && n <= n_held);
    must(ingle_session_logits(s, i, &row, &err), &err);
    if (memcmp(row, right_row(o, tokens, n), o->g.n_vocab * sizeof *row))
        fail_msg("%s: %s: logits after %zu tokens differ", o->g.name, what, n);
}

static void eval_right(oracle *o, ingle_session *s, const int32_t *tokens, size_t n,
                       const char *what)
{
    size_t n_held;
    ingle_error err;
    must(ingle_session_eval(s, tokens, n, INGLE_ROWS_LAST, &err), &err);
    held(s, &n_held);
    is_right(o, s, 0, n_held, what);
}

/* ---- engines that share ---- */

static void open_sharing(runner *r, const oracle *o, size_t n_sessions)
{
    const setup s = {.n_batch = 16, .n_threads = 1, .kv = INGLE_TYPE_F16};
    open_with(r, &o->g, &s, (int32_t)o->n_ctx, (int32_t)n_sessions);
}

static ingle_session *one_more(const runner *r)
{
    ingle_session *s;
    ingle_error err;
    must(ingle_session_open(&s, r->engine, &err), &err);
    return s;
}

/* When nobody is left all is free or kept for prompts to come; then it closes. */
static void close_empty(runner *r)
{
    ingle_engine *e = r->engine;
    ingle_stats stats = {.size = sizeof stats};
    ingle_error err;
    if (r->session) ingle_session_close(&r->session);
    must(ingle_engine_stats_get(e, &stats, &err), &err);
    assert_int_equal(stats.n_pages_free + stats.n_pages_idle, stats.n_pages);
    const ingle_pages *windows = &e->pool[INGLE_GROUP_WINDOW];
    assert_int_equal(windows->n_free + windows->n_idle, windows->n);
    assert_int_equal(e->states.n_free + e->states.n_idle, e->states.n);
    runner_close(r);
}

/* ---- prompts that begin alike ---- */

static const char *const plain[] = {"llama-Q4_K"};
static const char *const special[] = {"gemma3n", "gpt-oss",   "gemma4-e",     "gemma2",
                                      "gemma3",  "cohere2",   "mamba2",       "qwen35",
                                      "lfm2",    "qwen3next", "granitehybrid"};
enum { N_PLAIN = 1, N_SPECIAL = sizeof special / sizeof *special, N_CTX = 256 };

typedef struct pair {
    oracle o;
    runner r;
    ingle_session *other;
    int32_t tokens[N_CTX], else_[N_CTX];
} pair;

static bool pair_open(pair *p, const char *model, size_t n_sessions)
{
    if (!oracle_open(&p->o, model, N_CTX)) return false;
    open_sharing(&p->r, &p->o, n_sessions);
    p->other = one_more(&p->r);
    fill(p->tokens, N_CTX, p->o.g.n_vocab, 1);
    fill(p->else_, N_CTX, p->o.g.n_vocab, 2);
    return true;
}

static void pair_close(pair *p)
{
    if (p->other) ingle_session_close(&p->other);
    close_empty(&p->r);
    oracle_close(&p->o);
}

static void each(const char *const *models, size_t n, size_t n_sessions, void (*test)(pair *))
{
    static pair p;
    for (size_t m = 0; m < n; m += GOLDEN_STEP)
        if (pair_open(&p, models[m], n_sessions)) test(&p), pair_close(&p);
}

/* The first n tokens are `tokens`, the others not. */
static void leave_at(pair *p, size_t n, int32_t *to, size_t n_to)
{
    for (size_t i = 0; i < n_to; i++) to[i] = i < n ? p->tokens[i] : p->else_[i];
    if (n < n_to && to[n] == p->tokens[n]) to[n] = (to[n] + 1) % (int32_t)p->o.g.n_vocab;
}

/* A prompt in an empty session; returns tokens that others had computed. */
static size_t prompt(pair *p, ingle_session *s, const int32_t *tokens, size_t n)
{
    ingle_error err;
    must(ingle_session_truncate(s, 0, &err), &err);
    uint64_t before = p->r.engine->stats.n_tokens;
    eval_right(&p->o, s, tokens, n, "a prompt");
    assert_int_equal(p->r.engine->stats.n_tokens - before, n - s->task.n_reused);
    return s->task.n_reused;
}

/* Attention alone: to the token, also within a page. */
static void reuse_plain(pair *p)
{
    int32_t tokens[N_CTX];
    assert_int_equal(prompt(p, p->r.session, p->tokens, 64), 0);
    leave_at(p, 37, tokens, 64);
    assert_int_equal(prompt(p, p->other, tokens, 64), 37); /* B96 */
    assert_int_equal(prompt(p, p->other, tokens, 64), 63);
    assert_int_equal(prompt(p, p->other, p->tokens, 64), 63);
    for (size_t n = 0; n < 64; n += 5) {
        leave_at(p, n, tokens, 64);
        assert_true(prompt(p, p->other, tokens, 64) >= n);
    }
    eval_right(&p->o, p->r.session, p->else_, 100, "whose prompt others took over");
}

/* Windows and states: one token before the end of a prompt, and where two others part. */
static void reuse_special(pair *p)
{
    int32_t tokens[N_CTX];
    assert_int_equal(prompt(p, p->r.session, p->tokens, 100), 0);
    assert_int_equal(prompt(p, p->other, p->tokens, 100), 99);
    assert_int_equal(prompt(p, p->other, p->tokens, 150), 99);
    assert_int_equal(prompt(p, p->other, p->tokens, 150), 149);
    leave_at(p, 70, tokens, 120);
    assert_int_equal(prompt(p, p->other, tokens, 120), 0); /* leaves a checkpoint where it parts */
    leave_at(p, 70, tokens, 90);
    tokens[70] = (tokens[70] + 2) % (int32_t)p->o.g.n_vocab;
    assert_int_equal(prompt(p, p->other, tokens, 90), 70);
    assert_int_equal(prompt(p, p->other, p->tokens, 99), 70);
    eval_right(&p->o, p->r.session, p->else_, 60, "whose prompt others took over");
    eval_right(&p->o, p->other, p->else_, 60, "after the beginning of another");
}

static void reusing(void **state)
{
    (void)state, each(plain, N_PLAIN, 2, reuse_plain), each(special, N_SPECIAL, 2, reuse_special);
}

/* ---- requests ---- */

static ingle_generate_options asked(const ingle_sampler_options *so, int32_t max_tokens)
{
    ingle_generate_options go;
    ingle_generate_options_init(&go);
    go.max_tokens = max_tokens;
    go.sampling = so;
    go.ignore_eog = true;
    return go;
}

static ingle_usage run_request(ingle_session *s, const int32_t *tokens, size_t n,
                               const ingle_generate_options *go)
{
    ingle_error err;
    ingle_request *r;
    ingle_event event = {.size = sizeof event};
    must(ingle_session_truncate(s, 0, &err), &err);
    must(ingle_request_start(&r, s, tokens, n, go, &err), &err);
    do {
        event.size = sizeof event;
        must(ingle_request_next(r, -1, &event, &err), &err);
    } while (event.kind != INGLE_EVENT_END);
    ingle_usage usage = event.usage;
    ingle_request_close(&r);
    return usage;
}

static void marks_and_salts(pair *p)
{
    int32_t tokens[N_CTX];
    const size_t marks[] = {33, 64, 80};
    ingle_sampler_options so;
    ingle_sampler_options_init(&so);
    so.temperature = 0;
    ingle_generate_options go = asked(&so, 3), salted = go, alone = go;
    salted.cache_salt = 9;
    alone.no_reuse = true;
    assert_int_equal(run_request(p->r.session, p->tokens, 100, &alone).n_reused, 0);
    assert_int_equal(run_request(p->other, p->tokens, 100, &alone).n_reused, 0);
    go.marks = marks;
    go.n_marks = 3;
    assert_int_equal(run_request(p->other, p->tokens, 100, &go).n_reused, 0);
    go.n_marks = 0;
    for (size_t i = 0; i < 3; i++) {
        leave_at(p, marks[i], tokens, 90);
        assert_int_equal(run_request(p->r.session, tokens, 90, &go).n_reused, marks[i]);
        eval_right(&p->o, p->r.session, p->else_, 5, "after an answer");
    }
    assert_int_equal(run_request(p->r.session, p->tokens, 100, &salted).n_reused, 0);
    assert_int_equal(run_request(p->other, p->tokens, 100, &salted).n_reused, 99);
    eval_right(&p->o, p->other, p->else_, 5, "after a salted prompt");
    assert_int_equal(run_request(p->r.session, p->tokens, 100, &alone).n_reused, 0);
    assert_int_equal(run_request(p->r.session, p->tokens, 100, &go).n_reused, 99);
    eval_right(&p->o, p->r.session, p->else_, 5, "after a prompt that was there");
}

static void asking(void **state)
{
    (void)state;
    each(plain, N_PLAIN, 4, marks_and_salts), each(special, N_SPECIAL, 4, marks_and_salts);
}

/* ---- room for what nobody holds ---- */

/* Prompt after prompt in the only session; the first one comes again. Returns what it reused. */
static size_t come_again(pair *p, int32_t n_cache_tokens, int32_t n_cache_states)
{
    ingle_engine *e;
    ingle_session *s;
    ingle_error err;
    ingle_engine_options eo;
    ingle_sampler_options so;
    ingle_engine_options_init(&eo);
    ingle_sampler_options_init(&so);
    const ingle_generate_options go = asked(&so, 2);
    ingle_usage usage = {0};
    eo.n_ctx = N_CTX;
    eo.n_batch = 64;
    eo.n_threads = 1;
    eo.n_cache_tokens = n_cache_tokens;
    eo.n_cache_states = n_cache_states;
    must(ingle_engine_open(&e, p->r.model, &eo, &err), &err);
    must(ingle_session_open(&s, e, &err), &err);
    for (size_t i = 0; i < 7; i++) {
        int32_t tokens[N_CTX];
        memcpy(tokens, p->tokens, sizeof tokens);
        tokens[0] = (p->tokens[0] + (int32_t)(i % 6)) % (int32_t)p->o.g.n_vocab;
        usage = run_request(s, tokens, 120, &go);
        if (i < 6) assert_int_equal(usage.n_reused, 0);
    }
    eval_right(&p->o, s, p->else_, 3, "after a prompt that came again");
    ingle_session_close(&s);
    ingle_engine_close(&e);
    return usage.n_reused;
}

static void with_cache(pair *p)
{
    assert_int_equal(come_again(p, 0, 0), 0);
    assert_int_equal(come_again(p, 6 * 128, 12), 119);
}

static void caching(void **state)
{
    (void)state, each(plain, N_PLAIN, 1, with_cache), each(special, N_SPECIAL, 1, with_cache);
}

/* ---- choices ---- */

enum { N_CHOICES = 3, N_ANSWER = 9, N_ASKED = 100 };

static void read_choices(ingle_request *r, int32_t got[N_CHOICES][N_ANSWER], ingle_usage *usage)
{
    ingle_error err;
    size_t n[N_CHOICES] = {0}, n_ends = 0;
    while (n_ends < N_CHOICES) {
        ingle_event event = {.size = sizeof event};
        must(ingle_request_next(r, -1, &event, &err), &err);
        size_t i = event.i_choice;
        assert_true(i < N_CHOICES);
        if (event.kind == INGLE_EVENT_PROMPT) assert_int_equal(event.n_prompt, N_ASKED);
        if (event.kind == INGLE_EVENT_TOKEN) got[i][n[i]++] = event.token;
        if (event.kind != INGLE_EVENT_END) continue;
        assert_int_equal(n[i], N_ANSWER);
        usage[i] = event.usage;
        n_ends++;
    }
    ingle_event more = {.size = sizeof more};
    assert_int_equal(ingle_request_next(r, 0, &more, &err), INGLE_ENOTFOUND);
}

/* The prompt is computed once, but for its last token; each answers as a request with its seed. */
static void choose(pair *p)
{
    int32_t got[N_CHOICES][N_ANSWER];
    ingle_usage usage[N_CHOICES];
    ingle_sampler_options so;
    ingle_error err;
    ingle_request *r;
    ingle_sampler_options_init(&so);
    so.temperature = 3;
    so.top_k = 0;
    so.top_p = 1;
    so.min_p = 0;
    for (size_t alone = 0; alone < 2; alone++) {
        ingle_generate_options go = asked(&so, N_ANSWER);
        go.no_reuse = alone;
        go.cache_salt = 100 + alone;
        go.n = N_CHOICES;
        so.seed = 5;
        must(ingle_session_truncate(p->r.session, 0, &err), &err);
        uint64_t before = p->r.engine->stats.n_tokens;
        must(ingle_request_start(&r, p->r.session, p->tokens, N_ASKED, &go, &err), &err);
        read_choices(r, got, usage);
        ingle_request_close(&r);
        assert_int_equal(p->r.engine->stats.n_tokens - before,
                         N_ASKED + (N_CHOICES - 1) + N_CHOICES * (N_ANSWER - 1));
        eval_right(&p->o, p->r.session, p->else_, 3, "after choices");
        go.n = 1;
        for (size_t i = 0; i < N_CHOICES; i++) {
            size_t n;
            so.seed = 5 + i;
            assert_int_equal(usage[i].n_prompt, N_ASKED);
            assert_int_equal(usage[i].n_generated, N_ANSWER);
            run_request(p->other, p->tokens, N_ASKED, &go);
            const int32_t *tokens = held(p->other, &n);
            assert_int_equal(n, N_ASKED + N_ANSWER);
            assert_memory_equal(tokens + N_ASKED, got[i], sizeof got[i]);
        }
        assert_memory_not_equal(got[0], got[1], sizeof got[0]);
    }
}

static void choosing(void **state)
{
    (void)state, each(plain, N_PLAIN, 5, choose), each(special, N_SPECIAL, 5, choose);
}

/* ---- leaders ---- */

enum { N_FOLLOW = 16, N_SHARED = 200 };

/* Whoever has waited lacks less than a page, and computes that itself. */
static void lead(pair *p, bool cancels)
{
    ingle_session *s[N_FOLLOW];
    ingle_request *r[N_FOLLOW];
    ingle_error err;
    size_t n_steps;
    ingle_sampler_options so;
    ingle_sampler_options_init(&so);
    so.temperature = 0;
    ingle_generate_options go = asked(&so, 4);
    uint64_t before = p->r.engine->stats.n_tokens;
    for (size_t i = 0; i < N_FOLLOW; i++) {
        s[i] = one_more(&p->r);
        must(ingle_request_start(&r[i], s[i], p->tokens, N_SHARED, &go, &err), &err);
    }
    for (size_t i = 0; cancels && i < 4; i++)
        must(ingle_engine_step(p->r.engine, &n_steps, &err), &err);
    if (cancels) must(ingle_request_cancel(r[0], &err), &err);
    for (size_t i = 0; i < N_FOLLOW; i++) {
        ingle_event event = {.kind = INGLE_EVENT_PROMPT};
        while (event.kind != INGLE_EVENT_END) {
            event.size = sizeof event;
            must(ingle_request_next(r[i], -1, &event, &err), &err);
        }
        ingle_request_close(&r[i]);
        if (!cancels || i) assert_int_equal(event.finish, INGLE_FINISH_LENGTH);
        if (!cancels || i) eval_right(&p->o, s[i], p->else_, 1, "after a leader");
    }
    for (size_t i = 0; i < N_FOLLOW; i++) ingle_session_close(&s[i]);
    uint64_t n = p->r.engine->stats.n_tokens - before;
    bool recomputes = p->r.engine->tree.needs_checkpoints && cancels;
    size_t most = N_SHARED * (recomputes ? 2u : 1u) + N_FOLLOW * (4 + 2 + INGLE_PAGE - 1);
    if (n > most) fail_msg("%s: %zu tokens computed, should be %zu", p->o.g.name, (size_t)n, most);
}

static void lead_to_the_end(pair *p)
{
    lead(p, false);
}

static void lead_half_way(pair *p)
{
    lead(p, true);
}

static void leading(void **state)
{
    (void)state, each(plain, N_PLAIN, N_FOLLOW, lead_to_the_end);
    each(special, N_SPECIAL, N_FOLLOW, lead_to_the_end);
}

static void leaving(void **state)
{
    (void)state, each(plain, N_PLAIN, N_FOLLOW, lead_half_way);
    each(special, N_SPECIAL, N_FOLLOW, lead_half_way);
}

/* ---- forks ---- */

static ingle_session *fork_of(ingle_session *s, size_t n)
{
    ingle_session *fork;
    ingle_error err;
    must(ingle_session_fork(&fork, s, n, &err), &err);
    return fork;
}

/* Both go on in the same steps, with the same tokens and with others, then apart. */
static void go_on(pair *p, ingle_session *a, ingle_session *b, size_t n)
{
    size_t n_held;
    ingle_error err;
    ingle_eval evals[] = {{a, p->tokens + n % 50, 3, INGLE_ROWS_LAST},
                          {b, n % 2 ? p->else_ : p->tokens + n % 50, 3, INGLE_ROWS_LAST}};
    must(ingle_sessions_eval(evals, 2, &err), &err);
    for (int i = 0; i < 2; i++) {
        held(evals[i].session, &n_held);
        is_right(&p->o, evals[i].session, 0, n_held, "a fork in the same steps");
    }
    eval_right(&p->o, b, p->else_ + 7, 2, "a fork apart");
    eval_right(&p->o, a, p->else_ + 9, 2, "forked");
}

static void fork_everywhere(pair *p)
{
    enum { HELD = 110 };
    ingle_error err;
    for (size_t n = 0; n <= HELD; n += (n + 3) % 32 < 6 ? 1 : 13) {
        must(ingle_session_truncate(p->other, 0, &err), &err);
        eval_right(&p->o, p->other, p->tokens, HELD, "to be forked");
        ingle_session *fork = fork_of(p->other, n), *second = fork_of(fork, n - n / 3);
        go_on(p, p->other, fork, n);
        go_on(p, fork, second, n);
        if (n % 3 == 0) ingle_session_close(&fork);
        if (n % 3 == 1) ingle_session_close(&p->other);
        if (n % 3 == 2) ingle_session_close(&second);
        if (second) eval_right(&p->o, second, p->tokens, 9, "the fork of a fork");
        if (p->other) eval_right(&p->o, p->other, p->tokens, 9, "forked twice");
        if (fork) eval_right(&p->o, fork, p->tokens, 9, "a fork");
        if (second) ingle_session_close(&second);
        if (fork) ingle_session_close(&fork);
        if (!p->other) p->other = one_more(&p->r);
    }
}

static void forking(void **state)
{
    (void)state;
    for (size_t n = 1; n <= 3; n += 2) {
        each(plain, N_PLAIN, n, fork_everywhere);
        each(special, N_SPECIAL, n, fork_everywhere);
    }
}

/* ---- everything at once ---- */

#if defined(__SANITIZE_THREAD__)
enum { N_DEEDS = 40 };
#elif defined(__SANITIZE_ADDRESS__)
enum { N_DEEDS = 60 };
#elif defined(NDEBUG)
enum { N_DEEDS = 600 };
#else
enum { N_DEEDS = 400 };
#endif
enum { N_PLAYERS = 5, N_LINES = 4, MOST = 512 };

typedef struct game {
    oracle o;
    runner r;
    ingle_session *player[N_PLAYERS];
    uint64_t seed;
    size_t line[N_PLAYERS];
    size_t n_reused; /* tokens, by all */
} game;

static size_t draw(game *w, size_t below)
{
    w->seed = w->seed * 6364136223846793005u + 1442695040888963407u;
    return (size_t)((w->seed >> 33) % below);
}

/* Lines that leave the first one at some position; now and then a token of no line. */
static int32_t token_at(game *w, size_t line, size_t pos)
{
    static const size_t leaves[N_LINES] = {0, 40, 64, 101};
    if (draw(w, 100) == 0) return (int32_t)(20 + draw(w, 3));
    if (pos < leaves[line]) line = 0;
    return (int32_t)(20 + (pos * pos * 7 + pos / 3 + line * pos * 5) % 3);
}

static size_t tokens_of(const game *w, size_t i)
{
    size_t n;
    held(w->player[i], &n);
    return n;
}

/* How many tokens come next, as many as there is room for. */
static size_t some_tokens(game *w, size_t i, int32_t *tokens)
{
    static const size_t sizes[] = {1, 1, 2, 5, 15, 16, 31, 32, 33, 64, 65, 100};
    size_t n_held = tokens_of(w, i), room = w->o.n_ctx - n_held;
    size_t n = sizes[draw(w, sizeof sizes / sizeof *sizes)];
    if (!n_held) w->line[i] = draw(w, N_LINES);
    if (n > room) n = room;
    for (size_t k = 0; k < n; k++) tokens[k] = token_at(w, w->line[i], n_held + k);
    return n;
}

static void cut_some(game *w)
{
    size_t i = draw(w, N_PLAYERS), n = tokens_of(w, i);
    ingle_error err;
    must(ingle_session_truncate(w->player[i], draw(w, 4) ? draw(w, n + 1) : 0, &err), &err);
    if (draw(w, 2)) w->line[i] = draw(w, N_LINES);
}

/* Some of them compute in the same steps, others rest. */
static void eval_some(game *w)
{
    static int32_t tokens[N_PLAYERS][MOST];
    ingle_eval evals[N_PLAYERS] = {{.session = NULL}};
    size_t who[N_PLAYERS], n = 0, most = 1 + draw(w, N_PLAYERS);
    ingle_error err;
    for (size_t i = draw(w, N_PLAYERS), k = 0; k < most; k++, i = (i + 1) % N_PLAYERS) {
        size_t n_tokens = some_tokens(w, i, tokens[i]);
        ingle_rows rows = draw(w, 8) || !n_tokens ? INGLE_ROWS_LAST : INGLE_ROWS_ALL;
        if (!n_tokens && !tokens_of(w, i)) continue;
        evals[n] = (ingle_eval){w->player[i], tokens[i], n_tokens, rows};
        who[n++] = i;
    }
    if (!n) return;
    must(ingle_sessions_eval(evals, n, &err), &err);
    for (size_t k = 0; k < n; k++) {
        size_t end = tokens_of(w, who[k]), n_rows = evals[k].rows ? evals[k].n : 1;
        for (size_t row = 0; row < n_rows; row++)
            is_right(&w->o, evals[k].session, row, end - n_rows + row + 1, "an eval");
        w->n_reused += evals[k].session->task.n_reused;
    }
}

static void fork_some(game *w)
{
    size_t from = draw(w, N_PLAYERS), to = draw(w, N_PLAYERS), n = tokens_of(w, from);
    ingle_session *fork;
    ingle_error err;
    if (draw(w, 3)) n = draw(w, n + 1);
    must(ingle_session_fork(&fork, w->player[from], n, &err), &err);
    ingle_session_close(&w->player[to]);
    w->player[to] = fork;
    w->line[to] = draw(w, 2) ? w->line[from] : draw(w, N_LINES);
}

static void open_anew(game *w)
{
    size_t i = draw(w, N_PLAYERS);
    if (draw(w, 2)) ingle_session_close(&w->player[i]);
    ingle_session *s = one_more(&w->r);
    if (w->player[i]) ingle_session_close(&w->player[i]);
    w->player[i] = s;
}

static ingle_request *ask(game *w, size_t i)
{
    static int32_t tokens[MOST];
    ingle_session *s = w->player[i];
    ingle_request *r;
    ingle_error err;
    ingle_sampler_options so;
    ingle_generate_options go;
    ingle_sampler_options_init(&so);
    ingle_generate_options_init(&go);
    go.n = (int32_t)(draw(w, 3) ? 1 : 2 + draw(w, 2));
    so.temperature = go.n > 1 ? 2 : 0;
    size_t n = some_tokens(w, i, tokens), marks[2] = {draw(w, n + 1), n};
    if (draw(w, 4) == 0) { /* with no regard to the room there is */
        go.overflow = INGLE_OVERFLOW_DROP;
        go.n_keep = draw(w, 3) * draw(w, 20);
        n = 1 + draw(w, w->o.n_ctx + 20);
        for (size_t k = 0; k < n; k++) tokens[k] = token_at(w, w->line[i], tokens_of(w, i) + k);
        marks[0] = draw(w, n + 1);
        marks[1] = n - draw(w, n - marks[0] + 1);
    }
    if (!n) return NULL;
    go.max_tokens = (int32_t)draw(w, 12);
    go.sampling = &so;
    go.ignore_eog = true;
    go.logprobs = 0;
    go.marks = marks;
    go.n_marks = draw(w, 3);
    go.no_reuse = draw(w, 10) == 0;
    go.cache_salt = tokens_of(w, i) ? s->salt : draw(w, 6) == 0;
    go.priority = (ingle_class)draw(w, 3);
    ingle_status st = ingle_request_start(&r, s, tokens, n, &go, &err);
    if (st != INGLE_EFULL || !go.overflow) must(st, &err);
    return r;
}

/* What a choice said. */
typedef struct answer {
    int32_t tokens[MOST];
    float logits[MOST];
    size_t n;
} answer;

/* Reads to the end, or cancels after `most` events. */
static void read_some(game *w, ingle_request *r, size_t most, answer *answers)
{
    ingle_error err;
    for (size_t k = 0; k < N_CHOICES; k++) answers[k].n = 0;
    for (size_t i = 0;; i++) {
        ingle_event event = {.size = sizeof event};
        if (i == most) must(ingle_request_cancel(r, &err), &err);
        ingle_status st = ingle_request_next(r, -1, &event, &err);
        if (st == INGLE_ENOTFOUND) return;
        must(st, &err);
        answer *a = &answers[event.i_choice];
        if (event.kind == INGLE_EVENT_TOKEN) {
            a->tokens[a->n] = event.token;
            a->logits[a->n++] = event.logit;
        }
        if (event.kind != INGLE_EVENT_END) continue;
        w->n_reused += event.usage.n_reused;
        assert_true(event.usage.n_reused <= event.usage.n_known);
    }
}

/* Of all choices; the session goes on from the first. */
static void answers_are_right(game *w, size_t i, const answer *answers)
{
    int32_t tokens[MOST];
    size_t n;
    const int32_t *own = held(w->player[i], &n);
    assert_true(answers->n <= n);
    n -= answers->n;
    assert_memory_equal(own + n, answers->tokens, answers->n * sizeof *own);
    memcpy(tokens, own, n * sizeof *own);
    for (size_t k = 0; k < N_CHOICES; k++) {
        memcpy(tokens + n, answers[k].tokens, answers[k].n * sizeof *tokens);
        for (size_t at = n; at < n + answers[k].n; at++) {
            const float *row = right_row(&w->o, tokens, at);
            if (memcmp(&row[tokens[at]], &answers[k].logits[at - n], sizeof *row))
                fail_msg("%s: the logit of drawn token %zu differs", w->o.g.name, at);
        }
    }
}

/* Several are started together, read one after the other, and some are cancelled. */
static void ask_some(game *w)
{
    static answer answers[N_CHOICES];
    ingle_request *r[N_PLAYERS] = {NULL};
    size_t first = draw(w, N_PLAYERS), n = 1 + draw(w, N_PLAYERS);
    for (size_t k = 0; k < n; k++) r[k] = ask(w, (first + k) % N_PLAYERS);
    for (size_t k = 0; k < n; k++) {
        size_t i = (first + k) % N_PLAYERS;
        if (!r[k]) continue;
        read_some(w, r[k], draw(w, 4) ? SIZE_MAX : draw(w, 6), answers);
        ingle_request_close(&r[k]);
        answers_are_right(w, i, answers);
        if (tokens_of(w, i) && draw(w, 2))
            eval_right(&w->o, w->player[i], NULL, 0, "after an answer");
    }
}

static void play(const char *model, size_t n_ctx, size_t n_sessions, uint64_t seed)
{
    static game w;
    w = (game){.seed = seed};
    if (!oracle_open(&w.o, model, n_ctx)) return;
    open_sharing(&w.r, &w.o, n_sessions);
    ingle_session_close(&w.r.session);
    for (size_t i = 0; i < N_PLAYERS; i++) w.player[i] = one_more(&w.r);
    for (size_t i = 0; i < N_DEEDS; i++) {
        size_t deed = draw(&w, 20);
        if (deed < 8) eval_some(&w);
        else if (deed < 13) cut_some(&w);
        else if (deed < 15) fork_some(&w);
        else if (deed < 16) open_anew(&w);
        else ask_some(&w);
    }
    print_message("%-14s %zu sessions: %zu tokens reused, %llu computed\n", model, n_sessions,
                  w.n_reused, (unsigned long long)w.r.engine->stats.n_tokens);
    assert_true(w.n_reused > N_DEEDS);
    for (size_t i = 0; i < N_PLAYERS; i++) ingle_session_close(&w.player[i]);
    close_empty(&w.r);
    oracle_close(&w.o);
}

static void mixed(const char *model, size_t n_ctx)
{
    const char *seed = getenv("INGLE_TEST_SEED");
    for (size_t n = 1; n <= 3; n += 2) play(model, n_ctx, n, seed ? strtoull(seed, NULL, 10) : n);
}

static void mixed_plain(void **state)
{
    (void)state, mixed("llama-Q4_K", 160);
}

static void mixed_windows(void **state)
{
    (void)state, mixed("gemma3", 160), mixed("gpt-oss", 224);
}

static void mixed_states(void **state)
{
    (void)state, mixed("mamba2", 160), mixed("qwen35", 128);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reusing),       cmocka_unit_test(asking),
        cmocka_unit_test(choosing),      cmocka_unit_test(caching),
        cmocka_unit_test(leading),       cmocka_unit_test(leaving),
        cmocka_unit_test(forking),       cmocka_unit_test(mixed_plain),
        cmocka_unit_test(mixed_windows), cmocka_unit_test(mixed_states),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
