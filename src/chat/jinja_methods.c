/* jinja_methods.c - methods of strings, lists, dicts and loops; see jinja_builtin.h. */
#include "chat/jinja_args.h"
#include "chat/jinja_builtin.h"
#include "chat/jinja_ops.h"
#include "chat/jinja_string.h"

#include <utf8proc.h>

/* ---- strings: whole -------------------------------------------------------------------------- */

static jinja_str *self(const jinja_call *c)
{
    return c->arg[0].u.str;
}

#define CASE(name, what)                                                                           \
    static bool name(jinja_render *r, const jinja_call *c, jinja_value *out)                       \
    {                                                                                              \
        return ingle_jinja_change_case(r, self(c), what, out);                                     \
    }
CASE(upper, JINJA_UPPER)
CASE(lower, JINJA_LOWER)
CASE(capitalize, JINJA_CAPITALIZE)
CASE(title, JINJA_TITLE)
CASE(swapcase, JINJA_SWAP)

static bool strip_sides(jinja_render *r, const jinja_call *c, unsigned sides, jinja_value *out)
{
    jinja_str *chars = NULL;
    bool given = ingle_jinja_given(&c->arg[1]) && c->arg[1].kind != JINJA_NONE;
    if (given && !ingle_jinja_arg_str(r, &c->arg[1], &chars)) return false;
    if (!ingle_jinja_strip(r, self(c), chars, sides, out)) return false;
    out->safe = c->arg[0].safe;
    return true;
}

static bool strip(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    return strip_sides(r, c, 3, out);
}

static bool lstrip(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    return strip_sides(r, c, 1, out);
}

static bool rstrip(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    return strip_sides(r, c, 2, out);
}

static bool replace(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    jinja_str *old, *with;
    int64_t n;
    return ingle_jinja_arg_str(r, &c->arg[1], &old) && ingle_jinja_arg_str(r, &c->arg[2], &with) &&
           ingle_jinja_arg_int(r, &c->arg[3], -1, &n) &&
           ingle_jinja_replace(r, self(c), old, with, n, out);
}

static bool join(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    jinja_list *l;
    return ingle_jinja_elements(r, &c->arg[1], &l) && ingle_jinja_join(r, l, self(c), true, out);
}

/* ---- strings: pieces ------------------------------------------------------------------------- */

static bool add_part(jinja_render *r, jinja_list *l, const jinja_str *s, size_t from, size_t to)
{
    jinja_value part;
    return ingle_jinja_str_part(r, s, from, to, &part) && ingle_jinja_list_add(r, l, part);
}

static bool split_blanks(jinja_render *r, const jinja_str *s, int64_t n, jinja_list *l)
{
    size_t i = ingle_jinja_leading_space(s->p, s->n);
    for (; i < s->n && n != 0; n--) {
        size_t end = i;
        while (end < s->n) {
            size_t len = ingle_jinja_char_len(s->p + end, s->n - end);
            if (ingle_jinja_is_space(ingle_utf8_code(s->p + end, len))) break;
            end += len;
        }
        if (!add_part(r, l, s, i, end)) return false;
        i = end + ingle_jinja_leading_space(s->p + end, s->n - end);
    }
    size_t end = i + ingle_jinja_without_trailing_space(s->p + i, s->n - i);
    return i == s->n || add_part(r, l, s, i, end);
}

static bool split_at(jinja_render *r, const jinja_str *s, const jinja_str *sep, int64_t n,
                     jinja_list *l)
{
    size_t from = 0;
    for (; n != 0; n--) {
        size_t at = ingle_jinja_str_find(s, from, sep->p, sep->n);
        if (at == SIZE_MAX) break;
        if (!add_part(r, l, s, from, at)) return false;
        from = at + sep->n;
    }
    return add_part(r, l, s, from, s->n);
}

/* The last place at or before `end`; SIZE_MAX: none. */
static bool find_last(jinja_render *r, const jinja_str *s, size_t end, const jinja_str *sep,
                      size_t *out)
{
    *out = SIZE_MAX;
    if (sep->n > end) return true;
    for (size_t at = end - sep->n + 1; at-- > 0;) {
        if (sep->n && s->p[at] != *sep->p) continue;
        if (!ingle_jinja_burn(r, 1 + sep->n / 64)) return false;
        if (memcmp(s->p + at, sep->p, sep->n) != 0) continue;
        *out = at;
        break;
    }
    return true;
}

static bool reverse_list(jinja_list *l)
{
    for (uint32_t i = 0; i + 1 < l->n - i; i++) {
        jinja_value v = l->item[i];
        l->item[i] = l->item[l->n - 1 - i];
        l->item[l->n - 1 - i] = v;
    }
    return true;
}

static bool split_any(jinja_render *r, const jinja_call *c, bool from_right, jinja_value *out)
{
    jinja_str *sep = NULL, *s = self(c);
    int64_t n;
    jinja_list *l = ingle_jinja_list_new(r, 0);
    bool given = ingle_jinja_given(&c->arg[1]) && c->arg[1].kind != JINJA_NONE;
    if (!l || (given && !ingle_jinja_arg_str(r, &c->arg[1], &sep)) ||
        !ingle_jinja_arg_int(r, &c->arg[2], -1, &n) || !ingle_jinja_burn(r, s->n / 16))
        return false;
    if (sep && !sep->n) return JINJA_REFUSE(r, "empty separator");
    if (!sep && from_right && n >= 0)
        return ingle_jinja_fail(r, INGLE_EUNSUPPORTED, "rsplit() at white space with a limit");
    *out = ingle_jinja_of_list(JINJA_LIST, l, ingle_jinja_str_trusted(s));
    if (!sep) return split_blanks(r, s, n, l);
    if (!from_right || n < 0) return split_at(r, s, sep, n, l);
    size_t end = s->n, at;
    for (; n != 0; n--, end = at) {
        if (!find_last(r, s, end, sep, &at)) return false;
        if (at == SIZE_MAX) break;
        if (!ingle_jinja_burn(r, (end - at) / 16) || !add_part(r, l, s, at + sep->n, end))
            return false;
    }
    return add_part(r, l, s, 0, end) && reverse_list(l);
}

static bool split(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    return split_any(r, c, false, out);
}

static bool rsplit(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    return split_any(r, c, true, out);
}

static bool partition_at(jinja_render *r, const jinja_call *c, bool last, jinja_value *out)
{
    jinja_str *s = self(c), *sep;
    jinja_list *l = ingle_jinja_list_new(r, 3);
    if (!l || !ingle_jinja_arg_str(r, &c->arg[1], &sep)) return false;
    if (!sep->n) return JINJA_REFUSE(r, "empty separator");
    if (!ingle_jinja_burn(r, s->n / 16)) return false;
    size_t at = ingle_jinja_str_find(s, 0, sep->p, sep->n);
    if (last && !find_last(r, s, s->n, sep, &at)) return false;
    bool found = at != SIZE_MAX;
    size_t a = found ? at : last ? 0 : s->n, b = found ? at + sep->n : a;
    *out = ingle_jinja_of_list(JINJA_TUPLE, l, true);
    return add_part(r, l, s, 0, a) && add_part(r, l, s, a, b) && add_part(r, l, s, b, s->n);
}

static bool partition(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    return partition_at(r, c, false, out);
}

static bool rpartition(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    return partition_at(r, c, true, out);
}

static bool splitlines(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    jinja_str *s = self(c);
    jinja_list *l = ingle_jinja_list_new(r, 0);
    bool keep;
    size_t from = 0;
    if (!l || !ingle_jinja_arg_bool(r, &c->arg[1], &keep) || !ingle_jinja_burn(r, s->n / 8))
        return false;
    *out = ingle_jinja_of_list(JINJA_LIST, l, ingle_jinja_str_trusted(s));
    for (size_t i = 0, len; i < s->n; i += len) {
        len = ingle_jinja_char_len(s->p + i, s->n - i);
        uint32_t code = ingle_utf8_code(s->p + i, len);
        bool ends = (code >= 10 && code <= 13) || (code >= 0x1c && code <= 0x1e) || code == 0x85 ||
                    code == 0x2028 || code == 0x2029;
        if (!ends) continue;
        if (code == '\r' && i + 1 < s->n && s->p[i + 1] == '\n') len = 2;
        if (!add_part(r, l, s, from, keep ? i + len : i)) return false;
        from = i + len;
    }
    return from == s->n || add_part(r, l, s, from, s->n);
}

static bool remove_affix(jinja_render *r, const jinja_call *c, bool suffix, jinja_value *out)
{
    jinja_str *s = self(c), *x;
    if (!ingle_jinja_arg_str(r, &c->arg[1], &x)) return false;
    size_t at = suffix && x->n <= s->n ? s->n - x->n : 0;
    bool has = x->n <= s->n && !memcmp(s->p + at, x->p, x->n);
    if (!has) return ingle_jinja_str_part(r, s, 0, s->n, out);
    return suffix ? ingle_jinja_str_part(r, s, 0, at, out)
                  : ingle_jinja_str_part(r, s, x->n, s->n, out);
}

static bool removeprefix(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    return remove_affix(r, c, false, out);
}

static bool removesuffix(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    return remove_affix(r, c, true, out);
}

/* ---- strings: questions ---------------------------------------------------------------------- */

/* Bounds `start` and `end` in bytes. */
static bool bounds(jinja_render *r, const jinja_call *c, size_t *from, size_t *to)
{
    jinja_str *s = self(c);
    int64_t n = ingle_jinja_str_chars(s), start, end;
    jinja_value a = c->arg[2], b = c->arg[3];
    if (a.kind == JINJA_NONE) a.kind = JINJA_MISSING;
    if (b.kind == JINJA_NONE) b.kind = JINJA_MISSING;
    if (!ingle_jinja_arg_int(r, &a, 0, &start) || !ingle_jinja_arg_int(r, &b, n, &end))
        return false;
    if (start < 0) start = start + n < 0 || start < -n ? 0 : start + n;
    if (end < 0) end = end < -n ? 0 : end + n;
    if (end > n) end = n;
    *from = start > n ? SIZE_MAX : ingle_jinja_str_offset(s, (size_t)start);
    *to = ingle_jinja_str_offset(s, (size_t)end);
    return ingle_jinja_burn(r, s->n / 32);
}

/* One affix or a tuple of them. */
static bool has_affix(jinja_render *r, const jinja_call *c, bool suffix, jinja_value *out)
{
    jinja_str *s = self(c), *x;
    size_t from, to;
    jinja_list one = {.item = (jinja_value *)&c->arg[1], .n = 1};
    const jinja_list *l = c->arg[1].kind == JINJA_TUPLE ? c->arg[1].u.list : &one;
    bool has = false, trusted = ingle_jinja_str_trusted(s);
    if (!bounds(r, c, &from, &to)) return false;
    for (uint32_t i = 0; i < l->n && !has; i++) {
        if (!ingle_jinja_arg_str(r, &l->item[i], &x)) return false;
        if (!ingle_jinja_burn(r, 1 + x->n / 32)) return false;
        if (from == SIZE_MAX || from > to || to - from < x->n) continue;
        has = !memcmp(s->p + (suffix ? to - x->n : from), x->p, x->n);
    }
    *out = ingle_jinja_bool(has, trusted);
    return true;
}

static bool startswith(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    return has_affix(r, c, false, out);
}

static bool endswith(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    return has_affix(r, c, true, out);
}

/* In characters; -1: not there. */
static bool find_any(jinja_render *r, const jinja_call *c, bool last, int64_t *out)
{
    jinja_str *s = self(c), *x, before;
    size_t from, to, at;
    *out = -1;
    if (!ingle_jinja_arg_str(r, &c->arg[1], &x) || !bounds(r, c, &from, &to)) return false;
    if (!ingle_jinja_burn(r, s->n / 16)) return false;
    if (from == SIZE_MAX || from > to) return true;
    if (last) {
        if (!find_last(r, s, to, x, &at)) return false;
    } else {
        at = ingle_jinja_str_find(s, from, x->p, x->n);
    }
    if (at == SIZE_MAX || at < from || at + x->n > to) return true;
    before = (jinja_str){.p = s->p, .n = (uint32_t)at, .n_chars = UINT32_MAX};
    *out = ingle_jinja_str_chars(&before);
    return true;
}

static bool give_int(const jinja_call *c, int64_t i, jinja_value *out)
{
    *out = ingle_jinja_int(i, ingle_jinja_is_trusted(&c->arg[0]) &&
                                  ingle_jinja_is_trusted(&c->arg[1]));
    return true;
}

static bool find(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    int64_t i;
    return find_any(r, c, false, &i) && give_int(c, i, out);
}

static bool rfind(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    int64_t i;
    return find_any(r, c, true, &i) && give_int(c, i, out);
}

static bool str_index(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    int64_t i;
    if (!find_any(r, c, false, &i)) return false;
    return i < 0 ? JINJA_REFUSE(r, "substring not found") : give_int(c, i, out);
}

static bool str_count(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    jinja_str *s = self(c), *x;
    size_t from, to;
    int64_t n = 0;
    if (!ingle_jinja_arg_str(r, &c->arg[1], &x) || !bounds(r, c, &from, &to)) return false;
    if (!x->n) return give_int(c, (int64_t)ingle_jinja_str_chars(s) + 1, out);
    while (from <= to && (from = ingle_jinja_str_find(s, from, x->p, x->n)) != SIZE_MAX) {
        if (from + x->n > to) break;
        from += x->n;
        n++;
    }
    return ingle_jinja_burn(r, s->n / 16) && give_int(c, n, out);
}

typedef bool (*char_test)(uint32_t c);

static bool is_letter(uint32_t c)
{
    utf8proc_category_t k = utf8proc_category((utf8proc_int32_t)c);
    return k >= UTF8PROC_CATEGORY_LU && k <= UTF8PROC_CATEGORY_LO;
}

static bool is_decimal(uint32_t c)
{
    return utf8proc_category((utf8proc_int32_t)c) == UTF8PROC_CATEGORY_ND;
}

static bool is_letter_or_digit(uint32_t c)
{
    return is_letter(c) || (utf8proc_category((utf8proc_int32_t)c) >= UTF8PROC_CATEGORY_ND &&
                            utf8proc_category((utf8proc_int32_t)c) <= UTF8PROC_CATEGORY_NO);
}

static bool all_are(jinja_render *r, const jinja_call *c, char_test test, jinja_value *out)
{
    const jinja_str *s = self(c);
    bool all = s->n > 0;
    for (size_t i = 0, len; all && i < s->n; i += len) {
        len = ingle_jinja_char_len(s->p + i, s->n - i);
        all = test(ingle_utf8_code(s->p + i, len));
    }
    *out = ingle_jinja_bool(all, ingle_jinja_str_trusted(s));
    return ingle_jinja_burn(r, s->n / 4);
}

#define ALL(name, test)                                                                            \
    static bool name(jinja_render *r, const jinja_call *c, jinja_value *out)                       \
    {                                                                                              \
        return all_are(r, c, test, out);                                                           \
    }
ALL(str_isalpha, is_letter)
ALL(str_isdigit, is_decimal)
ALL(str_isalnum, is_letter_or_digit)
ALL(str_isspace, ingle_jinja_is_space)

static bool str_isupper(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    *out = ingle_jinja_bool(ingle_jinja_has_case(self(c), true), ingle_jinja_str_trusted(self(c)));
    return ingle_jinja_burn(r, self(c)->n / 4);
}

static bool str_islower(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    *out = ingle_jinja_bool(ingle_jinja_has_case(self(c), false), ingle_jinja_str_trusted(self(c)));
    return ingle_jinja_burn(r, self(c)->n / 4);
}

/* ---- strings: width -------------------------------------------------------------------------- */

static bool put_fill(jinja_render *r, const jinja_str *fill, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (!ingle_jinja_burn(r, 1) || !ingle_jinja_put_str(r, fill)) return false;
    return true;
}

/* left of 2 parts of the blanks go before: 0, 1 or 2. */
static bool justify(jinja_render *r, const jinja_call *c, int left, jinja_value *out)
{
    static const jinja_str blank = {" ", 1, 1, 1, true, NULL};
    jinja_str *s = self(c), *given = NULL;
    const jinja_str *fill = &blank;
    int64_t width, n = ingle_jinja_str_chars(s);
    if (!ingle_jinja_arg_int(r, &c->arg[1], 0, &width)) return false;
    if (ingle_jinja_given(&c->arg[2])) {
        if (!ingle_jinja_arg_str(r, &c->arg[2], &given)) return false;
        if (ingle_jinja_str_chars(given) != 1)
            return JINJA_REFUSE(r, "The fill character must be exactly one character long");
        fill = given;
    }
    int64_t pad = width > n ? width - n : 0;
    int64_t before = left == 2 ? pad : left ? pad / 2 + (pad & width & 1) : 0;
    jinja_cut cut = ingle_jinja_text_begin(r);
    return put_fill(r, fill, before) && ingle_jinja_put_str(r, s) &&
           put_fill(r, fill, pad - before) && ingle_jinja_text_end(r, cut, out);
}

static bool ljust(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    return justify(r, c, 0, out);
}

static bool center(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    return justify(r, c, 1, out);
}

static bool rjust(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    return justify(r, c, 2, out);
}

static bool zfill(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    static const jinja_str zero = {"0", 1, 1, 1, true, NULL};
    jinja_str *s = self(c);
    int64_t width;
    if (!ingle_jinja_arg_int(r, &c->arg[1], 0, &width)) return false;
    bool sign = s->n && (*s->p == '-' || *s->p == '+');
    jinja_cut cut = ingle_jinja_text_begin(r);
    return ingle_jinja_put_part(r, s, 0, sign) &&
           put_fill(r, &zero, width - (int64_t)ingle_jinja_str_chars(s)) &&
           ingle_jinja_put_part(r, s, sign, s->n) && ingle_jinja_text_end(r, cut, out);
}

const jinja_builtin ingle_jinja_str_methods[] = {
    {"split", "sep maxsplit", 0, split},
    {"strip", "chars", 0, strip},
    {"lstrip", "chars", 0, lstrip},
    {"rstrip", "chars", 0, rstrip},
    {"startswith", "prefix start end", 1, startswith},
    {"endswith", "suffix start end", 1, endswith},
    {"replace", "old new count", 2, replace},
    {"format", NULL, 0, ingle_jinja_format_method},
    {"join", "iterable", 1, join},
    {"upper", "", 0, upper},
    {"lower", "", 0, lower},
    {"capitalize", "", 0, capitalize},
    {"title", "", 0, title},
    {"swapcase", "", 0, swapcase},
    {"casefold", "", 0, lower},
    {"rsplit", "sep maxsplit", 0, rsplit},
    {"partition", "sep", 1, partition},
    {"rpartition", "sep", 1, rpartition},
    {"splitlines", "keepends", 0, splitlines},
    {"removeprefix", "prefix", 1, removeprefix},
    {"removesuffix", "suffix", 1, removesuffix},
    {"find", "sub start end", 1, find},
    {"rfind", "sub start end", 1, rfind},
    {"index", "sub start end", 1, str_index},
    {"count", "sub start end", 1, str_count},
    {"isalpha", "", 0, str_isalpha},
    {"isdigit", "", 0, str_isdigit},
    {"isdecimal", "", 0, str_isdigit},
    {"isnumeric", "", 0, str_isdigit},
    {"isalnum", "", 0, str_isalnum},
    {"isspace", "", 0, str_isspace},
    {"isupper", "", 0, str_isupper},
    {"islower", "", 0, str_islower},
    {"ljust", "width fillchar", 1, ljust},
    {"rjust", "width fillchar", 1, rjust},
    {"center", "width fillchar", 1, center},
    {"zfill", "width", 1, zfill},
    {0},
};
