/* chars.c - classes of characters: one character as UTF-8, byte by byte. */
#include "grammar/table.h"

enum { SURROGATES = 0xd800, AFTER_SURROGATES = 0xe000, BEYOND = 0x110000, MAX_CLASSES = 10000 };

/* ---- making ---------------------------------------------------------------------------------- */

static int by_low(const void *a, const void *b)
{
    const ingle_range *x = a, *y = b;
    return (x->low > y->low) - (x->low < y->low);
}

/* The ranges sorted and joined, in place, without surrogates; there is room for one more. */
static size_t tidy(ingle_range *r, size_t n)
{
    size_t kept = 0;
    qsort(r, n, sizeof *r, by_low);
    for (size_t i = 0; i < n; i++) {
        if (kept && r[i].low <= r[kept - 1].high + 1) {
            if (r[i].high > r[kept - 1].high) r[kept - 1].high = r[i].high;
        } else r[kept++] = r[i];
    }
    return kept;
}

static bool add_range(ingle_terms *t, ingle_char_class *c, uint32_t low, uint32_t high)
{
    if (low < SURROGATES && high >= AFTER_SURROGATES)
        return add_range(t, c, low, SURROGATES - 1) && add_range(t, c, AFTER_SURROGATES, high);
    if (low >= SURROGATES && low < AFTER_SURROGATES) low = AFTER_SURROGATES;
    if (high >= SURROGATES && high < AFTER_SURROGATES) high = SURROGATES - 1;
    if (high >= BEYOND) high = BEYOND - 1;
    if (low > high) return true;
    for (uint32_t b = low; b <= high && b < 0x80; b++) c->ascii[b >> 6] |= (uint64_t)1 << (b & 63);
    c->n++;
    return ingle_words_push(t, &t->words, low) && ingle_words_push(t, &t->words, high);
}

/* Whether all characters from low to high, surrogates aside, belong to the class. */
static bool holds_all(const ingle_terms *t, const ingle_char_class *c, uint32_t low, uint32_t high)
{
    const uint32_t *r = t->words.at + c->range;
    for (uint32_t i = 0; i < c->n && low <= high; i++) {
        if (r[2 * i + 1] < low) continue;
        if (r[2 * i] > low) return false;
        low = r[2 * i + 1] + 1;
        if (low == SURROGATES) low = AFTER_SURROGATES;
    }
    return low > high;
}

static bool holds_some(const ingle_terms *t, const ingle_char_class *c, uint32_t low, uint32_t high)
{
    const uint32_t *r = t->words.at + c->range;
    size_t from = 0, to = c->n; /* the first range that ends at low or later */
    while (from < to) {
        size_t mid = (from + to) / 2;
        if (r[2 * mid + 1] < low) from = mid + 1;
        else to = mid;
    }
    return from < c->n && r[2 * from] <= high;
}

/* The number of an equal class, or of this new one. */
static uint32_t class_number(ingle_terms *t, const ingle_char_class *c)
{
    const uint32_t *w = t->words.at;
    for (uint32_t i = 0; i < t->n_classes; i++) {
        const ingle_char_class *o = &t->class[i];
        if (o->n != c->n || memcmp(w + o->range, w + c->range, 2 * c->n * sizeof *w)) continue;
        t->words.n = c->range;
        return i;
    }
    if (t->n_classes == MAX_CLASSES) {
        ingle_terms_fail(t, INGLE_EUNSUPPORTED,
                         "the grammar has more than %d classes of characters", MAX_CLASSES);
        return 0;
    }
    if (!ingle_grow(&t->class, &t->cap_classes, t->n_classes + 1, sizeof *t->class)) {
        ingle_terms_fail(t, INGLE_ENOMEM, "no memory for a grammar");
        return 0;
    }
    t->class[t->n_classes] = *c;
    return (uint32_t)t->n_classes++;
}

ingle_term ingle_term_chars(ingle_terms *t, const ingle_range *ranges, size_t n, bool outside)
{
    if (t->status) return INGLE_TERM_NONE;
    ingle_range *r = ingle_new(n + 1, sizeof *r);
    if (!r) return ingle_terms_fail(t, INGLE_ENOMEM, "no memory for a grammar"), INGLE_TERM_NONE;
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (ranges[i].low <= ranges[i].high && ranges[i].low < BEYOND) r[kept++] = ranges[i];
    kept = tidy(r, kept);
    ingle_char_class c = {.range = (uint32_t)t->words.n};
    bool ok = true;
    uint32_t next = 0;
    for (size_t i = 0; i < kept && ok; i++) {
        if (!outside) ok = add_range(t, &c, r[i].low, r[i].high);
        else if (r[i].low > next) ok = add_range(t, &c, next, r[i].low - 1);
        next = r[i].high + 1;
    }
    if (ok && outside) ok = add_range(t, &c, next, BEYOND - 1);
    free(r);
    if (!ok || !c.n) return INGLE_TERM_NONE;
    c.all_high = holds_all(t, &c, 0x80, BEYOND - 1);
    return ingle_term_intern(t, TERM_CHARS, class_number(t, &c), 0, 0);
}

/* ---- deriving -------------------------------------------------------------------------------- */

/* The characters whose code points begin with these bits, with `rest` bytes of 6 bits to come: of
 * those the ones that are not overlong. */
static void span_of(uint32_t bits, unsigned rest, uint32_t *low, uint32_t *high)
{
    *low = bits << 6 * rest;
    *high = ((bits + 1) << 6 * rest) - 1;
    uint32_t least = rest == 3 ? 0x10000 : rest == 2 ? 0x800 : 0x80;
    if (bits == 0 && *low < least) *low = least;
    if (*high >= BEYOND) *high = BEYOND - 1;
}

/* A part of any character. Which one it is matters no more, unless some continuations of these bits
 * are ill-formed. */
static ingle_term any_part(ingle_terms *t, uint32_t bits, unsigned rest)
{
    uint32_t low, high;
    span_of(bits, rest, &low, &high);
    if (low > high || (low >= SURROGATES && high < AFTER_SURROGATES)) return INGLE_TERM_NONE;
    if (!rest) return INGLE_TERM_EMPTY;
    bool narrow =
        (rest == 2 && (bits == 0 || bits == 0xd)) || (rest == 3 && (bits == 0 || bits == 4));
    return ingle_term_intern(t, TERM_PART, INGLE_UNKNOWN, narrow ? bits : 1, rest);
}

/* What remains of a class after some bytes of a character. */
static ingle_term part(ingle_terms *t, uint32_t class, uint32_t bits, unsigned rest)
{
    uint32_t low, high;
    span_of(bits, rest, &low, &high);
    if (low > high || !holds_some(t, &t->class[class], low, high)) return INGLE_TERM_NONE;
    if (!rest) return INGLE_TERM_EMPTY;
    if (holds_all(t, &t->class[class], low, high)) return any_part(t, bits, rest);
    return ingle_term_intern(t, TERM_PART, class, bits, rest);
}

/* After a continuation byte. */
static ingle_term continued(ingle_terms *t, const ingle_node *x, unsigned char b)
{
    if ((b & 0xc0) != 0x80) return INGLE_TERM_NONE;
    uint32_t bits = x->b << 6 | (b & 0x3f);
    if (bits < (x->c == 3 ? 0x10 : x->c == 2 ? 0x20 : 0)) return INGLE_TERM_NONE; /* overlong */
    if (x->a == INGLE_UNKNOWN) return any_part(t, bits, x->c - 1);
    return part(t, x->a, bits, x->c - 1);
}

static ingle_term begun(ingle_terms *t, uint32_t class, unsigned char b)
{
    if (b < 0x80)
        return t->class[class].ascii[b >> 6] >> (b & 63) & 1 ? INGLE_TERM_EMPTY : INGLE_TERM_NONE;
    if (b < 0xc2 || b > 0xf4) return INGLE_TERM_NONE;
    if (b < 0xe0) return part(t, class, b & 0x1f, 1);
    if (b < 0xf0) return part(t, class, b & 0xf, 2);
    return part(t, class, b & 7, 3);
}

static ingle_term derive(ingle_terms *t, ingle_term e, unsigned char b)
{
    const ingle_node x = t->node[e];
    return x.kind == TERM_CHARS ? begun(t, x.a, b) : continued(t, &x, b);
}

/* The bytes from low to high, in one of which b lies, that have the same derivative. */
static void add_same(ingle_terms *t, ingle_term e, ingle_term to, unsigned low, unsigned high,
                     ingle_byte_set *same)
{
    for (unsigned b = low; b <= high; b++)
        if (derive(t, e, (unsigned char)b) == to) ingle_set_add(same, (unsigned char)b);
}

ingle_term ingle_chars_derive(ingle_terms *t, ingle_term e, unsigned char b, ingle_byte_set *same)
{
    ingle_term to = derive(t, e, b);
    *same = (ingle_byte_set){{0}};
    if (t->node[e].kind == TERM_PART) {
        if (to == INGLE_TERM_NONE) *same = (ingle_byte_set){{~0ull, ~0ull, 0, ~0ull}};
        add_same(t, e, to, 0x80, 0xbf, same);
        return to;
    }
    const ingle_char_class *c = &t->class[t->node[e].a];
    if (to == INGLE_TERM_EMPTY) *same = (ingle_byte_set){{c->ascii[0], c->ascii[1], 0, 0}};
    else if (to == INGLE_TERM_NONE) {
        *same = ingle_chars_first(t, e);
        for (size_t i = 0; i < 4; i++) same->word[i] = ~same->word[i];
    } else if (b < 0xe0) add_same(t, e, to, 0xc2, 0xdf, same);
    else if (b < 0xf0) add_same(t, e, to, 0xe0, 0xef, same);
    else add_same(t, e, to, 0xf0, 0xf4, same);
    return to;
}

/* Whether the class has a character that begins with byte b, which is no ASCII. */
static bool may_begin(const ingle_terms *t, const ingle_char_class *c, unsigned char b)
{
    uint32_t low, high;
    if (b < 0xe0) span_of(b & 0x1f, 1, &low, &high);
    else if (b < 0xf0) span_of(b & 0xf, 2, &low, &high);
    else span_of(b & 7, 3, &low, &high);
    return low <= high && holds_some(t, c, low, high);
}

ingle_byte_set ingle_chars_first(const ingle_terms *t, ingle_term e)
{
    const ingle_node *x = &t->node[e];
    if (x->kind == TERM_PART) return (ingle_byte_set){{0, 0, ~0ull, 0}}; /* or fewer */
    const ingle_char_class *c = &t->class[x->a];
    ingle_byte_set s = {{c->ascii[0], c->ascii[1], 0, 0}};
    for (unsigned b = 0xc2; b <= 0xf4; b++)
        if (may_begin(t, c, (unsigned char)b)) ingle_set_add(&s, (unsigned char)b);
    return s;
}
