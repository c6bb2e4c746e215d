/* sound.c - what engine.h states of sessions and batches, as functions that builds with assertions
 * call after every change. */
#include "engine/engine.h"

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

/* Positions that pages were taken for: those held, and while a job is under way all of its own. */
static size_t reserved(const ingle_session *s)
{
    return s->job.prepared ? s->job.before + s->job.n : s->n;
}

static bool is_job_sound(const ingle_session *s)
{
    const ingle_job *job = &s->job;
    if (!job->prepared) return !job->queued;
    return s->n == job->before + job->done && job->done + job->chunk <= job->n &&
           job->lag <= s->n - s->n_live && (!job->chunk || job->lag == s->n - s->n_live);
}

static bool is_window_sound(const ingle_session *s)
{
    const ingle_window *w = &s->window;
    const ingle_pages *pool = &s->engine->pool[INGLE_GROUP_WINDOW];
    if (!w->width) return !w->n_own;
    if (!ingle_window_is_sound(w) || !ingle_window_holds(w, s->n_live, s->n_live)) return false;
    if (w->n_own != ingle_window_want(w, reserved(s))) return false;
    if (w->begin > s->n || w->end > s->n) return false;
    for (size_t p = 0; p < w->n_table; p++)
        if (w->ids[p] != INGLE_NO_PAGE && !are_taken(pool, &w->ids[p], 1)) return false;
    return are_taken(pool, w->spare, w->n_spare);
}

static bool is_state_sound(const ingle_session *s)
{
    const ingle_engine *e = s->engine;
    if (s->has_states != (e->recurrent && reserved(s))) return false;
    return !s->has_states ||
           (are_taken(&e->states, &s->states_id, 1) &&
            ingle_states_is_sound(&s->states, s->states_id * INGLE_STATE_SLOTS, s->n_live));
}

bool ingle_session_is_sound(const ingle_session *s)
{
    const ingle_engine *e = s->engine;
    return s->n_live <= s->n && (!s->spoilt || !s->n_live) && reserved(s) <= (size_t)e->opt.n_ctx &&
           s->n_pages == pages_of(reserved(s)) && s->n_rows <= s->rows_cap &&
           are_taken(&e->pool[INGLE_GROUP_ALL], s->pages, s->n_pages) && is_job_sound(s) &&
           is_window_sound(s) && is_state_sound(s);
}

static bool is_member_sound(const ingle_engine *e, const ingle_batch *batch, size_t i)
{
    const ingle_batch_seq *seq = &batch->seqs[i];
    const ingle_session *s = e->members[i];
    const ingle_slot *slot = &e->slots.slot[seq->slot];
    size_t end = seq->pos0 + seq->n;
    for (size_t k = 0; k < i; k++)
        if (e->members[k] == s) return false;
    if (slot->owner != s || slot->used != e->slots.step) return false;
    if (!s->job.queued || s->job.pooling != batch->pooling || !is_job_sound(s)) return false;
    if (s->has_states && seq->state != s->states.slot[0]) return false;
    return seq->pos0 == s->n_live && seq->n && seq->n == s->job.lag + s->job.chunk &&
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
           batch->n_seqs <= (size_t)e->opt.n_sessions && batch->n_rows <= n_tokens;
}
