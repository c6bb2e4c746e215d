/* generation_grammar.c - the grammar of an answer: calls of tools, a form of the text, or both; and
 * what the library says against it, in terms of the body. */
#include "generation.h"

#include <stdio.h>

/* ---- words ----------------------------------------------------------------------------------- */

typedef struct blame {
    const generation *g;
    field_reader *r;
} blame;

static size_t find_tool(const generation *g, const char *name, size_t len)
{
    size_t i = 0;
    while (i < g->n_tools &&
           (strlen(g->tool_names[i]) != len || memcmp(g->tool_names[i], name, len)))
        i++;
    return i;
}

/* What follows a colon, quoted or not: a keyword, if it is a word. */
static size_t keyword_length(const char *at)
{
    size_t n = 0;
    while ((at[n] >= 'a' && at[n] <= 'z') || (at[n] >= 'A' && at[n] <= 'Z') || at[n] == '$') n++;
    return n;
}

/* "#/properties/a: 'pattern': ..." goes to the end of a path as ".properties.a.pattern". */
static void add_pointer(char *param, size_t cap, const char *at)
{
    size_t n = strlen(param);
    at += *at == '#';
    while (*at == '/' && n + 1 < cap) {
        param[n++] = '.';
        for (at++; *at && *at != '/' && strncmp(at, ": ", 2) && n + 1 < cap;) param[n++] = *at++;
    }
    if (!strncmp(at, ": ", 2)) at += 2;
    size_t len = keyword_length(at + (*at == '\''));
    if (*at == '\'' ? at[len + 1] == '\'' : !at[len] || at[len] == ':') {
        at += *at == '\'';
        if (len && n + 1 < cap) param[n++] = '.';
        for (; len && n + 1 < cap; len--) param[n++] = *at++;
    }
    param[n] = 0;
}

/* Where the schema of a tool's arguments was given. */
static void tool_param(const generation *g, size_t i, char *param, size_t cap)
{
    bool custom = g->custom_tool && g->custom_tool[i];
    const char *schema = g->schema_member ? g->schema_member : "function.parameters";
    snprintf(param, cap, "tools[%zu].%s", i, custom ? "custom.format" : schema);
}

/* "tool 'NAME': schema ..." or "schema ...": the field that the schema came from. */
static void find_param(const blame *b, const char *text, char *param, size_t cap)
{
    const char *name = !strncmp(text, "tool '", 6) ? text + 6 : NULL;
    const char *end = name ? strchr(name, '\'') : NULL, *schema = strstr(text, "schema");
    size_t i = end ? find_tool(b->g, name, (size_t)(end - name)) : 0;
    if (end && i < b->g->n_tools) tool_param(b->g, i, param, cap);
    else snprintf(param, cap, "%s", end || !b->g->form ? "tools" : b->g->form_param);
    if (!schema) return;
    schema += strlen("schema");
    add_pointer(param, cap, schema + (*schema == ' '));
}

static bool refuse(const blame *b, ingle_status st, const ingle_error *err)
{
    char param[sizeof b->r->error->param];
    ingle_answer_form form = b->g->form;
    bool schema = !strncmp(err->text, "tool '", 6) || form == INGLE_ANSWER_SCHEMA || !form;
    if (st == INGLE_ENOMEM || st == INGLE_ECLOSED)
        return api_fail_library(b->r->error, st, err, NULL);
    find_param(b, err->text, param, sizeof param);
    return api_fail(b->r->error, 400, schema ? "invalid_json_schema" : "invalid_grammar", param,
                    "%s", err->text);
}

/* "POINTER: KEYWORD: why", of tool i or, if there is none, of the form. Listed without the reason; of
 * a strict tool it is refused. */
static bool name_dropped(const blame *b, const char *note, size_t i)
{
    char text[160], param[sizeof b->r->error->param];
    note += note[0] == '#' && note[1] == '/';
    const char *keyword = strstr(note, ": "), *why = keyword ? strstr(keyword + 2, ": ") : NULL;
    int len = why ? (int)(why - note) : (int)strlen(note);
    if (i < b->g->n_tools && b->g->strict_tool && b->g->strict_tool[i]) {
        tool_param(b->g, i, param, sizeof param);
        if (keyword && !(b->g->custom_tool && b->g->custom_tool[i])) {
            snprintf(text, sizeof text, "%.*s%.*s", note[1] == ':' ? 0 : (int)(keyword - note),
                     note, len - (int)(keyword - note), keyword);
            add_pointer(param, sizeof param, text);
        }
        return api_fail(b->r->error, 400, "invalid_json_schema", param,
                        "the tool is strict, but this cannot be enforced: %s", note);
    }
    if (i < b->g->n_tools) snprintf(text, sizeof text, "tools[%zu] %.*s", i, len, note);
    else snprintf(text, sizeof text, "schema %.*s", len, note);
    field_ignore_text(b->r, text);
    return !b->r->error->status;
}

/* Notes of tools begin with "NAME: ", those of a form beside them with "answer: ". */
static bool name_any_dropped(const blame *b, const char *note, bool of_tools)
{
    const char *colon = of_tools ? strstr(note, ": ") : NULL;
    if (!colon) return name_dropped(b, note, b->g->n_tools);
    return name_dropped(b, colon + 2, find_tool(b->g, note, (size_t)(colon - note)));
}

static bool name_all_dropped(const blame *b, const ingle_grammar *grammar, bool of_tools)
{
    ingle_grammar_info info = {.size = sizeof info};
    ingle_error err;
    ingle_status st = ingle_grammar_info_get(grammar, &info, &err);
    if (st) return api_fail_library(b->r->error, st, &err, NULL);
    for (size_t i = 0; i < info.n_dropped; i++)
        if (!name_any_dropped(b, info.dropped[i], of_tools)) return false;
    return true;
}

/* ---- grammars -------------------------------------------------------------------------------- */

/* Of answers that are nothing but the form. */
static ingle_status open_form(const generation *g, ingle_grammar **out, ingle_model *model,
                              const ingle_grammar_options *opt, ingle_error *err)
{
    switch (g->form) {
    case INGLE_ANSWER_SCHEMA:
        return ingle_grammar_open_schema(out, model, g->form_text, g->n_form_text, opt, err);
    case INGLE_ANSWER_JSON: return ingle_grammar_open_json(out, model, opt, err);
    case INGLE_ANSWER_REGEX:
        return ingle_grammar_open_regex(out, model, g->form_text, g->n_form_text, opt, err);
    case INGLE_ANSWER_GBNF:
        return ingle_grammar_open_gbnf(out, model, g->form_text, g->n_form_text, opt, err);
    case INGLE_ANSWER_CHOICE:
        return ingle_grammar_open_choice(out, model, g->choices, g->n_choices, opt, err);
    case INGLE_ANSWER_ANY: break;
    }
    return INGLE_OK;
}

/* Of answers that may call (tools, else NULL), or think before the form. */
static ingle_status open_tools(const generation *g, ingle_grammar **out, ingle_chat *chat,
                               const bytes *tools, const ingle_grammar_options *form, bool thinks,
                               ingle_error *err)
{
    ingle_tools_options opt;
    bool must_call = tools && g->choice >= TOOLS_REQUIRED;
    ingle_tools_options_init(&opt);
    opt.required = must_call;
    opt.name = tools && g->choice == TOOLS_NAMED ? g->tool_name : NULL;
    opt.one = g->one_call;
    opt.lenient = !g->strict_tools || g->strict_tool; /* then notes are looked at, tool by tool */
    opt.thinks = thinks;
    opt.no_calls = tools && g->choice == TOOLS_NONE;
    if (g->form && !must_call) { /* an answer that has to call has no other text */
        opt.form = g->form;
        opt.schema = g->form_text;
        opt.n_schema = g->n_form_text;
        opt.choices = g->choices;
        opt.n_choices = g->n_choices;
        opt.grammar = form;
    }
    return ingle_grammar_open_tools(out, chat, tools ? tools->p : NULL, tools ? tools->n : 0, &opt,
                                    err);
}

bool generation_grammar(const generation *g, ingle_grammar **out, ingle_chat *chat,
                        ingle_model *model, const ingle_chat_info *info, bool thinks,
                        field_reader *r)
{
    const blame b = {g, r};
    ingle_grammar_options form;
    ingle_error err = {""};
    bool may_think = chat && (thinks || (info && info->thinks));
    bool calls = chat && g->tools.n && !(g->no_tool_parsing && g->choice == TOOLS_AUTO);
    const bytes *tools = !calls ? NULL : g->allowed.n ? &g->allowed : &g->tools;
    *out = NULL;
    if (!g->form && !calls) return true;
    ingle_grammar_options_init(&form);
    form.lenient = g->lenient_schema;
    form.compact = g->compact_json;
    ingle_status st = calls || may_think ? open_tools(g, out, chat, tools, &form, thinks, &err)
                                         : open_form(g, out, model, &form, &err);
    if (st) return refuse(&b, st, &err);
    if (name_all_dropped(&b, *out, calls || may_think)) return true;
    ingle_grammar_close(out);
    return false;
}
