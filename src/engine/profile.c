/* profile.c - the engine's side of profiling: nobody may be stepping meanwhile. */
#include "engine/engine.h"

#include "base/options.h"

static ingle_status closed(ingle_error *err)
{
    return ingle_fail(err, INGLE_ECLOSED, "the engine is closed");
}

ingle_status ingle_engine_profile(ingle_engine *e, bool on, ingle_error *err)
{
    ingle_error error;
    if (!e) return closed(err);
    ingle_status st = ingle_engine_rest(e, err);
    if (st) return st;
    st = e->ops->profile(e->backend, on, &error);
    if (st && err) *err = error;
    ingle_engine_go_on(e, st, &error);
    return st;
}

ingle_status ingle_engine_profile_total(ingle_engine *e, ingle_profile *total, ingle_error *err)
{
    if (!e) return closed(err);
    ingle_profile own = {0};
    ingle_status st = ingle_result_check(total, sizeof own, "ingle_profile", err);
    if (!st) st = ingle_engine_rest(e, err);
    if (st) return st;
    e->ops->profile_total(e->backend, &own);
    ingle_result_give(total, &own, sizeof own);
    ingle_engine_go_on(e, INGLE_OK, NULL);
    return INGLE_OK;
}

ingle_status ingle_engine_profile_row(ingle_engine *e, size_t i, ingle_profile_row *row,
                                      ingle_error *err)
{
    if (!e) return closed(err);
    ingle_profile_row own = {0};
    ingle_status st = ingle_result_check(row, sizeof own, "ingle_profile_row", err);
    if (!st) st = ingle_engine_rest(e, err);
    if (st) return st;
    if (e->ops->profile_row(e->backend, i, &own)) ingle_result_give(row, &own, sizeof own);
    else st = ingle_fail(err, INGLE_ENOTFOUND, "there is no instruction %zu", i);
    ingle_engine_go_on(e, INGLE_OK, NULL);
    return st;
}
