/* prefix.h - the prefix tree of one engine: which runs of tokens have their keys and values in
 * which pages, so that a prompt computes only what no prompt before it has.
 * Owns       nodes, checkpoints and the list of leaders; a count of every page and state it names.
 * Depends on engine/pages.h; on backend/backend.h for the size of a page and the groups. Knows no
 *            model and no session; has no lock: the caller holds the engine's.
 * Invariant  a node is 1 to 32 tokens of one parent and names the page of group ALL that holds
 *            them; no other node names that page. Only nodes of 32 tokens have children; a shorter
 *            one is a tail. Whoever holds the page of a node holds those of all nodes above it.
 *            So an idle page has none but idle ones below it, and of two idle pages the upper one
 *            is the younger: the oldest idle page is always a leaf's, and every idle page can be
 *            had by eviction.
 *
 * A sequence names pages in a table of its own and holds each (P1). It may write a page while it
 * is the only owner (P2), so it copies a page that it took from here, or published here, before it
 * writes on. It drops pages from the last to the first, as ingle_pages_drop() does with a table:
 * that is what keeps the order above. A node stays as long as somebody holds its page.
 *
 * Models with windows or recurrent layers need more than the pages of group ALL to go on after a
 * position: a checkpoint, which a node owns and which stands for the position after its tokens. It
 * names the pages of group WINDOW that the next token sees, and a slot of state. Their prompts
 * reuse what lies before a checkpoint, and nothing else. */
#ifndef INGLE_ENGINE_PREFIX_H
#define INGLE_ENGINE_PREFIX_H

#include "backend/backend.h"
#include "engine/pages.h"

#define INGLE_NO_NODE     UINT32_MAX
#define INGLE_PREFIX_WAIT 64 /* tokens that are worth waiting for */

enum { INGLE_POOL_STATES = INGLE_GROUPS, INGLE_POOLS }; /* pools: by group, then slots of state */

typedef struct ingle_prefix_options {
    size_t n_nodes;                 /* one for each page and a few for roots is enough */
    size_t n_checkpoints;           /* at most so many are kept */
    size_t n_window;                /* most window pages of a checkpoint */
    size_t n_leaders;               /* most prompts that are computed at the same time */
    uint64_t seed;                  /* of hashes: ingle_entropy() */
    ingle_pages *pool[INGLE_POOLS]; /* they outlive the tree; NULL: the model has none */
} ingle_prefix_options;

typedef struct ingle_prefix {
    ingle_prefix_options opt;
    bool needs_checkpoints;         /* there is a pool of window pages or states */
    struct ingle_prefix_node *node; /* [n_nodes] */
    uint32_t *heads;                /* [mask + 1] chains of nodes by hash */
    uint32_t *node_of;              /* [pages of group ALL] */
    uint32_t mask, free_node;       /* the first of the free nodes */
    struct ingle_prefix_checkpoint
        *checkpoint;  /* [n_checkpoints + 1], the last: ends of the list */
    uint32_t *window; /* [n_checkpoints][n_window] pages */
    uint32_t free_checkpoint;
    struct ingle_prefix_leader *leader; /* [n_leaders] */
    size_t n_used, n_checkpoints, n_leaders;
} ingle_prefix;

/* Who may share: same salt (the user's wish) and same set of adapters (a digest). */
typedef struct ingle_prefix_key {
    uint64_t salt, set;
} ingle_prefix_key;

/* What the tree has of a prompt; good until the tree changes. */
typedef struct ingle_prefix_path {
    size_t n_known;  /* tokens that it knows: the first one that differs is this one */
    size_t n_reused; /* tokens whose values can be taken over; one at least is left to compute */
    uint32_t node;   /* of the last whole page of these; INGLE_NO_NODE: there is none */
    uint32_t part;   /* node whose page begins with the rest of them; INGLE_NO_NODE: no rest */
    uint32_t checkpoint;        /* INGLE_NO_NODE: none is needed, or nothing is reused */
    size_t n_idle[INGLE_POOLS]; /* idle pages and states that hold() would take */
} ingle_prefix_path;

bool ingle_prefix_open(ingle_prefix *t, const ingle_prefix_options *opt); /* false: no memory */
void ingle_prefix_close(ingle_prefix *t);
/* Bytes that open() takes, the pool of group ALL having n_pages. */
size_t ingle_prefix_bytes(const ingle_prefix_options *opt, size_t n_pages);

/* What is there of a prompt of n tokens, token by token; what is found becomes the youngest. */
void ingle_prefix_match(ingle_prefix *t, ingle_prefix_key key, const int32_t *tokens, size_t n,
                        ingle_prefix_path *path);
/* Right after a match: a sequence takes over n_reused tokens. Holds and writes the pages
 * 0 .. ceil(n_reused / 32) - 1 of its table; with a checkpoint also the pages that the next token
 * sees of its window's table, by page index, and the slot of state, which is to be left as it is.
 * The last page is shared even where a part of it counts. `window` and `state` may be NULL where
 * the model has none. */
void ingle_prefix_hold(ingle_prefix *t, const ingle_prefix_path *path, uint32_t *pages,
                       uint32_t *window, uint32_t *state);

/* Tokens [n], n <= 32, that follow `parent` (INGLE_NO_NODE: the root) are in *page now. The caller
 * holds *page and the pages above it. If the tree has them already, the caller gets that page in
 * exchange for its own. Returns the node; INGLE_NO_NODE if there was no room for a new one, or if
 * the page has more owners than the caller, such as forks: then nothing has changed for it. */
uint32_t ingle_prefix_publish(ingle_prefix *t, ingle_prefix_key key, uint32_t parent,
                              const int32_t *tokens, size_t n, uint32_t *page);
/* The node of the first n_pages pages of a path (or all it has) that ends at `node`; whole pages
 * of it. For sequences that are cut. */
uint32_t ingle_prefix_up(const ingle_prefix *t, uint32_t node, size_t n_pages);
size_t ingle_prefix_depth(const ingle_prefix *t, uint32_t node);

/* What the position after a node needs: window pages first .. first + n - 1 by page index, and a
 * slot of state. The caller holds all of them and the node's page. A checkpoint that is there
 * stays; when there are n_checkpoints, the oldest goes. */
void ingle_prefix_checkpoint_put(ingle_prefix *t, uint32_t node, const uint32_t *window,
                                 size_t first, size_t n, uint32_t state);

/* Gives up what is idle, the oldest first, until n pages of a pool are free: whole nodes for
 * group ALL, else checkpoints. False: there are not as many, although everything idle is gone. */
bool ingle_prefix_evict(ingle_prefix *t, size_t pool, size_t n);

/* A sequence that is the only one to have a page or a state wants to write it, and there is no room
 * for a copy: the tree forgets what names it. False: it did not name it, or others hang on it. */
bool ingle_prefix_forget(ingle_prefix *t, size_t pool, uint32_t id);

/* Leaders. `owner` is about to compute a prompt: its tokens stay where they are until done().
 * More than n_leaders are not noted. */
void ingle_prefix_expect(ingle_prefix *t, ingle_prefix_key key, const int32_t *tokens, size_t n,
                         const void *owner);
/* The owner whose prompt has at least `least` tokens in common with this one that
 * neither has been published nor could be reused; NULL: nobody. Then it is better to wait until
 * this changes. *n_common: tokens that both begin with, one less than n at most; a checkpoint after
 * them is what a model that needs checkpoints waits for. */
const void *ingle_prefix_blocked(const ingle_prefix *t, ingle_prefix_key key, const int32_t *tokens,
                                 size_t n, size_t least, size_t *n_common);
/* The owner has computed its prompt, or never will; it need not be a leader. */
void ingle_prefix_done(ingle_prefix *t, const void *owner);

/* The invariant: for builds with assertions, after every change. Large trees are looked at in
 * part. */
bool ingle_prefix_is_sound(const ingle_prefix *t);

#endif
