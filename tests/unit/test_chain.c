/* test_chain.c - chains of proposed tokens change nothing but the number of steps: with a drafter
 * that lies at random places the events are byte for byte those without one, for every stage of the
 * sampler, alone and beside others, where layers are recurrent or windowed as well. And
 * constraints: what a mask admits, what it forces, how it ends a request, and the chains that it
 * proposes. */
#define _GNU_SOURCE
#include "requests.h"

#include "golden/run.h"

/* ---- a drafter that lies ---- */

typedef struct liar {
    const trail *truth;
    size_t first;     /* tokens before the answer */
    uint32_t seed;    /* of its own random numbers */
    unsigned percent; /* of its tokens are lies */
    size_t most;      /* tokens that it proposes at most; SIZE_MAX: as many as it may, or fewer */
    size_t n_proposed;
    int32_t n_vocab;
} liar;

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static size_t lie(void *user, const int32_t *tokens, size_t n, int32_t *draft, size_t cap)
{
    liar *a = user;
    size_t at = n - a->first,
           most = a->most == SIZE_MAX ? next_random(&a->seed) % (cap + 1) : a->most;
    (void)tokens;
    assert_true(cap >= 1 && cap <= INGLE_MAX_DRAFT);
    if (most > cap) most = cap;
    for (size_t i = 0; i < most; i++) {
        bool lies = next_random(&a->seed) % 100 < a->percent || at + i >= a->truth->n_tokens;
        draft[i] = lies ? (int32_t)(next_random(&a->seed) % (uint32_t)a->n_vocab)
                        : a->truth->tokens[at + i];
        if (lies && next_random(&a->seed) % 16 == 0) draft[i] = -1; /* the chain ends before it */
    }
    a->n_proposed += most;
    return most;
}

static ingle_request *begin(ingle_session *s, const prompt *p, const ingle_generate_options *go,
                            liar *a, ingle_constraint *c)
{
    ingle_request *r;
    ingle_error err;
    const ingle_request_inside inside = {.constraint = c, .drafter = {a ? lie : NULL, a}};
    must(ingle_request_begin(&r, s, p->tokens, p->n, go, &inside, &err), &err);
    return r;
}

static void run_with(ingle_session *s, const prompt *p, const ingle_generate_options *go, liar *a,
                     ingle_constraint *c, trail *t)
{
    ingle_error err;
    must(ingle_session_truncate(s, 0, &err), &err);
    ingle_request *r = begin(s, p, go, a, c);
    read_all(r, t);
    ingle_request_close(&r);
}

static void expect_usage(const trail *t, size_t n_tokens)
{
    assert_int_equal(t->usage.n_generated, n_tokens);
    assert_true(t->usage.n_accepted <= t->usage.n_drafted);
}

/* B191 B193 B194: the session goes on to the bits of one that never saw a chain. */
static void goes_on(const house *h, ingle_session *s, const char *what)
{
    const int32_t *held;
    const float *row, *want;
    size_t n, n_vocab = (size_t)h->model->n_vocab;
    ingle_error err;
    ingle_session *fresh = another_session(h);
    must(ingle_session_tokens(s, &held, &n, &err), &err);
    must(ingle_session_eval(fresh, held, n, INGLE_ROWS_LAST, &err), &err);
    must(ingle_session_eval(s, NULL, 0, INGLE_ROWS_LAST, &err), &err);
    must(ingle_session_logits(fresh, 0, &want, &err), &err);
    must(ingle_session_logits(s, 0, &row, &err), &err);
    if (memcmp(row, want, n_vocab * sizeof *row)) fail_msg("%s: other logits afterwards", what);
    ingle_session_close(&fresh);
}

/* ---- the same events ---- */

typedef struct lies {
    unsigned percent;
    size_t most;
} lies;

static const lies all_lies[] = {{0, 8}, {30, SIZE_MAX}, {10, 3}, {100, 8}, {50, 1}, {0, 0}};
enum { N_LIES = sizeof all_lies / sizeof *all_lies };

static void compare(const house *h, const prompt *p, const ingle_generate_options *go,
                    const char *what)
{
    trail want = trail_open();
    run_with(h->session, p, go, NULL, NULL, &want);
    assert_int_equal(want.status, INGLE_OK);
    for (uint32_t i = 0; i<N_LIES; i += SAMPLING_STEP> 3 ? 2 : 1) {
        liar a = {&want, p->n, i, all_lies[i].percent, all_lies[i].most, 0, h->model->n_vocab};
        trail got = trail_open();
        char text[100];
        snprintf(text, sizeof text, "%s: chains of %zu, %u %% lies", what, a.most, a.percent);
        uint64_t n_steps = stats_of(h).n_steps;
        run_with(h->session, p, go, &a, NULL, &got);
        same_trail(text, &want, &got);
        expect_usage(&got, want.usage.n_generated);
        n_steps = stats_of(h).n_steps - n_steps;
        if (!a.percent && a.most == 8 && want.n_tokens > 40)
            assert_true(n_steps < want.n_tokens / 3); /* chains are taken */
        if (a.most && want.n_tokens > 2) assert_true(a.n_proposed > 0);
        goes_on(h, h->session, text);
        trail_close(&got);
    }
    trail_close(&want);
}

/* B191 B195 */
static void every_stage(void **state)
{
    house h = house_of(256, 2);
    const prompt p = prompt_of(&h, STORY ", there was a");
    (void)state;
    for (size_t i = 0; i < N_SAMPLINGS; i += SAMPLING_STEP) {
        const ingle_sampler_options so = sampling_of(i, 40 + i);
        ingle_generate_options go = options_of(60);
        char what[32];
        go.sampling = &so;
        go.ignore_eog = i % 2;
        go.logprobs = i % 4 == 1 ? 3 : -1;
        go.prompt_logprobs = i % 4 == 2 ? 1 : -1;
        snprintf(what, sizeof what, "sampling %zu", i);
        compare(&h, &p, &go, what);
    }
    house_close(&h);
}

/* B195: near the end of the context, with few tokens, with stops. */
static void every_end(void **state)
{
    house h = house_of(64, 2);
    const prompt p = prompt_of(&h, STORY);
    const ingle_sampler_options so = sampling_of(1, 9);
    trail plain = {.len = 0};
    (void)state;
    ingle_generate_options go = options_of(-1);
    go.sampling = &so, go.ignore_eog = true;
    run_request(h.session, &p, &go, &plain);
    assert_int_equal(n_held(h.session), 64);
    compare(&h, &p, &go, "the context's end");
    for (int32_t n = 0; n < 12; n += SAMPLING_STEP) {
        go.max_tokens = n;
        compare(&h, &p, &go, "few tokens");
    }
    go.max_tokens = -1;
    for (size_t at = 1; at + 6 < plain.len; at += 13 * SAMPLING_STEP) {
        const ingle_stop stops[] = {{"~~~~", 4}, {plain.text + at, 6}};
        go.stops = stops, go.n_stops = 2;
        compare(&h, &p, &go, "stops");
    }
    go.n_stops = 0;
    for (size_t i = 0; i < plain.n_tokens; i += 7 * SAMPLING_STEP) {
        go.stop_tokens = &plain.tokens[i], go.n_stop_tokens = 1;
        compare(&h, &p, &go, "stop tokens");
    }
    house_close(&h);
}

/* ---- recurrent and windowed layers ---- */

static bool open_golden(house *h, const char *name, int32_t n_sessions)
{
    golden g;
    ingle_error err;
    ingle_engine_options eo = small_engine(704, n_sessions);
    eo.n_batch = 32;
    if (!golden_open(&g, "models", name)) return false;
    must(ingle_model_open(&h->model, g.model, NULL, &err), &err);
    must(ingle_engine_open(&h->engine, h->model, &eo, &err), &err);
    must(ingle_session_open(&h->session, h->engine, &err), &err);
    golden_close(&g);
    return true;
}

/* ---- beside others ---- */

enum { N_BESIDE = 6 };

static prompt made_up(const house *h, size_t n, uint32_t seed)
{
    prompt p = {.n = n};
    for (size_t i = 0; i < n; i++)
        p.tokens[i] = (int32_t)(next_random(&seed) % h->model->program.plan.n_tokens);
    return p;
}

typedef struct side {
    ingle_session *s;
    ingle_request *r;
    trail want, got;
    liar a;
    prompt p;
    ingle_sampler_options so;
    ingle_generate_options go;
} side;

static void open_side(const house *h, side *b, uint32_t i, size_t sampling)
{
    b->p = made_up(h, 10 + 13 * i, i);
    b->so = sampling_of(sampling, i);
    if (sampling % N_SAMPLINGS == 4 || sampling % N_SAMPLINGS == 12) b->so = sampling_of(1, i);
    b->go = options_of(50);
    b->go.sampling = &b->so, b->go.ignore_eog = true;
    b->want = trail_open(), b->got = trail_open();
    run_request(h->session, &b->p, &b->go, &b->want);
    b->a = (liar){&b->want, b->p.n, i, 25, SIZE_MAX, 0, h->model->n_vocab};
}

/* Several with chains, several without, read at different times, in pools that they do not all fit.
 * */
static void run_beside(const house *h, size_t sampling)
{
    side *b = calloc(N_BESIDE, sizeof *b);
    assert_non_null(b);
    for (uint32_t i = 0; i < N_BESIDE; i++) open_side(h, &b[i], i, sampling + i);
    for (uint32_t i = 0; i < N_BESIDE; i++) {
        b[i].s = another_session(h);
        b[i].r = begin(b[i].s, &b[i].p, &b[i].go, i % 3 ? &b[i].a : NULL, NULL);
    }
    for (size_t k = 0; step(h); k++)
        for (size_t i = 0; i < N_BESIDE; i++)
            if (i < 3 || k % 16 == 0) read_there(b[i].r, &b[i].got);
    for (size_t i = 0; i < N_BESIDE; i++) {
        if (!b[i].got.n_ends) read_all(b[i].r, &b[i].got);
        same_trail("beside others", &b[i].want, &b[i].got);
        ingle_request_close(&b[i].r);
        goes_on(h, b[i].s, "beside others");
    }
    for (size_t i = 0; i < N_BESIDE; i++) {
        ingle_session_close(&b[i].s);
        trail_close(&b[i].want), trail_close(&b[i].got);
    }
    free(b);
}

static void beside_others(void **state)
{
    static const char *const models[] = {"qwen35", "gpt-oss", "mamba2", "gemma4-e"};
    ingle_engine_options eo = small_engine(256, 3);
    eo.n_batch = 24;
    house h = house_open(&eo);
    (void)state;
    for (size_t round = 0; round<3; round += GOLDEN_STEP> 3 ? 3 : 1) run_beside(&h, 3 * round);
    house_close(&h);
    for (size_t m = 0; m<4; m += GOLDEN_STEP> 3 ? 3 : 1) {
        if (!open_golden(&h, models[m], 2)) continue;
        run_beside(&h, m);
        house_close(&h);
    }
}

/* ---- every kind of layer ---- */

/* States come back where a chain broke; pages of windows are there. */
static void other_layers(void **state)
{
    static const char *const models[] = {"mamba2", "qwen35",    "gpt-oss",       "gemma4-e",
                                         "lfm2",   "qwen3next", "granitehybrid", "lfm2moe",
                                         "gemma2", "gemma3",    "gemma3n",       "cohere2"};
    (void)state;
    for (size_t m = 0; m<sizeof models / sizeof *models; m += GOLDEN_STEP> 3 ? 3
                       : m < 4                                               ? 1
                                                                             : GOLDEN_STEP) {
        house h;
        if (!open_golden(&h, models[m], 3)) continue;
        for (size_t i = 0; i<4; i += SAMPLING_STEP> 3 ? 3 : 1) {
            const prompt p = made_up(&h, i % 2 ? 90 : 9, (uint32_t)i);
            const ingle_sampler_options so = sampling_of(i, 3);
            ingle_generate_options go = options_of(i == 1 ? 300 : 80);
            go.sampling = &so, go.ignore_eog = true;
            go.prompt_logprobs = i == 1 ? 1 : -1;
            compare(&h, &p, &go, models[m]);
        }
        house_close(&h);
    }
}

/* ---- a constraint ---- */

typedef enum admits { ALL, SOME, ONE, NONE, REFUSES, ENDS } admits;

enum { WORDS = N_VOCAB / 32, MOST_RULES = 64 };

typedef struct rule {
    admits what;
    int32_t token; /* ONE: which; SOME: those that are it modulo 5 */
} rule;

static size_t n_freed, n_prepared;

/* Rule i is for token i of the answer; after them all are admitted. */
typedef struct fake {
    ingle_constraint base;
    rule rules[MOST_RULES];
    size_t n_rules, at;
    size_t n_propose; /* tokens that it proposes at most */
    bool lies;
    uint32_t mask[WORDS];
} fake;

static const rule *rule_at(const fake *f, size_t at)
{
    static const rule all = {ALL, 0};
    return at < f->n_rules ? &f->rules[at] : &all;
}

static bool is_admitted(const rule *r, int32_t token)
{
    switch (r->what) {
    case SOME: return token % 5 == r->token;
    case ONE: return token == r->token;
    case NONE: return false;
    default: return true;
    }
}

static void prepare_fake(ingle_constraint *c)
{
    (void)c;
    n_prepared++;
}

static ingle_status mask_of_fake(ingle_constraint *c, const uint32_t **bits, ingle_error *err)
{
    (void)err;
    *bits = NULL;
    fake *f = (fake *)c;
    const rule *r = rule_at(f, f->at);
    if (r->what == ALL || r->what == REFUSES || r->what == ENDS) return INGLE_OK;
    memset(f->mask, 0, sizeof f->mask);
    for (int32_t t = 0; t < N_VOCAB; t++)
        if (is_admitted(r, t)) f->mask[t / 32] |= 1u << t % 32;
    *bits = f->mask;
    return INGLE_OK;
}

static ingle_status accept_fake(ingle_constraint *c, int32_t token, ingle_error *err)
{
    (void)err;
    fake *f = (fake *)c;
    if (rule_at(f, f->at)->what == REFUSES) return INGLE_EFORMAT;
    assert_true(is_admitted(rule_at(f, f->at), token));
    f->at++;
    return INGLE_OK;
}

static size_t propose_fake(const ingle_constraint *c, int32_t *tokens, size_t cap)
{
    const fake *f = (const fake *)c;
    size_t n = 0;
    for (; n < cap && n < f->n_propose; n++) {
        const rule *r = rule_at(f, f->at + n);
        if (r->what != ONE && !f->lies) break;
        tokens[n] = f->lies && n % 3 == 2 ? 999 : r->token;
    }
    return n;
}

static bool may_fake_end(const ingle_constraint *c)
{
    (void)c;
    return true;
}

static bool must_fake_end(const ingle_constraint *c)
{
    const fake *f = (const fake *)c;
    return rule_at(f, f->at)->what == ENDS;
}

static void free_fake(ingle_constraint *c)
{
    n_freed++;
    free(c);
}

static const ingle_constraint_ops fake_ops = {.prepare = prepare_fake,
                                              .mask = mask_of_fake,
                                              .accept = accept_fake,
                                              .propose = propose_fake,
                                              .may_end = may_fake_end,
                                              .must_end = must_fake_end,
                                              .free = free_fake};

static ingle_constraint *fake_of(const rule *rules, size_t n, size_t n_propose, bool is_liar)
{
    fake *f = calloc(1, sizeof *f);
    assert_non_null(f);
    assert_true(n <= MOST_RULES);
    f->base.ops = &fake_ops;
    memcpy(f->rules, rules, n * sizeof *rules);
    f->n_rules = n;
    f->n_propose = n_propose;
    f->lies = is_liar;
    return &f->base;
}

/* The mask comes before the chain: as if all others had a bias of -infinity. */
static void admitted_sets(void **state)
{
    house h = house_of(128, 1);
    const prompt p = prompt_of(&h, STORY);
    ingle_logit_bias *bias = calloc(N_VOCAB, sizeof *bias);
    rule rules[30];
    size_t n_bias = 0;
    (void)state;
    assert_non_null(bias);
    for (int i = 0; i < 30; i++) rules[i] = (rule){SOME, 2};
    for (int32_t t = 0; t < N_VOCAB; t++)
        if (t % 5 != 2) bias[n_bias++] = (ingle_logit_bias){t, -INFINITY};
    for (size_t i = 0; i < N_SAMPLINGS; i += SAMPLING_STEP) {
        if (i == 12) continue; /* has a bias of its own */
        ingle_sampler_options so = sampling_of(i, i);
        ingle_generate_options go = options_of(30);
        trail want = trail_open(), got = trail_open();
        go.sampling = &so, go.ignore_eog = true;
        run_with(h.session, &p, &go, NULL, fake_of(rules, 30, 0, false), &got);
        so.logit_bias = bias, so.n_logit_bias = n_bias;
        run_with(h.session, &p, &go, NULL, NULL, &want);
        same_trail("a set", &want, &got);
        for (size_t k = 0; k < got.n_tokens; k++) assert_int_equal(got.tokens[k] % 5, 2);
        trail_close(&want), trail_close(&got);
    }
    free(bias);
    house_close(&h);
}

/* A token that alone is admitted takes no random number: what comes after it is what comes after a
 * prompt that holds it. Proposed chains, right or wrong, change nothing. */
static void forced_tokens(void **state)
{
    enum { N_FORCED = 9, N_AFTER = 30 };
    ingle_engine_options eo = small_engine(128, 2);
    eo.step_s = 60; /* however slow the machine, no chain is cut */
    house h = house_open(&eo);
    const prompt p = prompt_of(&h, STORY), forced = noise(N_FORCED, 12);
    rule rules[N_FORCED];
    prompt both = p;
    (void)state;
    for (size_t i = 0; i < N_FORCED; i++) {
        rules[i] = (rule){ONE, forced.tokens[i]};
        both.tokens[both.n++] = forced.tokens[i];
    }
    for (size_t i = 0; i < N_SAMPLINGS; i += SAMPLING_STEP) {
        const ingle_sampler_options so = sampling_of(i, 50 + i);
        ingle_generate_options go = options_of(N_AFTER);
        trail want = trail_open(), one = trail_open();
        go.sampling = &so, go.ignore_eog = true;
        run_with(h.session, &both, &go, NULL, NULL, &want);
        go.max_tokens = N_FORCED + N_AFTER;
        go.logprobs = 2;
        run_with(h.session, &p, &go, NULL, fake_of(rules, N_FORCED, 0, false), &one);
        assert_memory_equal(one.tokens, forced.tokens, N_FORCED * sizeof *one.tokens);
        assert_memory_equal(one.tokens + N_FORCED, want.tokens, N_AFTER * sizeof *one.tokens);
        for (size_t k = 0; k < 4; k++) {
            trail got = trail_open();
            uint64_t n_steps = stats_of(&h).n_steps;
            run_with(h.session, &p, &go, NULL, fake_of(rules, N_FORCED, 1 + 2 * k, k == 2), &got);
            n_steps = stats_of(&h).n_steps - n_steps;
            same_trail("a forced chain", &one, &got);
            if (k == 3) assert_true(n_steps <= N_FORCED + N_AFTER - 6);
            if (k != 2) assert_int_equal(got.usage.n_accepted, got.usage.n_drafted);
            goes_on(&h, h.session, "a forced chain");
            trail_close(&got);
        }
        trail_close(&want), trail_close(&one);
    }
    house_close(&h);
}

/* Free, narrowed and forced tokens by turns, with chains of the constraint and of a drafter. */
static void mixed_rules(void **state)
{
    enum { N = 60 };
    house h = house_of(128, 2);
    const prompt p = prompt_of(&h, STORY);
    (void)state;
    for (size_t i = 0; i < N_SAMPLINGS; i += SAMPLING_STEP) {
        const ingle_sampler_options so = sampling_of(i, 70 + i);
        ingle_generate_options go = options_of(N);
        trail want = trail_open();
        rule rules[N];
        uint32_t seed = (uint32_t)i;
        for (size_t k = 0; k < N; k++) {
            admits what = next_random(&seed) % 3 == 0 ? SOME : next_random(&seed) % 2 ? ONE : ALL;
            int32_t token = (int32_t)(300 + next_random(&seed) % 1000);
            rules[k] = (rule){what, what == SOME ? token % 5 : token};
        }
        go.sampling = &so, go.ignore_eog = true;
        run_with(h.session, &p, &go, NULL, fake_of(rules, N, 0, false), &want);
        assert_int_equal(want.n_tokens, N);
        for (unsigned k = 0; k < 4; k++) {
            trail got = trail_open();
            liar a = {&want, p.n, k, 30, SIZE_MAX, 0, N_VOCAB};
            run_with(h.session, &p, &go, k % 2 ? &a : NULL, fake_of(rules, N, 8, k / 2), &got);
            same_trail("mixed rules", &want, &got);
            goes_on(&h, h.session, "mixed rules");
            trail_close(&got);
        }
        trail_close(&want);
    }
    house_close(&h);
}

/* Where nothing is admitted, or what was admitted is refused, the request fails and the session is
 * as it was; where the text has to end, it ends. */
static void ends_of_constraints(void **state)
{
    static const struct {
        admits what;
        size_t at, n_propose;
        ingle_status status;
    } cases[] = {{NONE, 0, 0, INGLE_EINVAL},     {NONE, 5, 0, INGLE_EINVAL},
                 {NONE, 5, 8, INGLE_EINVAL},     {REFUSES, 0, 0, INGLE_EFORMAT},
                 {REFUSES, 4, 8, INGLE_EFORMAT}, {ENDS, 1, 0, INGLE_OK},
                 {ENDS, 6, 8, INGLE_OK},         {ENDS, 9, 3, INGLE_OK}};
    house h = house_of(128, 1);
    const prompt p = noise(20, 2);
    ingle_generate_options go = options_of(20);
    ingle_error err;
    (void)state;
    go.ignore_eog = true;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rule rules[10];
        const float *row;
        float first[8];
        trail t = {.len = 0};
        for (size_t k = 0; k < 10; k++) rules[k] = (rule){ONE, (int32_t)(400 + k)};
        rules[cases[i].at].what = cases[i].what;
        must(ingle_session_truncate(h.session, 0, &err), &err);
        must(ingle_session_eval(h.session, p.tokens, 7, INGLE_ROWS_LAST, &err), &err);
        must(ingle_session_logits(h.session, 0, &row, &err), &err);
        memcpy(first, row, sizeof first);
        uint64_t n_failed = stats_of(&h).n_failed;
        ingle_request *r = begin(h.session, &p, &go, NULL,
                                 fake_of(rules, cases[i].at + 1, cases[i].n_propose, false));
        read_all(r, &t);
        ingle_request_close(&r);
        assert_int_equal(t.status, cases[i].status);
        assert_int_equal(stats_of(&h).n_failed - n_failed, cases[i].status != INGLE_OK);
        if (cases[i].status) {
            assert_holds(h.session, p.tokens, 7);
            must(ingle_session_logits(h.session, 0, &row, &err), &err);
            assert_memory_equal(row, first, sizeof first);
        } else {
            assert_int_equal(t.finish, INGLE_FINISH_STOP);
            assert_int_equal(t.n_tokens, cases[i].at);
            assert_int_equal(n_held(h.session), 27 + cases[i].at);
        }
    }
    house_close(&h);
}

/* An end token is drawn only where it is admitted, and ends the text before anything is accepted.
 * */
static void end_tokens(void **state)
{
    house h = house_of(128, 1);
    const prompt p = prompt_of(&h, STORY);
    ingle_generate_options go = options_of(20);
    ingle_model_info info = {.size = sizeof info};
    ingle_error err;
    trail t = {.len = 0};
    (void)state;
    must(ingle_model_info_get(h.model, &info, &err), &err);
    const rule rules[] = {{ONE, 500}, {ONE, 501}, {ONE, info.token_eos}};
    run_with(h.session, &p, &go, NULL, fake_of(rules, 3, 8, false), &t);
    assert_int_equal(t.status, INGLE_OK);
    assert_int_equal(t.finish, INGLE_FINISH_STOP);
    assert_int_equal(t.n_tokens, 2);
    assert_int_equal(n_held(h.session), p.n + 2);
    trail u = {.len = 0}; /* ignored end tokens are never drawn: then nothing is left */
    go.ignore_eog = true;
    run_with(h.session, &p, &go, NULL, fake_of(rules, 3, 8, false), &u);
    assert_int_equal(u.status, INGLE_EINVAL);
    assert_int_equal(n_held(h.session), 0);
    house_close(&h);
}

/* B84: characters of several tokens come whole; what is left at the end is flushed. */
static void whole_characters(void **state)
{
    static const char text[] = "h\xc3\xa9llo \xe2\x82\xac \xf0\x9f\x90\x8b\xf0\x9f\x8c\x8d!";
    house h = house_of(128, 1);
    const prompt p = prompt_of(&h, STORY);
    prompt forced;
    rule rules[MOST_RULES];
    ingle_error err;
    (void)state;
    must(ingle_tokenize(h.model, text, strlen(text), INGLE_CONTINUE, forced.tokens, MOST_RULES,
                        &forced.n, &err),
         &err);
    for (size_t i = 0; i < forced.n; i++) rules[i] = (rule){ONE, forced.tokens[i]};
    for (size_t n = 1; n <= forced.n; n++) { /* cut off in the middle of a character as well */
        ingle_generate_options go = options_of((int32_t)n);
        ingle_event event = {.size = sizeof event};
        char all[128], want[128];
        size_t len = 0, n_want;
        must(ingle_session_truncate(h.session, 0, &err), &err);
        ingle_request *r = begin(h.session, &p, &go, NULL, fake_of(rules, forced.n, n % 9, false));
        while (event.kind != INGLE_EVENT_END) {
            must(ingle_request_next(r, -1, &event, &err), &err);
            memcpy(all + len, event.text, event.text_len);
            len += event.text_len;
            if (event.kind == INGLE_EVENT_TOKEN && event.text_len)
                assert_true((event.text[0] & 0xc0) != 0x80); /* no character's middle */
        }
        must(ingle_detokenize(h.model, forced.tokens, n, INGLE_CONTINUE, want, sizeof want, &n_want,
                              &err),
             &err);
        if (n == forced.n) {
            assert_int_equal(len, n_want);
            assert_memory_equal(all, want, len);
        }
        ingle_request_close(&r);
    }
    house_close(&h);
}

/* It is freed once, whatever becomes of the request. */
static void freed_once(void **state)
{
    house h = house_of(64, 1);
    const prompt p = noise(20, 2), too_long = noise(70, 2);
    ingle_generate_options go = options_of(5), bad = options_of(-7);
    ingle_request *r;
    ingle_error err;
    (void)state;
    n_freed = n_prepared = 0;
    go.ignore_eog = true;
    const rule rules[] = {{ONE, 400}};
    trail t = {.len = 0};
    run_with(h.session, &p, &go, NULL, fake_of(rules, 1, 0, false), &t);
    assert_int_equal(n_freed, 1);
    assert_true(n_prepared >= 5);
    ingle_request_inside inside = {.constraint = fake_of(rules, 1, 0, false)};
    assert_int_equal(ingle_request_begin(&r, h.session, p.tokens, p.n, &bad, &inside, &err),
                     INGLE_EINVAL);
    assert_int_equal(n_freed, 2);
    inside.constraint = fake_of(rules, 1, 0, false);
    assert_int_equal(
        ingle_request_begin(&r, h.session, too_long.tokens, too_long.n, &go, &inside, &err),
        INGLE_EFULL);
    assert_int_equal(n_freed, 3);
    must(ingle_session_truncate(h.session, 0, &err), &err);
    ingle_request *first = begin(h.session, &p, &go, NULL, fake_of(rules, 1, 0, false));
    inside.constraint = fake_of(rules, 1, 0, false);
    assert_int_equal(ingle_request_begin(&r, h.session, p.tokens, p.n, &go, &inside, &err),
                     INGLE_EBUSY);
    assert_int_equal(n_freed, 4);
    ingle_request_close(&first);
    assert_int_equal(n_freed, 5);
    must(ingle_engine_drain(h.engine, -1, &err), &err);
    inside.constraint = fake_of(rules, 1, 0, false);
    assert_int_equal(ingle_request_begin(&r, h.session, p.tokens, p.n, &go, &inside, &err),
                     INGLE_ECLOSED);
    assert_int_equal(n_freed, 6);
    house_close(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_stage),   cmocka_unit_test(every_end),
        cmocka_unit_test(beside_others), cmocka_unit_test(other_layers),
        cmocka_unit_test(admitted_sets), cmocka_unit_test(forced_tokens),
        cmocka_unit_test(mixed_rules),   cmocka_unit_test(ends_of_constraints),
        cmocka_unit_test(end_tokens),    cmocka_unit_test(whole_characters),
        cmocka_unit_test(freed_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
