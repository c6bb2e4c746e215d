/* ledger.h - the tokens that answers were made of, so that a history costs only what is new: a client
 * sends back the text of an answer, and templates rarely print the bytes that the model wrote.
 * Owns       turns: a digest of all that led to an answer and of its visible parts, its tokens and its
 *            thinking; and the prompts of late requests, to say where a new one differs.
 * Depends on base/, <ingle.h>. Any thread; one lock.
 * Invariant  at most max_turns turns and max_bytes bytes: those used longest ago go first. A turn is
 *            found by the salt that it was kept with, and by no other. */
#ifndef INGLE_SERVER_LEDGER_H
#define INGLE_SERVER_LEDGER_H

#include "errors.h"

#include <ingle.h>

typedef struct ledger ledger;

/* What beside the messages leads to an answer. Tools and kwargs count as their bytes. */
typedef struct ledger_scope {
    uint64_t salt;              /* of the key */
    uint64_t model;             /* digest of model and template */
    const char *tools, *kwargs; /* JSON; NULL */
    size_t n_tools, n_kwargs;
    ingle_thinking_mode thinking;
    const char *effort; /* "" */
    size_t n_system;    /* of ledger_found: for ledger_compare() only */
} ledger_scope;

/* An answer, as clients see it. */
typedef struct ledger_turn {
    const char *text, *thinking;
    size_t n_text, n_thinking;
    const ingle_string *names, *args; /* [n_calls] of its calls: names, JSON */
    size_t n_calls;
    const int32_t *tokens; /* [n_tokens] without the one that ended it */
    size_t n_tokens;
    bool thinks; /* the prompt ended in the middle of thinking */
} ledger_turn;

/* What is known of a conversation: for ingle_chat_input. */
typedef struct ledger_found {
    ingle_answer *answers; /* [n_answers], with copies of their tokens */
    size_t n_answers;
    char *messages; /* [n_messages] with thinking put back where the client left it out; NULL: none
                       was */
    size_t n_messages;
    uint64_t key[2]; /* of the conversation: for ledger_keep() */
    size_t n_system; /* messages of the system's with which it begins */
} ledger_found;

/* 0: 4096 turns, 64 MiB. */
ingle_status ledger_open(ledger **out, size_t max_turns, size_t max_bytes, ingle_error *err);
void ledger_close(ledger **l);

/* messages: a JSON array. restore: thinking of answers that follow the last user message is put
 * back where they have none. INGLE_EFORMAT; INGLE_EUNSUPPORTED for more JSON than base/json.h reads;
 * INGLE_ENOMEM. A message that is none is no error here: who renders it refuses it.
 *
 * Two conversations are the same where roles, texts, names and arguments of calls are. It makes no
 * difference how arguments are written, whether a text comes whole or in parts, what ids calls have,
 * whether thinking is there, nor white space in the texts of answers, which clients trim and join in
 * their ways; nor a text of the system's that is only "x-anthropic-billing-header: ...". */
ingle_status ledger_find(ledger *l, const ledger_scope *scope, const char *messages,
                         size_t n_messages, bool restore, ledger_found *out, ingle_error *err);
void ledger_found_free(ledger_found *f);
/* An answer to the conversation of that key. Without memory nothing is kept. */
void ledger_keep(ledger *l, const uint64_t key[2], const ledger_turn *turn);

/* Where a prompt differs from those before it. */
typedef struct ledger_miss {
    bool missed;        /* false: all that could be known was, or there is no earlier prompt */
    size_t offset;      /* the first token that differs */
    int32_t message;    /* the message that it lies in; -1: not known */
    const char *reason; /* "system_changed", "tools_changed", "messages_changed", "model_changed",
                           "not_found" */
    int32_t had[16], got[16]; /* what stood there, and stands there now */
    size_t n_had, n_got;
} ledger_miss;
/* Compares a prompt with late ones of the same salt and model, remembers it, and forgets the one that it
 * goes on from. id: of the request; previous: of the one to compare with, NULL: the nearest. At most 64
 * prompts and 32 MiB are remembered; without memory this one is not. */
void ledger_compare(ledger *l, const ledger_scope *scope, const ingle_prompt_info *prompt,
                    const char *id, const char *previous, ledger_miss *out);

typedef struct ledger_counts {
    size_t n_turns, n_bytes;
    uint64_t n_found, n_taken, n_kept;
} ledger_counts;
ledger_counts ledger_counts_get(ledger *l);

#endif
