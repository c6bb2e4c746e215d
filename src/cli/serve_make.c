/* serve_make.c - see serve_make.h. */
#include "serve_make.h"
#include "out.h"
#include "platform.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { LIST_ALIASES, LIST_LISTEN, LIST_KEYS, LIST_HOSTS, LIST_ORIGINS };
enum { ADDRESS_CAP = 300 };

static bool no_memory(void)
{
    out_error("no memory for the options");
    return false;
}

/* ---- lists ----------------------------------------------------------------------------------- */

static const char *skip_blanks(const char *p)
{
    return p + strspn(p, " \t");
}

/* The length of the word at p, up to a comma, without blanks at its end; *next is the word after it,
 * NULL: none. */
static size_t word_at(const char *p, const char **next)
{
    size_t len = strcspn(p, ",");
    *next = p[len] ? p + len + 1 : NULL;
    while (len && (p[len - 1] == ' ' || p[len - 1] == '\t')) len--;
    return len;
}

static void count_words(const arg_list *list, size_t *n, size_t *size)
{
    *n = *size = 0;
    for (size_t i = 0; i < list->n; i++) {
        *size += strlen(list->items[i]) + 1;
        ++*n;
        for (const char *p = list->items[i]; *p; p++) *n += *p == ',';
    }
}

/* Texts with commas between words as one list of words. */
static bool split(serve_made *m, int which, const arg_list *list, const char *const **items,
                  size_t *n)
{
    size_t size, n_words;
    count_words(list, &n_words, &size);
    *items = NULL, *n = 0;
    if (!list->n) return true;
    char *to = m->texts[which] = malloc(size);
    m->items[which] = malloc(n_words * sizeof *m->items[which]);
    if (!to || !m->items[which]) return no_memory();
    for (size_t i = 0; i < list->n; i++)
        for (const char *p = list->items[i], *next; p; p = next) {
            p = skip_blanks(p);
            size_t len = word_at(p, &next);
            memcpy(to, p, len);
            to[len] = 0;
            m->items[which][(*n)++] = to;
            to += len + 1;
        }
    *items = m->items[which];
    return true;
}

static bool has_empty(const cli_verb *verb, const char *option, const char *const *items, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (items[i][0]) continue;
        out_error("%s: option '%s': a value is empty", verb->name, option);
        return true;
    }
    return false;
}

static int make_lists(serve_made *m, const cli_verb *verb, const serve_settings *s)
{
    serve_options *o = &m->opt;
    if (!split(m, LIST_ALIASES, &s->aliases, &o->models.aliases, &o->models.n_aliases) ||
        !split(m, LIST_LISTEN, &s->listen, &o->listen, &o->n_listen) ||
        !split(m, LIST_KEYS, &s->keys, &o->gate.keys, &o->gate.n_keys) ||
        !split(m, LIST_HOSTS, &s->hosts, &o->gate.hosts, &o->gate.n_hosts) ||
        !split(m, LIST_ORIGINS, &s->origins, &o->gate.origins, &o->gate.n_origins))
        return EXIT_WORK;
    if (has_empty(verb, "--alias", o->models.aliases, o->models.n_aliases) ||
        has_empty(verb, "--listen", o->listen, o->n_listen) ||
        has_empty(verb, "--api-key", o->gate.keys, o->gate.n_keys) ||
        has_empty(verb, "--allowed-host", o->gate.hosts, o->gate.n_hosts) ||
        has_empty(verb, "--cors-origin", o->gate.origins, o->gate.n_origins))
        return EXIT_USAGE;
    return EXIT_DONE;
}

/* ---- the rest -------------------------------------------------------------------------------- */

static bool is_socket_path(const char *host)
{
    size_t len = strlen(host);
    return host[0] == '/' || (len > 5 && strcmp(host + len - 5, ".sock") == 0);
}

/* --host and --port as an address to listen on. */
static int make_address(serve_made *m, const cli_verb *verb, const serve_settings *s)
{
    const char *host = s->host ? s->host : "127.0.0.1";
    if (!serve_settings_has(verb, s, "--host --port")) return EXIT_DONE;
    const char *colon = strchr(host, ':');
    size_t cap = strlen(host) + 16;
    if (host[0] != '[' && !is_socket_path(host) && colon && !strchr(colon + 1, ':')) {
        out_error("%s: option '--host': '%.60s' has a port, which --port sets; --listen takes both",
                  verb->name, host);
        return EXIT_USAGE;
    }
    if (!host[0] || cap > ADDRESS_CAP) {
        out_error("%s: option '--host': '%.40s' is no address", verb->name, host);
        return EXIT_USAGE;
    }
    m->listen = malloc(cap);
    m->items[LIST_LISTEN] = malloc(sizeof *m->items[LIST_LISTEN]);
    if (!m->listen || !m->items[LIST_LISTEN]) return no_memory() ? EXIT_DONE : EXIT_WORK;
    bool brackets = host[0] != '[' && colon;
    if (is_socket_path(host)) snprintf(m->listen, cap, "unix:%s", host);
    else snprintf(m->listen, cap, brackets ? "[%s]:%d" : "%s:%d", host, s->port);
    m->items[LIST_LISTEN][0] = m->listen;
    m->opt.listen = m->items[LIST_LISTEN];
    m->opt.n_listen = 1;
    return EXIT_DONE;
}

static int make_template(serve_made *m, const cli_verb *verb, const serve_settings *s)
{
    static const char *const choices[] = {[INGLE_TEMPLATE_MODEL] = "model",
                                          [INGLE_TEMPLATE_PLAIN] = "plain",
                                          [INGLE_TEMPLATE_MODEL_OR_PLAIN] = "model-or-plain"};
    ingle_chat_options *chat = &m->opt.models.chat;
    ingle_chat_options_init(chat);
    chat->family = s->family;
    if (s->template_file) {
        if (!platform_read_all(s->template_file, &m->template, &chat->n_template)) {
            out_error("%s: option '--chat-template-file': cannot read %s: %s", verb->name,
                      s->template_file, strerror(errno));
            return EXIT_USAGE;
        }
        chat->template_text = m->template;
    }
    if (!s->template) return EXIT_DONE;
    for (size_t i = 0; i < sizeof choices / sizeof *choices; i++) {
        if (strcmp(choices[i], s->template) != 0) continue;
        chat->template_choice = (ingle_template_choice)i;
        return EXIT_DONE;
    }
    if (strstr(s->template, "{%") || strstr(s->template, "{{")) {
        chat->template_text = s->template;
        chat->n_template = strlen(s->template);
    } else {
        chat->template_name = s->template;
    }
    return EXIT_DONE;
}

static void make_model(serve_made *m, const serve_settings *s, const char *path)
{
    models_options *o = &m->opt.models;
    open_handles none = {0};
    o->path = path;
    o->strict = s->strict_model;
    open_model_options(&s->open, &o->model);
    open_engine_options(&none, &s->open, &o->engine);
    if (s->open.n_ctx <= 0) o->engine.n_ctx = 0;
    o->engine.n_parallel = s->n_parallel;
    o->engine.n_queue = s->n_queue;
}

static void make_server(serve_made *m, const serve_settings *s)
{
    serve_options *o = &m->opt;
    if (s->unix_mode) o->unix_mode = serve_mode(s->unix_mode);
    if (s->max_body) o->http.max_body = serve_size(s->max_body);
    if (s->max_headers) o->http.max_headers = serve_size(s->max_headers);
    o->http.max_connections = (size_t)s->max_connections;
    o->http.max_per_peer = (size_t)s->max_per_peer;
    o->http.headers_s = (double)s->headers_s;
    o->http.body_s = (double)s->body_s;
    o->http.body_rate = (double)s->body_rate;
    o->http.idle_s = (double)s->idle_s;
    o->http.stalled_s = (double)s->stalled_s;
    o->http.tls_cert = s->tls_cert;
    o->http.tls_key = s->tls_key;
    o->gate.key_file = s->key_file;
    o->gate.share_cache = s->share_cache;
    o->insecure = s->insecure;
    o->grace_s = (double)s->grace_s;
    o->queue_s = (double)s->queue_s;
    o->request_s = (double)s->request_s;
    o->max_json_values = (size_t)s->max_json_values;
    o->strict = s->strict;
    o->no_restore_thinking = s->no_restore_thinking;
    o->keep_thinking = s->keep_thinking;
    o->log_file = s->log_file;
    o->quiet = s->quiet;
    o->verbose = s->verbose;
}

int serve_make(serve_made *m, const cli_verb *verb, const serve_settings *s, const char *path)
{
    *m = (serve_made){.opt = SERVE_OPTIONS_DEFAULT};
    if (!s->tls_cert != !s->tls_key) {
        out_error("%s: '--tls-cert' and '--tls-key' belong together", verb->name);
        return EXIT_USAGE;
    }
    make_model(m, s, path);
    make_server(m, s);
    int code = make_lists(m, verb, s);
    if (code == EXIT_DONE) code = make_address(m, verb, s);
    if (code == EXIT_DONE) code = make_template(m, verb, s);
    if (code == EXIT_DONE) code = serve_defaults_make(&m->defaults, verb, s);
    m->opt.defaults = m->defaults.json;
    m->opt.answer_grammars = m->defaults.grammars;
    m->opt.n_answer_grammars = m->defaults.n_grammars;
    return code;
}

void serve_made_free(serve_made *m)
{
    for (size_t i = 0; i < sizeof m->texts / sizeof *m->texts; i++) {
        free(m->texts[i]);
        free(m->items[i]);
    }
    serve_defaults_free(&m->defaults);
    free(m->template);
    free(m->listen);
    *m = (serve_made){0};
}
