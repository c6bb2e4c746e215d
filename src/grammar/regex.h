/* regex.h - patterns as ECMA-262 writes them (flag u), compiled to terms.
 * Owns       nothing: all it makes belongs to the table of terms.
 * Depends on grammar/term.h, utf8proc for \p{...}.
 *
 * The result is exact or there is none. Anchors may be anywhere. What looks ahead may be anywhere
 * but in a group that repeats more than 16 times, unless it looks no farther than that group's own
 * text, or the group is one character that repeats to the end, as in ^((?!foo).)*$. What looks
 * behind, in a group, must look no farther back than what comes before it there; the pattern itself
 * may look back to the text's beginning. \b and \B look to both sides. What is refused, and
 * backreferences and Script=..., is INGLE_EUNSUPPORTED.
 *
 * What the flag u forbids and browsers accept without it is accepted where it has one meaning: \-
 * and other escapes of what is no letter, and braces that are no count. */
#ifndef INGLE_GRAMMAR_REGEX_H
#define INGLE_GRAMMAR_REGEX_H

#include "grammar/term.h"

#define INGLE_REGEX_MAX_BYTES ((size_t)256 << 10)

typedef struct ingle_regex_options {
    /* The pattern may match anywhere, as JSON Schema's `pattern` does; else it matches the whole
     * text. */
    bool search;
    /* How one character out of (or outside) these ranges is spelled; NULL: as UTF-8
     * (ingle_term_chars). Inside JSON strings some are escaped. */
    ingle_term (*chars)(ingle_terms *t, const ingle_range *ranges, size_t n, bool outside);
} ingle_regex_options;

/* opt may be NULL. INGLE_EFORMAT, INGLE_EUNSUPPORTED: the text names the column, counted in
 * characters from 1. */
ingle_status ingle_regex_compile(ingle_terms *t, const char *text, size_t len,
                                 const ingle_regex_options *opt, ingle_term *out, ingle_error *err);

#endif
