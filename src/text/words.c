/* words.c - what the kinds of words.h share, and RWKV. */
#include "text/words.h"
#include "base/mem.h"

#include <stdlib.h>

static bool is_plain(const ingle_vocab *v, uint32_t id)
{
    return !(v->attrs[id] & (INGLE_TOK_HIDDEN | INGLE_TOK_BYTE));
}

static ingle_status read_flag(const ingle_gguf *g, const char *key, bool fallback, bool *out,
                              ingle_error *err)
{
    *out = fallback;
    return ingle_gguf_get_bool(g, key, false, out, err);
}

static ingle_status check_texts(const ingle_vocab *v, ingle_error *err)
{
    char piece[INGLE_SPECIAL_MAX];
    for (uint32_t id = 0; id < v->n_tokens; id++) {
        size_t len = v->text.at[id + 1] - v->text.at[id], n;
        if (len > INGLE_SPECIAL_MAX)
            return ingle_fail(err, INGLE_EFORMAT,
                              "tokenizer.ggml.tokens[%u]: a token of %zu bytes; at most %d here",
                              id, len, INGLE_SPECIAL_MAX);
        if (v->kind == INGLE_VOCAB_RWKV &&
            !ingle_rwkv_unescape(v->text.data + v->text.at[id], len, piece, &n))
            return ingle_fail(err, INGLE_EFORMAT,
                              "tokenizer.ggml.tokens[%u]: an escape that is none (\\xHH, \\n)", id);
    }
    return INGLE_OK;
}

ingle_status ingle_words_build(ingle_vocab *v, const ingle_gguf *g, ingle_error *err)
{
    ingle_status st = check_texts(v, err);
    if (!st) st = read_flag(g, "tokenizer.ggml.normalizer.lowercase", true, &v->lower, err);
    if (!st)
        st =
            read_flag(g, "tokenizer.ggml.normalizer.strip_accents", v->lower, &v->strip_marks, err);
    if (!st)
        st = read_flag(g, "tokenizer.ggml.remove_extra_whitespaces", false, &v->merge_spaces, err);
    if (!st && v->kind == INGLE_VOCAB_UNIGRAM) st = ingle_unigram_read(v, g, err);
    if (st) return st;
    if (v->kind != INGLE_VOCAB_RWKV && v->info.unk < 0)
        return ingle_fail(
            err, INGLE_EFORMAT,
            "key 'tokenizer.ggml.unknown_token_id': this kind of tokenizer needs one");
    const ingle_strings *s = v->kind == INGLE_VOCAB_RWKV ? &v->pieces : &v->text;
    if (!ingle_special_set_build(&v->words, v, s, is_plain))
        return ingle_fail(err, INGLE_ENOMEM, "vocabulary: no memory");
    v->info.heap_bytes += v->words.heap_bytes;
    return INGLE_OK;
}

void ingle_words_bytes(ingle_vocab *v)
{
    if (v->kind != INGLE_VOCAB_RWKV) return;
    for (int b = 0; b < 256; b++) {
        const char c = (char)b;
        const ingle_special *e = ingle_special_longest(&v->words, &c, 1);
        v->byte_tokens[b] = e ? (int32_t)e->id : -1;
    }
}

void ingle_words_free(ingle_vocab *v)
{
    free(v->words.entries);
    free(v->charsmap);
    free(v->replacements);
}

/* ---- RWKV ---- */

bool ingle_rwkv_unescape(const char *text, size_t len, char *out, size_t *n)
{
    *n = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned x = (unsigned char)text[i];
        if (text[i] == '\\') {
            if (++i == len) return false;
            switch (text[i]) {
            case 't': x = '\t'; break;
            case 'n': x = '\n'; break;
            case 'r': x = '\r'; break;
            case 'x': {
                int high = len - i < 3 ? -1 : ingle_hex_digit(text[i + 1]);
                int low = high < 0 ? -1 : ingle_hex_digit(text[i + 2]);
                if (low < 0) return false;
                x = (unsigned)(high << 4 | low);
                i += 2;
                break;
            }
            default: x = (unsigned char)text[i]; break;
            }
        }
        out[(*n)++] = (char)x;
    }
    return true;
}

/* Always the longest token. A byte that begins none is the unknown token, or left out. */
static void rwkv_run(const ingle_vocab *v, const char *p, size_t n, ingle_token_sink *sink)
{
    for (size_t i = 0; i < n;) {
        const ingle_special *e = ingle_special_longest(&v->words, p + i, n - i);
        int32_t id = e ? (int32_t)e->id : v->info.unk;
        if (id >= 0) ingle_sink_push(sink, id);
        i += e ? e->len : 1;
    }
}

ingle_status ingle_words_run(const ingle_vocab *v, const char *p, size_t n, bool at_start,
                             ingle_token_sink *sink, ingle_error *err)
{
    if (v->kind == INGLE_VOCAB_WORDPIECE) return ingle_wordpiece_run(v, p, n, sink, err);
    if (v->kind == INGLE_VOCAB_UNIGRAM) return ingle_unigram_run(v, p, n, at_start, sink, err);
    rwkv_run(v, p, n, sink);
    return INGLE_OK;
}
