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
    while (i < g->n_tools && (strlen(g->tool_names[i]) != len || memcmp(g->tool_names[i], name, len)))
        i++;
    return i;
}

/* "/properties/a: 'pattern': ..." goes to the end of a path as ".properties.a.pattern". */
static void add_pointer(char *param, size_t cap, const char *at)
{
    size_t n = strlen(param);
    for (; *at == '/' && n + 1 < cap;) {
        param[n++] = '.';
        for (at++; *at && *at != '/' && strncmp(at, ": ", 2) && n + 1 < cap;) param[n++] = *at++;
    }
    if (!strncmp(at, ": '", 3)) at += 2;
    else if (*at != '\'') at = "";
    if (*at && n + 1 < cap) param[n++] = '.';
    for (at += *at == '\''; *at && *at != '\'' && n + 1 < cap;) param[n++] = *at++;
    param[n] = 0;
}

/* "tool 'NAME': schema ..." or "schema ...": the field that the schema came from. */
static void find_param(const blame *b, const char *text, char *param, size_t cap)
{
    const char *name = !strncmp(text, "tool '", 6) ? text + 6 : NULL;
    const char *end = name ? strchr(name, '\'') : NULL, *schema = strstr(text, "schema ");
    size_t i = end ? find_tool(b->g, name, (size_t)(end - name)) : 0;
    if (end && i < b->g->n_tools)
        snprintf(param, cap, "tools[%zu].function.parameters", i);
    else snprintf(param, cap, "%s", end || !b->g->form ? "tools" : b->g->form_param);
    if (schema) add_pointer(param, cap, schema + strlen("schema "));
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

/* A note is "NAME: POINTER: KEYWORD: why" of a tool, "POINTER: KEYWORD: why" or "answer: ..." of the
 * form. Listed without the reason. */
static void name_dropped(const blame *b, const char *note, bool of_tools)
{
    char text[160];
    const char *colon = strstr(note, ": "), *rest = note;
    size_t i = of_tools && colon ? find_tool(b->g, note, (size_t)(colon - note)) : b->g->n_tools;
    if (of_tools && colon) rest = colon + 2;
    const char *end = strstr(rest, ": ");
    if (end) end = strstr(end + 2, ": ");
    int len = end ? (int)(end - rest) : (int)strlen(rest);
    if (i < b->g->n_tools) snprintf(text, sizeof text, "tools[%zu] %.*s", i, len, rest);
    else snprintf(text, sizeof text, "schema %.*s", len, rest);
    field_ignore_text(b->r, text);
}

static bool name_all_dropped(const blame *b, const ingle_grammar *grammar, bool of_tools)
{
    ingle_grammar_info info = {.size = sizeof info};
    ingle_error err;
    ingle_status st = ingle_grammar_info_get(grammar, &info, &err);
    if (st) return api_fail_library(b->r->error, st, &err, NULL);
    for (size_t i = 0; i < info.n_dropped; i++) name_dropped(b, info.dropped[i], of_tools);
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
    opt.lenient = !g->strict_tools;
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
