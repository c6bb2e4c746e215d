/* schema_set.h - sets of values: const's value, or enum's array.
 * Depends on schema_state.h, schema_decimal.h. */
#ifndef INGLE_GRAMMAR_SCHEMA_SET_H
#define INGLE_GRAMMAR_SCHEMA_SET_H

#include "grammar/schema_decimal.h"
#include "grammar/schema_state.h"

/* The values one after the other: *first is true for the first. NULL: no more. */
const ingle_json *ingle_schema_set_next(const ingle_json *set, ingle_json_walk *w, bool *first);

/* How many at most. */
static inline size_t ingle_schema_set_len(const ingle_json *set)
{
    return set->kind == INGLE_JSON_ARRAY ? set->len : 1;
}

/* Whether a string, a number is among them. */
bool ingle_schema_set_has_string(schema *c, const ingle_json *set, const ingle_json *string);
bool ingle_schema_set_has_number(schema *c, const ingle_json *set, const schema_decimal *number);

/* A number's bytes in the arena, equal ones for equal values. NULL: failed. */
const char *ingle_schema_number_key(schema *c, const schema_decimal *number, size_t *n);

/* The decimal of a number; NULL: beyond all limits, or failed. */
const schema_decimal *ingle_schema_number_of(schema *c, const ingle_json *number);

#endif
