/* regex_lang.c - see regex_lang.h. In names of variables, b: some text comes before, a: some comes
 * after. */
#include "grammar/regex_lang.h"

#include "grammar/table.h"

regex_lang ingle_regex_same(ingle_term e)
{
    return (regex_lang){{{e, e}, {e, e}}};
}

regex_lang ingle_regex_anchor(bool begin)
{
    regex_lang l = ingle_regex_same(INGLE_TERM_EMPTY);
    l.t[1][1] = INGLE_TERM_NONE;
    if (begin) l.t[1][0] = INGLE_TERM_NONE;
    else l.t[0][1] = INGLE_TERM_NONE;
    return l;
}

bool ingle_regex_is_same(const regex_lang *l)
{
    return l->t[0][0] == l->t[0][1] && l->t[0][0] == l->t[1][0] && l->t[0][0] == l->t[1][1];
}

ingle_term ingle_regex_some(const regex_langs *x, ingle_term e)
{
    return e == x->any ? x->some : ingle_term_some(x->t, e);
}

/* e if it may be empty, so that what is beside it makes the text alone. */
static ingle_term alone(const regex_langs *x, ingle_term e, ingle_term beside)
{
    return ingle_term_nullable(x->t, e) ? beside : INGLE_TERM_NONE;
}

/* One of the two makes the text alone if the other is empty there; else each stands beside text. */
static ingle_term join(const regex_langs *x, const regex_lang *e, const regex_lang *f, int b, int a)
{
    ingle_terms *t = x->t;
    ingle_term e_last = e->t[b][a], e_more = e->t[b][1]; /* what follows it is empty; is not */
    ingle_term f_first = f->t[b][a], f_more = f->t[1][a];
    if (e_last == e_more && f_first == f_more) return ingle_term_seq(t, e_more, f_more);
    if (f_first == f_more)
        return ingle_term_alt(t, ingle_term_seq(t, e_more, ingle_regex_some(x, f_more)),
                              alone(x, f_more, e_last));
    if (e_last == e_more)
        return ingle_term_alt(t, ingle_term_seq(t, ingle_regex_some(x, e_more), f_more),
                              alone(x, e_more, f_first));
    bool empty = ingle_term_nullable(t, e_last) && ingle_term_nullable(t, f_first);
    ingle_term both = ingle_term_seq(t, ingle_regex_some(x, e_more), ingle_regex_some(x, f_more));
    ingle_term all[] = {both, alone(x, e_more, ingle_regex_some(x, f_first)),
                        alone(x, f_more, ingle_regex_some(x, e_last)),
                        empty ? INGLE_TERM_EMPTY : INGLE_TERM_NONE};
    return ingle_term_alt_of(t, all, sizeof all / sizeof *all);
}

regex_lang ingle_regex_join(const regex_langs *x, const regex_lang *e, const regex_lang *f)
{
    regex_lang l;
    if (ingle_regex_is_same(e) && ingle_regex_is_same(f))
        return ingle_regex_same(ingle_term_seq(x->t, e->t[0][0], f->t[0][0]));
    for (int i = 0; i < 4; i++) l.t[i / 2][i % 2] = join(x, e, f, i / 2, i % 2);
    return l;
}

/* Times that are empty count too, if they can be: before the text, after it, or within. */
static ingle_term times(const regex_langs *x, const regex_lang *e, uint32_t min, uint32_t max,
                        int b, int a)
{
    ingle_terms *t = x->t;
    bool beside = ingle_term_nullable(t, e->t[b][1]) || ingle_term_nullable(t, e->t[1][a]);
    bool within = beside || ingle_term_nullable(t, e->t[1][1]);
    bool none = !min || ingle_term_nullable(t, e->t[b][a]);
    uint32_t least = within || min < 2 ? 2 : min;
    ingle_term all[3] = {none ? INGLE_TERM_EMPTY : INGLE_TERM_NONE};
    if (max >= 1 && (min <= 1 || beside)) all[1] = ingle_regex_some(x, e->t[b][a]);
    if (max >= least) {
        ingle_term middle = ingle_regex_some(x, e->t[1][1]);
        uint32_t most = max == INGLE_TERM_MANY ? INGLE_TERM_MANY : max - 2;
        ingle_term list[] = {ingle_regex_some(x, e->t[b][1]),
                             ingle_term_repeat(t, middle, least - 2, most),
                             ingle_regex_some(x, e->t[1][a])};
        all[2] = ingle_term_seq_of(t, list, 3);
    }
    return ingle_term_alt_of(t, all, 3);
}

regex_lang ingle_regex_times(const regex_langs *x, const regex_lang *e, uint32_t min, uint32_t max)
{
    regex_lang l;
    if (ingle_regex_is_same(e))
        return ingle_regex_same(ingle_term_repeat(x->t, e->t[0][0], min, max));
    for (int i = 0; i < 4; i++) l.t[i / 2][i % 2] = times(x, e, min, max, i / 2, i % 2);
    return l;
}

static ingle_term keep(const regex_langs *x, ingle_term e, ingle_term which, bool negative)
{
    return negative ? ingle_term_minus(x->t, e, which) : ingle_term_and(x->t, e, which);
}

regex_lang ingle_regex_ahead(const regex_langs *x, const regex_lang *e, const regex_lang *look,
                             bool negative)
{
    regex_lang l;
    for (int b = 0; b < 2; b++) {
        ingle_term which = ingle_term_seq(x->t, look->t[b][1], x->any);
        for (int a = 0; a < 2; a++) l.t[b][a] = keep(x, e->t[b][a], which, negative);
    }
    return l;
}

regex_lang ingle_regex_behind(const regex_langs *x, const regex_lang *e, const regex_lang *look,
                              bool negative)
{
    regex_lang l;
    for (int a = 0; a < 2; a++) {
        ingle_term first = look->t[0][a], later = look->t[1][a];
        ingle_term which = ingle_term_seq(x->t, first == later ? x->any : x->some, later);
        if (first != later) which = ingle_term_alt(x->t, first, which);
        for (int b = 0; b < 2; b++) l.t[b][a] = keep(x, e->t[b][a], which, negative);
    }
    return l;
}
