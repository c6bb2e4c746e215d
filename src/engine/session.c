/* session.c - timelines: what a session holds, and the calls that change it. Every change of length
 * goes through ingle_session_compute() and ingle_session_rewind(), which move tokens and pages
 * together. */
#include "engine/engine.h"

#include <assert.h>
#include <stdlib.h>

ingle_status ingle_session_open(ingle_session **out, ingle_engine *e, ingle_error *err)
{
    if (!out) return ingle_fail(err, INGLE_EINVAL, "ingle_session_open: out is NULL");
    *out = NULL;
    if (!e) return ingle_fail(err, INGLE_ECLOSED, "the engine is closed");
    size_t n_ctx = ingle_round_up((size_t)e->opt.n_ctx, INGLE_PAGE);
    ingle_session *s = ingle_new(1, sizeof *s);
    if (s) {
        s->tokens = ingle_new(n_ctx, sizeof *s->tokens);
        s->pages = ingle_new(n_ctx / INGLE_PAGE, sizeof *s->pages);
        s->logits = e->ops->rows_new(e->backend, (size_t)e->model->n_vocab);
    }
    if (!s || !s->tokens || !s->pages || !s->logits ||
        !ingle_window_open(&s->window, e->model->program.plan.window, (size_t)e->opt.n_batch,
                           n_ctx)) {
        if (s) free(s->tokens), free(s->pages), e->ops->rows_free(e->backend, s->logits);
        free(s);
        return ingle_fail(err, INGLE_ENOMEM, "no memory for a session of %d positions",
                          e->opt.n_ctx);
    }
    s->rows_cap = 1;
    atomic_flag_clear(&s->busy);
    s->engine = e;
    atomic_fetch_add(&e->refs, 1);
    assert(ingle_session_is_sound(s));
    *out = s;
    return INGLE_OK;
}

void ingle_session_close(ingle_session **session)
{
    if (!session || !*session) return;
    ingle_session *s = *session;
    *session = NULL;
    ingle_engine *e = s->engine;
    ingle_session_rewind(s, 0);
    pthread_mutex_lock(&e->lock);
    ingle_slots_drop(&e->slots, s);
    pthread_mutex_unlock(&e->lock);
    e->ops->rows_free(e->backend, s->logits);
    ingle_engine_drop(e);
    free(s->tokens);
    free(s->pages);
    ingle_window_close(&s->window);
    free(s->vectors);
    free(s);
}

ingle_status ingle_session_enter(ingle_session *s, ingle_error *err)
{
    if (!s) return ingle_fail(err, INGLE_ECLOSED, "the session is closed");
    if (atomic_flag_test_and_set(&s->busy))
        return ingle_fail(err, INGLE_EBUSY, "another caller is using this session");
    pthread_mutex_lock(&s->engine->lock);
    ingle_status st = ingle_engine_lost(s->engine, err);
    if (s->engine->closed) st = ingle_fail(err, INGLE_ECLOSED, "the session's engine is closed");
    pthread_mutex_unlock(&s->engine->lock);
    if (st) ingle_session_leave(s);
    return st;
}

void ingle_session_leave(ingle_session *s)
{
    atomic_flag_clear(&s->busy);
}

ingle_status ingle_session_ask(const ingle_session *s, ingle_error *err)
{
    return ingle_session_enter((ingle_session *)s, err); /* no session is a const object */
}

void ingle_session_asked(const ingle_session *s)
{
    ingle_session_leave((ingle_session *)s);
}

/* Positions, n at most, after which windows and recurrent states can go on. */
static size_t rewind_live(ingle_session *s, size_t n)
{
    size_t from = s->n_live, live = ingle_window_rewind(&s->window, n, n < from ? n : from);
    while (s->has_states) {
        size_t at = ingle_states_rewind(&s->states, from, live);
        live = ingle_window_rewind(&s->window, n, at);
        if (live == at) break;
        from = at;
    }
    return live;
}

/* Gives back what n positions do not need; the lock is held. */
static void rewind_locked(ingle_session *s, size_t n)
{
    size_t keep = (n + INGLE_PAGE - 1) / INGLE_PAGE;
    ingle_window *w = &s->window;
    s->n_live = rewind_live(s, n);
    s->n = n;
    if (s->has_states && !n) {
        ingle_pages_drop(&s->engine->states, &s->states_id, 1);
        s->has_states = false;
    }
    if (keep < s->n_pages) {
        ingle_pages_drop(&s->engine->pool[INGLE_GROUP_ALL], s->pages + keep, s->n_pages - keep);
        s->n_pages = keep;
    }
    for (keep = ingle_window_want(w, n); w->n_own > keep; w->n_own--) {
        assert(w->n_spare); /* the table names pages of n positions, no more than are kept */
        ingle_pages_drop(&s->engine->pool[INGLE_GROUP_WINDOW], &w->spare[--w->n_spare], 1);
    }
    assert(ingle_session_is_sound(s));
}

void ingle_session_rewind(ingle_session *s, size_t n)
{
    pthread_mutex_lock(&s->engine->lock);
    if (n != s->n) s->n_rows = 0; /* the logits belong to a position that is gone */
    rewind_locked(s, n);
    pthread_mutex_unlock(&s->engine->lock);
}

static ingle_status check_tokens(const ingle_session *s, const int32_t *tokens, size_t n,
                                 ingle_error *err)
{
    const ingle_engine *e = s->engine;
    if (!tokens || !n) return ingle_fail(err, INGLE_EINVAL, "no tokens to evaluate");
    if (n > (size_t)e->opt.n_ctx - s->n)
        return ingle_fail(err, INGLE_EFULL,
                          "%zu tokens do not fit: the session holds %zu of at most %d", n, s->n,
                          e->opt.n_ctx);
    for (size_t i = 0; i < n; i++)
        if (tokens[i] < 0 || tokens[i] >= e->model->n_vocab)
            return ingle_fail(err, INGLE_EINVAL, "token %zu is %d, should be 0 to %d", i, tokens[i],
                              e->model->n_vocab - 1);
    return INGLE_OK;
}

/* Room for n_rows rows of logits, taken before anything changes; NULL if there is enough. */
static ingle_status reserve_rows(const ingle_session *s, size_t n_rows, float **fresh,
                                 ingle_error *err)
{
    const ingle_engine *e = s->engine;
    size_t n, n_vocab = (size_t)e->model->n_vocab;
    *fresh = NULL;
    if (n_rows <= s->rows_cap) return INGLE_OK;
    if (ingle_mul_ok(n_rows, n_vocab, &n)) *fresh = e->ops->rows_new(e->backend, n);
    return *fresh ? INGLE_OK
                  : ingle_fail(err, INGLE_ENOMEM, "no memory for %zu rows of logits", n_rows);
}

/* Pages for n more positions. The first *n_used of the new ones were somebody's before: the first
 * step clears them. The others are zero already. */
static ingle_status reserve_pages(ingle_session *s, size_t n, size_t *n_used, ingle_error *err)
{
    ingle_engine *e = s->engine;
    ingle_window *w = &s->window;
    size_t want = (s->n + n + INGLE_PAGE - 1) / INGLE_PAGE, n_new = want - s->n_pages;
    size_t n_window = ingle_window_want(w, s->n + n) - w->n_own, any;
    uint32_t *ids = s->pages + s->n_pages;
    *n_used = 0;
    if (want <= s->n_pages) return INGLE_OK;
    pthread_mutex_lock(&e->lock);
    bool room = ingle_pages_take(&e->pool[INGLE_GROUP_ALL], n_new, ids, n_used);
    if (room) s->n_pages = want; /* given back by rewind_locked() if the rest fails */
    if (room && n_window) {
        room =
            ingle_pages_take(&e->pool[INGLE_GROUP_WINDOW], n_window, w->spare + w->n_spare, &any);
        if (room) w->n_spare += n_window, w->n_own += n_window;
    }
    pthread_mutex_unlock(&e->lock);
    if (!room)
        return ingle_fail(err, INGLE_EFULL, "the KV pool has no room for %zu more tokens%s", n,
                          s->n_pages == want ? " in windowed layers: there are pages for "
                                               "'n_sessions' sessions"
                                             : "");
    return INGLE_OK;
}

/* Slots for the state of recurrent layers; those of n_sessions sessions are there. */
static ingle_status reserve_states(ingle_session *s, ingle_error *err)
{
    ingle_engine *e = s->engine;
    size_t n_used;
    if (!e->recurrent || s->has_states) return INGLE_OK;
    pthread_mutex_lock(&e->lock);
    s->has_states = ingle_pages_take(&e->states, 1, &s->states_id, &n_used);
    pthread_mutex_unlock(&e->lock);
    if (!s->has_states)
        return ingle_fail(err, INGLE_EFULL,
                          "%d sessions hold recurrent state, option 'n_sessions' allows no more",
                          e->opt.n_sessions);
    ingle_states_init(&s->states, s->states_id * INGLE_STATE_SLOTS);
    return INGLE_OK;
}

/* Steps, or waits for whoever is stepping, until the job is done or its step has failed. The lock
 * is held. */
static ingle_status finish(ingle_session *s, ingle_error *err)
{
    ingle_engine *e = s->engine;
    while (s->job.queued) {
        ingle_status st = ingle_engine_lost(e, err);
        if (e->closed) st = ingle_fail(err, INGLE_ECLOSED, "the engine was closed during the call");
        if (e->driving) pthread_cond_wait(&e->changed, &e->lock);
        else if (st) {
            ingle_engine_unqueue(e, s); /* no queued job outlives its call */
            return st;
        } else ingle_engine_drive(e);
    }
    if (s->job.status && err) *err = s->job.error;
    return s->job.status;
}

/* What was reserved beyond what the session holds. */
static void give_back(ingle_session *s)
{
    pthread_mutex_lock(&s->engine->lock);
    rewind_locked(s, s->n);
    pthread_mutex_unlock(&s->engine->lock);
}

/* Everything a job needs, before anything changes; nothing stays taken on failure. */
ingle_status ingle_job_prepare(ingle_session *s, const int32_t *tokens, size_t n, ingle_rows rows,
                               ingle_error *err)
{
    size_t n_rows = rows == INGLE_ROWS_ALL ? n : rows == INGLE_ROWS_LAST ? 1 : 0;
    float *fresh = NULL;
    size_t n_used = 0, n_pages = s->n_pages;
    ingle_status st = check_tokens(s, tokens, n, err);
    if (!st) st = reserve_rows(s, n_rows, &fresh, err);
    if (!st) st = reserve_states(s, err);
    if (!st) st = reserve_pages(s, n, &n_used, err);
    if (st) {
        s->engine->ops->rows_free(s->engine->backend, fresh);
        give_back(s);
        return st;
    }
    s->job = (ingle_job){.tokens = tokens,
                         .n = n,
                         .rows = rows,
                         .n_rows = n_rows,
                         .before = s->n,
                         .fresh = fresh,
                         .to_clear = s->pages + n_pages,
                         .n_to_clear = n_used,
                         .prepared = true};
    assert(ingle_session_is_sound(s));
    return INGLE_OK;
}

/* The lock is held. */
static void submit(ingle_session *s)
{
    if (s->job.fresh && s->job.pooling == INGLE_POOLING_AUTO) {
        s->engine->ops->rows_free(s->engine->backend, s->logits);
        s->logits = s->job.fresh;
        s->rows_cap = s->job.n_rows;
        s->job.fresh = NULL;
    }
    if (s->job.n > 1) ingle_window_begin(&s->window, s->n);
    ingle_engine_enqueue(s->engine, s);
}

/* A prepared job's end, also of one that was never submitted; the lock is held. */
static void settle(ingle_session *s, ingle_status st)
{
    ingle_job *job = &s->job;
    bool embeds = job->pooling != INGLE_POOLING_AUTO;
    if (!st && embeds) {
        free(s->vectors);
        s->vectors = job->fresh;
        s->n_vectors = job->n_vectors;
        s->n_vector = job->n_vector;
        job->fresh = NULL;
    }
    if (embeds) free(job->fresh);
    else s->engine->ops->rows_free(s->engine->backend, job->fresh);
    job->fresh = NULL;
    job->prepared = false;
    if (st || embeds) rewind_locked(s, job->before);
    else s->n_rows = job->n_rows;
    assert(ingle_session_is_sound(s));
}

static ingle_status check_logits(const ingle_session *s, ingle_error *err)
{
    const ingle_model *m = s->engine->model;
    if (ingle_model_has_logits(m)) return INGLE_OK;
    return ingle_fail(
        err, INGLE_EUNSUPPORTED, "a model of family '%s' %s %s texts; it does not go on from them",
        m->family->name,
        m->hp.causal ? "with a classifier in place of a head" : "that reads in both directions",
        m->program.plan.n_rank ? "ranks" : "embeds");
}

ingle_status ingle_session_compute(ingle_session *s, const int32_t *tokens, size_t n,
                                   ingle_rows rows, ingle_error *err)
{
    ingle_status st = check_logits(s, err);
    if (!st) st = ingle_job_prepare(s, tokens, n, rows, err);
    if (st) return st;
    pthread_mutex_lock(&s->engine->lock);
    submit(s);
    st = finish(s, err);
    settle(s, st);
    pthread_mutex_unlock(&s->engine->lock);
    return st;
}

static ingle_status check_rows(ingle_rows rows, ingle_error *err)
{
    if ((unsigned)rows <= INGLE_ROWS_NONE) return INGLE_OK;
    return ingle_fail(err, INGLE_EINVAL, "rows is %d, should be 0 to 2", rows);
}

ingle_status ingle_session_eval(ingle_session *s, const int32_t *tokens, size_t n, ingle_rows rows,
                                ingle_error *err)
{
    ingle_status st = check_rows(rows, err);
    if (!st) st = ingle_session_enter(s, err);
    if (st) return st;
    st = ingle_session_compute(s, tokens, n, rows, err);
    ingle_session_leave(s);
    return st;
}

ingle_status ingle_call_enter(ingle_call *call, ingle_session *s, ingle_error *err)
{
    ingle_status st = ingle_session_enter(s, err);
    if (st) return st;
    if (call->first && s->engine != call->first->engine) {
        ingle_session_leave(s);
        return ingle_fail(err, INGLE_EINVAL, "session %zu belongs to another engine", call->n);
    }
    s->beside = NULL;
    if (call->first) call->last->beside = s;
    else call->first = s;
    call->last = s;
    call->n++;
    return INGLE_OK;
}

/* All jobs are queued before the first step, so they share it. */
ingle_status ingle_call_run(ingle_call *call, ingle_error *err)
{
    ingle_engine *e = call->first->engine;
    ingle_status st = INGLE_OK;
    pthread_mutex_lock(&e->lock);
    for (ingle_session *s = call->first; s; s = s->beside) submit(s);
    for (ingle_session *s = call->first; s; s = s->beside) {
        ingle_status one = finish(s, err);
        if (one) st = one;
    }
    pthread_mutex_unlock(&e->lock);
    return st;
}

void ingle_call_end(ingle_call *call, ingle_status st)
{
    for (ingle_session *s = call->first, *next; s; s = next) {
        next = s->beside; /* whoever enters s next may change it */
        pthread_mutex_lock(&s->engine->lock);
        if (s->job.prepared) settle(s, st);
        pthread_mutex_unlock(&s->engine->lock);
        ingle_session_leave(s);
    }
    *call = (ingle_call){0};
}

ingle_status ingle_sessions_eval(const ingle_eval *evals, size_t n, ingle_error *err)
{
    ingle_status st = INGLE_OK;
    ingle_call call = {0};
    if (!evals || !n) return ingle_fail(err, INGLE_EINVAL, "no sessions to evaluate");
    for (size_t i = 0; !st && i < n; i++) {
        st = check_rows(evals[i].rows, err);
        if (!st) st = ingle_call_enter(&call, evals[i].session, err);
    }
    for (size_t i = 0; !st && i < n; i++) {
        const ingle_eval *ev = &evals[i];
        st = check_logits(ev->session, err);
        if (!st) st = ingle_job_prepare(ev->session, ev->tokens, ev->n, ev->rows, err);
    }
    if (!st) st = ingle_call_run(&call, err);
    ingle_call_end(&call, st);
    return st;
}

ingle_status ingle_session_logits(const ingle_session *s, size_t i_row, const float **logits,
                                  ingle_error *err)
{
    ingle_status st = ingle_session_ask(s, err);
    if (st) return st;
    if (!logits) st = ingle_fail(err, INGLE_EINVAL, "ingle_session_logits: logits is NULL");
    else if (i_row >= s->n_rows)
        st = ingle_fail(err, INGLE_ENOTFOUND, "row %zu: the session holds %zu rows of logits",
                        i_row, s->n_rows);
    else *logits = s->logits + i_row * (size_t)s->engine->model->n_vocab;
    ingle_session_asked(s);
    return st;
}

ingle_status ingle_session_tokens(const ingle_session *s, const int32_t **tokens, size_t *n,
                                  ingle_error *err)
{
    ingle_status st = ingle_session_ask(s, err);
    if (st) return st;
    if (tokens) *tokens = s->tokens;
    if (n) *n = s->n;
    ingle_session_asked(s);
    return INGLE_OK;
}

ingle_status ingle_session_truncate(ingle_session *s, size_t n, ingle_error *err)
{
    ingle_status st = ingle_session_enter(s, err);
    if (st) return st;
    if (n > s->n) st = ingle_fail(err, INGLE_EINVAL, "cannot keep %zu tokens of %zu", n, s->n);
    else ingle_session_rewind(s, n);
    ingle_session_leave(s);
    return st;
}
