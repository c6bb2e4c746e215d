/* regex_class.h - characters of patterns: escapes and classes, which become terms (regex.h).
 * Owns       the set that is being read, the properties.
 * Depends on grammar/regex_set.h, grammar/source.h. */
#ifndef INGLE_GRAMMAR_REGEX_CLASS_H
#define INGLE_GRAMMAR_REGEX_CLASS_H

#include "grammar/regex.h"
#include "grammar/regex_set.h"
#include "grammar/source.h"

typedef struct regex_chars {
    ingle_source *s;
    ingle_terms *t;
    ingle_term (*make)(ingle_terms *t, const ingle_range *ranges, size_t n, bool outside);
    regex_set set;
    size_t n_ranges; /* of all sets so far */
    regex_properties properties;
} regex_chars;

void ingle_regex_chars_close(regex_chars *x);

/* Each reads what is here and gives the term for one character: a '\' with what follows it, a class
 * with its brackets, a '.', any other character. */
ingle_status ingle_regex_escape(regex_chars *x, ingle_term *out);
ingle_status ingle_regex_class(regex_chars *x, ingle_term *out);
ingle_status ingle_regex_dot(regex_chars *x, ingle_term *out);
/* A character of a word, as \w. Reads nothing. */
ingle_status ingle_regex_word(regex_chars *x, ingle_term *out);
ingle_status ingle_regex_plain(regex_chars *x, ingle_term *out);

#endif
