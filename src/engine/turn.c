/* turn.c - what follows a row of logits: the draw, stops, text, the event. It is the end of a step:
 * pool threads do it for several requests at the same time, each with scratch of its own.
 *
 * Bytes go  token's piece -> stop matcher -> UTF-8 assembly -> event. A token counts as returned
 * when all its bytes were let through by the matcher; at the end the session keeps the returned
 * ones. The text of a control token that a stop speaks of goes into the matcher and no further.
 *
 * A proposed chain of tokens only decides which rows exist. Each row is drawn from as it would have
 * been without the chain, with the next of the request's random numbers, and the next row counts
 * only if the token drawn is the one that was proposed: so the tokens are those of a generation
 * without chains, for every seed. */
#include "engine/request.h"
#include "sample/logprob.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { STOP_BYTES = 500 }; /* of the longest stop string */

/* ---- opening ---- */

static ingle_status no_memory(ingle_error *err)
{
    return ingle_fail(err, INGLE_ENOMEM, "no memory for a generation");
}

ingle_status ingle_turn_open(ingle_request *r, ingle_error *err)
{
    ingle_text_flow *f = &r->flow;
    size_t n_tops = r->opt.logprobs > 0 ? (size_t)r->opt.logprobs : 0;
    f->hit = SIZE_MAX;
    f->piece_cap = r->vocab ? ingle_vocab_longest(r->vocab) : 1;
    f->text_cap = f->piece_cap + STOP_BYTES + 8;
    f->held_cap = STOP_BYTES + 2;
    f->piece = ingle_new(f->piece_cap, 1);
    f->hidden = ingle_new(f->held_cap, sizeof *f->hidden);
    f->held = ingle_new(f->held_cap, sizeof *f->held);
    r->ring.event = ingle_new(INGLE_PLACES, sizeof *r->ring.event);
    size_t bytes, tops;
    if (ingle_mul_ok(INGLE_PLACES, f->text_cap, &bytes)) r->ring.text = ingle_new(bytes, 1);
    if (ingle_mul_ok(INGLE_PLACES, n_tops, &tops)) r->ring.top = ingle_new(tops, sizeof(ingle_top));
    if (!f->piece || !f->hidden || !f->held || !r->ring.event || !r->ring.text || !r->ring.top)
        return no_memory(err);
    ingle_status st = ingle_stopper_open(&f->stopper, r->opt.stops, r->opt.n_stops, err);
    return st ? st : ingle_stopper_reserve(f->stopper, f->piece_cap, err);
}

void ingle_turn_close(ingle_request *r)
{
    ingle_stopper_close(&r->flow.stopper);
    free(r->flow.piece);
    free(r->flow.hidden);
    free(r->flow.held);
    free(r->ring.event);
    free(r->ring.text);
    free(r->ring.top);
}

bool ingle_turn_has_room(const ingle_request *r, size_t n)
{
    return r->ring.n_made - r->ring.n_read + n <= INGLE_RING;
}

/* The next event that is made. */
static ingle_event *new_event(ingle_request *r, ingle_event_kind kind)
{
    size_t at = r->ring.n_made % INGLE_PLACES;
    ingle_event *event = &r->ring.event[at];
    *event = (ingle_event){.size = sizeof *event,
                           .kind = kind,
                           .text = r->ring.text + at * r->flow.text_cap,
                           .n_prompt = r->root->n_prompt,
                           .i_choice = r->i_choice};
    return event;
}

/* ---- text ---- */

static ingle_status piece_of(ingle_request *r, int32_t token, unsigned flags, size_t *len,
                             ingle_error *err)
{
    *len = 0;
    if (!r->vocab || token >= r->n_texts) return INGLE_OK; /* no text */
    return ingle_vocab_piece(r->vocab, token, flags, r->flow.piece, r->flow.piece_cap, len, err);
}

/* Whether a stop holds this text as a whole. */
static bool in_a_stop(const ingle_request *r, const char *text, size_t len)
{
    for (size_t s = 0; s < r->opt.n_stops; s++)
        for (size_t i = 0; len && i + len <= r->opt.stops[s].len; i++)
            if (memcmp(r->opt.stops[s].text + i, text, len) == 0) return true;
    return false;
}

/* The bytes of a token that the matcher sees; those of a control token are hidden. */
static ingle_status matched_piece(ingle_request *r, int32_t token, size_t *len, ingle_error *err)
{
    ingle_text_flow *f = &r->flow;
    ingle_token_info info;
    ingle_status st = piece_of(r, token, 0, len, err);
    if (st || *len || !r->opt.n_stops || !r->vocab) return st;
    if (ingle_vocab_token(r->vocab, token, &info, NULL) || !info.control) return st;
    if (!in_a_stop(r, info.text, info.len)) return st;
    if ((st = piece_of(r, token, INGLE_UNPARSE_SPECIAL, len, err)) || !*len) return st;
    assert(f->n_hidden < f->held_cap); /* each has a byte that is held back */
    f->hidden[f->n_hidden++] = (ingle_hidden){f->fed, f->fed + *len};
    return INGLE_OK;
}

/* What of n bytes from position `at` of the stream may be shown, as whole characters, in text. */
static size_t assemble(ingle_text_flow *f, const char *bytes, size_t n, size_t at, bool last,
                       char *text)
{
    size_t len = 0, done = 0, h = 0;
    for (; h < f->n_hidden && f->hidden[h].from < at + n; h++) {
        ingle_hidden *hidden = &f->hidden[h];
        size_t from = hidden->from - at, to = (hidden->to < at + n ? hidden->to : at + n) - at;
        len += ingle_utf8_stream_feed(&f->utf8, bytes + done, from - done, false, text + len);
        done = to;
        hidden->from = at + to;
        if (hidden->from < hidden->to) break; /* the rest is still held back */
    }
    f->n_hidden -= h;
    if (h) memmove(f->hidden, f->hidden + h, f->n_hidden * sizeof *f->hidden);
    return len + ingle_utf8_stream_feed(&f->utf8, bytes + done, n - done, last, text + len);
}

/* Feeds bytes of the piece through matcher and assembly into the event. */
static ingle_status pass(ingle_text_flow *f, size_t n, bool flush, ingle_event *event,
                         ingle_error *err)
{
    const char *safe = f->piece;
    size_t n_safe = n;
    ingle_status st =
        ingle_stopper_feed(f->stopper, f->piece, n, flush, &safe, &n_safe, &f->hit, err);
    if (st) return st;
    f->fed += n;
    assert(n_safe + 8 <= f->text_cap);
    event->text_len = assemble(f, safe, n_safe, f->safe, flush || f->hit != SIZE_MAX,
                               (char *)event->text); /* the ring's own */
    f->safe += n_safe;
    return INGLE_OK;
}

/* Counts a token whose bytes end where the stream ends now. */
static void hold_token(ingle_text_flow *f)
{
    size_t gone = 0;
    if (f->n_held && f->held[f->n_held - 1].end == f->fed) f->held[f->n_held - 1].n++;
    else {
        assert(f->n_held < f->held_cap); /* each ends with a byte that is held back, or the last */
        f->held[f->n_held++] = (ingle_held){f->fed, 1};
    }
    for (; gone < f->n_held && f->held[gone].end <= f->safe; gone++)
        f->n_returned += f->held[gone].n;
    f->n_held -= gone;
    if (gone) memmove(f->held, f->held + gone, f->n_held * sizeof *f->held);
}

/* ---- one token ---- */

static bool is_stop_token(const ingle_request *r, int32_t token)
{
    ingle_token_info info;
    for (size_t i = 0; i < r->opt.n_stop_tokens; i++)
        if (r->opt.stop_tokens[i] == token) return true;
    return !r->opt.ignore_eog && r->vocab && !ingle_vocab_token(r->vocab, token, &info, NULL) &&
           info.eog;
}

static void log_probabilities(ingle_request *r, const float *logits, ingle_event *event)
{
    size_t n_vocab = (size_t)r->session->engine->model->n_vocab, n = (size_t)r->opt.logprobs;
    double log_sum = ingle_logprob_sum(logits, n_vocab);
    ingle_top *top = r->ring.top + r->ring.n_made % INGLE_PLACES * n;
    event->logprob = (float)((double)event->logit - log_sum);
    event->top = top;
    event->n_top = ingle_logprob_top(logits, n_vocab, log_sum, top, n);
}

static ingle_status show(ingle_request *r, const ingle_candidate *c, const float *logits)
{
    ingle_event *event = new_event(r, INGLE_EVENT_TOKEN);
    size_t len;
    ingle_status st = matched_piece(r, c->token, &len, &r->error);
    if (!st) st = pass(&r->flow, len, false, event, &r->error);
    if (st) return st;
    event->token = c->token;
    event->logit = logits[c->token];
    event->prob = c->prob;
    if (r->opt.logprobs >= 0) log_probabilities(r, logits, event);
    hold_token(&r->flow);
    r->ring.n_made++;
    r->n_generated++;
    return INGLE_OK;
}

/* Takes the token: the end of the text, or one of it. */
static ingle_status take(ingle_request *r, const ingle_candidate *c, const float *logits)
{
    bool stops = is_stop_token(r, c->token);
    if (r->constraint && !stops) {
        ingle_status st = r->constraint->ops->accept(r->constraint, c->token, &r->error);
        if (st == INGLE_EFORMAT)
            ingle_fail(&r->error, st, "the constraint refuses token %d that it admits", c->token);
        if (st) return st;
    }
    if (stops) {
        r->finish = INGLE_FINISH_STOP;
        return INGLE_OK;
    }
    ingle_status st = show(r, c, logits);
    if (!st) st = ingle_sampler_accept(r->sampler, c->token, &r->error);
    if (st) return st;
    r->made[r->n_made++] = c->token;
    bool ended = r->constraint && r->constraint->ops->must_end(r->constraint);
    if (r->flow.hit != SIZE_MAX || ended) r->finish = INGLE_FINISH_STOP;
    else if (r->n_generated == r->n_max) r->finish = INGLE_FINISH_LENGTH;
    return INGLE_OK;
}

void ingle_turn_score(const float *logits, size_t n_vocab, int32_t token, ingle_score *score,
                      ingle_top *top, size_t n_top)
{
    double log_sum = ingle_logprob_sum(logits, n_vocab);
    score->logprob = (float)((double)logits[token] - log_sum);
    score->rank = (int32_t)ingle_logprob_rank(logits, n_vocab, token);
    score->n_top = (int32_t)ingle_logprob_top(logits, n_vocab, log_sum, top, n_top);
}

/* The row before prompt token j scores it. */
static void score_prompt(ingle_request *r, size_t j, const float *logits)
{
    const ingle_session *s = r->session;
    size_t n_top = (size_t)r->opt.prompt_logprobs;
    ingle_turn_score(logits, (size_t)s->engine->model->n_vocab, s->tokens[s->task.first + j],
                     &r->scores[j], r->score_tops + j * n_top, n_top);
}

/* The mask without what ends the answer, while it is too short; unless nothing else is left. */
static const uint32_t *without_ends(ingle_request *r, const uint32_t *mask)
{
    size_t n = (size_t)r->session->engine->model->n_vocab;
    uint32_t some = 0;
    if (!r->ends || r->n_generated >= (size_t)r->opt.min_tokens) return mask;
    for (size_t i = 0; i * 32 < n; i++) {
        r->bits[i] = (mask ? mask[i] : UINT32_MAX) & ~r->ends[i];
        if (n - i * 32 < 32) r->bits[i] &= (1u << (n - i * 32)) - 1;
        some |= r->bits[i];
    }
    return some ? r->bits : mask;
}

void ingle_turn_row(ingle_request *r, size_t i, const float *logits, ingle_sample_scratch *scratch)
{
    const ingle_session *s = r->session;
    size_t pos = s->n_live + i, known = s->task.n_end;
    ingle_candidate c = {0};
    if (pos + 1 < known) {
        score_prompt(r, pos + 1 - s->task.first, logits);
        return;
    }
    if (r->left) return;
    const uint32_t *mask = NULL;
    ingle_status st = INGLE_OK;
    if (r->constraint) st = r->constraint->ops->mask(r->constraint, &mask, &r->error);
    if (!st) mask = without_ends(r, mask);
    if (!st) st = ingle_sampler_draw(r->sampler, scratch, logits, mask, &c, &r->error);
    if (!st) st = take(r, &c, logits);
    size_t k = pos + 1 - known; /* rows before it in the chain */
    r->status = st;
    r->left = st || r->finish || k >= s->task.n_draft || c.token != r->draft[k];
    if (r->finish) ingle_turn_finish(r, r->finish);
}

void ingle_turn_finish(ingle_request *r, ingle_finish finish)
{
    ingle_event *event = new_event(r, INGLE_EVENT_END);
    r->finish = finish;
    if (r->flow.hit == SIZE_MAX) r->status = pass(&r->flow, 0, true, event, &r->error);
    if (r->status) return;
    for (size_t i = 0; i < r->flow.n_held && r->flow.held[i].end <= r->flow.safe; i++)
        r->flow.n_returned += r->flow.held[i].n;
    event->finish = finish;
    event->i_stop = r->flow.hit == SIZE_MAX ? r->opt.n_stops : r->flow.hit;
    r->ring.n_made++;
}
