/* wheel.h - who steps and who waits. One caller at a time has the wheel and steps; every other
 * blocking call waits on a condition of its own until its answer is there, or until the wheel is
 * free and there is work.
 * Owns       the list of waiters; a waiter lives on the stack of its call.
 * Depends on pthreads. step.c says whether there is work and does it.
 * Invariant  whenever the engine's lock is free: the wheel is taken, or there is no work, or nobody
 *            waits who may step, or one of those was signalled and has not run yet. So no wake-up
 *            is lost. Whoever adds work, puts the wheel down or leaves restores it. */
#ifndef INGLE_ENGINE_WHEEL_H
#define INGLE_ENGINE_WHEEL_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct ingle_waiter {
    pthread_cond_t cond; /* of the monotonic clock */
    struct ingle_waiter *next, *before;
    const void *about; /* the session whose task is waited for; NULL: none */
    bool steps;        /* it may step */
    bool signalled;    /* and has not run since */
} ingle_waiter;

typedef struct ingle_wheel {
    bool taken;
    ingle_waiter *first, *last; /* in the order they came */
    ingle_waiter *server;       /* the thread that was given to the engine; NULL: none */
    ingle_waiter *gathers;      /* who has taken it, and waits for more tasks; NULL: nobody */
    size_t n_resting;           /* waiters for a wheel at rest, who come before those that step */
} ingle_wheel;

static inline void ingle_waiter_signal(ingle_waiter *w)
{
    if (!w) return;
    w->signalled = true;
    pthread_cond_signal(&w->cond);
}

/* Something has become of the session's task. */
static inline void ingle_wheel_tell(ingle_wheel *wheel, const void *about)
{
    for (ingle_waiter *w = wheel->first; w; w = w->next)
        if (w->about == about) ingle_waiter_signal(w);
}

/* Whether somebody was signalled and will see to the wheel, or nobody waits who could. */
static inline bool ingle_wheel_is_promised(const ingle_wheel *wheel)
{
    bool some = false;
    for (const ingle_waiter *w = wheel->first; w; w = w->next) {
        if (w->signalled) return true;
        some = some || (w->steps && (!wheel->server || w == wheel->server));
    }
    return !some;
}

/* There is work and the wheel is free: somebody shall know. The server, if there is one, else who
 * has waited longest. */
static inline void ingle_wheel_call(ingle_wheel *wheel)
{
    if (wheel->taken || ingle_wheel_is_promised(wheel)) return;
    ingle_waiter *w = wheel->server;
    for (ingle_waiter *i = wheel->first; i && !w; i = i->next)
        if (i->steps) w = i;
    ingle_waiter_signal(w);
}

#endif
