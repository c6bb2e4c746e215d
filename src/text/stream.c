/* stream.c - whole characters out of the pieces of tokens. */
#include "base/utf8.h"
#include "text/text.h"

size_t ingle_utf8_stream_feed(ingle_utf8_stream *s, const char *piece, size_t len, bool flush,
                              char *out)
{
    size_t n_out = 0;
    for (size_t i = 0; i < len; i++) {
        s->held[s->n_held++] = piece[i];
        /* Give out what is complete or hopeless; what is left may still become a character. */
        while (s->n_held) {
            bool whole;
            size_t n = ingle_utf8_prefix(s->held, s->n_held, &whole);
            if (!whole && n == s->n_held) break;
            if (!n) n = 1;
            memcpy(out + n_out, s->held, n);
            n_out += n;
            s->n_held -= n;
            memmove(s->held, s->held + n, s->n_held);
        }
    }
    if (flush) {
        memcpy(out + n_out, s->held, s->n_held);
        n_out += s->n_held;
        s->n_held = 0;
    }
    return n_out;
}
