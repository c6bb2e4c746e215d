/* rope.c - what layers rotate by and what distances cost: the tables of RoPE, the ALiBi slopes. */
#include "model/build.h"

#include "base/mem.h"

#include <math.h>

/* One divisor per pair: Llama 3's rope_freqs, the factors of longrope. NULL name or no tensor:
 * ones. */
static ingle_status read_freqs(double **out, const ingle_gguf *g, const char *name,
                               const ingle_rope *rope, ingle_error *err)
{
    size_t n = rope->n_rot / 2;
    const ingle_gguf_tensor *t = name ? ingle_gguf_find_tensor(g, name) : NULL;
    if (!(*out = ingle_new(n, sizeof **out)))
        return ingle_fail(err, INGLE_ENOMEM, "no memory for RoPE frequencies");
    if (t && (t->type != INGLE_TYPE_F32 || t->n_elems != n))
        return ingle_fail(err, INGLE_EFORMAT, "tensor '%s' should be F32 [%zu]", name, n);
    for (size_t i = 0; i < n; i++) {
        float factor = 1;
        ingle_status st = t ? ingle_gguf_read(g, t, i * 4, &factor, 4, err) : INGLE_OK;
        if (st) return st;
        if (!(factor > 0) || !isfinite(factor))
            return ingle_fail(err, INGLE_EFORMAT, "tensor '%s' entry %zu is %g", name, i,
                              (double)factor);
        (*out)[i] = ingle_rope_frequency(rope, (uint32_t)i, (double)factor);
    }
    return INGLE_OK;
}

static ingle_status read_table(ingle_rope_table *t, const ingle_family *family, const ingle_gguf *g,
                               const ingle_rope *rope, bool own, ingle_error *err)
{
    bool lists = rope->scaling == INGLE_SCALING_LONG;
    const char *name = lists ? "rope_factors_short.weight" : "rope_freqs.weight";
    *t = (ingle_rope_table){.n_rot = rope->n_rot,
                            .halves = family->rope == INGLE_ROPE_HALVES,
                            .magnitude = (float)ingle_rope_magnitude(rope),
                            .n_ctx_orig = rope->n_ctx_orig};
    ingle_status st = read_freqs(&t->freq, g, own ? name : NULL, rope, err);
    if (st || !own || !lists) return st;
    return read_freqs(&t->freq_long, g, "rope_factors_long.weight", rope, err);
}

ingle_status ingle_plan_positions(ingle_plan *plan, const ingle_family *family,
                                  const ingle_hparams *hp, const ingle_gguf *g, ingle_error *err)
{
    if (plan->n_constant && !(plan->constant = ingle_new(plan->n_constant, sizeof(float))))
        return ingle_fail(err, INGLE_ENOMEM, "no memory for ALiBi slopes");
    for (uint32_t h = 0; h < plan->n_constant; h++)
        plan->constant[h] = (float)ingle_alibi_slope((double)hp->alibi_bias, hp->n_head, h);
    plan->n_rope = 1;
    ingle_status st = read_table(&plan->rope[INGLE_ROPE_GLOBAL], family, g, &hp->rope, true, err);
    if (st || !family->rope_swa) return st;
    plan->n_rope = 2;
    return read_table(&plan->rope[INGLE_ROPE_SWA], family, g, &hp->rope_swa, false, err);
}
