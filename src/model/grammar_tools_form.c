/* grammar_tools_form.c - the text of an answer that has a form (grammar_tools.h).
 *
 * A form is compiled as the calls that open grammars of its kind do. Then what the parser would take
 * for something else is taken out of it: a pattern and a list of texts are narrowed as they are;
 * of JSON the strings; of a GBNF what is left after each byte. */
#include "grammar/gbnf.h"
#include "grammar/regex.h"
#include "grammar/schema.h"
#include "model/grammar_tools.h"

#include "base/mem.h"

#include <string.h>

static bool is_json(const tool_grammar *g)
{
    return g->opt->form == INGLE_ANSWER_SCHEMA || g->opt->form == INGLE_ANSWER_JSON;
}

static ingle_term failed(tool_grammar *g, ingle_status st, const char *why)
{
    if (st && !g->status) g->status = ingle_fail(g->err, st, "answer: %s", why);
    return INGLE_TERM_NONE;
}

/* ---- what is kept out ------------------------------------------------------------------------ */

static ingle_term anything_but(tool_grammar *g, ingle_term head)
{
    return ingle_term_minus(g->t, INGLE_TERM_ANY, ingle_term_seq(g->t, head, INGLE_TERM_ANY));
}

/* Bytes without marks; at the beginning of a text, or anywhere. */
static ingle_term bytes_of(tool_grammar *g, const tool_search *s, bool head)
{
    tool_search own = *s;
    ingle_tools_bytes(g, &own);
    return ingle_tools_narrow(g, &own, own.without, head);
}

/* Any token but those that begin the marks. */
static ingle_term other_token(tool_grammar *g, const tool_search *s)
{
    ingle_terms *t = g->t;
    ingle_term any = ingle_term_alt(t, ingle_term_token(t, 0, true), ingle_term_token(t, 0, false));
    ingle_term e = any;
    for (size_t i = 0; i < s->n; i++) {
        int32_t token = ingle_tools_first_token(g, s->mark[i]);
        if (token < 0) continue;
        ingle_term other = ingle_term_token(t, token, true);
        e = e == any ? other : ingle_term_and(t, e, other);
    }
    return e;
}

/* ---- kinds ----------------------------------------------------------------------------------- */

static void note_dropped(void *context, const char *path, const char *keyword, const char *why)
{
    tool_grammar *g = context;
    if (!g->status)
        g->status = ingle_notes_add(g->dropped, g->err, "answer: %s: %s: %s", *path ? path : "/",
                                    keyword, why);
}

static ingle_term json(tool_grammar *g, const tool_search *s)
{
    static const char any[] = "{\"type\":\"object\"}";
    const ingle_grammar_options *own = g->form;
    const bool schema = g->opt->form == INGLE_ANSWER_SCHEMA;
    const ingle_schema_notation notation = {
        .inside = s->n || s->never != INGLE_TERM_NONE ? bytes_of(g, s, false) : INGLE_TERM_NONE};
    ingle_schema_document *documents = ingle_new(own->n_documents, sizeof *documents);
    ingle_error err = {""};
    ingle_term e = INGLE_TERM_NONE;
    if (!documents) return failed(g, INGLE_ENOMEM, "no memory");
    for (size_t i = 0; i < own->n_documents; i++)
        documents[i] = (ingle_schema_document){own->documents[i].uri, own->documents[i].text,
                                               own->documents[i].len};
    const ingle_schema_options o = {.lenient = own->lenient,
                                    .any_order = own->any_order,
                                    .compact = own->compact,
                                    .documents = documents,
                                    .n_documents = own->n_documents,
                                    .notation = &notation,
                                    .dropped = note_dropped,
                                    .context = g};
    ingle_status st =
        ingle_schema_compile(g->t, schema ? g->opt->schema : any,
                             schema ? g->opt->n_schema : sizeof any - 1, &o, &e, &err);
    free(documents);
    if (st) return failed(g, st, err.text);
    return s->head == INGLE_TERM_NONE ? e : ingle_term_within(g->t, e, anything_but(g, s->head));
}

static ingle_term regex(tool_grammar *g, const tool_search *s)
{
    ingle_term e = INGLE_TERM_NONE;
    ingle_error err = {""};
    bool empty = false;
    ingle_status st = ingle_regex_compile(g->t, g->opt->schema, g->opt->n_schema, NULL, &e, &err);
    if (st) return failed(g, st, err.text);
    e = ingle_term_and(g->t, e, bytes_of(g, s, true));
    if (!ingle_term_is_empty(g->t, e, &empty) && empty)
        return failed(g, INGLE_EFORMAT,
                      "no text that matches the pattern is plain text in the model's format");
    return e;
}

static ingle_term choice(tool_grammar *g, const tool_search *s)
{
    const ingle_tools_options *o = g->opt;
    ingle_term plain = bytes_of(g, s, true), e = INGLE_TERM_NONE;
    ingle_term_text *text = ingle_new(o->n_choices, sizeof *text);
    if (!text) return failed(g, INGLE_ENOMEM, "no memory for the choices");
    for (size_t i = 0; i < o->n_choices && !g->status; i++) {
        bool is = false;
        ingle_status st =
            ingle_term_matches(g->t, plain, o->choices[i].text, o->choices[i].len, &is);
        text[i] = (ingle_term_text){o->choices[i].text, o->choices[i].len};
        if (!st && !is)
            g->status = ingle_fail(g->err, INGLE_EUNSUPPORTED,
                                   "answer: choice %zu is not plain text in the model's format", i);
    }
    if (!g->status) e = ingle_term_literals(g->t, text, o->n_choices);
    free(text);
    return e;
}

static ingle_term gbnf(tool_grammar *g, const tool_search *s)
{
    ingle_term e = INGLE_TERM_NONE;
    ingle_error err = {""};
    ingle_status st =
        ingle_gbnf_compile(g->t, g->opt->schema, g->opt->n_schema, g->names, &e, &err);
    if (st) return failed(g, st, err.text);
    ingle_term next = bytes_of(g, s, s->all_heads);
    next = ingle_term_seq(g->t, other_token(g, s), next);
    ingle_term guard = ingle_term_seq(g->t, bytes_of(g, s, true),
                                      ingle_term_repeat(g->t, next, 0, INGLE_TERM_MANY));
    return ingle_term_within(g->t, e, guard);
}

/* ---- all ------------------------------------------------------------------------------------- */

/* White space with which an answer begins and that the parser passes over. */
static const char *passed_over(const tool_grammar *g)
{
    if (g->profile->thinking && !g->profile->thinking->harmony) return "\n\r";
    return g->profile->spaced ? " \t\r\n" : "";
}

static ingle_term blanks(tool_grammar *g)
{
    uint64_t set[4] = {0};
    const char *c = passed_over(g);
    for (; *c; c++) set[0] |= 1ull << *c;
    return ingle_term_bytes(g->t, set);
}

ingle_term ingle_tools_form(tool_grammar *g, const tool_search *s)
{
    enum { BLANKS = 4 };
    tool_search own = *s;
    ingle_term e = INGLE_TERM_NONE;
    if (g->status) return e;
    if (!is_json(g) && *passed_over(g)) own.head = ingle_term_alt(g->t, own.head, blanks(g));
    switch (g->opt->form) {
    case INGLE_ANSWER_ANY: break;
    case INGLE_ANSWER_SCHEMA:
    case INGLE_ANSWER_JSON: e = json(g, &own); break;
    case INGLE_ANSWER_REGEX: e = regex(g, &own); break;
    case INGLE_ANSWER_GBNF: e = gbnf(g, &own); break;
    case INGLE_ANSWER_CHOICE: e = choice(g, &own); break;
    }
    if (!*passed_over(g)) return e;
    return ingle_term_seq(g->t, ingle_term_repeat(g->t, blanks(g), 0, BLANKS), e);
}
