/* pairq.h - the pairs of a long word, best first.
 * Owns       the queue's memory; the symbols belong to the merger.
 * Depends on text/merge.h.
 * Invariant  symbols stand in blocks of 4096, each with a heap of its own, and a tournament knows
 *            the best of all: pairs are mostly merged in runs from left to right, so the work stays
 *            in a block or two at a time and in the cache. An entry whose key is no longer that of
 *            its symbol is out of date and never comes out. */
#ifndef INGLE_TEXT_PAIRQ_H
#define INGLE_TEXT_PAIRQ_H

#include "text/merge.h"

/* Empties the queue and makes room for n symbols; false without memory. */
bool ingle_pairq_open(ingle_pairq *q, size_t n);
void ingle_pairq_close(ingle_pairq *q);

/* Adds the pair of symbol i with its key. */
void ingle_pairq_push(ingle_pairq *q, const ingle_merge_symbol *symbols, uint32_t i);
/* Takes the symbol with the smallest key, the leftmost of equals; INGLE_NO_ID: none is left. */
uint32_t ingle_pairq_pop(ingle_pairq *q, const ingle_merge_symbol *symbols);

#endif
