/* plan_streams.c - what Gemma 3n and Gemma 4 put around a layer (published with the models:
 * modeling_gemma3n.py, modeling_gemma4.py):
 *     AltUp     a row is several streams of n_embd; a layer works on one of them and predicts and
 *               corrects the others (arXiv 2301.13310)
 *     LAuReL    a low-rank way around attention (arXiv 2411.07501)
 *     per-layer inputs  every layer adds a vector of its own for the token, gated by the stream */
#include "model/build.h"

#include <math.h>

/* A tensor that files carry and nothing reads. */
void ingle_build_skip(builder *b, const char *part)
{
    char name[96];
    const ingle_gguf_tensor *t =
        ingle_gguf_find_tensor(b->g, tensor_name(b, part, name, sizeof name));
    if (t) b->w->used[t - b->g->tensors] = true;
}

static void top_product(builder *b, ingle_buf dst, ingle_buf src, const char *name, size_t n_rows)
{
    uint32_t weight = 0;
    if (!b->st)
        b->st = ingle_weights_matrix(b->w, b->g, name, 0, n_rows, n_rows, b->width[src], &weight,
                                     b->err);
    ingle_instr *in = emit(b, INGLE_OP_MATMUL);
    in->src = src, in->n_out = 1;
    in->out[0] = (ingle_matmul_out){.weight = weight, .bias = INGLE_NO_VECTOR, .dst = dst};
}

/* dst = src * vector, element by element; a vector of one element: all by it. */
static void gain(builder *b, ingle_buf buf, const char *part, size_t n)
{
    uint32_t v = vector(b, part, n);
    ingle_instr *in = emit(b, INGLE_OP_GAIN);
    in->dst = in->src = buf, in->vector = v, in->width = b->width[buf];
}

static void unary(builder *b, ingle_op op, ingle_buf dst, ingle_buf src)
{
    ingle_instr *in = emit(b, op);
    in->dst = dst, in->src = src, in->width = b->width[dst];
}

/* ---- per-layer inputs ---- */

/* PE = (embedding of the token * sqrt(p) + norm(W x / sqrt(n_embd))) / sqrt(2), p floats of each
 * layer. */
static void layer_inputs(builder *b)
{
    const ingle_hparams *hp = b->hp;
    const char *name = "per_layer_token_embd.weight";
    uint32_t all = b->width[INGLE_BUF_PE], weight = 0, v = INGLE_NO_VECTOR;
    size_t n_vocab = b->plan->width[INGLE_BUF_LOGITS];
    if (!b->st)
        b->st = ingle_weights_matrix(b->w, b->g, name, 0, n_vocab, n_vocab, all, &weight, b->err);
    ingle_instr *in = emit(b, INGLE_OP_EMBED);
    in->dst = INGLE_BUF_PE, in->n_out = 1;
    in->out[0] = (ingle_matmul_out){.weight = weight, .bias = INGLE_NO_VECTOR, .dst = INGLE_BUF_PE};
    scale(b, INGLE_BUF_PE, (float)sqrt((double)hp->n_embd_layer));
    top_product(b, INGLE_BUF_PP, INGLE_BUF_X, "per_layer_model_proj.weight", all);
    scale(b, INGLE_BUF_PP, (float)(1 / sqrt((double)hp->n_embd)));
    if (!b->st)
        b->st = ingle_weights_vector(b->w, b->g, "per_layer_proj_norm.weight", 0, hp->n_embd_layer,
                                     hp->n_embd_layer, &v, b->err);
    in = norm_with(b, INGLE_BUF_PP, INGLE_BUF_PP, v, INGLE_NO_VECTOR);
    in->n_heads = hp->n_layer, in->head_dim = hp->n_embd_layer;
    binary(b, INGLE_OP_ADD, INGLE_BUF_PE, INGLE_BUF_PE, INGLE_BUF_PP);
    scale(b, INGLE_BUF_PE, (float)(1 / sqrt(2.0)));
}

/* N = norm(W2 (gelu(W1 src) * the layer's part of PE)) */
static void layer_input(builder *b, ingle_buf src)
{
    uint32_t p = b->hp->n_embd_layer, at = b->layer * p;
    ingle_buf inputs = INGLE_BUF_PE;
    if (b->rows) {
        ingle_instr *in = emit(b, INGLE_OP_GATHER);
        in->dst = inputs = INGLE_BUF_PR, in->src = INGLE_BUF_PE, in->from.at = at, in->width = p;
        at = 0;
    }
    b->width[INGLE_BUF_G] = p; /* the layer's feed-forward is done */
    linear(b, INGLE_BUF_G, src, "inp_gate", p);
    unary(b, INGLE_OP_ACT, INGLE_BUF_G, INGLE_BUF_G);
    if (!b->st) b->plan->instr[b->plan->n_instr - 1].act = b->family->act;
    binary(b, INGLE_OP_MUL, INGLE_BUF_G, INGLE_BUF_G, inputs);
    if (!b->st) b->plan->instr[b->plan->n_instr - 1].from.at = at;
    linear(b, INGLE_BUF_N, INGLE_BUF_G, "proj", b->hp->n_embd);
    norm(b, INGLE_BUF_N, INGLE_BUF_N, "post_norm");
}

/* ---- streams ---- */

/* dst pieces = each its own matrix . src. */
static void by_stream(builder *b, const char *name, ingle_buf dst, ingle_piece to, ingle_buf src,
                      ingle_piece from)
{
    uint32_t d = b->hp->n_embd, n = b->hp->n_altup - 1, weight = 0;
    if (!b->st) b->st = ingle_weights_matrices(b->w, b->g, name, n, d, d, &weight, b->err);
    ingle_instr *in = emit(b, INGLE_OP_HEADS);
    in->dst = dst, in->to = to, in->src = src, in->from = from, in->n_heads = n, in->width = d;
    in->n_out = 1;
    in->out[0] = (ingle_matmul_out){.weight = weight, .bias = INGLE_NO_VECTOR, .dst = dst};
}

/* op on pieces of streams; src2 or src gives what `from` says. */
static void on_pieces(builder *b, ingle_op op, uint32_t n, ingle_buf dst, ingle_piece to,
                      ingle_buf src, ingle_piece from)
{
    ingle_instr *in = emit(b, op);
    in->dst = dst, in->to = to, in->src = src, in->src2 = src, in->from = from;
    in->n_heads = n, in->width = b->hp->n_embd;
    if (op == INGLE_OP_ADD) in->src = dst;
}

/* Every further stream is a product of the first, as long as it. */
static void open_streams(builder *b)
{
    uint32_t d = b->hp->n_embd, n = b->hp->n_altup - 1;
    by_stream(b, "altup_proj.weight", INGLE_BUF_XS, (ingle_piece){d, d}, INGLE_BUF_X,
              (ingle_piece){0, 0});
    on_pieces(b, INGLE_OP_MATCH, n, INGLE_BUF_XS, (ingle_piece){d, d}, INGLE_BUF_X,
              (ingle_piece){0, 0});
    on_pieces(b, INGLE_OP_COPY, 1, INGLE_BUF_XS, (ingle_piece){0, 0}, INGLE_BUF_X,
              (ingle_piece){0, 0});
}

/* X = the first stream. */
static void first_stream(builder *b)
{
    on_pieces(b, INGLE_OP_COPY, 1, stream(b), (ingle_piece){0, 0}, streams(b), (ingle_piece){0, 0});
}

/* X = mean of the first stream and products of the others, as long as it. */
static void close_streams(builder *b)
{
    uint32_t d = b->hp->n_embd, n = b->hp->n_altup - 1;
    ingle_buf x = stream(b);
    by_stream(b, "altup_unembd_proj.weight", INGLE_BUF_XP, (ingle_piece){0, d}, streams(b),
              (ingle_piece){d, d});
    first_stream(b);
    on_pieces(b, INGLE_OP_MATCH, n, INGLE_BUF_XP, (ingle_piece){0, d}, x, (ingle_piece){0, 0});
    on_pieces(b, INGLE_OP_ADD, n, x, (ingle_piece){0, 0}, INGLE_BUF_XP, (ingle_piece){0, d});
    scale(b, x, 1.0f / (float)b->hp->n_altup);
}

/* CO = W tanh(router . norm(X) / n_embd) */
static void coefficients(builder *b, const char *part, size_t n)
{
    norm(b, INGLE_BUF_N, stream(b), "altup_router_norm");
    scale(b, INGLE_BUF_N, 1.0f / (float)b->hp->n_embd);
    linear(b, INGLE_BUF_MO, INGLE_BUF_N, "altup_router", b->hp->n_altup);
    unary(b, INGLE_OP_TANH, INGLE_BUF_MO, INGLE_BUF_MO);
    linear(b, INGLE_BUF_CO, INGLE_BUF_MO, part, n);
}

static void mix(builder *b, ingle_op op)
{
    ingle_instr *in = emit(b, op);
    in->dst = streams(b), in->src = op == INGLE_OP_MIX ? streams(b) : stream(b);
    in->src2 = INGLE_BUF_CO, in->n_heads = b->hp->n_altup, in->width = b->hp->n_embd;
}

/* ---- the places where a layer calls ---- */

void ingle_build_before_layers(builder *b)
{
    if (b->hp->n_embd_layer) layer_inputs(b);
    if (b->hp->n_altup) open_streams(b);
}

void ingle_build_before_layer(builder *b)
{
    uint32_t n = b->hp->n_altup;
    if (!n) return;
    first_stream(b);
    coefficients(b, "altup_predict_coef", (size_t)n * n);
    mix(b, INGLE_OP_MIX);
    first_stream(b);
}

/* LR = N + norm(R L N), N the input of attention. */
void ingle_build_laurel(builder *b)
{
    if (!b->hp->n_laurel) return;
    linear(b, INGLE_BUF_LL, INGLE_BUF_N, "laurel_l", b->hp->n_laurel);
    linear(b, around(b), INGLE_BUF_LL, "laurel_r", b->hp->n_embd);
    norm(b, around(b), around(b), "laurel_post_norm");
    binary(b, INGLE_OP_ADD, around(b), around(b), INGLE_BUF_N);
}

void ingle_build_join_laurel(builder *b, ingle_buf x)
{
    if (!b->hp->n_laurel) return;
    binary(b, INGLE_OP_ADD, x, x, around(b));
    scale(b, x, (float)(1 / sqrt(2.0)));
}

void ingle_build_after_layer(builder *b, ingle_buf x)
{
    uint32_t n = b->hp->n_altup, d = b->hp->n_embd;
    if (n) {
        coefficients(b, "altup_correct_coef", n);
        mix(b, INGLE_OP_CORRECT);
        first_stream(b);
        gain(b, x, "altup_correct_scale.weight", d);
    }
    if (b->hp->n_embd_layer) layer_input(b, x);
    if (n)
        on_pieces(b, INGLE_OP_ADD, n - 1, streams(b), (ingle_piece){d, d}, INGLE_BUF_N,
                  (ingle_piece){0, 0});
    else if (b->hp->n_embd_layer) binary(b, INGLE_OP_ADD, x, x, INGLE_BUF_N);
    if (has(b, "layer_output_scale.weight")) gain(b, x, "layer_output_scale.weight", 1);
}

void ingle_build_after_layers(builder *b)
{
    if (b->hp->n_altup) close_streams(b);
}

void ingle_build_stream_widths(uint32_t *width, const ingle_hparams *hp)
{
    uint32_t n = hp->n_altup, p = hp->n_embd_layer, all = p * hp->n_layer;
    width[INGLE_BUF_PE] = width[INGLE_BUF_PP] = all;
    width[INGLE_BUF_PR] = p;
    width[INGLE_BUF_XS] = width[INGLE_BUF_XSR] = n * hp->n_embd;
    width[INGLE_BUF_XP] = n ? (n - 1) * hp->n_embd : 0;
    width[INGLE_BUF_MO] = n;
    width[INGLE_BUF_CO] = n * n;
    width[INGLE_BUF_LL] = hp->n_laurel;
    width[INGLE_BUF_LR] = width[INGLE_BUF_LRR] = hp->n_laurel ? hp->n_embd : 0;
}
