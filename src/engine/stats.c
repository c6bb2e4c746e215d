/* stats.c - questions about what an engine has done. */
#include "engine/engine.h"

#include "base/options.h"

ingle_status ingle_engine_stats_get(ingle_engine *e, ingle_stats *stats, ingle_error *err)
{
    if (!e) return ingle_fail(err, INGLE_ECLOSED, "the engine is closed");
    ingle_status st = ingle_result_check(stats, sizeof *stats, "ingle_stats", err);
    if (st) return st;
    ingle_engine_lock(e);
    ingle_stats own = e->stats;
    own.n_running = e->n_running;
    own.n_queued = e->n_queued;
    own.n_pages = e->pool[INGLE_GROUP_ALL].n;
    own.n_pages_free = e->pool[INGLE_GROUP_ALL].n_free;
    own.n_pages_idle = e->pool[INGLE_GROUP_ALL].n_idle;
    ingle_engine_unlock(e);
    ingle_result_give(stats, &own, sizeof own);
    return INGLE_OK;
}

ingle_status ingle_engine_stats_reset(ingle_engine *e, ingle_error *err)
{
    if (!e) return ingle_fail(err, INGLE_ECLOSED, "the engine is closed");
    ingle_engine_lock(e);
    e->stats = (ingle_stats){0};
    ingle_engine_unlock(e);
    return INGLE_OK;
}
