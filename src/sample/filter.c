/* filter.c - the stages that drop candidates, temperature, greedy, mirostat.
 * A filter finds a threshold by selection and then keeps what reaches it, in token order; nothing
 * is sorted. Sums are doubles in a fixed order, so a result depends on the logits alone. */
#include "sample/sampler.h"

#include <math.h>
#include <string.h>

/* ---- shared ---------------------------------------------------------------------------------- */

#define BLOCK 64

/* Is any of a block at least floor? Most of a vocabulary is passed over by this alone. */
static bool any_from(const float *row, float floor)
{
    unsigned hit = 0;
    for (size_t j = 0; j < BLOCK; j++) hit |= row[j] >= floor;
    return hit;
}

/* Leaves the dense form: candidates with a logit of at least `floor`. */
static void gather(ingle_sample_scratch *x, float floor)
{
    size_t n_vocab = x->n, n = 0;
    for (size_t i = 0, end; i < n_vocab; i = end) {
        end = i + BLOCK < n_vocab ? i + BLOCK : n_vocab;
        if (end - i == BLOCK && !any_from(x->logits + i, floor)) continue;
        for (; i < end; i++)
            if (x->logits[i] >= floor && x->logits[i] > -INFINITY)
                x->cur[n++] = ingle_key(x->logits[i], (uint32_t)i);
    }
    x->n = n;
    x->dense = false;
}

/* Keeps the candidates with a logit of at least floor, or the min_keep best if those are fewer. */
static void keep_from(const ingle_sampler *s, ingle_sample_scratch *x, float floor)
{
    size_t n = 0;
    if (x->dense) {
        for (size_t i = 0; i < x->n; i++) n += x->logits[i] >= floor && x->logits[i] > -INFINITY;
    } else {
        for (size_t i = 0; i < x->n; i++) n += logit_at(x, i) >= floor;
    }
    size_t min_keep = (size_t)s->opt.min_keep;
    if (n < (min_keep > 1 ? min_keep : 1)) ingle_sample_top_k(x, min_keep > 1 ? min_keep : 1);
    else if (x->dense) gather(x, floor);
    else {
        n = 0;
        for (size_t i = 0; i < x->n; i++) {
            x->cur[n] = x->cur[i];
            n += logit_at(x, i) >= floor;
        }
        x->n = n;
    }
    x->filtered = true;
}

static void keep_keys_from(ingle_sample_scratch *x, uint64_t least)
{
    size_t n = 0;
    for (size_t i = 0; i < x->n; i++) {
        uint64_t key = x->cur[i];
        x->cur[n] = key;
        n += key >= least;
    }
    x->n = n;
}

sample_softmax ingle_sample_softmax(const ingle_sample_scratch *x)
{
    if (x->dense) {
        float max = ingle_row_max(x->logits, x->n);
        return (sample_softmax){max, ingle_row_mass(x->logits, x->n, max)};
    }
    sample_softmax m = {-INFINITY, 0};
    for (size_t i = 0; i < x->n; i++) m.max = logit_at(x, i) > m.max ? logit_at(x, i) : m.max;
    for (size_t i = 0; i < x->n; i++) m.sum += (double)ingle_weight(logit_at(x, i) - m.max);
    return m;
}

/* - sum p ln p = ln sum - (sum w x) / sum with x = logit - max; needs no logarithm per candidate.
 */
static double entropy(const ingle_sample_scratch *x, sample_softmax m)
{
    double wx = 0;
    for (size_t i = 0; i < x->n; i++) {
        float l = x->dense ? x->logits[i] : logit_at(x, i);
        float w = ingle_weight(l - m.max);
        if (w > 0) wx += (double)w * (double)(l - m.max);
    }
    return log(m.sum) - wx / m.sum;
}

/* ---- truncation ------------------------------------------------------------------------------ */

/* Passes over the dense row once: what reaches the k-th best so far goes to cur, which is cut back
 * to k whenever it is full. */
static void top_k_dense(ingle_sample_scratch *x, size_t k)
{
    size_t n = x->n, m = 0;
    size_t full = k > n / 4 ? n : k + (k > 512 ? k : 512);
    float floor = -INFINITY;
    for (size_t i = 0, end; i < n; i = end) {
        end = i + BLOCK < n ? i + BLOCK : n;
        if (end - i == BLOCK && !any_from(x->logits + i, floor)) continue;
        for (; i < end; i++)
            if (x->logits[i] > floor) x->cur[m++] = ingle_key(x->logits[i], (uint32_t)i);
        if (m + BLOCK <= full || m <= k) continue;
        memcpy(x->tmp, x->cur, m * sizeof *x->cur);
        uint64_t least = ingle_select_count(x->tmp, m, k);
        x->n = m;
        keep_keys_from(x, least);
        m = x->n;
        floor = ingle_key_score(least); /* an equal one further on has a higher token: it loses */
    }
    x->n = m;
    x->dense = false;
}

/* Fan, Lewis, Dauphin 2018. The k best; of equal logits the lower token. */
void ingle_sample_top_k(ingle_sample_scratch *x, size_t k)
{
    x->filtered = true;
    if (x->dense && k >= x->n) gather(x, -INFINITY);
    else if (x->dense) top_k_dense(x, k);
    if (k >= x->n) return;
    memcpy(x->tmp, x->cur, x->n * sizeof *x->cur);
    keep_keys_from(x, ingle_select_count(x->tmp, x->n, k));
}

/* Tang et al. 2024. Keeps logits of at least max - n standard deviations. */
void ingle_sample_top_n_sigma(const ingle_sampler *s, ingle_sample_scratch *x)
{
    double sum = 0, square = 0;
    float max = -INFINITY;
    size_t n = 0;
    for (size_t i = 0; i < x->n; i++) {
        float l = x->dense ? x->logits[i] : logit_at(x, i);
        if (!(l > -INFINITY)) continue;
        max = l > max ? l : max;
        sum += (double)l;
        n++;
    }
    double mean = sum / (double)n;
    for (size_t i = 0; i < x->n; i++) {
        double d = (double)(x->dense ? x->logits[i] : logit_at(x, i)) - mean;
        if (d > -INFINITY) square += d * d;
    }
    double sigma = sqrt(square / (double)n);
    keep_from(s, x, (float)((double)max - (double)s->opt.top_n_sigma * sigma));
}

/* Nguyen et al. 2024. Keeps p >= min_p * the largest p, that is logit >= max + ln(min_p). */
void ingle_sample_min_p(const ingle_sampler *s, ingle_sample_scratch *x)
{
    float max = x->dense ? ingle_row_max(x->logits, x->n) : -INFINITY;
    for (size_t i = 0; !x->dense && i < x->n; i++)
        max = logit_at(x, i) > max ? logit_at(x, i) : max;
    keep_from(s, x, max + (float)log((double)s->opt.min_p));
}

/* Turns the dense row into a sparse one that holds the best and at least `share` of the mass. */
static void gather_mass(const ingle_sampler *s, ingle_sample_scratch *x, sample_softmax m,
                        double share)
{
    static const float depth[] = {8, 16};
    for (size_t d = 0; d < sizeof depth / sizeof depth[0]; d++) {
        size_t n_vocab = x->n, n = 0;
        float floor = m.max - depth[d];
        double mass = 0;
        for (size_t i = 0, end; i < n_vocab; i = end) {
            end = i + BLOCK < n_vocab ? i + BLOCK : n_vocab;
            if (end - i == BLOCK && !any_from(x->logits + i, floor)) continue;
            for (; i < end; i++) {
                if (!(x->logits[i] >= floor)) continue;
                mass += (double)ingle_weight(x->logits[i] - m.max);
                n++;
            }
        }
        if (mass > share * m.sum && n >= (size_t)s->opt.min_keep) {
            gather(x, floor);
            return;
        }
    }
    gather(x, -INFINITY);
}

/* What top-p and typical rank by: the logit, or nearness in surprise to the entropy. */
typedef struct ranking {
    float max;
    double centre;
    bool typical;
} ranking;

static uint64_t ranked(const ingle_sample_scratch *x, ranking r, size_t i)
{
    float l = logit_at(x, i);
    return ingle_key(r.typical ? (float)-fabs(r.centre - (double)(l - r.max)) : l, (uint32_t)i);
}

/* Keeps the shortest best-first run with the mass. The weights lie where the dense row was. */
static void keep_mass(const ingle_sampler *s, ingle_sample_scratch *x, ranking r, double mass)
{
    for (size_t i = 0; i < x->n; i++) x->logits[i] = ingle_weight(logit_at(x, i) - r.max);
    for (size_t i = 0; i < x->n; i++) x->tmp[i] = ranked(x, r, i);
    uint64_t least =
        ingle_select_mass(x->tmp, x->n, x->logits, mass, r.typical, (size_t)s->opt.min_keep);
    size_t n = 0;
    for (size_t i = 0; i < x->n; i++) {
        bool keep = ranked(x, r, i) >= least;
        x->cur[n] = x->cur[i];
        n += keep;
    }
    x->n = n;
}

/* Holtzman et al. 2020. The shortest best-first run with a probability of at least top_p. */
void ingle_sample_top_p(const ingle_sampler *s, ingle_sample_scratch *x)
{
    sample_softmax m = ingle_sample_softmax(x);
    double share = (double)s->opt.top_p;
    if (x->dense) gather_mass(s, x, m, share);
    x->filtered = true;
    keep_mass(s, x, (ranking){.max = m.max}, share * m.sum);
}

/* Meister et al. 2023. As top-p, but best is what is nearest in surprise to the entropy. */
void ingle_sample_typical_p(const ingle_sampler *s, ingle_sample_scratch *x)
{
    if (x->dense) gather(x, -INFINITY);
    x->filtered = true;
    sample_softmax m = ingle_sample_softmax(x);
    double centre = log(m.sum) - entropy(x, m); /* |-ln p - H| = |centre - (logit - max)| */
    keep_mass(s, x, (ranking){m.max, centre, true}, (double)s->opt.typical_p * m.sum);
}

/* Exclude Top Choices (p-e-w 2024): with the given probability, of the candidates with p >=
 * threshold only the worst stays. The coin is thrown whatever the logits are, so that the
 * generator's place does not depend on them. */
void ingle_sample_xtc(ingle_sampler *s, ingle_sample_scratch *x)
{
    bool skip = ingle_rng_uniform(&s->rng) >= (double)s->opt.xtc_probability;
    if (skip) return;
    if (x->dense) gather(x, -INFINITY);
    x->filtered = true;
    sample_softmax m = ingle_sample_softmax(x);
    double least_weight = (double)s->opt.xtc_threshold * m.sum;
    uint64_t worst = UINT64_MAX;
    size_t above = 0;
    for (size_t i = 0; i < x->n; i++) {
        if ((double)ingle_weight(logit_at(x, i) - m.max) < least_weight) continue;
        above++;
        worst = x->cur[i] < worst ? x->cur[i] : worst;
    }
    if (above < 2 || x->n - above + 1 < (size_t)s->opt.min_keep) return;
    size_t n = 0;
    for (size_t i = 0; i < x->n; i++) {
        uint64_t key = x->cur[i];
        x->cur[n] = key;
        n += key <= worst;
    }
    x->n = n;
}

/* ---- temperature and greedy ------------------------------------------------------------------ */

void ingle_sample_greedy(ingle_sample_scratch *x)
{
    ingle_sample_top_k(x, 1);
}

/* Zhu et al. 2024 (EDT) in llama.cpp's form: T = low + (high - low) * (entropy / largest
 * entropy)^exponent. */
static double dynamic_temperature(const ingle_sampler *s, const ingle_sample_scratch *x)
{
    const ingle_sampler_options *o = &s->opt;
    double low = (double)o->temperature - (double)o->dynatemp_range;
    double high = (double)o->temperature + (double)o->dynatemp_range;
    size_t n = x->n;
    if (x->dense)
        for (size_t i = 0; i < x->n; i++) n -= !(x->logits[i] > -INFINITY);
    if (low < 0) low = 0;
    if (n < 2) return 1;
    double h = entropy(x, ingle_sample_softmax(x)) / log((double)n);
    return low + (high - low) * pow(h < 0 ? 0 : h > 1 ? 1 : h, (double)o->dynatemp_exponent);
}

void ingle_sample_temperature(const ingle_sampler *s, ingle_sample_scratch *x)
{
    float t = s->opt.temperature;
    if (s->opt.dynatemp_range > 0) {
        t = (float)dynamic_temperature(s, x);
        if (!(t >= 1e-20f)) {
            ingle_sample_greedy(x);
            return;
        }
    }
    if (t == 1) return;
    if (!x->dense) {
        for (size_t i = 0; i < x->n; i++)
            x->cur[i] = ingle_key(ingle_sample_bounded((double)(logit_at(x, i) / t)),
                                  ingle_key_index(x->cur[i]));
        return;
    }
    for (size_t i = 0; i < x->n; i++) {
        float l = x->logits[i] / t;
        x->logits[i] = l > 1e38f ? 1e38f : l < -1e38f && x->logits[i] > -INFINITY ? -1e38f : l;
    }
}

/* ---- mirostat -------------------------------------------------------------------------------- */

/* Basu et al. 2021, algorithm 1: the slope s of the best m logits against log rank (Zipf), and from
 * it the k whose surprise is mu. */
static size_t mirostat_k(const ingle_sampler *s, ingle_sample_scratch *x)
{
    size_t m = x->n < (size_t)s->mirostat_m ? x->n : (size_t)s->mirostat_m;
    if (m < 2) return 1;
    memcpy(x->tmp, x->cur, x->n * sizeof *x->cur);
    uint64_t least = ingle_select_count(x->tmp, x->n, m);
    uint64_t *best = x->tmp; /* the m best, sorted below */
    for (size_t i = 0, n = 0; i < x->n; i++)
        if (x->cur[i] >= least) best[n++] = x->cur[i];
    ingle_sort_keys(best, NULL, m);
    double tb = 0, tt = 0;
    for (size_t i = 0; i + 1 < m; i++) {
        double t = log((double)(i + 2) / (double)(i + 1));
        tb += t * ((double)ingle_key_score(best[i]) - (double)ingle_key_score(best[i + 1]));
        tt += t * t;
    }
    double slope = tb / tt, e = slope - 1;
    double k = pow(e * pow(2, (double)s->mu) / (1 - pow((double)s->n_vocab, -e)), 1 / slope);
    return !(k >= 1) ? 1 : k >= (double)x->n ? x->n : (size_t)k;
}

void ingle_sample_mirostat(const ingle_sampler *s, ingle_sample_scratch *x)
{
    if (x->dense) gather(x, -INFINITY);
    x->filtered = true;
    if (s->opt.mirostat == 1) {
        ingle_sample_top_k(x, mirostat_k(s, x));
        return;
    }
    sample_softmax m =
        ingle_sample_softmax(x); /* version 2: surprise -log2 p of at most mu, or the best one */
    double floor = log(m.sum) - (double)s->mu * 0.69314718055994531;
    uint64_t best = 0;
    size_t n = 0;
    for (size_t i = 0; i < x->n; i++) best = x->cur[i] > best ? x->cur[i] : best;
    for (size_t i = 0; i < x->n; i++) {
        uint64_t key = x->cur[i];
        x->cur[n] = key;
        n += key == best || (double)(ingle_key_score(key) - m.max) >= floor;
    }
    x->n = n;
}

/* ---- adaptive-p ------------------------------------------------------------------------------ */

/* Logit of a token by the distance of its probability p from the target t, in widths of 0.3:
 * 5 - 10 d^2 / (1 + d), d = |p - t| / 0.3; and t = 2 T - mean, the mean being that of the original
 * probabilities of tokens drawn, decayed, which begins at T. By MrJackSpade and ddh0, 2025
 * (llama.cpp pull request 17927). */
void ingle_sample_adaptive(const ingle_sampler *s, ingle_sample_scratch *x)
{
    const float peak = 5, sharpness = 10, width = 0.3f;
    if (x->dense) gather(x, -INFINITY);
    x->filtered = true;
    sample_softmax m = ingle_sample_softmax(x);
    float target = 2 * s->opt.adaptive_target - s->drawn_sum / s->drawn_weight;
    target = target < 0 ? 0 : target > 1 ? 1 : target;
    for (size_t i = 0; i < x->n; i++) {
        uint32_t token = ingle_key_index(x->cur[i]);
        float p = (float)((double)ingle_weight(logit_at(x, i) - m.max) / m.sum);
        float d = fabsf(p - target) / width;
        x->logits[token] = p;
        x->cur[i] = ingle_key(peak - sharpness * d * d / (1 + d), token);
    }
}

void ingle_sample_mirostat_learn(ingle_sampler *s, float prob)
{
    float surprise = (float)-log2((double)prob);
    s->mu -= s->opt.mirostat_eta * (surprise - s->opt.mirostat_tau);
}
