/* jinja_number.h - whole numbers of any size, and floats as Python writes them.
 * Depends on jinja_value.h, base/number.h.
 * Invariant  a whole number that fits int64_t is JINJA_INT, never JINJA_BIG. */
#ifndef INGLE_CHAT_JINJA_NUMBER_H
#define INGLE_CHAT_JINJA_NUMBER_H

#include "chat/jinja_value.h"

enum { JINJA_MAX_DIGITS = 4300 }; /* as Python's own limit */

/* A decimal number as JSON writes it: a float if it has a point or an exponent. False: no memory,
 * or more than JINJA_MAX_DIGITS digits. */
bool ingle_jinja_number_read(jinja_arena *a, const char *p, size_t n, bool trusted,
                             jinja_value *out);

/* As Python's repr(): "1.0", "1e-07", "inf". */
enum { JINJA_FLOAT_TEXT = 40 };
void ingle_jinja_float_text(double x, char out[JINJA_FLOAT_TEXT]);
/* Decimal digits of JINJA_INT or JINJA_BIG onto the text under construction. */
bool ingle_jinja_put_int(jinja_render *r, const jinja_value *v, bool trusted);
/* The same into memory of n bytes; returns the length, 0 if there is no room. */
size_t ingle_jinja_int_text(const jinja_value *v, char *out, size_t n);

/* Of whole numbers; false: no memory, or more than JINJA_MAX_DIGITS digits. */
bool ingle_jinja_int_add(jinja_render *r, const jinja_value *a, const jinja_value *b, bool subtract,
                         jinja_value *out);
bool ingle_jinja_int_mul(jinja_render *r, const jinja_value *a, const jinja_value *b,
                         jinja_value *out);
int ingle_jinja_int_compare(const jinja_value *a, const jinja_value *b);
/* The nearest double, perhaps infinite. */
double ingle_jinja_int_double(const jinja_value *v);

/* Bools, whole numbers and floats. */
static inline bool ingle_jinja_is_int(const jinja_value *v)
{
    return v->kind == JINJA_BOOL || v->kind == JINJA_INT || v->kind == JINJA_BIG;
}
static inline bool ingle_jinja_is_number(const jinja_value *v)
{
    return v->kind >= JINJA_BOOL && v->kind <= JINJA_FLOAT;
}
/* The same number, a bool as 0 or 1. */
static inline jinja_value ingle_jinja_as_int(const jinja_value *v)
{
    return v->kind == JINJA_BOOL ? ingle_jinja_int(v->u.b, v->trusted) : *v;
}
static inline double ingle_jinja_as_double(const jinja_value *v)
{
    if (v->kind == JINJA_FLOAT) return v->u.f;
    if (v->kind == JINJA_BOOL) return v->u.b;
    return ingle_jinja_int_double(v);
}
/* False if v is no whole number; what is beyond int64_t becomes its nearest end. */
bool ingle_jinja_clamped(const jinja_value *v, int64_t *out);

#endif
