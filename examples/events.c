/* events.c - generation in an event loop: a thread serves the engine, on_ready wakes poll().
 * Build: cc events.c -o events $(pkg-config --cflags --libs ingle) -pthread */
#include <fcntl.h>
#include <ingle.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { MOST = 16 };
static int ready[2]; /* a pipe: a byte says that some request has events */

static void on_ready(void *user)
{
    (void)user;
    ssize_t n = write(ready[1], "", 1); /* full: the loop is going to wake up anyway */
    (void)n;
}

static void *serve(void *engine)
{
    ingle_engine_serve(engine, NULL); /* until the engine is closed */
    return NULL;
}

static bool start(ingle_request **request, ingle_session *session, const ingle_model *model,
                  const char *text, ingle_error *err)
{
    int32_t tokens[512];
    size_t n;
    ingle_generate_options opt;
    ingle_generate_options_init(&opt);
    opt.max_tokens = 30;
    opt.on_ready = on_ready;
    return !ingle_tokenize(model, text, strlen(text), INGLE_ADD_SPECIAL, tokens, 512, &n, err) &&
           !ingle_request_start(request, session, tokens, n, &opt, err);
}

/* Prints what request i has; false if it failed. */
static bool show(size_t i, ingle_request **request, size_t *n_running, ingle_error *err)
{
    ingle_event e = {.size = sizeof e};
    ingle_status status = INGLE_ETIMEOUT;
    while (*request && !(status = ingle_request_next(*request, 0, &e, err))) {
        if (e.text_len) printf("%zu: %.*s\n", i, (int)e.text_len, e.text);
        if (e.kind != INGLE_EVENT_END) continue;
        ingle_request_close(request);
        --*n_running;
    }
    return !status || status == INGLE_ETIMEOUT;
}

int main(int argc, char **argv)
{
    ingle_model *model = NULL;
    ingle_engine *engine = NULL;
    ingle_session *sessions[MOST] = {0};
    ingle_request *requests[MOST] = {0};
    ingle_error err = {{0}};
    pthread_t thread;
    size_t n = argc > 2 ? (size_t)argc - 2 : 0, n_running = n;

    bool ok = n && n <= MOST && !pipe(ready) && !fcntl(ready[0], F_SETFL, O_NONBLOCK) &&
              !fcntl(ready[1], F_SETFL, O_NONBLOCK) &&
              !ingle_model_open(&model, argv[1], NULL, &err) &&
              !ingle_engine_open(&engine, model, NULL, &err);
    bool served = ok && !pthread_create(&thread, NULL, serve, engine);
    ok = served;
    for (size_t i = 0; ok && i < n; i++)
        ok = !ingle_session_open(&sessions[i], engine, &err) &&
             start(&requests[i], sessions[i], model, argv[i + 2], &err);
    while (ok && n_running) {
        char bytes[64];
        struct pollfd watched[] = {{.fd = ready[0], .events = POLLIN}}; /* and sockets, and more */
        if (poll(watched, 1, -1) < 0) continue;
        while (read(ready[0], bytes, sizeof bytes) > 0) {}
        for (size_t i = 0; ok && i < n; i++) ok = show(i, &requests[i], &n_running, &err);
    }
    if (!ok) fprintf(stderr, "%s\n", err.text[0] ? err.text : "usage: events MODEL TEXT...");

    for (size_t i = 0; i < MOST; i++) {
        ingle_request_close(&requests[i]);
        ingle_session_close(&sessions[i]);
    }
    ingle_engine_close(&engine);
    if (served) pthread_join(thread, NULL);
    ingle_model_close(&model);
    return ok ? 0 : 1;
}
