/* schema_uri.h - references to schemas as URIs (RFC 3986).
 * Depends on schema_memory.h. */
#ifndef INGLE_GRAMMAR_SCHEMA_URI_H
#define INGLE_GRAMMAR_SCHEMA_URI_H

#include "grammar/schema_memory.h"

typedef struct schema_uri {
    const char *p;
    size_t n;
} schema_uri;

/* The reference seen from a base, both without "#fragment" (section 5.2). p is NULL: no memory. */
schema_uri ingle_schema_uri_resolve(schema_memory *m, schema_uri base, schema_uri ref);

/* Everything up to '#', and in *fragment, if there is one, what follows it with %XX decoded; its p
 * is NULL if there is none. False: no memory. */
bool ingle_schema_uri_split(schema_memory *m, schema_uri ref, schema_uri *uri,
                            schema_uri *fragment);

#endif
