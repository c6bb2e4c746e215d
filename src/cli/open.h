/* open.h - from options to an open model, engine and session; shared by every verb.
 * Depends on args.h, out.h, model_path.h, <ingle.h>. */
#ifndef INGLE_CLI_OPEN_H
#define INGLE_CLI_OPEN_H

#include "args.h"

#include <ingle.h>

/* What the option group open_group_compute stores. */
typedef struct open_options {
    const char *model;  /* -m; NULL: the positional, else the bundled one */
    int32_t n_ctx;      /* -1 = not given */
    int32_t n_batch;    /* 0 = not given */
    int32_t n_threads;  /* 0 = not given */
    int kv, kv_k, kv_v; /* ingle_type; -1 = not given */
    int isa;            /* ingle_isa */
    bool in_place;
    int experts;        /* EXPERTS_PACKED */
    int32_t n_sessions; /* the KV pool is sized for; 0 = one */
    /* A file that the verb will write, and the option that names it; NULL: none. */
    const char *output, *output_option;
    arg_list overrides; /* open_options_free() */
} open_options;

void open_options_free(open_options *opt);

#define OPEN_OPTIONS_DEFAULT                                                                       \
    {                                                                                              \
        .n_ctx = -1, .kv = -1, .kv_k = -1, .kv_v = -1                                              \
    }

/* arg_group.check of open_rows_model */
ingle_status open_check_model(const void *options, const arg_option *row, ingle_error *err);
/* arg_group.check of open_rows_compute: what the library says to the options so far. */
ingle_status open_check_compute(const void *options, const arg_option *row, ingle_error *err);

enum { OPEN_N_MODEL = 2, OPEN_N_COMPUTE = 9 };
extern const arg_option open_rows_model[OPEN_N_MODEL]; /* -m --override-kv */
extern const arg_option
    open_rows_compute[OPEN_N_COMPUTE]; /* -c -b -t --kv -ctk -ctv --isa --in-place --experts */

/* Everything a verb opens; close with open_close(), also after a failure. */
typedef struct open_handles {
    ingle_model *model;
    ingle_model_info info;
    ingle_engine *engine;
    ingle_engine_info engine_info;
    ingle_session *session;
    char path[4096];
    double load_s;
    ingle_status status; /* of what failed last */
} open_handles;

/* The calls below tell on standard error what went wrong and answer the exit code: EXIT_DONE,
 * EXIT_USAGE, EXIT_MODEL, EXIT_WORK or EXIT_INTERRUPTED. */

/* Options that belong together, before anything is opened. */
int open_check(const cli_verb *verb, open_options *opt, const char *positional);
/* Finds the file, and sees that the output is none of the inputs. */
int open_path(open_handles *h, const open_options *opt);
/* The options for opening a model, without progress. */
void open_model_options(const open_options *opt, ingle_model_options *model);
/* Opens what open_path() found, and tells nobody. */
ingle_status open_try(open_handles *h, const open_options *opt, ingle_parts parts,
                      ingle_error *err);
/* Both. */
int open_model(open_handles *h, const open_options *opt, ingle_parts parts);
/* The same of all parts, for what needs logits: a model that makes none is refused, with the verb that
 * is for it. */
int open_generator(open_handles *h, const open_options *opt);
/* The second half of that, of a model that is open. */
int open_check_generates(const open_handles *h);
/* The engine options for an open model. */
void open_engine_options(const open_handles *h, const open_options *opt,
                         ingle_engine_options *engine);
/* Engine and one session; n_ctx_least > 0 raises a context that was not given to hold so many
 * positions. */
int open_engine(open_handles *h, const open_options *opt, int32_t n_ctx_least);
void open_close(open_handles *h);

/* "ingle: what: text" and the exit code for a failed library call. */
int open_failed(const char *what, ingle_status status, const ingle_error *err);

#endif
