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

/* What lies half way between two doubles has at most 767 digits, so digits beyond these say no more
 * than that a number is above it. */
enum { MAX_DIGITS = 780, MAX_EXPONENT_TEXT = 16 };

/* +-d1d2d3...dn * 10^exponent: neither the first nor the last digit is 0. Digits beyond the room
 * are one '1' if any of them is not 0. */
typedef struct decimal {
    bool negative;
    size_t n;
    int64_t exponent;
    char digit[MAX_DIGITS + MAX_EXPONENT_TEXT];
} decimal;

/* Of "e-5", at p; beyond 10^12, at which nothing differs any more, only roughly. */
static int64_t read_exponent(const char *p, const char *end)
{
    int64_t e = 0;
    if (p == end) return 0;
    bool negative = *++p == '-';
    if (*p == '-' || *p == '+') p++;
    for (; p < end; p++)
        if (e < 1000000000000) e = 10 * e + (*p - '0');
    return negative ? -e : e;
}

static void read_decimal(const char *p, size_t n, decimal *d)
{
    const char *end = p + n;
    bool fraction = false, more = false;
    d->n = 0;
    d->exponent = 0;
    d->negative = n && *p == '-';
    if (d->negative) p++;
    for (; p < end && *p != 'e' && *p != 'E'; p++) {
        if (*p == '.') {
            fraction = true;
            continue;
        }
        if (d->n == MAX_DIGITS) {
            more |= *p != '0';
            d->exponent++;
        } else if (d->n || *p != '0') {
            d->digit[d->n++] = *p;
        }
        d->exponent -= fraction;
    }
    d->exponent += read_exponent(p, end);
    if (more) {
        d->digit[d->n++] = '1';
        d->exponent--;
    }
    for (; d->n && d->digit[d->n - 1] == '0'; d->n--) d->exponent++;
}

/* The digits as a number, times 10 for each of n_zeros; false if it does not fit. */
static bool read_digits(const decimal *d, size_t n_zeros, uint64_t *out)
{
    uint64_t x = 0;
    if (d->n + n_zeros > 20) return false;
    for (size_t i = 0; i < d->n + n_zeros; i++) {
        unsigned digit = i < d->n ? (unsigned)(d->digit[i] - '0') : 0;
        if (__builtin_mul_overflow(x, 10, &x) || __builtin_add_overflow(x, digit, &x)) return false;
    }
    *out = x;
    return true;
}

static double magnitude_of(decimal *d)
{
    static const double power[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                   1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                   1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    uint64_t x;
    if (!d->n) return 0;
    if (d->n <= 15 && d->exponent >= -22 && d->exponent <= 22 && read_digits(d, 0, &x))
        return d->exponent < 0 ? (double)x / power[-d->exponent] : (double)x * power[d->exponent];
    if ((int64_t)d->n + d->exponent > 310) return INFINITY;
    if ((int64_t)d->n + d->exponent < -330) return 0;
    snprintf(d->digit + d->n, MAX_EXPONENT_TEXT, "e%d", (int)d->exponent); /* and no point */
    return strtod(d->digit, NULL);
}

double ingle_number_read(const char *p, size_t n)
{
    decimal d;
    read_decimal(p, n, &d);
    double x = magnitude_of(&d);
    return d.negative ? -x : x;
}

bool ingle_number_whole(const char *p, size_t n, bool *negative, uint64_t *magnitude)
{
    decimal d;
    read_decimal(p, n, &d);
    *negative = d.negative;
    *magnitude = 0;
    if (!d.n) return true;
    return d.exponent >= 0 && d.exponent <= 20 && read_digits(&d, (size_t)d.exponent, magnitude);
}
