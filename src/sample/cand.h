/* cand.h - a candidate as one 64-bit key, softmax weights, and selection without sorting.
 * Depends on libc only.
 * A key is the logit's bits made monotone in the upper half and ~index in the lower: keys are
 * unique, a larger key is a better candidate, and of equal logits the lower index (the lower token)
 * is the better one. */
#ifndef INGLE_SAMPLE_CAND_H
#define INGLE_SAMPLE_CAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t ingle_key(float score, uint32_t index)
{
    score += 0.0f; /* -0 and +0 tie */
    uint32_t u;
    memcpy(&u, &score, sizeof u);
    u ^= (0u - (u >> 31)) | 0x80000000u;
    return (uint64_t)u << 32 | (uint32_t)~index;
}

static inline uint32_t ingle_key_index(uint64_t key)
{
    return ~(uint32_t)key;
}

static inline float ingle_key_score(uint64_t key)
{
    uint32_t u = (uint32_t)(key >> 32);
    u ^= (u >> 31) ? 0x80000000u : 0xffffffffu;
    float score;
    memcpy(&score, &u, sizeof score);
    return score;
}

/* e^x for x <= 0, 0 from -87 down (-inf included) and for NaN. Ours and not libm's, so that a draw
 * depends on no libm and no instruction set: only +, - and * in a fixed order. Cephes' expf
 * polynomial; error below 2^-22 relative. The cut is made by a mask, without a branch, so that
 * the loops around this become vectors. */
static inline float ingle_weight(float x)
{
    uint32_t u, bits;
    memcpy(&u, &x, sizeof u);
    uint32_t alive = 0u - (uint32_t)(x > -87.0f);
    u &= alive;
    float c, scale;
    memcpy(&c, &u, sizeof c);
    float t = c * 1.44269504f + 12582912.0f; /* 1.5 * 2^23: the low bits are the nearest integer */
    memcpy(&u, &t, sizeof u);
    float n = t - 12582912.0f;
    float r = c - n * 0.693359375f;
    r = r - n * -2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    float y = p * (r * r) + r + 1.0f;
    bits = (u + 127) << 23; /* what 1.5 * 2^23 sets falls off */
    memcpy(&scale, &bits, sizeof scale);
    y *= scale;
    memcpy(&bits, &y, sizeof bits);
    bits &= alive;
    memcpy(&y, &bits, sizeof y);
    return y;
}

/* Of a row without NaN: the largest; -INFINITY for none. */
float ingle_row_max(const float *row, size_t n);
/* The sum of the weights of row[i] - max, in eight lanes of double: the order of additions is part
 * of the contract. */
double ingle_row_mass(const float *row, size_t n, float max);

/* The k-th largest of n unique keys, 1 <= k <= n. Overwrites keys. Linear in n for any input. */
uint64_t ingle_select_count(uint64_t *keys, size_t n, size_t k);

/* The smallest key of the shortest best-first run that has at least min_keep keys and a mass of at
 * least `mass` (more than it, if strict); 0 when all of them together do not. The mass of a key is
 * weight[its index]. Overwrites keys. Linear in n for any input. */
uint64_t ingle_select_mass(uint64_t *keys, size_t n, const float *weight, double mass, bool strict,
                           size_t min_keep);

/* Sorts best first. Linear in n. scratch has room for n keys; it is not touched for n <=
 * INGLE_SORT_SMALL. */
#define INGLE_SORT_SMALL 128
void ingle_sort_keys(uint64_t *keys, uint64_t *scratch, size_t n);

#endif
