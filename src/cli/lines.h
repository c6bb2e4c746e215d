/* lines.h - standard input line by line, as it comes.
 * Owns       what was read and not yet asked for (lines_free()). Depends on platform.h. */
#ifndef INGLE_CLI_LINES_H
#define INGLE_CLI_LINES_H

#include <stdbool.h>
#include <stddef.h>

typedef enum lines_status {
    LINES_GOT,
    LINES_LATER, /* not here yet, and waiting was not asked for */
    LINES_END,
    LINES_FAILED /* errno says why; EINTR: Ctrl+C */
} lines_status;

typedef struct lines {
    char *data; /* [from, n) is not asked for yet; no newline before `seen` */
    size_t from, seen, n, cap;
    bool ended;
    size_t number; /* of the last line got, from 1 */
} lines;

/* The next line without its end, "\n" or "\r\n", which the last one may lack; it stays valid until the next call.
 * More than 1 GiB is refused with EFBIG. */
lines_status lines_next(lines *l, bool wait, const char **line, size_t *len);
/* Whether there is nothing but blanks and tabs. */
bool lines_is_blank(const char *line, size_t len);
/* Whether there may be another one. */
bool lines_more(const lines *l);
void lines_free(lines *l);

#endif
