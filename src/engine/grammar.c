#include "engine/grammar.h"

#include "base/mem.h"

enum { FORCED_BYTES = 256 };

/* A model may spell bytes that must come in other tokens than the tokenizer. Then proposals only
 * cost rows; so they begin short, grow where all of their tokens are drawn, and rest for a while
 * where too few are. */
enum { PROPOSED_MIN = 4, PROPOSED_MAX = 64, REST_TOKENS = 64 };
static const float LEAST_TAKEN = 0.6f; /* of the proposed tokens, on average */

typedef struct ingle_grammar_constraint {
    ingle_constraint base;
    ingle_matcher *matcher;
    const ingle_vocab *vocab; /* its request keeps the model */
    int32_t proposed[PROPOSED_MAX];
    size_t n_proposed, n_taken;
    size_t most; /* tokens of the next proposal */
    float taken; /* of those proposed lately, a moving average */
    size_t rest; /* tokens to go until it proposes again */
} ingle_grammar_constraint;

static ingle_grammar_constraint *of(const ingle_constraint *c)
{
    return (ingle_grammar_constraint *)c;
}

static ingle_status mask(ingle_constraint *c, const uint32_t **bits, ingle_error *err)
{
    return ingle_matcher_mask(of(c)->matcher, bits, err);
}

/* The proposal is over: how much of it was drawn. */
static void judge(ingle_grammar_constraint *g)
{
    g->taken += 0.25f * ((float)g->n_taken / (float)g->n_proposed - g->taken);
    if (g->n_taken < g->n_proposed) g->most = PROPOSED_MIN;
    else if (g->most < PROPOSED_MAX) g->most *= 2;
    g->n_proposed = 0;
    if (g->taken >= LEAST_TAKEN) return;
    g->rest = REST_TOKENS;
    g->taken = LEAST_TAKEN; /* one more chance after that */
}

static ingle_status accept(ingle_constraint *c, int32_t token, ingle_error *err)
{
    ingle_grammar_constraint *g = of(c);
    ingle_status st = ingle_matcher_accept(g->matcher, token, err);
    if (st) return st;
    if (g->rest) g->rest--;
    if (!g->n_proposed) return INGLE_OK;
    bool same = g->proposed[g->n_taken] == token;
    g->n_taken += same;
    if (!same || g->n_taken == g->n_proposed) judge(g);
    return INGLE_OK;
}

/* The bytes that must come, as tokens: without the last one, which more text might make longer,
 * unless nothing follows. */
static size_t tokens_ahead(const ingle_constraint *c, int32_t *tokens, size_t cap)
{
    char bytes[FORCED_BYTES];
    bool whole = false;
    size_t n = ingle_matcher_forced(of(c)->matcher, bytes, sizeof bytes, &whole), n_tokens = 0;
    if (n < 2 || ingle_vocab_tokenize(of(c)->vocab, bytes, n, INGLE_CONTINUE, tokens, cap,
                                      &n_tokens, NULL) == INGLE_EINVAL)
        return 0;
    if (n_tokens > cap) return cap;
    return whole || !n_tokens ? n_tokens : n_tokens - 1;
}

static size_t propose(const ingle_constraint *c, int32_t *tokens, size_t cap)
{
    ingle_grammar_constraint *g = of(c);
    if (g->rest) return 0;
    size_t n = tokens_ahead(c, tokens, cap < g->most ? cap : g->most);
    g->n_proposed = n;
    g->n_taken = 0;
    memcpy(g->proposed, tokens, n * sizeof *tokens);
    return n;
}

static bool may_end(const ingle_constraint *c)
{
    return ingle_matcher_may_end(of(c)->matcher);
}

static bool must_end(const ingle_constraint *c)
{
    return ingle_matcher_must_end(of(c)->matcher);
}

static void free_grammar(ingle_constraint *c)
{
    ingle_matcher_close(of(c)->matcher);
    free(c);
}

static ingle_constraint *clone(const ingle_constraint *c);

static const ingle_constraint_ops ops = {.mask = mask,
                                         .accept = accept,
                                         .propose = propose,
                                         .may_end = may_end,
                                         .must_end = must_end,
                                         .clone = clone,
                                         .free = free_grammar};

static ingle_constraint *make(ingle_matcher *matcher, const ingle_vocab *vocab)
{
    ingle_grammar_constraint *g = matcher ? ingle_new(1, sizeof *g) : NULL;
    if (!g) {
        ingle_matcher_close(matcher);
        return NULL;
    }
    *g = (ingle_grammar_constraint){
        .base = {&ops}, .matcher = matcher, .vocab = vocab, .taken = 1, .most = PROPOSED_MIN};
    return &g->base;
}

static ingle_constraint *clone(const ingle_constraint *c)
{
    return make(ingle_matcher_clone(of(c)->matcher), of(c)->vocab);
}

ingle_status ingle_grammar_constrain(ingle_constraint **out, const ingle_grammar *grammar,
                                     const ingle_model *model, ingle_error *err)
{
    *out = NULL;
    if (grammar->model != model)
        return ingle_fail(err, INGLE_EINVAL, "option 'grammar' was opened %s",
                          grammar->model ? "for another model" : "without a model");
    *out = make(ingle_matcher_open(grammar->compiled->automaton), model->vocab);
    return *out ? INGLE_OK : ingle_fail(err, INGLE_ENOMEM, "no memory for a generation");
}
