/* schema_length.h - how long a string may be that a simple pattern describes.
 * Depends on schema_chars.h, grammar/table.h. */
#ifndef INGLE_GRAMMAR_SCHEMA_LENGTH_H
#define INGLE_GRAMMAR_SCHEMA_LENGTH_H

#include "grammar/term.h"

/* The insides of strings that belong to e and have min to max characters, where e is single
 * characters one after the other, of which at most one repeats from so many to so many times, as in
 * ^[a-z_][a-z0-9_]*$. Else, as where it is undecided: false. It is an intersection then, and masks
 * of those take many times longer. */
bool ingle_schema_limit(ingle_terms *t, ingle_term e, uint32_t min, uint32_t max, ingle_term *out);

#endif
