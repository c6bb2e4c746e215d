/* job_write.c - what a request took, in words that more than one dialect has. */
#include "job.h"

#include <stdio.h>

job_usage job_usage_get(const job *j)
{
    job_usage u = {.n_prompt = j->n_prompt};
    if (!j->has_answer || !j->answer.n) return u;
    const ingle_usage *first = &j->answer.choices[0].usage;
    u.n_cached = first->n_reused < j->n_prompt ? first->n_reused : j->n_prompt;
    u.n_known = first->n_known;
    u.n_computed = j->n_prompt - u.n_cached;
    u.n_generated = answer_tokens(&j->answer);
    u.n_thinking = answer_thinking_tokens(&j->answer);
    u.queue_s = first->queue_s;
    u.prompt_s = first->prompt_s;
    u.decode_s = first->decode_s;
    return u;
}

static void put_rate(ingle_json_writer *w, const char *what, size_t n, double seconds)
{
    char name[64];
    const double ms = seconds * 1e3;
    snprintf(name, sizeof name, "%s_n", what);
    ingle_json_put_u64(ingle_json_name(w, name), n);
    snprintf(name, sizeof name, "%s_ms", what);
    ingle_json_put_f64(ingle_json_name(w, name), ms);
    snprintf(name, sizeof name, "%s_per_token_ms", what);
    ingle_json_put_f64(ingle_json_name(w, name), n ? ms / (double)n : 0);
    snprintf(name, sizeof name, "%s_per_second", what);
    ingle_json_put_f64(ingle_json_name(w, name), seconds > 0 ? (double)n / seconds : 0);
}

void job_write_timings(const job *j, ingle_json_writer *w)
{
    job_usage u = job_usage_get(j);
    ingle_json_begin_object(ingle_json_name(w, "timings"));
    ingle_json_put_u64(ingle_json_name(w, "cache_n"), u.n_cached);
    put_rate(w, "prompt", u.n_prompt - u.n_cached, u.prompt_s);
    put_rate(w, "predicted", u.n_generated, u.decode_s);
    ingle_json_end_object(w);
}

static void put_tokens(const job *j, ingle_json_writer *w, const char *name, const int32_t *tokens,
                       size_t n)
{
    char text[512];
    size_t len = 0;
    if (ingle_detokenize(j->model->model, tokens, n, INGLE_UNPARSE_SPECIAL | INGLE_CONTINUE, text,
                         sizeof text, &len, NULL))
        len = 0;
    ingle_json_put_bytes(ingle_json_name(w, name), text, len);
}

static void put_miss(const job *j, ingle_json_writer *w)
{
    const ledger_miss *m = &j->miss;
    ingle_json_name(w, "miss");
    if (!j->has_miss || !m->missed) {
        ingle_json_put_null(w);
        return;
    }
    ingle_json_begin_object(w);
    ingle_json_name(w, "message");
    if (m->message < 0) ingle_json_put_null(w);
    else ingle_json_put_i64(w, m->message);
    ingle_json_put_u64(ingle_json_name(w, "offset"), m->offset);
    ingle_json_put_text(ingle_json_name(w, "reason"), m->reason);
    put_tokens(j, w, "had", m->had, m->n_had);
    put_tokens(j, w, "got", m->got, m->n_got);
    ingle_json_end_object(w);
}

void job_write_report(const job *j, ingle_json_writer *w)
{
    job_usage u = job_usage_get(j);
    ingle_json_begin_object(ingle_json_name(w, "ingle"));
    ingle_json_put_u64(ingle_json_name(w, "prompt"), u.n_prompt);
    ingle_json_put_u64(ingle_json_name(w, "reused_ram"), u.n_cached);
    ingle_json_put_u64(ingle_json_name(w, "reused_disk"), 0);
    ingle_json_put_u64(ingle_json_name(w, "computed"), u.n_computed);
    ingle_json_put_u64(ingle_json_name(w, "known"), u.n_known);
    ingle_json_put_u64(ingle_json_name(w, "answers"), j->n_answers_taken);
    put_miss(j, w);
    const ingle_usage *first = j->has_answer ? &j->answer.choices[0].usage : NULL;
    ingle_json_put_u64(ingle_json_name(w, "dropped_tokens"), first ? first->n_dropped : 0);
    ingle_json_put_u64(ingle_json_name(w, "seed"), j->gen.sampling.seed);
    ingle_json_put_i64(ingle_json_name(w, "limit"), j->model->engine_info.n_ctx);
    ingle_json_end_object(w);
}
