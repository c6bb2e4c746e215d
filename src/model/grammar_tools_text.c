/* grammar_tools_text.c - marks and free text (grammar_tools.h). */
#include "model/grammar_tools.h"

#include <string.h>

enum { MARK_TOKENS = 32 };

ingle_term ingle_tools_text(tool_grammar *g, const char *text)
{
    return ingle_term_literal(g->t, text, strlen(text));
}

ingle_term ingle_tools_blank(tool_grammar *g)
{
    static const uint64_t set[4] = {1ull << ' ' | 1ull << '\n' | 1ull << '\t' | 1ull << '\r'};
    return ingle_term_repeat(g->t, ingle_term_bytes(g->t, set), 0, 64);
}

/* ---- marks ----------------------------------------------------------------------------------- */

/* A mark with control tokens: what it is, and the first of them; -1: there is none. */
typedef struct spelling {
    ingle_term term;
    int32_t first;
    bool begins; /* nothing comes before the first one */
} spelling;

static const char *find(const char *text, const char *part, size_t n)
{
    size_t len = strlen(text);
    for (; len >= n; text++, len--)
        if (!memcmp(text, part, n)) return text;
    return NULL;
}

static spelling spell(tool_grammar *g, const char *mark)
{
    int32_t token[MARK_TOKENS];
    size_t n = 0;
    spelling s = {INGLE_TERM_EMPTY, -1, false};
    const char *from = mark;
    if (!g->vocab ||
        ingle_vocab_tokenize(g->vocab, mark, strlen(mark), INGLE_PARSE_SPECIAL | INGLE_CONTINUE,
                             token, MARK_TOKENS, &n, NULL))
        n = 0;
    for (size_t i = 0; i < n; i++) {
        ingle_token_info info = {.size = sizeof info};
        if (ingle_vocab_token(g->vocab, token[i], &info, NULL) || !info.control) continue;
        const char *at = find(from, info.text, info.len);
        if (!at) continue;
        s.term = ingle_term_seq(g->t, s.term, ingle_term_literal(g->t, from, (size_t)(at - from)));
        if (s.first < 0) s.begins = at == mark;
        if (s.first < 0) s.first = token[i];
        if (!info.eog)
            s.term = ingle_term_seq(g->t, s.term, ingle_term_token(g->t, token[i], false));
        from = at + info.len;
    }
    s.term = ingle_term_seq(g->t, s.term, ingle_tools_text(g, from));
    return s;
}

ingle_term ingle_tools_mark(tool_grammar *g, const char *mark)
{
    return mark ? spell(g, mark).term : INGLE_TERM_EMPTY;
}

int32_t ingle_tools_first_token(tool_grammar *g, const char *mark)
{
    return spell(g, mark).first;
}

/* ---- what else may stand in free text -------------------------------------------------------- */

typedef struct tokens {
    int32_t token[4 * TOOLS_MARKS];
    size_t n;
} tokens;

static bool has(const tokens *list, int32_t token)
{
    for (size_t i = 0; i < list->n; i++)
        if (list->token[i] == token) return true;
    return false;
}

static void add(tool_grammar *g, tokens *list, const char *mark)
{
    if (!mark || list->n == sizeof list->token / sizeof *list->token) return;
    spelling s = spell(g, mark);
    ingle_token_info info = {.size = sizeof info};
    if (s.first < 0 || has(list, s.first) || ingle_vocab_token(g->vocab, s.first, &info, NULL) ||
        info.eog)
        return;
    list->token[list->n++] = s.first;
}

/* The control tokens that the family writes. */
static tokens of_family(tool_grammar *g)
{
    const ingle_thinking *k = g->profile->thinking;
    tokens list = {.n = 0};
    for (size_t i = 0; k && i < 2; i++) {
        add(g, &list, k->open[i]);
        add(g, &list, k->close[i]);
    }
    for (size_t i = 0; k && i < sizeof k->passed_over / sizeof *k->passed_over; i++)
        add(g, &list, k->passed_over[i]);
    for (size_t i = 0; i < INGLE_PROFILE_CALLS && g->profile->calls[i]; i++) {
        const ingle_call_syntax *s = g->profile->calls[i];
        const char *const marks[] = {s->section, s->section_close, s->open, s->close};
        for (size_t m = 0; m < sizeof marks / sizeof *marks; m++) add(g, &list, marks[m]);
    }
    return list;
}

static ingle_term other_tokens(tool_grammar *g, const tool_search *s)
{
    tokens marks = {.n = 0}, all = of_family(g);
    ingle_term e = INGLE_TERM_NONE;
    for (size_t i = 0; i < s->n; i++) add(g, &marks, s->mark[i]);
    for (size_t i = 0; i < all.n; i++)
        if (!has(&marks, all.token[i]))
            e = ingle_term_alt(g->t, e, ingle_term_token(g->t, all.token[i], false));
    return e;
}

/* ---- free text ------------------------------------------------------------------------------- */

size_t ingle_tools_look_for(tool_search *s, const char *mark)
{
    if (!mark) return SIZE_MAX;
    for (size_t i = 0; i < s->n; i++)
        if (!strcmp(s->mark[i], mark)) return i;
    if (s->n == TOOLS_MARKS) return SIZE_MAX;
    s->mark[s->n] = mark;
    return s->n++;
}

ingle_term ingle_tools_narrow(tool_grammar *g, const tool_search *s, ingle_term e, bool head)
{
    ingle_terms *t = g->t;
    const ingle_term never[] = {INGLE_TERM_ANY, s->never, INGLE_TERM_ANY};
    if (s->never != INGLE_TERM_NONE) e = ingle_term_minus(t, e, ingle_term_seq_of(t, never, 3));
    if (head && s->head != INGLE_TERM_NONE)
        e = ingle_term_minus(t, e, ingle_term_seq(t, s->head, INGLE_TERM_ANY));
    return e;
}

/* Text between two tokens, or from the beginning to the first: then `head` matters. */
void ingle_tools_bytes(tool_grammar *g, tool_search *s)
{
    ingle_term_text text[TOOLS_MARKS];
    for (size_t i = 0; i < s->n; i++) text[i] = (ingle_term_text){s->mark[i], strlen(s->mark[i])};
    if (s->n) ingle_term_search(g->t, text, s->n, &s->without, s->until);
    else s->without = INGLE_TERM_ANY;
}

void ingle_tools_search(tool_grammar *g, tool_search *s)
{
    ingle_terms *t = g->t;
    ingle_term other = other_tokens(g, s);
    ingle_tools_bytes(g, s);
    ingle_term first = ingle_tools_narrow(g, s, s->without, true);
    ingle_term next = ingle_tools_narrow(g, s, s->without, s->all_heads);
    /* what comes before the last token */
    ingle_term more = ingle_term_repeat(t, ingle_term_seq(t, next, other), 0, INGLE_TERM_MANY);
    ingle_term before = ingle_term_seq(t, ingle_term_seq(t, first, other), more);
    for (size_t i = 0; i < s->n; i++) {
        spelling m = spell(g, s->mark[i]);
        ingle_term at_first = ingle_tools_narrow(g, s, s->until[i], true);
        ingle_term at_next = ingle_tools_narrow(g, s, s->until[i], s->all_heads);
        if (m.first >= 0) {
            at_first = ingle_term_alt(t, at_first, ingle_term_seq(t, first, m.term));
            at_next = ingle_term_alt(t, at_next, ingle_term_seq(t, next, m.term));
        }
        s->until[i] = ingle_term_alt(t, at_first, ingle_term_seq(t, before, at_next));
    }
    s->without = ingle_term_alt(t, first, ingle_term_seq(t, before, next));
}
