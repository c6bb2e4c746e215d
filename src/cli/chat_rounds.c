/* chat_rounds.c - answers until one has no calls: room in the context, results of tools. See
 * chat.h. */
#include "chat.h"
#include "grammars.h"
#include "platform.h"

#include <errno.h>
#include <string.h>

/* ---- room ------------------------------------------------------------------------------------ */

static size_t room_for_answer(const chat_state *c)
{
    size_t quarter = (size_t)c->h->engine_info.n_ctx / 4;
    if (c->max_tokens < 0 || (size_t)c->max_tokens > quarter) return quarter;
    return (size_t)c->max_tokens;
}

/* The oldest turn, after a system message; false if it is the last one. */
static bool drop_turn(chat_messages *m, size_t *n_dropped)
{
    size_t from = m->n && m->items[0].role == CHAT_SYSTEM, to = from + 1;
    while (to < m->n && m->items[to].role != CHAT_USER) to++;
    if (to >= m->n) return false;
    chat_messages_remove(m, from, to);
    *n_dropped += to - from;
    return true;
}

typedef struct rendering {
    ingle_prompt *prompt;
    ingle_prompt_info info;
} rendering;

static ingle_status render_again(const chat_state *c, const chat_messages *m, rendering *r,
                                 ingle_error *err)
{
    ingle_prompt_close(&r->prompt);
    return chat_render(c, m, &r->prompt, &r->info, err);
}

static ingle_status drop(const chat_state *c, chat_messages *m, rendering *r, ingle_error *err)
{
    size_t n_dropped = 0, n_ctx = (size_t)c->h->engine_info.n_ctx;
    ingle_status status = INGLE_OK;
    while (status == INGLE_OK && r->info.n_tokens > n_ctx / 2 && drop_turn(m, &n_dropped))
        status = render_again(c, m, r, err);
    if (n_dropped && status == INGLE_OK)
        out_note("the context was full: the %zu oldest messages are dropped, %zu of %zu tokens are "
                 "left",
                 n_dropped, r->info.n_tokens, n_ctx);
    return status;
}

/* Renders, and makes room by the policy. */
static ingle_status render_with_room(const chat_state *c, chat_messages *m, rendering *r,
                                     ingle_error *err)
{
    size_t n_ctx = (size_t)c->h->engine_info.n_ctx, room = room_for_answer(c);
    ingle_status status = render_again(c, m, r, err);
    if (status != INGLE_OK || c->overflow == CHAT_OVERFLOW_NONE) return status;
    if (r->info.n_tokens + room <= n_ctx) return INGLE_OK;
    bool drops = c->overflow == CHAT_OVERFLOW_DROP;
    if (c->overflow == CHAT_OVERFLOW_ASK && c->ask_drop)
        drops = c->ask_drop(c->user, r->info.n_tokens);
    if (drops) status = drop(c, m, r, err);
    if (status != INGLE_OK || r->info.n_tokens + room <= n_ctx) return status;
    snprintf(err->text, sizeof err->text,
             "%zu tokens and an answer do not fit into %zu: /clear begins anew, --overflow drop "
             "forgets the oldest messages, -c makes the context larger",
             r->info.n_tokens, n_ctx);
    return INGLE_EFULL;
}

/* ---- tools ----------------------------------------------------------------------------------- */

static bool add_output(void *user, const char *data, size_t n)
{
    chat_text *result = user;
    chat_text_add(result, data, n);
    return !result->failed && result->n <= CHAT_MOST_FILE;
}

bool chat_run_tool(const chat_state *c, const chat_call *call, chat_text *result)
{
    const char *program = c->set->tool_command, *name = chat_text_get(&call->name);
    int code = 0;
    if (!platform_run(program, name, chat_text_get(&call->arguments), call->arguments.n, add_output,
                      result, &code)) {
        out_error("cannot run %s: %s", program, strerror(errno));
        return false;
    }
    if (result->failed || result->n > CHAT_MOST_FILE) {
        out_error("%s %s: more than %d bytes of result", program, name, CHAT_MOST_FILE);
        return false;
    }
    if (result->n && result->p[result->n - 1] == '\n') result->p[--result->n] = 0;
    if (code == 0) return true;
    out_note("%s %s: exit code %d", program, name, code);
    if (result->n == 0) chat_text_add(result, "error", 5);
    return !result->failed;
}

/* A result for every call of the answer. */
static int add_results(chat_state *c, chat_messages *m, const chat_answer *a)
{
    for (size_t i = 0; i < a->n_calls; i++) {
        chat_text result = {0};
        bool ok = c->result(c->user, &a->calls[i], &result) &&
                  chat_messages_add_result(m, &a->calls[i], chat_text_get(&result), result.n);
        chat_text_free(&result);
        if (!ok) return platform_interrupted() ? EXIT_INTERRUPTED : EXIT_WORK;
    }
    return EXIT_DONE;
}

/* ---- answers --------------------------------------------------------------------------------- */

static void note_end(const chat_state *c, const chat_answer *a)
{
    bool full =
        c->max_tokens < 0 || a->usage.n_generated < (size_t)c->max_tokens; /* else as asked for */
    if (a->finish == INGLE_FINISH_LENGTH && full)
        out_note("the answer was cut: the context of %d tokens is full", c->h->engine_info.n_ctx);
    if (a->unfinished && a->finish != INGLE_FINISH_CANCELLED && c->max_tokens)
        grammar_note_unfinished(a->usage.n_generated);
    if (a->bad) out_note("a call was not whole, and is taken for text");
    if (c->verbose) chat_show_usage(a);
}

static int answer_once(chat_state *c, chat_messages *m, chat_show *show, chat_answer *a)
{
    rendering r = {0};
    ingle_error err = {{0}};
    int code = EXIT_DONE;
    ingle_status status = render_with_room(c, m, &r, &err);
    if (status == INGLE_OK) {
        chat_sink sink = chat_show_sink(show);
        status = chat_answer_to(c, &r.info, &sink, a, &err);
        chat_show_end(show);
    }
    c->h->status = status;
    if (status != INGLE_OK) {
        code = open_failed("chat", status, &err);
    } else if (a->finish == INGLE_FINISH_CANCELLED && a->usage.n_generated == 0) {
        code = EXIT_INTERRUPTED;
    } else {
        note_end(c, a);
        if (!chat_messages_add_answer(m, a)) code = EXIT_WORK;
    }
    ingle_prompt_close(&r.prompt);
    return code;
}

int chat_rounds(chat_state *c, chat_messages *m, chat_show *show, chat_answer *a)
{
    for (int round = 0;; round++) {
        chat_answer_free(a);
        int code = answer_once(c, m, show, a);
        if (code != EXIT_DONE || a->n_calls == 0 || !c->result) return code;
        if (platform_interrupted()) return EXIT_DONE;
        if (round == CHAT_MOST_ROUNDS) {
            out_note("the model called tools %d times in one turn: it is stopped",
                     CHAT_MOST_ROUNDS + 1);
            return EXIT_DONE;
        }
        code = add_results(c, m, a);
        if (code != EXIT_DONE) return code;
    }
}
