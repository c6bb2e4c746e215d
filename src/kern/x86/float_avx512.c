/* float_avx512.c - the float kernels for AVX-512. */
#include "kern/kern_float.h"
#include "kern/lanes_avx512.h"
#include "kern/rows.inc.h"
#include "kern/recur.inc.h"
#include "kern/tile.inc.h"
#include "kern/matmul_f.inc.h"
#include "kern/attend.inc.h"

/* The limits: 16 chains hide a latency of 5 at two a cycle with room; nothing but registers. The
 * empty asm at the end is what makes the sums needed. With 16 dots a loop can settle in a pattern
 * of ports that loses 4 to 20 %; with 28 it has not been seen to. */
enum { CHAINS = 16, DOT_CHAINS = 28 };

static double peak_int8(size_t n)
{
    __m512i acc[DOT_CHAINS], u = _mm512_set1_epi8(3), y = _mm512_set1_epi8(5);
    TILE_UNROLL
    for (int i = 0; i < DOT_CHAINS; i++) acc[i] = _mm512_set1_epi32(i);
    for (size_t k = 0; k < n; k++) {
        TILE_UNROLL
        for (int i = 0; i < DOT_CHAINS; i++) acc[i] = _mm512_dpbusd_epi32(acc[i], u, y);
    }
    TILE_UNROLL
    for (int i = 0; i < DOT_CHAINS; i++) __asm__ volatile("" : : "v"(acc[i]));
    return 64.0 * DOT_CHAINS * (double)n;
}

static double peak_f32(size_t n)
{
    __m512 acc[CHAINS], x = _mm512_set1_ps(0.5f), y = _mm512_set1_ps(0.25f);
    TILE_UNROLL
    for (int i = 0; i < CHAINS; i++) acc[i] = _mm512_set1_ps((float)i);
    for (size_t k = 0; k < n; k++) {
        TILE_UNROLL
        for (int i = 0; i < CHAINS; i++) acc[i] = _mm512_fmadd_ps(acc[i], x, y);
    }
    TILE_UNROLL
    for (int i = 0; i < CHAINS; i++) __asm__ volatile("" : : "v"(acc[i]));
    return 16.0 * CHAINS * (double)n;
}

static uint64_t read_all(const void *mem, size_t bytes)
{
    const char *p = mem;
    __m512i x0 = _mm512_setzero_si512(), x1 = x0, x2 = x0, x3 = x0;
    for (size_t i = 0; i < bytes; i += 256) {
        for (size_t j = 4096; j < 4096 + 256;
             j += 64) /* 4 % faster than hardware's streams alone */
            _mm_prefetch((const char *)((uintptr_t)p + i + j), _MM_HINT_T0);
        x0 = _mm512_xor_si512(x0, _mm512_loadu_si512(p + i));
        x1 = _mm512_xor_si512(x1, _mm512_loadu_si512(p + i + 64));
        x2 = _mm512_xor_si512(x2, _mm512_loadu_si512(p + i + 128));
        x3 = _mm512_xor_si512(x3, _mm512_loadu_si512(p + i + 192));
    }
    uint64_t x[8], r = 0;
    _mm512_storeu_si512(x, _mm512_xor_si512(_mm512_xor_si512(x0, x1), _mm512_xor_si512(x2, x3)));
    for (int i = 0; i < 8; i++) r ^= x[i];
    return r;
}

void ingle_kern_float_avx512(ingle_kern *k)
{
    rows_init(k);
    recur_init(k);
    matmul_f_init(k);
    attend_init(k);
    k->peak_int8 = peak_int8;
    k->peak_bf16 = NULL; /* the BF16 extension is not part of this level */
    k->peak_f32 = peak_f32;
    k->read_all = read_all;
}
