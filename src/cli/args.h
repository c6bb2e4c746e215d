/* args.h - the options of a verb as data rows: one parser, one source for help, man page,
 * completion.
 * Owns       nothing but the lists an ARG_LIST option grows (args_list_free()).
 * Depends on <ingle.h> for errors.
 * Invariant  every row is either stored in full or refused with its name; numbers are read to their
 *            last byte and checked against the row's range, or by the library that uses them. */
#ifndef INGLE_CLI_ARGS_H
#define INGLE_CLI_ARGS_H

#include <ingle.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef enum arg_kind {
    ARG_FLAG,   /* bool: set to true; takes no value */
    ARG_INT,    /* int32_t within min..max */
    ARG_SEED,   /* arg_seed: any uint64_t, or -1 for a fresh one */
    ARG_FLOAT,  /* float within min..max */
    ARG_STRING, /* const char * into argv */
    ARG_LIST,   /* arg_list: every use appends */
    ARG_CHOICE  /* int: the value of one of the choices */
} arg_kind;

/* Bounds for "no bound" in a row; both: the library knows the range (arg_group.check). */
#define ARG_MIN (-1e30)
#define ARG_MAX 1e30

typedef struct arg_seed {
    bool given; /* false: draw a fresh one */
    uint64_t value;
} arg_seed;

typedef struct arg_list {
    const char **items; /* into argv */
    size_t n;
} arg_list;

typedef struct arg_choice {
    const char *name; /* NULL ends the table */
    int value;
} arg_choice;

typedef struct arg_option {
    const char *names; /* all spellings, blanks between: "-n --predict --n-predict" */
    const char *value; /* placeholder in help: "N"; NULL for flags */
    arg_kind kind;
    size_t offset; /* of the target within the group's struct */
    double min, max;
    const arg_choice *choices;
    const char *help; /* one or two sentences without a full stop at the end */
} arg_option;

/* Rows under one heading, stored into one struct; shared between verbs. */
typedef struct arg_group {
    const char *title;
    const arg_option *rows;
    size_t n_rows;
    size_t offset; /* of the group's struct within the verb's */
    /* Says no to the value that was just stored in the row, with the library's words; may be NULL. */
    ingle_status (*check)(const void *group_struct, const arg_option *row, ingle_error *err);
    size_t
        given; /* offset in the group's struct of a uint64_t: bit i is set when row i was; 0: none */
} arg_group;

/* An option that other programs have and ours does not. */
typedef enum peer_value { PEER_FLAG, PEER_VALUE, PEER_MAYBE } peer_value;
typedef struct peer_option {
    const char *names;
    peer_value value; /* PEER_MAYBE: one of on, off, auto, 0, 1, if that follows */
    bool accepted;    /* without effect; else it is refused */
    const char *why;  /* a note, or the reason; NULL: nothing to say */
} peer_option;

typedef struct cli_verb {
    const char *name;
    const char *synopsis; /* after the name: "[-m MODEL] [PROMPT]" */
    const char *summary;  /* one line */
    const char *about;    /* paragraphs divided by "\n\n" */
    const arg_group *groups;
    size_t n_groups;
    size_t max_positional;
    const peer_option *peers; /* [n_peers] of this verb alone; they come before those of peers.c */
    size_t n_peers;
    void (*man)(
        FILE *f); /* more sections of its own man page; NULL: it has none, ingle(1) is all */
    int (*main)(const struct cli_verb *verb, int argc, char **argv); /* returns the exit code */
} cli_verb;

typedef enum args_status {
    ARGS_OK,
    ARGS_HELP, /* --help was asked for and printed: leave with 0 */
    ARGS_BAD   /* told on stderr: leave with 2 */
} args_status;

/* Stores argv[0..argc) into target (the verb's struct). positional has room for
 * verb->max_positional; missing ones become NULL. */
args_status args_parse(const cli_verb *verb, void *target, int argc, char **argv,
                       const char **positional);

void args_list_free(arg_list *list);

/* For values from elsewhere, such as the environment and files of settings. */
/* The row of that name ("--port"), and its group; NULL if there is none. */
const arg_option *args_find(const cli_verb *verb, const char *name, size_t len,
                            const arg_group **group);
/* The closest spelling, or "" when nothing is close enough to be a slip of the finger. */
void args_nearest(const cli_verb *verb, const char *name, char *best, size_t cap);
/* Stores a value; a flag takes a word such as on or off. Messages begin with where, as in
 * "INGLE_PORT" or "serve.ini:3: port". */
args_status args_store(const cli_verb *verb, void *target, const arg_group *group,
                       const arg_option *row, const char *where, const char *value);
/* Bytes of the target of such a row. */
size_t args_size(arg_kind kind);

/* peers.c: those of all verbs. NULL if there is none of that name. */
const peer_option *peer_find(const cli_verb *verb, const char *name, size_t len);
const peer_option *peer_at(size_t i); /* NULL past the end */

/* Strict numbers: the whole text, no blanks. */
bool args_parse_i64(const char *text, int64_t *out);
bool args_parse_float(const char *text, float *out);

/* help.c: the same rows as text. */
void help_print(FILE *f, const cli_verb *verb);
void help_print_overview(FILE *f, const cli_verb *const *verbs, size_t n_verbs);
void help_print_man(FILE *f, const cli_verb *const *verbs, size_t n_verbs);
/* The verb's own, ingle-VERB(1); false if it has none. */
bool help_print_man_verb(FILE *f, const cli_verb *verb);
void help_man_text(FILE *f, const char *text); /* as troff, and the end of the line */
bool help_print_completion(FILE *f, const char *shell, const cli_verb *const *verbs,
                           size_t n_verbs);
/* Copies the next blank-divided word of *names into word; false at the end. */
bool help_next_name(const char **names, char *word, size_t cap);

#endif
