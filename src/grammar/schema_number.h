/* schema_number.h - the texts of numbers.
 * Depends on schema_state.h, schema_decimal.h. */
#ifndef INGLE_GRAMMAR_SCHEMA_NUMBER_H
#define INGLE_GRAMMAR_SCHEMA_NUMBER_H

#include "grammar/schema_decimal.h"
#include "grammar/schema_state.h"

/* The numbers of a shape's types; INGLE_TERM_NONE: there are none, or failed. */
ingle_term ingle_schema_number_term(schema *c, const schema_shape *s);

/* Any number, any integer. */
ingle_term ingle_schema_any_number(ingle_terms *t);
ingle_term ingle_schema_any_integer(ingle_terms *t);

/* Whether a number of the schema's text belongs to a shape. */
bool ingle_schema_number_is(schema *c, const schema_shape *s, const ingle_json *number);

#endif
