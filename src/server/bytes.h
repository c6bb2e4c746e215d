/* bytes.h - text that grows: bodies of answers, pieces of streams.
 * Owns       its memory, until bytes_free() or bytes_give().
 * Depends on base/json.h.
 * Invariant  n <= cap. What finds no memory is left out and `failed` set: checked once, at the end. */
#ifndef INGLE_SERVER_BYTES_H
#define INGLE_SERVER_BYTES_H

#include "base/json.h"

typedef struct bytes {
    char *p;
    size_t n, cap;
    bool failed;
} bytes;

void bytes_put(bytes *b, const char *p, size_t n);
void bytes_text(bytes *b, const char *text);
void bytes_format(bytes *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The first n bytes are gone. */
void bytes_drop(bytes *b, size_t n);
void bytes_free(bytes *b); /* to {0} */
/* Hands the memory over, NUL-terminated, for free(); NULL if something failed. *n is its length. */
char *bytes_give(bytes *b, size_t *n);

/* What a writer has so far goes to the end of b, and the writer is empty again. */
void bytes_take_json(bytes *b, ingle_json_writer *w);
/* The same as an event of a stream: "event: NAME\ndata: JSON\n\n"; name may be NULL. */
void bytes_event(bytes *b, const char *name, ingle_json_writer *w);

#endif
