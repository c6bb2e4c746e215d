#include "answer.h"
#include "ids.h"
#include "stops.h"

#include "base/mem.h"

#include <string.h>

enum { TOKEN_BYTES = 512 };

static void tell(answer_choice *c, part p)
{
    answer *a = c->answer;
    p.choice = c;
    if (!p.text) p.text = "";
    if (a->on_part) a->on_part(a->user, &p);
}

/* ---- log-probabilities ----------------------------------------------------------------------- */

static void put_token_text(answer_choice *c, answer_logprob *l)
{
    char text[TOKEN_BYTES];
    size_t n = 0;
    if (ingle_detokenize(c->answer->model, &l->token, 1, INGLE_UNPARSE_SPECIAL | INGLE_CONTINUE,
                         text, sizeof text, &n, NULL))
        n = 0;
    l->text = c->logprob_text.n;
    l->n_text = n;
    bytes_put(&c->logprob_text, text, n);
}

static void add_logprob(answer_choice *c, const ingle_event *e)
{
    answer_logprob l = {.token = e->token, .logprob = e->logprob, .top = c->n_tops};
    size_t n_top = e->n_top;
    if (n_top > (size_t)c->answer->generation->top_logprobs)
        n_top = (size_t)c->answer->generation->top_logprobs;
    if (!ingle_grow(&c->logprobs, &c->cap_logprobs, c->n_logprobs + 1, sizeof *c->logprobs) ||
        !ingle_grow(&c->tops, &c->cap_tops, c->n_tops + n_top, sizeof *c->tops)) {
        c->answer->failed = true;
        return;
    }
    put_token_text(c, &l);
    for (; l.n_top < n_top; l.n_top++) {
        answer_logprob *top = &c->tops[c->n_tops++];
        *top = (answer_logprob){.token = e->top[l.n_top].token, .logprob = e->top[l.n_top].logprob};
        put_token_text(c, top);
    }
    c->logprobs[c->n_logprobs++] = l;
}

/* What was generated last is no visible text. */
static void forget_logprobs(answer_choice *c)
{
    c->n_logprobs = c->n_logprobs_told;
}

/* ---- pieces ---------------------------------------------------------------------------------- */

/* Visible text, with the tokens that are in it to their end. */
static void tell_text(answer_choice *c, const char *text, size_t len)
{
    size_t from = c->n_logprobs_told, to = from;
    bytes_put(&c->text, text, len);
    for (; to < c->n_logprobs; to++) {
        size_t end = c->logprobs[to].end;
        if (end ? end > c->text.n : c->held.n > len) break;
    }
    c->n_logprobs_told = to;
    tell(c, (part){.kind = PART_TEXT, .text = text, .len = len, .from = from, .to = to});
}

/* No stop has come of what was held. */
static void tell_held(answer_choice *c)
{
    if (!c->held.n) return;
    tell_text(c, c->held.p, c->held.n);
    c->held.n = 0;
}

static void stop_choice(answer_choice *c, size_t i_stop)
{
    c->stopped = true;
    c->finish = INGLE_FINISH_STOP;
    c->i_stop = i_stop;
    c->held.n = 0;
    c->n_logprobs = c->n_logprobs_told;
    c->answer->n_done++;
    tell(c, (part){.kind = PART_FINISH});
}

static void take_text(answer_choice *c, const char *text, size_t len)
{
    const generation *g = c->answer->generation;
    size_t i_stop;
    if (!g->n_stops) {
        tell_text(c, text, len);
        return;
    }
    bytes_put(&c->held, text, len);
    size_t n = stops_scan(g->stops, g->n_stops, c->held.p, c->held.n, &i_stop);
    if (n) tell_text(c, c->held.p, n);
    bytes_drop(&c->held, n);
    if (i_stop < g->n_stops) stop_choice(c, i_stop);
}

static void take_thinking(answer_choice *c, const char *text, size_t len)
{
    tell_held(c);
    bytes_put(&c->thinking, text, len);
    forget_logprobs(c);
    tell(c, (part){.kind = PART_THINKING, .text = text, .len = len});
}

/* A parser may give the text of a token in many pieces; clients get one. */
static void tell_fresh(answer_choice *c)
{
    bytes text = c->fresh;
    if (!text.n) return;
    c->fresh.n = 0;
    if (c->stopped) return;
    if (c->fresh_is_thinking) take_thinking(c, text.p, text.n);
    else take_text(c, text.p, text.n);
}

static void add_fresh(answer_choice *c, bool thinking, const char *text, size_t len)
{
    if (c->fresh_is_thinking != thinking) tell_fresh(c);
    c->in_thinking = c->fresh_is_thinking = thinking;
    bytes_put(&c->fresh, text, len);
}

static bool is_custom(const generation *g, const char *name, size_t len)
{
    for (size_t i = 0; i < g->n_tools; i++)
        if (strlen(g->tool_names[i]) == len && !memcmp(g->tool_names[i], name, len))
            return g->custom_tool && g->custom_tool[i];
    return false;
}

static void begin_call(answer_choice *c, const ingle_chat_event *e)
{
    tell_fresh(c);
    if (c->stopped) return;
    c->in_thinking = false;
    tell_held(c);
    forget_logprobs(c);
    if (!ingle_grow(&c->calls, &c->cap_calls, c->n_calls + 1, sizeof *c->calls)) {
        c->answer->failed = true;
        return;
    }
    answer_call *call = &c->calls[c->n_calls++];
    *call = (answer_call){.custom = is_custom(c->answer->generation, e->text, e->text_len)};
    id_new(call->id, sizeof call->id, c->answer->call_prefix);
    bytes_put(&call->name, e->text, e->text_len);
    tell(c, (part){.kind = PART_CALL_BEGIN, .call = call, .i_call = c->n_calls - 1});
}

static answer_call *open_call(answer_choice *c)
{
    return c->n_calls && !c->calls[c->n_calls - 1].ended ? &c->calls[c->n_calls - 1] : NULL;
}

static void take_args(answer_choice *c, const char *text, size_t len)
{
    answer_call *call = c->stopped ? NULL : open_call(c);
    forget_logprobs(c);
    if (!call) return;
    bytes_put(call->custom ? &c->custom : &call->args, text, len);
    if (!call->custom)
        tell(c, (part){.kind = PART_CALL_ARGS,
                       .call = call,
                       .i_call = c->n_calls - 1,
                       .text = text,
                       .len = len});
}

/* The raw input is the member `input` of the arguments; what is not whole comes as it is. */
static void take_custom_input(answer_choice *c, answer_call *call)
{
    ingle_json_doc doc;
    const char *text = c->custom.p ? c->custom.p : "";
    size_t n = c->custom.n;
    bool whole = !ingle_json_open(&doc, text, n, NULL, NULL);
    const ingle_json *input = whole ? ingle_json_get(doc.root, "input") : NULL;
    if (ingle_json_is(input, INGLE_JSON_STRING)) text = input->text, n = input->len;
    bytes_put(&call->args, text, n);
    if (whole) ingle_json_close(&doc);
    bytes_free(&c->custom);
    tell(c, (part){.kind = PART_CALL_ARGS,
                   .call = call,
                   .i_call = c->n_calls - 1,
                   .text = call->args.p ? call->args.p : "",
                   .len = call->args.n});
}

static void end_call(answer_choice *c, bool bad)
{
    answer_call *call = c->stopped ? NULL : open_call(c);
    forget_logprobs(c);
    if (!call) return;
    if (call->custom) take_custom_input(c, call);
    call->ended = true;
    call->bad = bad;
    tell(c, (part){.kind = PART_CALL_END, .call = call, .i_call = c->n_calls - 1});
}

static void on_chat_event(void *user, const ingle_chat_event *e)
{
    answer_choice *c = user;
    switch (e->kind) {
    case INGLE_CHAT_REASONING: add_fresh(c, true, e->text, e->text_len); return;
    case INGLE_CHAT_CONTENT: add_fresh(c, false, e->text, e->text_len); return;
    case INGLE_CHAT_CALL_BEGIN: begin_call(c, e); return;
    case INGLE_CHAT_CALL_ARGS: take_args(c, e->text, e->text_len); return;
    case INGLE_CHAT_CALL_END: end_call(c, e->bad); return;
    }
}

/* ---- events ---------------------------------------------------------------------------------- */

static void feed(answer_choice *c, const char *text, size_t len)
{
    if (!len) return;
    if (!c->parser) take_text(c, text, len);
    else if (ingle_chat_parser_feed(c->parser, text, len, NULL)) c->answer->failed = true;
    tell_fresh(c);
}

static void take_token(answer_choice *c, const ingle_event *e)
{
    answer *a = c->answer;
    if (ingle_grow(&c->tokens, &c->cap_tokens, c->n_tokens + 1, sizeof *c->tokens))
        c->tokens[c->n_tokens++] = e->token;
    else a->failed = true;
    if (a->generation->logprobs) add_logprob(c, e);
    feed(c, e->text, e->text_len);
    if (c->n_logprobs > c->n_logprobs_told) /* at least 1, so that it is not taken for a new one */
        c->logprobs[c->n_logprobs - 1].end = c->text.n + c->held.n + !(c->text.n + c->held.n);
    c->n_thinking += c->in_thinking;
}

static void take_end(answer_choice *c, const ingle_event *e)
{
    answer *a = c->answer;
    c->ended = true;
    c->usage = e->usage;
    a->n_ended++;
    if (!c->stopped) {
        feed(c, e->text, e->text_len);
        if (c->parser && ingle_chat_parser_finish(c->parser, NULL)) a->failed = true;
        tell_fresh(c);
    }
    if (c->stopped) return;
    tell_held(c);
    if (open_call(c)) end_call(c, true);
    a->n_done++;
    c->finish = e->finish;
    c->i_stop = a->generation->n_stops;
    tell(c, (part){.kind = PART_FINISH});
}

void answer_take(answer *a, const ingle_event *e)
{
    answer_choice *c = e->i_choice < a->n ? &a->choices[e->i_choice] : NULL;
    if (!c || c->ended) return;
    switch (e->kind) {
    case INGLE_EVENT_PROMPT:
        tell(c, (part){.kind = PART_PROGRESS, .n_done = e->n_done, .n_prompt = e->n_prompt});
        return;
    case INGLE_EVENT_TOKEN:
        if (!c->stopped) take_token(c, e);
        return;
    case INGLE_EVENT_END: take_end(c, e); return;
    case INGLE_EVENT_SCORE: return;
    }
}

/* ---- opening --------------------------------------------------------------------------------- */

static ingle_status open_parser(answer_choice *c, const answer_options *opt, ingle_error *err)
{
    const generation *g = opt->generation;
    ingle_chat_parser_options o;
    if (!opt->chat) return INGLE_OK;
    ingle_chat_parser_options_init(&o);
    o.tools = g->tools.n ? g->tools.p : NULL;
    o.n_tools = g->tools.n;
    o.thinks = opt->thinks;
    o.no_tools = g->no_tool_parsing || !g->tools.n;
    o.no_reasoning = g->reasoning == REASONING_NONE;
    o.on_event = on_chat_event;
    o.user = c;
    return ingle_chat_parser_open(&c->parser, opt->chat, &o, err);
}

bool answer_open(answer *a, const answer_options *opt, api_error *e)
{
    ingle_error err = {{0}};
    ingle_status st = INGLE_OK;
    size_t n = (size_t)opt->generation->n;
    *a = (answer){.generation = opt->generation,
                  .model = opt->model,
                  .call_prefix = opt->call_prefix,
                  .on_part = opt->on_part,
                  .user = opt->user};
    a->choices = ingle_new(n, sizeof *a->choices);
    if (!a->choices) return api_fail(e, 503, "out_of_memory", NULL, "no memory for the answer");
    for (; !st && a->n < n; a->n++) {
        answer_choice *c = &a->choices[a->n];
        *c = (answer_choice){.answer = a, .i = a->n, .in_thinking = opt->thinks && opt->chat};
        st = open_parser(c, opt, &err);
    }
    return api_fail_library(e, st, &err, NULL);
}

static void close_choice(answer_choice *c)
{
    ingle_chat_parser_close(&c->parser);
    for (size_t i = 0; i < c->n_calls; i++) {
        bytes_free(&c->calls[i].name);
        bytes_free(&c->calls[i].args);
    }
    bytes_free(&c->text);
    bytes_free(&c->held);
    bytes_free(&c->fresh);
    bytes_free(&c->thinking);
    bytes_free(&c->logprob_text);
    bytes_free(&c->custom);
    free(c->calls);
    free(c->tokens);
    free(c->logprobs);
    free(c->tops);
}

void answer_close(answer *a)
{
    for (size_t i = 0; i < a->n; i++) close_choice(&a->choices[i]);
    free(a->choices);
    *a = (answer){0};
}

/* ---- the whole of it ------------------------------------------------------------------------- */

static bool has_call(const answer_choice *c)
{
    for (size_t i = 0; i < c->n_calls; i++)
        if (!c->calls[i].bad) return true;
    return false;
}

const char *answer_finish(const answer_choice *c)
{
    switch (c->finish) {
    case INGLE_FINISH_LENGTH: return "length";
    case INGLE_FINISH_TIMEOUT: return "timeout";
    case INGLE_FINISH_STOP: return has_call(c) ? "tool_calls" : "stop";
    case INGLE_FINISH_CANCELLED:
    case INGLE_FINISH_NONE: break;
    }
    return NULL;
}

bool answer_choice_failed(const answer_choice *c)
{
    bool failed = c->text.failed || c->thinking.failed || c->held.failed || c->fresh.failed ||
                  c->logprob_text.failed || c->custom.failed;
    for (size_t i = 0; i < c->n_calls; i++)
        failed = failed || c->calls[i].name.failed || c->calls[i].args.failed;
    return failed;
}

bool answer_failed(const answer *a)
{
    bool failed = a->failed;
    for (size_t i = 0; i < a->n; i++) failed = failed || answer_choice_failed(&a->choices[i]);
    return failed;
}

size_t answer_tokens(const answer *a)
{
    size_t n = 0;
    for (size_t i = 0; i < a->n; i++) n += a->choices[i].n_tokens;
    return n;
}

size_t answer_thinking_tokens(const answer *a)
{
    size_t n = 0;
    for (size_t i = 0; i < a->n; i++) n += a->choices[i].n_thinking;
    return n;
}
