/* schema_object.h - the text of objects.
 * Depends on schema_members.h, schema_text.h. */
#ifndef INGLE_GRAMMAR_SCHEMA_OBJECT_H
#define INGLE_GRAMMAR_SCHEMA_OBJECT_H

#include "grammar/schema_members.h"

/* Of a plan that is alive; value() gives the text of a goal. */
ingle_term ingle_schema_object_term(schema *c, const schema_members *m,
                                    ingle_term (*value)(schema *c, schema_goal_id goal));

#endif
