/* chat_prompt.c - a prompt: what the template prints, as tokens. Only its own words may become
 * control tokens; where messages end is found among the tokens again. */
#include "model/chat.h"

#include "base/options.h"
#include "text/text.h"

#include <stdlib.h>
#include <string.h>

struct ingle_prompt {
    ingle_jinja_output output;
    int32_t *tokens;
    size_t n_tokens;
    size_t *marks;
    size_t n_marks;
    bool thinks;
};

static ingle_status no_memory(ingle_error *err)
{
    return ingle_fail(err, INGLE_ENOMEM, "no memory for a prompt");
}

/* Bytes from .. to - 1 of the text, with what the caller wrote among them as literals; *tokens is
 * the caller's to free. */
static ingle_status tokens_of(const ingle_vocab *v, const ingle_jinja_output *o, size_t from,
                              size_t to, int32_t **tokens, size_t *n, ingle_error *err)
{
    size_t n_literals = 0, cap = to - from + 1; /* no vocabulary makes more tokens than bytes ... */
    ingle_literal *literals = ingle_new(o->n_spans, sizeof *literals);
    *tokens = ingle_new(cap, sizeof **tokens);
    ingle_status st = literals && *tokens ? INGLE_OK : no_memory(err);
    for (size_t i = 0; !st && i < o->n_spans; i++) {
        const ingle_span *s = &o->spans[i];
        size_t begin = s->offset > from ? s->offset : from, end = s->offset + s->length;
        if (end > to) end = to;
        if (!s->trusted && begin < end)
            literals[n_literals++] = (ingle_literal){begin - from, end - from};
    }
    unsigned flags = INGLE_PARSE_SPECIAL | (from ? INGLE_CONTINUE : 0);
    if (!st)
        st = ingle_vocab_tokenize_around(v, o->text + from, to - from, flags, literals, n_literals,
                                         *tokens, cap, n, err);
    if (st == INGLE_ERANGE) { /* ... but for the space that some put first */
        free(*tokens);
        *tokens = ingle_new(*n, sizeof **tokens);
        st = !*tokens ? no_memory(err)
                      : ingle_vocab_tokenize_around(v, o->text + from, to - from, flags, literals,
                                                    n_literals, *tokens, *n, n, err);
    }
    free(literals);
    return st;
}

/* A template that prints no BOS gets one where the vocabulary asks for it. */
static ingle_status add_bos(const ingle_vocab *v, ingle_prompt *p, ingle_error *err)
{
    ingle_vocab_info info;
    ingle_vocab_info_get(v, &info);
    if (!info.add_bos || info.bos < 0 || (p->n_tokens && p->tokens[0] == info.bos)) return INGLE_OK;
    size_t cap = p->n_tokens;
    if (!ingle_grow(&p->tokens, &cap, p->n_tokens + 1, sizeof *p->tokens)) return no_memory(err);
    memmove(p->tokens + 1, p->tokens, p->n_tokens++ * sizeof *p->tokens);
    p->tokens[0] = info.bos;
    return INGLE_OK;
}

/* A mark counts where the text before it, since the last one that counts, gives the tokens that the
 * whole text has there: then no token lies across it. */
static ingle_status find_marks(const ingle_vocab *v, ingle_prompt *p, ingle_error *err)
{
    const ingle_jinja_output *o = &p->output;
    ingle_vocab_info info;
    ingle_vocab_info_get(v, &info);
    p->marks = ingle_new(o->n_marks, sizeof *p->marks);
    if (!p->marks) return no_memory(err);
    size_t from = 0, at = 0;
    ingle_status st = INGLE_OK;
    for (size_t i = 0; !st && i < o->n_marks; i++) {
        int32_t *tokens = NULL;
        size_t n = 0;
        if (o->marks[i].offset <= from) continue;
        st = tokens_of(v, o, from, o->marks[i].offset, &tokens, &n, err);
        size_t skip = !at && p->n_tokens && n && p->tokens[0] != tokens[0] &&
                      p->tokens[0] == info.bos; /* one that was added */
        bool same = !st && at + skip + n <= p->n_tokens &&
                    !memcmp(p->tokens + at + skip, tokens, n * sizeof *tokens);
        free(tokens);
        if (!same) continue;
        from = o->marks[i].offset;
        at += skip + n;
        p->marks[p->n_marks++] = at;
    }
    return st;
}

static ingle_status render(ingle_prompt *p, const ingle_chat *chat, const ingle_chat_input *in,
                           ingle_error *err)
{
    ingle_json_doc doc;
    const ingle_chat_form *form = ingle_chat_form_for(chat, in->tools != NULL);
    const ingle_vocab *v = chat->model->vocab;
    ingle_status st = ingle_chat_context(&doc, form, in, err);
    if (!st) st = ingle_chat_print(&p->output, chat, form, doc.root, in->now, err);
    ingle_json_close(&doc);
    if (!st) p->thinks = ingle_profile_prompt_thinks(&form->profile, p->output.text, p->output.n);
    if (st || !v) return st;
    st = tokens_of(v, &p->output, 0, p->output.n, &p->tokens, &p->n_tokens, err);
    if (!st) st = add_bos(v, p, err);
    return st ? st : find_marks(v, p, err);
}

ingle_status ingle_chat_render(ingle_prompt **out, const ingle_chat *chat,
                               const ingle_chat_input *in, ingle_error *err)
{
    ingle_chat_input o;
    if (!out) return ingle_fail(err, INGLE_EINVAL, "ingle_chat_render: out is NULL");
    *out = NULL;
    if (!chat) return ingle_fail(err, INGLE_ECLOSED, "the chat is closed");
    ingle_chat_input_init(&o);
    ingle_status st = ingle_options_take(&o, sizeof o, in, "the chat's input", err);
    if (!st && !o.messages) st = ingle_fail(err, INGLE_EINVAL, "messages is NULL");
    if (st) return st;
    ingle_prompt *p = ingle_new(1, sizeof *p);
    if (!p) return no_memory(err);
    st = render(p, chat, &o, err);
    if (st) ingle_prompt_close(&p);
    *out = p;
    return st;
}

ingle_status ingle_prompt_info_get(const ingle_prompt *prompt, ingle_prompt_info *info,
                                   ingle_error *err)
{
    if (!prompt) return ingle_fail(err, INGLE_ECLOSED, "the prompt is closed");
    ingle_status st = ingle_result_check(info, sizeof *info, "ingle_prompt_info", err);
    if (st) return st;
    const ingle_prompt_info own = {.text = prompt->output.text,
                                   .n_text = prompt->output.n,
                                   .spans = prompt->output.spans,
                                   .n_spans = prompt->output.n_spans,
                                   .tokens = prompt->tokens,
                                   .n_tokens = prompt->n_tokens,
                                   .marks = prompt->marks,
                                   .n_marks = prompt->n_marks,
                                   .thinks = prompt->thinks};
    ingle_result_give(info, &own, sizeof own);
    return INGLE_OK;
}

void ingle_prompt_close(ingle_prompt **prompt)
{
    if (!prompt || !*prompt) return;
    ingle_jinja_output_free(&(*prompt)->output);
    free((*prompt)->tokens);
    free((*prompt)->marks);
    free(*prompt);
    *prompt = NULL;
}
