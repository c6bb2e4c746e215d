/* record_encode.c - a struct as JSON. Nothing in the struct is believed: what is written can be
 * read again. */
#include "base/record.h"

#include "base/mem.h"

#include <math.h>

typedef struct encoder {
    ingle_json_writer w;
    ingle_error *err;
} encoder;

static ingle_status fail(const encoder *e, const ingle_place *at, const char *text)
{
    char where[RECORD_POINTER];
    return ingle_fail(e->err, INGLE_EINVAL, "%s: %s", ingle_place_text(at, where), text);
}

static ingle_status put_int(encoder *e, const ingle_field *f, const ingle_place *at, const char *in)
{
    int64_t x;
    memcpy(&x, in, sizeof x);
    if (!ingle_field_admits_int(f, x))
        return fail(e, at, "the number is not between 'min' and 'max'");
    ingle_json_put_i64(&e->w, x);
    return INGLE_OK;
}

static ingle_status put_number(encoder *e, const ingle_field *f, const ingle_place *at,
                               const char *in)
{
    double x;
    memcpy(&x, in, sizeof x);
    if (!isfinite(x)) return fail(e, at, "the number is not finite");
    if (!ingle_field_admits(f, x)) return fail(e, at, "the number is not between 'min' and 'max'");
    ingle_json_put_f64(&e->w, x);
    return INGLE_OK;
}

static ingle_status put_text(encoder *e, const ingle_field *f, const ingle_place *at,
                             const char *in)
{
    const char *end = memchr(in, 0, f->size);
    if (!end) return fail(e, at, "no NUL ends the text within its array");
    const char *fault = ingle_field_text_fault(f, in, (size_t)(end - in));
    if (fault) return fail(e, at, fault);
    ingle_json_put_bytes(&e->w, in, (size_t)(end - in));
    return INGLE_OK;
}

static ingle_status put_choice(encoder *e, const ingle_field *f, const ingle_place *at,
                               const char *in)
{
    int x;
    memcpy(&x, in, sizeof x);
    if (x < 0 || (size_t)x >= f->n_choices)
        return fail(e, at, "the number is not that of a choice");
    ingle_json_put_text(&e->w, f->choices[x]);
    return INGLE_OK;
}

static ingle_status put_record(encoder *e, const ingle_record *r, const ingle_place *at,
                               const char *in);

/* Not a list. */
static ingle_status put_value(encoder *e, const ingle_field *f, const ingle_place *at,
                              const char *in)
{
    switch (f->kind) {
    case INGLE_FIELD_BOOL: ingle_json_put_bool(&e->w, *in != 0); break;
    case INGLE_FIELD_INT: return put_int(e, f, at, in);
    case INGLE_FIELD_NUMBER: return put_number(e, f, at, in);
    case INGLE_FIELD_TEXT: return put_text(e, f, at, in);
    case INGLE_FIELD_CHOICE: return put_choice(e, f, at, in);
    case INGLE_FIELD_RECORD: return put_record(e, f->record, at, in);
    case INGLE_FIELD_LIST: ingle_never();
    }
    return INGLE_OK;
}

static ingle_status put_list(encoder *e, const ingle_field *f, const ingle_place *at,
                             const char *in, size_t n)
{
    ingle_field element = ingle_field_element(f);
    ingle_status st = INGLE_OK;
    if (n > f->size / f->each) return fail(e, at, "more elements are counted than the array has");
    if (n < f->n_min) return fail(e, at, "the list is too short");
    ingle_json_begin_array(&e->w);
    for (size_t i = 0; !st && i < n; i++) {
        ingle_place here = {.up = at, .i = i};
        st = put_value(e, &element, &here, in + i * f->each);
    }
    if (!st) ingle_json_end_array(&e->w);
    return st;
}

/* `in` is the struct that the field is of. */
static ingle_status put_member(encoder *e, const ingle_field *f, const ingle_place *at,
                               const char *in)
{
    ingle_place here = {.up = at, .name = f->name, .len = strlen(f->name)};
    size_t n;
    if (f->flagged && !in[f->flag]) return INGLE_OK;
    ingle_json_name(&e->w, f->name);
    if (f->kind != INGLE_FIELD_LIST) return put_value(e, f, &here, in + f->offset);
    memcpy(&n, in + f->count, sizeof n);
    return put_list(e, f, &here, in + f->offset, n);
}

static ingle_status put_record(encoder *e, const ingle_record *r, const ingle_place *at,
                               const char *in)
{
    ingle_status st = INGLE_OK;
    ingle_json_begin_object(&e->w);
    for (size_t i = 0; !st && i < r->n_fields; i++) st = put_member(e, &r->fields[i], at, in);
    if (!st) ingle_json_end_object(&e->w);
    return st;
}

ingle_status ingle_record_encode(const ingle_record *record, const void *in, char *text, size_t cap,
                                 size_t *len, ingle_error *err)
{
    encoder e = {.err = err};
    if (!in) return ingle_fail(err, INGLE_EINVAL, "the struct is NULL");
    if (!len || (cap && !text)) return ingle_fail(err, INGLE_EINVAL, "nowhere to write JSON");
    ingle_status st = ingle_record_check(record, err);
    if (!st) st = put_record(&e, record, NULL, in);
    if (!st) return ingle_record_give(&e.w, text, cap, len, err);
    ingle_json_writer_free(&e.w);
    return st;
}
