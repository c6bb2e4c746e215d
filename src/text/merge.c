#include "text/merge.h"
#include "base/mem.h"
#include "text/pairq.h"

#include <stdlib.h>

enum { SMALL = 32 }; /* symbols; up to here a linear search beats the heap */

bool ingle_merger_open(ingle_merger *m, const ingle_vocab *v, ingle_token_sink *sink,
                       size_t text_len)
{
    *m = (ingle_merger){.v = v, .sink = sink};
    if (text_len < 256) return true;
    size_t n = 64;
    while (n < 4096 && n < text_len / 16) n *= 2;
    m->cache = ingle_new(n, sizeof *m->cache);
    m->cache_mask = n - 1;
    return m->cache != NULL;
}

void ingle_merger_close(ingle_merger *m)
{
    free(m->symbols);
    ingle_pairq_close(&m->queue);
    free(m->cache);
    *m = (ingle_merger){0};
}

/* Bytes that are no token together. A byte the vocabulary has no token for becomes the unknown
 * token (SPM) or nothing (BPE). */
static void emit_bytes(ingle_merger *m, const char *p, size_t n)
{
    const ingle_vocab *v = m->v;
    for (size_t i = 0; i < n; i++) {
        int32_t id = v->byte_tokens[(unsigned char)p[i]];
        if (id < 0 && v->kind == INGLE_VOCAB_SPM) id = v->info.unk;
        if (id >= 0) ingle_sink_push(m->sink, id);
    }
}

static void emit_symbol(ingle_merger *m, uint32_t id, const char *p, size_t n)
{
    if (id < m->v->n_tokens) ingle_sink_push(m->sink, (int32_t)id);
    else emit_bytes(m, p, n);
}

/* Highest score first: the larger the score the smaller the key. Scores are finite or infinite,
 * never NaN. */
static uint32_t score_key(float score)
{
    uint32_t bits;
    score += 0.0f; /* -0 is 0 */
    memcpy(&bits, &score, sizeof bits);
    return bits & 0x80000000u ? bits : 0x7fffffffu - bits;
}

/* What the neighbours left and right become: [start, end) of the word. */
static uint32_t pair_key(const ingle_vocab *v, const char *word, uint32_t left, uint32_t right,
                         size_t start, size_t end, uint32_t *merged)
{
    if (v->kind == INGLE_VOCAB_BPE) {
        const ingle_pair *p = ingle_pair_find(v, left, right);
        if (!p) return INGLE_NO_KEY;
        *merged = p->merged;
        return p->rank;
    }
    if (end - start > v->max_text) return INGLE_NO_KEY;
    uint32_t id = ingle_vocab_find(v, word + start, end - start);
    if (id == INGLE_NO_ID) return INGLE_NO_KEY;
    *merged = id;
    return score_key(v->scores[id]);
}

static size_t first_char(const ingle_vocab *v, const char *p, size_t n, uint32_t *id)
{
    if (v->kind == INGLE_VOCAB_BPE && !v->raw) {
        *id = v->byte_symbols[(unsigned char)*p];
        return 1;
    }
    size_t len = ingle_spm_char(p, n);
    *id = ingle_vocab_find(v, p, len);
    return len;
}

/* At most SMALL bytes: the state fits a few cache lines, and the best pair is found by looking at
 * all. */
static void merge_small(ingle_merger *m, const char *word, size_t len)
{
    const ingle_vocab *v = m->v;
    uint32_t id[SMALL + 1], key[SMALL + 1], merged[SMALL + 1];
    uint32_t start[SMALL + 1];
    size_t n = 0;
    for (size_t i = 0; i < len; n++) {
        start[n] = (uint32_t)i;
        i += first_char(v, word + i, len - i, &id[n]);
    }
    start[n] = (uint32_t)len;
    for (size_t i = 0; i + 1 < n; i++)
        key[i] = pair_key(v, word, id[i], id[i + 1], start[i], start[i + 2], &merged[i]);
    while (n > 1) {
        size_t best = 0;
        for (size_t i = 1; i + 1 < n; i++)
            if (key[i] < key[best]) best = i;
        if (key[best] == INGLE_NO_KEY) break;
        id[best] = merged[best];
        for (size_t i = best + 1; i + 1 < n; i++) {
            id[i] = id[i + 1];
            start[i] = start[i + 1];
            key[i] = key[i + 1];
            merged[i] = merged[i + 1];
        }
        n--;
        start[n] = (uint32_t)len;
        if (best + 1 < n)
            key[best] = pair_key(v, word, id[best], id[best + 1], start[best], start[best + 2],
                                 &merged[best]);
        if (best)
            key[best - 1] = pair_key(v, word, id[best - 1], id[best], start[best - 1],
                                     start[best + 1], &merged[best - 1]);
    }
    for (size_t i = 0; i < n; i++) emit_symbol(m, id[i], word + start[i], start[i + 1] - start[i]);
}

/* The pair (i, next of i) is new: notes it. It is queued unless it was there with the same key.
 * `len` ends the word. */
static void note_pair(ingle_merger *m, const char *word, uint32_t i, size_t len, uint32_t old_key)
{
    ingle_merge_symbol *s = &m->symbols[i];
    s->key = INGLE_NO_KEY;
    if (s->next == INGLE_NO_ID) return;
    const ingle_merge_symbol *next = &m->symbols[s->next];
    size_t end = next->next == INGLE_NO_ID ? len : m->symbols[next->next].start;
    s->key = pair_key(m->v, word, s->id, next->id, s->start, end, &s->merged);
    if (s->key != INGLE_NO_KEY && s->key != old_key) ingle_pairq_push(&m->queue, m->symbols, i);
}

/* Any length: symbols in a list, pairs in a queue. */
static ingle_status merge_large(ingle_merger *m, const char *word, size_t len)
{
    if (len >= UINT32_MAX) return INGLE_EUNSUPPORTED;
    size_t n = 0;
    for (size_t i = 0; i < len; n++) {
        if (!ingle_grow(&m->symbols, &m->cap_symbols, n + 1, sizeof *m->symbols))
            return INGLE_ENOMEM;
        ingle_merge_symbol *s = &m->symbols[n];
        *s = (ingle_merge_symbol){
            .start = (uint32_t)i, .prev = (uint32_t)n - 1, .next = (uint32_t)n + 1};
        i += first_char(m->v, word + i, len - i, &s->id);
    }
    ingle_merge_symbol *s = m->symbols;
    s[0].prev = s[n - 1].next = INGLE_NO_ID;
    if (!ingle_pairq_open(&m->queue, n)) return INGLE_ENOMEM;
    for (size_t i = 0; i < n; i++) note_pair(m, word, (uint32_t)i, len, INGLE_NO_KEY);
    for (uint32_t i; (i = ingle_pairq_pop(&m->queue, s)) != INGLE_NO_ID;) {
        uint32_t gone = s[i].next;
        s[i].id = s[i].merged;
        s[i].next = s[gone].next;
        s[gone].key = INGLE_NO_KEY;
        if (s[i].next != INGLE_NO_ID) s[s[i].next].prev = i;
        note_pair(m, word, i, len, INGLE_NO_KEY);
        if (s[i].prev != INGLE_NO_ID) note_pair(m, word, s[i].prev, len, s[s[i].prev].key);
    }
    for (uint32_t i = 0; i != INGLE_NO_ID; i = s[i].next) {
        size_t end = s[i].next == INGLE_NO_ID ? len : s[s[i].next].start;
        emit_symbol(m, s[i].id, word + s[i].start, end - s[i].start);
    }
    return INGLE_OK;
}

static ingle_status merge_word(ingle_merger *m, uint64_t hash, const char *word, size_t len)
{
    const ingle_vocab *v = m->v;
    unsigned flags = v->kind == INGLE_VOCAB_BPE ? v->pretok->flags : 0;
    if (flags & INGLE_PRETOK_WHOLE || (flags & INGLE_PRETOK_LINES && *word == '\n')) {
        uint32_t id = ingle_vocab_find_hashed(v, hash, word, len);
        if (id < v->n_tokens) {
            ingle_sink_push(m->sink, (int32_t)id);
            return INGLE_OK;
        }
    }
    if (len > SMALL) return merge_large(m, word, len);
    merge_small(m, word, len);
    return INGLE_OK;
}

ingle_status ingle_merger_word(ingle_merger *m, const char *word, size_t len)
{
    uint64_t hash = ingle_map_hash(&m->v->map, word, len);
    if (!m->cache || len > INGLE_CACHE_WORD) return merge_word(m, hash, word, len);
    ingle_cached_word *c = &m->cache[(hash >> 32) & m->cache_mask];
    if (c->len == len && memcmp(c->word, word, len) == 0) {
        for (size_t i = 0; i < c->n; i++) ingle_sink_push(m->sink, c->ids[i]);
        return INGLE_OK;
    }
    /* The tokens of the word go past a small sink, so that they can be kept. */
    int32_t ids[INGLE_CACHE_WORD];
    ingle_token_sink *sink = m->sink, here = {ids, INGLE_CACHE_WORD, 0};
    m->sink = &here;
    ingle_status st = merge_word(m, hash, word, len);
    m->sink = sink;
    if (st) return st;
    for (size_t i = 0; i < here.n; i++) ingle_sink_push(sink, ids[i]);
    if (here.n <= INGLE_CACHE_IDS) {
        c->len = (uint8_t)len;
        c->n = (uint8_t)here.n;
        memcpy(c->word, word, len);
        memcpy(c->ids, ids, here.n * sizeof *ids);
    }
    return INGLE_OK;
}
