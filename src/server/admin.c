#include "admin.h"
#include "server.h"

#include <string.h>

void admin_root(job *j)
{
    j->type = "text/plain; charset=utf-8";
    j->status = 200;
    bytes_text(&j->out, "ingle is running\n");
}

void admin_health(job *j)
{
    ingle_json_writer w = {0};
    double share;
    const model_state state = models_state(j->server->models, &share, NULL);
    const bool draining = j->server->draining, ready = state == MODEL_READY && !draining;
    const char *what = draining                ? "draining"
                       : state == MODEL_READY  ? "ok"
                       : state == MODEL_FAILED ? "failed"
                                               : "loading";
    ingle_json_begin_object(&w);
    ingle_json_put_text(ingle_json_name(&w, "status"), what);
    if (!ready) {
        ingle_json_begin_object(ingle_json_name(&w, "error"));
        ingle_json_put_u64(ingle_json_name(&w, "code"), 503);
        ingle_json_put_text(ingle_json_name(&w, "message"),
                            draining ? "The server is being stopped" : "Loading model");
        ingle_json_put_text(ingle_json_name(&w, "type"), "unavailable_error");
        ingle_json_end_object(&w);
    }
    if (state == MODEL_LOADING) ingle_json_put_f64(ingle_json_name(&w, "progress"), share);
    ingle_json_end_object(&w);
    job_answer(j, ready ? 200 : 503, &w);
}

void admin_openapi(job *j)
{
    const bytes *document = &j->server->openapi;
    bytes_put(&j->out, document->p, document->n);
    j->type = "application/json";
    j->status = 200;
}
