/* bytes.h - bytes that grow, and remember that they could not.
 * Owns       its memory; {0} is empty. Freed by ingle_bytes_free().
 * Depends on base/mem.h. */
#ifndef INGLE_CHAT_BYTES_H
#define INGLE_CHAT_BYTES_H

#include "base/mem.h"

typedef struct ingle_bytes {
    char *p;
    size_t n, cap;
    bool failed; /* there was no memory: something is missing */
} ingle_bytes;

static inline void ingle_bytes_put(ingle_bytes *b, const char *p, size_t n)
{
    if (!n || b->failed) return;
    if (n > b->cap - b->n && !ingle_grow(&b->p, &b->cap, b->n + n, 1)) {
        b->failed = true;
        return;
    }
    memcpy(b->p + b->n, p, n);
    b->n += n;
}

static inline void ingle_bytes_add(ingle_bytes *b, char c)
{
    if (b->n < b->cap) b->p[b->n++] = c;
    else ingle_bytes_put(b, &c, 1);
}

static inline void ingle_bytes_text(ingle_bytes *b, const char *text)
{
    ingle_bytes_put(b, text, strlen(text));
}

static inline bool ingle_bytes_are(const ingle_bytes *b, const char *text)
{
    return b->n == strlen(text) && (!b->n || !memcmp(b->p, text, b->n));
}

static inline void ingle_bytes_free(ingle_bytes *b)
{
    free(b->p);
    *b = (ingle_bytes){0};
}

#endif
