/* sound.c - what engine.h states of sessions and batches, as functions that builds with assertions
 * call after every change. */
#include "engine/request.h"

static bool are_taken(const ingle_pages *pool, const uint32_t *ids, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (ids[i] >= pool->n || !pool->refs[ids[i]]) return false;
    return true;
}

static size_t pages_of(size_t n)
{
    return (n + INGLE_PAGE - 1) / INGLE_PAGE;
}

static bool is_task_sound(const ingle_session *s)
{
    const ingle_task *t = &s->task;
    bool runs = t->state == INGLE_TASK_QUEUED || t->state == INGLE_TASK_RUNS;
    if (!runs) return !t->frozen;
    return t->before <= s->n && s->n <= t->n_end && t->n_end <= t->worst &&
           t->worst <= (size_t)s->engine->opt.n_ctx;
}

static bool is_window_sound(const ingle_session *s)
{
    const ingle_window *w = &s->window;
    if (!w->width) return !w->n;
    if (!ingle_window_is_sound(w, &s->engine->pool[INGLE_GROUP_WINDOW])) return false;
    return ingle_window_holds(w, s->n_live, s->n_live) && w->begin <= s->n && w->end <= s->n;
}

static bool is_state_sound(const ingle_session *s)
{
    const ingle_engine *e = s->engine;
    return !e->recurrent || ingle_states_is_sound(&s->states, &e->states, s->n_live);
}

/* Pages of what is computed, and perhaps of what was reserved beyond that. */
bool ingle_session_is_sound(const ingle_session *s)
{
    const ingle_engine *e = s->engine;
    return s->n_live <= s->n && s->n <= (size_t)e->opt.n_ctx && s->n_pages >= pages_of(s->n_live) &&
           s->n_pages <= pages_of((size_t)e->opt.n_ctx) && s->n_rows <= s->rows_cap &&
           are_taken(&e->pool[INGLE_GROUP_ALL], s->pages, s->n_pages) && is_task_sound(s) &&
           ingle_prefix_depth(&e->tree, s->node) * INGLE_PAGE <= s->n_live && is_window_sound(s) &&
           is_state_sound(s);
}

/* What the step writes has no other owner. */
static bool is_alone(const ingle_session *s, const ingle_batch_seq *seq)
{
    const ingle_engine *e = s->engine;
    for (size_t p = seq->pos0 / INGLE_PAGE; p * INGLE_PAGE < seq->pos0 + seq->n; p++) {
        if (e->pool[INGLE_GROUP_ALL].refs[s->pages[p]] != 1) return false;
        if (s->window.width && e->pool[INGLE_GROUP_WINDOW].refs[s->window.ids[p]] != 1)
            return false;
    }
    return !e->recurrent || e->states.refs[seq->state] == 1;
}

static bool is_member_sound(const ingle_engine *e, const ingle_batch *batch, size_t i)
{
    const ingle_batch_seq *seq = &batch->seqs[i];
    const ingle_session *s = e->members[i];
    const ingle_task *t = &s->task;
    const ingle_slot *slot = &e->slots.slot[seq->slot];
    size_t end = seq->pos0 + seq->n;
    for (size_t k = 0; k < i; k++)
        if (e->members[k] == s) return false;
    if (slot->owner != s || slot->used != e->slots.step) return false;
    if (!t->frozen || t->state != INGLE_TASK_RUNS || !is_task_sound(s)) return false;
    if (t->kind == INGLE_TASK_EMBED && t->embed.pooling != batch->pooling) return false;
    if (seq->both && (t->kind != INGLE_TASK_EMBED || seq->pos0 || seq->n != t->n_end)) return false;
    if (e->recurrent && seq->state != s->states.slot[0]) return false;
    if (!is_alone(s, seq)) return false;
    return seq->pos0 == s->n_live && seq->n && seq->n == t->chunk && end <= t->n_end + t->n_draft &&
           end <= s->n_pages * INGLE_PAGE &&
           (!s->window.width || ingle_window_holds(&s->window, seq->pos0, end));
}

bool ingle_batch_is_sound(const ingle_engine *e, const ingle_batch *batch)
{
    size_t n_tokens = 0;
    for (size_t i = 0; i < batch->n_seqs; i++) {
        if (batch->seqs[i].first != n_tokens || !is_member_sound(e, batch, i)) return false;
        n_tokens += batch->seqs[i].n;
    }
    for (int g = 0; g < INGLE_GROUPS; g++)
        if (!are_taken(&e->pool[g], batch->clear[g].pages, batch->clear[g].n)) return false;
    return n_tokens == batch->n_tokens && n_tokens <= (size_t)e->opt.n_batch &&
           batch->n_seqs <= (size_t)e->opt.n_parallel && batch->n_rows <= n_tokens;
}
