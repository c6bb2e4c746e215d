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
                      .tools = w->tools,
                      .n_tools = w->n_tools,
                      .space = space(t),
                      .dropped = dropped,
                      .err = err};
    *root = ingle_tools_answer(&g);
    if (g.status) return g.status;
    if (*root != INGLE_TERM_NONE || ingle_terms_status(t)) return INGLE_OK; /* is reported */
    return ingle_fail(err, INGLE_EUNSUPPORTED,
                      "the model's format has no way to call one of these tools");
}

/* All of the profile and the options that a grammar depends on, in words. */
static ingle_status describe(const wanted *w, char *out, size_t *n, ingle_error *err)
{
    const ingle_chat_profile *p = w->profile;
    const ingle_tools_options *o = w->opt;
    int len = snprintf(out, ABOUT_BYTES, "%s %s %d%d%d%d", p->family->name,
                       p->thinking ? p->thinking->name : "-", o->required, o->one, o->thinks,
                       o->schema != NULL);
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

/* ---- opening --------------------------------------------------------------------------------- */

static ingle_status check(const ingle_tools_options *o, const char *tools, ingle_error *err)
{
    if (!tools) return ingle_fail(err, INGLE_EINVAL, "the tools are NULL");
    if (o->schema && o->required)
        return ingle_fail(err, INGLE_EINVAL, "options 'schema' and '%s' exclude each other",
                          o->name ? "name" : "required");
    return INGLE_OK;
}

static ingle_status open(ingle_grammar **out, const wanted *w, ingle_string tools, ingle_error *err)
{
    char about[ABOUT_BYTES];
    ingle_grammar_options opt;
    ingle_model *model = w->chat->model;
    const ingle_tools_options *o = w->opt;
    ingle_string parts[3] = {{about, 0}, tools, {o->schema, o->schema ? o->n_schema : 0}};
    const ingle_grammar_source source = {'f', parts, 3, compile, w};
    ingle_status st = describe(w, about, &parts[0].len, err);
    if (st) return st;
    ingle_grammar_options_init(&opt);
    opt.lenient = o->lenient;
    return ingle_grammar_open(out, model->vocab ? model : NULL, &source, &opt, err);
}

ingle_status ingle_grammar_open_tools(ingle_grammar **out, ingle_chat *chat, const char *tools,
                                      size_t n_tools, const ingle_tools_options *opt,
                                      ingle_error *err)
{
    ingle_tools_options o = default_options;
    ingle_json_doc doc = {.root = NULL};
    if (!out) return ingle_fail(err, INGLE_EINVAL, "ingle_grammar_open_tools: out is NULL");
    *out = NULL;
    if (!chat) return ingle_fail(err, INGLE_ECLOSED, "the chat is closed");
    ingle_status st = ingle_options_take(&o, sizeof o, opt, "the grammar", err);
    if (o.name) o.required = true;
    if (!st) st = check(&o, tools, err);
    if (!st) st = ingle_json_open(&doc, tools, n_tools, NULL, err);
    wanted w = {.chat = chat, .profile = &ingle_chat_form_for(chat, true)->profile, .opt = &o};
    if (!st) st = read_tools(&w, doc.root, err);
    if (!st) st = open(out, &w, (ingle_string){tools, n_tools}, err);
    free(w.tools);
    ingle_json_close(&doc);
    return st;
}
