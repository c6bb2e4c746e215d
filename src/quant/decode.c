/* decode.c - reads blocks: bytes -> plain numbers (ingle_plain) -> floats.
 * Depends on quant/decode.h.
 * Invariant  floats are computed in the order the format's own tools use, so that decoded weights
 *            are theirs bit for bit: (d * sc) * w - (dmin * mn), d * w, d * w + m, each operation
 *            rounded, nothing contracted to fma. */
#include "quant/decode.h"

/* ---- floats ---- */

void ingle_decode_f32(const void *src, float *dst, size_t n_blocks)
{
    memcpy(dst, src, n_blocks * sizeof *dst);
}

void ingle_decode_f16(const void *src, float *dst, size_t n_blocks)
{
    const uint8_t *p = src;
    for (size_t i = 0; i < n_blocks; i++) dst[i] = ingle_f16_at(p + 2 * i);
}

void ingle_decode_bf16(const void *src, float *dst, size_t n_blocks)
{
    const uint8_t *p = src;
    for (size_t i = 0; i < n_blocks; i++) dst[i] = ingle_bf16_to_f32(ingle_u16_at(p + 2 * i));
}

/* ---- blocks of 32. Nibbles: low of byte j is weight j, high is weight j + 16 ---- */

void ingle_plain_q4_0(const uint8_t *block, ingle_plain *out)
{
    out->d = ingle_f16_at(block);
    for (int j = 0; j < 16; j++) {
        out->w[j] = (int8_t)((block[2 + j] & 15) - 8);
        out->w[j + 16] = (int8_t)((block[2 + j] >> 4) - 8);
    }
}

void ingle_plain_q4_1(const uint8_t *block, ingle_plain *out)
{
    out->d = ingle_f16_at(block);
    out->dmin = ingle_f16_at(block + 2);
    for (int j = 0; j < 16; j++) {
        out->w[j] = block[4 + j] & 15;
        out->w[j + 16] = (int8_t)(block[4 + j] >> 4);
    }
}

/* Bit j of qh is bit 4 of weight j. */
static void read_q5(const uint8_t *qh_bytes, const uint8_t *qs, int zero, int8_t *w)
{
    uint32_t qh = ingle_u32_at(qh_bytes);
    for (int j = 0; j < 16; j++) {
        w[j] = (int8_t)((int)((qs[j] & 15) | (qh >> j & 1) << 4) - zero);
        w[j + 16] = (int8_t)((int)(qs[j] >> 4 | (qh >> (j + 16) & 1) << 4) - zero);
    }
}

void ingle_plain_q5_0(const uint8_t *block, ingle_plain *out)
{
    out->d = ingle_f16_at(block);
    read_q5(block + 2, block + 6, 16, out->w);
}

void ingle_plain_q5_1(const uint8_t *block, ingle_plain *out)
{
    out->d = ingle_f16_at(block);
    out->dmin = ingle_f16_at(block + 2);
    read_q5(block + 4, block + 8, 0, out->w);
}

void ingle_plain_q8_0(const uint8_t *block, ingle_plain *out)
{
    out->d = ingle_f16_at(block);
    memcpy(out->w, block + 2, 32);
}

static void read_table(const uint8_t *qs, const int8_t *values, int8_t *w)
{
    for (int j = 0; j < 16; j++) {
        w[j] = values[qs[j] & 15];
        w[j + 16] = values[qs[j] >> 4];
    }
}

void ingle_plain_iq4_nl(const uint8_t *block, ingle_plain *out)
{
    out->d = ingle_f16_at(block);
    read_table(block + 2, ingle_iq4nl_values, out->w);
}

void ingle_plain_mxfp4(const uint8_t *block, ingle_plain *out)
{
    out->d = ingle_e8m0_half(block[0]);
    read_table(block + 1, ingle_mxfp4_values, out->w);
}

/* ---- blocks of several runs ---- */

void ingle_plain_q1_0(const uint8_t *block, ingle_plain *out)
{
    for (int i = 0; i < 4; i++) out->run_d[i] = ingle_f16_at(block);
    for (int k = 0; k < 128; k++) out->w[k] = block[2 + k / 8] >> k % 8 & 1 ? 1 : -1;
}

void ingle_plain_q2_0(const uint8_t *block, ingle_plain *out)
{
    for (int i = 0; i < 2; i++) out->run_d[i] = ingle_f16_at(block);
    for (int k = 0; k < 64; k++) out->w[k] = (int8_t)((block[2 + k / 4] >> 2 * (k % 4) & 3) - 1);
}

/* Nibbles: low ones of a run's 8 bytes are its first half. */
void ingle_plain_nvfp4(const uint8_t *block, ingle_plain *out)
{
    for (int i = 0; i < 4; i++) {
        const uint8_t *qs = block + 4 + 8 * i;
        out->run_d[i] = ingle_e4m3_half(block[i]);
        for (int j = 0; j < 8; j++) {
            out->w[16 * i + j] = ingle_mxfp4_values[qs[j] & 15];
            out->w[16 * i + j + 8] = ingle_mxfp4_values[qs[j] >> 4];
        }
    }
}

/* ---- blocks of 256 ---- */

/* 2-bit weights: byte l of half h holds weights 128h + l + {0, 32, 64, 96} from its low bits up. */
static void read_2bit(const uint8_t *qs, int8_t *w)
{
    for (int h = 0; h < 2; h++)
        for (int j = 0; j < 4; j++)
            for (int l = 0; l < 32; l++) w[128 * h + 32 * j + l] = qs[32 * h + l] >> 2 * j & 3;
}

void ingle_plain_q2_k(const uint8_t *block, ingle_plain *out)
{
    out->d = ingle_f16_at(block + 80);
    out->dmin = ingle_f16_at(block + 82);
    for (int i = 0; i < 16; i++) {
        out->sc[i] = block[i] & 15;
        out->mn[i] = (int8_t)(block[i] >> 4);
    }
    read_2bit(block + 16, out->w);
}

void ingle_plain_q3_k(const uint8_t *block, ingle_plain *out)
{
    const uint8_t *hmask = block, *scales = block + 96;
    out->d = ingle_f16_at(block + 108);
    for (int i = 0; i < 16; i++) {
        int low = scales[i % 8] >> 4 * (i / 8) & 15;
        int high = scales[8 + i % 4] >> 2 * (i / 4) & 3;
        out->sc[i] = (int8_t)((low | high << 4) - 32);
    }
    read_2bit(block + 32, out->w);
    for (int j = 0; j < 8; j++)
        for (int l = 0; l < 32; l++) out->w[32 * j + l] -= hmask[l] >> j & 1 ? 0 : 4;
}

/* Eight 6-bit scales and mins in 12 bytes: the first four whole, the others' high bits above those.
 */
static void read_scales_6bit(const uint8_t *s, int8_t *sc, int8_t *mn)
{
    for (int i = 0; i < 4; i++) {
        sc[i] = s[i] & 63;
        mn[i] = s[i + 4] & 63;
        sc[i + 4] = (int8_t)((s[i + 8] & 15) | s[i] >> 6 << 4);
        mn[i + 4] = (int8_t)(s[i + 8] >> 4 | s[i + 4] >> 6 << 4);
    }
}

/* Group g of 32 bytes: low nibbles are weights 64g.., high nibbles 64g+32.. */
static void read_4bit(const uint8_t *qs, int8_t *w)
{
    for (int g = 0; g < 4; g++)
        for (int l = 0; l < 32; l++) {
            w[64 * g + l] = qs[32 * g + l] & 15;
            w[64 * g + 32 + l] = (int8_t)(qs[32 * g + l] >> 4);
        }
}

void ingle_plain_q4_k(const uint8_t *block, ingle_plain *out)
{
    out->d = ingle_f16_at(block);
    out->dmin = ingle_f16_at(block + 2);
    read_scales_6bit(block + 4, out->sc, out->mn);
    read_4bit(block + 16, out->w);
}

void ingle_plain_q5_k(const uint8_t *block, ingle_plain *out)
{
    const uint8_t *qh = block + 16; /* bit s of qh[l]: bit 4 of weight 32s + l */
    out->d = ingle_f16_at(block);
    out->dmin = ingle_f16_at(block + 2);
    read_scales_6bit(block + 4, out->sc, out->mn);
    read_4bit(block + 48, out->w);
    for (int s = 0; s < 8; s++)
        for (int l = 0; l < 32; l++) out->w[32 * s + l] |= (int8_t)((qh[l] >> s & 1) << 4);
}

void ingle_plain_q6_k(const uint8_t *block, ingle_plain *out)
{
    out->d = ingle_f16_at(block + 208);
    memcpy(out->sc, block + 192, 16);
    for (int h = 0; h < 2; h++) {
        const uint8_t *ql = block + 64 * h, *qh = block + 128 + 32 * h;
        int8_t *w = out->w + 128 * h;
        for (int l = 0; l < 32; l++) {
            w[l] = (int8_t)(((ql[l] & 15) | (qh[l] & 3) << 4) - 32);
            w[l + 32] = (int8_t)(((ql[l + 32] & 15) | (qh[l] >> 2 & 3) << 4) - 32);
            w[l + 64] = (int8_t)((ql[l] >> 4 | (qh[l] >> 4 & 3) << 4) - 32);
            w[l + 96] = (int8_t)((ql[l + 32] >> 4 | (qh[l] >> 6) << 4) - 32);
        }
    }
}

void ingle_plain_iq4_xs(const uint8_t *block, ingle_plain *out)
{
    out->d = ingle_f16_at(block);
    uint16_t high = ingle_u16_at(block + 2);
    for (int i = 0; i < 8; i++) {
        int low = block[4 + i / 2] >> 4 * (i % 2) & 15;
        out->sc[i] = (int8_t)((low | (high >> 2 * i & 3) << 4) - 32);
        read_table(block + 8 + 16 * i, ingle_iq4nl_values, out->w + 32 * i);
    }
}

void ingle_plain_tq2_0(const uint8_t *block, ingle_plain *out)
{
    out->d = ingle_f16_at(block + 64);
    memset(out->sc, 1, 8);
    read_2bit(block, out->w);
    for (int k = 0; k < 256; k++) out->w[k]--;
}

/* n trits of each of so many bytes, as fractions of 256 in base 3: trit i of byte l is weight
 * i * bytes + l. */
static void read_trits(const uint8_t *q, int bytes, int n, int8_t *w)
{
    for (int l = 0; l < bytes; l++) {
        uint8_t rest = q[l];
        for (int i = 0; i < n; i++, rest = (uint8_t)(3 * rest))
            w[i * bytes + l] = (int8_t)((3 * rest >> 8) - 1);
    }
}

void ingle_plain_tq1_0(const uint8_t *block, ingle_plain *out)
{
    out->d = ingle_f16_at(block + 52);
    memset(out->sc, 1, 8);
    read_trits(block, 32, 5, out->w);
    read_trits(block + 32, 16, 5, out->w + 160);
    read_trits(block + 48, 4, 4, out->w + 240);
}

/* ---- plain numbers to floats ---- */

static void decode_b(const uint8_t *src, float *dst, size_t n, size_t bytes, ingle_plain_fn *plain)
{
    ingle_plain b;
    for (; n; n--, src += bytes, dst += 32) {
        plain(src, &b);
        for (int k = 0; k < 32; k++) dst[k] = b.d * (float)b.w[k];
    }
}

static void decode_b_min(const uint8_t *src, float *dst, size_t n, size_t bytes,
                         ingle_plain_fn *plain)
{
    ingle_plain b;
    for (; n; n--, src += bytes, dst += 32) {
        plain(src, &b);
        for (int k = 0; k < 32; k++) dst[k] = b.d * (float)b.w[k] + b.dmin;
    }
}

static void decode_runs(const uint8_t *src, float *dst, size_t n, size_t bytes, int elems, int sub,
                        ingle_plain_fn *plain)
{
    ingle_plain b;
    for (; n; n--, src += bytes, dst += elems) {
        plain(src, &b);
        for (int k = 0; k < elems; k++) dst[k] = b.run_d[k / sub] * (float)b.w[k];
    }
}

static void decode_k(const uint8_t *src, float *dst, size_t n, size_t bytes, int sub,
                     ingle_plain_fn *plain)
{
    ingle_plain b;
    for (; n; n--, src += bytes, dst += 256) {
        plain(src, &b);
        for (int k = 0; k < 256; k++) dst[k] = b.d * (float)b.sc[k / sub] * (float)b.w[k];
    }
}

/* Behind the d of all blocks of the row. */
static void decode_k_row(const uint8_t *src, float *dst, size_t n, size_t bytes,
                         ingle_plain_fn *plain)
{
    ingle_plain b;
    float d;
    memcpy(&d, src, sizeof d);
    for (src += sizeof d; n; n--, src += bytes, dst += 256) {
        plain(src, &b);
        for (int k = 0; k < 256; k++) dst[k] = d * (float)b.sc[k / 32] * (float)b.w[k];
    }
}

static void decode_k_min(const uint8_t *src, float *dst, size_t n, size_t bytes, int sub,
                         ingle_plain_fn *plain)
{
    ingle_plain b;
    for (; n; n--, src += bytes, dst += 256) {
        plain(src, &b);
        for (int k = 0; k < 256; k++)
            dst[k] = b.d * (float)b.sc[k / sub] * (float)b.w[k] - b.dmin * (float)b.mn[k / sub];
    }
}

#define DECODE_B(NAME, fn, number, tile, arm64, elems, bytes, sub, zero, min, ...)                 \
    void ingle_decode_##fn(const void *src, float *dst, size_t n)                                  \
    {                                                                                              \
        if (elems > 32) decode_runs(src, dst, n, bytes, elems, sub, ingle_plain_##fn);             \
        else if (min) decode_b_min(src, dst, n, bytes, ingle_plain_##fn);                          \
        else decode_b(src, dst, n, bytes, ingle_plain_##fn);                                       \
    }
#define DECODE_K(NAME, fn, number, tile, arm64, elems, bytes, sub, zero, min, head, ...)           \
    void ingle_decode_##fn(const void *src, float *dst, size_t n)                                  \
    {                                                                                              \
        if (head) decode_k_row(src, dst, n, bytes, ingle_plain_##fn);                              \
        else if (min) decode_k_min(src, dst, n, bytes, sub, ingle_plain_##fn);                     \
        else decode_k(src, dst, n, bytes, sub, ingle_plain_##fn);                                  \
    }
INGLE_TYPES_B(DECODE_B)
INGLE_TYPES_K(DECODE_K)
