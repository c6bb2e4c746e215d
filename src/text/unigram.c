/* unigram.c - SentencePiece's Unigram model (T5, XLM-R): text is normalised by the file's table,
 * spaces become U+2581, and of all ways to cut it into tokens the one with the highest sum of
 * scores is taken. Kudo 2018 (arXiv 1804.10959); the table is a double array whose edges are
 * exclusive-ors (Kanda 2018), as SentencePiece writes it:
 *     entry  bits 10-30 base, bit 9 base counts by 256, bit 8 leaf, bits 0-7 label, bit 31 value */
#include "base/mem.h"
#include "base/utf8.h"
#include "text/words.h"

#include <float.h>
#include <stdlib.h>

#define UNKNOWN_PENALTY 10.0

static const char key_charsmap[] = "tokenizer.ggml.precompiled_charsmap";

/* ---- reading ---- */

static uint32_t byte_at(const ingle_gguf_kv *kv, size_t i)
{
    int64_t x = 0;
    ingle_gguf_item_i64(kv, i, &x);
    return (uint32_t)x & 0xff; /* written as signed or unsigned bytes */
}

static uint32_t word_at(const ingle_gguf_kv *kv, size_t i)
{
    return byte_at(kv, i) | byte_at(kv, i + 1) << 8 | byte_at(kv, i + 2) << 16 |
           byte_at(kv, i + 3) << 24;
}

/* Length of the array in bytes, the array, the replacements. */
static ingle_status read_charsmap(ingle_vocab *v, const ingle_gguf *g, ingle_error *err)
{
    const ingle_gguf_kv *kv = ingle_gguf_find(g, key_charsmap);
    if (!kv || (kv->type == INGLE_GGUF_ARRAY && !kv->n)) return INGLE_OK;
    if (kv->type != INGLE_GGUF_ARRAY || (kv->item != INGLE_GGUF_U8 && kv->item != INGLE_GGUF_I8) ||
        kv->n < 4)
        return ingle_fail(err, INGLE_EFORMAT, "key '%s': not an array of bytes", key_charsmap);
    size_t n = word_at(kv, 0);
    if (n % 4 || n < 4 || n >= kv->n - 4 || byte_at(kv, kv->n - 1))
        return ingle_fail(err, INGLE_EFORMAT,
                          "key '%s': %zu bytes of table in %zu, and text that ends with 0",
                          key_charsmap, n, kv->n);
    v->n_charsmap = n / 4;
    v->n_replacements = kv->n - 4 - n;
    v->charsmap = ingle_new(v->n_charsmap, sizeof *v->charsmap);
    v->replacements = malloc(v->n_replacements);
    if (!v->charsmap || !v->replacements)
        return ingle_fail(err, INGLE_ENOMEM, "vocabulary: no memory");
    for (size_t i = 0; i < v->n_charsmap; i++) v->charsmap[i] = word_at(kv, 4 + 4 * i);
    for (size_t i = 0, len = 0; i < v->n_replacements; i++) {
        v->replacements[i] = (char)byte_at(kv, 4 + n + i);
        len = v->replacements[i] ? len + 1 : 0;
        if (len > INGLE_SPECIAL_MAX)
            return ingle_fail(err, INGLE_EFORMAT, "key '%s': a replacement of more than %d bytes",
                              key_charsmap, INGLE_SPECIAL_MAX);
    }
    v->info.heap_bytes += n + v->n_replacements;
    return INGLE_OK;
}

ingle_status ingle_unigram_read(ingle_vocab *v, const ingle_gguf *g, ingle_error *err)
{
    double least = DBL_MAX;
    for (uint32_t id = 0; id < v->n_tokens; id++)
        if (v->attrs[id] & INGLE_TOK_NORMAL && (double)v->scores[id] < least)
            least = (double)v->scores[id];
    v->unknown_score = (least == DBL_MAX ? 0 : least) - UNKNOWN_PENALTY;
    return read_charsmap(v, g, err);
}

/* ---- normalising ---- */

typedef struct buffer {
    char *p;
    size_t n, cap;
} buffer;

static bool put(buffer *b, const char *p, size_t n)
{
    if (!ingle_grow(&b->p, &b->cap, b->n + n, 1)) return false;
    memcpy(b->p + b->n, p, n);
    b->n += n;
    return true;
}

/* The longest prefix of p that the table replaces: its length, or 0, and by what. A table that
 * points outside of itself replaces nothing there. */
static size_t replaced(const ingle_vocab *v, const char *p, size_t n, const char **by)
{
    size_t longest = 0;
    if (!v->n_charsmap) return 0;
    uint32_t at = v->charsmap[0] >> 10 << ((v->charsmap[0] & 1u << 9) >> 6);
    for (size_t i = 0; i < n && p[i]; i++) {
        uint32_t c = (unsigned char)p[i], node;
        at ^= c;
        if (at >= v->n_charsmap) break;
        node = v->charsmap[at];
        if ((node & (1u << 31 | 0xff)) != c) break;
        at ^= node >> 10 << ((node & 1u << 9) >> 6);
        if (!(node >> 8 & 1) || at >= v->n_charsmap) continue;
        uint32_t value = v->charsmap[at] & ~(1u << 31);
        if (value >= v->n_replacements) continue;
        longest = i + 1;
        *by = v->replacements + value;
    }
    return longest;
}

typedef struct normaliser {
    const ingle_vocab *v;
    buffer out;
    bool prefix; /* a space goes before the first word */
    bool in_word;
} normaliser;

static bool put_normal(normaliser *s, const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bool space = p[i] == ' ';
        bool begins = !space && !s->in_word && (s->prefix || s->v->merge_spaces);
        if (begins || (space && !s->v->merge_spaces))
            if (!put(&s->out, INGLE_SPACE_MARK, INGLE_MARK_BYTES)) return false;
        if (!space && !put(&s->out, p + i, 1)) return false;
        if (!space) s->prefix = false;
        s->in_word = !space;
    }
    return true;
}

static bool normalise(normaliser *s, const char *p, size_t n)
{
    for (size_t i = 0, len; i < n; i += len) {
        const char *by = NULL;
        bool ok;
        if ((len = replaced(s->v, p + i, n - i, &by))) ok = put_normal(s, by, strlen(by));
        else if ((len = ingle_utf8_len(p + i, n - i))) ok = put_normal(s, p + i, len);
        else len = 1, ok = put_normal(s, "\xef\xbf\xbd", 3);
        if (!ok) return false;
    }
    return true;
}

/* ---- the best way ---- */

/* The best way to reach a byte: the token before it, and where that one begins. */
typedef struct reached {
    double score;
    uint32_t from;
    int32_t id;
} reached;

static void offer(reached *to, double score, size_t from, int32_t id)
{
    if (score > to->score) *to = (reached){score, (uint32_t)from, id};
}

static void reach(const ingle_vocab *v, const char *p, size_t n, reached *way)
{
    for (size_t i = 1; i <= n; i++) way[i].score = -DBL_MAX;
    way[0] = (reached){.id = v->info.unk};
    for (size_t i = 0, len; i < n; i += len) {
        bool whole = false;
        len = ingle_spm_len(p + i, n - i);
        const ingle_special *e = ingle_special_longest(&v->words, p + i, n - i);
        while (e) {
            bool user = v->attrs[e->id] & INGLE_TOK_USER;
            double score = way[i].score + (user ? 0 : (double)v->scores[e->id]);
            offer(&way[i + e->len], score, i, (int32_t)e->id);
            whole |= e->len == len;
            e = e->shorter == INGLE_NO_ID ? NULL : &v->words.entries[e->shorter];
        }
        if (!whole) offer(&way[i + len], way[i].score + v->unknown_score, i, v->info.unk);
    }
}

/* From the end back, then in order; unknown tokens side by side are one. The places on the way keep
 * the ids: way[k].id for the k-th from the end. */
static void emit_way(const ingle_vocab *v, reached *way, size_t n, ingle_token_sink *sink)
{
    size_t n_ids = 0, top = n;
    for (size_t at = n; at > 0;) {
        reached r = way[at];
        bool unknown = r.id == v->info.unk;
        if (!(unknown && n_ids && way[top].id == v->info.unk)) {
            n_ids++;
            top = n + 1 - n_ids;
            way[top].id = r.id; /* top >= at: what is overwritten was passed */
        }
        at = r.from;
    }
    for (size_t i = n + 1 - n_ids; i <= n; i++) ingle_sink_push(sink, way[i].id);
}

ingle_status ingle_unigram_run(const ingle_vocab *v, const char *p, size_t n, bool at_start,
                               ingle_token_sink *sink, ingle_error *err)
{
    normaliser s = {.v = v, .prefix = v->add_space && at_start};
    reached *way = NULL;
    bool ok = normalise(&s, p, n) && s.out.n < UINT32_MAX &&
              (way = ingle_new(s.out.n + 1, sizeof *way)) != NULL;
    if (ok) {
        reach(v, s.out.p, s.out.n, way);
        emit_way(v, way, s.out.n, sink);
    }
    free(way);
    free(s.out.p);
    return ok ? INGLE_OK : ingle_fail(err, INGLE_ENOMEM, "tokenize: no memory for %zu bytes", n);
}
