/* grammar_tools_answer.c - answers: free text, thinking, and the calls between (grammar_tools.h).
 *
 * An answer is segments, each ended by the mark of a call or of thinking, and a last one. Where a
 * segment begins the parser takes a call that nothing announces, and thinking whose mark would be
 * ordinary text elsewhere. An answer that begins like such a call may still be text: only what has
 * the name of a tool and goes on to its arguments has to be one. */
#include "model/grammar_tools.h"

#include <string.h>

enum { MOST_CALLS = 2 * INGLE_PROFILE_CALLS };

typedef struct answer {
    tool_grammar *g;
    /* What a mark begins: [n_calls], in the order in which the parser looks for marks. */
    const char *mark[MOST_CALLS];
    ingle_term call[MOST_CALLS];
    bool own[MOST_CALLS]; /* the mark with which models begin a call of its row */
    size_t n_calls;
    ingle_term bare; /* what nothing announces, at the beginning of a segment */
    /* Calls whose mark is ordinary text, with the mark. */
    ingle_term prose;
    ingle_term prose_head, bare_head; /* with what they begin */
} answer;

/* ---- what begins calls ----------------------------------------------------------------------- */

static void add_mark(answer *a, const char *mark, const ingle_call_syntax *s, bool section)
{
    for (size_t i = 0; i < a->n_calls; i++)
        if (!strcmp(a->mark[i], mark)) return; /* the first counts */
    ingle_term call = INGLE_TERM_NONE;
    if (!a->g->opt->no_calls)
        call = section ? ingle_tools_section(a->g, s) : ingle_tools_call(a->g, s);
    if (call == INGLE_TERM_NONE && !a->g->opt->no_calls) return;
    a->mark[a->n_calls] = mark;
    a->own[a->n_calls] = !strcmp(mark, ingle_call_trigger(s));
    a->call[a->n_calls++] = call;
}

static void add_prose(answer *a, const ingle_call_syntax *s)
{
    ingle_terms *t = a->g->t;
    ingle_term mark = ingle_tools_text(a->g, s->section);
    ingle_term call = ingle_term_seq(t, mark, ingle_tools_section(a->g, s));
    ingle_term head = ingle_term_seq(t, mark, ingle_tools_bare_head(a->g, s));
    a->prose = ingle_term_alt(t, a->prose, call);
    a->prose_head = ingle_term_alt(t, a->prose_head, head);
}

static void find_calls(answer *a)
{
    ingle_terms *t = a->g->t;
    const ingle_call_syntax *const *s = a->g->profile->calls;
    for (size_t i = 0; i < INGLE_PROFILE_CALLS && s[i]; i++)
        if (s[i]->prose && !a->g->opt->no_calls) add_prose(a, s[i]);
        else if (!s[i]->prose && s[i]->section) add_mark(a, s[i]->section, s[i], true);
    for (size_t i = 0; i < INGLE_PROFILE_CALLS && s[i]; i++) {
        if (s[i]->open && s[i]->kind != INGLE_CALL_OBJECT) add_mark(a, s[i]->open, s[i], false);
        if (s[i]->open || s[i]->section || a->g->opt->no_calls) continue;
        a->bare = ingle_term_alt(t, a->bare, ingle_tools_bare(a->g, s[i]));
        a->bare_head = ingle_term_alt(t, a->bare_head, ingle_tools_bare_head(a->g, s[i]));
    }
}

/* ---- thinking -------------------------------------------------------------------------------- */

static bool begins_in_thinking(const tool_grammar *g)
{
    return g->opt->thinks && g->profile->thinking;
}

/* From inside of thinking to its end. */
typedef struct thought {
    ingle_term closed; /* with the mark that closes it */
    ingle_term called; /* with a call that ends it */
    ingle_term open;   /* it goes on to the end of the answer */
} thought;

static thought think(answer *a)
{
    tool_grammar *g = a->g;
    const ingle_thinking *k = g->profile->thinking;
    tool_search s = {.n = 0};
    thought x = {0};
    size_t n_close;
    if (!k) return x;
    ingle_tools_look_for(&s, k->close[0]);
    ingle_tools_look_for(&s, k->close[1]);
    n_close = s.n;
    if (g->profile->family->calls_in_thinking)
        for (size_t i = 0; i < a->n_calls; i++) ingle_tools_look_for(&s, a->mark[i]);
    ingle_tools_search(g, &s);
    x.open = s.without;
    for (size_t i = 0; i < s.n; i++)
        if (i < n_close) x.closed = ingle_term_alt(g->t, x.closed, s.until[i]);
        else
            x.called = ingle_term_alt(g->t, x.called,
                                      ingle_term_seq(g->t, s.until[i], a->call[i - n_close]));
    return x;
}

/* The marks that open thinking, at the beginning of a segment. */
static ingle_term think_marks(answer *a)
{
    ingle_terms *t = a->g->t;
    const ingle_thinking *k = a->g->profile->thinking;
    ingle_term e = INGLE_TERM_NONE;
    for (size_t i = 0; k && i < 2; i++)
        if (k->open[i]) e = ingle_term_alt(t, e, ingle_tools_mark(a->g, k->open[i]));
    return ingle_term_seq(t, ingle_tools_blank(a->g), e);
}

/* ---- answers that must call ------------------------------------------------------------------ */

/* One call, or as many as the family writes; nothing else. */
static ingle_term only_calls(answer *a)
{
    tool_grammar *g = a->g;
    ingle_term marked = a->prose;
    for (size_t i = 0; i < a->n_calls; i++)
        if (a->own[i])
            marked = ingle_term_alt(
                g->t, marked, ingle_term_seq(g->t, ingle_tools_mark(g, a->mark[i]), a->call[i]));
    ingle_term next = ingle_term_seq(g->t, g->space, marked);
    bool one = g->opt->one || (g->profile->calls[0] && g->profile->calls[0]->one);
    if (!one)
        marked = ingle_term_seq(g->t, marked, ingle_term_repeat(g->t, next, 0, INGLE_TERM_MANY));
    return ingle_term_seq(g->t, ingle_tools_blank(g), ingle_term_alt(g->t, marked, a->bare));
}

/* Thinking, closed or ended by a call, then `rest`; opened at most so many times. */
static ingle_term after_thinking(answer *a, ingle_term rest, uint32_t most)
{
    tool_grammar *g = a->g;
    ingle_terms *t = g->t;
    thought x = think(a);
    ingle_term marks = think_marks(a);
    ingle_term again = ingle_term_seq(t, marks, x.closed);
    ingle_term first = begins_in_thinking(g) ? x.closed : INGLE_TERM_EMPTY;
    ingle_term before = ingle_term_seq(t, first, ingle_term_repeat(t, again, 0, most));
    ingle_term called = begins_in_thinking(g) ? x.called : INGLE_TERM_NONE;
    if (most) {
        ingle_term left = most == INGLE_TERM_MANY ? before : first;
        called =
            ingle_term_alt(t, called, ingle_term_seq(t, left, ingle_term_seq(t, marks, x.called)));
    }
    return ingle_term_alt(t, ingle_term_seq(t, before, rest), called);
}

/* ---- free answers ---------------------------------------------------------------------------- */

/* The segments of an answer. */
typedef struct segments {
    ingle_term thinking; /* ends where thinking does */
    ingle_term calling;  /* ends with a call */
    ingle_term last;     /* ends the answer */
} segments;

static segments segments_of(answer *a)
{
    tool_grammar *g = a->g;
    ingle_terms *t = g->t;
    const ingle_thinking *k = g->profile->thinking;
    tool_search s = {.never = a->prose_head, .head = a->bare_head};
    segments x = {0};
    thought inner = think(a);
    for (size_t i = 0; i < a->n_calls; i++) ingle_tools_look_for(&s, a->mark[i]);
    for (size_t i = 0; k && k->anywhere && i < 2; i++) ingle_tools_look_for(&s, k->open[i]);
    ingle_tools_search(g, &s);
    x.last = s.without;
    ingle_term open = think_marks(a);
    for (size_t i = 0; i < s.n; i++) {
        ingle_term call = i < a->n_calls ? a->call[i] : INGLE_TERM_NONE;
        if (i >= a->n_calls) open = ingle_term_alt(t, open, s.until[i]);
        x.calling = ingle_term_alt(t, x.calling, ingle_term_seq(t, s.until[i], call));
    }
    x.calling = ingle_term_alt(t, x.calling, ingle_term_seq(t, s.without, a->prose));
    x.calling = ingle_term_alt(t, x.calling, ingle_term_seq(t, ingle_tools_blank(g), a->bare));
    x.calling = ingle_term_alt(t, x.calling, ingle_term_seq(t, open, inner.called));
    x.thinking = ingle_term_seq(t, open, inner.closed);
    x.last = ingle_term_alt(t, x.last, ingle_term_seq(t, open, inner.open));
    return x;
}

static ingle_term free_answer(answer *a)
{
    tool_grammar *g = a->g;
    ingle_terms *t = g->t;
    const ingle_call_syntax *s = g->profile->calls[0];
    bool one = g->opt->one || (s && s->one);
    thought inner = think(a);
    segments x = segments_of(a);
    ingle_term thinking = ingle_term_repeat(t, x.thinking, 0, INGLE_TERM_MANY), all;
    if (one) {
        ingle_term after = ingle_term_seq(t, thinking, x.last);
        ingle_term call = ingle_term_alt(t, INGLE_TERM_EMPTY, x.calling);
        all = ingle_term_seq(t, thinking, ingle_term_seq(t, call, after));
    } else {
        ingle_term any = ingle_term_alt(t, x.thinking, x.calling);
        all = ingle_term_seq(t, ingle_term_repeat(t, any, 0, INGLE_TERM_MANY), x.last);
    }
    if (!begins_in_thinking(g)) return all;
    const ingle_term ways[] = {ingle_term_seq(t, inner.closed, all),
                               ingle_term_seq(t, inner.called, one ? x.last : all), inner.open};
    return ingle_term_alt_of(t, ways, 3);
}

/* ---- answers whose text has a form, or that call nothing -------------------------------------- */

static ingle_term formed_answer(answer *a)
{
    tool_grammar *g = a->g;
    tool_search s = {.n = 0};
    ingle_tools_plain(g, &s, false);
    ingle_term text = ingle_tools_form(g, &s);
    if (!g->opt->no_calls) text = ingle_term_alt(g->t, only_calls(a), text);
    return after_thinking(a, text, !begins_in_thinking(g));
}

/* Free text and thinking. */
static ingle_term callless_answer(answer *a)
{
    tool_grammar *g = a->g;
    ingle_terms *t = g->t;
    const ingle_thinking *k = g->profile->thinking;
    tool_search s = {.n = 0};
    thought inner = think(a);
    ingle_tools_plain(g, &s, true);
    ingle_tools_search(g, &s);
    ingle_term open = think_marks(a);
    for (size_t i = 0; k && k->anywhere && i < 2; i++)
        if (k->open[i])
            open = ingle_term_alt(t, open, s.until[ingle_tools_look_for(&s, k->open[i])]);
    ingle_term thinking = ingle_term_seq(t, open, inner.closed);
    ingle_term last = ingle_term_alt(t, s.without, ingle_term_seq(t, open, inner.open));
    ingle_term all = ingle_term_seq(t, ingle_term_repeat(t, thinking, 0, INGLE_TERM_MANY), last);
    if (!begins_in_thinking(g)) return all;
    return ingle_term_alt(t, ingle_term_seq(t, inner.closed, all), inner.open);
}

/* ---- answers whose prompt has opened a head -------------------------------------------------- */

/* A recipient and what goes to it, once or several times, each after the mark but the first. */
static ingle_term opened_answer(answer *a, const ingle_call_syntax *s)
{
    tool_grammar *g = a->g;
    ingle_terms *t = g->t;
    const bool formed = g->opt->form != INGLE_ANSWER_ANY;
    tool_search search = {.n = 0};
    ingle_term mark = ingle_tools_mark(g, s->open);
    ingle_term call = g->opt->no_calls ? INGLE_TERM_NONE : ingle_tools_call(g, s);
    ingle_tools_look_for(&search, s->open);
    ingle_tools_search(g, &search);
    ingle_term words =
        ingle_term_seq(t, ingle_tools_text(g, s->no_call), ingle_tools_text(g, "\n"));
    ingle_term text = g->opt->required ? INGLE_TERM_NONE : ingle_term_seq(t, words, search.without);
    if (formed) text = ingle_term_seq(t, words, ingle_tools_form(g, &search));
    if (g->opt->no_calls) return text;
    if (formed || g->opt->one) {
        ingle_term before = formed ? INGLE_TERM_NONE : ingle_term_seq(t, text, mark);
        call = ingle_term_seq(t, ingle_term_alt(t, INGLE_TERM_EMPTY, before), call);
        if (g->opt->one) return ingle_term_alt(t, text, call);
    }
    ingle_term part = formed ? call : ingle_term_alt(t, text, call);
    ingle_term next = ingle_term_seq(t, ingle_term_seq(t, g->space, mark), part);
    part = ingle_term_seq(t, part, ingle_term_repeat(t, next, 0, INGLE_TERM_MANY));
    return formed ? ingle_term_alt(t, text, part) : part;
}

/* ---- all ------------------------------------------------------------------------------------- */

ingle_term ingle_tools_answer(tool_grammar *g)
{
    answer a = {.g = g};
    const ingle_call_syntax *s = g->profile->calls[0];
    const ingle_thinking *k = g->profile->thinking;
    if ((k && k->harmony) || (s && s->kind == INGLE_CALL_HARMONY)) return ingle_tools_harmony(g);
    if (s && s->opened) return opened_answer(&a, s);
    find_calls(&a);
    if (!g->opt->no_calls && !a.n_calls && a.bare == INGLE_TERM_NONE &&
        a.prose == INGLE_TERM_NONE) {
        if (!g->status && !ingle_terms_status(g->t))
            g->status = ingle_fail(g->err, INGLE_EUNSUPPORTED,
                                   "the model's format has no way to call one of these tools");
        return INGLE_TERM_NONE;
    }
    if (g->opt->required) return after_thinking(&a, only_calls(&a), INGLE_TERM_MANY);
    if (g->opt->form != INGLE_ANSWER_ANY) return formed_answer(&a);
    return g->opt->no_calls ? callless_answer(&a) : free_answer(&a);
}
