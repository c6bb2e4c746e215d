/* special.c - the tokens that are looked for in text before anything else. */
#include "base/mem.h"
#include "text/vocab.h"

#include <stdlib.h>

static int compare(const void *a, const void *b)
{
    const ingle_special *x = a, *y = b;
    size_t n = x->len < y->len ? x->len : y->len;
    int c = memcmp(x->text, y->text, n);
    if (c) return c;
    if (x->len != y->len) return x->len < y->len ? -1 : 1;
    return x->id < y->id ? -1 : 1;
}

static bool wanted(const ingle_vocab *v, uint32_t id, int i_set)
{
    unsigned a = v->attrs[id];
    bool in = i_set ? a & INGLE_TOK_SPECIAL : a & INGLE_TOK_USER && !(a & INGLE_TOK_HIDDEN);
    return in && v->text.at[id + 1] > v->text.at[id];
}

static bool build_set(ingle_vocab *v, int i_set)
{
    ingle_special_set *set = &v->specials[i_set];
    size_t n = 0;
    for (uint32_t id = 0; id < v->n_tokens; id++) n += wanted(v, id, i_set);
    set->entries = ingle_new(n, sizeof *set->entries);
    if (!set->entries) return false;
    v->info.heap_bytes += (n ? n : 1) * sizeof *set->entries;
    for (uint32_t id = 0; id < v->n_tokens; id++) {
        if (!wanted(v, id, i_set)) continue;
        uint32_t at = v->text.at[id];
        set->entries[set->n++] = (ingle_special){v->text.data + at, v->text.at[id + 1] - at, id};
    }
    qsort(set->entries, set->n, sizeof *set->entries, compare);
    for (uint32_t b = 0, i = 0; b <= 256; b++) {
        while (i < set->n && (unsigned char)set->entries[i].text[0] < b) i++;
        set->first[b] = i;
    }
    return true;
}

ingle_status ingle_specials_build(ingle_vocab *v, ingle_error *err)
{
    for (uint32_t id = 0; id < v->n_tokens; id++) {
        size_t len = v->text.at[id + 1] - v->text.at[id];
        if (v->attrs[id] & INGLE_TOK_SPECIAL && len > INGLE_SPECIAL_MAX)
            return ingle_fail(err, INGLE_EFORMAT,
                              "tokenizer.ggml.tokens[%u]: a special token of %zu bytes; at most %d",
                              id, len, INGLE_SPECIAL_MAX);
    }
    if (!build_set(v, 0) || !build_set(v, 1))
        return ingle_fail(err, INGLE_ENOMEM, "vocabulary: no memory");
    return INGLE_OK;
}

void ingle_specials_free(ingle_vocab *v)
{
    free(v->specials[0].entries);
    free(v->specials[1].entries);
}

/* First entry of e[lo..hi) whose byte d is at least b; all have more than d bytes. */
static uint32_t lower(const ingle_special *e, uint32_t lo, uint32_t hi, uint32_t d, unsigned b)
{
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if ((unsigned char)e[mid].text[d] < b) lo = mid + 1;
        else hi = mid;
    }
    return lo;
}

const ingle_special *ingle_special_longest(const ingle_special_set *set, const char *text,
                                           size_t len)
{
    if (!len) return NULL;
    unsigned b = (unsigned char)text[0];
    const ingle_special *e = set->entries, *best = NULL;
    uint32_t lo = set->first[b], hi = set->first[b + 1];
    for (uint32_t d = 1; lo < hi; d++) { /* e[lo..hi) begin with text[0..d) */
        if (e[lo].len == d) best = &e[lo];
        while (lo < hi && e[lo].len == d) lo++;
        if (d == len) break;
        if (hi - lo == 1) {
            if (e[lo].len <= len && memcmp(e[lo].text + d, text + d, e[lo].len - d) == 0)
                best = &e[lo];
            break;
        }
        b = (unsigned char)text[d];
        lo = lower(e, lo, hi, d, b);
        hi = lower(e, lo, hi, d, b + 1);
    }
    return best;
}
