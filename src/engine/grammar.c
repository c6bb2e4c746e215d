#include "engine/grammar.h"

#include "base/mem.h"

enum { FORCED_BYTES = 256 };

typedef struct ingle_grammar_constraint {
    ingle_constraint base;
    ingle_matcher *matcher;
    const ingle_vocab *vocab; /* its request keeps the model */
} ingle_grammar_constraint;

static ingle_grammar_constraint *of(const ingle_constraint *c)
{
    return (ingle_grammar_constraint *)c;
}

static ingle_status mask(ingle_constraint *c, const uint32_t **bits, ingle_error *err)
{
    return ingle_matcher_mask(of(c)->matcher, bits, err);
}

static bool accept(ingle_constraint *c, int32_t token)
{
    return ingle_matcher_accept(of(c)->matcher, token, NULL) == INGLE_OK;
}

/* The bytes that must come, as tokens: without the last one, which more text might make longer,
 * unless nothing follows. */
static size_t propose(const ingle_constraint *c, int32_t *tokens, size_t cap)
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
    *g = (ingle_grammar_constraint){{&ops}, matcher, vocab};
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
