/* parse_harmony.c - messages with channels (parse_state.h):
 *     <|channel|>analysis<|message|>...<|end|><|start|>assistant<|channel|>final<|message|>...
 * The channel analysis is thinking, a message to functions.NAME is a call, all others are text. */
#include "chat/parse_state.h"

static const char *const begins[] = {
    "<|channel|>", "<|start|>", "<|message|>", "to=", "<|end|>", "<|return|>", "<|call|>"};
enum { MESSAGE_MARK = 2, N_BEGINS = 4, N_ENDS = 7 };
static const char *const ends[] = {"<|end|>", "<|return|>", "<|call|>", "<|start|>", "<|channel|>"};
enum { N_MESSAGE_ENDS = 3, N_BODY_ENDS = 5 };

static void body_text(ingle_parse *p)
{
    p->state = PARSE_BODY;
    ingle_parse_text(p, p->held.p, p->held.n);
    p->held.n = 0;
}

/* The word after a mark in the header; 0 bytes: there is none. */
static size_t word_after(const ingle_bytes *header, const char *mark, const char **word)
{
    size_t len = strlen(mark), n = 0;
    for (size_t i = 0; i + len <= header->n; i++) {
        if (memcmp(header->p + i, mark, len) != 0) continue;
        *word = header->p + i + len;
        while (i + len + n < header->n && !ingle_parse_is_space((*word)[n]) && (*word)[n] != '<')
            n++;
        break;
    }
    return n;
}

static bool take_recipient(ingle_parse *p)
{
    const char *to;
    size_t n = word_after(&p->held, "to=", &to);
    if (!n || (n == 9 && !memcmp(to, "assistant", 9))) return false;
    p->field.n = p->id.n = 0;
    ingle_bytes_put(&p->field, to, n);
    if (!ingle_parse_take_name(p, INGLE_HEAD_NAME_ID)) return false;
    p->id.n = 0; /* the recipient is none */
    return true;
}

/* The header is in `held`, its last mark included. */
static void end_header(ingle_parse *p)
{
    const char *channel;
    size_t n = word_after(&p->held, "<|channel|>", &channel);
    bool analysis = n == 8 && !memcmp(channel, "analysis", 8);
    bool call = p->opt.parse_tools && take_recipient(p);
    p->reasoning = analysis && p->thinking;
    p->verbatim = (analysis && !p->thinking) || (!call && take_recipient(p));
    if (call) {
        p->n_in_section = 0;
        p->state = PARSE_BODY_ARGS;
    } else if (p->verbatim) {
        body_text(p);
    } else {
        ingle_parse_drop_held(p);
        p->state = PARSE_BODY;
    }
}

static void message_step(ingle_parse *p, char c)
{
    if (!p->n_match && ingle_parse_is_space(c) && p->n_space < PARSE_SPACE_MAX) {
        p->space[p->n_space++] = c;
        return;
    }
    parse_match m = ingle_parse_compare(p, begins, N_ENDS, c);
    if (m == MATCH_MORE) return;
    if (m == MATCH_NONE) { /* text without a header */
        ingle_parse_match_back(p);
        p->reasoning = p->verbatim = false;
        p->state = PARSE_BODY;
        return;
    }
    ingle_parse_eat(p, p->space, p->n_space);
    p->n_space = 0;
    ingle_parse_match_eat(p);
    if (p->i_hit == MESSAGE_MARK) end_header(p);
    else if (p->i_hit < N_BEGINS) p->state = PARSE_HEADER;
    else ingle_parse_drop_held(p); /* an end after an end */
}

static void header_step(ingle_parse *p, char c)
{
    const char *mark = begins[MESSAGE_MARK];
    parse_match m = ingle_parse_compare(p, &mark, 1, c);
    if (m == MATCH_MORE) return;
    if (m == MATCH_HIT) {
        ingle_parse_match_eat(p);
        end_header(p);
        return;
    }
    if (p->held.n >= PARSE_FIELD_MAX) {
        ingle_parse_match_back(p);
        p->reasoning = p->verbatim = false;
        body_text(p);
        return;
    }
    ingle_parse_unread(p, p->match + 1, p->n_match - 1);
    p->n_match = 0;
    ingle_parse_eat(p, p->match, 1);
}

/* An end mark was read; one that begins a header too is looked at again. */
static void end_body(ingle_parse *p)
{
    if (p->verbatim) {
        ingle_parse_text(p, p->match, p->n_match);
        p->n_match = 0;
    } else if (p->i_hit < N_MESSAGE_ENDS) {
        ingle_parse_match_eat(p);
        ingle_parse_drop_held(p);
    } else {
        ingle_parse_match_back(p);
    }
    if (!p->verbatim || p->i_hit < N_MESSAGE_ENDS) p->state = PARSE_MESSAGE;
    p->verbatim = false;
}

static void body_step(ingle_parse *p, char c)
{
    switch (ingle_parse_compare(p, ends, N_BODY_ENDS, c)) {
    case MATCH_MORE: break;
    case MATCH_HIT: end_body(p); break;
    case MATCH_NONE:
        ingle_parse_unread(p, p->match + 1, p->n_match - 1);
        p->n_match = 0;
        ingle_parse_text(p, p->match, 1);
    }
}

/* There is no call, or it is bad: the message is text from here on. */
static void args_fail(ingle_parse *p, char c)
{
    ingle_parse_unread(p, &c, 1);
    if (p->call_open) ingle_parse_end_call(p, true);
    p->reasoning = false;
    body_text(p);
}

static void args_step(ingle_parse *p, char c)
{
    if (!p->call_open) {
        if (ingle_parse_is_space(c)) {
            ingle_parse_eat(p, &c, 1);
            return;
        }
        if (c != '{' || !ingle_parse_begin_call(p)) {
            args_fail(p, c);
            return;
        }
        ingle_value_begin(&p->value, NULL, false);
    }
    switch (ingle_value_step(&p->value, c, ingle_parse_args(p))) {
    case INGLE_VALUE_MORE: ingle_parse_eat(p, &c, 1); break;
    case INGLE_VALUE_BAD: args_fail(p, c); break;
    case INGLE_VALUE_DONE:
    case INGLE_VALUE_ENDED:
        ingle_parse_eat(p, &c, 1);
        ingle_parse_end_call(p, false);
        p->state = PARSE_BODY_END;
    }
}

/* After the arguments only an end is expected; anything else is text. */
static void body_end_step(ingle_parse *p, char c)
{
    if (!p->n_match && ingle_parse_is_space(c)) {
        ingle_parse_eat(p, &c, 1);
        return;
    }
    parse_match m = ingle_parse_compare(p, ends, N_BODY_ENDS, c);
    if (m == MATCH_MORE) return;
    ingle_parse_drop_held(p);
    p->verbatim = p->reasoning = false;
    if (m == MATCH_HIT) {
        end_body(p);
        return;
    }
    ingle_parse_match_back(p);
    p->state = PARSE_BODY;
}

void ingle_parse_harmony_step(ingle_parse *p, char c)
{
    switch (p->state) {
    case PARSE_MESSAGE: message_step(p, c); break;
    case PARSE_HEADER: header_step(p, c); break;
    case PARSE_BODY_ARGS: args_step(p, c); break;
    case PARSE_BODY_END: body_end_step(p, c); break;
    default: body_step(p, c);
    }
}

void ingle_parse_harmony_finish(ingle_parse *p)
{
    bool marks = p->state == PARSE_BODY_END || p->state == PARSE_MESSAGE;
    if (p->call_open) ingle_parse_end_call(p, true);
    if (p->state == PARSE_BODY) {
        ingle_parse_text(p, p->match, p->n_match);
    } else {
        ingle_parse_space_text(p);
        ingle_parse_eat(p, p->match, p->n_match);
        p->reasoning = false;
        if (marks && p->counts.n_calls + p->counts.n_text) ingle_parse_drop_held(p);
        body_text(p);
    }
    p->n_match = 0;
    ingle_parse_space_text(p);
}
