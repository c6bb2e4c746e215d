/* chat_commands.c - the commands of a chat: lines that begin with a slash. Depends on
 * chat_session.h, grammars.h, outfile.h. */
#include "chat_session.h"
#include "grammars.h"
#include "outfile.h"
#include "platform.h"

#include "base/utf8.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- the conversation ------------------------------------------------------------------------ */

static bool do_system(chat_session *s, char *text)
{
    if (!chat_messages_set_system(&s->messages, text, strlen(text))) return false;
    printf(text[0] ? "The system message is set.\n" : "There is no system message now.\n");
    return true;
}

static bool no_turn(void)
{
    out_error("there is no message yet");
    return false;
}

static bool do_regen(chat_session *s, char *argument)
{
    (void)argument;
    size_t last = chat_messages_last_user(&s->messages);
    if (last == s->messages.n) return no_turn();
    if (s->opt->sampling.lib.temperature <= 0)
        out_note("at temperature 0 every answer is the same; /set temperature 0.8");
    return chat_answer_again(s, last);
}

static bool do_undo(chat_session *s, char *argument)
{
    (void)argument;
    size_t last = chat_messages_last_user(&s->messages);
    if (last == s->messages.n) return no_turn();
    chat_messages_cut(&s->messages, last);
    printf("The last message and its answer are taken back.\n");
    return true;
}

static bool do_clear(chat_session *s, char *argument)
{
    (void)argument;
    bool system = s->messages.n && s->messages.items[0].role == CHAT_SYSTEM;
    chat_messages_cut(&s->messages, system);
    chat_text_clear(&s->pending);
    printf("The conversation begins anew.\n");
    return true;
}

static bool do_exit(chat_session *s, char *argument)
{
    (void)argument;
    s->ended = true;
    return true;
}

static char *copy_text(const char *text)
{
    size_t n = strlen(text) + 1;
    char *copy = malloc(n);
    if (copy) memcpy(copy, text, n);
    else out_error("no memory for '%s'", text);
    return copy;
}

/* ---- forks ----------------------------------------------------------------------------------- */

static chat_fork *find_fork(const chat_session *s, const char *name)
{
    for (size_t i = 0; i < s->n_forks; i++)
        if (strcmp(s->forks[i].name, name) == 0) return &s->forks[i];
    return NULL;
}

static void free_fork(chat_fork *f)
{
    free(f->name);
    chat_messages_free(&f->messages);
    ingle_session_close(&f->session);
}

void chat_forks_free(chat_session *s)
{
    for (size_t i = 0; i < s->n_forks; i++) free_fork(&s->forks[i]);
    free(s->forks);
}

/* A session that holds what another one does. */
static bool same_session(ingle_session **out, ingle_session *session)
{
    const int32_t *tokens;
    size_t n = 0;
    ingle_error err = {{0}};
    ingle_status status = ingle_session_tokens(session, &tokens, &n, &err);
    if (status == INGLE_OK) status = ingle_session_fork(out, session, n, &err);
    if (status == INGLE_OK) return true;
    open_failed("fork", status, &err);
    return false;
}

/* A place for a fork of that name, emptied if there was one; NULL: no memory, which is reported. */
static chat_fork *make_place(chat_session *s, const char *name)
{
    chat_fork *old = find_fork(s, name);
    if (old) {
        free_fork(old);
        return old;
    }
    chat_fork *forks = realloc(s->forks, (s->n_forks + 1) * sizeof *forks);
    if (!forks) {
        out_error("no memory for '%s'", name);
        return NULL;
    }
    s->forks = forks;
    return &forks[s->n_forks++];
}

static bool do_fork(chat_session *s, char *name)
{
    char made[32];
    chat_fork fork = {0}, *place = NULL;
    snprintf(made, sizeof made, "fork%zu", s->n_forks + 1);
    if (!name[0]) name = made;
    fork.name = copy_text(name);
    if (fork.name && chat_messages_copy(&fork.messages, &s->messages) &&
        same_session(&fork.session, s->h->session))
        place = make_place(s, name);
    if (!place) {
        free_fork(&fork);
        return false;
    }
    *place = fork;
    printf("Kept as '%s': /load %s comes back here.\n", name, name);
    return true;
}

static bool load_fork(chat_session *s, const chat_fork *f)
{
    chat_messages messages = {0};
    ingle_session *session = NULL;
    if (!chat_messages_copy(&messages, &f->messages)) return false;
    if (!same_session(&session, f->session)) {
        chat_messages_free(&messages);
        return false;
    }
    ingle_session_close(&s->h->session);
    s->h->session = session;
    chat_messages_free(&s->messages);
    s->messages = messages;
    return true;
}

/* ---- files ----------------------------------------------------------------------------------- */

static bool need_argument(const char *command, const char *what, const char *argument)
{
    if (!argument[0]) out_error("/%s needs %s", command, what);
    return argument[0] != 0;
}

static bool do_save(chat_session *s, char *path)
{
    outfile file = {0};
    chat_text messages = {0};
    if (!need_argument("save", "a file", path)) return false;
    bool ok = chat_messages_json(&s->messages, &messages) && outfile_open(&file, path);
    if (ok) {
        ingle_json_writer w = {.spaces = true};
        ingle_json_begin_object(&w);
        ingle_json_put_text(ingle_json_name(&w, "model"), s->h->info.name);
        ingle_json_put_raw(ingle_json_name(&w, "messages"), messages.p, messages.n);
        if (s->state.tools.n)
            ingle_json_put_raw(ingle_json_name(&w, "tools"), s->state.tools.p, s->state.tools.n);
        ingle_json_end_object(&w);
        ok = ingle_json_finish(&w) == INGLE_OK;
        if (ok) fprintf(file.f, "%s\n", w.text);
        else out_error("no memory for the conversation");
        ok = outfile_close(&file, ok ? EXIT_DONE : EXIT_WORK) == EXIT_DONE;
        ingle_json_writer_free(&w);
    }
    chat_text_free(&messages);
    if (ok) printf("Messages in %s: %zu.\n", path, s->messages.n);
    return ok;
}

static bool load_file(chat_session *s, const char *path)
{
    char *json = NULL;
    size_t len;
    chat_messages messages = {0};
    if (!platform_read_all(path, &json, &len)) {
        out_error("cannot read %s: %s", path, strerror(errno));
        return false;
    }
    bool ok = chat_messages_read(path, json, len, &messages, &s->state.tools);
    free(json);
    if (!ok) return false;
    chat_messages_free(&s->messages);
    s->messages = messages;
    return true;
}

static bool do_load(chat_session *s, char *name)
{
    if (!need_argument("load", "a fork's name or a file", name)) return false;
    const chat_fork *fork = find_fork(s, name);
    if (fork ? !load_fork(s, fork) : !load_file(s, name)) return false;
    chat_text_clear(&s->pending);
    printf("Messages from %s: %zu.\n", name, s->messages.n);
    return true;
}

static bool do_read(chat_session *s, char *path)
{
    char *text = NULL;
    size_t len;
    if (!need_argument("read", "a file", path)) return false;
    if (strcmp(path, "-") == 0 || !platform_read_all(path, &text, &len)) {
        out_error("cannot read %s: %s", path, strcmp(path, "-") ? strerror(errno) : "no file");
        return false;
    }
    bool small = len <= CHAT_MOST_FILE, ok = small && ingle_utf8_valid(text, len) == len;
    if (!small) out_error("%s: more than %d bytes", path, CHAT_MOST_FILE);
    else if (!ok) out_error("%s: no text: not UTF-8", path);
    if (ok) {
        chat_text_add(&s->pending, text, len);
        if (!len || text[len - 1] != '\n') chat_text_add(&s->pending, "\n", 1);
        printf("%s (%zu bytes) goes before the next message.\n", path, len);
    }
    free(text);
    return ok && !s->pending.failed;
}

static void list_tools(const chat_session *s)
{
    ingle_json_doc doc;
    if (!s->state.tools.n) printf("There are no tools; /tools FILE reads them.\n");
    if (!s->state.tools.n ||
        ingle_json_open(&doc, s->state.tools.p, s->state.tools.n, NULL, NULL) != INGLE_OK)
        return;
    for (ingle_json_walk w = ingle_json_items(doc.root); ingle_json_step(&w);) {
        const ingle_json *function = ingle_json_get(w.value, "function");
        const ingle_json *name = ingle_json_get(function ? function : w.value, "name");
        out_plain(ingle_json_is(name, INGLE_JSON_STRING) ? name->text : "(no name)", 0);
        putchar('\n');
    }
    ingle_json_close(&doc);
}

static bool do_tools(chat_session *s, char *argument)
{
    if (strcmp(argument, "off") == 0) {
        chat_text_clear(&s->state.tools);
    } else if (argument[0] && s->schema && s->opt->set.no_tool_grammar) {
        out_error("answers keep to a schema, which excludes tools with '--no-tool-grammar': "
                  "/schema off ends that");
        return false;
    } else if (argument[0] && !chat_tools_read(argument, &s->state.tools)) {
        return false;
    }
    list_tools(s);
    return true;
}

/* ---- the schema of answers ------------------------------------------------------------------- */

static void show_schema(const chat_session *s)
{
    ingle_grammar_info info = {.size = sizeof info};
    if (!s->schema) {
        printf("Answers are free.\n");
        return;
    }
    ingle_grammar_info_get(s->state.used ? s->state.used : s->schema, &info, NULL);
    printf("Answers keep to the schema ");
    out_plain(s->schema_name, 0);
    printf(": masks %llu, taken again %llu, %zu bytes; /schema off ends that.\n",
           (unsigned long long)info.n_masks, (unsigned long long)info.n_hits, info.n_bytes);
}

/* What answers keep to. */
typedef struct schema_now {
    ingle_grammar *grammar;
    grammar_source form;
    char *name;
} schema_now;

static schema_now take_schema(const chat_session *s)
{
    return (schema_now){s->schema, s->form, s->schema_name};
}

static void give_schema(chat_session *s, const schema_now *now)
{
    s->schema = now->grammar;
    s->form = now->form;
    s->schema_name = now->name;
    s->state.grammar = s->schema;
    s->state.form = &s->form;
}

static void free_schema(schema_now *x)
{
    ingle_grammar_close(&x->grammar);
    grammar_source_free(&x->form);
    free(x->name);
}

/* Exchanges it; if the new one does not go with the settings, back again. */
static bool exchange_schema(chat_session *s, schema_now *x)
{
    const schema_now before = take_schema(s);
    give_schema(s, x);
    if (chat_settle(s) != EXIT_DONE) {
        give_schema(s, &before);
        return false;
    }
    ingle_grammar_close(&s->state.used);
    *x = before;
    return true;
}

static bool read_schema(const chat_session *s, const char *value, schema_now *out)
{
    const grammar_settings set = {.schema = value};
    ingle_error err = {{0}};
    int code = grammar_source_read(&out->form, s->verb, &set, NULL);
    if (grammar_is_text(value)) out->form.what = "/schema";
    if (code == EXIT_DONE) {
        ingle_status status = grammar_open(&out->grammar, &out->form, s->h->model, &err);
        if (status != INGLE_OK) code = open_failed(out->form.what, status, &err);
    }
    out->form.what = "/schema"; /* the value is not kept */
    return code == EXIT_DONE;
}

static bool do_schema(chat_session *s, char *argument)
{
    bool off = strcmp(argument, "off") == 0, ok = true;
    schema_now x = {.grammar = NULL};
    if (strcmp(argument, "-") == 0) {
        out_error("/schema needs a file, not standard input");
        return false;
    }
    if (argument[0] && !off) ok = (x.name = copy_text(argument)) && read_schema(s, argument, &x);
    if (argument[0] && ok) ok = exchange_schema(s, &x);
    free_schema(&x);
    if (ok) show_schema(s);
    return ok;
}

/* ---- settings -------------------------------------------------------------------------------- */

/* A copy that stays until the end. */
static char *keep(chat_session *s, const char *text)
{
    char **kept = realloc(s->kept, (s->n_kept + 1) * sizeof *kept);
    if (kept) s->kept = kept;
    char *copy = kept ? copy_text(text) : NULL;
    if (copy) s->kept[s->n_kept++] = copy;
    return copy;
}

/* "top_p 0.9" as the command line's "--top-p 0.9". */
static bool do_set(chat_session *s, char *argument)
{
    char name[64];
    cli_verb verb = *s->verb;
    size_t n = strcspn(argument, " =");
    char *value = argument + n + strspn(argument + n, " =");
    if (!need_argument("set", "a name and a value: /set temperature 0.5", argument)) return false;
    argument[n] = 0;
    argument += strspn(argument, "-");
    snprintf(name, sizeof name, "%s%s", argument[0] && argument[1] ? "--" : "-", argument);
    for (char *p = name; *p; p++)
        if (*p == '_') *p = '-';
    value = keep(s, value);
    if (!value) return false;
    char *argv[] = {name, value};
    verb.groups = chat_set_groups;
    verb.n_groups = CHAT_SET_GROUPS;
    verb.max_positional = 0;
    chat_settings before = s->opt->set;
    bool ok = args_parse(&verb, s->opt, value[0] ? 2 : 1, argv, NULL) == ARGS_OK;
    ok = ok && chat_settle(s) == EXIT_DONE;
    if (!ok) s->opt->set = before;
    return ok;
}

static const char *yes_no(bool x)
{
    return x ? "yes" : "no";
}

static void show_row(const chat_options *opt, const arg_option *row)
{
    char name[64] = "";
    const void *at = (const char *)&opt->sampling + row->offset;
    for (const char *names = row->names; help_next_name(&names, name, sizeof name);) continue;
    if (row->kind == ARG_INT) printf("  %-20s %d\n", name + 2, *(const int32_t *)at);
    else if (row->kind == ARG_FLOAT) printf("  %-20s %g\n", name + 2, (double)*(const float *)at);
}

static size_t held_tokens(const chat_session *s)
{
    const int32_t *tokens;
    size_t n = 0;
    ingle_session_tokens(s->h->session, &tokens, &n, NULL);
    return n;
}

static bool do_show(chat_session *s, char *argument)
{
    static const char *const modes[] = {"auto", "on", "off"};
    const ingle_chat_info *info = &s->state.info;
    (void)argument;
    printf("model    ");
    out_plain(s->h->path, 0);
    printf("\nfamily   %s (%s)\n", info->family, info->title);
    printf("template %stools %s, system %s, thinks %s, switch %s\n", info->plain ? "plain, " : "",
           yes_no(info->tools), yes_no(info->system), yes_no(info->thinks),
           yes_no(info->thinking_switch));
    printf("context  %zu of %d tokens, %zu messages\n", held_tokens(s), s->h->engine_info.n_ctx,
           s->messages.n);
    printf("thinking %s, effort %s\n", modes[s->opt->set.thinking],
           s->opt->set.effort ? s->opt->set.effort : "as the template has it");
    for (size_t i = 0; i < info->n_efforts; i++)
        printf("%s%s", i ? ", " : "efforts  ", info->efforts[i]);
    if (info->n_efforts) putchar('\n');
    for (size_t i = 0; i < s->n_forks; i++)
        printf("fork     %s, %zu messages\n", s->forks[i].name, s->forks[i].messages.n);
    printf("sampling\n  %-20s %llu\n", "seed", (unsigned long long)s->opt->sampling.lib.seed);
    for (size_t i = 0; i < SAMPLING_N_ROWS; i++) show_row(s->opt, &sampling_rows[i]);
    return true;
}

static bool do_stats(chat_session *s, char *argument)
{
    ingle_stats stats = {.size = sizeof stats};
    ingle_error err = {{0}};
    (void)argument;
    ingle_status status = ingle_engine_stats_get(s->h->engine, &stats, &err);
    if (status != INGLE_OK) return open_failed("stats", status, &err) == EXIT_DONE;
    printf("loaded in %.2f s, %d threads, %s kernels\n", s->h->load_s, s->h->engine_info.n_threads,
           s->h->info.isa);
    printf("answers %llu, steps %llu, tokens computed %llu, generated %llu\n",
           (unsigned long long)s->state.n_answers, (unsigned long long)stats.n_steps,
           (unsigned long long)stats.n_tokens, (unsigned long long)stats.n_generated);
    show_schema(s);
    printf("context %zu of %d tokens; pages %zu, free %zu, kept %zu\n", held_tokens(s),
           s->h->engine_info.n_ctx, stats.n_pages, stats.n_pages_free, stats.n_pages_idle);
    return true;
}

/* ---- the table ------------------------------------------------------------------------------- */

static bool do_help(chat_session *s, char *argument);

static const struct command {
    const char *name, *argument, *help;
    bool (*run)(chat_session *s, char *argument); /* false: reported */
} COMMANDS[] = {
    {"help", "", "these lines", do_help},
    {"system", "TEXT", "what the model is told before all else; without TEXT nothing", do_system},
    {"set", "NAME VALUE",
     "an option of sampling, or max_tokens, overflow, thinking, effort, reasoning_budget", do_set},
    {"show", "", "model, template, context, options", do_show},
    {"save", "FILE", "write the conversation, as JSON", do_save},
    {"load", "FILE", "go on with a conversation from FILE, or with a fork of that name", do_load},
    {"fork", "[NAME]", "keep the conversation as it is now, for /load NAME", do_fork},
    {"regen", "", "answer the last message again", do_regen},
    {"undo", "", "take back the last message and its answer", do_undo},
    {"read", "FILE", "put a text file before the next message", do_read},
    {"tools", "[FILE|off]", "the tools that the model may call", do_tools},
    {"schema", "[FILE|off]",
     "answers that call nothing are JSON that is valid for the JSON Schema in FILE", do_schema},
    {"stats", "", "what the engine has done", do_stats},
    {"clear", "", "begin anew, with the same system message", do_clear},
    {"exit", "", "end; Ctrl+D too", do_exit},
};
enum { N_COMMANDS = sizeof COMMANDS / sizeof *COMMANDS };

static bool do_help(chat_session *s, char *argument)
{
    (void)s, (void)argument;
    for (size_t i = 0; i < N_COMMANDS; i++)
        printf("/%-7s%-12s%s\n", COMMANDS[i].name, COMMANDS[i].argument, COMMANDS[i].help);
    printf("A line that ends in \\ goes on; \"\"\" begins and ends several lines; // begins a "
           "message with a\nslash. Ctrl+C stops an answer.\n");
    return true;
}

void chat_command(chat_session *s, char *line)
{
    char *name = line + 1;
    size_t n = strcspn(name, " \t\n");
    char *argument = name + n + strspn(name + n, " \t\n");
    for (size_t len = strlen(argument); len && strchr(" \t\n", argument[len - 1]);)
        argument[--len] = 0;
    if (name[n]) name[n] = 0;
    for (size_t i = 0; i < N_COMMANDS; i++) {
        if (strcmp(name, COMMANDS[i].name) != 0) continue;
        if (!COMMANDS[i].run(s, argument)) s->failed = true;
        out_flush();
        return;
    }
    out_error("unknown command '/%s'; /help lists them, // begins a message with a slash", name);
    s->failed = true;
}
