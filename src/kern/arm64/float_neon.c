/* float_neon.c - the float kernels for ARMv8.0. */
#include "kern/arm64/arm64.h"
#include "kern/lanes_neon.h"
#include "kern/rows.inc.h"
#include "kern/recur.inc.h"
#include "kern/tile.inc.h"
#include "kern/matmul_f.inc.h"
#include "kern/attend.inc.h"

/* The limits: 16 chains hide a latency of 4 at four a cycle; nothing but registers. The empty asm
 * at the end is what makes the sums needed. */
enum { CHAINS = 16 };

/* A multiply-accumulate of bytes is one and a half instructions here: two products of 8 bytes are
 * summed in 16 bits, then in 32. */
static double peak_int8(size_t n)
{
    int32x4_t acc[CHAINS];
    int8x8_t w = vdup_n_s8(3), y = vdup_n_s8(5);
    TILE_UNROLL
    for (int i = 0; i < CHAINS; i++) acc[i] = vdupq_n_s32(i);
    for (size_t k = 0; k < n; k++) {
        TILE_UNROLL
        for (int i = 0; i < CHAINS; i++) {
            __asm__ volatile("" : "+w"(w)); /* or the product is formed once */
            acc[i] = vpadalq_s16(acc[i], vmlal_s8(vmull_s8(w, y), y, w));
        }
    }
    TILE_UNROLL
    for (int i = 0; i < CHAINS; i++) __asm__ volatile("" : : "w"(acc[i]));
    return 16.0 * CHAINS * (double)n;
}

static double peak_f32(size_t n)
{
    float32x4_t acc[CHAINS], x = vdupq_n_f32(0.5f), y = vdupq_n_f32(0.25f);
    TILE_UNROLL
    for (int i = 0; i < CHAINS; i++) acc[i] = vdupq_n_f32((float)i);
    for (size_t k = 0; k < n; k++) {
        TILE_UNROLL
        for (int i = 0; i < CHAINS; i++) acc[i] = vfmaq_f32(acc[i], x, y);
    }
    TILE_UNROLL
    for (int i = 0; i < CHAINS; i++) __asm__ volatile("" : : "w"(acc[i]));
    return 4.0 * CHAINS * (double)n;
}

static uint64_t read_all(const void *mem, size_t bytes)
{
    const uint8_t *p = mem;
    uint8x16_t x[4];
    for (int j = 0; j < 4; j++) x[j] = vdupq_n_u8(0);
    for (size_t i = 0; i < bytes; i += 256) {
        TILE_UNROLL
        for (int j = 0; j < 16; j++) x[j % 4] = veorq_u8(x[j % 4], vld1q_u8(p + i + 16 * j));
    }
    uint64x2_t all = vreinterpretq_u64_u8(veorq_u8(veorq_u8(x[0], x[1]), veorq_u8(x[2], x[3])));
    return vgetq_lane_u64(all, 0) ^ vgetq_lane_u64(all, 1);
}

void ingle_kern_float_neon(ingle_kern *k)
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
