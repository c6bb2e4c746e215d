/* grammar_tools_call.c - calls, by the kind of their format (grammar_tools.h). */
#include "model/grammar_tools.h"

#include <string.h>

enum { MOST_PARTS = 24, NAME_BYTES = 128, ID_CHARS = 64, SERVER_BYTES = 64, NUMBER_DIGITS = 4 };

/* A sequence in the making. */
typedef struct parts {
    tool_grammar *g;
    ingle_term list[MOST_PARTS];
    size_t n;
} parts;

static void put(parts *p, ingle_term e)
{
    if (p->n < MOST_PARTS) p->list[p->n++] = e;
}

static void put_text(parts *p, const char *text)
{
    put(p, ingle_tools_text(p->g, text));
}

static void put_space(parts *p)
{
    put(p, p->g->space);
}

static ingle_term done(const parts *p)
{
    return ingle_term_seq_of(p->g->t, p->list, p->n);
}

/* ---- names ----------------------------------------------------------------------------------- */

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool ends_with(const ingle_json *name, const char *end)
{
    size_t n = strlen(end);
    return name->len > n && !memcmp(name->text + name->len - n, end, n);
}

/* f in f(a=1). */
static bool is_callee(const ingle_json *name)
{
    for (uint32_t i = 0; i < name->len; i++) {
        char c = name->text[i];
        if (!is_letter(c) && (!i || (!is_digit(c) && c != '.' && c != '-'))) return false;
    }
    return !ends_with(name, ".call");
}

/* Whether NAME:NUMBER would be taken for a name and a number. */
static bool is_numbered(const ingle_json *name)
{
    uint32_t n = name->len;
    while (n && is_digit(name->text[n - 1])) n--;
    return n > 1 && n < name->len && name->text[n - 1] == ':';
}

bool ingle_tools_is_name(const ingle_call_syntax *s, const ingle_json *name)
{
    if (!name->len || name->len > NAME_BYTES) return false;
    for (uint32_t i = 0; i < name->len; i++) {
        char c = name->text[i];
        bool high = (unsigned char)c >= 0x80;
        if (!high && !is_letter(c) && !is_digit(c) && (!c || !strchr("-.:/$@#+=", c))) return false;
    }
    if (s->no_call && ingle_json_is_text(name, s->no_call)) return false;
    if (s->kind == INGLE_CALL_PYTHON) return is_callee(name);
    return s->kind != INGLE_CALL_HARMONY || !is_numbered(name);
}

/* One of the tools, each with what comes before its name, and what after it. */
typedef ingle_term after_name(tool_grammar *g, const ingle_call_syntax *s, ingle_tool *tool);

static ingle_term any_tool(tool_grammar *g, const ingle_call_syntax *s, after_name *after)
{
    ingle_term all = INGLE_TERM_NONE;
    for (size_t i = 0; i < g->n_tools && !g->status; i++) {
        ingle_tool *tool = &g->tools[i];
        if (!ingle_tools_is_name(s, tool->name)) continue;
        ingle_term name = ingle_term_literal(g->t, tool->name->text, tool->name->len);
        all = ingle_term_alt(g->t, all, ingle_term_seq(g->t, name, after(g, s, tool)));
    }
    return all;
}

/* Several of them with something between, or one. */
static ingle_term several(tool_grammar *g, const ingle_call_syntax *s, ingle_term one,
                          ingle_term between)
{
    if (s->one || g->opt->one) return one;
    ingle_term next = ingle_term_seq(g->t, between, one);
    return ingle_term_seq(g->t, one, ingle_term_repeat(g->t, next, 0, INGLE_TERM_MANY));
}

/* white space, the sign, white space */
static ingle_term sign(tool_grammar *g, const char *text)
{
    const ingle_term all[] = {g->space, ingle_tools_text(g, text), g->space};
    return ingle_term_seq_of(g->t, all, 3);
}

static ingle_term id_chars(tool_grammar *g)
{
    static const ingle_range ranges[] = {{'0', '9'}, {'A', 'Z'}, {'a', 'z'},
                                         {'-', '.'}, {':', ':'}, {'_', '_'}};
    return ingle_term_repeat(
        g->t, ingle_term_chars(g->t, ranges, sizeof ranges / sizeof *ranges, false), 1, ID_CHARS);
}

/* ---- objects --------------------------------------------------------------------------------- */

static void put_key(parts *p, const char *key)
{
    put_text(p, "\"");
    put_text(p, key);
    put_text(p, "\"");
    put(p, sign(p->g, ":"));
}

static ingle_term id_member(tool_grammar *g, const char *key)
{
    parts p = {.g = g};
    put_key(&p, key);
    put_text(&p, "\"");
    put(&p, id_chars(g));
    put_text(&p, "\"");
    return done(&p);
}

/* The name of the member with the arguments. What any model may have written has two. */
static ingle_term args_key(tool_grammar *g, const ingle_call_syntax *s)
{
    ingle_term e = ingle_tools_text(g, s->key_args);
    return s->strict ? ingle_term_alt(g->t, e, ingle_tools_text(g, "parameters")) : e;
}

/* After the name and up to the end of the object. */
static ingle_term object_rest(tool_grammar *g, const ingle_call_syntax *s, ingle_tool *tool)
{
    parts p = {.g = g}, id = {.g = g};
    put_text(&p, "\"");
    if (s->keyed) {
        put(&p, sign(g, ":"));
    } else {
        put(&p, sign(g, ","));
        put_text(&p, "\"");
        put(&p, args_key(g, s));
        put_text(&p, "\"");
        put(&p, sign(g, ":"));
    }
    put(&p, ingle_tools_args(g, s, tool));
    if (s->key_id && !s->id_first) {
        put(&id, sign(g, ","));
        put(&id, id_member(g, s->key_id));
        put(&p, ingle_term_option(g->t, done(&id)));
    }
    put_space(&p);
    put_text(&p, "}");
    return done(&p);
}

/* An object that means that no call comes. */
static ingle_term no_object(tool_grammar *g, const ingle_call_syntax *s)
{
    parts p = {.g = g};
    put_text(&p, s->no_call);
    put_text(&p, "\"");
    put(&p, sign(g, ","));
    put_key(&p, s->key_args);
    put_text(&p, "{}");
    put_space(&p);
    put_text(&p, "}");
    return done(&p);
}

/* "type": "function", which some models write first. */
static ingle_term type_member(tool_grammar *g, ingle_term space)
{
    parts p = {.g = g};
    put_text(&p, "\"type\"");
    put(&p, space);
    put_text(&p, ":");
    put(&p, space);
    put_text(&p, "\"function\"");
    put(&p, space);
    put_text(&p, ",");
    put(&p, space);
    return done(&p);
}

static ingle_term object(tool_grammar *g, const ingle_call_syntax *s)
{
    parts p = {.g = g}, id = {.g = g};
    put_text(&p, "{");
    put_space(&p);
    if (s->key_id && s->id_first) {
        put(&id, id_member(g, s->key_id));
        put(&id, sign(g, ","));
        put(&p, ingle_term_option(g->t, done(&id)));
    }
    if (s->strict) put(&p, ingle_term_option(g->t, type_member(g, g->space)));
    if (!s->keyed) put_key(&p, s->key_name);
    put_text(&p, "\"");
    ingle_term calls = any_tool(g, s, object_rest);
    if (calls == INGLE_TERM_NONE) return calls;
    if (s->no_call && !g->opt->required && !g->opt->form)
        calls = ingle_term_alt(g->t, calls, no_object(g, s));
    put(&p, calls);
    return done(&p);
}

static ingle_term objects(tool_grammar *g, const ingle_call_syntax *s)
{
    ingle_term one = object(g, s);
    parts p = {.g = g};
    bool either = s->strict && s->section; /* what any model may have written */
    if (!s->list && !either) return one;
    put_text(&p, "[");
    put_space(&p);
    put(&p, several(g, s, one, sign(g, ",")));
    put_space(&p);
    put_text(&p, "]");
    return ingle_term_alt(g->t, done(&p), either ? one : INGLE_TERM_NONE);
}

/* ---- a head, then the arguments -------------------------------------------------------------- */

static ingle_term tail(tool_grammar *g, const ingle_call_syntax *s)
{
    parts p = {.g = g}, end = {.g = g};
    if (s->tail) {
        put_space(&end);
        put_text(&end, s->tail);
        put(&p, ingle_term_option(g->t, done(&end)));
    }
    if (s->close) {
        put_space(&p);
        put(&p, ingle_tools_mark(g, s->close));
    }
    return done(&p);
}

/* A part of a head that is no name. */
static ingle_term head_part(tool_grammar *g, const ingle_head *h)
{
    uint64_t set[4] = {~0ull, ~0ull, ~0ull, ~0ull};
    if (h->field == INGLE_HEAD_ID) return id_chars(g);
    if (h->text) return ingle_tools_text(g, h->text);
    set[0] &= ~(0xffffffffull | 1ull << '<' | 1ull << ' ');
    return ingle_term_repeat(g->t, ingle_term_bytes(g->t, set), 1, SERVER_BYTES);
}

/* The mark that ends a part; a brace is the arguments' own, a line feed is white space too. */
static void put_end(parts *p, const ingle_call_syntax *s, const ingle_head *h)
{
    bool tagged = s->kind == INGLE_CALL_TAGGED; /* what follows brings its white space */
    if (s->brace) return;
    if (h->end[0] == '\n' && tagged) return; /* the mark of a key or the end will do */
    if (h->end[0] != '\n') put_space(p);
    put(p, ingle_tools_mark(p->g, h->end));
    if (!tagged) put_space(p);
}

/* The parts of the head that follow part i; a mark of the arguments may leave the others out. */
static ingle_term after_part(tool_grammar *g, const ingle_call_syntax *s, size_t i)
{
    parts p = {.g = g}, shorter = {.g = g};
    const ingle_head *h = s->head;
    put_end(&p, s, &h[i]);
    for (size_t k = i + 1; k < INGLE_SYNTAX_HEADS && h[k].field; k++) {
        put(&p, head_part(g, &h[k]));
        put_end(&p, s, &h[k]);
    }
    if (!s->args || !strcmp(h[i].end, s->args)) return done(&p);
    put(&shorter, ingle_tools_mark(g, s->args));
    put_space(&shorter);
    return ingle_term_alt(g->t, done(&p), done(&shorter));
}

static size_t name_part(const ingle_call_syntax *s)
{
    size_t i = 0;
    while (s->head[i].field != INGLE_HEAD_NAME && s->head[i].field != INGLE_HEAD_NAME_ID) i++;
    return i;
}

static ingle_term named_rest(tool_grammar *g, const ingle_call_syntax *s, ingle_tool *tool)
{
    parts p = {.g = g};
    size_t i = name_part(s);
    static const ingle_range digit = {'0', '9'};
    if (s->head[i].field == INGLE_HEAD_NAME_ID) {
        put_text(&p, ":");
        put(&p,
            ingle_term_repeat(g->t, ingle_term_chars(g->t, &digit, 1, false), 1, NUMBER_DIGITS));
    }
    put(&p, after_part(g, s, i));
    put(&p, ingle_tools_args(g, s, tool));
    put(&p, tail(g, s));
    return done(&p);
}

static ingle_term named(tool_grammar *g, const ingle_call_syntax *s)
{
    parts p = {.g = g};
    size_t i_name = name_part(s);
    put_space(&p);
    for (size_t i = 0; i < i_name; i++) {
        put(&p, head_part(g, &s->head[i]));
        put_end(&p, s, &s->head[i]);
    }
    if (s->head[i_name].field == INGLE_HEAD_NAME_ID) put_text(&p, "functions.");
    put(&p, any_tool(g, s, named_rest));
    return done(&p);
}

/* ---- Python ---------------------------------------------------------------------------------- */

static ingle_term python_rest(tool_grammar *g, const ingle_call_syntax *s, ingle_tool *tool)
{
    return ingle_tools_args(g, s, tool);
}

static ingle_term python(tool_grammar *g, const ingle_call_syntax *s)
{
    ingle_term one = any_tool(g, s, python_rest);
    parts p = {.g = g};
    if (!s->list) return one;
    put_text(&p, "[");
    put_space(&p);
    put(&p, several(g, s, one, sign(g, ",")));
    put_space(&p);
    put_text(&p, "]");
    return done(&p);
}

/* ---- any kind -------------------------------------------------------------------------------- */

ingle_term ingle_tools_call(tool_grammar *g, const ingle_call_syntax *s)
{
    return s->kind == INGLE_CALL_NAMED || s->kind == INGLE_CALL_TAGGED ? named(g, s)
                                                                       : INGLE_TERM_NONE;
}

/* In a section: its calls, each with its mark. */
static ingle_term calls(tool_grammar *g, const ingle_call_syntax *s)
{
    if (s->kind == INGLE_CALL_OBJECT) return objects(g, s);
    if (s->kind == INGLE_CALL_PYTHON) return python(g, s);
    ingle_term one = ingle_tools_call(g, s);
    if (s->open) one = ingle_term_seq(g->t, ingle_tools_mark(g, s->open), one);
    return several(g, s, one, g->space);
}

/* Whether answers end with the mark, which then is no part of them. */
static bool is_stop(const tool_grammar *g, const char *mark)
{
    const char *const *stops = g->profile->family->stops;
    for (size_t i = 0; i < INGLE_PROFILE_TEXTS && stops[i]; i++)
        if (!strcmp(stops[i], mark)) return true;
    return false;
}

ingle_term ingle_tools_section(tool_grammar *g, const ingle_call_syntax *s)
{
    parts p = {.g = g}, end = {.g = g};
    put_space(&p);
    if (s->kind == INGLE_CALL_OBJECT && s->open) {
        put(&p, ingle_tools_mark(g, s->open));
        put_space(&p);
    }
    put(&p, calls(g, s));
    if (!s->section_close) return done(&p);
    put_space(&end);
    put(&end, ingle_tools_mark(g, s->section_close));
    bool may_lack = s->list || is_stop(g, s->section_close); /* ] ends it too */
    put(&p, may_lack ? ingle_term_option(g->t, done(&end)) : done(&end));
    return done(&p);
}

ingle_term ingle_tools_bare(tool_grammar *g, const ingle_call_syntax *s)
{
    if (s->kind == INGLE_CALL_PYTHON) return python(g, s);
    if (s->kind != INGLE_CALL_OBJECT) return INGLE_TERM_NONE;
    return several(g, s, objects(g, s), s->between ? sign(g, s->between) : g->space);
}

/* ---- what only looks like a call ------------------------------------------------------------- */

static ingle_term head_rest(tool_grammar *g, const ingle_call_syntax *s, ingle_tool *tool)
{
    (void)tool;
    parts p = {.g = g};
    ingle_term blank = ingle_tools_blank(g);
    const ingle_term args = ingle_term_alt(g->t, ingle_tools_text(g, "\"arguments\""),
                                           ingle_tools_text(g, "\"parameters\""));
    if (s->kind == INGLE_CALL_PYTHON) return ingle_tools_text(g, "(");
    put_text(&p, "\"");
    put(&p, blank);
    put_text(&p, ",");
    put(&p, blank);
    put(&p, args);
    put(&p, blank);
    put_text(&p, ":");
    put(&p, blank);
    put_text(&p, "{");
    return done(&p);
}

ingle_term ingle_tools_bare_head(tool_grammar *g, const ingle_call_syntax *s)
{
    parts p = {.g = g}, list = {.g = g};
    ingle_term blank = ingle_tools_blank(g);
    put(&p, blank);
    if (s->kind == INGLE_CALL_OBJECT && s->open) {
        put_text(&p, s->open);
        return done(&p);
    }
    put_text(&list, "[");
    put(&list, blank);
    if (s->list && !s->strict) return ingle_term_seq(g->t, done(&p), ingle_tools_text(g, "["));
    put(&p, s->kind == INGLE_CALL_PYTHON ? done(&list) : ingle_term_option(g->t, done(&list)));
    if (s->kind == INGLE_CALL_OBJECT) {
        put_text(&p, "{");
        put(&p, blank);
        put(&p, ingle_term_option(g->t, type_member(g, blank)));
        put_text(&p, "\"name\"");
        put(&p, blank);
        put_text(&p, ":");
        put(&p, blank);
        put_text(&p, "\"");
    }
    put(&p, any_tool(g, s, head_rest));
    return done(&p);
}
