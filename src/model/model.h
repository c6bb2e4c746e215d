/* model.h - an opened model: metadata, vocabulary, hyper-parameters, plan, weights. Immutable once
 * opened. Owns       all of these; reference-counted. Depends on the other files of model/, text/,
 * gguf/. */
#ifndef INGLE_MODEL_MODEL_H
#define INGLE_MODEL_MODEL_H

#include <ingle_tools.h>
#include <stdatomic.h>

#include "base/notes.h"
#include "model/families.h"
#include "model/place.h"
#include "text/text.h"

struct ingle_model {
    atomic_size_t refs;
    ingle_parts parts;
    ingle_gguf *gguf;
    ingle_vocab *vocab; /* NULL with INGLE_PARTS_META, or when the file has none */
    char *name, *architecture, *chat_template,
        *rank_template; /* NUL-terminated copies; the templates may be NULL */

    /* INGLE_PARTS_PLAN and ALL */
    const ingle_family *family;
    ingle_hparams hp;
    ingle_program program;
    ingle_placement placement; /* of it: where it runs, and the weights there */
    int32_t n_vocab;           /* rows of the output head */
    ingle_notes notes;
    char *sampler_order; /* as the file recommends it, or NULL */
    struct ingle_grammar_shelf *shelf;
};

/* sampling.c: takes a copy of what ingle_sampler_options_from_model() hands out, notes unknown
 * keys. */
ingle_status ingle_model_read_sampling(ingle_model *m, ingle_error *err);

/* Whether it can go on from a text; otherwise it only embeds. Files of rerankers hold a
 * classifier in place of a head, and what their embeddings would make instead means nothing. */
static inline bool ingle_model_has_logits(const ingle_model *m)
{
    bool only_ranks = m->program.plan.n_rank && m->program.plan.tied_head && !m->hp.ranks_by_words;
    return m->hp.causal && !m->family->encoder && !only_ranks;
}

/* What INGLE_POOLING_AUTO stands for. */
static inline ingle_pooling ingle_model_pooling(const ingle_model *m)
{
    return m->hp.pooling != INGLE_POOLING_AUTO ? m->hp.pooling : INGLE_POOLING_MEAN;
}

#endif
