/* build.h - what the files that turn a model into a plan share: the state of the building, and the
 * steps that make values, emit instructions and claim their weights (build.c).
 * plan_layer.c builds the transformer; the other plan_*.c its parts. Each file calls only those
 * listed before it here. */
#ifndef INGLE_MODEL_BUILD_H
#define INGLE_MODEL_BUILD_H

#include "model/families.h"

#include <stdio.h>

typedef ingle_val val;

/* Everything a step of the building needs; the first error sticks and later steps do nothing. */
typedef struct builder {
    ingle_plan *plan;
    ingle_weights *w;
    const ingle_family *family;
    const ingle_hparams *hp;
    const ingle_layer *l; /* this layer's part of hp */
    const ingle_gguf *g;
    ingle_error *err;
    ingle_status st;
    uint32_t layer;
    val x;       /* hidden state; after select_wanted() of the wanted rows only, as all others */
    val streams; /* AltUp: all of them */
    val inputs;  /* per-layer inputs of all layers */
    uint32_t attn_norm,
        attn_norm_bias;     /* the layer's, for a parallel feed-forward without its own */
    uint32_t last_cache[2]; /* [windowed] of the last layer with keys and values of its own */
    ingle_instr nowhere;    /* what emit() gives out after an error */
} builder;

/* Short names for the builders alone: the library has no symbols of these names. */
#define emit(...)        ingle_build_emit(__VA_ARGS__)
#define fresh(...)       ingle_build_fresh(__VA_ARGS__)
#define width_of(...)    ingle_build_width_of(__VA_ARGS__)
#define tensor_name(...) ingle_build_tensor_name(__VA_ARGS__)
#define has(...)         ingle_build_has(__VA_ARGS__)
#define skip(...)        ingle_build_skip(__VA_ARGS__)
#define vector(...)      ingle_build_vector(__VA_ARGS__)
#define vector_if(...)   ingle_build_vector_if(__VA_ARGS__)
#define vectors(...)     ingle_build_vectors(__VA_ARGS__)
#define top_vector(...)  ingle_build_top_vector(__VA_ARGS__)
#define norm_of(...)     ingle_build_norm_of(__VA_ARGS__)
#define norm_to(...)     ingle_build_norm_to(__VA_ARGS__)
#define norm(...)        ingle_build_norm(__VA_ARGS__)
#define product_of(...)  ingle_build_product_of(__VA_ARGS__)
#define linear(...)      ingle_build_linear(__VA_ARGS__)
#define linear_part(...) ingle_build_linear_part(__VA_ARGS__)
#define linear_cols(...) ingle_build_linear_cols(__VA_ARGS__)
#define scale_of(...)    ingle_build_scale_of(__VA_ARGS__)
#define add_to(...)      ingle_build_add_to(__VA_ARGS__)
#define activate(...)    ingle_build_activate(__VA_ARGS__)
#define gain(...)        ingle_build_gain(__VA_ARGS__)
#define scale(...)       ingle_build_scale(__VA_ARGS__)
#define multiply(...)    ingle_build_multiply(__VA_ARGS__)
#define copy_pieces(...) ingle_build_copy_pieces(__VA_ARGS__)
#define select_rows(...) ingle_build_select_rows(__VA_ARGS__)

/* A value of `width` floats for every row of the domain of `like`. */
val fresh(builder *b, const char *name, val like, size_t width);
uint32_t width_of(const builder *b, val v);
/* An instruction that works on the rows of dst, or where that is INGLE_NO_VALUE of src. */
ingle_instr *emit(builder *b, ingle_op op, val dst, val src);

/* Tensors of this layer; `part` is the name after "blk.N.", or a stem before ".weight" and so
 * on. */
const char *tensor_name(const builder *b, const char *part, char *name, size_t cap);
bool has(const builder *b, const char *part);
void skip(builder *b, const char *part); /* files carry it and nothing reads it */
uint32_t vector(builder *b, const char *part, size_t n);
uint32_t vector_if(builder *b, const char *part, size_t n); /* else INGLE_NO_VECTOR */
/* n_vectors of n floats; turned: n times one float of each. */
uint32_t vectors(builder *b, const char *part, size_t n, size_t n_vectors, bool turned);
uint32_t top_vector(builder *b, const char *name, size_t n, bool required); /* of no layer */

/* norm(x) * weight + bias over whole rows: of given vectors, or of those of the stem. */
ingle_instr *norm_of(builder *b, val dst, val x, uint32_t weight, uint32_t bias);
void norm_to(builder *b, val dst, val x, const char *stem);
val norm(builder *b, val x, const char *stem);
/* stem.weight . x, * stem.scale and + stem.bias if the file has them. Of a tensor of n_all rows
 * those from `first` on; of x the first n_cols floats. */
val linear(builder *b, val x, const char *stem, size_t n_rows);
val linear_part(builder *b, val x, const char *name, const char *stem, size_t first, size_t n_rows,
                size_t n_all);
val linear_cols(builder *b, val x, size_t n_cols, const char *stem, size_t n_rows);
/* dst = matrix . src */
ingle_instr *product_of(builder *b, val dst, val src, uint32_t weight);
void add_to(builder *b, val x, val y);                    /* x += y */
void activate(builder *b, val x, ingle_act_fn fn);        /* x = fn(x) */
void gain(builder *b, val x, const char *part, size_t n); /* x *= vector of n, or of 1 */
void scale(builder *b, val x, float by);                  /* x *= by */
void multiply(builder *b, val dst, val x, val y);         /* dst = x * y */
void copy_pieces(builder *b, val dst, ingle_piece to, val src, ingle_piece from, uint32_t n,
                 uint32_t width);
val select_rows(builder *b, val x, uint32_t at, uint32_t width); /* the wanted ones */
/* stem.scale, what n tensors' weights are scaled by beside their blocks (NVFP4), or
 * INGLE_NO_VECTOR. */
uint32_t scale_of(builder *b, const char *stem, size_t n);

/* plan_attend.c: K and V into a new cache; x rotated by the layer's RoPE; attention of q over a
 * cache; attention of the layer's input n. */
uint32_t ingle_build_store(builder *b, val k, val v, const ingle_cache *cache);
void ingle_build_rope(builder *b, val x, uint32_t n_heads, uint32_t head_dim, uint32_t at);
val ingle_build_attend(builder *b, val q, uint32_t cache, uint32_t head_dim_k, uint32_t head_dim_v);
val ingle_build_attention(builder *b, val n);
/* plan_latent.c: multi-head latent attention of n. */
val ingle_build_latent(builder *b, val n);
/* plan_recurrent.c: a recurrence of n; *stem: of the projection that follows. */
val ingle_build_recurrent(builder *b, val n, const char **stem);
/* plan_ffn.c: act(gate) * up, or act(gate) where up is INGLE_NO_VALUE; feed-forward of n. */
void ingle_build_gate(builder *b, val gate, val up);
val ingle_build_dense(builder *b, val n);
/* plan_experts.c: the token's experts of n (and the shared ones); with a dense feed-forward of x,
 * each between norms of its own. */
val ingle_build_experts(builder *b, val n);
val ingle_build_dense_and_experts(builder *b, val x);
/* plan_streams.c: what Gemma 3n and 4 put around a layer. */
void ingle_build_before_layers(builder *b);
void ingle_build_before_layer(builder *b);
val ingle_build_laurel(builder *b, val n);
void ingle_build_after_layer(builder *b);
void ingle_build_after_layers(builder *b);
/* plan_embed.c: what is added to a token's embedding; the end of a branch where norms stand
 * after the residual add; the heads that pool hidden states, normed by the two vectors. */
void ingle_build_segments(builder *b);
void ingle_build_post_norm(builder *b, val branch, bool attention);
void ingle_build_pooling(builder *b, uint32_t weight, uint32_t bias);

/* rope.c: the tables of RoPE and the ALiBi slopes of all heads. */
ingle_status ingle_plan_positions(ingle_plan *plan, const ingle_family *family,
                                  const ingle_hparams *hp, const ingle_gguf *g, ingle_error *err);

/* plan_layer.c: builds the plain list and names every weight it needs; missing or misshapen tensors
 * are errors, so are tensors that nothing uses. */
ingle_status ingle_plan_build(ingle_program *program, const ingle_family *family,
                              const ingle_hparams *hp, const ingle_gguf *g, ingle_error *err);
/* Tensors that files carry and no plan names: RoPE tables are read apart, drafting layers are not
 * run, encoders of pictures and sound are not used. */
bool ingle_plan_knows_extra(const ingle_hparams *hp, const char *name);
/* How many tensors of pictures and sound a file has, and the names of some. */
size_t ingle_plan_media(const ingle_gguf *g, char *names, size_t cap);

#endif
