/* options.h - structs that callers pass with the size they know, so that fields can be added at the end.
 * The first member of each is `size_t size`. A shorter struct is an older caller's: fields it lacks have
 * their defaults, or are not written. A longer one is refused: it may ask for what is not known here.
 * Depends on base/status.h. */
#ifndef INGLE_BASE_OPTIONS_H
#define INGLE_BASE_OPTIONS_H

#include <stdint.h>

#include "base/status.h"

/* Writes the defaults into a caller's struct of `size` bytes, and that size. Nothing if opt is NULL or
 * size does not even hold itself. */
void ingle_options_fill(void *opt, size_t size, const void *defaults, size_t n_defaults);
/* Copies a caller's options over `own`, which holds the defaults. opt may be NULL. EINVAL names `what`,
 * as in "the engine", and the size. */
ingle_status ingle_options_take(void *own, size_t n_own, const void *opt, const char *what,
                                ingle_error *err);

/* Whether option `name` is within its range; EINVAL names it, its value and the range. */
ingle_status ingle_option_range(const char *name, int32_t value, int32_t min, int32_t max,
                                ingle_error *err);

/* Whether a caller's result struct can be written; EINVAL names the struct. */
ingle_status ingle_result_check(const void *out, size_t n_own, const char *name, ingle_error *err);
/* Writes as much of the result as the caller's struct holds; its size stays. */
void ingle_result_give(void *out, const void *own, size_t n_own);

#endif
