/* embed.c - what becomes of hidden states: pooled to a row per text, and handed to whom they
 * belong. Threads share the columns, so that a text's rows are added in their order whatever the
 * batch. */
#include "backend/cpu/run.h"

#include <string.h>

/* My columns [*from, *to) of n, whole cache lines. */
static void columns(const worker *w, size_t n, size_t *from, size_t *to)
{
    split(w, (n + 15) / 16, from, to);
    *from *= 16, *to *= 16;
    if (*to > n) *to = n;
}

static void pool_text(const worker *w, const ingle_instr *in, size_t i, size_t from, size_t n)
{
    const ingle_kern *k = &w->b->kern;
    const ingle_batch_text *text = &w->b->batch->texts[i];
    float *dst = row(w, in->dst[0], i) + from;
    if (!text->sum) {
        memcpy(dst, row(w, in->src[0], text->first_row) + from, n * sizeof *dst);
        return;
    }
    float *sum = text->sum + from;
    for (size_t r = 0; r < text->n_rows; r++)
        k->add(sum, sum, row(w, in->src[0], text->first_row + r) + from, n);
    k->scale(dst, sum, 1.0f / (float)text->n, n);
}

void cpu_pool(const worker *w, const ingle_instr *in)
{
    const ingle_batch *batch = w->b->batch;
    size_t width = w->b->program->plan.n_embd, from, to;
    if (batch->pooling == INGLE_POOLING_NONE) {
        split(w, batch->n_rows - batch->n_logits, &from, &to);
        for (size_t r = batch->n_logits + from; r < batch->n_logits + to; r++)
            memcpy(batch->rows[r].out, row(w, in->src[0], r), width * sizeof(float));
        return;
    }
    columns(w, width, &from, &to);
    for (size_t i = 0; from < to && i < batch->n_texts; i++) pool_text(w, in, i, from, to - from);
}

void cpu_result(const worker *w, const ingle_instr *in)
{
    const ingle_batch *batch = w->b->batch;
    size_t from, to;
    split(w, batch->n_texts, &from, &to);
    for (size_t i = from; i < to; i++)
        if (batch->texts[i].ends)
            memcpy(batch->texts[i].out, row(w, in->src[0], i),
                   stride(w, in->src[0]) * sizeof(float));
}
