/* schema_text.h - pieces of JSON text between the values.
 * Depends on schema_state.h. */
#ifndef INGLE_GRAMMAR_SCHEMA_TEXT_H
#define INGLE_GRAMMAR_SCHEMA_TEXT_H

#include "grammar/schema_state.h"

/* White space where JSON allows it. */
ingle_term ingle_schema_space(schema *c);
/* Space, a sign, space; without the first, or the second space. */
ingle_term ingle_schema_sign(schema *c, char sign, bool before, bool after);

/* null, true, false by number. */
ingle_term ingle_schema_word_text(const schema *c, unsigned i);

#endif
