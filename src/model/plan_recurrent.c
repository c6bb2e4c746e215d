/* plan_recurrent.c - layers that carry a state of fixed size from token to token instead of
 * attending to what they keep of all: gated short convolutions (LFM2), selective scans (Mamba 1
 * and 2), the gated delta rule (Qwen 3-Next, 3.5). */
#include "model/build.h"

#include "base/mem.h"

#include <math.h>

/* A state of n_rows rows of n floats, padded to whole vectors, of every sequence.
 * Hyper-parameters are bounded, so 64 bits hold the sum of all layers. */
static uint32_t keep(builder *b, size_t n_rows, size_t n)
{
    ingle_plan *p = b->plan;
    if (!b->st && !ingle_grow(&p->state, &p->cap_state, p->n_state + 1, sizeof *p->state))
        b->st = ingle_fail(b->err, INGLE_ENOMEM, "no memory for the plan");
    if (b->st) return 0;
    p->state[p->n_state] = n_rows * ingle_round_up(n, 16);
    return (uint32_t)p->n_state++;
}

/* act(convolution of x over the last tokens + bias). */
static val convolve(builder *b, val x, const char *stem, ingle_act_fn fn)
{
    char part[64];
    uint32_t n_taps = b->hp->recur.n_taps, width = width_of(b, x);
    val y = fresh(b, "conv", x, width);
    snprintf(part, sizeof part, "%s.weight", stem);
    uint32_t taps = vectors(b, part, n_taps, width, true);
    snprintf(part, sizeof part, "%s.bias", stem);
    uint32_t bias = vector_if(b, part, width);
    ingle_instr *in = emit(b, INGLE_OP_CONV, y, x);
    in->conv.taps = taps, in->conv.bias = bias;
    in->conv.n_taps = n_taps, in->conv.act = fn;
    in->conv.state = keep(b, n_taps - 1, width);
    return y;
}

static ingle_instr *norm_heads(builder *b, val x, uint32_t weight, uint32_t n_heads,
                               uint32_t head_dim)
{
    ingle_instr *in = norm_of(b, x, x, weight, INGLE_NO_VECTOR);
    in->norm.n_heads = n_heads, in->norm.head_dim = head_dim;
    return in;
}

/* n pieces of x, of `width` floats each. */
static val pick(builder *b, const char *name, val x, ingle_piece from, uint32_t n, uint32_t width)
{
    val y = fresh(b, name, x, (size_t)n * width);
    copy_pieces(b, y, (ingle_piece){0, width}, x, from, n, width);
    return y;
}

/* y = silu(z) * y */
static void gate(builder *b, val y, val z)
{
    activate(b, z, INGLE_ACT_SILU);
    multiply(b, y, z, y);
}

/* b, c and x in one projection: c * conv(b * x). */
static val short_conv(builder *b, val n)
{
    static const char stem[] = "shortconv.in_proj";
    size_t d = b->hp->recur.n_inner;
    val bx = linear_part(b, n, "b", stem, 0, d, 3 * d);
    val c = linear_part(b, n, "c", stem, d, d, 3 * d);
    val x = linear_part(b, n, "x", stem, 2 * d, d, 3 * d);
    multiply(b, bx, bx, x);
    val y = convolve(b, bx, "shortconv.conv", INGLE_ACT_NONE);
    multiply(b, y, c, y);
    return y;
}

/* Selective scan of the first n_inner floats of x, with steps dt; B and C lie in bc from
 * `offset` on. */
static val scan(builder *b, val x, val dt, val bc, uint32_t offset, bool by_channel)
{
    const ingle_recur *r = &b->hp->recur;
    uint32_t n = by_channel ? r->n_inner : r->n_heads;
    uint32_t a =
        by_channel ? vectors(b, "ssm_a", r->n_state, n, true) : vectors(b, "ssm_a", 1, n, false);
    uint32_t d = by_channel ? vector(b, "ssm_d", n) : vectors(b, "ssm_d", 1, n, false);
    val y = fresh(b, "scan", x, r->n_inner);
    ingle_instr *in = emit(b, INGLE_OP_SCAN, y, x);
    in->src[1] = dt, in->src[2] = bc;
    in->scan.a = a, in->scan.d = d;
    in->scan.by_channel = by_channel, in->scan.offset = offset;
    ingle_heads_state state = {.n_heads = by_channel ? 1 : n,
                               .n_groups = by_channel ? 1 : r->n_groups,
                               .n_state = r->n_state};
    state.head_dim = r->n_inner / state.n_heads;
    state.id = keep(b, (size_t)state.n_heads * r->n_state, state.head_dim);
    in->scan.state = state;
    return y;
}

/* Gu and Dao 2023: steps come from x through a narrow projection, B and C beside it. */
static val mamba(builder *b, val n)
{
    const ingle_recur *r = &b->hp->recur;
    size_t d = r->n_inner, n_x = r->dt_rank + 2 * r->n_state;
    val x = linear_part(b, n, "x", "ssm_in", 0, d, 2 * d);
    val z = linear_part(b, n, "z", "ssm_in", d, d, 2 * d);
    x = convolve(b, x, "ssm_conv1d", INGLE_ACT_SILU);
    val dt = linear_part(b, x, "dt_low", "ssm_x", 0, r->dt_rank, n_x);
    val bc = linear_part(b, x, "bc", "ssm_x", r->dt_rank, n_x - r->dt_rank, n_x);
    if (r->norm_dt_bc) {
        norm_heads(b, dt, INGLE_NO_VECTOR, 1, r->dt_rank);
        norm_heads(b, bc, INGLE_NO_VECTOR, 2, r->n_state);
    }
    dt = linear(b, dt, "ssm_dt", d);
    activate(b, dt, INGLE_ACT_SOFTPLUS);
    val y = scan(b, x, dt, bc, 0, true);
    gate(b, y, z);
    return y;
}

/* dt = softplus(dt + bias) */
static void finish_steps(builder *b, val dt)
{
    uint32_t bias = vector(b, "ssm_dt.bias", width_of(b, dt));
    emit(b, INGLE_OP_BIAS, dt, dt)->bias.vector = bias;
    activate(b, dt, INGLE_ACT_SOFTPLUS);
}

/* Dao and Gu 2024: z, (x, B, C) and steps in one projection; one decay a head. */
static val mamba2(builder *b, val n)
{
    const ingle_recur *r = &b->hp->recur;
    size_t d = r->n_inner, n_conv = ingle_recur_conv_width(r), n_all = d + n_conv + r->n_heads;
    val z = linear_part(b, n, "z", "ssm_in", 0, d, n_all);
    val x = linear_part(b, n, "xbc", "ssm_in", d, n_conv, n_all);
    val dt = linear_part(b, n, "dt", "ssm_in", d + n_conv, r->n_heads, n_all);
    finish_steps(b, dt);
    x = convolve(b, x, "ssm_conv1d", INGLE_ACT_SILU);
    val y = scan(b, x, dt, x, r->n_inner, false);
    gate(b, y, z);
    if (!has(b, "ssm_norm.weight")) return y;
    uint32_t width = r->n_inner / r->n_groups;
    uint32_t weight = vectors(b, "ssm_norm.weight", width, r->n_groups, false);
    norm_heads(b, y, weight, r->n_groups, width)->norm.own = true;
    return y;
}

/* What a delta rule reads: q, k and v of all groups and heads, and the gates of its output. */
typedef struct opened {
    val qkv, z;
} opened;

/* In the published model one tensor holds of each group its q, its k, the v of its heads, and their
 * gates (in_proj_qkvz, fix_query_key_value_ordering() in modeling_qwen3_next.py); older files keep
 * that order. */
static opened open_groups(builder *b, val all)
{
    const ingle_recur *r = &b->hp->recur;
    uint32_t n = r->n_groups, k = r->n_state, v = r->n_inner / n, step = 2 * (k + v);
    opened o = {.qkv = fresh(b, "qkv", all, ingle_recur_conv_width(r))};
    copy_pieces(b, o.qkv, (ingle_piece){0, k}, all, (ingle_piece){0, step}, n, k);
    copy_pieces(b, o.qkv, (ingle_piece){n * k, k}, all, (ingle_piece){k, step}, n, k);
    copy_pieces(b, o.qkv, (ingle_piece){2 * n * k, v}, all, (ingle_piece){2 * k, step}, n, v);
    o.z = pick(b, "z", all, (ingle_piece){2 * k + v, step}, n, v);
    return o;
}

/* Yang et al. 2024: q and k of unit length, beta from a sigmoid, the decay as in Mamba 2. */
static val delta(builder *b, val n)
{
    const ingle_recur *r = &b->hp->recur;
    uint32_t n_heads = r->n_heads, head_dim = r->n_inner / n_heads, n_each = n_heads / r->n_groups;
    size_t n_conv = ingle_recur_conv_width(r);
    val all = INGLE_NO_VALUE, beta, dt;
    opened o = {INGLE_NO_VALUE, INGLE_NO_VALUE};
    if (r->fused_in) {
        all = linear(b, n, "ssm_in", n_conv + r->n_inner);
    } else {
        o.qkv = linear(b, n, "attn_qkv", n_conv);
        o.z = linear(b, n, "attn_gate", r->n_inner);
    }
    if (has(b, "ssm_ba.weight")) { /* of each group the betas of its heads, then their steps */
        val ba = linear(b, n, "ssm_ba", 2 * n_heads);
        beta = pick(b, "beta", ba, (ingle_piece){0, 2 * n_each}, r->n_groups, n_each);
        dt = pick(b, "dt", ba, (ingle_piece){n_each, 2 * n_each}, r->n_groups, n_each);
    } else {
        beta = linear(b, n, "ssm_beta", n_heads);
        dt = linear(b, n, "ssm_alpha", n_heads);
    }
    if (r->fused_in) o = open_groups(b, all);
    finish_steps(b, dt);
    activate(b, beta, INGLE_ACT_SIGMOID);
    val x = convolve(b, o.qkv, "ssm_conv1d", INGLE_ACT_SILU);
    norm_heads(b, x, INGLE_NO_VECTOR, 2 * r->n_groups, r->n_state)->norm.by.kind = INGLE_NORM_L2;
    uint32_t a = vector(b, "ssm_a", n_heads);
    val y = fresh(b, "delta", x, r->n_inner);
    ingle_instr *in = emit(b, INGLE_OP_DELTA, y, x);
    in->src[1] = dt, in->src[2] = beta;
    in->delta.a = a, in->delta.tiled = b->family->tiled_heads;
    in->delta.scale = (float)(1 / sqrt((double)r->n_state));
    in->delta.state = (ingle_heads_state){.n_heads = n_heads,
                                          .head_dim = head_dim,
                                          .n_groups = r->n_groups,
                                          .n_state = r->n_state,
                                          .id = keep(b, (size_t)n_heads * r->n_state, head_dim)};
    uint32_t weight = vector(b, "ssm_norm.weight", head_dim);
    norm_heads(b, y, weight, n_heads, head_dim);
    gate(b, y, o.z);
    return y;
}

val ingle_build_recurrent(builder *b, val n, const char **stem)
{
    *stem = "ssm_out";
    switch (b->hp->recur.kind) {
    case INGLE_RECUR_NONE: break;
    case INGLE_RECUR_CONV: *stem = "shortconv.out_proj"; return short_conv(b, n);
    case INGLE_RECUR_MAMBA: return mamba(b, n);
    case INGLE_RECUR_MAMBA2: return mamba2(b, n);
    case INGLE_RECUR_DELTA: return delta(b, n);
    }
    return n;
}
