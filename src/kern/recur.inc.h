/* recur.inc.h - recurrences: short convolution, selective scan, gated delta rule (the arithmetic is
 * in kern.h). Included once per level; defines statics only.
 * Parameters: the words of rows.inc.h and of a lanes_*.h, which are included first.
 *
 * Lanes are channels that never meet: no sum crosses lanes, every chain runs along the state or the
 * taps in order, and tokens follow one another. How many tokens or channels a call takes therefore
 * changes no bit. */
#ifndef TILE_ROWS
#error "include a lanes_*.h first"
#endif

/* ln(1 + e^x) as max(x, 0) + ln(1 + y), y = e^-|x|. With z = y / (2 + y) <= 1/3 the logarithm is
 * 2 z (1 + z^2 / 3 + z^4 / 5 ...); what is left out after z^14 / 15 is below 4e-9 of it. */
static inline v16 v_softplus(v16 x)
{
    v16 y = v_exp(v_sub(v_set(0.0f), v_abs(x)));
    v16 z = v_div(y, v_add(y, v_set(2.0f))), w = v_mul(z, z);
    v16 q = v_set(1.0f / 15);
    q = v_fma(q, w, v_set(1.0f / 13));
    q = v_fma(q, w, v_set(1.0f / 11));
    q = v_fma(q, w, v_set(1.0f / 9));
    q = v_fma(q, w, v_set(1.0f / 7));
    q = v_fma(q, w, v_set(1.0f / 5));
    q = v_fma(q, w, v_set(1.0f / 3));
    z = v_add(z, z);
    return v_add(v_max(v_set(0.0f), x), v_fma(v_mul(z, w), q, z));
}

static inline v16 v_sigmoid(v16 x)
{
    return v_div(v_set(1.0f), v_add(v_set(1.0f), v_exp(v_sub(v_set(0.0f), x))));
}

static void row_softplus(float *dst, const float *a, size_t n)
{
    for (size_t i = 0; i < n; i += 16)
        v_store_n(dst + i, v_softplus(v_load_n(a + i, n - i)), n - i);
}

static void row_sigmoid(float *dst, const float *a, size_t n)
{
    for (size_t i = 0; i < n; i += 16) v_store_n(dst + i, v_sigmoid(v_load_n(a + i, n - i)), n - i);
}

static void row_sigmoid_mul(float *dst, const float *gate, const float *up, size_t n)
{
    for (size_t i = 0; i < n; i += 16)
        v_store_n(dst + i, v_mul(v_sigmoid(v_load_n(gate + i, n - i)), v_load_n(up + i, n - i)),
                  n - i);
}

static void norm_l2(float *dst, const float *src, size_t n, float eps)
{
    v16 sum = v_set(0.0f);
    for (size_t i = 0; i < n; i += 16) {
        v16 x = v_load_n(src + i, n - i);
        sum = v_fma(x, x, sum);
    }
    float root = sqrtf(v_sum(sum));
    v16 s = v_set(1.0f / (eps > root ? eps : root));
    for (size_t i = 0; i < n; i += 16)
        v_store_n(dst + i, v_mul(v_load_n(src + i, n - i), s), n - i);
}

/* ---- short convolution ---- */

static void conv(const ingle_conv *job, size_t first, size_t n)
{
    for (size_t i = first, end = first + n; i < end; i += 16) {
        v16 sum = v_set(0.0f);
        for (size_t k = 0; k < job->n_taps; k++)
            sum = v_fma(v_load_n(job->w + k * job->ld_w + i, end - i),
                        v_load_n(job->taps[k] + i, end - i), sum);
        if (job->bias) sum = v_add(sum, v_load_n(job->bias + i, end - i));
        if (job->silu) sum = v_silu(sum);
        v_store_n(job->dst + i, sum, end - i);
    }
}

/* ---- selective scan ---- */

enum { SCAN_TOKENS = 4, SCAN_VECS = 2 }; /* that pass over a piece of state in registers; in it */

/* Of one vector of channels. */
typedef struct scan_vec {
    v16 x[SCAN_TOKENS], dt[SCAN_TOKENS], y[SCAN_TOKENS];
} scan_vec;

/* n_tokens tokens from t0 on, n_vecs vectors of channels from i on (constants); `left` channels are
 * there. */
static inline __attribute__((always_inline)) void scan_some(const ingle_scan *job, size_t t0,
                                                            int n_tokens, size_t i, size_t left,
                                                            int n_vecs, bool by_channel)
{
    scan_vec c[SCAN_VECS];
    v16 decay[SCAN_TOKENS];
    const size_t n_state = job->n_state, ld = job->ld_state, ld_bc = job->ld_bc;
    const float *bs = job->b + t0 * ld_bc, *cs = job->c + t0 * ld_bc,
                *a = job->a + (by_channel ? i : 0);
    float *p = job->state + i;
    for (int t = 0; t < n_tokens; t++) {
        size_t at = t0 + (size_t)t;
        const float *step = job->dt + at * job->ld_dt;
        if (!by_channel) decay[t] = v_exp(v_mul(v_set(*step), v_set(*job->a)));
        for (int v = 0; v < n_vecs; v++) {
            size_t k = i + 16 * (size_t)v, n = left - 16 * (size_t)v;
            c[v].dt[t] = by_channel ? v_load_n(step + k, n) : v_set(*step);
            c[v].x[t] = v_mul(v_load_n(job->x + at * job->ld_x + k, n), c[v].dt[t]);
            c[v].y[t] = v_set(0.0f);
        }
    }
    for (size_t k = 0; k < n_state; k++, p += ld) {
        v16 s[SCAN_VECS], own[SCAN_VECS];
        for (int v = 0; v < n_vecs; v++) {
            s[v] = own[v] = v_load(p + 16 * v);
            if (by_channel) own[v] = v_load_n(a + k * job->ld_a + 16 * v, left - 16 * (size_t)v);
        }
        for (int t = 0; t < n_tokens; t++) {
            v16 bk = v_set(bs[(size_t)t * ld_bc + k]), ck = v_set(cs[(size_t)t * ld_bc + k]);
            for (int v = 0; v < n_vecs; v++) {
                v16 keep = by_channel ? v_exp(v_mul(c[v].dt[t], own[v])) : decay[t];
                s[v] = v_fma(bk, c[v].x[t], v_mul(s[v], keep));
                c[v].y[t] = v_fma(ck, s[v], c[v].y[t]);
            }
        }
        for (int v = 0; v < n_vecs; v++) v_store(p + 16 * v, s[v]);
    }
    for (int t = 0; t < n_tokens; t++) {
        size_t at = t0 + (size_t)t;
        for (int v = 0; v < n_vecs; v++) {
            size_t k = i + 16 * (size_t)v, n = left - 16 * (size_t)v;
            v16 skip = by_channel ? v_load_n(job->d + k, n) : v_set(*job->d);
            v16 in = v_load_n(job->x + at * job->ld_x + k, n);
            v_store_n(job->out + at * job->ld_out + k, v_fma(in, skip, c[v].y[t]), n);
        }
    }
}

static inline __attribute__((always_inline)) void
scan_columns(const ingle_scan *job, size_t i, size_t left, int n_vecs, bool by_channel)
{
    size_t t = 0;
    for (; t + SCAN_TOKENS <= job->n_tokens; t += SCAN_TOKENS)
        scan_some(job, t, SCAN_TOKENS, i, left, n_vecs, by_channel);
    for (; t < job->n_tokens; t++) scan_some(job, t, 1, i, left, n_vecs, by_channel);
}

static inline __attribute__((always_inline)) void scan_all(const ingle_scan *job, bool by_channel)
{
    size_t i = 0;
    for (; !by_channel && i + 16 * (SCAN_VECS - 1) < job->n; i += 16 * SCAN_VECS)
        scan_columns(job, i, job->n - i, SCAN_VECS, by_channel);
    for (; i < job->n; i += 16)
        scan_columns(job, i, job->n - i < 16 ? job->n - i : 16, 1, by_channel);
}

static void scan(const ingle_scan *job)
{
    if (job->by_channel) scan_all(job, true);
    else scan_all(job, false);
}

/* ---- gated delta rule ---- */

enum { DELTA_VECS = 4 }; /* chains side by side, to hide the latency of each */

typedef struct delta_sums {
    v16 sum[DELTA_VECS], add[DELTA_VECS], out[DELTA_VECS];
} delta_sums;

static inline v16 delta_keep(const ingle_delta *job, size_t t)
{
    return v_exp(v_mul(v_set(job->a), v_set(job->gate[t * job->ld_gate])));
}

/* sum = what the first token's key finds in the state. */
static inline __attribute__((always_inline)) void delta_find(const ingle_delta *job, delta_sums *d,
                                                             size_t i, int n_vecs, v16 keep)
{
    const float *s = job->state + i;
    for (int v = 0; v < n_vecs; v++) d->sum[v] = v_set(0.0f);
    for (size_t r = 0, n_key = job->n_key; r < n_key; r++, s += job->ld_state) {
        v16 k = v_set(job->k[r]);
        for (int v = 0; v < n_vecs; v++)
            d->sum[v] = v_fma(v_mul(v_load(s + 16 * v), keep), k, d->sum[v]);
    }
}

/* Token t into the state and out of it; while a piece of state is in a register it decays for the next
 * token, and that one's key looks into it. `fresh`: it has not decayed for t yet (constants, as
 * n_vecs). */
static inline __attribute__((always_inline)) void delta_pass(const ingle_delta *job, delta_sums *d,
                                                             size_t t, size_t i, int n_vecs,
                                                             v16 keep, bool fresh, bool more,
                                                             v16 keep_next)
{
    const float *k = job->k + t * job->ld_qk, *q = job->q + t * job->ld_qk,
                *k_next = k + (more ? job->ld_qk : 0);
    const size_t n_key = job->n_key, ld = job->ld_state;
    float *s = job->state + i;
    for (int v = 0; v < n_vecs; v++) d->sum[v] = d->out[v] = v_set(0.0f);
    for (size_t r = 0; r < n_key; r++, s += ld) {
        v16 kr = v_set(k[r]), qr = v_set(q[r]), nr = v_set(k_next[r]);
        for (int v = 0; v < n_vecs; v++) {
            v16 x = v_load(s + 16 * v);
            if (fresh) x = v_mul(x, keep);
            x = v_fma(kr, d->add[v], x);
            d->out[v] = v_fma(x, qr, d->out[v]);
            if (more) {
                x = v_mul(x, keep_next);
                d->sum[v] = v_fma(x, nr, d->sum[v]);
            }
            v_store(s + 16 * v, x);
        }
    }
}

/* All tokens, n_vecs (a constant) vectors of columns from i on. */
static inline __attribute__((always_inline)) void delta_some(const ingle_delta *job, size_t i,
                                                             int n_vecs)
{
    delta_sums d;
    v16 keep = delta_keep(job, 0);
    delta_find(job, &d, i, n_vecs, keep);
    for (size_t t = 0; t < job->n_tokens; t++) {
        bool more = t + 1 < job->n_tokens;
        v16 beta = v_set(job->beta[t * job->ld_beta]), next = keep;
        if (more) next = delta_keep(job, t + 1);
        for (int v = 0; v < n_vecs; v++) {
            size_t at = i + 16 * (size_t)v;
            v16 want = v_load_n(job->v + t * job->ld_v + at, job->n - at);
            d.add[v] = v_mul(v_sub(want, d.sum[v]), beta);
        }
        if (t && more) delta_pass(job, &d, t, i, n_vecs, keep, false, true, next);
        else if (t) delta_pass(job, &d, t, i, n_vecs, keep, false, false, next);
        else if (more) delta_pass(job, &d, t, i, n_vecs, keep, true, true, next);
        else delta_pass(job, &d, t, i, n_vecs, keep, true, false, next);
        keep = next;
        for (int v = 0; v < n_vecs; v++) {
            size_t at = i + 16 * (size_t)v;
            v_store_n(job->out + t * job->ld_out + at, v_mul(d.out[v], v_set(job->scale)),
                      job->n - at);
        }
    }
}

static void delta(const ingle_delta *job)
{
    size_t i = 0;
    for (; i + 16 * (DELTA_VECS - 1) < job->n; i += 16 * DELTA_VECS) delta_some(job, i, DELTA_VECS);
    for (; i < job->n; i += 16) delta_some(job, i, 1);
}

static void recur_init(ingle_kern *k)
{
    k->softplus = row_softplus;
    k->sigmoid = row_sigmoid;
    k->sigmoid_mul = row_sigmoid_mul;
    k->norm_l2 = norm_l2;
    k->conv = conv;
    k->scan = scan;
    k->delta = delta;
}
