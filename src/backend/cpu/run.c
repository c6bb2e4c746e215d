/* run.c - executes a plan on a batch: every thread walks the same list, shares each instruction's
 * work, and waits at its end. Which thread computes a value never changes the value. */
#include "backend/cpu/run.h"

#include <assert.h>
#include <string.h>

static void start_clock(cpu_clock *c)
{
    c->begun = c->last = c->ended = ingle_now();
    c->wait = 0;
}

static void lap(cpu_clock *c, size_t i_instr)
{
    double now = ingle_now();
    c->laps[i_instr] = (cpu_lap){.work = now - c->last - c->wait, .wait = c->wait};
    c->last = c->ended = now;
    c->wait = 0;
}

static size_t rows_of_head(const cpu_cache *cache, const ingle_instr *qkv)
{
    return cache->kv.head_dim_k * (qkv->store.n_heads / cache->n_heads + 1) + cache->kv.head_dim_v;
}

/* A batch of single tokens goes from the product that makes q, k and v to attention without a
 * barrier, head by head. What stores what instruction i makes, if that is such a product; else
 * NULL. */
static const ingle_instr *feeds_heads(const ingle_backend *b, size_t i)
{
    const ingle_plan *plan = &b->now->plan;
    const ingle_instr *in = &plan->instr[i];
    if (!b->single || !cpu_is_chain(in, plan->n_instr - i)) return NULL;
    return b->cache[in[1].store.cache].due < CPU_DUES ? in + 1 : NULL;
}

static void execute(const worker *w, const ingle_instr *in, const ingle_instr *qkv,
                    cpu_counter *counter)
{
    switch (in->op) {
    case INGLE_OP_MATMUL: cpu_matmul(w, in, counter); break;
    case INGLE_OP_HEAD: cpu_head(w, in, counter); break;
    case INGLE_OP_HEADS: cpu_heads(w, in, counter); break;
    case INGLE_OP_STORE:
    case INGLE_OP_QKV: cpu_store(w, in); break;
    case INGLE_OP_ATTEND: cpu_attend(w, in, qkv, counter); break;
    case INGLE_OP_ROUTE: cpu_route(w, in); break;
    case INGLE_OP_EXPERTS: cpu_experts(w, in, counter); break;
    case INGLE_OP_COMBINE: cpu_combine(w, in); break;
    case INGLE_OP_CONV: cpu_conv(w, in, counter); break;
    case INGLE_OP_SCAN: cpu_scan(w, in, counter); break;
    case INGLE_OP_DELTA: cpu_delta(w, in, counter); break;
    case INGLE_OP_POOL: cpu_pool(w, in); break;
    case INGLE_OP_RESULT: cpu_result(w, in); break;
    case INGLE_OP_EMBED:
    case INGLE_OP_PLACE:
    case INGLE_OP_NORM:
    case INGLE_OP_BIAS:
    case INGLE_OP_SEGMENT:
    case INGLE_OP_CLAMP:
    case INGLE_OP_ROPE:
    case INGLE_OP_ACT:
    case INGLE_OP_SCALE:
    case INGLE_OP_TEMPER:
    case INGLE_OP_GAIN:
    case INGLE_OP_GATE:
    case INGLE_OP_MUL:
    case INGLE_OP_ADD:
    case INGLE_OP_COPY:
    case INGLE_OP_SPARSE:
    case INGLE_OP_MATCH:
    case INGLE_OP_MIX:
    case INGLE_OP_CORRECT:
    case INGLE_OP_SELECT_ROWS: cpu_rows(w, in); break;
    case INGLE_OP_COUNT: break;
    }
}

/* One thread notes when attention begins and ends, and when tokens are done with. */
static void note_time(ingle_backend *b, const ingle_instr *in)
{
    double *now = in->domain != INGLE_TOKENS  ? &b->times.rows
                  : in->op == INGLE_OP_ATTEND ? &b->times.attend
                                              : &b->times.body;
    if (now == b->timed) return;
    double t = ingle_now();
    if (b->timed) *b->timed += t - b->since;
    b->timed = now;
    b->since = t;
}

/* RoPE of my tokens. */
static void find_angles(const worker *w)
{
    size_t from, to;
    split(w, w->b->batch->n_tokens, &from, &to);
    for (uint32_t table = 0; table < INGLE_ROPE_TABLES; table++)
        for (size_t t = from; w->b->rope[table] && t < to; t++) cpu_angles(w, table, t);
    /* A lookup reads none of it, and its own barrier follows. */
    if (ingle_op_table[w->b->now->plan.instr[0].op].cost != INGLE_COST_LOOKUP) cpu_barrier(w);
}

static void walk(void *arg, ingle_pool *pool, int i_thread, int n_threads)
{
    ingle_backend *b = arg;
    const ingle_plan *plan = &b->now->plan;
    cpu_counter *counter = b->counter + b->now->base;
    worker w = {.b = b,
                .pool = pool,
                .i = i_thread,
                .n = n_threads,
                .own = b->arena + b->at.thread + b->at.thread_bytes * (size_t)i_thread,
                .clock = b->profile.on ? &b->profile.clocks[i_thread] : NULL};
    if (w.clock) start_clock(w.clock);
    if (!b->has_angles) find_angles(&w);
    for (size_t i = 0; i < plan->n_instr; i++) {
        const ingle_instr *in = &plan->instr[i], *qkv = NULL;
        if (!cpu_wants(b, in->when)) {
            if (w.clock) lap(w.clock, b->now->base + i);
            continue;
        }
        if (in->domain != INGLE_TOKENS && !b->batch->n_rows)
            break;       /* nothing after the last attention is wanted */
        if (w.by_head) { /* the one before was the product; this is QKV: ATTEND does its work */
            const cpu_cache *cache = &b->cache[w.by_head->store.cache];
            w.n_due[cache->due] += rows_of_head(cache, w.by_head);
            w.by_head = NULL;
            if (w.clock) lap(w.clock, b->now->base + i);
            i++;
            qkv = in++;
        }
        w.by_head = feeds_heads(b, i);
        if (i_thread == 0) note_time(b, in);
        execute(&w, in, qkv, &counter[i]);
        if (!w.by_head) cpu_barrier(&w);
        if (w.clock) lap(w.clock, b->now->base + i);
    }
}

/* Tokens by sequence; wanted rows by runs of neighbours. */
static void set_spans(ingle_backend *b, const ingle_batch *batch)
{
    size_t n = 0;
    for (size_t s = 0; s < batch->n_seqs; s++) {
        const ingle_batch_seq *seq = &batch->seqs[s];
        b->span[0][s] = (cpu_span){.i_seq = s, .first = seq->first, .n = seq->n, .pos0 = seq->pos0};
    }
    b->n_spans[0] = batch->n_seqs;
    for (size_t r = 0; r < batch->n_rows; r++) {
        size_t t = batch->rows[r].token;
        cpu_span *last = n ? &b->span[1][n - 1] : NULL;
        if (last && last->i_seq == b->tok_seq[t] && last->pos0 + last->n == b->tok_pos[t]) {
            last->n++;
            continue;
        }
        b->span[1][n] =
            (cpu_span){.i_seq = b->tok_seq[t], .first = r, .n = 1, .pos0 = b->tok_pos[t]};
        n++;
    }
    b->n_spans[1] = n;
}

/* ---- a step ---- */

#ifndef NDEBUG
/* What backend.h states of a batch. */
static bool is_sound(const ingle_backend *b, const ingle_batch *batch)
{
    size_t n_tokens = 0;
    if (batch->n_tokens > b->opt.n_batch || batch->n_seqs > b->opt.n_seqs) return false;
    for (size_t s = 0; s < batch->n_seqs; s++) {
        const ingle_batch_seq *seq = &batch->seqs[s];
        if (seq->first != n_tokens || !seq->n || seq->slot >= b->opt.n_seqs) return false;
        if (seq->pos0 + seq->n > b->opt.n_ctx) return false;
        for (size_t k = 0; k < s; k++)
            if (batch->seqs[k].slot == seq->slot) return false;
        n_tokens += seq->n;
    }
    for (size_t r = 0; r < batch->n_rows; r++) {
        if (batch->rows[r].token >= n_tokens) return false;
        bool begins = !r || r == batch->n_logits;
        if (!begins && batch->rows[r].token <= batch->rows[r - 1].token) return false;
    }
    return n_tokens == batch->n_tokens && batch->n_logits <= batch->n_rows;
}

/* No value of the step before is read by accident. */
static void poison(const ingle_backend *b)
{
    for (size_t v = 0; v < b->program->plan.n_value; v++)
        if (b->value[v]) memset(b->value[v], 0xff, b->program->plan.value[v].width * sizeof(float));
}
#endif

static void change_tables(ingle_backend *b, const ingle_batch *batch)
{
    size_t n_table = b->opt.n_ctx / INGLE_PAGE;
    for (size_t i = 0; i < batch->n_changes; i++) {
        const ingle_table_change *c = &batch->changes[i];
        const uint8_t *pool = b->pages + b->pools.at[c->group];
        const uint8_t **to = b->page + (c->slot * INGLE_GROUPS + c->group) * n_table + c->first;
        for (uint32_t k = 0; k < c->n; k++)
            to[k] = c->pages[k] == INGLE_NO_PAGE
                        ? NULL
                        : pool + c->pages[k] * b->pools.page_bytes[c->group];
    }
    for (int g = 0; g < INGLE_GROUPS; g++)
        cpu_clear_pages(b, (ingle_group)g, batch->clear[g].pages, batch->clear[g].n);
}

ingle_status cpu_begin(ingle_backend *b, const ingle_batch *batch, ingle_error *err)
{
    (void)err;
#ifndef NDEBUG
    assert(is_sound(b, batch));
    poison(b);
#endif
    b->batch = batch;
    b->single = true;
    b->has_angles = false;
    b->times = (ingle_step_times){0};
    change_tables(b, batch);
    for (size_t s = 0; s < batch->n_seqs; s++) {
        const ingle_batch_seq *seq = &batch->seqs[s];
        b->single = b->single && seq->n == 1;
        for (size_t t = 0; t < seq->n; t++) {
            b->tok_seq[seq->first + t] = (uint32_t)s;
            b->tok_pos[seq->first + t] = (uint32_t)(seq->pos0 + t);
        }
    }
    set_spans(b, batch);
    for (size_t i = 0; i < b->at.n_counters; i++) atomic_init(&b->counter[i].next, 0);
    for (size_t i = 0; i < b->program->plan.n_counters; i++) atomic_init(&b->chosen[i], 0);
    if (b->profile.on) {
        b->profile.total.n_steps++;
        b->profile.total.n_tokens += batch->n_tokens;
    }
    return INGLE_OK;
}

/* Choices that another home made: how many tokens go to each expert. */
static void count_choices(ingle_backend *b, const ingle_choosing *by, ingle_val v)
{
    const ingle_value *value = &b->program->plan.value[v];
    const ingle_choice *c = (const ingle_choice *)(const void *)b->value[v];
    size_t n = rows_in(b->batch, value->domain) * by->n_used;
    for (uint32_t e = 0; e < by->n_expert; e++) atomic_init(&b->chosen[by->counters + e], 0);
    for (size_t i = 0; i < n; i++)
        atomic_fetch_add_explicit(&b->chosen[by->counters + c[i].expert], 1, memory_order_relaxed);
}

static bool comes_in(const ingle_stretch *s, ingle_val v)
{
    for (size_t i = 0; i < s->n_in; i++)
        if (s->in[i] == v) return true;
    return false;
}

ingle_status cpu_run_part(ingle_backend *b, size_t i_stretch, ingle_error *err)
{
    double begun = b->profile.on ? ingle_now() : 0;
    const ingle_stretch *s = &b->placement->stretch[i_stretch];
    (void)err;
    for (b->now = b->part; b->now->i_stretch != i_stretch;) b->now++;
    for (size_t i = 0; s->n_in && i < b->now->plan.n_instr; i++) {
        const ingle_instr *in = &b->now->plan.instr[i];
        if (in->op == INGLE_OP_EXPERTS && comes_in(s, in->src[2]))
            count_choices(b, &in->experts.by, in->src[2]);
        if (in->op == INGLE_OP_COMBINE && comes_in(s, in->src[1]))
            count_choices(b, &in->route, in->src[1]);
    }
    for (int i = 0; i < CPU_DUES; i++)
        for (size_t h = 0; h < b->at.n_heads[i]; h++) atomic_init(&b->heads[i][h].next, 0);
    b->timed = NULL;
    b->n_running = ingle_pool_run(b->pool, walk, b);
    if (b->timed) *b->timed += ingle_now() - b->since;
    b->has_angles = true;
    if (b->profile.on) cpu_profile_add(b, begun);
    return INGLE_OK;
}

void cpu_times(const ingle_backend *b, ingle_step_times *times)
{
    *times = b->times;
}

ingle_status cpu_end(ingle_backend *b, ingle_error *err)
{
    (void)err;
    b->batch = NULL;
    return INGLE_OK;
}

/* Floats of all rows of a value. */
static size_t value_floats(const ingle_backend *b, ingle_val v)
{
    const ingle_value *value = &b->program->plan.value[v];
    return rows_in(b->batch, value->domain) * value->times * value->width;
}

ingle_status cpu_take(ingle_backend *b, ingle_val v, float *to, ingle_error *err)
{
    (void)err;
    memcpy(to, b->value[v], value_floats(b, v) * sizeof *to);
    return INGLE_OK;
}

ingle_status cpu_put(ingle_backend *b, ingle_val v, const float *from, ingle_error *err)
{
    (void)err;
    memcpy(b->value[v], from, value_floats(b, v) * sizeof *from);
    return INGLE_OK;
}
