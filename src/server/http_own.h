/* http_own.h - what the files of http share: connections, their states, the two daemons.
 * Owns       nothing by itself; see http.c (accepting, deadlines, loop), http_connection.c (the list of
 *            connections), http_exchange.c (requests and answers),
 *            http_refuse.c (answers beside libmicrohttpd, lingering), http_peers.c, http_tls.c.
 * Depends on http.h, bytes.h, base/loop.h, libmicrohttpd.
 * Invariant  a connection is in the list and in by_fd from accept to its end; libmicrohttpd has its
 *            socket from CONN_IDLE on, and not any more in CONN_LINGER. */
#ifndef INGLE_SERVER_HTTP_OWN_H
#define INGLE_SERVER_HTTP_OWN_H

#include "bytes.h"
#include "http.h"

#include "base/loop.h"
#include "base/mem.h"

#include <microhttpd.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <sys/socket.h>

typedef enum conn_state {
    CONN_IDLE,    /* no request, or not all of its request line */
    CONN_HEADERS, /* the request line is there */
    CONN_BODY,    /* is read */
    CONN_READY,   /* the handler has the request; perhaps suspended */
    CONN_ANSWER,  /* a whole answer is sent */
    CONN_STREAM,  /* a stream is; perhaps suspended */
    CONN_LINGER   /* answered before the request was read: what still comes is thrown away */
} conn_state;

typedef struct peer_count {
    struct peer_count *next;
    unsigned char address[16];
    size_t n;
} peer_count;

enum { N_PEER_BUCKETS = 1024 };
typedef struct peers {
    peer_count *buckets[N_PEER_BUCKETS];
    uint64_t seed[2];
} peers;

typedef struct engine {
    struct http *h;
    struct MHD_Daemon *daemon; /* NULL: not there */
    ingle_watch watch;         /* of its epoll descriptor */
    bool due;                  /* it has something to do */
} engine;

typedef struct http_exchange_own {
    http_exchange x;
    http_peer peer;
    http *h;
    engine *engine;
    struct MHD_Connection *mhd; /* NULL: not yet, not any more */
    int fd;
    conn_state state;
    double deadline; /* when tick looks at it; seconds of ingle_now() */
    peer_count *count;
    struct http_exchange_own *next, *previous;
    ingle_watch watch; /* of GONE; of READ while it lingers */

    /* Of the exchange. */
    bool told;      /* headers() was called */
    bool inside;    /* one of the handler's calls is under way in libmicrohttpd's */
    bool suspended; /* libmicrohttpd waits for us */
    bool watched;
    bool answered; /* http_answer() or http_stream() was called */
    bool queued;   /* and libmicrohttpd has the answer */
    bool streams, ended, cut;
    bool gone, aborted;
    bool has_body, lingers;
    bytes uri; /* NUL-terminated: path, and query */
    const char *uri_at;
    size_t n_uri;
    size_t cap_body;
    double began; /* of the body */
    int status;
    char *answer;
    size_t n_answer;
    bytes headers; /* "NAME\0VALUE\0"... */

    /* Whether an answer moves on. */
    double moved_at;
    uint64_t n_reads, seen_reads;
    int seen_queue;
} connection;

typedef struct http_tls http_tls;

typedef struct served {
    listener socket;
    ingle_watch watch;
    struct http *h;
} served;

struct http {
    http_options opt;
    http_handler handler;
    ingle_loop *loop;
    engine plain, tls;
    http_tls *certificates;
    served listeners[LISTEN_MAX];
    size_t n_listeners;
    connection *first;
    connection **by_fd;
    size_t cap_by_fd;
    size_t n_pending; /* handed over, not seen again yet */
    peers peers;
    http_counts counts;
    atomic_bool stop, woken;
    bool draining;
    int reserve;         /* a descriptor to give up when there are none */
    double paused_until; /* accepting; 0: not paused */
    double next_tick;
    double noted_at; /* that a connection was refused */
};

/* http_connection.c */
void http_unwatch(connection *c);
connection *http_of_fd(const http *h, int fd);
bool http_place(http *h, int fd, connection *c); /* by_fd[fd] = c; false: no memory */
void http_forget(connection *c);                 /* frees it */
void http_note(http *h, bool debug, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* http_exchange.c */
struct MHD_Daemon *http_daemon(http *h, bool tls, ingle_error *err);
void http_client_gone(connection *c);
/* When the client has gone, http_client_gone() is called, or libmicrohttpd is made to read the end. */
void http_watch_gone(connection *c);

/* http_refuse.c: an answer that libmicrohttpd cannot give (in the middle of a body, before it has the
 * connection), at once and as far as the socket takes it. The caller ends the connection. */
char *http_refusal(http *h, const http_exchange *x, int status, const char *message,
                   http_answer_id *id, size_t *n);
void http_refuse(connection *c, int status, const char *message);
void http_refuse_fd(http *h, int fd, int status, const char *message);
/* libmicrohttpd is about to close it: keeps the socket until the client has read its answer. */
bool http_linger(connection *c);

/* http_peers.c: how many connections an address has. */
void peers_open(peers *p);
void peers_close(peers *p);
/* Of IPv4, too, as 16 bytes. NULL: no memory. */
peer_count *peers_add(peers *p, const unsigned char address[16]);
void peers_remove(peers *p, peer_count *count);

/* http_tls.c: certificate and key. */
ingle_status http_tls_open(http_tls **out, const char *cert, const char *key, ingle_error *err);
ingle_status http_tls_reload(http_tls *t, double now, ingle_error *err);
/* Those that were replaced before `until` are freed: no handshake is as old. */
void http_tls_forget(http_tls *t, double until);
void http_tls_close(http_tls **t);
/* libmicrohttpd's option, and the certificates that it serves on this thread. */
void http_tls_option(struct MHD_OptionItem *item);
void http_tls_use(http_tls *t);

#endif
