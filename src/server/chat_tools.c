/* chat_tools.c - tools of chat completions and the choice among them, written for the library: custom
 * tools become functions of one text, `input`. */
#include "chat.h"

#include "base/map.h"
#include "base/mem.h"

#include <stdio.h>

enum { MAX_TOOLS = 1000, MAX_NAME = 64, MAX_PATTERN = 4096 };

/* ---- tables ---------------------------------------------------------------------------------- */

#define STRING(title, text)                                                                        \
    {                                                                                              \
        .name = title, .types = FIELD_STRING, .help = text                                         \
    }

/* Letters, digits, '_' and '-': what all families can write as a name. */
static bool set_name(field_reader *r, void *target, const ingle_json *v, const field_place *place)
{
    (void)target;
    for (size_t i = 0; i < v->len; i++) {
        char c = v->text[i];
        bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '_' || c == '-';
        if (!good)
            return field_refuse(r, place, "is '%.64s': letters, digits, '_' and '-' are allowed",
                                v->text);
    }
    return true;
}

static bool set_syntax(field_reader *r, void *target, const ingle_json *v, const field_place *place)
{
    (void)target;
    return ingle_json_is_text(v, "regex") ||
           field_refuse(r, place, "is '%.40s': use 'regex', or a tool of type function", v->text);
}

static bool set_tool_type(field_reader *r, void *target, const ingle_json *v,
                          const field_place *place)
{
    (void)target;
    return ingle_json_is_text(v, "function") || ingle_json_is_text(v, "custom") ||
           field_refuse(r, place,
                        "is '%.40s': no tool runs here, they are the client's ('function', "
                        "'custom')",
                        v->text);
}

#define NAME                                                                                       \
    {                                                                                              \
        .name = "name", .types = FIELD_STRING, .min = 1, .max = MAX_NAME, .set = set_name,         \
        .help = "letters, digits, '_' and '-'"                                                     \
    }

static const field_row function_rows[] = {
    NAME,
    STRING("description", "what it is for"),
    {.name = "parameters",
     .types = FIELD_OBJECT,
     .help = "a JSON Schema of an object; without it the function has no arguments"},
    {.name = "strict",
     .types = FIELD_BOOL,
     .help = "true: arguments are valid in any case, and a keyword that cannot be enforced is "
             "refused; else it is left out and named"},
};
static const field_table function_fields = {.title = "function",
                                            .rows = function_rows,
                                            .n_rows = sizeof function_rows / sizeof *function_rows};

static const field_row grammar_rows[] = {
    {.name = "syntax", .types = FIELD_STRING, .set = set_syntax, .help = "'regex'"},
    {.name = "definition",
     .types = FIELD_STRING,
     .min = 1,
     .max = MAX_PATTERN,
     .help = "the pattern that the whole input matches"},
};
static const field_table grammar_fields = {
    .title = "grammar", .rows = grammar_rows, .n_rows = sizeof grammar_rows / sizeof *grammar_rows};

static const char *const format_types[] = {"text", "grammar", NULL};
static const field_row format_rows[] = {
    {.name = "type", .types = FIELD_STRING, .choices = format_types, .help = "form of the input"},
    {.name = "grammar",
     .types = FIELD_OBJECT,
     .members = &grammar_fields,
     .help = "of type grammar"},
};
static const field_table format_fields = {.title = "format",
                                          .rows = format_rows,
                                          .n_rows = sizeof format_rows / sizeof *format_rows,
                                          .more = &grammar_fields};

static const field_row custom_rows[] = {
    NAME,
    STRING("description", "what it is for"),
    {.name = "format",
     .types = FIELD_OBJECT,
     .members = &format_fields,
     .help = "form of the input; any text without it"},
};
static const field_table custom_fields = {
    .title = "custom", .rows = custom_rows, .n_rows = sizeof custom_rows / sizeof *custom_rows};

static const field_row tool_rows[] = {
    {.name = "type",
     .types = FIELD_STRING,
     .set = set_tool_type,
     .help = "'function', or 'custom': its input is plain text"},
    {.name = "function",
     .types = FIELD_OBJECT,
     .members = &function_fields,
     .help = "of type function"},
    {.name = "custom", .types = FIELD_OBJECT, .members = &custom_fields, .help = "of type custom"},
    {.name = "cache_control", .class = FIELD_INERT, .help = "prefixes are kept without it"},
};
const field_table chat_tool_fields = {
    .title = "tools", .rows = tool_rows, .n_rows = sizeof tool_rows / sizeof *tool_rows};

static const field_row named_rows[] = {STRING("name", "name of a tool")};
static const field_table named_fields = {.title = "named tool", .rows = named_rows, .n_rows = 1};

static const char *const kinds[] = {"function", "custom", NULL};
static const field_row allowed_tool_rows[] = {
    {.name = "type", .types = FIELD_STRING, .choices = kinds, .help = "kind of the tool"},
    {.name = "function", .types = FIELD_OBJECT, .members = &named_fields, .help = "a function"},
    {.name = "custom", .types = FIELD_OBJECT, .members = &named_fields, .help = "a custom tool"},
};
static const field_table allowed_tool_fields = {.title = "allowed tool",
                                                .rows = allowed_tool_rows,
                                                .n_rows = sizeof allowed_tool_rows /
                                                          sizeof *allowed_tool_rows};

static const char *const modes[] = {"auto", "required", NULL};
static const field_row allowed_rows[] = {
    {.name = "mode",
     .types = FIELD_STRING,
     .choices = modes,
     .help = "whether one of them has to be called"},
    {.name = "tools",
     .types = FIELD_ARRAY,
     .min = 1,
     .max = MAX_TOOLS,
     .members = &allowed_tool_fields,
     .help = "those that may be called; the prompt shows all"},
};
static const field_table allowed_fields = {.title = "allowed_tools",
                                           .rows = allowed_rows,
                                           .n_rows = sizeof allowed_rows / sizeof *allowed_rows};

static const char *const choice_types[] = {"function", "custom", "allowed_tools", NULL};
static const field_row choice_rows[] = {
    {.name = "type", .types = FIELD_STRING, .choices = choice_types, .help = "kind of the choice"},
    {.name = "function", .types = FIELD_OBJECT, .members = &named_fields, .help = "call this one"},
    {.name = "custom", .types = FIELD_OBJECT, .members = &named_fields, .help = "call this one"},
    {.name = "allowed_tools",
     .types = FIELD_OBJECT,
     .members = &allowed_fields,
     .help = "some of the tools"},
};
const field_table chat_choice_fields = {.title = "tool_choice",
                                        .rows = choice_rows,
                                        .n_rows = sizeof choice_rows / sizeof *choice_rows};

/* ---- what is read ---------------------------------------------------------------------------- */

typedef struct toolbox {
    field_reader *r;
    generation *g;
    ingle_map map;
    ingle_string *texts; /* [n_tools] of the generation's tools: each as JSON, within its `tools` */
    size_t *at;          /* [n_tools] where they begin there */
} toolbox;

static bool no_memory(toolbox *b)
{
    return api_fail(b->r->error, 503, "out_of_memory", NULL, "no memory for the tools");
}

static const ingle_json *member(const ingle_json *v, const char *name)
{
    const ingle_json *m = ingle_json_get(v, name);
    return ingle_json_is(m, INGLE_JSON_NULL) ? NULL : m;
}

static bool refuse_at(toolbox *b, const field_place *up, const char *name, const char *text)
{
    const field_place place = {.up = up, .name = name, .len = strlen(name)};
    return field_refuse(b->r, &place, "%s", text);
}

/* The number of the tool of that name; n_tools: there is none. */
static size_t find_tool(const toolbox *b, const ingle_json *name)
{
    uint32_t at = 0, i;
    uint64_t hash = ingle_map_hash(&b->map, name->text, name->len);
    while ((i = ingle_map_next(&b->map, hash, &at)) != INGLE_NO_ID)
        if (ingle_json_is_text(name, b->g->tool_names[i])) return i;
    return b->g->n_tools;
}

static bool add_name(toolbox *b, const ingle_json *name, bool custom, const field_place *place)
{
    generation *g = b->g;
    size_t i = g->n_tools;
    if (find_tool(b, name) < i)
        return field_refuse(b->r, place, "is '%s', as another tool's is", name->text);
    g->tool_names[i] = malloc((size_t)name->len + 1);
    if (!g->tool_names[i]) return no_memory(b);
    memcpy(g->tool_names[i], name->text, name->len);
    g->tool_names[i][name->len] = 0;
    g->custom_tool[i] = custom;
    g->n_tools++;
    uint64_t hash = ingle_map_hash(&b->map, name->text, name->len);
    return ingle_map_add(&b->map, hash, (uint32_t)i) || no_memory(b);
}

/* ---- writing tools --------------------------------------------------------------------------- */

static void put_no_parameters(ingle_json_writer *w)
{
    ingle_json_begin_object(w);
    ingle_json_put_text(ingle_json_name(w, "type"), "object");
    ingle_json_begin_object(ingle_json_name(w, "properties"));
    ingle_json_end_object(w);
    ingle_json_end_object(w);
}

/* The pattern of a custom tool's input; NULL and true: any text. */
static bool find_pattern(toolbox *b, const ingle_json *custom, const ingle_json **pattern,
                         const field_place *place)
{
    const field_place at = {.up = place, .name = "format", .len = 6};
    const ingle_json *format = member(custom, "format"), *grammar = member(format, "grammar");
    *pattern = NULL;
    if (!format || ingle_json_is_text(member(format, "type"), "text")) return true;
    if (!grammar) grammar = format;
    if (!member(format, "type")) return refuse_at(b, &at, "type", "is missing");
    if (!member(grammar, "syntax")) return refuse_at(b, &at, "grammar.syntax", "is missing");
    *pattern = member(grammar, "definition");
    return *pattern || refuse_at(b, &at, "grammar.definition", "is missing");
}

/* One text: of that pattern as a whole, as schemas find patterns anywhere. */
static void put_input(ingle_json_writer *w, const ingle_json *pattern)
{
    char text[MAX_PATTERN + 16];
    ingle_json_begin_object(w);
    ingle_json_put_text(ingle_json_name(w, "type"), "object");
    ingle_json_begin_object(ingle_json_name(w, "properties"));
    ingle_json_begin_object(ingle_json_name(w, "input"));
    ingle_json_put_text(ingle_json_name(w, "type"), "string");
    if (pattern) {
        int n = snprintf(text, sizeof text, "^(?:%.*s)$", (int)pattern->len, pattern->text);
        ingle_json_put_bytes(ingle_json_name(w, "pattern"), text, (size_t)n);
    }
    ingle_json_end_object(w);
    ingle_json_end_object(w);
    ingle_json_begin_array(ingle_json_name(w, "required"));
    ingle_json_put_text(w, "input");
    ingle_json_end_array(w);
    ingle_json_put_bool(ingle_json_name(w, "additionalProperties"), false);
    ingle_json_end_object(w);
}

static void put_tool(ingle_json_writer *w, const ingle_json *inner, bool custom,
                     const ingle_json *pattern)
{
    const ingle_json *about = member(inner, "description"), *schema = member(inner, "parameters");
    ingle_json_begin_object(w);
    ingle_json_put_text(ingle_json_name(w, "type"), "function");
    ingle_json_begin_object(ingle_json_name(w, "function"));
    ingle_json_put(ingle_json_name(w, "name"), member(inner, "name"));
    if (about) ingle_json_put(ingle_json_name(w, "description"), about);
    ingle_json_name(w, "parameters");
    if (custom) put_input(w, pattern);
    else if (schema) ingle_json_put(w, schema);
    else put_no_parameters(w);
    ingle_json_end_object(w);
    ingle_json_end_object(w);
}

/* Tool i of the body. */
static bool read_tool(toolbox *b, const ingle_json *tool, const field_place *place)
{
    const ingle_json *type = member(tool, "type"), *pattern = NULL;
    bool custom = ingle_json_is_text(type, "custom"), strict = false;
    const char *kind = custom ? "custom" : "function";
    const ingle_json *inner = member(tool, kind), *name = member(inner, "name");
    const field_place at = {.up = place, .name = kind, .len = strlen(kind)};
    const field_place at_name = {.up = &at, .name = "name", .len = 4};
    ingle_json_writer w = {0};
    size_t i = b->g->n_tools;
    if (!type) return refuse_at(b, place, "type", "is missing: 'function' or 'custom'");
    if (!inner) return refuse_at(b, place, kind, "is missing");
    if (!name) return field_refuse(b->r, &at_name, "is missing");
    if (custom && !find_pattern(b, inner, &pattern, &at)) return false;
    if (!add_name(b, name, custom, &at_name)) return false;
    ingle_json_bool(member(inner, "strict"), &strict);
    b->g->strict_tool[i] = strict || pattern;
    b->g->strict_tools = b->g->strict_tools || strict || pattern;
    put_tool(&w, inner, custom, pattern);
    bytes_text(&b->g->tools, i ? "," : "[");
    b->at[i] = b->g->tools.n;
    bytes_take_json(&b->g->tools, &w);
    b->texts[i].len = b->g->tools.n - b->at[i];
    ingle_json_writer_free(&w);
    return !b->g->tools.failed || no_memory(b);
}

static bool open_box(toolbox *b, size_t n)
{
    generation *g = b->g;
    g->tool_names = ingle_new(n, sizeof *g->tool_names);
    g->custom_tool = ingle_new(n, sizeof *g->custom_tool);
    g->strict_tool = ingle_new(n, sizeof *g->strict_tool);
    b->texts = ingle_new(n, sizeof *b->texts);
    b->at = ingle_new(n, sizeof *b->at);
    return (g->tool_names && g->custom_tool && g->strict_tool && b->texts && b->at &&
            ingle_map_open(&b->map, n)) ||
           no_memory(b);
}

static bool read_tools(toolbox *b, const ingle_json *tools)
{
    const field_place list = {.name = "tools", .len = 5};
    size_t i = 0;
    if (!open_box(b, tools->len)) return false;
    for (ingle_json_walk w = ingle_json_items(tools); ingle_json_step(&w); i++)
        if (!read_tool(b, w.value, &(field_place){.up = &list, .i = i})) return false;
    bytes_text(&b->g->tools, "]");
    for (i = 0; !b->g->tools.failed && i < b->g->n_tools; i++)
        b->texts[i].text = b->g->tools.p + b->at[i];
    return !b->g->tools.failed || no_memory(b);
}

/* ---- the choice ------------------------------------------------------------------------------ */

/* {"type": "function", "function": {"name": ...}}, or the same with custom: the number of the tool. */
static bool read_named(toolbox *b, const ingle_json *v, size_t *i, const field_place *place)
{
    bool custom = ingle_json_is_text(member(v, "type"), "custom");
    const char *kind = custom ? "custom" : "function";
    const field_place at = {.up = place, .name = kind, .len = strlen(kind)};
    const field_place at_name = {.up = &at, .name = "name", .len = 4};
    const ingle_json *name = member(member(v, kind), "name");
    if (!member(v, "type")) return refuse_at(b, place, "type", "is missing");
    if (!name) return field_refuse(b->r, &at_name, "is missing");
    *i = find_tool(b, name);
    if (*i == b->g->n_tools || b->g->custom_tool[*i] != custom)
        return field_refuse(b->r, &at_name, "is '%.64s', and no %s of that name is among the tools",
                            name->text, custom ? "custom tool" : "function");
    return true;
}

static bool read_allowed(toolbox *b, const ingle_json *v, const field_place *place)
{
    const field_place at = {.up = place, .name = "allowed_tools", .len = 13};
    const field_place at_list = {.up = &at, .name = "tools", .len = 5};
    const ingle_json *allowed = member(v, "allowed_tools"), *list = member(allowed, "tools");
    size_t i = 0, tool;
    if (!allowed) return field_refuse(b->r, &at, "is missing");
    if (!list) return field_refuse(b->r, &at_list, "is missing");
    if (ingle_json_is_text(member(allowed, "mode"), "required")) b->g->choice = TOOLS_REQUIRED;
    for (ingle_json_walk w = ingle_json_items(list); ingle_json_step(&w); i++) {
        if (!read_named(b, w.value, &tool, &(field_place){.up = &at_list, .i = i})) return false;
        bytes_text(&b->g->allowed, i ? "," : "[");
        bytes_put(&b->g->allowed, b->texts[tool].text, b->texts[tool].len);
    }
    bytes_text(&b->g->allowed, "]");
    return !b->g->allowed.failed || no_memory(b);
}

static bool read_choice_object(toolbox *b, const ingle_json *choice, const field_place *place)
{
    size_t i;
    if (ingle_json_is_text(member(choice, "type"), "allowed_tools"))
        return read_allowed(b, choice, place);
    if (!read_named(b, choice, &i, place)) return false;
    b->g->choice = TOOLS_NAMED;
    snprintf(b->g->tool_name, sizeof b->g->tool_name, "%s", b->g->tool_names[i]);
    return true;
}

static bool read_choice(toolbox *b, const ingle_json *choice)
{
    const field_place place = {.name = "tool_choice", .len = 11};
    b->g->choice = TOOLS_AUTO;
    if (!choice || choice->kind == INGLE_JSON_NULL || ingle_json_is_text(choice, "auto"))
        return true;
    if (ingle_json_is_text(choice, "none")) {
        b->g->choice = TOOLS_NONE;
        return true;
    }
    if (ingle_json_is(choice, INGLE_JSON_STRING) && !ingle_json_is_text(choice, "required"))
        return field_refuse(b->r, &place,
                            "is '%.40s', should be 'auto', 'none', 'required' or an "
                            "object",
                            choice->text);
    if (!b->g->n_tools)
        return field_refuse(b->r, &place, "asks for a call, but there are no tools");
    if (ingle_json_is(choice, INGLE_JSON_OBJECT)) return read_choice_object(b, choice, &place);
    b->g->choice = TOOLS_REQUIRED;
    return true;
}

bool chat_read_tools(field_reader *r, generation *g, const ingle_json *tools,
                     const ingle_json *choice)
{
    toolbox b = {.r = r, .g = g};
    bool some = ingle_json_is(tools, INGLE_JSON_ARRAY) && tools->len;
    bool ok = (!some || read_tools(&b, tools)) && read_choice(&b, choice);
    free(b.texts);
    free(b.at);
    ingle_map_close(&b.map);
    return ok;
}
