/* grammar.h - grammars of a model, from inside.
 * Owns       a grammar: what was compiled, and a reference to its model.
 * Depends on model/model.h, model/grammar_shelf.h, grammar/. */
#ifndef INGLE_MODEL_GRAMMAR_H
#define INGLE_MODEL_GRAMMAR_H

#include "grammar/gbnf.h"
#include "model/grammar_shelf.h"
#include "model/model.h"

struct ingle_grammar {
    ingle_model *model; /* NULL: there are no tokens */
    ingle_compiled *compiled;
};

struct ingle_grammar_state {
    ingle_model *model;
    ingle_matcher *matcher;
};

/* What is to be compiled: its parts, which say all of it, so that equal ones are found again. */
typedef struct ingle_grammar_source {
    char kind; /* of the calls that open grammars */
    const ingle_string *parts;
    size_t n_parts;
    ingle_status (*compile)(const struct ingle_grammar_source *s, ingle_terms *t,
                            const ingle_grammar_options *opt, const ingle_token_names *names,
                            ingle_notes *dropped, ingle_term *root, ingle_error *err);
    const void *more; /* of compile */
} ingle_grammar_source;

ingle_status ingle_grammar_open(ingle_grammar **out, ingle_model *model,
                                const ingle_grammar_source *source,
                                const ingle_grammar_options *opt, ingle_error *err);

#endif
