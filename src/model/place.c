#include "model/place.h"

#include <stdlib.h>
#include <string.h>

/* ---- what homes have ---- */

bool ingle_place_can_cut(const ingle_plan *plan, size_t i)
{
    for (size_t k = 0; k < i; k++) {
        uint32_t cache = ingle_instr_cache(&plan->instr[k]);
        for (size_t n = i; cache != UINT32_MAX && n < plan->n_instr; n++)
            if (ingle_instr_cache(&plan->instr[n]) == cache) return false;
    }
    return true;
}

/* Whether `of` (ingle_instr_cache() or _state()) gives `id` for an instruction of the home. */
static bool has(const ingle_placement *p, size_t home, uint32_t (*of)(const ingle_instr *),
                uint32_t id)
{
    if (p->n_homes == 1) return true;
    for (size_t s = 0; s < p->n_stretches; s++) {
        const ingle_stretch *stretch = &p->stretch[s];
        for (size_t i = 0; stretch->home == home && i < stretch->n; i++)
            if (of(&p->program->plan.instr[stretch->first + i]) == id) return true;
    }
    return false;
}

bool ingle_place_has_cache(const ingle_placement *p, size_t home, uint32_t cache)
{
    return has(p, home, ingle_instr_cache, cache);
}

bool ingle_place_has_state(const ingle_placement *p, size_t home, uint32_t state)
{
    return has(p, home, ingle_instr_state, state);
}

/* All that an instruction reads is on its home. */
static void give_weights(ingle_placement *p, const ingle_instr *in, size_t home)
{
    ingle_weight_range matrices[INGLE_MAX_OUT];
    uint32_t vectors[INGLE_MAX_VECTORS];
    size_t n = ingle_instr_matrices(in, matrices);
    for (size_t i = 0; i < n; i++)
        for (uint32_t k = 0; k < matrices[i].n; k++)
            p->has.matrix[matrices[i].first + k] |= (uint8_t)(1u << home);
    n = ingle_instr_vectors(in, vectors);
    for (size_t i = 0; i < n; i++) p->has.vector[vectors[i]] |= (uint8_t)(1u << home);
}

/* ---- stretches ---- */

static bool names(const ingle_val *list, size_t n, ingle_val v)
{
    for (size_t i = 0; i < n; i++)
        if (list[i] == v) return true;
    return false;
}

/* Adds v to a list, once; false without memory. */
static bool name(ingle_val **list, size_t *n, ingle_val v)
{
    if (names(*list, *n, v)) return true;
    ingle_val *more = realloc(*list, (*n + 1) * sizeof *more);
    if (!more) return false;
    *list = more;
    more[(*n)++] = v;
    return true;
}

/* What comes in and goes out. */
static bool find_crossings(ingle_stretch *s, const ingle_plan *plan)
{
    for (size_t i = s->first; i < s->first + s->n; i++) {
        const ingle_instr *in = &plan->instr[i];
        for (size_t k = 0; k < sizeof in->src / sizeof *in->src; k++)
            if (in->src[k] != INGLE_NO_VALUE && plan->value[in->src[k]].first < s->first &&
                !name(&s->in, &s->n_in, in->src[k]))
                return false;
        for (size_t k = 0; k < sizeof in->dst / sizeof *in->dst; k++) {
            if (in->dst[k] == INGLE_NO_VALUE) continue;
            const ingle_value *v = &plan->value[in->dst[k]];
            if (v->first < s->first && !name(&s->in, &s->n_in, in->dst[k])) return false;
            if (v->last >= s->first + s->n && !name(&s->out, &s->n_out, in->dst[k])) return false;
        }
    }
    return true;
}

static ingle_status check_borders(const ingle_plan *plan, const ingle_border *borders, size_t n,
                                  size_t n_homes, ingle_error *err)
{
    for (size_t i = 0; i < n; i++) {
        bool ordered = i ? borders[i].at > borders[i - 1].at : borders[i].at == 0;
        if (!ordered || borders[i].at >= plan->n_instr)
            return ingle_fail(err, INGLE_EINVAL, "border %zu is at instruction %zu", i,
                              borders[i].at);
        if (borders[i].home >= n_homes)
            return ingle_fail(err, INGLE_EINVAL, "border %zu names home %zu of %zu", i,
                              borders[i].home, n_homes);
    }
    return n ? INGLE_OK : ingle_fail(err, INGLE_EINVAL, "a placement has at least one stretch");
}

static ingle_status check_caches(const ingle_placement *p, ingle_error *err)
{
    for (uint32_t c = 0; p->n_homes > 1 && c < p->program->plan.n_cache; c++) {
        size_t n = 0;
        for (size_t h = 0; h < p->n_homes; h++) n += ingle_place_has_cache(p, h, c);
        if (n > 1)
            return ingle_fail(err, INGLE_EUNSUPPORTED,
                              "cache %u is on %zu homes: what stores and what attends go together",
                              c, n);
    }
    return INGLE_OK;
}

static ingle_status no_memory(ingle_error *err)
{
    return ingle_fail(err, INGLE_ENOMEM, "no memory for placing the plan");
}

ingle_status ingle_place(ingle_placement *out, const ingle_program *program,
                         const ingle_home *homes, size_t n_homes, const ingle_border *borders,
                         size_t n_borders, size_t n_files, ingle_error *err)
{
    const ingle_plan *plan = &program->plan;
    *out = (ingle_placement){.program = program, .n_homes = n_homes};
    if (!n_homes || n_homes > INGLE_MAX_HOMES)
        return ingle_fail(err, INGLE_EINVAL, "%zu homes, should be 1 to %d", n_homes,
                          INGLE_MAX_HOMES);
    ingle_status st = check_borders(plan, borders, n_borders, n_homes, err);
    if (st) return st;
    memcpy(out->home, homes, n_homes * sizeof *homes);
    out->has.matrix = ingle_new(program->weights.n_matrix, 1);
    out->has.vector = ingle_new(program->weights.n_vector, 1);
    out->stretch = ingle_new(n_borders, sizeof *out->stretch);
    if (!out->has.matrix || !out->has.vector || !out->stretch) return no_memory(err);
    for (out->n_stretches = 0; out->n_stretches < n_borders; out->n_stretches++) {
        size_t i = out->n_stretches, end = i + 1 < n_borders ? borders[i + 1].at : plan->n_instr;
        ingle_stretch *s = &out->stretch[i];
        *s = (ingle_stretch){
            .first = borders[i].at, .n = end - borders[i].at, .home = borders[i].home};
        for (size_t k = s->first; k < end; k++) give_weights(out, &plan->instr[k], s->home);
        if (!find_crossings(s, plan)) {
            out->n_stretches++; /* its lists are freed too */
            return no_memory(err);
        }
    }
    if ((st = check_caches(out, err))) return st;
    for (size_t h = 0; !st && h < n_homes; h++) {
        st = ingle_store_plan(&out->store[h], &program->weights, n_files, &out->has, h, err);
        if (!st && out->store[h].bytes > homes[h].free)
            st = ingle_fail(err, INGLE_ENOMEM, "home '%s' has %llu bytes, its weights take %zu",
                            homes[h].name, (unsigned long long)homes[h].free, out->store[h].bytes);
    }
    return st;
}

void ingle_placement_free(ingle_placement *p)
{
    for (size_t i = 0; i < p->n_stretches; i++) {
        free(p->stretch[i].in);
        free(p->stretch[i].out);
    }
    for (size_t h = 0; h < p->n_homes && h < INGLE_MAX_HOMES; h++) ingle_store_free(&p->store[h]);
    free(p->stretch);
    free(p->has.matrix);
    free(p->has.vector);
    memset(p, 0, sizeof *p);
}

/* ---- loading ---- */

/* Whether memory will not hold the files beside what is packed: a copy that nobody asks for
 * again would push out what others do. */
static bool is_tight(const ingle_placement *p)
{
    uint64_t need = 0;
    for (size_t h = 0; h < p->n_homes; h++) need += p->store[h].bytes + p->store[h].packed_bytes;
    return need > ingle_memory_available("", false);
}

ingle_status ingle_placement_load(ingle_placement *p, const ingle_gguf *g, int n_threads,
                                  bool (*progress)(void *user, double share), void *user,
                                  ingle_error *err)
{
    const ingle_weights *w = &p->program->weights;
    ingle_sink sinks[INGLE_MAX_HOMES];
    bool forget = is_tight(p);
    for (size_t h = 0; h < p->n_homes; h++) {
        if (p->home[h].sink) {
            sinks[h] = *p->home[h].sink;
            continue;
        }
        ingle_status st = ingle_store_take(&p->store[h], w, g, err);
        if (st) return st;
        sinks[h] = ingle_store_sink(&p->store[h]);
    }
    return ingle_weights_load(w, g, &p->has, sinks, p->n_homes, forget, n_threads, progress, user,
                              err);
}
