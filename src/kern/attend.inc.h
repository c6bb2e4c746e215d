/* attend.inc.h - KV pages and attention (the arithmetic is in kern.h) over tile.inc.h.
 * Included once per level.
 *
 * A row is one query head of one token. Rows go in blocks of up to ATTEND_ROWS; a block goes
 * through the groups of 256 positions:
 *
 *     scores   [row][position]: tiles with lanes = positions, chains over head_dim, page by page
 *     softmax  per row, over the positions it sees
 *     values   [row][dim]: tiles with lanes = dims, chains over positions, page by page
 *     merge    into the row's running (max, sum, out)
 *
 * Few rows (decode) read the pages as they are; many rows convert a page to f32 once for the block.
 * A page no row sees is not touched, and no chain of a row ever includes a position the row does
 * not see: 0 * infinity is not 0. */

enum {
    ATTEND_ROWS = 48,
    ATTEND_GROUP = INGLE_PAGE * INGLE_PAGE_GROUP,
    ATTEND_LD_S = ATTEND_GROUP + 16, /* rows must not fall into one cache set */
    ATTEND_SPAN = 4 * INGLE_PAGE /* positions of V converted at a time, so that chains are long */
};

typedef struct attend_block {
    const ingle_attend *job;
    size_t n;                  /* rows */
    size_t row0;               /* first row of the job */
    size_t ld_q, ld_o;         /* of the arrays below */
    size_t first[ATTEND_ROWS]; /* row sees positions first .. end - 1; both ascend with the row */
    size_t end[ATTEND_ROWS];
    float max[ATTEND_ROWS], sum[ATTEND_ROWS];         /* of this group */
    float all_max[ATTEND_ROWS], all_sum[ATTEND_ROWS]; /* of the groups so far */
    bool seen[ATTEND_ROWS];
    float *q;     /* [rows][ld_q] */
    float *s;     /* [rows][ATTEND_LD_S] scores, then probabilities */
    float *o;     /* [rows][ld_o] of this group */
    float *all_o; /* [rows][ld_o] of the groups so far */
    float *wide;  /* a K page or a span of V in f32 */
    bool direct;  /* pages are read as they are */
} attend_block;

static size_t attend_ld(size_t head_dim)
{
    return ingle_round_up(head_dim, 16) + 16;
}

static size_t attend_wide(size_t head_dim_k, size_t head_dim_v)
{
    return max_size(INGLE_PAGE * head_dim_k, ATTEND_SPAN * ingle_round_up(head_dim_v, 16));
}

static size_t attend_scratch_bytes(size_t head_dim_k, size_t head_dim_v, size_t n_group)
{
    (void)n_group; /* any number of rows is cut into blocks */
    size_t wide = attend_wide(head_dim_k, head_dim_v);
    size_t per_row = attend_ld(head_dim_k) + ATTEND_LD_S + 2 * attend_ld(head_dim_v);
    return ingle_round_up(sizeof(attend_block), 64) +
           (wide + ATTEND_ROWS * per_row) * sizeof(float);
}

static void attend_place(attend_block *b, const ingle_attend *job)
{
    b->job = job;
    b->ld_q = attend_ld(job->kv->head_dim_k);
    b->ld_o = attend_ld(job->kv->head_dim_v);
    b->wide = (float *)((char *)b + ingle_round_up(sizeof *b, 64));
    b->s = b->wide + attend_wide(job->kv->head_dim_k, job->kv->head_dim_v);
    b->q = b->s + ATTEND_ROWS * ATTEND_LD_S;
    b->o = b->q + ATTEND_ROWS * b->ld_q;
    b->all_o = b->o + ATTEND_ROWS * b->ld_o;
}

static void attend_rows(attend_block *b, size_t row0, size_t n)
{
    const ingle_attend *job = b->job;
    size_t dims = job->kv->head_dim_k;
    b->row0 = row0;
    b->n = n;
    b->direct =
        job->kv->type == INGLE_TYPE_F32 || (job->kv->type != INGLE_TYPE_Q8_0 && n <= TILE_ROWS);
    for (size_t r = 0; r < n; r++) {
        size_t t = (row0 + r) / job->n_group, g = (row0 + r) % job->n_group;
        memcpy(b->q + r * b->ld_q, job->q + t * job->ld_q + g * dims, dims * sizeof(float));
        b->end[r] = job->pos0 + t + 1;
        b->first[r] = job->window && b->end[r] > job->window ? b->end[r] - job->window : 0;
        b->seen[r] = false;
    }
}

/* ---- pages as f32 ---- */

static int attend_tile_type(ingle_type type)
{
    return type == INGLE_TYPE_F32 ? TILE_F32 : type == INGLE_TYPE_F16 ? TILE_F16 : TILE_BF16;
}

static void q8_k_to_f32(const ingle_kv_shape *kv, const uint8_t *slot, float *dst)
{
    const int8_t *k = (const int8_t *)slot;
    const float *scale = (const float *)(slot + kv->k_scale);
    for (size_t d = 0; d < kv->head_dim_k; d++) {
        const float *s = scale + d / 32 * INGLE_PAGE;
        for (size_t i = 0; i < INGLE_PAGE; i += 16)
            v_store(dst + d * INGLE_PAGE + i,
                    v_mul(v_load_s8(k + d * INGLE_PAGE + i), v_load(s + i)));
    }
}

static void q8_v_to_f32(const ingle_kv_shape *kv, const uint8_t *slot, float *dst)
{
    const int8_t *v = (const int8_t *)slot + kv->v;
    const float *scale = (const float *)(slot + kv->v_scale);
    size_t dims = ingle_round_up(kv->head_dim_v, 16), n_scales = (kv->head_dim_v + 31) / 32;
    for (size_t i = 0; i < INGLE_PAGE; i++) {
        for (size_t d = 0; d < dims; d += 16) {
            v16 s = v_set(scale[i * n_scales + d / 32]);
            v_store(dst + i * dims + d, v_mul(v_load_s8(v + i * dims + d), s));
        }
    }
}

static const uint8_t *attend_slot(const attend_block *b, size_t pos)
{
    return b->job->pages[pos / INGLE_PAGE] + b->job->slot;
}

/* Positions the block sees of a group: whole pages from .. , up to end. */
static size_t attend_from(const attend_block *b, size_t group)
{
    return max_size(group, b->first[0] / INGLE_PAGE * INGLE_PAGE);
}
static size_t attend_end(const attend_block *b, size_t group)
{
    return min_size(group + ATTEND_GROUP, b->end[b->n - 1]);
}

/* The K page of a position as tile lines. */
static const void *attend_keys(const attend_block *b, size_t page)
{
    const ingle_kv_shape *kv = b->job->kv;
    const uint8_t *slot = attend_slot(b, page);
    if (b->direct) return slot;
    if (kv->type == INGLE_TYPE_Q8_0) q8_k_to_f32(kv, slot, b->wide);
    else lines_to_f32(attend_tile_type(kv->type), slot, b->wide, kv->head_dim_k * INGLE_PAGE / 16);
    return b->wide;
}

/* V of the positions page .. end - 1 as tile lines; one page if direct, else up to ATTEND_SPAN. */
static const void *attend_v(const attend_block *b, size_t page, size_t end)
{
    const ingle_kv_shape *kv = b->job->kv;
    const size_t floats = ingle_round_up(kv->head_dim_v, 16) * INGLE_PAGE;
    if (b->direct) return attend_slot(b, page) + kv->v;
    for (float *dst = b->wide; page < end; page += INGLE_PAGE, dst += floats) {
        const uint8_t *slot = attend_slot(b, page);
        if (kv->type == INGLE_TYPE_Q8_0) q8_v_to_f32(kv, slot, dst);
        else lines_to_f32(attend_tile_type(kv->type), slot + kv->v, dst, floats / 16);
    }
    return b->wide;
}

/* After a K page comes the next K page, after the last one the V pages, then the next group. With
 * conversion the row tiles of a K page have time to fetch all of the next page. */
static void attend_ahead(const attend_block *b, tile *t, size_t group, size_t page, bool values)
{
    const ingle_kv_shape *kv = b->job->kv;
    bool last = page + INGLE_PAGE >= attend_end(b, group);
    size_t next = page + INGLE_PAGE;
    if (b->direct && last && !values) next = attend_from(b, group);
    if (next >= b->end[b->n - 1] || (values && !b->direct)) return;
    bool to_values = values != last;
    size_t from = b->direct && to_values ? kv->v : 0,
           end = b->direct && !to_values ? kv->k_scale : kv->bytes;
    t->next = (const char *)attend_slot(b, next) + from;
    t->next_end = (const char *)attend_slot(b, next) + end;
}

/* ---- one group of 256 positions ---- */

static void attend_scores(const attend_block *b, size_t group)
{
    const size_t end = attend_end(b, group);
    const int type = b->direct ? attend_tile_type(b->job->kv->type) : TILE_F32;
    size_t from = 0, to = 0;
    for (size_t page = attend_from(b, group); page < end; page += INGLE_PAGE) {
        while (b->end[from] <= page) from++;
        while (to < b->n && b->first[to] < page + INGLE_PAGE) to++;
        tile t = {.n = b->job->kv->head_dim_k,
                  .a = attend_keys(b, page),
                  .a_step = INGLE_PAGE,
                  .a_vec = 16,
                  .b = b->q + from * b->ld_q,
                  .ld_b = b->ld_q,
                  .c = b->s + from * ATTEND_LD_S + (page - group),
                  .ld_c = ATTEND_LD_S,
                  .start = true};
        attend_ahead(b, &t, group, page, false);
        tile_all(type, to - from, INGLE_PAGE / 16, &t);
    }
}

/* Scores of one row to probabilities, its max and sum; from .. to - 1 are what it sees of the
 * group. */
static void attend_softmax(attend_block *b, size_t r, int from, int to)
{
    const ingle_attend *job = b->job;
    float *s = b->s + r * ATTEND_LD_S;
    const v16 scale = v_set(job->scale), cap = v_set(job->softcap);
    v16 max = v_set(-INFINITY), sum = v_set(0.0f);
    for (int i = from & ~15; i < to; i += 16) {
        v16 x = v_mul(v_load(s + i), scale);
        if (job->softcap != 0.0f) x = v_mul(cap, v_tanh(v_div(x, cap)));
        if (i < from || i + 16 > to) x = v_keep(x, from - i, to - i, -INFINITY);
        max = v_max(x, max);
        v_store(s + i, x);
    }
    b->max[r] = v_hmax(max);
    max = v_set(b->max[r]);
    for (int i = from & ~15; i < to; i += 16) {
        v16 p = v_exp(v_sub(v_load(s + i), max));
        if (i < from || i + 16 > to) p = v_keep(p, from - i, to - i, 0.0f);
        sum = v_add(sum, p);
        v_store(s + i, p);
    }
    b->sum[r] = v_sum(sum);
}

/* V of positions at .. end - 1 as tile lines. */
typedef struct attend_lines {
    size_t group, at, end;
    const char *v;
    int type;
} attend_lines;

/* o of rows r .. r + n - 1 += p v over the positions from .. to - 1 that lie in the lines; all
 * rows see them. */
static void attend_sum(const attend_block *b, const attend_lines *l, size_t r, size_t n,
                       size_t from, size_t to)
{
    size_t dims = ingle_round_up(b->job->kv->head_dim_v, 16);
    from = max_size(from, l->at), to = min_size(to, l->end);
    if (from >= to) return;
    tile t = {.n = to - from,
              .a = l->v + (from - l->at) * dims * (l->type == TILE_F32 ? 4 : 2),
              .a_step = dims,
              .a_vec = 16,
              .b = b->s + r * ATTEND_LD_S + (from - l->group),
              .ld_b = ATTEND_LD_S,
              .c = b->o + r * b->ld_o,
              .ld_c = b->ld_o};
    attend_ahead(b, &t, l->group, l->at, true);
    tile_all(l->type, n, dims / 16, &t);
}

/* As attend_sum for the ends that rows r .. r + n - 1 do not share: every token's rows alone. */
static void attend_ragged(const attend_block *b, const attend_lines *l, size_t r, size_t n,
                          size_t from, size_t to)
{
    if (max_size(from, l->at) >= min_size(to, l->end)) return;
    for (size_t i = r, same; i < r + n; i += same) {
        for (same = 1; i + same < r + n && b->end[i + same] == b->end[i]; same++) {}
        attend_sum(b, l, i, same, max_size(from, b->first[i]), min_size(to, b->end[i]));
    }
}

static void attend_values(const attend_block *b, size_t group)
{
    const size_t end = attend_end(b, group), step = b->direct ? INGLE_PAGE : ATTEND_SPAN;
    attend_lines l = {.group = group, .at = attend_from(b, group)};
    l.type = b->direct ? attend_tile_type(b->job->kv->type) : TILE_F32;
    for (; l.at < end; l.at += step) {
        l.end = min_size(l.at + step, end);
        l.v = attend_v(b, l.at, l.end);
        for (size_t r = 0, n; r < b->n; r += n) {
            n = tile_rows(b->n - r);
            size_t common = b->first[r + n - 1], stop = max_size(b->end[r], common);
            attend_ragged(b, &l, r, n, 0, common);
            if (common < b->end[r]) attend_sum(b, &l, r, n, common, stop);
            attend_ragged(b, &l, r, n, stop, SIZE_MAX);
        }
    }
}

static void attend_merge(attend_block *b, size_t r)
{
    size_t dims = ingle_round_up(b->job->kv->head_dim_v, 16);
    float *o = b->o + r * b->ld_o, *all = b->all_o + r * b->ld_o;
    if (!b->seen[r]) {
        b->seen[r] = true;
        b->all_max[r] = b->max[r];
        b->all_sum[r] = b->sum[r];
        memcpy(all, o, dims * sizeof(float));
        return;
    }
    float max = b->all_max[r] > b->max[r] ? b->all_max[r] : b->max[r];
    v16 keep = v_exp(v_set(b->all_max[r] - max)), take = v_exp(v_set(b->max[r] - max));
    for (size_t d = 0; d < dims; d += 16)
        v_store(all + d, v_fma(v_load(o + d), take, v_mul(v_load(all + d), keep)));
    b->all_sum[r] = v_first(v_fma(v_set(b->sum[r]), take, v_mul(v_set(b->all_sum[r]), keep)));
    b->all_max[r] = max;
}

static void attend_group(attend_block *b, size_t group)
{
    attend_scores(b, group);
    for (size_t r = 0; r < b->n; r++) {
        size_t from = max_size(b->first[r], group), to = min_size(b->end[r], group + ATTEND_GROUP);
        if (from < to) attend_softmax(b, r, (int)(from - group), (int)(to - group));
        memset(b->o + r * b->ld_o, 0, ingle_round_up(b->job->kv->head_dim_v, 16) * sizeof(float));
    }
    attend_values(b, group);
    for (size_t r = 0; r < b->n; r++)
        if (b->first[r] < group + ATTEND_GROUP && b->end[r] > group) attend_merge(b, r);
}

static void attend(const ingle_attend *job, void *scratch)
{
    attend_block *b = scratch;
    size_t n_rows = job->n_tokens * job->n_group, dims = job->kv->head_dim_v;
    attend_place(b, job);
    for (size_t row = 0, n; row < n_rows; row += n) {
        n = min_size(n_rows - row, ATTEND_ROWS);
        attend_rows(b, row, n);
        for (size_t group = b->first[0] / ATTEND_GROUP * ATTEND_GROUP; group < b->end[n - 1];
             group += ATTEND_GROUP)
            attend_group(b, group);
        for (size_t r = 0; r < n; r++) {
            float *out =
                job->out + (row + r) / job->n_group * job->ld_out + (row + r) % job->n_group * dims;
            v16 sum = v_set(b->all_sum[r]);
            for (size_t d = 0; d < dims; d += 16)
                v_store_n(out + d, v_div(v_load(b->all_o + r * b->ld_o + d), sum), dims - d);
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
    k->attend_scratch_bytes = attend_scratch_bytes;
}
