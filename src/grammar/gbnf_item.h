/* gbnf_item.h - the smallest parts of a GBNF grammar: characters and their escapes, classes,
 * tokens, counts, white space (gbnf.h).
 * Owns       nothing.
 * Depends on grammar/source.h, grammar/gbnf.h. */
#ifndef INGLE_GRAMMAR_GBNF_ITEM_H
#define INGLE_GRAMMAR_GBNF_ITEM_H

#include "grammar/gbnf.h"
#include "grammar/source.h"

static inline bool ingle_gbnf_is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
}

/* Goes past blanks, tabs and comments, and past ends of lines if `lines`. */
void ingle_gbnf_skip_space(ingle_source *s, bool lines);

/* A character of a string or a class, or an escape. The text has not ended. */
ingle_status ingle_gbnf_char(ingle_source *s, uint32_t *code);
/* [...] */
ingle_status ingle_gbnf_class(ingle_source *s, ingle_terms *t, ingle_term *out);
/* <text>, <[1000]>, !<text>, !<[1000]> */
ingle_status ingle_gbnf_token(ingle_source *s, ingle_terms *t, const ingle_token_names *names,
                              ingle_term *out);
/* * + ? {2} {2,} {2,5} */
ingle_status ingle_gbnf_counts(ingle_source *s, bool lines, uint32_t *min, uint32_t *max);

#endif
