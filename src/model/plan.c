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
    free(plan->state);
    free(plan->constant);
    memset(plan, 0, sizeof *plan);
}

const ingle_product *ingle_instr_product(const ingle_instr *in)
{
    ingle_cost_kind cost = ingle_op_table[in->op].cost;
    return cost == INGLE_COST_PRODUCT || cost == INGLE_COST_EXPERTS ? &in->product : NULL;
}

size_t ingle_instr_matrices(const ingle_instr *in, ingle_weight_range list[INGLE_MAX_OUT])
{
    const ingle_product *p = ingle_instr_product(in);
    uint32_t n = in->op == INGLE_OP_HEADS     ? in->heads.pieces.n
                 : in->op == INGLE_OP_EXPERTS ? in->experts.by.n_expert
                                              : 1;
    for (uint32_t i = 0; p && i < p->n_out; i++)
        list[i] = (ingle_weight_range){p->out[i].weight, n};
    if (p) return p->n_out;
    list[0] = (ingle_weight_range){in->embed.weight, 1};
    return ingle_op_table[in->op].cost == INGLE_COST_LOOKUP;
}

/* Appends v to a list. */
static void name_vector(uint32_t *list, size_t *n, uint32_t v)
{
    if (v != INGLE_NO_VECTOR) list[(*n)++] = v;
}

static void name_norm(uint32_t *list, size_t *n, const ingle_norm *by)
{
    name_vector(list, n, by->weight);
    name_vector(list, n, by->bias);
}

size_t ingle_instr_vectors(const ingle_instr *in, uint32_t list[INGLE_MAX_VECTORS])
{
    const ingle_product *p = ingle_instr_product(in);
    size_t n = 0;
    if (p && p->pre == INGLE_PRE_NORM) name_norm(list, &n, &p->norm);
    for (uint32_t i = 0; p && i < p->n_out; i++) {
        name_vector(list, &n, p->out[i].bias);
        name_vector(list, &n, p->out[i].scale);
    }
    switch (in->op) {
    case INGLE_OP_NORM: name_norm(list, &n, &in->norm.by); break;
    case INGLE_OP_SEGMENT: name_vector(list, &n, in->bias.second); /* fallthrough */
    case INGLE_OP_BIAS:
    case INGLE_OP_GAIN: name_vector(list, &n, in->bias.vector); break;
    case INGLE_OP_SCALE: name_vector(list, &n, in->scale.vector); break;
    case INGLE_OP_QKV:
        name_norm(list, &n, &in->store.q);
        name_norm(list, &n, &in->store.k);
        break;
    case INGLE_OP_ATTEND: name_vector(list, &n, in->attend.sinks); break;
    case INGLE_OP_ROUTE: name_vector(list, &n, in->route.bias); break;
    case INGLE_OP_CONV:
        name_vector(list, &n, in->conv.taps);
        name_vector(list, &n, in->conv.bias);
        break;
    case INGLE_OP_SCAN:
        name_vector(list, &n, in->scan.a);
        name_vector(list, &n, in->scan.d);
        break;
    case INGLE_OP_DELTA: name_vector(list, &n, in->delta.a); break;
    case INGLE_OP_EMBED:
    case INGLE_OP_PLACE:
    case INGLE_OP_MATMUL:
    case INGLE_OP_HEADS:
    case INGLE_OP_HEAD:
    case INGLE_OP_EXPERTS:
    case INGLE_OP_COMBINE:
    case INGLE_OP_CLAMP:
    case INGLE_OP_ROPE:
    case INGLE_OP_STORE:
    case INGLE_OP_ACT:
    case INGLE_OP_TEMPER:
    case INGLE_OP_GATE:
    case INGLE_OP_MUL:
    case INGLE_OP_ADD:
    case INGLE_OP_COPY:
    case INGLE_OP_SPARSE:
    case INGLE_OP_MATCH:
    case INGLE_OP_MIX:
    case INGLE_OP_CORRECT:
    case INGLE_OP_SELECT_ROWS:
    case INGLE_OP_POOL:
    case INGLE_OP_RESULT:
    case INGLE_OP_COUNT: break;
    }
    return n;
}

uint32_t ingle_instr_cache(const ingle_instr *in)
{
    if (in->op == INGLE_OP_ATTEND) return in->attend.cache;
    return in->op == INGLE_OP_STORE || in->op == INGLE_OP_QKV ? in->store.cache : UINT32_MAX;
}

uint32_t ingle_instr_state(const ingle_instr *in)
{
    if (in->op == INGLE_OP_CONV) return in->conv.state;
    if (in->op == INGLE_OP_SCAN) return in->scan.state.id;
    return in->op == INGLE_OP_DELTA ? in->delta.state.id : UINT32_MAX;
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

/* Whether dst[k] of instruction i overwrites what was there without reading it. */
static bool is_lost(const ingle_plan *plan, size_t i, size_t k)
{
    const ingle_instr *in = &plan->instr[i];
    bool reads = k == INGLE_WAITS || ingle_instr_updates(in, k);
    for (size_t s = 0; s < sizeof in->src / sizeof *in->src; s++)
        reads = reads || in->src[s] == in->dst[k];
    return !reads && plan->value[in->dst[k]].first < i;
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
        for (size_t k = 0; k < sizeof in->dst / sizeof *in->dst; k++) {
            if (in->dst[k] == INGLE_NO_VALUE) continue;
            if (k >= op->n_dst || in->dst[k] >= plan->n_value) return false;
            if (is_lost(plan, i, k)) return false;
        }
        /* Products work on rows from the first on, which hidden states alone are not. */
        if (in->domain == INGLE_ROWS && ingle_instr_product(in) && in->when != INGLE_WHEN_ALWAYS &&
            in->when != INGLE_WHEN_LOGITS)
            return false;
    }
    return true;
}
