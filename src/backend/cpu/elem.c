/* elem.c - functions of one row of floats: activations, norms, RoPE. */
#include "backend/cpu/run.h"

#include <math.h>
#include <string.h>

void cpu_softmax(const worker *w, float *x, size_t n)
{
    float max = -INFINITY, sum = 0;
    for (size_t i = 0; i < n; i++) max = x[i] > max ? x[i] : max;
    for (size_t i = 0; i < n; i++) x[i] -= max;
    w->b->kern.exp(x, x, n);
    for (size_t i = 0; i < n; i++) sum += x[i];
    for (size_t i = 0; i < n; i++) x[i] /= sum;
}

/* Of a router and a gate; the kernels' own form differs from it in bits. */
void cpu_sigmoid(const worker *w, float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) x[i] = -x[i];
    w->b->kern.exp(x, x, n);
    for (size_t i = 0; i < n; i++) x[i] = 1 / (1 + x[i]);
}

void cpu_act(const worker *w, ingle_act_fn fn, const float bend[4], float *dst, const float *src,
             size_t n)
{
    const ingle_kern *k = &w->b->kern;
    switch (fn) {
    case INGLE_ACT_SILU: k->silu(dst, src, n); break;
    case INGLE_ACT_GELU: k->gelu(dst, src, n); break;
    case INGLE_ACT_GELU_ERF: k->gelu_erf(dst, src, n); break;
    case INGLE_ACT_RELU2: k->relu2(dst, src, n); break;
    case INGLE_ACT_XIELU: k->xielu(dst, src, bend, n); break;
    case INGLE_ACT_SWIGLU: k->swiglu_gate(dst, src, n); break;
    case INGLE_ACT_SWIGLU_UP: k->swiglu_up(dst, src, n); break;
    case INGLE_ACT_TANH: k->softcap(dst, src, 1.0f, n); break;
    case INGLE_ACT_SOFTPLUS: k->softplus(dst, src, n); break;
    case INGLE_ACT_SIGMOID: k->sigmoid(dst, src, n); break;
    case INGLE_ACT_SOFTMAX:
        if (dst != src) memcpy(dst, src, n * sizeof *dst);
        cpu_softmax(w, dst, n);
        break;
    case INGLE_ACT_NONE:
        if (dst != src) memcpy(dst, src, n * sizeof *dst);
        break;
    }
}

/* fuse.c joins the two that have a kernel. */
void cpu_act_mul(const worker *w, ingle_act_fn fn, float *dst, const float *gate, const float *up,
                 size_t n)
{
    const ingle_kern *k = &w->b->kern;
    (fn == INGLE_ACT_GELU ? k->gelu_mul : k->silu_mul)(dst, gate, up, n);
}

void cpu_norm(const worker *w, const ingle_norm *by, size_t own, float *dst, const float *src,
              size_t n)
{
    const ingle_kern *k = &w->b->kern;
    const float *weight = vec(w, by->weight);
    if (weight) weight += own * n;
    switch (by->kind) {
    case INGLE_NORM_RMS: k->norm_rms(dst, src, weight, n, by->eps); break;
    case INGLE_NORM_LAYER: k->norm_layer(dst, src, weight, vec(w, by->bias), n, by->eps); break;
    case INGLE_NORM_L2: k->norm_l2(dst, src, n, by->eps); break;
    }
}

void cpu_norm_heads(const worker *w, const ingle_norm *by, float *x, uint32_t n_heads,
                    uint32_t head_dim)
{
    for (uint32_t h = 0; h < n_heads; h++)
        cpu_norm(w, by, 0, x + h * head_dim, x + h * head_dim, head_dim);
}

/* Cosine and sine of every pair at token t's position. */
void cpu_angles(const worker *w, uint32_t table, size_t t)
{
    const ingle_backend *b = w->b;
    const ingle_rope_table *rope = &b->program->plan.rope[table];
    bool stretched = rope->freq_long && (double)b->opt.n_ctx > rope->n_ctx_orig;
    const double *freq = stretched ? rope->freq_long : rope->freq;
    float *cs = b->rope[table] + t * rope->n_rot;
    for (size_t i = 0; i < rope->n_rot / 2; i++) {
        double angle = b->tok_pos[t] * freq[i];
        cs[2 * i] = (float)(cos(angle) * (double)rope->magnitude);
        cs[2 * i + 1] = (float)(sin(angle) * (double)rope->magnitude);
    }
}

void cpu_rope_heads(const worker *w, uint32_t table, float *x, size_t t, uint32_t n_heads,
                    uint32_t head_dim)
{
    const ingle_rope_table *rope = &w->b->program->plan.rope[table];
    const float *cs = w->b->rope[table] + t * rope->n_rot;
    for (uint32_t h = 0; h < n_heads; h++)
        w->b->kern.rope(x + h * head_dim, cs, rope->n_rot, rope->halves);
}
