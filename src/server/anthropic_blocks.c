/* anthropic_blocks.c - blocks that are text for the model: text itself, documents of text, results of
 * a search.
 * Depends on anthropic_read.h. */
#include "anthropic_read.h"

#include <stddef.h>

#define BILLING_NAME "x-anthropic-billing-header"
static const char BILLING[] = BILLING_NAME ":";

typedef struct block {
    const ingle_json *text, *title, *context, *source, *content;
} block;

static const field_row TEXT_ROWS[] = {
    {.name = "type", .types = FIELD_STRING, .help = "text"},
    {.name = "text",
     .types = FIELD_STRING,
     .store = FIELD_TO_VALUE,
     .offset = offsetof(block, text),
     .help = "the text"},
    ANTHROPIC_CACHE_CONTROL,
    {.name = "citations",
     .class = FIELD_INERT,
     .types = FIELD_ARRAY,
     .help = "what an earlier answer cited"},
};
const field_table anthropic_text_fields = {
    .title = "text", .rows = TEXT_ROWS, .n_rows = sizeof TEXT_ROWS / sizeof *TEXT_ROWS};

static const field_row CITATIONS_ROWS[] = {
    {.name = "enabled",
     .class = FIELD_ONLY,
     .types = FIELD_BOOL,
     .only = "false",
     .help = "answers cite nothing: leave it out"},
};
static const field_table CITATIONS = {.title = "citations", .rows = CITATIONS_ROWS, .n_rows = 1};

static const field_row DOCUMENT_ROWS[] = {
    {.name = "type", .types = FIELD_STRING, .help = "document or search_result"},
    {.name = "title",
     .types = FIELD_STRING,
     .store = FIELD_TO_VALUE,
     .offset = offsetof(block, title),
     .help = "shown to the model before the text"},
    {.name = "context",
     .types = FIELD_STRING,
     .store = FIELD_TO_VALUE,
     .offset = offsetof(block, context),
     .help = "shown to the model before the text"},
    {.name = "source",
     .types = FIELD_OBJECT | FIELD_STRING,
     .store = FIELD_TO_VALUE,
     .offset = offsetof(block, source),
     .help = "of a document: {type: text, data} or {type: content, content}; of a search result: "
             "where it is from"},
    {.name = "content",
     .types = FIELD_ARRAY,
     .store = FIELD_TO_VALUE,
     .offset = offsetof(block, content),
     .help = "of a search result: blocks of text"},
    ANTHROPIC_CACHE_CONTROL,
    {.name = "citations",
     .types = FIELD_OBJECT,
     .members = &CITATIONS,
     .help = "answers cite nothing"},
};
static const field_table DOCUMENT = {.title = "document",
                                     .rows = DOCUMENT_ROWS,
                                     .n_rows = sizeof DOCUMENT_ROWS / sizeof *DOCUMENT_ROWS};

typedef struct source {
    const ingle_json *type, *data, *content;
} source;

static const char *const MEDIA_TYPES[] = {"text/plain", NULL};

static const field_row SOURCE_ROWS[] = {
    {.name = "type",
     .types = FIELD_STRING,
     .store = FIELD_TO_VALUE,
     .offset = offsetof(source, type),
     .help = "text or content"},
    {.name = "media_type",
     .types = FIELD_STRING,
     .choices = MEDIA_TYPES,
     .help = "what kind of text it is"},
    {.name = "data",
     .types = FIELD_STRING,
     .store = FIELD_TO_VALUE,
     .offset = offsetof(source, data),
     .help = "the text, of type text"},
    {.name = "content",
     .types = FIELD_STRING | FIELD_ARRAY,
     .store = FIELD_TO_VALUE,
     .offset = offsetof(source, content),
     .help = "text or blocks of text, of type content"},
};
static const field_table SOURCE = {
    .title = "source", .rows = SOURCE_ROWS, .n_rows = sizeof SOURCE_ROWS / sizeof *SOURCE_ROWS};

bool anthropic_no_memory(field_reader *r)
{
    api_fail(r->error, 503, "out_of_memory", NULL, "no memory for the request");
    if (!r->error->retry_after) r->error->retry_after = 1;
    return false;
}

bool anthropic_refuse_block(field_reader *r, const ingle_json *type, const field_place *place,
                            const char *allowed)
{
    const field_place at = anthropic_member(place, "type");
    if (!ingle_json_is(type, INGLE_JSON_STRING))
        return field_refuse(r, &at, "a block needs a type: %s", allowed);
    if (ingle_json_is_text(type, "image"))
        return field_refuse(r, place, "the model reads no images; describe it in a block of text");
    return field_refuse(r, &at, "'%.60s' is no block that is read here; %s can be used", type->text,
                        allowed);
}

static void put(bytes *out, const ingle_json *text)
{
    bytes_put(out, text->text, text->len);
}

/* One line that clients of Anthropic's send for its bills, and that changes with each request. */
static bool is_billing(const ingle_json *text)
{
    size_t n = text->len;
    while (n && (text->text[n - 1] == '\n' || text->text[n - 1] == '\r')) n--;
    return n >= sizeof BILLING - 1 && !memcmp(text->text, BILLING, sizeof BILLING - 1) &&
           !memchr(text->text, '\n', n);
}

/* ---- documents and results of searches ------------------------------------------------------- */

static void put_line(bytes *out, const char *name, const ingle_json *text)
{
    if (!text) return;
    bytes_text(out, name);
    put(out, text);
    bytes_text(out, "\n");
}

static bool read_source(field_reader *r, const block *b, const field_place *place, bytes *out)
{
    source s = {0};
    const field_place at = anthropic_member(place, "source"), data = anthropic_member(&at, "data"),
                      content = anthropic_member(&at, "content");
    if (!ingle_json_is(b->source, INGLE_JSON_OBJECT))
        return field_refuse(r, &at, "should be an object: {\"type\": \"text\", \"data\": ...}");
    const ingle_json *type = ingle_json_get(b->source, "type");
    bool is_text = ingle_json_is_text(type, "text");
    if (!is_text && !ingle_json_is_text(type, "content"))
        return field_refuse(
            r, &at,
            "only documents of type text or content are read: no files, no URLs, no "
            "PDF");
    if (!fields_read(r, &SOURCE, b->source, &s, &at)) return false;
    if (!is_text && !s.content) return field_refuse(r, &content, "is missing");
    if (!is_text) return anthropic_text(r, s.content, &content, 0, out);
    if (!s.data) return field_refuse(r, &data, "is missing: the text of the document");
    put(out, s.data);
    return true;
}

static bool read_document(field_reader *r, const ingle_json *value, const field_place *place,
                          bytes *out)
{
    block b = {0};
    bool found = ingle_json_is_text(ingle_json_get(value, "type"), "search_result");
    const field_place content = anthropic_member(place, "content"),
                      from = anthropic_member(place, "source");
    if (!fields_read(r, &DOCUMENT, value, &b, place)) return false;
    if (!found && b.content)
        return field_refuse(r, &content, "a document has its text in `source`");
    put_line(out, found ? "Search result: " : "Document: ", b.title);
    put_line(out, "Context: ", b.context);
    if (!found) return read_source(r, &b, place, out);
    if (!ingle_json_is(b.source, INGLE_JSON_STRING))
        return field_refuse(r, &from, "should be a string: where the result is from");
    if (!b.content) return field_refuse(r, &content, "is missing: blocks of text");
    put_line(out, "Source: ", b.source);
    return anthropic_text(r, b.content, &content, 0, out);
}

/* ---- text ------------------------------------------------------------------------------------ */

static bool read_text(field_reader *r, const ingle_json *value, const field_place *place,
                      unsigned what, bool *some, bytes *out)
{
    block b = {0};
    const field_place at = anthropic_member(place, "text");
    if (!fields_read(r, &anthropic_text_fields, value, &b, place)) return false;
    if (!b.text) return field_refuse(r, &at, "is missing");
    if (what & ANTHROPIC_SYSTEM && is_billing(b.text)) {
        field_ignore_text(r, BILLING_NAME);
        return true;
    }
    if (*some) bytes_text(out, "\n");
    put(out, b.text);
    *some = true;
    return true;
}

bool anthropic_block_text(field_reader *r, const ingle_json *value, const field_place *place,
                          unsigned what, bool *some, bytes *out)
{
    const ingle_json *type = ingle_json_get(value, "type");
    bool documents = what & ANTHROPIC_DOCUMENTS;
    if (ingle_json_is_text(type, "text")) return read_text(r, value, place, what, some, out);
    if (!documents ||
        (!ingle_json_is_text(type, "document") && !ingle_json_is_text(type, "search_result")))
        return anthropic_refuse_block(r, type, place,
                                      documents ? "text, document, search_result" : "text");
    if (*some) bytes_text(out, "\n");
    *some = true;
    return read_document(r, value, place, out);
}

bool anthropic_text(field_reader *r, const ingle_json *content, const field_place *place,
                    unsigned what, bytes *out)
{
    bool some = false;
    size_t i = 0;
    if (ingle_json_is(content, INGLE_JSON_STRING)) {
        if (what & ANTHROPIC_SYSTEM && is_billing(content)) field_ignore_text(r, BILLING_NAME);
        else put(out, content);
        return true;
    }
    for (ingle_json_walk w = ingle_json_items(content); ingle_json_step(&w); i++) {
        const field_place at = anthropic_element(place, i);
        if (!anthropic_block_text(r, w.value, &at, what, &some, out)) return false;
    }
    return true;
}
