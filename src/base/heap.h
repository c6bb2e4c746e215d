/* heap.h - a heap of numbers in the caller's array, smallest first. Depends on nothing. */
#ifndef INGLE_BASE_HEAP_H
#define INGLE_BASE_HEAP_H

#include <stddef.h>
#include <stdint.h>

/* There is room for one more. */
void ingle_heap_push(uint64_t *heap, size_t *n, uint64_t x);
/* Takes the smallest of at least one. */
uint64_t ingle_heap_pop(uint64_t *heap, size_t *n);

#endif
