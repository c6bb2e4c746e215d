/* server_bare.c - a server that is nothing but libmicrohttpd and a constant: what /health of `ingle serve`
 * is measured against, with the same program of load.
 * usage: server_bare PORT     answers GET /health until it is killed
 *     wrk -t1 -c32 -d5s http://127.0.0.1:PORT/health */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct MHD_Response *constant;

static enum MHD_Result answer(void *cls, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *data,
                              size_t *n_data, void **request)
{
    (void)cls, (void)method, (void)version, (void)data, (void)n_data;
    if (!*request) { /* an answer in the first call would close the connection */
        *request = constant;
        return MHD_YES;
    }
    return MHD_queue_response(connection, strcmp(url, "/health") ? 404 : 200, constant);
}

int main(int argc, char **argv)
{
    static char body[] = "{\"status\":\"ok\"}";
    if (argc != 2) {
        fprintf(stderr, "usage: server_bare PORT\n");
        return 2;
    }
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons((uint16_t)atoi(argv[1])),
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    constant = MHD_create_response_from_buffer(sizeof body - 1, body, MHD_RESPMEM_PERSISTENT);
    if (!constant || !MHD_add_response_header(constant, "Content-Type", "application/json"))
        return 1;
    struct MHD_Daemon *daemon =
        MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, answer, NULL,
                         MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_CONNECTION_LIMIT, 20000u,
                         MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)16384, MHD_OPTION_END);
    if (!daemon) {
        fprintf(stderr, "server_bare: port %s cannot be listened on\n", argv[1]);
        return 1;
    }
    printf("ready\n");
    fflush(stdout);
    pause();
    MHD_stop_daemon(daemon);
    return 0;
}
