/* listen.c - see listen.h.
 * Invariant  a Unix socket gets its mode before it listens, so nobody connects in between; a path is
 *            removed only where a connect to it is refused, or while it is the file we made. */
#define _GNU_SOURCE
#include "listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 4096, FIRST_PASSED = 3 };

static ingle_status refused(ingle_error *err, const char *text, const char *what)
{
    return ingle_fail(err, INGLE_EIO, "cannot listen on %s: %s%s%s", text, what,
                      what[0] ? ": " : "", strerrordesc_np(errno));
}

/* ---- what a socket is called ------------------------------------------------------------------ */

static bool is_loopback(const struct sockaddr *a)
{
    if (a->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)a)->sin_addr.s_addr) >> 24 == 127;
    if (a->sa_family != AF_INET6) return false;
    const struct in6_addr *v6 = &((const struct sockaddr_in6 *)a)->sin6_addr;
    return IN6_IS_ADDR_LOOPBACK(v6) || (IN6_IS_ADDR_V4MAPPED(v6) && v6->s6_addr[12] == 127);
}

static void describe(listener *l)
{
    union {
        struct sockaddr any;
        struct sockaddr_storage storage;
        struct sockaddr_un un;
    } a = {0};
    socklen_t len = sizeof a.storage;
    char host[64], port[8];
    if (getsockname(l->fd, &a.any, &len)) return;
    l->unix_socket = a.any.sa_family == AF_UNIX;
    l->loopback = is_loopback(&a.any);
    if (l->unix_socket) {
        const bool named = len > sizeof a.any.sa_family;
        if (named && !a.un.sun_path[0])
            snprintf(l->text, sizeof l->text, "unix:@%.*s", (int)(len - sizeof a.any.sa_family - 1),
                     a.un.sun_path + 1);
        else
            snprintf(l->text, sizeof l->text, "unix:%.*s", (int)sizeof a.un.sun_path,
                     a.un.sun_path);
    } else if (!getnameinfo(&a.any, len, host, sizeof host, port, sizeof port,
                            NI_NUMERICHOST | NI_NUMERICSERV)) {
        const char *form = a.any.sa_family == AF_INET6 ? "[%s]:%s" : "%s:%s";
        snprintf(l->text, sizeof l->text, form, host, port);
    }
}

/* ---- TCP ------------------------------------------------------------------------------------- */

static ingle_status open_address(listener *l, const struct addrinfo *a, const char *text,
                                 ingle_error *err)
{
    const int on = 1;
    *l = (listener){.fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
    if (l->fd < 0) return refused(err, text, "");
    setsockopt(l->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* what is accepted inherits it */
    if (a->ai_family == AF_INET6) setsockopt(l->fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if (bind(l->fd, a->ai_addr, a->ai_addrlen) || listen(l->fd, BACKLOG)) {
        ingle_status status = refused(err, text, "");
        listen_close(l);
        return status;
    }
    describe(l);
    return INGLE_OK;
}

static ingle_status find_numeric(struct addrinfo **found, const char *host, const char *port,
                                 const char *text, ingle_error *err)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE};
    struct in_addr v4; /* getaddrinfo() would take 127.1 too */
    bool good = strchr(host, ':') || inet_pton(AF_INET, host, &v4) == 1;
    if (good && !getaddrinfo(host, port, &hints, found)) return INGLE_OK;
    return ingle_fail(err, INGLE_EINVAL,
                      "'%.100s' is no address to listen on: it is 127.0.0.1:8080, [::1]:8080, "
                      "localhost:8080, unix:PATH or systemd",
                      text);
}

static ingle_status open_numeric(listener *l, const char *host, const char *port, const char *text,
                                 ingle_error *err)
{
    struct addrinfo *found;
    ingle_status status = find_numeric(&found, host, port, text, err);
    if (status) return status;
    status = open_address(l, found, text, err);
    freeaddrinfo(found);
    return status;
}

static void port_of(const listener *l, char *port, size_t cap)
{
    snprintf(port, cap, "%s", strrchr(l->text, ':') + 1);
}

/* 127.0.0.1 and ::1, on the same port; a machine may lack one of them. */
static ingle_status open_localhost(listener *out, size_t cap, size_t *n, const char *port,
                                   const char *text, ingle_error *err)
{
    static const char *const hosts[] = {"127.0.0.1", "::1"};
    char same[8];
    ingle_status status = INGLE_OK;
    snprintf(same, sizeof same, "%s", port);
    for (size_t i = 0; i < 2 && *n < cap; i++) {
        status = open_numeric(&out[*n], hosts[i], same, text, err);
        if (!status) port_of(&out[(*n)++], same, sizeof same);
        else if (errno != EADDRNOTAVAIL && errno != EAFNOSUPPORT) break;
        else if (*n || !i) status = INGLE_OK;
    }
    if (!status && !*n) status = refused(err, text, "");
    while (status && *n) listen_close(&out[--*n]);
    return status;
}

static bool good_port(const char *port)
{
    size_t n = strspn(port, "0123456789");
    return n && n <= 5 && !port[n] && atoi(port) <= 65535;
}

/* "HOST:PORT", "[HOST]:PORT". What is no host becomes "?", which is no address either. */
static ingle_status split_tcp(const char *text, char *host, size_t cap, const char **port,
                              ingle_error *err)
{
    const char *colon = strrchr(text, ':'), *from = text;
    size_t len = colon ? (size_t)(colon - text) : 0;
    if (!colon || !good_port(colon + 1))
        return ingle_fail(
            err, INGLE_EINVAL,
            "'%.100s' has no port between 0 and 65535 at its end, as 127.0.0.1:8080 has", text);
    const bool v6 = len >= 2 && text[0] == '[' && colon[-1] == ']';
    if (v6) from++, len -= 2;
    *port = colon + 1;
    strcpy(host, "?");
    if (!len || len >= cap || !!memchr(from, ':', len) != v6) return INGLE_OK;
    memcpy(host, from, len);
    host[len] = 0;
    return INGLE_OK;
}

static ingle_status open_tcp(listener *out, size_t cap, size_t *n, const char *text,
                             ingle_error *err)
{
    char host[64];
    const char *port;
    ingle_status status = split_tcp(text, host, sizeof host, &port, err);
    if (status) return status;
    if (!strcasecmp(host, "localhost")) return open_localhost(out, cap, n, port, text, err);
    status = open_numeric(out, host, port, text, err);
    *n = !status;
    return status;
}

static ingle_status check_tcp(const char *text, bool *loopback, ingle_error *err)
{
    char host[64];
    const char *port;
    struct addrinfo *found;
    ingle_status status = split_tcp(text, host, sizeof host, &port, err);
    if (status) return status;
    *loopback = !strcasecmp(host, "localhost");
    if (*loopback) return INGLE_OK;
    status = find_numeric(&found, host, port, text, err);
    if (status) return status;
    *loopback = is_loopback(found->ai_addr);
    freeaddrinfo(found);
    return INGLE_OK;
}

/* ---- Unix sockets ---------------------------------------------------------------------------- */

/* Nobody listens on the socket of that path any more. */
static bool is_stale(const struct sockaddr_un *a)
{
    struct stat st;
    if (lstat(a->sun_path, &st) || !S_ISSOCK(st.st_mode)) return false;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return false;
    bool stale = connect(fd, (const struct sockaddr *)a, sizeof *a) && errno == ECONNREFUSED;
    close(fd);
    return stale;
}

static ingle_status bind_path(listener *l, const struct sockaddr_un *a, ingle_error *err)
{
    char text[sizeof l->text];
    struct stat st;
    snprintf(text, sizeof text, "unix:%s", a->sun_path);
    if (!bind(l->fd, (const struct sockaddr *)a, sizeof *a)) return INGLE_OK;
    if (errno != EADDRINUSE) return refused(err, text, "");
    if (!lstat(a->sun_path, &st) && !S_ISSOCK(st.st_mode))
        return ingle_fail(err, INGLE_EIO, "cannot listen on %s: a file of that name is no socket",
                          text);
    if (!is_stale(a))
        return ingle_fail(err, INGLE_EIO, "cannot listen on %s: another program listens there",
                          text);
    if (unlink(a->sun_path) && errno != ENOENT)
        return refused(err, text, "the socket of a program that has ended is in the way");
    if (bind(l->fd, (const struct sockaddr *)a, sizeof *a)) return refused(err, text, "");
    return INGLE_OK;
}

static ingle_status check_unix(const char *path, ingle_error *err)
{
    const size_t cap = sizeof((struct sockaddr_un *)0)->sun_path;
    if (path[0] && strlen(path) < cap) return INGLE_OK;
    return ingle_fail(err, INGLE_EINVAL, "the path of unix:%.80s has to have 1 to %zu bytes", path,
                      cap - 1);
}

static ingle_status open_unix(listener *l, const char *path, unsigned mode, ingle_error *err)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    struct stat st;
    if (check_unix(path, err)) return INGLE_EINVAL;
    strcpy(a.sun_path, path);
    *l = (listener){.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
    if (l->fd < 0) return refused(err, path, "");
    ingle_status status = bind_path(l, &a, err);
    if (!status) {
        if (!lstat(path, &st)) {
            strcpy(l->path, path);
            l->device = st.st_dev;
            l->inode = st.st_ino;
        }
        if (chmod(path, (mode_t)(mode & 0777))) status = refused(err, path, "its mode");
        else if (listen(l->fd, BACKLOG)) status = refused(err, path, "");
    }
    if (status) listen_close(l);
    else describe(l);
    return status;
}

/* ---- sockets of the service manager ---------------------------------------------------------- */

static ingle_status take_passed(listener *l, int fd, ingle_error *err)
{
    int listens = 0, type = 0;
    socklen_t len = sizeof listens, type_len = sizeof type;
    const int on = 1;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) || !listens ||
        getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_len) || type != SOCK_STREAM)
        return ingle_fail(err, INGLE_EINVAL,
                          "descriptor %d of the service manager is no stream socket that listens "
                          "(ListenStream= with Accept=no)",
                          fd);
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) || fcntl(fd, F_SETFD, FD_CLOEXEC))
        return refused(err, "a socket of the service manager", "");
    *l = (listener){.fd = fd};
    describe(l);
    if (!l->unix_socket) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return INGLE_OK;
}

static bool whole_number(const char *text, long *out)
{
    char *end;
    if (!text || !text[0]) return false;
    errno = 0;
    *out = strtol(text, &end, 10);
    return !*end && !errno;
}

/* The variables are removed, so that neither a second "systemd" nor another program takes the same
 * sockets. */
static ingle_status open_passed(listener *out, size_t cap, size_t *n, ingle_error *err)
{
    long pid, n_fds;
    const bool ours = whole_number(getenv("LISTEN_PID"), &pid) && pid == (long)getpid();
    const bool some = whole_number(getenv("LISTEN_FDS"), &n_fds) && n_fds > 0;
    if (!ours || !some)
        return ingle_fail(err, INGLE_EINVAL,
                          "--listen systemd: the service manager passed no sockets (LISTEN_PID, "
                          "LISTEN_FDS); start the socket unit, or name an address");
    if ((unsigned long)n_fds > cap)
        return ingle_fail(err, INGLE_EINVAL, "the service manager passed %ld sockets; %zu are most",
                          n_fds, cap);
    for (int i = 0; i < n_fds; i++) {
        ingle_status status = take_passed(&out[i], FIRST_PASSED + i, err);
        if (status) return status;
    }
    *n = (size_t)n_fds;
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    return INGLE_OK;
}

/* ---- all of them ----------------------------------------------------------------------------- */

ingle_status listen_open(listener *out, size_t cap, size_t *n, const char *text, unsigned mode,
                         ingle_error *err)
{
    *n = 0;
    if (!cap)
        return ingle_fail(err, INGLE_EINVAL, "more than %d addresses to listen on", LISTEN_MAX);
    if (!strcmp(text, "systemd")) return open_passed(out, cap, n, err);
    if (strncmp(text, "unix:", 5)) return open_tcp(out, cap, n, text, err);
    ingle_status status = open_unix(out, text + 5, mode, err);
    *n = !status;
    return status;
}

ingle_status listen_check(const char *text, bool *loopback, ingle_error *err)
{
    *loopback = true;
    if (!strcmp(text, "systemd")) return INGLE_OK;
    if (!strncmp(text, "unix:", 5)) return check_unix(text + 5, err);
    return check_tcp(text, loopback, err);
}

/* The inode alone would not do: a new file may get the number of one that was removed. */
static bool path_is_ours(const listener *l)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    struct stat st;
    if (!l->path[0] || lstat(l->path, &st)) return false;
    strcpy(a.sun_path, l->path);
    return (uint64_t)st.st_dev == l->device && (uint64_t)st.st_ino == l->inode && is_stale(&a);
}

void listen_close(listener *l)
{
    if (l->fd >= 0) close(l->fd);
    l->fd = -1;
    if (path_is_ours(l)) unlink(l->path);
    l->path[0] = 0;
}
