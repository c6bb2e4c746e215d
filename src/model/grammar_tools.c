/* grammar_tools.c - opening grammars for answers that call tools (grammar_tools.h). */
#include "model/grammar_tools.h"

#include "base/mem.h"
#include "base/options.h"
#include "model/chat.h"
#include "model/grammar.h"

#include <stdio.h>

enum { MAX_TOOLS = 1000, ABOUT_BYTES = 1024 };

static const ingle_tools_options default_options = {.size = sizeof default_options};

void ingle_tools_options_init_sized(ingle_tools_options *opt, size_t size)
{
    ingle_options_fill(opt, size, &default_options, sizeof default_options);
}

/* ---- tools ----------------------------------------------------------------------------------- */

/* What a source of this kind holds beside its parts. */
typedef struct wanted {
    const ingle_chat *chat;
    const ingle_chat_profile *profile;
    const ingle_tools_options *opt;
    const ingle_grammar_options *form;
    ingle_tool *tools;
    size_t n_tools;
} wanted;

static ingle_status read_tool(ingle_tool *out, const ingle_json *v, size_t i, ingle_error *err)
{
    const ingle_json *f = ingle_json_get(v, "function");
    if (!f) f = v;
    *out =
        (ingle_tool){.name = ingle_json_get(f, "name"), .schema = ingle_json_get(f, "parameters")};
    if (!out->schema) out->schema = ingle_json_get(f, "input_schema");
    if (!ingle_json_is(out->schema, INGLE_JSON_OBJECT)) out->schema = NULL;
    if (ingle_json_is(out->name, INGLE_JSON_STRING) && out->name->len) return INGLE_OK;
    return ingle_fail(err, INGLE_EINVAL, "tools[%zu] should be an object with a name", i);
}

/* Those that may be called: all, or the one of that name. */
static ingle_status read_tools(wanted *w, const ingle_json *list, ingle_error *err)
{
    size_t i = 0;
    ingle_status st = INGLE_OK;
    if (!ingle_json_is(list, INGLE_JSON_ARRAY) || !list->len || list->len > MAX_TOOLS)
        return ingle_fail(err, INGLE_EINVAL, "tools should be an array of 1 to %d tools",
                          MAX_TOOLS);
    w->tools = ingle_new(list->len, sizeof *w->tools);
    if (!w->tools) return ingle_fail(err, INGLE_ENOMEM, "no memory for %u tools", list->len);
    for (ingle_json_walk v = ingle_json_items(list); !st && ingle_json_step(&v); i++) {
        ingle_tool *tool = &w->tools[w->n_tools];
        st = read_tool(tool, v.value, i, err);
        w->n_tools += !st && (!w->opt->name || ingle_json_is_text(tool->name, w->opt->name));
    }
    if (!st && !w->n_tools)
        st = ingle_fail(err, INGLE_EINVAL, "no tool is named '%.80s'", w->opt->name);
    return st;
}

/* ---- compiling ------------------------------------------------------------------------------- */

static ingle_term space(ingle_terms *t)
{
    static const uint64_t blanks[4] = {1ull << ' ' | 1ull << '\t'};
    ingle_term line = ingle_term_repeat(t, ingle_term_literal(t, "\n", 1), 1, 2);
    line = ingle_term_seq(t, line, ingle_term_repeat(t, ingle_term_bytes(t, blanks), 0, 20));
    return ingle_term_option(t, ingle_term_alt(t, line, ingle_term_literal(t, " ", 1)));
}

static ingle_status compile(const ingle_grammar_source *s, ingle_terms *t,
                            const ingle_grammar_options *opt, const ingle_token_names *names,
                            ingle_notes *dropped, ingle_term *root, ingle_error *err)
{
    const wanted *w = s->more;
    tool_grammar g = {.t = t,
                      .profile = w->profile,
                      .vocab = names ? w->chat->model->vocab : NULL,
                      .opt = w->opt,
                      .schemas = opt,
                      .form = w->form,
                      .names = names,
                      .tools = w->tools,
                      .n_tools = w->n_tools,
                      .space = space(t),
                      .dropped = dropped,
                      .err = err};
    *root = ingle_tools_answer(&g);
    if (g.status) return g.status;
    if (*root != INGLE_TERM_NONE || ingle_terms_status(t)) return INGLE_OK; /* is reported */
    if (w->opt->no_calls)
        return ingle_fail(err, INGLE_EFORMAT, "answer: no finite text belongs to the grammar");
    return ingle_fail(err, INGLE_EUNSUPPORTED,
                      "the model's format has no way to call one of these tools");
}

/* All of the profile and the options that a grammar depends on, in words. */
static ingle_status describe(const wanted *w, char *out, size_t *n, ingle_error *err)
{
    const ingle_chat_profile *p = w->profile;
    const ingle_tools_options *o = w->opt;
    const ingle_grammar_options *f = w->form;
    int len = snprintf(out, ABOUT_BYTES, "%s %s %d%d%d%d%d %d%d%d%d %zu %zu", p->family->name,
                       p->thinking ? p->thinking->name : "-", o->required, o->one, o->thinks,
                       o->no_calls, p->spaced, (int)o->form, f->lenient, f->any_order, f->compact,
                       o->n_choices, f->n_documents);
    for (size_t i = 0; i < INGLE_PROFILE_CALLS && p->calls[i]; i++)
        len += snprintf(out + len, (size_t)(ABOUT_BYTES - len), " %s", p->calls[i]->name);
    if (len < ABOUT_BYTES)
        len += snprintf(out + len, (size_t)(ABOUT_BYTES - len), " %s", o->name ? o->name : "");
    if (len >= ABOUT_BYTES)
        return ingle_fail(err, INGLE_EINVAL, "option 'name' has more than %d bytes",
                          ABOUT_BYTES / 2);
    *n = (size_t)len;
    return INGLE_OK;
}

/* ---- options --------------------------------------------------------------------------------- */

static const char *const forms[] = {"ANY", "SCHEMA", "JSON", "REGEX", "GBNF", "CHOICE"};
enum { MAX_CHOICES = 1000000 };

static bool has_text(ingle_answer_form form)
{
    return form == INGLE_ANSWER_SCHEMA || form == INGLE_ANSWER_REGEX || form == INGLE_ANSWER_GBNF;
}

static ingle_status check_choices(const ingle_tools_options *o, ingle_error *err)
{
    bool choice = o->form == INGLE_ANSWER_CHOICE;
    if (choice != (o->n_choices > 0) || o->n_choices > MAX_CHOICES || (choice && !o->choices))
        return choice ? ingle_fail(err, INGLE_EINVAL,
                                   "option 'choices' has %zu texts, should be 1 to %d",
                                   o->choices ? o->n_choices : 0, MAX_CHOICES)
                      : ingle_fail(err, INGLE_EINVAL,
                                   "option 'choices' is for option 'form' CHOICE, not %s",
                                   forms[o->form]);
    for (size_t i = 0; i < o->n_choices; i++)
        if (o->choices[i].len && !o->choices[i].text)
            return ingle_fail(err, INGLE_EINVAL, "option 'choices': number %zu has no text", i);
    return INGLE_OK;
}

static ingle_status check_form(const ingle_tools_options *o, ingle_error *err)
{
    if ((unsigned)o->form > INGLE_ANSWER_CHOICE)
        return ingle_fail(err, INGLE_EINVAL, "option 'form' is %d, should be 0 to %d", (int)o->form,
                          INGLE_ANSWER_CHOICE);
    if (o->form && o->required)
        return ingle_fail(err, INGLE_EINVAL, "options '%s' and '%s' exclude each other",
                          o->form == INGLE_ANSWER_SCHEMA ? "schema" : "form",
                          o->name ? "name" : "required");
    if (has_text(o->form) != (o->schema != NULL))
        return ingle_fail(err, INGLE_EINVAL,
                          o->schema
                              ? "option 'schema' has a text, which option 'form' %s has not"
                              : "option 'schema' is NULL, should be the text of option 'form' "
                                "%s",
                          forms[o->form]);
    if (o->grammar && !o->form)
        return ingle_fail(err, INGLE_EINVAL, "option 'grammar' needs option 'form'");
    return check_choices(o, err);
}

static ingle_status check(const ingle_tools_options *o, const char *tools, ingle_error *err)
{
    const char *calls = o->name ? "name" : "required";
    if (!tools && o->required)
        return ingle_fail(err, INGLE_EINVAL, "option '%s' needs tools, which are NULL", calls);
    if (o->no_calls && o->required)
        return ingle_fail(err, INGLE_EINVAL, "options 'no_calls' and '%s' exclude each other",
                          calls);
    return check_form(o, err);
}

/* How the form is compiled. */
static ingle_status take_form(ingle_grammar_options *form, const ingle_tools_options *o,
                              ingle_error *err)
{
    ingle_grammar_options_init(form);
    ingle_status st = ingle_grammar_options_check(o->grammar, err);
    if (!st) st = ingle_options_take(form, sizeof *form, o->grammar, "the form", err);
    if (!st && form->lazy)
        st = ingle_fail(err, INGLE_EINVAL, "option 'grammar': a form cannot be lazy");
    return st;
}

/* ---- opening --------------------------------------------------------------------------------- */

/* What is compiled, for the key: NULL without memory. */
static ingle_string *parts_of(const wanted *w, ingle_string about, ingle_string tools, size_t *n)
{
    const ingle_tools_options *o = w->opt;
    const ingle_grammar_options *f = w->form;
    ingle_string *parts = ingle_new(3 + o->n_choices + 2 * f->n_documents, sizeof *parts);
    *n = 0;
    if (!parts) return NULL;
    parts[(*n)++] = about;
    parts[(*n)++] = tools;
    parts[(*n)++] = (ingle_string){o->schema, o->schema ? o->n_schema : 0};
    for (size_t i = 0; i < o->n_choices; i++) parts[(*n)++] = o->choices[i];
    for (size_t i = 0; i < f->n_documents; i++) {
        parts[(*n)++] = (ingle_string){f->documents[i].uri, strlen(f->documents[i].uri)};
        parts[(*n)++] = (ingle_string){f->documents[i].text, f->documents[i].len};
    }
    return parts;
}

static ingle_status open(ingle_grammar **out, const wanted *w, ingle_string tools, ingle_error *err)
{
    char about[ABOUT_BYTES];
    ingle_grammar_options opt;
    ingle_model *model = w->chat->model;
    size_t n_about = 0, n = 0;
    ingle_status st = describe(w, about, &n_about, err);
    if (st) return st;
    ingle_string *parts = parts_of(w, (ingle_string){about, n_about}, tools, &n);
    if (!parts) return ingle_fail(err, INGLE_ENOMEM, "no memory for a grammar");
    const ingle_grammar_source source = {'f', parts, n, compile, w};
    ingle_grammar_options_init(&opt);
    opt.lenient = w->opt->lenient;
    st = ingle_grammar_open(out, model->vocab ? model : NULL, &source, &opt, err);
    free(parts);
    return st;
}

ingle_status ingle_grammar_open_tools(ingle_grammar **out, ingle_chat *chat, const char *tools,
                                      size_t n_tools, const ingle_tools_options *opt,
                                      ingle_error *err)
{
    ingle_tools_options o = default_options;
    ingle_grammar_options form;
    ingle_json_doc doc = {.root = NULL};
    if (!out) return ingle_fail(err, INGLE_EINVAL, "ingle_grammar_open_tools: out is NULL");
    *out = NULL;
    if (!chat) return ingle_fail(err, INGLE_ECLOSED, "the chat is closed");
    ingle_status st = ingle_options_take(&o, sizeof o, opt, "the grammar", err);
    if (o.name) o.required = true;
    if (o.schema && !o.form) o.form = INGLE_ANSWER_SCHEMA;
    if (!st) st = check(&o, tools, err);
    if (!st) st = take_form(&form, &o, err);
    if (!tools) o.no_calls = true;
    if (!st && tools) st = ingle_json_open(&doc, tools, n_tools, NULL, err);
    wanted w = {.chat = chat,
                .profile = &ingle_chat_form_for(chat, tools != NULL)->profile,
                .opt = &o,
                .form = &form};
    if (!st && tools) st = read_tools(&w, doc.root, err);
    if (!st) st = open(out, &w, (ingle_string){tools, tools ? n_tools : 0}, err);
    free(w.tools);
    ingle_json_close(&doc);
    return st;
}
