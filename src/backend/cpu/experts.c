/* experts.c - mixtures of experts: which experts a token goes to, their products, the weighted sum.
 * ROUTE chooses and counts; then a token's experts are rows sorted by expert, whose numbers every
 * thread derives from the counts for itself; EXPERTS shares one queue of tasks over all experts and
 * panels. The order of an expert's rows is whoever came first: a row's bits do not depend on its
 * neighbours, and REDUCE adds in the order of choice. */
#include "backend/cpu/run.h"

#include <math.h>
#include <string.h>

static ingle_choice *choices(const worker *w, const ingle_instr *in, size_t t)
{
    ingle_buf buf = in->op == INGLE_OP_ROUTE ? in->dst : INGLE_BUF_C;
    return (ingle_choice *)(void *)row(w, buf, t);
}

static atomic_uint *counts(const worker *w, const ingle_instr *in)
{
    return w->b->chosen + (size_t)in->layer * w->b->model->hp.moe.n_expert;
}

/* ---- choosing ---- */

/* The best that is not taken; the first of equals. */
static uint32_t best_of(const float *score, const uint8_t *taken, uint32_t n)
{
    uint32_t best = UINT32_MAX;
    for (uint32_t i = 0; i < n; i++)
        if (!taken[i] && (best == UINT32_MAX || score[i] > score[best])) best = i;
    return best;
}

void cpu_softmax(const worker *w, float *x, size_t n)
{
    float max = -INFINITY, sum = 0;
    for (size_t i = 0; i < n; i++) max = x[i] > max ? x[i] : max;
    for (size_t i = 0; i < n; i++) x[i] -= max;
    w->b->kern.exp(x, x, n);
    for (size_t i = 0; i < n; i++) sum += x[i];
    for (size_t i = 0; i < n; i++) x[i] /= sum;
}

static void sigmoid(const worker *w, float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) x[i] = -x[i];
    w->b->kern.exp(x, x, n);
    for (size_t i = 0; i < n; i++) x[i] = 1 / (1 + x[i]);
}

/* Experts outside the best groups are taken from the start; a group is as good as its best two
 * (DeepSeek-V3, arXiv 2412.19437). `groups` has room for 2 n_group. */
static void drop_groups(const ingle_moe *moe, const float *score, uint8_t *taken, float *groups)
{
    uint32_t each = moe->n_expert / moe->n_group;
    uint8_t *kept = (uint8_t *)(groups + moe->n_group);
    for (uint32_t g = 0; g < moe->n_group; g++) {
        float first = -INFINITY, second = -INFINITY;
        for (uint32_t i = g * each; i < (g + 1) * each; i++) {
            if (score[i] > first) second = first, first = score[i];
            else if (score[i] > second) second = score[i];
        }
        groups[g] = first + second;
        kept[g] = 0;
    }
    for (uint32_t i = 0; i < moe->n_group_used; i++) kept[best_of(groups, kept, moe->n_group)] = 1;
    for (uint32_t i = 0; i < moe->n_expert; i++) taken[i] = !kept[i / each];
}

static void finish_weights(const ingle_moe *moe, ingle_choice *c)
{
    float sum = 0;
    for (uint32_t k = 0; k < moe->n_used; k++) sum += c[k].weight;
    if (sum < 0x1p-14f) sum = 0x1p-14f; /* as the compared engine: never divides by nothing */
    for (uint32_t k = 0; k < moe->n_used; k++) {
        if (moe->norm) c[k].weight /= sum;
        c[k].weight *= moe->scale;
    }
}

/* x: the token's router logits, overwritten. */
static void choose(const worker *w, const ingle_instr *in, float *x, ingle_choice *c)
{
    const ingle_moe *moe = &w->b->model->hp.moe;
    const uint32_t n = moe->n_expert;
    const float *bias = vec(w, in->vector);
    float *score = (float *)(void *)(w->own + w->b->at.t_route), *spare = score + n;
    uint8_t *taken = (uint8_t *)(spare + 2 * (size_t)n);
    if (moe->gating == INGLE_GATING_SOFTMAX) cpu_softmax(w, x, n);
    else if (moe->gating == INGLE_GATING_SIGMOID) sigmoid(w, x, n);
    for (uint32_t i = 0; i < n; i++) score[i] = bias ? x[i] + bias[i] : x[i];
    if (moe->n_group > 1) drop_groups(moe, score, taken, spare);
    else memset(taken, 0, n);
    for (uint32_t k = 0; k < moe->n_used; k++) {
        uint32_t e = best_of(score, taken, n);
        taken[e] = 1;
        c[k] = (ingle_choice){.expert = e, .weight = x[e]};
    }
    if (moe->gating == INGLE_GATING_CHOSEN) {
        for (uint32_t k = 0; k < moe->n_used; k++) spare[k] = c[k].weight;
        cpu_softmax(w, spare, moe->n_used);
        for (uint32_t k = 0; k < moe->n_used; k++) c[k].weight = spare[k];
    }
    finish_weights(moe, c);
}

void cpu_route(const worker *w, const ingle_instr *in)
{
    size_t from, to;
    split(w, n_rows(w, in), &from, &to);
    for (size_t t = from; t < to; t++) {
        ingle_choice *c = choices(w, in, t);
        choose(w, in, row(w, in->src, t), c);
        for (uint32_t k = 0; k < w->b->model->hp.moe.n_used; k++)
            c[k].place =
                atomic_fetch_add_explicit(&counts(w, in)[c[k].expert], 1, memory_order_relaxed);
    }
}

/* ---- products ---- */

/* Expert e has rows first[e] .. first[e + 1] - 1. */
static const uint32_t *first_rows(const worker *w, const ingle_instr *in)
{
    uint32_t *first = (uint32_t *)(void *)(w->own + w->b->at.t_route), n = 0;
    for (uint32_t e = 0; e < w->b->model->hp.moe.n_expert; e++) {
        first[e] = n;
        n += atomic_load_explicit(&counts(w, in)[e], memory_order_relaxed);
    }
    first[w->b->model->hp.moe.n_expert] = n;
    return first;
}

/* Row p of what the token's experts made so far, after the prologue. */
static const float *pair_row(const worker *w, const ingle_instr *in, size_t p, float *into)
{
    size_t n = w->b->model->hp.moe.n_ff;
    const float *src = w->b->buf[in->src] + p * n;
    if (in->pre == INGLE_PRE_NONE) return src;
    cpu_act_mul(w, in->act, into, src, w->b->buf[in->src2] + p * n, n);
    return into;
}

/* A token's row for each of its experts. */
static void prepare_token(const worker *w, const ingle_instr *in, size_t t, const uint32_t *first,
                          ingle_acts acts[3])
{
    const ingle_choice *c = choices(w, in, t);
    const float *x = row(w, in->src, t);
    for (uint32_t k = 0; k < w->b->model->hp.moe.n_used; k++) {
        size_t p = first[c[k].expert] + c[k].place, p0 = first[c[0].expert] + c[0].place;
        for (int act = 0; act < 3; act++) {
            if (!wants(w, in, (ingle_act)act)) continue;
            if (act == INGLE_ACT_F32)
                memcpy(w->b->buf[in->dst] + p * acts[act].n_cols, x, acts[act].n_cols * sizeof *x);
            else if (k == 0) w->b->kern.quantise(&acts[act], p, x);
            else ingle_acts_copy(&acts[act], p, p0);
        }
    }
}

static void prepare_pairs(const worker *w, const ingle_instr *in, size_t m, ingle_acts acts[3])
{
    size_t from, to;
    bool as_float = wants(w, in, INGLE_ACT_F32);
    float *own_row = (float *)(void *)(w->own + w->b->at.t_row);
    split(w, m, &from, &to);
    for (size_t p = from; p < to; p++) {
        const float *x =
            pair_row(w, in, p, as_float ? w->b->buf[in->dst] + p * acts[0].n_cols : own_row);
        for (int act = INGLE_ACT_Q32; act <= INGLE_ACT_Q256; act++)
            if (wants(w, in, (ingle_act)act)) w->b->kern.quantise(&acts[act], p, x);
    }
}

/* Fills acts[class] for every class that the weights want: sorted rows, or one row for all experts. */
static void prepare(const worker *w, const ingle_instr *in, bool alone, const uint32_t *first,
                    ingle_acts acts[3])
{
    ingle_backend *b = w->b;
    const ingle_moe *moe = &b->model->hp.moe;
    size_t m = alone ? 1 : n_rows(w, in) * moe->n_used, from, to;
    size_t n_cols = in->pairs ? moe->n_ff : b->model->hp.n_embd;
    for (int c = INGLE_ACT_Q32; c <= INGLE_ACT_Q256; c++)
        if (wants(w, in, (ingle_act)c))
            ingle_acts_place(&acts[c], (ingle_act)c, m, n_cols,
                             alone ? w->own + b->at.t_acts[c] : b->arena + b->at.pair_acts[c]);
    acts[INGLE_ACT_F32] = (ingle_acts){.act = INGLE_ACT_F32,
                                       .m = m,
                                       .n_cols = n_cols,
                                       .x = alone ? row(w, in->src, 0) : b->buf[in->dst],
                                       .ld_x = n_cols};
    if (alone) {
        for (int c = INGLE_ACT_Q32; c <= INGLE_ACT_Q256; c++)
            if (wants(w, in, (ingle_act)c)) b->kern.quantise(&acts[c], 0, row(w, in->src, 0));
        return;
    }
    if (in->pairs) {
        prepare_pairs(w, in, m, acts);
    } else {
        split(w, n_rows(w, in), &from, &to);
        for (size_t t = from; t < to; t++) prepare_token(w, in, t, first, acts);
    }
    cpu_barrier(w);
}

/* Panels that all threads have to do for few rows. */
static size_t few_panels(const worker *w, const ingle_instr *in, const uint32_t *first)
{
    size_t n = 0;
    for (uint32_t e = 0; e < w->b->model->hp.moe.n_expert; e++)
        for (uint32_t o = 0; o < in->n_out && first[e + 1] > first[e]; o++)
            n += w->b->model->weights.matrix[in->out[o].weight + e].packed.n_panels;
    n /= (size_t)w->n * 12;
    return n < 1 ? 1 : n > 64 ? 64 : n;
}

/* Panels [at, at + n) of output o of expert e. */
static void expert_task(const worker *w, const ingle_instr *in, uint32_t e, uint32_t o, size_t at,
                        size_t n, const ingle_acts acts[3], size_t first)
{
    const ingle_matmul_out *out = &in->out[o];
    const ingle_packed *p = &w->b->model->weights.matrix[out->weight + e].packed;
    const float *bias = vec(w, out->bias), *scale = product_scale(w, out);
    ingle_matmul job = {.w = p,
                        .x = &acts[ingle_type_get(p->type)->act],
                        .out = w->b->buf[out->dst] + first * p->n_rows,
                        .ld_out = p->n_rows,
                        .scale = scale ? scale + e : NULL,
                        .bias = bias ? bias + (size_t)e * p->n_rows : NULL,
                        .fetch = w->b->kern.fetch};
    cpu_multiply(w, &job, at, n);
}

void cpu_experts(const worker *w, const ingle_instr *in, cpu_counter *counter)
{
    const uint32_t *first = first_rows(w, in);
    const uint32_t n_outs = w->b->model->hp.moe.n_expert * in->n_out;
    bool alone = n_rows(w, in) == 1 && !in->pairs;
    ingle_acts acts[3] = {{0}, {0}, {0}}, part[3];
    prepare(w, in, alone, first, acts);
    size_t few = few_panels(w, in, first), done = 0;
    size_t task = atomic_fetch_add(&counter->next, 1);
    /* Task numbers run over the experts' outputs one after the other, each in pieces of its unit. */
    for (uint32_t i = 0; i < n_outs;) {
        uint32_t e = i / in->n_out, o = i % in->n_out;
        const ingle_packed *p = &w->b->model->weights.matrix[in->out[o].weight + e].packed;
        size_t m = first[e + 1] - first[e], unit = cpu_unit(w, m, p, few),
               n_tasks = m ? (p->n_panels + unit - 1) / unit : 0;
        if (task >= done + n_tasks) {
            done += n_tasks;
            i++;
            continue;
        }
        size_t at = (task - done) * unit, n = p->n_panels - at < unit ? p->n_panels - at : unit;
        cpu_slice_acts(part, acts, alone ? 0 : first[e], m);
        expert_task(w, in, e, o, at, n, part, first[e]);
        task = atomic_fetch_add(&counter->next, 1);
    }
}

/* ---- the sum ---- */

static void reduce_part(const worker *w, const ingle_instr *in, const uint32_t *first, size_t t,
                        size_t from, size_t n)
{
    const ingle_kern *k = &w->b->kern;
    const ingle_choice *c = choices(w, in, t);
    size_t width = w->b->model->plan.width[in->dst];
    float *dst = row(w, in->dst, t) + from;
    for (uint32_t i = 0; i < w->b->model->hp.moe.n_used; i++) {
        const float *y = w->b->buf[in->src] + (first[c[i].expert] + c[i].place) * width + from;
        if (i == 0) k->scale(dst, y, c[i].weight, n);
        else k->add_scaled(dst, y, c[i].weight, n);
    }
}

void cpu_reduce(const worker *w, const ingle_instr *in)
{
    const uint32_t *first = first_rows(w, in);
    size_t n = n_rows(w, in), width = w->b->model->plan.width[in->dst], from, to;
    if (n == 1) { /* by columns */
        split(w, (width + 15) / 16, &from, &to);
        to = to * 16 < width ? to * 16 : width;
        if (from * 16 < to) reduce_part(w, in, first, 0, from * 16, to - from * 16);
        return;
    }
    split(w, n, &from, &to);
    for (size_t t = from; t < to; t++) reduce_part(w, in, first, t, 0, width);
}

void cpu_gate(const worker *w, const ingle_instr *in, size_t t)
{
    float gate = *row(w, in->src2, t);
    sigmoid(w, &gate, 1);
    w->b->kern.scale(row(w, in->dst, t), row(w, in->src, t), gate,
                     w->b->model->plan.width[in->dst]);
}
