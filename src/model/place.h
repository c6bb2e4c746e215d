/* place.h - which home runs which stretch of a plan, and has the weights that needs.
 * Owns       the stretches and the stores. Depends on model/plan.h, model/store.h.
 * Invariant  the stretches follow one another and cover the plan; all that stores into a cache and
 *            attends over it is on one home. */
#ifndef INGLE_MODEL_PLACE_H
#define INGLE_MODEL_PLACE_H

#include "model/plan.h"
#include "model/store.h"

#define INGLE_MAX_HOMES 8

/* Where work can be done. */
typedef struct ingle_home {
    const char *name;                        /* "cpu" */
    const struct ingle_backend_ops *backend; /* what runs it (backend/backend.h); NULL: the CPU's */
    uint64_t free;          /* bytes that weights may take there; UINT64_MAX: the system is asked */
    const ingle_sink *sink; /* where they go; NULL: into a store, memory of this host */
} ingle_home;

typedef struct ingle_stretch {
    size_t first, n; /* instructions of the plain list */
    size_t home;
    /* Values that were written before and are used here; that are written here and used after. */
    ingle_val *in, *out;
    size_t n_in, n_out;
} ingle_stretch;

typedef struct ingle_placement {
    const ingle_program *program;
    ingle_home home[INGLE_MAX_HOMES];
    ingle_store store[INGLE_MAX_HOMES]; /* of homes without a sink: planned, then loaded */
    size_t n_homes;
    ingle_homes_of has; /* which weights each home has */
    ingle_stretch *stretch;
    size_t n_stretches;
} ingle_placement;

/* The instruction that a stretch begins at, and its home. */
typedef struct ingle_border {
    size_t at, home;
} ingle_border;

/* Cuts the program's plan at the borders, the first of which is at 0 and which ascend, and plans
 * where weights lie. Pure: nothing is opened, allocated on homes, or loaded. Refused by number:
 * a border out of order, a home that is not there, a cache on two homes; a home whose weights
 * are more than it has free. `out` may be freed whatever is returned. */
ingle_status ingle_place(ingle_placement *out, const ingle_program *program,
                         const ingle_home *homes, size_t n_homes, const ingle_border *borders,
                         size_t n_borders, size_t n_files, ingle_error *err);
void ingle_placement_free(ingle_placement *p);

/* Whether instructions before number i may be on another home than those from i on. */
bool ingle_place_can_cut(const ingle_plan *plan, size_t i);
/* Whether an instruction of the home uses the cache; the state. */
bool ingle_place_has_cache(const ingle_placement *p, size_t home, uint32_t cache);
bool ingle_place_has_state(const ingle_placement *p, size_t home, uint32_t state);

/* Reads the weights into the homes. */
ingle_status ingle_placement_load(ingle_placement *p, const ingle_gguf *g, int n_threads,
                                  bool (*progress)(void *user, double share), void *user,
                                  ingle_error *err);

#endif
