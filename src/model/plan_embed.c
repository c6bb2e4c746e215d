/* plan_embed.c - the parts of a plan that embeddings need: what is added to a token's embedding,
 * norms after the residual add, and the heads that make a vector or a rank of a text's rows. */
#include "model/build.h"

#include <string.h>

static const ingle_gguf_tensor *top(const builder *b, const char *name)
{
    return ingle_gguf_find_tensor(b->g, name);
}

/* ---- before the first layer ---- */

void ingle_build_segments(builder *b)
{
    static const char name[] = "token_types.weight";
    uint32_t v[2] = {INGLE_NO_VECTOR, INGLE_NO_VECTOR};
    b->plan->n_segments = 1;
    if (b->st || !b->family->encoder || !top(b, name)) return;
    if (top(b, name)->dims[1] > 1) b->plan->n_segments = 2;
    for (uint32_t i = 0; i < b->plan->n_segments && !b->st; i++)
        b->st = ingle_weights_row(b->w, b->g, name, b->hp->n_embd, i, &v[i], b->err);
    bool two = b->plan->n_segments > 1;
    ingle_instr *in = emit(b, two ? INGLE_OP_SEGMENT : INGLE_OP_BIAS, b->x, b->x);
    in->bias.vector = v[0], in->bias.second = v[1];
}

/* ---- in a layer ---- */

/* x = norm(x + branch); with a second norm after attention x = norm2(x + norm(x + branch)). */
void ingle_build_post_norm(builder *b, val branch, bool attention)
{
    const char *stem = attention ? "attn_output_norm" : "layer_output_norm";
    if (attention && has(b, "attn_norm_2.weight")) {
        add_to(b, branch, b->x);
        norm_to(b, branch, branch, stem);
        stem = "attn_norm_2";
    }
    add_to(b, b->x, branch);
    norm_to(b, b->x, b->x, stem);
}

/* ---- after the last layer ---- */

/* All that follows `from` is for such runs. */
static void only_when(builder *b, size_t from, ingle_when when)
{
    for (size_t i = from; !b->st && i < b->plan->n_instr; i++) b->plan->instr[i].when = when;
}

/* name.weight . x (+ name.bias); the tensor says how wide that is. */
static val top_linear(builder *b, val x, const char *name)
{
    char tensor[64];
    uint32_t weight = 0;
    snprintf(tensor, sizeof tensor, "%s.weight", name);
    if (b->st) return x;
    size_t n = (size_t)top(b, tensor)->dims[1];
    if (n < 1 || n > 1u << 20) {
        b->st = ingle_fail(b->err, INGLE_EFORMAT, "tensor '%s' has %zu rows, should have 1 to %u",
                           tensor, n, 1u << 20);
        return x;
    }
    b->st = ingle_weights_matrix(b->w, b->g, tensor, 0, n, n, width_of(b, x), &weight, b->err);
    val y = fresh(b, name, x, n);
    product_of(b, y, x, weight);
    snprintf(tensor, sizeof tensor, "%s.bias", name);
    uint32_t bias = top_vector(b, tensor, n, false);
    if (bias != INGLE_NO_VECTOR) emit(b, INGLE_OP_BIAS, y, y)->bias.vector = bias;
    return y;
}

/* Each text's row to its owner; floats of it. */
static uint32_t result(builder *b, val x)
{
    emit(b, INGLE_OP_RESULT, INGLE_NO_VALUE, x);
    return width_of(b, x);
}

/* Dense layers of sentence embeddings, one or two. */
static val vector_head(builder *b, val x)
{
    if (top(b, "dense_2.weight")) x = top_linear(b, x, "dense_2");
    if (top(b, "dense_2.weight") && top(b, "dense_3.weight")) x = top_linear(b, x, "dense_3");
    return x;
}

/* The logits of two tokens. */
static val word_head(builder *b, val x)
{
    const char *name = top(b, "output.weight") ? "output.weight" : "token_embd.weight";
    uint32_t weight = 0;
    if (!b->st)
        b->st = ingle_weights_pair(b->w, b->g, name, b->hp->rank_words, b->plan->n_vocab,
                                   b->hp->n_embd, &weight, b->err);
    val y = fresh(b, "words", x, 2);
    product_of(b, y, x, weight);
    return y;
}

/* A classifier: dense, activation, norm (cls), then labels (cls.output); either may be missing. Of
 * Qwen 3 rerankers the labels are two rows of the head, and what counts is their softmax. */
static val rank_head(builder *b, val x)
{
    if (top(b, "cls.weight")) {
        x = top_linear(b, x, "cls");
        activate(b, x, b->family->rank == INGLE_RANK_MEAN ? INGLE_ACT_GELU_ERF : INGLE_ACT_TANH);
        if (top(b, "cls.norm.weight")) {
            uint32_t v = top_vector(b, "cls.norm.weight", width_of(b, x), true);
            norm_of(b, x, x, v, top_vector(b, "cls.norm.bias", width_of(b, x), false));
        }
    }
    if (b->hp->ranks_by_words) x = word_head(b, x);
    if (top(b, "cls.output.weight")) x = top_linear(b, x, "cls.output");
    if (b->family->rank == INGLE_RANK_LAST && width_of(b, x) > 1) activate(b, x, INGLE_ACT_SOFTMAX);
    return x;
}

/* The rows that logits are made of, or would be. */
static val hidden_state(builder *b, uint32_t weight, uint32_t bias)
{
    if (b->family->encoder && !top(b, "output_norm.weight")) return b->x;
    val n = fresh(b, "n", b->x, b->hp->n_embd);
    norm_of(b, n, b->x, weight, bias);
    return n;
}

void ingle_build_pooling(builder *b, uint32_t weight, uint32_t bias)
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
    size_t from = b->plan->n_instr;
    val n = hidden_state(b, weight, bias);
    val pooled = fresh(b, "pooled", n, b->hp->n_embd);
    if (b->st) return;
    b->plan->value[pooled].domain = INGLE_TEXTS;
    emit(b, INGLE_OP_POOL, pooled, n);
    only_when(b, from, INGLE_WHEN_EMBED);
    from = b->plan->n_instr;
    b->plan->n_vector = result(b, vector_head(b, pooled));
    only_when(b, from, INGLE_WHEN_VECTOR);
    from = b->plan->n_instr;
    if (!ranks) return;
    b->plan->n_rank = result(b, rank_head(b, pooled));
    only_when(b, from, INGLE_WHEN_RANK);
}
