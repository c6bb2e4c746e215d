/* plan.h - a model as a flat list of primitive instructions.
 * Owns       the instruction list and the names and widths of the buffers; weights are named by
 * index. Depends on model/families.h, model/weights.h. Knows no backend, no batch, no address.
 * Invariant  an instruction reads only buffers that an earlier one of its runs wrote; a run ends with
 * HEAD, POOL or RESULT.
 *
 * Buffers hold one row of `width` floats per token, or, for instructions marked `rows`, per wanted
 * row. Fused and plain lists give the same bits: fusing changes where a value waits, never how it
 * is computed. */
#ifndef INGLE_MODEL_PLAN_H
#define INGLE_MODEL_PLAN_H

#include "model/families.h"
#include "model/weights.h"

typedef enum ingle_op {
    INGLE_OP_EMBED,   /* dst = embedding row of the token */
    INGLE_OP_PLACE,   /* dst = src + embedding row of the position */
    INGLE_OP_NORM,    /* dst = norm(src) * vector (+ bias), per head of head_dim if n_heads > 1 */
    INGLE_OP_MATMUL,  /* out[i].dst = weight . pre(src) (+ bias) (+ old dst) */
    INGLE_OP_BIAS,    /* dst = src + vector */
    INGLE_OP_SEGMENT, /* dst = src + vector, of tokens of the second segment vector2 */
    INGLE_OP_CLAMP,   /* dst = src, within [-scale, scale] */
    INGLE_OP_ROPE,    /* dst = rotate(src), n_heads heads */
    INGLE_OP_STORE,   /* K (src) and V (src2) into pages of a cache */
    INGLE_OP_QKV,     /* fused: norms of q and k heads, ROPE of both, STORE */
    INGLE_OP_ATTEND,  /* dst = attention of n_heads q heads (src) over pages of a cache */
    INGLE_OP_ACT,     /* dst = act(src) */
    INGLE_OP_SCALE,   /* dst = src * scale, or the one element of vector */
    INGLE_OP_TEMPER,  /* dst = src * (1 + scale * ln(floor(pos / original context) + 1)) */
    INGLE_OP_MUL,     /* dst = src * src2 from `from` on */
    INGLE_OP_ADD,     /* dst pieces = src pieces, where dst's are, + src2 pieces */
    INGLE_OP_COPY,    /* dst pieces = src pieces */
    INGLE_OP_HEADS,   /* dst pieces = matrices weight, weight + 1 .. . src pieces */
    INGLE_OP_GAIN,    /* dst = src * vector, or its one element */
    INGLE_OP_TANH,    /* dst = tanh(src) */
    INGLE_OP_SPARSE,  /* dst = what of src lies `scale` deviations above its mean, from there on */
    INGLE_OP_MATCH,   /* dst pieces made as long as src */
    INGLE_OP_MIX,     /* dst streams += products of all of them by the coefficients src2 */
    INGLE_OP_CORRECT, /* dst streams += (1 + src2) * (src - the first of them) */
    INGLE_OP_GATE,    /* dst = src * sigmoid(the one value of src2) */
    INGLE_OP_ROUTE,   /* dst = the experts of the token, by the logits in src, and their weights */
    INGLE_OP_EXPERTS, /* out[i].dst = weight . pre(src) (+ bias), by each expert of the token */
    INGLE_OP_REDUCE,  /* dst = weighted sum of what the token's experts made (src) */
    INGLE_OP_CONV,    /* dst = act(convolution of src over n_taps tokens with vector (+ bias)) */
    INGLE_OP_SCAN,    /* dst = selective scan of src with steps src2, B and C in src3 */
    INGLE_OP_DELTA,   /* dst = gated delta rule of src (q, k, v), gates src2, betas src3 */
    INGLE_OP_GATHER,  /* dst row r = src row of wanted token r */
    INGLE_OP_HEAD,    /* logits row r = weight . pre(src row r) */
    INGLE_OP_POOL,    /* dst row of a text = its src rows pooled; or src rows to their owners */
    INGLE_OP_RESULT   /* src row of a text to its owner */
} ingle_op;

typedef enum ingle_pre {
    INGLE_PRE_NONE,
    INGLE_PRE_NORM, /* norm(src) * vector (+ bias) */
    INGLE_PRE_GLU   /* act(src) * src2 */
} ingle_pre;

typedef enum ingle_buf {
    INGLE_BUF_X, /* residual stream, n_embd */
    INGLE_BUF_N, /* normed, or a product on its way to X */
    INGLE_BUF_Q,
    INGLE_BUF_K,
    INGLE_BUF_V,
    INGLE_BUF_A,  /* attention out */
    INGLE_BUF_G,  /* gate */
    INGLE_BUF_U,  /* up */
    INGLE_BUF_R,  /* router logits */
    INGLE_BUF_C,  /* the token's experts: of each number, place among its tokens, weight */
    INGLE_BUF_EG, /* gate, up and result of each of the token's experts, sorted by expert */
    INGLE_BUF_EU,
    INGLE_BUF_EY,
    INGLE_BUF_M,  /* of all experts together */
    INGLE_BUF_SG, /* gate and up of the shared experts, logit of their own gate */
    INGLE_BUF_SU,
    INGLE_BUF_S,
    INGLE_BUF_QL, /* latent of the queries */
    INGLE_BUF_L,  /* latent of keys and values, and the key all heads share */
    INGLE_BUF_KV, /* keys and values spread out of the latent, by head */
    INGLE_BUF_LQ, /* queries in the latent space, and what they found */
    INGLE_BUF_LA,
    INGLE_BUF_XS, /* streams of n_embd, and what the further ones make of X */
    INGLE_BUF_XP,
    INGLE_BUF_MO, /* coefficients of streams, and what they come from */
    INGLE_BUF_CO,
    INGLE_BUF_LL, /* way around attention: narrow, out */
    INGLE_BUF_LR,
    INGLE_BUF_PE, /* inputs of all layers; what of X goes into them; one layer's of wanted rows */
    INGLE_BUF_PP,
    INGLE_BUF_PR,
    INGLE_BUF_VI, /* into a convolution */
    INGLE_BUF_VO, /* out of it */
    INGLE_BUF_Z,  /* gate of a recurrence */
    INGLE_BUF_T,  /* steps */
    INGLE_BUF_B,  /* betas; B and C */
    INGLE_BUF_P,  /* pairs of heads; what steps come from */
    INGLE_BUF_E,  /* gate of attention; q, k, v and gates of a delta rule, by groups */
    INGLE_BUF_Y,  /* out of a recurrence */
    INGLE_BUF_XR, /* X, A, Y, XS and LR of the wanted rows */
    INGLE_BUF_AR,
    INGLE_BUF_YR,
    INGLE_BUF_XSR,
    INGLE_BUF_LRR,
    INGLE_BUF_LOGITS,
    INGLE_BUF_POOLED, /* a row per text: pooled, within the heads behind it, their result */
    INGLE_BUF_MID,
    INGLE_BUF_VECTOR,
    INGLE_BUF_COUNT
} ingle_buf;

#define INGLE_NO_VECTOR UINT32_MAX

/* Which runs an instruction is for. */
typedef enum ingle_when {
    INGLE_WHEN_ALWAYS,
    INGLE_WHEN_LOGITS, /* runs that want logits */
    INGLE_WHEN_EMBED,  /* runs that want hidden states, pooled or not */
    INGLE_WHEN_VECTOR, /* of these: pooled to a vector */
    INGLE_WHEN_RANK    /* of these: to a rank */
} ingle_when;

typedef struct ingle_matmul_out {
    uint32_t weight, bias; /* index of a matrix; of a vector or INGLE_NO_VECTOR; EXPERTS: of the
                            * first expert's matrix, and of a vector with the biases of all */
    uint32_t
        scale; /* on the product: 0, none, or 1 + index of a vector of one; EXPERTS: of all's */
    ingle_buf dst;
    bool add;
} ingle_matmul_out;

/* Where the pieces of a row lie: floats at + i * step and on. */
typedef struct ingle_piece {
    uint32_t at, step;
} ingle_piece;

typedef struct ingle_instr {
    ingle_op op;
    uint32_t layer;
    bool rows;  /* works on wanted rows, not on tokens */
    bool texts; /* on a row per text */
    ingle_when when;
    ingle_pre pre;
    ingle_buf src, src2, dst;
    uint32_t vector, vector2;   /* NORM, BIAS, pre-NORM; QKV: q and k norms; ROUTE: added to the
                               * scores for choosing */
    uint32_t bias;              /* NORM, pre-NORM: of a LayerNorm */
    ingle_norm_kind norm;       /* NORM, pre-NORM */
    bool pairs;                 /* EXPERTS: src has a row for each expert of a token */
    uint32_t sinks;             /* ATTEND: a vector with one score per head, or INGLE_NO_VECTOR */
    bool own;                   /* NORM of heads: each has its own weights */
    ingle_act_fn act;           /* ACT, pre-GLU */
    ingle_rope_set rope;        /* ROPE, QKV */
    uint32_t cache;             /* STORE, QKV, ATTEND */
    uint32_t window;            /* ATTEND; 0 = none */
    float scale;                /* SCALE, TEMPER, CLAMP; ATTEND: of scores */
    float bend[4];              /* ACT of xIELU: alpha_p, alpha_n, beta, eps (kern.h) */
    uint32_t width;             /* floats of a row that the small instructions work on */
    uint32_t n_heads, head_dim; /* QKV: of q */
    ingle_piece to, from; /* COPY, HEADS: n_heads pieces of dst, of src; ROPE: to.at in a head */
    ingle_buf src3;       /* SCAN, DELTA */
    uint32_t offset;      /* SCAN: of B in src3, C follows */
    uint32_t n_taps;      /* CONV */
    uint32_t n_state, n_groups; /* SCAN, DELTA */
    bool tiled;                 /* DELTA: groups by h % n_groups */
    size_t state;               /* CONV, SCAN, DELTA: where theirs begins, in floats */
    uint32_t n_out;
    ingle_matmul_out out[3];
} ingle_instr;

/* What attention keeps of every position: keys and values of n_head_kv heads. Several layers may
 * read one cache; `window`: no reader looks further back (0: all of it is read). */
typedef struct ingle_cache {
    uint32_t head_dim_k, head_dim_v, n_head_kv, window;
} ingle_cache;

/* Caches whose pages come and go together; each group has pools and page tables of its own. */
typedef enum ingle_group {
    INGLE_GROUP_ALL,    /* every position is read again and again */
    INGLE_GROUP_WINDOW, /* the last ones are */
    INGLE_GROUPS
} ingle_group;

static inline ingle_group ingle_cache_group(const ingle_cache *cache)
{
    return cache->window ? INGLE_GROUP_WINDOW : INGLE_GROUP_ALL;
}

typedef struct ingle_plan {
    ingle_instr *instr;
    size_t n_instr, cap;
    ingle_cache *cache;
    size_t n_cache, cap_cache;
    uint32_t window;                 /* the widest of any cache that has one; 0: none has */
    uint32_t width[INGLE_BUF_COUNT]; /* floats per row, the most of any layer */
    uint32_t n_vocab;
    uint32_t n_segments;       /* that SEGMENT tells apart; 1: it does not */
    uint32_t n_positions;      /* that PLACE knows; 0: there is no end */
    uint32_t n_vector, n_rank; /* floats of a pooled vector, of a rank; 0: cannot */
    bool tied_head;            /* HEAD reads the embedding */
    size_t state_floats;       /* of a session; 0: no layer is recurrent */
} ingle_plan;

/* What ROUTE writes. */
typedef struct ingle_choice {
    uint32_t expert;
    uint32_t place; /* among the expert's tokens; any order gives the same bits */
    float weight;
} ingle_choice;

/* Builds the plain list and names every weight it needs; missing or misshapen tensors are errors,
 * so are tensors nobody uses. */
ingle_status ingle_plan_build(ingle_plan *plan, ingle_weights *w, const ingle_family *family,
                              const ingle_hparams *hp, const ingle_gguf *g, ingle_error *err);
/* Joins instructions as the CPU backend runs them (fuse.c). In place. */
void ingle_plan_fuse(ingle_plan *plan);
void ingle_plan_free(ingle_plan *plan);
/* Tensors that files carry and no plan names: RoPE tables are read apart, drafting layers not run, encoders
 * of pictures and sound not used. */
bool ingle_plan_knows_extra(const ingle_hparams *hp, const char *name);
/* How many tensors of pictures and sound a file has, and the names of some. */
size_t ingle_plan_media(const ingle_gguf *g, char *names, size_t cap);

const char *ingle_buf_name(ingle_buf buf);
const char *ingle_op_name(ingle_op op); /* "MATMUL" */
/* What it is about in a few words: "attn_q, attn_k, attn_v Q4_K"; the same for every layer. */
void ingle_instr_brief(const ingle_instr *in, const ingle_weights *w, char *out, size_t cap);
/* One line without newline, as snprintf. */
int ingle_instr_text(const ingle_instr *in, const ingle_weights *w, char *out, size_t cap);

#endif
