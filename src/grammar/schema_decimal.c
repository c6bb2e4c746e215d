/* schema_decimal.c - see schema_decimal.h. */
#include "grammar/schema_decimal.h"

/* The exponent after 'e'; far beyond any limit if it has many digits. */
static long exponent_of(const char *p, size_t n)
{
    long e = 0;
    bool minus = n && *p == '-';
    for (size_t i = n && (*p == '-' || *p == '+'); i < n; i++)
        if (e < 10000000) e = 10 * e + (p[i] - '0');
    return minus ? -e : e;
}

/* Takes the zeros away on both sides; returns how many were in front. */
static long trim(schema_decimal *d)
{
    long zeros = 0;
    for (; d->n && *d->digits == '0'; d->n--, zeros++) d->digits++;
    while (d->n && d->digits[d->n - 1] == '0') d->n--;
    if (!d->n) d->negative = false;
    return zeros;
}

const schema_decimal *ingle_schema_decimal(schema_memory *m, const ingle_json *number,
                                           ingle_status *status)
{
    schema_decimal *d = ingle_schema_take(m, 1, sizeof *d);
    char *digits = ingle_schema_take(m, number->len, 1);
    long point = -1, exponent = 0;
    *status = INGLE_ENOMEM;
    if (!d || !digits) return NULL;
    *d = (schema_decimal){.negative = number->text[0] == '-', .digits = digits};
    for (size_t i = d->negative; i < number->len; i++) {
        char c = number->text[i];
        if (c == '.') {
            point = (long)d->n;
        } else if (c == 'e' || c == 'E') {
            exponent = exponent_of(number->text + i + 1, number->len - i - 1);
            break;
        } else {
            digits[d->n++] = c;
        }
    }
    if (point < 0) point = (long)d->n;
    point += exponent - trim(d);
    *status = INGLE_EUNSUPPORTED;
    if (d->n && (point > SCHEMA_MAX_POINT || point < -SCHEMA_MAX_POINT)) return NULL;
    d->point = d->n ? (int)point : 0;
    *status = INGLE_OK;
    return d;
}

int ingle_schema_decimal_compare(const schema_decimal *a, const schema_decimal *b)
{
    if (a->negative != b->negative) return a->negative ? -1 : 1;
    int sign = a->negative ? -1 : 1;
    if (!a->n || !b->n) return sign * ((a->n != 0) - (b->n != 0));
    if (a->point != b->point) return sign * (a->point < b->point ? -1 : 1);
    size_t n = a->n < b->n ? a->n : b->n;
    int order = memcmp(a->digits, b->digits, n);
    if (order) return sign * (order < 0 ? -1 : 1);
    return a->n == b->n ? 0 : sign * (a->n < b->n ? -1 : 1);
}

bool ingle_schema_decimal_scaled(const schema_decimal *a, uint64_t *mantissa, unsigned *scale)
{
    long last = a->point - (long)a->n; /* exponent of the last digit */
    size_t zeros = last > 0 ? (size_t)last : 0;
    *mantissa = 0;
    *scale = last < 0 ? (unsigned)-last : 0;
    if (a->n + zeros > 18) return false;
    for (size_t i = 0; i < a->n + zeros; i++)
        *mantissa = 10 * *mantissa + (uint64_t)ingle_schema_decimal_digit(a, (long)i);
    return true;
}

bool ingle_schema_decimal_multiple(const schema_decimal *a, const schema_decimal *b, bool *known)
{
    uint64_t by, rest = 0;
    unsigned scale;
    *known = ingle_schema_decimal_scaled(b, &by, &scale);
    if (!*known) return false;
    long n_digits = a->point + (long)scale;          /* of a times 10^scale */
    if (a->n && (long)a->n > n_digits) return false; /* finer than b */
    for (long i = 0; i < n_digits && a->n; i++) {
        rest = (10 * rest + (uint64_t)ingle_schema_decimal_digit(a, i)) % by; /* by < 10^18 */
    }
    return !rest;
}
