/* run.h - what `ingle run` does alike (run_parts.c) for one prompt (run.c), for many (batch.c), for messages
 * (run_chat.c). Depends on open.h, sampling.h, out.h, chat.h. */
#ifndef INGLE_CLI_RUN_H
#define INGLE_CLI_RUN_H

#include "chat.h"
#include "grammars.h"
#include "open.h"
#include "out.h"
#include "sampling.h"

typedef struct run_options {
    open_options open;
    sampling_options sampling;
    grammar_settings grammar;
    ingle_grammar *constraint; /* what they come to; NULL: none */
    const char *prompt, *file;
    arg_list stops;
    int32_t n_predict, logprobs;
    int32_t n_parallel; /* 0: one prompt */
    chat_settings set;
    int format; /* of --chat: 1 is JSON */
    bool chat;
    bool ignore_eos, no_parse_special, echo, json, verbose, unordered;
    bool begun, ended; /* the command line is right; the last event was printed */
} run_options;

enum { RUN_MOST_STOPS = 64 }; /* the library allows fewer */

/* The library's options, but for the callback; stops has room for RUN_MOST_STOPS. */
void run_generate_options(const run_options *opt, ingle_generate_options *gen, ingle_stop *stops);

const char *run_finish_name(ingle_finish finish); /* "stop" */

/* Members of an object that was begun: id, text, and with with_logprob logprob, logit and top. */
void run_put_token(ingle_json_writer *w, const ingle_model *model, const ingle_event *e,
                   bool with_logprob);
/* "complete", of an output that a grammar constrains: whether it is a text of it. */
void run_put_complete(ingle_json_writer *w, ingle_grammar_state *watch);
/* As text where readers with 53-bit numbers would round it. */
void run_put_seed(ingle_json_writer *w, uint64_t seed);

/* batch.c: answers the prompts of standard input, a JSON line each, n_parallel at a time. The
 * engine is open. Returns the exit code; failures were reported. */
int run_batch(const run_options *opt, open_handles *h);

/* run_chat.c: answers the messages in the JSON text. The model is open, the engine is not. The exit
 * code; failures were reported. form: what opt->constraint was made of. */
int run_chat(run_options *opt, const grammar_source *form, open_handles *h, const char *json,
             size_t len);

#endif
