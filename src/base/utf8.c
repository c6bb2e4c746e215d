/* utf8.c - see utf8.h. */
#include "base/utf8.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>
#include <utf8proc.h>

size_t ingle_utf8_valid(const char *p, size_t n)
{
    size_t i = 0;
    while (i < n) {
        while (n - i >= 8 && !(ingle_load(p + i, 8) & 0x8080808080808080u)) i += 8;
        if (i == n) break;
        size_t len = ingle_utf8_len(p + i, n - i);
        if (!len) break;
        i += len;
    }
    return i;
}

static bool shows(uint32_t c)
{
    utf8proc_category_t kind = utf8proc_category((utf8proc_int32_t)c);
    return kind != UTF8PROC_CATEGORY_CC && kind != UTF8PROC_CATEGORY_CF &&
           kind != UTF8PROC_CATEGORY_ZL && kind != UTF8PROC_CATEGORY_ZP;
}

bool ingle_utf8_shows(const char *p, size_t len)
{
    if (len == 1) return *p >= 0x20 && *p < 0x7f;
    return shows(ingle_utf8_code(p, len));
}

size_t ingle_utf8_to_json(const char *p, size_t n, char out[INGLE_ESCAPE_MAX])
{
    size_t len = ingle_utf8_len(p, n);
    if (!len) {
        strcpy(out, "\xef\xbf\xbd");
        return 1;
    }
    uint32_t c = ingle_utf8_code(p, len);
    const char *named = c == '"'    ? "\\\""
                        : c == '\\' ? "\\\\"
                        : c == '\n' ? "\\n"
                        : c == '\t' ? "\\t"
                                    : NULL;
    if (named) {
        strcpy(out, named);
    } else if (shows(c)) {
        memcpy(out, p, len);
        out[len] = 0;
    } else if (c < 0x10000) {
        snprintf(out, INGLE_ESCAPE_MAX, "\\u%04x", (unsigned)c & 0xffff);
    } else {
        unsigned high = 0xd800 + ((c - 0x10000) >> 10), low = 0xdc00 + (c & 0x3ff);
        snprintf(out, INGLE_ESCAPE_MAX, "\\u%04x\\u%04x", high & 0xffff, low & 0xffff);
    }
    return len;
}

size_t ingle_utf8_to_plain(const char *p, size_t n, char out[INGLE_ESCAPE_MAX])
{
    size_t len = ingle_utf8_len(p, n);
    if (len && ingle_utf8_shows(p, len)) {
        memcpy(out, p, len);
        out[len] = 0;
    } else if (len > 1) {
        snprintf(out, INGLE_ESCAPE_MAX, "\\u%04x", (unsigned)ingle_utf8_code(p, len) & 0x1fffff);
    } else {
        snprintf(out, INGLE_ESCAPE_MAX, "\\x%02x", (unsigned char)*p);
    }
    return len ? len : 1;
}
