/* job_generate.c - from a body to a request that runs: on a thread of prep. */
#include "ids.h"
#include "server.h"

#include "base/clock.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

enum { SECONDS_MOST = 600, TAIL_BYTES = 4096 };

static const char *text_or_null(const bytes *b)
{
    return b->n ? b->p : NULL;
}

static bool read_body(job *j)
{
    generation *g = &j->gen;
    const field_table *fields = j->endpoint->fields;
    const defaults *d = j->server->defaults;
    if (!fields_read(&j->reader, fields, j->doc.root, g, NULL)) return false;
    j->model = models_find(j->server->models, g->model, &j->error);
    if (!j->model) return false;
    if (!defaults_fill(d, g, j->doc.root, fields, &j->model->chat_info, &j->reader)) return false;
    if (j->server->opt->keep_thinking) g->keep_thinking = true;
    return j->endpoint->read(j) && defaults_fill_form(d, g, j->doc.root, fields, &j->reader) &&
           !j->error.status;
}

/* ---- the prompt ------------------------------------------------------------------------------ */

static ledger_scope scope_of(const job *j)
{
    const generation *g = &j->gen;
    return (ledger_scope){.salt = j->key.salt,
                          .model = j->model->digest,
                          .tools = text_or_null(&g->tools),
                          .n_tools = g->tools.n,
                          .kwargs = text_or_null(&g->kwargs),
                          .n_kwargs = g->kwargs.n,
                          .thinking = g->thinking,
                          .effort = g->effort};
}

static bool look_up(job *j)
{
    ingle_error err = {{0}};
    const generation *g = &j->gen;
    const ledger_scope scope = scope_of(j);
    bool restore = !j->server->opt->no_restore_thinking;
    ingle_status st = ledger_find(j->server->ledger, &scope, g->messages.p, g->messages.n, restore,
                                  &j->found, &err);
    return api_fail_library(&j->error, st, &err, "messages");
}

/* The template's refusal is the caller's to mend. */
static bool render_failed(job *j, ingle_status st, const ingle_error *err)
{
    return api_fail_library(&j->error, st, err, st == INGLE_ENOMEM ? NULL : "messages");
}

static bool render(job *j, ingle_prompt **out)
{
    ingle_error err = {{0}};
    ingle_chat_input in;
    const generation *g = &j->gen;
    ingle_chat_input_init(&in);
    in.messages = j->found.messages ? j->found.messages : g->messages.p;
    in.n_messages = j->found.messages ? j->found.n_messages : g->messages.n;
    in.tools = text_or_null(&g->tools);
    in.n_tools = g->tools.n;
    in.kwargs = text_or_null(&g->kwargs);
    in.n_kwargs = g->kwargs.n;
    in.thinking = g->thinking;
    in.effort = *g->effort ? g->effort : NULL;
    in.no_answer = g->continues;
    in.answers = j->found.answers; /* whether the prefix is reused or not: the same prompt */
    in.n_answers = j->found.n_answers;
    ingle_status st = ingle_chat_render(out, j->model->chat, &in, &err);
    return !st || render_failed(j, st, &err);
}

/* How many tokens spell the last n bytes of the prompt; SIZE_MAX: no whole number. */
static size_t tokens_of_tail(const ingle_model *model, const ingle_prompt_info *p, size_t n)
{
    char text[TAIL_BYTES];
    size_t k = 0, len;
    while (n && k < p->n_tokens) {
        if (ingle_detokenize(model, &p->tokens[p->n_tokens - ++k], 1,
                             INGLE_UNPARSE_SPECIAL | INGLE_CONTINUE, text, sizeof text, &len,
                             NULL) ||
            len > n)
            return SIZE_MAX;
        n -= len;
    }
    return n ? SIZE_MAX : k;
}

/* An answer that is to go on ends the prompt with its last word: what the template writes after it
 * goes. */
static bool cut_after_answer(job *j, ingle_prompt_info *p)
{
    size_t tail = 0, i = p->n_spans;
    while (i && p->spans[i - 1].trusted) tail += p->spans[--i].length;
    size_t n = i ? tokens_of_tail(j->model->model, p, tail) : SIZE_MAX;
    if (n == SIZE_MAX)
        return api_fail(&j->error, 400, "unsupported_value", "messages",
                        "the model's template has no form in which the last message, an "
                        "assistant's, goes on; end with a message of a user");
    p->n_tokens -= n;
    while (p->n_marks && p->marks[p->n_marks - 1] > p->n_tokens) p->n_marks--;
    p->thinks = false;
    return true;
}

static bool check_length(job *j, const ingle_prompt_info *p)
{
    size_t n_ctx = (size_t)j->model->engine_info.n_ctx;
    j->n_prompt = p->n_tokens;
    if (p->n_tokens < n_ctx || j->gen.overflow == INGLE_OVERFLOW_DROP) return true;
    api_fail(&j->error, 400, "context_length_exceeded", "messages",
             "the prompt has %zu tokens, and the context of this server %zu: shorten it, start the "
             "server with a larger --ctx, or ask with \"truncation\": \"drop\" for whole messages "
             "to be dropped",
             p->n_tokens, n_ctx);
    j->error.n_prompt = p->n_tokens;
    j->error.n_ctx = n_ctx;
    return false;
}

static void compare(job *j, const ingle_prompt_info *p)
{
    ledger_scope scope = scope_of(j);
    scope.n_system = j->found.n_system;
    if (j->gen.no_cache) return;
    ledger_compare(j->server->ledger, &scope, p, j->answer_id, j->gen.anthropic_previous, &j->miss);
    j->has_miss = true;
}

/* The conversation as tokens; the prompt is to be closed by the caller. */
static bool tokenize(job *j, ingle_prompt **prompt, ingle_prompt_info *p)
{
    ingle_error err = {{0}};
    if (!j->model->chat)
        return api_fail(&j->error, 400, "no_chat_template", "model",
                        "the model has no chat template; --chat-template gives it one");
    if (!look_up(j) || !render(j, prompt)) return false;
    p->size = sizeof *p;
    if (!api_fail_library(&j->error, ingle_prompt_info_get(*prompt, p, &err), &err, NULL))
        return false;
    for (size_t i = 0; i < p->n_answers; i++) j->n_answers_taken += p->answers_taken[i];
    return !j->gen.continues || cut_after_answer(j, p);
}

static bool make_prompt(job *j, ingle_prompt **prompt, ingle_prompt_info *p)
{
    if (!tokenize(j, prompt, p)) return false;
    j->thinks = p->thinks;
    if (!check_length(j, p)) return false;
    compare(j, p);
    return true;
}

/* ---- the request ----------------------------------------------------------------------------- */

static bool make_answer(job *j)
{
    const answer_options opt = {.generation = &j->gen,
                                .model = j->model->model,
                                .chat = j->model->chat,
                                .call_prefix = j->endpoint->dialect->call_prefix,
                                .thinks = j->thinks,
                                .on_part = job_part,
                                .user = j};
    j->has_answer = true;
    return answer_open(&j->answer, &opt, &j->error);
}

static double shorter(double a, double b)
{
    return !a ? b : !b ? a : a < b ? a : b;
}

static void fill_options(job *j, const ingle_prompt_info *p, ingle_generate_options *o)
{
    generation *g = &j->gen;
    const serve_options *s = j->server->opt;
    generation_options(g, o);
    o->marks = p->marks;
    o->n_marks = p->n_marks;
    o->cache_salt = j->key.salt;
    o->queue_s = s->queue_s;
    o->deadline_s = shorter(g->timeout_s, s->request_s);
    o->on_ready = job_ready;
    o->user = j;
    if (!j->model->chat_info.thinks) return;
    o->chat = j->model->chat;
    o->thinks = j->thinks;
    o->n_thinking = g->thinking_tokens;
}

/* How long the queue takes that is in front of a request, from what late ones took. */
static double queue_seconds(const job *j)
{
    ingle_stats stats = {.size = sizeof stats};
    if (ingle_engine_stats_get(j->model->engine, &stats, NULL)) return 1;
    double n = (double)(stats.n_running + stats.n_queued),
           at_once = j->model->engine_info.n_parallel;
    double s = 1 + n / at_once * atomic_load(&j->server->mean_s);
    return s > SECONDS_MOST ? SECONDS_MOST : s;
}

static bool start(job *j, const ingle_prompt_info *p, const ingle_generate_options *o)
{
    ingle_error err = {{0}};
    ingle_status st = ingle_session_open(&j->session, j->model->engine, &err);
    if (!st) st = ingle_request_start(&j->request, j->session, p->tokens, p->n_tokens, o, &err);
    if (!st) return true;
    if (st == INGLE_EQUEUE) j->error.retry_after = 0;
    api_fail_library(&j->error, st, &err, NULL);
    if (st == INGLE_EQUEUE) j->error.retry_after = queue_seconds(j);
    if (st == INGLE_EFULL) {
        j->error.n_prompt = p->n_tokens;
        j->error.n_ctx = (size_t)j->model->engine_info.n_ctx;
    }
    return false;
}

static size_t answers_before(const bytes *messages)
{
    ingle_json_doc doc;
    size_t n = 0;
    if (ingle_json_open(&doc, messages->p, messages->n, NULL, NULL)) return 0;
    for (ingle_json_walk m = ingle_json_items(doc.root); ingle_json_step(&m);)
        n += ingle_json_is_text(ingle_json_get(m.value, "role"), "assistant");
    ingle_json_close(&doc);
    return n;
}

/* What the server's own options say of answers that are not narrowed otherwise. */
static bool open_server_grammar(job *j, ingle_grammar **out)
{
    ingle_error err = {{0}};
    const serve_options *s = j->server->opt;
    if (!s->n_answer_grammars || !j->gen.tools.n || j->gen.form != INGLE_ANSWER_ANY) return true;
    size_t i = answers_before(&j->gen.messages);
    const ingle_string *text =
        &s->answer_grammars[i < s->n_answer_grammars ? i : s->n_answer_grammars - 1];
    ingle_grammar_close(out);
    ingle_status st =
        ingle_grammar_open_gbnf(out, j->model->model, text->text, text->len, NULL, &err);
    return api_fail_library(&j->error, st, &err, NULL);
}

/* Texts with which the family ends its answers. They end thinking and calls too. */
static bool add_family_stops(job *j, ingle_generate_options *o, ingle_stop **stops)
{
    const ingle_chat_info *info = &j->model->chat_info;
    if (!j->model->chat || !info->n_stops) return true;
    *stops = ingle_new(info->n_stops, sizeof **stops);
    if (!*stops) return api_fail(&j->error, 503, "out_of_memory", NULL, "no memory for a request");
    for (size_t i = 0; i < info->n_stops; i++)
        (*stops)[i] = (ingle_stop){info->stops[i], strlen(info->stops[i])};
    o->stops = *stops;
    o->n_stops = info->n_stops;
    return true;
}

static bool start_with(job *j, const ingle_prompt_info *p)
{
    ingle_grammar *grammar = NULL;
    ingle_stop *stops = NULL;
    ingle_generate_options o;
    const served_model *m = j->model;
    generation *g = &j->gen;
    bool ok =
        generation_sampling(g, j->doc.root, m->chat, m->model, j->thinks, &j->error) &&
        generation_grammar(g, &grammar, m->chat, m->model, &m->chat_info, j->thinks, &j->reader) &&
        open_server_grammar(j, &grammar) && make_answer(j);
    if (ok) {
        fill_options(j, p, &o);
        o.grammar = grammar;
        ok = add_family_stops(j, &o, &stops) && !atomic_load(&j->gone) && start(j, p, &o);
    }
    free(stops);
    ingle_grammar_close(&grammar);
    return ok;
}

void job_generate(job *j)
{
    ingle_prompt *prompt = NULL;
    ingle_prompt_info p;
    id_new(j->answer_id, sizeof j->answer_id, j->endpoint->dialect->id_prefix);
    if (read_body(j) && make_prompt(j, &prompt, &p)) start_with(j, &p);
    ingle_prompt_close(&prompt);
    ingle_json_close(&j->doc);
}

void job_count(job *j, size_t *n_tokens)
{
    ingle_prompt *prompt = NULL;
    ingle_prompt_info p;
    bool ok = read_body(j) && tokenize(j, &prompt, &p);
    *n_tokens = ok ? p.n_tokens : 0;
    ingle_prompt_close(&prompt);
    ingle_json_close(&j->doc);
}
