/* attend.inc.h - KV pages and attention (the arithmetic is in kern.h) over tile.inc.h.
 * Included once per level.
 * Parameters: the words of tile.inc.h and of a lanes_*.h, which are included first.
 *
 * A row is one query head of one token. Rows go in blocks of up to ATTEND_ROWS; a block takes four
 * steps per group of 256 positions:
 *
 *     scores   [row][position]: lanes = positions, chains over head_dim
 *     softmax  per row, over the positions it sees
 *     values   [row][dim]: lanes = dims, chains over positions
 *     merge    into the row's running (max, sum, out)
 *
 * Few rows read the pages as they are: memory is their limit. For many the group's keys and values
 * are taken in pieces, spread out as f32 into the first-level cache, and all rows pass over
 * each. The chains are the same.
 *
 * What no row sees is not touched, and no chain of a row ever includes a position the row does not
 * see: 0 * infinity is not 0. */
#ifndef TILE_INLINE
#error "include tile.inc.h first"
#endif

enum {
    ATTEND_ROWS = 96,   /* whole register tiles of every level */
    ATTEND_SPREAD = 24, /* from so many rows on spreading costs less than it saves */
    ATTEND_GROUP = INGLE_PAGE * INGLE_PAGE_GROUP,
    ATTEND_LD_S = ATTEND_GROUP + 16, /* rows must not fall into one cache set */
    ATTEND_KEYS = 2 * INGLE_PAGE, /* positions of a piece of spread keys: a tile's four vectors */
    ATTEND_LINES = 16,            /* positions a piece of spread values has at least */
    ATTEND_NEAR = 4096            /* floats of a piece, most of the first-level cache */
};

typedef struct attend_block {
    const ingle_attend *job;
    size_t n;                  /* rows */
    size_t ld_q, ld_o;         /* of the arrays below */
    size_t first[ATTEND_ROWS]; /* row sees positions first .. end - 1; both ascend with the row */
    size_t end[ATTEND_ROWS];
    size_t pos[ATTEND_ROWS]; /* where the row's token stands */
    float slope[ATTEND_ROWS];
    bool seen[ATTEND_ROWS]; /* there is something to merge into: */
    float max[ATTEND_ROWS], sum[ATTEND_ROWS];
    float *dst[ATTEND_ROWS]; /* where the row's result goes */
    float *q;                /* [rows][ld_q] */
    float *out;              /* [rows][ld_o] */

    /* the group at hand: the pages at .. stop - 1 that any row sees, K and V; what follows is
     * fetched ahead */
    size_t group, at, stop, n_pages;
    const char *keys[INGLE_PAGE_GROUP + 1], *values[INGLE_PAGE_GROUP + 1];
    bool spread;
    float *near; /* [ATTEND_NEAR] a piece of keys or values as f32 */
    float group_max[ATTEND_ROWS], group_sum[ATTEND_ROWS];
    float *s; /* [rows][ATTEND_LD_S] scores, then p */
    float *o; /* [rows][ld_o] */
} attend_block;

static size_t attend_ld(size_t head_dim)
{
    return ingle_round_up(head_dim, 16) + 16;
}

static size_t attend_scratch_bytes(size_t head_dim_k, size_t head_dim_v, size_t n_group)
{
    (void)n_group; /* any number of rows is cut into blocks */
    size_t rows = attend_ld(head_dim_k) + 2 * attend_ld(head_dim_v) + ATTEND_LD_S;
    size_t near = max_size(ATTEND_NEAR, ATTEND_LINES * ingle_round_up(head_dim_v, 16));
    return ingle_round_up(sizeof(attend_block), 64) + (ATTEND_ROWS * rows + near) * sizeof(float);
}

static void attend_place(attend_block *b, const ingle_attend *job)
{
    b->job = job;
    b->ld_q = attend_ld(job->kv->head_dim_k);
    b->ld_o = attend_ld(job->kv->head_dim_v);
    b->q = (float *)((char *)b + ingle_round_up(sizeof *b, 64));
    b->out = b->q + ATTEND_ROWS * b->ld_q;
    b->s = b->out + ATTEND_ROWS * b->ld_o;
    b->o = b->s + ATTEND_ROWS * ATTEND_LD_S;
    b->near = b->o + ATTEND_ROWS * b->ld_o;
}

static void attend_rows(attend_block *b, size_t row0, size_t n)
{
    const ingle_attend *job = b->job;
    const size_t dims_k = job->kv->head_dim_k, dims_v = job->kv->head_dim_v;
    size_t t = row0 / job->n_group, g = row0 % job->n_group;
    b->n = n;
    b->spread = n >= ATTEND_SPREAD;
    for (size_t r = 0; r < n; r++) {
        memcpy(b->q + r * b->ld_q, job->q + t * job->ld_q + g * dims_k, dims_k * sizeof(float));
        b->dst[r] = job->out + t * job->ld_out + g * dims_v;
        const size_t pos = job->pos0 + t, side = job->window / 2;
        b->pos[r] = pos;
        b->slope[r] = job->slopes ? job->slopes[g] : 0.0f;
        b->end[r] = pos + 1;
        b->first[r] = job->window && b->end[r] > job->window ? b->end[r] - job->window : 0;
        if (job->n_seen) {
            b->end[r] = job->window ? min_size(job->n_seen, pos + side + 1) : job->n_seen;
            b->first[r] = job->window && pos > side ? pos - side : 0;
        }
        b->seen[r] = false;
        if (++g == job->n_group) g = 0, t++;
    }
}

/* ---- one group of 256 positions ---- */

static const char *attend_slot(const attend_block *b, size_t pos)
{
    return (const char *)b->job->pages[pos / INGLE_PAGE] + b->job->slot;
}

/* Behind the keys come the values, behind the values the next group's keys. */
static void attend_pages(attend_block *b, size_t group)
{
    const size_t last = b->end[b->n - 1];
    b->group = group;
    b->at = max_size(group, b->first[0] / INGLE_PAGE * INGLE_PAGE);
    b->stop = min_size(group + ATTEND_GROUP, last);
    b->n_pages = 0;
    for (size_t pos = b->at; pos < b->stop; pos += INGLE_PAGE) {
        b->keys[b->n_pages] = attend_slot(b, pos);
        b->values[b->n_pages++] = attend_slot(b, pos) + b->job->kv->v;
    }
    b->keys[b->n_pages] = b->values[0];
    b->values[b->n_pages] = b->stop < last ? attend_slot(b, b->stop) : NULL;
}

/* ingle_kv_shape_init() lets no other types through than F32, F16, BF16 and Q8_0. */
static int attend_type(const attend_block *b, bool values)
{
    const ingle_type type = b->job->kv->type;
    if (type == INGLE_TYPE_F32) return TILE_F32;
    if (type == INGLE_TYPE_F16) return TILE_F16;
    if (type == INGLE_TYPE_BF16) return TILE_BF16;
    return values ? TILE_Q8_V : TILE_Q8_K;
}

/* What a piece further on will read is asked for: pages lie anywhere, hardware does not foresee the
 * next one. `page` is one of keys or values, NULL behind the last. */
TILE_INLINE void attend_ahead(const char *page, size_t at, size_t bytes)
{
    for (size_t i = 0; page && i < bytes; i += 64) __builtin_prefetch(page + at + i);
}

/* n dimensions from d on of n_pages pages' keys, as [dim][ATTEND_KEYS] f32. */
TILE_INLINE void attend_keys_as(const attend_block *b, int type, size_t page, size_t n_pages,
                                size_t d, size_t n)
{
    for (size_t i = 0; i < n_pages; i++) {
        const char *k = b->keys[page + i],
                   *next = b->keys[min_size(page + ATTEND_KEYS / INGLE_PAGE + i, b->n_pages)];
        const float *scale = (const float *)(k + b->job->kv->k_scale);
        for (size_t j = 0; j < n; j++) {
            const size_t line = INGLE_PAGE * tile_unit(type), at = (d + j) * line;
            attend_ahead(next, at, line);
            tile_spread(type, k + at, scale + (d + j) / 32 * INGLE_PAGE,
                        b->near + j * ATTEND_KEYS + i * INGLE_PAGE, INGLE_PAGE);
        }
    }
}

/* Positions from .. to - 1 of the values, as [position][dims] f32. */
TILE_INLINE void attend_values_as(const attend_block *b, int type, size_t from, size_t to)
{
    const ingle_kv_shape *kv = b->job->kv;
    const size_t dims = ingle_round_up(kv->head_dim_v, 16), scales = (kv->head_dim_v + 31) / 32;
    const size_t line = dims * tile_unit(type), ahead = max_size(ATTEND_NEAR / dims, INGLE_PAGE);
    for (size_t pos = from; pos < to; pos++) {
        const size_t page = (pos - b->at) / INGLE_PAGE, j = pos % INGLE_PAGE;
        const char *v = b->values[page];
        const float *scale = (const float *)(v + kv->v_scale - kv->v);
        attend_ahead(b->values[min_size(page + ahead / INGLE_PAGE, b->n_pages)], j * line, line);
        tile_spread(type, v + j * line, scale + j * scales, b->near + (pos - from) * dims, dims);
    }
}

static void attend_near_keys(const attend_block *b, size_t page, size_t n_pages, size_t d, size_t n)
{
    const int type = attend_type(b, false);
    if (type == TILE_F32) attend_keys_as(b, TILE_F32, page, n_pages, d, n);
    else if (type == TILE_F16) attend_keys_as(b, TILE_F16, page, n_pages, d, n);
    else if (type == TILE_BF16) attend_keys_as(b, TILE_BF16, page, n_pages, d, n);
    else attend_keys_as(b, TILE_Q8_K, page, n_pages, d, n);
}

static void attend_near_values(const attend_block *b, size_t from, size_t to)
{
    const int type = attend_type(b, true);
    if (type == TILE_F32) attend_values_as(b, TILE_F32, from, to);
    else if (type == TILE_F16) attend_values_as(b, TILE_F16, from, to);
    else if (type == TILE_BF16) attend_values_as(b, TILE_BF16, from, to);
    else attend_values_as(b, TILE_Q8_V, from, to);
}

/* Scores of rows r0 .. r1 - 1 with the pages from `page` on; the chains begin at dimension d. */
static void attend_products(const attend_block *b, size_t r0, size_t r1, size_t page,
                            size_t n_pages, size_t d, size_t n)
{
    const char *near = (const char *)b->near;
    tile t = {.pages = b->spread ? &near : b->keys + page,
              .page_rows = n,
              .a_step = b->spread ? ATTEND_KEYS : INGLE_PAGE,
              .a_vec = 16,
              .scale = b->job->kv->k_scale,
              .scale_step = INGLE_PAGE,
              .n = n,
              .b = b->q + r0 * b->ld_q + d,
              .ld_b = b->ld_q,
              .c = b->s + r0 * ATTEND_LD_S + (b->at - b->group) + page * INGLE_PAGE,
              .ld_c = ATTEND_LD_S,
              .start = d == 0};
    tile_all(b->spread ? TILE_NEAR : attend_type(b, false), r1 - r0, n_pages * INGLE_PAGE / 16, &t);
}

/* Scores of every piece (a page, or two spread ones) for the rows that see any of it. */
static void attend_scores(const attend_block *b)
{
    const size_t piece = b->spread ? ATTEND_KEYS : INGLE_PAGE, dims = b->job->kv->head_dim_k,
                 most = b->spread ? ATTEND_NEAR / ATTEND_KEYS : dims;
    size_t r0 = 0, r1;
    for (size_t at = b->at; at < b->stop; at += piece) {
        const size_t page = (at - b->at) / INGLE_PAGE,
                     n_pages = min_size(piece / INGLE_PAGE, b->n_pages - page);
        while (b->end[r0] <= at) r0++;
        for (r1 = b->n; b->first[r1 - 1] >= at + piece;) r1--;
        for (size_t d = 0, n; d < dims; d += n) {
            n = min_size(dims - d, most);
            if (b->spread) attend_near_keys(b, page, n_pages, d, n);
            attend_products(b, r0, r1, page, n_pages, d, n);
        }
    }
}

/* The part of the group that row r sees: [*from, *to), from the group's start. */
static bool attend_sees(const attend_block *b, size_t r, int *from, int *to)
{
    size_t first = max_size(b->first[r], b->group), end = min_size(b->end[r], b->stop);
    *from = (int)(first - b->group);
    *to = (int)(end - b->group);
    return first < end;
}

/* x less what ALiBi takes off the scores of positions group + j ..: exact distances below 2^24. */
static inline v16 attend_bias(const attend_block *b, size_t r, int j, v16 x)
{
    static const float lane[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    const float from = (float)((double)(b->group + (size_t)j) - (double)b->pos[r]);
    return v_fma(v_set(-b->slope[r]), v_abs(v_add(v_set(from), v_load(lane))), x);
}

/* Row r: q k to scores and their max. */
static void attend_max(attend_block *b, size_t r, int from, int to)
{
    const ingle_attend *job = b->job;
    float *s = b->s + r * ATTEND_LD_S;
    const v16 scale = v_set(job->scale), cap = v_set(job->softcap);
    v16 max = v_set(-INFINITY);
    for (int j = from & ~15; j < to; j += 16) {
        v16 x = v_mul(v_load(s + j), scale);
        if (job->softcap != 0.0f) x = v_mul(cap, v_tanh(v_div(x, cap)));
        if (job->slopes) x = attend_bias(b, r, j, x);
        if (j < from || j + 16 > to) x = v_keep(x, from - j, to - j, -INFINITY);
        max = v_max(x, max);
        v_store(s + j, x);
    }
    b->group_max[r] = v_hmax(max);
}

/* Scores to probabilities and their sum. Apart from attend_max so that rows overlap in time: a
 * maximum takes long to come together. */
static void attend_exp(attend_block *b, size_t r, int from, int to)
{
    float *s = b->s + r * ATTEND_LD_S;
    const v16 max = v_set(b->group_max[r]);
    v16 sum = v_set(0.0f);
    for (int j = from & ~15; j < to; j += 16) {
        v16 p = v_exp(v_sub(v_load(s + j), max));
        if (j < from || j + 16 > to) p = v_keep(p, from - j, to - j, 0.0f);
        sum = v_add(sum, p);
        v_store(s + j, p);
    }
    b->group_sum[r] = v_sum(sum);
}

static void attend_softmax(attend_block *b)
{
    enum { AHEAD = 4 };
    int from[AHEAD], to[AHEAD];
    for (size_t r = 0; r < b->n + AHEAD - 1; r++) {
        if (r < b->n && attend_sees(b, r, &from[r % AHEAD], &to[r % AHEAD]))
            attend_max(b, r, from[r % AHEAD], to[r % AHEAD]);
        size_t e = r - (AHEAD - 1);
        if (r >= AHEAD - 1 && from[e % AHEAD] < to[e % AHEAD])
            attend_exp(b, e, from[e % AHEAD], to[e % AHEAD]);
    }
}

/* o of rows r .. r + n - 1 (+)= p v over positions from .. to - 1; all of them see these. `piece` is
 * the first position that is near. */
static void attend_sum(const attend_block *b, size_t piece, size_t r, size_t n, size_t from,
                       size_t to, bool start)
{
    const ingle_kv_shape *kv = b->job->kv;
    const size_t dims = ingle_round_up(kv->head_dim_v, 16);
    if (from >= to) return;
    const char *near = (const char *)(b->near + (from - piece) * dims);
    tile t = {.pages = b->spread ? &near : b->values + (from - b->at) / INGLE_PAGE,
              .page_rows = INGLE_PAGE,
              .first = from % INGLE_PAGE,
              .a_step = dims,
              .a_vec = 16,
              .scale = kv->v_scale - kv->v,
              .scale_step = (kv->head_dim_v + 31) / 32,
              .n = to - from,
              .b = b->s + r * ATTEND_LD_S + (from - b->group),
              .ld_b = ATTEND_LD_S,
              .c = b->o + r * b->ld_o,
              .ld_c = b->ld_o,
              .start = start};
    tile_all(b->spread ? TILE_NEAR : attend_type(b, true), n, dims / 16, &t);
}

/* As attend_sum for the ends that the rows do not share: every token's rows alone. */
static void attend_ragged(const attend_block *b, size_t piece, size_t r, size_t n, size_t from,
                          size_t to)
{
    for (size_t i = 0, same; i < n && from < to; i += same) {
        for (same = 1; i + same < n && b->end[r + i + same] == b->end[r + i] &&
                       b->first[r + i + same] == b->first[r + i];
             same++) {}
        attend_sum(b, piece, r + i, same, max_size(from, b->first[r + i]),
                   min_size(to, b->end[r + i]), false);
    }
}

/* Values by pieces of positions; in each first what a tile's rows see in part, then what all do. */
static void attend_values(const attend_block *b)
{
    const size_t dims = ingle_round_up(b->job->kv->head_dim_v, 16);
    const int type = b->spread ? TILE_NEAR : attend_type(b, true);
    /* One tile of rows for all there is to read: memory is the limit, and whole pages stream best.
     */
    const size_t piece = b->spread           ? max_size(ATTEND_NEAR / dims, ATTEND_LINES)
                         : b->n <= TILE_ROWS ? INGLE_PAGE
                                             : ATTEND_GROUP;
    for (size_t at = b->at, to; at < b->stop; at = to) {
        to = b->spread ? at + piece : (at / piece + 1) * piece;
        to = min_size(to, b->stop);
        if (b->spread) attend_near_values(b, at, to);
        for (size_t r = 0, n; r < b->n; r += n) {
            n = tile_rows(type, b->n - r);
            const size_t common = min_size(max_size(b->first[r + n - 1], at), to),
                         stop = max_size(min_size(b->end[r], to), common);
            const bool first = at == b->at, start = first && common == at && stop > at;
            if (first && !start) memset(b->o + r * b->ld_o, 0, n * b->ld_o * sizeof(float));
            attend_ragged(b, at, r, n, at, common);
            attend_sum(b, at, r, n, common, stop, start);
            attend_ragged(b, at, r, n, stop, to);
        }
    }
}

static void attend_merge(attend_block *b, size_t r)
{
    const size_t dims = ingle_round_up(b->job->kv->head_dim_v, 16);
    float *o = b->o + r * b->ld_o, *out = b->out + r * b->ld_o;
    if (!b->seen[r]) {
        b->seen[r] = true;
        b->max[r] = b->group_max[r];
        b->sum[r] = b->group_sum[r];
        memcpy(out, o, dims * sizeof(float));
        return;
    }
    float max = b->max[r] > b->group_max[r] ? b->max[r] : b->group_max[r];
    v16 keep = v_exp(v_set(b->max[r] - max)), take = v_exp(v_set(b->group_max[r] - max));
    for (size_t d = 0; d < dims; d += 16)
        v_store(out + d, v_fma(v_load(o + d), take, v_mul(v_load(out + d), keep)));
    b->sum[r] = v_first(v_fma(v_set(b->group_sum[r]), take, v_mul(v_set(b->sum[r]), keep)));
    b->max[r] = max;
}

/* The sink takes its share of the sum. */
static void attend_sink(attend_block *b, size_t r, float sink)
{
    const size_t dims = ingle_round_up(b->job->kv->head_dim_v, 16);
    float *out = b->out + r * b->ld_o, max = b->max[r] > sink ? b->max[r] : sink;
    v16 keep = v_exp(v_set(b->max[r] - max)), take = v_exp(v_set(sink - max));
    for (size_t d = 0; d < dims; d += 16) v_store(out + d, v_mul(v_load(out + d), keep));
    b->sum[r] = v_first(v_fma(v_set(b->sum[r]), keep, take));
}

static void attend_group(attend_block *b, size_t group)
{
    int from, to;
    attend_pages(b, group);
    attend_scores(b);
    attend_softmax(b);
    attend_values(b);
    for (size_t r = 0; r < b->n; r++)
        if (attend_sees(b, r, &from, &to)) attend_merge(b, r);
}

static void attend(const ingle_attend *job, void *scratch)
{
    attend_block *b = scratch;
    const size_t n_rows = job->n_tokens * job->n_group, dims = job->kv->head_dim_v;
    attend_place(b, job);
    for (size_t row = 0, n; row < n_rows; row += n) {
        n = min_size(n_rows - row, ATTEND_ROWS);
        attend_rows(b, row, n);
        for (size_t at = b->first[0] / ATTEND_GROUP * ATTEND_GROUP; at < b->end[n - 1];
             at += ATTEND_GROUP)
            attend_group(b, at);
        for (size_t r = 0; r < n; r++) {
            if (job->sinks) attend_sink(b, r, job->sinks[(row + r) % job->n_group]);
            v16 sum = v_set(b->sum[r]);
            for (size_t d = 0; d < dims; d += 16)
                v_store_n(b->dst[r] + d, v_div(v_load(b->out + r * b->ld_o + d), sum), dims - d);
        }
    }
}

/* ---- storing ---- */

/* Finite values beyond what f16 holds become +-65504: an overflowing key must not turn a row into
 * NaN. */
static inline void store_f16(uint16_t *p, v16 x)
{
    v16 clamped = v_min(v_set(65504.0f), v_max(v_set(-65504.0f), x));
    v_store_f16(p, v_pick_lt(v_abs(x), v_set(INFINITY), clamped, x));
}

static void store_lines(ingle_type type, void *dst, const float *src, size_t n)
{
    for (size_t d = 0; d < n; d += 16) {
        v16 x = v_load_n(src + d, n - d);
        if (type == INGLE_TYPE_F32) v_store((float *)dst + d, x);
        else if (type == INGLE_TYPE_F16) store_f16((uint16_t *)dst + d, x);
        else v_store_bf16((uint16_t *)dst + d, x);
    }
}

/* One block of up to 32 values to int8 (32 stored); returns the scale amax / 127. What is not
 * finite makes the scale NaN, so it reaches the output. */
static float store_q8(int8_t *dst, const float *src, size_t n)
{
    v16 x0 = v_load_n(src, n), x1 = n > 16 ? v_load_n(src + 16, n - 16) : v_set(0.0f),
        zero = v_set(0.0f);
    float amax = v_hmax(v_max(v_abs(x0), v_abs(x1)));
    bool finite = v_sum(v_fma(x0, zero, v_mul(x1, zero))) == 0.0f;
    v16 inv = v_set(!finite || amax == 0.0f ? 0.0f : fminf(127.0f / amax, 0x1.fffffep127f));
    v16 hi = v_set(127.0f), lo = v_set(-127.0f);
    v_store_s8(dst, v_min(hi, v_max(lo, v_mul(x0, inv))));
    v_store_s8(dst + 16, v_min(hi, v_max(lo, v_mul(x1, inv))));
    return finite ? amax / 127.0f : NAN;
}

static void kv_store_q8(const ingle_kv_shape *s, uint8_t *slot, size_t i, const float *k,
                        const float *v)
{
    size_t dims_v = ingle_round_up(s->head_dim_v, 16), n_scales = (s->head_dim_v + 31) / 32;
    int8_t line[32], *values = (int8_t *)slot + s->v + i * dims_v;
    float *k_scale = (float *)(slot + s->k_scale), *v_scale = (float *)(slot + s->v_scale);
    for (size_t d = 0; d < s->head_dim_k; d += 32) {
        size_t n = min_size(32, s->head_dim_k - d);
        k_scale[d / 32 * INGLE_PAGE + i] = store_q8(line, k + d, n);
        for (size_t j = 0; j < n; j++) ((int8_t *)slot)[(d + j) * INGLE_PAGE + i] = line[j];
    }
    for (size_t d = 0; d < s->head_dim_v; d += 32) {
        v_scale[i * n_scales + d / 32] = store_q8(line, v + d, min_size(32, s->head_dim_v - d));
        memcpy(values + d, line, min_size(32, dims_v - d));
    }
}

static void kv_store(const ingle_kv_shape *s, uint8_t *slot, size_t i, const float *k,
                     const float *v)
{
    if (s->type == INGLE_TYPE_Q8_0) {
        kv_store_q8(s, slot, i, k, v);
        return;
    }
    const size_t unit = s->type == INGLE_TYPE_F32 ? 4 : 2;
    store_lines(s->type, slot + s->v + i * ingle_round_up(s->head_dim_v, 16) * unit, v,
                s->head_dim_v);
    for (size_t d = 0; d < s->head_dim_k; d += 16) {
        union {
            uint16_t u[16];
            float f[16];
        } line;
        size_t n = min_size(16, s->head_dim_k - d);
        store_lines(s->type, &line, k + d, n);
        for (size_t j = 0; j < n; j++) {
            size_t at = (d + j) * INGLE_PAGE + i;
            if (unit == 4) ((float *)slot)[at] = line.f[j];
            else ((uint16_t *)slot)[at] = line.u[j];
        }
    }
}

static void attend_init(ingle_kern *k)
{
    k->kv_store = kv_store;
    k->attend = attend;
    k->attend_rows = ATTEND_ROWS;
    k->attend_scratch_bytes = attend_scratch_bytes;
}
