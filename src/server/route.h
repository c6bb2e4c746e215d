/* route.h - the table of endpoints.
 * Depends on fields.h, gate.h. */
#ifndef INGLE_SERVER_ROUTE_H
#define INGLE_SERVER_ROUTE_H

#include "fields.h"
#include "gate.h"

typedef struct job job;
struct dialect;

typedef struct endpoint {
    const char *method; /* "POST" */
    const char *path;   /* "/v1/models/{id}": what is in the braces may hold slashes at the end */
    gate_role needs;
    wire shape; /* of its errors */
    /* Answered on the http thread, at once; else NULL. */
    void (*quick)(job *j);
    /* On a prep thread: job_generate(), or a function that ends with job_answer() or with an error
     * in j->error. */
    void (*prepare)(job *j);
    /* Then on the http thread, unless there was an error; NULL: nothing. */
    void (*after)(job *j);
    const field_table *fields; /* of the body; NULL: it has none */
    const struct dialect *dialect;
    /* Of job_generate(): after the fields were read into j->gen, with j->doc.root; false: an error.
     * The model is known. */
    bool (*read)(job *j);
    const char *summary; /* one line for the documentation */
} endpoint;

/* The endpoint for a request; NULL: *e is 404 or 405, in the *shape of its prefix. *argument points
 * into path. messages with the header anthropic-version etc. are told apart by `anthropic`. */
const endpoint *route_find(const char *method, const char *path, bool anthropic,
                           const char **argument, wire *shape, api_error *e);
const endpoint *route_at(size_t i); /* NULL past the end */

#endif
