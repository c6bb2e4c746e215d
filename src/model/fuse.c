/* fuse.c - joins runs of instructions into what a CPU does best at once.
 *     NORM, MATMUL...                      -> MATMUL with a norm on its input
 *     MATMUL, MATMUL, MATMUL (one input)   -> one MATMUL with up to three outputs
 *     MATMUL, SCALE of weights / BIAS / ADD -> epilogue of the MATMUL
 *     NORM q, NORM k, ROPE q, ROPE k, STORE -> QKV
 *     ACT, MUL, MATMUL                     -> MATMUL with the gated product on its input
 * Each rule looks at the end of the list made so far and the next instruction; one pass, in place.
 */
#include "model/plan.h"

/* True if a later instruction of the plain list reads buf before it is written again. */
static bool read_later(const ingle_plan *p, size_t from, ingle_buf buf)
{
    for (size_t i = from; i < p->n_instr; i++) {
        const ingle_instr *in = &p->instr[i];
        bool two = in->op == INGLE_OP_MUL || in->op == INGLE_OP_ADD || in->op == INGLE_OP_STORE ||
                   in->op == INGLE_OP_GATE || in->op == INGLE_OP_REDUCE || in->op == INGLE_OP_MIX ||
                   in->op == INGLE_OP_CORRECT || in->op == INGLE_OP_SCAN ||
                   in->op == INGLE_OP_DELTA;
        if (in->op != INGLE_OP_EMBED && in->src == buf) return true;
        if (two && in->src2 == buf) return true;
        if ((in->op == INGLE_OP_SCAN || in->op == INGLE_OP_DELTA) && in->src3 == buf) return true;
        ingle_buf dst = in->n_out ? in->out[0].dst : in->dst;
        bool whole = in->op != INGLE_OP_STORE && in->op != INGLE_OP_COPY &&
                     in->op != INGLE_OP_HEADS && in->op != INGLE_OP_MATCH &&
                     in->op != INGLE_OP_CORRECT;
        if (whole && dst == buf) return false;
    }
    return false;
}

static bool is_matmul(const ingle_instr *in)
{
    return in->op == INGLE_OP_MATMUL || in->op == INGLE_OP_HEAD;
}

/* The input of `in` is what `last` made, and nobody else wants it. */
static bool feeds(const ingle_instr *last, const ingle_instr *in)
{
    return last->dst == in->src && last->rows == in->rows;
}

/* Each rule: true if `in` was absorbed by (or absorbed) the tail of the out list of length *n.
 * `after` is the index of the instruction behind `in` in the plain list. */
typedef bool rule(ingle_plan *p, size_t *n, ingle_instr *in, size_t after);

/* The scale of a tensor, not a number of the family's. */
static bool scales_weights(const ingle_instr *in)
{
    return in->op == INGLE_OP_SCALE && in->vector != INGLE_NO_VECTOR;
}

static bool scale_into_matmul(ingle_plan *p, size_t *n, ingle_instr *in, size_t after)
{
    (void)after;
    ingle_instr *last = &p->instr[*n - 1];
    if (!scales_weights(in) || last->op != INGLE_OP_MATMUL) return false;
    ingle_matmul_out *o = &last->out[last->n_out - 1];
    if (o->dst != in->dst || o->scale || o->bias != INGLE_NO_VECTOR || o->add) return false;
    o->scale = in->vector + 1;
    return true;
}

static bool bias_into_matmul(ingle_plan *p, size_t *n, ingle_instr *in, size_t after)
{
    (void)after;
    ingle_instr *last = &p->instr[*n - 1];
    if (in->op != INGLE_OP_BIAS || last->op != INGLE_OP_MATMUL) return false;
    ingle_matmul_out *o = &last->out[last->n_out - 1];
    if (o->dst != in->dst || o->bias != INGLE_NO_VECTOR || o->add) return false;
    o->bias = in->vector;
    return true;
}

static bool add_into_matmul(ingle_plan *p, size_t *n, ingle_instr *in, size_t after)
{
    ingle_instr *last = &p->instr[*n - 1];
    if (in->op != INGLE_OP_ADD || last->op != INGLE_OP_MATMUL || last->n_out != 1) return false;
    if (in->n_heads != 1 || in->to.at || in->from.at) return false;
    if (last->out[0].dst != in->src2 || in->dst != in->src || last->src == in->dst) return false;
    if (read_later(p, after, in->src2)) return false;
    last->out[0].dst = in->dst;
    last->out[0].add = true;
    return true;
}

/* First instruction behind the up to three MATMULs (and their SCALEs and BIASes) that read buf and can become
 * one group. */
static size_t group_end(const ingle_plan *p, size_t i, ingle_buf buf)
{
    for (int n_matmul = 1; i < p->n_instr; i++) {
        const ingle_instr *in = &p->instr[i];
        bool member = in->op == INGLE_OP_MATMUL && in->src == buf && n_matmul++ < 3;
        if (!member && in->op != INGLE_OP_BIAS && !scales_weights(in)) break;
    }
    return i;
}

static bool norm_into_matmul(ingle_plan *p, size_t *n, ingle_instr *in, size_t after)
{
    ingle_instr *last = &p->instr[*n - 1];
    if (!is_matmul(in) || last->op != INGLE_OP_NORM || last->n_heads != 1 || !feeds(last, in))
        return false;
    if (read_later(p, group_end(p, after, in->src), in->src)) return false;
    in->pre = INGLE_PRE_NORM;
    in->src = last->src;
    in->vector = last->vector;
    in->bias = last->bias;
    in->norm = last->norm;
    in->dst = last->dst; /* where the normed rows wait if a weight wants them as floats */
    *last = *in;
    return true;
}

/* A later MATMUL of the same normed or plain input. */
static bool matmul_into_group(ingle_plan *p, size_t *n, ingle_instr *in, size_t after)
{
    ingle_instr *last = &p->instr[*n - 1];
    (void)after;
    if (in->op != INGLE_OP_MATMUL || last->op != INGLE_OP_MATMUL || last->n_out >= 3) return false;
    if (in->rows != last->rows || last->pre == INGLE_PRE_GLU) return false;
    ingle_buf input = last->pre == INGLE_PRE_NORM ? last->dst : last->src;
    if (in->src != input || in->pre != INGLE_PRE_NONE) return false;
    for (uint32_t i = 0; i < last->n_out; i++)
        if (last->out[i].dst == in->src || last->out[i].dst == in->out[0].dst || last->out[i].add)
            return false;
    last->out[last->n_out++] = in->out[0];
    return true;
}

static bool glu_into_matmul(ingle_plan *p, size_t *n, ingle_instr *in, size_t after)
{
    if (*n < 2 || (in->op != INGLE_OP_MATMUL && in->op != INGLE_OP_EXPERTS)) return false;
    ingle_instr *mul = &p->instr[*n - 1], *act = &p->instr[*n - 2];
    if (mul->op != INGLE_OP_MUL || act->op != INGLE_OP_ACT || act->dst != mul->src) return false;
    if (mul->from.at) return false;
    if (act->act != INGLE_ACT_SILU && act->act != INGLE_ACT_GELU) return false;
    if (!feeds(mul, in) || read_later(p, after, mul->dst)) return false;
    in->pre = INGLE_PRE_GLU;
    in->src = act->src;
    in->src2 = mul->src2;
    in->act = act->act;
    in->dst = mul->dst;
    *act = *in;
    --*n;
    return true;
}

/* A norm of heads that all share their weights. */
static bool norms_heads(const ingle_instr *in, ingle_buf buf, uint32_t head_dim)
{
    return in->op == INGLE_OP_NORM && in->dst == buf && in->norm == INGLE_NORM_RMS && !in->own &&
           in->head_dim == head_dim;
}

/* STORE swallows the ROPEs and head NORMs before it. */
static bool qkv(ingle_plan *p, size_t *n, ingle_instr *in, size_t after)
{
    (void)after;
    if (in->op != INGLE_OP_STORE || *n < 2) return false;
    ingle_instr *rope_k = &p->instr[*n - 1], *rope_q = &p->instr[*n - 2];
    if (rope_k->op != INGLE_OP_ROPE || rope_q->op != INGLE_OP_ROPE) return false;
    if (rope_k->dst != INGLE_BUF_K || rope_q->dst != INGLE_BUF_Q || rope_k->rope != rope_q->rope ||
        rope_q->to.at || rope_k->to.at)
        return false;
    uint32_t head_dim = rope_q->head_dim;
    in->op = INGLE_OP_QKV;
    in->rope = rope_q->rope;
    in->n_heads = rope_q->n_heads, in->head_dim = head_dim;
    *n -= 2;
    if (*n >= 2 && norms_heads(&p->instr[*n - 1], INGLE_BUF_K, head_dim) &&
        norms_heads(&p->instr[*n - 2], INGLE_BUF_Q, head_dim)) {
        in->vector = p->instr[*n - 2].vector;
        in->vector2 = p->instr[*n - 1].vector;
        *n -= 2;
    }
    p->instr[(*n)++] = *in;
    return true;
}

void ingle_plan_fuse(ingle_plan *p)
{
    static rule *const rules[] = {scale_into_matmul,
                                  bias_into_matmul,
                                  add_into_matmul,
                                  norm_into_matmul,
                                  matmul_into_group,
                                  glu_into_matmul,
                                  qkv};
    size_t n = 0;
    for (size_t i = 0; i < p->n_instr; i++) {
        ingle_instr in = p->instr[i];
        bool joined = false;
        bool together = n && p->instr[n - 1].when == in.when;
        for (size_t r = 0; together && !joined && r < sizeof rules / sizeof rules[0]; r++)
            joined = rules[r](p, &n, &in, i + 1);
        if (!joined) p->instr[n++] = in;
    }
    p->n_instr = n;
}
