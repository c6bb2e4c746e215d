/* schema_array.h - the text of arrays.
 * Depends on schema_elements.h, schema_counting.h, schema_choices.h. */
#ifndef INGLE_GRAMMAR_SCHEMA_ARRAY_H
#define INGLE_GRAMMAR_SCHEMA_ARRAY_H

#include "grammar/schema_elements.h"

/* Of a plan that is alive; value() gives the text of a goal. */
ingle_term ingle_schema_array_term(schema *c, const schema_elements *e,
                                   ingle_term (*value)(schema *c, schema_goal_id goal));

#endif
