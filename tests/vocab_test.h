/* vocab_test.h - what tests of vocabularies share: a generator of numbers, and opening what has to open.
 * Needs _GNU_SOURCE. */
#ifndef INGLE_TESTS_VOCAB_TEST_H
#define INGLE_TESTS_VOCAB_TEST_H

#include "vocab_build.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* Below n; the same ones in every run. */
static inline uint32_t draw(uint32_t n)
{
    static uint64_t state = 1;
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((state >> 33) % n);
}

static inline ingle_vocab *open_ok(const vocab_spec *s)
{
    ingle_vocab *v;
    ingle_error err = {""};
    ingle_status st = vb_open(&v, s, &err);
    if (st) print_error("%s\n", err.text);
    assert_int_equal(st, INGLE_OK);
    return v;
}

/* Token ids as their texts, joined by blanks; good until the next call. */
static inline const char *texts_of(const ingle_vocab *v, const int32_t *ids, size_t n)
{
    static char out[4096];
    size_t at = 0;
    out[0] = 0;
    for (size_t i = 0; i < n; i++) {
        const char *p = v->text.data + v->text.at[ids[i]];
        int k = (int)(v->text.at[ids[i] + 1] - v->text.at[ids[i]]);
        at += (size_t)snprintf(out + at, sizeof out - at, "%s%.*s", i ? " " : "", k, p);
        assert_true(at < sizeof out);
    }
    return out;
}

#endif
