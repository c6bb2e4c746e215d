/* run.h - what the files that execute instructions share: a thread's place in the walk, its
 * share of the work, rows of values. */
#ifndef INGLE_BACKEND_CPU_RUN_H
#define INGLE_BACKEND_CPU_RUN_H

#include "backend/cpu/cpu.h"
#include "base/clock.h"

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

static inline size_t rows_in(const ingle_batch *batch, ingle_domain domain)
{
    switch (domain) {
    case INGLE_TOKENS: return batch->n_tokens;
    case INGLE_ROWS: return batch->n_rows;
    case INGLE_TEXTS: break;
    }
    return batch->n_texts;
}

/* How many rows the instruction works on, and the first of them: of wanted rows those of its
 * runs. */
static inline size_t rows_for(const ingle_batch *batch, const ingle_instr *in)
{
    if (in->domain != INGLE_ROWS || in->when == INGLE_WHEN_ALWAYS)
        return rows_in(batch, in->domain);
    return in->when == INGLE_WHEN_LOGITS ? batch->n_logits : batch->n_rows - batch->n_logits;
}

static inline size_t n_rows(const worker *w, const ingle_instr *in)
{
    return rows_for(w->b->batch, in);
}

static inline size_t first_row(const worker *w, const ingle_instr *in)
{
    bool hidden = in->when != INGLE_WHEN_ALWAYS && in->when != INGLE_WHEN_LOGITS;
    return in->domain == INGLE_ROWS && hidden ? w->b->batch->n_logits : 0;
}

/* The token that row r of the instruction's values belongs to. */
static inline size_t token_of(const worker *w, const ingle_instr *in, size_t r)
{
    return in->domain == INGLE_ROWS ? w->b->batch->rows[r].token : r;
}

/* Floats from a row of the domain to the next: of pairs all those of a token. */
static inline size_t stride(const worker *w, ingle_val v)
{
    const ingle_value *value = &w->b->program->plan.value[v];
    return (size_t)value->width * value->times;
}

static inline float *row(const worker *w, ingle_val v, size_t t)
{
    return w->b->value[v] + t * stride(w, v);
}

static inline const ingle_packed *matrix(const worker *w, uint32_t i)
{
    return &w->b->store->matrix[i];
}

static inline const float *vec(const worker *w, uint32_t i)
{
    return i == INGLE_NO_VECTOR ? NULL : w->b->store->vector[i];
}

/* The class of activations that the weights of output o want, and whether any output wants
 * `act`. */
static inline ingle_act weight_class(const worker *w, const ingle_matmul_out *o)
{
    return ingle_type_get(matrix(w, o->weight)->type)->act;
}

static inline bool wants(const worker *w, const ingle_product *p, ingle_act act)
{
    for (uint32_t i = 0; i < p->n_out; i++)
        if (weight_class(w, &p->out[i]) == act) return true;
    return false;
}

/* All threads meet. */
static inline void cpu_barrier(const worker *w)
{
    if (w->n == 1) return;
    double before = w->clock ? ingle_now() : 0;
    ingle_pool_barrier(w->pool, w->i);
    if (w->clock) w->clock->wait += ingle_now() - before;
}

/* Whether the batch has rows that an instruction is for. */
static inline bool cpu_wants(const ingle_backend *b, ingle_when when)
{
    const ingle_batch *batch = b->batch;
    ingle_pooling pooling = batch->pooling;
    bool hidden = batch->n_rows > batch->n_logits;
    switch (when) {
    case INGLE_WHEN_ALWAYS: break;
    case INGLE_WHEN_LOGITS: return batch->n_logits > 0;
    case INGLE_WHEN_EMBED: return hidden;
    case INGLE_WHEN_VECTOR:
        return hidden && (pooling == INGLE_POOLING_MEAN || pooling == INGLE_POOLING_CLS ||
                          pooling == INGLE_POOLING_LAST);
    case INGLE_WHEN_RANK: return hidden && pooling == INGLE_POOLING_RANK;
    }
    return true;
}

/* elem.c: functions of one row. x = softmax(x); dst = fn(src); dst = fn(gate) * up; a norm, of a
 * head with its own weights; heads normed, rotated. */
void cpu_softmax(const worker *w, float *x, size_t n);
void cpu_sigmoid(const worker *w, float *x, size_t n);
void cpu_act(const worker *w, ingle_act_fn fn, const float bend[4], float *dst, const float *src,
             size_t n);
void cpu_act_mul(const worker *w, ingle_act_fn fn, float *dst, const float *gate, const float *up,
                 size_t n);
void cpu_norm(const worker *w, const ingle_norm *by, size_t own, float *dst, const float *src,
              size_t n);
void cpu_norm_heads(const worker *w, const ingle_norm *by, float *x, uint32_t n_heads,
                    uint32_t head_dim);
void cpu_angles(const worker *w, uint32_t table, size_t t);
void cpu_rope_heads(const worker *w, uint32_t table, float *x, size_t t, uint32_t n_heads,
                    uint32_t head_dim);

/* product.c: MATMUL, HEAD, HEADS. */
void cpu_matmul(const worker *w, const ingle_instr *in, cpu_counter *counter);
void cpu_head(const worker *w, const ingle_instr *in, cpu_counter *counter);
void cpu_heads(const worker *w, const ingle_instr *in, cpu_counter *counter);
/* Panels of p that a thread takes at once: for few rows long runs of memory, `few`; for many as
 * many as the kernel wants. */
size_t cpu_unit(const worker *w, size_t m, const ingle_packed *p, size_t few);
/* Panels [first, first + n) of job. */
void cpu_multiply(const worker *w, const ingle_matmul *job, size_t first, size_t n);
/* Rows [from, from + n) of acts that hold more. */
void cpu_slice_acts(ingle_acts out[3], const ingle_acts in[3], size_t from, size_t n);

/* attend.c: STORE, QKV, ATTEND. qkv: what stores, if that is left to do; or NULL. */
void cpu_store(const worker *w, const ingle_instr *in);
void cpu_attend(const worker *w, const ingle_instr *in, const ingle_instr *qkv,
                cpu_counter *counter);

/* experts.c: ROUTE, EXPERTS, COMBINE. */
void cpu_route(const worker *w, const ingle_instr *in);
void cpu_experts(const worker *w, const ingle_instr *in, cpu_counter *counter);
void cpu_combine(const worker *w, const ingle_instr *in);

/* recur.c: what carries a state from token to token. */
void cpu_conv(const worker *w, const ingle_instr *in, cpu_counter *counter);
void cpu_scan(const worker *w, const ingle_instr *in, cpu_counter *counter);
void cpu_delta(const worker *w, const ingle_instr *in, cpu_counter *counter);

/* embed.c: POOL, RESULT. */
void cpu_pool(const worker *w, const ingle_instr *in);
void cpu_result(const worker *w, const ingle_instr *in);

/* streams.c: a row of MATCH, MIX, CORRECT, SPARSE. rows.c: all that work row by row. */
void cpu_stream_row(const worker *w, const ingle_instr *in, size_t t);
void cpu_rows(const worker *w, const ingle_instr *in);

#endif
