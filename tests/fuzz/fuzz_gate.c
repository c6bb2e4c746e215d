/* fuzz_gate.c - any bytes as the headers of a request, as names, keys and a key file, and as an address to
 * listen on.
 * Input: what it is (1 byte), then lines: of a request host, origin, Sec-Fetch-Site, Authorization,
 * x-api-key, Transfer-Encoding, Content-Length, Content-Encoding, path, local address; of options a
 * host and an origin, then the key file; or one line, the address. */
#define _GNU_SOURCE
#include "fuzz.h"

#include "server/gate.h"
#include "server/listen.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

enum { OPTIONS = 1, ADDRESS = 2, KEYED = 4, OLD = 8, FAR = 16, PREFLIGHT = 32, ADMIN = 64 };
enum { N_LINES = 10 };

/* Parts text into lines; an empty one is no header. */
static size_t split(char *text, const char *lines[N_LINES])
{
    size_t n = 0;
    for (char *at = text; at && n < N_LINES; n++) {
        char *end = strchr(at, '\n');
        if (end) *end++ = 0;
        lines[n] = at[0] ? at : NULL;
        at = end;
    }
    return n;
}

static gate *open_gate(const gate_options *opt)
{
    gate *g;
    ingle_error err = {0};
    ingle_status status = gate_open(&g, opt, &err);
    if (!status != !!g || (status && !err.text[0])) abort();
    return g;
}

static void check_request(unsigned flags, const char *const lines[N_LINES])
{
    static const char *const keys[] = {"secret"}, *const hosts[] = {"*.lan.example"},
                             *const origins[] = {"https://friend.example"};
    const bool keyed = flags & KEYED;
    gate *g = open_gate(&(gate_options){.keys = keys,
                                        .n_keys = keyed,
                                        .hosts = hosts,
                                        .n_hosts = 1,
                                        .origins = origins,
                                        .n_origins = 1});
    if (!g) return;
    gate_request q = {.method = flags & PREFLIGHT ? "OPTIONS" : "POST",
                      .path = lines[8] ? lines[8] : "/",
                      .host = lines[0],
                      .origin = lines[1],
                      .fetch_site = lines[2],
                      .authorization = lines[3],
                      .x_api_key = lines[4],
                      .transfer_encoding = lines[5],
                      .content_length = lines[6],
                      .content_encoding = lines[7],
                      .n_host = lines[0] != NULL,
                      .local = lines[9] ? lines[9] : "",
                      .loopback = !(flags & FAR),
                      .http10 = flags & OLD,
                      .needs = flags & ADMIN ? GATE_ADMIN : GATE_USER};
    gate_verdict v;
    api_error e = {0};
    bool ok = gate_check(g, &q, &v, &e);
    if (ok == (e.status != 0) || (!ok && !e.message[0])) abort();
    if (ok && q.origin && !v.reflect) abort();
    if (ok && keyed && !(flags & PREFLIGHT)) {
        const char *key = q.authorization ? strstr(q.authorization, "secret") : NULL;
        if (!key && (!q.x_api_key || strcmp(q.x_api_key, "secret"))) abort();
        if (flags & ADMIN) abort();
    }
    if (ok && !keyed && (flags & ADMIN) && (flags & FAR) && !(flags & PREFLIGHT)) abort();
    gate_close(&g);
}

static void check_options(const char *host, const char *origin, const char *file, size_t n)
{
    char path[64];
    int fd = memfd_create("keys", MFD_CLOEXEC);
    if (fd < 0) return;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (write(fd, file, n) == (ssize_t)n) {
        gate *g = open_gate(&(gate_options){.key_file = path});
        if (g && !gate_has_keys(g)) abort();
        gate_close(&g);
        g = open_gate(&(gate_options){.key_file = path,
                                      .hosts = &host,
                                      .n_hosts = host != NULL,
                                      .origins = &origin,
                                      .n_origins = origin != NULL});
        gate_close(&g);
    }
    close(fd);
}

/* Paths are left out: they would make files. */
static void check_address(const char *text)
{
    listener l[LISTEN_MAX];
    ingle_error err = {0};
    size_t n = 99;
    if (!text || !strncmp(text, "unix:", 5)) return;
    ingle_status status = listen_open(l, LISTEN_MAX, &n, text, 0600, &err);
    if (status ? n || !err.text[0] : !n) abort();
    for (size_t i = 0; i < n; i++) {
        if (l[i].fd < 0 || !l[i].text[0]) abort();
        listen_close(&l[i]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *lines[N_LINES] = {0};
    if (!size || size > 1 << 16) return 0;
    const unsigned flags = data[0];
    char *text = malloc(size);
    if (!text) return 0;
    memcpy(text, data + 1, size - 1);
    text[size - 1] = 0;
    const size_t n = size - 1;
    if (flags & OPTIONS) {
        char *first = strchr(text, '\n'), *second = first ? strchr(first + 1, '\n') : NULL;
        if (second) {
            *first = *second = 0;
            check_options(text, first + 1, second + 1, n - (size_t)(second + 1 - text));
        }
    } else if (flags & ADDRESS) {
        split(text, lines);
        check_address(lines[0]);
    } else {
        split(text, lines);
        check_request(flags, lines);
    }
    free(text);
    return 0;
}
