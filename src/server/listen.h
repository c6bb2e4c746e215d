/* listen.h - addresses to listen on, as text, and their sockets.
 * Owns       the descriptor of a listener, and the path of a Unix socket.
 * Depends on base/status.h. */
#ifndef INGLE_SERVER_LISTEN_H
#define INGLE_SERVER_LISTEN_H

#include "base/status.h"

typedef struct listener {
    int fd; /* listening, close-on-exec, non-blocking; -1: closed */
    bool unix_socket, loopback;
    char text[128];         /* "127.0.0.1:8080", "[::1]:8080", "unix:/run/ingle.sock" */
    char path[108];         /* of a Unix socket that is removed when it is closed; "" */
    uint64_t device, inode; /* of that path, as we made it */
} listener;

enum { LISTEN_MAX = 16 };

/* What a text stands for: "127.0.0.1:8080", "[::1]:8080", "localhost:8080" (all its addresses),
 * "0.0.0.0:0" (a free port; text has the one it got), "unix:PATH", "systemd" (sockets that the
 * service manager passed, LISTEN_PID and LISTEN_FDS). IPv6 addresses, "[::]:8080" too, stand for IPv6
 * alone. Up to cap listeners, *n of them. A Unix socket
 * that nobody listens on any more is replaced; mode is that of its file. INGLE_EINVAL: the text is
 * no address; INGLE_EIO: the system refuses, and the error names address and reason. */
ingle_status listen_open(listener *out, size_t cap, size_t *n, const char *text, unsigned mode,
                         ingle_error *err);
void listen_close(listener *l);

/* Whether a text is such an address, without opening any. *loopback: only this machine can reach it, as
 * it can Unix sockets; of "systemd" nothing is known before, and it is true. */
ingle_status listen_check(const char *text, bool *loopback, ingle_error *err);

#endif
