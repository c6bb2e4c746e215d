/* chat.h - how a model is talked to, from inside: its templates, compiled, and what they can do.
 * Owns       a chat: templates, a reference to its model. Immutable after opening.
 * Depends on model/model.h, chat/, text/text.h.
 * Invariant  what a template can do was found by rendering with it; none is recognised by its
 *            text. */
#ifndef INGLE_MODEL_CHAT_H
#define INGLE_MODEL_CHAT_H

#include "chat/jinja.h"
#include "chat/profile.h"
#include "model/model.h"

/* A template, ready to render. */
typedef struct ingle_chat_form {
    ingle_jinja *jinja; /* NULL: there is none */
    ingle_chat_profile profile;
    bool object_args;     /* arguments of calls are objects; else their JSON as text */
    bool system;          /* a system message may come first */
    bool system_anywhere; /* and later */
    bool developer;       /* knows the role */
    bool short_ids;       /* takes ids of calls of 9 letters and digits alone */
    bool says_thinking;   /* reads thinking of messages as `thinking` */
} ingle_chat_form;

enum { INGLE_CHAT_LINE_STOPS = 3 };

struct ingle_chat {
    atomic_size_t refs;
    ingle_model *model;
    ingle_chat_form plain, tooled; /* tooled: of models that have another template for tools */
    char *bos, *eos;               /* texts; "" if there are none */
    bool role_lines;               /* plain is ours: INGLE_TEMPLATE_PLAIN */
    const char *efforts[INGLE_PROFILE_EFFORTS + 1];
    const char *stops[INGLE_PROFILE_TEXTS + INGLE_CHAT_LINE_STOPS];
    size_t n_efforts, n_stops;
};

/* The template for a prompt with or without tools. */
static inline const ingle_chat_form *ingle_chat_form_for(const ingle_chat *chat, bool tools)
{
    return tools && chat->tooled.jinja ? &chat->tooled : &chat->plain;
}

/* Which of the caller's messages the template's are, from 0; -1: one that ingle made. */
typedef struct ingle_chat_numbers {
    int32_t *of; /* [n] */
    size_t n, cap;
} ingle_chat_numbers;

/* chat_context.c: the variables that the template sees, as JSON: the caller's messages, with what
 * the template does not know put in other words. numbers begins as {0}, its memory is the caller's;
 * NULL: not asked for. */
ingle_status ingle_chat_context(ingle_json_doc *doc, ingle_chat_numbers *numbers,
                                const ingle_chat_form *form, const ingle_chat_input *in,
                                ingle_error *err);

/* Renders; *out is freed by the caller in any case. now: NULL is the clock's time. */
ingle_status ingle_chat_print(ingle_jinja_output *out, const ingle_chat *chat,
                              const ingle_chat_form *form, const ingle_json *context,
                              const char *now, ingle_error *err);

#endif
