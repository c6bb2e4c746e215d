/* lines.c - see lines.h. */
#include "lines.h"
#include "platform.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { LEAST = 64 * 1024 };
static const size_t MOST = (size_t)1 << 30;

/* Room for more behind what is there. */
static bool make_room(lines *l)
{
    if (l->from) {
        memmove(l->data, l->data + l->from, l->n - l->from);
        l->n -= l->from;
        l->seen -= l->from;
        l->from = 0;
    }
    if (l->cap - l->n >= LEAST / 2) return true;
    if (l->cap >= MOST) {
        errno = EFBIG;
        return false;
    }
    size_t cap = l->cap ? 2 * l->cap : LEAST;
    char *larger = realloc(l->data, cap);
    if (!larger) return false;
    l->data = larger;
    l->cap = cap;
    return true;
}

static lines_status give(lines *l, size_t len, size_t taken, const char **line, size_t *out_len)
{
    *line = l->data + l->from;
    if (len && (*line)[len - 1] == '\r') len--; /* of a line end \r\n */
    *out_len = len;
    l->from += taken;
    l->seen = l->from;
    l->number++;
    return LINES_GOT;
}

lines_status lines_next(lines *l, bool wait, const char **line, size_t *len)
{
    for (;;) {
        const char *end = l->seen < l->n ? memchr(l->data + l->seen, '\n', l->n - l->seen) : NULL;
        size_t rest = l->n - l->from;
        if (end) {
            size_t n = (size_t)(end - l->data) - l->from;
            return give(l, n, n + 1, line, len);
        }
        l->seen = l->n;
        if (l->ended) return rest ? give(l, rest, rest, line, len) : LINES_END;
        if (!wait && !platform_input_ready()) return LINES_LATER;
        if (!make_room(l)) return LINES_FAILED;
        size_t got;
        if (!platform_read_input(l->data + l->n, l->cap - l->n, &got)) return LINES_FAILED;
        l->n += got;
        l->ended = got == 0;
    }
}

bool lines_is_blank(const char *line, size_t len)
{
    while (len && (line[len - 1] == ' ' || line[len - 1] == '\t')) len--;
    return len == 0;
}

bool lines_more(const lines *l)
{
    return !l->ended || l->from < l->n;
}

void lines_free(lines *l)
{
    free(l->data);
    *l = (lines){0};
}
