/* gate_own.h - what the files of gate share: keys (gate_keys.c), names and origins (gate_names.c), the
 * order of the checks (gate.c).
 * Depends on gate.h. */
#ifndef INGLE_SERVER_GATE_OWN_H
#define INGLE_SERVER_GATE_OWN_H

#include "gate.h"

enum { KEY_MAX = 1024, NAME_MAX_BYTES = 255 };

typedef struct known_key {
    char *text; /* [len] and a NUL */
    size_t len;
    gate_key key;
} known_key;

struct gate {
    known_key *keys; /* [n_keys] */
    size_t n_keys, cap_keys;
    char **hosts, **origins; /* [n_hosts], [n_origins] in small letters */
    size_t n_hosts, n_origins;
    bool any_origin;
    bool share_cache;
    char machine[NAME_MAX_BYTES + 1]; /* its name in small letters; "" */
    uint64_t secret[2];
};

/* gate_keys.c */
ingle_status gate_add_key(gate *g, const char *text, size_t len, gate_role role, const char *name,
                          size_t n_name, ingle_error *err);
ingle_status gate_read_keys(gate *g, const char *path, ingle_error *err);
/* The key of these bytes, compared with all of them in a time that depends on n alone; NULL. */
const known_key *gate_find_key(const gate *g, const char *text, size_t n);
void gate_free_keys(gate *g);

/* gate_names.c */
ingle_status gate_take_names(gate *g, const gate_options *opt, ingle_error *err);
void gate_free_names(gate *g);
/* A Host header whose form is right: a name or address, and perhaps a port. */
bool gate_host_is_wellformed(const char *host);
/* Whether requests for this host may come in without a key; local: the address it arrived at. */
bool gate_host_is_ours(const gate *g, const char *host, const char *local);
bool gate_origin_is_allowed(const gate *g, const char *origin, const char *host);

#endif
