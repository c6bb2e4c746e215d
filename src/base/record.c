/* record.c - see record.h. */
#include "base/record.h"

#include "base/utf8.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

/* ---- places ---------------------------------------------------------------------------------- */

/* A tail of text that grows towards its beginning. What does not fit is the beginning. */
typedef struct tail {
    char *text;
    size_t at;
} tail;

static void put_before(tail *t, const char *p, size_t n)
{
    while (n && t->at) t->text[--t->at] = p[--n];
}

static void put_name(tail *t, const char *name, size_t len)
{
    while (len--) {
        if (name[len] == '~') put_before(t, "~0", 2);
        else if (name[len] == '/') put_before(t, "~1", 2);
        else put_before(t, name + len, 1);
    }
}

static void put_index(tail *t, size_t i)
{
    char text[24];
    put_before(t, text, (size_t)snprintf(text, sizeof text, "%zu", i));
}

const char *ingle_place_text(const ingle_place *place, char text[RECORD_POINTER])
{
    tail t = {text, RECORD_POINTER - 1};
    text[t.at] = 0;
    if (!place) put_before(&t, "the value", 9);
    for (; place; place = place->up) {
        if (place->name) put_name(&t, place->name, place->len);
        else put_index(&t, place->i);
        put_before(&t, "/", 1);
    }
    return text + t.at;
}

/* ---- checking tables ------------------------------------------------------------------------- */

/* The fields from the outermost table to the one that is checked. */
typedef struct check {
    const char *name[RECORD_DEPTH];
    size_t depth, n_fields;
    ingle_error *err;
} check;

static ingle_status fail(const check *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* "field 'owner.name': ..." */
static ingle_status fail(const check *c, const char *format, ...)
{
    char path[RECORD_POINTER], what[160];
    tail t = {path, sizeof path - 1};
    va_list args;
    path[t.at] = 0;
    for (size_t i = c->depth; i--;) {
        put_before(&t, c->name[i], strlen(c->name[i]));
        if (i) put_before(&t, ".", 1);
    }
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    return ingle_fail(c->err, INGLE_EINVAL, "field '%s': %s", path + t.at, what);
}

static bool is_utf8(const char *text)
{
    size_t n = strlen(text);
    return ingle_utf8_valid(text, n) == n;
}

/* Whether n bytes at an offset lie in a struct. */
static bool fits(const ingle_record *r, size_t offset, size_t n)
{
    return n <= r->size && offset <= r->size - n;
}

static ingle_status check_size(const check *c, const char *kind, size_t size, size_t right)
{
    if (size == right) return INGLE_OK;
    return fail(c, "of %zu bytes, but %s has %zu", size, kind, right);
}

static bool is_bound(ingle_field_kind kind, double x)
{
    if (isnan(x)) return false;
    if (kind != INGLE_FIELD_INT || isinf(x)) return true;
    return fabs(x) <= 0x1p53 && x == floor(x);
}

static ingle_status check_bounds(const check *c, const ingle_field *f, ingle_field_kind kind)
{
    if (!is_bound(kind, f->min) || !is_bound(kind, f->max))
        return fail(c, "'min' and 'max' should be %s",
                    kind == INGLE_FIELD_INT ? "whole numbers, at most 2^53 from 0" : "numbers");
    if (f->min > f->max || f->min == INFINITY || f->max == -INFINITY)
        return fail(c, "no number is between 'min' and 'max'");
    return INGLE_OK;
}

static ingle_status check_choices(const check *c, const ingle_field *f)
{
    if (!f->n_choices || !f->choices) return fail(c, "'choices' should be at least one text");
    if (f->n_choices > RECORD_FIELDS)
        return fail(c, "'choices' should be at most %d texts", RECORD_FIELDS);
    for (size_t i = 0; i < f->n_choices; i++) {
        if (!f->choices[i] || !is_utf8(f->choices[i]))
            return fail(c, "choice %zu is no UTF-8 text", i);
        for (size_t k = 0; k < i; k++)
            if (!strcmp(f->choices[i], f->choices[k]))
                return fail(c, "choices %zu and %zu are the same", k, i);
    }
    return INGLE_OK;
}

static ingle_status check_text(const check *c, const ingle_field *f, size_t size)
{
    if (!size) return fail(c, "a text needs a byte for its NUL");
    size_t most = (size - 1) / (f->ascii ? 1 : 4);
    if (f->of || f->n_min <= most) return INGLE_OK;
    return fail(c, "'n_min' is %zu, but the schema allows %zu characters in %zu bytes", f->n_min,
                most, size);
}

static ingle_status check_record(check *c, const ingle_record *r);

static ingle_status check_inner(check *c, const ingle_field *f, size_t size)
{
    if (!f->record) return fail(c, "'record' is NULL");
    ingle_status st = check_size(c, "its record", size, f->record->size);
    return st ? st : check_record(c, f->record);
}

/* A value of `size` bytes: a member, or an element of a list. */
static ingle_status check_value(check *c, const ingle_field *f, ingle_field_kind kind, size_t size)
{
    ingle_status st;
    switch (kind) {
    case INGLE_FIELD_BOOL: return check_size(c, "a bool", size, sizeof(bool));
    case INGLE_FIELD_INT:
        st = check_size(c, "an int64_t", size, sizeof(int64_t));
        return st ? st : check_bounds(c, f, kind);
    case INGLE_FIELD_NUMBER:
        st = check_size(c, "a double", size, sizeof(double));
        return st ? st : check_bounds(c, f, kind);
    case INGLE_FIELD_TEXT: return check_text(c, f, size);
    case INGLE_FIELD_CHOICE:
        st = check_size(c, "an int", size, sizeof(int));
        return st ? st : check_choices(c, f);
    case INGLE_FIELD_RECORD: return check_inner(c, f, size);
    case INGLE_FIELD_LIST: break;
    }
    if (kind == INGLE_FIELD_LIST) return fail(c, "lists of lists are not possible");
    return fail(c, "%d is no kind of field", (int)kind);
}

static ingle_status check_list(check *c, const ingle_record *r, const ingle_field *f)
{
    if (!f->each || f->size % f->each)
        return fail(c, "elements of %zu bytes do not make up %zu", f->each, f->size);
    if (!fits(r, f->count, sizeof(size_t)))
        return fail(c, "'count' should be the offset of a size_t in the struct");
    if (f->n_min > f->size / f->each)
        return fail(c, "'n_min' is %zu, but the array has %zu elements", f->n_min,
                    f->size / f->each);
    return check_value(c, f, f->of, f->each);
}

static ingle_status check_field(check *c, const ingle_record *r, const ingle_field *f)
{
    if (!fits(r, f->offset, f->size))
        return fail(c, "%zu bytes at %zu are not within a struct of %zu", f->size, f->offset,
                    r->size);
    if (f->description && !is_utf8(f->description)) return fail(c, "'description' is not UTF-8");
    if (f->flagged && (!f->optional || !fits(r, f->flag, sizeof(bool))))
        return fail(c, f->optional ? "'flag' should be the offset of a bool in the struct"
                                   : "'flagged' without 'optional'");
    if (f->kind == INGLE_FIELD_LIST) return check_list(c, r, f);
    if (f->of) return fail(c, "'of' is for lists");
    return check_value(c, f, f->kind, f->size);
}

static ingle_status check_name(check *c, const ingle_record *r, size_t i)
{
    const char *name = r->fields[i].name;
    char number[24];
    snprintf(number, sizeof number, "%zu", i);
    c->name[c->depth - 1] = name ? name : number;
    if (!name) return fail(c, "'name' is NULL");
    if (!is_utf8(name)) return fail(c, "'name' is not UTF-8");
    for (size_t k = 0; k < i; k++)
        if (!strcmp(name, r->fields[k].name)) return fail(c, "there are two of this name");
    return INGLE_OK;
}

static ingle_status no_table(const check *c)
{
    if (c->depth) return fail(c, "its record has no 'fields'");
    return ingle_fail(c->err, INGLE_EINVAL, "the record has no 'fields'");
}

static ingle_status check_record(check *c, const ingle_record *r)
{
    if (r->n_fields && !r->fields) return no_table(c);
    if (c->depth == RECORD_DEPTH)
        return fail(c, "more than %d records in one another", RECORD_DEPTH);
    c->depth++;
    ingle_status st = INGLE_OK;
    for (size_t i = 0; !st && i < r->n_fields; i++) {
        st = check_name(c, r, i);
        if (!st && c->n_fields++ == RECORD_FIELDS)
            st = fail(c, "more than %d fields in all", RECORD_FIELDS);
        if (!st) st = check_field(c, r, &r->fields[i]);
    }
    c->depth--;
    return st;
}

ingle_status ingle_record_check(const ingle_record *record, ingle_error *err)
{
    check c = {.err = err};
    if (!record) return ingle_fail(err, INGLE_EINVAL, "the record is NULL");
    return check_record(&c, record);
}

/* ---- fields ---------------------------------------------------------------------------------- */

ingle_field ingle_field_element(const ingle_field *list)
{
    ingle_field f = *list;
    f.kind = list->of;
    f.size = list->each;
    f.of = (ingle_field_kind)0;
    f.n_min = 0;
    f.optional = f.flagged = false;
    return f;
}

bool ingle_field_admits_int(const ingle_field *f, int64_t x)
{
    if (!ingle_field_is_bounded(f)) return true;
    if (isfinite(f->min) && x < (int64_t)f->min) return false;
    return !isfinite(f->max) || x <= (int64_t)f->max;
}

const char *ingle_field_text_fault(const ingle_field *f, const char *p, size_t n)
{
    size_t n_chars = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned char b = (unsigned char)p[i];
        if (!b) return "a text in C has no U+0000 in it";
        if (f->ascii && (b < 0x20 || b > 0x7e)) return "a character is not printable ASCII";
        n_chars += (b & 0xc0) != 0x80;
    }
    if (n_chars < f->n_min) return "the text is too short";
    return ingle_utf8_valid(p, n) == n ? NULL : "the text is not UTF-8";
}

ingle_status ingle_record_give(ingle_json_writer *w, char *text, size_t cap, size_t *len,
                               ingle_error *err)
{
    ingle_status st = ingle_json_finish(w);
    if (st == INGLE_ENOMEM) ingle_fail(err, st, "no memory for the JSON of a record");
    if (!st) *len = w->n;
    if (!st && w->n > cap)
        st = ingle_fail(err, INGLE_ERANGE, "JSON of %zu bytes, room for %zu", w->n, cap);
    if (!st) memcpy(text, w->text, w->n);
    ingle_json_writer_free(w);
    return st;
}
