/* automaton.c - states of texts, and the masks kept for them. */
#include "grammar/automaton.h"

#include "grammar/mask.h"

#include <pthread.h>

enum { WORK = 1000000, BYTES = 20 << 20 };

typedef struct ingle_slot {
    ingle_term state;
    ingle_mask *mask; /* NULL: free */
} ingle_slot;

struct ingle_automaton {
    pthread_mutex_t lock;
    ingle_terms *terms;
    ingle_term root;
    const ingle_trie *trie;
    ingle_masker masker;
    ingle_slot *slot; /* hash table by state */
    size_t n_slots, n_masks, mask_bytes;
    size_t max_work, max_bytes;
    size_t next_tidy; /* at so many bytes */
    size_t n_refs;    /* the caller's and one of each matcher */
    ingle_matcher *first;
    uint64_t n_made, n_hits;
};

struct ingle_matcher {
    ingle_automaton *a;
    ingle_matcher *before, *next;
    ingle_term at;
    ingle_mask *mask; /* of the last call, held */
    uint32_t *bits;   /* [n_words], of a mask that is a list; NULL without a trie */
};

/* ---- masks that are kept --------------------------------------------------------------------- */

static size_t bytes_of(const ingle_automaton *a, const ingle_mask *mask)
{
    return sizeof *mask + (mask->n == INGLE_UNKNOWN ? a->trie->n_words : mask->n) * 4;
}

static void release(ingle_mask *mask)
{
    if (mask && !--mask->n_refs) free(mask);
}

static void forget_masks(ingle_automaton *a)
{
    for (size_t i = 0; i < a->n_slots; i++) {
        release(a->slot[i].mask);
        a->slot[i].mask = NULL;
    }
    a->n_masks = a->mask_bytes = 0;
}

static ingle_slot *slot_of(ingle_slot *slot, size_t n, ingle_term state)
{
    size_t h = state * 0x9e3779b1u >> 7;
    while (slot[h & (n - 1)].mask && slot[h & (n - 1)].state != state) h++;
    return &slot[h & (n - 1)];
}

static bool more_slots(ingle_automaton *a)
{
    size_t n = a->n_slots ? 2 * a->n_slots : 64;
    ingle_slot *slot = ingle_new(n, sizeof *slot);
    if (!slot) return false;
    for (size_t i = 0; i < a->n_slots; i++)
        if (a->slot[i].mask) *slot_of(slot, n, a->slot[i].state) = a->slot[i];
    free(a->slot);
    a->slot = slot;
    a->n_slots = n;
    return true;
}

static ingle_mask *mask_of(ingle_automaton *a, ingle_term state)
{
    if (a->n_slots) {
        ingle_slot *slot = slot_of(a->slot, a->n_slots, state);
        if (slot->mask) return a->n_hits++, slot->mask->n_refs++, slot->mask;
    }
    ingle_mask *mask = ingle_mask_make(&a->masker, state);
    if (!mask) return NULL;
    a->n_made++;
    if (2 * a->n_masks >= a->n_slots && !more_slots(a)) return mask; /* not kept */
    *slot_of(a->slot, a->n_slots, state) = (ingle_slot){state, mask};
    a->n_masks++;
    a->mask_bytes += bytes_of(a, mask);
    mask->n_refs++;
    return mask;
}

/* ---- memory ---------------------------------------------------------------------------------- */

/* Keeps the states where texts stand, and nothing else. */
static void tidy(ingle_automaton *a)
{
    size_t n = 1, i = 1;
    if (ingle_terms_bytes(a->terms) + a->mask_bytes < a->next_tidy &&
        a->terms->n_rows < INGLE_MANY_ROWS)
        return;
    for (ingle_matcher *m = a->first; m; m = m->next) n++;
    ingle_term *keep = ingle_new(n, sizeof *keep);
    if (!keep) return;
    keep[0] = a->root;
    for (ingle_matcher *m = a->first; m; m = m->next) keep[i++] = m->at;
    forget_masks(a);
    if (ingle_terms_compact(a->terms, keep, n)) {
        i = 1;
        for (ingle_matcher *m = a->first; m; m = m->next) m->at = keep[i++];
    }
    free(keep);
    a->next_tidy = ingle_terms_bytes(a->terms) + a->max_bytes; /* however large the grammar is */
}

/* ---- calls ----------------------------------------------------------------------------------- */

static void begin(ingle_automaton *a)
{
    pthread_mutex_lock(&a->lock);
    tidy(a);
    a->terms->work_limit = a->terms->work + a->max_work;
}

/* A failure is the call's, not the grammar's: nothing wrong was kept. */
static ingle_status end(ingle_automaton *a, ingle_error *err)
{
    ingle_terms *t = a->terms;
    ingle_status st = ingle_terms_report(t, err);
    t->status = INGLE_OK;
    t->work_limit = t->work + a->max_work;
    pthread_mutex_unlock(&a->lock);
    return st;
}

static void destroy(ingle_automaton *a)
{
    forget_masks(a);
    free(a->slot);
    ingle_masker_close(&a->masker);
    ingle_terms_close(a->terms);
    pthread_mutex_destroy(&a->lock);
    free(a);
}

ingle_status ingle_automaton_open(ingle_automaton **out, ingle_terms *t, ingle_term root,
                                  const ingle_trie *trie, const ingle_automaton_limits *limits,
                                  ingle_error *err)
{
    ingle_automaton *a = ingle_new(1, sizeof *a);
    *out = NULL;
    if (!a) {
        ingle_terms_close(t);
        return ingle_fail(err, INGLE_ENOMEM, "no memory for a grammar");
    }
    pthread_mutex_init(&a->lock, NULL);
    a->terms = t;
    a->root = root;
    a->trie = trie;
    a->n_refs = 1;
    a->max_work = limits && limits->max_work ? limits->max_work : WORK;
    a->max_bytes = limits && limits->max_bytes ? limits->max_bytes : BYTES;
    a->next_tidy = ingle_terms_bytes(t) + a->max_bytes;
    if (trie && !ingle_masker_open(&a->masker, t, trie)) {
        destroy(a);
        return ingle_fail(err, INGLE_ENOMEM, "no memory for a grammar");
    }
    *out = a;
    return INGLE_OK;
}

static void unref(ingle_automaton *a)
{
    size_t left = --a->n_refs;
    pthread_mutex_unlock(&a->lock);
    if (!left) destroy(a);
}

void ingle_automaton_close(ingle_automaton *a)
{
    if (!a) return;
    pthread_mutex_lock(&a->lock);
    unref(a);
}

ingle_automaton *ingle_automaton_share(ingle_automaton *a)
{
    pthread_mutex_lock(&a->lock);
    a->n_refs++;
    pthread_mutex_unlock(&a->lock);
    return a;
}

void ingle_automaton_stats_get(ingle_automaton *a, ingle_automaton_stats *stats)
{
    pthread_mutex_lock(&a->lock);
    *stats = (ingle_automaton_stats){.bytes = ingle_terms_bytes(a->terms) + a->mask_bytes,
                                     .n_terms = a->terms->n,
                                     .n_masks = a->n_made,
                                     .n_hits = a->n_hits,
                                     .work = a->terms->work,
                                     .n_nodes = a->masker.n_nodes};
    pthread_mutex_unlock(&a->lock);
}

/* ---- matchers -------------------------------------------------------------------------------- */

static ingle_matcher *matcher_at(ingle_automaton *a, const ingle_matcher *other)
{
    ingle_matcher *m = ingle_new(1, sizeof *m);
    if (m && a->trie && !(m->bits = ingle_new(a->trie->n_words, sizeof *m->bits))) {
        free(m);
        m = NULL;
    }
    if (!m) return NULL;
    pthread_mutex_lock(&a->lock);
    m->a = a;
    m->at = other ? other->at : a->root;
    m->next = a->first;
    if (a->first) a->first->before = m;
    a->first = m;
    a->n_refs++;
    pthread_mutex_unlock(&a->lock);
    return m;
}

ingle_matcher *ingle_matcher_open(ingle_automaton *a)
{
    return matcher_at(a, NULL);
}

ingle_matcher *ingle_matcher_clone(const ingle_matcher *m)
{
    return matcher_at(m->a, m);
}

void ingle_matcher_close(ingle_matcher *m)
{
    if (!m) return;
    ingle_automaton *a = m->a;
    pthread_mutex_lock(&a->lock);
    if (m->before) m->before->next = m->next;
    else a->first = m->next;
    if (m->next) m->next->before = m->before;
    release(m->mask);
    free(m->bits);
    free(m);
    unref(a);
}

void ingle_matcher_reset(ingle_matcher *m)
{
    pthread_mutex_lock(&m->a->lock);
    m->at = m->a->root;
    pthread_mutex_unlock(&m->a->lock);
}

/* Of the mask before, only its own few bits are taken back. */
static void hold(ingle_matcher *m, ingle_mask *mask)
{
    ingle_mask *old = m->mask;
    for (uint32_t i = 0; old && old->n != INGLE_UNKNOWN && i < old->n; i++)
        m->bits[old->data[i] / 32] = 0;
    release(old);
    for (uint32_t i = 0; mask->n != INGLE_UNKNOWN && i < mask->n; i++)
        m->bits[mask->data[i] / 32] |= 1u << mask->data[i] % 32;
    m->mask = mask;
}

ingle_status ingle_matcher_mask(ingle_matcher *m, const uint32_t **bits, ingle_error *err)
{
    ingle_automaton *a = m->a;
    begin(a);
    ingle_mask *mask = mask_of(a, m->at);
    if (mask) hold(m, mask);
    ingle_status st = end(a, err);
    *bits = st ? NULL : mask->n == INGLE_UNKNOWN ? mask->data : m->bits;
    return st;
}

/* ---- going on -------------------------------------------------------------------------------- */

ingle_status ingle_matcher_accept(ingle_matcher *m, int32_t token, ingle_error *err)
{
    ingle_automaton *a = m->a;
    if (!a->trie || token < 0 || (size_t)token >= a->trie->n_vocab)
        return ingle_fail(err, INGLE_EINVAL, "token %d is not in the vocabulary", token);
    uint32_t from = a->trie->start[token], n = a->trie->start[token + 1] - from;
    begin(a);
    ingle_term to =
        n ? ingle_term_after(a->terms, m->at, a->trie->bytes + from, n) : INGLE_TERM_NONE;
    if (ingle_term_takes_tokens(a->terms, m->at))
        to = ingle_term_alt(a->terms, to, ingle_term_after_token(a->terms, m->at, token));
    bool good = !a->terms->status && to != INGLE_TERM_NONE;
    if (good) m->at = to;
    ingle_status st = end(a, err);
    if (st || good) return st;
    return ingle_fail(err, INGLE_EFORMAT, "the grammar does not admit token %d here", token);
}

ingle_status ingle_matcher_text(ingle_matcher *m, const char *bytes, size_t n, size_t *n_good,
                                ingle_error *err)
{
    ingle_status st = INGLE_OK;
    *n_good = 0;
    while (*n_good < n && !st) {
        begin(m->a);
        ingle_term to = ingle_term_step(m->a->terms, m->at, (unsigned char)bytes[*n_good]);
        bool good = !m->a->terms->status && to != INGLE_TERM_NONE;
        if (good) m->at = to;
        if (good) ++*n_good;
        st = end(m->a, err);
        if (!good) break;
    }
    return st;
}

bool ingle_matcher_may_end(const ingle_matcher *m)
{
    pthread_mutex_lock(&m->a->lock);
    bool may = ingle_term_nullable(m->a->terms, m->at);
    pthread_mutex_unlock(&m->a->lock);
    return may;
}

bool ingle_matcher_must_end(ingle_matcher *m)
{
    bool must = false;
    begin(m->a);
    ingle_terms *t = m->a->terms;
    if (ingle_term_nullable(t, m->at))
        must = ingle_set_is_empty(ingle_term_first(t, m->at)) && !ingle_term_takes_tokens(t, m->at);
    return !end(m->a, NULL) && must;
}

size_t ingle_matcher_forced(ingle_matcher *m, char *bytes, size_t cap, bool *whole)
{
    size_t n = 0;
    begin(m->a);
    ingle_terms *t = m->a->terms;
    ingle_term at = m->at;
    while (n < cap && !ingle_term_nullable(t, at) && !ingle_term_takes_tokens(t, at)) {
        const ingle_byte_set *first = ingle_term_first(t, at);
        if (t->status || ingle_set_count(first) != 1) break;
        size_t w = 0;
        while (!first->word[w]) w++;
        bytes[n] = (char)(64 * w + (size_t)__builtin_ctzll(first->word[w]));
        at = ingle_term_step(t, at, (unsigned char)bytes[n++]);
        if (t->status || at == INGLE_TERM_NONE) break;
    }
    *whole = at == INGLE_TERM_EMPTY;
    return end(m->a, NULL) ? 0 : n;
}

void ingle_matcher_expected(ingle_matcher *m, bool expected[256])
{
    begin(m->a);
    for (unsigned b = 0; b < 256; b++)
        expected[b] = ingle_term_step(m->a->terms, m->at, (unsigned char)b) != INGLE_TERM_NONE;
    end(m->a, NULL);
}
