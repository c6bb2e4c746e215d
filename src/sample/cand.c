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

static size_t keep_byte(uint64_t *keys, size_t n, int shift, unsigned byte)
{
    size_t m = 0;
    for (size_t i = 0; i < n; i++) {
        keys[m] = keys[i];
        m += ((keys[i] >> shift) & 255) == byte;
    }
    return m;
}

uint64_t ingle_select_count(uint64_t *keys, size_t n, size_t k)
{
    for (int shift = 56; n > 1; shift -= 8) {
        uint32_t count[256] = {0};
        for (size_t i = 0; i < n; i++) count[(keys[i] >> shift) & 255]++;
        unsigned b = 255;
        while (count[b] < k) k -= count[b--];
        n = keep_byte(keys, n, shift, b);
    }
    return keys[0];
}

static uint64_t smallest(const uint64_t *keys, size_t n)
{
    uint64_t least = keys[0];
    for (size_t i = 1; i < n; i++)
        if (keys[i] < least) least = keys[i];
    return least;
}

/* A byte is entered because its mass reaches the target; its parts, summed in another order, may
 * fall short of that by a rounding: then the boundary is its last key. */
uint64_t ingle_select_mass(uint64_t *keys, size_t n, const uint64_t *of, float max, double mass,
                           bool strict, size_t min_keep)
{
    double before = 0; /* of all keys above those still looked at */
    size_t n_before = 0;
    for (int shift = 56; n > 0; shift -= 8) {
        uint32_t count[256] = {0};
        double weight[256] = {0};
        for (size_t i = 0; i < n; i++) {
            unsigned b = (keys[i] >> shift) & 255;
            count[b]++;
            weight[b] += (double)ingle_weight(ingle_key_score(of[ingle_key_index(keys[i])]) - max);
        }
        int b = 255;
        for (; b >= 0; b--) {
            double m = before + weight[b];
            if (count[b] && n_before + count[b] >= min_keep && (strict ? m > mass : m >= mass))
                break;
            before = m;
            n_before += count[b];
        }
        if (b < 0) return shift == 56 ? 0 : smallest(keys, n);
        n = keep_byte(keys, n, shift, (unsigned)b);
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
