/* admit.c - the banker's rule: whoever can finish with what is there may as well be first, because
 * it only returns things. So no order needs to be tried twice. */
#include "engine/admit.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

static bool fits(const size_t want[INGLE_RESOURCES], const size_t have[INGLE_RESOURCES])
{
    for (int r = 0; r < INGLE_RESOURCES; r++)
        if (want[r] > have[r]) return false;
    return true;
}

static void give(size_t to[INGLE_RESOURCES], const size_t what[INGLE_RESOURCES])
{
    for (int r = 0; r < INGLE_RESOURCES; r++) to[r] += what[r];
}

/* Claims that are left, a bit each. */
typedef struct rest {
    uint64_t bits[INGLE_MOST_CLAIMS / 64];
} rest;

static void begin(rest *left, size_t n)
{
    memset(left, 0, sizeof *left);
    for (size_t i = 0; i < n; i++) left->bits[i / 64] |= (uint64_t)1 << i % 64;
}

/* Lets everybody of a word finish who can with what there is; whether somebody did. */
static bool finish_some(const ingle_claim *claims, uint64_t *bits, size_t have[INGLE_RESOURCES])
{
    uint64_t before = *bits;
    for (uint64_t b = before; b; b &= b - 1) {
        const ingle_claim *c = &claims[__builtin_ctzll(b)];
        if (!fits(c->may, have)) continue;
        give(have, c->has);
        *bits &= ~(b & (~b + 1));
    }
    return *bits != before;
}

static bool finish_all(const ingle_claim *claims, size_t n, rest *left,
                       size_t have[INGLE_RESOURCES])
{
    bool some = true, any = n > 0;
    while (some && any) {
        some = any = false;
        for (size_t w = 0; w * 64 < n; w++) {
            if (finish_some(claims + w * 64, &left->bits[w], have)) some = true;
            if (left->bits[w]) any = true;
        }
    }
    return !any;
}

bool ingle_is_safe(const ingle_claim *claims, size_t n, const size_t free[INGLE_RESOURCES])
{
    size_t have[INGLE_RESOURCES];
    rest left;
    if (n > INGLE_MOST_CLAIMS) return false;
    memcpy(have, free, sizeof have);
    begin(&left, n);
    return finish_all(claims, n, &left, have);
}

static bool is_left(const rest *left, size_t i)
{
    return left->bits[i / 64] >> i % 64 & 1;
}

/* Whether all that are left were left before. */
static bool is_no_worse(const rest *left, const rest *before)
{
    for (size_t w = 0; w < INGLE_MOST_CLAIMS / 64; w++)
        if (left->bits[w] & ~before->bits[w]) return false;
    return true;
}

/* Those who can finish while claim i has taken it and waits; then i; then the others. */
bool ingle_may_take(const ingle_claim *claims, size_t n, size_t i,
                    const size_t free[INGLE_RESOURCES], const size_t want[INGLE_RESOURCES])
{
    ingle_claim own;
    size_t have[INGLE_RESOURCES];
    rest left, before;
    assert(i < n);
    if (n > INGLE_MOST_CLAIMS || !fits(want, free) || !fits(want, claims[i].may)) return false;
    memcpy(have, free, sizeof have);
    begin(&before, n);
    finish_all(claims, n, &before, have);
    if (is_left(&before, i)) return false;
    for (int r = 0; r < INGLE_RESOURCES; r++) {
        own.has[r] = claims[i].has[r] + want[r];
        own.may[r] = claims[i].may[r] - want[r];
        have[r] = free[r] - want[r];
    }
    begin(&left, n);
    left.bits[i / 64] &= ~((uint64_t)1 << i % 64);
    finish_all(claims, n, &left, have);
    if (!fits(own.may, have)) return false;
    give(have, own.has);
    finish_all(claims, n, &left, have);
    return is_no_worse(&left, &before);
}
