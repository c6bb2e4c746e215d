/* engine.h - the engine from inside: sessions, their tasks, and the one lock over both.
 * Owns       the backend, the page pools, the batch arrays.
 * Depends on backend/backend.h, sample/sample.h, text/text.h.
 * Invariant  of a session that no step is computing: n_live <= n <= n_ctx; tokens held == positions
 *            filled, but for those from n_live on, which are computed again with its next task; it
 *            has the pages and states of n_live positions. Of a batch: no session is in it twice
 *            (sound.c).
 *
 * Everything below is guarded by engine->lock, which is never held while computing, calling back
 * or taking another lock. The backend runs without it: while the wheel is taken, tasks that are
 * frozen are left alone. Each file calls only those before it: pages.c, slots.c, states.c,
 * window.c, prefix.c, cost.c, schedule.c, admit.c, turns.c, sound.c, sequence.c (what a session holds),
 * turn.c (a row of logits to an event), overflow.c (prompts that do not fit), queue.c (tasks: who runs, who waits, ends), step.c (one
 * batch), wheel.c (who steps), engine.c (opens, closes, answers questions), session.c, embed.c,
 * score.c, thinking.c, request_options.c, request.c, generate.c, warm_up.c, profile.c, stats.c, breakers.c. */
#ifndef INGLE_ENGINE_ENGINE_H
#define INGLE_ENGINE_ENGINE_H

#include <stdatomic.h>

#include "base/clock.h"
#include "engine/admit.h"
#include "engine/cost.h"
#include "engine/log.h"
#include "engine/pages.h"
#include "engine/prefix.h"
#include "engine/schedule.h"
#include "engine/slots.h"
#include "engine/states.h"
#include "engine/task.h"
#include "engine/wheel.h"
#include "engine/window.h"
#include "model/model.h"
#include "sample/sample.h"

typedef struct ingle_request ingle_request;

struct ingle_session {
    ingle_engine *engine;
    atomic_size_t refs; /* the user's handle, the call or request that uses it */
    atomic_flag busy;
    bool closed;                    /* the user's handle is gone */
    ingle_session *next, *previous; /* of the engine's sessions, the longest idle first */
    ingle_session *beside;          /* in the same call */
    ingle_task task;
    ingle_request *request;                   /* that has taken it */
    ingle_session *task_next, *task_previous; /* of those with a task, as they came */

    int32_t *tokens; /* [n_ctx], after those held the ones a task wants */
    size_t n;
    /* Positions that what the backend holds covers: n of them, or fewer: the last token of an
     * answer was never computed; after a step that failed, after a session was cut back where
     * layers are recurrent or windowed, and when pages went to others. The tokens between are
     * computed with the next task, to the same bits. */
    size_t n_live;
    uint32_t *pages; /* [n_ctx / 32] */
    size_t n_pages;
    ingle_window window; /* of windowed layers */
    ingle_states states; /* of recurrent layers */
    uint32_t node;       /* of the prefix tree: that of its first whole pages, as far as it knows */
    size_t *marks;       /* [marks_cap] ends of messages, ascending, as its requests gave them */
    size_t n_marks, marks_cap;
    uint64_t salt; /* who may share its pages */
    bool shares;   /* its pages are published */

    float *logits; /* [rows_cap][n_vocab], taken by the first eval that wants some */
    size_t n_rows, rows_cap;
    float *vectors; /* [n_vectors][n_vector] of the last text embedded */
    size_t n_vectors, n_vector;
};

/* Pages that are copied before a step. */
typedef struct ingle_copies {
    uint32_t *to, *from; /* [n_parallel] */
    size_t n;
} ingle_copies;

/* Whose turn a row of logits is. */
typedef struct ingle_row_owner {
    uint32_t member; /* of the batch */
    uint32_t i;      /* the row's token among those that the member computes */
} ingle_row_owner;

struct ingle_engine {
    atomic_size_t refs;    /* the user's handles, every session, calls that use it */
    atomic_size_t handles; /* the last one that goes closes it */
    ingle_model *model;
    ingle_backend *backend;
    const ingle_backend_ops *ops;
    ingle_engine_options opt; /* as chosen */
    bool n_ctx_defaulted;

    pthread_mutex_t lock;
    ingle_wheel wheel;
    bool closed, draining;
    atomic_bool leaving; /* closed, for whoever does not hold the lock */
    bool lost;           /* the backend failed for good */
    ingle_error failure; /* how */
    uint64_t round;      /* of admission */
    bool stuck;          /* nothing could be computed, and nothing has changed since */

    ingle_session *idle_first, *idle_last;            /* every session, the longest idle first */
    ingle_session *task_first, *task_last;            /* those whose task is queued or runs */
    size_t n_queued, n_running, n_parked, n_requests; /* parked: in the queue again */

    ingle_pages pool[INGLE_GROUPS];
    bool recurrent;
    ingle_pages states; /* slots of state */
    ingle_prefix tree;
    bool shares; /* sessions share prefixes: the model goes on from what it has read */
    uint16_t *holders[INGLE_RESOURCES]; /* [n of a pool] for counting; zero between */

    ingle_cost_model cost;
    uint64_t n_steps;
    ingle_stats stats;
    ingle_log log;

    /* the last step: when it ended, how long it took, and calls in it that asked for one token of a
     * session each: their callers are likely to be back soon */
    double ended, took;
    size_t n_loops;

    /* the batch */
    int32_t *tokens;
    ingle_batch_seq *seqs;
    ingle_session **members; /* [n_parallel] */
    ingle_batch_row *rows;
    ingle_row_owner *owner; /* [n_batch] of rows */
    ingle_slots slots;
    uint32_t *clear[INGLE_GROUPS]; /* [n_pages of the pool] */
    size_t n_clear[INGLE_GROUPS];
    ingle_copies copies[INGLE_GROUPS];
    uint32_t *late; /* [n_parallel] slots of state that are dropped after the step */
    size_t n_late;
    ingle_batch_text *texts;        /* [n_parallel] */
    ingle_sample_scratch **scratch; /* [n_threads] */
    ingle_want *wants;              /* [n_parallel], and whose they are */
    ingle_session **wanting;
    size_t *order;       /* [n_parallel] for the schedule */
    ingle_claim *claims; /* [n_parallel + 1], and whose they are */
    ingle_session **claiming;
    ingle_request *ready; /* whose owners are to hear of events */
};

/* ---- engine.c ---- */

void ingle_engine_hold(ingle_engine *e); /* one owner more, who is no handle */
void ingle_engine_drop(ingle_engine *e); /* one owner less */
/* Waits until nobody steps and keeps everybody from it, until go_on(), which takes what came of
 * it; the engine stays until then. */
ingle_status ingle_engine_rest(ingle_engine *e, ingle_error *err);
void ingle_engine_go_on(ingle_engine *e, ingle_status st, const ingle_error *error);

/* ---- sequence.c: what a session holds; with the lock held ---- */

/* What is to be taken now for positions below `end`, if nobody else lets go of what it shares; what
 * at worst until then, while holders are counted, where claim->has is what the session alone has of
 * those that run. */
void ingle_sequence_need(const ingle_session *s, size_t end, size_t need[INGLE_RESOURCES]);
void ingle_sequence_worst(const ingle_session *s, size_t end, ingle_claim *claim);
/* Takes the pages for the step that is being formed, which clears those that were somebody's
 * before, and copies those that are shared. False: the pools have not so much free. */
bool ingle_sequence_reserve(ingle_session *s, size_t end);
/* Where there is no room for copies, the tree forgets what the session wants to write; false: it
 * has nothing of that that no other session has. */
bool ingle_sequence_claim_own(ingle_session *s, size_t end);
/* Cuts back to n tokens, of which at most n_live stay computed, and gives back what is not needed. */
void ingle_sequence_cut(ingle_session *s, size_t n, size_t n_live);
/* What the tree knows of the first n tokens; the session goes on from that instead of what it has.
 */
void ingle_sequence_match(ingle_session *s, size_t n, ingle_prefix_path *path);
void ingle_sequence_adopt(ingle_session *s, const ingle_prefix_path *path);
/* The tree learns of whole pages that are computed; of all that is, with a checkpoint if the model
 * needs one. */
void ingle_sequence_publish(ingle_session *s);
void ingle_sequence_mark(ingle_session *s);
/* An empty session gets the first n tokens of another, and shares what is computed of them. */
void ingle_sequence_share(ingle_session *to, const ingle_session *from, size_t n);

/* ---- queue.c: tasks; with the lock held ---- */

/* For a caller that has entered: a task that computes what lags and then the tokens given, which
 * are copied. Nothing that the session holds has changed. */
void ingle_task_prepare(ingle_session *s, ingle_task_kind kind, const int32_t *tokens, size_t n);

/* A prepared task goes to the end of the queue. */
void ingle_task_queue(ingle_session *s);
/* The task has ended with a status: the session has what was there before, or what it made. A task
 * that is frozen is marked instead, and ends with its step. */
void ingle_task_end(ingle_session *s, ingle_status st, const ingle_error *error);
/* Ends what is cancelled, past its time, or waits in an engine that is closed or lost. False:
 * nothing was. */
bool ingle_queue_sweep(ingle_engine *e, double now);
/* Tasks whose readers are slow give up their seats until there is room for an event. */
void ingle_queue_park(ingle_engine *e);
/* All that run wait for pages: the youngest gives up its seat, and so what it has. False: there is no
 * other. */
bool ingle_queue_yield(ingle_engine *e);
/* Lets tasks run, as many as there are seats. */
void ingle_queue_admit(ingle_engine *e, double now);
/* The earliest time at which a task ends by itself; INFINITY: none does. */
double ingle_queue_alarm(const ingle_engine *e);
/* Takes what positions below `end` need, from idle sessions if need be; false: the task has to wait
 * for others. */
bool ingle_queue_take(ingle_session *s, size_t end);
/* A slot of state, from what the tree keeps if need be; INGLE_NO_STATE: there is none. */
uint32_t ingle_queue_state(ingle_engine *e);
/* Nobody need wait for the task any more: its prompt is computed, or never will be. */
void ingle_queue_led(ingle_session *s);
/* The further choices of a request whose prompt is computed, but perhaps for its last token, go on
 * from there. */
void ingle_queue_fork(ingle_session *s);
/* Something has changed: whoever steps may find work. */
void ingle_queue_changed(ingle_engine *e);
/* The request's events are to be announced; all that are, with the lock let go meanwhile. */
void ingle_queue_note_ready(ingle_request *r);
void ingle_queue_announce(ingle_engine *e);

/* ---- step.c: with the lock held, which a step lets go while the backend runs ---- */

bool ingle_engine_has_work(const ingle_engine *e);
/* Whether the task is that of a caller's own loop: the next token. */
bool ingle_task_loops(const ingle_session *s);
/* Runs one batch if there is work; returns tokens computed. The caller has the wheel. */
size_t ingle_engine_step_once(ingle_engine *e);
/* The backend has answered so; with INGLE_EDEVICE it has failed for good. */
void ingle_engine_note_loss(ingle_engine *e, ingle_status st, const ingle_error *error);
/* INGLE_EDEVICE if the backend failed for good, INGLE_ECLOSED if the engine is closed. */
ingle_status ingle_engine_usable(const ingle_engine *e, ingle_error *err);

/* ---- wheel.c: with the lock held ---- */

/* The lock; whoever lets it go has seen to the wheel. */
void ingle_engine_lock(ingle_engine *e);
void ingle_engine_unlock(ingle_engine *e);
/* Steps, or waits for whoever does, until done(user) or `until`; false: it is not done. `s`, if
 * given, is the session whose task is waited for. */
bool ingle_wheel_part(ingle_engine *e, ingle_session *s, bool (*done)(void *user), void *user,
                      double until);
/* Steps for everybody until the engine is closed; nobody else does meanwhile. */
void ingle_wheel_serve(ingle_engine *e);
/* Waits until nobody steps, and keeps others from it. */
void ingle_wheel_take(ingle_engine *e);
void ingle_wheel_put(ingle_engine *e);

/* ---- session.c ---- */

/* Marks the session as in use by this caller; EBUSY if it already is, ECLOSED if it or its engine
 * is closed. */
ingle_status ingle_session_enter(ingle_session *s, ingle_error *err);
void ingle_session_leave(ingle_session *s);
/* One owner more, one less; not the last one with the lock held. */
void ingle_session_retain(ingle_session *s);
void ingle_session_drop(ingle_session *s);

/* The same around a question about results: they are not there for the asking while a call is
 * making them, nor once the engine is closed, whose closing may have ended a call half-way. */
ingle_status ingle_session_ask(const ingle_session *s, ingle_error *err);
void ingle_session_asked(const ingle_session *s);

/* Whether the tokens are tokens of the model; and whether they fit. */
ingle_status ingle_session_check_tokens(const ingle_session *s, const int32_t *tokens, size_t n,
                                        ingle_error *err);
ingle_status ingle_session_check(const ingle_session *s, const int32_t *tokens, size_t n,
                                 ingle_error *err);
/* Whether the model can be asked for logits. */
ingle_status ingle_session_check_logits(const ingle_session *s, ingle_error *err);
/* Makes the last token lag, so that computing it gives its row. */
void ingle_session_lag(ingle_session *s);

/* A call over sessions of one engine. They enter, each is prepared, all run in the same steps; at
 * the end each holds what its task made, or after a failure, wherever it was, what it held
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

#endif
