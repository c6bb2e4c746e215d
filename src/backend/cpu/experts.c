/* experts.c - mixtures of experts: which experts a token goes to, their products, the weighted sum.
 * ROUTE chooses and counts; then a token's experts are rows sorted by expert, whose numbers every
 * thread derives from the counts for itself; EXPERTS shares one queue of tasks over all experts and
 * panels. The order of an expert's rows is whoever came first: a row's bits do not depend on its
 * neighbours, and COMBINE adds in the order of choice. */
#include "backend/cpu/run.h"

#include <math.h>
#include <string.h>

static ingle_choice *choices(const worker *w, ingle_val v, size_t t)
{
    return (ingle_choice *)(void *)row(w, v, t);
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

/* Experts outside the best groups are taken from the start; a group is as good as its best two
 * (DeepSeek-V3, arXiv 2412.19437). `groups` has room for 2 n_group. */
static void drop_groups(const ingle_choosing *moe, const float *score, uint8_t *taken,
                        float *groups)
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

static void finish_weights(const ingle_choosing *moe, ingle_choice *c)
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
static void choose(const worker *w, const ingle_choosing *moe, float *x, ingle_choice *c)
{
    const uint32_t n = moe->n_expert;
    const float *bias = vec(w, moe->bias);
    float *score = (float *)(void *)(w->own + w->b->at.t_route), *spare = score + n;
    uint8_t *taken = (uint8_t *)(spare + 2 * (size_t)n);
    if (moe->gating == INGLE_GATING_SOFTMAX) cpu_softmax(w, x, n);
    else if (moe->gating == INGLE_GATING_SIGMOID) cpu_sigmoid(w, x, n);
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
        ingle_choice *c = choices(w, in->dst[0], t);
        atomic_uint *counts = w->b->chosen + in->route.counters;
        choose(w, &in->route, row(w, in->src[0], t), c);
        for (uint32_t k = 0; k < in->route.n_used; k++)
            c[k].place = atomic_fetch_add_explicit(&counts[c[k].expert], 1, memory_order_relaxed);
    }
}

/* ---- products ---- */

/* Expert e has rows first[e] .. first[e + 1] - 1. */
static const uint32_t *first_rows(const worker *w, const ingle_choosing *by)
{
    uint32_t *first = (uint32_t *)(void *)(w->own + w->b->at.t_route), n = 0;
    const atomic_uint *counts = w->b->chosen + by->counters;
    for (uint32_t e = 0; e < by->n_expert; e++) {
        first[e] = n;
        n += atomic_load_explicit(&counts[e], memory_order_relaxed);
    }
    first[by->n_expert] = n;
    return first;
}

/* Pair p of v. */
static float *pair(const worker *w, ingle_val v, size_t p)
{
    return w->b->value[v] + p * w->b->program->plan.value[v].width;
}

/* Row p of what the token's experts made so far, after the prologue. */
static const float *pair_row(const worker *w, const ingle_instr *in, size_t p, size_t n,
                             float *into)
{
    const float *src = pair(w, in->src[0], p);
    if (in->product.pre == INGLE_PRE_NONE) return src;
    cpu_act_mul(w, in->product.act, into, src, pair(w, in->src[1], p), n);
    return into;
}

/* A token's row for each of its experts. */
static void prepare_token(const worker *w, const ingle_instr *in, size_t t, const uint32_t *first,
                          ingle_acts acts[3])
{
    const ingle_choice *c = choices(w, in->src[2], t);
    const float *x = row(w, in->src[0], t);
    float *weighed = (float *)(void *)(w->own + w->b->at.t_row);
    bool before = in->experts.by.before;
    for (uint32_t k = 0; k < in->experts.by.n_used; k++) {
        size_t p = first[c[k].expert] + c[k].place, p0 = first[c[0].expert] + c[0].place;
        const float *own = x;
        if (before) {
            own = weighed;
            w->b->kern.scale(weighed, x, c[k].weight, acts[INGLE_ACT_F32].n_cols);
        }
        for (int act = 0; act < 3; act++) {
            if (!wants(w, &in->product, (ingle_act)act)) continue;
            if (act == INGLE_ACT_F32)
                memcpy(pair(w, in->dst[INGLE_WAITS], p), own, acts[act].n_cols * sizeof *x);
            else if (k == 0 || before) w->b->kern.quantise(&acts[act], p, own);
            else ingle_acts_copy(&acts[act], p, p0);
        }
    }
}

static void prepare_pairs(const worker *w, const ingle_instr *in, size_t m, ingle_acts acts[3])
{
    size_t from, to;
    bool as_float = wants(w, &in->product, INGLE_ACT_F32);
    float *own_row = (float *)(void *)(w->own + w->b->at.t_row);
    split(w, m, &from, &to);
    for (size_t p = from; p < to; p++) {
        float *into = as_float ? pair(w, in->dst[INGLE_WAITS], p) : own_row;
        const float *x = pair_row(w, in, p, acts[INGLE_ACT_F32].n_cols, into);
        for (int act = INGLE_ACT_Q32; act <= INGLE_ACT_Q256; act++)
            if (wants(w, &in->product, (ingle_act)act)) w->b->kern.quantise(&acts[act], p, x);
    }
}

/* Fills acts[class] for every class that the weights want: sorted rows, or one row for all
 * experts. */
static void prepare(const worker *w, const ingle_instr *in, bool alone, const uint32_t *first,
                    ingle_acts acts[3])
{
    ingle_backend *b = w->b;
    const ingle_product *product = &in->product;
    bool as_float = wants(w, product, INGLE_ACT_F32);
    size_t m = alone ? 1 : n_rows(w, in) * in->experts.by.n_used, from, to;
    size_t n_cols = b->program->plan.value[in->src[0]].width;
    const float *x = alone      ? row(w, in->src[0], 0)
                     : as_float ? pair(w, in->dst[INGLE_WAITS], 0)
                                : NULL;
    for (int c = INGLE_ACT_Q32; c <= INGLE_ACT_Q256; c++)
        if (wants(w, product, (ingle_act)c))
            ingle_acts_place(&acts[c], (ingle_act)c, m, n_cols,
                             alone ? w->own + b->at.t_acts[c] : b->arena + b->at.pair_acts[c]);
    acts[INGLE_ACT_F32] =
        (ingle_acts){.act = INGLE_ACT_F32, .m = m, .n_cols = n_cols, .x = x, .ld_x = n_cols};
    if (alone) {
        for (int c = INGLE_ACT_Q32; c <= INGLE_ACT_Q256; c++)
            if (wants(w, product, (ingle_act)c)) b->kern.quantise(&acts[c], 0, x);
        return;
    }
    if (in->experts.pairs) {
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
    for (uint32_t e = 0; e < in->experts.by.n_expert; e++)
        for (uint32_t o = 0; o < in->product.n_out && first[e + 1] > first[e]; o++)
            n += matrix(w, in->product.out[o].weight + e)->n_panels;
    n /= (size_t)w->n * 12;
    return n < 1 ? 1 : n > 64 ? 64 : n;
}

/* Panels [at, at + n) of output o of expert e. */
static void expert_task(const worker *w, const ingle_instr *in, uint32_t e, uint32_t o, size_t at,
                        size_t n, const ingle_acts acts[3], size_t first)
{
    const ingle_matmul_out *out = &in->product.out[o];
    const ingle_packed *p = matrix(w, out->weight + e);
    const float *bias = vec(w, out->bias), *scale = vec(w, out->scale);
    ingle_matmul job = {.w = p,
                        .x = &acts[ingle_type_get(p->type)->act],
                        .out = pair(w, in->dst[o], first),
                        .ld_out = p->n_rows,
                        .scale = scale ? scale + e : NULL,
                        .bias = bias ? bias + (size_t)e * p->n_rows : NULL,
                        .fetch = w->b->kern.fetch};
    cpu_multiply(w, &job, at, n);
}

void cpu_experts(const worker *w, const ingle_instr *in, cpu_counter *counter)
{
    const ingle_product *product = &in->product;
    const uint32_t *first = first_rows(w, &in->experts.by);
    const uint32_t n_outs = in->experts.by.n_expert * product->n_out;
    bool alone = n_rows(w, in) == 1 && !in->experts.pairs && !in->experts.by.before;
    ingle_acts acts[3] = {{0}, {0}, {0}}, part[3];
    prepare(w, in, alone, first, acts);
    size_t few = few_panels(w, in, first), done = 0;
    size_t task = atomic_fetch_add(&counter->next, 1);
    /* Task numbers run over the experts' outputs one after the other, each in pieces of its
     * unit. */
    for (uint32_t i = 0; i < n_outs;) {
        uint32_t e = i / product->n_out, o = i % product->n_out;
        const ingle_packed *p = matrix(w, product->out[o].weight + e);
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

static void combine_part(const worker *w, const ingle_instr *in, const uint32_t *first, size_t t,
                         size_t from, size_t n)
{
    const ingle_kern *k = &w->b->kern;
    const ingle_choice *c = choices(w, in->src[1], t);
    float *dst = row(w, in->dst[0], t) + from;
    for (uint32_t i = 0; i < in->route.n_used; i++) {
        const float *y = pair(w, in->src[0], first[c[i].expert] + c[i].place) + from;
        float by = in->route.before ? 1 : c[i].weight;
        if (i == 0) k->scale(dst, y, by, n);
        else k->add_scaled(dst, y, by, n);
    }
}

void cpu_combine(const worker *w, const ingle_instr *in)
{
    const uint32_t *first = first_rows(w, &in->route);
    size_t n = n_rows(w, in), width = stride(w, in->dst[0]), from, to;
    if (n == 1) { /* by columns */
        split(w, (width + 15) / 16, &from, &to);
        to = to * 16 < width ? to * 16 : width;
        if (from * 16 < to) combine_part(w, in, first, 0, from * 16, to - from * 16);
        return;
    }
    split(w, n, &from, &to);
    for (size_t t = from; t < to; t++) combine_part(w, in, first, t, 0, width);
}
