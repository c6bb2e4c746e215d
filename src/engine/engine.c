/* engine.c - options, memory, opening and closing, and questions about an engine. */
#include "engine/engine.h"

#include "base/entropy.h"
#include "engine/turns.h"

#include "base/cpu.h"
#include "base/options.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

enum { DEFAULT_CTX = 8192, FEW_PARALLEL = 16 };

static const ingle_engine_options default_options = {.size = sizeof default_options,
                                                     .n_sessions = 1,
                                                     .n_batch = 512,
                                                     .kv_type = INGLE_TYPE_F16,
                                                     .step_s = 0.2f};

void ingle_engine_options_init_sized(ingle_engine_options *opt, size_t size)
{
    ingle_options_fill(opt, size, &default_options, sizeof default_options);
}

static ingle_status check_ranges(const ingle_engine_options *o, ingle_error *err)
{
    ingle_status st;
    if ((st = ingle_option_range("n_ctx", o->n_ctx, 0, 1 << 24, err))) return st;
    if ((st = ingle_option_range("n_sessions", o->n_sessions, 1, 1 << 16, err))) return st;
    if ((st = ingle_option_range("n_batch", o->n_batch, 1, 1 << 14, err))) return st;
    if ((st = ingle_option_range("n_threads", o->n_threads, 0, 1024, err))) return st;
    if ((st = ingle_option_range("n_parallel", o->n_parallel, 0, INGLE_MOST_CLAIMS, err)))
        return st;
    if ((st = ingle_option_range("n_queue", o->n_queue, 0, INT32_MAX, err))) return st;
    if ((st = ingle_option_range("n_cache_tokens", o->n_cache_tokens, 0, 1 << 30, err))) return st;
    if ((st = ingle_option_range("n_cache_states", o->n_cache_states, 0, 1 << 16, err))) return st;
    if (!(o->step_s >= 0.001f && o->step_s <= 60))
        return ingle_fail(err, INGLE_EINVAL, "option 'step_s' is %g, should be 0.001 to 60",
                          (double)o->step_s);
    return INGLE_OK;
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
    if (!o->n_parallel) o->n_parallel = o->n_sessions > FEW_PARALLEL ? o->n_sessions : FEW_PARALLEL;
    if (o->n_parallel > INGLE_MOST_CLAIMS) o->n_parallel = INGLE_MOST_CLAIMS;
    size_t n_ctx = ingle_round_up((size_t)o->n_ctx, INGLE_PAGE), n_sessions = (size_t)o->n_sessions;
    size_t n_cached = (size_t)o->n_cache_states;
    *b = (ingle_backend_options){.n_batch = (size_t)o->n_batch,
                                 .n_seqs = (size_t)o->n_parallel,
                                 .n_ctx = n_ctx,
                                 .n_states = INGLE_STATE_SLOTS * n_sessions + n_cached,
                                 .n_threads = o->n_threads,
                                 .kv_type = o->kv_type};
    size_t width = model->program.plan.window;
    size_t window = ingle_window_most(width, b->n_batch, n_ctx);
    size_t checkpoint =
        width ? ingle_window_most(width, 1, n_ctx) / 3 : 0; /* what one token sees */
    b->n_pages[INGLE_GROUP_ALL] =
        n_ctx / INGLE_PAGE * n_sessions + ((size_t)o->n_cache_tokens + INGLE_PAGE - 1) / INGLE_PAGE;
    b->n_pages[INGLE_GROUP_WINDOW] = (window + checkpoint) * n_sessions + checkpoint * n_cached;
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

/* The options that an engine of the model would have, and its backend. */
static ingle_status reckon(const ingle_model *model, const ingle_engine_options *opt,
                           ingle_engine_options *o, ingle_backend_options *b, ingle_error *err)
{
    if (!model) return ingle_fail(err, INGLE_ECLOSED, "the model is closed");
    if (!model->family)
        return ingle_fail(err, INGLE_EINVAL, "the model was opened without its plan");
    ingle_status st = take_options(o, opt, err);
    return st ? st : choose(o, model, b, err);
}

ingle_status ingle_model_home_memory(const ingle_model *model, const ingle_engine_options *opt,
                                     size_t i, ingle_home_memory *mem, ingle_error *err)
{
    ingle_engine_options o;
    ingle_backend_options b;
    ingle_home_memory own;
    ingle_status st = ingle_result_check(mem, sizeof own, "ingle_home_memory", err);
    if (!st) st = reckon(model, opt, &o, &b, err);
    if (!st && i >= model->placement.n_homes)
        st = ingle_fail(err, INGLE_ENOTFOUND, "home %zu: the plan has %zu home%s", i,
                        model->placement.n_homes, model->placement.n_homes > 1 ? "s" : "");
    if (!st) st = home_memory(model, &b, i, &own, err);
    if (!st) ingle_result_give(mem, &own, sizeof own);
    return st;
}

/* The tree of an engine, but for its pools and the seed. A checkpoint for each slot of state, or four
 * for each sequence and those of option n_cache_states. */
static ingle_prefix_options tree_options(const ingle_model *model, const ingle_backend_options *b,
                                         size_t n_cached)
{
    const ingle_plan *plan = &model->program.plan;
    return (ingle_prefix_options){.n_nodes = b->n_pages[INGLE_GROUP_ALL] + b->n_seqs,
                                  .n_checkpoints =
                                      plan->n_state ? b->n_states : 4 * b->n_seqs + n_cached,
                                  .n_window = ingle_window_most(plan->window, 1, b->n_ctx),
                                  .n_leaders = b->n_seqs};
}

/* Bytes of the engine's own, and of n_sessions sessions. */
static size_t own_bytes(const ingle_model *model, const ingle_engine_options *o,
                        const ingle_backend_options *b)
{
    size_t n_sessions = (size_t)o->n_sessions, n_table = b->n_ctx / INGLE_PAGE;
    size_t session = b->n_ctx * sizeof(int32_t) + n_table * sizeof(uint32_t), bytes;
    if (ingle_model_has_logits(model)) session += (size_t)model->n_vocab * sizeof(float);
    if (model->program.plan.window) session += n_table * sizeof(uint32_t);
    bytes = n_sessions * session + ingle_slots_bytes(b->n_seqs, n_table);
    const ingle_prefix_options tree = tree_options(model, b, (size_t)o->n_cache_states);
    bytes += ingle_prefix_bytes(&tree, b->n_pages[INGLE_GROUP_ALL]);
    for (int g = 0; g < INGLE_GROUPS; g++)
        bytes += ingle_pages_own_bytes(b->n_pages[g]) + b->n_pages[g] * sizeof(uint32_t) +
                 2 * b->n_seqs * sizeof(uint32_t); /* those to clear, copies */
    bytes += (b->n_pages[0] + b->n_pages[1] + b->n_states) * sizeof(uint16_t); /* holders */
    bytes += b->n_batch * (sizeof(int32_t) + sizeof(ingle_batch_row) + sizeof(ingle_row_owner));
    bytes += b->n_seqs * (sizeof(ingle_batch_seq) + sizeof(ingle_batch_text) + sizeof(ingle_want) +
                          sizeof(ingle_claim) + 3 * sizeof(void *) + sizeof(size_t));
    return bytes + (size_t)b->n_threads * ingle_sample_scratch_bytes(model->n_vocab);
}

ingle_status ingle_model_memory(const ingle_model *model, const ingle_engine_options *opt,
                                ingle_memory *mem, ingle_error *err)
{
    ingle_engine_options o;
    ingle_backend_options b;
    ingle_vocab_info v = {0};
    ingle_status st = ingle_result_check(mem, sizeof *mem, "ingle_memory", err);
    if (!st) st = reckon(model, opt, &o, &b, err);
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
    m.scratch += own_bytes(model, &o, &b);
    m.total = m.weights + m.vocab + m.kv + m.state + m.scratch;
    ingle_result_give(mem, &m, sizeof m);
    return INGLE_OK;
}

/* ---- opening and closing ---- */

static void free_scratch(ingle_engine *e)
{
    for (int i = 0; e->scratch && i < e->opt.n_threads; i++)
        ingle_sample_scratch_free(e->scratch[i]);
    free(e->scratch);
}

static void engine_free(ingle_engine *e)
{
    if (e->backend) e->ops->close(e->backend);
    assert(!e->task_first && !e->idle_first && !e->wheel.taken && !e->wheel.first);
    ingle_prefix_close(&e->tree);
    assert(e->states.n_free == e->states.n);
    for (int g = 0; g < INGLE_GROUPS; g++) {
        assert(e->pool[g].n_free == e->pool[g].n); /* no session is left */
        ingle_pages_close(&e->pool[g]);
    }
    ingle_pages_close(&e->states);
    ingle_model_close(&e->model);
    ingle_turns_drop(e->opt.turns);
    free_scratch(e);
    free(e->tokens);
    free(e->seqs);
    free(e->members);
    free(e->rows);
    free(e->owner);
    ingle_slots_close(&e->slots);
    for (int g = 0; g < INGLE_GROUPS; g++) {
        free(e->clear[g]);
        free(e->copies[g].to);
        free(e->copies[g].from);
    }
    for (int r = 0; r < INGLE_RESOURCES; r++) free(e->holders[r]);
    free(e->late);
    free(e->texts);
    free(e->wants);
    free(e->wanting);
    free(e->order);
    free(e->claims);
    free(e->claiming);
    pthread_mutex_destroy(&e->lock);
    free(e);
}

void ingle_engine_drop(ingle_engine *e)
{
    if (atomic_fetch_sub(&e->refs, 1) == 1) engine_free(e);
}

void ingle_engine_hold(ingle_engine *e)
{
    atomic_fetch_add(&e->refs, 1);
}

static bool take_scratch(ingle_engine *e)
{
    e->scratch = ingle_new((size_t)e->opt.n_threads, sizeof(ingle_sample_scratch *));
    bool ok = e->scratch != NULL;
    for (int i = 0; ok && i < e->opt.n_threads; i++)
        ok = (e->scratch[i] = ingle_sample_scratch_new(e->model->n_vocab)) != NULL;
    return ok;
}

static bool take_arrays(ingle_engine *e, const ingle_backend_options *b)
{
    size_t n_batch = (size_t)e->opt.n_batch, n_seqs = b->n_seqs;
    e->tokens = ingle_new(n_batch, sizeof *e->tokens);
    e->seqs = ingle_new(n_seqs, sizeof *e->seqs);
    e->members = ingle_new(n_seqs, sizeof(ingle_session *));
    e->rows = ingle_new(n_batch, sizeof *e->rows);
    e->owner = ingle_new(n_batch, sizeof *e->owner);
    e->texts = ingle_new(n_seqs, sizeof *e->texts);
    e->wants = ingle_new(n_seqs, sizeof *e->wants);
    e->wanting = ingle_new(n_seqs, sizeof(ingle_session *));
    e->order = ingle_new(n_seqs, sizeof *e->order);
    e->claims = ingle_new(n_seqs, sizeof *e->claims);
    e->claiming = ingle_new(n_seqs, sizeof(ingle_session *));
    bool ok = e->tokens && e->seqs && e->members && e->rows && e->owner && e->texts && e->wants &&
              e->wanting && e->order && e->claims && e->claiming && take_scratch(e) &&
              ingle_slots_open(&e->slots, n_seqs, b->n_ctx / INGLE_PAGE);
    for (int g = 0; ok && g < INGLE_GROUPS; g++) {
        e->clear[g] = ingle_new(b->n_pages[g], sizeof *e->clear[g]);
        e->copies[g].to = ingle_new(n_seqs, sizeof *e->copies[g].to);
        e->copies[g].from = ingle_new(n_seqs, sizeof *e->copies[g].from);
        ok = e->clear[g] && e->copies[g].to && e->copies[g].from;
    }
    return ok && (e->late = ingle_new(n_seqs, sizeof *e->late)) != NULL;
}

/* The pools, and the tree over them. */
static bool take_pools(ingle_engine *e, const ingle_backend_options *b)
{
    const ingle_plan *plan = &e->model->program.plan;
    e->recurrent = plan->n_state > 0;
    e->shares = e->model->hp.causal && ingle_model_has_logits(e->model);
    bool ok = ingle_pages_open(&e->states, e->recurrent ? b->n_states : 0);
    for (int g = 0; ok && g < INGLE_GROUPS; g++) ok = ingle_pages_open(&e->pool[g], b->n_pages[g]);
    const size_t n[INGLE_RESOURCES] = {b->n_pages[INGLE_GROUP_ALL], b->n_pages[INGLE_GROUP_WINDOW],
                                       b->n_states};
    for (int r = 0; ok && r < INGLE_RESOURCES; r++)
        ok = (e->holders[r] = ingle_new(n[r], sizeof *e->holders[r])) != NULL;
    ingle_prefix_options tree = tree_options(e->model, b, (size_t)e->opt.n_cache_states);
    tree.seed = ingle_entropy();
    tree.pool[INGLE_GROUP_ALL] = &e->pool[INGLE_GROUP_ALL];
    if (plan->window) tree.pool[INGLE_GROUP_WINDOW] = &e->pool[INGLE_GROUP_WINDOW];
    if (e->recurrent) tree.pool[INGLE_POOL_STATES] = &e->states;
    return ok && ingle_prefix_open(&e->tree, &tree);
}

/* What steps may take before any was measured: reading the weights at 10 GB/s, and so many products
 * a second. Either may be wrong by ten times; the first steps correct it. */
static void guess_cost(ingle_engine *e)
{
    enum { BYTES = 10, PRODUCTS = 50 }; /* thousand millions a second */
    ingle_cost c = {0};
    ingle_plan_cost(&e->model->program, e->opt.kv_type, &c);
    const ingle_cost_guess guess = {.step = c.weight_bytes / (BYTES * 1e9),
                                    .token = c.matmul_macs / (PRODUCTS * 1e9),
                                    .head = c.head_macs / (BYTES * 1e9),
                                    .row = c.head_macs / (PRODUCTS * 1e9),
                                    .few = c.kv_bytes / (BYTES * 1e9),
                                    .many = c.attend_macs / (PRODUCTS * 1e9)};
    ingle_cost_init(&e->cost, (size_t)e->opt.n_batch, &guess);
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
    atomic_init(&e->handles, 1);
    atomic_init(&e->leaving, false);
    pthread_mutex_init(&e->lock, NULL);
    e->ops = ingle_backend_of(&model->placement);
    e->model = ingle_model_retain(model);
    e->opt = o;
    ingle_turns_retain(o.turns);
    e->n_ctx_defaulted = defaulted && (uint32_t)o.n_ctx < model->hp.n_ctx;
    st = e->ops->open(&e->backend, &model->placement, 0, &b,
                      err); /* first: it refuses what is far too much */
    bool taken = !st && take_arrays(e, &b) && take_pools(e, &b);
    if (!st && !taken) st = ingle_fail(err, INGLE_ENOMEM, "no memory for the engine");
    if (st) {
        engine_free(e);
        return st;
    }
    guess_cost(e);
    e->log.fn = o.log;
    e->log.user = o.log_user;
    ingle_log_note(
        &e->log, INGLE_LOG_INFO,
        "an engine of %d positions a session, KV pages for %d sessions, steps of %d tokens "
        "and %d sequences, %d threads",
        o.n_ctx, o.n_sessions, o.n_batch, o.n_parallel, o.n_threads);
    ingle_engine_lock(e);
    ingle_engine_unlock(e); /* hands the message over */
    *out = e;
    return INGLE_OK;
}

ingle_engine *ingle_engine_retain(ingle_engine *e)
{
    if (!e) return NULL;
    atomic_fetch_add(&e->handles, 1);
    ingle_engine_hold(e);
    return e;
}

/* Whoever waits is told; tasks end at once, but for those in a step that runs. */
void ingle_engine_close(ingle_engine **engine)
{
    if (!engine || !*engine) return;
    ingle_engine *e = *engine;
    *engine = NULL;
    if (atomic_fetch_sub(&e->handles, 1) == 1) {
        atomic_store(&e->leaving, true);
        ingle_engine_lock(e);
        e->closed = true;
        ingle_queue_sweep(e, ingle_now());
        for (ingle_waiter *w = e->wheel.first; w; w = w->next) ingle_waiter_signal(w);
        ingle_engine_unlock(e);
        ingle_turns_call_off(e->opt.turns);
    }
    ingle_engine_drop(e);
}

/* ---- steps, and waiting for the end ---- */

ingle_status ingle_engine_step(ingle_engine *e, size_t *n_run, ingle_error *err)
{
    size_t n = 0;
    if (!e) return ingle_fail(err, INGLE_ECLOSED, "the engine is closed");
    ingle_engine_hold(e);
    ingle_engine_lock(e);
    ingle_wheel_take(e);
    ingle_status st = ingle_engine_usable(e, err);
    if (!st) n = ingle_engine_step_once(e);
    ingle_wheel_put(e);
    ingle_engine_unlock(e);
    ingle_engine_drop(e);
    if (n_run) *n_run = n;
    return st;
}

ingle_status ingle_engine_serve(ingle_engine *e, ingle_error *err)
{
    if (!e) return ingle_fail(err, INGLE_ECLOSED, "the engine is closed");
    ingle_engine_hold(e);
    ingle_engine_lock(e);
    ingle_status st = ingle_engine_usable(e, err);
    if (!st && e->wheel.server)
        st = ingle_fail(err, INGLE_EBUSY, "another thread serves this engine");
    if (!st) ingle_wheel_serve(e);
    ingle_engine_unlock(e);
    ingle_engine_drop(e);
    return st;
}

static bool has_no_request(void *user)
{
    const ingle_engine *e = user;
    return !e->n_requests;
}

ingle_status ingle_engine_drain(ingle_engine *e, double timeout_s, ingle_error *err)
{
    if (!e) return ingle_fail(err, INGLE_ECLOSED, "the engine is closed");
    if (!(timeout_s == timeout_s))
        return ingle_fail(err, INGLE_EINVAL, "timeout_s is not a number");
    ingle_engine_hold(e);
    ingle_engine_lock(e);
    e->draining = true;
    if (!ingle_wheel_part(e, NULL, has_no_request, e,
                          timeout_s < 0 ? HUGE_VAL : ingle_now() + timeout_s)) {
        for (ingle_session *s = e->task_first; s; s = s->task_next)
            s->task.cancelled = s->task.cancelled || s->task.kind == INGLE_TASK_GENERATE;
        ingle_queue_sweep(e, ingle_now());
        ingle_queue_changed(e);
        ingle_wheel_part(e, NULL, has_no_request, e, HUGE_VAL);
    }
    ingle_engine_unlock(e);
    ingle_engine_drop(e);
    return INGLE_OK;
}

/* ---- questions ---- */

ingle_status ingle_engine_rest(ingle_engine *e, ingle_error *err)
{
    ingle_engine_hold(e);
    ingle_engine_lock(e);
    ingle_wheel_take(e);
    ingle_status st = ingle_engine_usable(e, err);
    ingle_engine_unlock(e);
    if (st) ingle_engine_go_on(e, INGLE_OK, NULL);
    return st;
}

void ingle_engine_go_on(ingle_engine *e, ingle_status st, const ingle_error *error)
{
    ingle_engine_lock(e);
    ingle_engine_note_loss(e, st, error);
    ingle_wheel_put(e);
    ingle_engine_unlock(e);
    ingle_engine_drop(e);
}

static ingle_status closed(ingle_error *err)
{
    return ingle_fail(err, INGLE_ECLOSED, "the engine is closed");
}

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
                                   .n_ctx_defaulted = e->n_ctx_defaulted,
                                   .n_parallel = e->opt.n_parallel};
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
    ingle_error error;
    ingle_status st = ingle_result_check(limits, sizeof own, "ingle_limits", err);
    if (!st) st = ingle_engine_rest(e, err);
    if (st) return st;
    st = e->ops->limits(e->backend, &own, &error);
    if (!st) ingle_result_give(limits, &own, sizeof own);
    if (st && err) *err = error;
    ingle_engine_go_on(e, st, &error);
    return st;
}
