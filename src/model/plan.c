#include "model/build.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of q or k, as the family does it. */
static void norm_qk(builder *b, ingle_buf buf, const char *part, uint32_t n_heads,
                    uint32_t head_dim)
{
    ingle_qk_norm kind = b->family->qk_norm;
    bool optional = kind == INGLE_QK_OWN || kind == INGLE_QK_HEAD_IF || kind == INGLE_QK_LAYER;
    if (kind == INGLE_QK_NONE || (optional && !has(b, part))) return;
    if (kind == INGLE_QK_LAYER) {
        norm(b, buf, buf, buf == INGLE_BUF_Q ? "attn_q_norm" : "attn_k_norm");
        return;
    }
    uint32_t v = INGLE_NO_VECTOR;
    if (kind == INGLE_QK_OWN) {
        char name[96];
        if (!b->st)
            b->st = ingle_weights_vectors(b->w, b->g, tensor_name(b, part, name, sizeof name),
                                          head_dim, n_heads, &v, b->err);
    } else v = vector(b, part, kind == INGLE_QK_ALL ? (size_t)n_heads * head_dim : head_dim);
    ingle_instr *in = norm_with(b, buf, buf, v, INGLE_NO_VECTOR);
    in->norm = kind == INGLE_QK_OWN ? INGLE_NORM_LAYER : INGLE_NORM_RMS;
    in->own = kind == INGLE_QK_OWN;
    if (kind != INGLE_QK_ALL) in->n_heads = n_heads, in->head_dim = head_dim;
}

void ingle_build_turn(builder *b, ingle_buf buf, uint32_t n_heads)
{
    ingle_rope_set set = ingle_layer_rope(b->family, b->hp, b->layer);
    if (set == INGLE_ROPE_NONE) return;
    heads(b, INGLE_OP_ROPE, buf, buf, n_heads, b->hp->layer[b->layer].head_dim_k);
    if (!b->st) b->plan->instr[b->plan->n_instr - 1].rope = set;
}

static void project_qkv(builder *b, ingle_buf src)
{
    const uint32_t *width = b->width;
    size_t q = width[INGLE_BUF_Q], k = width[INGLE_BUF_K], v = width[INGLE_BUF_V];
    bool fused = has(b, "attn_qkv.weight");
    linear_part(b, INGLE_BUF_Q, src, fused ? "attn_qkv" : "attn_q", 0, q, fused ? q + k + v : q);
    linear_part(b, INGLE_BUF_K, src, fused ? "attn_qkv" : "attn_k", fused ? q : 0, k,
                fused ? q + k + v : k);
    if (b->family->norm_v && !fused && !has(b, "attn_v.weight")) {
        if (!b->st && k != v)
            b->st = ingle_fail(b->err, INGLE_EFORMAT, "tensor 'blk.%u.attn_v.weight' is missing",
                               b->layer);
        binary(b, INGLE_OP_COPY, INGLE_BUF_V, INGLE_BUF_K, INGLE_BUF_K);
    } else
        linear_part(b, INGLE_BUF_V, src, fused ? "attn_qkv" : "attn_v", fused ? q + k : 0, v,
                    fused ? q + k + v : v);
}

uint32_t ingle_build_cache(builder *b, const ingle_cache *cache)
{
    ingle_plan *p = b->plan;
    if (!b->st && !ingle_grow(&p->cache, &p->cap_cache, p->n_cache + 1, sizeof *p->cache))
        b->st = ingle_fail(b->err, INGLE_ENOMEM, "no memory for the plan");
    if (b->st) return 0;
    p->cache[p->n_cache] = *cache;
    return (uint32_t)p->n_cache++;
}

uint32_t ingle_build_store(builder *b, ingle_buf k, ingle_buf v, const ingle_cache *cache)
{
    uint32_t i = ingle_build_cache(b, cache);
    ingle_instr *in = emit(b, INGLE_OP_STORE);
    in->dst = in->src = k, in->src2 = v, in->cache = i;
    in->n_heads = cache->n_head_kv, in->head_dim = cache->head_dim_k;
    return i;
}

void ingle_build_attend(builder *b, uint32_t cache)
{
    const ingle_layer *l = &b->hp->layer[b->layer];
    if (b->hp->temperature > 0.0f) {
        ingle_instr *in = emit(b, INGLE_OP_TEMPER);
        in->dst = in->src = INGLE_BUF_Q, in->scale = b->hp->temperature;
        in->width = b->width[INGLE_BUF_Q];
    }
    uint32_t sinks = vector_if(b, "attn_sinks.weight", l->n_head);
    ingle_instr *in = emit(b, INGLE_OP_ATTEND);
    in->dst = INGLE_BUF_A, in->src = INGLE_BUF_Q;
    in->n_heads = l->n_head, in->head_dim = l->head_dim_k;
    in->cache = cache, in->window = l->window;
    in->scale = ingle_layer_attn_scale(b->hp, b->layer);
    in->sinks = sinks;
}

/* Q and K: normed and turned, in the family's order. */
static void prepare_qk(builder *b)
{
    const ingle_layer *l = &b->hp->layer[b->layer];
    bool late = b->family->late_qk_norm;
    for (int step = 0; step < 2; step++) {
        if (late == (step == 1)) {
            norm_qk(b, INGLE_BUF_Q, "attn_q_norm.weight", l->n_head, l->head_dim_k);
            norm_qk(b, INGLE_BUF_K, "attn_k_norm.weight", l->n_head_kv, l->head_dim_k);
        } else {
            ingle_build_turn(b, INGLE_BUF_Q, l->n_head);
            ingle_build_turn(b, INGLE_BUF_K, l->n_head_kv);
        }
    }
}

static void clamp(builder *b, ingle_buf buf)
{
    if (b->hp->clamp_qkv == 0.0f) return;
    binary(b, INGLE_OP_CLAMP, buf, buf, buf);
    if (!b->st) b->plan->instr[b->plan->n_instr - 1].scale = b->hp->clamp_qkv;
}

/* The layer's norm before attention; where it has two, the other one is the feed-forward's. */
static void attention_norm(builder *b)
{
    bool two = has(b, "attn_norm_2.weight");
    size_t n = b->width[INGLE_BUF_X];
    norm(b, INGLE_BUF_N, INGLE_BUF_X, two ? "attn_norm_2" : "attn_norm");
    if (b->st) return;
    b->attn_norm = b->plan->instr[b->plan->n_instr - 1].vector;
    b->attn_norm_bias = b->plan->instr[b->plan->n_instr - 1].bias;
    if (!two) return;
    b->attn_norm = vector(b, "attn_norm.weight", n);
    b->attn_norm_bias = vector_if(b, "attn_norm.bias", n);
}

/* Q alone, over the keys and values of the last layer of the same kind that has some. */
static void borrow_attention(builder *b, ingle_buf src)
{
    static const char *const unused[] = {"attn_k.weight", "attn_v.weight", "attn_k_norm.weight"};
    const ingle_layer *l = &b->hp->layer[b->layer];
    uint32_t i = b->last_cache[l->local];
    for (size_t k = 0; k < sizeof unused / sizeof unused[0]; k++) ingle_build_skip(b, unused[k]);
    if (!b->st && (i == UINT32_MAX || l->n_head % b->plan->cache[i].n_head_kv))
        b->st =
            ingle_fail(b->err, INGLE_EFORMAT,
                       "layer %u should read the keys and values of an earlier one, but none of "
                       "its kind fits its %u heads",
                       b->layer, l->n_head);
    linear(b, INGLE_BUF_Q, src, "attn_q", b->width[INGLE_BUF_Q]);
    norm_qk(b, INGLE_BUF_Q, "attn_q_norm.weight", l->n_head, l->head_dim_k);
    ingle_build_turn(b, INGLE_BUF_Q, l->n_head);
    ingle_build_attend(b, i);
}

static void plain_attention(builder *b, ingle_buf src)
{
    const ingle_layer *l = &b->hp->layer[b->layer];
    if (b->layer >= b->hp->n_own_kv) {
        borrow_attention(b, src);
        return;
    }
    project_qkv(b, src);
    if (b->family->norm_v) {
        ingle_instr *in = norm_with(b, INGLE_BUF_V, INGLE_BUF_V, INGLE_NO_VECTOR, INGLE_NO_VECTOR);
        in->n_heads = l->n_head_kv, in->head_dim = l->head_dim_v;
    }
    clamp(b, INGLE_BUF_Q);
    clamp(b, INGLE_BUF_K);
    clamp(b, INGLE_BUF_V);
    prepare_qk(b);
    ingle_cache cache = {.head_dim_k = l->head_dim_k,
                         .head_dim_v = l->head_dim_v,
                         .n_head_kv = l->n_head_kv,
                         .window = l->window};
    uint32_t i = b->last_cache[l->local] = ingle_build_store(b, INGLE_BUF_K, INGLE_BUF_V, &cache);
    ingle_build_attend(b, i);
}

static void attention(builder *b)
{
    /* An encoder's first layer may lean on the norm of the embeddings. */
    bool bare = b->family->no_pre_norm || (b->family->encoder && b->family->embed_norm &&
                                           !b->layer && !has(b, "attn_norm.weight"));
    ingle_buf src = bare ? INGLE_BUF_X : INGLE_BUF_N;
    if (!bare) attention_norm(b);
    ingle_build_laurel(b);
    if (b->family->latent) ingle_build_latent(b, src);
    else plain_attention(b, src);
}

/* x += n, after what the family does to a branch's end. `post` is the stem of its norm, or NULL. */
static void join(builder *b, ingle_buf x, const char *post)
{
    char weight[64];
    if (b->family->post_norm) {
        ingle_build_post_norm(b, x, post && !strcmp(post, "post_attention_norm"));
        return;
    }
    snprintf(weight, sizeof weight, "%s.weight", post ? post : "");
    if (post && has(b, weight)) norm(b, INGLE_BUF_N, INGLE_BUF_N, post);
    scale(b, INGLE_BUF_N, b->hp->residual_scale);
    binary(b, INGLE_OP_ADD, x, x, INGLE_BUF_N);
}

/* Both in one tensor, the gate first. */
static bool up_holds_gate(builder *b)
{
    char name[96];
    const ingle_gguf_tensor *up =
        ingle_gguf_find_tensor(b->g, tensor_name(b, "ffn_up.weight", name, sizeof name));
    return !has(b, "ffn_gate.weight") && up && up->dims[1] == 2 * (uint64_t)b->width[INGLE_BUF_G];
}

static float softplus(double x)
{
    return (float)(x > 30 ? x : log1p(exp(x)));
}

/* One number for all layers or one for each. */
static double layer_number(builder *b, const char *key)
{
    const ingle_gguf_kv *kv = ingle_gguf_find(b->g, key);
    double value = NAN;
    if (kv) ingle_gguf_item_f64(kv, kv->type == INGLE_GGUF_ARRAY ? b->layer : 0, &value);
    if (!b->st && !(fabs(value) <= 1e6))
        b->st =
            ingle_fail(b->err, INGLE_EFORMAT,
                       "key '%s': layer %u should have a number there, at most 1e6", key, b->layer);
    return value;
}

/* g = act(g) * u, or act(g). */
static void activate(builder *b, ingle_buf g, ingle_buf u, bool gated)
{
    ingle_act_fn act = b->family->act;
    ingle_instr *in;
    if (b->hp->layer[b->layer].sparsity > 0) {
        in = emit(b, INGLE_OP_SPARSE);
        in->dst = in->src = g, in->width = b->width[g];
        in->scale = b->hp->layer[b->layer].sparsity;
    }
    in = emit(b, INGLE_OP_ACT);
    in->act = act, in->dst = in->src = in->src2 = g;
    in->width = b->width[g];
    if (act == INGLE_ACT_XIELU) {
        double beta = layer_number(b, "xielu.beta");
        in->bend[0] = softplus(layer_number(b, "xielu.alpha_p"));
        in->bend[1] = (float)beta + softplus(layer_number(b, "xielu.alpha_n"));
        in->bend[2] = (float)beta;
        in->bend[3] = (float)layer_number(b, "xielu.eps");
    }
    if (act == INGLE_ACT_SWIGLU) {
        in = emit(b, INGLE_OP_ACT);
        in->act = INGLE_ACT_SWIGLU_UP, in->dst = in->src = in->src2 = u;
        in->width = b->width[u];
    }
    if (gated) binary(b, INGLE_OP_MUL, g, g, u);
}

/* N = down(act(gate(src)) * up(src)) */
static void dense(builder *b, ingle_buf src)
{
    size_t n_ff = b->width[INGLE_BUF_G];
    if (b->family->ungated) {
        linear(b, INGLE_BUF_G, src, "ffn_up", n_ff);
    } else if (up_holds_gate(b)) {
        linear_part(b, INGLE_BUF_G, src, "ffn_up", 0, n_ff, 2 * n_ff);
        linear_part(b, INGLE_BUF_U, src, "ffn_up", n_ff, n_ff, 2 * n_ff);
    } else {
        linear(b, INGLE_BUF_G, src, "ffn_gate", n_ff);
        linear(b, INGLE_BUF_U, src, "ffn_up", n_ff);
    }
    activate(b, INGLE_BUF_G, INGLE_BUF_U, !b->family->ungated);
    linear(b, INGLE_BUF_N, INGLE_BUF_G, "ffn_down", b->hp->n_embd);
}

/* out[i].dst of an EXPERTS = rows first .. first + n_rows - 1 of the n_all of each expert, which one
 * tensor holds; and of their biases. */
static void expert_out(builder *b, ingle_instr *in, ingle_buf dst, const char *part, size_t first,
                       size_t n_rows, size_t n_all, size_t n_cols)
{
    char stem[64], name[96];
    ingle_matmul_out out = {.bias = INGLE_NO_VECTOR, .dst = dst};
    size_t n = b->hp->moe.n_expert;
    snprintf(stem, sizeof stem, "%s.weight", part);
    if (!b->st)
        b->st = ingle_weights_experts(b->w, b->g, tensor_name(b, stem, name, sizeof name), n, first,
                                      n_rows, n_all, n_cols, &out.weight, b->err);
    snprintf(stem, sizeof stem, "%s.bias", part);
    if (!b->st && n_rows == n_all && has(b, stem))
        b->st = ingle_weights_vectors(b->w, b->g, tensor_name(b, stem, name, sizeof name), n_rows,
                                      n, &out.bias, b->err);
    in->out[in->n_out++] = out;
}

/* N = what the shared experts make of src = N. */
static void shared_experts(builder *b, ingle_buf src)
{
    const ingle_moe *moe = &b->hp->moe;
    bool gated = has(b, "ffn_gate_inp_shexp.weight");
    linear(b, INGLE_BUF_SG, src, "ffn_gate_shexp", moe->n_ff_shared);
    linear(b, INGLE_BUF_SU, src, "ffn_up_shexp", moe->n_ff_shared);
    if (gated) linear(b, INGLE_BUF_S, src, "ffn_gate_inp_shexp", 1);
    activate(b, INGLE_BUF_SG, INGLE_BUF_SU, true);
    linear(b, INGLE_BUF_N, INGLE_BUF_SG, "ffn_down_shexp", b->hp->n_embd);
    if (gated) binary(b, INGLE_OP_GATE, INGLE_BUF_N, INGLE_BUF_N, INGLE_BUF_S);
}

/* C = the experts of the token and their weights, by src. */
static void route(builder *b, ingle_buf src)
{
    uint32_t n = b->hp->moe.n_expert;
    linear(b, INGLE_BUF_R, src, "ffn_gate_inp", n);
    uint32_t bias = vector_if(b, "exp_probs_b.bias", n),
             factors = vector_if(b, "ffn_down_exps.scale", n);
    ingle_instr *in = emit(b, INGLE_OP_ROUTE);
    in->dst = INGLE_BUF_C, in->src = INGLE_BUF_R, in->vector = bias, in->vector2 = factors;
}

/* dst = the weighted sum of the chosen experts of src. */
static void chosen(builder *b, ingle_buf dst, ingle_buf src)
{
    size_t d = b->hp->n_embd, n_ff = b->hp->moe.n_ff;
    bool one = has(b, "ffn_gate_up_exps.weight"); /* gate and up in one tensor, the gate first */
    size_t n_all = one ? 2 * n_ff : n_ff;
    ingle_instr *in = emit(b, INGLE_OP_EXPERTS);
    in->src = src, in->dst = INGLE_BUF_EY; /* where float rows wait for their expert */
    expert_out(b, in, INGLE_BUF_EG, one ? "ffn_gate_up_exps" : "ffn_gate_exps", 0, n_ff, n_all, d);
    expert_out(b, in, INGLE_BUF_EU, one ? "ffn_gate_up_exps" : "ffn_up_exps", n_all - n_ff, n_ff,
               n_all, d);
    activate(b, INGLE_BUF_EG, INGLE_BUF_EU, true);
    in = emit(b, INGLE_OP_EXPERTS);
    in->src = in->dst = INGLE_BUF_EG, in->pairs = true;
    expert_out(b, in, INGLE_BUF_EY, "ffn_down_exps", 0, d, d, n_ff);
    binary(b, INGLE_OP_REDUCE, dst, INGLE_BUF_EY, INGLE_BUF_C);
}

/* N = the weighted sum of the token's experts of src = N (+ the shared ones). */
static void experts(builder *b, ingle_buf src)
{
    bool shared = b->hp->moe.n_ff_shared;
    route(b, src);
    chosen(b, shared ? INGLE_BUF_M : INGLE_BUF_N, src);
    if (!shared) return;
    shared_experts(b, src);
    binary(b, INGLE_OP_ADD, INGLE_BUF_N, INGLE_BUF_N, INGLE_BUF_M);
}

/* N = a dense feed-forward of x and the experts of x, each between norms of its own; what chooses
 * has one too, and is scaled. */
static void dense_and_experts(builder *b, ingle_buf x)
{
    norm(b, INGLE_BUF_N, x, "ffn_norm");
    dense(b, INGLE_BUF_N);
    norm(b, INGLE_BUF_N, INGLE_BUF_N, "post_ffw_norm_1");
    binary(b, INGLE_OP_COPY, INGLE_BUF_M, INGLE_BUF_N, INGLE_BUF_N);
    uint32_t by = vector(b, "ffn_gate_inp.scale", b->hp->n_embd);
    norm_with(b, INGLE_BUF_N, x, by, INGLE_NO_VECTOR);
    scale(b, INGLE_BUF_N, (float)(1 / sqrt((double)b->hp->n_embd)));
    route(b, INGLE_BUF_N);
    norm(b, INGLE_BUF_N, x, "pre_ffw_norm_2");
    chosen(b, INGLE_BUF_N, INGLE_BUF_N);
    norm(b, INGLE_BUF_N, INGLE_BUF_N, "post_ffw_norm_2");
    binary(b, INGLE_OP_ADD, INGLE_BUF_N, INGLE_BUF_N, INGLE_BUF_M);
}

static void feed_forward(builder *b, ingle_buf x)
{
    const ingle_hparams *hp = b->hp;
    const char *before = b->family->late_ffn_norm ? "post_attention_norm" : "ffn_norm";
    bool with_experts = hp->moe.n_expert && b->layer >= hp->moe.n_dense;
    if (with_experts && hp->moe.beside) {
        dense_and_experts(b, x);
        join(b, x, "post_ffw_norm");
        return;
    }
    if (hp->parallel && !has(b, "ffn_norm.weight"))
        norm_with(b, INGLE_BUF_N, x, b->attn_norm, b->attn_norm_bias);
    else if (!b->family->no_pre_norm) norm(b, INGLE_BUF_N, x, before);
    (with_experts ? experts : dense)(b, b->family->no_pre_norm ? x : INGLE_BUF_N);
    join(b, x, "post_ffw_norm");
}

/* After the last attention only the wanted rows go on. Where attention and feed-forward are parallel
 * the feed-forward is added first: attention has read the stream by then. */
static void layer(builder *b)
{
    ingle_buf x = INGLE_BUF_X, out = INGLE_BUF_A;
    ingle_build_before_layer(b);
    attention(b);
    if (b->layer + 1 == b->hp->n_layer && !b->hp->n_altup) {
        b->rows = true;
        binary(b, INGLE_OP_GATHER, INGLE_BUF_XR, x, x);
        binary(b, INGLE_OP_GATHER, INGLE_BUF_AR, out, out);
        x = INGLE_BUF_XR, out = INGLE_BUF_AR;
    }
    if (b->hp->parallel) feed_forward(b, x);
    linear(b, INGLE_BUF_N, out, "attn_output", b->hp->n_embd);
    join(b, x, b->family->late_ffn_norm ? NULL : "post_attention_norm");
    ingle_build_join_laurel(b, x);
    if (!b->hp->parallel) feed_forward(b, x);
    ingle_build_after_layer(b, x);
}

static uint32_t top_vector(builder *b, const char *name, size_t n)
{
    uint32_t v = INGLE_NO_VECTOR;
    if (!b->st && ingle_gguf_find_tensor(b->g, name))
        b->st = ingle_weights_vector(b->w, b->g, name, 0, n, n, &v, b->err);
    return v;
}

static void head(builder *b, size_t n_vocab)
{
    size_t d = b->hp->n_embd;
    uint32_t v = INGLE_NO_VECTOR, weight = 0; /* matrix 0 is the embedding */
    if (!b->st && !b->family->bare_norms)
        b->st = ingle_weights_vector(b->w, b->g, "output_norm.weight", 0, d, d, &v, b->err);
    norm_with(b, INGLE_BUF_N, INGLE_BUF_XR, v, top_vector(b, "output_norm.bias", d))->when =
        INGLE_WHEN_LOGITS;
    if (!b->st && ingle_gguf_find_tensor(b->g, "output.weight"))
        b->st = ingle_weights_matrix(b->w, b->g, "output.weight", 0, n_vocab, n_vocab, d, &weight,
                                     b->err);
    uint32_t bias = top_vector(b, "output.bias", n_vocab);
    ingle_instr *in = emit(b, INGLE_OP_HEAD);
    in->src = INGLE_BUF_N;
    in->when = INGLE_WHEN_LOGITS;
    in->n_out = 1;
    in->out[0] = (ingle_matmul_out){.weight = weight, .bias = bias, .dst = INGLE_BUF_LOGITS};
}

/* What becomes of an embedding before the first layer. */
static void place(builder *b)
{
    uint32_t n = b->hp->n_ctx, weight = 0, v = INGLE_NO_VECTOR;
    size_t d = b->hp->n_embd;
    scale(b, INGLE_BUF_X, b->hp->embed_scale);
    ingle_build_types(b);
    if (b->family->positions || ingle_gguf_find_tensor(b->g, "position_embd.weight")) {
        if (!b->st)
            b->st = ingle_weights_matrix(b->w, b->g, "position_embd.weight", 0, n, n, d, &weight,
                                         b->err);
        ingle_instr *in = emit(b, INGLE_OP_PLACE);
        in->src = in->dst = INGLE_BUF_X;
        in->n_out = 1;
        in->width = b->width[INGLE_BUF_X];
        in->out[0] =
            (ingle_matmul_out){.weight = weight, .bias = INGLE_NO_VECTOR, .dst = INGLE_BUF_X};
        b->plan->n_positions = n;
    }
    if (!b->family->embed_norm) return;
    if (!b->st)
        b->st = ingle_weights_vector(b->w, b->g, "token_embd_norm.weight", 0, d, d, &v, b->err);
    norm_with(b, INGLE_BUF_X, INGLE_BUF_X, v, top_vector(b, "token_embd_norm.bias", d));
}

/* Floats of the rows of a layer. */
static void set_layer_widths(uint32_t *width, const ingle_hparams *hp, uint32_t layer, bool by_head)
{
    const ingle_layer *l = &hp->layer[layer];
    const ingle_moe *moe = &hp->moe;
    width[INGLE_BUF_X] = width[INGLE_BUF_N] = width[INGLE_BUF_XR] = hp->n_embd;
    width[INGLE_BUF_Q] = l->n_head * l->head_dim_k;
    width[INGLE_BUF_K] = l->n_head_kv * l->head_dim_k;
    width[INGLE_BUF_V] = l->n_head_kv * l->head_dim_v;
    width[INGLE_BUF_A] = width[INGLE_BUF_AR] = l->n_head * l->head_dim_v;
    bool experts = moe->n_expert && layer >= moe->n_dense;
    width[INGLE_BUF_G] = width[INGLE_BUF_U] = experts && !moe->beside ? 0 : l->n_ff;
    ingle_build_stream_widths(width, hp);
    if (hp->latent.n_rank_kv) ingle_latent_widths(width, hp, l->n_head, by_head);
    if (!experts) return;
    width[INGLE_BUF_R] = moe->n_expert;
    width[INGLE_BUF_C] = moe->n_used * (sizeof(ingle_choice) / sizeof(float));
    width[INGLE_BUF_EG] = width[INGLE_BUF_EU] = moe->n_used * moe->n_ff;
    width[INGLE_BUF_EY] = moe->n_used * hp->n_embd;
    width[INGLE_BUF_M] = moe->n_ff_shared || moe->beside ? hp->n_embd : 0;
    width[INGLE_BUF_SG] = width[INGLE_BUF_SU] = moe->n_ff_shared;
    width[INGLE_BUF_S] = moe->n_ff_shared ? 1 : 0;
}

/* Buffers hold the widest row of any layer. */
static void set_widths(ingle_plan *p, const ingle_hparams *hp, size_t n_vocab, bool by_head)
{
    uint32_t width[INGLE_BUF_COUNT] = {0};
    for (uint32_t l = 0; l < hp->n_layer; l++) {
        set_layer_widths(width, hp, l, by_head);
        for (int i = 0; i < INGLE_BUF_COUNT; i++)
            if (width[i] > p->width[i]) p->width[i] = width[i];
    }
    if (hp->n_embd_layer > p->width[INGLE_BUF_G]) /* a layer's own input is gated there */
        p->width[INGLE_BUF_G] = hp->n_embd_layer;
    p->width[INGLE_BUF_LOGITS] = (uint32_t)n_vocab;
}

bool ingle_plan_knows_extra(const ingle_hparams *hp, const char *name)
{
    char *end;
    unsigned long layer = strncmp(name, "blk.", 4) ? 0 : strtoul(name + 4, &end, 10);
    if (layer >= hp->n_layer && layer < (unsigned long)hp->n_layer + hp->n_next) return true;
    return !strcmp(name, "rope_freqs.weight") || !strcmp(name, "rope_factors_long.weight") ||
           !strcmp(name, "rope_factors_short.weight") || strstr(name, "attn_rot_embd") != NULL;
}

static ingle_status refuse_unused(const builder *b)
{
    for (size_t i = 0; i < b->g->n_tensors; i++)
        if (!b->w->used[i] && !ingle_plan_knows_extra(b->hp, b->g->tensors[i].name))
            return ingle_fail(b->err, INGLE_EUNSUPPORTED,
                              "tensor '%s' has no place in family '%s' as it is known here",
                              b->g->tensors[i].name, b->family->name);
    return INGLE_OK;
}

ingle_status ingle_plan_build(ingle_plan *plan, ingle_weights *w, const ingle_family *family,
                              const ingle_hparams *hp, const ingle_gguf *g, ingle_error *err)
{
    builder b = {.plan = plan, .w = w, .family = family, .hp = hp, .g = g, .err = err};
    b.last_cache[0] = b.last_cache[1] = UINT32_MAX;
    memset(plan, 0, sizeof *plan);
    const ingle_gguf_tensor *embd = ingle_gguf_find_tensor(g, "token_embd.weight");
    if (!embd) return ingle_fail(err, INGLE_EFORMAT, "tensor 'token_embd.weight' is missing");
    size_t n_vocab = embd->dims[1];
    if (n_vocab == 0 || n_vocab > INT32_MAX / 2)
        return ingle_fail(err, INGLE_EFORMAT, "tensor 'token_embd.weight' has %zu rows", n_vocab);
    plan->n_vocab = (uint32_t)n_vocab;
    bool by_head = ingle_latent_by_head(g);
    set_widths(plan, hp, family->encoder ? 0 : n_vocab, by_head);
    memcpy(b.width, plan->width, sizeof b.width);
    uint32_t weight;
    b.st = ingle_weights_matrix(w, g, "token_embd.weight", 0, n_vocab, n_vocab, hp->n_embd, &weight,
                                err);
    ingle_instr *in = emit(&b, INGLE_OP_EMBED);
    in->dst = INGLE_BUF_X;
    in->n_out = 1;
    in->out[0] = (ingle_matmul_out){.weight = weight, .bias = INGLE_NO_VECTOR, .dst = INGLE_BUF_X};
    place(&b);
    ingle_build_before_layers(&b);
    for (b.layer = 0; b.layer < hp->n_layer && !b.st; b.layer++) {
        set_layer_widths(b.width, hp, b.layer, by_head);
        layer(&b);
    }
    if (!b.st) ingle_build_after_layers(&b);
    if (!b.st && !family->encoder) head(&b, n_vocab);
    if (!b.st) ingle_build_pooling(&b);
    if (!b.st) b.st = refuse_unused(&b);
    for (size_t i = 0; i < plan->n_instr; i++) /* whole rows, where nothing else was said */
        if (!plan->instr[i].width) plan->instr[i].width = plan->width[plan->instr[i].dst];
    return b.st;
}

void ingle_plan_free(ingle_plan *plan)
{
    free(plan->instr);
    free(plan->cache);
    memset(plan, 0, sizeof *plan);
}

/* ---- text ---- */

const char *ingle_buf_name(ingle_buf buf)
{
    static const char *const names[INGLE_BUF_COUNT] = {
        [INGLE_BUF_X] = "x",           [INGLE_BUF_N] = "n",           [INGLE_BUF_Q] = "q",
        [INGLE_BUF_K] = "k",           [INGLE_BUF_V] = "v",           [INGLE_BUF_A] = "a",
        [INGLE_BUF_G] = "g",           [INGLE_BUF_U] = "u",           [INGLE_BUF_R] = "r",
        [INGLE_BUF_C] = "c",           [INGLE_BUF_EG] = "eg",         [INGLE_BUF_EU] = "eu",
        [INGLE_BUF_EY] = "ey",         [INGLE_BUF_M] = "m",           [INGLE_BUF_SG] = "sg",
        [INGLE_BUF_SU] = "su",         [INGLE_BUF_S] = "s",           [INGLE_BUF_QL] = "ql",
        [INGLE_BUF_L] = "l",           [INGLE_BUF_KV] = "kv",         [INGLE_BUF_LQ] = "lq",
        [INGLE_BUF_LA] = "la",         [INGLE_BUF_XS] = "xs",         [INGLE_BUF_XP] = "xp",
        [INGLE_BUF_MO] = "mo",         [INGLE_BUF_CO] = "co",         [INGLE_BUF_LL] = "ll",
        [INGLE_BUF_LR] = "lr",         [INGLE_BUF_PE] = "pe",         [INGLE_BUF_PP] = "pp",
        [INGLE_BUF_PR] = "pr",         [INGLE_BUF_XR] = "xr",         [INGLE_BUF_AR] = "ar",
        [INGLE_BUF_LOGITS] = "logits", [INGLE_BUF_POOLED] = "pooled", [INGLE_BUF_MID] = "mid",
        [INGLE_BUF_VECTOR] = "vector",
    };
    return names[buf];
}

const char *ingle_op_name(ingle_op op)
{
    static const char *const names[] = {
        [INGLE_OP_EMBED] = "EMBED",   [INGLE_OP_NORM] = "NORM",     [INGLE_OP_MATMUL] = "MATMUL",
        [INGLE_OP_BIAS] = "BIAS",     [INGLE_OP_ROPE] = "ROPE",     [INGLE_OP_STORE] = "STORE",
        [INGLE_OP_QKV] = "QKV",       [INGLE_OP_ATTEND] = "ATTEND", [INGLE_OP_ACT] = "ACT",
        [INGLE_OP_SCALE] = "SCALE",   [INGLE_OP_TEMPER] = "TEMPER", [INGLE_OP_MUL] = "MUL",
        [INGLE_OP_ADD] = "ADD",       [INGLE_OP_COPY] = "COPY",     [INGLE_OP_HEADS] = "HEADS",
        [INGLE_OP_GATE] = "GATE",     [INGLE_OP_ROUTE] = "ROUTE",   [INGLE_OP_EXPERTS] = "EXPERTS",
        [INGLE_OP_REDUCE] = "REDUCE", [INGLE_OP_GATHER] = "GATHER", [INGLE_OP_HEAD] = "HEAD",
        [INGLE_OP_GAIN] = "GAIN",     [INGLE_OP_TANH] = "TANH",     [INGLE_OP_SPARSE] = "SPARSE",
        [INGLE_OP_MATCH] = "MATCH",   [INGLE_OP_MIX] = "MIX",       [INGLE_OP_CORRECT] = "CORRECT",
        [INGLE_OP_PLACE] = "PLACE",   [INGLE_OP_CLAMP] = "CLAMP",   [INGLE_OP_POOL] = "POOL",
        [INGLE_OP_RESULT] = "RESULT",
    };
    return names[op];
}

static const char *vector_name(const ingle_weights *w, uint32_t i)
{
    return i == INGLE_NO_VECTOR ? "1" : w->vector[i].tensor->name;
}

static const char *norm_prefix(const ingle_instr *in)
{
    return in->norm == INGLE_NORM_LAYER ? "layer" : "";
}

static const char *act_name(ingle_act_fn act)
{
    static const char *const names[] = {"silu",  "gelu",   "gelu_erf",  "relu2",
                                        "xielu", "swiglu", "swiglu_up", "tanh"};
    return names[act];
}

/* The input side: "n", "norm(x, blk.0.attn_norm.weight)", "silu(g)*u". */
static int src_text(const ingle_instr *in, const ingle_weights *w, char *out, size_t cap)
{
    if (in->pre == INGLE_PRE_NORM)
        return snprintf(out, cap, "%snorm(%s, %s)", norm_prefix(in), ingle_buf_name(in->src),
                        vector_name(w, in->vector));
    if (in->pre == INGLE_PRE_GLU)
        return snprintf(out, cap, "%s(%s)*%s", act_name(in->act), ingle_buf_name(in->src),
                        ingle_buf_name(in->src2));
    return snprintf(out, cap, "%s", ingle_buf_name(in->src));
}

static int matmul_text(const ingle_instr *in, const ingle_weights *w, char *out, size_t cap)
{
    char src[160];
    src_text(in, w, src, sizeof src);
    int n = snprintf(out, cap, "%-6s %s ->", ingle_op_name(in->op), src);
    for (uint32_t i = 0; i < in->n_out && (size_t)n < cap; i++) {
        const ingle_matmul_out *o = &in->out[i];
        const ingle_matrix *m = &w->matrix[o->weight];
        n += snprintf(out + n, cap - (size_t)n, "%s %s%s= %s %s[%zux%zu]%s%s", i ? "," : "",
                      ingle_buf_name(o->dst), o->add ? " +" : " ", m->tensor->name,
                      ingle_type_name(m->packed.type), m->packed.n_rows, m->packed.n_cols,
                      o->bias == INGLE_NO_VECTOR ? "" : " + ",
                      o->bias == INGLE_NO_VECTOR ? "" : vector_name(w, o->bias));
    }
    return n;
}

int ingle_instr_text(const ingle_instr *in, const ingle_weights *w, char *out, size_t cap)
{
    const char *dst = ingle_buf_name(in->dst), *src = ingle_buf_name(in->src);
    switch (in->op) {
    case INGLE_OP_EMBED:
        return snprintf(out, cap, "%-6s token -> %s = %s %s", ingle_op_name(in->op), dst,
                        w->matrix[in->out[0].weight].tensor->name,
                        ingle_type_name(w->matrix[in->out[0].weight].packed.type));
    case INGLE_OP_PLACE:
        return snprintf(out, cap, "%-6s %s + %s %s -> %s", ingle_op_name(in->op), src,
                        w->matrix[in->out[0].weight].tensor->name,
                        ingle_type_name(w->matrix[in->out[0].weight].packed.type), dst);
    case INGLE_OP_CLAMP:
        return snprintf(out, cap, "%-6s %s within %g -> %s", ingle_op_name(in->op), src,
                        (double)in->scale, dst);
    case INGLE_OP_RESULT: return snprintf(out, cap, "%-6s %s", ingle_op_name(in->op), src);
    case INGLE_OP_MATMUL:
    case INGLE_OP_EXPERTS:
    case INGLE_OP_HEADS:
    case INGLE_OP_HEAD: return matmul_text(in, w, out, cap);
    case INGLE_OP_BIAS:
        return snprintf(out, cap, "%-6s %s, %s -> %s", ingle_op_name(in->op), src,
                        vector_name(w, in->vector), dst);
    case INGLE_OP_NORM:
        return snprintf(out, cap, "%-6s %snorm(%s, %s) -> %s (%u heads of %u)",
                        ingle_op_name(in->op), norm_prefix(in), src, vector_name(w, in->vector),
                        dst, in->n_heads, in->head_dim);
    case INGLE_OP_ACT:
        return snprintf(out, cap, "%-6s %s(%s) -> %s", ingle_op_name(in->op), act_name(in->act),
                        src, dst);
    case INGLE_OP_SCALE:
    case INGLE_OP_TEMPER:
        return snprintf(out, cap, "%-6s %s * %g%s -> %s", ingle_op_name(in->op), src,
                        (double)in->scale, in->op == INGLE_OP_TEMPER ? " by position" : "", dst);
    case INGLE_OP_QKV:
        return snprintf(out, cap, "%-6s q norm %s, k norm %s, rope q k, store k v",
                        ingle_op_name(in->op), vector_name(w, in->vector),
                        vector_name(w, in->vector2));
    case INGLE_OP_STORE: return snprintf(out, cap, "%-6s k, v -> pages", ingle_op_name(in->op));
    case INGLE_OP_ATTEND:
        if (in->window)
            return snprintf(out, cap, "%-6s %s -> %s (%u heads of %u, window %u)",
                            ingle_op_name(in->op), src, dst, in->n_heads, in->head_dim, in->window);
        /* fallthrough */
    case INGLE_OP_ROPE:
        return snprintf(out, cap, "%-6s %s -> %s (%u heads of %u)", ingle_op_name(in->op), src, dst,
                        in->n_heads, in->head_dim);
    case INGLE_OP_MUL:
    case INGLE_OP_GATE:
    case INGLE_OP_REDUCE:
    case INGLE_OP_ADD:
        return snprintf(out, cap, "%-6s %s, %s -> %s", ingle_op_name(in->op), src,
                        ingle_buf_name(in->src2), dst);
    default: return snprintf(out, cap, "%-6s %s -> %s", ingle_op_name(in->op), src, dst);
    }
}

/* "blk.3.attn_q.weight" -> "attn_q" */
static size_t brief_name(const char *name, const char **start)
{
    const char *dot = strncmp(name, "blk.", 4) ? NULL : strchr(name + 4, '.');
    *start = dot ? dot + 1 : name;
    size_t len = strlen(*start);
    return len > 7 && !strcmp(*start + len - 7, ".weight") ? len - 7 : len;
}

static bool types_differ(const ingle_instr *in, const ingle_weights *w)
{
    for (uint32_t i = 1; i < in->n_out; i++)
        if (w->matrix[in->out[i].weight].packed.type != w->matrix[in->out[0].weight].packed.type)
            return true;
    return false;
}

static void matrices_brief(const ingle_instr *in, const ingle_weights *w, char *out, size_t cap)
{
    size_t n = 0;
    bool each = types_differ(in, w);
    for (uint32_t i = 0; i < in->n_out && n < cap; i++) {
        const ingle_matrix *m = &w->matrix[in->out[i].weight];
        const char *start, *type = ingle_type_name(m->packed.type);
        bool typed = each || i + 1 == in->n_out;
        int len = (int)brief_name(m->tensor->name, &start);
        n += (size_t)snprintf(out + n, cap - n, "%s%.*s%s%s", i ? ", " : "", len, start,
                              typed ? " " : "", typed ? type : "");
    }
}

void ingle_instr_brief(const ingle_instr *in, const ingle_weights *w, char *out, size_t cap)
{
    out[0] = 0;
    if (in->op == INGLE_OP_QKV)
        snprintf(out, cap, in->vector == INGLE_NO_VECTOR ? "rope, store" : "norm, rope, store");
    else if (in->op == INGLE_OP_NORM) snprintf(out, cap, "%s", ingle_buf_name(in->src));
    else if (in->op == INGLE_OP_EMBED || in->op == INGLE_OP_PLACE || in->op == INGLE_OP_MATMUL ||
             in->op == INGLE_OP_HEAD || in->op == INGLE_OP_EXPERTS || in->op == INGLE_OP_HEADS)
        matrices_brief(in, w, out, cap);
    else if (in->op != INGLE_OP_STORE && in->op != INGLE_OP_ATTEND)
        snprintf(out, cap, "%s", ingle_buf_name(in->dst));
}
