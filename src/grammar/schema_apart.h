/* schema_apart.h - whether no value can be valid for two goals: a cheap proof, which does not find
 * all such pairs.
 * Depends on schema_expand.h, schema_property.h, schema_number.h, schema_string.h. */
#ifndef INGLE_GRAMMAR_SCHEMA_APART_H
#define INGLE_GRAMMAR_SCHEMA_APART_H

#include "grammar/schema_state.h"

/* True: certainly none, of these types. */
bool ingle_schema_apart(schema *c, schema_goal_id a, schema_goal_id b, uint32_t types);
/* The same for what a shape, finished or not, admits. */
bool ingle_schema_excludes(schema *c, const schema_shape *s, schema_goal_id goal);

#endif
