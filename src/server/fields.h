/* fields.h - the members of request bodies as data: what is honoured, refused or without effect, of
 * which type and range, and where it goes. The documentation is printed from the same rows.
 * Owns       nothing; tables are constant.
 * Depends on errors.h, base/json.h.
 * Invariant  a member is honoured, refused by its path, or named among those that were ignored: none
 *            is passed over in silence. null is a member that is not there. */
#ifndef INGLE_SERVER_FIELDS_H
#define INGLE_SERVER_FIELDS_H

#include "errors.h"

typedef enum field_class {
    FIELD_HONOURED, /* has its effect */
    FIELD_REFUSED,  /* 400 by name; `help` says what would work */
    FIELD_INERT,    /* accepted, without effect: it concerns a provider's business, or a speed that
                       costs nothing here; listed in Ingle-Ignored */
    FIELD_ONLY /* accepted where its value is `only`, which is what happens anyway; else refused */
} field_class;

enum {
    FIELD_BOOL = 1,
    FIELD_INT = 2, /* a whole number */
    FIELD_NUMBER = 4,
    FIELD_STRING = 8,
    FIELD_ARRAY = 16,
    FIELD_OBJECT = 32,
    FIELD_ANY = 63
};

/* How a plain value lies in the target. */
typedef enum field_store {
    FIELD_NOWHERE, /* `set` alone has it */
    FIELD_TO_BOOL,
    FIELD_TO_INT,    /* int32_t */
    FIELD_TO_SEED,   /* uint64_t; -1 draws a fresh one */
    FIELD_TO_FLOAT,  /* float */
    FIELD_TO_DOUBLE, /* double */
    FIELD_TO_CHOICE, /* int: the index of the string among `choices` */
    FIELD_TO_VALUE   /* const ingle_json *: the value itself, good as long as its document */
} field_store;

typedef struct field_table field_table;

/* Where in the body: from the innermost outward; printed as messages[3].content. */
typedef struct field_place {
    const struct field_place *up;
    const char *name; /* [len]; NULL: element i */
    size_t len, i;
} field_place;

typedef struct field_reader {
    api_error *error; /* the first thing that is wrong */
    bytes ignored;    /* "a, b.c": what had no effect; freed by fields_end() */
    bool strict;      /* unknown members are refused */
    size_t n_unknown; /* so far */
} field_reader;

typedef struct field_row {
    const char *name;
    field_class class;
    unsigned types;  /* FIELD_BOOL | ... that are allowed */
    double min, max; /* of a number, or of the bytes, elements or members of others; both 0: any */
    field_store store;
    size_t offset;
    const char *const *choices; /* of a string, ends with NULL; NULL: any */
    const char *only;           /* FIELD_ONLY: the value as JSON text */
    const field_table *members; /* of an object, or of each element of an array that is one; NULL:
                                   not looked at */
    size_t members_offset;      /* of what they are stored in, within the target; of an object */
    bool members_apart; /* members are checked here, and stored by whoever reads them again */
    /* After it was stored; false: *r->error says why. May be NULL. */
    bool (*set)(field_reader *r, void *target, const ingle_json *v, const field_place *place);
    const char *help; /* one sentence for the documentation; of REFUSED: what to use instead */
} field_row;

struct field_table {
    const char *title;
    const field_row *rows; /* [n_rows] */
    size_t n_rows;
    const field_table *more; /* a table whose rows belong to it too, and their target's offset */
    size_t more_offset;
};

/* Reads an object into target. False: *r->error says why; target may be filled in part. */
bool fields_read(field_reader *r, const field_table *table, const ingle_json *object, void *target,
                 const field_place *place);
/* The same of the members that the table has; others are passed over, as somebody else reads them. */
bool fields_read_known(field_reader *r, const field_table *table, const ingle_json *object,
                       void *target, const field_place *place);
void fields_end(field_reader *r);
/* One value by its row; target as of the row's table. */
bool field_read(field_reader *r, const field_row *row, void *target, const ingle_json *v,
                const field_place *place);

/* The row of that name, in the table or in those that belong to it; NULL: there is none. *offset is
 * that of the row's target within the table's. */
const field_row *field_find(const field_table *table, const char *name, size_t len, size_t *offset);
/* "a string or an array"; returns text. */
const char *field_types_text(unsigned types, char *text, size_t cap);

/* "messages[3].content"; "" at the root. Returns text. */
const char *field_place_text(const field_place *place, char *text, size_t cap);
/* api_fail() with 400, "invalid_value" and the place as its param; false. */
bool field_refuse(field_reader *r, const field_place *place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Adds a member to those that had no effect. */
void field_ignore(field_reader *r, const field_place *place);
/* The same of something else that had no effect, such as a keyword of a schema. The list is a header
 * of the answer: ASCII, each once, numbers of elements left out, cut after 2 KiB. */
void field_ignore_text(field_reader *r, const char *text);

#endif
