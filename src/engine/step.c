/* step.c - the step: a batch of what tasks want, run by the backend, with what follows every row as
 * its end, and what it leaves in sessions and requests. All with the lock held, which a step lets
 * go while the backend runs. Whatever a step needs is taken while it is formed, so it cannot fail
 * for want of anything. */
#include "engine/request.h"
#include "engine/stats.h"
#include "engine/turns.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* ---- what tasks want ---- */

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static bool has_prompt_left(const ingle_session *s)
{
    return s->n_live < s->task.first + s->task.request->n_prompt;
}

/* Tokens that a constraint or a drafter says may come next; no more than the request can take. */
static size_t propose(ingle_session *s)
{
    ingle_request *r = s->task.request;
    size_t room = INGLE_RING - least(r->ring.n_made - r->ring.n_read, INGLE_RING), n = 0;
    size_t cap = least(INGLE_MAX_DRAFT, room - 1);
    cap = least(cap, r->n_max - r->n_generated - 1);
    cap = least(cap, s->engine->opt.n_batch - 1u);
    if (!cap) return 0;
    if (r->constraint && r->constraint->ops->propose)
        n = r->constraint->ops->propose(r->constraint, r->draft, cap);
    if (!n && r->drafter.propose)
        n = r->drafter.propose(r->drafter.user, s->tokens, s->task.n_end, r->draft, cap);
    for (size_t i = 0; i < n; i++)
        if (r->draft[i] < 0 || r->draft[i] >= s->engine->model->n_vocab) return i;
    return n;
}

static ingle_rows rows_of_task(const ingle_task *t)
{
    if (t->kind == INGLE_TASK_SCORE) return INGLE_ROWS_ALL;
    if (t->kind == INGLE_TASK_GENERATE)
        return !t->request->n_max && t->request->opt.prompt_logprobs < 0 ? INGLE_ROWS_NONE
               : t->request->opt.prompt_logprobs >= 0                    ? INGLE_ROWS_ALL
                                                                         : INGLE_ROWS_LAST;
    if (t->kind == INGLE_TASK_EMBED || t->rows == INGLE_ROWS_NONE) return INGLE_ROWS_NONE;
    return t->rows == INGLE_ROWS_ALL ? INGLE_ROWS_ALL : INGLE_ROWS_LAST;
}

/* Whether further choices wait for the prompt. */
static bool forks(const ingle_task *t)
{
    const ingle_request *r = t->kind == INGLE_TASK_GENERATE ? t->request : NULL;
    return r && r == r->root && r->next_choice && !r->forked;
}

/* Logits are only made by models that read in one direction. */
static bool reads_both(const ingle_task *t)
{
    return t->kind == INGLE_TASK_EMBED && t->embed.both;
}

/* Where a piece ends so that a checkpoint can be left: where others may go on, at marks, and one
 * token before the end, as whoever has the same prompt computes that token. 0: nowhere. */
static size_t next_cut(const ingle_session *s)
{
    const ingle_task *t = &s->task;
    size_t cut = SIZE_MAX, last = t->n_end - 1;
    if (!s->engine->tree.needs_checkpoints || t->kind == INGLE_TASK_EMBED) return 0;
    if (forks(t) && last > s->n_live) cut = last;
    if (!s->shares) return cut == SIZE_MAX ? 0 : cut;
    if (t->branch > s->n_live && t->branch < t->n_end) cut = t->branch;
    if (t->n_end >= INGLE_PREFIX_WAIT && last > s->n_live) cut = least(cut, last);
    for (size_t i = 0; t->kind == INGLE_TASK_GENERATE && i < t->request->opt.n_marks; i++) {
        size_t mark = t->first + t->request->opt.marks[i];
        if (mark > s->n_live && mark < t->n_end) cut = least(cut, mark);
    }
    return cut == SIZE_MAX ? 0 : cut;
}

/* What the session's task wants of the next step; false: nothing, until its reader has made room. */
static bool want(ingle_session *s, double now, ingle_want *w)
{
    ingle_task *t = &s->task;
    size_t left = t->n_end - s->n_live;
    t->n_draft = 0;
    t->cut = next_cut(s);
    if (t->kind == INGLE_TASK_GENERATE && !has_prompt_left(s)) {
        if (!ingle_turn_has_room(t->request, 1)) return false;
        /* After tokens that lag, a chain that breaks would keep them from being computed. */
        if (left == 1) t->n_draft = propose(s);
    }
    *w = (ingle_want){.class = ingle_class_at((int)t->class, t->arrived, now),
                      .decoding = left == 1 && t->kind != INGLE_TASK_EMBED,
                      .n = left + t->n_draft,
                      .pos = s->n_live,
                      .rows = rows_of_task(t),
                      .cut = t->cut > s->n_live ? t->cut - s->n_live : SIZE_MAX,
                      .whole = reads_both(t),
                      .arrived = t->arrived,
                      .served = t->served,
                      .hidden = t->kind == INGLE_TASK_EMBED,
                      .pooling = (int)t->embed.pooling};
    return true;
}

/* ---- rows ---- */

/* What the rows of a text are for: a rank is made of one of them or of the mean. */
static ingle_pooling rows_of(const ingle_model *m, ingle_pooling pooling)
{
    static const ingle_pooling ranks[] = {[INGLE_RANK_FIRST] = INGLE_POOLING_CLS,
                                          [INGLE_RANK_MEAN] = INGLE_POOLING_MEAN,
                                          [INGLE_RANK_LAST] = INGLE_POOLING_LAST};
    return pooling == INGLE_POOLING_RANK ? ranks[m->family->rank] : pooling;
}

/* Whether token i of n gives a row. */
static bool gives_row(ingle_pooling rows, size_t i, size_t n)
{
    return rows == INGLE_POOLING_CLS ? i == 0 : rows == INGLE_POOLING_LAST ? i == n - 1 : true;
}

/* The rows that a text gives to the batch with the tokens of this step. */
static void want_text(ingle_engine *e, ingle_batch *batch, const ingle_batch_seq *seq,
                      const ingle_session *s)
{
    const ingle_embed_task *t = &s->task.embed;
    ingle_pooling rows = rows_of(e->model, t->pooling);
    size_t n = s->task.n_end;
    ingle_batch_text text = {.first_row = batch->n_rows,
                             .n = n,
                             .ends = rows == INGLE_POOLING_CLS || seq->pos0 + seq->n == n,
                             .out = t->fresh};
    if (rows == INGLE_POOLING_MEAN) text.sum = t->fresh + t->n_vector;
    for (size_t i = 0; i < seq->n; i++) {
        size_t pos = seq->pos0 + i;
        if (!gives_row(rows, pos, n)) continue;
        float *out = rows == INGLE_POOLING_NONE ? t->fresh + pos * t->n_vector : NULL;
        e->rows[batch->n_rows++] =
            (ingle_batch_row){.token = (uint32_t)(seq->first + i), .out = out};
    }
    text.n_rows = batch->n_rows - text.first_row;
    if (text.n_rows && rows != INGLE_POOLING_NONE) e->texts[batch->n_texts++] = text;
}

/* Whether the token at `pos` has a row of logits. */
static bool has_logits(const ingle_session *s, size_t pos)
{
    const ingle_task *t = &s->task;
    switch (rows_of_task(t)) {
    case INGLE_ROWS_NONE: return false;
    case INGLE_ROWS_LAST: return pos + 1 >= t->n_end;
    case INGLE_ROWS_ALL: break;
    }
    if (t->kind == INGLE_TASK_SCORE) return pos + 1 >= t->first && pos + 1 < t->n_end;
    if (pos + 1 < t->first) return false;
    if (t->kind != INGLE_TASK_GENERATE) return pos >= t->first;
    if (pos + 1 >= t->n_end) return t->request->n_max > 0;
    return pos + 1 < t->first + t->request->n_prompt; /* it scores the next token of the prompt */
}

/* The rows of logits of a member. Those of an eval stay; of others they are seen to in turn. */
static void want_logits(ingle_engine *e, ingle_batch *batch, size_t member)
{
    const ingle_batch_seq *seq = &e->seqs[member];
    const ingle_session *s = e->members[member];
    for (size_t i = 0; i < seq->n; i++) {
        size_t pos = seq->pos0 + i;
        if (!has_logits(s, pos)) continue;
        bool all = s->task.rows == INGLE_ROWS_ALL;
        size_t row = all ? pos - s->task.first : 0;
        float *out =
            s->task.kind == INGLE_TASK_EVAL ? s->logits + row * (size_t)e->model->n_vocab : NULL;
        e->owner[batch->n_rows] = (ingle_row_owner){(uint32_t)member, (uint32_t)i};
        e->rows[batch->n_rows++] =
            (ingle_batch_row){.token = (uint32_t)(seq->first + i), .out = out};
    }
}

static void want_rows(ingle_engine *e, ingle_batch *batch)
{
    for (size_t i = 0; i < batch->n_seqs; i++)
        if (e->members[i]->task.kind != INGLE_TASK_EMBED) want_logits(e, batch, i);
    batch->n_logits = batch->n_rows;
    for (size_t i = 0; i < batch->n_seqs; i++) {
        const ingle_session *s = e->members[i];
        if (s->task.kind != INGLE_TASK_EMBED) continue;
        batch->pooling = s->task.embed.pooling;
        want_text(e, batch, &e->seqs[i], s);
    }
}

/* ---- the batch ---- */

/* The step leaves the next state elsewhere where the live one stays: if it is due for a checkpoint,
 * if others have it too, and if a proposed chain may have to come back to it. That one is not
 * proposed if there is no slot. */
static void place_state(ingle_engine *e, ingle_session *s, ingle_batch_seq *seq, size_t *n)
{
    ingle_task *t = &s->task;
    uint32_t live = s->states.slot[0], fresh = live;
    if (!e->recurrent) return;
    bool must = live == INGLE_NO_STATE || e->states.refs[live] > 1;
    bool keep = live != INGLE_NO_STATE && (t->n_draft || ingle_states_due(&s->states, s->n_live));
    if (must || keep) {
        fresh = ingle_queue_state(e);
        if (fresh == INGLE_NO_STATE && ingle_states_give(&s->states, &e->states))
            fresh = ingle_queue_state(e);
    }
    seq->state_from = live == INGLE_NO_STATE ? fresh : live;
    seq->state = fresh == INGLE_NO_STATE ? live : fresh;
    if (fresh == INGLE_NO_STATE) {
        *n -= t->n_draft;
        t->n_draft = 0;
    } else if (fresh != live) {
        uint32_t late = ingle_states_move(&s->states, &e->states, s->n_live, fresh, keep);
        if (late != INGLE_NO_STATE) e->late[e->n_late++] = late;
    }
}

/* What the backend does not know yet of the member's page tables. */
static void tell_tables(ingle_engine *e, const ingle_session *s, const ingle_batch_seq *seq)
{
    size_t n = (seq->pos0 + seq->n + INGLE_PAGE - 1) / INGLE_PAGE;
    ingle_slots_update(&e->slots, seq->slot, INGLE_GROUP_ALL, s->pages, n);
    if (s->window.width)
        ingle_slots_update(&e->slots, seq->slot, INGLE_GROUP_WINDOW, s->window.ids, n);
}

static void enter_batch(ingle_engine *e, ingle_batch *batch, ingle_session *s, size_t n)
{
    ingle_task *t = &s->task;
    size_t known = t->n_end - s->n_live;
    t->n_draft = n <= known ? 0 : n - known;
    int32_t *tokens = e->tokens + batch->n_tokens;
    ingle_batch_seq *seq = &e->seqs[batch->n_seqs];
    *seq = (ingle_batch_seq){.slot = ingle_slots_take(&e->slots, s),
                             .pos0 = s->n_live,
                             .first = batch->n_tokens,
                             .n_first = t->kind == INGLE_TASK_EMBED ? t->embed.n_first : 0,
                             .both = reads_both(t)};
    place_state(e, s, seq, &n);
    seq->n = n;
    memcpy(tokens, s->tokens + s->n_live, (n - t->n_draft) * sizeof *tokens);
    if (t->n_draft) memcpy(tokens + known, t->request->draft, t->n_draft * sizeof *tokens);
    tell_tables(e, s, seq);
    t->chunk = n;
    t->frozen = true;
    t->served = e->n_steps;
    e->members[batch->n_seqs++] = s;
    batch->n_tokens += n;
    if (t->kind != INGLE_TASK_GENERATE) return;
    ingle_request *r = t->request;
    r->n_made = 0;
    r->left = false;
    if (r->constraint && r->constraint->ops->prepare) r->constraint->ops->prepare(r->constraint);
}

static size_t collect(ingle_engine *e, double now)
{
    size_t n = 0;
    for (ingle_session *s = e->task_first; s; s = s->task_next) {
        if (s->task.state != INGLE_TASK_RUNS) continue;
        e->wanting[n] = s;
        n += want(s, now, &e->wants[n]);
    }
    return n;
}

/* Those who find their pages take part. Returns how many found them or asked for nothing; these come
 * first from now on. */
static size_t take_in(ingle_engine *e, ingle_batch *batch, size_t n)
{
    size_t n_kept = 0;
    for (size_t i = 0; i < n; i++) {
        ingle_session *s = e->wanting[i];
        size_t take = e->wants[i].take;
        bool found = !take || ingle_queue_take(s, s->n_live + take);
        if (take && found) enter_batch(e, batch, s, take);
        if (!found) {
            e->stats.n_paused += s->task.paused != e->n_steps + 1;
            s->task.paused = e->n_steps + 1;
            continue;
        }
        e->wanting[n_kept] = s;
        e->wants[n_kept++] = e->wants[i];
    }
    return n_kept;
}

/* Who takes part, with how many tokens. Whoever finds no page has to wait; the order is that of the
 * schedule, so decoding sessions come first. If all wait that it had chosen, it chooses among the
 * others, who may have what they need. */
static void fill_batch(ingle_engine *e, ingle_batch *batch, double now)
{
    size_t n = collect(e, now), n_before;
    const ingle_schedule_limits limits = {
        .n_batch = (size_t)e->opt.n_batch,
        .n_seqs = (size_t)e->opt.n_parallel,
        .step_s = (double)e->opt.step_s,
        .most_s = ingle_turns_others_wait(e->opt.turns) ? (double)e->opt.step_s : INFINITY};
    do {
        n_before = n;
        ingle_schedule(&e->cost, e->wants, n, &limits, e->order);
        n = take_in(e, batch, n);
    } while (!batch->n_seqs && n < n_before);
    want_rows(e, batch);
    batch->changes = e->slots.change;
    batch->n_changes = e->slots.n_changes;
    for (int g = 0; g < INGLE_GROUPS; g++)
        batch->clear[g] = (ingle_page_list){e->clear[g], e->n_clear[g]};
}

/* ---- the run ---- */

/* A row of logits is there: whose it is goes on from it. */
static void turn(void *user, size_t i_row, const float *logits, int i_thread)
{
    ingle_engine *e = user;
    ingle_row_owner owner = e->owner[i_row];
    const ingle_session *s = e->members[owner.member];
    const ingle_task *t = &s->task;
    if (t->kind == INGLE_TASK_GENERATE)
        ingle_turn_row(t->request, owner.i, logits, e->scratch[i_thread]);
    if (t->kind != INGLE_TASK_SCORE) return;
    size_t i = s->n_live + owner.i + 1 - t->first;
    ingle_turn_score(logits, (size_t)e->model->n_vocab, s->tokens[t->first + i],
                     &t->score.scores[i], t->score.tops + i * t->score.n_top, t->score.n_top);
}

static ingle_status run(ingle_engine *e, const ingle_batch *batch, ingle_error *err)
{
    ingle_status st = INGLE_OK;
    for (int g = 0; !st && g < INGLE_GROUPS; g++)
        st = e->ops->copy_pages(e->backend, (ingle_group)g, e->copies[g].to, e->copies[g].from,
                                e->copies[g].n, err);
    if (!st) st = e->ops->begin(e->backend, batch, err);
    for (size_t i = 0; !st && i < e->model->placement.n_stretches; i++)
        st = e->ops->part(e->backend, i, err);
    return st ? st : e->ops->end(e->backend, err);
}

/* ---- what it leaves ---- */

/* Others may have what was computed; where they are likely to go on, models with windows or states
 * leave a checkpoint. */
static void learn_prefix(ingle_session *s)
{
    if (s->engine->tree.needs_checkpoints && s->n_live == s->task.cut) ingle_sequence_mark(s);
    else ingle_sequence_publish(s);
    if (s->n_live >= s->task.n_end) ingle_queue_led(s);
}

/* Events become visible; whoever waits for them hears of it. */
static void show_events(ingle_session *s)
{
    ingle_request *r = s->task.request;
    bool some = r->ring.n_shown != r->ring.n_made || r->progressed;
    r->ring.n_shown = r->ring.n_made;
    assert(r->ring.n_shown - r->ring.n_read < INGLE_PLACES);
    if (!some) return;
    ingle_wheel_tell(&s->engine->wheel, r->root->session);
    ingle_queue_note_ready(r);
}

static void note_times(ingle_engine *e, ingle_session *s, double now)
{
    ingle_request *r = s->task.request;
    if (!r->n_made && !r->finish) return;
    if (!r->first_at) {
        r->first_at = now;
        r->usage.prompt_s = now - s->task.started;
        if (r == r->root) ingle_stats_note(&e->stats.first_token, now - s->task.arrived);
    } else ingle_stats_note(&e->stats.gap, now - r->shown_at);
    r->shown_at = now;
}

/* The tokens that were drawn go to the end of the timeline. Of a chain those positions count whose
 * token was drawn as proposed; where there is a recurrent state, all or none. */
static void commit_request(ingle_engine *e, ingle_session *s, double now)
{
    ingle_task *t = &s->task;
    ingle_request *r = t->request;
    size_t known = t->n_end, agreed = r->n_made > t->n_draft ? t->n_draft : r->n_made - !!r->n_made;
    size_t live = s->n_live + t->chunk - t->n_draft + agreed;
    bool prompt = has_prompt_left(s);
    if (agreed < t->n_draft && e->recurrent) {
        ingle_states_back(&s->states, &e->states, s->n_live);
        live = s->n_live;
    }
    memcpy(s->tokens + known, r->made, r->n_made * sizeof *r->made);
    s->n_live = live;
    if (live > s->n) s->n = live;
    if (prompt) {
        size_t end = t->first + r->n_prompt;
        size_t n_done = live < t->first ? 0 : least(live, end) - t->first;
        if (n_done >= r->n_done && !r->first_at) { /* else it is computed again */
            r->n_done = n_done;
            r->progressed = r == r->root;
            if (r->scores && live >= t->first) r->n_scored = least(n_done + 1, r->n_prompt);
        }
        if (live >= end) ingle_window_end(&s->window, end);
    }
    learn_prefix(s);
    ingle_queue_fork(s);
    t->n_end += r->n_made;
    r->usage.n_drafted += t->n_draft;
    r->usage.n_accepted += agreed;
    r->usage.n_computed += t->chunk;
    e->stats.n_generated += r->n_made;
    note_times(e, s, now);
    if (!r->finish && !r->status && !has_prompt_left(s) && !r->n_max)
        ingle_turn_finish(r, INGLE_FINISH_LENGTH);
    if (r->finish || r->status) {
        ingle_error error = r->error;
        ingle_task_end(s, r->status, &error);
        ingle_queue_note_ready(r);
    } else show_events(s);
}

static void commit_tokens(ingle_session *s)
{
    ingle_task *t = &s->task;
    s->n_live += t->chunk;
    if (s->n_live > s->n) s->n = s->n_live;
    if (t->kind != INGLE_TASK_EMBED) learn_prefix(s);
    if (s->n_live < t->n_end) return;
    if (t->n_end - t->first > 1) ingle_window_end(&s->window, s->n);
    ingle_task_end(s, INGLE_OK, NULL);
}

/* The step's tokens are there. */
static void commit(ingle_engine *e, size_t n_seqs, double now)
{
    for (size_t i = 0; i < n_seqs; i++) {
        ingle_session *s = e->members[i];
        s->task.frozen = false;
        if (s->task.kind == INGLE_TASK_GENERATE) commit_request(e, s, now);
        else commit_tokens(s);
        assert(ingle_session_is_sound(s));
    }
}

void ingle_engine_note_loss(ingle_engine *e, ingle_status st, const ingle_error *error)
{
    if (st != INGLE_EDEVICE || e->lost) return;
    e->lost = true;
    e->failure = *error;
    ingle_log_note(&e->log, INGLE_LOG_ERROR, "the backend failed: %s", error->text);
    e->stuck = false;
}

/* The step's tasks have failed. Nothing that its sequences had on the backend counts any more: they
 * keep their tokens, which are computed again when they go on, but for pages that the prefix tree
 * has too: no step writes those. */
static void fail(ingle_engine *e, size_t n_seqs, ingle_status st, const ingle_error *error)
{
    for (size_t i = 0; i < n_seqs; i++) {
        ingle_session *s = e->members[i];
        s->task.frozen = false;
        ingle_sequence_cut(s, s->n, 0);
        ingle_task_end(s, st, error);
        if (s->task.kind == INGLE_TASK_GENERATE) ingle_queue_note_ready(s->task.request);
    }
    ingle_engine_note_loss(e, st, error);
}

static void note_step(ingle_engine *e, const ingle_batch *batch, double begun)
{
    e->ended = ingle_now();
    e->took = e->ended - begun;
    e->n_loops = 0;
    for (size_t i = 0; i < batch->n_seqs; i++) e->n_loops += ingle_task_loops(e->members[i]);
    e->n_steps++;
    e->stats.n_steps++;
    ingle_stats_note(&e->stats.step, e->took);
}

static void learn(ingle_engine *e, const ingle_batch *batch)
{
    ingle_shape shape = {0};
    ingle_step_times times;
    size_t n_rows = batch->n_logits;
    for (size_t i = 0; i < batch->n_seqs; i++) {
        const ingle_batch_seq *seq = &batch->seqs[i];
        ingle_shape_add(&shape, seq->pos0, seq->n, 0);
    }
    shape.n_rows = n_rows;
    e->ops->times(e->backend, &times);
    ingle_cost_learn(&e->cost, &shape, &times);
}

/* ---- the step ---- */

bool ingle_task_loops(const ingle_session *s)
{
    const ingle_task *t = &s->task;
    return t->kind == INGLE_TASK_EVAL && t->heads && t->n_end - s->n_live == 1;
}

bool ingle_engine_has_work(const ingle_engine *e)
{
    return e->task_first && (!e->stuck || e->closed || e->lost);
}

/* The batch of this step; empty: nothing can be computed now. */
static void form(ingle_engine *e, ingle_batch *batch, double now)
{
    ingle_slots_begin(&e->slots);
    memset(e->n_clear, 0, sizeof e->n_clear);
    for (int g = 0; g < INGLE_GROUPS; g++) e->copies[g].n = 0;
    e->n_late = 0;
    ingle_queue_sweep(e, now);
    ingle_queue_park(e);
    ingle_queue_admit(e, now);
    do fill_batch(e, batch, now);
    while (!batch->n_tokens && ingle_queue_yield(e));
    e->stuck = !batch->n_tokens;
}

/* Engines that share a turnstile step one after the other. The engine's lock is free meanwhile; an
 * engine that is closed waits no longer. */
static void take_turn(ingle_engine *e)
{
    if (!e->opt.turns) return;
    pthread_mutex_unlock(&e->lock);
    ingle_turns_take(e->opt.turns, e, &e->leaving);
    pthread_mutex_lock(&e->lock);
}

size_t ingle_engine_step_once(ingle_engine *e)
{
    ingle_batch batch = {.tokens = e->tokens,
                         .seqs = e->seqs,
                         .rows = e->rows,
                         .texts = e->texts,
                         .turn = turn,
                         .user = e};
    ingle_error error;
    assert(e->wheel.taken);
    take_turn(e);
    double begun = ingle_now();
    form(e, &batch, begun);
    ingle_status st = INGLE_OK;
    if (batch.n_tokens) {
        assert(ingle_batch_is_sound(e, &batch));
        pthread_mutex_unlock(&e->lock);
        st = run(e, &batch, &error);
        pthread_mutex_lock(&e->lock);
        note_step(e, &batch, begun);
        if (e->n_late) ingle_pages_drop(&e->states, e->late, e->n_late);
        if (!st) learn(e, &batch);
        if (st) fail(e, batch.n_seqs, st, &error);
        else commit(e, batch.n_seqs, e->ended);
        if (!st) e->stats.n_tokens += batch.n_tokens;
    }
    ingle_turns_give(e->opt.turns, e);
    ingle_queue_announce(e);
    return st ? 0 : batch.n_tokens;
}

ingle_status ingle_engine_usable(const ingle_engine *e, ingle_error *err)
{
    if (e->closed) return ingle_fail(err, INGLE_ECLOSED, "the engine is closed");
    if (!e->lost) return INGLE_OK;
    if (err) *err = e->failure;
    return INGLE_EDEVICE;
}
