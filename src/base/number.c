#include "base/number.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void ingle_number_text(double x, bool is_float, char out[INGLE_NUMBER_MAX])
{
    for (int digits = is_float ? 6 : 15; digits <= 17; digits++) {
        snprintf(out, INGLE_NUMBER_MAX, "%.*g", digits, x);
        if (is_float ? strtof(out, NULL) == (float)x : strtod(out, NULL) == x) break;
    }
    for (char *p = out; isfinite(x) && *p; p++) /* the locale may have another decimal point */
        if (!strchr("0123456789+-e", *p)) *p = '.';
}
