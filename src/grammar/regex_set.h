/* regex_set.h - sets of characters that patterns name: classes, \d, \w, \s, \p{...}.
 * Owns       the ranges of a set, and those of the properties that were asked for.
 * Depends on grammar/term.h, utf8proc. */
#ifndef INGLE_GRAMMAR_REGEX_SET_H
#define INGLE_GRAMMAR_REGEX_SET_H

#include "grammar/term.h"

typedef struct regex_set {
    ingle_range *p;
    size_t n, cap, n_merged; /* n_merged: how many there were when they were put in order last */
    bool failed;             /* no memory */
} regex_set;

void ingle_regex_set_add(regex_set *set, uint32_t low, uint32_t high);
void ingle_regex_set_add_all(regex_set *set, const ingle_range *ranges, size_t n);
/* Adds what is in none of these ranges, which are in order and do not touch. */
void ingle_regex_set_add_others(regex_set *set, const ingle_range *ranges, size_t n);
/* Puts the ranges in order and joins those that touch. */
void ingle_regex_set_merge(regex_set *set);

/* The ranges that \d, \w or \s stand for, in order; NULL for any other letter. */
const ingle_range *ingle_regex_letter(char letter, size_t *n);

/* Ranges of properties; each is computed once. */
enum { REGEX_MAX_PROPERTIES = 48 };
typedef struct regex_properties {
    regex_set row[REGEX_MAX_PROPERTIES];
} regex_properties;

/* The ranges of a general category, or of Any, ASCII, Assigned; NULL: no such name, or no memory,
 * which *failed says. */
const regex_set *ingle_regex_property(regex_properties *p, const char *name, size_t len,
                                      bool *failed);
void ingle_regex_properties_close(regex_properties *p);

#endif
