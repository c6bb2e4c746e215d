/* grammar_tools_args.c - arguments of tools (grammar_tools.h). */
#include "grammar/schema.h"
#include "model/grammar_tools.h"

#include "base/mem.h"

typedef struct dropping {
    tool_grammar *g;
    const ingle_json *name; /* NULL: not a tool's */
} dropping;

static void note_dropped(void *context, const char *path, const char *keyword, const char *why)
{
    const dropping *d = context;
    const char *name = d->name ? d->name->text : "answer";
    if (!d->g->status)
        d->g->status = ingle_notes_add(d->g->dropped, d->g->err, "%s: %s: %s: %s", name,
                                       *path ? path : "/", keyword, why);
}

static ingle_term compile(tool_grammar *g, const ingle_json *name, const char *text, size_t n)
{
    dropping d = {g, name};
    ingle_error err = {""};
    ingle_term e = INGLE_TERM_NONE;
    const ingle_schema_options o = {.lenient = g->schemas->lenient,
                                    .any_order = g->schemas->any_order,
                                    .compact = g->schemas->compact,
                                    .dropped = note_dropped,
                                    .context = &d};
    if (g->status) return e;
    ingle_status st = ingle_schema_compile(g->t, text, n, &o, &e, &err);
    if (st && !g->status)
        g->status = ingle_fail(g->err, st, "%s%.80s%s%s",
                               name ? "tool '" : "answer: ", name ? name->text : "",
                               name ? "': " : "", err.text);
    return e;
}

/* Whether the schema's type leaves an object; none says nothing. */
static bool may_be_object(const ingle_json *type)
{
    if (!type || ingle_json_is_text(type, "object")) return true;
    for (ingle_json_walk w = ingle_json_items(type); ingle_json_step(&w);)
        if (ingle_json_is_text(w.value, "object")) return true;
    return false;
}

/* The schema, of objects only. */
static void write_schema(ingle_json_writer *w, const ingle_json *schema)
{
    ingle_json_begin_object(w);
    ingle_json_put_text(ingle_json_name(w, "type"), "object");
    if (!schema) ingle_json_put_bool(ingle_json_name(w, "additionalProperties"), false);
    for (ingle_json_walk v = ingle_json_items(schema); ingle_json_step(&v);)
        if (!ingle_json_is_text(v.name, "type"))
            ingle_json_put(ingle_json_name_bytes(w, v.name->text, v.name->len), v.value);
    ingle_json_end_object(w);
}

ingle_term ingle_tools_json_args(tool_grammar *g, ingle_tool *tool)
{
    ingle_json_writer w = {0};
    if (tool->json != INGLE_TERM_NONE || g->status) return tool->json;
    if (!may_be_object(ingle_json_get(tool->schema, "type"))) {
        g->status = ingle_fail(g->err, INGLE_EUNSUPPORTED,
                               "tool '%.80s': schema #/type: arguments should be an object",
                               tool->name->text);
        return INGLE_TERM_NONE;
    }
    write_schema(&w, tool->schema);
    ingle_status st = ingle_json_finish(&w);
    if (st) g->status = ingle_fail(g->err, st, "tool '%.80s': no memory", tool->name->text);
    else tool->json = compile(g, tool->name, w.text, w.n);
    ingle_json_writer_free(&w);
    return tool->json;
}

ingle_term ingle_tools_schema(tool_grammar *g, const char *text, size_t n)
{
    return compile(g, NULL, text, n);
}
