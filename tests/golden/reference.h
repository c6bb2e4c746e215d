/* reference.h - transformers once more, in plain double arithmetic, for tests.
 * Owns       a model's tensors as doubles and the forward pass over them: one token after the other,
 *            every product a loop, nothing blocked, nothing fused.
 * Depends on the GGUF reader only: no kernel, no plan, no table of families. What a family does
 *            stands in a ref_family, which the test writes down from the published model code.
 * Tensor names are those of GGUF files; a bias that the file has is added. */
#ifndef INGLE_TESTS_GOLDEN_REFERENCE_H
#define INGLE_TESTS_GOLDEN_REFERENCE_H

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gguf/gguf.h"

typedef enum ref_rope { REF_PAIRS, REF_HALVES, REF_NOWHERE } ref_rope;
typedef enum ref_act { REF_SILU, REF_GELU_TANH, REF_GELU_ERF, REF_RELU_SQUARED, REF_XIELU } ref_act;
typedef enum ref_qk {
    REF_QK_NONE,
    REF_QK_HEAD,
    REF_QK_HEAD_AFTER_ROPE,
    REF_QK_BARE_AFTER_ROPE, /* without weights, and only what was turned */
    REF_QK_ALL
} ref_qk;

typedef struct ref_family {
    const char *arch;
    bool layer_norm; /* mean and variance; else root mean square */
    bool bare_norm;  /* without weights */
    ref_rope rope;
    ref_act act;
    ref_qk qk;
    bool gated;
    bool parallel;      /* x + attention(x) + feed_forward(x) */
    const char *norm1;  /* before attention; NULL: none */
    const char *norm2;  /* before the feed-forward, also of one shared by both; NULL: none */
    const char *after1; /* of attention's output, before it is added; NULL: none */
    const char *after2; /* of the feed-forward's */
    bool learned_positions, embed_norm;
    int window_period;               /* of so many layers the last sees everything; 0: no windows */
    bool rope_windowed_only;         /* RoPE in windowed layers only, if there is a window at all */
    double alibi;                    /* of this family if the file names none; 0: no ALiBi */
    bool sigmoid_gate, norm_experts; /* of a mixture of experts */
    bool logit_scale;                /* logits are multiplied by the key's value */
    bool sub_norms; /* attention's output and the gated product are normed before the last matrix */
    bool chunks;    /* a window begins at a multiple of its length; key attention.chunk_size */
    bool tempered;  /* queries that are not turned grow with their position */
    bool weighted_inputs; /* the weight of an expert multiplies its input, not its output */
} ref_family;

typedef struct ref_model {
    const ref_family *f;
    ingle_gguf *g;
    double **data; /* by tensor index, NULL until wanted */
    size_t d, ff, layers, heads, heads_kv, dk, dv, vocab, n_rot, window;
    double eps, base, alibi, clamp, logit_scale;
} ref_model;

/* ---- the file ---- */

static inline double ref_key(const ref_model *m, const char *key, double otherwise)
{
    char name[128];
    double value = otherwise;
    snprintf(name, sizeof name, "%s.%s", m->f->arch, key);
    const ingle_gguf_kv *kv = ingle_gguf_find(m->g, name);
    int64_t whole;
    if (kv && kv->type == INGLE_GGUF_BOOL) return kv->data[0];
    if (kv && ingle_gguf_item_i64(kv, 0, &whole)) return (double)whole;
    if (kv) ingle_gguf_item_f64(kv, 0, &value);
    return value;
}

static inline const ingle_gguf_tensor *ref_find(const ref_model *m, size_t layer, const char *part,
                                                const char *end)
{
    char name[128];
    const char *dot = *end ? "." : "";
    if (layer == SIZE_MAX) snprintf(name, sizeof name, "%s%s%s", part, dot, end);
    else snprintf(name, sizeof name, "blk.%zu.%s%s%s", layer, part, dot, end);
    return ingle_gguf_find_tensor(m->g, name);
}

/* Of a normal number of 16 bits. */
static inline double ref_half(const uint8_t *p)
{
    int bits = p[0] | p[1] << 8, exponent = (bits >> 10 & 31) - 25;
    return (bits >> 15 ? -1 : 1) * ldexp(1024 + (bits & 1023), exponent);
}

/* TQ2_0 as dequantize_row_tq2_0() of ggml-quants.c reads it: blocks of 256 values, two bits each,
 * 32 bytes for each half of the block, and a factor of 16 bits. */
static inline void ref_ternary(const uint8_t *raw, size_t n, double *out)
{
    for (size_t i = 0; i < n; i++) {
        const uint8_t *block = raw + i / 256 * 66;
        size_t at = i % 256, byte = at / 128 * 32 + at % 32, shift = at % 128 / 32 * 2;
        out[i] = ((block[byte] >> shift & 3) - 1) * ref_half(block + 64);
    }
}

/* The tensor of a layer as doubles, row after row; NULL if the file has none. `end` may be "". */
static inline const double *ref_tensor(const ref_model *m, size_t layer, const char *part,
                                       const char *end)
{
    const ingle_gguf_tensor *t = ref_find(m, layer, part, end);
    if (!t) return NULL;
    size_t i = (size_t)(t - m->g->tensors);
    if (m->data[i]) return m->data[i];
    uint8_t *raw = malloc(t->n_bytes);
    if ((t->type != INGLE_TYPE_F32 && t->type != INGLE_TYPE_TQ2_0) ||
        ingle_gguf_read(m->g, t, 0, raw, t->n_bytes, NULL))
        abort();
    m->data[i] = malloc(t->n_elems * sizeof *m->data[i]);
    if (t->type == INGLE_TYPE_TQ2_0) ref_ternary(raw, t->n_elems, m->data[i]);
    for (size_t k = 0; t->type == INGLE_TYPE_F32 && k < t->n_elems; k++) {
        float value;
        memcpy(&value, raw + k * sizeof value, sizeof value);
        m->data[i][k] = (double)value;
    }
    free(raw);
    return m->data[i];
}

static inline ref_model ref_open(const ref_family *f, const char *path)
{
    ref_model m = {.f = f};
    if (ingle_gguf_open(&m.g, path, true, NULL)) abort();
    m.data = calloc(m.g->n_tensors, sizeof *m.data);
    m.d = (size_t)ref_key(&m, "embedding_length", 0);
    m.ff = (size_t)ref_key(&m, "feed_forward_length", 0);
    m.layers = (size_t)ref_key(&m, "block_count", 0);
    m.heads = (size_t)ref_key(&m, "attention.head_count", 0);
    m.heads_kv = (size_t)ref_key(&m, "attention.head_count_kv", (double)m.heads);
    m.dk = (size_t)ref_key(&m, "attention.key_length", (double)(m.d / m.heads));
    m.dv = (size_t)ref_key(&m, "attention.value_length", (double)(m.d / m.heads));
    m.n_rot = (size_t)ref_key(&m, "rope.dimension_count", (double)m.dk);
    m.base = ref_key(&m, "rope.freq_base", 10000);
    if (f->chunks) m.window = (size_t)ref_key(&m, "attention.chunk_size", 8192);
    else if (f->window_period) m.window = (size_t)ref_key(&m, "attention.sliding_window", 0);
    m.eps = ref_key(&m, "attention.layer_norm_rms_epsilon",
                    ref_key(&m, "attention.layer_norm_epsilon", 0));
    m.alibi = ref_key(&m, "attention.max_alibi_bias", f->alibi);
    m.clamp = ref_key(&m, "attention.clamp_kqv", 0);
    m.logit_scale = f->logit_scale ? ref_key(&m, "logit_scale", 1) : 1;
    m.vocab = ingle_gguf_find_tensor(m.g, "token_embd.weight")->dims[1];
    return m;
}

static inline void ref_close(ref_model *m)
{
    for (size_t i = 0; i < m->g->n_tensors; i++) free(m->data[i]);
    free(m->data);
    ingle_gguf_close(&m->g);
}

/* ---- parts ---- */

/* What row `row` of W, [rows][n_cols], is scaled by: the file's number, or its expert's. */
static inline double ref_scale(const ref_model *m, size_t layer, const char *part, size_t row,
                               size_t n_cols)
{
    const double *s = ref_tensor(m, layer, part, "scale");
    if (!s) return 1;
    if (layer == SIZE_MAX) return *s;
    size_t n = ref_find(m, layer, part, "scale")->n_elems;
    return s[row / (ref_find(m, layer, part, "weight")->n_elems / n_cols / n)];
}

/* dst = rows first .. first + n - 1 of (W src * scale + b). */
static inline void ref_linear(const ref_model *m, size_t layer, const char *part, size_t first,
                              size_t n, const double *src, size_t n_cols, double *dst)
{
    const double *w = ref_tensor(m, layer, part, "weight"), *b = ref_tensor(m, layer, part, "bias");
    if (!w) abort();
    for (size_t r = 0; r < n; r++) {
        double sum = 0;
        for (size_t c = 0; c < n_cols; c++) sum += w[(first + r) * n_cols + c] * src[c];
        dst[r] = sum * ref_scale(m, layer, part, first + r, n_cols) + (b ? b[first + r] : 0);
    }
}

static inline void ref_norm(bool layer_norm, double eps, const double *w, const double *b,
                            const double *src, size_t n, double *dst)
{
    double mean = 0, square = 0;
    for (size_t i = 0; layer_norm && i < n; i++) mean += src[i] / (double)n;
    for (size_t i = 0; i < n; i++) square += (src[i] - mean) * (src[i] - mean) / (double)n;
    for (size_t i = 0; i < n; i++)
        dst[i] = (src[i] - mean) / sqrt(square + eps) * (w ? w[i] : 1) + (b ? b[i] : 0);
}

/* The family's norm with the named weights; no name: a copy. */
static inline void ref_norm_named(const ref_model *m, size_t layer, const char *part,
                                  const double *src, double *dst)
{
    if (!part) {
        memmove(dst, src, m->d * sizeof *dst);
        return;
    }
    const double *w = ref_tensor(m, layer, part, "weight");
    if (!w) w = ref_tensor(m, layer, part, ""); /* Falcon-H1's ffn_norm */
    if (!w != m->f->bare_norm) abort();
    ref_norm(m->f->layer_norm, m->eps, w, ref_tensor(m, layer, part, "bias"), src, m->d, dst);
}

static inline void ref_rotate(const ref_model *m, double *head, size_t pos)
{
    size_t half = m->n_rot / 2;
    const double *slower = ref_tensor(m, SIZE_MAX, "rope_freqs", "weight"); /* Llama 3 */
    for (size_t i = 0; i < half; i++) {
        double angle = (double)pos * pow(m->base, -2.0 * (double)i / (double)m->n_rot);
        if (slower) angle /= slower[i];
        size_t a = m->f->rope == REF_PAIRS ? 2 * i : i,
               b = m->f->rope == REF_PAIRS ? a + 1 : i + half;
        double x = head[a], y = head[b];
        head[a] = x * cos(angle) - y * sin(angle);
        head[b] = x * sin(angle) + y * cos(angle);
    }
}

static inline double ref_softplus(double x)
{
    return log(1 + exp(x));
}

static inline double ref_layer_key(const ref_model *m, const char *key, size_t layer)
{
    double value = NAN;
    const ingle_gguf_kv *kv = ingle_gguf_find(m->g, key);
    ingle_gguf_item_f64(kv, kv->type == INGLE_GGUF_ARRAY ? layer : 0, &value);
    return value;
}

static inline double ref_activate(const ref_model *m, size_t layer, double x)
{
    const double pi = 3.14159265358979323846;
    switch (m->f->act) {
    case REF_SILU: return x / (1 + exp(-x));
    case REF_GELU_TANH: return 0.5 * x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x * x * x)));
    case REF_GELU_ERF: return 0.5 * x * (1 + erf(x / sqrt(2)));
    case REF_RELU_SQUARED: return x > 0 ? x * x : 0;
    default: {
        double beta = ref_layer_key(m, "xielu.beta", layer),
               eps = ref_layer_key(m, "xielu.eps", layer),
               p = ref_softplus(ref_layer_key(m, "xielu.alpha_p", layer)),
               n = beta + ref_softplus(ref_layer_key(m, "xielu.alpha_n", layer));
        return x > 0 ? p * x * x + beta * x : (expm1(fmin(x, eps)) - x) * n + beta * x;
    }
    }
}

/* As BLOOM's build_alibi_tensor() and MPT's gen_slopes() list them. */
static inline double ref_slope(const ref_model *m, size_t h)
{
    size_t closest = (size_t)1 << (size_t)floor(log2((double)m->heads));
    double base = pow(2, -m->alibi / (double)closest),
           extra = pow(2, -m->alibi / (2 * (double)closest));
    return h < closest ? pow(base, (double)h + 1) : pow(extra, (double)(2 * (h - closest) + 1));
}

/* ---- the pass ---- */

/* Sizes of a Mamba-2 mixer, and what it carries from token to token in the layer in progress. */
typedef struct ref_scan {
    size_t n_inner, n_state, n_heads, n_groups, n_taps, n_conv;
    double *past;  /* [n_taps][n_conv], what the convolution reads, the token's own last */
    double *state; /* [n_inner][n_state] */
} ref_scan;

typedef struct ref_state {
    const ref_model *m;
    size_t n;          /* tokens */
    double *k, *v;     /* [n][heads_kv][dk], of the layer in progress */
    double *q, *a, *h; /* one token's */
    double *up, *gate, *y;
    ref_scan scan;
} ref_state;

static inline bool ref_windowed(const ref_model *m, size_t layer)
{
    size_t period = (size_t)m->f->window_period;
    return m->window && layer % period != period - 1;
}

/* q, k and v of one token from the normed h. */
static inline void ref_project(ref_state *s, size_t layer, size_t pos)
{
    const ref_model *m = s->m;
    size_t nq = m->heads * m->dk, nk = m->heads_kv * m->dk, nv = m->heads_kv * m->dv;
    double *k = s->k + pos * nk, *v = s->v + pos * nv, *part[3] = {s->q, k, v};
    size_t n[3] = {nq, nk, nv};
    const char *const names[3] = {"attn_q", "attn_k", "attn_v"};
    bool fused = ref_tensor(m, layer, "attn_qkv", "weight") != NULL;
    for (size_t i = 0, first = 0; i < 3; first += n[i++]) {
        ref_linear(m, layer, fused ? "attn_qkv" : names[i], fused ? first : 0, n[i], s->h, m->d,
                   part[i]);
        for (size_t j = 0; m->clamp > 0 && j < n[i]; j++)
            part[i][j] = fmax(-m->clamp, fmin(m->clamp, part[i][j]));
    }
}

static inline void ref_norm_qk(const ref_model *m, size_t layer, const char *part, double *x,
                               size_t heads)
{
    const double *w = ref_tensor(m, layer, part, "weight");
    if (m->f->qk == REF_QK_ALL) ref_norm(false, m->eps, w, NULL, x, heads * m->dk, x);
    else
        for (size_t h = 0; h < heads; h++)
            ref_norm(false, m->eps, w, NULL, x + h * m->dk, m->dk, x + h * m->dk);
}

/* models/llama4/modeling_llama4.py, Llama4TextAttention: attn_scales, with floor_scale and
 * attn_scale. Positions count from 1. */
static inline void ref_temper(ref_state *s, size_t pos)
{
    const ref_model *m = s->m;
    double length = ref_key(m, "attention.temperature_length", 8192),
           by = ref_key(m, "attention.temperature_scale", 0.1);
    by = 1 + by * log1p(floor((double)(pos + 1) / length));
    for (size_t i = 0; i < m->heads * m->dk; i++) s->q[i] *= by;
}

static inline void ref_place(ref_state *s, size_t layer, size_t pos)
{
    const ref_model *m = s->m;
    double *k = s->k + pos * m->heads_kv * m->dk;
    ref_qk qk = m->f->qk;
    bool turns = m->f->rope != REF_NOWHERE &&
                 !(m->f->rope_windowed_only && m->window && !ref_windowed(m, layer));
    bool late = qk == REF_QK_HEAD_AFTER_ROPE || qk == REF_QK_BARE_AFTER_ROPE;
    bool normed = qk != REF_QK_NONE;
    /* llama.cpp, src/models/llama4.cpp: the model of 128 experts has no such norm. */
    if (qk == REF_QK_BARE_AFTER_ROPE)
        normed = turns && ref_key(m, "use_qk_norm", ref_key(m, "expert_count", 0) != 128) != 0;
    for (int after = 0; after < 2; after++) {
        if (normed && late == (after == 1)) {
            ref_norm_qk(m, layer, "attn_q_norm", s->q, m->heads);
            ref_norm_qk(m, layer, "attn_k_norm", k, m->heads_kv);
        }
        if (after || !turns) continue;
        for (size_t h = 0; h < m->heads; h++) ref_rotate(m, s->q + h * m->dk, pos);
        for (size_t h = 0; h < m->heads_kv; h++) ref_rotate(m, k + h * m->dk, pos);
    }
    if (m->f->tempered && !turns) ref_temper(s, pos);
}

static inline void ref_attend(ref_state *s, size_t layer, size_t pos)
{
    const ref_model *m = s->m;
    size_t window = ref_windowed(m, layer) ? m->window : pos + 1,
           first = pos + 1 > window ? pos + 1 - window : 0;
    if (m->f->chunks && ref_windowed(m, layer)) first = pos / window * window;
    double *p = malloc((pos + 1) * sizeof *p);
    for (size_t h = 0; h < m->heads; h++) {
        size_t g = h / (m->heads / m->heads_kv);
        double max = -INFINITY, sum = 0;
        for (size_t j = first; j <= pos; j++) {
            const double *k = s->k + (j * m->heads_kv + g) * m->dk;
            double dot = 0;
            for (size_t i = 0; i < m->dk; i++) dot += s->q[h * m->dk + i] * k[i];
            p[j] = dot / sqrt((double)m->dk);
            if (m->alibi > 0) p[j] -= ref_slope(m, h) * (double)(pos - j);
            max = fmax(max, p[j]);
        }
        for (size_t j = first; j <= pos; j++) sum += p[j] = exp(p[j] - max);
        for (size_t i = 0; i < m->dv; i++) {
            double out = 0;
            for (size_t j = first; j <= pos; j++)
                out += p[j] / sum * s->v[(j * m->heads_kv + g) * m->dv + i];
            s->a[h * m->dv + i] = out;
        }
    }
    free(p);
}

/* What one more set of rows of a feed-forward makes, added to y with a weight. */
static inline void ref_expert(ref_state *s, size_t layer, const char *const parts[3], size_t e,
                              size_t ff, double weight, double *y)
{
    const ref_model *m = s->m;
    double *out = malloc(m->d * sizeof *out), *in = malloc(m->d * sizeof *in);
    for (size_t i = 0; i < m->d; i++) in[i] = s->h[i] * (m->f->weighted_inputs ? weight : 1);
    bool joint = ref_tensor(m, layer, parts[0], "weight") == NULL; /* gate, then up */
    ref_linear(m, layer, joint ? "ffn_gate_up_exps" : parts[0], e * (joint ? 2 * ff : ff), ff, in,
               m->d, s->gate);
    ref_linear(m, layer, joint ? "ffn_gate_up_exps" : parts[1], joint ? (2 * e + 1) * ff : e * ff,
               ff, in, m->d, s->up);
    for (size_t i = 0; i < ff; i++) s->gate[i] = ref_activate(m, layer, s->gate[i]) * s->up[i];
    ref_linear(m, layer, parts[2], e * m->d, m->d, s->gate, ff, out);
    for (size_t i = 0; i < m->d; i++) y[i] += (m->f->weighted_inputs ? 1 : weight) * out[i];
    free(out), free(in);
}

/* As transformers has it: gate logits, softmax or sigmoid, the best by score and bias, their own
 * scores as weights, made to sum to one or not, times the factor; and the experts for all tokens. */
static inline void ref_experts(ref_state *s, size_t layer)
{
    static const char *const routed[] = {"ffn_gate_exps", "ffn_up_exps", "ffn_down_exps"},
                             *const shared[] = {"ffn_gate_shexp", "ffn_up_shexp", "ffn_down_shexp"};
    const ref_model *m = s->m;
    const size_t n = (size_t)ref_key(m, "expert_count", 0),
                 n_used = (size_t)ref_key(m, "expert_used_count", 0),
                 ff = (size_t)ref_key(m, "expert_feed_forward_length", (double)m->ff);
    const ingle_gguf_tensor *beside = ref_find(m, layer, shared[0], "weight");
    const size_t ff_shared = beside ? (size_t)beside->dims[1] : 0;
    const double *bias = ref_tensor(m, layer, "exp_probs_b", "bias");
    double p[128], all = 0, sum = 0, *y = calloc(m->d, sizeof *y);
    size_t chosen[128];
    ref_linear(m, layer, "ffn_gate_inp", 0, n, s->h, m->d, p);
    for (size_t e = 0; e < n; e++) all += exp(p[e]);
    for (size_t e = 0; e < n; e++)
        p[e] = m->f->sigmoid_gate ? 1 / (1 + exp(-p[e])) : exp(p[e]) / all;
    for (size_t k = 0; k < n_used; k++) {
        double best = -INFINITY;
        for (size_t e = 0; e < n; e++) {
            bool taken = false;
            for (size_t i = 0; i < k; i++) taken = taken || chosen[i] == e;
            double score = p[e] + (bias ? bias[e] : 0);
            if (!taken && score > best) best = score, chosen[k] = e;
        }
        sum += p[chosen[k]];
    }
    double factor = ref_key(m, "expert_weights_scale", 1) / (m->f->norm_experts ? sum : 1);
    for (size_t k = 0; k < n_used; k++)
        ref_expert(s, layer, routed, chosen[k], ff, p[chosen[k]] * factor, y);
    if (ff_shared) ref_expert(s, layer, shared, 0, ff_shared, 1, y);
    memcpy(s->y, y, m->d * sizeof *y);
    free(y);
}

/* s->y = feed-forward of s->h. Where one tensor holds gate and up, the gate is its first half. */
static inline void ref_feed_forward(ref_state *s, size_t layer)
{
    const ref_model *m = s->m;
    if (ref_tensor(m, layer, "ffn_gate_inp", "weight")) {
        ref_experts(s, layer);
        return;
    }
    bool own_gate = ref_tensor(m, layer, "ffn_gate", "weight") != NULL;
    if (m->f->gated && own_gate) ref_linear(m, layer, "ffn_gate", 0, m->ff, s->h, m->d, s->gate);
    else ref_linear(m, layer, "ffn_up", 0, m->ff, s->h, m->d, s->gate);
    if (m->f->gated) ref_linear(m, layer, "ffn_up", own_gate ? 0 : m->ff, m->ff, s->h, m->d, s->up);
    for (size_t i = 0; i < m->ff; i++)
        s->gate[i] = ref_activate(m, layer, s->gate[i]) * (m->f->gated ? s->up[i] : 1);
    if (m->f->sub_norms)
        ref_norm(false, m->eps, ref_tensor(m, layer, "ffn_sub_norm", "weight"), NULL, s->gate,
                 m->ff, s->gate);
    ref_linear(m, layer, "ffn_down", 0, m->d, s->gate, m->ff, s->y);
}

/* s->y = attention of s->h. */
static inline void ref_attention(ref_state *s, size_t layer, size_t pos)
{
    const ref_model *m = s->m;
    ref_project(s, layer, pos);
    ref_place(s, layer, pos);
    ref_attend(s, layer, pos);
    if (m->f->sub_norms)
        ref_norm(false, m->eps, ref_tensor(m, layer, "attn_sub_norm", "weight"), NULL, s->a,
                 m->heads * m->dv, s->a);
    ref_linear(m, layer, "attn_output", 0, m->d, s->a, m->heads * m->dv, s->y);
}

static inline ref_scan ref_scan_open(const ref_model *m)
{
    ref_scan c = {.n_inner = (size_t)ref_key(m, "ssm.inner_size", 0),
                  .n_state = (size_t)ref_key(m, "ssm.state_size", 0),
                  .n_heads = (size_t)ref_key(m, "ssm.time_step_rank", 0),
                  .n_groups = (size_t)ref_key(m, "ssm.group_count", 1),
                  .n_taps = (size_t)ref_key(m, "ssm.conv_kernel", 0)};
    c.n_conv = c.n_inner + 2 * c.n_groups * c.n_state;
    c.past = malloc((c.n_taps * c.n_conv + 1) * sizeof *c.past);
    c.state = malloc((c.n_inner * c.n_state + 1) * sizeof *c.state);
    return c;
}

/* x = silu of the convolution of what `in` and the tokens before it are. */
static inline void ref_convolve(ref_state *s, size_t layer, const double *in, double *x)
{
    const ref_scan *c = &s->scan;
    const double *w = ref_tensor(s->m, layer, "ssm_conv1d", "weight"),
                 *b = ref_tensor(s->m, layer, "ssm_conv1d", "bias");
    memmove(c->past, c->past + c->n_conv, (c->n_taps - 1) * c->n_conv * sizeof *c->past);
    memcpy(c->past + (c->n_taps - 1) * c->n_conv, in, c->n_conv * sizeof *in);
    for (size_t i = 0; i < c->n_conv; i++) {
        double sum = b ? b[i] : 0;
        for (size_t k = 0; k < c->n_taps; k++)
            sum += w[i * c->n_taps + k] * c->past[k * c->n_conv + i];
        x[i] = sum / (1 + exp(-sum));
    }
}

/* The scan of channel i, whose input is x[i]; B and C of all groups follow the channels in x. */
static inline double ref_scan_channel(ref_state *s, size_t layer, size_t i, const double *x,
                                      double step)
{
    const ref_scan *c = &s->scan;
    size_t head = i / (c->n_inner / c->n_heads), group = head / (c->n_heads / c->n_groups);
    const double *b = x + c->n_inner + group * c->n_state, *read = b + c->n_groups * c->n_state;
    double y = ref_tensor(s->m, layer, "ssm_d", "")[head] * x[i], *h = c->state + i * c->n_state;
    double decay = exp(step * ref_tensor(s->m, layer, "ssm_a", "")[head]);
    for (size_t k = 0; k < c->n_state; k++) {
        h[k] = decay * h[k] + step * b[k] * x[i];
        y += read[k] * h[k];
    }
    return y;
}

/* s->y += what the Mamba-2 mixer makes of s->h. models/falcon_h1/modeling_falcon_h1.py:
 * FalconH1Mixer, one token after the other; state-spaces/mamba, mamba2.py. Where there is a norm it
 * follows the gate and works by groups (norm_before_gate false), as llama.cpp's
 * build_mamba2_layer() has it; every multiplier is in the weights, by llama.cpp's
 * conversion/falcon_h1.py. */
static inline void ref_mix(ref_state *s, size_t layer, size_t pos)
{
    const ref_model *m = s->m;
    const ref_scan *c = &s->scan;
    size_t n_all = c->n_inner + c->n_conv + c->n_heads, width = c->n_inner / c->n_groups;
    double *all = malloc(n_all * sizeof *all), *x = malloc(c->n_conv * sizeof *x),
           *y = malloc(c->n_inner * sizeof *y), *out = malloc(m->d * sizeof *out);
    const double *bias = ref_tensor(m, layer, "ssm_dt", "bias"),
                 *norm = ref_tensor(m, layer, "ssm_norm", "weight");
    if (pos == 0) {
        memset(c->past, 0, c->n_taps * c->n_conv * sizeof *c->past);
        memset(c->state, 0, c->n_inner * c->n_state * sizeof *c->state);
    }
    ref_linear(m, layer, "ssm_in", 0, n_all, s->h, m->d, all); /* gate, (x, B, C), steps */
    ref_convolve(s, layer, all + c->n_inner, x);
    for (size_t i = 0; i < c->n_inner; i++) {
        size_t head = i / (c->n_inner / c->n_heads);
        double step = ref_softplus(all[c->n_inner + c->n_conv + head] + bias[head]);
        y[i] = ref_scan_channel(s, layer, i, x, step) * all[i] / (1 + exp(-all[i]));
    }
    for (size_t g = 0; norm && g < c->n_groups; g++)
        ref_norm(false, m->eps, norm + g * width, NULL, y + g * width, width, y + g * width);
    ref_linear(m, layer, "ssm_out", 0, m->d, y, c->n_inner, out);
    for (size_t i = 0; i < m->d; i++) s->y[i] += out[i];
    free(all), free(x), free(y), free(out);
}

/* A layer has attention, a scan, or both side by side, as its tensors say. */
static inline void ref_layer(ref_state *s, size_t layer, double *x, size_t pos)
{
    const ref_model *m = s->m;
    double *before = malloc(m->d * sizeof *before);
    memcpy(before, x, m->d * sizeof *x);
    ref_norm_named(m, layer, m->f->norm1, x, s->h);
    memset(s->y, 0, m->d * sizeof *s->y);
    if (ref_find(m, layer, "attn_output", "weight")) ref_attention(s, layer, pos);
    if (ref_find(m, layer, "ssm_in", "weight")) ref_mix(s, layer, pos);
    ref_norm_named(m, layer, m->f->after1, s->y, s->y);
    for (size_t i = 0; i < m->d; i++) x[i] += s->y[i];
    ref_norm_named(m, layer, m->f->norm2, m->f->parallel ? before : x, s->h);
    ref_feed_forward(s, layer);
    ref_norm_named(m, layer, m->f->after2, s->y, s->y);
    for (size_t i = 0; i < m->d; i++) x[i] += s->y[i];
    free(before);
}

static inline void ref_embed(const ref_model *m, int32_t token, size_t pos, double *x)
{
    const double *e = ref_tensor(m, SIZE_MAX, "token_embd", "weight");
    memcpy(x, e + (size_t)token * m->d, m->d * sizeof *x);
    if (m->f->learned_positions) {
        const double *p = ref_tensor(m, SIZE_MAX, "position_embd", "weight");
        for (size_t i = 0; i < m->d; i++) x[i] += p[pos * m->d + i];
    }
    if (m->f->embed_norm) ref_norm_named(m, SIZE_MAX, "token_embd_norm", x, x);
}

/* Logits of every token, [n][vocab]; the caller frees them. */
static inline double *ref_logits(const ref_model *m, const int32_t *tokens, size_t n)
{
    double *x = malloc(n * m->d * sizeof *x), *out = malloc(n * m->vocab * sizeof *out);
    size_t kv = n * m->heads_kv;
    ref_state s = {.m = m, .n = n, .scan = ref_scan_open(m)};
    s.k = malloc(kv * m->dk * sizeof *s.k), s.v = malloc(kv * m->dv * sizeof *s.v);
    s.q = malloc(m->heads * m->dk * sizeof *s.q), s.a = malloc(m->heads * m->dv * sizeof *s.a);
    s.h = malloc(m->d * sizeof *s.h), s.y = malloc(m->d * sizeof *s.y);
    s.up = malloc(m->ff * sizeof *s.up), s.gate = malloc(m->ff * sizeof *s.gate);
    for (size_t t = 0; t < n; t++) ref_embed(m, tokens[t], t, x + t * m->d);
    for (size_t l = 0; l < m->layers; l++)
        for (size_t t = 0; t < n; t++) ref_layer(&s, l, x + t * m->d, t);
    bool tied = ref_tensor(m, SIZE_MAX, "output", "weight") == NULL;
    for (size_t t = 0; t < n; t++) {
        ref_norm_named(m, SIZE_MAX, "output_norm", x + t * m->d, s.h);
        ref_linear(m, SIZE_MAX, tied ? "token_embd" : "output", 0, m->vocab, s.h, m->d,
                   out + t * m->vocab);
        for (size_t i = 0; i < m->vocab; i++) out[t * m->vocab + i] *= m->logit_scale;
    }
    free(x), free(s.k), free(s.v), free(s.q), free(s.a), free(s.h), free(s.y), free(s.up);
    free(s.gate), free(s.scan.past), free(s.scan.state);
    return out;
}

#endif
