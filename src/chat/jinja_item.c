/* jinja_item.c - see jinja_ops.h: attributes, subscripts, slices. */
#include "chat/jinja_builtin.h"
#include "chat/jinja_data.h"
#include "chat/jinja_number.h"
#include "chat/jinja_ops.h"
#include "chat/jinja_show.h"
#include "chat/jinja_text.h"

static jinja_value lacks_attr(const jinja_value *v, jinja_str *name)
{
    return (jinja_value){
        .kind = JINJA_UNDEFINED, .detail = JINJA_LACK_ATTR, .number = v->kind, .u.str = name};
}

static jinja_value lacks_item(const jinja_value *v, int64_t i)
{
    return (jinja_value){
        .kind = JINJA_UNDEFINED, .detail = JINJA_LACK_ITEM, .number = v->kind, .u.i = i};
}

static bool loop_attr(const jinja_loop *l, const jinja_str *name, jinja_value *out)
{
    const struct {
        const char *name;
        int64_t i;
    } counts[] = {{"index", l->i},
                  {"index0", (int64_t)l->i - 1},
                  {"length", l->n},
                  {"revindex", (int64_t)l->n - l->i + 1},
                  {"depth", l->depth},
                  {"revindex0", (int64_t)l->n - l->i},
                  {"depth0", (int64_t)l->depth - 1}};
    jinja_value key = ingle_jinja_of_str((jinja_str *)name);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        if (ingle_jinja_is_str(&key, counts[i].name)) {
            *out = ingle_jinja_int(counts[i].i, true);
            return true;
        }
    if (ingle_jinja_is_str(&key, "first")) *out = ingle_jinja_bool(l->i == 1, true);
    else if (ingle_jinja_is_str(&key, "last")) *out = ingle_jinja_bool(l->i >= l->n, true);
    else if (ingle_jinja_is_str(&key, "previtem") && l->i > 1 && l->i - 2 < l->list->n)
        *out = l->list->item[l->i - 2];
    else if (ingle_jinja_is_str(&key, "nextitem") && l->i < l->n && l->i < l->list->n)
        *out = l->list->item[l->i];
    else return false;
    return true;
}

static bool number_attr(const jinja_value *v, const jinja_str *name, jinja_value *out)
{
    jinja_value key = ingle_jinja_of_str((jinja_str *)name);
    if (ingle_jinja_is_str(&key, "real")) *out = ingle_jinja_as_int(v);
    else if (ingle_jinja_is_str(&key, "imag"))
        *out = v->kind == JINJA_FLOAT ? ingle_jinja_float(0, true) : ingle_jinja_int(0, true);
    else return false;
    return true;
}

/* What is no pair of a dict and no element. */
static bool own_attr(jinja_render *r, const jinja_value *v, jinja_str *name, bool *found,
                     jinja_value *out)
{
    *found = false;
    if (v->kind == JINJA_LOOP && loop_attr(v->u.loop, name, out)) *found = true;
    else if (ingle_jinja_is_number(v) && number_attr(v, name, out)) *found = true;
    if (*found) return true;
    if (v->kind == JINJA_MACRO && name->n == 4 && !memcmp(name->p, "name", 4)) {
        *out = ingle_jinja_of_str(v->u.closure->macro->name);
        *found = true;
        return true;
    }
    const jinja_builtin *method = r->builtins->method(v, name->p, name->n);
    if (!method) return true;
    jinja_bound *b = ingle_jinja_new(&r->heap, sizeof *b);
    if (!b) return ingle_jinja_fail_memory(r);
    *b = (jinja_bound){*v, method};
    *out = (jinja_value){.kind = JINJA_METHOD, .trusted = true, .u.bound = b};
    *found = true;
    return true;
}

bool ingle_jinja_attr(jinja_render *r, const jinja_value *v, jinja_str *name, jinja_value *out)
{
    bool found;
    jinja_value *value;
    if (v->kind == JINJA_UNDEFINED) return ingle_jinja_fail_undefined(r, v);
    if (v->kind != JINJA_SPACE) {
        if (!own_attr(r, v, name, &found, out)) return false;
        if (found) return true;
    }
    if (v->kind == JINJA_DICT || v->kind == JINJA_SPACE) {
        if (!ingle_jinja_dict_find(r, v->u.dict, name->p, name->n, &value)) return false;
        if (value) {
            *out = *value;
            return true;
        }
    }
    *out = lacks_attr(v, name);
    return true;
}

/* Counted from the end if negative; false: there is none. */
static bool place(int64_t i, size_t n, size_t *out)
{
    if (i < 0) i += (int64_t)n;
    if (i < 0 || (uint64_t)i >= n) return false;
    *out = (size_t)i;
    return true;
}

static bool item_at(jinja_render *r, const jinja_value *v, int64_t index, jinja_value *out)
{
    size_t n, i;
    if (v->kind != JINJA_STR && v->kind != JINJA_LIST && v->kind != JINJA_TUPLE &&
        v->kind != JINJA_RANGE) {
        *out = lacks_item(v, index);
        return true;
    }
    if (!ingle_jinja_length(r, v, &n)) return false;
    if (!place(index, n, &i)) {
        *out = lacks_item(v, index);
        return true;
    }
    if (v->kind == JINJA_STR) {
        size_t at = ingle_jinja_str_offset(v->u.str, i);
        size_t len = ingle_jinja_char_len(v->u.str->p + at, v->u.str->n - at);
        return ingle_jinja_burn(r, n == v->u.str->n ? 0 : i / 8) &&
               ingle_jinja_str_part(r, v->u.str, at, at + len, out);
    }
    if (v->kind == JINJA_RANGE) {
        *out = ingle_jinja_int(v->u.range->first + (int64_t)i * v->u.range->step, v->trusted);
        return true;
    }
    if (!ingle_jinja_read_list(r, v->u.list)) return false;
    *out = v->u.list->item[i];
    return true;
}

bool ingle_jinja_item(jinja_render *r, const jinja_value *v, const jinja_value *key,
                      jinja_value *out)
{
    bool found;
    jinja_value *value;
    int64_t i;
    if (v->kind == JINJA_UNDEFINED) return ingle_jinja_fail_undefined(r, v);
    if (v->kind == JINJA_DICT) {
        bool flat =
            key->kind != JINJA_LIST && key->kind != JINJA_DICT && key->kind != JINJA_UNDEFINED;
        if (flat && !ingle_jinja_dict_get(r, v->u.dict, key, &value)) return false;
        if (flat && value) {
            *out = *value;
            return true;
        }
    } else if (ingle_jinja_clamped(key, &i)) {
        return item_at(r, v, i, out);
    }
    if (key->kind == JINJA_STR) {
        if (v->kind == JINJA_SPACE) return ingle_jinja_attr(r, v, key->u.str, out);
        if (!own_attr(r, v, key->u.str, &found, out)) return false;
        if (!found) *out = lacks_attr(v, key->u.str);
        return true;
    }
    *out = lacks_item(v, ingle_jinja_clamped(key, &i) ? i : 0);
    return true;
}

/* ---- slices ---------------------------------------------------------------------------------- */

typedef struct slice {
    int64_t from, step;
    size_t n;
} slice;

static int64_t clip(int64_t i, int64_t n, int64_t low, int64_t high)
{
    if (i < 0) i = i < -n ? low : i + n;
    return i < low ? low : i > high ? high : i;
}

static bool bound(jinja_render *r, const jinja_value *v, int64_t usual, int64_t *out)
{
    *out = usual;
    if (v->kind == JINJA_NONE || ingle_jinja_clamped(v, out)) return true;
    if (v->kind == JINJA_UNDEFINED) return ingle_jinja_fail_undefined(r, v);
    return JINJA_REFUSE(r, "slice indices must be integers or None");
}

static bool read_slice(jinja_render *r, const jinja_value *bounds, size_t length, slice *s)
{
    int64_t n = (int64_t)length, to;
    if (!bound(r, &bounds[2], 1, &s->step)) return false;
    if (!s->step) return JINJA_REFUSE(r, "slice step cannot be zero");
    bool back = s->step < 0;
    int64_t low = back ? -1 : 0, high = back ? n - 1 : n;
    if (!bound(r, &bounds[0], back ? INT64_MAX : 0, &s->from) ||
        !bound(r, &bounds[1], back ? INT64_MIN : INT64_MAX, &to))
        return false;
    s->from = clip(s->from, n, low, high);
    to = clip(to, n, low, high);
    uint64_t way = back ? (uint64_t)(s->from - to) : (uint64_t)(to - s->from);
    uint64_t step = back ? 0 - (uint64_t)s->step : (uint64_t)s->step;
    s->n = (back ? s->from > to : to > s->from) ? (size_t)((way - 1) / step + 1) : 0;
    return true;
}

static bool slice_str(jinja_render *r, jinja_str *s, const slice *sl, jinja_value *out)
{
    if (!sl->n) return ingle_jinja_str_part(r, s, 0, 0, out);
    if (sl->step == 1) {
        size_t from = ingle_jinja_str_offset(s, (size_t)sl->from);
        size_t to = ingle_jinja_str_offset(s, (size_t)sl->from + sl->n);
        return ingle_jinja_burn(r, to / 32) && ingle_jinja_str_part(r, s, from, to, out);
    }
    size_t at = ingle_jinja_str_offset(s, (size_t)sl->from);
    jinja_cut cut = ingle_jinja_text_begin(r);
    for (size_t i = 0; i < sl->n; i++) {
        size_t len = ingle_jinja_char_len(s->p + at, s->n - at);
        if (!ingle_jinja_burn(r, 1) || !ingle_jinja_put_part(r, s, at, at + len)) return false;
        if (i + 1 == sl->n) break;
        for (int64_t k = 0; k < sl->step; k++) at += ingle_jinja_char_len(s->p + at, s->n - at);
        for (int64_t k = 0; k > sl->step; k--)
            for (at--; ((unsigned char)s->p[at] & 0xc0) == 0x80;) at--;
    }
    return ingle_jinja_burn(r, s->n / 16) && ingle_jinja_text_end(r, cut, out);
}

bool ingle_jinja_slice(jinja_render *r, const jinja_value *v, const jinja_value *bounds,
                       jinja_value *out)
{
    size_t length;
    slice s;
    if (v->kind == JINJA_UNDEFINED) return ingle_jinja_fail_undefined(r, v);
    if (v->kind != JINJA_STR && v->kind != JINJA_LIST && v->kind != JINJA_TUPLE) {
        if (v->kind == JINJA_RANGE)
            return ingle_jinja_fail(r, INGLE_EUNSUPPORTED, "a slice of a range");
        *out = lacks_item(v, 0);
        return true;
    }
    if (!ingle_jinja_length(r, v, &length) || !read_slice(r, bounds, length, &s)) return false;
    if (v->kind == JINJA_STR) {
        if (!slice_str(r, v->u.str, &s, out)) return false;
        out->safe = v->safe;
        return true;
    }
    jinja_list *l = ingle_jinja_list_new(r, s.n);
    if (!l || !ingle_jinja_read_list(r, v->u.list)) return false;
    for (size_t i = 0; i < s.n; i++)
        if (!ingle_jinja_list_add(r, l, v->u.list->item[s.from + (int64_t)i * s.step]))
            return false;
    *out = ingle_jinja_of_list((jinja_kind)v->kind, l, v->trusted);
    return true;
}

/* ---- paths ----------------------------------------------------------------------------------- */

bool ingle_jinja_path(jinja_render *r, const jinja_value *v, const jinja_value *path,
                      jinja_value *out)
{
    if (path->kind != JINJA_STR) return ingle_jinja_item(r, v, path, out);
    const jinja_str *s = path->u.str;
    jinja_value at = *v;
    for (size_t i = 0; i <= s->n;) {
        const char *dot = memchr(s->p + i, '.', s->n - i);
        size_t end = dot ? (size_t)(dot - s->p) : s->n;
        bool digits = end > i && end - i < 10;
        int64_t index = 0;
        for (size_t k = i; k < end && digits; k++) {
            digits = s->p[k] >= '0' && s->p[k] <= '9';
            index = 10 * index + (s->p[k] - '0');
        }
        jinja_value key = ingle_jinja_int(index, true);
        if (!digits && !ingle_jinja_str_part(r, s, i, end, &key)) return false;
        if (!ingle_jinja_item(r, &at, &key, out)) return false;
        at = *out;
        i = end + 1;
    }
    return true;
}
