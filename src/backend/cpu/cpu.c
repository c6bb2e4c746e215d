#include "backend/cpu/cpu.h"

#include <stdlib.h>
#include <string.h>

/* A page holds 32 positions of every cache of its group, one after the other. cache may be NULL. Sizes
 * were bounded by the checks on hyper-parameters: 4,096 caches of 65,536 heads of 1 MiB fit. */
static ingle_status lay_pages(const ingle_plan *plan, const ingle_backend_options *opt,
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
    for (size_t i = 0; i < plan->n_cache; i++) {
        const ingle_cache *c = &plan->cache[i];
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
static ingle_status state_size(const ingle_plan *plan, const ingle_backend_options *opt,
                               size_t *slot, size_t *all, ingle_error *err)
{
    *slot = plan->state_floats * sizeof(float);
    if (ingle_mul_ok(*slot, opt->n_states, all)) return INGLE_OK;
    return ingle_fail(err, INGLE_ENOMEM, "no memory for %zu recurrent states of %zu bytes",
                      opt->n_states, *slot);
}

static size_t state_bytes_of(const ingle_backend *b)
{
    return b->state_bytes * b->opt.n_states;
}

static ingle_status cpu_memory(const ingle_program *program, const ingle_backend_options *opt,
                               size_t *kv, size_t *state, size_t *scratch, ingle_error *err)
{
    ingle_kern k;
    cpu_layout at = {0};
    cpu_pools pools;
    ingle_plan plan;
    size_t slot_bytes;
    ingle_status st = lay_pages(&program->plan, opt, NULL, &pools, err);
    if (!st) st = state_size(&program->plan, opt, &slot_bytes, state, err);
    if (!st)
        st = ingle_plan_fuse(&plan, &program->plan, 0, program->plan.n_instr, program->fuse, err);
    if (st) return st;
    ingle_kern_init(&k, program->isa);
    st = cpu_lay_out(&at, &plan, &program->weights, opt, &k, err);
    free(at.value);
    ingle_plan_fused_free(&plan);
    *scratch = ingle_pages_bytes(at.total);
    *kv = ingle_pages_bytes(pools.bytes);
    *state = *state ? ingle_pages_bytes(*state) : 0;
    return st;
}

static void cpu_close(ingle_backend *b)
{
    if (!b) return;
    ingle_pool_close(&b->pool);
    free(b->profile.block);
    free(b->cache);
    free(b->at.value);
    free(b->value);
    ingle_plan_fused_free(&b->plan);
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

static float *floats_at(const ingle_backend *b, size_t offset)
{
    return (float *)(void *)(b->arena + offset);
}

static void place(ingle_backend *b)
{
    for (size_t i = 0; i < b->plan.n_value; i++)
        b->value[i] = b->at.value[i] == SIZE_MAX ? NULL : floats_at(b, b->at.value[i]);
    b->logits = floats_at(b, b->at.logits);
    for (size_t i = 0; i < INGLE_ROPE_TABLES; i++)
        b->rope[i] = b->at.rope[i] == SIZE_MAX ? NULL : floats_at(b, b->at.rope[i]);
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

static ingle_status cpu_open(ingle_backend **out, const ingle_program *program,
                             const ingle_backend_options *opt, ingle_error *err)
{
    const ingle_plan *plain = &program->plan;
    ingle_backend *b = ingle_new(1, sizeof *b);
    *out = NULL;
    if (!b) return ingle_fail(err, INGLE_ENOMEM, "no memory for the CPU backend");
    b->program = program;
    b->opt = *opt;
    ingle_kern_init(&b->kern, program->isa);
    size_t states;
    ingle_status st = INGLE_ENOMEM;
    b->cache = ingle_new(plain->n_cache, sizeof *b->cache);
    b->value = ingle_new(plain->n_value, sizeof(float *));
    if (!b->cache || !b->value) {
        ingle_fail(err, st, "no memory for the CPU backend");
        goto fail;
    }
    st = ingle_plan_fuse(&b->plan, plain, 0, plain->n_instr, program->fuse, err);
    if (!st) st = lay_pages(plain, opt, b->cache, &b->pools, err);
    if (!st) st = state_size(plain, opt, &b->state_bytes, &states, err);
    if (!st) st = cpu_lay_out(&b->at, &b->plan, &program->weights, opt, &b->kern, err);
    if (st) goto fail;
    for (size_t i = 0; i < plain->n_cache; i++)
        b->cache[i].due = cpu_due_of(&b->at, b->cache[i].n_heads);
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
