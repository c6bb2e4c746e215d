/* families.h - what kinds of transformer we know: a family is a row of data, never a function.
 * Owns       the table of families and the reading of hyper-parameters.
 * Depends on gguf/gguf.h, quant/quant.h.
 * Invariant  after ingle_hparams_read() every size is positive, bounded, and consistent with the
 * others. */
#ifndef INGLE_MODEL_FAMILIES_H
#define INGLE_MODEL_FAMILIES_H

#include "gguf/gguf.h"

typedef enum ingle_rope_kind {
    INGLE_ROPE_PAIRS, /* rotates (2i, 2i+1) */
    INGLE_ROPE_HALVES /* rotates (i, i + n_rot/2), "neox" */
} ingle_rope_kind;

typedef enum ingle_qk_norm {
    INGLE_QK_NONE,
    INGLE_QK_HEAD /* RMS norm of every q and k head before RoPE; tensors attn_q_norm, attn_k_norm */
} ingle_qk_norm;

typedef enum ingle_act_fn { INGLE_ACT_SILU } ingle_act_fn;

/* Serial residual, RMS norms before attention and feed-forward, gated feed-forward: what the rows
 * share. Biases need no feature: a bias tensor that is present is added. */
typedef struct ingle_family {
    const char *name; /* general.architecture */
    ingle_rope_kind rope;
    ingle_qk_norm qk_norm;
    ingle_act_fn act;
} ingle_family;

const ingle_family *ingle_family_find(ingle_str architecture); /* NULL if unknown */
const char *ingle_family_list(void);                           /* "llama, qwen2, ..." */

typedef enum ingle_rope_scaling {
    INGLE_SCALING_NONE,
    INGLE_SCALING_LINEAR,
    INGLE_SCALING_YARN
} ingle_rope_scaling;

typedef struct ingle_rope {
    double base;
    uint32_t n_rot; /* rotated dimensions of a head, even */
    ingle_rope_scaling scaling;
    double factor;      /* context extension, >= 1 */
    double attn_factor; /* multiplies cosine and sine */
    double n_ctx_orig;
    double beta_fast, beta_slow; /* yarn */
} ingle_rope;

typedef struct ingle_hparams {
    uint32_t n_embd, n_layer, n_ff, n_ctx;
    uint32_t n_head, n_head_kv; /* n_head is a multiple of n_head_kv */
    uint32_t head_dim_k, head_dim_v;
    uint32_t window; /* 0 = every earlier position is seen */
    float eps;
    float attn_scale;
    ingle_rope rope;
} ingle_hparams;

ingle_status ingle_hparams_read(ingle_hparams *hp, const ingle_family *family, const ingle_gguf *g,
                                ingle_error *err);

/* Angle of one position step for pair i (0 .. n_rot/2-1), and the factor on cosine and sine;
 * freq_factor is the pair's own divisor (Llama 3's rope_freqs tensor), 1 without one. YaRN: Peng et
 * al. 2023 (arXiv 2309.00071), section 3.2. */
double ingle_rope_frequency(const ingle_rope *rope, uint32_t i, double freq_factor);
double ingle_rope_magnitude(const ingle_rope *rope);

#endif
