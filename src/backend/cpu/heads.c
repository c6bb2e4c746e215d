/* heads.c - products by head: each head of a token has a matrix of its own. A task is one head: its
 * rows are quantised where only the task sees them, so nobody waits between that and the product. */
#include "backend/cpu/run.h"

/* Rows of head h as its matrix wants them. */
static void prepare_head(const worker *w, const ingle_instr *in, size_t m, size_t h,
                         const ingle_packed *p, ingle_acts *acts)
{
    const ingle_kern *k = &w->b->kern;
    ingle_act class = ingle_type_get(p->type)->act;
    size_t at = in->from.at + h * in->from.step;
    if (class == INGLE_ACT_F32) {
        *acts = (ingle_acts){.act = class,
                             .m = m,
                             .n_cols = p->n_cols,
                             .x = row(w, in->src, 0) + at,
                             .ld_x = w->b->model->plan.width[in->src]};
        return;
    }
    ingle_acts_place(acts, class, m, p->n_cols, w->own + w->b->at.t_heads);
    for (size_t t = 0; t < m; t++) k->quantise(acts, t, row(w, in->src, t) + at);
}

void cpu_heads(const worker *w, const ingle_instr *in, cpu_counter *counter)
{
    const ingle_model *model = w->b->model;
    size_t m = n_rows(w, in), h;
    while ((h = atomic_fetch_add(&counter->next, 1)) < in->n_heads) {
        const ingle_packed *p = &model->weights.matrix[in->out[0].weight + h].packed;
        ingle_acts acts;
        prepare_head(w, in, m, h, p, &acts);
        ingle_matmul job = {.w = p,
                            .x = &acts,
                            .out = row(w, in->dst, 0) + in->to.at + h * in->to.step,
                            .ld_out = model->plan.width[in->dst],
                            .fetch = w->b->kern.fetch};
        size_t unit = cpu_unit(w, m, p, 1);
        for (size_t at = 0; at < p->n_panels; at += unit)
            cpu_multiply(w, &job, at, p->n_panels - at < unit ? p->n_panels - at : unit);
    }
}
