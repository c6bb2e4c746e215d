/* pages.c - the pools of pages: where caches lie in a page, and what is done to whole pages. */
#include "backend/cpu/cpu.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A page holds 32 positions of every cache of its group, one after the other. cache may be NULL.
 * Sizes were bounded by the checks on hyper-parameters: 4,096 caches of 65,536 heads of 1 MiB
 * fit. */
ingle_status cpu_lay_pages(const ingle_placement *p, size_t home, const ingle_backend_options *opt,
                           cpu_cache *cache, cpu_pools *pools, ingle_error *err)
{
    const ingle_plan *plan = &p->program->plan;
    ingle_kv_shape kv;
    *pools = (cpu_pools){{0}, {0}, 0};
    if (!ingle_kv_shape_init(&kv, opt->kv_type, 1, 1)) {
        const char *name = ingle_type_known_name((unsigned)opt->kv_type);
        return ingle_fail(err, INGLE_EUNSUPPORTED,
                          "option 'kv_type': %s is not supported (F32, F16, BF16, Q8_0 are)",
                          name ? name : "an unknown type");
    }
    for (uint32_t i = 0; i < plan->n_cache; i++) {
        if (!ingle_place_has_cache(p, home, i)) continue;
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

static uint8_t *page_of(const ingle_backend *b, ingle_group group, uint32_t page)
{
    return b->pages + b->pools.at[group] + page * b->pools.page_bytes[group];
}

size_t cpu_page_bytes(const ingle_backend *b, ingle_group group)
{
    return b->pools.page_bytes[group];
}

void cpu_clear_pages(ingle_backend *b, ingle_group group, const uint32_t *pages, size_t n)
{
    for (size_t i = 0; i < n; i++)
        memset(page_of(b, group, pages[i]), 0, b->pools.page_bytes[group]);
}

ingle_status cpu_copy_pages(ingle_backend *b, ingle_group group, const uint32_t *to,
                            const uint32_t *from, size_t n, ingle_error *err)
{
    (void)err;
    for (size_t i = 0; i < n; i++)
        memmove(page_of(b, group, to[i]), page_of(b, group, from[i]), b->pools.page_bytes[group]);
    return INGLE_OK;
}

ingle_status cpu_read_pages(ingle_backend *b, ingle_group group, const uint32_t *pages, size_t n,
                            void *to, ingle_error *err)
{
    size_t bytes = b->pools.page_bytes[group];
    (void)err;
    for (size_t i = 0; i < n; i++)
        memcpy((uint8_t *)to + i * bytes, page_of(b, group, pages[i]), bytes);
    return INGLE_OK;
}

ingle_status cpu_write_pages(ingle_backend *b, ingle_group group, const uint32_t *pages, size_t n,
                             const void *from, ingle_error *err)
{
    size_t bytes = b->pools.page_bytes[group];
    (void)err;
    for (size_t i = 0; i < n; i++)
        memcpy(page_of(b, group, pages[i]), (const uint8_t *)from + i * bytes, bytes);
    return INGLE_OK;
}

/* ---- shifting ---- */

/* How the keys of a cache were rotated; NULL: they were not. */
static const ingle_instr *rope_of(const ingle_plan *plan, uint32_t cache)
{
    for (size_t i = 0; i < plan->n_instr; i++) {
        if (plan->instr[i].op != INGLE_OP_STORE || plan->instr[i].store.cache != cache) continue;
        for (size_t k = i; k-- > 0;)
            if (plan->instr[k].op == INGLE_OP_ROPE &&
                plan->instr[k].dst[0] == plan->instr[i].src[0])
                return &plan->instr[k];
    }
    return NULL;
}

/* Element (d, i) of the keys of a slot. */
static float key_at(const ingle_kv_shape *kv, const uint8_t *slot, size_t d, size_t i)
{
    size_t at = d * INGLE_PAGE + i;
    if (kv->type == INGLE_TYPE_F32) return ((const float *)(const void *)slot)[at];
    if (kv->type == INGLE_TYPE_F16)
        return ingle_f16_to_f32(((const uint16_t *)(const void *)slot)[at]);
    if (kv->type == INGLE_TYPE_BF16)
        return ingle_bf16_to_f32(((const uint16_t *)(const void *)slot)[at]);
    const float *scales = (const float *)(const void *)(slot + kv->k_scale);
    return (float)((const int8_t *)slot)[at] * scales[d / 32 * INGLE_PAGE + i];
}

/* Position i's key as another slot of the same shape holds it. */
static void copy_key(const ingle_kv_shape *kv, uint8_t *to, const uint8_t *from, size_t i)
{
    size_t unit = kv->type == INGLE_TYPE_F32 ? 4 : kv->type == INGLE_TYPE_Q8_0 ? 1 : 2;
    for (size_t d = 0; d < kv->head_dim_k; d++)
        memcpy(to + (d * INGLE_PAGE + i) * unit, from + (d * INGLE_PAGE + i) * unit, unit);
    if (kv->type != INGLE_TYPE_Q8_0) return;
    for (size_t d = 0; d < (kv->head_dim_k + 31) / 32; d++) {
        size_t at = kv->k_scale + (d * INGLE_PAGE + i) * sizeof(float);
        memcpy(to + at, from + at, sizeof(float));
    }
}

/* Rotates the keys of a head of 32 positions on, by f32 values that the page's type rounds
 * again. */
typedef struct shifter {
    const ingle_instr *rope;
    const ingle_rope_table *table;
    float *cs, *k, *v; /* [n_rot] cosine and sine of the distance; a key; a value of zeros */
    uint8_t *spare;    /* a slot */
} shifter;

static void shift_slot(const ingle_backend *b, const ingle_kv_shape *kv, uint8_t *slot,
                       const shifter *s)
{
    for (size_t i = 0; i < INGLE_PAGE; i++) {
        for (size_t d = 0; d < kv->head_dim_k; d++) s->k[d] = key_at(kv, slot, d, i);
        b->kern.rope(s->k + s->rope->rope.at, s->cs, s->table->n_rot, s->table->halves);
        b->kern.kv_store(kv, s->spare, i, s->k, s->v);
        copy_key(kv, slot, s->spare, i);
    }
}

static ingle_status shift_cache(ingle_backend *b, uint32_t cache, const uint32_t *pages, size_t n,
                                int32_t by, ingle_error *err)
{
    const ingle_plan *plan = &b->program->plan;
    const cpu_cache *c = &b->cache[cache];
    shifter s = {.rope = rope_of(plan, cache)};
    if (!s.rope) return INGLE_OK;
    s.table = &plan->rope[s.rope->rope.table];
    s.cs = ingle_new(s.table->n_rot, sizeof *s.cs);
    s.k = ingle_new(c->kv.head_dim_k, sizeof *s.k);
    s.v = ingle_new(c->kv.head_dim_v, sizeof *s.v);
    s.spare = ingle_new(c->kv.bytes, 1);
    ingle_status st = s.cs && s.k && s.v && s.spare
                          ? INGLE_OK
                          : ingle_fail(err, INGLE_ENOMEM, "no memory for shifting pages");
    bool stretched = s.table->freq_long && (double)b->opt.n_ctx > s.table->n_ctx_orig;
    const double *freq = stretched ? s.table->freq_long : s.table->freq;
    for (size_t i = 0; !st && i < s.table->n_rot / 2; i++) {
        s.cs[2 * i] = (float)cos(by * freq[i]);
        s.cs[2 * i + 1] = (float)sin(by * freq[i]);
    }
    for (size_t i = 0; !st && i < n; i++)
        for (uint32_t h = 0; h < c->n_heads; h++)
            shift_slot(b, &c->kv, page_of(b, c->group, pages[i]) + c->at + h * c->kv.bytes, &s);
    free(s.cs);
    free(s.k);
    free(s.v);
    free(s.spare);
    return st;
}

ingle_status cpu_shift_pages(ingle_backend *b, ingle_group group, const uint32_t *pages, size_t n,
                             int32_t by, ingle_error *err)
{
    ingle_status st = INGLE_OK;
    for (uint32_t c = 0; !st && c < b->program->plan.n_cache; c++)
        if (b->cache[c].n_heads && b->cache[c].group == group)
            st = shift_cache(b, c, pages, n, by, err);
    return st;
}
