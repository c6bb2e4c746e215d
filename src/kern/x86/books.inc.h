/* books.inc.h - the codebook types, IQ1 to IQ3, where bytes can be looked up in registers: AVX-512
 * with VBMI and BITALG. Beside grids.inc.h, which it takes the scales from; for books_avx512vbmi.c.
 * Depends on quant/quant.h (books).
 * Parameters: the words of vec_avx512.h and of weights.inc.h, which are included first.
 *
 * 64 entries are looked up at once, in tables of 64 bytes that the index's higher bits choose from
 * (books of bytes are half as many tables as books of words). IQ1 and IQ2: 64 entries are the 32
 * weights of 16 rows; IQ3: 16 weights of them. A byte then has four weights of 2 bits or two of 4;
 * vpmultishiftqb puts each into a byte of its own, with neighbours above it that vpermb ignores, or
 * that its table of 64 values repeats over. Values are offset by WIDE_ZERO: 0 - u is that of the
 * weight's minus. Lines come out in order of k, so sums and what follows are all other levels'. */
#ifndef MAX_PARTS
#error "include weights.inc.h first"
#endif

/* ---- places: bits of a dword, for every byte of it the one it takes ---- */

/* Dword lanes are pairs to the instructions that take these. */
INLINE vi places(int a, int b, int c, int d)
{
    uint64_t one = (uint64_t)a | (uint64_t)b << 8 | (uint64_t)c << 16 | (uint64_t)d << 24;
    return _mm512_set1_epi64((long long)(one | (one + 0x20202020) << 32));
}
INLINE vi places_from(int first, int step)
{
    return places(first, first + step, first + 2 * step, first + 3 * step);
}
/* For every byte whether its bit is set. */
INLINE __mmask64 bits_at(vi v, vi at)
{
    return _mm512_bitshuffle_epi64_mask(v, at);
}
/* For every byte the 8 bits from its place on. */
INLINE vi bytes_at(vi v, vi at)
{
    return _mm512_multishift_epi64_epi8(at, v);
}

/* ---- lookups ---- */

/* Bits 6 .. 10 of 64 indices, as far as the book has them; i: bits 0 .. 7. */
typedef struct entries {
    vi i;
    __mmask64 bit6, bit7, bit8, bit9, bit10;
} entries;

INLINE entries entries_of(vi i)
{
    return (entries){.i = i,
                     .bit6 = _mm512_movepi8_mask(_mm512_slli_epi32(i, 1)),
                     .bit7 = _mm512_movepi8_mask(i)};
}
INLINE vi choose(__mmask64 k, vi a, vi b)
{
    return _mm512_mask_blend_epi8(k, a, b);
}
INLINE vi book_128(const uint8_t *book, vi i, __mmask64 bit6)
{
    vi v = _mm512_permutexvar_epi8(i, vi_load(book));
    return _mm512_mask_permutexvar_epi8(v, bit6, i, vi_load(book + 64));
}
INLINE vi book_256(const uint8_t *book, const entries *x)
{
    return choose(x->bit7, book_128(book, x->i, x->bit6), book_128(book + 128, x->i, x->bit6));
}
INLINE vi book_512(const uint8_t *book, const entries *x)
{
    return choose(x->bit8, book_256(book, x), book_256(book + 256, x));
}
INLINE vi book_1024(const uint8_t *book, const entries *x)
{
    return choose(x->bit9, book_512(book, x), book_512(book + 512, x));
}
INLINE vi book_2048(const uint8_t *book, const entries *x)
{
    return choose(x->bit10, book_1024(book, x), book_1024(book + 1024, x));
}

/* ---- signs ---- */

/* a where the bit is not set, else its minus. */
INLINE vi signed_by(vi a, __mmask64 minus)
{
    return _mm512_mask_sub_epi8(a, minus, vi_zero(), a);
}
/* v, and in every byte the bits of `bit` turned over where v has an odd number of them set. */
INLINE vi xor_parity(vi v, vi counted, int up, int bit)
{
    vi odd = vi_sll(_mm512_popcnt_epi8(counted), up);
    return _mm512_ternarylogic_epi32(v, odd, vi_8(bit), 0x78);
}
/* Four times 7 bits of a dword to bytes; the eighth makes the number of minuses even. */
INLINE vi signs_of(vi v)
{
    v = bytes_at(v,
                 places_from(0, 7)); /* the eighth is the next one's first: counted, and undone */
    return xor_parity(v, v, 7, 0x80);
}

/* ---- a byte for every weight ---- */

/* IQ1, IQ2: byte `at` / 8 of every dword; values: of 0, 1, 2. */
INLINE vi four(vi codes, int at, const int8_t *values)
{
    vi table = vi_32((int32_t)(((uint32_t)(uint8_t)values[0] | (uint32_t)(uint8_t)values[1] << 8 |
                                (uint32_t)(uint8_t)values[2] << 16) ^
                               0x80808080));
    return _mm512_permutexvar_epi8(bytes_at(codes, places_from(at, 2)), table);
}

/* IQ2: two halves of entries, in byte at[l] of every dword entry l. */
INLINE void spread_iq2(vi first, vi second, const int at[4], vi u[])
{
#pragma GCC unroll 4
    for (int l = 0; l < 4; l++) {
        u[2 * l] = four(first, 8 * at[l], ingle_iq2_values);
        u[2 * l + 1] = four(second, 8 * at[l], ingle_iq2_values);
    }
}
/* Byte l of signs: of weights 8l .. 8l + 7. */
INLINE void sign_lines(vi signs, vi u[])
{
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++) u[i] = signed_by(u[i], bits_at(signs, places_from(4 * i, 1)));
}

/* IQ3: 64 entries of four weights; v: the values of 0 .. 7. */
INLINE void spread_iq3(vi first, vi second, vi v, vi u[])
{
    vi even = vi_32(0x00ff00ff);
    vi a = _mm512_ternarylogic_epi32(even, first, vi_sll(second, 8), 0xca);
    vi b = _mm512_ternarylogic_epi32(even, vi_srl(first, 8), second, 0xca);
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        vi codes = bytes_at(i % 2 ? b : a, places_from(16 * (i / 2), 4));
        u[i] = _mm512_permutexvar_epi8(codes, v);
    }
}

/* ---- 32 weights of 16 rows: the c-th of block b, 8 lines ---- */

INLINE void unpack_32_iq2_xxs(const source *s, size_t b, int c, vi u[8])
{
    entries x = entries_of(line(s, 1, b, 16, 2 * c, 0));
    spread_iq2(book_256(ingle_book_iq2xxs[0], &x), book_256(ingle_book_iq2xxs[1], &x),
               (const int[]){0, 1, 2, 3}, u);
    sign_lines(signs_of(line(s, 1, b, 16, 2 * c + 1, 0)), u);
}

/* Words: 9 bits of an index, 7 signs. Of two lines low bytes are put together, and high ones: bytes
 * 0 and 2 of a dword are the first line's. */
INLINE void unpack_32_iq2_xs(const source *s, size_t b, int c, vi u[8])
{
    vi p = line(s, 1, b, 16, 2 * c, 0), q = line(s, 1, b, 16, 2 * c + 1, 0);
    vi even = vi_32(0x00ff00ff);
    entries x = entries_of(_mm512_ternarylogic_epi32(even, p, vi_sll(q, 8), 0xca));
    vi high = _mm512_ternarylogic_epi32(even, vi_srl(p, 8), q, 0xca);
    x.bit8 = _mm512_test_epi8_mask(high, vi_8(1));
    spread_iq2(book_512(ingle_book_iq2xs[0], &x), book_512(ingle_book_iq2xs[1], &x),
               (const int[]){0, 2, 1, 3}, u);
    high = xor_parity(high, high, 0, 1); /* where the index's bit was: now the eighth sign */
#pragma GCC unroll 4
    for (int l = 0; l < 4; l++) {
        int at = 8 * (l == 1 ? 2 : l == 2 ? 1 : l);
        u[2 * l] = signed_by(u[2 * l], bits_at(high, places_from(at + 1, 1)));
        u[2 * l + 1] = signed_by(u[2 * l + 1], bits_at(high, places(at + 5, at + 6, at + 7, at)));
    }
}

INLINE void unpack_32_iq2_s(const source *s, size_t b, int c, vi u[8])
{
    entries x = entries_of(line(s, 1, b, 8, c, 0));
    vi high = bytes_of(s, 3, b, 8, c, 0);
    x.bit8 = bits_at(high, places_from(0, 2));
    x.bit9 = bits_at(high, places_from(1, 2));
    spread_iq2(book_1024(ingle_book_iq2s[0], &x), book_1024(ingle_book_iq2s[1], &x),
               (const int[]){0, 1, 2, 3}, u);
    sign_lines(line(s, 2, b, 8, c, 0), u);
}

INLINE void unpack_32_iq3_xxs(const source *s, size_t b, int c, vi u[8])
{
    vi values = _mm512_set1_epi64((long long)(0x3e342c241c140c04 ^ 0x8080808080808080));
    for (int h = 0; h < 2; h++) {
        entries x = entries_of(line(s, 1, b, 16, 2 * c + h, 0));
        spread_iq3(book_256(ingle_book_iq3xxs[0], &x), book_256(ingle_book_iq3xxs[1], &x), values,
                   u + 4 * h);
    }
    sign_lines(signs_of(line(s, 2, b, 8, c, 0)), u);
}

INLINE void unpack_32_iq3_s(const source *s, size_t b, int c, vi u[8])
{
    vi values = _mm512_set1_epi64((long long)(0x0f0d0b0907050301 ^ 0x8080808080808080));
    vi high = bytes_of(s, 2, b, 8, c, 0);
    for (int h = 0; h < 2; h++) {
        entries x = entries_of(line(s, 1, b, 16, 2 * c + h, 0));
        x.bit8 = bits_at(high, places_from(4 * h, 1));
        spread_iq3(book_512(ingle_book_iq3s[0], &x), book_512(ingle_book_iq3s[1], &x), values,
                   u + 4 * h);
    }
    sign_lines(line(s, 3, b, 8, c, 0), u);
}

/* The second halves of IQ1's entries: bits 4 .. 10 of the index tell the two that it may be, bits
 * 0 .. 3 which. */
INLINE vi iq1_high(const entries *x)
{
    vi i = vi_and(vi_srl(x->i, 4), vi_8(15));
    i = _mm512_mask_add_epi8(i, x->bit8, i, vi_8(16));
    i = _mm512_mask_add_epi8(i, x->bit9, i, vi_8(32));
    vi last = book_128(ingle_book_iq1s_high[0], i, x->bit10);
    __mmask64 past = _mm512_movepi8_mask(vi_sub8(last, vi_and(x->i, vi_8(15))));
    return choose(past, book_128(ingle_book_iq1s_high[1], i, x->bit10),
                  book_128(ingle_book_iq1s_high[2], i, x->bit10));
}

/* Entry l's index goes on in bits step * l .. + 2 of dwords high; bits down[l] tell where its
 * weights' shift is down. */
INLINE void unpack_32_iq1(vi low, vi high, int step, const int32_t down[4], vi u[8])
{
    entries x = entries_of(low);
    x.bit8 = bits_at(high, places_from(0, step));
    x.bit9 = bits_at(high, places_from(1, step));
    x.bit10 = bits_at(high, places_from(2, step));
    vi first = book_2048(ingle_book_iq1s, &x), second = iq1_high(&x);
#pragma GCC unroll 4
    for (int l = 0; l < 4; l++) {
        __mmask16 k = _mm512_test_epi32_mask(high, vi_32(down[l]));
        vi by = _mm512_maskz_mov_epi32(k, vi_8(2));
        u[2 * l] = vi_sub8(four(first, 8 * l, ingle_iq1_values), by);
        u[2 * l + 1] = vi_sub8(four(second, 8 * l, ingle_iq1_values), by);
    }
}

INLINE void unpack_32_iq1_s(const source *s, size_t b, int c, vi u[8])
{
    unpack_32_iq1(line(s, 1, b, 8, c, 0), words_of(s, 2, b, 8, c, 0), 3,
                  (const int32_t[]){0x8000, 0x8000, 0x8000, 0x8000}, u);
}

INLINE void unpack_32_iq1_m(const source *s, size_t b, int c, vi u[8])
{
    vi high =
        vi_or(bytes_of(s, 1, b, 16, 2 * c, 0), vi_sll(bytes_of(s, 1, b, 16, 2 * c + 1, 0), 8));
    unpack_32_iq1(line(s, 0, b, 8, c, 0), high, 4, (const int32_t[]){8, 0x80, 0x800, 0x8000}, u);
}

INLINE void unpack_32(ingle_type type, const source *s, size_t b, int c, vi u[8])
{
#define UNPACK_32(NAME, fn, ...)                                                                   \
    if (type == INGLE_TYPE_##NAME) unpack_32_##fn(s, b, c, u);
    INGLE_TYPES_BOOK(UNPACK_32)
}
