/* utf8.h - well-formed UTF-8 as the Unicode standard defines it (table 3-7): no overlong forms, no
 *            surrogates; and how characters are written where people or JSON readers see them.
 * Depends on utf8proc for the categories of characters. */
#ifndef INGLE_BASE_UTF8_H
#define INGLE_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How many of the n bytes at p belong to the character that begins there; 0: none begins so.
 * *whole: all of it is there. If not and the result is n, further bytes may complete it. */
static inline size_t ingle_utf8_prefix(const char *p, size_t n, bool *whole)
{
    const unsigned char *s = (const unsigned char *)p;
    *whole = n && s[0] < 0x80;
    if (*whole) return 1;
    if (!n || s[0] < 0xc2 || s[0] > 0xf4) return 0;
    size_t len = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4, i = 1;
    /* The second byte has the narrower ranges. */
    unsigned char low = s[0] == 0xe0 ? 0xa0 : s[0] == 0xf0 ? 0x90 : 0x80;
    unsigned char high = s[0] == 0xed ? 0x9f : s[0] == 0xf4 ? 0x8f : 0xbf;
    if (n > 1 && s[1] >= low && s[1] <= high)
        for (i = 2; i < len && i < n && (s[i] & 0xc0) == 0x80;) i++;
    *whole = i == len;
    return i;
}

/* Bytes of the character that begins at p, of which n bytes exist; 0 if it is not well-formed or
 * not all there. */
static inline size_t ingle_utf8_len(const char *p, size_t n)
{
    bool whole;
    size_t len = ingle_utf8_prefix(p, n, &whole);
    return whole ? len : 0;
}

/* The code point of a well-formed character of len bytes. */
static inline uint32_t ingle_utf8_code(const char *p, size_t len)
{
    uint32_t c = (unsigned char)*p;
    if (len > 1) c &= 0x7fu >> len;
    for (size_t i = 1; i < len; i++) c = c << 6 | ((unsigned char)p[i] & 0x3fu);
    return c;
}

/* How many of the n bytes at p are well-formed characters, up to the first that is not. */
size_t ingle_utf8_valid(const char *p, size_t n);

/* Whether a well-formed character of len bytes can do nothing to a terminal but appear: control and
 * format characters (escape, C1, bidirectional marks, ...) and separators of lines do not. */
bool ingle_utf8_shows(const char *p, size_t len);

enum { INGLE_ESCAPE_MAX = 16 };
/* Writes the first character of the n >= 1 bytes at p to out, NUL-terminated, and returns how many
 * bytes it was: as the inside of a JSON string (U+FFFD for a byte that is not UTF-8), or for people
 * (such a byte and what does not show as \x1b, \u202e). */
size_t ingle_utf8_to_json(const char *p, size_t n, char out[INGLE_ESCAPE_MAX]);
size_t ingle_utf8_to_plain(const char *p, size_t n, char out[INGLE_ESCAPE_MAX]);

#endif
