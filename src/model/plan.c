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
    ingle_buf query = b->hp->gated_attn ? INGLE_BUF_P : INGLE_BUF_Q;
    size_t q = width[query], k = width[INGLE_BUF_K], v = width[INGLE_BUF_V];
    bool fused = has(b, "attn_qkv.weight");
    linear_part(b, query, src, fused ? "attn_qkv" : "attn_q", 0, q, fused ? q + k + v : q);
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
    if (b->hp->gated_attn) ingle_build_gated_query(b);
}

uint32_t ingle_build_cache(builder *b, const ingle_cache *cache)
{
    ingle_plan *p = b->plan;
    if (!b->st && !ingle_grow(&p->cache, &p->cap_cache, p->n_cache + 1, sizeof *p->cache))
        b->st = ingle_fail(b->err, INGLE_ENOMEM, "no memory for the plan");
    if (b->st) return 0;
    p->cache[p->n_cache] = *cache;
    if (cache->window > p->window) p->window = cache->window;
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
    norm(b, INGLE_BUF_N, stream(b), two ? "attn_norm_2" : "attn_norm");
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
    if (b->hp->gated_attn) ingle_build_attention_gate(b);
}

static void attention(builder *b)
{
    /* An encoder's first layer may lean on the norm of the embeddings. */
    bool bare = b->family->no_pre_norm || (b->family->encoder && b->family->embed_norm &&
                                           !b->layer && !has(b, "attn_norm.weight"));
    ingle_buf src = bare ? stream(b) : INGLE_BUF_N;
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
void ingle_build_activate(builder *b, ingle_buf g, ingle_buf u, bool gated)
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
void ingle_build_dense(builder *b, ingle_buf src)
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
    ingle_build_activate(b, INGLE_BUF_G, INGLE_BUF_U, !b->family->ungated);
    linear(b, INGLE_BUF_N, INGLE_BUF_G, "ffn_down", b->hp->n_embd);
}

static void feed_forward(builder *b, ingle_buf x)
{
    const ingle_hparams *hp = b->hp;
    const char *before = b->family->late_ffn_norm ? "post_attention_norm" : "ffn_norm";
    bool with_experts = hp->moe.n_expert && b->layer >= hp->moe.n_dense;
    if (with_experts && hp->moe.beside) {
        ingle_build_dense_and_experts(b, x);
        join(b, x, "post_ffw_norm");
        return;
    }
    if (hp->parallel && !has(b, "ffn_norm.weight"))
        norm_with(b, INGLE_BUF_N, x, b->attn_norm, b->attn_norm_bias);
    else if (!b->family->no_pre_norm) norm(b, INGLE_BUF_N, x, before);
    (with_experts ? ingle_build_experts
                  : ingle_build_dense)(b, b->family->no_pre_norm ? x : INGLE_BUF_N);
    join(b, x, "post_ffw_norm");
}

/* Behind the last layer that stores anything no later token needs the others: only the wanted rows
 * go on. Returns where `out` is for them. */
static ingle_buf gather(builder *b, ingle_buf out)
{
    ingle_buf wanted = out == INGLE_BUF_Y ? INGLE_BUF_YR : INGLE_BUF_AR;
    b->rows = true;
    binary(b, INGLE_OP_GATHER, INGLE_BUF_XR, INGLE_BUF_X, INGLE_BUF_X);
    binary(b, INGLE_OP_GATHER, wanted, out, out);
    if (b->hp->n_altup) binary(b, INGLE_OP_GATHER, INGLE_BUF_XSR, INGLE_BUF_XS, INGLE_BUF_XS);
    if (b->hp->n_laurel) binary(b, INGLE_OP_GATHER, INGLE_BUF_LRR, INGLE_BUF_LR, INGLE_BUF_LR);
    return wanted;
}

/* Where attention and feed-forward are parallel the feed-forward is added first: attention has read
 * the stream by then. */
static void layer(builder *b)
{
    const ingle_layer *l = &b->hp->layer[b->layer];
    bool recurrent = b->hp->recur.kind != INGLE_RECUR_NONE && !l->n_head;
    ingle_buf x, out = recurrent ? INGLE_BUF_Y : INGLE_BUF_A;
    const char *project = "attn_output";
    ingle_build_before_layer(b);
    if (recurrent) project = ingle_build_recurrent(b);
    else attention(b);
    if (b->layer + 1 == b->hp->n_own_kv) out = gather(b, out);
    x = stream(b);
    if (b->hp->parallel) feed_forward(b, x);
    linear(b, INGLE_BUF_N, out, project, b->hp->n_embd);
    join(b, x, b->family->late_ffn_norm ? NULL : "post_attention_norm");
    ingle_build_join_laurel(b, x);
    if (!b->hp->parallel && b->width[INGLE_BUF_G] + b->width[INGLE_BUF_EG]) feed_forward(b, x);
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
    char name[64];
    snprintf(name, sizeof name, "%s.weight",
             b->family->output_norm ? b->family->output_norm : "output_norm");
    if (!b->st && !b->family->bare_norms)
        b->st = ingle_weights_vector(b->w, b->g, name, 0, d, d, &v, b->err);
    norm_with(b, INGLE_BUF_N, INGLE_BUF_XR, v, top_vector(b, "output_norm.bias", d))->when =
        INGLE_WHEN_LOGITS;
    b->plan->tied_head = !ingle_gguf_find_tensor(b->g, "output.weight");
    if (!b->st && !b->plan->tied_head)
        b->st = ingle_weights_matrix(b->w, b->g, "output.weight", 0, n_vocab, n_vocab, d, &weight,
                                     b->err);
    uint32_t bias = top_vector(b, "output.bias", n_vocab), by = top_vector(b, "output.scale", 1);
    ingle_instr *in = emit(b, INGLE_OP_HEAD);
    in->src = INGLE_BUF_N;
    in->when = INGLE_WHEN_LOGITS;
    in->n_out = 1;
    in->out[0] = (ingle_matmul_out){.weight = weight, .bias = bias, .dst = INGLE_BUF_LOGITS};
    if (by != INGLE_NO_VECTOR) in->out[0].scale = by + 1;
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
    ingle_build_recurrent_widths(width, hp, l);
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

/* Tensors of encoders for pictures and sound, which some files of text models hold as well. */
static bool is_media(const char *name)
{
    static const char *const stems[] = {"v.", "a.", "mm.", "vision.", "audio.", "mtmd."};
    for (size_t i = 0; i < sizeof stems / sizeof *stems; i++)
        if (strncmp(name, stems[i], strlen(stems[i])) == 0) return true;
    return false;
}

size_t ingle_plan_media(const ingle_gguf *g, char *names, size_t cap)
{
    size_t n = 0, used = 0;
    bool full = false;
    names[0] = 0;
    for (size_t i = 0; i < g->n_tensors; i++) {
        const char *name = g->tensors[i].name;
        if (!is_media(name)) continue;
        n++;
        if (full) continue;
        full = used + strlen(name) + 8 > cap;
        used += (size_t)snprintf(names + used, cap - used, "%s%s", used ? ", " : "",
                                 full ? "..." : name);
    }
    return n;
}

bool ingle_plan_knows_extra(const ingle_hparams *hp, const char *name)
{
    char *end;
    unsigned long layer = strncmp(name, "blk.", 4) ? 0 : strtoul(name + 4, &end, 10);
    if (layer >= hp->n_layer && layer < (unsigned long)hp->n_layer + hp->n_next) return true;
    return !strcmp(name, "rope_freqs.weight") || !strcmp(name, "rope_factors_long.weight") ||
           !strcmp(name, "rope_factors_short.weight") || !strcmp(name, "output.input_scale") ||
           strstr(name, "attn_rot_embd") != NULL || is_media(name);
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
    if (!ingle_grow(&plan->instr, &plan->cap, 32, sizeof *plan->instr)) /* most of a layer or two */
        return ingle_fail(err, INGLE_ENOMEM, "no memory for the plan");
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
