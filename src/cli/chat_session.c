/* chat_session.c - what both the chat and its commands do: options that change, a turn. See
 * chat_session.h. */
#include "chat_session.h"
#include "platform.h"

#include <string.h>

#define AT(field)  offsetof(chat_options, field)
#define ROWS(rows) rows, sizeof rows / sizeof *rows

static const arg_choice OVERFLOW[] = {{"ask", CHAT_OVERFLOW_ASK},
                                      {"drop", CHAT_OVERFLOW_DROP},
                                      {"error", CHAT_OVERFLOW_ERROR},
                                      {NULL, 0}};

const arg_option chat_rows_length[CHAT_N_LENGTH] = {
    {"-n --predict --n-predict --max-tokens", "N", ARG_INT, AT(n_predict), -1, ARG_MAX, NULL,
     "most tokens of an answer; -1: until the model ends or the context is full (default -1)"},
    {"--overflow", "HOW", ARG_CHOICE, AT(overflow), 0, 0, OVERFLOW,
     "when the conversation leaves no room for an answer: drop the oldest turns until half of the "
     "context is free, error (the message is not taken), or ask (default on a terminal; else "
     "error)"},
    {"--stop", "TEXT", ARG_LIST, AT(stops), 0, 0, NULL,
     "end an answer before this text; repeatable"},
};

const arg_group chat_set_groups[CHAT_SET_GROUPS] = {
    {"Sampling", ROWS(sampling_rows), AT(sampling), sampling_check,
     offsetof(sampling_options, given)},
    {"Length", ROWS(chat_rows_length), 0, NULL, 0},
    {"Thinking", chat_rows + CHAT_N_ROWS_FIXED, CHAT_N_ROWS - CHAT_N_ROWS_FIXED, AT(set), NULL, 0},
};

/* ---- a turn ---------------------------------------------------------------------------------- */

/* Whether the template takes what is set of thinking; else its words are reported. */
static bool takes_settings(const chat_session *s)
{
    chat_messages probe = {0};
    ingle_prompt *prompt = NULL;
    ingle_prompt_info info;
    ingle_error err = {{0}};
    if (!s->opt->set.thinking && !s->opt->set.effort) return true;
    if (!chat_messages_add(&probe, CHAT_USER, "Hello", 5)) return false;
    ingle_status status = chat_render(&s->state, &probe, &prompt, &info, &err);
    if (status != INGLE_OK) open_failed("chat", status, &err);
    chat_messages_free(&probe);
    ingle_prompt_close(&prompt);
    return status == INGLE_OK;
}

int chat_settle(chat_session *s)
{
    chat_options *opt = s->opt;
    const char *refused = chat_refuses(&s->state);
    bool terminal = chat_edit_terminal(s->edit);
    s->state.max_tokens = opt->n_predict;
    s->state.overflow = opt->overflow;
    if (opt->overflow < 0) s->state.overflow = terminal ? CHAT_OVERFLOW_ASK : CHAT_OVERFLOW_ERROR;
    if (opt->set.show_thinking) s->show.thinking = true;
    if (refused) {
        out_error("%s", refused);
        return EXIT_USAGE;
    }
    if (!takes_settings(s) || !sampling_settle(&opt->sampling)) return EXIT_USAGE;
    return sampling_from_chat(&opt->sampling, s->h->model, s->state.chat, chat_thinks(&s->state),
                              s->h->path);
}

bool chat_ask_drop(void *user, size_t n_tokens)
{
    chat_session *s = user;
    chat_text line = {0};
    char prompt[128];
    snprintf(prompt, sizeof prompt,
             "The context is full (%zu of %d). Drop the oldest turns? [y/N] ", n_tokens,
             s->h->engine_info.n_ctx);
    bool yes = chat_edit_line(s->edit, prompt, &line) == CHAT_TYPED && line.n &&
               (line.p[0] == 'y' || line.p[0] == 'Y');
    chat_text_free(&line);
    return yes;
}

/* From the program of --tool-cmd, else from who sits at the terminal. */
bool chat_get_result(void *user, const chat_call *call, chat_text *result)
{
    chat_session *s = user;
    char prompt[128];
    if (s->opt->set.tool_command) return chat_run_tool(&s->state, call, result);
    snprintf(prompt, sizeof prompt, "result of %.80s: ", chat_text_get(&call->name));
    return chat_edit_line(s->edit, prompt, result) == CHAT_TYPED;
}

/* Once, when tools are first offered and nothing will answer a call. */
static void note_calls(chat_session *s)
{
    if (s->noted_calls || !s->state.tools.n || s->state.result) return;
    s->noted_calls = true;
    out_note("a call of a tool is printed and ends the turn without a result; --tool-cmd PROGRAM "
             "answers calls");
}

static bool answer(chat_session *s)
{
    chat_answer a = {0};
    note_calls(s);
    int code = chat_rounds(&s->state, &s->messages, &s->show, &a);
    chat_answer_free(&a);
    if (chat_edit_terminal(s->edit)) platform_take_interrupt();
    return code == EXIT_DONE;
}

bool chat_take_turn(chat_session *s)
{
    if (answer(s)) return true;
    chat_messages_cut(&s->messages, chat_messages_last_user(&s->messages));
    out_note("the message is taken back");
    s->failed = true;
    return false;
}

bool chat_answer_again(chat_session *s, size_t i_user)
{
    chat_messages before = {0};
    if (!chat_messages_copy(&before, &s->messages)) return false;
    chat_messages_cut(&s->messages, i_user + 1);
    bool ok = answer(s);
    if (!ok) {
        chat_messages failed = s->messages;
        s->messages = before;
        before = failed;
        out_note("the conversation is as it was before");
    }
    chat_messages_free(&before);
    return ok;
}
