/* schema_late.h - unevaluatedProperties, unevaluatedItems: what they apply to once a state is done.
 * Depends on schema_run.h. */
#ifndef INGLE_GRAMMAR_SCHEMA_LATE_H
#define INGLE_GRAMMAR_SCHEMA_LATE_H

#include "grammar/schema_run.h"

/* Adds what they ask for as layers and items. False: failed. */
bool ingle_schema_late(schema_run *r, schema_run_state *s);

#endif
