/* profile.h - what `ingle bench --profile` shows: where the time of a step goes.
 * Owns       the figures it collected (profile_free()).
 * Depends on out.h, base/json.h, <ingle.h>. */
#ifndef INGLE_CLI_PROFILE_H
#define INGLE_CLI_PROFILE_H

#include <ingle_tools.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/json.h"

/* Sums over total.n_steps steps of one row of the bench. */
typedef struct profile {
    char name[64]; /* "pp512" */
    ingle_profile total;
    ingle_profile_row *rows; /* [n_rows], by instruction of the plan */
    size_t n_rows;
    double wall_s;     /* of all steps, from outside */
    double sampling_s; /* of it */
} profile;

/* Fetches what the engine has added up. name, wall_s and sampling_s are the caller's. */
ingle_status profile_fetch(profile *p, ingle_engine *engine, ingle_error *err);
void profile_free(profile *p);

/* The least seconds an instruction can take on a machine with these peaks. */
double profile_limit(const ingle_profile_row *row, const ingle_limits *peak);

/* Share of the time outside of instructions' own work: barriers, dispatch, sampling. */
double profile_overhead(const profile *p);

void profile_print_md(const profile *p, const ingle_limits *peak);
void profile_put(ingle_json_writer *w, const profile *p, const ingle_limits *peak); /* one object */
void profile_print_csv(const profile *p, const ingle_limits *peak, bool head);

/* profile_svg.c: a flame strip of each profile, one below the other. */
void profile_print_svg(FILE *f, const char *title, const profile *p, size_t n,
                       const ingle_limits *peak);

/* For the strips: seconds of an instruction with its waiting; engine, from outside of steps. */
double profile_row_s(const ingle_profile_row *row);
double profile_engine_s(const profile *p);

#endif
