/* decode_iqk.c - reads the blocks of ik_llama.cpp's IQ2_K to IQ6_K, IQ4_KS and IQ5_KS: values from
 * a table, which a bit for every 16 weights, or 32, shifts up by a constant.
 * Depends on quant/decode.h.
 * Invariant  all that is said in decode.c. IQ6_K's values are the integers that all its products
 *            use there; its conversion to floats alone takes a polynomial near them. */
#include "quant/decode.h"

/* Indices in w to values. */
static void look_up(const uint8_t *block, const int8_t *values, int shift, int8_t *w)
{
    unsigned extra = ingle_u16_at(block + 2);
    for (int k = 0; k < 256; k++) w[k] = (int8_t)(values[w[k]] + (extra >> k / 16 & 1 ? shift : 0));
}

static int nibble(const uint8_t *p, int i)
{
    return p[i / 2] >> 4 * (i % 2) & 15;
}

/* Byte l of half h holds weights 128h + l + {0, 32, 64, 96}, two bits each. */
static int two_bits(const uint8_t *p, int k)
{
    return p[k / 128 * 32 + k % 32] >> k / 32 % 4 * 2 & 3;
}

/* Byte l of quarter q holds weights 64q + l (low) and 64q + 32 + l. */
static int four_bits(const uint8_t *p, int k)
{
    return p[k / 64 * 32 + k % 32] >> k / 32 % 2 * 4 & 15;
}

void ingle_plain_iq2_k(const uint8_t *block, ingle_plain *out)
{
    out->d = ingle_f16_at(block);
    for (int i = 0; i < 16; i++) out->sc[i] = (int8_t)(nibble(block + 4, i) - 8);
    for (int k = 0; k < 256; k++) out->w[k] = (int8_t)two_bits(block + 12, k);
    look_up(block, ingle_iq2k_values, INGLE_IQ2K_SHIFT, out->w);
}

void ingle_plain_iq3_k(const uint8_t *block, ingle_plain *out)
{
    unsigned minus = ingle_u16_at(block + 4);
    const uint8_t *qh = block + 78; /* bit s of qh[l]: bit 2 of weight 32s + l */
    out->d = ingle_f16_at(block);
    for (int i = 0; i < 16; i++) {
        int sc = 2 * nibble(block + 6, i) + 1;
        out->sc[i] = (int8_t)(minus >> i & 1 ? -sc : sc);
    }
    for (int k = 0; k < 256; k++)
        out->w[k] = (int8_t)(two_bits(block + 14, k) | (qh[k % 32] >> k / 32 & 1) << 2);
    look_up(block, ingle_iq3k_values, INGLE_IQ3K_SHIFT, out->w);
}

/* Low nibbles of 16 scales after the four bytes with their high two bits. */
static void read_scales_iqk(const uint8_t *p, int8_t *sc)
{
    for (int i = 0; i < 16; i++) {
        int high = p[i / 4] >> 2 * (i % 4) & 3;
        sc[i] = (int8_t)((nibble(p + 4, i) | high << 4) - 32);
    }
}

void ingle_plain_iq4_k(const uint8_t *block, ingle_plain *out)
{
    out->d = ingle_f16_at(block);
    read_scales_iqk(block + 4, out->sc);
    for (int k = 0; k < 256; k++) {
        int byte = block[16 + k / 32 * 16 + k % 16];
        out->w[k] = (int8_t)(byte >> k / 16 % 2 * 4 & 15);
    }
    look_up(block, ingle_iq4nl_values, INGLE_IQ4K_SHIFT, out->w);
}

void ingle_plain_iq5_k(const uint8_t *block, ingle_plain *out)
{
    const uint8_t *qh = block + 144; /* bit s of qh[l]: bit 4 of weight 32s + l */
    out->d = ingle_f16_at(block);
    read_scales_iqk(block + 4, out->sc);
    for (int k = 0; k < 256; k++)
        out->w[k] = (int8_t)(four_bits(block + 16, k) | (qh[k % 32] >> k / 32 & 1) << 4);
    look_up(block, ingle_iq5k_values, INGLE_IQ5K_SHIFT, out->w);
}

void ingle_plain_iq6_k(const uint8_t *block, ingle_plain *out)
{
    out->d = ingle_f16_at(block);
    memcpy(out->sc, block + 4, 16);
    for (int k = 0; k < 256; k++)
        out->w[k] = (int8_t)(four_bits(block + 20, k) | two_bits(block + 148, k) << 4);
    look_up(block, ingle_iq6k_values, INGLE_IQ6K_SHIFT, out->w);
}

/* A byte for each 32 weights: the scale, even, above an offset, and whether they are shifted. */
static void put_row_scales(const uint8_t *scales, int shift, ingle_plain *out)
{
    out->d = 1;
    for (int i = 0; i < 8; i++) out->sc[i] = (int8_t)((scales[i] & 254) - 127);
    for (int k = 0; k < 256; k++)
        out->w[k] = (int8_t)(out->w[k] + (scales[k / 32] & 1 ? shift : 0));
}

void ingle_plain_iq4_ks(const uint8_t *block, ingle_plain *out)
{
    for (int k = 0; k < 256; k++) {
        int byte = block[8 + k / 32 * 16 + k % 16];
        out->w[k] = ingle_iq4nl_values[byte >> k / 16 % 2 * 4 & 15];
    }
    put_row_scales(block, INGLE_IQ4K_SHIFT, out);
}

void ingle_plain_iq5_ks(const uint8_t *block, ingle_plain *out)
{
    const uint8_t *qh = block + 136; /* bit s of qh[l]: bit 4 of weight 32s + l */
    for (int k = 0; k < 256; k++)
        out->w[k] = ingle_iq5k_values[four_bits(block + 8, k) | (qh[k % 32] >> k / 32 & 1) << 4];
    put_row_scales(block, INGLE_IQ5K_SHIFT, out);
}
