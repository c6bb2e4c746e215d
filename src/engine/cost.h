/* cost.h - what a step takes: predicted before it is put together, learnt from what it took.
 * Owns       the estimates.
 * Depends on backend/backend.h (ingle_step_times). Reads no clock: seconds come in as arguments.
 * Invariant  every estimate is positive and finite; a larger step is never predicted cheaper.
 *
 * t = body(n_tokens) + head(n_rows) + few * seconds of a position + many * seconds of a position
 *
 * body and head are tables: values at some sizes (knots), linear in between. A knot is the running
 * mean of about 8 steps. One that was never measured lies on the line between measured ones, or is
 * a guess, scaled as the nearest measured one asks for. A step changes an estimate at most by a
 * factor of 2. */
#ifndef INGLE_ENGINE_COST_H
#define INGLE_ENGINE_COST_H

#include "backend/backend.h"

enum { INGLE_COST_KNOTS = 72 }; /* two for every doubling are enough for any n_batch */

/* What a step is made of. */
typedef struct ingle_shape {
    size_t n_tokens, n_rows; /* rows of logits */
    double few, many; /* positions attended by sequences of one token, by those of more: summed
                       * over their tokens, of which each attends itself and all before it */
} ingle_shape;

/* Seconds before anything was measured. Whatever is not positive counts as very little. */
typedef struct ingle_cost_guess {
    double step, token; /* without attention: one token; each that comes along */
    double head, row;   /* logits: the first row; each that comes along */
    double few, many;   /* attention to one position, as in ingle_shape */
} ingle_cost_guess;

typedef struct ingle_cost_value {
    double seconds; /* 0: of a knot that was never measured */
    double weight;  /* steps that count in the mean, at most 7: the next one counts 1/8 */
} ingle_cost_value;

typedef struct ingle_cost_table {
    ingle_cost_value knot[INGLE_COST_KNOTS];
    double guess[INGLE_COST_KNOTS];
    double value[INGLE_COST_KNOTS]; /* the knot, or what is expected of one never measured */
    double curve[INGLE_COST_KNOTS]; /* the same, never falling: what is predicted */
} ingle_cost_table;

typedef struct ingle_cost_model {
    size_t n_knots;
    size_t at[INGLE_COST_KNOTS]; /* sizes: 1 2 3 4 6 8 9 12 16 24 32 48 64 96 .. n_batch */
    ingle_cost_table body, head;
    ingle_cost_value few, many;
} ingle_cost_model;

/* For steps of up to n_batch >= 1 tokens. */
void ingle_cost_init(ingle_cost_model *m, size_t n_batch, const ingle_cost_guess *guess);
/* Adds n tokens of a sequence, after `pos` positions of it, that give n_rows rows. */
void ingle_shape_add(ingle_shape *shape, size_t pos, size_t n, size_t n_rows);
/* Seconds. 0 of an empty shape. */
double ingle_cost_predict(const ingle_cost_model *m, const ingle_shape *shape);
/* What a step of this shape took. Times that are negative or not finite are ignored. */
void ingle_cost_learn(ingle_cost_model *m, const ingle_shape *shape, const ingle_step_times *times);

#endif
