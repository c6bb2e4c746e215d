/* chat.h - what the body of /v1/chat/completions says: its members, and the conversation as the library
 * takes it.
 * Owns       nothing; all goes into a generation.
 * Depends on generation.h. */
#ifndef INGLE_SERVER_CHAT_H
#define INGLE_SERVER_CHAT_H

#include "generation.h"

struct job;

/* Target: generation. */
extern const field_table chat_fields;

/* What the table alone cannot: conversation, tools and their choice, thinking. Of a job whose fields
 * were read and whose model is known. False: j->error says why. */
bool chat_read(struct job *j);

/* The same of a body and what is known of a chat; template_text may be NULL. */
bool chat_read_body(field_reader *r, generation *g, const ingle_json *body,
                    const ingle_chat_info *info, const char *template_text);

/* Checks the messages and writes them into g->messages: results of tools in the order of their
 * calls, custom calls as calls of functions. */
bool chat_read_messages(field_reader *r, generation *g, const ingle_json *messages);
/* Tools into g->tools, tool_names, custom_tool; which of them may be called; choice may be NULL. */
bool chat_read_tools(field_reader *r, generation *g, const ingle_json *tools,
                     const ingle_json *choice);

/* Tables of what messages and tools are made of, for the fields of the body. */
extern const field_table chat_message_fields, chat_tool_fields, chat_choice_fields;

#endif
