/* cand.c - selection by radix: count (or weigh) the keys by their top byte, keep only the byte
 * where the boundary lies, go on with the next byte. At most eight passes, usually little more than
 * one, no worst case, no recursion. */
#include "sample/cand.h"

/* As integers of the same order, because a compiler may not reorder float comparisons into a
 * vector. */
float ingle_row_max(const float *row, size_t n)
{
    int32_t max = (int32_t)(0xff800000u ^ 0x7fffffffu); /* -inf */
    for (size_t i = 0; i < n; i++) {
        int32_t u;
        memcpy(&u, &row[i], sizeof u);
        u ^= (u >> 31) & 0x7fffffff;
        max = u > max ? u : max;
    }
    max ^= (max >> 31) & 0x7fffffff;
    float result;
    memcpy(&result, &max, sizeof result);
    return result;
}

double ingle_row_mass(const float *row, size_t n, float max)
{
    double lane[8] = {0};
    size_t i = 0;
    for (; i + 64 <= n; i += 64) {
        float w[64];
        for (size_t j = 0; j < 64; j++) w[j] = ingle_weight(row[i + j] - max);
        for (size_t j = 0; j < 64; j += 8)
            for (size_t k = 0; k < 8; k++) lane[k] += (double)w[j + k];
    }
    for (; i < n; i++) lane[i & 7] += (double)ingle_weight(row[i] - max);
    return ((lane[0] + lane[1]) + (lane[2] + lane[3])) +
           ((lane[4] + lane[5]) + (lane[6] + lane[7]));
}

#define DIGIT  11
#define DIGITS (1 << DIGIT)

static unsigned digit(uint64_t key, int shift)
{
    return (unsigned)(key >> shift) & (DIGITS - 1);
}

/* The last digit overlaps the one before it: 64 is no multiple of 11. */
static int next_shift(int shift)
{
    return shift > DIGIT ? shift - DIGIT : 0;
}

static size_t keep_digit(uint64_t *keys, size_t n, int shift, unsigned d)
{
    size_t m = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t key = keys[i];
        keys[m] = key;
        m += digit(key, shift) == d;
    }
    return m;
}

uint64_t ingle_select_count(uint64_t *keys, size_t n, size_t k)
{
    for (int shift = 64 - DIGIT; n > 1; shift = next_shift(shift)) {
        uint32_t count[DIGITS] = {0};
        for (size_t i = 0; i < n; i++) count[digit(keys[i], shift)]++;
        unsigned d = DIGITS - 1;
        while (count[d] < k) k -= count[d--];
        n = keep_digit(keys, n, shift, d);
    }
    return keys[0];
}

static uint64_t smallest(const uint64_t *keys, size_t n)
{
    uint64_t least = keys[0];
    for (size_t i = 1; i < n; i++) least = keys[i] < least ? keys[i] : least;
    return least;
}

/* A digit is entered because its mass reaches the target; its parts, summed in another order, may
 * fall short of that by a rounding: then the boundary is its last key. */
uint64_t ingle_select_mass(uint64_t *keys, size_t n, const float *weight, double mass, bool strict,
                           size_t min_keep)
{
    double before = 0; /* of all keys above those still looked at */
    size_t n_before = 0;
    for (int shift = 64 - DIGIT; n > 0; shift = next_shift(shift)) {
        uint32_t count[DIGITS] = {0};
        double sum[DIGITS] = {0};
        for (size_t i = 0; i < n; i++) {
            unsigned d = digit(keys[i], shift);
            count[d]++;
            sum[d] += (double)weight[ingle_key_index(keys[i])];
        }
        int d = DIGITS - 1;
        for (; d >= 0; d--) {
            double m = before + sum[d];
            if (count[d] && n_before + count[d] >= min_keep && (strict ? m > mass : m >= mass))
                break;
            before = m;
            n_before += count[d];
        }
        if (d < 0) return shift == 64 - DIGIT ? 0 : smallest(keys, n);
        n = keep_digit(keys, n, shift, (unsigned)d);
        if (n == 1) return keys[0];
    }
    return 0;
}

static void insertion_sort(uint64_t *keys, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        uint64_t k = keys[i];
        size_t j = i;
        for (; j && keys[j - 1] < k; j--) keys[j] = keys[j - 1];
        keys[j] = k;
    }
}

void ingle_sort_keys(uint64_t *keys, uint64_t *scratch, size_t n)
{
    if (n <= INGLE_SORT_SMALL) {
        insertion_sort(keys, n);
        return;
    }
    for (int shift = 0; shift < 64; shift += 8) {
        size_t at[256] = {0}, sum = 0;
        for (size_t i = 0; i < n; i++) at[(keys[i] >> shift) & 255]++;
        for (int b = 255; b >= 0; b--) {
            size_t c = at[b];
            at[b] = sum;
            sum += c;
        }
        for (size_t i = 0; i < n; i++) scratch[at[(keys[i] >> shift) & 255]++] = keys[i];
        memcpy(keys, scratch, n * sizeof *keys);
    }
}
