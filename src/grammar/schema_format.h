/* schema_format.h - `format`: which strings have one.
 * Depends on schema_state.h, grammar/regex.h. */
#ifndef INGLE_GRAMMAR_SCHEMA_FORMAT_H
#define INGLE_GRAMMAR_SCHEMA_FORMAT_H

#include "grammar/schema_state.h"

/* Whether the format is known; *exact: what is admitted is all of it, not only a part. */
bool ingle_schema_format_known(const ingle_json *name, bool *exact);

/* The insides of strings that have the format, all of them valid. NONE: failed, or not known. */
ingle_term ingle_schema_format_term(ingle_terms *t, const ingle_json *name);

#endif
