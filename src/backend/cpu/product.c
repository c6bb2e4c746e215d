/* product.c - products of rows with matrices. A product of one row prepares its input on every
 * thread for itself (no barrier, same bits); of several rows, each thread prepares some. */
#include "backend/cpu/run.h"

#include <math.h>
#include <string.h>

/* The input row t after its prologue, as floats; `into` is where it may be computed. */
static const float *input_row(const worker *w, const ingle_instr *in, size_t t, size_t width,
                              float *into)
{
    const ingle_product *p = &in->product;
    const float *src = row(w, in->src[0], t);
    switch (p->pre) {
    case INGLE_PRE_NONE: return src;
    case INGLE_PRE_NORM: cpu_norm(w, &p->norm, 0, into, src, width); break;
    case INGLE_PRE_GLU: cpu_act_mul(w, p->act, into, src, row(w, in->src[1], t), width); break;
    }
    return into;
}

/* Fills acts[class] for every class that the weights want. */
static void prepare(const worker *w, const ingle_instr *in, size_t m, ingle_acts acts[3])
{
    ingle_backend *b = w->b;
    const ingle_product *p = &in->product;
    bool alone = m == 1, as_float = wants(w, p, INGLE_ACT_F32);
    size_t n_cols = matrix(w, p->out[0].weight)->n_cols, from = 0, to = 1;
    float *own_row = (float *)(void *)(w->own + b->at.t_row);
    ingle_val waits = p->pre == INGLE_PRE_NONE ? in->src[0] : in->dst[INGLE_WAITS];
    for (int c = INGLE_ACT_Q32; c <= INGLE_ACT_Q256; c++)
        if (wants(w, p, (ingle_act)c))
            ingle_acts_place(&acts[c], (ingle_act)c, m, n_cols,
                             alone ? w->own + b->at.t_acts[c] : b->arena + b->at.acts[c]);
    acts[INGLE_ACT_F32] = (ingle_acts){.act = INGLE_ACT_F32,
                                       .m = m,
                                       .n_cols = n_cols,
                                       .x = as_float ? row(w, waits, 0) : NULL,
                                       .ld_x = stride(w, waits)};
    if (!alone) split(w, m, &from, &to);
    for (size_t t = from; t < to; t++) {
        const float *x =
            input_row(w, in, t, n_cols, alone || !as_float ? own_row : row(w, waits, t));
        if (alone) acts[INGLE_ACT_F32].x = x;
        for (int c = INGLE_ACT_Q32; c <= INGLE_ACT_Q256; c++)
            if (wants(w, p, (ingle_act)c)) b->kern.quantise(&acts[c], t, x);
    }
    if (!alone) cpu_barrier(w);
}

size_t cpu_unit(const worker *w, size_t m, const ingle_packed *p, size_t few)
{
    const ingle_kern *k = &w->b->kern;
    if (m <= k->gemv_tokens) return few;
    if (ingle_type_get(p->type)->act != INGLE_ACT_F32) return k->gemm_panels;
    /* Large tasks share more, but every thread should have some. */
    size_t unit = k->gemm_panels_f;
    while (unit > k->gemm_panels && p->n_panels < 2 * unit * (size_t)w->n) unit /= 2;
    return unit;
}

/* Rows first .. first + n - 1 of q, k or v are there. */
static void report_heads(const worker *w, ingle_val dst, size_t first, size_t n)
{
    const ingle_instr *qkv = w->by_head;
    const cpu_cache *cache = &w->b->cache[qkv->store.cache];
    const ingle_kv_shape *kv = &cache->kv;
    size_t each = dst == qkv->src[1]   ? kv->head_dim_v
                  : dst == qkv->src[0] ? kv->head_dim_k
                                       : kv->head_dim_k * (qkv->store.n_heads / cache->n_heads);
    for (size_t end = first + n, next; first < end; first = next) {
        size_t h = first / each;
        next = (h + 1) * each < end ? (h + 1) * each : end;
        atomic_fetch_add_explicit(&w->b->heads[cache->due][h].next, next - first,
                                  memory_order_release);
    }
}

/* Panels [first, first + n) of job. Of a model in place they are packed first, beside the scratch:
 * one by one for few tokens, so that each is still in the cache when it is read. */
void cpu_multiply(const worker *w, const ingle_matmul *job, size_t first, size_t n)
{
    const ingle_kern *k = &w->b->kern;
    const ingle_packed *p = job->w;
    bool few = job->x->m <= k->gemv_tokens;
    ingle_matmul_fn *fn = (few ? k->gemv : k->gemm)[p->type];
    uint8_t *panels = w->own + w->b->at.t_panels, *scratch = w->own + w->b->at.t_scratch;
    if (p->data) {
        fn(job, first, n, scratch);
        return;
    }
    for (size_t end = first + n, step = few ? 1 : n; first < end; first += step) {
        ingle_packed part = *p;
        ingle_matmul piece = *job;
        size_t row = first * 16;
        for (size_t i = 0; i < step; i++, row += 16)
            ingle_pack_panel(p, p->rows + row * p->row_bytes,
                             p->n_rows - row < 16 ? p->n_rows - row : 16,
                             panels + i * p->panel_bytes);
        part.data = panels;
        part.next = first + step < end ? p->rows + row * p->row_bytes : NULL;
        part.n_panels = step;
        row = first * 16;
        part.n_rows -= row;
        piece.w = &part;
        piece.out += row;
        if (piece.bias) piece.bias += row;
        fn(&piece, 0, step, scratch);
    }
}

static void multiply_all(const worker *w, const ingle_instr *in, size_t m, const ingle_acts acts[3],
                         float *logits, cpu_counter *counter)
{
    ingle_backend *b = w->b;
    const ingle_product *product = &in->product;
    size_t n_panels = 0, first = 0;
    for (uint32_t i = 0; i < product->n_out; i++)
        n_panels += matrix(w, product->out[i].weight)->n_panels;
    size_t few = n_panels / ((size_t)w->n * 12), at = 0;
    uint32_t o = 0;
    few = few < 1 ? 1 : few > 64 ? 64 : few;
    /* Task numbers run over the outputs one after the other, each in pieces of its unit. */
    size_t task = atomic_fetch_add(&counter->next, 1);
    while (o < product->n_out) {
        const ingle_matmul_out *out = &product->out[o];
        const ingle_packed *p = matrix(w, out->weight);
        size_t unit = cpu_unit(w, m, p, few), n_tasks = (p->n_panels + unit - 1) / unit;
        if (task >= first + n_tasks) {
            first += n_tasks;
            o++;
            continue;
        }
        at = (task - first) * unit;
        size_t n = p->n_panels - at < unit ? p->n_panels - at : unit;
        ingle_val dst = in->dst[o];
        ingle_matmul job = {.w = p,
                            .x = &acts[ingle_type_get(p->type)->act],
                            .out = logits ? logits : b->value[dst],
                            .ld_out = logits ? p->n_rows : stride(w, dst),
                            .scale = vec(w, out->scale),
                            .bias = vec(w, out->bias),
                            .add = out->add,
                            .fetch = b->kern.fetch};
        cpu_multiply(w, &job, at, n);
        if (w->by_head) {
            size_t row = at * 16, end = (at + n) * 16;
            report_heads(w, dst, row, (end < p->n_rows ? end : p->n_rows) - row);
        }
        task = atomic_fetch_add(&counter->next, 1);
    }
}

void cpu_matmul(const worker *w, const ingle_instr *in, cpu_counter *counter)
{
    ingle_acts acts[3];
    size_t m = n_rows(w, in);
    prepare(w, in, m, acts);
    multiply_all(w, in, m, acts, NULL, counter);
}

void cpu_slice_acts(ingle_acts out[3], const ingle_acts in[3], size_t from, size_t n)
{
    for (int c = 0; c < 3; c++) {
        out[c] = in[c];
        out[c].m = n;
        if (c == INGLE_ACT_F32) {
            out[c].x += from * in[c].ld_x;
            continue;
        }
        if (in[c].q) out[c].q += from * in[c].ld_q;
        if (in[c].d) out[c].d += from * in[c].ld_d;
        if (in[c].s) out[c].s += from * in[c].ld_d;
        if (in[c].sum32) out[c].sum32 += from * in[c].ld_s32;
        if (in[c].sum16) out[c].sum16 += from * in[c].ld_s16;
    }
}

/* ---- the head ---- */

/* What the family does to logits from number `first` on, n of them; rows without a token are never
 * drawn, nor listed. */
static void finish_logits(const worker *w, const ingle_instr *in, float *dst, const float *src,
                          size_t first, size_t n)
{
    const ingle_kern *k = &w->b->kern;
    size_t n_tokens = w->b->program->plan.n_tokens;
    if (in->head.scale != 1.0f) k->scale(dst, src, in->head.scale, n);
    else if (dst != src) memcpy(dst, src, n * sizeof *dst);
    if (in->head.cap != 0.0f) k->softcap(dst, dst, in->head.cap, n);
    for (size_t i = first < n_tokens ? n_tokens - first : 0; i < n; i++) dst[i] = -INFINITY;
}

static bool admits(const uint32_t *mask, size_t token)
{
    return !mask || mask[token / 32] >> token % 32 & 1;
}

/* The n best of those that the mask admits, best first; of equals the lower token. */
static void pick_best(ingle_pick *pick, size_t n, const uint32_t *mask, const float *logits,
                      size_t n_vocab)
{
    size_t have = 0;
    for (size_t t = 0; n && t < n_vocab; t++) {
        if (!admits(mask, t) || logits[t] == -INFINITY) continue;
        if (have == n && !(logits[t] > pick[n - 1].logit)) continue;
        size_t at = have < n ? have++ : n - 1;
        for (; at && logits[t] > pick[at - 1].logit; at--) pick[at] = pick[at - 1];
        pick[at] = (ingle_pick){.token = (int32_t)t, .logit = logits[t]};
    }
    for (; have < n; have++) pick[have] = (ingle_pick){.token = -1, .logit = -INFINITY};
}

static float log_sum(const uint32_t *mask, const float *logits, size_t n_vocab)
{
    float max = -INFINITY;
    double sum = 0;
    for (size_t t = 0; t < n_vocab; t++)
        if (admits(mask, t) && logits[t] > max) max = logits[t];
    for (size_t t = 0; max != -INFINITY && t < n_vocab; t++)
        if (admits(mask, t)) sum += exp((double)logits[t] - (double)max);
    return max == -INFINITY ? max : (float)((double)max + log(sum));
}

static bool asks_more(const ingle_batch_row *row)
{
    return row->n_pick || row->n_ask || row->lse;
}

/* Logits of row r are there, but perhaps not with their owner. */
static void answer(const worker *w, size_t r, const float *logits)
{
    const ingle_batch *batch = w->b->batch;
    const ingle_batch_row *row = &batch->rows[r];
    size_t n_vocab = w->b->program->plan.n_vocab;
    pick_best(row->pick, row->n_pick, row->mask, logits, n_vocab);
    for (size_t i = 0; i < row->n_ask; i++) row->asked[i] = logits[row->ask[i]];
    if (row->lse) *row->lse = log_sum(row->mask, logits, n_vocab);
    if (batch->turn) batch->turn(batch->user, r, logits, w->i);
}

/* Of rows first .. first + n - 1, the first from number r on that begins another sequence's. */
static size_t begins_sequence(const ingle_backend *b, size_t first, size_t n, size_t r)
{
    const ingle_batch_row *row = b->batch->rows + first;
    while (r && r < n && b->tok_seq[row[r - 1].token] == b->tok_seq[row[r].token]) r++;
    return r;
}

/* One row goes to its owner at once. */
static void head_of_one(const worker *w, const ingle_instr *in, const ingle_acts acts[3],
                        cpu_counter *counter)
{
    const ingle_batch_row *row = w->b->batch->rows;
    const ingle_plan *plan = &w->b->program->plan;
    size_t first, end;
    float *logits = row->out ? row->out : w->b->logits;
    bool plain = in->head.scale == 1.0f && in->head.cap == 0.0f && plan->n_tokens == plan->n_vocab;
    multiply_all(w, in, 1, acts, logits, counter);
    bool more = asks_more(row) || w->b->batch->turn;
    if (plain && !more) return;
    cpu_barrier(w);
    split(w, plan->n_vocab, &first, &end);
    finish_logits(w, in, logits + first, logits + first, first, end - first);
    if (!more) return;
    cpu_barrier(w);
    if (w->i == 0) answer(w, 0, logits);
}

/* Logits of the wanted rows, some at a time, and each row to its owner. */
void cpu_head(const worker *w, const ingle_instr *in, cpu_counter *counter)
{
    const ingle_batch *batch = w->b->batch;
    size_t m = batch->n_logits, n_vocab = w->b->program->plan.n_vocab;
    ingle_acts acts[3] = {{0}, {0}, {0}}, part[3];
    prepare(w, in, m, acts);
    if (m == 1) {
        head_of_one(w, in, acts, counter);
        return;
    }
    for (size_t at = 0; at < m; at += INGLE_HEAD_ROWS, counter++) {
        size_t n = m - at < INGLE_HEAD_ROWS ? m - at : INGLE_HEAD_ROWS, from, to;
        cpu_slice_acts(part, acts, at, n);
        multiply_all(w, in, n, part, w->b->logits, counter);
        cpu_barrier(w);
        split(w, n, &from, &to);
        from = begins_sequence(w->b, at, n, from);
        to = begins_sequence(w->b, at, n, to);
        for (size_t r = from; r < to; r++) {
            const ingle_batch_row *row = &batch->rows[at + r];
            float *src = w->b->logits + r * n_vocab, *dst = row->out ? row->out : src;
            finish_logits(w, in, dst, src, 0, n_vocab);
            answer(w, at + r, dst);
        }
        if (at + n < m) cpu_barrier(w);
    }
}

/* ---- by head ---- */

/* Each head of a token has a matrix of its own. A task is one head: its rows
 * are quantised where only the task sees them, so nobody waits between that and the product. */

/* Rows of head h as its matrix wants them. */
static void prepare_head(const worker *w, const ingle_instr *in, size_t m, size_t h,
                         const ingle_packed *p, ingle_acts *acts)
{
    const ingle_kern *k = &w->b->kern;
    ingle_act class = ingle_type_get(p->type)->act;
    const ingle_pieces *pieces = &in->heads.pieces;
    size_t at = pieces->from.at + h * pieces->from.step;
    if (class == INGLE_ACT_F32) {
        *acts = (ingle_acts){.act = class,
                             .m = m,
                             .n_cols = p->n_cols,
                             .x = row(w, in->src[0], 0) + at,
                             .ld_x = stride(w, in->src[0])};
        return;
    }
    ingle_acts_place(acts, class, m, p->n_cols, w->own + w->b->at.t_heads);
    for (size_t t = 0; t < m; t++) k->quantise(acts, t, row(w, in->src[0], t) + at);
}

void cpu_heads(const worker *w, const ingle_instr *in, cpu_counter *counter)
{
    const ingle_pieces *pieces = &in->heads.pieces;
    size_t m = n_rows(w, in), h;
    while ((h = atomic_fetch_add(&counter->next, 1)) < pieces->n) {
        const ingle_packed *p = matrix(w, in->product.out[0].weight + (uint32_t)h);
        ingle_acts acts;
        prepare_head(w, in, m, h, p, &acts);
        ingle_matmul job = {.w = p,
                            .x = &acts,
                            .out = row(w, in->dst[0], 0) + pieces->to.at + h * pieces->to.step,
                            .ld_out = stride(w, in->dst[0]),
                            .fetch = w->b->kern.fetch};
        size_t unit = cpu_unit(w, m, p, 1);
        for (size_t at = 0; at < p->n_panels; at += unit)
            cpu_multiply(w, &job, at, p->n_panels - at < unit ? p->n_panels - at : unit);
    }
}
