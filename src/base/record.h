/* record.h - tables of C structs (ingle_record.h) from inside: checking them, and the place where
 * something is wrong.
 * Owns       nothing.
 * Depends on include/ingle_record.h, base/status.h.
 * Invariant  after ingle_record_check() no field reaches out of its struct, and records are at most
 *            RECORD_DEPTH in one another: what walks through tables may be recursive. */
#ifndef INGLE_BASE_RECORD_H
#define INGLE_BASE_RECORD_H

#include <ingle_record.h>

#include "base/json.h"

enum { RECORD_DEPTH = 32, RECORD_FIELDS = 10000 };

/* INGLE_EINVAL names the field. */
ingle_status ingle_record_check(const ingle_record *record, ingle_error *err);

/* Where in a value: from the innermost member or element outward. The root is NULL. */
typedef struct ingle_place {
    const struct ingle_place *up;
    const char *name; /* [len]; NULL: element i */
    size_t len, i;
} ingle_place;

enum { RECORD_POINTER = 160 };
/* The JSON pointer, "the value" at the root; one that is too long is cut. Returns text. */
const char *ingle_place_text(const ingle_place *place, char text[RECORD_POINTER]);

/* What the elements of a list are, as if each were a member; the name is the list's. */
ingle_field ingle_field_element(const ingle_field *list);

static inline bool ingle_field_is_bounded(const ingle_field *f)
{
    return f->min != 0 || f->max != 0;
}

/* Whether a number is within the bounds of a field; those of an INT are compared exactly. */
static inline bool ingle_field_admits(const ingle_field *f, double x)
{
    return !ingle_field_is_bounded(f) || (x >= f->min && x <= f->max);
}
bool ingle_field_admits_int(const ingle_field *f, int64_t x);

/* Why the text of n bytes cannot be one of this field: NULL, or what is wrong with it. */
const char *ingle_field_text_fault(const ingle_field *f, const char *p, size_t n);

/* Hands over what a writer made, as ingle_detokenize() does, and frees it. */
ingle_status ingle_record_give(ingle_json_writer *w, char *text, size_t cap, size_t *len,
                               ingle_error *err);

#endif
