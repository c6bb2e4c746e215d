/* fields.c - see fields.h: reading an object by its table. */
#include "fields.h"

#include "base/distance.h"
#include "base/entropy.h"
#include "base/number.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

/* How many members without a row an object and a body may have: each is compared with every name. */
enum { MAX_UNKNOWN = 64, MAX_ALL_UNKNOWN = 50000, MAX_IGNORED = 2048, SUGGEST_FROM = 6 };

/* ---- places ---------------------------------------------------------------------------------- */

/* Text of fixed room; what does not fit is left out. */
typedef struct line {
    char *text;
    size_t n, cap;
} line;

static void put(line *l, const char *p, size_t n)
{
    for (size_t i = 0; i < n && l->n + 1 < l->cap; i++) l->text[l->n++] = p[i];
}

static void put_text(line *l, const char *text)
{
    put(l, text, strlen(text));
}

/* Names come from outside: what controls a terminal or ends a line of a header is left out. */
static void put_name(line *l, const char *name, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)name[i];
        put(l, c < 0x20 || c == 0x7f ? "?" : name + i, 1);
    }
}

/* The places around a place are at most as deep as JSON may be. */
static void put_place(line *l, const field_place *place, bool numbers)
{
    const field_place *way[INGLE_JSON_MAX_DEPTH];
    size_t n = 0;
    char number[32];
    for (; place && n < INGLE_JSON_MAX_DEPTH; place = place->up) way[n++] = place;
    while (n--) {
        if (way[n]->name) {
            if (l->n) put_text(l, ".");
            put_name(l, way[n]->name, way[n]->len);
            continue;
        }
        if (numbers) snprintf(number, sizeof number, "[%zu]", way[n]->i);
        put_text(l, numbers ? number : "[]");
    }
}

const char *field_place_text(const field_place *place, char *text, size_t cap)
{
    line l = {text, 0, cap};
    if (!cap) return text;
    put_place(&l, place, true);
    text[l.n] = 0;
    return text;
}

bool field_refuse(field_reader *r, const field_place *place, const char *format, ...)
{
    char path[sizeof r->error->param], text[sizeof r->error->message];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return api_fail(r->error, 400, "invalid_value", field_place_text(place, path, sizeof path),
                    "%s", text);
}

/* Where nothing else is wrong yet: the first error counts. */
static void no_memory(field_reader *r)
{
    if (r->error->status) return;
    api_fail(r->error, 503, "out_of_memory", NULL, "no memory for the request");
    r->error->retry_after = 1;
}

/* ---- what was ignored ------------------------------------------------------------------------ */

/* The list is at its end: what else there is has no room. */
static bool is_full(const bytes *list)
{
    return list->failed || (list->n > MAX_IGNORED / 2 && !memcmp(list->p + list->n - 3, "...", 3));
}

static bool is_named(const bytes *list, const char *name, size_t len)
{
    for (size_t at = 0; at < list->n;) {
        const char *comma = memchr(list->p + at, ',', list->n - at);
        size_t end = comma ? (size_t)(comma - list->p) : list->n;
        if (end - at == len && !memcmp(list->p + at, name, len)) return true;
        at = end + 2;
    }
    return false;
}

void field_ignore_text(field_reader *r, const char *text)
{
    char name[160];
    line l = {name, 0, sizeof name};
    if (is_full(&r->ignored)) return;
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        put(&l, c < 0x20 || c > 0x7e || c == ',' ? "?" : text, 1);
    }
    if (!l.n || is_named(&r->ignored, name, l.n)) return;
    if (r->ignored.n + l.n + 2 > MAX_IGNORED) {
        l.n = 3;
        memcpy(name, "...", 3);
    }
    if (r->ignored.n) bytes_text(&r->ignored, ", ");
    bytes_put(&r->ignored, name, l.n);
    if (r->ignored.failed) no_memory(r);
}

void field_ignore(field_reader *r, const field_place *place)
{
    char name[160];
    line l = {name, 0, sizeof name};
    if (is_full(&r->ignored)) return;
    put_place(&l, place, false);
    name[l.n] = 0;
    field_ignore_text(r, name);
}

/* ---- types and ranges ------------------------------------------------------------------------ */

static unsigned type_of(const ingle_json *v)
{
    int64_t whole;
    uint64_t natural;
    switch ((ingle_json_kind)v->kind) {
    case INGLE_JSON_NULL: return 0;
    case INGLE_JSON_BOOL: return FIELD_BOOL;
    case INGLE_JSON_STRING: return FIELD_STRING;
    case INGLE_JSON_ARRAY: return FIELD_ARRAY;
    case INGLE_JSON_OBJECT: return FIELD_OBJECT;
    case INGLE_JSON_NUMBER: break;
    }
    if (ingle_json_i64(v, &whole) || ingle_json_u64(v, &natural)) return FIELD_INT | FIELD_NUMBER;
    return FIELD_NUMBER;
}

const char *field_types_text(unsigned types, char *text, size_t cap)
{
    static const struct {
        unsigned type;
        const char *name;
    } names[] = {
        {FIELD_BOOL, "true or false"}, {FIELD_INT, "a whole number"}, {FIELD_NUMBER, "a number"},
        {FIELD_STRING, "a string"},    {FIELD_ARRAY, "an array"},     {FIELD_OBJECT, "an object"},
    };
    line l = {text, 0, cap};
    if (types & FIELD_NUMBER) types &= ~(unsigned)FIELD_INT;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!(types & names[i].type)) continue;
        types &= ~names[i].type;
        if (l.n) put_text(&l, types ? ", " : " or ");
        put_text(&l, names[i].name);
    }
    text[l.n] = 0;
    return text;
}

static const char *kind_text(const ingle_json *v)
{
    switch ((ingle_json_kind)v->kind) {
    case INGLE_JSON_NULL: return "null";
    case INGLE_JSON_BOOL: return v->text[0] == 't' ? "true" : "false";
    case INGLE_JSON_NUMBER: return "a number";
    case INGLE_JSON_STRING: return "a string";
    case INGLE_JSON_ARRAY: return "an array";
    case INGLE_JSON_OBJECT: return "an object";
    }
    return "";
}

static bool wrong_type(field_reader *r, const field_row *row, const ingle_json *v,
                       const field_place *place)
{
    char types[96];
    field_types_text(row->types, types, sizeof types);
    if (v->kind == INGLE_JSON_NUMBER && v->len < 40)
        return field_refuse(r, place, "should be %s, not %.*s", types, (int)v->len, v->text);
    return field_refuse(r, place, "should be %s, not %s", types, kind_text(v));
}

static bool check_range(field_reader *r, const field_row *row, const ingle_json *v,
                        const field_place *place)
{
    double x = v->len;
    const char *what = v->kind == INGLE_JSON_STRING  ? "bytes"
                       : v->kind == INGLE_JSON_ARRAY ? "elements"
                                                     : "members";
    if ((row->min == 0 && row->max == 0) || v->kind == INGLE_JSON_BOOL) return true;
    if (v->kind == INGLE_JSON_NUMBER) {
        bool finite = ingle_json_f64(v, &x);
        if (finite && x >= row->min && x <= row->max) return true;
        return field_refuse(r, place, "is %.*s, should be %.10g to %.10g",
                            v->len < 40 ? (int)v->len : 40, v->text, row->min, row->max);
    }
    if (x >= row->min && x <= row->max) return true;
    return field_refuse(r, place, "has %.0f %s, should have %.0f to %.0f", x, what, row->min,
                        row->max);
}

/* Index among the choices; -1: it is none of them. */
static int find_choice(const char *const *choices, const ingle_json *v)
{
    for (int i = 0; choices[i]; i++)
        if (ingle_json_is_text(v, choices[i])) return i;
    return -1;
}

static bool check_choice(field_reader *r, const field_row *row, const ingle_json *v,
                         const field_place *place)
{
    char text[400];
    line l = {text, 0, sizeof text};
    if (!row->choices || v->kind != INGLE_JSON_STRING || find_choice(row->choices, v) >= 0)
        return true;
    for (size_t i = 0; row->choices[i]; i++) {
        if (i) put_text(&l, row->choices[i + 1] ? ", " : " or ");
        put_text(&l, "'");
        put_text(&l, row->choices[i]);
        put_text(&l, "'");
    }
    text[l.n] = 0;
    return field_refuse(r, place, "is '%.60s', should be %s", v->text, text);
}

/* ---- storing --------------------------------------------------------------------------------- */

static bool store_float(field_reader *r, const ingle_json *v, float *out, const field_place *place)
{
    double x;
    if (!ingle_json_f64(v, &x) || !isfinite((float)x))
        return field_refuse(r, place, "is too large a number");
    *out = (float)x;
    return true;
}

static bool store_int(field_reader *r, const ingle_json *v, int32_t *out, const field_place *place)
{
    int64_t x;
    if (!ingle_json_i64(v, &x) || x < INT32_MIN || x > INT32_MAX)
        return field_refuse(r, place, "should be a whole number from %d to %d", (int)INT32_MIN,
                            (int)INT32_MAX);
    *out = (int32_t)x;
    return true;
}

static bool store_seed(field_reader *r, const ingle_json *v, uint64_t *out,
                       const field_place *place)
{
    int64_t x;
    if (ingle_json_u64(v, out)) return true;
    if (!ingle_json_i64(v, &x) || x != -1)
        return field_refuse(r, place, "should be a whole number of 64 bits, or -1 for a fresh one");
    *out = ingle_entropy();
    return true;
}

static bool store(field_reader *r, const field_row *row, void *target, const ingle_json *v,
                  const field_place *place)
{
    void *at = target && row->store ? (char *)target + row->offset : NULL;
    if (!at) return true;
    switch (row->store) {
    case FIELD_NOWHERE: return true;
    case FIELD_TO_BOOL: ingle_json_bool(v, at); return true;
    case FIELD_TO_INT: return store_int(r, v, at, place);
    case FIELD_TO_SEED: return store_seed(r, v, at, place);
    case FIELD_TO_FLOAT: return store_float(r, v, at, place);
    case FIELD_TO_DOUBLE: ingle_json_f64(v, at); return true;
    case FIELD_TO_CHOICE: *(int *)at = find_choice(row->choices, v); return true;
    case FIELD_TO_VALUE: *(const ingle_json **)at = v; return true;
    }
    return true;
}

/* ---- members of members ---------------------------------------------------------------------- */

static bool read_members(field_reader *r, const field_row *row, void *target, const ingle_json *v,
                         const field_place *place)
{
    size_t i = 0;
    void *inner = target && !row->members_apart ? (char *)target + row->members_offset : NULL;
    if (!row->members) return true;
    if (v->kind == INGLE_JSON_OBJECT) return fields_read(r, row->members, v, inner, place);
    if (v->kind != INGLE_JSON_ARRAY) return true;
    for (ingle_json_walk w = ingle_json_items(v); ingle_json_step(&w); i++) {
        const field_place element = {.up = place, .i = i};
        if (!fields_read(r, row->members, w.value, inner, &element)) return false;
    }
    return true;
}

/* ---- classes --------------------------------------------------------------------------------- */

static bool is_only(field_reader *r, const ingle_json *v, const char *only)
{
    ingle_json_writer w = {0};
    double x;
    bool same;
    if (v->kind == INGLE_JSON_NUMBER)
        return strchr("-0123456789", *only) && ingle_json_f64(v, &x) &&
               x == ingle_number_read(only, strlen(only));
    if (v->kind >= INGLE_JSON_ARRAY && v->len > 4) return false;
    ingle_json_put(&w, v);
    if (ingle_json_finish(&w)) no_memory(r);
    same = !w.status && !strcmp(w.text, only);
    ingle_json_writer_free(&w);
    return same;
}

bool field_read(field_reader *r, const field_row *row, void *target, const ingle_json *v,
                const field_place *place)
{
    switch (row->class) {
    case FIELD_INERT: field_ignore(r, place); return true;
    case FIELD_REFUSED: return field_refuse(r, place, "is not supported: %s", row->help);
    case FIELD_ONLY:
        return is_only(r, v, row->only) ||
               field_refuse(r, place, "should be %s: %s", row->only, row->help);
    case FIELD_HONOURED: break;
    }
    if (!(type_of(v) & row->types)) return wrong_type(r, row, v, place);
    return check_range(r, row, v, place) && check_choice(r, row, v, place) &&
           store(r, row, target, v, place) && read_members(r, row, target, v, place) &&
           (!row->set || row->set(r, target, v, place));
}

/* ---- names ----------------------------------------------------------------------------------- */

const field_row *field_find(const field_table *table, const char *name, size_t len, size_t *offset)
{
    *offset = 0;
    for (; table; *offset += table->more_offset, table = table->more)
        for (size_t i = 0; i < table->n_rows; i++)
            if (strlen(table->rows[i].name) == len && !memcmp(table->rows[i].name, name, len))
                return &table->rows[i];
    return NULL;
}

/* The honoured name that is one edit away. */
static const char *nearest(const field_table *table, const char *name, size_t len)
{
    for (; table; table = table->more)
        for (size_t i = 0; i < table->n_rows; i++) {
            const field_row *row = &table->rows[i];
            size_t n = strlen(row->name);
            if (row->class != FIELD_HONOURED || n < SUGGEST_FROM || n > len + 1 || len > n + 1)
                continue;
            if (ingle_distance(row->name, n, name, len) == 1) return row->name;
        }
    return NULL;
}

static bool read_unknown(field_reader *r, const field_table *table, size_t *n_unknown,
                         const field_place *place)
{
    if (++*n_unknown > MAX_UNKNOWN)
        return field_refuse(r, place->up, "has more than %d members that are not known here",
                            MAX_UNKNOWN);
    if (++r->n_unknown > MAX_ALL_UNKNOWN)
        return field_refuse(r, place, "is one of more than %d members that are not known",
                            MAX_ALL_UNKNOWN);
    const char *near = nearest(table, place->name, place->len);
    if (near) return field_refuse(r, place, "is not known; did you mean '%s'?", near);
    if (r->strict) return field_refuse(r, place, "is not known");
    field_ignore(r, place);
    return true;
}

/* ---- objects --------------------------------------------------------------------------------- */

static bool read_object(field_reader *r, const field_table *table, const ingle_json *object,
                        void *target, const field_place *place, bool known_only)
{
    size_t n_unknown = 0, offset;
    if (r->error->status) return false;
    if (!ingle_json_is(object, INGLE_JSON_OBJECT))
        return field_refuse(r, place, "should be an object, not %s",
                            object ? kind_text(object) : "nothing");
    for (ingle_json_walk w = ingle_json_items(object); ingle_json_step(&w);) {
        const field_place member = {.up = place, .name = w.name->text, .len = w.name->len};
        if (w.value->kind == INGLE_JSON_NULL) continue;
        const field_row *row = field_find(table, w.name->text, w.name->len, &offset);
        if (row) {
            void *at = target ? (char *)target + offset : NULL;
            if (!field_read(r, row, at, w.value, &member)) return false;
        } else if (!known_only && !read_unknown(r, table, &n_unknown, &member)) {
            return false;
        }
    }
    return !r->error->status;
}

bool fields_read(field_reader *r, const field_table *table, const ingle_json *object, void *target,
                 const field_place *place)
{
    return read_object(r, table, object, target, place, false);
}

bool fields_read_known(field_reader *r, const field_table *table, const ingle_json *object,
                       void *target, const field_place *place)
{
    return read_object(r, table, object, target, place, true);
}

void fields_end(field_reader *r)
{
    bytes_free(&r->ignored);
}
