/* verbs.h - the program's verbs, one file each; main.c holds the table. */
#ifndef INGLE_CLI_VERBS_H
#define INGLE_CLI_VERBS_H

#include "args.h"

extern const cli_verb cli_verb_run;
extern const cli_verb cli_verb_chat;
extern const cli_verb cli_verb_serve;
extern const cli_verb cli_verb_inspect;
extern const cli_verb cli_verb_tokenize;
extern const cli_verb cli_verb_logits;
extern const cli_verb cli_verb_embed;
extern const cli_verb cli_verb_score;
extern const cli_verb cli_verb_template;
extern const cli_verb cli_verb_grammar;
extern const cli_verb cli_verb_bench;

#endif
