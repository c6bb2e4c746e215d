/* generate.c - the blocking generation: a request whose events go to a callback. */
#include "base/options.h"
#include "engine/request.h"

/* Calls back for every event; after the callback has said no, for the last ones only. */
static ingle_status deliver(ingle_request *r, const ingle_generate_options *opt,
                            ingle_generate_result *result, ingle_error *err)
{
    bool goes_on = true;
    while (!r->end_read) {
        const ingle_event *event;
        ingle_status st = ingle_request_pull(r, -1, &event, err);
        if (st) return st;
        bool ends = event->kind == INGLE_EVENT_END;
        if (opt && opt->on_event && (goes_on || ends)) {
            bool more = opt->on_event(opt->user, event);
            if (goes_on && !more && !ends) ingle_request_cancel(r, NULL);
            goes_on = goes_on && more;
        }
        const ingle_usage *u = &event->usage;
        if (ends && !event->i_choice)
            *result = (ingle_generate_result){.finish = event->finish,
                                              .n_prompt = u->n_prompt,
                                              .n_generated = u->n_generated,
                                              .prompt_s = u->queue_s + u->prompt_s,
                                              .decode_s = u->decode_s,
                                              .i_stop = event->i_stop};
    }
    return INGLE_OK;
}

ingle_status ingle_generate(ingle_session *s, ingle_sampler *sampler, const int32_t *prompt,
                            size_t n, const ingle_generate_options *opt,
                            ingle_generate_result *result, ingle_error *err)
{
    const ingle_request_inside inside = {.sampler = sampler};
    ingle_request *r;
    ingle_generate_result own;
    ingle_status st = INGLE_OK;
    if (!s) return ingle_fail(err, INGLE_ECLOSED, "the session is closed");
    if (!sampler) return ingle_fail(err, INGLE_ECLOSED, "the sampler is closed");
    if (result) st = ingle_result_check(result, sizeof *result, "ingle_generate_result", err);
    if (!st) st = ingle_request_begin(&r, s, prompt, n, opt, &inside, err);
    if (st) return st;
    st = deliver(r, opt, &own, err);
    if (!st && result) ingle_result_give(result, &own, sizeof own);
    ingle_request_close(&r);
    return st;
}
