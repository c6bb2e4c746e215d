#include "engine/log.h"

#include <stdarg.h>
#include <stdio.h>

void ingle_log_note(ingle_log *log, ingle_log_level level, const char *format, ...)
{
    va_list args;
    if (!log->fn) return;
    if (log->n_made - log->n_read == INGLE_LOG_WAITING) {
        log->n_left_out++;
        return;
    }
    ingle_log_line *line = &log->line[log->n_made++ % INGLE_LOG_WAITING];
    line->level = level;
    va_start(args, format);
    vsnprintf(line->text, sizeof line->text, format, args);
    va_end(args);
}

bool ingle_log_take(ingle_log *log, ingle_log_line *line)
{
    if (log->n_read == log->n_made && !log->n_left_out) return false;
    if (log->n_read == log->n_made) {
        line->level = INGLE_LOG_INFO;
        snprintf(line->text, sizeof line->text, "%zu messages were left out", log->n_left_out);
        log->n_left_out = 0;
        return true;
    }
    *line = log->line[log->n_read++ % INGLE_LOG_WAITING];
    return true;
}
