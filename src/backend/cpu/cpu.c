#include "backend/cpu/cpu.h"

#include <stdlib.h>
#include <string.h>

/* Takes n bytes of the arena; sizes were bounded by the checks on hyper-parameters and options, so
 * 64 bits hold them. */
static size_t take(size_t *total, size_t n)
{
    size_t at = *total;
    *total = ingle_round_up(at + n, INGLE_ALIGN);
    return at;
}

/* Widest input of any product, in columns. */
static size_t max_cols(const ingle_model *m)
{
    size_t most = m->hp.n_embd;
    for (size_t i = 0; i < m->weights.n_matrix; i++)
        if (m->weights.matrix[i].packed.n_cols > most) most = m->weights.matrix[i].packed.n_cols;
    return most;
}

static bool uses_class(const ingle_model *m, ingle_act act)
{
    for (size_t i = 0; i < m->weights.n_matrix; i++)
        if (ingle_type_get(m->weights.matrix[i].packed.type)->act == act) return true;
    return false;
}

static size_t attend_scratch(const ingle_model *m, const ingle_kern *k)
{
    size_t most = 0;
    for (size_t i = 0; i < m->plan.n_instr; i++) {
        const ingle_instr *in = &m->plan.instr[i];
        if (in->op != INGLE_OP_ATTEND) continue;
        const ingle_cache *c = &m->plan.cache[in->cache];
        size_t n =
            k->attend_scratch_bytes(c->head_dim_k, c->head_dim_v, in->n_heads / c->n_head_kv);
        if (n > most) most = n;
    }
    return most;
}

/* Bytes of the rows of one head, as any matrix of a head wants them. */
static size_t head_acts(const ingle_model *m, size_t n_batch)
{
    size_t most = 0;
    for (size_t i = 0; i < m->plan.n_instr; i++) {
        const ingle_instr *in = &m->plan.instr[i];
        if (in->op != INGLE_OP_HEADS) continue;
        const ingle_packed *p = &m->weights.matrix[in->out[0].weight].packed;
        ingle_act class = ingle_type_get(p->type)->act;
        size_t n = class == INGLE_ACT_F32 ? 0 : ingle_acts_bytes(class, n_batch, p->n_cols);
        if (n > most) most = n;
    }
    return most;
}

/* Which counters a number of kv heads has; CPU_DUES: none. */
static uint32_t due_of(cpu_layout *at, size_t n_heads)
{
    for (uint32_t i = 0; i < CPU_DUES; i++) {
        if (!at->n_heads[i]) at->n_heads[i] = n_heads;
        if (at->n_heads[i] == n_heads) return i;
    }
    return CPU_DUES;
}

/* Bytes of the panels that one task packs of what is mapped. */
static size_t task_panels(const ingle_model *m, const ingle_kern *k, size_t n_batch)
{
    size_t most = 0;
    for (size_t i = 0; i < m->weights.n_matrix; i++) {
        const ingle_packed *p = &m->weights.matrix[i].packed;
        if (!m->weights.matrix[i].mapped) continue;
        bool floats = ingle_type_get(p->type)->act == INGLE_ACT_F32;
        size_t n = floats ? k->gemm_panels_f : k->gemm_panels;
        if (n_batch <= k->gemv_tokens) n = 1;
        if (n > p->n_panels) n = p->n_panels;
        if (n * p->panel_bytes > most) most = n * p->panel_bytes;
    }
    return most;
}

static void layout(cpu_layout *at, const ingle_model *m, const ingle_backend_options *opt,
                   const ingle_kern *k)
{
    memset(at, 0, sizeof *at);
    size_t *total = &at->total;
    const ingle_moe *moe = &m->hp.moe;
    at->max_cols = max_cols(m);
    for (int i = 0; i < INGLE_BUF_COUNT; i++) {
        size_t rows = i == INGLE_BUF_LOGITS ? INGLE_HEAD_ROWS : opt->n_batch;
        if (i > INGLE_BUF_LOGITS) rows = opt->n_seqs; /* of texts */
        if (rows > opt->n_batch) rows = opt->n_batch;
        at->buf[i] = take(total, rows * m->plan.width[i] * sizeof(float));
    }
    for (int c = INGLE_ACT_Q32; c <= INGLE_ACT_Q256; c++) {
        if (!uses_class(m, (ingle_act)c)) continue;
        at->acts_bytes[c] = ingle_acts_bytes((ingle_act)c, opt->n_batch, at->max_cols);
        at->acts[c] = take(total, at->acts_bytes[c]);
        at->pair_acts[c] =
            take(total, ingle_acts_bytes((ingle_act)c, opt->n_batch * moe->n_used, at->max_cols));
    }
    at->n_rot = m->hp.rope.n_rot > m->hp.rope_swa.n_rot ? m->hp.rope.n_rot : m->hp.rope_swa.n_rot;
    at->rope = take(total, ingle_model_rope_sets(m) * opt->n_batch * at->n_rot * sizeof(float));
    at->tok_seq = take(total, opt->n_batch * sizeof(uint32_t));
    at->tok_pos = take(total, opt->n_batch * sizeof(uint32_t));
    at->spans = take(total, (opt->n_seqs + opt->n_batch) * sizeof(cpu_span));
    at->pages =
        take(total, opt->n_seqs * INGLE_GROUPS * (opt->n_ctx / INGLE_PAGE) * sizeof(void *));
    at->page_first = take(total, opt->n_seqs * INGLE_GROUPS * sizeof(size_t));
    at->n_counters = m->plan.n_instr + opt->n_batch / INGLE_HEAD_ROWS + 1;
    at->counters = take(total, at->n_counters * sizeof(cpu_counter));
    for (size_t i = 0; i < m->plan.n_cache; i++) due_of(at, m->plan.cache[i].n_head_kv);
    for (int i = 0; i < CPU_DUES; i++)
        at->heads[i] = take(total, at->n_heads[i] * sizeof(cpu_counter));
    at->n_chosen = (size_t)m->hp.n_layer * moe->n_expert;
    at->chosen = take(total, at->n_chosen * sizeof(atomic_uint));

    size_t own = 0;
    at->t_row = take(&own, at->max_cols * sizeof(float));
    for (int c = INGLE_ACT_Q32; c <= INGLE_ACT_Q256; c++)
        if (at->acts_bytes[c])
            at->t_acts[c] = take(&own, ingle_acts_bytes((ingle_act)c, 1, at->max_cols));
    size_t scratch = k->scratch_bytes(opt->n_batch, at->max_cols);
    size_t attend = attend_scratch(m, k);
    at->t_scratch = take(&own, scratch > attend ? scratch : attend);
    at->t_heads = take(&own, head_acts(m, opt->n_batch));
    at->t_panels = take(&own, task_panels(m, k, opt->n_batch));
    if (moe->n_expert) /* three floats and a byte each; or a number each and one more */
        at->t_route = take(&own, (3 * sizeof(float) + 1) * moe->n_expert + sizeof(uint32_t));
    at->thread_bytes = ingle_round_up(own, 4096);
    *total = ingle_round_up(*total, 4096);
    at->thread = take(total, at->thread_bytes * (size_t)opt->n_threads);
}

/* A page holds 32 positions of every cache of its group, one after the other. cache may be NULL. Sizes
 * were bounded by the checks on hyper-parameters: 4,096 caches of 65,536 heads of 1 MiB fit. */
static ingle_status lay_pages(const ingle_model *m, const ingle_backend_options *opt,
                              cpu_cache *cache, cpu_pools *pools, ingle_error *err)
{
    ingle_kv_shape kv;
    *pools = (cpu_pools){{0}, {0}, 0};
    if (!ingle_kv_shape_init(&kv, opt->kv_type, 1, 1)) {
        const char *name = ingle_type_known_name((unsigned)opt->kv_type);
        return ingle_fail(err, INGLE_EUNSUPPORTED,
                          "option 'kv_type': %s is not supported (F32, F16, BF16, Q8_0 are)",
                          name ? name : "an unknown type");
    }
    for (size_t i = 0; i < m->plan.n_cache; i++) {
        const ingle_cache *c = &m->plan.cache[i];
        ingle_kv_shape_init(&kv, opt->kv_type, c->head_dim_k, c->head_dim_v);
        ingle_group group = ingle_cache_group(c);
        size_t *bytes = &pools->page_bytes[group];
        if (cache)
            cache[i] = (cpu_cache){.kv = kv, .group = group, .at = *bytes, .n_heads = c->n_head_kv};
        *bytes += kv.bytes * c->n_head_kv;
    }
    for (int g = 0; g < INGLE_GROUPS; g++) {
        size_t bytes;
        pools->at[g] = pools->bytes;
        if (!ingle_mul_ok(pools->page_bytes[g], opt->n_pages[g], &bytes) ||
            !ingle_add_ok(pools->bytes, bytes, &pools->bytes))
            return ingle_fail(err, INGLE_ENOMEM, "no memory for %zu KV pages of %zu bytes",
                              opt->n_pages[g], pools->page_bytes[g]);
    }
    return INGLE_OK;
}

/* Bytes of a slot of recurrent state, and of all slots. */
static ingle_status state_size(const ingle_model *m, const ingle_backend_options *opt, size_t *slot,
                               size_t *all, ingle_error *err)
{
    *slot = m->plan.state_floats * sizeof(float);
    if (ingle_mul_ok(*slot, opt->n_states, all)) return INGLE_OK;
    return ingle_fail(err, INGLE_ENOMEM, "no memory for %zu recurrent states of %zu bytes",
                      opt->n_states, *slot);
}

static size_t state_bytes_of(const ingle_backend *b)
{
    return b->state_bytes * b->opt.n_states;
}

static ingle_status cpu_memory(const ingle_model *m, const ingle_backend_options *opt, size_t *kv,
                               size_t *state, size_t *scratch, ingle_error *err)
{
    ingle_kern k;
    cpu_layout at;
    cpu_pools pools;
    size_t slot_bytes;
    ingle_status st = lay_pages(m, opt, NULL, &pools, err);
    if (!st) st = state_size(m, opt, &slot_bytes, state, err);
    if (st) return st;
    ingle_kern_init(&k, m->isa);
    layout(&at, m, opt, &k);
    *scratch = ingle_pages_bytes(at.total);
    *kv = ingle_pages_bytes(pools.bytes);
    *state = *state ? ingle_pages_bytes(*state) : 0;
    return INGLE_OK;
}

static void cpu_close(ingle_backend *b)
{
    if (!b) return;
    ingle_pool_close(&b->pool);
    free(b->profile.block);
    free(b->cache);
    ingle_pages_free(b->pages, b->pools.bytes);
    ingle_pages_free(b->states, state_bytes_of(b));
    ingle_pages_free(b->arena, b->at.total);
    free(b);
}

static void cpu_clear(ingle_backend *b, ingle_group group, const uint32_t *pages, size_t n)
{
    size_t bytes = b->pools.page_bytes[group];
    for (size_t i = 0; i < n; i++)
        memset(b->pages + b->pools.at[group] + pages[i] * bytes, 0, bytes);
}

static void cpu_copy_state(ingle_backend *b, uint32_t to, uint32_t from)
{
    memcpy(b->states + to * b->state_bytes, b->states + from * b->state_bytes, b->state_bytes);
}

static void place(ingle_backend *b)
{
    for (int i = 0; i < INGLE_BUF_COUNT; i++)
        b->buf[i] = (float *)(void *)(b->arena + b->at.buf[i]);
    b->rope = (float *)(void *)(b->arena + b->at.rope);
    b->tok_seq = (uint32_t *)(void *)(b->arena + b->at.tok_seq);
    b->tok_pos = (uint32_t *)(void *)(b->arena + b->at.tok_pos);
    b->span[0] = (cpu_span *)(void *)(b->arena + b->at.spans);
    b->span[1] = b->span[0] + b->opt.n_seqs;
    b->page = (const uint8_t **)(void *)(b->arena + b->at.pages);
    b->page_first = (size_t *)(void *)(b->arena + b->at.page_first);
    b->counter = (cpu_counter *)(void *)(b->arena + b->at.counters);
    for (int i = 0; i < CPU_DUES; i++)
        b->heads[i] = (cpu_counter *)(void *)(b->arena + b->at.heads[i]);
    b->chosen = (atomic_uint *)(void *)(b->arena + b->at.chosen);
}

static void touch_part(void *mem, size_t bytes, size_t i, size_t n)
{
    size_t n_pages = ingle_pages_bytes(bytes) / INGLE_PAGE_BYTES;
    size_t from = n_pages * i / n, to = n_pages * (i + 1) / n;
    ingle_pages_touch((uint8_t *)mem + from * INGLE_PAGE_BYTES, (to - from) * INGLE_PAGE_BYTES);
}

static void touch(void *arg, ingle_pool *pool, int i_thread, int n_threads)
{
    ingle_backend *b = arg;
    (void)pool;
    touch_part(b->arena, b->at.total, (size_t)i_thread, (size_t)n_threads);
    touch_part(b->pages, b->pools.bytes, (size_t)i_thread, (size_t)n_threads);
    if (b->states) touch_part(b->states, state_bytes_of(b), (size_t)i_thread, (size_t)n_threads);
}

/* Everything is taken at once (touch()), so that no later token finds the machine without memory.
 * What is not there is refused rather than left to the system to end us for. */
static ingle_status take_memory(ingle_backend *b, ingle_error *err)
{
    uint64_t available = ingle_memory_available("", true);
    size_t states = state_bytes_of(b), cache;
    bool fits = ingle_add_ok(b->pools.bytes, states, &cache);
    if (!fits || cache > available || b->at.total > available - cache)
        return ingle_fail(err, INGLE_ENOMEM,
                          "no memory for %zu bytes of KV pages, %zu of recurrent state and %zu of "
                          "scratch: %llu are left%s",
                          b->pools.bytes, states, b->at.total, (unsigned long long)available,
                          ingle_memory_source(""));
    b->arena = ingle_pages_new(b->at.total);
    b->pages = ingle_pages_new(b->pools.bytes);
    if (states) b->states = ingle_pages_new(states);
    if (b->arena && b->pages && (b->states || !states)) return INGLE_OK;
    return ingle_fail(err, INGLE_ENOMEM,
                      "no memory for %zu bytes of KV pages, %zu of recurrent state and %zu of "
                      "scratch",
                      b->pools.bytes, states, b->at.total);
}

static ingle_status cpu_open(ingle_backend **out, ingle_model *model,
                             const ingle_backend_options *opt, ingle_error *err)
{
    ingle_backend *b = ingle_new(1, sizeof *b);
    *out = NULL;
    if (!b) return ingle_fail(err, INGLE_ENOMEM, "no memory for the CPU backend");
    b->model = model;
    b->opt = *opt;
    ingle_kern_init(&b->kern, model->isa);
    size_t states;
    ingle_status st = INGLE_ENOMEM;
    if (!(b->cache = ingle_new(model->plan.n_cache, sizeof *b->cache))) {
        ingle_fail(err, st, "no memory for the CPU backend");
        goto fail;
    }
    st = lay_pages(model, opt, b->cache, &b->pools, err);
    if (!st) st = state_size(model, opt, &b->state_bytes, &states, err);
    if (st) goto fail;
    layout(&b->at, model, opt, &b->kern);
    for (size_t i = 0; i < model->plan.n_cache; i++)
        b->cache[i].due = due_of(&b->at, b->cache[i].n_heads);
    if ((st = take_memory(b, err))) goto fail;
    if ((st = ingle_pool_open(&b->pool, opt->n_threads, err))) goto fail;
    ingle_pool_run(b->pool, touch, b);
    place(b);
    *out = b;
    return INGLE_OK;
fail:
    cpu_close(b);
    return st;
}

const ingle_backend_ops ingle_backend_cpu = {
    .name = "cpu",
    .open = cpu_open,
    .close = cpu_close,
    .memory = cpu_memory,
    .clear = cpu_clear,
    .copy_state = cpu_copy_state,
    .run = cpu_run,
    .limits = cpu_limits,
    .profile = cpu_profile_switch,
    .profile_total = cpu_profile_total,
    .profile_row = cpu_profile_row,
};

static void add_attention(const ingle_model *model, const ingle_instr *in, ingle_type kv_type,
                          ingle_cost *cost)
{
    const ingle_cache *c = &model->plan.cache[in->cache];
    ingle_kv_shape kv;
    if (!in->rows) cost->attend_macs += (double)in->n_heads * (c->head_dim_k + c->head_dim_v);
    if (ingle_kv_shape_init(&kv, kv_type, c->head_dim_k, c->head_dim_v))
        cost->kv_bytes += (double)kv.bytes / INGLE_PAGE * c->n_head_kv;
}

void ingle_backend_cost(const ingle_model *model, ingle_type kv_type, ingle_cost *cost)
{
    memset(cost, 0, sizeof *cost);
    for (size_t i = 0; i < model->plan.n_instr; i++) {
        const ingle_instr *in = &model->plan.instr[i];
        if (in->op == INGLE_OP_ATTEND) add_attention(model, in, kv_type, cost);
        bool experts = in->op == INGLE_OP_EXPERTS;
        bool heads = in->op == INGLE_OP_HEADS;
        bool matmul = in->op == INGLE_OP_MATMUL && in->when == INGLE_WHEN_ALWAYS;
        double times = experts ? model->hp.moe.n_used : heads ? in->n_heads : 1; /* of one token */
        if (!matmul && in->op != INGLE_OP_HEAD && !experts && !heads) continue;
        for (uint32_t o = 0; o < in->n_out; o++) {
            const ingle_packed *p = &model->weights.matrix[in->out[o].weight].packed;
            double macs = times * (double)p->n_rows * (double)p->n_cols;
            bool head = in->rows;
            *(head ? &cost->head_macs : &cost->matmul_macs) += macs;
            if (ingle_type_get(p->type)->act == INGLE_ACT_F32)
                *(head ? &cost->head_float_macs : &cost->matmul_float_macs) += macs;
            if (p->type == INGLE_TYPE_BF16)
                *(head ? &cost->head_bf16_macs : &cost->matmul_bf16_macs) += macs;
            cost->weight_bytes += times * (double)p->n_rows * (double)p->row_bytes;
        }
    }
}
