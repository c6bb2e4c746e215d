/* schema_prune.h - states and shapes that contradict themselves in a way that is cheap to see, found
 * before they branch any further.
 * Depends on schema_run.h, schema_property.h, schema_set.h, schema_number.h, schema_string.h. */
#ifndef INGLE_GRAMMAR_SCHEMA_PRUNE_H
#define INGLE_GRAMMAR_SCHEMA_PRUNE_H

#include "grammar/schema_run.h"

/* The goal of a property that must be there, about which two schemas or more ask, if there is one
 * that was not given out since *at was NULL; *at goes on. GOAL_TRUE: no more. */
schema_goal_id ingle_schema_prune_next(schema *c, const schema_shape *s, const schema_fact **at);

/* Takes strings and numbers away from a shape if none of a short list is left. */
void ingle_schema_prune_sets(schema *c, schema_shape *s);

#endif
