#include "bytes.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>

static bool room(bytes *b, size_t n)
{
    size_t want;
    if (!b->failed && ingle_add_ok(b->n, n, &want) && ingle_grow(&b->p, &b->cap, want, 1))
        return true;
    b->failed = true;
    return false;
}

void bytes_put(bytes *b, const char *p, size_t n)
{
    if (!n || !room(b, n)) return;
    memcpy(b->p + b->n, p, n);
    b->n += n;
}

void bytes_text(bytes *b, const char *text)
{
    bytes_put(b, text, strlen(text));
}

void bytes_format(bytes *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0 || !room(b, (size_t)n + 1)) {
        b->failed = true;
        return;
    }
    va_start(args, format);
    vsnprintf(b->p + b->n, (size_t)n + 1, format, args);
    va_end(args);
    b->n += (size_t)n;
}

void bytes_drop(bytes *b, size_t n)
{
    if (n > b->n) n = b->n;
    if (n && n < b->n) memmove(b->p, b->p + n, b->n - n);
    b->n -= n;
}

void bytes_free(bytes *b)
{
    free(b->p);
    *b = (bytes){0};
}

char *bytes_give(bytes *b, size_t *n)
{
    bool whole = room(b, 1);
    char *p = whole ? b->p : NULL;
    *n = whole ? b->n : 0;
    if (p) p[b->n] = 0;
    else free(b->p);
    *b = (bytes){0};
    return p;
}

void bytes_take_json(bytes *b, ingle_json_writer *w)
{
    if (ingle_json_finish(w)) b->failed = true;
    else bytes_put(b, w->text, w->n);
    w->n = 0;
}

void bytes_event(bytes *b, const char *name, ingle_json_writer *w)
{
    if (name) {
        bytes_put(b, "event: ", 7);
        bytes_text(b, name);
        bytes_put(b, "\n", 1);
    }
    bytes_put(b, "data: ", 6);
    bytes_take_json(b, w);
    bytes_put(b, "\n\n", 2);
}
