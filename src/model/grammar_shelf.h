/* grammar_shelf.h - what a model keeps of its grammars: those opened last, and its vocabulary's tree.
 * Owns       both.
 * Depends on grammar/automaton.h, base/notes.h, pthreads. Knows no model.
 * Invariant  find and put are called with the lock held. */
#ifndef INGLE_MODEL_GRAMMAR_SHELF_H
#define INGLE_MODEL_GRAMMAR_SHELF_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/notes.h"
#include "grammar/automaton.h"

/* What was compiled; shared by all that opened the same. */
typedef struct ingle_compiled {
    atomic_size_t refs;
    ingle_automaton *automaton;
    ingle_notes dropped;
} ingle_compiled;

void ingle_compiled_close(ingle_compiled *c); /* gives up one reference; NULL is a no-op */

/* Grammars a model keeps: fewer where they take more than so many bytes. */
enum { INGLE_SHELF = 32, INGLE_SHELF_BYTES = 256 << 20 };

typedef struct ingle_shelved {
    char *key;
    size_t n_key;
    ingle_compiled *compiled;
    uint64_t used; /* when it was asked for last */
} ingle_shelved;

typedef struct ingle_grammar_shelf {
    pthread_mutex_t lock;
    ingle_trie *trie; /* NULL until the first grammar */
    ingle_shelved entry[INGLE_SHELF];
    uint64_t now;
} ingle_grammar_shelf;

ingle_status ingle_grammar_shelf_open(ingle_grammar_shelf **out, ingle_error *err);
void ingle_grammar_shelf_close(ingle_grammar_shelf *shelf); /* NULL is a no-op */

/* One more reference, or NULL; so it is for a key of NULL. */
ingle_compiled *ingle_grammar_shelf_find(ingle_grammar_shelf *shelf, const char *key, size_t n_key);
/* In the place of the one that was not asked for the longest. Takes the key. */
void ingle_grammar_shelf_put(ingle_grammar_shelf *shelf, char *key, size_t n_key,
                             ingle_compiled *c);

#endif
