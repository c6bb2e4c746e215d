/* digest.h - 128 bits that stand for bytes, or for a JSON value, under a secret key.
 * Owns       nothing. Depends on base/json.h.
 * Invariant  who does not know the key cannot make two inputs meet. No recursion, no memory; work is
 *            linear in the input.
 *
 * SipHash-2-4 with a result of 128 bits, from its paper (Aumasson and Bernstein, 2012). */
#ifndef INGLE_BASE_DIGEST_H
#define INGLE_BASE_DIGEST_H

#include "base/json.h"

typedef struct ingle_digest {
    uint64_t v[4];
    uint64_t tail; /* the last n % 8 bytes */
    size_t n;      /* bytes so far */
} ingle_digest;

void ingle_digest_begin(ingle_digest *d, const uint64_t key[2]);
void ingle_digest_add(ingle_digest *d, const void *bytes, size_t n);
void ingle_digest_u64(ingle_digest *d, uint64_t x);
/* The length, then the bytes: so that what follows cannot be taken for a part of them. */
void ingle_digest_text(ingle_digest *d, const char *text, size_t n);
void ingle_digest_end(ingle_digest *d, uint64_t out[2]);

/* Of what a value says: the order of members, spaces, escapes, and how a number is written (1.0,
 * 1e0, 1) make no difference; of members with one name the last counts, in objects of up to 64.
 * NULL is null. */
void ingle_digest_json(const uint64_t key[2], const ingle_json *v, uint64_t out[2]);

#endif
