/* schema_object.h - the text of objects.
 * Depends on schema_members.h, schema_frame.h, schema_text.h. */
#ifndef INGLE_GRAMMAR_SCHEMA_OBJECT_H
#define INGLE_GRAMMAR_SCHEMA_OBJECT_H

#include "grammar/schema_frame.h"
#include "grammar/schema_members.h"

/* Of a plan that is alive; value() gives the text of a goal. */
ingle_term ingle_schema_object_term(schema *c, const schema_members *m, schema_value_of *value);
/* The same in the notation's frame. */
ingle_term ingle_schema_arguments_term(schema *c, const schema_members *m, schema_value_of *value);

#endif
