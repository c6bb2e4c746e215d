/* ledger_parts.h - the ledger's insides, for the files ledger*.c only.
 * Depends on ledger.h, base/digest.h.
 * Invariant  digests are of no use outside: their key is drawn when the ledger is opened. */
#ifndef INGLE_SERVER_LEDGER_PARTS_H
#define INGLE_SERVER_LEDGER_PARTS_H

#include "ledger.h"

#include "base/digest.h"
#include "base/mem.h"

#include <pthread.h>

/* ---- ledger.c -------------------------------------------------------------------------------- */

/* A kept answer: tokens and thinking follow it in its memory. */
typedef struct ledger_entry {
    uint64_t key[2];
    struct ledger_entry *next;          /* in its bucket */
    struct ledger_entry *newer, *older; /* by last use */
    size_t n_tokens, n_thinking;
    bool thinks;
    int32_t tokens[]; /* [n_tokens], then the thinking's bytes */
} ledger_entry;

typedef struct ledger_prompt ledger_prompt;
enum { LEDGER_PROMPTS = 64, LEDGER_PROMPT_BYTES = 32 << 20 };

struct ledger {
    uint64_t secret[2];
    size_t max_turns, max_bytes;
    pthread_mutex_t lock; /* of all that follows */
    ledger_entry **buckets;
    size_t n_buckets; /* a power of two */
    ledger_entry *newest, *oldest;
    ledger_counts counts;
    ledger_prompt *prompts[LEDGER_PROMPTS]; /* [n_prompts], the oldest first */
    size_t n_prompts, n_prompt_bytes;
};

/* ---- ledger_digest.c ------------------------------------------------------------------------- */

/* An answer in a conversation. */
typedef struct ledger_spot {
    size_t i_message;
    uint64_t key[2];
    bool without_thinking;     /* and after the last user's message */
    const ledger_entry *entry; /* what was found, under the lock */
    size_t n_thinking;         /* bytes of it that are put back */
} ledger_spot;

typedef struct ledger_reading {
    ledger_spot *spots; /* [n_spots] */
    size_t n_spots, cap_spots, n_system;
    uint64_t key[2]; /* of the conversation */
} ledger_reading;

/* False: no memory. spots are freed by the caller in any case. */
bool ledger_read(ledger_reading *out, const uint64_t secret[2], const ledger_scope *scope,
                 const ingle_json *messages);
/* The key of an answer to a conversation. False: no memory. */
bool ledger_key(uint64_t out[2], const uint64_t secret[2], const uint64_t conversation[2],
                const ledger_turn *turn);

/* ---- ledger_compare.c ------------------------------------------------------------------------ */

void ledger_forget_prompts(ledger *l);

#endif
