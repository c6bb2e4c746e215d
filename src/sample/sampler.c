/* sampler.c - the public face: opening, the chain on one row of logits, the draw. */
#include "sample/sampler.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define VOCAB_MAX (1 << 24)

static ingle_status copy_bias(ingle_sampler *s, ingle_error *err)
{
    s->n_bias = s->opt.n_logit_bias;
    s->bias = ingle_new(s->n_bias, sizeof *s->bias);
    if (!s->bias) return ingle_fail(err, INGLE_ENOMEM, "no memory for %zu logit biases", s->n_bias);
    if (s->n_bias) memcpy(s->bias, s->opt.logit_bias, s->n_bias * sizeof *s->bias);
    return INGLE_OK;
}

static ingle_status new_buffers(ingle_sampler *s, ingle_error *err)
{
    size_t n = (size_t)s->n_vocab;
    s->cur = ingle_new(n, sizeof *s->cur);
    s->block = ingle_new(n, sizeof *s->tmp + sizeof *s->logits);
    if (!s->cur || !s->block)
        return ingle_fail(err, INGLE_ENOMEM, "no memory for a sampler over %d tokens",
                          (int)s->n_vocab);
    _Static_assert(sizeof(ingle_candidate) == sizeof(uint64_t) + sizeof(float), "out fills block");
    s->tmp = s->block;
    s->logits = (float *)(s->tmp + n);
    s->out = s->block;
    return INGLE_OK;
}

static void restart(ingle_sampler *s)
{
    ingle_rng_seed(&s->rng, s->opt.seed);
    s->mu = 2 * s->opt.mirostat_tau;
    s->drawn_weight = 1 / (1 - s->opt.adaptive_decay);
    s->drawn_sum = s->opt.adaptive_target * s->drawn_weight;
}

ingle_status ingle_sampler_new(ingle_sampler **out, const ingle_sampler_options *opt,
                               int32_t n_vocab, const ingle_breaker *breakers, size_t n_breakers,
                               ingle_error *err)
{
    if (!out) return ingle_fail(err, INGLE_EINVAL, "out is NULL");
    *out = NULL;
    if (n_vocab < 1 || n_vocab > VOCAB_MAX)
        return ingle_fail(err, INGLE_EINVAL, "n_vocab is %d: it must be 1 to %d", (int)n_vocab,
                          VOCAB_MAX);
    ingle_sampler *s = ingle_new(1, sizeof *s);
    if (!s) return ingle_fail(err, INGLE_ENOMEM, "no memory for a sampler");
    s->n_vocab = n_vocab;
    s->mirostat_m = 100;
    ingle_status status = ingle_sample_options(s, opt, err);
    if (status == INGLE_OK) status = copy_bias(s, err);
    if (status == INGLE_OK) status = ingle_sample_history_open(s, breakers, n_breakers, err);
    if (status == INGLE_OK) status = new_buffers(s, err);
    if (status != INGLE_OK) {
        ingle_sampler_close(&s);
        return status;
    }
    s->opt.logit_bias = NULL;
    s->opt.dry_breakers = NULL;
    s->opt.order = NULL;
    restart(s);
    *out = s;
    return INGLE_OK;
}

void ingle_sampler_close(ingle_sampler **sampler)
{
    if (!sampler || !*sampler) return;
    ingle_sampler *s = *sampler;
    ingle_sample_history_close(s);
    free(s->bias);
    free(s->banned);
    free(s->cur);
    free(s->block);
    free(s);
    *sampler = NULL;
}

static ingle_status closed(ingle_error *err)
{
    return ingle_fail(err, INGLE_ECLOSED, "the sampler is NULL or was closed");
}

int32_t ingle_sampler_n_vocab(const ingle_sampler *s)
{
    return s->n_vocab;
}

ingle_status ingle_sampler_ban(ingle_sampler *s, const int32_t *tokens, size_t n, ingle_error *err)
{
    if (!s) return closed(err);
    if (n && !tokens) return ingle_fail(err, INGLE_EINVAL, "tokens is NULL but n is not 0");
    for (size_t i = 0; i < n; i++)
        if (tokens[i] < 0 || tokens[i] >= s->n_vocab)
            return ingle_fail(err, INGLE_EINVAL, "banned token %d is outside the vocabulary of %d",
                              (int)tokens[i], (int)s->n_vocab);
    int32_t *copy = n ? ingle_new(n, sizeof *copy) : NULL; /* lifting cannot fail */
    if (n && !copy) return ingle_fail(err, INGLE_ENOMEM, "no memory for %zu banned tokens", n);
    if (n) memcpy(copy, tokens, n * sizeof *copy);
    free(s->banned);
    s->banned = copy;
    s->n_banned = n;
    return INGLE_OK;
}

ingle_status ingle_sampler_accept(ingle_sampler *sampler, int32_t token, ingle_error *err)
{
    if (!sampler) return closed(err);
    if (token < 0 || token >= sampler->n_vocab)
        return ingle_fail(err, INGLE_EINVAL, "token %d is outside the vocabulary of %d", (int)token,
                          (int)sampler->n_vocab);
    return ingle_sample_history_add(sampler, token, err);
}

ingle_status ingle_sampler_reset(ingle_sampler *sampler, ingle_error *err)
{
    if (!sampler) return closed(err);
    ingle_sample_history_clear(sampler);
    restart(sampler);
    return INGLE_OK;
}

/* Takes the row, adds the biases, drops the banned; refuses NaN and +inf. */
static ingle_status load(ingle_sampler *s, const float *logits, ingle_error *err)
{
    size_t n = (size_t)s->n_vocab;
    unsigned bad = 0, some = 0;
    for (size_t i = 0; i < n; i++) bad |= !(logits[i] < INFINITY);
    for (size_t i = 0; bad && i < n; i++)
        if (!(logits[i] < INFINITY))
            return ingle_fail(err, INGLE_EFORMAT, "logit of token %zu is %s", i,
                              isnan(logits[i]) ? "NaN" : "infinite");
    memcpy(s->logits, logits, n * sizeof *logits);
    for (size_t i = 0; i < s->n_bias; i++) /* up to 1e6 each: no finite logit overflows */
        s->logits[s->bias[i].token] += s->bias[i].bias;
    for (size_t i = 0; i < s->n_banned; i++) s->logits[s->banned[i]] = -INFINITY;
    for (size_t i = 0; i < n; i++) some |= s->logits[i] > -INFINITY;
    if (!some)
        return ingle_fail(err, INGLE_EINVAL,
                          "no token is left to draw: all %d are banned or have a logit of -inf",
                          (int)s->n_vocab);
    s->dense = true;
    s->filtered = false;
    s->n = n;
    return INGLE_OK;
}

static void run_filter(ingle_sampler *s, sample_stage which)
{
    const ingle_sampler_options *o = &s->opt;
    switch (which) {
    case STAGE_TOP_N_SIGMA:
        if (o->top_n_sigma > 0) ingle_sample_top_n_sigma(s);
        break;
    case STAGE_TOP_K:
        if (o->top_k > 0) ingle_sample_top_k(s, (size_t)o->top_k);
        break;
    case STAGE_TYPICAL_P:
        if (o->typical_p < 1) ingle_sample_typical_p(s);
        break;
    case STAGE_TOP_P:
        if (o->top_p < 1) ingle_sample_top_p(s);
        break;
    case STAGE_MIN_P:
        if (o->min_p > 0) ingle_sample_min_p(s);
        break;
    case STAGE_XTC:
        if (o->xtc_probability > 0 && o->xtc_threshold <= 0.5f) ingle_sample_xtc(s);
        break;
    default: break;
    }
}

static void run_chain(ingle_sampler *s)
{
    bool filters = s->opt.temperature > 0 && s->opt.mirostat == 0;
    for (size_t i = 0; i < s->n_order; i++) {
        sample_stage which = (sample_stage)s->order[i];
        if (which == STAGE_PENALTIES) ingle_sample_penalties(s);
        else if (which == STAGE_DRY) ingle_sample_dry(s);
        else if (which == STAGE_TEMPERATURE && s->opt.temperature > 0) ingle_sample_temperature(s);
        else if (filters) run_filter(s, which);
    }
    if (s->opt.temperature == 0) ingle_sample_greedy(s);
    else if (s->opt.mirostat) ingle_sample_mirostat(s);
    else if (s->opt.adaptive_target >= 0) ingle_sample_adaptive(s);
}

static ingle_candidate candidate(int32_t token, float logit, sample_softmax m)
{
    return (ingle_candidate){token, logit, (float)((double)ingle_weight(logit - m.max) / m.sum)};
}

/* logits and tmp are overwritten by out, so everything goes through cur first. */
static void write_out(ingle_sampler *s, sample_softmax m)
{
    if (s->dense) {
        s->n = 0;
        for (size_t i = 0; i < (size_t)s->n_vocab; i++)
            if (s->logits[i] > -INFINITY) s->cur[s->n++] = ingle_key(s->logits[i], (uint32_t)i);
        s->dense = false;
    }
    if (s->filtered) ingle_sort_keys(s->cur, s->tmp, s->n);
    for (size_t i = 0; i < s->n; i++)
        s->out[i] = candidate((int32_t)ingle_key_index(s->cur[i]), logit_at(s, i), m);
}

ingle_status ingle_sampler_apply(ingle_sampler *sampler, const float *logits,
                                 const ingle_candidate **cand, size_t *n, ingle_error *err)
{
    if (!sampler) return closed(err);
    if (!logits || !cand || !n) return ingle_fail(err, INGLE_EINVAL, "logits, cand or n is NULL");
    ingle_status status = load(sampler, logits, err);
    if (status != INGLE_OK) return status;
    ingle_rng before = sampler->rng; /* shows what the next sample will draw from */
    run_chain(sampler);
    sampler->rng = before;
    write_out(sampler, ingle_sample_softmax(sampler));
    *cand = sampler->out;
    *n = sampler->n;
    return INGLE_OK;
}

/* The first candidate, in token order, at which the running sum of weights passes u times their
 * total. */
static ingle_candidate draw(ingle_sampler *s)
{
    sample_softmax m = ingle_sample_softmax(s);
    double target = ingle_rng_uniform(&s->rng) * m.sum, sum = 0;
    int32_t token = -1;
    float logit = 0;
    for (size_t i = 0; i < s->n; i++) {
        while (s->dense && i % 64 == 0 && i + 64 < s->n) { /* a row is passed over by blocks */
            double block = ingle_row_mass(s->logits + i, 64, m.max);
            if (sum + block > target) break;
            sum += block;
            i += 64;
        }
        float l = s->dense ? s->logits[i] : logit_at(s, i);
        float w = ingle_weight(l - m.max);
        if (!(w > 0)) continue;
        token = s->dense ? (int32_t)i : (int32_t)ingle_key_index(s->cur[i]);
        logit = l;
        sum += (double)w;
        if (sum > target) break;
    }
    return candidate(token, logit, m);
}

ingle_status ingle_sampler_sample(ingle_sampler *sampler, const float *logits, ingle_candidate *out,
                                  ingle_error *err)
{
    if (!sampler) return closed(err);
    if (!logits || !out) return ingle_fail(err, INGLE_EINVAL, "logits or out is NULL");
    ingle_status status = load(sampler, logits, err);
    if (status != INGLE_OK) return status;
    run_chain(sampler);
    *out = draw(sampler);
    if (sampler->opt.mirostat && sampler->opt.temperature > 0)
        ingle_sample_mirostat_learn(sampler, out->prob);
    if (sampler->opt.adaptive_target >= 0 && sampler->opt.temperature > 0) {
        sampler->drawn_sum =
            sampler->logits[out->token] + sampler->opt.adaptive_decay * sampler->drawn_sum;
        sampler->drawn_weight = 1 + sampler->opt.adaptive_decay * sampler->drawn_weight;
    }
    return INGLE_OK;
}
