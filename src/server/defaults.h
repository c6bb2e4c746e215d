/* defaults.h - what a request means that does not say it: members of bodies that the server was given
 * when it was started.
 * Owns       the parsed object; it does not change, and any thread may read it.
 * Depends on generation.h.
 * Invariant  a body's own member wins, by whatever name or path it says the same. */
#ifndef INGLE_SERVER_DEFAULTS_H
#define INGLE_SERVER_DEFAULTS_H

#include "generation.h"

typedef struct defaults defaults;

/* json: an object whose members are those of generation_fields, and max_tokens, reasoning_effort,
 * enable_thinking, parallel_tool_calls; NULL: none, and *out is NULL. INGLE_EINVAL: one of them cannot
 * be a default, or not with that value; the error names it. */
ingle_status defaults_open(defaults **out, const char *json, ingle_error *err);
void defaults_close(defaults **d);

/* Members that the body, read by `fields`, leaves open; before the endpoint reads messages, tools and
 * thinking. What the model cannot do is left out. d, body and info may be NULL. */
bool defaults_fill(const defaults *d, generation *g, const ingle_json *body,
                   const field_table *fields, const ingle_chat_info *info, field_reader *r);
/* The form of the answer, of a request that neither offers tools nor has one; after these were read. */
bool defaults_fill_form(const defaults *d, generation *g, const ingle_json *body,
                        const field_table *fields, field_reader *r);

#endif
