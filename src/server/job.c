#define _GNU_SOURCE
#include "ask.h"
#include "ids.h"
#include "server.h"

#include "base/clock.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static const double BEAT_S = 10, PATIENCE_S = 60;
enum { MUCH = 16384, HEADER_BYTES = 1024 }; /* bytes that wait for a socket before more are made */

/* ---- life ------------------------------------------------------------------------------------ */

static job *job_new(server *s, http_exchange *x)
{
    job *j = ingle_new(1, sizeof *j);
    if (!j) return NULL;
    j->server = s;
    j->x = x;
    j->arrived = ingle_now();
    j->created = (int64_t)time(NULL);
    id_new(j->id, sizeof j->id, "req_");
    snprintf(j->peer, sizeof j->peer, "%s", x->peer->text);
    generation_init(&j->gen);
    j->reader.error = &j->error;
    j->next = s->jobs;
    if (s->jobs) s->jobs->previous = j;
    s->jobs = j;
    s->n_jobs++;
    return j;
}

/* What was needed to generate. */
static void give_back(job *j)
{
    ingle_request_close(&j->request);
    ingle_session_close(&j->session);
    if (j->has_answer) answer_close(&j->answer);
    j->has_answer = false;
    ledger_found_free(&j->found);
    generation_free(&j->gen);
    ingle_json_close(&j->doc);
    fields_end(&j->reader);
    free(j->body);
    free(j->own);
    j->body = NULL;
    j->own = NULL;
    ingle_json_writer_free(&j->w);
}

static void job_free(job *j)
{
    server *s = j->server;
    if (j->next) j->next->previous = j->previous;
    if (j->previous) j->previous->next = j->next;
    else s->jobs = j->next;
    s->n_jobs--;
    give_back(j);
    bytes_free(&j->out);
    free(j->argument);
    free(j);
}

static void free_if_over(job *j)
{
    if (j->state == JOB_OVER && j->exchange_over && !atomic_load(&j->has_news)) job_free(j);
}

/* Nothing more is made for it. */
static void end(job *j)
{
    server *s = j->server;
    if (j->state == JOB_OVER) return;
    if (j->has_answer && !j->error.status) {
        double took = ingle_now() - j->arrived;
        job_usage u = job_usage_get(j);
        double mean = atomic_load(&s->mean_s);
        atomic_store(&s->mean_s, mean ? mean + 0.1 * (took - mean) : took);
        s->counts.n_prompt += u.n_prompt;
        s->counts.n_reused += u.n_cached;
        s->counts.n_computed += u.n_computed;
        s->counts.n_generated += u.n_generated;
    }
    s->counts.n_errors += j->error.status >= 400;
    s->counts.n_cancelled += atomic_load(&j->gone);
    job_log(j);
    j->state = JOB_OVER;
    give_back(j);
}

/* ---- answers --------------------------------------------------------------------------------- */

/* A header's value: what has no place there is left out. */
static void set_header(job *j, const char *name, const char *text, size_t n)
{
    char value[HEADER_BYTES];
    size_t k = 0;
    for (size_t i = 0; i < n && k + 4 < sizeof value; i++)
        value[k++] = (unsigned char)text[i] >= ' ' && (unsigned char)text[i] < 0x7f ? text[i] : '?';
    if (k + 4 >= sizeof value) memcpy(value + k, "...", 3), k += 3;
    value[k] = 0;
    http_set_header(j->x, name, value);
}

static void set_headers(job *j)
{
    char text[32];
    http_set_header(j->x, j->shape == WIRE_ANTHROPIC ? "request-id" : "x-request-id", j->id);
    if (j->reader.ignored.n)
        set_header(j, "Ingle-Ignored", j->reader.ignored.p, j->reader.ignored.n);
    if (j->error.status == 429 || j->error.status == 503) {
        double wait = j->error.retry_after < 1 ? 1 : j->error.retry_after;
        snprintf(text, sizeof text, "%.0f", wait);
        http_set_header(j->x, "Retry-After", text);
    }
    if (j->error.status == 500) http_set_header(j->x, "x-should-retry", "false");
}

static void answer_text(job *j, int status, const char *type)
{
    size_t n;
    char *body = bytes_give(&j->out, &n);
    j->out_at = 0;
    j->sent = status;
    if (!j->x) return;
    set_headers(j);
    if (type) http_set_header(j->x, "Content-Type", type);
    http_answer(j->x, body || !n ? status : 503, body, n);
}

static void answer_error(job *j)
{
    bytes_free(&j->out);
    api_error_write(&j->error, j->shape, j->id, &j->out);
    answer_text(j, j->error.status, "application/json");
}

/* What prep or a quick endpoint left. */
static void answer_made(job *j)
{
    if (j->error.status) answer_error(j);
    else answer_text(j, j->status ? j->status : 204, j->type);
}

void job_answer(job *j, int status, ingle_json_writer *w)
{
    j->status = status;
    j->type = "application/json";
    bytes_take_json(&j->out, w);
    ingle_json_writer_free(w);
    if (j->out.failed) api_fail(&j->error, 503, "out_of_memory", NULL, "no memory for the answer");
}

/* ---- events into bytes ----------------------------------------------------------------------- */

void job_part(void *user, const part *p)
{
    job *j = user;
    if (j->streaming && !j->late) j->endpoint->dialect->part(j, p, &j->out);
}

static void keep_turn(job *j, const answer_choice *c)
{
    ledger_turn turn = {.text = c->text.p,
                        .n_text = c->text.n,
                        .thinking = c->thinking.p,
                        .n_thinking = c->thinking.n,
                        .n_calls = c->n_calls,
                        .tokens = c->tokens,
                        .n_tokens = c->n_tokens,
                        .thinks = j->thinks};
    ingle_string *names = ingle_new(2 * c->n_calls, sizeof *names), *args;
    if (!names) return;
    args = names + c->n_calls;
    for (size_t i = 0; i < c->n_calls; i++) {
        names[i] = (ingle_string){c->calls[i].name.p, c->calls[i].name.n};
        args[i] = (ingle_string){c->calls[i].args.p, c->calls[i].args.n};
    }
    turn.names = names;
    turn.args = args;
    ledger_keep(j->server->ledger, j->found.key, &turn);
    free(names);
}

/* Not what a stop string ended: of its last token the client did not get all. */
static void keep_turns(job *j)
{
    const generation *g = &j->gen;
    if (g->no_cache || g->continues) return;
    for (size_t i = 0; i < j->answer.n; i++) {
        const answer_choice *c = &j->answer.choices[i];
        if ((c->finish == INGLE_FINISH_STOP && c->i_stop >= g->n_stops) ||
            c->finish == INGLE_FINISH_LENGTH)
            keep_turn(j, c);
    }
}

static void fail_late(job *j)
{
    if (j->streaming && !j->late) j->endpoint->dialect->fail(j, &j->error, &j->out);
    j->whole = true;
}

/* The last event was read. */
static void finish(job *j)
{
    if (answer_failed(&j->answer))
        api_fail(&j->error, 503, "out_of_memory", NULL, "no memory for the whole answer");
    if (j->error.status) {
        fail_late(j);
        return;
    }
    keep_turns(j);
    if (j->streaming && !j->late) j->endpoint->dialect->end(j, &j->out);
    else j->endpoint->dialect->whole(j, &j->out);
    j->whole = true;
}

/* Takes events, as long as the client takes what they become. */
static void pump(job *j)
{
    ingle_event e = {.size = sizeof e};
    ingle_error err = {{0}};
    while (!j->whole && (!j->x || !j->streaming || j->out.n - j->out_at < MUCH)) {
        ingle_status st = ingle_request_next(j->request, 0, &e, &err);
        if (st == INGLE_ETIMEOUT) return;
        if (!st) {
            answer_take(&j->answer, &e);
            if (j->answer.n_done == j->answer.n && j->answer.n_ended < j->answer.n)
                job_cancel(j); /* the rest is of no use; once more does no harm */
            continue;
        }
        if (st != INGLE_ENOTFOUND) api_fail_library(&j->error, st, &err, NULL);
        finish(j);
    }
}

/* ---- generating ------------------------------------------------------------------------------ */

static void begin_stream(job *j, bool late)
{
    const dialect *d = j->endpoint->dialect;
    j->streaming = true;
    j->late = late;
    j->first_byte = j->spoke = ingle_now();
    j->sent = 200;
    if (late) bytes_text(&j->out, " ");
    else d->begin(j, &j->out);
    if (!j->x) return;
    set_headers(j);
    http_set_header(j->x, "Content-Type", late ? "application/json" : d->stream_type);
    if (!late) {
        http_set_header(j->x, "Cache-Control", "no-cache");
        http_set_header(j->x, "X-Accel-Buffering", "no"); /* asks proxies to pass it on at once */
    }
    http_stream(j->x, 200);
}

static void end_unheard(job *j)
{
    if (!j->whole) return;
    end(j);
    free_if_over(j);
}

static void answer_whole(job *j)
{
    if (j->error.status) answer_error(j);
    else {
        if (j->x && j->answer.choices[0].finish == INGLE_FINISH_TIMEOUT)
            http_set_header(j->x, "Ingle-Finish", "timeout");
        answer_text(j, 200, "application/json");
    }
    end(j);
}

static void generate_on(job *j)
{
    if (!j->x) {
        pump(j);
        end_unheard(j);
    } else if (j->streaming) {
        http_resume(j->x);
    } else {
        pump(j);
        if (j->whole) answer_whole(j);
    }
}

static void begin(job *j)
{
    j->state = JOB_GENERATES;
    atomic_store(&j->armed, true);
    if (!j->x) job_cancel(j);
    else if (j->gen.stream) begin_stream(j, false);
    generate_on(j);
}

void job_cancel(job *j)
{
    if (j->request) ingle_request_cancel(j->request, NULL);
}

static void on_prepared(job *j)
{
    if (j->request && !j->error.status) {
        begin(j);
        return;
    }
    if (j->endpoint->after && !j->error.status) j->endpoint->after(j);
    if (j->x) answer_made(j);
    end(j);
    free_if_over(j);
}

static void take_news(job *j)
{
    if (j->state == JOB_PREPARES) on_prepared(j);
    else if (j->state == JOB_GENERATES) generate_on(j);
    else free_if_over(j);
}

/* Any thread: the job has news for the http thread. */
static void tell_news(void *user)
{
    job *j = user;
    server *s = j->server;
    if (atomic_exchange(&j->has_news, true)) return;
    job *head = atomic_load(&s->news);
    do j->next_news = head;
    while (!atomic_compare_exchange_weak(&s->news, &head, j));
    if (!head) http_wake(s->http);
}

/* Before the http thread has taken the job over from prep it will look for events anyway. */
void job_ready(void *user)
{
    job *j = user;
    if (atomic_load(&j->armed)) tell_news(j);
}

static void on_woken(void *user)
{
    server *s = user;
    job *list = atomic_exchange(&s->news, NULL), *first = NULL;
    while (list) { /* in the order of their coming */
        job *j = list;
        list = j->next_news;
        j->next_news = first;
        first = j;
    }
    while (first) {
        job *j = first;
        first = j->next_news;
        atomic_store(&j->has_news, false);
        take_news(j);
    }
}

/* ---- preparing ------------------------------------------------------------------------------- */

static bool open_body(job *j)
{
    ingle_error err = {{0}};
    const ingle_json_limits limits = {.max_values = j->server->opt->max_json_values,
                                      .unique_names = true};
    if (!j->endpoint->fields) return true;
    if (!j->n_body)
        return api_fail(&j->error, 400, "invalid_json", NULL, "the body is empty: a JSON object");
    ingle_status st = ingle_json_open(&j->doc, j->body, j->n_body, &limits, &err);
    free(j->body);
    j->body = NULL;
    if (st == INGLE_ENOMEM) return api_fail_library(&j->error, st, &err, NULL);
    if (st) return api_fail(&j->error, 400, "invalid_json", NULL, "the body: %s", err.text);
    if (!ingle_json_is(j->doc.root, INGLE_JSON_OBJECT))
        return api_fail(&j->error, 400, "invalid_json", NULL, "the body should be a JSON object");
    return true;
}

static void prepare(prep_task *task)
{
    job *j = (job *)task;
    if (!atomic_load(&j->gone) && open_body(j)) j->endpoint->prepare(j);
    tell_news(j); /* from here on it is the http thread's */
}

/* ---- what http.c calls ----------------------------------------------------------------------- */

static bool is_set(const http_exchange *x, const char *name)
{
    const char *value = http_header(x, name);
    return value && !strcmp(value, "1");
}

static bool pass_gate(job *j, gate_role needs)
{
    const http_exchange *x = j->x;
    gate_verdict v = {.reflect = false};
    const gate_request q = ask_of(x, needs);
    bool passes = gate_check(j->server->gate, &q, &v, &j->error);
    j->key = v.key;
    if (v.reflect && q.origin) {
        http_set_header(j->x, "Access-Control-Allow-Origin", q.origin);
        http_set_header(j->x, "Access-Control-Expose-Headers",
                        "x-request-id, request-id, Ingle-Ignored, Ingle-Finish, Retry-After");
    }
    if (q.origin) http_set_header(j->x, "Vary", "Origin");
    if (v.close) http_set_header(j->x, "Connection", "close");
    return passes;
}

/* A browser asks beforehand whether a page may ask. */
static void answer_preflight(job *j)
{
    const char *method = http_header(j->x, "Access-Control-Request-Method");
    const char *names = http_header(j->x, "Access-Control-Request-Headers");
    http_set_header(j->x, "Allow", "GET, HEAD, POST, DELETE, OPTIONS");
    if (method) {
        http_set_header(j->x, "Access-Control-Allow-Methods", "GET, HEAD, POST, DELETE");
        if (names) set_header(j, "Access-Control-Allow-Headers", names, strlen(names));
        http_set_header(j->x, "Access-Control-Max-Age", "600");
        if (http_header(j->x, "Access-Control-Request-Private-Network"))
            http_set_header(j->x, "Access-Control-Allow-Private-Network", "true");
    }
    j->status = 204;
}

static bool admit(job *j)
{
    const http_exchange *x = j->x;
    const char *argument = NULL;
    bool options = !strcmp(x->method, "OPTIONS");
    j->endpoint = options
                      ? NULL
                      : j->server->route(x->method, x->path, http_header(x, "anthropic-version"),
                                         &argument, &j->shape, &j->error);
    api_error lost = j->error; /* who may not ask does not hear what is there */
    j->error.status = 0;
    if (!pass_gate(j, options ? GATE_PUBLIC : j->endpoint ? j->endpoint->needs : GATE_USER))
        return false;
    if (options) {
        answer_preflight(j);
        return false;
    }
    j->error = lost;
    if (!j->endpoint) return false;
    if (argument && *argument && !(j->argument = strdup(argument)))
        return api_fail(&j->error, 503, "out_of_memory", NULL, "no memory for a request");
    if (j->server->draining && j->endpoint->prepare)
        return api_fail(&j->error, 503, "draining", NULL, "the server is being stopped");
    j->reader.strict = j->server->opt->strict || is_set(x, "Ingle-Strict");
    j->report = is_set(x, "Ingle-Report");
    return true;
}

static bool on_headers(void *user, http_exchange *x)
{
    server *s = user;
    job *j = job_new(s, x);
    s->counts.n_requests++;
    if (!j) {
        http_abort(x);
        return false;
    }
    x->job = j;
    if (admit(j)) return true;
    answer_made(j);
    end(j);
    return false;
}

static void on_ready(void *user, http_exchange *x)
{
    server *s = user;
    job *j = x->job;
    j->body = x->body;
    j->n_body = x->n_body;
    x->body = NULL;
    if (j->endpoint->quick) {
        j->endpoint->quick(j);
        answer_made(j);
        end(j);
        return;
    }
    j->state = JOB_PREPARES;
    j->task.work = prepare;
    prep_add(s->prep, &j->task);
}

static http_read on_read(void *user, http_exchange *x, char *to, size_t cap, size_t *n)
{
    job *j = x->job;
    (void)user;
    *n = 0;
    if (j->out_at == j->out.n) {
        j->out.n = j->out_at = 0;
        if (j->state == JOB_GENERATES) pump(j);
    }
    if (j->out.failed) return HTTP_CUT;
    *n = j->out.n - j->out_at;
    if (*n > cap) *n = cap;
    if (*n) memcpy(to, j->out.p + j->out_at, *n);
    j->out_at += *n;
    j->n_sent += *n;
    if (*n) j->spoke = ingle_now();
    if (!j->whole || j->out_at < j->out.n) return HTTP_MORE;
    http_read end_of = j->late && j->error.status ? HTTP_CUT : HTTP_END;
    end(j);
    return end_of;
}

static void on_gone(void *user, http_exchange *x)
{
    job *j = x->job;
    (void)user;
    if (!j) return;
    atomic_store(&j->gone, true);
    j->x = NULL;
    if (j->state == JOB_GENERATES) {
        job_cancel(j);
        generate_on(j);
    }
}

static void on_done(void *user, http_exchange *x)
{
    job *j = x->job;
    if (!j) return;
    if (j->x && j->state != JOB_OVER) on_gone(user, x);
    x->job = NULL;
    j->x = NULL;
    j->exchange_over = true;
    if (j->state == JOB_NEW) end(j);
    free_if_over(j);
}

/* Streams that have been silent show that they live; so do answers that take long. */
static void beat(job *j, double now)
{
    if (!j->x || j->state != JOB_GENERATES || j->whole) return;
    if (!j->streaming && now - j->arrived >= PATIENCE_S) {
        begin_stream(j, true);
    } else if (j->streaming && now - j->spoke >= BEAT_S && j->out_at == j->out.n) {
        if (j->late) bytes_text(&j->out, " ");
        else j->endpoint->dialect->beat(j, &j->out);
        http_resume(j->x);
    }
}

void jobs_cancel(server *s)
{
    for (job *j = s->jobs; j; j = j->next) {
        if (j->state == JOB_GENERATES && !j->whole)
            api_fail(&j->error, 503, "draining", NULL, "the server is being stopped");
        job_cancel(j);
    }
}

void jobs_free(server *s)
{
    atomic_store(&s->news, NULL);
    while (s->jobs) {
        end(s->jobs);
        job_free(s->jobs);
    }
}

static void tell_ready(server *s)
{
    ingle_error why = {{0}};
    model_state state = models_state(s->models, NULL, &why);
    if (s->told_ready || state == MODEL_LOADING) return;
    s->told_ready = true;
    if (state == MODEL_READY) {
        if (s->ready) s->ready(s->ready_user, s->addresses);
        return;
    }
    s->model_failed = true;
    s->why = why;
    http_stop(s->http);
}

static void on_tick(void *user, double now)
{
    server *s = user;
    tell_ready(s);
    for (job *j = s->jobs, *next; j; j = next) {
        next = j->next;
        beat(j, now);
    }
    if (!s->draining) return;
    if (!s->n_jobs) http_stop(s->http);
    else if (now >= s->cut_at && !s->cutting) {
        s->cutting = true;
        jobs_cancel(s);
        s->cut_at = now + 5; /* for what a last step and slow sockets take */
    } else if (s->cutting && now >= s->cut_at) http_stop(s->http);
}

static char *on_refusal(void *user, const http_exchange *x, int status, const char *message,
                        http_answer_id *id, size_t *n)
{
    bytes out = {0};
    api_error e = {0};
    const char *argument;
    wire shape = WIRE_OPENAI;
    api_error none = {0};
    const server *s = user;
    if (x && x->path && x->method) s->route(x->method, x->path, false, &argument, &shape, &none);
    id_new(id->value, sizeof id->value, "req_");
    snprintf(id->name, sizeof id->name, "%s",
             shape == WIRE_ANTHROPIC ? "request-id" : "x-request-id");
    api_fail(&e, status, status == 413 ? "request_too_large" : "bad_request", NULL, "%s", message);
    api_error_write(&e, shape, id->value, &out);
    return bytes_give(&out, n);
}

void job_handler_init(http_handler *h, server *s)
{
    *h = (http_handler){.headers = on_headers,
                        .ready = on_ready,
                        .read = on_read,
                        .gone = on_gone,
                        .done = on_done,
                        .woken = on_woken,
                        .tick = on_tick,
                        .refusal = on_refusal,
                        .user = s};
}
