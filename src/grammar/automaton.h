/* automaton.h - a compiled grammar at work: states, the masks of tokens that may come next, and
 * what each request keeps of it.
 * Owns       the table of terms, the masks it made, the scratch of making them.
 * Depends on grammar/term.h, grammar/trie.h, pthreads.
 * Invariant  one lock guards everything; a matcher belongs to one caller at a time. Matchers keep
 *            the automaton alive.
 *
 * A state is a term: what is left of the language. So equal states of all matchers are one, and
 * share one mask. */
#ifndef INGLE_GRAMMAR_AUTOMATON_H
#define INGLE_GRAMMAR_AUTOMATON_H

#include "grammar/term.h"
#include "grammar/trie.h"

typedef struct ingle_automaton ingle_automaton;
typedef struct ingle_matcher ingle_matcher;

/* What one call may cost; 0 stands for the default. */
typedef struct ingle_automaton_limits {
    size_t max_work;  /* steps of derivatives for one mask or token: 1,000,000 */
    size_t max_bytes; /* of states and masks, before a call: 20 MiB */
} ingle_automaton_limits;

/* Takes over the table, also on failure; root was given to ingle_terms_finish(). The trie is the
 * caller's and may be NULL: then there are texts, and no tokens. Limits may be NULL. */
ingle_status ingle_automaton_open(ingle_automaton **out, ingle_terms *t, ingle_term root,
                                  const ingle_trie *trie, const ingle_automaton_limits *limits,
                                  ingle_error *err);
/* Gives up one reference; ingle_automaton_share() takes one more. NULL is a no-op. */
void ingle_automaton_close(ingle_automaton *a);
ingle_automaton *ingle_automaton_share(ingle_automaton *a);

typedef struct ingle_automaton_stats {
    size_t bytes;     /* of memory, now */
    size_t n_terms;   /* now */
    uint64_t n_masks; /* made so far */
    uint64_t n_hits;  /* asked for and there already */
    uint64_t work;    /* derivatives and terms so far */
    uint64_t n_nodes; /* of the trie, looked at so far */
} ingle_automaton_stats;
void ingle_automaton_stats_get(ingle_automaton *a, ingle_automaton_stats *stats);

/* At the beginning of a text. NULL: no memory. */
ingle_matcher *ingle_matcher_open(ingle_automaton *a);
ingle_matcher *ingle_matcher_clone(const ingle_matcher *m);
void ingle_matcher_close(ingle_matcher *m); /* NULL is a no-op */
void ingle_matcher_reset(ingle_matcher *m); /* back to the beginning */

/* Bit t % 32 of word t / 32: token t may come next, or ends the text where it may end. Good until
 * the matcher's next call; NULL on failure. */
ingle_status ingle_matcher_mask(ingle_matcher *m, const uint32_t **bits, ingle_error *err);

/* Goes on by a token that ends no text. INGLE_EFORMAT: it is not admitted; nothing has changed. */
ingle_status ingle_matcher_accept(ingle_matcher *m, int32_t token, ingle_error *err);
/* Goes on by bytes, as far as they are admitted: *n_good of them. */
ingle_status ingle_matcher_text(ingle_matcher *m, const char *bytes, size_t n, size_t *n_good,
                                ingle_error *err);

bool ingle_matcher_may_end(const ingle_matcher *m);
/* Nothing can come any more. */
bool ingle_matcher_must_end(ingle_matcher *m);

/* The bytes that must come next, whatever the text: at most cap of them. Nothing changes. *whole:
 * nothing can follow them. */
size_t ingle_matcher_forced(ingle_matcher *m, char *bytes, size_t cap, bool *whole);
/* The bytes of which one may come next. */
void ingle_matcher_expected(ingle_matcher *m, bool expected[256]);

#endif
