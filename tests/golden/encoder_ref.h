/* encoder_ref.h - what embeds and ranks in plain double arithmetic, one loop per line of the published
 * model code:
 * BERT (Devlin et al. 2018; google-research/bert modeling.py), NomicBERT (nomic-ai/contrastors),
 * Jina BERT v2 (jinaai/jina-bert-implementation modeling_bert.py), ModernBERT (Warner et al. 2024;
 * transformers modeling_modernbert.py), EmbeddingGemma (transformers modeling_gemma3.py), Qwen 3 as a
 * reranker (transformers modeling_qwen3.py, the model card of Qwen3-Reranker). Shares
 * nothing with the engine but the reader of GGUF files; weights are F32. */
#ifndef INGLE_TESTS_ENCODER_REF_H
#define INGLE_TESTS_ENCODER_REF_H

#include "gguf/gguf.h"

#include <stdio.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef enum er_act { ER_SILU, ER_GELU_TANH, ER_GELU_ERF } er_act;

typedef struct er_spec {
    const ingle_gguf *g;
    size_t n_embd, n_layer, n_head, n_head_kv, head_dim, n_ff;
    double eps;
    bool layer_norm; /* else RMS */
    bool post_norm;  /* norms behind the residual add */
    bool embed_root; /* embeddings times sqrt(n_embd) */
    er_act act;
    size_t window;           /* 0: none; pos - window/2 .. pos + window/2 */
    size_t period;           /* of so many layers one sees everything: */
    bool global_first;       /* the first or the last */
    double base, base_local; /* of RoPE in halves; 0: none */
    double alibi;            /* largest slope is 2^(-alibi/heads); 0: none */
    bool causal;             /* a token sees none behind it */
    size_t n_first;          /* tokens of the first segment; 0: all */
} er_spec;

/* The tensor's floats as doubles, or NULL. */
static inline double *er_tensor(const ingle_gguf *g, const char *name)
{
    const ingle_gguf_tensor *t = ingle_gguf_find_tensor(g, name);
    if (!t) return NULL;
    float *raw = malloc(t->n_bytes);
    double *out = malloc(t->n_elems * sizeof *out);
    if (t->type != INGLE_TYPE_F32 || ingle_gguf_read(g, t, 0, raw, t->n_bytes, NULL)) abort();
    for (size_t i = 0; i < t->n_elems; i++) out[i] = (double)raw[i];
    free(raw);
    return out;
}

static inline double *er_blk(const er_spec *s, size_t layer, const char *part)
{
    char name[96];
    snprintf(name, sizeof name, "blk.%zu.%s", layer, part);
    return er_tensor(s->g, name);
}

/* y[n][rows] = x[n][cols] w^T + bias; w has the rows first .. of its tensor. */
static inline void er_linear(double *y, const double *x, size_t n, size_t rows, size_t cols,
                             const double *w, const double *bias)
{
    for (size_t t = 0; t < n; t++)
        for (size_t r = 0; r < rows; r++) {
            double sum = bias ? bias[r] : 0;
            for (size_t c = 0; c < cols; c++) sum += w[r * cols + c] * x[t * cols + c];
            y[t * rows + r] = sum;
        }
}

static inline void er_norm(const er_spec *s, double *x, size_t n, size_t d, const double *w,
                           const double *bias, bool layer)
{
    for (size_t t = 0; t < n; t++, x += d) {
        double mean = 0, var = 0;
        for (size_t i = 0; layer && i < d; i++) mean += x[i] / (double)d;
        for (size_t i = 0; i < d; i++) var += (x[i] - mean) * (x[i] - mean) / (double)d;
        for (size_t i = 0; i < d; i++)
            x[i] = (x[i] - mean) / sqrt(var + s->eps) * w[i] + (bias ? bias[i] : 0);
    }
}

/* By the names NAME.weight, NAME.bias of a layer; false if the file has none. */
static inline bool er_norm_named(const er_spec *s, double *x, size_t n, size_t d, size_t layer,
                                 const char *name, bool layer_norm)
{
    char part[64];
    snprintf(part, sizeof part, "%s.weight", name);
    double *w = er_blk(s, layer, part);
    snprintf(part, sizeof part, "%s.bias", name);
    double *bias = er_blk(s, layer, part);
    if (w) er_norm(s, x, n, d, w, bias, layer_norm);
    free(w), free(bias);
    return w != NULL;
}

static inline bool er_linear_named(const er_spec *s, double *y, const double *x, size_t n,
                                   size_t rows, size_t cols, size_t layer, const char *name,
                                   size_t first)
{
    char part[64];
    snprintf(part, sizeof part, "%s.weight", name);
    double *w = er_blk(s, layer, part);
    snprintf(part, sizeof part, "%s.bias", name);
    double *bias = er_blk(s, layer, part);
    if (w) er_linear(y, x, n, rows, cols, w + first * cols, bias ? bias + first : NULL);
    free(w), free(bias);
    return w != NULL;
}

static inline double er_activate(er_act act, double x)
{
    if (act == ER_SILU) return x / (1 + exp(-x));
    if (act == ER_GELU_ERF) return x / 2 * (1 + erf(x / sqrt(2)));
    return x / 2 * (1 + tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)));
}

static inline void er_rope(const er_spec *s, double *x, size_t n, size_t n_head, double base)
{
    size_t dim = s->head_dim, half = dim / 2;
    for (size_t t = 0; t < n; t++)
        for (size_t h = 0; h < n_head; h++)
            for (size_t i = 0; i < half; i++) {
                double *p = x + (t * n_head + h) * dim + i;
                double angle = (double)t * pow(base, -2.0 * (double)i / (double)dim);
                double a = p[0] * cos(angle) - p[half] * sin(angle);
                p[half] = p[half] * cos(angle) + p[0] * sin(angle);
                p[0] = a;
            }
}

static inline bool er_is_global(const er_spec *s, size_t layer)
{
    return !s->window || layer % s->period == (s->global_first ? 0 : s->period - 1);
}

/* As in the ALiBi paper for heads that are a power of two; else the next ones in between. */
static inline double er_slope(const er_spec *s, size_t h)
{
    size_t n = 1;
    while (2 * n <= s->n_head) n *= 2;
    if (h < n) return pow(pow(2, -s->alibi / (double)n), (double)h + 1);
    return pow(pow(2, -s->alibi / 2 / (double)n), 2 * (double)(h - n) + 1);
}

static inline void er_attend(const er_spec *s, double *out, const double *q, const double *k,
                             const double *v, size_t n, size_t layer)
{
    size_t dim = s->head_dim, group = s->n_head / s->n_head_kv;
    double *p = malloc(n * sizeof *p);
    for (size_t t = 0; t < n; t++)
        for (size_t h = 0; h < s->n_head; h++) {
            double max = -INFINITY, sum = 0;
            for (size_t j = 0; j < n; j++) {
                size_t far = j > t ? j - t : t - j;
                p[j] = -INFINITY;
                if (!er_is_global(s, layer) && (s->causal ? far >= s->window : far > s->window / 2))
                    continue;
                if (s->causal && j > t) continue;
                double dot = 0;
                for (size_t i = 0; i < dim; i++)
                    dot += q[(t * s->n_head + h) * dim + i] *
                           k[(j * s->n_head_kv + h / group) * dim + i];
                p[j] = dot / sqrt((double)dim) - (s->alibi > 0 ? er_slope(s, h) * (double)far : 0);
                max = fmax(max, p[j]);
            }
            for (size_t j = 0; j < n; j++) sum += p[j] = exp(p[j] - max);
            for (size_t i = 0; i < dim; i++) {
                double x = 0;
                for (size_t j = 0; j < n; j++)
                    x += p[j] / sum * v[(j * s->n_head_kv + h / group) * dim + i];
                out[(t * s->n_head + h) * dim + i] = x;
            }
        }
    free(p);
}

static inline void er_attention(const er_spec *s, double *y, double *x, size_t n, size_t layer)
{
    size_t d = s->n_embd, nq = s->n_head * s->head_dim, nk = s->n_head_kv * s->head_dim;
    double *q = malloc(n * nq * sizeof *q), *k = malloc(n * nk * sizeof *k),
           *v = malloc(n * nk * sizeof *v), *a = malloc(n * nq * sizeof *a);
    if (!er_linear_named(s, q, x, n, nq, d, layer, "attn_q", 0))
        er_linear_named(s, q, x, n, nq, d, layer, "attn_qkv", 0);
    if (!er_linear_named(s, k, x, n, nk, d, layer, "attn_k", 0))
        er_linear_named(s, k, x, n, nk, d, layer, "attn_qkv", nq);
    if (!er_linear_named(s, v, x, n, nk, d, layer, "attn_v", 0))
        er_linear_named(s, v, x, n, nk, d, layer, "attn_qkv", nq + nk);
    if (s->layer_norm) { /* over all heads */
        er_norm_named(s, q, n, nq, layer, "attn_q_norm", true);
        er_norm_named(s, k, n, nk, layer, "attn_k_norm", true);
    } else {
        er_norm_named(s, q, n * s->n_head, s->head_dim, layer, "attn_q_norm", false);
        er_norm_named(s, k, n * s->n_head_kv, s->head_dim, layer, "attn_k_norm", false);
    }
    double base = er_is_global(s, layer) ? s->base : s->base_local;
    if (base > 0) {
        er_rope(s, q, n, s->n_head, base);
        er_rope(s, k, n, s->n_head_kv, base);
    }
    er_attend(s, a, q, k, v, n, layer);
    er_linear_named(s, y, a, n, d, nq, layer, "attn_output", 0);
    free(q), free(k), free(v), free(a);
}

static inline void er_feed_forward(const er_spec *s, double *y, const double *x, size_t n,
                                   size_t layer)
{
    size_t f = s->n_ff, d = s->n_embd;
    double *a = malloc(n * f * sizeof *a), *b = malloc(n * f * sizeof *b);
    char name[64];
    snprintf(name, sizeof name, "blk.%zu.ffn_up.weight", layer);
    bool twice = ingle_gguf_find_tensor(s->g, name)->dims[1] == 2 * f;
    bool gate = er_linear_named(s, a, x, n, f, d, layer, "ffn_gate", 0) || twice;
    if (twice || !gate) er_linear_named(s, a, x, n, f, d, layer, "ffn_up", 0);
    if (gate) er_linear_named(s, b, x, n, f, d, layer, "ffn_up", twice ? f : 0);
    for (size_t i = 0; i < n * f; i++) a[i] = er_activate(s->act, a[i]) * (gate ? b[i] : 1);
    er_linear_named(s, y, a, n, d, f, layer, "ffn_down", 0);
    free(a), free(b);
}

static inline void er_add(double *x, const double *y, size_t n)
{
    for (size_t i = 0; i < n; i++) x[i] += y[i];
}

static inline void er_layer(const er_spec *s, double *x, size_t n, size_t layer)
{
    size_t d = s->n_embd;
    double *y = malloc(n * d * sizeof *y), *in = malloc(n * d * sizeof *in);
    memcpy(in, x, n * d * sizeof *in);
    if (!s->post_norm) er_norm_named(s, in, n, d, layer, "attn_norm", s->layer_norm);
    er_attention(s, y, in, n, layer);
    if (!s->post_norm) er_norm_named(s, y, n, d, layer, "post_attention_norm", s->layer_norm);
    if (s->post_norm) {
        er_add(y, x, n * d);
        er_norm_named(s, y, n, d, layer, "attn_output_norm", true);
        er_add(y, x, n * d);
        if (er_norm_named(s, y, n, d, layer, "attn_norm_2", true)) memcpy(x, y, n * d * sizeof *x);
        else
            for (size_t i = 0; i < n * d; i++) x[i] = y[i] - x[i];
    } else {
        er_add(x, y, n * d);
    }
    memcpy(in, x, n * d * sizeof *in);
    if (!s->post_norm) er_norm_named(s, in, n, d, layer, "ffn_norm", s->layer_norm);
    er_feed_forward(s, y, in, n, layer);
    if (!s->post_norm) er_norm_named(s, y, n, d, layer, "post_ffw_norm", s->layer_norm);
    er_add(x, y, n * d);
    if (s->post_norm) er_norm_named(s, x, n, d, layer, "layer_output_norm", true);
    free(y), free(in);
}

static inline void er_norm_top(const er_spec *s, double *x, size_t n, const char *name)
{
    char part[64];
    snprintf(part, sizeof part, "%s.weight", name);
    double *w = er_tensor(s->g, part);
    snprintf(part, sizeof part, "%s.bias", name);
    double *bias = er_tensor(s->g, part);
    if (w) er_norm(s, x, n, s->n_embd, w, bias, s->layer_norm);
    free(w), free(bias);
}

/* The hidden states of all tokens, [n][n_embd]; the caller frees them. */
static inline double *er_run(const er_spec *s, const int32_t *tokens, size_t n)
{
    size_t d = s->n_embd;
    double *x = malloc(n * d * sizeof *x), *embd = er_tensor(s->g, "token_embd.weight"),
           *types = er_tensor(s->g, "token_types.weight"),
           *places = er_tensor(s->g, "position_embd.weight");
    for (size_t t = 0; t < n; t++)
        for (size_t i = 0; i < d; i++)
            x[t * d + i] = embd[(size_t)tokens[t] * d + i] * (s->embed_root ? sqrt((double)d) : 1) +
                           (types ? types[(s->n_first && t >= s->n_first ? d : 0) + i] : 0) +
                           (places ? places[t * d + i] : 0);
    er_norm_top(s, x, n, "token_embd_norm");
    for (size_t l = 0; l < s->n_layer; l++) er_layer(s, x, n, l);
    er_norm_top(s, x, n, "output_norm");
    free(embd), free(types), free(places);
    return x;
}

#endif
