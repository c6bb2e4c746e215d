/* regex_lang.h - the texts that a part of a pattern matches. With anchors in it they depend on
 * where the match lies: whether text comes before it, and after it. So there are four languages;
 * parts without anchors have the same one four times, and cost no more than one.
 * Owns       nothing.
 * Depends on grammar/table.h. */
#ifndef INGLE_GRAMMAR_REGEX_LANG_H
#define INGLE_GRAMMAR_REGEX_LANG_H

#include "grammar/term.h"

typedef struct regex_lang {
    ingle_term t[2][2]; /* [some text comes before it][some text comes after it] */
} regex_lang;

typedef struct regex_langs {
    ingle_terms *t;
    ingle_term any, some; /* any number of characters; one or more of them */
} regex_langs;

regex_lang ingle_regex_same(ingle_term e); /* wherever it lies */
bool ingle_regex_is_same(const regex_lang *l);
regex_lang ingle_regex_anchor(bool begin); /* the empty text, where it is ^ or $ */
regex_lang ingle_regex_join(const regex_langs *x, const regex_lang *a, const regex_lang *b);
regex_lang ingle_regex_times(const regex_langs *x, const regex_lang *e, uint32_t min, uint32_t max);

/* The texts that begin with one of `look`, which no text that follows can change, or those that do
 * not; those that end so, or do not. */
regex_lang ingle_regex_ahead(const regex_langs *x, const regex_lang *e, const regex_lang *look,
                             bool negative);
regex_lang ingle_regex_behind(const regex_langs *x, const regex_lang *e, const regex_lang *look,
                              bool negative);

/* The texts of e but the empty one. */
ingle_term ingle_regex_some(const regex_langs *x, ingle_term e);

#endif
