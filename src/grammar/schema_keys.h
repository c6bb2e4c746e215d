/* schema_keys.h - goals about keys (propertyNames).
 * Depends on schema_expand.h, schema_string.h. */
#ifndef INGLE_GRAMMAR_SCHEMA_KEYS_H
#define INGLE_GRAMMAR_SCHEMA_KEYS_H

#include "grammar/schema_state.h"

/* The insides of the strings that a goal admits. */
ingle_term ingle_schema_key_term(schema *c, schema_goal_id goal);
bool ingle_schema_key_is(schema *c, schema_goal_id goal, uint32_t name);

#endif
