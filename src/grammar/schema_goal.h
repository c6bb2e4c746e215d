/* schema_goal.h - making atoms and goals. All return GOAL_FALSE or 0 after a failure, which is kept
 * in the compiler. Depends on schema_state.h. */
#ifndef INGLE_GRAMMAR_SCHEMA_GOAL_H
#define INGLE_GRAMMAR_SCHEMA_GOAL_H

#include "grammar/schema_state.h"

/* What every compilation begins with: GOAL_TRUE and GOAL_FALSE. */
bool ingle_schema_goals_open(schema *c);

/* The number of a name. */
uint32_t ingle_schema_name(schema *c, const ingle_json *name);

/* Valid against a schema, which stands in a place with that dynamic scope. Where it is nothing but
 * a $ref, what it refers to. */
schema_goal_id ingle_schema_goal(schema *c, const ingle_json *node, uint32_t scope);
schema_goal_id ingle_schema_goal_value(schema *c, const ingle_json *value);
schema_goal_id ingle_schema_goal_atom(schema *c, schema_ref ref);

schema_goal_id ingle_schema_goal_and(schema *c, schema_goal_id a, schema_goal_id b);
schema_goal_id ingle_schema_goal_not(schema *c, schema_goal_id a);
schema_goal_id ingle_schema_goal_or(schema *c, const schema_goal_id *goals, size_t n);

/* The scope inside a resource. */
uint32_t ingle_schema_enter(schema *c, uint32_t scope, uint32_t resource);

/* Where $ref or $dynamicRef, a string in schema `node`, leads, and the scope there; NULL: failed. */
const ingle_json *ingle_schema_follow(schema *c, const ingle_json *node, const ingle_json *ref,
                                      bool dynamic, uint32_t scope);

/* The goal will be needed in the grammar. */
bool ingle_schema_queue(schema *c, schema_goal_id goal);

#endif
