/* plan.h - a model as a flat list of primitive instructions over values.
 * Owns       the lists of instructions, values, caches and constants; weights are named by
 *             index.
 * Depends on model/weights.h. Knows no family, no hyper-parameter, no backend, no batch, no
 * address.
 * Invariant  a value is written before it is read; a run ends with HEAD, POOL or RESULT.
 *
 * A value is a row of floats for every row of its domain. The builder makes it with one
 * instruction, or by pieces; later ones may change it in place (dst is src). It lives from its
 * first to its last use, and backends give values that do not live together the same memory.
 *
 * The model keeps the plain list; each backend fuses its own copy (ingle_plan_fuse()). Fused and
 * plain lists give the same bits: fusing changes where a value waits, never how it is computed. */
#ifndef INGLE_MODEL_PLAN_H
#define INGLE_MODEL_PLAN_H

#include <ingle_tools.h>

#include "model/weights.h"

/* ---- values ---- */

typedef uint32_t ingle_val; /* its index */

#define INGLE_NO_VALUE  UINT32_MAX
#define INGLE_NO_VECTOR UINT32_MAX

/* What a value has rows for. */
typedef enum ingle_domain {
    INGLE_TOKENS, /* every token of the batch */
    INGLE_ROWS,   /* the tokens whose logits or hidden states are wanted */
    INGLE_TEXTS   /* every text that is embedded */
} ingle_domain;

typedef struct ingle_value {
    const char *name; /* "q"; values of different layers may share it */
    uint32_t width;   /* floats of a row */
    uint32_t times; /* rows for each of the domain's: of token-expert pairs the experts of a token,
                       * else 1 */
    ingle_domain domain;
    uint32_t first, last; /* the instructions that use it first and last (ingle_plan_live()) */
} ingle_value;

/* ---- the table of instructions ---- */

/* What an instruction moves and multiplies (cost.c, backend/cpu/profile.c). */
typedef enum ingle_cost_kind {
    INGLE_COST_MOVE,    /* its rows, in and out */
    INGLE_COST_LOOKUP,  /* a row of a matrix for every row */
    INGLE_COST_PRODUCT, /* matrices, once for all rows */
    INGLE_COST_EXPERTS, /* the matrices of the experts that were chosen */
    INGLE_COST_ATTEND,  /* the pages that the queries see */
    INGLE_COST_STORE    /* a row of the pages */
} ingle_cost_kind;

/* Name, how many values it reads (src) and writes (dst) at most, what it does to dst, cost. dst
 * is WHOLE: written, all of it, and read only where it is a src too; or a PART of it is written,
 * or all of it is changed, so that what it held before counts. */
#define INGLE_OPS(X)                                                                               \
    X(EMBED, 0, 1, WHOLE, LOOKUP)                                                                  \
    X(PLACE, 1, 1, WHOLE, LOOKUP)                                                                  \
    X(NORM, 1, 1, WHOLE, MOVE)                                                                     \
    X(MATMUL, 2, 4, WHOLE, PRODUCT)                                                                \
    X(HEADS, 1, 1, PART, PRODUCT)                                                                  \
    X(HEAD, 1, 4, WHOLE, PRODUCT)                                                                  \
    X(BIAS, 1, 1, WHOLE, MOVE)                                                                     \
    X(SEGMENT, 1, 1, WHOLE, MOVE)                                                                  \
    X(CLAMP, 1, 1, WHOLE, MOVE)                                                                    \
    X(ROPE, 1, 1, PART, MOVE)                                                                      \
    X(STORE, 2, 0, WHOLE, STORE)                                                                   \
    X(QKV, 3, 2, PART, STORE)                                                                      \
    X(ATTEND, 1, 1, WHOLE, ATTEND)                                                                 \
    X(ACT, 1, 1, WHOLE, MOVE)                                                                      \
    X(SCALE, 1, 1, WHOLE, MOVE)                                                                    \
    X(TEMPER, 1, 1, WHOLE, MOVE)                                                                   \
    X(GAIN, 1, 1, WHOLE, MOVE)                                                                     \
    X(GATE, 2, 1, WHOLE, MOVE)                                                                     \
    X(MUL, 2, 1, WHOLE, MOVE)                                                                      \
    X(ADD, 2, 1, WHOLE, MOVE)                                                                      \
    X(COPY, 1, 1, PART, MOVE)                                                                      \
    X(SPARSE, 1, 1, WHOLE, MOVE)                                                                   \
    X(MATCH, 1, 1, PART, MOVE)                                                                     \
    X(MIX, 1, 1, PART, MOVE)                                                                       \
    X(CORRECT, 2, 1, PART, MOVE)                                                                   \
    X(ROUTE, 1, 1, WHOLE, MOVE)                                                                    \
    X(EXPERTS, 3, 4, WHOLE, EXPERTS)                                                               \
    X(COMBINE, 2, 1, WHOLE, MOVE)                                                                  \
    X(CONV, 1, 1, WHOLE, MOVE)                                                                     \
    X(SCAN, 3, 1, WHOLE, MOVE)                                                                     \
    X(DELTA, 3, 1, WHOLE, MOVE)                                                                    \
    X(SELECT_ROWS, 1, 1, WHOLE, MOVE)                                                              \
    X(POOL, 1, 1, WHOLE, MOVE)                                                                     \
    X(RESULT, 1, 0, WHOLE, MOVE)

typedef enum ingle_op {
#define X(name, n_src, n_dst, whole, cost) INGLE_OP_##name,
    INGLE_OPS(X)
#undef X
        INGLE_OP_COUNT
} ingle_op;

typedef struct ingle_op_info {
    const char *name; /* "MATMUL" */
    uint8_t n_src, n_dst;
    bool whole;
    ingle_cost_kind cost;
} ingle_op_info;

extern const ingle_op_info ingle_op_table[INGLE_OP_COUNT];

/* ---- numbers of instructions ---- */

typedef enum ingle_norm_kind {
    INGLE_NORM_RMS,
    INGLE_NORM_LAYER, /* the mean is taken off; with a bias where the file has one */
    INGLE_NORM_L2     /* of heads: to length 1, without weights */
} ingle_norm_kind;

typedef enum ingle_act_fn {
    INGLE_ACT_SILU,
    INGLE_ACT_GELU,     /* the tanh form */
    INGLE_ACT_GELU_ERF, /* the exact one */
    INGLE_ACT_RELU2,    /* max(x, 0)^2 */
    INGLE_ACT_XIELU,    /* with four numbers, act.bend */
    INGLE_ACT_SWIGLU, /* GPT-OSS's: kern.h's swiglu_gate of the gate, swiglu_up of the other half */
    INGLE_ACT_SWIGLU_UP,
    INGLE_ACT_TANH,
    INGLE_ACT_SOFTPLUS,
    INGLE_ACT_SIGMOID,
    INGLE_ACT_SOFTMAX,
    INGLE_ACT_NONE /* CONV */
} ingle_act_fn;

/* What the logits of a router become. */
typedef enum ingle_gating {
    INGLE_GATING_SOFTMAX,
    INGLE_GATING_SIGMOID,
    INGLE_GATING_CHOSEN /* softmax over the chosen experts only */
} ingle_gating;

/* Which runs an instruction is for. */
typedef enum ingle_when {
    INGLE_WHEN_ALWAYS,
    INGLE_WHEN_LOGITS, /* runs that want logits */
    INGLE_WHEN_EMBED,  /* runs that want hidden states, pooled or not */
    INGLE_WHEN_VECTOR, /* of these: pooled to a vector */
    INGLE_WHEN_RANK    /* of these: to a rank */
} ingle_when;

typedef struct ingle_norm {
    ingle_norm_kind kind;
    float eps;
    uint32_t weight, bias; /* vectors, or INGLE_NO_VECTOR */
} ingle_norm;

/* What happens to a row before a product. */
typedef enum ingle_pre {
    INGLE_PRE_NONE,
    INGLE_PRE_NORM, /* norm(src[0]) */
    INGLE_PRE_GLU   /* act(src[0]) * src[1] */
} ingle_pre;

typedef struct ingle_matmul_out {
    uint32_t weight; /* a matrix; of EXPERTS and HEADS the first of theirs */
    uint32_t bias;   /* a vector, of EXPERTS with those of all, or INGLE_NO_VECTOR */
    uint32_t scale;  /* likewise: a vector of one float, of EXPERTS one for each of all */
    bool add;        /* on top of what dst holds */
} ingle_matmul_out;

#define INGLE_MAX_OUT 3
#define INGLE_WAITS   3 /* dst[INGLE_WAITS]: where rows wait after `pre` if a weight wants floats */

/* dst[i] = (weight . pre(src)) * scale + bias (+ dst[i]): [n_rows of weight], src [n_cols]. */
typedef struct ingle_product {
    ingle_pre pre;
    ingle_norm norm;
    ingle_act_fn act;
    uint32_t n_out;
    ingle_matmul_out out[INGLE_MAX_OUT];
} ingle_product;

/* Pieces of a row: floats at + i * step and on. */
typedef struct ingle_piece {
    uint32_t at, step;
} ingle_piece;

/* Pieces `to` of dst, pieces `from` of src, n of `width` floats each. */
typedef struct ingle_pieces {
    uint32_t n, width;
    ingle_piece to, from;
} ingle_pieces;

/* How a token's experts are chosen and what they are weighed by. */
typedef struct ingle_choosing {
    uint32_t n_expert, n_used;
    uint32_t n_group, n_group_used; /* from the best groups; 1, 1: from all */
    ingle_gating gating;
    bool norm;         /* the weights are divided by their sum */
    bool before;       /* they scale what goes into an expert, not what comes out of it */
    float scale;       /* of the weights */
    uint32_t bias;     /* a vector that is added to the scores for choosing, or INGLE_NO_VECTOR */
    uint32_t counters; /* the first of n_expert counters that belong to this choice */
} ingle_choosing;

/* What ROUTE writes for each of n_used experts, as three floats of its value. */
typedef struct ingle_choice {
    uint32_t expert;
    uint32_t place; /* among the expert's tokens; any order gives the same bits */
    float weight;
} ingle_choice;

#define INGLE_CHOICE_FLOATS (sizeof(ingle_choice) / sizeof(float))

/* A state that is carried from token to token: [n_heads][n_state][head_dim rounded up to 16]. */
typedef struct ingle_heads_state {
    uint32_t n_heads, head_dim;
    uint32_t n_groups; /* the heads of a group share B and C, or q and k */
    uint32_t n_state;  /* what a head keeps of each channel */
    uint32_t id;       /* of the plan's states */
} ingle_heads_state;

#define INGLE_MAX_STREAMS 16 /* of MIX and CORRECT */
#define INGLE_MAX_TAPS    16 /* of CONV */

/* ---- instructions ---- */

typedef struct ingle_instr {
    ingle_op op;
    ingle_when when;
    ingle_domain domain; /* of the rows it works on: of dst, or else of src */
    uint32_t layer;
    ingle_val src[3], dst[4]; /* INGLE_NO_VALUE: none */
    union {
        /* EMBED: dst = row `token` of the matrix.
         * PLACE: dst = src + row `position` of it. */
        struct {
            uint32_t weight;
        } embed;

        /* NORM: dst = norm(src) * weight + bias, of each of n_heads heads, the first
         * n_heads * head_dim floats of a row. own: each head has its own weights. */
        struct {
            ingle_norm by;
            uint32_t n_heads, head_dim;
            bool own;
        } norm;

        /* MATMUL */
        ingle_product product;

        /* HEADS: piece i of dst = matrix (weight + i) . piece i of src. */
        struct {
            ingle_product product;
            ingle_pieces pieces;
        } heads;

        /* HEAD: the row's logits [n_vocab] = cap * tanh(scale * (weight . pre(src)) / cap); cap 0:
         * without tanh. */
        struct {
            ingle_product product;
            float scale, cap;
        } head;

        /* EXPERTS: dst[i] = weight . pre(src) (+ bias), by each expert in the choices src[2]; pairs
         * are sorted by expert. pairs: src has a row for each expert of a token, else one. */
        struct {
            ingle_product product;
            ingle_choosing by;
            bool pairs;
        } experts;

        /* ROUTE: dst = n_used ingle_choice, by the logits src [n_expert].
         * COMBINE: dst = sum of weight * src over the choices src[1], in their order. */
        ingle_choosing route;

        /* BIAS: dst = src + vector.
         * SEGMENT: dst = src + vector, of tokens of the second segment src + second.
         * GAIN: dst = src * vector, or * its one element. */
        struct {
            uint32_t vector, second;
        } bias;

        /* CLAMP: dst = src, within [-limit, limit]. */
        struct {
            float limit;
        } clamp;

        /* ROPE: heads of dst, from float `at` of each on, rotated by position * the frequencies of
         * the plan's table. */
        struct {
            uint32_t table;
            uint32_t n_heads, head_dim, at;
        } rope;

        /* STORE: K src[0] [n_head_kv * head_dim_k] and V src[1] into the pages of the cache.
         * QKV: the same after norms of the heads of Q src[2] and of K (weight INGLE_NO_VECTOR:
         * none) and ROPE of both; n_heads, head_dim: of Q. */
        struct {
            uint32_t cache;
            uint32_t n_heads, head_dim;
            uint32_t table;
            ingle_norm q, k;
        } store;

        /* ATTEND: dst = softmax(cap(scale * src . K) - slope * distance, sinks) . V, over the pages
         * of the cache; head h of src reads kv head h / (n_heads / n_head_kv). A position sees
         *     window positions back, itself among them (0: all),
         *     of its own chunk of so many positions (0: of all);
         * in a sequence that is read in both directions those after it too, through windows with
         * half of them on each side (never with chunks).
         * cap(x) = cap * tanh(x / cap), 0: x. sinks: a vector with one more score per head, or
         * INGLE_NO_VECTOR. slopes: ALiBi's are n_heads constants of the plan from there on, or
         * INGLE_NO_VECTOR. */
        struct {
            uint32_t cache;
            uint32_t n_heads, head_dim;
            uint32_t window, chunk;
            float scale, cap;
            uint32_t sinks, slopes;
        } attend;

        /* ACT: dst = fn(src). bend: xIELU's alpha_p, alpha_n, beta, eps (kern.h). */
        struct {
            ingle_act_fn fn;
            float bend[4];
        } act;

        /* SCALE: dst = src * by, or * the one element of vector. */
        struct {
            float by;
            uint32_t vector;
        } scale;

        /* TEMPER: dst = src * (1 + by * ln(floor((position + plus) / span) + 1)). */
        struct {
            double by, span;
            uint32_t plus;
        } temper;

        /* MUL: dst = src[0] * src[1] from float `at` on.
         * SELECT_ROWS: row r of dst = the row of src of wanted token r, from `at` on. */
        struct {
            uint32_t at;
        } mul;

        /* COPY: pieces of dst = pieces of src.
         * ADD: pieces of dst = the same pieces of src[0] + pieces of src[1].
         * MATCH: pieces of dst are made as long as src.
         * MIX: piece i of dst += sum over j of src[i][j] * piece j, of all as they were.
         * CORRECT: piece i of dst += (1 + src[1][i]) * (src[0] - the first piece as it was). */
        ingle_pieces pieces;

        /* SPARSE: dst = max(0, src - (mean + deviations * standard deviation)). */
        struct {
            float deviations;
        } sparse;

        /* CONV: dst = act(sum over k of taps[k] * src (n_taps - 1 - k) tokens earlier + bias);
         * taps [n_taps][width], act SILU or NONE. state: the inputs before, [n_taps - 1][width]. */
        struct {
            uint32_t taps, bias;
            uint32_t n_taps;
            ingle_act_fn act;
            uint32_t state;
        } conv;

        /* SCAN: dst = selective scan of src[0] with steps src[1], B and C in src[2], B from
         * `offset` on and C after it; decays a, skips d (Gu and Dao 2023, Dao and Gu 2024; kern.h).
         * by_channel: decays of every channel, else of every head. */
        struct {
            uint32_t a, d;
            uint32_t offset;
            bool by_channel;
            ingle_heads_state state;
        } scan;

        /* DELTA: dst = gated delta rule of src[0] = (q, k, v), gates src[1], betas src[2], decays a
         * by head, q times scale (Yang et al. 2024; kern.h). tiled: head h has the q and k of group
         * h % n_groups, else of h / (n_heads / n_groups). */
        struct {
            uint32_t a;
            bool tiled;
            float scale;
            ingle_heads_state state;
        } delta;
    };
} ingle_instr;

/* ---- plans ---- */

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

/* What ROPE and QKV rotate by: pair i turns by position * freq[i], and is multiplied by
 * magnitude. */
typedef struct ingle_rope_table {
    uint32_t n_rot; /* floats of a head that are rotated, the first; even */
    bool halves;    /* pairs are (i, i + n_rot / 2), else (2i, 2i + 1) */
    float magnitude;
    double *freq;      /* [n_rot / 2] radians */
    double *freq_long; /* in place of it where contexts are longer than n_ctx_orig; or NULL */
    double n_ctx_orig;
} ingle_rope_table;

#define INGLE_ROPE_TABLES 2

typedef struct ingle_plan {
    ingle_instr *instr;
    size_t n_instr, cap;
    ingle_value *value;
    size_t n_value, cap_value;
    ingle_cache *cache;
    size_t n_cache, cap_cache;
    size_t *state; /* [n_state] floats that every sequence has of it */
    size_t n_state, cap_state;
    ingle_rope_table rope[INGLE_ROPE_TABLES];
    size_t n_rope;
    float *constant; /* ALiBi slopes */
    size_t n_constant;
    uint32_t n_counters; /* of all ROUTEs */
    uint32_t window;     /* the widest of any cache that has one; 0: none has */
    uint32_t n_embd;     /* floats of a hidden state */
    uint32_t n_vocab;
    uint32_t n_segments;       /* that SEGMENT distinguishes; 1: none */
    uint32_t n_positions;      /* that PLACE knows; 0: there is no end */
    uint32_t n_vector, n_rank; /* floats of a pooled vector, of a rank; 0: cannot */
    bool tied_head;            /* HEAD reads the embedding */
    uint32_t n_tokens;         /* HEAD's rows from there on have no token; at most n_vocab */
} ingle_plan;

/* All that a backend runs. */
typedef struct ingle_program {
    ingle_plan plan; /* plain */
    ingle_weights weights;
    bool fuse; /* backends may fuse it; false: the plain list is run, which tests compare with */
    ingle_isa isa;
} ingle_program;

void ingle_plan_free(ingle_plan *plan);

/* The weights that an instruction reads: matrices first .. first + n - 1, and vectors. Return
 * how many. */
typedef struct ingle_weight_range {
    uint32_t first, n;
} ingle_weight_range;
#define INGLE_MAX_VECTORS 12
size_t ingle_instr_matrices(const ingle_instr *in, ingle_weight_range list[INGLE_MAX_OUT]);
size_t ingle_instr_vectors(const ingle_instr *in, uint32_t list[INGLE_MAX_VECTORS]);
/* The cache it stores into or attends over; the state it carries on; UINT32_MAX: none. */
uint32_t ingle_instr_cache(const ingle_instr *in);
uint32_t ingle_instr_state(const ingle_instr *in);
/* The product of an instruction, or NULL. */
const ingle_product *ingle_instr_product(const ingle_instr *in);
/* Whether the instruction changes, or adds to, what dst[i] held before. */
bool ingle_instr_updates(const ingle_instr *in, size_t i);

/* Sets `first` and `last` of all values. */
void ingle_plan_live(ingle_plan *plan);

/* Checks what prose above states, for builds with assertions: operands there as the table says,
 * every value written before it is read, in every kind of run, and written whole once. */
bool ingle_plan_is_sound(const ingle_plan *plan);

/* Instructions first .. first + n - 1 of the plain list, joined as a CPU runs them best (fuse.c).
 * `out` shares the constants, caches and tables of `plain` and owns its instructions and values. */
ingle_status ingle_plan_fuse(ingle_plan *out, const ingle_plan *plain, size_t first, size_t n,
                             bool fuse, ingle_error *err);
void ingle_plan_fused_free(ingle_plan *out);

/* What a step must do at least, with pages of kv_type (cost.c). */
void ingle_plan_cost(const ingle_program *program, ingle_type kv_type, ingle_cost *cost);

/* What an instruction of the plain list, or of a fused one, is about in a few words: "attn_q,
 * attn_k, attn_v Q4_K"; the same for every layer. */
void ingle_instr_brief(const ingle_instr *in, const ingle_program *program, char *out, size_t cap);
/* One line without newline, as snprintf. */
int ingle_instr_text(const ingle_instr *in, const ingle_program *program, char *out, size_t cap);

#endif
