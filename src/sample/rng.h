/* rng.h - the generator of one sampler: xoshiro256** 1.0 (Blackman and Vigna, prng.di.unimi.it),
 * seeded by splitmix64 from the 64-bit seed as its authors advise. Owns       nothing: the state
 * lives in the sampler. Invariant  the same seed gives the same numbers on every machine; the state
 * is never all zero. */
#ifndef INGLE_SAMPLE_RNG_H
#define INGLE_SAMPLE_RNG_H

#include <stdint.h>

typedef struct ingle_rng {
    uint64_t s[4];
} ingle_rng;

void ingle_rng_seed(ingle_rng *rng, uint64_t seed);
/* Uniform in [0, 1): the upper 53 bits of one step, times 2^-53. */
double ingle_rng_uniform(ingle_rng *rng);

#endif
