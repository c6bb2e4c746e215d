/* plan_embed.c - the parts of a plan that embeddings need: what is added to a token's embedding, norms
 * behind the residual, and the heads that make a vector or a rank of a text's rows. */
#include "model/build.h"

#include <string.h>

static const ingle_gguf_tensor *top(const builder *b, const char *name)
{
    return ingle_gguf_find_tensor(b->g, name);
}

static uint32_t top_vector(builder *b, const char *name, size_t n, bool required)
{
    uint32_t v = INGLE_NO_VECTOR;
    if (!b->st && (required || top(b, name)))
        b->st = ingle_weights_vector(b->w, b->g, name, 0, n, n, &v, b->err);
    return v;
}

/* ---- before the first layer ---- */

void ingle_build_types(builder *b)
{
    static const char name[] = "token_types.weight";
    uint32_t v[2] = {INGLE_NO_VECTOR, INGLE_NO_VECTOR};
    b->plan->n_segments = 1;
    if (b->st || !b->family->encoder || !top(b, name)) return;
    if (top(b, name)->dims[1] > 1) b->plan->n_segments = 2;
    for (uint32_t i = 0; i < b->plan->n_segments && !b->st; i++)
        b->st = ingle_weights_row(b->w, b->g, name, b->hp->n_embd, i, &v[i], b->err);
    ingle_instr *in = emit(b, b->plan->n_segments > 1 ? INGLE_OP_SEGMENT : INGLE_OP_BIAS);
    in->dst = in->src = INGLE_BUF_X, in->vector = v[0], in->vector2 = v[1];
}

/* ---- in a layer ---- */

/* x = norm(x + n); with a second norm behind attention x = norm2(x + norm(x + n)). */
void ingle_build_post_norm(builder *b, ingle_buf x, bool attention)
{
    const char *stem = attention ? "attn_output_norm" : "layer_output_norm";
    if (attention && has(b, "attn_norm_2.weight")) {
        binary(b, INGLE_OP_ADD, INGLE_BUF_N, INGLE_BUF_N, x);
        norm(b, INGLE_BUF_N, INGLE_BUF_N, stem);
        stem = "attn_norm_2";
    }
    binary(b, INGLE_OP_ADD, x, x, INGLE_BUF_N);
    norm(b, x, x, stem);
}

/* ---- behind the last layer ---- */

static void set_width(builder *b, ingle_buf buf, size_t n)
{
    b->width[buf] = b->plan->width[buf] = (uint32_t)n;
}

static ingle_instr *on_texts(ingle_instr *in, ingle_when when)
{
    in->texts = true;
    in->when = when;
    return in;
}

/* dst = NAME.weight . src (+ NAME.bias); the tensor says how wide dst is. */
static void top_linear(builder *b, ingle_buf dst, ingle_buf src, const char *name, ingle_when when)
{
    char stem[64];
    uint32_t weight = 0;
    snprintf(stem, sizeof stem, "%s.weight", name);
    if (b->st) return;
    size_t n = (size_t)top(b, stem)->dims[1];
    if (n < 1 || n > 1u << 20) {
        b->st = ingle_fail(b->err, INGLE_EFORMAT, "tensor '%s' has %zu rows, should have 1 to %u",
                           stem, n, 1u << 20);
        return;
    }
    set_width(b, dst, n);
    b->st = ingle_weights_matrix(b->w, b->g, stem, 0, n, n, b->width[src], &weight, b->err);
    ingle_instr *in = on_texts(emit(b, INGLE_OP_MATMUL), when);
    in->src = src;
    in->n_out = 1;
    in->out[0] = (ingle_matmul_out){.weight = weight, .bias = INGLE_NO_VECTOR, .dst = dst};
    snprintf(stem, sizeof stem, "%s.bias", name);
    uint32_t bias = top_vector(b, stem, n, false);
    if (b->st || bias == INGLE_NO_VECTOR) return;
    in = on_texts(emit(b, INGLE_OP_BIAS), when);
    in->dst = in->src = dst, in->vector = bias;
}

static uint32_t result(builder *b, ingle_buf src, ingle_when when)
{
    on_texts(emit(b, INGLE_OP_RESULT), when)->src = src;
    if (!b->st) b->plan->instr[b->plan->n_instr - 1].dst = src;
    return b->width[src];
}

/* Dense layers of sentence embeddings, one or two. */
static uint32_t vector_head(builder *b)
{
    ingle_buf out = INGLE_BUF_POOLED;
    if (top(b, "dense_2.weight")) {
        bool two = top(b, "dense_3.weight") != NULL;
        out = INGLE_BUF_VECTOR;
        top_linear(b, two ? INGLE_BUF_MID : out, INGLE_BUF_POOLED, "dense_2", INGLE_WHEN_VECTOR);
        if (two) top_linear(b, out, INGLE_BUF_MID, "dense_3", INGLE_WHEN_VECTOR);
    }
    return result(b, out, INGLE_WHEN_VECTOR);
}

/* The logits of two tokens. */
static void word_head(builder *b, ingle_buf src)
{
    const char *name = top(b, "output.weight") ? "output.weight" : "token_embd.weight";
    uint32_t weight = 0;
    if (b->st) return;
    set_width(b, INGLE_BUF_VECTOR, 2);
    b->st = ingle_weights_pair(b->w, b->g, name, b->hp->rank_words, b->plan->n_vocab, b->hp->n_embd,
                               &weight, b->err);
    ingle_instr *in = on_texts(emit(b, INGLE_OP_MATMUL), INGLE_WHEN_RANK);
    in->src = src;
    in->n_out = 1;
    in->out[0] =
        (ingle_matmul_out){.weight = weight, .bias = INGLE_NO_VECTOR, .dst = INGLE_BUF_VECTOR};
}

/* A classifier: dense, activation, norm (cls), then labels (cls.output); either may be missing. Of
 * Qwen 3 rerankers the labels are two rows of the head, and what counts is their softmax. */
static uint32_t rank_head(builder *b)
{
    ingle_buf out = INGLE_BUF_POOLED;
    if (top(b, "cls.weight")) {
        out = INGLE_BUF_MID;
        top_linear(b, out, INGLE_BUF_POOLED, "cls", INGLE_WHEN_RANK);
        ingle_instr *in = on_texts(emit(b, INGLE_OP_ACT), INGLE_WHEN_RANK);
        in->act = b->family->rank == INGLE_RANK_MEAN ? INGLE_ACT_GELU_ERF : INGLE_ACT_TANH;
        in->dst = in->src = in->src2 = out;
        if (top(b, "cls.norm.weight")) {
            size_t n = b->width[out];
            uint32_t v = top_vector(b, "cls.norm.weight", n, true);
            in = norm_with(b, out, out, v, top_vector(b, "cls.norm.bias", n, false));
            on_texts(in, INGLE_WHEN_RANK);
        }
    }
    if (b->hp->ranks_by_words) {
        word_head(b, out);
        out = INGLE_BUF_VECTOR;
    }
    if (top(b, "cls.output.weight")) {
        top_linear(b, INGLE_BUF_VECTOR, out, "cls.output", INGLE_WHEN_RANK);
        out = INGLE_BUF_VECTOR;
    }
    if (b->family->rank == INGLE_RANK_LAST && b->width[out] > 1) {
        ingle_instr *in = on_texts(emit(b, INGLE_OP_ACT), INGLE_WHEN_RANK);
        in->act = INGLE_ACT_SOFTMAX;
        in->dst = in->src = in->src2 = out;
    }
    return result(b, out, INGLE_WHEN_RANK);
}

/* The rows that logits are made of, or would be. */
static ingle_buf last_norm(builder *b)
{
    const ingle_plan *p = b->plan;
    size_t n = p->n_instr;
    if (b->st) return INGLE_BUF_XR;
    if (!b->family->encoder) { /* the norm before HEAD, once more: the runs are apart */
        if (n < 2 || p->instr[n - 2].op != INGLE_OP_NORM) return INGLE_BUF_XR;
        ingle_instr again = p->instr[n - 2];
        *emit(b, INGLE_OP_NORM) = again;
    } else {
        if (!top(b, "output_norm.weight")) return INGLE_BUF_XR;
        size_t d = b->hp->n_embd;
        uint32_t v = top_vector(b, "output_norm.weight", d, true);
        norm_with(b, INGLE_BUF_N, INGLE_BUF_XR, v, top_vector(b, "output_norm.bias", d, false));
    }
    if (!b->st) b->plan->instr[b->plan->n_instr - 1].when = INGLE_WHEN_EMBED;
    return INGLE_BUF_N;
}

void ingle_build_pooling(builder *b)
{
    bool dense = top(b, "dense_2.weight") != NULL;
    bool can = b->family->encoder || b->family->rank == INGLE_RANK_LAST;
    bool ranks =
        can && (top(b, "cls.weight") || top(b, "cls.output.weight") || b->hp->ranks_by_words);
    if (dense && ranks) {
        b->st =
            ingle_fail(b->err, INGLE_EUNSUPPORTED,
                       "tensors 'dense_2.weight' and 'cls.weight' in one file are not supported");
        return;
    }
    ingle_buf src = last_norm(b);
    set_width(b, INGLE_BUF_POOLED, b->hp->n_embd);
    ingle_instr *in = on_texts(emit(b, INGLE_OP_POOL), INGLE_WHEN_EMBED);
    in->src = src, in->dst = INGLE_BUF_POOLED;
    b->plan->n_vector = vector_head(b);
    if (ranks) b->plan->n_rank = rank_head(b);
}
