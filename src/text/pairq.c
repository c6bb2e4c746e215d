#include "text/pairq.h"
#include "base/heap.h"
#include "base/mem.h"

#include <stdlib.h>

enum { BLOCK = 4096 };

bool ingle_pairq_open(ingle_pairq *q, size_t n)
{
    size_t n_blocks = (n + BLOCK - 1) / BLOCK, leaves = 1;
    while (leaves < n_blocks) leaves *= 2;
    q->stride = 2 * (n < BLOCK ? n : BLOCK); /* half of a full heap is out of date */
    q->leaves = leaves;
    if (!ingle_grow(&q->heaps, &q->cap_heaps, n_blocks * q->stride, sizeof *q->heaps) ||
        !ingle_grow(&q->counts, &q->cap_counts, n_blocks, sizeof *q->counts) ||
        !ingle_grow(&q->best, &q->cap_best, 2 * leaves, sizeof *q->best))
        return false;
    memset(q->counts, 0, n_blocks * sizeof *q->counts);
    memset(q->best, 0xff, 2 * leaves * sizeof *q->best);
    return true;
}

void ingle_pairq_close(ingle_pairq *q)
{
    free(q->heaps);
    free(q->counts);
    free(q->best);
    *q = (ingle_pairq){0};
}

/* Tells the tournament the best entry of a block. */
static void update(ingle_pairq *q, size_t block)
{
    uint64_t *t = q->best;
    size_t i = q->leaves + block;
    t[i] = q->counts[block] ? q->heaps[block * q->stride] : UINT64_MAX;
    while (i > 1) {
        i /= 2;
        uint64_t best = t[2 * i] < t[2 * i + 1] ? t[2 * i] : t[2 * i + 1];
        if (t[i] == best) break;
        t[i] = best;
    }
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Drops what is out of date and what is there twice (a key that came back): at most one entry a
 * symbol stays. Sorted numbers are a heap. */
static void purge(uint64_t *heap, size_t *n, const ingle_merge_symbol *symbols)
{
    size_t valid = 0, kept = 0;
    for (size_t k = 0; k < *n; k++)
        if (symbols[(uint32_t)heap[k]].key == heap[k] >> 32) heap[valid++] = heap[k];
    qsort(heap, valid, sizeof *heap, compare);
    for (size_t k = 0; k < valid; k++)
        if (!k || heap[k] != heap[k - 1]) heap[kept++] = heap[k];
    *n = kept;
}

void ingle_pairq_push(ingle_pairq *q, const ingle_merge_symbol *symbols, uint32_t i)
{
    size_t block = i / BLOCK, n = q->counts[block];
    uint64_t *heap = q->heaps + block * q->stride, x = (uint64_t)symbols[i].key << 32 | i;
    if (n == q->stride) purge(heap, &n, symbols);
    ingle_heap_push(heap, &n, x);
    q->counts[block] = (uint32_t)n;
    if (heap[0] != q->best[q->leaves + block]) update(q, block);
}

uint32_t ingle_pairq_pop(ingle_pairq *q, const ingle_merge_symbol *symbols)
{
    while (q->best[1] != UINT64_MAX) {
        uint64_t top = q->best[1];
        size_t block = (uint32_t)top / BLOCK, n = q->counts[block];
        ingle_heap_pop(q->heaps + block * q->stride, &n);
        q->counts[block] = (uint32_t)n;
        update(q, block);
        if (symbols[(uint32_t)top].key == top >> 32) return (uint32_t)top;
    }
    return INGLE_NO_ID;
}
