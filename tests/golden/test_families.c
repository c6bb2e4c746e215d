/* Families for which no other engine's logits are at hand: each is written down once more below, from
 * the published model code, and computed in double arithmetic (reference.h) on a small model of
 * random weights that is built here. Logits of every position must agree to 1e-5 of their range, at
 * the best and at the portable level; and the bits must not depend on fusing, on level, on how the
 * tokens are cut into batches, or on threads.
 *
 * Some families that do have foreign goldens go through the same reference, so that it is itself
 * proven. */
#define _GNU_SOURCE
#include "golden/family_build.h"

#include "golden/reference.h"

/* ---- the families, from their published code ---- */

#define ONE_NORM_EACH .norm1 = "attn_norm", .norm2 = "ffn_norm"

static const ref_family
    /* huggingface/transformers, models/falcon/modeling_falcon.py: FalconDecoderLayer (parallel_attn,
     * one norm; new_decoder_architecture: ln_attn and ln_mlp), FalconMLP (nn.GELU, exact). */
    falcon_7b = {.arch = "falcon",
                 .layer_norm = true,
                 .rope = REF_HALVES,
                 .act = REF_GELU_ERF,
                 .parallel = true,
                 .norm1 = "attn_norm",
                 .norm2 = "attn_norm"},
    falcon_40b = {.arch = "falcon",
                  .layer_norm = true,
                  .rope = REF_HALVES,
                  .act = REF_GELU_ERF,
                  .parallel = true,
                  .norm1 = "attn_norm_2",
                  .norm2 = "attn_norm"},
    /* openai/gpt-2, src/model.py: gelu() in its tanh form, wpe added to wte. */
    gpt2 = {.arch = "gpt2",
            .layer_norm = true,
            .rope = REF_NOWHERE,
            .act = REF_GELU_TANH,
            .learned_positions = true,
            ONE_NORM_EACH},
    /* transformers, models/gpt_bigcode/modeling_gpt_bigcode.py: as GPT-2, one key head;
     * activation_function gelu_pytorch_tanh. */
    starcoder = {.arch = "starcoder",
                 .layer_norm = true,
                 .rope = REF_NOWHERE,
                 .act = REF_GELU_TANH,
                 .learned_positions = true,
                 ONE_NORM_EACH},
    /* models/gpt_neox/modeling_gpt_neox.py: GPTNeoXLayer (use_parallel_residual), rotary_pct, exact
     * gelu. */
    gptneox = {.arch = "gptneox",
               .layer_norm = true,
               .rope = REF_HALVES,
               .act = REF_GELU_ERF,
               .parallel = true,
               ONE_NORM_EACH},
    gptneox_serial = {.arch = "gptneox",
                      .layer_norm = true,
                      .rope = REF_HALVES,
                      .act = REF_GELU_ERF,
                      ONE_NORM_EACH},
    /* WisdomShell/codeshell-7b, modeling_codeshell.py: LayerNorm, rotary halves, gelu_pytorch_tanh. */
    codeshell = {.arch = "codeshell",
                 .layer_norm = true,
                 .rope = REF_HALVES,
                 .act = REF_GELU_TANH,
                 ONE_NORM_EACH},
    /* models/bloom/modeling_bloom.py: build_alibi_tensor, bloom_gelu_forward (tanh),
     * word_embeddings_layernorm. */
    bloom = {.arch = "bloom",
             .layer_norm = true,
             .rope = REF_NOWHERE,
             .act = REF_GELU_TANH,
             .embed_norm = true,
             .alibi = 8,
             ONE_NORM_EACH},
    /* mosaicml/llm-foundry, models/layers/attention.py (gen_slopes, clip_qkv), ffn.py (gelu,
     * approximate none). */
    mpt = {.arch = "mpt",
           .layer_norm = true,
           .rope = REF_NOWHERE,
           .act = REF_GELU_ERF,
           ONE_NORM_EACH},
    /* smallcloudai/Refact-1_6B-fim, modeling_gpt_refact.py: RMS norm, ALiBi, one key head, silu gate. */
    refact = {.arch = "refact",
              .rope = REF_NOWHERE,
              .act = REF_SILU,
              .gated = true,
              .alibi = 8,
              ONE_NORM_EACH},
    /* THUDM/chatglm3-6b, modeling_chatglm.py: apply_rotary_pos_emb (pairs, half of a head), swiglu of
     * one tensor. */
    chatglm = {.arch = "chatglm", .rope = REF_PAIRS, .act = REF_SILU, .gated = true, ONE_NORM_EACH},
    /* The next five differ from models/llama/modeling_llama.py in nothing that a file of random
     * weights could show: internlm/internlm2-7b modeling_internlm2.py, xverse/XVERSE-7B
     * modeling_xverse.py, baidu/ERNIE-4.5 (models/ernie4_5: pairs), LGAI-EXAONE/EXAONE-3.0
     * modeling_exaone.py (halves), baichuan-inc/Baichuan2-7B-Base modeling_baichuan.py. */
    internlm2 = {.arch = "internlm2",
                 .rope = REF_PAIRS,
                 .act = REF_SILU,
                 .gated = true,
                 ONE_NORM_EACH},
    xverse = {.arch = "xverse", .rope = REF_PAIRS, .act = REF_SILU, .gated = true, ONE_NORM_EACH},
    ernie = {.arch = "ernie4_5", .rope = REF_PAIRS, .act = REF_SILU, .gated = true, ONE_NORM_EACH},
    exaone = {.arch = "exaone", .rope = REF_HALVES, .act = REF_SILU, .gated = true, ONE_NORM_EACH},
    baichuan = {.arch = "baichuan",
                .rope = REF_PAIRS,
                .act = REF_SILU,
                .gated = true,
                ONE_NORM_EACH},
    /* baichuan-inc/Baichuan2-13B-Base, modeling_baichuan.py: _gen_alibi_mask in place of RoPE. */
    baichuan_13b = {.arch = "baichuan",
                    .rope = REF_NOWHERE,
                    .act = REF_SILU,
                    .gated = true,
                    .alibi = 8,
                    ONE_NORM_EACH},
    /* OrionStarAI/Orion-14B-Base, modeling_orion.py: a llama with nn.LayerNorm. */
    orion = {.arch = "orion",
             .layer_norm = true,
             .rope = REF_HALVES,
             .act = REF_SILU,
             .gated = true,
             ONE_NORM_EACH},
    /* models/olmo/modeling_olmo.py: OlmoLayerNorm has no weights; clip_qkv. */
    olmo = {.arch = "olmo",
            .layer_norm = true,
            .bare_norm = true,
            .rope = REF_PAIRS,
            .act = REF_SILU,
            .gated = true,
            ONE_NORM_EACH},
    /* models/exaone4/modeling_exaone4.py: norms behind, per-head q and k norms, RoPE only where
     * sliding (everywhere if nothing slides), every fourth layer sees all. */
    exaone4 = {.arch = "exaone4",
               .rope = REF_HALVES,
               .act = REF_SILU,
               .qk = REF_QK_HEAD,
               .gated = true,
               .after1 = "post_attention_norm",
               .after2 = "post_ffw_norm",
               .window_period = 4,
               .rope_windowed_only = true},
    /* models/seed_oss/modeling_seed_oss.py; the file's name of the feed-forward's norm is the
     * model's own, post_attention_layernorm. */
    seed_oss = {.arch = "seed_oss",
                .rope = REF_HALVES,
                .act = REF_SILU,
                .gated = true,
                .norm1 = "attn_norm",
                .norm2 = "post_attention_norm"},
    /* models/hunyuan_v1_dense/modeling_hunyuan_v1_dense.py: query_layernorm behind
     * apply_rotary_pos_emb. */
    hunyuan = {.arch = "hunyuan-dense",
               .rope = REF_HALVES,
               .act = REF_SILU,
               .qk = REF_QK_HEAD_AFTER_ROPE,
               .gated = true,
               ONE_NORM_EACH},
    /* models/apertus/modeling_apertus.py and activations.py XIELUActivation. */
    apertus = {.arch = "apertus",
               .rope = REF_HALVES,
               .act = REF_XIELU,
               .qk = REF_QK_HEAD,
               ONE_NORM_EACH},
    /* models/nemotron/modeling_nemotron.py: NemotronLayerNorm1P (its +1 is in the file), relu2,
     * partial_rotary_factor. */
    nemotron = {.arch = "nemotron",
                .layer_norm = true,
                .rope = REF_HALVES,
                .act = REF_RELU_SQUARED,
                ONE_NORM_EACH},
    /* models/arcee/modeling_arcee.py: a llama with down(relu(up)^2). */
    arcee = {.arch = "arcee", .rope = REF_PAIRS, .act = REF_RELU_SQUARED, ONE_NORM_EACH},
    /* models/qwen2_vl, models/qwen3_vl: text turns by three equal positions, as plain RoPE does. */
    qwen2vl = {.arch = "qwen2vl",
               .rope = REF_HALVES,
               .act = REF_SILU,
               .gated = true,
               ONE_NORM_EACH},
    qwen3vl = {.arch = "qwen3vl",
               .rope = REF_HALVES,
               .act = REF_SILU,
               .qk = REF_QK_HEAD,
               .gated = true,
               ONE_NORM_EACH},
    /* pfnet/plamo-13b, modeling_plamo.py: PlamoDecoderLayer adds both branches of one norm. */
    plamo = {.arch = "plamo",
             .rope = REF_HALVES,
             .act = REF_SILU,
             .gated = true,
             .parallel = true,
             .norm1 = "attn_norm",
             .norm2 = "attn_norm"},
    /* models/olmoe/modeling_olmoe.py: OlmoeSparseMoeBlock, norm_topk_prob false; q_norm over all
     * heads. */
    olmoe = {.arch = "olmoe", .rope = REF_HALVES, .qk = REF_QK_ALL, .gated = true, ONE_NORM_EACH},
    /* models/phimoe/modeling_phimoe.py: nn.LayerNorm, biases. Its sparsemixer chooses the best two as
     * everybody does; weights as the compared engine has them: softmax over the two. */
    phimoe = {.arch = "phimoe",
              .layer_norm = true,
              .rope = REF_HALVES,
              .gated = true,
              .norm_experts = true,
              ONE_NORM_EACH},
    /* deepseek-ai/deepseek-moe-16b-base, modeling_deepseek.py: MoEGate, norm_topk_prob false; shared
     * experts as one. */
    deepseek = {.arch = "deepseek", .rope = REF_PAIRS, .gated = true, ONE_NORM_EACH},
    /* models/dots1/modeling_dots1.py: Dots1TopkRouter (sigmoid, e_score_correction_bias). */
    dots1 = {.arch = "dots1",
             .rope = REF_HALVES,
             .qk = REF_QK_HEAD,
             .gated = true,
             .sigmoid_gate = true,
             .norm_experts = true,
             ONE_NORM_EACH},
    /* models/hunyuan_v1_moe/modeling_hunyuan_v1_moe.py: HunYuanMoEV1Gate, shared_mlp. */
    hunyuan_moe = {.arch = "hunyuan-moe",
                   .rope = REF_HALVES,
                   .qk = REF_QK_HEAD_AFTER_ROPE,
                   .gated = true,
                   .norm_experts = true,
                   ONE_NORM_EACH},
    /* models/ernie4_5_moe/modeling_ernie4_5_moe.py: Ernie4_5_MoeTopKRouter (softmax, then a bias for
     * choosing). */
    ernie_moe = {.arch = "ernie4_5-moe",
                 .rope = REF_PAIRS,
                 .gated = true,
                 .norm_experts = true,
                 ONE_NORM_EACH},
    /* MiniMaxAI/MiniMax-M2, modeling_minimax_m2.py: sigmoid, bias, norms over all heads, a part of the
     * head turns. */
    minimax_m2 = {.arch = "minimax-m2",
                  .rope = REF_HALVES,
                  .qk = REF_QK_ALL,
                  .gated = true,
                  .sigmoid_gate = true,
                  .norm_experts = true,
                  ONE_NORM_EACH},
    /* models/qwen3_vl_moe/modeling_qwen3_vl_moe.py */
    qwen3vlmoe = {.arch = "qwen3vlmoe",
                  .rope = REF_HALVES,
                  .qk = REF_QK_HEAD,
                  .gated = true,
                  .norm_experts = true,
                  ONE_NORM_EACH};

/* ---- small models of them ---- */

enum {            /* tensors beyond the plain ones: q, k, v, output, up, down, embedding, head */
       QKV = 1,   /* in one tensor */
       B_QKV = 2, /* biases */
       B_OUT = 4,
       B_FFN = 8,
       B_NORM = 16,
       GATE = 32,
       UP_HOLDS_GATE = 64,
       TIED = 128,
       FREQS = 256, /* rope_freqs, as Llama 3 has them */
       EXPERTS = 512,
       EXPERT_BIAS = 1024, /* for choosing */
       SHARED = 2048,      /* two shared experts */
       JOINT = 4096,       /* an expert's gate and up in one tensor */
       SCALES = 8192       /* of weights, each tensor's and each expert's, as NVFP4 has them */
};

typedef struct spec {
    const char *name;
    const ref_family *f;
    unsigned tensors;
    uint32_t heads, heads_kv, layers, n_rot; /* n_rot 0: no key */
    uint32_t window, sections;
    float clamp, alibi;
    float expert_scale;
    uint32_t n_dense;
    int parallel;    /* -1: no key */
    size_t n_tokens; /* 0: 70 */
} spec;

enum { N_EXPERT = 7, N_USED = 3, EXPERT_FF = 40 };
enum { HEAD_DIM = 16, N_FF = 112, N_VOCAB = 61, N_CTX = 512 };

static void put_norm(fb_model *b, const spec *s, uint32_t layer, const char *part, size_t n)
{
    if (!part || s->f->bare_norm) return;
    fb_put_layer(b, layer, part, "weight", n, 1, 1, 0.4f);
    if (s->tensors & B_NORM) fb_put_layer(b, layer, part, "bias", n, 1, 0, 0.4f);
}

static void put_experts(fb_model *b, const spec *s, uint32_t l, size_t d)
{
    static const char *const parts[] = {"gate", "up", "down"};
    char name[96];
    fb_matrix(b, l, "ffn_gate_inp", d, N_EXPERT, false);
    if (s->tensors & EXPERT_BIAS) fb_put_layer(b, l, "exp_probs_b", "bias", N_EXPERT, 1, 0, 0.3f);
    for (int i = 0; i < 3; i++) {
        size_t n_cols = i == 2 ? EXPERT_FF : d, n_rows = i == 2 ? d : EXPERT_FF;
        bool joint = s->tensors & JOINT && i < 2;
        snprintf(name, sizeof name, "blk.%u.ffn_%s_exps.weight", l, joint ? "gate_up" : parts[i]);
        if (!joint || i == 0)
            fb_put_all(b, name, n_cols, joint ? 2 * n_rows : n_rows, N_EXPERT, 0,
                       1.7f / sqrtf((float)n_cols));
        snprintf(name, sizeof name, "ffn_%s_exps", joint ? "gate_up" : parts[i]);
        if (b->scales && (!joint || i == 0))
            fb_put_layer(b, l, name, "scale", N_EXPERT, 1, 1, 0.5f);
        if (!(s->tensors & SHARED)) continue;
        snprintf(name, sizeof name, "ffn_%s_shexp", parts[i]);
        fb_matrix(b, l, name, i == 2 ? 2 * EXPERT_FF : d, i == 2 ? d : 2 * EXPERT_FF, false);
    }
}

static void put_tensors(fb_model *b, const spec *s)
{
    const ref_family *f = s->f;
    size_t d = s->heads * HEAD_DIM, kv = s->heads_kv * HEAD_DIM;
    bool qkv = s->tensors & B_QKV, ffn = s->tensors & B_FFN;
    fb_put(b, "token_embd.weight", d, N_VOCAB, 0, 1);
    if (f->learned_positions) fb_put(b, "position_embd.weight", d, N_CTX, 0, 1);
    if (f->embed_norm) put_norm(b, s, UINT32_MAX, "token_embd_norm", d);
    for (uint32_t l = 0; l < s->layers; l++) {
        put_norm(b, s, l, f->norm1, d);
        if (f->norm2 && (!f->norm1 || strcmp(f->norm1, f->norm2))) put_norm(b, s, l, f->norm2, d);
        put_norm(b, s, l, f->after1, d);
        put_norm(b, s, l, f->after2, d);
        if (s->tensors & QKV) fb_matrix(b, l, "attn_qkv", d, d + 2 * kv, qkv);
        else {
            fb_matrix(b, l, "attn_q", d, d, qkv);
            fb_matrix(b, l, "attn_k", d, kv, qkv);
            fb_matrix(b, l, "attn_v", d, kv, qkv);
        }
        if (f->qk != REF_QK_NONE) {
            bool all = f->qk == REF_QK_ALL;
            fb_put_layer(b, l, "attn_q_norm", "weight", all ? d : HEAD_DIM, 1, 1, 0.4f);
            fb_put_layer(b, l, "attn_k_norm", "weight", all ? kv : HEAD_DIM, 1, 1, 0.4f);
        }
        fb_matrix(b, l, "attn_output", d, d, s->tensors & B_OUT);
        if (s->tensors & EXPERTS && l >= s->n_dense) {
            put_experts(b, s, l, d);
            continue;
        }
        if (s->tensors & GATE) fb_matrix(b, l, "ffn_gate", d, N_FF, ffn);
        fb_matrix(b, l, "ffn_up", d, s->tensors & UP_HOLDS_GATE ? 2 * N_FF : N_FF, ffn);
        fb_matrix(b, l, "ffn_down", N_FF, d, ffn);
    }
    put_norm(b, s, UINT32_MAX, "output_norm", d);
    if (s->tensors & FREQS) fb_put(b, "rope_freqs.weight", HEAD_DIM / 2, 1, 4, 3);
    if (!(s->tensors & TIED)) fb_matrix(b, UINT32_MAX, "output", d, N_VOCAB, false);
}

static void key_floats(fb_model *b, const char *key, uint32_t n, float mean, float size)
{
    gb_array(&b->keys, key, INGLE_GGUF_F32, n);
    for (uint32_t i = 0; i < n; i++) gb_raw(&b->keys, &(float){mean + size * fb_noise(b)}, 4);
    b->n_keys++;
}

static void put_keys(fb_model *b, const spec *s)
{
    fb_u32(b, "block_count", s->layers);
    fb_u32(b, "embedding_length", s->heads * HEAD_DIM);
    fb_u32(b, "context_length", N_CTX);
    fb_u32(b, "feed_forward_length", N_FF);
    fb_u32(b, "attention.head_count", s->heads);
    fb_u32(b, "attention.head_count_kv", s->heads_kv);
    fb_f32(b,
           s->f->layer_norm ? "attention.layer_norm_epsilon" : "attention.layer_norm_rms_epsilon",
           1e-5f);
    if (s->f->rope != REF_NOWHERE) fb_f32(b, "rope.freq_base", 5000);
    if (s->n_rot) fb_u32(b, "rope.dimension_count", s->n_rot);
    if (s->window) fb_u32(b, "attention.sliding_window", s->window);
    if (s->clamp > 0) fb_f32(b, "attention.clamp_kqv", s->clamp);
    if (s->alibi > 0) fb_f32(b, "attention.max_alibi_bias", s->alibi);
    if (s->parallel) { fb_bool(b, "use_parallel_residual", s->parallel > 0); }
    if (s->sections) {
        gb_array(&b->keys, fb_key(b, "rope.dimension_sections"), INGLE_GGUF_I32, 4);
        for (uint32_t i = 0; i < 4; i++) gb_u32(&b->keys, i < 3 ? s->sections : 0);
        b->n_keys++;
    }
    if (s->tensors & EXPERTS) {
        fb_u32(b, "expert_count", N_EXPERT);
        fb_u32(b, "expert_used_count", N_USED);
        fb_u32(b, "expert_feed_forward_length", EXPERT_FF);
        if (s->tensors & SHARED) fb_u32(b, "expert_shared_count", 2);
        if (s->n_dense) fb_u32(b, "leading_dense_block_count", s->n_dense);
        if (s->f->sigmoid_gate) fb_u32(b, "expert_gating_func", 2);
        if (s->expert_scale > 0) fb_f32(b, "expert_weights_scale", s->expert_scale);
    }
    if (s->f->act != REF_XIELU) return;
    key_floats(b, "xielu.alpha_p", s->layers, 0.3f, 0.5f);
    key_floats(b, "xielu.alpha_n", s->layers, -0.2f, 0.5f);
    key_floats(b, "xielu.beta", s->layers, 0.5f, 0.1f);
    key_floats(b, "xielu.eps", s->layers, -1e-6f, 0);
}

static int build(const spec *s, char path[32])
{
    static fb_model b;
    fb_begin(&b, s->f->arch);
    b.scales = s->tensors & SCALES;
    put_keys(&b, s);
    put_tensors(&b, s);
    return fb_end(&b, path);
}

/* ---- the check ---- */

static void check(const spec *s)
{
    char path[32];
    int fd = build(s, path);
    size_t n = s->n_tokens ? s->n_tokens : 70;
    int32_t tokens[512];
    golden g = {.n_vocab = N_VOCAB, .n_ctx = N_CTX};
    snprintf(g.model, sizeof g.model, "%s", path);
    fb_tokens(tokens, n, N_VOCAB);
    ref_model m = ref_open(s->f, path);
    double *want = ref_logits(&m, tokens, n);
    fb_check(s->name, s->f->arch, &g, tokens, n, want, 1e-5);
    free(want);
    ref_close(&m);
    close(fd);
}

#define SHAPE(h, kv, l) .heads = h, .heads_kv = kv, .layers = l

static const spec specs[] = {
    {"falcon-7b", &falcon_7b, QKV | B_NORM | TIED, SHAPE(4, 1, 3)},
    {"falcon-40b", &falcon_40b, QKV | B_NORM, SHAPE(4, 2, 3)},
    {"gpt2", &gpt2, QKV | B_QKV | B_OUT | B_FFN | B_NORM | TIED, SHAPE(4, 4, 3)},
    {"starcoder", &starcoder, QKV | B_QKV | B_OUT | B_FFN | B_NORM, SHAPE(4, 1, 3)},
    {"gptneox", &gptneox, QKV | B_QKV | B_OUT | B_FFN | B_NORM, SHAPE(4, 4, 3), .n_rot = 4,
     .parallel = 1},
    {"gptneox-serial", &gptneox_serial, QKV | B_QKV | B_OUT | B_FFN | B_NORM, SHAPE(4, 4, 3),
     .n_rot = 16, .parallel = -1},
    {"codeshell", &codeshell, QKV | B_QKV | B_OUT | B_FFN | B_NORM, SHAPE(4, 2, 3)},
    {"bloom", &bloom, QKV | B_QKV | B_OUT | B_FFN | B_NORM | TIED, SHAPE(4, 4, 3)},
    {"bloom-6-heads", &bloom, QKV | B_QKV | B_OUT | B_FFN | B_NORM | TIED, SHAPE(6, 6, 3),
     .n_tokens = 300},
    {"mpt", &mpt, QKV | TIED, SHAPE(6, 6, 3), .alibi = 8, .clamp = 0.8f, .n_tokens = 300},
    {"mpt-biases", &mpt, QKV | B_QKV | B_OUT | B_FFN | B_NORM | TIED, SHAPE(4, 4, 3), .alibi = 16},
    {"refact", &refact, GATE, SHAPE(4, 1, 3)},
    {"chatglm", &chatglm, QKV | B_QKV | UP_HOLDS_GATE, SHAPE(4, 2, 3), .n_rot = 8},
    {"internlm2", &internlm2, GATE, SHAPE(4, 2, 3)},
    {"xverse", &xverse, GATE, SHAPE(4, 4, 3)},
    {"ernie4_5", &ernie, GATE | TIED, SHAPE(4, 1, 3)},
    {"exaone", &exaone, GATE | FREQS, SHAPE(4, 2, 3)},
    {"baichuan", &baichuan, GATE, SHAPE(4, 4, 3)},
    {"baichuan-13b", &baichuan_13b, GATE, SHAPE(3, 3, 40)},
    {"orion", &orion, GATE | B_NORM, SHAPE(4, 2, 3)},
    {"olmo", &olmo, GATE | TIED, SHAPE(4, 4, 3)},
    {"olmo-clamped", &olmo, GATE, SHAPE(4, 4, 3), .clamp = 0.8f},
    {"exaone4", &exaone4, GATE | TIED, SHAPE(4, 2, 3)},
    {"exaone4-windows", &exaone4, GATE, SHAPE(4, 2, 5), .window = 24},
    {"seed_oss", &seed_oss, GATE | B_QKV, SHAPE(4, 2, 3)},
    {"hunyuan-dense", &hunyuan, GATE | TIED, SHAPE(4, 2, 3)},
    {"apertus", &apertus, FREQS, SHAPE(4, 2, 3)},
    {"nemotron", &nemotron, B_NORM, SHAPE(4, 2, 3), .n_rot = 8},
    {"arcee", &arcee, 0, SHAPE(4, 2, 3)},
    {"qwen2vl", &qwen2vl, GATE | B_QKV | TIED, SHAPE(4, 2, 3), .sections = 3},
    {"qwen3vl", &qwen3vl, GATE, SHAPE(4, 2, 3), .sections = 3},
    {"plamo", &plamo, GATE, SHAPE(4, 2, 3)},
    {"olmoe", &olmoe, EXPERTS, SHAPE(4, 4, 3)},
    {"phimoe", &phimoe, EXPERTS | B_QKV | B_OUT | B_NORM, SHAPE(4, 2, 3)},
    {"deepseek", &deepseek, GATE | EXPERTS | SHARED, SHAPE(4, 4, 3), .n_dense = 1,
     .expert_scale = 1.5f},
    {"dots1", &dots1, GATE | EXPERTS | SHARED | EXPERT_BIAS, SHAPE(4, 4, 3), .n_dense = 1,
     .expert_scale = 2.5f},
    {"hunyuan-moe", &hunyuan_moe, EXPERTS | SHARED | TIED, SHAPE(4, 2, 3)},
    {"ernie4_5-moe", &ernie_moe, GATE | EXPERTS | SHARED | EXPERT_BIAS | TIED, SHAPE(4, 1, 3),
     .n_dense = 1},
    {"minimax-m2", &minimax_m2, EXPERTS | EXPERT_BIAS, SHAPE(4, 2, 3), .n_rot = 8},
    {"qwen3vlmoe", &qwen3vlmoe, EXPERTS, SHAPE(4, 2, 3), .sections = 3},
    {"olmoe, joint", &olmoe, EXPERTS | JOINT, SHAPE(4, 4, 3)},
    {"olmoe, joint, scales", &olmoe, EXPERTS | JOINT | SCALES, SHAPE(4, 4, 3)},
    {"internlm2, scales", &internlm2, GATE | SCALES, SHAPE(4, 2, 3)},
    {"chatglm, scales", &chatglm, QKV | B_QKV | UP_HOLDS_GATE | SCALES, SHAPE(4, 2, 3), .n_rot = 8},
    {"deepseek, scales", &deepseek, GATE | EXPERTS | SHARED | SCALES, SHAPE(4, 4, 3), .n_dense = 1,
     .expert_scale = 1.5f},
};

static void families_agree(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof specs / sizeof specs[0]; i++) check(&specs[i]);
}

/* ---- the reference itself ---- */

static void reference_is_right(void **state)
{
    static const struct {
        const char *model;
        ref_family f;
    } list[] = {
        {"llama3", {.arch = "llama", .rope = REF_PAIRS, .gated = true, ONE_NORM_EACH}},
        {"qwen2", {.arch = "qwen2", .rope = REF_HALVES, .gated = true, ONE_NORM_EACH}},
        {"qwen3",
         {.arch = "qwen3", .rope = REF_HALVES, .qk = REF_QK_HEAD, .gated = true, ONE_NORM_EACH}},
        {"llama-moe",
         {.arch = "llama", .rope = REF_PAIRS, .gated = true, .norm_experts = true, ONE_NORM_EACH}},
        {"phi2",
         {.arch = "phi2",
          .layer_norm = true,
          .rope = REF_HALVES,
          .act = REF_GELU_TANH,
          .parallel = true,
          .norm1 = "attn_norm",
          .norm2 = "attn_norm"}},
        {"starcoder2",
         {.arch = "starcoder2",
          .layer_norm = true,
          .rope = REF_HALVES,
          .act = REF_GELU_TANH,
          ONE_NORM_EACH}},
        {"olmo2",
         {.arch = "olmo2",
          .rope = REF_HALVES,
          .qk = REF_QK_ALL,
          .gated = true,
          .after1 = "post_attention_norm",
          .after2 = "post_ffw_norm"}},
        {"glm4",
         {.arch = "glm4",
          .rope = REF_PAIRS,
          .gated = true,
          .after1 = "post_attention_norm",
          .after2 = "post_ffw_norm",
          ONE_NORM_EACH}},
        {"cohere2",
         {.arch = "cohere2",
          .layer_norm = true,
          .rope = REF_PAIRS,
          .gated = true,
          .parallel = true,
          .norm1 = "attn_norm",
          .norm2 = "attn_norm",
          .window_period = 4,
          .rope_windowed_only = true,
          .logit_scale = true}},
    };
    (void)state;
    int n_run = 0;
    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) {
        golden g;
        char name[64];
        if (!golden_open(&g, "models", list[i].model)) continue;
        ref_model m = ref_open(&list[i].f, g.model);
        double *got = ref_logits(&m, g.tokens, g.n_tokens);
        snprintf(name, sizeof name, "reference on %s", list[i].model);
        assert_true(fb_difference(name, m.f->arch, g.logits, got, g.n_tokens * g.n_vocab) < 1e-5);
        free(got);
        ref_close(&m);
        golden_close(&g);
        n_run++;
    }
    assert_true(n_run >= 3);
}

/* ---- what goes beyond a row ---- */

static void learned_positions_end(void **state)
{
    char path[32];
    int fd = build(&specs[2], path);
    ingle_model *m;
    ingle_engine *e;
    ingle_engine_options eo;
    ingle_error err;
    (void)state;
    ingle_engine_options_init(&eo);
    must(ingle_model_open(&m, path, NULL, &err), &err);
    eo.n_ctx = N_CTX + 1;
    assert_int_equal(ingle_engine_open(&e, m, &eo, &err), INGLE_EINVAL);
    assert_non_null(strstr(err.text, "option 'n_ctx' is 513, should be at most 512"));
    eo.n_ctx = N_CTX;
    must(ingle_engine_open(&e, m, &eo, &err), &err);
    ingle_engine_close(&e);
    ingle_model_close(&m);
    close(fd);
}

static void expect_refused(const spec *s, ingle_status status, const char *text)
{
    char path[32];
    int fd = build(s, path);
    ingle_model *m;
    ingle_error err;
    assert_int_equal(ingle_model_open(&m, path, NULL, &err), status);
    if (!strstr(err.text, text)) fail_msg("\"%s\" does not name \"%s\"", err.text, text);
    close(fd);
}

/* A file that lacks what its family needs, or has what its family does not know. */
static void wrong_files_are_refused(void **state)
{
    ref_family f = apertus;
    spec s = {"bent", &f, 0, SHAPE(4, 2, 1)};
    (void)state;
    f.act = REF_SILU; /* no xielu.* */
    expect_refused(&s, INGLE_EFORMAT, "'xielu.beta'");
    f = gpt2;
    f.learned_positions = false;
    expect_refused(&s, INGLE_EFORMAT, "'position_embd.weight' is missing");
    f = bloom;
    f.embed_norm = false;
    expect_refused(&s, INGLE_EFORMAT, "'token_embd_norm.weight' is missing");
    f = internlm2;
    s.clamp = 8;
    expect_refused(&s, INGLE_EUNSUPPORTED, "'internlm2.attention.clamp_kqv'");
    s.clamp = 0, s.alibi = 8;
    expect_refused(&s, INGLE_EUNSUPPORTED, "'internlm2.attention.max_alibi_bias'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reference_is_right),
        cmocka_unit_test(families_agree),
        cmocka_unit_test(learned_positions_end),
        cmocka_unit_test(wrong_files_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
