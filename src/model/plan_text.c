/* plan_text.c - a plan in words: for `ingle inspect --plan`, profiles and tests. */
#include "model/plan.h"

#include <stdio.h>
#include <string.h>

const char *ingle_buf_name(ingle_buf buf)
{
    static const char *const names[INGLE_BUF_COUNT] = {
        [INGLE_BUF_X] = "x",           [INGLE_BUF_N] = "n",           [INGLE_BUF_Q] = "q",
        [INGLE_BUF_K] = "k",           [INGLE_BUF_V] = "v",           [INGLE_BUF_A] = "a",
        [INGLE_BUF_G] = "g",           [INGLE_BUF_U] = "u",           [INGLE_BUF_R] = "r",
        [INGLE_BUF_C] = "c",           [INGLE_BUF_EG] = "eg",         [INGLE_BUF_EU] = "eu",
        [INGLE_BUF_EY] = "ey",         [INGLE_BUF_M] = "m",           [INGLE_BUF_SG] = "sg",
        [INGLE_BUF_SU] = "su",         [INGLE_BUF_S] = "s",           [INGLE_BUF_QL] = "ql",
        [INGLE_BUF_L] = "l",           [INGLE_BUF_KV] = "kv",         [INGLE_BUF_LQ] = "lq",
        [INGLE_BUF_LA] = "la",         [INGLE_BUF_XS] = "xs",         [INGLE_BUF_XP] = "xp",
        [INGLE_BUF_MO] = "mo",         [INGLE_BUF_CO] = "co",         [INGLE_BUF_LL] = "ll",
        [INGLE_BUF_LR] = "lr",         [INGLE_BUF_PE] = "pe",         [INGLE_BUF_PP] = "pp",
        [INGLE_BUF_PR] = "pr",         [INGLE_BUF_XR] = "xr",         [INGLE_BUF_AR] = "ar",
        [INGLE_BUF_LOGITS] = "logits", [INGLE_BUF_POOLED] = "pooled", [INGLE_BUF_MID] = "mid",
        [INGLE_BUF_VECTOR] = "vector", [INGLE_BUF_VI] = "vi",         [INGLE_BUF_VO] = "vo",
        [INGLE_BUF_Z] = "z",           [INGLE_BUF_T] = "t",           [INGLE_BUF_B] = "b",
        [INGLE_BUF_P] = "p",           [INGLE_BUF_E] = "e",           [INGLE_BUF_Y] = "y",
        [INGLE_BUF_YR] = "yr",         [INGLE_BUF_XSR] = "xsr",       [INGLE_BUF_LRR] = "lrr",
    };
    return names[buf];
}

const char *ingle_op_name(ingle_op op)
{
    static const char *const names[] = {
        [INGLE_OP_EMBED] = "EMBED",     [INGLE_OP_NORM] = "NORM",
        [INGLE_OP_MATMUL] = "MATMUL",   [INGLE_OP_BIAS] = "BIAS",
        [INGLE_OP_ROPE] = "ROPE",       [INGLE_OP_STORE] = "STORE",
        [INGLE_OP_QKV] = "QKV",         [INGLE_OP_ATTEND] = "ATTEND",
        [INGLE_OP_ACT] = "ACT",         [INGLE_OP_SCALE] = "SCALE",
        [INGLE_OP_TEMPER] = "TEMPER",   [INGLE_OP_MUL] = "MUL",
        [INGLE_OP_ADD] = "ADD",         [INGLE_OP_COPY] = "COPY",
        [INGLE_OP_HEADS] = "HEADS",     [INGLE_OP_GATE] = "GATE",
        [INGLE_OP_ROUTE] = "ROUTE",     [INGLE_OP_EXPERTS] = "EXPERTS",
        [INGLE_OP_REDUCE] = "REDUCE",   [INGLE_OP_GATHER] = "GATHER",
        [INGLE_OP_HEAD] = "HEAD",       [INGLE_OP_GAIN] = "GAIN",
        [INGLE_OP_TANH] = "TANH",       [INGLE_OP_SPARSE] = "SPARSE",
        [INGLE_OP_MATCH] = "MATCH",     [INGLE_OP_MIX] = "MIX",
        [INGLE_OP_CORRECT] = "CORRECT", [INGLE_OP_PLACE] = "PLACE",
        [INGLE_OP_CLAMP] = "CLAMP",     [INGLE_OP_POOL] = "POOL",
        [INGLE_OP_RESULT] = "RESULT",   [INGLE_OP_CONV] = "CONV",
        [INGLE_OP_SCAN] = "SCAN",       [INGLE_OP_DELTA] = "DELTA",
        [INGLE_OP_SEGMENT] = "SEGMENT",
    };
    return names[op];
}

static const char *vector_name(const ingle_weights *w, uint32_t i)
{
    return i == INGLE_NO_VECTOR ? "1" : w->vector[i].tensor->name;
}

static const char *norm_prefix(const ingle_instr *in)
{
    return in->norm == INGLE_NORM_LAYER ? "layer" : in->norm == INGLE_NORM_L2 ? "l2" : "";
}

static const char *act_name(ingle_act_fn act)
{
    static const char *const names[] = {"silu",     "gelu",    "gelu_erf",  "relu2",
                                        "xielu",    "swiglu",  "swiglu_up", "tanh",
                                        "softplus", "sigmoid", "softmax",   ""};
    return names[act];
}

/* The input side: "n", "norm(x, blk.0.attn_norm.weight)", "silu(g)*u". */
static int src_text(const ingle_instr *in, const ingle_weights *w, char *out, size_t cap)
{
    if (in->pre == INGLE_PRE_NORM)
        return snprintf(out, cap, "%snorm(%s, %s)", norm_prefix(in), ingle_buf_name(in->src),
                        vector_name(w, in->vector));
    if (in->pre == INGLE_PRE_GLU)
        return snprintf(out, cap, "%s(%s)*%s", act_name(in->act), ingle_buf_name(in->src),
                        ingle_buf_name(in->src2));
    return snprintf(out, cap, "%s", ingle_buf_name(in->src));
}

static int matmul_text(const ingle_instr *in, const ingle_weights *w, char *out, size_t cap)
{
    char src[160];
    src_text(in, w, src, sizeof src);
    int n = snprintf(out, cap, "%-6s %s ->", ingle_op_name(in->op), src);
    for (uint32_t i = 0; i < in->n_out && (size_t)n < cap; i++) {
        const ingle_matmul_out *o = &in->out[i];
        const ingle_matrix *m = &w->matrix[o->weight];
        n += snprintf(out + n, cap - (size_t)n, "%s %s%s= %s %s[%zux%zu]%s%s%s%s", i ? "," : "",
                      ingle_buf_name(o->dst), o->add ? " +" : " ", m->tensor->name,
                      ingle_type_name(m->packed.type), m->packed.n_rows, m->packed.n_cols,
                      o->scale ? " * " : "", o->scale ? vector_name(w, o->scale - 1) : "",
                      o->bias == INGLE_NO_VECTOR ? "" : " + ",
                      o->bias == INGLE_NO_VECTOR ? "" : vector_name(w, o->bias));
    }
    return n;
}

int ingle_instr_text(const ingle_instr *in, const ingle_weights *w, char *out, size_t cap)
{
    const char *dst = ingle_buf_name(in->dst), *src = ingle_buf_name(in->src);
    switch (in->op) {
    case INGLE_OP_EMBED:
        return snprintf(out, cap, "%-6s token -> %s = %s %s", ingle_op_name(in->op), dst,
                        w->matrix[in->out[0].weight].tensor->name,
                        ingle_type_name(w->matrix[in->out[0].weight].packed.type));
    case INGLE_OP_PLACE:
        return snprintf(out, cap, "%-6s %s + %s %s -> %s", ingle_op_name(in->op), src,
                        w->matrix[in->out[0].weight].tensor->name,
                        ingle_type_name(w->matrix[in->out[0].weight].packed.type), dst);
    case INGLE_OP_CLAMP:
        return snprintf(out, cap, "%-6s %s within %g -> %s", ingle_op_name(in->op), src,
                        (double)in->scale, dst);
    case INGLE_OP_RESULT: return snprintf(out, cap, "%-6s %s", ingle_op_name(in->op), src);
    case INGLE_OP_MATMUL:
    case INGLE_OP_EXPERTS:
    case INGLE_OP_HEADS:
    case INGLE_OP_HEAD: return matmul_text(in, w, out, cap);
    case INGLE_OP_BIAS:
    case INGLE_OP_SEGMENT:
        return snprintf(out, cap, "%-6s %s, %s -> %s", ingle_op_name(in->op), src,
                        vector_name(w, in->vector), dst);
    case INGLE_OP_NORM:
        return snprintf(out, cap, "%-6s %snorm(%s, %s) -> %s (%u heads of %u)",
                        ingle_op_name(in->op), norm_prefix(in), src, vector_name(w, in->vector),
                        dst, in->n_heads, in->head_dim);
    case INGLE_OP_ACT:
        return snprintf(out, cap, "%-6s %s(%s) -> %s", ingle_op_name(in->op), act_name(in->act),
                        src, dst);
    case INGLE_OP_SCALE:
        if (in->vector != INGLE_NO_VECTOR)
            return snprintf(out, cap, "%-6s %s * %s -> %s", ingle_op_name(in->op), src,
                            vector_name(w, in->vector), dst);
        /* fallthrough */
    case INGLE_OP_TEMPER:
        return snprintf(out, cap, "%-6s %s * %g%s -> %s", ingle_op_name(in->op), src,
                        (double)in->scale, in->op == INGLE_OP_TEMPER ? " by position" : "", dst);
    case INGLE_OP_QKV:
        return snprintf(out, cap, "%-6s q norm %s, k norm %s, rope q k, store k v",
                        ingle_op_name(in->op), vector_name(w, in->vector),
                        vector_name(w, in->vector2));
    case INGLE_OP_STORE: return snprintf(out, cap, "%-6s k, v -> pages", ingle_op_name(in->op));
    case INGLE_OP_ATTEND:
        if (in->window)
            return snprintf(out, cap, "%-6s %s -> %s (%u heads of %u, window %u)",
                            ingle_op_name(in->op), src, dst, in->n_heads, in->head_dim, in->window);
        /* fallthrough */
    case INGLE_OP_ROPE:
        return snprintf(out, cap, "%-6s %s -> %s (%u heads of %u)", ingle_op_name(in->op), src, dst,
                        in->n_heads, in->head_dim);
    case INGLE_OP_CONV:
        return snprintf(out, cap, "%-6s %s(%s over %u tokens * %s + %s) -> %s",
                        ingle_op_name(in->op), act_name(in->act), src, in->n_taps,
                        vector_name(w, in->vector),
                        in->bias == INGLE_NO_VECTOR ? "0" : vector_name(w, in->bias), dst);
    case INGLE_OP_SCAN:
    case INGLE_OP_DELTA:
        return snprintf(out, cap, "%-6s %s, %s, %s -> %s (%u heads of %u, %u groups, state %u)",
                        ingle_op_name(in->op), src, ingle_buf_name(in->src2),
                        ingle_buf_name(in->src3), dst, in->n_heads, in->head_dim, in->n_groups,
                        in->n_state);
    case INGLE_OP_MUL:
    case INGLE_OP_GATE:
    case INGLE_OP_REDUCE:
    case INGLE_OP_ADD:
        return snprintf(out, cap, "%-6s %s, %s -> %s", ingle_op_name(in->op), src,
                        ingle_buf_name(in->src2), dst);
    default: return snprintf(out, cap, "%-6s %s -> %s", ingle_op_name(in->op), src, dst);
    }
}

/* "blk.3.attn_q.weight" -> "attn_q" */
static size_t brief_name(const char *name, const char **start)
{
    const char *dot = strncmp(name, "blk.", 4) ? NULL : strchr(name + 4, '.');
    *start = dot ? dot + 1 : name;
    size_t len = strlen(*start);
    return len > 7 && !strcmp(*start + len - 7, ".weight") ? len - 7 : len;
}

static bool types_differ(const ingle_instr *in, const ingle_weights *w)
{
    for (uint32_t i = 1; i < in->n_out; i++)
        if (w->matrix[in->out[i].weight].packed.type != w->matrix[in->out[0].weight].packed.type)
            return true;
    return false;
}

static void matrices_brief(const ingle_instr *in, const ingle_weights *w, char *out, size_t cap)
{
    size_t n = 0;
    bool each = types_differ(in, w);
    for (uint32_t i = 0; i < in->n_out && n < cap; i++) {
        const ingle_matrix *m = &w->matrix[in->out[i].weight];
        const char *start, *type = ingle_type_name(m->packed.type);
        bool typed = each || i + 1 == in->n_out;
        int len = (int)brief_name(m->tensor->name, &start);
        n += (size_t)snprintf(out + n, cap - n, "%s%.*s%s%s", i ? ", " : "", len, start,
                              typed ? " " : "", typed ? type : "");
    }
}

void ingle_instr_brief(const ingle_instr *in, const ingle_weights *w, char *out, size_t cap)
{
    out[0] = 0;
    if (in->op == INGLE_OP_QKV)
        snprintf(out, cap, in->vector == INGLE_NO_VECTOR ? "rope, store" : "norm, rope, store");
    else if (in->op == INGLE_OP_NORM) snprintf(out, cap, "%s", ingle_buf_name(in->src));
    else if (in->op == INGLE_OP_EMBED || in->op == INGLE_OP_PLACE || in->op == INGLE_OP_MATMUL ||
             in->op == INGLE_OP_HEAD || in->op == INGLE_OP_EXPERTS || in->op == INGLE_OP_HEADS)
        matrices_brief(in, w, out, cap);
    else if (in->op != INGLE_OP_STORE && in->op != INGLE_OP_ATTEND)
        snprintf(out, cap, "%s", ingle_buf_name(in->dst));
}
