/* http_probe.c - http.h and gate.h with the simplest handlers, for e2e_http.sh and bench: a server without
 * a model.
 *   GET  /health               {"status":"ok"}, at once
 *   POST /echo                 the body, from another thread
 *   GET  /stream?N,MS          N events of a line each, MS milliseconds apart, from another thread
 *   GET  /slow?MS              an answer after MS milliseconds
 *   GET  /big?N                N bytes in one piece
 *   GET  /flood                a stream that never ends, as fast as the client reads
 *   GET  /counts               what http_counts_get() says, and how many exchanges went or ended
 *   GET  /admin                role admin
 * usage: http_probe [--NAME VALUE]...; prints "ready ADDRESS..." when it listens. */
#define _GNU_SOURCE
#include "server/ask.h"
#include "server/gate.h"
#include "server/http.h"

#include "base/clock.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

typedef struct probe probe;

/* One exchange that waits for the clock: the other thread hands it over when its time has come. */
typedef struct job {
    probe *p;
    http_exchange *x; /* NULL: over */
    double due, every;
    size_t n_left, n_ready; /* events: to come, and to be read */
    bool streams, floods, queued;
    struct job *next, *previous, *next_due;
} job;

struct probe {
    http *h;
    gate *g;
    pthread_t clock;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    job *jobs; /* those that wait, under the lock */
    job *due;  /* those whose time has come, under the lock */
    bool over;
    bool quiet, draining;
    size_t n_gone, n_done, n_told, n_notes;
};

/* ---- the other thread ------------------------------------------------------------------------ */

static void wait_until(probe *p, double when)
{
    struct timespec at;
    if (when < 0) {
        pthread_cond_wait(&p->changed, &p->lock);
        return;
    }
    at.tv_sec = (time_t)when;
    at.tv_nsec = (long)((when - (double)at.tv_sec) * 1e9);
    pthread_cond_timedwait(&p->changed, &p->lock, &at);
}

static void *run_clock(void *user)
{
    probe *p = user;
    pthread_mutex_lock(&p->lock);
    while (!p->over) {
        double now = ingle_now(), next = -1;
        bool news = false;
        for (job *j = p->jobs; j; j = j->next) {
            if (j->queued || j->due < 0) continue;
            if (j->due <= now) {
                j->queued = news = true;
                j->next_due = p->due;
                p->due = j;
            } else if (next < 0 || j->due < next) next = j->due;
        }
        if (news) http_wake(p->h);
        wait_until(p, next);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

static void add_job(probe *p, job *j)
{
    pthread_mutex_lock(&p->lock);
    j->next = p->jobs;
    if (p->jobs) p->jobs->previous = j;
    p->jobs = j;
    pthread_cond_signal(&p->changed);
    pthread_mutex_unlock(&p->lock);
}

static void drop_job(probe *p, job *j)
{
    pthread_mutex_lock(&p->lock);
    if (j->previous) j->previous->next = j->next;
    else p->jobs = j->next;
    if (j->next) j->next->previous = j->previous;
    for (job **at = &p->due; *at; at = &(*at)->next_due)
        if (*at == j) {
            *at = j->next_due;
            break;
        }
    pthread_mutex_unlock(&p->lock);
    free(j);
}

/* ---- answers --------------------------------------------------------------------------------- */

static void answer(http_exchange *x, int status, bytes *b)
{
    size_t n;
    char *body = bytes_give(b, &n);
    http_set_header(x, "Content-Type", "application/json");
    http_answer(x, status, body, n);
}

static void answer_error(http_exchange *x, const api_error *e)
{
    bytes b = {0};
    api_error_write(e, WIRE_OPENAI, "req_probe", &b);
    answer(x, e->status, &b);
}

static void answer_counts(probe *p, http_exchange *x)
{
    bytes b = {0};
    http_counts c = http_counts_get(p->h);
    bytes_format(&b,
                 "{\"connections\":%zu,\"exchanges\":%zu,\"accepted\":%llu,\"refused\":%llu,"
                 "\"in\":%llu,\"out\":%llu,\"told\":%zu,\"gone\":%zu,\"done\":%zu}",
                 c.n_connections, c.n_exchanges, (unsigned long long)c.n_accepted,
                 (unsigned long long)c.n_refused, (unsigned long long)c.n_bytes_in,
                 (unsigned long long)c.n_bytes_out, p->n_told, p->n_gone, p->n_done);
    answer(x, 200, &b);
}

static bool path_is(const http_exchange *x, const char *path)
{
    return !strcmp(x->path, path);
}

static gate_role needs_of(const http_exchange *x)
{
    return path_is(x, "/admin") ? GATE_ADMIN : path_is(x, "/health") ? GATE_PUBLIC : GATE_USER;
}

static bool on_headers(void *user, http_exchange *x)
{
    probe *p = user;
    api_error e = {0};
    gate_verdict verdict;
    gate_request q = ask_of(x, needs_of(x));
    p->n_told++;
    bool ok = gate_check(p->g, &q, &verdict, &e);
    if (verdict.reflect) http_set_header(x, "Access-Control-Allow-Origin", q.origin);
    if (verdict.close) http_set_header(x, "Connection", "close");
    if (!ok) {
        answer_error(x, &e);
        return false;
    }
    if (!path_is(x, "/health")) return true;
    bytes b = {0};
    bytes_text(&b, p->draining ? "{\"status\":\"draining\"}" : "{\"status\":\"ok\"}");
    answer(x, p->draining ? 503 : 200, &b);
    return false;
}

static void start_job(probe *p, http_exchange *x)
{
    unsigned long n = 0, ms = 0;
    job *j = calloc(1, sizeof *j);
    if (!j) {
        http_abort(x);
        return;
    }
    j->p = p;
    j->x = x;
    x->job = j;
    if (path_is(x, "/slow")) ms = strtoul(x->query, NULL, 10);
    if (path_is(x, "/stream")) {
        j->streams = true;
        if (sscanf(x->query, "%lu,%lu", &n, &ms) != 2) n = 1, ms = 0;
        j->n_left = n;
        http_stream(x, 200);
    }
    j->every = (double)ms / 1000;
    j->due = ingle_now() + j->every;
    add_job(p, j);
}

static void on_ready(void *user, http_exchange *x)
{
    probe *p = user;
    bytes b = {0};
    if (path_is(x, "/counts") || path_is(x, "/admin")) answer_counts(p, x);
    else if (path_is(x, "/big")) {
        size_t n = strtoul(x->query, NULL, 10);
        char *body = malloc(n ? n : 1);
        if (body) memset(body, 'x', n);
        http_answer(x, body ? 200 : 503, body, n);
    } else if (path_is(x, "/flood")) http_stream(x, 200);
    else if (path_is(x, "/echo") || path_is(x, "/slow") || path_is(x, "/stream")) start_job(p, x);
    else {
        bytes_text(&b, "{\"error\":\"no such path\"}");
        answer(x, 404, &b);
    }
}

static http_read on_read(void *user, http_exchange *x, char *to, size_t cap, size_t *n)
{
    job *j = x->job;
    (void)user;
    if (!j) { /* the flood */
        memset(to, 'f', cap);
        *n = cap;
        return HTTP_MORE;
    }
    const char event[] = "data: {\"text\":\"event\"}\n\n";
    while (j->n_ready && *n + sizeof event - 1 <= cap) {
        memcpy(to + *n, event, sizeof event - 1);
        *n += sizeof event - 1;
        j->n_ready--;
    }
    return j->n_left || j->n_ready ? HTTP_MORE : HTTP_END;
}

static void on_gone(void *user, http_exchange *x)
{
    (void)x;
    ((probe *)user)->n_gone++;
}

static void on_done(void *user, http_exchange *x)
{
    probe *p = user;
    p->n_done++;
    if (x->job) drop_job(p, x->job);
}

static void move_on(job *j)
{
    http_exchange *x = j->x;
    if (j->streams) {
        j->n_left -= j->n_left > 0;
        j->n_ready++;
        http_resume(x);
    } else if (path_is(x, "/echo")) {
        char *body = x->body;
        x->body = NULL;
        http_answer(x, 200, body, x->n_body);
    } else {
        bytes b = {0};
        bytes_text(&b, "{\"slow\":true}");
        answer(x, 200, &b);
    }
}

static void on_woken(void *user)
{
    probe *p = user;
    pthread_mutex_lock(&p->lock);
    job *due = p->due;
    p->due = NULL;
    pthread_mutex_unlock(&p->lock);
    while (due) {
        job *j = due;
        due = j->next_due;
        move_on(j);
        pthread_mutex_lock(&p->lock);
        j->queued = false;
        j->next_due = NULL;
        j->due = j->n_left ? j->due + j->every : -1;
        pthread_cond_signal(&p->changed);
        pthread_mutex_unlock(&p->lock);
    }
}

static void on_tick(void *user, double now)
{
    probe *p = user;
    (void)now;
    if (p->draining && !http_counts_get(p->h).n_connections) http_stop(p->h);
}

static void on_signal(void *user, int number)
{
    probe *p = user;
    ingle_error err;
    if (number == SIGHUP) {
        ingle_status status = http_reload_tls(p->h, &err);
        fprintf(stderr, "reload: %s\n", status ? err.text : "ok");
    } else if (p->draining || number == SIGINT) http_stop(p->h);
    else {
        p->draining = true;
        http_stop_listening(p->h);
    }
}

static void on_note(void *user, bool debug, const char *text)
{
    probe *p = user;
    p->n_notes++;
    if (!p->quiet) fprintf(stderr, "%s: %s\n", debug ? "debug" : "note", text);
}

static char *on_refusal(void *user, const http_exchange *x, int status, const char *message,
                        http_answer_id *id, size_t *n)
{
    bytes b = {0};
    api_error e = {0};
    (void)user, (void)x, (void)id;
    api_fail(&e, status, NULL, NULL, "%s", message);
    api_error_write(&e, WIRE_OPENAI, "", &b);
    return bytes_give(&b, n);
}

/* ---- options --------------------------------------------------------------------------------- */

typedef struct settings {
    http_options http;
    gate_options gate;
    const char *listen[LISTEN_MAX], *keys[16], *hosts[16], *origins[16];
    size_t n_listen;
    size_t waste; /* descriptors that are opened and kept */
    bool quiet;
} settings;

static bool take_option(settings *s, const char *name, const char *value)
{
    double number = strtod(value, NULL);
    if (!strcmp(name, "--listen") && s->n_listen < LISTEN_MAX) s->listen[s->n_listen++] = value;
    else if (!strcmp(name, "--key") && s->gate.n_keys < 16) s->keys[s->gate.n_keys++] = value;
    else if (!strcmp(name, "--host") && s->gate.n_hosts < 16) s->hosts[s->gate.n_hosts++] = value;
    else if (!strcmp(name, "--origin") && s->gate.n_origins < 16)
        s->origins[s->gate.n_origins++] = value;
    else if (!strcmp(name, "--key-file")) s->gate.key_file = value;
    else if (!strcmp(name, "--cert")) s->http.tls_cert = value;
    else if (!strcmp(name, "--tls-key")) s->http.tls_key = value;
    else if (!strcmp(name, "--max-body")) s->http.max_body = (size_t)number;
    else if (!strcmp(name, "--max-headers")) s->http.max_headers = (size_t)number;
    else if (!strcmp(name, "--max-connections")) s->http.max_connections = (size_t)number;
    else if (!strcmp(name, "--max-per-peer")) s->http.max_per_peer = (size_t)number;
    else if (!strcmp(name, "--headers-s")) s->http.headers_s = number;
    else if (!strcmp(name, "--body-s")) s->http.body_s = number;
    else if (!strcmp(name, "--body-rate")) s->http.body_rate = number;
    else if (!strcmp(name, "--idle-s")) s->http.idle_s = number;
    else if (!strcmp(name, "--stalled-s")) s->http.stalled_s = number;
    else if (!strcmp(name, "--waste")) s->waste = (size_t)number;
    else if (!strcmp(name, "--quiet")) s->quiet = number > 0;
    else return false;
    return true;
}

static int fails(const char *what, const ingle_error *err)
{
    fprintf(stderr, "http_probe: %s: %s\n", what, err->text);
    return 1;
}

static bool listen_on(probe *p, const settings *s, bytes *said, ingle_error *err)
{
    listener found[LISTEN_MAX];
    for (size_t i = 0; i < s->n_listen; i++) {
        size_t n;
        if (listen_open(found, LISTEN_MAX, &n, s->listen[i], 0600, err)) return false;
        for (size_t k = 0; k < n; k++) {
            bytes_format(said, " %s", found[k].text);
            if (http_add(p->h, &found[k], err)) return false;
        }
    }
    return true;
}

/* Takes so many descriptors, or all but six. */
static void waste(size_t n)
{
    int taken[6] = {-1, -1, -1, -1, -1, -1};
    for (size_t i = 0; i < n; i++) {
        int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (fd >= 0) taken[i % 6] = fd;
        else i = n - 1;
        if (fd < 0)
            for (int k = 0; k < 6; k++) close(taken[k]);
    }
}

static int serve(probe *p, const settings *s)
{
    static const http_handler calls = {.headers = on_headers,
                                       .ready = on_ready,
                                       .read = on_read,
                                       .gone = on_gone,
                                       .done = on_done,
                                       .woken = on_woken,
                                       .tick = on_tick,
                                       .signal = on_signal,
                                       .note = on_note,
                                       .refusal = on_refusal};
    http_handler handler = calls;
    ingle_error err = {0};
    bytes said = {0};
    handler.user = p;
    if (http_open(&p->h, &s->http, &handler, &err)) return fails("http_open", &err);
    if (!listen_on(p, s, &said, &err)) return fails("listen", &err);
    waste(s->waste);
    if (pthread_create(&p->clock, NULL, run_clock, p)) return 1;
    printf("ready%s\n", said.p ? said.p : "");
    fflush(stdout);
    ingle_status status = http_run(p->h, &err);
    if (status) fails("http_run", &err);
    pthread_mutex_lock(&p->lock);
    p->over = true;
    pthread_cond_signal(&p->changed);
    pthread_mutex_unlock(&p->lock);
    pthread_join(p->clock, NULL); /* so that nobody wakes what is closed */
    http_close(&p->h);
    bytes_free(&said);
    printf("over: told %zu done %zu gone %zu\n", p->n_told, p->n_done, p->n_gone);
    return status ? 1 : 0;
}

int main(int argc, char **argv)
{
    static settings s;
    static probe p = {.lock = PTHREAD_MUTEX_INITIALIZER};
    ingle_error err = {0};
    pthread_condattr_t monotonic;
    for (int i = 1; i + 1 < argc; i += 2)
        if (!take_option(&s, argv[i], argv[i + 1])) {
            fprintf(stderr, "http_probe: no such option: %s\n", argv[i]);
            return 2;
        }
    s.gate.keys = s.keys;
    s.gate.hosts = s.hosts;
    s.gate.origins = s.origins;
    p.quiet = s.quiet;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&p.changed, &monotonic);
    if (gate_open(&p.g, &s.gate, &err)) return fails("gate_open", &err);
    int code = serve(&p, &s);
    gate_close(&p.g);
    return code;
}
