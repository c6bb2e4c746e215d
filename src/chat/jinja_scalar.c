/* jinja_scalar.c - see jinja_data.h: equality and order of what has no parts. */
#include "chat/jinja_data.h"
#include "chat/jinja_number.h"

#include <math.h>

/* x is whole and within 2^63: beyond 2^53 a whole number may lie beside the double next to it. */
static int order_exactly(int64_t i, double x)
{
    int64_t y = (int64_t)x;
    return (i > y) - (i < y);
}

int ingle_jinja_order_numbers(const jinja_value *a, const jinja_value *b)
{
    if (a->kind == JINJA_INT && b->kind == JINJA_INT) return (a->u.i > b->u.i) - (a->u.i < b->u.i);
    if (a->kind != JINJA_FLOAT && b->kind != JINJA_FLOAT) return ingle_jinja_int_compare(a, b);
    double x = ingle_jinja_as_double(a), y = ingle_jinja_as_double(b);
    if (isnan(x) || isnan(y)) return 2;
    if (x != y || fabs(x) >= 0x1p63) return (x > y) - (x < y);
    if (a->kind == JINJA_INT) return order_exactly(a->u.i, y);
    if (b->kind == JINJA_INT) return -order_exactly(b->u.i, x);
    return 0;
}

bool ingle_jinja_same_scalars(const jinja_value *a, const jinja_value *b)
{
    if (ingle_jinja_is_number(a) && ingle_jinja_is_number(b))
        return ingle_jinja_order_numbers(a, b) == 0;
    if (a->kind != b->kind) return false;
    switch (a->kind) {
    case JINJA_STR: return ingle_jinja_str_same(a->u.str, b->u.str);
    case JINJA_NONE:
    case JINJA_UNDEFINED: return true;
    case JINJA_FUNC: return a->number == b->number;
    case JINJA_RANGE:
        return a->u.range->n == b->u.range->n &&
               (!a->u.range->n || (a->u.range->first == b->u.range->first &&
                                   (a->u.range->n == 1 || a->u.range->step == b->u.range->step)));
    default: return a->u.list == b->u.list;
    }
}
