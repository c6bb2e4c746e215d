/* chat_parts.h - what an answer says: its thinking, its text, its calls, whatever the words around
 * them are.
 * Owns       the parts. Depends on chat/parse.h, chat/bytes.h. */
#ifndef INGLE_MODEL_CHAT_PARTS_H
#define INGLE_MODEL_CHAT_PARTS_H

#include "chat/bytes.h"
#include "chat/parse.h"

/* A call: offsets in ingle_chat_parts.calls_text. */
typedef struct ingle_chat_part {
    size_t name, args, id, end;
} ingle_chat_part;

typedef struct ingle_chat_parts {
    ingle_bytes thinking, text, calls_text;
    ingle_chat_part *calls; /* [n_calls] */
    size_t n_calls, cap_calls;
    bool bad;    /* a call was not whole */
    bool failed; /* no memory */
} ingle_chat_parts;

/* Takes n bytes of an answer apart; *parts begins as {0} and is freed by the caller in any case.
 * opt: of the parser, but for on_event. */
ingle_status ingle_chat_parts_read(ingle_chat_parts *parts, const ingle_parse_options *opt,
                                   const char *answer, size_t n, ingle_error *err);
void ingle_chat_parts_free(ingle_chat_parts *parts); /* to {0} */

/* Whether what the template printed and what the model wrote say the same: thinking and text but for
 * white space around them, names, arguments as values. Ids that the template prints have to be those
 * that the model wrote, since results are told apart by them. Never where a call is not whole.
 * INGLE_ENOMEM. */
ingle_status ingle_chat_parts_same(const ingle_chat_parts *printed, const ingle_chat_parts *written,
                                   bool *same, ingle_error *err);

#endif
