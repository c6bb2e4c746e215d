/* run.c - executes a plan on a batch: every thread walks the same list, shares each instruction's
 * work, and waits at its end. A product of one row prepares its input on every thread for itself
 * (no barrier, same bits); of several rows, each thread prepares some. Which thread computes a
 * value never changes the value. */
#include "backend/cpu/run.h"

#include "base/clock.h"

#include <math.h>
#include <string.h>

void cpu_barrier(const worker *w)
{
    if (w->n == 1) return;
    double before = w->clock ? ingle_now() : 0;
    ingle_pool_barrier(w->pool, w->i);
    if (w->clock) w->clock->wait += ingle_now() - before;
}

/* ---- the small instructions: rows split between threads ---- */

static float *rope_of(const worker *w, ingle_rope_set set, size_t t)
{
    const ingle_backend *b = w->b;
    return b->rope + (set * b->opt.n_batch + t) * b->at.n_rot;
}

static size_t rope_pairs(const ingle_model *m, ingle_rope_set set)
{
    return (set == INGLE_ROPE_SWA ? m->hp.rope_swa.n_rot : m->hp.rope.n_rot) / 2;
}

/* Cosine and sine of every pair at token t's position. */
static void angles(const worker *w, ingle_rope_set set, size_t t)
{
    const ingle_backend *b = w->b;
    const ingle_model *m = b->model;
    const size_t n = rope_pairs(m, set);
    const bool stretched = m->rope_long && (double)b->opt.n_ctx > m->hp.rope.n_ctx_orig;
    const double *freq = set == INGLE_ROPE_GLOBAL && stretched
                             ? m->rope_long
                             : m->rope_freq + set * (b->at.n_rot / 2);
    float *cs = rope_of(w, set, t);
    for (size_t i = 0; i < n; i++) {
        double angle = b->tok_pos[t] * freq[i];
        cs[2 * i] = (float)(cos(angle) * (double)m->rope_magnitude[set]);
        cs[2 * i + 1] = (float)(sin(angle) * (double)m->rope_magnitude[set]);
    }
}

static void embed(const worker *w, const ingle_instr *in)
{
    ingle_backend *b = w->b;
    const ingle_packed *p = &b->model->weights.matrix[in->out[0].weight].packed;
    size_t from, to, n_sets = ingle_model_rope_sets(b->model);
    split(w, b->batch->n_tokens, &from, &to);
    for (size_t t = from; t < to; t++) {
        ingle_decode_row(p, (size_t)b->batch->tokens[t], row(w, in->dst, t));
        for (size_t set = 0; in->dst == INGLE_BUF_X && set < n_sets; set++)
            angles(w, (ingle_rope_set)set, t);
    }
}

static void norm_row(const worker *w, const ingle_instr *in, float *dst, const float *src, size_t n,
                     size_t head)
{
    const float *weight = vec(w, in->vector);
    if (weight && in->own) weight += head * n;
    if (in->norm == INGLE_NORM_LAYER)
        w->b->kern.norm_layer(dst, src, weight, vec(w, in->bias), n, w->b->model->hp.eps);
    else if (in->norm == INGLE_NORM_L2) w->b->kern.norm_l2(dst, src, n, w->b->model->hp.eps);
    else w->b->kern.norm_rms(dst, src, weight, n, w->b->model->hp.eps);
}

void cpu_norm_heads(const worker *w, float *dst, uint32_t vector, uint32_t n_heads,
                    uint32_t head_dim)
{
    for (uint32_t h = 0; h < n_heads; h++)
        w->b->kern.norm_rms(dst + h * head_dim, dst + h * head_dim, vec(w, vector), head_dim,
                            w->b->model->hp.eps);
}

void cpu_rope_heads(const worker *w, ingle_rope_set set, float *x, size_t t, uint32_t n_heads,
                    uint32_t head_dim)
{
    bool halves = w->b->model->family->rope == INGLE_ROPE_HALVES;
    for (uint32_t h = 0; h < n_heads; h++)
        w->b->kern.rope(x + h * head_dim, rope_of(w, set, t), 2 * rope_pairs(w->b->model, set),
                        halves);
}

/* Scores of far positions are made sharper (Mistral 3): as code published with the model does it. */
static float temper(const worker *w, const ingle_instr *in, size_t t)
{
    double far = floor(w->b->tok_pos[t] / w->b->model->hp.rope.n_ctx_orig);
    return (float)(1 + (double)in->scale * log(far + 1));
}

void cpu_act(const worker *w, ingle_act_fn fn, float *dst, const float *src, size_t n)
{
    const ingle_kern *k = &w->b->kern;
    switch (fn) {
    case INGLE_ACT_GELU: k->gelu(dst, src, n); break;
    case INGLE_ACT_SWIGLU: k->swiglu_gate(dst, src, n); break;
    case INGLE_ACT_GELU_ERF: k->gelu_erf(dst, src, n); break;
    case INGLE_ACT_RELU2: k->relu2(dst, src, n); break;
    case INGLE_ACT_XIELU: break; /* has numbers of its own: by_row() */
    case INGLE_ACT_SWIGLU_UP: k->swiglu_up(dst, src, n); break;
    case INGLE_ACT_TANH: k->softcap(dst, src, 1.0f, n); break;
    case INGLE_ACT_SOFTPLUS: k->softplus(dst, src, n); break;
    case INGLE_ACT_SIGMOID: k->sigmoid(dst, src, n); break;
    case INGLE_ACT_SOFTMAX:
        if (dst != src) memcpy(dst, src, n * sizeof *dst);
        cpu_softmax(w, dst, n);
        break;
    default: k->silu(dst, src, n); break;
    }
}

void cpu_act_mul(const worker *w, ingle_act_fn fn, float *dst, const float *gate, const float *up,
                 size_t n)
{
    const ingle_kern *k = &w->b->kern;
    switch (fn) {
    case INGLE_ACT_SILU: k->silu_mul(dst, gate, up, n); break;
    case INGLE_ACT_GELU: k->gelu_mul(dst, gate, up, n); break;
    case INGLE_ACT_GELU_ERF: k->gelu_erf_mul(dst, gate, up, n); break;
    case INGLE_ACT_SIGMOID: k->sigmoid_mul(dst, gate, up, n); break;
    default: /* no family has a gate of the others */ break;
    }
}

/* The engine lets no session grow beyond the positions there are. */
static void add_position(const worker *w, const ingle_instr *in, size_t t)
{
    float *dst = row(w, in->dst, t), *place = (float *)(void *)(w->own + w->b->at.t_row);
    ingle_decode_row(&w->b->model->weights.matrix[in->out[0].weight].packed, w->b->tok_pos[t],
                     place);
    w->b->kern.add(dst, row(w, in->src, t), place, w->b->model->plan.width[in->dst]);
}

static void gain(const worker *w, const ingle_instr *in, float *dst, const float *src)
{
    const ingle_vector *v = &w->b->model->weights.vector[in->vector];
    if (v->n == 1) w->b->kern.scale(dst, src, v->data[0], in->width);
    else w->b->kern.mul(dst, src, v->data, in->width);
}

static void by_row(const worker *w, const ingle_instr *in)
{
    const ingle_kern *k = &w->b->kern;
    size_t width = in->width, from, to;
    split(w, n_rows(w, in), &from, &to);
    for (size_t t = from; t < to; t++) {
        float *dst = row(w, in->dst, t);
        const float *src = row(w, in->src, t), *src2 = row(w, in->src2, t);
        switch (in->op) {
        case INGLE_OP_NORM:
            for (uint32_t h = 0; h < in->n_heads; h++)
                norm_row(w, in, dst + h * in->head_dim, src + h * in->head_dim, in->head_dim, h);
            break;
        case INGLE_OP_SEGMENT: cpu_segment(w, in, t); break;
        case INGLE_OP_BIAS: k->add(dst, src, vec(w, in->vector), width); break;
        case INGLE_OP_ROPE:
            cpu_rope_heads(w, in->rope, dst + in->to.at, token_of(w, in, t), in->n_heads,
                           in->head_dim);
            break;
        case INGLE_OP_PLACE: add_position(w, in, t); break;
        case INGLE_OP_CLAMP: k->clamp(dst, src, in->scale, width); break;
        case INGLE_OP_ACT:
            if (in->act == INGLE_ACT_XIELU) k->xielu(dst, src, in->bend, width);
            else cpu_act(w, in->act, dst, src, width);
            break;
        case INGLE_OP_SCALE:
            k->scale(dst, src, in->vector == INGLE_NO_VECTOR ? in->scale : *vec(w, in->vector),
                     width);
            break;
        case INGLE_OP_TEMPER: k->scale(dst, src, temper(w, in, token_of(w, in, t)), width); break;
        case INGLE_OP_GATE: cpu_gate(w, in, t); break;
        case INGLE_OP_GAIN: gain(w, in, dst, src); break;
        case INGLE_OP_TANH: k->softcap(dst, src, 1, width); break;
        case INGLE_OP_SPARSE:
        case INGLE_OP_MATCH:
        case INGLE_OP_MIX:
        case INGLE_OP_CORRECT: cpu_stream_row(w, in, t); break;
        case INGLE_OP_MUL: k->mul(dst, src, src2 + in->from.at, width); break;
        case INGLE_OP_ADD:
            for (uint32_t h = 0; h < in->n_heads; h++) {
                size_t at = in->to.at + h * in->to.step;
                k->add(dst + at, src + at, src2 + in->from.at + h * in->from.step, width);
            }
            break;
        case INGLE_OP_COPY:
            for (uint32_t h = 0; h < in->n_heads; h++)
                memcpy(dst + in->to.at + h * in->to.step, src + in->from.at + h * in->from.step,
                       width * sizeof(float));
            break;
        case INGLE_OP_GATHER:
            memcpy(dst, row(w, in->src, token_of(w, in, t)) + in->from.at, width * sizeof(float));
            break;
        default: break;
        }
    }
}

/* ---- products ---- */

/* The input row t after its prologue, as floats; `into` is where it may be computed. */
static const float *input_row(const worker *w, const ingle_instr *in, size_t t, size_t width,
                              float *into)
{
    const float *src = row(w, in->src, t);
    if (in->pre == INGLE_PRE_NORM) norm_row(w, in, into, src, width, 0);
    else if (in->pre == INGLE_PRE_GLU)
        cpu_act_mul(w, in->act, into, src, row(w, in->src2, t), width);
    else return src;
    return into;
}

/* Fills acts[class] for every class that the weights want. */
static void prepare(const worker *w, const ingle_instr *in, size_t m, ingle_acts acts[3])
{
    ingle_backend *b = w->b;
    bool alone = m == 1, as_float = wants(w, in, INGLE_ACT_F32);
    size_t n_cols = b->model->weights.matrix[in->out[0].weight].packed.n_cols, from = 0, to = 1;
    float *own_row = (float *)(void *)(w->own + b->at.t_row);
    ingle_buf waits = in->pre == INGLE_PRE_NONE ? in->src : in->dst;
    for (int c = INGLE_ACT_Q32; c <= INGLE_ACT_Q256; c++)
        if (wants(w, in, (ingle_act)c))
            ingle_acts_place(&acts[c], (ingle_act)c, m, n_cols,
                             alone ? w->own + b->at.t_acts[c] : b->arena + b->at.acts[c]);
    acts[INGLE_ACT_F32] = (ingle_acts){.act = INGLE_ACT_F32,
                                       .m = m,
                                       .n_cols = n_cols,
                                       .x = row(w, waits, 0),
                                       .ld_x = b->model->plan.width[waits]};
    if (!alone) split(w, m, &from, &to);
    for (size_t t = from; t < to; t++) {
        const float *x =
            input_row(w, in, t, n_cols, alone || !as_float ? own_row : row(w, waits, t));
        if (alone) acts[INGLE_ACT_F32].x = x;
        for (int c = INGLE_ACT_Q32; c <= INGLE_ACT_Q256; c++)
            if (wants(w, in, (ingle_act)c)) b->kern.quantise(&acts[c], t, x);
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
static void report_heads(const worker *w, ingle_buf dst, size_t first, size_t n)
{
    const cpu_cache *cache = &w->b->cache[w->by_head->cache];
    const ingle_kv_shape *kv = &cache->kv;
    size_t each = dst == INGLE_BUF_V   ? kv->head_dim_v
                  : dst == INGLE_BUF_K ? kv->head_dim_k
                                       : kv->head_dim_k * (w->by_head->n_heads / cache->n_heads);
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

static void product(const worker *w, const ingle_instr *in, size_t m, const ingle_acts acts[3],
                    float *logits, cpu_counter *counter)
{
    ingle_backend *b = w->b;
    size_t n_panels = 0, first = 0;
    for (uint32_t i = 0; i < in->n_out; i++)
        n_panels += b->model->weights.matrix[in->out[i].weight].packed.n_panels;
    size_t few = n_panels / ((size_t)w->n * 12), at = 0;
    uint32_t o = 0;
    few = few < 1 ? 1 : few > 64 ? 64 : few;
    /* Task numbers run over the outputs one after the other, each in pieces of its unit. */
    size_t task = atomic_fetch_add(&counter->next, 1);
    while (o < in->n_out) {
        const ingle_packed *p = &b->model->weights.matrix[in->out[o].weight].packed;
        size_t unit = cpu_unit(w, m, p, few), n_tasks = (p->n_panels + unit - 1) / unit;
        if (task >= first + n_tasks) {
            first += n_tasks;
            o++;
            continue;
        }
        at = (task - first) * unit;
        size_t n = p->n_panels - at < unit ? p->n_panels - at : unit;
        ingle_buf dst = in->out[o].dst;
        ingle_matmul job = {.w = p,
                            .x = &acts[ingle_type_get(p->type)->act],
                            .out = logits ? logits : b->buf[dst],
                            .ld_out = b->model->plan.width[dst],
                            .scale = product_scale(w, &in->out[o]),
                            .bias = vec(w, in->out[o].bias),
                            .add = in->out[o].add,
                            .fetch = b->kern.fetch};
        cpu_multiply(w, &job, at, n);
        if (w->by_head) {
            size_t row = at * 16, end = (at + n) * 16;
            report_heads(w, dst, row, (end < p->n_rows ? end : p->n_rows) - row);
        }
        task = atomic_fetch_add(&counter->next, 1);
    }
}

static void matmul(const worker *w, const ingle_instr *in, cpu_counter *counter)
{
    ingle_acts acts[3];
    size_t m = n_rows(w, in);
    prepare(w, in, m, acts);
    product(w, in, m, acts, NULL, counter);
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

static bool plain_logits(const ingle_hparams *hp)
{
    return hp->logit_scale == 1.0f && hp->softcap_logits == 0.0f;
}

/* What the family does to logits, to n of them. */
static void finish_logits(const worker *w, float *dst, const float *src, size_t n)
{
    const ingle_hparams *hp = &w->b->model->hp;
    const ingle_kern *k = &w->b->kern;
    k->scale(dst, src, hp->logit_scale, n);
    if (hp->softcap_logits != 0.0f) k->softcap(dst, dst, hp->softcap_logits, n);
}

/* Logits of the wanted rows, some at a time, and each row to its owner. */
static void head(const worker *w, const ingle_instr *in, cpu_counter *counter)
{
    const ingle_batch *batch = w->b->batch;
    size_t m = batch->n_rows, n_vocab = w->b->model->plan.width[INGLE_BUF_LOGITS];
    bool plain = plain_logits(&w->b->model->hp);
    ingle_acts acts[3] = {{0}, {0}, {0}}, part[3];
    prepare(w, in, m, acts);
    if (m == 1) {
        size_t first, end;
        product(w, in, 1, acts, batch->row_out[0], counter);
        if (plain) return;
        cpu_barrier(w);
        split(w, n_vocab, &first, &end);
        finish_logits(w, batch->row_out[0] + first, batch->row_out[0] + first, end - first);
        return;
    }
    for (size_t at = 0; at < m; at += INGLE_HEAD_ROWS, counter++) {
        size_t n = m - at < INGLE_HEAD_ROWS ? m - at : INGLE_HEAD_ROWS, from, to;
        cpu_slice_acts(part, acts, at, n);
        product(w, in, n, part, w->b->buf[INGLE_BUF_LOGITS], counter);
        cpu_barrier(w);
        split(w, n, &from, &to);
        for (size_t r = from; r < to; r++) {
            const float *src = w->b->buf[INGLE_BUF_LOGITS] + r * n_vocab;
            if (plain) memcpy(batch->row_out[at + r], src, n_vocab * sizeof *src);
            else finish_logits(w, batch->row_out[at + r], src, n_vocab);
        }
        if (at + n < m) cpu_barrier(w);
    }
}

/* ---- the walk ---- */

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
    return cache->kv.head_dim_k * (qkv->n_heads / cache->n_heads + 1) + cache->kv.head_dim_v;
}

/* A batch of single tokens goes from the product that makes q, k and v to attention without a
 * barrier, head by head. What stores what `in` makes, if `in` is that product; else NULL. */
static const ingle_instr *feeds_heads(const ingle_backend *b, const ingle_instr *in)
{
    const ingle_instr *qkv = in + 1, *attention = in + 2;
    if (!b->single || in->op != INGLE_OP_MATMUL || in->n_out != 3 || qkv->op != INGLE_OP_QKV)
        return NULL;
    bool all = in->out[0].dst == INGLE_BUF_Q && in->out[1].dst == INGLE_BUF_K &&
               in->out[2].dst == INGLE_BUF_V && attention->op == INGLE_OP_ATTEND &&
               attention->cache == qkv->cache && b->cache[qkv->cache].due < CPU_DUES;
    return all ? qkv : NULL;
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
    for (size_t i = 0; i < b->model->plan.n_instr; i++) {
        const ingle_instr *in = &b->model->plan.instr[i], *qkv = NULL;
        if (!cpu_wants(b, in->when)) {
            if (w.clock) lap(w.clock, i);
            continue;
        }
        if (in->rows && !b->batch->n_rows) break; /* nothing behind the last attention is wanted */
        if (w.by_head) { /* the one before was the product; this is QKV: ATTEND does its work */
            const cpu_cache *cache = &b->cache[w.by_head->cache];
            w.n_due[cache->due] += rows_of_head(cache, w.by_head);
            w.by_head = NULL;
            if (w.clock) lap(w.clock, i);
            i++;
            qkv = in++;
        }
        w.by_head = feeds_heads(b, in);
        switch (in->op) {
        case INGLE_OP_EMBED: embed(&w, in); break;
        case INGLE_OP_MATMUL: matmul(&w, in, &b->counter[i]); break;
        case INGLE_OP_HEAD: head(&w, in, &b->counter[i]); break;
        case INGLE_OP_HEADS: cpu_heads(&w, in, &b->counter[i]); break;
        case INGLE_OP_STORE:
        case INGLE_OP_QKV: cpu_store(&w, in); break;
        case INGLE_OP_ROUTE: cpu_route(&w, in); break;
        case INGLE_OP_EXPERTS: cpu_experts(&w, in, &b->counter[i]); break;
        case INGLE_OP_REDUCE: cpu_reduce(&w, in); break;
        case INGLE_OP_POOL: cpu_pool(&w, in); break;
        case INGLE_OP_RESULT: cpu_result(&w, in); break;
        case INGLE_OP_ATTEND: cpu_attend(&w, in, qkv, &b->counter[i]); break;
        case INGLE_OP_CONV: cpu_conv(&w, in, &b->counter[i]); break;
        case INGLE_OP_SCAN: cpu_scan(&w, in, &b->counter[i]); break;
        case INGLE_OP_DELTA: cpu_delta(&w, in, &b->counter[i]); break;
        default: by_row(&w, in); break;
        }
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
    for (size_t i = 0; i < b->at.n_chosen; i++) atomic_init(&b->chosen[i], 0);
    b->n_running = ingle_pool_run(b->pool, walk, b);
    if (b->profile.on) cpu_profile_add(b, begun);
    b->batch = NULL;
}
