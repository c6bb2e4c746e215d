/* model.h - an opened model: metadata, vocabulary, hyper-parameters, plan, weights. Immutable once
 * opened. Owns       all of these; reference-counted. Depends on the other files of model/, text/,
 * gguf/. */
#ifndef INGLE_MODEL_MODEL_H
#define INGLE_MODEL_MODEL_H

#include <stdatomic.h>

#include "model/plan.h"
#include "text/text.h"

struct ingle_model {
    atomic_size_t refs;
    ingle_parts parts;
    ingle_isa isa;
    ingle_gguf *gguf;
    ingle_vocab *vocab; /* NULL with INGLE_PARTS_META, or when the file has none */
    char *name, *architecture,
        *chat_template; /* NUL-terminated copies; chat_template may be NULL */

    /* INGLE_PARTS_PLAN and ALL */
    const ingle_family *family;
    ingle_hparams hp;
    ingle_plan plan;
    ingle_weights weights;
    double *rope_freq; /* [n_rot/2] radians per position */
    float rope_magnitude;
    int32_t n_vocab; /* rows of the output head */
};

#endif
