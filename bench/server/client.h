/* client.h - HTTP/1.1 clients on kept-alive connections of loopback, all in one thread, by epoll.
 * Owns       sockets and what was read. Depends on stats.h.
 * Invariant  a client has one request at a time. Times are those after the call that read the
 *            bytes. */
#ifndef INGLE_BENCH_CLIENT_H
#define INGLE_BENCH_CLIENT_H

#include "stats.h"

typedef enum client_state {
    CLIENT_CLOSED,
    CLIENT_IDLE, /* connected, nothing is under way */
    CLIENT_HEAD, /* a request is sent, or its answer's headers are awaited */
    CLIENT_BODY, /* the answer's body is */
    CLIENT_DONE, /* it was whole */
    CLIENT_GONE  /* the server closed in the middle */
} client_state;

typedef struct buffer {
    char *p; /* [n] and a NUL */
    size_t n, cap;
} buffer;
void buffer_put(buffer *t, const char *p, size_t n);
void buffer_free(buffer *t); /* to {0} */

typedef struct clients {
    int epoll;
    size_t n_busy; /* that wait for an answer or its end */
} clients;

typedef struct client client;
struct client {
    clients *set;
    int fd;
    client_state state;
    buffer out; /* from n_sent on, what the socket has not taken yet */
    size_t n_sent;
    buffer head, body; /* of a stream, body is the event that is being read */
    int status;
    bool chunked, stream;
    int part;    /* of a chunk: see client.c */
    size_t left; /* bytes of the body, or of the chunk */
    /* Seconds of now(): before the first byte was sent; after the first byte of the answer, its
     * first and its last event with text, its end. 0: not yet. */
    double t_sent, t_byte, t_token, t_last, t_end;
    size_t n_events, n_reads;               /* of the stream: events; reads that brought text */
    size_t n_prompt, n_cached, n_generated; /* tokens, of its usage */
    series *gaps; /* seconds between reads that brought text go there; NULL */
    /* Every event, NUL-terminated; NULL. */
    void (*on_event)(client *c, const char *data, double t);
    void *user;
};

void clients_open(clients *set);
void clients_close(clients *set);
/* Handles what there is, and waits for that so many seconds at most. */
void clients_poll(clients *set, double seconds);
/* Until no client waits any more; one that was answered with an error ends the program. */
void clients_finish(clients *set);

/* Connects from 127.0.SOURCE.1, as servers limit the connections of one address; 0: from
 * 127.0.0.1. */
void client_open(client *c, clients *set, int port, unsigned source);
void client_close(client *c);
/* Begins a request; what is left of an earlier answer is gone. body NULL: a GET. */
void client_send(client *c, const char *path, const char *body, size_t n);
/* The same without the last `held` bytes, which client_send_rest() sends. */
void client_send_part(client *c, const char *path, const char *body, size_t n, size_t held);
void client_send_rest(client *c);
/* Until the answer is there; what is not 200 ends the program. */
void client_finish(client *c);
/* Until n reads have brought text of the stream, or it has ended. */
void client_read_texts(client *c, size_t n);

#endif
