/* fuse.c - joins runs of instructions into what a CPU does best at once.
 *     NORM, MATMUL...                      -> MATMUL with a norm on its input
 *     MATMUL, MATMUL, MATMUL (one input)   -> one MATMUL with up to three outputs
 *     MATMUL, SCALE of weights / BIAS / ADD -> epilogue of the MATMUL
 *     NORM q, NORM k, ROPE q, ROPE k, STORE -> QKV
 *     ACT, MUL, MATMUL                     -> MATMUL with the gated product on its input
 * Each rule looks at the end of the list made so far and the next instruction; one pass. */
#include "model/plan.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

typedef struct fuser {
    const ingle_plan *plain;
    ingle_instr *out; /* the list made so far */
    size_t n;
    size_t after,
        end; /* the instruction of the plain list after the next one, and after the last */
} fuser;

/* Whether an instruction of the plain list from number i on uses v. */
static bool used_from(const fuser *f, size_t i, ingle_val v)
{
    return f->plain->value[v].last >= i;
}

static bool takes_norm(const ingle_instr *in)
{
    return in->op == INGLE_OP_MATMUL || in->op == INGLE_OP_HEAD;
}

/* Each rule: true if `in` was absorbed by (or absorbed) the tail of the list. */
typedef bool rule(fuser *f, ingle_instr *in);

/* The scale of a tensor, not a number of the family's. */
static bool scales_weights(const ingle_instr *in)
{
    return in->op == INGLE_OP_SCALE && in->scale.vector != INGLE_NO_VECTOR;
}

/* The last output of the product that ends the list, if it is v and nothing was done to it
 * since. */
static ingle_matmul_out *last_output(const fuser *f, ingle_val v)
{
    ingle_instr *last = &f->out[f->n - 1];
    if (last->op != INGLE_OP_MATMUL) return NULL;
    uint32_t i = last->product.n_out - 1;
    ingle_matmul_out *o = &last->product.out[i];
    return last->dst[i] == v && o->bias == INGLE_NO_VECTOR && !o->add ? o : NULL;
}

static bool scale_into_matmul(fuser *f, ingle_instr *in)
{
    ingle_matmul_out *o = scales_weights(in) ? last_output(f, in->dst[0]) : NULL;
    if (!o || o->scale != INGLE_NO_VECTOR) return false;
    o->scale = in->scale.vector;
    return true;
}

static bool bias_into_matmul(fuser *f, ingle_instr *in)
{
    ingle_matmul_out *o = in->op == INGLE_OP_BIAS ? last_output(f, in->dst[0]) : NULL;
    if (!o || in->src[0] != in->dst[0]) return false;
    o->bias = in->bias.vector;
    return true;
}

static bool add_into_matmul(fuser *f, ingle_instr *in)
{
    ingle_instr *last = &f->out[f->n - 1];
    if (in->op != INGLE_OP_ADD || last->op != INGLE_OP_MATMUL || last->product.n_out != 1)
        return false;
    if (in->pieces.n != 1 || in->pieces.to.at || in->pieces.from.at) return false;
    if (last->dst[0] != in->src[1] || in->dst[0] != in->src[0] || last->src[0] == in->dst[0])
        return false;
    if (last->product.out[0].add || used_from(f, f->after, in->src[1])) return false;
    last->dst[0] = in->dst[0];
    last->product.out[0].add = true;
    return true;
}

/* First instruction after the up to three MATMULs (and their SCALEs and BIASes) that read v and can
 * become one group. */
static size_t group_end(const fuser *f, ingle_val v)
{
    size_t i = f->after;
    for (int n_matmul = 1; i < f->end; i++) {
        const ingle_instr *in = &f->plain->instr[i];
        bool member = in->op == INGLE_OP_MATMUL && in->src[0] == v && n_matmul++ < 3;
        if (!member && in->op != INGLE_OP_BIAS && !scales_weights(in)) break;
    }
    return i;
}

static bool norm_into_matmul(fuser *f, ingle_instr *in)
{
    ingle_instr *last = &f->out[f->n - 1];
    if (!takes_norm(in) || last->op != INGLE_OP_NORM || last->norm.n_heads != 1) return false;
    if (last->dst[0] != in->src[0] || used_from(f, group_end(f, in->src[0]), in->src[0]))
        return false;
    in->product.pre = INGLE_PRE_NORM;
    in->product.norm = last->norm.by;
    in->src[0] = last->src[0];
    in->dst[INGLE_WAITS] = last->dst[0];
    *last = *in;
    return true;
}

/* A later MATMUL of the same normed or plain input. */
static bool matmul_into_group(fuser *f, ingle_instr *in)
{
    ingle_instr *last = &f->out[f->n - 1];
    ingle_product *p = &last->product;
    if (in->op != INGLE_OP_MATMUL || last->op != INGLE_OP_MATMUL) return false;
    if (p->n_out >= INGLE_MAX_OUT || p->pre == INGLE_PRE_GLU) return false;
    ingle_val input = p->pre == INGLE_PRE_NORM ? last->dst[INGLE_WAITS] : last->src[0];
    if (in->src[0] != input || in->product.pre != INGLE_PRE_NONE) return false;
    for (uint32_t i = 0; i < p->n_out; i++)
        if (last->dst[i] == in->src[0] || p->out[i].add) return false;
    last->dst[p->n_out] = in->dst[0];
    p->out[p->n_out++] = in->product.out[0];
    return true;
}

static bool glu_into_matmul(fuser *f, ingle_instr *in)
{
    if (f->n < 2 || (in->op != INGLE_OP_MATMUL && in->op != INGLE_OP_EXPERTS)) return false;
    ingle_instr *mul = &f->out[f->n - 1], *act = &f->out[f->n - 2];
    if (mul->op != INGLE_OP_MUL || act->op != INGLE_OP_ACT || act->dst[0] != mul->src[0])
        return false;
    if (mul->mul.at || act->dst[0] != act->src[0]) return false;
    if (act->act.fn != INGLE_ACT_SILU && act->act.fn != INGLE_ACT_GELU) return false;
    if (mul->dst[0] != in->src[0] || used_from(f, f->after, mul->dst[0])) return false;
    in->product.pre = INGLE_PRE_GLU;
    in->product.act = act->act.fn;
    in->src[0] = act->src[0];
    in->src[1] = mul->src[1];
    in->dst[INGLE_WAITS] = mul->dst[0];
    *act = *in;
    f->n--;
    return true;
}

/* A norm of the heads of x that all share their weights. */
static bool norms_heads(const ingle_instr *in, ingle_val x, uint32_t head_dim)
{
    return in->op == INGLE_OP_NORM && in->dst[0] == x && in->src[0] == x &&
           in->norm.by.kind == INGLE_NORM_RMS && in->norm.by.weight != INGLE_NO_VECTOR &&
           !in->norm.own && in->norm.head_dim == head_dim;
}

/* STORE swallows the ROPEs and head NORMs before it. */
static bool qkv(fuser *f, ingle_instr *in)
{
    if (in->op != INGLE_OP_STORE || f->n < 2) return false;
    const ingle_instr *rope_k = &f->out[f->n - 1], *rope_q = &f->out[f->n - 2];
    if (rope_k->op != INGLE_OP_ROPE || rope_q->op != INGLE_OP_ROPE) return false;
    if (rope_k->dst[0] != in->src[0] || rope_k->rope.table != rope_q->rope.table ||
        rope_q->rope.at || rope_k->rope.at || rope_q->domain != INGLE_TOKENS)
        return false;
    const ingle_cache *cache = &f->plain->cache[in->store.cache];
    ingle_val q = rope_q->dst[0], k = rope_k->dst[0];
    uint32_t head_dim = rope_q->rope.head_dim;
    if (rope_k->rope.n_heads != cache->n_head_kv || head_dim != cache->head_dim_k ||
        rope_k->rope.head_dim != head_dim || rope_q->rope.n_heads % cache->n_head_kv)
        return false;
    in->op = INGLE_OP_QKV;
    in->src[2] = in->dst[0] = q, in->dst[1] = k;
    in->store.table = rope_q->rope.table;
    in->store.n_heads = rope_q->rope.n_heads, in->store.head_dim = head_dim;
    in->store.q.weight = in->store.k.weight = INGLE_NO_VECTOR;
    f->n -= 2;
    if (f->n >= 2 && norms_heads(&f->out[f->n - 1], k, head_dim) &&
        norms_heads(&f->out[f->n - 2], q, head_dim)) {
        in->store.q = f->out[f->n - 2].norm.by;
        in->store.k = f->out[f->n - 1].norm.by;
        f->n -= 2;
    }
    f->out[f->n++] = *in;
    return true;
}

static void join(fuser *f, size_t first)
{
    static rule *const rules[] = {scale_into_matmul,
                                  bias_into_matmul,
                                  add_into_matmul,
                                  norm_into_matmul,
                                  matmul_into_group,
                                  glu_into_matmul,
                                  qkv};
    for (size_t i = first; i < f->end; i++) {
        ingle_instr in = f->plain->instr[i];
        bool joined = false;
        bool together = f->n && f->out[f->n - 1].when == in.when;
        f->after = i + 1;
        for (size_t r = 0; together && !joined && r < sizeof rules / sizeof rules[0]; r++)
            joined = rules[r](f, &in);
        if (!joined) f->out[f->n++] = in;
    }
}

ingle_status ingle_plan_fuse(ingle_plan *out, const ingle_plan *plain, size_t first, size_t n,
                             bool fuse, ingle_error *err)
{
    *out = *plain;
    out->instr = ingle_new(n, sizeof *out->instr);
    out->value = ingle_new(plain->n_value, sizeof *out->value);
    if (!out->instr || !out->value) {
        ingle_plan_fused_free(out);
        return ingle_fail(err, INGLE_ENOMEM, "no memory for the plan");
    }
    memcpy(out->value, plain->value, plain->n_value * sizeof *out->value);
    fuser f = {.plain = plain, .out = out->instr, .end = first + n};
    if (fuse) {
        join(&f, first);
        n = f.n;
    } else memcpy(out->instr, plain->instr + first, n * sizeof *out->instr);
    out->n_instr = out->cap = n;
    ingle_plan_live(out);
    return INGLE_OK;
}

void ingle_plan_fused_free(ingle_plan *out)
{
    free(out->instr);
    free(out->value);
    memset(out, 0, sizeof *out);
}
