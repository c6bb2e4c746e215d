/* schema_expand.h - goals taken apart into shapes.
 * Depends on schema_words.h, schema_run.h. */
#ifndef INGLE_GRAMMAR_SCHEMA_EXPAND_H
#define INGLE_GRAMMAR_SCHEMA_EXPAND_H

#include "grammar/schema_state.h"

/* Makes the shapes of a goal, unless they are there already or being made. False: failed. */
bool ingle_schema_expand(schema *c, schema_goal_id goal);
/* The same for a goal that would help, while another one is being made: whether it has shapes now.
 * That it cannot have them is no failure. */
bool ingle_schema_try(schema *c, schema_goal_id goal);

#endif
