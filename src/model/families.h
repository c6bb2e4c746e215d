/* families.h - what kinds of transformer we know: a family is a row of data, never a function.
 * Owns       the table of families and the reading of hyper-parameters.
 * Depends on model/plan.h for the kinds of instructions.
 * Invariant  after ingle_hparams_read() every size is positive, bounded, and consistent with the
 * others. */
#ifndef INGLE_MODEL_FAMILIES_H
#define INGLE_MODEL_FAMILIES_H

#include "model/plan.h"

typedef enum ingle_rope_kind {
    INGLE_ROPE_PAIRS, /* rotates (2i, 2i+1) */
    INGLE_ROPE_HALVES /* rotates (i, i + n_rot/2), "neox" */
} ingle_rope_kind;

/* Norm of q and k before RoPE; tensors attn_q_norm, attn_k_norm. */
typedef enum ingle_qk_norm {
    INGLE_QK_NONE,
    INGLE_QK_HEAD,    /* RMS of every head, all with the same weights */
    INGLE_QK_HEAD_IF, /* likewise, where the file has them */
    INGLE_QK_ALL,     /* RMS over all heads together */
    INGLE_QK_OWN, /* LayerNorm of every head, each with its own weights; where the file has them */
    INGLE_QK_LAYER, /* LayerNorm over all heads together, with a bias; where the file has them */
    INGLE_QK_BARE   /* RMS of every head without weights, in layers with RoPE (key use_qk_norm) */
} ingle_qk_norm;

typedef enum ingle_residual {
    INGLE_RESIDUAL_SERIAL,
    INGLE_RESIDUAL_PARALLEL, /* attention and feed-forward read the same residual stream */
    INGLE_RESIDUAL_KEY       /* as key use_parallel_residual says */
} ingle_residual;

/* Which layers RoPE turns in. */
typedef enum ingle_rope_where {
    INGLE_ROPE_EVERY,
    INGLE_ROPE_WINDOWED,    /* only layers with a window */
    INGLE_ROPE_WINDOWED_IF, /* likewise, every layer if the file names no window */
    INGLE_ROPE_NOWHERE,     /* positions are learned, or distances lower the scores */
    INGLE_ROPE_NOT_FOURTH,  /* all but every fourth */
    INGLE_ROPE_IF_FINETUNED /* none if key rope.scaling.finetuned is false */
} ingle_rope_where;

/* Keys that only some rows read; keys.c says what happens to them in files of other families. */
enum {
    INGLE_KEY_SCALES = 1,      /* embedding_scale, residual_scale, logit_scale (a divisor) */
    INGLE_KEY_LOGIT_SCALE = 2, /* logit_scale (a factor) */
    INGLE_KEY_SOFTCAPS = 4,
    INGLE_KEY_TEMPERATURE = 8, /* attention.temperature_scale */
    INGLE_KEY_PARALLEL = 16,   /* use_parallel_residual */
    INGLE_KEY_YARN = 32,       /* rope.scaling.yarn_log_multiplier */
    INGLE_KEY_EXPERTS = 64,    /* expert_count and what belongs to it */
    INGLE_KEY_GATING = 128,    /* expert_gating_func, expert_weights_norm, expert_group_* */
    INGLE_KEY_CLAMP = 256,     /* attention.clamp_kqv */
    INGLE_KEY_ALIBI = 512,     /* attention.max_alibi_bias */
    INGLE_KEY_ACT = 1024,      /* hidden_activation */
    INGLE_KEY_CHUNKS = 2048,   /* attention.chunk_size, temperature_length, temperature_scale */
    INGLE_KEY_STEP = 4096      /* interleave_moe_layer_step */
};

/* What layers without attention carry from token to token; plan_recurrent.c has their steps. */
typedef enum ingle_recurrence {
    INGLE_RECUR_NONE,
    INGLE_RECUR_CONV,   /* gated short convolution */
    INGLE_RECUR_MAMBA,  /* selective scan, a decay for every channel and state */
    INGLE_RECUR_MAMBA2, /* one for a head */
    INGLE_RECUR_DELTA   /* gated delta rule */
} ingle_recurrence;

/* What a classifier makes a rank of. */
typedef enum ingle_rank_kind {
    INGLE_RANK_FIRST, /* the first token; a dense layer before the labels ends in tanh */
    INGLE_RANK_MEAN,  /* the mean; it ends in GELU */
    INGLE_RANK_LAST   /* the last token, also of a model that makes logits; several labels are
                       * probabilities */
} ingle_rank_kind;

/* What is 0 in a row is the common case: serial residual, RMS norms before attention and
 * feed-forward, gated feed-forward. What a file shows needs no feature: biases, norms behind
 * attention and feed-forward, q, k and v in one tensor, gate and up in one tensor. */
typedef struct ingle_family {
    const char *name; /* general.architecture */
    ingle_rope_kind rope;
    ingle_rope_where rope_where;
    ingle_norm_kind norm;
    ingle_qk_norm qk_norm;
    ingle_act_fn act;
    ingle_residual residual;
    bool ungated;       /* feed-forward: down(act(up)) */
    bool no_pre_norm;   /* norms only behind attention and feed-forward */
    bool ignore_window; /* what the file says of a window means nothing */
    bool embed_root;    /* embeddings times sqrt(n_embd) */
    bool embed_norm;    /* embeddings are normed: token_embd_norm */
    bool positions;     /* learned positions are added to embeddings: position_embd */
    bool bare_norms;    /* norms have no weights */
    bool sub_norms;     /* norms before attn_output and ffn_down: attn_sub_norm, ffn_sub_norm */
    bool late_qk_norm;  /* q and k are normed after RoPE */
    /* ALiBi: scores are lowered with the distance, by up to 2^(-bias / heads) per position; the
     * default of INGLE_KEY_ALIBI. With layers given: only of models with so many, without RoPE. */
    double alibi_bias;
    uint32_t alibi_layers;
    bool encoder;   /* reads in both directions (key attention.causal) and makes no logits */
    bool post_norm; /* norms behind each residual add: attn_output_norm, layer_output_norm */
    ingle_rank_kind rank;
    bool window_first; /* of window_period layers the first, not the last, has no window */
    /* Of `window_period` layers the last has no window; 0: the window holds everywhere. */
    uint32_t window_period;
    /* Windowed layers turn by rope.freq_base_swa (default: this; 0: as the others), unscaled. */
    bool rope_swa;
    double base_swa;
    bool shared_kv;   /* the last layers read the keys and values of earlier ones */
    bool norm_v;      /* values are normed by head, without weights; without attn_v they are keys */
    bool unit_scores; /* scores are not scaled */
    bool altup;       /* streams, low-rank ways around attention, sparse activation */
    bool dense_beside;  /* layers with experts have a dense feed-forward too */
    bool shared_expert; /* layers with experts have a shared one, as wide as each of them */
    bool weigh_inputs;  /* the weight of an expert scales what goes into it */
    bool scan_beside;   /* every layer has attention and the recurrence, both of one norm */
    bool layer_inputs;  /* every layer adds a vector of its own for the token */
    bool latent;        /* keys and values out of a latent (plan_latent.c) */
    bool yarn_tenth;    /* yarn_log_multiplier is a tenth; the magnitude goes into the scores */
    bool window_list;   /* key sliding_window_pattern lists the windowed layers */
    bool bare_layers;   /* head counts and widths of 0 mark layers without that part */
    ingle_recurrence recurrence; /* of layers without attention */
    uint32_t attn_every;     /* only every so many layers attend, by default; 0: as counts say */
    bool gated_attn;         /* attn_q holds q and a gate of what attention gives, by heads */
    bool tiled_heads;        /* delta: head h has the q and k of group h % groups */
    bool late_ffn_norm;      /* the norm before the feed-forward is called post_attention_norm */
    const char *output_norm; /* stem of the tensor; NULL: output_norm */
    uint32_t
        wide_scale_layers; /* with so many layers scores are scaled by 1 / sqrt(n_embd / n_head) */
    unsigned keys;         /* INGLE_KEY_* */
    double softcap_scores, softcap_logits; /* defaults of INGLE_KEY_SOFTCAPS */
    ingle_gating gating;                   /* of experts; the default of INGLE_KEY_GATING */
    bool norm_experts;   /* the weights of a token's experts are made to sum to 1; a default too */
    bool minicpm_scales; /* defaults of INGLE_KEY_SCALES: 12, 1.4 / sqrt(layers), n_embd / 256 */
} ingle_family;

const ingle_family *ingle_family_find(ingle_str architecture); /* NULL if unknown */
const ingle_family *ingle_family_at(size_t i);                 /* NULL past the end */

typedef enum ingle_rope_scaling {
    INGLE_SCALING_NONE,
    INGLE_SCALING_LINEAR,
    INGLE_SCALING_YARN,
    INGLE_SCALING_LONG /* a divisor per pair, one list for short and one for long contexts */
} ingle_rope_scaling;

/* What a layer turns by. */
typedef enum ingle_rope_set {
    INGLE_ROPE_GLOBAL,
    INGLE_ROPE_SWA,
    INGLE_ROPE_SETS,
    INGLE_ROPE_NONE = INGLE_ROPE_SETS
} ingle_rope_set;

typedef struct ingle_rope {
    double base;
    uint32_t n_rot; /* rotated dimensions of a head, even */
    ingle_rope_scaling scaling;
    double factor;      /* context extension, >= 1 */
    double attn_factor; /* multiplies cosine and sine */
    double n_ctx_orig;
    double beta_fast, beta_slow; /* yarn */
    double log_multiplier;       /* yarn: how much of the magnitude is taken back */
} ingle_rope;

/* Mixture of experts; n_expert 0: none. */
typedef struct ingle_moe {
    uint32_t n_expert, n_used, n_ff;
    uint32_t n_ff_shared;           /* of what every token goes through as well; 0: none */
    uint32_t n_dense;               /* so many layers at the start have no experts */
    uint32_t n_group, n_group_used; /* experts are chosen from the best groups; 1, 1: from all */
    ingle_gating gating;
    bool norm;
    bool beside; /* of a dense feed-forward, each between norms of its own */
    bool before; /* weights scale what goes into an expert */
    uint32_t
        step;    /* of so many layers the last has experts, from the first layer on; 0: none has */
    float scale; /* of the weights */
} ingle_moe;

/* What may differ between layers. */
typedef struct ingle_layer {
    uint32_t n_head, n_head_kv; /* n_head is a multiple of n_head_kv; both 0: no attention */
    uint32_t head_dim_k, head_dim_v;
    uint32_t n_ff;   /* 0: no feed-forward */
    uint32_t window; /* 0 = every earlier position is seen */
    bool local;      /* windowed by its place, even where the file names no window */
    float sparsity;  /* deviations above the mean that pass in the feed-forward; 0: all pass */
} ingle_layer;

/* Attention over a latent; n_rank_kv 0: there is none. */
typedef struct ingle_latent {
    uint32_t n_rank_q; /* 0: queries come straight from the input */
    uint32_t n_rank_kv;
    uint32_t head_dim_k, head_dim_v; /* of a head outside of it */
} ingle_latent;

/* Of layers without attention. */
typedef struct ingle_recur {
    ingle_recurrence kind;
    uint32_t n_taps;            /* of the convolution */
    uint32_t n_inner;           /* channels, n_heads times the width of a head */
    uint32_t n_state;           /* what a head keeps of each channel */
    uint32_t n_heads, n_groups; /* the heads of a group share B and C, or q and k */
    uint32_t dt_rank;           /* Mamba 1: columns that its steps come from */
    bool norm_dt_bc;            /* Mamba 1: steps, B and C are normed */
    bool fused_in;              /* delta rule: q, k, v and the gate are one tensor, by groups */
} ingle_recur;

/* Channels of the convolution. */
uint32_t ingle_recur_conv_width(const ingle_recur *r);

typedef struct ingle_hparams {
    uint32_t n_embd, n_layer, n_ctx;
    ingle_layer *layer; /* [n_layer] */
    /* the most of any layer */
    uint32_t n_head, n_head_kv, head_dim_k, head_dim_v, n_ff;
    uint32_t window; /* of layers that have one */
    uint32_t window_period;
    float eps;
    float attn_scale;                               /* 0: 1 / sqrt(head_dim_k) of the layer */
    float softcap_scores, softcap_logits;           /* 0 = no cap */
    float embed_scale, residual_scale, logit_scale; /* factors, 1 = none */
    float temperature;                              /* of scores by position; 0 = none */
    double temper_span;                             /* positions until the next step of it */
    bool chunked; /* windows are chunks of positions; the temperature is of layers without them */
    ingle_act_fn act;
    float clamp_qkv, alibi_bias; /* 0 = none */
    bool causal;                 /* a token sees none after it; else windows have two sides */
    ingle_pooling pooling;       /* as the file says; AUTO: it does not */
    bool parallel, turns;        /* residual; RoPE anywhere at all */
    bool bare_qk_norm;           /* INGLE_QK_BARE */
    ingle_rope rope, rope_swa;
    ingle_latent latent;
    uint32_t n_own_kv;     /* layers with keys and values of their own; the others read theirs */
    uint32_t n_embd_layer; /* length of a layer's own input; 0: none */
    uint32_t n_altup;      /* streams of a row; 0: one, as usual */
    uint32_t n_laurel;     /* rank of the way around attention; 0: none */
    ingle_moe moe;
    uint32_t n_next; /* layers behind the last that draft further tokens: they are not run */
    ingle_recur recur;
    bool gated_attn;
    /* A classifier made of two rows of the head, those of the tokens "yes" and "no". */
    bool ranks_by_words;
    uint32_t rank_words[2];
    char *unread; /* names of keys that were passed over and may matter, or NULL */
} ingle_hparams;

/* ingle_hparams_free() after it, whatever it returned. */
ingle_status ingle_hparams_read(ingle_hparams *hp, const ingle_family *family, const ingle_gguf *g,
                                ingle_error *err);
void ingle_hparams_free(ingle_hparams *hp);

/* The factor of a layer's scores, and what RoPE it takes. */
float ingle_layer_attn_scale(const ingle_hparams *hp, uint32_t layer);
ingle_rope_set ingle_layer_rope(const ingle_family *family, const ingle_hparams *hp,
                                uint32_t layer);

/* What a query head's scores lose per position of distance (Press et al. 2022, arXiv 2108.12409;
 * for numbers of heads that are no power of two as BLOOM and MPT do it). */
double ingle_alibi_slope(double bias, uint32_t n_head, uint32_t head);

/* Angle of one position step for pair i (0 .. n_rot/2-1), and the factor on cosine and sine;
 * freq_factor is the pair's own divisor (Llama 3's rope_freqs tensor), 1 without one. YaRN: Peng et
 * al. 2023 (arXiv 2309.00071), section 3.2. */
double ingle_rope_frequency(const ingle_rope *rope, uint32_t i, double freq_factor);
double ingle_rope_magnitude(const ingle_rope *rope);

#endif
