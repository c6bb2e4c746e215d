/* iqk.inc.h - ik_llama.cpp's IQ2_K to IQ6_K, IQ4_KS and IQ5_KS, for weights.inc.h.
 * Parameters: the words of weights.inc.h, which includes this file, of grids.inc.h, of a vec_*.h.
 *
 * Field 0 of IQ*_K are words: d, a bit for each sub-block whose values are shifted, and for IQ3_K one
 * for each scale below 0. Field 0 of IQ*_KS are bytes: a scale and such a bit each. */
#ifndef MAX_PARTS
#error "include weights.inc.h, which includes this file"
#endif

/* Words of field 0 in a block. */
INLINE int heads_of(ingle_type type)
{
    return type == INGLE_TYPE_IQ3_K ? 3 : 2;
}

/* Values of sub-block i, shifted up by `by` where its bit says so. */
INLINE vi shift_up(ingle_type type, const source *s, size_t b, int i, int by, int r, vi u)
{
    vi bit = bits_of(words_of(s, 0, b, heads_of(type), 1, r), i, 1);
    vi up = vi_and(vi_sub(vi_zero(), bit), vi_8(by));
    return vi_xor(vi_add8(u, up), vi_8(WIDE_ZERO));
}

INLINE void unpack_iq2_k(const source *s, size_t b, int c, int i, int r, vi u[])
{
    vi table = vi_lanes(ingle_iq2k_values);
    unpack_2bit(line(s, 2, b, 16, 4 * c + i, r), u);
    for (int j = 0; j < 4; j++)
        u[j] = shift_up(INGLE_TYPE_IQ2_K, s, b, 8 * (c / 2) + 2 * j + c % 2, INGLE_IQ2K_SHIFT, r,
                        vi_lookup(table, u[j]));
}

INLINE void unpack_iq3_k(const source *s, size_t b, int c, int i, int r, vi u[])
{
    vi table = vi_lanes(ingle_iq3k_values);
    vi high = vi_srl(line(s, 3, b, 8, 4 * (c % 2) + i, r), c / 2 * 4);
    unpack_2bit(line(s, 2, b, 16, 4 * c + i, r), u);
    for (int j = 0; j < 4; j++) {
        vi at4 = j < 2 ? vi_sll(high, 2 - j) : vi_srl(high, j - 2);
        u[j] = shift_up(INGLE_TYPE_IQ3_K, s, b, 8 * (c / 2) + 2 * j + c % 2, INGLE_IQ3K_SHIFT, r,
                        vi_lookup(table, vi_or_and(u[j], at4, vi_8(4))));
    }
}

INLINE void unpack_iq4_k(const source *s, size_t b, int c, int i, int r, vi u[])
{
    nibbles(line(s, 3, b, 32, 4 * c + i, r), u);
    look_up(ingle_iq4nl_values, 0, u);
    for (int j = 0; j < 2; j++)
        u[j] = shift_up(INGLE_TYPE_IQ4_K, s, b, 2 * c + j, INGLE_IQ4K_SHIFT, r, u[j]);
}

/* high: the fifth and, of 64 values, the sixth bits of parts 0 and 1 beside one another. */
INLINE vi look_up_32(const int8_t *values, vi index, vi high, int bit)
{
    return vi_pick(vi_lookup(vi_lanes(values), index), vi_lookup(vi_lanes(values + 16), index),
                   high, 1 << bit);
}

INLINE void unpack_iq5_k(const source *s, size_t b, int c, int i, int r, vi u[])
{
    vi high = line(s, 4, b, 8, 4 * (c % 2) + i, r);
    nibbles(line(s, 3, b, 32, 4 * c + i, r), u);
    for (int j = 0; j < 2; j++)
        u[j] = shift_up(INGLE_TYPE_IQ5_K, s, b, 4 * (c / 2) + 2 * j + c % 2, INGLE_IQ5K_SHIFT, r,
                        look_up_32(ingle_iq5k_values, u[j], high, 2 * (c / 2) + j));
}

INLINE void unpack_iq6_k(const source *s, size_t b, int c, int i, int r, vi u[])
{
    vi high = line(s, 3, b, 16, 8 * (c / 4) + 4 * (c % 2) + i, r);
    nibbles(line(s, 2, b, 32, 4 * c + i, r), u);
    for (int j = 0; j < 2; j++) {
        int bit = 4 * (c / 2 % 2) + 2 * j;
        vi low = look_up_32(ingle_iq6k_values, u[j], high, bit);
        vi v = vi_pick(low, look_up_32(ingle_iq6k_values + 32, u[j], high, bit), high, 2 << bit);
        u[j] =
            shift_up(INGLE_TYPE_IQ6_K, s, b, 4 * (c / 2) + 2 * j + c % 2, INGLE_IQ6K_SHIFT, r, v);
    }
}

/* The same where the bit is the lowest of the sub-block's byte of scales. */
INLINE vi shift_row_up(const source *s, size_t b, int i, int by, int r, vi u)
{
    vi bit = bits_of(bytes_of(s, 0, b, 8, i, r), 0, 1);
    vi up = vi_and(vi_sub(vi_zero(), bit), vi_8(by));
    return vi_xor(vi_add8(u, up), vi_8(WIDE_ZERO));
}

INLINE void unpack_iq4_ks(const source *s, size_t b, int c, int i, int r, vi u[])
{
    nibbles(line(s, 1, b, 32, 4 * c + i, r), u);
    look_up(ingle_iq4nl_values, 0, u);
    for (int j = 0; j < 2; j++) u[j] = shift_row_up(s, b, c, INGLE_IQ4K_SHIFT, r, u[j]);
}

INLINE void unpack_iq5_ks(const source *s, size_t b, int c, int i, int r, vi u[])
{
    vi high = line(s, 2, b, 8, i, r);
    nibbles(line(s, 1, b, 32, 8 * c + i, r), u);
    for (int j = 0; j < 2; j++)
        u[j] = shift_row_up(s, b, 2 * c + j, INGLE_IQ5K_SHIFT, r,
                            look_up_32(ingle_iq5k_values, u[j], high, 2 * c + j));
}

/* ---- scales ---- */

INLINE void scales_iqks(const source *s, size_t b, scales *out)
{
    for (int o = 0; o < 8 * ROWS; o += VB) {
        vi v = vi_and(vi_load(s->field[0] + b * 8 * ROWS + o), vi_8(254));
        vi_store(out->sc + o, vi_sub8(v, vi_8(127)));
    }
}

/* The line in front of the panel's sections. */
INLINE const float *row_d(const source *s)
{
    return (const float *)(const void *)(s->field[0] - ROWS * sizeof(float));
}

INLINE void scales_iq2_k(const source *s, size_t b, scales *out)
{
    for (int i = 0; i < 16; i++)
        for (int r = 0; r < ROWS; r += VL) {
            vi v = bits_of(bytes_of(s, 1, b, 8, i / 2, r), 4 * (i % 2), 4);
            vi_store_s8(out->sc + i * ROWS + r, vi_sub(v, vi_32(8)));
        }
}

INLINE void scales_iq3_k(const source *s, size_t b, scales *out)
{
    for (int i = 0; i < 16; i++)
        for (int r = 0; r < ROWS; r += VL) {
            vi v = bits_of(bytes_of(s, 1, b, 8, i / 2, r), 4 * (i % 2), 4);
            vi minus = vi_sub(vi_zero(), bits_of(words_of(s, 0, b, 3, 2, r), i, 1));
            v = vi_add(vi_add(v, v), vi_32(1));
            vi_store_s8(out->sc + i * ROWS + r, vi_sub(vi_xor(v, minus), minus));
        }
}

INLINE void scales_iq45_k(const source *s, size_t b, scales *out)
{
    for (int i = 0; i < 16; i++)
        for (int r = 0; r < ROWS; r += VL) {
            vi low = bits_of(bytes_of(s, 2, b, 8, i / 2, r), 4 * (i % 2), 4);
            vi high = bits_of(bytes_of(s, 1, b, 4, i / 4, r), 2 * (i % 4), 2);
            vi v = vi_or(low, vi_sll(high, 4));
            vi_store_s8(out->sc + i * ROWS + r, vi_sub(v, vi_32(32)));
        }
}
