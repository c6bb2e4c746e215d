/* number.h - numbers as text, and text as numbers. Depends on nothing. */
#ifndef INGLE_BASE_NUMBER_H
#define INGLE_BASE_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { INGLE_NUMBER_MAX = 40 };
/* Writes x, a float or a double, with the fewest digits that read back as the same number, but at
 * least 6 or 15 of them where it has so many. The decimal point is a point in any locale. */
void ingle_number_text(double x, bool is_float, char out[INGLE_NUMBER_MAX]);

/* The n bytes at p are a number as JSON writes it, like -12.50e+3, of any length; a point is one in
 * any locale. The nearest double; infinite if it is beyond all of them. */
double ingle_number_read(const char *p, size_t n);
/* Whether it is a whole number (as 1.5e1 is) of 64 bits, and which; exact. */
bool ingle_number_whole(const char *p, size_t n, bool *negative, uint64_t *magnitude);

#endif
