/* anthropic_tools.c - tools and tool_choice of Messages, put as OpenAI has them.
 * Depends on anthropic_read.h, base/map.h. */
#include "anthropic_read.h"

#include "base/map.h"
#include "base/mem.h"

#include <stddef.h>

typedef struct tool {
    const ingle_json *name, *description, *schema;
    bool strict;
} tool;

static const field_row TOOL_ROWS[] = {
    {.name = "type", .types = FIELD_STRING, .help = "custom, or left out"},
    {.name = "name",
     .types = FIELD_STRING,
     .min = 1,
     .max = 128,
     .store = FIELD_TO_VALUE,
     .offset = offsetof(tool, name),
     .help = "what the model calls it by"},
    {.name = "description",
     .types = FIELD_STRING,
     .store = FIELD_TO_VALUE,
     .offset = offsetof(tool, description),
     .help = "what it does, in words for the model"},
    {.name = "input_schema",
     .types = FIELD_OBJECT,
     .store = FIELD_TO_VALUE,
     .offset = offsetof(tool, schema),
     .help = "JSON Schema of its arguments, an object"},
    {.name = "strict",
     .types = FIELD_BOOL,
     .store = FIELD_TO_BOOL,
     .offset = offsetof(tool, strict),
     .help = "arguments are enforced in full; a schema that cannot be is refused"},
    ANTHROPIC_CACHE_CONTROL,
    {.name = "input_examples",
     .class = FIELD_INERT,
     .types = FIELD_ARRAY,
     .help = "templates have no place for them"},
    {.name = "defer_loading",
     .class = FIELD_INERT,
     .types = FIELD_BOOL,
     .help = "all tools are shown from the beginning"},
    {.name = "eager_input_streaming",
     .class = FIELD_INERT,
     .types = FIELD_BOOL,
     .help = "arguments always come as they are written"},
    {.name = "allowed_callers",
     .class = FIELD_ONLY,
     .types = FIELD_ARRAY,
     .only = "[\"direct\"]",
     .help = "calls come from the model itself"},
};
const field_table anthropic_tool_fields = {
    .title = "tool", .rows = TOOL_ROWS, .n_rows = sizeof TOOL_ROWS / sizeof *TOOL_ROWS};

typedef struct choice {
    int type;
    const ingle_json *name;
    bool one;
} choice;

static const char *const CHOICES[] = {"auto", "any", "tool", "none", NULL};
enum { CHOICE_AUTO, CHOICE_ANY, CHOICE_TOOL, CHOICE_NONE };

static const field_row CHOICE_ROWS[] = {
    {.name = "type",
     .types = FIELD_STRING,
     .store = FIELD_TO_CHOICE,
     .offset = offsetof(choice, type),
     .choices = CHOICES,
     .help =
         "auto: as the model likes; any: at least one call; tool: a call of `name`; none: no call"},
    {.name = "name",
     .types = FIELD_STRING,
     .min = 1,
     .max = 127,
     .store = FIELD_TO_VALUE,
     .offset = offsetof(choice, name),
     .help = "of type tool: which"},
    {.name = "disable_parallel_tool_use",
     .types = FIELD_BOOL,
     .store = FIELD_TO_BOOL,
     .offset = offsetof(choice, one),
     .help = "at most one call"},
};
const field_table anthropic_choice_fields = {.title = "tool_choice",
                                             .rows = CHOICE_ROWS,
                                             .n_rows = sizeof CHOICE_ROWS / sizeof *CHOICE_ROWS};

/* ---- tools ----------------------------------------------------------------------------------- */

/* Anthropic's own tools are of a dated type: web_search_20250305, bash_20250124. */
static bool check_type(field_reader *r, const ingle_json *value, const field_place *place)
{
    const ingle_json *type = ingle_json_get(value, "type");
    const field_place at = anthropic_member(place, "type");
    if (!ingle_json_is(type, INGLE_JSON_STRING) || ingle_json_is_text(type, "custom")) return true;
    return field_refuse(r, &at,
                        "'%.60s' is a tool of Anthropic's own, which is not here; give a tool of "
                        "type custom with its input_schema",
                        type->text);
}

static bool is_name(const ingle_json *name)
{
    for (size_t i = 0; i < name->len; i++)
        if ((unsigned char)name->text[i] <= ' ' || name->text[i] == 0x7f) return false;
    return true;
}

static bool check(field_reader *r, const tool *t, const field_place *place)
{
    const field_place name = anthropic_member(place, "name"),
                      schema = anthropic_member(place, "input_schema"),
                      type = anthropic_member(&schema, "type");
    if (!t->name) return field_refuse(r, &name, "is missing");
    if (!is_name(t->name))
        return field_refuse(r, &name, "has a character that a name should not have");
    if (!t->schema) return field_refuse(r, &schema, "is missing: a JSON Schema of type object");
    if (!ingle_json_is_text(ingle_json_get(t->schema, "type"), "object"))
        return field_refuse(r, &type, "should be \"object\"");
    return true;
}

static bool add_name(field_reader *r, generation *g, ingle_map *names, const ingle_json *name,
                     const field_place *place)
{
    uint64_t hash = ingle_map_hash(names, name->text, name->len);
    uint32_t i = 0, found;
    const field_place at = anthropic_member(place, "name");
    while ((found = ingle_map_next(names, hash, &i)) != INGLE_NO_ID)
        if (ingle_json_is_text(name, g->tool_names[found]))
            return field_refuse(r, &at, "two tools have the name '%s'", name->text);
    char *copy = malloc((size_t)name->len + 1);
    if (!copy || !ingle_map_add(names, hash, (uint32_t)g->n_tools)) {
        free(copy);
        return anthropic_no_memory(r);
    }
    memcpy(copy, name->text, (size_t)name->len + 1);
    g->tool_names[g->n_tools++] = copy;
    return true;
}

static void put_tool(ingle_json_writer *w, const tool *t)
{
    ingle_json_begin_object(w);
    ingle_json_put_text(ingle_json_name(w, "type"), "function");
    ingle_json_begin_object(ingle_json_name(w, "function"));
    ingle_json_put(ingle_json_name(w, "name"), t->name);
    if (t->description) ingle_json_put(ingle_json_name(w, "description"), t->description);
    ingle_json_put(ingle_json_name(w, "parameters"), t->schema);
    if (t->strict) ingle_json_put_bool(ingle_json_name(w, "strict"), true);
    ingle_json_end_object(w);
    ingle_json_end_object(w);
}

static bool put_tools(field_reader *r, const ingle_json *tools, generation *g, ingle_map *names,
                      ingle_json_writer *w)
{
    const field_place place = anthropic_member(NULL, "tools");
    size_t i = 0;
    ingle_json_begin_array(w);
    for (ingle_json_walk m = ingle_json_items(tools); ingle_json_step(&m); i++) {
        const field_place at = anthropic_element(&place, i);
        tool t = {0};
        if (!check_type(r, m.value, &at) ||
            !fields_read(r, &anthropic_tool_fields, m.value, &t, &at) || !check(r, &t, &at) ||
            !add_name(r, g, names, t.name, &at))
            return false;
        g->strict_tool[i] = t.strict;
        g->strict_tools = g->strict_tools || t.strict;
        put_tool(w, &t);
    }
    ingle_json_end_array(w);
    return true;
}

static bool read_tools(field_reader *r, const ingle_json *tools, generation *g)
{
    ingle_json_writer w = {0};
    ingle_map names = {0};
    if (!ingle_json_is(tools, INGLE_JSON_ARRAY) || !tools->len) return true;
    g->tool_names = ingle_new(tools->len, sizeof *g->tool_names);
    g->strict_tool = ingle_new(tools->len, sizeof *g->strict_tool);
    g->schema_member = "input_schema";
    bool ok = g->tool_names && g->strict_tool && ingle_map_open(&names, tools->len);
    if (!ok) anthropic_no_memory(r);
    ok = ok && put_tools(r, tools, g, &names, &w);
    if (ok) bytes_take_json(&g->tools, &w);
    if (ok && g->tools.failed) ok = anthropic_no_memory(r);
    ingle_json_writer_free(&w);
    ingle_map_close(&names);
    return ok;
}

/* ---- tool_choice ----------------------------------------------------------------------------- */

static bool name_tool(field_reader *r, const choice *c, generation *g, const field_place *place)
{
    const field_place at = anthropic_member(place, "name");
    if (!c->name) return field_refuse(r, &at, "is missing: the tool to be called");
    for (size_t i = 0; i < g->n_tools; i++) {
        if (!ingle_json_is_text(c->name, g->tool_names[i])) continue;
        memcpy(g->tool_name, c->name->text, (size_t)c->name->len + 1);
        g->choice = TOOLS_NAMED;
        return true;
    }
    return field_refuse(r, &at, "no tool has the name '%s'", c->name->text);
}

static bool read_choice(field_reader *r, const ingle_json *value, generation *g)
{
    static const tool_choice meanings[] = {TOOLS_AUTO, TOOLS_REQUIRED, TOOLS_NAMED, TOOLS_NONE};
    const field_place place = anthropic_member(NULL, "tool_choice"),
                      type = anthropic_member(&place, "type"),
                      name = anthropic_member(&place, "name");
    choice c = {.type = -1};
    if (!ingle_json_is(value, INGLE_JSON_OBJECT)) return true;
    if (!fields_read(r, &anthropic_choice_fields, value, &c, &place)) return false;
    if (c.type < 0) return field_refuse(r, &type, "is missing: auto, any, tool or none");
    g->one_call = c.one;
    if (c.type == CHOICE_TOOL) return name_tool(r, &c, g, &place);
    if (c.name) return field_refuse(r, &name, "goes with type tool only");
    if (c.type == CHOICE_ANY && !g->n_tools)
        return field_refuse(r, &place, "there are no tools to call: give `tools`");
    g->choice = meanings[c.type];
    return true;
}

bool anthropic_read_tools(field_reader *r, const ingle_json *body, generation *g)
{
    return read_tools(r, ingle_json_get(body, "tools"), g) &&
           read_choice(r, ingle_json_get(body, "tool_choice"), g);
}
