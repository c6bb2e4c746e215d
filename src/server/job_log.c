/* job_log.c - one line of JSON for each request: what it was, what it took, and none of its text. */
#include "server.h"

#include "base/clock.h"

#include <math.h>

static double milliseconds(double seconds)
{
    return round(seconds * 1e6) / 1e3;
}

static void put_usage(const job *j, ingle_json_writer *w)
{
    job_usage u = job_usage_get(j);
    const char *finish = j->has_answer ? answer_finish(&j->answer.choices[0]) : NULL;
    ingle_json_put_text(ingle_json_name(w, "model"), j->model->name);
    ingle_json_put_text(ingle_json_name(w, "finish"), finish ? finish : "cancelled");
    ingle_json_put_u64(ingle_json_name(w, "prompt"), u.n_prompt);
    ingle_json_put_u64(ingle_json_name(w, "reused"), u.n_cached);
    ingle_json_put_u64(ingle_json_name(w, "computed"), u.n_computed);
    ingle_json_put_u64(ingle_json_name(w, "generated"), u.n_generated);
    ingle_json_put_f64(ingle_json_name(w, "queue_ms"), milliseconds(u.queue_s));
    ingle_json_put_f64(ingle_json_name(w, "prompt_ms"), milliseconds(u.prompt_s));
    ingle_json_put_f64(ingle_json_name(w, "decode_ms"), milliseconds(u.decode_s));
    if (u.decode_s > 0)
        ingle_json_put_f64(ingle_json_name(w, "tokens_per_second"),
                           round((double)u.n_generated / u.decode_s * 10) / 10);
    if (j->first_byte)
        ingle_json_put_f64(ingle_json_name(w, "first_byte_ms"),
                           milliseconds(j->first_byte - j->arrived));
}

void job_log(const job *j)
{
    static const char *const shapes[] = {"openai", "anthropic", "ollama", "native"};
    ingle_json_writer w = {0};
    FILE *f = j->server->log;
    double total = ingle_now() - j->arrived;
    if (!f || (j->endpoint && j->endpoint->quick && j->endpoint->needs == GATE_PUBLIC &&
               !j->server->opt->verbose))
        return; /* pollers */
    ingle_json_begin_object(&w);
    ingle_json_put_i64(ingle_json_name(&w, "time"), j->created);
    ingle_json_put_text(ingle_json_name(&w, "id"), j->id);
    ingle_json_put_text(ingle_json_name(&w, "peer"), j->peer);
    if (*j->key.name) ingle_json_put_text(ingle_json_name(&w, "key"), j->key.name);
    ingle_json_put_text(ingle_json_name(&w, "dialect"), shapes[j->shape]);
    ingle_json_put_text(ingle_json_name(&w, "path"), j->endpoint ? j->endpoint->path : "");
    ingle_json_put_i64(ingle_json_name(&w, "status"),
                       atomic_load(&j->gone) && !j->sent ? 499 : j->sent);
    if (j->error.status) ingle_json_put_text(ingle_json_name(&w, "error"), j->error.message);
    if (j->has_answer && j->model) put_usage(j, &w);
    if (j->reader.ignored.n)
        ingle_json_put_bytes(ingle_json_name(&w, "ignored"), j->reader.ignored.p,
                             j->reader.ignored.n);
    ingle_json_put_f64(ingle_json_name(&w, "total_ms"), milliseconds(total));
    ingle_json_end_object(&w);
    if (!ingle_json_finish(&w)) fprintf(f, "%s\n", w.text), fflush(f);
    ingle_json_writer_free(&w);
}
