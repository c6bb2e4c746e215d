/* plan_latent.c - multi-head latent attention (DeepSeek-V2, arXiv 2405.04434, section 2.1): keys
 * and values of all heads come out of one narrow vector per position, and a part of the key that
 * all heads share is rotated by RoPE.
 *     L  = [latent | shared key] of a position, the first normed, the second rotated
 * Files give the way out of the latent as one matrix (attn_kv_b): keys and values are spread out
 * and stored by head; or cut by head (attn_k_b, attn_v_b): then queries go into the latent space
 * instead, L itself is what is stored, and all heads read it. */
#include "model/build.h"

/* Heads have their own dimensions first, then the rotated ones. */
static uint32_t own_dims(const builder *b)
{
    return b->hp->latent.head_dim_k - b->hp->rope.n_rot;
}

/* Pieces of dst, one for every head, = the head's own matrix . pieces of src. */
static void by_heads(builder *b, val dst, ingle_piece to, val src, ingle_piece from,
                     const char *part, uint32_t n_rows, uint32_t n_cols)
{
    char name[96];
    uint32_t weight = 0, n_head = b->l->n_head;
    if (!b->st)
        b->st = ingle_weights_matrices(b->w, b->g, tensor_name(b, part, name, sizeof name), n_head,
                                       n_rows, n_cols, &weight, b->err);
    ingle_instr *in = emit(b, INGLE_OP_HEADS, dst, src);
    in->heads.product.n_out = 1;
    in->heads.product.out[0] =
        (ingle_matmul_out){.weight = weight, .bias = INGLE_NO_VECTOR, .scale = INGLE_NO_VECTOR};
    in->heads.pieces = (ingle_pieces){.n = n_head, .width = n_rows, .to = to, .from = from};
}

/* Keys and values of every head out of the latent l. */
static val spread(builder *b, val q, val l)
{
    const ingle_latent *m = &b->hp->latent;
    uint32_t n = b->l->n_head, own = own_dims(b), dk = m->head_dim_k, dv = m->head_dim_v;
    val kv = linear_cols(b, l, m->n_rank_kv, "attn_kv_b", (size_t)n * (own + dv));
    val k = fresh(b, "k", l, (size_t)n * dk), v = fresh(b, "v", l, (size_t)n * dv);
    copy_pieces(b, k, (ingle_piece){0, dk}, kv, (ingle_piece){0, own + dv}, n, own);
    copy_pieces(b, k, (ingle_piece){own, dk}, l, (ingle_piece){m->n_rank_kv, 0}, n,
                b->hp->rope.n_rot);
    copy_pieces(b, v, (ingle_piece){0, dv}, kv, (ingle_piece){own, own + dv}, n, dv);
    ingle_cache cache = {
        .head_dim_k = dk, .head_dim_v = dv, .n_head_kv = n, .window = b->l->window};
    return ingle_build_attend(b, q, ingle_build_store(b, k, v, &cache), dk, dv);
}

/* Queries into the latent space, and what they found out of it. The values are the latent part of
 * what is stored as key. */
static val absorb(builder *b, val q, val l)
{
    const ingle_latent *m = &b->hp->latent;
    uint32_t n = b->l->n_head, own = own_dims(b), rank = m->n_rank_kv;
    uint32_t all = rank + b->hp->rope.n_rot;
    val lq = fresh(b, "latent_q", q, (size_t)n * all);
    by_heads(b, lq, (ingle_piece){0, all}, q, (ingle_piece){0, m->head_dim_k}, "attn_k_b.weight",
             rank, own);
    copy_pieces(b, lq, (ingle_piece){rank, all}, q, (ingle_piece){own, m->head_dim_k}, n,
                b->hp->rope.n_rot);
    ingle_cache cache = {
        .head_dim_k = all, .head_dim_v = rank, .n_head_kv = 1, .window = b->l->window};
    val la = ingle_build_attend(b, lq, ingle_build_store(b, l, l, &cache), all, rank);
    val a = fresh(b, "attn", la, (size_t)n * m->head_dim_v);
    by_heads(b, a, (ingle_piece){0, m->head_dim_v}, la, (ingle_piece){0, rank}, "attn_v_b.weight",
             m->head_dim_v, rank);
    return a;
}

val ingle_build_latent(builder *b, val n)
{
    const ingle_latent *m = &b->hp->latent;
    uint32_t n_head = b->l->n_head, rank = m->n_rank_kv, all = rank + b->hp->rope.n_rot;
    size_t n_q = (size_t)n_head * m->head_dim_k;
    val q = m->n_rank_q ? linear(b, n, "attn_q_a", m->n_rank_q) : linear(b, n, "attn_q", n_q);
    val l = linear(b, n, "attn_kv_a_mqa", all);
    if (m->n_rank_q) {
        norm_to(b, q, q, "attn_q_a_norm");
        q = linear(b, q, "attn_q_b", n_q);
    }
    uint32_t weight = vector(b, "attn_kv_a_norm.weight", rank);
    norm_of(b, l, l, weight, INGLE_NO_VECTOR)->norm.head_dim = rank;
    ingle_build_rope(b, l, 1, all, rank);
    ingle_build_rope(b, q, n_head, m->head_dim_k, own_dims(b));
    bool by_head = ingle_gguf_find_tensor(b->g, "blk.0.attn_k_b.weight") != NULL;
    return by_head ? absorb(b, q, l) : spread(b, q, l);
}
