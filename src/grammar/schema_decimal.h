/* schema_decimal.h - numbers of JSON as exact decimals of any size.
 * Depends on base/json.h, schema_memory.h. */
#ifndef INGLE_GRAMMAR_SCHEMA_DECIMAL_H
#define INGLE_GRAMMAR_SCHEMA_DECIMAL_H

#include "base/json.h"
#include "grammar/schema_memory.h"

/* 0.DIGITS times 10^point; neither the first digit nor the last is 0, zero has none. */
typedef struct schema_decimal {
    bool negative;
    const char *digits;
    size_t n;
    int point;
} schema_decimal;

enum { SCHEMA_MAX_POINT = 400 }; /* beyond the largest double */

/* NULL: no memory, or (*status: EUNSUPPORTED) an exponent beyond SCHEMA_MAX_POINT. */
const schema_decimal *ingle_schema_decimal(schema_memory *m, const ingle_json *number,
                                           ingle_status *status);

int ingle_schema_decimal_compare(const schema_decimal *a, const schema_decimal *b);

static inline bool ingle_schema_decimal_whole(const schema_decimal *a)
{
    return !a->n || (a->point > 0 && a->n <= (size_t)a->point);
}

/* The digit of value 10^(point - 1 - i): i counts from the first digit; 0 outside of the number. */
static inline int ingle_schema_decimal_digit(const schema_decimal *a, long i)
{
    return i >= 0 && (size_t)i < a->n ? a->digits[i] - '0' : 0;
}

/* a as mantissa times 10^-scale, scale >= 0; false if the mantissa has no 63 bits. */
bool ingle_schema_decimal_scaled(const schema_decimal *a, uint64_t *mantissa, unsigned *scale);

/* Whether a is a multiple of b, which is not 0; false in *known: too many digits. */
bool ingle_schema_decimal_multiple(const schema_decimal *a, const schema_decimal *b, bool *known);

#endif
