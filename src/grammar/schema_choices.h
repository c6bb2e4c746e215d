/* schema_choices.h - arrays whose elements differ: the finitely many values that an element may
 * have, and the text, which remembers those that have been.
 * Depends on schema_expand.h, schema_number.h, schema_string.h, schema_text.h. */
#ifndef INGLE_GRAMMAR_SCHEMA_CHOICES_H
#define INGLE_GRAMMAR_SCHEMA_CHOICES_H

#include "grammar/schema_elements.h"

/* Lists the values of a goal; false: they are not few, or failed (see c->status). */
bool ingle_schema_choices(schema *c, schema_goal_id goal, schema_elements *e);

/* The text from the bracket on. */
ingle_term ingle_schema_choices_term(schema *c, const schema_elements *e);

#endif
