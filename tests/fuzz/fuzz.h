/* fuzz.h - what a fuzz target offers: tests/fuzz/fuzz_NAME.c defines the first function, and the
 * second if its seeds are easier written by a program than kept as files in tests/fuzz/corpus/NAME.
 */
#ifndef INGLE_TESTS_FUZZ_H
#define INGLE_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* One input: any bytes. Returns 0; everything it makes it takes down again. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Writes seed i (0, 1, ...) of at most cap bytes and returns its size; 0 when there are no more. */
__attribute__((weak)) size_t fuzz_seed(size_t i, uint8_t *data, size_t cap);

#endif
