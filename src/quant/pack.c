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
                        .n_panels = n_rows / ROWS + (n_rows % ROWS != 0)};
    for (int i = 0; i < INGLE_MAX_FIELDS && t->fields[i].n; i++) {
        size_t bytes;
        p->section[i] = p->panel_bytes;
        if (!ingle_mul_ok(p->n_blocks, (size_t)t->fields[i].n * t->fields[i].unit * ROWS, &bytes) ||
            !ingle_add_ok(bytes, INGLE_ALIGN - 1, &bytes) ||
            !ingle_add_ok(p->panel_bytes, bytes & ~(size_t)(INGLE_ALIGN - 1), &p->panel_bytes))
            return false;
    }
    p->row_bytes = p->n_blocks * t->block_bytes; /* no more than the panel of 16 */
    size_t all;
    return ingle_mul_ok(p->panel_bytes, p->n_panels, &all);
}

size_t ingle_packed_bytes(const ingle_packed *p)
{
    return p->panel_bytes * p->n_panels;
}

/* ---- packing ---- */

/* One run of 16 full rows: src[r] + at -> [n][16] units. Fixed counts, so compilers unroll the
 * rows. */
static uint8_t *transpose_4(uint8_t *dst, const uint8_t *const *src, size_t at, size_t n)
{
    for (size_t u = 0; u < n; u++, dst += 4 * ROWS, at += 4)
        for (int r = 0; r < ROWS; r++) memcpy(dst + 4 * r, src[r] + at, 4);
    return dst;
}

static uint8_t *transpose_2(uint8_t *dst, const uint8_t *const *src, size_t at, size_t n)
{
    for (size_t u = 0; u < n; u++, dst += 2 * ROWS, at += 2)
        for (int r = 0; r < ROWS; r++) memcpy(dst + 2 * r, src[r] + at, 2);
    return dst;
}

static uint8_t *transpose_1(uint8_t *dst, const uint8_t *const *src, size_t at, size_t n)
{
    for (size_t u = 0; u < n; u++, dst += ROWS, at++)
        for (int r = 0; r < ROWS; r++) dst[r] = src[r][at];
    return dst;
}

static void pack_field(uint8_t *dst, const uint8_t *const *src, size_t offset, walk w)
{
    for (size_t b = 0; b < w.n_runs; b++, offset += w.step) {
        if (w.unit == 4) dst = transpose_4(dst, src, offset, w.n_units);
        else if (w.unit == 2) dst = transpose_2(dst, src, offset, w.n_units);
        else dst = transpose_1(dst, src, offset, w.n_units);
    }
}

/* One row of a panel that lacks some; the rest of the panel is zero already. */
static void pack_field_row(uint8_t *dst, const uint8_t *row, size_t offset, walk w)
{
    for (size_t b = 0; b < w.n_runs; b++, offset += w.step)
        for (size_t u = 0; u < w.n_units; u++, dst += ROWS * w.unit)
            memcpy(dst, row + offset + u * w.unit, w.unit);
}

void ingle_pack_panel(const ingle_packed *p, const void *rows, size_t n, void *dst)
{
    const ingle_type_info *t = ingle_type_get((unsigned)p->type);
    const uint8_t *src[ROWS] = {NULL};
    for (size_t r = 0; r < n; r++) src[r] = (const uint8_t *)rows + r * p->row_bytes;
    if (n < ROWS) memset(dst, 0, p->panel_bytes);
    for (int i = 0; i < INGLE_MAX_FIELDS && t->fields[i].n; i++) {
        const ingle_field *f = &t->fields[i];
        walk w = field_walk(t, f, p->n_blocks);
        uint8_t *section = (uint8_t *)dst + p->section[i];
        if (n == ROWS) {
            size_t used = w.n_runs * w.n_units * w.unit * ROWS;
            pack_field(section, src, f->offset, w);
            memset(section + used, 0, ingle_round_up(used, INGLE_ALIGN) - used);
        } else {
            for (size_t r = 0; r < n; r++)
                pack_field_row(section + r * f->unit, src[r], f->offset, w);
        }
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

void ingle_unpack_row(const ingle_packed *p, size_t row, void *dst)
{
    ingle_unpack_blocks(p, row, 0, p->n_blocks, dst);
}

void ingle_decode_row(const ingle_packed *p, size_t row, float *dst)
{
    const ingle_type_info *t = ingle_type_get((unsigned)p->type);
    uint8_t blocks[512]; /* holds at least two blocks of any type */
    size_t step = sizeof blocks / t->block_bytes;
    if (!p->data) {
        t->decode(p->rows + row * p->row_bytes, dst, p->n_blocks);
        return;
    }
    for (size_t b = 0; b < p->n_blocks; b += step, dst += step * t->block_elems) {
        size_t n = p->n_blocks - b < step ? p->n_blocks - b : step;
        ingle_unpack_blocks(p, row, b, n, blocks);
        t->decode(blocks, dst, n);
    }
}
