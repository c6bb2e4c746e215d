/* decode_grid.c - reads blocks whose weights are entries of a codebook: IQ1, IQ2 and IQ3.
 * Depends on quant/decode.h, and on grids.c for the books.
 * Invariant  all that is said in decode.c. Every product of scales and weights is exact, so their
 *            order does not matter: 11 bits of d, 5 of a scale, at most 6 of a weight. Fractions of
 *            the format's (half a scale, eighths of a weight) are moved into d, exactly too. */
#include "quant/decode.h"

/* ---- signs and entries ---- */

/* Seven signs are stored; the eighth makes the number of minuses even. */
static unsigned even_signs(uint32_t seven)
{
    seven &= 127;
    return seven | (unsigned)__builtin_parity(seven) << 7;
}

/* Eight weights of an entry's nibbles; bit k of minus turns weight k over. */
static void put_nibbles(uint32_t entry, const int8_t *values, unsigned minus, int8_t *w)
{
    for (int k = 0; k < 8; k++) {
        int v = values[entry >> (k % 4 * 8 + k / 4 * 4) & 15];
        w[k] = (int8_t)(minus >> k & 1 ? -v : v);
    }
}

static void put_bytes(uint32_t entry, unsigned minus, int8_t *w)
{
    for (int k = 0; k < 4; k++) {
        int v = (int)(entry >> 8 * k & 255);
        w[k] = (int8_t)(minus >> k & 1 ? -v : v);
    }
}

/* Scales of 4 bits, two a byte, stand for odd numbers. */
static void read_odd_scales(const uint8_t *p, int n, int8_t *sc)
{
    for (int i = 0; i < n; i++) sc[i] = (int8_t)(2 * (p[i / 2] >> 4 * (i % 2) & 15) + 1);
}

/* ---- IQ2 ---- */

void ingle_plain_iq2_xxs(const uint8_t *block, ingle_plain *out)
{
    out->d = ingle_f16_at(block) * 0.125f;
    for (int i = 0; i < 8; i++) {
        const uint8_t *q = block + 2 + 8 * i;
        uint32_t s = ingle_u32_at(q + 4);
        out->sc[i] = (int8_t)(2 * (s >> 28) + 1);
        for (int l = 0; l < 4; l++)
            put_nibbles(ingle_grid_iq2xxs[q[l]], ingle_iq2_values, even_signs(s >> 7 * l),
                        out->w + 32 * i + 8 * l);
    }
}

void ingle_plain_iq2_xs(const uint8_t *block, ingle_plain *out)
{
    out->d = ingle_f16_at(block) * 0.125f;
    read_odd_scales(block + 66, 16, out->sc);
    for (int i = 0; i < 32; i++) {
        unsigned q = ingle_u16_at(block + 2 + 2 * i);
        put_nibbles(ingle_grid_iq2xs[q & 511], ingle_iq2_values, even_signs(q >> 9),
                    out->w + 8 * i);
    }
}

void ingle_plain_iq2_s(const uint8_t *block, ingle_plain *out)
{
    const uint8_t *qs = block + 2, *signs = block + 34, *qh = block + 66;
    out->d = ingle_f16_at(block) * 0.125f;
    read_odd_scales(block + 74, 16, out->sc);
    for (int i = 0; i < 32; i++) {
        int high = qh[i / 4] >> 2 * (i % 4) & 3;
        put_nibbles(ingle_grid_iq2s[qs[i] | high << 8], ingle_iq2_values, signs[i], out->w + 8 * i);
    }
}

/* ---- IQ3 ---- */

void ingle_plain_iq3_xxs(const uint8_t *block, ingle_plain *out)
{
    out->d = ingle_f16_at(block) * 0.25f;
    for (int i = 0; i < 8; i++) {
        uint32_t s = ingle_u32_at(block + 66 + 4 * i);
        out->sc[i] = (int8_t)(2 * (s >> 28) + 1);
        for (int l = 0; l < 8; l++)
            put_bytes(ingle_grid_iq3xxs[block[2 + 8 * i + l]],
                      even_signs(s >> 7 * (l / 2)) >> 4 * (l % 2), out->w + 32 * i + 4 * l);
    }
}

void ingle_plain_iq3_s(const uint8_t *block, ingle_plain *out)
{
    const uint8_t *qs = block + 2, *qh = block + 66, *signs = block + 74;
    out->d = ingle_f16_at(block);
    read_odd_scales(block + 106, 8, out->sc);
    for (int i = 0; i < 64; i++) {
        int high = qh[i / 8] >> i % 8 & 1;
        put_bytes(ingle_grid_iq3s[qs[i] | high << 8], (unsigned)signs[i / 2] >> 4 * (i % 2),
                  out->w + 4 * i);
    }
}

/* ---- IQ1: each weight of -1, 0, 1 is shifted by an eighth, up or down with seven others ---- */

static void put_shifted(uint32_t entry, bool down, int8_t *w)
{
    put_nibbles(entry + (down ? 0x44444444 : 0), ingle_iq1_values, 0, w);
}

void ingle_plain_iq1_s(const uint8_t *block, ingle_plain *out)
{
    out->d = ingle_f16_at(block) * 0.125f;
    for (int i = 0; i < 32; i++) {
        unsigned qh = ingle_u16_at(block + 34 + 2 * (i / 4));
        unsigned high = qh >> 3 * (i % 4) & 7;
        out->sc[i / 4] = (int8_t)(2 * (qh >> 12 & 7) + 1);
        put_shifted(ingle_grid_iq1s[block[2 + i] | high << 8], qh >> 15, out->w + 8 * i);
    }
}

void ingle_plain_iq1_m(const uint8_t *block, ingle_plain *out)
{
    const uint8_t *qh = block + 32;
    uint16_t scales[4], d = 0;
    for (int i = 0; i < 4; i++) {
        scales[i] = ingle_u16_at(block + 48 + 2 * i);
        d |= (uint16_t)(scales[i] >> 12 << 4 * i);
    }
    out->d = ingle_f16_to_f32(d) * 0.125f;
    for (int i = 0; i < 16; i++) out->sc[i] = (int8_t)(2 * (scales[i / 4] >> 3 * (i % 4) & 7) + 1);
    for (int i = 0; i < 32; i++) {
        int h = qh[i / 2] >> 4 * (i % 2);
        put_shifted(ingle_grid_iq1s[block[i] | (h & 7) << 8], h >> 3 & 1, out->w + 8 * i);
    }
}
