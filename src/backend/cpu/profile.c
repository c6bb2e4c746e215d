/* profile.c - where the time of runs goes, and what they had to do: sums by instruction.
 * Every thread times its own way through the plan (run.c); after the run the caller adds the laps
 * up. What a step moves and multiplies follows from plan and batch alone. */
#include "backend/cpu/run.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

static size_t n_instr(const ingle_backend *b)
{
    return b->n_instr;
}

/* Instruction i of all parts. */
static const ingle_instr *instr(const ingle_backend *b, size_t i)
{
    const cpu_part *part = b->part;
    while (i >= part->base + part->plan.n_instr) part++;
    return &part->plan.instr[i - part->base];
}

ingle_status cpu_profile_switch(ingle_backend *b, bool on, ingle_error *err)
{
    cpu_profile *p = &b->profile;
    size_t n_threads = (size_t)b->opt.n_threads, n = n_instr(b);
    size_t clocks = n_threads * sizeof(cpu_clock), laps = n_threads * n * sizeof(cpu_lap);
    p->on = false;
    if (!on) return INGLE_OK;
    if (!p->block) {
        p->block = ingle_new(1, INGLE_ALIGN + clocks + laps + n * sizeof(ingle_profile_row));
        if (!p->block) return ingle_fail(err, INGLE_ENOMEM, "no memory for a profile");
    }
    char *at = (char *)ingle_round_up((size_t)p->block, INGLE_ALIGN);
    p->clocks = (cpu_clock *)(void *)at;
    p->rows = (ingle_profile_row *)(void *)(at + clocks + laps);
    for (size_t i = 0; i < n_threads; i++)
        p->clocks[i].laps = (cpu_lap *)(void *)(at + clocks) + i * n;
    memset(&p->total, 0, sizeof p->total);
    memset(p->rows, 0, n * sizeof *p->rows);
    p->on = true;
    return INGLE_OK;
}

void cpu_profile_total(const ingle_backend *b, ingle_profile *total)
{
    *total = b->profile.total;
}

bool cpu_profile_row(const ingle_backend *b, size_t i, ingle_profile_row *row)
{
    if (i >= n_instr(b)) return false;
    const ingle_instr *in = instr(b, i);
    memset(row, 0, sizeof *row);
    if (b->profile.rows) *row = b->profile.rows[i];
    row->op = ingle_op_table[in->op].name;
    row->layer = (int32_t)in->layer;
    ingle_instr_brief(in, b->program, row->what, sizeof row->what);
    return true;
}

/* ---- what there was to do ---- */

static double *macs_of(ingle_profile_row *row, ingle_type type)
{
    if (type == INGLE_TYPE_BF16) return &row->bf16_macs;
    return ingle_type_get(type)->act == INGLE_ACT_F32 ? &row->f32_macs : &row->int8_macs;
}

/* n matrices of each output, each once however many rows there are; `rows` products with rows. */
static void add_products(const ingle_backend *b, const ingle_product *p, double n, double rows,
                         ingle_profile_row *row)
{
    for (uint32_t o = 0; o < p->n_out; o++) {
        const ingle_packed *w = &b->program->weights.matrix[p->out[o].weight].packed;
        row->bytes += n * (double)w->n_rows * (double)w->row_bytes;
        *macs_of(row, w->type) += rows * (double)w->n_rows * (double)w->n_cols;
    }
}

/* Of the experts as many as tokens can choose: more than are read where tokens agree. */
static void add_experts(const ingle_backend *b, const ingle_instr *in, double m,
                        ingle_profile_row *row)
{
    const ingle_choosing *by = &in->experts.by;
    double pairs = m * by->n_used;
    add_products(b, &in->product, pairs < by->n_expert ? pairs : by->n_expert, pairs, row);
}

/* Keys and values of a layer, per position. */
static double kv_bytes(const ingle_backend *b, uint32_t cache)
{
    const cpu_cache *c = &b->cache[cache];
    return (double)(c->kv.bytes * c->n_heads) / INGLE_PAGE;
}

/* Position p sees p + 1, or the window; the keys and values of a sequence are counted once. */
static void add_attention(const ingle_backend *b, const ingle_instr *in, ingle_profile_row *row)
{
    const ingle_kv_shape *kv = &b->cache[in->attend.cache].kv;
    double macs = (double)in->attend.n_heads * (double)(kv->head_dim_k + kv->head_dim_v);
    for (size_t s = 0; s < b->n_spans[in->domain]; s++) {
        const cpu_span *span = &b->span[in->domain][s];
        size_t n = span->n, end = span->pos0 + n;
        size_t window = in->attend.window ? in->attend.window : end;
        double seen = 0;
        bool both = b->batch->seqs[span->i_seq].both;
        if (both) seen = (double)n * (double)(end < window + 1 ? end : window + 1);
        for (size_t p = span->pos0, chunk = in->attend.chunk; !both && p < end; p++)
            seen += (double)(chunk ? p % chunk + 1 : p < window ? p + 1 : window);
        *(b->opt.kv_type == INGLE_TYPE_BF16 ? &row->bf16_macs : &row->f32_macs) += macs * seen;
        row->bytes += kv_bytes(b, in->attend.cache) * (double)(end < window + n ? end : window + n);
    }
}

/* Rows that come in and go out. */
static double row_bytes(const ingle_plan *plan, const ingle_instr *in)
{
    double n = 0;
    for (size_t i = 0; i < sizeof in->src / sizeof *in->src; i++)
        if (in->src[i] != INGLE_NO_VALUE)
            n += (double)plan->value[in->src[i]].width * plan->value[in->src[i]].times;
    for (size_t i = 0; i < sizeof in->dst / sizeof *in->dst; i++)
        if (in->dst[i] != INGLE_NO_VALUE)
            n += (double)plan->value[in->dst[i]].width * plan->value[in->dst[i]].times;
    return n * sizeof(float);
}

static void add_costs(const ingle_backend *b, const ingle_instr *in, ingle_profile_row *row)
{
    double m = (double)rows_for(b->batch, in);
    if (!cpu_wants(b, in->when)) return;
    switch (ingle_op_table[in->op].cost) {
    case INGLE_COST_PRODUCT: {
        double n = in->op == INGLE_OP_HEADS ? in->heads.pieces.n : 1;
        add_products(b, &in->product, n, n * m, row);
        break;
    }
    case INGLE_COST_EXPERTS: add_experts(b, in, m, row); break;
    case INGLE_COST_ATTEND: add_attention(b, in, row); break;
    case INGLE_COST_STORE: row->bytes += m * kv_bytes(b, in->store.cache); break;
    case INGLE_COST_LOOKUP:
        row->bytes += m * (double)b->program->weights.matrix[in->embed.weight].packed.row_bytes;
        break;
    case INGLE_COST_MOVE: row->bytes += m * row_bytes(&b->program->plan, in); break;
    }
}

/* ---- where the time went ---- */

/* Threads that begin late keep the others waiting at the first barrier: that is dispatch, and is
 * taken out of the first instruction. */
static double latest_begin(const ingle_backend *b)
{
    double latest = 0;
    for (int t = 0; t < b->n_running; t++)
        if (b->profile.clocks[t].begun > latest) latest = b->profile.clocks[t].begun;
    return latest;
}

/* first: the part's first instruction. */
static double waited_for_begin(const cpu_clock *c, size_t first, double latest)
{
    double late = latest - c->begun;
    return c->laps[first].wait < late ? c->laps[first].wait : late;
}

static double wait_of(const cpu_clock *c, size_t first, size_t i, double latest)
{
    double waited = i == first ? waited_for_begin(c, first, latest) : 0;
    return c->laps[i].wait - waited;
}

/* Each thread's time up to its begin, waiting for others to begin, and from its end on: with its
 * laps it makes up the step. */
static double dispatch_s(const ingle_backend *b, double begun, double now, double latest)
{
    double sum = 0;
    for (int t = 0; t < b->n_running; t++) {
        const cpu_clock *c = &b->profile.clocks[t];
        sum += c->begun - begun + waited_for_begin(c, b->now->base, latest) + now - c->ended;
    }
    return sum / b->n_running;
}

static void add_times(const ingle_backend *b, size_t i, double latest, ingle_profile_row *row)
{
    double n = b->n_running, work = 0, wait = 0, least = -1;
    for (int t = 0; t < b->n_running; t++) {
        const cpu_clock *c = &b->profile.clocks[t];
        double w = wait_of(c, b->now->base, i, latest);
        work += c->laps[i].work;
        wait += w;
        if (least < 0 || w < least) least = w;
    }
    row->work_s += work / n;
    row->barrier_s += least;
    row->uneven_s += wait / n - least;
}

void cpu_profile_add(ingle_backend *b, double begun)
{
    cpu_profile *p = &b->profile;
    double now = ingle_now(), latest = latest_begin(b);
    p->total.step_s += now - begun;
    p->total.dispatch_s += dispatch_s(b, begun, now, latest);
    for (size_t i = 0; i < b->now->plan.n_instr; i++) {
        const ingle_instr *in = &b->now->plan.instr[i];
        if (in->domain != INGLE_TOKENS && !b->batch->n_rows) break;
        add_times(b, b->now->base + i, latest, &p->rows[b->now->base + i]);
        add_costs(b, in, &p->rows[b->now->base + i]);
    }
}
