/* engine.h - the engine from inside: sessions, their jobs, and the one lock over both.
 * Owns       the backend, the page pools, the batch arrays.
 * Depends on backend/backend.h, sample/sample.h, text/text.h.
 * Invariant  of a session: tokens held == positions filled (but what n_live says), at every moment
 *            the lock is free; it has the pages and states of the tokens it holds, and during a job
 *            those of all the job's tokens. Of a batch: no session is in it twice (sound.c).
 *
 * Everything below is guarded by engine->lock, but the backend runs without it: while `driving`,
 * its inputs are left alone. Each file calls only those before it: pages.c, slots.c, states.c,
 * window.c, sound.c, step.c (the queue, and one batch of it), engine.c (opens, closes, answers
 * questions), session.c (timelines), embed.c (texts to vectors), generate.c (the blocking
 * generation), warm_up.c, profile.c, breakers.c. */
#ifndef INGLE_ENGINE_ENGINE_H
#define INGLE_ENGINE_ENGINE_H

#include <pthread.h>
#include <stdatomic.h>

#include "backend/backend.h"
#include "model/model.h"
#include "engine/pages.h"
#include "engine/slots.h"
#include "engine/states.h"
#include "engine/window.h"

/* Tokens a session wants computed. */
typedef struct ingle_job {
    const int32_t *tokens;
    size_t n, done, chunk; /* chunk: how many of them the running batch holds */
    size_t lag;            /* tokens before them that it computes again */
    ingle_rows rows;
    size_t n_rows, before; /* rows of logits it will leave; positions filled before it */
    float *fresh; /* a larger array for the logits, until the job is queued; the vectors of a text,
                   * after them [n_embd] for sums, until its call has succeeded */
    size_t n_vectors, n_vector;
    size_t n_first;        /* tokens of the first segment; 0: all */
    ingle_pooling pooling; /* not AUTO: a text to embed */
    uint32_t *to_clear;    /* pages that were somebody's before, until its first step clears them */
    size_t n_to_clear;
    bool prepared, queued;
    ingle_status status; /* of the step that failed */
    ingle_error error;
} ingle_job;

struct ingle_session {
    ingle_engine *engine;
    ingle_session *next;   /* in the engine's queue */
    ingle_session *beside; /* in the same call */
    atomic_flag busy;
    int32_t *tokens; /* [n_ctx] */
    size_t n;
    uint32_t *pages; /* [n_ctx / 32] */
    size_t n_pages;
    ingle_window window; /* of windowed layers */
    /* Positions that what the backend holds covers: n of them, or fewer after a step that failed,
     * and where layers are recurrent or windowed after a session was cut back. The tokens between
     * are computed again with the next job. */
    size_t n_live;
    bool spoilt; /* a step of it failed: its pages may hold anything until they are cleared */
    bool has_states;
    uint32_t states_id; /* from the engine's pool */
    ingle_states states;
    ingle_job job;
    float *logits; /* [rows_cap][n_vocab] */
    size_t n_rows, rows_cap;
    float *vectors; /* [n_vectors][n_vector] of the last text embedded */
    size_t n_vectors, n_vector;
};

struct ingle_engine {
    atomic_size_t refs; /* the user's handle and every session */
    ingle_model *model;
    ingle_backend *backend;
    const ingle_backend_ops *ops;
    ingle_engine_options opt; /* as chosen */
    bool n_ctx_defaulted;

    pthread_mutex_t lock;
    pthread_cond_t changed; /* a step ended, or the engine closed */
    bool driving, closed;
    bool lost;            /* the backend failed for good */
    ingle_error failure;  /* how */
    ingle_session *queue; /* sessions with a job, first come first served */
    ingle_pages pool[INGLE_GROUPS];
    bool recurrent;
    ingle_pages states; /* as many as n_sessions, each INGLE_STATE_SLOTS slots */

    /* the batch */
    int32_t *tokens;
    ingle_batch_seq *seqs;
    ingle_session **members; /* [n_sessions] */
    ingle_batch_row *rows;
    ingle_slots slots;
    uint32_t *clear[INGLE_GROUPS]; /* [n_pages of the pool] */
    size_t n_clear[INGLE_GROUPS];
    ingle_batch_text *texts; /* [n_sessions] */
};

void ingle_engine_drop(ingle_engine *e); /* one owner less */

/* Marks the session as in use by this caller; EBUSY if it already is, ECLOSED if it or its engine
 * is closed. */
ingle_status ingle_session_enter(ingle_session *s, ingle_error *err);
void ingle_session_leave(ingle_session *s);

/* The same around a question about results: they are not there for the asking while a call is
 * making them, nor once the engine is closed, whose closing may have ended a call half-way. */
ingle_status ingle_session_ask(const ingle_session *s, ingle_error *err);
void ingle_session_asked(const ingle_session *s);

/* For a caller that has entered: compute, and forget positions from n on. */
ingle_status ingle_session_compute(ingle_session *s, const int32_t *tokens, size_t n,
                                   ingle_rows rows, ingle_error *err);
void ingle_session_rewind(ingle_session *s, size_t n);

/* Takes everything that computing needs; nothing of the session has changed. */
ingle_status ingle_job_prepare(ingle_session *s, const int32_t *tokens, size_t n, ingle_rows rows,
                               ingle_error *err);

/* A call over sessions of one engine. They enter, each is prepared, all run in the same steps; at
 * the end each holds what its job made, or after a failure, wherever it was, what it held
 * before. */
typedef struct ingle_call {
    ingle_session *first, *last;
    size_t n;
} ingle_call;

ingle_status ingle_call_enter(ingle_call *call, ingle_session *s, ingle_error *err);
ingle_status ingle_call_run(ingle_call *call, ingle_error *err);
void ingle_call_end(ingle_call *call, ingle_status st);

/* sound.c, for builds with assertions: what is said above of a session that no step is computing;
 * of a batch that is about to run. */
bool ingle_session_is_sound(const ingle_session *s);
bool ingle_batch_is_sound(const ingle_engine *e, const ingle_batch *batch);

/* step.c, with the lock held. A session's job goes to the end of the queue; a job leaves the
 * queue. */
void ingle_engine_enqueue(ingle_engine *e, ingle_session *s);
void ingle_engine_unqueue(ingle_engine *e, ingle_session *s);
/* Runs one batch if there is work; returns tokens computed. Lets the lock go while the backend
 * runs. */
size_t ingle_engine_drive(ingle_engine *e);
/* With the lock held: the backend has answered so; with INGLE_EDEVICE it has failed for good. */
void ingle_engine_note_loss(ingle_engine *e, ingle_status st, const ingle_error *error);
/* INGLE_EDEVICE if the backend failed for good. */
ingle_status ingle_engine_lost(const ingle_engine *e, ingle_error *err);

#endif
