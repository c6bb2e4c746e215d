/* bytechar.c - the alphabet in which byte-level BPE vocabularies write their tokens: one printable
 * character a byte. */
#include "base/utf8.h"
#include "text/vocab.h"

static bool stands_for_itself(uint32_t c)
{
    return (c >= 0x21 && c <= 0x7e) || (c >= 0xa1 && c <= 0xac) || (c >= 0xae && c <= 0xff);
}

/* The bytes that do not stand for themselves are 256, 257, ... in order: 0..0x20, 0x7f..0xa0, 0xad.
 */
uint32_t ingle_byte_char(uint8_t byte)
{
    if (stands_for_itself(byte)) return byte;
    if (byte <= 0x20) return 256u + byte;
    return byte == 0xad ? 256u + 67 : 256u + 33 + (byte - 0x7fu);
}

int ingle_char_byte(uint32_t c)
{
    if (c < 256) return stands_for_itself(c) ? (int)c : -1;
    c -= 256;
    if (c <= 0x20) return (int)c;
    if (c < 67) return (int)(c - 33 + 0x7f);
    return c == 67 ? 0xad : -1;
}

bool ingle_bytes_decode(const char *text, size_t len, char *out, size_t *n)
{
    size_t m = 0;
    for (size_t i = 0, n_char; i < len; i += n_char) {
        n_char = ingle_utf8_len(text + i, len - i);
        int byte = n_char ? ingle_char_byte(ingle_utf8_code(text + i, n_char)) : -1;
        if (byte < 0) return false;
        out[m++] = (char)byte;
    }
    *n = m;
    return true;
}

size_t ingle_marks_to_spaces(const char *text, size_t len, char *out)
{
    size_t n = 0;
    for (size_t i = 0; i < len;) {
        bool mark = ingle_is_space_mark(text + i, len - i);
        out[n++] = mark ? ' ' : text[i];
        i += mark ? INGLE_MARK_BYTES : 1;
    }
    return n;
}
