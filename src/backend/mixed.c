/* mixed.c - several homes as one backend: each runs its stretches of the plan, one after the
 * other, and values that cross wait in memory of this host between them. Pages and states have
 * the same numbers on every home; of a page each home holds its own caches. */
#include "backend/backend.h"

#include <stdlib.h>
#include <string.h>

/* A run of bytes of a page, or of a slot of state, that one home holds. */
typedef struct piece {
    size_t home, at, of_home, bytes; /* offsets in the whole, and in what the home gives */
} piece;

typedef struct pieces {
    piece *list;
    size_t n, bytes, home_bytes[INGLE_MAX_HOMES]; /* of the whole; of each home */
} pieces;

struct ingle_backend {
    const ingle_placement *p;
    const ingle_backend_ops *ops[INGLE_MAX_HOMES];
    ingle_backend *home[INGLE_MAX_HOMES];
    float **waits; /* [n_value] of values that cross homes: all rows; else NULL */
    pieces page[INGLE_GROUPS], state;
    void *spare; /* a page or a slot of one home, at most */
};

static const ingle_backend_ops *ops_of(const ingle_home *home)
{
    return home->backend ? home->backend : &ingle_backend_cpu;
}

const ingle_backend_ops *ingle_backend_of(const ingle_placement *placement)
{
    return placement->n_homes == 1 ? ops_of(&placement->home[0]) : &ingle_backend_mixed;
}

/* ---- opening ---- */

static void mixed_close(ingle_backend *b)
{
    if (!b) return;
    for (size_t h = 0; h < b->p->n_homes; h++)
        if (b->home[h]) b->ops[h]->close(b->home[h]);
    for (size_t v = 0; b->waits && v < b->p->program->plan.n_value; v++) free(b->waits[v]);
    for (int g = 0; g < INGLE_GROUPS; g++) free(b->page[g].list);
    free(b->state.list);
    free(b->waits);
    free(b->spare);
    free(b);
}

/* A piece of so many bytes that the home holds after its others. */
static void add_piece(pieces *p, size_t home, size_t bytes)
{
    p->list[p->n++] = (piece){home, p->bytes, p->home_bytes[home], bytes};
    p->bytes += bytes;
    p->home_bytes[home] += bytes;
}

/* Caches and states in the plan's order, whichever home has them. */
static ingle_status find_pieces(ingle_backend *b, ingle_type kv_type)
{
    const ingle_plan *plan = &b->p->program->plan;
    ingle_kv_shape kv;
    size_t most = 1;
    for (int g = 0; g < INGLE_GROUPS; g++)
        if (!(b->page[g].list = ingle_new(plan->n_cache, sizeof(piece)))) return INGLE_ENOMEM;
    if (!(b->state.list = ingle_new(plan->n_state, sizeof(piece)))) return INGLE_ENOMEM;
    for (uint32_t c = 0; c < plan->n_cache; c++)
        for (size_t h = 0; h < b->p->n_homes; h++) {
            const ingle_cache *cache = &plan->cache[c];
            if (!ingle_place_has_cache(b->p, h, c)) continue;
            ingle_kv_shape_init(&kv, kv_type, cache->head_dim_k, cache->head_dim_v);
            add_piece(&b->page[ingle_cache_group(cache)], h, kv.bytes * cache->n_head_kv);
        }
    for (uint32_t s = 0; s < plan->n_state; s++)
        for (size_t h = 0; h < b->p->n_homes; h++)
            if (ingle_place_has_state(b->p, h, s))
                add_piece(&b->state, h, plan->state[s] * sizeof(float));
    for (size_t h = 0; h < b->p->n_homes; h++) {
        for (int g = 0; g < INGLE_GROUPS; g++)
            if (b->page[g].home_bytes[h] > most) most = b->page[g].home_bytes[h];
        if (b->state.home_bytes[h] > most) most = b->state.home_bytes[h];
    }
    return (b->spare = malloc(most)) ? INGLE_OK : INGLE_ENOMEM;
}

/* Memory for what crosses. */
static ingle_status find_waits(ingle_backend *b, const ingle_backend_options *opt)
{
    const ingle_plan *plan = &b->p->program->plan;
    if (!(b->waits = ingle_new(plan->n_value, sizeof(float *)))) return INGLE_ENOMEM;
    for (size_t i = 0; i < b->p->n_stretches; i++) {
        const ingle_stretch *s = &b->p->stretch[i];
        for (size_t k = 0; k < s->n_out; k++) {
            const ingle_value *v = &plan->value[s->out[k]];
            float **to = &b->waits[s->out[k]];
            if (!*to) *to = ingle_new(opt->n_batch * v->times * v->width, sizeof(float));
            if (!*to) return INGLE_ENOMEM;
        }
    }
    return INGLE_OK;
}

static ingle_status mixed_open(ingle_backend **out, const ingle_placement *p, size_t home,
                               const ingle_backend_options *opt, ingle_error *err)
{
    ingle_backend *b = ingle_new(1, sizeof *b);
    (void)home;
    *out = NULL;
    if (!b) return ingle_fail(err, INGLE_ENOMEM, "no memory for the backend");
    b->p = p;
    ingle_status st = find_pieces(b, opt->kv_type);
    if (!st) st = find_waits(b, opt);
    if (st) ingle_fail(err, st, "no memory for the backend");
    for (size_t h = 0; !st && h < p->n_homes; h++) {
        b->ops[h] = ops_of(&p->home[h]);
        st = b->ops[h]->open(&b->home[h], p, h, opt, err);
    }
    if (st) {
        mixed_close(b);
        return st;
    }
    *out = b;
    return INGLE_OK;
}

static ingle_status mixed_memory(const ingle_placement *p, size_t home,
                                 const ingle_backend_options *opt, ingle_home_memory *mem,
                                 ingle_error *err)
{
    return ops_of(&p->home[home])->memory(p, home, opt, mem, err);
}

/* ---- a step ---- */

static ingle_status mixed_begin(ingle_backend *b, const ingle_batch *batch, ingle_error *err)
{
    ingle_status st = INGLE_OK;
    for (size_t h = 0; !st && h < b->p->n_homes; h++) st = b->ops[h]->begin(b->home[h], batch, err);
    return st;
}

static ingle_status mixed_part(ingle_backend *b, size_t i_stretch, ingle_error *err)
{
    const ingle_stretch *s = &b->p->stretch[i_stretch];
    const ingle_backend_ops *ops = b->ops[s->home];
    ingle_backend *home = b->home[s->home];
    ingle_status st = INGLE_OK;
    for (size_t i = 0; !st && i < s->n_in; i++)
        st = ops->put(home, s->in[i], b->waits[s->in[i]], err);
    if (!st) st = ops->part(home, i_stretch, err);
    for (size_t i = 0; !st && i < s->n_out; i++)
        st = ops->take(home, s->out[i], b->waits[s->out[i]], err);
    return st;
}

static ingle_status mixed_end(ingle_backend *b, ingle_error *err)
{
    ingle_status st = INGLE_OK;
    for (size_t h = 0; !st && h < b->p->n_homes; h++) st = b->ops[h]->end(b->home[h], err);
    return st;
}

static void mixed_times(const ingle_backend *b, ingle_step_times *times)
{
    *times = (ingle_step_times){0};
    for (size_t h = 0; h < b->p->n_homes; h++) {
        ingle_step_times own;
        b->ops[h]->times(b->home[h], &own);
        times->body += own.body, times->attend += own.attend, times->rows += own.rows;
    }
}

/* A value out of its last home, into its next one: parts do it themselves. */
static ingle_status mixed_take(ingle_backend *b, ingle_val v, float *to, ingle_error *err)
{
    (void)b, (void)v, (void)to;
    return ingle_fail(err, INGLE_EUNSUPPORTED,
                      "values cross between the homes of one backend only");
}

static ingle_status mixed_put(ingle_backend *b, ingle_val v, const float *from, ingle_error *err)
{
    (void)b, (void)v, (void)from;
    return ingle_fail(err, INGLE_EUNSUPPORTED,
                      "values cross between the homes of one backend only");
}

/* ---- pages and states ---- */

static ingle_status mixed_copy_pages(ingle_backend *b, ingle_group group, const uint32_t *to,
                                     const uint32_t *from, size_t n, ingle_error *err)
{
    ingle_status st = INGLE_OK;
    for (size_t h = 0; !st && h < b->p->n_homes; h++)
        st = b->ops[h]->copy_pages(b->home[h], group, to, from, n, err);
    return st;
}

static ingle_status mixed_shift_pages(ingle_backend *b, ingle_group group, const uint32_t *pages,
                                      size_t n, int32_t by, ingle_error *err)
{
    ingle_status st = INGLE_OK;
    for (size_t h = 0; !st && h < b->p->n_homes; h++)
        st = b->ops[h]->shift_pages(b->home[h], group, pages, n, by, err);
    return st;
}

/* What home h has of the whole to the spare memory, or from it. */
static void gather(const ingle_backend *b, const pieces *p, size_t h, const uint8_t *whole)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->list[i].home == h)
            memcpy((uint8_t *)b->spare + p->list[i].of_home, whole + p->list[i].at,
                   p->list[i].bytes);
}

static void scatter(const ingle_backend *b, const pieces *p, size_t h, uint8_t *whole)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->list[i].home == h)
            memcpy(whole + p->list[i].at, (const uint8_t *)b->spare + p->list[i].of_home,
                   p->list[i].bytes);
}

static ingle_status mixed_read_pages(ingle_backend *b, ingle_group group, const uint32_t *pages,
                                     size_t n, void *to, ingle_error *err)
{
    const pieces *p = &b->page[group];
    ingle_status st = INGLE_OK;
    for (size_t i = 0; i < n; i++)
        for (size_t h = 0; !st && h < b->p->n_homes; h++) {
            st = b->ops[h]->read_pages(b->home[h], group, pages + i, 1, b->spare, err);
            if (!st) scatter(b, p, h, (uint8_t *)to + i * p->bytes);
        }
    return st;
}

static ingle_status mixed_write_pages(ingle_backend *b, ingle_group group, const uint32_t *pages,
                                      size_t n, const void *from, ingle_error *err)
{
    const pieces *p = &b->page[group];
    ingle_status st = INGLE_OK;
    for (size_t i = 0; i < n; i++)
        for (size_t h = 0; !st && h < b->p->n_homes; h++) {
            gather(b, p, h, (const uint8_t *)from + i * p->bytes);
            st = b->ops[h]->write_pages(b->home[h], group, pages + i, 1, b->spare, err);
        }
    return st;
}

static size_t mixed_page_bytes(const ingle_backend *b, ingle_group group)
{
    return b->page[group].bytes;
}

static ingle_status mixed_read_state(ingle_backend *b, uint32_t slot, void *to, ingle_error *err)
{
    ingle_status st = INGLE_OK;
    for (size_t h = 0; !st && h < b->p->n_homes; h++) {
        st = b->ops[h]->read_state(b->home[h], slot, b->spare, err);
        if (!st) scatter(b, &b->state, h, to);
    }
    return st;
}

static ingle_status mixed_write_state(ingle_backend *b, uint32_t slot, const void *from,
                                      ingle_error *err)
{
    ingle_status st = INGLE_OK;
    for (size_t h = 0; !st && h < b->p->n_homes; h++) {
        gather(b, &b->state, h, from);
        st = b->ops[h]->write_state(b->home[h], slot, b->spare, err);
    }
    return st;
}

static size_t mixed_state_bytes(const ingle_backend *b)
{
    return b->state.bytes;
}

/* ---- rows, limits, profiles ---- */

static size_t last_home(const ingle_backend *b)
{
    return b->p->stretch[b->p->n_stretches - 1].home;
}

static float *mixed_rows_new(ingle_backend *b, size_t n)
{
    size_t h = last_home(b);
    return b->ops[h]->rows_new(b->home[h], n);
}

static void mixed_rows_free(ingle_backend *b, float *rows)
{
    size_t h = last_home(b);
    b->ops[h]->rows_free(b->home[h], rows);
}

static ingle_status mixed_limits(ingle_backend *b, ingle_limits *limits, ingle_error *err)
{
    return b->ops[0]->limits(b->home[0], limits, err);
}

static ingle_status mixed_profile(ingle_backend *b, bool on, ingle_error *err)
{
    ingle_status st = INGLE_OK;
    for (size_t h = 0; !st && h < b->p->n_homes; h++) st = b->ops[h]->profile(b->home[h], on, err);
    return st;
}

static void mixed_profile_total(const ingle_backend *b, ingle_profile *total)
{
    ingle_profile own = {0};
    b->ops[0]->profile_total(b->home[0], total);
    for (size_t h = 1; h < b->p->n_homes; h++) {
        b->ops[h]->profile_total(b->home[h], &own);
        total->step_s += own.step_s;
        total->dispatch_s += own.dispatch_s;
    }
}

/* Home after home. */
static bool mixed_profile_row(const ingle_backend *b, size_t i, ingle_profile_row *row)
{
    ingle_profile_row any;
    for (size_t h = 0; h < b->p->n_homes; h++) {
        if (b->ops[h]->profile_row(b->home[h], i, row)) return true;
        size_t n = 0;
        while (b->ops[h]->profile_row(b->home[h], n, &any)) n++;
        i -= n;
    }
    return false;
}

const ingle_backend_ops ingle_backend_mixed = {
    .name = "mixed",
    .open = mixed_open,
    .close = mixed_close,
    .memory = mixed_memory,
    .begin = mixed_begin,
    .part = mixed_part,
    .end = mixed_end,
    .times = mixed_times,
    .take = mixed_take,
    .put = mixed_put,
    .copy_pages = mixed_copy_pages,
    .read_pages = mixed_read_pages,
    .write_pages = mixed_write_pages,
    .shift_pages = mixed_shift_pages,
    .page_bytes = mixed_page_bytes,
    .read_state = mixed_read_state,
    .write_state = mixed_write_state,
    .state_bytes = mixed_state_bytes,
    .rows_new = mixed_rows_new,
    .rows_free = mixed_rows_free,
    .limits = mixed_limits,
    .profile = mixed_profile,
    .profile_total = mixed_profile_total,
    .profile_row = mixed_profile_row,
};
