/* schema_chars.h - characters as they stand inside a JSON string, in one spelling each.
 * Depends on grammar/term.h. */
#ifndef INGLE_GRAMMAR_SCHEMA_CHARS_H
#define INGLE_GRAMMAR_SCHEMA_CHARS_H

#include "grammar/term.h"

/* One character out of these ranges, or outside of them: itself, or the escape that JSON requires
 * for it (\n and its like, else \u001f). Two surrogates of a \u pair are never written. */
ingle_term ingle_schema_chars(ingle_terms *t, const ingle_range *ranges, size_t n, bool outside);

/* One character in any spelling that JSON allows. */
ingle_term ingle_schema_any_char(ingle_terms *t);

/* Writes a character's one spelling, at most 6 bytes, and returns how many. */
size_t ingle_schema_spell(const char *p, size_t len, char out[8]);

#endif
