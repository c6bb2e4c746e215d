/* http_connection.c - the list of connections: finding, watching, forgetting one.
 * Depends on http_own.h. */
#define _GNU_SOURCE
#include "http_own.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

void http_note(http *h, bool debug, const char *format, ...)
{
    char text[320];
    va_list args;
    if (!h->handler.note) return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    h->handler.note(h->handler.user, debug, text);
}

void http_unwatch(connection *c)
{
    if (c->watched) ingle_loop_remove(c->h->loop, &c->watch);
    c->watched = false;
}

connection *http_of_fd(const http *h, int fd)
{
    return fd >= 0 && (size_t)fd < h->cap_by_fd ? h->by_fd[fd] : NULL;
}

bool http_place(http *h, int fd, connection *c)
{
    size_t had = h->cap_by_fd;
    if (!ingle_grow(&h->by_fd, &h->cap_by_fd, (size_t)fd + 1, sizeof(connection *))) return false;
    if (h->cap_by_fd > had) memset(h->by_fd + had, 0, (h->cap_by_fd - had) * sizeof(connection *));
    h->by_fd[fd] = c;
    return true;
}

void http_forget(connection *c)
{
    http *h = c->h;
    http_unwatch(c);
    if (c->state == CONN_LINGER) close(c->fd);
    if (http_of_fd(h, c->fd) == c) http_place(h, c->fd, NULL);
    if (c->previous) c->previous->next = c->next;
    else h->first = c->next;
    if (c->next) c->next->previous = c->previous;
    peers_remove(&h->peers, c->count);
    h->counts.n_connections--;
    bytes_free(&c->uri);
    bytes_free(&c->headers);
    free(c->x.body);
    free(c->answer);
    free(c);
}
