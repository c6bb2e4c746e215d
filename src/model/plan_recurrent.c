/* plan_recurrent.c - layers that carry a state of fixed size from token to token instead of attending to
 * what they keep of all: gated short convolutions (LFM2), selective scans (Mamba 1 and 2), the gated
 * delta rule (Qwen 3-Next, 3.5); and the gated attention that goes with the last.
 * Their output waits in Y; VI is what the convolution reads, VO what it makes. */
#include "model/build.h"

#include <math.h>

void ingle_build_recurrent_widths(uint32_t *width, const ingle_hparams *hp, const ingle_layer *l)
{
    const ingle_recur *r = &hp->recur;
    bool here = l->n_head == 0;
    uint32_t inner = here ? r->n_inner : 0, pairs = 0;
    width[INGLE_BUF_Z] = width[INGLE_BUF_Y] = width[INGLE_BUF_YR] = inner;
    width[INGLE_BUF_VI] = width[INGLE_BUF_VO] = here ? ingle_recur_conv_width(r) : 0;
    width[INGLE_BUF_T] = !here ? 0 : r->kind == INGLE_RECUR_MAMBA ? inner : r->n_heads;
    width[INGLE_BUF_B] = !here ? 0 : r->kind == INGLE_RECUR_MAMBA ? 2 * r->n_state : r->n_heads;
    if (here) pairs = r->kind == INGLE_RECUR_MAMBA ? r->dt_rank : 2 * r->n_heads;
    else if (hp->gated_attn) pairs = 2 * l->n_head * l->head_dim_k;
    width[INGLE_BUF_P] = pairs;
    width[INGLE_BUF_E] = 0;
    if (here && r->fused_in) width[INGLE_BUF_E] = ingle_recur_conv_width(r) + inner;
    if (!here && hp->gated_attn) width[INGLE_BUF_E] = l->n_head * l->head_dim_k;
}

/* Floats of the state of every session that are this instruction's: n_rows of n, padded to whole
 * vectors. Hyper-parameters are bounded, 64 bits hold the sum of all layers. */
static void keep(builder *b, ingle_instr *in, size_t n_rows, size_t n)
{
    in->state = b->plan->state_floats;
    b->plan->state_floats += n_rows * ingle_round_up(n, 16);
}

static void act(builder *b, ingle_buf buf, ingle_act_fn fn)
{
    ingle_instr *in = emit(b, INGLE_OP_ACT);
    in->dst = in->src = in->src2 = buf, in->act = fn;
    in->width = b->width[buf];
}

static uint32_t vectors(builder *b, const char *part, size_t n, size_t n_vectors, bool turned)
{
    char name[96];
    uint32_t i = INGLE_NO_VECTOR;
    if (b->st) return i;
    b->st = (turned ? ingle_weights_turned : ingle_weights_vectors)(
        b->w, b->g, tensor_name(b, part, name, sizeof name), n, n_vectors, &i, b->err);
    return i;
}

/* VO = convolution of VI. `part` is the stem. */
static void convolve(builder *b, const char *part, ingle_act_fn fn)
{
    char name[64];
    uint32_t n_taps = b->hp->recur.n_taps, width = b->width[INGLE_BUF_VI];
    snprintf(name, sizeof name, "%s.weight", part);
    uint32_t weight = vectors(b, name, n_taps, width, true);
    snprintf(name, sizeof name, "%s.bias", part);
    uint32_t bias = vector_if(b, name, width);
    ingle_instr *in = emit(b, INGLE_OP_CONV);
    in->dst = INGLE_BUF_VO, in->src = INGLE_BUF_VI;
    in->vector = weight, in->bias = bias, in->act = fn;
    in->n_taps = n_taps, in->width = width;
    keep(b, in, n_taps - 1, width);
}

static ingle_instr *norm_heads(builder *b, ingle_buf buf, uint32_t vector, uint32_t n_heads,
                               uint32_t head_dim)
{
    ingle_instr *in = norm_with(b, buf, buf, vector, INGLE_NO_VECTOR);
    in->n_heads = n_heads, in->head_dim = head_dim;
    return in;
}

/* dst from `at` on = n pieces of src, of `width` floats each. */
static void pick(builder *b, ingle_buf dst, uint32_t at, ingle_buf src, ingle_piece from,
                 uint32_t n, uint32_t width)
{
    ingle_instr *in = emit(b, INGLE_OP_COPY);
    in->dst = dst, in->to = (ingle_piece){at, width};
    in->src = src, in->from = from;
    in->n_heads = n, in->head_dim = in->width = width;
}

/* Even (0) or odd (1) heads of P. */
static void half(builder *b, ingle_buf dst, uint32_t odd, uint32_t n_heads, uint32_t head_dim)
{
    pick(b, dst, 0, INGLE_BUF_P, (ingle_piece){odd * head_dim, 2 * head_dim}, n_heads, head_dim);
}

/* Y = silu(Z) * Y */
static void gate(builder *b)
{
    act(b, INGLE_BUF_Z, INGLE_ACT_SILU);
    binary(b, INGLE_OP_MUL, INGLE_BUF_Y, INGLE_BUF_Z, INGLE_BUF_Y);
}

/* B, C and x in one projection: Y = C * conv(B * x). */
static void short_conv(builder *b)
{
    size_t d = b->hp->recur.n_inner;
    linear_part(b, INGLE_BUF_VI, INGLE_BUF_N, "shortconv.in_proj", 0, d, 3 * d);
    linear_part(b, INGLE_BUF_Z, INGLE_BUF_N, "shortconv.in_proj", d, d, 3 * d);
    linear_part(b, INGLE_BUF_Y, INGLE_BUF_N, "shortconv.in_proj", 2 * d, d, 3 * d);
    binary(b, INGLE_OP_MUL, INGLE_BUF_VI, INGLE_BUF_VI, INGLE_BUF_Y);
    convolve(b, "shortconv.conv", INGLE_ACT_NONE);
    binary(b, INGLE_OP_MUL, INGLE_BUF_Y, INGLE_BUF_Z, INGLE_BUF_VO);
}

/* Y = scan of x (the first n_inner of VO) with steps T; B and C lie in `bc` from `offset` on. */
static void scan(builder *b, ingle_buf bc, uint32_t offset, bool by_channel)
{
    const ingle_recur *r = &b->hp->recur;
    uint32_t n = by_channel ? r->n_inner : r->n_heads;
    uint32_t a =
        by_channel ? vectors(b, "ssm_a", r->n_state, n, true) : vectors(b, "ssm_a", 1, n, false);
    uint32_t d = by_channel ? vector(b, "ssm_d", n) : vectors(b, "ssm_d", 1, n, false);
    ingle_instr *in = emit(b, INGLE_OP_SCAN);
    in->dst = INGLE_BUF_Y, in->src = INGLE_BUF_VO, in->src2 = INGLE_BUF_T, in->src3 = bc;
    in->vector = a, in->vector2 = d, in->own = by_channel, in->offset = offset;
    in->n_heads = by_channel ? 1 : n, in->head_dim = r->n_inner / in->n_heads;
    in->n_groups = by_channel ? 1 : r->n_groups, in->n_state = r->n_state;
    in->width = r->n_inner;
    keep(b, in, (size_t)in->n_heads * r->n_state, in->head_dim);
}

/* Gu and Dao 2023: steps come from x through a narrow projection, B and C beside it. */
static void mamba(builder *b)
{
    const ingle_recur *r = &b->hp->recur;
    size_t n = r->n_inner, n_x = r->dt_rank + 2 * r->n_state;
    linear_part(b, INGLE_BUF_VI, INGLE_BUF_N, "ssm_in", 0, n, 2 * n);
    linear_part(b, INGLE_BUF_Z, INGLE_BUF_N, "ssm_in", n, n, 2 * n);
    convolve(b, "ssm_conv1d", INGLE_ACT_SILU);
    linear_part(b, INGLE_BUF_P, INGLE_BUF_VO, "ssm_x", 0, r->dt_rank, n_x);
    linear_part(b, INGLE_BUF_B, INGLE_BUF_VO, "ssm_x", r->dt_rank, n_x - r->dt_rank, n_x);
    if (r->norm_dt_bc) {
        norm_heads(b, INGLE_BUF_P, INGLE_NO_VECTOR, 1, r->dt_rank);
        norm_heads(b, INGLE_BUF_B, INGLE_NO_VECTOR, 2, r->n_state);
    }
    linear(b, INGLE_BUF_T, INGLE_BUF_P, "ssm_dt", n);
    act(b, INGLE_BUF_T, INGLE_ACT_SOFTPLUS);
    scan(b, INGLE_BUF_B, 0, true);
    gate(b);
}

/* T += vector, behind the softplus. */
static void steps(builder *b)
{
    uint32_t bias = vector(b, "ssm_dt.bias", b->width[INGLE_BUF_T]);
    ingle_instr *in = emit(b, INGLE_OP_BIAS);
    in->dst = in->src = INGLE_BUF_T, in->vector = bias;
    in->width = b->width[INGLE_BUF_T];
    act(b, INGLE_BUF_T, INGLE_ACT_SOFTPLUS);
}

/* Dao and Gu 2024: z, (x, B, C) and steps in one projection; one decay a head. */
static void mamba2(builder *b)
{
    const ingle_recur *r = &b->hp->recur;
    size_t n = r->n_inner, n_conv = b->width[INGLE_BUF_VI], n_all = n + n_conv + r->n_heads;
    linear_part(b, INGLE_BUF_Z, INGLE_BUF_N, "ssm_in", 0, n, n_all);
    linear_part(b, INGLE_BUF_VI, INGLE_BUF_N, "ssm_in", n, n_conv, n_all);
    linear_part(b, INGLE_BUF_T, INGLE_BUF_N, "ssm_in", n + n_conv, r->n_heads, n_all);
    steps(b);
    convolve(b, "ssm_conv1d", INGLE_ACT_SILU);
    scan(b, INGLE_BUF_VO, r->n_inner, false);
    gate(b);
    if (!has(b, "ssm_norm.weight")) return;
    uint32_t width = r->n_inner / r->n_groups;
    uint32_t weight = vectors(b, "ssm_norm.weight", width, r->n_groups, false);
    norm_heads(b, INGLE_BUF_Y, weight, r->n_groups, width)->own = true;
}

/* VI = q, k and v of all groups, Z their gates. In the published model one tensor holds of each group
 * its q, its k, the v of its heads, and their gates (in_proj_qkvz, fix_query_key_value_ordering() in
 * modeling_qwen3_next.py); older files keep that order. */
static void open_groups(builder *b)
{
    const ingle_recur *r = &b->hp->recur;
    uint32_t n = r->n_groups, k = r->n_state, v = r->n_inner / n, step = 2 * (k + v);
    pick(b, INGLE_BUF_VI, 0, INGLE_BUF_E, (ingle_piece){0, step}, n, k);
    pick(b, INGLE_BUF_VI, n * k, INGLE_BUF_E, (ingle_piece){k, step}, n, k);
    pick(b, INGLE_BUF_VI, 2 * n * k, INGLE_BUF_E, (ingle_piece){2 * k, step}, n, v);
    pick(b, INGLE_BUF_Z, 0, INGLE_BUF_E, (ingle_piece){2 * k + v, step}, n, v);
}

/* Yang et al. 2024: q and k of unit length, beta from a sigmoid, the decay as in Mamba 2. */
static void delta(builder *b)
{
    const ingle_recur *r = &b->hp->recur;
    uint32_t n_heads = r->n_heads, head_dim = r->n_inner / n_heads;
    if (r->fused_in) {
        linear(b, INGLE_BUF_E, INGLE_BUF_N, "ssm_in", b->width[INGLE_BUF_E]);
    } else {
        linear(b, INGLE_BUF_VI, INGLE_BUF_N, "attn_qkv", b->width[INGLE_BUF_VI]);
        linear(b, INGLE_BUF_Z, INGLE_BUF_N, "attn_gate", r->n_inner);
    }
    if (has(b, "ssm_ba.weight")) { /* of each group the betas of its heads, then their steps */
        linear(b, INGLE_BUF_P, INGLE_BUF_N, "ssm_ba", 2 * n_heads);
        half(b, INGLE_BUF_B, 0, r->n_groups, n_heads / r->n_groups);
        half(b, INGLE_BUF_T, 1, r->n_groups, n_heads / r->n_groups);
    } else {
        linear(b, INGLE_BUF_B, INGLE_BUF_N, "ssm_beta", n_heads);
        linear(b, INGLE_BUF_T, INGLE_BUF_N, "ssm_alpha", n_heads);
    }
    if (r->fused_in) open_groups(b);
    steps(b);
    act(b, INGLE_BUF_B, INGLE_ACT_SIGMOID);
    convolve(b, "ssm_conv1d", INGLE_ACT_SILU);
    norm_heads(b, INGLE_BUF_VO, INGLE_NO_VECTOR, 2 * r->n_groups, r->n_state)->norm = INGLE_NORM_L2;
    uint32_t a = vector(b, "ssm_a", n_heads);
    ingle_instr *in = emit(b, INGLE_OP_DELTA);
    in->dst = INGLE_BUF_Y, in->src = INGLE_BUF_VO, in->src2 = INGLE_BUF_T, in->src3 = INGLE_BUF_B;
    in->vector = a, in->tiled = b->family->tiled_heads;
    in->n_heads = n_heads, in->head_dim = head_dim;
    in->n_groups = r->n_groups, in->n_state = r->n_state;
    in->scale = (float)(1 / sqrt((double)r->n_state));
    in->width = r->n_inner;
    keep(b, in, (size_t)n_heads * r->n_state, head_dim);
    uint32_t weight = vector(b, "ssm_norm.weight", head_dim);
    norm_heads(b, INGLE_BUF_Y, weight, n_heads, head_dim);
    gate(b);
}

const char *ingle_build_recurrent(builder *b)
{
    norm(b, INGLE_BUF_N, INGLE_BUF_X, "attn_norm");
    switch (b->hp->recur.kind) {
    case INGLE_RECUR_CONV: short_conv(b); return "shortconv.out_proj";
    case INGLE_RECUR_MAMBA: mamba(b); break;
    case INGLE_RECUR_MAMBA2: mamba2(b); break;
    default: delta(b); break;
    }
    return "ssm_out";
}

void ingle_build_gated_query(builder *b)
{
    const ingle_layer *l = &b->hp->layer[b->layer];
    half(b, INGLE_BUF_Q, 0, l->n_head, l->head_dim_k);
    half(b, INGLE_BUF_E, 1, l->n_head, l->head_dim_k);
}

void ingle_build_attention_gate(builder *b)
{
    act(b, INGLE_BUF_E, INGLE_ACT_SIGMOID);
    binary(b, INGLE_OP_MUL, INGLE_BUF_A, INGLE_BUF_E, INGLE_BUF_A);
}
