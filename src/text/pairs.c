/* pairs.c - the merge table of byte-level BPE, from tokenizer.ggml.merges, and the symbols that
 * merges pass through. */
#include "base/mem.h"
#include "text/vocab.h"

#include <stdlib.h>

static const char key[] = "tokenizer.ggml.merges";

static uint32_t add_symbol(ingle_vocab *v, uint64_t hash, const char *bytes, size_t len)
{
    uint32_t id = v->n_symbols, at = v->pieces.at[id];
    if (id == INGLE_NO_ID - 1 || len > (size_t)(UINT32_MAX - at)) return INGLE_NO_ID;
    if (!ingle_grow(&v->pieces.data, &v->cap_pieces, at + len, 1)) return INGLE_NO_ID;
    if (!ingle_grow(&v->pieces.at, &v->cap_pieces_at, (size_t)id + 2, sizeof *v->pieces.at))
        return INGLE_NO_ID;
    if (!ingle_map_add(&v->map, hash, id)) return INGLE_NO_ID;
    memcpy(v->pieces.data + at, bytes, len);
    v->pieces.at[id + 1] = at + (uint32_t)len;
    v->n_symbols++;
    return id;
}

uint32_t ingle_vocab_symbol(ingle_vocab *v, const char *bytes, size_t len)
{
    uint64_t hash = ingle_map_hash(&v->map, bytes, len);
    uint32_t id = ingle_vocab_find_hashed(v, hash, bytes, len);
    return id == INGLE_NO_ID ? add_symbol(v, hash, bytes, len) : id;
}

/* A part in bytes; n at most len. */
static bool bytes_of(const ingle_vocab *v, const char *p, size_t len, char *out, size_t *n)
{
    if (!v->raw) return ingle_bytes_decode(p, len, out, n);
    *n = ingle_marks_to_spaces(p, len, out);
    return true;
}

/* "left right": the parts are one after the other in buf, of n_left and n bytes together. */
static bool parse(const ingle_vocab *v, ingle_str merge, char *buf, size_t *n_left, size_t *n)
{
    if (merge.len < 3) return false;
    const char *space = memchr(merge.ptr + 1, ' ', merge.len - 1);
    if (!space) return false;
    size_t len = (size_t)(space - merge.ptr), rest = merge.len - len - 1, m;
    if (!bytes_of(v, merge.ptr, len, buf, n_left) || !*n_left) return false;
    if (!bytes_of(v, space + 1, rest, buf + *n_left, &m) || !m) return false;
    *n = *n_left + m;
    return true;
}

static void insert(ingle_vocab *v, uint32_t left, uint32_t right, uint32_t rank, uint32_t merged)
{
    uint64_t k = (uint64_t)left << 32 | right;
    size_t i = (size_t)ingle_map_hash_number(&v->map, k) & v->pair_mask;
    for (; v->pairs[i].key != UINT64_MAX; i = (i + 1) & v->pair_mask)
        if (v->pairs[i].key == k) return; /* a merge given twice has its first rank */
    v->pairs[i] = (ingle_pair){k, rank, merged};
}

ingle_status ingle_pairs_build(ingle_vocab *v, const ingle_gguf *g, ingle_error *err)
{
    const ingle_gguf_kv *kv = ingle_gguf_find(g, key);
    if (!kv) return ingle_fail(err, INGLE_ENOTFOUND, "key '%s' is missing", key);
    if (kv->type != INGLE_GGUF_ARRAY || kv->item != INGLE_GGUF_STRING)
        return ingle_fail(err, INGLE_EFORMAT, "key '%s': not an array of strings", key);
    if (kv->n >= UINT32_MAX / 4)
        return ingle_fail(err, INGLE_EFORMAT, "key '%s': %zu merges", key, kv->n);
    size_t longest = 1, n_slots = 16;
    for (size_t i = 0; i < kv->n; i++)
        if (kv->strings[i].len > longest) longest = kv->strings[i].len;
    while (n_slots / 2 < kv->n) n_slots *= 2;
    char *buf = malloc(longest);
    v->pairs = buf ? malloc(n_slots * sizeof *v->pairs) : NULL;
    ingle_status st = INGLE_OK;
    if (!v->pairs) goto no_memory;
    memset(v->pairs, 0xff, n_slots * sizeof *v->pairs);
    v->pair_mask = n_slots - 1;
    for (size_t i = 0; i < kv->n; i++) {
        size_t n_left, n;
        if (!parse(v, kv->strings[i], buf, &n_left, &n)) {
            st = ingle_fail(err, INGLE_EFORMAT,
                            "%s[%zu]: not two parts in the byte alphabet with a space between them",
                            key, i);
            goto done;
        }
        uint32_t left = ingle_vocab_symbol(v, buf, n_left);
        uint32_t right = ingle_vocab_symbol(v, buf + n_left, n - n_left);
        uint32_t merged = ingle_vocab_symbol(v, buf, n);
        if (left == INGLE_NO_ID || right == INGLE_NO_ID || merged == INGLE_NO_ID) goto no_memory;
        insert(v, left, right, (uint32_t)i, merged);
    }
    goto done;
no_memory:
    st = ingle_fail(err, INGLE_ENOMEM, "key '%s': no memory", key);
done:
    free(buf);
    return st;
}
