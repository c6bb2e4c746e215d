/* record_decode.c - JSON into a struct. It is written into a copy first, so that nothing of a text
 * that does not fit is left behind. */
#include "base/record.h"

#include "base/mem.h"

static ingle_status fail(ingle_error *err, const ingle_place *at, const char *text)
{
    char where[RECORD_POINTER];
    return ingle_fail(err, INGLE_EFORMAT, "%s: %s", ingle_place_text(at, where), text);
}

static ingle_status get_bool(ingle_error *err, const ingle_json *v, const ingle_place *at,
                             char *out)
{
    bool x;
    if (!ingle_json_bool(v, &x)) return fail(err, at, "should be true or false");
    memcpy(out, &x, sizeof x);
    return INGLE_OK;
}

static ingle_status get_int(ingle_error *err, const ingle_field *f, const ingle_json *v,
                            const ingle_place *at, char *out)
{
    char where[RECORD_POINTER];
    int64_t x;
    if (!ingle_json_i64(v, &x)) return fail(err, at, "should be a whole number of 64 bits");
    if (!ingle_field_admits_int(f, x))
        return ingle_fail(err, INGLE_EFORMAT, "%s: %lld should be %.17g to %.17g",
                          ingle_place_text(at, where), (long long)x, f->min, f->max);
    memcpy(out, &x, sizeof x);
    return INGLE_OK;
}

static ingle_status get_number(ingle_error *err, const ingle_field *f, const ingle_json *v,
                               const ingle_place *at, char *out)
{
    char where[RECORD_POINTER];
    double x;
    if (!ingle_json_f64(v, &x)) return fail(err, at, "should be a finite number");
    if (!ingle_field_admits(f, x))
        return ingle_fail(err, INGLE_EFORMAT, "%s: %.17g should be %.17g to %.17g",
                          ingle_place_text(at, where), x, f->min, f->max);
    memcpy(out, &x, sizeof x);
    return INGLE_OK;
}

static ingle_status get_text(ingle_error *err, const ingle_field *f, const ingle_json *v,
                             const ingle_place *at, char *out)
{
    char where[RECORD_POINTER];
    if (!ingle_json_is(v, INGLE_JSON_STRING)) return fail(err, at, "should be a string");
    const char *fault = ingle_field_text_fault(f, v->text, v->len);
    if (fault) return fail(err, at, fault);
    if (v->len >= f->size)
        return ingle_fail(err, INGLE_EFORMAT, "%s: %u bytes of text, room for %zu",
                          ingle_place_text(at, where), v->len, f->size - 1);
    memcpy(out, v->text, v->len + 1);
    return INGLE_OK;
}

static ingle_status get_choice(ingle_error *err, const ingle_field *f, const ingle_json *v,
                               const ingle_place *at, char *out)
{
    for (int x = 0; (size_t)x < f->n_choices; x++) {
        if (!ingle_json_is_text(v, f->choices[x])) continue;
        memcpy(out, &x, sizeof x);
        return INGLE_OK;
    }
    return fail(err, at, "should be one of the choices");
}

static ingle_status get_record(ingle_error *err, const ingle_record *r, const ingle_json *v,
                               const ingle_place *at, char *out);

/* Not a list. */
static ingle_status get_value(ingle_error *err, const ingle_field *f, const ingle_json *v,
                              const ingle_place *at, char *out)
{
    switch (f->kind) {
    case INGLE_FIELD_BOOL: return get_bool(err, v, at, out);
    case INGLE_FIELD_INT: return get_int(err, f, v, at, out);
    case INGLE_FIELD_NUMBER: return get_number(err, f, v, at, out);
    case INGLE_FIELD_TEXT: return get_text(err, f, v, at, out);
    case INGLE_FIELD_CHOICE: return get_choice(err, f, v, at, out);
    case INGLE_FIELD_RECORD: return get_record(err, f->record, v, at, out);
    case INGLE_FIELD_LIST: break;
    }
    ingle_never();
}

static ingle_status get_list(ingle_error *err, const ingle_field *f, const ingle_json *v,
                             const ingle_place *at, char *out)
{
    char where[RECORD_POINTER];
    ingle_field element = ingle_field_element(f);
    size_t most = f->size / f->each, i = 0;
    if (!ingle_json_is(v, INGLE_JSON_ARRAY)) return fail(err, at, "should be an array");
    if (v->len < f->n_min || v->len > most)
        return ingle_fail(err, INGLE_EFORMAT, "%s: %u elements, should be %zu to %zu",
                          ingle_place_text(at, where), v->len, f->n_min, most);
    for (ingle_json_walk w = ingle_json_items(v); ingle_json_step(&w); i++) {
        ingle_place here = {.up = at, .i = i};
        ingle_status st = get_value(err, &element, w.value, &here, out + i * f->each);
        if (st) return st;
    }
    return INGLE_OK;
}

/* v: NULL if the member is absent. `out` is the struct that the field is of. */
static ingle_status get_member(ingle_error *err, const ingle_field *f, const ingle_json *v,
                               const ingle_place *at, char *out)
{
    ingle_place here = {.up = at, .name = f->name, .len = strlen(f->name)};
    bool there = v != NULL;
    if (!there && !f->optional) return fail(err, &here, "is missing");
    if (f->flagged) memcpy(out + f->flag, &there, sizeof there);
    if (!there) return INGLE_OK;
    if (f->kind != INGLE_FIELD_LIST) return get_value(err, f, v, &here, out + f->offset);
    ingle_status st = get_list(err, f, v, &here, out + f->offset);
    size_t n = v->len;
    if (!st) memcpy(out + f->count, &n, sizeof n);
    return st;
}

static ingle_status check_name(ingle_error *err, const ingle_record *r, const ingle_json *name,
                               const ingle_place *at)
{
    ingle_place here = {.up = at, .name = name->text, .len = name->len};
    for (size_t i = 0; i < r->n_fields; i++)
        if (ingle_json_is_text(name, r->fields[i].name)) return INGLE_OK;
    return fail(err, &here, "there is no such member");
}

static ingle_status get_record(ingle_error *err, const ingle_record *r, const ingle_json *v,
                               const ingle_place *at, char *out)
{
    ingle_status st = INGLE_OK;
    if (!ingle_json_is(v, INGLE_JSON_OBJECT)) return fail(err, at, "should be an object");
    for (ingle_json_walk w = ingle_json_items(v); !st && ingle_json_step(&w);)
        st = check_name(err, r, w.name, at);
    for (size_t i = 0; !st && i < r->n_fields; i++) {
        const ingle_field *f = &r->fields[i];
        st = get_member(err, f, ingle_json_get(v, f->name), at, out);
    }
    return st;
}

static ingle_status get_all(const ingle_record *r, const ingle_json *v, void *out, ingle_error *err)
{
    char *copy = malloc(r->size ? r->size : 1);
    if (!copy) return ingle_fail(err, INGLE_ENOMEM, "no memory for a record of %zu bytes", r->size);
    memcpy(copy, out, r->size);
    ingle_status st = get_record(err, r, v, NULL, copy);
    if (!st) memcpy(out, copy, r->size);
    free(copy);
    return st;
}

ingle_status ingle_record_decode(const ingle_record *record, const char *json, size_t len,
                                 void *out, ingle_error *err)
{
    ingle_json_limits limits = {.unique_names = true};
    ingle_json_doc doc;
    if (!out) return ingle_fail(err, INGLE_EINVAL, "the struct is NULL");
    if (len && !json) return ingle_fail(err, INGLE_EINVAL, "the JSON text is NULL");
    ingle_status st = ingle_record_check(record, err);
    if (!st) st = ingle_json_open(&doc, json, len, &limits, err);
    if (st) return st;
    st = get_all(record, doc.root, out, err);
    ingle_json_close(&doc);
    return st;
}
