/* grammar_tools_args.c - arguments of tools (grammar_tools.h). */
#include "grammar/schema.h"
#include "model/grammar_tools.h"

#include "base/mem.h"
#include "chat/parse.h"

typedef struct dropping {
    tool_grammar *g;
    const ingle_json *name;
} dropping;

static void note_dropped(void *context, const char *path, const char *keyword, const char *why)
{
    const dropping *d = context;
    if (!d->g->status)
        d->g->status = ingle_notes_add(d->g->dropped, d->g->err, "%s: %s: %s: %s", d->name->text,
                                       *path ? path : "/", keyword, why);
}

static ingle_term compile(tool_grammar *g, const ingle_json *name, bool again, const char *text,
                          size_t n, const ingle_schema_notation *notation)
{
    dropping d = {g, name};
    ingle_error err = {""};
    ingle_term e = INGLE_TERM_NONE;
    const ingle_schema_options o = {.lenient = g->schemas->lenient,
                                    .any_order = g->schemas->any_order,
                                    .compact = g->schemas->compact,
                                    .dropped = again ? NULL : note_dropped,
                                    .context = &d,
                                    .notation = notation};
    if (g->status) return e;
    ingle_status st = ingle_schema_compile(g->t, text, n, &o, &e, &err);
    if (st && !g->status)
        g->status = ingle_fail(g->err, st, "tool '%.80s': %s", name->text, err.text);
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

static ingle_term compile_tool(tool_grammar *g, ingle_tool *tool,
                               const ingle_schema_notation *notation)
{
    ingle_json_writer w = {0};
    ingle_term e = INGLE_TERM_NONE;
    if (!may_be_object(ingle_json_get(tool->schema, "type"))) {
        g->status = ingle_fail(g->err, INGLE_EUNSUPPORTED,
                               "tool '%.80s': schema #/type: arguments should be an object",
                               tool->name->text);
        return e;
    }
    write_schema(&w, tool->schema);
    ingle_status st = ingle_json_finish(&w);
    if (st) g->status = ingle_fail(g->err, st, "tool '%.80s': no memory", tool->name->text);
    else e = compile(g, tool->name, tool->n_made, w.text, w.n, notation);
    ingle_json_writer_free(&w);
    return e;
}

/* ---- notations ------------------------------------------------------------------------------- */

static ingle_term seq(tool_grammar *g, ingle_term a, ingle_term b)
{
    return ingle_term_seq(g->t, a, b);
}

/* f(a=1, b="x", c=[True, None]) */
static ingle_term python(tool_grammar *g, ingle_tool *tool)
{
    ingle_term comma = ingle_tools_text(g, ",");
    ingle_term space = ingle_term_option(g->t, ingle_tools_text(g, " "));
    const ingle_schema_frame frame = {.begin = ingle_tools_text(g, "("),
                                      .first = INGLE_TERM_EMPTY,
                                      .between = seq(g, comma, space),
                                      .end = ingle_tools_text(g, ")"),
                                      .key = INGLE_TERM_EMPTY,
                                      .json = ingle_tools_text(g, "="),
                                      .after = INGLE_TERM_EMPTY};
    const ingle_schema_notation n = {.words = {"None", "True", "False"}, .frame = &frame};
    return compile_tool(g, tool, &n);
}

static ingle_term bare(tool_grammar *g, const ingle_call_syntax *s, ingle_tool *tool)
{
    const ingle_schema_notation n = {.quote = ingle_tools_mark(g, s->quote), .never = s->quote};
    return compile_tool(g, tool, &n);
}

/* See parse_tagged.c: a string is what cannot be another kind, and null is always null, but where
 * the schema has only strings. */
static unsigned reads(void *context, const char *name, size_t len)
{
    enum { STRING = 1 << INGLE_JSON_STRING, ANY = 63 };
    const ingle_json *properties = ingle_json_get(context, "properties");
    unsigned kinds = ingle_parse_kinds(ingle_json_find(properties, name, len));
    if (kinds == STRING) return 0;
    return kinds & STRING ? (kinds | 1 << INGLE_JSON_NULL) & ~(unsigned)STRING : ANY;
}

/* From a name to its value. */
static ingle_term before_value(tool_grammar *g, const ingle_call_syntax *s, const char *kind)
{
    ingle_term e = ingle_tools_mark(g, s->key_end);
    if (s->kind_end) e = seq(g, e, ingle_tools_text(g, kind));
    if (s->kind_end) e = seq(g, e, ingle_tools_mark(g, s->kind_end));
    if (s->value_open) e = seq(g, e, seq(g, g->space, ingle_tools_mark(g, s->value_open)));
    return s->trim ? seq(g, e, ingle_tools_text(g, "\n")) : e;
}

static ingle_term tagged(tool_grammar *g, const ingle_call_syntax *s, ingle_tool *tool)
{
    bool nested = s->values == INGLE_VALUES_NESTED;
    ingle_term end = ingle_tools_mark(g, s->value_end);
    const ingle_schema_frame frame = {
        .begin = INGLE_TERM_EMPTY,
        .first = g->space,
        .between = g->space,
        .end = INGLE_TERM_EMPTY,
        .key = ingle_tools_mark(g, s->key),
        .text = before_value(g, s, "true"),
        .json = before_value(g, s, "false"),
        .after = s->trim ? seq(g, ingle_tools_text(g, "\n"), end) : end,
        .name_end = nested ? ingle_tools_text(g, s->key_end) : INGLE_TERM_NONE,
        .key_end = s->key_end,
        .raw = true,
        .reads = s->kind_end ? NULL : reads,
        .context = (void *)tool->schema,
        .head = s->cdata ? "<![CDATA[" : NULL};
    const ingle_schema_notation n = {.never = nested ? s->key : s->value_end, .frame = &frame};
    return compile_tool(g, tool, &n);
}

ingle_term ingle_tools_args(tool_grammar *g, const ingle_call_syntax *s, ingle_tool *tool)
{
    const ingle_call_syntax *row = s;
    ingle_term e;
    bool framed = s->kind == INGLE_CALL_PYTHON || s->kind == INGLE_CALL_TAGGED;
    if (!framed && s->values == INGLE_VALUES_JSON) row = NULL;
    for (size_t i = 0; i < tool->n_made; i++)
        if (tool->made[i].row == row) return tool->made[i].args;
    if (g->status) return INGLE_TERM_NONE;
    if (!row) e = compile_tool(g, tool, NULL);
    else if (s->kind == INGLE_CALL_PYTHON) e = python(g, tool);
    else e = s->kind == INGLE_CALL_TAGGED ? tagged(g, s, tool) : bare(g, s, tool);
    tool->made[tool->n_made].row = row;
    tool->made[tool->n_made++].args = e;
    return e;
}
