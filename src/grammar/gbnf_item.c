/* gbnf_item.c - see gbnf_item.h. */
#include "grammar/gbnf_item.h"

#include "base/mem.h"

void ingle_gbnf_skip_space(ingle_source *s, bool lines)
{
    for (; s->at < s->end; s->at++) {
        char c = *s->at;
        if (c == '#') {
            while (s->at < s->end && *s->at != '\n' && *s->at != '\r') s->at++;
            c = ingle_source_look(s, 0);
            if (s->at == s->end) return;
        }
        bool skips = c == ' ' || c == '\t' || (lines && (c == '\n' || c == '\r'));
        if (!skips) return;
    }
}

/* ---- characters ------------------------------------------------------------------------------ */

ingle_status ingle_gbnf_char(ingle_source *s, uint32_t *code)
{
    static const char plain[] = "\\\"[]-", named[] = "nrt", meant[] = "\n\r\t";
    const char *begin = s->at;
    *code = ingle_source_char(s);
    if (*code != '\\') return INGLE_OK;
    char c = ingle_source_look(s, 0);
    size_t n_digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    if (n_digits) {
        s->at++;
        ingle_status st = ingle_source_hex(s, n_digits, code);
        return st ? st : ingle_source_check(s, begin, *code);
    }
    const char *name = c ? strchr(named, c) : NULL;
    if (!name && (!c || !strchr(plain, c)))
        return ingle_source_expected(s, s->at, "one of nrtxuU\\\"[]- after '\\'");
    *code = (unsigned char)(name ? meant[name - named] : c);
    s->at++;
    return INGLE_OK;
}

/* One character of a class or a range of them. */
static ingle_status read_range(ingle_source *s, ingle_range *range)
{
    const char *begin = s->at;
    ingle_status st = ingle_gbnf_char(s, &range->low);
    if (st) return st;
    range->high = range->low;
    bool more = ingle_source_left(s) > 1 && s->at[0] == '-' && s->at[1] != ']';
    if (!more) return INGLE_OK;
    s->at++;
    st = ingle_gbnf_char(s, &range->high);
    if (!st && range->high < range->low)
        st = ingle_source_fail(s, INGLE_EFORMAT, begin,
                               "the range begins with U+%04X and ends before it, with U+%04X",
                               (unsigned)range->low, (unsigned)range->high);
    return st;
}

ingle_status ingle_gbnf_class(ingle_source *s, ingle_terms *t, ingle_term *out)
{
    const char *begin = s->at++;
    bool outside = ingle_source_skip(s, '^');
    ingle_range *ranges = NULL;
    size_t n = 0, cap = 0;
    ingle_status st = INGLE_OK;
    while (!st && s->at < s->end && *s->at != ']') {
        if (n == cap && !ingle_grow(&ranges, &cap, n + 1, sizeof *ranges))
            st = ingle_source_fail(s, INGLE_ENOMEM, begin, "no memory for a class");
        else st = read_range(s, &ranges[n++]);
    }
    if (!st && s->at == s->end)
        st = ingle_source_fail(s, INGLE_EFORMAT, begin,
                               "the class that begins here has no end: found the end of the "
                               "grammar, expected ']'");
    else if (!st && !n) st = ingle_source_expected(s, s->at, "a character or a range in the class");
    if (!st) {
        s->at++;
        *out = ingle_term_chars(t, ranges, n, outside);
    }
    free(ranges);
    return st;
}

/* ---- tokens ---------------------------------------------------------------------------------- */

/* What follows '<' in <[1000]>. */
static ingle_status read_number(ingle_source *s, const ingle_token_names *names, int32_t *token)
{
    uint32_t number;
    const char *begin = ++s->at;
    ingle_status st = ingle_source_number(s, &number);
    if (st) return st;
    if (!ingle_source_is_at(s, "]>")) return ingle_source_expected(s, s->at, "']>'");
    s->at += 2;
    if (!names)
        return ingle_source_fail(s, INGLE_EUNSUPPORTED, begin,
                                 "a token by its number, <[%u]>, where there is no vocabulary",
                                 (unsigned)number);
    if (number >= (uint32_t)names->n_tokens)
        return ingle_source_fail(s, INGLE_EFORMAT, begin,
                                 "found token %u, expected one below %d, which is how many the "
                                 "vocabulary has",
                                 (unsigned)number, (int)names->n_tokens);
    *token = (int32_t)number;
    return INGLE_OK;
}

/* <text>, which *len bytes are, with the brackets. */
static ingle_status read_text(ingle_source *s, size_t *len)
{
    const char *begin = s->at;
    while (s->at < s->end && *s->at != '>' && *s->at != '\n' && *s->at != '\r') s->at++;
    *len = (size_t)(s->at - begin) + 1;
    if (ingle_source_skip(s, '>')) return INGLE_OK;
    return ingle_source_expected(s, s->at, "'>', which ends a token's text");
}

static ingle_status find_token(const ingle_source *s, const ingle_token_names *names,
                               const char *text, size_t len, int32_t *token)
{
    *token = names->find(names->self, text, len);
    if (*token >= 0) return INGLE_OK;
    return ingle_source_fail(s, INGLE_EFORMAT, text,
                             "found '%.*s', expected the text of a token: the vocabulary has no "
                             "such token",
                             (int)(len < 80 ? len : 80), text);
}

ingle_status ingle_gbnf_token(ingle_source *s, ingle_terms *t, const ingle_token_names *names,
                              ingle_term *out)
{
    bool other = ingle_source_skip(s, '!');
    const char *begin = s->at;
    int32_t token = -1;
    size_t len = 0;
    ingle_status st;
    if (ingle_source_look(s, 0) != '<')
        return ingle_source_expected(s, s->at, "'<', which begins a token");
    if (ingle_source_look(s, 1) == '[') {
        s->at++;
        st = read_number(s, names, &token);
    } else if (!(st = read_text(s, &len)) && names) {
        st = find_token(s, names, begin, len, &token);
    } else if (!st && other) {
        st = ingle_source_fail(s, INGLE_EUNSUPPORTED, begin,
                               "'any token but this' where there is no vocabulary");
    }
    if (st) return st;
    *out = token < 0 ? ingle_term_literal(t, begin, len) : ingle_term_token(t, token, other);
    return INGLE_OK;
}

/* ---- counts ---------------------------------------------------------------------------------- */

static ingle_status read_count(ingle_source *s, bool lines, uint32_t *n)
{
    const char *begin = s->at;
    ingle_status st = ingle_source_number(s, n);
    if (!st && *n == INGLE_TERM_MANY)
        st = ingle_source_fail(s, INGLE_EUNSUPPORTED, begin, "a count beyond %u",
                               (unsigned)INGLE_TERM_MANY - 1);
    ingle_gbnf_skip_space(s, lines);
    return st;
}

/* What follows '{'. */
static ingle_status read_counts(ingle_source *s, bool lines, uint32_t *min, uint32_t *max)
{
    const char *begin = s->at;
    ingle_gbnf_skip_space(s, lines);
    ingle_status st = read_count(s, lines, min);
    if (st) return st;
    *max = *min;
    char c = ingle_source_look(s, 0);
    if (c != ',' && c != '}') return ingle_source_expected(s, s->at, "',' or '}'");
    if (ingle_source_skip(s, ',')) {
        ingle_gbnf_skip_space(s, lines);
        c = ingle_source_look(s, 0);
        *max = INGLE_TERM_MANY;
        if (c >= '0' && c <= '9') st = read_count(s, lines, max);
        else if (c != '}') st = ingle_source_expected(s, s->at, "a number or '}'");
        if (st) return st;
    }
    if (!ingle_source_skip(s, '}')) return ingle_source_expected(s, s->at, "'}'");
    if (*max < *min)
        return ingle_source_fail(s, INGLE_EFORMAT, begin,
                                 "at least %u times and at most %u: expected a larger number last",
                                 (unsigned)*min, (unsigned)*max);
    return INGLE_OK;
}

ingle_status ingle_gbnf_counts(ingle_source *s, bool lines, uint32_t *min, uint32_t *max)
{
    char c = *s->at++;
    if (c == '{') return read_counts(s, lines, min, max);
    *min = c == '+';
    *max = c == '?' ? 1 : INGLE_TERM_MANY;
    return INGLE_OK;
}
