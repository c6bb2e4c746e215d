#include "base/heap.h"

/* Four children a node: half the levels of a binary heap, and the children share a cache line. */
void ingle_heap_push(uint64_t *heap, size_t *n, uint64_t x)
{
    size_t i = (*n)++;
    while (i && heap[(i - 1) / 4] > x) {
        heap[i] = heap[(i - 1) / 4];
        i = (i - 1) / 4;
    }
    heap[i] = x;
}

uint64_t ingle_heap_pop(uint64_t *heap, size_t *n)
{
    uint64_t top = heap[0], x = heap[--*n];
    size_t i = 0;
    for (size_t kid = 1; kid < *n; kid = 4 * i + 1) {
        size_t best = kid, end = kid + 4 < *n ? kid + 4 : *n;
        for (size_t k = kid + 1; k < end; k++)
            if (heap[k] < heap[best]) best = k;
        if (heap[best] >= x) break;
        heap[i] = heap[best];
        i = best;
    }
    heap[i] = x;
    return top;
}
