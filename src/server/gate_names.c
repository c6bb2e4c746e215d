/* gate_names.c - names of hosts and origins: which of them are this server's.
 * Depends on gate_own.h.
 * Invariant  a page of somebody else can give its own name an address of ours (DNS rebinding), but not
 *            make a browser send one of the names that are allowed here: those are not in the public
 *            DNS, or are addresses. */
#define _GNU_SOURCE
#include "gate_own.h"

#include "base/mem.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <strings.h>
#include <unistd.h>

/* host[:port] in parts; [n] of the host without brackets. */
typedef struct host_parts {
    const char *host;
    size_t n;
    const char *port; /* "": none */
    bool v6;
} host_parts;

static bool split_host(const char *text, host_parts *out)
{
    const char *end;
    *out = (host_parts){.v6 = text[0] == '['};
    if (out->v6) {
        end = strchr(text, ']');
        if (!end) return false;
        out->host = text + 1;
        out->n = (size_t)(end++ - text - 1);
    } else {
        end = text + strcspn(text, ":");
        out->host = text;
        out->n = (size_t)(end - text);
    }
    if (*end && *end != ':') return false;
    out->port = *end ? end + 1 : end;
    const size_t n_port = strlen(out->port);
    return out->n && out->n <= NAME_MAX_BYTES && n_port <= 5 &&
           strspn(out->port, "0123456789") == n_port;
}

/* An address of 16 bytes; IPv4 as IPv6 carries it. */
static bool address_of(const char *p, size_t n, bool v6, unsigned char out[16])
{
    char text[64];
    if (n >= sizeof text) return false;
    memcpy(text, p, n);
    text[n] = 0;
    if (v6) return inet_pton(AF_INET6, text, out) == 1;
    memset(out, 0, 10);
    out[10] = out[11] = 0xff;
    return inet_pton(AF_INET, text, out + 12) == 1;
}

bool gate_host_is_wellformed(const char *host)
{
    host_parts h;
    unsigned char address[16];
    if (!split_host(host, &h)) return false;
    if (h.v6) return address_of(h.host, h.n, true, address);
    for (size_t i = 0; i < h.n; i++)
        if (!isalnum((unsigned char)h.host[i]) && !strchr("-._~!$&'()*+,;=%", h.host[i]))
            return false;
    return true;
}

static bool is_name(const char *p, size_t n, const char *name)
{
    return strlen(name) == n && !strncasecmp(p, name, n);
}

/* "a.localhost" ends with ".localhost", and has something before it. */
static bool ends_with(const char *p, size_t n, const char *suffix)
{
    const size_t len = strlen(suffix);
    return n > len && !strncasecmp(p + n - len, suffix, len);
}

/* A name of one label, as containers have; a number is an address in disguise. */
static bool is_label(const char *p, size_t n)
{
    bool letter = false;
    for (size_t i = 0; i < n; i++) {
        if (!isalnum((unsigned char)p[i]) && p[i] != '-' && p[i] != '_') return false;
        if (isalpha((unsigned char)p[i])) letter = true;
    }
    return letter && !(n > 2 && p[0] == '0' && (p[1] | 0x20) == 'x');
}

static bool is_listed(const gate *g, const char *p, size_t n)
{
    for (size_t i = 0; i < g->n_hosts; i++) {
        const char *name = g->hosts[i];
        if (name[0] == '*' ? ends_with(p, n, name + 1) : is_name(p, n, name)) return true;
    }
    return false;
}

static bool is_our_address(const unsigned char address[16], const char *local)
{
    static const unsigned char v4[16] = {[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1};
    static const unsigned char v6[16] = {[15] = 1};
    unsigned char here[16];
    if (!memcmp(address, v4, 16) || !memcmp(address, v6, 16)) return true;
    const bool is_v6 = strchr(local, ':') != NULL;
    return local[0] && address_of(local, strlen(local), is_v6, here) && !memcmp(address, here, 16);
}

bool gate_host_is_ours(const gate *g, const char *host, const char *local)
{
    host_parts h;
    unsigned char address[16];
    if (!split_host(host, &h)) return false;
    if (address_of(h.host, h.n, h.v6, address))
        return is_our_address(address, local) || is_listed(g, h.host, h.n);
    if (h.v6) return false;
    const bool dot = h.n > 1 && h.host[h.n - 1] == '.'; /* "localhost." is the same name */
    const size_t n = h.n - dot;
    return is_name(h.host, n, "localhost") || ends_with(h.host, n, ".localhost") ||
           ends_with(h.host, n, ".local") || ends_with(h.host, n, ".internal") ||
           (!dot && is_label(h.host, n)) || (g->machine[0] && is_name(h.host, n, g->machine)) ||
           is_listed(g, h.host, n);
}

/* ---- origins --------------------------------------------------------------------------------- */

static const char *default_port(bool tls)
{
    return tls ? "443" : "80";
}

/* "https://a.example" came from the server that answers for "a.example" and "a.example:443". */
static bool is_same(const host_parts *origin, bool tls, const char *host)
{
    host_parts h;
    if (!host || !split_host(host, &h)) return false;
    const char *port = origin->port[0] ? origin->port : default_port(tls);
    const char *other = h.port[0] ? h.port : default_port(tls);
    return h.v6 == origin->v6 && h.n == origin->n && !strncasecmp(h.host, origin->host, h.n) &&
           !strcmp(port, other);
}

static bool is_of_this_machine(const host_parts *o)
{
    if (o->v6) return is_name(o->host, o->n, "::1");
    return is_name(o->host, o->n, "localhost") || is_name(o->host, o->n, "127.0.0.1");
}

bool gate_origin_is_allowed(const gate *g, const char *origin, const char *host)
{
    static const char *const programs[] = {"app://", "tauri://", "vscode-webview://",
                                           "vscode-file://"};
    host_parts o;
    if (g->any_origin) return true;
    for (size_t i = 0; i < g->n_origins; i++)
        if (!strcasecmp(origin, g->origins[i])) return true;
    for (size_t i = 0; i < 4; i++)
        if (!strncasecmp(origin, programs[i], strlen(programs[i]))) return true;
    const bool tls = !strncasecmp(origin, "https://", 8);
    if (!tls && strncasecmp(origin, "http://", 7)) return false;
    if (!split_host(origin + (tls ? 8 : 7), &o)) return false;
    return is_of_this_machine(&o) || is_same(&o, tls, host);
}

/* ---- options --------------------------------------------------------------------------------- */

static bool copy_list(char ***out, size_t *n_out, const char *const *list, size_t n)
{
    char **copies = ingle_new(n, sizeof *copies);
    bool ok = copies != NULL;
    for (size_t i = 0; ok && i < n; i++) {
        const size_t size = strlen(list[i]) + 1;
        copies[i] = malloc(size);
        ok = copies[i] != NULL;
        if (ok) memcpy(copies[i], list[i], size);
    }
    *out = copies;
    *n_out = copies ? n : 0;
    return ok;
}

static ingle_status check_host(const char *name, ingle_error *err)
{
    host_parts h;
    const char *bare = name[0] == '*' && name[1] == '.' ? name + 2 : name;
    unsigned char address[16];
    if (address_of(bare, strlen(bare), true, address)) return INGLE_OK;
    if (!strchr(bare, '*') && split_host(bare, &h) && !h.v6 && !strchr(bare, ':') &&
        gate_host_is_wellformed(bare))
        return INGLE_OK;
    return ingle_fail(err, INGLE_EINVAL,
                      "--allowed-host '%s' is no name: box.example, *.example or an address, "
                      "without a port",
                      name);
}

static ingle_status check_origin(const char *origin, ingle_error *err)
{
    const char *mark = strstr(origin, "://");
    if (mark && mark > origin && mark[3] && !strchr(mark + 3, '/')) return INGLE_OK;
    return ingle_fail(err, INGLE_EINVAL,
                      "--cors-origin '%s' is no origin: https://box.example:8443, without a path, "
                      "or *",
                      origin);
}

ingle_status gate_take_names(gate *g, const gate_options *opt, ingle_error *err)
{
    for (size_t i = 0; i < opt->n_hosts; i++)
        if (check_host(opt->hosts[i], err)) return INGLE_EINVAL;
    for (size_t i = 0; i < opt->n_origins; i++) {
        if (!strcmp(opt->origins[i], "*")) g->any_origin = true;
        else if (check_origin(opt->origins[i], err)) return INGLE_EINVAL;
    }
    if (g->any_origin && !g->n_keys)
        return ingle_fail(err, INGLE_EINVAL,
                          "--cors-origin '*' lets every web page ask: it needs --api-key");
    if (!copy_list(&g->hosts, &g->n_hosts, opt->hosts, opt->n_hosts) ||
        !copy_list(&g->origins, &g->n_origins, opt->origins, opt->n_origins))
        return ingle_fail(err, INGLE_ENOMEM, "no memory for names");
    if (gethostname(g->machine, sizeof g->machine - 1)) g->machine[0] = 0;
    return INGLE_OK;
}

static void free_list(char **list, size_t n)
{
    for (size_t i = 0; i < n; i++) free(list[i]);
    free(list);
}

void gate_free_names(gate *g)
{
    free_list(g->hosts, g->n_hosts);
    free_list(g->origins, g->n_origins);
}
