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

#endif
