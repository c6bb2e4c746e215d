/* options.c - the sampler's options: defaults, ranges, the order of the stages. */
#include "sample/sampler.h"

#include "base/options.h"

#include <math.h>
#include <string.h>

#define WINDOW_MAX (1 << 20)

static const char *const default_breakers[] = {"\n", ":", "\"", "*"};

static const char *const stage_names[N_STAGES] = {
    [STAGE_PENALTIES] = "penalties", [STAGE_DRY] = "dry",     [STAGE_TOP_N_SIGMA] = "top_n_sigma",
    [STAGE_TOP_K] = "top_k",         [STAGE_MIN_P] = "min_p", [STAGE_TYPICAL_P] = "typical_p",
    [STAGE_TOP_P] = "top_p",         [STAGE_XTC] = "xtc",     [STAGE_TEMPERATURE] = "temperature",
};

static const ingle_sampler_options default_options = {
    .size = sizeof default_options,
    .seed = 1234,
    .temperature = 0.8f,
    .dynatemp_exponent = 1,
    .top_k = 40,
    .top_p = 0.95f,
    .min_p = 0.05f,
    .typical_p = 1,
    .top_n_sigma = -1,
    .xtc_threshold = 0.1f,
    .min_keep = 1,
    .penalty_last_n = 64,
    .repeat_penalty = 1,
    .dry_base = 1.75f,
    .dry_allowed_length = 2,
    .dry_last_n = -1,
    .dry_breakers = default_breakers,
    .n_dry_breakers = sizeof default_breakers / sizeof default_breakers[0],
    .mirostat_tau = 5,
    .mirostat_eta = 0.1f,
    .adaptive_target = -1,
    .adaptive_decay = 0.9f,
};

/* Names that other programs have for them. */
static const struct {
    const char *name;
    sample_stage stage;
} stage_aliases[] = {
    {"top-k", STAGE_TOP_K},         {"top-p", STAGE_TOP_P},
    {"nucleus", STAGE_TOP_P},       {"min-p", STAGE_MIN_P},
    {"typ_p", STAGE_TYPICAL_P},     {"typ-p", STAGE_TYPICAL_P},
    {"typ", STAGE_TYPICAL_P},       {"typical", STAGE_TYPICAL_P},
    {"typical-p", STAGE_TYPICAL_P}, {"top-n-sigma", STAGE_TOP_N_SIGMA},
    {"temp", STAGE_TEMPERATURE},
};

void ingle_sampler_options_init_sized(ingle_sampler_options *opt, size_t size)
{
    ingle_options_fill(opt, size, &default_options, sizeof default_options);
}

typedef struct real_range {
    const char *name;
    float value, low, high;
} real_range;

typedef struct int_range {
    const char *name;
    int32_t value, low, high;
} int_range;

/* The ranges with a hole: 0 and a smallest useful temperature, -1 and a factor or a probability. */
static ingle_status check_gaps(const ingle_sampler_options *o, ingle_error *err)
{
    if (!(o->temperature == 0 || (o->temperature >= 1e-20f && o->temperature <= 1000)))
        return ingle_fail(err, INGLE_EINVAL,
                          "temperature is %g: it must be 0 (greedy) or 1e-20 to 1000",
                          (double)o->temperature);
    if (!(o->top_n_sigma == -1 || (o->top_n_sigma >= 0 && o->top_n_sigma <= 1000)))
        return ingle_fail(err, INGLE_EINVAL, "top_n_sigma is %g: it must be -1 (off) or 0 to 1000",
                          (double)o->top_n_sigma);
    if (!(o->adaptive_target == -1 || (o->adaptive_target >= 0 && o->adaptive_target <= 1)))
        return ingle_fail(err, INGLE_EINVAL, "adaptive_target is %g: it must be -1 (off) or 0 to 1",
                          (double)o->adaptive_target);
    if (o->adaptive_target >= 0 && o->mirostat)
        return ingle_fail(err, INGLE_EINVAL,
                          "adaptive_target is %g and mirostat is %d: both choose the token",
                          (double)o->adaptive_target, o->mirostat);
    return INGLE_OK;
}

static ingle_status check_ranges(const ingle_sampler_options *o, ingle_error *err)
{
    const real_range reals[] = {
        {"dynatemp_range", o->dynatemp_range, 0, 1000},
        {"dynatemp_exponent", o->dynatemp_exponent, 0, 100},
        {"top_p", o->top_p, 0, 1},
        {"min_p", o->min_p, 0, 1},
        {"typical_p", o->typical_p, 0, 1},
        {"xtc_probability", o->xtc_probability, 0, 1},
        {"xtc_threshold", o->xtc_threshold, 0, 1},
        {"repeat_penalty", o->repeat_penalty, 0.01f, 100},
        {"frequency_penalty", o->frequency_penalty, -100, 100},
        {"presence_penalty", o->presence_penalty, -100, 100},
        {"dry_multiplier", o->dry_multiplier, 0, 1000},
        {"dry_base", o->dry_base, 1, 1000},
        {"mirostat_tau", o->mirostat_tau, 0, 100},
        {"mirostat_eta", o->mirostat_eta, 0, 1},
        {"adaptive_decay", o->adaptive_decay, 0, 0.99f},
    };
    for (size_t i = 0; i < sizeof reals / sizeof reals[0]; i++) {
        const real_range *r = &reals[i];
        if (!(r->value >= r->low && r->value <= r->high))
            return ingle_fail(err, INGLE_EINVAL, "%s is %g: it must be %g to %g", r->name,
                              (double)r->value, (double)r->low, (double)r->high);
    }
    const int_range ints[] = {
        {"top_k", o->top_k, 0, INT32_MAX},
        {"min_keep", o->min_keep, 0, INT32_MAX},
        {"penalty_last_n", o->penalty_last_n, -1, WINDOW_MAX},
        {"dry_allowed_length", o->dry_allowed_length, 0, INT32_MAX},
        {"dry_last_n", o->dry_last_n, -1, WINDOW_MAX},
        {"mirostat", o->mirostat, 0, 2},
    };
    for (size_t i = 0; i < sizeof ints / sizeof ints[0]; i++) {
        const int_range *r = &ints[i];
        if (r->value < r->low || r->value > r->high)
            return ingle_fail(err, INGLE_EINVAL, "%s is %d: it must be %d to %d", r->name,
                              (int)r->value, (int)r->low, (int)r->high);
    }
    return check_gaps(o, err);
}

static ingle_status check_arrays(const ingle_sampler_options *o, int32_t n_vocab, ingle_error *err)
{
    if (o->n_logit_bias && !o->logit_bias)
        return ingle_fail(err, INGLE_EINVAL, "logit_bias is NULL but n_logit_bias is not 0");
    if (o->n_dry_breakers && !o->dry_breakers)
        return ingle_fail(err, INGLE_EINVAL, "dry_breakers is NULL but n_dry_breakers is not 0");
    for (size_t i = 0; i < o->n_dry_breakers; i++) {
        size_t len = o->dry_breakers[i] ? strlen(o->dry_breakers[i]) : 0;
        if (len < 1 || len > INGLE_BREAKER_TEXT)
            return ingle_fail(err, INGLE_EINVAL,
                              "dry_breakers entry %zu has %zu bytes: it must have 1 to %d", i, len,
                              INGLE_BREAKER_TEXT);
    }
    for (size_t i = 0; i < o->n_logit_bias; i++) {
        ingle_logit_bias b = o->logit_bias[i];
        if (b.token < 0 || b.token >= n_vocab)
            return ingle_fail(err, INGLE_EINVAL,
                              "logit_bias: token %d is outside the vocabulary of %d", (int)b.token,
                              (int)n_vocab);
        if (!(b.bias == -INFINITY || fabsf(b.bias) <= 1e6f))
            return ingle_fail(err, INGLE_EINVAL,
                              "logit_bias of token %d is %g: it must be -1e6 to 1e6 or -inf",
                              (int)b.token, (double)b.bias);
    }
    return INGLE_OK;
}

/* Stages in the order they run. */
typedef struct stage_order {
    uint8_t stage[N_STAGES];
    size_t n;
} stage_order;

static bool is(const char *name, size_t len, const char *word)
{
    return strlen(word) == len && memcmp(word, name, len) == 0;
}

static ingle_status add_stage(stage_order *out, const char *name, size_t len, ingle_error *err)
{
    int shown = len > 60 ? 60 : (int)len;
    for (uint8_t i = 0; i < N_STAGES; i++) {
        bool same = is(name, len, stage_names[i]);
        for (size_t a = 0; a < sizeof stage_aliases / sizeof *stage_aliases; a++)
            same = same || (stage_aliases[a].stage == i && is(name, len, stage_aliases[a].name));
        if (!same) continue;
        if (memchr(out->stage, i, out->n))
            return ingle_fail(err, INGLE_EINVAL, "order: stage '%.*s' appears twice", shown, name);
        out->stage[out->n++] = i;
        return INGLE_OK;
    }
    return ingle_fail(
        err, INGLE_EINVAL,
        "order: unknown stage '%.*s'; the stages are penalties, dry, top_n_sigma, top_k, "
        "typical_p, top_p, min_p, xtc, temperature",
        shown, name);
}

static ingle_status parse_order(stage_order *out, const char *order, ingle_error *err)
{
    out->n = 0;
    if (!order) { /* the enumeration is the default order */
        for (uint8_t i = 0; i < N_STAGES; i++) out->stage[out->n++] = i;
        return INGLE_OK;
    }
    if (!*order) return INGLE_OK;
    for (;;) {
        size_t len = strcspn(order, ";");
        ingle_status status = add_stage(out, order, len, err);
        if (status != INGLE_OK) return status;
        if (!order[len]) return INGLE_OK;
        order += len + 1;
    }
}

/* The caller's options over the defaults, everything checked; tokens against n_vocab. */
static ingle_status take(ingle_sampler_options *o, stage_order *order,
                         const ingle_sampler_options *opt, int32_t n_vocab, ingle_error *err)
{
    *o = default_options;
    ingle_status st = ingle_options_take(o, sizeof *o, opt, "the sampler", err);
    if (!st) st = check_ranges(o, err);
    if (!st) st = check_arrays(o, n_vocab, err);
    return st ? st : parse_order(order, o->order, err);
}

ingle_status ingle_sampler_options_check(const ingle_sampler_options *opt, ingle_error *err)
{
    ingle_sampler_options o;
    stage_order order;
    return take(&o, &order, opt, INT32_MAX, err);
}

ingle_status ingle_sample_options(ingle_sampler *s, const ingle_sampler_options *opt,
                                  ingle_error *err)
{
    stage_order order;
    ingle_status st = take(&s->opt, &order, opt, s->n_vocab, err);
    if (st) return st;
    memcpy(s->order, order.stage, sizeof s->order);
    s->n_order = order.n;
    return INGLE_OK;
}
