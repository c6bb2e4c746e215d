/* out.c - see out.h. */
#include "out.h"
#include "platform.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static void print_message(const char *format, va_list args, bool error)
{
    bool colour = error && platform_has_colour(2);
    fflush(stdout); /* on one terminal, text written before stays before */
    fprintf(stderr, "%single:%s ", colour ? "\033[1;31m" : "", colour ? "\033[0m" : "");
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
}

void out_error(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    print_message(format, args, true);
    va_end(args);
}

void out_note(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    print_message(format, args, false);
    va_end(args);
}

static int write_errno; /* of the first write that failed */

bool out_flush(void)
{
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout)) return true;
    if (!write_errno) write_errno = errno ? errno : EIO;
    return false;
}

int out_finish(int code)
{
    if (out_flush()) return code;
    out_error("cannot write to standard output: %s", strerror(write_errno));
    return code == EXIT_DONE ? EXIT_WORK : code;
}

/* ---- JSON ------------------------------------------------------------------------------------ */

/* Bytes of the UTF-8 character at p (n bytes left); 0 if there is none (RFC 3629). */
static size_t utf8_char(const unsigned char *p, size_t n)
{
    static const struct {
        unsigned char first, last, low, high; /* first byte range; range of the second byte */
        unsigned char len;
    } forms[] = {
        {0x00, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
        {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (p[0] < forms[i].first || p[0] > forms[i].last) continue;
        if (forms[i].len > n) return 0;
        if (forms[i].len > 1 && (p[1] < forms[i].low || p[1] > forms[i].high)) return 0;
        for (size_t k = 2; k < forms[i].len; k++) {
            if ((p[k] & 0xc0) != 0x80) return 0;
        }
        return forms[i].len;
    }
    return 0;
}

bool out_is_utf8(const char *text, size_t len)
{
    const unsigned char *p = (const unsigned char *)text;
    for (size_t i = 0, step; i < len; i += step) {
        step = utf8_char(p + i, len - i);
        if (step == 0) return false;
    }
    return true;
}

void out_json_string(const char *text, size_t len)
{
    const unsigned char *p = (const unsigned char *)text;
    putchar('"');
    for (size_t i = 0; i < len;) {
        size_t step = utf8_char(p + i, len - i);
        if (step == 0) {
            fputs("\xef\xbf\xbd", stdout);
            i++;
            continue;
        }
        if (p[i] == '"' || p[i] == '\\') {
            printf("\\%c", p[i]);
        } else if (p[i] == '\n') {
            fputs("\\n", stdout);
        } else if (p[i] < 0x20 || p[i] == 0x7f) {
            printf("\\u%04x", p[i]);
        } else {
            fwrite(p + i, 1, step, stdout);
        }
        i += step;
    }
    putchar('"');
}

void out_csv_field(const char *text)
{
    putchar('"');
    for (; *text; text++) printf("%s%c", *text == '"' ? "\"" : "", *text);
    putchar('"');
}

void out_json_text(const char *key, const char *text, size_t len)
{
    printf("\"%s\":", key);
    out_json_string(text, len);
    if (out_is_utf8(text, len)) return;
    fputs(",\"bytes\":[", stdout);
    for (size_t i = 0; i < len; i++) printf("%s%u", i ? "," : "", (unsigned)(unsigned char)text[i]);
    putchar(']');
}

void out_json_number(double value)
{
    if (isfinite(value)) {
        printf("%.9g", value);
    } else {
        fputs("-9999", stdout);
    }
}

/* ---- for people ------------------------------------------------------------------------------ */

void out_plain(const char *text, int width)
{
    int n = 0;
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        n += *p < 0x20 || *p == 0x7f ? printf("\\x%02x", *p) : (putchar(*p), 1);
    }
    if (n < width) printf("%*s", width - n, "");
}

void out_format_bytes(double bytes, char *text, size_t cap)
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
    size_t i = 0;
    for (; bytes >= 1024 && i + 1 < sizeof units / sizeof *units; i++) bytes /= 1024;
    snprintf(text, cap, i ? "%.2f %s" : "%.0f %s", bytes, units[i]);
}

void out_progress_start(out_progress *p)
{
    *p = (out_progress){.start = platform_now(), .enabled = platform_has_cursor(2)};
}

static bool is_due(out_progress *p)
{
    if (!p->enabled) return false;
    double now = platform_now();
    if (now - p->start < 1.0 || now - p->last < 0.1) return false;
    p->last = now;
    return p->shown = true;
}

void out_progress_show(out_progress *p, const char *what, double share)
{
    if (!is_due(p)) return;
    fprintf(stderr, "\r\033[K%s %3.0f %%", what, 100 * share);
    fflush(stderr);
}

void out_progress_count(out_progress *p, const char *what, size_t n)
{
    if (!is_due(p)) return;
    fprintf(stderr, "\r\033[K%s: %zu", what, n);
    fflush(stderr);
}

void out_progress_clear(out_progress *p)
{
    if (!p->shown) return;
    fputs("\r\033[K", stderr);
    fflush(stderr);
    p->shown = false;
}
