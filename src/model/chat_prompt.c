/* chat_prompt.c - a prompt: what the template prints, as tokens. Only its own words may become
 * control tokens; tokens of kept answers stand for what the template prints of them; where messages
 * end is found among the tokens again. */
#include "model/chat_answers.h"

#include "base/options.h"
#include "text/text.h"

#include <stdlib.h>
#include <string.h>

struct ingle_prompt {
    ingle_jinja_output output;
    int32_t *tokens;
    size_t n_tokens;
    size_t *marks;
    int32_t *mark_messages; /* [n_marks] */
    size_t n_marks;
    bool *taken; /* [n_answers] */
    size_t n_answers;
    bool thinks;
};

/* A prompt while it is made. */
typedef struct making {
    const ingle_vocab *v;
    ingle_prompt *p;
    ingle_chat_numbers numbers;
    size_t cap_tokens;
    size_t i_mark; /* of the template's: those before it have been looked for */
    bool begun;    /* text has been added */
    ingle_error *err;
} making;

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

static ingle_status add_tokens(making *m, const int32_t *tokens, size_t n)
{
    ingle_prompt *p = m->p;
    size_t want;
    if (!ingle_add_ok(p->n_tokens, n, &want) ||
        !ingle_grow(&p->tokens, &m->cap_tokens, want, sizeof *p->tokens))
        return no_memory(m->err);
    if (n) memcpy(p->tokens + p->n_tokens, tokens, n * sizeof *tokens);
    p->n_tokens = want;
    return INGLE_OK;
}

/* A template that prints no BOS gets one where the vocabulary asks for it. */
static ingle_status add_bos(making *m, const int32_t *tokens, size_t n)
{
    ingle_vocab_info info;
    ingle_vocab_info_get(m->v, &info);
    if (!info.add_bos || info.bos < 0 || (n && tokens[0] == info.bos)) return INGLE_OK;
    return add_tokens(m, &info.bos, 1);
}

static void add_mark(making *m, const ingle_jinja_mark *mark, size_t at)
{
    ingle_prompt *p = m->p;
    if (p->n_marks && p->marks[p->n_marks - 1] == at) return;
    p->marks[p->n_marks] = at;
    p->mark_messages[p->n_marks++] =
        mark->i_message < m->numbers.n ? m->numbers.of[mark->i_message] : -1;
}

/* A mark counts where the text before it, since the last one that counts, gives the tokens that the
 * whole piece has there: then no token lies across it. Of bytes from .. to - 1, whose tokens are
 * those of the prompt from `at` on. */
static ingle_status find_marks(making *m, size_t from, size_t to, size_t at)
{
    const ingle_jinja_output *o = &m->p->output;
    ingle_prompt *p = m->p;
    ingle_status st = INGLE_OK;
    for (; !st && m->i_mark < o->n_marks && o->marks[m->i_mark].offset <= to; m->i_mark++) {
        const ingle_jinja_mark *mark = &o->marks[m->i_mark];
        int32_t *tokens = NULL;
        size_t n = p->n_tokens - at;
        bool same = mark->offset == to;
        if (mark->offset < from || !mark->offset) continue;
        if (mark->offset == from && !same) { /* where an answer's tokens end, too */
            add_mark(m, mark, at);
            continue;
        }
        if (!same) st = tokens_of(m->v, o, from, mark->offset, &tokens, &n, m->err);
        same = same || (!st && at + n <= p->n_tokens &&
                        !memcmp(p->tokens + at, tokens, n * sizeof *tokens));
        free(tokens);
        if (!same) continue;
        from = mark->offset;
        at += n;
        add_mark(m, mark, at);
    }
    return st;
}

/* Bytes from .. to - 1 of the text, by themselves. */
static ingle_status add_text(making *m, size_t from, size_t to)
{
    int32_t *tokens = NULL;
    size_t n = 0, at;
    ingle_status st = tokens_of(m->v, &m->p->output, from, to, &tokens, &n, m->err);
    if (!st && !m->begun) st = add_bos(m, tokens, n);
    m->begun = true;
    at = m->p->n_tokens;
    if (!st) st = add_tokens(m, tokens, n);
    free(tokens);
    return st ? st : find_marks(m, from, to, at);
}

static ingle_status add_all(making *m, const ingle_chat_input *in, const ingle_chat_kept *kept,
                            size_t n_kept)
{
    size_t from = 0;
    ingle_status st = INGLE_OK;
    for (size_t i = 0; !st && i < n_kept; i++) {
        const ingle_answer *a = &in->answers[kept[i].i_answer];
        st = add_text(m, from, kept[i].from);
        if (!st) st = add_tokens(m, a->tokens, a->n_tokens);
        m->p->taken[kept[i].i_answer] = true;
        from = kept[i].to;
    }
    return st ? st : add_text(m, from, m->p->output.n);
}

static ingle_status make_tokens(making *m, const ingle_chat *chat, const ingle_chat_form *form,
                                const ingle_chat_input *in, const ingle_json *context)
{
    ingle_prompt *p = m->p;
    ingle_chat_kept *kept = NULL;
    size_t n_kept = 0;
    ingle_status st = INGLE_OK;
    p->taken = ingle_new(in->n_answers, sizeof *p->taken);
    p->n_answers = in->n_answers;
    p->marks = ingle_new(p->output.n_marks, sizeof *p->marks);
    p->mark_messages = ingle_new(p->output.n_marks, sizeof *p->mark_messages);
    if (!p->taken || !p->marks || !p->mark_messages) return no_memory(m->err);
    if (in->n_answers)
        st = ingle_chat_answers_find(&kept, &n_kept, chat, form, in, context, &m->numbers,
                                     &p->output, m->err);
    if (!st && m->v) st = add_all(m, in, kept, n_kept);
    free(kept);
    return st;
}

static ingle_status render(ingle_prompt *p, const ingle_chat *chat, const ingle_chat_input *in,
                           ingle_error *err)
{
    ingle_json_doc doc;
    const ingle_chat_form *form = ingle_chat_form_for(chat, in->tools != NULL);
    making m = {.v = chat->model->vocab, .p = p, .err = err};
    ingle_status st = ingle_chat_context(&doc, &m.numbers, form, in, err);
    if (!st) st = ingle_chat_print(&p->output, chat, form, doc.root, in->now, err);
    if (!st) p->thinks = ingle_profile_prompt_thinks(&form->profile, p->output.text, p->output.n);
    if (!st) st = make_tokens(&m, chat, form, in, doc.root);
    ingle_json_close(&doc);
    free(m.numbers.of);
    return st;
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
                                   .thinks = prompt->thinks,
                                   .mark_messages = prompt->mark_messages,
                                   .answers_taken = prompt->taken,
                                   .n_answers = prompt->n_answers};
    ingle_result_give(info, &own, sizeof own);
    return INGLE_OK;
}

void ingle_prompt_close(ingle_prompt **prompt)
{
    if (!prompt || !*prompt) return;
    ingle_jinja_output_free(&(*prompt)->output);
    free((*prompt)->tokens);
    free((*prompt)->marks);
    free((*prompt)->mark_messages);
    free((*prompt)->taken);
    free(*prompt);
    *prompt = NULL;
}
