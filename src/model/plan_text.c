/* plan_text.c - a plan in words: for `ingle inspect --plan`, profiles and tests. */
#include "model/plan.h"

#include <stdio.h>
#include <string.h>

static const char *vector_name(const ingle_weights *w, uint32_t i)
{
    return i == INGLE_NO_VECTOR ? "1" : w->vector[i].tensor->name;
}

static const char *norm_prefix(const ingle_norm *by)
{
    switch (by->kind) {
    case INGLE_NORM_LAYER: return "layer";
    case INGLE_NORM_L2: return "l2";
    case INGLE_NORM_RMS: break;
    }
    return "";
}

static const char *act_name(ingle_act_fn act)
{
    static const char *const names[] = {"silu",     "gelu",    "gelu_erf",  "relu2",
                                        "xielu",    "swiglu",  "swiglu_up", "tanh",
                                        "softplus", "sigmoid", "softmax",   ""};
    return names[act];
}

static const char *name_of(const ingle_program *p, ingle_val v)
{
    return v == INGLE_NO_VALUE ? "-" : p->plan.value[v].name;
}

/* The input side: "n", "norm(x, blk.0.attn_norm.weight)", "silu(ffn_gate)*ffn_up". */
static void src_text(const ingle_instr *in, const ingle_program *p, char *out, size_t cap)
{
    const ingle_product *product = &in->product;
    const char *src = name_of(p, in->src[0]);
    switch (product->pre) {
    case INGLE_PRE_NONE: snprintf(out, cap, "%s", src); break;
    case INGLE_PRE_NORM:
        snprintf(out, cap, "%snorm(%s, %s)", norm_prefix(&product->norm), src,
                 vector_name(&p->weights, product->norm.weight));
        break;
    case INGLE_PRE_GLU:
        snprintf(out, cap, "%s(%s)*%s", act_name(product->act), src, name_of(p, in->src[1]));
        break;
    }
}

static int product_text(const ingle_instr *in, const ingle_program *p, char *out, size_t cap)
{
    const ingle_weights *w = &p->weights;
    char src[160];
    src_text(in, p, src, sizeof src);
    int n = snprintf(out, cap, "%-6s %s ->", ingle_op_table[in->op].name, src);
    for (uint32_t i = 0; i < in->product.n_out && (size_t)n < cap; i++) {
        const ingle_matmul_out *o = &in->product.out[i];
        const ingle_matrix *m = &w->matrix[o->weight];
        bool scaled = o->scale != INGLE_NO_VECTOR, biased = o->bias != INGLE_NO_VECTOR;
        n += snprintf(out + n, cap - (size_t)n, "%s %s%s= %s %s[%zux%zu]%s%s%s%s", i ? "," : "",
                      in->op == INGLE_OP_HEAD ? "logits" : name_of(p, in->dst[i]),
                      o->add ? " +" : " ", m->tensor->name, ingle_type_name(m->packed.type),
                      m->packed.n_rows, m->packed.n_cols, scaled ? " * " : "",
                      scaled ? vector_name(w, o->scale) : "", biased ? " + " : "",
                      biased ? vector_name(w, o->bias) : "");
    }
    return n;
}

static int attend_text(const ingle_instr *in, const char *src, const char *dst, char *out,
                       size_t cap)
{
    char seen[48] = "";
    if (in->attend.window) snprintf(seen, sizeof seen, ", window %u", in->attend.window);
    if (in->attend.chunk) snprintf(seen, sizeof seen, ", chunks of %u", in->attend.chunk);
    return snprintf(out, cap, "ATTEND %s -> %s (%u heads of %u%s)", src, dst, in->attend.n_heads,
                    in->attend.head_dim, seen);
}

static int state_text(const ingle_instr *in, const ingle_program *p, const ingle_heads_state *s,
                      char *out, size_t cap)
{
    return snprintf(out, cap, "%-6s %s, %s, %s -> %s (%u heads of %u, %u groups, state %u)",
                    ingle_op_table[in->op].name, name_of(p, in->src[0]), name_of(p, in->src[1]),
                    name_of(p, in->src[2]), name_of(p, in->dst[0]), s->n_heads, s->head_dim,
                    s->n_groups, s->n_state);
}

int ingle_instr_text(const ingle_instr *in, const ingle_program *p, char *out, size_t cap)
{
    const ingle_weights *w = &p->weights;
    const char *op = ingle_op_table[in->op].name;
    const char *dst = name_of(p, in->dst[0]), *src = name_of(p, in->src[0]);
    switch (in->op) {
    case INGLE_OP_EMBED:
    case INGLE_OP_PLACE: {
        const ingle_matrix *m = &w->matrix[in->embed.weight];
        bool token = in->op == INGLE_OP_EMBED;
        return snprintf(out, cap, "%-6s %s%s-> %s = %s %s", op, token ? "token " : src,
                        token ? "" : ", position ", dst, m->tensor->name,
                        ingle_type_name(m->packed.type));
    }
    case INGLE_OP_CLAMP:
        return snprintf(out, cap, "%-6s %s within %g -> %s", op, src, (double)in->clamp.limit, dst);
    case INGLE_OP_RESULT: return snprintf(out, cap, "%-6s %s", op, src);
    case INGLE_OP_MATMUL:
    case INGLE_OP_EXPERTS:
    case INGLE_OP_HEADS:
    case INGLE_OP_HEAD: return product_text(in, p, out, cap);
    case INGLE_OP_BIAS:
    case INGLE_OP_GAIN:
    case INGLE_OP_SEGMENT:
        return snprintf(out, cap, "%-6s %s, %s -> %s", op, src, vector_name(w, in->bias.vector),
                        dst);
    case INGLE_OP_NORM:
        return snprintf(out, cap, "%-6s %snorm(%s, %s) -> %s (%u heads of %u)", op,
                        norm_prefix(&in->norm.by), src, vector_name(w, in->norm.by.weight), dst,
                        in->norm.n_heads, in->norm.head_dim);
    case INGLE_OP_ACT:
        return snprintf(out, cap, "%-6s %s(%s) -> %s", op, act_name(in->act.fn), src, dst);
    case INGLE_OP_SCALE:
        if (in->scale.vector != INGLE_NO_VECTOR)
            return snprintf(out, cap, "%-6s %s * %s -> %s", op, src,
                            vector_name(w, in->scale.vector), dst);
        return snprintf(out, cap, "%-6s %s * %g -> %s", op, src, (double)in->scale.by, dst);
    case INGLE_OP_TEMPER:
        return snprintf(out, cap, "%-6s %s * (1 + %g ln(position / %g)) -> %s", op, src,
                        in->temper.by, in->temper.span, dst);
    case INGLE_OP_QKV:
        return snprintf(out, cap, "%-6s q norm %s, k norm %s, rope q k, store k v", op,
                        vector_name(w, in->store.q.weight), vector_name(w, in->store.k.weight));
    case INGLE_OP_STORE: return snprintf(out, cap, "%-6s k, v -> pages", op);
    case INGLE_OP_ATTEND: return attend_text(in, src, dst, out, cap);
    case INGLE_OP_ROPE:
        return snprintf(out, cap, "%-6s %s -> %s (%u heads of %u)", op, src, dst, in->rope.n_heads,
                        in->rope.head_dim);
    case INGLE_OP_CONV:
        return snprintf(out, cap, "%-6s %s(%s over %u tokens * %s + %s) -> %s", op,
                        act_name(in->conv.act), src, in->conv.n_taps, vector_name(w, in->conv.taps),
                        in->conv.bias == INGLE_NO_VECTOR ? "0" : vector_name(w, in->conv.bias),
                        dst);
    case INGLE_OP_SCAN: return state_text(in, p, &in->scan.state, out, cap);
    case INGLE_OP_DELTA: return state_text(in, p, &in->delta.state, out, cap);
    case INGLE_OP_MUL:
    case INGLE_OP_GATE:
    case INGLE_OP_COMBINE:
    case INGLE_OP_CORRECT:
    case INGLE_OP_ADD:
        return snprintf(out, cap, "%-6s %s, %s -> %s", op, src, name_of(p, in->src[1]), dst);
    case INGLE_OP_COPY:
    case INGLE_OP_SPARSE:
    case INGLE_OP_MATCH:
    case INGLE_OP_MIX:
    case INGLE_OP_ROUTE:
    case INGLE_OP_SELECT_ROWS:
    case INGLE_OP_POOL:
    case INGLE_OP_COUNT: break;
    }
    return snprintf(out, cap, "%-6s %s -> %s", op, src, dst);
}

/* "blk.3.attn_q.weight" -> "attn_q" */
static size_t brief_name(const char *name, const char **start)
{
    const char *dot = strncmp(name, "blk.", 4) ? NULL : strchr(name + 4, '.');
    *start = dot ? dot + 1 : name;
    size_t len = strlen(*start);
    return len > 7 && !strcmp(*start + len - 7, ".weight") ? len - 7 : len;
}

static bool types_differ(const ingle_product *p, const ingle_weights *w)
{
    for (uint32_t i = 1; i < p->n_out; i++)
        if (w->matrix[p->out[i].weight].packed.type != w->matrix[p->out[0].weight].packed.type)
            return true;
    return false;
}

static void matrices_brief(const ingle_product *p, const ingle_weights *w, char *out, size_t cap)
{
    size_t n = 0;
    bool each = types_differ(p, w);
    for (uint32_t i = 0; i < p->n_out && n < cap; i++) {
        const ingle_matrix *m = &w->matrix[p->out[i].weight];
        const char *start, *type = ingle_type_name(m->packed.type);
        bool typed = each || i + 1 == p->n_out;
        int len = (int)brief_name(m->tensor->name, &start);
        n += (size_t)snprintf(out + n, cap - n, "%s%.*s%s%s", i ? ", " : "", len, start,
                              typed ? " " : "", typed ? type : "");
    }
}

void ingle_instr_brief(const ingle_instr *in, const ingle_program *p, char *out, size_t cap)
{
    const ingle_product *product = ingle_instr_product(in);
    const ingle_product lookup = {.n_out = 1, .out = {{.weight = in->embed.weight}}};
    out[0] = 0;
    if (in->op == INGLE_OP_QKV)
        snprintf(out, cap,
                 in->store.q.weight == INGLE_NO_VECTOR ? "rope, store" : "norm, rope, store");
    else if (in->op == INGLE_OP_NORM) snprintf(out, cap, "%s", name_of(p, in->src[0]));
    else if (product) matrices_brief(product, &p->weights, out, cap);
    else if (ingle_op_table[in->op].cost == INGLE_COST_LOOKUP)
        matrices_brief(&lookup, &p->weights, out, cap);
    else if (in->dst[0] != INGLE_NO_VALUE && in->op != INGLE_OP_ATTEND)
        snprintf(out, cap, "%s", name_of(p, in->dst[0]));
}
