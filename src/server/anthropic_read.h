/* anthropic_read.h - parts of reading a body of Messages.
 * Depends on generation.h. */
#ifndef INGLE_SERVER_ANTHROPIC_READ_H
#define INGLE_SERVER_ANTHROPIC_READ_H

#include "generation.h"

/* A row that many tables have. */
#define ANTHROPIC_CACHE_CONTROL                                                                    \
    {                                                                                              \
        .name = "cache_control", .class = FIELD_INERT, .types = FIELD_OBJECT,                      \
        .help = "the prefix cache finds what it knows by itself"                                   \
    }

static inline field_place anthropic_member(const field_place *up, const char *name)
{
    return (field_place){.up = up, .name = name, .len = strlen(name)};
}
static inline field_place anthropic_element(const field_place *up, size_t i)
{
    return (field_place){.up = up, .i = i};
}

/* No memory: 503; false. */
bool anthropic_no_memory(field_reader *r);

/* A block of text; a message, with blocks of all types; a tool; tool_choice. Read into what their
 * own files have for them. */
extern const field_table anthropic_text_fields, anthropic_message_fields, anthropic_tool_fields,
    anthropic_choice_fields;

enum {
    ANTHROPIC_DOCUMENTS = 1, /* blocks of type document and search_result are read, too */
    ANTHROPIC_SYSTEM = 2     /* what has no words for the model is left out and named */
};

/* A block's text, at the end of out: after a line feed if *some, which it sets. */
bool anthropic_block_text(field_reader *r, const ingle_json *block, const field_place *place,
                          unsigned what, bool *some, bytes *out);
/* The same of content that is a string, or blocks. */
bool anthropic_text(field_reader *r, const ingle_json *content, const field_place *place,
                    unsigned what, bytes *out);
/* A block of a type that is not read, or not at this place; false. */
bool anthropic_refuse_block(field_reader *r, const ingle_json *type, const field_place *place,
                            const char *allowed);

/* system and messages, as generation.messages has them. *results: the last message brings results of
 * tools. */
bool anthropic_read_messages(field_reader *r, const ingle_json *body, generation *g, bool *results);
/* tools and tool_choice. */
bool anthropic_read_tools(field_reader *r, const ingle_json *body, generation *g);

#endif
