/* cost.c - what a step must do at least: bytes of weights and pages, multiplications. */
#include "model/plan.h"

#include "kern/page.h"

#include <string.h>

static void add_attention(const ingle_plan *plan, const ingle_instr *in, ingle_type kv_type,
                          ingle_cost *cost)
{
    const ingle_cache *c = &plan->cache[in->attend.cache];
    ingle_kv_shape kv;
    if (in->domain == INGLE_TOKENS)
        cost->attend_macs += (double)in->attend.n_heads * (c->head_dim_k + c->head_dim_v);
    if (ingle_kv_shape_init(&kv, kv_type, c->head_dim_k, c->head_dim_v))
        cost->kv_bytes += (double)kv.bytes / INGLE_PAGE * c->n_head_kv;
}

/* How often one token goes through matrices of the instruction's shape; 0: it is no part of a
 * step that makes logits. */
static double times(const ingle_instr *in)
{
    if (in->when != INGLE_WHEN_ALWAYS && in->op != INGLE_OP_HEAD) return 0;
    return in->op == INGLE_OP_EXPERTS ? in->experts.by.n_used
           : in->op == INGLE_OP_HEADS ? in->heads.pieces.n
                                      : 1;
}

void ingle_plan_cost(const ingle_program *program, ingle_type kv_type, ingle_cost *cost)
{
    const ingle_plan *plan = &program->plan;
    memset(cost, 0, sizeof *cost);
    for (size_t i = 0; i < plan->n_instr; i++) {
        const ingle_instr *in = &plan->instr[i];
        const ingle_product *product = ingle_instr_product(in);
        if (ingle_op_table[in->op].cost == INGLE_COST_ATTEND)
            add_attention(plan, in, kv_type, cost);
        if (!product) continue;
        bool head = in->domain != INGLE_TOKENS;
        for (uint32_t o = 0; o < product->n_out; o++) {
            const ingle_packed *p = &program->weights.matrix[product->out[o].weight].packed;
            double macs = times(in) * (double)p->n_rows * (double)p->n_cols;
            *(head ? &cost->head_macs : &cost->matmul_macs) += macs;
            if (ingle_type_get(p->type)->act == INGLE_ACT_F32)
                *(head ? &cost->head_float_macs : &cost->matmul_float_macs) += macs;
            if (p->type == INGLE_TYPE_BF16)
                *(head ? &cost->head_bf16_macs : &cost->matmul_bf16_macs) += macs;
            cost->weight_bytes += times(in) * (double)p->n_rows * (double)p->row_bytes;
        }
    }
}
