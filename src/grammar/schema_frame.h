/* schema_frame.h - how the members of objects are written that are no JSON: arguments of a call.
 * Depends on schema_raw.h. */
#ifndef INGLE_GRAMMAR_SCHEMA_FRAME_H
#define INGLE_GRAMMAR_SCHEMA_FRAME_H

#include "grammar/schema_members.h"

typedef ingle_term schema_value_of(schema *c, schema_goal_id goal);

/* How an object is written. */
typedef struct schema_framing {
    const ingle_schema_frame *frame; /* NULL: as a value in the notation */
    schema_value_of *value;          /* of the values in objects and arrays */
    /* An object in a value. */
    ingle_term (*object)(schema *c, const schema_members *m, schema_value_of *value);
} schema_framing;

/* A member's name, and what stands before it and up to the value if that is the same for all
 * values. NULL: any name of those, insides as JSON spells them; INGLE_TERM_ANY is all. NONE: it
 * cannot be written. */
ingle_term ingle_schema_key(schema *c, const schema_framing *f, const ingle_json *name,
                            ingle_term others);
/* Its value, and what stands before and after that. */
ingle_term ingle_schema_member_value(schema *c, const schema_framing *f, const ingle_json *name,
                                     schema_goal_id goal);

#endif
