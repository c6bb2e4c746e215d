/* generate.c - the blocking generation: prompt, then sample, match stops, emit, compute, again.
 * Bytes go  token piece -> stop matcher -> UTF-8 assembly -> event. A token counts as returned when
 * all its bytes were let through by the matcher; at the end the session is rewound to the returned
 * ones. The text of a control token that a stop speaks of goes into the matcher and no further. */
#include "engine/engine.h"

#include "base/clock.h"
#include "base/options.h"
#include "sample/sample.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_TOP 100

static const ingle_generate_options default_options = {
    .size = sizeof default_options, .max_tokens = -1, .logprobs = -1};

void ingle_generate_options_init_sized(ingle_generate_options *opt, size_t size)
{
    ingle_options_fill(opt, size, &default_options, sizeof default_options);
}

/* What can be said of the options without a model. */
static ingle_status check_options(const ingle_generate_options *opt, ingle_error *err)
{
    if (opt->max_tokens < -1)
        return ingle_fail(err, INGLE_EINVAL, "option 'max_tokens' is %d, should be -1 or more",
                          opt->max_tokens);
    if (opt->logprobs < -1 || opt->logprobs > MAX_TOP)
        return ingle_fail(err, INGLE_EINVAL, "option 'logprobs' is %d, should be -1 to %d",
                          opt->logprobs, MAX_TOP);
    if (opt->n_stop_tokens && !opt->stop_tokens)
        return ingle_fail(err, INGLE_EINVAL, "option 'stop_tokens' is NULL, n_stop_tokens is %zu",
                          opt->n_stop_tokens);
    return ingle_stopper_check(opt->stops, opt->n_stops, err);
}

ingle_status ingle_generate_options_check(const ingle_generate_options *opt, ingle_error *err)
{
    ingle_generate_options o = default_options;
    ingle_status st = ingle_options_take(&o, sizeof o, opt, "generate", err);
    return st ? st : check_options(&o, err);
}

/* Bytes of the stream into the matcher that are not shown: from .. to - 1. */
typedef struct hidden_range {
    size_t from, to;
} hidden_range;

/* One generation on its way. */
typedef struct generation {
    ingle_session *s;
    ingle_sampler *sampler;
    const ingle_generate_options *opt;
    const ingle_vocab *vocab;
    int32_t n_texts; /* tokens of the vocabulary; the model may have some more */
    ingle_stopper *stopper;
    ingle_utf8_stream utf8;
    size_t *end;      /* [max] bytes fed up to and with each token */
    size_t n, max;    /* tokens emitted, most allowed */
    size_t fed, safe; /* bytes into and out of the matcher */
    size_t hit;       /* SIZE_MAX: no stop yet */
    char *piece, *text;
    size_t piece_cap, text_cap;
    hidden_range *hidden; /* in order, those that are not let through yet */
    size_t n_hidden, hidden_cap;
    bool pending; /* the last emitted token is not computed yet */
    int32_t last;
    bool stopped; /* by the callback */
    float *kept;  /* [n_vocab] row 0 of the logits before, which computing overwrites */
    size_t n_kept;
} generation;

static bool emit(generation *g, const ingle_event *event)
{
    if (g->opt->on_event && !g->stopped) g->stopped = !g->opt->on_event(g->opt->user, event);
    return !g->stopped;
}

/* ---- log-probabilities ---- */

/* The n best of logits, best first, as log-probabilities; the lower id wins a tie. Returns how many
 * of them can be drawn at all. */
static size_t top_logprobs(const float *logits, size_t n_vocab, double log_sum, ingle_top *top,
                           size_t n)
{
    size_t have = 0;
    for (size_t i = 0; n && i < n_vocab; i++) {
        if (logits[i] == -INFINITY || (have == n && logits[i] <= logits[top[n - 1].token]))
            continue;
        size_t at = have < n ? have++ : n - 1;
        for (; at && logits[top[at - 1].token] < logits[i]; at--) top[at] = top[at - 1];
        top[at].token = (int32_t)i;
    }
    for (size_t i = 0; i < have; i++)
        top[i].logprob = (float)((double)logits[top[i].token] - log_sum);
    return have;
}

static double log_sum_exp(const float *logits, size_t n)
{
    double max = -INFINITY, sum = 0;
    for (size_t i = 0; i < n; i++)
        if (logits[i] > max) max = logits[i];
    for (size_t i = 0; i < n; i++) sum += exp((double)logits[i] - max);
    return max + log(sum);
}

/* ---- text ---- */

static ingle_status grow(char **p, size_t *cap, size_t n, ingle_error *err)
{
    return ingle_grow(p, cap, n, 1) ? INGLE_OK
                                    : ingle_fail(err, INGLE_ENOMEM, "no memory for %zu bytes", n);
}

static ingle_status piece_of(generation *g, int32_t token, unsigned flags, size_t *len,
                             ingle_error *err)
{
    ingle_status st;
    *len = 0;
    if (!g->vocab || token >= g->n_texts) return INGLE_OK; /* no text */
    st = ingle_vocab_piece(g->vocab, token, flags, g->piece, g->piece_cap, len, err);
    if (st != INGLE_ERANGE) return st;
    if ((st = grow(&g->piece, &g->piece_cap, *len, err))) return st;
    return ingle_vocab_piece(g->vocab, token, flags, g->piece, g->piece_cap, len, err);
}

/* Whether a stop holds this text as a whole. */
static bool in_a_stop(const generation *g, const char *text, size_t len)
{
    for (size_t s = 0; s < g->opt->n_stops; s++)
        for (size_t i = 0; len && i + len <= g->opt->stops[s].len; i++)
            if (memcmp(g->opt->stops[s].text + i, text, len) == 0) return true;
    return false;
}

/* The bytes of a token that the matcher sees; those of a control token are hidden. */
static ingle_status matched_piece(generation *g, int32_t token, size_t *len, ingle_error *err)
{
    ingle_token_info info;
    ingle_status st = piece_of(g, token, 0, len, err);
    if (st || *len || !g->opt->n_stops || !g->vocab) return st;
    if (ingle_vocab_token(g->vocab, token, &info, NULL) || !info.control) return st;
    if (!in_a_stop(g, info.text, info.len)) return st;
    if ((st = piece_of(g, token, INGLE_UNPARSE_SPECIAL, len, err))) return st;
    if (!ingle_grow(&g->hidden, &g->hidden_cap, g->n_hidden + 1, sizeof *g->hidden))
        return ingle_fail(err, INGLE_ENOMEM, "no memory for a hidden token");
    g->hidden[g->n_hidden++] = (hidden_range){g->fed, g->fed + *len};
    return INGLE_OK;
}

/* What of n bytes from position `at` of the stream may be shown, as whole characters, in
 * g->text. */
static size_t assemble(generation *g, const char *bytes, size_t n, size_t at, bool last)
{
    size_t len = 0, done = 0, h = 0;
    for (; h < g->n_hidden && g->hidden[h].from < at + n; h++) {
        hidden_range *r = &g->hidden[h];
        size_t from = r->from - at, to = (r->to < at + n ? r->to : at + n) - at;
        len += ingle_utf8_stream_feed(&g->utf8, bytes + done, from - done, false, g->text + len);
        done = to;
        r->from = at + to;
        if (r->from < r->to) break; /* the rest is still held back */
    }
    g->n_hidden -= h;
    if (h) memmove(g->hidden, g->hidden + h, g->n_hidden * sizeof *g->hidden);
    return len + ingle_utf8_stream_feed(&g->utf8, bytes + done, n - done, last, g->text + len);
}

/* Feeds bytes through matcher and assembly; *len bytes of g->text may be shown. */
static ingle_status pass(generation *g, const char *bytes, size_t n, bool flush, size_t *len,
                         ingle_error *err)
{
    const char *safe = bytes;
    size_t n_safe = n;
    ingle_status st = ingle_stopper_feed(g->stopper, bytes, n, flush, &safe, &n_safe, &g->hit, err);
    if (st) return st;
    g->fed += n;
    if ((st = grow(&g->text, &g->text_cap, n_safe + 8, err))) return st;
    *len = assemble(g, safe, n_safe, g->safe, flush || g->hit != SIZE_MAX);
    g->safe += n_safe;
    return INGLE_OK;
}

/* ---- one token ---- */

static bool is_stop_token(const generation *g, int32_t token)
{
    ingle_token_info info;
    for (size_t i = 0; i < g->opt->n_stop_tokens; i++)
        if (g->opt->stop_tokens[i] == token) return true;
    return !g->opt->ignore_eog && g->vocab && !ingle_vocab_token(g->vocab, token, &info, NULL) &&
           info.eog;
}

static ingle_status show(generation *g, const ingle_candidate *c, const float *logits,
                         ingle_error *err)
{
    ingle_top top[MAX_TOP];
    ingle_event event = {.size = sizeof event,
                         .kind = INGLE_EVENT_TOKEN,
                         .token = c->token,
                         .logit = logits[c->token]};
    size_t len, n_vocab = (size_t)g->s->engine->model->n_vocab;
    ingle_status st = matched_piece(g, c->token, &len, err);
    if (!st) st = pass(g, g->piece, len, false, &event.text_len, err);
    if (st) return st;
    event.text = g->text;
    if (g->opt->logprobs >= 0) {
        double log_sum = log_sum_exp(logits, n_vocab);
        event.logprob = (float)((double)event.logit - log_sum);
        event.n_top = (size_t)g->opt->logprobs < n_vocab ? (size_t)g->opt->logprobs : n_vocab;
        event.top = top;
        event.n_top = top_logprobs(logits, n_vocab, log_sum, top, event.n_top);
    }
    g->end[g->n++] = g->fed;
    g->last = c->token;
    g->pending = true;
    emit(g, &event);
    return INGLE_OK;
}

static ingle_status compute_pending(generation *g, ingle_error *err)
{
    g->pending = false;
    return ingle_session_compute(g->s, &g->last, 1, INGLE_ROWS_LAST, err);
}

/* Samples until something ends it. */
static ingle_status decode(generation *g, ingle_finish *finish, ingle_error *err)
{
    ingle_status st;
    ingle_candidate c;
    *finish = INGLE_FINISH_LENGTH;
    while (g->n < g->max && !g->stopped) {
        if (g->pending && (st = compute_pending(g, err))) return st;
        if (g->s->n >= (size_t)g->s->engine->opt.n_ctx) return INGLE_OK; /* no place for it */
        const float *logits =
            g->s->logits + (g->s->n_rows - 1) * (size_t)g->s->engine->model->n_vocab;
        if ((st = ingle_sampler_sample(g->sampler, logits, &c, err))) return st;
        if (is_stop_token(g, c.token)) {
            *finish = INGLE_FINISH_STOP;
            return INGLE_OK;
        }
        if ((st = show(g, &c, logits, err))) return st;
        if ((st = ingle_sampler_accept(g->sampler, c.token, err))) return st;
        if (g->hit != SIZE_MAX) {
            *finish = INGLE_FINISH_STOP;
            return INGLE_OK;
        }
    }
    if (g->stopped) *finish = INGLE_FINISH_CANCELLED;
    return INGLE_OK;
}

/* ---- the whole ---- */

static ingle_status run_prompt(generation *g, const int32_t *prompt, size_t n, ingle_error *err)
{
    size_t batch = (size_t)g->s->engine->opt.n_batch;
    ingle_status st = INGLE_OK;
    for (size_t i = 0; i < n && !st; i++) st = ingle_sampler_accept(g->sampler, prompt[i], err);
    for (size_t done = 0; done < n && !st && !g->stopped;) {
        size_t part = n - done < batch ? n - done : batch;
        ingle_rows rows = done + part == n ? INGLE_ROWS_LAST : INGLE_ROWS_NONE;
        st = ingle_session_compute(g->s, prompt + done, part, rows, err);
        done += part;
        ingle_event event = {
            .size = sizeof event, .kind = INGLE_EVENT_PROMPT, .n_done = done, .n_prompt = n};
        if (!st) emit(g, &event);
    }
    return st;
}

/* Shows what was held back, and leaves in the session exactly what was returned. `base` positions
 * came before. */
static ingle_status conclude(generation *g, size_t base, ingle_finish finish, ingle_error *err)
{
    ingle_event event = {.size = sizeof event, .kind = INGLE_EVENT_END, .finish = finish};
    ingle_status st = INGLE_OK;
    if (g->hit == SIZE_MAX) st = pass(g, "", 0, true, &event.text_len, err);
    if (st) return st;
    event.text = g->text;
    while (g->n && g->end[g->n - 1] > g->safe) g->n--;
    if (g->pending && g->s->n < base + g->n) st = compute_pending(g, err);
    if (st) return st;
    if (g->s->n > base + g->n) ingle_session_rewind(g->s, base + g->n);
    bool was_stopped = g->stopped;
    g->stopped = false; /* the last event is always told */
    emit(g, &event);
    g->stopped = was_stopped;
    return INGLE_OK;
}

static ingle_status check(const ingle_session *s, const ingle_sampler *sampler,
                          const int32_t *prompt, size_t n, const ingle_generate_options *opt,
                          ingle_error *err)
{
    size_t n_ctx = (size_t)s->engine->opt.n_ctx;
    if (!sampler) return ingle_fail(err, INGLE_ECLOSED, "the sampler is closed");
    ingle_status st = check_options(opt, err);
    if (st) return st;
    for (size_t i = 0; i < opt->n_stop_tokens; i++)
        if (opt->stop_tokens[i] < 0 || opt->stop_tokens[i] >= s->engine->model->n_vocab)
            return ingle_fail(err, INGLE_EINVAL,
                              "option 'stop_tokens' entry %zu is %d, should be 0 to %d", i,
                              opt->stop_tokens[i], s->engine->model->n_vocab - 1);
    if (ingle_sampler_n_vocab(sampler) != s->engine->model->n_vocab)
        return ingle_fail(err, INGLE_EINVAL, "the sampler is for %d tokens, the model has %d",
                          ingle_sampler_n_vocab(sampler), s->engine->model->n_vocab);
    if (n && !prompt) return ingle_fail(err, INGLE_EINVAL, "the prompt is NULL");
    if (!n && !s->n_rows)
        return ingle_fail(err, INGLE_EINVAL, "an empty prompt needs logits of an earlier eval");
    if (n > n_ctx - s->n)
        return ingle_fail(err, INGLE_EFULL,
                          "the prompt's %zu tokens do not fit: %zu of %zu are taken", n, s->n,
                          n_ctx);
    return INGLE_OK;
}

/* Suppressed tokens are never drawn (the sampler may not know the model), nor are end tokens while
 * they are ignored. */
static ingle_status ban_tokens(generation *g, ingle_error *err)
{
    ingle_vocab_info v;
    ingle_token_info info;
    size_t n = 0;
    if (!g->vocab) return INGLE_OK;
    ingle_vocab_info_get(g->vocab, &v);
    if (!g->opt->ignore_eog)
        return ingle_sampler_ban(g->sampler, v.suppressed, v.n_suppressed, err);
    int32_t *ids = ingle_new((size_t)v.n_tokens + v.n_suppressed, sizeof *ids);
    if (!ids) return ingle_fail(err, INGLE_ENOMEM, "no memory for the end tokens");
    for (; n < v.n_suppressed; n++) ids[n] = v.suppressed[n];
    for (int32_t i = 0; i < v.n_tokens; i++)
        if (!ingle_vocab_token(g->vocab, i, &info, NULL) && info.eog) ids[n++] = i;
    ingle_status st = ingle_sampler_ban(g->sampler, ids, n, err);
    free(ids);
    return st;
}

/* A failure must leave the session's logits as they were, and only row 0 is ever written here. */
static ingle_status keep_logits(generation *g, ingle_error *err)
{
    size_t n = (size_t)g->s->engine->model->n_vocab;
    if (!g->s->n_rows) return INGLE_OK;
    if (!(g->kept = ingle_new(n, sizeof *g->kept)))
        return ingle_fail(err, INGLE_ENOMEM, "no memory for a row of logits");
    memcpy(g->kept, g->s->logits, n * sizeof *g->kept);
    g->n_kept = g->s->n_rows;
    return INGLE_OK;
}

static void undo(generation *g, size_t start)
{
    ingle_session_rewind(g->s, start);
    if (!g->n_kept) return;
    memcpy(g->s->logits, g->kept, (size_t)g->s->engine->model->n_vocab * sizeof *g->kept);
    g->s->n_rows = g->n_kept;
}

static ingle_status generate(generation *g, const int32_t *prompt, size_t n,
                             ingle_generate_result *result, ingle_error *err)
{
    size_t start = g->s->n, n_ctx = (size_t)g->s->engine->opt.n_ctx;
    g->max = n_ctx - start - n;
    if (g->opt->max_tokens >= 0 && (size_t)g->opt->max_tokens < g->max)
        g->max = (size_t)g->opt->max_tokens;
    g->hit = SIZE_MAX;
    if (g->vocab) {
        ingle_vocab_info v;
        ingle_vocab_info_get(g->vocab, &v);
        g->n_texts = v.n_tokens;
    }
    ingle_status st = ingle_stopper_open(&g->stopper, g->opt->stops, g->opt->n_stops, err);
    if (st) return st;
    if (!(g->end = ingle_new(g->max, sizeof *g->end)))
        return ingle_fail(err, INGLE_ENOMEM, "no memory for %zu tokens", g->max);
    if ((st = grow(&g->piece, &g->piece_cap, 256, err))) return st;
    if ((st = ban_tokens(g, err))) return st;
    if ((st = keep_logits(g, err))) return st;
    ingle_finish finish = INGLE_FINISH_CANCELLED;
    double t0 = ingle_now();
    st = run_prompt(g, prompt, n, err);
    double t1 = ingle_now();
    if (!st && !g->stopped) st = decode(g, &finish, err);
    /* cancelled within the prompt: the part that was computed stays */
    size_t base = g->n || g->s->n >= start + n ? start + n : g->s->n;
    if (!st) st = conclude(g, base, finish, err);
    if (st) undo(g, start);
    if (st || !result) return st;
    const ingle_generate_result own = {.finish = finish,
                                       .n_prompt = n,
                                       .n_generated = g->n,
                                       .prompt_s = t1 - t0,
                                       .decode_s = ingle_now() - t1,
                                       .i_stop = g->hit == SIZE_MAX ? g->opt->n_stops : g->hit};
    ingle_result_give(result, &own, sizeof own);
    return st;
}

ingle_status ingle_generate(ingle_session *s, ingle_sampler *sampler, const int32_t *prompt,
                            size_t n, const ingle_generate_options *opt,
                            ingle_generate_result *result, ingle_error *err)
{
    ingle_generate_options o = default_options;
    ingle_status st = ingle_session_enter(s, err);
    if (st) return st;
    generation g = {.s = s, .sampler = sampler, .opt = &o, .vocab = s->engine->model->vocab};
    st = ingle_options_take(&o, sizeof o, opt, "generate", err);
    if (!st && result)
        st = ingle_result_check(result, sizeof *result, "ingle_generate_result", err);
    if (!st) st = check(s, sampler, prompt, n, &o, err);
    if (!st) st = generate(&g, prompt, n, result, err);
    if (sampler) ingle_sampler_ban(sampler, NULL, 0, NULL);
    ingle_stopper_close(&g.stopper);
    free(g.end);
    free(g.piece);
    free(g.text);
    free(g.hidden);
    free(g.kept);
    ingle_session_leave(s);
    return st;
}
