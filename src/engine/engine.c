#include "engine/engine.h"

#include "base/cpu.h"
#include "base/options.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_CTX 8192

static const ingle_engine_options default_options = {
    .size = sizeof default_options, .n_sessions = 1, .n_batch = 512, .kv_type = INGLE_TYPE_F16};

void ingle_engine_options_init_sized(ingle_engine_options *opt, size_t size)
{
    ingle_options_fill(opt, size, &default_options, sizeof default_options);
}

static ingle_status in_range(const char *name, int32_t value, int32_t min, int32_t max,
                             ingle_error *err)
{
    if (value < min || value > max)
        return ingle_fail(err, INGLE_EINVAL, "option '%s' is %d, should be %d to %d", name, value,
                          min, max);
    return INGLE_OK;
}

static ingle_status check_ranges(const ingle_engine_options *o, ingle_error *err)
{
    ingle_status st;
    if ((st = in_range("n_ctx", o->n_ctx, 0, 1 << 24, err))) return st;
    if ((st = in_range("n_sessions", o->n_sessions, 1, 1 << 16, err))) return st;
    if ((st = in_range("n_batch", o->n_batch, 1, 1 << 14, err))) return st;
    return in_range("n_threads", o->n_threads, 0, 1024, err);
}

/* The caller's options over the defaults, each within its range. */
static ingle_status take_options(ingle_engine_options *o, const ingle_engine_options *opt,
                                 ingle_error *err)
{
    *o = default_options;
    ingle_status st = ingle_options_take(o, sizeof *o, opt, "the engine", err);
    return st ? st : check_ranges(o, err);
}

ingle_status ingle_engine_options_check(const ingle_engine_options *opt, ingle_error *err)
{
    ingle_engine_options o;
    return take_options(&o, opt, err);
}

/* Fills what was left to us, and refuses what cannot be. */
static ingle_status choose(ingle_engine_options *o, const ingle_model *model,
                           ingle_backend_options *b, ingle_error *err)
{
    if (!o->n_ctx)
        o->n_ctx = model->hp.n_ctx < DEFAULT_CTX ? (int32_t)model->hp.n_ctx : DEFAULT_CTX;
    uint32_t most = model->program.plan.n_positions;
    if (most && (uint32_t)o->n_ctx > most)
        return ingle_fail(err, INGLE_EINVAL,
                          "option 'n_ctx' is %d, should be at most %u: the model has learned no "
                          "further positions",
                          o->n_ctx, most);
    if (!o->n_threads) o->n_threads = ingle_default_threads();
    size_t n_ctx = ingle_round_up((size_t)o->n_ctx, INGLE_PAGE);
    *b = (ingle_backend_options){.n_batch = (size_t)o->n_batch,
                                 .n_seqs = (size_t)o->n_sessions,
                                 .n_ctx = n_ctx,
                                 .n_states = INGLE_STATE_SLOTS * (size_t)o->n_sessions,
                                 .n_threads = o->n_threads,
                                 .kv_type = o->kv_type};
    size_t window = ingle_window_most(model->program.plan.window, b->n_batch, n_ctx);
    b->n_pages[INGLE_GROUP_ALL] = n_ctx / INGLE_PAGE * b->n_seqs;
    b->n_pages[INGLE_GROUP_WINDOW] = window * b->n_seqs;
    if (b->n_pages[INGLE_GROUP_ALL] >= INGLE_NO_PAGE) /* pages are named by 32 bits */
        return ingle_fail(
            err, INGLE_EINVAL,
            "options 'n_sessions' and 'n_ctx': %d sessions of %d positions are too many",
            o->n_sessions, o->n_ctx);
    return INGLE_OK;
}

/* What home h takes. */
static ingle_status home_memory(const ingle_model *model, const ingle_backend_options *b, size_t h,
                                ingle_home_memory *mem, ingle_error *err)
{
    const ingle_placement *p = &model->placement;
    *mem = (ingle_home_memory){.name = p->home[h].name,
                               .weights = ingle_pages_bytes(p->store[h].bytes),
                               .mapped = (size_t)ingle_store_mapped(&p->store[h])};
    ingle_status st = ingle_backend_of(p)->memory(p, h, b, mem, err);
    mem->total = mem->weights + mem->kv + mem->state + mem->scratch;
    return st;
}

/* The options of a backend that an engine of the model would open. */
static ingle_status reckon(const ingle_model *model, const ingle_engine_options *opt,
                           ingle_backend_options *b, ingle_error *err)
{
    ingle_engine_options o;
    if (!model) return ingle_fail(err, INGLE_ECLOSED, "the model is closed");
    if (!model->family)
        return ingle_fail(err, INGLE_EINVAL, "the model was opened without its plan");
    ingle_status st = take_options(&o, opt, err);
    return st ? st : choose(&o, model, b, err);
}

ingle_status ingle_model_home_memory(const ingle_model *model, const ingle_engine_options *opt,
                                     size_t i, ingle_home_memory *mem, ingle_error *err)
{
    ingle_backend_options b;
    ingle_home_memory own;
    ingle_status st = ingle_result_check(mem, sizeof own, "ingle_home_memory", err);
    if (!st) st = reckon(model, opt, &b, err);
    if (!st && i >= model->placement.n_homes)
        st = ingle_fail(err, INGLE_ENOTFOUND, "the plan has %zu homes", model->placement.n_homes);
    if (!st) st = home_memory(model, &b, i, &own, err);
    if (!st) ingle_result_give(mem, &own, sizeof own);
    return st;
}

ingle_status ingle_model_memory(const ingle_model *model, const ingle_engine_options *opt,
                                ingle_memory *mem, ingle_error *err)
{
    ingle_backend_options b;
    ingle_vocab_info v = {0};
    ingle_status st = ingle_result_check(mem, sizeof *mem, "ingle_memory", err);
    if (!st) st = reckon(model, opt, &b, err);
    if (st) return st;
    ingle_memory m = {0};
    for (size_t h = 0; h < model->placement.n_homes; h++) {
        ingle_home_memory home;
        if ((st = home_memory(model, &b, h, &home, err))) return st;
        m.weights += home.weights, m.kv += home.kv, m.state += home.state;
        m.scratch += home.scratch, m.mapped += home.mapped;
    }
    if (model->vocab) ingle_vocab_info_get(model->vocab, &v);
    m.vocab = v.heap_bytes + model->gguf->heap_bytes;
    /* of each session: last logits, timeline, page table */
    m.scratch += b.n_seqs * ((size_t)model->n_vocab * sizeof(float) + b.n_ctx * sizeof(int32_t) +
                             b.n_ctx / INGLE_PAGE * sizeof(uint32_t));
    m.scratch += ingle_slots_bytes(b.n_seqs, b.n_ctx / INGLE_PAGE);
    if (model->program.plan.window)
        m.scratch += b.n_seqs * (b.n_ctx / INGLE_PAGE) * sizeof(uint32_t) +
                     b.n_pages[INGLE_GROUP_WINDOW] * sizeof(uint32_t);
    m.total = m.weights + m.vocab + m.kv + m.state + m.scratch;
    ingle_result_give(mem, &m, sizeof m);
    return INGLE_OK;
}

/* ---- opening and closing ---- */

static void engine_free(ingle_engine *e)
{
    if (e->backend) e->ops->close(e->backend);
    for (int g = 0; g < INGLE_GROUPS; g++) ingle_pages_close(&e->pool[g]);
    ingle_pages_close(&e->states);
    ingle_model_close(&e->model);
    free(e->tokens);
    free(e->seqs);
    free(e->members);
    free(e->rows);
    ingle_slots_close(&e->slots);
    for (int g = 0; g < INGLE_GROUPS; g++) free(e->clear[g]);
    free(e->texts);
    pthread_cond_destroy(&e->changed);
    pthread_mutex_destroy(&e->lock);
    free(e);
}

void ingle_engine_drop(ingle_engine *e)
{
    if (atomic_fetch_sub(&e->refs, 1) == 1) engine_free(e);
}

static bool take_arrays(ingle_engine *e, const ingle_backend_options *b)
{
    size_t n_batch = (size_t)e->opt.n_batch, n_sessions = (size_t)e->opt.n_sessions;
    e->tokens = ingle_new(n_batch, sizeof *e->tokens);
    e->seqs = ingle_new(n_sessions, sizeof *e->seqs);
    e->members = ingle_new(n_sessions, sizeof(ingle_session *));
    e->rows = ingle_new(n_batch, sizeof *e->rows);
    e->texts = ingle_new(n_sessions, sizeof *e->texts);
    bool ok = e->tokens && e->seqs && e->members && e->rows && e->texts &&
              ingle_slots_open(&e->slots, n_sessions, b->n_ctx / INGLE_PAGE);
    for (int g = 0; ok && g < INGLE_GROUPS; g++)
        ok = (e->clear[g] = ingle_new(b->n_pages[g], sizeof *e->clear[g])) != NULL;
    return ok;
}

ingle_status ingle_engine_open(ingle_engine **out, ingle_model *model,
                               const ingle_engine_options *opt, ingle_error *err)
{
    ingle_engine_options o;
    ingle_backend_options b;
    if (!out) return ingle_fail(err, INGLE_EINVAL, "ingle_engine_open: out is NULL");
    *out = NULL;
    if (!model) return ingle_fail(err, INGLE_ECLOSED, "the model is closed");
    if (model->parts != INGLE_PARTS_ALL)
        return ingle_fail(err, INGLE_EINVAL, "the model was opened without its weights");
    ingle_status st = take_options(&o, opt, err);
    bool defaulted = o.n_ctx == 0;
    if (!st) st = choose(&o, model, &b, err);
    if (st) return st;
    ingle_engine *e = ingle_new(1, sizeof *e);
    if (!e) return ingle_fail(err, INGLE_ENOMEM, "no memory for the engine");
    atomic_init(&e->refs, 1);
    pthread_mutex_init(&e->lock, NULL);
    pthread_cond_init(&e->changed, NULL);
    e->ops = ingle_backend_of(&model->placement);
    e->model = ingle_model_retain(model);
    e->opt = o;
    e->n_ctx_defaulted = defaulted && (uint32_t)o.n_ctx < model->hp.n_ctx;
    st = e->ops->open(&e->backend, &model->placement, 0, &b,
                      err); /* first: it refuses what is far too much */
    e->recurrent = model->program.plan.n_state > 0;
    bool taken =
        !st && take_arrays(e, &b) && ingle_pages_open(&e->states, e->recurrent ? b.n_seqs : 0);
    for (int g = 0; g < INGLE_GROUPS; g++)
        taken = taken && ingle_pages_open(&e->pool[g], b.n_pages[g]);
    if (!st && !taken) st = ingle_fail(err, INGLE_ENOMEM, "no memory for the engine");
    if (st) {
        engine_free(e);
        return st;
    }
    *out = e;
    return INGLE_OK;
}

void ingle_engine_close(ingle_engine **engine)
{
    if (!engine || !*engine) return;
    ingle_engine *e = *engine;
    *engine = NULL;
    pthread_mutex_lock(&e->lock);
    e->closed = true;
    pthread_cond_broadcast(&e->changed);
    pthread_mutex_unlock(&e->lock);
    ingle_engine_drop(e);
}

/* ---- stepping ---- */

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
    for (size_t i = 0; i < job->n_to_clear; i++)
        e->clear[INGLE_GROUP_ALL][e->n_clear[INGLE_GROUP_ALL]++] = job->to_clear[i];
    job->n_to_clear = 0;
    e->members[batch->n_seqs++] = s;
    batch->n_tokens += n;
    first += lag;
    n -= lag;
    job->chunk = n;
    job->lag = lag;
    if (job->pooling != INGLE_POOLING_AUTO) {
        ingle_embed_enter(e, batch, s, first, n);
        return;
    }
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

/* Whether a session's job can be part of the batch: all of one kind; a text that is read in both
 * directions not in pieces. */
static bool belongs(const ingle_engine *e, const ingle_batch *batch, const ingle_session *s,
                    size_t room)
{
    return s->job.pooling == batch->pooling &&
           (e->model->hp.causal || s->job.n - s->job.done <= room);
}

/* The job that has waited longest says what kind of batch it is. Sessions that want one token go first
 * (they are decoding); the others share what is left in order. A decoding session queues again at the
 * end after every token, so if a longer job has waited longest, a seat and a token are kept for it:
 * the head of the queue is in every batch. */
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

void ingle_engine_unqueue(ingle_engine *e, ingle_session *s)
{
    ingle_session **at = &e->queue;
    while (*at != s) at = &(*at)->next;
    *at = s->next;
    s->next = NULL;
    s->job.queued = false;
}

/* Pages of windowed layers for what the batch computes, out of those the sessions own. The driver alone
 * touches the windows and states of sessions that have a job. */
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
        ingle_slots_tell(&e->slots, seq->slot, INGLE_GROUP_ALL, s->pages, n);
        if (s->window.width)
            ingle_slots_tell(&e->slots, seq->slot, INGLE_GROUP_WINDOW, s->window.ids, n);
    }
}

/* A state that is due for a checkpoint stays where it is, and the step leaves the next one elsewhere. */
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
        if (s->job.done < s->job.n) continue;
        if (s->job.n > 1) ingle_window_end(&s->window, s->n);
        ingle_engine_unqueue(e, s);
    }
}

/* The step's jobs have failed. Nothing that its sequences had on the backend counts any more: they keep
 * their tokens, which are computed again when they go on. */
static void fail(ingle_engine *e, size_t n_seqs, ingle_status st, const ingle_error *error)
{
    for (size_t i = 0; i < n_seqs; i++) {
        ingle_session *s = e->members[i];
        s->job.status = st;
        s->job.error = *error;
        s->job.chunk = s->job.lag = 0;
        s->n_live = 0;
        if (s->has_states) ingle_states_init(&s->states, s->states_id * INGLE_STATE_SLOTS);
        ingle_slots_drop(&e->slots, s);
        ingle_engine_unqueue(e, s);
    }
    if (st != INGLE_EDEVICE) return;
    e->lost = true;
    e->failure = *error;
}

size_t ingle_engine_drive(ingle_engine *e)
{
    ingle_batch batch = {.tokens = e->tokens, .seqs = e->seqs, .rows = e->rows, .texts = e->texts};
    ingle_error error;
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

static ingle_status closed(ingle_error *err)
{
    return ingle_fail(err, INGLE_ECLOSED, "the engine is closed");
}

ingle_status ingle_engine_step(ingle_engine *e, size_t *n_run, ingle_error *err)
{
    ingle_status st = INGLE_OK;
    size_t n = 0;
    if (!e) return closed(err);
    pthread_mutex_lock(&e->lock);
    if (e->driving) st = ingle_fail(err, INGLE_EBUSY, "another caller is stepping this engine");
    else if (!(st = ingle_engine_lost(e, err))) n = ingle_engine_drive(e);
    pthread_mutex_unlock(&e->lock);
    if (n_run) *n_run = n;
    return st;
}

ingle_status ingle_engine_warm_up(ingle_engine *e, ingle_error *err)
{
    ingle_session *s;
    if (!e) return closed(err);
    ingle_status st = ingle_session_open(&s, e, err);
    if (st) return st;
    size_t n = (size_t)(e->opt.n_batch < e->opt.n_ctx - 1 ? e->opt.n_batch : e->opt.n_ctx - 1);
    int32_t one = 0, *many = ingle_new(n, sizeof *many);
    if (!many) st = ingle_fail(err, INGLE_ENOMEM, "no memory for warming up");
    bool embeds = !ingle_model_has_logits(e->model);
    if (!st && n && embeds) st = ingle_session_embed(s, many, n, NULL, err);
    else if (!st && n) st = ingle_session_eval(s, many, n, INGLE_ROWS_LAST, err);
    if (!st && !embeds) st = ingle_session_eval(s, &one, 1, INGLE_ROWS_LAST, err);
    free(many);
    ingle_session_close(&s);
    return st;
}

/* ---- questions ---- */

ingle_status ingle_engine_info_get(const ingle_engine *e, ingle_engine_info *info, ingle_error *err)
{
    if (!e) return closed(err);
    ingle_status st = ingle_result_check(info, sizeof *info, "ingle_engine_info", err);
    if (st) return st;
    const ingle_engine_info own = {.n_ctx = e->opt.n_ctx,
                                   .n_sessions = e->opt.n_sessions,
                                   .n_batch = e->opt.n_batch,
                                   .n_threads = e->opt.n_threads,
                                   .kv_type = e->opt.kv_type,
                                   .n_ctx_defaulted = e->n_ctx_defaulted};
    ingle_result_give(info, &own, sizeof own);
    return INGLE_OK;
}

ingle_status ingle_engine_cost(const ingle_engine *e, ingle_cost *cost, ingle_error *err)
{
    if (!e) return closed(err);
    ingle_cost own = {0};
    ingle_status st = ingle_result_check(cost, sizeof own, "ingle_cost", err);
    if (st) return st;
    ingle_plan_cost(&e->model->program, e->opt.kv_type, &own);
    ingle_result_give(cost, &own, sizeof own);
    return INGLE_OK;
}

ingle_status ingle_engine_limits(ingle_engine *e, ingle_limits *limits, ingle_error *err)
{
    if (!e) return closed(err);
    ingle_limits own = {0};
    ingle_status st = ingle_result_check(limits, sizeof own, "ingle_limits", err);
    if (st) return st;
    pthread_mutex_lock(&e->lock);
    if (e->driving) {
        pthread_mutex_unlock(&e->lock);
        return ingle_fail(err, INGLE_EBUSY, "the engine is at work");
    }
    if ((st = ingle_engine_lost(e, err))) {
        pthread_mutex_unlock(&e->lock);
        return st;
    }
    e->driving = true;
    pthread_mutex_unlock(&e->lock);
    st = e->ops->limits(e->backend, &own, err);
    if (!st) ingle_result_give(limits, &own, sizeof own);
    pthread_mutex_lock(&e->lock);
    e->driving = false;
    pthread_cond_broadcast(&e->changed);
    pthread_mutex_unlock(&e->lock);
    return st;
}
