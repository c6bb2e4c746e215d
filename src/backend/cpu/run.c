/* run.c - executes a plan on a batch: every thread walks the same list, shares each instruction's
 * work, and waits at its end. Which thread computes a value never changes the value. */
#include "backend/cpu/run.h"

static void start_clock(cpu_clock *c)
{
    c->begun = c->last = ingle_now();
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
    const ingle_instr *in = &b->plan.instr[i];
    if (!b->single || !cpu_is_chain(in, b->plan.n_instr - i)) return NULL;
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

/* RoPE of my tokens. The first instruction's barrier stands between this and whoever reads it. */
static void find_angles(const worker *w)
{
    size_t from, to;
    split(w, w->b->batch->n_tokens, &from, &to);
    for (uint32_t table = 0; table < INGLE_ROPE_TABLES; table++)
        for (size_t t = from; w->b->rope[table] && t < to; t++) cpu_angles(w, table, t);
}

static void walk(void *arg, ingle_pool *pool, int i_thread, int n_threads)
{
    ingle_backend *b = arg;
    worker w = {.b = b,
                .pool = pool,
                .i = i_thread,
                .n = n_threads,
                .own = b->arena + b->at.thread + b->at.thread_bytes * (size_t)i_thread,
                .clock = b->profile.on ? &b->profile.clocks[i_thread] : NULL};
    if (w.clock) start_clock(w.clock);
    find_angles(&w);
    for (size_t i = 0; i < b->plan.n_instr; i++) {
        const ingle_instr *in = &b->plan.instr[i], *qkv = NULL;
        if (!cpu_wants(b, in->when)) {
            if (w.clock) lap(w.clock, i);
            continue;
        }
        if (in->domain != INGLE_TOKENS && !b->batch->n_rows)
            break;       /* nothing after the last attention is wanted */
        if (w.by_head) { /* the one before was the product; this is QKV: ATTEND does its work */
            const cpu_cache *cache = &b->cache[w.by_head->store.cache];
            w.n_due[cache->due] += rows_of_head(cache, w.by_head);
            w.by_head = NULL;
            if (w.clock) lap(w.clock, i);
            i++;
            qkv = in++;
        }
        w.by_head = feeds_heads(b, i);
        execute(&w, in, qkv, &b->counter[i]);
        if (!w.by_head) cpu_barrier(&w);
        if (w.clock) lap(w.clock, i);
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
        size_t t = batch->row_token[r];
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

/* Addresses of all pages of the batch; those below all windows name none and are not looked at. */
static void find_pages(ingle_backend *b)
{
    size_t n_pages = 0;
    for (size_t s = 0; s < b->batch->n_seqs; s++)
        for (int g = 0; g < INGLE_GROUPS; g++) {
            const ingle_batch_seq *seq = &b->batch->seqs[s];
            const uint8_t *pool = b->pages + b->pools.at[g];
            b->page_first[s * INGLE_GROUPS + (size_t)g] = n_pages;
            if (!seq->pages[g]) continue;
            for (size_t p = 0; p * INGLE_PAGE < seq->pos0 + seq->n; p++, n_pages++)
                b->page[n_pages] = seq->pages[g][p] == INGLE_NO_PAGE
                                       ? NULL
                                       : pool + seq->pages[g][p] * b->pools.page_bytes[g];
        }
}

void cpu_run(ingle_backend *b, const ingle_batch *batch)
{
    double begun = b->profile.on ? ingle_now() : 0;
    b->batch = batch;
    b->single = true;
    for (size_t s = 0; s < batch->n_seqs; s++) {
        const ingle_batch_seq *seq = &batch->seqs[s];
        b->single = b->single && seq->n == 1;
        for (size_t t = 0; t < seq->n; t++) {
            b->tok_seq[seq->first + t] = (uint32_t)s;
            b->tok_pos[seq->first + t] = (uint32_t)(seq->pos0 + t);
        }
    }
    find_pages(b);
    set_spans(b, batch);
    for (size_t i = 0; i < b->at.n_counters; i++) atomic_init(&b->counter[i].next, 0);
    for (int i = 0; i < CPU_DUES; i++)
        for (size_t h = 0; h < b->at.n_heads[i]; h++) atomic_init(&b->heads[i][h].next, 0);
    for (size_t i = 0; i < b->plan.n_counters; i++) atomic_init(&b->chosen[i], 0);
    b->n_running = ingle_pool_run(b->pool, walk, b);
    if (b->profile.on) cpu_profile_add(b, begun);
    b->batch = NULL;
}
