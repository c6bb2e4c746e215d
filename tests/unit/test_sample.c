/* test_sample.c - the sampler: options and their refusals, every stage against a plain definition
 * on random logits, the generator against published values, draws, histories, and what must never
 * happen. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sample/sampler.h"
/* after the others */
#include "must.h"

static uint32_t state = 7;

static uint32_t roll(uint32_t n)
{
    state = state * 1664525u + 1013904223u;
    return (uint32_t)(((uint64_t)(state >> 4) * n) >> 28);
}

static float uniform(float low, float high)
{
    return low + (high - low) * (float)roll(1 << 24) * 0x1p-24f;
}

/* Everything off but what a test switches on. */
static ingle_sampler_options neutral(void)
{
    ingle_sampler_options o;
    ingle_sampler_options_init(&o);
    o.temperature = 1;
    o.top_k = 0;
    o.top_p = 1;
    o.min_p = 0;
    return o;
}

static ingle_sampler *open_with(const ingle_sampler_options *o, int32_t n_vocab)
{
    ingle_sampler *s;
    ingle_error err = {""};
    if (ingle_sampler_new(&s, o, n_vocab, NULL, 0, &err) != INGLE_OK) fail_msg("%s", err.text);
    must(ingle_sampler_own_scratch(s, &err), &err);
    return s;
}

static size_t apply(ingle_sampler *s, const float *logits, const ingle_candidate **cand)
{
    size_t n;
    ingle_error err = {""};
    if (ingle_sampler_apply(s, logits, cand, &n, &err) != INGLE_OK) fail_msg("%s", err.text);
    return n;
}

static int32_t sample(ingle_sampler *s, const float *logits)
{
    ingle_candidate c;
    ingle_error err = {""};
    if (ingle_sampler_sample(s, logits, &c, &err) != INGLE_OK) fail_msg("%s", err.text);
    return c.token;
}

static void accept_all(ingle_sampler *s, const int32_t *tokens, size_t n)
{
    for (size_t i = 0; i < n; i++)
        assert_int_equal(ingle_sampler_accept(s, tokens[i], NULL), INGLE_OK);
}

/* ---- options --------------------------------------------------------------------------------- */

static void refused(const ingle_sampler_options *o, const char *word)
{
    ingle_sampler *s = (ingle_sampler *)&s;
    ingle_error err = {""};
    assert_int_equal(ingle_sampler_new(&s, o, 100, NULL, 0, &err), INGLE_EINVAL);
    assert_null(s);
    if (!strstr(err.text, word)) fail_msg("'%s' does not name %s", err.text, word);
}

static void test_defaults(void **unused)
{
    (void)unused;
    ingle_sampler_options o;
    ingle_sampler_options_init(&o);
    assert_int_equal(o.size, sizeof o);
    assert_true(o.temperature == 0.8f && o.top_p == 0.95f && o.min_p == 0.05f && o.typical_p == 1);
    assert_true(o.top_n_sigma == -1 && o.repeat_penalty == 1 && o.dry_base == 1.75f);
    assert_true(o.seed == 1234 && o.top_k == 40 && o.penalty_last_n == 64 && o.dry_last_n == -1);
    assert_int_equal(o.n_dry_breakers, 4);
    assert_string_equal(o.dry_breakers[0], "\n");
    assert_string_equal(o.dry_breakers[2], "\"");
    ingle_sampler *s = open_with(NULL, 100);
    ingle_sampler_close(&s);
    assert_null(s);
    ingle_sampler_close(&s);
    ingle_sampler_close(NULL);
}

#define REFUSE_REAL(field, low, high)                                                              \
    do {                                                                                           \
        const float bad[] = {NAN, INFINITY, -INFINITY, low, high};                                 \
        for (size_t i = 0; i < 5; i++) {                                                           \
            ingle_sampler_options o = neutral();                                                   \
            o.field = bad[i];                                                                      \
            refused(&o, #field);                                                                   \
        }                                                                                          \
    } while (0)

#define REFUSE_INT(field, low, high)                                                               \
    do {                                                                                           \
        const int32_t bad[] = {low, high};                                                         \
        for (size_t i = 0; i < 2; i++) {                                                           \
            ingle_sampler_options o = neutral();                                                   \
            o.field = bad[i];                                                                      \
            refused(&o, #field);                                                                   \
        }                                                                                          \
    } while (0)

static void test_ranges(void **unused)
{
    (void)unused;
    REFUSE_REAL(temperature, -0.1f, 1001);
    REFUSE_REAL(temperature, 1e-30f, -1);
    REFUSE_REAL(dynatemp_range, -0.1f, 1001);
    REFUSE_REAL(dynatemp_exponent, -0.1f, 101);
    REFUSE_REAL(top_p, -0.1f, 1.01f);
    REFUSE_REAL(min_p, -0.1f, 1.01f);
    REFUSE_REAL(typical_p, -0.1f, 1.01f);
    REFUSE_REAL(top_n_sigma, -0.5f, 1001);
    REFUSE_REAL(xtc_probability, -0.1f, 1.01f);
    REFUSE_REAL(xtc_threshold, -0.1f, 1.01f);
    REFUSE_REAL(repeat_penalty, 0, 101);
    REFUSE_REAL(frequency_penalty, -101, 101);
    REFUSE_REAL(presence_penalty, -101, 101);
    REFUSE_REAL(dry_multiplier, -0.1f, 1001);
    REFUSE_REAL(dry_base, 0.9f, 1001);
    REFUSE_REAL(mirostat_tau, -0.1f, 101);
    REFUSE_REAL(mirostat_eta, -0.1f, 1.1f);
    REFUSE_REAL(adaptive_target, -0.1f, 1.1f);
    REFUSE_REAL(adaptive_decay, -0.1f, 1);
    REFUSE_INT(top_k, -1, INT32_MIN);
    REFUSE_INT(min_keep, -1, INT32_MIN);
    REFUSE_INT(penalty_last_n, -2, INT32_MAX);
    REFUSE_INT(dry_last_n, -2, INT32_MAX);
    REFUSE_INT(dry_allowed_length, -1, INT32_MIN);
    REFUSE_INT(mirostat, -1, 3);
    ingle_sampler_options o = neutral();
    o.size = 0;
    refused(&o, "size");
    o.size = sizeof o + 8;
    refused(&o, "size");
    o.size = offsetof(ingle_sampler_options, top_p); /* an older caller: the rest are defaults */
    o.top_p = NAN;
    ingle_sampler *s = open_with(&o, 100);
    assert_true(s->opt.top_p == 0.95f);
    ingle_sampler_close(&s);
    ingle_error err;
    assert_int_equal(ingle_sampler_new(&s, NULL, 0, NULL, 0, &err), INGLE_EINVAL);
    assert_non_null(strstr(err.text, "n_vocab"));
    assert_int_equal(ingle_sampler_new(&s, NULL, INT32_MAX, NULL, 0, &err), INGLE_EINVAL);
}

/* The formulas of ingle_sample_adaptive(), worked out by hand for probabilities 0.5, 0.3 and 0.2. */
static float adaptive_logit(float p, float target)
{
    float d = fabsf(p - target) / 0.3f;
    return 5 - 10 * d * d / (1 + d);
}

static void test_adaptive(void **unused)
{
    (void)unused;
    const float p[] = {0.5f, 0.3f, 0.2f}, logits[] = {logf(0.5f), logf(0.3f), logf(0.2f)};
    const ingle_candidate *cand;
    ingle_candidate drawn;
    ingle_error err;
    size_t n;
    double sum = 0, weight = 0;
    ingle_sampler_options o = neutral();
    o.temperature = 1;
    o.adaptive_target = 0.3f;
    o.adaptive_decay = 0.5f;
    ingle_sampler *s = open_with(&o, 3);
    must(ingle_sampler_apply(s, logits, &cand, &n, &err), &err);
    assert_int_equal(n, 3);
    const float first[] = {5, 4.1666667f, 2.3333333f}; /* best first: tokens 1, 2, 0 */
    for (size_t i = 0; i < 3; i++) assert_float_equal(cand[i].logit, first[i], 1e-5);
    assert_int_equal(cand[0].token, 1);
    sum = 0.3 * 2, weight = 2; /* as if the target had been drawn for ever */
    for (int step = 0; step < 20; step++) {
        must(ingle_sampler_sample(s, logits, &drawn, &err), &err);
        float target = (float)(2 * 0.3 - sum / weight);
        target = target < 0 ? 0 : target > 1 ? 1 : target;
        assert_float_equal(drawn.logit, adaptive_logit(p[drawn.token], target), 1e-4);
        sum = (double)p[drawn.token] + 0.5 * sum, weight = 1 + 0.5 * weight;
    }
    must(ingle_sampler_reset(s, &err), &err);
    must(ingle_sampler_apply(s, logits, &cand, &n, &err), &err);
    assert_float_equal(cand[0].logit, 5, 1e-5); /* forgotten */
    ingle_sampler_close(&s);
    o.mirostat = 2;
    refused(&o, "adaptive_target");
    o.mirostat = 0;
    o.temperature = 0; /* greedy, whatever else is set */
    s = open_with(&o, 3);
    must(ingle_sampler_sample(s, logits, &drawn, &err), &err);
    assert_int_equal(drawn.token, 0);
    ingle_sampler_close(&s);
}

static void test_refused_arrays(void **unused)
{
    (void)unused;
    ingle_sampler_options o = neutral();
    ingle_logit_bias bias = {100, 1};
    o.n_logit_bias = 1;
    refused(&o, "logit_bias");
    o.logit_bias = &bias;
    refused(&o, "token 100");
    bias = (ingle_logit_bias){-1, 1};
    refused(&o, "token -1");
    bias = (ingle_logit_bias){3, NAN};
    refused(&o, "logit_bias of token 3");
    bias = (ingle_logit_bias){3, INFINITY};
    refused(&o, "logit_bias of token 3");
    o = neutral();
    o.dry_breakers = NULL;
    refused(&o, "dry_breakers");

    ingle_sampler *s;
    ingle_error err;
    int32_t tokens[65] = {0};
    ingle_breaker breaker[2] = {{tokens, 1}, {tokens, 65}};
    o = neutral();
    o.dry_multiplier = 1;
    assert_int_equal(ingle_sampler_new(&s, &o, 100, breaker, 2, &err), INGLE_EINVAL);
    assert_non_null(strstr(err.text, "breaker 1"));
    tokens[3] = 100;
    breaker[1].n = 4;
    assert_int_equal(ingle_sampler_new(&s, &o, 100, breaker, 2, &err), INGLE_EINVAL);
    assert_non_null(strstr(err.text, "token 100"));
    assert_int_equal(ingle_sampler_new(&s, &o, 100, NULL, 2, &err), INGLE_EINVAL);
}

static void test_order(void **unused)
{
    (void)unused;
    ingle_sampler_options o = neutral();
    o.order = "top_k;softmax;top_p";
    refused(&o, "'softmax'");
    o.order = "top_k;min_p;top_k";
    refused(&o, "'top_k' appears twice");
    o.order = "top_k;;min_p";
    refused(&o, "''");
    o.order = "top_k;";
    refused(&o, "''");
    o.order = "top_k, min_p";
    refused(&o, "'top_k, min_p'");
    o.order = "xtc;temperature;min_p;top_p;typical_p;top_k;top_n_sigma;dry;penalties";
    ingle_sampler *s = open_with(&o, 100);
    ingle_sampler_close(&s);

    /* p = 8/15 4/15 2/15 1/15: top_k 2 then min_p 0.4 leaves two, and so does the other way; top_p
     * 0.6 differs */
    const float logits[4] = {0, logf(2), logf(4), logf(8)};
    const ingle_candidate *cand;
    o = neutral();
    o.top_k = 2;
    o.top_p = 0.6f;
    o.order = "top_k;top_p";
    s = open_with(&o, 4);
    assert_int_equal(apply(s, logits, &cand), 1); /* of 2/3, 1/3 the first alone has 0.6 */
    ingle_sampler_close(&s);
    o.order = "top_p;top_k";
    s = open_with(&o, 4);
    assert_int_equal(apply(s, logits, &cand), 2); /* 8/15 is less than 0.6 */
    assert_int_equal(cand[0].token, 3);
    assert_int_equal(cand[1].token, 2);
    ingle_sampler_close(&s);
    o.order = ""; /* no stage at all */
    s = open_with(&o, 4);
    assert_int_equal(apply(s, logits, &cand), 4);
    assert_true(fabs((double)cand[3].prob - 8.0 / 15) < 1e-6);
    ingle_sampler_close(&s);
}

/* ---- bad rows and bans ----------------------------------------------------------------------- */

static void test_bad_logits(void **unused)
{
    (void)unused;
    float logits[40] = {0};
    const ingle_candidate *cand;
    ingle_candidate one;
    ingle_error err;
    size_t n;
    ingle_sampler *s = open_with(NULL, 40);
    logits[17] = NAN;
    assert_int_equal(ingle_sampler_sample(s, logits, &one, &err), INGLE_EFORMAT);
    assert_string_equal(err.text, "logit of token 17 is NaN");
    logits[17] = INFINITY;
    assert_int_equal(ingle_sampler_apply(s, logits, &cand, &n, &err), INGLE_EFORMAT);
    assert_string_equal(err.text, "logit of token 17 is infinite");
    for (size_t i = 0; i < 40; i++) logits[i] = -INFINITY;
    assert_int_equal(ingle_sampler_sample(s, logits, &one, &err), INGLE_EINVAL);
    assert_non_null(strstr(err.text, "no token is left"));
    logits[39] = -1e30f;
    for (int i = 0; i < 20; i++) assert_int_equal(sample(s, logits), 39);
    assert_int_equal(ingle_sampler_sample(s, NULL, &one, &err), INGLE_EINVAL);
    assert_int_equal(ingle_sampler_sample(NULL, logits, &one, &err), INGLE_ECLOSED);
    assert_int_equal(ingle_sampler_apply(NULL, logits, &cand, &n, &err), INGLE_ECLOSED);
    assert_int_equal(ingle_sampler_accept(NULL, 0, &err), INGLE_ECLOSED);
    assert_int_equal(ingle_sampler_reset(NULL, &err), INGLE_ECLOSED);
    assert_int_equal(ingle_sampler_ban(NULL, NULL, 0, &err), INGLE_ECLOSED);
    assert_int_equal(ingle_sampler_accept(s, 40, &err), INGLE_EINVAL);
    assert_non_null(strstr(err.text, "token 40"));
    assert_int_equal(ingle_sampler_accept(s, -1, &err), INGLE_EINVAL);
    ingle_sampler_close(&s);
}

static void test_ban(void **unused)
{
    (void)unused;
    const float logits[3] = {5, 1, 0};
    const int32_t first[] = {0}, all[] = {0, 1, 2}, outside[] = {1, 3};
    ingle_candidate one;
    ingle_error err;
    ingle_sampler_options o = neutral();
    o.temperature = 0;
    ingle_sampler *s = open_with(&o, 3);
    assert_int_equal(sample(s, logits), 0);
    assert_int_equal(ingle_sampler_ban(s, first, 1, &err), INGLE_OK);
    assert_int_equal(sample(s, logits), 1);
    assert_int_equal(ingle_sampler_ban(s, outside, 2, &err), INGLE_EINVAL);
    assert_non_null(strstr(err.text, "banned token 3"));
    assert_int_equal(sample(s, logits), 1); /* the refused list changed nothing */
    assert_int_equal(ingle_sampler_ban(s, all, 3, &err), INGLE_OK);
    assert_int_equal(ingle_sampler_sample(s, logits, &one, &err), INGLE_EINVAL);
    assert_int_equal(ingle_sampler_ban(s, NULL, 0, &err), INGLE_OK);
    assert_int_equal(sample(s, logits), 0);
    ingle_sampler_close(&s);
}

static void test_bias(void **unused)
{
    (void)unused;
    const float logits[4] = {1, 2, 3, 4};
    const ingle_logit_bias bias[] = {{0, 2.5f}, {3, -INFINITY}, {0, 1}, {3, 100}};
    const ingle_candidate *cand;
    ingle_sampler_options o = neutral();
    o.logit_bias = bias;
    o.n_logit_bias = 4;
    o.top_k = 2; /* after the bias */
    ingle_sampler *s = open_with(&o, 4);
    assert_int_equal(apply(s, logits, &cand), 2);
    assert_int_equal(cand[0].token, 0);
    assert_true(cand[0].logit == 4.5f);
    assert_int_equal(cand[1].token, 2);
    ingle_sampler_close(&s);
}

/* ---- greedy ---------------------------------------------------------------------------------- */

static void test_greedy(void **unused)
{
    (void)unused;
    float logits[1000];
    for (size_t i = 0; i < 1000; i++) logits[i] = uniform(-5, 5);
    logits[300] = logits[700] = 7;
    ingle_sampler_options o = neutral();
    o.temperature = 0;
    o.dynatemp_range = 2;
    o.xtc_probability = 1;
    o.xtc_threshold = 0;
    o.typical_p = 0.01f;
    o.mirostat = 2;
    ingle_candidate c;
    ingle_sampler *s = open_with(&o, 1000);
    assert_int_equal(ingle_sampler_sample(s, logits, &c, NULL), INGLE_OK);
    assert_int_equal(c.token, 300);
    assert_true(c.logit == 7 && c.prob == 1);
    logits[300] = -0.0f;
    for (size_t i = 0; i < 1000; i++)
        logits[i] = i == 300 ? -0.0f : i == 100 || i > 300 ? 0.0f : -1;
    assert_int_equal(sample(s, logits), 100);
    logits[100] = -1;
    assert_int_equal(sample(s, logits), 300); /* -0 ties with 0 */
    ingle_sampler_close(&s);
    o.presence_penalty = 10; /* penalties still count */
    s = open_with(&o, 1000);
    const int32_t said[] = {300, 301};
    accept_all(s, said, 2);
    assert_int_equal(sample(s, logits), 302);
    ingle_sampler_close(&s);
}

/* ---- filters against their definition ---------------------------------------------------------
 */

typedef struct plain {
    int32_t token;
    double logit, p, score;
} plain;

static int by_score(const void *a, const void *b)
{
    const plain *x = a, *y = b;
    if (x->score != y->score) return x->score < y->score ? 1 : -1;
    return (x->token > y->token) - (x->token < y->token);
}

/* The tokens that are not banned, with probabilities, best first; scored by logit. */
static size_t plain_row(plain *c, const float *logits, size_t n_vocab)
{
    double max = -INFINITY, sum = 0;
    size_t n = 0;
    for (size_t i = 0; i < n_vocab; i++) max = fmax(max, (double)logits[i]);
    for (size_t i = 0; i < n_vocab; i++) {
        if (!(logits[i] > -INFINITY)) continue;
        double l = (double)logits[i] + 0.0;
        c[n++] = (plain){(int32_t)i, l, exp(l - max), l};
    }
    for (size_t i = 0; i < n; i++) sum += c[i].p;
    for (size_t i = 0; i < n; i++) c[i].p /= sum;
    qsort(c, n, sizeof *c, by_score);
    return n;
}

/* The shortest run from the front with a mass of p (more, if strict) and at least min_keep. *near:
 * rounding may move it. */
static size_t plain_mass(const plain *c, size_t n, double p, bool strict, size_t min_keep,
                         bool *near)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += c[i].p;
        if (fabs(sum - p) < 1e-5 * c[i].p + 1e-7) *near = true;
        if ((strict ? sum > p : sum >= p) && i + 1 >= min_keep) return i + 1;
    }
    return n;
}

/* Several shapes: flat, peaked, with many equal logits, ordered, with banned tokens. */
static void random_row(float *logits, size_t n, int shape)
{
    for (size_t i = 0; i < n; i++) {
        logits[i] = uniform(-4, 4);
        if (shape % 5 == 1) logits[i] = 30 * logits[i];
        if (shape % 5 == 2) logits[i] = (float)(int)roll(6);
        if (shape % 5 == 3) logits[i] = (float)i * 0.01f;
        if (shape % 5 == 4) logits[i] = -(float)i * 0.01f;
        if (shape % 7 == 3 && roll(3) == 0) logits[i] = -INFINITY;
    }
    if (!(logits[n / 2] > -INFINITY)) logits[n / 2] = 1;
}

static const size_t sizes[] = {1, 2, 15, 16, 17, 33, 300, 1024, 5000};

/* Same tokens, as sets; survivors are best first. */
static void same_tokens(const ingle_candidate *cand, size_t n, const plain *c, size_t n_plain)
{
    static uint8_t seen[5000];
    memset(seen, 0, sizeof seen);
    assert_int_equal(n, n_plain);
    for (size_t i = 0; i < n_plain; i++) seen[c[i].token] = 1;
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        if (!seen[cand[i].token]) fail_msg("token %d should be gone", cand[i].token);
        seen[cand[i].token] = 0;
        sum += (double)cand[i].prob;
        if (i) assert_true(cand[i].logit <= cand[i - 1].logit);
    }
    assert_true(fabs(sum - 1) < 1e-5);
}

static void test_top_k(void **unused)
{
    (void)unused;
    static float logits[5000];
    static plain c[5000];
    for (int round = 0; round < 400; round++) {
        size_t n_vocab = sizes[roll(9)];
        ingle_sampler_options o = neutral();
        o.top_k = 1 + (int32_t)roll((uint32_t)(round % 3 ? n_vocab + 2 : 8));
        random_row(logits, n_vocab, round);
        const ingle_candidate *cand;
        ingle_sampler *s = open_with(&o, (int32_t)n_vocab);
        size_t n = apply(s, logits, &cand), m = plain_row(c, logits, n_vocab);
        if (m > (size_t)o.top_k) m = (size_t)o.top_k;
        same_tokens(cand, n, c, m);
        for (size_t i = 0; i < n; i++) assert_int_equal(cand[i].token, c[i].token);
        ingle_sampler_close(&s);
    }
}

static void test_top_p_and_typical(void **unused)
{
    (void)unused;
    static float logits[5000];
    static plain c[5000];
    int compared = 0;
    for (int round = 0; round < 600; round++) {
        size_t n_vocab = sizes[roll(9)], m = 0;
        ingle_sampler_options o = neutral();
        bool typical = round & 1, near = false;
        float p = uniform(0, 1);
        if (typical) o.typical_p = p;
        else o.top_p = p;
        o.min_keep = round % 4 ? 0 : (int32_t)roll(20);
        if (round % 6 == 0) o.top_k = 100; /* also from the sparse form */
        random_row(logits, n_vocab, round / 2);
        m = plain_row(c, logits, n_vocab);
        if (o.top_k && m > 100) {
            double sum = 0;
            m = 100;
            for (size_t i = 0; i < m; i++) sum += c[i].p;
            for (size_t i = 0; i < m; i++) c[i].p /= sum;
        }
        double h = 0;
        for (size_t i = 0; i < m; i++) h -= c[i].p > 0 ? c[i].p * log(c[i].p) : 0;
        if (typical) { /* scores rounded to float, as ties are decided there */
            for (size_t i = 0; i < m; i++) c[i].score = (double)(float)-fabs(-log(c[i].p) - h);
            qsort(c, m, sizeof *c, by_score);
            for (size_t i = 1; i < m; i++)
                near |= c[i].logit != c[i - 1].logit && fabs(c[i].score - c[i - 1].score) < 1e-5;
        }
        m = plain_mass(c, m, (double)p, typical, (size_t)o.min_keep, &near);
        const ingle_candidate *cand;
        ingle_sampler *s = open_with(&o, (int32_t)n_vocab);
        size_t n = apply(s, logits, &cand);
        if (!near) same_tokens(cand, n, c, m), compared++;
        else assert_true(n >= 1);
        ingle_sampler_close(&s);
    }
    assert_true(compared > 300);
}

static void test_min_p_and_sigma(void **unused)
{
    (void)unused;
    static float logits[5000];
    static plain c[5000];
    for (int round = 0; round < 400; round++) {
        size_t n_vocab = sizes[roll(9)], m = 0;
        ingle_sampler_options o = neutral();
        bool sigma = round & 1, near = false;
        random_row(logits, n_vocab, round / 2);
        size_t all = plain_row(c, logits, n_vocab);
        double mean = 0, square = 0, floor;
        for (size_t i = 0; i < all; i++) mean += c[i].logit / (double)all;
        for (size_t i = 0; i < all; i++)
            square += (c[i].logit - mean) * (c[i].logit - mean) / (double)all;
        if (sigma) {
            o.top_n_sigma = uniform(0.1f, 3);
            floor = c[0].logit - (double)o.top_n_sigma * sqrt(square);
        } else {
            o.min_p = uniform(0.001f, 1);
            floor = c[0].logit + log((double)o.min_p);
        }
        o.min_keep = round % 4 < 2 ? 1 : (int32_t)roll(20);
        for (; m < all && (c[m].logit >= floor || m < (size_t)o.min_keep); m++) {}
        for (size_t i = 0; i < all; i++) near |= fabs(c[i].logit - floor) < 1e-4;
        const ingle_candidate *cand;
        ingle_sampler *s = open_with(&o, (int32_t)n_vocab);
        size_t n = apply(s, logits, &cand);
        if (!near) same_tokens(cand, n, c, m);
        ingle_sampler_close(&s);
    }
}

static void test_xtc(void **unused)
{
    (void)unused;
    const float logits[6] = {0, logf(8), logf(2), logf(8), logf(4), -INFINITY}; /* of 23 */
    const ingle_candidate *cand;
    ingle_sampler_options o = neutral();
    o.xtc_probability = 1;
    o.xtc_threshold = 3.0f / 23;
    ingle_sampler *s = open_with(&o, 6);
    assert_int_equal(apply(s, logits, &cand),
                     3); /* 4/23 is the worst above: it and the rest stay */
    assert_int_equal(cand[0].token, 4);
    ingle_sampler_close(&s);
    o.min_keep = 4; /* only three would be left: nothing happens */
    s = open_with(&o, 6);
    assert_int_equal(apply(s, logits, &cand), 5);
    ingle_sampler_close(&s);
    o.min_keep = 1;
    o.xtc_threshold = 0.34f; /* of the two with 8/23 the higher token is the worse */
    s = open_with(&o, 6);
    assert_int_equal(apply(s, logits, &cand), 4);
    assert_int_equal(cand[0].token, 3);
    ingle_sampler_close(&s);
    o.xtc_probability = 0.25f;
    o.top_k = 1000;
    s = open_with(&o, 6);
    int with = 0;
    for (int i = 0; i < 4000; i++) {
        with += apply(s, logits, &cand) == 4;
        sample(s, logits);
    }
    assert_true(abs(with - 1000) < 140); /* five standard deviations */
    ingle_sampler_close(&s);
}

/* ---- temperature ------------------------------------------------------------------------------
 */

static void test_dynamic_temperature(void **unused)
{
    (void)unused;
    const ingle_candidate *cand;
    float flat[8] = {3, 3, 3, 3, 3, 3, 3, 3};
    ingle_sampler_options o = neutral();
    o.dynatemp_range = 0.5f;
    ingle_sampler *s = open_with(&o, 8);
    assert_int_equal(apply(s, flat, &cand), 8); /* largest entropy: temperature 1.5 */
    for (size_t i = 0; i < 8; i++) assert_true(fabs((double)cand[i].logit - 2) < 1e-6);
    float sure[8] = {80, 0, 0, 0, 0, 0, 0, 0};
    apply(s, sure, &cand); /* no entropy: 0.5 */
    assert_true(fabs((double)cand[0].logit - 160) < 1e-3);
    ingle_sampler_close(&s);
    o.dynatemp_range = 1; /* down to 0: greedy */
    s = open_with(&o, 8);
    float surer[8] = {200, 0, 0, 0, 0, 0, 0, 0};
    assert_int_equal(apply(s, surer, &cand), 1);
    assert_int_equal(cand[0].token, 0);
    ingle_sampler_close(&s);
}

/* Whatever finite logits come, probabilities are numbers that sum to 1. */
static void test_extremes(void **unused)
{
    (void)unused;
    static const float wild[] = {3.4e38f, -3.4e38f, 1e-45f, -1e-45f, 0, 88, -88, 1e20f, -1e20f, 1};
    static const float temperatures[] = {1e-20f, 1e-6f, 1, 1000};
    for (int round = 0; round < 2000; round++) {
        float logits[40];
        int32_t said[40];
        for (size_t i = 0; i < 40; i++) {
            logits[i] = wild[roll(10)];
            said[i] = (int32_t)roll(40);
        }
        ingle_sampler_options o = neutral();
        o.temperature = temperatures[roll(4)];
        o.dynatemp_range = roll(2) ? 0 : uniform(0, 2);
        o.typical_p = roll(2) ? 1 : 0.5f;
        o.top_p = roll(2) ? 1 : 0.9f;
        o.top_n_sigma = roll(2) ? -1 : 1;
        o.min_p = roll(2) ? 0 : 0.1f;
        o.xtc_probability = roll(2) ? 0 : 1;
        o.repeat_penalty = roll(2) ? 1 : roll(2) ? 100 : 0.01f;
        o.frequency_penalty = roll(2) ? 0 : -100;
        o.dry_multiplier = roll(2) ? 0 : 1000;
        o.dry_base = 1000;
        o.mirostat = (int)roll(3);
        ingle_sampler *s = open_with(&o, 40);
        accept_all(s, said, 40);
        accept_all(s, said, 40);
        const ingle_candidate *cand;
        size_t n = apply(s, logits, &cand);
        double sum = 0;
        assert_true(n >= 1 && n <= 40);
        for (size_t i = 0; i < n; i++) {
            assert_true(cand[i].prob >= 0 && isfinite(cand[i].logit));
            sum += (double)cand[i].prob;
        }
        assert_true(fabs(sum - 1) < 1e-5);
        ingle_candidate c;
        assert_int_equal(ingle_sampler_sample(s, logits, &c, NULL), INGLE_OK);
        assert_true(c.token >= 0 && c.token < 40 && c.prob > 0 && isfinite(s->mu));
        ingle_sampler_close(&s);
    }
}

/* ---- generator and draw -----------------------------------------------------------------------
 */

static void test_generator(void **unused)
{
    (void)unused;
    /* splitmix64 from 1234567, and xoshiro256** from the state 1 2 3 4: the authors' published
     * values */
    const uint64_t seeded[4] = {6457827717110365317u, 3203168211198807973u, 9817491932198370423u,
                                4593380528125082431u};
    const uint64_t steps[10] = {11520,
                                0,
                                1509978240,
                                1215971899390074240u,
                                1216172134540287360u,
                                607988272756665600u,
                                16172922978634559625u,
                                8476171486693032832u,
                                10595114339597558777u,
                                2904607092377533576u};
    ingle_rng rng;
    ingle_rng_seed(&rng, 1234567);
    assert_memory_equal(rng.s, seeded, sizeof seeded);
    rng = (ingle_rng){{1, 2, 3, 4}};
    for (size_t i = 0; i < 10; i++)
        assert_true(ingle_rng_uniform(&rng) == (double)(steps[i] >> 11) * 0x1p-53);
}

static void test_weight(void **unused)
{
    (void)unused;
    for (float x = 0; x > -87; x -= 0.0137f) {
        double error = fabs((double)ingle_weight(x) / exp((double)x) - 1);
        if (!(error < 0x1p-22)) fail_msg("weight(%g) is off by %g", (double)x, error);
    }
    assert_true(ingle_weight(0) == 1);
    assert_true(ingle_weight(-INFINITY) == 0 && ingle_weight(-1e30f) == 0 &&
                ingle_weight(-87) == 0);
}

static void test_same_inputs_same_draw(void **unused)
{
    (void)unused;
    static float logits[300];
    int32_t first[200];
    random_row(logits, 300, 0);
    ingle_sampler_options o = neutral();
    o.xtc_probability = 0.5f;
    o.presence_penalty = 0.3f;
    o.top_p = 0.9f;
    ingle_sampler *a = open_with(&o, 300), *b = open_with(&o, 300);
    for (int i = 0; i < 200; i++) {
        first[i] = sample(a, logits);
        accept_all(a, &first[i], 1);
    }
    for (int i = 0; i < 200; i++) { /* looking changes nothing; what is drawn was shown */
        const ingle_candidate *cand;
        size_t n = apply(b, logits, &cand), shown = 0;
        for (size_t j = 0; j < n; j++) shown += cand[j].token == first[i];
        assert_int_equal(shown, 1);
        assert_int_equal(sample(b, logits), first[i]);
        accept_all(b, &first[i], 1);
    }
    assert_int_equal(ingle_sampler_reset(a, NULL), INGLE_OK);
    for (int i = 0; i < 200; i++) {
        assert_int_equal(sample(a, logits), first[i]);
        accept_all(a, &first[i], 1);
    }
    ingle_sampler_close(&b);
    o.seed++;
    b = open_with(&o, 300);
    int same = 0;
    for (int i = 0; i < 200; i++) same += sample(b, logits) == first[i];
    assert_true(same < 50);
    ingle_sampler_close(&a);
    ingle_sampler_close(&b);
}

static void test_frequencies(void **unused)
{
    (void)unused;
    const float logits[5] = {logf(1), logf(2), -INFINITY, logf(4), logf(8)};
    const double p[5] = {1.0 / 15, 2.0 / 15, 0, 4.0 / 15, 8.0 / 15};
    for (int sparse = 0; sparse < 2; sparse++) {
        int count[5] = {0}, n = 30000;
        ingle_sampler_options o = neutral();
        o.top_k = sparse ? 5 : 0;
        ingle_sampler *s = open_with(&o, 5);
        for (int i = 0; i < n; i++) count[sample(s, logits)]++;
        for (size_t i = 0; i < 5; i++) /* five standard deviations */
            assert_true(fabs(count[i] - n * p[i]) <= 5 * sqrt(n * p[i] * (1 - p[i])));
        ingle_sampler_close(&s);
    }
}

/* The draw walks in token order: the first token at which the running sum passes u of the total. */
static void test_draw_order(void **unused)
{
    (void)unused;
    static float logits[1000];
    int compared = 0;
    ingle_sampler_options o = neutral();
    for (int round = 0; round < 600; round++) {
        size_t n = round % 3 == 0 ? 64 : round % 3 == 1 ? 130 : 1000;
        random_row(logits, n, round % 2 ? 0 : 3); /* shape 3 bans tokens */
        o.top_k = round % 4 < 2 ? 0 : 1000;
        o.seed = (uint64_t)round;
        ingle_sampler *s = open_with(&o, (int32_t)n);
        double total = 0, sum = 0;
        for (size_t i = 0; i < n; i++) total += exp((double)logits[i]);
        ingle_rng rng = s->rng;
        double target = ingle_rng_uniform(&rng) * total;
        size_t i = 0;
        while (sum + exp((double)logits[i]) <= target) sum += exp((double)logits[i++]);
        bool near =
            target - sum < 1e-5 * total || sum + exp((double)logits[i]) - target < 1e-5 * total;
        if (!near) assert_int_equal(sample(s, logits), i), compared++;
        ingle_sampler_close(&s);
    }
    assert_true(compared > 400);
}

/* Exactly the mass: enough for top-p, not for typical. */
static void test_exact_mass(void **unused)
{
    (void)unused;
    const float logits[4] = {1, 1, 1, 1};
    const ingle_candidate *cand;
    ingle_sampler_options o = neutral();
    o.top_p = 0.5f;
    ingle_sampler *s = open_with(&o, 4);
    assert_int_equal(apply(s, logits, &cand), 2);
    assert_int_equal(cand[0].token, 0);
    assert_int_equal(cand[1].token, 1);
    ingle_sampler_close(&s);
    o.top_p = 1;
    o.typical_p = 0.5f;
    s = open_with(&o, 4);
    assert_int_equal(apply(s, logits, &cand), 3);
    ingle_sampler_close(&s);
}

/* ---- history -----------------------------------------------------------------------------------
 */

static void test_penalties(void **unused)
{
    (void)unused;
    static int32_t said[3000];
    for (int round = 0; round < 60; round++) {
        ingle_sampler_options o = neutral();
        o.penalty_last_n = round % 3 == 0 ? -1 : (int32_t)roll(round % 3 == 1 ? 8 : 1200);
        o.repeat_penalty = 1.3f;
        o.frequency_penalty = 0.2f;
        o.presence_penalty = 0.1f;
        o.top_k = round & 1 ? 50 : 0; /* penalise a sparse list */
        o.order = "top_k;penalties";
        ingle_sampler *s = open_with(&o, 50);
        size_t n = roll(3000);
        for (size_t i = 0; i < n; i++) said[i] = (int32_t)roll(50);
        accept_all(s, said, n);
        float logits[50];
        random_row(logits, 50, 0);
        size_t window =
            o.penalty_last_n < 0 || (size_t)o.penalty_last_n > n ? n : (size_t)o.penalty_last_n;
        const ingle_candidate *cand;
        for (int twice = 0; twice < 2; twice++) {
            assert_int_equal(apply(s, logits, &cand), 50);
            for (size_t i = 0; i < 50; i++) {
                int count = 0;
                for (size_t j = n - window; j < n; j++) count += said[j] == cand[i].token;
                double l = (double)logits[cand[i].token];
                if (count)
                    l = (l <= 0 ? l * (double)o.repeat_penalty : l / (double)o.repeat_penalty) -
                        count * 0.2 - 0.1;
                assert_true(fabs((double)cand[i].logit - l) < 1e-6 * (fabs(l) + count + 5));
            }
        }
        ingle_sampler_close(&s);
    }
}

/* The definition: for every earlier place, how long a run before it equals the end, at most since
 * the last breaker. */
static void plain_dry(const ingle_sampler_options *o, const int32_t *said, size_t n,
                      const ingle_breaker *b, size_t n_b, int *longest, size_t n_vocab)
{
    size_t limit = n, allowed = (size_t)o->dry_allowed_length;
    for (size_t i = 0; i < n_vocab; i++) longest[i] = -1;
    for (size_t start = n; start-- > 0 && limit == n;) {
        size_t len = 0;
        for (size_t k = 0; k < n_b; k++)
            if (b[k].n > len && b[k].n <= n - start &&
                !memcmp(said + start, b[k].tokens, b[k].n * sizeof *said))
                len = b[k].n;
        if (len) limit = n - start - len;
    }
    if (n <= allowed || limit < allowed) return;
    for (size_t at = 1; at < n; at++) { /* said[at] followed said[..at) */
        size_t len = 0;
        while (len < at && len < limit && said[at - 1 - len] == said[n - 1 - len]) len++;
        if (len >= allowed && (int)len > longest[said[at]]) longest[said[at]] = (int)len;
    }
    for (size_t k = 0; k < n_b; k++)
        if (b[k].n == 1) longest[b[k].tokens[0]] = -1;
}

static void test_dry(void **unused)
{
    (void)unused;
    static int32_t said[2500];
    int hits = 0;
    for (int round = 0; round < 500; round++) {
        int32_t n_vocab = 2 + (int32_t)roll(5), tokens[3][3];
        size_t n = roll(round % 50 ? 120 : 2500), n_b = roll(3);
        ingle_breaker b[3];
        for (size_t i = 0; i < n_b; i++) {
            for (size_t j = 0; j < 3; j++) tokens[i][j] = (int32_t)roll((uint32_t)n_vocab);
            b[i] = (ingle_breaker){tokens[i], 1 + roll(3)};
        }
        ingle_sampler_options o = neutral();
        o.dry_multiplier = 0.5f;
        o.dry_base = 1.1f;
        o.dry_allowed_length = (int32_t)roll(4);
        o.dry_last_n = round % 3 ? -1 : (int32_t)roll(100);
        o.order = round & 1 ? "dry" : "top_k;dry";
        o.top_k = 1000;
        ingle_sampler *s;
        assert_int_equal(ingle_sampler_new(&s, &o, n_vocab, b, n_b, NULL), INGLE_OK);
        for (size_t i = 0; i < n; i++) said[i] = (int32_t)roll(roll(4) ? 2 : (uint32_t)n_vocab);
        accept_all(s, said, n);
        size_t window = o.dry_last_n < 0 || (size_t)o.dry_last_n > n ? n : (size_t)o.dry_last_n;
        int longest[8];
        plain_dry(&o, said + n - window, window, b, n_b, longest, (size_t)n_vocab);
        float logits[8] = {0};
        const ingle_candidate *cand;
        for (int twice = 0; twice < 2; twice++) {
            assert_int_equal(apply(s, logits, &cand), n_vocab);
            for (int32_t i = 0; i < n_vocab; i++) {
                int len = longest[cand[i].token];
                double penalty =
                    len < 0 ? 0 : 0.5 * pow((double)o.dry_base, len - o.dry_allowed_length);
                assert_true(fabs((double)cand[i].logit + penalty) <= 1e-6 * penalty);
                hits += penalty > 0;
            }
        }
        ingle_sampler_close(&s);
    }
    assert_true(hits > 500);
}

/* The same token 200,000 times: a quadratic search for repeats would not come back in this test's
 * lifetime. */
static void test_long_history(void **unused)
{
    (void)unused;
    const float logits[4] = {1, 1, 1, 1};
    const ingle_candidate *cand;
    ingle_sampler_options o = neutral();
    o.dry_multiplier = 1;
    o.dry_base = 1;
    o.penalty_last_n = -1;
    o.frequency_penalty = 1e-5f;
    ingle_sampler *s = open_with(&o, 4);
    for (int i = 0; i < 200000; i++) assert_int_equal(ingle_sampler_accept(s, 2, NULL), INGLE_OK);
    assert_int_equal(apply(s, logits, &cand), 4);
    assert_true(fabs((double)cand[2].logit + 2) < 1e-5); /* 1 - 200000 * 1e-5 - 1 * 1^n */
    assert_true(cand[1].logit == 1);
    assert_int_equal(ingle_sampler_reset(s, NULL), INGLE_OK);
    assert_int_equal(apply(s, logits, &cand), 4);
    assert_true(cand[2].logit == 1);
    ingle_sampler_close(&s);
}

/* ---- scratch, masks, clones ------------------------------------------------------------------- */

/* Options that keep a state of every kind. */
static ingle_sampler_options stateful(int round)
{
    ingle_sampler_options o = neutral();
    o.seed = (uint64_t)round;
    o.repeat_penalty = 1.2f;
    o.penalty_last_n = round % 2 ? -1 : 20;
    o.dry_multiplier = 0.5f;
    o.dry_allowed_length = 1;
    o.dry_last_n = round % 3 ? -1 : 30;
    o.xtc_probability = 0.5f;
    o.top_k = round % 5 == 0 ? 100 : 0;
    o.order = round % 7 == 0 ? "top_k;penalties;dry;temperature;xtc" : NULL;
    o.mirostat = round % 4 == 3 ? 2 : 0;
    if (round % 4 == 2) o.adaptive_target = 0.2f;
    return o;
}

static ingle_sampler *bare(const ingle_sampler_options *o, int32_t n_vocab)
{
    int32_t tokens[] = {3, 4, 5};
    const ingle_breaker breakers[] = {{tokens, 2}, {tokens + 2, 1}, {tokens, 1}};
    ingle_sampler *s;
    ingle_error err;
    must(ingle_sampler_new(&s, o, n_vocab, breakers, 3, &err), &err);
    return s;
}

static ingle_candidate draw_with(ingle_sampler *s, ingle_sample_scratch *x, const float *logits,
                                 const uint32_t *mask)
{
    ingle_candidate c;
    ingle_error err;
    must(ingle_sampler_draw(s, x, logits, mask, &c, &err), &err);
    return c;
}

/* Samplers in turn on one scratch, of a larger vocabulary, draw what each draws with its own. */
static void test_scratch_is_shared(void **unused)
{
    (void)unused;
    static float logits[200];
    enum { N = 28 };
    ingle_sampler *shared[N], *alone[N];
    ingle_sample_scratch *x = ingle_sample_scratch_new(1000);
    for (int i = 0; i < N; i++) {
        ingle_sampler_options o = stateful(i);
        shared[i] = bare(&o, 200 - i);
        alone[i] = bare(&o, 200 - i);
    }
    for (int step = 0; step < 60; step++) {
        random_row(logits, 200, step % 3);
        for (int i = 0; i < N; i++) {
            ingle_candidate a = draw_with(shared[i], x, logits, NULL), b;
            assert_int_equal(ingle_sampler_sample(alone[i], logits, &b, NULL), INGLE_OK);
            assert_memory_equal(&a, &b, sizeof a);
            accept_all(shared[i], &a.token, 1);
            accept_all(alone[i], &a.token, 1);
        }
    }
    for (size_t i = 0; i < 1000; i++) assert_int_equal(x->mark[i], 0);
    for (int i = 0; i < N; i++) {
        assert_null(shared[i]->own);
        ingle_sampler_close(&shared[i]);
        ingle_sampler_close(&alone[i]);
    }
    ingle_sample_scratch_free(x);
    ingle_sample_scratch_free(NULL);
    assert_true(ingle_sample_scratch_bytes(128256) < 128256 * 24 + 200);
}

static bool admits(const uint32_t *mask, size_t token)
{
    return mask[token / 32] >> token % 32 & 1;
}

/* A mask gives what logits of -inf outside of it give. */
static void test_mask(void **unused)
{
    (void)unused;
    static float logits[300], cut[300];
    uint32_t mask[10];
    ingle_sample_scratch *x = ingle_sample_scratch_new(300);
    for (int round = 0; round < 400; round++) {
        int32_t n = 6 + (int32_t)roll(295);
        ingle_sampler_options o = stateful(round);
        ingle_sampler *a = bare(&o, n), *b = bare(&o, n);
        for (int step = 0; step < 5; step++) {
            random_row(logits, (size_t)n, round % 3);
            for (size_t i = 0; i < 10; i++)
                mask[i] = roll(3) ? (roll(1 << 16) << 16 | roll(1 << 16)) : roll(2) ? ~0u : 0;
            mask[0] |= 3; /* two at least: no forced token */
            for (size_t i = 0; i < (size_t)n; i++) cut[i] = admits(mask, i) ? logits[i] : -INFINITY;
            if (!(cut[0] > -INFINITY)) cut[0] = logits[0] = 1;
            ingle_candidate p = draw_with(a, x, logits, mask), q = draw_with(b, x, cut, NULL);
            assert_memory_equal(&p, &q, sizeof p);
            assert_true(admits(mask, (size_t)p.token));
            accept_all(a, &p.token, 1);
            accept_all(b, &p.token, 1);
        }
        ingle_sampler_close(&a);
        ingle_sampler_close(&b);
    }
    ingle_sample_scratch_free(x);
}

/* Alone in the mask: no number, no lesson; the draws after it are as if it had not been. */
static void test_forced(void **unused)
{
    (void)unused;
    static float logits[70];
    uint32_t mask[3];
    ingle_candidate c;
    ingle_error err;
    ingle_sample_scratch *x = ingle_sample_scratch_new(70);
    random_row(logits, 70, 0);
    for (int round = 0; round < 12; round++) {
        ingle_sampler_options o = stateful(round);
        ingle_sampler *a = bare(&o, 70), *b = bare(&o, 70);
        for (int32_t token = 0; token < 70; token++) {
            memset(mask, 0, sizeof mask);
            mask[token / 32] = 1u << token % 32;
            mask[2] |= ~0u << 6; /* no tokens of the vocabulary */
            c = draw_with(a, x, logits, mask);
            assert_int_equal(c.token, token);
            assert_true(c.logit == logits[token] && c.prob == 1);
            ingle_candidate p = draw_with(a, x, logits, NULL), q = draw_with(b, x, logits, NULL);
            assert_memory_equal(&p, &q, sizeof p);
        }
        ingle_sampler_close(&b);
        int32_t banned = 69;
        memset(mask, 0, sizeof mask);
        assert_int_equal(ingle_sampler_draw(a, x, logits, mask, &c, &err), INGLE_EINVAL);
        assert_non_null(strstr(err.text, "outside the mask"));
        mask[2] = 1u << 5;
        must(ingle_sampler_ban(a, &banned, 1, &err), &err);
        assert_int_equal(ingle_sampler_draw(a, x, logits, mask, &c, &err), INGLE_EINVAL);
        assert_non_null(strstr(err.text, "outside the mask, banned"));
        mask[0] = 1;
        assert_int_equal(draw_with(a, x, logits, mask).token, 0);
        ingle_sampler_close(&a);
    }
    const ingle_logit_bias bias[] = {{2, 1.5f}, {3, -INFINITY}};
    ingle_sampler_options o = neutral();
    o.logit_bias = bias, o.n_logit_bias = 2;
    ingle_sampler *s = bare(&o, 70);
    mask[0] = 4, mask[1] = mask[2] = 0;
    assert_true(draw_with(s, x, logits, mask).logit == logits[2] + 1.5f);
    mask[0] = 8;
    assert_int_equal(ingle_sampler_draw(s, x, logits, mask, &c, &err), INGLE_EINVAL);
    mask[0] = 16;
    logits[4] = NAN;
    assert_int_equal(ingle_sampler_draw(s, x, logits, mask, &c, &err), INGLE_EFORMAT);
    assert_string_equal(err.text, "logit of token 4 is NaN");
    mask[0] = 3; /* the whole row is checked, as ever */
    assert_int_equal(ingle_sampler_draw(s, x, logits, mask, &c, &err), INGLE_EFORMAT);
    ingle_sampler_close(&s);
    s = bare(&o, 71);
    assert_int_equal(ingle_sampler_draw(s, x, logits, NULL, &c, &err), INGLE_EINVAL);
    assert_string_equal(err.text, "the scratch is for 70 tokens, the sampler for 71");
    assert_int_equal(ingle_sampler_draw(s, NULL, logits, NULL, &c, &err), INGLE_EINVAL);
    assert_int_equal(ingle_sampler_draw(NULL, x, logits, NULL, &c, &err), INGLE_ECLOSED);
    ingle_sampler_close(&s);
    ingle_sample_scratch_free(x);
}

static void test_clone(void **unused)
{
    (void)unused;
    static float logits[200];
    ingle_error err;
    ingle_sample_scratch *x = ingle_sample_scratch_new(200);
    for (int round = 0; round < 60; round++) {
        ingle_sampler_options o = stateful(round), later = o;
        int32_t said[1500], banned = 7;
        size_t n = roll(1500);
        for (size_t i = 0; i < n; i++) said[i] = (int32_t)roll(roll(2) ? 6 : 200);
        later.seed += 3;
        ingle_sampler *s = bare(&o, 200), *fresh = bare(&later, 200), *same, *other;
        must(ingle_sampler_ban(s, &banned, 1, &err), &err);
        must(ingle_sampler_ban(fresh, &banned, 1, &err), &err);
        accept_all(s, said, n);
        accept_all(fresh, said, n);
        must(ingle_sampler_clone(&other, s, 3, &err), &err);
        random_row(logits, 200, 0);
        for (int i = 0; i < 20; i++) draw_with(s, x, logits, NULL);
        must(ingle_sampler_clone(&same, s, 0, &err), &err);
        for (int i = 0; i < 40; i++) {
            if (i == 30) { /* a reset begins at each one's own seed */
                must(ingle_sampler_reset(other, &err), &err);
                must(ingle_sampler_reset(fresh, &err), &err);
                must(ingle_sampler_reset(same, &err), &err);
                must(ingle_sampler_reset(s, &err), &err);
            }
            random_row(logits, 200, 0);
            ingle_candidate a = draw_with(s, x, logits, NULL), b = draw_with(same, x, logits, NULL);
            assert_memory_equal(&a, &b, sizeof a);
            accept_all(s, &a.token, 1);
            accept_all(same, &a.token, 1);
            a = draw_with(other, x, logits, NULL), b = draw_with(fresh, x, logits, NULL);
            assert_memory_equal(&a, &b, sizeof a);
            accept_all(other, &a.token, 1);
            accept_all(fresh, &a.token, 1);
        }
        ingle_sampler_close(&s);
        draw_with(other, x, logits, NULL); /* what is shared outlives its first owner */
        ingle_sampler_close(&same);
        ingle_sampler_close(&other);
        ingle_sampler_close(&fresh);
    }
    ingle_sampler *none = (ingle_sampler *)&none;
    assert_int_equal(ingle_sampler_clone(&none, NULL, 0, &err), INGLE_ECLOSED);
    assert_null(none);
    assert_int_equal(ingle_sampler_reserve(NULL, 5, &err), INGLE_ECLOSED);
    ingle_sampler_options o = stateful(1);
    ingle_sampler *s = bare(&o, 200);
    assert_int_equal(ingle_sampler_reserve(s, SIZE_MAX, &err), INGLE_EFULL);
    ingle_sampler_close(&s);
    ingle_sample_scratch_free(x);
}

/* ---- mirostat ----------------------------------------------------------------------------------
 */

static void test_mirostat(void **unused)
{
    (void)unused;
    static float logits[2000];
    for (int version = 1; version <= 2; version++) {
        ingle_sampler_options o = neutral();
        o.mirostat = version;
        o.mirostat_tau = 3;
        o.top_k = 1; /* filters are replaced */
        ingle_sampler *s = open_with(&o, 2000);
        for (size_t i = 0; i < 2000; i++) logits[i] = -logf((float)(i + 1)); /* Zipf */
        double surprise = 0;
        for (int i = 0; i < 3000; i++) {
            ingle_candidate c;
            assert_int_equal(ingle_sampler_sample(s, logits, &c, NULL), INGLE_OK);
            if (i >= 1000) surprise -= log2((double)c.prob) / 2000;
        }
        assert_true(fabs(surprise - 3) < 0.3);           /* it holds the surprise it was told to */
        for (size_t i = 0; i < 2000; i++) logits[i] = 0; /* slope 0 */
        sample(s, logits);
        for (size_t i = 1; i < 2000; i++) logits[i] = -INFINITY; /* one candidate: no slope */
        assert_int_equal(sample(s, logits), 0);
        assert_true(isfinite(s->mu));
        ingle_sampler_close(&s);
    }
}

/* ---- memory ------------------------------------------------------------------------------------
 */

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                         \
    __has_feature(memory_sanitizer)
#define OWN_HEAP 1
#endif
#endif
#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) &&       \
    !defined(OWN_HEAP)

/* This program's heap: counts, and fails the n-th call. (A sanitizer brings its own; there these
 * two tests are left out.) */
static size_t n_calls, n_live, fail_at;

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void __libc_free(void *p);

static bool granted(void)
{
    return ++n_calls != fail_at;
}

static void *counted(void *p)
{
    n_live += p != NULL;
    return p;
}

void *malloc(size_t n)
{
    return granted() ? counted(__libc_malloc(n)) : NULL;
}
void *calloc(size_t n, size_t size)
{
    return granted() ? counted(__libc_calloc(n, size)) : NULL;
}
void *realloc(void *p, size_t n)
{
    if (!granted()) return NULL;
    void *q = __libc_realloc(p, n);
    if (!p) n_live += q != NULL;
    return q;
}
void free(void *p)
{
    n_live -= p != NULL;
    __libc_free(p);
}

static ingle_sampler_options everything(void)
{
    static const ingle_logit_bias bias = {1, 0.5f};
    ingle_sampler_options o;
    ingle_sampler_options_init(&o);
    o.logit_bias = &bias;
    o.n_logit_bias = 1;
    o.repeat_penalty = 1.1f;
    o.penalty_last_n = -1;
    o.dry_multiplier = 1;
    o.top_n_sigma = 2;
    o.typical_p = 0.9f;
    o.xtc_probability = 0.5f;
    o.dynatemp_range = 0.5f;
    return o;
}

/* A life with everything in it; the first error ends it. */
static ingle_status live(void)
{
    int32_t tokens[] = {3, 4};
    const ingle_breaker breaker[] = {{tokens, 2}, {tokens, 1}};
    ingle_sampler_options o = everything();
    ingle_sampler *s;
    ingle_sampler *other = NULL;
    ingle_status status = ingle_sampler_new(&s, &o, 50, breaker, 2, NULL);
    if (status == INGLE_OK) status = ingle_sampler_ban(s, tokens, 2, NULL);
    for (int i = 0; i < 3000 && status == INGLE_OK; i++)
        status = ingle_sampler_accept(s, i % 50, NULL);
    if (status == INGLE_OK) status = ingle_sampler_clone(&other, s, 1, NULL);
    if (status == INGLE_OK) status = ingle_sampler_reserve(other, 5000, NULL);
    if (status == INGLE_OK) status = ingle_sampler_own_scratch(other, NULL);
    ingle_sampler_close(&s);
    ingle_sampler_close(&other);
    return status;
}

static void test_allocation_failure(void **unused)
{
    (void)unused;
    size_t fails = 0;
    ingle_status status = INGLE_ENOMEM;
    while (status == INGLE_ENOMEM) {
        size_t before = n_live;
        fail_at = n_calls + ++fails;
        status = live();
        fail_at = 0;
        assert_int_equal(n_live, before);
    }
    assert_int_equal(status, INGLE_OK);
    assert_true(fails > 12);
}

/* After opening, no call touches the heap but an accept that doubles a history of the whole
 * context. */
static void test_no_allocation_per_token(void **unused)
{
    (void)unused;
    static float logits[1000];
    random_row(logits, 1000, 0);
    ingle_sampler_options o = everything();
    for (int mode = 0; mode < 6; mode++) {
        o.mirostat = mode % 3;
        o.penalty_last_n = o.dry_last_n = mode < 3 ? -1 : 64;
        ingle_sampler *s = open_with(&o, 1000);
        size_t before = n_calls;
        for (int i = 0; i < 2000; i++) {
            int32_t token = sample(s, logits);
            accept_all(s, &token, 1);
            if (i % 100 == 0) {
                const ingle_candidate *cand;
                apply(s, logits, &cand);
            }
        }
        assert_int_equal(n_calls - before, mode < 3 ? 2 : 0); /* 1024 -> 2048, of two arrays */
        ingle_sampler_close(&s);
    }
}

/* With a history reserved, none at all, through a scratch from outside. */
static void test_no_allocation_after_reserve(void **unused)
{
    (void)unused;
    static float logits[1000];
    uint32_t mask[32];
    random_row(logits, 1000, 0);
    memset(mask, 0xaf, sizeof mask);
    ingle_sample_scratch *x = ingle_sample_scratch_new(1000);
    for (int mode = 0; mode < 6; mode++) {
        ingle_sampler_options o = everything();
        o.mirostat = mode % 3;
        o.penalty_last_n = o.dry_last_n = mode < 3 ? -1 : 64;
        ingle_sampler *s, *first = bare(&o, 1000);
        must(ingle_sampler_reserve(first, 5000, NULL), &(ingle_error){""});
        must(ingle_sampler_clone(&s, first, 2, NULL), &(ingle_error){""}); /* as much room */
        ingle_sampler_close(&first);
        size_t before = n_calls;
        for (int i = 0; i < 5000; i++) {
            mask[0] = i % 50 ? 0xafafafaf : 0;
            int32_t token = draw_with(s, x, logits, i % 2 ? mask : NULL).token;
            accept_all(s, &token, 1);
        }
        assert_int_equal(n_calls, before);
        ingle_sampler_close(&s);
    }
    ingle_sample_scratch_free(x);
}
#define HEAP_TESTS
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_adaptive),
        cmocka_unit_test(test_refused_arrays),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_bad_logits),
        cmocka_unit_test(test_ban),
        cmocka_unit_test(test_bias),
        cmocka_unit_test(test_greedy),
        cmocka_unit_test(test_top_k),
        cmocka_unit_test(test_top_p_and_typical),
        cmocka_unit_test(test_min_p_and_sigma),
        cmocka_unit_test(test_xtc),
        cmocka_unit_test(test_dynamic_temperature),
        cmocka_unit_test(test_extremes),
        cmocka_unit_test(test_generator),
        cmocka_unit_test(test_weight),
        cmocka_unit_test(test_same_inputs_same_draw),
        cmocka_unit_test(test_frequencies),
        cmocka_unit_test(test_draw_order),
        cmocka_unit_test(test_exact_mass),
        cmocka_unit_test(test_penalties),
        cmocka_unit_test(test_dry),
        cmocka_unit_test(test_long_history),
        cmocka_unit_test(test_scratch_is_shared),
        cmocka_unit_test(test_mask),
        cmocka_unit_test(test_forced),
        cmocka_unit_test(test_clone),
        cmocka_unit_test(test_mirostat),
#ifdef HEAP_TESTS
        cmocka_unit_test(test_allocation_failure),
        cmocka_unit_test(test_no_allocation_per_token),
        cmocka_unit_test(test_no_allocation_after_reserve),
#endif
    };
    return cmocka_run_group_tests_name("sample", tests, NULL, NULL);
}
