/* grids.inc.h - the codebook types, IQ1 to IQ3, for weights.inc.h.
 * Depends on quant/quant.h (layout, books).
 * Parameters: the words of weights.inc.h, which includes this file, and of a vec_*.h.
 *
 * A step is 8 weights of 16 rows: two lines. One gather fetches an entry of IQ1 or IQ2 for every
 * row, nibbles that become bytes in a table of 16; two fetch those of IQ3, bytes already. Signs turn
 * bytes over; then WIDE_ZERO makes them unsigned where the level wants that. */
#ifndef MAX_PARTS
#error "include weights.inc.h, which includes this file"
#endif

/* Bits `at`.. of every dword, n of them. */
INLINE vi bits_of(vi v, int at, int n)
{
    return vi_and(vi_srl(v, at), vi_32((1 << n) - 1));
}

/* Narrow units of a field that has n of them a block, as dwords. */
INLINE vi bytes_of(const source *s, int f, size_t b, int n, int u, int r)
{
    return vi_load_u8(s->field[f] + (b * (size_t)n + (size_t)u) * ROWS + (size_t)r);
}
INLINE vi words_of(const source *s, int f, size_t b, int n, int u, int r)
{
    return vi_load_u16(s->field[f] + ((b * (size_t)n + (size_t)u) * ROWS + (size_t)r) * 2);
}

/* ---- signs ---- */

/* Bytes of 7 signs each: the eighth makes the number of minuses even. */
INLINE vi even_signs(vi seven)
{
    static const uint8_t odd[16] = {0,    0x80, 0x80, 0,    0x80, 0,    0,    0x80,
                                    0x80, 0,    0,    0x80, 0,    0x80, 0x80, 0};
    vi table = vi_lanes(odd), m4 = vi_8(15);
    vi low = vi_lookup(table, vi_and(seven, m4));
    vi high = vi_lookup(table, vi_and(vi_srl(seven, 4), m4));
    return vi_or(seven, vi_xor(low, high));
}

/* Four times 7 bits of a dword to its bytes. */
INLINE vi spread_signs(vi v)
{
    vi s = vi_and(v, vi_32(0x7f));
    s = vi_or_and(s, vi_sll(v, 1), vi_32(0x7f00));
    s = vi_or_and(s, vi_sll(v, 2), vi_32(0x7f0000));
    return even_signs(vi_or_and(s, vi_sll(v, 3), vi_32(0x7f000000)));
}

/* Byte n of every dword holds the signs of the step's weights. */
INLINE void put_signs(vi signs, int n, vi u[])
{
    static const uint8_t byte0[16] = {0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12};
    vi s = vi_lookup(signs, vi_add8(vi_lanes(byte0), vi_8(n)));
    u[0] = vi_xor(vi_minus(u[0], s, vi_32(0x08040201)), vi_8(WIDE_ZERO));
    u[1] = vi_xor(vi_minus(u[1], s, vi_32((int32_t)0x80402010)), vi_8(WIDE_ZERO));
}

/* ---- steps ---- */

INLINE void unpack_iq2_xxs(const source *s, size_t b, int c, int i, int r, vi u[])
{
    nibbles(vi_gather(ingle_grid_iq2xxs, bits_of(line(s, 1, b, 16, 2 * c, r), 8 * i, 8)), u);
    look_up(ingle_iq2_values, 0, u);
    put_signs(spread_signs(line(s, 1, b, 16, 2 * c + 1, r)), i, u);
}

INLINE void unpack_iq2_xs(const source *s, size_t b, int c, int i, int r, vi u[])
{
    vi q = line(s, 1, b, 16, c, r);
    nibbles(vi_gather(ingle_grid_iq2xs, bits_of(q, 16 * i, 9)), u);
    look_up(ingle_iq2_values, 0, u);
    put_signs(even_signs(vi_and(vi_srl(q, 9), vi_32(0x007f007f))), 2 * i, u);
}

INLINE void unpack_iq2_s(const source *s, size_t b, int c, int i, int r, vi u[])
{
    int l = 2 * (c % 2) + i;
    vi high = bits_of(bytes_of(s, 3, b, 8, c / 2, r), 2 * l, 2);
    vi index = vi_or(bits_of(line(s, 1, b, 8, c / 2, r), 8 * l, 8), vi_sll(high, 8));
    nibbles(vi_gather(ingle_grid_iq2s, index), u);
    look_up(ingle_iq2_values, 0, u);
    put_signs(line(s, 2, b, 8, c / 2, r), l, u);
}

INLINE void unpack_iq3_xxs(const source *s, size_t b, int c, int i, int r, vi u[])
{
    vi q = line(s, 1, b, 16, 2 * c + i / 2, r);
    for (int j = 0; j < 2; j++)
        u[j] = vi_gather(ingle_grid_iq3xxs, bits_of(q, 16 * (i % 2) + 8 * j, 8));
    put_signs(spread_signs(line(s, 2, b, 8, c, r)), i, u);
}

INLINE void unpack_iq3_s(const source *s, size_t b, int c, int i, int r, vi u[])
{
    vi q = line(s, 1, b, 16, 2 * c + i / 2, r), qh = bytes_of(s, 2, b, 8, c, r);
    for (int j = 0; j < 2; j++) {
        vi high = vi_sll(bits_of(qh, 2 * i + j, 1), 8);
        u[j] = vi_gather(ingle_grid_iq3s, vi_or(bits_of(q, 16 * (i % 2) + 8 * j, 8), high));
    }
    put_signs(line(s, 3, b, 8, c, r), i, u);
}

/* high: dwords of bits 8 .. 10 of the index and, above them, whether the shift is down. */
INLINE void unpack_iq1(vi low, vi high, vi u[])
{
    vi down = vi_and(vi_sub(vi_zero(), bits_of(high, 3, 1)), vi_8(4));
    nibbles(vi_gather(ingle_grid_iq1s, vi_or(low, vi_sll(bits_of(high, 0, 3), 8))), u);
    u[0] = vi_or(u[0], down);
    u[1] = vi_or(u[1], down);
    look_up(ingle_iq1_values, WIDE_ZERO, u);
}

INLINE void unpack_iq1_s(const source *s, size_t b, int c, int i, int r, vi u[])
{
    vi qh = words_of(s, 2, b, 8, c, r);
    vi high = vi_or(bits_of(qh, 3 * i, 3), vi_sll(bits_of(qh, 15, 1), 3));
    unpack_iq1(bits_of(line(s, 1, b, 8, c, r), 8 * i, 8), high, u);
}

INLINE void unpack_iq1_m(const source *s, size_t b, int c, int i, int r, vi u[])
{
    vi low = bits_of(line(s, 0, b, 8, c / 2, r), 8 * (2 * (c % 2) + i), 8);
    unpack_iq1(low, bits_of(bytes_of(s, 1, b, 16, c, r), 4 * i, 4), u);
}

/* ---- scales: odd numbers ---- */

INLINE void put_odd(scales *out, int i, int r, vi v)
{
    vi_store_s8(out->sc + i * ROWS + r, vi_add(vi_add(v, v), vi_32(1)));
}

/* Two nibbles a byte, n bytes. */
INLINE void scales_nibbles(const source *s, int f, size_t b, int n, scales *out)
{
    for (int i = 0; i < n; i++)
        for (int r = 0; r < ROWS; r += VL) {
            vi v = bytes_of(s, f, b, n, i, r);
            put_odd(out, 2 * i, r, bits_of(v, 0, 4));
            put_odd(out, 2 * i + 1, r, bits_of(v, 4, 4));
        }
}

/* The top bits of every step-th line of field f, which has 8 * step. */
INLINE void scales_top(const source *s, int f, size_t b, int step, scales *out)
{
    for (int i = 0; i < 8; i++)
        for (int r = 0; r < ROWS; r += VL)
            put_odd(out, i, r, vi_srl(line(s, f, b, 8 * step, step * i + step - 1, r), 28));
}

INLINE void scales_iq1_s(const source *s, size_t b, scales *out)
{
    for (int i = 0; i < 8; i++)
        for (int r = 0; r < ROWS; r += VL)
            put_odd(out, i, r, bits_of(words_of(s, 2, b, 8, i, r), 12, 3));
}

INLINE void scales_iq1_m(const source *s, size_t b, scales *out)
{
    for (int i = 0; i < 16; i++)
        for (int r = 0; r < ROWS; r += VL)
            put_odd(out, i, r, bits_of(words_of(s, 2, b, 4, i / 4, r), 3 * (i % 4), 3));
}

/* d of IQ1_M: the top nibbles of its four words. */
INLINE vf d_iq1_m(const source *s, size_t b, int r)
{
    vi d = vi_zero();
    for (int i = 0; i < 4; i++)
        d = vi_or(d, vi_sll(bits_of(words_of(s, 2, b, 4, i, r), 12, 4), 4 * i));
    return vf_f16(d);
}
