/* queue.c - tasks: which of them run, what they may take from the pools, and how they end. All with
 * the lock held.
 *
 * A task is admitted when the state stays safe: an order exists in which every task that runs can
 * come to its worst case with what is free and what those before it give back. Free is also what
 * sessions hold whose task does not run: they keep their tokens, and what they lose is computed
 * again. So a task that runs is never thrown out: it takes a page when that is safe, and waits for
 * one otherwise. */
#include "engine/request.h"

#include <assert.h>
#include <math.h>

/* ---- lists ---- */

static void unlink_idle(ingle_session *s)
{
    ingle_engine *e = s->engine;
    *(s->previous ? &s->previous->next : &e->idle_first) = s->next;
    *(s->next ? &s->next->previous : &e->idle_last) = s->previous;
}

/* The session was used just now. */
static void touch(ingle_session *s)
{
    ingle_engine *e = s->engine;
    unlink_idle(s);
    s->next = NULL;
    s->previous = e->idle_last;
    *(e->idle_last ? &e->idle_last->next : &e->idle_first) = s;
    e->idle_last = s;
}

static void unlink_task(ingle_session *s)
{
    ingle_engine *e = s->engine;
    *(s->task_previous ? &s->task_previous->task_next : &e->task_first) = s->task_next;
    *(s->task_next ? &s->task_next->task_previous : &e->task_last) = s->task_previous;
    s->task_next = s->task_previous = NULL;
}

void ingle_queue_changed(ingle_engine *e)
{
    e->stuck = false;
    ingle_wheel_call(&e->wheel);
}

void ingle_task_queue(ingle_session *s)
{
    ingle_engine *e = s->engine;
    assert(s->task.state == INGLE_TASK_NONE && !s->task.frozen);
    s->task.state = INGLE_TASK_QUEUED;
    s->task.arrived = ingle_now();
    s->task_previous = e->task_last;
    *(e->task_last ? &e->task_last->task_next : &e->task_first) = s;
    e->task_last = s;
    e->n_queued++;
    assert(ingle_session_is_sound(s));
    ingle_queue_changed(e);
}

/* ---- announcing events ---- */

void ingle_queue_note_ready(ingle_request *r)
{
    ingle_engine *e = r->session->engine;
    if (!r->opt.on_ready || r->calls_ready) return;
    r->calls_ready = true;
    r->next_ready = e->ready;
    e->ready = r;
}

void ingle_queue_announce(ingle_engine *e)
{
    while (e->ready) {
        ingle_request *r = e->ready;
        e->ready = r->next_ready;
        pthread_mutex_unlock(&e->lock);
        r->opt.on_ready(r->opt.user);
        pthread_mutex_lock(&e->lock);
        r->calls_ready = false;
        ingle_wheel_tell(&e->wheel, r->session);
    }
}

/* ---- the end of a task ---- */

/* Tokens that a generation leaves: its prompt, as far as it was computed, and what it returned. */
static size_t tokens_left(const ingle_session *s)
{
    const ingle_task *t = &s->task;
    size_t prompt = t->first + t->request->n_prompt;
    if (s->n_live < prompt) return s->n_live > t->before ? s->n_live : t->before;
    return prompt + t->request->flow.n_returned;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void end_request(ingle_session *s, ingle_status st, const ingle_error *error)
{
    ingle_request *r = s->task.request;
    ingle_engine *e = s->engine;
    size_t n = st ? s->task.before : tokens_left(s);
    if (n != s->task.before) s->n_rows = 0; /* they are of a token that is the last no more */
    ingle_sequence_cut(s, n, least(n, s->n_live));
    r->ended = true;
    r->end_status = st;
    if (st) r->end_error = *error;
    else r->usage.n_generated = r->flow.n_returned;
    double now = ingle_now();
    if (!s->task.started) r->usage.queue_s = now - s->task.arrived;
    if (r->first_at) r->usage.decode_s = now - r->first_at;
    else if (s->task.started) r->usage.prompt_s = now - s->task.started;
    if (!st) ingle_ring_last(r)->usage = r->usage;
    r->ring.n_shown = r->ring.n_made;
    e->n_requests--;
    s->task.state = INGLE_TASK_NONE;
}

void ingle_task_end(ingle_session *s, ingle_status st, const ingle_error *error)
{
    ingle_engine *e = s->engine;
    ingle_task *t = &s->task;
    assert(!t->frozen && (t->state == INGLE_TASK_QUEUED || t->state == INGLE_TASK_RUNS));
    if (t->state == INGLE_TASK_QUEUED) e->n_queued--;
    else e->n_running--;
    unlink_task(s);
    touch(s);
    t->status = st;
    if (st) t->error = *error;
    t->state = INGLE_TASK_DONE;
    if (t->kind == INGLE_TASK_GENERATE) end_request(s, st, error);
    else if (t->kind == INGLE_TASK_EMBED) ingle_sequence_cut(s, 0, 0);
    else if (st) ingle_sequence_cut(s, t->before, least(t->before, s->n_live));
    assert(ingle_session_is_sound(s));
    ingle_wheel_tell(&e->wheel, s);
    e->stuck = false; /* what it held may be had */
}

static void finish_early(ingle_session *s, ingle_finish finish)
{
    ingle_error error;
    ingle_request *r = s->task.request;
    ingle_turn_finish(r, finish);
    error = r->error;
    ingle_task_end(s, r->status, &error);
    ingle_queue_note_ready(r);
}

static void end_with(ingle_session *s, ingle_status st, const char *text)
{
    ingle_error error;
    ingle_request *r = s->task.kind == INGLE_TASK_GENERATE ? s->task.request : NULL;
    ingle_fail(&error, st, "%s", text);
    ingle_task_end(s, st, &error);
    if (r) ingle_queue_note_ready(r);
}

/* Whether the task has ended for a reason of its own. */
static void sweep_one(ingle_session *s, double now)
{
    ingle_engine *e = s->engine;
    ingle_task *t = &s->task;
    bool generates = t->kind == INGLE_TASK_GENERATE;
    if (e->closed) end_with(s, INGLE_ECLOSED, "the engine was closed during the call");
    else if (e->lost) end_with(s, INGLE_EDEVICE, e->failure.text);
    else if (t->cancelled && !generates)
        end_with(s, INGLE_ECLOSED, "the session was closed during the call");
    else if (t->cancelled) finish_early(s, INGLE_FINISH_CANCELLED);
    else if (t->state == INGLE_TASK_QUEUED && now >= t->queue_until)
        end_with(s, INGLE_ETIMEOUT,
                 "the request waited longer in the queue than option 'queue_s' "
                 "allows");
    else if (now >= t->run_until) finish_early(s, INGLE_FINISH_TIMEOUT);
}

void ingle_queue_sweep(ingle_engine *e, double now)
{
    for (ingle_session *s = e->task_first, *next; s; s = next) {
        next = s->task_next;
        if (!s->task.frozen) sweep_one(s, now);
    }
}

double ingle_queue_alarm(const ingle_engine *e)
{
    double at = INFINITY;
    for (const ingle_session *s = e->task_first; s; s = s->task_next) {
        if (s->task.state == INGLE_TASK_QUEUED) at = fmin(at, s->task.queue_until);
        at = fmin(at, s->task.run_until);
    }
    return at;
}

/* ---- what may be taken ---- */

/* Whether the session can lose what it holds. */
static bool gives_way(const ingle_session *s)
{
    return s->task.state != INGLE_TASK_RUNS && s->n_live;
}

/* What is free, or can be had from sessions at rest; and what those that run have and may want. */
static void survey(ingle_engine *e, size_t free[INGLE_RESOURCES], size_t *n)
{
    free[0] = e->pool[INGLE_GROUP_ALL].n_free;
    free[1] = e->pool[INGLE_GROUP_WINDOW].n_free;
    free[2] = e->states.n_free;
    free[3] = 0;
    for (const ingle_session *s = e->idle_first; s; s = s->next) {
        if (!gives_way(s)) continue;
        free[0] += s->n_pages;
        free[1] += s->window.n_own;
        free[2] += s->has_states;
    }
    *n = 0;
    for (ingle_session *s = e->task_first; s; s = s->task_next) {
        if (s->task.state != INGLE_TASK_RUNS) continue;
        ingle_sequence_claim(s, s->task.worst, &e->claims[*n]);
        e->claiming[(*n)++] = s;
    }
}

/* The longest idle session loses what the backend holds of it. */
static bool relax(ingle_engine *e)
{
    ingle_session *s = e->idle_first;
    while (s && !gives_way(s)) s = s->next;
    if (!s) return false;
    ingle_sequence_cut(s, s->n, 0);
    e->stats.n_relaxed++;
    return true;
}

bool ingle_queue_take(ingle_session *s, size_t end)
{
    ingle_engine *e = s->engine;
    ingle_claim want;
    size_t free[INGLE_RESOURCES], n, i = 0;
    ingle_sequence_claim(s, end, &want);
    if (!want.may[0] && !want.may[1] && !want.may[2]) return true;
    survey(e, free, &n);
    while (e->claiming[i] != s) i++;
    if (!ingle_may_take(e->claims, n, i, free, want.may)) return false;
    while (!ingle_sequence_reserve(s, end))
        if (!relax(e)) return false; /* never: a safe state has it */
    return true;
}

/* ---- admission ---- */

/* Who comes next: of the highest class, those that waited longest. */
static ingle_session *next_in_line(const ingle_engine *e, double now)
{
    ingle_session *best = NULL;
    int best_class = 0;
    for (ingle_session *s = e->task_first; s; s = s->task_next) {
        if (s->task.state != INGLE_TASK_QUEUED) continue;
        int class = ingle_class_at((int)s->task.class, s->task.arrived, now);
        if (best && class <= best_class) continue;
        best = s;
        best_class = class;
    }
    return best;
}

/* It runs from now on. Where its own pages stand in the way of others it gives them up: then it
 * can always run. */
static void admit(ingle_session *s, double now)
{
    ingle_engine *e = s->engine;
    size_t free[INGLE_RESOURCES], n;
    s->task.state = INGLE_TASK_RUNS;
    e->n_queued--;
    e->n_running++;
    s->task.started = now;
    survey(e, free, &n);
    if (!ingle_is_safe(e->claims, n, free)) ingle_sequence_cut(s, s->n, 0);
    if (s->task.n_end - s->n_live > 1) ingle_window_begin(&s->window, s->task.first);
}

void ingle_queue_admit(ingle_engine *e, double now)
{
    ingle_session *s;
    while (e->n_running < (size_t)e->opt.n_parallel && (s = next_in_line(e, now))) admit(s, now);
}
