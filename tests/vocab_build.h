/* vocab_build.h - small vocabularies as GGUF bytes, right or wrong, for tests and fuzz seeds.
 * Needs _GNU_SOURCE. */
#ifndef INGLE_TESTS_VOCAB_BUILD_H
#define INGLE_TESTS_VOCAB_BUILD_H

#include "gguf_build.h"
#include "text/vocab.h"

enum { VB_NORMAL = 1, VB_UNKNOWN, VB_CONTROL, VB_USER, VB_UNUSED, VB_BYTE };

typedef struct vocab_spec {
    const char *model, *pre, *name; /* NULL: no key */
    const char *rank_template;
    struct {
        char text[64];
        int type;
        float score;
    } tokens[600];
    size_t n_tokens;
    size_t n_types, n_scores; /* written; 0: no key */
    char merges[200][64];
    size_t n_merges;
    struct {
        const char *key;
        uint32_t type; /* INGLE_GGUF_U32, I32 or BOOL */
        int64_t value;
    } keys[12];
    size_t n_keys;
    bool no_tokens, no_merges;
} vocab_spec;

static inline uint32_t vb_token(vocab_spec *s, const char *text, int type, float score)
{
    snprintf(s->tokens[s->n_tokens].text, sizeof s->tokens[0].text, "%.63s", text);
    s->tokens[s->n_tokens].type = type;
    s->tokens[s->n_tokens].score = score;
    s->n_types = s->n_scores = s->n_tokens + 1;
    return (uint32_t)s->n_tokens++;
}

static inline void vb_key(vocab_spec *s, const char *key, uint32_t type, int64_t value)
{
    s->keys[s->n_keys].key = key;
    s->keys[s->n_keys].type = type;
    s->keys[s->n_keys++].value = value;
}

static inline void vb_merge(vocab_spec *s, const char *merge)
{
    snprintf(s->merges[s->n_merges++], sizeof s->merges[0], "%s", merge);
}

/* Byte-level BPE: token b is byte b. */
static inline void vb_bpe(vocab_spec *s, const char *pre)
{
    *s = (vocab_spec){.model = "gpt2", .pre = pre};
    for (int b = 0; b < 256; b++) {
        uint32_t c = ingle_byte_char((uint8_t)b);
        char text[3] = {(char)c, 0, 0};
        if (c >= 0x80) {
            text[0] = (char)(0xc0 | c >> 6);
            text[1] = (char)(0x80 | (c & 63));
        }
        vb_token(s, text, VB_NORMAL, 0);
    }
}

/* SentencePiece: <unk> <s> </s>, then the bytes: byte b is token b + 3. */
static inline void vb_spm(vocab_spec *s)
{
    *s = (vocab_spec){.model = "llama"};
    vb_token(s, "<unk>", VB_UNKNOWN, 0);
    vb_token(s, "<s>", VB_CONTROL, 0);
    vb_token(s, "</s>", VB_CONTROL, 0);
    for (int b = 0; b < 256; b++) {
        char text[8];
        snprintf(text, sizeof text, "<0x%02X>", (unsigned)b);
        vb_token(s, text, VB_BYTE, 0);
    }
}

static inline void vb_write(gguf_bytes *b, const vocab_spec *s)
{
    b->n = 0;
    bool merges = s->model && !strcmp(s->model, "gpt2") && !s->no_merges;
    gb_header(b, 3, 0,
              (size_t) !!s->model + !!s->pre + !!s->name + !!s->rank_template + !s->no_tokens +
                  !!s->n_types + !!s->n_scores + merges + s->n_keys);
    if (s->name) gb_kv_str(b, "general.name", s->name);
    if (s->rank_template) gb_kv_str(b, "tokenizer.chat_template.rerank", s->rank_template);
    if (s->model) gb_kv_str(b, "tokenizer.ggml.model", s->model);
    if (s->pre) gb_kv_str(b, "tokenizer.ggml.pre", s->pre);
    if (!s->no_tokens) {
        gb_array(b, "tokenizer.ggml.tokens", INGLE_GGUF_STRING, s->n_tokens);
        for (size_t i = 0; i < s->n_tokens; i++) gb_str(b, s->tokens[i].text);
    }
    if (s->n_types) gb_array(b, "tokenizer.ggml.token_type", INGLE_GGUF_I32, s->n_types);
    for (size_t i = 0; i < s->n_types; i++) gb_u32(b, (uint32_t)s->tokens[i].type);
    if (s->n_scores) gb_array(b, "tokenizer.ggml.scores", INGLE_GGUF_F32, s->n_scores);
    for (size_t i = 0; i < s->n_scores; i++) gb_raw(b, &s->tokens[i].score, 4);
    if (merges) gb_array(b, "tokenizer.ggml.merges", INGLE_GGUF_STRING, s->n_merges);
    for (size_t i = 0; merges && i < s->n_merges; i++) gb_str(b, s->merges[i]);
    for (size_t i = 0; i < s->n_keys; i++)
        gb_kv_int(b, s->keys[i].key, s->keys[i].type, (uint64_t)s->keys[i].value,
                  s->keys[i].type == INGLE_GGUF_BOOL ? 1 : 4);
}

/* A kind that looks whole tokens up, with the bytes "a" to "z" (behind a space mark too) and some
 * more: bert, t5 or rwkv. Token 0 is unknown, 1 and 2 begin and end. */
static inline void vb_words(vocab_spec *s, const char *model)
{
    bool rwkv = !strcmp(model, "rwkv");
    *s = (vocab_spec){.model = model};
    vb_token(s, "[UNK]", VB_UNKNOWN, 0);
    vb_token(s, "[CLS]", VB_CONTROL, 0);
    vb_token(s, "[SEP]", VB_CONTROL, 0);
    for (char c = 'a'; c <= 'z'; c++) {
        char text[8] = {c, 0};
        vb_token(s, text, VB_NORMAL, -5 - (float)(c - 'a') / 16);
        snprintf(text, sizeof text, rwkv ? "\\x%02x" : "\xe2\x96\x81%c", rwkv ? c - 64 : c);
        vb_token(s, text, VB_NORMAL, -6 - (float)(c - 'a') / 16);
    }
    vb_token(s, "ab", VB_NORMAL, -7);
    vb_token(s, "abc", VB_NORMAL, -7.5f);
    vb_token(s, "cab", VB_NORMAL, -8.25f);
    vb_token(s, rwkv ? "\\n" : "\xe2\x96\x81", VB_NORMAL, -3);
    vb_token(s, rwkv ? "\\xe4\\xb8\\xad" : "\xe2\x96\x81\xe4\xb8\xad", VB_NORMAL, -4);
    vb_key(s, "tokenizer.ggml.unknown_token_id", INGLE_GGUF_U32, 0);
    vb_key(s, "tokenizer.ggml.bos_token_id", INGLE_GGUF_U32, 1);
    vb_key(s, "tokenizer.ggml.eos_token_id", INGLE_GGUF_U32, 2);
    vb_key(s, "tokenizer.ggml.seperator_token_id", INGLE_GGUF_U32, 2);
}

/* Opens the bytes as a file and the file's vocabulary. */
static inline ingle_status vb_open_bytes(ingle_vocab **v, const uint8_t *p, size_t n,
                                         ingle_error *err)
{
    char path[32];
    ingle_gguf *g;
    int fd = gb_file(p, n, path);
    ingle_status st = ingle_gguf_open(&g, path, false, err);
    *v = NULL;
    if (!st) st = ingle_vocab_open(v, g, err);
    ingle_gguf_close(&g);
    close(fd);
    return st;
}

static inline ingle_status vb_open(ingle_vocab **v, const vocab_spec *s, ingle_error *err)
{
    static gguf_bytes b;
    vb_write(&b, s);
    return vb_open_bytes(v, b.p, b.n, err);
}

#endif
