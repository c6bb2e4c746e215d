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

static bool is_user(const ingle_vocab *v, uint32_t id)
{
    return v->attrs[id] & INGLE_TOK_USER && !(v->attrs[id] & INGLE_TOK_HIDDEN);
}

static bool is_special(const ingle_vocab *v, uint32_t id)
{
    return v->attrs[id] & INGLE_TOK_SPECIAL;
}

static bool begins_with(const ingle_special *e, const ingle_special *with)
{
    return with->len <= e->len && memcmp(e->text, with->text, with->len) == 0;
}

/* Drops all but the first id of equal texts, and links each entry to what it begins with: among the
 * entry before it and what that one begins with. */
static void link_entries(ingle_special_set *set)
{
    ingle_special *e = set->entries;
    uint32_t n = 0;
    for (uint32_t k = 0; k < set->n; k++) {
        ingle_special x = e[k];
        uint32_t up = n ? n - 1 : INGLE_NO_ID;
        while (up != INGLE_NO_ID && !begins_with(&x, &e[up])) up = e[up].shorter;
        if (up != INGLE_NO_ID && e[up].len == x.len) continue;
        x.shorter = up;
        e[n++] = x;
    }
    set->n = n;
}

bool ingle_special_set_build(ingle_special_set *set, const ingle_vocab *v, const ingle_strings *s,
                             ingle_special_wanted *wanted)
{
    size_t n = 0;
    for (uint32_t id = 0; id < v->n_tokens; id++) n += s->at[id + 1] > s->at[id] && wanted(v, id);
    set->n = 0;
    set->entries = ingle_new(n, sizeof *set->entries);
    if (!set->entries) return false;
    set->heap_bytes = (n ? n : 1) * sizeof *set->entries;
    for (uint32_t id = 0; id < v->n_tokens; id++) {
        uint32_t at = s->at[id], len = s->at[id + 1] - at;
        if (!len || !wanted(v, id)) continue;
        set->entries[set->n++] = (ingle_special){.text = s->data + at, .len = len, .id = id};
    }
    qsort(set->entries, set->n, sizeof *set->entries, compare);
    link_entries(set);
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
    if (!ingle_special_set_build(&v->specials[0], v, &v->text, is_user) ||
        !ingle_special_set_build(&v->specials[1], v, &v->text, is_special))
        return ingle_fail(err, INGLE_ENOMEM, "vocabulary: no memory");
    v->info.heap_bytes += v->specials[0].heap_bytes + v->specials[1].heap_bytes;
    return INGLE_OK;
}

void ingle_specials_free(ingle_vocab *v)
{
    free(v->specials[0].entries);
    free(v->specials[1].entries);
}

static size_t common(const char *a, const char *b, size_t n)
{
    size_t i = 0;
    while (n - i >= 8 && ingle_load(a + i, 8) == ingle_load(b + i, 8)) i += 8;
    while (i < n && a[i] == b[i]) i++;
    return i;
}

/* Whether e comes after text[0..len) in the order of bytes. */
static bool is_after(const ingle_special *e, const char *text, size_t len)
{
    int c = memcmp(e->text, text, e->len < len ? e->len : len);
    return c ? c > 0 : e->len > len;
}

/* Every entry that text begins with is the last entry not after the text, or what that one begins
 * with. */
const ingle_special *ingle_special_longest(const ingle_special_set *set, const char *text,
                                           size_t len)
{
    if (!len) return NULL;
    unsigned b = (unsigned char)text[0];
    const ingle_special *e = set->entries;
    uint32_t first = set->first[b], lo = first, hi = set->first[b + 1];
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (is_after(&e[mid], text, len)) hi = mid;
        else lo = mid + 1;
    }
    if (lo == first) return NULL;
    uint32_t i = lo - 1;
    size_t same = common(e[i].text, text, e[i].len < len ? e[i].len : len);
    while (i != INGLE_NO_ID && e[i].len > same) i = e[i].shorter;
    return i == INGLE_NO_ID ? NULL : &e[i];
}

size_t ingle_vocab_special(const ingle_vocab *v, const char *text, size_t len, int32_t *id)
{
    const ingle_special *s = ingle_special_longest(&v->specials[1], text, len);
    *id = s ? (int32_t)s->id : -1;
    return s ? s->len : 0;
}
