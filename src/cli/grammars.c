/* grammars.c - see grammars.h. */
#include "grammars.h"
#include "out.h"
#include "platform.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define AT(field) offsetof(grammar_settings, field)

const arg_option grammar_rows[GRAMMAR_N_ROWS] = {
    {"--grammar", "FILE", ARG_STRING, AT(gbnf), 0, 0, NULL,
     "the text belongs to the grammar in FILE (GBNF, as llama.cpp has it); a value that has '::=' "
     "or "
     "a line feed in it is the grammar itself"},
    {"--grammar-file", "FILE", ARG_STRING, AT(gbnf_file), 0, 0, NULL, "the same; always a file"},
    {"-j --json-schema --schema", "FILE", ARG_STRING, AT(schema), 0, 0, NULL,
     "the text is JSON that is valid for the JSON Schema in FILE; a value that begins with '{' is "
     "the schema itself"},
    {"-jf --json-schema-file", "FILE", ARG_STRING, AT(schema_file), 0, 0, NULL,
     "the same; always a file"},
    {"--json-object", NULL, ARG_FLAG, AT(json_object), 0, 0, NULL, "the text is any JSON object"},
    {"--regex", "RE", ARG_STRING, AT(regex), 0, 0, NULL,
     "the whole text matches the pattern RE (ECMA-262)"},
    {"--choice", "A,B,C", ARG_LIST, AT(choices), 0, 0, NULL,
     "the text is one of these; '\\,' is a comma, '\\\\' a backslash; repeatable"},
    {"--lenient", NULL, ARG_FLAG, AT(lenient), 0, 0, NULL,
     "of a schema: keywords that cannot be enforced are left out and listed, not refused"},
    {"--any-order", NULL, ARG_FLAG, AT(any_order), 0, 0, NULL,
     "of a schema: members of objects in any order, not in the schema's"},
    {"--compact", NULL, ARG_FLAG, AT(compact), 0, 0, NULL,
     "of JSON: no white space between its parts"},
    {"--ref", "URI=FILE", ARG_LIST, AT(refs), 0, 0, NULL,
     "of a schema: what $ref finds under URI; nothing is fetched; repeatable"},
    {"--trigger", "TEXT", ARG_LIST, AT(triggers), 0, 0, NULL,
     "the output is free until TEXT occurs in it, with which the text begins; repeatable"},
};

void grammar_settings_free(grammar_settings *set)
{
    args_list_free(&set->choices);
    args_list_free(&set->refs);
    args_list_free(&set->triggers);
}

bool grammar_is_text(const char *value)
{
    return value[strspn(value, " \t\r\n")] == '{' || strstr(value, "::=") || strchr(value, '\n');
}

/* ---- which one ------------------------------------------------------------------------------- */

typedef struct given {
    grammar_kind kind;
    const char *option, *value; /* value: a file or a text; NULL: neither */
    bool is_text;
} given;

enum { N_KINDS = 7 };

/* Those that were given; how many. */
static size_t find_given(const grammar_settings *set, given list[N_KINDS])
{
    size_t n = 0;
    if (set->gbnf)
        list[n++] = (given){GRAMMAR_GBNF, "--grammar", set->gbnf, grammar_is_text(set->gbnf)};
    if (set->gbnf_file) list[n++] = (given){GRAMMAR_GBNF, "--grammar-file", set->gbnf_file, false};
    if (set->schema)
        list[n++] =
            (given){GRAMMAR_SCHEMA, "--json-schema", set->schema, grammar_is_text(set->schema)};
    if (set->schema_file)
        list[n++] = (given){GRAMMAR_SCHEMA, "--json-schema-file", set->schema_file, false};
    if (set->json_object) list[n++] = (given){GRAMMAR_JSON_OBJECT, "--json-object", NULL, true};
    if (set->regex) list[n++] = (given){GRAMMAR_REGEX, "--regex", set->regex, true};
    if (set->choices.n) list[n++] = (given){GRAMMAR_CHOICE, "--choice", NULL, true};
    return n;
}

/* An option that changes a kind that was not given; NULL: there is none. */
static const char *find_stray(const grammar_settings *set, grammar_kind kind, const char **needs)
{
    bool schema = kind == GRAMMAR_SCHEMA;
    *needs = "--json-schema";
    if (set->lenient && !schema) return "--lenient";
    if (set->any_order && !schema) return "--any-order";
    if (set->refs.n && !schema) return "--ref";
    *needs = "--json-schema or --json-object";
    if (set->compact && !schema && kind != GRAMMAR_JSON_OBJECT) return "--compact";
    *needs = "a grammar";
    return set->triggers.n && kind == GRAMMAR_NONE ? "--trigger" : NULL;
}

static int choose(given *chosen, const cli_verb *verb, const grammar_settings *set,
                  const char *input)
{
    given list[N_KINDS] = {{.kind = GRAMMAR_NONE}};
    const char *needs;
    size_t n = find_given(set, list);
    const char *stray = find_stray(set, list[0].kind, &needs);
    *chosen = list[0];
    if (n > 1) {
        out_error("%s: options '%s' and '%s' exclude each other", verb->name, list[0].option,
                  list[1].option);
    } else if (stray) {
        out_error("%s: option '%s' needs %s", verb->name, stray, needs);
    } else if (chosen->value && !chosen->is_text && input && strcmp(chosen->value, "-") == 0) {
        out_error("%s: option '%s': '-' is standard input, which is read for %s already",
                  verb->name, chosen->option, input);
    } else {
        return EXIT_DONE;
    }
    return EXIT_USAGE;
}

/* ---- texts ----------------------------------------------------------------------------------- */

static int no_memory(void)
{
    out_error("no memory for a grammar");
    return EXIT_WORK;
}

static bool read_file(const char *path, char **text, size_t *len)
{
    if (platform_read_all(path, text, len)) return true;
    out_error("cannot read %s: %s", strcmp(path, "-") ? path : "standard input", strerror(errno));
    return false;
}

static int take_text(grammar_source *s, const char *text)
{
    s->len = strlen(text);
    s->text = malloc(s->len + 1);
    if (!s->text) return no_memory();
    memcpy(s->text, text, s->len + 1);
    return EXIT_DONE;
}

/* Splits "A,B\,C" into the source's text and choices, which have room. */
static void split(grammar_source *s, const char *list)
{
    char *to = s->text + s->len, *begin = to;
    for (const char *p = list;; p++) {
        if (*p == '\\' && (p[1] == ',' || p[1] == '\\')) {
            *to++ = *++p;
        } else if (*p && *p != ',') {
            *to++ = *p;
        } else {
            s->choices[s->n_choices++] = (ingle_string){begin, (size_t)(to - begin)};
            begin = to;
            if (!*p) break;
        }
    }
    s->len = (size_t)(to - s->text);
}

static int take_choices(grammar_source *s, const cli_verb *verb, const arg_list *lists)
{
    size_t room = 1, n = 0;
    for (size_t i = 0; i < lists->n; i++) {
        room += strlen(lists->items[i]);
        n++;
        for (const char *p = lists->items[i]; *p; p++) n += *p == ',';
    }
    s->text = malloc(room);
    s->choices = calloc(n, sizeof *s->choices);
    if (!s->text || !s->choices) return no_memory();
    for (size_t i = 0; i < lists->n; i++) split(s, lists->items[i]);
    for (size_t i = 0; i < s->n_choices; i++) {
        if (s->choices[i].len) continue;
        out_error("%s: option '--choice': choice %zu is empty", verb->name, i + 1);
        return EXIT_USAGE;
    }
    return EXIT_DONE;
}

/* "URI=FILE": the last '=' divides them, as those of a URI come before it. */
static int take_ref(grammar_source *s, const cli_verb *verb, const char *ref)
{
    ingle_document *d = &s->documents[s->opt.n_documents];
    const char *sign = strrchr(ref, '=');
    char *uri, *text = NULL;
    if (!sign || sign == ref || !sign[1] || strcmp(sign, "=-") == 0) {
        out_error("%s: option '--ref': '%s' is not URI=FILE", verb->name, ref);
        return EXIT_USAGE;
    }
    if (!read_file(sign + 1, &text, &d->len)) return EXIT_USAGE;
    s->opt.n_documents++;
    d->text = text;
    d->uri = uri = malloc((size_t)(sign - ref) + 1);
    if (!uri) return no_memory();
    memcpy(uri, ref, (size_t)(sign - ref));
    uri[sign - ref] = 0;
    return EXIT_DONE;
}

static int take_options(grammar_source *s, const cli_verb *verb, const grammar_settings *set)
{
    int code = EXIT_DONE;
    s->opt.lenient = set->lenient;
    s->opt.any_order = set->any_order;
    s->opt.compact = set->compact;
    s->documents = calloc(set->refs.n + 1, sizeof *s->documents);
    s->triggers = calloc(set->triggers.n + 1, sizeof *s->triggers);
    if (!s->documents || !s->triggers) return no_memory();
    s->opt.documents = s->documents;
    s->opt.triggers = s->triggers;
    for (size_t i = 0; i < set->refs.n && code == EXIT_DONE; i++)
        code = take_ref(s, verb, set->refs.items[i]);
    for (size_t i = 0; i < set->triggers.n; i++)
        s->triggers[s->opt.n_triggers++] =
            (ingle_string){set->triggers.items[i], strlen(set->triggers.items[i])};
    s->opt.lazy = set->triggers.n > 0;
    return code;
}

int grammar_source_read(grammar_source *s, const cli_verb *verb, const grammar_settings *set,
                        const char *input)
{
    given g;
    ingle_error err = {{0}};
    *s = (grammar_source){.kind = GRAMMAR_NONE};
    ingle_grammar_options_init(&s->opt);
    int code = choose(&g, verb, set, input);
    if (code != EXIT_DONE || g.kind == GRAMMAR_NONE) return code;
    s->kind = g.kind;
    s->what = g.option;
    if (g.kind == GRAMMAR_CHOICE) {
        code = take_choices(s, verb, &set->choices);
    } else if (g.value && g.is_text) {
        code = take_text(s, g.value);
    } else if (g.value) {
        s->what = strcmp(g.value, "-") ? g.value : "standard input";
        if (!read_file(g.value, &s->text, &s->len)) code = EXIT_USAGE;
    }
    if (code == EXIT_DONE) code = take_options(s, verb, set);
    if (code == EXIT_DONE && ingle_grammar_options_check(&s->opt, &err) != INGLE_OK) {
        out_error("%s: %s", verb->name, err.text);
        code = EXIT_USAGE;
    }
    return code;
}

void grammar_source_free(grammar_source *s)
{
    for (size_t i = 0; i < s->opt.n_documents; i++) {
        free((void *)s->documents[i].uri);
        free((void *)s->documents[i].text);
    }
    free(s->documents);
    free(s->triggers);
    free(s->choices);
    free(s->text);
    *s = (grammar_source){.kind = GRAMMAR_NONE};
}

/* ---- the grammar ----------------------------------------------------------------------------- */

static ingle_status open_kind(ingle_grammar **out, const grammar_source *s, ingle_model *model,
                              ingle_error *err)
{
    switch (s->kind) {
    case GRAMMAR_GBNF: return ingle_grammar_open_gbnf(out, model, s->text, s->len, &s->opt, err);
    case GRAMMAR_SCHEMA:
        return ingle_grammar_open_schema(out, model, s->text, s->len, &s->opt, err);
    case GRAMMAR_JSON_OBJECT: return ingle_grammar_open_json(out, model, &s->opt, err);
    case GRAMMAR_REGEX: return ingle_grammar_open_regex(out, model, s->text, s->len, &s->opt, err);
    case GRAMMAR_CHOICE:
        return ingle_grammar_open_choice(out, model, s->choices, s->n_choices, &s->opt, err);
    case GRAMMAR_NONE: break;
    }
    *out = NULL;
    return INGLE_OK;
}

static void list_dropped(const grammar_source *s, const ingle_grammar *g)
{
    ingle_grammar_info info = {.size = sizeof info};
    if (!g || ingle_grammar_info_get(g, &info, NULL) != INGLE_OK) return;
    for (size_t i = 0; i < info.n_dropped; i++)
        out_note("%s: left out: %s", s->what, info.dropped[i]);
}

ingle_status grammar_open(ingle_grammar **out, const grammar_source *s, ingle_model *model,
                          ingle_error *err)
{
    ingle_status status = open_kind(out, s, model, err);
    if (status == INGLE_OK) list_dropped(s, *out);
    return status;
}

ingle_status grammar_check(const grammar_source *s, ingle_error *err)
{
    ingle_grammar *grammar;
    ingle_error own = {{0}};
    ingle_status status = open_kind(&grammar, s, NULL, &own);
    ingle_grammar_close(&grammar);
    if (status != INGLE_EFORMAT) return INGLE_OK; /* what else there is comes with the model */
    *err = own;
    return status;
}

/* ---- how far an output has come -------------------------------------------------------------- */

ingle_grammar_state *grammar_watch(const ingle_grammar *grammar)
{
    ingle_grammar_state *watch = NULL;
    if (grammar) ingle_grammar_state_open(&watch, grammar, NULL);
    return watch;
}

bool grammar_unfinished(ingle_grammar_state *watch)
{
    bool may_end = true;
    if (watch) ingle_grammar_state_ends(watch, &may_end, NULL, NULL);
    return !may_end;
}

void grammar_note_unfinished(size_t n_tokens)
{
    out_note("the text is unfinished: it breaks off after %zu tokens, where the grammar goes on",
             n_tokens);
}
