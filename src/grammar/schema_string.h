/* schema_string.h - the texts of strings, with and without their quotes.
 * Depends on schema_state.h, schema_format.h, grammar/regex.h. */
#ifndef INGLE_GRAMMAR_SCHEMA_STRING_H
#define INGLE_GRAMMAR_SCHEMA_STRING_H

#include "grammar/schema_state.h"

/* A string of any characters in any spelling, with its quotes. */
ingle_term ingle_schema_any_string(schema *c, uint32_t min, uint32_t max);

/* The inside of a string in its one spelling. */
ingle_term ingle_schema_inside(schema *c, uint32_t min, uint32_t max); /* any of that length */
ingle_term ingle_schema_inside_text(schema *c, const ingle_json *string);
/* Those that a pattern (searched for, as ECMA 262 has it) matches; NONE: failed. A pattern that is
 * dropped matches all, for the keyword "pattern", else nothing. */
ingle_term ingle_schema_inside_pattern(schema *c, const ingle_json *pattern,
                                       const ingle_json *where, const char *keyword);

/* Whether a pattern matches a string of the schema. */
bool ingle_schema_pattern_matches(schema *c, const ingle_json *pattern, const ingle_json *string,
                                  const ingle_json *where, const char *keyword);

/* The strings of a shape: quoted; or insides only, in their one spelling. NONE: there are none. */
ingle_term ingle_schema_string_term(schema *c, const schema_shape *s);
ingle_term ingle_schema_string_inside(schema *c, const schema_shape *s);

/* Whether a string of the schema belongs to a shape. */
bool ingle_schema_string_is(schema *c, const schema_shape *s, const ingle_json *string);

/* Whether nothing belongs to a term; true after a failure, which is kept. */
bool ingle_schema_empty(schema *c, ingle_term e);

#endif
