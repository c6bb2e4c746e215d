/* test_samplers.c - the sampler chain against the survivors, logits and probabilities that
 * llama.cpp computed for the same logits, history and parameters. Survivors must be the same
 * tokens; numbers may differ by what float arithmetic in another order can differ by, computed per
 * case from its data (see slack()). llama.cpp keeps tokens that it masks with -inf in its lists; a
 * sampler of ours drops them: those rows are left out. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "json_test.h"
#include "base/mem.h"
#include "engine/breakers.h"
#include "sample/sampler.h"

#define U 0x1p-24 /* half a unit in the last place of 1.0f */

/* The numbers are floats written with nine digits. */
static double value(const json *j)
{
    return j->kind == INGLE_JSON_STRING ? -INFINITY : (double)(float)json_num(j);
}

static double field(const json *stage, const char *key)
{
    return value(json_get(stage, key));
}

/* ---- a golden chain as options --------------------------------------------------------------- */

typedef struct setup {
    ingle_sampler_options opt;
    char order[256];
    ingle_logit_bias *bias;
    ingle_breaker_list breakers;
} setup;

/* Of the cases whose breakers are texts; else NULL. */
static ingle_vocab *vocab;

/* Every stage off; temperature 1 and not in the order. */
static void setup_neutral(setup *u)
{
    memset(u, 0, sizeof *u);
    ingle_sampler_options_init(&u->opt);
    u->opt.temperature = 1;
    u->opt.top_k = 0;
    u->opt.top_p = 1;
    u->opt.min_p = 0;
    u->opt.order = u->order;
}

static void setup_bias(setup *u, const json *list)
{
    u->bias = calloc(list->len ? list->len : 1, sizeof *u->bias);
    for (size_t i = 0; i < list->len; i++)
        u->bias[i] = (ingle_logit_bias){(int32_t)json_num(json_at(json_at(list, i), 0)),
                                        (float)value(json_at(json_at(list, i), 1))};
    u->opt.logit_bias = u->bias;
    u->opt.n_logit_bias = list->len;
}

static void setup_dry(setup *u, const json *stage)
{
    u->opt.dry_multiplier = (float)field(stage, "multiplier");
    u->opt.dry_base = (float)field(stage, "base");
    if (u->opt.dry_base < 1) { /* there it switches DRY off; ours refuses such a base */
        u->opt.dry_base = 1;
        u->opt.dry_multiplier = 0;
    }
    u->opt.dry_allowed_length = (int32_t)field(stage, "allowed_length");
    u->opt.dry_last_n = (int32_t)field(stage, "last_n");
    const json *seqs = json_get(stage, "breaker_token_seqs");
    for (size_t i = 0; seqs && i < seqs->len; i++) {
        const json *seq = json_at(seqs, i);
        int32_t *tokens = malloc(seq->len * sizeof *tokens);
        for (size_t j = 0; j < seq->len; j++) tokens[j] = (int32_t)json_num(json_at(seq, j));
        ingle_breaker_list *b = &u->breakers;
        assert_true(ingle_grow(&b->seq, &b->cap, b->n + 1, sizeof *b->seq));
        b->seq[b->n++] = (ingle_breaker){tokens, seq->len};
    }
    const json *texts = json_get(stage, "breakers");
    const char *text[8];
    for (size_t i = 0; texts && i < texts->len; i++) text[i] = json_str(json_at(texts, i));
    if (texts)
        assert_int_equal(ingle_breakers_find(&u->breakers, vocab, text, texts->len, NULL), 0);
}

/* The values below 0 or at 0 that there mean "off" (top_k, top_n_sigma) or "greedy" (temperature)
 * are 0 with us. */
static const char *setup_stage(setup *u, const json *stage)
{
    const char *type = json_str(json_get(stage, "type"));
    ingle_sampler_options *o = &u->opt;
    const json *min_keep = json_get(stage, "min_keep");
    if (min_keep && json_num(min_keep) > o->min_keep) o->min_keep = (int32_t)json_num(min_keep);
    if (!strcmp(type, "logit_bias")) return setup_bias(u, json_get(stage, "bias")), NULL;
    if (!strcmp(type, "dry")) return setup_dry(u, stage), "dry";
    if (!strcmp(type, "penalties")) {
        o->penalty_last_n = (int32_t)field(stage, "last_n");
        o->repeat_penalty = (float)field(stage, "repeat");
        o->frequency_penalty = (float)field(stage, "freq");
        o->presence_penalty = (float)field(stage, "present");
        return "penalties";
    }
    if (!strcmp(type, "top_k")) return o->top_k = (int32_t)fmax(0, field(stage, "k")), "top_k";
    if (!strcmp(type, "top_p")) return o->top_p = (float)field(stage, "p"), "top_p";
    if (!strcmp(type, "min_p")) return o->min_p = (float)field(stage, "p"), "min_p";
    if (!strcmp(type, "typical")) return o->typical_p = (float)field(stage, "p"), "typical_p";
    if (!strcmp(type, "top_n_sigma"))
        return o->top_n_sigma = (float)fmax(0, field(stage, "n")), "top_n_sigma";
    if (!strcmp(type, "xtc")) {
        o->xtc_probability = (float)field(stage, "probability");
        o->xtc_threshold = (float)field(stage, "threshold");
        return "xtc";
    }
    if (!strcmp(type, "temp_ext")) {
        o->dynatemp_range = (float)field(stage, "delta");
        o->dynatemp_exponent = (float)field(stage, "exponent");
    } else assert_string_equal(type, "temp");
    o->temperature = (float)fmax(0, field(stage, "t"));
    return "temperature";
}

static void setup_free(setup *u)
{
    free(u->bias);
    ingle_breakers_free(&u->breakers);
}

/* ---- running one ----------------------------------------------------------------------------- */

typedef struct result {
    ingle_candidate *cand;
    size_t n;
} result;

/* The row of logits over the whole vocabulary; cases over a few candidates of a large one leave the
 * rest at -inf. */
static float *row_of(const json *c, int32_t *n_vocab)
{
    const json *logits = json_get(c, "logits"), *ids = json_get(c, "candidate_ids");
    const json *history = json_get(c, "history");
    size_t n = (size_t)field(c, "n_vocab");
    if (vocab) {
        ingle_vocab_info info;
        ingle_vocab_info_get(vocab, &info);
        n = (size_t)info.n_tokens;
    }
    for (size_t i = 0; ids && i < ids->len; i++) n = fmax((double)n, json_num(json_at(ids, i)) + 1);
    for (size_t i = 0; history && i < history->len; i++)
        n = fmax((double)n, json_num(json_at(history, i)) + 1);
    float *row = malloc(n * sizeof *row);
    for (size_t i = 0; i < n; i++) row[i] = -INFINITY;
    for (size_t i = 0; i < logits->len; i++)
        row[ids ? (size_t)json_num(json_at(ids, i)) : i] = (float)value(json_at(logits, i));
    *n_vocab = (int32_t)n;
    return row;
}

static result run_setup(const json *c, setup *u)
{
    int32_t n_vocab;
    float *row = row_of(c, &n_vocab);
    ingle_error err = {""};
    ingle_sampler *s;
    ingle_status status =
        ingle_sampler_new(&s, &u->opt, n_vocab, u->breakers.seq, u->breakers.n, &err);
    if (status != INGLE_OK) fail_msg("%s", err.text);
    const json *history = json_get(c, "history");
    for (size_t i = 0; history && i < history->len; i++)
        assert_int_equal(ingle_sampler_accept(s, (int32_t)json_num(json_at(history, i)), &err),
                         INGLE_OK);
    const ingle_candidate *cand;
    result r;
    status = ingle_sampler_apply(s, row, &cand, &r.n, &err);
    if (status != INGLE_OK) fail_msg("%s", err.text);
    r.cand = malloc(r.n * sizeof *r.cand);
    memcpy(r.cand, cand, r.n * sizeof *cand);
    ingle_sampler_close(&s);
    free(row);
    return r;
}

/* The first n stages of a case's chain. */
static result run_stages(const json *c, size_t n)
{
    const json *chain = json_get(c, "chain");
    setup u;
    setup_neutral(&u);
    for (size_t i = 0; i < n; i++) {
        const char *name = setup_stage(&u, json_at(chain, i));
        if (!name) continue;
        if (*u.order) strcat(u.order, ";");
        strcat(u.order, name);
    }
    result r = run_setup(c, &u);
    setup_free(&u);
    return r;
}

static size_t stage_index(const json *chain, const char *type)
{
    for (size_t i = 0; i < chain->len; i++)
        if (!strcmp(json_str(json_get(json_at(chain, i), "type")), type)) return i;
    return SIZE_MAX;
}

/* ---- how far float arithmetic may differ ------------------------------------------------------
 */

/* Relative error of the dynamic temperature: the reference computes each p with about n + 4
 * roundings (a float sum of n terms, expf, a division), hence H = -sum p ln p with an error of at
 * most (H + 1) (n + 4) U, and T = low + (high - low) (H/Hmax)^e follows by its derivative. */
static double temperature_error(const json *c, size_t at)
{
    const json *stage = json_at(json_get(c, "chain"), at);
    double t = field(stage, "t"), delta = field(stage, "delta"), e = field(stage, "exponent");
    result r = run_stages(c, at);
    double h = 0, n = (double)r.n;
    for (size_t i = 0; i < r.n; i++)
        if (r.cand[i].prob > 0) h -= (double)r.cand[i].prob * log((double)r.cand[i].prob);
    free(r.cand);
    if (delta <= 0 || n < 2) return 0;
    double low = fmax(0, t - delta), high = t + delta, share = h / log(n);
    double error = (h + 1) * (n + 4) * U / log(n);
    /* the power's change over [share - error, share + error], not its slope: with e < 1 that is
     * unbounded at 0 */
    double change = pow(share + error, e) - pow(fmax(0, share - error), e);
    return (high - low) * change / (low + (high - low) * pow(share, e)) + 4 * U;
}

/* What a case's logits may be off by, relative to their size: four roundings for each of its
 * stages, and the dynamic temperature's error. */
static double slack(const json *c)
{
    const json *chain = json_get(c, "chain");
    size_t at = stage_index(chain, "temp_ext");
    return 4 * U * (double)chain->len + (at == SIZE_MAX ? 0 : temperature_error(c, at));
}

/* The largest number that rounding was relative to on the way to a logit. */
static double magnitude(const json *c, double logit)
{
    const json *chain = json_get(c, "chain"), *logits = json_get(c, "logits");
    double m = fabs(logit), t = 1;
    for (size_t i = 0; i < logits->len; i++) {
        double l = value(json_at(logits, i));
        if (l > -INFINITY) m = fmax(m, fabs(l));
    }
    for (size_t i = 0; i < chain->len; i++) {
        const json *stage = json_at(chain, i), *temp = json_get(stage, "t");
        if (temp)
            t = fmax(0.05, fmin(1, json_num(temp) -
                                       (json_get(stage, "delta") ? field(stage, "delta") : 0)));
    }
    return m / t;
}

/* ---- comparing ------------------------------------------------------------------------------- */

static const ingle_candidate *find(result r, int32_t id)
{
    for (size_t i = 0; i < r.n; i++)
        if (r.cand[i].token == id) return &r.cand[i];
    return NULL;
}

static int descending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x < y) - (x > y);
}

/* With ties which of the equal tokens survive is llama.cpp's accident: then only the logits must be
 * the same. */
static void compare_tied(const char *name, size_t i_case, result r, const double *logit, size_t n,
                         double tolerance)
{
    double ours[512], theirs[512];
    assert_true(n <= 512);
    for (size_t i = 0; i < n; i++) {
        ours[i] = (double)r.cand[i].logit;
        theirs[i] = logit[i];
    }
    qsort(ours, n, sizeof *ours, descending);
    qsort(theirs, n, sizeof *theirs, descending);
    for (size_t i = 0; i < n; i++)
        if (!(fabs(ours[i] - theirs[i]) <= tolerance))
            fail_msg("%s %zu: logit %zu is %.9g, not %.9g", name, i_case, i, ours[i], theirs[i]);
}

/* `relative` bounds the logits' error relative to `size`. Returns the largest error as a share of
 * what is allowed. */
static double compare(const char *name, size_t i_case, result r, const json *expected, bool ties,
                      bool ordered, double relative, double size)
{
    const json *ids = json_get(expected, "ids"), *logits = json_get(expected, "logits");
    const json *probs = json_get(expected, "probs");
    int32_t id[512];
    double logit[512], prob[512], max = -INFINITY, worst = 0;
    size_t n = 0;
    assert_true(ids->len <= 512);
    for (size_t i = 0; i < ids->len; i++) {
        double l = value(json_at(logits, i));
        if (!(l > -INFINITY)) continue;
        id[n] = (int32_t)json_num(json_at(ids, i));
        logit[n] = l;
        prob[n++] = value(json_at(probs, i));
        max = fmax(max, l);
    }
    if (n != r.n) fail_msg("%s %zu: %zu survivors, not %zu", name, i_case, r.n, n);
    double tolerance = relative * size;
    if (ties) {
        compare_tied(name, i_case, r, logit, n, tolerance);
        return 0;
    }
    for (size_t i = 0; i < n; i++) {
        const ingle_candidate *g = ordered ? &r.cand[i] : find(r, id[i]);
        if (!g || g->token != id[i])
            fail_msg("%s %zu: token %d is missing or misplaced", name, i_case, id[i]);
        double error = fabs((double)g->logit - logit[i]);
        if (!(error <= tolerance))
            fail_msg("%s %zu: logit of token %d is %.9g, not %.9g (+- %.2g)", name, i_case, id[i],
                     (double)g->logit, logit[i], tolerance);
        if (tolerance > 0) worst = fmax(worst, error / tolerance);
        /* p = w / sum w: both logits' errors, the rounding of their difference, the two
         * exponentials, the sum. Below e^-87 ours is 0. */
        double p_tolerance =
            prob[i] * (expm1(2 * tolerance) + 2 * U * (max - logit[i]) + ((double)n + 8) * U) +
            2e-38;
        error = fabs((double)g->prob - prob[i]);
        if (!(error <= p_tolerance))
            fail_msg("%s %zu: probability of token %d is %.9g, not %.9g (+- %.2g)", name, i_case,
                     id[i], (double)g->prob, prob[i], p_tolerance);
        worst = fmax(worst, error / p_tolerance);
    }
    return worst;
}

/* Typical sampling of llama.cpp takes 0 * log 0 when tokens that top-n-sigma masked are still in
 * its list: its entropy is NaN, and its survivors are whatever a sort by NaN leaves in front. No
 * reference, then. Masked ones are still there unless a filter between the two dropped them. */
static bool reference_is_nan(const json *c)
{
    const json *chain = json_get(c, "chain");
    size_t sigma = stage_index(chain, "top_n_sigma"), typical = stage_index(chain, "typical");
    if (sigma == SIZE_MAX || typical == SIZE_MAX || sigma > typical) return false;
    result before = run_stages(c, sigma), after = run_stages(c, sigma + 1);
    double listed = (double)before.n, alive = (double)after.n;
    free(before.cand);
    free(after.cand);
    for (size_t i = sigma + 1; i < typical; i++) {
        const json *stage = json_at(chain, i);
        const char *type = json_str(json_get(stage, "type"));
        if (!strcmp(type, "top_p") || !strcmp(type, "min_p")) return false;
        if (!strcmp(type, "top_k") && field(stage, "k") > 0)
            listed = fmin(listed, field(stage, "k"));
    }
    return listed > alive;
}

static bool has_filter(const json *chain)
{
    static const char *const filters[] = {"top_k",   "top_p",       "min_p",
                                          "typical", "top_n_sigma", "xtc"};
    for (size_t i = 0; i < sizeof filters / sizeof filters[0]; i++)
        if (stage_index(chain, filters[i]) != SIZE_MAX) return true;
    return false;
}

static ingle_json_doc corpus(const char *name)
{
    const char *root = getenv("INGLE_DATA");
    char path[512];
    if (!root) {
        printf("skipped: no corpus\n");
        skip();
    }
    snprintf(path, sizeof path, "%s/golden/samplers/%s.json", root, name);
    ingle_json_doc doc = json_file(path);
    if (!doc.root) fail_msg("cannot read %s", path);
    return doc;
}

/* Six more chains have the NaN and come out right all the same: they are compared. */
static const size_t nan_chains[] = {3, 12, 14, 23, 39, 45, 47};

static bool left_out(const char *name, size_t i_case, const json *c)
{
    bool listed = false;
    for (size_t i = 0; i < sizeof nan_chains / sizeof nan_chains[0]; i++)
        listed |= !strcmp(name, "chains") && i_case == nan_chains[i];
    if (listed) assert_true(reference_is_nan(c));
    return listed;
}

static void check_file(const char *name, size_t n_cases)
{
    ingle_json_doc doc = corpus(name);
    const json *file = doc.root;
    size_t compared = 0;
    double worst = 0;
    for (size_t i = 0; i < file->len; i++) {
        const json *c = json_at(file, i), *chain = json_get(c, "chain"),
                   *expected = json_get(c, "expected");
        if (left_out(name, i, c)) continue;
        result r = run_stages(c, chain->len);
        double size = 0;
        for (size_t j = 0; j < r.n; j++) size = fmax(size, magnitude(c, (double)r.cand[j].logit));
        bool ordered = json_num(json_get(expected, "sorted")) != 0 && has_filter(chain);
        worst = fmax(worst, compare(name, i, r, expected, json_num(json_get(c, "ties")) != 0,
                                    ordered, slack(c), size));
        free(r.cand);
        compared++;
    }
    printf("%s: %zu of %zu compared, largest error %.2f of what is allowed\n", name, compared,
           (size_t)file->len, worst);
    assert_int_equal(compared, n_cases);
    ingle_json_close(&doc);
}

/* ---- the files ------------------------------------------------------------------------------- */

#define FILE_TEST(name, n_cases)                                                                   \
    static void test_##name(void **state)                                                          \
    {                                                                                              \
        (void)state;                                                                               \
        check_file(#name, n_cases);                                                                \
    }

FILE_TEST(logit_bias, 30)
FILE_TEST(penalties, 36)
FILE_TEST(dry, 60)
FILE_TEST(top_k, 31)
FILE_TEST(top_p, 30)
FILE_TEST(min_p, 34)
FILE_TEST(typical, 30)
FILE_TEST(top_n_sigma, 30)
FILE_TEST(xtc, 30)
FILE_TEST(temperature, 30)
FILE_TEST(dynamic_temperature, 30)
FILE_TEST(chains, 53)

static ingle_vocab *open_vocab(const char *name)
{
    char path[512];
    ingle_gguf *g = NULL;
    ingle_vocab *v = NULL;
    ingle_error err = {""};
    snprintf(path, sizeof path, "%s/golden/tokenizers/%s", getenv("INGLE_DATA"), name);
    assert_int_equal(ingle_gguf_open(&g, path, false, &err), INGLE_OK);
    assert_int_equal(ingle_vocab_open(&v, g, &err), INGLE_OK);
    ingle_gguf_close(&g);
    return v;
}

/* Breakers that are text: eight cases in GPT-2's tokens, then eight in Llama 2's. */
static void test_dry_vocab(void **state)
{
    (void)state;
    ingle_json_doc doc = corpus("dry_vocab");
    const json *file = doc.root;
    assert_int_equal(file->len, 16);
    for (size_t i = 0; i < file->len; i++) {
        const json *c = json_at(file, i);
        vocab = open_vocab(i < 8 ? "ggml-vocab-gpt-2.gguf" : "ggml-vocab-llama-spm.gguf");
        result r = run_stages(c, 1);
        double size = 0;
        for (size_t j = 0; j < r.n; j++) size = fmax(size, magnitude(c, (double)r.cand[j].logit));
        compare("dry_vocab", i, r, json_get(c, "expected"), false, false, slack(c), size);
        free(r.cand);
        ingle_vocab_close(&vocab);
    }
    printf("dry_vocab: %zu of %zu compared\n", (size_t)file->len, (size_t)file->len);
    ingle_json_close(&doc);
}

/* The number of candidates version 1 asks for, straight from its formula. */
static double mirostat_k(const json *run, const double *logit, size_t n, double mu)
{
    size_t m = (size_t)fmin((double)n, field(run, "m"));
    double tb = 0, tt = 0;
    for (size_t i = 0; i + 1 < m; i++) {
        double t = log((double)(i + 2) / (double)(i + 1));
        tb += t * (logit[i] - logit[i + 1]);
        tt += t * t;
    }
    double slope = tb / tt, e = slope - 1;
    return pow(e * pow(2, mu) / (1 - pow(field(run, "n_vocab"), -e)), 1 / slope);
}

/* llama.cpp converts k to int; above 2^31 that is undefined and gave 1 candidate where the formula
 * asks for all. */
static bool reference_overflows(const json *run, const json *logits, double mu)
{
    double sorted[512];
    if (!json_get(run, "m")) return false;
    for (size_t i = 0; i < logits->len; i++) sorted[i] = value(json_at(logits, i));
    qsort(sorted, logits->len, sizeof *sorted, descending);
    return mirostat_k(run, sorted, logits->len, mu) >= 0x1p31;
}

/* One step, from the mu that the steps before left; returns by how much mu may be off after it. */
static double check_mirostat_step(const char *name, size_t i_run, const json *run, const json *step,
                                  ingle_sampler *s, double tolerance, size_t *overflows)
{
    const json *logits = json_get(step, "logits");
    const ingle_candidate *cand;
    float row[512];
    result r;
    assert_true(logits->len <= 512);
    for (size_t j = 0; j < logits->len; j++) row[j] = (float)value(json_at(logits, j));
    assert_int_equal(ingle_sampler_apply(s, row, &cand, &r.n, NULL), INGLE_OK);
    if (reference_overflows(run, logits, (double)s->mu)) {
        assert_int_equal(json_get(json_get(step, "expected"), "ids")->len, 1);
        assert_int_equal(r.n, logits->len);
        s->mu = (float)field(step, "mu_after");
        (*overflows)++;
        return 0;
    }
    r.cand = (ingle_candidate *)cand;
    compare(name, i_run, r, json_get(step, "expected"), false, true, 0, 0);
    const ingle_candidate *picked = find(r, (int32_t)field(step, "picked_id"));
    assert_non_null(picked);
    ingle_sample_mirostat_learn(s, picked->prob);
    /* surprise: log2 of p, which has about n + 8 roundings; then three operations on numbers of
     * mu's size */
    double surprise = fabs(log2((double)picked->prob)), tau = (double)s->opt.mirostat_tau;
    tolerance += ((double)r.n + 8) * U / 0.69 * (double)s->opt.mirostat_eta +
                 4 * U * (fabs((double)s->mu) + surprise + tau);
    double error = fabs((double)s->mu - field(step, "mu_after"));
    if (!(error <= tolerance))
        fail_msg("%s %zu: mu is %.9g, not %.9g", name, i_run, (double)s->mu,
                 field(step, "mu_after"));
    return tolerance;
}

/* One run of several tokens: our mu goes its own way, fed with the tokens that llama.cpp drew. */
static void check_mirostat_run(const char *name, size_t i_run, const json *run, int version,
                               size_t *overflows)
{
    setup u;
    setup_neutral(&u);
    u.opt.mirostat = version;
    u.opt.mirostat_tau = (float)field(run, "tau");
    u.opt.mirostat_eta = (float)field(run, "eta");
    ingle_sampler *s;
    ingle_error err = {""};
    if (ingle_sampler_new(&s, &u.opt, (int32_t)field(run, "n_vocab"), NULL, 0, &err) != INGLE_OK)
        fail_msg("%s", err.text);
    if (json_get(run, "m")) s->mirostat_m = (int)field(run, "m");
    assert_true((double)s->mu == field(run, "mu_initial"));
    const json *steps = json_get(run, "steps");
    double tolerance = 0;
    for (size_t i = 0; i < steps->len; i++)
        tolerance =
            check_mirostat_step(name, i_run, run, json_at(steps, i), s, tolerance, overflows);
    ingle_sampler_close(&s);
}

static void check_mirostat(const char *name, int version, size_t n_overflows)
{
    ingle_json_doc doc = corpus(name);
    const json *file = doc.root;
    assert_int_equal(file->len, 30);
    size_t overflows = 0, steps = 0;
    for (size_t i = 0; i < file->len; i++) {
        check_mirostat_run(name, i, json_at(file, i), version, &overflows);
        steps += json_get(json_at(file, i), "steps")->len;
    }
    printf("%s: %zu of %zu steps compared\n", name, steps - overflows, steps);
    assert_int_equal(overflows, n_overflows);
    ingle_json_close(&doc);
}

static void test_mirostat_v1(void **state)
{
    (void)state;
    check_mirostat("mirostat_v1", 1, 11);
}

static void test_mirostat_v2(void **state)
{
    (void)state;
    check_mirostat("mirostat_v2", 2, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_logit_bias),  cmocka_unit_test(test_penalties),
        cmocka_unit_test(test_dry),         cmocka_unit_test(test_dry_vocab),
        cmocka_unit_test(test_top_k),       cmocka_unit_test(test_top_p),
        cmocka_unit_test(test_min_p),       cmocka_unit_test(test_typical),
        cmocka_unit_test(test_top_n_sigma), cmocka_unit_test(test_xtc),
        cmocka_unit_test(test_temperature), cmocka_unit_test(test_dynamic_temperature),
        cmocka_unit_test(test_chains),      cmocka_unit_test(test_mirostat_v1),
        cmocka_unit_test(test_mirostat_v2),
    };
    return cmocka_run_group_tests_name("samplers", tests, NULL, NULL);
}
