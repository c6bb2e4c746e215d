/* grammar_tools_harmony.c - answers of messages with channels (grammar_tools.h, and
 * chat/parse_harmony.c):
 *     <|channel|>analysis<|message|>...<|end|><|start|>assistant<|channel|>commentary
 *     to=functions.NAME <|constrain|>json<|message|>{...}<|call|>
 * The prompt ends with <|start|>assistant, or in the middle of a thought. A recipient may also
 * stand before the channel. A call is the last message. */
#include "model/grammar_tools.h"

static const char channel[] = "<|channel|>", message[] = "<|message|>";

static ingle_term seq(tool_grammar *g, ingle_term a, ingle_term b)
{
    return ingle_term_seq(g->t, a, b);
}

/* What ends a message: a text without it may stand in one that is no call. */
static tool_search ends_of(void)
{
    static const char *const ends[] = {"<|end|>", "<|return|>", "<|call|>", "<|start|>", channel};
    tool_search s = {.n = 0};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) ingle_tools_look_for(&s, ends[i]);
    return s;
}

/* The name of the channel up to the message. */
static ingle_term header(tool_grammar *g, const char *name)
{
    ingle_term e = seq(g, ingle_tools_mark(g, channel), ingle_tools_text(g, name));
    return seq(g, e, ingle_tools_mark(g, message));
}

/* That the message is JSON. */
static ingle_term constraint(tool_grammar *g)
{
    ingle_term space = ingle_term_option(g->t, ingle_tools_text(g, " "));
    ingle_term mark = ingle_tools_mark(g, "<|constrain|>");
    ingle_term word = ingle_tools_text(g, "json");
    ingle_term marked = seq(g, seq(g, space, mark), word);
    return ingle_term_option(g->t, ingle_term_alt(g->t, marked, ingle_tools_text(g, " json")));
}

static ingle_term to(tool_grammar *g, const ingle_tool *tool)
{
    return seq(g, ingle_tools_text(g, " to=functions."),
               ingle_term_literal(g->t, tool->name->text, tool->name->len));
}

static ingle_term call(tool_grammar *g, ingle_tool *tool)
{
    ingle_terms *t = g->t;
    ingle_term mark = ingle_tools_mark(g, channel), recipient = to(g, tool);
    ingle_term name =
        ingle_term_alt(t, ingle_tools_text(g, "commentary"), ingle_tools_text(g, "analysis"));
    const ingle_term after[] = {mark, name, recipient, constraint(g)};
    const ingle_term before[] = {recipient, mark, name, constraint(g)};
    const ingle_term all[] = {
        ingle_term_alt(t, ingle_term_seq_of(t, after, 4), ingle_term_seq_of(t, before, 4)),
        ingle_tools_mark(g, message), ingle_tools_args(g, ingle_call_syntax_named("harmony"), tool),
        ingle_term_option(t, ingle_tools_mark(g, "<|call|>"))};
    return ingle_term_seq_of(t, all, 4);
}

static ingle_term calls(tool_grammar *g)
{
    const ingle_call_syntax *s = ingle_call_syntax_named("harmony");
    ingle_term e = INGLE_TERM_NONE;
    for (size_t i = 0; i < g->n_tools; i++)
        if (ingle_tools_is_name(s, g->tools[i].name))
            e = ingle_term_alt(g->t, e, call(g, &g->tools[i]));
    return e;
}

/* A last message that calls nothing. */
static ingle_term last(tool_grammar *g, ingle_term text)
{
    ingle_terms *t = g->t;
    ingle_term end =
        ingle_term_alt(t, ingle_tools_mark(g, "<|return|>"), ingle_tools_mark(g, "<|end|>"));
    ingle_term head = ingle_term_alt(t, header(g, "analysis"), header(g, "commentary"));
    ingle_term json = seq(g, ingle_tools_mark(g, channel), ingle_tools_text(g, "final"));
    const ingle_answer_form form = g->opt->form;
    const tool_search ends = ends_of();
    if (form <= INGLE_ANSWER_JSON) json = seq(g, json, constraint(g));
    json = seq(g, json, ingle_tools_mark(g, message));
    if (form) text = seq(g, json, ingle_tools_form(g, &ends));
    else text = seq(g, ingle_term_alt(t, head, json), text);
    return seq(g, text, ingle_term_option(t, end));
}

ingle_term ingle_tools_harmony(tool_grammar *g)
{
    ingle_terms *t = g->t;
    tool_search body = ends_of();
    ingle_tools_search(g, &body);
    ingle_term text = body.without, ends = g->opt->no_calls ? INGLE_TERM_NONE : calls(g);
    ingle_term turn = seq(g, ingle_tools_mark(g, "<|end|>"), ingle_tools_mark(g, "<|start|>"));
    turn = seq(g, turn, ingle_tools_text(g, "assistant"));
    ingle_term head = header(g, "analysis");
    if (!g->opt->required && !g->opt->form)
        head =
            ingle_term_alt(t, head, ingle_term_alt(t, header(g, "commentary"), header(g, "final")));
    ingle_term before = seq(g, seq(g, head, text), turn);
    if (!g->opt->required) ends = ingle_term_alt(t, ends, last(g, text));
    ingle_term all = seq(g, ingle_term_repeat(t, before, 0, INGLE_TERM_MANY), ends);
    if (!g->opt->thinks) return all;
    ingle_term rest = seq(g, turn, all);
    if (!g->opt->required && !g->opt->form) rest = ingle_term_option(t, rest);
    return seq(g, text, rest);
}
