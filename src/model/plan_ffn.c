/* plan_ffn.c - the dense feed-forward and its activation. */
#include "model/build.h"

#include <math.h>

/* Gate and up in one tensor, the gate first. */
static bool up_holds_gate(const builder *b)
{
    char name[96];
    const ingle_gguf_tensor *up =
        ingle_gguf_find_tensor(b->g, tensor_name(b, "ffn_up.weight", name, sizeof name));
    return !has(b, "ffn_gate.weight") && up && up->dims[1] == 2 * (uint64_t)b->l->n_ff;
}

static float softplus(double x)
{
    return (float)(x > 30 ? x : log1p(exp(x)));
}

/* One number for all layers or one for each. */
static double layer_number(builder *b, const char *key)
{
    const ingle_gguf_kv *kv = ingle_gguf_find(b->g, key);
    double value = NAN;
    if (kv) ingle_gguf_item_f64(kv, kv->type == INGLE_GGUF_ARRAY ? b->layer : 0, &value);
    if (!b->st && !(fabs(value) <= 1e6))
        b->st =
            ingle_fail(b->err, INGLE_EFORMAT,
                       "key '%s': layer %u should have a number there, at most 1e6", key, b->layer);
    return value;
}

void ingle_build_gate(builder *b, val gate, val up)
{
    ingle_act_fn fn = b->hp->act;
    if (b->l->sparsity > 0)
        emit(b, INGLE_OP_SPARSE, gate, gate)->sparse.deviations = b->l->sparsity;
    ingle_instr *in = emit(b, INGLE_OP_ACT, gate, gate);
    in->act.fn = fn;
    if (fn == INGLE_ACT_XIELU) {
        double beta = layer_number(b, "xielu.beta");
        in->act.bend[0] = softplus(layer_number(b, "xielu.alpha_p"));
        in->act.bend[1] = (float)beta + softplus(layer_number(b, "xielu.alpha_n"));
        in->act.bend[2] = (float)beta;
        in->act.bend[3] = (float)layer_number(b, "xielu.eps");
    }
    if (up == INGLE_NO_VALUE) return;
    if (fn == INGLE_ACT_SWIGLU) activate(b, up, INGLE_ACT_SWIGLU_UP);
    multiply(b, gate, gate, up);
}

val ingle_build_dense(builder *b, val n)
{
    size_t n_ff = b->l->n_ff;
    val gate, up = INGLE_NO_VALUE;
    if (b->family->ungated) {
        gate = linear(b, n, "ffn_up", n_ff);
    } else if (up_holds_gate(b)) {
        gate = linear_part(b, n, "ffn_gate", "ffn_up", 0, n_ff, 2 * n_ff);
        up = linear_part(b, n, "ffn_up", "ffn_up", n_ff, n_ff, 2 * n_ff);
    } else {
        gate = linear(b, n, "ffn_gate", n_ff);
        up = linear(b, n, "ffn_up", n_ff);
    }
    ingle_build_gate(b, gate, up);
    if (b->family->sub_norms) norm_to(b, gate, gate, "ffn_sub_norm");
    return linear(b, gate, "ffn_down", b->hp->n_embd);
}
