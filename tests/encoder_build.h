/* encoder_build.h - whole small models of random F32 weights as GGUF files, for tests: BERT with and
 * without a classifier, Jina BERT v2, ModernBERT, Qwen 3 as a reranker. Needs _GNU_SOURCE. */
#ifndef INGLE_TESTS_ENCODER_BUILD_H
#define INGLE_TESTS_ENCODER_BUILD_H

#include "gguf_build.h"

#include <math.h>

enum { EB_EMBD = 64, EB_HEADS = 4, EB_FF = 96, EB_VOCAB = 96, EB_CTX = 640, EB_MOST = 128 };

typedef struct eb_spec {
    const char *arch;
    uint32_t n_layer, n_head, window, pooling; /* pooling: the key's value */
    bool separate_gate, two_norms, qk_norms;   /* Jina: variants */
    bool cls, cls_norm, cls_out;               /* classifier: dense, norm, labels */
    uint32_t n_labels;
    bool one_type;      /* a row of token types, as XLM-R has */
    uint32_t bad_token; /* whose embedding is no number; 0: none */
} eb_spec;

typedef struct eb_model {
    gguf_bytes head;
    struct {
        char name[64];
        uint64_t dims[2];
        int kind; /* 0: matrix, 1: norm weight, 2: small numbers */
    } tensors[EB_MOST];
    size_t n_tensors;
    uint64_t n_kv;
} eb_model;

static inline void eb_tensor(eb_model *m, uint64_t cols, uint64_t rows, int kind,
                             const char *format, unsigned layer)
{
    if (m->n_tensors == EB_MOST) abort();
    snprintf(m->tensors[m->n_tensors].name, 64, format, layer);
    m->tensors[m->n_tensors].dims[0] = cols, m->tensors[m->n_tensors].dims[1] = rows;
    m->tensors[m->n_tensors++].kind = kind;
}

static inline void eb_norm(eb_model *m, uint64_t n, const char *stem, unsigned layer, bool bias)
{
    char name[64];
    snprintf(name, sizeof name, "%s.weight", stem);
    eb_tensor(m, n, 1, 1, name, layer);
    snprintf(name, sizeof name, "%s.bias", stem);
    if (bias) eb_tensor(m, n, 1, 2, name, layer);
}

static inline void eb_linear(eb_model *m, uint64_t cols, uint64_t rows, const char *stem,
                             unsigned layer, bool bias)
{
    char name[64];
    snprintf(name, sizeof name, "%s.weight", stem);
    eb_tensor(m, cols, rows, 0, name, layer);
    snprintf(name, sizeof name, "%s.bias", stem);
    if (bias) eb_tensor(m, rows, 1, 2, name, layer);
}

static inline void eb_layer(eb_model *m, const eb_spec *s, unsigned l)
{
    bool modern = !strcmp(s->arch, "modern-bert"), jina = !strcmp(s->arch, "jina-bert-v2");
    uint64_t d = EB_EMBD, f = EB_FF;
    if (modern && l) eb_norm(m, d, "blk.%u.attn_norm", l, false);
    if (modern) {
        eb_linear(m, d, 3 * d, "blk.%u.attn_qkv", l, false);
    } else {
        eb_linear(m, d, d, "blk.%u.attn_q", l, true);
        eb_linear(m, d, d, "blk.%u.attn_k", l, true);
        eb_linear(m, d, d, "blk.%u.attn_v", l, true);
    }
    if (s->qk_norms) eb_norm(m, d, "blk.%u.attn_q_norm", l, true);
    if (s->qk_norms) eb_norm(m, d, "blk.%u.attn_k_norm", l, true);
    eb_linear(m, d, d, "blk.%u.attn_output", l, !modern);
    if (modern) eb_norm(m, d, "blk.%u.ffn_norm", l, false);
    else eb_norm(m, d, "blk.%u.attn_output_norm", l, true);
    if (s->two_norms) eb_norm(m, d, "blk.%u.attn_norm_2", l, true);
    if (s->separate_gate) eb_linear(m, d, f, "blk.%u.ffn_gate", l, false);
    bool twice = modern || (jina && !s->separate_gate);
    eb_linear(m, d, twice ? 2 * f : f, "blk.%u.ffn_up", l, !modern && !jina);
    eb_linear(m, f, d, "blk.%u.ffn_down", l, !modern);
    if (!modern) eb_norm(m, d, "blk.%u.layer_output_norm", l, true);
}

static inline void eb_qwen3_layer(eb_model *m, const eb_spec *s, unsigned l)
{
    uint64_t d = EB_EMBD, f = EB_FF, head = d / s->n_head;
    eb_norm(m, d, "blk.%u.attn_norm", l, false);
    eb_linear(m, d, d, "blk.%u.attn_q", l, false);
    eb_linear(m, d, d, "blk.%u.attn_k", l, false);
    eb_linear(m, d, d, "blk.%u.attn_v", l, false);
    eb_norm(m, head, "blk.%u.attn_q_norm", l, false);
    eb_norm(m, head, "blk.%u.attn_k_norm", l, false);
    eb_linear(m, d, d, "blk.%u.attn_output", l, false);
    eb_norm(m, d, "blk.%u.ffn_norm", l, false);
    eb_linear(m, d, f, "blk.%u.ffn_gate", l, false);
    eb_linear(m, d, f, "blk.%u.ffn_up", l, false);
    eb_linear(m, f, d, "blk.%u.ffn_down", l, false);
}

static inline void eb_qwen3(eb_model *m, const eb_spec *s)
{
    eb_tensor(m, EB_EMBD, EB_VOCAB, 0, "token_embd.weight", 0);
    for (unsigned l = 0; l < s->n_layer; l++) eb_qwen3_layer(m, s, l);
    eb_norm(m, EB_EMBD, "output_norm", 0, false);
    if (s->cls_out) eb_linear(m, EB_EMBD, s->n_labels, "cls.output", 0, false);
}

static inline void eb_tensors(eb_model *m, const eb_spec *s)
{
    if (!strcmp(s->arch, "qwen3")) {
        eb_qwen3(m, s);
        return;
    }
    bool modern = !strcmp(s->arch, "modern-bert"), bert = !strcmp(s->arch, "bert");
    uint64_t d = EB_EMBD;
    eb_tensor(m, d, EB_VOCAB, 0, "token_embd.weight", 0);
    if (!modern) eb_tensor(m, d, s->one_type ? 1 : 2, 0, "token_types.weight", 0);
    if (bert) eb_tensor(m, d, EB_CTX, 0, "position_embd.weight", 0);
    eb_norm(m, d, "token_embd_norm", 0, !modern);
    for (unsigned l = 0; l < s->n_layer; l++) eb_layer(m, s, l);
    if (modern) eb_norm(m, d, "output_norm", 0, false);
    if (s->cls) eb_linear(m, d, d, "cls", 0, !modern);
    if (s->cls_norm) eb_norm(m, d, "cls.norm", 0, false);
    if (s->cls_out) eb_linear(m, d, s->n_labels, "cls.output", 0, true);
}

static inline void eb_u32(eb_model *m, const char *arch, const char *key, uint32_t v)
{
    char name[96];
    snprintf(name, sizeof name, "%s.%s", arch, key);
    gb_kv_u32(&m->head, name, v);
    m->n_kv++;
}

static inline void eb_keys(eb_model *m, const eb_spec *s)
{
    char name[96];
    gb_kv_str(&m->head, "general.architecture", s->arch);
    m->n_kv++;
    eb_u32(m, s->arch, "block_count", s->n_layer);
    eb_u32(m, s->arch, "embedding_length", EB_EMBD);
    eb_u32(m, s->arch, "context_length", EB_CTX);
    eb_u32(m, s->arch, "feed_forward_length", EB_FF);
    eb_u32(m, s->arch, "attention.head_count", s->n_head);
    eb_u32(m, s->arch, "pooling_type", s->pooling);
    if (s->window) eb_u32(m, s->arch, "attention.sliding_window", s->window);
    bool rms = !strcmp(s->arch, "qwen3");
    snprintf(name, sizeof name, "%s.attention.layer_norm_%sepsilon", s->arch, rms ? "rms_" : "");
    gb_kv_f32(&m->head, name, 1e-5f);
    m->n_kv++;
    if (rms) {
        gb_kv_f32(&m->head, "qwen3.rope.freq_base", 1000000);
        m->n_kv++;
    }
    if (!strcmp(s->arch, "modern-bert")) {
        gb_kv_f32(&m->head, "modern-bert.rope.freq_base", 160000);
        m->n_kv++;
    }
}

/* A file without a name; `path` opens it as long as the descriptor lives. */
static inline int eb_file(const eb_spec *s, char path[32])
{
    static eb_model m;
    uint64_t at = 0, state = 7;
    m = (eb_model){0};
    eb_tensors(&m, s);
    gb_header(&m.head, 3, m.n_tensors, 0);
    eb_keys(&m, s);
    memcpy(m.head.p + 16, &m.n_kv, 8);
    for (size_t i = 0; i < m.n_tensors; i++) {
        const uint64_t *dims = m.tensors[i].dims;
        gb_tensor(&m.head, m.tensors[i].name, dims[1] > 1 || !m.tensors[i].kind ? 2 : 1, dims,
                  INGLE_TYPE_F32, at);
        at += (dims[0] * dims[1] * 4 + 31) / 32 * 32;
    }
    gb_pad(&m.head, 32);
    uint8_t *all = calloc(1, m.head.n + at), *p = all + m.head.n;
    if (!all) abort();
    memcpy(all, m.head.p, m.head.n);
    for (size_t i = 0; i < m.n_tensors; i++) {
        uint64_t n = m.tensors[i].dims[0] * m.tensors[i].dims[1];
        float by = m.tensors[i].kind ? 0.3f : 2 / sqrtf((float)m.tensors[i].dims[0]);
        for (uint64_t k = 0; k < n; k++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            float x = by * ((float)(state >> 40) / (1 << 23) - 1);
            if (m.tensors[i].kind == 1) x += 1;
            if (i == 0 && s->bad_token && k / EB_EMBD == s->bad_token) x = NAN;
            memcpy(p + 4 * k, &x, 4);
        }
        p += (4 * n + 31) / 32 * 32;
    }
    int fd = gb_file(all, m.head.n + at, path);
    free(all);
    return fd;
}

#endif
