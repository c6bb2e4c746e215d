/* digest.c - see digest.h. */
#include "base/digest.h"

#include "base/mem.h"

#include <assert.h>

static uint64_t turn(uint64_t x, unsigned by)
{
    return x << by | x >> (64 - by);
}

static void rounds(uint64_t v[4], int n)
{
    while (n--) {
        v[0] += v[1], v[2] += v[3];
        v[1] = turn(v[1], 13) ^ v[0], v[3] = turn(v[3], 16) ^ v[2];
        v[0] = turn(v[0], 32);
        v[2] += v[1], v[0] += v[3];
        v[1] = turn(v[1], 17) ^ v[2], v[3] = turn(v[3], 21) ^ v[0];
        v[2] = turn(v[2], 32);
    }
}

static void take(ingle_digest *d, uint64_t word)
{
    d->v[3] ^= word;
    rounds(d->v, 2);
    d->v[0] ^= word;
}

void ingle_digest_begin(ingle_digest *d, const uint64_t key[2])
{
    *d = (ingle_digest){.v = {key[0] ^ 0x736f6d6570736575u, key[1] ^ 0x646f72616e646f6du ^ 0xee,
                              key[0] ^ 0x6c7967656e657261u, key[1] ^ 0x7465646279746573u}};
}

static uint64_t word_at(const unsigned char *p)
{
    uint64_t x = 0;
    for (unsigned i = 0; i < 8; i++) x |= (uint64_t)p[i] << 8 * i;
    return x;
}

void ingle_digest_add(ingle_digest *d, const void *bytes, size_t n)
{
    const unsigned char *p = bytes;
    while (n) {
        if (d->n % 8 == 0 && n >= 8) {
            take(d, word_at(p));
            p += 8, n -= 8, d->n += 8;
            continue;
        }
        d->tail |= (uint64_t)*p++ << 8 * (d->n++ % 8);
        n--;
        if (d->n % 8) continue;
        take(d, d->tail);
        d->tail = 0;
    }
}

void ingle_digest_u64(ingle_digest *d, uint64_t x)
{
    unsigned char p[8];
    for (unsigned i = 0; i < 8; i++) p[i] = (unsigned char)(x >> 8 * i);
    ingle_digest_add(d, p, 8);
}

void ingle_digest_text(ingle_digest *d, const char *text, size_t n)
{
    ingle_digest_u64(d, n);
    ingle_digest_add(d, text, n);
}

void ingle_digest_end(ingle_digest *d, uint64_t out[2])
{
    take(d, d->tail | (uint64_t)d->n << 56);
    d->v[2] ^= 0xee;
    rounds(d->v, 4);
    out[0] = d->v[0] ^ d->v[1] ^ d->v[2] ^ d->v[3];
    d->v[1] ^= 0xdd;
    rounds(d->v, 4);
    out[1] = d->v[0] ^ d->v[1] ^ d->v[2] ^ d->v[3];
}

/* ---- values ---------------------------------------------------------------------------------- */

/* An array or object that is being read. */
typedef struct level {
    const ingle_json *end, *name; /* name: of the member that is next; NULL in an array */
    uint64_t sum[2];              /* of members, in any order; of elements so far, in theirs */
    ingle_json_kind kind;
    uint32_t len; /* as it is written */
    uint32_t n;   /* that count */
} level;

enum { MOST_SEARCHED = 64 };

/* Whole numbers that 64 bits hold are exact; so are longer ones, as they are written. */
static void number(ingle_digest *d, const ingle_json *v)
{
    int64_t i;
    uint64_t u;
    double x;
    bool digits = true;
    for (uint32_t k = v->text[0] == '-'; k < v->len; k++)
        digits = digits && v->text[k] >= '0' && v->text[k] <= '9';
    if (ingle_json_i64(v, &i)) {
        ingle_digest_add(d, "i", 1);
        ingle_digest_u64(d, (uint64_t)i);
    } else if (ingle_json_u64(v, &u)) {
        ingle_digest_add(d, "u", 1);
        ingle_digest_u64(d, u);
    } else if (!digits && ingle_json_f64(v, &x)) {
        memcpy(&u, &x, sizeof u);
        ingle_digest_add(d, "f", 1);
        ingle_digest_u64(d, u);
    } else {
        ingle_digest_text(d, v->text, v->len);
    }
}

static void scalar(const uint64_t key[2], const ingle_json *v, uint64_t out[2])
{
    ingle_digest d;
    ingle_digest_begin(&d, key);
    ingle_digest_u64(&d, v ? v->kind : INGLE_JSON_NULL);
    if (v && v->kind == INGLE_JSON_NUMBER) number(&d, v);
    else if (v && v->kind != INGLE_JSON_NULL) ingle_digest_text(&d, v->text, v->len);
    ingle_digest_end(&d, out);
}

/* Whether a member of the name comes again, from `next` on. */
static bool comes_again(const level *l, const ingle_json *next)
{
    if (!l->name || l->len > MOST_SEARCHED) return false;
    for (; next != l->end; next += 1 + next[1].skip)
        if (ingle_json_is_bytes(next, l->name->text, l->name->len)) return true;
    return false;
}

/* One more member or element, before `next`. */
static void join(const uint64_t key[2], level *l, const uint64_t value[2], const ingle_json *next)
{
    ingle_digest d;
    uint64_t out[2];
    if (comes_again(l, next)) return;
    l->n++;
    ingle_digest_begin(&d, key);
    if (l->name) ingle_digest_text(&d, l->name->text, l->name->len);
    for (int i = 0; i < 2 && !l->name; i++) ingle_digest_u64(&d, l->sum[i]);
    ingle_digest_u64(&d, value[0]);
    ingle_digest_u64(&d, value[1]);
    ingle_digest_end(&d, out);
    for (int i = 0; i < 2; i++) l->sum[i] = l->name ? l->sum[i] + out[i] : out[i];
}

static void leave(const uint64_t key[2], const level *l, uint64_t out[2])
{
    ingle_digest d;
    ingle_digest_begin(&d, key);
    ingle_digest_u64(&d, l->kind);
    ingle_digest_u64(&d, l->n);
    ingle_digest_u64(&d, l->sum[0]);
    ingle_digest_u64(&d, l->sum[1]);
    ingle_digest_end(&d, out);
}

void ingle_digest_json(const uint64_t key[2], const ingle_json *v, uint64_t out[2])
{
    level levels[INGLE_JSON_MAX_DEPTH];
    size_t depth = 0;
    if (!v || v->kind < INGLE_JSON_ARRAY) {
        scalar(key, v, out);
        return;
    }
    for (;;) { /* v is a value */
        if (v->kind >= INGLE_JSON_ARRAY) {
            assert(depth < INGLE_JSON_MAX_DEPTH);
            levels[depth++] = (level){.end = v + v->skip, .kind = v->kind, .len = v->len};
            v++;
        } else {
            scalar(key, v, out);
            v++;
            join(key, &levels[depth - 1], out, v);
        }
        while (v == levels[depth - 1].end) {
            leave(key, &levels[--depth], out);
            if (!depth) return;
            join(key, &levels[depth - 1], out, v);
        }
        if (levels[depth - 1].kind == INGLE_JSON_OBJECT) levels[depth - 1].name = v++;
    }
}
