/* jinja_ops.c - see jinja_ops.h: operators. */
#include "chat/jinja_ops.h"

#include "chat/jinja_data.h"
#include "chat/jinja_number.h"
#include "chat/jinja_show.h"
#include "chat/jinja_text.h"

#include <math.h>

static const char *const SIGN[] = {"+", "-", "*", "/", "//", "%", "** or pow()"};

static bool no_operands(jinja_render *r, jinja_math op, const jinja_value *a, const jinja_value *b)
{
    if (a->kind == JINJA_UNDEFINED) return ingle_jinja_fail_undefined(r, a);
    if (b->kind == JINJA_UNDEFINED) return ingle_jinja_fail_undefined(r, b);
    return JINJA_REFUSE(r, "unsupported operand type(s) for %s: '%s' and '%s'", SIGN[op],
                        ingle_jinja_type_name(a), ingle_jinja_type_name(b));
}

/* ---- numbers --------------------------------------------------------------------------------- */

static bool divide_by_zero(jinja_render *r)
{
    return JINJA_REFUSE(r, "division by zero");
}

static bool math_floats(jinja_render *r, jinja_math op, double x, double y, bool trusted,
                        jinja_value *out)
{
    double z = 0, m;
    if (y == 0 && op >= JINJA_DIV && op <= JINJA_MOD) return divide_by_zero(r);
    switch (op) {
    case JINJA_ADD: z = x + y; break;
    case JINJA_SUB: z = x - y; break;
    case JINJA_MUL: z = x * y; break;
    case JINJA_DIV: z = x / y; break;
    case JINJA_FLOORDIV:
    case JINJA_MOD:
        m = fmod(x, y);
        if (m != 0 && (m < 0) != (y < 0)) m += y;
        z = op == JINJA_MOD ? m : round((x - m) / y);
        if (op == JINJA_MOD && m == 0) z = copysign(0.0, y);
        break;
    case JINJA_POW:
        if (x == 0 && y < 0) return JINJA_REFUSE(r, "0.0 cannot be raised to a negative power");
        z = pow(x, y);
        if (x < 0 && y != floor(y))
            return ingle_jinja_fail(r, INGLE_EUNSUPPORTED, "complex numbers are not supported");
        if (isinf(z) && !isinf(x) && !isinf(y)) return JINJA_REFUSE(r, "a power out of range");
        break;
    }
    *out = ingle_jinja_float(z, trusted);
    return true;
}

static bool power(jinja_render *r, const jinja_value *a, const jinja_value *b, jinja_value *out)
{
    jinja_value base = *a;
    int64_t n;
    ingle_jinja_clamped(b, &n);
    if (n < 0)
        return math_floats(r, JINJA_POW, ingle_jinja_as_double(a), (double)n,
                           a->trusted && b->trusted, out);
    bool small = a->kind == JINJA_INT && a->u.i >= -1 && a->u.i <= 1;
    if (n > 4 * JINJA_MAX_DIGITS && !small)
        return ingle_jinja_fail(r, INGLE_EUNSUPPORTED, "a number of more than %d digits",
                                JINJA_MAX_DIGITS);
    *out = ingle_jinja_int(1, a->trusted && b->trusted);
    while (n) {
        if (n & 1 && !ingle_jinja_int_mul(r, out, &base, out)) return false;
        n >>= 1;
        if (n && !ingle_jinja_int_mul(r, &base, &base, &base)) return false;
    }
    return true;
}

static bool floor_divide(jinja_render *r, jinja_math op, const jinja_value *a, const jinja_value *b,
                         jinja_value *out)
{
    bool trusted = a->trusted && b->trusted;
    if (b->kind == JINJA_INT && b->u.i == 0) return divide_by_zero(r);
    if (a->kind != JINJA_INT || b->kind != JINJA_INT || (b->u.i == -1 && a->u.i == INT64_MIN))
        return ingle_jinja_fail(r, INGLE_EUNSUPPORTED, "'%s' of numbers beyond 2^63", SIGN[op]);
    int64_t q = b->u.i == -1 ? -a->u.i : a->u.i / b->u.i, m = b->u.i == -1 ? 0 : a->u.i % b->u.i;
    if (m && (m < 0) != (b->u.i < 0)) {
        m += b->u.i;
        q--;
    }
    *out = ingle_jinja_int(op == JINJA_MOD ? m : q, trusted);
    return true;
}

/* As a double. */
static bool is_exact(const jinja_value *v)
{
    return v->kind == JINJA_INT && v->u.i >= -((int64_t)1 << 53) && v->u.i <= (int64_t)1 << 53;
}

static bool math_ints(jinja_render *r, jinja_math op, const jinja_value *a, const jinja_value *b,
                      jinja_value *out)
{
    int64_t z;
    bool small = a->kind == JINJA_INT && b->kind == JINJA_INT, trusted = a->trusted && b->trusted;
    switch (op) {
    case JINJA_ADD:
    case JINJA_SUB:
        if (small && !(op == JINJA_ADD ? __builtin_add_overflow(a->u.i, b->u.i, &z)
                                       : __builtin_sub_overflow(a->u.i, b->u.i, &z))) {
            *out = ingle_jinja_int(z, trusted);
            return true;
        }
        return ingle_jinja_int_add(r, a, b, op == JINJA_SUB, out);
    case JINJA_MUL:
        if (small && !__builtin_mul_overflow(a->u.i, b->u.i, &z)) {
            *out = ingle_jinja_int(z, trusted);
            return true;
        }
        return ingle_jinja_int_mul(r, a, b, out);
    case JINJA_DIV:
        if (!is_exact(a) || !is_exact(b))
            return ingle_jinja_fail(r, INGLE_EUNSUPPORTED, "'/' of numbers beyond 2^53");
        return math_floats(r, op, ingle_jinja_as_double(a), ingle_jinja_as_double(b), trusted, out);
    case JINJA_POW: return power(r, a, b, out);
    case JINJA_FLOORDIV:
    case JINJA_MOD: return floor_divide(r, op, a, b, out);
    }
    return false;
}

/* ---- sequences ------------------------------------------------------------------------------- */

static bool join_lists(jinja_render *r, const jinja_value *a, const jinja_value *b,
                       jinja_value *out)
{
    if (!ingle_jinja_read_list(r, a->u.list) || !ingle_jinja_read_list(r, b->u.list)) return false;
    jinja_list *l = ingle_jinja_list_new(r, (size_t)a->u.list->n + b->u.list->n);
    if (!l) return false;
    for (uint32_t i = 0; i < a->u.list->n; i++)
        if (!ingle_jinja_list_add(r, l, a->u.list->item[i])) return false;
    for (uint32_t i = 0; i < b->u.list->n; i++)
        if (!ingle_jinja_list_add(r, l, b->u.list->item[i])) return false;
    *out = ingle_jinja_of_list((jinja_kind)a->kind, l, a->trusted && b->trusted);
    return true;
}

static bool add(jinja_render *r, const jinja_value *a, const jinja_value *b, jinja_value *out)
{
    if (a->kind == JINJA_STR && b->kind == JINJA_STR) {
        jinja_value x = *a, y = *b;
        if (a->safe && !b->safe && !ingle_jinja_escape(r, b, &y)) return false;
        if (b->safe && !a->safe && !ingle_jinja_escape(r, a, &x)) return false;
        if (!ingle_jinja_str_join(r, x.u.str, y.u.str, out)) return false;
        out->safe = a->safe || b->safe;
        return true;
    }
    if (a->kind == b->kind && (a->kind == JINJA_LIST || a->kind == JINJA_TUPLE))
        return join_lists(r, a, b, out);
    if (b->kind == JINJA_UNDEFINED) return ingle_jinja_fail_undefined(r, b);
    if (a->kind == JINJA_STR || a->kind == JINJA_LIST || a->kind == JINJA_TUPLE)
        return JINJA_REFUSE(r, "can only concatenate %s (not \"%s\") to %s",
                            ingle_jinja_type_name(a), ingle_jinja_type_name(b),
                            ingle_jinja_type_name(a));
    return no_operands(r, JINJA_ADD, a, b);
}

static bool repeat_str(jinja_render *r, const jinja_value *v, int64_t n, bool trusted,
                       jinja_value *out)
{
    const jinja_str *s = v->u.str;
    jinja_cut cut = ingle_jinja_text_begin(r);
    if (s->n && n > 0 && (uint64_t)n > r->max_output / s->n)
        return ingle_jinja_fail(r, INGLE_EUNSUPPORTED, "more than %zu bytes of output",
                                r->max_output);
    for (int64_t i = 0; s->n && i < n; i++)
        if (!ingle_jinja_burn(r, 1) ||
            !(trusted ? ingle_jinja_put_str(r, s) : ingle_jinja_put(r, s->p, s->n, false)))
            return false;
    if (!ingle_jinja_text_end(r, cut, out)) return false;
    out->safe = v->safe;
    return true;
}

static bool repeat(jinja_render *r, const jinja_value *v, const jinja_value *times,
                   jinja_value *out)
{
    int64_t n;
    if (!ingle_jinja_clamped(times, &n))
        return JINJA_REFUSE(r, "can't multiply sequence by non-int of type '%s'",
                            ingle_jinja_type_name(times));
    if (v->kind == JINJA_STR) return repeat_str(r, v, n, times->trusted, out);
    if (!ingle_jinja_read_list(r, v->u.list)) return false;
    const jinja_list *from = v->u.list;
    jinja_list *l = ingle_jinja_list_new(r, 0);
    if (!l) return false;
    for (int64_t i = 0; from->n && i < n; i++)
        for (uint32_t k = 0; k < from->n; k++)
            if (!ingle_jinja_list_add(r, l, from->item[k])) return false;
    *out = ingle_jinja_of_list((jinja_kind)v->kind, l, v->trusted && times->trusted);
    return true;
}

static bool is_sequence(const jinja_value *v)
{
    return v->kind == JINJA_STR || v->kind == JINJA_LIST || v->kind == JINJA_TUPLE;
}

bool ingle_jinja_math(jinja_render *r, jinja_math op, const jinja_value *a, const jinja_value *b,
                      jinja_value *out)
{
    if (ingle_jinja_is_int(a) && ingle_jinja_is_int(b)) {
        jinja_value x = ingle_jinja_as_int(a), y = ingle_jinja_as_int(b);
        return math_ints(r, op, &x, &y, out);
    }
    if (ingle_jinja_is_number(a) && ingle_jinja_is_number(b))
        return math_floats(r, op, ingle_jinja_as_double(a), ingle_jinja_as_double(b),
                           a->trusted && b->trusted, out);
    if (op == JINJA_ADD) return add(r, a, b, out);
    if (op == JINJA_MUL && is_sequence(a)) return repeat(r, a, b, out);
    if (op == JINJA_MUL && is_sequence(b)) return repeat(r, b, a, out);
    if (op == JINJA_MOD && a->kind == JINJA_STR) return ingle_jinja_percent(r, a->u.str, b, out);
    return no_operands(r, op, a, b);
}

bool ingle_jinja_negate(jinja_render *r, const jinja_value *v, bool negative, jinja_value *out)
{
    jinja_value zero = ingle_jinja_int(0, true), i = ingle_jinja_as_int(v);
    if (v->kind == JINJA_FLOAT) {
        *out = ingle_jinja_float(negative ? -v->u.f : v->u.f, v->trusted);
        return true;
    }
    if (ingle_jinja_is_int(v))
        return math_ints(r, negative ? JINJA_SUB : JINJA_ADD, &zero, &i, out);
    if (v->kind == JINJA_UNDEFINED) return ingle_jinja_fail_undefined(r, v);
    return JINJA_REFUSE(r, "bad operand type for unary %s: '%s'", negative ? "-" : "+",
                        ingle_jinja_type_name(v));
}

/* ---- comparisons ----------------------------------------------------------------------------- */

bool ingle_jinja_compare(jinja_render *r, jinja_comparison op, const jinja_value *a,
                         const jinja_value *b, jinja_value *out)
{
    static const char *const sign[] = {"==", "!=", "<", "<=", ">", ">="};
    bool result = false, trusted = ingle_jinja_is_trusted(a) && ingle_jinja_is_trusted(b);
    int order = 0;
    switch (op) {
    case JINJA_EQ:
    case JINJA_NE:
        if (!ingle_jinja_equal(r, a, b, &result)) return false;
        result ^= op == JINJA_NE;
        break;
    case JINJA_IN:
    case JINJA_NOT_IN:
        if (!ingle_jinja_contains(r, b, a, &result)) return false;
        result ^= op == JINJA_NOT_IN;
        break;
    default:
        if (!ingle_jinja_order(r, a, b, sign[op], &order)) return false;
        result = order != 2 && (op == JINJA_LT   ? order < 0
                                : op == JINJA_LE ? order <= 0
                                : op == JINJA_GT ? order > 0
                                                 : order >= 0);
    }
    *out = ingle_jinja_bool(result, trusted);
    return true;
}

/* ---- HTML ------------------------------------------------------------------------------------ */

bool ingle_jinja_escape(jinja_render *r, const jinja_value *v, jinja_value *out)
{
    static const char meant[] = "&<>\"'";
    static const char *const written[] = {"&amp;", "&lt;", "&gt;", "&#34;", "&#39;"};
    jinja_value text;
    if (v->kind == JINJA_STR && v->safe) {
        *out = *v;
        return true;
    }
    if (!ingle_jinja_to_str(r, v, &text)) return false;
    const jinja_str *s = text.u.str;
    jinja_cut cut = ingle_jinja_text_begin(r);
    size_t from = 0;
    for (size_t i = 0; i < s->n; i++) {
        const char *e = s->p[i] ? strchr(meant, s->p[i]) : NULL;
        bool trusted;
        if (!e) continue;
        ingle_jinja_str_run(s, i, &trusted);
        if (!ingle_jinja_put_part(r, s, from, i) ||
            !ingle_jinja_put_text(r, written[e - meant], trusted))
            return false;
        from = i + 1;
    }
    if (!ingle_jinja_burn(r, s->n / 8) || !ingle_jinja_put_part(r, s, from, s->n) ||
        !ingle_jinja_text_end(r, cut, out))
        return false;
    out->safe = true;
    return true;
}
