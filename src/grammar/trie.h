/* trie.h - a vocabulary in the order of its tokens' bytes: one array of nodes, depth first, so that
 * every subtree is one interval of nodes and one of tokens.
 * Owns       copies of the tokens' bytes, the nodes, and the runs: tokens sorted by how far they go
 *            inside a class of characters.
 * Depends on base/mem.h, base/status.h, pthreads. Immutable but for the runs, which a lock guards:
 *            any thread may use it. */
#ifndef INGLE_GRAMMAR_TRIE_H
#define INGLE_GRAMMAR_TRIE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* Groups of characters, as bits: most punctuation alone, letters and digits in some groups, all of
 * two and more bytes together, a byte in place of a continuation, and what is not UTF-8. */
enum { INGLE_GROUP_CUT = 61, INGLE_GROUP_HIGH = 62, INGLE_GROUP_BROKEN = 63 };

/* The group of characters that begin with this byte; a continuation byte is broken. */
unsigned ingle_group_of(unsigned char b);
/* The groups all of whose ASCII characters are in the set; those some of whose are. */
uint64_t ingle_groups_inside(const uint64_t ascii[2]);
uint64_t ingle_groups_touched(const uint64_t ascii[2]);

typedef struct ingle_trie {
    size_t n_vocab, n_words; /* tokens; words of a mask: bit t % 32 of word t / 32 */
    size_t n_nodes, n_ranks; /* tokens that have bytes */
    /* By node. Node 0 is the root, its byte means nothing. */
    unsigned char *byte;
    uint32_t *end;   /* the node after its subtree */
    uint32_t *rank;  /* [n_nodes + 1]: tokens that end here are rank[i] to rank[i + 1] */
    uint64_t *begun; /* groups of the character that its byte begins; 0: continues one */
    uint64_t *below; /* groups of all characters that begin after it in its subtree */
    /* By rank: in the order of their bytes. */
    uint32_t *token;
    uint64_t *groups; /* of its characters */
    uint16_t *chars;  /* how many begin */
    /* By token. */
    uint32_t *start; /* [n_vocab + 1] of its bytes */
    char *bytes;
    size_t longest; /* bytes of a token */
    uint32_t *ends; /* a mask: tokens that end a text */
    struct ingle_runs *runs;
} ingle_trie;

/* start[n_vocab + 1] are offsets in bytes; a token without bytes is in no text. ends: tokens that
 * end a text. Copies all. INGLE_ENOMEM. */
ingle_status ingle_trie_open(ingle_trie **out, const char *bytes, const uint32_t *start,
                             size_t n_vocab, const int32_t *ends, size_t n_ends, ingle_error *err);
void ingle_trie_close(ingle_trie *t); /* NULL is a no-op */
/* Bytes of memory. */
size_t ingle_trie_bytes(const ingle_trie *t);

/* ---- runs ------------------------------------------------------------------------------------ */

enum { INGLE_RUN_SHORT = 16 };

/* A place where a token leaves a run: after `chars` characters of it, which are `depth` bytes, with
 * the byte of `node`. */
typedef struct ingle_exit {
    uint32_t node;
    uint16_t chars, depth;
} ingle_exit;

/* Tokens that only have characters of some groups, and where the others leave them for characters
 * of some other groups. */
typedef struct ingle_run {
    uint64_t inside, leave;
    uint32_t *token; /* those that stay inside, the ones with fewer characters first */
    size_t n_tokens;
    uint32_t *bits[INGLE_RUN_SHORT + 1]; /* of ingle_trie_run_bits() */
    ingle_exit *exit;                    /* the ones with fewer characters first */
    size_t n_exits;
    uint16_t *chars; /* of token[] */
} ingle_run;

/* Made the first time; NULL: no memory, or there are many already. */
const ingle_run *ingle_trie_run(const ingle_trie *t, uint64_t inside, uint64_t leave);
/* The mask of the tokens of a run that have at most k characters (1 to INGLE_RUN_SHORT), or of all
 * (0). NULL: no memory. */
const uint32_t *ingle_trie_run_bits(const ingle_trie *t, const ingle_run *run, size_t k);

#endif
