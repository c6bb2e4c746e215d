/* grammar.h - a grammar as what narrows a generation.
 * Owns       the constraint it makes: a matcher of the grammar.
 * Depends on engine/constraint.h, model/grammar.h. */
#ifndef INGLE_ENGINE_GRAMMAR_H
#define INGLE_ENGINE_GRAMMAR_H

#include "engine/constraint.h"
#include "model/grammar.h"

/* INGLE_EINVAL: the grammar is of another model. */
ingle_status ingle_grammar_constrain(ingle_constraint **out, const ingle_grammar *grammar,
                                     const ingle_model *model, ingle_error *err);

#endif
