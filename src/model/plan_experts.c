/* plan_experts.c - mixtures of experts: what chooses, the chosen, and what every token goes through
 * beside them. */
#include "model/build.h"

#include <math.h>

typedef struct choice {
    val experts; /* [n_used] ingle_choice */
    ingle_choosing by;
} choice;

/* A row for each expert of a token. */
static val fresh_pairs(builder *b, const char *name, val like, size_t width)
{
    val v = fresh(b, name, like, width);
    if (!b->st) b->plan->value[v].times = b->hp->moe.n_used;
    return v;
}

/* dst[i] of an EXPERTS = rows first .. first + n_rows - 1 of the n_all of every expert, all in one
 * tensor. */
static val expert_out(builder *b, ingle_instr *in, const char *name, const char *stem, size_t first,
                      size_t n_rows, size_t n_all, size_t n_cols)
{
    char part[64], tensor[96];
    ingle_matmul_out out = {.bias = INGLE_NO_VECTOR, .scale = INGLE_NO_VECTOR};
    size_t n = b->hp->moe.n_expert;
    snprintf(part, sizeof part, "%s.weight", stem);
    if (!b->st)
        b->st = ingle_weights_experts(b->w, b->g, tensor_name(b, part, tensor, sizeof tensor), n,
                                      first, n_rows, n_all, n_cols, &out.weight, b->err);
    snprintf(part, sizeof part, "%s.bias", stem);
    if (!b->st && n_rows == n_all && has(b, part)) out.bias = vectors(b, part, n_rows, n, false);
    out.scale = scale_of(b, stem, n);
    ingle_product *p = &in->experts.product;
    val y = fresh_pairs(b, name, in->src[2], n_rows);
    in->dst[p->n_out] = y;
    p->out[p->n_out++] = out;
    return y;
}

static val shared_experts(builder *b, val n)
{
    const ingle_moe *moe = &b->hp->moe;
    bool gated = has(b, "ffn_gate_inp_shexp.weight");
    val by = INGLE_NO_VALUE;
    val gate = linear(b, n, "ffn_gate_shexp", moe->n_ff_shared);
    val up = linear(b, n, "ffn_up_shexp", moe->n_ff_shared);
    if (gated) by = linear(b, n, "ffn_gate_inp_shexp", 1);
    ingle_build_gate(b, gate, up);
    val y = linear(b, gate, "ffn_down_shexp", b->hp->n_embd);
    if (gated) emit(b, INGLE_OP_GATE, y, y)->src[1] = by;
    return y;
}

/* The experts of the token and their weights, by n. */
static choice route(builder *b, val n)
{
    const ingle_moe *moe = &b->hp->moe;
    choice c;
    val logits = linear(b, n, "ffn_gate_inp", moe->n_expert);
    c.by = (ingle_choosing){.n_expert = moe->n_expert,
                            .n_used = moe->n_used,
                            .n_group = moe->n_group,
                            .n_group_used = moe->n_group_used,
                            .gating = moe->gating,
                            .norm = moe->norm,
                            .before = moe->before,
                            .scale = moe->scale,
                            .counters = b->plan->n_counters};
    c.by.bias = vector_if(b, "exp_probs_b.bias", moe->n_expert);
    b->plan->n_counters += moe->n_expert;
    c.experts = fresh(b, "experts", n, moe->n_used * INGLE_CHOICE_FLOATS);
    emit(b, INGLE_OP_ROUTE, c.experts, logits)->route = c.by;
    return c;
}

static ingle_instr *experts(builder *b, val src, const choice *c)
{
    ingle_instr *in = emit(b, INGLE_OP_EXPERTS, INGLE_NO_VALUE, src);
    in->src[2] = c->experts;
    in->experts.by = c->by;
    return in;
}

/* The weighted sum of the chosen experts of n. */
static val chosen(builder *b, val n, const choice *c)
{
    size_t d = b->hp->n_embd, n_ff = b->hp->moe.n_ff;
    bool one = has(b, "ffn_gate_up_exps.weight"); /* gate and up in one tensor, the gate first */
    size_t n_all = one ? 2 * n_ff : n_ff;
    val waits = fresh_pairs(b, "pairs", n, d);
    ingle_instr *in = experts(b, n, c);
    in->dst[INGLE_WAITS] = waits;
    val gate = expert_out(b, in, "gate_exps", one ? "ffn_gate_up_exps" : "ffn_gate_exps", 0, n_ff,
                          n_all, d);
    val up = expert_out(b, in, "up_exps", one ? "ffn_gate_up_exps" : "ffn_up_exps", n_all - n_ff,
                        n_ff, n_all, d);
    ingle_build_gate(b, gate, up);
    in = experts(b, gate, c);
    in->dst[INGLE_WAITS] = gate, in->experts.pairs = true;
    val y = expert_out(b, in, "down_exps", "ffn_down_exps", 0, d, d, n_ff);
    val sum = fresh(b, "moe", n, d);
    in = emit(b, INGLE_OP_COMBINE, sum, y);
    in->src[1] = c->experts;
    in->route = c->by;
    return sum;
}

val ingle_build_experts(builder *b, val n)
{
    choice c = route(b, n);
    val sum = chosen(b, n, &c);
    if (!b->hp->moe.n_ff_shared) return sum;
    val y = shared_experts(b, n);
    add_to(b, y, sum);
    return y;
}

/* What chooses has a norm of its own too, and is scaled. */
val ingle_build_dense_and_experts(builder *b, val x)
{
    val dense = ingle_build_dense(b, norm(b, x, "ffn_norm"));
    norm_to(b, dense, dense, "post_ffw_norm_1");
    uint32_t by = vector(b, "ffn_gate_inp.scale", b->hp->n_embd);
    val n = fresh(b, "n", x, b->hp->n_embd);
    norm_of(b, n, x, by, INGLE_NO_VECTOR);
    scale(b, n, (float)(1 / sqrt((double)b->hp->n_embd)));
    choice c = route(b, n);
    val sum = chosen(b, norm(b, x, "pre_ffw_norm_2"), &c);
    norm_to(b, sum, sum, "post_ffw_norm_2");
    add_to(b, sum, dense);
    return sum;
}
