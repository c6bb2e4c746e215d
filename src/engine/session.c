/* session.c - timelines as callers see them: opening, evaluating, asking, cutting back. */
#include "engine/request.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

/* ---- opening and closing ---- */

static void free_session(ingle_session *s)
{
    ingle_engine *e = s->engine;
    free(s->tokens);
    free(s->pages);
    free(s->marks);
    ingle_window_close(&s->window);
    e->ops->rows_free(e->backend, s->logits);
    free(s->vectors);
    free(s);
}

ingle_status ingle_session_open(ingle_session **out, ingle_engine *e, ingle_error *err)
{
    if (!out) return ingle_fail(err, INGLE_EINVAL, "ingle_session_open: out is NULL");
    *out = NULL;
    if (!e) return ingle_fail(err, INGLE_ECLOSED, "the engine is closed");
    size_t n_ctx = ingle_round_up((size_t)e->opt.n_ctx, INGLE_PAGE);
    ingle_session *s = ingle_new(1, sizeof *s);
    if (!s) goto no_memory;
    s->engine = e;
    s->tokens = ingle_new(n_ctx, sizeof *s->tokens);
    s->pages = ingle_new(n_ctx / INGLE_PAGE, sizeof *s->pages);
    if (!s->tokens || !s->pages ||
        !ingle_window_open(&s->window, e->model->program.plan.window, (size_t)e->opt.n_batch,
                           n_ctx)) {
        free_session(s);
        goto no_memory;
    }
    ingle_states_init(&s->states);
    s->node = INGLE_NO_NODE;
    s->shares = e->shares;
    atomic_init(&s->refs, 1);
    atomic_flag_clear(&s->busy);
    atomic_fetch_add(&e->refs, 1);
    ingle_engine_lock(e);
    s->previous = e->idle_last;
    *(e->idle_last ? &e->idle_last->next : &e->idle_first) = s;
    e->idle_last = s;
    assert(ingle_session_is_sound(s));
    ingle_engine_unlock(e);
    *out = s;
    return INGLE_OK;
no_memory:
    return ingle_fail(err, INGLE_ENOMEM, "no memory for a session of %d positions", e->opt.n_ctx);
}

void ingle_session_retain(ingle_session *s)
{
    atomic_fetch_add(&s->refs, 1);
}

void ingle_session_drop(ingle_session *s)
{
    if (atomic_fetch_sub(&s->refs, 1) != 1) return;
    ingle_engine *e = s->engine;
    ingle_engine_lock(e);
    ingle_sequence_cut(s, 0, 0);
    *(s->previous ? &s->previous->next : &e->idle_first) = s->next;
    *(s->next ? &s->next->previous : &e->idle_last) = s->previous;
    ingle_queue_changed(e); /* its pages are free */
    ingle_engine_unlock(e);
    free_session(s);
    ingle_engine_drop(e);
}

/* A call that is under way ends within a step, and the session goes with it. */
void ingle_session_close(ingle_session **session)
{
    if (!session || !*session) return;
    ingle_session *s = *session;
    ingle_engine *e = s->engine;
    *session = NULL;
    ingle_engine_lock(e);
    s->closed = true;
    s->task.cancelled = true;
    for (ingle_request *r = s->request; r; r = r->next_choice) r->session->task.cancelled = true;
    ingle_queue_sweep(e, ingle_now());
    ingle_queue_changed(e);
    ingle_engine_unlock(e);
    ingle_session_drop(s);
}

ingle_status ingle_session_fork(ingle_session **out, ingle_session *s, size_t n, ingle_error *err)
{
    ingle_session *fork = NULL;
    if (!out) return ingle_fail(err, INGLE_EINVAL, "ingle_session_fork: out is NULL");
    *out = NULL;
    ingle_status st = ingle_session_enter(s, err);
    if (st) return st;
    if (n > s->n) st = ingle_fail(err, INGLE_EINVAL, "cannot fork %zu tokens of %zu", n, s->n);
    if (!st) st = ingle_session_open(&fork, s->engine, err);
    if (!st && !ingle_grow(&fork->marks, &fork->marks_cap, s->n_marks, sizeof *s->marks)) {
        ingle_session_close(&fork);
        st = ingle_fail(err, INGLE_ENOMEM, "no memory for %zu ends of messages", s->n_marks);
    }
    if (!st) {
        ingle_engine_lock(s->engine);
        while (fork->n_marks < s->n_marks && s->marks[fork->n_marks] <= n) {
            fork->marks[fork->n_marks] = s->marks[fork->n_marks];
            fork->n_marks++;
        }
        ingle_sequence_share(fork, s, n);
        ingle_engine_unlock(s->engine);
    }
    ingle_session_leave(s);
    *out = fork;
    return st;
}

/* ---- whose it is ---- */

ingle_status ingle_session_enter(ingle_session *s, ingle_error *err)
{
    if (!s) return ingle_fail(err, INGLE_ECLOSED, "the session is closed");
    if (atomic_flag_test_and_set(&s->busy))
        return ingle_fail(err, INGLE_EBUSY, "another caller is using this session");
    ingle_session_retain(s);
    ingle_engine_lock(s->engine);
    ingle_status st = ingle_engine_usable(s->engine, NULL);
    if (st == INGLE_ECLOSED) ingle_fail(err, st, "the session's engine is closed");
    else if (st) ingle_engine_usable(s->engine, err);
    if (!st && s->closed) st = ingle_fail(err, INGLE_ECLOSED, "the session is closed");
    ingle_engine_unlock(s->engine);
    if (st) ingle_session_leave(s);
    return st;
}

void ingle_session_leave(ingle_session *s)
{
    atomic_flag_clear(&s->busy);
    ingle_session_drop(s);
}

ingle_status ingle_session_ask(const ingle_session *s, ingle_error *err)
{
    return ingle_session_enter((ingle_session *)s, err); /* no session is a const object */
}

void ingle_session_asked(const ingle_session *s)
{
    ingle_session_leave((ingle_session *)s);
}

/* ---- tasks ---- */

ingle_status ingle_session_check(const ingle_session *s, const int32_t *tokens, size_t n,
                                 ingle_error *err)
{
    if (n > (size_t)s->engine->opt.n_ctx - s->n)
        return ingle_fail(err, INGLE_EFULL,
                          "%zu tokens do not fit: the session holds %zu of at most %d", n, s->n,
                          s->engine->opt.n_ctx);
    return ingle_session_check_tokens(s, tokens, n, err);
}

ingle_status ingle_session_check_tokens(const ingle_session *s, const int32_t *tokens, size_t n,
                                        ingle_error *err)
{
    const ingle_engine *e = s->engine;
    if (n && !tokens) return ingle_fail(err, INGLE_EINVAL, "the tokens are NULL");
    for (size_t i = 0; i < n; i++)
        if (tokens[i] < 0 || tokens[i] >= e->model->n_vocab)
            return ingle_fail(err, INGLE_EINVAL, "token %zu is %d, should be 0 to %d", i, tokens[i],
                              e->model->n_vocab - 1);
    return INGLE_OK;
}

ingle_status ingle_session_check_logits(const ingle_session *s, ingle_error *err)
{
    const ingle_model *m = s->engine->model;
    if (ingle_model_has_logits(m)) return INGLE_OK;
    return ingle_fail(
        err, INGLE_EUNSUPPORTED, "a model of family '%s' %s %s texts; it does not go on from them",
        m->family->name,
        m->hp.causal ? "with a classifier in place of a head" : "that reads in both directions",
        m->program.plan.n_rank ? "ranks" : "embeds");
}

void ingle_session_lag(ingle_session *s)
{
    if (s->n && s->n_live == s->n) ingle_sequence_cut(s, s->n, s->n - 1);
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

static ingle_status prepare_eval(ingle_session *s, const int32_t *tokens, size_t n, ingle_rows rows,
                                 ingle_error *err)
{
    size_t n_rows = rows == INGLE_ROWS_ALL ? n : rows == INGLE_ROWS_LAST ? 1 : 0;
    float *fresh;
    if (!n && (rows != INGLE_ROWS_LAST || !s->n))
        return ingle_fail(err, INGLE_EINVAL, "no tokens to evaluate");
    ingle_status st = ingle_session_check_logits(s, err);
    if (!st) st = ingle_session_check(s, tokens, n, err);
    if (!st) st = reserve_rows(s, n_rows, &fresh, err);
    if (st) return st;
    ingle_engine_lock(s->engine);
    ingle_task_prepare(s, INGLE_TASK_EVAL, tokens, n);
    s->task.rows = rows;
    s->task.n_rows = n_rows;
    s->task.fresh = fresh;
    s->task.prepared = true;
    ingle_engine_unlock(s->engine);
    return INGLE_OK;
}

/* ---- calls over several sessions ---- */

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

/* The lock is held. */
static void submit(ingle_session *s)
{
    ingle_task *t = &s->task;
    if (t->fresh) {
        s->engine->ops->rows_free(s->engine->backend, s->logits);
        s->logits = t->fresh;
        s->rows_cap = t->n_rows;
        t->fresh = NULL;
    }
    if (t->n_rows) s->n_rows = 0; /* they are written over */
    if (t->n_end == t->before) ingle_session_lag(s);
    ingle_task_queue(s);
}

static bool is_done(void *user)
{
    const ingle_session *s = user;
    return s->task.state == INGLE_TASK_DONE;
}

/* All tasks are queued before the first step, so they share it. */
ingle_status ingle_call_run(ingle_call *call, ingle_error *err)
{
    ingle_engine *e = call->first->engine;
    ingle_status st = INGLE_OK;
    ingle_engine_lock(e);
    call->first->task.heads = true;
    for (ingle_session *s = call->first; s; s = s->beside) submit(s);
    for (ingle_session *s = call->first; s; s = s->beside) {
        ingle_wheel_part(e, s, is_done, s, INFINITY);
        if (s->task.status && err) *err = s->task.error;
        if (s->task.status) st = s->task.status;
    }
    ingle_engine_unlock(e);
    return st;
}

/* A prepared task's end, also of one that was never queued; the lock is held. */
static void settle(ingle_session *s, ingle_status st)
{
    ingle_task *t = &s->task;
    const ingle_engine *e = s->engine;
    bool embeds = t->kind == INGLE_TASK_EMBED;
    if (!st && embeds) {
        free(s->vectors);
        s->vectors = t->embed.fresh;
        s->n_vectors = t->embed.n_vectors;
        s->n_vector = t->embed.n_vector;
        t->embed.fresh = NULL;
    }
    free(t->embed.fresh);
    e->ops->rows_free(e->backend, t->fresh);
    t->fresh = t->embed.fresh = NULL;
    t->prepared = false;
    t->state = INGLE_TASK_NONE;
    if (st && !embeds && s->n > t->before)
        ingle_sequence_cut(s, t->before, s->n_live < t->before ? s->n_live : t->before);
    else if (!st && !embeds) s->n_rows = t->n_rows;
    assert(ingle_session_is_sound(s));
}

void ingle_call_end(ingle_call *call, ingle_status st)
{
    for (ingle_session *s = call->first, *next; s; s = next) {
        next = s->beside; /* whoever enters s next may change it */
        ingle_engine_lock(s->engine);
        if (s->task.prepared) settle(s, st);
        ingle_engine_unlock(s->engine);
        ingle_session_leave(s);
    }
    *call = (ingle_call){0};
}

static ingle_status check_rows(ingle_rows rows, ingle_error *err)
{
    if ((unsigned)rows <= INGLE_ROWS_NONE) return INGLE_OK;
    return ingle_fail(err, INGLE_EINVAL, "rows is %d, should be 0 to 2", rows);
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
    for (size_t i = 0; !st && i < n; i++)
        st = prepare_eval(evals[i].session, evals[i].tokens, evals[i].n, evals[i].rows, err);
    if (!st) st = ingle_call_run(&call, err);
    ingle_call_end(&call, st);
    return st;
}

ingle_status ingle_session_eval(ingle_session *s, const int32_t *tokens, size_t n, ingle_rows rows,
                                ingle_error *err)
{
    const ingle_eval eval = {.session = s, .tokens = tokens, .n = n, .rows = rows};
    return ingle_sessions_eval(&eval, 1, err);
}

/* ---- questions ---- */

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
    ingle_engine_lock(s->engine);
    if (n > s->n) st = ingle_fail(err, INGLE_EINVAL, "cannot keep %zu tokens of %zu", n, s->n);
    else {
        if (n != s->n) s->n_rows = 0; /* the logits are of positions that are gone */
        if (!n) s->salt = 0, s->shares = s->engine->shares;
        ingle_sequence_cut(s, n, n < s->n_live ? n : s->n_live);
    }
    ingle_engine_unlock(s->engine);
    ingle_session_leave(s);
    return st;
}
