/* schema_property.h - what a shape asks of one property.
 * Depends on schema_goal.h, schema_string.h. */
#ifndef INGLE_GRAMMAR_SCHEMA_PROPERTY_H
#define INGLE_GRAMMAR_SCHEMA_PROPERTY_H

#include "grammar/schema_state.h"

/* What a layer asks of the property of this name: all its patterns that match, and its place among
 * the names, or the rest. named: NULL if the layer does not name it. */
schema_goal_id ingle_schema_layer_goal(schema *c, const schema_layer *layer, uint32_t name,
                                       const schema_goal_id *named);

/* What the shape's facts ask of a property; GOAL_FALSE: it cannot be there. */
schema_goal_id ingle_schema_property_goal(schema *c, const schema_shape *s, uint32_t name);

#endif
