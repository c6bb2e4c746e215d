/* schema_source.h - the documents of one compilation: their resources ($id), anchors, and where a
 * reference leads.
 * Owns       the documents as they were read.
 * Depends on base/json.h, schema_memory.h, schema_uri.h.
 * Invariant  every node that may be a schema belongs to one resource. */
#ifndef INGLE_GRAMMAR_SCHEMA_SOURCE_H
#define INGLE_GRAMMAR_SCHEMA_SOURCE_H

#include "base/json.h"
#include "grammar/schema_uri.h"

typedef struct schema_resource {
    schema_uri base;        /* without fragment */
    const ingle_json *root; /* what "#" is */
    uint32_t first_dynamic; /* a chain through schema_anchor.next, 1 + index; 0: no more */
} schema_resource;

typedef struct schema_anchor {
    const ingle_json *name, *node; /* name: the string */
    uint32_t resource, next;
    bool dynamic;
} schema_anchor;

typedef struct schema_source {
    ingle_json_doc *docs;   /* the first is the schema itself */
    uint32_t **resource_of; /* [n_docs][n_nodes of it] */
    size_t n_docs;
    schema_resource *resources;
    size_t n_resources, cap_resources;
    schema_anchor *anchors;
    size_t n_anchors, cap_anchors;
    schema_map by_uri;    /* -> resource */
    schema_map by_anchor; /* salt: resource -> anchor */
    schema_map indexed;   /* objects whose members are in `wide` */
    schema_map wide;      /* members of objects with many: object and name -> node */
    bool dynamic;         /* there is a $dynamicAnchor somewhere */
} schema_source;

/* What the value of a keyword holds for the walk over schemas. */
typedef enum schema_holds { HOLDS_DATA, HOLDS_SCHEMA, HOLDS_LIST, HOLDS_MAP } schema_holds;
schema_holds ingle_schema_holds(const ingle_json *name);

typedef struct ingle_schema_document ingle_schema_document;

/* Reads the schema and the documents beside it. On failure the error names the document. */
ingle_status ingle_schema_source_open(schema_source *s, schema_memory *m, const char *text,
                                      size_t len, const ingle_schema_document *documents, size_t n,
                                      ingle_error *err);
void ingle_schema_source_close(schema_source *s);

uint32_t ingle_schema_resource(const schema_source *s, const ingle_json *node);

/* Where a reference leads that stands in a resource; NULL: nowhere. *anchor, if given, is the
 * dynamic anchor that it names, else NULL. ENOMEM shows in *status. */
const ingle_json *ingle_schema_find(schema_source *s, schema_memory *m, uint32_t resource,
                                    const ingle_json *ref, const schema_anchor **anchor,
                                    ingle_status *status);

/* Writes the JSON pointer of a node, from the root of its document, cut to fit, after the number
 * of its document unless that is the first. */
void ingle_schema_path(const schema_source *s, const ingle_json *node, char *out, size_t cap);

#endif
