/* jinja_text_filters.c - filters whose subject is text; see jinja_builtin.h. */
#include "chat/jinja_args.h"
#include "chat/jinja_builtin.h"
#include "chat/jinja_ops.h"
#include "chat/jinja_string.h"

#include <stdio.h>

/* The subject as str() has it. */
static bool subject(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    return ingle_jinja_to_str(r, &c->arg[0], out);
}

static bool change_case(jinja_render *r, const jinja_call *c, jinja_case what, jinja_value *out)
{
    jinja_value s;
    return subject(r, c, &s) && ingle_jinja_change_case(r, s.u.str, what, out);
}

#define CASE(name, what)                                                                           \
    static bool name(jinja_render *r, const jinja_call *c, jinja_value *out)                       \
    {                                                                                              \
        return change_case(r, c, what, out);                                                       \
    }
CASE(upper, JINJA_UPPER)
CASE(lower, JINJA_LOWER)
CASE(capitalize, JINJA_CAPITALIZE)

/* Words begin after white space and brackets, not after apostrophes as for the method. */
static bool title(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    jinja_value s, part;
    if (!subject(r, c, &s)) return false;
    jinja_cut cut = ingle_jinja_text_begin(r);
    for (size_t i = 0, end; i < s.u.str->n; i = end) {
        for (end = i; end < s.u.str->n;) {
            size_t len = ingle_jinja_char_len(s.u.str->p + end, s.u.str->n - end);
            uint32_t code = ingle_utf8_code(s.u.str->p + end, len);
            end += len;
            if (ingle_jinja_is_space(code) || (code < 0x80 && strchr("-({[<", (int)code))) break;
        }
        if (!ingle_jinja_str_part(r, s.u.str, i, end, &part) ||
            !ingle_jinja_change_case(r, part.u.str, JINJA_CAPITALIZE, &part) ||
            !ingle_jinja_put_str(r, part.u.str))
            return false;
    }
    return ingle_jinja_text_end(r, cut, out);
}

static bool trim(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    jinja_value s;
    jinja_str *chars = NULL;
    const jinja_value *arg = &c->arg[1];
    if (ingle_jinja_given(arg) && arg->kind != JINJA_NONE && !ingle_jinja_arg_str(r, arg, &chars))
        return false;
    if (!subject(r, c, &s) || !ingle_jinja_strip(r, s.u.str, chars, 3, out)) return false;
    out->safe = s.safe;
    return true;
}

static bool replace(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    jinja_value s, old, with;
    int64_t n = -1;
    if (!subject(r, c, &s) || !ingle_jinja_to_str(r, &c->arg[1], &old) ||
        !ingle_jinja_to_str(r, &c->arg[2], &with))
        return false;
    if (c->arg[3].kind != JINJA_NONE && !ingle_jinja_arg_int(r, &c->arg[3], -1, &n)) return false;
    return ingle_jinja_replace(r, s.u.str, old.u.str, with.u.str, n, out);
}

static bool string(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    return subject(r, c, out);
}

static bool safe(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    if (!subject(r, c, out)) return false;
    out->safe = true;
    return true;
}

static bool escape(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    return ingle_jinja_escape(r, &c->arg[0], out);
}

static bool blanks(jinja_render *r, int64_t n, jinja_value *out)
{
    jinja_cut cut = ingle_jinja_text_begin(r);
    if (n > (int64_t)r->max_output)
        return ingle_jinja_fail(r, INGLE_EUNSUPPORTED, "more than %zu bytes of output",
                                r->max_output);
    for (int64_t i = 0; i < n; i++)
        if (!ingle_jinja_burn(r, 1) || !ingle_jinja_put(r, " ", 1, true)) return false;
    return ingle_jinja_text_end(r, cut, out);
}

/* A number of blanks, or text. */
static bool indentation(jinja_render *r, const jinja_value *v, int64_t usual, jinja_value *out)
{
    int64_t n;
    if (v->kind == JINJA_STR) {
        *out = *v;
        return true;
    }
    return ingle_jinja_arg_int(r, v, usual, &n) && blanks(r, n, out);
}

static bool indent(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    jinja_value s, with;
    bool first, blank;
    return subject(r, c, &s) && indentation(r, &c->arg[1], 4, &with) &&
           ingle_jinja_arg_bool(r, &c->arg[2], &first) &&
           ingle_jinja_arg_bool(r, &c->arg[3], &blank) &&
           ingle_jinja_indent(r, s.u.str, with.u.str, first, blank, out);
}

static bool truncate(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    int64_t length, leeway;
    bool kill;
    jinja_value s, end;
    if (!subject(r, c, &s) || !ingle_jinja_arg_int(r, &c->arg[1], 255, &length) ||
        !ingle_jinja_arg_bool(r, &c->arg[2], &kill) ||
        !ingle_jinja_arg_int(r, &c->arg[4], 5, &leeway))
        return false;
    if (!ingle_jinja_given(&c->arg[3]) ? !ingle_jinja_str_view(r, "...", 3, true, &end)
                                       : !ingle_jinja_to_str(r, &c->arg[3], &end))
        return false;
    int64_t n = ingle_jinja_str_chars(s.u.str), n_end = ingle_jinja_str_chars(end.u.str);
    if (length < n_end || leeway < 0) return JINJA_REFUSE(r, "truncate() expects a larger length");
    if (length >= n || leeway >= n - length) {
        *out = s;
        return true;
    }
    size_t to = ingle_jinja_str_offset(s.u.str, (size_t)(length - n_end));
    size_t blank = to;
    while (!kill && blank > 0 && s.u.str->p[blank - 1] != ' ') blank--;
    if (!kill && blank > 0) to = blank - 1;
    jinja_cut cut = ingle_jinja_text_begin(r);
    return ingle_jinja_put_part(r, s.u.str, 0, to) && ingle_jinja_put_str(r, end.u.str) &&
           ingle_jinja_text_end(r, cut, out);
}

static bool urlencode(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    static const char plain[] = "_.-~/";
    jinja_value s;
    if (!subject(r, c, &s)) return false;
    jinja_cut cut = ingle_jinja_text_begin(r);
    for (size_t i = 0; i < s.u.str->n; i++) {
        unsigned char b = (unsigned char)s.u.str->p[i];
        char text[4];
        bool trusted, letter = (b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z');
        ingle_jinja_str_run(s.u.str, i, &trusted);
        if (letter || (b >= '0' && b <= '9') || (b && strchr(plain, b)))
            snprintf(text, sizeof text, "%c", b);
        else snprintf(text, sizeof text, "%%%02X", b);
        if (!ingle_jinja_burn(r, 1) || !ingle_jinja_put_text(r, text, trusted)) return false;
    }
    return ingle_jinja_text_end(r, cut, out);
}

/* Without tags and comments; white space is one blank. */
static bool striptags(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    jinja_value s;
    if (!subject(r, c, &s)) return false;
    const jinja_str *t = s.u.str;
    jinja_cut cut = ingle_jinja_text_begin(r);
    bool any = false, blank = false;
    for (size_t i = 0; i < t->n; i++) {
        const char *end = t->p[i] == '<' ? memchr(t->p + i, '>', t->n - i) : NULL;
        if (!ingle_jinja_burn(r, 1 + (end ? (uint64_t)(end - t->p - (ptrdiff_t)i) / 16 : 0)))
            return false;
        if (end) {
            i = (size_t)(end - t->p);
        } else if (ingle_jinja_is_space((unsigned char)t->p[i]) && (unsigned char)t->p[i] < 0x80) {
            blank = any;
        } else {
            if (blank && !ingle_jinja_put(r, " ", 1, false)) return false;
            if (!ingle_jinja_put_part(r, t, i, i + 1)) return false;
            any = true;
            blank = false;
        }
        if (!end && t->p[i] == '<' && !ingle_jinja_burn(r, (t->n - i) / 16)) return false;
    }
    return ingle_jinja_text_end(r, cut, out);
}

static bool wordcount(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    jinja_value s;
    int64_t n = 0;
    bool in_word = false;
    if (!subject(r, c, &s) || !ingle_jinja_burn(r, s.u.str->n / 4)) return false;
    for (size_t i = 0; i < s.u.str->n; i++) {
        unsigned char b = (unsigned char)s.u.str->p[i];
        bool word = b >= 0x80 || b == '_' || (b >= '0' && b <= '9') ||
                    ((b | 0x20) >= 'a' && (b | 0x20) <= 'z');
        n += word && !in_word;
        in_word = word;
    }
    *out = ingle_jinja_int(n, ingle_jinja_str_trusted(s.u.str));
    return true;
}

static bool center(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    jinja_value s, left, right;
    int64_t width;
    if (!subject(r, c, &s) || !ingle_jinja_arg_int(r, &c->arg[1], 80, &width)) return false;
    int64_t n = ingle_jinja_str_chars(s.u.str), pad = width > n ? width - n : 0;
    int64_t before = pad / 2 + (pad & width & 1);
    jinja_cut cut = ingle_jinja_text_begin(r);
    return blanks(r, before, &left) && blanks(r, pad - before, &right) &&
           ingle_jinja_put_str(r, left.u.str) && ingle_jinja_put_str(r, s.u.str) &&
           ingle_jinja_put_str(r, right.u.str) && ingle_jinja_text_end(r, cut, out);
}

static bool xmlattr(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    jinja_value text;
    const jinja_value *d = &c->arg[0];
    if (d->kind != JINJA_DICT) return JINJA_REFUSE(r, "xmlattr expects a mapping");
    if (!ingle_jinja_read_dict(r, d->u.dict)) return false;
    jinja_cut cut = ingle_jinja_text_begin(r);
    for (uint32_t i = 0; i < d->u.dict->n; i++) {
        const jinja_pair *p = &d->u.dict->pair[i];
        if (p->value.kind == JINJA_NONE || p->value.kind == JINJA_UNDEFINED) continue;
        if (!ingle_jinja_put(r, " ", 1, true) || !ingle_jinja_escape(r, &p->key, &text) ||
            !ingle_jinja_put_str(r, text.u.str) || !ingle_jinja_put(r, "=\"", 2, true) ||
            !ingle_jinja_escape(r, &p->value, &text) || !ingle_jinja_put_str(r, text.u.str) ||
            !ingle_jinja_put(r, "\"", 1, true))
            return false;
    }
    return ingle_jinja_text_end(r, cut, out);
}

static bool format(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    jinja_value s, args;
    jinja_list *l = ingle_jinja_list_new(r, c->n_args);
    jinja_dict *d = c->n_kw ? ingle_jinja_dict_new(r, c->n_kw) : NULL;
    if (!l || (c->n_kw && !d) || !subject(r, c, &s)) return false;
    for (uint32_t i = 1; i < c->n_args; i++)
        if (!ingle_jinja_list_add(r, l, c->arg[i])) return false;
    for (uint32_t i = 0; i < c->n_kw; i++) {
        jinja_value key = ingle_jinja_of_str(c->kw_name[i]);
        if (!ingle_jinja_dict_set(r, d, &key, &c->kw[i])) return false;
    }
    args = ingle_jinja_of_list(JINJA_TUPLE, l, true);
    if (d) args = (jinja_value){.kind = JINJA_DICT, .trusted = true, .u.dict = d};
    return ingle_jinja_percent(r, s.u.str, &args, out);
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static bool separators(jinja_render *r, const jinja_value *v, jinja_json_style *style)
{
    jinja_list *l;
    jinja_str *comma, *colon;
    if (!ingle_jinja_given(v) || v->kind == JINJA_NONE) return true;
    if (!ingle_jinja_elements(r, v, &l)) return false;
    if (l->n != 2) return JINJA_REFUSE(r, "tojson() expects two separators");
    if (!ingle_jinja_arg_str(r, &l->item[0], &comma) ||
        !ingle_jinja_arg_str(r, &l->item[1], &colon))
        return false;
    style->comma = comma;
    style->colon = colon;
    return true;
}

static bool tojson(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    static const jinja_str comma = {",", 1, 1, 1, true, NULL}, spaced = {", ", 2, 2, 1, true, NULL},
                           colon = {": ", 2, 2, 1, true, NULL};
    jinja_json_style style = {.comma = &spaced, .colon = &colon};
    jinja_value with;
    if (!ingle_jinja_arg_bool(r, &c->arg[1], &style.ascii) ||
        !ingle_jinja_arg_bool(r, &c->arg[4], &style.sorted))
        return false;
    style.pretty = ingle_jinja_given(&c->arg[2]) && c->arg[2].kind != JINJA_NONE;
    if (style.pretty) {
        if (!indentation(r, &c->arg[2], 0, &with)) return false;
        style.indent = with.u.str;
        style.comma = &comma;
    }
    if (!separators(r, &c->arg[3], &style) || !ingle_jinja_to_json(r, &c->arg[0], &style, out))
        return false;
    bool trusted = true; /* a style of the caller's is text of the caller's */
    for (int i = 1; i < 5; i++)
        if (ingle_jinja_given(&c->arg[i])) trusted &= ingle_jinja_is_trusted(&c->arg[i]);
    out->u.str->trusted &=
        trusted && ingle_jinja_str_trusted(style.comma) && ingle_jinja_str_trusted(style.colon);
    return true;
}

const jinja_builtin ingle_jinja_text_filters[] = {
    {"tojson", "ensure_ascii indent separators sort_keys", 0, tojson},
    {"trim", "chars", 0, trim},
    {"string", "", 0, string},
    {"upper", "", 0, upper},
    {"lower", "", 0, lower},
    {"capitalize", "", 0, capitalize},
    {"title", "", 0, title},
    {"replace", "old new count", 2, replace},
    {"safe", "", 0, safe},
    {"escape", "", 0, escape},
    {"e", "", 0, escape},
    {"forceescape", "", 0, escape},
    {"indent", "width first blank", 0, indent},
    {"truncate", "length killwords end leeway", 0, truncate},
    {"urlencode", "", 0, urlencode},
    {"striptags", "", 0, striptags},
    {"wordcount", "", 0, wordcount},
    {"center", "width", 0, center},
    {"xmlattr", "autospace", 0, xmlattr},
    {"format", NULL, 0, format},
    {0},
};
