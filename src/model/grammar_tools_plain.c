/* grammar_tools_plain.c - texts that the parser takes for no call (grammar_tools.h).
 *
 * Most calls begin with a mark. What only its contents make a call, in a fence or at the beginning
 * of an answer, begins as an object or a list. A row that is strict takes it for a call if it names
 * a tool that was offered and has arguments: a text is kept from having both, in any order, in
 * either kind of quotes, with escapes. So a little more is excluded than the parser takes. */
#include "model/grammar_tools.h"

#include "base/mem.h"

#include <string.h>

/* ---- pieces ---------------------------------------------------------------------------------- */

static ingle_term set_of(tool_grammar *g, const char *bytes)
{
    uint64_t set[4] = {0};
    for (; *bytes; bytes++) set[(unsigned char)*bytes >> 6] |= 1ull << ((unsigned char)*bytes & 63);
    return ingle_term_bytes(g->t, set);
}

static ingle_term many(tool_grammar *g, ingle_term e)
{
    return ingle_term_repeat(g->t, e, 0, INGLE_TERM_MANY);
}

static ingle_term seq(tool_grammar *g, ingle_term a, ingle_term b)
{
    return ingle_term_seq(g->t, a, b);
}

static ingle_term alt(tool_grammar *g, ingle_term a, ingle_term b)
{
    return ingle_term_alt(g->t, a, b);
}

static ingle_term quote(tool_grammar *g)
{
    return set_of(g, "\"'");
}

/* Bytes of which names consist. */
static ingle_term name_bytes(tool_grammar *g)
{
    uint64_t set[4] = {0, 0, ~0ull, ~0ull};
    for (unsigned c = '!'; c < 127; c++) {
        bool other = strchr("-_.:/$@#+=", (int)c) != NULL;
        bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (plain || other) set[c >> 6] |= 1ull << (c & 63);
    }
    return many(g, ingle_term_bytes(g->t, set));
}

/* A string that may be any name: a character of it is written as a code. */
static ingle_term coded(tool_grammar *g)
{
    const ingle_term all[] = {name_bytes(g), ingle_tools_text(g, "\\"), set_of(g, "ux/")};
    return ingle_term_seq_of(g->t, all, 3);
}

/* The tools' names. */
static ingle_term any_name(tool_grammar *g)
{
    ingle_term_text *text = ingle_new(g->n_tools, sizeof *text);
    ingle_term e = INGLE_TERM_NONE;
    if (!text) {
        g->status = ingle_fail(g->err, INGLE_ENOMEM, "no memory for %zu tools", g->n_tools);
        return e;
    }
    for (size_t i = 0; i < g->n_tools; i++)
        text[i] = (ingle_term_text){g->tools[i].name->text, g->tools[i].name->len};
    if (g->n_tools) e = ingle_term_literals(g->t, text, g->n_tools);
    free(text);
    return e;
}

/* A tool's name as a string, with white space around it. */
static ingle_term name_string(tool_grammar *g)
{
    ingle_term code = seq(g, ingle_tools_text(g, "\\"), set_of(g, "nrt"));
    ingle_term blanks = many(g, alt(g, set_of(g, " \t\r\n"), code));
    ingle_term name = seq(g, any_name(g), seq(g, blanks, quote(g)));
    return seq(g, seq(g, quote(g), blanks), alt(g, name, coded(g)));
}

/* The name of a member, or what may be one, up to its end. */
static ingle_term key(tool_grammar *g, const char *const *names, size_t n, const char *own)
{
    ingle_term e = own ? ingle_tools_text(g, own) : INGLE_TERM_NONE;
    for (size_t i = 0; i < n; i++) e = alt(g, e, ingle_tools_text(g, names[i]));
    return seq(g, quote(g), alt(g, seq(g, e, quote(g)), coded(g)));
}

/* ---- what may be a call ---------------------------------------------------------------------- */

/* An object whose first member is one of a call's, with a tool's name and arguments. */
static ingle_term object_call(tool_grammar *g, const ingle_call_syntax *s)
{
    static const char *const keys[] = {"arguments", "parameters", "name", "function", "type", "id"};
    ingle_term name = name_string(g), args = key(g, keys, 2, s->key_args);
    const ingle_term colon[] = {args, many(g, set_of(g, " \t\r\n")), ingle_tools_text(g, ":")};
    args = ingle_term_seq_of(g->t, colon, 3);
    const ingle_term after[] = {name, INGLE_TERM_ANY, args, INGLE_TERM_ANY};
    const ingle_term before[] = {args, INGLE_TERM_ANY, name, INGLE_TERM_ANY};
    ingle_term both = alt(g, ingle_term_seq_of(g->t, after, 4), ingle_term_seq_of(g->t, before, 4));
    ingle_term first = seq(g, key(g, keys, 6, s->key_name), INGLE_TERM_ANY);
    ingle_term members = ingle_term_and(g->t, first, seq(g, INGLE_TERM_ANY, both));
    ingle_term between = many(g, set_of(g, " \t\r\n,"));
    ingle_term list = ingle_term_option(g->t, seq(g, ingle_tools_text(g, "["), between));
    const ingle_term all[] = {list, ingle_tools_text(g, "{"), between, members};
    return ingle_term_seq_of(g->t, all, 4);
}

/* [f( */
static ingle_term python_call(tool_grammar *g)
{
    const ingle_term all[] = {ingle_tools_text(g, "["), many(g, set_of(g, " \t\r\n,")), any_name(g),
                              ingle_term_option(g->t, ingle_tools_text(g, ".call")),
                              ingle_tools_text(g, "(")};
    return ingle_term_seq_of(g->t, all, 5);
}

/* With what a text begins that may be a call, after white space, and after the mark of a row whose
 * mark is prose. */
static ingle_term contents(tool_grammar *g, const ingle_call_syntax *s)
{
    ingle_term blank = many(g, set_of(g, " \t\r\n"));
    if (s->open) return seq(g, blank, ingle_tools_text(g, s->open));
    if (!s->strict) return seq(g, blank, set_of(g, "[{"));
    if (!g->n_tools) return INGLE_TERM_NONE;
    return seq(g, blank, s->kind == INGLE_CALL_PYTHON ? python_call(g) : object_call(g, s));
}

/* ---- all ------------------------------------------------------------------------------------- */

static void look_for(tool_grammar *g, tool_search *s, const char *mark)
{
    if (!mark || ingle_tools_look_for(s, mark) != SIZE_MAX || g->status) return;
    g->status = ingle_fail(g->err, INGLE_EUNSUPPORTED, "the model's format has more than %d marks",
                           TOOLS_MARKS);
}

static void add_row(tool_grammar *g, tool_search *s, const ingle_call_syntax *row)
{
    if (row->prose)
        s->never = alt(g, s->never, seq(g, ingle_tools_text(g, row->section), contents(g, row)));
    else look_for(g, s, row->section);
    if (row->kind != INGLE_CALL_OBJECT) look_for(g, s, row->open);
    if (!row->section && !row->open) s->head = alt(g, s->head, contents(g, row));
}

void ingle_tools_plain(tool_grammar *g, tool_search *s, bool passes)
{
    const ingle_thinking *k = g->profile->thinking;
    ingle_term passed = set_of(g, " \t\r\n;");
    s->all_heads = true;
    for (size_t i = 0; i < INGLE_PROFILE_CALLS && g->profile->calls[i]; i++)
        add_row(g, s, g->profile->calls[i]);
    for (size_t i = 0; k && i < 2; i++) look_for(g, s, k->open[i]);
    for (size_t i = 0; k && i < 2; i++) look_for(g, s, k->close[i]);
    for (size_t i = 0; k && i < sizeof k->passed_over / sizeof *k->passed_over; i++) {
        if (!k->passed_over[i]) continue;
        if (!passes) look_for(g, s, k->passed_over[i]);
        passed = alt(g, passed, ingle_tools_text(g, k->passed_over[i]));
    }
    s->head = seq(g, many(g, passed), s->head);
}
