/* schema.h - JSON Schema (draft 2020-12, and the older spellings that are in use) as terms: the
 * texts that are JSON and valid.
 * Depends on base/, grammar/term.h. Nothing is recursive on input, nothing is ever fetched.
 *
 * What is written is narrower than what JSON allows, and all of it is valid:
 *   - white space between tokens: none, one space, or a newline and at most 20 spaces or tabs; none
 *     before the first token and after the last;
 *   - keys, and strings with a pattern, a format, const or enum, are written with those escapes
 *     only that JSON requires;
 *   - integers have no fraction and no exponent; numbers with bounds have no exponent, and at most
 *     15 digits if they have a fraction, so that a reader with doubles sees the same number;
 *   - numbers of const and enum are written as the schema writes them.
 * A key that the schema does not name may come twice, and is then counted twice by minProperties.
 *
 * `format` is an assertion. `nullable: true` adds null to the `type` beside it. What stands beside
 * $ref counts in every draft. */
#ifndef INGLE_GRAMMAR_SCHEMA_H
#define INGLE_GRAMMAR_SCHEMA_H

#include "grammar/term.h"

/* What $ref may reach by its URI. */
typedef struct ingle_schema_document {
    const char *uri; /* absolute */
    const char *text;
    size_t len;
} ingle_schema_document;

/* How the top object is written where it is no JSON: as arguments of a call. Texts here are terms,
 * so that they may be tokens. */
typedef struct ingle_schema_frame {
    ingle_term begin, first, between,
        end;               /* before all, before the first, between two, after all */
    ingle_term key;        /* before a name */
    ingle_term text, json; /* between a name and a string, or another value */
    ingle_term after;      /* after a value */
    ingle_term name_end;   /* if not INGLE_TERM_NONE: `after`, then the name again, then this */
    const char *key_end; /* occurs in no name, nor does one begin with a slash; NULL: names are like
                              those of variables, or stand in quotes */
    bool raw;            /* strings stand as they are, other values as JSON */
    /* Raw: of what reads as JSON, as models write it, the kinds that are taken for what they are in
     * this member's place, as bits 1 << ingle_json_kind: such a text is no string there. Without
     * any, all is a string. NULL: likewise, but other values may stand where strings may not. */
    unsigned (*reads)(void *context, const char *name, size_t len);
    void *context;
    const char *head; /* raw: no string begins so; NULL */
} ingle_schema_frame;

/* What is not as in JSON. */
typedef struct ingle_schema_notation {
    const char *words[3]; /* for null, true, false; NULL: JSON's */
    /* If not INGLE_TERM_NONE: stands on both sides of strings, which are as they are between; then
     * names are without quotes. */
    ingle_term quote;
    const char *never; /* occurs in no string as it is written; NULL */
    ingle_term inside; /* if not INGLE_TERM_NONE: what may stand between the quotes of strings */
    const ingle_schema_frame *frame; /* of the top object, the only values then; NULL */
} ingle_schema_notation;

typedef struct ingle_schema_options {
    bool lenient;   /* keywords that cannot be enforced are dropped and reported, else errors */
    bool any_order; /* of properties; else the schema's, then pattern and additional ones */
    bool compact;   /* no white space between tokens */
    const ingle_schema_document *documents; /* [n_documents] */
    size_t n_documents;
    const ingle_schema_notation *notation; /* NULL: JSON */
    /* Called for each keyword that is dropped; the path is a JSON pointer. May be NULL. */
    void (*dropped)(void *context, const char *path, const char *keyword, const char *why);
    void *context;
} ingle_schema_options;

/* *root: the texts that are valid, in the table t, which must be finished afterwards. err names the
 * JSON pointer of the culprit and the keyword. INGLE_EUNSUPPORTED for what cannot be enforced or is
 * too large, INGLE_EFORMAT for what is not a schema, or has no valid instance at all. */
ingle_status ingle_schema_compile(ingle_terms *t, const char *text, size_t len,
                                  const ingle_schema_options *opt, ingle_term *root,
                                  ingle_error *err);

/* Any JSON value, or any object. Of the options, only `compact` matters. */
ingle_term ingle_schema_any(ingle_terms *t, const ingle_schema_options *opt, bool object);

#endif
