/* chat.h - what `ingle chat` and `ingle run --chat` do alike: messages, a turn, how an answer is
 * shown, what tools answer.
 * Owns       messages as JSON texts; answers; buffers. Each has its _free().
 * Depends on <ingle.h>, out.h, sampling.h, base/json.h. Failures are reported on standard error,
 *            but for those that come back as ingle_status. */
#ifndef INGLE_CLI_CHAT_H
#define INGLE_CLI_CHAT_H

#include "args.h"
#include "grammars.h"
#include "open.h"
#include "out.h"
#include "sampling.h"

#include <ingle.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- text that grows (chat_messages.c) ------------------------------------------------------- */

typedef struct chat_text {
    char *p; /* [n], then a NUL; NULL: nothing yet */
    size_t n, cap;
    bool failed; /* there was no memory: something is missing */
} chat_text;

void chat_text_add(chat_text *t, const char *p, size_t n);
void chat_text_clear(chat_text *t);
void chat_text_free(chat_text *t);
const char *chat_text_get(const chat_text *t); /* never NULL */

/* ---- messages (chat_messages.c) -------------------------------------------------------------- */

typedef enum chat_role { CHAT_SYSTEM, CHAT_USER, CHAT_ASSISTANT, CHAT_TOOL } chat_role;

typedef struct chat_message {
    chat_role role;
    char *json; /* [n], an object */
    size_t n;
} chat_message;

typedef struct chat_messages {
    chat_message *items;
    size_t n, cap;
} chat_messages;

typedef struct chat_call {
    chat_text id, name, arguments;
} chat_call;

/* What a model answered. */
typedef struct chat_answer {
    chat_text content, reasoning;
    chat_call *calls;
    size_t n_calls;
    bool bad; /* a call was not whole: content has all that was said */
    bool constrained,
        unfinished; /* by a grammar; content is no text of it, but the beginning of one */
    ingle_finish finish;
    ingle_usage usage;
    size_t n_prompt; /* tokens of the whole prompt */
} chat_answer;

void chat_answer_free(chat_answer *a);

/* False: no memory, which was reported; nothing was added. */
bool chat_messages_add(chat_messages *m, chat_role role, const char *text, size_t len);
bool chat_messages_add_answer(chat_messages *m, const chat_answer *a);
bool chat_messages_add_result(chat_messages *m, const chat_call *call, const char *text,
                              size_t len);
/* Members of an object that was begun: content, reasoning_content, tool_calls. */
void chat_put_answer(ingle_json_writer *w, const chat_answer *a);
void chat_put_calls(ingle_json_writer *w, const chat_answer *a); /* the last of these */
/* Replaces the first message if it is the system's, else puts one there; no text: takes it away. */
bool chat_messages_set_system(chat_messages *m, const char *text, size_t len);
void chat_messages_cut(chat_messages *m, size_t n);                    /* keeps the first n */
void chat_messages_remove(chat_messages *m, size_t from, size_t to);   /* [from, to) */
bool chat_messages_copy(chat_messages *to, const chat_messages *from); /* to is empty */
size_t chat_messages_last_user(const chat_messages *m);                /* n if there is none */
bool chat_messages_json(const chat_messages *m, chat_text *out);       /* as an array */
void chat_messages_free(chat_messages *m);

/* A conversation as JSON text: an array of messages, or an object with the members messages and, if
 * there are any, tools; those come back as text. False: reported, with what's name. */
bool chat_messages_read(const char *what, const char *json, size_t len, chat_messages *m,
                        chat_text *tools);
/* A file that has an array of tools. */
bool chat_tools_read(const char *path, chat_text *tools);

/* ---- a turn (chat_turn.c) -------------------------------------------------------------------- */

/* The options that both verbs have: chat_rows. */
typedef struct chat_settings {
    const char *tools_file, *tool_command, *template_file, *family, *effort;
    int thinking, template_choice; /* ingle_thinking_mode, ingle_template_choice */
    bool show_thinking, no_tool_grammar;
    int32_t n_thinking; /* -1: any number of tokens */
} chat_settings;

enum { CHAT_N_ROWS = 10, CHAT_N_ROWS_FIXED = 6 }; /* those that /set does not take come first */
extern const arg_option chat_rows[CHAT_N_ROWS];

/* What becomes of a conversation that leaves an answer no room: a quarter of the context, or
 * max_tokens if that is less. */
typedef enum chat_overflow {
    CHAT_OVERFLOW_ERROR, /* the turn is not taken */
    CHAT_OVERFLOW_DROP,  /* the oldest turns go until what is left takes half of the context */
    CHAT_OVERFLOW_ASK,   /* whether to drop them */
    CHAT_OVERFLOW_NONE   /* an answer takes what room there is */
} chat_overflow;

typedef struct chat_state {
    open_handles *h;
    ingle_chat *chat;
    ingle_chat_info info;
    const chat_settings *set;
    const ingle_sampler_options *sampling;
    const arg_list *stops;
    int32_t max_tokens;
    int overflow; /* chat_overflow */
    /* What the text of an answer is, after thinking, if it calls nothing; NULL: anything. `grammar` is
     * what it comes to alone: with a trigger all of the answer keeps to that. */
    const grammar_source *form;
    const ingle_grammar *grammar;
    ingle_grammar *used; /* of the last answer; NULL: none */
    bool waits;          /* it has a trigger */
    bool noted_tools;    /* that calls are not constrained, and why */
    bool verbose;        /* what an answer took is printed */
    /* Of the verb, both may be NULL: whether to drop the oldest turns; what a tool answers, false:
     * the turn ends. */
    bool (*ask_drop)(void *user, size_t n_tokens);
    bool (*result)(void *user, const chat_call *call, chat_text *result);
    void *user;
    chat_text tools;    /* JSON; empty: none */
    uint64_t n_answers; /* so far: the next one draws with a seed that is so much further */
    uint64_t n_calls;   /* so far, for ids of those that the model gave none */
} chat_state;

/* Whether answers are expected to think. */
bool chat_thinks(const chat_state *c);
/* Whether what answers may be goes with the settings; NULL, or why not. */
const char *chat_refuses(const chat_state *c);

/* Opens the chat of an open model and reads the tools; the exit code. */
int chat_state_open(chat_state *c);
void chat_state_close(chat_state *c);

/* Where an answer goes while it comes; share of the prompt that is computed, 1 when all is. */
typedef struct chat_sink {
    void (*on_part)(void *user, const ingle_chat_event *e);
    void (*on_progress)(void *user, double share);
    void *user;
} chat_sink;

/* The prompt's tokens; *out is ingle_prompt_close()d. */
ingle_status chat_render(const chat_state *c, const chat_messages *m, ingle_prompt **out,
                         ingle_prompt_info *info, ingle_error *err);
/* Keeps what the session holds of the prompt, computes the rest and answers, until the end or
 * Ctrl+C. On failure a is empty. */
ingle_status chat_answer_to(chat_state *c, const ingle_prompt_info *prompt, const chat_sink *sink,
                            chat_answer *a, ingle_error *err);

/* ---- on the screen (chat_show.c) ------------------------------------------------------------- */

typedef struct chat_show {
    bool terminal; /* standard output: control characters are escaped */
    bool colour;   /* thinking is dimmed; else it stands in brackets */
    bool thinking; /* is shown */
    bool mute;     /* nothing is shown */
    bool in_thinking, in_call;
    char last; /* byte printed; 0: none yet */
    out_progress progress;
} chat_show;

void chat_show_init(chat_show *s, bool thinking);
chat_sink chat_show_sink(chat_show *s);
void chat_show_end(chat_show *s); /* of an answer: the line ends, colours do */
/* "[reused N, computed M, generated K, X t/s]" on standard error, dimmed if that has colours. */
void chat_show_usage(const chat_answer *a);

/* ---- rounds (chat_rounds.c) ------------------------------------------------------------------ */

enum { CHAT_MOST_ROUNDS = 8, CHAT_MOST_FILE = 1 << 20 };

/* What the program of --tool-cmd says to the call. False: reported. */
bool chat_run_tool(const chat_state *c, const chat_call *call, chat_text *result);
/* Answers the messages and appends the answer, and while it has calls, their results and the next
 * answer. *a is the last one. EXIT_INTERRUPTED: Ctrl+C came before the answer's first word. Where
 * the code is not EXIT_DONE, a part of the turn may have been appended. */
int chat_rounds(chat_state *c, chat_messages *m, chat_show *show, chat_answer *a);

#endif
