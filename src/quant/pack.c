/* pack.c - rows of blocks to panels of 16 rows and back (the layout R16 of quant.h).
 * Depends on quant/quant.h. Pure; knows types only through their field lists. */
#include "quant/quant.h"

#include <string.h>

#define ROWS 16

/* How the walk over one field goes: a run of n_units units every `step` bytes of the row, n_runs
 * times. */
typedef struct walk {
    size_t n_runs, step, n_units, unit;
} walk;

static walk field_walk(const ingle_type_info *t, const ingle_field *f, size_t n_blocks)
{
    if ((size_t)f->n * f->unit == t->block_bytes) /* one field: the row is one long run */
        return (walk){1, 0, n_blocks * f->n, f->unit};
    return (walk){n_blocks, t->block_bytes, f->n, f->unit};
}

bool ingle_packed_init(ingle_packed *p, ingle_type type, size_t n_rows, size_t n_cols)
{
    const ingle_type_info *t = ingle_type_get((unsigned)type);
    if (!t || n_cols % t->block_elems) return false;
    *p = (ingle_packed){.type = type,
                        .n_rows = n_rows,
                        .n_cols = n_cols,
                        .n_blocks = n_cols / t->block_elems,
                        .n_panels = n_rows / ROWS + (n_rows % ROWS != 0),
                        .panel_bytes = ingle_round_up((size_t)t->row_head * ROWS, INGLE_ALIGN)};
    for (int i = 0; i < INGLE_MAX_FIELDS && t->fields[i].n; i++) {
        size_t bytes;
        p->section[i] = p->panel_bytes;
        if (!ingle_mul_ok(p->n_blocks, (size_t)t->fields[i].n * t->fields[i].unit * ROWS, &bytes) ||
            !ingle_add_ok(bytes, INGLE_ALIGN - 1, &bytes) ||
            !ingle_add_ok(p->panel_bytes, bytes & ~(size_t)(INGLE_ALIGN - 1), &p->panel_bytes))
            return false;
    }
    p->row_bytes = t->row_head + p->n_blocks * t->block_bytes; /* no more than the panel of 16 */
    size_t all;
    return ingle_mul_ok(p->panel_bytes, p->n_panels, &all);
}

size_t ingle_packed_bytes(const ingle_packed *p)
{
    return p->panel_bytes * p->n_panels;
}

/* ---- packing ---- */

/* Vectors of what every 64-bit processor has registers for. */
typedef uint32_t u32x4 __attribute__((vector_size(16)));
typedef uint16_t u16x8 __attribute__((vector_size(16)));
typedef uint8_t u8x16 __attribute__((vector_size(16)));

#define LOW_4(a, b)  __builtin_shufflevector(a, b, 0, 4, 1, 5)
#define HIGH_4(a, b) __builtin_shufflevector(a, b, 2, 6, 3, 7)
#define LOW_2(a, b)  __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define HIGH_2(a, b) __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#define LOW_1(a, b)                                                                                \
    __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define HIGH_1(a, b)                                                                               \
    __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)

/* transpose_UNIT: one run of n units of 16 full rows, `row` bytes apart -> [n][16] units; returns the
 * end. Squares of SIDE units, 16 bytes of so many rows, are turned over in registers: row i is
 * interleaved with row i + SIDE / 2, as often as it takes. Four squares in a row use up the cache
 * lines of some rows before those of others: 16 rows of a power of two bytes do not fit one set.
 * The last square may be read past the run if `past` says that the row goes on; what is left, and
 * little, is moved unit by unit. */
#define TRANSPOSE(UNIT, SIDE, VECTOR)                                                              \
    static inline void square_##UNIT(uint8_t *dst, const uint8_t *src, size_t row, size_t n)       \
    {                                                                                              \
        VECTOR a[SIDE], b[SIDE];                                                                   \
        UNROLL for (int r = 0; r < SIDE; r++) memcpy(&a[r], src + (size_t)r * row, 16);            \
        UNROLL for (int step = SIDE; step > 1; step /= 2)                                          \
        {                                                                                          \
            UNROLL for (int r = 0; r < SIDE / 2; r++)                                              \
            {                                                                                      \
                b[2 * r] = LOW_##UNIT(a[r], a[r + SIDE / 2]);                                      \
                b[2 * r + 1] = HIGH_##UNIT(a[r], a[r + SIDE / 2]);                                 \
            }                                                                                      \
            UNROLL for (int r = 0; r < SIDE; r++) a[r] = b[r];                                     \
        }                                                                                          \
        UNROLL for (size_t u = 0; u < SIDE; u++) if (u < n)                                        \
            memcpy(dst + u * ROWS * UNIT, &a[u], 16);                                              \
    }                                                                                              \
    static inline uint8_t *transpose_##UNIT(uint8_t *dst, const uint8_t *src, size_t row,          \
                                            size_t n, bool past)                                   \
    {                                                                                              \
        for (; n >= 4 * SIDE; n -= 4 * SIDE, src += 64, dst += ROWS * 64)                          \
            for (size_t r = 0; r < ROWS; r += SIDE)                                                \
                for (size_t i = 0; i < 4; i++)                                                     \
                    square_##UNIT(dst + i * ROWS * 16 + r * UNIT, src + r * row + 16 * i, row,     \
                                  SIDE);                                                           \
        for (; n >= SIDE; n -= SIDE, src += 16, dst += ROWS * 16)                                  \
            for (size_t r = 0; r < ROWS; r += SIDE)                                                \
                square_##UNIT(dst + r * UNIT, src + r * row, row, SIDE);                           \
        if (n > SIDE / 2 && past) {                                                                \
            for (size_t r = 0; r < ROWS; r += SIDE)                                                \
                square_##UNIT(dst + r * UNIT, src + r * row, row, n);                              \
            return dst + n * ROWS * UNIT;                                                          \
        }                                                                                          \
        for (; n; n--, src += UNIT, dst += ROWS * UNIT)                                            \
            UNROLL for (size_t r = 0; r < ROWS; r++) memcpy(dst + UNIT * r, src + r * row, UNIT);  \
        return dst;                                                                                \
    }

#define UNROLL _Pragma("GCC unroll 16")

TRANSPOSE(4, 4, u32x4)
TRANSPOSE(2, 8, u16x8)
TRANSPOSE(1, 16, u8x16)

/* The line in front of the sections. */
static void pack_heads(const ingle_packed *p, const ingle_type_info *t, const uint8_t *rows,
                       size_t n, uint8_t *dst)
{
    for (size_t r = 0; t->row_head && r < n; r++)
        memcpy(dst + r * t->row_head, rows + r * p->row_bytes, t->row_head);
}

/* src: of the field in the first row; rows of row bytes. `after`: of the row behind the field's last
 * run. */
static void pack_field(uint8_t *dst, const uint8_t *src, size_t row, walk w, size_t after)
{
    for (size_t b = 0; b < w.n_runs; b++, src += w.step) {
        bool past = after >= 16 || b + 1 < w.n_runs;
        if (w.unit == 4) dst = transpose_4(dst, src, row, w.n_units, past);
        else if (w.unit == 2) dst = transpose_2(dst, src, row, w.n_units, past);
        else dst = transpose_1(dst, src, row, w.n_units, past);
    }
}

/* One row of a panel that lacks some; the rest of the panel is zero already. */
static void pack_field_row(uint8_t *dst, const uint8_t *row, size_t offset, walk w)
{
    for (size_t b = 0; b < w.n_runs; b++, offset += w.step)
        for (size_t u = 0; u < w.n_units; u++, dst += ROWS * w.unit)
            memcpy(dst, row + offset + u * w.unit, w.unit);
}

/* n blocks of 16 full rows from block `first` on. */
static void pack_blocks(const ingle_packed *p, const ingle_type_info *t, const uint8_t *rows,
                        size_t first, size_t n, uint8_t *dst)
{
    size_t left = (p->n_blocks - (first + n - 1)) * t->block_bytes; /* from the last block on */
    rows += t->row_head;
    for (int i = 0; i < INGLE_MAX_FIELDS && t->fields[i].n; i++) {
        const ingle_field *f = &t->fields[i];
        size_t bytes = (size_t)f->n * f->unit;
        pack_field(dst + p->section[i] + first * bytes * ROWS,
                   rows + first * t->block_bytes + f->offset, p->row_bytes, field_walk(t, f, n),
                   left - f->offset - bytes);
    }
}

/* Fewer rows than 16: the rest of the panel is zero. */
static void pack_few_rows(const ingle_packed *p, const ingle_type_info *t, const uint8_t *rows,
                          size_t n, uint8_t *dst)
{
    memset(dst, 0, p->panel_bytes);
    pack_heads(p, t, rows, n, dst);
    rows += t->row_head;
    for (int i = 0; i < INGLE_MAX_FIELDS && t->fields[i].n; i++) {
        const ingle_field *f = &t->fields[i];
        for (size_t r = 0; r < n; r++)
            pack_field_row(dst + p->section[i] + r * f->unit, rows + r * p->row_bytes, f->offset,
                           field_walk(t, f, p->n_blocks));
    }
}

/* Bytes of each row that are packed field by field: all 16 stay in the first-level cache from one
 * field to the next. */
#define PIECE_BYTES 1024

void ingle_pack_panel(const ingle_packed *p, const void *rows, size_t n, void *dst)
{
    const ingle_type_info *t = ingle_type_get((unsigned)p->type);
    size_t piece = PIECE_BYTES / t->block_bytes;
    if (n < ROWS) {
        pack_few_rows(p, t, rows, n, dst);
        return;
    }
    pack_heads(p, t, rows, n, dst);
    for (size_t b = 0; b < p->n_blocks; b += piece)
        pack_blocks(p, t, rows, b, p->n_blocks - b < piece ? p->n_blocks - b : piece, dst);
    for (int i = 0; i < INGLE_MAX_FIELDS && t->fields[i].n;
         i++) { /* what aligns the next section */
        size_t used = p->n_blocks * t->fields[i].n * t->fields[i].unit * ROWS;
        memset((uint8_t *)dst + p->section[i] + used, 0, ingle_round_up(used, INGLE_ALIGN) - used);
    }
}

/* ---- unpacking ---- */

void ingle_unpack_blocks(const ingle_packed *p, size_t row, size_t first, size_t n, void *dst)
{
    const ingle_type_info *t = ingle_type_get((unsigned)p->type);
    const uint8_t *panel = p->data + row / ROWS * p->panel_bytes;
    for (int i = 0; i < INGLE_MAX_FIELDS && t->fields[i].n; i++) {
        const ingle_field *f = &t->fields[i];
        const uint8_t *src =
            panel + p->section[i] + first * f->n * f->unit * ROWS + row % ROWS * f->unit;
        walk w = field_walk(t, f, n);
        uint8_t *out = (uint8_t *)dst + f->offset;
        for (size_t b = 0; b < w.n_runs; b++, out += w.step)
            for (size_t u = 0; u < w.n_units; u++, src += ROWS * w.unit)
                memcpy(out + u * w.unit, src, w.unit);
    }
}

/* Blocks as a row begins with them: its head, then n of them from `first` on. */
static void unpack_part(const ingle_packed *p, size_t row, size_t first, size_t n, uint8_t *dst)
{
    size_t head = ingle_type_get((unsigned)p->type)->row_head;
    memcpy(dst, p->data + row / ROWS * p->panel_bytes + row % ROWS * head, head);
    ingle_unpack_blocks(p, row, first, n, dst + head);
}

void ingle_unpack_row(const ingle_packed *p, size_t row, void *dst)
{
    unpack_part(p, row, 0, p->n_blocks, dst);
}

float ingle_row_d(const ingle_packed *p, size_t row)
{
    float d;
    memcpy(&d, p->data + row / ROWS * p->panel_bytes + row % ROWS * sizeof d, sizeof d);
    return d;
}

void ingle_decode_row(const ingle_packed *p, size_t row, float *dst)
{
    const ingle_type_info *t = ingle_type_get((unsigned)p->type);
    uint8_t blocks[512]; /* holds at least two blocks of any type */
    size_t step = (sizeof blocks - t->row_head) / t->block_bytes;
    if (!p->data) {
        t->decode(p->rows + row * p->row_bytes, dst, p->n_blocks);
        return;
    }
    for (size_t b = 0; b < p->n_blocks; b += step, dst += step * t->block_elems) {
        size_t n = p->n_blocks - b < step ? p->n_blocks - b : step;
        unpack_part(p, row, b, n, blocks);
        t->decode(blocks, dst, n);
    }
}
