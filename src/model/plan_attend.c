/* plan_attend.c - attention: queries, keys and values, their norms and RoPE, the cache. */
#include "model/build.h"

#include "base/mem.h"

uint32_t ingle_build_store(builder *b, val k, val v, const ingle_cache *cache)
{
    ingle_plan *p = b->plan;
    if (!b->st && !ingle_grow(&p->cache, &p->cap_cache, p->n_cache + 1, sizeof *p->cache))
        b->st = ingle_fail(b->err, INGLE_ENOMEM, "no memory for the plan");
    if (b->st) return 0;
    p->cache[p->n_cache] = *cache;
    if (cache->window > p->window) p->window = cache->window;
    ingle_instr *in = emit(b, INGLE_OP_STORE, INGLE_NO_VALUE, k);
    in->src[1] = v;
    in->store.cache = (uint32_t)p->n_cache;
    return (uint32_t)p->n_cache++;
}

void ingle_build_rope(builder *b, val x, uint32_t n_heads, uint32_t head_dim, uint32_t at)
{
    ingle_rope_set set = ingle_layer_rope(b->family, b->hp, b->layer);
    if (set == INGLE_ROPE_NONE) return;
    ingle_instr *in = emit(b, INGLE_OP_ROPE, x, x);
    in->rope.table = (uint32_t)set;
    in->rope.n_heads = n_heads, in->rope.head_dim = head_dim, in->rope.at = at;
}

val ingle_build_attend(builder *b, val q, uint32_t cache, uint32_t head_dim_k, uint32_t head_dim_v)
{
    val a = fresh(b, "attn", q, (size_t)b->l->n_head * head_dim_v);
    ingle_instr *in = emit(b, INGLE_OP_ATTEND, a, q);
    in->attend.cache = cache;
    in->attend.n_heads = b->l->n_head, in->attend.head_dim = head_dim_k;
    if (b->hp->chunked) in->attend.chunk = b->l->window;
    else in->attend.window = b->l->window;
    in->attend.scale = ingle_layer_attn_scale(b->hp, b->layer);
    in->attend.cap = b->hp->softcap_scores;
    in->attend.sinks = INGLE_NO_VECTOR;
    in->attend.slopes = b->plan->n_constant ? 0 : INGLE_NO_VECTOR;
    return a;
}

/* ---- the usual attention ---- */

typedef struct qkv {
    val q, k, v;
    val gate; /* of what attention gives, or INGLE_NO_VALUE */
} qkv;

/* Of q or k, as the family does it. */
static void norm_qk(builder *b, val x, const char *stem, uint32_t n_heads, uint32_t head_dim)
{
    ingle_qk_norm kind = b->family->qk_norm;
    char part[64];
    snprintf(part, sizeof part, "%s.weight", stem);
    bool optional = kind == INGLE_QK_OWN || kind == INGLE_QK_HEAD_IF || kind == INGLE_QK_LAYER;
    bool bare = kind == INGLE_QK_BARE, own = kind == INGLE_QK_OWN, all = kind == INGLE_QK_ALL;
    if (kind == INGLE_QK_NONE || (optional && !has(b, part))) return;
    if (bare &&
        (!b->hp->bare_qk_norm || ingle_layer_rope(b->family, b->hp, b->layer) == INGLE_ROPE_NONE))
        return;
    if (kind == INGLE_QK_LAYER) {
        norm_to(b, x, x, stem);
        return;
    }
    uint32_t weight = INGLE_NO_VECTOR;
    if (own) weight = vectors(b, part, head_dim, n_heads, false);
    else if (!bare) weight = vector(b, part, all ? (size_t)n_heads * head_dim : head_dim);
    ingle_instr *in = norm_of(b, x, x, weight, INGLE_NO_VECTOR);
    in->norm.by.kind = own ? INGLE_NORM_LAYER : INGLE_NORM_RMS;
    in->norm.own = own;
    if (!all) in->norm.n_heads = n_heads, in->norm.head_dim = head_dim;
}

/* Even (0) or odd (1) heads of pairs. */
static val half(builder *b, const char *name, val pairs, uint32_t odd)
{
    uint32_t d = b->l->head_dim_k, n = b->l->n_head;
    val x = fresh(b, name, pairs, (size_t)n * d);
    copy_pieces(b, x, (ingle_piece){0, d}, pairs, (ingle_piece){odd * d, 2 * d}, n, d);
    return x;
}

static qkv project(builder *b, val n)
{
    const ingle_layer *l = b->l;
    bool fused = has(b, "attn_qkv.weight"), gated = b->hp->gated_attn;
    size_t q = (size_t)l->n_head * l->head_dim_k * (gated ? 2 : 1);
    size_t k = (size_t)l->n_head_kv * l->head_dim_k, v = (size_t)l->n_head_kv * l->head_dim_v;
    size_t all = q + k + v;
    qkv to = {.gate = INGLE_NO_VALUE};
    to.q = linear_part(b, n, "q", fused ? "attn_qkv" : "attn_q", 0, q, fused ? all : q);
    to.k = linear_part(b, n, "k", fused ? "attn_qkv" : "attn_k", fused ? q : 0, k, fused ? all : k);
    if (b->family->norm_v && !fused && !has(b, "attn_v.weight")) { /* values are the keys */
        if (!b->st && k != v)
            b->st = ingle_fail(b->err, INGLE_EFORMAT, "tensor 'blk.%u.attn_v.weight' is missing",
                               b->layer);
        to.v = fresh(b, "v", n, v);
        copy_pieces(b, to.v, (ingle_piece){0, 0}, to.k, (ingle_piece){0, 0}, 1, (uint32_t)v);
    } else
        to.v = linear_part(b, n, "v", fused ? "attn_qkv" : "attn_v", fused ? q + k : 0, v,
                           fused ? all : v);
    if (!gated) return to;
    val pairs = to.q;
    to.q = half(b, "q", pairs, 0);
    to.gate = half(b, "gate", pairs, 1);
    return to;
}

static void clamp(builder *b, val x)
{
    if (b->hp->clamp_qkv != 0.0f) emit(b, INGLE_OP_CLAMP, x, x)->clamp.limit = b->hp->clamp_qkv;
}

/* q and k: normed and rotated, in the family's order. */
static void prepare(builder *b, val q, val k)
{
    const ingle_layer *l = b->l;
    for (int step = 0; step < 2; step++) {
        if (b->family->late_qk_norm == (step == 1)) {
            norm_qk(b, q, "attn_q_norm", l->n_head, l->head_dim_k);
            norm_qk(b, k, "attn_k_norm", l->n_head_kv, l->head_dim_k);
        } else {
            ingle_build_rope(b, q, l->n_head, l->head_dim_k, 0);
            ingle_build_rope(b, k, l->n_head_kv, l->head_dim_k, 0);
        }
    }
}

/* Attention of q, which the family may scale by its position; with sinks where the file has
 * them. */
static val attend(builder *b, val q, uint32_t cache)
{
    const ingle_layer *l = b->l;
    if (b->hp->temperature > 0.0f && !(b->hp->chunked && l->window)) {
        ingle_instr *in = emit(b, INGLE_OP_TEMPER, q, q);
        in->temper.by = (double)b->hp->temperature;
        in->temper.span = b->hp->temper_span, in->temper.plus = b->hp->chunked;
    }
    uint32_t sinks = vector_if(b, "attn_sinks.weight", l->n_head);
    val a = ingle_build_attend(b, q, cache, l->head_dim_k, l->head_dim_v);
    if (!b->st) b->plan->instr[b->plan->n_instr - 1].attend.sinks = sinks;
    return a;
}

/* q alone, over the keys and values of the last layer of the same kind that has some. */
static val borrow(builder *b, val n)
{
    static const char *const unused[] = {"attn_k.weight", "attn_v.weight", "attn_k_norm.weight"};
    const ingle_layer *l = b->l;
    uint32_t i = b->last_cache[l->local];
    for (size_t k = 0; k < sizeof unused / sizeof unused[0]; k++) skip(b, unused[k]);
    if (!b->st && (i == UINT32_MAX || l->n_head % b->plan->cache[i].n_head_kv))
        b->st =
            ingle_fail(b->err, INGLE_EFORMAT,
                       "layer %u should read the keys and values of an earlier one, but none of "
                       "its kind fits its %u heads",
                       b->layer, l->n_head);
    val q = linear_part(b, n, "q", "attn_q", 0, (size_t)l->n_head * l->head_dim_k,
                        (size_t)l->n_head * l->head_dim_k);
    norm_qk(b, q, "attn_q_norm", l->n_head, l->head_dim_k);
    ingle_build_rope(b, q, l->n_head, l->head_dim_k, 0);
    return attend(b, q, i);
}

val ingle_build_attention(builder *b, val n)
{
    const ingle_layer *l = b->l;
    if (b->layer >= b->hp->n_own_kv) return borrow(b, n);
    qkv x = project(b, n);
    if (b->family->norm_v) {
        ingle_instr *in = norm_of(b, x.v, x.v, INGLE_NO_VECTOR, INGLE_NO_VECTOR);
        in->norm.n_heads = l->n_head_kv, in->norm.head_dim = l->head_dim_v;
    }
    clamp(b, x.q);
    clamp(b, x.k);
    clamp(b, x.v);
    prepare(b, x.q, x.k);
    ingle_cache cache = {.head_dim_k = l->head_dim_k,
                         .head_dim_v = l->head_dim_v,
                         .n_head_kv = l->n_head_kv,
                         .window = l->window};
    uint32_t i = b->last_cache[l->local] = ingle_build_store(b, x.k, x.v, &cache);
    val a = attend(b, x.q, i);
    if (x.gate == INGLE_NO_VALUE) return a;
    activate(b, x.gate, INGLE_ACT_SIGMOID);
    multiply(b, a, x.gate, a);
    return a;
}
