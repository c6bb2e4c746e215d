/* anthropic_stream.c - answers as messages of Anthropic's, in one piece and as events.
 * Depends on anthropic.h.
 * Invariant  a block ends before the next begins, thinking with its signature. */
#include "anthropic.h"

#include <stdio.h>

/* ---- pieces ---------------------------------------------------------------------------------- */

static void put(ingle_json_writer *w, const char *name, const char *text)
{
    ingle_json_put_text(ingle_json_name(w, name), text);
}

static void put_bytes(ingle_json_writer *w, const char *name, const bytes *b)
{
    ingle_json_put_bytes(ingle_json_name(w, name), b->n ? b->p : "", b->n);
}

static void put_number(ingle_json_writer *w, const char *name, size_t n)
{
    ingle_json_put_u64(ingle_json_name(w, name), n);
}

enum { DIGEST_TEXT = 17 };
static const uint64_t DIGEST_START = 14695981039346656037u; /* FNV-1a */

static uint64_t digest(uint64_t h, const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) h = (h ^ (unsigned char)p[i]) * 1099511628211u;
    return h;
}

/* What thinking is signed with: nobody checks it when it comes back. */
static const char *digest_text(uint64_t h, char text[DIGEST_TEXT])
{
    snprintf(text, DIGEST_TEXT, "%016llx", (unsigned long long)h);
    return text;
}

static void put_usage(const job_usage *u, ingle_json_writer *w)
{
    ingle_json_begin_object(ingle_json_name(w, "usage"));
    put_number(w, "input_tokens", u->n_prompt > u->n_cached ? u->n_prompt - u->n_cached : 0);
    put_number(w, "cache_creation_input_tokens", 0);
    put_number(w, "cache_read_input_tokens", u->n_cached);
    put_number(w, "output_tokens", u->n_generated);
    ingle_json_begin_object(ingle_json_name(w, "output_tokens_details"));
    put_number(w, "thinking_tokens", u->n_thinking);
    ingle_json_end_object(w);
    ingle_json_end_object(w);
}

/* ---- why it ended ---------------------------------------------------------------------------- */

/* Cut off by the client's own limit, or by the context's. */
static const char *length_reason(const job *j, const answer_choice *c)
{
    int32_t most = j->gen.max_tokens;
    if (c->finish == INGLE_FINISH_LENGTH && (most < 0 || c->usage.n_generated < (size_t)most))
        return "model_context_window_exceeded";
    return "max_tokens";
}

static const ingle_stop *stop_of(const job *j, const answer_choice *c)
{
    bool stopped = c->finish == INGLE_FINISH_STOP && c->i_stop < j->gen.n_stops;
    return stopped ? &j->gen.stops[c->i_stop] : NULL;
}

/* Of a choice that was not cancelled. */
static void put_reason(const job *j, const answer_choice *c, ingle_json_writer *w)
{
    const char *finish = answer_finish(c), *reason = "end_turn";
    const ingle_stop *stop = NULL;
    if (!strcmp(finish, "length") || !strcmp(finish, "timeout")) {
        reason = length_reason(j, c);
    } else if (!strcmp(finish, "tool_calls")) {
        reason = "tool_use";
    } else {
        stop = stop_of(j, c);
        if (stop) reason = "stop_sequence";
    }
    put(w, "stop_reason", reason);
    ingle_json_name(w, "stop_sequence");
    if (stop) ingle_json_put_bytes(w, stop->text, stop->len);
    else ingle_json_put_null(w);
}

/* ---- where a prompt differs ------------------------------------------------------------------ */

static void put_miss(const job *j, ingle_json_writer *w)
{
    static const char *const changes[] = {"model_changed", "system_changed", "tools_changed",
                                          "messages_changed"};
    const ledger_miss *miss = &j->miss;
    const char *type = "unavailable";
    if (!strcmp(miss->reason, "not_found")) type = "previous_message_not_found";
    ingle_json_begin_object(ingle_json_name(w, "cache_miss_reason"));
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++)
        if (!strcmp(miss->reason, changes[i])) type = changes[i];
    put(w, "type", type);
    if (strstr(type, "_changed"))
        put_number(w, "cache_missed_input_tokens",
                   j->n_prompt > miss->offset ? j->n_prompt - miss->offset : 0);
    ingle_json_end_object(w);
}

/* null: it goes on from the earlier prompt, or there is none to compare with. */
static void put_diagnostics(const job *j, ingle_json_writer *w)
{
    if (!j->gen.asks_diagnostics) return;
    ingle_json_name(w, "diagnostics");
    if (!j->gen.anthropic_previous || !j->miss.missed || !j->miss.reason) {
        ingle_json_put_null(w);
        return;
    }
    ingle_json_begin_object(w);
    put_miss(j, w);
    ingle_json_end_object(w);
}

static void put_edits(const job *j, ingle_json_writer *w)
{
    const anthropic_own *own = j->own;
    if (!own->edits) return;
    ingle_json_begin_object(ingle_json_name(w, "context_management"));
    ingle_json_begin_array(ingle_json_name(w, "applied_edits"));
    ingle_json_end_array(w);
    ingle_json_end_object(w);
}

static void put_extras(const job *j, ingle_json_writer *w)
{
    put_edits(j, w);
    if (j->gen.timings) job_write_timings(j, w);
    if (j->report) job_write_report(j, w);
}

/* ---- in one piece ---------------------------------------------------------------------------- */

static void begin_message(const job *j, ingle_json_writer *w)
{
    put(w, "id", j->answer_id);
    put(w, "type", "message");
    put(w, "role", "assistant");
    put(w, "model", j->model->name);
    ingle_json_begin_array(ingle_json_name(w, "content"));
}

static void put_thinking(const job *j, const bytes *thinking, ingle_json_writer *w)
{
    const anthropic_own *own = j->own;
    char signature[DIGEST_TEXT];
    if (!thinking->n) return;
    ingle_json_begin_object(w);
    put(w, "type", "thinking");
    if (own->hides_thinking) put(w, "thinking", "");
    else put_bytes(w, "thinking", thinking);
    put(w, "signature", digest_text(digest(DIGEST_START, thinking->p, thinking->n), signature));
    ingle_json_end_object(w);
}

static void put_text(const bytes *text, ingle_json_writer *w)
{
    if (!text->n) return;
    ingle_json_begin_object(w);
    put(w, "type", "text");
    put_bytes(w, "text", text);
    ingle_json_end_object(w);
}

/* Arguments that were cut off are no object: stop_reason says that the call is not whole. */
static void put_input(const bytes *args, ingle_json_writer *w)
{
    ingle_json_limits limits = {.max_depth = INGLE_JSON_MAX_DEPTH / 2};
    ingle_json_doc doc = {.root = NULL};
    ingle_status st = ingle_json_open(&doc, args->n ? args->p : "", args->n, &limits, NULL);
    if (st == INGLE_ENOMEM) w->status = st;
    ingle_json_name(w, "input");
    if (ingle_json_is(doc.root, INGLE_JSON_OBJECT)) {
        ingle_json_put(w, doc.root);
    } else {
        ingle_json_begin_object(w);
        ingle_json_end_object(w);
    }
    ingle_json_close(&doc);
}

static void begin_call(const answer_call *call, ingle_json_writer *w)
{
    put(w, "type", "tool_use");
    put(w, "id", call->id);
    put_bytes(w, "name", &call->name);
}

static void put_content(const job *j, const answer_choice *c, ingle_json_writer *w)
{
    put_thinking(j, &c->thinking, w);
    put_text(&c->text, w);
    for (size_t i = 0; i < c->n_calls; i++) {
        ingle_json_begin_object(w);
        begin_call(&c->calls[i], w);
        put_input(&c->calls[i].args, w);
        ingle_json_end_object(w);
    }
}

/* What was cut short does not look complete. */
static bool is_complete(job *j)
{
    const answer_choice *c = &j->answer.choices[0];
    if (answer_choice_failed(c))
        return api_fail(&j->error, 503, "out_of_memory", NULL, "no memory for the whole answer");
    return answer_finish(c) ||
           api_fail(&j->error, 503, "cancelled", NULL, "the answer was cancelled");
}

static void whole(job *j, bytes *out)
{
    const answer_choice *c = &j->answer.choices[0];
    job_usage usage = job_usage_get(j);
    ingle_json_writer *w = &j->w;
    if (!is_complete(j)) return;
    ingle_json_begin_object(w);
    begin_message(j, w);
    put_content(j, c, w);
    ingle_json_end_array(w);
    put_reason(j, c, w);
    put_usage(&usage, w);
    put_diagnostics(j, w);
    put_extras(j, w);
    ingle_json_end_object(w);
    bytes_take_json(out, w);
}

/* ---- events ---------------------------------------------------------------------------------- */

/* An event is an object whose type is its name. */
static ingle_json_writer *begin_event(job *j, const char *name)
{
    ingle_json_begin_object(&j->w);
    put(&j->w, "type", name);
    return &j->w;
}

static void end_event(job *j, const char *name, bytes *out)
{
    ingle_json_end_object(&j->w);
    bytes_event(out, name, &j->w);
}

static void beat(job *j, bytes *out)
{
    begin_event(j, "ping");
    end_event(j, "ping", out);
}

/* What is known of the usage now: all of the prompt, as if nothing of it were cached. */
static void begin(job *j, bytes *out)
{
    const job_usage usage = {.n_prompt = j->n_prompt};
    ingle_json_writer *w = begin_event(j, "message_start");
    ingle_json_begin_object(ingle_json_name(w, "message"));
    begin_message(j, w);
    ingle_json_end_array(w);
    ingle_json_put_null(ingle_json_name(w, "stop_reason"));
    ingle_json_put_null(ingle_json_name(w, "stop_sequence"));
    put_usage(&usage, w);
    put_diagnostics(j, w);
    ingle_json_end_object(w);
    end_event(j, "message_start", out);
    beat(j, out);
}

static void put_delta(job *j, const char *type, const char *name, const char *text, size_t len,
                      bytes *out)
{
    const anthropic_own *own = j->own;
    ingle_json_writer *w = begin_event(j, "content_block_delta");
    put_number(w, "index", own->n_blocks - 1);
    ingle_json_begin_object(ingle_json_name(w, "delta"));
    put(w, "type", type);
    ingle_json_put_bytes(ingle_json_name(w, name), text, len);
    ingle_json_end_object(w);
    end_event(j, "content_block_delta", out);
}

static void close_block(job *j, bytes *out)
{
    anthropic_own *own = j->own;
    char signature[DIGEST_TEXT];
    if (own->open == BLOCK_NONE) return;
    if (own->open == BLOCK_THINKING)
        put_delta(j, "signature_delta", "signature", digest_text(own->thinking, signature),
                  DIGEST_TEXT - 1, out);
    own->open = BLOCK_NONE;
    ingle_json_writer *w = begin_event(j, "content_block_stop");
    put_number(w, "index", own->n_blocks - 1);
    end_event(j, "content_block_stop", out);
}

/* A block begins, after the end of the one that is open; its own members come next. */
static ingle_json_writer *begin_block(job *j, anthropic_block kind, bytes *out)
{
    anthropic_own *own = j->own;
    close_block(j, out);
    own->open = kind;
    own->thinking = DIGEST_START;
    ingle_json_writer *w = begin_event(j, "content_block_start");
    put_number(w, "index", own->n_blocks++);
    ingle_json_begin_object(ingle_json_name(w, "content_block"));
    return w;
}

static void end_start(job *j, bytes *out)
{
    ingle_json_end_object(&j->w);
    end_event(j, "content_block_start", out);
}

static void need_text(job *j, bytes *out)
{
    const anthropic_own *own = j->own;
    if (own->open == BLOCK_TEXT) return;
    ingle_json_writer *w = begin_block(j, BLOCK_TEXT, out);
    put(w, "type", "text");
    put(w, "text", "");
    end_start(j, out);
}

static void need_thinking(job *j, bytes *out)
{
    const anthropic_own *own = j->own;
    if (own->open == BLOCK_THINKING) return;
    ingle_json_writer *w = begin_block(j, BLOCK_THINKING, out);
    put(w, "type", "thinking");
    put(w, "thinking", "");
    put(w, "signature", "");
    end_start(j, out);
}

static void open_call(job *j, const answer_call *call, bytes *out)
{
    ingle_json_writer *w = begin_block(j, BLOCK_CALL, out);
    begin_call(call, w);
    ingle_json_begin_object(ingle_json_name(w, "input"));
    ingle_json_end_object(w);
    end_start(j, out);
}

static void think(job *j, const part *p, bytes *out)
{
    anthropic_own *own = j->own;
    need_thinking(j, out);
    own->thinking = digest(own->thinking, p->text, p->len);
    if (!own->hides_thinking) put_delta(j, "thinking_delta", "thinking", p->text, p->len, out);
}

/* Asked for by return_progress: pings that say how far the prompt is. */
static void put_progress(job *j, const part *p, bytes *out)
{
    ingle_json_writer *w = begin_event(j, "ping");
    ingle_json_begin_object(ingle_json_name(w, "prompt_progress"));
    put_number(w, "total", p->n_prompt);
    put_number(w, "processed", p->n_done);
    ingle_json_end_object(w);
    end_event(j, "ping", out);
}

static void take_part(job *j, const part *p, bytes *out)
{
    switch (p->kind) {
    case PART_PROGRESS:
        if (j->gen.progress) put_progress(j, p, out);
        return;
    case PART_THINKING:
        if (p->len) think(j, p, out);
        return;
    case PART_TEXT:
        if (!p->len) return;
        need_text(j, out);
        put_delta(j, "text_delta", "text", p->text, p->len, out);
        return;
    case PART_CALL_BEGIN: open_call(j, p->call, out); return;
    case PART_CALL_ARGS:
        if (p->len) put_delta(j, "input_json_delta", "partial_json", p->text, p->len, out);
        return;
    case PART_CALL_END:
    case PART_FINISH: close_block(j, out); return;
    }
}

static void fail(job *j, const api_error *e, bytes *out)
{
    bytes_text(out, "event: error\ndata: ");
    api_error_write(e, WIRE_ANTHROPIC, j->id, out);
    bytes_text(out, "\n\n");
}

static void end(job *j, bytes *out)
{
    job_usage usage = job_usage_get(j);
    if (!is_complete(j)) {
        fail(j, &j->error, out);
        return;
    }
    close_block(j, out);
    ingle_json_writer *w = begin_event(j, "message_delta");
    ingle_json_begin_object(ingle_json_name(w, "delta"));
    put_reason(j, &j->answer.choices[0], w);
    ingle_json_end_object(w);
    put_usage(&usage, w);
    put_extras(j, w);
    end_event(j, "message_delta", out);
    begin_event(j, "message_stop");
    end_event(j, "message_stop", out);
}

const dialect anthropic_dialect = {
    .shape = WIRE_ANTHROPIC,
    .stream_type = "text/event-stream",
    .call_prefix = "toolu_",
    .id_prefix = "msg_",
    .begin = begin,
    .part = take_part,
    .beat = beat,
    .end = end,
    .fail = fail,
    .whole = whole,
};
