/* jinja_format.c - "%s" % x and "{}".format(x); see jinja_ops.h, jinja_builtin.h. */
#include "chat/jinja_args.h"
#include "chat/jinja_builtin.h"
#include "chat/jinja_ops.h"
#include "chat/jinja_string.h"

#include <math.h>
#include <stdio.h>

/* [[fill]align][sign][#][0][width][,][.precision][type] */
typedef struct spec {
    char fill[4];
    size_t n_fill;
    char align, sign, type;
    bool alternate, comma;
    int64_t width, precision; /* -1: not given */
} spec;

enum { MAX_WIDTH = 100000, MAX_PRECISION = 100 };

static bool fill(jinja_render *r, const spec *s, int64_t n, bool trusted)
{
    for (; n > 0; n--)
        if (!ingle_jinja_burn(r, 1) || !ingle_jinja_put(r, s->fill, s->n_fill, trusted))
            return false;
    return true;
}

/* Text of so many characters between what fills the width; '=' fills after the sign. */
static bool put_padded(jinja_render *r, const spec *s, jinja_value *text, char usual, bool trusted)
{
    jinja_str *t = text->u.str;
    char align = s->align ? s->align : usual;
    int64_t pad = s->width - (int64_t)ingle_jinja_str_chars(t), left = 0;
    size_t sign = 0;
    if (pad < 0) pad = 0;
    if (align == '>') left = pad;
    if (align == '^') left = pad / 2;
    if (align == '=') {
        sign = t->n && (*t->p == '-' || *t->p == '+' || *t->p == ' ');
        return ingle_jinja_put_part(r, t, 0, sign) && fill(r, s, pad, trusted) &&
               ingle_jinja_put_part(r, t, sign, t->n);
    }
    return fill(r, s, left, trusted) && ingle_jinja_put_part(r, t, 0, t->n) &&
           fill(r, s, pad - left, trusted);
}

/* ---- numbers --------------------------------------------------------------------------------- */

static size_t put_commas(const char *digits, size_t n, char *out)
{
    size_t m = 0;
    for (size_t i = 0; i < n; i++) {
        if (i && (n - i) % 3 == 0) out[m++] = ',';
        out[m++] = digits[i];
    }
    return m;
}

/* x of an int64_t in a base, without a sign. */
static size_t in_base(uint64_t x, unsigned base, bool upper, char out[72])
{
    char back[72];
    size_t n = 0;
    do back[n++] = (upper ? "0123456789ABCDEF" : "0123456789abcdef")[x % base];
    while (x /= base);
    for (size_t i = 0; i < n; i++) out[i] = back[n - 1 - i];
    return n;
}

static bool sign_and_text(jinja_render *r, const spec *s, bool negative, const char *prefix,
                          const char *digits, size_t n, bool trusted, jinja_value *out)
{
    const char *sign = negative ? "-" : s->sign == '+' ? "+" : s->sign == ' ' ? " " : "";
    jinja_cut cut = ingle_jinja_text_begin(r);
    return ingle_jinja_put_text(r, sign, trusted) && ingle_jinja_put_text(r, prefix, trusted) &&
           ingle_jinja_put(r, digits, n, trusted) && ingle_jinja_text_end(r, cut, out);
}

static bool int_text(jinja_render *r, const spec *s, const jinja_value *v, jinja_value *out)
{
    char digits[JINJA_MAX_DIGITS + 40], commas[2 * JINJA_MAX_DIGITS];
    const char *p = digits, *prefix = "";
    jinja_value i = ingle_jinja_as_int(v);
    bool negative = i.kind == JINJA_INT ? i.u.i < 0 : i.u.big->negative;
    size_t n;
    unsigned base = s->type == 'x' || s->type == 'X' ? 16
                    : s->type == 'o'                 ? 8
                    : s->type == 'b'                 ? 2
                                                     : 10;
    if (base != 10) {
        if (i.kind != JINJA_INT)
            return ingle_jinja_fail(r, INGLE_EUNSUPPORTED, "a number beyond 2^63 in another base");
        uint64_t x = negative ? 0 - (uint64_t)i.u.i : (uint64_t)i.u.i;
        n = in_base(x, base, s->type == 'X', digits);
        if (s->alternate)
            prefix = s->type == 'X' ? "0X" : base == 16 ? "0x" : base == 8 ? "0o" : "0b";
    } else {
        n = ingle_jinja_int_text(&i, digits, sizeof digits);
        p += negative;
        n -= negative;
        if (s->comma) {
            n = put_commas(p, n, commas);
            p = commas;
        }
    }
    return sign_and_text(r, s, negative, prefix, p, n, v->trusted, out);
}

static bool float_text(jinja_render *r, const spec *s, const jinja_value *v, jinja_value *out)
{
    char text[520], commas[700], format[8];
    double x = ingle_jinja_as_double(v);
    char type = s->type == '%' ? 'f' : s->type ? s->type : 'g';
    int precision = s->precision < 0 ? 6 : (int)s->precision;
    if (s->type == '%') x *= 100;
    if (!s->type && s->precision < 0) {
        ingle_jinja_float_text(x, text);
    } else {
        snprintf(format, sizeof format, "%%.*%c", type);
        if (snprintf(text, sizeof text, format, precision, x) >= (int)sizeof text) text[0] = 0;
        for (char *p = text; *p; p++) /* the locale may have another decimal point */
            if (!strchr("0123456789+-einfaEINFA", *p)) *p = '.';
    }
    if (s->type == '%') strcat(text, "%");
    const char *p = text + (text[0] == '-');
    size_t n = strlen(p), whole = strspn(p, "0123456789");
    if (s->comma && whole) {
        size_t m = put_commas(p, whole, commas);
        memcpy(commas + m, p + whole, n - whole);
        n += m - whole;
        p = commas;
    }
    return sign_and_text(r, s, text[0] == '-', "", p, n, v->trusted, out);
}

/* ---- "..." % args ---------------------------------------------------------------------------- */

typedef struct percent {
    jinja_render *r;
    const jinja_value *args;
    uint32_t i_arg;
    bool keyed;
} percent;

static bool next_arg(percent *p, jinja_value *out)
{
    bool tuple = p->args->kind == JINJA_TUPLE;
    if (p->i_arg >= (tuple ? p->args->u.list->n : 1))
        return JINJA_REFUSE(p->r, "not enough arguments for format string");
    *out = tuple ? p->args->u.list->item[p->i_arg] : *p->args;
    p->i_arg++;
    return true;
}

static bool percent_value(percent *p, spec *s, const jinja_value *v, bool trusted)
{
    jinja_render *r = p->r;
    jinja_value text, number = *v;
    char usual = '>';
    number.trusted &= trusted;
    switch (s->type) {
    case 's':
    case 'r':
        if (v->kind == JINJA_STR && s->type == 's') text = *v;
        else if (s->type == 's' ? !ingle_jinja_to_str(r, v, &text) : !ingle_jinja_repr(r, v, &text))
            return false;
        if (s->precision >= 0 && s->precision < (int64_t)ingle_jinja_str_chars(text.u.str) &&
            !ingle_jinja_str_part(r, text.u.str, 0,
                                  ingle_jinja_str_offset(text.u.str, (size_t)s->precision), &text))
            return false;
        if (s->align == '=') s->align = '>', s->fill[0] = ' ';
        break;
    case 'd':
    case 'i':
    case 'u':
    case 'x':
    case 'X':
    case 'o':
        if (!ingle_jinja_is_number(v))
            return JINJA_REFUSE(r, "%%%c format: a real number is required, not %s", s->type,
                                ingle_jinja_type_name(v));
        text = number;
        if (v->kind == JINJA_FLOAT) {
            if (!(fabs(v->u.f) < 9223372036854775808.0) || strchr("xXo", s->type))
                return JINJA_REFUSE(r, "%%%c format: an integer is required, not float", s->type);
            text = ingle_jinja_int((int64_t)v->u.f, number.trusted);
        }
        if (!int_text(r, s, &text, &text)) return false;
        break;
    case 'f':
    case 'F':
    case 'e':
    case 'E':
    case 'g':
    case 'G':
        if (!ingle_jinja_is_number(v))
            return JINJA_REFUSE(r, "must be real number, not %s", ingle_jinja_type_name(v));
        if (!float_text(r, s, &number, &text)) return false;
        break;
    default: return JINJA_REFUSE(r, "unsupported format character '%c'", s->type);
    }
    return put_padded(r, s, &text, usual, trusted);
}

static bool read_digits(const jinja_str *f, size_t *i, int64_t most, int64_t *out)
{
    *out = 0;
    for (; *i < f->n && f->p[*i] >= '0' && f->p[*i] <= '9'; ++*i)
        if ((*out = 10 * *out + (f->p[*i] - '0')) > most) return false;
    return true;
}

static bool too_wide(jinja_render *r)
{
    return ingle_jinja_fail(r, INGLE_EUNSUPPORTED, "a width above %d or a precision above %d",
                            MAX_WIDTH, MAX_PRECISION);
}

/* After the '%' at *i. */
static bool percent_one(percent *p, const jinja_str *f, size_t *i, bool trusted)
{
    jinja_render *r = p->r;
    jinja_value v = {.kind = JINJA_MISSING}, *found;
    spec s = {.fill = " ", .n_fill = 1, .precision = -1};
    if (*i < f->n && f->p[*i] == '(') {
        const char *end = memchr(f->p + *i, ')', f->n - *i);
        if (!end || p->args->kind != JINJA_DICT)
            return JINJA_REFUSE(r, "format requires a mapping");
        size_t n = (size_t)(end - f->p) - *i - 1;
        if (!ingle_jinja_dict_find(r, p->args->u.dict, f->p + *i + 1, n, &found)) return false;
        if (!found)
            return JINJA_REFUSE(r, "'%.*s' is not there to be formatted", n < 50 ? (int)n : 50,
                                f->p + *i + 1);
        v = *found;
        p->keyed = true;
        *i += n + 2;
    }
    for (; *i < f->n && f->p[*i] && strchr("-+ #0", f->p[*i]); ++*i) {
        char c = f->p[*i];
        if (c == '-') s.align = '<';
        else if (c == '+' || (c == ' ' && !s.sign)) s.sign = c;
        else if (c == '#') s.alternate = true;
        else if (c == '0' && s.align != '<') s.align = '=', s.fill[0] = '0';
    }
    if (!read_digits(f, i, MAX_WIDTH, &s.width)) return too_wide(r);
    if (*i < f->n && f->p[*i] == '.') {
        ++*i;
        if (!read_digits(f, i, MAX_PRECISION, &s.precision)) return too_wide(r);
    }
    if (*i == f->n) return JINJA_REFUSE(r, "incomplete format");
    s.type = f->p[(*i)++];
    if (s.align == '<') s.fill[0] = ' ';
    if (s.type == '%') return ingle_jinja_put(r, "%", 1, trusted);
    if (v.kind == JINJA_MISSING && !next_arg(p, &v)) return false;
    return percent_value(p, &s, &v, trusted);
}

bool ingle_jinja_percent(jinja_render *r, const jinja_str *f, const jinja_value *args,
                         jinja_value *out)
{
    percent p = {.r = r, .args = args};
    jinja_cut cut = ingle_jinja_text_begin(r);
    size_t from = 0;
    for (size_t i = 0; i < f->n;) {
        bool trusted;
        if (f->p[i] != '%') {
            i++;
            continue;
        }
        ingle_jinja_str_run(f, i, &trusted);
        if (!ingle_jinja_burn(r, 1) || !ingle_jinja_put_part(r, f, from, i)) return false;
        i++;
        if (!percent_one(&p, f, &i, trusted)) return false;
        from = i;
    }
    bool all = p.keyed || args->kind == JINJA_DICT || args->kind == JINJA_LIST ||
               p.i_arg == (args->kind == JINJA_TUPLE ? args->u.list->n : 1);
    if (!all) return JINJA_REFUSE(r, "not all arguments converted during string formatting");
    return ingle_jinja_put_part(r, f, from, f->n) && ingle_jinja_text_end(r, cut, out);
}

/* ---- "...".format(args) ---------------------------------------------------------------------- */

static bool read_spec(jinja_render *r, const jinja_str *f, size_t i, size_t end, spec *s)
{
    jinja_str text = {f->p, (uint32_t)end, UINT32_MAX, 1, true, NULL};
    *s = (spec){.fill = " ", .n_fill = 1, .precision = -1};
    size_t len = i < end ? ingle_jinja_char_len(f->p + i, end - i) : 0;
    if (len && i + len < end && strchr("<>=^", f->p[i + len]) && f->p[i + len]) {
        memcpy(s->fill, f->p + i, len);
        s->n_fill = len;
        s->align = f->p[i + len];
        i += len + 1;
    } else if (len == 1 && f->p[i] && strchr("<>=^", f->p[i])) {
        s->align = f->p[i++];
    }
    if (i < end && f->p[i] && strchr("+- ", f->p[i])) s->sign = f->p[i++];
    if (i < end && f->p[i] == '#') s->alternate = true, i++;
    if (i < end && f->p[i] == '0') {
        if (!s->align) s->align = '=', s->fill[0] = '0';
        i++;
    }
    if (!read_digits(&text, &i, MAX_WIDTH, &s->width)) return too_wide(r);
    if (i < end && f->p[i] == ',') s->comma = true, i++;
    if (i < end && f->p[i] == '.') {
        i++;
        if (!read_digits(&text, &i, MAX_PRECISION, &s->precision)) return too_wide(r);
    }
    if (i < end) s->type = f->p[i++];
    return i == end || JINJA_REFUSE(r, "Invalid format specifier");
}

static bool format_value(jinja_render *r, spec *s, const jinja_value *v, bool trusted)
{
    jinja_value text, plain = *v;
    plain.trusted &= trusted;
    bool number = ingle_jinja_is_number(v) && v->kind != JINJA_BOOL;
    if (v->kind == JINJA_BOOL && s->type) number = true;
    if (!number) {
        if (s->type && s->type != 's') return JINJA_REFUSE(r, "Unknown format code '%c'", s->type);
        if (!ingle_jinja_to_str(r, v, &text)) return false;
        if (s->precision >= 0 && s->precision < (int64_t)ingle_jinja_str_chars(text.u.str) &&
            !ingle_jinja_str_part(r, text.u.str, 0,
                                  ingle_jinja_str_offset(text.u.str, (size_t)s->precision), &text))
            return false;
        if (s->align == '=') s->align = '<';
        return put_padded(r, s, &text, '<', trusted);
    }
    if (s->type && !strchr("dxXobfFeEgG%", s->type))
        return JINJA_REFUSE(r, "Unknown format code '%c'", s->type);
    bool whole = v->kind != JINJA_FLOAT && (!s->type || strchr("dxXob", s->type));
    if (v->kind == JINJA_FLOAT && s->type && strchr("dxXob", s->type))
        return JINJA_REFUSE(r, "Unknown format code '%c' for object of type 'float'", s->type);
    if (whole ? !int_text(r, s, &plain, &text) : !float_text(r, s, &plain, &text)) return false;
    return put_padded(r, s, &text, '>', trusted);
}

/* The value that the field's name before `end` means: a number, a keyword, or the next one. */
static bool find_field(jinja_render *r, const jinja_call *c, const jinja_str *f, size_t i,
                       size_t end, uint32_t *i_auto, jinja_value *out)
{
    size_t stop = i;
    int64_t index = 0;
    while (stop < end && f->p[stop] != '.' && f->p[stop] != '[') stop++;
    if (stop < end) return ingle_jinja_fail(r, INGLE_EUNSUPPORTED, "attributes in format fields");
    if (i == end) index = (*i_auto)++;
    else if (f->p[i] >= '0' && f->p[i] <= '9') {
        if (!read_digits(f, &i, 100000, &index) || i != end)
            return JINJA_REFUSE(r, "a format field that is no number");
    } else {
        for (uint32_t k = 0; k < c->n_kw; k++)
            if (c->kw_name[k]->n == end - i && !memcmp(c->kw_name[k]->p, f->p + i, end - i)) {
                *out = c->kw[k];
                return true;
            }
        return JINJA_REFUSE(r, "no argument named '%.*s'", end - i < 50 ? (int)(end - i) : 50,
                            f->p + i);
    }
    if (index + 1 >= c->n_args)
        return JINJA_REFUSE(r, "Replacement index %d out of range for positional args tuple",
                            (int)index);
    *out = c->arg[index + 1];
    return true;
}

/* After the '{' at *i. */
static bool format_field(jinja_render *r, const jinja_call *c, const jinja_str *f, size_t *i,
                         uint32_t *i_auto, bool trusted)
{
    const char *close = memchr(f->p + *i, '}', f->n - *i);
    jinja_value v;
    spec s;
    if (!close) return JINJA_REFUSE(r, "expected '}' before end of string");
    size_t end = (size_t)(close - f->p), name = *i;
    while (name < end && f->p[name] != ':' && f->p[name] != '!') name++;
    if (memchr(f->p + *i, '{', end - *i))
        return ingle_jinja_fail(r, INGLE_EUNSUPPORTED, "fields in format fields");
    if (!find_field(r, c, f, *i, name, i_auto, &v)) return false;
    if (name < end && f->p[name] == '!') {
        char how = name + 1 < end ? f->p[name + 1] : 0;
        if (how == 'r' ? !ingle_jinja_repr(r, &v, &v) : !ingle_jinja_to_str(r, &v, &v))
            return false;
        name += 2;
        if (name > end) name = end;
    }
    if (!read_spec(r, f, name < end && f->p[name] == ':' ? name + 1 : end, end, &s)) return false;
    *i = end + 1;
    return format_value(r, &s, &v, trusted);
}

bool ingle_jinja_format_method(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    const jinja_str *f = c->arg[0].u.str;
    jinja_cut cut = ingle_jinja_text_begin(r);
    uint32_t i_auto = 0;
    size_t from = 0;
    for (size_t i = 0; i < f->n;) {
        char b = f->p[i];
        bool trusted;
        if (b != '{' && b != '}') {
            i++;
            continue;
        }
        ingle_jinja_str_run(f, i, &trusted);
        if (!ingle_jinja_burn(r, 1) || !ingle_jinja_put_part(r, f, from, i)) return false;
        i++;
        if (i < f->n && f->p[i] == b) {
            from = i++; /* the second of the two stands for both */
            continue;
        }
        if (b == '}') return JINJA_REFUSE(r, "Single '}' encountered in format string");
        if (!format_field(r, c, f, &i, &i_auto, trusted)) return false;
        from = i;
    }
    return ingle_jinja_put_part(r, f, from, f->n) && ingle_jinja_text_end(r, cut, out);
}
