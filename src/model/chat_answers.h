/* chat_answers.h - kept answers in a prompt: where the tokens that a model wrote say what the
 * template prints of a message, they stand for it.
 * Owns       nothing. Depends on model/chat.h, model/chat_parts.h, text/text.h.
 * Invariant  an answer's tokens follow the text that its own prompt ended with, and what follows
 *            them is a control token or nothing: no token lies across their ends. */
#ifndef INGLE_MODEL_CHAT_ANSWERS_H
#define INGLE_MODEL_CHAT_ANSWERS_H

#include "model/chat.h"

/* Bytes from .. to - 1 of the text, for which an answer's tokens stand. */
typedef struct ingle_chat_kept {
    size_t from, to, i_answer;
} ingle_chat_kept;

/* Which answers stand for what in the output, in its order; without a vocabulary none. *kept
 * [n_answers] is the caller's to free; context and numbers are those that the output was printed
 * from. INGLE_EINVAL names the answer: no message of its number, or none of an assistant, not
 * ascending, tokens that there are not. */
ingle_status ingle_chat_answers_find(ingle_chat_kept **kept, size_t *n_kept, const ingle_chat *chat,
                                     const ingle_chat_form *form, const ingle_chat_input *in,
                                     const ingle_json *context, const ingle_chat_numbers *numbers,
                                     const ingle_jinja_output *output, ingle_error *err);

#endif
