#include "chat_answer.h"

#include "base/clock.h"

#include <math.h>
#include <string.h>

static const double NO_LOGPROB = -9999; /* in place of minus infinity, which JSON has not */

/* ---- parts that streams and whole answers share ---------------------------------------------- */

static void put_head(const job *j, ingle_json_writer *w, const char *object)
{
    ingle_json_put_text(ingle_json_name(w, "id"), j->answer_id);
    ingle_json_put_text(ingle_json_name(w, "object"), object);
    ingle_json_put_i64(ingle_json_name(w, "created"), j->created);
    ingle_json_put_text(ingle_json_name(w, "model"), j->model->name);
    ingle_json_put_text(ingle_json_name(w, "system_fingerprint"), j->model->fingerprint);
}

static void put_usage(const job *j, ingle_json_writer *w)
{
    job_usage u = job_usage_get(j);
    ingle_json_begin_object(ingle_json_name(w, "usage"));
    ingle_json_put_u64(ingle_json_name(w, "prompt_tokens"), u.n_prompt);
    ingle_json_put_u64(ingle_json_name(w, "completion_tokens"), u.n_generated);
    ingle_json_put_u64(ingle_json_name(w, "total_tokens"), u.n_prompt + u.n_generated);
    ingle_json_begin_object(ingle_json_name(w, "prompt_tokens_details"));
    ingle_json_put_u64(ingle_json_name(w, "cached_tokens"), u.n_cached);
    ingle_json_end_object(w);
    ingle_json_begin_object(ingle_json_name(w, "completion_tokens_details"));
    ingle_json_put_u64(ingle_json_name(w, "reasoning_tokens"), u.n_thinking);
    ingle_json_end_object(w);
    ingle_json_end_object(w);
}

static void put_logprob(const answer_choice *c, const answer_logprob *l, ingle_json_writer *w)
{
    const char *text = c->logprob_text.p ? c->logprob_text.p + l->text : "";
    ingle_json_put_bytes(ingle_json_name(w, "token"), text, l->n_text);
    ingle_json_put_f32(ingle_json_name(w, "logprob"),
                       isfinite(l->logprob) ? l->logprob : (float)NO_LOGPROB);
    ingle_json_begin_array(ingle_json_name(w, "bytes"));
    for (size_t i = 0; i < l->n_text; i++) ingle_json_put_u64(w, (unsigned char)text[i]);
    ingle_json_end_array(w);
}

/* Tokens from .. to - 1 of the choice. */
static void put_logprobs(const answer_choice *c, size_t from, size_t to, ingle_json_writer *w)
{
    ingle_json_name(w, "logprobs");
    if (!c->answer->generation->logprobs) {
        ingle_json_put_null(w);
        return;
    }
    ingle_json_begin_object(w);
    ingle_json_begin_array(ingle_json_name(w, "content"));
    for (size_t i = from; i < to; i++) {
        const answer_logprob *l = &c->logprobs[i];
        ingle_json_begin_object(w);
        put_logprob(c, l, w);
        ingle_json_begin_array(ingle_json_name(w, "top_logprobs"));
        for (size_t k = 0; k < l->n_top; k++) {
            ingle_json_begin_object(w);
            put_logprob(c, &c->tops[l->top + k], w);
            ingle_json_end_object(w);
        }
        ingle_json_end_array(w);
        ingle_json_end_object(w);
    }
    ingle_json_end_array(w);
    ingle_json_put_null(ingle_json_name(w, "refusal"));
    ingle_json_end_object(w);
}

static const char *finish_reason(const answer_choice *c)
{
    const char *finish = answer_finish(c);
    return !finish ? "stop" : !strcmp(finish, "timeout") ? "length" : finish;
}

/* ---- streams --------------------------------------------------------------------------------- */

static ingle_json_writer *begin_chunk(job *j)
{
    ingle_json_writer *w = &j->w;
    ingle_json_begin_object(w);
    put_head(j, w, "chat.completion.chunk");
    ingle_json_begin_array(ingle_json_name(w, "choices"));
    return w;
}

static ingle_json_writer *begin_delta(job *j, size_t i)
{
    ingle_json_writer *w = begin_chunk(j);
    ingle_json_begin_object(w);
    ingle_json_put_u64(ingle_json_name(w, "index"), i);
    ingle_json_begin_object(ingle_json_name(w, "delta"));
    return w;
}

/* The members of a chunk that follow its choices. */
static void end_chunk(job *j, bytes *out)
{
    ingle_json_writer *w = &j->w;
    if (j->gen.include_usage) ingle_json_put_null(ingle_json_name(w, "usage"));
    ingle_json_end_object(w);
    bytes_event(out, NULL, w);
}

/* From the end of the delta on. */
static void end_delta(job *j, const answer_choice *c, size_t from, size_t to, const char *finish,
                      bytes *out)
{
    ingle_json_writer *w = &j->w;
    ingle_json_end_object(w);
    if (c && from < to) put_logprobs(c, from, to, w);
    else ingle_json_put_null(ingle_json_name(w, "logprobs"));
    ingle_json_name(w, "finish_reason");
    if (finish) ingle_json_put_text(w, finish);
    else ingle_json_put_null(w);
    ingle_json_end_object(w);
    ingle_json_end_array(w);
    end_chunk(j, out);
}

static void begin(job *j, bytes *out)
{
    for (size_t i = 0; i < j->answer.n; i++) {
        ingle_json_writer *w = begin_delta(j, i);
        ingle_json_put_text(ingle_json_name(w, "role"), "assistant");
        ingle_json_put_text(ingle_json_name(w, "content"), "");
        end_delta(j, NULL, 0, 0, NULL, out);
    }
}

static void put_call(const part *p, ingle_json_writer *w)
{
    const answer_call *call = p->call;
    bool begins = p->kind == PART_CALL_BEGIN;
    ingle_json_begin_array(ingle_json_name(w, "tool_calls"));
    ingle_json_begin_object(w);
    ingle_json_put_u64(ingle_json_name(w, "index"), p->i_call);
    if (begins) {
        ingle_json_put_text(ingle_json_name(w, "id"), call->id);
        ingle_json_put_text(ingle_json_name(w, "type"), call->custom ? "custom" : "function");
    }
    ingle_json_begin_object(ingle_json_name(w, call->custom ? "custom" : "function"));
    if (begins) ingle_json_put_bytes(ingle_json_name(w, "name"), call->name.p, call->name.n);
    ingle_json_put_bytes(ingle_json_name(w, call->custom ? "input" : "arguments"), p->text, p->len);
    ingle_json_end_object(w);
    ingle_json_end_object(w);
    ingle_json_end_array(w);
}

static void put_progress(job *j, const part *p, bytes *out)
{
    ingle_json_writer *w = begin_chunk(j);
    ingle_json_end_array(w);
    ingle_json_begin_object(ingle_json_name(w, "prompt_progress"));
    ingle_json_put_u64(ingle_json_name(w, "total"), p->n_prompt);
    ingle_json_put_u64(ingle_json_name(w, "cache"), 0);
    ingle_json_put_u64(ingle_json_name(w, "processed"), p->n_done);
    ingle_json_put_f64(ingle_json_name(w, "time_ms"), (ingle_now() - j->arrived) * 1e3);
    ingle_json_end_object(w);
    end_chunk(j, out);
}

static void put_part(job *j, const part *p, bytes *out)
{
    const answer_choice *c = p->choice;
    if (p->kind == PART_PROGRESS) {
        if (j->gen.progress) put_progress(j, p, out);
        return;
    }
    if (p->kind == PART_CALL_END || (p->kind == PART_FINISH && !answer_finish(c))) return;
    ingle_json_writer *w = begin_delta(j, c->i);
    switch (p->kind) {
    case PART_THINKING:
        ingle_json_put_bytes(ingle_json_name(w, "reasoning_content"), p->text, p->len);
        break;
    case PART_TEXT: ingle_json_put_bytes(ingle_json_name(w, "content"), p->text, p->len); break;
    case PART_CALL_BEGIN:
    case PART_CALL_ARGS: put_call(p, w); break;
    case PART_FINISH:
    case PART_PROGRESS:
    case PART_CALL_END: break;
    }
    end_delta(j, c, p->from, p->to, p->kind == PART_FINISH ? finish_reason(c) : NULL, out);
}

static void beat(job *j, bytes *out)
{
    (void)j;
    bytes_text(out, ":\n\n");
}

static void end(job *j, bytes *out)
{
    if (j->gen.include_usage || j->report || j->gen.timings) {
        ingle_json_writer *w = begin_chunk(j);
        ingle_json_end_array(w);
        if (j->gen.include_usage) put_usage(j, w);
        if (j->gen.timings) job_write_timings(j, w);
        if (j->report) job_write_report(j, w);
        ingle_json_end_object(w);
        bytes_event(out, NULL, w);
    }
    bytes_text(out, "data: [DONE]\n\n");
}

/* Without [DONE]: what broke off does not look complete. */
static void fail(job *j, const api_error *e, bytes *out)
{
    ingle_json_writer w = {0}; /* the job's own may be in the middle of something */
    ingle_json_begin_object(&w);
    api_error_object(e, j->shape, ingle_json_name(&w, "error"));
    ingle_json_end_object(&w);
    bytes_event(out, NULL, &w);
    ingle_json_writer_free(&w);
}

/* ---- whole answers --------------------------------------------------------------------------- */

static void put_whole_call(const answer_call *call, ingle_json_writer *w)
{
    ingle_json_begin_object(w);
    ingle_json_put_text(ingle_json_name(w, "id"), call->id);
    ingle_json_put_text(ingle_json_name(w, "type"), call->custom ? "custom" : "function");
    ingle_json_begin_object(ingle_json_name(w, call->custom ? "custom" : "function"));
    ingle_json_put_bytes(ingle_json_name(w, "name"), call->name.p, call->name.n);
    ingle_json_put_bytes(ingle_json_name(w, call->custom ? "input" : "arguments"), call->args.p,
                         call->args.n);
    ingle_json_end_object(w);
    ingle_json_end_object(w);
}

static void put_message(const answer_choice *c, ingle_json_writer *w)
{
    ingle_json_begin_object(ingle_json_name(w, "message"));
    ingle_json_put_text(ingle_json_name(w, "role"), "assistant");
    ingle_json_name(w, "content");
    if (c->n_calls && !c->text.n) ingle_json_put_null(w);
    else ingle_json_put_bytes(w, c->text.p, c->text.n);
    if (c->thinking.n)
        ingle_json_put_bytes(ingle_json_name(w, "reasoning_content"), c->thinking.p, c->thinking.n);
    ingle_json_put_null(ingle_json_name(w, "refusal"));
    if (c->n_calls) {
        ingle_json_begin_array(ingle_json_name(w, "tool_calls"));
        for (size_t i = 0; i < c->n_calls; i++) put_whole_call(&c->calls[i], w);
        ingle_json_end_array(w);
    }
    ingle_json_end_object(w);
}

static void whole(job *j, bytes *out)
{
    ingle_json_writer *w = &j->w;
    ingle_json_begin_object(w);
    put_head(j, w, "chat.completion");
    ingle_json_begin_array(ingle_json_name(w, "choices"));
    for (size_t i = 0; i < j->answer.n; i++) {
        const answer_choice *c = &j->answer.choices[i];
        ingle_json_begin_object(w);
        ingle_json_put_u64(ingle_json_name(w, "index"), i);
        put_message(c, w);
        put_logprobs(c, 0, c->n_logprobs_told, w);
        ingle_json_put_text(ingle_json_name(w, "finish_reason"), finish_reason(c));
        ingle_json_end_object(w);
    }
    ingle_json_end_array(w);
    put_usage(j, w);
    if (j->gen.metadata)
        ingle_json_put_raw(ingle_json_name(w, "metadata"), j->gen.metadata,
                           strlen(j->gen.metadata));
    if (j->gen.timings) job_write_timings(j, w);
    if (j->report) job_write_report(j, w);
    ingle_json_end_object(w);
    bytes_take_json(out, w);
}

const dialect chat_dialect = {.shape = WIRE_OPENAI,
                              .stream_type = "text/event-stream",
                              .call_prefix = "call_",
                              .id_prefix = "chatcmpl-",
                              .begin = begin,
                              .part = put_part,
                              .beat = beat,
                              .end = end,
                              .fail = fail,
                              .whole = whole};

void chat_count(job *j)
{
    ingle_json_writer w = {0};
    size_t n;
    job_count(j, &n);
    if (j->error.status) return;
    ingle_json_begin_object(&w);
    ingle_json_put_text(ingle_json_name(&w, "object"), "chat.completion.input_tokens");
    ingle_json_put_u64(ingle_json_name(&w, "input_tokens"), n);
    ingle_json_end_object(&w);
    job_answer(j, 200, &w);
}
