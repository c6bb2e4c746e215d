/* jinja_show.c - see jinja_show.h. */
#include "chat/jinja_show.h"

#include "chat/jinja_data.h"
#include "chat/jinja_number.h"
#include "chat/jinja_program.h"
#include "chat/jinja_text.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <utf8proc.h>

/* ---- strings --------------------------------------------------------------------------------- */

static bool is_printable(uint32_t c)
{
    switch (utf8proc_category((utf8proc_int32_t)c)) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP: return false;
    case UTF8PROC_CATEGORY_ZS: return c == ' ';
    default: return true;
    }
}

/* Runs of bytes that stand as they are are put at once. */
static bool put_repr(jinja_render *r, const jinja_str *s)
{
    char quote = memchr(s->p, '\'', s->n) && !memchr(s->p, '"', s->n) ? '"' : '\'', text[16];
    size_t from = 0;
    if (!ingle_jinja_put(r, &quote, 1, true)) return false;
    for (size_t i = 0, len; i < s->n; i += len) {
        len = ingle_jinja_char_len(s->p + i, s->n - i);
        uint32_t c = ingle_utf8_code(s->p + i, len);
        if (c == '\n') strcpy(text, "\\n");
        else if (c == '\r') strcpy(text, "\\r");
        else if (c == '\t') strcpy(text, "\\t");
        else if (c == '\\' || c == (unsigned char)quote)
            snprintf(text, sizeof text, "\\%c", (int)c);
        else if (is_printable(c)) continue;
        else
            snprintf(text, sizeof text,
                     c < 0x100     ? "\\x%02x"
                     : c < 0x10000 ? "\\u%04x"
                                   : "\\U%08x",
                     (unsigned)c);
        if (!ingle_jinja_put(r, s->p + from, i - from, true) ||
            !ingle_jinja_put_text(r, text, true))
            return false;
        from = i + len;
    }
    return ingle_jinja_burn(r, s->n / 8) && ingle_jinja_put(r, s->p + from, s->n - from, true) &&
           ingle_jinja_put(r, &quote, 1, true);
}

static void escape_ascii(uint32_t c, char text[16])
{
    if (c < 0x10000) snprintf(text, 16, "\\u%04x", (unsigned)c);
    else
        snprintf(text, 16, "\\u%04x\\u%04x", 0xd800 + (unsigned)((c - 0x10000) >> 10),
                 0xdc00 + (unsigned)(c & 0x3ff));
}

static bool put_json_string(jinja_render *r, const jinja_str *s, bool ascii)
{
    static const char meant[] = "\"\\\b\f\n\r\t", written[] = "\"\\bfnrt";
    size_t from = 0;
    if (!ingle_jinja_put(r, "\"", 1, true)) return false;
    for (size_t i = 0, len; i < s->n; i += len) {
        char text[16];
        size_t plain = ingle_json_plain(s->p + i, s->n - i);
        len = plain;
        if (plain) continue;
        len = ingle_jinja_char_len(s->p + i, s->n - i);
        unsigned char c = (unsigned char)s->p[i];
        const char *e = c ? strchr(meant, c) : NULL;
        if (e) snprintf(text, sizeof text, "\\%c", written[e - meant]);
        else if (c < 0x20 || ascii) escape_ascii(ingle_utf8_code(s->p + i, len), text);
        else continue;
        if (!ingle_jinja_put(r, s->p + from, i - from, true) ||
            !ingle_jinja_put_text(r, text, true))
            return false;
        from = i + len;
    }
    return ingle_jinja_burn(r, s->n / 16) && ingle_jinja_put(r, s->p + from, s->n - from, true) &&
           ingle_jinja_put(r, "\"", 1, true);
}

/* ---- what has no parts ----------------------------------------------------------------------- */

static bool put_scalar(jinja_render *r, const jinja_value *v, bool trusted)
{
    char text[200];
    switch (v->kind) {
    case JINJA_MISSING:
    case JINJA_UNDEFINED: return true;
    case JINJA_NONE: return ingle_jinja_put_text(r, "None", trusted);
    case JINJA_BOOL: return ingle_jinja_put_text(r, v->u.b ? "True" : "False", trusted);
    case JINJA_INT:
    case JINJA_BIG: return ingle_jinja_put_int(r, v, trusted);
    case JINJA_FLOAT:
        ingle_jinja_float_text(v->u.f, text);
        return ingle_jinja_put_text(r, text, trusted);
    case JINJA_RANGE:
        snprintf(text, sizeof text, "range(%" PRId64 ", %" PRId64, v->u.range->first,
                 v->u.range->stop);
        if (v->u.range->step != 1)
            snprintf(text + strlen(text), 40, ", %" PRId64, v->u.range->step);
        strcat(text, ")");
        return ingle_jinja_put_text(r, text, trusted);
    case JINJA_MACRO:
        snprintf(text, sizeof text, "<Macro '%.*s'>",
                 v->u.closure->macro->name->n < 100 ? (int)v->u.closure->macro->name->n : 100,
                 v->u.closure->macro->name->p);
        return ingle_jinja_put_text(r, text, trusted);
    default:
        snprintf(text, sizeof text, "<%s>", ingle_jinja_type_name(v));
        return ingle_jinja_put_text(r, text, trusted);
    }
}

/* ---- what has parts -------------------------------------------------------------------------- */

typedef struct level {
    const jinja_value *v;
    const jinja_list *list; /* or the dict of v */
    const uint32_t *order;  /* of a sorted dict */
    uint32_t i, n;
} level;

enum { MAX_LEVELS = 600 };

typedef struct writer {
    jinja_render *r;
    const jinja_json_style *json; /* NULL: repr */
    bool trusted;
    size_t n_levels;
    level level[MAX_LEVELS];
} writer;

static bool put(writer *w, const char *text)
{
    return ingle_jinja_put_text(w->r, text, true);
}

static bool fail_json(writer *w, const jinja_value *v)
{
    return JINJA_REFUSE(w->r, "Object of type %s is not JSON serializable",
                        v->kind == JINJA_FUNC ? "function" : ingle_jinja_type_name(v));
}

static bool put_json_scalar(writer *w, const jinja_value *v)
{
    switch (v->kind) {
    case JINJA_NONE: return put(w, "null");
    case JINJA_BOOL: return put(w, v->u.b ? "true" : "false");
    case JINJA_FLOAT:
        if (isnan(v->u.f)) return put(w, "NaN");
        if (isinf(v->u.f)) return put(w, v->u.f < 0 ? "-Infinity" : "Infinity");
        return put_scalar(w->r, v, true);
    case JINJA_INT:
    case JINJA_BIG: return put_scalar(w->r, v, true);
    case JINJA_STR: return put_json_string(w->r, v->u.str, w->json->ascii);
    default: return fail_json(w, v);
    }
}

static bool put_newline(writer *w)
{
    if (!w->json || !w->json->pretty) return true;
    if (!put(w, "\n")) return false;
    for (size_t i = 0; i < w->n_levels; i++)
        if (!ingle_jinja_put(w->r, w->json->indent->p, w->json->indent->n, true)) return false;
    return true;
}

/* Indices of a dict's pairs by their keys. */
static bool sort_pairs(writer *w, jinja_dict *d, level *l)
{
    jinja_render *r = w->r;
    jinja_value *index = ingle_jinja_new(&r->heap, d->n * sizeof *index);
    jinja_value *key = ingle_jinja_new(&r->heap, d->n * sizeof *key);
    uint32_t *order = ingle_jinja_new(&r->heap, d->n * sizeof *order);
    if (!index || !key || !order) return ingle_jinja_fail_memory(r);
    for (uint32_t i = 0; i < d->n; i++) {
        index[i] = ingle_jinja_int(i, true);
        key[i] = d->pair[i].key;
    }
    if (!ingle_jinja_sort(r, index, key, d->n, false)) return false;
    for (uint32_t i = 0; i < d->n; i++) order[i] = (uint32_t)index[i].u.i;
    l->order = order;
    return true;
}

static bool is_container(const writer *w, const jinja_value *v)
{
    if (v->kind == JINJA_LIST || v->kind == JINJA_TUPLE || v->kind == JINJA_DICT) return true;
    return !w->json && (v->kind == JINJA_VIEW || v->kind == JINJA_SPACE);
}

/* Writes what opens it; without elements, what closes it, too. */
static bool open(writer *w, const jinja_value *v)
{
    level l = {.v = v};
    bool dict = v->kind == JINJA_DICT || v->kind == JINJA_SPACE;
    w->trusted &= v->trusted;
    if (w->n_levels == MAX_LEVELS)
        return ingle_jinja_fail(w->r, INGLE_EUNSUPPORTED, "values nested too deeply");
    if (dict) {
        if (!ingle_jinja_read_dict(w->r, v->u.dict)) return false;
        l.n = v->u.dict->n;
        if (w->json && w->json->sorted && !sort_pairs(w, v->u.dict, &l)) return false;
    } else {
        jinja_list *elements;
        if (!ingle_jinja_elements(w->r, v, &elements)) return false;
        l.list = elements;
        l.n = elements->n;
    }
    if (v->kind == JINJA_VIEW && !(put(w, ingle_jinja_type_name(v)) && put(w, "("))) return false;
    if (v->kind == JINJA_SPACE && !put(w, "<Namespace ")) return false;
    if (!put(w, dict ? "{" : v->kind == JINJA_TUPLE && !w->json ? "(" : "[")) return false;
    w->level[w->n_levels++] = l;
    return !l.n || put_newline(w);
}

static bool close_level(writer *w)
{
    const level *l = &w->level[--w->n_levels];
    unsigned kind = l->v->kind;
    if (l->n && !put_newline(w)) return false;
    if (kind == JINJA_TUPLE && !w->json) return put(w, l->n == 1 ? ",)" : ")");
    if (kind == JINJA_VIEW) return put(w, "])");
    if (kind == JINJA_SPACE) return put(w, "}>");
    return put(w, kind == JINJA_DICT ? "}" : "]");
}

static bool put_key(writer *w, const jinja_value *key)
{
    jinja_value text;
    w->trusted &= ingle_jinja_is_trusted(key);
    if (!w->json) {
        if (key->kind == JINJA_STR) return put_repr(w->r, key->u.str) && put(w, ": ");
        return ingle_jinja_repr(w->r, key, &text) && ingle_jinja_put_str(w->r, text.u.str) &&
               put(w, ": ");
    }
    if (key->kind > JINJA_STR)
        return JINJA_REFUSE(w->r, "keys must be str, int, float, bool or None, not %s",
                            ingle_jinja_type_name(key));
    bool quotes = key->kind != JINJA_STR;
    return (!quotes || put(w, "\"")) && put_json_scalar(w, key) && (!quotes || put(w, "\"")) &&
           ingle_jinja_put(w->r, w->json->colon->p, w->json->colon->n, true);
}

/* The next element of the innermost level, with what stands before it; NULL: it is closed. */
static bool next(writer *w, const jinja_value **v)
{
    level *l = &w->level[w->n_levels - 1];
    *v = NULL;
    if (l->i == l->n) return close_level(w);
    if (l->i) {
        bool comma = w->json ? ingle_jinja_put(w->r, w->json->comma->p, w->json->comma->n, true)
                             : put(w, ", ");
        if (!comma || !put_newline(w)) return false;
    }
    uint32_t i = l->i++;
    if (l->list) {
        *v = &l->list->item[i];
        return true;
    }
    const jinja_pair *p = &l->v->u.dict->pair[l->order ? l->order[i] : i];
    *v = &p->value;
    return put_key(w, &p->key);
}

static bool write_all(writer *w, const jinja_value *v)
{
    const jinja_value *at = v;
    for (;;) {
        if (!ingle_jinja_burn(w->r, 1)) return false;
        if (is_container(w, at)) {
            if (!open(w, at)) return false;
        } else {
            w->trusted &= ingle_jinja_is_trusted(at);
            bool ok = w->json                       ? put_json_scalar(w, at)
                      : at->kind == JINJA_STR       ? put_repr(w->r, at->u.str)
                      : at->kind == JINJA_UNDEFINED ? put(w, "Undefined")
                                                    : put_scalar(w->r, at, true);
            if (!ok) return false;
        }
        for (at = NULL; w->n_levels && !at;)
            if (!next(w, &at)) return false;
        if (!at) return true;
    }
}

/* All bytes are put as trusted first: one run, whose origin is known at the end. */
static bool write_str(jinja_render *r, const jinja_value *v, const jinja_json_style *json,
                      jinja_value *out)
{
    writer w;
    w.r = r;
    w.json = json;
    w.trusted = true;
    w.n_levels = 0;
    jinja_cut cut = ingle_jinja_text_begin(r);
    if (!write_all(&w, v) || !ingle_jinja_text_end(r, cut, out)) return false;
    out->u.str->trusted = w.trusted;
    return true;
}

bool ingle_jinja_to_json(jinja_render *r, const jinja_value *v, const jinja_json_style *style,
                         jinja_value *out)
{
    return write_str(r, v, style, out);
}

bool ingle_jinja_repr(jinja_render *r, const jinja_value *v, jinja_value *out)
{
    return write_str(r, v, NULL, out);
}

bool ingle_jinja_put_value(jinja_render *r, const jinja_value *v)
{
    jinja_value text;
    if (v->kind == JINJA_STR) return ingle_jinja_put_str(r, v->u.str);
    bool parts = v->kind == JINJA_LIST || v->kind == JINJA_TUPLE || v->kind == JINJA_DICT ||
                 v->kind == JINJA_VIEW || v->kind == JINJA_SPACE;
    if (!parts) return put_scalar(r, v, v->trusted);
    return ingle_jinja_repr(r, v, &text) && ingle_jinja_put_str(r, text.u.str);
}

bool ingle_jinja_to_str(jinja_render *r, const jinja_value *v, jinja_value *out)
{
    if (v->kind == JINJA_STR) {
        *out = *v;
        return true;
    }
    jinja_cut cut = ingle_jinja_text_begin(r);
    return ingle_jinja_put_value(r, v) && ingle_jinja_text_end(r, cut, out);
}
