#include "model/plan.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { PART = false, WHOLE = true };

const ingle_op_info ingle_op_table[INGLE_OP_COUNT] = {
#define X(name, n_src, n_dst, whole, cost) {#name, n_src, n_dst, whole, INGLE_COST_##cost},
    INGLE_OPS(X)
#undef X
};

void ingle_plan_free(ingle_plan *plan)
{
    for (size_t i = 0; i < INGLE_ROPE_TABLES; i++) {
        free(plan->rope[i].freq);
        free(plan->rope[i].freq_long);
    }
    free(plan->instr);
    free(plan->value);
    free(plan->cache);
    free(plan->constant);
    memset(plan, 0, sizeof *plan);
}

const ingle_product *ingle_instr_product(const ingle_instr *in)
{
    ingle_cost_kind cost = ingle_op_table[in->op].cost;
    return cost == INGLE_COST_PRODUCT || cost == INGLE_COST_EXPERTS ? &in->product : NULL;
}

bool ingle_instr_updates(const ingle_instr *in, size_t i)
{
    const ingle_product *p = ingle_instr_product(in);
    return !ingle_op_table[in->op].whole || (p && i < p->n_out && p->out[i].add);
}

static void use(ingle_plan *plan, ingle_val v, size_t i)
{
    if (v == INGLE_NO_VALUE) return;
    ingle_value *value = &plan->value[v];
    if (value->first == UINT32_MAX) value->first = (uint32_t)i;
    value->last = (uint32_t)i;
}

void ingle_plan_live(ingle_plan *plan)
{
    for (size_t v = 0; v < plan->n_value; v++)
        plan->value[v].first = plan->value[v].last = UINT32_MAX;
    for (size_t i = 0; i < plan->n_instr; i++) {
        const ingle_instr *in = &plan->instr[i];
        for (size_t k = 0; k < sizeof in->src / sizeof *in->src; k++) use(plan, in->src[k], i);
        for (size_t k = 0; k < sizeof in->dst / sizeof *in->dst; k++) use(plan, in->dst[k], i);
    }
}

size_t ingle_plan_crossing(const ingle_plan *plan, size_t i, ingle_val *list, size_t cap)
{
    size_t n = 0;
    for (size_t v = 0; v < plan->n_value; v++) {
        const ingle_value *value = &plan->value[v];
        if (value->first == UINT32_MAX || value->first >= i || value->last < i) continue;
        if (n < cap) list[n] = (ingle_val)v;
        n++;
    }
    return n;
}

/* ---- what prose states ---- */

static bool runs_together(ingle_when writer, ingle_when reader)
{
    if (writer == INGLE_WHEN_ALWAYS || writer == reader) return true;
    return writer == INGLE_WHEN_EMBED && (reader == INGLE_WHEN_VECTOR || reader == INGLE_WHEN_RANK);
}

/* Whether a run that has instruction i has one before it that writes v. */
static bool is_written(const ingle_plan *plan, ingle_val v, size_t i)
{
    for (size_t k = 0; k < i; k++) {
        const ingle_instr *in = &plan->instr[k];
        for (size_t d = 0; d < sizeof in->dst / sizeof *in->dst; d++)
            if (in->dst[d] == v && runs_together(in->when, plan->instr[i].when)) return true;
    }
    return false;
}

bool ingle_plan_is_sound(const ingle_plan *plan)
{
    for (size_t i = 0; i < plan->n_instr; i++) {
        const ingle_instr *in = &plan->instr[i];
        const ingle_op_info *op = &ingle_op_table[in->op];
        for (size_t k = 0; k < sizeof in->src / sizeof *in->src; k++) {
            if (in->src[k] == INGLE_NO_VALUE) continue;
            if (k >= op->n_src || in->src[k] >= plan->n_value) return false;
            if (!is_written(plan, in->src[k], i)) return false;
        }
        for (size_t k = 0; k < sizeof in->dst / sizeof *in->dst; k++)
            if (in->dst[k] != INGLE_NO_VALUE && (k >= op->n_dst || in->dst[k] >= plan->n_value))
                return false;
    }
    return true;
}
