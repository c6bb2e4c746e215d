#include "prep.h"

#include "base/mem.h"

#include <pthread.h>

enum { MOST_THREADS = 8 };

struct prep {
    pthread_mutex_t lock;
    pthread_cond_t come;
    prep_task *first, **last;
    bool closing;
    pthread_t threads[MOST_THREADS];
    int n_threads;
};

static void *work(void *user)
{
    prep *p = user;
    pthread_mutex_lock(&p->lock);
    for (;;) {
        while (!p->first && !p->closing) pthread_cond_wait(&p->come, &p->lock);
        prep_task *task = p->first;
        if (!task) break;
        p->first = task->next;
        if (!p->first) p->last = &p->first;
        pthread_mutex_unlock(&p->lock);
        task->work(task);
        pthread_mutex_lock(&p->lock);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

ingle_status prep_open(prep **out, int n_threads, ingle_error *err)
{
    prep *p = *out = ingle_new(1, sizeof *p);
    if (!p) return ingle_fail(err, INGLE_ENOMEM, "no memory for the server");
    if (n_threads > MOST_THREADS) n_threads = MOST_THREADS;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->come, NULL);
    p->last = &p->first;
    while (p->n_threads < n_threads && !pthread_create(&p->threads[p->n_threads], NULL, work, p))
        p->n_threads++;
    if (p->n_threads == n_threads) return INGLE_OK;
    prep_close(out);
    return ingle_fail(err, INGLE_EIO, "the system starts no more threads");
}

void prep_add(prep *p, prep_task *task)
{
    task->next = NULL;
    pthread_mutex_lock(&p->lock);
    *p->last = task;
    p->last = &task->next;
    pthread_cond_signal(&p->come);
    pthread_mutex_unlock(&p->lock);
}

void prep_close(prep **out)
{
    prep *p = *out;
    if (!p) return;
    pthread_mutex_lock(&p->lock);
    p->closing = true;
    pthread_cond_broadcast(&p->come);
    pthread_mutex_unlock(&p->lock);
    for (int i = 0; i < p->n_threads; i++) pthread_join(p->threads[i], NULL);
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->come);
    free(p);
    *out = NULL;
}
