/* utf8.c - what is a valid character, and the assembly of whole characters from token pieces. */
#include "base/utf8.h"
#include "text/vocab.h"

/* Bytes that a character with this first byte has; 0 if none starts with it. */
static size_t want(unsigned char c)
{
    if (c < 0x80) return 1;
    if (c < 0xc2) return 0;
    if (c < 0xe0) return 2;
    if (c < 0xf0) return 3;
    return c < 0xf5 ? 4 : 0;
}

/* Whether the second byte b may follow c: no overlong forms, no surrogates, nothing above U+10FFFF.
 */
static bool second_ok(unsigned char c, unsigned char b)
{
    if (b < 0x80 || b > 0xbf) return false;
    switch (c) {
    case 0xe0: return b >= 0xa0;
    case 0xed: return b <= 0x9f;
    case 0xf0: return b >= 0x90;
    case 0xf4: return b <= 0x8f;
    default: return true;
    }
}

/* Length of the longest prefix of p[0..n) that a valid character may start with; *whole: it is one.
 */
static size_t prefix(const unsigned char *p, size_t n, bool *whole)
{
    *whole = false;
    size_t need = n ? want(p[0]) : 0, i = 1;
    if (!need) return 0;
    while (i < need && i < n && (i == 1 ? second_ok(p[0], p[1]) : (p[i] & 0xc0) == 0x80)) i++;
    *whole = i == need;
    return i;
}

size_t ingle_utf8_valid(const char *p, size_t n)
{
    size_t i = 0;
    while (i < n) {
        while (n - i >= 8 && !(ingle_load(p + i, 8) & 0x8080808080808080u)) i += 8;
        if (i == n) break;
        if (!(p[i] & 0x80)) {
            i++;
            continue;
        }
        size_t len = ingle_utf8_len(p + i, n - i);
        if (!len) break;
        i += len;
    }
    return i;
}

size_t ingle_utf8_stream_feed(ingle_utf8_stream *s, const char *piece, size_t len, bool flush,
                              char *out)
{
    size_t n_out = 0;
    for (size_t i = 0; i < len; i++) {
        s->held[s->n_held++] = piece[i];
        /* Give out what is complete or hopeless; what is left may still become a character. */
        while (s->n_held) {
            bool whole;
            size_t n = prefix((const unsigned char *)s->held, s->n_held, &whole);
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
