/* scratch.c - the memory of a draw, which is nobody's between two draws. */
#include "sample/sampler.h"

#include "base/mem.h"

#include <stdlib.h>

#define HEADER    ingle_round_up(sizeof(ingle_sample_scratch), INGLE_ALIGN)
#define PER_TOKEN (sizeof(uint64_t) + sizeof(ingle_candidate) + sizeof(int32_t))

size_t ingle_sample_scratch_bytes(int32_t n_vocab)
{
    return HEADER + (size_t)n_vocab * PER_TOKEN;
}

ingle_sample_scratch *ingle_sample_scratch_new(int32_t n_vocab)
{
    size_t n = n_vocab > 0 ? (size_t)n_vocab : 0;
    char *block = ingle_new(1, ingle_sample_scratch_bytes((int32_t)n));
    if (!block) return NULL;
    _Static_assert(sizeof(ingle_candidate) == sizeof(uint64_t) + sizeof(float), "out fills both");
    ingle_sample_scratch *x = (ingle_sample_scratch *)block;
    x->cap = n;
    x->cur = (uint64_t *)(block + HEADER);
    x->tmp = x->cur + n;
    x->logits = (float *)(x->tmp + n);
    x->out = (ingle_candidate *)x->tmp;
    x->mark = (int32_t *)(x->logits + n);
    return x;
}

void ingle_sample_scratch_free(ingle_sample_scratch *x)
{
    free(x);
}

ingle_status ingle_sampler_own_scratch(ingle_sampler *s, ingle_error *err)
{
    if (!s) return ingle_fail(err, INGLE_ECLOSED, "the sampler is NULL or was closed");
    if (!s->own) s->own = ingle_sample_scratch_new(s->n_vocab);
    return s->own ? INGLE_OK
                  : ingle_fail(err, INGLE_ENOMEM, "no memory for a sampler over %d tokens",
                               (int)s->n_vocab);
}
