/* mask.h - which tokens may come next in a state.
 * Owns       its scratch. Depends on grammar/table.h, grammar/trie.h. */
#ifndef INGLE_GRAMMAR_MASK_H
#define INGLE_GRAMMAR_MASK_H

#include "grammar/table.h"
#include "grammar/trie.h"

/* Few tokens are a list, many are bits. */
enum { INGLE_MASK_FEW = 128 };

typedef struct ingle_mask {
    uint32_t n_refs;
    uint32_t n;      /* tokens of the list; INGLE_UNKNOWN: bits are used */
    uint32_t data[]; /* [n], or [n_words] */
} ingle_mask;

typedef struct ingle_masker {
    ingle_terms *terms;
    const ingle_trie *trie;
    uint32_t *bits; /* [n_words], all 0 between calls */
    uint32_t *list; /* [INGLE_MASK_FEW] */
    size_t n;       /* of the list; beyond INGLE_MASK_FEW: not all are in it */
    ingle_words rest;
    struct ingle_descent *stack; /* [longest + 1] */
    unsigned depth;
    uint64_t n_nodes; /* looked at so far */
} ingle_masker;

bool ingle_masker_open(ingle_masker *m, ingle_terms *terms, const ingle_trie *trie);
void ingle_masker_close(ingle_masker *m);

/* The mask of a state, with one reference; NULL: the terms keep the failure. */
ingle_mask *ingle_mask_make(ingle_masker *m, ingle_term state);

#endif
