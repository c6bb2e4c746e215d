/* out.c - see out.h. */
#define _GNU_SOURCE
#include "out.h"
#include "platform.h"

#include "base/clock.h"
#include "base/utf8.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Text for people; returns the number of characters written. */
static int put_plain(FILE *f, const char *text, size_t len)
{
    int n = 0;
    for (size_t i = 0; i < len;) {
        char escaped[INGLE_ESCAPE_MAX];
        size_t step = ingle_utf8_to_plain(text + i, len - i, escaped);
        n += escaped[0] == '\\' && text[i] != '\\' ? (int)strlen(escaped) : 1;
        fputs(escaped, f);
        i += step;
    }
    return n;
}

static char last_error[1024];

const char *out_last_error(void)
{
    return last_error;
}

static void print_message(const char *format, va_list args, bool error)
{
    bool colour = error && platform_has_colour(2);
    char *text = NULL;
    int len = vasprintf(&text, format, args);
    fflush(stdout); /* on one terminal, text written before stays before */
    fprintf(stderr, "%single:%s ", colour ? "\033[1;31m" : "", colour ? "\033[0m" : "");
    if (len >= 0 && error) snprintf(last_error, sizeof last_error, "%s", text);
    if (len >= 0) put_plain(stderr, text, (size_t)len);
    else fputs("no memory for the message", stderr);
    fputc('\n', stderr);
    if (len >= 0) free(text);
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
    if (fflush(stdout) == 0 && !ferror(stdout) && !write_errno) return true;
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

ingle_json_writer out_json(void)
{
    return (ingle_json_writer){.shown = true};
}

void out_json_send(ingle_json_writer *w)
{
    if (w->status && !write_errno) write_errno = ENOMEM;
    if (!w->status && w->n) fwrite(w->text, 1, w->n, stdout);
    w->n = 0;
}

void out_json_line(ingle_json_writer *w)
{
    ingle_json_finish(w);
    out_json_send(w);
    putchar('\n');
}

static void put_number(ingle_json_writer *w, const char *format, int digits, double value)
{
    char text[400]; /* for the largest with all its digits */
    int n = snprintf(text, sizeof text, format, digits, isfinite(value) ? value : -9999);
    ingle_json_put_raw(w, text, (size_t)n);
}

void out_json_number(ingle_json_writer *w, double value)
{
    put_number(w, "%.*g", 9, value);
}

void out_json_fixed(ingle_json_writer *w, double value, int decimals)
{
    put_number(w, "%.*f", decimals, value);
}

void out_json_bytes(ingle_json_writer *w, const char *text, size_t len)
{
    bool spaces = w->spaces;
    w->spaces = false;
    ingle_json_begin_array(w);
    for (size_t i = 0; i < len; i++) ingle_json_put_u64(w, (unsigned char)text[i]);
    ingle_json_end_array(w);
    w->spaces = spaces;
}

void out_json_text(ingle_json_writer *w, const char *key, const char *text, size_t len)
{
    ingle_json_put_bytes(ingle_json_name(w, key), text, len);
    if (ingle_utf8_valid(text, len) != len) out_json_bytes(ingle_json_name(w, "bytes"), text, len);
}

/* ---- CSV ------------------------------------------------------------------------------------- */

void out_csv_field(const char *text)
{
    putchar('"');
    for (const char *quote; (quote = strchr(text, '"')); text = quote + 1) {
        put_plain(stdout, text, (size_t)(quote - text));
        fputs("\"\"", stdout);
    }
    put_plain(stdout, text, strlen(text));
    putchar('"');
}

/* ---- for people ------------------------------------------------------------------------------ */

void out_plain(const char *text, int width)
{
    int n = put_plain(stdout, text, strlen(text));
    if (n < width) printf("%*s", width - n, "");
}

void out_plain_error(const char *text)
{
    put_plain(stderr, text, strlen(text));
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
    *p = (out_progress){.start = ingle_now(), .enabled = platform_has_cursor(2)};
}

static bool is_due(out_progress *p)
{
    if (!p->enabled) return false;
    double now = ingle_now();
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

void out_progress_rate(out_progress *p, const char *what, size_t n, double rate, const char *unit)
{
    if (!is_due(p)) return;
    fprintf(stderr, "\r\033[K%s: %zu, %.1f %s", what, n, rate, unit);
    fflush(stderr);
}

void out_progress_clear(out_progress *p)
{
    if (!p->shown) return;
    fputs("\r\033[K", stderr);
    fflush(stderr);
    p->shown = false;
}
