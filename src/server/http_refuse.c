/* http_refuse.c - answers beside libmicrohttpd: it cannot answer in the middle of a body, nor before
 * it has a connection; and it closes a socket that has unread bytes, which would reset the connection
 * before the client has read its answer.
 * Depends on http_own.h, GnuTLS. */
#define _GNU_SOURCE
#include "http_own.h"

#include "base/clock.h"

#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { LINGER_BYTES = 1 << 20 };
#define LINGER_S 2.0

static const char *reason(int status)
{
    switch (status) {
    case 400: return "Bad Request";
    case 408: return "Request Timeout";
    case 413: return "Content Too Large";
    case 431: return "Request Header Fields Too Large";
    case 503: return "Service Unavailable";
    default: return "Error";
    }
}

char *http_refusal(http *h, const http_exchange *x, int status, const char *message,
                   http_answer_id *id, size_t *n)
{
    *n = 0;
    *id = (http_answer_id){.name = ""};
    if (h->handler.refusal) return h->handler.refusal(h->handler.user, x, status, message, id, n);
    char *body = strdup(message);
    if (body) *n = strlen(body);
    return body;
}

static void write_answer(http *h, const http_exchange *x, int status, const char *message,
                         bytes *out)
{
    char date[64] = "";
    struct tm tm;
    time_t now = time(NULL);
    size_t n;
    http_answer_id id;
    char *body = http_refusal(h, x, status, message, &id, &n);
    if (gmtime_r(&now, &tm)) strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &tm);
    bytes_format(out,
                 "HTTP/1.1 %d %s\r\nDate: %s\r\nContent-Type: application/json\r\n"
                 "Connection: close\r\n%sContent-Length: %zu\r\n",
                 status, reason(status), date, status == 503 ? "Retry-After: 1\r\n" : "", n);
    if (*id.name) bytes_format(out, "%s: %s\r\n", id.name, id.value);
    bytes_text(out, "\r\n");
    if (body) bytes_put(out, body, n);
    free(body);
    h->counts.n_refused++;
    double since = ingle_now() - h->noted_at;
    if (!x && since < 1) return; /* a flood of connections is no flood of notes */
    if (!x) h->noted_at += since;
    http_note(h, false, "%s: %d, %s", x ? x->peer->text : "a connection", status, message);
}

static void send_all(connection *c, const bytes *b)
{
    const union MHD_ConnectionInfo *info =
        c->peer.tls ? MHD_get_connection_info(c->mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION) : NULL;
    if (c->peer.tls && !info) return;
    ssize_t n = info ? gnutls_record_send(info->tls_session, b->p, b->n)
                     : send(c->fd, b->p, b->n, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n > 0) c->h->counts.n_bytes_out += (uint64_t)n;
}

void http_refuse(connection *c, int status, const char *message)
{
    bytes b = {0};
    write_answer(c->h, &c->x, status, message, &b);
    if (!b.failed && c->mhd) send_all(c, &b);
    bytes_free(&b);
    c->lingers = true;
}

void http_refuse_fd(http *h, int fd, int status, const char *message)
{
    char unread[4096];
    bytes b = {0};
    write_answer(h, NULL, status, message, &b);
    if (!b.failed) {
        ssize_t n = send(fd, b.p, b.n, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n > 0) h->counts.n_bytes_out += (uint64_t)n;
    }
    bytes_free(&b);
    shutdown(fd, SHUT_WR);
    while (recv(fd, unread, sizeof unread, MSG_DONTWAIT) > 0) {} /* close() would reset it */
}

/* ---- lingering ------------------------------------------------------------------------------- */

static void throw_away(ingle_watch *watch, unsigned what)
{
    (void)what;
    connection *c = watch->user;
    char unread[16384];
    ssize_t n = recv(c->fd, unread, sizeof unread, MSG_DONTWAIT);
    if (n > 0) c->n_answer += (size_t)n;
    if (n <= 0 || c->n_answer > LINGER_BYTES) http_forget(c);
}

bool http_linger(connection *c)
{
    http *h = c->h;
    int fd = fcntl(c->fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0) return false;
    if (!http_place(h, fd, c)) {
        close(fd);
        return false;
    }
    shutdown(fd, SHUT_WR);
    http_place(h, c->fd, NULL);
    c->fd = fd;
    c->state = CONN_LINGER;
    c->deadline = ingle_now() + LINGER_S;
    c->n_answer = 0;
    c->watch = (ingle_watch){.fd = fd, .what = INGLE_LOOP_READ, .call = throw_away, .user = c};
    c->watched = !ingle_loop_add(h->loop, &c->watch, NULL);
    if (!c->watched) http_forget(c);
    return true;
}
