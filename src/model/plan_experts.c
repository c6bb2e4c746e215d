/* plan_experts.c - mixtures of experts in a plan: what chooses, the chosen, and what every token goes
 * through beside them. */
#include "model/build.h"

#include <math.h>
#include <stdio.h>

/* out[i].dst of an EXPERTS = rows first .. first + n_rows - 1 of the n_all of every expert, all in
 * one tensor. */
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
    uint32_t by = scale_of(b, part, n);
    if (by != INGLE_NO_VECTOR) out.scale = by + 1;
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
    ingle_build_activate(b, INGLE_BUF_SG, INGLE_BUF_SU, true);
    linear(b, INGLE_BUF_N, INGLE_BUF_SG, "ffn_down_shexp", b->hp->n_embd);
    if (gated) binary(b, INGLE_OP_GATE, INGLE_BUF_N, INGLE_BUF_N, INGLE_BUF_S);
}

/* C = the experts of the token and their weights, by src. */
static void route(builder *b, ingle_buf src)
{
    uint32_t n = b->hp->moe.n_expert;
    linear(b, INGLE_BUF_R, src, "ffn_gate_inp", n);
    uint32_t bias = vector_if(b, "exp_probs_b.bias", n);
    ingle_instr *in = emit(b, INGLE_OP_ROUTE);
    in->dst = INGLE_BUF_C, in->src = INGLE_BUF_R, in->vector = bias;
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
    ingle_build_activate(b, INGLE_BUF_EG, INGLE_BUF_EU, true);
    in = emit(b, INGLE_OP_EXPERTS);
    in->src = in->dst = INGLE_BUF_EG, in->pairs = true;
    expert_out(b, in, INGLE_BUF_EY, "ffn_down_exps", 0, d, d, n_ff);
    binary(b, INGLE_OP_REDUCE, dst, INGLE_BUF_EY, INGLE_BUF_C);
}

/* N = the weighted sum of the token's experts of src = N (+ the shared ones). */
void ingle_build_experts(builder *b, ingle_buf src)
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
void ingle_build_dense_and_experts(builder *b, ingle_buf x)
{
    norm(b, INGLE_BUF_N, x, "ffn_norm");
    ingle_build_dense(b, INGLE_BUF_N);
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
