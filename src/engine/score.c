/* score.c - how well tokens were foretold: rows of logits are reduced in turn, where they are made,
 * so that no memory is needed for them. */
#include "engine/request.h"

#include <math.h>

ingle_status ingle_session_score(ingle_session *s, const int32_t *tokens, size_t n, int32_t n_top,
                                 ingle_score *scores, ingle_top *tops, ingle_error *err)
{
    ingle_call call = {0};
    ingle_status st = ingle_call_enter(&call, s, err);
    if (!st && !n) st = ingle_fail(err, INGLE_EINVAL, "no tokens to score");
    if (!st && (n_top < 0 || n_top > INGLE_MAX_TOP))
        st = ingle_fail(err, INGLE_EINVAL, "n_top is %d, should be 0 to %d", n_top, INGLE_MAX_TOP);
    if (!st && (!scores || (n_top && !tops)))
        st = ingle_fail(err, INGLE_EINVAL, "ingle_session_score: scores or tops is NULL");
    if (!st) st = ingle_session_check_logits(s, err);
    if (!st) st = ingle_session_check(s, tokens, n, err);
    if (!st) {
        scores[0] = (ingle_score){NAN, -1, 0};
        ingle_engine_lock(s->engine);
        ingle_task_prepare(s, INGLE_TASK_SCORE, tokens, n);
        s->task.score = (ingle_score_task){scores, tops, (size_t)n_top};
        s->task.prepared = true;
        ingle_session_lag(s); /* the row of the last token held foretells the first one */
        ingle_engine_unlock(s->engine);
        st = ingle_call_run(&call, err);
    }
    ingle_call_end(&call, st);
    return st;
}
