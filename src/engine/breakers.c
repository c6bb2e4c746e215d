/* breakers.c - DRY breakers: texts to the token sequences that can spell them; and the sampler's
 * door, which needs them. */
#define _GNU_SOURCE
#include "base/options.h"
#include "engine/breakers.h"

#include "engine/engine.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* One text on its way. rest[i]: the tokens of text + i, found when first asked for. */
typedef struct finder {
    ingle_breaker_list *list;
    const ingle_vocab *v;
    const char *text;
    size_t len;
    int32_t *rest[INGLE_BREAKER_TEXT];
    size_t n_rest[INGLE_BREAKER_TEXT];
    ingle_error *err;
} finder;

static ingle_status no_memory(const finder *f)
{
    return ingle_fail(f->err, INGLE_ENOMEM, "no memory for DRY breakers");
}

/* head alone, or before the tokens of text + from. */
static ingle_status append(finder *f, int32_t head, size_t from)
{
    ingle_breaker_list *list = f->list;
    size_t n = from < f->len ? f->n_rest[from] : 0;
    if (!ingle_grow(&list->seq, &list->cap, list->n + 1, sizeof *list->seq)) return no_memory(f);
    int32_t *tokens = ingle_new(n + 1, sizeof *tokens);
    if (!tokens) return no_memory(f);
    tokens[0] = head;
    if (n) memcpy(tokens + 1, f->rest[from], n * sizeof *tokens);
    list->seq[list->n++] = (ingle_breaker){tokens, n + 1};
    return INGLE_OK;
}

static ingle_status find_rest(finder *f, size_t from)
{
    if (f->rest[from]) return INGLE_OK;
    size_t cap = f->len - from; /* a token has at least one byte */
    if (!(f->rest[from] = ingle_new(cap, sizeof(int32_t)))) return no_memory(f);
    return ingle_vocab_tokenize(f->v, f->text + from, f->len - from, INGLE_CONTINUE, f->rest[from],
                                cap, &f->n_rest[from], f->err);
}

static ingle_status look_at(finder *f, int32_t id, const char *piece, size_t len)
{
    if (memmem(piece, len, f->text, f->len)) return append(f, id, f->len);
    for (size_t n = 1; n < f->len && n <= len; n++) {
        if (memcmp(piece + len - n, f->text, n) != 0) continue;
        ingle_status st = find_rest(f, n);
        if (!st && f->n_rest[n]) st = append(f, id, n);
        if (st) return st;
    }
    return INGLE_OK;
}

static ingle_status get_piece(const ingle_vocab *v, int32_t id, char **piece, size_t *cap,
                              size_t *len, ingle_error *err)
{
    ingle_status st = ingle_vocab_piece(v, id, INGLE_UNPARSE_SPECIAL, *piece, *cap, len, err);
    if (st != INGLE_ERANGE) return st;
    if (!ingle_grow(piece, cap, *len, 1))
        return ingle_fail(err, INGLE_ENOMEM, "no memory for DRY breakers");
    return ingle_vocab_piece(v, id, INGLE_UNPARSE_SPECIAL, *piece, *cap, len, err);
}

static ingle_status look_at_all(finder *f, size_t n, const ingle_vocab *v, ingle_error *err)
{
    char *piece = NULL;
    size_t cap = 0, len;
    ingle_vocab_info info;
    ingle_vocab_info_get(v, &info);
    ingle_status st = INGLE_OK;
    for (int32_t id = 0; id < info.n_tokens && !st; id++) {
        st = get_piece(v, id, &piece, &cap, &len, err);
        for (size_t i = 0; i < n && !st; i++) st = look_at(&f[i], id, piece, len);
    }
    free(piece);
    return st;
}

ingle_status ingle_breakers_find(ingle_breaker_list *list, const ingle_vocab *v,
                                 const char *const *texts, size_t n, ingle_error *err)
{
    finder *f = ingle_new(n, sizeof *f);
    if (!f) return ingle_fail(err, INGLE_ENOMEM, "no memory for DRY breakers");
    ingle_status st = INGLE_OK;
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(texts[i]);
        f[i] = (finder){.list = list, .v = v, .text = texts[i], .len = len, .err = err};
    }
    if (!st) st = look_at_all(f, n, v, err);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < INGLE_BREAKER_TEXT; j++) free(f[i].rest[j]);
    free(f);
    if (st) ingle_breakers_free(list);
    return st;
}

void ingle_breakers_free(ingle_breaker_list *list)
{
    for (size_t i = 0; i < list->n; i++) free(list->seq[i].tokens);
    free(list->seq);
    *list = (ingle_breaker_list){0};
}

/* ---- the sampler's door ---- */

/* The caller's biases, and a ban of every token that the file suppresses, in *biases. A bias of
 * what is no token of the vocabulary is refused. */
static ingle_status add_suppressed(ingle_sampler_options *o, const ingle_vocab *v,
                                   ingle_logit_bias **biases, ingle_error *err)
{
    ingle_vocab_info info;
    ingle_vocab_info_get(v, &info);
    for (size_t i = 0; i < o->n_logit_bias; i++)
        if (o->logit_bias[i].token >= info.n_tokens)
            return ingle_fail(err, INGLE_EINVAL,
                              "logit_bias: token %d is outside the vocabulary of %d",
                              o->logit_bias[i].token, info.n_tokens);
    if (!info.n_suppressed) return INGLE_OK;
    size_t n = o->n_logit_bias;
    if (!(*biases = ingle_new(n + info.n_suppressed, sizeof **biases)))
        return ingle_fail(err, INGLE_ENOMEM, "no memory for the suppressed tokens");
    if (n) memcpy(*biases, o->logit_bias, n * sizeof **biases);
    for (size_t i = 0; i < info.n_suppressed; i++)
        (*biases)[n++] = (ingle_logit_bias){info.suppressed[i], -INFINITY};
    o->logit_bias = *biases;
    o->n_logit_bias = n;
    return INGLE_OK;
}

ingle_status ingle_sampler_make(ingle_sampler **out, const ingle_sampler_options *opt,
                                int32_t n_vocab, const ingle_model *model, ingle_error *err)
{
    ingle_sampler_options o;
    *out = NULL;
    ingle_sampler_options_init(&o);
    ingle_status st = ingle_sampler_options_check(opt, err);
    if (!st) st = ingle_options_take(&o, sizeof o, opt, "the sampler", err);
    if (st) return st;
    bool dry = o.dry_multiplier != 0 && o.n_dry_breakers && o.dry_breakers;
    const ingle_vocab *v = model ? model->vocab : NULL;
    if (dry && !v)
        return ingle_fail(err, INGLE_EINVAL,
                          "option 'dry_multiplier' needs a model with a vocabulary");
    ingle_logit_bias *biases = NULL;
    ingle_breaker_list list = {0};
    if (v) st = add_suppressed(&o, v, &biases, err);
    if (!st && dry) st = ingle_breakers_find(&list, v, o.dry_breakers, o.n_dry_breakers, err);
    if (!st) st = ingle_sampler_new(out, &o, n_vocab, list.seq, list.n, err);
    ingle_breakers_free(&list);
    free(biases);
    return st;
}

ingle_status ingle_sampler_open(ingle_sampler **out, const ingle_sampler_options *opt,
                                int32_t n_vocab, const ingle_model *model, ingle_error *err)
{
    if (!out) return ingle_fail(err, INGLE_EINVAL, "ingle_sampler_open: out is NULL");
    ingle_status st = ingle_sampler_make(out, opt, n_vocab, model, err);
    if (!st && (st = ingle_sampler_own_scratch(*out, err))) ingle_sampler_close(out);
    return st;
}
