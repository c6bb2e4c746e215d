/* chat_answers.c - see chat_answers.h. The text that the template prints of a message is
 *     HEAD  what a prompt ends with where an answer is to follow
 *     BODY  what the model writes
 *     TAIL  the token that ends a turn, and white space; some families have none: there the next
 *           message begins with a control token
 * and the answer's tokens stand for BODY. HEAD is known from the end of this very prompt, or from a
 * prompt of the messages before; it can be another one after a result of a tool than after a user's
 * message. */
#include "model/chat_answers.h"

#include "model/chat_parts.h"
#include "text/text.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_HEAD = 4096 }; /* bytes of a head in which marks of thinking are looked for */

/* What a prompt ends with. */
typedef struct head {
    char *text; /* [n]; NULL: not known */
    size_t n;
    bool asked; /* it has been looked for */
} head;

typedef struct finder {
    const ingle_chat *chat;
    const ingle_chat_form *form;
    const ingle_chat_input *in;
    const ingle_jinja_output *o;
    ingle_json_doc messages, tools; /* the caller's */
    head heads[2];                  /* [after a result] */
    ingle_bytes answer;             /* the text of an answer's tokens */
    ingle_error *err;
} finder;

/* A message in the text. */
typedef struct region {
    size_t from, to;
    bool first; /* nothing before it is marked: `from` is not known */
    bool after_result;
    const ingle_answer *answer;
} region;

static ingle_status no_memory(ingle_error *err)
{
    return ingle_fail(err, INGLE_ENOMEM, "no memory for the answers of a prompt");
}

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

static bool begins(const char *p, size_t n, const char *with, size_t n_with)
{
    return n >= n_with && (!n_with || !memcmp(p, with, n_with));
}

static bool is_role(const ingle_json *message, const char *role)
{
    return ingle_json_is_text(ingle_json_get(message, "role"), role);
}

/* ---- what is asked for ----------------------------------------------------------------------- */

static ingle_status check_tokens(const ingle_answer *a, size_t i, const ingle_vocab *v,
                                 ingle_error *err)
{
    ingle_vocab_info info;
    if (a->n_tokens && !a->tokens)
        return ingle_fail(err, INGLE_EINVAL, "answers[%zu].tokens is NULL", i);
    if (!v) return INGLE_OK;
    ingle_vocab_info_get(v, &info);
    for (size_t k = 0; k < a->n_tokens; k++)
        if (a->tokens[k] < 0 || a->tokens[k] >= info.n_tokens)
            return ingle_fail(err, INGLE_EINVAL,
                              "answers[%zu].tokens[%zu] is %d, should be 0 to %d", i, k,
                              (int)a->tokens[k], (int)info.n_tokens - 1);
    return INGLE_OK;
}

static ingle_status check_answers(const ingle_chat_input *in, const ingle_json *messages,
                                  const ingle_vocab *v, ingle_error *err)
{
    size_t i = 0, at = 0;
    ingle_status st = INGLE_OK;
    for (ingle_json_walk w = ingle_json_items(messages); i < in->n_answers && ingle_json_step(&w);
         at++) {
        if (in->answers[i].i_message != at) continue;
        if (!is_role(w.value, "assistant"))
            return ingle_fail(err, INGLE_EINVAL,
                              "answers[%zu].i_message is %zu, which is no assistant's message", i,
                              at);
        st = check_tokens(&in->answers[i], i, v, err);
        if (st) return st;
        i++;
    }
    if (i == in->n_answers) return INGLE_OK;
    return ingle_fail(
        err, INGLE_EINVAL,
        "answers[%zu].i_message is %zu: should be larger than the one before, and one "
        "of %u messages",
        i, in->answers[i].i_message, messages ? (unsigned)messages->len : 0u);
}

/* ---- the head -------------------------------------------------------------------------------- */

static ingle_status keep_head(finder *f, head *h, const char *text, size_t n)
{
    h->text = ingle_new(n + 1, 1);
    if (!h->text) return no_memory(f->err);
    memcpy(h->text, text, n);
    h->n = n;
    h->asked = true;
    return INGLE_OK;
}

/* The first n of the caller's messages, with or without the beginning of an answer after them. What
 * the template refuses has no output. */
static ingle_status print_first(finder *f, size_t n, bool no_answer, ingle_jinja_output *out,
                                size_t *last_mark)
{
    ingle_json_writer w = {.text = NULL};
    ingle_json_doc context = {.root = NULL};
    ingle_chat_input in = *f->in;
    size_t i = 0;
    *out = (ingle_jinja_output){.text = NULL};
    *last_mark = 0;
    ingle_json_begin_array(&w);
    for (ingle_json_walk m = ingle_json_items(f->messages.root); i < n && ingle_json_step(&m); i++)
        ingle_json_put(&w, m.value);
    ingle_json_end_array(&w);
    ingle_status st = ingle_json_finish(&w);
    in.messages = w.text, in.n_messages = w.n;
    in.no_answer = no_answer;
    if (!st) st = ingle_chat_context(&context, NULL, f->form, &in, NULL);
    if (!st) st = ingle_chat_print(out, f->chat, f->form, context.root, in.now, NULL);
    const ingle_json *messages = ingle_json_get(context.root, "messages");
    if (!st && out->n_marks && out->marks[out->n_marks - 1].i_message + 1 == messages->len)
        *last_mark = out->marks[out->n_marks - 1].offset;
    ingle_json_close(&context);
    ingle_json_writer_free(&w);
    if (st == INGLE_ENOMEM) return no_memory(f->err);
    return INGLE_OK;
}

/* The head of an answer to the first n messages: what is printed after them; of templates that print
 * it with the last of them, what they print beyond the same without it. */
static ingle_status find_head(finder *f, head *h, size_t n)
{
    ingle_jinja_output with, without = {.text = NULL};
    size_t mark, other_mark;
    h->asked = true;
    ingle_status st = print_first(f, n, false, &with, &mark);
    if (!st && with.text && mark && mark < with.n) {
        st = keep_head(f, h, with.text + mark, with.n - mark);
    } else if (!st && with.text) {
        st = print_first(f, n, true, &without, &other_mark);
        if (!st && without.text && begins(with.text, with.n, without.text, without.n))
            st = keep_head(f, h, with.text + without.n, with.n - without.n);
    }
    ingle_jinja_output_free(&with);
    ingle_jinja_output_free(&without);
    return st;
}

/* What this prompt itself ends with, if that stands apart. Templates that print it always, or never,
 * have the same for all. */
static ingle_status take_own_head(finder *f, const ingle_json *last, size_t n_messages)
{
    const ingle_jinja_output *o = f->o;
    const ingle_jinja_mark *mark = &o->marks[o->n_marks - 1];
    bool always = !ingle_jinja_mentions(f->form->jinja, "add_generation_prompt");
    if (mark->i_message + 1 != n_messages) return INGLE_OK;
    if (!always && (f->in->no_answer || mark->offset == o->n)) return INGLE_OK;
    const char *text = o->text + mark->offset;
    ingle_status st = keep_head(f, &f->heads[is_role(last, "tool")], text, o->n - mark->offset);
    if (st || !always) return st;
    return keep_head(f, &f->heads[!is_role(last, "tool")], text, o->n - mark->offset);
}

/* ---- thinking in the head -------------------------------------------------------------------- */

/* The length of a mark of thinking, white space before it included, with which p begins; 0: none. */
static size_t mark_at(const char *const marks[2], const char *p, size_t n)
{
    size_t space = 0;
    while (space < n && is_space(p[space])) space++;
    for (int i = 0; i < 2; i++) {
        size_t len = marks[i] ? strlen(marks[i]) : 0;
        if (len && begins(p + space, n - space, marks[i], len)) return space + len;
    }
    return 0;
}

/* The length of thinking that is empty, with which p begins; 0: there is none. */
static size_t empty_at(const ingle_thinking *t, const char *p, size_t n)
{
    size_t open = t ? mark_at(t->open, p, n) : 0;
    size_t close = open ? mark_at(t->close, p + open, n - open) : 0;
    return close ? open + close : 0;
}

/* What of the head is left without the marks of thinking at its end. */
static size_t bare_head(const ingle_thinking *t, const head *h)
{
    for (size_t i = h->n > MOST_HEAD ? h->n : 0; t && i < h->n; i++) {
        const char *p = h->text + i;
        size_t n = h->n - i, len = empty_at(t, p, n);
        if (!len) len = mark_at(t->open, p, n);
        if (len && !is_space(*p)) {
            while (len < n && is_space(p[len])) len++;
            if (len == n) return i;
        }
    }
    return h->n;
}

/* Where the body begins, if an answer that thinks (or not) had this head; SIZE_MAX: nowhere. Its
 * prompt may have had another switch for thinking than this one has. */
static size_t body_after(const finder *f, const head *h, const region *r)
{
    const ingle_thinking *t = f->form->profile.thinking;
    const char *p = f->o->text + r->from;
    size_t n = r->to - r->from, bare = bare_head(t, h), len;
    bool opens = t && mark_at(t->open, f->answer.p, f->answer.n);
    if (ingle_profile_prompt_thinks(&f->form->profile, h->text, h->n) == r->answer->thinks) {
        if (begins(p, n, h->text, h->n)) return r->from + h->n;
        if (r->answer->thinks || !opens) return SIZE_MAX;
        return begins(p, n, h->text, bare) ? r->from + bare : SIZE_MAX;
    }
    if (!begins(p, n, h->text, bare)) return SIZE_MAX;
    if (r->answer->thinks) len = t ? mark_at(t->open, p + bare, n - bare) : 0;
    else len = opens ? 0 : empty_at(t, p + bare, n - bare);
    if (r->answer->thinks && !len) return SIZE_MAX;
    len += bare;
    while (len > bare && len < n && p[len] == '\n') len++;
    return r->from + len;
}

/* Where the body begins; SIZE_MAX: nowhere. */
static size_t body_begin(const finder *f, const head *h, const region *r)
{
    const char *before = f->o->text + r->from;
    if (!h->text) return SIZE_MAX;
    size_t at = body_after(f, h, r);
    if (at != SIZE_MAX || !h->n || r->from < h->n) return at;
    /* templates that print it with the message before */
    bool thinks = ingle_profile_prompt_thinks(&f->form->profile, h->text, h->n);
    return thinks == r->answer->thinks && !memcmp(before - h->n, h->text, h->n) ? r->from
                                                                                : SIZE_MAX;
}

/* Of the first message that is marked nobody knows where it begins: its prompt is printed again. */
static ingle_status find_first_body(finder *f, const region *r, size_t *at)
{
    ingle_jinja_output out;
    size_t mark;
    ingle_status st = print_first(f, r->answer->i_message, false, &out, &mark);
    if (!st && out.text && out.n <= r->to && !memcmp(out.text, f->o->text, out.n) &&
        ingle_profile_prompt_thinks(&f->form->profile, out.text, out.n) == r->answer->thinks)
        *at = out.n;
    ingle_jinja_output_free(&out);
    return st;
}

static ingle_status find_body(finder *f, const region *r, size_t *at)
{
    head *h = &f->heads[r->after_result];
    *at = SIZE_MAX;
    if (r->first) return find_first_body(f, r, at);
    *at = body_begin(f, h->asked ? h : &f->heads[!r->after_result], r);
    if (*at != SIZE_MAX || h->asked) return INGLE_OK;
    ingle_status st = find_head(f, h, r->answer->i_message);
    if (!st) *at = body_begin(f, h, r);
    return st;
}

/* ---- the tail -------------------------------------------------------------------------------- */

/* The first span that ends after a byte of the text. */
static const ingle_span *span_at(const ingle_jinja_output *o, size_t at)
{
    size_t lo = 0, hi = o->n_spans;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (o->spans[mid].offset + o->spans[mid].length > at) hi = mid;
        else lo = mid + 1;
    }
    return lo < o->n_spans ? &o->spans[lo] : NULL;
}

/* The length of the control token that stands at a place of the text; 0: none. */
static size_t control_at(const finder *f, size_t at, int32_t *id)
{
    const ingle_span *s = span_at(f->o, at);
    if (!s || !s->trusted || at >= f->o->n) return 0;
    return ingle_vocab_special(f->chat->model->vocab, f->o->text + at, s->offset + s->length - at,
                               id);
}

static bool ends_turn(const finder *f, int32_t id)
{
    ingle_token_info info = {.size = sizeof info};
    return !ingle_vocab_token(f->chat->model->vocab, id, &info, NULL) && info.eog;
}

/* Whether the answer ends with this text, white space aside. */
static bool answer_ends(const finder *f, const char *text, size_t n)
{
    size_t end = f->answer.n;
    while (end && is_space(f->answer.p[end - 1])) end--;
    return end >= n && !memcmp(f->answer.p + end - n, text, n);
}

/* Whether a token that ends a turn is among the answer's: then it is none. */
static bool is_broken(const finder *f, const ingle_answer *a)
{
    for (size_t i = 0; i < a->n_tokens; i++)
        if (ends_turn(f, a->tokens[i])) return true;
    return false;
}

/* Where the body ends: before the control token with which the message ends, white space aside, or
 * the first of several that end a turn; not before one that the model wrote, too. Then the message
 * is all body, and another control token has to follow. SIZE_MAX: none does. */
static size_t body_end(const finder *f, size_t from, size_t to)
{
    const ingle_jinja_output *o = f->o;
    size_t tail = to, len = 0, first = SIZE_MAX, last = SIZE_MAX, n_last = 0;
    int32_t id;
    while (tail > from && span_at(o, tail - 1)->trusted) tail = span_at(o, tail - 1)->offset;
    if (tail < from) tail = from;
    for (size_t i = tail; i < to; i += len) {
        len = control_at(f, i, &id);
        if (len > to - i) len = 0;
        if (!len && !is_space(o->text[i])) first = last = SIZE_MAX;
        if (len && ends_turn(f, id)) first = first == SIZE_MAX ? i : first;
        else if (len) first = SIZE_MAX;
        if (len) last = i, n_last = len;
        if (!len) len = 1;
    }
    if (first != SIZE_MAX) return first;
    if (last != SIZE_MAX && !answer_ends(f, o->text + last, n_last)) return last;
    return to == o->n || control_at(f, to, &id) ? to : SIZE_MAX;
}

/* ---- comparing ------------------------------------------------------------------------------- */

static ingle_status read_answer(finder *f, const ingle_answer *a)
{
    const ingle_vocab *v = f->chat->model->vocab;
    ingle_bytes *b = &f->answer;
    size_t n = 0;
    ingle_status st = ingle_vocab_detokenize(v, a->tokens, a->n_tokens, INGLE_UNPARSE_SPECIAL, b->p,
                                             b->cap, &n, f->err);
    if (st == INGLE_ERANGE) {
        if (!ingle_grow(&b->p, &b->cap, n + 1, 1)) return no_memory(f->err);
        st = ingle_vocab_detokenize(v, a->tokens, a->n_tokens, INGLE_UNPARSE_SPECIAL, b->p, b->cap,
                                    &n, f->err);
    }
    b->n = st ? 0 : n;
    return st;
}

static ingle_status compare(const finder *f, const region *r, size_t from, size_t to, bool *same)
{
    ingle_chat_parts printed = {.n_calls = 0}, written = {.n_calls = 0};
    ingle_parse_options opt;
    ingle_parse_options_init(&opt);
    opt.profile = &f->form->profile;
    opt.offered = f->tools.root;
    opt.starts_in_reasoning = r->answer->thinks;
    *same =
        to - from == f->answer.n && begins(f->o->text + from, to - from, f->answer.p, f->answer.n);
    if (*same) return INGLE_OK;
    ingle_status st = ingle_chat_parts_read(&printed, &opt, f->o->text + from, to - from, f->err);
    if (!st) st = ingle_chat_parts_read(&written, &opt, f->answer.p, f->answer.n, f->err);
    if (!st) st = ingle_chat_parts_same(&printed, &written, same, f->err);
    ingle_chat_parts_free(&printed);
    ingle_chat_parts_free(&written);
    return st;
}

static ingle_status match(finder *f, const region *r, ingle_chat_kept *kept, bool *same)
{
    *same = false;
    if (is_broken(f, r->answer)) return INGLE_OK;
    ingle_status st = read_answer(f, r->answer);
    if (!st) st = find_body(f, r, &kept->from);
    if (st || kept->from == SIZE_MAX) return st;
    kept->to = body_end(f, kept->from, r->to);
    if (kept->to == SIZE_MAX || kept->to < kept->from) return INGLE_OK;
    return compare(f, r, kept->from, kept->to, same);
}

/* Messages, marks and answers, all in order. */
static ingle_status match_all(finder *f, const ingle_json *messages,
                              const ingle_chat_numbers *numbers, ingle_chat_kept *kept,
                              size_t *n_kept)
{
    const ingle_json *before = NULL;
    size_t i = 0, i_mark = 0, i_answer = 0;
    ingle_status st = INGLE_OK;
    for (ingle_json_walk w = ingle_json_items(messages); !st && ingle_json_step(&w); i++) {
        const ingle_jinja_mark *mark = &f->o->marks[i_mark];
        bool marked = i_mark < f->o->n_marks && mark->i_message == i;
        bool answered = i_answer < f->in->n_answers && i < numbers->n && numbers->of[i] >= 0 &&
                        (size_t)numbers->of[i] == f->in->answers[i_answer].i_message;
        if (answered && marked) {
            const region r = {.from = i_mark ? mark[-1].offset : 0,
                              .to = mark->offset,
                              .first = !i_mark,
                              .after_result = is_role(before, "tool"),
                              .answer = &f->in->answers[i_answer]};
            bool same;
            kept[*n_kept].i_answer = i_answer;
            st = match(f, &r, &kept[*n_kept], &same);
            *n_kept += same;
        }
        i_answer += answered;
        i_mark += marked;
        before = w.value;
    }
    return st;
}

ingle_status ingle_chat_answers_find(ingle_chat_kept **kept, size_t *n_kept, const ingle_chat *chat,
                                     const ingle_chat_form *form, const ingle_chat_input *in,
                                     const ingle_json *context, const ingle_chat_numbers *numbers,
                                     const ingle_jinja_output *output, ingle_error *err)
{
    finder f = {.chat = chat, .form = form, .in = in, .o = output, .err = err};
    const ingle_json *messages = ingle_json_get(context, "messages"), *last = NULL;
    *n_kept = 0;
    *kept = ingle_new(in->n_answers, sizeof **kept);
    ingle_status st = *kept ? INGLE_OK : no_memory(err);
    if (!st && !in->answers) st = ingle_fail(err, INGLE_EINVAL, "answers is NULL");
    if (!st) st = ingle_json_open(&f.messages, in->messages, in->n_messages, NULL, err);
    if (!st) st = check_answers(in, f.messages.root, chat->model->vocab, err);
    if (!st && in->tools) st = ingle_json_open(&f.tools, in->tools, in->n_tools, NULL, err);
    for (ingle_json_walk w = ingle_json_items(messages); ingle_json_step(&w);) last = w.value;
    bool wanted = !st && chat->model->vocab && output->n_marks;
    if (wanted) st = take_own_head(&f, last, messages ? messages->len : 0);
    if (wanted && !st) st = match_all(&f, messages, numbers, *kept, n_kept);
    for (int i = 0; i < 2; i++) free(f.heads[i].text);
    ingle_bytes_free(&f.answer);
    ingle_json_close(&f.messages);
    ingle_json_close(&f.tools);
    return st;
}
