/* step.c - the queue of sessions with a job, and the step: a batch of the queue's tokens, run by
 * the backend, and what it leaves in the sessions. All with the lock held, which a step lets go
 * while the backend runs. */
#include "engine/engine.h"

#include <assert.h>
#include <string.h>

/* ---- the queue ---- */

void ingle_engine_enqueue(ingle_engine *e, ingle_session *s)
{
    ingle_session **at = &e->queue;
    assert(s->job.prepared && !s->job.queued && ingle_session_is_sound(s));
    while (*at) at = &(*at)->next;
    *at = s;
    s->next = NULL;
    s->job.queued = true;
}

void ingle_engine_unqueue(ingle_engine *e, ingle_session *s)
{
    ingle_session **at = &e->queue;
    assert(s->job.queued);
    while (*at != s) at = &(*at)->next;
    *at = s->next;
    s->next = NULL;
    s->job.queued = false;
}

/* ---- the rows that are wanted ---- */

/* What the rows of a text are for: a rank is made of one of them or of the mean. */
static ingle_pooling rows_of(const ingle_model *m, ingle_pooling pooling)
{
    static const ingle_pooling ranks[] = {[INGLE_RANK_FIRST] = INGLE_POOLING_CLS,
                                          [INGLE_RANK_MEAN] = INGLE_POOLING_MEAN,
                                          [INGLE_RANK_LAST] = INGLE_POOLING_LAST};
    return pooling == INGLE_POOLING_RANK ? ranks[m->family->rank] : pooling;
}

/* Whether token i of n gives a row. */
static bool gives_row(ingle_pooling rows, size_t i, size_t n)
{
    return rows == INGLE_POOLING_CLS ? i == 0 : rows == INGLE_POOLING_LAST ? i == n - 1 : true;
}

/* The rows that tokens done .. done + n - 1 of a text give to the batch, the first of which is
 * token `first` of the batch. */
static void want_text(ingle_engine *e, ingle_batch *batch, const ingle_session *s, size_t first,
                      size_t n)
{
    const ingle_job *job = &s->job;
    ingle_pooling rows = rows_of(e->model, job->pooling);
    ingle_batch_text text = {.first_row = batch->n_rows,
                             .n = job->n,
                             .ends = rows == INGLE_POOLING_CLS || job->done + n == job->n,
                             .out = job->fresh};
    if (rows == INGLE_POOLING_MEAN) text.sum = job->fresh + job->n_vector;
    for (size_t t = 0; t < n; t++) {
        if (!gives_row(rows, job->done + t, job->n)) continue;
        float *out =
            rows == INGLE_POOLING_NONE ? job->fresh + (job->done + t) * job->n_vector : NULL;
        e->rows[batch->n_rows++] = (ingle_batch_row){.token = (uint32_t)(first + t), .out = out};
    }
    text.n_rows = batch->n_rows - text.first_row;
    if (text.n_rows && rows != INGLE_POOLING_NONE) e->texts[batch->n_texts++] = text;
}

/* The same of a job whose rows are logits. */
static void want_logits(ingle_engine *e, ingle_batch *batch, const ingle_session *s, size_t first,
                        size_t n)
{
    const ingle_job *job = &s->job;
    bool last = job->done + n == job->n;
    for (size_t t = 0; t < n; t++) {
        bool wanted =
            job->rows == INGLE_ROWS_ALL || (job->rows == INGLE_ROWS_LAST && last && t == n - 1);
        if (!wanted) continue;
        size_t row = job->rows == INGLE_ROWS_ALL ? job->done + t : 0;
        batch->n_logits++;
        e->rows[batch->n_rows++] = (ingle_batch_row){
            .token = (uint32_t)(first + t), .out = s->logits + row * (size_t)e->model->n_vocab};
    }
}

/* ---- the batch ---- */

/* Tokens that a session's job still has to compute: its own, and before them those of a session
 * that was cut back and whose state has to catch up. */
static size_t left_of(const ingle_session *s)
{
    return (s->n - s->n_live) + (s->job.n - s->job.done);
}

static void enter_batch(ingle_engine *e, ingle_batch *batch, ingle_session *s, size_t n)
{
    ingle_job *job = &s->job;
    size_t first = batch->n_tokens, lag = s->n - s->n_live;
    if (lag > n) lag = n;
    memcpy(e->tokens + first, s->tokens + s->n_live, lag * sizeof *e->tokens);
    memcpy(e->tokens + first + lag, job->tokens + job->done, (n - lag) * sizeof *e->tokens);
    uint32_t state = s->has_states ? s->states.slot[0] : 0;
    e->seqs[batch->n_seqs] = (ingle_batch_seq){.slot = ingle_slots_take(&e->slots, s),
                                               .pos0 = s->n_live,
                                               .first = first,
                                               .n = n,
                                               .n_first = job->n_first,
                                               .state_from = state,
                                               .state = state};
    if (s->spoilt) job->to_clear = s->pages, job->n_to_clear = s->n_pages;
    for (size_t i = 0; i < job->n_to_clear; i++)
        e->clear[INGLE_GROUP_ALL][e->n_clear[INGLE_GROUP_ALL]++] = job->to_clear[i];
    job->n_to_clear = 0;
    s->spoilt = false;
    e->members[batch->n_seqs++] = s;
    batch->n_tokens += n;
    first += lag;
    n -= lag;
    job->chunk = n;
    job->lag = lag;
    if (job->pooling == INGLE_POOLING_AUTO) want_logits(e, batch, s, first, n);
    else want_text(e, batch, s, first, n);
}

/* Whether a session's job can be part of the batch: all of one kind; a text that is read in both
 * directions not in pieces. */
static bool belongs(const ingle_engine *e, const ingle_batch *batch, const ingle_session *s,
                    size_t room)
{
    return s->job.pooling == batch->pooling &&
           (e->model->hp.causal || s->job.n - s->job.done <= room);
}

/* The job that has waited longest says what kind of batch it is. Sessions that want one token go
 * first (they are decoding); the others share what is left in order. A decoding session queues
 * again at the end after every token, so if a longer job has waited longest, a seat and a token are
 * kept for it: the head of the queue is in every batch. */
static void fill_batch(ingle_engine *e, ingle_batch *batch)
{
    size_t room = (size_t)e->opt.n_batch, n_seqs = (size_t)e->opt.n_sessions;
    if (!e->queue) return;
    batch->pooling = e->queue->job.pooling;
    for (int decoding = batch->pooling == INGLE_POOLING_AUTO; decoding >= 0; decoding--) {
        size_t kept = decoding == 1 && left_of(e->queue) > 1;
        for (ingle_session *s = e->queue; s && room > kept && batch->n_seqs + kept < n_seqs;
             s = s->next) {
            size_t left = left_of(s), n = left < room ? left : room;
            if (batch->pooling == INGLE_POOLING_AUTO && (left == 1) != (decoding == 1)) continue;
            if (!belongs(e, batch, s, room)) continue;
            enter_batch(e, batch, s, n);
            room -= n;
        }
    }
}

/* Pages of windowed layers for what the batch computes, out of those the sessions own. The driver
 * alone touches the windows and states of sessions that have a job. */
static void place_windows(ingle_engine *e, const ingle_batch *batch)
{
    for (size_t i = 0; i < batch->n_seqs; i++) {
        const ingle_batch_seq *seq = &batch->seqs[i];
        ingle_window *w = &e->members[i]->window;
        uint32_t id;
        if (!w->width) continue;
        for (size_t p = seq->pos0 / INGLE_PAGE; p * INGLE_PAGE < seq->pos0 + seq->n; p++)
            if (ingle_window_place(w, p, &id))
                e->clear[INGLE_GROUP_WINDOW][e->n_clear[INGLE_GROUP_WINDOW]++] = id;
    }
}

/* What the backend does not know yet of the members' page tables. */
static void tell_tables(ingle_engine *e, const ingle_batch *batch)
{
    for (size_t i = 0; i < batch->n_seqs; i++) {
        const ingle_batch_seq *seq = &batch->seqs[i];
        const ingle_session *s = e->members[i];
        size_t n = (seq->pos0 + seq->n + INGLE_PAGE - 1) / INGLE_PAGE;
        ingle_slots_update(&e->slots, seq->slot, INGLE_GROUP_ALL, s->pages, n);
        if (s->window.width)
            ingle_slots_update(&e->slots, seq->slot, INGLE_GROUP_WINDOW, s->window.ids, n);
    }
}

/* A state that is due for a checkpoint stays where it is, and the step leaves the next one
 * elsewhere. */
static void save_states(ingle_engine *e, const ingle_batch *batch)
{
    for (size_t i = 0; i < batch->n_seqs; i++) {
        ingle_session *s = e->members[i];
        size_t to = s->has_states ? ingle_states_save(&s->states, s->n_live) : 0;
        if (!to) continue;
        uint32_t live = s->states.slot[0];
        s->states.slot[0] = s->states.slot[to];
        s->states.slot[to] = live;
        e->seqs[i].state = s->states.slot[0];
    }
}

/* ---- the step ---- */

static ingle_status run(ingle_engine *e, const ingle_batch *batch, ingle_error *err)
{
    ingle_status st = e->ops->begin(e->backend, batch, err);
    for (size_t i = 0; !st && i < e->model->placement.n_stretches; i++)
        st = e->ops->part(e->backend, i, err);
    return st ? st : e->ops->end(e->backend, err);
}

/* The step's tokens are there. */
static void commit(ingle_engine *e, size_t n_seqs)
{
    for (size_t i = 0; i < n_seqs; i++) {
        ingle_session *s = e->members[i];
        memcpy(s->tokens + s->n, s->job.tokens + s->job.done, s->job.chunk * sizeof *s->tokens);
        s->n += s->job.chunk;
        s->n_live += s->job.lag + s->job.chunk;
        s->job.done += s->job.chunk;
        s->job.chunk = s->job.lag = 0;
        assert(ingle_session_is_sound(s));
        if (s->job.done < s->job.n) continue;
        if (s->job.n > 1) ingle_window_end(&s->window, s->n);
        ingle_engine_unqueue(e, s);
    }
}

void ingle_engine_note_loss(ingle_engine *e, ingle_status st, const ingle_error *error)
{
    if (st != INGLE_EDEVICE) return;
    e->lost = true;
    e->failure = *error;
}

/* The step's jobs have failed. Nothing that its sequences had on the backend counts any more: they
 * keep their tokens, which are computed again when they go on. */
static void fail(ingle_engine *e, size_t n_seqs, ingle_status st, const ingle_error *error)
{
    for (size_t i = 0; i < n_seqs; i++) {
        ingle_session *s = e->members[i];
        s->job.status = st;
        s->job.error = *error;
        s->job.chunk = s->job.lag = 0;
        s->n_live = 0;
        s->spoilt = true;
        if (s->has_states) ingle_states_init(&s->states, s->states_id * INGLE_STATE_SLOTS);
        ingle_slots_drop(&e->slots, s);
        ingle_engine_unqueue(e, s);
        assert(ingle_session_is_sound(s));
    }
    ingle_engine_note_loss(e, st, error);
}

size_t ingle_engine_drive(ingle_engine *e)
{
    ingle_batch batch = {.tokens = e->tokens, .seqs = e->seqs, .rows = e->rows, .texts = e->texts};
    ingle_error error;
    assert(!e->driving);
    if (e->lost) return 0;
    ingle_slots_begin(&e->slots);
    memset(e->n_clear, 0, sizeof e->n_clear);
    fill_batch(e, &batch);
    if (!batch.n_tokens) return 0;
    e->driving = true;
    pthread_mutex_unlock(&e->lock);
    place_windows(e, &batch);
    tell_tables(e, &batch);
    save_states(e, &batch);
    batch.changes = e->slots.change;
    batch.n_changes = e->slots.n_changes;
    for (int g = 0; g < INGLE_GROUPS; g++)
        batch.clear[g] = (ingle_page_list){e->clear[g], e->n_clear[g]};
    assert(ingle_batch_is_sound(e, &batch));
    ingle_status st = run(e, &batch, &error);
    pthread_mutex_lock(&e->lock);
    e->driving = false;
    if (st) fail(e, batch.n_seqs, st, &error);
    else commit(e, batch.n_seqs);
    pthread_cond_broadcast(&e->changed);
    return st ? 0 : batch.n_tokens;
}

ingle_status ingle_engine_lost(const ingle_engine *e, ingle_error *err)
{
    if (!e->lost) return INGLE_OK;
    if (err) *err = e->failure;
    return INGLE_EDEVICE;
}

ingle_status ingle_engine_step(ingle_engine *e, size_t *n_run, ingle_error *err)
{
    ingle_status st = INGLE_OK;
    size_t n = 0;
    if (!e) return ingle_fail(err, INGLE_ECLOSED, "the engine is closed");
    pthread_mutex_lock(&e->lock);
    if (e->driving) st = ingle_fail(err, INGLE_EBUSY, "another caller is stepping this engine");
    else if (!(st = ingle_engine_lost(e, err))) n = ingle_engine_drive(e);
    pthread_mutex_unlock(&e->lock);
    if (n_run) *n_run = n;
    return st;
}
