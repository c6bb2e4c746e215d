/* serve_settings.h - the options of `ingle serve`: rows, what they store, and what the server makes of
 * them.
 * Owns       the lists of a serve_settings, and copies of texts (serve_settings_free()).
 * Depends on open.h, sampling.h, server/serve.h.
 * Invariant  bit r of given[g] is set if and only if row r of group g has a value that somebody gave;
 *            from[g][r] says where. */
#ifndef INGLE_CLI_SERVE_SETTINGS_H
#define INGLE_CLI_SERVE_SETTINGS_H

#include "open.h"
#include "sampling.h"

#include "server/serve.h"

enum serve_group {
    SERVE_MODEL,
    SERVE_NAMES,
    SERVE_CHAT,
    SERVE_CONTEXT,
    SERVE_COMPUTE,
    SERVE_SAMPLING,
    SERVE_DEFAULTS,
    SERVE_N_OF_MODEL, /* those before belong to a model, the others to the server */
    SERVE_ADDRESS = SERVE_N_OF_MODEL,
    SERVE_ACCESS,
    SERVE_LIMITS,
    SERVE_OUTPUT,
    SERVE_CONFIG,  /* --config: not in such a file itself */
    SERVE_INSTEAD, /* of serving: only on the command line */
    SERVE_N_GROUPS
};
enum { SERVE_MOST_ROWS = 32 };

typedef struct serve_settings {
    open_options open;
    sampling_options sampling;
    arg_list defaults, answer_grammars;
    arg_list aliases, listen, keys, hosts, origins;
    const char *host, *unix_mode, *tls_cert, *tls_key, *key_file;
    const char *template, *template_file, *family;
    const char *max_body, *max_headers, *log_file, *config;
    const char *reasoning_format, *kwargs, *gbnf, *gbnf_file, *schema, *schema_file;
    int reasoning;
    int32_t n_predict, reasoning_budget;
    bool ignore_eos, no_cache_prompt;
    int32_t port, n_parallel, n_queue;
    int32_t max_connections, max_per_peer, max_json_values; /* 0 = not given, as below */
    float queue_s, request_s, grace_s, headers_s, body_s, body_rate, idle_s, stalled_s;
    bool strict_model, strict, no_restore_thinking, keep_thinking;
    bool insecure, share_cache, verbose, quiet, check, print_api, print_openapi;
    uint64_t given[SERVE_N_GROUPS];
    const char *from[SERVE_N_GROUPS][SERVE_MOST_ROWS]; /* NULL: the command line */
} serve_settings;

#define SERVE_SETTINGS_DEFAULT                                                                     \
    {                                                                                              \
        .open = OPEN_OPTIONS_DEFAULT, .port = 8080, .n_parallel = 8, .n_queue = 512, .grace_s = 30 \
    }

extern const arg_group serve_groups[SERVE_N_GROUPS];
/* serve_peers.c: options of other servers. */
enum { SERVE_N_PEERS = 41 };
extern const peer_option serve_peers[SERVE_N_PEERS];

/* serve_man.c: what ingle-serve(1) has beside the options. */
void serve_man(FILE *f);

/* Frees the lists. */
void serve_settings_free(serve_settings *s);
/* Whether one of these options was given: "--host --port". */
bool serve_settings_has(const cli_verb *verb, const serve_settings *s, const char *names);
/* Where a value came from, for messages: "the command line". */
const char *serve_settings_from(const cli_verb *verb, const serve_settings *s, const char *name);
/* What was given and where, a line each, on standard output; keys are not shown. */
void serve_settings_print(const cli_verb *verb, const serve_settings *s);

/* What the texts of options stand for, which were checked: "32M", "0660". */
size_t serve_size(const char *text);
unsigned serve_mode(const char *text);

#endif
