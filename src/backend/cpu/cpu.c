#include "backend/cpu/cpu.h"

#include <stdlib.h>
#include <string.h>

/* Bytes of a slot of recurrent state, and of all slots. at[i]: where state i of the plan lies in
 * a slot, in floats; may be NULL. */
static ingle_status lay_states(const ingle_placement *p, size_t home,
                               const ingle_backend_options *opt, size_t *at, size_t *slot,
                               size_t *all, ingle_error *err)
{
    const ingle_plan *plan = &p->program->plan;
    size_t n = 0;
    for (uint32_t i = 0; i < plan->n_state; i++) {
        bool here = ingle_place_has_state(p, home, i);
        if (at) at[i] = here ? n : SIZE_MAX;
        if (here) n += plan->state[i];
    }
    *slot = n * sizeof(float);
    if (ingle_mul_ok(*slot, opt->n_states, all)) return INGLE_OK;
    return ingle_fail(err, INGLE_ENOMEM, "no memory for %zu recurrent states of %zu bytes",
                      opt->n_states, *slot);
}

static size_t all_state_bytes(const ingle_backend *b)
{
    return b->state_bytes * b->opt.n_states;
}

static ingle_status cpu_memory(const ingle_placement *p, size_t home,
                               const ingle_backend_options *opt, ingle_home_memory *mem,
                               ingle_error *err)
{
    ingle_kern k;
    cpu_layout at = {0};
    cpu_pools pools;
    cpu_part *parts;
    size_t slot_bytes, n_parts, states;
    ingle_status st = cpu_lay_pages(p, home, opt, NULL, &pools, err);
    if (!st) st = lay_states(p, home, opt, NULL, &slot_bytes, &states, err);
    if (st) return st;
    st = cpu_parts(&parts, &n_parts, p, home, err);
    ingle_kern_init(&k, p->program->isa);
    if (!st) st = cpu_lay_out(&at, parts, n_parts, p, home, opt, &k, err);
    free(at.value);
    cpu_parts_free(parts, n_parts);
    mem->scratch = ingle_pages_bytes(at.total);
    mem->kv = ingle_pages_bytes(pools.bytes);
    mem->state = states ? ingle_pages_bytes(states) : 0;
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
    free(b->state_at);
    cpu_parts_free(b->part, b->n_parts);
    ingle_pages_free(b->pages, b->pools.bytes);
    ingle_pages_free(b->states, all_state_bytes(b));
    ingle_pages_free(b->arena, b->at.total);
    free(b);
}

static ingle_status cpu_read_state(ingle_backend *b, uint32_t slot, void *to, ingle_error *err)
{
    (void)err;
    if (b->state_bytes) memcpy(to, b->states + slot * b->state_bytes, b->state_bytes);
    return INGLE_OK;
}

static ingle_status cpu_write_state(ingle_backend *b, uint32_t slot, const void *from,
                                    ingle_error *err)
{
    (void)err;
    if (b->state_bytes) memcpy(b->states + slot * b->state_bytes, from, b->state_bytes);
    return INGLE_OK;
}

static size_t cpu_state_bytes(const ingle_backend *b)
{
    return b->state_bytes;
}

static float *cpu_rows_new(ingle_backend *b, size_t n)
{
    (void)b;
    return ingle_new(n, sizeof(float));
}

static void cpu_rows_free(ingle_backend *b, float *rows)
{
    (void)b;
    free(rows);
}

static float *floats_at(const ingle_backend *b, size_t offset)
{
    return (float *)(void *)(b->arena + offset);
}

static void place(ingle_backend *b)
{
    for (size_t i = 0; i < b->program->plan.n_value; i++)
        b->value[i] = b->at.value[i] == SIZE_MAX ? NULL : floats_at(b, b->at.value[i]);
    b->logits = floats_at(b, b->at.logits);
    for (size_t i = 0; i < INGLE_ROPE_TABLES; i++)
        b->rope[i] = b->at.rope[i] == SIZE_MAX ? NULL : floats_at(b, b->at.rope[i]);
    b->tok_seq = (uint32_t *)(void *)(b->arena + b->at.tok_seq);
    b->tok_pos = (uint32_t *)(void *)(b->arena + b->at.tok_pos);
    b->span[0] = (cpu_span *)(void *)(b->arena + b->at.spans);
    b->span[1] = b->span[0] + b->opt.n_seqs;
    b->page = (const uint8_t **)(void *)(b->arena + b->at.pages);
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
    if (b->states) touch_part(b->states, all_state_bytes(b), (size_t)i_thread, (size_t)n_threads);
}

/* Everything is taken at once (touch()), so that no later token finds the machine without memory.
 * What is not there is refused rather than left to the system to end us for. */
static ingle_status take_memory(ingle_backend *b, ingle_error *err)
{
    uint64_t available = ingle_memory_available("", true);
    size_t states = all_state_bytes(b), cache;
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

static ingle_status no_memory(ingle_error *err)
{
    return ingle_fail(err, INGLE_ENOMEM, "no memory for the CPU backend");
}

/* All that is known before memory is taken. */
static ingle_status plan_all(ingle_backend *b, ingle_error *err)
{
    const ingle_placement *p = b->placement;
    const ingle_plan *plain = &b->program->plan;
    size_t states;
    b->cache = ingle_new(plain->n_cache, sizeof *b->cache);
    b->value = ingle_new(plain->n_value, sizeof(float *));
    b->state_at = ingle_new(plain->n_state, sizeof *b->state_at);
    if (!b->cache || !b->value || !b->state_at) return no_memory(err);
    ingle_status st = cpu_parts(&b->part, &b->n_parts, p, b->home, err);
    for (size_t i = 0; i < b->n_parts; i++) b->n_instr += b->part[i].plan.n_instr;
    if (!st) st = cpu_lay_pages(p, b->home, &b->opt, b->cache, &b->pools, err);
    if (!st) st = lay_states(p, b->home, &b->opt, b->state_at, &b->state_bytes, &states, err);
    if (!st) st = cpu_lay_out(&b->at, b->part, b->n_parts, p, b->home, &b->opt, &b->kern, err);
    for (size_t i = 0; !st && i < plain->n_cache; i++)
        b->cache[i].due = cpu_due_of(&b->at, b->cache[i].n_heads);
    return st;
}

static ingle_status cpu_open(ingle_backend **out, const ingle_placement *placement, size_t home,
                             const ingle_backend_options *opt, ingle_error *err)
{
    ingle_backend *b = ingle_new(1, sizeof *b);
    *out = NULL;
    if (!b) return no_memory(err);
    b->placement = placement;
    b->program = placement->program;
    b->store = &placement->store[home];
    b->home = home;
    b->opt = *opt;
    ingle_kern_init(&b->kern, b->program->isa);
    ingle_status st = plan_all(b, err);
    if (!st) st = take_memory(b, err);
    if (!st) st = ingle_pool_open(&b->pool, opt->n_threads, err);
    if (st) {
        cpu_close(b);
        return st;
    }
    ingle_pool_run(b->pool, touch, b);
    place(b);
    *out = b;
    return INGLE_OK;
}

const ingle_backend_ops ingle_backend_cpu = {
    .name = "cpu",
    .open = cpu_open,
    .close = cpu_close,
    .memory = cpu_memory,
    .begin = cpu_begin,
    .part = cpu_run_part,
    .end = cpu_end,
    .times = cpu_times,
    .take = cpu_take,
    .put = cpu_put,
    .copy_pages = cpu_copy_pages,
    .read_pages = cpu_read_pages,
    .write_pages = cpu_write_pages,
    .shift_pages = cpu_shift_pages,
    .page_bytes = cpu_page_bytes,
    .read_state = cpu_read_state,
    .write_state = cpu_write_state,
    .state_bytes = cpu_state_bytes,
    .rows_new = cpu_rows_new,
    .rows_free = cpu_rows_free,
    .limits = cpu_limits,
    .profile = cpu_profile_switch,
    .profile_total = cpu_profile_total,
    .profile_row = cpu_profile_row,
};
