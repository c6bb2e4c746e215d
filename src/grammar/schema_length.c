/* schema_length.c - see schema_length.h. */
#include "grammar/schema_length.h"
#include "grammar/schema_chars.h"
#include "grammar/table.h"

#include "base/utf8.h"

enum { MAX_PARTS = 32 };

/* Whether every text of it is one character in its one spelling. */
static bool is_char(ingle_terms *t, ingle_term e)
{
    bool empty = false;
    ingle_term other = ingle_term_minus(t, e, ingle_schema_chars(t, NULL, 0, true));
    return !ingle_term_is_empty(t, other, &empty) && empty;
}

/* Characters of a literal; SIZE_MAX if it has escapes or is cut. */
static size_t count_chars(const char *p, size_t n)
{
    size_t n_chars = 0;
    if (ingle_utf8_valid(p, n) != n || memchr(p, '\\', n)) return SIZE_MAX;
    for (size_t i = 0; i < n; i++) n_chars += ((unsigned char)p[i] & 0xc0) != 0x80;
    return n_chars;
}

/* A part of the sequence: its characters at least and at most; false: it has other texts too. */
static bool lengths_of(ingle_terms *t, ingle_term part, uint32_t *low, uint32_t *high)
{
    const ingle_node x = t->node[part];
    size_t n = 1;
    if (x.kind == TERM_REPEAT) {
        *low = x.b;
        *high = x.c;
        return is_char(t, x.a);
    }
    if (x.kind == TERM_LITERAL) n = count_chars(t->bytes + x.a, x.b);
    else if (!is_char(t, part)) return false;
    *low = *high = (uint32_t)n;
    return n != SIZE_MAX;
}

/* So many times, if the rest has `fixed` characters and all min to max. */
static ingle_term cut(ingle_terms *t, ingle_term part, uint32_t fixed, uint32_t min, uint32_t max)
{
    const ingle_node x = t->node[part];
    uint32_t low = min > fixed ? min - fixed : 0, high = x.c;
    if (max < fixed) return INGLE_TERM_NONE;
    if (low < x.b) low = x.b;
    if (max != INGLE_TERM_MANY && high > max - fixed) high = max - fixed;
    return low > high ? INGLE_TERM_NONE : ingle_term_repeat(t, x.a, low, high);
}

bool ingle_schema_limit(ingle_terms *t, ingle_term e, uint32_t min, uint32_t max, ingle_term *out)
{
    ingle_term part[MAX_PARTS];
    size_t n = 0, varies = MAX_PARTS;
    uint64_t fixed = 0;
    for (; e != INGLE_TERM_EMPTY; e = ingle_term_tail(t, e)) {
        uint32_t low, high;
        if (n == MAX_PARTS || t->status) return false;
        part[n] = ingle_term_head(t, e);
        if (!lengths_of(t, part[n], &low, &high)) return false;
        if (low != high && varies != MAX_PARTS) return false;
        if (low == high) fixed += low;
        else varies = n;
        n++;
    }
    if (fixed >= INGLE_TERM_MANY) return false;
    bool fits = fixed >= min && fixed <= max;
    if (varies != MAX_PARTS) part[varies] = cut(t, part[varies], (uint32_t)fixed, min, max);
    *out = varies != MAX_PARTS || fits ? ingle_term_seq_of(t, part, n) : INGLE_TERM_NONE;
    return !t->status;
}
