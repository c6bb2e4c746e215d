/* tokenize.c - text to tokens: special tokens first, then the rest in words, then merges. */
#include "base/heap.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "text/merge.h"
#include "text/words.h"

#include <stdlib.h>

/* A special token found in the text. */
typedef struct found {
    size_t pos;
    uint32_t len, id;
    bool kept;
} found;

typedef struct job {
    const ingle_vocab *v;
    const ingle_special_set *set;
    const ingle_literal *literals;
    size_t n_literals;
    const char *text;
    size_t len;
    ingle_token_sink sink;
    ingle_merger merger;
    pcre2_match_data *match;
    ingle_status word_status; /* why a word stopped the splitter */
    char *escaped;            /* SPM: the fragment with its spaces as marks */
    size_t cap_escaped;
    bool after_special; /* or at the start */
    size_t done;        /* text before this is written */
    unsigned last_attr; /* of the special token before `done` */
    found *cluster;
    size_t n_cluster, cap_cluster;
    uint64_t *queue;
    uint32_t *cover; /* by byte of the cluster: 1 + start of the kept token over it, 0 if none */
    ingle_error *err;
} job;

static ingle_status no_memory(job *j)
{
    return ingle_fail(j->err, INGLE_ENOMEM, "tokenize: no memory for %zu bytes", j->len);
}

/* ---- plain text --------------------------------------------------------------------------------
 */

static ingle_status word_failed(job *j, ingle_status st)
{
    if (st == INGLE_ENOMEM) return no_memory(j);
    return ingle_fail(j->err, st, "tokenize: a word of 4 GiB or more");
}

static bool on_word(void *arg, const char *word, size_t len)
{
    job *j = arg;
    j->word_status = ingle_merger_word(&j->merger, word, len);
    return j->word_status == INGLE_OK;
}

/* Patterns see valid UTF-8 only; a run of other bytes is a word of its own, so that no byte is
 * lost. */
static ingle_status plain_bpe(job *j, const char *p, size_t n)
{
    while (n) {
        size_t good = ingle_utf8_valid(p, n), bad = 0;
        ingle_status st = INGLE_OK;
        if (good) st = ingle_splitter_run(&j->v->splitter, j->match, p, good, on_word, j, j->err);
        if (st == INGLE_ECANCELLED) return word_failed(j, j->word_status);
        if (st) return st;
        while (good + bad < n && !ingle_utf8_len(p + good + bad, n - good - bad)) bad++;
        if (bad && (st = ingle_merger_word(&j->merger, p + good, bad))) return word_failed(j, st);
        p += good + bad;
        n -= good + bad;
    }
    return INGLE_OK;
}

/* Words end where no token has the two characters side by side. */
static ingle_status spm_words(job *j, const char *p, size_t n)
{
    const uint8_t *joints = j->v->joints;
    size_t from = 0;
    for (size_t i = ingle_spm_char(p, n); i < n; i += ingle_spm_char(p + i, n - i)) {
        unsigned a = (unsigned char)p[i - 1], b = (unsigned char)p[i];
        if (joints[a << 5 | b >> 3] >> (b & 7) & 1) continue;
        ingle_status st = ingle_merger_word(&j->merger, p + from, i - from);
        if (st) return word_failed(j, st);
        from = i;
    }
    ingle_status st = ingle_merger_word(&j->merger, p + from, n - from);
    return st ? word_failed(j, st) : INGLE_OK;
}

static size_t put_mark(char *out, size_t at)
{
    memcpy(out + at, INGLE_SPACE_MARK, INGLE_MARK_BYTES);
    return at + INGLE_MARK_BYTES;
}

static ingle_status spm_run(job *j, const char *p, size_t n, bool space)
{
    size_t room, m = 0;
    if (!n && !space) return INGLE_OK;
    if (!ingle_mul_ok(n + 1, INGLE_MARK_BYTES, &room) ||
        !ingle_grow(&j->escaped, &j->cap_escaped, room, 1))
        return no_memory(j);
    if (space) m = put_mark(j->escaped, 0);
    for (size_t i = 0; i < n; i++) {
        if (p[i] == ' ') m = put_mark(j->escaped, m);
        else j->escaped[m++] = p[i];
    }
    return spm_words(j, j->escaped, m);
}

/* A space mark that stands in the text itself is written in bytes, or it would come back as a
 * space. */
static ingle_status plain_spm(job *j, const char *p, size_t n)
{
    const int32_t *bytes = j->v->byte_tokens;
    bool space = j->v->add_space && j->after_special;
    bool can = bytes[0xe2] >= 0 && bytes[0x96] >= 0 && bytes[0x81] >= 0;
    size_t from = 0;
    for (size_t i = 0; can && i < n; i++) {
        if (!ingle_is_space_mark(p + i, n - i)) continue;
        ingle_status st = spm_run(j, p + from, i - from, space);
        if (st) return st;
        space = false;
        ingle_sink_push(&j->sink, bytes[0xe2]);
        ingle_sink_push(&j->sink, bytes[0x96]);
        ingle_sink_push(&j->sink, bytes[0x81]);
        from = i + INGLE_MARK_BYTES;
        i += INGLE_MARK_BYTES - 1;
    }
    return spm_run(j, p + from, n - from, space);
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Text up to `end`, which a special token with these attributes follows. */
static ingle_status plain(job *j, size_t end, unsigned next_attr)
{
    size_t from = j->done;
    if (j->last_attr & INGLE_TOK_RSTRIP)
        while (from < end && is_space(j->text[from])) from++;
    if (next_attr & INGLE_TOK_LSTRIP)
        while (from < end && is_space(j->text[end - 1])) end--;
    if (from == end) return INGLE_OK;
    const char *p = j->text + from;
    ingle_status st;
    if (j->v->kind == INGLE_VOCAB_BPE) st = plain_bpe(j, p, end - from);
    else if (j->v->kind == INGLE_VOCAB_SPM) st = plain_spm(j, p, end - from);
    else st = ingle_words_run(j->v, p, end - from, j->after_special, &j->sink, j->err);
    j->after_special = false;
    return st;
}

/* ---- special tokens ----------------------------------------------------------------------------
 */

static ingle_status special(job *j, const found *f)
{
    unsigned attr = j->v->attrs[f->id];
    ingle_status st = plain(j, f->pos, attr);
    if (st) return st;
    ingle_sink_push(&j->sink, (int32_t)f->id);
    j->done = f->pos + f->len;
    j->last_attr = attr;
    j->after_special = true;
    return INGLE_OK;
}

/* The first literal that ends after a position; NULL: there is none. */
static const ingle_literal *literal_at(const job *j, size_t pos)
{
    size_t lo = 0, hi = j->n_literals;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (j->literals[mid].to <= pos) lo = mid + 1;
        else hi = mid;
    }
    return lo < j->n_literals ? &j->literals[lo] : NULL;
}

static bool find_at(const job *j, size_t pos, size_t max, found *f)
{
    const ingle_special_set *set = j->set;
    const ingle_literal *l = literal_at(j, pos);
    if (l && pos >= l->from) set = &j->v->specials[0];
    else if (l && max > l->from - pos) max = l->from - pos;
    const ingle_special *s = ingle_special_longest(set, j->text + pos, max);
    if (!s) return false;
    *f = (found){pos, s->len, s->id, false};
    return true;
}

/* Longest first, then leftmost: the queue is ordered by (-len, index). */
static uint64_t order(const found *f, size_t i)
{
    return (uint64_t)(UINT32_MAX - f->len) << 32 | i;
}

/* Decides between special tokens that overlap: the longest is kept, whatever it covers gives way to
 * it or shrinks to a shorter token that fits before it. Kept tokens are at least as long as the one
 * looked at, so its two ends tell whether they meet. */
static ingle_status settle(job *j)
{
    size_t base = j->cluster[0].pos, end = base, n_queue = 0, n = j->n_cluster;
    for (size_t i = 0; i < n; i++)
        if (j->cluster[i].pos + j->cluster[i].len > end)
            end = j->cluster[i].pos + j->cluster[i].len;
    if (n >= UINT32_MAX || end - base >= UINT32_MAX)
        return ingle_fail(j->err, INGLE_EUNSUPPORTED,
                          "tokenize: special tokens overlap over 4 GiB");
    free(j->queue);
    free(j->cover);
    j->queue = ingle_new(n, sizeof *j->queue);
    j->cover = ingle_new(end - base, sizeof *j->cover);
    if (!j->queue || !j->cover) return no_memory(j);
    for (size_t i = 0; i < n; i++) ingle_heap_push(j->queue, &n_queue, order(&j->cluster[i], i));
    while (n_queue) {
        size_t i = (uint32_t)ingle_heap_pop(j->queue, &n_queue);
        found *f = &j->cluster[i];
        size_t at = f->pos - base;
        if (j->cover[at]) continue;
        uint32_t next = j->cover[at + f->len - 1];
        if (next) {
            if (find_at(j, f->pos, next - 1 - at, f))
                ingle_heap_push(j->queue, &n_queue, order(f, i));
            continue;
        }
        f->kept = true;
        for (size_t k = 0; k < f->len; k++) j->cover[at + k] = (uint32_t)at + 1;
    }
    ingle_status st = INGLE_OK;
    for (size_t i = 0; i < n && !st; i++)
        if (j->cluster[i].kept) st = special(j, &j->cluster[i]);
    return st;
}

/* Collects special tokens that overlap one another, settles each such cluster on its own. */
static ingle_status partition(job *j)
{
    const uint32_t *first = j->set->first;
    size_t end = 0; /* of the cluster */
    for (size_t pos = 0; pos < j->len; pos++) {
        unsigned char c = (unsigned char)j->text[pos];
        found f;
        if (first[c] == first[c + 1] || !find_at(j, pos, j->len - pos, &f)) continue;
        if (pos >= end && j->n_cluster) {
            ingle_status st = j->n_cluster == 1 ? special(j, &j->cluster[0]) : settle(j);
            if (st) return st;
            j->n_cluster = 0;
        }
        if (!ingle_grow(&j->cluster, &j->cap_cluster, j->n_cluster + 1, sizeof *j->cluster))
            return no_memory(j);
        j->cluster[j->n_cluster++] = f;
        if (pos + f.len > end) end = pos + f.len;
    }
    if (!j->n_cluster) return INGLE_OK;
    return j->n_cluster == 1 ? special(j, &j->cluster[0]) : settle(j);
}

static ingle_status run(job *j, unsigned flags)
{
    const ingle_vocab_info *info = &j->v->info;
    bool merges = ingle_vocab_merges(j->v->kind);
    if (merges && !ingle_merger_open(&j->merger, j->v, &j->sink, j->len)) return no_memory(j);
    if (j->v->kind == INGLE_VOCAB_BPE && !(j->match = ingle_splitter_match(&j->v->splitter)))
        return no_memory(j);
    if (flags & INGLE_ADD_SPECIAL && info->add_bos) ingle_sink_push(&j->sink, info->bos);
    ingle_status st = j->set->n ? partition(j) : INGLE_OK;
    if (!st) st = plain(j, j->len, 0);
    if (!st && flags & INGLE_ADD_SPECIAL && info->add_sep) ingle_sink_push(&j->sink, info->sep);
    if (!st && flags & INGLE_ADD_SPECIAL && info->add_eos) ingle_sink_push(&j->sink, info->eos);
    return st;
}

ingle_status ingle_vocab_tokenize(const ingle_vocab *v, const char *text, size_t len,
                                  unsigned flags, int32_t *tokens, size_t cap, size_t *n,
                                  ingle_error *err)
{
    return ingle_vocab_tokenize_around(v, text, len, flags, NULL, 0, tokens, cap, n, err);
}

ingle_status ingle_vocab_tokenize_around(const ingle_vocab *v, const char *text, size_t len,
                                         unsigned flags, const ingle_literal *literals,
                                         size_t n_literals, int32_t *tokens, size_t cap, size_t *n,
                                         ingle_error *err)
{
    *n = 0;
    if (!v) return ingle_fail(err, INGLE_ECLOSED, "vocabulary is NULL");
    if ((!text && len) || (!tokens && cap))
        return ingle_fail(err, INGLE_EINVAL, "tokenize: text or tokens is NULL");
    if (flags & ~(unsigned)(INGLE_ADD_SPECIAL | INGLE_PARSE_SPECIAL | INGLE_CONTINUE))
        return ingle_fail(err, INGLE_EINVAL,
                          "tokenize: flags 0x%x; INGLE_ADD_SPECIAL, INGLE_PARSE_SPECIAL and "
                          "INGLE_CONTINUE are known",
                          flags);
    job j = {.v = v,
             .set = &v->specials[flags & INGLE_PARSE_SPECIAL ? 1 : 0],
             .literals = literals,
             .n_literals = n_literals,
             .text = text,
             .len = len,
             .sink = {tokens, cap, 0},
             .after_special = !(flags & INGLE_CONTINUE),
             .err = err};
    ingle_status st = run(&j, flags);
    ingle_merger_close(&j.merger);
    if (j.match) pcre2_match_data_free(j.match);
    free(j.escaped);
    free(j.cluster);
    free(j.queue);
    free(j.cover);
    if (st) return st;
    *n = j.sink.n;
    if (*n > cap)
        return ingle_fail(err, INGLE_ERANGE, "tokenize: %zu tokens, room for %zu", *n, cap);
    return INGLE_OK;
}
