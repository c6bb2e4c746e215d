/* run.h - what the files that execute instructions share: a thread's place in the walk, its share of
 * the work, rows of buffers, and the pieces of a product.
 * run.c walks the plan; attend.c runs attention, experts.c the mixtures of experts. */
#ifndef INGLE_BACKEND_CPU_RUN_H
#define INGLE_BACKEND_CPU_RUN_H

#include "backend/cpu/cpu.h"

typedef struct worker {
    ingle_backend *b;
    ingle_pool *pool;
    int i, n;
    uint8_t *own;               /* private memory */
    cpu_clock *clock;           /* NULL: nobody looks */
    const ingle_instr *by_head; /* the product in progress reports rows of q, k and v as they are
                                 * done; what stores them */
    size_t n_due[CPU_DUES];     /* such rows of each kv head up to here */
} worker;

/* My part [*from, *to) of n equal tasks. */
static inline void split(const worker *w, size_t n, size_t *from, size_t *to)
{
    *from = n * (size_t)w->i / (size_t)w->n;
    *to = n * ((size_t)w->i + 1) / (size_t)w->n;
}

static inline size_t n_rows(const worker *w, const ingle_instr *in)
{
    const ingle_batch *batch = w->b->batch;
    return in->texts ? batch->n_texts : in->rows ? batch->n_rows : batch->n_tokens;
}

/* The token that row r of the instruction's buffers belongs to. */
static inline size_t token_of(const worker *w, const ingle_instr *in, size_t r)
{
    return in->rows ? w->b->batch->row_token[r] : r;
}

static inline float *row(const worker *w, ingle_buf buf, size_t t)
{
    return w->b->buf[buf] + t * w->b->model->plan.width[buf];
}

static inline const float *vec(const worker *w, uint32_t i)
{
    return i == INGLE_NO_VECTOR ? NULL : w->b->model->weights.vector[i].data;
}

/* What output o's product is scaled by, NULL: nothing; of experts: the first one's. */
static inline const float *product_scale(const worker *w, const ingle_matmul_out *o)
{
    return o->scale ? w->b->model->weights.vector[o->scale - 1].data : NULL;
}

/* The class of activations that the weights of output o want, and whether any output wants `act`. */
static inline ingle_act weight_class(const worker *w, const ingle_matmul_out *o)
{
    return ingle_type_get(w->b->model->weights.matrix[o->weight].packed.type)->act;
}

static inline bool wants(const worker *w, const ingle_instr *in, ingle_act act)
{
    for (uint32_t i = 0; i < in->n_out; i++)
        if (weight_class(w, &in->out[i]) == act) return true;
    return false;
}

/* embed.c: whether the run is one that an instruction is for; POOL and RESULT. */
bool cpu_wants(const ingle_backend *b, ingle_when when);
void cpu_pool(const worker *w, const ingle_instr *in);
void cpu_result(const worker *w, const ingle_instr *in);
/* One row of SEGMENT. */
void cpu_segment(const worker *w, const ingle_instr *in, size_t t);
/* All threads meet. */
void cpu_barrier(const worker *w);
/* Panels of p that a thread takes at once: for few rows long runs of memory, `few`; for many as many
 * as the kernel wants. */
size_t cpu_unit(const worker *w, size_t m, const ingle_packed *p, size_t few);
/* Panels [first, first + n) of job. */
void cpu_multiply(const worker *w, const ingle_matmul *job, size_t first, size_t n);
/* streams.c */
void cpu_stream_row(const worker *w, const ingle_instr *in, size_t t);
/* heads.c */
void cpu_heads(const worker *w, const ingle_instr *in, cpu_counter *counter);
/* Rows [from, from + n) of acts that hold more. */
void cpu_slice_acts(ingle_acts out[3], const ingle_acts in[3], size_t from, size_t n);
/* recur.c: what carries a state from token to token. */
void cpu_conv(const worker *w, const ingle_instr *in, cpu_counter *counter);
void cpu_scan(const worker *w, const ingle_instr *in, cpu_counter *counter);
void cpu_delta(const worker *w, const ingle_instr *in, cpu_counter *counter);
/* RMS norms of heads; heads of token t turned. */
void cpu_norm_heads(const worker *w, float *dst, uint32_t vector, uint32_t n_heads,
                    uint32_t head_dim);
void cpu_rope_heads(const worker *w, ingle_rope_set set, float *x, size_t t, uint32_t n_heads,
                    uint32_t head_dim);
/* attend.c. qkv: the instruction that stores, if that is left to do; or NULL. */
void cpu_store(const worker *w, const ingle_instr *in);
void cpu_attend(const worker *w, const ingle_instr *in, const ingle_instr *qkv,
                cpu_counter *counter);
/* dst = act(src); act(gate) * up. */
void cpu_act(const worker *w, ingle_act_fn fn, float *dst, const float *src, size_t n);
void cpu_act_mul(const worker *w, ingle_act_fn fn, float *dst, const float *gate, const float *up,
                 size_t n);

/* experts.c: x = softmax(x) */
void cpu_softmax(const worker *w, float *x, size_t n);
/* ROUTE, EXPERTS, REDUCE, one row of GATE */
void cpu_route(const worker *w, const ingle_instr *in);
void cpu_experts(const worker *w, const ingle_instr *in, cpu_counter *counter);
void cpu_reduce(const worker *w, const ingle_instr *in);
void cpu_gate(const worker *w, const ingle_instr *in, size_t t);

#endif
