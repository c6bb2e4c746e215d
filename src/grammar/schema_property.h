/* schema_property.h - what a shape asks of one property, and of keys.
 * Depends on schema_expand.h, schema_string.h. */
#ifndef INGLE_GRAMMAR_SCHEMA_PROPERTY_H
#define INGLE_GRAMMAR_SCHEMA_PROPERTY_H

#include "grammar/schema_state.h"

/* What a layer asks of the property of this name: all its patterns that match, and its place among
 * the names, or the rest. named: NULL if the layer does not name it. */
schema_goal_id ingle_schema_layer_goal(schema *c, const schema_layer *layer, uint32_t name,
                                       const schema_goal_id *named);

/* What the shape's facts ask of a property; GOAL_FALSE: it cannot be there. */
schema_goal_id ingle_schema_property_goal(schema *c, const schema_shape *s, uint32_t name);

/* The insides of the strings that a goal admits. */
ingle_term ingle_schema_key_term(schema *c, schema_goal_id goal);
bool ingle_schema_key_is(schema *c, schema_goal_id goal, uint32_t name);

#endif
