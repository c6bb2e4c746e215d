/* schema_counting.h - arrays that count elements (contains): which states lead to an end, and the
 * text.
 * Depends on schema_elements.h, schema_text.h. */
#ifndef INGLE_GRAMMAR_SCHEMA_COUNTING_H
#define INGLE_GRAMMAR_SCHEMA_COUNTING_H

#include "grammar/schema_elements.h"

bool ingle_schema_counting_alive(schema *c, const schema_elements *e);
ingle_term ingle_schema_counting_term(schema *c, const schema_elements *e,
                                      ingle_term (*value)(schema *c, schema_goal_id goal));

#endif
