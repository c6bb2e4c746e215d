/* grammars.h - the options that say what an output may be, and the grammar that they come to.
 * Owns       the texts of files, until grammar_source_free().
 * Depends on args.h, out.h, platform.h, <ingle.h>. */
#ifndef INGLE_CLI_GRAMMARS_H
#define INGLE_CLI_GRAMMARS_H

#include "args.h"

typedef struct grammar_settings {
    const char *gbnf, *gbnf_file, *schema, *schema_file, *regex;
    arg_list choices, refs, triggers;
    bool json_object, lenient, any_order, compact;
} grammar_settings;

enum { GRAMMAR_N_ROWS = 12 };
extern const arg_option grammar_rows[GRAMMAR_N_ROWS];

void grammar_settings_free(grammar_settings *set);

/* What is given: one of the kinds, with its text. */
typedef enum grammar_kind {
    GRAMMAR_NONE,
    GRAMMAR_GBNF,
    GRAMMAR_SCHEMA,
    GRAMMAR_JSON_OBJECT,
    GRAMMAR_REGEX,
    GRAMMAR_CHOICE
} grammar_kind;

typedef struct grammar_source {
    grammar_kind kind;
    const char *what; /* for messages: the file, or the option */
    char *text;       /* [len] */
    size_t len;
    ingle_string *choices; /* [n_choices] of text */
    size_t n_choices;
    ingle_grammar_options opt;
    ingle_document *documents;
    ingle_string *triggers;
} grammar_source;

/* Sees that the options go together, and reads their files. `input` says what standard input is read
 * for already, or NULL. The exit code; what is wrong is on standard error. No grammar was asked for:
 * GRAMMAR_NONE. */
int grammar_source_read(grammar_source *s, const cli_verb *verb, const grammar_settings *set,
                        const char *input);
/* Compiles it; model may be NULL. Keywords that a lenient opening left out are listed on standard
 * error. */
ingle_status grammar_open(ingle_grammar **out, const grammar_source *s, ingle_model *model,
                          ingle_error *err);
/* Whether it is a grammar at all, as far as can be said without a vocabulary: before a large model is
 * read. */
ingle_status grammar_check(const grammar_source *s, ingle_error *err);
void grammar_source_free(grammar_source *s);

/* Whether a value is the grammar or schema itself, and no file's name. */
bool grammar_is_text(const char *value);

/* ---- how far an output has come -------------------------------------------------------------- */

/* NULL where there is no grammar; or no memory, and then nothing is reported. The output's tokens go to
 * ingle_grammar_state_accept(). */
ingle_grammar_state *grammar_watch(const ingle_grammar *grammar);
/* Whether the output, as far as it has come, is no text of the grammar. */
bool grammar_unfinished(ingle_grammar_state *watch);
/* Says so on standard error. */
void grammar_note_unfinished(size_t n_tokens);

#endif
