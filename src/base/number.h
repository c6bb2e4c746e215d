/* number.h - numbers as text. Depends on nothing. */
#ifndef INGLE_BASE_NUMBER_H
#define INGLE_BASE_NUMBER_H

#include <stdbool.h>

enum { INGLE_NUMBER_MAX = 40 };
/* Writes x, a float or a double, with the fewest digits that read back as the same number, but at
 * least 6 or 15 of them where it has so many. The decimal point is a point in any locale. */
void ingle_number_text(double x, bool is_float, char out[INGLE_NUMBER_MAX]);

#endif
