/* schema_chars.c - see schema_chars.h. */
#include "grammar/schema_chars.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LAST = 0x10ffff };

static const char *escape_of(uint32_t c, char out[8])
{
    static const char names[] = "\bb\tt\nn\ff\rr\"\"\\\\";
    for (size_t i = 0; i + 1 < sizeof names; i += 2)
        if ((uint32_t)names[i] == c) {
            snprintf(out, 8, "\\%c", names[i + 1]);
            return out;
        }
    snprintf(out, 8, "\\u%04x", (unsigned)c & 0xffff);
    return out;
}

size_t ingle_schema_spell(const char *p, size_t len, char out[8])
{
    unsigned char c = (unsigned char)*p;
    if (c < 0x20 || c == '"' || c == '\\') return strlen(escape_of(c, out));
    memcpy(out, p, len);
    return len;
}

static int by_low(const void *a, const void *b)
{
    const ingle_range *x = a, *y = b;
    return x->low < y->low ? -1 : x->low > y->low;
}

/* Sorted, joined and, where it is so, turned round; returns how many: at most n + 1. */
static size_t tidy(ingle_range *list, size_t n, bool outside)
{
    size_t n_out = 0;
    uint32_t from = 0;
    qsort(list, n, sizeof *list, by_low);
    for (size_t i = 0; i < n; i++) {
        if (list[i].low > list[i].high || list[i].low > LAST) continue;
        if (n_out && list[i].low <= list[n_out - 1].high + 1) {
            if (list[i].high > list[n_out - 1].high) list[n_out - 1].high = list[i].high;
        } else {
            list[n_out++] = list[i];
        }
    }
    if (!outside) return n_out;
    size_t n_gaps = 0;
    for (size_t i = 0; i < n_out; i++) {
        ingle_range r = list[i];
        if (r.low > from) list[n_gaps++] = (ingle_range){from, r.low - 1};
        from = r.high >= LAST ? LAST + 1 : r.high + 1;
    }
    if (from <= LAST) list[n_gaps++] = (ingle_range){from, LAST};
    return n_gaps;
}

/* The part of sorted ranges that JSON lets stand as it is. */
static size_t plain_of(const ingle_range *list, size_t n, ingle_range *out)
{
    static const ingle_range plain[] = {{0x20, '"' - 1}, {'"' + 1, '\\' - 1}, {'\\' + 1, LAST}};
    size_t n_out = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < 3; k++) {
            uint32_t low = list[i].low > plain[k].low ? list[i].low : plain[k].low;
            uint32_t high = list[i].high < plain[k].high ? list[i].high : plain[k].high;
            if (low <= high) out[n_out++] = (ingle_range){low, high};
        }
    return n_out;
}

static ingle_term escapes_of(ingle_terms *t, const ingle_range *list, size_t n)
{
    ingle_term_text texts[34];
    char memory[34][8];
    size_t n_texts = 0;
    for (uint32_t c = 0; c <= '\\'; c++) {
        if (c >= 0x20 && c != '"' && c != '\\') continue;
        for (size_t i = 0; i < n; i++) {
            if (c < list[i].low || c > list[i].high) continue;
            const char *e = escape_of(c, memory[n_texts]);
            texts[n_texts++] = (ingle_term_text){e, strlen(e)};
            break;
        }
    }
    return n_texts ? ingle_term_literals(t, texts, n_texts) : INGLE_TERM_NONE;
}

ingle_term ingle_schema_chars(ingle_terms *t, const ingle_range *ranges, size_t n, bool outside)
{
    ingle_range *list = calloc(4 * n + 4, sizeof *list);
    if (!list) {
        ingle_terms_fail(t, INGLE_ENOMEM, "no memory");
        return INGLE_TERM_NONE;
    }
    if (n) memcpy(list, ranges, n * sizeof *list);
    size_t n_list = tidy(list, n, outside);
    ingle_range *plain = list + n_list;
    /* 3 * (n + 1) at most: a range that crosses both '"' and '\' is one of few */
    size_t n_plain = plain_of(list, n_list, plain);
    ingle_term whole = n_plain ? ingle_term_chars(t, plain, n_plain, false) : INGLE_TERM_NONE;
    whole = ingle_term_alt(t, whole, escapes_of(t, list, n_list));
    free(list);
    return whole;
}

/* ---- any spelling ---------------------------------------------------------------------------- */

static ingle_term one_of(ingle_terms *t, const char *chars)
{
    ingle_range list[32];
    size_t n = 0;
    for (; chars[n]; n++) list[n] = (ingle_range){(uint32_t)chars[n], (uint32_t)chars[n]};
    return ingle_term_chars(t, list, n, false);
}

ingle_term ingle_schema_any_char(ingle_terms *t)
{
    static const ingle_range plain[] = {{0x20, '"' - 1}, {'"' + 1, '\\' - 1}, {'\\' + 1, LAST}};
    ingle_term hex = one_of(t, "0123456789abcdefABCDEF");
    ingle_term two = ingle_term_seq(t, hex, hex);
    ingle_term u = ingle_term_literal(t, "\\u", 2), d = one_of(t, "dD");
    ingle_term below[] = {u, one_of(t, "0123456789abcefABCEF"), hex, two};
    ingle_term in_d[] = {u, d, one_of(t, "01234567"), two};
    ingle_term pair[] = {u, d, one_of(t, "89abAB"), two, u, d, one_of(t, "cdefCDEF"), two};
    ingle_term all[] = {ingle_term_chars(t, plain, 3, false),
                        ingle_term_seq(t, ingle_term_literal(t, "\\", 1), one_of(t, "\"\\/bfnrt")),
                        ingle_term_seq_of(t, below, 4), ingle_term_seq_of(t, in_d, 4),
                        ingle_term_seq_of(t, pair, 8)};
    return ingle_term_alt_of(t, all, 5);
}
