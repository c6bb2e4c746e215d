/* gate.c - the checks of a request, in their order: its form, whose page it comes from, its key.
 * Depends on gate_own.h, base/entropy.h. */
#include "gate_own.h"

#include "base/entropy.h"

#include <strings.h>

ingle_status gate_open(gate **out, const gate_options *opt, ingle_error *err)
{
    ingle_error why;
    ingle_status status = INGLE_OK;
    *out = NULL;
    gate *g = calloc(1, sizeof *g);
    if (!g) return ingle_fail(err, INGLE_ENOMEM, "no memory for the gate");
    g->secret[0] = ingle_entropy();
    g->secret[1] = ingle_entropy() | 1;
    g->share_cache = opt->share_cache;
    for (size_t i = 0; !status && i < opt->n_keys; i++) {
        const char *key = opt->keys[i];
        status = gate_add_key(g, key, strlen(key), GATE_USER, "", 0, &why);
        if (status) ingle_fail(err, status, "--api-key: %s", why.text);
    }
    if (!status && opt->key_file) status = gate_read_keys(g, opt->key_file, err);
    if (!status) status = gate_take_names(g, opt, err);
    if (status) gate_close(&g);
    *out = g;
    return status;
}

void gate_close(gate **g)
{
    if (!*g) return;
    gate_free_keys(*g);
    gate_free_names(*g);
    free(*g);
    *g = NULL;
}

bool gate_has_keys(const gate *g)
{
    return g->n_keys > 0;
}

/* ---- form ------------------------------------------------------------------------------------ */

/* Bytes that two programs could read in two ways: a proxy might have let through what it took for
 * something else. */
static bool check_form(const gate_request *q, api_error *e)
{
    const struct {
        const char *name;
        size_t n;
    } single[] = {{"Host", q->n_host},
                  {"Content-Length", q->n_content_length},
                  {"Transfer-Encoding", q->n_transfer_encoding},
                  {"Authorization", q->n_authorization},
                  {"x-api-key", q->n_x_api_key}};
    for (size_t i = 0; i < 5; i++)
        if (single[i].n > 1)
            return api_fail(e, 400, "invalid_header", single[i].name,
                            "the header %s is there %zu times; once at most is right",
                            single[i].name, single[i].n);
    if (q->transfer_encoding && q->content_length)
        return api_fail(e, 400, "invalid_header", "Content-Length",
                        "Content-Length and Transfer-Encoding exclude each other");
    if (q->transfer_encoding && (q->http10 || strcasecmp(q->transfer_encoding, "chunked")))
        return api_fail(e, 400, "invalid_header", "Transfer-Encoding",
                        "the only transfer encoding is 'chunked', of HTTP/1.1");
    if (q->path[0] != '/' && (strcmp(q->path, "*") || strcmp(q->method, "OPTIONS")))
        return api_fail(e, 400, "invalid_path", NULL,
                        "the request target begins with '/': this server is no proxy");
    if (q->content_encoding && strcasecmp(q->content_encoding, "identity"))
        return api_fail(e, 415, "unsupported_content_encoding", "Content-Encoding",
                        "bodies of requests are not compressed here; send it without "
                        "Content-Encoding");
    return true;
}

static bool check_host(const gate *g, const gate_request *q, api_error *e)
{
    if (!q->host && q->http10) return true;
    if (!q->host) return api_fail(e, 400, "invalid_header", "Host", "HTTP/1.1 needs a Host header");
    if (q->host[0] && !gate_host_is_wellformed(q->host))
        return api_fail(e, 400, "invalid_header", "Host", "the Host header is no name with a port");
    if (g->n_keys || gate_host_is_ours(g, q->host, q->local)) return true;
    return api_fail(e, 403, "host_not_allowed", "Host",
                    "requests for the host '%.200s' are refused, because web pages could send them "
                    "by DNS rebinding; start the server with --allowed-host NAME or with --api-key",
                    q->host);
}

static bool check_origin(const gate *g, const gate_request *q, gate_verdict *out, api_error *e)
{
    if (q->origin) {
        out->reflect = gate_origin_is_allowed(g, q->origin, q->host);
        if (out->reflect) return true;
        return api_fail(e, 403, "origin_not_allowed", "Origin",
                        "web pages of '%.200s' may not use this server; start it with "
                        "--cors-origin ORIGIN to let them",
                        q->origin);
    }
    if (!q->fetch_site || strcasecmp(q->fetch_site, "cross-site")) return true;
    return api_fail(e, 403, "origin_not_allowed", "Sec-Fetch-Site",
                    "a web page of another site asked without saying which; start the server with "
                    "--cors-origin ORIGIN to let pages use it");
}

/* ---- keys ------------------------------------------------------------------------------------ */

/* The key of "Bearer KEY"; *n is 0 if there is none. */
static const char *bearer(const char *authorization, size_t *n)
{
    *n = 0;
    if (!authorization || strncasecmp(authorization, "Bearer ", 7)) return NULL;
    const char *key = authorization + 7 + strspn(authorization + 7, " ");
    *n = strlen(key);
    return key;
}

static const known_key *key_of(const gate *g, const gate_request *q, bool *given)
{
    size_t n;
    const char *text = bearer(q->authorization, &n);
    const known_key *k = text ? gate_find_key(g, text, n) : NULL;
    *given = q->authorization || q->x_api_key;
    if (!k && q->x_api_key) k = gate_find_key(g, q->x_api_key, strlen(q->x_api_key));
    return k;
}

static bool check_without_keys(const gate_request *q, gate_role needs, gate_verdict *out,
                               api_error *e)
{
    const bool near = q->loopback || q->unix_socket;
    out->key.role = near ? GATE_ADMIN : GATE_USER;
    if (needs != GATE_ADMIN || near) return true;
    return api_fail(e, 403, "admin_only", NULL,
                    "this is for programs on the server's own machine, or for a key of the role "
                    "admin (--api-key-file)");
}

static bool check_key(const gate *g, const gate_request *q, gate_verdict *out, api_error *e)
{
    /* Browsers ask whether they may send a key before they send one. */
    const gate_role needs = strcmp(q->method, "OPTIONS") ? q->needs : GATE_PUBLIC;
    bool given;
    if (!g->n_keys) return check_without_keys(q, needs, out, e);
    const known_key *k = key_of(g, q, &given);
    if (k) out->key = k->key;
    if (needs == GATE_PUBLIC || (k && k->key.role >= needs)) return true;
    if (!k && given)
        return api_fail(e, 401, "invalid_api_key", NULL,
                        "the API key is none of this server's (--api-key, --api-key-file)");
    if (!k)
        return api_fail(e, 401, "missing_api_key", NULL,
                        "this server needs a key: send 'Authorization: Bearer KEY' or "
                        "'x-api-key: KEY'");
    return api_fail(e, 403, "role_not_allowed", NULL,
                    "this needs a key of the role %s; the key's role is in --api-key-file",
                    needs == GATE_ADMIN ? "admin" : "user or admin");
}

bool gate_check(const gate *g, const gate_request *q, gate_verdict *out, api_error *e)
{
    *out = (gate_verdict){.key.role = GATE_PUBLIC};
    if (!check_form(q, e) || !check_host(g, q, e) || !check_origin(g, q, out, e)) {
        out->close = true;
        return false;
    }
    return check_key(g, q, out, e);
}
