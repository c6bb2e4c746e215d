/* gate.h - who may ask for what: Host and Origin (other people's web pages), keys and their roles.
 * Owns       rules and keys; immutable after opening.
 * Depends on errors.h. Knows no socket: a request is given as its headers. */
#ifndef INGLE_SERVER_GATE_H
#define INGLE_SERVER_GATE_H

#include "errors.h"

typedef enum gate_role { GATE_PUBLIC, GATE_METRICS, GATE_USER, GATE_ADMIN } gate_role;

typedef struct gate_key {
    char name[64]; /* for logs; "" if there are no keys */
    gate_role role;
    uint64_t
        salt; /* of its prefix cache: its own, or 0 if caches are shared or there are no keys */
} gate_key;

typedef struct gate_options {
    const char *const *keys; /* [n_keys] of role user, those of the command line */
    size_t n_keys;
    const char *key_file;     /* lines "KEY [ROLE [NAME]]", '#' comments; NULL */
    const char *const *hosts; /* [n_hosts] allowed beside the built-in ones */
    size_t n_hosts;
    const char *const *origins; /* [n_origins]; "*" needs a key */
    size_t n_origins;
    bool share_cache;
} gate_options;

typedef struct gate gate;

/* INGLE_EINVAL, INGLE_ENOTFOUND, INGLE_EFORMAT: the text names the option, or file and line. */
ingle_status gate_open(gate **out, const gate_options *opt, ingle_error *err);
void gate_close(gate **g);
bool gate_has_keys(const gate *g);

/* What of a request the gate looks at. Texts may be NULL: no such header. */
typedef struct gate_request {
    const char *method, *path;
    const char *host, *origin, *fetch_site; /* Host, Origin, Sec-Fetch-Site */
    const char *authorization, *x_api_key;
    const char *transfer_encoding, *content_length, *content_encoding;
    size_t n_host, n_authorization, n_x_api_key, n_transfer_encoding, n_content_length;
    const char *local; /* address the connection arrived at; "" */
    bool unix_socket, loopback, http10;
    gate_role needs; /* what the endpoint asks for */
} gate_request;

typedef struct gate_verdict {
    gate_key key; /* whose request it is */
    bool reflect; /* the answer carries Access-Control-Allow-Origin with the request's */
    bool close;   /* and the connection is closed */
} gate_verdict;

/* True: it passes. False: *e says why. */
bool gate_check(const gate *g, const gate_request *q, gate_verdict *out, api_error *e);

#endif
