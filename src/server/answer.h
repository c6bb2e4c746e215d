/* answer.h - what a model's output is, whatever the dialect: a request's events become thinking, text
 * and calls, piece by piece, and the whole of it.
 * Owns       the parser and the text of every choice.
 * Depends on generation.h, <ingle.h>. */
#ifndef INGLE_SERVER_ANSWER_H
#define INGLE_SERVER_ANSWER_H

#include "generation.h"

/* Log-probability of a token that belongs to visible text. Offsets into `logprob_text`. */
typedef struct answer_logprob {
    int32_t token;
    float logprob;
    size_t text, n_text;
    size_t top, n_top; /* into `tops` */
    size_t end;        /* bytes of visible text when it was there, told or held; 0: it comes now */
} answer_logprob;

typedef struct answer_call {
    char id[40]; /* "call_..." or "toolu_...": unique in the life of the server */
    bytes name, args;
    bool custom;     /* `args` is the tool's raw input */
    bool ended, bad; /* bad: cut off, or not whole */
} answer_call;

typedef struct answer_choice {
    struct answer *answer;
    size_t i;
    ingle_chat_parser *parser; /* NULL: all is text */
    bytes text, thinking;      /* so far */
    bytes held;                /* visible, but a stop may begin in it */
    bytes fresh;               /* of the token that is being taken, not told yet */
    bool fresh_is_thinking;
    answer_call *calls;
    size_t n_calls, cap_calls;
    int32_t *tokens; /* all that were generated, for the ledger */
    size_t n_tokens, cap_tokens;
    size_t n_thinking;        /* tokens of thinking */
    bool in_thinking;         /* what came last was */
    answer_logprob *logprobs; /* of `text` */
    size_t n_logprobs, cap_logprobs;
    bytes logprob_text;
    answer_logprob *tops; /* their alternatives */
    size_t n_tops, cap_tops;
    size_t n_logprobs_told; /* of a stream */
    bool ended;
    bool stopped; /* by a stop string in its visible text: what still comes is no part of it */
    ingle_finish finish;
    size_t i_stop; /* which stop string; n_stops of the generation: none */
    ingle_usage usage;
    bytes custom; /* of a custom call that is being written: its JSON so far */
} answer_choice;

typedef enum part_kind {
    PART_PROGRESS,   /* n_done of n_prompt tokens of the prompt */
    PART_THINKING,   /* text */
    PART_TEXT,       /* text, and logprobs from..to of the choice */
    PART_CALL_BEGIN, /* call */
    PART_CALL_ARGS,  /* call, text */
    PART_CALL_END,   /* call */
    PART_FINISH      /* the choice has ended */
} part_kind;

typedef struct part {
    part_kind kind;
    answer_choice *choice;
    const char *text;
    size_t len;
    size_t i_call;
    answer_call *call;
    size_t from, to; /* PART_TEXT: its logprobs */
    size_t n_done, n_prompt;
} part;

typedef struct answer {
    const generation *generation;
    const ingle_model *model;
    answer_choice *choices; /* [n] */
    size_t n;
    size_t n_ended, n_done;  /* choices whose last event was taken; that nothing is added to */
    const char *call_prefix; /* "call_", "toolu_" */
    void (*on_part)(void *user, const part *p);
    void *user;
    bool failed; /* no memory for all of it */
} answer;

typedef struct answer_options {
    const generation *generation;
    const ingle_model *model;
    ingle_chat *chat; /* NULL: no parser */
    const char *call_prefix;
    bool thinks; /* the prompt ends in the middle of thinking */
    /* What is new, as it is found; may be NULL. */
    void (*on_part)(void *user, const part *p);
    void *user;
} answer_options;

bool answer_open(answer *a, const answer_options *opt, api_error *e);
void answer_close(answer *a);
/* Takes the next event of the request. */
void answer_take(answer *a, const ingle_event *event);

/* "stop", "length", "tool_calls" (length > tool_calls > stop), "timeout"; NULL: it was cancelled. */
const char *answer_finish(const answer_choice *c);
/* Whether some of it found no memory. */
bool answer_failed(const answer *a);
bool answer_choice_failed(const answer_choice *c);
/* Tokens of all choices. */
size_t answer_tokens(const answer *a);
size_t answer_thinking_tokens(const answer *a);

#endif
