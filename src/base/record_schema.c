/* record_schema.c - the JSON Schema of a record: what is valid for it fits the struct. */
#include "base/record.h"

#include <math.h>

static void put_word(ingle_json_writer *w, const char *name, const char *text)
{
    ingle_json_put_text(ingle_json_name(w, name), text);
}

static void put_int(ingle_json_writer *w, const ingle_field *f)
{
    bool bounded = ingle_field_is_bounded(f);
    put_word(w, "type", "integer");
    ingle_json_put_i64(ingle_json_name(w, "minimum"),
                       bounded && isfinite(f->min) ? (int64_t)f->min : INT64_MIN);
    ingle_json_put_i64(ingle_json_name(w, "maximum"),
                       bounded && isfinite(f->max) ? (int64_t)f->max : INT64_MAX);
}

static void put_number(ingle_json_writer *w, const ingle_field *f)
{
    put_word(w, "type", "number");
    if (!ingle_field_is_bounded(f)) return;
    if (isfinite(f->min)) ingle_json_put_f64(ingle_json_name(w, "minimum"), f->min);
    if (isfinite(f->max)) ingle_json_put_f64(ingle_json_name(w, "maximum"), f->max);
}

static void put_text(ingle_json_writer *w, const ingle_field *f)
{
    put_word(w, "type", "string");
    if (f->n_min) ingle_json_put_u64(ingle_json_name(w, "minLength"), f->n_min);
    ingle_json_put_u64(ingle_json_name(w, "maxLength"), (f->size - 1) / (f->ascii ? 1 : 4));
    put_word(w, "pattern", f->ascii ? "^[ -~]*$" : "^[^\\u0000]*$");
}

static void put_choices(ingle_json_writer *w, const ingle_field *f)
{
    ingle_json_begin_array(ingle_json_name(w, "enum"));
    for (size_t i = 0; i < f->n_choices; i++) ingle_json_put_text(w, f->choices[i]);
    ingle_json_end_array(w);
}

static void put_value(ingle_json_writer *w, const ingle_field *f);

/* The keywords of an object. */
static void put_record(ingle_json_writer *w, const ingle_record *r)
{
    put_word(w, "type", "object");
    ingle_json_begin_object(ingle_json_name(w, "properties"));
    for (size_t i = 0; i < r->n_fields; i++) {
        ingle_json_begin_object(ingle_json_name(w, r->fields[i].name));
        if (r->fields[i].description) put_word(w, "description", r->fields[i].description);
        put_value(w, &r->fields[i]);
        ingle_json_end_object(w);
    }
    ingle_json_end_object(w);
    ingle_json_begin_array(ingle_json_name(w, "required"));
    for (size_t i = 0; i < r->n_fields; i++)
        if (!r->fields[i].optional) ingle_json_put_text(w, r->fields[i].name);
    ingle_json_end_array(w);
    ingle_json_put_bool(ingle_json_name(w, "additionalProperties"), false);
}

static void put_list(ingle_json_writer *w, const ingle_field *f)
{
    ingle_field element = ingle_field_element(f);
    put_word(w, "type", "array");
    ingle_json_begin_object(ingle_json_name(w, "items"));
    put_value(w, &element);
    ingle_json_end_object(w);
    if (f->n_min) ingle_json_put_u64(ingle_json_name(w, "minItems"), f->n_min);
    ingle_json_put_u64(ingle_json_name(w, "maxItems"), f->size / f->each);
}

static void put_value(ingle_json_writer *w, const ingle_field *f)
{
    switch (f->kind) {
    case INGLE_FIELD_BOOL: put_word(w, "type", "boolean"); break;
    case INGLE_FIELD_INT: put_int(w, f); break;
    case INGLE_FIELD_NUMBER: put_number(w, f); break;
    case INGLE_FIELD_TEXT: put_text(w, f); break;
    case INGLE_FIELD_CHOICE: put_choices(w, f); break;
    case INGLE_FIELD_RECORD: put_record(w, f->record); break;
    case INGLE_FIELD_LIST: put_list(w, f); break;
    }
}

ingle_status ingle_record_schema(const ingle_record *record, char *text, size_t cap, size_t *len,
                                 ingle_error *err)
{
    ingle_json_writer w = {0};
    if (!len || (cap && !text)) return ingle_fail(err, INGLE_EINVAL, "nowhere to write a schema");
    ingle_status st = ingle_record_check(record, err);
    if (st) return st;
    ingle_json_begin_object(&w);
    put_record(&w, record);
    ingle_json_end_object(&w);
    return ingle_record_give(&w, text, cap, len, err);
}
