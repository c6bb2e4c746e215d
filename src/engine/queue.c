/* queue.c - tasks: which of them run, what they may take from the pools, and how they end. All with
 * the lock held.
 *
 * A task is admitted when the state stays safe: an order exists in which every task that runs can
 * come to its worst case with what is free and what those before it give back. Free is also what
 * sessions hold whose task does not run: they keep their tokens, and what they lose is computed
 * again. So a task that runs is never thrown out: it takes a page when that is safe, and waits for
 * one otherwise. */
#include "engine/request.h"
#include "engine/stats.h"

#include <assert.h>
#include <math.h>
#include <string.h>

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

void ingle_task_prepare(ingle_session *s, ingle_task_kind kind, const int32_t *tokens, size_t n)
{
    assert(s->task.state == INGLE_TASK_NONE);
    if (n) memcpy(s->tokens + s->n, tokens, n * sizeof *tokens);
    s->task = (ingle_task){.kind = kind,
                           .before = s->n,
                           .first = s->n,
                           .n_end = s->n + n,
                           .worst = s->n + n,
                           .class = INGLE_CLASS_NORMAL,
                           .queue_until = INFINITY,
                           .run_until = INFINITY,
                           .cancelled = s->closed};
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
    ingle_waiter_signal(e->wheel.gathers);
    ingle_queue_changed(e);
}

/* ---- announcing events ---- */

static void link_ready(ingle_request *r)
{
    ingle_engine *e = r->session->engine;
    r->calls_ready = true;
    r->next_ready = e->ready;
    e->ready = r;
}

void ingle_queue_note_ready(ingle_request *r)
{
    r = r->root;
    if (!r->opt.on_ready) return;
    r->untold = true;
    if (!r->calls_ready) link_ready(r);
}

static void tell_log(ingle_engine *e)
{
    ingle_log_line line;
    while (ingle_log_take(&e->log, &line)) {
        pthread_mutex_unlock(&e->lock);
        e->log.fn(e->log.user, line.level, line.text);
        pthread_mutex_lock(&e->lock);
    }
}

void ingle_queue_announce(ingle_engine *e)
{
    tell_log(e);
    while (e->ready) {
        ingle_request *r = e->ready;
        e->ready = r->next_ready;
        r->untold = false;
        pthread_mutex_unlock(&e->lock);
        r->opt.on_ready(r->opt.user);
        pthread_mutex_lock(&e->lock);
        r->calls_ready = false;
        if (r->untold) link_ready(r); /* events that came while it ran */
        else ingle_wheel_tell(&e->wheel, r->session);
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

static void log_end(ingle_engine *e, const ingle_request *r)
{
    static const char *const how[] = {"", "a stop", "its length", "cancelling", "its deadline"};
    const ingle_usage *u = &r->usage;
    if (r->end_status)
        ingle_log_note(&e->log, INGLE_LOG_INFO, "a request failed: %s", r->end_error.text);
    else
        ingle_log_note(&e->log, INGLE_LOG_INFO,
                       "a request ended by %s: prompt of %zu tokens, %zu of the timeline reused, "
                       "%zu generated; queue %.3f s, prompt %.3f s, answer %.3f s",
                       how[r->finish], u->n_prompt, u->n_reused, u->n_generated, u->queue_s,
                       u->prompt_s, u->decode_s);
}

/* The root ended before its prompt was computed, or nothing was to be generated: so end the others. */
static void end_choices(const ingle_request *root)
{
    for (ingle_request *r = root->next_choice; r; r = r->next_choice) {
        if (!root->end_status) {
            ingle_turn_finish(r, root->finish);
            ingle_ring_last(r)->usage = r->usage;
        }
        r->ring.n_shown = r->ring.n_made;
        r->end_status = root->end_status;
        r->end_error = root->end_error;
        r->ended = true;
    }
}

/* One choice failed, so all do. */
static void give_up_choices(const ingle_request *root)
{
    for (const ingle_request *r = root; r; r = r->next_choice)
        if (!r->ended) r->session->task.cancelled = true;
}

static void end_request(ingle_session *s, ingle_status st, const ingle_error *error)
{
    ingle_request *r = s->task.request;
    ingle_engine *e = s->engine;
    size_t n = st ? s->task.before : tokens_left(s);
    if (n != s->task.before) s->n_rows = 0; /* they are of a token that is the last no more */
    ingle_sequence_cut(s, n, least(n, s->n_live));
    if (st) ingle_drop_undo(r);
    else ingle_marks_keep(r);
    if (!st) ingle_sequence_mark(s); /* whoever goes on from here, in this session or another */
    r->ended = true;
    r->end_status = st;
    e->stats.n_failed += st && r == r->root;
    e->stats.n_cancelled += !st && r == r->root && r->finish == INGLE_FINISH_CANCELLED;
    if (st) r->end_error = *error;
    else r->usage.n_generated = r->flow.n_returned;
    r->usage.n_known = s->task.n_known;
    r->usage.n_reused = s->task.n_reused;
    double now = ingle_now();
    if (!s->task.started) r->usage.queue_s = now - s->task.arrived;
    if (r->first_at) r->usage.decode_s = now - r->first_at;
    else if (s->task.started) r->usage.prompt_s = now - s->task.started;
    if (!st) ingle_ring_last(r)->usage = r->usage;
    r->ring.n_shown = r->ring.n_made;
    if (r == r->root && !r->forked) end_choices(r);
    else if (st) give_up_choices(r->root);
    log_end(e, r);
    e->n_requests--;
    s->task.state = INGLE_TASK_NONE;
}

void ingle_task_end(ingle_session *s, ingle_status st, const ingle_error *error)
{
    ingle_engine *e = s->engine;
    ingle_task *t = &s->task;
    assert(!t->frozen && (t->state == INGLE_TASK_QUEUED || t->state == INGLE_TASK_RUNS));
    if (t->state == INGLE_TASK_RUNS) e->n_running--;
    else if (t->started) e->n_parked--;
    else e->n_queued--;
    unlink_task(s);
    touch(s);
    ingle_queue_led(s);
    t->status = st;
    if (st) t->error = *error;
    t->state = INGLE_TASK_DONE;
    if (t->kind == INGLE_TASK_GENERATE) end_request(s, st, error);
    else if (t->kind == INGLE_TASK_EMBED) ingle_sequence_cut(s, 0, 0);
    else if (st) ingle_sequence_cut(s, t->before, least(t->before, s->n_live));
    assert(ingle_session_is_sound(s));
    ingle_wheel_tell(&e->wheel, t->kind == INGLE_TASK_GENERATE ? t->request->root->session : s);
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

/* Ends the task if it has a reason of its own; false: it has none. */
static bool sweep_one(ingle_session *s, double now)
{
    ingle_engine *e = s->engine;
    ingle_task *t = &s->task;
    bool generates = t->kind == INGLE_TASK_GENERATE;
    if (e->closed) end_with(s, INGLE_ECLOSED, "the engine was closed during the call");
    else if (e->lost) end_with(s, INGLE_EDEVICE, e->failure.text);
    else if (t->cancelled && !generates)
        end_with(s, INGLE_ECLOSED, "the session was closed during the call");
    else if (t->cancelled) finish_early(s, INGLE_FINISH_CANCELLED);
    else if (t->state == INGLE_TASK_QUEUED && !t->started && now >= t->queue_until)
        end_with(s, INGLE_EQUEUE,
                 "the request waited longer in the queue than option 'queue_s' allows");
    else if (now >= t->run_until) finish_early(s, INGLE_FINISH_TIMEOUT);
    else return false;
    return true;
}

bool ingle_queue_sweep(ingle_engine *e, double now)
{
    bool some = false;
    for (ingle_session *s = e->task_first, *next; s; s = next) {
        next = s->task_next;
        if (!s->task.frozen && sweep_one(s, now)) some = true;
    }
    return some;
}

double ingle_queue_alarm(const ingle_engine *e)
{
    double at = INFINITY;
    for (const ingle_session *s = e->task_first; s; s = s->task_next) {
        if (!s->task.started) at = fmin(at, s->task.queue_until);
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

/* Calls fn for every page of the session and for its live state. */
typedef void count_fn(ingle_engine *e, ingle_claim *claim, ingle_resource r, uint32_t id);

static void each_named(ingle_session *s, ingle_claim *claim, count_fn *fn)
{
    ingle_engine *e = s->engine;
    for (size_t p = 0; p < s->n_pages; p++) fn(e, claim, INGLE_RESOURCE_PAGES, s->pages[p]);
    for (size_t p = 0; p < s->window.n_table; p++)
        if (s->window.ids[p] != INGLE_NO_PAGE)
            fn(e, claim, INGLE_RESOURCE_WINDOWS, s->window.ids[p]);
    if (s->states.slot[0] != INGLE_NO_STATE) fn(e, claim, INGLE_RESOURCE_STATES, s->states.slot[0]);
}

/* claim: of all that run together, how many they name. */
static void note_holder(ingle_engine *e, ingle_claim *claim, ingle_resource r, uint32_t id)
{
    claim->has[r] += !e->holders[r][id]++;
}

static void count_own(ingle_engine *e, ingle_claim *claim, ingle_resource r, uint32_t id)
{
    claim->has[r] += e->holders[r][id] == 1;
}

static void forget_holder(ingle_engine *e, ingle_claim *claim, ingle_resource r, uint32_t id)
{
    (void)claim;
    e->holders[r][id] = 0;
}

/* What those that run have and may want; free is all else, as sessions at rest and the prefix tree
 * give way. A page that several have comes back with none of them: nobody may count on it. Holders
 * stay counted until forget_survey(). */
static void survey(ingle_engine *e, size_t free[INGLE_RESOURCES], size_t *n)
{
    ingle_claim all = {{0}, {0}};
    *n = 0;
    for (ingle_session *s = e->task_first; s; s = s->task_next) {
        if (s->task.state != INGLE_TASK_RUNS) continue;
        e->claims[*n] = (ingle_claim){{0}, {0}};
        each_named(s, &all, note_holder);
        e->claiming[(*n)++] = s;
    }
    for (size_t i = 0; i < *n; i++) {
        each_named(e->claiming[i], &e->claims[i], count_own);
        ingle_sequence_worst(e->claiming[i], e->claiming[i]->task.worst, &e->claims[i]);
    }
    free[INGLE_RESOURCE_PAGES] = e->pool[INGLE_GROUP_ALL].n - all.has[INGLE_RESOURCE_PAGES];
    free[INGLE_RESOURCE_WINDOWS] = e->pool[INGLE_GROUP_WINDOW].n - all.has[INGLE_RESOURCE_WINDOWS];
    free[INGLE_RESOURCE_STATES] = e->states.n - all.has[INGLE_RESOURCE_STATES];
    free[INGLE_RESOURCE_DRAFTS] = 0;
}

static void forget_survey(ingle_engine *e, size_t n)
{
    for (size_t i = 0; i < n; i++) each_named(e->claiming[i], NULL, forget_holder);
}

/* Whether a session that runs may take what it needs. What it copies although no other that runs has
 * it is no loss: that is had back. */
static bool may_take(ingle_session *s, size_t end, const size_t need[INGLE_RESOURCES])
{
    ingle_engine *e = s->engine;
    size_t free[INGLE_RESOURCES], want[INGLE_RESOURCES], n, i = 0;
    survey(e, free, &n);
    while (e->claiming[i] != s) i++;
    ingle_claim claim = e->claims[i];
    ingle_sequence_worst(s, end, &claim);
    for (int r = 0; r < INGLE_RESOURCES; r++)
        want[r] = need[r] < claim.may[r] ? need[r] : claim.may[r];
    forget_survey(e, n);
    return ingle_may_take(e->claims, n, i, free, want);
}

/* The longest idle session loses what the backend holds of it. */
static bool relax(ingle_engine *e)
{
    ingle_session *s = e->idle_first;
    while (s && !gives_way(s)) s = s->next;
    if (!s) return false;
    ingle_log_note(&e->log, INGLE_LOG_DEBUG, "a session at rest gives up %zu pages of %zu tokens",
                   s->n_pages, s->n_live);
    ingle_sequence_cut(s, s->n, 0);
    e->stats.n_relaxed++;
    return true;
}

/* A checkpoint of some session, which is no more than a convenience. */
static bool give_state(ingle_engine *e)
{
    for (ingle_session *s = e->idle_first; s; s = s->next)
        if (!s->task.frozen && ingle_states_give(&s->states, &e->states)) return true;
    return false;
}

/* Makes n free in each pool: from what the tree keeps, then from sessions at rest. */
static bool make_room(ingle_engine *e, const size_t n[INGLE_RESOURCES])
{
    for (;;) {
        bool pages = ingle_prefix_evict(&e->tree, INGLE_GROUP_ALL, n[INGLE_RESOURCE_PAGES]);
        bool windows = !n[INGLE_RESOURCE_WINDOWS] ||
                       ingle_prefix_evict(&e->tree, INGLE_GROUP_WINDOW, n[INGLE_RESOURCE_WINDOWS]);
        bool states = !n[INGLE_RESOURCE_STATES] || e->states.n_free >= n[INGLE_RESOURCE_STATES];
        while (!states && (give_state(e) ||
                           ingle_prefix_evict(&e->tree, INGLE_POOL_STATES, e->states.n_free + 1)))
            states = e->states.n_free >= n[INGLE_RESOURCE_STATES];
        if (pages && windows && states) return true;
        if (!relax(e)) return false;
    }
}

bool ingle_queue_take(ingle_session *s, size_t end)
{
    ingle_engine *e = s->engine;
    size_t need[INGLE_RESOURCES];
    ingle_sequence_need(s, end, need);
    if (need[0] || need[1] || need[2]) {
        if (!may_take(s, end, need)) return false;
        if (!make_room(e, need)) { /* for no copies, that is: nobody at rest has anything now */
            ingle_sequence_claim_own(s, end);
            ingle_sequence_need(s, end, need);
            if (!make_room(e, need)) return false;
        }
    }
    return ingle_sequence_reserve(s, end);
}

uint32_t ingle_queue_state(ingle_engine *e)
{
    uint32_t id = INGLE_NO_STATE;
    size_t any;
    if (!e->states.n_free) ingle_prefix_evict(&e->tree, INGLE_POOL_STATES, 1);
    ingle_pages_take(&e->states, 1, &id, &any);
    return id;
}

/* ---- choices ---- */

/* The last token of the prompt is theirs to compute: it gives each its first row. */
void ingle_queue_fork(ingle_session *s)
{
    const ingle_task *t = &s->task;
    ingle_request *root = t->request;
    size_t n = t->first + root->n_prompt - 1;
    if (root != root->root || !root->next_choice || root->forked) return;
    if (s->n_live < n || !root->n_max) return;
    root->forked = true;
    for (ingle_request *r = root->next_choice; r; r = r->next_choice) {
        ingle_session *to = r->session;
        ingle_sequence_share(to, s, n);
        ingle_task_prepare(to, INGLE_TASK_GENERATE, s->tokens + n, 1);
        to->task.request = r;
        to->task.class = t->class;
        to->task.run_until = t->run_until;
        to->task.worst = to->task.n_end + r->n_max;
        to->task.cancelled = t->cancelled;
        s->engine->n_requests++;
        ingle_task_queue(to);
        to->task.arrived = t->arrived;
    }
}

/* ---- admission ---- */

/* Tokens of the timeline that need no row of logits: all before them may come from the tree. */
static size_t matchable(const ingle_session *s)
{
    const ingle_task *t = &s->task;
    bool from_first = t->kind == INGLE_TASK_GENERATE ? t->request->opt.prompt_logprobs >= 0
                                                     : t->rows == INGLE_ROWS_ALL;
    if (t->kind == INGLE_TASK_EMBED || !s->shares) return 0;
    if (t->kind == INGLE_TASK_SCORE) return t->first;
    if (from_first && t->kind == INGLE_TASK_GENERATE && t->first) return t->first;
    if (from_first) return t->first < t->n_end ? t->first + 1 : t->n_end;
    return t->n_end;
}

/* What the tree knows takes the place of what the session has, if it is more. */
static void adopt(ingle_session *s)
{
    ingle_task *t = &s->task;
    ingle_prefix_path path;
    size_t n = matchable(s);
    if (!t->started) t->n_known = s->n_live;
    if (n <= s->n_live) return;
    ingle_sequence_match(s, n, &path);
    if (!t->started && path.n_known > t->n_known) t->n_known = path.n_known;
    if (path.n_reused > s->n_live) ingle_sequence_adopt(s, &path);
    t->branch = path.n_known > s->n_live ? path.n_known : 0;
}

/* Whether somebody computes what this task would: then it is better to wait for it. */
static bool waits_for_leader(ingle_session *s)
{
    /* who has begun to wait does so for the last whole page */
    size_t n = matchable(s), n_common, worth = s->task.waited ? INGLE_PAGE : INGLE_PREFIX_WAIT;
    if (n < s->n_live + worth) return false;
    const ingle_prefix_key key = {.salt = s->salt};
    const void *owner = ingle_prefix_blocked(&s->engine->tree, key, s->tokens, n, worth, &n_common);
    if (!owner) return false;
    s->task.waited = true;
    ingle_session *leader = s->engine->task_first; /* it has a task */
    while (leader != owner) leader = leader->task_next;
    if (leader->task.class < s->task.class) leader->task.class = s->task.class;
    if (n_common > leader->n_live) leader->task.branch = n_common;
    return true;
}

/* Whether the task cannot go on until its reader has made room. */
static bool is_parked(const ingle_session *s)
{
    const ingle_task *t = &s->task;
    return t->kind == INGLE_TASK_GENERATE && s->n_live >= t->first + t->request->n_prompt &&
           !ingle_turn_has_room(t->request, 1);
}

void ingle_queue_park(ingle_engine *e)
{
    for (ingle_session *s = e->task_first; s; s = s->task_next) {
        if (s->task.state != INGLE_TASK_RUNS || !is_parked(s)) continue;
        s->task.state = INGLE_TASK_QUEUED;
        e->n_running--;
        e->n_parked++;
    }
}

bool ingle_queue_yield(ingle_engine *e)
{
    ingle_session *s = e->task_last;
    if (e->n_running < 2) return false;
    while (s->task.state != INGLE_TASK_RUNS) s = s->task_previous;
    s->task.state = INGLE_TASK_QUEUED;
    e->n_running--;
    e->n_parked++;
    return true;
}

/* Who comes next: of the highest class, those that waited longest; not those that were passed over
 * in this round. */
static ingle_session *next_in_line(const ingle_engine *e, double now)
{
    ingle_session *best = NULL;
    int best_class = 0;
    for (ingle_session *s = e->task_first; s; s = s->task_next) {
        if (s->task.state != INGLE_TASK_QUEUED || s->task.passed_over == e->round) continue;
        if (is_parked(s)) continue;
        int class = ingle_class_at((int)s->task.class, s->task.arrived, now);
        if (best && class <= best_class) continue;
        best = s;
        best_class = class;
    }
    return best;
}

/* It runs for the first time. */
static void begin(ingle_session *s, double now)
{
    ingle_task *t = &s->task;
    t->started = now;
    t->n_reused = s->n_live;
    if (t->kind != INGLE_TASK_GENERATE) return;
    ingle_request *r = t->request;
    r->usage.queue_s = now - t->arrived;
    if (r == r->root) ingle_stats_note(&s->engine->stats.queue, now - t->arrived);
}

/* It runs from now on, if the state is safe with it. */
static bool admit(ingle_session *s, double now)
{
    ingle_engine *e = s->engine;
    size_t free[INGLE_RESOURCES], n;
    adopt(s);
    s->task.state = INGLE_TASK_RUNS;
    survey(e, free, &n);
    forget_survey(e, n);
    if (!ingle_is_safe(e->claims, n, free)) {
        s->task.state = INGLE_TASK_QUEUED;
        return false;
    }
    if (s->task.started) e->n_parked--;
    else e->n_queued--;
    e->n_running++;
    if (!s->task.started) begin(s, now);
    if (s->task.n_end - s->n_live > 1) ingle_window_begin(&s->window, s->task.first);
    if (s->shares && matchable(s) >= s->n_live + INGLE_PREFIX_WAIT) {
        const ingle_prefix_key key = {.salt = s->salt};
        ingle_prefix_expect(&e->tree, key, s->tokens, s->task.n_end, s);
        s->task.leads = true;
    }
    if (s->task.kind == INGLE_TASK_GENERATE) ingle_queue_fork(s);
    return true;
}

void ingle_queue_admit(ingle_engine *e, double now)
{
    ingle_session *s;
    e->round++;
    while (e->n_running < (size_t)e->opt.n_parallel && (s = next_in_line(e, now))) {
        if (waits_for_leader(s)) s->task.passed_over = e->round;
        else if (!admit(s, now)) return;
    }
}

/* Nobody need wait for it any more: its prompt is computed, or never will be. */
void ingle_queue_led(ingle_session *s)
{
    if (s->task.leads) ingle_prefix_done(&s->engine->tree, s);
    s->task.leads = false;
}
