/* backend_rig.h - for tests: a backend without an engine, and sequences whose steps are made by
 * hand.
 * Owns       the backend; the model and the placement are the caller's and outlive it.
 * Depends on golden/run.h (cmocka, the models), backend/backend.h. */
#ifndef INGLE_TESTS_BACKEND_RIG_H
#define INGLE_TESTS_BACKEND_RIG_H

#include "exact/exact.h"

enum {
    RIG_CTX = 128,
    RIG_TABLE = RIG_CTX / INGLE_PAGE,
    RIG_SEQS = 4,
    RIG_BATCH = 96,
    RIG_STATES = 8,
    RIG_PAGES = 8 * RIG_TABLE /* of each pool: eight whole sequences */
};

typedef struct rig {
    const ingle_model *model;
    const ingle_backend_ops *ops;
    const ingle_placement *placement;
    ingle_backend *b;
    bool hidden;     /* the rows are hidden states: the model has no logits */
    size_t n_hidden; /* else so many of them, the last */
    void (*turn)(void *user, size_t i_row, const float *logits, int i_thread);
    void *user;
    size_t width; /* floats of a row */
} rig;

/* A sequence: where its pages and states are, how many positions it has, what was told of it. */
typedef struct seq {
    uint32_t slot, state_from, state;
    uint32_t page[INGLE_GROUPS][RIG_TABLE];
    size_t n, n_told;
    bool turned; /* it is read the other way than the model was made for */
} seq;

/* Consecutive tokens of a sequence in a step. */
typedef struct share {
    seq *s;
    const int32_t *tokens;
    size_t n;
} share;

static inline bool rig_model(ingle_model **m, const char *name)
{
    golden g;
    ingle_error err;
    if (!golden_open(&g, "models", name)) return false;
    must(ingle_model_open(m, g.model, NULL, &err), &err);
    golden_close(&g);
    return true;
}

static inline void rig_open(rig *r, const ingle_model *m, const ingle_placement *p, ingle_type kv,
                            size_t n_ctx)
{
    ingle_error err;
    const ingle_plan *plan = &m->program.plan;
    const ingle_backend_options opt = {
        .n_batch = RIG_BATCH,
        .n_seqs = RIG_SEQS,
        .n_ctx = n_ctx,
        .n_pages =
            {[INGLE_GROUP_ALL] = RIG_PAGES, [INGLE_GROUP_WINDOW] = plan->window ? RIG_PAGES : 0},
        .n_states = RIG_STATES,
        .n_threads = 2,
        .kv_type = kv};
    *r = (rig){.model = m, .ops = ingle_backend_of(p), .placement = p};
    r->hidden = !ingle_model_has_logits(m);
    r->width = r->hidden ? plan->n_embd : plan->n_vocab;
    must(r->ops->open(&r->b, p, 0, &opt, &err), &err);
    if (r->ops == &ingle_backend_cpu) ingle_pool_use_all(r->b->pool);
}

static inline void rig_close(rig *r)
{
    r->ops->close(r->b);
}

/* Sequence `which` of eight: pages of its own, in another order in each pool, and a state of its
 * own. */
static inline void seq_init(seq *s, uint32_t slot, uint32_t which)
{
    *s = (seq){.slot = slot, .state_from = which, .state = which};
    for (uint32_t p = 0; p < RIG_TABLE; p++) {
        s->page[INGLE_GROUP_ALL][p] = which * RIG_TABLE + (p ^ 1);
        s->page[INGLE_GROUP_WINDOW][p] = (8 - which) * RIG_TABLE - 1 - p;
    }
}

/* The sequence is in another slot, which knows nothing of it. */
static inline void seq_move(seq *s, uint32_t slot)
{
    s->slot = slot;
    s->n_told = 0;
}

/* One step of n shares; tables are told by what is new of them. `clear` NULL: pages that a sequence
 * has not used before are cleared. */
static inline void rig_step(rig *r, const share *shares, size_t n, const ingle_batch_row *rows,
                            size_t n_rows, const ingle_page_list *clear)
{
    ingle_error err;
    ingle_table_change changes[RIG_SEQS * INGLE_GROUPS];
    ingle_batch_seq seqs[RIG_SEQS];
    int32_t tokens[RIG_BATCH];
    ingle_batch batch = {.changes = changes,
                         .tokens = tokens,
                         .n_seqs = n,
                         .seqs = seqs,
                         .n_rows = n_rows,
                         .rows = rows,
                         .n_logits = r->hidden ? 0 : n_rows - r->n_hidden,
                         .pooling = INGLE_POOLING_NONE,
                         .turn = r->turn,
                         .user = r->user};
    int n_groups = r->model->program.plan.window ? INGLE_GROUPS : 1;
    uint32_t fresh[INGLE_GROUPS][RIG_SEQS * RIG_TABLE];
    for (int g = 0; g < n_groups; g++)
        batch.clear[g] = clear ? clear[g] : (ingle_page_list){.pages = fresh[g]};
    for (size_t i = 0; i < n; i++) {
        seq *s = shares[i].s;
        size_t n_table = (s->n + shares[i].n + INGLE_PAGE - 1) / INGLE_PAGE;
        assert_true(n_table <= RIG_TABLE);
        for (size_t p = (s->n + INGLE_PAGE - 1) / INGLE_PAGE; !clear && p < n_table; p++)
            for (int g = 0; g < n_groups; g++) fresh[g][batch.clear[g].n++] = s->page[g][p];
        for (int g = 0; g < n_groups && n_table > s->n_told; g++)
            changes[batch.n_changes++] = (ingle_table_change){.slot = s->slot,
                                                              .first = (uint32_t)s->n_told,
                                                              .n = (uint32_t)(n_table - s->n_told),
                                                              .group = (ingle_group)g,
                                                              .pages = s->page[g] + s->n_told};
        if (n_table > s->n_told) s->n_told = n_table;
        seqs[i] = (ingle_batch_seq){.slot = s->slot,
                                    .pos0 = s->n,
                                    .first = batch.n_tokens,
                                    .n = shares[i].n,
                                    .both = s->turned == r->model->hp.causal,
                                    .state_from = s->state_from,
                                    .state = s->state};
        memcpy(tokens + batch.n_tokens, shares[i].tokens, shares[i].n * sizeof *tokens);
        batch.n_tokens += shares[i].n;
        s->n += shares[i].n;
    }
    must(r->ops->begin(r->b, &batch, &err), &err);
    for (size_t i = 0; i < r->placement->n_stretches; i++) must(r->ops->part(r->b, i, &err), &err);
    must(r->ops->end(r->b, &err), &err);
    for (size_t i = 0; i < n; i++) shares[i].s->state_from = shares[i].s->state;
}

/* n tokens of one sequence, all in one step; all their rows [n][width] to `out`, if given. */
static inline void rig_run(rig *r, seq *s, const int32_t *tokens, size_t n, float *out)
{
    ingle_batch_row rows[RIG_BATCH] = {{0}};
    for (size_t t = 0; out && t < n; t++) {
        rows[t].token = (uint32_t)t;
        rows[t].out = out + t * r->width;
    }
    rig_step(r, &(share){s, tokens, n}, 1, rows, out ? n : 0, NULL);
}

/* The bytes of a sequence's pages of a group, in the order of its table: the caller frees them. */
static inline uint8_t *rig_pages(rig *r, const seq *s, int group, size_t *n_bytes)
{
    ingle_error err;
    size_t n = (s->n + INGLE_PAGE - 1) / INGLE_PAGE;
    *n_bytes = n * r->ops->page_bytes(r->b, (ingle_group)group);
    uint8_t *bytes = calloc(1, *n_bytes + 1);
    assert_non_null(bytes);
    if (*n_bytes)
        must(r->ops->read_pages(r->b, (ingle_group)group, s->page[group], n, bytes, &err), &err);
    return bytes;
}

static inline void rig_put_pages(rig *r, const seq *s, int group, const uint8_t *bytes)
{
    ingle_error err;
    size_t n = (s->n + INGLE_PAGE - 1) / INGLE_PAGE;
    if (r->ops->page_bytes(r->b, (ingle_group)group))
        must(r->ops->write_pages(r->b, (ingle_group)group, s->page[group], n, bytes, &err), &err);
}

/* The bytes of a slot of state: the caller frees them. */
static inline uint8_t *rig_state(rig *r, uint32_t slot)
{
    ingle_error err;
    uint8_t *bytes = calloc(1, r->ops->state_bytes(r->b) + 1);
    assert_non_null(bytes);
    must(r->ops->read_state(r->b, slot, bytes, &err), &err);
    return bytes;
}

#endif
