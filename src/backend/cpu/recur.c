/* recur.c - the instructions that carry a state from token to token: CONV, SCAN, DELTA. A task
 * is a piece of the state of one sequence, some channels or one head: it takes the sequence's
 * tokens in order, so nobody else reads or writes that piece. */
#include "backend/cpu/run.h"

#include <math.h>
#include <string.h>

enum { CONV_TAPS = INGLE_MAX_TAPS, SCAN_CHANNELS = 64, DELTA_COLUMNS = 64 };
enum { CONV_FEW = 64, CONV_MANY = 1024 }; /* channels of a task */

/* State `id` in a slot, from float `first` on. */
static float *state_of(const worker *w, uint32_t slot, uint32_t id, size_t first)
{
    const ingle_backend *b = w->b;
    return (float *)(void *)(b->states + slot * b->state_bytes) + b->state_at[id] + first;
}

/* A task's piece of the state that the sequence's tokens move on: n_rows of n floats, ld apart.
 * It begins with zeros, or as the sequence's tokens before left it, in this slot or another. */
static float *begin(const worker *w, const ingle_batch_seq *s, uint32_t id, size_t first,
                    size_t n_rows, size_t ld, size_t n)
{
    float *state = state_of(w, s->state, id, first);
    const float *from = state_of(w, s->state_from, id, first);
    for (size_t r = 0; r < n_rows; r++) {
        if (!s->pos0) memset(state + r * ld, 0, n * sizeof *state);
        else if (from != state) memcpy(state + r * ld, from + r * ld, n * sizeof *state);
    }
    return state;
}

/* Calls fn for every task (sequence, piece) that falls to this thread. */
typedef void task_fn(const worker *w, const ingle_instr *in, const ingle_batch_seq *s,
                     size_t i_piece);

static void each(const worker *w, const ingle_instr *in, cpu_counter *counter, size_t n_pieces,
                 task_fn *fn)
{
    const ingle_batch *batch = w->b->batch;
    size_t i, n = batch->n_seqs * n_pieces;
    while ((i = atomic_fetch_add(&counter->next, 1)) < n)
        fn(w, in, &batch->seqs[i / n_pieces], i % n_pieces);
}

/* ---- short convolution: state [n_taps - 1][channels], the last inputs, oldest first ---- */

static size_t padded(size_t n)
{
    return ingle_round_up(n, 16);
}

/* Input `back` tokens before the sequence's first one, or after it. */
static const float *input(const worker *w, const ingle_instr *in, const ingle_batch_seq *s,
                          const float *state, size_t ld, size_t t, size_t k)
{
    size_t n_old = in->conv.n_taps - 1;
    return t + k < n_old ? state + (t + k) * ld : row(w, in->src[0], s->first + t + k - n_old);
}

/* Rows of a task lie far from one another: long pieces of them are read faster. */
static size_t conv_channels(const worker *w, const ingle_instr *in)
{
    size_t n = ingle_round_up(stride(w, in->src[0]) / (4 * (size_t)w->n) + 1, CONV_FEW);
    return n < CONV_MANY ? n : CONV_MANY;
}

static void conv_task(const worker *w, const ingle_instr *in, const ingle_batch_seq *s,
                      size_t i_piece)
{
    size_t width = stride(w, in->src[0]), ld = padded(width), n_taps = in->conv.n_taps;
    size_t n = conv_channels(w, in), first = i_piece * n, n_old = n_taps - 1;
    if (n > width - first) n = width - first;
    const float *taps[CONV_TAPS];
    ingle_conv job = {.taps = taps,
                      .w = vec(w, in->conv.taps),
                      .n_taps = n_taps,
                      .ld_w = width,
                      .bias = vec(w, in->conv.bias),
                      .silu = in->conv.act == INGLE_ACT_SILU};
    float *state = begin(w, s, in->conv.state, first, n_old, ld, n) - first;
    for (size_t t = 0; t < s->n; t++) {
        for (size_t k = 0; k < n_taps; k++) taps[k] = input(w, in, s, state, ld, t, k);
        job.dst = row(w, in->dst[0], s->first + t);
        w->b->kern.conv(&job, first, n);
    }
    for (size_t k = 0; k < n_old; k++) /* upward: what is read lies behind what is written */
        memmove(state + k * ld + first, input(w, in, s, state, ld, s->n, k) + first,
                n * sizeof *state);
}

void cpu_conv(const worker *w, const ingle_instr *in, cpu_counter *counter)
{
    size_t n = conv_channels(w, in);
    each(w, in, counter, (stride(w, in->src[0]) + n - 1) / n, conv_task);
}

/* ---- selective scan: state [head][n_state][channels] ---- */

static size_t scan_pieces(const ingle_instr *in)
{
    return (in->scan.state.head_dim + SCAN_CHANNELS - 1) / SCAN_CHANNELS;
}

static void scan_task(const worker *w, const ingle_instr *in, const ingle_batch_seq *s,
                      size_t i_piece)
{
    const ingle_heads_state *state = &in->scan.state;
    bool by_channel = in->scan.by_channel;
    size_t n_pieces = scan_pieces(in), h = i_piece / n_pieces;
    size_t at = i_piece % n_pieces * SCAN_CHANNELS, channel = h * state->head_dim + at;
    size_t n = state->head_dim - at < SCAN_CHANNELS ? state->head_dim - at : SCAN_CHANNELS;
    size_t ld = padded(state->head_dim), group = h / (state->n_heads / state->n_groups);
    const float *bc = row(w, in->src[2], s->first) + in->scan.offset + group * state->n_state;
    ingle_scan job = {.by_channel = by_channel,
                      .n_state = state->n_state,
                      .ld_state = ld,
                      .n = n,
                      .n_tokens = s->n,
                      .x = row(w, in->src[0], s->first) + channel,
                      .dt = row(w, in->src[1], s->first) + (by_channel ? channel : h),
                      .b = bc,
                      .c = bc + (size_t)state->n_groups * state->n_state,
                      .a = vec(w, in->scan.a) + (by_channel ? channel : h),
                      .d = vec(w, in->scan.d) + (by_channel ? channel : h),
                      .out = row(w, in->dst[0], s->first) + channel,
                      .ld_x = stride(w, in->src[0]),
                      .ld_dt = stride(w, in->src[1]),
                      .ld_bc = stride(w, in->src[2]),
                      .ld_a = state->head_dim,
                      .ld_out = stride(w, in->dst[0])};
    job.state = begin(w, s, state->id, h * state->n_state * ld + at, state->n_state, ld, padded(n));
    w->b->kern.scan(&job);
}

void cpu_scan(const worker *w, const ingle_instr *in, cpu_counter *counter)
{
    each(w, in, counter, in->scan.state.n_heads * scan_pieces(in), scan_task);
}

/* ---- gated delta rule: state [head][n_key][columns] ---- */

static size_t delta_pieces(const ingle_instr *in)
{
    return (in->delta.state.head_dim + DELTA_COLUMNS - 1) / DELTA_COLUMNS;
}

/* src: queries of all groups, then keys, then values of all heads. */
static void delta_task(const worker *w, const ingle_instr *in, const ingle_batch_seq *s,
                       size_t i_piece)
{
    const ingle_heads_state *state = &in->delta.state;
    size_t n_pieces = delta_pieces(in), h = i_piece / n_pieces;
    size_t at = i_piece % n_pieces * DELTA_COLUMNS, n_key = state->n_state;
    size_t n = state->head_dim - at < DELTA_COLUMNS ? state->head_dim - at : DELTA_COLUMNS;
    size_t ld = padded(state->head_dim);
    size_t group = in->delta.tiled ? h % state->n_groups : h / (state->n_heads / state->n_groups);
    const float *q = row(w, in->src[0], s->first), *k = q + state->n_groups * n_key;
    ingle_delta job = {.n_key = n_key,
                       .ld_state = ld,
                       .n = n,
                       .n_tokens = s->n,
                       .q = q + group * n_key,
                       .k = k + group * n_key,
                       .v = k + state->n_groups * n_key + h * state->head_dim + at,
                       .gate = row(w, in->src[1], s->first) + h,
                       .beta = row(w, in->src[2], s->first) + h,
                       .a = vec(w, in->delta.a)[h],
                       .scale = in->delta.scale,
                       .out = row(w, in->dst[0], s->first) + h * state->head_dim + at,
                       .ld_qk = stride(w, in->src[0]),
                       .ld_v = stride(w, in->src[0]),
                       .ld_gate = stride(w, in->src[1]),
                       .ld_beta = stride(w, in->src[2]),
                       .ld_out = stride(w, in->dst[0])};
    job.state = begin(w, s, state->id, h * n_key * ld + at, n_key, ld, padded(n));
    w->b->kern.delta(&job);
}

void cpu_delta(const worker *w, const ingle_instr *in, cpu_counter *counter)
{
    each(w, in, counter, in->delta.state.n_heads * delta_pieces(in), delta_task);
}
