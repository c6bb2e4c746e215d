/* schema_fit.h - whether members that may still come can complete an object: enough of them, not
 * too many, all required ones, and each "some member" fact met.
 * Depends on schema_members.h. */
#ifndef INGLE_GRAMMAR_SCHEMA_FIT_H
#define INGLE_GRAMMAR_SCHEMA_FIT_H

#include "grammar/schema_members.h"

enum { FIT_SETS = 1 << SCHEMA_MAX_SOME };

typedef struct schema_fit {
    uint32_t n_sets;
    uint64_t need, most;       /* members that must come, that can come */
    uint64_t fewest[FIT_SETS]; /* optional members until these facts are met; UINT64_MAX: never */
} schema_fit;

static inline void ingle_schema_fit_start(schema_fit *f, unsigned n_some, uint32_t met)
{
    *f = (schema_fit){.n_sets = 1u << n_some};
    for (uint32_t i = 0; i < f->n_sets; i++) f->fewest[i] = i == met ? 0 : UINT64_MAX;
}

/* A member that can meet any one of these sets of facts: bit `set` of sets. */
static inline void ingle_schema_fit_member(schema_fit *f, uint32_t sets, bool required)
{
    uint64_t next[FIT_SETS];
    f->most++;
    f->need += required;
    if (f->n_sets == 1) return;
    for (uint32_t i = 0; i < f->n_sets; i++) next[i] = required ? UINT64_MAX : f->fewest[i];
    for (uint32_t i = 0; i < f->n_sets; i++)
        for (uint32_t j = 0; f->fewest[i] != UINT64_MAX && j < f->n_sets; j++)
            if (sets >> j & 1 && f->fewest[i] + !required < next[i | j])
                next[i | j] = f->fewest[i] + !required;
    memcpy(f->fewest, next, f->n_sets * sizeof *next);
}

/* Members with keys of a cell: as many as one likes. After all others. */
static inline void ingle_schema_fit_cell(schema_fit *f, uint32_t sets)
{
    for (unsigned k = 0; k < SCHEMA_MAX_SOME && f->n_sets > 1; k++)
        ingle_schema_fit_member(f, sets, false);
    f->most = (uint64_t)1 << 40;
}

static inline bool ingle_schema_fit_ok(const schema_fit *f, uint64_t count, uint32_t min,
                                       uint32_t max)
{
    uint64_t fewest = f->fewest[f->n_sets - 1];
    return fewest != UINT64_MAX && count + f->most >= min &&
           (max == INGLE_TERM_MANY || count + f->need + fewest <= max);
}

#endif
