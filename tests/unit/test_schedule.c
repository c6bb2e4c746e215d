/* test_schedule.c - the rules of a step: cases, and random wants against the rules as they are
 * written, each looked up anew. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <string.h>

#include <cmocka.h>

#include "engine/schedule.h"

enum { MOST_WANTS = 12, MANY = 10000 };

static const ingle_cost_guess second_guess = {
    .step = 0.04, .token = 0.003, .head = 0.002, .row = 0.001, .few = 5e-7, .many = 2e-8};

static uint32_t seed;

static size_t draw(size_t n)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % n;
}

/* ---- the rules, one by one ---- */

typedef struct rules {
    const ingle_cost_model *model;
    ingle_want *wants;
    size_t n;
    const ingle_schedule_limits *limits;
    bool seen[MOST_WANTS];
} rules;

/* Rows of logits that `take` tokens give. */
static size_t rows_of(const ingle_want *w)
{
    if (!w->take || w->hidden || w->rows == INGLE_ROWS_NONE) return 0;
    if (w->rows == INGLE_ROWS_ALL) return w->take;
    return w->decoding ? w->take : w->take == w->n;
}

static ingle_shape shape_of(const ingle_want *wants, size_t n)
{
    ingle_shape s = {0};
    for (size_t i = 0; i < n; i++)
        if (wants[i].take) ingle_shape_add(&s, wants[i].pos, wants[i].take, rows_of(&wants[i]));
    return s;
}

static double seconds(const rules *r)
{
    ingle_shape s = shape_of(r->wants, r->n);
    return 1.15 * ingle_cost_predict(r->model, &s);
}

static size_t n_tokens(const rules *r)
{
    return shape_of(r->wants, r->n).n_tokens;
}

static size_t n_seats(const rules *r)
{
    size_t n = 0;
    for (size_t i = 0; i < r->n; i++) n += r->wants[i].take > 0;
    return n;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

typedef bool before_fn(const ingle_want *a, const ingle_want *b);

static bool older(const ingle_want *a, const ingle_want *b)
{
    return a->class > b->class || (a->class == b->class && a->arrived < b->arrived);
}

static bool shorter(const ingle_want *a, const ingle_want *b)
{
    if (a->class != b->class) return a->class > b->class;
    return a->n < b->n || (a->n == b->n && a->arrived < b->arrived);
}

static bool waited_longer(const ingle_want *a, const ingle_want *b)
{
    return a->served < b->served || (a->served == b->served && older(a, b));
}

/* The first of those not seen yet. */
static ingle_want *first(rules *r, bool decoding, bool hidden, before_fn *before)
{
    ingle_want *best = NULL;
    for (size_t i = 0; i < r->n; i++) {
        ingle_want *w = &r->wants[i];
        if (r->seen[i] || w->decoding != decoding || (hidden && !w->hidden)) continue;
        if (!best || before(w, best)) best = w;
    }
    return best;
}

static bool is_kept_within(rules *r, ingle_want *w, size_t take, double limit)
{
    size_t had = w->take;
    w->take = take;
    bool kept = seconds(r) <= limit && n_tokens(r) <= r->limits->n_batch;
    w->take = had;
    return kept;
}

/* The largest piece, none below `low` tokens but what ends; from 64 tokens on it ends on a multiple
 * of 32 if it need not end where it does. */
static size_t largest(rules *r, ingle_want *w, size_t low, double limit)
{
    size_t end = w->whole ? w->n : least(w->n, w->cut);
    low = w->whole ? end : least(low, end);
    for (size_t take = end; take >= low; take--) {
        if (!is_kept_within(r, w, take, limit)) continue;
        if (take < 64 || take == end) return take;
        while ((w->pos + take) % 32) take--;
        return take;
    }
    return 0;
}

static void chains(rules *r, size_t reserve, double limit)
{
    memset(r->seen, 0, sizeof r->seen);
    for (ingle_want *w; (w = first(r, true, false, waited_longer));) {
        r->seen[w - r->wants] = true;
        if (w->take != 1 || n_tokens(r) + w->n - 1 + reserve > r->limits->n_batch) continue;
        if (is_kept_within(r, w, w->n, limit)) w->take = w->n;
    }
}

static ingle_shape by_the_rules(rules *r)
{
    const ingle_schedule_limits *l = r->limits;
    memset(r->seen, 0, sizeof r->seen);
    ingle_want *oldest = first(r, false, false, older), *hidden = first(r, false, true, older);
    ingle_want *due = first(r, true, false, waited_longer);
    size_t granted = 0;
    if (oldest && oldest->whole) granted = oldest->n;
    else if (oldest) granted = least(least(oldest->n, oldest->cut), least(8, (l->n_batch + 1) / 2));
    if (oldest && due && (l->n_seqs == 1 || granted == l->n_batch) && oldest->served > due->served)
        granted = 0;
    for (ingle_want *w; (w = first(r, true, false, waited_longer));) {
        r->seen[w - r->wants] = true;
        w->take = n_seats(r) + (granted > 0) < l->n_seqs && n_tokens(r) + granted < l->n_batch;
    }
    double budget = due ? fmax(l->step_s, 2 * seconds(r)) : 5 * l->step_s;
    budget = fmin(budget, l->most_s);
    if (granted) {
        chains(r, granted, budget / 2);
        size_t take = largest(r, oldest, 8, (seconds(r) + budget) / 2);
        oldest->take = take ? take : granted;
    }
    size_t low = 2;
    memset(r->seen, 0, sizeof r->seen);
    for (ingle_want *w; (w = first(r, false, false, shorter));) {
        r->seen[w - r->wants] = true;
        if (w == oldest || (w->hidden && w->pooling != hidden->pooling)) continue;
        if (n_seats(r) < l->n_seqs) w->take = largest(r, w, low, budget);
        if (w->take) low = 8; /* the shortest gets any piece but a single token */
    }
    if (granted) {
        size_t take = largest(r, oldest, 8, budget);
        if (take > oldest->take) oldest->take = take;
    }
    chains(r, 0, budget);
    return shape_of(r->wants, r->n);
}

/* ---- random wants ---- */

static ingle_want draw_want(size_t n_batch)
{
    ingle_want w = {.class = (int)draw(3),
                    .decoding = draw(2) == 0,
                    .rows = (ingle_rows)draw(3),
                    .pos = draw(3) ? draw(300) : 32 * draw(500),
                    .cut = draw(3) ? SIZE_MAX : 1 + draw(200),
                    .arrived = (double)draw(6),
                    .served = draw(4)};
    w.n = w.decoding ? 1 + draw(2) * draw(9) : 1 + draw(draw(3) ? 100 : 2000);
    w.hidden = !w.decoding && draw(3) == 0;
    w.pooling = (int)draw(2);
    w.whole = w.hidden && draw(2);
    if (w.whole && w.n > n_batch) w.n = 1 + draw(n_batch);
    return w;
}

static void draw_model(ingle_cost_model *m, size_t n_batch)
{
    ingle_cost_init(m, n_batch, &second_guess);
    for (size_t i = draw(20); i > 0; i--) {
        size_t n = 1 + draw(n_batch);
        ingle_step_times t = {.body = (double)(n + draw(20)) * 1e-3, .attend = 1e-3, .rows = 1e-3};
        ingle_cost_learn(m, &(ingle_shape){n, 1, 1000, 1000}, &t);
    }
}

/* What holds of any step. */
static void check_step(const ingle_want *wants, size_t n, const ingle_schedule_limits *l,
                       const ingle_shape *shape)
{
    ingle_shape sum = shape_of(wants, n);
    size_t seats = 0;
    int pooling = -1;
    assert_true(sum.n_tokens == shape->n_tokens && sum.n_rows == shape->n_rows);
    assert_true(sum.few == shape->few && sum.many == shape->many);
    assert_true(sum.n_tokens <= l->n_batch && (sum.n_tokens > 0) == (n > 0));
    for (size_t i = 0; i < n; i++) {
        const ingle_want *w = &wants[i];
        if (!w->take) continue;
        seats++;
        assert_true(w->take <= w->n);
        if (w->decoding) assert_true(w->take == 1 || w->take == w->n);
        else assert_true(w->whole ? w->take == w->n : w->take <= w->cut);
        if (w->hidden && pooling >= 0) assert_int_equal(w->pooling, pooling);
        if (w->hidden) pooling = w->pooling;
    }
    assert_true(seats <= l->n_seqs);
}

static void test_by_the_rules(void **state)
{
    (void)state;
    for (uint32_t k = 0; k < 10000; k++) {
        ingle_want wants[MOST_WANTS], same[MOST_WANTS];
        size_t order[MOST_WANTS], n = draw(MOST_WANTS + 1), n_batch;
        ingle_cost_model m;
        seed = k;
        n_batch = draw(4) ? 1 + draw(400) : 1 + draw(20);
        draw_model(&m, n_batch);
        for (size_t i = 0; i < n; i++) same[i] = wants[i] = draw_want(n_batch);
        for (size_t i = 0; i < n; i++) wants[i].take = 77; /* whatever was there */
        ingle_schedule_limits l = {.n_batch = n_batch,
                                   .n_seqs = 1 + draw(8),
                                   .step_s = draw(3) ? 0.2 : 0.05,
                                   .most_s = draw(3) ? INFINITY : 0.15};
        rules r = {.model = &m, .wants = same, .n = n, .limits = &l};
        ingle_shape expected = by_the_rules(&r);
        ingle_shape shape = ingle_schedule(&m, wants, n, &l, order);
        for (size_t i = 0; i < n; i++) assert_int_equal(wants[i].take, same[i].take);
        assert_true(shape.n_tokens == expected.n_tokens);
        check_step(wants, n, &l, &shape);
    }
}

/* ---- cases ---- */

static ingle_cost_model model;
static ingle_want wants[MANY];
static size_t order[MANY];

static const ingle_schedule_limits usual = {
    .n_batch = 512, .n_seqs = 16, .step_s = 0.2, .most_s = INFINITY};

static ingle_want prompt(size_t n, double arrived)
{
    return (ingle_want){.class = INGLE_CLASS_NORMAL, .n = n, .cut = SIZE_MAX, .arrived = arrived};
}

static ingle_want decoding(size_t n, uint64_t served)
{
    return (ingle_want){.class = INGLE_CLASS_NORMAL,
                        .decoding = true,
                        .rows = INGLE_ROWS_ALL,
                        .n = n,
                        .pos = 100,
                        .cut = SIZE_MAX,
                        .served = served};
}

static double schedule(size_t n, const ingle_schedule_limits *l)
{
    ingle_shape shape = ingle_schedule(&model, wants, n, l, order);
    check_step(wants, n, l, &shape);
    return ingle_cost_predict(&model, &shape);
}

static void test_nobody(void **state)
{
    (void)state;
    assert_true(schedule(0, &usual) == 0);
}

/* B175: decoding sequences ride while a prompt is read, in pieces that keep to the budget. */
static void test_beside(void **state)
{
    ingle_schedule_limits l = usual;
    (void)state;
    l.step_s = 0.4;
    for (size_t i = 0; i < 4; i++) wants[i] = decoding(1, i);
    wants[4] = prompt(16000, 0);
    double t = schedule(5, &l);
    for (size_t i = 0; i < 4; i++) assert_int_equal(wants[i].take, 1);
    assert_true(wants[4].take >= 64 && wants[4].take % 32 == 0);
    assert_true(t <= 0.4 / 1.15 && t > 0.2 / 1.15);
    wants[4].pos = 1000; /* 24 tokens bring it to a page's end */
    schedule(5, &l);
    assert_true(wants[4].take > 32 && wants[4].take % 32 == 24);
    wants[4].cut = 13;
    schedule(5, &l);
    assert_int_equal(wants[4].take, 13);
    schedule(4, &l); /* the prompt is gone */
    for (size_t i = 0; i < 4; i++) assert_int_equal(wants[i].take, 1);
    wants[0] = prompt(16000, 0); /* nobody waits for a token */
    assert_true(schedule(1, &usual) <= 1 / 1.15 && wants[0].take > 128);
}

/* A short prompt goes before a long one that is older; the oldest of the highest class has a seat
 * in any case. */
static void test_overtaking(void **state)
{
    ingle_schedule_limits l = usual;
    (void)state;
    wants[0] = prompt(16000, 0);
    wants[1] = prompt(9000, 1);
    wants[2] = prompt(20, 2);
    schedule(3, &l);
    assert_true(wants[0].take > 64 && wants[1].take > 64 && wants[2].take == 20);
    l.n_seqs = 2;
    schedule(3, &l);
    assert_true(wants[0].take > 64 && !wants[1].take && wants[2].take == 20);
    wants[1].class = INGLE_CLASS_HIGH;
    schedule(3, &l);
    assert_true(!wants[0].take && wants[1].take > 64 && wants[2].take == 20);
}

/* Where a step beside decoding has time for few tokens, the oldest gets 8 of them and the
 * shortest the others. */
static void test_slow_machine(void **state)
{
    ingle_schedule_limits l = usual;
    (void)state;
    l.step_s = 0.05; /* twice the step of one token counts: 14 more take as long again */
    wants[0] = decoding(1, 0);
    wants[1] = prompt(16000, 0);
    wants[2] = prompt(9000, 1);
    wants[3] = prompt(20, 2);
    schedule(4, &l);
    assert_true(wants[0].take == 1 && wants[1].take == 8 && !wants[2].take && wants[3].take == 6);
}

/* One seat: a decoding sequence and a prompt take turns. */
static void test_one_seat(void **state)
{
    ingle_schedule_limits one = usual;
    (void)state;
    one.n_seqs = 1;
    wants[0] = prompt(16000, 0);
    wants[1] = decoding(1, 0);
    wants[2] = decoding(1, 0);
    size_t n[3] = {0};
    for (uint64_t step = 1; step <= 30; step++) {
        schedule(3, &one);
        for (size_t i = 0; i < 3; i++)
            if (wants[i].take) wants[i].served = step, n[i]++;
    }
    for (size_t i = 0; i < 3; i++) assert_int_equal(n[i], 10);
}

/* More decoding sequences than seats: each of them rides as often as the others, B176. */
static void test_turns(void **state)
{
    ingle_schedule_limits l = usual;
    size_t n[10] = {0};
    (void)state;
    l.n_seqs = 4;
    for (size_t i = 0; i < 9; i++) wants[i] = decoding(1, 0);
    wants[9] = prompt(16000, 0);
    for (uint64_t step = 1; step <= 60; step++) {
        schedule(10, &l);
        for (size_t i = 0; i < 10; i++)
            if (wants[i].take) wants[i].served = step, n[i]++;
    }
    for (size_t i = 0; i < 9; i++) assert_int_equal(n[i], 20);
    assert_int_equal(n[9], 60);
}

/* Proposed tokens go first when room or time is short. */
static void test_chains(void **state)
{
    ingle_schedule_limits l = usual;
    (void)state;
    for (size_t i = 0; i < 4; i++) wants[i] = decoding(5, 4 - i);
    schedule(4, &l);
    for (size_t i = 0; i < 4; i++) assert_int_equal(wants[i].take, 5);
    l.n_batch = 12;
    schedule(4, &l);
    assert_true(wants[3].take == 5 && wants[2].take == 5); /* served least recently */
    assert_true(wants[1].take == 1 && wants[0].take == 1);
    l = usual;
    l.most_s = 0.01; /* another engine waits */
    schedule(4, &l);
    for (size_t i = 0; i < 4; i++) assert_int_equal(wants[i].take, 1);
    wants[4] = prompt(16000, 0);
    schedule(5, &l);
    for (size_t i = 0; i < 4; i++) assert_int_equal(wants[i].take, 1);
    assert_int_equal(wants[4].take, 8);
}

/* Texts to embed share the step with generation; texts of another pooling wait. */
static void test_texts(void **state)
{
    (void)state;
    wants[0] = decoding(1, 0);
    for (size_t i = 1; i < 4; i++) {
        wants[i] = prompt(10, (double)i);
        wants[i].hidden = true;
        wants[i].pooling = i == 2 ? 7 : 5;
    }
    schedule(4, &usual);
    assert_true(wants[0].take == 1 && wants[1].take == 10 && wants[3].take == 10);
    assert_int_equal(wants[2].take, 0);
    for (size_t i = 0; i < 4; i++) { /* an encoder's: whole, as many as the time is for */
        wants[i] = prompt(200, -(double)i);
        wants[i].hidden = wants[i].whole = true;
    }
    wants[3].n = 512;
    schedule(4, &usual);
    assert_int_equal(wants[3].take, 512); /* the oldest, whatever it takes */
    for (size_t i = 0; i < 3; i++) assert_int_equal(wants[i].take, 0);
    schedule(3, &usual);
    assert_true(wants[2].take == 200 && wants[0].take + wants[1].take <= 200);
}

/* A long list costs no more memory, and most of it no more than a look. */
static void test_long_list(void **state)
{
    (void)state;
    seed = 5;
    for (size_t i = 0; i < MANY; i++) wants[i] = draw_want(512);
    schedule(MANY, &usual);
    for (size_t i = 0; i < MANY; i++) wants[i] = prompt(512, (double)(MANY - i));
    schedule(MANY, &usual);
    assert_true(wants[MANY - 1].take > 0);
}

static void test_class(void **state)
{
    (void)state;
    assert_int_equal(ingle_class_at(INGLE_CLASS_LOW, 5, 14.9), INGLE_CLASS_LOW);
    assert_int_equal(ingle_class_at(INGLE_CLASS_LOW, 5, 15), INGLE_CLASS_NORMAL);
    assert_int_equal(ingle_class_at(INGLE_CLASS_LOW, 5, 25), INGLE_CLASS_HIGH);
    assert_int_equal(ingle_class_at(INGLE_CLASS_LOW, 5, 1e300), INGLE_CLASS_HIGH);
    assert_int_equal(ingle_class_at(INGLE_CLASS_HIGH, 5, 6), INGLE_CLASS_HIGH);
    assert_int_equal(ingle_class_at(INGLE_CLASS_NORMAL, 5, 4), INGLE_CLASS_NORMAL);
}

static int setup(void **state)
{
    (void)state;
    ingle_cost_init(&model, 512, &second_guess);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_the_rules), cmocka_unit_test(test_nobody),
        cmocka_unit_test(test_beside),       cmocka_unit_test(test_overtaking),
        cmocka_unit_test(test_slow_machine), cmocka_unit_test(test_one_seat),
        cmocka_unit_test(test_turns),        cmocka_unit_test(test_chains),
        cmocka_unit_test(test_texts),        cmocka_unit_test(test_long_list),
        cmocka_unit_test(test_class),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
