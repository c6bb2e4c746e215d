/* serve.h - `ingle serve`: one set of weights for many programs, over HTTP.
 * Depends on <ingle.h>, models.h, http.h, gate.h. The program includes this header and no other of this
 * folder. */
#ifndef INGLE_SERVER_SERVE_H
#define INGLE_SERVER_SERVE_H

#include "gate.h"
#include "http.h"
#include "models.h"

typedef struct serve_options {
    const char *const *listen; /* [n_listen] as in listen.h; none: 127.0.0.1:8080 */
    size_t n_listen;
    unsigned unix_mode; /* 0: 0600 */
    bool insecure;      /* other addresses than loopback without a key */
    gate_options gate;
    http_options http;
    models_options models;
    double grace_s;         /* seconds that running requests have after SIGTERM; below 0: 30 */
    double queue_s;         /* --queue-timeout; 0: none */
    double request_s;       /* --request-timeout; 0: none */
    size_t max_json_values; /* 0: 1,000,000 */
    /* An object of members that requests mean if they do not say them, see defaults.h; NULL: none. */
    const char *defaults;
    /* [n_answer_grammars] GBNF. Answers to requests that offer tools, and ask for no grammar
     * themselves, are texts of the first in a conversation without answers, of the second after one
     * answer, and so on; after that of the last: so that tests of agents need no clever model. */
    const ingle_string *answer_grammars;
    size_t n_answer_grammars;
    bool strict; /* unknown fields are refused */
    bool no_restore_thinking, keep_thinking;
    const char *log_file; /* of requests; NULL: standard error; "": none */
    bool quiet;           /* nothing but errors on standard error */
    bool verbose;
} serve_options;

#define SERVE_OPTIONS_DEFAULT                                                                      \
    {                                                                                              \
        .grace_s = -1                                                                              \
    }

/* Serves until a signal ends it. ready(user, addresses): it listens, and the model is loaded. On
 * failure err says why; of a model that cannot be opened, *model_failed is set. */
ingle_status serve_run(const serve_options *opt, void (*ready)(void *user, const char *addresses),
                       void *user, bool *model_failed, ingle_error *err);

/* What serve_run() would refuse before it opens a model: addresses, keys, certificate, defaults,
 * grammars. */
ingle_status serve_check(const serve_options *opt, ingle_error *err);
/* The same of serve_options.defaults alone, also against a model's vocabulary; model may be NULL. */
ingle_status serve_check_defaults(const char *defaults, const ingle_model *model, ingle_error *err);

/* docs/api.md and /openapi.json. */
void serve_print_api(bytes *out);
void serve_print_openapi(bytes *out);

#endif
