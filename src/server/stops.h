/* stops.h - stop strings in text that comes in pieces: text is shown as soon as no stop can begin in it.
 * Owns       nothing. Depends on <ingle.h>. */
#ifndef INGLE_SERVER_STOPS_H
#define INGLE_SERVER_STOPS_H

#include <ingle.h>

/* How many of the n bytes at p, which were not shown yet, can be shown: those before the first stop
 * that occurs, *i_stop is its number; else those before the longest end that a stop begins with, and
 * *i_stop is n_stops. */
size_t stops_scan(const ingle_stop *stops, size_t n_stops, const char *p, size_t n, size_t *i_stop);

#endif
