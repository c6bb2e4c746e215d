/* logprob.c - the sum in eight lanes, the best by a heap in the caller's array, ranks by counting.
 * Most of a row is passed over by blocks. */
#include "sample/logprob.h"

#include "sample/cand.h"

#include <math.h>

#define BLOCK 64

double ingle_logprob_sum(const float *logits, size_t n)
{
    float max = ingle_row_max(logits, n);
    if (!isfinite(max)) return (double)max;
    return (double)max + log(ingle_row_mass(logits, n, max));
}

/* ---- the best -------------------------------------------------------------------------------- */

/* While the heap is built, `logprob` holds the logit. */
static bool worse(ingle_top a, ingle_top b)
{
    return a.logprob < b.logprob || (a.logprob == b.logprob && a.token > b.token);
}

/* Puts t at the root of a heap of n, whose root is the worst. */
static void sink(ingle_top *heap, size_t n, ingle_top t)
{
    size_t at = 0;
    for (size_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && worse(heap[child + 1], heap[child])) child++;
        if (!worse(heap[child], t)) break;
        heap[at] = heap[child];
    }
    heap[at] = t;
}

static void rise(ingle_top *heap, size_t n, ingle_top t)
{
    size_t at = n;
    for (; at && worse(t, heap[(at - 1) / 2]); at = (at - 1) / 2) heap[at] = heap[(at - 1) / 2];
    heap[at] = t;
}

static bool any_above(const float *row, float floor)
{
    unsigned hit = 0;
    for (size_t j = 0; j < BLOCK; j++) hit |= row[j] > floor;
    return hit;
}

/* An equal logit further on has a higher token and loses, so only larger ones enter a full heap. */
static size_t build_heap(const float *logits, size_t n_vocab, ingle_top *heap, size_t n)
{
    size_t have = 0;
    float floor = -INFINITY;
    for (size_t i = 0, end; i < n_vocab; i = end) {
        end = i + BLOCK < n_vocab ? i + BLOCK : n_vocab;
        if (end - i == BLOCK && !any_above(logits + i, floor)) continue;
        for (; i < end; i++) {
            ingle_top t = {(int32_t)i, logits[i]};
            if (!(t.logprob > floor)) continue;
            if (have < n) rise(heap, have++, t);
            else sink(heap, n, t);
            if (have == n) floor = heap[0].logprob;
        }
    }
    return have;
}

size_t ingle_logprob_top(const float *logits, size_t n_vocab, double log_sum, ingle_top *top,
                         size_t n)
{
    size_t have = n ? build_heap(logits, n_vocab, top, n) : 0;
    for (size_t m = have; m > 1; m--) { /* the worst goes last */
        ingle_top worst = top[0], last = top[m - 1];
        sink(top, m - 1, last);
        top[m - 1] = worst;
    }
    for (size_t i = 0; i < have; i++) top[i].logprob = (float)((double)top[i].logprob - log_sum);
    return have;
}

/* ---- rank ------------------------------------------------------------------------------------ */

static size_t count_above(const float *row, size_t n, float than)
{
    uint32_t count = 0; /* a vocabulary has fewer tokens */
    for (size_t i = 0; i < n; i++) count += row[i] > than;
    return count;
}

static size_t count_from(const float *row, size_t n, float least)
{
    uint32_t count = 0;
    for (size_t i = 0; i < n; i++) count += row[i] >= least;
    return count;
}

size_t ingle_logprob_rank(const float *logits, size_t n_vocab, int32_t token)
{
    size_t at = (size_t)token;
    return count_from(logits, at, logits[at]) +
           count_above(logits + at + 1, n_vocab - at - 1, logits[at]);
}
