/* chat_session.h - `ingle chat` while it runs: the conversation, its forks, what its commands
 * change. Depends on chat.h, chat_edit.h. */
#ifndef INGLE_CLI_CHAT_SESSION_H
#define INGLE_CLI_CHAT_SESSION_H

#include "chat.h"
#include "chat_edit.h"

typedef struct chat_options {
    open_options open;
    sampling_options sampling;
    chat_settings set;
    const char *system, *history;
    arg_list stops;
    int32_t n_predict;
    int overflow; /* chat_overflow; -1: by the terminal */
    bool verbose;
} chat_options;

/* A conversation put aside. */
typedef struct chat_fork {
    char *name;
    chat_messages messages;
    ingle_session *session;
} chat_fork;

typedef struct chat_session {
    const cli_verb *verb;
    chat_options *opt;
    open_handles *h;
    chat_state state;
    chat_show show;
    chat_edit *edit;
    chat_messages messages;
    chat_text pending;     /* of /read: goes before the next message */
    ingle_grammar *schema; /* of /schema: state.grammar; NULL: none */
    grammar_source form;   /* its text: state.form */
    char *schema_name;
    char **kept; /* [n_kept] values of /set that options point to */
    size_t n_kept;
    chat_fork *forks;
    size_t n_forks;
    bool failed;      /* a turn or a command did */
    bool ended;       /* /exit */
    bool noted_calls; /* nothing answers them: it was said */
} chat_session;

enum { CHAT_N_LENGTH = 3 };
extern const arg_option chat_rows_length[CHAT_N_LENGTH]; /* -n --overflow --stop */
/* The rows that /set takes. */
enum { CHAT_SET_GROUPS = 3 }; /* sampling, length, thinking */
extern const arg_group chat_set_groups[CHAT_SET_GROUPS];

/* What the options come to, with what family and file recommend; the exit code. */
int chat_settle(chat_session *s);
/* Answers the last message. On failure the turn is taken back, but a part that was answered stays
 * after Ctrl+C. */
bool chat_take_turn(chat_session *s);
/* Answers message i_user, the last of a user, in place of what follows it. On failure nothing has
 * changed, but a part that was answered stays after Ctrl+C. */
bool chat_answer_again(chat_session *s, size_t i_user);
/* chat_state.ask_drop and .result: of who sits at the terminal, or of the program of --tool-cmd. */
bool chat_ask_drop(void *session, size_t n_tokens);
bool chat_get_result(void *session, const chat_call *call, chat_text *result);
/* line begins with a slash. */
void chat_command(chat_session *s, char *line);
void chat_forks_free(chat_session *s);

#endif
