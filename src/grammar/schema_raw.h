/* schema_raw.h - strings in the notation that was asked for: as JSON, between marks, or as they are.
 * Depends on schema_string.h. */
#ifndef INGLE_GRAMMAR_SCHEMA_RAW_H
#define INGLE_GRAMMAR_SCHEMA_RAW_H

#include "grammar/schema_state.h"

/* Makes what strings must not have in them known to the compiler. */
void ingle_schema_raw_open(schema *c);

/* The strings of a shape, and one string of the schema. NONE: there are none. */
ingle_term ingle_schema_string_of(schema *c, const schema_shape *s);
ingle_term ingle_schema_string_text(schema *c, const ingle_json *string);

/* The strings of a shape as they are: characters without escapes, and no control characters but
 * those of white space. */
ingle_term ingle_schema_raw(schema *c, const schema_shape *s);

#endif
