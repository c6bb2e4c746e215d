/* chat_turn.c - one answer: what the session can keep, the request, the answer taken apart. See
 * chat.h. */
#include "chat.h"
#include "grammars.h"
#include "platform.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define AT(field) offsetof(chat_settings, field)

static const arg_choice THINKING[] = {{"auto", INGLE_THINKING_AUTO},
                                      {"on", INGLE_THINKING_ON},
                                      {"off", INGLE_THINKING_OFF},
                                      {NULL, 0}};

static const arg_choice TEMPLATES[] = {{"model", INGLE_TEMPLATE_MODEL},
                                       {"plain", INGLE_TEMPLATE_PLAIN},
                                       {"model-or-plain", INGLE_TEMPLATE_MODEL_OR_PLAIN},
                                       {NULL, 0}};

const arg_option chat_rows[CHAT_N_ROWS] = {
    {"--tools", "FILE", ARG_STRING, AT(tools_file), 0, 0, NULL,
     "tools that the model may call: a JSON array as OpenAI's chat completions take it"},
    {"--tool-cmd", "PROGRAM", ARG_STRING, AT(tool_command), 0, 0, NULL,
     "answer calls by running PROGRAM NAME, the arguments as JSON on its standard input; what it "
     "prints is the result"},
    {"--no-tool-grammar", NULL, ARG_FLAG, AT(no_tool_grammar), 0, 0, NULL,
     "calls are what the model writes; else their names are those of tools, and their arguments "
     "are "
     "valid for the tools' schemas"},
    {"--chat-template-file", "FILE", ARG_STRING, AT(template_file), 0, 0, NULL,
     "the chat template in FILE in place of the model's own"},
    {"--chat-template", "WHICH", ARG_CHOICE, AT(template_choice), 0, 0, TEMPLATES,
     "how messages are written: model, as the model's template has it; plain, as lines "
     "'ROLE: TEXT', for models that have none; model-or-plain, plain if the model's is missing or "
     "faulty (default model)"},
    {"--chat-family", "NAME", ARG_STRING, AT(family), 0, 0, NULL,
     "how calls and thinking are written, and what is recommended: a family's name, such as qwen3, "
     "in place of the one that is found"},
    {"--thinking", "HOW", ARG_CHOICE, AT(thinking), 0, 0, THINKING,
     "whether answers begin with thinking, of models that have the switch: auto, on or off "
     "(default auto: as the template has it)"},
    {"--effort", "LEVEL", ARG_STRING, AT(effort), 0, 0, NULL,
     "how much thinking, of models that know levels, such as low, medium, high"},
    {"--reasoning-budget", "N", ARG_INT, AT(n_thinking), -1, ARG_MAX, NULL,
     "most tokens of thinking in an answer; then it is closed, and the answer goes on; 0: none; "
     "-1: "
     "any number (default -1)"},
    {"--show-thinking", NULL, ARG_FLAG, AT(show_thinking), 0, 0, NULL,
     "print the thinking too where standard output is no terminal, in brackets"},
};

enum { MOST_STOPS = 64, MOST_PIECE = 1024 };

/* ---- opening --------------------------------------------------------------------------------- */

int chat_state_open(chat_state *c)
{
    ingle_chat_options opt;
    ingle_error err = {{0}};
    char *template = NULL;
    const char *file = c->set->template_file;
    ingle_chat_options_init(&opt);
    opt.family = c->set->family;
    opt.template_choice = (ingle_template_choice)c->set->template_choice;
    if (file && opt.template_choice) {
        out_error("options '--chat-template' and '--chat-template-file' exclude each other");
        return EXIT_USAGE;
    }
    if (file && !platform_read_all(file, &template, &opt.n_template)) {
        out_error("cannot read the template from %s: %s", file, strerror(errno));
        return EXIT_USAGE;
    }
    opt.template_text = template;
    ingle_status status = ingle_chat_open(&c->chat, c->h->model, &opt, &err);
    free(template);
    c->info.size = sizeof c->info;
    if (status == INGLE_OK) status = ingle_chat_info_get(c->chat, &c->info, &err);
    if (status != INGLE_OK) {
        c->h->status = status;
        open_failed(file ? file : c->h->path, status, &err);
        if (status == INGLE_ENOTFOUND)
            out_note("--chat-template-file FILE gives it one, --chat-template plain writes lines "
                     "'ROLE: TEXT'; 'ingle run' continues plain text");
        return file || c->set->family ? EXIT_USAGE : EXIT_MODEL;
    }
    if (c->info.plain && c->set->template_choice == INGLE_TEMPLATE_MODEL_OR_PLAIN)
        out_note("%s: no chat template that works: messages are lines 'ROLE: TEXT'", c->h->path);
    if (c->set->tools_file && !chat_tools_read(c->set->tools_file, &c->tools)) return EXIT_USAGE;
    return EXIT_DONE;
}

bool chat_thinks(const chat_state *c)
{
    ingle_thinking_mode mode = (ingle_thinking_mode)c->set->thinking;
    return mode == INGLE_THINKING_ON || (mode == INGLE_THINKING_AUTO && c->info.thinks);
}

const char *chat_refuses(const chat_state *c)
{
    if (c->set->n_thinking >= 0 && !c->info.thinks)
        return "models of this family do not think, which excludes '--reasoning-budget'";
    if (!c->grammar || !c->tools.n) return NULL;
    if (c->waits) return "an answer that waits for a trigger has no calls: it excludes tools";
    if (c->set->no_tool_grammar)
        return "an answer that is constrained has calls that are: it excludes '--no-tool-grammar'";
    return NULL;
}

void chat_state_close(chat_state *c)
{
    ingle_grammar_close(&c->used);
    ingle_chat_close(&c->chat);
    chat_text_free(&c->tools);
}

ingle_status chat_render(const chat_state *c, const chat_messages *m, ingle_prompt **out,
                         ingle_prompt_info *info, ingle_error *err)
{
    ingle_chat_input in;
    chat_text json = {0};
    ingle_status status = INGLE_ENOMEM;
    if (!chat_messages_json(m, &json)) goto end;
    ingle_chat_input_init(&in);
    in.messages = json.p;
    in.n_messages = json.n;
    in.tools = c->tools.n ? c->tools.p : NULL;
    in.n_tools = c->tools.n;
    in.thinking = (ingle_thinking_mode)c->set->thinking;
    in.effort = c->set->effort;
    status = ingle_chat_render(out, c->chat, &in, err);
    if (status != INGLE_OK) goto end;
    info->size = sizeof *info;
    status = ingle_prompt_info_get(*out, info, err);
    if (status != INGLE_OK) ingle_prompt_close(out);
end:
    chat_text_free(&json);
    return status;
}

/* ---- what the session keeps ------------------------------------------------------------------ */

typedef struct piece {
    char text[MOST_PIECE];
    size_t n;
} piece;

/* Adds a token's bytes; false if it is a control token, or they are too many. */
static bool add_token(const ingle_model *model, piece *p, int32_t token)
{
    ingle_token_info info = {.size = sizeof info};
    size_t n = 0;
    if (ingle_token_info_get(model, token, &info, NULL) != INGLE_OK || info.control) return false;
    if (ingle_detokenize(model, &token, 1, INGLE_UNPARSE_SPECIAL | INGLE_CONTINUE, p->text + p->n,
                         sizeof p->text - p->n, &n, NULL) != INGLE_OK)
        return false;
    p->n += n;
    return n > 0;
}

typedef struct timeline {
    const int32_t *tokens;
    size_t n, i; /* i: read so far */
} timeline;

/* Reads both on until they have said the same bytes; false if they do not. */
static bool read_same(const ingle_model *model, timeline *a, timeline *b)
{
    piece x = {.n = 0}, y = {.n = 0};
    do {
        timeline *t = x.n <= y.n ? a : b;
        if (t->i == t->n || !add_token(model, t == a ? &x : &y, t->tokens[t->i++])) return false;
        if (memcmp(x.text, y.text, x.n < y.n ? x.n : y.n) != 0) return false;
    } while (x.n != y.n);
    return true;
}

/* The first *kept tokens of the session say what the first *same of the prompt do. A model may have
 * written words in other tokens than the tokenizer makes of them; its own are kept. */
static void find_kept(const ingle_model *model, timeline held, timeline prompt, size_t *kept,
                      size_t *same)
{
    *kept = *same = 0;
    while (held.i < held.n && prompt.i < prompt.n) {
        if (held.tokens[held.i] == prompt.tokens[prompt.i]) held.i++, prompt.i++;
        else if (!read_same(model, &held, &prompt)) return;
        *kept = held.i;
        *same = prompt.i;
    }
}

/* ---- the answer taken apart ------------------------------------------------------------------ */

typedef struct collector {
    chat_state *c;
    chat_answer *a;
    const chat_sink *sink;
    ingle_grammar_state *watch; /* NULL: no grammar */
    bool failed;
} collector;

static void begin_call(collector *k, const ingle_chat_event *e)
{
    chat_answer *a = k->a;
    char id[24]; /* nine letters and digits, which some templates insist on */
    chat_call *calls = realloc(a->calls, (a->n_calls + 1) * sizeof *calls);
    if (!calls) {
        k->failed = true;
        return;
    }
    a->calls = calls;
    chat_call *call = &calls[a->n_calls++];
    *call = (chat_call){0};
    snprintf(id, sizeof id, "c%08llu", (unsigned long long)k->c->n_calls++ % 100000000);
    if (e->id_len) chat_text_add(&call->id, e->id, e->id_len);
    else chat_text_add(&call->id, id, strlen(id));
    chat_text_add(&call->name, e->text, e->text_len);
}

/* A call that is not whole was text. */
static void undo_call(chat_answer *a)
{
    chat_call *call = &a->calls[--a->n_calls];
    chat_text_add(&a->content, chat_text_get(&call->name), call->name.n);
    chat_text_add(&a->content, " ", 1);
    chat_text_add(&a->content, chat_text_get(&call->arguments), call->arguments.n);
    chat_text_free(&call->id);
    chat_text_free(&call->name);
    chat_text_free(&call->arguments);
    a->bad = true;
}

static void end_call(chat_answer *a, const ingle_chat_event *e)
{
    if (!a->n_calls) return;
    chat_call *call = &a->calls[a->n_calls - 1];
    if (e->id_len) {
        chat_text_clear(&call->id);
        chat_text_add(&call->id, e->id, e->id_len);
    }
    if (!call->arguments.n) chat_text_add(&call->arguments, "{}", 2);
    if (e->bad) undo_call(a);
}

static void collect(void *user, const ingle_chat_event *e)
{
    collector *k = user;
    chat_answer *a = k->a;
    switch (e->kind) {
    case INGLE_CHAT_REASONING: chat_text_add(&a->reasoning, e->text, e->text_len); break;
    case INGLE_CHAT_CONTENT: chat_text_add(&a->content, e->text, e->text_len); break;
    case INGLE_CHAT_CALL_BEGIN: begin_call(k, e); break;
    case INGLE_CHAT_CALL_ARGS:
        if (a->n_calls) chat_text_add(&a->calls[a->n_calls - 1].arguments, e->text, e->text_len);
        break;
    case INGLE_CHAT_CALL_END: end_call(a, e); break;
    }
    k->failed = k->failed || a->content.failed || a->reasoning.failed;
    if (k->sink) k->sink->on_part(k->sink->user, e);
}

/* ---- the request ----------------------------------------------------------------------------- */

typedef struct request_parts {
    ingle_generate_options gen;
    ingle_sampler_options sampling;
    ingle_stop stops[MOST_STOPS];
    size_t *marks;
} request_parts;

static void add_stop(request_parts *r, const char *text)
{
    if (r->gen.n_stops < MOST_STOPS) r->stops[r->gen.n_stops++] = (ingle_stop){text, strlen(text)};
}

/* same: how much of the prompt is there already. */
static bool fill_request(request_parts *r, const chat_state *c, const ingle_prompt_info *prompt,
                         size_t same)
{
    ingle_generate_options_init(&r->gen);
    r->gen.max_tokens = c->max_tokens;
    r->gen.grammar = c->used ? c->used : c->grammar;
    if (c->set->n_thinking >= 0) r->gen.chat = c->chat;
    r->gen.n_thinking = c->set->n_thinking;
    r->gen.thinks = prompt->thinks;
    r->sampling = *c->sampling;
    r->sampling.seed += c->n_answers;
    r->gen.sampling = &r->sampling;
    r->gen.stops = r->stops;
    for (size_t i = 0; i < c->info.n_stops; i++) add_stop(r, c->info.stops[i]);
    for (size_t i = 0; i < c->stops->n; i++) add_stop(r, c->stops->items[i]);
    r->marks = malloc((prompt->n_marks + 1) * sizeof *r->marks);
    if (!r->marks) return false;
    for (size_t i = 0; i < prompt->n_marks; i++)
        if (prompt->marks[i] > same) r->marks[r->gen.n_marks++] = prompt->marks[i] - same;
    r->gen.marks = r->marks;
    return true;
}

static void watch_event(collector *k, const ingle_event *e)
{
    if (!k->watch) return;
    if (e->kind == INGLE_EVENT_TOKEN) ingle_grammar_state_accept(k->watch, e->token, NULL);
    if (e->kind == INGLE_EVENT_END) k->a->unfinished = grammar_unfinished(k->watch);
}

/* Reads all events. Ctrl+C cancels, once. */
static ingle_status pull(ingle_request *request, ingle_chat_parser *parser, collector *k,
                         ingle_error *err)
{
    bool cancelled = false;
    for (;;) {
        ingle_event e = {.size = sizeof e};
        ingle_status status = ingle_request_next(request, -1, &e, err);
        if (status != INGLE_OK) return status;
        if (e.kind == INGLE_EVENT_PROMPT && e.n_prompt && k->sink)
            k->sink->on_progress(k->sink->user, (double)e.n_done / (double)e.n_prompt);
        watch_event(k, &e);
        if (e.text_len) status = ingle_chat_parser_feed(parser, e.text, e.text_len, err);
        if (status == INGLE_OK && k->failed) status = INGLE_ENOMEM;
        if (status != INGLE_OK) return status;
        if (e.kind == INGLE_EVENT_END) {
            k->a->finish = e.finish;
            k->a->usage = e.usage;
            return ingle_chat_parser_finish(parser, err);
        }
        if (platform_interrupted() && !cancelled) {
            cancelled = true;
            if ((status = ingle_request_cancel(request, err)) != INGLE_OK) return status;
        }
    }
}

static ingle_status open_parser(chat_state *c, const ingle_prompt_info *prompt, collector *k,
                                ingle_chat_parser **out, ingle_error *err)
{
    ingle_chat_parser_options opt;
    ingle_chat_parser_options_init(&opt);
    opt.tools = c->tools.n ? c->tools.p : NULL;
    opt.n_tools = c->tools.n;
    opt.no_tools = c->tools.n == 0;
    opt.thinks = prompt->thinks;
    opt.on_event = collect;
    opt.user = k;
    return ingle_chat_parser_open(out, c->chat, &opt, err);
}

static const ingle_answer_form forms[] = {
    [GRAMMAR_NONE] = INGLE_ANSWER_ANY,      [GRAMMAR_GBNF] = INGLE_ANSWER_GBNF,
    [GRAMMAR_SCHEMA] = INGLE_ANSWER_SCHEMA, [GRAMMAR_JSON_OBJECT] = INGLE_ANSWER_JSON,
    [GRAMMAR_REGEX] = INGLE_ANSWER_REGEX,   [GRAMMAR_CHOICE] = INGLE_ANSWER_CHOICE};

static void set_form(ingle_tools_options *opt, const grammar_source *s)
{
    opt->form = forms[s->kind];
    opt->grammar = &s->opt;
    if (s->kind == GRAMMAR_CHOICE) {
        opt->choices = s->choices;
        opt->n_choices = s->n_choices;
    } else if (s->kind != GRAMMAR_JSON_OBJECT) {
        opt->schema = s->text ? s->text : "";
        opt->n_schema = s->len;
    }
}

/* What the answer to this prompt may be: calls of the tools, and a text of the form if there is one.
 * Without a form the answer is free where there can be no calls, and that is said once. */
static ingle_status open_used(chat_state *c, const ingle_prompt_info *prompt, ingle_error *err)
{
    ingle_tools_options opt;
    bool formed = c->grammar && !c->waits;
    ingle_grammar_close(&c->used);
    if (!formed && (!c->tools.n || c->set->no_tool_grammar)) return INGLE_OK;
    ingle_tools_options_init(&opt);
    opt.lenient = true;
    opt.thinks = prompt->thinks;
    if (formed) set_form(&opt, c->form);
    ingle_status status = ingle_grammar_open_tools(
        &c->used, c->chat, c->tools.n ? c->tools.p : NULL, c->tools.n, &opt, err);
    if (formed || (status != INGLE_EUNSUPPORTED && status != INGLE_EFORMAT)) return status;
    if (!c->noted_tools) out_note("calls of tools are not constrained: %s", err->text);
    c->noted_tools = true;
    return INGLE_OK;
}

/* Whether the answer can be constrained as it is set. */
static ingle_status check_settings(const chat_state *c, ingle_error *err)
{
    const char *why = chat_refuses(c);
    if (!why) return INGLE_OK;
    snprintf(err->text, sizeof err->text, "%s", why);
    return INGLE_EUNSUPPORTED;
}

ingle_status chat_answer_to(chat_state *c, const ingle_prompt_info *prompt, const chat_sink *sink,
                            chat_answer *a, ingle_error *err)
{
    collector k = {.c = c, .a = a, .sink = sink};
    request_parts r = {.marks = NULL};
    ingle_chat_parser *parser = NULL;
    ingle_request *request = NULL;
    timeline held = {0}, whole = {.tokens = prompt->tokens, .n = prompt->n_tokens};
    size_t kept, same;

    *a = (chat_answer){.n_prompt = prompt->n_tokens, .constrained = c->grammar};
    ingle_status status = check_settings(c, err);
    if (status != INGLE_OK) goto end;
    status = ingle_session_tokens(c->h->session, &held.tokens, &held.n, err);
    if (status != INGLE_OK) goto end;
    find_kept(c->h->model, held, whole, &kept, &same);
    if (kept < held.n) status = ingle_session_truncate(c->h->session, kept, err);
    if (status == INGLE_OK) status = open_parser(c, prompt, &k, &parser, err);
    if (status == INGLE_OK) status = open_used(c, prompt, err);
    if (status == INGLE_OK && !fill_request(&r, c, prompt, same)) status = INGLE_ENOMEM;
    if (status != INGLE_OK) goto end;
    if (c->grammar) k.watch = grammar_watch(r.gen.grammar);
    status = ingle_request_start(&request, c->h->session, prompt->tokens + same,
                                 prompt->n_tokens - same, &r.gen, err);
    if (status == INGLE_OK) status = pull(request, parser, &k, err);
    if (status == INGLE_OK) c->n_answers++;
end:
    ingle_request_close(&request);
    ingle_chat_parser_close(&parser);
    ingle_grammar_state_close(&k.watch);
    free(r.marks);
    if (status != INGLE_OK) chat_answer_free(a);
    return status;
}
