/* pair.c - a query and a document as the tokens that a classifier was taught on: by the file's
 * template, or one after the other with the vocabulary's marks. */
#include "base/mem.h"
#include "text/vocab.h"

#include <stdlib.h>
#include <string.h>

static const char key_template[] = "tokenizer.chat_template.rerank";
static const char marks[2][12] = {"{query}", "{document}"};

enum { MOST_PLACES = 16 }; /* of a template: bounds the time of looking for control tokens */

static ingle_status take_template(ingle_vocab *v, const char *text, size_t len, ingle_error *err)
{
    v->rank_template = ingle_new(len, 1);
    if (!v->rank_template) return ingle_fail(err, INGLE_ENOMEM, "no memory for '%s'", key_template);
    memcpy(v->rank_template, text, len);
    v->rank_template_len = len;
    v->info.heap_bytes += len;
    return INGLE_OK;
}

ingle_status ingle_pair_read(ingle_vocab *v, const ingle_gguf *g, ingle_error *err)
{
    ingle_str s = {0};
    if (!ingle_gguf_find(g, key_template)) return INGLE_OK;
    ingle_status st = ingle_gguf_get_str(g, key_template, true, &s, err);
    return st ? st : take_template(v, s.ptr, s.len, err);
}

ingle_status ingle_vocab_set_rank_template(ingle_vocab *v, const char *text, ingle_error *err)
{
    return v->rank_template ? INGLE_OK : take_template(v, text, strlen(text), err);
}

/* ---- by the template ---- */

/* Where a text goes in the template, and which. */
typedef struct place {
    size_t at, mark;
} place;

typedef struct text {
    const char *p;
    size_t len;
} text;

static ingle_status find_places(const ingle_vocab *v, place *places, size_t *n, ingle_error *err)
{
    const char *p = v->rank_template;
    bool seen[2] = {false, false};
    *n = 0;
    for (size_t i = 0; i < v->rank_template_len; i++)
        for (size_t m = 0; p[i] == '{' && m < 2; m++) {
            size_t len = strlen(marks[m]);
            if (v->rank_template_len - i < len || memcmp(p + i, marks[m], len) != 0) continue;
            if (*n == MOST_PLACES)
                return ingle_fail(err, INGLE_EUNSUPPORTED,
                                  "key '%s': more than %d places for texts", key_template,
                                  MOST_PLACES);
            places[(*n)++] = (place){i, m};
            seen[m] = true;
        }
    if (seen[0] && seen[1]) return INGLE_OK;
    return ingle_fail(err, INGLE_EFORMAT, "key '%s': the template lacks %s", key_template,
                      marks[seen[0] ? 1 : 0]);
}

/* Bytes of the template with the texts in their places; 0 if they are too many. */
static size_t filled_size(const ingle_vocab *v, const place *places, size_t n, const text texts[2])
{
    size_t size = v->rank_template_len;
    for (size_t i = 0; i < n; i++)
        if (!ingle_add_ok(size, texts[places[i].mark].len, &size)) return 0;
    return size;
}

/* The bytes, and which of them are the texts'; their number. */
static size_t fill(const ingle_vocab *v, const place *places, size_t n, const text texts[2],
                   char *out, ingle_literal *literals)
{
    size_t done = 0, at = 0;
    for (size_t i = 0; i < n; i++) {
        const text *t = &texts[places[i].mark];
        memcpy(out + at, v->rank_template + done, places[i].at - done);
        at += places[i].at - done;
        done = places[i].at + strlen(marks[places[i].mark]);
        literals[i] = (ingle_literal){at, at + t->len};
        if (t->len) memcpy(out + at, t->p, t->len);
        at += t->len;
    }
    memcpy(out + at, v->rank_template + done, v->rank_template_len - done);
    return at + v->rank_template_len - done;
}

static ingle_status by_template(const ingle_vocab *v, const text texts[2], int32_t *tokens,
                                size_t cap, size_t *n, ingle_error *err)
{
    place places[MOST_PLACES];
    ingle_literal literals[MOST_PLACES];
    size_t n_places;
    ingle_status st = find_places(v, places, &n_places, err);
    if (st) return st;
    size_t size = filled_size(v, places, n_places, texts);
    char *filled = size ? ingle_new(size, 1) : NULL;
    if (!filled) return ingle_fail(err, INGLE_ENOMEM, "no memory for a pair of texts");
    size_t len = fill(v, places, n_places, texts, filled, literals);
    st = ingle_vocab_tokenize_around(v, filled, len, INGLE_PARSE_SPECIAL, literals, n_places,
                                     tokens, cap, n, err);
    free(filled);
    return st;
}

/* ---- by marks ---- */

typedef struct job {
    const ingle_vocab *v;
    ingle_token_sink out;
    ingle_error *err;
} job;

static void put(job *j, int32_t id)
{
    if (id >= 0) ingle_sink_push(&j->out, id);
}

static ingle_status put_text(job *j, const text *t)
{
    ingle_token_sink *o = &j->out;
    size_t n, done = o->n < o->cap ? o->n : o->cap;
    ingle_status st = ingle_vocab_tokenize(
        j->v, t->p, t->len, 0, o->tokens ? o->tokens + done : NULL, o->cap - done, &n, j->err);
    o->n += n;
    return st == INGLE_ERANGE ? INGLE_OK : st; /* the caller sees to the room */
}

static ingle_status by_marks(const ingle_vocab *v, const text texts[2], job *j, size_t *n_first)
{
    const ingle_vocab_info *info = &v->info;
    int32_t end = info->add_sep ? info->sep : info->add_eos ? info->eos : -1;
    int32_t between = !v->pair_sep ? -1 : info->sep >= 0 ? info->sep : info->eos;
    if (end < 0 && between < 0)
        return ingle_fail(
            j->err, INGLE_EUNSUPPORTED,
            "a pair of texts: the vocabulary has no mark to put between them, and there "
            "is no key '%s'",
            key_template);
    if (info->add_bos) put(j, info->bos);
    ingle_status st = put_text(j, &texts[0]);
    if (st) return st;
    put(j, end);
    put(j, between);
    if (v->kind == INGLE_VOCAB_WORDPIECE) *n_first = j->out.n; /* others make no difference */
    st = put_text(j, &texts[1]);
    put(j, end);
    return st;
}

ingle_status ingle_vocab_tokenize_pair(const ingle_vocab *v, const char *query, size_t query_len,
                                       const char *document, size_t document_len, int32_t *tokens,
                                       size_t cap, size_t *n, size_t *n_first, ingle_error *err)
{
    const text texts[2] = {{query, query_len}, {document, document_len}};
    job j = {.v = v, .out = {tokens, cap, 0}, .err = err};
    *n = *n_first = 0;
    if (!v) return ingle_fail(err, INGLE_ECLOSED, "vocabulary is NULL");
    if ((!query && query_len) || (!document && document_len) || (!tokens && cap))
        return ingle_fail(err, INGLE_EINVAL, "a pair of texts: a text or tokens is NULL");
    if (v->rank_template) return by_template(v, texts, tokens, cap, n, err);
    ingle_status st = by_marks(v, texts, &j, n_first);
    if (st) return st;
    *n = j.out.n;
    if (*n > cap)
        return ingle_fail(err, INGLE_ERANGE, "tokenize: %zu tokens, room for %zu", *n, cap);
    return INGLE_OK;
}
