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
#define HISTORY_MAX (INT32_MAX / 2) /* tokens, if the window is the whole context */

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
    const ingle_breaker *x = a, *y = b;
    if (*x->tokens != *y->tokens) return *x->tokens > *y->tokens ? 1 : -1;
    return (x->n > y->n) - (x->n < y->n);
}

static ingle_status check_breakers(const ingle_breaker *seq, size_t n, int32_t n_vocab,
                                   size_t *n_tokens, ingle_error *err)
{
    *n_tokens = 0;
    for (size_t i = 0; i < n; i++) {
        if (!seq[i].tokens || seq[i].n < 1 || seq[i].n > BREAKER_MAX)
            return ingle_fail(err, INGLE_EINVAL,
                              "DRY breaker %zu has %zu tokens: it must have 1 to %d", i, seq[i].n,
                              BREAKER_MAX);
        for (size_t j = 0; j < seq[i].n; j++)
            if (seq[i].tokens[j] < 0 || seq[i].tokens[j] >= n_vocab)
                return ingle_fail(err, INGLE_EINVAL,
                                  "DRY breaker %zu: token %d is outside the vocabulary of %d", i,
                                  (int)seq[i].tokens[j], (int)n_vocab);
        *n_tokens += seq[i].n;
    }
    return *n_tokens <= UINT32_MAX ? INGLE_OK
                                   : ingle_fail(err, INGLE_EINVAL, "too many DRY breakers: %zu", n);
}

/* The block: set, sequences, heads, tokens. */
static ingle_status copy_breakers(ingle_sampler *s, const ingle_breaker *from, size_t n,
                                  ingle_error *err)
{
    size_t n_tokens, n_words = ((size_t)s->n_vocab + 31) / 32;
    ingle_status st = check_breakers(from, n, s->n_vocab, &n_tokens, err);
    if (st) return st;
    ingle_breaker *sorted = ingle_new(n, sizeof *sorted);
    breaker_set *b = ingle_new(1, sizeof *b + n * sizeof *b->seq + (n_words + n_tokens) * 4);
    if (!sorted || !b) {
        free(sorted);
        free(b);
        return ingle_fail(err, INGLE_ENOMEM, "no memory for %zu DRY breakers", n);
    }
    if (n) memcpy(sorted, from, n * sizeof *sorted);
    if (n) qsort(sorted, n, sizeof *sorted, by_head);
    breaker_seq *seq = (breaker_seq *)(b + 1);
    uint32_t *heads = (uint32_t *)(seq + n);
    int32_t *tokens = (int32_t *)(heads + n_words);
    uint32_t at = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t head = (uint32_t)sorted[i].tokens[0];
        memcpy(tokens + at, sorted[i].tokens, sorted[i].n * sizeof *tokens);
        heads[head / 32] |= 1u << head % 32;
        seq[i] = (breaker_seq){at, (uint32_t)sorted[i].n};
        at += seq[i].n;
    }
    free(sorted);
    atomic_init(&b->refs, 1);
    b->n = n, b->seq = seq, b->tokens = tokens, b->heads = heads;
    s->breakers = b;
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
    if (s->dry_window) s->repeat = ingle_new(s->hist.cap, sizeof *s->repeat);
    if (!s->hist.ring || (s->dry_window && !s->repeat))
        return ingle_fail(err, INGLE_ENOMEM, "no memory for a history of %zu tokens", s->hist.cap);
    return s->dry_window ? copy_breakers(s, seq, n, err) : INGLE_OK;
}

ingle_status ingle_sample_history_clone(ingle_sampler *s, const ingle_sampler *from,
                                        ingle_error *err)
{
    sample_history *h = &s->hist;
    s->breakers = NULL;
    h->ring = s->repeat = NULL;
    if (!h->cap) return INGLE_OK;
    h->ring = ingle_new(h->cap, sizeof *h->ring);
    if (from->repeat) s->repeat = ingle_new(h->cap, sizeof *s->repeat);
    if (!h->ring || (from->repeat && !s->repeat))
        return ingle_fail(err, INGLE_ENOMEM, "no memory for a history of %zu tokens", h->cap);
    memcpy(h->ring, from->hist.ring, h->n * sizeof *h->ring); /* a ring is filled from place 0 on */
    s->breakers = from->breakers;
    if (s->breakers) atomic_fetch_add(&s->breakers->refs, 1);
    return INGLE_OK;
}

void ingle_sample_history_close(ingle_sampler *s)
{
    if (s->breakers && atomic_fetch_sub(&s->breakers->refs, 1) == 1) free(s->breakers);
    free(s->hist.ring);
    free(s->repeat);
}

void ingle_sample_history_clear(ingle_sampler *s)
{
    s->hist.n = s->hist.next = 0;
}

/* ---- accepting ------------------------------------------------------------------------------- */

/* A growing ring never wraps: it is full when next == cap == n. */
static bool grow(ingle_sampler *s, size_t cap)
{
    sample_history *h = &s->hist;
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

ingle_status ingle_sample_history_reserve(ingle_sampler *s, size_t n, ingle_error *err)
{
    if (!s->hist.grows || n <= s->hist.cap) return INGLE_OK;
    if (n > HISTORY_MAX)
        return ingle_fail(err, INGLE_EFULL, "a sampler's history holds at most %d tokens, not %zu",
                          HISTORY_MAX, n);
    if (!grow(s, n))
        return ingle_fail(err, INGLE_ENOMEM, "no memory for a history of %zu tokens", n);
    return INGLE_OK;
}

ingle_status ingle_sample_history_add(ingle_sampler *s, int32_t token, ingle_error *err)
{
    sample_history *h = &s->hist;
    if (!h->cap) return INGLE_OK;
    if (h->grows && h->n == h->cap) {
        if (h->n >= HISTORY_MAX)
            return ingle_fail(err, INGLE_EFULL, "the sampler's history is full at %zu tokens",
                              h->n);
        if (!grow(s, h->cap * 2))
            return ingle_fail(err, INGLE_ENOMEM, "no memory for a history of %zu tokens", h->n + 1);
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

/* The last n tokens: one or two pieces of the ring. */
typedef struct recent_span {
    const int32_t *from[2];
    size_t n[2];
} recent_span;

static recent_span last_tokens(const sample_history *h, size_t n)
{
    size_t whole = n < h->next ? n : h->next;
    return (recent_span){{h->ring + h->next - whole, h->ring + h->cap - (n - whole)},
                         {whole, n - whole}};
}

static void count(int32_t *mark, const recent_span *last)
{
    for (size_t p = 0; p < 2; p++)
        for (size_t i = 0; i < last->n[p]; i++) mark[last->from[p][i]]++;
}

static void penalise_row(const ingle_sampler *s, ingle_sample_scratch *x, const recent_span *last)
{
    count(x->mark, last);
    for (size_t p = 0; p < 2; p++)
        for (size_t i = 0; i < last->n[p]; i++) { /* a token's count is gone the second time */
            int32_t token = last->from[p][i], n = x->mark[token];
            if (!n) continue;
            x->mark[token] = 0;
            if (x->logits[token] > -INFINITY) x->logits[token] = penalised(s, x->logits[token], n);
        }
}

static void penalise_keys(const ingle_sampler *s, ingle_sample_scratch *x, const recent_span *last)
{
    count(x->mark, last);
    for (size_t i = 0; i < x->n; i++) {
        uint32_t token = ingle_key_index(x->cur[i]);
        if (x->mark[token])
            x->cur[i] = ingle_key(penalised(s, logit_at(x, i), x->mark[token]), token);
    }
    for (size_t p = 0; p < 2; p++)
        for (size_t i = 0; i < last->n[p]; i++) x->mark[last->from[p][i]] = 0;
}

/* The same if the candidates are fewer than the tokens: these are only looked up. */
static void penalise_few(const ingle_sampler *s, ingle_sample_scratch *x, const recent_span *last)
{
    for (size_t i = 0; i < x->n; i++) x->mark[ingle_key_index(x->cur[i])] = (int32_t)i + 1;
    memset(x->tmp, 0, x->n * sizeof *x->tmp);
    for (size_t p = 0; p < 2; p++)
        for (size_t i = 0; i < last->n[p]; i++) {
            int32_t candidate = x->mark[last->from[p][i]];
            if (candidate) x->tmp[candidate - 1]++;
        }
    for (size_t i = 0; i < x->n; i++) {
        uint32_t token = ingle_key_index(x->cur[i]);
        x->mark[token] = 0;
        if (x->tmp[i])
            x->cur[i] = ingle_key(penalised(s, logit_at(x, i), (int32_t)x->tmp[i]), token);
    }
}

void ingle_sample_penalties(const ingle_sampler *s, ingle_sample_scratch *x)
{
    if (!s->penalty_window) return;
    size_t n = held(&s->hist, s->penalty_window);
    recent_span last = last_tokens(&s->hist, n);
    if (x->dense) penalise_row(s, x, &last);
    else if (x->n < n) penalise_few(s, x, &last);
    else penalise_keys(s, x, &last);
}

/* ---- DRY ------------------------------------------------------------------------------------- */

/* The first sequence that begins with the token; n if none does. */
static size_t first_breaker(const breaker_set *b, int32_t head)
{
    if (!(b->heads[(uint32_t)head / 32] >> (uint32_t)head % 32 & 1)) return b->n;
    size_t low = 0, high = b->n;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (b->tokens[b->seq[mid].at] < head) low = mid + 1;
        else high = mid;
    }
    return low;
}

/* Tokens from place `back` on (towards the end) that a breaker starting there covers; 0 if none
 * does. */
static size_t breaker_at(const ingle_sampler *s, size_t back)
{
    const breaker_set *b = s->breakers;
    int32_t head = recent(&s->hist, back);
    size_t longest = 0;
    for (size_t i = first_breaker(b, head); i < b->n; i++) {
        const int32_t *tokens = b->tokens + b->seq[i].at;
        size_t n = b->seq[i].n, j = 1;
        if (tokens[0] != head) break;
        if (n > back + 1) continue;
        while (j < n && tokens[j] == recent(&s->hist, back - j)) j++;
        if (j == n) longest = n; /* the shorter ones came before */
    }
    return longest;
}

static bool is_breaker(const breaker_set *b, int32_t token)
{
    size_t i = first_breaker(b, token);
    return i < b->n && b->seq[i].n == 1;
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

static float dried(const ingle_sampler *s, float logit, int32_t token, int32_t longest)
{
    if (!longest || is_breaker(s->breakers, token)) return logit;
    return ingle_sample_bounded((double)(logit - dry_penalty(s, longest - 1)));
}

/* Don't Repeat Yourself (p-e-w 2024): a token that would extend a repeat of the end of the history
 * loses multiplier * base^(length - allowed_length). Its mark is 1 + the longest such repeat. */
void ingle_sample_dry(ingle_sampler *s, ingle_sample_scratch *x)
{
    if (!s->dry_window) return;
    size_t n = held(&s->hist, s->dry_window), allowed = (size_t)s->opt.dry_allowed_length;
    if (n <= allowed) return;
    size_t limit = repeat_limit(s, n);
    if (limit < allowed) return;
    find_repeats(s, n, limit);
    for (size_t k = 1; k < n; k++) {
        int32_t token = recent(&s->hist, k - 1); /* followed the run when it was first written */
        if ((size_t)s->repeat[k] >= allowed && s->repeat[k] >= x->mark[token])
            x->mark[token] = s->repeat[k] + 1;
    }
    for (size_t i = 0; !x->dense && i < x->n; i++) {
        uint32_t token = ingle_key_index(x->cur[i]);
        x->cur[i] = ingle_key(dried(s, logit_at(x, i), (int32_t)token, x->mark[token]), token);
    }
    for (size_t k = 1; k < n; k++) {
        int32_t token = recent(&s->hist, k - 1);
        if (x->dense && x->logits[token] > -INFINITY)
            x->logits[token] = dried(s, x->logits[token], token, x->mark[token]);
        x->mark[token] = 0;
    }
}
