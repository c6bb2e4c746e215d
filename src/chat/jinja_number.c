/* jinja_number.c - see jinja_number.h. */
#include "chat/jinja_number.h"

#include "chat/jinja_text.h"

#include "base/number.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#define LIMB 1000000000u
enum { LIMB_DIGITS = 9, MAX_LIMBS = JINJA_MAX_DIGITS / LIMB_DIGITS + 2 };

/* ---- whole numbers --------------------------------------------------------------------------- */

/* The limbs of v, which may be those of a small number in `room`. */
typedef struct limbs {
    const uint32_t *at;
    uint32_t n;
    bool negative;
    uint32_t room[3];
} limbs;

static void limbs_of(const jinja_value *v, limbs *l)
{
    if (v->kind == JINJA_BIG) {
        *l = (limbs){.at = v->u.big->limb, .n = v->u.big->n, .negative = v->u.big->negative};
        return;
    }
    int64_t i = v->kind == JINJA_BOOL ? v->u.b : v->u.i;
    uint64_t x = i < 0 ? 0 - (uint64_t)i : (uint64_t)i;
    l->n = 0;
    l->negative = i < 0;
    for (; x; x /= LIMB) l->room[l->n++] = (uint32_t)(x % LIMB);
    l->at = l->room;
}

/* A value of n limbs, high zeros allowed. */
static bool make(jinja_arena *a, const uint32_t *limb, uint32_t n, bool negative, bool trusted,
                 jinja_value *out)
{
    while (n && !limb[n - 1]) n--;
    uint64_t x = 0;
    bool fits = n <= 3;
    for (uint32_t i = n; fits && i-- > 0;)
        fits = !__builtin_mul_overflow(x, LIMB, &x) && !__builtin_add_overflow(x, limb[i], &x);
    if (fits && x <= (uint64_t)INT64_MAX + negative) {
        *out = ingle_jinja_int((int64_t)(negative ? 0 - x : x), trusted);
        return true;
    }
    if (n >= MAX_LIMBS) return false;
    jinja_big *b = ingle_jinja_new(a, sizeof *b + n * sizeof *limb);
    if (!b) return false;
    b->negative = negative;
    b->n = n;
    memcpy(b->limb, limb, n * sizeof *limb);
    *out = (jinja_value){.kind = JINJA_BIG, .trusted = trusted, .u.big = b};
    return true;
}

static bool read_int(jinja_arena *a, const char *p, size_t n, bool trusted, jinja_value *out)
{
    uint32_t limb[MAX_LIMBS], n_limbs = 0;
    bool negative = n && *p == '-';
    p += negative;
    n -= negative;
    for (; n > 1 && *p == '0'; n--) p++;
    if (n > JINJA_MAX_DIGITS) return false;
    for (size_t left = n; left;) {
        size_t take = left < LIMB_DIGITS ? left : LIMB_DIGITS;
        uint32_t x = 0;
        for (size_t i = left - take; i < left; i++) x = 10 * x + (uint32_t)(p[i] - '0');
        limb[n_limbs++] = x;
        left -= take;
    }
    return make(a, limb, n_limbs, negative, trusted, out);
}

bool ingle_jinja_number_read(jinja_arena *a, const char *p, size_t n, bool trusted,
                             jinja_value *out)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] == '.' || p[i] == 'e' || p[i] == 'E') {
            *out = ingle_jinja_float(ingle_number_read(p, n), trusted);
            return true;
        }
    return read_int(a, p, n, trusted, out);
}

static int compare_magnitudes(const limbs *a, const limbs *b)
{
    if (a->n != b->n) return a->n < b->n ? -1 : 1;
    for (uint32_t i = a->n; i-- > 0;)
        if (a->at[i] != b->at[i]) return a->at[i] < b->at[i] ? -1 : 1;
    return 0;
}

int ingle_jinja_int_compare(const jinja_value *a, const jinja_value *b)
{
    limbs x, y;
    limbs_of(a, &x);
    limbs_of(b, &y);
    if (x.negative != y.negative) return x.negative ? -1 : 1;
    int order = compare_magnitudes(&x, &y);
    return x.negative ? -order : order;
}

static uint32_t add_magnitudes(const limbs *a, const limbs *b, uint32_t *to)
{
    uint32_t n = a->n > b->n ? a->n : b->n, carry = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t x = carry + (i < a->n ? a->at[i] : 0) + (i < b->n ? b->at[i] : 0);
        carry = x >= LIMB;
        to[i] = carry ? x - LIMB : x;
    }
    if (carry) to[n++] = 1;
    return n;
}

/* a is not the smaller one. */
static uint32_t subtract_magnitudes(const limbs *a, const limbs *b, uint32_t *to)
{
    uint32_t borrow = 0;
    for (uint32_t i = 0; i < a->n; i++) {
        uint32_t y = borrow + (i < b->n ? b->at[i] : 0);
        borrow = a->at[i] < y;
        to[i] = a->at[i] + (borrow ? LIMB : 0) - y;
    }
    return a->n;
}

static bool fail(jinja_render *r)
{
    if (r->heap.full) return ingle_jinja_fail_memory(r);
    return ingle_jinja_fail(r, INGLE_EUNSUPPORTED, "a number of more than %d digits",
                            JINJA_MAX_DIGITS);
}

bool ingle_jinja_int_add(jinja_render *r, const jinja_value *a, const jinja_value *b, bool subtract,
                         jinja_value *out)
{
    uint32_t to[MAX_LIMBS + 1], n;
    bool trusted = a->trusted && b->trusted;
    limbs x, y;
    limbs_of(a, &x);
    limbs_of(b, &y);
    if (subtract) y.negative = !y.negative;
    bool negative = x.negative;
    if (x.negative == y.negative) {
        n = add_magnitudes(&x, &y, to);
    } else if (compare_magnitudes(&x, &y) >= 0) {
        n = subtract_magnitudes(&x, &y, to);
    } else {
        n = subtract_magnitudes(&y, &x, to);
        negative = y.negative;
    }
    return make(&r->heap, to, n, negative, trusted, out) || fail(r);
}

bool ingle_jinja_int_mul(jinja_render *r, const jinja_value *a, const jinja_value *b,
                         jinja_value *out)
{
    uint32_t to[2 * MAX_LIMBS] = {0};
    limbs x, y;
    limbs_of(a, &x);
    limbs_of(b, &y);
    if (!ingle_jinja_burn(r, (uint64_t)x.n * y.n / 4)) return false;
    for (uint32_t i = 0; i < x.n; i++) {
        uint64_t carry = 0;
        for (uint32_t k = 0; k < y.n; k++) {
            carry += to[i + k] + (uint64_t)x.at[i] * y.at[k];
            to[i + k] = (uint32_t)(carry % LIMB);
            carry /= LIMB;
        }
        to[i + y.n] = (uint32_t)carry;
    }
    bool trusted = a->trusted && b->trusted;
    return make(&r->heap, to, x.n + y.n, x.negative != y.negative, trusted, out) || fail(r);
}

size_t ingle_jinja_int_text(const jinja_value *v, char *out, size_t n)
{
    limbs l;
    limbs_of(v, &l);
    if (n < (size_t)l.n * LIMB_DIGITS + 2) return 0;
    if (!l.n) return (size_t)snprintf(out, n, "0");
    size_t len = (size_t)snprintf(out, n, "%s%u", l.negative ? "-" : "", (unsigned)l.at[l.n - 1]);
    for (uint32_t i = l.n - 1; i-- > 0;)
        len += (size_t)snprintf(out + len, n - len, "%09u", (unsigned)l.at[i]);
    return len;
}

bool ingle_jinja_put_int(jinja_render *r, const jinja_value *v, bool trusted)
{
    char text[(MAX_LIMBS + 1) * LIMB_DIGITS + 2];
    size_t n = v->kind == JINJA_INT ? (size_t)snprintf(text, sizeof text, "%" PRId64, v->u.i)
                                    : ingle_jinja_int_text(v, text, sizeof text);
    return ingle_jinja_put(r, text, n, trusted);
}

double ingle_jinja_int_double(const jinja_value *v)
{
    char text[(MAX_LIMBS + 1) * LIMB_DIGITS + 2];
    if (v->kind == JINJA_INT) return (double)v->u.i;
    return ingle_number_read(text, ingle_jinja_int_text(v, text, sizeof text));
}

bool ingle_jinja_clamped(const jinja_value *v, int64_t *out)
{
    if (v->kind == JINJA_BOOL) *out = v->u.b;
    else if (v->kind == JINJA_INT) *out = v->u.i;
    else if (v->kind == JINJA_BIG) *out = v->u.big->negative ? INT64_MIN : INT64_MAX;
    else return false;
    return true;
}

/* ---- floats ---------------------------------------------------------------------------------- */

/* The fewest digits that read back as x > 0: d.ddd * 10^exponent; returns how many. */
static int shortest_digits(double x, char digit[24], int *exponent)
{
    char text[40];
    for (int n = x < 1e-290 ? 1 : 15;; n++) {
        snprintf(text, sizeof text, "%.*e", n - 1, x);
        char *e = strchr(text, 'e');
        digit[0] = text[0];
        if (n > 1) memcpy(digit + 1, text + 2, (size_t)n - 1); /* past the point of any locale */
        *exponent = atoi(e + 1);
        snprintf(text, sizeof text, "%.*se%d", n, digit, *exponent - n + 1);
        if (n < 17 && ingle_number_read(text, strlen(text)) != x) continue;
        while (n > 1 && digit[n - 1] == '0') n--;
        return n;
    }
}

void ingle_jinja_float_text(double x, char out[JINJA_FLOAT_TEXT])
{
    char digit[24];
    int exponent, n;
    if (!isfinite(x)) {
        strcpy(out, isnan(x) ? "nan" : x < 0 ? "-inf" : "inf");
        return;
    }
    if (signbit(x)) *out++ = '-';
    if (x == 0) {
        strcpy(out, "0.0");
        return;
    }
    n = shortest_digits(fabs(x), digit, &exponent);
    if (exponent < -4 || exponent >= 16) {
        sprintf(out, "%c%s%.*se%c%02d", digit[0], n > 1 ? "." : "", n - 1, digit + 1,
                exponent < 0 ? '-' : '+', abs(exponent));
    } else if (exponent < 0) {
        sprintf(out, "0.%.*s%.*s", -exponent - 1, "000", n, digit);
    } else if (n <= exponent + 1) {
        sprintf(out, "%.*s%.*s.0", n, digit, exponent + 1 - n, "0000000000000000");
    } else {
        sprintf(out, "%.*s.%.*s", exponent + 1, digit, n - exponent - 1, digit + exponent + 1);
    }
}
