/* schema_text.c - see schema_text.h. */
#include "grammar/schema_text.h"

enum { MAX_INDENT = 20 };

ingle_term ingle_schema_space(schema *c)
{
    if (c->opt->compact) return INGLE_TERM_EMPTY;
    if (c->space) return c->space;
    ingle_range blank[] = {{' ', ' '}, {'\t', '\t'}};
    ingle_term indent =
        ingle_term_repeat(c->t, ingle_term_chars(c->t, blank, 2, false), 0, MAX_INDENT);
    ingle_term list[] = {INGLE_TERM_EMPTY, ingle_term_literal(c->t, " ", 1),
                         ingle_term_seq(c->t, ingle_term_literal(c->t, "\n", 1), indent)};
    return c->space = ingle_term_alt_of(c->t, list, 3);
}

ingle_term ingle_schema_sign(schema *c, char sign, bool before, bool after)
{
    ingle_term space = ingle_schema_space(c);
    ingle_term list[] = {before ? space : INGLE_TERM_EMPTY, ingle_term_literal(c->t, &sign, 1),
                         after ? space : INGLE_TERM_EMPTY};
    return ingle_term_seq_of(c->t, list, 3);
}

ingle_term ingle_schema_word_text(const schema *c, unsigned i)
{
    static const char *const json[] = {"null", "true", "false"};
    const char *const *words = c->opt->notation ? c->opt->notation->words : json;
    const char *text = words[i] ? words[i] : json[i];
    return ingle_term_literal(c->t, text, strlen(text));
}
