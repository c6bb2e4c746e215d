/* http.c - connections from accept to their end, their deadlines, and the loop.
 * Depends on http_own.h, base/loop.h, base/clock.h.
 * Invariant  libmicrohttpd runs only after what the loop had to say: it does not change a connection
 *            while watches are called. All connections are looked at four times a second, and at no
 *            other time. */
#define _GNU_SOURCE
#include "http_own.h"

#include "base/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

enum { ACCEPTED_AT_ONCE = 64, SPARE_DESCRIPTORS = 64 };
#define TICK_S  0.25
#define PAUSE_S 0.1

/* ---- connections ----------------------------------------------------------------------------- */

typedef union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_storage storage;
} address;

/* An IPv4 address that IPv6 carries is an IPv4 address. */
static void unmap(address *a)
{
    if (a->any.sa_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&a->v6.sin6_addr)) return;
    address v4 = {.v4 = {.sin_family = AF_INET, .sin_port = a->v6.sin6_port}};
    memcpy(&v4.v4.sin_addr, &a->v6.sin6_addr.s6_addr[12], 4);
    *a = v4;
}

static void key_of(const address *a, unsigned char key[16])
{
    static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
    memcpy(key, mapped, 12);
    if (a->any.sa_family == AF_INET) memcpy(key + 12, &a->v4.sin_addr, 4);
    else memcpy(key, &a->v6.sin6_addr, 16);
}

static void describe_peer(http_peer *p, const address *from, const address *to)
{
    char host[INET6_ADDRSTRLEN] = "";
    if (from->any.sa_family == AF_INET) {
        inet_ntop(AF_INET, &from->v4.sin_addr, host, sizeof host);
        snprintf(p->text, sizeof p->text, "%s:%u", host, ntohs(from->v4.sin_port));
        p->loopback = ntohl(from->v4.sin_addr.s_addr) >> 24 == 127;
    } else if (from->any.sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &from->v6.sin6_addr, host, sizeof host);
        snprintf(p->text, sizeof p->text, "[%s]:%u", host, ntohs(from->v6.sin6_port));
        p->loopback = IN6_IS_ADDR_LOOPBACK(&from->v6.sin6_addr);
    } else {
        snprintf(p->text, sizeof p->text, "unix");
        p->unix_socket = true;
    }
    if (to->any.sa_family == AF_INET)
        inet_ntop(AF_INET, &to->v4.sin_addr, p->local, sizeof p->local);
    else if (to->any.sa_family == AF_INET6)
        inet_ntop(AF_INET6, &to->v6.sin6_addr, p->local, sizeof p->local);
}

static connection *new_connection(http *h, int fd, const address *from, const address *to, bool tls)
{
    connection *c = calloc(1, sizeof *c);
    if (!c) return NULL;
    c->h = h;
    c->fd = fd;
    c->engine = tls ? &h->tls : &h->plain;
    c->x = (http_exchange){.peer = &c->peer, .own = c};
    c->deadline = ingle_now() + h->opt.headers_s;
    describe_peer(&c->peer, from, to);
    c->peer.tls = tls;
    c->next = h->first;
    if (h->first) h->first->previous = c;
    h->first = c;
    h->counts.n_connections++;
    return c;
}

/* Takes over the socket. */
static void admit(http *h, int fd, address *from, socklen_t n_from, bool tls)
{
    address to = {0}, peer = *from;
    socklen_t n_to = sizeof to.storage;
    unsigned char key[16];
    const char *why = NULL;
    connection *c = NULL;
    unmap(&peer);
    if (peer.any.sa_family != AF_UNIX && !getsockname(fd, &to.any, &n_to)) unmap(&to);
    if (h->counts.n_connections >= h->opt.max_connections) why = "too many connections";
    else if (!(c = new_connection(h, fd, &peer, &to, tls)) || !http_place(h, fd, c))
        why = "no memory for a connection";
    else if (!c->peer.unix_socket) {
        key_of(&peer, key);
        c->count = peers_add(&h->peers, key);
        if (!c->count) why = "no memory for a connection";
        else if (c->count->n > h->opt.max_per_peer) why = "too many connections from this address";
    }
    if (!why) {
        h->counts.n_accepted++;
        h->n_pending++;
        c->engine->due = true;
        MHD_add_connection(c->engine->daemon, fd, &from->any, n_from); /* on failure it closes fd */
        return;
    }
    if (c) http_forget(c);
    if (tls) h->counts.n_refused++; /* it could not read an answer */
    else http_refuse_fd(h, fd, 503, why);
    close(fd);
}

/* Those that libmicrohttpd did not want: it has closed their sockets. */
static void forget_unwanted(http *h)
{
    for (connection *c = h->first, *next; h->n_pending && c; c = next) {
        next = c->next;
        if (c->mhd || c->state != CONN_IDLE) continue;
        http_note(h, false, "%s: libmicrohttpd refuses the connection", c->peer.text);
        h->n_pending--;
        http_forget(c);
    }
    h->n_pending = 0;
}

/* ---- listeners ------------------------------------------------------------------------------- */

static void pause_accepting(http *h)
{
    for (size_t i = 0; i < h->n_listeners; i++) ingle_loop_remove(h->loop, &h->listeners[i].watch);
    h->paused_until = ingle_now() + PAUSE_S;
}

static void go_on_accepting(http *h)
{
    ingle_error err;
    h->paused_until = 0;
    for (size_t i = 0; i < h->n_listeners; i++)
        if (ingle_loop_add(h->loop, &h->listeners[i].watch, &err)) {
            http_note(h, false, "%s: not watched: %s", h->listeners[i].socket.text, err.text);
            pause_accepting(h); /* and tries again */
            return;
        }
}

/* No descriptor is left. One is kept for this: the client gets an answer instead of silence. */
static void answer_with_reserve(http *h, int listening, bool tls)
{
    http_note(h, false, "no file descriptor is left: %s",
              "a client was refused, and none is accepted for 100 ms (see ulimit -n)");
    if (h->reserve >= 0) close(h->reserve);
    int fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0) {
        if (tls) h->counts.n_refused++;
        else http_refuse_fd(h, fd, 503, "no file descriptor is left for this connection");
        close(fd);
    }
    h->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
    pause_accepting(h);
}

static void on_listener(ingle_watch *watch, unsigned what)
{
    served *s = watch->user;
    http *h = s->h;
    const bool tls = h->certificates && !s->socket.unix_socket;
    (void)what;
    for (int i = 0; i < ACCEPTED_AT_ONCE; i++) {
        address from = {0};
        socklen_t n = sizeof from.storage;
        int fd = accept4(watch->fd, &from.any, &n, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            if (n < sizeof from.any.sa_family) from.any.sa_family = AF_UNIX, n = sizeof(short);
            admit(h, fd, &from, n, tls);
        } else if (errno == EMFILE || errno == ENFILE) {
            answer_with_reserve(h, watch->fd, tls);
            return;
        } else if (errno == ENOBUFS || errno == ENOMEM) {
            http_note(h, false, "the system has no memory for a connection");
            pause_accepting(h);
            return;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) return;
    }
}

static void on_daemon(ingle_watch *watch, unsigned what)
{
    (void)what;
    ((engine *)watch->user)->due = true;
}

static ingle_status start_engine(http *h, engine *e, bool tls, ingle_error *err)
{
    if (e->daemon) return INGLE_OK;
    e->h = h;
    e->daemon = http_daemon(h, tls, err);
    if (!e->daemon) return INGLE_EIO;
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(e->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    ingle_status status = INGLE_EIO;
    if (info) {
        e->watch = (ingle_watch){
            .fd = info->epoll_fd, .what = INGLE_LOOP_READ, .call = on_daemon, .user = e};
        status = ingle_loop_add(h->loop, &e->watch, err);
    } else ingle_fail(err, status, "libmicrohttpd has no epoll descriptor");
    if (status) {
        MHD_stop_daemon(e->daemon);
        e->daemon = NULL;
    }
    return status;
}

ingle_status http_add(http *h, listener *l, ingle_error *err)
{
    const bool tls = h->certificates && !l->unix_socket;
    ingle_status status = INGLE_OK;
    if (h->n_listeners == LISTEN_MAX)
        status = ingle_fail(err, INGLE_EINVAL, "more than %d addresses to listen on", LISTEN_MAX);
    if (!status) status = start_engine(h, tls ? &h->tls : &h->plain, tls, err);
    served *s = &h->listeners[h->n_listeners];
    if (!status) {
        *s = (served){.socket = *l, .h = h};
        s->watch =
            (ingle_watch){.fd = l->fd, .what = INGLE_LOOP_READ, .call = on_listener, .user = s};
        status = ingle_loop_add(h->loop, &s->watch, err);
    }
    if (status) listen_close(l);
    else h->n_listeners++;
    *l = (listener){.fd = -1};
    return status;
}

void http_stop_listening(http *h)
{
    for (size_t i = 0; i < h->n_listeners; i++) {
        ingle_loop_remove(h->loop, &h->listeners[i].watch);
        listen_close(&h->listeners[i].socket);
    }
    h->n_listeners = 0;
    h->paused_until = 0;
    h->draining = true;
    for (connection *c = h->first; c; c = c->next)
        if (c->state == CONN_IDLE && c->mhd) http_client_gone(c);
}

/* ---- deadlines ------------------------------------------------------------------------------- */

static void cut_off(connection *c, const char *why)
{
    http_note(c->h, true, "%s: closed, %s", c->peer.text, why);
    http_client_gone(c);
}

/* From the first second after body_s on, the average has to be body_rate. */
static void check_body(connection *c, double now)
{
    if (!c->has_body) {
        c->deadline = 0;
        return;
    }
    if ((double)c->x.n_body >= c->h->opt.body_rate * (now - c->began)) {
        c->deadline = now + 1;
        return;
    }
    http_refuse(c, 408, "the body comes too slowly");
    c->lingers = false;
    cut_off(c, "its body comes too slowly");
}

/* An answer moves on when the reader is asked for more, or the socket's queue changes. */
static void check_answer(connection *c, double now)
{
    int queue = 0;
    if (ioctl(c->fd, SIOCOUTQ, &queue)) queue = 0;
    const bool waits = c->suspended && !queue;
    if (waits || queue != c->seen_queue || c->n_reads != c->seen_reads) c->moved_at = now;
    c->seen_queue = queue;
    c->seen_reads = c->n_reads;
    c->deadline = now + c->h->opt.stalled_s / 16;
    if (now - c->moved_at < c->h->opt.stalled_s) return;
    const struct linger reset = {.l_onoff = 1};
    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset); /* the queue is freed at once */
    cut_off(c, "it reads nothing of its answer");
}

static void check_deadline(connection *c, double now)
{
    switch (c->state) {
    case CONN_IDLE:
    case CONN_HEADERS:
        c->deadline = 0;
        cut_off(c, c->state == CONN_IDLE ? "no request came" : "its headers come too slowly");
        break;
    case CONN_BODY: check_body(c, now); break;
    case CONN_READY: c->deadline = 0; break;
    case CONN_ANSWER:
    case CONN_STREAM: check_answer(c, now); break;
    case CONN_LINGER: http_forget(c); break;
    }
}

static void tick(http *h, double now)
{
    h->next_tick = now + TICK_S;
    for (connection *c = h->first, *next; c; c = next) {
        next = c->next;
        /* Where a request does not come at once: libmicrohttpd does not see an end that came together
         * with bytes. And a stream that never waited. */
        if (c->mhd && (c->state < CONN_READY || c->state == CONN_STREAM)) http_watch_gone(c);
        if (c->deadline > 0 && now >= c->deadline) check_deadline(c, now);
    }
    if (h->certificates) http_tls_forget(h->certificates, now - h->opt.headers_s - 1);
    if (h->handler.tick) h->handler.tick(h->handler.user, now);
}

/* ---- the loop -------------------------------------------------------------------------------- */

static void run_engine(engine *e)
{
    MHD_UNSIGNED_LONG_LONG ms;
    if (!e->daemon || !e->due) return;
    MHD_run(e->daemon);
    e->due = MHD_get_timeout(e->daemon, &ms) == MHD_YES && !ms;
}

static double seconds_left(const http *h)
{
    if (h->plain.due || h->tls.due || atomic_load(&h->woken)) return 0;
    double now = ingle_now(), until = h->next_tick;
    if (h->paused_until > 0) until = fmin(until, h->paused_until);
    return fmax(0, until - now);
}

ingle_status http_run(http *h, ingle_error *err)
{
    http_tls_use(h->certificates);
    h->next_tick = ingle_now() + TICK_S;
    while (!atomic_load(&h->stop)) {
        ingle_status status = ingle_loop_wait(h->loop, seconds_left(h), err);
        if (status) return status;
        if (atomic_exchange(&h->woken, false)) h->handler.woken(h->handler.user);
        double now = ingle_now();
        if (h->paused_until > 0 && now >= h->paused_until) go_on_accepting(h);
        if (now >= h->next_tick) tick(h, now);
        run_engine(&h->plain);
        run_engine(&h->tls);
        if (h->n_pending) forget_unwanted(h);
    }
    return INGLE_OK;
}

void http_stop(http *h)
{
    atomic_store(&h->stop, true);
    ingle_loop_wake(h->loop);
}

void http_wake(http *h)
{
    if (!atomic_exchange(&h->woken, true)) ingle_loop_wake(h->loop);
}

/* ---- opening and closing --------------------------------------------------------------------- */

static void on_signal(void *user, int number)
{
    http *h = user;
    h->handler.signal(h->handler.user, number);
}

/* How many connections the limit of descriptors allows; the limit is raised as far as it goes. */
static size_t connections_allowed(size_t wanted)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit)) return wanted;
    const rlim_t need = (rlim_t)wanted + SPARE_DESCRIPTORS;
    if (limit.rlim_cur < need && limit.rlim_cur < limit.rlim_max) {
        struct rlimit more = limit;
        more.rlim_cur = need < limit.rlim_max ? need : limit.rlim_max;
        if (!setrlimit(RLIMIT_NOFILE, &more)) limit = more;
    }
    if (limit.rlim_cur >= need) return wanted;
    return limit.rlim_cur > SPARE_DESCRIPTORS ? (size_t)limit.rlim_cur - SPARE_DESCRIPTORS : 1;
}

static http_options with_defaults(const http_options *opt)
{
    http_options o = *opt;
    if (!o.max_body) o.max_body = (size_t)32 << 20;
    if (!o.max_headers) o.max_headers = 16384;
    if (!o.max_connections) o.max_connections = 10000;
    if (!o.max_per_peer) o.max_per_peer = 256;
    if (o.headers_s <= 0) o.headers_s = 10;
    if (o.body_s <= 0) o.body_s = 10;
    if (o.body_rate <= 0) o.body_rate = 16384;
    if (o.idle_s <= 0) o.idle_s = 75;
    if (o.stalled_s <= 0) o.stalled_s = 120;
    o.max_connections = connections_allowed(o.max_connections);
    return o;
}

static ingle_status open_parts(http *h, ingle_error *err)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
    ingle_status status = ingle_loop_open(&h->loop, err);
    if (!status) status = ingle_loop_signals(h->loop, numbers, 3, on_signal, h, err);
    if (!status && (h->opt.tls_cert || h->opt.tls_key))
        status = http_tls_open(&h->certificates, h->opt.tls_cert, h->opt.tls_key, err);
    if (status) return status;
    h->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (h->reserve < 0) return ingle_fail(err, INGLE_EIO, "/dev/null cannot be opened");
    signal(SIGPIPE, SIG_IGN);
    return INGLE_OK;
}

ingle_status http_open(http **out, const http_options *opt, const http_handler *handler,
                       ingle_error *err)
{
    *out = NULL;
    http *h = calloc(1, sizeof *h);
    if (!h) return ingle_fail(err, INGLE_ENOMEM, "no memory for the server");
    h->opt = with_defaults(opt);
    h->handler = *handler;
    h->reserve = -1;
    peers_open(&h->peers);
    ingle_status status = open_parts(h, err);
    if (status) http_close(&h);
    *out = h;
    return status;
}

ingle_status http_reload_tls(http *h, ingle_error *err)
{
    return h->certificates ? http_tls_reload(h->certificates, ingle_now(), err) : INGLE_OK;
}

static void stop_engine(http *h, engine *e)
{
    if (!e->daemon) return;
    for (connection *c = h->first; c; c = c->next) /* it does not stop while one is suspended */
        if (c->engine == e && c->mhd) http_client_gone(c);
    MHD_run(e->daemon);
    ingle_loop_remove(h->loop, &e->watch);
    MHD_stop_daemon(e->daemon);
    e->daemon = NULL;
}

void http_close(http **http_)
{
    http *h = *http_;
    *http_ = NULL;
    if (!h) return;
    if (h->loop) http_stop_listening(h);
    stop_engine(h, &h->plain);
    stop_engine(h, &h->tls);
    while (h->first) http_forget(h->first);
    ingle_loop_close(&h->loop);
    http_tls_close(&h->certificates);
    if (h->reserve >= 0) close(h->reserve);
    peers_close(&h->peers);
    free(h->by_fd);
    free(h);
}

http_counts http_counts_get(const http *h)
{
    return h->counts;
}
