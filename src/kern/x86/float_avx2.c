/* float_avx2.c - the float kernels for AVX2, FMA and F16C. */
#include "kern/kern_float.h"
#include "kern/lanes_avx2.h"
#include "kern/rows.inc.h"
#include "kern/recur.inc.h"
#include "kern/tile.inc.h"
#include "kern/matmul_f.inc.h"
#include "kern/attend.inc.h"

/* The limits: 12 chains hide a latency of 5 at two a cycle; nothing but registers. The empty asm
 * at the end is what makes the sums needed. */
enum { CHAINS = 12 };

/* A multiply-accumulate of bytes is three instructions here: pairs to 16 bits, to 32 bits, add. */
static double peak_int8(size_t n)
{
    __m256i acc[CHAINS], u = _mm256_set1_epi8(3), y = _mm256_set1_epi8(5),
                         one = _mm256_set1_epi16(1);
    TILE_UNROLL
    for (int i = 0; i < CHAINS; i++) acc[i] = _mm256_set1_epi32(i);
    for (size_t k = 0; k < n; k++) {
        TILE_UNROLL
        for (int i = 0; i < CHAINS; i++) {
            __asm__ volatile("" : "+x"(u)); /* or the product is formed once */
            __m256i pairs = _mm256_maddubs_epi16(u, y);
            acc[i] = _mm256_add_epi32(acc[i], _mm256_madd_epi16(pairs, one));
        }
    }
    TILE_UNROLL
    for (int i = 0; i < CHAINS; i++) __asm__ volatile("" : : "x"(acc[i]));
    return 32.0 * CHAINS * (double)n;
}

static double peak_f32(size_t n)
{
    __m256 acc[CHAINS], x = _mm256_set1_ps(0.5f), y = _mm256_set1_ps(0.25f);
    TILE_UNROLL
    for (int i = 0; i < CHAINS; i++) acc[i] = _mm256_set1_ps((float)i);
    for (size_t k = 0; k < n; k++) {
        TILE_UNROLL
        for (int i = 0; i < CHAINS; i++) acc[i] = _mm256_fmadd_ps(acc[i], x, y);
    }
    TILE_UNROLL
    for (int i = 0; i < CHAINS; i++) __asm__ volatile("" : : "x"(acc[i]));
    return 8.0 * CHAINS * (double)n;
}

static uint64_t read_all(const void *mem, size_t bytes)
{
    const char *p = mem;
    __m256i x[4];
    for (int j = 0; j < 4; j++) x[j] = _mm256_setzero_si256();
    for (size_t i = 0; i < bytes; i += 256) {
        TILE_UNROLL
        for (int j = 0; j < 8; j++)
            x[j % 4] =
                _mm256_xor_si256(x[j % 4], _mm256_loadu_si256((const __m256i *)(p + i + 32 * j)));
    }
    uint64_t words[4];
    x[0] = _mm256_xor_si256(_mm256_xor_si256(x[0], x[1]), _mm256_xor_si256(x[2], x[3]));
    _mm256_storeu_si256((__m256i *)words, x[0]);
    return words[0] ^ words[1] ^ words[2] ^ words[3];
}

void ingle_kern_float_avx2(ingle_kern *k)
{
    rows_init(k);
    recur_init(k);
    matmul_f_init(k);
    attend_init(k);
    k->peak_int8 = peak_int8;
    k->peak_bf16 = NULL;
    k->peak_f32 = peak_f32;
    k->read_all = read_all;
}
