/* status.h - how every fallible function of the library reports.
 * Owns       nothing: ingle_error belongs to the caller.
 * Depends on include/ingle.h.
 * Habit      `return ingle_fail(err, INGLE_EFORMAT, "key '%s': ...", key);` */
#ifndef INGLE_BASE_STATUS_H
#define INGLE_BASE_STATUS_H

#include <ingle.h>

/* Writes the text (cut to fit, control bytes and broken UTF-8 made harmless) and returns status.
 * err may be NULL. */
ingle_status ingle_fail(ingle_error *err, ingle_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
