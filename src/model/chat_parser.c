/* chat_parser.c - the parser of answers as callers see it: see chat/parse.h. */
#include "model/chat.h"

#include "base/options.h"
#include "chat/parse.h"

#include <stdlib.h>

static const ingle_chat_parser_options default_options = {.size = sizeof default_options};

void ingle_chat_parser_options_init_sized(ingle_chat_parser_options *opt, size_t size)
{
    ingle_options_fill(opt, size, &default_options, sizeof default_options);
}

struct ingle_chat_parser {
    ingle_chat *chat;
    ingle_parse *parse;
    void (*on_event)(void *user, const ingle_chat_event *event);
    void *user;
};

static void pass_on(void *user, const ingle_parse_event *e)
{
    static const ingle_chat_event_kind kinds[] = {[INGLE_PARSE_REASONING] = INGLE_CHAT_REASONING,
                                                  [INGLE_PARSE_CONTENT] = INGLE_CHAT_CONTENT,
                                                  [INGLE_PARSE_CALL_BEGIN] = INGLE_CHAT_CALL_BEGIN,
                                                  [INGLE_PARSE_CALL_ARGS] = INGLE_CHAT_CALL_ARGS,
                                                  [INGLE_PARSE_CALL_END] = INGLE_CHAT_CALL_END};
    const ingle_chat_parser *p = user;
    const ingle_chat_event event = {.size = sizeof event,
                                    .kind = kinds[e->kind],
                                    .i_call = e->i_call,
                                    .text = e->text ? e->text : "",
                                    .text_len = e->n,
                                    .id = e->id ? e->id : "",
                                    .id_len = e->n_id,
                                    .bad = e->bad};
    if (p->on_event) p->on_event(p->user, &event);
}

ingle_status ingle_chat_parser_open(ingle_chat_parser **out, ingle_chat *chat,
                                    const ingle_chat_parser_options *opt, ingle_error *err)
{
    ingle_chat_parser_options o = default_options;
    ingle_parse_options inside;
    if (!out) return ingle_fail(err, INGLE_EINVAL, "ingle_chat_parser_open: out is NULL");
    *out = NULL;
    if (!chat) return ingle_fail(err, INGLE_ECLOSED, "the chat is closed");
    ingle_status st = ingle_options_take(&o, sizeof o, opt, "the parser", err);
    if (st) return st;
    ingle_chat_parser *p = ingle_new(1, sizeof *p);
    if (!p) return ingle_fail(err, INGLE_ENOMEM, "no memory for a parser");
    atomic_fetch_add(&chat->refs, 1);
    p->chat = chat;
    p->on_event = o.on_event;
    p->user = o.user;
    ingle_parse_options_init(&inside);
    inside.profile = &ingle_chat_form_for(chat, o.tools != NULL)->profile;
    inside.tools = o.tools;
    inside.n_tools = o.n_tools;
    inside.starts_in_reasoning = o.thinks;
    inside.parse_tools = !o.no_tools;
    inside.parse_reasoning = !o.no_reasoning;
    inside.keep_raw = o.keep_raw;
    inside.on_event = pass_on;
    inside.user = p;
    st = ingle_parse_open(&p->parse, &inside, err);
    if (st) ingle_chat_parser_close(&p);
    *out = p;
    return st;
}

void ingle_chat_parser_close(ingle_chat_parser **parser)
{
    if (!parser || !*parser) return;
    ingle_parse_close(&(*parser)->parse);
    ingle_chat_close(&(*parser)->chat);
    free(*parser);
    *parser = NULL;
}

ingle_status ingle_chat_parser_feed(ingle_chat_parser *parser, const char *text, size_t len,
                                    ingle_error *err)
{
    if (!parser) return ingle_fail(err, INGLE_ECLOSED, "the parser is closed");
    if (!text && len) return ingle_fail(err, INGLE_EINVAL, "the text is NULL");
    return ingle_parse_feed(parser->parse, text, len, err);
}

ingle_status ingle_chat_parser_finish(ingle_chat_parser *parser, ingle_error *err)
{
    if (!parser) return ingle_fail(err, INGLE_ECLOSED, "the parser is closed");
    return ingle_parse_finish(parser->parse, err);
}

const char *ingle_chat_parser_raw(const ingle_chat_parser *parser, size_t *len)
{
    *len = 0;
    return parser ? ingle_parse_raw(parser->parse, len) : NULL;
}
