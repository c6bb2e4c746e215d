/* float_ref.c - the float kernels in portable C; the matmuls of F32, F16, BF16 are in matmul_ref.c.
 */
#include "kern/kern_float.h"
#include "kern/lanes_ref.h"
#include "kern/rows.inc.h"
#include "kern/recur.inc.h"
#include "kern/tile.inc.h"
#include "kern/attend.inc.h"

/* Four independent chains of 16 lanes: what a compiler makes of plain C. */
static double peak_int8(size_t n)
{
    int32_t acc[64] = {0};
    int8_t w[64], y[64];
    for (int i = 0; i < 64; i++) w[i] = (int8_t)(i - 32), y[i] = (int8_t)(31 - i);
    for (size_t k = 0; k < n; k++) {
        for (int i = 0; i < 64; i++) acc[i] += w[i] * y[i];
        w[k % 64] = (int8_t)(w[k % 64] ^ 1); /* or the loop would be a multiplication */
    }
    volatile int32_t sink = 0;
    for (int i = 0; i < 64; i++) sink += acc[i];
    (void)sink;
    return 64.0 * (double)n;
}

static double peak_f32(size_t n)
{
    v16 acc[4], x = v_set(0.5f), y = v_set(0.25f);
    for (int i = 0; i < 4; i++) acc[i] = v_set((float)i);
    for (size_t k = 0; k < n; k++)
        for (int i = 0; i < 4; i++) acc[i] = v_fma(acc[i], x, y);
    volatile float sink = 0;
    for (int i = 0; i < 4; i++) sink += v_sum(acc[i]);
    (void)sink;
    return 64.0 * (double)n;
}

static uint64_t read_all(const void *mem, size_t bytes)
{
    const uint64_t *p = mem;
    uint64_t x[4] = {0};
    for (size_t i = 0; i < bytes / 8; i += 4)
        for (int j = 0; j < 4; j++) x[j] ^= p[i + (size_t)j];
    return x[0] ^ x[1] ^ x[2] ^ x[3];
}

void ingle_kern_float_ref(ingle_kern *k)
{
    rows_init(k);
    recur_init(k);
    attend_init(k);
    k->peak_int8 = peak_int8;
    k->peak_bf16 = NULL;
    k->peak_f32 = peak_f32;
    k->read_all = read_all;
}
