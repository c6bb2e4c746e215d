/* history.c - the stages that look back: the ring of accepted tokens, penalties, DRY.
 * Both change logits and drop nobody. Over dense logits they touch the tokens of their window only.
 */
#include "sample/sampler.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BREAKER_MAX 64 /* tokens of one breaker: bounds the scan for breakers */
#define GROW_FROM   1024

/* The token accepted `back` before the last one. */
static int32_t recent(const sample_history *h, size_t back)
{
    return h->ring[h->next > back ? h->next - 1 - back : h->next + h->cap - 1 - back];
}

static size_t held(const sample_history *h, size_t window)
{
    return h->n < window ? h->n : window;
}

/* ---- opening --------------------------------------------------------------------------------- */

static int by_head(const void *a, const void *b)
{
    int32_t x = *((const ingle_breaker *)a)->tokens, y = *((const ingle_breaker *)b)->tokens;
    return (x > y) - (x < y);
}

static ingle_status copy_breakers(ingle_sampler *s, const ingle_breaker *seq, size_t n,
                                  ingle_error *err)
{
    breaker_set *b = &s->breakers;
    b->seq = ingle_new(n, sizeof *b->seq);
    b->is_head = ingle_new((size_t)s->n_vocab, 1);
    if (!b->seq || !b->is_head)
        return ingle_fail(err, INGLE_ENOMEM, "no memory for %zu DRY breakers", n);
    for (size_t i = 0; i < n; i++) {
        if (!seq[i].tokens || seq[i].n < 1 || seq[i].n > BREAKER_MAX)
            return ingle_fail(err, INGLE_EINVAL,
                              "DRY breaker %zu has %zu tokens: it must have 1 to %d", i, seq[i].n,
                              BREAKER_MAX);
        for (size_t j = 0; j < seq[i].n; j++)
            if (seq[i].tokens[j] < 0 || seq[i].tokens[j] >= s->n_vocab)
                return ingle_fail(err, INGLE_EINVAL,
                                  "DRY breaker %zu: token %d is outside the vocabulary of %d", i,
                                  (int)seq[i].tokens[j], (int)s->n_vocab);
        int32_t *tokens = ingle_new(seq[i].n, sizeof *tokens);
        if (!tokens) return ingle_fail(err, INGLE_ENOMEM, "no memory for %zu DRY breakers", n);
        memcpy(tokens, seq[i].tokens, seq[i].n * sizeof *tokens);
        b->seq[b->n++] = (ingle_breaker){tokens, seq[i].n};
        b->is_head[tokens[0]] |= seq[i].n == 1 ? 2 : 1;
    }
    if (n) qsort(b->seq, n, sizeof *b->seq, by_head);
    return INGLE_OK;
}

static size_t window_of(int32_t last_n)
{
    return last_n < 0 ? SIZE_MAX : (size_t)last_n;
}

ingle_status ingle_sample_history_open(ingle_sampler *s, const ingle_breaker *seq, size_t n,
                                       ingle_error *err)
{
    const ingle_sampler_options *o = &s->opt;
    bool penalties =
        memchr(s->order, STAGE_PENALTIES, s->n_order) &&
        (o->repeat_penalty != 1 || o->frequency_penalty != 0 || o->presence_penalty != 0);
    bool dry = memchr(s->order, STAGE_DRY, s->n_order) && o->dry_multiplier > 0;
    if (n && !seq) return ingle_fail(err, INGLE_EINVAL, "breakers is NULL but n_breakers is not 0");
    s->penalty_window = penalties ? window_of(o->penalty_last_n) : 0;
    s->dry_window = dry ? window_of(o->dry_last_n) : 0;
    size_t cap = s->penalty_window > s->dry_window ? s->penalty_window : s->dry_window;
    if (!cap) return INGLE_OK;
    s->hist.grows = cap == SIZE_MAX;
    s->hist.cap = s->hist.grows ? GROW_FROM : cap;
    s->hist.ring = ingle_new(s->hist.cap, sizeof *s->hist.ring);
    if (!s->hist.ring) goto no_memory;
    if (s->penalty_window && !(s->count = ingle_new((size_t)s->n_vocab, sizeof *s->count)))
        goto no_memory;
    if (!s->dry_window) return INGLE_OK;
    s->longest = ingle_new((size_t)s->n_vocab, sizeof *s->longest);
    s->repeat = ingle_new(s->hist.cap, sizeof *s->repeat);
    if (!s->longest || !s->repeat) goto no_memory;
    return copy_breakers(s, seq, n, err);
no_memory:
    return ingle_fail(err, INGLE_ENOMEM, "no memory for a history of %zu tokens", s->hist.cap);
}

void ingle_sample_history_close(ingle_sampler *s)
{
    for (size_t i = 0; i < s->breakers.n; i++) free(s->breakers.seq[i].tokens);
    free(s->breakers.seq);
    free(s->breakers.is_head);
    free(s->hist.ring);
    free(s->count);
    free(s->longest);
    free(s->repeat);
}

void ingle_sample_history_clear(ingle_sampler *s)
{
    s->hist.n = s->hist.next = 0;
    if (s->count) memset(s->count, 0, (size_t)s->n_vocab * sizeof *s->count);
}

/* ---- accepting ------------------------------------------------------------------------------- */

/* A growing ring never wraps: it is full when next == cap == n. */
static bool grow(ingle_sampler *s)
{
    sample_history *h = &s->hist;
    size_t cap = h->cap * 2;
    if (s->repeat) {
        int32_t *repeat = realloc(s->repeat, cap * sizeof *repeat);
        if (!repeat) return false;
        s->repeat = repeat;
    }
    int32_t *ring = realloc(h->ring, cap * sizeof *ring);
    if (!ring) return false;
    h->ring = ring;
    h->cap = cap;
    return true;
}

ingle_status ingle_sample_history_add(ingle_sampler *s, int32_t token, ingle_error *err)
{
    sample_history *h = &s->hist;
    if (!h->cap) return INGLE_OK;
    if (h->grows && h->n == h->cap) {
        if (h->n >= INT32_MAX / 2)
            return ingle_fail(err, INGLE_EFULL, "the sampler's history is full at %zu tokens",
                              h->n);
        if (!grow(s))
            return ingle_fail(err, INGLE_ENOMEM, "no memory for a history of %zu tokens", h->n + 1);
    }
    if (s->count) {
        if (h->n >= s->penalty_window) s->count[recent(h, s->penalty_window - 1)]--;
        s->count[token]++;
    }
    if (h->next == h->cap) h->next = 0;
    h->ring[h->next++] = token;
    if (h->n < h->cap) h->n++;
    return INGLE_OK;
}

/* ---- penalties ------------------------------------------------------------------------------- */

/* Keskar et al. 2019 divide; a negative logit is multiplied, or it would grow. Then OpenAI's two.
 */
static float penalised(const ingle_sampler *s, float logit, int32_t count)
{
    float l = logit <= 0 ? logit * s->opt.repeat_penalty : logit / s->opt.repeat_penalty;
    l -= (float)count * s->opt.frequency_penalty + s->opt.presence_penalty;
    return ingle_sample_bounded((double)l);
}

void ingle_sample_penalties(ingle_sampler *s)
{
    if (!s->count) return;
    if (!s->dense) {
        for (size_t i = 0; i < s->n; i++) {
            uint32_t token = ingle_key_index(s->cur[i]);
            if (s->count[token])
                s->cur[i] = ingle_key(penalised(s, logit_at(s, i), s->count[token]), token);
        }
        return;
    }
    size_t n = held(&s->hist, s->penalty_window);
    for (size_t i = 0; i < n; i++) { /* the sign marks those that are done */
        int32_t token = recent(&s->hist, i), count = s->count[token];
        if (count < 0) continue;
        s->count[token] = -count;
        if (s->logits[token] > -INFINITY) s->logits[token] = penalised(s, s->logits[token], count);
    }
    for (size_t i = 0; i < n; i++) {
        int32_t token = recent(&s->hist, i);
        if (s->count[token] < 0) s->count[token] = -s->count[token];
    }
}

/* ---- DRY ------------------------------------------------------------------------------------- */

/* Tokens from place `back` on (towards the end) that a breaker starting there covers; 0 if none
 * does. */
static size_t breaker_at(const ingle_sampler *s, size_t back)
{
    const breaker_set *b = &s->breakers;
    int32_t head = recent(&s->hist, back);
    if (!b->is_head[head]) return 0;
    size_t low = 0, high = b->n, longest = 0;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (b->seq[mid].tokens[0] < head) low = mid + 1;
        else high = mid;
    }
    for (; low < b->n && b->seq[low].tokens[0] == head; low++) {
        const ingle_breaker *q = &b->seq[low];
        if (q->n <= longest || q->n > back + 1) continue;
        size_t j = 1;
        while (j < q->n && q->tokens[j] == recent(&s->hist, back - j)) j++;
        if (j == q->n) longest = q->n;
    }
    return longest;
}

/* Longest repeat allowed by the breakers: the tokens after the last one. */
static size_t repeat_limit(const ingle_sampler *s, size_t n)
{
    for (size_t back = 0; back < n; back++) {
        size_t len = breaker_at(s, back);
        if (len) return back + 1 - len;
    }
    return n;
}

/* repeat[k] = length of the run ending k tokens back that equals the end of the history, at most
 * limit: the Z array of the reversed history (Gusfield 1997, 1.3), linear because [left, right)
 * only moves on. */
static void find_repeats(ingle_sampler *s, size_t n, size_t limit)
{
    const sample_history *h = &s->hist;
    size_t left = 0, right = 0;
    for (size_t k = 1; k < n; k++) {
        size_t z = 0;
        if (k < right) {
            z = (size_t)s->repeat[k - left];
            if (z < right - k) {
                s->repeat[k] = (int32_t)z;
                continue;
            }
            z = right - k;
        }
        while (z < limit && k + z < n && recent(h, z) == recent(h, k + z)) z++;
        s->repeat[k] = (int32_t)z;
        left = k;
        right = k + z;
    }
}

static float dry_penalty(const ingle_sampler *s, int32_t repeat)
{
    const ingle_sampler_options *o = &s->opt;
    double exponent = (double)repeat - (double)o->dry_allowed_length;
    if (o->dry_base > 1.000001f) { /* base^exponent stays below the largest float */
        double most = trunc(88.7228391 / log((double)o->dry_base));
        if (most > 0 && exponent > most) exponent = most;
    }
    return ingle_sample_bounded((double)o->dry_multiplier * pow((double)o->dry_base, exponent));
}

static float dried(const ingle_sampler *s, float logit, int32_t token)
{
    if (!s->longest[token] || (s->breakers.is_head[token] & 2)) return logit;
    return ingle_sample_bounded((double)(logit - dry_penalty(s, s->longest[token] - 1)));
}

/* Don't Repeat Yourself (p-e-w 2024): a token that would extend a repeat of the end of the history
 * loses multiplier * base^(length - allowed_length). */
void ingle_sample_dry(ingle_sampler *s)
{
    if (!s->longest) return;
    size_t n = held(&s->hist, s->dry_window), allowed = (size_t)s->opt.dry_allowed_length;
    if (n <= allowed) return;
    size_t limit = repeat_limit(s, n);
    if (limit < allowed) return;
    find_repeats(s, n, limit);
    for (size_t k = 1; k < n; k++) {
        int32_t token = recent(&s->hist, k - 1); /* followed the run when it was first written */
        if ((size_t)s->repeat[k] >= allowed && s->repeat[k] >= s->longest[token])
            s->longest[token] = s->repeat[k] + 1;
    }
    for (size_t i = 0; !s->dense && i < s->n; i++) {
        uint32_t token = ingle_key_index(s->cur[i]);
        s->cur[i] = ingle_key(dried(s, logit_at(s, i), (int32_t)token), token);
    }
    for (size_t k = 1; k < n; k++) {
        int32_t token = recent(&s->hist, k - 1);
        if (s->dense && s->logits[token] > -INFINITY)
            s->logits[token] = dried(s, s->logits[token], token);
        s->longest[token] = 0;
    }
}
