#include "server.h"

#include "base/clock.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

static const double GRACE_S = 30;
enum { PREP_THREADS = 2 };

/* ---- opening --------------------------------------------------------------------------------- */

static ingle_status refuse_open_door(const serve_options *opt, const gate *g, const char *address,
                                     bool loopback, ingle_error *err)
{
    if (loopback || gate_has_keys(g) || opt->insecure) return INGLE_OK;
    return ingle_fail(err, INGLE_EINVAL,
                      "%s can be reached from other machines, and no key is asked for: give "
                      "--api-key or --api-key-file, or --insecure if that is meant",
                      address);
}

static void add_address(server *s, const listener *l)
{
    size_t n = strlen(s->addresses);
    const char *scheme = l->unix_socket ? "" : s->opt->http.tls_cert ? "https://" : "http://";
    snprintf(s->addresses + n, sizeof s->addresses - n, "%s%s%s", n ? " " : "", scheme, l->text);
}

static ingle_status listen_to(server *s, const char *text, ingle_error *err)
{
    listener l[LISTEN_MAX];
    size_t n = 0;
    unsigned mode = s->opt->unix_mode ? s->opt->unix_mode : 0600;
    ingle_status st = listen_open(l, LISTEN_MAX, &n, text, mode, err);
    for (size_t i = 0; i < n; i++) {
        const bool here = l[i].loopback || l[i].unix_socket;
        if (!st) st = refuse_open_door(s->opt, s->gate, l[i].text, here, err);
        if (!st) add_address(s, &l[i]);
        if (st) listen_close(&l[i]);
        else st = http_add(s->http, &l[i], err);
    }
    return st;
}

static ingle_status listen_all(server *s, ingle_error *err)
{
    static const char *const usual[] = {"127.0.0.1:8080"};
    const char *const *list = s->opt->n_listen ? s->opt->listen : usual;
    ingle_status st = INGLE_OK;
    for (size_t i = 0; !st && i < (s->opt->n_listen ? s->opt->n_listen : 1); i++)
        st = listen_to(s, list[i], err);
    return st;
}

static ingle_status open_log(server *s, ingle_error *err)
{
    const char *path = s->opt->log_file;
    if (path && !*path) return INGLE_OK;
    if (!path) {
        s->log = s->opt->quiet ? NULL : stderr;
        return INGLE_OK;
    }
    s->log = fopen(path, "ae");
    return s->log ? INGLE_OK
                  : ingle_fail(err, INGLE_EIO, "the log %s cannot be written: %s", path,
                               strerror(errno));
}

/* ---- signals --------------------------------------------------------------------------------- */

static void say(const server *s, const char *text)
{
    if (!s->opt->quiet) fprintf(stderr, "ingle: %s\n", text);
}

static void drain(server *s)
{
    double grace = s->opt->grace_s < 0 ? GRACE_S : s->opt->grace_s;
    if (s->draining) {
        http_stop(s->http);
        return;
    }
    s->draining = true;
    s->cut_at = ingle_now() + grace;
    http_stop_listening(s->http);
    if (s->n_jobs) say(s, "stopping when what runs has ended; another signal stops at once");
}

/* Keys and certificates are read anew; what cannot be read leaves things as they were. */
static void reload(server *s)
{
    gate *fresh = NULL;
    ingle_error err = {{0}};
    ingle_status st = gate_open(&fresh, &s->opt->gate, &err);
    if (!st) {
        gate_close(&s->gate);
        s->gate = fresh;
        st = s->opt->http.tls_cert ? http_reload_tls(s->http, &err) : INGLE_OK;
    }
    if (st) fprintf(stderr, "ingle: reloading: %s\n", err.text);
    else say(s, "keys and certificates were read again");
}

static void on_signal(void *user, int number)
{
    server *s = user;
    if (number == SIGHUP) reload(s);
    else drain(s);
}

static void on_note(void *user, bool debug, const char *text)
{
    const server *s = user;
    if (s->opt->verbose || (!debug && !s->opt->quiet)) fprintf(stderr, "ingle: %s\n", text);
}

/* ---- running --------------------------------------------------------------------------------- */

static ingle_status open_parts(server *s, ingle_error *err)
{
    http_handler handler;
    ingle_status st = gate_open(&s->gate, &s->opt->gate, err);
    job_handler_init(&handler, s);
    serve_print_openapi(&s->openapi);
    handler.signal = on_signal;
    handler.note = on_note;
    if (!st) st = open_log(s, err);
    if (!st) st = ledger_open(&s->ledger, 0, 0, err);
    if (!st) st = defaults_open(&s->defaults, s->opt->defaults, err);
    if (!st) st = http_open(&s->http, &s->opt->http, &handler, err);
    if (!st) st = listen_all(s, err);
    if (!st) st = prep_open(&s->prep, PREP_THREADS, err); /* threads after http's signals */
    return st ? st : models_open(&s->models, &s->opt->models, err);
}

static void close_parts(server *s)
{
    prep_close(&s->prep); /* what it prepares still comes as news */
    http_close(&s->http);
    jobs_free(s);
    models_close(&s->models, 0);
    ledger_close(&s->ledger);
    defaults_close(&s->defaults);
    gate_close(&s->gate);
    bytes_free(&s->openapi);
    if (s->log && s->log != stderr) fclose(s->log);
}

ingle_status serve_run(const serve_options *opt, void (*ready)(void *user, const char *addresses),
                       void *user, bool *model_failed, ingle_error *err)
{
    server s = {.opt = opt, .route = route_find, .ready = ready, .ready_user = user};
    signal(SIGPIPE, SIG_IGN);
    ingle_status st = open_parts(&s, err);
    if (!st) st = http_run(s.http, err);
    close_parts(&s);
    *model_failed = s.model_failed;
    if (!st && s.model_failed) {
        *err = s.why;
        st = INGLE_EFORMAT;
    }
    return st;
}

/* ---- checking -------------------------------------------------------------------------------- */

ingle_status serve_check_defaults(const char *text, const ingle_model *model, ingle_error *err)
{
    defaults *d = NULL;
    api_error error = {.status = 0};
    field_reader r = {.error = &error};
    generation g;
    ingle_status st = defaults_open(&d, text, err);
    generation_init(&g);
    if (d && model &&
        (!defaults_fill(d, &g, NULL, NULL, NULL, &r) ||
         !generation_sampling(&g, NULL, NULL, model, false, &error)))
        st = ingle_fail(err, INGLE_EINVAL, "default '%s': %s", error.param, error.message);
    generation_free(&g);
    fields_end(&r);
    defaults_close(&d);
    return st;
}

static ingle_status check_addresses(const serve_options *opt, const gate *g, ingle_error *err)
{
    ingle_status st = INGLE_OK;
    for (size_t i = 0; !st && i < opt->n_listen; i++) {
        bool loopback;
        st = listen_check(opt->listen[i], &loopback, err);
        if (!st) st = refuse_open_door(opt, g, opt->listen[i], loopback, err);
    }
    return st;
}

static ingle_status check_grammars(const serve_options *opt, ingle_error *err)
{
    ingle_status st = INGLE_OK;
    for (size_t i = 0; !st && i < opt->n_answer_grammars; i++) {
        ingle_grammar *grammar = NULL;
        ingle_error why = {{0}};
        const ingle_string *text = &opt->answer_grammars[i];
        st = ingle_grammar_open_gbnf(&grammar, NULL, text->text, text->len, NULL, &why);
        ingle_grammar_close(&grammar);
        if (st) st = ingle_fail(err, st, "grammar %zu of answers: %s", i + 1, why.text);
    }
    return st;
}

ingle_status serve_check(const serve_options *opt, ingle_error *err)
{
    gate *g = NULL;
    http *h = NULL;
    http_handler handler = {.user = NULL};
    ingle_status st = gate_open(&g, &opt->gate, err);
    if (!st) st = http_open(&h, &opt->http, &handler, err);
    if (!st) st = check_addresses(opt, g, err);
    if (!st) st = serve_check_defaults(opt->defaults, NULL, err);
    if (!st) st = check_grammars(opt, err);
    http_close(&h);
    gate_close(&g);
    return st;
}
