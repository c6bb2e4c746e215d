/* plan_streams.c - what Gemma 3n and Gemma 4 put around a layer (published with the models:
 * modeling_gemma3n.py, modeling_gemma4.py):
 *     AltUp     a row is several streams of n_embd; a layer works on one of them and predicts and
 *               corrects the others (arXiv 2301.13310)
 *     LAuReL    a low-rank way around attention (arXiv 2411.07501)
 *     per-layer inputs  every layer adds a vector of its own for the token, gated by the stream */
#include "model/build.h"

#include <math.h>

/* ---- per-layer inputs ---- */

/* (embedding of the token * sqrt(p) + norm(W x / sqrt(n_embd))) / sqrt(2), p floats of each
 * layer. */
static val layer_inputs(builder *b)
{
    const ingle_hparams *hp = b->hp;
    uint32_t all = hp->n_embd_layer * hp->n_layer, weight = 0;
    size_t n_vocab = b->plan->n_vocab, d = hp->n_embd;
    if (!b->st)
        b->st = ingle_weights_matrix(b->w, b->g, "per_layer_token_embd.weight", 0, n_vocab, n_vocab,
                                     all, &weight, b->err);
    val inputs = fresh(b, "inputs", b->x, all);
    emit(b, INGLE_OP_EMBED, inputs, INGLE_NO_VALUE)->embed.weight = weight;
    scale(b, inputs, (float)sqrt((double)hp->n_embd_layer));
    if (!b->st)
        b->st = ingle_weights_matrix(b->w, b->g, "per_layer_model_proj.weight", 0, all, all, d,
                                     &weight, b->err);
    val part = fresh(b, "part", b->x, all);
    product_of(b, part, b->x, weight);
    scale(b, part, (float)(1 / sqrt((double)d)));
    uint32_t v = top_vector(b, "per_layer_proj_norm.weight", hp->n_embd_layer, true);
    ingle_instr *in = norm_of(b, part, part, v, INGLE_NO_VECTOR);
    in->norm.n_heads = hp->n_layer, in->norm.head_dim = hp->n_embd_layer;
    add_to(b, inputs, part);
    scale(b, inputs, (float)(1 / sqrt(2.0)));
    return inputs;
}

/* norm(W2 (act(W1 x) * the layer's part of the inputs)) */
static val layer_input(builder *b)
{
    uint32_t p = b->hp->n_embd_layer, at = b->layer * p;
    val inputs = b->inputs;
    bool wanted = !b->st && b->plan->value[b->x].domain == INGLE_ROWS;
    if (wanted) {
        inputs = select_rows(b, inputs, at, p);
        at = 0;
    }
    val gate = linear(b, b->x, "inp_gate", p);
    activate(b, gate, b->hp->act);
    ingle_instr *in = emit(b, INGLE_OP_MUL, gate, gate);
    in->src[1] = inputs, in->mul.at = at;
    val y = linear(b, gate, "proj", b->hp->n_embd);
    norm_to(b, y, y, "post_norm");
    return y;
}

/* ---- streams ---- */

/* Pieces of dst, one for every further stream, = the stream's own matrix . pieces of src. */
static void by_stream(builder *b, const char *name, val dst, ingle_piece to, val src,
                      ingle_piece from)
{
    uint32_t d = b->hp->n_embd, n = b->hp->n_altup - 1, weight = 0;
    if (!b->st) b->st = ingle_weights_matrices(b->w, b->g, name, n, d, d, &weight, b->err);
    ingle_instr *in = emit(b, INGLE_OP_HEADS, dst, src);
    in->heads.product.n_out = 1;
    in->heads.product.out[0] =
        (ingle_matmul_out){.weight = weight, .bias = INGLE_NO_VECTOR, .scale = INGLE_NO_VECTOR};
    in->heads.pieces = (ingle_pieces){.n = n, .width = d, .to = to, .from = from};
}

/* op on n pieces of dst; src gives what `from` says. */
static void on_pieces(builder *b, ingle_op op, uint32_t n, val dst, ingle_piece to, val src,
                      ingle_piece from)
{
    ingle_instr *in = emit(b, op, dst, op == INGLE_OP_ADD ? dst : src);
    if (op == INGLE_OP_ADD) in->src[1] = src;
    in->pieces = (ingle_pieces){.n = n, .width = b->hp->n_embd, .to = to, .from = from};
}

/* Every further stream is a product of the first, as long as it. */
static val open_streams(builder *b)
{
    uint32_t d = b->hp->n_embd, n = b->hp->n_altup - 1;
    const ingle_piece rest = {d, d}, all = {0, 0};
    val streams = fresh(b, "streams", b->x, (size_t)d * (n + 1));
    by_stream(b, "altup_proj.weight", streams, rest, b->x, all);
    on_pieces(b, INGLE_OP_MATCH, n, streams, rest, b->x, all);
    on_pieces(b, INGLE_OP_COPY, 1, streams, all, b->x, all);
    return streams;
}

/* x = the first stream. */
static void first_stream(builder *b)
{
    on_pieces(b, INGLE_OP_COPY, 1, b->x, (ingle_piece){0, 0}, b->streams, (ingle_piece){0, 0});
}

/* x = mean of the first stream and products of the others, as long as it. */
static void close_streams(builder *b)
{
    uint32_t d = b->hp->n_embd, n = b->hp->n_altup - 1;
    const ingle_piece each = {0, d}, all = {0, 0};
    val rest = fresh(b, "rest", b->streams, (size_t)d * n);
    by_stream(b, "altup_unembd_proj.weight", rest, each, b->streams, (ingle_piece){d, d});
    first_stream(b);
    on_pieces(b, INGLE_OP_MATCH, n, rest, each, b->x, all);
    on_pieces(b, INGLE_OP_ADD, n, b->x, all, rest, each);
    scale(b, b->x, 1.0f / (float)b->hp->n_altup);
}

/* W tanh(router . norm(x) / n_embd) */
static val coefficients(builder *b, const char *stem, size_t n)
{
    val x = norm(b, b->x, "altup_router_norm");
    scale(b, x, 1.0f / (float)b->hp->n_embd);
    val modes = linear(b, x, "altup_router", b->hp->n_altup);
    activate(b, modes, INGLE_ACT_TANH);
    return linear(b, modes, stem, n);
}

static ingle_pieces each_stream(const builder *b)
{
    uint32_t d = b->hp->n_embd;
    return (ingle_pieces){.n = b->hp->n_altup, .width = d, .to = {0, d}};
}

/* ---- the places where a layer calls ---- */

void ingle_build_before_layers(builder *b)
{
    if (b->hp->n_embd_layer) b->inputs = layer_inputs(b);
    if (b->hp->n_altup) b->streams = open_streams(b);
}

void ingle_build_before_layer(builder *b)
{
    uint32_t n = b->hp->n_altup;
    if (!n) return;
    first_stream(b);
    val coef = coefficients(b, "altup_predict_coef", (size_t)n * n);
    emit(b, INGLE_OP_MIX, b->streams, coef)->pieces = each_stream(b);
    first_stream(b);
}

/* n + norm(R L n), n the input of attention; INGLE_NO_VALUE: the model has none. */
val ingle_build_laurel(builder *b, val n)
{
    if (!b->hp->n_laurel) return INGLE_NO_VALUE;
    val low = linear(b, n, "laurel_l", b->hp->n_laurel);
    val around = linear(b, low, "laurel_r", b->hp->n_embd);
    norm_to(b, around, around, "laurel_post_norm");
    add_to(b, around, n);
    return around;
}

void ingle_build_after_layer(builder *b)
{
    uint32_t n = b->hp->n_altup, d = b->hp->n_embd;
    val own = INGLE_NO_VALUE;
    if (n) {
        val coef = coefficients(b, "altup_correct_coef", n);
        ingle_instr *in = emit(b, INGLE_OP_CORRECT, b->streams, b->x);
        in->src[1] = coef, in->pieces = each_stream(b);
        first_stream(b);
        gain(b, b->x, "altup_correct_scale.weight", d);
    }
    if (b->hp->n_embd_layer) own = layer_input(b);
    if (n && own != INGLE_NO_VALUE)
        on_pieces(b, INGLE_OP_ADD, n - 1, b->streams, (ingle_piece){d, d}, own,
                  (ingle_piece){0, 0});
    else if (own != INGLE_NO_VALUE) add_to(b, b->x, own);
    if (has(b, "layer_output_scale.weight")) gain(b, b->x, "layer_output_scale.weight", 1);
}

void ingle_build_after_layers(builder *b)
{
    if (b->hp->n_altup) close_streams(b);
}
