/* client.c - see client.h. */
#define _GNU_SOURCE /* memmem() */
#include "client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { AT_ONCE = 256, READ_BYTES = 65536, MAX_HEAD = 16384 };
enum { CHUNK_SIZE, CHUNK_DATA, CHUNK_END, CHUNK_TRAILER };

/* ---- text ------------------------------------------------------------------------------------ */

void buffer_put(buffer *t, const char *p, size_t n)
{
    if (t->n + n + 1 > t->cap) {
        t->cap = 2 * (t->n + n + 1);
        t->p = need(realloc(t->p, t->cap));
    }
    memcpy(t->p + t->n, p, n);
    t->n += n;
    t->p[t->n] = 0;
}

void buffer_free(buffer *t)
{
    free(t->p);
    *t = (buffer){0};
}

/* ---- events ---------------------------------------------------------------------------------- */

static bool has(const char *data, const char *what)
{
    return strstr(data, what) != NULL;
}

static size_t number_after(const char *data, const char *name)
{
    const char *at = strstr(data, name);
    return at ? (size_t)strtoull(at + strlen(name), NULL, 10) : 0;
}

static void take_usage(client *c, const char *data)
{
    if (!has(data, "\"usage\":{")) return;
    c->n_prompt = number_after(data, "\"prompt_tokens\":");
    c->n_cached = number_after(data, "\"cached_tokens\":");
    c->n_generated = number_after(data, "\"completion_tokens\":");
}

/* Neither the first delta, which has the role, nor the last, which is empty. */
static bool has_text(const char *data)
{
    const char *delta = strstr(data, "\"delta\":{\"");
    return delta && strncmp(delta, "\"delta\":{\"role\"", 15) != 0;
}

static void take_event(client *c, const char *data, double t)
{
    c->n_events++;
    if (has_text(data)) {
        if (t > c->t_last) { /* of those that come in one read, the first */
            if (c->gaps && c->n_reads) series_add(c->gaps, t - c->t_last);
            if (!c->n_reads++) c->t_token = t;
            c->t_last = t;
        }
    } else if (!strncmp(data, "{\"error\"", 8)) {
        fail("the stream: %s", data);
    } else {
        take_usage(c, data);
    }
    if (c->on_event) c->on_event(c, data, t);
}

/* Events that are whole, "data: ...\n\n"; what follows them stays. Comments are passed over. */
static void take_events(client *c, size_t searched, double t)
{
    char *from = c->body.p, *end;
    size_t n = c->body.n;
    searched -= searched > 0;
    while ((end = memmem(from + searched, n - searched, "\n\n", 2))) {
        *end = 0;
        if (!strncmp(from, "data: ", 6)) take_event(c, from + 6, t);
        n -= (size_t)(end + 2 - from);
        from = end + 2;
        searched = 0;
    }
    memmove(c->body.p, from, n);
    c->body.n = n;
    c->body.p[n] = 0;
}

/* ---- answers --------------------------------------------------------------------------------- */

static void end_answer(client *c, client_state how, double t)
{
    if (c->state == CLIENT_HEAD || c->state == CLIENT_BODY) c->set->n_busy--;
    c->state = how;
    c->t_end = t;
    if (how == CLIENT_DONE && !c->stream && c->body.p) take_usage(c, c->body.p);
}

static void take_content(client *c, const char *p, size_t n, double t)
{
    size_t before = c->body.n;
    buffer_put(&c->body, p, n);
    if (c->stream) take_events(c, before, t);
}

/* The line of a chunk's size, byte by byte. */
static void take_size(client *c, char byte)
{
    const char *digits = "0123456789abcdef", *at;
    if (byte == '\n') {
        c->part = c->left ? CHUNK_DATA : CHUNK_TRAILER;
        return;
    }
    byte = (char)(byte >= 'A' && byte <= 'F' ? byte + 32 : byte);
    if (byte != '\r' && (at = strchr(digits, byte))) c->left = 16 * c->left + (size_t)(at - digits);
    else if (byte != '\r') fail("a chunk's size has the byte '%c'", byte);
}

static size_t take_chunk(client *c, const char *p, size_t n, double t)
{
    if (c->part == CHUNK_DATA) {
        if (n > c->left) n = c->left;
        c->left -= n;
        if (!c->left) c->part = CHUNK_END;
        take_content(c, p, n, t);
        return n;
    }
    if (c->part == CHUNK_SIZE) take_size(c, *p);
    else if (c->part == CHUNK_END && *p == '\n') c->part = CHUNK_SIZE;
    else if (c->part == CHUNK_TRAILER && *p == '\n') end_answer(c, CLIENT_DONE, t);
    return 1;
}

static void take_body(client *c, const char *p, size_t n, double t)
{
    while (n && c->state == CLIENT_BODY && c->chunked) {
        size_t k = take_chunk(c, p, n, t);
        p += k;
        n -= k;
    }
    if (c->chunked || c->state != CLIENT_BODY) return;
    if (n > c->left) n = c->left;
    c->left -= n;
    take_content(c, p, n, t);
    if (!c->left) end_answer(c, CLIENT_DONE, t);
}

static void take_head(client *c, const char *p, size_t n, double t)
{
    size_t before = c->head.n;
    buffer_put(&c->head, p, n);
    char *end = strstr(c->head.p, "\r\n\r\n");
    if (!end) {
        if (c->head.n > MAX_HEAD) fail("an answer has %zu bytes of headers", c->head.n);
        return;
    }
    size_t n_head = (size_t)(end + 4 - c->head.p);
    end[2] = 0;
    const char *length = strcasestr(c->head.p, "\r\ncontent-length:");
    c->status = c->head.n > 12 ? atoi(c->head.p + 9) : 0;
    c->chunked = strcasestr(c->head.p, "\r\ntransfer-encoding: chunked") != NULL;
    c->stream = strcasestr(c->head.p, "\r\ncontent-type: text/event-stream") != NULL;
    c->left = length ? strtoull(length + strlen("\r\ncontent-length:"), NULL, 10) : 0;
    c->part = CHUNK_SIZE;
    if (c->chunked) c->left = 0;
    c->state = CLIENT_BODY;
    if (!c->chunked && !c->left) end_answer(c, CLIENT_DONE, t);
    size_t used = n_head - before;
    take_body(c, p + used, n - used, t);
}

static void receive(client *c)
{
    static char bytes[READ_BYTES];
    ssize_t n = read(c->fd, bytes, sizeof bytes);
    double t = now();
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) {
        epoll_ctl(c->set->epoll, EPOLL_CTL_DEL, c->fd, NULL);
        end_answer(c, CLIENT_GONE, t);
        return;
    }
    if (!c->t_byte) c->t_byte = t;
    if (c->state == CLIENT_HEAD) take_head(c, bytes, (size_t)n, t);
    else if (c->state == CLIENT_BODY) take_body(c, bytes, (size_t)n, t);
}

/* ---- requests -------------------------------------------------------------------------------- */

static void watch(client *c, bool writes)
{
    struct epoll_event e = {.events = EPOLLIN | (writes ? EPOLLOUT : 0), .data.ptr = c};
    if (epoll_ctl(c->set->epoll, EPOLL_CTL_MOD, c->fd, &e)) fail("epoll: %s", strerror(errno));
}

/* As much as the socket takes, of the first n bytes. */
static void transmit(client *c, size_t n)
{
    while (c->n_sent < n) {
        ssize_t k = send(c->fd, c->out.p + c->n_sent, n - c->n_sent, MSG_NOSIGNAL);
        if (k < 0 && errno == EINTR) continue;
        if (k < 0 && errno == EAGAIN) break;
        if (k < 0) fail("sending: %s", strerror(errno));
        c->n_sent += (size_t)k;
    }
}

void client_send_part(client *c, const char *path, const char *body, size_t n, size_t held)
{
    char head[512];
    int k = snprintf(head, sizeof head, "%s %s HTTP/1.1\r\nHost: localhost\r\n",
                     body ? "POST" : "GET", path);
    if (c->state == CLIENT_HEAD || c->state == CLIENT_BODY) fail("a client has two requests");
    c->out.n = c->head.n = c->body.n = c->n_sent = 0;
    c->status = 0;
    c->t_byte = c->t_token = c->t_last = c->t_end = 0;
    c->n_events = c->n_reads = c->n_prompt = c->n_cached = c->n_generated = 0;
    buffer_put(&c->out, head, (size_t)k);
    k = snprintf(head, sizeof head, "Content-Type: application/json\r\nContent-Length: %zu\r\n", n);
    if (body) buffer_put(&c->out, head, (size_t)k);
    buffer_put(&c->out, "\r\n", 2);
    if (body) buffer_put(&c->out, body, n);
    c->state = CLIENT_HEAD;
    c->set->n_busy++;
    c->t_sent = now();
    transmit(c, c->out.n - held);
    for (; held && c->n_sent < c->out.n - held; transmit(c, c->out.n - held)) sleep_s(1e-4);
    if (c->n_sent < c->out.n - held) watch(c, true);
}

void client_send_rest(client *c)
{
    c->t_sent = now();
    transmit(c, c->out.n);
}

void client_send(client *c, const char *path, const char *body, size_t n)
{
    client_send_part(c, path, body, n, 0);
}

/* ---- connections ----------------------------------------------------------------------------- */

void client_open(client *c, clients *set, int port, unsigned source)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in from = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK + (source << 8))};
    int on = 1;
    *c = (client){.set = set, .state = CLIENT_IDLE};
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0) fail("a socket: %s", strerror(errno));
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (source && bind(c->fd, (struct sockaddr *)&from, sizeof from))
        fail("binding to 127.0.%u.1: %s", source, strerror(errno));
    if (connect(c->fd, (struct sockaddr *)&to, sizeof to))
        fail("connecting to port %d: %s", port, strerror(errno));
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
    if (epoll_ctl(set->epoll, EPOLL_CTL_ADD, c->fd, &e)) fail("epoll: %s", strerror(errno));
}

void client_close(client *c)
{
    if (c->state == CLIENT_CLOSED) return;
    if (c->state == CLIENT_HEAD || c->state == CLIENT_BODY) c->set->n_busy--;
    close(c->fd);
    buffer_free(&c->out);
    buffer_free(&c->head);
    buffer_free(&c->body);
    c->state = CLIENT_CLOSED;
}

/* ---- waiting --------------------------------------------------------------------------------- */

void clients_open(clients *set)
{
    *set = (clients){.epoll = epoll_create1(EPOLL_CLOEXEC)};
    if (set->epoll < 0) fail("epoll: %s", strerror(errno));
}

void clients_close(clients *set)
{
    close(set->epoll);
    *set = (clients){.epoll = -1};
}

void clients_poll(clients *set, double seconds)
{
    struct epoll_event events[AT_ONCE];
    int n = epoll_wait(set->epoll, events, AT_ONCE, seconds < 0 ? -1 : (int)(seconds * 1e3));
    for (int i = 0; i < n; i++) {
        client *c = events[i].data.ptr;
        if (events[i].events & EPOLLOUT) {
            transmit(c, c->out.n);
            if (c->n_sent == c->out.n) watch(c, false);
        }
        if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) receive(c);
        if (c->status && c->status != 200 && c->state == CLIENT_DONE)
            fail("status %d: %s", c->status, c->body.p ? c->body.p : "");
    }
}

void clients_finish(clients *set)
{
    while (set->n_busy) clients_poll(set, -1);
}

void client_finish(client *c)
{
    while (c->state == CLIENT_HEAD || c->state == CLIENT_BODY) clients_poll(c->set, -1);
    if (c->state == CLIENT_GONE) fail("the server closed a connection in the middle of an answer");
}

void client_read_texts(client *c, size_t n)
{
    while ((c->state == CLIENT_HEAD || c->state == CLIENT_BODY) && c->n_reads < n)
        clients_poll(c->set, -1);
}
