/* plan_latent.c - multi-head latent attention (DeepSeek-V2, arXiv 2405.04434, section 2.1): keys and
 * values of all heads come out of one narrow vector per position, and a part of the key that all
 * heads share is turned by RoPE.
 *     L  = [latent | shared key] of a position, the first normed, the second turned
 * Files give the way out of the latent as one matrix (attn_kv_b): keys and values are spread out and
 * stored by head; or cut by head (attn_k_b, attn_v_b): then queries go into the latent space
 * instead, L itself is what is stored, and all heads read it. */
#include "model/build.h"

/* Heads have their own dimensions first, then the turned ones. */
static uint32_t own_dims(const builder *b)
{
    return b->hp->latent.head_dim_k - b->hp->rope.n_rot;
}

bool ingle_latent_by_head(const ingle_gguf *g)
{
    return ingle_gguf_find_tensor(g, "blk.0.attn_k_b.weight") != NULL;
}

void ingle_latent_widths(uint32_t *width, const ingle_hparams *hp, uint32_t n_head, bool by_head)
{
    const ingle_latent *m = &hp->latent;
    uint32_t own = m->head_dim_k - hp->rope.n_rot, all = m->n_rank_kv + hp->rope.n_rot;
    width[INGLE_BUF_QL] = m->n_rank_q;
    width[INGLE_BUF_L] = all;
    width[INGLE_BUF_Q] = n_head * m->head_dim_k;
    width[INGLE_BUF_A] = width[INGLE_BUF_AR] = n_head * m->head_dim_v;
    width[INGLE_BUF_K] = by_head ? 0 : n_head * m->head_dim_k;
    width[INGLE_BUF_V] = by_head ? 0 : n_head * m->head_dim_v;
    width[INGLE_BUF_KV] = by_head ? 0 : n_head * (own + m->head_dim_v);
    width[INGLE_BUF_LQ] = by_head ? n_head * all : 0;
    width[INGLE_BUF_LA] = by_head ? n_head * m->n_rank_kv : 0;
}

/* dst piece of every head = src piece. */
static ingle_instr *pieces(builder *b, ingle_op op, ingle_buf dst, ingle_piece to, ingle_buf src,
                           ingle_piece from, uint32_t width)
{
    ingle_instr *in = emit(b, op);
    in->dst = dst, in->to = to, in->src = src, in->from = from, in->width = width;
    in->n_heads = b->hp->layer[b->layer].n_head;
    return in;
}

static void turn_part(builder *b, ingle_buf buf, uint32_t n_heads, uint32_t head_dim, uint32_t at)
{
    ingle_rope_set set = ingle_layer_rope(b->family, b->hp, b->layer);
    if (set == INGLE_ROPE_NONE) return;
    ingle_instr *in = emit(b, INGLE_OP_ROPE);
    in->dst = in->src = buf, in->n_heads = n_heads, in->head_dim = head_dim;
    in->to.at = at, in->rope = set;
}

/* dst piece of every head = its own matrix . src piece. */
static void by_heads(builder *b, ingle_buf dst, ingle_piece to, ingle_buf src, ingle_piece from,
                     const char *part, uint32_t n_rows, uint32_t n_cols)
{
    char name[96];
    uint32_t weight = 0, n_head = b->hp->layer[b->layer].n_head;
    if (!b->st)
        b->st = ingle_weights_matrices(b->w, b->g, tensor_name(b, part, name, sizeof name), n_head,
                                       n_rows, n_cols, &weight, b->err);
    ingle_instr *in = pieces(b, INGLE_OP_HEADS, dst, to, src, from, n_rows);
    in->n_out = 1;
    in->out[0] = (ingle_matmul_out){.weight = weight, .bias = INGLE_NO_VECTOR, .dst = dst};
}

static void attend_over(builder *b, ingle_buf dst, ingle_buf src, const ingle_cache *cache,
                        ingle_buf k, ingle_buf v)
{
    uint32_t i = ingle_build_store(b, k, v, cache);
    ingle_instr *in = emit(b, INGLE_OP_ATTEND);
    in->dst = dst, in->src = src, in->cache = i;
    in->n_heads = b->hp->layer[b->layer].n_head, in->head_dim = cache->head_dim_k;
    in->window = cache->window;
    in->scale = ingle_layer_attn_scale(b->hp, b->layer);
}

/* Keys and values of every head out of the latent. */
static void spread(builder *b)
{
    const ingle_latent *m = &b->hp->latent;
    const ingle_layer *l = &b->hp->layer[b->layer];
    uint32_t own = own_dims(b), dk = m->head_dim_k, dv = m->head_dim_v;
    b->width[INGLE_BUF_L] = m->n_rank_kv; /* only the latent goes in */
    linear(b, INGLE_BUF_KV, INGLE_BUF_L, "attn_kv_b", (size_t)l->n_head * (own + dv));
    pieces(b, INGLE_OP_COPY, INGLE_BUF_K, (ingle_piece){0, dk}, INGLE_BUF_KV,
           (ingle_piece){0, own + dv}, own);
    pieces(b, INGLE_OP_COPY, INGLE_BUF_K, (ingle_piece){own, dk}, INGLE_BUF_L,
           (ingle_piece){m->n_rank_kv, 0}, b->hp->rope.n_rot);
    pieces(b, INGLE_OP_COPY, INGLE_BUF_V, (ingle_piece){0, dv}, INGLE_BUF_KV,
           (ingle_piece){own, own + dv}, dv);
    attend_over(
        b, INGLE_BUF_A, INGLE_BUF_Q,
        &(ingle_cache){
            .head_dim_k = dk, .head_dim_v = dv, .n_head_kv = l->n_head, .window = l->window},
        INGLE_BUF_K, INGLE_BUF_V);
}

/* Queries into the latent space, and what they found out of it. The values are the latent part of
 * what is stored as key. */
static void absorb(builder *b)
{
    const ingle_latent *m = &b->hp->latent;
    uint32_t own = own_dims(b), rank = m->n_rank_kv, all = rank + b->hp->rope.n_rot;
    by_heads(b, INGLE_BUF_LQ, (ingle_piece){0, all}, INGLE_BUF_Q, (ingle_piece){0, m->head_dim_k},
             "attn_k_b.weight", rank, own);
    pieces(b, INGLE_OP_COPY, INGLE_BUF_LQ, (ingle_piece){rank, all}, INGLE_BUF_Q,
           (ingle_piece){own, m->head_dim_k}, b->hp->rope.n_rot);
    attend_over(b, INGLE_BUF_LA, INGLE_BUF_LQ,
                &(ingle_cache){.head_dim_k = all,
                               .head_dim_v = rank,
                               .n_head_kv = 1,
                               .window = b->hp->layer[b->layer].window},
                INGLE_BUF_L, INGLE_BUF_L);
    by_heads(b, INGLE_BUF_A, (ingle_piece){0, m->head_dim_v}, INGLE_BUF_LA, (ingle_piece){0, rank},
             "attn_v_b.weight", m->head_dim_v, rank);
}

void ingle_build_latent(builder *b, ingle_buf src)
{
    const ingle_latent *m = &b->hp->latent;
    uint32_t n_head = b->hp->layer[b->layer].n_head, rank = m->n_rank_kv;
    uint32_t all = rank + b->hp->rope.n_rot;
    if (m->n_rank_q) linear(b, INGLE_BUF_QL, src, "attn_q_a", m->n_rank_q);
    else linear(b, INGLE_BUF_Q, src, "attn_q", (size_t)n_head * m->head_dim_k);
    linear(b, INGLE_BUF_L, src, "attn_kv_a_mqa", all);
    if (m->n_rank_q) {
        norm(b, INGLE_BUF_QL, INGLE_BUF_QL, "attn_q_a_norm");
        linear(b, INGLE_BUF_Q, INGLE_BUF_QL, "attn_q_b", (size_t)n_head * m->head_dim_k);
    }
    uint32_t weight = vector(b, "attn_kv_a_norm.weight", rank);
    norm_with(b, INGLE_BUF_L, INGLE_BUF_L, weight, INGLE_NO_VECTOR)->head_dim = rank;
    turn_part(b, INGLE_BUF_L, 1, all, rank);
    turn_part(b, INGLE_BUF_Q, n_head, m->head_dim_k, own_dims(b));
    if (ingle_latent_by_head(b->g)) absorb(b);
    else spread(b);
}
