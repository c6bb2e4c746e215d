/* build.h - what the files that turn a model into a plan share: the state of the building, and the
 * steps that emit instructions and claim their weights.
 * plan.c builds the common transformer; other files its less common parts. */
#ifndef INGLE_MODEL_BUILD_H
#define INGLE_MODEL_BUILD_H

#include "model/plan.h"

#include <stdio.h>

/* Everything a step of the building needs; the first error sticks and later steps do nothing. */
typedef struct builder {
    ingle_plan *plan;
    ingle_weights *w;
    const ingle_family *family;
    const ingle_hparams *hp;
    const ingle_gguf *g;
    ingle_error *err;
    ingle_status st;
    uint32_t layer;
    uint32_t width[INGLE_BUF_COUNT]; /* of rows in this layer */
    uint32_t attn_norm,
        attn_norm_bias;     /* the layer's, for a parallel feed-forward without its own */
    uint32_t last_cache[2]; /* [windowed] of the last layer with keys and values of its own */
    bool rows;              /* past the GATHERs: nothing behind them stores anything */
    ingle_instr nowhere;    /* what emit() gives out after an error */
} builder;

/* Where the residual stream is, all streams, and the way around attention: of tokens or of rows. */
static inline ingle_buf stream(const builder *b)
{
    return b->rows ? INGLE_BUF_XR : INGLE_BUF_X;
}

static inline ingle_buf streams(const builder *b)
{
    return b->rows ? INGLE_BUF_XSR : INGLE_BUF_XS;
}

static inline ingle_buf around(const builder *b)
{
    return b->rows ? INGLE_BUF_LRR : INGLE_BUF_LR;
}

static inline ingle_instr *emit(builder *b, ingle_op op)
{
    ingle_plan *p = b->plan;
    if (!b->st && !ingle_grow(&p->instr, &p->cap, p->n_instr + 1, sizeof *p->instr))
        b->st = ingle_fail(b->err, INGLE_ENOMEM, "no memory for the plan");
    if (b->st) { /* empty again: a step may append to out[] */
        b->nowhere = (ingle_instr){0};
        return &b->nowhere;
    }
    ingle_instr *in = &p->instr[p->n_instr++];
    *in = (ingle_instr){.op = op,
                        .layer = b->layer,
                        .rows = b->rows,
                        .vector = INGLE_NO_VECTOR,
                        .vector2 = INGLE_NO_VECTOR,
                        .bias = INGLE_NO_VECTOR,
                        .sinks = INGLE_NO_VECTOR,
                        .n_heads = 1};
    return in;
}

static inline const char *tensor_name(builder *b, const char *part, char *name, size_t cap)
{
    snprintf(name, cap, "blk.%u.%s", b->layer, part);
    return name;
}

void ingle_build_skip(builder *b, const char *part); /* plan_streams.c: nobody wants it */

static inline uint32_t vector(builder *b, const char *part, size_t n)
{
    char name[96];
    uint32_t i = INGLE_NO_VECTOR;
    if (!b->st)
        b->st = ingle_weights_vector(b->w, b->g, tensor_name(b, part, name, sizeof name), 0, n, n,
                                     &i, b->err);
    return i;
}

static inline bool has(builder *b, const char *part)
{
    char name[96];
    return ingle_gguf_find_tensor(b->g, tensor_name(b, part, name, sizeof name)) != NULL;
}

static inline uint32_t vector_if(builder *b, const char *part, size_t n)
{
    return has(b, part) ? vector(b, part, n) : INGLE_NO_VECTOR;
}

static inline ingle_instr *norm_with(builder *b, ingle_buf dst, ingle_buf src, uint32_t weight,
                                     uint32_t bias)
{
    ingle_instr *in = emit(b, INGLE_OP_NORM);
    in->dst = dst, in->src = src, in->vector = weight, in->bias = bias;
    in->norm = b->family->norm;
    in->head_dim = b->width[src];
    return in;
}

/* Of whole rows. `part` is the stem. */
static inline void norm(builder *b, ingle_buf dst, ingle_buf src, const char *part)
{
    char weight[64], bias[64];
    size_t n = b->width[src];
    if (b->family->bare_norms) {
        norm_with(b, dst, src, INGLE_NO_VECTOR, INGLE_NO_VECTOR);
        return;
    }
    snprintf(weight, sizeof weight, "%s.weight", part);
    snprintf(bias, sizeof bias, "%s.bias", part);
    uint32_t v = vector(b, weight, n);
    norm_with(b, dst, src, v, vector_if(b, bias, n));
}

/* What all weights of a tensor, or of each of n experts, are scaled by beside their blocks (NVFP4):
 * `part`.scale. Its like for activations, `part`.input_scale, is for engines that round them to 4
 * bits. A scale of another length is something else (of a router's input: plan_experts.c). */
static inline uint32_t scale_of(builder *b, const char *part, size_t n)
{
    char stem[64], name[96];
    snprintf(stem, sizeof stem, "%s.input_scale", part);
    ingle_build_skip(b, stem);
    snprintf(stem, sizeof stem, "%s.scale", part);
    const ingle_gguf_tensor *t =
        ingle_gguf_find_tensor(b->g, tensor_name(b, stem, name, sizeof name));
    return t && t->n_elems == n ? vector(b, stem, n) : INGLE_NO_VECTOR;
}

/* dst = rows first .. first + n_rows - 1 of the n_all rows of W . src, and of scale and bias if the
 * file has them. `part` is the stem: "attn_q" has attn_q.weight, attn_q.scale and attn_q.bias. */
static inline void linear_part(builder *b, ingle_buf dst, ingle_buf src, const char *part,
                               size_t first, size_t n_rows, size_t n_all)
{
    char stem[64], name[96];
    uint32_t weight = 0, bias = INGLE_NO_VECTOR;
    if (b->st) return;
    snprintf(stem, sizeof stem, "%s.weight", part);
    b->st = ingle_weights_matrix(b->w, b->g, tensor_name(b, stem, name, sizeof name), first, n_rows,
                                 n_all, b->width[src], &weight, b->err);
    ingle_instr *in = emit(b, INGLE_OP_MATMUL);
    in->src = src;
    in->n_out = 1;
    in->out[0] = (ingle_matmul_out){.weight = weight, .bias = INGLE_NO_VECTOR, .dst = dst};
    uint32_t by = scale_of(b, part, 1);
    if (by != INGLE_NO_VECTOR) {
        in = emit(b, INGLE_OP_SCALE);
        in->dst = in->src = dst, in->vector = by;
        in->width = b->width[dst];
    }
    snprintf(stem, sizeof stem, "%s.bias", part);
    if (b->st || !has(b, stem)) return;
    b->st = ingle_weights_vector(b->w, b->g, tensor_name(b, stem, name, sizeof name), first, n_rows,
                                 n_all, &bias, b->err);
    in = emit(b, INGLE_OP_BIAS);
    in->dst = in->src = dst, in->vector = bias;
    in->width = b->width[dst];
}

static inline void linear(builder *b, ingle_buf dst, ingle_buf src, const char *part, size_t n_rows)
{
    linear_part(b, dst, src, part, 0, n_rows, n_rows);
}

static inline void binary(builder *b, ingle_op op, ingle_buf dst, ingle_buf src, ingle_buf src2)
{
    ingle_instr *in = emit(b, op);
    in->dst = dst, in->src = src, in->src2 = src2;
    in->width = b->width[dst];
}

static inline void heads(builder *b, ingle_op op, ingle_buf dst, ingle_buf src, uint32_t n_heads,
                         uint32_t head_dim)
{
    ingle_instr *in = emit(b, op);
    in->dst = dst, in->src = src, in->n_heads = n_heads, in->head_dim = head_dim;
}

static inline void scale(builder *b, ingle_buf buf, float by)
{
    if (by == 1.0f) return;
    ingle_instr *in = emit(b, INGLE_OP_SCALE);
    in->dst = in->src = buf, in->scale = by;
    in->width = b->width[buf];
}

/* plan_recurrent.c: what its buffers hold in a layer; Y = the layer's recurrence of X, returns the stem of
 * the projection that follows; Q and E out of P, by heads; A *= sigmoid(E). */
void ingle_build_recurrent_widths(uint32_t *width, const ingle_hparams *hp, const ingle_layer *l);
const char *ingle_build_recurrent(builder *b);
void ingle_build_gated_query(builder *b);
void ingle_build_attention_gate(builder *b);

/* Another cache in every page; its index. */
uint32_t ingle_build_cache(builder *b, const ingle_cache *cache);
/* K and V of the tokens into a new cache; its index. */
uint32_t ingle_build_store(builder *b, ingle_buf k, ingle_buf v, const ingle_cache *cache);
/* RoPE of the layer's kind. */
void ingle_build_turn(builder *b, ingle_buf buf, uint32_t n_heads);
/* plan_embed.c: the type of a token's segment, added to its embedding; a branch's end where norms stand behind
 * the residual add (`attention`: it is that one's); and the heads that pool. */
void ingle_build_types(builder *b);
void ingle_build_post_norm(builder *b, ingle_buf x, bool attention);
void ingle_build_pooling(builder *b);
/* A = attention of Q over a cache, as hyper-parameters say of the layer. */
void ingle_build_attend(builder *b, uint32_t cache);

/* g = act(g) * u, or act(g). */
void ingle_build_activate(builder *b, ingle_buf g, ingle_buf u, bool gated);
/* N = down(act(gate(src)) * up(src)) */
void ingle_build_dense(builder *b, ingle_buf src);

/* plan_experts.c: N = what the token's experts make of src = N; with a dense feed-forward of x. */
void ingle_build_experts(builder *b, ingle_buf src);
void ingle_build_dense_and_experts(builder *b, ingle_buf x);

/* plan_latent.c: A = attention of a layer whose keys and values come out of a latent. */
bool ingle_latent_by_head(const ingle_gguf *g);
void ingle_latent_widths(uint32_t *width, const ingle_hparams *hp, uint32_t n_head, bool by_head);
void ingle_build_latent(builder *b, ingle_buf src);

/* plan_streams.c */
void ingle_build_stream_widths(uint32_t *width, const ingle_hparams *hp);
void ingle_build_before_layers(builder *b);
void ingle_build_before_layer(builder *b);
void ingle_build_laurel(builder *b);
void ingle_build_join_laurel(builder *b, ingle_buf x);
void ingle_build_after_layer(builder *b, ingle_buf x);
void ingle_build_after_layers(builder *b);

#endif
