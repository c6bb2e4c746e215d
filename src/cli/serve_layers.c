/* serve_layers.c - see serve_layers.h. Each place is read into settings of its own, which then fill
 * what those above left open. */
#include "serve_layers.h"
#include "out.h"
#include "platform.h"
#include "serve_config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_CAP = 64, MOST_FILE = 1 << 20 };

typedef struct layer {
    serve_layers *owner;
    const cli_verb *verb;
    serve_settings s;
} layer;

/* Texts of options that exclude each other: what a higher place says of one leaves no room for the
 * other. */
static const struct {
    const char *a, *b;
    bool together; /* one place may have both */
} RIVALS[] = {
    {"--listen", "--host --port", false},
    {"--chat-template", "--chat-template-file", false},
    {"--verbose", "--quiet", false},
    {"--kv", "-ctk -ctv", true},
    {"--grammar", "--grammar-file --json-schema --json-schema-file", true},
    {"--grammar-file", "--json-schema --json-schema-file", true},
    {"--json-schema", "--json-schema-file", true},
};
enum { N_RIVALS = sizeof RIVALS / sizeof *RIVALS };

/* ---- places ---------------------------------------------------------------------------------- */

/* A text that lives as long as the layers; NULL without memory, which is reported. */
__attribute__((format(printf, 2, 3))) static const char *place(serve_layers *l, const char *format,
                                                               ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    char **places = realloc(l->places, (l->n_places + 1) * sizeof *places);
    if (places) l->places = places;
    char *copy = places ? malloc(strlen(text) + 1) : NULL;
    if (copy) places[l->n_places++] = strcpy(copy, text);
    else out_error("no memory for the options");
    return copy;
}

void serve_layers_free(serve_layers *l)
{
    for (size_t i = 0; i < l->n_places; i++) free(l->places[i]);
    free(l->places);
    free(l->file);
    *l = (serve_layers){0};
}

/* ---- one value ------------------------------------------------------------------------------- */

/* once: a second value of an option that is no list is refused. */
static bool set(layer *l, const arg_group *group, const arg_option *row, const char *where,
                const char *value)
{
    size_t g = (size_t)(group - l->verb->groups), r = (size_t)(row - group->rows);
    bool again = l->s.given[g] >> r & 1;
    if (!where) return false;
    if (again && row->kind != ARG_LIST) {
        out_error("%s: it was given already (%s)", where, l->s.from[g][r]);
        return false;
    }
    if (args_store(l->verb, &l->s, group, row, where, value) != ARGS_OK) return false;
    l->s.from[g][r] = where;
    return true;
}

static bool set_option(layer *l, const char *option, const char *where, const char *value)
{
    const arg_group *group;
    const arg_option *row = args_find(l->verb, option, strlen(option), &group);
    return row && set(l, group, row, where, value);
}

/* ---- from high to low ------------------------------------------------------------------------ */

static bool has_rival(const cli_verb *verb, const serve_settings *above, const arg_option *row)
{
    const arg_group *group;
    for (size_t i = 0; i < N_RIVALS; i++)
        for (int side = 0; side < 2; side++) {
            const char *own = side ? RIVALS[i].b : RIVALS[i].a;
            const char *other = side ? RIVALS[i].a : RIVALS[i].b;
            char word[NAME_CAP];
            while (help_next_name(&own, word, sizeof word))
                if (args_find(verb, word, strlen(word), &group) == row &&
                    serve_settings_has(verb, above, other))
                    return true;
        }
    return false;
}

/* False: one place has two options that exclude each other. */
static bool check_rivals(const cli_verb *verb, const serve_settings *s)
{
    for (size_t i = 0; i < N_RIVALS; i++) {
        const char *a = RIVALS[i].a, *b = RIVALS[i].b;
        if (RIVALS[i].together || !serve_settings_has(verb, s, a) ||
            !serve_settings_has(verb, s, b))
            continue;
        out_error("%s: '%s' and '%s' exclude each other (%s, %s)", verb->name, a, b,
                  serve_settings_from(verb, s, a), serve_settings_from(verb, s, b));
        return false;
    }
    return true;
}

/* Moves what is given below and was not given in `above`. */
static void fill(const cli_verb *verb, serve_settings *s, serve_settings *below)
{
    const serve_settings above = *s; /* two rivals of one place do not hide each other */
    for (size_t g = 0; g < SERVE_N_GROUPS; g++)
        for (size_t r = 0; r < verb->groups[g].n_rows; r++) {
            const arg_option *row = &verb->groups[g].rows[r];
            size_t at = verb->groups[g].offset + row->offset, size = args_size(row->kind);
            uint64_t bit = (uint64_t)1 << r;
            if (!(below->given[g] & bit) || (above.given[g] & bit) || has_rival(verb, &above, row))
                continue;
            memcpy((char *)s + at, (char *)below + at, size);
            if (row->kind == ARG_LIST) memset((char *)below + at, 0, size); /* handed over */
            s->given[g] |= bit;
            s->from[g][r] = below->from[g][r];
        }
}

/* ---- environment ----------------------------------------------------------------------------- */

/* What the variables of other servers stand for here. */
static const struct {
    const char *variable, *option;
} VARIABLES[] = {
    {"LLAMA_API_KEY", "--api-key"},
    {"LLAMA_ARG_MODEL", "--model"},
    {"LLAMA_ARG_ALIAS", "--alias"},
    {"LLAMA_ARG_CTX_SIZE", "--ctx"},
    {"LLAMA_ARG_N_PARALLEL", "--parallel"},
    {"LLAMA_ARG_BATCH", "--batch"},
    {"LLAMA_ARG_THREADS", "--threads"},
    {"LLAMA_ARG_CACHE_TYPE_K", "--cache-type-k"},
    {"LLAMA_ARG_CACHE_TYPE_V", "--cache-type-v"},
    {"LLAMA_ARG_HOST", "--host"},
    {"LLAMA_ARG_PORT", "--port"},
    {"LLAMA_ARG_TIMEOUT", "--request-timeout"},
    {"LLAMA_ARG_SSL_CERT_FILE", "--tls-cert"},
    {"LLAMA_ARG_SSL_KEY_FILE", "--tls-key"},
    {"LLAMA_ARG_API_KEY_FILE", "--api-key-file"},
    {"LLAMA_ARG_CHAT_TEMPLATE", "--chat-template"},
    {"LLAMA_ARG_CHAT_TEMPLATE_FILE", "--chat-template-file"},
    {"LLAMA_CHAT_TEMPLATE_KWARGS", "--chat-template-kwargs"},
    {"LLAMA_ARG_N_PREDICT", "--predict"},
    {"LLAMA_ARG_THINK", "--reasoning-format"},
    {"LLAMA_ARG_THINK_BUDGET", "--reasoning-budget"},
    {"LLAMA_LOG_FILE", "--log-file"},
    {"LLAMA_ARG_LOG_FILE", "--log-file"},
    {"OLLAMA_HOST", NULL}, /* see set_ollama_host() */
    {"OLLAMA_CONTEXT_LENGTH", "--ctx"},
    {"OLLAMA_NUM_PARALLEL", "--parallel"},
    {"OLLAMA_MAX_QUEUE", "--queue"},
    {"OLLAMA_ORIGINS", "--cors-origin"},
    {"OLLAMA_KV_CACHE_TYPE", "--kv"},
};

bool serve_variable_at(size_t i, const char **variable, const char **options)
{
    if (i >= sizeof VARIABLES / sizeof *VARIABLES) return false;
    *variable = VARIABLES[i].variable;
    *options = VARIABLES[i].option ? VARIABLES[i].option : "--host --port";
    return true;
}

/* "[http://]HOST[:PORT][/]": the port is 11434 where none is given. */
static bool set_ollama_host(layer *l, const char *where, const char *value)
{
    const char *p = strstr(value, "://"), *host = p ? p + 3 : value;
    size_t len = strcspn(host, "/");
    const char *colon = NULL;
    for (size_t i = 0; i < len; i++) {
        if (host[i] == ':') colon = colon && host[0] != '[' ? host + len : host + i;
        if (host[i] == ']') colon = NULL;
    }
    if (colon && colon >= host + len) colon = NULL; /* an IPv6 address without brackets */
    size_t n = colon ? (size_t)(colon - host) : len;
    const char *name = n ? place(l->owner, "%.*s", (int)n, host) : "127.0.0.1";
    const char *port = colon ? place(l->owner, "%.*s", (int)(len - n - 1), colon + 1) : "11434";
    if (!where || !name || !port) { return false; }
    return set_option(l, "--host", where, name) && set_option(l, "--port", where, port);
}

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* "INGLE_CTX_SIZE" -> "--ctx-size" */
static const arg_option *find_variable(const cli_verb *verb, const char *name, size_t len,
                                       const arg_group **group)
{
    char option[NAME_CAP] = "--";
    if (len + 3 > sizeof option) return NULL;
    for (size_t i = 0; i < len; i++) {
        if (name[i] >= 'a' && name[i] <= 'z') return NULL;
        option[2 + i] = name[i] == '_'                     ? '-'
                        : name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] - 'A' + 'a')
                                                           : name[i];
    }
    const arg_option *row = args_find(verb, option, len + 2, group);
    return row && *group != &verb->groups[SERVE_INSTEAD] ? row : NULL;
}

/* Names without a meaning, for one note. */
typedef struct unknown_names {
    char text[1024];
    size_t n;
} unknown_names;

static void add_unknown(unknown_names *u, const char *name, size_t len)
{
    size_t at = strlen(u->text);
    u->n++;
    if (at + len + 8 < sizeof u->text)
        snprintf(u->text + at, sizeof u->text - at, "%s%.*s", at ? ", " : "", (int)len, name);
    else if (at >= 3 && strcmp(u->text + at - 3, "...") != 0)
        snprintf(u->text + at, sizeof u->text - at, ", ...");
}

static bool read_own(layer *l, const char *entry, unknown_names *u)
{
    const arg_group *group;
    const char *equals = strchr(entry, '=');
    size_t skip = strlen("INGLE_"), len = equals ? (size_t)(equals - entry) : 0;
    if (!equals || !begins(entry, "INGLE_") || len <= skip) return true;
    const arg_option *row = find_variable(l->verb, entry + skip, len - skip, &group);
    /* Orchestrators set INGLE_PORT=tcp://... for a service of this name. */
    if (!row || (begins(entry, "INGLE_PORT=") && strstr(equals, "://"))) {
        add_unknown(u, entry, len);
        return true;
    }
    return set(l, group, row, place(l->owner, "%.*s", (int)len, entry), equals + 1);
}

static bool read_peer(layer *l, const char *prefix, const char *entry, unknown_names *u)
{
    const char *equals = strchr(entry, '=');
    size_t len = equals ? (size_t)(equals - entry) : 0;
    if (!equals || !begins(entry, prefix)) return true;
    for (size_t i = 0; i < sizeof VARIABLES / sizeof *VARIABLES; i++) {
        const char *name = VARIABLES[i].variable;
        if (strlen(name) != len || memcmp(name, entry, len) != 0) continue;
        if (!VARIABLES[i].option) return set_ollama_host(l, name, equals + 1);
        return set_option(l, VARIABLES[i].option, name, equals + 1);
    }
    if (begins(entry, "LLAMA_ARG_") || begins(entry, "OLLAMA_")) add_unknown(u, entry, len);
    return true;
}

/* One prefix is one place. */
static bool read_environment(layer *l, const char *prefix, char *const *environment,
                             unknown_names *u)
{
    bool own = strcmp(prefix, "INGLE_") == 0;
    for (size_t i = 0; environment[i]; i++)
        if (!(own ? read_own(l, environment[i], u) : read_peer(l, prefix, environment[i], u)))
            return false;
    return true;
}

/* ---- file ------------------------------------------------------------------------------------ */

typedef struct file_reader {
    const cli_verb *verb;
    const char *path;
    layer *all, *model; /* [*], [NAME] */
    char name[256];     /* of the model's section; "" */
} file_reader;

/* Returns false. */
__attribute__((format(printf, 3, 4))) static bool refuse_line(const file_reader *f, size_t line,
                                                              const char *format, ...)
{
    char text[400];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    out_error("%s:%zu: %s", f->path, line, text);
    return false;
}

static bool begin_section(file_reader *f, const serve_config_item *item)
{
    if (strcmp(item->section, "*") == 0) return true;
    if (f->name[0] && strcmp(f->name, item->section) != 0)
        return refuse_line(f, item->line, "[%.80s]: one model is served, which is [%.80s]",
                           item->section, f->name);
    if (strlen(item->section) >= sizeof f->name)
        return refuse_line(f, item->line, "a name is shorter than 256 bytes");
    if (f->name[0]) return true;
    strcpy(f->name, item->section);
    return set_option(f->model, "--alias",
                      place(f->model->owner, "%s:%zu: [%s]", f->path, item->line, f->name),
                      item->section);
}

static bool refuse_key(file_reader *f, const serve_config_item *item)
{
    char asked[NAME_CAP], near[NAME_CAP];
    snprintf(asked, sizeof asked, "--%s", item->key);
    args_nearest(f->verb, asked, near, sizeof near);
    const char *key = near + strspn(near, "-");
    if (!near[0]) return refuse_line(f, item->line, "unknown key '%.80s'", item->key);
    return refuse_line(f, item->line, "unknown key '%.80s' (did you mean '%s'?)", item->key, key);
}

/* A key of another server, which has no effect or is refused. */
static bool meet_peer(file_reader *f, const serve_config_item *item, const peer_option *peer)
{
    const char *why = peer->why ? peer->why : "";
    if (!peer->accepted)
        return refuse_line(f, item->line, "'%.80s' is not taken: %s", item->key, why);
    if (peer->why) out_note("%s:%zu: '%s' has no effect: %s", f->path, item->line, item->key, why);
    return true;
}

static bool take_item(void *user, const serve_config_item *item)
{
    file_reader *f = user;
    char name[NAME_CAP];
    const arg_group *group = NULL;
    const arg_option *row = NULL;
    const peer_option *peer = NULL;
    if (!item->key) return begin_section(f, item);
    for (int dashes = 2; dashes > 0 && !row && item->key[0] != '-'; dashes--) {
        int len = snprintf(name, sizeof name, "%.*s%s", dashes, "--", item->key);
        if (len >= (int)sizeof name) break;
        row = args_find(f->verb, name, (size_t)len, &group);
        if (!row && !peer) peer = peer_find(f->verb, name, (size_t)len);
    }
    if (!row && peer) return meet_peer(f, item, peer);
    if (!row) return refuse_key(f, item);
    size_t g = (size_t)(group - f->verb->groups);
    bool named = item->section[0] && strcmp(item->section, "*") != 0;
    if (g == SERVE_CONFIG || g == SERVE_INSTEAD)
        return refuse_line(f, item->line, "'%s' belongs to the command line", item->key);
    if (named && g >= SERVE_N_OF_MODEL)
        return refuse_line(f, item->line, "'%s' is not of a model: it belongs under [*]",
                           item->key);
    layer *l = named ? f->model : f->all;
    return set(l, group, row, place(l->owner, "%s:%zu: %s", f->path, item->line, item->key),
               item->value);
}

static int read_file(serve_layers *l, const cli_verb *verb, const char *path, layer *all,
                     layer *model)
{
    file_reader f = {.verb = verb, .path = path, .all = all, .model = model};
    ingle_error err = {{0}};
    size_t n, line;
    if (!platform_read_all(path, &l->file, &n)) {
        out_error("cannot read the options in %s: %s", path, strerror(errno));
        return EXIT_USAGE;
    }
    if (n > MOST_FILE) {
        out_error("%s: a file of options has 1 MiB at most", path);
        return EXIT_USAGE;
    }
    ingle_status status = serve_config_read(l->file, n, take_item, &f, &line, &err);
    if (status == INGLE_EFORMAT) out_error("%s:%zu: %s", path, line, err.text);
    return status == INGLE_OK ? EXIT_DONE : EXIT_USAGE;
}

/* ---- all of it ------------------------------------------------------------------------------- */

enum { OWN, LLAMA, OLLAMA, SECTION, ALL, N_LAYERS };

static bool read_variables(layer *layers, char *const *environment)
{
    static const char *const prefixes[] = {
        [OWN] = "INGLE_", [LLAMA] = "LLAMA_", [OLLAMA] = "OLLAMA_"};
    unknown_names u = {.n = 0};
    for (size_t i = OWN; i <= OLLAMA; i++)
        if (!read_environment(&layers[i], prefixes[i], environment, &u)) return false;
    if (u.n) out_note("set in the environment, but without a meaning here: %s", u.text);
    return true;
}

int serve_layers_apply(serve_layers *l, const cli_verb *verb, serve_settings *s,
                       char *const *environment)
{
    layer *layers = malloc(N_LAYERS * sizeof *layers);
    int code = EXIT_USAGE;
    if (!layers) {
        out_error("no memory for the options");
        return EXIT_WORK;
    }
    for (size_t i = 0; i < N_LAYERS; i++)
        layers[i] = (layer){.owner = l, .verb = verb, .s = SERVE_SETTINGS_DEFAULT};
    if (!check_rivals(verb, s) || !read_variables(layers, environment)) goto end;
    const char *config = s->config ? s->config : layers[OWN].s.config;
    if (config && read_file(l, verb, config, &layers[ALL], &layers[SECTION]) != EXIT_DONE) goto end;
    for (size_t i = 0; i < N_LAYERS; i++) {
        if (!check_rivals(verb, &layers[i].s)) goto end;
        fill(verb, s, &layers[i].s);
    }
    code = EXIT_DONE;
end:
    for (size_t i = 0; i < N_LAYERS; i++) serve_settings_free(&layers[i].s);
    free(layers);
    return code;
}
