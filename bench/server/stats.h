/* stats.h - numbers that were measured, the clock they come from, and how a measurement ends early.
 * Owns       the numbers of a series. Depends on nothing. */
#ifndef INGLE_BENCH_STATS_H
#define INGLE_BENCH_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct series {
    double *x; /* [n] */
    size_t n, cap;
} series;

void series_add(series *s, double x);
/* The value below which that share of them lies: 0.5 is the median, 1 the largest. Sorts them. NAN
 * if there are none. */
double series_at(series *s, double share);
double series_sum(const series *s);
void series_free(series *s); /* to {0} */

double now(void); /* seconds */
void sleep_s(double seconds);

/* The next of a row of numbers that look random; the same row from the same start. */
uint64_t next_random(uint64_t *state);

/* Prints the reason, ends the programs that were started, and this one. */
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
void *need(void *memory); /* what malloc() gave; NULL ends the program */

#endif
