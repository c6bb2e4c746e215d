#include "engine/prefix.h"

#include "base/map.h"

#include <assert.h>

#define SIBLINGS 8 /* so many of a node's children are looked at for a common beginning */
#define NONE     INGLE_NO_NODE

typedef struct ingle_prefix_node {
    int32_t tokens[INGLE_PAGE];
    uint64_t hash, set, salt; /* salt: of a root, else 0 */
    uint32_t parent;          /* NONE: a root, which has no tokens and no page */
    uint32_t page, checkpoint;
    uint32_t next;           /* in its chain, or of the free nodes */
    uint32_t child;          /* the youngest; NONE: a leaf */
    uint32_t older, younger; /* siblings */
    uint32_t depth;          /* whole pages from the root to its end */
    uint8_t n;
    bool used;
} node;

typedef struct ingle_prefix_checkpoint {
    uint32_t node, state, first, n;
    uint32_t older, younger; /* younger: also the next of the free ones */
} checkpoint;

typedef struct ingle_prefix_leader {
    const void *owner;
    ingle_prefix_key key;
    const int32_t *tokens;
    size_t n;
} leader;

/* What a node is found by. */
typedef struct run {
    uint64_t salt, set;
    uint32_t parent;
    const int32_t *tokens;
    size_t n;
} run;

/* How far a prompt can be followed. */
typedef struct trail {
    uint32_t at;   /* the last node of whole pages, or the root; NONE: there is no root */
    uint32_t part; /* its child that has n_part more tokens of the prompt; NONE: no child has any */
    size_t n_part;
} trail;

static size_t n_heads(size_t n_nodes)
{
    size_t n = 16;
    while (n < n_nodes) n *= 2;
    return n;
}

size_t ingle_prefix_bytes(const ingle_prefix_options *opt, size_t n_pages)
{
    return opt->n_nodes * sizeof(node) + n_heads(opt->n_nodes) * sizeof(uint32_t) +
           n_pages * sizeof(uint32_t) + (opt->n_checkpoints + 1) * sizeof(checkpoint) +
           opt->n_checkpoints * opt->n_window * sizeof(uint32_t) + opt->n_leaders * sizeof(leader);
}

bool ingle_prefix_open(ingle_prefix *t, const ingle_prefix_options *opt)
{
    size_t n_pages = opt->pool[INGLE_GROUP_ALL]->n, n_ends = opt->n_checkpoints;
    *t = (ingle_prefix){.opt = *opt, .mask = (uint32_t)(n_heads(opt->n_nodes) - 1)};
    t->needs_checkpoints = opt->pool[INGLE_GROUP_WINDOW] || opt->pool[INGLE_POOL_STATES];
    t->node = ingle_new(opt->n_nodes, sizeof *t->node);
    t->heads = ingle_new((size_t)t->mask + 1, sizeof *t->heads);
    t->node_of = ingle_new(n_pages, sizeof *t->node_of);
    t->checkpoint = ingle_new(n_ends + 1, sizeof *t->checkpoint);
    t->window = ingle_new(n_ends * opt->n_window, sizeof *t->window);
    t->leader = ingle_new(opt->n_leaders, sizeof *t->leader);
    if (!t->node || !t->heads || !t->node_of || !t->checkpoint || !t->window || !t->leader) {
        ingle_prefix_close(t);
        return false;
    }
    t->free_node = t->free_checkpoint = NONE;
    for (size_t i = 0; i <= t->mask; i++) t->heads[i] = NONE;
    for (size_t i = 0; i < n_pages; i++) t->node_of[i] = NONE;
    for (size_t i = opt->n_nodes; i-- > 0; t->free_node = (uint32_t)i)
        t->node[i].next = t->free_node;
    for (size_t i = n_ends; i-- > 0; t->free_checkpoint = (uint32_t)i)
        t->checkpoint[i].younger = t->free_checkpoint;
    t->checkpoint[n_ends].older = t->checkpoint[n_ends].younger = (uint32_t)n_ends;
    assert(ingle_prefix_is_sound(t));
    return true;
}

/* ---- nodes ---- */

static ingle_pages *all_pages(const ingle_prefix *t)
{
    return t->opt.pool[INGLE_GROUP_ALL];
}

static uint64_t hash_of(const ingle_prefix *t, const run *r)
{
    const uint64_t secret = ingle_fold(t->opt.seed ^ 0x9e3779b97f4a7c15u, 0xd1342543de82ef95u) | 1;
    uint64_t h = ingle_fold(t->opt.seed ^ ((uint64_t)r->parent << 8 | r->n), secret);
    h = ingle_fold(h ^ r->salt, secret);
    h = ingle_fold(h ^ r->set, secret);
    for (size_t i = 0; i + 1 < r->n; i += 2)
        h = ingle_fold(h ^ ingle_load((const char *)&r->tokens[i], 8), secret);
    if (r->n % 2) h = ingle_fold(h ^ (uint32_t)r->tokens[r->n - 1], secret);
    return h;
}

static size_t common(const int32_t *a, const int32_t *b, size_t n)
{
    size_t i = 0;
    while (i < n && a[i] == b[i]) i++;
    return i;
}

static run run_of(const node *it)
{
    return (run){it->salt, it->set, it->parent, it->tokens, it->n};
}

static uint32_t find(const ingle_prefix *t, const run *r)
{
    uint64_t hash = hash_of(t, r);
    uint32_t id = t->heads[hash & t->mask];
    for (; id != NONE; id = t->node[id].next) {
        const node *it = &t->node[id];
        if (it->hash == hash && it->parent == r->parent && it->set == r->set &&
            it->salt == r->salt && it->n == r->n && common(it->tokens, r->tokens, r->n) == r->n)
            break;
    }
    return id;
}

static uint32_t find_root(const ingle_prefix *t, ingle_prefix_key key)
{
    return find(t, &(run){.salt = key.salt, .set = key.set, .parent = NONE});
}

static bool is_idle(const ingle_prefix *t, uint32_t id)
{
    return ingle_pages_is_idle(all_pages(t), t->node[id].page);
}

#ifndef NDEBUG
static bool is_held(const ingle_prefix *t, uint32_t id)
{
    return all_pages(t)->refs[t->node[id].page] > all_pages(t)->kept[t->node[id].page];
}
#endif

static void join_siblings(ingle_prefix *t, uint32_t id)
{
    node *it = &t->node[id], *parent = &t->node[it->parent];
    it->older = parent->child;
    it->younger = NONE;
    if (it->older != NONE) t->node[it->older].younger = id;
    parent->child = id;
}

static void leave_siblings(ingle_prefix *t, uint32_t id)
{
    const node *it = &t->node[id];
    if (it->older != NONE) t->node[it->older].younger = it->younger;
    if (it->younger != NONE) t->node[it->younger].older = it->older;
    else t->node[it->parent].child = it->older;
}

/* The node becomes the youngest of its siblings, and its page, if idle, the youngest of all. The
 * caller goes on with the parent. */
static void refresh(ingle_prefix *t, uint32_t id)
{
    leave_siblings(t, id);
    join_siblings(t, id);
    ingle_pages_refresh(all_pages(t), t->node[id].page);
}

static void leave_chain(ingle_prefix *t, uint32_t id)
{
    uint32_t *at = &t->heads[t->node[id].hash & t->mask];
    while (*at != id) at = &t->node[*at].next;
    *at = t->node[id].next;
}

static void free_node(ingle_prefix *t, uint32_t id)
{
    t->node[id] = (node){.next = t->free_node};
    t->free_node = id;
    t->n_used--;
}

static void free_checkpoint(ingle_prefix *t, uint32_t id);

/* A leaf goes, and its root with the last child. */
static void remove_leaf(ingle_prefix *t, uint32_t id)
{
    const node *it = &t->node[id];
    uint32_t parent = it->parent;
    assert(it->used && it->child == NONE);
    if (it->checkpoint != NONE) free_checkpoint(t, it->checkpoint);
    t->node_of[it->page] = NONE;
    ingle_pages_release(all_pages(t), it->page);
    leave_siblings(t, id);
    leave_chain(t, id);
    free_node(t, id);
    if (t->node[parent].n || t->node[parent].child != NONE) return;
    leave_chain(t, parent);
    free_node(t, parent);
}

/* The first idle page is a leaf's: see the invariant. */
static uint32_t oldest_leaf(const ingle_prefix *t)
{
    const ingle_pages *p = all_pages(t);
    uint32_t page = p->idle[p->n].younger;
    if (page == p->n) return NONE;
    assert(t->node_of[page] != NONE && t->node[t->node_of[page]].child == NONE);
    return t->node_of[page];
}

static uint32_t take_node(ingle_prefix *t)
{
    uint32_t leaf, id = t->free_node;
    if (id == NONE && (leaf = oldest_leaf(t)) != NONE) {
        remove_leaf(t, leaf);
        id = t->free_node;
    }
    if (id == NONE) return NONE;
    t->free_node = t->node[id].next;
    t->n_used++;
    return id;
}

/* A node that take_node() gave becomes that of a run. */
static void set_node(ingle_prefix *t, uint32_t id, const run *r, uint32_t page)
{
    node *it = &t->node[id];
    uint64_t hash = hash_of(t, r);
    uint32_t *head = &t->heads[hash & t->mask], depth = r->n == INGLE_PAGE;
    if (r->parent != NONE) depth += t->node[r->parent].depth;
    *it = (node){.hash = hash,
                 .set = r->set,
                 .salt = r->salt,
                 .parent = r->parent,
                 .page = page,
                 .checkpoint = NONE,
                 .next = *head,
                 .child = NONE,
                 .older = NONE,
                 .younger = NONE,
                 .depth = depth,
                 .n = (uint8_t)r->n,
                 .used = true};
    for (size_t i = 0; i < r->n; i++) it->tokens[i] = r->tokens[i];
    *head = id;
}

/* ---- checkpoints ---- */

static void list_checkpoint(ingle_prefix *t, uint32_t id)
{
    uint32_t ends = (uint32_t)t->opt.n_checkpoints, last = t->checkpoint[ends].older;
    t->checkpoint[id].older = last;
    t->checkpoint[id].younger = ends;
    t->checkpoint[last].younger = t->checkpoint[ends].older = id;
}

static void unlist_checkpoint(ingle_prefix *t, uint32_t id)
{
    const checkpoint *c = &t->checkpoint[id];
    t->checkpoint[c->older].younger = c->younger;
    t->checkpoint[c->younger].older = c->older;
}

static void refresh_checkpoint(ingle_prefix *t, uint32_t id)
{
    unlist_checkpoint(t, id);
    list_checkpoint(t, id);
}

static const uint32_t *window_of(const ingle_prefix *t, uint32_t id)
{
    return t->window + id * t->opt.n_window;
}

static void free_checkpoint(ingle_prefix *t, uint32_t id)
{
    checkpoint *c = &t->checkpoint[id];
    for (size_t i = 0; i < c->n; i++)
        ingle_pages_release(t->opt.pool[INGLE_GROUP_WINDOW], window_of(t, id)[i]);
    if (t->opt.pool[INGLE_POOL_STATES])
        ingle_pages_release(t->opt.pool[INGLE_POOL_STATES], c->state);
    t->node[c->node].checkpoint = NONE;
    unlist_checkpoint(t, id);
    c->younger = t->free_checkpoint;
    t->free_checkpoint = id;
    t->n_checkpoints--;
}

static uint32_t oldest_checkpoint(const ingle_prefix *t)
{
    return t->checkpoint[t->opt.n_checkpoints].younger;
}

void ingle_prefix_checkpoint_put(ingle_prefix *t, uint32_t id, const uint32_t *window, size_t first,
                                 size_t n, uint32_t state)
{
    assert(t->node[id].used && is_held(t, id) && n <= t->opt.n_window);
    uint32_t at = t->node[id].checkpoint;
    if (at != NONE) refresh_checkpoint(t, at);
    if (at != NONE || !t->opt.n_checkpoints) return;
    if (t->free_checkpoint == NONE) free_checkpoint(t, oldest_checkpoint(t));
    at = t->free_checkpoint;
    t->free_checkpoint = t->checkpoint[at].younger;
    t->checkpoint[at] =
        (checkpoint){.node = id, .state = state, .first = (uint32_t)first, .n = (uint32_t)n};
    for (size_t i = 0; i < n; i++) {
        t->window[at * t->opt.n_window + i] = window[i];
        ingle_pages_keep(t->opt.pool[INGLE_GROUP_WINDOW], window[i]);
    }
    if (t->opt.pool[INGLE_POOL_STATES]) ingle_pages_keep(t->opt.pool[INGLE_POOL_STATES], state);
    list_checkpoint(t, at);
    t->node[id].checkpoint = at;
    t->n_checkpoints++;
    assert(ingle_prefix_is_sound(t));
}

/* ---- a prompt's path ---- */

/* Of the youngest children the one that has most tokens in common with these. `whole`: only
 * children with a checkpoint count, and only if all their tokens are in common. */
static uint32_t best_child(const ingle_prefix *t, uint32_t parent, uint64_t set,
                           const int32_t *tokens, size_t n, bool whole, size_t *n_best)
{
    uint32_t best = NONE, id = t->node[parent].child;
    *n_best = 0;
    for (int i = 0; i < SIBLINGS && id != NONE; i++, id = t->node[id].older) {
        const node *it = &t->node[id];
        if (it->set != set) continue;
        size_t same = common(it->tokens, tokens, it->n < n ? it->n : n);
        if (whole && (same < it->n || it->checkpoint == NONE)) continue;
        if (same > *n_best) *n_best = same, best = id;
    }
    return best;
}

static trail walk(const ingle_prefix *t, ingle_prefix_key key, const int32_t *tokens, size_t n)
{
    trail way = {.at = find_root(t, key), .part = NONE};
    if (way.at == NONE) return way;
    for (; n >= INGLE_PAGE; tokens += INGLE_PAGE, n -= INGLE_PAGE) {
        uint32_t next = find(t, &(run){0, key.set, way.at, tokens, INGLE_PAGE});
        if (next == NONE) break;
        way.at = next;
    }
    way.part = best_child(t, way.at, key.set, tokens, n, false, &way.n_part);
    return way;
}

/* The path of the first n tokens of a trail. */
static void reuse(const ingle_prefix *t, const trail *way, size_t n, ingle_prefix_path *path)
{
    uint32_t after = way->part, at = way->at;
    for (; t->node[at].depth > n / INGLE_PAGE; at = t->node[at].parent) after = at;
    path->n_reused = n;
    path->part = n % INGLE_PAGE ? after : NONE;
    path->node = t->node[at].n ? at : NONE;
}

/* The path up to the deepest checkpoint after n tokens at most: on the trail, or on a tail that
 * branches off and holds tokens of the prompt only. */
static void reuse_checkpoint(const ingle_prefix *t, const trail *way, uint64_t set,
                             const int32_t *tokens, size_t n, ingle_prefix_path *path)
{
    for (uint32_t at = way->at; at != NONE; at = t->node[at].parent) {
        size_t n_tail, end = t->node[at].depth * (size_t)INGLE_PAGE;
        if (end > n) continue;
        uint32_t tail = best_child(t, at, set, tokens + end, n - end, true, &n_tail);
        uint32_t owner = tail != NONE ? tail : at;
        if (t->node[owner].checkpoint == NONE) continue;
        path->n_reused = end + n_tail;
        path->checkpoint = t->node[owner].checkpoint;
        path->part = tail;
        path->node = t->node[at].n ? at : NONE;
        return;
    }
}

static trail look(const ingle_prefix *t, ingle_prefix_key key, const int32_t *tokens, size_t n,
                  ingle_prefix_path *path)
{
    trail way = walk(t, key, tokens, n);
    *path = (ingle_prefix_path){.node = NONE, .part = NONE, .checkpoint = NONE};
    if (way.at == NONE || !n) return way;
    path->n_known = t->node[way.at].depth * (size_t)INGLE_PAGE + way.n_part;
    size_t most = path->n_known < n ? path->n_known : n - 1;
    if (t->needs_checkpoints) reuse_checkpoint(t, &way, key.set, tokens, most, path);
    else reuse(t, &way, most, path);
    return way;
}

static void count_idle(const ingle_prefix *t, ingle_prefix_path *path)
{
    const ingle_pages *windows = t->opt.pool[INGLE_GROUP_WINDOW],
                      *states = t->opt.pool[INGLE_POOL_STATES];
    if (path->part != NONE) path->n_idle[INGLE_GROUP_ALL] += is_idle(t, path->part);
    for (uint32_t at = path->node; at != NONE && t->node[at].n; at = t->node[at].parent)
        path->n_idle[INGLE_GROUP_ALL] += is_idle(t, at);
    if (path->checkpoint == NONE) return;
    const checkpoint *c = &t->checkpoint[path->checkpoint];
    for (size_t i = 0; i < c->n; i++)
        path->n_idle[INGLE_GROUP_WINDOW] +=
            ingle_pages_is_idle(windows, window_of(t, path->checkpoint)[i]);
    if (states) path->n_idle[INGLE_POOL_STATES] += ingle_pages_is_idle(states, c->state);
}

void ingle_prefix_match(ingle_prefix *t, ingle_prefix_key key, const int32_t *tokens, size_t n,
                        ingle_prefix_path *path)
{
    trail way = look(t, key, tokens, n, path);
    if (way.part != NONE) refresh(t, way.part);
    if (path->part != NONE) refresh(t, path->part);
    for (uint32_t at = way.at; at != NONE && t->node[at].n; at = t->node[at].parent) refresh(t, at);
    if (path->checkpoint != NONE) refresh_checkpoint(t, path->checkpoint);
    count_idle(t, path);
    assert(ingle_prefix_is_sound(t));
}

void ingle_prefix_hold(ingle_prefix *t, const ingle_prefix_path *path, uint32_t *pages,
                       uint32_t *window, uint32_t *state)
{
    size_t n_whole = ingle_prefix_depth(t, path->node), n = n_whole;
    uint32_t at = path->node;
    assert(n_whole == path->n_reused / INGLE_PAGE);
    for (size_t i = n_whole; i-- > 0; at = t->node[at].parent) pages[i] = t->node[at].page;
    if (path->part != NONE) pages[n++] = t->node[path->part].page;
    ingle_pages_hold(all_pages(t), pages, n);
    if (path->checkpoint != NONE) {
        const checkpoint *c = &t->checkpoint[path->checkpoint];
        for (size_t i = 0; i < c->n; i++) window[c->first + i] = window_of(t, path->checkpoint)[i];
        if (c->n) ingle_pages_hold(t->opt.pool[INGLE_GROUP_WINDOW], window + c->first, c->n);
        if (t->opt.pool[INGLE_POOL_STATES]) {
            *state = c->state;
            ingle_pages_hold(t->opt.pool[INGLE_POOL_STATES], state, 1);
        }
    }
    assert(ingle_prefix_is_sound(t));
}

size_t ingle_prefix_depth(const ingle_prefix *t, uint32_t id)
{
    return id == NONE ? 0 : t->node[id].depth;
}

uint32_t ingle_prefix_up(const ingle_prefix *t, uint32_t id, size_t n_pages)
{
    while (id != NONE && (t->node[id].depth > n_pages || t->node[id].n < INGLE_PAGE))
        id = t->node[id].parent;
    return id;
}

/* ---- publishing ---- */

/* Tails that a new sibling begins with go, unless somebody holds them or they own a checkpoint. */
static void remove_shorter(ingle_prefix *t, uint32_t id)
{
    const node *fresh = &t->node[id];
    uint32_t at = fresh->older;
    for (int i = 1; i < SIBLINGS && at != NONE; i++) {
        const node *it = &t->node[at];
        uint32_t older = it->older;
        if (it->set == fresh->set && it->n < fresh->n && it->checkpoint == NONE && is_idle(t, at) &&
            common(it->tokens, fresh->tokens, it->n) == it->n)
            remove_leaf(t, at);
        at = older;
    }
}

/* The root of a key, made if need be; NONE: no room. */
static uint32_t root_of(ingle_prefix *t, ingle_prefix_key key)
{
    const run r = {.salt = key.salt, .set = key.set, .parent = NONE};
    uint32_t id = find(t, &r);
    if (id == NONE && (id = take_node(t)) != NONE) set_node(t, id, &r, INGLE_NO_PAGE);
    return id;
}

/* The node is taken before its root is looked for: the leaf that makes room may be the last one
 * below that root, which goes with it. */
static uint32_t add_node(ingle_prefix *t, ingle_prefix_key key, run r, uint32_t page)
{
    uint32_t id = take_node(t);
    if (id == NONE) return NONE;
    if (r.parent == NONE) r.parent = root_of(t, key);
    if (r.parent == NONE) {
        free_node(t, id);
        return NONE;
    }
    set_node(t, id, &r, page);
    join_siblings(t, id);
    ingle_pages_keep(all_pages(t), page);
    t->node_of[page] = id;
    remove_shorter(t, id);
    return id;
}

uint32_t ingle_prefix_publish(ingle_prefix *t, ingle_prefix_key key, uint32_t parent,
                              const int32_t *tokens, size_t n, uint32_t *page)
{
    ingle_pages *p = all_pages(t);
    run r = {0, key.set, parent == NONE ? find_root(t, key) : parent, tokens, n};
    uint32_t id = r.parent == NONE ? NONE : find(t, &r), mine = *page;
    assert(n && n <= INGLE_PAGE && p->refs[mine] > p->kept[mine]);
    assert(parent == NONE || (t->node[parent].n == INGLE_PAGE && is_held(t, parent)));
    if (id != NONE) {
        *page = t->node[id].page;
        ingle_pages_hold(p, page, 1);
        ingle_pages_drop(p, &mine, 1);
        refresh(t, id);
    } else if (p->refs[mine] == 1) { /* a fork that shares it need not hold the pages above */
        r.parent = parent;
        id = add_node(t, key, r, mine);
    }
    assert(ingle_prefix_is_sound(t));
    return id;
}

/* ---- eviction ---- */

/* Whether a pool is closer to a free page when this checkpoint is given up. */
static bool has_idle(const ingle_prefix *t, uint32_t id, size_t pool)
{
    const ingle_pages *p = t->opt.pool[pool];
    const checkpoint *c = &t->checkpoint[id];
    if (pool == INGLE_POOL_STATES) return ingle_pages_is_idle(p, c->state);
    for (size_t i = 0; i < c->n; i++)
        if (ingle_pages_is_idle(p, window_of(t, id)[i])) return true;
    return false;
}

bool ingle_prefix_evict(ingle_prefix *t, size_t pool, size_t n)
{
    const ingle_pages *p = t->opt.pool[pool];
    if (!p) return !n;
    if (pool == INGLE_GROUP_ALL) {
        for (uint32_t leaf; p->n_free < n && (leaf = oldest_leaf(t)) != NONE;) remove_leaf(t, leaf);
    } else {
        uint32_t id = oldest_checkpoint(t), younger;
        for (; p->n_free < n && id != t->opt.n_checkpoints; id = younger) {
            younger = t->checkpoint[id].younger;
            if (has_idle(t, id, pool)) free_checkpoint(t, id);
        }
    }
    assert(ingle_prefix_is_sound(t));
    return p->n_free >= n;
}

static bool names(const ingle_prefix *t, uint32_t c, size_t pool, uint32_t id)
{
    const checkpoint *it = &t->checkpoint[c];
    if (pool == INGLE_POOL_STATES) return it->state == id;
    for (size_t i = 0; i < it->n; i++)
        if (window_of(t, c)[i] == id) return true;
    return false;
}

bool ingle_prefix_forget(ingle_prefix *t, size_t pool, uint32_t id)
{
    const ingle_pages *p = t->opt.pool[pool];
    bool forgot = false;
    if (!p->kept[id] || p->refs[id] - p->kept[id] != 1) return false;
    if (pool == INGLE_GROUP_ALL) {
        uint32_t leaf = t->node_of[id];
        if (t->node[leaf].child != NONE) return false;
        remove_leaf(t, leaf);
        return true;
    }
    for (uint32_t c = oldest_checkpoint(t), younger; c != t->opt.n_checkpoints; c = younger) {
        younger = t->checkpoint[c].younger;
        if (!names(t, c, pool, id)) continue;
        free_checkpoint(t, c);
        forgot = true;
    }
    assert(ingle_prefix_is_sound(t));
    return forgot;
}

void ingle_prefix_close(ingle_prefix *t)
{
    for (size_t i = 0; t->node && i < t->opt.n_nodes; i++) {
        const node *it = &t->node[i];
        if (!it->used || !it->n) continue;
        if (it->checkpoint != NONE) free_checkpoint(t, it->checkpoint);
        ingle_pages_release(all_pages(t), it->page);
    }
    free(t->node);
    free(t->heads);
    free(t->node_of);
    free(t->checkpoint);
    free(t->window);
    free(t->leader);
    *t = (ingle_prefix){0};
}

/* ---- leaders ---- */

void ingle_prefix_expect(ingle_prefix *t, ingle_prefix_key key, const int32_t *tokens, size_t n,
                         const void *owner)
{
    if (t->n_leaders < t->opt.n_leaders)
        t->leader[t->n_leaders++] = (leader){owner, key, tokens, n};
    assert(ingle_prefix_is_sound(t));
}

const void *ingle_prefix_blocked(const ingle_prefix *t, ingle_prefix_key key, const int32_t *tokens,
                                 size_t n, size_t least, size_t *n_common)
{
    const void *owner = NULL;
    ingle_prefix_path path;
    *n_common = 0;
    look(t, key, tokens, n, &path);
    for (size_t i = 0; i < t->n_leaders; i++) {
        const leader *l = &t->leader[i];
        if (!n || l->key.salt != key.salt || l->key.set != key.set) continue;
        size_t same = common(l->tokens, tokens, l->n < n - 1 ? l->n : n - 1);
        if (same < path.n_reused + least || same <= *n_common) continue;
        *n_common = same;
        owner = l->owner;
    }
    return owner;
}

void ingle_prefix_done(ingle_prefix *t, const void *owner)
{
    for (size_t i = t->n_leaders; i-- > 0;)
        if (t->leader[i].owner == owner) t->leader[i] = t->leader[--t->n_leaders];
    assert(ingle_prefix_is_sound(t));
}

/* ---- the invariant ---- */

#define LOOK 1024 /* nodes that is_sound() looks at */

static bool is_family_sound(const ingle_prefix *t, uint32_t id)
{
    const node *it = &t->node[id];
    if (it->child != NONE && t->node[it->child].parent != id) return false;
    if (it->n && it->n < INGLE_PAGE && it->child != NONE) return false;
    if (it->parent == NONE) return !it->n && it->child != NONE && !it->depth;
    const node *parent = &t->node[it->parent];
    if (!parent->used || it->depth != parent->depth + it->n / INGLE_PAGE) return false;
    if (it->older != NONE && t->node[it->older].younger != id) return false;
    return it->younger == NONE ? parent->child == id : t->node[it->younger].older == id;
}

/* A page has one node; below an idle one there are only idle ones, which are older. */
static bool is_page_sound(const ingle_prefix *t, uint32_t id)
{
    const node *it = &t->node[id];
    const ingle_pages *p = all_pages(t);
    if (!it->n) return it->page == INGLE_NO_PAGE;
    if (t->node_of[it->page] != id || p->kept[it->page] != 1) return false;
    if (!t->node[it->parent].n || !is_idle(t, it->parent)) return true;
    return is_idle(t, id) && p->idle[it->page].stamp < p->idle[t->node[it->parent].page].stamp;
}

static bool is_node_sound(const ingle_prefix *t, uint32_t id)
{
    const node *it = &t->node[id];
    run r = run_of(it);
    if (!it->used) return true;
    if (it->checkpoint != NONE && t->checkpoint[it->checkpoint].node != id) return false;
    return is_family_sound(t, id) && is_page_sound(t, id) && find(t, &r) == id;
}

/* Whether the tree's counts in a pool come to n. */
static bool is_count_sound(const ingle_prefix *t, size_t pool, size_t n)
{
    const ingle_pages *p = t->opt.pool[pool];
    if (!p) return !n;
    if (p->n > LOOK) return true;
    for (size_t i = 0; i < p->n; i++) n -= p->kept[i];
    return !n && ingle_pages_is_sound(p);
}

static bool are_checkpoints_sound(const ingle_prefix *t)
{
    size_t n = 0, n_window = 0, ends = t->opt.n_checkpoints;
    for (uint32_t id = oldest_checkpoint(t); id != ends; id = t->checkpoint[id].younger, n++) {
        const checkpoint *c = &t->checkpoint[id];
        if (n == ends || t->node[c->node].checkpoint != id) return false;
        if (t->checkpoint[c->younger].older != id) return false;
        n_window += c->n;
    }
    return n == t->n_checkpoints && is_count_sound(t, INGLE_GROUP_WINDOW, n_window) &&
           is_count_sound(t, INGLE_POOL_STATES, t->opt.pool[INGLE_POOL_STATES] ? n : 0);
}

bool ingle_prefix_is_sound(const ingle_prefix *t)
{
    size_t n = t->opt.n_nodes < LOOK ? t->opt.n_nodes : LOOK, n_used = 0, n_pages = 0;
    for (size_t i = 0; i < n; i++) {
        if (!is_node_sound(t, (uint32_t)i)) return false;
        n_used += t->node[i].used;
        n_pages += t->node[i].used && t->node[i].n;
    }
    if (n == t->opt.n_nodes &&
        (n_used != t->n_used || !is_count_sound(t, INGLE_GROUP_ALL, n_pages)))
        return false;
    return t->n_leaders <= t->opt.n_leaders && are_checkpoints_sound(t);
}
