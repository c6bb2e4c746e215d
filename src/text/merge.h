/* merge.h - turns one word into tokens by merging neighbours, best pair first.
 * Owns       the working memory of one tokenize call.
 * Depends on text/vocab.h.
 * Invariant  the result is that of merging the best pair (lowest key, leftmost) until none is left,
 * however long the word; time is O(n log n), memory 40 bytes a character of the longest word. */
#ifndef INGLE_TEXT_MERGE_H
#define INGLE_TEXT_MERGE_H

#include "text/vocab.h"

typedef struct ingle_merge_symbol {
    uint32_t id;    /* INGLE_NO_ID: characters that are no token (SPM) */
    uint32_t start; /* first byte in the word */
    uint32_t prev, next;
    uint32_t key;    /* of the pair (this, next); INGLE_NO_KEY: they do not merge */
    uint32_t merged; /* what that pair becomes */
} ingle_merge_symbol;
#define INGLE_NO_KEY UINT32_MAX

enum { INGLE_CACHE_WORD = 30, INGLE_CACHE_IDS = 8 };

typedef struct ingle_cached_word { /* one cache line */
    uint8_t len, n;
    char word[INGLE_CACHE_WORD];
    int32_t ids[INGLE_CACHE_IDS];
} ingle_cached_word;

/* See pairq.h. */
typedef struct ingle_pairq {
    uint64_t *heaps;  /* [n_blocks][stride] key << 32 | symbol */
    uint32_t *counts; /* [n_blocks] entries of each heap */
    uint64_t *best;   /* [2 * leaves] a tournament: node i is the smaller of 2i and 2i + 1 */
    size_t cap_heaps, cap_counts, cap_best, stride, leaves;
} ingle_pairq;

typedef struct ingle_merger {
    const ingle_vocab *v;
    ingle_token_sink *sink;
    ingle_merge_symbol *symbols;
    size_t cap_symbols;
    ingle_pairq queue;
    ingle_cached_word *cache; /* [cache_mask + 1], NULL: none. Words of this call only. */
    size_t cache_mask;
} ingle_merger;

/* text_len sizes the cache. False without memory. */
bool ingle_merger_open(ingle_merger *m, const ingle_vocab *v, ingle_token_sink *sink,
                       size_t text_len);
void ingle_merger_close(ingle_merger *m);

/* Appends the tokens of a word. SPM: spaces in it are already U+2581. Status without text: ENOMEM,
 * or EUNSUPPORTED for a word of 4 GiB. */
ingle_status ingle_merger_word(ingle_merger *m, const char *word, size_t len);

/* As ingle_spm_len(), but a space mark is never taken into a broken character: it would come back
 * as three bytes instead of a space. */
static inline size_t ingle_spm_char(const char *p, size_t n)
{
    size_t len = ingle_spm_len(p, n);
    for (size_t i = 1; i < len; i++)
        if (ingle_is_space_mark(p + i, n - i)) return i;
    return len;
}

#endif
