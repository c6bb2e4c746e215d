/* errors.h - what went wrong, in words, and in the shape that a dialect's clients expect.
 * Depends on bytes.h. */
#ifndef INGLE_SERVER_ERRORS_H
#define INGLE_SERVER_ERRORS_H

#include "bytes.h"

#include <ingle.h>

typedef enum wire { WIRE_OPENAI, WIRE_ANTHROPIC, WIRE_OLLAMA, WIRE_NATIVE } wire;

/* status 0: nothing is wrong. */
typedef struct api_error {
    int status;        /* of HTTP */
    const char *code;  /* a constant such as "context_length_exceeded"; NULL: none */
    char param[160];   /* path of the field: messages[3].tool_calls[0].function.arguments; "" */
    char message[768]; /* what is wrong, where, what would be right */
    size_t n_prompt, n_ctx; /* of context_length_exceeded */
    double retry_after;     /* seconds, of 429 and 503 */
} api_error;

/* Fills *e, unless it holds an error already: the first one counts. param may be NULL. Returns
 * false, so that `return api_fail(...)` reads well in functions that answer whether all is well. */
bool api_fail(api_error *e, int status, const char *code, const char *param, const char *format,
              ...) __attribute__((format(printf, 5, 6)));
/* What a call of the library reported; param and what may be NULL. INGLE_OK leaves *e alone. */
bool api_fail_library(api_error *e, ingle_status status, const ingle_error *err, const char *param);

/* The body of the answer; id is the request's. */
void api_error_write(const api_error *e, wire shape, const char *id, bytes *out);
/* An object of the same members without what is around it, as streams carry it. */
void api_error_object(const api_error *e, wire shape, ingle_json_writer *w);

#endif
