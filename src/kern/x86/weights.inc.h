/* weights.inc.h - how each quantised type unpacks: lines of a panel to bytes, scales to int8.
 * Depends on quant/quant.h (layout), quant/types.h.
 * Parameters: the words of a vec_*.h, which is included first.
 *
 * A line is 16 rows x 4 consecutive k. unpack() reads the stored lines of step i of chunk c and
 * gives n_parts lines of bytes: part j holds k = 4 line_of(c, j, i) .. + 3 and belongs to scale
 * sub_of(c, j). The true weight is the byte minus the shape's zero. A chunk of class B is a run. */
#ifndef VL
#error "include a vec_*.h first"
#endif

#include "base/cpu.h"
#include "quant/quant.h"
#include "quant/types.h"

#include <stdlib.h>

#define ROWS      16 /* of a packed panel */
#define MAX_PARTS 4

typedef struct source {
    const uint8_t *field[INGLE_MAX_FIELDS]; /* the panel's sections */
    uintptr_t ahead; /* from here to what is read later in place of the panel behind this one */
    size_t n_blocks, panel_bytes;
    ingle_fetch fetch;
} source;

INLINE source source_of(const ingle_packed *p, size_t i_panel, ingle_fetch fetch)
{
    source s = {.n_blocks = p->n_blocks, .panel_bytes = p->panel_bytes, .fetch = fetch};
    const uint8_t *panel = p->data + i_panel * p->panel_bytes;
    for (int i = 0; i < INGLE_MAX_FIELDS; i++) s.field[i] = panel + p->section[i];
    s.ahead = p->next ? (uintptr_t)p->next - (uintptr_t)panel : 0;
    return s;
}

/* ---- shape ---- */

typedef struct shape {
    int n_chunks, n_steps, n_parts; /* per block */
    int n_subs;                     /* scales per block; class B: 1 */
    int zero;
    bool wide;     /* weights of tables and of all 8 bits: zero is WIDE_ZERO, or they are signed */
    int min_field; /* 0: no min */
    enum {
        PARTS_FIRST, /* part by part */
        STEPS_FIRST, /* parts are neighbouring lines: a step gives 4 n_parts consecutive k */
        HALVES       /* chunk c is half c % 2 of every sub-block pair of 64 or 128 weights */
    } order;
} shape;

INLINE shape shape_of(ingle_type type)
{
    switch (type) {
    case INGLE_TYPE_Q4_0: return (shape){1, 4, 2, 1, 8, false, 0, PARTS_FIRST};
    case INGLE_TYPE_Q4_1: return (shape){1, 4, 2, 1, 0, false, 1, PARTS_FIRST};
    case INGLE_TYPE_Q5_0: return (shape){1, 4, 2, 1, 16, false, 0, PARTS_FIRST};
    case INGLE_TYPE_Q5_1: return (shape){1, 4, 2, 1, 0, false, 1, PARTS_FIRST};
    case INGLE_TYPE_Q8_0: return (shape){1, 8, 1, 1, WIDE_ZERO, true, 0, PARTS_FIRST};
    case INGLE_TYPE_IQ4_NL: return (shape){1, 4, 2, 1, WIDE_ZERO, true, 0, PARTS_FIRST};
    case INGLE_TYPE_MXFP4: return (shape){1, 4, 2, 1, 16, false, 0, PARTS_FIRST};
    case INGLE_TYPE_Q2_K: return (shape){4, 4, 4, 16, 0, false, 3, HALVES};
    case INGLE_TYPE_Q3_K: return (shape){4, 4, 4, 16, 4, false, 0, HALVES};
    case INGLE_TYPE_Q4_K: return (shape){4, 8, 2, 8, 0, false, 1, PARTS_FIRST};
    case INGLE_TYPE_Q5_K: return (shape){4, 8, 2, 8, 0, false, 1, PARTS_FIRST};
    case INGLE_TYPE_Q6_K: return (shape){4, 4, 4, 16, 32, false, 0, HALVES};
    case INGLE_TYPE_Q1_0: return (shape){4, 8, 1, 1, 1, false, 0, PARTS_FIRST};
    case INGLE_TYPE_Q2_0: return (shape){2, 8, 1, 1, 1, false, 0, PARTS_FIRST};
    case INGLE_TYPE_NVFP4: return (shape){4, 2, 2, 1, WIDE_ZERO, true, 0, PARTS_FIRST};
    case INGLE_TYPE_TQ1_0: return (shape){16, 4, 1, 16, 1, false, 0, PARTS_FIRST};
    case INGLE_TYPE_TQ2_0: return (shape){4, 4, 4, 16, 1, false, 0, HALVES};
    case INGLE_TYPE_IQ1_S:
    case INGLE_TYPE_IQ2_XXS:
    case INGLE_TYPE_IQ3_XXS:
    case INGLE_TYPE_IQ3_S: return (shape){8, 4, 2, 8, WIDE_ZERO, true, 0, STEPS_FIRST};
    case INGLE_TYPE_IQ1_M:
    case INGLE_TYPE_IQ2_XS:
    case INGLE_TYPE_IQ2_S: return (shape){16, 2, 2, 16, WIDE_ZERO, true, 0, STEPS_FIRST};
    case INGLE_TYPE_IQ2_K:
    case INGLE_TYPE_IQ3_K: return (shape){4, 4, 4, 16, WIDE_ZERO, true, 0, HALVES};
    case INGLE_TYPE_IQ4_K: return (shape){8, 4, 2, 16, WIDE_ZERO, true, 0, PARTS_FIRST};
    case INGLE_TYPE_IQ5_K:
    case INGLE_TYPE_IQ6_K: return (shape){8, 4, 2, 16, WIDE_ZERO, true, 0, HALVES};
    case INGLE_TYPE_IQ5_KS: return (shape){4, 8, 2, 8, WIDE_ZERO, true, 0, PARTS_FIRST};
    case INGLE_TYPE_IQ4_XS:
    case INGLE_TYPE_IQ4_KS: return (shape){8, 4, 2, 8, WIDE_ZERO, true, 0, PARTS_FIRST};
    case INGLE_NOT_QUANTISED: break;
    }
    ingle_never();
}

/* Weights of a run of class B. */
INLINE int run_of(shape s)
{
    return 4 * s.n_steps * s.n_parts;
}

INLINE bool is_k(ingle_type type)
{
    return INGLE_TYPES_K(INGLE_TYPE_IS_OR) false;
}

/* Weights of a block. */
INLINE int block_of(ingle_type type)
{
    shape s = shape_of(type);
    return is_k(type) ? 256 : s.n_chunks * run_of(s);
}

/* Weights by the entry of a codebook. */
INLINE bool has_book(ingle_type type)
{
    return INGLE_TYPES_BOOK(INGLE_TYPE_IS_OR) false;
}

INLINE int line_of(shape s, int c, int j, int i)
{
    if (s.order == HALVES) return 8 * s.n_parts * (c / 2) + 8 * j + 4 * (c % 2) + i;
    if (s.order == STEPS_FIRST) return (c * s.n_steps + i) * s.n_parts + j;
    return (c * s.n_parts + j) * s.n_steps + i;
}

INLINE int sub_of(shape s, int c, int j)
{
    if (s.order == HALVES) return 2 * s.n_parts * (c / 2) + 2 * j + c % 2;
    return s.n_subs == s.n_chunks ? c : 2 * c + j;
}

/* ---- lines ---- */

/* Line u of block b in field f, which has n of them a block; r: first row, 0 or 8. */
INLINE vi line(const source *s, int f, size_t b, int n, int u, int r)
{
    return vi_load(s->field[f] + (b * (size_t)n + (size_t)u) * 64 + (size_t)r * 4);
}

INLINE void nibbles(vi v, vi u[])
{
    u[0] = vi_and(v, vi_8(15));
    u[1] = vi_and(vi_srl(v, 4), vi_8(15));
}

/* Bit 4 of the four bytes from the dword's bits 4i.. and 16 + 4i.. */
INLINE void fifth_bits(vi qh, int i, vi u[])
{
    static const uint8_t byte0[16] = {0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12};
    vi at = vi_add8(vi_lanes(byte0), vi_8(i / 2));
    vi bits = vi_32(i % 2 ? (int32_t)0x80402010 : 0x08040201);
    u[0] = vi_or(u[0], vi_test16(vi_lookup(qh, at), bits));
    u[1] = vi_or(u[1], vi_test16(vi_lookup(qh, vi_add8(at, vi_8(2))), bits));
}

INLINE void look_up(const int8_t *values, int zero, vi u[])
{
    vi table = vi_add8(vi_lanes(values), vi_8(zero));
    u[0] = vi_lookup(table, u[0]);
    u[1] = vi_lookup(table, u[1]);
}

INLINE void unpack_q5_k(const source *s, size_t b, int c, int i, int r, vi u[])
{
    vi qh = line(s, 3, b, 8, i, r);
    nibbles(line(s, 4, b, 32, 8 * c + i, r), u);
    for (int j = 0; j < 2; j++) {
        int bit = 2 * c + j;
        vi at4 = bit < 4 ? vi_sll(qh, 4 - bit) : vi_srl(qh, bit - 4);
        u[j] = vi_or_and(u[j], at4, vi_8(16));
    }
}

INLINE void unpack_2bit(vi v, vi u[])
{
    for (int j = 0; j < 4; j++) u[j] = vi_and(vi_srl(v, 2 * j), vi_8(3));
}

INLINE void unpack_q3_k(const source *s, size_t b, int c, int i, int r, vi u[])
{
    vi hmask = vi_srl(line(s, 0, b, 8, 4 * (c % 2) + i, r), c / 2 * 4);
    unpack_2bit(line(s, 1, b, 16, 4 * c + i, r), u);
    for (int j = 0; j < 4; j++)
        u[j] = vi_or_and(u[j], j < 2 ? vi_sll(hmask, 2 - j) : vi_srl(hmask, j - 2), vi_8(4));
}

INLINE void unpack_q6_k(const source *s, size_t b, int c, int i, int r, vi u[])
{
    int at = c / 2 * 16 + c % 2 * 4 + i;
    vi low = line(s, 0, b, 32, at, r), high = line(s, 0, b, 32, at + 8, r);
    vi qh = line(s, 1, b, 16, 4 * c + i, r), m4 = vi_8(15), m2 = vi_8(0x30);
    u[0] = vi_or_and(vi_and(low, m4), vi_sll(qh, 4), m2);
    u[1] = vi_or_and(vi_and(high, m4), vi_sll(qh, 2), m2);
    u[2] = vi_or_and(vi_and(vi_srl(low, 4), m4), qh, m2);
    u[3] = vi_or_and(vi_and(vi_srl(high, 4), m4), vi_srl(qh, 2), m2);
}

/* Four weights of a bit each, 0 or 2: the dword's bits 4i.. */
INLINE vi unpack_q1_0(vi q, int i)
{
    static const uint8_t byte0[16] = {0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12};
    vi byte = vi_lookup(q, vi_add8(vi_lanes(byte0), vi_8(i / 2)));
    return vi_srl(vi_test16(byte, vi_32(i % 2 ? (int32_t)0x80402010 : 0x08040201)), 3);
}

/* Four weights of two bits each: byte i of the dword. */
INLINE vi unpack_q2_0(vi q, int i)
{
    q = vi_and(vi_srl(q, 8 * i), vi_32(255));
    q = vi_or(q, vi_sll(q, 6));
    q = vi_or(q, vi_sll(q, 12));
    return vi_and(q, vi_8(3));
}

/* Line u of the block: trit by trit, the bytes' lines behind one another. A byte is a fraction of
 * 256 in base 3: times 3 the next trit is on top, and 3 q / 256 is what it is: two averages of the
 * complement, which are rounded the right way. */
INLINE vi unpack_tq1_0(const source *s, size_t b, int u, int r)
{
    int trit = u < 40 ? u / 8 : u < 60 ? (u - 40) / 4 : u - 60;
    vi q = u < 60 ? line(s, 0, b, 12, u < 40 ? u % 8 : 8 + u % 4, r) : line(s, 1, b, 1, 0, r);
    for (int i = 0; i < trit; i++) q = vi_add8(q, vi_add8(q, q));
    q = vi_xor(q, vi_8(255));
    q = vi_avg8(q, vi_avg8(q, vi_8(255)));
    return vi_xor(vi_and(vi_srl(q, 6), vi_8(3)), vi_8(3));
}

typedef struct scales {
    int8_t sc[16 * ROWS], mn[16 * ROWS]; /* class K: [sub-block][row] */
} scales;

#include "kern/x86/grids.inc.h"
#include "kern/x86/iqk.inc.h"

/* Gives shape_of(type).n_parts lines; see the head of this file. */
INLINE void unpack(ingle_type type, const source *s, size_t b, int c, int i, int r, vi u[])
{
    switch (type) {
    case INGLE_TYPE_Q4_0: nibbles(line(s, 1, b, 4, i, r), u); break;
    case INGLE_TYPE_Q4_1: nibbles(line(s, 2, b, 4, i, r), u); break;
    case INGLE_TYPE_Q5_0:
        nibbles(line(s, 2, b, 4, i, r), u);
        fifth_bits(line(s, 1, b, 1, 0, r), i, u);
        break;
    case INGLE_TYPE_Q5_1:
        nibbles(line(s, 3, b, 4, i, r), u);
        fifth_bits(line(s, 2, b, 1, 0, r), i, u);
        break;
    case INGLE_TYPE_Q8_0: u[0] = vi_xor(line(s, 1, b, 8, i, r), vi_8(WIDE_ZERO)); break;
    case INGLE_TYPE_IQ4_NL:
        nibbles(line(s, 1, b, 4, i, r), u);
        look_up(ingle_iq4nl_values, WIDE_ZERO, u);
        break;
    case INGLE_TYPE_MXFP4:
        nibbles(line(s, 1, b, 4, i, r), u);
        look_up(ingle_mxfp4_values, 16, u);
        break;
    case INGLE_TYPE_Q2_K: unpack_2bit(line(s, 1, b, 16, 4 * c + i, r), u); break;
    case INGLE_TYPE_Q3_K: unpack_q3_k(s, b, c, i, r, u); break;
    case INGLE_TYPE_Q4_K: nibbles(line(s, 3, b, 32, 8 * c + i, r), u); break;
    case INGLE_TYPE_Q5_K: unpack_q5_k(s, b, c, i, r, u); break;
    case INGLE_TYPE_Q6_K: unpack_q6_k(s, b, c, i, r, u); break;
    case INGLE_TYPE_Q1_0: u[0] = unpack_q1_0(line(s, 1, b, 4, c, r), i); break;
    case INGLE_TYPE_Q2_0: u[0] = unpack_q2_0(line(s, 1, b, 4, 2 * c + i / 4, r), i % 4); break;
    case INGLE_TYPE_NVFP4:
        nibbles(line(s, 1, b, 8, 2 * c + i, r), u);
        look_up(ingle_mxfp4_values, WIDE_ZERO, u);
        break;
    case INGLE_TYPE_TQ1_0: u[0] = unpack_tq1_0(s, b, 4 * c + i, r); break;
    case INGLE_TYPE_TQ2_0: unpack_2bit(line(s, 0, b, 16, 4 * c + i, r), u); break;
    case INGLE_TYPE_IQ1_S: unpack_iq1_s(s, b, c, i, r, u); break;
    case INGLE_TYPE_IQ1_M: unpack_iq1_m(s, b, c, i, r, u); break;
    case INGLE_TYPE_IQ2_XXS: unpack_iq2_xxs(s, b, c, i, r, u); break;
    case INGLE_TYPE_IQ2_XS: unpack_iq2_xs(s, b, c, i, r, u); break;
    case INGLE_TYPE_IQ2_S: unpack_iq2_s(s, b, c, i, r, u); break;
    case INGLE_TYPE_IQ3_XXS: unpack_iq3_xxs(s, b, c, i, r, u); break;
    case INGLE_TYPE_IQ3_S: unpack_iq3_s(s, b, c, i, r, u); break;
    case INGLE_TYPE_IQ2_K: unpack_iq2_k(s, b, c, i, r, u); break;
    case INGLE_TYPE_IQ3_K: unpack_iq3_k(s, b, c, i, r, u); break;
    case INGLE_TYPE_IQ4_K: unpack_iq4_k(s, b, c, i, r, u); break;
    case INGLE_TYPE_IQ5_K: unpack_iq5_k(s, b, c, i, r, u); break;
    case INGLE_TYPE_IQ6_K: unpack_iq6_k(s, b, c, i, r, u); break;
    case INGLE_TYPE_IQ4_KS: unpack_iq4_ks(s, b, c, i, r, u); break;
    case INGLE_TYPE_IQ5_KS: unpack_iq5_ks(s, b, c, i, r, u); break;
    case INGLE_TYPE_IQ4_XS:
        nibbles(line(s, 3, b, 32, 4 * c + i, r), u);
        look_up(ingle_iq4nl_values, WIDE_ZERO, u);
        break;
    case INGLE_NOT_QUANTISED: ingle_never();
    }
}

/* Whether unpack_few() leaves the weights of part 1 in the high nibbles, 16 times what they are. Their
 * sum is shifted instead, once. */
INLINE bool stays_high(ingle_type type)
{
    return DOT_TAKES_BYTES &&
           (type == INGLE_TYPE_Q4_0 || type == INGLE_TYPE_Q4_1 || type == INGLE_TYPE_Q4_K);
}

INLINE void unpack_few(ingle_type type, const source *s, size_t b, int c, int i, int r, vi u[])
{
    vi v;
    if (!stays_high(type)) {
        unpack(type, s, b, c, i, r, u);
        return;
    }
    if (type == INGLE_TYPE_Q4_K) v = line(s, 3, b, 32, 8 * c + i, r);
    else v = line(s, type == INGLE_TYPE_Q4_0 ? 1 : 2, b, 4, i, r);
    u[0] = vi_and(v, vi_8(15));
    u[1] = vi_and(v, vi_8(0xf0));
}

/* The sections that a block's lines are in, one or two: field, and its bytes per block of 16 rows. */
typedef struct stream {
    int field;
    size_t bytes;
} stream;
#define MAX_STREAMS 2

INLINE stream stream_of(ingle_type type, int i)
{
    size_t all = is_k(type) ? 64 * 64 : 8 * 64; /* a byte a weight */
    switch (type) {
    case INGLE_TYPE_Q8_0: return (stream){1, i ? 0 : all};
    case INGLE_TYPE_Q4_0:
    case INGLE_TYPE_IQ4_NL:
    case INGLE_TYPE_MXFP4:
    case INGLE_TYPE_Q1_0:
    case INGLE_TYPE_Q2_0:
    case INGLE_TYPE_IQ4_KS: return (stream){1, i ? 0 : all / 2};
    case INGLE_TYPE_Q4_1:
    case INGLE_TYPE_Q5_0: return (stream){2, i ? 0 : all / 2};
    case INGLE_TYPE_Q5_1:
    case INGLE_TYPE_Q4_K:
    case INGLE_TYPE_IQ4_XS: return (stream){3, i ? 0 : all / 2};
    case INGLE_TYPE_Q5_K: return i ? (stream){3, all / 8} : (stream){4, all / 2};
    case INGLE_TYPE_Q6_K: return i ? (stream){1, all / 4} : (stream){0, all / 2};
    case INGLE_TYPE_Q3_K: return i ? (stream){0, all / 8} : (stream){1, all / 4};
    case INGLE_TYPE_IQ2_XXS:
    case INGLE_TYPE_IQ2_XS:
    case INGLE_TYPE_Q2_K: return (stream){1, i ? 0 : all / 4};
    case INGLE_TYPE_TQ1_0:
    case INGLE_TYPE_TQ2_0: return (stream){0, i ? 0 : type == INGLE_TYPE_TQ1_0 ? 12 * 64 : all / 4};
    case INGLE_TYPE_IQ3_XXS: return i ? (stream){2, all / 8} : (stream){1, all / 4};
    case INGLE_TYPE_IQ3_S: return i ? (stream){3, all / 8} : (stream){1, all / 4};
    case INGLE_TYPE_IQ2_S: return i ? (stream){2, all / 8} : (stream){1, all / 8};
    case INGLE_TYPE_IQ1_S: return i ? (stream){2, all / 16} : (stream){1, all / 8};
    case INGLE_TYPE_IQ1_M: return i ? (stream){1, all / 16} : (stream){0, all / 8};
    case INGLE_TYPE_NVFP4: return (stream){1, i ? 0 : all};
    case INGLE_TYPE_IQ2_K: return (stream){2, i ? 0 : all / 4};
    case INGLE_TYPE_IQ3_K: return i ? (stream){3, all / 8} : (stream){2, all / 4};
    case INGLE_TYPE_IQ4_K: return (stream){3, i ? 0 : all / 2};
    case INGLE_TYPE_IQ5_K: return i ? (stream){4, all / 8} : (stream){3, all / 2};
    case INGLE_TYPE_IQ6_K: return i ? (stream){3, all / 4} : (stream){2, all / 2};
    case INGLE_TYPE_IQ5_KS: return i ? (stream){2, all / 8} : (stream){1, all / 2};
    case INGLE_NOT_QUANTISED: break;
    }
    ingle_never();
}

/* What stream i has so many bytes after the start of block b. A stream goes on in the next panel; after
 * the last one it is nobody's. */
INLINE const char *later(const source *s, stream f, size_t b, size_t bytes)
{
    size_t all = s->n_blocks * f.bytes, at = b * f.bytes + bytes;
    if (at >= all) at += s->panel_bytes - all;
    return (const char *)((uintptr_t)s->field[f.field] + at + s->ahead);
}

/* Asks for what s->fetch says comes after block b: for part k of n of a block's lines. A few at a
 * time, or loads wait after the requests. Of a second stream as much of its blocks as of the first. */
INLINE void prefetch_lines(ingle_type type, const source *s, size_t b, int k, int n)
{
    for (int i = 0; i < MAX_STREAMS; i++) {
        stream f = stream_of(type, i);
        if (!f.bytes) continue;
        size_t part = i ? stream_of(type, 0).bytes / f.bytes : 1;
        size_t from = f.bytes * (size_t)k / (size_t)n, to = f.bytes * (size_t)(k + 1) / (size_t)n;
        const char *near = later(s, f, b, s->fetch.near / part),
                   *far = later(s, f, b, s->fetch.far / part);
        for (size_t at = (from + 63) / 64 * 64; at < to; at += 64) {
            _mm_prefetch(near + at, _MM_HINT_T0);
            if (s->fetch.far) _mm_prefetch(far + at, _MM_HINT_T1);
        }
    }
}

/* ---- scales ---- */

/* Four bytes of scales of 16 rows are 64 bytes; all that can be done on them is done 64 at a time.
 */
INLINE void scales_q4_k(const uint8_t *p, scales *out)
{
    int8_t *sc = out->sc, *mn = out->mn;
    vi m4 = vi_8(15), m6 = vi_8(63), high = vi_8(0x30);
    for (int o = 0; o < 64; o += VB) {
        vi a = vi_load(p + o), b = vi_load(p + 64 + o), c = vi_load(p + 128 + o);
        vi_store(sc + o, vi_and(a, m6));
        vi_store(mn + o, vi_and(b, m6));
        vi_store(sc + 64 + o, vi_or_and(vi_and(c, m4), vi_srl(a, 2), high));
        vi_store(mn + 64 + o, vi_or_and(vi_and(vi_srl(c, 4), m4), vi_srl(b, 2), high));
    }
}

INLINE void scales_q3_k(const uint8_t *p, scales *out)
{
    int8_t *sc = out->sc;
    vi m4 = vi_8(15), high = vi_8(0x30), z = vi_8(32);
    for (int o = 0; o < 64; o += VB) {
        vi a = vi_load(p + o), b = vi_load(p + 64 + o), c = vi_load(p + 128 + o);
        vi a4 = vi_and(vi_srl(a, 4), m4), b4 = vi_and(vi_srl(b, 4), m4);
        a = vi_and(a, m4), b = vi_and(b, m4);
        vi_store(sc + o, vi_sub8(vi_or_and(a, vi_sll(c, 4), high), z));
        vi_store(sc + 64 + o, vi_sub8(vi_or_and(b, vi_sll(c, 2), high), z));
        vi_store(sc + 128 + o, vi_sub8(vi_or_and(a4, c, high), z));
        vi_store(sc + 192 + o, vi_sub8(vi_or_and(b4, vi_srl(c, 2), high), z));
    }
}

INLINE void scales_q2_k(const uint8_t *p, scales *out)
{
    int8_t *sc = out->sc, *mn = out->mn;
    for (int o = 0; o < 256; o += VB) {
        vi v = vi_load(p + o);
        vi_store(sc + o, vi_and(v, vi_8(15)));
        vi_store(mn + o, vi_and(vi_srl(v, 4), vi_8(15)));
    }
}

/* high: 16 bits a row, two for each sub-block; low: four bytes a row, a nibble for each. */
INLINE void scales_iq4_xs(const void *high, const uint8_t *low, scales *out)
{
    const __m128i *h = high;
    __m128i m4 = _mm_set1_epi8(15), m2 = _mm_set1_epi8(0x30), byte = _mm_set1_epi16(255);
    __m128i a = _mm_loadu_si128(h), b = _mm_loadu_si128(h + 1);
    __m128i h03 = _mm_packus_epi16(_mm_and_si128(a, byte), _mm_and_si128(b, byte));
    __m128i h47 = _mm_packus_epi16(_mm_srli_epi16(a, 8), _mm_srli_epi16(b, 8));
    for (int i = 0; i < 8; i++) {
        __m128i x = i < 4 ? h03 : h47, l = _mm_loadu_si128((const __m128i *)(low + i / 2 * 16));
        if (i % 2) l = _mm_srli_epi16(l, 4);
        if (i % 4 == 3) x = _mm_srli_epi16(x, 2);
        else x = _mm_slli_epi16(x, 4 - i % 4 * 2);
        l = _mm_or_si128(_mm_and_si128(l, m4), _mm_and_si128(x, m2));
        _mm_storeu_si128((__m128i *)(out->sc + i * ROWS), _mm_sub_epi8(l, _mm_set1_epi8(32)));
    }
}

INLINE void read_scales(ingle_type type, const source *s, size_t b, scales *out)
{
    switch (type) {
    case INGLE_TYPE_Q2_K: scales_q2_k(s->field[0] + b * 256, out); break;
    case INGLE_TYPE_Q3_K: scales_q3_k(s->field[2] + b * 192, out); break;
    case INGLE_TYPE_Q4_K:
    case INGLE_TYPE_Q5_K: scales_q4_k(s->field[2] + b * 192, out); break;
    case INGLE_TYPE_Q6_K: memcpy(out->sc, s->field[2] + b * 256, 256); break;
    case INGLE_TYPE_TQ1_0:
    case INGLE_TYPE_TQ2_0: memset(out->sc, 1, 256); break;
    case INGLE_TYPE_IQ1_S: scales_iq1_s(s, b, out); break;
    case INGLE_TYPE_IQ1_M: scales_iq1_m(s, b, out); break;
    case INGLE_TYPE_IQ2_XXS: scales_top(s, 1, b, 2, out); break;
    case INGLE_TYPE_IQ3_XXS: scales_top(s, 2, b, 1, out); break;
    case INGLE_TYPE_IQ2_XS: scales_nibbles(s, 2, b, 8, out); break;
    case INGLE_TYPE_IQ2_S: scales_nibbles(s, 4, b, 8, out); break;
    case INGLE_TYPE_IQ3_S: scales_nibbles(s, 4, b, 4, out); break;
    case INGLE_TYPE_IQ2_K: scales_iq2_k(s, b, out); break;
    case INGLE_TYPE_IQ3_K: scales_iq3_k(s, b, out); break;
    case INGLE_TYPE_IQ4_K:
    case INGLE_TYPE_IQ5_K: scales_iq45_k(s, b, out); break;
    case INGLE_TYPE_IQ6_K: memcpy(out->sc, s->field[1] + b * 256, 256); break;
    case INGLE_TYPE_IQ4_KS:
    case INGLE_TYPE_IQ5_KS: scales_iqks(s, b, out); break;
    case INGLE_TYPE_IQ4_XS: scales_iq4_xs(s->field[1] + b * 32, s->field[2] + b * 64, out); break;
    case INGLE_NOT_K: ingle_never();
    }
}

/* 2^(e - 128); the two smallest are denormal. */
INLINE vf e8m0(const uint8_t *p)
{
    vi e = vi_load_u8(p);
    vi normal = vi_sll(vi_sub(e, vi_32(1)), 23);
    vi denormal = vi_mul(vi_add(e, vi_32(1)), vi_32(0x00200000));
    return vf_bits(vi_select_small(e, 2, denormal, normal));
}

/* Half of an E4M3 number without its sign, as ingle_e4m3_half(). */
INLINE vf e4m3(const uint8_t *p)
{
    vi e = vi_load_u8(p), low = vi_and(e, vi_32(127));
    vi normal = vi_sll(vi_add(low, vi_32(119 << 3)), 20);
    vf denormal = vf_mul(vf_int(low), vf_1(0x1p-10f));
    normal = vi_select_small(low, 8, vi_bits(denormal), normal);
    return vf_bits(vi_and(normal, vi_differ(e, vi_32(0x7f))));
}

/* Block scale of rows r.., times what the weights of some codebooks are too large by. */
INLINE vf block_d(ingle_type type, const source *s, size_t b, int r)
{
    int f = 0;
    size_t units = 1; /* of the field in a block, of which d is the first */
    float part = 1;
    switch (type) {
    case INGLE_TYPE_MXFP4: return e8m0(s->field[0] + b * ROWS + (size_t)r);
    case INGLE_TYPE_IQ1_M: return vf_mul(d_iq1_m(s, b, r), vf_1(0.125f));
    case INGLE_TYPE_IQ4_KS:
    case INGLE_TYPE_IQ5_KS: return vf_load(row_d(s) + r);
    case INGLE_TYPE_TQ2_0: f = 1; break;
    case INGLE_TYPE_TQ1_0:
    case INGLE_TYPE_Q2_K: f = 2; break;
    case INGLE_TYPE_Q3_K:
    case INGLE_TYPE_Q6_K: f = 3; break;
    case INGLE_TYPE_IQ3_XXS: part = 0.25f; break;
    case INGLE_TYPE_IQ1_S:
    case INGLE_TYPE_IQ2_XXS:
    case INGLE_TYPE_IQ2_XS:
    case INGLE_TYPE_IQ2_S: part = 0.125f; break;
    case INGLE_TYPE_IQ2_K:
    case INGLE_TYPE_IQ3_K:
    case INGLE_TYPE_IQ4_K:
    case INGLE_TYPE_IQ5_K:
    case INGLE_TYPE_IQ6_K: units = (size_t)heads_of(type); break;
    case INGLE_TYPE_Q4_0:
    case INGLE_TYPE_Q4_1:
    case INGLE_TYPE_Q5_0:
    case INGLE_TYPE_Q5_1:
    case INGLE_TYPE_Q8_0:
    case INGLE_TYPE_IQ4_NL:
    case INGLE_TYPE_Q1_0:
    case INGLE_TYPE_Q2_0:
    case INGLE_TYPE_Q4_K:
    case INGLE_TYPE_Q5_K:
    case INGLE_TYPE_IQ4_XS:
    case INGLE_TYPE_IQ3_S: break;
    case INGLE_TYPE_NVFP4: /* run_d() */
    case INGLE_NOT_QUANTISED: ingle_never();
    }
    vf d = vf_load_f16(s->field[f] + (b * units * ROWS + (size_t)r) * 2);
    return part < 1 ? vf_mul(d, vf_1(part)) : d;
}

/* Scale of a run of class B. */
INLINE vf run_d(ingle_type type, const source *s, size_t b, int run, int r)
{
    if (type != INGLE_TYPE_NVFP4) return block_d(type, s, b, r);
    return e4m3(s->field[0] + (b * 4 + (size_t)run) * ROWS + (size_t)r);
}

/* Block min of a type that has one. */
INLINE vf block_min(ingle_type type, const source *s, size_t b, int r)
{
    return vf_load_f16(s->field[shape_of(type).min_field] + (b * ROWS + (size_t)r) * 2);
}
