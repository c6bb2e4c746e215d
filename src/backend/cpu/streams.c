/* streams.c - one row of the instructions on several streams of a token (AltUp), and of sparse
 * activation. Plain C: there is little to do, and the same code runs at every level. */
#include "backend/cpu/run.h"

#include <math.h>

enum { LANES = 8 };

/* Sum of (x - mean)^2 and of x, in eight chains added up in order. */
static double sum_squares(const float *x, size_t n, double mean)
{
    double lane[LANES] = {0}, sum = 0;
    for (size_t i = 0; i < n; i++) {
        double d = (double)x[i] - mean;
        lane[i % LANES] += d * d;
    }
    for (int i = 0; i < LANES; i++) sum += lane[i];
    return sum;
}

static double sum_of(const float *x, size_t n)
{
    double lane[LANES] = {0}, sum = 0;
    for (size_t i = 0; i < n; i++) lane[i % LANES] += (double)x[i];
    for (int i = 0; i < LANES; i++) sum += lane[i];
    return sum;
}

/* Makes x as long as `like`; nothing stays nothing. */
static void match(float *x, const float *like, size_t n)
{
    double own = sum_squares(x, n, 0);
    float factor = own > 0 ? (float)sqrt(sum_squares(like, n, 0) / own) : 0;
    for (size_t i = 0; i < n; i++) x[i] *= factor;
}

/* Stream i += sum over j of coef[i][j] * stream j, of all streams as they were. */
static void mix(float *streams, const float *coef, size_t n_streams, size_t n)
{
    float was[INGLE_MAX_STREAMS];
    for (size_t k = 0; k < n; k++) {
        for (size_t j = 0; j < n_streams; j++) was[j] = streams[j * n + k];
        for (size_t i = 0; i < n_streams; i++) {
            float sum = 0;
            for (size_t j = 0; j < n_streams; j++) sum += coef[i * n_streams + j] * was[j];
            streams[i * n + k] = was[i] + sum;
        }
    }
}

/* Stream i += (1 + coef[i]) * (x - the first stream as it was). */
static void correct(float *streams, const float *coef, const float *x, size_t n_streams, size_t n)
{
    for (size_t k = 0; k < n; k++) {
        float news = x[k] - streams[k];
        for (size_t i = 0; i < n_streams; i++) streams[i * n + k] += (1 + coef[i]) * news;
    }
}

/* What does not lie `factor` standard deviations above the mean becomes 0, the rest is counted from
 * there. */
static void sparse(float *x, double factor, size_t n)
{
    double mean = sum_of(x, n) / (double)n;
    double var = n > 1 ? sum_squares(x, n, mean) / (double)(n - 1) : 0;
    float cut = (float)(mean + factor * sqrt(var));
    for (size_t i = 0; i < n; i++) x[i] = x[i] > cut ? x[i] - cut : 0;
}

void cpu_stream_row(const worker *w, const ingle_instr *in, size_t t)
{
    const ingle_pieces *p = &in->pieces;
    float *dst = row(w, in->dst[0], t);
    const float *src = row(w, in->src[0], t);
    if (in->op == INGLE_OP_SPARSE)
        sparse(dst, (double)in->sparse.deviations, stride(w, in->dst[0]));
    else if (in->op == INGLE_OP_MIX) mix(dst + p->to.at, src, p->n, p->width);
    else if (in->op == INGLE_OP_CORRECT)
        correct(dst + p->to.at, row(w, in->src[1], t), src, p->n, p->width);
    else
        for (uint32_t i = 0; i < p->n; i++)
            match(dst + p->to.at + i * p->to.step, src + p->from.at, p->width);
}
