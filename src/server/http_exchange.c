/* http_exchange.c - requests and answers: libmicrohttpd's callbacks on one side, the handler's on the
 * other.
 * Depends on http_own.h.
 * Invariant  libmicrohttpd takes an answer only in its first call for a request and after the whole
 *            body, and only from inside such a call: so what the handler says at other times is kept,
 *            and the connection resumed. The watch for GONE is added when an exchange first waits, and
 *            stays until the answer is whole: a stream waits once for every event. */
#define _GNU_SOURCE
#include "http_own.h"

#include "base/clock.h"

#include <stdio.h>
#include <strings.h>
#include <unistd.h>

enum {
    STREAM_BLOCK = 256,     /* of HTTP/1.1, which uses the connection's own buffer */
    STREAM_BLOCK_10 = 8192, /* of HTTP/1.0 */
    KEPT_BYTES = 1024,      /* of a buffer between requests */
    POOL_EXTRA = 2048
};

/* ---- waiting for the handler ----------------------------------------------------------------- */

static void resume(connection *c)
{
    if (!c->suspended) return;
    c->suspended = false;
    MHD_resume_connection(c->mhd);
    c->engine->due = true;
}

/* libmicrohttpd 0.9.75 waits for edges, and misses an end that came together with bytes, or before a
 * reset: a connection that was resumed is looked at again. */
static void look_again(connection *c)
{
    if (!c->mhd || c->suspended) return;
    MHD_suspend_connection(c->mhd);
    MHD_resume_connection(c->mhd);
    c->engine->due = true;
}

/* Closes the socket on both sides, which libmicrohttpd then sees. */
static void cut(connection *c)
{
    shutdown(c->fd, SHUT_RDWR);
    look_again(c);
}

void http_client_gone(connection *c)
{
    if (c->gone) return;
    c->gone = true;
    http_unwatch(c);
    if (c->told && !c->ended && !c->aborted && (!c->answered || c->streams))
        c->h->handler.gone(c->h->handler.user, &c->x);
    if (c->suspended) resume(c);
    else cut(c);
}

static void on_gone(ingle_watch *watch, unsigned what)
{
    connection *c = watch->user;
    (void)what;
    if (c->state < CONN_READY) {
        http_unwatch(c);
        look_again(c); /* it reads what is left, and the end */
    } else if (c->ended || (c->answered && !c->streams)) http_unwatch(c);
    else http_client_gone(c);
}

void http_watch_gone(connection *c)
{
    if (c->watched) return;
    ingle_error err;
    c->watch = (ingle_watch){.fd = c->fd, .what = INGLE_LOOP_GONE, .call = on_gone, .user = c};
    c->watched = !ingle_loop_add(c->h->loop, &c->watch, &err);
    if (!c->watched) http_note(c->h, false, "%s: cannot be watched: %s", c->peer.text, err.text);
}

static void suspend(connection *c)
{
    MHD_suspend_connection(c->mhd);
    c->suspended = true;
    http_watch_gone(c);
}

/* ---- answers --------------------------------------------------------------------------------- */

static ssize_t read_stream(void *cls, uint64_t position, char *to, size_t cap)
{
    connection *c = cls;
    (void)position;
    if (c->gone || c->aborted) return MHD_CONTENT_READER_END_WITH_ERROR;
    size_t n = 0;
    c->n_reads++;
    if (!c->ended) {
        c->inside = true;
        http_read r = c->h->handler.read(c->h->handler.user, &c->x, to, cap, &n);
        c->inside = false;
        c->h->counts.n_bytes_out += n;
        if (c->aborted) return MHD_CONTENT_READER_END_WITH_ERROR;
        if (r == HTTP_MORE && !n) {
            suspend(c);
            return 0;
        }
        c->ended = r != HTTP_MORE;
        c->cut = r == HTTP_CUT;
    }
    if (n) return (ssize_t)n;
    return c->cut ? MHD_CONTENT_READER_END_WITH_ERROR : MHD_CONTENT_READER_END_OF_STREAM;
}

static struct MHD_Response *make_response(connection *c)
{
    if (c->streams)
        return MHD_create_response_from_callback(
            MHD_SIZE_UNKNOWN, c->x.http10 ? STREAM_BLOCK_10 : STREAM_BLOCK, read_stream, c, NULL);
    struct MHD_Response *r =
        MHD_create_response_from_buffer(c->n_answer, c->answer ? c->answer : "",
                                        c->answer ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
    if (r) c->answer = NULL;
    return r;
}

/* A header with a line's end in it is left out: its value may have come from a client. */
static void add_header(connection *c, struct MHD_Response *r, const char *name, const char *value)
{
    if (MHD_add_response_header(r, name, value) != MHD_YES)
        http_note(c->h, false, "%s: the header %s of an answer cannot be sent", c->peer.text, name);
}

static bool add_headers(connection *c, struct MHD_Response *r)
{
    if (c->headers.failed) return false;
    for (const char *at = c->headers.p, *end = at + c->headers.n; at < end;) {
        const char *value = at + strlen(at) + 1;
        add_header(c, r, at, value);
        at = value + strlen(value) + 1;
    }
    /* After the headers of a chunked answer to HEAD, libmicrohttpd 0.9.75 sends the last chunk. */
    if (c->h->draining || (c->streams && !strcmp(c->x.method, MHD_HTTP_METHOD_HEAD)))
        add_header(c, r, "Connection", "close");
    return true;
}

/* Gives libmicrohttpd the answer that the handler made. */
static enum MHD_Result queue_answer(connection *c)
{
    struct MHD_Response *r = make_response(c);
    bool ok =
        r && add_headers(c, r) && MHD_queue_response(c->mhd, (unsigned)c->status, r) == MHD_YES;
    if (r) MHD_destroy_response(r);
    if (!ok) {
        http_note(c->h, false, "%s: an answer cannot be sent: no memory", c->peer.text);
        return MHD_NO;
    }
    c->queued = true;
    c->state = c->streams ? CONN_STREAM : CONN_ANSWER;
    c->moved_at = ingle_now();
    c->deadline = c->moved_at + c->h->opt.stalled_s / 16;
    if (!c->streams) c->h->counts.n_bytes_out += c->n_answer;
    return MHD_YES;
}

static bool can_answer(const connection *c)
{
    return !c->answered && !c->gone && !c->aborted;
}

void http_set_header(http_exchange *x, const char *name, const char *value)
{
    bytes *b = &x->own->headers;
    if (x->own->answered) return;
    bytes_put(b, name, strlen(name) + 1);
    bytes_put(b, value, strlen(value) + 1);
}

void http_answer(http_exchange *x, int status, char *body, size_t n)
{
    connection *c = x->own;
    if (!can_answer(c)) {
        free(body);
        return;
    }
    c->answered = true;
    c->status = status;
    c->answer = body;
    c->n_answer = body ? n : 0;
    http_unwatch(c);
    resume(c);
}

void http_stream(http_exchange *x, int status)
{
    connection *c = x->own;
    if (!can_answer(c)) return;
    c->answered = c->streams = true;
    c->status = status;
    resume(c);
}

void http_resume(http_exchange *x)
{
    if (x->own->streams) resume(x->own);
}

void http_abort(http_exchange *x)
{
    connection *c = x->own;
    if (c->aborted || c->gone) return;
    c->aborted = true;
    http_unwatch(c);
    if (c->suspended) resume(c);
    else if (!c->inside) cut(c);
}

/* ---- headers --------------------------------------------------------------------------------- */

const char *http_header(const http_exchange *x, const char *name)
{
    return MHD_lookup_connection_value(x->own->mhd, MHD_HEADER_KIND, name);
}

typedef struct count_of {
    const char *name;
    size_t n;
} count_of;

static enum MHD_Result count_one(void *cls, enum MHD_ValueKind kind, const char *name,
                                 const char *value)
{
    count_of *count = cls;
    (void)kind, (void)value;
    if (!strcasecmp(name, count->name)) count->n++;
    return MHD_YES;
}

size_t http_header_count(const http_exchange *x, const char *name)
{
    count_of count = {.name = name};
    MHD_get_connection_values(x->own->mhd, MHD_HEADER_KIND, count_one, &count);
    return count.n;
}

static int hex(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes the path in place and parts it from the query; what is wrong with it, or NULL. */
static const char *split_uri(connection *c)
{
    char *from = c->uri.p, *to = from;
    c->x.path = from;
    for (; *from && *from != '?'; from++) {
        if (*from != '%') {
            *to++ = *from;
            continue;
        }
        int high = hex(from[1]), low = high < 0 ? -1 : hex(from[2]);
        if (low < 0) return "the path has a '%' without two hexadecimal digits after it";
        if (!(high | low)) return "the path has a NUL in it";
        *to++ = (char)(high << 4 | low);
        from += 2;
    }
    c->x.query = *from ? from + 1 : from;
    *to = 0;
    return NULL;
}

#if MHD_VERSION < 0x00097600
/* libmicrohttpd reads a header up to a NUL in it, and joins folded lines; another program may read it
 * in another way. In its buffer the lines follow one another, with only their ends between them. */
typedef struct lines {
    const char *end; /* of what was read so far */
    bool odd;
} lines;

static bool only_line_end(const char *from, const char *to)
{
    if ((uintptr_t)to <= (uintptr_t)from) return false;
    while (from < to && (*from == ' ' || *from == '\t')) from++;
    return to - from <= 2 && !from[0] && (to - from < 2 || !from[1]);
}

static enum MHD_Result check_line(void *cls, enum MHD_ValueKind kind, const char *name,
                                  size_t n_name, const char *value, size_t n_value)
{
    lines *l = cls;
    (void)kind;
    if (!only_line_end(l->end, name)) l->odd = true;
    l->end = value ? value + n_value : name + n_name;
    return l->odd ? MHD_NO : MHD_YES;
}

static bool lines_are_plain(connection *c, const char *version, size_t header_size)
{
    lines l = {.end = version + strlen(version)};
    MHD_get_connection_values_n(c->mhd, MHD_HEADER_KIND, check_line, &l);
    const char *end = c->x.method + header_size; /* after the empty line */
    if (l.odd || end - l.end > 4) return false;
    while (l.end < end && (!*l.end || *l.end == '\r' || *l.end == '\n')) l.end++;
    return l.end == end;
}
#else
static bool lines_are_plain(connection *c, const char *version, size_t header_size)
{
    (void)c, (void)version, (void)header_size;
    return true; /* refuses them itself */
}
#endif

/* Whether the headers say that a body follows, and how long it is, UINT64_MAX if they do not. */
static bool body_length(connection *c, uint64_t *n)
{
    const char *length = http_header(&c->x, "Content-Length");
    *n = UINT64_MAX;
    c->has_body = http_header(&c->x, "Transfer-Encoding") != NULL;
    if (!length || c->has_body) return true;
    const size_t n_digits = strspn(length, "0123456789");
    if (!n_digits || length[n_digits] || n_digits > 19) return false;
    *n = strtoull(length, NULL, 10);
    c->has_body = *n > 0;
    return true;
}

/* ---- libmicrohttpd's calls ------------------------------------------------------------------- */

static connection *of_connection(struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

static void on_connection(void *cls, struct MHD_Connection *mhd, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    http *h = cls;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
        connection *c = info ? http_of_fd(h, info->connect_fd) : NULL;
        if (c) c->mhd = mhd, h->n_pending--;
        *context = c;
        return;
    }
    connection *c = *context;
    *context = NULL;
    if (!c) return;
    c->mhd = NULL;
    if (!c->lingers || c->gone || !http_linger(c)) http_forget(c);
}

/* The request line is there. What it returns is the access handler's *request. */
static void *on_uri(void *cls, const char *uri, struct MHD_Connection *mhd)
{
    connection *c = of_connection(mhd);
    (void)cls;
    if (!c) return NULL;
    c->state = CONN_HEADERS;
    double by = ingle_now() + c->h->opt.headers_s;
    if (by < c->deadline) c->deadline = by;
    c->uri_at = uri;
    c->n_uri = strlen(uri);
    c->uri.n = 0;
    bytes_put(&c->uri, uri, c->n_uri + 1);
    return c;
}

static size_t keep_escapes(void *cls, struct MHD_Connection *mhd, char *text)
{
    (void)cls, (void)mhd;
    return strlen(text); /* split_uri() decodes the path; queries are left as they came */
}

static enum MHD_Result settle(connection *c)
{
    if (c->gone || c->aborted) return MHD_NO;
    if (c->answered) return queue_answer(c);
    suspend(c);
    return MHD_YES;
}

/* An answer before the body ends the connection; so it waits for the second call if there is no body,
 * which comes at once. */
static enum MHD_Result answer_early(connection *c)
{
    if (!c->has_body) {
        c->state = CONN_READY;
        return MHD_YES;
    }
    c->lingers = true;
    return queue_answer(c);
}

/* An answer of our own, while libmicrohttpd takes one. */
static enum MHD_Result refuse(connection *c, int status, const char *message)
{
    size_t n;
    http_answer_id id;
    char *body = http_refusal(c->h, &c->x, status, message, &id, &n);
    c->h->counts.n_refused++;
    http_note(c->h, false, "%s: %d, %s", c->peer.text, status, message);
    c->headers.n = 0;
    http_set_header(&c->x, "Content-Type", "application/json");
    http_set_header(&c->x, "Connection", "close");
    if (*id.name) http_set_header(&c->x, id.name, id.value);
    http_answer(&c->x, status, body, n);
    c->lingers = true;
    return settle(c);
}

static enum MHD_Result first_call(connection *c, const char *method, const char *version)
{
    const http_options *opt = &c->h->opt;
    uint64_t length;
    char message[160];
    if (c->gone) return MHD_NO;
    const union MHD_ConnectionInfo *size =
        MHD_get_connection_info(c->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    c->x.method = method;
    c->x.http10 = !strcmp(version, "HTTP/1.0");
    c->x.path = c->x.query = "";
    c->state = CONN_BODY;
    c->began = ingle_now();
    c->deadline = c->began + opt->body_s;
    c->h->counts.n_exchanges++;
    if (size) c->h->counts.n_bytes_in += size->header_size;
    if (c->uri.failed) return refuse(c, 503, "no memory for the request");
    if (version - c->uri_at != (ptrdiff_t)c->n_uri + 1)
        return refuse(c, 400, "the request line has more in it than method, path and version");
    const char *wrong = split_uri(c);
    if (wrong) return refuse(c, 400, wrong);
    if (size && !lines_are_plain(c, version, size->header_size))
        return refuse(c, 400, "a header has a NUL in it, or goes on in the next line");
    if (!body_length(c, &length)) return refuse(c, 400, "Content-Length is no number");
    if (size && size->header_size > opt->max_headers)
        return refuse(c, 431, "the headers are longer than --max-headers allows");
    c->told = c->inside = true;
    bool wanted = c->h->handler.headers(c->h->handler.user, &c->x);
    c->inside = false;
    if (c->aborted || (!c->answered && !wanted)) return MHD_NO;
    if (c->answered) return answer_early(c);
    if (length == UINT64_MAX || length <= opt->max_body) return MHD_YES;
    snprintf(message, sizeof message, "the body has %llu bytes; --max-body allows %zu",
             (unsigned long long)length, opt->max_body);
    return refuse(c, 413, message);
}

static enum MHD_Result take_body(connection *c, const char *p, size_t n)
{
    char message[160];
    http_exchange *x = &c->x;
    c->h->counts.n_bytes_in += n;
    if (c->gone || c->aborted) return MHD_NO;
    if (n > c->h->opt.max_body || x->n_body > c->h->opt.max_body - n) {
        snprintf(message, sizeof message,
                 "the body has more than the %zu bytes that --max-body allows", c->h->opt.max_body);
        http_refuse(c, 413, message);
        return MHD_NO;
    }
    if (!ingle_grow(&x->body, &c->cap_body, x->n_body + n + 1, 1)) {
        http_refuse(c, 503, "no memory for the body");
        return MHD_NO;
    }
    memcpy(x->body + x->n_body, p, n);
    x->n_body += n;
    x->body[x->n_body] = 0;
    return MHD_YES;
}

static enum MHD_Result last_call(connection *c)
{
    http_exchange *x = &c->x;
    if (c->state != CONN_BODY) return settle(c); /* it was resumed */
    if (!x->body && !ingle_grow(&x->body, &c->cap_body, 1, 1))
        return refuse(c, 503, "no memory for the request");
    x->body[x->n_body] = 0;
    c->state = CONN_READY;
    c->deadline = 0;
    c->inside = true;
    c->h->handler.ready(c->h->handler.user, x);
    c->inside = false;
    return settle(c);
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *mhd, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *n_data, void **request)
{
    connection *c = *request;
    (void)cls, (void)mhd, (void)url;
    if (!c) return MHD_NO;
    if (c->state == CONN_HEADERS) return first_call(c, method, version);
    if (!*n_data) return last_call(c);
    const size_t n = *n_data;
    *n_data = 0;
    return take_body(c, data, n);
}

static void keep_small(bytes *b)
{
    if (b->cap > KEPT_BYTES || b->failed) bytes_free(b);
    b->n = 0;
}

/* The exchange is over: the connection is as it was before. */
static void on_completed(void *cls, struct MHD_Connection *mhd, void **request,
                         enum MHD_RequestTerminationCode why)
{
    connection *c = *request;
    http *h = cls;
    (void)mhd;
    *request = NULL;
    if (!c) return;
    http_unwatch(c);
    const bool whole = c->queued && (!c->streams || (c->ended && !c->cut) ||
                                     why == MHD_REQUEST_TERMINATED_COMPLETED_OK);
    if (c->told) {
        if (!whole && !c->gone && !c->aborted && !c->cut) h->handler.gone(h->handler.user, &c->x);
        c->gone = true; /* nothing that done() does can answer */
        h->handler.done(h->handler.user, &c->x);
    }
    if (c->state != CONN_HEADERS) h->counts.n_exchanges--;
    free(c->x.body);
    free(c->answer);
    keep_small(&c->uri);
    keep_small(&c->headers);
    c->x = (http_exchange){.peer = &c->peer, .own = c};
    c->told = c->inside = c->suspended = c->answered = c->queued = false;
    c->streams = c->ended = c->cut = c->gone = c->aborted = c->has_body = false;
    c->answer = NULL;
    c->cap_body = c->n_answer = 0;
    c->state = CONN_IDLE;
    c->deadline = ingle_now() + h->opt.idle_s;
    if (h->draining && !c->lingers) {
        c->gone = true; /* no request of this connection is taken any more */
        shutdown(c->fd, SHUT_RDWR);
    }
}

static void on_log(void *cls, const char *format, va_list args)
{
    char text[256];
    int n = vsnprintf(text, sizeof text, format, args);
    if (n <= 0) return;
    text[strcspn(text, "\r\n")] = 0;
    http_note(cls, true, "%s", text);
}

struct MHD_Daemon *http_daemon(http *h, bool tls, ingle_error *err)
{
    const size_t headers = h->opt.max_headers;
    const size_t pool = headers <= 16384 ? 16384 : headers + POOL_EXTRA;
    struct MHD_OptionItem more[] = {
        {MHD_OPTION_CONNECTION_LIMIT, (intptr_t)(h->opt.max_connections + 64), NULL},
        {MHD_OPTION_CONNECTION_MEMORY_LIMIT, (intptr_t)pool, NULL},
        {MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)on_completed, h},
        {MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)on_connection, h},
        {MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)on_uri, h},
        {MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)keep_escapes, h},
        {MHD_OPTION_END, 0, NULL},
        {MHD_OPTION_END, 0, NULL},
        {MHD_OPTION_END, 0, NULL}};
    if (tls) {
        more[6] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_PRIORITIES, 0,
                                          "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"};
        http_tls_option(&more[7]);
    }
    const unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_NO_LISTEN_SOCKET |
                           MHD_USE_ERROR_LOG | (tls ? MHD_USE_TLS : 0);
    struct MHD_Daemon *d =
        MHD_start_daemon(flags, 0, NULL, NULL, on_request, h, MHD_OPTION_EXTERNAL_LOGGER, on_log, h,
                         MHD_OPTION_ARRAY, more, MHD_OPTION_END);
    if (!d) ingle_fail(err, INGLE_EIO, "libmicrohttpd does not start%s", tls ? " with TLS" : "");
    return d;
}
