/* jinja_value_filters.c - filters of numbers and of any value; see jinja_builtin.h. */
#include "chat/jinja_args.h"
#include "chat/jinja_builtin.h"
#include "chat/jinja_ops.h"

#include "base/number.h"

#include <math.h>
#include <stdio.h>

static bool default_value(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    bool falsy, truth;
    if (!ingle_jinja_arg_bool(r, &c->arg[2], &falsy) || !ingle_jinja_truth(r, &c->arg[0], &truth))
        return false;
    bool replace = c->arg[0].kind == JINJA_UNDEFINED || (falsy && !truth);
    if (!replace) *out = c->arg[0];
    else if (ingle_jinja_given(&c->arg[1])) *out = c->arg[1];
    else return ingle_jinja_str_view(r, "", 0, true, out);
    return true;
}

/* Digits of base 2 to 36 with a sign, a prefix and underscores as Python's int() takes them. */
static bool parse_based(const char *p, size_t n, int base, int64_t *out)
{
    bool negative = n && *p == '-';
    if (n && (*p == '-' || *p == '+')) p++, n--;
    char prefix = n > 2 && *p == '0' ? (char)(p[1] | 0x20) : 0;
    if ((prefix == 'x' && base == 16) || (prefix == 'o' && base == 8) ||
        (prefix == 'b' && base == 2))
        p += 2, n -= 2;
    *out = 0;
    for (size_t i = 0; i < n; i++) {
        int c = p[i], digit = c >= '0' && c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
        if (digit < 0 || digit >= base) return false;
        if (__builtin_mul_overflow(*out, base, out) || __builtin_add_overflow(*out, digit, out))
            return false;
    }
    if (negative) *out = -*out;
    return n > 0;
}

/* -12.5e3 with blanks around, "inf" and "nan"; false: no number. */
static bool parse_float(const jinja_str *s, double *out)
{
    size_t from = ingle_jinja_leading_space(s->p, s->n), i = from;
    size_t n = from + ingle_jinja_without_trailing_space(s->p + from, s->n - from), digits = 0;
    bool negative = i < n && s->p[i] == '-';
    if (i < n && (s->p[i] == '-' || s->p[i] == '+')) i++;
    size_t begin = i;
    if (n - i == 3 && (!memcmp(s->p + i, "inf", 3) || !memcmp(s->p + i, "nan", 3))) {
        *out = s->p[i] == 'i' ? INFINITY : NAN;
        if (negative) *out = -*out;
        return true;
    }
    for (; i < n && s->p[i] >= '0' && s->p[i] <= '9'; i++) digits++;
    if (i < n && s->p[i] == '.')
        for (i++; i < n && s->p[i] >= '0' && s->p[i] <= '9'; i++) digits++;
    if (digits && i < n && (s->p[i] | 0x20) == 'e') {
        i++;
        if (i < n && (s->p[i] == '-' || s->p[i] == '+')) i++;
        if (i == n) return false;
        for (; i < n && s->p[i] >= '0' && s->p[i] <= '9'; i++) continue;
    }
    if (!digits || i < n) return false;
    *out = ingle_number_read(s->p + begin, n - begin);
    if (negative) *out = -*out;
    return true;
}

static bool int_of_float(double x, bool trusted, jinja_value *out)
{
    if (!isfinite(x) || fabs(x) >= 0x1p63) return false;
    *out = ingle_jinja_int((int64_t)x, trusted);
    return true;
}

/* Decimal digits of any number; false: it is none. */
static bool parse_int(jinja_render *r, const jinja_str *s, jinja_value *out)
{
    size_t from = ingle_jinja_leading_space(s->p, s->n);
    size_t n = ingle_jinja_without_trailing_space(s->p + from, s->n - from), i = 0;
    const char *p = s->p + from;
    if (n && *p == '+') p++, n--;
    size_t sign = n && *p == '-';
    for (i = sign; i < n; i++)
        if (p[i] < '0' || p[i] > '9') return false;
    return n > sign && ingle_jinja_number_read(&r->heap, p, n, ingle_jinja_str_trusted(s), out);
}

static bool to_int(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    const jinja_value *v = &c->arg[0];
    int64_t base, i;
    double x;
    if (v->kind == JINJA_UNDEFINED) return ingle_jinja_fail_undefined(r, v);
    if (!ingle_jinja_arg_int(r, &c->arg[2], 10, &base)) return false;
    if (ingle_jinja_is_int(v)) {
        *out = ingle_jinja_as_int(v);
        return true;
    }
    if (v->kind == JINJA_FLOAT && int_of_float(v->u.f, v->trusted, out)) return true;
    if (v->kind == JINJA_FLOAT && isfinite(v->u.f))
        return ingle_jinja_fail(r, INGLE_EUNSUPPORTED, "int of a float beyond 2^63");
    if (v->kind == JINJA_STR) {
        bool trusted = ingle_jinja_str_trusted(v->u.str);
        if (base != 10 && base >= 2 && base <= 36 &&
            parse_based(v->u.str->p, v->u.str->n, (int)base, &i)) {
            *out = ingle_jinja_int(i, trusted);
            return true;
        }
        if (base == 10 && parse_int(r, v->u.str, out)) return true;
        if (parse_float(v->u.str, &x) && int_of_float(x, trusted, out)) return true;
    }
    *out = ingle_jinja_given(&c->arg[1]) ? c->arg[1] : ingle_jinja_int(0, true);
    return true;
}

static bool to_float(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    const jinja_value *v = &c->arg[0];
    double x;
    if (v->kind == JINJA_UNDEFINED) return ingle_jinja_fail_undefined(r, v);
    if (ingle_jinja_is_number(v)) *out = ingle_jinja_float(ingle_jinja_as_double(v), v->trusted);
    else if (v->kind == JINJA_STR && parse_float(v->u.str, &x))
        *out = ingle_jinja_float(x, ingle_jinja_str_trusted(v->u.str));
    else *out = ingle_jinja_given(&c->arg[1]) ? c->arg[1] : ingle_jinja_float(0, true);
    return true;
}

static bool absolute(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    const jinja_value *v = &c->arg[0];
    if (!ingle_jinja_is_number(v))
        return JINJA_REFUSE(r, "bad operand type for abs(): '%s'", ingle_jinja_type_name(v));
    jinja_value zero = ingle_jinja_int(0, true);
    if (v->kind == JINJA_FLOAT) {
        *out = ingle_jinja_float(fabs(v->u.f), v->trusted);
        return true;
    }
    return ingle_jinja_negate(r, v, ingle_jinja_order_numbers(v, &zero) < 0, out);
}

/* Decimal digits decide, as for Python: 2.675 is below what it looks like. */
static double round_to(double x, int64_t digits)
{
    char text[400];
    if (!isfinite(x) || digits > 300) return x;
    if (digits < 0) {
        double p = pow(10, (double)-digits);
        return rint(x / p) * p;
    }
    snprintf(text, sizeof text, "%.*f", (int)digits, x);
    for (char *p = text; *p; p++)
        if (!strchr("-0123456789", *p)) *p = '.';
    return ingle_number_read(text, strlen(text));
}

static bool round_value(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    const jinja_value *v = &c->arg[0], *method = &c->arg[2];
    int64_t digits;
    if (!ingle_jinja_is_number(v))
        return JINJA_REFUSE(r, "round() expects a number, not %s", ingle_jinja_type_name(v));
    if (!ingle_jinja_arg_int(r, &c->arg[1], 0, &digits)) return false;
    if (digits > 300 || digits < -300) return JINJA_REFUSE(r, "round() to too many digits");
    double x = ingle_jinja_as_double(v), p = pow(10, (double)digits);
    if (ingle_jinja_is_str(method, "ceil")) x = ceil(x * p) / p;
    else if (ingle_jinja_is_str(method, "floor")) x = floor(x * p) / p;
    else if (!ingle_jinja_given(method) || ingle_jinja_is_str(method, "common")) {
        if (ingle_jinja_is_int(v) && digits >= 0) {
            *out = ingle_jinja_as_int(v);
            return true;
        }
        x = round_to(x, digits);
    } else return JINJA_REFUSE(r, "method must be common, ceil or floor");
    *out = ingle_jinja_float(x, v->trusted);
    return true;
}

static bool attr(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    jinja_str *name;
    const jinja_value *v = &c->arg[0];
    if (!ingle_jinja_arg_str(r, &c->arg[1], &name)) return false;
    if (v->kind != JINJA_DICT && v->kind != JINJA_LIST) return ingle_jinja_attr(r, v, name, out);
    *out = (jinja_value){
        .kind = JINJA_UNDEFINED, .detail = JINJA_LACK_ATTR, .number = v->kind, .u.str = name};
    return true;
}

/* The document stays until the end of the rendering: it is read into values at once. */
static bool from_json(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    jinja_str *s;
    ingle_json_doc doc;
    ingle_error err;
    if (!ingle_jinja_arg_str(r, &c->arg[0], &s)) return false;
    if (!ingle_jinja_burn(r, s->n / 4)) return false;
    ingle_status st = ingle_json_open(&doc, s->p, s->n, NULL, &err);
    if (st == INGLE_ENOMEM) return ingle_jinja_fail_memory(r);
    if (st) return JINJA_REFUSE(r, "from_json: %s", err.text);
    size_t n_text = s->n + 1, n_nodes = doc.n_nodes * sizeof *doc.root;
    char *text = ingle_jinja_new_bytes(&r->bytes, n_text);
    ingle_json *node = ingle_jinja_new(&r->heap, n_nodes);
    bool ok = text && node;
    if (ok) {
        memcpy(text, doc.text, n_text);
        memcpy(node, doc.root, n_nodes);
        for (size_t i = 0; i < doc.n_nodes; i++) node[i].text = text + (node[i].text - doc.text);
    }
    ingle_json_close(&doc);
    return ok ? ingle_jinja_from_json(r, node, false, out) : ingle_jinja_fail_memory(r);
}

const jinja_builtin ingle_jinja_value_filters[] = {
    {"default", "default_value boolean", 0, default_value},
    {"d", "default_value boolean", 0, default_value},
    {"int", "default base", 0, to_int},
    {"float", "default", 0, to_float},
    {"abs", "", 0, absolute},
    {"round", "precision method", 0, round_value},
    {"attr", "name", 1, attr},
    {"from_json", "", 0, from_json},
    {0},
};
