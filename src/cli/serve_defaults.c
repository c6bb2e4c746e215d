/* serve_defaults.c - see serve_defaults.h. */
#include "serve_defaults.h"
#include "grammars.h"
#include "out.h"
#include "platform.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define AT(field) offsetof(serve_settings, field)

enum { AUTO, ON, OFF };
static const arg_choice SWITCH[] = {{"auto", AUTO}, {"on", ON}, {"off", OFF}, {NULL, 0}};

const arg_option serve_default_rows[SERVE_N_DEFAULTS] = {
    {"-n --predict --n-predict", "N", ARG_INT, AT(n_predict), -1, ARG_MAX, NULL,
     "tokens of an answer at most; -1: as many as fit (default -1)"},
    {"--ignore-eos", NULL, ARG_FLAG, AT(ignore_eos), 0, 0, NULL,
     "the model's end tokens do not end an answer"},
    {"-rea --reasoning", "WHEN", ARG_CHOICE, AT(reasoning), 0, 0, SWITCH,
     "on, off, or auto: whether answers begin with thinking (default auto: as the template has it; "
     "of Messages: only where it is asked for)"},
    {"--reasoning-budget", "N", ARG_INT, AT(reasoning_budget), -1, ARG_MAX, NULL,
     "tokens of thinking after which it is closed; 0: none; -1: no limit (default -1)"},
    {"--reasoning-format", "FORM", ARG_STRING, AT(reasoning_format), 0, 0, NULL,
     "none: thinking comes as text, with its marks; auto, deepseek: in a member of its own "
     "(default "
     "auto)"},
    {"--chat-template-kwargs", "JSON", ARG_STRING, AT(kwargs), 0, 0, NULL,
     "an object of variables for the chat template, as in '{\"enable_thinking\": false}'"},
    {"--grammar", "FILE", ARG_STRING, AT(gbnf), 0, 0, NULL,
     "answers are texts of the grammar in FILE (GBNF); a value that has '::=' or a line feed in it "
     "is the grammar itself. Not where a request offers tools or sets a form"},
    {"--grammar-file", "FILE", ARG_STRING, AT(gbnf_file), 0, 0, NULL, "the same; always a file"},
    {"-j --json-schema --schema", "FILE", ARG_STRING, AT(schema), 0, 0, NULL,
     "answers are JSON that is valid for the JSON Schema in FILE; a value that begins with '{' is "
     "the schema itself. Not where a request offers tools or sets a form"},
    {"-jf --json-schema-file", "FILE", ARG_STRING, AT(schema_file), 0, 0, NULL,
     "the same; always a file"},
    {"--no-cache-prompt", NULL, ARG_FLAG, AT(no_cache_prompt), 0, 0, NULL,
     "what is kept of other prompts is not used, nor is a prompt kept"},
    {"--default", "NAME=JSON", ARG_LIST, AT(defaults), 0, 0, NULL,
     "any member of requests, as in priority='\"low\"' or stop='[\"###\"]'; or an object of "
     "members; repeatable"},
    {"--answer-grammar", "FILE", ARG_LIST, AT(answer_grammars), 0, 0, NULL,
     "for tests of agents: to requests that offer tools, the first answer of a conversation is a "
     "text of this grammar (GBNF), the second of the second one given, and so on; repeatable"},
};

/* How a value becomes JSON. */
typedef enum form {
    AS_STORED, /* by the kind of its row */
    AS_FALSE,  /* a flag that says the contrary */
    AS_SWITCH,
    AS_OBJECT,
    AS_GRAMMAR, /* a file or a text */
    AS_GRAMMAR_FILE,
    AS_SCHEMA,
    AS_SCHEMA_FILE,
    AS_BREAKERS,
    AS_BIASES
} form;

/* Members of requests by the options that set them. */
static const struct {
    const char *option, *member;
    form form;
} MEMBERS[] = {
    {"--seed", "seed", AS_STORED},
    {"--temp", "temperature", AS_STORED},
    {"--top-k", "top_k", AS_STORED},
    {"--top-p", "top_p", AS_STORED},
    {"--min-p", "min_p", AS_STORED},
    {"--typical-p", "typical_p", AS_STORED},
    {"--top-n-sigma", "top_n_sigma", AS_STORED},
    {"--xtc-probability", "xtc_probability", AS_STORED},
    {"--xtc-threshold", "xtc_threshold", AS_STORED},
    {"--min-keep", "min_keep", AS_STORED},
    {"--repeat-penalty", "repeat_penalty", AS_STORED},
    {"--repeat-last-n", "repeat_last_n", AS_STORED},
    {"--presence-penalty", "presence_penalty", AS_STORED},
    {"--frequency-penalty", "frequency_penalty", AS_STORED},
    {"--dry-multiplier", "dry_multiplier", AS_STORED},
    {"--dry-base", "dry_base", AS_STORED},
    {"--dry-allowed-length", "dry_allowed_length", AS_STORED},
    {"--dry-penalty-last-n", "dry_penalty_last_n", AS_STORED},
    {"--dry-sequence-breaker", "dry_sequence_breakers", AS_BREAKERS},
    {"--dynatemp-range", "dynatemp_range", AS_STORED},
    {"--dynatemp-exp", "dynatemp_exponent", AS_STORED},
    {"--mirostat", "mirostat", AS_STORED},
    {"--mirostat-ent", "mirostat_tau", AS_STORED},
    {"--mirostat-lr", "mirostat_eta", AS_STORED},
    {"--adaptive-target", "adaptive_target", AS_STORED},
    {"--adaptive-decay", "adaptive_decay", AS_STORED},
    {"--samplers", "samplers", AS_STORED},
    {"--logit-bias", "logit_bias", AS_BIASES},
    {"--predict", "max_tokens", AS_STORED},
    {"--ignore-eos", "ignore_eos", AS_STORED},
    {"--reasoning", "enable_thinking", AS_SWITCH},
    {"--reasoning-budget", "reasoning_budget", AS_STORED},
    {"--reasoning-format", "reasoning_format", AS_STORED},
    {"--chat-template-kwargs", "chat_template_kwargs", AS_OBJECT},
    {"--grammar", "grammar", AS_GRAMMAR},
    {"--grammar-file", "grammar", AS_GRAMMAR_FILE},
    {"--json-schema", "json_schema", AS_SCHEMA},
    {"--json-schema-file", "json_schema", AS_SCHEMA_FILE},
    {"--no-cache-prompt", "cache_prompt", AS_FALSE},
};
enum { N_MEMBERS = sizeof MEMBERS / sizeof *MEMBERS, MOST_TAKEN = 128 };

typedef struct maker {
    const cli_verb *verb;
    const serve_settings *s;
    ingle_json_writer all, value;
    const char *option, *where; /* of the value at hand; where NULL: on the command line */
    struct {
        char member[64];
        const char *option;
    } taken[MOST_TAKEN];
    size_t n_taken;
} maker;

/* ---- failures -------------------------------------------------------------------------------- */

/* By the option at hand; EXIT_USAGE. */
__attribute__((format(printf, 2, 3))) static int refuse(const maker *m, const char *format, ...)
{
    char text[400];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (m->where) out_error("%s: %s", m->where, text);
    else out_error("%s: option '%s': %s", m->verb->name, m->option, text);
    return EXIT_USAGE;
}

static int no_memory(void)
{
    out_error("no memory for the options");
    return EXIT_WORK;
}

/* ---- values ---------------------------------------------------------------------------------- */

static int put_stored(maker *m, const arg_option *row, const void *p)
{
    const arg_seed *seed = p;
    switch (row->kind) {
    case ARG_FLAG: ingle_json_put_bool(&m->value, *(const bool *)p); break;
    case ARG_INT: ingle_json_put_i64(&m->value, *(const int32_t *)p); break;
    case ARG_CHOICE: ingle_json_put_i64(&m->value, *(const int *)p); break;
    case ARG_FLOAT: ingle_json_put_f32(&m->value, *(const float *)p); break;
    case ARG_STRING: ingle_json_put_text(&m->value, *(const char *const *)p); break;
    case ARG_SEED:
        if (seed->given) ingle_json_put_u64(&m->value, seed->value);
        else ingle_json_put_i64(&m->value, -1);
        break;
    case ARG_LIST: break; /* have forms of their own */
    }
    return EXIT_DONE;
}

static int put_json(maker *m, const char *text, size_t len)
{
    ingle_json_doc doc;
    ingle_error err = {{0}};
    const ingle_json_limits limits = {.unique_names = true};
    if (ingle_json_open(&doc, text, len, &limits, &err) != INGLE_OK)
        return refuse(m, "'%.60s' is no JSON: %s; a text stands in double quotes", text, err.text);
    ingle_json_put(&m->value, doc.root);
    ingle_json_close(&doc);
    return EXIT_DONE;
}

static int put_text(maker *m, const char *text, size_t len, bool json)
{
    if (json) return put_json(m, text, len);
    ingle_json_put_bytes(&m->value, text, len);
    return EXIT_DONE;
}

static int put_file(maker *m, const char *path, bool json)
{
    char *text = NULL;
    size_t len;
    if (!platform_read_all(path, &text, &len))
        return refuse(m, "cannot read %.200s: %s", path, strerror(errno));
    int code = put_text(m, text, len, json);
    free(text);
    return code;
}

static int put_file_or_text(maker *m, const char *value, bool json)
{
    if (grammar_is_text(value)) return put_text(m, value, strlen(value), json);
    return put_file(m, value, json);
}

static int put_breakers(maker *m, const arg_list *list)
{
    bool none = list->n == 1 && strcmp(list->items[0], "none") == 0;
    ingle_json_begin_array(&m->value);
    for (size_t i = 0; i < list->n && !none; i++) ingle_json_put_text(&m->value, list->items[i]);
    ingle_json_end_array(&m->value);
    return EXIT_DONE;
}

/* "13-inf" is never, which is false. */
static int put_biases(maker *m, const arg_list *list)
{
    ingle_json_begin_array(&m->value);
    for (size_t i = 0; i < list->n; i++) {
        ingle_logit_bias b;
        if (!sampling_parse_bias(list->items[i], &b)) continue; /* was checked */
        ingle_json_begin_array(&m->value);
        ingle_json_put_i64(&m->value, b.token);
        if (b.bias < -1e30f) ingle_json_put_bool(&m->value, false);
        else ingle_json_put_f32(&m->value, b.bias);
        ingle_json_end_array(&m->value);
    }
    ingle_json_end_array(&m->value);
    return EXIT_DONE;
}

static int put_value(maker *m, form how, const arg_option *row, const void *p)
{
    const char *text = row->kind == ARG_STRING ? *(const char *const *)p : "";
    switch (how) {
    case AS_STORED: return put_stored(m, row, p);
    case AS_FALSE: ingle_json_put_bool(&m->value, !*(const bool *)p); return EXIT_DONE;
    case AS_SWITCH:
        if (*(const int *)p == AUTO) ingle_json_put_null(&m->value);
        else ingle_json_put_bool(&m->value, *(const int *)p == ON);
        return EXIT_DONE;
    case AS_OBJECT: return put_json(m, text, strlen(text));
    case AS_GRAMMAR: return put_file_or_text(m, text, false);
    case AS_GRAMMAR_FILE: return put_file(m, text, false);
    case AS_SCHEMA: return put_file_or_text(m, text, true);
    case AS_SCHEMA_FILE: return put_file(m, text, true);
    case AS_BREAKERS: return put_breakers(m, p);
    case AS_BIASES: return put_biases(m, p);
    }
    return EXIT_DONE;
}

/* ---- members --------------------------------------------------------------------------------- */

/* Asks the server about the value at hand alone, so that the error has the option's name. */
static int check_alone(maker *m, const char *name, size_t len)
{
    ingle_json_writer w = {0};
    ingle_error err = {{0}};
    ingle_json_begin_object(&w);
    ingle_json_put_raw(ingle_json_name_bytes(&w, name, len), m->value.text, m->value.n);
    ingle_json_end_object(&w);
    ingle_status status = ingle_json_finish(&w);
    if (status == INGLE_OK) status = serve_check_defaults(w.text, NULL, &err);
    ingle_json_writer_free(&w);
    if (status == INGLE_ENOMEM) return no_memory();
    return status == INGLE_OK ? EXIT_DONE : refuse(m, "%s", err.text);
}

static int refuse_twice(const maker *m, const char *name, size_t len)
{
    for (size_t i = 0; i < m->n_taken; i++) {
        if (strlen(m->taken[i].member) != len || memcmp(m->taken[i].member, name, len) != 0)
            continue;
        return refuse(m, "'%s' is set by '%s' already", m->taken[i].member, m->taken[i].option);
    }
    return EXIT_DONE;
}

/* The value at hand becomes a member. */
static int take(maker *m, const char *name, size_t len)
{
    if (ingle_json_finish(&m->value) != INGLE_OK) return no_memory();
    int code = check_alone(m, name, len);
    if (code == EXIT_DONE) code = refuse_twice(m, name, len);
    if (code != EXIT_DONE) return code;
    if (len < sizeof m->taken[0].member && m->n_taken < MOST_TAKEN) {
        memcpy(m->taken[m->n_taken].member, name, len);
        m->taken[m->n_taken].member[len] = 0;
        m->taken[m->n_taken++].option = m->option;
    }
    ingle_json_put_raw(ingle_json_name_bytes(&m->all, name, len), m->value.text, m->value.n);
    ingle_json_writer_free(&m->value);
    return EXIT_DONE;
}

/* Where a row was given; false: it was not. */
static bool is_given(maker *m, const char *option, const arg_option **row, const void **value)
{
    const arg_group *group;
    *row = args_find(m->verb, option, strlen(option), &group);
    size_t g = (size_t)(group - m->verb->groups), r = *row ? (size_t)(*row - group->rows) : 0;
    if (!*row || !(m->s->given[g] >> r & 1)) return false;
    *value = (const char *)m->s + group->offset + (*row)->offset;
    m->option = option;
    m->where = m->s->from[g][r];
    return true;
}

static int take_options(maker *m)
{
    const arg_option *row;
    const void *value;
    int code = EXIT_DONE;
    for (size_t i = 0; code == EXIT_DONE && i < N_MEMBERS; i++) {
        if (!is_given(m, MEMBERS[i].option, &row, &value)) continue;
        code = put_value(m, MEMBERS[i].form, row, value);
        if (code == EXIT_DONE) code = take(m, MEMBERS[i].member, strlen(MEMBERS[i].member));
    }
    return code;
}

/* "{...}": all members of it. */
static int take_object(maker *m, const char *text)
{
    ingle_json_doc doc;
    ingle_error err = {{0}};
    const ingle_json_limits limits = {.unique_names = true};
    int code = EXIT_DONE;
    if (ingle_json_open(&doc, text, strlen(text), &limits, &err) != INGLE_OK)
        return refuse(m, "%s", err.text);
    for (ingle_json_walk w = ingle_json_items(doc.root);
         code == EXIT_DONE && ingle_json_step(&w);) {
        ingle_json_put(&m->value, w.value);
        code = take(m, w.name->text, w.name->len);
    }
    ingle_json_close(&doc);
    return code;
}

static int take_default(maker *m, const char *text)
{
    const char *equals = strchr(text, '=');
    if (*text == '{') return take_object(m, text);
    if (!equals || equals == text)
        return refuse(m, "'%.60s' is neither NAME=JSON nor an object", text);
    int code = put_json(m, equals + 1, strlen(equals + 1));
    return code == EXIT_DONE ? take(m, text, (size_t)(equals - text)) : code;
}

static int take_defaults(maker *m)
{
    const arg_option *row;
    const void *value;
    int code = EXIT_DONE;
    if (!is_given(m, "--default", &row, &value)) return EXIT_DONE;
    for (size_t i = 0; code == EXIT_DONE && i < m->s->defaults.n; i++)
        code = take_default(m, m->s->defaults.items[i]);
    return code;
}

static int make_json(serve_defaults *d, const cli_verb *verb, const serve_settings *s)
{
    maker *m = calloc(1, sizeof *m);
    if (!m) return no_memory();
    m->verb = verb;
    m->s = s;
    ingle_json_begin_object(&m->all);
    int code = take_options(m);
    if (code == EXIT_DONE) code = take_defaults(m);
    ingle_json_end_object(&m->all);
    if (code == EXIT_DONE && ingle_json_finish(&m->all) != INGLE_OK) code = no_memory();
    if (code == EXIT_DONE && m->n_taken) {
        d->json = m->all.text;
        m->all = (ingle_json_writer){0};
    }
    ingle_json_writer_free(&m->all);
    ingle_json_writer_free(&m->value);
    free(m);
    return code;
}

/* ---- grammars of answers --------------------------------------------------------------------- */

static int read_grammar(serve_defaults *d, maker *m, const char *path)
{
    ingle_error err = {{0}};
    ingle_grammar *grammar = NULL;
    size_t len;
    if (!platform_read_all(path, &d->files[d->n_grammars], &len))
        return refuse(m, "cannot read %.200s: %s", path, strerror(errno));
    const char *text = d->files[d->n_grammars];
    d->grammars[d->n_grammars++] = (ingle_string){text, len};
    ingle_status status = ingle_grammar_open_gbnf(&grammar, NULL, text, len, NULL, &err);
    ingle_grammar_close(&grammar);
    if (status == INGLE_ENOMEM) return no_memory();
    return status == INGLE_OK ? EXIT_DONE : refuse(m, "%.100s: %s", path, err.text);
}

static int read_grammars(serve_defaults *d, const cli_verb *verb, const serve_settings *s)
{
    maker m = {.verb = verb, .s = s};
    const arg_list *list = &s->answer_grammars;
    const arg_option *row;
    const void *value;
    int code = EXIT_DONE;
    if (!is_given(&m, "--answer-grammar", &row, &value)) return EXIT_DONE;
    d->files = calloc(list->n, sizeof *d->files);
    d->grammars = calloc(list->n, sizeof *d->grammars);
    if (!d->files || !d->grammars) return no_memory();
    for (size_t i = 0; code == EXIT_DONE && i < list->n; i++)
        code = read_grammar(d, &m, list->items[i]);
    return code;
}

int serve_defaults_make(serve_defaults *d, const cli_verb *verb, const serve_settings *s)
{
    int code = make_json(d, verb, s);
    return code == EXIT_DONE ? read_grammars(d, verb, s) : code;
}

void serve_defaults_free(serve_defaults *d)
{
    for (size_t i = 0; i < d->n_grammars; i++) free(d->files[i]);
    free(d->files);
    free(d->grammars);
    free(d->json);
    *d = (serve_defaults){0};
}
