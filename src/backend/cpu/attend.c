/* attend.c - keys and values into their pages, attention over them. A task is some query heads
 * of one kv head and a few tokens that follow one another; the kernel gives a token the same
 * bits whatever else is in its task. */
#include "backend/cpu/run.h"

/* Of a sequence, by position. */
static const uint8_t **pages_of(const ingle_backend *b, size_t i_seq, ingle_group group)
{
    size_t slot = b->batch->seqs[i_seq].slot;
    return b->page + (slot * INGLE_GROUPS + group) * (b->opt.n_ctx / INGLE_PAGE);
}

static uint8_t *slot(const worker *w, size_t t, const cpu_cache *cache, size_t head)
{
    const ingle_backend *b = w->b;
    const uint8_t *page = pages_of(b, b->tok_seq[t], cache->group)[b->tok_pos[t] / INGLE_PAGE];
    return b->pages + (page - b->pages) + cache->at + head * cache->kv.bytes;
}

/* One kv head of one token: (norm, rope), store; fused also its query heads. */
static void store_head(const worker *w, const ingle_instr *in, size_t t, uint32_t h)
{
    const cpu_cache *cache = &w->b->cache[in->store.cache];
    uint32_t dk = (uint32_t)cache->kv.head_dim_k;
    float *k = row(w, in->src[0], t) + h * dk;
    const float *v = row(w, in->src[1], t) + h * cache->kv.head_dim_v;
    if (in->op == INGLE_OP_QKV) {
        uint32_t group = in->store.n_heads / cache->n_heads;
        float *q = row(w, in->src[2], t) + h * group * dk;
        if (in->store.q.weight != INGLE_NO_VECTOR) {
            cpu_norm_heads(w, &in->store.q, q, group, dk);
            cpu_norm_heads(w, &in->store.k, k, 1, dk);
        }
        cpu_rope_heads(w, in->store.table, q, t, group, dk);
        cpu_rope_heads(w, in->store.table, k, t, 1, dk);
    }
    w->b->kern.kv_store(&cache->kv, slot(w, t, cache, h), w->b->tok_pos[t] % INGLE_PAGE, k, v);
}

void cpu_store(const worker *w, const ingle_instr *in)
{
    size_t n = w->b->batch->n_tokens, from, to;
    split(w, n * w->b->cache[in->store.cache].n_heads, &from, &to);
    for (size_t i = from; i < to; i++) store_head(w, in, i % n, (uint32_t)(i / n));
}

/* Tokens of one task. */
static size_t attend_tokens(const ingle_backend *b, const ingle_instr *in)
{
    size_t n = b->kern.attend_rows * b->cache[in->attend.cache].n_heads / in->attend.n_heads;
    return n ? n : 1;
}

/* Pieces that a kv head's query heads are cut into where there are fewer heads than threads. */
static size_t attend_parts(const worker *w, const ingle_instr *in, size_t n_tasks)
{
    size_t group = in->attend.n_heads / w->b->cache[in->attend.cache].n_heads;
    return n_tasks < (size_t)w->n && group >= 64 ? group / 32 : 1;
}

/* Tokens that see only positions of their own chunk. Those of one chunk go together, as if it
 * were the sequence, where chunks consist of whole groups of pages; else each has a window of
 * its own. */
static void attend_chunks(const worker *w, ingle_attend *job, uint32_t chunk)
{
    const ingle_backend *b = w->b;
    bool whole = chunk % (INGLE_PAGE * INGLE_PAGE_GROUP) == 0;
    for (size_t left = job->n_tokens, n; left; left -= n) {
        size_t in_chunk = job->pos0 % chunk, start = job->pos0 - in_chunk;
        ingle_attend one = *job;
        n = !whole ? 1 : left < chunk - in_chunk ? left : chunk - in_chunk;
        one.n_tokens = n;
        if (whole) one.pages += start / INGLE_PAGE, one.pos0 = in_chunk;
        else one.window = in_chunk + 1;
        b->kern.attend(&one, w->own + b->at.t_scratch);
        job->pos0 += n;
        job->q += n * job->ld_q, job->out += n * job->ld_out;
    }
}

/* Query heads of piece `part` of `n_parts`. */
static void attend_task(const worker *w, const ingle_instr *in, const cpu_span *s, size_t tile,
                        uint32_t h, size_t part, size_t n_parts)
{
    ingle_backend *b = w->b;
    const cpu_cache *cache = &b->cache[in->attend.cache];
    const ingle_kv_shape *kv = &cache->kv;
    const ingle_batch_seq *seq = &b->batch->seqs[s->i_seq];
    size_t all = in->attend.n_heads / cache->n_heads, first = h * all + all * part / n_parts;
    size_t group = all * (part + 1) / n_parts - all * part / n_parts;
    size_t most = attend_tokens(b, in), t0 = tile * most, n = s->n - t0 < most ? s->n - t0 : most;
    const float *sinks = vec(w, in->attend.sinks);
    ingle_attend job = {.kv = kv,
                        .pages = pages_of(b, s->i_seq, cache->group),
                        .slot = cache->at + h * kv->bytes,
                        .n_tokens = n,
                        .n_group = group,
                        .pos0 = s->pos0 + t0,
                        .window = in->attend.window,
                        .scale = in->attend.scale,
                        .softcap = in->attend.cap,
                        .n_seen = seq->both ? seq->pos0 + seq->n : 0,
                        .sinks = sinks ? sinks + first : NULL,
                        .slopes = in->attend.slopes == INGLE_NO_VECTOR
                                      ? NULL
                                      : b->program->plan.constant + in->attend.slopes + first,
                        .q = row(w, in->src[0], s->first + t0) + first * kv->head_dim_k,
                        .ld_q = stride(w, in->src[0]),
                        .out = row(w, in->dst[0], s->first + t0) + first * kv->head_dim_v,
                        .ld_out = stride(w, in->dst[0])};
    if (in->attend.chunk) attend_chunks(w, &job, in->attend.chunk);
    else b->kern.attend(&job, w->own + b->at.t_scratch);
}

/* One token per sequence: nobody else needs its keys and values, so the attention of a head stores
 * them itself, as soon as the head's rows of q, k and v are there. */
static void store_first(const worker *w, const ingle_instr *qkv, size_t t, uint32_t h)
{
    double before = w->clock ? ingle_now() : 0;
    uint32_t due = w->b->cache[qkv->store.cache].due;
    ingle_pool_await(w->pool, &w->b->heads[due][h].next, w->n_due[due]);
    if (w->clock) w->clock->wait += ingle_now() - before;
    store_head(w, qkv, t, h);
}

void cpu_attend(const worker *w, const ingle_instr *in, const ingle_instr *qkv,
                cpu_counter *counter)
{
    const cpu_span *span = w->b->span[in->domain];
    size_t n_heads = w->b->cache[in->attend.cache].n_heads, most = attend_tokens(w->b, in),
           n_done = 0;
    size_t i_span = 0, n_spans = w->b->n_spans[in->domain], i = atomic_fetch_add(&counter->next, 1);
    while (i_span < n_spans) {
        const cpu_span *s = &span[i_span];
        size_t n_tiles = (s->n + most - 1) / most;
        size_t n_parts = qkv ? 1 : attend_parts(w, in, n_spans * n_tiles * n_heads);
        size_t n = n_tiles * n_heads * n_parts;
        if (i >= n_done + n) {
            n_done += n;
            i_span++;
            continue;
        }
        size_t part = (i - n_done) % n_parts, k = (i - n_done) / n_parts;
        if (qkv) store_first(w, qkv, s->first, (uint32_t)(k % n_heads));
        /* the last tile sees most: first */
        attend_task(w, in, s, n_tiles - 1 - k / n_heads, (uint32_t)(k % n_heads), part, n_parts);
        i = atomic_fetch_add(&counter->next, 1);
    }
}
