/* ingle_record.h - typed output: a table describes a C struct. From it come a JSON Schema, which
 * holds a model's answer to the struct, and functions that read and write the struct as JSON.
 *
 *     typedef struct pet {
 *         char name[64];
 *         int64_t age;
 *         int kind;
 *         bool has_owner;
 *         person owner;
 *         size_t n_toys;
 *         char toys[4][32];
 *     } pet;
 *
 *     static const char *const kinds[] = {"cat", "dog"};
 *     static const ingle_field fields[] = {
 *         {INGLE_FIELD(pet, name, TEXT), .description = "as it is called"},
 *         {INGLE_FIELD(pet, age, INT), .min = 0, .max = 40},
 *         {INGLE_FIELD(pet, kind, CHOICE), INGLE_CHOICES(kinds)},
 *         {INGLE_FIELD(pet, owner, RECORD), .record = &person_record, INGLE_OPTIONAL(pet, has_owner)},
 *         {INGLE_LIST(pet, toys, TEXT, n_toys)},
 *     };
 *     static const ingle_record pet_record = INGLE_RECORD(pet, fields);
 *
 * Rules
 *   - A record is a JSON object with the members of its table and no others. All are required but
 *     those that are optional.
 *   - A record may contain others, 32 in one another; all tables together have at most 10,000
 *     fields, one counted each time it is reached.
 *   - Every call checks the tables that it is given. INGLE_EINVAL names the field: "field
 *     'owner.name': ...".
 *   - Decoding trusts no JSON: types, bounds, lengths, names. Encoding trusts no struct in the same
 *     way, so what it writes can be decoded.
 *   - Everything ingle.h says of all its calls holds here. Tables are frozen, as the structs without
 *     a size there, are borrowed for the call, and may be shared by any threads.
 */
#ifndef INGLE_RECORD_H
#define INGLE_RECORD_H

#include <ingle.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum ingle_field_kind {
    INGLE_FIELD_BOOL = 1, /* bool: true, false */
    INGLE_FIELD_INT,      /* int64_t: a whole number */
    INGLE_FIELD_NUMBER,   /* double: a finite number */
    INGLE_FIELD_TEXT,     /* char[], NUL-terminated UTF-8: a string without U+0000 */
    INGLE_FIELD_CHOICE,   /* int, or an enum: a string of `choices`, by its index */
    INGLE_FIELD_RECORD,   /* a struct: an object */
    INGLE_FIELD_LIST      /* an array of one of those, and a size_t that counts: an array */
} ingle_field_kind;

typedef struct ingle_record ingle_record;

/* What is 0 or NULL is not asked for. The order of the members is that of designated initialisers
 * in C++20. */
typedef struct ingle_field {
    const char *name; /* of the member, in JSON */
    ingle_field_kind kind;
    ingle_field_kind of;        /* LIST: what its elements are */
    size_t offset, size;        /* of the member, in the struct */
    size_t each, count;         /* LIST: size of an element; offset of the size_t that counts */
    const char *const *choices; /* [n_choices] CHOICE: different texts */
    size_t n_choices;
    const ingle_record *record; /* RECORD */
    /* In the schema, which the model sees if the prompt has it; NULL: none. */
    const char *description;
    /* INT, NUMBER: bounds, which belong to the range; -INFINITY, INFINITY: none on that side; both
     * 0: none. Of an INT they are whole, at most 2^53 from 0. */
    double min, max;
    size_t n_min; /* TEXT: characters at least. LIST: elements at least */
    /* TEXT: printable ASCII alone. The schema has to allow 4 bytes for a character, and so a
     * quarter of the array; with this, all of it. */
    bool ascii;
    /* May be absent. Decoding then leaves the member as it was before the call, so the struct is
     * filled with defaults first. */
    bool optional;
    /* With optional: a bool at the offset `flag` says whether it is there. Decoding sets it;
     * encoding writes the member if it is true. Without, encoding always writes the member. */
    bool flagged;
    size_t flag;
} ingle_field;

struct ingle_record {
    const ingle_field *fields; /* [n_fields] */
    size_t n_fields;
    size_t size; /* sizeof the struct */
};

/* What an initialiser of ingle_field begins with: the member of a struct and its kind, as in TEXT.
 * Options follow. */
#define INGLE_FIELD(type, member, KIND)                                                            \
    .name = #member, .kind = INGLE_FIELD_##KIND, .offset = offsetof(type, member),                 \
    .size = sizeof(((type *)0)->member)
/* The same for an array whose elements are of a kind; `counter` is the size_t beside it. */
#define INGLE_LIST(type, member, KIND, counter)                                                    \
    .name = #member, .kind = INGLE_FIELD_LIST, .of = INGLE_FIELD_##KIND,                           \
    .offset = offsetof(type, member), .size = sizeof(((type *)0)->member),                         \
    .each = sizeof(((type *)0)->member[0]), .count = INGLE_OFFSET_OF(type, counter, size_t)
/* An array of texts. */
#define INGLE_CHOICES(texts) .choices = (texts), .n_choices = sizeof(texts) / sizeof *(texts)
/* The member may be absent, and the bool beside it says whether it is there. */
#define INGLE_OPTIONAL(type, has)                                                                  \
    .optional = true, .flagged = true, .flag = INGLE_OFFSET_OF(type, has, bool)
#define INGLE_RECORD(type, table)                                                                  \
    {                                                                                              \
        .fields = (table), .n_fields = sizeof(table) / sizeof *(table), .size = sizeof(type)       \
    }
/* The offset of a member, which does not compile if its size is not that of `as`. */
#define INGLE_OFFSET_OF(type, member, as)                                                          \
    (offsetof(type, member) / (sizeof(((type *)0)->member) == sizeof(as)))

/* Writes up to cap bytes, without NUL; *len is the number needed. INGLE_ERANGE: cap is too small. */

/* The JSON Schema of a record, which ingle_grammar_open_schema() takes: what is valid for it can be
 * decoded. */
INGLE_API ingle_status ingle_record_schema(const ingle_record *record, char *text, size_t cap,
                                           size_t *len, ingle_error *err);
/* The struct `in` as JSON. INGLE_EINVAL: it holds what its table does not allow; the error names
 * the member by its JSON pointer. */
INGLE_API ingle_status ingle_record_encode(const ingle_record *record, const void *in, char *text,
                                           size_t cap, size_t *len, ingle_error *err);

/* Reads one JSON object into the struct `out`, all or nothing: on failure *out is as it was. Of
 * arrays of characters and of lists, what is after the end is kept. INGLE_EFORMAT: no JSON, and the
 * error names the byte; or it does not fit the table, and the error names the member by its JSON
 * pointer. Texts may be longer than the schema allows, as long as they fit their array. */
INGLE_API ingle_status ingle_record_decode(const ingle_record *record, const char *json, size_t len,
                                           void *out, ingle_error *err);

#ifdef __cplusplus
}
#endif
#endif
