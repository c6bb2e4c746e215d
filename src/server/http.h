/* http.h - HTTP/1.1 for the rest of the server: all of libmicrohttpd, and the loop of the one thread
 * that it runs in.
 * Owns       the daemon, connections, sockets that were accepted, the list of deadlines.
 * Depends on base/loop.h, listen.h, libmicrohttpd.
 * Invariant  everything here runs on the thread that called http_run(), but for http_wake() and
 *            http_stop(). An exchange is suspended in libmicrohttpd while the handler has nothing to
 *            say; then the server watches its socket itself. */
#ifndef INGLE_SERVER_HTTP_H
#define INGLE_SERVER_HTTP_H

#include "listen.h"

typedef struct http http;

typedef struct http_peer {
    char text[72]; /* "127.0.0.1:41234", "[::1]:80", "unix" */
    char
        local[72]; /* the address the connection arrived at, without port: "127.0.0.1", "::1"; "" */
    bool unix_socket, loopback, tls;
} http_peer;

/* One request and its answer. Read by the handler; what is below `job` is http.c's. */
typedef struct http_exchange {
    const char *method; /* "GET" */
    const char *path;   /* percent-decoded, no NUL in it */
    const char *query;  /* what follows '?', as it came; "" */
    char *body;         /* [n_body] and a NUL; the handler may take it (and sets NULL) */
    size_t n_body;
    const http_peer *peer;
    bool http10; /* the client speaks HTTP/1.0 */
    void *job;   /* the handler's */
    struct http_exchange_own *own;
} http_exchange;

/* The value of the first header of that name, in any case; NULL. */
const char *http_header(const http_exchange *x, const char *name);
size_t http_header_count(const http_exchange *x, const char *name);

typedef enum http_read {
    HTTP_MORE, /* *n bytes were written; if *n is 0 there are none now: http_resume() later */
    HTTP_END,  /* with these bytes the answer is whole */
    HTTP_CUT   /* it never will be: the connection is closed in the middle */
} http_read;

/* A header of an answer. */
typedef struct http_answer_id {
    char name[24], value[48];
} http_answer_id;

typedef struct http_handler {
    /* Headers are there, the body is not. Answers (http_answer()), and returns false, or true: the
     * body is read. */
    bool (*headers)(void *user, http_exchange *x);
    /* The body is there. Answers now or later. */
    void (*ready)(void *user, http_exchange *x);
    /* The socket can take up to cap bytes of a stream. */
    http_read (*read)(void *user, http_exchange *x, char *to, size_t cap, size_t *n);
    /* The client has gone, or took too long; nothing can be answered any more. done() follows. */
    void (*gone)(void *user, http_exchange *x);
    /* The exchange is over, whatever came of it; x is freed after it. For each one for which
     * headers() was called. */
    void (*done)(void *user, http_exchange *x);
    void (*woken)(void *user);              /* after http_wake() */
    void (*tick)(void *user, double now);   /* four times a second; seconds of ingle_now() */
    void (*signal)(void *user, int number); /* SIGTERM, SIGINT, SIGHUP */
    /* Something refused before headers() could see it, or of interest to a log; text is one line. */
    void (*note)(void *user, bool debug, const char *text);
    /* The body for an answer that http.c gives by itself (400, 413, 431, 503 ...), malloc'd; x may
     * be NULL. id: the answer's id and its header, to be filled; "" before. */
    char *(*refusal)(void *user, const http_exchange *x, int status, const char *message,
                     http_answer_id *id, size_t *n);
    void *user;
} http_handler;

/* 0 stands for the default in brackets. */
typedef struct http_options {
    size_t max_body;        /* [32 MiB] */
    size_t max_headers;     /* [16 KiB] */
    size_t max_connections; /* [10,000 or the limit of descriptors - 64, whichever is less] */
    size_t max_per_peer;    /* [256] of one address; Unix sockets are not counted */
    double headers_s;       /* [10] until a request's headers are complete */
    double body_s;          /* [10] after which a body has to have come at body_rate on average */
    double body_rate;       /* [16384] bytes a second */
    double idle_s;          /* [75] between requests */
    double stalled_s;       /* [120] without the socket taking a byte of an answer */
    const char *tls_cert, *tls_key; /* files, PEM; NULL: no TLS. Never on Unix sockets */
} http_options;

ingle_status http_open(http **out, const http_options *opt, const http_handler *handler,
                       ingle_error *err);
/* Listens on it; the socket is handed over, also on failure. */
ingle_status http_add(http *h, listener *l, ingle_error *err);
/* Serves until http_stop(). SIGTERM, SIGINT and SIGHUP are blocked in all threads that are started
 * after http_open(), and come to handler->signal. */
ingle_status http_run(http *h, ingle_error *err);
void http_stop(http *h); /* any thread */
void http_wake(http *h); /* any thread: handler->woken() is called soon */
/* No more connections; those that are idle are closed, others after their answer. */
void http_stop_listening(http *h);
/* Reads the certificate and key again; on failure the old ones stay. */
ingle_status http_reload_tls(http *h, ingle_error *err);
void http_close(http **h);

typedef struct http_counts {
    size_t n_connections, n_exchanges; /* now */
    uint64_t n_accepted, n_refused, n_bytes_in, n_bytes_out;
} http_counts;
http_counts http_counts_get(const http *h);

/* A header of the answer, before it is begun. Both are copied. */
void http_set_header(http_exchange *x, const char *name, const char *value);
/* The whole answer. body [n] is handed over, for free(); may be NULL. */
void http_answer(http_exchange *x, int status, char *body, size_t n);
/* Begins an answer of unknown length: handler->read() is asked for it from now on. */
void http_stream(http_exchange *x, int status);
/* There is something to read again. */
void http_resume(http_exchange *x);
/* Ends the exchange and its connection without an answer. */
void http_abort(http_exchange *x);

#endif
