/* draw.c - from one row of logits to one token: the mask, the chain, the draw. */
#include "sample/sampler.h"

#include <math.h>
#include <string.h>

/* ---- taking a row ---------------------------------------------------------------------------- */

static ingle_status check_row(const float *logits, size_t n, ingle_error *err)
{
    unsigned bad = 0;
    for (size_t i = 0; i < n; i++) bad |= !(logits[i] < INFINITY);
    for (size_t i = 0; bad && i < n; i++)
        if (!(logits[i] < INFINITY))
            return ingle_fail(err, INGLE_EFORMAT, "logit of token %zu is %s", i,
                              isnan(logits[i]) ? "NaN" : "infinite");
    return INGLE_OK;
}

static bool admitted(const uint32_t *mask, size_t token)
{
    return mask[token / 32] >> token % 32 & 1;
}

/* Without a branch, as masks of grammars are anything. */
static void copy_masked(float *to, const float *from, const uint32_t *mask, size_t n)
{
    static const uint32_t bit[32] = {
        1u << 0,  1u << 1,  1u << 2,  1u << 3,  1u << 4,  1u << 5,  1u << 6,  1u << 7,
        1u << 8,  1u << 9,  1u << 10, 1u << 11, 1u << 12, 1u << 13, 1u << 14, 1u << 15,
        1u << 16, 1u << 17, 1u << 18, 1u << 19, 1u << 20, 1u << 21, 1u << 22, 1u << 23,
        1u << 24, 1u << 25, 1u << 26, 1u << 27, 1u << 28, 1u << 29, 1u << 30, 1u << 31};
    const uint32_t minus_infinity = 0xff800000u;
    size_t i = 0;
    for (; i + 32 <= n; i += 32) {
        uint32_t u[32], word = mask[i / 32];
        memcpy(u, from + i, sizeof u);
        for (size_t j = 0; j < 32; j++) {
            uint32_t keep = 0u - (uint32_t)((word & bit[j]) == bit[j]);
            u[j] = (u[j] & keep) | (minus_infinity & ~keep);
        }
        memcpy(to + i, u, sizeof u);
    }
    for (; i < n; i++) to[i] = admitted(mask, i) ? from[i] : -INFINITY;
}

static ingle_status nothing_left(const ingle_sampler *s, const uint32_t *mask, ingle_error *err)
{
    return ingle_fail(err, INGLE_EINVAL,
                      "no token is left to draw: all %d are %sbanned or have a logit of -inf",
                      (int)s->n_vocab, mask ? "outside the mask, " : "");
}

/* Takes the row, adds the biases, drops those outside the mask and the banned; refuses NaN and
 * +inf. */
static ingle_status load(const ingle_sampler *s, ingle_sample_scratch *x, const float *logits,
                         const uint32_t *mask, ingle_error *err)
{
    size_t n = (size_t)s->n_vocab;
    unsigned some = 0;
    ingle_status st = check_row(logits, n, err);
    if (st) return st;
    if (mask) copy_masked(x->logits, logits, mask, n);
    else memcpy(x->logits, logits, n * sizeof *logits);
    for (size_t i = 0; i < s->n_bias; i++) /* up to 1e6 each: no finite logit overflows */
        x->logits[s->bias[i].token] += s->bias[i].bias;
    for (size_t i = 0; i < s->n_banned; i++) x->logits[s->banned[i]] = -INFINITY;
    for (size_t i = 0; i < n; i++) some |= x->logits[i] > -INFINITY;
    if (!some) return nothing_left(s, mask, err);
    x->dense = true;
    x->filtered = false;
    x->n = n;
    return INGLE_OK;
}

/* ---- the chain ------------------------------------------------------------------------------- */

static void run_filter(ingle_sampler *s, ingle_sample_scratch *x, sample_stage which)
{
    const ingle_sampler_options *o = &s->opt;
    switch (which) {
    case STAGE_TOP_N_SIGMA:
        if (o->top_n_sigma > 0) ingle_sample_top_n_sigma(s, x);
        break;
    case STAGE_TOP_K:
        if (o->top_k > 0) ingle_sample_top_k(x, (size_t)o->top_k);
        break;
    case STAGE_TYPICAL_P:
        if (o->typical_p < 1) ingle_sample_typical_p(s, x);
        break;
    case STAGE_TOP_P:
        if (o->top_p < 1) ingle_sample_top_p(s, x);
        break;
    case STAGE_MIN_P:
        if (o->min_p > 0) ingle_sample_min_p(s, x);
        break;
    case STAGE_XTC:
        if (o->xtc_probability > 0 && o->xtc_threshold <= 0.5f) ingle_sample_xtc(s, x);
        break;
    default: break;
    }
}

static void run_chain(ingle_sampler *s, ingle_sample_scratch *x)
{
    bool filters = s->opt.temperature > 0 && s->opt.mirostat == 0;
    for (size_t i = 0; i < s->n_order; i++) {
        sample_stage which = (sample_stage)s->order[i];
        if (which == STAGE_PENALTIES) ingle_sample_penalties(s, x);
        else if (which == STAGE_DRY) ingle_sample_dry(s, x);
        else if (which == STAGE_TEMPERATURE && s->opt.temperature > 0)
            ingle_sample_temperature(s, x);
        else if (filters) run_filter(s, x, which);
    }
    if (s->opt.temperature == 0) ingle_sample_greedy(x);
    else if (s->opt.mirostat) ingle_sample_mirostat(s, x);
    else if (s->opt.adaptive_target >= 0) ingle_sample_adaptive(s, x);
}

static ingle_candidate candidate(int32_t token, float logit, sample_softmax m)
{
    return (ingle_candidate){token, logit, (float)((double)ingle_weight(logit - m.max) / m.sum)};
}

/* logits and tmp are overwritten by out, so everything goes through cur first. */
static void write_out(ingle_sample_scratch *x, sample_softmax m)
{
    if (x->dense) {
        size_t n = 0;
        for (size_t i = 0; i < x->n; i++)
            if (x->logits[i] > -INFINITY) x->cur[n++] = ingle_key(x->logits[i], (uint32_t)i);
        x->n = n;
        x->dense = false;
    }
    if (x->filtered) ingle_sort_keys(x->cur, x->tmp, x->n);
    for (size_t i = 0; i < x->n; i++)
        x->out[i] = candidate((int32_t)ingle_key_index(x->cur[i]), logit_at(x, i), m);
}

ingle_status ingle_sampler_apply(ingle_sampler *sampler, const float *logits,
                                 const ingle_candidate **cand, size_t *n, ingle_error *err)
{
    ingle_status status = ingle_sampler_own_scratch(sampler, err);
    if (status != INGLE_OK) return status;
    if (!logits || !cand || !n) return ingle_fail(err, INGLE_EINVAL, "logits, cand or n is NULL");
    ingle_sample_scratch *x = sampler->own;
    status = load(sampler, x, logits, NULL, err);
    if (status != INGLE_OK) return status;
    ingle_rng before = sampler->rng; /* shows what the next sample will draw from */
    run_chain(sampler, x);
    sampler->rng = before;
    write_out(x, ingle_sample_softmax(x));
    *cand = x->out;
    *n = x->n;
    return INGLE_OK;
}

/* ---- the draw -------------------------------------------------------------------------------- */

/* The first candidate, in token order, at which the running sum of weights passes u times their
 * total. */
static ingle_candidate draw(ingle_sampler *s, const ingle_sample_scratch *x)
{
    sample_softmax m = ingle_sample_softmax(x);
    double target = ingle_rng_uniform(&s->rng) * m.sum, sum = 0;
    int32_t token = -1;
    float logit = 0;
    for (size_t i = 0; i < x->n; i++) {
        while (x->dense && i % 64 == 0 && i + 64 < x->n) { /* a row is passed over by blocks */
            double block = ingle_row_mass(x->logits + i, 64, m.max);
            if (sum + block > target) break;
            sum += block;
            i += 64;
        }
        float l = x->dense ? x->logits[i] : logit_at(x, i);
        float w = ingle_weight(l - m.max);
        if (!(w > 0)) continue;
        token = x->dense ? (int32_t)i : (int32_t)ingle_key_index(x->cur[i]);
        logit = l;
        sum += (double)w;
        if (sum > target) break;
    }
    return candidate(token, logit, m);
}

/* The state that follows what was drawn. */
static void learn(ingle_sampler *s, const ingle_sample_scratch *x, ingle_candidate drawn)
{
    const ingle_sampler_options *o = &s->opt;
    if (o->temperature == 0) return;
    if (o->mirostat) ingle_sample_mirostat_learn(s, drawn.prob);
    if (o->adaptive_target < 0) return;
    s->drawn_sum = x->logits[drawn.token] + o->adaptive_decay * s->drawn_sum;
    s->drawn_weight = 1 + o->adaptive_decay * s->drawn_weight;
}

/* The only token of the mask; -1 if it has none or several. */
static int32_t only_token(const uint32_t *mask, size_t n_vocab)
{
    int32_t token = -1;
    for (size_t i = 0; i * 32 < n_vocab; i++) {
        uint32_t word = mask[i];
        if (n_vocab - i * 32 < 32) word &= (1u << (n_vocab - i * 32)) - 1;
        if (!word) continue;
        if (token >= 0 || (word & (word - 1))) return -1;
        token = (int32_t)i * 32 + __builtin_ctz(word);
    }
    return token;
}

/* Nothing is drawn and nothing learnt, so that a forced token leaves the same state whether its
 * logits were computed or not. */
static ingle_status force(const ingle_sampler *s, const float *logits, const uint32_t *mask,
                          int32_t token, ingle_candidate *out, ingle_error *err)
{
    float logit = logits[token];
    if (!(logit < INFINITY))
        return ingle_fail(err, INGLE_EFORMAT, "logit of token %d is %s", (int)token,
                          isnan(logit) ? "NaN" : "infinite");
    for (size_t i = 0; i < s->n_bias; i++)
        if (s->bias[i].token == token) logit += s->bias[i].bias;
    for (size_t i = 0; i < s->n_banned; i++)
        if (s->banned[i] == token) logit = -INFINITY;
    if (!(logit > -INFINITY)) return nothing_left(s, mask, err);
    *out = (ingle_candidate){token, logit, 1};
    return INGLE_OK;
}

ingle_status ingle_sampler_draw(ingle_sampler *s, ingle_sample_scratch *x, const float *logits,
                                const uint32_t *mask, ingle_candidate *out, ingle_error *err)
{
    if (!s) return ingle_fail(err, INGLE_ECLOSED, "the sampler is NULL or was closed");
    if (!x || !logits || !out)
        return ingle_fail(err, INGLE_EINVAL, "scratch, logits or out is NULL");
    if (x->cap < (size_t)s->n_vocab)
        return ingle_fail(err, INGLE_EINVAL, "the scratch is for %zu tokens, the sampler for %d",
                          x->cap, (int)s->n_vocab);
    int32_t only = mask ? only_token(mask, (size_t)s->n_vocab) : -1;
    if (only >= 0) return force(s, logits, mask, only, out, err);
    ingle_status status = load(s, x, logits, mask, err);
    if (status != INGLE_OK) return status;
    run_chain(s, x);
    *out = draw(s, x);
    learn(s, x, *out);
    return INGLE_OK;
}

ingle_status ingle_sampler_sample(ingle_sampler *sampler, const float *logits, ingle_candidate *out,
                                  ingle_error *err)
{
    ingle_status status = ingle_sampler_own_scratch(sampler, err);
    if (status != INGLE_OK) return status;
    return ingle_sampler_draw(sampler, sampler->own, logits, NULL, out, err);
}
