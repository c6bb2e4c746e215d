/* warm_up.c - a first step of each size, by a session that is closed again. */
#include "engine/engine.h"

#include <stdlib.h>

ingle_status ingle_engine_warm_up(ingle_engine *e, ingle_error *err)
{
    ingle_session *s;
    if (!e) return ingle_fail(err, INGLE_ECLOSED, "the engine is closed");
    ingle_status st = ingle_session_open(&s, e, err);
    if (st) return st;
    size_t n = (size_t)(e->opt.n_batch < e->opt.n_ctx - 1 ? e->opt.n_batch : e->opt.n_ctx - 1);
    int32_t one = 0, *many = ingle_new(n, sizeof *many);
    if (!many) st = ingle_fail(err, INGLE_ENOMEM, "no memory for warming up");
    bool embeds = !ingle_model_has_logits(e->model);
    if (!st && n && embeds) st = ingle_session_embed(s, many, n, NULL, err);
    else if (!st && n) st = ingle_session_eval(s, many, n, INGLE_ROWS_LAST, err);
    if (!st && !embeds) st = ingle_session_eval(s, &one, 1, INGLE_ROWS_LAST, err);
    free(many);
    ingle_session_close(&s);
    return st;
}
