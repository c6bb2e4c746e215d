/* fixture.h - for tests of sessions: a model, made-up tokens, and what their logits are where nothing is
 * split, dropped or taken back. */
#ifndef INGLE_TESTS_EXACT_FIXTURE_H
#define INGLE_TESTS_EXACT_FIXTURE_H

#include "exact/exact.h"

typedef struct fixture {
    golden g;
    int32_t *tokens, *other; /* [n] each */
    float *want, *got;       /* [n][n_vocab]: the logits of tokens; room for others */
} fixture;

/* False where the model's file is not at hand. */
static inline bool fixture_open(fixture *f, const char *model, const setup *s, size_t n,
                                int32_t n_ctx)
{
    runner r;
    if (!golden_open(&f->g, "models", model)) return false;
    f->tokens = malloc(n * sizeof *f->tokens);
    f->other = malloc(n * sizeof *f->other);
    f->want = malloc(n * f->g.n_vocab * sizeof *f->want);
    f->got = malloc(n * f->g.n_vocab * sizeof *f->got);
    assert_true(f->tokens && f->other && f->want && f->got);
    fill(f->tokens, n, f->g.n_vocab, 1);
    fill(f->other, n, f->g.n_vocab, 2);
    open_with(&r, &f->g, s, n_ctx, 1);
    eval_split(&r, r.session, f->tokens, n, n, f->want);
    runner_close(&r);
    all_finite(f->want, n * f->g.n_vocab);
    return true;
}

static inline void fixture_close(fixture *f)
{
    free(f->tokens);
    free(f->other);
    free(f->want);
    free(f->got);
    golden_close(&f->g);
}

#endif
