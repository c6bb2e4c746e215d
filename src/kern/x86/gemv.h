/* gemv.h - one token: the weights are unpacked in registers, a panel of 16 rows at a time.
 * Depends on matmul.h; written in the words of vec_*.h. The sums and their order are gemm's. */
#ifndef INGLE_KERN_X86_GEMV_H
#define INGLE_KERN_X86_GEMV_H

#include "kern/x86/matmul.h"

#define SLICES (ROWS / VL)

/* acc + dots of unpacked bytes with k = 4i.. of y. */
INLINE vi dot_line(ingle_type type, vi acc, vi u, const int8_t *y, int i)
{
    vi a = vi_repeat(y + 4 * i);
    return is_wide(type) ? vi_dot_wide(acc, u, a) : vi_dot(acc, u, a);
}

/* The int32 sum of a class K block over its sub-blocks. */
INLINE vi sum_block_k(ingle_type type, const source *s, size_t b, const int8_t *y,
                      const int32_t *start, const int8_t *sc, int r)
{
    const shape g = shape_of(type);
    vi blk = vi_zero();
#pragma GCC unroll 8
    for (int c = 0; c < g.n_chunks; c++) {
        vi acc[MAX_PARTS];
        for (int j = 0; j < g.n_parts; j++)
            acc[j] = g.zero && (j == 0 || sub_of(g, c, j) != sub_of(g, c, j - 1))
                         ? vi_repeat(start + sub_of(g, c, j))
                         : vi_zero();
#pragma GCC unroll 8
        for (int i = 0; i < g.n_steps; i++) {
            vi u[MAX_PARTS];
            if (r == 0) prefetch_lines(type, s, b, 1, c * g.n_steps + i, g.n_chunks * g.n_steps);
            unpack(type, s, b, c, i, r, u);
            for (int j = 0; j < g.n_parts; j++)
                acc[j] = dot_line(type, acc[j], u[j], y, line_of(g, c, j, i));
        }
        for (int j = 0; j < g.n_parts; j++)
            blk = vi_add(blk, vi_mul(acc[j], vi_load_s8(sc + sub_of(g, c, j) * ROWS + r)));
    }
    return blk;
}

INLINE void gemv_block_k(ingle_type type, const source *s, size_t b, const ingle_acts *x,
                         const int32_t *start, vf f[SLICES])
{
    const shape g = shape_of(type);
    const int16_t *sum = x->sum16 + (g.n_subs == 16 ? 0 : x->n_cols / 16) + b * (size_t)g.n_subs;
    const vf dy = vf_1(x->d[b]);
    _Alignas(64) scales q;
    read_scales(type, s, b, &q);
    for (int i = 0; i < SLICES; i++) {
        int r = i * VL;
        vi blk = sum_block_k(type, s, b, x->q + b * 256, start + b * (size_t)g.n_subs, q.sc, r);
        f[i] = vf_fma(vf_int(blk), vf_mul(block_d(type, s, b, r), dy), f[i]);
        if (!g.has_min) continue;
        vi mn = vi_zero();
        for (int j = 0; j < g.n_subs; j += 2)
            mn = vi_dot16(mn, pair_of(q.mn, j, r), vi_repeat(sum + j));
        f[i] = vf_fnma(vf_int(mn), vf_mul(block_min(type, s, b, r), dy), f[i]);
    }
}

INLINE void gemv_block_b(ingle_type type, const source *s, size_t b, const ingle_acts *x,
                         const int32_t *start, vf f[SLICES])
{
    const shape g = shape_of(type);
    const vf dy = vf_1(x->d[b]);
    for (int k = 0; k < SLICES; k++) {
        int r = k * VL;
        vi acc = g.zero ? vi_repeat(start + b) : vi_zero();
#pragma GCC unroll 8
        for (int i = 0; i < g.n_steps; i++) {
            vi u[MAX_PARTS];
            if (r == 0) prefetch_lines(type, s, b, 2048 / stream_of(type, 0).bytes, i, g.n_steps);
            unpack(type, s, b, 0, i, r, u);
            for (int j = 0; j < g.n_parts; j++)
                acc = dot_line(type, acc, u[j], x->q + b * 32, line_of(g, 0, j, i));
        }
        f[k] = vf_fma(vf_int(acc), vf_mul(block_d(type, s, b, r), dy), f[k]);
        if (g.has_min) f[k] = vf_fma(block_min(type, s, b, r), vf_1(x->s[b]), f[k]);
    }
}

/* -zero * (sum of y) of every sub-block. */
INLINE void start_all(shape g, bool k, const ingle_acts *x, size_t n_blocks, int32_t *start)
{
    if (!g.zero) return;
    if (k) {
        const int16_t *sum = x->sum16 + (g.n_subs == 16 ? 0 : x->n_cols / 16);
        start_k(start, sum, n_blocks * (size_t)g.n_subs, g.zero);
    } else {
        for (size_t b = 0; b < n_blocks; b++) start[b] = -g.zero * x->sum32[b];
    }
}

INLINE void gemv(ingle_type type, const ingle_matmul *job, size_t first, size_t n, void *scratch)
{
    const ingle_packed *w = job->w;
    start_all(shape_of(type), is_k(type), job->x, w->n_blocks, scratch);
    for (size_t p = first; p < first + n; p++) {
        source s = source_of(w, p);
        vf f[SLICES];
        for (int i = 0; i < SLICES; i++) f[i] = vf_zero();
        for (size_t b = 0; b < w->n_blocks; b++) {
            if (is_k(type)) gemv_block_k(type, &s, b, job->x, scratch, f);
            else gemv_block_b(type, &s, b, job->x, scratch, f);
        }
        for (int i = 0; i < SLICES; i++) finish(job, 0, p * ROWS + (size_t)i * VL, f[i]);
    }
}

#endif
