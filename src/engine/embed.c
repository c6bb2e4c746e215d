/* embed.c - texts to vectors: a text is a task like any other, whose rows are hidden states; the
 * backend pools them, and the session forgets the text's positions at once. */
#include "engine/engine.h"

#include "base/options.h"

#include <math.h>
#include <stdlib.h>

static const ingle_embed_options default_options = {.size = sizeof default_options,
                                                    .normalize = true};

void ingle_embed_options_init_sized(ingle_embed_options *opt, size_t size)
{
    ingle_options_fill(opt, size, &default_options, sizeof default_options);
}

const char *ingle_pooling_name(ingle_pooling pooling)
{
    static const char *const names[] = {"auto", "none", "mean", "cls", "last", "rank"};
    return (unsigned)pooling < sizeof names / sizeof names[0] ? names[pooling] : NULL;
}

static ingle_status check_pooling(const ingle_model *m, ingle_pooling *pooling, ingle_error *err)
{
    if ((unsigned)*pooling > INGLE_POOLING_RANK)
        return ingle_fail(err, INGLE_EINVAL, "option 'pooling' is %d, should be 0 to %d",
                          (int)*pooling, (int)INGLE_POOLING_RANK);
    if (*pooling == INGLE_POOLING_AUTO) *pooling = ingle_model_pooling(m);
    if (*pooling == INGLE_POOLING_RANK && !m->program.plan.n_rank)
        return ingle_fail(err, INGLE_EUNSUPPORTED,
                          "pooling 'rank': the model has no classifier (tensors cls.*)");
    return INGLE_OK;
}

/* Whether a text is read in both directions. Where the model is made for that nothing is refused. */
static ingle_status check_attention(const ingle_model *m, ingle_attention attention, bool *both,
                                    ingle_error *err)
{
    const char *why =
        m->program.plan.n_state ? "are recurrent and read from the first token to the last"
        : m->hp.chunked         ? "see chunks of positions, each up to the token and no further"
                                : NULL;
    if ((unsigned)attention > INGLE_ATTENTION_BOTH)
        return ingle_fail(err, INGLE_EINVAL, "option 'attention' is %d, should be 0 to %d",
                          (int)attention, (int)INGLE_ATTENTION_BOTH);
    *both = attention == INGLE_ATTENTION_AUTO ? !m->hp.causal : attention == INGLE_ATTENTION_BOTH;
    if (!*both || !m->hp.causal || !why) return INGLE_OK;
    return ingle_fail(err, INGLE_EUNSUPPORTED, "attention 'both': layers of family '%s' %s",
                      m->family->name, why);
}

/* Room for the text's vectors and the sum, all zero; NULL without memory. */
static float *reserve(const ingle_session *s, size_t n_rows, size_t n_vector)
{
    size_t n;
    bool fits =
        ingle_mul_ok(n_rows, n_vector, &n) && ingle_add_ok(n, s->engine->model->hp.n_embd, &n);
    return fits ? ingle_new(n, sizeof(float)) : NULL;
}

static ingle_status prepare(const ingle_text *text, ingle_pooling pooling, bool both,
                            ingle_error *err)
{
    ingle_session *s = text->session;
    const ingle_engine *e = s->engine;
    const ingle_plan *plan = &e->model->program.plan;
    bool each = pooling == INGLE_POOLING_NONE;
    size_t n_vector = each                            ? e->model->hp.n_embd
                      : pooling == INGLE_POOLING_RANK ? plan->n_rank
                                                      : plan->n_vector;
    if (s->n)
        return ingle_fail(err, INGLE_EINVAL,
                          "a session that embeds is empty; this holds %zu tokens", s->n);
    if (text->n_first > text->n)
        return ingle_fail(err, INGLE_EINVAL, "n_first is %zu, the text has %zu tokens",
                          text->n_first, text->n);
    if (text->n_first && plan->n_segments < 2)
        return ingle_fail(err, INGLE_EUNSUPPORTED,
                          "n_first is %zu: the model tells no segments apart (tensor "
                          "'token_types.weight')",
                          text->n_first);
    if (both && text->n > (size_t)e->opt.n_batch)
        return ingle_fail(err, INGLE_EFULL,
                          "a text of %zu tokens: %s, so it has to fit a batch, and 'n_batch' is %d",
                          text->n,
                          e->model->hp.causal ? "attention 'both' reads it as a whole"
                                              : "the model reads a text as a whole",
                          e->opt.n_batch);
    if (!text->n) return ingle_fail(err, INGLE_EINVAL, "no tokens to embed");
    ingle_status st = ingle_session_check(s, text->tokens, text->n, err);
    if (st) return st;
    ingle_embed_task own = {.n_vectors = each ? text->n : 1,
                            .n_vector = n_vector,
                            .n_first = text->n_first,
                            .pooling = pooling,
                            .both = both};
    if (!(own.fresh = reserve(s, own.n_vectors, n_vector)))
        return ingle_fail(err, INGLE_ENOMEM, "no memory for %zu vectors of %zu", own.n_vectors,
                          n_vector);
    ingle_engine_lock(s->engine);
    ingle_task_prepare(s, INGLE_TASK_EMBED, text->tokens, text->n);
    s->task.embed = own;
    s->task.prepared = true;
    ingle_engine_unlock(s->engine);
    return INGLE_OK;
}

/* To length 1; false if a value is no number. */
static bool to_length(float *v, size_t n, bool normalize)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (double)v[i] * (double)v[i];
    if (!isfinite(sum)) return false;
    double by = normalize && sum > 0 ? 1 / sqrt(sum) : 1;
    for (size_t i = 0; i < n; i++) v[i] = (float)((double)v[i] * by);
    return true;
}

/* The vectors of text i as the caller wants them. */
static ingle_status finish(const ingle_session *s, size_t i, bool normalize, ingle_error *err)
{
    const ingle_embed_task *t = &s->task.embed;
    if (t->pooling == INGLE_POOLING_RANK) normalize = false;
    for (size_t r = 0; r < t->n_vectors; r++)
        if (!to_length(t->fresh + r * t->n_vector, t->n_vector, normalize))
            return ingle_fail(err, INGLE_EFORMAT,
                              "the vector of text %zu holds a value that is no number", i);
    return INGLE_OK;
}

ingle_status ingle_sessions_embed(const ingle_text *texts, size_t n, const ingle_embed_options *opt,
                                  ingle_error *err)
{
    ingle_embed_options o = default_options;
    ingle_call call = {0};
    bool both = false;
    if (!texts || !n) return ingle_fail(err, INGLE_EINVAL, "no texts to embed");
    ingle_status st = ingle_options_take(&o, sizeof o, opt, "embedding", err);
    for (size_t i = 0; !st && i < n; i++) st = ingle_call_enter(&call, texts[i].session, err);
    if (!st) st = check_pooling(texts[0].session->engine->model, &o.pooling, err);
    if (!st) st = check_attention(texts[0].session->engine->model, o.attention, &both, err);
    for (size_t i = 0; !st && i < n; i++) st = prepare(&texts[i], o.pooling, both, err);
    if (!st) st = ingle_call_run(&call, err);
    for (size_t i = 0; !st && i < n; i++) st = finish(texts[i].session, i, o.normalize, err);
    ingle_call_end(&call, st);
    return st;
}

ingle_status ingle_session_embed(ingle_session *s, const int32_t *tokens, size_t n,
                                 const ingle_embed_options *opt, ingle_error *err)
{
    const ingle_text text = {.session = s, .tokens = tokens, .n = n};
    return ingle_sessions_embed(&text, 1, opt, err);
}

ingle_status ingle_session_embedding(const ingle_session *s, size_t i_row, const float **vector,
                                     size_t *n, ingle_error *err)
{
    ingle_status st = ingle_session_ask(s, err);
    if (st) return st;
    if (!vector) st = ingle_fail(err, INGLE_EINVAL, "ingle_session_embedding: vector is NULL");
    else if (i_row >= s->n_vectors)
        st = ingle_fail(err, INGLE_ENOTFOUND, "row %zu: the session holds %zu vectors", i_row,
                        s->n_vectors);
    else {
        *vector = s->vectors + i_row * s->n_vector;
        if (n) *n = s->n_vector;
    }
    ingle_session_asked(s);
    return st;
}
