/* request.c - generations as passive records: starting one, reading its events, ending it. */
#include "engine/request.h"

#include "base/options.h"
#include "engine/breakers.h"
#include "engine/grammar.h"
#include "engine/stats.h"
#include "engine/thinking.h"
#include "model/chat.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static ingle_status check(const ingle_session *s, const int32_t *prompt, size_t n,
                          const ingle_generate_options *opt, const ingle_sampler *lent,
                          ingle_drop *drop, ingle_error *err)
{
    int32_t n_vocab = s->engine->model->n_vocab;
    for (size_t i = 0; i < opt->n_stop_tokens; i++)
        if (opt->stop_tokens[i] < 0 || opt->stop_tokens[i] >= n_vocab)
            return ingle_fail(err, INGLE_EINVAL,
                              "option 'stop_tokens' entry %zu is %d, should be 0 to %d", i,
                              opt->stop_tokens[i], n_vocab - 1);
    if (lent && ingle_sampler_n_vocab(lent) != n_vocab)
        return ingle_fail(err, INGLE_EINVAL, "the sampler is for %d tokens, the model has %d",
                          ingle_sampler_n_vocab(lent), n_vocab);
    if (n && !prompt) return ingle_fail(err, INGLE_EINVAL, "the prompt is NULL");
    if (!n && !s->n)
        return ingle_fail(err, INGLE_EINVAL, "an empty prompt needs a session that holds tokens");
    for (size_t i = 0; i < opt->n_marks; i++)
        if (opt->marks[i] > n || (i && opt->marks[i] < opt->marks[i - 1]))
            return ingle_fail(err, INGLE_EINVAL,
                              "option 'marks' entry %zu is %zu, should ascend to %zu at most", i,
                              opt->marks[i], n);
    if (s->n && s->salt != opt->cache_salt)
        return ingle_fail(err, INGLE_EINVAL,
                          "option 'cache_salt' is another than that of the tokens that the session "
                          "holds");
    ingle_status st = ingle_session_check_logits(s, err);
    if (st || opt->overflow == INGLE_OVERFLOW_ERROR)
        return st ? st : ingle_session_check(s, prompt, n, err);
    st = ingle_overflow_plan(s, prompt, n, opt, drop, err);
    return st ? st : ingle_session_check_tokens(s, prompt, n, err);
}

/* ---- opening ---- */

/* A copy of n elements; NULL without memory. */
static void *copy_of(const void *from, size_t n, size_t size)
{
    void *to = ingle_new(n, size);
    if (to && n) memcpy(to, from, n * size);
    return to;
}

static ingle_status copy_lists(ingle_request *r, const ingle_generate_options *opt,
                               ingle_error *err)
{
    size_t bytes = 0;
    for (size_t i = 0; i < opt->n_stops; i++) bytes += opt->stops[i].len;
    ingle_stop *stops = ingle_new(opt->n_stops, sizeof *stops);
    r->stop_text = ingle_new(bytes, 1);
    r->opt.stops = stops;
    r->opt.stop_tokens = copy_of(opt->stop_tokens, opt->n_stop_tokens, sizeof *opt->stop_tokens);
    r->opt.marks = copy_of(opt->marks, opt->n_marks, sizeof *opt->marks);
    if (!stops || !r->stop_text || !r->opt.stop_tokens || !r->opt.marks)
        return ingle_fail(err, INGLE_ENOMEM, "no memory for a generation");
    char *to = r->stop_text;
    for (size_t i = 0; i < opt->n_stops; i++) {
        stops[i] = (ingle_stop){to, opt->stops[i].len};
        memcpy(to, opt->stops[i].text, opt->stops[i].len);
        to += opt->stops[i].len;
    }
    return INGLE_OK;
}

/* Suppressed tokens are never drawn (the sampler may not know the model), nor are end tokens while
 * they are ignored. */
static ingle_status ban_tokens(ingle_request *r, ingle_error *err)
{
    ingle_vocab_info v;
    ingle_token_info info;
    size_t n = 0;
    if (!r->vocab) return INGLE_OK;
    ingle_vocab_info_get(r->vocab, &v);
    r->n_texts = v.n_tokens;
    if (!r->opt.ignore_eog) return ingle_sampler_ban(r->sampler, v.suppressed, v.n_suppressed, err);
    int32_t *ids = ingle_new((size_t)v.n_tokens + v.n_suppressed, sizeof *ids);
    if (!ids) return ingle_fail(err, INGLE_ENOMEM, "no memory for the end tokens");
    for (; n < v.n_suppressed; n++) ids[n] = v.suppressed[n];
    for (int32_t i = 0; i < v.n_tokens; i++)
        if (!ingle_vocab_token(r->vocab, i, &info, NULL) && info.eog) ids[n++] = i;
    ingle_status st = ingle_sampler_ban(r->sampler, ids, n, err);
    free(ids);
    return st;
}

static ingle_status open_sampler(ingle_request *r, const int32_t *prompt, size_t n,
                                 ingle_error *err)
{
    const ingle_model *m = r->session->engine->model;
    ingle_status st = INGLE_OK;
    if (!r->sampler) {
        r->own_sampler = true;
        st = ingle_sampler_make(&r->sampler, r->opt.sampling, m->n_vocab, m, err);
    }
    r->opt.sampling = NULL;
    if (!st) st = ban_tokens(r, err);
    if (!st) st = ingle_sampler_reserve(r->sampler, n + r->n_max, err);
    for (size_t i = 0; i < n && !st; i++) st = ingle_sampler_accept(r->sampler, prompt[i], err);
    return st;
}

static ingle_status open_scores(ingle_request *r, ingle_error *err)
{
    size_t n_top = (size_t)r->opt.prompt_logprobs, n;
    if (r->opt.prompt_logprobs < 0) return INGLE_OK;
    r->scores = ingle_new(r->n_prompt, sizeof *r->scores);
    if (ingle_mul_ok(r->n_prompt, n_top, &n)) r->score_tops = ingle_new(n, sizeof(ingle_top));
    if (!r->scores || !r->score_tops)
        return ingle_fail(err, INGLE_ENOMEM, "no memory for the scores of %zu tokens", r->n_prompt);
    if (r->n_prompt && !r->first) r->scores[0] = (ingle_score){NAN, -1, 0};
    return INGLE_OK;
}

/* With min_tokens: which tokens end the answer. */
static ingle_status open_ends(ingle_request *r, ingle_error *err)
{
    size_t n = (size_t)r->session->engine->model->n_vocab;
    ingle_token_info info;
    if (!r->opt.min_tokens) return INGLE_OK;
    r->ends = ingle_new(n / 32 + 1, sizeof *r->ends);
    r->bits = ingle_new(n / 32 + 1, sizeof *r->bits);
    if (!r->ends || !r->bits) return ingle_fail(err, INGLE_ENOMEM, "no memory for a generation");
    for (size_t i = 0; i < r->opt.n_stop_tokens; i++)
        r->ends[r->opt.stop_tokens[i] / 32] |= 1u << r->opt.stop_tokens[i] % 32;
    for (int32_t i = 0; i < r->n_texts && (size_t)i < n; i++)
        if (!ingle_vocab_token(r->vocab, i, &info, NULL) && info.eog)
            r->ends[i / 32] |= 1u << i % 32;
    return INGLE_OK;
}

/* What every choice has of its own. */
static void free_choice(ingle_request *r)
{
    if (r->constraint) r->constraint->ops->free(r->constraint);
    if (r->own_sampler) ingle_sampler_close(&r->sampler);
    ingle_turn_close(r);
    free(r->ends);
    free(r->bits);
    free(r);
}

static void free_request(ingle_request *root)
{
    if (!root) return;
    ingle_session *s = root->session;
    for (ingle_request *r = root->next_choice, *next; r; r = next) {
        next = r->next_choice;
        ingle_session_close(&r->session);
        free_choice(r);
    }
    if (!root->own_sampler && root->sampler) ingle_sampler_ban(root->sampler, NULL, 0, NULL);
    free((void *)root->opt.stops);
    free((void *)root->opt.stop_tokens);
    free((void *)root->opt.marks);
    free(root->kept);
    free(root->old_tokens);
    free(root->old_marks);
    free(root->stop_text);
    free(root->scores);
    free(root->score_tops);
    free_choice(root);
    ingle_session_drop(s);
}

/* Room for the ends of its messages; what is left of the prompt, and what is needed to take back
 * that messages of the session were dropped. */
static ingle_status open_drop(ingle_request *r, const int32_t *prompt, size_t n, ingle_error *err)
{
    ingle_session *s = r->session;
    ingle_drop d = ingle_drop_after(r->drop, s->n), own = ingle_drop_before(r->drop, s->n);
    size_t *marks = (size_t *)r->opt.marks, n_dropped = d.to - d.from; /* a copy */
    bool there = ingle_grow(&s->marks, &s->marks_cap, s->n_marks + r->opt.n_marks, sizeof *marks);
    if (there && n_dropped && (r->kept = ingle_new(n - n_dropped, sizeof *prompt))) {
        memcpy(r->kept, prompt, d.from * sizeof *prompt);
        memcpy(r->kept + d.from, prompt + d.to, (n - d.to) * sizeof *prompt);
    }
    if (there && own.to != own.from) {
        r->old_tokens = copy_of(s->tokens, r->n_old = s->n, sizeof *s->tokens);
        r->old_marks = copy_of(s->marks, r->n_old_marks = s->n_marks, sizeof *s->marks);
        there = r->old_tokens && r->old_marks;
    }
    if (!there || (n_dropped && !r->kept))
        return ingle_fail(err, INGLE_ENOMEM, "no memory for a generation");
    r->first -= own.to - own.from;
    r->n_prompt -= n_dropped;
    r->n_max += r->drop.to - r->drop.from;
    r->opt.n_marks = ingle_drop_marks(marks, r->opt.n_marks, d);
    r->usage.n_dropped = r->drop.to - r->drop.from;
    r->usage.i_dropped = r->drop.from;
    return INGLE_OK;
}

static ingle_status open_request(ingle_request **out, ingle_session *s, const int32_t *prompt,
                                 size_t n, const ingle_generate_options *opt, ingle_sampler *lent,
                                 ingle_drop drop, ingle_error *err)
{
    ingle_request *r = *out = ingle_new(1, sizeof *r);
    if (!r) return ingle_fail(err, INGLE_ENOMEM, "no memory for a generation");
    r->session = s;
    ingle_session_retain(s);
    r->root = r;
    r->opt = *opt;
    r->opt.stops = NULL;
    r->opt.stop_tokens = NULL;
    r->opt.marks = NULL;
    r->sampler = lent;
    r->vocab = s->engine->model->vocab;
    r->first = s->n;
    r->n_prompt = r->usage.n_prompt = n;
    r->drop = drop;
    r->n_max = (size_t)s->engine->opt.n_ctx - s->n - n; /* as the drop adds to it */
    ingle_status st = copy_lists(r, opt, err);
    if (!st) st = open_drop(r, prompt, n, err);
    if (opt->max_tokens >= 0 && (size_t)opt->max_tokens < r->n_max)
        r->n_max = (size_t)opt->max_tokens;
    if (!st) st = ingle_turn_open(r, err);
    if (!st) st = open_scores(r, err);
    if (!st) st = open_sampler(r, r->kept ? r->kept : prompt, r->n_prompt, err);
    return st ? st : open_ends(r, err);
}

/* One choice more, in a session that nobody else knows. */
static ingle_status open_choice(ingle_request *root, ingle_request **last,
                                const ingle_constraint *constraint, ingle_error *err)
{
    ingle_request *r = ingle_new(1, sizeof *r);
    if (!r) return ingle_fail(err, INGLE_ENOMEM, "no memory for %d choices", root->opt.n);
    r->root = root;
    r->i_choice = (*last)->i_choice + 1;
    *last = (*last)->next_choice = r;
    r->opt = root->opt; /* the lists are the root's */
    r->opt.prompt_logprobs = -1;
    r->opt.n_marks = 0;
    r->own_sampler = true;
    r->vocab = root->vocab;
    r->n_texts = root->n_texts;
    r->n_prompt = 1; /* its last token; the rest is shared */
    r->usage.n_prompt = root->n_prompt;
    r->n_max = root->n_max;
    ingle_status st = ingle_session_open(&r->session, root->session->engine, err);
    if (!st) st = ingle_turn_open(r, err);
    if (!st) st = open_ends(r, err);
    if (!st) st = ingle_sampler_clone(&r->sampler, root->sampler, r->i_choice, err);
    if (!st && constraint && !(r->constraint = constraint->ops->clone(constraint)))
        st = ingle_fail(err, INGLE_ENOMEM, "no memory for %d choices", root->opt.n);
    return st;
}

/* Thinking of the chat's family, which is limited or can be ended, around what the answer may be. */
static ingle_status limit_thinking(ingle_request *root, ingle_constraint **constraint,
                                   ingle_error *err)
{
    const ingle_generate_options *o = &root->opt;
    const ingle_model *m = root->session->engine->model;
    if (!o->chat) return INGLE_OK;
    if (o->chat->model != m)
        return ingle_fail(err, INGLE_EINVAL, "option 'chat' was opened for another model");
    const ingle_thinking *k = o->chat->plain.profile.thinking;
    if (!k) k = ingle_chat_form_for(o->chat, true)->profile.thinking;
    root->has_chat = true;
    if (!k && o->n_thinking >= 0)
        return ingle_fail(err, INGLE_EUNSUPPORTED,
                          "option 'n_thinking': models of the family %s do not think",
                          o->chat->plain.profile.family->name);
    if (!k) return INGLE_OK;
    if (!root->vocab)
        return ingle_fail(err, INGLE_EINVAL,
                          "option 'chat': the model was opened without its vocabulary");
    const ingle_thinking_limit limit = {.syntax = k,
                                        .vocab = root->vocab,
                                        .n_vocab = (size_t)m->n_vocab,
                                        .thinks = o->thinks,
                                        .n_tokens = o->n_thinking,
                                        .ended = &root->thought_enough};
    return ingle_thinking_constrain(constraint, *constraint, &limit, err);
}

static ingle_status open_choices(ingle_request *root, ingle_request_inside *inside,
                                 ingle_error *err)
{
    ingle_status st = INGLE_OK;
    ingle_request *last = root;
    if (root->opt.grammar && inside->constraint)
        st = ingle_fail(err, INGLE_EINVAL, "a grammar and another constraint");
    else if (root->opt.grammar)
        st = ingle_grammar_constrain(&inside->constraint, root->opt.grammar,
                                     root->session->engine->model, err);
    root->opt.grammar = NULL; /* what it compiled to is kept */
    if (!st) st = limit_thinking(root, &inside->constraint, err);
    root->opt.chat = NULL; /* what it says is constant */
    for (int32_t i = 1; !st && i < root->opt.n; i++) {
        st = open_choice(root, &last, inside->constraint, err);
        last->drafter = inside->drafter;
    }
    return st;
}

/* ---- starting ---- */

/* Tasks that wait, beyond those for which a seat is free: the next step lets these run. */
static size_t n_waiting(const ingle_engine *e)
{
    size_t n = e->n_queued + e->n_running, n_seats = (size_t)e->opt.n_parallel;
    return n > n_seats ? n - n_seats : 0;
}

static ingle_status check_queue(const ingle_engine *e, ingle_error *err)
{
    ingle_status st = ingle_engine_usable(e, err);
    if (st) return st;
    if (e->draining) return ingle_fail(err, INGLE_ECLOSED, "the engine starts no more requests");
    if (e->opt.n_queue && n_waiting(e) >= (size_t)e->opt.n_queue)
        return ingle_fail(err, INGLE_EQUEUE, "%zu requests wait, option 'n_queue' allows no more",
                          n_waiting(e));
    return INGLE_OK;
}

static double until(double now, double seconds)
{
    return seconds > 0 ? now + seconds : INFINITY;
}

/* The lock is held. */
static void queue_request(ingle_request *r, const int32_t *prompt)
{
    ingle_session *s = r->session;
    double now = ingle_now();
    ingle_drop_do(r);
    ingle_task_prepare(s, INGLE_TASK_GENERATE, r->kept ? r->kept : prompt, r->n_prompt);
    ingle_task *t = &s->task;
    t->request = s->request = r;
    t->class = r->opt.priority;
    t->queue_until = until(now, r->opt.queue_s);
    t->run_until = until(now, r->opt.deadline_s);
    t->worst = t->n_end + r->n_max;
    if (!r->n_prompt || r->scores) ingle_session_lag(s); /* its row is asked for */
    if (!s->n) s->salt = r->opt.cache_salt;
    if (!s->n) s->shares = s->engine->shares;
    if (r->opt.no_reuse) s->shares = false;
    s->engine->n_requests++;
    s->engine->stats.n_requests++;
    ingle_task_queue(s);
}

ingle_status ingle_request_begin(ingle_request **out, ingle_session *s, const int32_t *prompt,
                                 size_t n, const ingle_generate_options *opt,
                                 const ingle_request_inside *given, ingle_error *err)
{
    ingle_generate_options o;
    ingle_request *r = NULL;
    ingle_request_inside inside_own = *given, *inside = &inside_own;
    ingle_drop drop = {0, 0};
    ingle_status st = ingle_session_enter(s, err);
    if (!st) {
        st = ingle_request_take_options(&o, opt, err);
        if (!st) st = check(s, prompt, n, &o, inside->sampler, &drop, err);
        if (!st) st = open_request(&r, s, prompt, n, &o, inside->sampler, drop, err);
        if (!st) st = open_choices(r, inside, err);
        if (!st) {
            ingle_engine_lock(s->engine);
            if (!(st = check_queue(s->engine, err))) {
                r->constraint = inside->constraint;
                r->drafter = inside->drafter;
                queue_request(r, prompt);
            }
            ingle_engine_unlock(s->engine);
        }
        if (st) {
            free_request(r);
            r = NULL;
            ingle_session_leave(s);
        }
    }
    if (st && inside->constraint) inside->constraint->ops->free(inside->constraint);
    *out = r;
    return st;
}

ingle_status ingle_request_start(ingle_request **out, ingle_session *s, const int32_t *prompt,
                                 size_t n, const ingle_generate_options *opt, ingle_error *err)
{
    const ingle_request_inside inside = {.sampler = NULL};
    if (!out) return ingle_fail(err, INGLE_EINVAL, "ingle_request_start: out is NULL");
    *out = NULL;
    if (opt && opt->on_event)
        return ingle_fail(err, INGLE_EINVAL,
                          "option 'on_event' is for ingle_generate(); events of a request are read "
                          "by ingle_request_next()");
    return ingle_request_begin(out, s, prompt, n, opt, &inside, err);
}

/* ---- reading ---- */

static bool all_ended(const ingle_request *root)
{
    for (const ingle_request *r = root; r; r = r->next_choice)
        if (!r->ended) return false;
    return true;
}

static bool has_event(void *user)
{
    const ingle_request *root = user;
    if (root->progressed || root->n_scores_read < root->n_scored) return true;
    for (const ingle_request *r = root; r; r = r->next_choice)
        if (r->ring.n_read < r->ring.n_shown) return true;
    return all_ended(root);
}

/* The event given out last is done with: there is room for another one. */
static void take_back(const ingle_request *root)
{
    ingle_request *r = root->given;
    if (!r || !r->ring.lent) return;
    r->ring.lent = false;
    r->ring.n_read++;
    if (!r->ended) ingle_queue_changed(r->session->engine);
}

/* The session is free from now on. The request has a reference to it, so this is never the last.
 * The lock is held. */
static void leave_session(ingle_request *r)
{
    if (r->left_session) return;
    r->session->request = NULL;
    ingle_session_leave(r->session);
    r->left_session = true;
}

/* The choice after the one that was read last whose events wait; NULL: none do. */
static ingle_request *next_with_event(ingle_request *root)
{
    ingle_request *r = root->given ? root->given : root;
    for (int32_t i = 0; i < root->opt.n; i++) {
        r = r->next_choice ? r->next_choice : root;
        if (r->ring.n_read < r->ring.n_shown) return r;
    }
    return NULL;
}

/* A choice failed: why, and the session is as it was. */
static ingle_status give_failure(ingle_request *root, ingle_error *err)
{
    ingle_request *r = root;
    while (!r->end_status) r = r->next_choice;
    if (err) *err = r->end_error;
    ingle_session *s = root->session;
    if (!root->end_status) {
        ingle_sequence_cut(s, root->first, s->n_live < root->first ? s->n_live : root->first);
        ingle_drop_undo(root);
    }
    root->end_read = true;
    return r->end_status;
}

static void give_score(ingle_request *r)
{
    size_t i = r->n_scores_read++, n_top = (size_t)r->opt.prompt_logprobs;
    r->own = (ingle_event){.size = sizeof r->own,
                           .kind = INGLE_EVENT_SCORE,
                           .token = r->session->tokens[r->first + i],
                           .text = "",
                           .logprob = r->scores[i].logprob,
                           .top = r->score_tops + i * n_top,
                           .n_top = (size_t)r->scores[i].n_top,
                           .n_done = i,
                           .n_prompt = r->n_prompt};
}

/* Something is there: *event, or the status that the request ended with. Events of the prompt come
 * first. */
static ingle_status give(ingle_request *r, const ingle_event **event, ingle_error *err)
{
    ingle_request *choice;
    *event = &r->own;
    if (r->progressed) {
        r->progressed = false;
        r->own = (ingle_event){.size = sizeof r->own,
                               .kind = INGLE_EVENT_PROMPT,
                               .text = "",
                               .n_done = r->n_done,
                               .n_prompt = r->n_prompt};
    } else if (r->n_scores_read < r->n_scored) {
        give_score(r);
    } else if ((choice = next_with_event(r))) {
        r->given = choice;
        *event = &choice->ring.event[choice->ring.n_read % INGLE_PLACES];
        choice->ring.lent = true;
        r->n_ends_read += (*event)->kind == INGLE_EVENT_END;
        r->end_read = r->n_ends_read == (size_t)r->opt.n;
    } else return give_failure(r, err);
    return INGLE_OK;
}

/* With a copy for the reader, if it wants one: who closes the request meanwhile waits till it is
 * made, and for the session to be free. */
static ingle_status pull(ingle_request *r, double timeout_s, const ingle_event **event,
                         ingle_event *copy, ingle_error *err)
{
    ingle_session *s = r->session;
    ingle_engine *e = s->engine;
    ingle_status st;
    ingle_engine_hold(e);
    ingle_engine_lock(e);
    if (r->reading) st = ingle_fail(err, INGLE_EBUSY, "another caller reads this request");
    else if (r->end_read) st = ingle_fail(err, INGLE_ENOTFOUND, "the request has ended");
    else {
        double at = timeout_s < 0 ? INFINITY : ingle_now() + timeout_s;
        take_back(r);
        r->reading = true;
        bool there = timeout_s == 0 ? has_event(r) : ingle_wheel_part(e, s, has_event, r, at);
        r->reading = false;
        if (there) st = give(r, event, err);
        else st = ingle_fail(err, INGLE_ETIMEOUT, "no event within %g s", timeout_s);
        if (copy && !st) ingle_result_give(copy, *event, sizeof **event);
        if (copy && r->end_read) leave_session(r);
        ingle_wheel_tell(&e->wheel, s); /* whoever closes it waits for this */
    }
    ingle_engine_unlock(e);
    ingle_engine_drop(e);
    return st;
}

ingle_status ingle_request_pull(ingle_request *r, double timeout_s, const ingle_event **event,
                                ingle_error *err)
{
    return pull(r, timeout_s, event, NULL, err);
}

ingle_status ingle_request_next(ingle_request *r, double timeout_s, ingle_event *event,
                                ingle_error *err)
{
    const ingle_event *own = NULL;
    if (!r) return ingle_fail(err, INGLE_ECLOSED, "the request is closed");
    ingle_status st = ingle_result_check(event, sizeof *event, "ingle_event", err);
    if (st) return st;
    if (isnan(timeout_s)) return ingle_fail(err, INGLE_EINVAL, "timeout_s is not a number");
    return pull(r, timeout_s, &own, event, err);
}

/* ---- ending ---- */

/* The lock is held. */
static void cancel(ingle_request *r)
{
    for (ingle_request *c = r; c; c = c->next_choice)
        if (!c->ended) c->session->task.cancelled = true;
    ingle_queue_sweep(r->session->engine, ingle_now());
}

ingle_status ingle_request_cancel(ingle_request *r, ingle_error *err)
{
    if (!r) return ingle_fail(err, INGLE_ECLOSED, "the request is closed");
    ingle_engine_lock(r->session->engine);
    cancel(r);
    ingle_queue_changed(r->session->engine);
    ingle_engine_unlock(r->session->engine);
    return INGLE_OK;
}

ingle_status ingle_request_end_thinking(ingle_request *r, ingle_error *err)
{
    if (!r) return ingle_fail(err, INGLE_ECLOSED, "the request is closed");
    if (!r->has_chat)
        return ingle_fail(err, INGLE_EINVAL, "the request was started without option 'chat'");
    atomic_store_explicit(&r->thought_enough, true, memory_order_relaxed);
    return INGLE_OK;
}

static bool is_alone(void *user)
{
    const ingle_request *r = user;
    return all_ended(r) && !r->reading && !r->calls_ready;
}

void ingle_request_close(ingle_request **request)
{
    if (!request || !*request) return;
    ingle_request *r = *request;
    ingle_engine *e = r->session->engine;
    *request = NULL;
    ingle_engine_lock(e);
    cancel(r);
    ingle_queue_changed(e);
    ingle_queue_announce(e);
    ingle_wheel_part(e, r->session, is_alone, r, INFINITY);
    leave_session(r);
    ingle_engine_unlock(e);
    free_request(r);
}
