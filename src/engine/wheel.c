/* wheel.c - the waiting of blocking calls: they share the work of stepping. With one thread there
 * is no change of context at all; a thread given to the engine steps for everybody. */
#define _GNU_SOURCE /* pthread_condattr_setclock() */
#include "engine/request.h"

#include <assert.h>
#include <math.h>
#include <time.h>

static void join(ingle_engine *e, ingle_waiter *w, const void *about, bool steps)
{
    pthread_condattr_t attr;
    ingle_wheel *wheel = &e->wheel;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    *w = (ingle_waiter){.before = wheel->last, .about = about, .steps = steps};
    pthread_cond_init(&w->cond, &attr);
    pthread_condattr_destroy(&attr);
    *(wheel->last ? &wheel->last->next : &wheel->first) = w;
    wheel->last = w;
}

static void leave(ingle_engine *e, ingle_waiter *w)
{
    ingle_wheel *wheel = &e->wheel;
    *(w->before ? &w->before->next : &wheel->first) = w->next;
    *(w->next ? &w->next->before : &wheel->last) = w->before;
    pthread_cond_destroy(&w->cond);
}

/* Passes on what may have been meant for somebody who leaves: those who wait for a wheel at rest
 * come first. */
static void pass_on(ingle_engine *e)
{
    if (e->wheel.taken) return;
    for (ingle_waiter *w = e->wheel.first; w; w = w->next)
        if (!w->steps) {
            ingle_waiter_signal(w);
            return;
        }
    if (ingle_engine_has_work(e)) ingle_wheel_call(&e->wheel);
}

static void sleep_until(ingle_engine *e, ingle_waiter *w, double until)
{
    struct timespec at = {0, 0};
    w->signalled = false;
    assert(e->wheel.taken || !ingle_engine_has_work(e) || ingle_wheel_is_promised(&e->wheel));
    if (until > 1e15) {
        pthread_cond_wait(&w->cond, &e->lock);
        w->signalled = false;
        return;
    }
    at.tv_sec = (time_t)until;
    at.tv_nsec = (long)((until - floor(until)) * 1e9);
    pthread_cond_timedwait(&w->cond, &e->lock, &at);
    w->signalled = false;
}

static bool may_step(const ingle_engine *e, const ingle_waiter *w)
{
    const ingle_wheel *wheel = &e->wheel;
    return !wheel->taken && !wheel->n_resting && (!wheel->server || wheel->server == w) &&
           ingle_engine_has_work(e);
}

static size_t count_loops(const ingle_engine *e)
{
    size_t n = 0;
    for (const ingle_session *s = e->task_first; s; s = s->task_next) n += ingle_task_loops(s);
    return n;
}

/* Callers with loops of their own, which shared the last step, come back one by one. Whoever steps
 * waits for those that are missing, at most 3 % of what the last step took. */
static void gather(ingle_engine *e, ingle_waiter *w)
{
    double until = e->ended + 0.03 * e->took;
    while (count_loops(e) < e->n_loops && !e->closed && ingle_now() < until) {
        e->wheel.gathers = w;
        sleep_until(e, w, until);
        e->wheel.gathers = NULL;
    }
}

static void step(ingle_engine *e, ingle_waiter *self)
{
    e->wheel.taken = true;
    if (e->n_loops) gather(e, self);
    ingle_engine_step_once(e);
    e->wheel.taken = false;
    for (ingle_waiter *w = e->wheel.n_resting ? e->wheel.first : NULL; w; w = w->next)
        if (!w->steps) {
            ingle_waiter_signal(w);
            return;
        }
}

static double alarm_of_task(const ingle_task *t)
{
    if (t->state == INGLE_TASK_NONE || t->state == INGLE_TASK_DONE) return INFINITY;
    return t->started ? t->run_until : fmin(t->queue_until, t->run_until);
}

/* When the task of a waiter ends by itself, or that of a choice. */
static double alarm_of(const ingle_session *s)
{
    if (!s) return INFINITY;
    double at = alarm_of_task(&s->task);
    const ingle_request *r = s->request ? s->request->next_choice : NULL;
    for (; r; r = r->next_choice) at = fmin(at, alarm_of_task(&r->session->task));
    return at;
}

bool ingle_wheel_part(ingle_engine *e, ingle_session *s, bool (*done)(void *user), void *user,
                      double until)
{
    ingle_waiter w;
    bool in_time = true;
    if (done(user)) return true;
    join(e, &w, s, true);
    while (!done(user)) {
        if (may_step(e, &w)) {
            step(e, &w);
            ingle_waiter_signal(e->wheel.server); /* one that came meanwhile: it sees to alarms */
            if (done(user)) break;
            if (ingle_now() < until) continue;
            in_time = false; /* however much work others have */
            break;
        }
        double now = ingle_now(), alarm = alarm_of(s);
        /* what is frozen ends with its step, which says so */
        if (now >= alarm && ingle_queue_sweep(e, now)) {
            ingle_queue_announce(e);
            continue;
        }
        if (now >= until) {
            in_time = false;
            break;
        }
        pass_on(e);
        sleep_until(e, &w, fmin(until, now >= alarm ? INFINITY : alarm));
    }
    leave(e, &w);
    pass_on(e);
    return in_time;
}

/* ---- the lock ---- */

void ingle_engine_lock(ingle_engine *e)
{
    pthread_mutex_lock(&e->lock);
}

void ingle_engine_unlock(ingle_engine *e)
{
    ingle_queue_announce(e);
    assert(e->wheel.taken || !ingle_engine_has_work(e) || ingle_wheel_is_promised(&e->wheel));
    pthread_mutex_unlock(&e->lock);
}

/* ---- a thread of the engine's own ---- */

void ingle_wheel_serve(ingle_engine *e)
{
    ingle_waiter w;
    join(e, &w, NULL, true);
    e->wheel.server = &w;
    while (!e->closed) {
        if (may_step(e, &w)) {
            step(e, &w);
            continue;
        }
        double now = ingle_now(), alarm = ingle_queue_alarm(e);
        bool free = !e->wheel.taken && !e->wheel.n_resting; /* else it will be called */
        if (free && now >= alarm) e->stuck = false;         /* the next step ends what is due */
        else sleep_until(e, &w, free ? alarm : INFINITY);
    }
    e->wheel.server = NULL;
    leave(e, &w);
    pass_on(e);
}

/* ---- the wheel at rest ---- */

void ingle_wheel_take(ingle_engine *e)
{
    ingle_waiter w;
    if (e->wheel.taken) {
        join(e, &w, NULL, false);
        e->wheel.n_resting++;
        while (e->wheel.taken) sleep_until(e, &w, INFINITY);
        e->wheel.n_resting--;
        leave(e, &w);
    }
    e->wheel.taken = true;
}

void ingle_wheel_put(ingle_engine *e)
{
    e->wheel.taken = false;
    ingle_waiter_signal(e->wheel.server);
    pass_on(e);
}
