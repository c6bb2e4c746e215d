/* serve_settings.c - see serve_settings.h. */
#include "serve_settings.h"
#include "out.h"
#include "serve_defaults.h"

#include <stdlib.h>
#include <string.h>

#define AT(field)  offsetof(serve_settings, field)
#define ROWS(rows) rows, sizeof rows / sizeof *rows

static const arg_option NAME_ROWS[] = {
    {"-a --alias", "NAME", ARG_LIST, AT(aliases), 0, 0, NULL,
     "names the model is served under, divided by commas; the first one is shown (default: the "
     "file's name)"},
    {"--strict-model", NULL, ARG_FLAG, AT(strict_model), 0, 0, NULL,
     "requests that name another model are refused; else they are answered by this one"},
};

static const arg_option CHAT_ROWS[] = {
    {"--chat-template", "WHICH", ARG_STRING, AT(template), 0, 0, NULL,
     "how messages are written: model, by the model's template; plain, as lines 'ROLE: TEXT'; "
     "model-or-plain; the name of another template in the file; or the text of a template (default "
     "model)"},
    {"--chat-template-file", "FILE", ARG_STRING, AT(template_file), 0, 0, NULL,
     "the chat template in FILE in place of the model's own"},
    {"--family --chat-family", "NAME", ARG_STRING, AT(family), 0, 0, NULL,
     "how calls and thinking are written: a family's name, such as qwen3, in place of the one that "
     "is found"},
    {"--no-restore-thinking", NULL, ARG_FLAG, AT(no_restore_thinking), 0, 0, NULL,
     "thinking that a client left out of its messages stays out; else it is put back within a loop "
     "of tool calls"},
    {"--keep-thinking", NULL, ARG_FLAG, AT(keep_thinking), 0, 0, NULL,
     "thinking of earlier turns stays in the prompt, where the template leaves that open"},
};

static const arg_option CONTEXT_ROWS[] = {
    {"-c --ctx --ctx-size", "N", ARG_INT, AT(open.n_ctx), 0, ARG_MAX, NULL,
     "tokens that every request may take, prompt and answer; never divided by -np (default and 0: "
     "as many as fit into memory, up to the model's own)"},
    {"-np --parallel", "N", ARG_INT, AT(n_parallel), 1, ARG_MAX, NULL,
     "most requests that are computed at once (default 8)"},
    {"--queue", "N", ARG_INT, AT(n_queue), 0, ARG_MAX, NULL,
     "most requests that wait for their turn, the next one is refused; 0: no limit (default 512)"},
};

static const arg_option ADDRESS_ROWS[] = {
    {"--listen", "ADDRESS", ARG_LIST, AT(listen), 0, 0, NULL,
     "where to listen: 127.0.0.1:8080, [::1]:8080, unix:PATH, or systemd for the sockets of a "
     "unit; "
     "repeatable (default 127.0.0.1:8080)"},
    {"--host", "HOST", ARG_STRING, AT(host), 0, 0, NULL,
     "in place of --listen: the address alone (default 127.0.0.1); 0.0.0.0 and :: are all of this "
     "machine"},
    {"--port", "N", ARG_INT, AT(port), 0, 65535, NULL,
     "in place of --listen: the port; 0 is any free one (default 8080)"},
    {"--unix-mode", "MODE", ARG_STRING, AT(unix_mode), 0, 0, NULL,
     "permissions of Unix sockets, in octal (default 0600)"},
    {"--tls-cert --ssl-cert-file", "FILE", ARG_STRING, AT(tls_cert), 0, 0, NULL,
     "serve https with this certificate (PEM), and those that signed it; needs --tls-key"},
    {"--tls-key --ssl-key-file", "FILE", ARG_STRING, AT(tls_key), 0, 0, NULL,
     "the certificate's private key (PEM)"},
};

static const arg_option ACCESS_ROWS[] = {
    {"--api-key", "KEY", ARG_LIST, AT(keys), 0, 0, NULL,
     "requests need this key; several divided by commas; repeatable. Other users of the machine "
     "can "
     "read command lines: --api-key-file hides keys from them"},
    {"--api-key-file", "FILE", ARG_STRING, AT(key_file), 0, 0, NULL,
     "keys, a line each: KEY [ROLE [NAME]], with the roles user, admin and metrics"},
    {"--allowed-host --allowed-hosts", "NAME", ARG_LIST, AT(hosts), 0, 0, NULL,
     "a name that this server is reached by, beside those of this machine; checked where no key is "
     "set; several divided by commas; repeatable"},
    {"--cors-origin --cors-origins", "ORIGIN", ARG_LIST, AT(origins), 0, 0, NULL,
     "web pages of this origin may use the server, as in https://chat.example; * is all, and needs "
     "a key; several divided by commas; repeatable"},
    {"--insecure", NULL, ARG_FLAG, AT(insecure), 0, 0, NULL,
     "listen on other addresses than this machine's own without a key"},
    {"--share-cache", NULL, ARG_FLAG, AT(share_cache), 0, 0, NULL,
     "keys share what was computed of prompts; else none can learn from times what another asked"},
};

static const arg_option LIMIT_ROWS[] = {
    {"--queue-timeout", "SECONDS", ARG_FLOAT, AT(queue_s), 0, 1e9, NULL,
     "a request that has not begun by then ends; 0: no limit (default 0)"},
    {"--request-timeout -to --timeout", "SECONDS", ARG_FLOAT, AT(request_s), 0, 1e9, NULL,
     "a request that has not ended by then is cut; 0: no limit (default 0)"},
    {"--grace", "SECONDS", ARG_FLOAT, AT(grace_s), 0, 1e9, NULL,
     "what running requests have after SIGTERM or Ctrl+C; a second signal ends them (default 30)"},
    {"--max-body", "SIZE", ARG_STRING, AT(max_body), 0, 0, NULL,
     "largest request: bytes, or with K, M or G (default 32M)"},
    {"--max-headers", "SIZE", ARG_STRING, AT(max_headers), 0, 0, NULL,
     "largest headers of a request (default 16K)"},
    {"--max-json-values", "N", ARG_INT, AT(max_json_values), 1, ARG_MAX, NULL,
     "most values in the JSON of a request (default 1000000)"},
    {"--max-connections", "N", ARG_INT, AT(max_connections), 1, ARG_MAX, NULL,
     "most connections at once (default 10000, or as many as descriptors allow)"},
    {"--max-per-peer", "N", ARG_INT, AT(max_per_peer), 1, ARG_MAX, NULL,
     "most connections from one address (default 256)"},
    {"--headers-timeout", "SECONDS", ARG_FLOAT, AT(headers_s), 1e-3, 1e9, NULL,
     "until the headers of a request are complete (default 10)"},
    {"--body-timeout", "SECONDS", ARG_FLOAT, AT(body_s), 1e-3, 1e9, NULL,
     "after these a body has to come at --body-rate (default 10)"},
    {"--body-rate", "BYTES", ARG_FLOAT, AT(body_rate), 1, 1e9, NULL,
     "least bytes a second of a body, on average (default 16384)"},
    {"--idle-timeout", "SECONDS", ARG_FLOAT, AT(idle_s), 1e-3, 1e9, NULL,
     "between the requests of a connection (default 75)"},
    {"--stalled-timeout", "SECONDS", ARG_FLOAT, AT(stalled_s), 1e-3, 1e9, NULL,
     "an answer that the client takes nothing of for so long is cancelled (default 120)"},
    {"--strict", NULL, ARG_FLAG, AT(strict), 0, 0, NULL,
     "fields of requests that are not known are refused; else they are named in a header"},
};

static const arg_option OUTPUT_ROWS[] = {
    {"--log-file", "FILE", ARG_STRING, AT(log_file), 0, 0, NULL,
     "a line of JSON for every request; '' keeps none (default: standard error)"},
    {"-v --verbose", NULL, ARG_FLAG, AT(verbose), 0, 0, NULL,
     "more on standard error: what becomes of connections"},
    {"--quiet", NULL, ARG_FLAG, AT(quiet), 0, 0, NULL, "nothing but errors on standard error"},
};

static const arg_option CONFIG_ROWS[] = {
    {"--config", "FILE", ARG_STRING, AT(config), 0, 0, NULL,
     "options from a file: lines 'port = 8080' under [*], those of the model under [NAME]; the "
     "command line and the environment come before it"},
};

static const arg_option INSTEAD_ROWS[] = {
    {"--check", NULL, ARG_FLAG, AT(check), 0, 0, NULL,
     "only see that all is right, and print what would be served, with exact bytes"},
    {"--print-api", NULL, ARG_FLAG, AT(print_api), 0, 0, NULL,
     "print the reference of all endpoints and fields (Markdown)"},
    {"--print-openapi", NULL, ARG_FLAG, AT(print_openapi), 0, 0, NULL,
     "print the same as OpenAPI (JSON)"},
};

/* ---- checks ---------------------------------------------------------------------------------- */

/* "16384", "16K", "32M", "1G"; at least 1. */
static bool parse_size(const char *text, size_t *out)
{
    size_t n = 0;
    const char *p = text;
    for (; *p >= '0' && *p <= '9'; p++) {
        if (n > (SIZE_MAX >> 34) / 10) return false;
        n = n * 10 + (size_t)(*p - '0');
    }
    const char *unit = *p ? strchr("KMG", *p) : NULL;
    if (p == text || !n || (*p && (!unit || p[1]))) return false;
    if (unit) n <<= 10 * (size_t)(unit - "KMG" + 1);
    *out = n;
    return true;
}

static bool parse_mode(const char *text, unsigned *out)
{
    size_t len = strlen(text);
    if (len < 3 || len > 4 || strspn(text, "01234567") != len) return false;
    *out = (unsigned)strtoul(text, NULL, 8);
    return *out != 0 && *out <= 0777;
}

static ingle_status check_size(const void *settings, const arg_option *row, ingle_error *err)
{
    size_t size;
    if (row->kind != ARG_STRING) return INGLE_OK;
    const char *text = *(const char *const *)(const void *)((const char *)settings + row->offset);
    if (parse_size(text, &size)) return INGLE_OK;
    snprintf(err->text, sizeof err->text,
             "'%.60s' is not a size: bytes from 1 on, or a number with K, M or G, as in 32M", text);
    return INGLE_EINVAL;
}

static ingle_status check_address(const void *settings, const arg_option *row, ingle_error *err)
{
    const serve_settings *s = settings;
    unsigned mode;
    if (row->offset != AT(unix_mode) || parse_mode(s->unix_mode, &mode)) return INGLE_OK;
    snprintf(err->text, sizeof err->text, "'%.60s' is not a mode: octal, 0001 to 0777, as in 0660",
             s->unix_mode);
    return INGLE_EINVAL;
}

static ingle_status check_context(const void *settings, const arg_option *row, ingle_error *err)
{
    const serve_settings *s = settings;
    ingle_engine_options engine;
    (void)row;
    ingle_engine_options_init(&engine);
    if (s->open.n_ctx > 0) engine.n_ctx = s->open.n_ctx;
    engine.n_parallel = s->n_parallel;
    engine.n_queue = s->n_queue;
    return ingle_engine_options_check(&engine, err);
}

#define GIVEN(group, base) (AT(given) + (group) * sizeof(uint64_t) - (base))
#define OPEN               AT(open)
#define SAMPLING           AT(sampling)

const arg_group serve_groups[SERVE_N_GROUPS] = {
    [SERVE_MODEL] = {"Model", open_rows_model, OPEN_N_MODEL, OPEN, open_check_model,
                     GIVEN(SERVE_MODEL, OPEN)},
    [SERVE_NAMES] = {"Its name", ROWS(NAME_ROWS), 0, NULL, GIVEN(SERVE_NAMES, 0)},
    [SERVE_CHAT] = {"Chat", ROWS(CHAT_ROWS), 0, NULL, GIVEN(SERVE_CHAT, 0)},
    [SERVE_CONTEXT] = {"Context", ROWS(CONTEXT_ROWS), 0, check_context, GIVEN(SERVE_CONTEXT, 0)},
    /* without the context, whose default is another one here */
    [SERVE_COMPUTE] = {"Computing", open_rows_compute + 1, OPEN_N_COMPUTE - 1, OPEN,
                       open_check_compute, GIVEN(SERVE_COMPUTE, OPEN)},
    [SERVE_SAMPLING] = {"Sampling of requests that do not set it", sampling_rows, SAMPLING_N_ROWS,
                        SAMPLING, sampling_check, GIVEN(SERVE_SAMPLING, SAMPLING)},
    [SERVE_DEFAULTS] = {"What else requests mean that do not set it", serve_default_rows,
                        SERVE_N_DEFAULTS, 0, NULL, GIVEN(SERVE_DEFAULTS, 0)},
    [SERVE_ADDRESS] = {"Address", ROWS(ADDRESS_ROWS), 0, check_address, GIVEN(SERVE_ADDRESS, 0)},
    [SERVE_ACCESS] = {"Who may use it", ROWS(ACCESS_ROWS), 0, NULL, GIVEN(SERVE_ACCESS, 0)},
    [SERVE_LIMITS] = {"Limits", ROWS(LIMIT_ROWS), 0, check_size, GIVEN(SERVE_LIMITS, 0)},
    [SERVE_OUTPUT] = {"Output", ROWS(OUTPUT_ROWS), 0, NULL, GIVEN(SERVE_OUTPUT, 0)},
    [SERVE_CONFIG] = {"Options from a file", ROWS(CONFIG_ROWS), 0, NULL, GIVEN(SERVE_CONFIG, 0)},
    [SERVE_INSTEAD] = {"Instead of serving", ROWS(INSTEAD_ROWS), 0, NULL, GIVEN(SERVE_INSTEAD, 0)},
};

size_t serve_size(const char *text)
{
    size_t size = 0;
    return parse_size(text, &size) ? size : 0;
}

unsigned serve_mode(const char *text)
{
    unsigned mode = 0;
    return parse_mode(text, &mode) ? mode : 0;
}

/* ---- what was given -------------------------------------------------------------------------- */

static arg_list *list_at(serve_settings *s, const arg_group *group, const arg_option *row)
{
    return (arg_list *)(void *)((char *)s + group->offset + row->offset);
}

void serve_settings_free(serve_settings *s)
{
    for (size_t g = 0; g < SERVE_N_GROUPS; g++)
        for (size_t r = 0; r < serve_groups[g].n_rows; r++)
            if (serve_groups[g].rows[r].kind == ARG_LIST)
                args_list_free(list_at(s, &serve_groups[g], &serve_groups[g].rows[r]));
}

/* The next of these options that was given, and where; NULL at the end. */
static const char *next_given(const cli_verb *verb, const serve_settings *s, const char **names)
{
    char word[64];
    const arg_group *group;
    while (help_next_name(names, word, sizeof word)) {
        const arg_option *row = args_find(verb, word, strlen(word), &group);
        size_t g = (size_t)(group - verb->groups), r = row ? (size_t)(row - group->rows) : 0;
        if (!row || !(s->given[g] >> r & 1)) continue;
        return s->from[g][r] ? s->from[g][r] : "the command line";
    }
    return NULL;
}

bool serve_settings_has(const cli_verb *verb, const serve_settings *s, const char *names)
{
    return next_given(verb, s, &names) != NULL;
}

const char *serve_settings_from(const cli_verb *verb, const serve_settings *s, const char *name)
{
    const char *from = next_given(verb, s, &name);
    return from ? from : "the default";
}

static void print_list(const arg_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        if (i) printf(", ");
        out_plain(list->items[i], 0);
    }
}

static void print_seed(const arg_seed *seed)
{
    if (seed->given) printf("%llu", (unsigned long long)seed->value);
    else printf("-1");
}

static void print_value(const serve_settings *s, const arg_group *group, const arg_option *row)
{
    const void *p = (const char *)s + group->offset + row->offset;
    if (row->kind == ARG_LIST && row->offset == AT(keys) && group == &serve_groups[SERVE_ACCESS])
        printf("(not shown)");
    else if (row->kind == ARG_LIST) print_list(p);
    else if (row->kind == ARG_FLAG) printf("%s", *(const bool *)p ? "on" : "off");
    else if (row->kind == ARG_INT) printf("%d", *(const int32_t *)p);
    else if (row->kind == ARG_FLOAT) printf("%g", (double)*(const float *)p);
    else if (row->kind == ARG_SEED) print_seed(p);
    else if (row->kind == ARG_STRING) out_plain(*(const char *const *)p, 0);
    else
        for (const arg_choice *c = row->choices; c && c->name; c++)
            if (c->value == *(const int *)p) printf("%s", c->name);
}

/* The longest of the names, without its dashes. */
static void print_name(const arg_option *row)
{
    char word[64], best[64] = "";
    for (const char *names = row->names; help_next_name(&names, word, sizeof word);)
        if (!best[0] || (best[1] != '-' && word[1] == '-')) memcpy(best, word, sizeof best);
    printf("  %-22s ", best);
}

void serve_settings_print(const cli_verb *verb, const serve_settings *s)
{
    bool any = false;
    for (size_t g = 0; g < SERVE_INSTEAD; g++)
        for (size_t r = 0; r < verb->groups[g].n_rows; r++) {
            if (!(s->given[g] >> r & 1)) continue;
            if (!any) puts("\nOptions given:");
            any = true;
            print_name(&verb->groups[g].rows[r]);
            print_value(s, &verb->groups[g], &verb->groups[g].rows[r]);
            printf("  (");
            out_plain(s->from[g][r] ? s->from[g][r] : "command line", 0);
            puts(")");
        }
}
