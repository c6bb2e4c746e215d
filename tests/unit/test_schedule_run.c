/* test_schedule_run.c - a machine that is simulated: requests arrive, are let in, are scheduled
 * step by step; a virtual clock runs by a cost that the model has to learn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <string.h>

#include <cmocka.h>

#include "engine/admit.h"
#include "engine/schedule.h"

enum { N_REQUESTS = 64, MOST_RUN = 16, N_BATCH = 512, PAGE = 32 };

typedef enum stage { COMING, WAITING, RUNNING, DONE } stage;

typedef struct request {
    stage stage;
    bool embeds;
    int class;
    size_t n_prompt, n_answer; /* of a text to embed no answer */
    size_t n, n_out;           /* tokens that are computed; tokens of the answer */
    size_t n_pages;
    size_t n_ahead; /* requests that were there when it arrived */
    uint64_t served;
    double arrived, admitted, first, last, ended; /* of its first and its last token so far */
    double worst_gap;
    ingle_want want;
} request;

typedef struct world {
    ingle_cost_model model;
    double speed; /* of the recorded times */
    size_t n_run, n_pages, most_run;
    double step_s, clock;
    uint64_t step;
    request request[N_REQUESTS];
    ingle_claim claims[MOST_RUN]; /* of running[] */
    size_t running[MOST_RUN], n_running;
    size_t free[INGLE_RESOURCES];
    size_t n_shared, n_paused, n_overtaken;
    double beside, for_prompts; /* seconds of steps of both kinds; of these for long prompts */
    double longest;             /* step of decoding sequences */
    uint32_t seed;
} world;

static double draw(world *w) /* 0 .. 1 */
{
    w->seed = w->seed * 1664525u + 1013904223u;
    return ((double)(w->seed >> 8) + 0.5) / (1 << 24);
}

static size_t draw_size(world *w, size_t most) /* as many short as long ones */
{
    return (size_t)exp(draw(w) * log((double)most + 1));
}

/* ---- the machine ---- */

/* Steps of one token as recorded with 1B parameters on two cores. */
static double true_body(size_t n)
{
    static const double at[][2] = {{0, 0.9},  {1, 1},     {4, 1.1}, {8, 1.79},
                                   {9, 1.95}, {16, 2.67}, {64, 6},  {512, 42.7}};
    size_t i = 1;
    while (at[i][0] < (double)n) i++;
    double part = ((double)n - at[i - 1][0]) / (at[i][0] - at[i - 1][0]);
    return at[i - 1][1] + part * (at[i][1] - at[i - 1][1]);
}

static ingle_step_times true_times(const world *w, const ingle_shape *s)
{
    return (ingle_step_times){.body = w->speed * true_body(s->n_tokens),
                              .attend = w->speed * (1.4e-5 * s->few + 1e-6 * s->many),
                              .rows = w->speed * 0.022 * (double)s->n_rows};
}

static double true_seconds(const world *w, const ingle_shape *s)
{
    ingle_step_times t = true_times(w, s);
    return t.body + t.attend + t.rows;
}

/* What the model is told of a step, each part off by up to 3 %. */
static double compute(world *w, const ingle_shape *s)
{
    ingle_step_times t = true_times(w, s);
    t.body *= 0.97 + 0.06 * draw(w);
    t.attend *= 0.97 + 0.06 * draw(w);
    t.rows *= 0.97 + 0.06 * draw(w);
    ingle_cost_learn(&w->model, s, &t);
    return t.body + t.attend + t.rows;
}

/* A guess that is wrong by different factors, then the steps that a warm-up takes. */
static void warm_up(world *w)
{
    static const size_t sizes[] = {1, 8, 64, N_BATCH};
    ingle_cost_guess guess = {
        .step = 0.02, .token = 0.01, .head = 0.001, .row = 0.001, .few = 1e-7, .many = 1e-7};
    ingle_cost_init(&w->model, N_BATCH, &guess);
    for (size_t i = 0; i < 16; i++) {
        ingle_shape s = {0};
        ingle_shape_add(&s, 0, sizes[i / 4], 1);
        compute(w, &s);
    }
}

/* ---- requests ---- */

static void draw_requests(world *w, double between)
{
    double t = 0;
    for (size_t i = 0; i < N_REQUESTS; i++) {
        request *r = &w->request[i];
        t -= between * log(draw(w));
        *r = (request){.arrived = t,
                       .class = (int)(3 * draw(w)),
                       .n_prompt = draw_size(w, 16384),
                       .embeds = draw(w) < 0.2};
        if (!r->embeds) r->n_answer = 1 + draw_size(w, 300);
    }
}

static size_t n_stage(const world *w, stage from, stage to)
{
    size_t n = 0;
    for (size_t i = 0; i < N_REQUESTS; i++)
        n += w->request[i].stage >= from && w->request[i].stage <= to;
    return n;
}

static void arrive(world *w)
{
    for (size_t i = 0; i < N_REQUESTS; i++) {
        request *r = &w->request[i];
        if (r->stage != COMING || r->arrived > w->clock) continue;
        r->n_ahead = n_stage(w, WAITING, RUNNING);
        r->stage = WAITING;
    }
}

static bool goes_first(const world *w, const request *a, const request *b)
{
    int class_a = ingle_class_at(a->class, a->arrived, w->clock);
    int class_b = ingle_class_at(b->class, b->arrived, w->clock);
    return class_a != class_b ? class_a > class_b : a->arrived < b->arrived;
}

static size_t pages_of(size_t n)
{
    return (n + PAGE - 1) / PAGE;
}

/* Lets in by class and age, as long as everybody can still finish; B176: the others queue. */
static void admit(world *w)
{
    while (w->n_running < w->most_run) {
        request *best = NULL;
        for (size_t i = 0; i < N_REQUESTS; i++) {
            request *r = &w->request[i];
            if (r->stage == WAITING && (!best || goes_first(w, r, best))) best = r;
        }
        if (!best) return;
        size_t worst = pages_of(best->n_prompt + best->n_answer);
        w->claims[w->n_running] = (ingle_claim){.may = {worst}};
        assert_true(ingle_is_safe(w->claims, w->n_running + 1, w->free));
        w->running[w->n_running++] = (size_t)(best - w->request);
        best->stage = RUNNING;
        best->admitted = w->clock;
    }
}

static void end(world *w, size_t k)
{
    request *r = &w->request[w->running[k]];
    r->stage = DONE;
    r->ended = w->clock;
    w->free[0] += w->claims[k].has[0];
    w->n_running--;
    w->running[k] = w->running[w->n_running];
    w->claims[k] = w->claims[w->n_running];
}

/* ---- wants ---- */

/* Pages for as much of what it wants as it may have; the tokens they hold. */
static size_t secure(world *w, size_t k, size_t n)
{
    request *r = &w->request[w->running[k]];
    static const size_t one[INGLE_RESOURCES] = {1};
    ingle_claim *c = &w->claims[k];
    while (c->has[0] < pages_of(r->n + n)) {
        if (!ingle_may_take(w->claims, w->n_running, k, w->free, one)) break;
        c->has[0]++, c->may[0]--, w->free[0]--;
    }
    size_t room = c->has[0] * PAGE - r->n;
    return room < n ? room : n;
}

/* What a request wants; false: it has no page and is paused. */
static bool want(world *w, size_t k)
{
    request *r = &w->request[w->running[k]];
    bool decoding = r->n >= r->n_prompt;
    size_t left = decoding ? r->n_answer - r->n_out : r->n_prompt - r->n;
    if (decoding && left > 1 && draw(w) < 0.5) left = left < 4 ? left : 4;
    else if (decoding) left = 1;
    size_t n = secure(w, k, left < N_BATCH ? left : N_BATCH);
    r->want = (ingle_want){.class = ingle_class_at(r->class, r->arrived, w->clock),
                           .decoding = decoding,
                           .hidden = r->embeds,
                           .rows = decoding ? INGLE_ROWS_ALL : INGLE_ROWS_LAST,
                           .n = decoding ? n : left,
                           .pos = r->n,
                           .cut = decoding ? SIZE_MAX : n,
                           .arrived = r->arrived,
                           .served = r->served};
    return n > 0;
}

/* ---- a step ---- */

static ingle_shape shape_of(const ingle_want *wants, size_t n, bool decoding, size_t more)
{
    ingle_shape s = {0};
    for (size_t i = 0; i < n; i++) {
        const ingle_want *x = &wants[i];
        bool last = x->decoding || (x->take == x->n && !x->hidden);
        if (!x->take || (decoding && !x->decoding)) continue;
        ingle_shape_add(&s, x->pos, x->take, x->decoding ? x->take : last);
    }
    if (more) ingle_shape_add(&s, 16384, more, 1);
    return s;
}

static const ingle_want *oldest_of(const ingle_want *wants, size_t n)
{
    const ingle_want *best = NULL;
    for (size_t i = 0; i < n; i++) {
        const ingle_want *x = &wants[i];
        if (x->decoding) continue;
        if (!best || x->class > best->class ||
            (x->class == best->class && x->arrived < best->arrived))
            best = x;
    }
    return best;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Limits, and what every step promises to each. */
static void check_step(world *w, const ingle_want *wants, size_t n, const ingle_shape *shape)
{
    ingle_shape all = shape_of(wants, n, false, 0);
    const ingle_want *oldest = oldest_of(wants, n);
    size_t seats = 0, texts = 0, words = 0;
    assert_true(all.n_tokens == shape->n_tokens && all.n_rows == shape->n_rows);
    assert_in_range(shape->n_tokens, 1, N_BATCH); /* progress */
    for (size_t i = 0; i < n; i++) {
        const ingle_want *x = &wants[i];
        seats += x->take > 0;
        texts += x->take && x->hidden;
        words += x->take && x->decoding;
        assert_true(x->take <= x->n && x->take <= x->cut);
        if (x->decoding) assert_true(x->take == 1 || x->take == x->n); /* everybody rides, B175 */
        else if (!x->take) continue;
        else if (oldest != x && x->arrived > oldest->arrived) w->n_overtaken++;
    }
    assert_true(seats <= w->most_run);
    if (oldest) assert_true(oldest->take >= least(8, least(oldest->n, oldest->cut)));
    w->n_shared += texts && words;
}

/* The time between two tokens of a decoding sequence, and what of it a long prompt had. */
static void check_time(world *w, const ingle_want *wants, size_t n, double seconds)
{
    const ingle_want *oldest = oldest_of(wants, n);
    ingle_shape d = shape_of(wants, n, true, 0), d_8 = shape_of(wants, n, true, 8);
    if (!d.n_tokens) return;
    double alone = true_seconds(w, &d);
    double most = fmax(w->step_s, fmax(2 * alone, true_seconds(w, &d_8)));
    assert_true(seconds <= 1.3 * most);
    w->longest = fmax(w->longest, seconds);
    if (!oldest || oldest->n < 1024 || oldest->cut < N_BATCH) return;
    w->beside += seconds;
    w->for_prompts += seconds - alone;
}

/* Of a chain of proposed tokens every second one is right. */
static void go_on(world *w, request *r, size_t take)
{
    bool decoding = r->want.decoding;
    size_t n_right = 1;
    r->served = w->step;
    if (decoding)
        while (n_right < take && draw(w) < 0.5) n_right++;
    r->n += decoding ? n_right : take;
    if (r->n < r->n_prompt || r->embeds) return;
    if (decoding && w->clock - r->last > r->worst_gap) r->worst_gap = w->clock - r->last;
    if (!decoding) r->first = w->clock;
    r->last = w->clock;
    r->n_out += n_right;
}

static void commit(world *w)
{
    for (size_t k = w->n_running; k > 0; k--) {
        request *r = &w->request[w->running[k - 1]];
        if (r->want.take) go_on(w, r, r->want.take);
        if (r->n >= r->n_prompt && r->n_out >= r->n_answer) end(w, k - 1);
    }
}

static void step(world *w)
{
    ingle_want wants[MOST_RUN];
    size_t order[MOST_RUN], who[MOST_RUN], n = 0;
    ingle_schedule_limits limits = {N_BATCH, w->most_run, w->step_s, INFINITY};
    for (size_t k = 0; k < w->n_running; k++) {
        if (want(w, k)) who[n] = w->running[k], wants[n++] = w->request[w->running[k]].want;
        else w->n_paused++;
    }
    assert_true(n > 0);
    w->step++;
    ingle_shape shape = ingle_schedule(&w->model, wants, n, &limits, order);
    check_step(w, wants, n, &shape);
    double seconds = compute(w, &shape);
    check_time(w, wants, n, seconds);
    w->clock += seconds;
    for (size_t i = 0; i < n; i++) w->request[who[i]].want = wants[i];
    commit(w);
}

/* ---- runs ---- */

static double next_arrival(const world *w)
{
    double next = INFINITY;
    for (size_t i = 0; i < N_REQUESTS; i++)
        if (w->request[i].stage == COMING) next = fmin(next, w->request[i].arrived);
    return next;
}

/* To the end of the last request. */
static void run(world *w)
{
    warm_up(w);
    w->free[0] = w->n_pages;
    while (n_stage(w, DONE, DONE) < N_REQUESTS) {
        arrive(w);
        admit(w);
        if (w->n_running) step(w);
        else w->clock = next_arrival(w);
    }
    assert_int_equal(w->free[0], w->n_pages);
}

/* Nobody waits longer than those that were there take one after the other, and until its class is
 * the highest. */
static void check_waits(const world *w)
{
    double longest = 0;
    for (size_t i = 0; i < N_REQUESTS; i++)
        longest = fmax(longest, w->request[i].ended - w->request[i].admitted);
    for (size_t i = 0; i < N_REQUESTS; i++) {
        const request *r = &w->request[i];
        double classes = 10 * (INGLE_CLASS_HIGH - r->class);
        assert_true(r->admitted - r->arrived <=
                    (double)r->n_ahead * longest + classes + 5 * w->step_s);
        if (!w->n_paused) assert_true(r->worst_gap <= w->longest + 1e-6);
    }
}

/* A prompt keeps its part of the machine beside decoding sequences, and everybody has a chance. */
static void check_shares(const world *w)
{
    bool one = w->most_run == 1; /* then nobody is beside anybody */
    assert_true(one == (w->beside == 0));
    assert_true(w->for_prompts >= 0.45 * w->beside);
    assert_true(one == (w->n_overtaken == 0));
}

/* B175, B176. Models of 1B and 8B on two cores, and of 1B on a fast machine; many and few at once;
 * in the pools of 530 pages one request of the longest fits. */
static void test_run(void **state)
{
    static const struct {
        double speed, step_s, between;
        size_t most_run, n_pages;
    } cases[] = {{0.038, 0.2, 3, 16, 8192},    {0.038, 0.2, 3, 4, 2048}, {0.038, 0.2, 3, 8, 530},
                 {0.24, 0.2, 20, 16, 8192},    {0.24, 0.2, 20, 2, 2048}, {0.24, 0.2, 20, 1, 530},
                 {0.004, 0.05, 0.3, 16, 8192}, {0.24, 0.2, 9, 16, 530}};
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        bool one = cases[c].most_run == 1;
        size_t n_shared = 0, n_paused = 0;
        for (uint32_t k = 0; k < 4; k++) {
            world w = {.seed = 100 * k + (uint32_t)c,
                       .speed = cases[c].speed,
                       .step_s = cases[c].step_s,
                       .most_run = cases[c].most_run,
                       .n_pages = cases[c].n_pages};
            draw_requests(&w, cases[c].between);
            run(&w);
            check_waits(&w);
            check_shares(&w);
            n_shared += w.n_shared;
            n_paused += w.n_paused;
        }
        assert_true((n_shared > 0) == !one); /* texts in the steps of decoding sequences */
        assert_true((n_paused > 0) == (cases[c].n_pages == 530 && !one));
    }
}

/* A prompt of 16,384 tokens, and from its beginning on a short one every half second. Half of the
 * machine and what the short ones leave is the long one's; they do not wait for it. */
static void test_short_beside_long(void **state)
{
    (void)state;
    for (int others = 0; others < 2; others++) {
        static double alone;
        world w = {.seed = 7, .speed = 0.038, .step_s = 0.2, .most_run = 16, .n_pages = 8192};
        for (size_t i = 0; i < N_REQUESTS; i++) {
            w.request[i] = (request){.arrived = 0.5 * (double)i, .n_prompt = 40, .n_answer = 4};
            if (i && !others) w.request[i].stage = DONE;
        }
        w.request[0].n_prompt = 16384;
        run(&w);
        if (!others) alone = w.request[0].ended;
        assert_true(w.request[0].ended <= (others ? 2 : 1) * alone);
        for (size_t i = 1; others && i < N_REQUESTS; i++) {
            const request *r = &w.request[i];
            double most = 5 * w.step_s + 2 * w.step_s; /* a step nobody waited in; two of its own */
            assert_true(r->first - r->arrived <= 1.3 * most);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_run),
        cmocka_unit_test(test_short_beside_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
