/* log.h - what an engine has to say to its owner. Messages are noted with the lock held and handed
 * over when it is let go.
 * Owns       the messages that wait. Depends on the public header.
 * Invariant  nothing is allocated; when messages come faster than they are handed over, some are
 *            left out, and their number is told. */
#ifndef INGLE_ENGINE_LOG_H
#define INGLE_ENGINE_LOG_H

#include <stdbool.h>

#include "ingle.h"

enum { INGLE_LOG_WAITING = 8, INGLE_LOG_TEXT = 240 };

typedef struct ingle_log_line {
    ingle_log_level level;
    char text[INGLE_LOG_TEXT];
} ingle_log_line;

typedef struct ingle_log {
    void (*fn)(void *user, ingle_log_level level, const char *text); /* NULL: nobody listens */
    void *user;
    ingle_log_line line[INGLE_LOG_WAITING];
    size_t n_read, n_made, n_left_out;
} ingle_log;

/* With the lock held. */
__attribute__((format(printf, 3, 4))) void ingle_log_note(ingle_log *log, ingle_log_level level,
                                                          const char *format, ...);
/* Takes the oldest message; false: there is none. */
bool ingle_log_take(ingle_log *log, ingle_log_line *line);

#endif
