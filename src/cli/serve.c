/* serve.c - `ingle serve`: a model for other programs, over HTTP.
 * Depends on serve_settings.h, serve_layers.h, serve_make.h, server/serve.h. */
#include "out.h"
#include "platform.h"
#include "serve_layers.h"
#include "serve_make.h"
#include "verbs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct serve_work {
    const cli_verb *verb;
    serve_settings s;
    serve_layers layers;
    open_handles h;
    serve_made made;
    models_plan plan;
    out_progress progress;
} serve_work;

/* ---- before serving -------------------------------------------------------------------------- */

static int print_reference(void (*print)(bytes *out))
{
    bytes text = {0};
    print(&text);
    if (text.failed) {
        out_error("no memory for the reference");
        bytes_free(&text);
        return EXIT_WORK;
    }
    fwrite(text.p, 1, text.n, stdout);
    bytes_free(&text);
    return EXIT_DONE;
}

/* The positional is as good as -m. */
static int take_positional(serve_work *w, const char *positional)
{
    if (!positional) return EXIT_DONE;
    if (w->s.open.model) {
        out_error("%s: the model is given twice: '%s' and '%s'", w->verb->name, positional,
                  w->s.open.model);
        return EXIT_USAGE;
    }
    w->s.open.model = positional;
    w->s.given[SERVE_MODEL] |= 1; /* the row of -m */
    return EXIT_DONE;
}

static int refuse_server(const serve_work *w, ingle_status status, const ingle_error *err)
{
    int code = open_failed(w->verb->name, status, err);
    const char *from = serve_settings_from(w->verb, &w->s, "--listen --host --port");
    if (serve_settings_has(w->verb, &w->s, "--listen --host --port") &&
        strcmp(from, "the command line") != 0)
        out_note("the address is that of %s", from);
    bool usage = status == INGLE_EINVAL || status == INGLE_ENOTFOUND || status == INGLE_EFORMAT;
    return usage ? EXIT_USAGE : code;
}

/* Options about thinking, of a model that does not think. */
static void note_thinking(const serve_work *w, const ingle_chat *chat)
{
    static const char *const options[] = {"--reasoning", "--reasoning-budget"};
    ingle_chat_info info = {.size = sizeof info};
    if (!chat || ingle_chat_info_get(chat, &info, NULL) != INGLE_OK || info.thinks) return;
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (serve_settings_has(w->verb, &w->s, options[i]))
            out_note("option '%s' has no effect: this model does not think", options[i]);
}

/* Defaults against the model's vocabulary. */
static int check_defaults(const serve_work *w)
{
    ingle_error err = {{0}};
    ingle_status status = serve_check_defaults(w->made.opt.defaults, w->h.model, &err);
    if (status == INGLE_OK) return EXIT_DONE;
    open_failed(w->verb->name, status, &err);
    return status == INGLE_EINVAL ? EXIT_USAGE : EXIT_WORK;
}

/* What the library says to the chat template, where the model's own is not the one. */
static int check_chat(serve_work *w)
{
    ingle_error err = {{0}};
    ingle_chat *chat = NULL;
    ingle_status status = ingle_chat_open(&chat, w->h.model, &w->made.opt.models.chat, &err);
    note_thinking(w, chat);
    ingle_chat_close(&chat);
    if (status == INGLE_OK) return EXIT_DONE;
    if (!serve_settings_has(w->verb, &w->s, "--chat-template --chat-template-file --family")) {
        out_note("%s: no chat: %s", w->h.path, err.text);
        return EXIT_DONE;
    }
    open_failed("the chat template", status, &err);
    return EXIT_USAGE;
}

/* Without weights: the model's head, its template, the memory that it will take. */
static int plan(serve_work *w)
{
    ingle_error err = {{0}};
    int code = open_model(&w->h, &w->s.open, INGLE_PARTS_PLAN);
    if (code == EXIT_DONE) code = open_check_generates(&w->h);
    if (code == EXIT_DONE) code = check_chat(w);
    if (code == EXIT_DONE) code = check_defaults(w);
    if (code != EXIT_DONE) return code;
    w->plan.memory.size = sizeof w->plan.memory;
    ingle_status status = models_plan_get(&w->made.opt.models, &w->plan, &err);
    return status == INGLE_OK ? EXIT_DONE : open_failed(w->h.path, status, &err);
}

/* ---- what --check prints --------------------------------------------------------------------- */

static void print_bytes(const char *what, size_t n)
{
    char text[32];
    out_format_bytes((double)n, text, sizeof text);
    printf("%-14s%16zu  %s\n", what, n, text);
}

/* The file's name without its ending, where no other was given. */
static void model_name(const serve_work *w, char *out, size_t cap)
{
    const models_options *m = &w->made.opt.models;
    const char *slash = strrchr(w->h.path, '/'), *base = slash ? slash + 1 : w->h.path;
    size_t len = strlen(base);
    if (len > 5 && strcmp(base + len - 5, ".gguf") == 0) len -= 5;
    if (m->n_aliases) snprintf(out, cap, "%s", m->aliases[0]);
    else snprintf(out, cap, "%.*s", (int)len, base);
}

static void print_names(const serve_work *w)
{
    const models_options *m = &w->made.opt.models;
    char name[256];
    model_name(w, name, sizeof name);
    printf("%-14s", "model");
    out_plain(w->h.path, 0);
    printf("\n%-14s", "served as");
    out_plain(name, 0);
    for (size_t i = 1; i < m->n_aliases; i++) {
        printf(", ");
        out_plain(m->aliases[i], 0);
    }
    puts(m->strict ? ", and no other name" : ", and any other name");
}

static void print_access(const serve_work *w)
{
    const serve_options *o = &w->made.opt;
    printf("%-14s", "address");
    for (size_t i = 0; i < o->n_listen; i++) {
        if (i) printf(", ");
        out_plain(o->listen[i], 0);
    }
    if (!o->n_listen) printf("127.0.0.1:8080");
    puts(o->http.tls_cert ? " (https)" : "");
    printf("%-14s", "keys");
    if (o->gate.n_keys) printf("%zu", o->gate.n_keys);
    if (o->gate.key_file) {
        printf(o->gate.n_keys ? " and those in " : "those in ");
        out_plain(o->gate.key_file, 0);
    }
    puts(o->gate.n_keys || o->gate.key_file ? "" : "none");
}

static void print_plan(const serve_work *w)
{
    const models_plan *p = &w->plan;
    print_names(w);
    printf("%-14s%d tokens for every request (trained for %d)\n", "context", p->n_ctx,
           p->n_ctx_train);
    printf("%-14s%d computed at once, %d wait", "requests", p->n_parallel,
           w->made.opt.models.engine.n_queue);
    puts(w->made.opt.models.engine.n_queue ? " at most" : " (no limit)");
    printf("%-14s%d whole contexts, and %d tokens of prompts beside them\n", "cache holds",
           p->n_sessions, p->n_cache_tokens);
    print_access(w);
    if (w->made.opt.defaults) {
        printf("%-14s", "defaults");
        out_plain(w->made.opt.defaults, 0);
        puts("");
    }
    puts("\nMemory in bytes:");
    print_bytes("weights", p->memory.weights);
    print_bytes("vocabulary", p->memory.vocab);
    print_bytes("KV cache", p->memory.kv);
    if (p->memory.state) print_bytes("state", p->memory.state);
    print_bytes("scratch", p->memory.scratch);
    print_bytes("total", p->memory.total);
    if (p->memory.mapped) print_bytes("mapped", p->memory.mapped);
    print_bytes("available", p->available);
    serve_settings_print(w->verb, &w->s);
}

/* ---- serving --------------------------------------------------------------------------------- */

static bool show_loading(void *user, double share)
{
    out_progress_show(user, "loading", share);
    return true;
}

/* Of the addresses, divided by blanks, the first that is no Unix socket, as a client on this machine
 * takes it; false: there is none. */
static bool base_url(const char *addresses, char *url, size_t cap)
{
    static const char *const every[] = {"0.0.0.0:", "[::]:"}; /* all addresses of this machine */
    const char *p = addresses;
    while (*p && strncmp(p, "http", 4) != 0) {
        p += strcspn(p, " ");
        p += strspn(p, " ");
    }
    const char *scheme = strstr(p, "://");
    if (!scheme) return false;
    const char *host = scheme + 3;
    int len = (int)strcspn(host, " "), n_scheme = (int)(host - p);
    for (size_t i = 0; i < sizeof every / sizeof *every; i++) {
        int skip = (int)strlen(every[i]);
        if (strncmp(host, every[i], (size_t)skip) != 0) continue;
        snprintf(url, cap, "%.*s127.0.0.1:%.*s", n_scheme, p, len - skip, host + skip);
        return true;
    }
    snprintf(url, cap, "%.*s%.*s", n_scheme, p, len, host);
    return true;
}

static void ready(void *user, const char *addresses)
{
    serve_work *w = user;
    const char *path = addresses + strlen("unix:");
    char name[256], total[32], kv[32], url[256];
    out_progress_clear(&w->progress);
    if (w->s.quiet) return;
    model_name(w, name, sizeof name);
    out_format_bytes((double)w->plan.memory.total, total, sizeof total);
    out_format_bytes((double)w->plan.memory.kv, kv, sizeof kv);
    out_note("serving %s as '%s'", w->h.path, name);
    out_note("context of every request: %d tokens (the model was trained for %d); %d requests at "
             "once; memory about %s, %s of it for keys and values",
             w->plan.n_ctx, w->plan.n_ctx_train, w->plan.n_parallel, total, kv);
    out_note("listening on %s", addresses);
    if (base_url(addresses, url, sizeof url))
        out_note("clients: OPENAI_BASE_URL=%s/v1 or ANTHROPIC_BASE_URL=%s", url, url);
    else
        out_note("clients: curl --unix-socket %.*s http://localhost/v1/models",
                 (int)strcspn(path, " "), path);
}

static int serve(serve_work *w)
{
    ingle_error err = {{0}};
    bool model_failed = false;
    models_options *m = &w->made.opt.models;
    m->engine.n_ctx = w->plan.n_ctx; /* also if the memory left is another one by then */
    out_progress_start(&w->progress);
    if (w->s.quiet) w->progress.enabled = false;
    m->model.progress = show_loading;
    m->model.user = &w->progress;
    ingle_status status = serve_run(&w->made.opt, ready, w, &model_failed, &err);
    out_progress_clear(&w->progress);
    if (status == INGLE_OK) return EXIT_DONE;
    if (!model_failed) return refuse_server(w, status, &err);
    open_failed(w->h.path, status, &err);
    return EXIT_MODEL;
}

/* ---- the verb -------------------------------------------------------------------------------- */

static int serve_work_run(serve_work *w, const char *positional)
{
    ingle_error err = {{0}};
    int code = take_positional(w, positional);
    if (code == EXIT_DONE)
        code = serve_layers_apply(&w->layers, w->verb, &w->s, platform_environment());
    if (code == EXIT_DONE) code = open_check(w->verb, &w->s.open, NULL);
    if (code == EXIT_DONE) code = open_path(&w->h, &w->s.open);
    if (code == EXIT_DONE) code = serve_make(&w->made, w->verb, &w->s, w->h.path);
    if (code != EXIT_DONE) return code;
    ingle_status status = serve_check(&w->made.opt, &err);
    if (status != INGLE_OK) return refuse_server(w, status, &err);
    if ((code = plan(w)) != EXIT_DONE) return code;
    if (!w->s.check) {
        ingle_model_close(&w->h.model);
        return serve(w);
    }
    print_plan(w);
    return EXIT_DONE;
}

static int serve_main(const cli_verb *verb, int argc, char **argv)
{
    serve_work *w = malloc(sizeof *w);
    const char *positional = NULL;
    if (!w) {
        out_error("no memory to begin with");
        return EXIT_WORK;
    }
    *w = (serve_work){.verb = verb, .s = SERVE_SETTINGS_DEFAULT};
    args_status parsed = args_parse(verb, &w->s, argc, argv, &positional);
    int code = parsed == ARGS_HELP ? EXIT_DONE : EXIT_USAGE;
    if (parsed == ARGS_OK) {
        if (w->s.print_api) code = print_reference(serve_print_api);
        else if (w->s.print_openapi) code = print_reference(serve_print_openapi);
        else code = serve_work_run(w, positional);
    }
    code = out_finish(code);
    serve_made_free(&w->made);
    open_close(&w->h);
    serve_settings_free(&w->s);
    serve_layers_free(&w->layers);
    free(w);
    return code;
}

const cli_verb cli_verb_serve = {
    .name = "serve",
    .synopsis = "[OPTIONS] [MODEL]",
    .summary = "give a model to other programs over HTTP",
    .about =
        "Speaks the interfaces that clients of OpenAI and Anthropic expect, so that coding agents, "
        "editors, chat pages and scripts work with a model on this machine. Requests are computed "
        "together; what prompts begin with alike is computed once. It listens on this machine "
        "alone unless an option says otherwise, and then wants a key.\n\nEvery option can be given "
        "in the "
        "environment too, --ctx-size as INGLE_CTX_SIZE, or in a file (--config). The command line "
        "comes before the environment, and that before the file. Of other servers' variables, "
        "those "
        "of LLAMA_ARG_ and OLLAMA_ with a meaning here count after INGLE_.\n\nSIGTERM and Ctrl+C "
        "end "
        "it when running requests have ended, --grace seconds later at most; SIGHUP reads keys and "
        "certificates again.",
    .groups = serve_groups,
    .n_groups = SERVE_N_GROUPS,
    .max_positional = 1,
    .peers = serve_peers,
    .n_peers = SERVE_N_PEERS,
    .man = serve_man,
    .main = serve_main,
};
