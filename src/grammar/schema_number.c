/* schema_number.c - see schema_number.h. A range is cut by the sign and by the number of digits
 * before the point; each piece compares digit by digit with its ends. */
#include "grammar/schema_number.h"
#include "grammar/schema_set.h"

enum {
    WHOLE_DIGITS = 200,     /* of a number at most, so that with an exponent it stays finite */
    EXACT_DIGITS = 15,      /* what a double keeps */
    MANY_FRACTIONS = 20000, /* of a multipleOf */
    MANY_RESTS = 15000 /* of all multipleOf together: more are too many to search for a way out */
};

static ingle_term byte_term(ingle_terms *t, char c)
{
    return ingle_term_literal(t, &c, 1);
}

static ingle_term digit(ingle_terms *t, int low, int high)
{
    if (low > high) return INGLE_TERM_NONE;
    uint64_t set[4] = {0};
    for (int x = low; x <= high; x++) set[0] |= (uint64_t)1 << ('0' + x);
    return ingle_term_bytes(t, set);
}

static ingle_term digits(ingle_terms *t, size_t min, size_t max)
{
    return ingle_term_repeat(t, digit(t, 0, 9), (uint32_t)min, (uint32_t)max);
}

/* A whole number of min to max digits, without a sign. */
static ingle_term whole(ingle_terms *t, size_t min, size_t max)
{
    ingle_term long_one =
        ingle_term_seq(t, digit(t, 1, 9), digits(t, min > 1 ? min - 1 : 0, max - 1));
    return min > 1 ? long_one : ingle_term_alt(t, byte_term(t, '0'), long_one);
}

ingle_term ingle_schema_any_integer(ingle_terms *t)
{
    ingle_term minus = ingle_term_option(t, byte_term(t, '-'));
    ingle_term not_zero = ingle_term_seq(t, digit(t, 1, 9), digits(t, 0, WHOLE_DIGITS - 1));
    return ingle_term_alt(t, byte_term(t, '0'), ingle_term_seq(t, minus, not_zero));
}

ingle_term ingle_schema_any_number(ingle_terms *t)
{
    ingle_term minus = ingle_term_option(t, byte_term(t, '-'));
    ingle_term fraction = ingle_term_seq(t, byte_term(t, '.'), digits(t, 1, 30));
    ingle_range e[] = {{'e', 'e'}, {'E', 'E'}}, sign[] = {{'-', '-'}, {'+', '+'}};
    ingle_term exponent[] = {ingle_term_chars(t, e, 2, false),
                             ingle_term_option(t, ingle_term_chars(t, sign, 2, false)),
                             digits(t, 1, 2)};
    ingle_term all[] = {minus, whole(t, 1, WHOLE_DIGITS), ingle_term_option(t, fraction),
                        ingle_term_option(t, ingle_term_seq_of(t, exponent, 3))};
    return ingle_term_seq_of(t, all, 4);
}

/* ---- ranges ---------------------------------------------------------------------------------- */

/* A bound of magnitudes; `open`: it does not belong itself; value NULL: none. */
typedef struct bound {
    const schema_decimal *value;
    bool open;
} bound;

/* Numbers with n_whole digits before the point and, if n_part is not 0, 1 to n_part after it. */
typedef struct piece {
    ingle_terms *t;
    long n_whole, n_part;
    bound low, high;
} piece;

/* The digit of a bound at a place of the piece, and whether all from there on are 0. */
static int digit_at(const piece *p, const schema_decimal *d, long place)
{
    return ingle_schema_decimal_digit(d, place - (p->n_whole - d->point));
}

static bool zeros_from(const piece *p, const schema_decimal *d, long place)
{
    return !d->n || (long)d->n <= place - (p->n_whole - d->point);
}

/* What follows before a place: the point. */
static ingle_term placed(const piece *p, long place, ingle_term rest)
{
    return place == p->n_whole && p->n_part ? ingle_term_seq(p->t, byte_term(p->t, '.'), rest)
                                            : rest;
}

static ingle_term free_from(const piece *p, long place)
{
    long n = p->n_whole + p->n_part;
    if (place > p->n_whole) return digits(p->t, 0, (size_t)(n - place));
    ingle_term part =
        p->n_part ? ingle_term_seq(p->t, byte_term(p->t, '.'), digits(p->t, 1, (size_t)p->n_part))
                  : INGLE_TERM_EMPTY;
    long before = p->n_whole - place;
    return ingle_term_seq(p->t, digits(p->t, (size_t)before, (size_t)before), part);
}

/* Ends here, after some digits of the fraction: is the number on the right side of the bound? */
static bool ends_above(const piece *p, long place)
{
    return zeros_from(p, p->low.value, place) && !p->low.open;
}

static bool ends_below(const piece *p, long place)
{
    return !zeros_from(p, p->high.value, place) || !p->high.open;
}

/* Zeros to the end, those of the fraction as many as one likes. */
static ingle_term zeros_to_end(const piece *p, long place)
{
    ingle_terms *t = p->t;
    ingle_term zero = byte_term(t, '0');
    uint32_t before = place < p->n_whole ? (uint32_t)(p->n_whole - place) : 0;
    if (place > p->n_whole)
        return ingle_term_repeat(t, zero, 0, (uint32_t)(p->n_whole + p->n_part - place));
    ingle_term whole_part = ingle_term_repeat(t, zero, before, before);
    if (!p->n_part) return whole_part;
    ingle_term part = ingle_term_repeat(t, zero, 1, (uint32_t)p->n_part);
    return ingle_term_seq(t, whole_part, ingle_term_seq(t, byte_term(t, '.'), part));
}

/* Where the bound has only zeros left (nines, in an upper one), everything is simple: *place, and
 * all texts from there on; else the end. */
static ingle_term simple_end(const piece *p, const bound *b, bool low, long *place)
{
    long n = p->n_whole + p->n_part, i = n;
    *place = n;
    if (!zeros_from(p, b->value, n)) return low ? INGLE_TERM_NONE : INGLE_TERM_EMPTY;
    while (!low && i && digit_at(p, b->value, i - 1) == 9) i--;
    if (i < n && !b->open) {
        *place = i;
        return free_from(p, i);
    }
    for (i = n; i && !digit_at(p, b->value, i - 1);) i--;
    if (!b->open || !low) *place = i;
    if (b->open) return INGLE_TERM_NONE;
    return low ? free_from(p, i) : zeros_to_end(p, i);
}

/* All remaining texts from `from` on, where the digits so far are those of one bound. */
static ingle_term along(const piece *p, long from, bool low)
{
    ingle_terms *t = p->t;
    const bound *b = low ? &p->low : &p->high;
    long end;
    ingle_term rest = simple_end(p, b, low, &end);
    if (end <= from && end < p->n_whole + p->n_part) /* from there on, it is as simple */
        return b->open                                   ? INGLE_TERM_NONE
               : low || digit_at(p, b->value, from) == 9 ? free_from(p, from)
                                                         : zeros_to_end(p, from);
    for (long place = end - 1; place >= from; place--) {
        int x = digit_at(p, b->value, place);
        ingle_term same = ingle_term_seq(t, digit(t, x, x), rest);
        ingle_term other = ingle_term_seq(t, low ? digit(t, x + 1, 9) : digit(t, 0, x - 1),
                                          free_from(p, place + 1));
        rest = ingle_term_alt(t, same, other);
        if (place > p->n_whole && (low ? ends_above(p, place) : ends_below(p, place)))
            rest = ingle_term_alt(t, rest, INGLE_TERM_EMPTY);
        rest = placed(p, place, rest);
    }
    return rest;
}

/* Texts between the two bounds, which share their digits up to `split`. */
static ingle_term between(const piece *p, long split)
{
    ingle_terms *t = p->t;
    long n = p->n_whole + p->n_part;
    ingle_term rest;
    if (split == n) {
        bool fits = !p->low.open && zeros_from(p, p->low.value, n) && ends_below(p, n);
        rest = fits ? INGLE_TERM_EMPTY : INGLE_TERM_NONE;
    } else {
        int a = digit_at(p, p->low.value, split), b = digit_at(p, p->high.value, split);
        ingle_term list[] = {ingle_term_seq(t, digit(t, a, a), along(p, split + 1, true)),
                             ingle_term_seq(t, digit(t, a + 1, b - 1), free_from(p, split + 1)),
                             ingle_term_seq(t, digit(t, b, b), along(p, split + 1, false)),
                             split > p->n_whole && ends_above(p, split) && ends_below(p, split)
                                 ? INGLE_TERM_EMPTY
                                 : INGLE_TERM_NONE};
        rest = placed(p, split, ingle_term_alt_of(t, list, 4));
    }
    for (long place = split - 1; place >= 0; place--) {
        int x = digit_at(p, p->low.value, place);
        rest = ingle_term_seq(t, digit(t, x, x), rest);
        if (place > p->n_whole && ends_above(p, place) && ends_below(p, place))
            rest = ingle_term_alt(t, rest, INGLE_TERM_EMPTY);
        rest = placed(p, place, rest);
    }
    return rest;
}

/* 10^e, or 0 for e < 0. */
static const schema_decimal *power(schema *c, long e)
{
    schema_decimal *d = ingle_schema_new(c, 1, sizeof *d);
    if (!d) return NULL;
    *d = (schema_decimal){.digits = "1", .n = e >= 0, .point = e >= 0 ? (int)e + 1 : 0};
    return d;
}

/* One piece, cut to the numbers that have so many digits. */
static ingle_term piece_term(schema *c, piece p)
{
    const schema_decimal *least = power(c, p.n_whole > 1 ? p.n_whole - 1 : -1),
                         *beyond = power(c, p.n_whole);
    if (!least || !beyond) return INGLE_TERM_NONE;
    if (!p.low.value || ingle_schema_decimal_compare(p.low.value, least) < 0)
        p.low = (bound){least, false};
    if (!p.high.value || ingle_schema_decimal_compare(p.high.value, beyond) >= 0)
        p.high = (bound){beyond, true};
    int order = ingle_schema_decimal_compare(p.low.value, p.high.value);
    if (order > 0 || (!order && (p.low.open || p.high.open))) return INGLE_TERM_NONE;
    if (p.high.value == beyond) { /* all nines */
        long n = p.n_whole + p.n_part;
        schema_decimal *nines = ingle_schema_new(c, 1, sizeof *nines);
        char *nine = ingle_schema_new(c, (size_t)n, 1);
        if (!nines || !nine) return INGLE_TERM_NONE;
        memset(nine, '9', (size_t)n);
        *nines = (schema_decimal){.digits = nine, .n = (size_t)n, .point = (int)p.n_whole};
        p.high = (bound){nines, false};
        if (ingle_schema_decimal_compare(p.low.value, nines) > 0) return INGLE_TERM_NONE;
    }
    long split = 0, n = p.n_whole + p.n_part;
    while (split < n && digit_at(&p, p.low.value, split) == digit_at(&p, p.high.value, split))
        split++;
    return between(&p, split);
}

static long digits_before(const schema_decimal *d)
{
    return d->point > 1 ? d->point : 1;
}

/* Whole magnitudes in a range. */
static ingle_term whole_range(schema *c, bound low, bound high)
{
    long first = low.value ? digits_before(low.value) : 1;
    long last = high.value ? digits_before(high.value) : WHOLE_DIGITS;
    if (!high.value && last < first) last = first;
    ingle_term list[3] = {0};
    if (first > last) return INGLE_TERM_NONE;
    list[0] = piece_term(c, (piece){c->t, first, 0, low, high});
    if (last > first) list[1] = piece_term(c, (piece){c->t, last, 0, low, high});
    if (last > first + 1) list[2] = whole(c->t, (size_t)first + 1, (size_t)last - 1);
    return ingle_term_alt_of(c->t, list, 3);
}

/* Magnitudes in a range, with a point. */
static ingle_term part_range(schema *c, bound low, bound high)
{
    ingle_term list[EXACT_DIGITS];
    size_t n = 0;
    for (long i = 1; i < EXACT_DIGITS; i++)
        list[n++] = piece_term(c, (piece){c->t, i, EXACT_DIGITS - i, low, high});
    return ingle_term_alt_of(c->t, list, n);
}

/* ---- multiples ------------------------------------------------------------------------------- */

static uint64_t gcd(uint64_t a, uint64_t b)
{
    while (b) {
        uint64_t r = a % b;
        a = b;
        b = r;
    }
    return a;
}

typedef struct multiple {
    schema *c;
    uint64_t g, by; /* fractions are multiples of g; the whole part counts modulo `by` */
    uint64_t tens;  /* 10^scale */
    unsigned scale;
} multiple;

/* Fractions f of `scale` digits, in steps of g, that go with whole parts of one rest: with the
 * zeros at their end and without. */
static void put_fraction(multiple *m, uint64_t f, ingle_term_text *texts, size_t *n, char *memory)
{
    char *p = memory + *n * (m->scale + 2);
    p[0] = '.';
    for (unsigned i = m->scale; i; i--, f /= 10) p[i] = (char)('0' + f % 10);
    for (unsigned len = m->scale;; len--) {
        texts[(*n)++] = (ingle_term_text){p, len ? len + 1 : 0};
        if (!len || p[len] != '0') break;
    }
}

static ingle_term fractions(multiple *m, uint64_t rest, size_t n_fractions)
{
    schema *c = m->c;
    size_t max = n_fractions * (m->scale + 1) + 1, n = 0;
    ingle_term_text *texts = ingle_schema_new(c, max, sizeof *texts);
    char *memory = ingle_schema_new(c, max, m->scale + 2);
    if (!texts || !memory || !ingle_schema_work(c, n_fractions)) return INGLE_TERM_NONE;
    for (uint64_t f = 0; f < m->tens; f += m->g)
        /* whole * tens + f is a multiple of g * by: whole * (tens / g) = -f / g modulo by */
        if ((rest * (m->tens / m->g % m->by) + f / m->g) % m->by == 0)
            put_fraction(m, f, texts, &n, memory);
    return ingle_term_literals(c->t, texts, n);
}

/* by as a power of ten; false: it is none. */
static bool power_of_ten(uint64_t by, uint32_t *zeros)
{
    for (*zeros = 0; by % 10 == 0; by /= 10) ++*zeros;
    return by == 1;
}

/* Whole parts of this rest. */
static ingle_term whole_rest(const multiple *m, uint64_t rest)
{
    ingle_terms *t = m->c->t;
    uint32_t zeros;
    if (m->by == 1) return digits(t, 1, INGLE_TERM_MANY);
    if (!rest && power_of_ten(m->by, &zeros))
        return ingle_term_alt(
            t, byte_term(t, '0'),
            ingle_term_seq(t, digits(t, 1, INGLE_TERM_MANY),
                           ingle_term_repeat(t, byte_term(t, '0'), zeros, zeros)));
    return ingle_term_multiple(t, (uint32_t)m->by, (uint32_t)rest);
}

/* Multiples with and without a fraction, none with a zero too many. */
static ingle_term shortest(multiple *m, bool *can)
{
    ingle_terms *t = m->c->t;
    if (!m->scale) return whole_rest(m, 0);
    if (m->g == 1 && m->by == 1) { /* 10^-scale */
        ingle_term part = ingle_term_seq(t, byte_term(t, '.'), digits(t, 1, m->scale));
        return ingle_term_seq(t, digits(t, 1, INGLE_TERM_MANY), ingle_term_option(t, part));
    }
    size_t n_fractions = (size_t)(m->tens / m->g);
    *can = n_fractions <= MANY_FRACTIONS && n_fractions * m->by <= 10 * (uint64_t)MANY_FRACTIONS;
    ingle_term all = INGLE_TERM_NONE;
    for (uint64_t rest = 0; *can && rest < m->by; rest++)
        all = ingle_term_alt(
            t, all, ingle_term_seq(t, whole_rest(m, rest), fractions(m, rest, n_fractions)));
    return all;
}

/* The same, and with zeros after the fraction. */
static ingle_term with_zeros(multiple *m, ingle_term e)
{
    ingle_terms *t = m->c->t;
    ingle_term any = digits(t, 1, INGLE_TERM_MANY), point = byte_term(t, '.');
    ingle_term zeros = ingle_term_repeat(t, byte_term(t, '0'), 1, INGLE_TERM_MANY);
    ingle_term split[] = {any, point, any}, none[] = {whole_rest(m, 0), point, zeros};
    ingle_term parts = ingle_term_and(t, e, ingle_term_seq_of(t, split, 3));
    ingle_term list[] = {e, ingle_term_seq_of(t, none, 3), ingle_term_seq(t, parts, zeros)};
    return ingle_term_alt_of(t, list, m->scale ? 3 : 2);
}

/* Digits, with a fraction perhaps, that are a multiple; `whole_only`: no fraction is asked for.
 * *rests is multiplied by how many rests there are. */
static ingle_term multiple_term(schema *c, const schema_decimal *d, bool whole_only,
                                uint64_t *rests, bool *can)
{
    uint64_t mantissa;
    uint32_t zeros;
    multiple m = {.c = c, .tens = 1};
    *can = ingle_schema_decimal_scaled(d, &mantissa, &m.scale) && m.scale <= 18;
    if (!*can) return INGLE_TERM_NONE;
    for (unsigned i = 0; i < m.scale; i++) m.tens *= 10;
    m.g = gcd(mantissa, m.tens);
    m.by = mantissa / m.g;
    *rests *= power_of_ten(m.by, &zeros) ? zeros + 1 : m.by < INT32_MAX ? m.by : INT32_MAX;
    *can = *rests <= MANY_RESTS;
    if (!*can) return INGLE_TERM_NONE;
    if (whole_only) return whole_rest(&m, 0);
    ingle_term e = shortest(&m, can);
    return *can ? with_zeros(&m, e) : INGLE_TERM_NONE;
}

/* ---- sets of numbers ------------------------------------------------------------------------- */

static bool in_range(const schema_shape *s, const schema_decimal *d)
{
    int low = s->low ? ingle_schema_decimal_compare(d, s->low) : 1;
    int high = s->high ? ingle_schema_decimal_compare(d, s->high) : -1;
    return (low > 0 || (!low && !s->low_open)) && (high < 0 || (!high && !s->high_open));
}

static bool decimal_is(schema *c, const schema_shape *s, const schema_decimal *d,
                       const ingle_json *but)
{
    int type = ingle_schema_decimal_whole(d) ? TYPE_INTEGER : TYPE_FRACTION;
    if (!(s->types & (unsigned)type) || !in_range(s, d)) return false;
    for (const schema_fact *f = s->facts; f; f = f->next) {
        bool known = true, is = true;
        if (f->kind == FACT_NUMBERS && (f->node != but || f->negated))
            is = ingle_schema_set_has_number(c, f->node, d);
        else if (f->kind == FACT_MULTIPLE)
            is = ingle_schema_decimal_multiple(d, f->decimal, &known);
        else continue;
        if (!known)
            return ingle_schema_fail(c, INGLE_EUNSUPPORTED, f->where, "multipleOf",
                                     "has too many digits");
        if (is == f->negated) return false;
    }
    return true;
}

bool ingle_schema_number_is(schema *c, const schema_shape *s, const ingle_json *number)
{
    const schema_decimal *d = ingle_schema_number_of(c, number);
    return d && decimal_is(c, s, d, NULL);
}

/* The numbers of a set that the rest of the shape allows, as they are written. */
static ingle_term set_term(schema *c, const schema_shape *s, const ingle_json *set)
{
    ingle_json_walk w;
    bool first = true;
    size_t n = 0;
    ingle_term_text *texts =
        ingle_schema_new(c, set->kind == INGLE_JSON_ARRAY ? set->len : 1, sizeof *texts);
    if (!texts) return INGLE_TERM_NONE;
    for (const ingle_json *v; (v = ingle_schema_set_next(set, &w, &first));) {
        if (v->kind != INGLE_JSON_NUMBER) continue;
        const schema_decimal *d = ingle_schema_number_of(c, v);
        if (d && decimal_is(c, s, d, set)) texts[n++] = (ingle_term_text){v->text, v->len};
    }
    return n ? ingle_term_literals(c->t, texts, n) : INGLE_TERM_NONE;
}

/* ---- numbers of a shape ---------------------------------------------------------------------- */

/* Intersection or difference, found empty if it is. */
static ingle_term with(schema *c, ingle_term a, ingle_term b, bool negated)
{
    if (a == INGLE_TERM_NONE) return a;
    return negated ? ingle_term_minus(c->t, a, b) : ingle_term_and(c->t, a, b);
}

/* Takes the numbers out that a "not one of" names, on one side of zero. */
static ingle_term without_set(schema *c, ingle_term e, const ingle_json *set, bool negative)
{
    ingle_json_walk w;
    bool first = true;
    ingle_term out = INGLE_TERM_NONE;
    for (const ingle_json *v; (v = ingle_schema_set_next(set, &w, &first));) {
        if (v->kind != INGLE_JSON_NUMBER) continue;
        const schema_decimal *d = ingle_schema_number_of(c, v);
        if (!d || !ingle_schema_work(c, 20)) continue;
        if (d->n && d->negative != negative) continue;
        if (!d->n && negative) continue;
        schema_decimal *size = ingle_schema_new(c, 1, sizeof *size);
        if (!size) return INGLE_TERM_NONE;
        *size = *d;
        size->negative = false;
        bound b = {size, false};
        ingle_term both[] = {out, whole_range(c, b, b), part_range(c, b, b)};
        out = ingle_term_alt_of(c->t, both, 3);
    }
    return out == INGLE_TERM_NONE ? e : with(c, e, out, true);
}

/* Of a text with a point: some digit after it is not 0. */
static ingle_term not_whole(ingle_terms *t)
{
    ingle_term list[] = {digits(t, 1, INGLE_TERM_MANY), byte_term(t, '.'),
                         digits(t, 0, INGLE_TERM_MANY), digit(t, 1, 9),
                         digits(t, 0, INGLE_TERM_MANY)};
    return ingle_term_seq_of(t, list, 5);
}

static bool narrow(schema *c, const schema_shape *s, bool negative, ingle_term *e)
{
    bool whole_only = !(s->types & TYPE_FRACTION), can;
    uint64_t rests = 1;
    for (const schema_fact *f = s->facts; f && *e != INGLE_TERM_NONE; f = f->next) {
        if (f->kind == FACT_NUMBERS && f->negated) {
            *e = without_set(c, *e, f->node, negative);
        } else if (f->kind == FACT_MULTIPLE) {
            ingle_term multiples = multiple_term(c, f->decimal, whole_only, &rests, &can);
            if (can) *e = with(c, *e, multiples, f->negated);
            else if (!ingle_schema_drop(c, f->where, "multipleOf",
                                        "cannot be enforced for so large or so fine a number"))
                return false;
            else rests = 1;
        }
    }
    return true;
}

/* Numbers on one side of zero, without the sign. */
static ingle_term side(schema *c, const schema_shape *s, bound low, bound high, bool negative)
{
    ingle_term e = INGLE_TERM_NONE;
    bool empty = true;
    if (s->types & TYPE_INTEGER) e = whole_range(c, low, high);
    if (s->types & TYPE_FRACTION) {
        ingle_term part = part_range(c, low, high);
        if (!(s->types & TYPE_INTEGER)) part = with(c, part, not_whole(c->t), false);
        e = ingle_term_alt(c->t, e, part);
    }
    if (e == INGLE_TERM_NONE || !narrow(c, s, negative, &e)) return INGLE_TERM_NONE;
    ingle_status st = ingle_term_is_empty(c->t, e, &empty);
    if (st && !c->status) ingle_schema_fail(c, st, NULL, NULL, "numbers that are too hard to find");
    return empty ? INGLE_TERM_NONE : e;
}

static bound turned(schema *c, const schema_decimal *d, bool open)
{
    schema_decimal *size = d ? ingle_schema_new(c, 1, sizeof *size) : NULL;
    if (!size) return (bound){0};
    *size = *d;
    size->negative = false;
    return (bound){size, open};
}

static ingle_term ranged(schema *c, const schema_shape *s)
{
    const schema_decimal *zero = power(c, -1);
    if (!zero) return INGLE_TERM_NONE;
    ingle_term above = INGLE_TERM_NONE, below = INGLE_TERM_NONE;
    if (!s->high || !s->high->negative) {
        bool inside = s->low && !s->low->negative;
        above = side(c, s, inside ? (bound){s->low, s->low_open} : (bound){zero, false},
                     (bound){s->high, s->high_open}, false);
    }
    if (!s->low || s->low->negative) {
        bool inside = s->high && s->high->negative;
        below = side(c, s, inside ? turned(c, s->high, s->high_open) : (bound){zero, true},
                     turned(c, s->low, s->low_open), true);
    }
    return ingle_term_alt(c->t, above, ingle_term_seq(c->t, byte_term(c->t, '-'), below));
}

ingle_term ingle_schema_number_term(schema *c, const schema_shape *s)
{
    bool bare = !s->low && !s->high;
    for (const schema_fact *f = s->facts; f; f = f->next) {
        if (f->kind == FACT_NUMBERS && !f->negated) return set_term(c, s, f->node);
        bare &= f->kind != FACT_NUMBERS && f->kind != FACT_MULTIPLE;
    }
    if (bare && (s->types & TYPE_NUMBER) == TYPE_NUMBER) return ingle_schema_any_number(c->t);
    if (bare && (s->types & TYPE_INTEGER)) return ingle_schema_any_integer(c->t);
    return ranged(c, s);
}
