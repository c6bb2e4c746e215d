/* sequence.c - what a session holds of the pools: pages, windows, states. One function cuts a
 * sequence, one makes room for more; whatever changes its length goes through them. All with the
 * lock held, and not while the session is in the batch that runs.
 *
 * A page or a state that has other owners is never written: before the next step it is copied, or
 * a step leaves its state in another slot. */
#include "engine/engine.h"

#include <assert.h>

static size_t pages_of(size_t n)
{
    return (n + INGLE_PAGE - 1) / INGLE_PAGE;
}

static bool has_others(const ingle_pages *pool, uint32_t id)
{
    return pool->refs[id] > 1;
}

static bool shares_last(const ingle_session *s)
{
    const ingle_pages *pool = &s->engine->pool[INGLE_GROUP_ALL];
    return s->n_live % INGLE_PAGE && has_others(pool, s->pages[s->n_live / INGLE_PAGE]);
}

/* Whether the next step has to leave the state in a slot that is to be taken. */
static bool needs_state(const ingle_session *s)
{
    const ingle_engine *e = s->engine;
    uint32_t live = s->states.slot[0];
    return e->recurrent && (live == INGLE_NO_STATE || has_others(&e->states, live));
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t beyond(size_t want, size_t has)
{
    return want > has ? want - has : 0;
}

void ingle_sequence_need(const ingle_session *s, size_t end, size_t need[INGLE_RESOURCES])
{
    const ingle_pages *windows = &s->engine->pool[INGLE_GROUP_WINDOW];
    size_t window = ingle_window_need(&s->window, windows, s->n_live, end);
    need[INGLE_RESOURCE_PAGES] = beyond(pages_of(end), s->n_pages) + shares_last(s);
    need[INGLE_RESOURCE_WINDOWS] =
        beyond(window, ingle_window_spare(&s->window, windows, s->n_live));
    need[INGLE_RESOURCE_STATES] = needs_state(s);
    need[INGLE_RESOURCE_DRAFTS] = 0;
}

/* Others that rest and the tree can be made to let go; who runs cannot. */
static bool shares_with_running(const ingle_engine *e, ingle_resource r, uint32_t id)
{
    return e->holders[r][id] > 1;
}

void ingle_sequence_worst(const ingle_session *s, size_t end, ingle_claim *claim)
{
    const ingle_engine *e = s->engine;
    const ingle_window *w = &s->window;
    size_t windows = w->width ? ingle_window_want(w, end) : 0, whole = s->n_live / INGLE_PAGE;
    uint32_t live = s->states.slot[0];
    bool copies =
        s->n_live % INGLE_PAGE && shares_with_running(e, INGLE_RESOURCE_PAGES, s->pages[whole]);
    bool moves = e->recurrent &&
                 (live == INGLE_NO_STATE || shares_with_running(e, INGLE_RESOURCE_STATES, live));
    claim->may[INGLE_RESOURCE_PAGES] = beyond(pages_of(end), s->n_pages) + copies;
    size_t to_come = w->width ? beyond(pages_of(end), whole) : 0;
    claim->may[INGLE_RESOURCE_WINDOWS] =
        least(to_come, beyond(windows, claim->has[INGLE_RESOURCE_WINDOWS]));
    claim->may[INGLE_RESOURCE_STATES] = moves;
    claim->may[INGLE_RESOURCE_DRAFTS] = 0;
}

/* ---- growing ---- */

/* A page in place of one that others have too; its copy is made before the step. */
static void replace(ingle_engine *e, ingle_group group, uint32_t *id)
{
    ingle_copies *c = &e->copies[group];
    size_t any;
    ingle_pages_take(&e->pool[group], 1, &c->to[c->n], &any);
    c->from[c->n] = *id;
    *id = c->to[c->n++];
    ingle_pages_drop(&e->pool[group], &c->from[c->n - 1], 1);
}

/* Fresh pages; those that were somebody's before are cleared by the step, as they are read before
 * they are written whole. */
static void take(ingle_engine *e, ingle_group group, uint32_t *ids, size_t n)
{
    size_t n_used;
    ingle_pages_take(&e->pool[group], n, ids, &n_used);
    if (n_used) memcpy(e->clear[group] + e->n_clear[group], ids, n_used * sizeof *ids);
    e->n_clear[group] += n_used;
}

static void grow_window(ingle_session *s, size_t end, size_t need)
{
    ingle_engine *e = s->engine;
    ingle_window *w = &s->window;
    ingle_pages *pool = &e->pool[INGLE_GROUP_WINDOW];
    while (w->n + need > w->most || pool->n_free < need)
        if (!ingle_window_give(w, pool, s->n_live)) break;
    for (size_t p = s->n_live / INGLE_PAGE; p * INGLE_PAGE < end; p++) {
        uint32_t id = w->ids[p];
        if (id == INGLE_NO_PAGE) take(e, INGLE_GROUP_WINDOW, &id, 1);
        else if (has_others(pool, id)) replace(e, INGLE_GROUP_WINDOW, &id);
        ingle_window_place(w, p, id);
    }
}

bool ingle_sequence_reserve(ingle_session *s, size_t end)
{
    ingle_engine *e = s->engine;
    ingle_pages *windows = &e->pool[INGLE_GROUP_WINDOW];
    size_t need[INGLE_RESOURCES];
    ingle_sequence_need(s, end, need);
    if (e->pool[INGLE_GROUP_ALL].n_free < need[INGLE_RESOURCE_PAGES]) return false;
    if (e->recurrent && e->states.n_free < need[INGLE_RESOURCE_STATES]) return false;
    size_t n_window = ingle_window_need(&s->window, windows, s->n_live, end);
    while (windows->n_free < n_window) /* those that have no other owner are free then */
        if (!ingle_window_give(&s->window, windows, s->n_live)) return false;
    if (shares_last(s)) replace(e, INGLE_GROUP_ALL, &s->pages[s->n_live / INGLE_PAGE]);
    if (pages_of(end) > s->n_pages) {
        take(e, INGLE_GROUP_ALL, s->pages + s->n_pages, pages_of(end) - s->n_pages);
        s->n_pages = pages_of(end);
    }
    if (s->window.width) grow_window(s, end, n_window);
    return true;
}

bool ingle_sequence_claim_own(ingle_session *s, size_t end)
{
    ingle_engine *e = s->engine;
    const ingle_window *w = &s->window;
    bool some = false;
    if (shares_last(s))
        some = ingle_prefix_forget(&e->tree, INGLE_GROUP_ALL, s->pages[s->n_live / INGLE_PAGE]);
    for (size_t p = s->n_live / INGLE_PAGE; w->width && p * INGLE_PAGE < end; p++)
        if (w->ids[p] != INGLE_NO_PAGE &&
            ingle_prefix_forget(&e->tree, INGLE_GROUP_WINDOW, w->ids[p]))
            some = true;
    if (e->recurrent && s->states.slot[0] != INGLE_NO_STATE &&
        ingle_prefix_forget(&e->tree, INGLE_POOL_STATES, s->states.slot[0]))
        some = true;
    return some;
}

/* ---- cutting ---- */

/* Positions, n_live at most, after which windows and recurrent states can go on; n are held. */
static size_t rewind_live(ingle_session *s, size_t n, size_t n_live)
{
    ingle_engine *e = s->engine;
    ingle_pages *windows = &e->pool[INGLE_GROUP_WINDOW];
    size_t from = s->n_live;
    size_t live = ingle_window_rewind(&s->window, windows, n, n_live < from ? n_live : from);
    while (e->recurrent) {
        size_t at = ingle_states_rewind(&s->states, &e->states, from, live);
        live = ingle_window_rewind(&s->window, windows, n, at);
        if (live == at) break;
        from = at;
    }
    return live;
}

void ingle_sequence_cut(ingle_session *s, size_t n, size_t n_live)
{
    ingle_engine *e = s->engine;
    assert(!s->task.frozen && n_live <= n);
    if (n != s->n) s->n = n; /* a caller that has entered reads it without the lock */
    while (s->n_marks && s->marks[s->n_marks - 1] > n) s->n_marks--;
    s->n_live = rewind_live(s, n, n_live);
    size_t keep = pages_of(s->n_live);
    if (keep < s->n_pages) {
        ingle_pages_drop(&e->pool[INGLE_GROUP_ALL], s->pages + keep, s->n_pages - keep);
        s->n_pages = keep;
    }
    s->node = ingle_prefix_up(&e->tree, s->node, s->n_live / INGLE_PAGE);
    if (!s->n_live) ingle_slots_drop(&e->slots, s);
    assert(ingle_session_is_sound(s));
}

/* ---- the prefix tree ---- */

static ingle_prefix_key key_of(const ingle_session *s)
{
    return (ingle_prefix_key){.salt = s->salt};
}

void ingle_sequence_match(ingle_session *s, size_t n, ingle_prefix_path *path)
{
    ingle_prefix_match(&s->engine->tree, key_of(s), s->tokens, n, path);
}

void ingle_sequence_adopt(ingle_session *s, const ingle_prefix_path *path)
{
    ingle_engine *e = s->engine;
    ingle_window *w = &s->window;
    ingle_sequence_cut(s, s->n, 0);
    ingle_prefix_hold(&e->tree, path, s->pages, w->ids, &s->states.slot[0]);
    s->n_live = path->n_reused;
    s->n_pages = pages_of(s->n_live);
    s->node = path->node;
    if (s->n < s->n_live) s->n = s->n_live;
    for (size_t p = 0; p < w->n_table; p++) w->n += w->ids[p] != INGLE_NO_PAGE;
    assert(ingle_session_is_sound(s));
}

void ingle_sequence_publish(ingle_session *s)
{
    ingle_engine *e = s->engine;
    size_t depth = ingle_prefix_depth(&e->tree, s->node);
    for (; s->shares && (depth + 1) * INGLE_PAGE <= s->n_live; depth++) {
        uint32_t node =
            ingle_prefix_publish(&e->tree, key_of(s), s->node, s->tokens + depth * INGLE_PAGE,
                                 INGLE_PAGE, &s->pages[depth]);
        if (node == INGLE_NO_NODE) return; /* no room, or a fork has the page as well: later */
        s->node = node;
    }
}

/* The node of all n_live positions; INGLE_NO_NODE: there is none. */
static uint32_t publish_all(ingle_session *s)
{
    ingle_engine *e = s->engine;
    size_t whole = s->n_live / INGLE_PAGE, rest = s->n_live % INGLE_PAGE;
    ingle_sequence_publish(s);
    if (!s->shares || ingle_prefix_depth(&e->tree, s->node) < whole) return INGLE_NO_NODE;
    if (!rest) return s->node;
    return ingle_prefix_publish(&e->tree, key_of(s), s->node, s->tokens + whole * INGLE_PAGE, rest,
                                &s->pages[whole]);
}

void ingle_sequence_mark(ingle_session *s)
{
    ingle_engine *e = s->engine;
    const ingle_window *w = &s->window;
    uint32_t node = s->n_live ? publish_all(s) : INGLE_NO_NODE;
    if (node == INGLE_NO_NODE || !e->tree.needs_checkpoints) return;
    size_t first = w->width ? ingle_window_first(w, s->n_live) : 0;
    size_t n = w->width ? pages_of(s->n_live) - first : 0;
    ingle_prefix_checkpoint_put(&e->tree, node, n ? w->ids + first : NULL, first, n,
                                s->states.slot[0]);
}

/* ---- forks ---- */

void ingle_sequence_share(ingle_session *to, const ingle_session *from, size_t n)
{
    ingle_engine *e = from->engine;
    size_t n_live = n < from->n_live ? n : from->n_live;
    memcpy(to->tokens, from->tokens, n * sizeof *to->tokens);
    memcpy(to->pages, from->pages, pages_of(from->n_live) * sizeof *to->pages);
    to->n_pages = pages_of(from->n_live);
    ingle_pages_hold(&e->pool[INGLE_GROUP_ALL], to->pages, to->n_pages);
    ingle_window_share(&to->window, &from->window, &e->pool[INGLE_GROUP_WINDOW]);
    if (e->recurrent) ingle_states_share(&to->states, &from->states, &e->states);
    to->n = from->n;
    to->n_live = from->n_live;
    to->node = from->node;
    to->salt = from->salt;
    to->shares = from->shares;
    ingle_sequence_cut(to, n, n_live);
}
