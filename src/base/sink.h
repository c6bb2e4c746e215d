/* sink.h - bytes out into a caller's room: all are counted, those that fit are written.
 * Depends on nothing. */
#ifndef INGLE_BASE_SINK_H
#define INGLE_BASE_SINK_H

#include <stddef.h>
#include <string.h>

typedef struct ingle_sink {
    char *out;     /* [cap]; may be NULL when cap is 0 */
    size_t cap, n; /* n: bytes put so far, written or not */
} ingle_sink;

static inline void ingle_sink_put(ingle_sink *s, const char *p, size_t n)
{
    size_t room = s->n < s->cap ? s->cap - s->n : 0;
    if (room) memcpy(s->out + s->n, p, n < room ? n : room);
    s->n += n;
}

#endif
