/* source.c - see source.h. */
#include "grammar/source.h"

#include "base/mem.h"
#include "base/utf8.h"

#include <stdarg.h>
#include <stdio.h>

ingle_status ingle_source_open(ingle_source *s, const char *text, size_t len, size_t max,
                               const char *what)
{
    if (!len) text = "";
    s->begin = s->at = text;
    s->end = text + len;
    if (len > max)
        return ingle_fail(s->err, INGLE_EUNSUPPORTED, "%s of %zu bytes; at most %zu", what, len,
                          max);
    size_t valid = ingle_utf8_valid(text, len);
    if (valid == len) return INGLE_OK;
    return ingle_source_fail(s, INGLE_EFORMAT, text + valid, "the byte 0x%02x is not UTF-8",
                             (unsigned char)text[valid]);
}

bool ingle_source_is_at(const ingle_source *s, const char *text)
{
    size_t n = strlen(text);
    return ingle_source_left(s) >= n && !memcmp(s->at, text, n);
}

/* ---- messages -------------------------------------------------------------------------------- */

void ingle_source_place(const ingle_source *s, const char *at, size_t *line, size_t *column)
{
    *line = *column = 1;
    for (const char *p = s->begin; p < at; p++) {
        bool ends = s->lines && (*p == '\n' || (*p == '\r' && (p + 1 == s->end || p[1] != '\n')));
        if (ends) {
            ++*line;
            *column = 1;
        } else if (((unsigned char)*p & 0xc0) != 0x80) {
            ++*column;
        }
    }
}

ingle_status ingle_source_fail(const ingle_source *s, ingle_status status, const char *at,
                               const char *format, ...)
{
    char text[sizeof(ingle_error)];
    size_t line, column;
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    ingle_source_place(s, at, &line, &column);
    if (s->lines) return ingle_fail(s->err, status, "line %zu, column %zu: %s", line, column, text);
    return ingle_fail(s->err, status, "column %zu: %s", column, text);
}

ingle_status ingle_source_expected(const ingle_source *s, const char *at, const char *expected)
{
    char found[2 * INGLE_ESCAPE_MAX], plain[INGLE_ESCAPE_MAX];
    if (at == s->end) {
        strcpy(found, "the end");
    } else if (*at == '\n' || *at == '\r') {
        strcpy(found, "the end of the line");
    } else {
        ingle_utf8_to_plain(at, (size_t)(s->end - at), plain);
        snprintf(found, sizeof found, "'%s'", plain);
    }
    return ingle_source_fail(s, INGLE_EFORMAT, at, "found %s, expected %s", found, expected);
}

ingle_status ingle_source_table(const ingle_source *s, ingle_terms *t, const char *at)
{
    ingle_error what = {""};
    ingle_term none = INGLE_TERM_NONE;
    ingle_status st = ingle_terms_finish(t, &none, &what); /* reports what it kept */
    if (st == INGLE_ENOMEM) return ingle_fail(s->err, st, "%s", what.text);
    return ingle_source_fail(s, st, at, "%s", what.text);
}

/* ---- characters and numbers ------------------------------------------------------------------ */

uint32_t ingle_source_char(ingle_source *s)
{
    size_t len = ingle_utf8_len(s->at, ingle_source_left(s));
    uint32_t code = ingle_utf8_code(s->at, len);
    s->at += len;
    return code;
}

size_t ingle_source_encode(uint32_t code, char out[4])
{
    static const unsigned char mark[] = {0, 0, 0xc0, 0xe0, 0xf0};
    size_t n = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--, code >>= 6) out[i] = (char)(0x80 | (code & 0x3f));
    out[0] = (char)(mark[n] | code);
    return n;
}

static int digit(char c)
{
    char lower = (char)(c | 0x20);
    if (c >= '0' && c <= '9') return c - '0';
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

ingle_status ingle_source_hex(ingle_source *s, size_t n, uint32_t *code)
{
    char expected[40];
    *code = 0;
    for (size_t i = 0; i < n; i++) {
        int d = digit(ingle_source_look(s, 0));
        if (d < 0) {
            snprintf(expected, sizeof expected, "%zu hexadecimal digits", n);
            return ingle_source_expected(s, s->at, expected);
        }
        *code = *code << 4 | (uint32_t)d;
        s->at++;
    }
    return INGLE_OK;
}

ingle_status ingle_source_number(ingle_source *s, uint32_t *n)
{
    uint64_t value = 0;
    const char *begin = s->at;
    for (char c; (c = ingle_source_look(s, 0)) >= '0' && c <= '9'; s->at++) {
        value = value * 10 + (uint64_t)(c - '0');
        if (value > UINT32_MAX) value = UINT32_MAX;
    }
    *n = (uint32_t)value;
    return s->at > begin ? INGLE_OK : ingle_source_expected(s, begin, "a number");
}

ingle_status ingle_source_check(const ingle_source *s, const char *at, uint32_t code)
{
    if (code > 0x10ffff)
        return ingle_source_fail(s, INGLE_EFORMAT, at,
                                 "U+%X is beyond U+10FFFF, the last character", (unsigned)code);
    if (code >= 0xd800 && code <= 0xdfff)
        return ingle_source_fail(s, INGLE_EFORMAT, at,
                                 "U+%X is half of a surrogate pair, which is no character",
                                 (unsigned)code);
    return INGLE_OK;
}
