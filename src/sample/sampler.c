/* sampler.c - the life of a sampler: opening, cloning, history, bans. The draw is in draw.c. */
#include "sample/sampler.h"

#include "base/mem.h"

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
    ingle_sample_scratch_free(s->own);
    free(s);
    *sampler = NULL;
}

static ingle_status closed(ingle_error *err)
{
    return ingle_fail(err, INGLE_ECLOSED, "the sampler is NULL or was closed");
}

/* Buffers of its own for s, a bitwise copy of `from`; on failure it has none of `from`. */
static ingle_status clone_buffers(ingle_sampler *s, const ingle_sampler *from, ingle_error *err)
{
    s->own = NULL;
    s->bias = ingle_new(s->n_bias, sizeof *s->bias);
    s->banned = s->n_banned ? ingle_new(s->n_banned, sizeof *s->banned) : NULL;
    ingle_status st = ingle_sample_history_clone(s, from, err);
    if (!st && (!s->bias || (s->n_banned && !s->banned)))
        st = ingle_fail(err, INGLE_ENOMEM, "no memory for a sampler");
    if (st) return st;
    if (s->n_bias) memcpy(s->bias, from->bias, s->n_bias * sizeof *s->bias);
    if (s->n_banned) memcpy(s->banned, from->banned, s->n_banned * sizeof *s->banned);
    return INGLE_OK;
}

ingle_status ingle_sampler_clone(ingle_sampler **out, const ingle_sampler *s, uint64_t seed_plus,
                                 ingle_error *err)
{
    if (!out) return ingle_fail(err, INGLE_EINVAL, "out is NULL");
    *out = NULL;
    if (!s) return closed(err);
    ingle_sampler *copy = ingle_new(1, sizeof *copy);
    if (!copy) return ingle_fail(err, INGLE_ENOMEM, "no memory for a sampler");
    *copy = *s;
    ingle_status st = clone_buffers(copy, s, err);
    if (st) {
        ingle_sampler_close(&copy);
        return st;
    }
    copy->opt.seed += seed_plus;
    if (seed_plus) ingle_rng_seed(&copy->rng, copy->opt.seed);
    *out = copy;
    return INGLE_OK;
}

ingle_status ingle_sampler_reserve(ingle_sampler *s, size_t n_tokens, ingle_error *err)
{
    if (!s) return closed(err);
    size_t n;
    if (!ingle_add_ok(s->hist.n, n_tokens, &n)) n = SIZE_MAX;
    return ingle_sample_history_reserve(s, n, err);
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
