/* sequence.c - what a session holds of the pools: pages, windows, states. One function cuts a
 * sequence, one makes room for more; whatever changes its length goes through them. All with the
 * lock held, and not while the session is in the batch that runs. */
#include "engine/engine.h"

#include <assert.h>

static size_t pages_of(size_t n)
{
    return (n + INGLE_PAGE - 1) / INGLE_PAGE;
}

/* Pages that will be read before they are written whole: what was in them goes. */
static void list_to_clear(ingle_engine *e, ingle_group group, const uint32_t *ids, size_t n)
{
    memcpy(e->clear[group] + e->n_clear[group], ids, n * sizeof *ids);
    e->n_clear[group] += n;
}

bool ingle_sequence_reserve(ingle_session *s, size_t end)
{
    ingle_engine *e = s->engine;
    ingle_window *w = &s->window;
    size_t want = pages_of(end), n_window = ingle_window_want(w, end), n_used, any;
    size_t n_new = want > s->n_pages ? want - s->n_pages : 0;
    size_t n_more = n_window > w->n_own ? n_window - w->n_own : 0;
    bool states = e->recurrent && !s->has_states;
    if (e->pool[INGLE_GROUP_ALL].n_free < n_new) return false;
    if (e->pool[INGLE_GROUP_WINDOW].n_free < n_more) return false;
    if (states && !e->states.n_free) return false;
    uint32_t *ids = s->pages + s->n_pages;
    ingle_pages_take(&e->pool[INGLE_GROUP_ALL], n_new, ids, &n_used);
    list_to_clear(e, INGLE_GROUP_ALL, ids, n_used);
    s->n_pages += n_new;
    ingle_pages_take(&e->pool[INGLE_GROUP_WINDOW], n_more, w->spare + w->n_spare, &any);
    w->n_spare += n_more, w->n_own += n_more; /* cleared where they are placed */
    if (states) {
        ingle_pages_take(&e->states, 1, &s->states_id, &any);
        ingle_states_init(&s->states, s->states_id * INGLE_STATE_SLOTS);
        s->has_states = true;
    }
    return true;
}

/* Positions, n_live at most, after which windows and recurrent states can go on; n are held. */
static size_t rewind_live(ingle_session *s, size_t n, size_t n_live)
{
    size_t from = s->n_live;
    size_t live = ingle_window_rewind(&s->window, n, n_live < from ? n_live : from);
    while (s->has_states) {
        size_t at = ingle_states_rewind(&s->states, from, live);
        live = ingle_window_rewind(&s->window, n, at);
        if (live == at) break;
        from = at;
    }
    return live;
}

void ingle_sequence_cut(ingle_session *s, size_t n, size_t n_live)
{
    ingle_engine *e = s->engine;
    ingle_window *w = &s->window;
    assert(!s->task.frozen && n_live <= n);
    s->n = n;
    s->n_live = rewind_live(s, n, n_live);
    size_t keep = pages_of(s->n_live);
    if (s->has_states && !s->n_live) {
        ingle_pages_drop(&e->states, &s->states_id, 1);
        s->has_states = false;
    }
    if (keep < s->n_pages) {
        ingle_pages_drop(&e->pool[INGLE_GROUP_ALL], s->pages + keep, s->n_pages - keep);
        s->n_pages = keep;
    }
    for (keep = ingle_window_want(w, s->n_live); w->n_own > keep; w->n_own--) {
        assert(w->n_spare); /* the table names pages of n_live positions, no more than are kept */
        ingle_pages_drop(&e->pool[INGLE_GROUP_WINDOW], &w->spare[--w->n_spare], 1);
    }
    if (!s->n_live) ingle_slots_drop(&e->slots, s);
    assert(ingle_session_is_sound(s));
}

static size_t beyond(size_t want, size_t has)
{
    return want > has ? want - has : 0;
}

void ingle_sequence_claim(const ingle_session *s, size_t end, ingle_claim *claim)
{
    bool recurrent = s->engine->recurrent;
    *claim = (ingle_claim){.has = {s->n_pages, s->window.n_own, s->has_states},
                           .may = {beyond(pages_of(end), s->n_pages),
                                   beyond(ingle_window_want(&s->window, end), s->window.n_own),
                                   recurrent && !s->has_states}};
}
