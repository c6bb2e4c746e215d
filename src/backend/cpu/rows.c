/* rows.c - the small instructions: rows split between threads. */
#include "backend/cpu/run.h"

#include <assert.h>
#include <math.h>
#include <string.h>

static void embed(const worker *w, const ingle_instr *in, size_t t)
{
    ingle_decode_row(matrix(w, in->embed.weight), (size_t)w->b->batch->tokens[t],
                     row(w, in->dst[0], t));
}

/* The engine lets no session grow beyond the positions there are. */
static void place(const worker *w, const ingle_instr *in, size_t t, size_t width)
{
    float *position = (float *)(void *)(w->own + w->b->at.t_row);
    ingle_decode_row(matrix(w, in->embed.weight), w->b->tok_pos[t], position);
    w->b->kern.add(row(w, in->dst[0], t), row(w, in->src[0], t), position, width);
}

static void add_segment(const worker *w, const ingle_instr *in, size_t t, size_t width)
{
    const ingle_backend *b = w->b;
    size_t n_first = b->batch->seqs[b->tok_seq[t]].n_first;
    bool second = n_first && b->tok_pos[t] >= n_first;
    b->kern.add(row(w, in->dst[0], t), row(w, in->src[0], t),
                vec(w, second ? in->bias.second : in->bias.vector), width);
}

/* Scores of far positions are made sharper (Mistral 3, Llama 4): as code published with the
 * models does it. */
static float temper(const worker *w, const ingle_instr *in, size_t t)
{
    double far = floor((w->b->tok_pos[t] + in->temper.plus) / in->temper.span);
    return (float)(1 + in->temper.by * log(far + 1));
}

static void gain(const worker *w, const ingle_instr *in, float *dst, const float *src, size_t width)
{
    const float *by = vec(w, in->bias.vector);
    if (w->b->program->weights.vector[in->bias.vector].n == 1)
        w->b->kern.scale(dst, src, by[0], width);
    else w->b->kern.mul(dst, src, by, width);
}

static void gate(const worker *w, const ingle_instr *in, float *dst, const float *src, size_t t,
                 size_t width)
{
    float by = *row(w, in->src[1], t);
    cpu_sigmoid(w, &by, 1);
    w->b->kern.scale(dst, src, by, width);
}

static void pieces(const worker *w, const ingle_instr *in, size_t t)
{
    const ingle_pieces *p = &in->pieces;
    float *dst = row(w, in->dst[0], t);
    const float *src = row(w, in->src[0], t);
    for (uint32_t i = 0; i < p->n; i++) {
        size_t to = p->to.at + (size_t)i * p->to.step, from = p->from.at + (size_t)i * p->from.step;
        if (in->op == INGLE_OP_COPY) memcpy(dst + to, src + from, p->width * sizeof *dst);
        else w->b->kern.add(dst + to, src + to, row(w, in->src[1], t) + from, p->width);
    }
}

static void one_row(const worker *w, const ingle_instr *in, size_t t)
{
    const ingle_kern *k = &w->b->kern;
    float *dst = row(w, in->dst[0], t);
    const float *src = in->src[0] == INGLE_NO_VALUE ? NULL : row(w, in->src[0], t);
    size_t width = stride(w, in->dst[0]);
    switch (in->op) {
    case INGLE_OP_EMBED: embed(w, in, t); break;
    case INGLE_OP_PLACE: place(w, in, t, width); break;
    case INGLE_OP_NORM:
        for (uint32_t h = 0; h < in->norm.n_heads; h++)
            cpu_norm(w, &in->norm.by, in->norm.own ? h : 0, dst + h * in->norm.head_dim,
                     src + h * in->norm.head_dim, in->norm.head_dim);
        break;
    case INGLE_OP_SEGMENT: add_segment(w, in, t, width); break;
    case INGLE_OP_BIAS: k->add(dst, src, vec(w, in->bias.vector), width); break;
    case INGLE_OP_GAIN: gain(w, in, dst, src, width); break;
    case INGLE_OP_CLAMP: k->clamp(dst, src, in->clamp.limit, width); break;
    case INGLE_OP_ROPE:
        cpu_rope_heads(w, in->rope.table, dst + in->rope.at, token_of(w, in, t), in->rope.n_heads,
                       in->rope.head_dim);
        break;
    case INGLE_OP_ACT: cpu_act(w, in->act.fn, in->act.bend, dst, src, width); break;
    case INGLE_OP_SCALE:
        k->scale(dst, src,
                 in->scale.vector == INGLE_NO_VECTOR ? in->scale.by : *vec(w, in->scale.vector),
                 width);
        break;
    case INGLE_OP_TEMPER: k->scale(dst, src, temper(w, in, token_of(w, in, t)), width); break;
    case INGLE_OP_GATE: gate(w, in, dst, src, t, width); break;
    case INGLE_OP_MUL: k->mul(dst, src, row(w, in->src[1], t) + in->mul.at, width); break;
    case INGLE_OP_ADD:
    case INGLE_OP_COPY: pieces(w, in, t); break;
    case INGLE_OP_SPARSE:
    case INGLE_OP_MATCH:
    case INGLE_OP_MIX:
    case INGLE_OP_CORRECT: cpu_stream_row(w, in, t); break;
    case INGLE_OP_SELECT_ROWS:
        memcpy(dst, row(w, in->src[0], token_of(w, in, t)) + in->mul.at, width * sizeof *dst);
        break;
    case INGLE_OP_MATMUL: /* run.c has sent these elsewhere */
    case INGLE_OP_HEADS:
    case INGLE_OP_HEAD:
    case INGLE_OP_STORE:
    case INGLE_OP_QKV:
    case INGLE_OP_ATTEND:
    case INGLE_OP_ROUTE:
    case INGLE_OP_EXPERTS:
    case INGLE_OP_COMBINE:
    case INGLE_OP_CONV:
    case INGLE_OP_SCAN:
    case INGLE_OP_DELTA:
    case INGLE_OP_POOL:
    case INGLE_OP_RESULT:
    case INGLE_OP_COUNT: assert(false);
    }
}

void cpu_rows(const worker *w, const ingle_instr *in)
{
    size_t from, to, first = first_row(w, in);
    split(w, n_rows(w, in), &from, &to);
    for (size_t t = from; t < to; t++) one_row(w, in, first + t);
}
