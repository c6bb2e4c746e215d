#include "engine/turns.h"

#include "base/mem.h"
#include "base/status.h"

#include <pthread.h>

/* Somebody who waits, on the stack of the call. */
typedef struct place {
    struct place *next;
} place;

struct ingle_turns {
    atomic_size_t refs;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    const void *holder; /* who has the turn; NULL: nobody */
    place *first;       /* of those who wait */
};

ingle_status ingle_turns_open(ingle_turns **out, ingle_error *err)
{
    if (!out) return ingle_fail(err, INGLE_EINVAL, "ingle_turns_open: out is NULL");
    ingle_turns *t = *out = ingle_new(1, sizeof *t);
    if (!t) return ingle_fail(err, INGLE_ENOMEM, "no memory for a turnstile");
    atomic_init(&t->refs, 1);
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->changed, NULL);
    return INGLE_OK;
}

void ingle_turns_retain(ingle_turns *t)
{
    if (t) atomic_fetch_add(&t->refs, 1);
}

void ingle_turns_drop(ingle_turns *t)
{
    if (!t || atomic_fetch_sub(&t->refs, 1) != 1) return;
    pthread_cond_destroy(&t->changed);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

void ingle_turns_close(ingle_turns **turns)
{
    if (!turns) return;
    ingle_turns_drop(*turns);
    *turns = NULL;
}

static void join_queue(ingle_turns *t, place *p)
{
    place **at = &t->first;
    while (*at) at = &(*at)->next;
    *at = p;
}

static void leave_queue(ingle_turns *t, const place *p)
{
    place **at = &t->first;
    while (*at != p) at = &(*at)->next;
    *at = p->next;
}

void ingle_turns_take(ingle_turns *t, const void *who, const atomic_bool *off)
{
    place p = {NULL};
    if (!t) return;
    pthread_mutex_lock(&t->lock);
    join_queue(t, &p);
    while (!atomic_load(off) && (t->holder || t->first != &p))
        pthread_cond_wait(&t->changed, &t->lock);
    leave_queue(t, &p);
    if (!t->holder) t->holder = who;
    pthread_cond_broadcast(&t->changed);
    pthread_mutex_unlock(&t->lock);
}

void ingle_turns_give(ingle_turns *t, const void *who)
{
    if (!t) return;
    pthread_mutex_lock(&t->lock);
    if (t->holder == who) {
        t->holder = NULL;
        pthread_cond_broadcast(&t->changed);
    }
    pthread_mutex_unlock(&t->lock);
}

void ingle_turns_call_off(ingle_turns *t)
{
    if (!t) return;
    pthread_mutex_lock(&t->lock);
    pthread_cond_broadcast(&t->changed);
    pthread_mutex_unlock(&t->lock);
}

bool ingle_turns_others_wait(ingle_turns *t)
{
    if (!t) return false;
    pthread_mutex_lock(&t->lock);
    bool some = t->first != NULL;
    pthread_mutex_unlock(&t->lock);
    return some;
}
