/* json.h - JSON text (RFC 8259), read into a tree that does not change and written piece by piece.
 * Owns       a document: the text, decoded in place, and 16 bytes for each value and each name. A
 *            writer: the text so far.
 * Depends on base/status.h. Nothing here is recursive.
 * Invariant  a value's subtree follows it, in the order of the text, and ends `skip` nodes after
 *            it. What was read is valid: strings are UTF-8, numbers have JSON's form. */
#ifndef INGLE_BASE_JSON_H
#define INGLE_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"

typedef enum ingle_json_kind {
    INGLE_JSON_NULL,
    INGLE_JSON_BOOL,
    INGLE_JSON_NUMBER,
    INGLE_JSON_STRING,
    INGLE_JSON_ARRAY,
    INGLE_JSON_OBJECT
} ingle_json_kind;

/* A value, or the name of a member, in its document. Wherever one is asked for something, NULL is a
 * value of no kind, so that questions may be chained. */
typedef struct ingle_json {
    /* A string: its bytes, escapes decoded; a NUL follows them, and may be among them. A number,
     * true, false, null: as it was written, without a NUL. Else the text from its bracket on. */
    const char *text;
    uint32_t len;      /* bytes of that text; elements; members */
    unsigned kind : 3; /* ingle_json_kind */
    unsigned skip : 29;
} ingle_json;

/* ---- reading --------------------------------------------------------------------------------- */

enum { INGLE_JSON_MAX_DEPTH = 512 };

/* 0 stands for the default. */
typedef struct ingle_json_limits {
    size_t max_bytes;  /* 64 MiB; at most 4 GiB */
    size_t max_values; /* 1,000,000, names of members not counted; at most 2^28 */
    size_t max_depth;  /* 128 arrays and objects in one another; at most INGLE_JSON_MAX_DEPTH */
    bool unique_names; /* an object that has a name twice is refused */
} ingle_json_limits;

typedef struct ingle_json_doc {
    const ingle_json *root; /* NULL: closed */
    size_t n_nodes;         /* from root on: values and names */
    char *text;             /* no longer as it was read */
} ingle_json_doc;

/* Reads one value with nothing but white space around it. The text is copied, limits may be NULL.
 * On failure *doc is closed and the error names the byte, from 0: INGLE_EFORMAT, INGLE_ENOMEM,
 * INGLE_EUNSUPPORTED for more than the limits allow. */
ingle_status ingle_json_open(ingle_json_doc *doc, const char *text, size_t len,
                             const ingle_json_limits *limits, ingle_error *err);
void ingle_json_close(ingle_json_doc *doc); /* NULL and a closed one are no-ops */

/* Where in the text a value, which is not NULL, began. */
size_t ingle_json_offset(const ingle_json_doc *doc, const ingle_json *v);

static inline bool ingle_json_is(const ingle_json *v, ingle_json_kind kind)
{
    return v && v->kind == kind;
}

/* Whether it is a string of these bytes, of this text. */
static inline bool ingle_json_is_bytes(const ingle_json *v, const char *p, size_t n)
{
    return ingle_json_is(v, INGLE_JSON_STRING) && v->len == n && !memcmp(v->text, p, n);
}
static inline bool ingle_json_is_text(const ingle_json *v, const char *text)
{
    return ingle_json_is_bytes(v, text, strlen(text));
}

/* False, and *out as it was, if the value is of another kind, or a number that is no whole one (1e2
 * is) of that range, or beyond the largest double. A double is the nearest, others are exact. */
bool ingle_json_bool(const ingle_json *v, bool *out);
bool ingle_json_i64(const ingle_json *v, int64_t *out);
bool ingle_json_u64(const ingle_json *v, uint64_t *out);
bool ingle_json_f64(const ingle_json *v, double *out);

/* The member of this name, the last if there are several; NULL if there is none or v is no object.
 * Looks at all of them. */
const ingle_json *ingle_json_find(const ingle_json *v, const char *name, size_t len);
static inline const ingle_json *ingle_json_get(const ingle_json *v, const char *name)
{
    return ingle_json_find(v, name, strlen(name));
}

/* Element i of an array; NULL if there is none. At once if no element has elements of its own, else
 * it goes through those before. */
const ingle_json *ingle_json_at(const ingle_json *v, size_t i);

/* All members or elements in their order; none of what is neither object nor array:
 *     for (ingle_json_walk w = ingle_json_items(v); ingle_json_step(&w);) use(w.name, w.value); */
typedef struct ingle_json_walk {
    const ingle_json *name; /* a string; NULL in an array */
    const ingle_json *value;
    const ingle_json *next, *end;
    bool named;
} ingle_json_walk;

static inline ingle_json_walk ingle_json_items(const ingle_json *v)
{
    if (!v || v->kind < INGLE_JSON_ARRAY) return (ingle_json_walk){0};
    return (ingle_json_walk){
        .next = v + 1, .end = v + v->skip, .named = v->kind == INGLE_JSON_OBJECT};
}

static inline bool ingle_json_step(ingle_json_walk *w)
{
    if (w->next == w->end) return false;
    w->name = w->named ? w->next++ : NULL;
    w->value = w->next;
    w->next += w->value->skip;
    return true;
}

/* How many of the n bytes at p, up to the first that is not, are printable ASCII other than '"' and
 * '\': what stands in a string as it is. */
size_t ingle_json_plain(const char *p, size_t n);

/* ---- writing --------------------------------------------------------------------------------- */

/* Appends to memory of its own, or writes what fits into the caller's and counts all. Commas and
 * colons come by themselves. What goes wrong is kept and reported at the end; until then further
 * pieces are passed over. {0} is a writer of short text; other fields are set before the first
 * piece. At any time the n bytes so far may be used, and n set to 0. */
typedef struct ingle_json_writer {
    char *text;
    size_t n, cap;
    bool fixed;  /* text[cap] is the caller's */
    bool spaces; /* after commas and colons */
    bool shown;  /* on a terminal, perhaps: what does not show is escaped too, see base/utf8.h */
    ingle_status status;
    unsigned depth;
    unsigned char level[INGLE_JSON_MAX_DEPTH + 1];
} ingle_json_writer;

void ingle_json_begin_object(ingle_json_writer *w);
void ingle_json_end_object(ingle_json_writer *w);
void ingle_json_begin_array(ingle_json_writer *w);
void ingle_json_end_array(ingle_json_writer *w);

/* The name of the member that comes next; returns w:
 *     ingle_json_put_u64(ingle_json_name(w, "n"), n); */
ingle_json_writer *ingle_json_name(ingle_json_writer *w, const char *name);
ingle_json_writer *ingle_json_name_bytes(ingle_json_writer *w, const char *p, size_t n);

void ingle_json_put_null(ingle_json_writer *w);
void ingle_json_put_bool(ingle_json_writer *w, bool x);
void ingle_json_put_i64(ingle_json_writer *w, int64_t x);
void ingle_json_put_u64(ingle_json_writer *w, uint64_t x);
/* The fewest digits that read back as the same number (base/number.h); null if it is not finite. */
void ingle_json_put_f64(ingle_json_writer *w, double x);
void ingle_json_put_f32(ingle_json_writer *w, float x);
/* A byte that is not UTF-8 becomes U+FFFD. */
void ingle_json_put_text(ingle_json_writer *w, const char *text);
void ingle_json_put_bytes(ingle_json_writer *w, const char *p, size_t n);
/* A value that was read: numbers as they were written, all members. NULL is null. */
void ingle_json_put(ingle_json_writer *w, const ingle_json *v);
/* One value as JSON text, which is the caller's word. */
void ingle_json_put_raw(ingle_json_writer *w, const char *p, size_t n);

/* All that was begun has been ended. A NUL follows the text from now on. INGLE_ENOMEM;
 * INGLE_EUNSUPPORTED for more than INGLE_JSON_MAX_DEPTH levels; INGLE_ERANGE if the caller's memory
 * has no room for n bytes and the NUL. */
ingle_status ingle_json_finish(ingle_json_writer *w);
void ingle_json_writer_free(ingle_json_writer *w); /* to {0}; NULL is a no-op */

#endif
