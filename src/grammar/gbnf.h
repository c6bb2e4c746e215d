/* gbnf.h - grammars as llama.cpp writes them (GBNF), compiled to terms.
 * Owns       nothing: all it makes belongs to the table of terms.
 * Depends on grammar/term.h. Syntax: grammars/README.md of llama.cpp.
 *
 * Three things differ. Counts are exact, however large. What llama.cpp takes in silence is refused:
 * a rule defined twice (there the last one counts), a class without characters, halves of surrogate
 * pairs. And a line that begins with '|' goes on with the rule before it. */
#ifndef INGLE_GRAMMAR_GBNF_H
#define INGLE_GRAMMAR_GBNF_H

#include "grammar/term.h"

#define INGLE_GBNF_MAX_BYTES ((size_t)8 << 20)
#define INGLE_GBNF_MAX_RULES ((size_t)100000)

/* How a vocabulary's tokens are found by their text; NULL where there is no vocabulary. */
typedef struct ingle_token_names {
    int32_t (*find)(const void *self, const char *text, size_t len); /* -1: none */
    const void *self;
    int32_t n_tokens;
} ingle_token_names;

/* *root becomes the rule `root`; ingle_terms_finish() follows when all is made. Without names,
 * <text> means these bytes, its angle brackets too, and <[1000]>, !<text> are INGLE_EUNSUPPORTED.
 * INGLE_EFORMAT names line and column, what was found there, and what was expected. */
ingle_status ingle_gbnf_compile(ingle_terms *t, const char *text, size_t len,
                                const ingle_token_names *names, ingle_term *root, ingle_error *err);

#endif
